//! Protocol P1 on series whose numbers can be worked out by hand, and properties of splits and resampling.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect, in its shared functions too")]

use proptest::prelude::*;
use seatrial_core::time::{Span, Timestamp};
use seatrial_datasets::splits::{Dates, SplitError};
use seatrial_datasets::{Kind, Load, LoadError, Provenance, Series, SplitRule, Splits, Trace, prepare};

const DAY: usize = 1_440;

fn trace(kind: Kind, interval_s: i64, values: Vec<f64>, missing: Vec<bool>) -> Trace {
    let interval = Span::from_secs(interval_s);
    let series = vec![Series { name: String::new(), start: Timestamp::ZERO, interval, values, missing }];
    Trace {
        id: "made".to_owned(),
        kind,
        unit: "requests".to_owned(),
        interval,
        series,
        events: Vec::new(),
        provenance: Provenance::default(),
        content_hash: String::new(),
    }
    .rehash()
}

fn known(kind: Kind, interval_s: i64, values: Vec<f64>) -> Trace {
    let missing = vec![false; values.len()];
    trace(kind, interval_s, values, missing)
}

fn load(trace: &Trace) -> Load {
    prepare(trace, None, &SplitRule::Fractions).unwrap()
}

/// Values 0, 1, …, so that quantiles are known: of 0..n the q-quantile is q·(n − 1).
fn ladder(bins: usize) -> Vec<f64> {
    (0..bins).map(|bin| bin as f64).collect()
}

fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() <= 1e-9 * expected.abs(), "{found} is not {expected}");
}

#[test]
fn the_training_quantile_becomes_1_400() {
    let load = load(&known(Kind::Gauge, 60, ladder(10 * DAY)));
    let training_p995 = 0.995 * (7.0 * DAY as f64 - 1.0);
    close(load.scale, 1_400.0 / training_p995);
    close(load.rate_per_s[100], 100.0 * load.scale);
    assert_eq!((load.native, load.test_only, load.smoothing_bins), (true, false, 1));
}

#[test]
fn counts_are_divided_by_their_interval_and_levels_are_not() {
    let counts = load(&known(Kind::Rate, 300, ladder(3_000)));
    let levels = load(&known(Kind::Gauge, 300, ladder(3_000)));
    close(counts.scale, 300.0 * levels.scale);
    close(counts.rate_per_s[70], levels.rate_per_s[70]);
    assert!(!counts.native);
}

#[test]
fn a_surge_outside_training_is_capped_at_4_000() {
    let mut values = ladder(10 * DAY);
    values[9 * DAY] = 1e6;
    let load = load(&known(Kind::Gauge, 60, values));
    close(load.scale, 4_000.0 / 1e6);
    close(load.rate_per_s[9 * DAY], 4_000.0);
}

#[test]
fn missing_bins_hold_the_rate_and_count_in_nothing() {
    let (mut values, mut missing) = (ladder(10 * DAY), vec![false; 10 * DAY]);
    let whole = load(&known(Kind::Gauge, 60, values.clone()));
    // Flagged bins with absurd values, also where they would be the peak, change neither scale nor noise.
    for bin in [5 * DAY, 5 * DAY + 1, 9 * DAY] {
        (values[bin], missing[bin]) = (1e9, true);
    }
    let holed = load(&trace(Kind::Gauge, 60, values, missing));
    // Two of the 10,080 training values below the quantile are gone.
    let training_p995 = 0.995 * (7.0 * DAY as f64 - 3.0) + 2.0;
    close(holed.scale, 1_400.0 / training_p995);
    close(holed.rate_per_s[5 * DAY + 1] / holed.scale, whole.rate_per_s[5 * DAY - 1] / whole.scale);
    close(holed.rate_per_s[5 * DAY + 2] / holed.scale, (5 * DAY + 2) as f64);
}

#[test]
fn a_short_series_is_test_only_and_scaled_by_its_own_quantile() {
    let load = load(&known(Kind::Gauge, 60, ladder(3 * DAY - 1)));
    assert!(load.test_only && load.splits.train.is_empty() && load.splits.validation.is_empty());
    assert_eq!(load.splits.test, 0..3 * DAY - 1);
    close(load.scale, 1_400.0 / (0.995 * (3.0 * DAY as f64 - 2.0)));
    assert!(!self::load(&known(Kind::Gauge, 60, ladder(3 * DAY))).test_only);
}

/// An alternating series m ± d jumps by 2d every bin: noise = (2d·60 / 0.6745)² / (2·m·60) after scaling.
#[test]
fn the_noise_statistic_follows_its_formula() {
    let values = (0..10 * DAY).map(|bin| if bin % 2 == 0 { 99.0 } else { 101.0 }).collect();
    let load = load(&known(Kind::Gauge, 60, values));
    let (jump, mean) = (2.0 * load.scale * 60.0, 100.0 * load.scale * 60.0);
    close(load.noise.unwrap(), (jump / 0.6745) * (jump / 0.6745) / (2.0 * mean));
    assert_eq!(load.noise, load.noise_raw);
}

/// Poisson counts have noise 1 by construction of the statistic.
#[test]
fn poisson_counts_have_noise_one() {
    use seatrial_datasets::generate::{Component, Noise, Recipe};
    let recipe = Recipe::constant(Timestamp::ZERO, 60, 10 * 1_440, 1_000.0)
        .with(Component::diurnal(0.3, 14.0))
        .with_noise(Noise { deviation: 0.0, autocorrelation: 0.0 }, 5);
    let load = load(&recipe.build());
    // The scale rescales counts, hence noise, by about 1,400/1,300.
    let noise = load.noise.unwrap() / load.scale;
    assert!((noise - 1.0).abs() < 0.1, "{noise}");
}

/// Independent reference: the exponential mean written as its weighted sum over all earlier known bins.
#[test]
fn too_much_noise_is_smoothed_causally_with_the_smallest_sufficient_window() {
    let values: Vec<f64> = (0..10 * DAY).map(|bin| if bin % 2 == 0 { 20.0 } else { 10.0 + (bin % 7) as f64 }).collect();
    let load = load(&known(Kind::Gauge, 60, values.clone()));
    assert!(load.noise_raw.unwrap() > 100.0 && load.noise.unwrap() <= 100.0);
    assert!(load.smoothing_bins % 2 == 1 && load.smoothing_bins > 1);
    let weight = 2.0 / (f64::from(load.smoothing_bins) + 1.0);
    for bin in [0_i32, 1, 57, 4_000] {
        let mut mean = values[0] * (1.0 - weight).powi(bin);
        for back in 0..bin {
            mean += weight * (1.0 - weight).powi(back) * values[usize::try_from(bin - back).unwrap()];
        }
        close(load.rate_per_s[usize::try_from(bin).unwrap()], mean * load.scale);
    }
    // One window less is not enough: the same series smoothed by hand, then left to `prepare`, is still too noisy.
    let weight = 2.0 / (f64::from(load.smoothing_bins - 2) + 1.0);
    let mut mean = values[0];
    let less = values.iter().map(|value| {
        mean += weight * (value - mean);
        mean
    });
    let less = self::load(&known(Kind::Gauge, 60, less.collect()));
    assert!(less.noise_raw.unwrap() > 100.0, "{:?}", less.noise_raw);
}

#[test]
fn a_change_of_the_future_does_not_change_the_past() {
    let noisy = |last: f64| {
        let mut values: Vec<f64> = (0..10 * DAY).map(|bin| if bin % 2 == 0 { 20.0 } else { 10.0 }).collect();
        values[9 * DAY] = last;
        load(&known(Kind::Gauge, 60, values))
    };
    let (a, b) = (noisy(10.0), noisy(20.5));
    assert!(a.smoothing_bins > 1);
    assert_eq!(a.rate_per_s[..9 * DAY], b.rate_per_s[..9 * DAY]);
    assert_ne!(a.rate_per_s[9 * DAY], b.rate_per_s[9 * DAY]);
}

#[test]
fn a_series_without_load_is_refused() {
    let empty = prepare(&known(Kind::Gauge, 60, vec![0.0; 10 * DAY]), None, &SplitRule::Fractions).unwrap_err();
    assert!(matches!(empty, LoadError::NoLoad { .. }));
    let message = empty.to_string();
    assert!(message.contains("made") && message.contains("training") && message.contains("Choose"), "{message}");
    let late = (0..10 * DAY).map(|bin| f64::from(u8::from(bin > 8 * DAY))).collect();
    assert!(matches!(
        prepare(&known(Kind::Gauge, 60, late), None, &SplitRule::Fractions),
        Err(LoadError::NoLoad { .. })
    ));
}

#[test]
fn without_a_whole_hour_there_is_no_noise_to_judge() {
    let values = (0..600).map(|bin| if bin % 2 == 0 { 1.0 } else { 1e3 }).collect();
    let load = load(&known(Kind::Gauge, 1, values));
    assert_eq!((load.noise, load.smoothing_bins), (None, 1));
}

/// Growth by half every five minutes stays growth by half under every exponential mean.
#[test]
fn noise_that_no_window_brings_down_is_refused() {
    let mut level = 1.0;
    let values = std::iter::repeat_with(|| {
        level *= 1.5;
        level
    });
    let trace = known(Kind::Gauge, 300, values.take(24).collect());
    let error = prepare(&trace, None, &SplitRule::Fractions).unwrap_err();
    assert!(matches!(error, LoadError::TooNoisy { longest: 23, .. }));
    let message = error.to_string();
    assert!(message.contains("made") && message.contains("23 bins") && message.contains("Resample"), "{message}");
}

#[test]
fn dates_must_ascend_and_lie_inside() {
    let day = |day: i64| Timestamp::from_secs(86_400 * day);
    let dates = |a, b, c, d| {
        SplitRule::Dates(Dates { train_end: day(a), validation_end: day(b), test_start: day(c), test_end: day(d) })
    };
    let split = |rule: &SplitRule| Splits::new(rule, day(0), Span::from_secs(60), 10 * DAY);
    let parts = split(&dates(6, 7, 8, 9)).unwrap();
    let expected =
        Splits { train: 0..6 * DAY, validation: 6 * DAY..7 * DAY, gap: 7 * DAY..8 * DAY, test: 8 * DAY..9 * DAY };
    assert_eq!(parts, expected);
    let order = split(&dates(6, 5, 8, 9)).unwrap_err();
    assert!(matches!(order, SplitError::Order { .. }) && order.to_string().contains("1970-01-07T00:00:00Z"), "{order}");
    for (part, rule) in
        [("training", dates(-2, 1, 2, 3)), ("test", dates(6, 7, 20, 21)), ("validation", dates(11, 12, 13, 14))]
    {
        let error = split(&rule).unwrap_err();
        assert!(error.to_string().contains(part) && error.to_string().contains("1970-01-11"), "{error}");
    }
}

#[test]
fn rules_are_read_from_a_config() {
    let dates = r#"{"rule":"dates","train_end":"1998-06-19T00:00:00Z","validation_end":"1998-06-20",
        "test_start":898387200,"test_end":"1998-06-28T02:00:00+02:00"}"#;
    assert_eq!(serde_json::from_str::<SplitRule>(dates).unwrap(), SplitRule::worldcup98());
    assert_eq!(serde_json::from_str::<SplitRule>(r#"{"rule":"fractions"}"#).unwrap(), SplitRule::Fractions);
    let text = serde_json::to_string(&SplitRule::worldcup98()).unwrap();
    assert_eq!(serde_json::from_str::<SplitRule>(&text).unwrap(), SplitRule::worldcup98());
    let unknown = dates.replace("test_end", "test_stop");
    assert!(serde_json::from_str::<SplitRule>(&unknown).unwrap_err().to_string().contains("test_stop"));
}

#[test]
fn the_last_days_of_a_part_stay_inside_it() {
    let load = load(&known(Kind::Gauge, 60, ladder(10 * DAY)));
    assert_eq!(load.last_of(&load.splits.train, Span::from_secs(86_400)), 6 * DAY..7 * DAY);
    assert_eq!(load.last_of(&load.splits.train, Span::from_secs(86_400 * 30)), load.splits.train);
    assert_eq!(load.rates(3..5).len(), 2);
    assert_eq!((load.label().as_str(), load.at(2)), ("made", Timestamp::from_secs(120)));
}

proptest! {
    #[test]
    fn parts_are_disjoint_ordered_and_apart(interval_s in 1_i64..7_200, bins in 1_usize..200_000) {
        let interval = Span::from_secs(interval_s);
        let parts = Splits::new(&SplitRule::Fractions, Timestamp::ZERO, interval, bins).unwrap();
        if interval_s * i64::try_from(bins).unwrap() < 3 * 86_400 {
            prop_assert!(parts.test_only());
            prop_assert_eq!(parts.test, 0..bins);
            return Ok(());
        }
        prop_assert!(parts.train.start == 0 && !parts.train.is_empty() && !parts.test.is_empty());
        prop_assert_eq!(parts.train.end, parts.validation.start);
        prop_assert_eq!(parts.validation.end, parts.gap.start);
        prop_assert_eq!(parts.gap.end, parts.test.start);
        prop_assert!(parts.test.end <= bins);
        let seconds = |bins: usize| bins as f64 * interval_s as f64;
        let (total, tenth) = (seconds(bins), seconds(parts.gap.end - parts.train.end));
        // 70 and 80 % to a bin; the gap is a day or half of the tenth, to a bin; the test at most a week.
        prop_assert!((seconds(parts.train.end) - 0.7 * total).abs() <= interval_s as f64);
        prop_assert!((seconds(parts.test.start) - 0.8 * total).abs() <= interval_s as f64);
        prop_assert!((seconds(parts.gap.len()) - (tenth / 2.0).min(86_400.0)).abs() <= interval_s as f64);
        prop_assert!(seconds(parts.test.len()) <= 7.0 * 86_400.0);
        prop_assert!(parts.test.end == bins || seconds(parts.test.len() + 1) > 7.0 * 86_400.0);
    }

    #[test]
    fn resampling_keeps_what_is_summed_and_what_is_averaged(
        values in prop::collection::vec(0.0..1e6_f64, 1..300), factor in 1_usize..40,
    ) {
        prop_assume!(factor <= values.len());
        let fine = known(Kind::Rate, 60, values.clone()).series.remove(0);
        let coarse = Span::from_secs(60 * i64::try_from(factor).unwrap());
        let (sums, means) = (fine.resample(Kind::Rate, coarse).unwrap(), fine.resample(Kind::Gauge, coarse).unwrap());
        let whole = values.len() / factor * factor;
        prop_assert_eq!(sums.values.len(), values.len() / factor);
        let (total, kept): (f64, f64) = (sums.values.iter().sum(), values[..whole].iter().sum());
        prop_assert!((total - kept).abs() <= 1e-9 * (1.0 + kept));
        for (sum, mean) in sums.values.iter().zip(&means.values) {
            prop_assert!((sum - mean * factor as f64).abs() <= 1e-9 * (1.0 + sum));
        }
        prop_assert!(sums.missing.iter().all(|missing| !missing));
    }
}
