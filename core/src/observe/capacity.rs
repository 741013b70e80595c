//! What one ready pod can serve, estimated from CPU seconds per completed request against the CPU limit.
//!
//! Capacity is never given: a stated value is a prior that the data overrule. The estimate keeps exponentially weighted sums
//! of CPU seconds and of completed requests (half-life 10 minutes). Its standard error comes from the spread of the slots'
//! own ratios, so no service-time distribution is assumed. The measured bad-request ratio corrects it: bad requests at a
//! utilisation where queueing theory expects none mean that a pod serves less than its CPU says.

use serde::{Deserialize, Serialize};

use super::{Feature, Observation, Workload};
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
    seen_until: Timestamp,
}

impl CapacityEstimator {
    /// An estimator for pods of the given workload, with its stated capacity as a prior.
    #[must_use]
    pub fn new(workload: &Workload) -> Self {
        let limit_cores = f64::from(workload.cpu_limit_milli) / 1_000.0;
        let prior = workload.stated_capacity.filter(|capacity| capacity.is_finite() && *capacity > 0.0);
        Self {
            limit_cores,
            cpu_seconds: prior.map_or(0.0, |capacity| PRIOR_REQUESTS * limit_cores / capacity),
            requests: prior.map_or(0.0, |_| PRIOR_REQUESTS),
            squared_deviation: 1.0,
            slots: 1.0,
            correction: 1.0,
            seen_until: Timestamp::from_micros(i64::MIN),
        }
    }

    /// Folds in what `observation` shows, once per slot, and answers with the estimate.
    pub fn update(&mut self, observation: &Observation, slot: Span) -> Option<CapacityEstimate> {
        let cpu = observation.metrics.get(Feature::ProcessCpuSecondsTotalRate);
        let completed = observation.metrics.get(Feature::HttpRequestDurationSecondsCountRate);
        if let (Some(cpu), Some(completed)) = (cpu, completed)
            && cpu.at == completed.at
            && completed.at > self.seen_until
        {
            self.fold(completed.at, cpu.value * slot.as_secs_f64(), completed.value * slot.as_secs_f64());
            self.correct(observation);
        }
        self.estimate()
    }

    /// The present estimate; `None` before enough was seen.
    #[must_use]
    pub fn estimate(&self) -> Option<CapacityEstimate> {
        if self.requests < FEWEST_REQUESTS || self.cpu_seconds <= 0.0 {
            return None;
        }
        let mean = self.limit_cores * self.requests / self.cpu_seconds;
        let relative_error = (self.squared_deviation / self.slots / self.requests).sqrt();
        let lower = mean * self.correction / (1.0 + LOWER_BOUND_Z * relative_error);
        (mean.is_finite() && lower > 0.0).then_some(CapacityEstimate { mean, lower })
    }

    fn fold(&mut self, at: Timestamp, cpu_seconds: f64, requests: f64) {
        if self.seen_until > Timestamp::from_micros(i64::MIN) {
            let keep = share_kept(at.since(self.seen_until));
            self.cpu_seconds *= keep;
            self.requests *= keep;
            self.squared_deviation *= keep;
            self.slots *= keep;
        }
        self.seen_until = at;
        if requests < 1.0 || cpu_seconds <= 0.0 {
            return;
        }
        if self.requests >= FEWEST_REQUESTS {
            let deviation = cpu_seconds / requests * (self.requests / self.cpu_seconds) - 1.0;
            self.squared_deviation += requests * deviation * deviation;
            self.slots += 1.0;
        }
        self.cpu_seconds += cpu_seconds;
        self.requests += requests;
    }

    fn correct(&mut self, observation: &Observation) {
        let (Some(load), Some(bad)) = (observation.arrival_rate(), observation.metrics.get(Feature::BadRequestRatio))
        else {
            return;
        };
        let ready = f64::from(observation.pods.counts(observation.now).ready);
        let mean = self.limit_cores * self.requests / self.cpu_seconds;
        let calm = load.value < CALM_UTILISATION * ready * mean;
        // Few requests scatter, small pods queue at low utilisation: only a clear contradiction counts.
        if calm && ready >= 4.0 && bad.value > ALARMING_BAD_RATIO {
            self.correction = (self.correction * CORRECTION_STEP).max(CORRECTION_FLOOR);
        } else {
            self.correction = (self.correction * CORRECTION_RECOVERY).min(1.0);
        }
    }
}

/// What is left of a sum after `elapsed`.
fn share_kept(elapsed: Span) -> f64 {
    if elapsed == USUAL_SLOT {
        return KEPT_OVER_USUAL_SLOT;
    }
    math::exp(-core::f64::consts::LN_2 * elapsed.as_secs_f64() / HALF_LIFE.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::{PodCounts, Pods, Sample};
    use crate::rand::{Stream, standard_normal};

    fn observation(at_s: i64, cores: f64, per_s: f64, bad: f64, ready: u32) -> Observation {
        let now = Timestamp::from_secs(at_s);
        let mut seen = Observation::unknown(now, ready);
        seen.pods = Pods::Homogeneous(PodCounts { ready, ..PodCounts::default() });
        for (feature, value) in [
            (Feature::ProcessCpuSecondsTotalRate, cores),
            (Feature::HttpRequestDurationSecondsCountRate, per_s),
            (Feature::HttpRequestsTotalRate, per_s),
            (Feature::BadRequestRatio, bad),
        ] {
            seen.metrics.set(feature, Some(Sample { at: now, value }));
        }
        seen
    }

    /// 4 CPU and 80 ms give 50 requests/s; exponential service makes a slot's mean scatter by 1/√n.
    #[test]
    fn finds_the_true_capacity_and_covers_it_from_below() {
        let slot = Span::from_secs(15);
        let (mut below, mut trials) = (0, 0);
        for seed in 0..200 {
            let mut estimator = CapacityEstimator::new(&Workload::protocol_p1());
            let mut last = None;
            for i in 0..40_i64 {
                let n = 200.0 * 15.0;
                let noise = standard_normal(seed, Stream::CpuPerRequest, 0, i as u32) / f64::sqrt(n);
                last = estimator.update(&observation(15 * (i + 1), 200.0 * 0.08 * (1.0 + noise), 200.0, 0.0, 8), slot);
            }
            let estimate = last.unwrap();
            assert!((estimate.mean / 50.0 - 1.0).abs() < 0.03, "{estimate:?}");
            trials += 1;
            below += i32::from(estimate.lower < 50.0);
        }
        assert!(below * 100 >= trials * 88, "lower bound holds in {below} of {trials}");
    }

    #[test]
    fn says_nothing_before_it_knows_and_starts_from_a_prior() {
        assert_eq!(CapacityEstimator::new(&Workload::protocol_p1()).estimate(), None);
        let stated = Workload { stated_capacity: Some(80.0), ..Workload::protocol_p1() };
        let prior = CapacityEstimator::new(&stated).estimate().unwrap();
        assert!((prior.mean - 80.0).abs() < 1e-9 && prior.lower < 80.0);
    }

    #[test]
    fn the_usual_slot_forgets_as_the_half_life_says() {
        let exact = math::exp(-core::f64::consts::LN_2 * 15.0 / 600.0);
        assert_eq!(share_kept(Span::from_secs(15)), exact);
        assert_eq!(share_kept(HALF_LIFE), math::exp(-core::f64::consts::LN_2));
    }

    #[test]
    fn a_slot_counts_once() {
        let mut estimator = CapacityEstimator::new(&Workload::protocol_p1());
        let seen = observation(15, 8.0, 100.0, 0.0, 4);
        estimator.update(&seen, Span::from_secs(15));
        let once = estimator;
        estimator.update(&seen, Span::from_secs(15));
        assert_eq!(estimator, once);
    }

    #[test]
    fn bad_requests_at_low_utilisation_shrink_the_lower_bound() {
        let mut estimator = CapacityEstimator::new(&Workload::protocol_p1());
        let mut lower = f64::INFINITY;
        for i in 1..20 {
            lower = estimator.update(&observation(15 * i, 8.0, 100.0, 0.2, 8), Span::from_secs(15)).unwrap().lower;
        }
        assert!(lower < 0.75 * 50.0, "{lower}");
    }
}
