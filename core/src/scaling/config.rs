//! Errors of strategy configuration, and how a row of a registry reads its config.

use serde::de::DeserializeOwned;
use thiserror::Error;

/// What is wrong with a strategy's configuration or state. Nothing was built; whatever ran before still runs.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// No row has this id.
    #[error("unknown {kind} `{id}`; known are: {known}")]
    UnknownId {
        /// What was looked up: `policy`, `forecaster`.
        kind: &'static str,
        /// The id asked for.
        id: String,
        /// The ids there are, separated by commas.
        known: String,
    },
    /// The config has an unknown key, a wrong type or lacks a key.
    #[error("configuration of `{id}`: {detail}")]
    Shape {
        /// The strategy.
        id: &'static str,
        /// What the parser says.
        detail: String,
    },
    /// A value is out of its range.
    #[error("configuration of `{id}`: `{key}` is {got}, must be {allowed}")]
    Range {
        /// The strategy.
        id: &'static str,
        /// The key.
        key: &'static str,
        /// The value given.
        got: String,
        /// What is allowed.
        allowed: &'static str,
    },
    /// The strategy needs an ingredient that was not given.
    #[error("`{id}` needs {what}")]
    Missing {
        /// The strategy.
        id: &'static str,
        /// What it needs, and where to get it.
        what: &'static str,
    },
    /// A state could not be written or restored.
    #[error("state: {detail}; start from an empty state and warm it up from history")]
    State {
        /// What the parser says.
        detail: String,
    },
}

/// Reads the config of strategy `id`; `null` means all defaults, unknown keys are errors where the type denies them.
///
/// # Errors
/// [`ConfigError::Shape`] with the parser's words.
pub fn parse<T: DeserializeOwned>(id: &'static str, config: &serde_json::Value) -> Result<T, ConfigError> {
    let value = if config.is_null() { serde_json::Value::Object(serde_json::Map::new()) } else { config.clone() };
    serde_json::from_value(value).map_err(|error| ConfigError::Shape { id, detail: error.to_string() })
}
