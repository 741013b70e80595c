//! Scaling policies, one file each, and their registry.
//!
//! To add one: a file in `policies/` with its `ROW`, a `mod` line and a row in [`POLICIES`]. Conformance tests, command line,
//! documentation and benchmarks take it from there. A file without a row fails a test.

pub mod cron;
mod forecast_max;
mod headroom;
pub mod hpa;
pub mod keda;
pub mod kpa;
mod lazy_capacity;
mod lstm_dqn;
mod mixture;
mod mpc;
mod newsvendor;
mod predictive_hpa;
mod rules_origin;
mod r#static;

use core::ops::RangeInclusive;

use serde::Serialize;

use super::config::ConfigError;
use super::policy::DynPolicy;
use crate::nets::Weights;
use crate::observe::Workload;

/// What a policy may be built from besides its config.
#[derive(Clone, Copy, Debug)]
pub struct Ingredients<'a> {
    /// The workload it is for.
    pub workload: &'a Workload,
    /// Trained weights, for policies and forecasters that have nets.
    pub weights: Option<&'a Weights>,
}

/// The guard under which a policy runs unless its strategy says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuardProfile {
    /// Bounds alone: constants, and reproductions of other systems, which run exact.
    BoundsOnly,
    /// Every rule.
    Full,
}

/// Builds a policy from its config.
pub type BuildPolicy = fn(&serde_json::Value, &Ingredients<'_>) -> Result<Box<dyn DynPolicy>, ConfigError>;

/// A policy of the registry.
#[derive(Clone, Copy, Debug)]
pub struct PolicyRow {
    /// Permanent kebab-case id; its file has the same name with underscores.
    pub id: &'static str,
    /// One line for lists.
    pub summary: &'static str,
    /// Where the idea comes from.
    pub sources: &'static [&'static str],
    /// Where it differs from its source, one sentence each; lists number them.
    pub deviations: &'static [&'static str],
    /// Whether it plans on a forecast and a strategy must name a forecaster.
    pub needs_forecast: bool,
    /// Whether it has nets and needs trained weights.
    pub needs_weights: bool,
    /// Its guard.
    pub guard: GuardProfile,
    /// Its config with every key at its default.
    pub default_config: fn() -> serde_json::Value,
    /// Builds it; `null` is the default config, unknown keys are errors.
    pub build: BuildPolicy,
}

/// All policies, by id.
pub const POLICIES: &[PolicyRow] = &[
    cron::ROW,
    forecast_max::ROW,
    headroom::ROW,
    hpa::ROW,
    keda::ROW,
    kpa::ROW,
    lazy_capacity::ROW,
    lstm_dqn::ROW,
    mixture::ROW,
    mpc::ROW,
    newsvendor::ROW,
    predictive_hpa::ROW,
    rules_origin::ROW,
    r#static::ROW,
];

/// The policy with this id.
///
/// # Errors
/// [`ConfigError::UnknownId`] listing the known ones.
pub fn find(id: &str) -> Result<&'static PolicyRow, ConfigError> {
    POLICIES.iter().find(|row| row.id == id).ok_or_else(|| ConfigError::UnknownId {
        kind: "policy",
        id: id.to_owned(),
        known: POLICIES.iter().map(|row| row.id).collect::<Vec<_>>().join(", "),
    })
}

/// The default of a config type as JSON; configs are plain data, which always serialises.
fn default_config<C: Default + Serialize>() -> serde_json::Value {
    serde_json::to_value(C::default()).unwrap_or_default()
}

/// `value` in `range`, or the error that names the key. NaN is in no range.
fn in_range(
    id: &'static str,
    key: &'static str,
    value: f64,
    range: RangeInclusive<f64>,
    allowed: &'static str,
) -> Result<f64, ConfigError> {
    if range.contains(&value) {
        Ok(value)
    } else {
        Err(ConfigError::Range { id, key, got: value.to_string(), allowed })
    }
}

#[cfg(test)]
mod tests;
