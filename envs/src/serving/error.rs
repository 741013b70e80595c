//! Why no requests can be served in a scenario.

use thiserror::Error;

use crate::load::LoadError;

/// Why a scenario's services cannot be built.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ServingError {
    /// A traffic source or a call names a service that is not there.
    #[error("{place}: there is no service `{name}`; the services are {known}")]
    UnknownService {
        /// The key.
        place: String,
        /// The name given.
        name: String,
        /// All names.
        known: String,
    },
    /// Calls lead back to where they came from.
    #[error("services.{service}.calls: a request would call itself without end: {cycle}; take one of these calls away")]
    Cycle {
        /// A service on it.
        service: String,
        /// The services on it, in order.
        cycle: String,
    },
    /// A number is out of its range.
    #[error("{place} is {got}, must be {allowed}")]
    Range {
        /// The key.
        place: String,
        /// The value given.
        got: String,
        /// What is allowed.
        allowed: &'static str,
    },
    /// A sampled distribution without values.
    #[error("{place}: the values of its trace are not there; resolve the scenario's names before building it")]
    NoTable {
        /// The key.
        place: String,
    },
    /// Sources and their loads do not go together.
    #[error("traffic: {sources} sources and {loads} loads; resolve one load per source, in order")]
    Loads {
        /// Rows of `traffic`.
        sources: usize,
        /// Loads given.
        loads: usize,
    },
    /// A source's rates do not fit the scrape slots.
    #[error("traffic[{source_index}]: {error}")]
    Load {
        /// Place of the source.
        source_index: usize,
        /// What is wrong.
        error: LoadError,
    },
    /// More of something than an id can count.
    #[error("{what}: {got}, at most {most}; make it smaller")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there are.
        got: usize,
        /// How many there may be.
        most: usize,
    },
}
