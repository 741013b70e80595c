//! What one ready pod can serve, estimated from CPU seconds per completed request against the CPU limit.
//!
//! Capacity is never given: a stated value is a prior that the data overrule. The estimate keeps exponentially weighted sums
//! of CPU seconds and of completed requests (half-life 10 minutes of slots in which requests were seen: an outage or a silent
//! night teaches nothing and forgets nothing). Its standard error comes from the spread of the slots' own ratios, so no
//! service-time distribution is assumed. The measured bad-request ratio corrects it: bad requests at a utilisation where
//! queueing theory expects none mean that a pod serves less than its CPU says. Metrics are late, so a slot's rate and bad
//! ratio are held against the pods that were ready in that slot (module `fleet`), not against those that are ready now.
//!
//! Invariants: total on any observation; the state is bounded and stays finite; a request counts once however often the
//! windows that show it are read.

mod fleet;

use serde::{Deserialize, Serialize};

use self::fleet::FewestReady;
use super::{Feature, Observation, Sample, Workload};
use crate::math;
use crate::time::{Span, Timestamp};

const HALF_LIFE: Span = Span::from_secs(600);
/// The scrape interval of protocol P1, whose exponential is known: the simulator folds millions of such slots a second.
const USUAL_SLOT: Span = Span::from_secs(15);
const KEPT_OVER_USUAL_SLOT: f64 = 0.982_820_598_545_251_1;
/// One-sided 95 %.
const LOWER_BOUND_Z: f64 = 1.645;
/// Weight of a prior, in requests.
const PRIOR_REQUESTS: f64 = 100.0;
/// The estimate is not used before this many requests were seen (or a prior was stated).
const FEWEST_REQUESTS: f64 = 20.0;
/// Bad ratio above which a slot speaks against the estimate, provided that utilisation is below [`CALM_UTILISATION`].
const ALARMING_BAD_RATIO: f64 = 0.05;
const CALM_UTILISATION: f64 = 0.7;
const CORRECTION_STEP: f64 = 0.98;
const CORRECTION_FLOOR: f64 = 0.5;
const CORRECTION_RECOVERY: f64 = 1.001;

/// Requests per second that one ready pod can serve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CapacityEstimate {
    /// Best estimate.
    pub mean: f64,
    /// Lower 95 % confidence bound, corrected by the measured bad ratio: what policies plan on.
    pub lower: f64,
}

/// A capacity that the user states.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CapacityPrior {
    /// Requests per second of one pod.
    pub requests_per_second: f64,
}

/// What metrics show of one slot. Every number is finite and not negative.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SeenSlot {
    /// Its end.
    pub end: Timestamp,
    /// Requests completed per second.
    pub completed_per_s: f64,
    /// CPU seconds used per second.
    pub cpu_cores: f64,
    /// Requests that arrived per second, if known.
    pub load_per_s: Option<f64>,
    /// Share of bad requests, if known.
    pub bad_ratio: Option<f64>,
}

/// The running estimate; see the module.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CapacityEstimator {
    limit_cores: f64,
    cpu_seconds: f64,
    requests: f64,
    /// Weighted sum of n·(ratio/mean − 1)² and its number of slots: the squared coefficient of variation of one request.
    squared_deviation: f64,
    slots: f64,
    correction: f64,
    /// End of the last slot that was folded in.
    seen_until: Option<Timestamp>,
    /// End of the last slot in which utilisation was low.
    calm_until: Option<Timestamp>,
    fleet: FewestReady,
}

impl CapacityEstimator {
    /// An estimator for pods of the given workload, with its stated capacity as a prior.
    #[must_use]
    pub fn new(workload: &Workload) -> Self {
        let limit_cores = f64::from(workload.cpu_limit_milli) / 1_000.0;
        let seconds = |capacity: f64| PRIOR_REQUESTS * limit_cores / capacity;
        let prior = workload.stated_capacity.map(seconds).filter(|seconds| seconds.is_finite() && *seconds > 0.0);
        Self {
            limit_cores,
            cpu_seconds: prior.unwrap_or(0.0),
            requests: prior.map_or(0.0, |_| PRIOR_REQUESTS),
            squared_deviation: 1.0,
            slots: 1.0,
            correction: 1.0,
            seen_until: None,
            calm_until: None,
            fleet: FewestReady::new(),
        }
    }

    /// Folds in what `observation` shows of the last `slot`, once, and answers with the estimate.
    pub fn update(&mut self, observation: &Observation, slot: Span) -> Option<CapacityEstimate> {
        let completed = observation.metrics.get(Feature::HttpRequestDurationSecondsCountRate);
        let seen = completed.and_then(|completed| {
            let value = |feature| at(observation, feature, completed.at).map(|sample| sample.value);
            Some(SeenSlot {
                end: completed.at,
                completed_per_s: completed.value,
                cpu_cores: value(Feature::ProcessCpuSecondsTotalRate)?,
                load_per_s: value(Feature::HttpRequestsTotalRate),
                bad_ratio: value(Feature::BadRequestRatio),
            })
        });
        self.fold_seen(observation.now, observation.pods.counts(observation.now).ready, seen.as_ref(), slot)
    }

    /// [`Self::update`] for whoever has no observation: `ready` pods are ready at `now`, and `seen` is the youngest visible `slot`.
    #[inline]
    pub fn fold_seen(
        &mut self,
        now: Timestamp,
        ready: u32,
        seen: Option<&SeenSlot>,
        slot: Span,
    ) -> Option<CapacityEstimate> {
        if slot > Span::ZERO {
            self.fleet.note(now, ready, slot);
            if let Some(seen) = seen.filter(|seen| self.seen_until.is_none_or(|until| seen.end > until)) {
                self.fold(seen, slot);
                self.correct(seen, slot);
            }
        }
        self.estimate()
    }

    /// The present estimate; `None` before enough was seen.
    #[must_use]
    #[inline]
    pub fn estimate(&self) -> Option<CapacityEstimate> {
        if !self.knows_enough() {
            return None;
        }
        let mean = self.mean();
        let relative_error = (self.squared_deviation / self.slots / self.requests).sqrt();
        let lower = mean * self.correction / (1.0 + LOWER_BOUND_Z * relative_error);
        (mean.is_finite() && lower > 0.0).then_some(CapacityEstimate { mean, lower })
    }

    fn knows_enough(&self) -> bool {
        self.requests >= FEWEST_REQUESTS && self.cpu_seconds > 0.0
    }

    fn mean(&self) -> f64 {
        self.limit_cores * self.requests / self.cpu_seconds
    }

    #[inline]
    fn fold(&mut self, seen: &SeenSlot, slot: Span) {
        let SeenSlot { end, completed_per_s, cpu_cores: cpu_per_s, .. } = *seen;
        // Windows that overlap show the same requests: of each, only the part counts that was not yet seen.
        let fresh = self.seen_until.map_or(slot, |seen| end.since(seen).min(slot));
        self.seen_until = Some(end);
        let (slot_s, fresh_s) = (slot.as_secs_f64(), fresh.as_secs_f64());
        if completed_per_s * slot_s < 1.0 || cpu_per_s <= 0.0 {
            return;
        }
        let keep = share_kept(fresh);
        let requests = completed_per_s * fresh_s;
        let (mut squared_deviation, mut slots) = (self.squared_deviation * keep, self.slots * keep);
        if self.requests >= FEWEST_REQUESTS {
            let deviation = cpu_per_s / completed_per_s * (self.requests / self.cpu_seconds) - 1.0;
            squared_deviation += requests * deviation * deviation;
            slots += fresh_s / slot_s;
        }
        let cpu_seconds = self.cpu_seconds * keep + cpu_per_s * fresh_s;
        let requests = self.requests * keep + requests;
        // A sample beyond all bounds must not stay in the sums for ever.
        if (cpu_seconds + requests + squared_deviation).is_finite() {
            *self = Self { cpu_seconds, requests, squared_deviation, slots, ..*self };
        }
    }

    #[inline]
    fn correct(&mut self, seen: &SeenSlot, slot: Span) {
        let end = seen.end;
        let ready = f64::from(self.fleet.in_slot(end, slot));
        let (Some(load), Some(bad)) = (seen.load_per_s, seen.bad_ratio) else { return };
        if ready == 0.0 || !self.knows_enough() {
            return;
        }
        let calm_before = self.calm_until.is_some_and(|until| until >= end - slot);
        let calm = load < CALM_UTILISATION * ready * self.mean();
        if calm {
            self.calm_until = Some(end);
        }
        // What queued up before is bad though the slot is calm, few requests scatter, small pods queue at low utilisation:
        // only a clear contradiction counts.
        if calm && calm_before && ready >= 4.0 && bad > ALARMING_BAD_RATIO {
            self.correction = (self.correction * CORRECTION_STEP).max(CORRECTION_FLOOR);
        } else {
            self.correction = (self.correction * CORRECTION_RECOVERY).min(1.0);
        }
    }
}

/// The sample of `feature` whose window ended at `end`.
fn at(observation: &Observation, feature: Feature, end: Timestamp) -> Option<Sample> {
    observation.metrics.get(feature).filter(|sample| sample.at == end)
}

/// What is left of a sum after `elapsed`.
fn share_kept(elapsed: Span) -> f64 {
    if elapsed == USUAL_SLOT {
        return KEPT_OVER_USUAL_SLOT;
    }
    math::exp(-core::f64::consts::LN_2 * elapsed.as_secs_f64() / HALF_LIFE.as_secs_f64())
}

#[cfg(test)]
mod tests;
