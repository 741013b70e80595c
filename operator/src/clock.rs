//! The clock of the shell, and the machine's time: the same, but in a rehearsal, which runs a number of times faster.

use std::time::{SystemTime, UNIX_EPOCH};

use seatrial_core::time::{Span, Timestamp};

use crate::reconcile::Pace;

/// Reads the clock and translates between its time and the machine's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    origin: Timestamp,
    pace: Pace,
}

impl Clock {
    /// A clock whose machine time equals its own at `origin` and runs `pace` times as fast.
    #[must_use]
    pub const fn new(origin: Timestamp, pace: Pace) -> Self {
        Self { origin, pace }
    }

    /// How fast the machine's time runs.
    #[must_use]
    pub const fn pace(&self) -> Pace {
        self.pace
    }

    /// The time of the clock.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place of the operator that reads the clock")]
    pub fn wall() -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    /// The machine's time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.model(Self::wall())
    }

    /// A time of the clock in the machine's time.
    #[must_use]
    pub fn model(&self, wall: Timestamp) -> Timestamp {
        self.origin + self.pace.scaled(wall.since(self.origin))
    }

    /// A time of the machine by the clock.
    #[must_use]
    pub fn clock_time(&self, model: Timestamp) -> Timestamp {
        self.origin + self.clock_span(model.since(self.origin))
    }

    /// A span of the machine's time by the clock.
    #[must_use]
    pub fn clock_span(&self, model: Span) -> Span {
        model / self.pace.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rehearsal_runs_faster_from_its_origin_on() {
        let origin = Timestamp::from_secs(1_000);
        let clock = Clock::new(origin, Pace(15));
        assert_eq!(clock.model(origin), origin);
        assert_eq!(clock.model(Timestamp::from_secs(1_002)), Timestamp::from_secs(1_030));
        assert_eq!(clock.model(Timestamp::from_secs(999)), Timestamp::from_secs(985));
        assert_eq!(clock.clock_time(Timestamp::from_secs(1_030)), Timestamp::from_secs(1_002));
    }
}
