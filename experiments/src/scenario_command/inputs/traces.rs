//! The rates of a recorded trace, cut to the scenario and moved to its clock.

use std::ops::Range;

use seatrial_core::time::{Span, Timestamp};
use seatrial_datasets::trace::Series;
use seatrial_datasets::{Kind, Locator, Trace, TraceError};
use seatrial_envs::load::{EpisodeLoad, LONGEST_HISTORY};
use seatrial_envs::spec::wording::printable;

use super::{Refusal, Sources};

/// Bins of a trace of events.
const EVENT_BIN: Span = Span::from_secs(60);

/// Which part of which series.
pub(super) struct Part<'a> {
    pub(super) id: &'a str,
    pub(super) series: Option<&'a str>,
    pub(super) from_s: f64,
    pub(super) peak_per_s: Option<f64>,
}

impl Sources<'_> {
    /// The rates of the part, with the history before it at the same scale.
    pub(super) fn rates(&self, at: &str, part: &Part<'_>) -> Result<EpisodeLoad, Refusal> {
        let id = format!("{at}.id");
        self.find(&id, part.id)?;
        let trace = Locator::new(self.folders.to_vec()).open(part.id).map_err(|error| unusable(&id, &error))?;
        let trace = if trace.kind == Kind::Event { binned(&trace, &id)? } else { trace };
        let key = if part.series.is_some() { format!("{at}.series") } else { id };
        let series = trace.series(part.series).map_err(|error| Refusal::new(key.as_str(), error))?;
        if series.interval.micros() % self.scrape.micros().max(1) != 0 {
            let (bin, scrape) = (series.interval.as_secs_f64(), self.scrape.as_secs_f64());
            let detail = format!("has bins of {bin} s, which are no whole number of metrics.scrape_s = {scrape}");
            return Err(Refusal::new(key, detail));
        }
        let bins = self.bins(at, part, series)?;
        let rates = rates_of(series, trace.kind);
        let scale = scale(at, part, &rates[bins.clone()])?;
        let past_bins = usize::try_from(LONGEST_HISTORY.whole_steps(series.interval)).unwrap_or(0);
        let past = bins.start.saturating_sub(past_bins)..bins.start;
        let scaled = |bins: Range<usize>| rates[bins].iter().map(|rate| rate * scale).collect::<Vec<_>>();
        EpisodeLoad::new(Timestamp::ZERO, series.interval, scaled(bins), scaled(past))
            .map_err(|error| Refusal::new(at, error))
    }

    /// The bins that cover the scenario.
    fn bins(&self, at: &str, part: &Part<'_>, series: &Series) -> Result<Range<usize>, Refusal> {
        let (from, interval) = (Span::from_secs_f64(part.from_s), series.interval);
        let from_key = format!("{at}.from_s");
        if from.micros() % interval.micros() != 0 {
            let detail = format!(
                "is {}, must be a whole number of the trace's bins of {} s",
                part.from_s,
                interval.as_secs_f64()
            );
            return Err(Refusal::new(from_key, detail));
        }
        let count = |span: Span| usize::try_from(span.micros().div_euclid(interval.micros())).unwrap_or(usize::MAX);
        let start = count(from);
        let needed = count(self.duration + interval - Span::from_micros(1));
        if start.saturating_add(needed) > series.values.len() {
            let there_s = (series.span() - from).as_secs_f64().max(0.0);
            let detail = format!(
                "is {}: from there the trace has {there_s} s, and the scenario lasts {} s; start earlier or shorten duration_s",
                part.from_s,
                self.duration.as_secs_f64()
            );
            return Err(Refusal::new(from_key, detail));
        }
        Ok(start..start + needed)
    }
}

/// How the values of the trace called `id` become requests per second; `None` where it cannot be read.
pub(super) fn described(locator: &Locator, id: &str, peak_per_s: Option<f64>) -> Option<String> {
    let trace = locator.open(id).ok()?;
    let unit = if trace.unit.is_empty() { "no unit".to_owned() } else { format!("unit `{}`", printable(&trace.unit)) };
    let read = match trace.kind {
        Kind::Gauge => format!("a gauge ({unit}): ITS LEVEL IS TAKEN FOR REQUESTS PER SECOND"),
        Kind::Rate => format!("counts per bin ({unit})"),
        Kind::Event => format!("events ({unit}), counted by the minute"),
    };
    let scaled = if peak_per_s.is_some() { ", scaled to the peak" } else { "" };
    Some(format!("recorded as {read}{scaled}"))
}

/// What is no load over time is not to be repaired as one.
fn unusable(key: &str, error: &TraceError) -> Refusal {
    match error {
        TraceError::Unsorted { row, .. } => {
            let detail = format!(
                "is no load over time: its row {row} does not come after the one before it. Rows of a load have ascending timestamps; \
                 single values, such as start-up times, are for {{ sampled = {{ trace = … }} }}"
            );
            Refusal::new(key, detail)
        }
        other => Refusal::new(key, other),
    }
}

fn binned(trace: &Trace, key: &str) -> Result<Trace, Refusal> {
    trace.bin_events(EVENT_BIN).map_err(|error| Refusal::new(key, error))
}

/// Rates per second, unscaled: a count by the length of its bin, a level as it is.
fn rates_of(series: &Series, kind: Kind) -> Vec<f64> {
    let seconds = if kind == Kind::Gauge { 1.0 } else { series.interval.as_secs_f64() };
    series.values.iter().map(|value| value / seconds).collect()
}

fn scale(at: &str, part: &Part<'_>, rates: &[f64]) -> Result<f64, Refusal> {
    let Some(wanted) = part.peak_per_s else { return Ok(1.0) };
    let peak = rates.iter().copied().fold(0.0, f64::max);
    let scale = wanted / peak;
    if scale.is_finite() && peak > 0.0 {
        return Ok(scale);
    }
    let detail = "cannot be reached: the part of the trace that is used has no load at all; choose another from_s";
    Err(Refusal::new(format!("{at}.peak_per_s"), detail))
}
