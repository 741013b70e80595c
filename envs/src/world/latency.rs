//! Latencies of a run: a histogram of whole microseconds at three significant digits (hdrhistogram).
//!
//! Quantiles of several runs come from their merged histograms, never from quantiles of quantiles.

use hdrhistogram::Histogram;
use seatrial_core::math;
use seatrial_core::record::timeline::Percentiles;

/// Latencies of requests or calls; they merge.
#[derive(Clone, Debug, PartialEq)]
pub struct Latencies {
    histogram: Histogram<u64>,
}

/// Quantiles of a run in seconds; all `None` where nothing was answered.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LatencySummary {
    /// How many.
    pub count: u64,
    /// Mean.
    pub mean_s: Option<f64>,
    /// Median.
    pub p50_s: Option<f64>,
    /// 95 %.
    pub p95_s: Option<f64>,
    /// 99 %.
    pub p99_s: Option<f64>,
    /// 99.9 %.
    pub p999_s: Option<f64>,
    /// Greatest.
    pub max_s: Option<f64>,
}

impl Latencies {
    /// Those of `histogram`, in microseconds, without those of `before`, which it had already.
    pub(super) fn since(mut histogram: Histogram<u64>, before: Option<&Histogram<u64>>) -> Self {
        if let Some(before) = before {
            // It cannot be refused: what was recorded then is still recorded now.
            let _ = histogram.subtract(before);
        }
        Self { histogram }
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        let Self { histogram } = self;
        histogram.auto(true);
        // A histogram that resizes itself takes any value.
        let _ = histogram.add(&other.histogram);
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// A quantile in seconds, `level` from 0 to 1; `None` without latencies.
    #[must_use]
    pub fn quantile_s(&self, level: f64) -> Option<f64> {
        let Self { histogram } = self;
        (!histogram.is_empty()).then(|| seconds(histogram.value_at_quantile(level).min(histogram.max())))
    }

    /// Median, 95 % and 99 %.
    #[must_use]
    pub fn percentiles(&self) -> Percentiles {
        Percentiles { p50_s: self.quantile_s(0.5), p95_s: self.quantile_s(0.95), p99_s: self.quantile_s(0.99) }
    }

    /// The usual quantiles.
    #[must_use]
    pub fn summary(&self) -> LatencySummary {
        let Percentiles { p50_s, p95_s, p99_s } = self.percentiles();
        let mean_s = (self.count() > 0).then(|| self.histogram.mean() / 1e6);
        let (p999_s, max_s) = (self.quantile_s(0.999), self.quantile_s(1.0));
        LatencySummary { count: self.count(), mean_s, p50_s, p95_s, p99_s, p999_s, max_s }
    }
}

/// Eight classes per factor of ten from a millisecond to a hundred seconds, one below and one above.
pub(super) fn class_edges_s() -> Vec<f64> {
    let inner = (0..=40).map(|eighth| 1e-3 * math::exp(core::f64::consts::LN_10 * f64::from(eighth) / 8.0));
    core::iter::once(0.0).chain(inner).chain([f64::INFINITY]).collect()
}

#[expect(clippy::cast_precision_loss, reason = "microseconds far below 2^53")]
fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(millis: impl IntoIterator<Item = u64>) -> Histogram<u64> {
        let mut histogram = Histogram::new(3).unwrap();
        for milli in millis {
            histogram.record(1_000 * milli).unwrap();
        }
        histogram
    }

    fn of(millis: impl IntoIterator<Item = u64>) -> Latencies {
        Latencies::since(histogram(millis), None)
    }

    #[test]
    fn quantiles_are_right_within_a_thousandth() {
        let latencies = of(1..=1_000);
        for level in [0.5, 0.95, 0.99, 0.999, 1.0] {
            let got = latencies.quantile_s(level).unwrap();
            assert!((got / level - 1.0).abs() <= 1e-3, "{level}: {got}");
        }
        let summary = latencies.summary();
        assert_eq!(summary.count, 1_000);
        assert!((summary.mean_s.unwrap() - 0.5005).abs() < 5e-4, "{summary:?}");
        assert_eq!(of([]).summary(), LatencySummary::default());
    }

    #[test]
    fn merging_is_recording_all_of_them() {
        let mut merged = of(1..400);
        merged.merge(&of(400..=70_000));
        merged.merge(&of([]));
        assert_eq!(merged.summary(), of(1..=70_000).summary());
    }

    #[test]
    fn what_came_before_is_left_out() {
        let late = Latencies::since(histogram(1..=900), Some(&histogram(1..=800)));
        assert_eq!((late.count(), late.quantile_s(0.0)), (100, of(801..=900).quantile_s(0.0)));
        assert!((late.quantile_s(0.5).unwrap() - 0.85).abs() < 1e-3);
    }

    #[test]
    fn classes_ascend_from_nothing_to_infinity() {
        let edges_s = class_edges_s();
        assert_eq!((edges_s[0], edges_s[1], edges_s.len()), (0.0, 1e-3, 43));
        assert!(edges_s.is_sorted() && (edges_s[41] - 100.0).abs() < 1e-9 && edges_s[42].is_infinite());
    }
}
