//! How long to wait after a failure: the core's classified backoff, one memory for reading, writing and the status each, so
//! that a read that works does not forget that writing is refused.

use seatrial_core::control::backoff::{BackoffState, BackoffTable, FailedTry};
use seatrial_core::control::error_class::Failure;
use seatrial_core::rand::{Stream, uniform};
use seatrial_core::time::Timestamp;

use super::machine::Pace;

/// What failed or worked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    Read,
    Write,
    Status,
}

/// See the module. Times are the machine's.
#[derive(Clone, Debug)]
pub(super) struct Patience {
    pace: Pace,
    seed: u64,
    table: BackoffTable,
    states: [BackoffState; 3],
    waits_until: [Option<Timestamp>; 3],
    failures: u32,
}

impl Patience {
    /// Draws differ between subjects, so that they do not come back all at once.
    pub(super) fn new(subject: &str, pace: Pace) -> Self {
        // FNV-1a.
        let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        let seed = subject.bytes().fold(0xcbf2_9ce4_8422_2325, fold);
        let states = [BackoffState::default(); 3];
        Self { pace, seed, table: BackoffTable::default(), states, waits_until: [None; 3], failures: 0 }
    }

    /// Notes a failure; answers when to try again.
    pub(super) fn failed(&mut self, work: Work, failure: &Failure, now: Timestamp) -> Timestamp {
        self.failures = self.failures.wrapping_add(1);
        let draw = uniform(self.seed, Stream::Backoff, work as u64, self.failures);
        // Delays are by the clock; the table is asked in the machine's time, so that "served" means served.
        let scaled = FailedTry { server_hint: failure.retry_after, ..FailedTry::new(failure, now) };
        let (delay, state) = self.table.next(self.states[work as usize], &scaled, draw);
        self.states[work as usize] = state;
        let until = now + self.pace.scaled(delay);
        self.waits_until[work as usize] = Some(until);
        until
    }

    /// Notes a success.
    pub(super) fn worked(&mut self, work: Work) {
        self.states[work as usize] = BackoffState::default();
        self.waits_until[work as usize] = None;
    }

    /// Whether it is too early to try again. A clock that was set back does not keep it waiting for ever.
    pub(super) fn waits(&self, work: Work, now: Timestamp) -> bool {
        let longest = self.pace.scaled(seatrial_core::control::backoff::LONGEST_HINT);
        self.waits_until[work as usize].is_some_and(|until| now < until && until.since(now) <= longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use seatrial_core::time::Span;

    #[test]
    fn writing_waits_although_reading_works() {
        let mut patience = Patience::new("shop/web", Pace(1));
        let now = Timestamp::from_secs(100);
        let until = patience.failed(Work::Write, &Failure::answered(403, "Forbidden"), now);
        assert!(until.since(now) >= Span::from_secs(15), "half of 30 s at least");
        patience.worked(Work::Read);
        assert!(patience.waits(Work::Write, now) && !patience.waits(Work::Read, now));
        assert!(!patience.waits(Work::Write, until));
        assert!(!patience.waits(Work::Write, now - Span::from_secs(86_400)), "the clock was set back");
    }

    #[test]
    fn subjects_draw_their_own_delays() {
        let failure = Failure::answered(503, "ServiceUnavailable");
        let first = |subject: &str| Patience::new(subject, Pace(1)).failed(Work::Read, &failure, Timestamp::ZERO);
        assert_ne!(first("shop/web"), first("shop/api"));
    }
}
