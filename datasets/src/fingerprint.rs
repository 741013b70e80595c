//! Rolling content fingerprint: finds that two series share content although one was cropped, resampled or rescaled.
//!
//! Both series are brought to their least common interval, at every phase that a coarser grid can have. The sign of each first
//! difference is one bit: it survives any rescaling. 64 consecutive bits make a word, sought in the other series; a hit counts
//! if the differences behind it also correlate at 0.99 or more. Words that tell nothing are skipped: few changes of sign
//! (constant, ramp, smooth season) or periodic (timers), so that such series give no false alarm. Bins flagged missing break a word.
//!
//! What it cannot see: overlaps shorter than 65 bins of the common interval, intervals whose least common multiple is over an
//! hour, and two copies that were both resampled, at different phases.

mod words;

use std::ops::Range;

use seatrial_core::time::Span;

use crate::load::Load;
use crate::trace::{Kind, Series};
use words::{Signs, Words};

/// Common grids coarser than this are not compared.
const COARSEST: i64 = 3_600_000_000;
/// Correlation of the first differences that a hit must reach.
const LEAST_CORRELATION: f64 = 0.99;

/// What [`overlaps`] compares: values on a grid.
#[derive(Clone, Debug, PartialEq)]
pub struct Fingerprint {
    interval: Span,
    values: Vec<f64>,
    missing: Vec<bool>,
}

/// Content that two series share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Overlap {
    /// First bin in the first series, on its own grid.
    pub first_a: usize,
    /// First bin in the second series, on its own grid.
    pub first_b: usize,
    /// Length of what is shared (the longest run found).
    pub span: Span,
    /// Values of the second per value of the first, on the common grid (means of bins).
    pub ratio: f64,
}

impl Fingerprint {
    /// Of values on a grid of `interval`; both slices have one length, else the longer one is cut.
    #[must_use]
    pub fn new(interval: Span, values: &[f64], missing: &[bool]) -> Self {
        let bins = values.len().min(missing.len());
        Self { interval, values: values[..bins].to_vec(), missing: missing[..bins].to_vec() }
    }

    /// Of a series.
    #[must_use]
    pub fn of_series(series: &Series) -> Self {
        Self::new(series.interval, &series.values, &series.missing)
    }

    /// Of a load.
    #[must_use]
    pub fn of_load(load: &Load) -> Self {
        Self::new(load.interval, &load.rate_per_s, &load.missing)
    }

    /// Of the bins `part` of a load (what of them it has): to ask whether one load's training meets another's test.
    #[must_use]
    pub fn of_part(load: &Load, part: Range<usize>) -> Self {
        let part = part.start.min(load.missing.len())..part.end.min(load.missing.len());
        Self::new(load.interval, load.rates(part.clone()), load.missing.get(part).unwrap_or(&[]))
    }

    /// The series on a grid `width` times coarser, from bin `phase` on.
    fn coarse(&self, width: usize, phase: usize) -> (Vec<f64>, Vec<bool>) {
        let (values, missing) = (&self.values[phase..], &self.missing[phase..]);
        if width == 1 {
            return (values.to_vec(), missing.to_vec());
        }
        let (means, _) = crate::trace::coarsen(values, missing, width, Kind::Gauge);
        (means, missing.chunks_exact(width).map(|bins| bins.contains(&true)).collect())
    }

    /// Signs of the first differences at every phase of the grid `width` times coarser.
    fn phases(&self, width: usize) -> Vec<(usize, Signs)> {
        let phases = 0..width.min(self.values.len());
        phases
            .map(|phase| {
                let (values, missing) = self.coarse(width, phase);
                (phase, Signs::new(values, &missing))
            })
            .collect()
    }
}

/// The longest content that `a` and `b` share, if any; see the module for what counts.
#[must_use]
pub fn overlaps(a: &Fingerprint, b: &Fingerprint) -> Option<Overlap> {
    let common = common_interval(a.interval.micros(), b.interval.micros())?;
    let width_a = usize::try_from(common / a.interval.micros()).ok()?;
    let width_b = usize::try_from(common / b.interval.micros()).ok()?;
    let phases_b = b.phases(width_b);
    let mut best: Option<Overlap> = None;
    for (phase_a, signs_a) in a.phases(width_a) {
        let words = Words::new(&signs_a);
        for (phase_b, signs_b) in &phases_b {
            let Some(run) = longest_run(&signs_a, &words, signs_b) else { continue };
            let found = Overlap {
                first_a: phase_a + run.first_a * width_a,
                first_b: phase_b + run.first_b * width_b,
                span: Span::from_micros(common) * i64::try_from(run.bins).unwrap_or(i64::MAX),
                ratio: run.ratio,
            };
            if best.is_none_or(|best| found.span > best.span) {
                best = Some(found);
            }
        }
    }
    best
}

fn common_interval(a: i64, b: i64) -> Option<i64> {
    if a <= 0 || b <= 0 {
        return None;
    }
    let (mut divisor, mut rest) = (a, b);
    while rest != 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    (a / divisor).checked_mul(b).filter(|common| *common <= COARSEST)
}

/// A stretch in which all signs agree.
struct Run {
    first_a: usize,
    first_b: usize,
    bins: usize,
    ratio: f64,
}

fn longest_run(a: &Signs, words: &Words, b: &Signs) -> Option<Run> {
    let mut best: Option<Run> = None;
    let mut from = 0;
    while let Some((position, word)) = b.next_word(from) {
        from = position + 1;
        for start in words.positions(word) {
            let run = a.run(start, b, position);
            if run.correlation >= LEAST_CORRELATION && best.as_ref().is_none_or(|best| run.bins > best.bins) {
                // What lies inside this run cannot be longer.
                from = from.max(run.first_b + run.bins);
                best = Some(Run { first_a: run.first_a, first_b: run.first_b, bins: run.bins, ratio: run.ratio });
            }
        }
    }
    best
}
