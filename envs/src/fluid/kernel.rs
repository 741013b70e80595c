//! One simulated workload: jumps from event to event (bin, slot, midnight, pod ready) and books what happens in between.
//!
//! A week has 40,320 slots and a controller may decide between them, so nothing is computed twice: the next bin, slot and
//! midnight are followed instead of divided out, waiting is computed once per (bin, ready pods), and an observation is only
//! rewritten where it changed.

use seatrial_core::observe::{Observation, Pods};
use seatrial_core::time::{Span, Timestamp};

use super::costs::{CostTerms, DAY, DayCosts, Ledger};
use super::erlang::{Ahead, LANES};
use super::metrics::SlotSums;
use super::pods::PodSet;
use super::queue::Waiting;
use super::world::World;
use crate::load::{Traffic, signed};

/// Numbers of ready pods for which waiting is remembered.
const AHEAD: usize = 16;

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Kernel<'a> {
    world: World,
    traffic: &'a Traffic,
    now: Timestamp,
    pods: PodSet,
    backlog: f64,
    completed: f64,
    ledger: Ledger,
    waiting: Waiting,
    /// P95 of the wait without backlog, for `waiting`.
    p95_s: f64,
    /// By ready pods modulo its length: a controller that goes up and down comes back to the same numbers.
    ahead: [Ahead; AHEAD],
    cursor: Cursor,
    /// Sums of the youngest slots, by slot number modulo its length.
    slots: Vec<SlotSums>,
    shown: Shown,
}

/// Where in the load the kernel is, and when that changes.
#[derive(Clone, Copy, Debug)]
struct Cursor {
    bin: usize,
    bin_end: Timestamp,
    /// Place of the present slot's sums.
    place: usize,
    slot_end: Timestamp,
    midnight: Timestamp,
}

/// What [`Kernel::observe`] wrote last: metrics change once per slot, however often they are read.
#[derive(Clone, Copy, Debug)]
struct Shown {
    /// From then on another slot is visible.
    until: Timestamp,
    /// Begin of the visible slot; `None` if it is missing.
    begin: Option<Timestamp>,
    cpu_milli_per_sampled_pod: i64,
}

/// What a stretch of time did, for rows of a timeline.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Stretch {
    pub(crate) arrivals: f64,
    pub(crate) bad: f64,
    pub(crate) completed: f64,
    pub(crate) ready_s: f64,
    /// Greatest of the P95 waits.
    pub(crate) p95_wait_s: f64,
}

/// What is left of a kernel at the end.
#[derive(Clone, Debug)]
pub(crate) struct Settled {
    pub(crate) days: Vec<DayCosts>,
    pub(crate) total: CostTerms,
    /// |offered − completed − dropped − queued| / offered: conservation says 0.
    pub(crate) imbalance: f64,
}

impl<'a> Kernel<'a> {
    /// The first moment of `traffic`, with the pods that its first rate calls for; they served the slots before it.
    pub(crate) fn new(world: World, traffic: &'a Traffic, replicas: u32) -> Self {
        let load = traffic.load();
        let kept = world.lag.whole_steps(world.slot) + 4;
        let days = (load.end() - load.start()).whole_steps(DAY) + 2;
        let mut kernel = Self {
            world,
            traffic,
            now: load.start(),
            pods: PodSet::new(&world, traffic.seed(), replicas),
            backlog: 0.0,
            completed: 0.0,
            ledger: Ledger::with_room(usize::try_from(days).unwrap_or(0)),
            waiting: Waiting::new(&world, 0.0, replicas),
            p95_s: 0.0,
            ahead: [Ahead::default(); AHEAD],
            cursor: Cursor {
                bin: 0,
                bin_end: load.start() + load.interval(),
                place: 0,
                slot_end: load.start() + world.slot,
                midnight: after(DAY, Timestamp::ZERO, load.start()),
            },
            slots: vec![SlotSums::default(); usize::try_from(kept).unwrap_or(0)],
            shown: Shown { until: Timestamp::from_micros(i64::MIN), begin: None, cpu_milli_per_sampled_pod: 0 },
        };
        kernel.fill_past_slots(kept);
        kernel.slots[0] = SlotSums::default();
        kernel
    }

    fn fill_past_slots(&mut self, kept: i64) {
        let (ready, slot_s) = (self.pods.ready(), self.world.slot.as_secs_f64());
        for slot in -kept..0 {
            let mut sums = SlotSums::default();
            if let Some(rate) = self.traffic.rate_in_slot(slot) {
                sums.add(&Waiting::new(&self.world, rate, ready).flow(&self.world, 0.0, slot_s), ready, slot_s);
            }
            let place = self.place(slot);
            self.slots[place] = sums;
        }
    }

    pub(crate) const fn now(&self) -> Timestamp {
        self.now
    }

    pub(crate) const fn pods(&self) -> &PodSet {
        &self.pods
    }

    pub(crate) const fn world(&self) -> &World {
        &self.world
    }

    /// Asks for `replicas`: creations and removals happen at once and are booked.
    pub(crate) fn scale(&mut self, replicas: u32) {
        let changes = self.pods.scale(&self.world, self.now, replicas);
        if changes > 0 {
            self.ledger.at(self.now).changes += f64::from(changes);
        }
    }

    /// From now on `ready` pods are ready, because somebody else starts and stops them; nothing is booked.
    pub(crate) fn set_ready(&mut self, ready: u32) {
        self.pods.set_ready(self.now, ready);
    }

    /// Requests in the queue.
    pub(crate) const fn backlog(&self) -> f64 {
        self.backlog
    }

    /// Sums of a slot that is not older than the lag, as far as it is over.
    pub(crate) fn slot_sums(&self, slot: i64) -> &SlotSums {
        &self.slots[self.place(slot)]
    }

    /// Lets time pass until `until` (at most the end of the load).
    pub(crate) fn advance(&mut self, until: Timestamp) -> Stretch {
        let until = until.min(self.traffic.load().end());
        let mut stretch = Stretch::default();
        while self.now < until {
            let next = self.next_event(until);
            self.pass(next, &mut stretch);
            self.turn();
        }
        stretch
    }

    fn next_event(&self, until: Timestamp) -> Timestamp {
        // Bins are whole numbers of slots: a bin ends where a slot does.
        let event = until.min(self.cursor.slot_end).min(self.cursor.midnight);
        self.pods.next_ready().map_or(event, |ready| event.min(ready))
    }

    /// What changes at the moment that was reached.
    fn turn(&mut self) {
        let Cursor { bin, bin_end, place, slot_end, midnight } = &mut self.cursor;
        if self.now == *slot_end {
            *slot_end += self.world.slot;
            *place = if *place + 1 == self.slots.len() { 0 } else { *place + 1 };
            self.slots[*place] = SlotSums::default();
        }
        if self.now == *bin_end {
            *bin_end += self.traffic.load().interval();
            *bin += 1;
        }
        if self.now == *midnight {
            *midnight += DAY;
        }
        self.pods.become_ready(self.now);
    }

    /// Waiting at the present rate and pods.
    fn update_waiting(&mut self, ready: u32) {
        let rates = self.traffic.load().rates_per_s();
        let bin = self.cursor.bin;
        let rate = rates.get(bin).copied().unwrap_or(0.0);
        if self.waiting.is_for(rate, ready) {
            return;
        }
        let ahead = &mut self.ahead[ready as usize % AHEAD];
        if !ahead.covers(bin, ready) {
            let mut coming = [0.0; LANES];
            for (coming, rate) in coming.iter_mut().zip(rates.iter().skip(bin)) {
                *coming = *rate;
            }
            *ahead = Ahead::new(&self.world, bin, ready, &coming);
        }
        self.waiting = Waiting::with_p_wait(&self.world, rate, ready, ahead.p_wait(bin));
        self.p95_s = self.waiting.random_p95_s();
    }

    fn pass(&mut self, next: Timestamp, stretch: &mut Stretch) {
        let ready = self.pods.ready();
        self.update_waiting(ready);
        let dt_s = (next - self.now).as_secs_f64();
        let flow = self.waiting.flow(&self.world, self.backlog, dt_s);
        self.slots[self.cursor.place].add(&flow, ready, dt_s);
        let p95 = self.waiting.p95_behind_s(&self.world, self.p95_s, flow.backlog.max(self.backlog));
        stretch.arrivals += flow.arrivals;
        stretch.bad += flow.bad;
        stretch.completed += flow.completed;
        stretch.ready_s += f64::from(ready) * dt_s;
        stretch.p95_wait_s = stretch.p95_wait_s.max(p95);
        let terms = self.ledger.at(self.now);
        terms.requests += flow.arrivals;
        terms.bad_requests += flow.bad;
        terms.drops += flow.dropped;
        self.pods.pay(self.now, next, terms);
        self.backlog = flow.backlog;
        self.completed += flow.completed;
        self.now = next;
    }

    /// Fills in what is visible now. The caller sets nothing else, and hands in the same observation from call to call: what
    /// did not change is not written again.
    pub(crate) fn observe(&mut self, desired: u32, out: &mut Observation) {
        if self.now >= self.shown.until {
            self.show(out);
        }
        let mut counts = self.pods.counts(self.now, self.shown.begin);
        counts.cpu_milli_per_sampled_pod = self.shown.cpu_milli_per_sampled_pod;
        out.now = self.now;
        out.spec_replicas = desired;
        out.status_replicas = self.pods.replicas();
        out.pods = Pods::Homogeneous(counts);
        self.pods.take_start_ups(&mut out.start_ups);
    }

    /// Writes the metrics of the slot that is visible now.
    fn show(&mut self, out: &mut Observation) {
        let slot = self.traffic.visible_slot(self.now, self.world.lag);
        self.shown = Shown {
            until: self.traffic.slot_end(slot + 1) + self.world.lag,
            begin: None,
            cpu_milli_per_sampled_pod: 0,
        };
        out.metrics.clear();
        if let Some(realised) = self.traffic.realised(slot).filter(|_| !self.traffic.is_missing(slot)) {
            let sums = &self.slots[self.place(slot)];
            let deviate = self.traffic.service_deviate(slot);
            let shown = sums.show(&self.world, self.world.slot.as_secs_f64(), realised, deviate);
            shown.write(self.traffic.slot_end(slot), &mut out.metrics);
            self.shown.begin = Some(self.traffic.slot_end(slot - 1));
            self.shown.cpu_milli_per_sampled_pod = sums.cpu_milli_per_pod(&shown);
        }
    }

    /// Books what is owed at the end.
    pub(crate) fn settle(mut self) -> Settled {
        let owed = self.pods.unfinished_start_s(self.now);
        let last = self.ledger.at(self.now - Span::from_micros(1));
        last.starting_s += owed;
        last.left_over += self.backlog;
        let total = self.ledger.total();
        let offered = self.traffic.load().offered_until(self.now);
        let balance = offered - self.completed - total.drops - self.backlog;
        Settled { imbalance: balance.abs() / offered.max(1.0), days: self.ledger.into_days(), total }
    }

    fn place(&self, slot: i64) -> usize {
        usize::try_from(slot.rem_euclid(signed(self.slots.len()).max(1))).unwrap_or(0)
    }
}

/// The first multiple of `step`, counted from `origin`, after `now`.
fn after(step: Span, origin: Timestamp, now: Timestamp) -> Timestamp {
    origin + step * ((now - origin).whole_steps(step) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::EpisodeLoad;
    use crate::scenario::Scenario;
    use proptest::prelude::*;

    const MINUTE: Span = Span::from_secs(60);

    /// Plays `wishes`, one a minute, and lets time pass in steps of `step`.
    fn settled(rates: &[f64], wishes: &[u32], seed: u64, step: Span) -> (Settled, Vec<SlotSums>) {
        let p1 = Scenario::protocol_p1();
        // Midnight lies inside.
        let start = Timestamp::from_secs(86_400 - 90);
        let load = EpisodeLoad::new(start, MINUTE, rates.to_vec(), vec![]).unwrap();
        let traffic = Traffic::new(&p1, &load, seed).unwrap();
        let mut kernel = Kernel::new(World::new(&p1), &traffic, 3);
        for wish in wishes {
            kernel.scale(*wish);
            let until = kernel.now() + MINUTE;
            while kernel.now() < until {
                kernel.advance(kernel.now() + step);
            }
        }
        let slots = (1..4).map(|back| *kernel.slot_sums(4 * signed(wishes.len()) - back)).collect();
        (kernel.settle(), slots)
    }

    fn close(one: f64, other: f64) -> bool {
        (one - other).abs() <= 1e-9 * (1.0 + other.abs())
    }

    proptest! {
        /// Jumping from event to event is stepping second by second: costs by term and day, and the counts of metrics. (Seconds waited
        /// are left out: a queue that reaches its limit within a stretch is taken to grow evenly all through it.)
        #[test]
        fn jumps_equal_steps(
            plan in prop::collection::vec((0.0..700.0_f64, 1_u32..15), 4),
            seed in 0_u64..1_000,
        ) {
            let (rates, wishes): (Vec<f64>, Vec<u32>) = plan.into_iter().unzip();
            let (jumped, of_jumps) = settled(&rates, &wishes, seed, MINUTE);
            let (stepped, of_steps) = settled(&rates, &wishes, seed, Span::from_secs(1));
            prop_assert_eq!(jumped.days.len(), 2);
            for (one, other) in jumped.days.iter().zip(&stepped.days) {
                prop_assert_eq!(one.day, other.day);
                let (one, other) = (one.terms, other.terms);
                prop_assert!(close(one.pod_seconds(), other.pod_seconds()), "{one:?} {other:?}");
                prop_assert!(close(one.bad_requests, other.bad_requests), "{one:?} {other:?}");
                prop_assert!(close(one.drops, other.drops) && close(one.left_over, other.left_over));
                prop_assert_eq!(one.changes, other.changes);
            }
            for (one, other) in of_jumps.iter().zip(&of_steps) {
                prop_assert!(close(one.completed, other.completed) && close(one.bad, other.bad), "{one:?} {other:?}");
                prop_assert!(close(one.arrivals, other.arrivals) && close(one.ready_s, other.ready_s));
            }
        }
    }
}
