//! Protocol P1 on the event kernel: every request one by one, under the fluid kernel's pods, metrics and books.
//!
//! [`run_on`] has the signature and the result of [`crate::episode::run_on`], so that a study re-scores its strategies with
//! unmodified bundles. What is the same in both: realised counts per slot, start-up times by ordinal, which pods go first, lost
//! scrapes, the moments of decisions, termination. What differs is the thing compared: each request waits in one FIFO that all
//! ready workers share, instead of in Erlang C.
//!
//! The pods are the fluid kernel's own (`fluid::pods::PodSet`): with equal decisions pod-seconds and changes are equal to the bit.
//! The requests are [`crate::serving`]'s, alone on their queue: no event of a cluster or of telemetry is handled. A test compares
//! it with the same scenario on a whole [`World`](super::World).
//!
//! # Deviations
//! 1. A request is booked bad when it turns out so, at most a client timeout after it arrived; the fluid kernel books it on
//!    arrival.
//! 2. The metrics of slots before the start are the fluid kernel's.

mod floor;
mod slots;

use seatrial_core::observe::{Observation, Pods};
use seatrial_core::scaling::autoscaler::Decision;
use seatrial_core::scaling::policy::View;
use seatrial_core::time::{Span, Timestamp};

use self::floor::{Floor, Totals};
use self::slots::{Shown, SlotCounts, Slots};
use super::costs::next_midnight;
use crate::episode::{Driver, EpisodeError, EpisodeResult, RowSink, StepRow};
use crate::fluid::costs::{DAY, Ledger};
use crate::fluid::pods::PodSet;
use crate::fluid::world::World;
use crate::load::Traffic;
use crate::scenario::Scenario;

/// Runs a strategy over the whole of `traffic`, request by request.
///
/// # Errors
/// If the scenario is not valid or the load does not fit, or (a bug) requests are not conserved.
pub fn run_on(
    scenario: &Scenario,
    traffic: &Traffic,
    driver: Driver<'_>,
    rows: RowSink<'_>,
) -> Result<EpisodeResult, EpisodeError> {
    scenario.validate()?;
    traffic.load().check_interval(Span::from_secs_f64(scenario.physics_step_s))?;
    Episode::new(scenario, traffic)?.run(driver, rows)
}

struct Episode<'a> {
    world: World,
    traffic: &'a Traffic,
    now: Timestamp,
    desired: u32,
    pods: PodSet,
    floor: Floor,
    slots: Slots,
    ledger: Ledger,
    cursor: Cursor,
    result: EpisodeResult,
}

/// Which slot and day it is, and what had been counted when they began.
struct Cursor {
    slot: i64,
    slot_end: Timestamp,
    midnight: Timestamp,
    at_slot_begin: Totals,
    booked: Totals,
}

/// What happened since the last decision.
#[derive(Clone, Copy, Default)]
struct Stretch {
    offered: f64,
    ready_s: f64,
}

impl<'a> Episode<'a> {
    fn new(scenario: &Scenario, traffic: &'a Traffic) -> Result<Self, EpisodeError> {
        let (world, load) = (World::new(scenario), traffic.load());
        let initial = scenario.initial_replicas(load.rates_per_s()[0]);
        let start = load.start();
        let days = (load.end() - start).whole_steps(DAY) + 2;
        Ok(Self {
            world,
            traffic,
            now: start,
            desired: initial,
            pods: PodSet::new(&world, traffic.seed(), initial),
            floor: Floor::new(scenario, traffic, initial)?,
            slots: Slots::new(&world, traffic, initial),
            ledger: Ledger::with_room(usize::try_from(days).unwrap_or(0)),
            cursor: Cursor {
                slot: 0,
                slot_end: traffic.slot_end(0),
                midnight: next_midnight(start),
                at_slot_begin: Totals::default(),
                booked: Totals::default(),
            },
            result: EpisodeResult::at_the_start(initial),
        })
    }

    fn run(mut self, driver: Driver<'_>, rows: RowSink<'_>) -> Result<EpisodeResult, EpisodeError> {
        let Driver { autoscaler, mut state } = driver;
        let end = self.traffic.load().end();
        let mut seen = Observation::unknown(self.now, self.desired);
        while self.now < end {
            self.observe(&mut seen);
            let (view, decision) = autoscaler.decide_viewed(self.now, &seen, &mut state);
            self.result.count(&seen, &decision);
            self.step(&view, &decision, rows)?;
        }
        self.settle()
    }

    fn observe(&mut self, out: &mut Observation) {
        let (begin, cpu_milli) = self.slots.show(&self.world, self.traffic, self.now, out);
        let mut counts = self.pods.counts(self.now, begin);
        counts.cpu_milli_per_sampled_pod = cpu_milli;
        out.now = self.now;
        out.spec_replicas = self.desired;
        out.status_replicas = self.pods.replicas();
        out.pods = Pods::Homogeneous(counts);
        self.pods.take_start_ups(&mut out.start_ups);
    }

    fn step(&mut self, view: &View<'_>, decision: &Decision, rows: RowSink<'_>) -> Result<(), EpisodeError> {
        let at = self.now;
        self.scale(decision.replicas)?;
        let (ready, starting, terminating) = (self.pods.ready(), self.pods.starting(), self.pods.terminating());
        let before = self.floor.totals();
        self.floor.forget_waits();
        let stretch = self.advance(self.world.next_decision(at, decision.next_at))?;
        let done = self.floor.totals().since(&before);
        let span = self.now - at;
        let slot = (at - self.traffic.load().start()).whole_steps(self.traffic.slot());
        let workers_s = stretch.ready_s * f64::from(self.world.workers);
        rows(&StepRow {
            at,
            span,
            rate_per_s: stretch.offered / span.as_secs_f64(),
            realised_rate_per_s: self.traffic.realised(slot).unwrap_or(0.0),
            ready,
            starting,
            terminating,
            desired: self.desired,
            utilisation: if workers_s > 0.0 { done.cpu_s / workers_s } else { 0.0 },
            p95_wait_s: self.floor.p95_wait_s(),
            requests: float(done.arrived),
            bad_requests: float(done.bad),
            view,
            decision,
        });
        Ok(())
    }

    /// Asks for `replicas`: creations and removals happen at once and are booked.
    fn scale(&mut self, replicas: u32) -> Result<(), EpisodeError> {
        self.desired = replicas;
        let ready = self.pods.ready();
        let changes = self.pods.scale(&self.world, self.now, replicas);
        if changes > 0 {
            self.ledger.at(self.now).changes += f64::from(changes);
            self.floor.leave(ready - self.pods.ready(), self.now + self.world.termination)?;
        }
        Ok(())
    }

    /// Lets time pass until `until` (at most the end of the load).
    fn advance(&mut self, until: Timestamp) -> Result<Stretch, EpisodeError> {
        let until = until.min(self.traffic.load().end());
        let mut stretch = Stretch::default();
        while self.now < until {
            let next = self.next_event(until);
            self.pass(next, &mut stretch)?;
            self.turn()?;
        }
        Ok(stretch)
    }

    fn next_event(&self, until: Timestamp) -> Timestamp {
        let event = until.min(self.cursor.slot_end).min(self.cursor.midnight);
        let pods = [self.pods.next_ready(), self.floor.next_gone()];
        pods.into_iter().flatten().fold(event, Timestamp::min)
    }

    fn pass(&mut self, next: Timestamp, stretch: &mut Stretch) -> Result<(), EpisodeError> {
        self.floor.run_before(next)?;
        let dt_s = (next - self.now).as_secs_f64();
        stretch.offered += self.traffic.rate_in_slot(self.cursor.slot).unwrap_or(0.0) * dt_s;
        stretch.ready_s += f64::from(self.pods.ready()) * dt_s;
        self.pods.pay(self.now, next, self.ledger.at(self.now));
        self.now = next;
        Ok(())
    }

    /// What changes at the moment that was reached.
    fn turn(&mut self) -> Result<(), EpisodeError> {
        if self.now == self.cursor.midnight {
            self.book();
            self.cursor.midnight += DAY;
        }
        if self.now == self.cursor.slot_end {
            self.close_slot();
        }
        let ready = self.pods.ready();
        self.pods.become_ready(self.now);
        self.floor.stop_gone(self.now)?;
        Ok(self.floor.join(self.pods.ready() - ready, self.now)?)
    }

    fn close_slot(&mut self) {
        let totals = self.floor.totals();
        let then = core::mem::replace(&mut self.cursor.at_slot_begin, totals);
        let counted = totals.since(&then);
        let counts = SlotCounts {
            arrived: counted.arrived,
            bad: counted.bad,
            completed: counted.completed,
            duration_s: counted.duration_s,
            cpu_s: counted.cpu_s,
        };
        let (slot_s, begin) = (self.world.slot.as_secs_f64(), self.cursor.slot_end - self.world.slot);
        let metrics = Some(counts.metrics(slot_s));
        let cpu_milli_per_pod = self.floor.close_slot(begin, slot_s);
        self.slots.set(self.cursor.slot, Shown { metrics, cpu_milli_per_pod });
        self.cursor.slot += 1;
        self.cursor.slot_end += self.world.slot;
    }

    /// Books the requests since the last booking on the day that ends.
    fn book(&mut self) {
        let totals = self.floor.totals();
        let new = totals.since(&core::mem::replace(&mut self.cursor.booked, totals));
        let terms = self.ledger.at(self.now - Span::from_micros(1));
        terms.requests += float(new.arrived);
        terms.bad_requests += float(new.bad);
        terms.drops += float(new.dropped);
    }

    fn settle(mut self) -> Result<EpisodeResult, EpisodeError> {
        self.book();
        self.floor.conservation()?;
        let totals = self.floor.totals();
        let last = self.ledger.at(self.now - Span::from_micros(1));
        last.starting_s += self.pods.unfinished_start_s(self.now);
        last.left_over += f64::from(totals.queued);
        let offered = float(realised_count(self.traffic));
        let known = totals.completed + totals.dropped + u64::from(totals.queued) + u64::from(totals.in_service);
        let relative = (offered - float(known)).abs() / offered.max(1.0);
        if relative > 0.0 {
            return Err(EpisodeError::NotConserved { relative });
        }
        self.result.total = self.ledger.total();
        self.result.days = self.ledger.into_days();
        Ok(self.result)
    }
}

/// Requests of the whole load.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts are whole and not negative")]
fn realised_count(traffic: &Traffic) -> u64 {
    let slot_s = traffic.slot().as_secs_f64();
    // The division that made rates of counts left dust.
    traffic.realised_per_s().iter().map(|per_s| (per_s * slot_s + 0.5).floor() as u64).sum()
}

#[expect(clippy::cast_precision_loss, reason = "counts of requests")]
const fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests;
