//! Cost terms in documented units, by UTC day: prices are applied when reading, so a sensitivity needs no new run.

use seatrial_core::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};

use crate::scenario::CostWeights;

/// Length of a UTC day.
pub const DAY: Span = Span::from_secs(86_400);

/// What happened, before prices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CostTerms {
    /// Pod-seconds of ready pods.
    pub ready_s: f64,
    /// Pod-seconds of pods on their way to ready; a start under way at the end is paid in full.
    pub starting_s: f64,
    /// Pod-seconds of removed pods that still exist.
    pub terminating_s: f64,
    /// Requests that arrived.
    pub requests: f64,
    /// Requests that waited beyond the objective, were dropped or gave up; each counted once.
    pub bad_requests: f64,
    /// Requests dropped at the queue limit or given up; they are bad already.
    pub drops: f64,
    /// Pods created plus pods removed.
    pub changes: f64,
    /// Requests left in the queue at the end.
    pub left_over: f64,
}

impl CostTerms {
    /// J in pod-seconds at the given prices.
    #[must_use]
    pub fn j(&self, costs: CostWeights) -> f64 {
        self.pod_seconds() + costs.kappa * (self.bad_requests + self.left_over) + costs.churn * self.changes
    }

    /// Pod-seconds in any state.
    #[must_use]
    pub fn pod_seconds(&self) -> f64 {
        self.ready_s + self.starting_s + self.terminating_s
    }

    /// Share of requests that were bad; `None` without requests.
    #[must_use]
    pub fn bad_fraction(&self) -> Option<f64> {
        (self.requests > 0.0).then(|| self.bad_requests / self.requests)
    }

    /// Adds every term of `other`.
    pub fn add(&mut self, other: &Self) {
        self.ready_s += other.ready_s;
        self.starting_s += other.starting_s;
        self.terminating_s += other.terminating_s;
        self.requests += other.requests;
        self.bad_requests += other.bad_requests;
        self.drops += other.drops;
        self.changes += other.changes;
        self.left_over += other.left_over;
    }
}

/// The terms of one UTC day.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DayCosts {
    /// Days since the origin of time.
    pub day: i64,
    /// What arose in it.
    pub terms: CostTerms,
}

/// Terms by day, in order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ledger {
    days: Vec<DayCosts>,
    /// End of the last of them.
    until: Timestamp,
}

impl Ledger {
    pub(crate) fn with_room(days: usize) -> Self {
        Self { days: Vec::with_capacity(days), until: Timestamp::from_micros(i64::MIN) }
    }

    /// The terms of the day of `at`; moments come in order.
    pub(crate) fn at(&mut self, at: Timestamp) -> &mut CostTerms {
        if at >= self.until {
            let day = day_of(at);
            self.days.push(DayCosts { day, terms: CostTerms::default() });
            self.until = Timestamp::ZERO + DAY * (day + 1);
        }
        let last = self.days.len() - 1;
        &mut self.days[last].terms
    }

    pub(crate) fn total(&self) -> CostTerms {
        let mut total = CostTerms::default();
        for day in &self.days {
            total.add(&day.terms);
        }
        total
    }

    pub(crate) fn into_days(self) -> Vec<DayCosts> {
        self.days
    }
}

/// Number of the UTC day of a moment.
#[must_use]
pub const fn day_of(at: Timestamp) -> i64 {
    at.since(Timestamp::ZERO).whole_steps(DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn j_is_linear_in_its_prices() {
        let terms = CostTerms {
            ready_s: 100.0,
            starting_s: 20.0,
            terminating_s: 5.0,
            requests: 1_000.0,
            bad_requests: 7.0,
            drops: 2.0,
            changes: 3.0,
            left_over: 1.0,
        };
        assert_eq!(terms.j(CostWeights { kappa: 1.0, churn: 5.0 }), 148.0);
        assert_eq!(terms.j(CostWeights { kappa: 3.0, churn: 5.0 }), 164.0);
        assert_eq!(terms.j(CostWeights { kappa: 0.0, churn: 0.0 }), terms.pod_seconds());
        assert_eq!(terms.bad_fraction(), Some(0.007));
        assert_eq!(CostTerms::default().bad_fraction(), None);
    }

    #[test]
    fn days_are_kept_apart() {
        let mut ledger = Ledger::with_room(2);
        ledger.at(Timestamp::from_secs(86_399)).requests += 1.0;
        ledger.at(Timestamp::from_secs(86_400)).requests += 2.0;
        ledger.at(Timestamp::from_secs(90_000)).requests += 3.0;
        assert_eq!(ledger.total().requests, 6.0);
        let days: Vec<_> = ledger.into_days().iter().map(|day| (day.day, day.terms.requests)).collect();
        assert_eq!(days, [(0, 1.0), (1, 5.0)]);
        assert_eq!(day_of(Timestamp::from_secs(-1)), -1);
    }
}
