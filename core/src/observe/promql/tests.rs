//! Examples worked out by hand, what separates the dialects, and properties over random series, hostile ones included.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_secs(seconds)
}

/// Points every 10 s from 10 s on.
fn every_ten_seconds(values: &[f64]) -> Vec<Point> {
    values.iter().zip((10..).step_by(10)).map(|(value, seconds)| Point::number(at(seconds), *value)).collect()
}

fn window(points: &[Point], end_s: i64, length_s: i64) -> Window<'_> {
    Window::new(points, at(end_s), Span::from_secs(length_s), Dialect::Prometheus3)
}

fn close(got: Option<f64>, expected: f64) {
    assert!(got.is_some_and(|got| (got - expected).abs() < 1e-12), "got {got:?}, expected {expected}");
}

#[test]
fn a_series_is_extended_to_a_near_edge_and_by_half_a_gap_to_a_far_one() {
    let points = every_ten_seconds(&[100.0, 110.0, 120.0, 130.0]);
    // 10 s to the start, 5 s to the end, gaps of 10 s: both within 11 s, so 30 grow to 45 over 45 s.
    close(window(&points, 45, 45).increase(), 45.0);
    close(window(&points, 45, 45).rate(), 1.0);
    // 25 s to the start: half a gap instead.
    close(window(&points, 45, 60).increase(), 40.0);
    // 21 s to the end: half a gap there too.
    close(window(&points, 61, 61).delta(), 30.0 * 45.0 / 30.0);
}

#[test]
fn a_counter_is_never_extended_below_zero_and_a_gauge_is() {
    let points = every_ten_seconds(&[1.0, 11.0, 21.0, 31.0]);
    // At 1 per second it was zero one second before its first point.
    close(window(&points, 45, 45).increase(), 36.0);
    close(window(&points, 45, 45).delta(), 45.0);
}

#[test]
fn resets_count_what_was_reached_before_them() {
    let points = every_ten_seconds(&[10.0, 20.0, 5.0, 15.0]);
    // 10 to 20, anew to 5, to 15: 25. The zero point lies 30 s · 10/25 before the first point, farther than the edge.
    close(window(&points, 40, 35).increase(), 25.0 * 35.0 / 30.0);
    close(window(&points, 40, 35).resets(), 1.0);
    close(window(&points, 30, 25).irate(), 0.5);
    close(window(&points, 30, 25).idelta(), -15.0);
}

#[test]
fn fewer_than_two_points_have_no_rate_and_none_at_all_no_answer() {
    let points = every_ten_seconds(&[1.0, 2.0]);
    let one = window(&points, 10, 5);
    assert_eq!([one.rate(), one.increase(), one.delta(), one.irate(), one.idelta(), one.deriv()], [None; 6]);
    assert_eq!((one.count_over_time(), one.changes(), one.resets()), (Some(1.0), Some(0.0), Some(0.0)));
    let none = window(&points, 9, 9);
    let answers = [none.count_over_time(), none.sum_over_time(), none.avg_over_time(), none.stddev_over_time()];
    assert_eq!(answers, [None; 4]);
    assert_eq!([none.changes(), none.resets(), none.last_over_time(), none.min_over_time()], [None; 4]);
    assert_eq!(none.quantile_over_time(0.5, &mut Vec::new()), None);
    assert_eq!(window(&points, 20, -60).count_over_time(), None);
}

#[test]
fn functions_over_time() {
    let points = every_ten_seconds(&[4.0, 1.0, 3.0, 3.0, 9.0]);
    let all = window(&points, 50, 60);
    close(all.avg_over_time(), 4.0);
    close(all.sum_over_time(), 20.0);
    close(all.min_over_time(), 1.0);
    close(all.max_over_time(), 9.0);
    close(all.last_over_time(), 9.0);
    close(all.changes(), 3.0);
    // Squared distances from 4: 0, 9, 1, 1, 25.
    close(all.stddev_over_time(), 7.2_f64.sqrt());
    // Σ(t − 20)(v − 4) over Σ(t − 20)²: (0 + 30 + 0 − 10 + 100) / 1000.
    close(all.deriv(), 0.12);
    close(all.quantile_over_time(0.625, &mut Vec::new()), 3.5);
    assert_eq!(all.quantile_over_time(-0.1, &mut Vec::new()), Some(f64::NEG_INFINITY));
    assert_eq!(all.quantile_over_time(1.1, &mut Vec::new()), Some(f64::INFINITY));
}

#[test]
fn a_mean_does_not_overflow_where_the_sum_does() {
    let points = every_ten_seconds(&[f64::MAX, f64::MAX, f64::MAX / 2.0, f64::MAX / 2.0]);
    let all = window(&points, 40, 60);
    assert_eq!(all.sum_over_time(), Some(f64::INFINITY));
    let mean = all.avg_over_time().unwrap() / f64::MAX;
    assert!((mean - 0.75).abs() < 1e-12, "{mean}");
}

#[test]
fn nan_is_passed_over_by_extremes_and_is_no_reset() {
    let points = every_ten_seconds(&[f64::NAN, 10.0, f64::NAN, 30.0]);
    close(window(&points, 40, 60).min_over_time(), 10.0);
    close(window(&points, 40, 60).max_over_time(), 30.0);
    close(window(&points, 40, 25).increase(), 20.0 * 25.0 / 20.0);
    assert!(window(&points, 40, 60).increase().unwrap().is_nan());
}

#[test]
fn an_instant_query_looks_back_five_minutes_and_stops_at_a_marker() {
    let mut points = vec![Point::number(at(0), 7.0)];
    assert_eq!(instant(&points, at(-1), Dialect::Prometheus3), None);
    assert_eq!(instant(&points, at(299), Dialect::Prometheus3).map(|sample| sample.value), Some(7.0));
    assert_eq!(instant(&points, at(300), Dialect::Prometheus3), None);
    points.push(Point::stale(at(10)));
    assert_eq!(instant(&points, at(9), Dialect::Prometheus3).map(|sample| sample.at), Some(at(0)));
    assert_eq!(instant(&points, at(10), Dialect::Prometheus3), None);
    assert_eq!(window(&points, 10, 60).count_over_time(), Some(1.0), "markers are no numbers");
}

#[test]
fn the_older_dialect_closes_the_left_edge() {
    let points = every_ten_seconds(&[1.0, 2.0, 3.0]);
    let count = |dialect| Window::new(&points, at(30), Span::from_secs(20), dialect).count_over_time();
    assert_eq!((count(Dialect::Prometheus3), count(Dialect::Prometheus2)), (Some(2.0), Some(3.0)));
    let last = |dialect| instant(&points, at(330), dialect).map(|sample| sample.value);
    assert_eq!((last(Dialect::Prometheus3), last(Dialect::Prometheus2)), (None, Some(3.0)));
}

#[test]
fn the_older_dialect_extends_to_a_zero_point_beyond_half_a_gap() {
    let points = every_ten_seconds(&[8.0, 18.0, 28.0, 38.0]);
    // The start is 25 s away, zero 8 s: half a gap (5 s) in 3, all 8 s in 2. The end is 5 s away.
    let increase = |dialect| Window::new(&points, at(45), Span::from_secs(60), dialect).increase();
    close(increase(Dialect::Prometheus3), 40.0);
    close(increase(Dialect::Prometheus2), 43.0);
}

fn buckets(counts: &[(f64, f64)]) -> Vec<Bucket> {
    counts.iter().map(|(upper_bound, count)| Bucket { upper_bound: *upper_bound, count: *count }).collect()
}

#[test]
fn a_quantile_lies_in_proportion_within_its_bucket() {
    let quantile = |level| histogram_quantile(level, &mut buckets(&[(f64::INFINITY, 40.0), (1.0, 10.0), (2.0, 30.0)]));
    close(quantile(0.5), 1.5);
    close(quantile(0.125), 0.5);
    close(quantile(0.95), 2.0);
    assert_eq!(quantile(-0.1), Some(f64::NEG_INFINITY));
    assert_eq!(quantile(1.1), Some(f64::INFINITY));
    close(histogram_quantile(0.2, &mut buckets(&[(-1.0, 10.0), (f64::INFINITY, 40.0)])), -1.0);
}

#[test]
fn a_histogram_that_says_nothing_answers_nan() {
    assert_eq!(histogram_quantile(0.5, &mut []), None);
    let of_nothing = [
        buckets(&[(1.0, 10.0), (2.0, 20.0)]),
        buckets(&[(f64::INFINITY, 20.0)]),
        buckets(&[(1.0, 0.0), (f64::INFINITY, 0.0)]),
    ];
    for mut histogram in of_nothing {
        assert!(histogram_quantile(0.5, &mut histogram).unwrap().is_nan(), "{histogram:?}");
    }
}

#[test]
fn buckets_of_one_bound_are_added_and_falling_counts_lifted() {
    let mut split = buckets(&[(1.0, 4.0), (1.0, 6.0), (2.0, 30.0), (f64::INFINITY, 40.0)]);
    close(histogram_quantile(0.5, &mut split), 1.5);
    let mut falling = buckets(&[(1.0, 10.0), (2.0, 8.0), (4.0, 30.0), (f64::INFINITY, 30.0)]);
    // The second is lifted to 10, so the rank of 15 lies a quarter into (2, 4].
    close(histogram_quantile(0.5, &mut falling), 2.5);
}

fn fixed_seed() -> Config {
    Config { cases: 512, rng_seed: RngSeed::Fixed(2_024), failure_persistence: None, ..Config::default() }
}

/// A counter with resets, lost scrapes and ends, in order of time.
fn counters() -> impl Strategy<Value = Vec<Point>> {
    let step = (1_i64..40_000, prop_oneof![6 => 0.0..1e6, 1 => Just(0.0)], 0_u8..20);
    proptest::collection::vec(step, 0..60).prop_map(|steps| {
        let (mut millis, mut total) = (0, 0.0);
        let mut points = Vec::new();
        for (gap_ms, more, event) in steps {
            millis += gap_ms;
            total = if event == 0 { more / 1e3 } else { total + more };
            let at = Timestamp::from_micros(millis * 1_000);
            points.push(if event == 1 { Point::stale(at) } else { Point::number(at, total) });
        }
        points
    })
}

/// Anything at all: times in any order and far away, values of every kind.
fn hostile() -> impl Strategy<Value = Vec<Point>> {
    let time = prop_oneof![6 => 0_i64..600_000_000, 1 => Just(i64::MAX), 1 => Just(i64::MIN)];
    let value = prop_oneof![
        4 => any::<f64>().prop_map(Value::Number),
        2 => prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(-1.0)].prop_map(Value::Number),
        1 => Just(Value::Stale),
    ];
    let point = (time, value).prop_map(|(micros, value)| Point { at: Timestamp::from_micros(micros), value });
    proptest::collection::vec(point, 0..30)
}

fn dialects() -> impl Strategy<Value = Dialect> {
    prop_oneof![Just(Dialect::Prometheus3), Just(Dialect::Prometheus2)]
}

/// Every function, as bits: NaN equals NaN, and no rounding is overlooked.
fn answers(window: Window<'_>, level: f64) -> Vec<Option<u64>> {
    let answers = [
        window.rate(),
        window.increase(),
        window.delta(),
        window.irate(),
        window.idelta(),
        window.count_over_time(),
        window.last_over_time(),
        window.min_over_time(),
        window.max_over_time(),
        window.sum_over_time(),
        window.avg_over_time(),
        window.stddev_over_time(),
        window.quantile_over_time(level, &mut Vec::new()),
        window.resets(),
        window.changes(),
        window.deriv(),
    ];
    answers.map(|answer| answer.map(f64::to_bits)).to_vec()
}

proptest! {
    #![proptest_config(fixed_seed())]

    #[test]
    fn shifting_all_times_changes_no_bit(
        points in counters(), end_s in 0_i64..1_200, length_s in 1_i64..900, by_us in -1_i64 << 50..1_i64 << 50, dialect in dialects(),
    ) {
        let (end, length, by) = (at(end_s), Span::from_secs(length_s), Span::from_micros(by_us));
        let moved: Vec<Point> = points.iter().map(|point| Point { at: point.at + by, ..*point }).collect();
        let here = Window::new(&points, end, length, dialect);
        let there = Window::new(&moved, end + by, length, dialect);
        prop_assert_eq!(answers(here, 0.9), answers(there, 0.9));
        let value = |points: &[Point], at| instant(points, at, dialect).map(|sample| sample.value.to_bits());
        prop_assert_eq!(value(&points, end), value(&moved, end + by));
    }

    #[test]
    fn a_counter_never_increases_by_less_than_nothing(
        points in counters(), end_s in 0_i64..1_200, length_s in 1_i64..900, dialect in dialects(),
    ) {
        let window = Window::new(&points, at(end_s), Span::from_secs(length_s), dialect);
        for answer in [window.increase(), window.rate(), window.irate()] {
            prop_assert!(answer.is_none_or(|answer| answer >= 0.0 && answer.is_finite()), "{answer:?}");
        }
        let (increase, rate) = (window.increase(), window.rate());
        let seconds = f64::from(i32::try_from(length_s).unwrap());
        let agree = |(increase, rate): (f64, f64)| (increase - rate * seconds).abs() <= 1e-12 * increase;
        prop_assert!(increase.zip(rate).is_none_or(agree), "{increase:?} over {seconds} s, {rate:?} per s");
        prop_assert_eq!(increase.is_some(), rate.is_some());
    }

    #[test]
    fn nothing_panics_whatever_the_points(
        points in hostile(), end_us in any::<i64>(), near_us in 0_i64..600_000_000, length_us in any::<i64>(),
        level in any::<f64>(), dialect in dialects(),
    ) {
        for end in [end_us, near_us, i64::MIN, i64::MAX].map(Timestamp::from_micros) {
            for length in [length_us, 300_000_000, 0, i64::MIN, i64::MAX].map(Span::from_micros) {
                let window = Window::new(&points, end, length, dialect);
                answers(window, level);
            }
            let _ = instant(&points, end, dialect);
        }
        let values = points.iter().filter_map(Point::sample).map(|sample| sample.value);
        let mut histogram: Vec<Bucket> =
            values.clone().zip(values.skip(1)).map(|(upper_bound, count)| Bucket { upper_bound, count }).collect();
        let _ = histogram_quantile(level.abs() % 1.0, &mut histogram);
    }
}
