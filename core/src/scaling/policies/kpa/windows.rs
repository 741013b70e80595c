//! The last seconds of a metric in buckets of one second, and their averages over a long and a short window.
//!
//! After Knative's `TimedFloat64Buckets` and `WeightedFloat64Buckets`, to the last bit of their running sums: a bucket adds up
//! what is written into its second, skipped seconds are zeros, an average divides by the seconds since the first write (at most
//! the window), and after a window without a write everything begins anew. Knative keeps a ring for each window; the short
//! one is the end of the long one, so one ring serves both, and only sums and first writes differ.
//!
//! Invariants: buckets outside the window hold nothing that a sum still counts; a write or an average never costs more than a
//! step per skipped second and never more than a window; nothing is allocated after creation.

use serde::{Deserialize, Serialize};

use super::hex;

/// Least weight of the newest bucket in a weighted average.
const LEAST_SMOOTHING: f64 = 0.2;
/// What the weights of a window add up to, at least.
const WEIGHT_SUM: f64 = 0.9999;
/// Linear averages are rounded to this part of one.
const PRECISION: f64 = 1e6;

/// How buckets become an average.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Aggregation {
    /// All buckets count alike.
    Linear,
    /// Each bucket counts a constant factor less than the one after it.
    WeightedExponential,
}

/// An [`Aggregation`] with its weights for two windows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Averaging(Option<[f64; 2]>);

impl Averaging {
    /// The averaging of windows of these lengths.
    #[must_use]
    pub fn new(aggregation: Aggregation, stable_s: u32, panic_s: u32) -> Self {
        let smoothing = |length_s: u32| {
            let decayed = 1.0 - libm::pow(1.0 - WEIGHT_SUM, 1.0 / f64::from(length_s));
            decayed.max(LEAST_SMOOTHING)
        };
        match aggregation {
            Aggregation::Linear => Self(None),
            Aggregation::WeightedExponential => Self(Some([smoothing(stable_s), smoothing(panic_s)])),
        }
    }
}

/// Averages over both windows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Averages {
    /// Over the stable window.
    pub stable: f64,
    /// Over the panic window.
    pub panic: f64,
}

/// The windows; see the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Windows {
    /// The buckets of the stable window, a ring.
    #[serde(with = "hex::numbers")]
    buckets: Vec<f64>,
    /// Index of the bucket of the last write.
    head: usize,
    /// Second of the newest write.
    last_write_s: Option<i64>,
    stable: Running,
    panic: Running,
}

/// What differs between the windows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Running {
    length_s: i64,
    /// Second of the first write; of no meaning before any.
    first_write_s: i64,
    total: f64,
}

impl Running {
    const fn new(length_s: i64) -> Self {
        Self { length_s, first_write_s: 0, total: 0.0 }
    }

    fn begin(&mut self, second: i64) {
        self.first_write_s = second;
        self.total = 0.0;
    }

    /// Adds to a second that is not newer than the newest, if the window still covers it.
    fn add_late(&mut self, second: i64, last_write_s: i64, value: f64) -> bool {
        let covered = last_write_s.saturating_sub(second) < self.length_s;
        if covered {
            self.first_write_s = self.first_write_s.min(second);
            self.total += value;
        }
        covered
    }

    /// The average of `total` over the seconds since the first write, without the `skipped` ones since the last.
    #[expect(clippy::cast_precision_loss, reason = "at most the window's length")]
    fn mean(&self, total: f64, last_write_s: i64, skipped: i64) -> f64 {
        let written = last_write_s.saturating_sub(self.first_write_s).saturating_add(1);
        let counted = written.min(self.length_s - skipped);
        round_half_away(total / counted as f64 * PRECISION) / PRECISION
    }
}

impl Windows {
    /// Empty windows; the panic window is at most as long as the stable one, and both at least 1 s.
    #[must_use]
    pub fn new(stable_s: u32, panic_s: u32) -> Self {
        let stable_s = stable_s.max(1);
        Self {
            buckets: vec![0.0; stable_s as usize],
            head: 0,
            last_write_s: None,
            stable: Running::new(i64::from(stable_s)),
            panic: Running::new(i64::from(panic_s.clamp(1, stable_s))),
        }
    }

    /// Whether they have these lengths and hold together: a snapshot may come from another configuration, or be broken.
    pub(super) fn fit(&self, stable_s: u32, panic_s: u32) -> bool {
        self.buckets.len() == stable_s as usize
            && self.head < self.buckets.len()
            && self.stable.length_s == i64::from(stable_s)
            && self.panic.length_s == i64::from(panic_s)
            && self.panic.length_s <= self.stable.length_s
    }

    /// Second of the newest write.
    #[must_use]
    pub const fn last_write_s(&self) -> Option<i64> {
        self.last_write_s
    }

    /// Whether nothing was written for more than the stable window.
    #[must_use]
    pub fn is_empty(&self, now_s: i64) -> bool {
        self.last_write_s.is_none_or(|last| now_s.saturating_sub(last) > self.stable.length_s)
    }

    /// Adds `value` to the bucket of `second`; what lies before a window is ignored by it.
    pub fn record(&mut self, second: i64, value: f64) {
        let age = match self.last_write_s {
            Some(last) if second <= last => {
                self.panic.add_late(second, last, value);
                if !self.stable.add_late(second, last, value) {
                    return;
                }
                last - second
            }
            last => {
                self.advance(last, second);
                self.panic.total += value;
                self.stable.total += value;
                0
            }
        };
        let slot = self.slot(age);
        self.buckets[slot] += value;
    }

    /// Records `value` for every second of `seconds`, as [`Self::record`] would one after the other, with the sums kept at hand.
    pub fn fill(&mut self, seconds: core::ops::RangeInclusive<i64>, value: f64) {
        let (from, to) = (*seconds.start(), *seconds.end());
        if from > to {
            return;
        }
        self.record(from, value);
        if self.last_write_s == Some(from) {
            self.extend(to - from, value);
            self.last_write_s = Some(to);
        } else {
            (from + 1..=to).for_each(|second| self.record(second, value));
        }
    }

    /// The next `steps` seconds, none skipped.
    fn extend(&mut self, steps: i64, value: f64) {
        let length = self.buckets.len();
        let next = |slot: usize| if slot + 1 == length { 0 } else { slot + 1 };
        let (mut head, mut leaving) = (self.head, self.slot(self.panic.length_s - 1));
        let (mut stable, mut panic) = (self.stable.total, self.panic.total);
        for _ in 0..steps {
            // The panic window first: with windows of one length both lose the same bucket.
            panic = panic - self.buckets[leaving] + value;
            leaving = next(leaving);
            head = next(head);
            stable = stable - self.buckets[head] + value;
            self.buckets[head] = value;
        }
        self.head = head;
        (self.stable.total, self.panic.total) = (stable, panic);
    }

    /// Averages at `now_s`: zero where nothing was written for a window.
    #[must_use]
    pub fn averages(&self, now_s: i64, averaging: Averaging) -> Averages {
        let Some(last) = self.last_write_s else { return Averages::default() };
        let skipped = now_s.saturating_sub(last).max(0);
        match averaging.0 {
            None => Averages {
                stable: self.linear(&self.stable, last, skipped),
                panic: self.linear(&self.panic, last, skipped),
            },
            Some([stable, panic]) => Averages {
                stable: self.weighted(stable, skipped, self.stable.length_s),
                panic: self.weighted(panic, skipped, self.panic.length_s),
            },
        }
    }

    /// Makes `second` the newest: what leaves the windows leaves the sums, one second after the other.
    fn advance(&mut self, last: Option<i64>, second: i64) {
        let steps = last.map_or(i64::MAX, |last| second.saturating_sub(last));
        if steps >= self.panic.length_s {
            self.panic.begin(second);
        } else {
            // Before buckets are cleared: with windows of one length they are the same ones.
            for age in (self.panic.length_s - steps..self.panic.length_s).rev() {
                self.panic.total -= self.buckets[self.slot(age)];
            }
        }
        if steps >= self.stable.length_s {
            self.stable.begin(second);
            self.buckets.fill(0.0);
        } else {
            self.clear_next(steps);
        }
        self.last_write_s = Some(second);
    }

    fn clear_next(&mut self, steps: i64) {
        for _ in 0..steps {
            self.head = if self.head + 1 == self.buckets.len() { 0 } else { self.head + 1 };
            let bucket = &mut self.buckets[self.head];
            self.stable.total -= *bucket;
            *bucket = 0.0;
        }
    }

    fn linear(&self, window: &Running, last: i64, skipped: i64) -> f64 {
        if skipped >= window.length_s {
            return 0.0;
        }
        let mut total = window.total;
        for age in (window.length_s - skipped..window.length_s).rev() {
            total -= self.buckets[self.slot(age)];
        }
        window.mean(total, last, skipped)
    }

    /// Newest first; skipped seconds are zeros whose weights are passed over at once.
    fn weighted(&self, smoothing: f64, skipped: i64, length_s: i64) -> f64 {
        if skipped > length_s {
            return 0.0;
        }
        let mut weight = smoothing;
        if skipped > 0 {
            #[expect(clippy::cast_precision_loss, reason = "at most the window's length")]
            let zeros = skipped as f64;
            weight *= libm::pow(1.0 - smoothing, zeros);
        }
        let mut average = 0.0;
        for age in 0..length_s - skipped {
            average += self.buckets[self.slot(age)] * weight;
            weight *= 1.0 - smoothing;
        }
        average
    }

    /// Where the bucket lies that is `age` seconds older than the newest; `age` is within the stable window.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the window")]
    const fn slot(&self, age: i64) -> usize {
        let age = age as usize;
        if age <= self.head { self.head - age } else { self.head + self.buckets.len() - age }
    }
}

/// The nearest whole number, halves away from zero: libm's way, with a cast in the place of a call and no branch on the rest,
/// which nobody could foresee.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "whole numbers below 2^52 are exact")]
fn round_half_away(x: f64) -> f64 {
    /// The greatest double below a half.
    const ALMOST_HALF: f64 = 0.5 - 0.25 * f64::EPSILON;
    if x.abs() >= 4_503_599_627_370_496.0 { x } else { (x + ALMOST_HALF.copysign(x)) as i64 as f64 }
}

#[cfg(test)]
mod tests;
