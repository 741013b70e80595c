//! The vectors as they are written, and their translation into the controller's own types.

use std::collections::BTreeMap;

use seatrial_core::observe::{CpuSample, PodPhase, ReadyCondition, ReadyStatus};
use seatrial_core::scaling::policies::hpa::behavior::{
    self, Behavior, ScalingPolicy, ScalingPolicyKind, ScalingRules, SelectPolicy,
};
use seatrial_core::scaling::policies::hpa::controller::{MetricKind, MetricSpec, Outcome, Reading};
use seatrial_core::scaling::policies::hpa::status::Status;
use seatrial_core::scaling::policies::hpa::tally::{Grouping, PodReading, Tally};
use seatrial_core::time::{Span, Timestamp};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CalculatorCase {
    pub(crate) id: u64,
    #[serde(rename = "class")]
    _class: String,
    kind: String,
    pub(crate) now_us: i64,
    pub(crate) config: CalculatorConfig,
    pub(crate) resource: Option<String>,
    container: Option<String>,
    pub(crate) current_replicas: i32,
    pub(crate) target: i64,
    pub(crate) pods: Vec<PodCase>,
    pub(crate) reading: ReadingCase,
    pub(crate) expect: Expected,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CalculatorConfig {
    cpu_initialization_period_us: i64,
    initial_readiness_delay_us: i64,
    pub(crate) tolerance_down: f64,
    pub(crate) tolerance_up: f64,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expected {
    pub(crate) error: Option<String>,
    pub(crate) replicas: Option<i32>,
    #[serde(default)]
    pub(crate) utilization_percent: Option<i32>,
    #[serde(default)]
    pub(crate) usage_milli: Option<i64>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PodCase {
    pub(crate) name: String,
    phase: String,
    deleted: bool,
    start_us: Option<i64>,
    ready: Option<ReadyCase>,
    #[serde(default)]
    containers: Vec<ContainerCase>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadyCase {
    status: String,
    transition_us: i64,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct ContainerCase {
    name: String,
    requests_milli: BTreeMap<String, i64>,
    /// Restartable init containers count like the others.
    #[serde(default, rename = "restartable_init")]
    _restartable_init: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReadingCase {
    #[serde(default)]
    error: bool,
    #[serde(default)]
    samples: BTreeMap<String, (i64, i64, i64)>,
    value_milli: Option<i64>,
    values_milli: Option<Vec<i64>>,
}

/// Kind, resource and container of a metric.
#[derive(Clone, Copy)]
pub(crate) struct MetricRef<'a> {
    kind: &'a str,
    resource: Option<&'a str>,
    container: Option<&'a str>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SequenceCase {
    pub(crate) id: u64,
    #[serde(rename = "class")]
    _class: String,
    pub(crate) config: SequenceConfig,
    pub(crate) spec: SpecCase,
    pub(crate) behavior_effective: Option<BehaviorCase>,
    pub(crate) steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SequenceConfig {
    #[serde(rename = "sync_period_us")]
    _sync_period_us: i64,
    pub(crate) tolerance: f64,
    pub(crate) configurable_tolerance: bool,
    pub(crate) downscale_stabilization_us: i64,
    cpu_initialization_period_us: i64,
    initial_readiness_delay_us: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SpecCase {
    pub(crate) min_replicas: Option<i32>,
    pub(crate) max_replicas: i32,
    pub(crate) metrics: Vec<MetricCase>,
    pub(crate) behavior: Option<BehaviorCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MetricCase {
    kind: String,
    resource: Option<String>,
    container: Option<String>,
    target: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BehaviorCase {
    pub(crate) scale_up: Option<Rules>,
    pub(crate) scale_down: Option<Rules>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rules {
    select_policy: Option<SelectPolicy>,
    stabilization_window_seconds: Option<u32>,
    policies: Option<Vec<PolicyCase>>,
    tolerance_milli: Option<i32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyCase {
    #[serde(rename = "type")]
    kind: ScalingPolicyKind,
    value: i32,
    period_seconds: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    pub(crate) now_us: i64,
    pub(crate) scale_spec_replicas: i32,
    pub(crate) scale_status_replicas: i32,
    #[serde(default)]
    pub(crate) pods_set: Vec<PodCase>,
    #[serde(default)]
    pub(crate) pods_gone: Vec<String>,
    pub(crate) readings: Vec<ReadingCase>,
    #[serde(default)]
    pub(crate) new_spec: Option<SpecCase>,
    #[serde(default)]
    pub(crate) controller_restarted: bool,
    #[serde(default)]
    pub(crate) scale_get_fails: bool,
    #[serde(default)]
    pub(crate) scale_update_fails: bool,
    pub(crate) expect: StepExpected,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StepExpected {
    proposal: Option<i32>,
    scaled_to: Option<i32>,
    status_current_replicas: i32,
    status_desired_replicas: i32,
    status_last_scale_us: Option<i64>,
    current_metrics: Vec<Option<MetricExpected>>,
    conditions: BTreeMap<String, ConditionExpected>,
    events: Vec<String>,
    error: bool,
    status_written: bool,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct MetricExpected {
    average_utilization: Option<i32>,
    average_value_milli: Option<i64>,
    value_milli: Option<i64>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConditionExpected {
    status: String,
    reason: String,
}

impl StepExpected {
    pub(crate) fn of(outcome: &Outcome, status: &Status) -> Self {
        let metrics = status.current_metrics.iter().map(|metric| {
            metric.map(|metric| MetricExpected {
                average_utilization: metric.average_utilization,
                average_value_milli: metric.average_value_milli,
                value_milli: metric.value_milli,
            })
        });
        let conditions = status.conditions().map(|(kind, condition)| {
            let status = if condition.status { "True" } else { "False" };
            let expected = ConditionExpected { status: status.to_owned(), reason: condition.reason.to_owned() };
            (kind.label().to_owned(), expected)
        });
        Self {
            proposal: outcome.proposal,
            scaled_to: outcome.scaled_to,
            status_current_replicas: status.current_replicas,
            status_desired_replicas: status.desired_replicas,
            status_last_scale_us: status.last_scale_at.map(Timestamp::micros),
            current_metrics: metrics.collect(),
            conditions: conditions.collect(),
            events: outcome.events.iter().map(|event| event.label().to_owned()).collect(),
            error: outcome.failed,
            status_written: outcome.status_written,
        }
    }
}

fn metric_kind(metric: MetricRef<'_>) -> MetricKind {
    let container = metric.container.is_some();
    match metric.kind {
        "resource_utilization" => MetricKind::ResourceUtilization { container },
        "resource_average_value" => MetricKind::ResourceAverageValue { container },
        "pods_average_value" => MetricKind::PodsAverageValue,
        "object_value" => MetricKind::ObjectValue,
        "object_average_value" => MetricKind::ObjectAverageValue,
        "external_value" => MetricKind::ExternalValue,
        "external_average_value" => MetricKind::ExternalAverageValue,
        other => panic!("unknown kind {other}"),
    }
}

impl CalculatorCase {
    pub(crate) fn spec(&self) -> MetricSpec {
        MetricSpec { kind: metric_kind(self.metric_ref()), target: self.target }
    }

    pub(crate) fn metric_ref(&self) -> MetricRef<'_> {
        MetricRef { kind: &self.kind, resource: self.resource.as_deref(), container: self.container.as_deref() }
    }
}

impl MetricCase {
    pub(crate) fn to_spec(&self) -> MetricSpec {
        MetricSpec { kind: metric_kind(self.metric_ref()), target: self.target }
    }

    pub(crate) fn metric_ref(&self) -> MetricRef<'_> {
        MetricRef { kind: &self.kind, resource: self.resource.as_deref(), container: self.container.as_deref() }
    }
}

fn grouping(now_us: i64, resource: Option<&str>, target: i64, start: (i64, i64)) -> Grouping {
    Grouping {
        now: Timestamp::from_micros(now_us),
        cpu: resource == Some("cpu"),
        cpu_initialization_period: Span::from_micros(start.0),
        initial_readiness_delay: Span::from_micros(start.1),
        fallback_percent: target.max(100),
    }
}

impl CalculatorConfig {
    pub(crate) fn grouping(&self, now_us: i64, resource: Option<&str>, target: i64) -> Grouping {
        grouping(now_us, resource, target, (self.cpu_initialization_period_us, self.initial_readiness_delay_us))
    }
}

impl SequenceConfig {
    pub(crate) fn grouping(&self, now_us: i64, metric: &MetricCase) -> Grouping {
        let start = (self.cpu_initialization_period_us, self.initial_readiness_delay_us);
        grouping(now_us, metric.resource.as_deref(), metric.target, start)
    }
}

impl ReadingCase {
    /// The reading with the pods it is about. A pipeline without any sample answers with an error.
    pub(crate) fn to_reading(&self, pods: &[PodCase], metric: MetricRef<'_>, grouping: &Grouping) -> Reading {
        if self.error {
            return Reading::Failed;
        }
        let mut tally = Tally::of_pods(pods.iter().map(|pod| self.with_sample(pod, metric)), grouping);
        for (name, (value, ..)) in &self.samples {
            if !pods.iter().any(|pod| pod.name == *name) {
                tally.add_stray(*value);
            }
        }
        match (self.value_milli, &self.values_milli) {
            (Some(value), _) => Reading::Values(vec![value], tally),
            (None, Some(values)) => Reading::Values(values.clone(), tally),
            (None, None) => Reading::Pods(tally),
        }
    }

    fn with_sample(&self, pod: &PodCase, metric: MetricRef<'_>) -> PodReading {
        let sample = self.samples.get(&pod.name).map(|(value_milli, end_us, window_us)| CpuSample {
            value_milli: *value_milli,
            window_end: Timestamp::from_micros(*end_us),
            window: Span::from_micros(*window_us),
        });
        PodReading {
            phase: phase(&pod.phase),
            deleted: pod.deleted,
            started_at: pod.start_us.map(Timestamp::from_micros),
            ready: pod.ready.as_ref().map(ReadyCase::condition),
            request_milli: pod.request(metric),
            sample,
        }
    }
}

impl PodCase {
    fn request(&self, metric: MetricRef<'_>) -> Option<i64> {
        let resource = metric.resource.unwrap_or_default();
        self.containers
            .iter()
            .filter(|container| metric.container.is_none_or(|name| name == container.name))
            .map(|container| container.requests_milli.get(resource).copied())
            .sum()
    }
}

impl ReadyCase {
    fn condition(&self) -> ReadyCondition {
        let status = match self.status.as_str() {
            "True" => ReadyStatus::True,
            "False" => ReadyStatus::False,
            "Unknown" => ReadyStatus::Unknown,
            other => panic!("unknown status {other}"),
        };
        ReadyCondition { status, since: Timestamp::from_micros(self.transition_us) }
    }
}

fn phase(name: &str) -> PodPhase {
    match name {
        "Pending" => PodPhase::Pending,
        "Running" => PodPhase::Running,
        "Succeeded" => PodPhase::Succeeded,
        "Failed" => PodPhase::Failed,
        "Unknown" => PodPhase::Unknown,
        other => panic!("unknown phase {other}"),
    }
}

impl Rules {
    fn policies(&self) -> Option<Vec<ScalingPolicy>> {
        let policy = |policy: &PolicyCase| ScalingPolicy {
            kind: policy.kind,
            value: policy.value,
            period_seconds: policy.period_seconds,
        };
        self.policies.as_ref().map(|policies| policies.iter().map(policy).collect())
    }

    fn tolerance(&self) -> Option<f64> {
        self.tolerance_milli.map(|milli| f64::from(milli) / 1_000.0)
    }

    pub(crate) fn as_effective(&self) -> behavior::Rules {
        behavior::Rules {
            window: self.stabilization_window_seconds.map(|seconds| Span::from_secs(i64::from(seconds))),
            select: self.select_policy.expect("defaulted"),
            policies: self.policies().expect("defaulted"),
            tolerance: self.tolerance(),
        }
    }
}

impl From<&BehaviorCase> for Behavior {
    fn from(given: &BehaviorCase) -> Self {
        let rules = |rules: &Rules| ScalingRules {
            stabilization_window_seconds: rules.stabilization_window_seconds,
            select_policy: rules.select_policy,
            policies: rules.policies(),
            tolerance: rules.tolerance(),
        };
        Self { scale_up: given.scale_up.as_ref().map(rules), scale_down: given.scale_down.as_ref().map(rules) }
    }
}
