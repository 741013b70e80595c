//! Forecasters, one file each, and their registry.
//!
//! To add one: a file in `forecasters/` with its `ROW`, a `mod` line and a row in [`FORECASTERS`]. A file without a row
//! fails a test. [`encoding`] and [`LoadIntake`] are what forecasters share; [`CachedForecast`] stands in for one in studies.

mod cached;
mod conformal;
pub mod encoding;
mod holt_winters;
mod intake;
mod linear_quantile;
mod lstm;
mod persistence;
mod seasonal_naive;

pub use cached::CachedForecast;
pub use intake::LoadIntake;
pub use linear_quantile::{FitError, FitOptions, LinearQuantile, fit as fit_linear_quantile};
pub use lstm::LstmForecaster;

use super::config::ConfigError;
use super::forecast::DynForecaster;
use super::policies::Ingredients;
use crate::time::Span;

/// A forecaster of the registry.
#[derive(Clone, Copy, Debug)]
pub struct ForecasterRow {
    /// Permanent kebab-case id; its file has the same name with underscores.
    pub id: &'static str,
    /// One line for lists.
    pub summary: &'static str,
    /// Where the idea comes from.
    pub sources: &'static [&'static str],
    /// Where it differs from its source, one sentence each; lists number them.
    pub deviations: &'static [&'static str],
    /// Whether it needs weights that were fitted or trained (in its config or as tensors).
    pub needs_weights: bool,
    /// Its config with every key at its default.
    pub default_config: fn() -> serde_json::Value,
    /// Builds it; `null` is the default config, unknown keys are errors.
    pub build: BuildForecaster,
}

/// Builds a forecaster from its config.
pub type BuildForecaster = fn(&serde_json::Value, &Ingredients<'_>) -> Result<Box<dyn DynForecaster>, ConfigError>;

/// All forecasters, by id.
pub const FORECASTERS: &[ForecasterRow] =
    &[conformal::ROW, holt_winters::ROW, linear_quantile::ROW, lstm::ROW, persistence::ROW, seasonal_naive::ROW];

/// The forecaster with this id.
///
/// # Errors
/// [`ConfigError::UnknownId`] listing the known ones.
pub fn find(id: &str) -> Result<&'static ForecasterRow, ConfigError> {
    FORECASTERS.iter().find(|row| row.id == id).ok_or_else(|| ConfigError::UnknownId {
        kind: "forecaster",
        id: id.to_owned(),
        known: FORECASTERS.iter().map(|row| row.id).collect::<Vec<_>>().join(", "),
    })
}

/// Default horizon: metric lag (15 s) + start-up lead (90 s) of protocol P1.
const HORIZON_S: u32 = 105;

/// The horizon from a config, 15 s to an hour.
fn horizon(id: &'static str, seconds: u32) -> Result<Span, ConfigError> {
    if (15..=3_600).contains(&seconds) {
        Ok(Span::from_secs(i64::from(seconds)))
    } else {
        Err(ConfigError::Range { id, key: "horizon_s", got: seconds.to_string(), allowed: "15 to 3600" })
    }
}

#[cfg(test)]
mod tests;
