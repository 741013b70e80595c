//! The load that an operator saw, as a trace: one series per subject, a bin for each scrape.
//!
//! A log is no table that somebody kept in order: two decisions may rest on one sample, samples may be absent, and their times
//! jitter, or move for good when other pods are scraped first. So times are laid onto a grid instead of being refused. A sample
//! stands in the bin that ends at its time; a step onwards is as many bins as the time since the sample before it has
//! intervals, and the grid is only left for the nearest bin where the two have come three quarters of a bin apart (steps alone
//! would drift, nearest bins alone would waver where the samples lie half-way). Two samples of one bin count once, the first.

use std::collections::BTreeMap;

use seatrial_core::observe::Sample as Seen;
use seatrial_core::time::{Span, Timestamp};

use super::grid::{self, Grid, Sample};
use super::{ImportError, Imported, Unit};

/// Distances are compared to the whole second, or, where most are below two seconds, to ten milliseconds: scrapes jitter.
const FINE: Span = Span::from_millis(10);
const WHOLE: Span = Span::from_secs(1);

/// The trace in `loads`: requests per second by subject, each with the end of the window it describes, in any order. `id`
/// becomes its id, `source` names the log in errors; `stated` is the interval if it is not to be judged.
///
/// # Errors
/// [`ImportError::Empty`] without a sample, [`ImportError::IntervalUnknown`] or [`ImportError::Interval`] without a bin's
/// length, and what the grid refuses: a negative value, a time that is far off.
pub fn from_decisions(
    id: &str,
    source: &str,
    loads: &BTreeMap<String, Vec<Seen>>,
    stated: Option<Span>,
) -> Result<Imported, ImportError> {
    let mut notes = Vec::new();
    let mut sorted: BTreeMap<&String, Vec<Seen>> = BTreeMap::new();
    for (subject, samples) in loads {
        if samples.is_empty() {
            notes.push(format!("series `{subject}`: no decision rests on a load sample, so it is left out"));
        } else {
            sorted.insert(subject, each_time_once(samples));
        }
    }
    if sorted.is_empty() {
        return Err(ImportError::Empty { file: source.to_owned(), what: "the log".to_owned() });
    }
    let interval = interval(source, stated, sorted.values(), &mut notes)?;
    let mut laid = BTreeMap::new();
    for (subject, samples) in sorted {
        laid.insert(subject.clone(), lay(subject, &samples, interval, &mut notes));
    }
    let series = Grid { file: source, interval, unit: Unit::RequestsPerSecond }.fill_all(&laid)?;
    grid::note_gaps(&series, &mut notes);
    Ok(Imported { trace: super::rate_trace(id, interval, series, None), notes })
}

/// In order of time; of several samples of one moment the first that was seen.
fn each_time_once(samples: &[Seen]) -> Vec<Seen> {
    let mut sorted = samples.to_vec();
    sorted.sort_by_key(|sample| sample.at);
    sorted.dedup_by_key(|sample| sample.at);
    sorted
}

/// The stated interval, else the most common distance of two samples (the least one if several are as common).
fn interval<'a>(
    source: &str,
    stated: Option<Span>,
    series: impl Iterator<Item = &'a Vec<Seen>>,
    notes: &mut Vec<String>,
) -> Result<Span, ImportError> {
    if let Some(interval) = stated {
        let refuse = || ImportError::Interval { file: source.to_owned(), interval_s: interval.as_secs_f64() };
        return (interval > Span::ZERO).then_some(interval).ok_or_else(refuse);
    }
    let distance = |pair: &[Seen]| pair[1].at.micros().saturating_sub(pair[0].at.micros());
    let mut distances: Vec<i64> = series.flat_map(|samples| samples.windows(2).map(distance)).collect();
    distances.sort_unstable();
    let median = distances.get(distances.len() / 2).copied().unwrap_or(0);
    let unit = if median < 2 * WHOLE.micros() { FINE.micros() } else { WHOLE.micros() };
    let mut counts: BTreeMap<i64, usize> = BTreeMap::new();
    for distance in &distances {
        *counts.entry(rounded(*distance, unit) * unit).or_default() += 1;
    }
    let positive = counts.into_iter().filter(|(micros, _)| *micros > 0);
    let most = positive.reduce(|best, other| if other.1 > best.1 { other } else { best });
    let (micros, count) = most.ok_or_else(|| ImportError::IntervalUnknown { file: source.to_owned() })?;
    let interval = Span::from_micros(micros);
    notes.push(format!(
        "interval: {} s, the most common distance of two samples ({count} of {})",
        interval.as_secs_f64(),
        distances.len()
    ));
    Ok(interval)
}

/// `numerator / step` to the nearest whole number; `step` is positive.
const fn rounded(numerator: i64, step: i64) -> i64 {
    numerator.saturating_add(step / 2).div_euclid(step)
}

/// The samples on their grid. The first one sets its phase, rounded to where it is likely to have been meant.
fn lay(subject: &str, samples: &[Seen], interval: Span, notes: &mut Vec<String>) -> Vec<Sample> {
    let step = interval.micros();
    let Some(first) = samples.first() else { return Vec::new() };
    let unit = if interval < WHOLE * 2 { FINE.micros() } else { WHOLE.micros() };
    let origin = rounded(first.at.micros(), unit).saturating_mul(unit).saturating_sub(step);
    let mut laid: Vec<Sample> = Vec::with_capacity(samples.len());
    let (mut bin, mut before) = (-1, first.at.micros().saturating_sub(step));
    let mut doubled = 0;
    for sample in samples {
        let at = sample.at.micros();
        let next = next_bin(bin, (before, at), (origin, step));
        if next <= bin {
            doubled += 1;
            continue;
        }
        (bin, before) = (next, at);
        let start = Timestamp::from_micros(origin.saturating_add(bin.saturating_mul(step)));
        laid.push(Sample { at: start, value: Some(sample.value), line: None });
    }
    if doubled > 0 {
        notes.push(format!(
            "series `{subject}`: {doubled} samples fall into a bin that has one already and are left out"
        ));
    }
    laid
}

/// The bin of a sample `at`, after one of `before` in `bin`.
fn next_bin(bin: i64, (before, at): (i64, i64), (origin, step): (i64, i64)) -> i64 {
    let since_origin = at.saturating_sub(origin);
    let stepped = bin.saturating_add(rounded(at.saturating_sub(before), step));
    // A bin ends at its sample.
    let apart = since_origin.saturating_sub(stepped.saturating_add(1).saturating_mul(step));
    if apart.saturating_abs() > step / 4 * 3 { rounded(since_origin, step).saturating_sub(1) } else { stepped }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(samples: &[(f64, f64)]) -> BTreeMap<String, Vec<Seen>> {
        let seen = |(second, value): &(f64, f64)| Seen { at: at(*second), value: *value };
        BTreeMap::from([("shop/web".to_owned(), samples.iter().map(seen).collect())])
    }

    fn at(second: f64) -> Timestamp {
        Timestamp::ZERO + Span::from_secs_f64(second)
    }

    fn import(samples: &[(f64, f64)]) -> Imported {
        from_decisions("log", "log", &load(samples), None).unwrap()
    }

    #[test]
    fn a_rate_fills_the_bin_that_ends_at_its_time() {
        let imported = import(&[(1_015.0, 2.0), (1_030.0, 4.0), (1_045.0, 6.0)]);
        let series = &imported.trace.series[0];
        assert_eq!((series.start, series.interval), (Timestamp::from_secs(1_000), Span::from_secs(15)));
        assert_eq!((series.name.as_str(), series.values.as_slice()), ("shop/web", &[30.0, 60.0, 90.0][..]));
        assert_eq!(imported.trace.unit, "requests per 15 s");
        assert_eq!(imported.notes, ["interval: 15 s, the most common distance of two samples (2 of 2)"]);
    }

    #[test]
    fn jitter_holes_and_doubled_samples_are_laid_onto_the_grid() {
        let (jittered, unsorted) = ((30.004, 2.0), [(75.0, 5.0), (15.001, 1.0), (14.996 + 15.0, 9.0)]);
        let imported = import(&[unsorted[0], unsorted[1], jittered, unsorted[2], (90.0, 6.0), (90.0, 7.0)]);
        let series = &imported.trace.series[0];
        assert_eq!(series.start, Timestamp::ZERO);
        assert_eq!(series.missing, [false, false, true, true, false, false]);
        assert_eq!(series.values, [15.0, 135.0, 135.0, 135.0, 75.0, 90.0]);
        assert!(imported.notes.iter().any(|note| note.contains("1 samples fall into a bin")), "{:?}", imported.notes);
        assert!(imported.notes.iter().any(|note| note.contains("2 of 6 bins have no value")), "{:?}", imported.notes);
    }

    /// Half-way between two bins the nearest one would waver with the jitter, and make a hole and a loss of each step.
    #[test]
    fn a_phase_that_moves_for_good_makes_no_holes() {
        let jitter = |step: i32| if step % 2 == 0 { 0.02 } else { -0.02 };
        let moved = |step: i32| 15.0 * f64::from(step) + if step > 20 { 7.5 + jitter(step) } else { 0.0 };
        let samples: Vec<(f64, f64)> = (1..200).map(|step| (moved(step), f64::from(step))).collect();
        let imported = import(&samples);
        let (bins, missing) = (imported.trace.series[0].values.len(), imported.trace.series[0].missing_count());
        assert!((199..=200).contains(&bins) && missing <= 1, "{bins} bins, {missing} missing");
    }

    /// Each scrape comes 0.3 s late: steps alone would put the last sample 20 bins too early.
    #[test]
    fn steps_do_not_drift_from_the_time() {
        let samples: Vec<(f64, f64)> = (1..=1_000).map(|step| (15.3 * f64::from(step), 1.0)).collect();
        let series = &import(&samples).trace.series[0];
        let late = series.end().since(at(15_300.0)).as_secs_f64();
        assert!(late.abs() <= 15.0, "{late}");
        assert_eq!(series.values.len() - series.missing_count(), 1_000);
    }

    #[test]
    fn scrapes_below_two_seconds_keep_their_interval() {
        let samples: Vec<(f64, f64)> = (1..50).map(|step| (0.5 * f64::from(step) + 0.001, 1.0)).collect();
        assert_eq!(import(&samples).trace.interval, Span::from_millis(500));
    }

    #[test]
    fn every_refusal_says_why() {
        let refused = |samples: &[(f64, f64)], stated| {
            from_decisions("log", "logs/", &load(samples), stated).unwrap_err().to_string()
        };
        assert!(refused(&[], None).contains("logs/: the log holds no value"));
        assert!(refused(&[(15.0, 1.0)], None).contains("cannot be judged"));
        assert!(refused(&[(15.0, 1.0)], Some(Span::ZERO)).contains("not possible"));
        assert!(refused(&[(15.0, 1.0), (30.0, -1.0)], None).contains("cannot be negative"));
        assert!(refused(&[(15.0, 1.0), (30.0, 1.0), (1e12, 1.0), (1e12 + 15.0, 1.0)], None).contains("bins of 15 s"));
        assert!(from_decisions("log", "log", &load(&[(15.0, 1.0)]), Some(Span::from_secs(15))).is_ok());
    }

    #[test]
    fn a_subject_without_a_sample_is_left_out_and_named() {
        let mut loads = load(&[(15.0, 1.0), (30.0, 1.0)]);
        loads.insert("shop/api".to_owned(), Vec::new());
        let imported = from_decisions("log", "log", &loads, None).unwrap();
        assert_eq!(imported.trace.series.len(), 1);
        assert!(imported.notes[0].contains("`shop/api`"), "{:?}", imported.notes);
    }
}
