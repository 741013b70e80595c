//! What the answers of Prometheus mean, without asking: pure, so that every rule has a row in a table.
//!
//! - No series: missing, which is no error. A number that is not finite, negative, or not single: missing, and a problem.
//! - A sample time more than [`MOST_AHEAD`] in the future, or older than the limit: everything is missing.
//! - An error that concerns the server takes every feature away, as a lost scrape does: what is half read has no one moment.

use seatrial_core::observe::{FEATURE_COUNT, Feature, Metrics, Sample};
use seatrial_core::scaling::policy::PastSlot;
use seatrial_core::time::{Span, Timestamp};
use seatrial_datasets::prometheus::{Grid, Instant, Matrix, parse_seconds};

use super::error::PrometheusError;

/// How far ahead of the operator's clock a sample may be: clocks are never quite equal.
pub const MOST_AHEAD: Span = Span::from_secs(1);

/// What was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The time of the newest sample.
    SampleTime,
    /// A feature.
    Feature(Feature),
}

/// What the metrics say at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricsRead {
    /// The features, each stamped with the sample time.
    pub metrics: Metrics,
    /// The newest sample's time, also if it is stale; `None` if there is none, or none that can be (one in the future).
    pub sample_at: Option<Timestamp>,
    /// Why features are missing that have an answer.
    pub problems: Vec<(Asked, PrometheusError)>,
}

/// What the ten queries answered; `None` is missing.
pub type Answers = [Result<Option<f64>, PrometheusError>; FEATURE_COUNT];

impl MetricsRead {
    /// Nothing is known.
    #[must_use]
    pub fn missing(sample_at: Option<Timestamp>, problem: Option<(Asked, PrometheusError)>) -> Self {
        Self { metrics: Metrics::default(), sample_at, problems: problem.into_iter().collect() }
    }
}

/// The one number that an answer holds; `None` if it holds nothing.
///
/// # Errors
/// If it holds something else than one number.
pub fn one_number(answer: &Instant) -> Result<Option<f64>, PrometheusError> {
    match answer {
        Instant::Scalar(point) => finite(point.value).map(Some),
        Instant::Vector(series) => match &series[..] {
            [] => Ok(None),
            [one] => finite(one.point.value).map(Some),
            many => Err(PrometheusError::ManySeries { count: many.len() }),
        },
        Instant::Matrix(_) => Err(PrometheusError::NotANumber { found: "range of samples" }),
        Instant::String { .. } => Err(PrometheusError::NotANumber { found: "string" }),
    }
}

fn finite(value: f64) -> Result<f64, PrometheusError> {
    let kind = match value {
        value if value.is_nan() => "NaN",
        f64::INFINITY => "+Inf",
        f64::NEG_INFINITY => "-Inf",
        _ => return Ok(value),
    };
    Err(PrometheusError::NotFinite { value: kind })
}

/// The value of a feature.
///
/// # Errors
/// If the answer is not one finite number that is at least zero.
pub fn feature_value(answer: &Instant) -> Result<Option<f64>, PrometheusError> {
    match one_number(answer)? {
        Some(value) if value < 0.0 => Err(PrometheusError::Negative),
        value => Ok(value),
    }
}

/// The newest sample's time; `None` if there is no sample.
///
/// # Errors
/// If the answer is not one number, or lies in the future.
pub fn sample_time(answer: &Instant, now: Timestamp) -> Result<Option<Timestamp>, PrometheusError> {
    let Some(at) = one_number(answer)?.map(parse_seconds) else { return Ok(None) };
    if at.since(now) > MOST_AHEAD { Err(PrometheusError::FutureSample) } else { Ok(Some(at)) }
}

/// Whether a sample of `at` may still be used at `now`.
///
/// # Errors
/// If it is older than `stale_after`.
pub fn fresh(at: Timestamp, now: Timestamp, stale_after: Span) -> Result<(), PrometheusError> {
    if now.since(at) > stale_after { Err(PrometheusError::StaleSample) } else { Ok(()) }
}

/// The moment at which the features are evaluated: soon after the newest sample, as the past is, so that a range of two
/// intervals holds the two scrapes that end there however late the question comes. After a lost scrape it is `now`: then the range
/// holds one scrape, and the value is missing, as the protocol wants it.
///
/// Never exactly at a scrape: Prometheus 2 takes a scrape at the range's begin into it, Prometheus 3 does not.
#[must_use]
pub fn evaluation_time(now: Timestamp, sample_at: Timestamp, interval: Span) -> Timestamp {
    let millisecond = Span::from_millis(1);
    let (now, sample_at) = (now.floor_to(millisecond), sample_at.floor_to(millisecond));
    let elapsed = now.since(sample_at);
    let soon = if elapsed > Span::ZERO && elapsed < interval { now.min(sample_at + interval / 4) } else { now };
    let on_a_scrape = soon.since(sample_at).micros().checked_rem_euclid(interval.micros()) == Some(0);
    if on_a_scrape { soon + millisecond } else { soon }
}

/// The features from their answers, in the order of their numbers.
#[must_use]
pub fn assemble(sample_at: Timestamp, answers: Answers) -> MetricsRead {
    let mut read = MetricsRead::missing(Some(sample_at), None);
    for ((feature, _), answer) in crate::queries::FEATURES.into_iter().zip(answers) {
        match answer {
            Ok(value) => read.metrics.set(feature, value.map(|value| Sample { at: sample_at, value })),
            Err(problem) => read.problems.push((Asked::Feature(feature), problem)),
        }
    }
    if let Some(at) = read.problems.iter().position(|(_, problem)| problem.concerns_all_queries()) {
        let problem = read.problems.swap_remove(at);
        return MetricsRead::missing(Some(sample_at), Some(problem));
    }
    read
}

/// The slots of `grid`, each evaluated `offset` after its end, from the answer to a range query.
///
/// # Errors
/// If the answer has more than one series.
pub fn past_slots(grid: &Grid, offset: Span, answer: &Matrix) -> Result<Vec<PastSlot>, PrometheusError> {
    let rates = match &answer.series[..] {
        [] => vec![None; grid.count],
        [one] => grid.lay(&one.points),
        many => return Err(PrometheusError::ManySeries { count: many.len() }),
    };
    let slot = |(index, rate): (usize, Option<f64>)| PastSlot {
        end: grid.at(index) - offset,
        length: grid.step,
        arrival_rate: rate.filter(|rate| rate.is_finite() && *rate >= 0.0),
    };
    Ok(rates.into_iter().enumerate().map(slot).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use seatrial_datasets::prometheus::{InstantSeries, Labels, Point, RangeSeries};

    const NOW: Timestamp = Timestamp::from_secs(1_795_254_065);

    fn point(value: f64) -> Point {
        Point { at: NOW, value }
    }

    fn vector(values: &[f64]) -> Instant {
        let series = |value: &f64| InstantSeries { labels: Labels::new(), point: point(*value) };
        Instant::Vector(values.iter().map(series).collect())
    }

    #[test]
    fn one_finite_number_and_nothing_else() {
        use PrometheusError::{ManySeries, NotANumber, NotFinite};
        for (answer, expected) in [
            (Instant::Scalar(point(2.5)), Ok(Some(2.5))),
            (vector(&[2.5]), Ok(Some(2.5))),
            (vector(&[0.0]), Ok(Some(0.0))),
            (vector(&[-1.0]), Ok(Some(-1.0))),
            (vector(&[]), Ok(None)),
            (vector(&[1.0, 2.0, 3.0]), Err(ManySeries { count: 3 })),
            (vector(&[f64::NAN]), Err(NotFinite { value: "NaN" })),
            (Instant::Scalar(point(f64::NAN)), Err(NotFinite { value: "NaN" })),
            (vector(&[f64::INFINITY]), Err(NotFinite { value: "+Inf" })),
            (vector(&[f64::NEG_INFINITY]), Err(NotFinite { value: "-Inf" })),
            (Instant::Matrix(Matrix::default()), Err(NotANumber { found: "range of samples" })),
            (Instant::String { at: NOW, text: "1".to_owned() }, Err(NotANumber { found: "string" })),
        ] {
            assert_eq!(one_number(&answer), expected, "{answer:?}");
        }
        assert_eq!(feature_value(&vector(&[-1e-9])), Err(PrometheusError::Negative));
        assert_eq!(feature_value(&vector(&[-0.0])), Ok(Some(-0.0)));
    }

    #[test]
    fn sample_times_may_be_a_second_ahead_and_no_more() {
        let at = |ahead_s: f64| vector(&[NOW.since(Timestamp::ZERO).as_secs_f64() + ahead_s]);
        assert_eq!(sample_time(&at(-3.5), NOW), Ok(Some(NOW - Span::from_millis(3_500))));
        assert_eq!(sample_time(&at(1.0), NOW), Ok(Some(NOW + Span::from_secs(1))));
        assert_eq!(sample_time(&at(1.001), NOW), Err(PrometheusError::FutureSample));
        assert_eq!(sample_time(&vector(&[1e300]), NOW), Err(PrometheusError::FutureSample));
        assert_eq!(sample_time(&vector(&[]), NOW), Ok(None));
        assert_eq!(sample_time(&vector(&[f64::NAN]), NOW), Err(PrometheusError::NotFinite { value: "NaN" }));
        let limit = Span::from_secs(45);
        assert_eq!(fresh(NOW - limit, NOW, limit), Ok(()));
        assert_eq!(fresh(NOW - limit - Span::from_micros(1), NOW, limit), Err(PrometheusError::StaleSample));
        assert_eq!(fresh(NOW + MOST_AHEAD, NOW, limit), Ok(()));
    }

    #[test]
    fn no_range_begins_at_a_scrape() {
        let interval = Span::from_secs(15);
        let micros = Span::from_micros;
        for (since_sample, shift) in [
            (0, 1_000),
            (999, 1_000 - 999),
            (1_000, 0),
            (250_400, -400),
            // However late the question: a quarter of an interval after the sample, or `now` once the next one should be there.
            (3_750_000, 0),
            (14_990_000, 3_750_000 - 14_990_000),
            (15_000_000, 1_000),
            (30_000_300, 1_000 - 300),
            (-15_000_000, 1_000),
        ] {
            let now = NOW + micros(since_sample);
            assert_eq!(evaluation_time(now, NOW, interval), now + micros(shift), "{since_sample}");
        }
        assert_eq!(evaluation_time(NOW, NOW, Span::ZERO), NOW, "total on an interval of nothing");
    }

    #[test]
    fn features_stand_alone_unless_the_server_fails() {
        let mut answers: Answers = core::array::from_fn(|i| Ok(Some(i as f64)));
        answers[1] = Ok(None);
        answers[9] = Err(PrometheusError::NotFinite { value: "NaN" });
        let read = assemble(NOW, answers.clone());
        let load = read.metrics.get(Feature::HttpRequestsTotalRate).unwrap();
        assert_eq!((load.at, load.value), (NOW, 4.0));
        assert_eq!(read.metrics.get(Feature::ProcessResidentMemoryBytes), None);
        assert_eq!(read.metrics.get(Feature::BadRequestRatio), None);
        assert_eq!(read.problems.len(), 1, "what is merely missing is no problem");
        assert_eq!(read.problems[0].0, Asked::Feature(Feature::BadRequestRatio));

        let denied = PrometheusError::Denied { url: String::new(), status: 403 };
        answers[6] = Err(denied.clone());
        let read = assemble(NOW, answers);
        assert_eq!(read, MetricsRead::missing(Some(NOW), Some((Asked::Feature(Feature::ProcessOpenFds), denied))));
    }

    #[test]
    fn history_has_a_slot_for_every_step() {
        let grid = Grid { first: NOW, step: Span::from_secs(15), count: 5 };
        let values = [1.5, f64::NAN, f64::INFINITY, -1.0];
        let points = (0..4).map(|i| Point { at: grid.at(i), value: values[i] }).collect();
        let series = RangeSeries { labels: Labels::new(), points };
        let offset = Span::from_millis(500);
        let slots = past_slots(&grid, offset, &Matrix { series: vec![series.clone()] }).unwrap();
        let rates: Vec<Option<f64>> = slots.iter().map(|slot| slot.arrival_rate).collect();
        assert_eq!(rates, [Some(1.5), None, None, None, None]);
        assert_eq!((slots[2].end, slots[2].length), (grid.at(2) - offset, grid.step));
        assert_eq!(past_slots(&grid, offset, &Matrix::default()).unwrap().len(), 5);
        let two = Matrix { series: vec![series.clone(), series] };
        assert_eq!(past_slots(&grid, offset, &two), Err(PrometheusError::ManySeries { count: 2 }));
    }
}
