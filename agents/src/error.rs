//! What can go wrong in a learner, and what to do about it.

use std::path::PathBuf;

use thiserror::Error;

/// An error of a learner. A learner that returned one must not be advanced further; its last checkpoint stays good.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AgentError {
    /// A setting is outside its range.
    #[error("learner setting `{setting}` is {found}; {advice}")]
    Setting {
        /// Name of the setting.
        setting: &'static str,
        /// What was given.
        found: String,
        /// What it must be.
        advice: &'static str,
    },
    /// Training data that cannot be learned from.
    #[error("training series {series}: {problem}; {advice}")]
    Data {
        /// Position of the series.
        series: usize,
        /// What is wrong.
        problem: String,
        /// What to do.
        advice: &'static str,
    },
    /// The environment does not fit the learner.
    #[error(
        "the environment has {found} {what}, the learner was made for {expected}; make both from one configuration"
    )]
    Environment {
        /// What differs.
        what: &'static str,
        /// What the learner needs.
        expected: usize,
        /// What the environment has.
        found: usize,
    },
    /// Loss or weights left the finite numbers.
    #[error(
        "member {member} of the {learner} diverged by update {update} (non-finite loss); lower its learning rate or check the inputs"
    )]
    Diverged {
        /// Which learner.
        learner: &'static str,
        /// Member of the population.
        member: usize,
        /// Update at which it was noticed.
        update: u64,
    },
    /// The validation callback broke its contract.
    #[error("validation returned {found:?} for {members} members; return one finite score per member, in order")]
    Scores {
        /// Number of members.
        members: usize,
        /// Scores returned.
        found: Vec<f64>,
    },
    /// Bytes that are not a checkpoint of this run.
    #[error(
        "the checkpoint cannot be used: {problem}; delete it to train from the start, or give the configuration it was made with"
    )]
    Checkpoint {
        /// What is wrong.
        problem: String,
    },
    /// The file system refused.
    #[error("{action} {path}: {source}; check space and permissions, nothing was half-written", path = path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Weights that the core refuses.
    #[error(
        "the core refuses the exported weights of member {member}: {problem}; this is a defect of the exporter, please report it"
    )]
    Export {
        /// Member of the population.
        member: usize,
        /// What the core said.
        problem: String,
    },
}

/// `Ok` if `holds`, else an [`AgentError::Setting`].
pub(crate) fn require(
    holds: bool,
    setting: &'static str,
    found: impl std::fmt::Display,
    advice: &'static str,
) -> Result<(), AgentError> {
    if holds { Ok(()) } else { Err(AgentError::Setting { setting, found: found.to_string(), advice }) }
}
