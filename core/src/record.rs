//! The decision record: one versioned row per decision, the same from simulator and operator, stored as Parquet by others.

mod replay;
pub mod timeline;

pub use replay::{OperatedDecision, Replay, ReplayError, ReplayPoint, ReplayReport};

use serde::{Deserialize, Serialize};

use crate::observe::{FEATURE_COUNT, Feature, PodCounts};
use crate::scaling::autoscaler::Decision;
use crate::scaling::forecast::LEVEL_COUNT;
use crate::scaling::policy::View;

/// Version of [`DecisionRecord`]; a change of meaning or columns raises it.
pub const RECORD_VERSION: u32 = 1;

/// One decision with what led to it. Absent values are missing, never zero.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionRecord {
    /// [`RECORD_VERSION`] of the writer.
    pub version: u32,
    /// Moment of the decision in microseconds.
    pub at_us: i64,
    /// End of the youngest visible load slot in microseconds.
    pub load_at_us: Option<i64>,
    /// The ten features, in the order of [`Feature`].
    pub features: [Option<f64>; FEATURE_COUNT],
    /// Replicas asked for before the decision.
    pub spec_replicas: u32,
    /// Ready pods.
    pub ready: u32,
    /// Starting pods.
    pub starting: u32,
    /// Terminating pods.
    pub terminating: u32,
    /// Estimated requests per second of one pod.
    pub capacity_mean: Option<f64>,
    /// Its lower confidence bound.
    pub capacity_lower: Option<f64>,
    /// Forecast quantiles, in the order of the levels.
    pub forecast: Option<[f64; LEVEL_COUNT]>,
    /// What the policy proposed.
    pub proposed: Option<u32>,
    /// Its discrete action.
    pub action: Option<u8>,
    /// Replicas decided.
    pub decided: u32,
    /// The reason: the policy's, or the guard rule that changed the proposal last.
    pub reason: String,
    /// Whether the guard overrode the proposal (clamped to bounds).
    pub overridden: bool,
}

impl DecisionRecord {
    /// The row of one decision.
    #[must_use]
    pub fn new(view: &View<'_>, decision: &Decision) -> Self {
        let seen = view.observation;
        let PodCounts { ready, terminating, .. } = seen.pods.counts(seen.now);
        Self {
            version: RECORD_VERSION,
            at_us: seen.now.micros(),
            load_at_us: seen.arrival_rate().map(|sample| sample.at.micros()),
            features: ALL_FEATURES.map(|feature| seen.metrics.get(feature).map(|sample| sample.value)),
            spec_replicas: seen.spec_replicas,
            ready,
            starting: seen.pods.counts(seen.now).starting(),
            terminating,
            capacity_mean: view.capacity.map(|capacity| capacity.mean),
            capacity_lower: view.capacity.map(|capacity| capacity.lower),
            forecast: decision.proposal.forecast.map(|forecast| forecast.values),
            proposed: decision.proposal.replicas,
            action: decision.proposal.action,
            decided: decision.replicas,
            reason: decision.reason().to_owned(),
            overridden: decision.overridden,
        }
    }
}

/// Every feature, in the order of a record.
pub const ALL_FEATURES: [Feature; FEATURE_COUNT] = [
    Feature::ProcessCpuSecondsTotalRate,
    Feature::ProcessResidentMemoryBytes,
    Feature::ProcessVirtualMemoryBytes,
    Feature::HttpRequestDurationSecondsSumRate,
    Feature::HttpRequestsTotalRate,
    Feature::HttpRequestDurationSecondsCountRate,
    Feature::ProcessOpenFds,
    Feature::HttpResponseSizeBytesSumRate,
    Feature::HttpRequestSizeBytesCountRate,
    Feature::BadRequestRatio,
];
