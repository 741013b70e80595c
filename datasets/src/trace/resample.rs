//! Coarser grids: counts are summed, levels averaged, events counted.
//!
//! A coarse bin is estimated from its known fine bins (their mean, times their number where counts are summed) and is missing
//! only if all of them are. The grid keeps the series' own phase; an incomplete last bin is dropped.

use seatrial_core::time::{Span, Timestamp};

use super::{EventSeries, Kind, Series, Trace};
use crate::TraceError;

/// More bins than this are taken for a mistake (95 years of minutes).
pub(crate) const MOST_BINS: i64 = 50_000_000;

impl Series {
    /// The series on a grid of `interval`, a multiple of its own: sums for [`Kind::Rate`], means for [`Kind::Gauge`].
    ///
    /// # Errors
    /// If `interval` is no positive multiple of the series' own, or longer than the series.
    pub fn resample(&self, kind: Kind, interval: Span) -> Result<Self, TraceError> {
        let factor = interval.whole_steps(self.interval);
        if factor < 1 || self.interval * factor != interval {
            return Err(self.refuse(interval, "is no multiple of"));
        }
        let width = usize::try_from(factor).unwrap_or(usize::MAX);
        if width > self.values.len() {
            return Err(self.refuse(interval, "is longer than all bins of"));
        }
        let (values, missing) = coarsen(&self.values, &self.missing, width, kind);
        Ok(Self { name: self.name.clone(), start: self.start, interval, values, missing })
    }

    fn refuse(&self, interval: Span, how: &str) -> TraceError {
        let (asked, own) = (interval.as_secs_f64(), self.interval.as_secs_f64());
        let detail = format!("{asked} s {how} its interval of {own} s. Choose a multiple of {own} s");
        TraceError::Interval { series: self.name.clone(), detail }
    }
}

/// Joins `width` bins into one.
pub(crate) fn coarsen(values: &[f64], missing: &[bool], width: usize, kind: Kind) -> (Vec<f64>, Vec<bool>) {
    let mut last = 0.0;
    let joined = values.chunks_exact(width).zip(missing.chunks_exact(width)).map(|(values, missing)| {
        let known = missing.iter().filter(|missing| !**missing).count();
        if known > 0 {
            let sum: f64 = values.iter().zip(missing).filter(|(_, missing)| !**missing).map(|(value, _)| *value).sum();
            let mean = sum / known as f64;
            last = if kind == Kind::Gauge { mean } else { mean * width as f64 };
        }
        (last, known == 0)
    });
    joined.unzip()
}

impl Trace {
    /// Counts of events per bin of `interval`, as a trace of kind rate; each series starts at its own first event, rounded
    /// down to the grid, and empty bins are zeros, not missing.
    ///
    /// # Errors
    /// If the kind is not event, or `interval` is not positive or so small that there would be more than 50 million bins.
    pub fn bin_events(&self, interval: Span) -> Result<Self, TraceError> {
        if self.kind != Kind::Event {
            let needed = "event; a rate or gauge is resampled instead (`Series::resample`)";
            return Err(TraceError::KindMismatch { trace: self.id.clone(), found: self.kind, needed });
        }
        let series = self.events.iter().map(|events| bin(events, interval)).collect::<Result<Vec<_>, _>>()?;
        let binned = Self {
            id: self.id.clone(),
            kind: Kind::Rate,
            unit: format!("{} per {} s", self.unit, interval.as_secs_f64()),
            interval,
            series,
            events: Vec::new(),
            provenance: self.provenance.clone(),
            content_hash: String::new(),
        };
        Ok(binned.rehash())
    }
}

fn bin(events: &EventSeries, interval: Span) -> Result<Series, TraceError> {
    let refuse = |detail: String| TraceError::Interval { series: events.name.clone(), detail };
    let (Some(first), Some(last)) = (events.at.first(), events.at.last()) else {
        return Err(refuse("it holds no events".to_owned()));
    };
    if interval <= Span::ZERO {
        return Err(refuse("the bin must be longer than 0 s".to_owned()));
    }
    let start = first.floor_to(interval);
    let bins = last.since(start).whole_steps(interval) + 1;
    if bins > MOST_BINS {
        return Err(refuse(format!("bins of {} s would be {bins}. Choose longer ones", interval.as_secs_f64())));
    }
    let mut values = vec![0.0; index(bins)];
    for at in &events.at {
        values[position(*at, start, interval)] += 1.0;
    }
    let missing = vec![false; values.len()];
    Ok(Series { name: events.name.clone(), start, interval, values, missing })
}

fn position(at: Timestamp, start: Timestamp, interval: Span) -> usize {
    index(at.since(start).whole_steps(interval))
}

fn index(bins: i64) -> usize {
    usize::try_from(bins).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(values: &[f64], missing: &[bool]) -> Series {
        let (start, interval) = (Timestamp::from_secs(7), Span::from_secs(60));
        Series { name: String::new(), start, interval, values: values.to_vec(), missing: missing.to_vec() }
    }

    #[test]
    fn counts_are_summed_and_levels_averaged() {
        let fine = series(&[1.0, 2.0, 3.0, 4.0, 5.0], &[false; 5]);
        let coarse = Span::from_secs(120);
        let sums = fine.resample(Kind::Rate, coarse).unwrap();
        assert_eq!((sums.values.as_slice(), sums.start, sums.interval), ([3.0, 7.0].as_slice(), fine.start, coarse));
        assert_eq!(fine.resample(Kind::Gauge, coarse).unwrap().values, [1.5, 3.5]);
    }

    #[test]
    fn missing_bins_do_not_pull_the_estimate() {
        let fine = series(&[4.0, 4.0, 4.0, 4.0, 6.0, 8.0], &[false, true, true, true, false, false]);
        let coarse = fine.resample(Kind::Rate, Span::from_secs(120)).unwrap();
        assert_eq!(coarse.values, [8.0, 8.0, 14.0]);
        assert_eq!(coarse.missing, [false, true, false]);
    }

    #[test]
    fn refuses_grids_that_do_not_fit() {
        let fine = series(&[1.0; 5], &[false; 5]);
        for seconds in [0, -60, 30, 90, 360] {
            assert!(fine.resample(Kind::Rate, Span::from_secs(seconds)).is_err(), "{seconds}");
        }
    }
}
