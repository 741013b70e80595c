//! The windows by hand, and against plain lists.

use super::*;

fn linear(windows: &Windows, now_s: i64) -> (f64, f64) {
    let averages = windows.averages(now_s, Averaging(None));
    (averages.stable, averages.panic)
}

#[test]
fn divides_by_the_seconds_since_the_first_write() {
    let mut windows = Windows::new(10, 3);
    assert!(windows.is_empty(0));
    assert_eq!(linear(&windows, 0), (0.0, 0.0));
    for (second, value) in [(100, 6.0), (101, 12.0), (102, 3.0), (103, 9.0)] {
        windows.record(second, value);
    }
    // (6 + 12 + 3 + 9) / 4 and (12 + 3 + 9) / 3.
    assert_eq!(linear(&windows, 103), (7.5, 8.0));
    // Two seconds later the panic window has only the last write, divided by the one second that is left of it.
    assert_eq!(linear(&windows, 105), (7.5, 9.0));
    assert_eq!(linear(&windows, 106), (7.5, 0.0));
}

#[test]
fn skipped_seconds_are_zeros_once_something_follows() {
    let mut windows = Windows::new(10, 3);
    windows.record(100, 6.0);
    windows.record(104, 9.0);
    // (6 + 9) / 5; the panic window began anew at 104.
    assert_eq!(linear(&windows, 104), (3.0, 9.0));
    windows.record(106, 3.0);
    // (6 + 9 + 3) / 7 to six digits, (9 + 0 + 3) / 3.
    assert_eq!(linear(&windows, 106), (2.571_429, 4.0));
}

#[test]
fn several_writes_of_a_second_add_up_and_late_ones_count_while_covered() {
    let mut windows = Windows::new(10, 3);
    windows.record(100, 1.0);
    windows.record(100, 2.0);
    windows.record(105, 6.0);
    windows.record(103, 3.0);
    // (1 + 2 + 3 + 6) / 6; the panic window covers 103 too and begins there: (3 + 6) / 3.
    assert_eq!(linear(&windows, 105), (2.0, 3.0));
    windows.record(96, 100.0);
    // (1 + 2 + 3 + 6 + 100) / 10; the panic window ignores it.
    assert_eq!(linear(&windows, 105), (11.2, 3.0));
    windows.record(95, 100.0);
    assert_eq!(linear(&windows, 105), (11.2, 3.0), "before both windows");
}

/// A window exactly after the last write there is a valid zero, and no data one second later.
#[test]
fn is_empty_only_when_more_than_the_window_has_passed() {
    let mut windows = Windows::new(10, 3);
    windows.record(100, 6.0);
    assert!(!windows.is_empty(110) && windows.is_empty(111));
    assert_eq!(linear(&windows, 110), (0.0, 0.0));
    windows.record(200, 5.0);
    assert_eq!(linear(&windows, 200), (5.0, 5.0), "began anew");
}

/// Knative's own example: 0.6 · (5 + 0.4 · 5 + 0.4² · 10 + 0.4³ · 10).
#[test]
fn weighted_averages_favour_the_newest() {
    let mut windows = Windows::new(4, 4);
    for (second, value) in [(1, 10.0), (2, 10.0), (3, 5.0), (4, 5.0)] {
        windows.record(second, value);
    }
    let averaging = Averaging(Some([0.6, 0.6]));
    assert!((windows.averages(4, averaging).stable - 5.544).abs() < 1e-12);
    // One second on: the weights shift by one and the oldest is out: 0.6 · 0.4 · (5 + 0.4 · 5 + 0.4² · 10).
    assert!((windows.averages(5, averaging).stable - 2.064).abs() < 1e-12);
    // 1 - 0.0001^(1/6) is over the least weight, 1 - 0.0001^(1/60) is not.
    let Averaging(Some([stable, panic])) = Averaging::new(Aggregation::WeightedExponential, 60, 6) else {
        panic!("weights")
    };
    assert_eq!(stable, 0.2);
    assert!((panic - 0.784_556_530_996_811_6).abs() < 1e-12);
}

/// Against plain lists, with random gaps, late writes and averages ahead of the last write.
#[test]
fn agrees_with_plain_lists() {
    use crate::rand::{Stream, uniform};
    for (stable_s, panic_s) in [(6, 6), (7, 1), (20, 3), (60, 6)] {
        let (mut windows, mut written, mut now) = (Windows::new(stable_s, panic_s), Vec::new(), 1_000_i64);
        for i in 0..3_000_u32 {
            let draw = |entity| uniform(5, Stream::TraceNoise, entity, i);
            now += if draw(0) < 0.8 { 1 } else { (draw(1) * 9.0) as i64 };
            let value = libm::floor(draw(2) * 1_000.0);
            windows.record(now, value);
            written.push((now, value));
            let ask = now + (draw(3) * 4.0) as i64;
            let got = windows.averages(ask, Averaging(None));
            for (length, got) in [(stable_s, got.stable), (panic_s, got.panic)] {
                let expected = plain(&written, ask, i64::from(length));
                assert!((got - expected).abs() < 2e-6, "{length} s at {ask}: {got} {expected}");
            }
        }
    }
}

/// The mean over the window's seconds since the newest write that had no other within a window before it.
fn plain(written: &[(i64, f64)], now: i64, length: i64) -> f64 {
    let last = written[written.len() - 1].0;
    let mut first = last;
    for (second, _) in written.iter().rev() {
        if first - second >= length {
            break;
        }
        first = *second;
    }
    let from = first.max(now - length + 1);
    if from > last {
        return 0.0;
    }
    let sum: f64 = written.iter().filter(|(second, _)| *second >= from).map(|(_, value)| value).sum();
    sum / (last - from + 1) as f64
}

#[test]
fn rounds_halves_away_from_zero() {
    let below_half = 0.5_f64.next_down();
    let cases = [(0.5, 1.0), (-0.5, -1.0), (2.5, 3.0), (2.499, 2.0), (-1.7, -2.0), (below_half, 0.0), (9e15, 9e15)];
    for (x, expected) in cases {
        assert_eq!(round_half_away(x), expected, "{x}");
    }
}

#[test]
fn snapshots_are_exact_and_others_do_not_fit() {
    let mut windows = Windows::new(600, 60);
    for second in 0..1_000 {
        windows.record(second, 0.1 * second as f64);
    }
    let text = serde_json::to_string(&windows).unwrap();
    assert!(text.len() < 9_900, "{} bytes", text.len());
    let restored: Windows = serde_json::from_str(&text).unwrap();
    assert_eq!(restored, windows);
    assert!(restored.fit(600, 60) && !restored.fit(600, 6) && !restored.fit(60, 6));
    let broken: Windows = serde_json::from_str(&text.replace("\"head\":", "\"head\":9")).unwrap();
    assert!(!broken.fit(600, 60), "the newest bucket outside the ring");
}

/// Across gaps, wraps of the ring and windows of one length; also where part of it lies in the past.
#[test]
fn filling_is_recording_second_by_second() {
    for (stable_s, panic_s) in [(6, 6), (20, 3), (60, 6)] {
        let (mut filled, mut recorded) = (Windows::new(stable_s, panic_s), Windows::new(stable_s, panic_s));
        for (from, to, value) in [
            (10, 10, 0.1),
            (11, 25, 3.3),
            (27, 40, 0.7),
            (44, 43, 9.0),
            (45, 160, 1.9),
            (158, 163, 0.3),
            (400, 407, 5.1),
        ] {
            filled.fill(from..=to, value);
            for second in from..=to {
                recorded.record(second, value);
            }
            assert_eq!(filled, recorded, "{stable_s} and {panic_s} s, {from} to {to}");
        }
    }
}
