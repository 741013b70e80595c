//! What share of requests would be bad, as rules that weigh replicas against bad requests see it.
//!
//! The waiting formula of protocol P1 (Erlang C, a wait above 120 ms is bad, at or above capacity everything is) with what a
//! rule may know: the *estimated* capacity of a pod, and one worker per core of its CPU limit. A backlog from the past, drops
//! and failures are not in it: the model is optimistic right after an overload.
//!
//! One step of [`Sweep`] costs a few nanoseconds per worker and rate, because Erlang's recursion over workers gives every
//! number of pods on its way; [`WaitModel::bad_share`] answers for a single number. Source: [`crate::math::wait_exceeds`].

use super::config::ConfigError;
use crate::math;
use crate::observe::{Bounds, CapacityEstimate, Workload};

/// A longer wait is bad (protocol P1).
const LONGEST_WAIT_S: f64 = 0.120;
/// Rates are cut here: far above any cluster, and costs stay finite.
const GREATEST_RATE: f64 = 1e9;
/// Capacities outside are not estimates but accidents.
const CAPACITIES: core::ops::RangeInclusive<f64> = 1e-6..=1e9;
const MOST_WORKERS: f64 = 256.0;
/// Costs of a decision grow with the number of pods; clusters end below this.
const MOST_PODS: u32 = 10_000;

/// Pods of a workload as groups of workers on one queue.
#[derive(Clone, Copy, Debug)]
pub(in crate::scaling) struct WaitModel {
    workers_per_pod: u32,
}

impl WaitModel {
    /// One worker per core of the CPU limit, at least one.
    pub(in crate::scaling) fn of(workload: &Workload) -> Self {
        let cores = libm::round(f64::from(workload.cpu_limit_milli) / 1_000.0);
        Self { workers_per_pod: math::ceil_to_u32(cores.clamp(1.0, MOST_WORKERS)) }
    }

    /// The model, if the bounds are such that going through all pods ends.
    pub(in crate::scaling) fn up_to(self, id: &'static str, bounds: Bounds) -> Result<Self, ConfigError> {
        if bounds.max <= MOST_PODS {
            return Ok(self);
        }
        let key = "greatest number of replicas";
        Err(ConfigError::Range { id, key, got: bounds.max.to_string(), allowed: "at most 10000" })
    }

    /// Share of bad requests at `rate` on `pods` ready pods that serve `capacity` requests per second each.
    pub(in crate::scaling) fn bad_share(self, pods: u32, rate: f64, capacity: f64) -> f64 {
        if rate <= 0.0 {
            return 0.0;
        }
        // The recursion is only worth its steps where the pods could keep up.
        if f64::from(pods) * capacity <= rate {
            return 1.0;
        }
        let service_s = f64::from(self.workers_per_pod) / capacity;
        math::wait_exceeds(pods.saturating_mul(self.workers_per_pod), rate, service_s, LONGEST_WAIT_S)
    }

    /// The shares at several rates at once, for a growing number of pods.
    pub(in crate::scaling) fn sweep<const RATES: usize>(self, rates: [f64; RATES], capacity: f64) -> Sweep<RATES> {
        let service_s = f64::from(self.workers_per_pod) / capacity;
        Sweep {
            rates,
            capacity,
            workers_per_pod: self.workers_per_pod,
            per_load: rates.map(|rate| 1.0 / (rate * service_s)),
            inverse_b: [1.0; RATES],
            decay: [1.0; RATES],
            decay_per_pod: math::exp(-capacity * LONGEST_WAIT_S),
            pods: 0,
        }
    }
}

/// Bad shares at several rates for a number of pods that only grows.
#[derive(Clone, Copy, Debug)]
pub(in crate::scaling) struct Sweep<const RATES: usize> {
    rates: [f64; RATES],
    capacity: f64,
    workers_per_pod: u32,
    /// One over the offered load.
    per_load: [f64; RATES],
    /// One over Erlang B at the present number of workers.
    inverse_b: [f64; RATES],
    /// exp(−spare rate × longest wait); valid from the first number of pods that can keep up.
    decay: [f64; RATES],
    decay_per_pod: f64,
    pods: u32,
}

impl<const RATES: usize> Sweep<RATES> {
    /// The shares with `pods` pods, not fewer than were asked for before.
    pub(in crate::scaling) fn shares(&mut self, pods: u32) -> [f64; RATES] {
        while self.pods < pods {
            self.add_pod();
        }
        let mut shares = [0.0; RATES];
        for (i, share) in shares.iter_mut().enumerate() {
            *share = self.share(i);
        }
        shares
    }

    fn share(&self, i: usize) -> f64 {
        let (rate, limit) = (self.rates[i], f64::from(self.pods) * self.capacity);
        if rate <= 0.0 {
            0.0
        } else if limit <= rate {
            1.0
        } else {
            let utilisation = rate / limit;
            self.decay[i] / (utilisation + (1.0 - utilisation) * self.inverse_b[i])
        }
    }

    fn add_pod(&mut self) {
        let first = self.pods * self.workers_per_pod + 1;
        for worker in first..first + self.workers_per_pod {
            let worker = f64::from(worker);
            for (inverse_b, per_load) in self.inverse_b.iter_mut().zip(&self.per_load) {
                *inverse_b = 1.0 + worker * per_load * *inverse_b;
            }
        }
        let before = f64::from(self.pods) * self.capacity;
        self.pods += 1;
        let limit = f64::from(self.pods) * self.capacity;
        for (decay, rate) in self.decay.iter_mut().zip(&self.rates) {
            if before > *rate {
                *decay *= self.decay_per_pod;
            } else if limit > *rate {
                *decay = math::exp(-(limit - rate) * LONGEST_WAIT_S);
            }
        }
    }
}

/// A rate within what the model takes; `None` if it is no rate.
pub(in crate::scaling) fn sound_rate(rate: f64) -> Option<f64> {
    (rate >= 0.0).then_some(rate.min(GREATEST_RATE))
}

/// The capacity that policies plan on, if it is one.
pub(in crate::scaling) fn sound_capacity(estimate: Option<CapacityEstimate>) -> Option<f64> {
    estimate.map(|estimate| estimate.lower).filter(|lower| CAPACITIES.contains(lower))
}

/// The best estimate of capacity, if it is one: what happened is judged by it.
pub(in crate::scaling) fn best_capacity(estimate: Option<CapacityEstimate>) -> Option<f64> {
    estimate.map(|estimate| estimate.mean).filter(|mean| CAPACITIES.contains(mean))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_gives_the_same_as_the_formula() {
        let model = WaitModel::of(&Workload::protocol_p1());
        let rates = [0.0, 1.0, 140.0, 355.0, 999.0, 1_000.0];
        for capacity in [12.5, 50.0, 400.0] {
            let mut sweep = model.sweep(rates, capacity);
            for pods in [0, 1, 2, 3, 7, 8, 20, 21, 60, 100] {
                for (rate, share) in rates.into_iter().zip(sweep.shares(pods)) {
                    let expected = math::wait_exceeds(4 * pods, rate, 4.0 / capacity, 0.120);
                    let expected = if rate == 0.0 { 0.0 } else { expected };
                    let close = (share - expected).abs() <= 1e-12 + 1e-9 * expected;
                    assert!(close, "{pods} pods of {capacity} at {rate}: {share} {expected}");
                    assert!((model.bad_share(pods, rate, capacity) - expected).abs() < 1e-12);
                }
            }
        }
    }

    /// The formula column of protocol P1's waiting table.
    #[test]
    fn waiting_table_of_the_protocol() {
        let model = WaitModel::of(&Workload::protocol_p1());
        for (pods, load, expected) in [(1, 0.80, 0.180), (2, 0.90, 0.211), (5, 0.90, 0.027), (10, 0.95, 0.033)] {
            let share = model.bad_share(pods, load * 50.0 * f64::from(pods), 50.0);
            assert!((share - expected).abs() < 6e-4, "{pods} pods at {load}: {share}");
        }
    }

    #[test]
    fn bounds_without_end_are_refused() {
        let model = WaitModel::of(&Workload::protocol_p1());
        assert!(model.up_to("x", Bounds { min: 1, max: 10_000 }).is_ok());
        let message = model.up_to("x", Bounds { min: 1, max: 10_001 }).unwrap_err().to_string();
        assert!(message.contains("10001, must be at most 10000"), "{message}");
    }

    #[test]
    fn extremes_stay_shares() {
        let model = WaitModel::of(&Workload { cpu_limit_milli: 0, ..Workload::protocol_p1() });
        let rates = [f64::MIN_POSITIVE, 1e-12, 1e9];
        for capacity in [1e-6, 50.0, 1e9] {
            let mut sweep = model.sweep(rates, capacity);
            for pods in [0, 1, 1_000] {
                assert!(sweep.shares(pods).into_iter().all(|share| (0.0..=1.0).contains(&share)), "{pods} {capacity}");
            }
        }
        assert_eq!((sound_rate(f64::NAN), sound_rate(-1.0), sound_rate(f64::INFINITY)), (None, None, Some(1e9)));
        let lower = |lower| sound_capacity(Some(CapacityEstimate { mean: 1.0, lower }));
        assert_eq!((lower(f64::NAN), lower(0.0), lower(50.0)), (None, None, Some(50.0)));
    }
}
