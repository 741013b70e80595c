//! Pods of an owner by state, and the pod-seconds in each: whole microseconds, so no order of summing matters.

use seatrial_core::time::{Span, Timestamp};

use super::pods::State;
use super::view::PodSeconds;

const STATES: usize = State::ALL.len();

#[derive(Clone, Copy, Debug)]
pub(super) struct Tally {
    counts: [u32; STATES],
    pod_us: [i64; STATES],
    until: Timestamp,
}

impl Tally {
    pub(super) const fn new(start: Timestamp) -> Self {
        Self { counts: [0; STATES], pod_us: [0; STATES], until: start }
    }

    pub(super) const fn count(&self, state: State) -> u32 {
        self.counts[state as usize]
    }

    /// A pod goes from one state to another; `None` is outside.
    pub(super) fn shift(&mut self, now: Timestamp, from: Option<State>, to: Option<State>) {
        if from == to {
            return;
        }
        self.pod_us = self.pod_us_at(now);
        self.until = now;
        if let Some(from) = from {
            self.counts[from as usize] -= 1;
        }
        if let Some(to) = to {
            self.counts[to as usize] += 1;
        }
    }

    fn pod_us_at(&self, now: Timestamp) -> [i64; STATES] {
        let elapsed_us = now.since(self.until).max(Span::ZERO).micros();
        std::array::from_fn(|state| self.pod_us[state] + elapsed_us * i64::from(self.counts[state]))
    }

    pub(super) fn seconds(&self, now: Timestamp) -> PodSeconds {
        let pod_us = self.pod_us_at(now);
        let seconds = |states: &[State]| {
            Span::from_micros(states.iter().map(|state| pod_us[*state as usize]).sum()).as_secs_f64()
        };
        PodSeconds {
            pending_s: seconds(&[State::Pending]),
            starting_s: seconds(&[State::Starting, State::Unreachable]),
            ready_s: seconds(&[State::Ready]),
            terminating_s: seconds(&[State::Terminating]),
        }
    }
}
