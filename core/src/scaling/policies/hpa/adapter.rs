//! The controller's sync over an observation: several metrics, the largest proposal, normalisation, scale events. The policies
//! `hpa` and `keda` both stand on it.
//!
//! Its order is that of [`controller`](super::controller), without what only a status would show: bounds first, then metrics
//! (some failing and the rest shrinking is no proposal), then stabilisation, rates and bounds. A change becomes a scale event
//! once it is seen to have been made. Invariant: no allocation in a sync.

use serde::{Deserialize, Serialize};

use super::behavior::{Behavior, EffectiveBehavior, ScalingRules};
use super::calculator::{Answer, MetricError, Question, Tolerances};
use super::memory::Memory;
use super::normalise::{Limited, Limits, Normalised, Stabilised};
use super::tally::{Grouping, PodReading, Tally};
use crate::observe::{Feature, Observation, Pods};
use crate::scaling::config::ConfigError;
use crate::scaling::policies::{Ingredients, in_range};
use crate::scaling::policy::{Proposal, Reason};
use crate::time::{Span, Timestamp};

/// What a metric measures and what its target means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::scaling::policies) enum Kind {
    /// CPU of the pods in percent of their requests.
    CpuUtilization,
    /// CPU per pod in thousandths of a core.
    CpuAverageValue,
    /// Resident memory per pod, in thousandths of a byte.
    MemoryAverageValue,
    /// A total that the policy supplies, as a mean over the ready pods: a pods metric.
    PerPod,
    /// A total that the policy supplies, per replica: an external or object metric with an average value.
    PerReplica,
    /// A total that the policy supplies, against a target for the total: an external or object metric with a value.
    Total,
}

/// A metric of the autoscaler's spec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::scaling::policies) struct Metric {
    pub(in crate::scaling::policies) kind: Kind,
    /// Percent for utilisation, else thousandths.
    pub(in crate::scaling::policies) target: i64,
}

/// Settings of the controller, and the autoscaler's behaviour.
#[derive(Clone, Copy, Debug)]
pub(in crate::scaling::policies) struct Settings<'a> {
    /// Of both directions, unless the behaviour says otherwise; 0 to 1.
    pub(in crate::scaling::policies) tolerance: f64,
    pub(in crate::scaling::policies) behavior: Option<&'a Behavior>,
    /// Window for shrinking where the behaviour has none, 0 to 3,600.
    pub(in crate::scaling::policies) downscale_stabilization_s: u32,
    /// See [`Grouping`]; 0 to 86,400.
    pub(in crate::scaling::policies) cpu_initialization_period_s: u32,
    /// See [`Grouping`]; 0 to 86,400.
    pub(in crate::scaling::policies) initial_readiness_delay_s: u32,
}

/// The controller for one workload.
pub(in crate::scaling::policies) struct Adapter {
    metrics: Vec<Metric>,
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
pub(in crate::scaling::policies) struct AdapterState {
    memory: Memory,
    proposed: Option<Proposed>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Proposed {
    at: Timestamp,
    from: i32,
}

/// What a sync came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::scaling::policies) struct Synced {
    /// Replicas to ask for; `None` keeps what is there.
    pub(in crate::scaling::policies) replicas: Option<u32>,
    pub(in crate::scaling::policies) reason: Reason,
    /// The metric whose proposal was the largest, by its place in the list; `None` if none was consulted or they failed.
    pub(in crate::scaling::policies) metric: Option<usize>,
    /// What became of that proposal.
    pub(in crate::scaling::policies) limited: Limited,
    /// The condition `ScalingActive` after this sync; `None` where it stays as it was.
    pub(in crate::scaling::policies) active: Option<bool>,
}

impl AdapterState {
    /// A state whose memory has room for the usual windows.
    pub(in crate::scaling::policies) fn with_room() -> Self {
        Self { memory: Memory::with_room(), proposed: None }
    }
}

impl Adapter {
    /// The controller for these metrics; `replicas` are the autoscaler's fewest and most. Errors are those of the policy `id`.
    pub(in crate::scaling::policies) fn new(
        id: &'static str,
        metrics: Vec<Metric>,
        settings: &Settings<'_>,
        (min, max): (u32, u32),
        ingredients: &Ingredients<'_>,
    ) -> Result<Self, ConfigError> {
        let behavior = settings.behavior;
        check_rules(id, behavior.and_then(|behavior| behavior.scale_up.as_ref()))?;
        check_rules(id, behavior.and_then(|behavior| behavior.scale_down.as_ref()))?;
        let effective = behavior.map(Behavior::effective);
        let tolerance = in_range(id, "tolerance", settings.tolerance, 0.0..=1.0, "0 to 1")?;
        let direction = |given: Option<f64>| given.unwrap_or(tolerance);
        let hour = |key, value| seconds(id, key, value, (3_600, "0 to 3600"));
        let day = |key, value| seconds(id, key, value, (86_400, "0 to 86400"));
        Ok(Self {
            metrics,
            tolerances: Tolerances {
                down: direction(effective.as_ref().and_then(|rules| rules.down.tolerance)),
                up: direction(effective.as_ref().and_then(|rules| rules.up.tolerance)),
            },
            behavior: effective,
            downscale_stabilization: hour("downscale_stabilization_s", settings.downscale_stabilization_s)?,
            cpu_initialization_period: day("cpu_initialization_period_s", settings.cpu_initialization_period_s)?,
            initial_readiness_delay: day("initial_readiness_delay_s", settings.initial_readiness_delay_s)?,
            cpu_request_milli: i64::from(ingredients.workload.cpu_request_milli),
            min: signed(min),
            max: signed(max),
        })
    }

    /// A change that was proposed and is now seen to have been made becomes a scale event of the moment of the proposal. To be
    /// called whenever replicas are seen, also where no sync follows.
    pub(in crate::scaling::policies) fn confirm(&self, replicas: u32, state: &mut AdapterState) {
        let current = signed(replicas);
        if let (Some(proposed), Some(behavior)) = (state.proposed.take(), &self.behavior)
            && proposed.from != current
        {
            state.memory.scaled(proposed.at, proposed.from, current, behavior);
        }
    }

    /// One sync. `supply` answers with the present total of a metric that the policy supplies, in thousandths; it is only asked
    /// when metrics are consulted.
    pub(in crate::scaling::policies) fn sync(
        &self,
        now: Timestamp,
        seen: &Observation,
        state: &mut AdapterState,
        supply: impl FnMut(usize) -> Option<i64>,
    ) -> Synced {
        let current = signed(seen.spec_replicas);
        state.memory.seed(now, current);
        let synced = self.propose(now, seen, &mut state.memory, supply);
        if synced.replicas.is_some_and(|replicas| replicas != seen.spec_replicas) {
            state.proposed = Some(Proposed { at: now, from: current });
        }
        synced
    }

    fn propose(
        &self,
        now: Timestamp,
        seen: &Observation,
        memory: &mut Memory,
        supply: impl FnMut(usize) -> Option<i64>,
    ) -> Synced {
        let current = signed(seen.spec_replicas);
        if current == 0 && self.min != 0 {
            return Synced::without_metrics(None, Reason::Disabled, Some(false));
        }
        if current > self.max || current < self.min {
            let bounded = unsigned(current.min(self.max).max(self.min));
            return Synced::without_metrics(Some(bounded), Reason::Bounded, None);
        }
        let Some((desired, metric)) = self.largest(now, seen, supply) else {
            return Synced::without_metrics(None, Reason::MetricMissing, Some(false));
        };
        let limits = Limits {
            min: self.min,
            max: self.max,
            current,
            downscale_stabilization: self.downscale_stabilization,
            behavior: self.behavior.as_ref(),
        };
        let normalised = limits.normalise(now, desired, memory);
        Synced {
            replicas: Some(unsigned(normalised.replicas)),
            reason: reason(&normalised, desired == current),
            metric: Some(metric),
            limited: normalised.limited,
            active: Some(true),
        }
    }

    /// The largest of what the metrics ask for, and the place of that metric; `None` if all fail, or some fail and the others
    /// would shrink.
    fn largest(
        &self,
        now: Timestamp,
        seen: &Observation,
        mut supply: impl FnMut(usize) -> Option<i64>,
    ) -> Option<(i32, usize)> {
        let mut best: Option<(i32, usize)> = None;
        let mut some_failed = false;
        for (i, metric) in self.metrics.iter().enumerate() {
            match self.ask(metric, now, seen, || supply(i)) {
                Ok(Answer { replicas, .. }) if best.is_none_or(|best| best.0 == 0 || replicas > best.0) => {
                    best = Some((replicas, i));
                }
                Ok(_) => {}
                Err(_) => some_failed = true,
            }
        }
        best.filter(|best| !some_failed || best.0 >= signed(seen.spec_replicas))
    }

    /// What one metric asks for.
    fn ask(
        &self,
        metric: &Metric,
        now: Timestamp,
        seen: &Observation,
        supply: impl FnOnce() -> Option<i64>,
    ) -> Result<Answer, MetricError> {
        let question =
            |replicas| Question { replicas: signed(replicas), target: metric.target, tolerances: self.tolerances };
        let of_spec = question(seen.spec_replicas);
        let supplied = || supply().ok_or(MetricError::MetricsUnavailable);
        match metric.kind {
            Kind::CpuUtilization => of_spec.utilization(&self.tally(metric, now, &seen.pods)),
            Kind::CpuAverageValue => of_spec.average_over_pods(&self.tally(metric, now, &seen.pods)),
            Kind::MemoryAverageValue => {
                let bytes = seen.metrics.get(Feature::ProcessResidentMemoryBytes);
                let bytes = bytes.ok_or(MetricError::MetricsUnavailable)?;
                of_spec.average_over_pods(&shared(now, seen, milli(bytes.value)))
            }
            Kind::PerPod => of_spec.average_over_pods(&shared(now, seen, supplied()?)),
            Kind::Total => of_spec.total(&self.tally(metric, now, &seen.pods), supplied()?),
            Kind::PerReplica => Ok(question(seen.status_replicas).average_over_replicas(supplied()?)),
        }
    }

    fn tally(&self, metric: &Metric, now: Timestamp, pods: &Pods) -> Tally {
        match pods {
            Pods::Homogeneous(counts) => Tally::of_counts(counts, self.cpu_request_milli),
            Pods::Each(pods) => {
                let grouping = Grouping {
                    now,
                    cpu: true,
                    cpu_initialization_period: self.cpu_initialization_period,
                    initial_readiness_delay: self.initial_readiness_delay,
                    fallback_percent: metric.target.max(100),
                };
                Tally::of_pods(pods.iter().map(PodReading::cpu), &grouping)
            }
        }
    }
}

impl Synced {
    const fn without_metrics(replicas: Option<u32>, reason: Reason, active: Option<bool>) -> Self {
        Self { replicas, reason, metric: None, limited: Limited::No, active }
    }

    /// As a proposal of a policy.
    pub(in crate::scaling::policies) const fn proposal(&self) -> Proposal {
        Proposal { replicas: self.replicas, ..Proposal::none(self.reason) }
    }
}

/// A total that the ready pods share alike: one query for a workload cannot tell its pods apart. Starting pods have no part in it.
fn shared(now: Timestamp, seen: &Observation, total_milli: i64) -> Tally {
    let counts = seen.pods.counts(now);
    let (ready, starting) = (i64::from(counts.ready), i64::from(counts.starting()));
    Tally {
        listed: ready + starting + i64::from(counts.terminating),
        running_ready: ready,
        ready,
        unready: starting,
        samples: ready,
        usage: total_milli,
        ..Tally::default()
    }
}

/// Ranges of the API.
fn check_rules(id: &'static str, rules: Option<&ScalingRules>) -> Result<(), ConfigError> {
    let refuse = |key, got: String, allowed| Err(ConfigError::Range { id, key, got, allowed });
    let Some(rules) = rules else { return Ok(()) };
    if let Some(window) = rules.stabilization_window_seconds.filter(|window| *window > 3_600) {
        return refuse("stabilizationWindowSeconds", window.to_string(), "0 to 3600");
    }
    if let Some(tolerance) = rules.tolerance {
        in_range(id, "tolerance", tolerance, 0.0..=1.0, "0 to 1")?;
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

/// A count of seconds that a config holds, in its range.
pub(in crate::scaling::policies) fn seconds(
    id: &'static str,
    key: &'static str,
    value: u32,
    (most, allowed): (u32, &'static str),
) -> Result<Span, ConfigError> {
    if value > most {
        return Err(ConfigError::Range { id, key, got: value.to_string(), allowed });
    }
    Ok(Span::from_secs(i64::from(value)))
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

/// Thousandths, as the metrics API gives them.
#[expect(clippy::cast_possible_truncation, reason = "saturates")]
pub(in crate::scaling::policies) fn milli(value: f64) -> i64 {
    libm::round(value * 1_000.0) as i64
}

/// Replicas as the Kubernetes API counts them.
pub(in crate::scaling::policies) fn signed(replicas: u32) -> i32 {
    i32::try_from(replicas).unwrap_or(i32::MAX)
}

/// And back.
pub(in crate::scaling::policies) fn unsigned(replicas: i32) -> u32 {
    u32::try_from(replicas).unwrap_or(0)
}
