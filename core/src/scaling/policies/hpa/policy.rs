//! The row of `hpa`: config, and the adapter from an observation.

use serde::{Deserialize, Serialize};

use super::behavior::{Behavior, EffectiveBehavior, ScalingRules};
use super::calculator::{Answer, MetricError, Question, Tolerances};
use super::memory::Memory;
use super::normalise::{Limited, Limits, Normalised, Stabilised};
use super::tally::{Grouping, PodReading, Tally};
use crate::observe::{Observation, Pod, Pods};
use crate::scaling::config::{self, ConfigError};
use crate::scaling::policies::{GuardProfile, Ingredients, PolicyRow, default_config, in_range};
use crate::scaling::policy::{DynPolicy, Policy, Proposal, Reason, View};
use crate::time::{Span, Timestamp};

const ID: &str = "hpa";
const DEFAULT_PERCENT: f64 = 80.0;
/// The controller's sync period.
const CADENCE: Span = Span::from_secs(15);

/// Its row.
pub(in crate::scaling::policies) const ROW: PolicyRow = PolicyRow {
    id: ID,
    summary: "the HorizontalPodAutoscaler of Kubernetes, integer-exact",
    sources: &["Kubernetes 1.34 horizontal pod autoscaler", "autoscaling/v2 API"],
    needs_forecast: false,
    needs_weights: false,
    guard: GuardProfile::BoundsOnly,
    default_config: default_config::<Config>,
    build,
};

/// What is compared with the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Metric {
    /// CPU use in percent of the request.
    CpuUtilization,
    /// Requests per second and replica, as an external metric.
    RequestRate,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    metric: Metric,
    /// Whole percent (80 if absent), or requests per second and replica (then it must be given).
    #[serde(default)]
    target: Option<f64>,
    /// Of both directions, unless the behaviour says otherwise; 0 to 1.
    tolerance: f64,
    /// `spec.behavior` of the API object; `null` is an autoscaler without one.
    behavior: Option<Behavior>,
    /// Window of the controller for shrinking, 0 to 3,600.
    downscale_stabilization_s: u32,
    /// See [`Grouping`]; 0 to 86,400.
    cpu_initialization_period_s: u32,
    /// See [`Grouping`]; 0 to 86,400.
    initial_readiness_delay_s: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            metric: Metric::CpuUtilization,
            target: Some(DEFAULT_PERCENT),
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
    Ok(Box::new(Hpa::new(&parsed, ingredients)?))
}

/// Checks that only concern the config's shape: ranges of the API.
fn check_rules(rules: Option<&ScalingRules>) -> Result<(), ConfigError> {
    let refuse = |key, got: String, allowed| Err(ConfigError::Range { id: ID, key, got, allowed });
    let Some(rules) = rules else { return Ok(()) };
    if let Some(window) = rules.stabilization_window_seconds.filter(|window| *window > 3_600) {
        return refuse("stabilizationWindowSeconds", window.to_string(), "0 to 3600");
    }
    if let Some(tolerance) = rules.tolerance {
        in_range(ID, "tolerance", tolerance, 0.0..=1.0, "0 to 1")?;
    }
    let Some(policies) = &rules.policies else { return Ok(()) };
    if policies.is_empty() || policies.len() > 16 {
        return refuse("policies", format!("a list of {}", policies.len()), "1 to 16 policies, or absent");
    }
    for policy in policies {
        if policy.value < 1 {
            return refuse("value", policy.value.to_string(), "at least 1");
        }
        if !(1..=1_800).contains(&policy.period_seconds) {
            return refuse("periodSeconds", policy.period_seconds.to_string(), "1 to 1800");
        }
    }
    Ok(())
}

/// A count of seconds that the config holds, in its range.
fn seconds(key: &'static str, value: u32, most: u32, allowed: &'static str) -> Result<Span, ConfigError> {
    if value > most {
        return Err(ConfigError::Range { id: ID, key, got: value.to_string(), allowed });
    }
    Ok(Span::from_secs(i64::from(value)))
}

/// The policy.
struct Hpa {
    metric: Metric,
    /// Percent, or thousandths of a request per second.
    target: i64,
    tolerances: Tolerances,
    behavior: Option<EffectiveBehavior>,
    downscale_stabilization: Span,
    cpu_initialization_period: Span,
    initial_readiness_delay: Span,
    cpu_request_milli: i64,
    min: i32,
    max: i32,
}

/// What it remembers: the controller's memory, and the change it proposed last, which becomes a scale event once it is seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HpaState {
    memory: Memory,
    proposed: Option<Proposed>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Proposed {
    at: Timestamp,
    from: i32,
}

impl Hpa {
    fn new(config: &Config, ingredients: &Ingredients<'_>) -> Result<Self, ConfigError> {
        let behavior = config.behavior.clone();
        check_rules(behavior.as_ref().and_then(|behavior| behavior.scale_up.as_ref()))?;
        check_rules(behavior.as_ref().and_then(|behavior| behavior.scale_down.as_ref()))?;
        let effective = behavior.as_ref().map(Behavior::effective);
        let tolerance = in_range(ID, "tolerance", config.tolerance, 0.0..=1.0, "0 to 1")?;
        let direction = |given: Option<f64>| given.unwrap_or(tolerance);
        let workload = ingredients.workload;
        Ok(Self {
            metric: config.metric,
            target: target(config)?,
            tolerances: Tolerances {
                down: direction(effective.as_ref().and_then(|rules| rules.down.tolerance)),
                up: direction(effective.as_ref().and_then(|rules| rules.up.tolerance)),
            },
            behavior: effective,
            downscale_stabilization: seconds(
                "downscale_stabilization_s",
                config.downscale_stabilization_s,
                3_600,
                "0 to 3600",
            )?,
            cpu_initialization_period: seconds(
                "cpu_initialization_period_s",
                config.cpu_initialization_period_s,
                86_400,
                "0 to 86400",
            )?,
            initial_readiness_delay: seconds(
                "initial_readiness_delay_s",
                config.initial_readiness_delay_s,
                86_400,
                "0 to 86400",
            )?,
            cpu_request_milli: i64::from(workload.cpu_request_milli),
            min: signed(workload.bounds.min),
            max: signed(workload.bounds.max),
        })
    }

    /// What the metric asks for.
    fn ask(&self, now: Timestamp, seen: &Observation) -> Result<Answer, MetricError> {
        let question =
            |replicas| Question { replicas: signed(replicas), target: self.target, tolerances: self.tolerances };
        match self.metric {
            Metric::CpuUtilization => question(seen.spec_replicas).utilization(&self.tally(now, &seen.pods)),
            Metric::RequestRate => {
                let rate = seen.arrival_rate().ok_or(MetricError::MetricsUnavailable)?;
                Ok(question(seen.status_replicas).average_over_replicas(milli(rate.value)))
            }
        }
    }

    fn tally(&self, now: Timestamp, pods: &Pods) -> Tally {
        let grouping = Grouping {
            now,
            cpu: true,
            cpu_initialization_period: self.cpu_initialization_period,
            initial_readiness_delay: self.initial_readiness_delay,
            fallback_percent: self.target.max(100),
        };
        match pods {
            Pods::Homogeneous(counts) => Tally::of_counts(counts, self.cpu_request_milli),
            Pods::Each(pods) => Tally::of_pods(pods.iter().map(reading), &grouping),
        }
    }

    /// A change that was proposed and is now seen to have been made becomes a scale event of the moment of the proposal.
    fn confirm(&self, current: i32, state: &mut HpaState) {
        if let (Some(proposed), Some(behavior)) = (state.proposed.take(), &self.behavior)
            && proposed.from != current
        {
            state.memory.scaled(proposed.at, proposed.from, current, behavior);
        }
    }

    fn propose(&self, now: Timestamp, seen: &Observation, memory: &mut Memory) -> Proposal {
        let current = signed(seen.spec_replicas);
        if current == 0 && self.min != 0 {
            return Proposal::none(Reason::Disabled);
        }
        if current > self.max || current < self.min {
            return Proposal::of(unsigned(current.min(self.max).max(self.min)), Reason::Bounded);
        }
        let Ok(Answer { replicas: desired, .. }) = self.ask(now, seen) else {
            return Proposal::none(Reason::MetricMissing);
        };
        let limits = Limits {
            min: self.min,
            max: self.max,
            current,
            downscale_stabilization: self.downscale_stabilization,
            behavior: self.behavior.as_ref(),
        };
        let normalised = limits.normalise(now, desired, memory);
        Proposal::of(unsigned(normalised.replicas), reason(&normalised, desired == current))
    }
}

impl Policy for Hpa {
    type State = HpaState;

    fn initial_state(&self) -> HpaState {
        HpaState { memory: Memory::with_room(), proposed: None }
    }

    fn step(&self, now: Timestamp, view: &View<'_>, state: &mut HpaState) -> Proposal {
        let current = signed(view.observation.spec_replicas);
        self.confirm(current, state);
        state.memory.seed(now, current);
        let proposal = self.propose(now, view.observation, &mut state.memory);
        if proposal.replicas.is_some_and(|replicas| replicas != view.observation.spec_replicas) {
            state.proposed = Some(Proposed { at: now, from: current });
        }
        proposal
    }

    fn cadence(&self) -> Option<Span> {
        Some(CADENCE)
    }
}

fn target(config: &Config) -> Result<i64, ConfigError> {
    match (config.metric, config.target) {
        (Metric::CpuUtilization, percent) => {
            let percent = percent.unwrap_or(DEFAULT_PERCENT);
            if libm::trunc(percent) == percent && (1.0..=10_000.0).contains(&percent) {
                return Ok(milli(percent) / 1_000);
            }
            let allowed = "a whole percentage from 1 to 10000";
            Err(ConfigError::Range { id: ID, key: "target", got: percent.to_string(), allowed })
        }
        (Metric::RequestRate, Some(rate)) => {
            Ok(milli(in_range(ID, "target", rate, 0.001..=1e9, "0.001 to 1e9 requests per second and replica")?))
        }
        (Metric::RequestRate, None) => {
            Err(ConfigError::Missing { id: ID, what: "a `target` in requests per second and replica" })
        }
    }
}

fn reason(normalised: &Normalised, unchanged: bool) -> Reason {
    match (normalised.limited, normalised.stabilised) {
        (Limited::ScaleUpLimit | Limited::ScaleDownLimit, _) => Reason::RateLimited,
        (Limited::TooManyReplicas | Limited::TooFewReplicas, _) => Reason::Bounded,
        (Limited::No, Stabilised::Up | Stabilised::Down) => Reason::Stabilised,
        (Limited::No, Stabilised::No) if unchanged => Reason::WithinTolerance,
        (Limited::No, Stabilised::No) => Reason::Load,
    }
}

fn reading(pod: &Pod) -> PodReading {
    PodReading {
        phase: pod.phase,
        deleted: pod.deleted,
        started_at: pod.started_at,
        ready: pod.ready,
        request_milli: pod.cpu_request_milli,
        sample: pod.cpu,
    }
}

/// Thousandths, as the metrics API gives them.
#[expect(clippy::cast_possible_truncation, reason = "saturates")]
fn milli(value: f64) -> i64 {
    libm::round(value * 1_000.0) as i64
}

fn signed(replicas: u32) -> i32 {
    i32::try_from(replicas).unwrap_or(i32::MAX)
}

fn unsigned(replicas: i32) -> u32 {
    u32::try_from(replicas).unwrap_or(0)
}
