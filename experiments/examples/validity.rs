//! Measures `docs/validity.md`, and makes the page out of what was measured.
//!
//! ```text
//! validity measure SECTION…        one JSON document with these sections to the standard output (all without names)
//! validity page FILE…              the page from such documents to the standard output; writes docs/figures/validity.svg
//! ```
//! Traces are looked for in `SEATRIAL_TRACES`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use seatrial_experiments::error::{ExperimentError, Result};
use seatrial_experiments::validity::{Effort, Evidence, SECTIONS, page};

#[expect(clippy::disallowed_methods, reason = "a composition root reads the environment")]
fn folders() -> Vec<PathBuf> {
    std::env::var_os("SEATRIAL_TRACES").map(|folders| std::env::split_paths(&folders).collect()).unwrap_or_default()
}

fn usage(what: &str) -> ExperimentError {
    ExperimentError::Usage {
        what: what.to_owned(),
        next: format!("say `measure` with some of {}, or `page` with the files that it wrote", SECTIONS.join(", ")),
    }
}

fn measure(sections: &[String]) -> Result<()> {
    let all: Vec<String> = SECTIONS.iter().map(ToString::to_string).collect();
    let mut evidence = Evidence::default();
    for section in if sections.is_empty() { &all } else { sections } {
        evidence.extend(Evidence::measure(section, Effort::FULL, &folders())?);
    }
    let text = serde_json::to_string(&evidence).map_err(|error| usage(&error.to_string()))?;
    println!("{text}");
    Ok(())
}

fn make_page(files: &[String]) -> Result<()> {
    let mut evidence = Evidence::default();
    for file in files {
        let path = Path::new(file);
        let text = std::fs::read_to_string(path).map_err(ExperimentError::io("read", path))?;
        evidence.extend(serde_json::from_str(&text).map_err(|error| usage(&format!("{file}: {error}")))?);
    }
    let figure = page::figure(&evidence).map_err(|error| usage(&error.to_string()))?;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/figures/validity.svg");
    std::fs::write(&path, &figure.svg).map_err(ExperimentError::io("write", &path))?;
    print!("{}", page::page(&evidence));
    Ok(())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.split_first() {
        Some((verb, rest)) if verb == "measure" => measure(rest),
        Some((verb, rest)) if verb == "page" && !rest.is_empty() => make_page(rest),
        _ => Err(usage("nothing to do")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
