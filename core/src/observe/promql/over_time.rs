//! Functions of all values in a range: mean, extremes, sums, quantiles, counts of changes, slope.

use super::Window;
use super::compensated::Sum;

impl Window<'_> {
    /// `count_over_time`: numbers in the range; none instead of zero.
    #[must_use]
    pub fn count_over_time(&self) -> Option<f64> {
        self.values().map(|_| 1.0).reduce(|count, one| count + one)
    }

    /// `last_over_time`: the last number in the range, however old.
    #[must_use]
    pub fn last_over_time(&self) -> Option<f64> {
        self.values().next_back()
    }

    /// `min_over_time`; NaN only if all are.
    #[must_use]
    pub fn min_over_time(&self) -> Option<f64> {
        self.values().reduce(|least, value| if value < least || least.is_nan() { value } else { least })
    }

    /// `max_over_time`; NaN only if all are.
    #[must_use]
    pub fn max_over_time(&self) -> Option<f64> {
        self.values().reduce(|most, value| if value > most || most.is_nan() { value } else { most })
    }

    /// `sum_over_time`.
    #[must_use]
    pub fn sum_over_time(&self) -> Option<f64> {
        self.values().next()?;
        let mut sum = Sum::default();
        self.values().for_each(|value| sum.add(value));
        Some(if sum.rounded.is_infinite() { sum.rounded } else { sum.total() })
    }

    /// `avg_over_time`: sum over count, or a running mean from where the sum would overflow.
    #[must_use]
    pub fn avg_over_time(&self) -> Option<f64> {
        let mut values = self.values();
        let (mut sum, mut count) = (Sum { rounded: values.next()?, lost: 0.0 }, 1.0);
        while let Some(value) = values.next() {
            let mut next = sum;
            next.add(value);
            if next.rounded.is_infinite() {
                let mean = Sum { rounded: sum.rounded / count, lost: sum.lost / count };
                return Some(running_mean(mean, count, core::iter::once(value).chain(values)));
            }
            sum = next;
            count += 1.0;
        }
        Some(sum.rounded / count + sum.lost / count)
    }

    /// `stddev_over_time`: population standard deviation.
    #[must_use]
    pub fn stddev_over_time(&self) -> Option<f64> {
        let (mut count, mut mean, mut squares) = (0.0, Sum::default(), Sum::default());
        for value in self.values() {
            count += 1.0;
            let off = value - mean.total();
            mean.add(off / count);
            squares.add(off * (value - mean.total()));
        }
        (count > 0.0).then(|| (squares.total() / count).sqrt())
    }

    /// `quantile_over_time`, between two values in proportion. A level below 0 gives −∞, above 1 +∞, NaN NaN.
    ///
    /// `scratch` is overwritten; it grows to the points of the window once and is reused afterwards.
    #[must_use]
    pub fn quantile_over_time(&self, level: f64, scratch: &mut Vec<f64>) -> Option<f64> {
        scratch.clear();
        scratch.extend(self.values());
        if scratch.is_empty() {
            return None;
        }
        // NaN below everything, as Prometheus sorts.
        scratch.sort_unstable_by(|a, b| b.is_nan().cmp(&a.is_nan()).then(a.total_cmp(b)));
        Some(super::histogram::outside(level).unwrap_or_else(|| between(scratch, level)))
    }

    /// `resets`: how often a counter fell.
    #[must_use]
    pub fn resets(&self) -> Option<f64> {
        self.count_neighbours(|before, after| after < before)
    }

    /// `changes`: how often the value became another one; from NaN to NaN is none.
    #[must_use]
    pub fn changes(&self) -> Option<f64> {
        #[expect(clippy::float_cmp, reason = "any other value is a change")]
        self.count_neighbours(|before, after| after != before && !(after.is_nan() && before.is_nan()))
    }

    fn count_neighbours(&self, counts: impl Fn(f64, f64) -> bool) -> Option<f64> {
        self.values().next()?;
        Some(
            self.neighbours()
                .fold(0.0, |count, (before, after)| if counts(before, after) { count + 1.0 } else { count }),
        )
    }

    /// `deriv`: slope per second of the least-squares line through at least two points. A series that stays is 0, one that stays
    /// infinite is NaN.
    #[must_use]
    #[expect(clippy::float_cmp, reason = "a series that stays has exactly one value")]
    pub fn deriv(&self) -> Option<f64> {
        let first = self.samples().next()?;
        let (mut n, mut x, mut y, mut xy, mut xx) =
            (0.0, Sum::default(), Sum::default(), Sum::default(), Sum::default());
        let mut stays = true;
        for sample in self.samples() {
            let after_s = sample.at.since(first.at).as_secs_f64();
            stays &= n == 0.0 || sample.value == first.value;
            n += 1.0;
            x.add(after_s);
            y.add(sample.value);
            xy.add(after_s * sample.value);
            xx.add(after_s * after_s);
        }
        if n < 2.0 {
            return None;
        }
        if stays {
            return Some(if first.value.is_infinite() { f64::NAN } else { 0.0 });
        }
        let covariance = xy.total() - x.total() * y.total() / n;
        Some(covariance / (xx.total() - x.total() * x.total() / n))
    }
}

/// Goes on from the `mean` of `count` values.
fn running_mean(mut mean: Sum, mut count: f64, values: impl Iterator<Item = f64>) -> f64 {
    for value in values {
        count += 1.0;
        let kept = (count - 1.0) / count;
        mean = Sum { rounded: kept * mean.rounded, lost: kept * mean.lost };
        mean.add(value / count);
    }
    mean.total()
}

/// The `level`-quantile of sorted values, weighted as Prometheus weighs: infinity with a weight of 0 is NaN, as there.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "an index")]
fn between(sorted: &[f64], level: f64) -> f64 {
    let last = sorted.len() - 1;
    let rank = level * last as f64;
    let below = (rank as usize).min(last);
    let weight = rank - libm::floor(rank);
    sorted[below] * (1.0 - weight) + sorted[(below + 1).min(last)] * weight
}
