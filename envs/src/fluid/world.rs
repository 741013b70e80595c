//! The numbers that a kernel computes with: a scenario with its regime applied, times in microseconds.

use seatrial_core::math;
use seatrial_core::rand::{Stream, standard_normal};
use seatrial_core::time::{Span, Timestamp};

use super::work::Work;
use crate::scenario::{CostWeights, Scenario};

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(crate) struct World {
    pub(crate) workers: u32,
    pub(crate) mean_s: f64,
    /// Requests per second of one ready pod.
    pub(crate) capacity: f64,
    /// 1 over [`Work::spread`].
    per_spread: f64,
    pub(crate) slo_wait_s: f64,
    pub(crate) timeout_s: f64,
    /// Longest queue in seconds of work: queue limit or client timeout, whichever binds first.
    pub(crate) limit_s: f64,
    /// Longest queue in requests for each ready pod, and while there is none, if that is limited too: only then may requests wait while
    /// no pod is ready.
    pub(crate) queue_limit: Option<f64>,
    /// Whether requests are judged when they leave the queue: see [`super::line`].
    pub(crate) is_patient: bool,
    start_up_median_s: f64,
    start_up_sigma: f64,
    pub(crate) termination: Span,
    pub(crate) step: Span,
    pub(crate) slot: Span,
    pub(crate) lag: Span,
    pub(crate) costs: CostWeights,
    pub(crate) smallest: u32,
    pub(crate) largest: u32,
}

impl World {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let mean_s = scenario.service.mean_s * scenario.regime.service_factor();
        Self {
            workers: scenario.service.workers,
            mean_s,
            capacity: f64::from(scenario.service.workers) / mean_s,
            per_spread: 1.0,
            slo_wait_s: scenario.slo_wait_s,
            timeout_s: scenario.client_timeout_s,
            limit_s: scenario.queue_limit_s.min(scenario.client_timeout_s),
            queue_limit: None,
            is_patient: false,
            start_up_median_s: scenario.start_up.median_s * scenario.regime.start_up_factor(),
            start_up_sigma: scenario.start_up.sigma,
            termination: Span::from_secs_f64(scenario.termination_s),
            step: Span::from_secs_f64(scenario.physics_step_s),
            slot: Span::from_secs_f64(scenario.metrics.scrape_s),
            lag: Span::from_secs_f64(scenario.regime.lag_s(scenario.metrics.lag_s)),
            costs: scenario.costs,
            smallest: scenario.workload.bounds.min,
            largest: scenario.workload.bounds.max,
        }
    }

    /// The same world with other work than exponential, of the same mean.
    pub(crate) fn with_work(self, work: &Work) -> Self {
        Self { per_spread: 1.0 / work.spread(), ..self }
    }

    /// Per second, at which the probability to wait longer falls while `spare` requests more could be served per second.
    #[inline]
    pub(crate) const fn decay(&self, spare: f64) -> f64 {
        spare * self.per_spread
    }

    /// The same world with a queue of at most `requests` per ready pod, if any number is given.
    pub(crate) const fn with_queue_limit(self, requests: Option<f64>) -> Self {
        Self { queue_limit: requests, ..self }
    }

    /// The same world, in which requests are judged when they leave the queue if they may wait longer than pods stay the same.
    pub(crate) fn with_patience(self) -> Self {
        Self { is_patient: self.slo_wait_s > self.step.as_secs_f64(), ..self }
    }

    /// Longest queue in requests of pods that serve `capacity` requests per second together. Without a ready pod nobody knows how
    /// long the wait will be, so nobody gives up before one is: then only the limit in requests holds, and none is none.
    #[inline]
    pub(crate) fn longest_queue(&self, capacity: f64) -> f64 {
        match self.queue_limit {
            Some(requests) if capacity > 0.0 => {
                let of_pods = requests * (capacity / self.capacity);
                // Who gives up is known by his own wait where each is followed.
                if self.is_patient { of_pods } else { of_pods.min(self.limit_s * capacity) }
            }
            Some(requests) => requests,
            None => self.limit_s * capacity,
        }
    }

    /// Start-up time of the pod with the given ordinal (created during the episode), in whole physics steps, at least one.
    pub(crate) fn start_up(&self, seed: u64, ordinal: u64) -> Span {
        let deviate = standard_normal(seed, Stream::PodStartUp, ordinal, 0);
        let seconds = self.start_up_median_s * math::exp(self.start_up_sigma * deviate);
        self.whole_steps(Span::from_secs_f64(seconds))
    }

    pub(crate) const fn start_up_median_s(&self) -> f64 {
        self.start_up_median_s
    }

    /// Probability that a start-up, before it is rounded to physics steps, takes less than `seconds`.
    pub(crate) fn start_up_probability(&self, seconds: f64) -> f64 {
        if self.start_up_median_s <= 0.0 || self.start_up_sigma <= 0.0 {
            return if seconds > self.start_up_median_s { 1.0 } else { 0.0 };
        }
        math::normal_cdf(math::ln(seconds / self.start_up_median_s) / self.start_up_sigma)
    }

    /// The quantile of the start-up, before it is rounded to physics steps, in seconds.
    pub(crate) fn start_up_quantile_s(&self, level: f64) -> f64 {
        self.start_up_median_s * math::exp(self.start_up_sigma * math::normal_quantile(level))
    }

    /// The moment `wanted` by an autoscaler that decided at `now`: on the physics grid and after now.
    pub(crate) fn next_decision(&self, now: Timestamp, wanted: Timestamp) -> Timestamp {
        let wait = (wanted - now + self.step - Span::from_micros(1)).whole_steps(self.step).max(1);
        now + self.step * wait
    }

    /// `span` rounded to the nearest number of physics steps, at least one.
    fn whole_steps(&self, span: Span) -> Span {
        self.step * (span + self.step / 2).whole_steps(self.step).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Regime;

    fn sorted_start_ups(scenario: &Scenario) -> Vec<f64> {
        let world = World::new(scenario);
        let mut seconds: Vec<f64> = (0..4_000).map(|ordinal| world.start_up(1, ordinal).as_secs_f64()).collect();
        seconds.sort_unstable_by(f64::total_cmp);
        seconds
    }

    /// Lognormal with median 60 and sigma 0.2: P2.5 40.5, P97.5 88.8 (scipy.stats.lognorm.ppf).
    #[test]
    fn start_ups_are_lognormal() {
        let seconds = sorted_start_ups(&Scenario::protocol_p1());
        for (rank, expected) in [(100, 40.5), (2_000, 60.0), (3_900, 88.8)] {
            assert!((seconds[rank] / expected - 1.0).abs() < 0.05, "rank {rank}: {}", seconds[rank]);
        }
        assert!(seconds.iter().all(|s| s.fract() == 0.0), "whole physics steps");
    }

    #[test]
    fn slow_start_takes_three_times_as_long() {
        let plain = sorted_start_ups(&Scenario::protocol_p1());
        let slow = sorted_start_ups(&Scenario::protocol_p1().under(Regime::SlowStart));
        assert!(plain.iter().zip(&slow).all(|(plain, slow)| (slow - 3.0 * plain).abs() <= 2.0));
    }

    #[test]
    fn regimes_change_what_they_say() {
        let p1 = Scenario::protocol_p1();
        assert!((World::new(&p1.under(Regime::LessCapacity)).capacity - 35.0).abs() < 1e-9);
        assert_eq!(World::new(&p1.under(Regime::MetricLag)).lag, Span::from_secs(60));
        assert_eq!(World::new(&p1).lag, Span::from_secs(15));
    }
}
