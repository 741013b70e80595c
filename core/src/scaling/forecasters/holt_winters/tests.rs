//! The recursion against statsmodels, and the forecaster against known series.

use super::super::tests::at;
use super::*;
use crate::rand::{Stream, standard_normal};
use crate::scaling::forecast::{DynForecaster, MEDIAN};
use crate::scaling::policies::Ingredients;

/// Two seasons and a half of four bins after a first one of 40, 70, 120, 60.
const SERIES: [f64; 16] =
    [40.0, 70.0, 120.0, 60.0, 44.0, 77.0, 118.0, 66.0, 52.0, 70.0, 140.0, 70.0, 50.0, 88.0, 133.0, 71.0];

/// `ExponentialSmoothing(SERIES[4:], trend="add", seasonal="add", seasonal_periods=4, damped_trend=…, initialization_method="known",
/// initial_level=72.5, initial_trend=0, initial_seasonal=SERIES[:4] - 72.5).fit(…, optimized=False)` of statsmodels 0.15.0: settings,
/// `fittedvalues`, `forecast(6)`. Except that the fourth of the six is worked out by the textbook's formula: a season ahead, that
/// library takes the season as it was before its last update (74.378529266 and 72.114504276).
const STATSMODELS: [([f64; 4], [f64; 12], [f64; 6]); 2] = [
    (
        [0.5, 0.3, 0.2, 1.0],
        [
            40.0,
            72.6,
            126.06,
            62.081,
            45.479_35,
            80.436_622_5,
            122.777_765_375,
            76.419_472_006,
            56.201_934_521,
            80.531_091_1,
            139.167_231_65,
            74.687_904_426,
        ],
        [54.591_433_973, 84.397_792_421, 135.093_979_999, 73.640_948_381, 56.126_011_027, 85.932_369_474],
    ),
    (
        [0.3, 0.1, 0.6, 0.9],
        [
            40.0,
            71.308,
            123.266_484,
            61.770_139_332,
            45.628_544_249,
            78.897_712_325,
            119.721_348_21,
            72.111_510_13,
            55.653_886_992,
            76.100_550_666,
            141.182_616_222,
            71.293_962_785,
        ],
        [53.029_547_49, 85.653_066_786, 134.748_592_033, 71.938_126_605, 53.847_404_784, 86.389_138_351],
    ),
];

fn shares([level, trend, season, damping]: [f64; 4]) -> Shares {
    Shares { level, trend, season, damping }
}

#[test]
fn smooths_as_statsmodels_does() {
    for (settings, fitted, ahead) in STATSMODELS {
        let shares = shares(settings);
        let mut smoother = Smoother::new(4);
        // Seasons are kept in single precision.
        let close = |got: f64, expected: f64| assert!((got - expected).abs() < 1e-4, "{got} {expected} {settings:?}");
        for (bin, value) in (100..).zip(SERIES) {
            if bin >= 104 {
                close(smoother.expect(bin, &shares).unwrap(), fitted[bin as usize - 104]);
            } else {
                assert_eq!(smoother.expect(bin, &shares), None, "no season yet");
            }
            smoother.fold(bin, Some(value), &shares);
        }
        for (bin, expected) in (116..).zip(ahead) {
            close(smoother.expect(bin, &shares).unwrap(), expected);
        }
    }
}

#[test]
fn a_missing_bin_only_moves_the_level() {
    let shares = shares([0.5, 0.5, 0.2, 0.5]);
    let mut smoother = Smoother::new(2);
    for (bin, value) in (0..).zip([10.0, 20.0, 18.0]) {
        smoother.fold(bin, Some(value), &shares);
    }
    // Level 15, seasons −5 and 5; then level 0.5·(18 + 5) + 0.5·15 = 19, trend 0.5·4 = 2, season 0.2·(18 − 15) + 0.8·(−5) = −3.4.
    assert!((smoother.expect(3, &shares).unwrap() - (19.0 + 1.0 + 5.0)).abs() < 1e-6);
    assert!((smoother.expect(4, &shares).unwrap() - (19.0 + 1.5 - 3.4)).abs() < 1e-6);
    smoother.fold(3, None, &shares);
    assert!((smoother.expect(4, &shares).unwrap() - (20.0 + 0.5 - 3.4)).abs() < 1e-6);
    let before = smoother.clone();
    smoother.fold(3, Some(1e9), &shares);
    assert_eq!(smoother, before, "a bin counts once");
    smoother.fold(100, Some(7.0), &shares);
    assert_eq!(smoother.expect(101, &shares), None, "after more than a season without load it starts afresh");
}

#[test]
fn a_first_season_with_gaps_is_filled_with_its_mean() {
    let shares = shares([0.5, 0.1, 0.2, 1.0]);
    let mut smoother = Smoother::new(4);
    smoother.fold(5, None, &shares);
    for (bin, value) in [(6, Some(10.0)), (7, None), (9, Some(20.0))] {
        smoother.fold(bin, value, &shares);
    }
    for (bin, expected) in [(10, 10.0), (11, 15.0), (12, 15.0), (13, 20.0)] {
        assert!((smoother.expect(bin, &shares).unwrap() - expected).abs() < 1e-6, "{bin}");
    }
}

fn forecaster(config: &serde_json::Value) -> Box<dyn DynForecaster> {
    let workload = crate::observe::Workload::protocol_p1();
    (ROW.build)(config, &Ingredients { workload: &workload, weights: None }).unwrap()
}

/// Runs over `slots` slots of `rate` and answers with the last forecast.
fn after(forecaster: &dyn DynForecaster, slots: i64, rate: impl Fn(i64) -> f64) -> Quantiles {
    let mut state = forecaster.initial_state();
    for index in 1..=slots {
        forecaster.absorb(&PastSlot { end: at(index), length: SLOT, arrival_rate: Some(rate(index)) }, &mut state);
    }
    let asked = Observation::unknown(at(slots), 1);
    forecaster.step(asked.now, &asked, &mut state).unwrap()
}

fn wave(slot: i64) -> f64 {
    300.0 * (1.5 + libm::sin(slot as f64 / 5_760.0 * core::f64::consts::TAU))
}

#[test]
fn a_daily_wave_is_foreseen() {
    // A quarter of the way up the wave on day 4: over 105 s the load rises to that of seven slots later.
    let now = 3 * 5_760 + 600;
    let forecast = after(&*forecaster(&serde_json::Value::Null), now, wave);
    let greatest = wave(now + 7);
    assert!((forecast.median() / greatest - 1.0).abs() < 0.01, "{forecast:?} where {greatest} is expected");
    assert!(forecast.values[7] / forecast.values[0] < 1.05, "{forecast:?}: a wave without noise leaves small errors");
}

#[test]
fn quantiles_are_those_of_its_own_errors() {
    // Independent noise of 10 %: the greatest of seven values has the quantile exp(0.1·z) with Φ(z)^7 = level.
    let noisy = |slot: i64| 1_000.0 * libm::exp(0.1 * standard_normal(4, Stream::TraceNoise, slot as u64, 0));
    let settings = serde_json::json!({ "level": 0.02, "trend": 0.0, "season": 0.02, "errors": 600 });
    let forecast = after(&*forecaster(&settings), 5 * 5_760, noisy);
    for (value, level) in forecast.values.iter().zip(LEVELS) {
        let z = math::normal_quantile(libm::pow(level, 1.0 / 7.0));
        let expected = 1_000.0 * libm::exp(0.1 * z);
        let tolerance = if level > 0.98 { 0.06 } else { 0.03 };
        assert!((value / expected - 1.0).abs() < tolerance, "level {level}: {value} {expected}");
    }
}

#[test]
fn ranks_are_those_of_n_plus_one() {
    let sorted: Vec<f32> = (1..=9_u8).map(f32::from).collect();
    let got = LEVELS.map(|level| at_rank(&sorted, level));
    for (got, expected) in got.into_iter().zip([1.0, 1.0, 2.5, 5.0, 7.5, 9.0, 9.0, 9.0]) {
        assert!((got - expected).abs() < 1e-5, "{got} {expected}");
    }
}

#[test]
fn it_is_persistence_until_a_season_is_complete() {
    let forecast = after(&*forecaster(&serde_json::Value::Null), 5, wave);
    assert_eq!((forecast.values[MEDIAN], forecast.values[7]), (wave(5), wave(5)));
}

#[test]
fn bins_lost_in_a_gap_are_missing() {
    let forecaster = forecaster(&serde_json::json!({ "step_s": 60, "season_s": 240 }));
    let mut state = forecaster.initial_state();
    let mut feed = |index: i64, rate: f64| {
        forecaster.absorb(&PastSlot { end: at(index), length: SLOT, arrival_rate: Some(rate) }, &mut state);
    };
    (1..=40).for_each(|index| feed(index, 100.0));
    feed(50, 100.0);
    // Longer than a season: seasons are gone, the last known rate is left.
    feed(1_000_000_000, 70.0);
    let asked = Observation::unknown(at(1_000_000_000), 1);
    assert!((forecaster.step(asked.now, &asked, &mut state).unwrap().median() - 70.0).abs() < 1e-3);
}

#[test]
fn refuses_what_is_out_of_range() {
    let refused = |config: serde_json::Value| {
        let workload = crate::observe::Workload::protocol_p1();
        (ROW.build)(&config, &Ingredients { workload: &workload, weights: None }).map(|_| ()).unwrap_err().to_string()
    };
    assert!(refused(serde_json::json!({ "step_s": 100 })).contains("`step_s` is 100"));
    assert!(refused(serde_json::json!({ "season_s": 604_800 })).contains("`season_s` is 604800"));
    assert!(
        refused(serde_json::json!({ "level": 0.9, "season": 0.2 }))
            .contains("`season` is 0.2, must be 0 to 1 - `level`")
    );
    assert!(refused(serde_json::json!({ "damping": 1.1 })).contains("damping"));
    assert!(refused(serde_json::json!({ "trend": -0.1 })).contains("trend"));
    assert!(refused(serde_json::json!({ "errors": 601 })).contains("errors"));
}

#[test]
fn a_week_of_seasons_fits_into_the_state() {
    let forecaster = forecaster(&serde_json::json!({ "step_s": 600, "season_s": 604_800, "errors": 600 }));
    let mut state = forecaster.initial_state();
    for index in 1..=9 * 5_760 {
        forecaster.absorb(&PastSlot { end: at(index), length: SLOT, arrival_rate: Some(wave(index)) }, &mut state);
    }
    let bytes = state.snapshot().unwrap().to_string().len();
    assert!((10_000..crate::scaling::policy::STATE_LIMIT_BYTES).contains(&bytes), "{bytes} bytes");
}
