//! Latencies: one histogram of the running interval, added to that of the whole run when the interval ends, so that a call is
//! recorded once. They are most of what a small world weighs: who forks worlds by the thousand leaves them out.

use hdrhistogram::{CreationError, Histogram};
use seatrial_core::record::timeline::Percentiles;
use seatrial_core::time::Span;

/// Longer ones count as an hour.
const LONGEST_US: u64 = 3_600_000_000;
/// Relative error below a thousandth.
const SIGNIFICANT_DIGITS: u8 = 3;

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Latency {
    is_recorded: bool,
    interval: Histogram<u32>,
    before: Histogram<u32>,
}

impl Latency {
    pub(super) fn new() -> Result<Self, CreationError> {
        let interval = Histogram::new_with_bounds(1, LONGEST_US, SIGNIFICANT_DIGITS)?;
        Ok(Self { is_recorded: true, before: interval.clone(), interval })
    }

    /// Forgets everything and records nothing any more.
    pub(super) fn leave_out(&mut self) {
        self.is_recorded = false;
        if let Ok(smallest) = Histogram::new_with_bounds(1, 2, 0) {
            (self.interval, self.before) = (smallest.clone(), smallest);
        }
    }

    /// Forgets what was recorded.
    pub(super) fn forget(&mut self) {
        self.interval.reset();
        self.before.reset();
    }

    #[inline]
    pub(super) fn record(&mut self, latency: Span) {
        if self.is_recorded {
            self.interval.saturating_record(latency.micros().cast_unsigned());
        }
    }

    /// Everything recorded, in microseconds.
    pub(super) fn whole(&self) -> Histogram<u64> {
        let mut whole = Histogram::new_from(&self.before);
        for part in [&self.before, &self.interval] {
            part.iter_recorded().for_each(|row| {
                whole.saturating_record_n(row.value_iterated_to(), u64::from(row.count_at_value()));
            });
        }
        whole
    }

    /// How many of the interval fall into each class; the first edge is where the first class begins.
    pub(super) fn classes(&self, edges_s: &[f64], counts: &mut [u32]) {
        counts.fill(0);
        for row in self.interval.iter_recorded() {
            #[expect(clippy::cast_precision_loss, reason = "at most an hour")]
            let latency_s = row.value_iterated_to() as f64 / 1e6;
            let class = edges_s.partition_point(|edge| *edge <= latency_s).saturating_sub(1);
            if let Some(count) = counts.get_mut(class) {
                *count += row.count_at_value();
            }
        }
    }

    /// Ends the interval: its quantiles, and an empty next one.
    pub(super) fn close(&mut self) -> Percentiles {
        if self.interval.is_empty() {
            return Percentiles::default();
        }
        #[expect(clippy::cast_precision_loss, reason = "at most an hour")]
        let quantile_s = |q: f64| Some(self.interval.value_at_quantile(q) as f64 / 1e6);
        let percentiles = Percentiles { p50_s: quantile_s(0.5), p95_s: quantile_s(0.95), p99_s: quantile_s(0.99) };
        // Both have the same bounds, the one thing that adding could fail for.
        let added = self.before.add(&self.interval);
        debug_assert!(added.is_ok(), "histograms of the same bounds");
        self.interval.reset();
        percentiles
    }
}
