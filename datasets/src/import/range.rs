//! Answers of a Prometheus range query to a trace.
//!
//! One query may be asked in several pieces of time; their points are joined by labels. A step without a point, or with NaN
//! (what `0 / 0` gives in PromQL), is a missing bin. A bin begins at the moment at which the query was evaluated; what a
//! range selector looked at lies before it, and nothing is shifted here.

use std::collections::BTreeMap;

use seatrial_core::time::Span;

use super::grid::{self, Grid, Sample};
use super::{ImportError, Imported, Unit};
use crate::prometheus::{Labels, RangeSeries};

/// How to read an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangeOptions {
    /// The label whose value names a series; needed where the query answers with several.
    pub series_label: Option<String>,
    /// What a value means.
    pub unit: Unit,
    /// The step of the query; the most common distance of two points where it is `None`.
    pub step: Option<Span>,
}

/// The trace in `answers`, the series of consecutive pieces of time; `source` names them in errors.
///
/// # Errors
/// One variant of [`ImportError`] per thing that can be wrong, with the moment.
pub fn from_range(
    id: &str,
    source: &str,
    answers: Vec<RangeSeries>,
    options: &RangeOptions,
) -> Result<Imported, ImportError> {
    let mut notes = Vec::new();
    let joined = join(answers);
    if joined.is_empty() {
        return Err(ImportError::Empty { file: source.to_owned(), what: "the answer".to_owned() });
    }
    let named = name_series(source, options.series_label.as_deref(), joined)?;
    let interval = grid::interval(source, options.step, named.values(), &mut notes)?;
    let series = Grid { file: source, interval, unit: options.unit }.fill_all(&named)?;
    grid::note_gaps(&series, &mut notes);
    Ok(Imported { trace: super::rate_trace(id, interval, series, None), notes })
}

/// Points by labels, in the order of the answers.
fn join(answers: Vec<RangeSeries>) -> BTreeMap<Labels, Vec<Sample>> {
    let mut joined: BTreeMap<Labels, Vec<Sample>> = BTreeMap::new();
    for series in answers {
        let samples = joined.entry(series.labels).or_default();
        let known = |value: f64| Some(value).filter(|value| !value.is_nan());
        samples.extend(series.points.iter().map(|point| Sample {
            at: point.at,
            value: known(point.value),
            line: None,
        }));
    }
    joined
}

fn name_series(
    source: &str,
    label: Option<&str>,
    joined: BTreeMap<Labels, Vec<Sample>>,
) -> Result<BTreeMap<String, Vec<Sample>>, ImportError> {
    let Some(label) = label else { return only(source, joined) };
    let mut named = BTreeMap::new();
    for (labels, samples) in joined {
        let (file, label) = (source.to_owned(), label.to_owned());
        let Some(name) = labels.get(&label).cloned() else {
            return Err(ImportError::LabelMissing { file, label, labels: shown(&labels) });
        };
        if named.insert(name.clone(), samples).is_some() {
            return Err(ImportError::SameName { file, label, name });
        }
    }
    Ok(named)
}

/// Without a label there must be one series, which needs no name.
fn only(source: &str, joined: BTreeMap<Labels, Vec<Sample>>) -> Result<BTreeMap<String, Vec<Sample>>, ImportError> {
    let count = joined.len();
    if count > 1 {
        let example = joined.keys().next().map(shown).unwrap_or_default();
        return Err(ImportError::SeriesNeeded { file: source.to_owned(), count, example });
    }
    Ok(joined.into_values().map(|samples| (String::new(), samples)).collect())
}

/// As PromQL writes labels.
fn shown(labels: &Labels) -> String {
    let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{{{}}}", pairs.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prometheus::Point;
    use seatrial_core::time::Timestamp;

    fn series(labels: &[(&str, &str)], points: &[(i64, f64)]) -> RangeSeries {
        RangeSeries {
            labels: labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            points: points
                .iter()
                .map(|(second, value)| Point { at: Timestamp::from_secs(*second), value: *value })
                .collect(),
        }
    }

    fn options() -> RangeOptions {
        RangeOptions { series_label: None, unit: Unit::RequestsPerSecond, step: Some(Span::from_secs(15)) }
    }

    fn refused(answers: Vec<RangeSeries>, options: &RangeOptions) -> String {
        from_range("x", "the server", answers, options).unwrap_err().to_string()
    }

    #[test]
    fn holes_and_nan_become_missing_bins_across_pieces() {
        let answers = vec![series(&[], &[(0, 2.0), (15, f64::NAN)]), series(&[], &[(60, 4.0)])];
        let Imported { trace, notes } = from_range("x", "the server", answers, &options()).unwrap();
        let only = trace.series(None).unwrap();
        assert_eq!(only.values, [30.0, 30.0, 30.0, 30.0, 60.0]);
        assert_eq!(only.missing, [false, true, true, true, false]);
        assert_eq!(notes, ["the source: 3 of 5 bins have no value and are marked missing"]);
    }

    #[test]
    fn a_label_names_the_series_and_a_step_is_judged() {
        let asked = RangeOptions { series_label: Some("pod".to_owned()), unit: Unit::Requests, step: None };
        let answers = vec![
            series(&[("pod", "b")], &[(0, 1.0), (30, 2.0)]),
            series(&[("pod", "a")], &[(0, 5.0), (30, 6.0)]),
            series(&[("pod", "b")], &[(60, 3.0)]),
        ];
        let Imported { trace, notes } = from_range("x", "the server", answers, &asked).unwrap();
        assert_eq!(trace.names(), ["a", "b"]);
        assert_eq!(trace.series(Some("b")).unwrap().values, [1.0, 2.0, 3.0]);
        assert_eq!(notes, ["interval: 30 s, the most common distance of two rows (3 times)"]);
    }

    #[test]
    fn refuses_several_series_without_a_name() {
        let two = || vec![series(&[("pod", "a"), ("job", "x")], &[(0, 1.0)]), series(&[("pod", "b")], &[(0, 1.0)])];
        let message = refused(two(), &options());
        assert!(message.contains("2 series, for example {job=\"x\", pod=\"a\"}"), "{message}");
        let by_job = RangeOptions { series_label: Some("job".to_owned()), ..options() };
        assert!(refused(two(), &by_job).contains("series {pod=\"b\"} has no label `job`"));
        let twice = vec![series(&[("pod", "a"), ("job", "x")], &[(0, 1.0)]), series(&[("pod", "a")], &[(0, 1.0)])];
        let by_pod = RangeOptions { series_label: Some("pod".to_owned()), ..options() };
        assert!(refused(twice, &by_pod).contains("several series have pod=\"a\""));
    }

    #[test]
    fn refuses_answers_without_a_value_and_impossible_values() {
        assert!(refused(Vec::new(), &options()).contains("the answer holds no value"));
        assert!(refused(vec![series(&[], &[(0, f64::NAN)])], &options()).contains("the source holds no value"));
        let message = refused(vec![series(&[], &[(0, 1.0), (15, f64::INFINITY)])], &options());
        assert!(message.contains("1970-01-01T00:00:15Z: the value is inf"), "{message}");
        assert!(refused(vec![series(&[], &[(0, -1.0)])], &options()).contains("a load cannot be negative"));
        assert!(refused(vec![series(&[], &[(0, 1.0), (0, 1.0)])], &options()).contains("stands twice"));
        assert!(refused(vec![series(&[], &[(0, 1.0), (7, 1.0)])], &options()).contains("is off the grid of 15 s"));
    }
}
