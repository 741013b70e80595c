//! How many retries all keys together may make: a share of the requests, plus a few per second.
//!
//! Backoff slows one key down; when a server fails for all of them at once, only a shared budget keeps the retries from being
//! a multiple of the load. It is a token bucket: a first try pays in [`RetryBudgetConfig::ratio`] tokens, time pays in
//! [`RetryBudgetConfig::min_per_s`], a retry costs one, and at most [`RetryBudgetConfig::burst`] are kept. Invariant: over
//! any time the retries are at most `burst + min_per_s × seconds + ratio × first tries`. Whole micro-tokens, so the sum is exact;
//! a clock that runs backwards pays nothing in until it has caught up.
//!
//! Sources: Finagle's and tower's `RetryBudget` (whose floor is also a rate); the share of 10 % is that of "Handling Overload"
//! in Google's SRE book; floor and burst are tower's defaults (10 per second over 10 s).

use serde::{Deserialize, Serialize};

use crate::time::{Span, Timestamp};

/// Micro-tokens that a retry costs.
const TOKEN: i64 = 1_000_000;

/// Numbers of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetryBudgetConfig {
    /// Retries that each first try allows, 0 to 10.
    pub ratio: f64,
    /// Retries per second that are allowed without any first try.
    pub min_per_s: u32,
    /// Most retries that may be saved up, at least 1; a new budget starts with so many.
    pub burst: u32,
}

impl Default for RetryBudgetConfig {
    fn default() -> Self {
        Self { ratio: 0.1, min_per_s: 10, burst: 100 }
    }
}

/// Why a budget was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RetryBudgetError {
    /// A share that makes no sense.
    #[error("retry budget: `ratio` must be 0 to 10, retries per first try; 0.1 is the default")]
    Ratio,
    /// A bucket that never holds a whole token.
    #[error("retry budget: `burst` must be at least 1, or no retry is ever made; 100 is the default")]
    Burst,
}

/// The budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryBudget {
    deposit: i64,
    per_us: i64,
    most: i64,
    balance: i64,
    paid_until: Option<Timestamp>,
}

impl RetryBudget {
    /// A full budget.
    ///
    /// # Errors
    /// Numbers out of range.
    pub fn new(config: &RetryBudgetConfig) -> Result<Self, RetryBudgetError> {
        if !(0.0..=10.0).contains(&config.ratio) {
            return Err(RetryBudgetError::Ratio);
        }
        if config.burst == 0 {
            return Err(RetryBudgetError::Burst);
        }
        let most = i64::from(config.burst) * TOKEN;
        let deposit = Span::from_secs_f64(config.ratio).micros();
        Ok(Self { deposit, per_us: i64::from(config.min_per_s), most, balance: most, paid_until: None })
    }

    /// A first try was sent: count at sending, for a server that answers nothing completes nothing.
    pub fn first_try(&mut self) {
        self.pay_in(self.deposit);
    }

    /// Takes a token for a retry; without one the retry has to wait for its next turn.
    #[must_use]
    pub fn try_retry(&mut self, now: Timestamp) -> bool {
        let since = self.paid_until.map_or(Span::ZERO, |paid| now - paid);
        // One token per second is one micro-token per microsecond.
        self.pay_in(since.micros().max(0).saturating_mul(self.per_us));
        self.paid_until = self.paid_until.max(Some(now));
        let granted = self.balance >= TOKEN;
        self.balance -= if granted { TOKEN } else { 0 };
        granted
    }

    /// Retries that are saved up, without those that time has paid in since the last retry.
    #[must_use]
    pub const fn whole_tokens(&self) -> i64 {
        self.balance / TOKEN
    }

    fn pay_in(&mut self, amount: i64) {
        self.balance = self.balance.saturating_add(amount).min(self.most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(ratio: f64, min_per_s: u32, burst: u32) -> RetryBudget {
        RetryBudget::new(&RetryBudgetConfig { ratio, min_per_s, burst }).unwrap()
    }

    fn granted(budget: &mut RetryBudget, now: Timestamp, asked: usize) -> usize {
        (0..asked).filter(|_| budget.try_retry(now)).count()
    }

    #[test]
    fn a_new_budget_is_full_and_runs_dry() {
        let mut budget = budget(0.0, 0, 3);
        assert_eq!(granted(&mut budget, Timestamp::ZERO, 10), 3);
        assert_eq!(granted(&mut budget, Timestamp::from_secs(1_000), 10), 0);
    }

    #[test]
    fn ten_first_tries_pay_for_one_retry() {
        let mut budget = budget(0.1, 0, 1);
        assert_eq!(granted(&mut budget, Timestamp::ZERO, 5), 1);
        (0..9).for_each(|_| budget.first_try());
        assert_eq!(granted(&mut budget, Timestamp::ZERO, 5), 0);
        budget.first_try();
        assert_eq!(granted(&mut budget, Timestamp::ZERO, 5), 1);
    }

    #[test]
    fn time_pays_in_and_the_burst_limits_it() {
        let mut budget = budget(0.0, 2, 5);
        assert_eq!(granted(&mut budget, Timestamp::ZERO, 9), 5);
        assert_eq!(granted(&mut budget, Timestamp::from_micros(1_499_999), 9), 2);
        assert_eq!(granted(&mut budget, Timestamp::from_micros(1_500_000), 9), 1);
        assert_eq!(granted(&mut budget, Timestamp::from_micros(i64::MAX), 9), 5);
    }

    #[test]
    fn a_clock_that_runs_backwards_pays_nothing_twice() {
        let mut budget = budget(0.0, 1, 1);
        assert_eq!(granted(&mut budget, Timestamp::from_secs(10), 2), 1);
        assert_eq!(granted(&mut budget, Timestamp::from_secs(3), 2), 0);
        assert_eq!(granted(&mut budget, Timestamp::from_secs(10), 2), 0);
        assert_eq!(granted(&mut budget, Timestamp::from_secs(11), 2), 1);
    }

    #[test]
    fn refuses_numbers_out_of_range() {
        let refused = |ratio, burst| RetryBudget::new(&RetryBudgetConfig { ratio, min_per_s: 1, burst }).unwrap_err();
        assert_eq!(refused(f64::NAN, 1), RetryBudgetError::Ratio);
        assert_eq!(refused(-0.1, 1), RetryBudgetError::Ratio);
        assert_eq!(refused(0.1, 0), RetryBudgetError::Burst);
        assert_eq!(RetryBudget::new(&RetryBudgetConfig::default()).unwrap().whole_tokens(), 100);
    }
}
