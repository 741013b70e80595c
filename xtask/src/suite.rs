//! `cargo xtask test`: everything CI checks, cheapest first, stopping at the first failure.
//!
//! What cannot be checked is never silent: without libtorch the light and the operator lane are still checked, and the
//! task fails at its end saying what is missing.

use crate::failure::Failure;
use crate::lanes::{LANE_DEPENDENT, Lanes};
use crate::libtorch;
use crate::shell::{Shell, finish};
use crate::steps::Steps;
use crate::tidy;
use crate::tier::Tier;
use std::path::{Path, PathBuf};

/// Runs the suite.
pub(crate) fn run(shell: &Shell, tier: &Tier) -> Result<(), Failure> {
    match tier {
        Tier::Real | Tier::Soak => need_control_plane(shell)?,
        Tier::Vectors => need_vectors(shell)?,
        Tier::All | Tier::Unit => announce_inputs(shell),
    }
    let mut suite = Suite::prepare(shell, *tier)?;
    if !matches!(tier, Tier::Vectors | Tier::Real | Tier::Soak) {
        suite.check()?;
    }
    if !tier.is_real_only() {
        suite.test()?;
    }
    suite.test_on_control_plane()?;
    suite.conclude()
}

const CONTROL_PLANE: &str = "SEATRIAL_ENVTEST";

const REAL_TIER_SKIPPED: &str = "SKIPPED: the real tier. SEATRIAL_ENVTEST does not name a folder with `start`, `restart` and `stop` \
     of a control plane (operator/README.md says what it is and how to get one), so nothing was tested on a real API server.";

/// The folder is there, or is not named at all: a wrong one is an error, never a skipped tier.
fn has_control_plane(shell: &Shell) -> Result<bool, Failure> {
    let Some(folder) = shell.variable(CONTROL_PLANE) else { return Ok(false) };
    if Path::new(&folder).join("start").is_file() {
        return Ok(true);
    }
    Err(Failure::Missing {
        what: format!("`start` in the folder {} that {CONTROL_PLANE} names", folder.to_string_lossy()),
        next: "correct or unset the variable".to_owned(),
    })
}

fn need_control_plane(shell: &Shell) -> Result<(), Failure> {
    if has_control_plane(shell)? {
        return Ok(());
    }
    Err(Failure::Missing {
        what: "a real control plane".to_owned(),
        next: format!("set {CONTROL_PLANE} to the folder of its scripts `start`, `restart` and `stop`"),
    })
}

fn need_vectors(shell: &Shell) -> Result<(), Failure> {
    if shell.variable("SEATRIAL_VECTORS").is_some() {
        return Ok(());
    }
    Err(Failure::Missing {
        what: "the folder of golden vectors".to_owned(),
        next: "set SEATRIAL_VECTORS to it; without it the tests with `vectors` in their names have nothing to read"
            .to_owned(),
    })
}

/// Says which inputs from outside the checkout the tests will find.
fn announce_inputs(shell: &Shell) {
    for name in ["SEATRIAL_TRACES", "SEATRIAL_VECTORS"] {
        match shell.variable(name) {
            Some(folder) => println!("{name}={}", folder.to_string_lossy()),
            None => println!("SKIPPED: {name} is not set, so tests that read that folder check nothing"),
        }
    }
}

/// The package whose tests need a control plane.
const OPERATOR: &str = "seatrial-operator";

struct Suite {
    shell: Shell,
    tier: Tier,
    steps: Steps,
    /// Why the train lane is left out, if it is.
    without_train: Option<String>,
}

impl Suite {
    fn prepare(shell: &Shell, tier: Tier) -> Result<Self, Failure> {
        let mut suite = Self { shell: shell.fork(), tier, steps: Steps::default(), without_train: None };
        let (ready, without_train) = (&mut suite.shell, &mut suite.without_train);
        suite.steps.step("libtorch", || {
            match libtorch::ensure(shell) {
                Ok(found) => *ready = found,
                Err(failure) => {
                    println!("    THE TRAIN LANE WILL NOT BE CHECKED: {failure}");
                    *without_train = Some(failure.to_string());
                }
            }
            Ok(())
        })?;
        Ok(suite)
    }

    fn lanes(&self) -> Lanes {
        if self.without_train.is_none() { Lanes::All } else { Lanes::WithoutAgents }
    }

    fn check(&mut self) -> Result<(), Failure> {
        self.cargo_step("format", &["fmt", "--all", "--check"], &[])?;
        let shell = self.shell.fork();
        self.steps.step("tidy", || tidy::run(&shell))?;
        self.clippy("clippy, light lane alone", Lanes::Light, &[])?;
        self.clippy("clippy, all lanes and targets", self.lanes(), &["--all-targets"])?;
        if self.lanes() == Lanes::All {
            self.clippy("clippy, train feature off", Lanes::AllButTrainFeature, &["--all-targets"])?;
        }
        let shell = self.shell.fork().with("RUSTDOCFLAGS", "-D warnings");
        let arguments = [&["doc", "--no-deps", "--quiet"], self.lanes().arguments()].concat();
        self.steps.step("docs", || shell.cargo(&arguments))?;
        self.deny()
    }

    fn clippy(&mut self, name: &str, lanes: Lanes, targets: &[&str]) -> Result<(), Failure> {
        let arguments = [&["clippy", "--quiet"], lanes.arguments(), targets].concat();
        self.cargo_step(name, &arguments, &["-D", "warnings"])
    }

    fn deny(&mut self) -> Result<(), Failure> {
        if !self.shell.answers("cargo", &["deny", "--version"]) {
            println!("\nSKIPPED: cargo deny is not installed (cargo install --locked cargo-deny)");
            return Ok(());
        }
        // Advisories need a download of the database: left to a scheduled job.
        self.cargo_step("deny", &["deny", "check", "bans", "licenses", "sources"], &[])
    }

    fn test(&mut self) -> Result<(), Failure> {
        let (lanes, tier) = (self.lanes().arguments(), self.tier);
        if self.shell.answers("cargo", &["nextest", "--version"]) {
            let arguments = [&["nextest", "run", "--no-fail-fast"], lanes, tier.nextest_arguments()].concat();
            self.cargo_step("tests (nextest)", &arguments, &[])?;
            self.cargo_step("doc tests", &[&["test", "--doc", "--quiet"], lanes].concat(), tier.libtest_arguments())?;
        } else {
            let arguments = [&["test", "--quiet"], lanes].concat();
            self.cargo_step("tests and doc tests", &arguments, tier.libtest_arguments())?;
        }
        if self.lanes() == Lanes::All { self.test_without_train_feature() } else { Ok(()) }
    }

    /// The packages that look different without the train feature, tested in that form; the others are the same.
    fn test_without_train_feature(&mut self) -> Result<(), Failure> {
        let (shell, tier) = (self.shell.fork(), self.tier);
        self.steps.step("tests, train feature off", || {
            let build = ["test", "--no-run", "--message-format=json-render-diagnostics", "--quiet"];
            let messages = shell.read("cargo", &[&build, Lanes::AllButTrainFeature.arguments()].concat())?;
            for binary in test_binaries(&messages)?.iter().filter(|binary| binary.is_lane_dependent()) {
                binary.run(&shell, tier)?;
            }
            Ok(())
        })
    }

    /// The tests on a real control plane: the operator's alone, one after the other, for they start servers and watch clocks.
    fn test_on_control_plane(&mut self) -> Result<(), Failure> {
        let tier = if self.tier == Tier::Soak { Tier::Soak } else { Tier::Real };
        if matches!(self.tier, Tier::Unit | Tier::Vectors) || !has_control_plane(&self.shell)? {
            return Ok(());
        }
        let (shell, lanes) = (self.shell.fork(), self.lanes());
        self.steps.step("tests on a real control plane", || {
            let build = ["test", "--no-run", "--message-format=json-render-diagnostics", "--quiet"];
            let messages = shell.read("cargo", &[&build, lanes.arguments()].concat())?;
            for binary in test_binaries(&messages)?.iter().filter(|binary| binary.package == OPERATOR) {
                binary.run(&shell, tier)?;
            }
            Ok(())
        })
    }

    fn cargo_step(&mut self, name: &str, arguments: &[&str], after_dashes: &[&str]) -> Result<(), Failure> {
        let mut all = arguments.to_vec();
        if !after_dashes.is_empty() {
            all.push("--");
            all.extend(after_dashes);
        }
        let shell = self.shell.fork();
        self.steps.step(name, || shell.cargo(&all))
    }

    fn conclude(self) -> Result<(), Failure> {
        println!("{}", self.steps.summary());
        if self.tier == Tier::All && !has_control_plane(&self.shell)? {
            println!("{REAL_TIER_SKIPPED}");
        }
        match self.without_train {
            None => Ok(()),
            Some(reason) => Err(Failure::Incomplete(format!("the train lane was not checked: {reason}"))),
        }
    }
}

/// A compiled test program.
#[derive(Debug, PartialEq, Eq)]
struct TestBinary {
    folder: PathBuf,
    target: String,
    program: PathBuf,
    package: String,
}

impl TestBinary {
    fn is_lane_dependent(&self) -> bool {
        LANE_DEPENDENT.contains(&self.package.as_str())
    }

    fn run(&self, shell: &Shell, tier: Tier) -> Result<(), Failure> {
        println!("    {} {}", self.package, self.target);
        let mut command = shell.command(&self.program.to_string_lossy());
        // As cargo runs them: in the package's folder.
        command.current_dir(&self.folder).env("CARGO_MANIFEST_DIR", &self.folder);
        command.arg("--quiet").args(tier.libtest_arguments());
        finish(&mut command, &format!("tests of {} {}", self.package, self.target))
    }
}

/// The test programs among cargo's JSON messages.
fn test_binaries(messages: &str) -> Result<Vec<TestBinary>, Failure> {
    let unreadable = |detail: String| Failure::Output { command: "cargo test --no-run".to_owned(), detail };
    let mut binaries = Vec::new();
    for line in messages.lines() {
        let message: serde_json::Value =
            serde_json::from_str(line).map_err(|error| unreadable(format!("{error}: {line}")))?;
        let Some(program) = message["executable"].as_str().filter(|_| message["profile"]["test"] == true) else {
            continue;
        };
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let folder = Path::new(&text(&message["manifest_path"])).parent().map(Path::to_path_buf).unwrap_or_default();
        let package = package_name(&text(&message["package_id"]));
        binaries.push(TestBinary {
            folder,
            target: text(&message["target"]["name"]),
            program: program.into(),
            package,
        });
    }
    Ok(binaries)
}

/// The name in a package id: `path+file:///a/b#name@0.1.0`, or `path+file:///a/name#0.1.0` where folder and name agree.
fn package_name(id: &str) -> String {
    let (source, rest) = id.rsplit_once('#').unwrap_or(("", id));
    match rest.split_once('@') {
        Some((name, _)) => name.to_owned(),
        None => source.rsplit('/').next().unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_tier_needs_vectors() {
        let shell = Shell::open().unwrap();
        assert!(need_vectors(&shell.fork().with("SEATRIAL_VECTORS", "/v")).is_ok());
        if shell.variable("SEATRIAL_VECTORS").is_none() {
            assert!(need_vectors(&shell).unwrap_err().to_string().contains("SEATRIAL_VECTORS"));
        }
    }

    #[test]
    fn a_control_plane_that_is_named_must_be_there() {
        let shell = Shell::open().unwrap().with(CONTROL_PLANE, "/nowhere");
        let message = has_control_plane(&shell).unwrap_err().to_string();
        assert!(message.contains("/nowhere") && message.contains("unset"), "{message}");
    }

    #[test]
    fn test_programs_are_found_among_cargos_messages() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","package_id":"path+file:///w/experiments#seatrial-experiments@0.1.0","manifest_path":"/w/experiments/Cargo.toml","target":{"name":"cli"},"profile":{"test":true},"executable":"/t/cli-1"}"#,
            "\n",
            r#"{"reason":"compiler-artifact","package_id":"path+file:///w/xtask#0.1.0","manifest_path":"/w/xtask/Cargo.toml","target":{"name":"xtask"},"profile":{"test":false},"executable":"/t/xtask"}"#,
            "\n",
            r#"{"reason":"build-finished","success":true}"#,
        );
        let found = test_binaries(messages).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].package.as_str(), found[0].target.as_str()), ("seatrial-experiments", "cli"));
        assert_eq!(found[0].folder, Path::new("/w/experiments"));
        assert!(found[0].is_lane_dependent());
        assert!(test_binaries("no json").is_err());
    }

    #[test]
    fn package_ids_of_both_forms() {
        assert_eq!(package_name("path+file:///a/b#name@0.1.0"), "name");
        assert_eq!(package_name("path+file:///a/xtask#0.1.0"), "xtask");
    }
}
