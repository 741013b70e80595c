//! Shared content is found although cropped, resampled or rescaled; different, constant and regular series share nothing.

use seatrial_core::time::{Span, Timestamp};
use seatrial_datasets::generate::{Component, Noise, Recipe};
use seatrial_datasets::{Fingerprint, Kind, Series, SplitRule, overlaps, prepare, shipped};

/// Ten days of minutes with day, noise and its own seed.
fn web(seed: u64) -> Series {
    Recipe::constant(Timestamp::ZERO, 60, 10 * 1_440, 300.0)
        .with(Component::diurnal(0.5, 15.0))
        .with_noise(Noise { deviation: 0.05, autocorrelation: 0.9 }, seed)
        .build()
        .series
        .remove(0)
}

fn print(series: &Series) -> Fingerprint {
    Fingerprint::of_series(series)
}

fn crop(series: &Series, bins: std::ops::Range<usize>) -> Series {
    let start = Timestamp::from_secs(12_345);
    Series {
        start,
        values: series.values[bins.clone()].to_vec(),
        missing: series.missing[bins].to_vec(),
        ..series.clone()
    }
}

fn scale(mut series: Series, factor: f64) -> Series {
    series.values.iter_mut().for_each(|value| *value *= factor);
    series
}

#[test]
fn a_crop_is_found_where_it_is() {
    let whole = web(1);
    let found = overlaps(&print(&whole), &print(&crop(&whole, 5_000..6_000))).unwrap();
    assert_eq!((found.first_a, found.first_b), (5_000, 0));
    assert_eq!(found.span, Span::from_secs(60) * 1_000);
    assert!((found.ratio - 1.0).abs() < 1e-12);
}

#[test]
fn a_tail_that_continues_elsewhere_is_found() {
    let (one, other) = (web(1), web(2));
    let mut joined = crop(&other, 0..2_000);
    joined.values.extend_from_slice(&one.values[3_000..3_200]);
    joined.missing.extend_from_slice(&one.missing[3_000..3_200]);
    let found = overlaps(&print(&one), &print(&joined)).unwrap();
    assert!(found.first_a.abs_diff(3_000) <= 12 && found.first_a + 2_000 == found.first_b + 3_000, "{found:?}");
}

#[test]
fn a_rescaled_crop_is_found_with_its_ratio() {
    let whole = web(1);
    let found = overlaps(&print(&scale(crop(&whole, 5_000..6_000), 0.037)), &print(&whole)).unwrap();
    assert_eq!((found.first_a, found.first_b), (0, 5_000));
    assert!((found.ratio - 1.0 / 0.037).abs() < 1e-9 / 0.037);
}

#[test]
fn a_resampled_rescaled_crop_is_found_at_any_phase() {
    let whole = web(1);
    for phase in 0..5 {
        let coarse = crop(&whole, 4_000 + phase..8_000).resample(Kind::Rate, Span::from_secs(300)).unwrap();
        let found = overlaps(&print(&whole), &print(&scale(coarse, 2.0))).unwrap();
        assert_eq!(found.first_a - 5 * found.first_b, 4_000 + phase, "{found:?}");
        assert!(found.span >= Span::from_secs(300) * 780, "{found:?}");
        // Sums of five, doubled, against means.
        assert!((found.ratio - 10.0).abs() < 1e-9);
    }
}

#[test]
fn a_load_of_protocol_p1_still_shows_where_it_comes_from() {
    let trace = shipped::open("generated_web_1min").unwrap();
    let load = prepare(&trace, None, &SplitRule::Fractions).unwrap();
    let found = overlaps(&print(&trace.series[0]), &Fingerprint::of_load(&load)).unwrap();
    assert_eq!((found.first_a, found.first_b), (0, 0));
    let part = |bins: &std::ops::Range<usize>| Fingerprint::of_part(&load, bins.clone());
    assert_eq!(overlaps(&part(&load.splits.train), &part(&load.splits.test)), None);
    assert!(overlaps(&part(&load.splits.train), &Fingerprint::of_load(&load)).is_some());
}

#[test]
fn different_series_share_nothing() {
    let names = shipped::IDS.iter().map(|id| shipped::open(id).unwrap());
    let mut prints: Vec<Fingerprint> = names.map(|trace| print(&trace.series[0])).collect();
    prints.extend([web(1), web(2), web(3)].iter().map(print));
    for (index, a) in prints.iter().enumerate() {
        for b in &prints[index + 1..] {
            assert_eq!(overlaps(a, b), None);
        }
    }
}

/// Constant, idle, ramp, smooth season and timers: shapes that any two services may have without being copies.
#[test]
fn regular_series_give_no_false_alarm() {
    let bins = 4_000;
    let shapes: Vec<Vec<f64>> = vec![
        vec![5.0; bins],
        vec![0.0; bins],
        (0..bins).map(|bin| bin as f64).collect(),
        (0..bins).map(|bin| f64::from(u8::from(bin % 2 == 0))).collect(),
        (0..bins).map(|bin| f64::from(u8::from(bin % 15 == 0))).collect(),
        Recipe::constant(Timestamp::ZERO, 60, 4_000, 9.0).with(Component::diurnal(0.5, 3.0)).counts(),
    ];
    for values in &shapes {
        let print = Fingerprint::new(Span::from_secs(60), values, &vec![false; bins]);
        assert_eq!(overlaps(&print, &print.clone()), None);
        assert_eq!(overlaps(&print, &self::print(&web(1))), None);
    }
}

#[test]
fn missing_bins_are_no_content() {
    let whole = web(1);
    let mut holed = crop(&whole, 5_000..6_000);
    // A hole every 60 bins leaves no 65 in a row.
    (0..1_000).step_by(60).for_each(|bin| holed.missing[bin] = true);
    assert_eq!(overlaps(&print(&whole), &print(&holed)), None);
}

#[test]
fn grids_that_do_not_meet_within_an_hour_are_not_compared() {
    let whole = web(1);
    let odd = Fingerprint::new(Span::from_secs(61), &whole.values, &whole.missing);
    assert_eq!(overlaps(&print(&whole), &odd), None);
    let broken = Fingerprint::new(Span::ZERO, &whole.values, &whole.missing);
    assert_eq!(overlaps(&broken, &broken.clone()), None);
}
