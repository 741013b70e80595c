//! Why a world cannot run.

use std::net::SocketAddr;

use seatrial_core::time::Span;
use seatrial_envs::episode::EpisodeError;

use crate::run::RunError;

/// Why a world cannot run.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// The trace cannot be had.
    #[error(transparent)]
    Trace(#[from] seatrial_datasets::TraceError),
    /// The trace is no load.
    #[error(transparent)]
    NoLoad(#[from] seatrial_datasets::LoadError),
    /// It would begin after its end.
    #[error(
        "world: {trace}: it would begin {from_s} s into a part of {length_s} s; give a smaller --from, or --part whole"
    )]
    BeyondEnd {
        /// The trace.
        trace: String,
        /// Where it should begin.
        from_s: i64,
        /// How long the part is.
        length_s: i64,
    },
    /// Load and scenario do not fit.
    #[error(transparent)]
    Episode(#[from] EpisodeError),
    /// The load is none.
    #[error(transparent)]
    Load(#[from] seatrial_envs::load::LoadError),
    /// The address is taken, or not one of this machine.
    #[error("world: cannot listen on {address}: {source}; give another --listen")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The log cannot be written.
    #[error("world: cannot write the log {path}: {source}; give another --log, or none")]
    Log {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// A log that cannot be read.
    #[error(
        "world: line {line} of the log is `{text}`, which is not what a world writes ({expected}); give a log of `seatrial-operator world`"
    )]
    BadLog {
        /// Number of the line, from 1.
        line: usize,
        /// What it holds.
        text: String,
        /// What a line holds.
        expected: &'static str,
    },
    /// No cluster.
    #[error(transparent)]
    Cluster(#[from] RunError),
}

impl WorldError {
    pub(crate) fn beyond_end(trace: String, from: Span, length: Span) -> Self {
        let second = Span::from_secs(1);
        Self::BeyondEnd { trace, from_s: from.whole_steps(second), length_s: length.whole_steps(second) }
    }
}
