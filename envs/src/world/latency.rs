//! Latencies of a run: a histogram of whole microseconds at three significant digits (hdrhistogram).
//!
//! Quantiles of several runs come from their merged histograms, never from quantiles of quantiles. A histogram is made with
//! its first value and grows with the greatest one, so that a world that nobody measured is small to fork.

use hdrhistogram::Histogram;
use seatrial_core::record::timeline::Percentiles;
use seatrial_core::time::Span;

/// Significant digits: quantiles are right within a thousandth.
const DIGITS: u8 = 3;

/// Latencies; clones and merges.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Latencies {
    histogram: Option<Histogram<u64>>,
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
    /// Adds one latency.
    pub fn record(&mut self, latency: Span) {
        if self.histogram.is_none() {
            self.histogram = Histogram::new(DIGITS).ok();
        }
        if let Some(histogram) = &mut self.histogram {
            let micros = latency.micros().max(0).cast_unsigned();
            // A histogram that resizes itself takes any value.
            histogram.saturating_record(micros);
        }
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        let Some(others) = &other.histogram else { return };
        match &mut self.histogram {
            // Both resize themselves and have the same digits: nothing can be refused.
            Some(histogram) => drop(histogram.add(others)),
            None => self.histogram = Some(others.clone()),
        }
    }

    /// Forgets everything and keeps its room.
    pub fn clear(&mut self) {
        if let Some(histogram) = &mut self.histogram {
            histogram.clear();
        }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.histogram.as_ref().map_or(0, Histogram::len)
    }

    /// A quantile in seconds, `level` from 0 to 1; `None` without latencies.
    #[must_use]
    pub fn quantile_s(&self, level: f64) -> Option<f64> {
        let histogram = self.histogram.as_ref().filter(|histogram| !histogram.is_empty())?;
        Some(seconds(histogram.value_at_quantile(level).min(histogram.max())))
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
        let mean_s = self.histogram.as_ref().filter(|histogram| !histogram.is_empty()).map(|all| all.mean() / 1e6);
        let (p999_s, max_s) = (self.quantile_s(0.999), self.quantile_s(1.0));
        LatencySummary { count: self.count(), mean_s, p50_s, p95_s, p99_s, p999_s, max_s }
    }

    /// Adds to `counts` how many lie in each class between `edges_s`, ascending from 0 to infinity.
    pub(super) fn count_into(&self, edges_s: &[f64], counts: &mut [u32]) {
        let Some(histogram) = &self.histogram else { return };
        let mut class = 0;
        for step in histogram.iter_recorded() {
            let value_s = seconds(step.value_iterated_to());
            while class + 1 < counts.len() && value_s >= edges_s[class + 1] {
                class += 1;
            }
            counts[class] += u32::try_from(step.count_at_value()).unwrap_or(u32::MAX);
        }
    }
}

/// Eight classes per factor of ten from a millisecond to a hundred seconds, one below and one above.
pub(super) fn class_edges_s() -> Vec<f64> {
    let inner = (0..=40).map(|eighth| 1e-3 * libm::pow(10.0, f64::from(eighth) / 8.0));
    core::iter::once(0.0).chain(inner).chain([f64::INFINITY]).collect()
}

#[expect(clippy::cast_precision_loss, reason = "microseconds far below 2^53")]
fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(millis: impl IntoIterator<Item = i64>) -> Latencies {
        let mut latencies = Latencies::default();
        for milli in millis {
            latencies.record(Span::from_millis(milli));
        }
        latencies
    }

    #[test]
    fn quantiles_are_right_within_a_thousandth() {
        let latencies = of(1..=1_000);
        let near = |level: f64, expected: f64| {
            let got = latencies.quantile_s(level).unwrap();
            assert!((got / expected - 1.0).abs() <= 1e-3, "{level}: {got}");
        };
        for (level, expected) in [(0.5, 0.5), (0.95, 0.95), (0.99, 0.99), (0.999, 0.999), (1.0, 1.0)] {
            near(level, expected);
        }
        let summary = latencies.summary();
        assert_eq!(summary.count, 1_000);
        assert!((summary.mean_s.unwrap() - 0.5005).abs() < 5e-4, "{summary:?}");
        assert_eq!(Latencies::default().summary(), LatencySummary::default());
    }

    #[test]
    fn merging_is_recording_all_of_them() {
        let mut merged = of(1..400);
        merged.merge(&of(400..=70_000));
        merged.merge(&Latencies::default());
        let mut from_nothing = Latencies::default();
        from_nothing.merge(&merged);
        for (one, other) in [(&merged, &of(1..=70_000)), (&from_nothing, &merged)] {
            assert_eq!(one.summary(), other.summary());
        }
        merged.clear();
        assert_eq!((merged.count(), merged.quantile_s(0.5)), (0, None));
    }

    #[test]
    fn classes_hold_each_latency_once() {
        let edges_s = class_edges_s();
        assert_eq!((edges_s[0], edges_s[1], edges_s.len()), (0.0, 1e-3, 43));
        assert!(edges_s.is_sorted() && (edges_s[41] - 100.0).abs() < 1e-9 && edges_s[42].is_infinite());
        let mut counts = vec![0; 42];
        of([0, 1, 5, 200_000]).count_into(&edges_s, &mut counts);
        assert_eq!((counts[0], counts[1], counts[41], counts.iter().sum::<u32>()), (1, 1, 1, 4));
        of([0, 0]).count_into(&edges_s, &mut counts);
        assert_eq!(counts[0], 3);
    }
}
