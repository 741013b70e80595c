//! What can go wrong in an experiment: every message says what, where, and what to do next.
//!
//! Errors of the crates below pass through with the place they happened at; nothing here panics on bad input.

use std::path::{Path, PathBuf};

use thiserror::Error;

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
    #[error("{file}: `{key}`: {detail}; correct it there or with --set {key}=…")]
    Config {
        /// Which configuration.
        file: String,
        /// Dotted path of the key.
        key: String,
        /// What is wrong.
        detail: String,
    },
    /// No strategy of that id.
    #[error("{place}: unknown strategy `{id}`; known are: {known}")]
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
    /// A strategy cannot be built.
    #[error("strategy `{strategy}`: {source}")]
    Strategy {
        /// Its id.
        strategy: String,
        /// What the core says.
        source: seatrial_core::scaling::config::ConfigError,
    },
    /// A scenario or an episode is impossible.
    #[error("{place}: {detail}")]
    Environment {
        /// Which scenario, trace or cell.
        place: String,
        /// What the simulator says.
        detail: String,
    },
    /// A bundle or its weights cannot be used.
    #[error("bundle {}: {detail}", path.display())]
    Bundle {
        /// Where it lies.
        path: PathBuf,
        /// What is wrong and what to do.
        detail: String,
    },
    /// A run folder lacks something or holds something else than expected.
    #[error("run folder {}: {detail}", path.display())]
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

    /// Whether the command line itself was wrong (exit code 2 instead of 1).
    #[must_use]
    pub const fn is_usage(&self) -> bool {
        matches!(self, Self::Usage { .. })
    }
}

fn advice(source: &std::io::Error) -> &'static str {
    match source.kind() {
        std::io::ErrorKind::NotFound => "check the path",
        std::io::ErrorKind::PermissionDenied => "check the permissions or choose another --out",
        std::io::ErrorKind::StorageFull => "free some space or choose another --out; finished cells are kept",
        _ => "check the file and the disk, then run the same command again",
    }
}
