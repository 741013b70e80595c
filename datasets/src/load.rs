//! Protocol P1, "Load": a series of a trace, scaled to requests per second, with its noise, its smoothing and its splits.
//!
//! Order of work: counts or levels to rates; bins flagged missing hold the last rate; scale so that the P99.5 of the training
//! part is 1,400 requests/s and the whole-trace peak at most 4,000; noise of the scaled counts; above 100 the series is read as
//! an intensity: the causal exponential mean with weight 2/(k+1), k the smallest odd number that, after scaling anew, brings
//! the noise to 100 or less. Missing bins count in neither scaling nor noise. Source: design §6, `protocol.md`.

mod noise;
mod smooth;

use std::ops::Range;

use seatrial_core::math::quantile_of_sorted;
use seatrial_core::time::{Span, Timestamp};

use crate::TraceError;
use crate::splits::{SplitError, SplitRule, Splits};
use crate::trace::{Kind, Series, Trace};

/// P99.5 of the training part after scaling, requests per second.
pub const TRAINING_P995_PER_S: f64 = 1_400.0;
/// Greatest rate of the whole trace after scaling, requests per second.
pub const PEAK_PER_S: f64 = 4_000.0;
/// Noise above this is smoothed (Poisson arrivals have 1).
pub const NOISE_LIMIT: f64 = 100.0;
/// Traces of at most this interval count as native.
pub const NATIVE_INTERVAL: Span = Span::from_secs(60);

/// A series ready for protocol P1.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    /// Id of the trace: series of one file are one family.
    pub family: String,
    /// Name of the series; empty if the trace has one unnamed series.
    pub series: String,
    /// Start of bin 0.
    pub start: Timestamp,
    /// Length of a bin.
    pub interval: Span,
    /// Requests per second, constant inside a bin; missing bins hold the last rate.
    pub rate_per_s: Vec<f64>,
    /// Bins for which the source has no value: priced like any other, left out of scaling, noise and fit.
    pub missing: Vec<bool>,
    /// Requests per second per unit of the source's rate (rate kind: value / interval in seconds; gauge: value).
    pub scale: f64,
    /// Noise of the scaled counts before smoothing (Poisson: 1); `None` if no hour can be judged.
    pub noise_raw: Option<f64>,
    /// Noise of what `rate_per_s` holds; `None` if no hour can be judged.
    pub noise: Option<f64>,
    /// The k of the exponential mean; 1 = not smoothed.
    pub smoothing_bins: u32,
    /// Parts of the series in bins.
    pub splits: Splits,
    /// Shorter than 3 days: never trained on, scaled by its own P99.5.
    pub test_only: bool,
    /// Interval of at most 1 minute; coarser traces stand in a table of their own.
    pub native: bool,
    /// Hash of the trace's content.
    pub content_hash: String,
}

/// Why a series is no load of protocol P1.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The series cannot be had.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// The series cannot be split.
    #[error("trace `{label}`: {source}")]
    Split {
        /// Trace and series.
        label: String,
        /// The reason.
        source: SplitError,
    },
    /// Nothing to scale by.
    #[error(
        "trace `{label}`: every known bin of the part it is scaled by ({part}) is zero or missing. Choose another series or other split dates"
    )]
    NoLoad {
        /// Trace and series.
        label: String,
        /// The part.
        part: &'static str,
    },
    /// No window brings the noise down.
    #[error(
        "trace `{label}`: noise stays above {NOISE_LIMIT} for every smoothing window up to {longest} bins. Resample the series to longer bins"
    )]
    TooNoisy {
        /// Trace and series.
        label: String,
        /// The longest window tried.
        longest: u32,
    },
}

impl Load {
    /// `family` or `family/series`: unique within a study.
    #[must_use]
    pub fn label(&self) -> String {
        label(&self.family, &self.series)
    }

    /// Start of bin `bin`.
    #[must_use]
    pub fn at(&self, bin: usize) -> Timestamp {
        self.start + self.interval * i64::try_from(bin).unwrap_or(i64::MAX)
    }

    /// The rates of `bins`, which must lie within the series (empty otherwise).
    #[must_use]
    pub fn rates(&self, bins: Range<usize>) -> &[f64] {
        self.rate_per_s.get(bins).unwrap_or(&[])
    }

    /// The last `span` of `part`, in whole bins: "the last 7 days of training".
    #[must_use]
    pub fn last_of(&self, part: &Range<usize>, span: Span) -> Range<usize> {
        let bins = usize::try_from(span.whole_steps(self.interval)).unwrap_or(0);
        part.end.saturating_sub(bins).max(part.start)..part.end
    }
}

fn label(family: &str, series: &str) -> String {
    if series.is_empty() { family.to_owned() } else { format!("{family}/{series}") }
}

/// The load of a series under protocol P1; `series` may be `None` where the trace has only one.
///
/// # Errors
/// See [`LoadError`].
pub fn prepare(trace: &Trace, series: Option<&str>, rule: &SplitRule) -> Result<Load, LoadError> {
    let source = trace.series(series)?;
    let label = label(&trace.id, &source.name);
    let splits = Splits::new(rule, source.start, source.interval, source.values.len())
        .map_err(|source| LoadError::Split { label: label.clone(), source })?;
    let fit = if splits.test_only() { 0..source.values.len() } else { splits.train.clone() };
    let rates = raw_rates(source, trace.kind);
    let scaled = Scaling { source, fit }.of_intensity(&rates, &label)?;
    Ok(Load {
        family: trace.id.clone(),
        series: source.name.clone(),
        start: source.start,
        interval: source.interval,
        rate_per_s: scaled.rates,
        missing: source.missing.clone(),
        scale: scaled.scale,
        noise_raw: scaled.noise_raw,
        noise: scaled.noise,
        smoothing_bins: scaled.smoothing_bins,
        test_only: splits.test_only(),
        splits,
        native: source.interval <= NATIVE_INTERVAL,
        content_hash: trace.content_hash.clone(),
    })
}

/// Rates per second of the source, unscaled.
fn raw_rates(source: &Series, kind: Kind) -> Vec<f64> {
    let seconds = if kind == Kind::Gauge { 1.0 } else { source.interval.as_secs_f64() };
    source.values.iter().map(|value| value / seconds).collect()
}

/// What scaling needs to know besides the rates.
struct Scaling<'a> {
    source: &'a Series,
    fit: Range<usize>,
}

/// An outcome of scaling.
struct Scaled {
    rates: Vec<f64>,
    scale: f64,
    noise_raw: Option<f64>,
    noise: Option<f64>,
    smoothing_bins: u32,
}

impl Scaling<'_> {
    /// Scales `rates`, smoothing them first if they are too noisy.
    fn of_intensity(&self, rates: &[f64], label: &str) -> Result<Scaled, LoadError> {
        let no_load = || {
            let part = if self.fit.len() == rates.len() { "the whole series" } else { "training" };
            LoadError::NoLoad { label: label.to_owned(), part }
        };
        let (mut first, mut longest) = (None, 1);
        for smoothing_bins in smooth::windows(rates.len()) {
            let rates = smooth::causal_mean(rates, &self.source.missing, smoothing_bins);
            let scale = self.scale(&rates).ok_or_else(no_load)?;
            let rates: Vec<f64> = rates.iter().map(|rate| rate * scale).collect();
            let noise = noise::of_rates(&rates, self.source);
            let noise_raw = *first.get_or_insert(noise);
            longest = smoothing_bins;
            if noise.is_none_or(|noise| noise <= NOISE_LIMIT) {
                return Ok(Scaled { rates, scale, noise_raw, noise, smoothing_bins });
            }
        }
        Err(LoadError::TooNoisy { label: label.to_owned(), longest })
    }

    /// The factor that brings the P99.5 of the fitted part to 1,400, or, where it is smaller, the peak of all to 4,000.
    fn scale(&self, rates: &[f64]) -> Option<f64> {
        let mut fitted: Vec<f64> = self.known(rates, self.fit.clone()).collect();
        fitted.sort_by(f64::total_cmp);
        let high = quantile_of_sorted(&fitted, 0.995)?;
        let peak = self.known(rates, 0..rates.len()).fold(0.0, f64::max);
        let by_peak = PEAK_PER_S / peak;
        let scale = if high > 0.0 { by_peak.min(TRAINING_P995_PER_S / high) } else { by_peak };
        (fitted.last().is_some_and(|top| *top > 0.0) && scale.is_finite()).then_some(scale)
    }

    fn known<'b>(&'b self, rates: &'b [f64], part: Range<usize>) -> impl Iterator<Item = f64> + 'b {
        part.filter(|bin| !self.source.missing[*bin]).map(|bin| rates[bin])
    }
}
