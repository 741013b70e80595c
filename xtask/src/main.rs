//! `cargo xtask …`: the workspace's own tasks, in Rust so that they need no other tool.
//!
//! This crate knows how the workspace is built, checked and shown; it holds no logic of Seatrial itself. It is a
//! composition root: the environment and the clock are read in `shell` and `steps` only.

mod demo;
mod failure;
mod generate;
mod lanes;
mod libtorch;
mod shell;
mod steps;
mod suite;
mod tidy;
mod tier;

use failure::Failure;
use shell::Shell;
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask <task>

  test [--tier unit|vectors|real]  everything CI checks, or one tier of the tests
  demo                             train, evaluate, report and export on a shipped trace (sets up libtorch)
  libtorch                         set up libtorch in the per-user cache; prints the lines to export
  tidy                             the rules that no compiler checks: dependency table, file sizes, names, registries
  generate                         rewrite the committed files that are generated from code";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\nxtask: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[&str]) -> Result<(), Failure> {
    if let [] | ["help" | "--help" | "-h"] = arguments {
        println!("{USAGE}");
        return Ok(());
    }
    let shell = Shell::open()?;
    match arguments {
        ["test", options @ ..] => suite::run(&shell, &tier::Tier::parse(options)?),
        ["demo"] => demo::run(&shell),
        ["libtorch"] => libtorch::print_exports(&shell),
        ["tidy"] => tidy::run(&shell),
        ["generate"] => generate::run(&shell),
        _ => Err(Failure::Usage(format!("unknown task `{}`\n\n{USAGE}", arguments.join(" ")))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_task_is_refused_with_the_known_ones() {
        let message = run(&["tset"]).unwrap_err().to_string();
        assert!(message.contains("unknown task `tset`") && message.contains("libtorch"), "{message}");
    }
}
