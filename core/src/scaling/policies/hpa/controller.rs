//! The sync of the whole controller as a state machine: bounds first, then metrics, normalisation, the write, and what the
//! autoscaler's status, conditions and events say about it.
//!
//! The policy `hpa` uses the parts below it; a shell that reconciles real HorizontalPodAutoscaler objects would use this.

use super::behavior::EffectiveBehavior;
use super::calculator::{Answer, MetricError, Question, Tolerances, sum};
use super::memory::Memory;
use super::normalise::{Limited, Limits, Normalised, Stabilised};
use super::status::{Condition, ConditionKind, Detail, Event, MetricStatus, Status};
use super::tally::Tally;
use crate::time::{Span, Timestamp};

/// What a metric measures and what its target means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Resource use in percent of the requests; of one container if `container`.
    ResourceUtilization {
        /// Whether it is a container resource metric.
        container: bool,
    },
    /// Resource use per pod.
    ResourceAverageValue {
        /// Whether it is a container resource metric.
        container: bool,
    },
    /// A metric of each pod.
    PodsAverageValue,
    /// A metric of one object, as a total.
    ObjectValue,
    /// A metric of one object, per replica.
    ObjectAverageValue,
    /// A metric from outside, as a total.
    ExternalValue,
    /// A metric from outside, per replica.
    ExternalAverageValue,
}

/// A metric of the spec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricSpec {
    /// Its kind.
    pub kind: MetricKind,
    /// Percent for utilisation, else milli-units.
    pub target: i64,
}

/// What the metrics pipeline answers for one metric.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading {
    /// An error.
    Failed,
    /// Samples by pod, added up with the pods.
    Pods(Tally),
    /// One value, or several that are summed.
    Values(Vec<i64>, Tally),
}

/// Settings of the controller and the autoscaler's spec.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// Fewest replicas.
    pub min_replicas: i32,
    /// Most replicas.
    pub max_replicas: i32,
    /// The metrics.
    pub metrics: Vec<MetricSpec>,
    /// The behaviour after defaulting, if there is one.
    pub behavior: Option<EffectiveBehavior>,
    /// Tolerances in force.
    pub tolerances: Tolerances,
    /// Window where the behaviour has none.
    pub downscale_stabilization: Span,
}

/// What a sync meets.
#[derive(Clone, Debug, PartialEq)]
pub struct World {
    /// Replicas of the scale's spec; `None` if it cannot be read.
    pub spec_replicas: Option<i32>,
    /// Replicas of the scale's status.
    pub status_replicas: i32,
    /// One per metric.
    pub readings: Vec<Reading>,
    /// Whether a write of the scale would fail.
    pub write_fails: bool,
}

/// What a sync did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The raw proposal that was noted for stabilisation.
    pub proposal: Option<i32>,
    /// The replicas that were written.
    pub scaled_to: Option<i32>,
    /// Events, in order.
    pub events: Vec<Event>,
    /// Whether the sync ended with an error.
    pub failed: bool,
    /// Whether the status changed and was written.
    pub status_written: bool,
}

impl MetricKind {
    const fn failure(self) -> Event {
        match self {
            Self::ResourceUtilization { container: false } | Self::ResourceAverageValue { container: false } => {
                Event::FailedGetResourceMetric
            }
            Self::ResourceUtilization { .. } | Self::ResourceAverageValue { .. } => {
                Event::FailedGetContainerResourceMetric
            }
            Self::PodsAverageValue => Event::FailedGetPodsMetric,
            Self::ObjectValue | Self::ObjectAverageValue => Event::FailedGetObjectMetric,
            Self::ExternalValue | Self::ExternalAverageValue => Event::FailedGetExternalMetric,
        }
    }

    const fn is_value(self) -> bool {
        matches!(self, Self::ObjectValue | Self::ExternalValue)
    }
}

impl MetricSpec {
    /// What the metric asks for.
    ///
    /// # Errors
    /// See [`MetricError`]; a reading of the wrong form counts as unavailable.
    pub fn ask(
        &self,
        reading: &Reading,
        tolerances: Tolerances,
        replicas: i32,
        status_replicas: i32,
    ) -> Result<Answer, MetricError> {
        let question = |replicas| Question { replicas, target: self.target, tolerances };
        match (self.kind, reading) {
            (MetricKind::ResourceUtilization { .. }, Reading::Pods(tally)) => question(replicas).utilization(tally),
            (MetricKind::ResourceAverageValue { .. } | MetricKind::PodsAverageValue, Reading::Pods(tally)) => {
                question(replicas).average_over_pods(tally)
            }
            (MetricKind::ObjectValue | MetricKind::ExternalValue, Reading::Values(values, tally)) => {
                question(replicas).total(tally, sum(values))
            }
            (MetricKind::ObjectAverageValue | MetricKind::ExternalAverageValue, Reading::Values(values, _)) => {
                Ok(question(status_replicas).average_over_replicas(sum(values)))
            }
            _ => Err(MetricError::MetricsUnavailable),
        }
    }

    fn status(&self, answer: &Answer) -> MetricStatus {
        let usage = answer.usage_milli;
        MetricStatus {
            average_utilization: answer.utilization_percent,
            average_value_milli: usage.filter(|_| !self.kind.is_value()),
            value_milli: usage.filter(|_| self.kind.is_value()),
        }
    }
}

/// What all metrics together ask for.
struct Computed {
    /// `None` if they fail: all of them, or some while the others would shrink.
    desired: Option<i32>,
    statuses: Vec<Option<MetricStatus>>,
    some_failed: bool,
}

/// One sync under way.
struct Sync<'a> {
    spec: &'a Spec,
    now: Timestamp,
    world: &'a World,
    status: &'a mut Status,
    outcome: Outcome,
}

impl Spec {
    /// One sync: changes memory and status and says what was done.
    pub fn sync(&self, now: Timestamp, world: &World, memory: &mut Memory, status: &mut Status) -> Outcome {
        let before = status.clone();
        let mut sync = Sync { spec: self, now, world, status, outcome: Outcome::default() };
        sync.run(memory);
        let mut outcome = sync.outcome;
        outcome.status_written = *status != before;
        outcome
    }
}

impl Sync<'_> {
    fn run(&mut self, memory: &mut Memory) {
        let Some(current) = self.world.spec_replicas else {
            self.event(Event::FailedGetScale);
            self.condition(ConditionKind::AbleToScale, Condition::no("FailedGetScale"));
            self.outcome.failed = true;
            return;
        };
        self.condition(ConditionKind::AbleToScale, Condition::yes("SucceededGetScale"));
        memory.seed(self.now, current);
        let (min, max) = (self.spec.min_replicas, self.spec.max_replicas);
        let (desired, statuses) = if current == 0 && min != 0 {
            self.condition(ConditionKind::ScalingActive, Condition::no("ScalingDisabled"));
            (0, Vec::new())
        } else if current > max {
            (max, Vec::new())
        } else if current < min {
            (min, Vec::new())
        } else {
            let computed = self.compute(current);
            self.outcome.failed = computed.some_failed;
            let Some(desired) = computed.desired else {
                self.set_status(current, None, computed.statuses);
                self.event(Event::FailedComputeMetricsReplicas);
                return;
            };
            (self.normalise(current, desired, memory), computed.statuses)
        };
        self.write(current, desired, statuses, memory);
    }

    fn compute(&mut self, current: i32) -> Computed {
        let mut statuses = Vec::with_capacity(self.spec.metrics.len());
        let mut best = (0, 0);
        let mut first_failure = None;
        for (i, metric) in self.spec.metrics.iter().enumerate() {
            let reading = self.world.readings.get(i).unwrap_or(&Reading::Failed);
            match metric.ask(reading, self.spec.tolerances, current, self.world.status_replicas) {
                Ok(answer) => {
                    if best.0 == 0 || answer.replicas > best.0 {
                        best = (answer.replicas, i);
                    }
                    statuses.push(Some(metric.status(&answer)));
                }
                Err(error) => {
                    self.event(metric.kind.failure());
                    first_failure = first_failure.or(Some((i, error)));
                    statuses.push(None);
                }
            }
        }
        let working = statuses.iter().flatten().count();
        let desired = match first_failure {
            Some((i, error)) if working == 0 || best.0 < current => {
                let reason = self.spec.metrics[i].kind.failure().label();
                self.condition(ConditionKind::ScalingActive, Condition::no(reason).because(Detail::Failure(i, error)));
                None
            }
            _ => {
                let valid = Condition::yes("ValidMetricFound").because(Detail::Metric(best.1));
                self.condition(ConditionKind::ScalingActive, valid);
                Some(best.0)
            }
        };
        Computed { desired, statuses, some_failed: first_failure.is_some() }
    }

    fn normalise(&mut self, current: i32, desired: i32, memory: &mut Memory) -> i32 {
        self.outcome.proposal = Some(desired);
        let limits = Limits {
            min: self.spec.min_replicas,
            max: self.spec.max_replicas,
            current,
            downscale_stabilization: self.spec.downscale_stabilization,
            behavior: self.spec.behavior.as_ref(),
        };
        let Normalised { replicas, stabilised, limited } = limits.normalise(self.now, desired, memory);
        self.condition(ConditionKind::AbleToScale, able(stabilised));
        self.condition(ConditionKind::ScalingLimited, limited_condition(limited));
        replicas
    }

    fn write(&mut self, current: i32, desired: i32, statuses: Vec<Option<MetricStatus>>, memory: &mut Memory) {
        if desired == current {
            self.set_status(current, Some(current), statuses);
            return;
        }
        if self.world.write_fails {
            self.event(Event::FailedRescale);
            self.condition(ConditionKind::AbleToScale, Condition::no("FailedUpdateScale"));
            self.set_status(current, None, statuses);
            self.outcome.failed = true;
            return;
        }
        let rescaled = Condition::yes("SucceededRescale").because(Detail::Replicas(desired));
        self.condition(ConditionKind::AbleToScale, rescaled);
        self.event(Event::SuccessfulRescale);
        if let Some(behavior) = &self.spec.behavior {
            memory.scaled(self.now, current, desired, behavior);
        }
        self.set_status(current, Some(desired), statuses);
        self.status.last_scale_at = Some(self.now);
        self.outcome.scaled_to = Some(desired);
    }

    fn set_status(&mut self, current: i32, desired: Option<i32>, metrics: Vec<Option<MetricStatus>>) {
        self.status.current_replicas = current;
        self.status.desired_replicas = desired.unwrap_or(self.status.desired_replicas);
        self.status.current_metrics = metrics;
    }

    fn event(&mut self, event: Event) {
        self.outcome.events.push(event);
    }

    fn condition(&mut self, kind: ConditionKind, condition: Condition) {
        self.status.set_condition(self.now, kind, condition);
    }
}

const fn able(stabilised: Stabilised) -> Condition {
    Condition::yes(match stabilised {
        Stabilised::No => "ReadyForNewScale",
        Stabilised::Up => "ScaleUpStabilized",
        Stabilised::Down => "ScaleDownStabilized",
    })
}

const fn limited_condition(limited: Limited) -> Condition {
    match limited {
        Limited::No => Condition::no("DesiredWithinRange"),
        Limited::TooManyReplicas => Condition::yes("TooManyReplicas"),
        Limited::TooFewReplicas => Condition::yes("TooFewReplicas"),
        Limited::ScaleUpLimit => Condition::yes("ScaleUpLimit"),
        Limited::ScaleDownLimit => Condition::yes("ScaleDownLimit"),
    }
}
