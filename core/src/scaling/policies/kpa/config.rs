//! The row of `kpa`: its config with Knative's defaults, and the ranges in which Knative accepts it.

use serde::{Deserialize, Serialize};

use super::activity::ToZero;
use super::decider::Spec;
use super::policy::{Kpa, Metric};
use super::windows::{Aggregation, Averaging};
use crate::scaling::config::{self, ConfigError};
use crate::scaling::policies::{GuardProfile, Ingredients, PolicyRow, default_config, in_range};
use crate::scaling::policy::DynPolicy;
use crate::time::Span;

const ID: &str = "kpa";
/// Least target per pod.
const LEAST_TARGET: f64 = 0.01;
/// Requests in flight per pod, unless a target is given.
const DEFAULT_CONCURRENCY: f64 = 100.0;
/// Requests per second and pod, unless a target is given.
const DEFAULT_RPS: f64 = 200.0;
/// Scrapes without a newer sample after which the youngest no longer counts.
const STALE_AFTER_SCRAPES: i64 = 3;

/// Its row.
pub(in crate::scaling::policies) const ROW: PolicyRow = PolicyRow {
    id: ID,
    summary: "the pod autoscaler of Knative: a stable window, a panic window, scale to zero",
    sources: &["Knative Serving 0.49 pod autoscaler"],
    deviations: &[
        "Knative asks the pods every second; here the youngest slot of the metrics is written into every second since the last decision, also where a scrape was lost, until none newer has come for three scrapes.",
        "Requests in flight follow from Little's law; without ready pods, arrivals count as at least one request in flight.",
        "The defaults are Knative's (100 requests in flight per pod at 70 %), which suit pods that serve many requests at once: a pod of 4 workers wants a `target` near 4.",
        "Windows and delay are at most 600 s (Knative: an hour), because a state must stay below 16 KiB.",
        "Without data nothing is done; Knative's reconciler goes on with the last valid scale.",
        "The activator exists in the reckoning of the grace period alone.",
        "A clock that is set back by more than the stable window starts everything anew.",
        "History from before the first decision is not used: an autoscaler that finds more than one ready pod starts in panic mode, as after a restart of Knative's.",
    ],
    needs_forecast: false,
    needs_weights: false,
    guard: GuardProfile::BoundsOnly,
    default_config: default_config::<Config>,
    build,
};

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    /// What is compared with the target.
    metric: Metric,
    /// Metric per pod at its limit, 0.01 to 1e9; absent is 100 requests in flight or 200 requests per second.
    target: Option<f64>,
    /// Share of the target to aim for, 1 to 100.
    target_utilisation_percent: f64,
    /// How the seconds of a window become one value.
    aggregation: Aggregation,
    /// Length of the stable window, 6 to 600.
    stable_window_s: u32,
    /// Length of the panic window in percent of the stable one, 1 to 100; at least 1 s.
    panic_window_percent: f64,
    /// Pods that the panic window asks for, in percent of the ready ones, from which on there is panic; 110 to 1000.
    panic_threshold_percent: f64,
    /// Most pods over ready pods in one decision, over 1, at most 1e6.
    max_scale_up_rate: f64,
    /// Most ready pods over pods in one decision, over 1, at most 1e6.
    max_scale_down_rate: f64,
    /// Seconds for which the greatest wish holds, 0 to 600.
    scale_down_delay_s: u32,
    /// Fewest pods while there is any load, 1 to 1e6.
    activation_scale: u32,
    /// Metric that must fit beside the present one without the activator, 0 to 1e9, or -1 for no end.
    target_burst_capacity: f64,
    /// Seconds for which the activator must have been in the path before the last pod goes, 1 to 3600.
    scale_to_zero_grace_period_s: u32,
    /// Seconds for which the last pod stays after the workload became inactive, 0 to 3600.
    scale_to_zero_pod_retention_s: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            metric: Metric::Concurrency,
            target: None,
            target_utilisation_percent: 70.0,
            aggregation: Aggregation::Linear,
            stable_window_s: 60,
            panic_window_percent: 10.0,
            panic_threshold_percent: 200.0,
            max_scale_up_rate: 1_000.0,
            max_scale_down_rate: 2.0,
            scale_down_delay_s: 0,
            activation_scale: 1,
            target_burst_capacity: 211.0,
            scale_to_zero_grace_period_s: 30,
            scale_to_zero_pod_retention_s: 0,
        }
    }
}

fn build(config: &serde_json::Value, ingredients: &Ingredients<'_>) -> Result<Box<dyn DynPolicy>, ConfigError> {
    let config: Config = config::parse(ID, config)?;
    config.check()?;
    let workload = ingredients.workload;
    let panic_s = config.panic_window_s();
    let stale_after = workload.scrape_interval * STALE_AFTER_SCRAPES;
    Ok(Box::new(Kpa {
        metric: config.metric,
        stable_s: config.stable_window_s,
        panic_s,
        averaging: Averaging::new(config.aggregation, config.stable_window_s, panic_s),
        spec: config.spec(),
        scale_down_delay: seconds(config.scale_down_delay_s),
        to_zero: ToZero {
            stable_window: seconds(config.stable_window_s),
            grace: seconds(config.scale_to_zero_grace_period_s),
            retention: seconds(config.scale_to_zero_pod_retention_s),
            active_from: workload.bounds.min.max(1),
        },
        bounds: workload.bounds,
        metric_lag: workload.metric_lag,
        stale_after,
        most_held_s: stale_after.whole_steps(seconds(1)).clamp(1, i64::from(config.stable_window_s)),
    }))
}

impl Config {
    fn check(&self) -> Result<(), ConfigError> {
        let over_one = 1.0_f64.next_up()..=1e6;
        let whole = |key, value: u32, range, allowed| in_range(ID, key, f64::from(value), range, allowed);
        if let Some(target) = self.target {
            in_range(ID, "target", target, LEAST_TARGET..=1e9, "0.01 to 1e9")?;
        }
        let utilisation = self.target_utilisation_percent;
        in_range(ID, "target_utilisation_percent", utilisation, 1.0..=100.0, "1 to 100")?;
        whole("stable_window_s", self.stable_window_s, 6.0..=600.0, "6 to 600")?;
        in_range(ID, "panic_window_percent", self.panic_window_percent, 1.0..=100.0, "1 to 100")?;
        in_range(ID, "panic_threshold_percent", self.panic_threshold_percent, 110.0..=1_000.0, "110 to 1000")?;
        in_range(ID, "max_scale_up_rate", self.max_scale_up_rate, over_one.clone(), "over 1, at most 1e6")?;
        in_range(ID, "max_scale_down_rate", self.max_scale_down_rate, over_one, "over 1, at most 1e6")?;
        whole("scale_down_delay_s", self.scale_down_delay_s, 0.0..=600.0, "0 to 600")?;
        whole("activation_scale", self.activation_scale, 1.0..=1e6, "1 to 1e6")?;
        if self.target_burst_capacity != -1.0 {
            let allowed = "0 to 1e9, or -1 for no end";
            in_range(ID, "target_burst_capacity", self.target_burst_capacity, 0.0..=1e9, allowed)?;
        }
        whole("scale_to_zero_grace_period_s", self.scale_to_zero_grace_period_s, 1.0..=3_600.0, "1 to 3600")?;
        whole("scale_to_zero_pod_retention_s", self.scale_to_zero_pod_retention_s, 0.0..=3_600.0, "0 to 3600")?;
        Ok(())
    }

    fn spec(&self) -> Spec {
        let total_value = self.target.unwrap_or(match self.metric {
            Metric::Concurrency => DEFAULT_CONCURRENCY,
            Metric::Rps => DEFAULT_RPS,
        });
        Spec {
            stable_window: seconds(self.stable_window_s),
            target_value: (total_value * (self.target_utilisation_percent / 100.0)).max(LEAST_TARGET),
            total_value,
            target_burst_capacity: self.target_burst_capacity,
            panic_threshold: self.panic_threshold_percent / 100.0,
            max_scale_up_rate: self.max_scale_up_rate,
            max_scale_down_rate: self.max_scale_down_rate,
            activation_scale: i32::try_from(self.activation_scale).unwrap_or(i32::MAX),
            reachable: true,
        }
    }

    /// Whole seconds, rounded to the nearest, halves up, and at least one.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most the stable window")]
    fn panic_window_s(&self) -> u32 {
        let exact = f64::from(self.stable_window_s) * self.panic_window_percent / 100.0;
        (libm::round(exact) as u32).max(1)
    }
}

fn seconds(count: u32) -> Span {
    Span::from_secs(i64::from(count))
}
