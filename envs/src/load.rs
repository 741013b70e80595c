//! The load of an episode: rates that are constant inside native bins, with the history before them, and how requests arrive.
//!
//! The kernel prices the rates. Metrics show realised counts: whole requests per slot, drawn so that each bin keeps its count
//! ([`slot_rates`]). Both are pure functions of load and seed; no action changes them, so strategies meet the same traffic.

mod flash;
mod split;
mod traffic;

pub use split::slot_rates;
pub use traffic::{PastSlots, Traffic};

use std::sync::Arc;

use seatrial_core::time::{Span, Timestamp};
use thiserror::Error;

use crate::scenario::Regime;

/// Most of the history that warms a strategy up.
pub const LONGEST_HISTORY: Span = Span::from_secs(8 * 86_400);
/// The day that the regime `history-lost` takes.
const LOST_HISTORY: Span = Span::from_secs(86_400);

/// Rates of one continuous episode and of the time before it. Cheap to clone.
#[derive(Clone, Debug, PartialEq)]
pub struct EpisodeLoad {
    start: Timestamp,
    interval: Span,
    rates_per_s: Arc<[f64]>,
    past_rates_per_s: Arc<[f64]>,
    lost_history: Span,
    realised: bool,
}

/// Why rates are not a load.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum LoadError {
    /// No bins.
    #[error("load: there are no bins; give at least one rate")]
    Empty,
    /// A rate is not a number or negative.
    #[error(
        "load: rate of bin {bin} (negative bins are before the start) is {got}; rates must be finite and not negative"
    )]
    Rate {
        /// Index of the bin relative to the start.
        bin: i64,
        /// The rate given.
        got: f64,
    },
    /// The bin width does not fit.
    #[error("load: bins of {got_us} µs; the width must be a positive multiple of {step_us} µs: resample the trace")]
    Interval {
        /// The width given in microseconds.
        got_us: i64,
        /// What it must be a multiple of, in microseconds.
        step_us: i64,
    },
}

impl EpisodeLoad {
    /// A load of bins of width `interval` from `start` on, and the bins of the same width that end at `start`.
    ///
    /// # Errors
    /// If there are no bins, a rate is negative or not finite, or the width is not positive.
    pub fn new(
        start: Timestamp,
        interval: Span,
        rates_per_s: impl Into<Arc<[f64]>>,
        past_rates_per_s: impl Into<Arc<[f64]>>,
    ) -> Result<Self, LoadError> {
        let (rates_per_s, past_rates_per_s) = (rates_per_s.into(), past_rates_per_s.into());
        if rates_per_s.is_empty() {
            return Err(LoadError::Empty);
        }
        if interval <= Span::ZERO {
            return Err(LoadError::Interval { got_us: interval.micros(), step_us: 1 });
        }
        check_rates(&past_rates_per_s, -signed(past_rates_per_s.len()))?;
        check_rates(&rates_per_s, 0)?;
        Ok(Self { start, interval, rates_per_s, past_rates_per_s, lost_history: Span::ZERO, realised: false })
    }

    /// First moment.
    #[must_use]
    pub const fn start(&self) -> Timestamp {
        self.start
    }

    /// Moment after the last bin.
    #[must_use]
    pub fn end(&self) -> Timestamp {
        self.start + self.interval * signed(self.rates_per_s.len())
    }

    /// Width of a bin.
    #[must_use]
    pub const fn interval(&self) -> Span {
        self.interval
    }

    /// Requests per second of each bin from the start on.
    #[must_use]
    pub fn rates_per_s(&self) -> &[f64] {
        &self.rates_per_s
    }

    /// Requests per second of each bin before the start, oldest first.
    #[must_use]
    pub fn past_rates_per_s(&self) -> &[f64] {
        &self.past_rates_per_s
    }

    /// All rates times `factor` (not negative, finite): for the conformance with another service mean.
    ///
    /// # Errors
    /// If a product is negative or not finite.
    pub fn scaled(&self, factor: f64) -> Result<Self, LoadError> {
        let scale = |rates: &[f64]| rates.iter().map(|rate| rate * factor).collect::<Vec<_>>();
        let scaled = Self::new(self.start, self.interval, scale(&self.rates_per_s), scale(&self.past_rates_per_s))?;
        Ok(Self { lost_history: self.lost_history, realised: self.realised, ..scaled })
    }

    /// The load as the regime makes it: flash crowds drawn per day, or a day of history lost.
    ///
    /// Episodes and oracles call this themselves; a load that already went through it is left as it is.
    #[must_use]
    pub fn under(&self, regime: Regime, seed: u64) -> Self {
        let mut load = self.clone();
        if !self.realised {
            match regime {
                Regime::Flash => load.rates_per_s = flash::with_crowds(self, seed),
                Regime::HistoryLost => load.lost_history = LOST_HISTORY,
                _ => {}
            }
            load.realised = true;
        }
        load
    }

    /// Checks that bins are whole numbers of `step`.
    ///
    /// # Errors
    /// [`LoadError::Interval`] if they are not.
    pub fn check_interval(&self, step: Span) -> Result<(), LoadError> {
        let fits = step > Span::ZERO && self.interval.micros() % step.micros() == 0;
        let error = LoadError::Interval { got_us: self.interval.micros(), step_us: step.micros() };
        if fits { Ok(()) } else { Err(error) }
    }

    /// Rate of the bin with the given index relative to the start; `None` outside of what is known.
    pub(crate) fn rate_of_bin(&self, bin: i64) -> Option<f64> {
        let at = |rates: &[f64], index: i64| usize::try_from(index).ok().and_then(|index| rates.get(index).copied());
        if bin >= 0 {
            at(&self.rates_per_s, bin)
        } else {
            at(&self.past_rates_per_s, bin + signed(self.past_rates_per_s.len()))
        }
    }

    /// The moment at which a bin begins.
    pub(crate) fn begin_of(&self, bin: usize) -> Timestamp {
        self.start + self.interval * signed(bin)
    }

    /// Requests offered from the start until `until`.
    pub(crate) fn offered_until(&self, until: Timestamp) -> f64 {
        let bins = usize::try_from((until - self.start).whole_steps(self.interval)).unwrap_or(0);
        let whole = &self.rates_per_s[..bins.min(self.rates_per_s.len())];
        let begun_s = (until - self.start - self.interval * signed(whole.len())).as_secs_f64();
        let begun = self.rates_per_s.get(bins).map_or(0.0, |rate| rate * begun_s);
        whole.iter().sum::<f64>() * self.interval.as_secs_f64() + begun
    }

    /// Number of the bin since the origin of time: draws are keyed by it, so that they do not depend on where an episode starts.
    pub(crate) fn absolute_bin(&self, bin: i64) -> i64 {
        (self.start + self.interval * bin).micros().div_euclid(self.interval.micros())
    }

    pub(crate) const fn lost_history(&self) -> Span {
        self.lost_history
    }
}

fn check_rates(rates: &[f64], first_bin: i64) -> Result<(), LoadError> {
    match rates.iter().position(|rate| !rate.is_finite() || *rate < 0.0) {
        Some(index) => Err(LoadError::Rate { bin: first_bin + signed(index), got: rates[index] }),
        None => Ok(()),
    }
}

/// A length as a signed number; lengths of slices fit.
pub(crate) const fn signed(length: usize) -> i64 {
    length as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_rates_are_named() {
        let load =
            |rates: Vec<f64>, past: Vec<f64>| EpisodeLoad::new(Timestamp::ZERO, Span::from_secs(60), rates, past);
        assert_eq!(load(vec![], vec![1.0]), Err(LoadError::Empty));
        assert_eq!(load(vec![1.0, -2.0], vec![]), Err(LoadError::Rate { bin: 1, got: -2.0 }));
        let message = load(vec![1.0], vec![1.0, f64::NAN]).unwrap_err().to_string();
        assert!(message.contains("bin -1"), "{message}");
        let message = EpisodeLoad::new(Timestamp::ZERO, Span::ZERO, vec![1.0], vec![]).unwrap_err().to_string();
        assert!(message.contains("0 µs"), "{message}");
        assert!(load(vec![1.0], vec![]).unwrap().check_interval(Span::from_secs(45)).is_err());
        assert_eq!(load(vec![1.0], vec![]).unwrap().check_interval(Span::from_secs(15)), Ok(()));
    }

    #[test]
    fn bins_count_from_the_start_in_both_directions() {
        let load =
            EpisodeLoad::new(Timestamp::from_secs(600), Span::from_secs(60), vec![3.0, 4.0], vec![1.0, 2.0]).unwrap();
        let rates: Vec<_> = (-3..3).map(|bin| load.rate_of_bin(bin)).collect();
        assert_eq!(rates, [None, Some(1.0), Some(2.0), Some(3.0), Some(4.0), None]);
        assert_eq!((load.absolute_bin(-1), load.absolute_bin(0)), (9, 10));
        assert_eq!(load.end(), Timestamp::from_secs(720));
    }
}
