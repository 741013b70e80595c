//! Samples onto a regular grid: what is absent becomes a missing bin that holds the last known value.
//!
//! Stricter than the grid of [`crate::reader`]: a file of ours keeps its contract, a foreign one has a line to point at.

use std::collections::BTreeMap;

use seatrial_core::time::{Span, Timestamp};

use super::{ImportError, Unit};
use crate::moment;
use crate::trace::Series;

/// More bins than this in one series are taken for a mistake in a time (95 years of minutes).
const MOST_BINS: i64 = 50_000_000;

/// One sample as the source has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sample {
    pub(super) at: Timestamp,
    /// `None` where the source says that it has no value.
    pub(super) value: Option<f64>,
    /// Line of a text file.
    pub(super) line: Option<u64>,
}

impl Sample {
    fn place(&self) -> String {
        self.line.map_or_else(|| moment::format(self.at), |line| format!("line {line}"))
    }
}

/// What all series of a source share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid<'a> {
    pub(super) file: &'a str,
    pub(super) interval: Span,
    pub(super) unit: Unit,
}

/// The stated interval, else the most common distance of two neighbours, which is noted (the least one if several are as
/// common).
pub(super) fn interval<'a>(
    file: &str,
    stated: Option<Span>,
    series: impl Iterator<Item = &'a Vec<Sample>>,
    notes: &mut Vec<String>,
) -> Result<Span, ImportError> {
    if let Some(interval) = stated {
        let possible = interval > Span::ZERO;
        let refuse = || ImportError::Interval { file: file.to_owned(), interval_s: interval.as_secs_f64() };
        return possible.then_some(interval).ok_or_else(refuse);
    }
    let mut counts: BTreeMap<i64, usize> = BTreeMap::new();
    for samples in series {
        for pair in samples.windows(2) {
            *counts.entry(pair[1].at.micros().saturating_sub(pair[0].at.micros())).or_default() += 1;
        }
    }
    let positive = counts.into_iter().filter(|(micros, _)| *micros > 0);
    // Of equal counts the first, hence least, distance: `max_by_key` would keep the last.
    let most = positive.reduce(|best, other| if other.1 > best.1 { other } else { best });
    let (micros, count) = most.ok_or_else(|| ImportError::IntervalUnknown { file: file.to_owned() })?;
    let interval = Span::from_micros(micros);
    notes.push(format!("interval: {} s, the most common distance of two rows ({count} times)", interval.as_secs_f64()));
    Ok(interval)
}

impl Grid<'_> {
    /// The series of `sources`, each with its samples in the order of the source.
    pub(super) fn fill_all(&self, sources: &BTreeMap<String, Vec<Sample>>) -> Result<Vec<Series>, ImportError> {
        let mut room = MOST_BINS;
        sources.iter().map(|(name, samples)| Filling { grid: *self, name }.fill(samples, &mut room)).collect()
    }
}

/// One series on its way to the grid.
struct Filling<'a> {
    grid: Grid<'a>,
    name: &'a str,
}

impl Filling<'_> {
    fn fill(&self, samples: &[Sample], room: &mut i64) -> Result<Series, ImportError> {
        let known = samples.iter().any(|sample| sample.value.is_some());
        let Some(first) = samples.first().filter(|_| known) else {
            return Err(ImportError::Empty { file: self.grid.file.to_owned(), what: shown(self.name) });
        };
        let (mut values, mut missing) = (Vec::with_capacity(samples.len()), Vec::with_capacity(samples.len()));
        let (mut held, mut before) = (0.0, None);
        for sample in samples {
            self.check_order(before, sample)?;
            let bin = self.bin(first.at, sample, *room)?;
            let value = self.count(sample)?;
            values.resize(bin, held);
            missing.resize(bin, true);
            held = value.unwrap_or(held);
            values.push(held);
            missing.push(value.is_none());
            before = Some(sample.at);
        }
        *room -= i64::try_from(values.len()).unwrap_or(i64::MAX);
        Ok(Series { name: self.name.to_owned(), start: first.at, interval: self.grid.interval, values, missing })
    }

    fn check_order(&self, before: Option<Timestamp>, sample: &Sample) -> Result<(), ImportError> {
        if before.is_none_or(|before| before < sample.at) {
            return Ok(());
        }
        let (file, place) = self.moment(sample);
        let series = shown(self.name);
        Err(if before == Some(sample.at) {
            ImportError::Doubled { file, place, series }
        } else {
            ImportError::Unsorted { file, place, series }
        })
    }

    fn bin(&self, start: Timestamp, sample: &Sample, room: i64) -> Result<usize, ImportError> {
        let interval = self.grid.interval;
        let offset = sample.at.micros().saturating_sub(start.micros());
        let (bin, rest) = (offset / interval.micros(), offset % interval.micros());
        if rest == 0 && bin < room {
            return Ok(usize::try_from(bin).unwrap_or(0));
        }
        let (file, place) = self.moment(sample);
        let interval_s = interval.as_secs_f64();
        if rest == 0 {
            return Err(ImportError::TooLong { file, place, bins: bin.saturating_add(1), interval_s });
        }
        let (start, series) = (moment::format(start), shown(self.name));
        Err(ImportError::OffGrid { file, place, interval_s, start, series })
    }

    /// The value as a count for the bin.
    fn count(&self, sample: &Sample) -> Result<Option<f64>, ImportError> {
        let Some(value) = sample.value else { return Ok(None) };
        let count = value * self.grid.unit.requests_per_bin(self.grid.interval);
        if count.is_finite() && count >= 0.0 {
            // Adding zero makes -0.0 the same as 0.0.
            return Ok(Some(count + 0.0));
        }
        let (file, place) = (self.grid.file.to_owned(), sample.place());
        Err(if count.is_finite() {
            ImportError::Negative { file, place, value }
        } else {
            ImportError::NotFinite { file, place, value }
        })
    }

    /// File, line and moment of a sample, for errors about its time.
    fn moment(&self, sample: &Sample) -> (String, String) {
        let line = sample.line.map_or_else(String::new, |line| format!("line {line}: "));
        (self.grid.file.to_owned(), line + &moment::format(sample.at))
    }
}

fn shown(name: &str) -> String {
    if name.is_empty() { "the source".to_owned() } else { format!("series `{name}`") }
}

/// What there is to say about gaps.
pub(super) fn note_gaps(series: &[Series], notes: &mut Vec<String>) {
    for series in series.iter().filter(|series| series.missing_count() > 0) {
        let (missing, bins) = (series.missing_count(), series.values.len());
        notes.push(format!("{}: {missing} of {bins} bins have no value and are marked missing", shown(&series.name)));
    }
}
