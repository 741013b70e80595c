//! What a controller may know: samples with their own time stamps and an explicit *missing*, never a zero for "unknown".
//!
//! The simulator and the operator both fill an [`Observation`]; estimates derived from it (capacity, lead time, load history)
//! live beside it, so that gym and production share them. Capacity is never given, it is estimated.

mod capacity;
mod features;
mod history;
mod lead_time;
mod pods;
pub mod promql;

pub use capacity::{CapacityEstimate, CapacityEstimator, CapacityPrior, SeenSlot};
pub use features::{FEATURE_COUNT, Feature, Metrics, Sample};
pub use history::{COARSE_BIN, COARSE_BINS, HALF_LIFE_SLOTS, LoadHistory, RECENT_SLOTS, SLOT};
pub use lead_time::LeadTimeEstimator;
pub use pods::{
    CpuSample, Pod, PodCounts, PodPhase, Pods, ReadyCondition, ReadyStatus, START_UP_BUCKET, START_UP_BUCKETS,
};

use serde::{Deserialize, Serialize};

use crate::time::{Span, Timestamp};

/// Everything a policy sees at one decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// The moment of the decision.
    pub now: Timestamp,
    /// Replicas asked for: `spec.replicas` of the scale subresource.
    pub spec_replicas: u32,
    /// Replicas that exist: `status.replicas` of the scale subresource.
    pub status_replicas: u32,
    /// The workload's pods.
    pub pods: Pods,
    /// Workload totals, each with its own time stamp.
    pub metrics: Metrics,
    /// Start-up times (creation to ready) of the pods that became ready since the previous observation.
    pub start_ups: Vec<Span>,
}

impl Observation {
    /// An observation in which nothing is known but the time and the replica counts.
    #[must_use]
    pub fn unknown(now: Timestamp, replicas: u32) -> Self {
        Self {
            now,
            spec_replicas: replicas,
            status_replicas: replicas,
            pods: Pods::Homogeneous(PodCounts::default()),
            metrics: Metrics::default(),
            start_ups: Vec::new(),
        }
    }

    /// Offered requests per second, if known.
    #[must_use]
    pub fn arrival_rate(&self) -> Option<Sample> {
        self.metrics.get(Feature::HttpRequestsTotalRate)
    }

    /// Age of the arrival-rate sample; `None` if it is missing.
    #[must_use]
    pub fn load_age(&self) -> Option<Span> {
        self.arrival_rate().map(|sample| self.now.since(sample.at))
    }
}

/// Lower and upper bound of replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// Fewest replicas.
    pub min: u32,
    /// Most replicas; at least `min`.
    pub max: u32,
}

impl Bounds {
    /// `replicas` brought into the bounds.
    #[must_use]
    pub const fn clamp(self, replicas: u32) -> u32 {
        if replicas < self.min {
            self.min
        } else if replicas > self.max {
            self.max
        } else {
            replicas
        }
    }
}

/// What is known of the workload beforehand: bounds, requests and limits, and the pipeline's timing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Workload {
    /// Replica bounds.
    pub bounds: Bounds,
    /// CPU request of a pod in thousandths of a core.
    pub cpu_request_milli: u32,
    /// CPU limit of a pod in thousandths of a core.
    pub cpu_limit_milli: u32,
    /// Time between decisions of policies without a cadence of their own.
    pub decision_interval: Span,
    /// Time between scrapes.
    pub scrape_interval: Span,
    /// Age of the youngest visible sample's window end.
    pub metric_lag: Span,
    /// Start-up lead time to plan for until start-ups have been seen.
    pub prior_lead_time: Span,
    /// Requests per second that a pod is said to serve, if the user states it: a prior, checked against the estimate.
    pub stated_capacity: Option<f64>,
}

impl Workload {
    /// The workload of protocol P1: 1 to 100 pods of 4 CPU, 15 s decisions, scrapes and lag, 90 s planning lead.
    #[must_use]
    pub const fn protocol_p1() -> Self {
        Self {
            bounds: Bounds { min: 1, max: 100 },
            cpu_request_milli: 4_000,
            cpu_limit_milli: 4_000,
            decision_interval: Span::from_secs(15),
            scrape_interval: Span::from_secs(15),
            metric_lag: Span::from_secs(15),
            prior_lead_time: Span::from_secs(90),
            stated_capacity: None,
        }
    }
}
