//! The row of `hpa`: config, and the sync over an observation.

use serde::{Deserialize, Serialize};

use super::adapter::{Adapter, AdapterState, Kind, Metric, Settings, milli};
use super::behavior::Behavior;
use crate::scaling::config::{self, ConfigError};
use crate::scaling::policies::{GuardProfile, Ingredients, PolicyRow, default_config, in_range};
use crate::scaling::policy::{DynPolicy, Policy, Proposal, View};
use crate::time::{Span, Timestamp};

const ID: &str = "hpa";
const DEFAULT_PERCENT: f64 = 80.0;
/// Most metrics of one autoscaler.
const MOST_METRICS: usize = 16;
/// The controller's sync period.
const CADENCE: Span = Span::from_secs(15);

/// Its row.
pub(in crate::scaling::policies) const ROW: PolicyRow = PolicyRow {
    id: ID,
    summary: "the HorizontalPodAutoscaler of Kubernetes, integer-exact",
    sources: &["Kubernetes 1.34 horizontal pod autoscaler", "autoscaling/v2 API"],
    deviations: &[
        "A change counts against the rates of `behavior` once the replicas are seen to have changed, as of the moment of its proposal: the policy proposes, others write.",
        "Memory and requests per pod are totals of the workload, which its ready pods share alike; starting pods count as unready.",
        "No utilisation of memory: an observation knows no memory requests.",
    ],
    needs_forecast: false,
    needs_weights: false,
    guard: GuardProfile::BoundsOnly,
    default_config: default_config::<Config>,
    build,
};

/// What is compared with a target, and the target's unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum MetricKind {
    /// CPU use in percent of the request (`Resource`, `Utilization`).
    CpuUtilization,
    /// CPU use per pod in thousandths of a core (`Resource`, `AverageValue`).
    CpuAverageValue,
    /// Resident memory per pod in bytes (`Resource`, `AverageValue`).
    MemoryAverageValue,
    /// Requests per second and replica (`External` or `Object`, `AverageValue`).
    RequestRate,
    /// Requests per second in total, which the target stands for (`External` or `Object`, `Value`).
    RequestRateValue,
    /// Requests per second, as a mean over the ready pods (`Pods`, `AverageValue`).
    RequestRatePerPod,
}

/// One of several metrics.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MetricConfig {
    kind: MetricKind,
    /// In the unit of its kind.
    target: f64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    metric: MetricKind,
    /// In the unit of the metric: 80 percent if absent; every other metric needs one.
    #[serde(default)]
    target: Option<f64>,
    /// Several metrics, 1 to 16, of which the largest proposal wins; then `metric` and `target` are left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    metrics: Option<Vec<MetricConfig>>,
    /// Of both directions, unless the behaviour says otherwise; 0 to 1.
    tolerance: f64,
    /// `spec.behavior` of the API object; `null` is an autoscaler without one.
    behavior: Option<Behavior>,
    /// Window of the controller for shrinking, 0 to 3,600.
    downscale_stabilization_s: u32,
    /// For so long after its start a pod's CPU counts only if taken while it was ready; 0 to 86,400.
    cpu_initialization_period_s: u32,
    /// A pod whose readiness changed within this time after its start never was ready; 0 to 86,400.
    initial_readiness_delay_s: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            metric: MetricKind::CpuUtilization,
            target: Some(DEFAULT_PERCENT),
            metrics: None,
            tolerance: 0.1,
            behavior: None,
            downscale_stabilization_s: 300,
            cpu_initialization_period_s: 300,
            initial_readiness_delay_s: 30,
        }
    }
}

fn build(config: &serde_json::Value, ingredients: &Ingredients<'_>) -> Result<Box<dyn DynPolicy>, ConfigError> {
    let parsed: Config = config::parse(ID, config)?;
    let settings = Settings {
        tolerance: parsed.tolerance,
        behavior: parsed.behavior.as_ref(),
        downscale_stabilization_s: parsed.downscale_stabilization_s,
        cpu_initialization_period_s: parsed.cpu_initialization_period_s,
        initial_readiness_delay_s: parsed.initial_readiness_delay_s,
    };
    let bounds = ingredients.workload.bounds;
    let adapter = Adapter::new(ID, parsed.metrics()?, &settings, (bounds.min, bounds.max), ingredients)?;
    Ok(Box::new(Hpa(adapter)))
}

impl Config {
    fn metrics(&self) -> Result<Vec<Metric>, ConfigError> {
        let refuse = |key, got: String, allowed| Err(ConfigError::Range { id: ID, key, got, allowed });
        let Some(metrics) = &self.metrics else {
            return Ok(vec![self.metric.with_target(self.metric.given_or_default(self.target)?)?]);
        };
        if self.target.is_some() || self.metric != MetricKind::CpuUtilization {
            return refuse("metrics", "given beside `metric` or `target`".into(), "given alone");
        }
        if metrics.is_empty() || metrics.len() > MOST_METRICS {
            return refuse("metrics", format!("a list of {}", metrics.len()), "1 to 16 metrics, or absent");
        }
        metrics.iter().map(|metric| metric.kind.with_target(metric.target)).collect()
    }
}

impl MetricKind {
    fn given_or_default(self, target: Option<f64>) -> Result<f64, ConfigError> {
        let unit = match self {
            Self::CpuUtilization => return Ok(target.unwrap_or(DEFAULT_PERCENT)),
            Self::CpuAverageValue => "a `target` in thousandths of a core per pod",
            Self::MemoryAverageValue => "a `target` in bytes per pod",
            Self::RequestRate => "a `target` in requests per second and replica",
            Self::RequestRateValue => "a `target` in requests per second",
            Self::RequestRatePerPod => "a `target` in requests per second and pod",
        };
        target.ok_or(ConfigError::Missing { id: ID, what: unit })
    }

    fn with_target(self, target: f64) -> Result<Metric, ConfigError> {
        let of = |kind, least, most, allowed| {
            let target = in_range(ID, "target", target, least..=most, allowed)?;
            Ok(Metric { kind, target: milli(target) })
        };
        match self {
            Self::CpuUtilization => percent(target),
            Self::CpuAverageValue => {
                let allowed = "1 to 1e9 thousandths of a core per pod";
                let milli_cores = in_range(ID, "target", target, 1.0..=1e9, allowed)?;
                Ok(Metric { kind: Kind::CpuAverageValue, target: milli(milli_cores / 1_000.0) })
            }
            Self::MemoryAverageValue => of(Kind::MemoryAverageValue, 1.0, 1e15, "1 to 1e15 bytes per pod"),
            Self::RequestRate => of(Kind::PerReplica, 0.001, 1e9, "0.001 to 1e9 requests per second and replica"),
            Self::RequestRateValue => of(Kind::Total, 0.001, 1e9, "0.001 to 1e9 requests per second"),
            Self::RequestRatePerPod => of(Kind::PerPod, 0.001, 1e9, "0.001 to 1e9 requests per second and pod"),
        }
    }
}

fn percent(percent: f64) -> Result<Metric, ConfigError> {
    if libm::trunc(percent) == percent && (1.0..=10_000.0).contains(&percent) {
        return Ok(Metric { kind: Kind::CpuUtilization, target: milli(percent) / 1_000 });
    }
    let allowed = "a whole percentage from 1 to 10000";
    Err(ConfigError::Range { id: ID, key: "target", got: percent.to_string(), allowed })
}

/// The policy.
struct Hpa(Adapter);

impl Policy for Hpa {
    type State = AdapterState;

    fn initial_state(&self) -> AdapterState {
        AdapterState::with_room()
    }

    fn step(&self, now: Timestamp, view: &View<'_>, state: &mut AdapterState) -> Proposal {
        let seen = view.observation;
        self.0.confirm(seen.spec_replicas, state);
        // Every metric that is not of the pods is the rate of requests.
        self.0.sync(now, seen, state, |_| seen.arrival_rate().map(|rate| milli(rate.value))).proposal()
    }

    fn cadence(&self) -> Option<Span> {
        Some(CADENCE)
    }
}
