//! Prometheus' arithmetic: what a query answers over scraped points, number for number.
//!
//! Controllers do not see a load, they see `rate(requests[1m])` over scrapes that come late, get lost, restart from zero and end.
//! The simulator's metrics pipeline answers with these functions, so a policy in it learns the quirks of the real thing:
//! extrapolation to the edges of a range, half a gap where a series begins or ends inside it, counters that are never extended
//! below zero, staleness, the lookback of five minutes. This is the arithmetic alone: no parser, no labels, no native histograms.
//!
//! Invariants: every function is pure, allocates nothing, depends on differences of times only (shifting all of them changes no
//! bit of an answer), and answers `None` where Prometheus returns no element. Points are in order of time, as Prometheus stores
//! them (it refuses others on arrival). On points out of order answers mean nothing, and nothing panics; NaN and infinities are
//! values like others and go through as IEEE 754 and Prometheus have it (a NaN in the range of a rate that is not its
//! first or last value is no reset and has no effect; as first or last it makes the rate NaN).
//!
//! Ranges are left-open and right-closed, `(end - length, end]`, as of Prometheus 3. [`Dialect::Prometheus2`] closes the left edge.
//!
//! Sources: `promql/functions.go` (`extrapolatedRate`, `instantValue`, the functions over time, `linearRegression`),
//! `promql/quantile.go`, `promql/engine.go` (lookback) and `util/almost` of Prometheus 3.15; of 2.42 for the other
//! dialect. Checked against golden vectors of the real engine (`tests/vectors/prometheus.rs`).
//!
//! Deviations
//!
//! 1. Start time stamps of counters (an experimental feature of 3.x, off by default) are not known here.
//! 2. `Prometheus2` differs in the edges and in the order of the two limits of extrapolation. It keeps the compensated sums of 3
//!    and its forgiveness of dust between the buckets of a histogram.

mod compensated;
mod histogram;
mod over_time;
mod rates;
#[cfg(test)]
mod tests;

pub use histogram::{Bucket, histogram_quantile};

use super::Sample;
use crate::time::{Span, Timestamp};

/// How long an instant query looks back for the last point.
pub const LOOKBACK: Span = Span::from_secs(300);

/// What a scrape left behind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// A number, NaN and infinities included.
    Number(f64),
    /// The marker that Prometheus writes when a target or a series is gone: from here on there is nothing, instead of the
    /// last number for five minutes.
    Stale,
}

/// One stored point of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// When it was scraped.
    pub at: Timestamp,
    /// What was found.
    pub value: Value,
}

impl Point {
    /// A number.
    #[must_use]
    pub const fn number(at: Timestamp, value: f64) -> Self {
        Self { at, value: Value::Number(value) }
    }

    /// The end of a series.
    #[must_use]
    pub const fn stale(at: Timestamp) -> Self {
        Self { at, value: Value::Stale }
    }

    const fn sample(&self) -> Option<Sample> {
        match self.value {
            Value::Number(value) => Some(Sample { at: self.at, value }),
            Value::Stale => None,
        }
    }
}

/// Whose reading of the edges is followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// Prometheus 3: ranges and the lookback are left-open, a point on the left edge does not count.
    #[default]
    Prometheus3,
    /// Prometheus 2 as of 2.42: both are closed. A counter that starts more than 1.1 mean gaps inside the range, and whose
    /// zero point lies between half a gap and 1.1 gaps before its first point, is extended to that zero point, where 3 stops at half
    /// a gap.
    Prometheus2,
}

impl Dialect {
    /// Whether `at` lies before a range or lookback that begins at `start`.
    const fn is_before(self, at: Timestamp, start: Timestamp) -> bool {
        match self {
            Self::Prometheus3 => at.micros() <= start.micros(),
            Self::Prometheus2 => at.micros() < start.micros(),
        }
    }
}

/// The last number up to `at`, as an instant query sees it: none older than [`LOOKBACK`], none after a staleness marker.
///
/// For an `offset`, subtract it from `at`.
#[must_use]
pub fn instant(series: &[Point], at: Timestamp, dialect: Dialect) -> Option<Sample> {
    let seen = series.partition_point(|point| point.at <= at);
    let last = series[..seen].last()?;
    if dialect.is_before(last.at, at - LOOKBACK) { None } else { last.sample() }
}

/// The part of a series that a range selector such as `[1m]` picks.
#[derive(Clone, Copy, Debug)]
pub struct Window<'a> {
    points: &'a [Point],
    end: Timestamp,
    length: Span,
    dialect: Dialect,
}

impl<'a> Window<'a> {
    /// The points of `series` in the `length` up to `end`. For an `offset`, subtract it from `end`.
    #[must_use]
    pub fn new(series: &'a [Point], end: Timestamp, length: Span, dialect: Dialect) -> Self {
        let start = end - length;
        let from = series.partition_point(|point| dialect.is_before(point.at, start));
        let to = series.partition_point(|point| point.at <= end);
        // An empty or negative length has its start behind its end.
        Self { points: series.get(from..to).unwrap_or_default(), end, length, dialect }
    }

    fn start(&self) -> Timestamp {
        self.end - self.length
    }

    /// The numbers in the window, in order of time. Staleness markers are no numbers.
    fn samples(&self) -> impl DoubleEndedIterator<Item = Sample> + 'a {
        self.points.iter().filter_map(Point::sample)
    }

    fn values(&self) -> impl DoubleEndedIterator<Item = f64> + 'a {
        self.samples().map(|sample| sample.value)
    }

    /// Neighbouring values, earlier and later.
    fn neighbours(&self) -> impl Iterator<Item = (f64, f64)> + 'a {
        self.values().zip(self.values().skip(1))
    }
}
