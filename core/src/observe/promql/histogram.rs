//! `histogram_quantile` over the buckets of a classic histogram, whose counts may be totals or rates.

use core::cmp::Ordering;

/// Neighbouring counts that differ by less than this, relatively, differ by rounding only.
const DUST: f64 = 1e-12;

/// The smallest normal double.
const SMALLEST_NORMAL: f64 = f64::MIN_POSITIVE;

/// One bucket: how many observations were at most `upper_bound` (cumulative, as `le` has it).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket {
    /// The value of `le`.
    pub upper_bound: f64,
    /// The count of the bucket and all below, or its rate.
    pub count: f64,
}

/// The value below which a share of `level` of the observations lie, spread evenly within a bucket.
///
/// `None` without buckets. NaN without observations, without a bucket to +∞, with a single bucket, or for a level of NaN; −∞ for
/// a level below 0, +∞ above 1. In the highest bucket it is the bound of the one below; the lowest bucket begins at 0 unless
/// its bound is not above 0, which is then the answer. Buckets come in any order, those with one bound are added up, counts
/// that fall from one bound to the next are lifted (dust is levelled). `buckets` are sorted and overwritten.
#[must_use]
pub fn histogram_quantile(level: f64, buckets: &mut [Bucket]) -> Option<f64> {
    if buckets.is_empty() {
        return None;
    }
    if let Some(outside) = outside(level) {
        return Some(outside);
    }
    buckets.sort_by(|a, b| a.upper_bound.total_cmp(&b.upper_bound));
    if buckets.last().is_none_or(|bucket| bucket.upper_bound != f64::INFINITY) {
        return Some(f64::NAN);
    }
    let buckets = merge(buckets);
    lift(buckets);
    Some(interpolate(level, buckets))
}

/// The answer of a quantile whose level is none.
pub(super) fn outside(level: f64) -> Option<f64> {
    if level.is_nan() {
        Some(f64::NAN)
    } else if level < 0.0 {
        Some(f64::NEG_INFINITY)
    } else {
        (level > 1.0).then_some(f64::INFINITY)
    }
}

/// Adds up sorted buckets of one bound; the part of the slice that is left.
#[expect(clippy::float_cmp, reason = "bounds are equal when they are the same number")]
fn merge(buckets: &mut [Bucket]) -> &mut [Bucket] {
    let mut kept = 0;
    for next in 1..buckets.len() {
        if buckets[next].upper_bound == buckets[kept].upper_bound {
            buckets[kept].count += buckets[next].count;
        } else {
            kept += 1;
            buckets[kept] = buckets[next];
        }
    }
    &mut buckets[..=kept]
}

/// Makes counts monotone, and equal where they differ by dust.
fn lift(buckets: &mut [Bucket]) {
    let mut reached = buckets[0].count;
    for bucket in &mut buckets[1..] {
        if bucket.count < reached || differ_by_dust(reached, bucket.count) {
            bucket.count = reached;
        } else {
            reached = bucket.count;
        }
    }
}

#[expect(clippy::float_cmp, reason = "equal numbers are equal; the tolerance follows")]
fn differ_by_dust(a: f64, b: f64) -> bool {
    if a == b || (a.is_nan() && b.is_nan()) {
        return true;
    }
    let (sum, difference) = (a.abs() + b.abs(), (a - b).abs());
    if a == 0.0 || b == 0.0 || sum < SMALLEST_NORMAL {
        return difference < DUST * SMALLEST_NORMAL;
    }
    difference / sum.min(f64::MAX) < DUST
}

fn interpolate(level: f64, buckets: &[Bucket]) -> f64 {
    let [finite @ .., highest] = buckets else { return f64::NAN };
    let Some(widest) = finite.last() else { return f64::NAN };
    if highest.count == 0.0 {
        return f64::NAN;
    }
    let rank = level * highest.count;
    let index = finite.partition_point(|bucket| bucket.count.partial_cmp(&rank).is_none_or(Ordering::is_lt));
    let Some(bucket) = finite.get(index) else { return widest.upper_bound };
    let Some(below) = index.checked_sub(1).map(|index| finite[index]) else { return in_lowest(*bucket, rank) };
    let share = (rank - below.count) / (bucket.count - below.count);
    below.upper_bound + (bucket.upper_bound - below.upper_bound) * share
}

fn in_lowest(bucket: Bucket, rank: f64) -> f64 {
    if bucket.upper_bound <= 0.0 { bucket.upper_bound } else { bucket.upper_bound * (rank / bucket.count) }
}
