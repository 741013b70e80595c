//! One simulated workload: jumps from event to event (bin, slot, midnight, pod ready) and books what happens in between.

use seatrial_core::observe::{Observation, Pods};
use seatrial_core::time::{Span, Timestamp};

use super::costs::{CostTerms, DAY, DayCosts, Ledger};
use super::metrics::SlotSums;
use super::pods::PodSet;
use super::queue::Waiting;
use super::world::World;
use crate::load::{Traffic, signed};

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
    /// Sums of the youngest slots, by slot number modulo its length.
    slots: Vec<SlotSums>,
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
            slots: vec![SlotSums::default(); usize::try_from(kept).unwrap_or(0)],
        };
        kernel.fill_past_slots(kept);
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
            self.pods.become_ready(next);
        }
        stretch
    }

    fn next_event(&self, until: Timestamp) -> Timestamp {
        let load = self.traffic.load();
        let after = |step: Span, origin: Timestamp| origin + step * ((self.now - origin).whole_steps(step) + 1);
        let grid = after(load.interval(), load.start()).min(after(self.world.slot, load.start()));
        let midnight = after(DAY, Timestamp::ZERO);
        let ready = self.pods.next_ready().unwrap_or(until);
        until.min(grid).min(midnight).min(ready)
    }

    fn pass(&mut self, next: Timestamp, stretch: &mut Stretch) {
        let load = self.traffic.load();
        let since_start = self.now - load.start();
        let (rate, ready) =
            (load.rate_of_bin(since_start.whole_steps(load.interval())).unwrap_or(0.0), self.pods.ready());
        if !self.waiting.is_for(rate, ready) {
            self.waiting = Waiting::new(&self.world, rate, ready);
        }
        let dt_s = (next - self.now).as_secs_f64();
        let flow = self.waiting.flow(&self.world, self.backlog, dt_s);
        let place = self.place(since_start.whole_steps(self.world.slot));
        if since_start.micros() % self.world.slot.micros() == 0 {
            self.slots[place] = SlotSums::default();
        }
        self.slots[place].add(&flow, ready, dt_s);
        let p95 = self.waiting.p95_s(&self.world, flow.backlog.max(self.backlog));
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

    /// Fills in what is visible now. The caller sets nothing else.
    pub(crate) fn observe(&mut self, desired: u32, out: &mut Observation) {
        let slot = self.traffic.visible_slot(self.now, self.world.lag);
        let mut counts = self.pods.counts(self.now, self.traffic.slot_end(slot - 1));
        out.metrics.clear();
        match self.traffic.realised(slot).filter(|_| !self.traffic.is_missing(slot)) {
            Some(realised) => {
                let sums = &self.slots[self.place(slot)];
                let deviate = self.traffic.service_deviate(slot);
                let shown = sums.show(&self.world, self.world.slot.as_secs_f64(), realised, deviate);
                shown.write(self.traffic.slot_end(slot), &mut out.metrics);
                counts.cpu_milli_per_sampled_pod = sums.cpu_milli_per_pod(&shown);
            }
            None => counts.sampled = 0,
        }
        out.now = self.now;
        out.spec_replicas = desired;
        out.status_replicas = self.pods.replicas();
        out.pods = Pods::Homogeneous(counts);
        self.pods.take_start_ups(&mut out.start_ups);
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
