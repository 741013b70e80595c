//! What a trace holds, as plain data: `trace describe` prints it, `--json` hands it to scripts.
//!
//! Statistics are over the bins that have a value: a missing bin is unknown, not the zero or the last value that fills it.

use seatrial_core::math::quantile_of_sorted;
use seatrial_core::time::{Span, Timestamp};
use seatrial_datasets::{EventSeries, Load, Provenance, Series, SplitRule, Trace, moment, prepare};
use serde::Serialize;
use std::ops::Range;

/// A trace.
#[derive(Debug, Serialize)]
pub(super) struct TraceFacts {
    pub(super) id: String,
    pub(super) kind: &'static str,
    pub(super) unit: String,
    pub(super) content_hash: String,
    pub(super) provenance: Provenance,
    /// Series of kind rate or gauge.
    pub(super) series: Vec<SeriesFacts>,
    /// Series of kind event.
    pub(super) events: Vec<EventFacts>,
}

/// A series on a grid.
#[derive(Debug, Serialize)]
pub(super) struct SeriesFacts {
    pub(super) name: String,
    #[serde(with = "moment")]
    pub(super) start: Timestamp,
    #[serde(with = "moment")]
    pub(super) end: Timestamp,
    pub(super) interval_us: i64,
    pub(super) bins: usize,
    pub(super) missing: usize,
    pub(super) missing_share: f64,
    /// `None` if no bin has a value.
    pub(super) values: Option<Values>,
    /// `None` if protocol P1 cannot use the series; then `p1_refused` says why.
    pub(super) p1: Option<Prepared>,
    pub(super) p1_refused: Option<String>,
}

/// Levels of a series, in its own unit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Values {
    pub(super) p50: f64,
    pub(super) p99_5: f64,
    pub(super) peak: f64,
    #[serde(with = "moment")]
    pub(super) peak_at: Timestamp,
}

/// A series under protocol P1.
#[derive(Debug, Serialize)]
pub(super) struct Prepared {
    /// Requests per second per unit (of the source's rate per second, where the kind is rate).
    pub(super) scale: f64,
    pub(super) peak_per_s: f64,
    pub(super) noise_raw: Option<f64>,
    pub(super) noise: Option<f64>,
    pub(super) smoothing_bins: u32,
    pub(super) test_only: bool,
    pub(super) native: bool,
    /// In order of time; empty parts are left out.
    pub(super) parts: Vec<Part>,
}

/// A part of a split.
#[derive(Debug, Serialize)]
pub(super) struct Part {
    pub(super) part: &'static str,
    #[serde(with = "moment")]
    pub(super) start: Timestamp,
    #[serde(with = "moment")]
    pub(super) end: Timestamp,
    pub(super) bins: usize,
}

/// A series of events.
#[derive(Debug, Serialize)]
pub(super) struct EventFacts {
    pub(super) name: String,
    pub(super) events: usize,
    #[serde(with = "moment")]
    pub(super) first: Timestamp,
    #[serde(with = "moment")]
    pub(super) last: Timestamp,
}

impl TraceFacts {
    pub(super) fn new(trace: &Trace, names: &[String]) -> Self {
        let chosen = |name: &str| names.iter().any(|wanted| wanted == name);
        Self {
            id: trace.id.clone(),
            kind: trace.kind.word(),
            unit: trace.unit.clone(),
            content_hash: trace.content_hash.clone(),
            provenance: trace.provenance.clone(),
            series: trace.series.iter().filter(|s| chosen(&s.name)).map(|s| SeriesFacts::new(trace, s)).collect(),
            events: trace.events.iter().filter(|s| chosen(&s.name)).filter_map(EventFacts::new).collect(),
        }
    }
}

impl SeriesFacts {
    fn new(trace: &Trace, series: &Series) -> Self {
        let (bins, missing) = (series.values.len(), series.missing_count());
        let load = prepare(trace, Some(&series.name), &SplitRule::protocol_p1(&trace.id));
        let (p1, p1_refused) = match load {
            Ok(load) => (Some(Prepared::new(&load)), None),
            Err(error) => (None, Some(error.to_string())),
        };
        Self {
            name: series.name.clone(),
            start: series.start,
            end: series.end(),
            interval_us: series.interval.micros(),
            bins,
            missing,
            missing_share: share(missing, bins),
            values: Values::of(series),
            p1,
            p1_refused,
        }
    }

    pub(super) fn interval(&self) -> Span {
        Span::from_micros(self.interval_us)
    }
}

/// `part` of `whole`, which is not zero for any series.
#[expect(clippy::cast_precision_loss, reason = "counts of bins stay far below 2^52")]
pub(super) fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}

impl Values {
    pub(super) fn of(series: &Series) -> Option<Self> {
        let known = || series.values.iter().zip(&series.missing).enumerate().filter(|(_, (_, missing))| !**missing);
        let mut sorted: Vec<f64> = known().map(|(_, (value, _))| *value).collect();
        sorted.sort_by(f64::total_cmp);
        let peak = *sorted.last()?;
        let first = known().find(|(_, (value, _))| **value >= peak).map_or(0, |(bin, _)| bin);
        let quantile = |q| quantile_of_sorted(&sorted, q);
        Some(Self { p50: quantile(0.5)?, p99_5: quantile(0.995)?, peak, peak_at: series.at(first) })
    }
}

impl Prepared {
    fn new(load: &Load) -> Self {
        let part = |(part, range): (&'static str, Range<usize>)| Part {
            part,
            start: load.at(range.start),
            end: load.at(range.end),
            bins: range.len(),
        };
        Self {
            scale: load.scale,
            peak_per_s: load.rate_per_s.iter().copied().fold(0.0, f64::max),
            noise_raw: load.noise_raw,
            noise: load.noise,
            smoothing_bins: load.smoothing_bins,
            test_only: load.test_only,
            native: load.native,
            parts: super::parts_of(&load.splits, load.rate_per_s.len()).into_iter().map(part).collect(),
        }
    }
}

impl EventFacts {
    fn new(series: &EventSeries) -> Option<Self> {
        let (first, last) = (*series.at.first()?, *series.at.last()?);
        Some(Self { name: series.name.clone(), events: series.at.len(), first, last })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_bins_do_not_count() {
        let mut series = Series {
            name: String::new(),
            start: Timestamp::ZERO,
            interval: Span::from_secs(60),
            values: vec![9.0, 9.0, 1.0, 2.0, 3.0],
            missing: vec![true, true, false, false, false],
        };
        let values = Values::of(&series).unwrap();
        assert_eq!((values.p50, values.peak, values.peak_at), (2.0, 3.0, series.at(4)));
        // Linear interpolation between 2 and 3 at 0.995 · 2 = 1.99.
        assert!((values.p99_5 - 2.99).abs() < 1e-12, "{}", values.p99_5);
        series.missing.fill(true);
        assert_eq!(Values::of(&series), None);
    }
}
