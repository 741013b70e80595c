//! A random quantity of a scenario, and its sampler by inversion: one uniform draw gives one value, so no draw shifts another.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use seatrial_core::math;
use serde::{Deserialize, Serialize};

use super::Inputs;

/// A distribution; the key that holds it names the unit of its numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Distribution {
    /// Always this value.
    Constant(f64),
    /// Exponential.
    Exponential {
        /// Its mean.
        mean: f64,
    },
    /// Lognormal.
    Lognormal {
        /// Its median.
        median: f64,
        /// Standard deviation of its logarithm.
        sigma: f64,
    },
    /// Uniform.
    Uniform {
        /// Least value.
        low: f64,
        /// Greatest value.
        high: f64,
    },
    /// The values of a recorded trace, each as likely as any other.
    Sampled {
        /// Id of the trace.
        trace: String,
        /// Its series; absent: all of them.
        #[serde(default)]
        series: Option<String>,
        /// Only rows whose columns hold these texts (numbers as they are written), by column.
        #[serde(default)]
        only: BTreeMap<String, String>,
        /// The column that holds the values; absent: `value`.
        #[serde(default)]
        column: Option<String>,
        /// What each value is multiplied with: 0.001 makes seconds of milliseconds.
        #[serde(default = "unit_factor")]
        factor: f64,
        /// Divides by the mean of the values first, so that they become factors around 1.
        #[serde(default)]
        relative: bool,
    },
}

const fn unit_factor() -> f64 {
    1.0
}

/// A distribution ready to be drawn from; clones share their tables.
#[derive(Clone, Debug, PartialEq)]
pub enum Sampler {
    /// See [`Distribution::Constant`].
    Constant(f64),
    /// See [`Distribution::Exponential`].
    Exponential {
        /// Mean.
        mean: f64,
    },
    /// See [`Distribution::Lognormal`].
    Lognormal {
        /// Median.
        median: f64,
        /// Standard deviation of the logarithm.
        sigma: f64,
    },
    /// See [`Distribution::Uniform`].
    Uniform {
        /// Least value.
        low: f64,
        /// Greatest value.
        high: f64,
    },
    /// Sorted values, not empty.
    Table(Arc<[f64]>),
}

impl Sampler {
    /// The sampler of `distribution`; `None` if it samples a trace that `inputs` do not hold, or one without values.
    #[must_use]
    pub fn new(distribution: &Distribution, inputs: &Inputs) -> Option<Self> {
        Some(match *distribution {
            Distribution::Constant(value) => Self::Constant(value),
            Distribution::Exponential { mean } => Self::Exponential { mean },
            Distribution::Lognormal { median, sigma } => Self::Lognormal { median, sigma },
            Distribution::Uniform { low, high } => Self::Uniform { low, high },
            Distribution::Sampled { .. } => Self::Table(inputs.table(distribution)?),
        })
    }

    /// The quantile at `unit`, inside (0, 1).
    #[must_use]
    pub fn at(&self, unit: f64) -> f64 {
        match self {
            Self::Constant(value) => *value,
            Self::Exponential { mean } => -mean * math::ln(unit),
            Self::Lognormal { median, sigma } => median * math::exp(sigma * math::normal_quantile(unit)),
            Self::Uniform { low, high } => low + (high - low) * unit,
            Self::Table(values) => {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    clippy::cast_precision_loss,
                    reason = "an index of a table"
                )]
                let index = (unit * values.len() as f64) as usize;
                values[index.min(values.len() - 1)]
            }
        }
    }

    /// The mean.
    #[must_use]
    pub fn mean(&self) -> f64 {
        match self {
            Self::Constant(value) => *value,
            Self::Exponential { mean } => *mean,
            Self::Lognormal { median, sigma } => median * math::exp(0.5 * sigma * sigma),
            Self::Uniform { low, high } => 0.5 * (low + high),
            #[expect(clippy::cast_precision_loss, reason = "lengths of tables are far below 2^52")]
            Self::Table(values) => values.iter().sum::<f64>() / values.len() as f64,
        }
    }

    /// The mean of the squares.
    #[must_use]
    pub fn mean_square(&self) -> f64 {
        match self {
            Self::Constant(value) => value * value,
            Self::Exponential { mean } => 2.0 * mean * mean,
            Self::Lognormal { median, sigma } => median * median * math::exp(2.0 * sigma * sigma),
            Self::Uniform { low, high } => (low * low + low * high + high * high) / 3.0,
            #[expect(clippy::cast_precision_loss, reason = "lengths of tables are far below 2^52")]
            Self::Table(values) => values.iter().map(|value| value * value).sum::<f64>() / values.len() as f64,
        }
    }
}
