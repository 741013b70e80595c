//! What the metrics pipeline makes of a slot: counts as they were realised, CPU with the scatter of exponential service.
//!
//! The scatter is that of workers that idle now and then. Where a queue is followed ([`super::line`]) what was completed behind it
//! used its workers to the full. Protocol P1 follows none: its CPU scatters in overload too, by 1 / √n of n requests.
//!
//! A slot's values are what `rate()` makes of the scrapes at its two ends; [`crate::load::Traffic::is_missing`] says whether
//! both came, because without one of them nothing is known of the slot.
//! The fluid kernel knows nothing of memory, descriptors or sizes: those features stay missing rather than being invented.

use seatrial_core::observe::{Feature, Metrics, Sample};
use seatrial_core::time::Timestamp;

use super::line::Followed;
use super::queue::Flow;
use super::world::World;

/// What the kernel summed over one slot.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct SlotSums {
    pub(crate) arrivals: f64,
    pub(crate) completed: f64,
    pub(crate) bad: f64,
    pub(crate) waited_s: f64,
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
        self.ready_s += f64::from(ready) * dt_s;
        if ready > 0 {
            self.completed_per_pod += flow.completed / f64::from(ready);
        }
    }

    /// The slot as metrics show it: `realised_per_s` requests arrived, `deviate` is the standard normal of the mean service time.
    #[inline]
    pub(crate) fn show(&self, world: &World, slot_s: f64, realised_per_s: f64, deviate: f64) -> SlotMetrics {
        let per_slot = 1.0 / slot_s;
        // Requests that were completed and waited, per request of the fluid.
        let per_arrival = if self.arrivals > 0.0 { 1.0 / self.arrivals } else { 0.0 };
        let completed =
            (self.completed * self.realised_share(slot_s, realised_per_s)).min(self.ready_s * world.capacity);
        let service_s = completed * world.mean_s * scatter(completed, deviate);
        let cpu_s = service_s.min(self.ready_s * f64::from(world.workers));
        let waited_s = self.waited_s * per_arrival * completed;
        SlotMetrics {
            arrivals_per_s: realised_per_s,
            completed_per_s: completed * per_slot,
            cpu_cores: cpu_s * per_slot,
            duration_s_per_s: (waited_s + service_s) * per_slot,
            bad_ratio: self.bad_ratio(),
        }
    }

    /// [`Self::show`] where each request is followed: it is counted when it is done, and behind a queue all workers are used.
    pub(crate) fn show_followed(
        &self,
        followed: &Followed,
        world: &World,
        slot_s: f64,
        (realised_per_s, deviate): (f64, f64),
    ) -> SlotMetrics {
        let Followed { at_capacity, finished } = followed;
        let per_slot = 1.0 / slot_s;
        let free = (self.completed - at_capacity) * self.realised_share(slot_s, realised_per_s);
        let served = (at_capacity + free).min(self.ready_s * world.capacity);
        let free = (served - at_capacity).max(0.0);
        let cpu_s = (at_capacity + free * scatter(free, deviate)) * world.mean_s;
        let realised = if self.completed > 0.0 { served / self.completed } else { 1.0 };
        let requests = finished.requests * realised;
        let service_s = finished.service_s * realised * scatter(requests, deviate);
        SlotMetrics {
            arrivals_per_s: realised_per_s,
            completed_per_s: requests * per_slot,
            cpu_cores: cpu_s.min(self.ready_s * f64::from(world.workers)) * per_slot,
            duration_s_per_s: (finished.waited_s * realised + service_s) * per_slot,
            bad_ratio: self.bad_ratio(),
        }
    }

    /// Requests that really arrived, per request of the fluid.
    #[inline]
    fn realised_share(&self, slot_s: f64, realised_per_s: f64) -> f64 {
        if self.arrivals > 0.0 { realised_per_s * slot_s * (1.0 / self.arrivals) } else { 1.0 }
    }

    #[inline]
    fn bad_ratio(&self) -> Option<f64> {
        (self.arrivals > 0.0).then(|| (self.bad * (1.0 / self.arrivals)).min(1.0))
    }

    /// CPU of one sampled pod in thousandths of a core, rounded up as Kubernetes' quantities are.
    #[expect(clippy::cast_possible_truncation, reason = "a few thousand")]
    pub(crate) fn cpu_milli_per_pod(&self, shown: &SlotMetrics) -> i64 {
        let share = if self.completed > 0.0 { self.completed_per_pod / self.completed } else { 0.0 };
        (shown.cpu_cores * share * 1_000.0 - 1e-9).ceil() as i64
    }
}

/// What the mean work of so many requests scatters by, given a standard normal deviate.
#[inline]
fn scatter(requests: f64, deviate: f64) -> f64 {
    if requests > 0.0 { (1.0 + deviate / requests.sqrt()).max(0.0) } else { 1.0 }
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

    /// While there is a queue every worker is busy: however long its requests were, a core was used for all of the time.
    #[test]
    fn a_queue_uses_every_core_without_scatter() {
        let world = World::new(&Scenario::protocol_p1());
        let flow = Waiting::new(&world, 90.0, 1).flow(&world, 100.0, 15.0);
        let mut slot = SlotSums::default();
        slot.add(&flow, 1, 15.0);
        assert!(
            slot.show(&world, 15.0, 90.0, -2.0).cpu_cores < 3.8,
            "protocol P1 follows nobody, and its CPU scatters"
        );
        let followed = Followed { at_capacity: flow.completed, ..Followed::steady(&world, &flow) };
        for deviate in [-3.0, 0.0, 3.0] {
            let shown = slot.show_followed(&followed, &world, 15.0, (95.0, deviate));
            assert!((shown.cpu_cores - 4.0).abs() < 1e-9, "{shown:?}");
        }
    }

    /// In the steady state both ways of counting show the same.
    #[test]
    fn following_changes_nothing_in_the_steady_state() {
        let world = World::new(&Scenario::protocol_p1());
        let flow = Waiting::new(&world, 180.0, 4).flow(&world, 0.0, 15.0);
        let mut slot = SlotSums::default();
        slot.add(&flow, 4, 15.0);
        let (one, other) = (
            slot.show(&world, 15.0, 171.0, 0.7),
            slot.show_followed(&Followed::steady(&world, &flow), &world, 15.0, (171.0, 0.7)),
        );
        for (one, other) in [
            (one.completed_per_s, other.completed_per_s),
            (one.cpu_cores, other.cpu_cores),
            (one.duration_s_per_s, other.duration_s_per_s),
        ] {
            assert!((one / other - 1.0).abs() < 1e-12 && one > 0.0);
        }
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
