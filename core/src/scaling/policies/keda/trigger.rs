//! Triggers of a `ScaledObject`: what they measure here, and the metric that the autoscaler gets of each.

use serde::{Deserialize, Serialize};

use super::fallback::{Target, TargetKind};
use crate::observe::Observation;
use crate::scaling::config::ConfigError;
use crate::scaling::policies::cron::window::{Standing, Window, WindowConfig};
use crate::scaling::policies::hpa::adapter::{Kind, Metric, milli};
use crate::scaling::policies::in_range;
use crate::time::Timestamp;

/// A trigger as a user writes it: its type, and what KEDA keeps in its metadata.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum TriggerConfig {
    /// The rate of requests, as a query of the `prometheus` scaler.
    RequestsPerSecond {
        /// Requests per second and replica (`AverageValue`), or in total (`Value`); 0.001 to 1e9.
        threshold: f64,
        /// It is active above so many requests per second; 0 to 1e9.
        #[serde(default)]
        activation_threshold: f64,
        /// What the threshold is held against.
        #[serde(default)]
        metric_type: TargetKind,
        /// Whether a missing rate is read as no requests instead of a failure.
        #[serde(default)]
        ignore_null_values: bool,
    },
    /// CPU of the pods. It cannot wake a workload.
    Cpu {
        /// What `value` means.
        #[serde(default)]
        metric_type: CpuTarget,
        /// Percent of the request (`Utilization`, a whole number), or thousandths of a core per pod (`AverageValue`).
        value: f64,
    },
    /// Replicas by the calendar.
    Cron {
        /// Cron expression of the beginning.
        start: String,
        /// Cron expression of the end.
        end: String,
        /// Time zone of both.
        timezone: String,
        /// Replicas in between, 1 to 1,000,000.
        desired_replicas: u32,
        /// What they are held against.
        #[serde(default)]
        metric_type: TargetKind,
    },
}

/// What the value of a CPU trigger means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CpuTarget {
    /// Percent of the request.
    #[default]
    Utilization,
    /// Thousandths of a core per pod.
    AverageValue,
}

/// A trigger whose value KEDA reads; the others are the autoscaler's own.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct External {
    pub(super) source: Source,
    pub(super) target: Target,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Source {
    Requests { activation_threshold: f64, ignore_null_values: bool },
    Window(Window),
}

/// One reading of a trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) milli: i64,
    pub(super) active: bool,
}

impl TriggerConfig {
    /// Its metric, and what KEDA reads of it, for the policy `id`.
    pub(super) fn build(&self, id: &'static str) -> Result<(Metric, Option<External>), ConfigError> {
        let (source, kind, threshold) = match self {
            Self::Cpu { metric_type, value } => return Ok((cpu(id, *metric_type, *value)?, None)),
            Self::RequestsPerSecond { threshold, activation_threshold, metric_type, ignore_null_values } => {
                in_range(id, "threshold", *threshold, 0.001..=1e9, "0.001 to 1e9 requests per second")?;
                let activation_threshold = *activation_threshold;
                let allowed = "0 to 1e9 requests per second";
                in_range(id, "activationThreshold", activation_threshold, 0.0..=1e9, allowed)?;
                let ignore_null_values = *ignore_null_values;
                (Source::Requests { activation_threshold, ignore_null_values }, *metric_type, *threshold)
            }
            Self::Cron { start, end, timezone, desired_replicas, metric_type } => {
                let (start, end, timezone) = (start.clone(), end.clone(), timezone.clone());
                let window = WindowConfig { start, end, timezone, desired_replicas: *desired_replicas };
                (Source::Window(window.build(id)?), *metric_type, 1.0)
            }
        };
        let target = Target { kind, milli: quantity_milli(threshold) };
        let kind = match kind {
            TargetKind::AverageValue => Kind::PerReplica,
            TargetKind::Value => Kind::Total,
        };
        Ok((Metric { kind, target: target.milli }, Some(External { source, target })))
    }
}

fn cpu(id: &'static str, target: CpuTarget, value: f64) -> Result<Metric, ConfigError> {
    match target {
        CpuTarget::Utilization if libm::trunc(value) == value && (1.0..=10_000.0).contains(&value) => {
            Ok(Metric { kind: Kind::CpuUtilization, target: milli(value) / 1_000 })
        }
        CpuTarget::Utilization => {
            let allowed = "a whole percentage from 1 to 10000";
            Err(ConfigError::Range { id, key: "value", got: value.to_string(), allowed })
        }
        CpuTarget::AverageValue => {
            let value = in_range(id, "value", value, 1.0..=1e9, "1 to 1e9 thousandths of a core per pod")?;
            Ok(Metric { kind: Kind::CpuAverageValue, target: milli(value / 1_000.0) })
        }
    }
}

impl External {
    /// What it measures now; `None` if that fails.
    pub(super) fn read(&self, now: Timestamp, seen: &Observation, kept: &mut Option<Standing>) -> Option<Reading> {
        match &self.source {
            Source::Requests { activation_threshold, ignore_null_values } => {
                let rate = seen.arrival_rate().map(|rate| rate.value).or(ignore_null_values.then_some(0.0))?;
                Some(Reading { milli: quantity_milli(rate), active: rate > *activation_threshold })
            }
            Source::Window(window) => {
                let desired = window.desired_kept(now, kept);
                Some(Reading { milli: 1_000 * i64::from(desired.unwrap_or(0)), active: desired.is_some() })
            }
        }
    }
}

/// Thousandths as KEDA's quantities have them: the decimal expansion of the double rounded to three places, ties to even.
#[expect(clippy::cast_possible_truncation, reason = "saturates")]
fn quantity_milli(value: f64) -> i64 {
    let product = value * 1_000.0;
    let nearest = libm::rint(product);
    // The product itself is rounded: where it looks like a tie, what was lost decides.
    let lost = if (product - nearest).abs() == 0.5 { libm::fma(value, 1_000.0, -product) } else { 0.0 };
    let beyond = (product - nearest) * lost > 0.0;
    (if beyond { nearest + 2.0 * (product - nearest) } else { nearest }) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `%.3f` of Go, read as thousandths; checked against Python's formatting of the same doubles.
    #[test]
    fn quantities_are_rounded_like_decimals() {
        for (value, milli) in [
            (0.0, 0),
            (35.5, 35_500),
            (0.000_5, 1),
            (1.000_5, 1_000),
            (2.000_5, 2_001),
            (8.062_5, 8_062),
            (8.187_5, 8_188),
            (1.003_5, 1_004),
            (1e9, 1_000_000_000_000),
            (1e300, i64::MAX),
        ] {
            assert_eq!(quantity_milli(value), milli, "{value}");
        }
    }
}
