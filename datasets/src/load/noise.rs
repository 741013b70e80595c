//! The noise statistic of protocol P1: how much counts jump from bin to bin, relative to Poisson arrivals.
//!
//! Median over hours of (median |first difference of counts| / 0.6745)² / (2 × mean count). For a Poisson process the first
//! difference has variance 2 × mean and the bracket estimates its square robustly, so the ratio is 1. Hours begin at whole hours
//! of the trace's clock; hours that are incomplete, hold a missing bin, or are without load are left out.

use seatrial_core::math::quantile_of_sorted;
use seatrial_core::time::Span;

use crate::trace::Series;

const HOUR: Span = Span::from_secs(3_600);
/// Median of |Z| for a standard normal Z.
const NORMAL_MEDIAN: f64 = 0.6745;

/// The statistic for `rates` per second on the grid of `source`; `None` if no hour qualifies.
pub(super) fn of_rates(rates: &[f64], source: &Series) -> Option<f64> {
    let bins_per_hour = usize::try_from(HOUR.whole_steps(source.interval)).unwrap_or(0);
    if bins_per_hour < 2 || HOUR != source.interval * i64::try_from(bins_per_hour).unwrap_or(0) {
        return None;
    }
    let first = bins_before_whole_hour(source).min(rates.len());
    let seconds = source.interval.as_secs_f64();
    let hours = rates[first..].chunks_exact(bins_per_hour).zip(source.missing[first..].chunks_exact(bins_per_hour));
    let ratios = hours.filter(|(_, missing)| !missing.contains(&true)).filter_map(|(rates, _)| of_hour(rates, seconds));
    median(ratios.collect())
}

fn bins_before_whole_hour(source: &Series) -> usize {
    let into_hour = source.start.since(source.start.floor_to(HOUR));
    let left = if into_hour == Span::ZERO { Span::ZERO } else { HOUR - into_hour };
    // Rounded up: a grid that never meets the whole hour begins with the first bin inside one.
    usize::try_from((left + source.interval - Span::from_micros(1)).whole_steps(source.interval)).unwrap_or(0)
}

fn of_hour(rates: &[f64], seconds: f64) -> Option<f64> {
    let mean_count = rates.iter().sum::<f64>() * seconds / rates.len() as f64;
    let jumps = rates.windows(2).map(|pair| (pair[1] - pair[0]).abs() * seconds).collect();
    let spread = median(jumps)? / NORMAL_MEDIAN;
    (mean_count > 0.0).then(|| spread * spread / (2.0 * mean_count))
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    quantile_of_sorted(&values, 0.5)
}
