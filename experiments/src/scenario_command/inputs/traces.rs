//! The rates of a recorded trace, cut to the scenario and moved to its clock.

use std::ops::Range;

use seatrial_core::time::{Span, Timestamp};
use seatrial_datasets::trace::Series;
use seatrial_datasets::{Kind, Locator, Trace};
use seatrial_envs::load::{EpisodeLoad, LONGEST_HISTORY};

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
        let trace = Locator::new(self.folders.to_vec()).open(part.id).map_err(|error| Refusal::new(&id, error))?;
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
