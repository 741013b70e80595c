//! Fleet, kernel and counters in time: pure, so every order of scrapes and pods can be played.
//!
//! Pods change when they are told of; the kernel follows when it is asked. With a lag, counters are those of so long ago, and so
//! are the pods.

use std::collections::VecDeque;

use seatrial_core::time::{Span, Timestamp};
use seatrial_envs::episode::EpisodeError;
use seatrial_envs::load::Traffic;
use seatrial_envs::rehearsal::{Amounts, Rehearsal};
use seatrial_envs::scenario::Scenario;

use super::counters::Counters;
use super::fleet::Fleet;
use super::log::Row;
use crate::reconcile::Pace;

/// How time passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rhythm {
    /// Model time per time of the clock.
    pub pace: Pace,
    /// How old what is shown is, in model time.
    pub lag: Span,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Stage<'a> {
    rehearsal: Rehearsal<'a>,
    counters: Counters,
    rhythm: Rhythm,
    start: Timestamp,
    /// The first scrape, by the clock.
    began: Option<Timestamp>,
    /// Fleets that what is shown has not come to yet, in model time.
    coming: VecDeque<(Timestamp, Fleet)>,
    stretch: Stretch,
    rows: Vec<Row>,
}

/// What happened since the last row of the log.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    from: Timestamp,
    amounts: Amounts,
}

impl<'a> Stage<'a> {
    /// A stage without pods that has not begun.
    ///
    /// # Errors
    /// If the scenario is not valid or does not fit the traffic.
    pub fn new(scenario: &Scenario, traffic: &'a Traffic, rhythm: Rhythm) -> Result<Self, EpisodeError> {
        let start = traffic.load().start();
        Ok(Self {
            rehearsal: Rehearsal::new(scenario, traffic, 0)?,
            counters: Counters::default(),
            rhythm,
            start,
            began: None,
            coming: VecDeque::new(),
            stretch: Stretch { from: start, amounts: Amounts::default() },
            rows: Vec::new(),
        })
    }

    /// From `wall` on these pods are there.
    pub fn tell(&mut self, wall: Timestamp, fleet: Fleet) {
        match self.began {
            None => self.put(&fleet),
            Some(began) => self.coming.push_back((self.start + self.rhythm.pace.scaled(wall.since(began)), fleet)),
        }
    }

    /// Lets time pass until `wall`; the first scrape is where it begins.
    pub fn scrape(&mut self, wall: Timestamp) {
        self.began.get_or_insert(wall);
        self.advance(wall);
    }

    /// Lets time pass until `wall`, if it has begun.
    pub fn advance(&mut self, wall: Timestamp) {
        let Some(began) = self.began else { return };
        let until = self.start + self.rhythm.pace.scaled(wall.since(began)) - self.rhythm.lag;
        while let Some((at, fleet)) = self.coming.pop_front_if(|(at, _)| *at <= until) {
            self.pass(at);
            self.put(&fleet);
        }
        self.pass(until);
    }

    /// Whether the load is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.rehearsal.now() >= self.rehearsal.end()
    }

    /// What the pods have counted.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Requests in service or waiting.
    #[must_use]
    pub fn in_progress(&self) -> f64 {
        self.rehearsal.in_progress()
    }

    /// The moment that is shown, in model time.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.rehearsal.now()
    }

    /// The rows of the log since they were last taken.
    pub fn take_rows(&mut self) -> Vec<Row> {
        std::mem::take(&mut self.rows)
    }

    fn put(&mut self, fleet: &Fleet) {
        self.counters.set(fleet);
        if self.counters.serving() != self.rehearsal.ready() {
            self.end_row();
            self.rehearsal.set_ready(self.counters.serving());
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a time scale is at most 60")]
    fn pass(&mut self, until: Timestamp) {
        let until = until.min(self.rehearsal.end());
        while self.rehearsal.now() < until {
            let slot_end = self.rehearsal.slot_end();
            let happened = self.rehearsal.advance(slot_end.min(until));
            self.counters.add(&happened, 1.0 / self.rhythm.pace.0 as f64);
            self.stretch.amounts.add(&happened, 1.0);
            if self.rehearsal.now() == slot_end {
                self.end_row();
            }
        }
    }

    fn end_row(&mut self) {
        let until = self.rehearsal.now();
        let Stretch { from, amounts } =
            std::mem::replace(&mut self.stretch, Stretch { from: until, amounts: Amounts::default() });
        if let (true, Some(began)) = (from < until, self.began) {
            self.rows.push(Row {
                from,
                until,
                wall: began + (until.since(self.start) + self.rhythm.lag) / self.rhythm.pace.0,
                ready: self.rehearsal.ready(),
                requests: amounts.requests,
                bad: amounts.requests - amounts.good,
                backlog: self.rehearsal.backlog(),
            });
        }
    }
}

#[cfg(test)]
mod tests;
