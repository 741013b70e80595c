//! From observations to slots: a sample is one slot, and a sample that should have come is a missing one.
//!
//! Which slot is due follows from the age that the last fresh sample had when it was first seen, not from a configured lag:
//! so a slower metrics pipeline does not make every slot look lost.

use serde::{Deserialize, Serialize};

use crate::observe::Observation;
use crate::scaling::policy::PastSlot;
use crate::time::{Span, Timestamp};

/// Turns the visible load sample of each observation into at most one new slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoadIntake {
    interval: Span,
    lag: Span,
    youngest: Option<Timestamp>,
}

impl LoadIntake {
    /// For samples every `interval` that are `lag` old when they first show.
    #[must_use]
    pub const fn new(interval: Span, lag: Span) -> Self {
        Self { interval, lag, youngest: None }
    }

    /// The slot that `observation` adds at `now`: a fresh sample, or a missing slot that was due. `None` if nothing is new.
    pub fn slot(&mut self, now: Timestamp, observation: &Observation) -> Option<PastSlot> {
        let (end, arrival_rate) = match observation.arrival_rate() {
            Some(sample) if self.youngest.is_none_or(|youngest| sample.at > youngest) => {
                self.lag = now.since(sample.at).max(Span::ZERO);
                (sample.at, Some(sample.value))
            }
            Some(_) => return None,
            None => {
                let youngest = self.youngest?;
                let due = (now - self.lag).since(youngest).whole_steps(self.interval);
                if due < 1 {
                    return None;
                }
                (youngest + self.interval * due, None)
            }
        };
        self.youngest = Some(end);
        Some(PastSlot { end, length: self.interval, arrival_rate })
    }

    /// Notes a slot that was folded in without an observation.
    pub fn note(&mut self, slot: &PastSlot) {
        if self.youngest.is_none_or(|youngest| slot.end > youngest) {
            self.youngest = Some(slot.end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::{Feature, Sample};

    fn seen(now_s: i64, sample: Option<(i64, f64)>) -> Observation {
        let mut observation = Observation::unknown(Timestamp::from_secs(now_s), 1);
        let sample = sample.map(|(at, value)| Sample { at: Timestamp::from_secs(at), value });
        observation.metrics.set(Feature::HttpRequestsTotalRate, sample);
        observation
    }

    #[test]
    fn each_slot_comes_once_and_a_lost_one_is_missing() {
        let mut intake = LoadIntake::new(Span::from_secs(15), Span::from_secs(15));
        let mut take = |now_s: i64, sample: Option<(i64, f64)>| {
            let observation = seen(now_s, sample);
            intake.slot(observation.now, &observation).map(|slot| (slot.end.micros() / 1_000_000, slot.arrival_rate))
        };
        assert_eq!(take(0, None), None, "nothing is due before anything came");
        assert_eq!(take(75, Some((15, 1.0))), Some((15, Some(1.0))), "60 s of lag, learnt here");
        assert_eq!(take(77, Some((15, 1.0))), None, "seen");
        assert_eq!(take(80, None), None, "not yet due");
        assert_eq!(take(90, None), Some((30, None)), "lost");
        assert_eq!(take(105, Some((45, 3.0))), Some((45, Some(3.0))));
        assert_eq!(take(150, None), Some((90, None)), "three lost at once");
        assert_eq!(take(151, Some((60, 3.0))), None, "too late");
    }
}
