//! The autoscaler's status: replicas, metrics, conditions; and its events.

use super::calculator::MetricError;
use crate::time::Timestamp;

/// The status of an autoscaler.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Status {
    /// Replicas at the last sync.
    pub current_replicas: i32,
    /// Replicas last decided.
    pub desired_replicas: i32,
    /// Last successful write.
    pub last_scale_at: Option<Timestamp>,
    /// One per metric of the spec, `None` where it failed; empty when metrics were not consulted.
    pub current_metrics: Vec<Option<MetricStatus>>,
    conditions: [Option<Condition>; 3],
}

/// A metric as the status shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricStatus {
    /// Percent of the requests.
    pub average_utilization: Option<i32>,
    /// Per pod or replica.
    pub average_value_milli: Option<i64>,
    /// Total.
    pub value_milli: Option<i64>,
}

/// The types of condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConditionKind {
    /// Whether the scale can be read and written, and whether recent recommendations hold it back.
    AbleToScale,
    /// Whether metrics drive the scale.
    ScalingActive,
    /// Whether bounds or rates cut the wish.
    ScalingLimited,
}

/// A condition.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Condition {
    /// True or False.
    pub status: bool,
    /// Its reason.
    pub reason: &'static str,
    /// What its message adds to the reason.
    pub detail: Detail,
    /// When `status` last changed.
    pub since: Timestamp,
}

/// What a message says beyond the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Nothing.
    Nothing,
    /// The replicas that were written.
    Replicas(i32),
    /// The metric that decided.
    Metric(usize),
    /// The first metric that failed, and why.
    Failure(usize, MetricError),
}

/// Events of a sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The scale could not be read.
    FailedGetScale,
    /// A resource metric failed.
    FailedGetResourceMetric,
    /// A container resource metric failed.
    FailedGetContainerResourceMetric,
    /// A pods metric failed.
    FailedGetPodsMetric,
    /// An object metric failed.
    FailedGetObjectMetric,
    /// An external metric failed.
    FailedGetExternalMetric,
    /// No proposal came of the metrics.
    FailedComputeMetricsReplicas,
    /// The scale could not be written.
    FailedRescale,
    /// The scale was written.
    SuccessfulRescale,
}

impl Event {
    /// Its reason.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::FailedGetScale => "FailedGetScale",
            Self::FailedGetResourceMetric => "FailedGetResourceMetric",
            Self::FailedGetContainerResourceMetric => "FailedGetContainerResourceMetric",
            Self::FailedGetPodsMetric => "FailedGetPodsMetric",
            Self::FailedGetObjectMetric => "FailedGetObjectMetric",
            Self::FailedGetExternalMetric => "FailedGetExternalMetric",
            Self::FailedComputeMetricsReplicas => "FailedComputeMetricsReplicas",
            Self::FailedRescale => "FailedRescale",
            Self::SuccessfulRescale => "SuccessfulRescale",
        }
    }
}

impl ConditionKind {
    /// All types, in the order in which [`Status::conditions`] lists them.
    pub const ALL: [Self; 3] = [Self::AbleToScale, Self::ScalingActive, Self::ScalingLimited];

    /// Its name in the API.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::AbleToScale => "AbleToScale",
            Self::ScalingActive => "ScalingActive",
            Self::ScalingLimited => "ScalingLimited",
        }
    }
}

impl Condition {
    pub(super) const fn yes(reason: &'static str) -> Self {
        Self { status: true, reason, detail: Detail::Nothing, since: Timestamp::ZERO }
    }

    pub(super) const fn no(reason: &'static str) -> Self {
        Self { status: false, ..Self::yes(reason) }
    }

    pub(super) const fn because(self, detail: Detail) -> Self {
        Self { detail, ..self }
    }
}

impl Status {
    /// The conditions that have been set.
    pub fn conditions(&self) -> impl Iterator<Item = (ConditionKind, &Condition)> {
        ConditionKind::ALL
            .into_iter()
            .zip(&self.conditions)
            .filter_map(|(kind, set)| set.as_ref().map(|set| (kind, set)))
    }

    /// Sets a condition; its time moves only if its status changes.
    pub(super) fn set_condition(&mut self, now: Timestamp, kind: ConditionKind, condition: Condition) {
        let slot = &mut self.conditions[kind as usize];
        let since = slot.filter(|before| before.status == condition.status).map_or(now, |before| before.since);
        *slot = Some(Condition { since, ..condition });
    }
}
