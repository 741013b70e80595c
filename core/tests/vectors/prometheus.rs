//! The golden vectors of PromQL: what the real engine answered. Compared within 1e-9, relative and absolute.

use seatrial_core::observe::promql::{Bucket, Dialect, Point, Window, histogram_quantile, instant};
use seatrial_core::time::{Span, Timestamp};
use serde::Deserialize;

use crate::reader::{Difference, run};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    id: u64,
    #[serde(rename = "class")]
    _class: String,
    function: String,
    series: Vec<Series>,
    at_ms: i64,
    offset_ms: i64,
    range_ms: Option<i64>,
    param: Option<f64>,
    expect: Option<Number>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Series {
    le: Option<String>,
    /// Null is a staleness marker.
    samples: Vec<(i64, Option<Number>)>,
}

/// What JSON has no digits for is a word: NaN, +Inf, -Inf.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Plain(f64),
    Word(String),
}

impl Number {
    fn value(&self) -> f64 {
        match self {
            Self::Plain(number) => *number,
            Self::Word(word) => word.parse().unwrap_or_else(|_| panic!("{word} is no number")),
        }
    }
}

#[test]
fn vectors_of_promql() {
    run("prometheus", |case: &Case| {
        let expected = case.expect.as_ref().map(Number::value);
        let got = case.answer();
        if agree(expected, got) {
            return Ok(());
        }
        let expected = format!("{} = {expected:?}", case.function);
        Err(Difference { id: case.id, step: None, expected, got: format!("{got:?}") })
    });
}

fn agree(expected: Option<f64>, got: Option<f64>) -> bool {
    match (expected, got) {
        (None, None) => true,
        (Some(expected), Some(got)) if expected.is_finite() => {
            (expected - got).abs() <= (1e-9 * expected.abs()).max(1e-9)
        }
        (Some(expected), Some(got)) => expected.to_bits() == got.to_bits() || (expected.is_nan() && got.is_nan()),
        _ => false,
    }
}

impl Case {
    fn answer(&self) -> Option<f64> {
        match self.function.as_str() {
            "histogram_quantile" => self.histogram(|series| self.instant(series)),
            "histogram_quantile_of_rate" => self.histogram(|series| self.window(&series.points()).rate()),
            "instant" => self.instant(&self.series[0]),
            function => self.of_range(function, self.window(&self.series[0].points())),
        }
    }

    fn of_range(&self, function: &str, window: Window<'_>) -> Option<f64> {
        match function {
            "rate" => window.rate(),
            "increase" => window.increase(),
            "delta" => window.delta(),
            "irate" => window.irate(),
            "idelta" => window.idelta(),
            "avg_over_time" => window.avg_over_time(),
            "min_over_time" => window.min_over_time(),
            "max_over_time" => window.max_over_time(),
            "sum_over_time" => window.sum_over_time(),
            "count_over_time" => window.count_over_time(),
            "last_over_time" => window.last_over_time(),
            "stddev_over_time" => window.stddev_over_time(),
            "quantile_over_time" => window.quantile_over_time(self.param.expect("a level"), &mut Vec::new()),
            "resets" => window.resets(),
            "changes" => window.changes(),
            "deriv" => window.deriv(),
            other => panic!("unknown function {other}"),
        }
    }

    fn histogram(&self, value: impl Fn(&Series) -> Option<f64>) -> Option<f64> {
        let bucket = |series: &Series| {
            let upper_bound = series.le.as_ref().expect("buckets have le").parse().expect("le is a number");
            value(series).map(|count| Bucket { upper_bound, count })
        };
        let mut buckets: Vec<Bucket> = self.series.iter().filter_map(bucket).collect();
        histogram_quantile(self.param.expect("a level"), &mut buckets)
    }

    fn instant(&self, series: &Series) -> Option<f64> {
        instant(&series.points(), self.end(), Dialect::Prometheus3).map(|sample| sample.value)
    }

    fn window<'a>(&self, points: &'a [Point]) -> Window<'a> {
        let length = Span::from_millis(self.range_ms.expect("a range"));
        Window::new(points, self.end(), length, Dialect::Prometheus3)
    }

    fn end(&self) -> Timestamp {
        millis(self.at_ms - self.offset_ms)
    }
}

impl Series {
    fn points(&self) -> Vec<Point> {
        let point = |(at_ms, value): &(i64, Option<Number>)| match value {
            Some(number) => Point::number(millis(*at_ms), number.value()),
            None => Point::stale(millis(*at_ms)),
        };
        self.samples.iter().map(point).collect()
    }
}

const fn millis(millis: i64) -> Timestamp {
    Timestamp::from_micros(millis * 1_000)
}
