//! When a policy decides: as soon as a new sample is there, at the latest a little after it should have been.
//!
//! Prometheus does not tell of a scrape, so the newest sample's time is asked for, first when the next scrape is due, then
//! twice a second. What has no sample time (a query of the user's own), or decides more often than there are scrapes, goes by the
//! policy's cadence alone.

use seatrial_core::time::{Span, Timestamp};

use super::machine::Pace;

/// Time between two questions for a new sample, by the clock.
const POLL: Span = Span::from_millis(500);
/// How long a sample may be late before a decision is made without it, by the clock.
const GRACE: Span = Span::from_secs(5);

/// A memory of windows has a hole when so many decisions were missed.
const MISSED: i64 = 4;

/// See the module. All times are the machine's.
#[derive(Clone, Debug)]
pub(super) struct Rhythm {
    pace: Pace,
    /// Newest sample, and the one that the last decision saw.
    newest: Option<Timestamp>,
    used: Option<Timestamp>,
    scrape: Span,
    decided_at: Timestamp,
    /// When the policy wants to decide next; `None` before its first decision.
    next_at: Option<Timestamp>,
    not_before: Option<Timestamp>,
    /// A write failed: decide again then, new sample or not.
    again_at: Option<Timestamp>,
}

impl Rhythm {
    pub(super) const fn new(pace: Pace) -> Self {
        Self {
            pace,
            newest: None,
            used: None,
            scrape: Span::from_secs(15),
            decided_at: Timestamp::ZERO,
            next_at: None,
            not_before: None,
            again_at: None,
        }
    }

    /// Notes the newest sample's time.
    pub(super) fn sampled(&mut self, sample: Option<Timestamp>, scrape: Span) {
        self.scrape = scrape;
        self.newest = sample;
    }

    /// When to ask again; `None` if a decision is due.
    pub(super) fn next_poll(&self, now: Timestamp) -> Option<Timestamp> {
        let next_at = self.next_at?;
        // The clock was set back: what is planned is far again.
        if now < self.decided_at {
            return None;
        }
        let fresh = match (self.newest, self.used) {
            (Some(newest), Some(used)) => newest.since(used) > self.scrape / 2,
            (Some(_), None) => true,
            (None, _) => false,
        };
        // Half a scrape early is still this decision's sample, not the one before.
        let early = next_at - self.scrape / 2;
        // A policy that decides more often than there are scrapes (`kpa`) waits for none.
        let waits = self.newest.is_some() && next_at.since(self.decided_at) > self.scrape / 2;
        let late = if waits { next_at + self.pace.scaled(GRACE) } else { next_at };
        let again = self.again_at.is_some_and(|at| now >= at);
        if again || (fresh && now >= early) || now >= late { None } else { Some(self.wake_at(now)) }
    }

    /// Whether the last decision lies in the future, or so far back that several were missed.
    pub(super) fn was_interrupted(&self, now: Timestamp) -> bool {
        let Some(next_at) = self.next_at else { return false };
        let planned = next_at.since(self.decided_at).max(self.pace.scaled(GRACE));
        now < self.decided_at || now.since(self.decided_at) > planned * MISSED
    }

    /// Notes a decision, and when the policy wants the next one; `None` is a scrape later.
    pub(super) fn decided(&mut self, now: Timestamp, next_at: Option<Timestamp>) {
        self.used = self.newest;
        self.decided_at = now;
        self.next_at = Some(next_at.unwrap_or(now + self.scrape));
        self.not_before = None;
        self.again_at = None;
    }

    /// The workload is to be read and decided on again at this time.
    pub(super) fn again_at(&mut self, at: Timestamp) {
        self.again_at = Some(at);
    }

    /// The next cycle begins no earlier than this.
    pub(super) fn not_before(&mut self, at: Timestamp) {
        self.not_before = Some(at);
    }

    /// When to begin the next cycle: at the next sample if its time is known, else when the policy wants to decide.
    pub(super) fn wake_at(&self, now: Timestamp) -> Timestamp {
        let soonest = now + self.pace.scaled(POLL);
        let expected = match (self.newest, self.next_at) {
            (Some(newest), Some(next_at)) if newest + self.scrape <= next_at => newest + self.scrape,
            (_, Some(next_at)) => next_at,
            (_, None) => soonest,
        };
        let expected = self.again_at.map_or(expected, |at| expected.min(at));
        expected.max(soonest).max(self.not_before.unwrap_or(Timestamp::ZERO))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_micros(millis * 1_000)
    }

    fn rhythm() -> Rhythm {
        let mut rhythm = Rhythm::new(Pace(1));
        assert_eq!(rhythm.next_poll(at(100_000)), None, "the first decision is due at once");
        rhythm.sampled(Some(at(99_800)), Span::from_secs(15));
        rhythm.decided(at(100_000), Some(at(115_000)));
        rhythm
    }

    #[test]
    fn a_new_sample_is_met_within_half_a_second() {
        let mut rhythm = rhythm();
        assert_eq!(rhythm.wake_at(at(100_010)), at(114_800), "when the next scrape is due");
        assert_eq!(rhythm.next_poll(at(114_900)), Some(at(115_400)), "not there yet: half a second later");
        rhythm.sampled(Some(at(114_800)), Span::from_secs(15));
        assert_eq!(rhythm.next_poll(at(115_400)), None);
    }

    #[test]
    fn a_sample_that_does_not_come_is_waited_for_five_seconds() {
        let rhythm = rhythm();
        assert!(rhythm.next_poll(at(119_900)).is_some());
        assert_eq!(rhythm.next_poll(at(120_000)), None);
    }

    #[test]
    fn without_sample_times_the_cadence_counts() {
        let mut rhythm = Rhythm::new(Pace(1));
        rhythm.sampled(None, Span::from_secs(15));
        rhythm.decided(at(100_000), Some(at(115_000)));
        assert_eq!(rhythm.wake_at(at(100_100)), at(115_000));
        assert_eq!(rhythm.next_poll(at(114_999)), Some(at(115_499)));
        assert_eq!(rhythm.next_poll(at(115_000)), None);
    }

    #[test]
    fn a_cadence_shorter_than_the_scrape_interval_waits_for_no_sample() {
        let mut rhythm = rhythm();
        rhythm.decided(at(100_000), Some(at(102_000)));
        assert_eq!(rhythm.wake_at(at(100_010)), at(102_000));
        assert!(rhythm.next_poll(at(101_999)).is_some());
        assert_eq!(rhythm.next_poll(at(102_000)), None, "the sample of 99.8 s is still the newest");
    }

    #[test]
    fn a_clock_that_was_set_back_makes_a_decision_due() {
        let mut rhythm = rhythm();
        rhythm.sampled(Some(at(99_800)), Span::from_secs(15));
        assert_eq!(rhythm.next_poll(at(99_999)), None);
        rhythm.decided(at(99_999), Some(at(114_999)));
        assert!(rhythm.next_poll(at(100_500)).is_some());
    }

    #[test]
    fn four_missed_decisions_are_an_interruption() {
        let rhythm = rhythm();
        for (millis, interrupted) in [(99_999, true), (100_000, false), (160_000, false), (160_001, true)] {
            assert_eq!(rhythm.was_interrupted(at(millis)), interrupted, "{millis}");
        }
        assert!(!Rhythm::new(Pace(1)).was_interrupted(at(0)), "nothing was decided yet");
    }

    #[test]
    fn pods_that_are_scraped_one_after_the_other_do_not_double_the_cadence() {
        let mut rhythm = rhythm();
        rhythm.sampled(Some(at(104_000)), Span::from_secs(15));
        assert!(rhythm.next_poll(at(104_100)).is_some(), "another pod's scrape of the same round");
    }

    #[test]
    fn a_rehearsal_scales_all_of_it() {
        let mut rhythm = Rhythm::new(Pace(15));
        rhythm.sampled(Some(at(0)), Span::from_secs(15));
        rhythm.decided(at(1_000), Some(at(16_000)));
        assert_eq!(rhythm.wake_at(at(16_000)), at(23_500), "half a second of the clock is 7.5 s");
    }
}
