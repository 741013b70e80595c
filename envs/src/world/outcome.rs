//! What a run of a scenario leaves.

use seatrial_core::record::DecisionRecord;
use seatrial_core::record::timeline::Timeline;

use super::latency::Latencies;
use super::log::LogRow;
use crate::episode::{CostTerms, DayCosts};
use crate::ids::ServiceId;
use crate::scenario::CostWeights;

/// What a run leaves; the warm-up counts in its timeline and log alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Terms of the application: pods of all services, requests as clients saw them.
    pub total: CostTerms,
    /// The same by UTC day, in order.
    pub days: Vec<DayCosts>,
    /// Per service, by id.
    pub services: Vec<ServiceOutcome>,
    /// From a client's first try to the answer, of requests answered.
    pub latency: Latencies,
    /// By interval; `None` if it was not asked for.
    pub timeline: Option<Timeline>,
    /// Every decision, if they were asked for.
    pub decisions: Vec<DecisionRow>,
    /// The event log; empty if it was off.
    pub log: Vec<LogRow>,
    /// Where every request is.
    pub conservation: Conservation,
    /// Events that the kernel handled.
    pub events: u64,
}

/// What a run leaves of a service.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceOutcome {
    /// Its name.
    pub name: String,
    /// Terms: its pods, and the calls that arrived at it.
    pub total: CostTerms,
    /// The same by UTC day, in order.
    pub days: Vec<DayCosts>,
    /// From a call's arrival to its completion, of calls completed.
    pub latency: Latencies,
    /// Decisions of its autoscaler.
    pub decisions: u64,
    /// Of them those that the guard overrode.
    pub overridden: u64,
    /// Of them those taken without the load metric.
    pub blind: u64,
}

/// A decision of a service's autoscaler.
#[derive(Clone, Debug, PartialEq)]
pub struct DecisionRow {
    /// Whose pods it is about.
    pub service: ServiceId,
    /// What was seen and decided.
    pub record: DecisionRecord,
}

/// Requests of clients over the whole run, warm-up included: what was offered is done, failed or under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conservation {
    /// Requests that clients began.
    pub offered: u64,
    /// Answered.
    pub done: u64,
    /// Given up after their last try.
    pub failed: u64,
    /// Under way at the end.
    pub under_way: u64,
}

impl Conservation {
    /// Whether none was lost or invented.
    #[must_use]
    pub const fn holds(&self) -> bool {
        self.offered == self.done + self.failed + self.under_way
    }
}

impl Outcome {
    /// J in pod-seconds at the given prices; needs no new run.
    #[must_use]
    pub fn j(&self, costs: CostWeights) -> f64 {
        self.total.j(costs)
    }
}
