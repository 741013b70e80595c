//! Those who call: clients together, and each edge of the call graph: how long they wait, and whether they try again.
//!
//! All tries of a caller have the same timeout, so their deadlines come in the order in which they were sent: a queue whose head
//! alone has an event pending. Ended tries at its head are let go when the queue is full.

use std::collections::VecDeque;

use seatrial_core::control::retry_budget::{RetryBudget, RetryBudgetConfig, RetryBudgetError};
use seatrial_core::rand::{Stream, uniform};
use seatrial_core::time::{Span, Timestamp};

use crate::spec::traffic::RetrySpec;

/// A try and when its caller gives it up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline {
    pub(super) at: Timestamp,
    pub(super) call: u32,
    pub(super) generation: u32,
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) timeout: Option<Span>,
    /// Whether it gives up only while it waits for a worker, as clients of protocol P1 do.
    pub(super) only_while_queued: bool,
    pub(super) retries: Option<Retries>,
    pub(super) deadlines: VecDeque<Deadline>,
    /// Whether an event is pending.
    pub(super) is_watched: bool,
}

/// Retries: exponential backoff with full jitter, and what they may cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Retries {
    attempts: u32,
    base_s: f64,
    cap_s: f64,
    budget: Option<RetryBudget>,
}

impl Caller {
    pub(super) const fn new(timeout: Option<Span>, retries: Option<Retries>) -> Self {
        Self { timeout, only_while_queued: false, retries, deadlines: VecDeque::new(), is_watched: false }
    }

    /// Lets ended tries at the head of the deadlines go before the queue would have to grow.
    pub(super) fn make_room(&mut self, is_over: impl Fn(&Deadline) -> bool) {
        if self.deadlines.len() < self.deadlines.capacity() {
            return;
        }
        while self.deadlines.front().is_some_and(&is_over) {
            self.deadlines.pop_front();
        }
        // Half of it free each time: that is what keeps looking at the head cheap.
        self.deadlines.reserve(self.deadlines.len().max(64));
    }

    /// A first try is sent: it pays for retries.
    pub(super) fn first_try(&mut self) {
        if let Some(budget) = self.retries.as_mut().and_then(|retries| retries.budget.as_mut()) {
            budget.first_try();
        }
    }

    /// The delay before the try after `attempt`, if there is to be one; takes it out of the budget.
    pub(super) fn retry(&mut self, attempt: u32, now: Timestamp, unit: impl FnOnce() -> f64) -> Option<Span> {
        let retries = self.retries.as_mut().filter(|retries| attempt < retries.attempts)?;
        if retries.budget.as_mut().is_some_and(|budget| !budget.try_retry(now)) {
            return None;
        }
        Some(Span::from_secs_f64(unit() * retries.highest_delay_s(attempt)))
    }
}

impl Retries {
    pub(super) fn new(spec: &RetrySpec) -> Result<Self, RetryBudgetError> {
        let of_ratio = |ratio| RetryBudget::new(&RetryBudgetConfig { ratio, ..RetryBudgetConfig::default() });
        let budget = spec.budget_ratio.map(of_ratio).transpose()?;
        Ok(Self { attempts: spec.attempts, base_s: spec.base_s, cap_s: spec.cap_s, budget })
    }

    /// What the delay after `attempt` is drawn below: doubled from try to try.
    fn highest_delay_s(&self, attempt: u32) -> f64 {
        // 2^62 s is beyond every cap; the shift must not overflow.
        let doubled = self.base_s * (1_u64 << attempt.saturating_sub(1).min(62)) as f64;
        doubled.min(self.cap_s)
    }
}

/// Uniform draw for the delay after a try of a request, by its luck.
pub(super) fn jitter(seed: u64, request: u64, luck: u32) -> f64 {
    uniform(seed, Stream::ClientRetry, request, luck)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_are_drawn_below_a_doubling_bound() {
        let spec = RetrySpec { attempts: 6, base_s: 0.1, cap_s: 0.5, budget_ratio: None };
        let mut caller = Caller::new(None, Some(Retries::new(&spec).unwrap()));
        let mut delay_s = |attempt| caller.retry(attempt, Timestamp::ZERO, || 1.0).map(Span::as_secs_f64);
        let delays: Vec<_> = (1..=6).map(&mut delay_s).collect();
        assert_eq!(delays, [Some(0.1), Some(0.2), Some(0.4), Some(0.5), Some(0.5), None]);
    }

    #[test]
    fn a_budget_is_paid_for_by_first_tries() {
        let spec = RetrySpec { attempts: 3, base_s: 0.1, cap_s: 1.0, budget_ratio: Some(0.5) };
        let mut caller = Caller::new(None, Some(Retries::new(&spec).unwrap()));
        let burst = usize::try_from(RetryBudgetConfig::default().burst).unwrap();
        let granted = |tries: usize, caller: &mut Caller| {
            (0..tries).filter(|_| caller.retry(1, Timestamp::ZERO, || 0.5).is_some()).count()
        };
        assert_eq!(granted(1_000, &mut caller), burst);
        (0..10).for_each(|_| caller.first_try());
        assert_eq!(granted(1_000, &mut caller), 5);
    }

    #[test]
    fn refuses_a_budget_out_of_range() {
        let spec = RetrySpec { attempts: 3, base_s: 0.1, cap_s: 1.0, budget_ratio: Some(11.0) };
        assert!(Retries::new(&spec).is_err());
    }
}
