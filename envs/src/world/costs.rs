//! Cost terms of a world: totals that others count, closed into [`CostTerms`] at the end of the warm-up and at each midnight.
//!
//! Terms are differences of totals, so they do not depend on the recorder's interval. The terms of a period belong to the UTC day in
//! which it began; the warm-up is closed into nothing. A request counts when it comes, and as bad or dropped when that is known: after a
//! warm-up in overload there may be more bad ones than came. `changes` is |change of replicas| of the autoscalers' decisions: pods
//! that a rollout or an eviction replaces are paid in pod-seconds alone.

use seatrial_core::time::{Span, Timestamp};

use crate::cluster::machine::PodSeconds;
use crate::episode::{CostTerms, DAY, DayCosts, day_of};

/// Totals of a service or of the application since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Totals {
    pub(super) pods: PodSeconds,
    pub(super) changes: u64,
    pub(super) requests: u64,
    pub(super) bad: u64,
    pub(super) drops: u64,
}

/// What is owed at the end.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Owed {
    /// Seconds that the starts under way still take.
    pub(super) start_s: f64,
    /// Requests that still wait.
    pub(super) left_over: f64,
}

/// Terms of one payer by day.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Account {
    pub(super) days: Vec<DayCosts>,
    closed: Totals,
}

/// The books of a world: the application's, and one per service.
#[derive(Clone, Debug)]
pub(super) struct Books {
    period_began: Timestamp,
    /// The last one is the application's.
    accounts: Vec<Account>,
}

impl Totals {
    /// With the pods and changes of `other` on top.
    pub(super) fn with_pods_of(mut self, other: &Self) -> Self {
        self.pods.pending_s += other.pods.pending_s;
        self.pods.starting_s += other.pods.starting_s;
        self.pods.ready_s += other.pods.ready_s;
        self.pods.terminating_s += other.pods.terminating_s;
        self.changes += other.changes;
        self
    }

    fn since(&self, then: &Self) -> CostTerms {
        let starting_s = |pods: &PodSeconds| pods.pending_s + pods.starting_s;
        CostTerms {
            ready_s: self.pods.ready_s - then.pods.ready_s,
            starting_s: starting_s(&self.pods) - starting_s(&then.pods),
            terminating_s: self.pods.terminating_s - then.pods.terminating_s,
            requests: float(self.requests - then.requests),
            bad_requests: float(self.bad - then.bad),
            drops: float(self.drops - then.drops),
            changes: float(self.changes - then.changes),
            left_over: 0.0,
        }
    }
}

impl Account {
    fn close(&mut self, day: i64, now: Totals) {
        let then = core::mem::replace(&mut self.closed, now);
        self.of(day).add(&now.since(&then));
    }

    fn of(&mut self, day: i64) -> &mut CostTerms {
        if self.days.last().is_none_or(|last| last.day != day) {
            self.days.push(DayCosts { day, terms: CostTerms::default() });
        }
        let last = self.days.len() - 1;
        &mut self.days[last].terms
    }

    /// The sum of its days.
    pub(super) fn total(&self) -> CostTerms {
        let mut total = CostTerms::default();
        for day in &self.days {
            total.add(&day.terms);
        }
        total
    }
}

impl Books {
    pub(super) fn new(services: usize, start: Timestamp) -> Self {
        Self { period_began: start, accounts: vec![Account::default(); services + 1] }
    }

    /// Closes the period that ends at `now`: totals of each service, then of the application.
    pub(super) fn close(&mut self, now: Timestamp, totals: impl Iterator<Item = Totals>) {
        let day = day_of(self.period_began);
        for (account, totals) in self.accounts.iter_mut().zip(totals) {
            account.close(day, totals);
        }
        self.period_began = now;
    }

    /// Forgets what was closed: the warm-up counts in no result.
    pub(super) fn forget(&mut self) {
        for account in &mut self.accounts {
            account.days.clear();
        }
    }

    /// Adds to the last day what is owed at the end: of each service, then of the application.
    pub(super) fn owe(&mut self, owed: impl Iterator<Item = Owed>) {
        let now = day_of(self.period_began);
        for (account, owed) in self.accounts.iter_mut().zip(owed) {
            let day = account.days.last().map_or(now, |last| last.day);
            let terms = account.of(day);
            terms.starting_s += owed.start_s;
            terms.left_over += owed.left_over;
        }
    }

    /// Terms of each service, then of the application.
    pub(super) fn into_accounts(self) -> Vec<Account> {
        self.accounts
    }
}

/// The first moment after `now` at which a UTC day ends.
pub(super) fn next_midnight(now: Timestamp) -> Timestamp {
    Timestamp::ZERO + DAY * (day_of(now) + 1)
}

/// The moment `seconds` after `start`.
pub(super) fn seconds_after(start: Timestamp, seconds: f64) -> Timestamp {
    start + Span::from_secs_f64(seconds)
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
const fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_secs(seconds)
    }

    fn so_far(requests: u64, ready_s: f64) -> Totals {
        let pods = PodSeconds { pending_s: 1.0, starting_s: 2.0, ready_s, terminating_s: 4.0 };
        Totals { pods, changes: requests / 50, requests, bad: requests / 10, drops: requests / 100 }
    }

    #[test]
    fn what_a_period_added_belongs_to_the_day_in_which_it_began() {
        let midnight = 86_400;
        let mut books = Books::new(1, at(midnight - 10));
        books.close(at(midnight), [so_far(100, 30.0), so_far(100, 40.0)].into_iter());
        books.close(at(midnight + 5), [so_far(300, 45.0), so_far(500, 80.0)].into_iter());
        let owed = Owed { start_s: 7.5, left_over: 3.0 };
        books.owe([Owed::default(), owed].into_iter());
        let [service, application] = books.into_accounts().try_into().unwrap();
        assert_eq!(service.days.iter().map(|day| day.day).collect::<Vec<_>>(), [0, 1]);
        let (first, second) = (service.days[0].terms, service.days[1].terms);
        assert_eq!((first.ready_s, first.starting_s, first.terminating_s), (30.0, 3.0, 4.0));
        assert_eq!((first.requests, first.bad_requests, first.drops, first.changes), (100.0, 10.0, 1.0, 2.0));
        assert_eq!((second.ready_s, second.starting_s, second.requests, second.changes), (15.0, 0.0, 200.0, 4.0));
        assert_eq!(application.days[1].terms.starting_s, 7.5);
        assert_eq!((application.total().requests, application.total().left_over), (500.0, 3.0));
    }

    #[test]
    fn the_warm_up_counts_in_nothing() {
        let mut books = Books::new(0, at(0));
        books.close(at(100), [so_far(700, 10.0)].into_iter());
        books.forget();
        books.close(at(110), [so_far(900, 30.0)].into_iter());
        let total = books.into_accounts()[0].total();
        assert_eq!((total.ready_s, total.requests, total.drops), (20.0, 200.0, 2.0));
    }

    #[test]
    fn pods_of_services_add_up() {
        let sum = Totals::default().with_pods_of(&so_far(100, 1.0)).with_pods_of(&so_far(50, 2.0));
        assert_eq!((sum.pods.ready_s, sum.pods.pending_s, sum.changes, sum.requests), (3.0, 2.0, 3, 0));
    }

    #[test]
    fn midnight_is_after_now() {
        assert_eq!(next_midnight(at(86_400)), at(172_800));
        assert_eq!(next_midnight(at(-1)), at(0));
        assert_eq!(seconds_after(at(5), 2.5), Timestamp::from_micros(7_500_000));
    }
}
