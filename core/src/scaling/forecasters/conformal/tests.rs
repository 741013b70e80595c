//! Coverage on drifting series, and what wrapping keeps of the inner forecaster.

use super::super::tests::{at, build, run, visible, warmed};
use super::*;
use crate::observe::{SLOT, Workload};
use crate::rand::{Stream, standard_normal, uniform};

/// Slots of the default horizon: 105 s.
const AHEAD: usize = 7;

fn wrapped(config: &Value) -> Box<dyn DynForecaster> {
    build_from(config).unwrap_or_else(|error| panic!("{error}"))
}

fn build_from(config: &Value) -> Result<Box<dyn DynForecaster>, ConfigError> {
    (ROW.build)(config, &Ingredients { workload: &Workload::protocol_p1(), weights: None })
}

/// A week of load whose level walks, whose regime (level, noise and its tail, trend) changes about every two hours by factors
/// of up to 3, and which has a daily wave.
fn drifting(seed: u64, slots: usize) -> Vec<f64> {
    let (mut level, mut noise, mut trend) = (5.0_f64, 0.1, 0.0);
    let mut rate = |slot: usize| {
        let draw = |index| uniform(seed, Stream::TraceNoise, slot as u64, index);
        if draw(0) < 1.0 / 480.0 {
            level += 2.2 * draw(1) - 1.1;
            noise = 0.02 + 0.4 * draw(2) * draw(2);
            trend = 4e-3 * (draw(3) - 0.5);
        }
        level = (level + trend + 0.01 * standard_normal(seed, Stream::TraceNoise, slot as u64, 4)).clamp(1.0, 9.0);
        let spike = if draw(5) < 0.01 { 1.0 } else { 0.0 };
        let wave = libm::sin(slot as f64 / 5_760.0 * core::f64::consts::TAU);
        libm::exp(level + 0.5 * wave + spike + noise * standard_normal(seed, Stream::TraceNoise, slot as u64, 6))
    };
    (0..slots).map(&mut rate).collect()
}

/// Share of forecasts, by level, that the greatest rate of the following horizon does not exceed.
fn coverage(forecaster: &dyn DynForecaster, rates: &[f64]) -> [f64; LEVEL_COUNT] {
    let mut state = forecaster.initial_state();
    let (mut covered, mut count) = ([0.0; LEVEL_COUNT], 0.0);
    for (index, rate) in rates.iter().enumerate().take(rates.len() - AHEAD) {
        let slot = PastSlot { end: at(index as i64 + 1), length: SLOT, arrival_rate: Some(*rate) };
        forecaster.absorb(&slot, &mut state);
        let asked = Observation::unknown(slot.end, 1);
        let forecast = forecaster.step(asked.now, &asked, &mut state).unwrap();
        let greatest = rates[index + 1..=index + AHEAD].iter().copied().fold(0.0, f64::max);
        for (covered, value) in covered.iter_mut().zip(forecast.values) {
            *covered += f64::from(u8::from(greatest <= value));
        }
        count += 1.0;
    }
    covered.map(|covered| covered / count)
}

#[test]
fn every_level_covers_as_often_as_it_says_whatever_the_series_does() {
    for (seed, inner) in [(1, "persistence"), (2, "persistence"), (3, "seasonal-naive"), (4, "holt-winters")] {
        let rates = drifting(seed, 7 * 5_760);
        let got = coverage(&*wrapped(&json!({ "inner": { "id": inner } })), &rates);
        let bare = coverage(&*build(find(inner).unwrap()), &rates);
        let worst = |shares: [f64; LEVEL_COUNT]| {
            shares.iter().zip(LEVELS).map(|(share, level)| (share - level).abs()).fold(0.0, f64::max)
        };
        assert!(worst(got) < 0.02, "{inner} {seed}: {got:.3?}");
        assert!(worst(bare) > 0.03, "{inner} {seed}: {bare:.3?} would need no wrapper");
    }
}

/// By hand: three slots of horizon, a step of 1, and a running error that never moves from its first value.
#[test]
fn offsets_move_by_the_rule() {
    let forecaster = wrapped(&json!({ "horizon_s": 45, "rate": 1.0, "window": 10_000 }));
    let mut state = forecaster.initial_state();
    let mut feed = |slot: i64, rate: f64| {
        let slot = PastSlot { end: at(slot), length: SLOT, arrival_rate: Some(rate) };
        forecaster.absorb(&slot, &mut state);
        let asked = Observation::unknown(slot.end, 1);
        forecaster.step(asked.now, &asked, &mut state).unwrap().values
    };
    for slot in 1..4 {
        assert_eq!(feed(slot, 100.0), [100.0; LEVEL_COUNT]);
    }
    let raised = |rate: f64| rate + 1.0 / 15.0;
    let error = libm::log(raised(150.0) / raised(100.0));
    // Slot after slot: the rate, and θ in units of the level p that it leads to, θ = a·p − b.
    // 4: the forecast of 100 after slot 1 met 100, 100, 150, above every quantile. 5: that after slot 2 met 100, 150, 120. 6: that
    // after slot 3 met 150, 120, 90. 7: that after slot 4, 150·e^(p·error) or more, met 120, 90, 80: covered.
    for (slot, rate, above, covered) in
        [(4, 150.0, 1.0, 0.0), (5, 120.0, 2.0, 0.0), (6, 90.0, 3.0, 0.0), (7, 80.0, 4.0, 1.0)]
    {
        for (value, level) in feed(slot, rate).into_iter().zip(LEVELS) {
            let expected = raised(rate) * libm::exp((above * level - covered) * error) - 1.0 / 15.0;
            assert!((value / expected - 1.0).abs() < 1e-3, "slot {slot}, level {level}: {value} {expected}");
        }
    }
}

#[test]
fn missing_slots_score_nothing_and_a_lost_inner_forecast_is_lost() {
    let forecaster = wrapped(&Value::Null);
    let mut state = warmed(&*forecaster, 300);
    let before = state.typed::<ConformalState>().track.offsets;
    run(&*forecaster, &mut state, &[None; 40]);
    assert_eq!(state.typed::<ConformalState>().track.offsets, before);
    assert_eq!(run(&*forecaster, &mut forecaster.initial_state(), &visible(3, |_| f64::NAN)), [None; 3]);
}

#[test]
fn refuses_what_makes_no_wrapper() {
    let refused = |config: Value| build_from(&config).map(|_| ()).unwrap_err().to_string();
    assert!(refused(json!({ "rate": 0.0 })).contains("`rate` is 0, must be 0.001 to 1"));
    assert!(refused(json!({ "window": 1 })).contains("`window` is 1,"));
    assert!(refused(json!({ "inner": { "id": "conformal" } })).contains("must be another forecaster"));
    assert!(refused(json!({ "inner": { "id": "crystal-ball" } })).contains("unknown forecaster `crystal-ball`"));
    assert!(refused(json!({ "inner": { "id": "persistence", "config": { "x": 1 } } })).contains("unknown field `x`"));
    let other = json!({ "inner": { "id": "persistence", "config": { "horizon_s": 60 } } });
    assert!(refused(other).contains("`inner` is 60 s ahead, must be a forecaster with the wrapper's `horizon_s`"));
    let fitted = refused(json!({ "inner": { "id": "linear-quantile" } }));
    assert!(fitted.contains("`linear-quantile` needs fitted `weight`"), "{fitted}");
    assert_eq!(wrapped(&json!({ "horizon_s": 60 })).horizon(), Span::from_secs(60), "the inner one follows");
}

#[test]
fn the_largest_state_fits() {
    let config = json!({ "horizon_s": 3_600, "inner": { "id": "holt-winters", "config": { "errors": 600 } } });
    let forecaster = wrapped(&config);
    let mut state = forecaster.initial_state();
    for (index, rate) in (1..).zip(drifting(5, 5 * 5_760)) {
        forecaster.absorb(&PastSlot { end: at(index), length: SLOT, arrival_rate: Some(rate) }, &mut state);
    }
    let bytes = state.snapshot().unwrap().to_string().len();
    assert!((6_000..crate::scaling::policy::STATE_LIMIT_BYTES * 3 / 4).contains(&bytes), "{bytes} bytes");
}
