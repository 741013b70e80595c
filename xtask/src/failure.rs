//! Why a task failed, and what to do next.

use std::path::PathBuf;

/// One error type for all tasks: each variant's text says what happened, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{0}")]
    Usage(String),
    #[error("`{command}` failed ({status}); its own output above says why")]
    Command { command: String, status: String },
    #[error("could not start `{command}`: {source}; is it installed and on PATH?")]
    Start { command: String, source: std::io::Error },
    #[error("{doing} {}: {source}", path.display())]
    File { doing: &'static str, path: PathBuf, source: std::io::Error },
    #[error("could not read what `{command}` printed: {detail}")]
    Output { command: String, detail: String },
    #[error("{what} is missing: {next}")]
    Missing { what: String, next: String },
    #[error("{} tidy rule(s) broken:\n{}", .0.len(), .0.join("\n"))]
    Untidy(Vec<String>),
    #[error("step `{step}` failed after {seconds:.1} s: {source}")]
    Step { step: String, seconds: f64, source: Box<Failure> },
    #[error("the checks that ran are green, but {0}")]
    Incomplete(String),
}
