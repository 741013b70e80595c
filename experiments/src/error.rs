//! What can go wrong in an experiment: every message says what, where, and what to do next.
//!
//! Errors of the crates below pass through with the place they happened at; nothing here panics on bad input.

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::config::nearest;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, ExperimentError>;

/// An experiment could not be done.
#[derive(Debug, Error)]
pub enum ExperimentError {
    /// The command line asks for something that is not there.
    #[error("{what}; {next}")]
    Usage {
        /// What is wrong.
        what: String,
        /// What to do.
        next: String,
    },
    /// A file or folder could not be read or written.
    #[error("cannot {action} {}: {source}; {}", path.display(), advice(source))]
    Io {
        /// What was tried: `read`, `write`, `create`.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A configuration is not TOML, has unknown keys or impossible values.
    #[error("{file}: `{key}`: {detail}; {}", correction(key))]
    Config {
        /// Which configuration.
        file: String,
        /// Dotted path of the key.
        key: String,
        /// What is wrong.
        detail: String,
    },
    /// A configuration has a key that nothing reads.
    #[error("unknown key `{key}` in {place}: {hint}")]
    UnknownKey {
        /// Which configuration, or which `--set`.
        place: String,
        /// Dotted path of the key.
        key: String,
        /// The key that was probably meant, or all that are known, and what to do.
        hint: String,
    },
    /// No strategy of that id.
    #[error("{place}: unknown strategy `{id}`{}; known are: {known}", meant(id, known))]
    UnknownStrategy {
        /// Where it was named.
        place: String,
        /// The id asked for.
        id: String,
        /// All ids, separated by commas.
        known: String,
    },
    /// A trace cannot be used.
    #[error("{0}")]
    Trace(String),
    /// A foreign file or server cannot be imported.
    #[error("import: {0}")]
    Import(String),
    /// A manifest cannot be read, or says what is impossible.
    #[error("{0}")]
    Manifest(String),
    /// A strategy cannot be built.
    #[error("strategy `{strategy}`: {source}")]
    Strategy {
        /// Its id.
        strategy: String,
        /// What the core says.
        source: seatrial_core::scaling::config::ConfigError,
    },
    /// A scenario file cannot be read, means nothing, or cannot be run: one line per mistake, each with its place.
    #[error("{0}")]
    Scenario(String),
    /// A scenario or an episode is impossible.
    #[error("{place}: {detail}")]
    Environment {
        /// Which scenario, trace or cell.
        place: String,
        /// What the simulator says.
        detail: String,
    },
    /// A bundle or its weights cannot be used.
    #[error("bundle {}", located(path, detail))]
    Bundle {
        /// Where it lies.
        path: PathBuf,
        /// What is wrong and what to do.
        detail: String,
    },
    /// A run folder lacks something or holds something else than expected.
    #[error("run folder {}", located(path, detail))]
    RunFolder {
        /// The folder.
        path: PathBuf,
        /// What is wrong and what to do.
        detail: String,
    },
    /// Training needs libtorch, which this binary was built without.
    #[error(
        "{what} needs training, and this binary was built without libtorch; set it up with `cargo xtask libtorch`, then: \
         cargo run --release --features train -- {command}"
    )]
    NeedsTraining {
        /// What was asked for.
        what: String,
        /// The arguments to repeat.
        command: String,
    },
    /// Questions over several runs need polars, which this binary was built without.
    #[error(
        "a question over several runs needs polars, and this binary was built without it; run: \
         cargo run --release --features analysis -- {command}"
    )]
    NeedsAnalysis {
        /// The arguments to repeat.
        command: String,
    },
    /// A question over several runs has no answer.
    #[error("query: {0}")]
    Query(String),
    /// The learner failed.
    #[error("training: {0}")]
    Training(String),
    /// The report could not be made.
    #[error("report: {0}")]
    Report(String),
    /// The user stopped the run; finished cells are kept.
    #[error("interrupted after {done} of {total} {unit}; what is finished is kept, the same command resumes")]
    Interrupted {
        /// Finished items.
        done: usize,
        /// All items.
        total: usize,
        /// What is counted.
        unit: &'static str,
    },
    /// The user stopped a command that leaves nothing unless it ends.
    #[error("interrupted after {done} of {total} {unit}; the run is as it was, and the same command begins anew")]
    Stopped {
        /// Finished items.
        done: usize,
        /// All items.
        total: usize,
        /// What is counted.
        unit: &'static str,
    },
    /// A re-evaluation gave other bytes.
    #[error("verify: {0}")]
    Differs(String),
    /// The export gate refused the policy.
    #[error("export refused: {0}")]
    Gate(String),
}

impl ExperimentError {
    /// A file error with its place.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    /// A configuration error at a key.
    pub fn config(file: impl Into<String>, key: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Config { file: file.into(), key: key.into(), detail: detail.into() }
    }

    /// The same for a command that keeps nothing of what it has begun.
    #[must_use]
    pub fn keeping_nothing(self) -> Self {
        match self {
            Self::Interrupted { done, total, unit } => Self::Stopped { done, total, unit },
            other => other,
        }
    }

    /// Whether the command line itself was wrong (exit code 2 instead of 1).
    #[must_use]
    pub const fn is_usage(&self) -> bool {
        matches!(self, Self::Usage { .. })
    }
}

/// `detail` with its place in front, unless it begins with it: messages from below name their file themselves.
fn located(path: &Path, detail: &str) -> String {
    let place = path.display().to_string();
    if detail.starts_with(&place) { detail.to_owned() } else { format!("{place}: {detail}") }
}

/// How a wrong value is corrected. A key in brackets is a whole file or study.
fn correction(key: &str) -> String {
    if key.starts_with('(') {
        return "correct the file".into();
    }
    // `traces[0].window` is spelt `traces.0.window` on the command line.
    format!("correct it there or with --set {}=…", key.replace('[', ".").replace(']', ""))
}

fn meant(id: &str, known: &str) -> String {
    nearest::of(id, known.split(", ")).map_or_else(String::new, |near| format!(" (did you mean `{near}`?)"))
}

fn advice(source: &std::io::Error) -> &'static str {
    match source.kind() {
        std::io::ErrorKind::NotFound => "check the path",
        std::io::ErrorKind::IsADirectory => "give a file, not a folder",
        std::io::ErrorKind::NotADirectory => "a file stands where a folder is needed; choose another path",
        std::io::ErrorKind::PermissionDenied => "check the permissions or choose another --out",
        std::io::ErrorKind::StorageFull => "free some space or choose another --out; finished cells are kept",
        _ => "check the file and the disk, then run the same command again",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_named_once() {
        let detail = "runs/x/cells.parquet: not a readable Parquet file".to_owned();
        let error = ExperimentError::RunFolder { path: "runs/x/cells.parquet".into(), detail: detail.clone() };
        assert_eq!(error.to_string(), format!("run folder {detail}"));
        let error = ExperimentError::Bundle { path: "b".into(), detail: "is empty".into() };
        assert_eq!(error.to_string(), "bundle b: is empty");
    }

    #[test]
    fn nothing_is_said_to_be_kept_that_is_not() {
        let interrupted = || ExperimentError::Interrupted { done: 3, total: 9, unit: "cells" };
        assert!(interrupted().to_string().contains("kept"));
        let message = interrupted().keeping_nothing().to_string();
        assert!(message.contains("after 3 of 9 cells") && !message.contains("kept"), "{message}");
    }

    #[test]
    fn corrections_are_such_as_can_be_typed() {
        let message = |key: &str| ExperimentError::config("s.toml", key, "is wrong").to_string();
        assert!(message("traces[0].window").ends_with("with --set traces.0.window=…"));
        assert!(message("(whole file)").ends_with("is wrong; correct the file"));
    }
}
