//! One service of a [`super::network`]: its pods, its queue, its metrics and its costs, at a rate that others decide.
//!
//! What it does in a stretch of time is what [`super::kernel`] does: for a service alone the two are equal to the bit (tested), but where
//! requests may wait longer than pods stay the same: there they are judged when they leave the queue ([`super::line`]).

use seatrial_core::observe::{Observation, Pods};
use seatrial_core::time::{Span, Timestamp};

use super::costs::{DAY, Ledger};
use super::line::{Followed, Line};
use super::metrics::SlotSums;
use super::pods::PodSet;
use super::queue::{Flow, Waiting};
use super::world::World;
use crate::load::{Traffic, signed};

/// What happened to a service over some time, for rows of a timeline.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tally {
    pub(crate) arrived: f64,
    pub(crate) completed: f64,
    pub(crate) dropped: f64,
    pub(crate) ready_s: f64,
    /// The waiting of all of it, if it was the same throughout and nobody was queued before or after.
    pub(crate) steady: Option<Waiting>,
    pub(crate) begun: bool,
}

impl Tally {
    pub(crate) const EMPTY: Self =
        Self { arrived: 0.0, completed: 0.0, dropped: 0.0, ready_s: 0.0, steady: None, begun: false };

    fn add(&mut self, waiting: &Waiting, flow: &Flow, (ready, dt_s): (u32, f64), queued: bool) {
        self.arrived += flow.arrivals;
        self.completed += flow.completed;
        self.dropped += flow.dropped;
        self.ready_s += f64::from(ready) * dt_s;
        let same = !self.begun || self.steady.is_some_and(|before| before.is_same(waiting));
        self.steady = (same && !queued).then_some(*waiting);
        self.begun = true;
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Node<'a> {
    pub(crate) world: World,
    /// What would come to it if no service kept any back, as its seed realises it.
    traffic: &'a Traffic,
    /// Whether all its requests come from outside: then metrics show their realised counts as they are.
    all_direct: bool,
    pub(crate) pods: PodSet,
    pub(crate) backlog: f64,
    waiting: Waiting,
    /// Who is queued, where that decides who is bad.
    line: Option<Line>,
    slots: Vec<SlotSums>,
    /// Beside the slots, where requests are followed.
    followed: Vec<Followed>,
    place: usize,
    shown: Shown,
    ledger: Ledger,
    /// Since the last time that it was taken.
    pub(crate) tally: Tally,
    arrived: f64,
    completed: f64,
    dropped: f64,
    /// Completed and offered work of ready pods since results count.
    pub(crate) served: f64,
    pub(crate) servable: f64,
    days: usize,
}

#[derive(Clone, Copy, Debug)]
struct Shown {
    until: Timestamp,
    begin: Option<Timestamp>,
    cpu_milli_per_sampled_pod: i64,
}

impl<'a> Node<'a> {
    /// A service with `replicas` ready pods, which served the slots before the first one.
    pub(crate) fn new(world: World, traffic: &'a Traffic, replicas: u32, all_direct: bool) -> Self {
        let load = traffic.load();
        let kept = world.lag.whole_steps(world.slot) + 4;
        let days = usize::try_from((load.end() - load.start()).whole_steps(DAY) + 2).unwrap_or(0);
        let mut node = Self {
            world,
            traffic,
            all_direct,
            pods: PodSet::new(&world, traffic.seed(), replicas),
            backlog: 0.0,
            waiting: Waiting::new(&world, 0.0, replicas),
            line: None,
            slots: vec![SlotSums::default(); usize::try_from(kept).unwrap_or(0)],
            followed: vec![Followed::default(); usize::try_from(kept).unwrap_or(0)],
            place: 0,
            shown: Shown { until: Timestamp::from_micros(i64::MIN), begin: None, cpu_milli_per_sampled_pod: 0 },
            ledger: Ledger::with_room(days),
            tally: Tally::EMPTY,
            arrived: 0.0,
            completed: 0.0,
            dropped: 0.0,
            served: 0.0,
            servable: 0.0,
            days,
        };
        node.line = world.is_patient.then(|| Line::new(&world, &node.waiting));
        node.fill_past_slots(kept);
        node
    }

    fn fill_past_slots(&mut self, kept: i64) {
        let (ready, slot_s) = (self.pods.ready(), self.world.slot.as_secs_f64());
        for slot in 1 - kept..0 {
            let mut sums = SlotSums::default();
            let place = self.place_of(slot);
            if let Some(rate) = self.traffic.rate_in_slot(slot) {
                let waiting = Waiting::new(&self.world, rate, ready);
                let flow = waiting.flow(&self.world, 0.0, slot_s);
                sums.add(&flow, ready, slot_s);
                self.followed[place] = Followed::steady(&self.world, &flow);
                self.line = self.world.is_patient.then(|| Line::new(&self.world, &waiting));
            }
            self.slots[place] = sums;
        }
    }

    fn place_of(&self, slot: i64) -> usize {
        usize::try_from(slot.rem_euclid(signed(self.slots.len()).max(1))).unwrap_or(0)
    }

    pub(crate) fn scale(&mut self, now: Timestamp, replicas: u32) {
        let changes = self.pods.scale(&self.world, now, replicas);
        if changes > 0 {
            self.ledger.at(now).changes += f64::from(changes);
        }
    }

    /// Sets the rate of what comes from now on; answers with the waiting that follows, and the numbers that it follows from.
    pub(crate) fn meet(&mut self, rate: f64) -> (&Waiting, &World) {
        let ready = self.pods.ready();
        if !self.waiting.is_for(rate, ready) {
            self.waiting = Waiting::new(&self.world, rate, ready);
        }
        (&self.waiting, &self.world)
    }

    /// Lets the time from `now` to `next` pass.
    pub(crate) fn pass(&mut self, now: Timestamp, next: Timestamp) -> Flow {
        let (ready, dt_s) = (self.pods.ready(), (next - now).as_secs_f64());
        let mut flow = self.waiting.flow(&self.world, self.backlog, dt_s);
        if let Some(line) = &mut self.line {
            let followed = line.pass(&self.world, &self.waiting, (self.backlog, dt_s), &mut flow);
            self.followed[self.place].add(&followed);
        }
        self.slots[self.place].add(&flow, ready, dt_s);
        let queued = self.backlog > 0.0 || flow.backlog > 0.0;
        self.tally.add(&self.waiting, &flow, (ready, dt_s), queued);
        let terms = self.ledger.at(now);
        terms.requests += flow.arrivals;
        terms.bad_requests += flow.bad;
        terms.drops += flow.dropped;
        self.pods.pay(now, next, terms);
        self.backlog = flow.backlog;
        self.arrived += flow.arrivals;
        self.completed += flow.completed;
        self.dropped += flow.dropped;
        self.served += flow.completed;
        self.servable += f64::from(ready) * dt_s * self.world.capacity;
        flow
    }

    /// Workers that are busy at the present rate.
    pub(crate) fn busy_workers(&self) -> f64 {
        let rate = if self.backlog > 0.0 { self.waiting.capacity() } else { self.waiting.rate_through() };
        rate * self.world.mean_s
    }

    /// The next slot begins.
    pub(crate) fn turn_slot(&mut self) {
        self.place = if self.place + 1 == self.slots.len() { 0 } else { self.place + 1 };
        self.slots[self.place] = SlotSums::default();
        self.followed[self.place] = Followed::default();
    }

    /// Results count from now on.
    pub(crate) fn forget_costs(&mut self) {
        self.ledger = Ledger::with_room(self.days);
        (self.served, self.servable) = (0.0, 0.0);
    }

    /// Fills in what is visible now; the same observation is handed in from call to call.
    pub(crate) fn observe(&mut self, now: Timestamp, desired: u32, out: &mut Observation) {
        if now >= self.shown.until {
            self.show(now, out);
        }
        let mut counts = self.pods.counts(now, self.shown.begin);
        counts.cpu_milli_per_sampled_pod = self.shown.cpu_milli_per_sampled_pod;
        out.now = now;
        out.spec_replicas = desired;
        out.status_replicas = self.pods.replicas();
        out.pods = Pods::Homogeneous(counts);
        self.pods.take_start_ups(&mut out.start_ups);
    }

    fn show(&mut self, now: Timestamp, out: &mut Observation) {
        let slot = self.traffic.visible_slot(now, self.world.lag);
        let until = self.traffic.slot_end(slot + 1) + self.world.lag;
        self.shown = Shown { until, begin: None, cpu_milli_per_sampled_pod: 0 };
        out.metrics.clear();
        if let Some(realised) = self.traffic.realised(slot).filter(|_| !self.traffic.is_missing(slot)) {
            let place = self.place_of(slot);
            let sums = &self.slots[place];
            let slot_s = self.world.slot.as_secs_f64();
            let arrived = realised * self.share_that_came(sums, slot, slot_s);
            let deviate = self.traffic.service_deviate(slot);
            let shown = if self.line.is_some() {
                sums.show_followed(&self.followed[place], &self.world, slot_s, (arrived, deviate))
            } else {
                sums.show(&self.world, slot_s, arrived, deviate)
            };
            shown.write(self.traffic.slot_end(slot), &mut out.metrics);
            self.shown.begin = Some(self.traffic.slot_end(slot - 1));
            self.shown.cpu_milli_per_sampled_pod = sums.cpu_milli_per_pod(&shown);
        }
    }

    /// What came to it, for each call that would have come if no caller kept any back.
    fn share_that_came(&self, sums: &SlotSums, slot: i64, slot_s: f64) -> f64 {
        let nominal = self.traffic.rate_in_slot(slot).unwrap_or(0.0) * slot_s;
        if self.all_direct || nominal <= 0.0 { 1.0 } else { sums.arrivals / nominal }
    }

    /// Books what is owed at the end.
    pub(crate) fn settle(mut self, now: Timestamp) -> SettledNode {
        let owed = self.pods.unfinished_start_s(now);
        let last = self.ledger.at(now - Span::from_micros(1));
        last.starting_s += owed;
        last.left_over += self.backlog;
        let balance = self.arrived - self.completed - self.dropped - self.backlog;
        SettledNode {
            imbalance: balance.abs() / self.arrived.max(1.0),
            utilisation: if self.servable > 0.0 { self.served / self.servable } else { 0.0 },
            arrived: self.arrived,
            ledger: self.ledger,
        }
    }
}

/// What is left of a service at the end.
pub(crate) struct SettledNode {
    pub(crate) ledger: Ledger,
    pub(crate) imbalance: f64,
    pub(crate) utilisation: f64,
    pub(crate) arrived: f64,
}
