//! Rows onto a regular grid: absent and flagged rows become missing bins that hold the last known value.
//!
//! The interval is the stated one if every row lies on its multiples, else the least distance of two rows if they all do
//! (one file may hold series of different intervals). Each series keeps its own phase.

use seatrial_core::time::{Span, Timestamp};

use super::Rows;
use crate::TraceError;
use crate::trace::Series;

/// More bins than this for one row are taken for a mistake in a timestamp, not for a gap.
const MOST_BINS: i64 = 50_000_000;

pub(super) fn fill(file: &str, name: String, rows: &Rows, stated_us: Option<i64>) -> Result<Series, TraceError> {
    let refuse = |detail: String| TraceError::Grid { file: file.to_owned(), series: name.clone(), detail };
    let interval_us = interval(&rows.at_us, stated_us).map_err(refuse)?;
    let (Some(first), Some(last)) = (rows.at_us.first(), rows.at_us.last()) else {
        return Err(TraceError::Empty { file: file.to_owned() });
    };
    let bins = last.saturating_sub(*first) / interval_us + 1;
    if bins > MOST_BINS {
        return Err(refuse(format!("a grid of {bins} bins of {interval_us} µs would be needed")));
    }
    let bins = usize::try_from(bins).unwrap_or(0);
    let (mut values, mut missing) = (Vec::with_capacity(bins), Vec::with_capacity(bins));
    let mut held = 0.0;
    for ((at_us, value), absent) in rows.at_us.iter().zip(&rows.values).zip(&rows.missing) {
        let bin = usize::try_from((at_us - first) / interval_us).unwrap_or(0);
        values.resize(bin, held);
        missing.resize(bin, true);
        held = if *absent { held } else { *value };
        values.push(held);
        missing.push(*absent);
    }
    let (start, interval) = (Timestamp::from_micros(*first), Span::from_micros(interval_us));
    Ok(Series { name, start, interval, values, missing })
}

fn interval(at_us: &[i64], stated_us: Option<i64>) -> Result<i64, String> {
    let distances = || at_us.windows(2).map(|pair| pair[1].saturating_sub(pair[0]));
    let fits = |step: i64| distances().all(|distance| distance % step == 0);
    if let Some(stated) = stated_us.filter(|stated| fits(*stated)) {
        return Ok(stated);
    }
    let least =
        distances().min().ok_or_else(|| "one row and no `trace.interval_us`, so its bin is unknown".to_owned())?;
    if fits(least) {
        return Ok(least);
    }
    Err(match stated_us {
        Some(stated) => {
            format!("rows lie neither on multiples of the stated {stated} µs nor of their least distance {least} µs")
        }
        None => format!(
            "no usable `trace.interval_us`, and rows do not lie on multiples of their least distance {least} µs"
        ),
    })
}
