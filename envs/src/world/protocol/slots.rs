//! What metrics show of each scrape slot: the counts of the requests that were really served.
//!
//! Written where the fluid kernel writes its own (`fluid::metrics`), with the same lost scrapes. Slots before the start are the
//! fluid kernel's, because no request of theirs is simulated.

use seatrial_core::observe::{Metrics, Observation};
use seatrial_core::time::Timestamp;

use crate::fluid::metrics::{SlotMetrics, SlotSums};
use crate::fluid::queue::Waiting;
use crate::fluid::world::World;
use crate::load::{Traffic, signed};

/// Slots kept beyond those that the lag hides.
const SPARE: i64 = 4;

/// See the module.
pub(crate) struct Slots {
    /// By slot number modulo its length.
    ring: Vec<Shown>,
}

/// A slot as it will be shown.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shown {
    /// `None` where nothing is known.
    pub(crate) metrics: Option<SlotMetrics>,
    /// Mean over the pods that were ready all through it.
    pub(crate) cpu_milli_per_pod: i64,
}

impl Slots {
    /// With the slots before the start of `traffic`, served by `ready` pods.
    pub(crate) fn new(world: &World, traffic: &Traffic, ready: u32) -> Self {
        let kept = world.lag.whole_steps(world.slot) + SPARE;
        let mut slots = Self { ring: vec![Shown::default(); usize::try_from(kept).unwrap_or(0)] };
        for slot in 1 - kept..0 {
            slots.set(slot, past(world, traffic, ready, slot));
        }
        slots
    }

    pub(crate) fn set(&mut self, slot: i64, shown: Shown) {
        let place = self.place(slot);
        self.ring[place] = shown;
    }

    fn place(&self, slot: i64) -> usize {
        usize::try_from(slot.rem_euclid(signed(self.ring.len()).max(1))).unwrap_or(0)
    }

    /// Writes what is visible now; answers with the begin of the visible slot (`None` if it is missing) and the CPU of a sampled
    /// pod.
    pub(crate) fn show(
        &self,
        world: &World,
        traffic: &Traffic,
        now: Timestamp,
        out: &mut Observation,
    ) -> (Option<Timestamp>, i64) {
        let slot = traffic.visible_slot(now, world.lag);
        out.metrics = Metrics::default();
        let Shown { metrics, cpu_milli_per_pod } = self.ring[self.place(slot)];
        match metrics.filter(|_| traffic.realised(slot).is_some() && !traffic.is_missing(slot)) {
            Some(metrics) => {
                metrics.write(traffic.slot_end(slot), &mut out.metrics);
                (Some(traffic.slot_end(slot - 1)), cpu_milli_per_pod)
            }
            None => (None, 0),
        }
    }
}

fn past(world: &World, traffic: &Traffic, ready: u32, slot: i64) -> Shown {
    let (Some(rate), Some(realised)) = (traffic.rate_in_slot(slot), traffic.realised(slot)) else {
        return Shown::default();
    };
    let slot_s = world.slot.as_secs_f64();
    let mut sums = SlotSums::default();
    sums.add(&Waiting::new(world, rate, ready).flow(world, 0.0, slot_s), ready, slot_s);
    let metrics = sums.show(world, slot_s, realised, traffic.service_deviate(slot));
    Shown { metrics: Some(metrics), cpu_milli_per_pod: sums.cpu_milli_per_pod(&metrics) }
}
