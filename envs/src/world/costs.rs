//! Cost terms of a world: pod-seconds as integers while it runs, closed into [`CostTerms`] at each midnight.
//!
//! Pod-microseconds are whole numbers, so the sum depends neither on how often it is paid nor on the recorder's interval, and a
//! run of whole seconds costs to the bit what the fluid kernel books. The terms of a period belong to the UTC day in which it
//! began; the warm-up is closed into nothing.
//!
//! # Deviations
//! 1. A pod that waits for a node when the run ends owes no start: nobody knows how long it would have taken.

use seatrial_core::time::{Span, Timestamp};

use crate::episode::{CostTerms, DAY, DayCosts, day_of};

/// Pods of a service by what they are paid as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PaidPods {
    /// Created and not ready, with or without a node.
    pub(super) starting: u32,
    pub(super) ready: u32,
    pub(super) terminating: u32,
}

/// Requests since the start of the simulation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RequestTotals {
    pub(super) requests: u64,
    pub(super) bad: u64,
    pub(super) drops: u64,
}

/// Terms of a run: of the application, or of one service.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Account {
    pub(super) days: Vec<DayCosts>,
    closed: RequestTotals,
}

/// What a service owes since the last closing.
#[derive(Clone, Debug, Default)]
struct Tab {
    pods: PaidPods,
    starting_us: u64,
    ready_us: u64,
    terminating_us: u64,
    changes: u32,
    account: Account,
}

/// The books of a world.
#[derive(Clone, Debug)]
pub(super) struct Books {
    paid_until: Timestamp,
    period_began: Timestamp,
    services: Vec<Tab>,
    application: Account,
}

impl Account {
    /// Closes a period: `pods` has the terms of its pods, `now` the requests so far.
    fn close(&mut self, day: i64, pods: CostTerms, now: RequestTotals) {
        let then = core::mem::replace(&mut self.closed, now);
        let terms = CostTerms {
            requests: float(now.requests - then.requests),
            bad_requests: float(now.bad - then.bad),
            drops: float(now.drops - then.drops),
            ..pods
        };
        self.of(day).add(&terms);
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

impl Tab {
    fn pay(&mut self, elapsed_us: u64) {
        self.starting_us += u64::from(self.pods.starting) * elapsed_us;
        self.ready_us += u64::from(self.pods.ready) * elapsed_us;
        self.terminating_us += u64::from(self.pods.terminating) * elapsed_us;
    }

    /// The terms of its pods since the last closing; a new period begins.
    fn take(&mut self) -> CostTerms {
        let seconds = |micros: &mut u64| float(core::mem::take(micros)) / 1e6;
        CostTerms {
            ready_s: seconds(&mut self.ready_us),
            starting_s: seconds(&mut self.starting_us),
            terminating_s: seconds(&mut self.terminating_us),
            changes: f64::from(core::mem::take(&mut self.changes)),
            ..CostTerms::default()
        }
    }
}

impl Books {
    pub(super) fn new(services: usize, start: Timestamp) -> Self {
        Self {
            paid_until: start,
            period_began: start,
            services: vec![Tab::default(); services],
            application: Account::default(),
        }
    }

    /// Pays what stood until `now`; from now on each service has the pods that `pods` says.
    pub(super) fn pods_are(&mut self, now: Timestamp, pods: impl Fn(usize) -> PaidPods) {
        self.pay(now);
        for (service, tab) in self.services.iter_mut().enumerate() {
            tab.pods = pods(service);
        }
    }

    fn pay(&mut self, now: Timestamp) {
        let elapsed_us = now.since(self.paid_until).micros().max(0).cast_unsigned();
        self.paid_until = now;
        if elapsed_us > 0 {
            for tab in &mut self.services {
                tab.pay(elapsed_us);
            }
        }
    }

    /// Books pods created or removed.
    pub(super) fn changed(&mut self, service: usize, pods: u32) {
        self.services[service].changes += pods;
    }

    /// Closes the period that ends at `now`.
    pub(super) fn close(
        &mut self,
        now: Timestamp,
        application: RequestTotals,
        service: impl Fn(usize) -> RequestTotals,
    ) {
        self.pay(now);
        let day = day_of(self.period_began);
        let mut pods = CostTerms::default();
        for (index, tab) in self.services.iter_mut().enumerate() {
            let terms = tab.take();
            pods.add(&terms);
            tab.account.close(day, terms, service(index));
        }
        self.application.close(day, pods, application);
        self.period_began = now;
    }

    /// Closes the warm-up: it counts in no result.
    pub(super) fn close_warm_up(
        &mut self,
        now: Timestamp,
        application: RequestTotals,
        service: impl Fn(usize) -> RequestTotals,
    ) {
        self.close(now, application, service);
        self.application.days.clear();
        for tab in &mut self.services {
            tab.account.days.clear();
        }
    }

    /// Books what is owed at the end of the last period: starts under way in full, requests that still wait.
    pub(super) fn owe(&mut self, service: usize, unfinished_start_s: f64, left_over: f64) {
        let day = self.last_day();
        let terms = CostTerms { starting_s: unfinished_start_s, left_over, ..CostTerms::default() };
        self.services[service].account.of(day).add(&terms);
        self.application.of(day).starting_s += unfinished_start_s;
    }

    /// Books the requests of clients that still wait at the end.
    pub(super) fn owe_clients(&mut self, left_over: f64) {
        let day = self.last_day();
        self.application.of(day).left_over += left_over;
    }

    fn last_day(&self) -> i64 {
        self.application.days.last().map_or_else(|| day_of(self.period_began), |last| last.day)
    }

    /// The application's terms.
    pub(super) const fn application(&self) -> &Account {
        &self.application
    }

    /// A service's terms.
    pub(super) fn service(&self, service: usize) -> &Account {
        &self.services[service].account
    }
}

/// The first moment after `now` at which a UTC day ends.
pub(super) fn next_midnight(now: Timestamp) -> Timestamp {
    Timestamp::ZERO + DAY * (day_of(now) + 1)
}

/// When the warm-up of a run that begins at `start` is over.
pub(super) fn warm_until(start: Timestamp, warm_up_s: f64) -> Timestamp {
    start + Span::from_secs_f64(warm_up_s)
}

#[expect(clippy::cast_precision_loss, reason = "counts and microseconds far below 2^53")]
const fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_secs(seconds)
    }

    fn so_far(requests: u64) -> RequestTotals {
        RequestTotals { requests, bad: requests / 10, drops: requests / 100 }
    }

    const TWO: PaidPods = PaidPods { starting: 1, ready: 2, terminating: 0 };
    const THREE: PaidPods = PaidPods { starting: 0, ready: 3, terminating: 1 };

    #[test]
    fn every_pod_second_is_paid_once_on_the_day_of_its_period() {
        let midnight = 86_400;
        let mut books = Books::new(2, at(midnight - 10));
        books.pods_are(at(midnight - 10), |service| if service == 0 { TWO } else { PaidPods::default() });
        books.pods_are(at(midnight - 4), |service| if service == 0 { THREE } else { TWO });
        books.changed(0, 2);
        books.close(at(midnight), so_far(1_000), |_| so_far(500));
        books.close(at(midnight + 5), so_far(1_300), |_| so_far(500));
        books.owe(0, 7.5, 3.0);
        books.owe_clients(2.0);
        let of = |account: &Account, day: usize| account.days[day].terms;
        let first = of(books.service(0), 0);
        assert_eq!((first.ready_s, first.starting_s, first.terminating_s), (24.0, 6.0, 4.0));
        assert_eq!((first.changes, first.requests, first.bad_requests, first.drops), (2.0, 500.0, 50.0, 5.0));
        let second = of(books.service(0), 1);
        assert_eq!((second.ready_s, second.starting_s, second.left_over), (15.0, 7.5, 3.0));
        assert_eq!(second.requests, 0.0);
        let application = books.application();
        assert_eq!(application.days.iter().map(|day| day.day).collect::<Vec<_>>(), [0, 1]);
        assert_eq!((of(application, 0).ready_s, of(application, 0).requests), (32.0, 1_000.0));
        assert_eq!((of(application, 1).ready_s, of(application, 1).starting_s), (25.0, 12.5));
        assert_eq!((application.total().requests, application.total().left_over), (1_300.0, 2.0));
    }

    #[test]
    fn the_warm_up_counts_in_nothing() {
        let mut books = Books::new(1, at(0));
        books.pods_are(at(0), |_| TWO);
        books.close_warm_up(at(100), so_far(700), |_| so_far(700));
        books.close(at(110), so_far(900), |_| so_far(800));
        let total = books.application().total();
        assert_eq!((total.ready_s, total.requests, total.drops), (20.0, 200.0, 2.0));
        assert_eq!(books.service(0).total().requests, 100.0);
    }

    #[test]
    fn midnight_is_after_now() {
        assert_eq!(next_midnight(at(86_400)), at(172_800));
        assert_eq!(next_midnight(at(-1)), at(0));
        assert_eq!(warm_until(at(5), 2.5), Timestamp::from_micros(7_500_000));
    }
}
