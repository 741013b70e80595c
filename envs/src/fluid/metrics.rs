//! What the metrics pipeline makes of a slot: counts as they were realised, CPU with the scatter of exponential service.
//!
//! A slot's values are what `rate()` makes of the scrapes at its two ends; [`crate::load::Traffic::is_missing`] says whether
//! both came, because without one of them nothing is known of the slot.
//! The fluid kernel knows nothing of memory, descriptors or sizes: those features stay missing rather than being invented.

use seatrial_core::observe::{Feature, Metrics, Sample};
use seatrial_core::time::Timestamp;

use super::queue::Flow;
use super::world::World;

/// What the kernel summed over one slot.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct SlotSums {
    pub(crate) arrivals: f64,
    pub(crate) completed: f64,
    pub(crate) bad: f64,
    pub(crate) waited_s: f64,
    /// Of those who left the queue, where they are followed.
    pub(crate) left_waited_s: f64,
    pub(crate) ready_s: f64,
    /// Requests completed by a pod that was ready all through the slot.
    pub(crate) completed_per_pod: f64,
}

/// What metrics show of a slot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct SlotMetrics {
    pub(crate) arrivals_per_s: f64,
    pub(crate) completed_per_s: f64,
    pub(crate) cpu_cores: f64,
    pub(crate) duration_s_per_s: f64,
    /// Unknown without requests.
    pub(crate) bad_ratio: Option<f64>,
}

impl SlotSums {
    pub(crate) fn add(&mut self, flow: &Flow, ready: u32, dt_s: f64) {
        self.arrivals += flow.arrivals;
        self.completed += flow.completed;
        self.bad += flow.bad;
        self.waited_s += flow.waited_s;
        self.left_waited_s += flow.left_waited_s;
        self.ready_s += f64::from(ready) * dt_s;
        if ready > 0 {
            self.completed_per_pod += flow.completed / f64::from(ready);
        }
    }

    /// The slot as metrics show it: `realised_per_s` requests arrived, `deviate` is the standard normal of the mean service time.
    #[inline]
    pub(crate) fn show(&self, world: &World, slot_s: f64, realised_per_s: f64, deviate: f64) -> SlotMetrics {
        let per_slot = 1.0 / slot_s;
        // Requests that really arrived, and were completed and waited, per request of the fluid.
        let per_arrival = if self.arrivals > 0.0 { 1.0 / self.arrivals } else { 0.0 };
        let realised_share = if self.arrivals > 0.0 { realised_per_s * slot_s * per_arrival } else { 1.0 };
        let completed = (self.completed * realised_share).min(self.ready_s * world.capacity);
        let scatter = if completed > 0.0 { (1.0 + deviate / completed.sqrt()).max(0.0) } else { 1.0 };
        let service_s = completed * world.mean_s * scatter;
        let cpu_s = service_s.min(self.ready_s * f64::from(world.workers));
        let waited_s = if world.is_patient {
            if self.completed > 0.0 { self.left_waited_s * completed / self.completed } else { 0.0 }
        } else {
            self.waited_s * per_arrival * completed
        };
        SlotMetrics {
            arrivals_per_s: realised_per_s,
            completed_per_s: completed * per_slot,
            cpu_cores: cpu_s * per_slot,
            duration_s_per_s: (waited_s + service_s) * per_slot,
            bad_ratio: (self.arrivals > 0.0).then(|| (self.bad * per_arrival).min(1.0)),
        }
    }

    /// CPU of one sampled pod in thousandths of a core, rounded up as Kubernetes' quantities are.
    #[expect(clippy::cast_possible_truncation, reason = "a few thousand")]
    pub(crate) fn cpu_milli_per_pod(&self, shown: &SlotMetrics) -> i64 {
        let share = if self.completed > 0.0 { self.completed_per_pod / self.completed } else { 0.0 };
        (shown.cpu_cores * share * 1_000.0 - 1e-9).ceil() as i64
    }
}

impl SlotMetrics {
    /// Writes the samples of a slot that ended at `at`.
    #[inline]
    pub(crate) fn write(&self, at: Timestamp, out: &mut Metrics) {
        let known = |value: f64| Some(Sample { at, value });
        out.set(Feature::ProcessCpuSecondsTotalRate, known(self.cpu_cores));
        out.set(Feature::HttpRequestDurationSecondsSumRate, known(self.duration_s_per_s));
        out.set(Feature::HttpRequestsTotalRate, known(self.arrivals_per_s));
        out.set(Feature::HttpRequestDurationSecondsCountRate, known(self.completed_per_s));
        out.set(Feature::BadRequestRatio, self.bad_ratio.and_then(known));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fluid::queue::Waiting;
    use crate::scenario::Scenario;
    use seatrial_core::rand::{Stream, standard_normal};

    fn sums(world: &World, rate: f64, ready: u32) -> SlotSums {
        let mut sums = SlotSums::default();
        for _ in 0..3 {
            sums.add(&Waiting::new(world, rate, ready).flow(world, 0.0, 5.0), ready, 5.0);
        }
        sums
    }

    #[test]
    fn busy_workers_burn_a_core_each() {
        let world = World::new(&Scenario::protocol_p1());
        let slot = sums(&world, 200.0, 8);
        let shown = slot.show(&world, 15.0, 200.0, 0.0);
        assert!((shown.cpu_cores - 16.0).abs() < 1e-9);
        assert_eq!(slot.cpu_milli_per_pod(&shown), 2_000);
        assert!((shown.completed_per_s - 200.0).abs() < 1e-9);
        assert!((shown.duration_s_per_s - 16.0).abs() < 0.01, "little waiting: service alone");
    }

    #[test]
    fn counts_are_the_realised_ones_and_never_beyond_the_limit() {
        let world = World::new(&Scenario::protocol_p1());
        let shown = sums(&world, 200.0, 8).show(&world, 15.0, 210.0, 0.0);
        assert!((shown.completed_per_s - 210.0).abs() < 1e-9 && shown.arrivals_per_s == 210.0);
        let overloaded = sums(&world, 900.0, 8).show(&world, 15.0, 930.0, 4.0);
        assert!((overloaded.completed_per_s - 400.0).abs() < 1e-9);
        assert!((overloaded.cpu_cores - 32.0).abs() < 1e-9, "limited to 4 cores a pod");
        assert_eq!(overloaded.bad_ratio, Some(1.0));
    }

    /// The mean of n exponential times has a relative standard deviation of 1/√n.
    #[test]
    fn cpu_scatters_as_exponential_service() {
        let world = World::new(&Scenario::protocol_p1());
        let slot = sums(&world, 20.0, 2);
        let ratios = (0..4_000).map(|i| {
            let shown = slot.show(&world, 15.0, 20.0, standard_normal(1, Stream::CpuPerRequest, 0, i));
            shown.cpu_cores / shown.completed_per_s / 0.08 - 1.0
        });
        let variance = ratios.map(|ratio| ratio * ratio).sum::<f64>() / 4_000.0;
        assert!((variance * 300.0 - 1.0).abs() < 0.1, "{variance}");
    }

    #[test]
    fn a_silent_slot_has_no_bad_ratio() {
        let world = World::new(&Scenario::protocol_p1());
        let shown = sums(&world, 0.0, 2).show(&world, 15.0, 0.0, 1.0);
        assert_eq!((shown.bad_ratio, shown.cpu_cores, shown.completed_per_s), (None, 0.0, 0.0));
    }
}
