//! The earlier part that settings are tuned on, and the later part that they are judged on; and whether the data suffice.
//!
//! The later part is the last 30 % of the whole UTC days, 3 to 7 of them, so that days can be resampled; the earlier one is
//! what lies before it, at most 7 days. Nothing of the later part is looked at before the settings are chosen.

use std::ops::Range;

use seatrial_core::time::{Span, Timestamp};
use seatrial_datasets::moment::DAY;

use super::inputs::Offered;
use crate::error::{ExperimentError, Result};

/// Fewer days than this in the later part give no interval worth the name.
pub(super) const ENOUGH_DAYS: usize = 3;
/// Most days of either part.
const MOST_DAYS: i64 = 7;
/// Less than this and nothing can be said.
const LEAST_BINS: usize = 60;
const LEAST_SPAN: Span = Span::from_secs(3 * 3_600);
/// Coarser bins hide what an autoscaler reacts to: numbers are shown, settings are not recommended.
pub(super) const COARSE: Span = Span::from_secs(300);
/// Coarser bins say nothing.
const COARSEST: Span = Span::from_secs(1_800);
/// More holes than this and nothing can be said.
const MOST_MISSING: f64 = 0.5;

/// The parts of a series, in bins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) tuning: Range<usize>,
    pub(super) later: Range<usize>,
    /// Whole UTC days of the later part.
    pub(super) days: usize,
}

/// The parts of `offered`.
///
/// # Errors
/// If it is too short, too coarse or too full of holes for any statement.
pub(super) fn split(offered: &Offered, file: &str) -> Result<Parts> {
    check(offered, file)?;
    let (start, end) = (offered.start.micros(), offered.at(offered.rate_per_s.len()).micros());
    let day = DAY.micros();
    let (first, last) = (start.div_euclid(day) + i64::from(start.rem_euclid(day) > 0), end.div_euclid(day));
    let whole = last - first;
    let later_days = match whole {
        ..2 => {
            let cut = offered.rate_per_s.len() * 7 / 10;
            return Ok(Parts { tuning: 0..cut, later: cut..offered.rate_per_s.len(), days: 0 });
        }
        2..4 => 1,
        4 => 2,
        _ => ((whole * 3 + 9) / 10).clamp(3, MOST_DAYS),
    };
    let bin = |midnight: i64| bin_from(offered, midnight.saturating_mul(day));
    let later = bin(last - later_days)..bin(last);
    let tuning = bin(last - later_days - MOST_DAYS)..later.start;
    Ok(Parts { tuning, later, days: usize::try_from(later_days).unwrap_or(0) })
}

/// The first bin that begins at or after a moment.
fn bin_from(offered: &Offered, at_us: i64) -> usize {
    let offset = at_us.saturating_sub(offered.start.micros()).max(0);
    let interval = offered.interval.micros().max(1);
    let bin = offset / interval + i64::from(offset % interval > 0);
    usize::try_from(bin).unwrap_or(0).min(offered.rate_per_s.len())
}

fn check(offered: &Offered, file: &str) -> Result<()> {
    let series = if offered.name.is_empty() { String::new() } else { format!(" series `{}`", offered.name) };
    let refused = |detail: String| Err(ExperimentError::Trace(format!("{file}:{series} {detail}")));
    let (bins, minutes) = (offered.rate_per_s.len(), offered.interval.as_secs_f64() / 60.0);
    if offered.interval > COARSEST {
        return refused(format!(
            "too coarse: bins of {minutes:.0} min, and an autoscaler acts within a minute; export it with a step of 60 s or less"
        ));
    }
    if bins < LEAST_BINS || offered.span() < LEAST_SPAN {
        let hours = offered.span().as_secs_f64() / 3_600.0;
        return refused(format!(
            "too short: {bins} bins over {hours:.1} h; give at least 3 hours to look at, and a week or more for an answer"
        ));
    }
    let missing = offered.missing_share();
    if missing > MOST_MISSING {
        return refused(format!(
            "{:.0} % of its bins have no value, so nothing can be said; export a span in which the metric was there",
            100.0 * missing
        ));
    }
    if offered.rate_per_s.iter().all(|rate| *rate <= 0.0) {
        return refused("holds no load at all; check the query or the column".to_owned());
    }
    Ok(())
}

/// First and last moment of a part.
pub(super) fn bounds(offered: &Offered, part: &Range<usize>) -> (Timestamp, Timestamp) {
    (offered.at(part.start), offered.at(part.end))
}
