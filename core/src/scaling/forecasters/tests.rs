//! Conformance of every forecaster of the registry.

use super::*;
use crate::nets::Weights;
use crate::observe::{Feature, Observation, SLOT, Sample, Workload};
use crate::rand::{Stream, uniform};
use crate::scaling::forecast::Quantiles;
use crate::scaling::policy::{PastSlot, STATE_LIMIT_BYTES, State};
use crate::time::Timestamp;

pub(super) type Visible = Vec<Option<Sample>>;

/// Decisions start at midnight of day 9; the slots before are history.
const START_SLOT: i64 = 9 * 5_760;
const LAG: Span = Span::from_secs(15);

pub(super) fn build(row: &ForecasterRow) -> Box<dyn DynForecaster> {
    let weights = Weights::deterministic(3, 16, 16);
    let ingredients = Ingredients { workload: &Workload::protocol_p1(), weights: Some(&weights) };
    (row.build)(&serde_json::Value::Null, &ingredients).unwrap()
}

pub(super) fn at(slot: i64) -> Timestamp {
    Timestamp::from_secs(15 * slot)
}

fn rate(slot: i64) -> f64 {
    let phase = (slot % 5_760) as f64 / 5_760.0 * core::f64::consts::TAU;
    300.0 * (1.2 + libm::sin(phase)) * (0.8 + 0.4 * uniform(2, Stream::TraceNoise, slot as u64, 0))
}

fn history(slots: i64) -> Vec<PastSlot> {
    let slot =
        |index: i64| PastSlot { end: at(index), length: SLOT, arrival_rate: (index % 13 != 0).then(|| rate(index)) };
    (START_SLOT - slots..START_SLOT).map(slot).collect()
}

/// What is visible at each decision: the slot before the last, lost now and then.
pub(super) fn visible(decisions: i64, rate: impl Fn(i64) -> f64) -> Visible {
    let sample = |step: i64| Sample { at: at(START_SLOT + step), value: rate(START_SLOT + step) };
    (0..decisions).map(|step| (step % 11 != 5 && !(20..26).contains(&step)).then(|| sample(step))).collect()
}

fn seen(step: i64, sample: Option<Sample>) -> Observation {
    let mut observation = Observation::unknown(at(START_SLOT + step) + LAG, 3);
    observation.metrics.set(Feature::HttpRequestsTotalRate, sample);
    observation
}

pub(super) fn run(
    forecaster: &dyn DynForecaster,
    state: &mut State,
    visible: &[Option<Sample>],
) -> Vec<Option<Quantiles>> {
    let step = |(step, sample): (i64, &Option<Sample>)| {
        let observation = seen(step, *sample);
        forecaster.step(observation.now, &observation, state)
    };
    (0..).zip(visible).map(step).collect()
}

pub(super) fn warmed(forecaster: &dyn DynForecaster, slots: i64) -> State {
    let mut state = forecaster.initial_state();
    for slot in history(slots) {
        forecaster.absorb(&slot, &mut state);
    }
    state
}

#[test]
fn rows_are_sorted_and_every_file_has_one() {
    assert!(FORECASTERS.windows(2).all(|pair| pair[0].id < pair[1].id));
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/scaling/forecasters");
    #[expect(clippy::disallowed_methods, reason = "a test that looks at the source")]
    let entries = std::fs::read_dir(folder).unwrap();
    let shared = ["cached.rs", "encoding.rs", "hindsight.rs", "intake.rs", "tests.rs"];
    for name in entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()) {
        if let Some(module) = name.strip_suffix(".rs").filter(|_| !shared.contains(&name.as_str())) {
            assert!(find(&module.replace('_', "-")).is_ok(), "{name} has no row in FORECASTERS");
        }
    }
}

#[test]
fn what_cannot_be_built_says_why() {
    let message = find("prophet").map(|_| ()).unwrap_err().to_string();
    assert!(message.starts_with("unknown forecaster `prophet`") && message.contains("seasonal-naive"), "{message}");
    let workload = Workload::protocol_p1();
    let weights = Weights::deterministic(3, 16, 16);
    for row in FORECASTERS {
        let refused = |config: serde_json::Value, weights: Option<&Weights>| {
            (row.build)(&config, &Ingredients { workload: &workload, weights }).map(|_| ()).unwrap_err().to_string()
        };
        assert!(
            refused(serde_json::json!({ "horizon_s": 5 }), Some(&weights)).contains("`horizon_s` is 5"),
            "{}",
            row.id
        );
        assert!(
            refused(serde_json::json!({ "horizon": 5 }), Some(&weights)).contains("unknown field `horizon`"),
            "{}",
            row.id
        );
        if row.needs_weights {
            assert!(refused(serde_json::Value::Null, None).contains("needs"), "{}", row.id);
        }
        (row.build)(&(row.default_config)(), &Ingredients { workload: &workload, weights: Some(&weights) }).unwrap();
    }
    let refused = |config: serde_json::Value| {
        let row = find("linear-quantile").unwrap();
        (row.build)(&config, &Ingredients { workload: &workload, weights: None }).map(|_| ()).unwrap_err().to_string()
    };
    assert!(refused(serde_json::json!({ "weight": [[1.0]], "bias": [0.0] })).contains("8 rows of 36"));
    assert!(refused(serde_json::json!({ "bias": [0.0] })).contains("come together"));
}

#[test]
fn forecasts_are_finite_not_negative_and_ascending() {
    let extremes = [0.0, 1e-9, 1e9, f64::NAN, -5.0, f64::INFINITY, 42.0];
    for row in FORECASTERS {
        let forecaster = build(row);
        let mut state = forecaster.initial_state();
        let odd = visible(3_000, |slot| extremes[(slot.unsigned_abs() * 7 / 3) as usize % extremes.len()]);
        for forecast in run(&*forecaster, &mut state, &odd).into_iter().flatten() {
            assert!(forecast.values.iter().all(|value| value.is_finite() && *value >= 0.0), "{}: {forecast:?}", row.id);
            assert!(forecast.values.is_sorted(), "{}: {forecast:?}", row.id);
            assert_eq!(forecast.horizon, Span::from_secs(105), "{}", row.id);
        }
    }
}

#[test]
fn answers_from_memory_and_not_from_nothing() {
    for row in FORECASTERS {
        let forecaster = build(row);
        let mut state = forecaster.initial_state();
        assert_eq!(run(&*forecaster, &mut state, &[None, None]), [None, None], "{}", row.id);
        let forecasts = run(&*forecaster, &mut warmed(&*forecaster, 200), &visible(40, rate));
        for (step, forecast) in (0..).zip(&forecasts) {
            let forecast = forecast.unwrap_or_else(|| panic!("{} has no answer at step {step}", row.id));
            assert_eq!(forecast.from, at(START_SLOT + step), "{}: a lost slot is over, too", row.id);
        }
    }
}

/// Two series that are equal up to some slot and different after it: equal forecasts up to there, whether the state was warmed
/// up by absorbing or by watching, and whether the future is another level, missing, or the same values in another order.
#[test]
fn the_future_changes_no_forecast() {
    let slots = 600_i64;
    let futures: [fn(i64, i64) -> Option<f64>; 3] =
        [|_, _| Some(7.0), |_, _| None, |slot, split| Some(rate(START_SLOT + 600 + split - slot))];
    for row in FORECASTERS {
        let forecaster = build(row);
        for split in [1, 40, 333] {
            for (kind, future) in futures.iter().enumerate() {
                let mut altered = visible(slots, rate);
                for (step, sample) in (0..).zip(&mut altered).skip(split as usize + 1) {
                    *sample = future(step, split).map(|value| Sample { at: at(START_SLOT + step), value });
                }
                let same = split as usize + 1;
                // A day of history makes seasons known; a young state depends on the recent past in every forecaster.
                for (history, differs) in [(6_000, false), (200, true)] {
                    let watched = |visible: &Visible| run(&*forecaster, &mut warmed(&*forecaster, history), visible);
                    let (known, other) = (watched(&visible(slots, rate)), watched(&altered));
                    assert!(known[..same] == other[..same], "{}, future {kind} after {split}", row.id);
                    assert!(!differs || known[same..] != other[same..], "{}, future {kind} after {split}", row.id);
                }
                let absorbed = |visible: &Visible| {
                    let mut state = forecaster.initial_state();
                    let forecast = |(step, sample): (i64, &Option<Sample>)| {
                        let arrival_rate = sample.map(|sample| sample.value);
                        let slot = PastSlot { end: at(START_SLOT + step), length: SLOT, arrival_rate };
                        forecaster.absorb(&slot, &mut state);
                        let asked = Observation::unknown(slot.end, 1);
                        forecaster.step(asked.now, &asked, &mut state)
                    };
                    (0..).zip(visible).map(forecast).collect::<Vec<_>>()
                };
                let (known, other) = (absorbed(&visible(slots, rate)), absorbed(&altered));
                assert!(known[..same] == other[..same], "{}, future {kind} after {split}, absorbed", row.id);
            }
        }
    }
}

#[test]
fn warming_up_and_watching_come_to_the_same() {
    for row in FORECASTERS {
        let forecaster = build(row);
        let (mut watched, mut warm) = (forecaster.initial_state(), forecaster.initial_state());
        let visible = visible(500, rate);
        let online = run(&*forecaster, &mut watched, &visible);
        for (step, sample) in (0..499).zip(&visible) {
            let slot =
                PastSlot { end: at(START_SLOT + step), length: SLOT, arrival_rate: sample.map(|sample| sample.value) };
            forecaster.absorb(&slot, &mut warm);
        }
        let last = seen(499, visible[499]);
        assert_eq!(forecaster.step(last.now, &last, &mut warm), online[499], "{}", row.id);
        let again = seen(500, visible[499]);
        assert_eq!(forecaster.step(last.now, &again, &mut warm), online[499], "{}: the same sample twice", row.id);
    }
}

#[test]
fn states_are_small_and_survive_a_restart() {
    for row in FORECASTERS {
        let forecaster = build(row);
        let mut state = warmed(&*forecaster, START_SLOT - 1);
        let before = visible(30, rate);
        run(&*forecaster, &mut state, &before);
        let snapshot = state.snapshot().unwrap();
        let text = snapshot.to_string();
        assert!(text.len() < STATE_LIMIT_BYTES * 3 / 4, "{}: {} bytes", row.id, text.len());
        let mut restored = forecaster.restore(&serde_json::from_str(&text).unwrap()).unwrap();
        let after = |state: &mut State| {
            let steps = (30..90).map(|step| seen(step, visible(90, rate)[step as usize]));
            steps.map(|observation| forecaster.step(observation.now, &observation, state)).collect::<Vec<_>>()
        };
        assert_eq!(after(&mut restored), after(&mut state), "{}", row.id);
        assert!(forecaster.restore(&serde_json::json!({ "what": 1 })).is_err(), "{}", row.id);
    }
}

#[test]
fn a_cached_forecast_is_the_online_one() {
    for row in FORECASTERS {
        let forecaster = build(row);
        let visible = visible(700, rate);
        let start = at(START_SLOT) + LAG;
        let cached = CachedForecast::record(&*forecaster, &history(6_000), start, SLOT, &visible);
        let online = run(&*forecaster, &mut warmed(&*forecaster, 6_000), &visible);
        assert!(online.iter().all(Option::is_some), "{}", row.id);
        let cached: Box<dyn DynForecaster> = Box::new(cached);
        assert_eq!(run(&*cached, &mut cached.initial_state(), &visible), online, "{}", row.id);
        assert_eq!(cached.horizon(), forecaster.horizon(), "{}", row.id);
    }
    let empty = CachedForecast::new(Timestamp::ZERO, SLOT, [None, Some(Quantiles::certain(at(1), LAG, 2.0))].into());
    assert_eq!((empty.at(at(0)), empty.at(at(-1)), empty.at(at(2))), (None, None, None));
    assert_eq!(empty.at(at(1) + Span::from_secs(14)).unwrap().median(), 2.0);
}

#[test]
fn persistence_and_season_say_what_they_mean() {
    let persistence = build(find("persistence").unwrap());
    let last = run(&*persistence, &mut persistence.initial_state(), &visible(3, rate))[2].unwrap();
    assert_eq!(last.values, [rate(START_SLOT + 2); 8]);
    let seasonal = build(find("seasonal-naive").unwrap());
    let smooth = |slot: i64| 300.0 * (1.2 + libm::sin((slot % 5_760) as f64 / 5_760.0 * core::f64::consts::TAU));
    let mut state = warmed(&*seasonal, 2 * 5_760);
    // A day later the load has doubled, which this forecaster cannot know.
    let doubled = visible(3, |slot| 2.0 * rate(slot));
    let got = run(&*seasonal, &mut state, &doubled)[2].unwrap().median();
    assert!((got / smooth(START_SLOT + 9) - 1.0).abs() < 0.05, "{got}");
    let young = run(&*seasonal, &mut seasonal.initial_state(), &doubled)[2].unwrap();
    assert_eq!(young.median(), 2.0 * rate(START_SLOT + 2), "persistence where yesterday is unknown");
}

#[test]
fn linear_weights_mean_the_same_in_config_and_in_tensors() {
    let weights = Weights::deterministic(3, 16, 16);
    let matrix = weights.tensor("forecaster.linear.weight").unwrap().values();
    let fitted = LinearQuantile {
        weight: matrix.chunks(encoding::INPUT_LEN).map(<[f32]>::to_vec).collect(),
        bias: weights.tensor("forecaster.linear.bias").unwrap().values().to_vec(),
    };
    assert_eq!(fitted.to_weights().unwrap(), weights.subset("forecaster.linear."));
    let row = find("linear-quantile").unwrap();
    let ingredients = Ingredients { workload: &Workload::protocol_p1(), weights: None };
    let text = fitted.to_config(Span::from_secs(105)).to_string();
    let from_config = (row.build)(&serde_json::from_str(&text).unwrap(), &ingredients).unwrap();
    let from_tensors = build(row);
    let visible = visible(50, rate);
    let forecasts =
        [&from_config, &from_tensors].map(|forecaster| run(&**forecaster, &mut warmed(&**forecaster, 300), &visible));
    assert_eq!(forecasts[0], forecasts[1]);
    let encoded = {
        let mut encoder = encoding::Encoder::new(Span::from_secs(105));
        history(300).iter().for_each(|slot| encoder.absorb(slot));
        encoder.push(&PastSlot { end: at(START_SLOT), length: SLOT, arrival_rate: Some(rate(START_SLOT)) }).unwrap()
    };
    let mut ratios = fitted.log_ratios(&encoded.inputs);
    ratios.sort_unstable_by(f32::total_cmp);
    let by_hand = encoding::quantiles(at(START_SLOT), Span::from_secs(105), encoded.level, &ratios);
    assert_eq!(forecasts[0][0], Some(by_hand));
}
