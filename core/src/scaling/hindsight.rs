//! What came of earlier forecasts: the greatest rate over the horizon of each, once every slot of it was seen.
//!
//! Forecasters that learn from their own errors (`holt-winters`, `conformal`) keep their forecasts here until then. A forecast
//! whose horizon has a missing slot is dropped: nothing is scored against a guess. Rates are observed counts, so their greatest
//! value has the noise of counts in it; that is all that can be known.
//!
//! Invariants: a forecast is scored only by slots that ended after it was made; at most 17 forecasts wait.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::observe::SLOT;
use crate::scaling::policy::PastSlot;
use crate::time::Span;

/// A longest list that leaves room for a forecast per slot of the default horizon, and keeps snapshots small.
const MOST_WAITING: i64 = 16;

/// When forecasts are due, and how far apart those are that wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::scaling) struct Due {
    slots: i64,
    stride: i64,
}

impl Due {
    /// A forecast over `horizon` waits until the horizon is over; as many of them overlap as there is room for.
    pub(in crate::scaling) fn overlapping(horizon: Span) -> Self {
        let slots = slots(horizon);
        Self { slots, stride: (slots + MOST_WAITING - 1) / MOST_WAITING }
    }

    /// One forecast at a time: errors of windows that do not overlap.
    pub(in crate::scaling) fn apart(horizon: Span) -> Self {
        let slots = slots(horizon);
        Self { slots, stride: slots }
    }
}

fn slots(horizon: Span) -> i64 {
    (horizon + SLOT - Span::from_micros(1)).whole_steps(SLOT).max(1)
}

/// Forecasts that wait, oldest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::scaling) struct Hindsight<F> {
    last: Option<i64>,
    waiting: VecDeque<Waiting<F>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Waiting<F> {
    made: i64,
    greatest: f64,
    forecast: F,
}

impl<F: Copy> Hindsight<F> {
    pub(in crate::scaling) fn new() -> Self {
        Self { last: None, waiting: VecDeque::with_capacity(20) }
    }

    /// Folds in `slot` and hands each forecast that is due to `score`, with the greatest rate that followed it. Answers whether
    /// the slot was new.
    pub(in crate::scaling) fn see(&mut self, due: Due, slot: &PastSlot, mut score: impl FnMut(&F, f64)) -> bool {
        let index = slot_index(slot);
        if self.last.is_some_and(|last| index <= last) {
            return false;
        }
        let first = index - slot.length.whole_steps(SLOT).max(1) + 1;
        let gap = self.last.is_some_and(|last| first > last + 1);
        self.last = Some(index);
        match known(slot) {
            Some(rate) if !gap => self.extend(due, index, rate, &mut score),
            // The slot belongs to the horizon of every forecast that waits.
            _ => self.waiting.clear(),
        }
        true
    }

    /// Keeps `forecast`, made at the end of the youngest slot, unless the one before is too young.
    pub(in crate::scaling) fn keep(&mut self, due: Due, forecast: F) {
        let Some(made) = self.last else { return };
        if self.waiting.back().is_none_or(|before| made - before.made >= due.stride) {
            self.waiting.push_back(Waiting { made, greatest: 0.0, forecast });
        }
    }

    fn extend(&mut self, due: Due, index: i64, rate: f64, score: &mut impl FnMut(&F, f64)) {
        for waiting in &mut self.waiting {
            waiting.greatest = waiting.greatest.max(rate);
        }
        while let Some(over) = self.waiting.front().copied().filter(|waiting| index - waiting.made >= due.slots) {
            self.waiting.pop_front();
            score(&over.forecast, over.greatest);
        }
    }
}

/// Number of the slot that ends at or just before the end of `slot`.
pub(in crate::scaling) const fn slot_index(slot: &PastSlot) -> i64 {
    slot.end.micros().div_euclid(SLOT.micros()) - 1
}

/// Greatest rate that is believed: beyond it sums would leave single precision.
const MOST_RATE: f64 = 1e12;

/// The slot's rate, if it is one.
pub(in crate::scaling) fn known(slot: &PastSlot) -> Option<f64> {
    slot.arrival_rate.filter(|rate| rate.is_finite() && *rate >= 0.0).map(|rate| rate.min(MOST_RATE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn slot(index: i64, arrival_rate: Option<f64>) -> PastSlot {
        PastSlot { end: Timestamp::from_secs(15 * index), length: SLOT, arrival_rate }
    }

    /// Every forecast is the number of the slot after which it was made; answers with what was scored.
    fn run(due: Due, rates: &[Option<f64>]) -> Vec<(i64, f64)> {
        let (mut hindsight, mut scored) = (Hindsight::new(), Vec::new());
        for (index, rate) in (1..).zip(rates) {
            assert!(hindsight.see(due, &slot(index, *rate), |made, greatest| scored.push((*made, greatest))));
            assert!(!hindsight.see(due, &slot(index, Some(1e9)), |_, _| panic!("the slot is not new")));
            hindsight.keep(due, index);
            assert!(hindsight.waiting.len() <= 17);
        }
        scored
    }

    #[test]
    fn a_forecast_is_scored_by_the_greatest_rate_of_its_own_horizon() {
        let due = Due::overlapping(Span::from_secs(45));
        let rates = [9.0, 1.0, 5.0, 2.0, 3.0, 1.0, 8.0].map(Some);
        assert_eq!(run(due, &rates), [(1, 5.0), (2, 5.0), (3, 3.0), (4, 8.0)]);
        assert_eq!(run(Due::apart(Span::from_secs(31)), &rates), [(1, 5.0), (4, 8.0)], "31 s touch three slots");
    }

    #[test]
    fn a_missing_slot_drops_every_forecast_over_it() {
        let due = Due::overlapping(Span::from_secs(30));
        let rates = [Some(1.0), Some(2.0), None, Some(4.0), Some(f64::NAN), Some(3.0), Some(1.0), Some(2.0)];
        assert_eq!(run(due, &rates), [(5, 3.0), (6, 2.0)]);
    }

    #[test]
    fn skipped_slots_are_missing_and_long_slots_are_not_gaps() {
        let due = Due::overlapping(Span::from_secs(60));
        let mut hindsight = Hindsight::new();
        let mut scored = Vec::new();
        for (index, length, rate) in [(4, 60, 1.0), (8, 60, 2.0), (12, 60, 1.0), (17, 60, 5.0), (21, 60, 6.0)] {
            let long = PastSlot { length: Span::from_secs(length), ..slot(index, Some(rate)) };
            hindsight.see(due, &long, |made, greatest| scored.push((*made, greatest)));
            hindsight.keep(due, index);
        }
        assert_eq!(scored, [(4, 2.0), (8, 1.0), (17, 6.0)]);
    }

    #[test]
    fn the_longest_horizon_waits_in_a_bounded_list() {
        let rates: Vec<Option<f64>> = (0..2_000).map(|index| Some(f64::from(index % 100))).collect();
        let scored = run(Due::overlapping(Span::from_secs(3_600)), &rates);
        assert!(scored.len() > 100 && scored.iter().all(|(_, greatest)| *greatest == 99.0));
    }
}
