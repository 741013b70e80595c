//! When a model starts, runs, records and forgets, against the controller's loop read by hand.

use super::*;

fn model(config: serde_json::Value) -> (Model, ModelState) {
    let model = Model::new("predictive-hpa", &serde_json::from_value(config).unwrap()).unwrap();
    let state = model.initial_state();
    (model, state)
}

fn refused(config: serde_json::Value) -> String {
    Model::new("predictive-hpa", &serde_json::from_value(config).unwrap()).unwrap_err().to_string()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_secs(second)
}

fn linear(extra: &serde_json::Value) -> serde_json::Value {
    let mut config = serde_json::json!({ "type": "Linear", "linear": { "historySize": 3, "lookAhead": 15_000 } });
    config.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    config
}

fn seasonal(periods: u32, stored: u32) -> serde_json::Value {
    serde_json::json!({ "type": "HoltWinters", "holtWinters": {
        "alpha": 0.9, "beta": 0.9, "gamma": 0.9, "trend": "add", "seasonal": "additive",
        "seasonalPeriods": periods, "storedSeasons": stored } })
}

#[test]
fn a_line_goes_through_the_history_and_the_present() {
    let (model, mut state) = model(linear(&serde_json::json!({})));
    let mut step = |second, replicas| model.step(at(second), replicas, &mut state);
    assert_eq!(step(0, 4), Some(4), "one count is the answer");
    assert_eq!(step(15, 6), Some(8));
    assert_eq!(step(30, 8), Some(10));
    // Three kept and the present: 4, 6, 8, 4 has the line 5.2 + 0.2 × place: 6 at place 4.
    assert_eq!(step(45, 4), Some(6));
    // 6, 8, 4, 4: 7.0 − 1.0 × place: 3.
    assert_eq!(step(60, 4), Some(3));
}

#[test]
fn between_its_runs_it_only_records() {
    let (model, mut state) = model(linear(&serde_json::json!({ "perSyncPeriod": 3 })));
    let steps: Vec<_> = (0..7).map(|step| model.step(at(15 * step), 4 + step as i32, &mut state)).collect();
    assert_eq!(steps, [None, None, Some(7), None, None, Some(10), None]);
}

#[test]
fn it_starts_at_a_whole_interval_and_starts_again_after_a_silence() {
    let config = linear(&serde_json::json!({ "startIntervalSeconds": 60, "resetDurationSeconds": 100 }));
    let (model, mut state) = model(config);
    let mut step = |second, replicas| model.step(at(second), replicas, &mut state);
    // The first sync only sets the start; 65 s leads to 120 s.
    assert_eq!([step(65, 9), step(119, 9), step(120, 5)], [None, None, Some(5)]);
    assert_eq!(step(135, 6), Some(7));
    // 100 s without a record are not yet too long.
    assert_eq!(step(235, 6), Some(7));
    assert_eq!([step(336, 1), step(359, 1), step(360, 2)], [None, None, Some(2)]);
    assert_eq!(next_start(at(120), Span::from_secs(60)), at(120));
    // Seven hours do not divide the time since the year 1: 62135596800 = 2465698 × 25200 + 7200.
    assert_eq!(next_start(at(0), Span::from_secs(25_200)), at(18_000));
}

#[test]
fn a_clear_without_a_start_interval_goes_on_at_once() {
    let (model, mut state) = model(linear(&serde_json::json!({ "resetDurationSeconds": 100 })));
    model.step(at(0), 50, &mut state);
    model.step(at(15), 60, &mut state);
    assert_eq!(model.step(at(116), 5, &mut state), Some(5));
}

#[test]
fn a_seasonal_model_predicts_nothing_until_it_has_two_seasons_and_ten_averages() {
    let (model, mut state) = model(seasonal(4, 3));
    let steps: Vec<_> = (0..14).map(|step| model.step(at(15 * step), 5, &mut state)).collect();
    // 10 + 2 × 2 = 14 counts, the present one included.
    assert_eq!(steps[..13], [Some(0); 13]);
    assert_eq!(steps[13], Some(5));
}

/// The series of the original: what is kept, newest first, then the present count.
#[test]
fn the_series_runs_backwards() {
    assert_eq!(newest_first(&[1, 2, 3], 9, &mut [0.0; MOST_COUNTS]), Some(&[3.0, 2.0, 1.0, 9.0][..]));
    let (model, mut state) = model(seasonal(4, 4));
    let counts = [5, 7, 9, 6, 5, 8, 10, 6, 6, 8, 11, 7, 7, 9, 12];
    // Such that the model is asked with `counts` in this order: reversed, then the last.
    let fed = counts[..14].iter().rev().chain(&counts[14..]);
    let last = fed.zip(0..).map(|(count, step)| model.step(at(15 * step), *count, &mut state)).last().unwrap();
    // statsmodels answers 2.494 (see the smoothing's tests).
    assert_eq!(last, Some(3));
}

#[test]
fn whole_seasons_are_forgotten_once_one_too_many_is_complete() {
    let (model, mut state) = model(seasonal(4, 3));
    let mut lengths = Vec::new();
    for step in 0..24 {
        model.step(at(15 * step), 5, &mut state);
        let History::HoltWinters(Counts(counts)) = &state.history else { panic!("of the model's kind") };
        lengths.push(counts.len());
    }
    let expected = (1..16).chain([12, 13, 14, 15, 12, 13, 14, 15, 12]);
    assert_eq!(lengths, expected.collect::<Vec<_>>());
}

#[test]
fn a_failure_records_nothing() {
    let mut config = seasonal(4, 4);
    config["holtWinters"]["seasonal"] = serde_json::json!("mul");
    let (model, mut state) = model(config);
    for step in 0..14 {
        model.step(at(15 * step), 5, &mut state);
    }
    let before = state.clone();
    assert_eq!(model.step(at(210), 0, &mut state), None, "a count of zero under a product");
    assert_eq!(state, before);
    assert_eq!(model.step(at(225), 5, &mut state), Some(5));
}

#[test]
fn rounds_up_but_not_dust() {
    let cases = [(3.0, 3), (3.0 + 1e-12, 3), (3.0 - 1e-12, 3), (3.001, 4), (-2.5, -2), (4_294_967_301.0, 5)];
    for (value, expected) in cases {
        assert_eq!(ceiling(value), Some(expected), "{value}");
    }
    assert_eq!(ceiling(1e30), None);
}

#[test]
fn refuses_what_is_out_of_range_or_out_of_place() {
    assert!(refused(linear(&serde_json::json!({ "perSyncPeriod": 0 }))).contains("`perSyncPeriod` is 0"));
    assert!(refused(linear(&serde_json::json!({ "startIntervalSeconds": 0 }))).contains("startIntervalSeconds"));
    let size = serde_json::json!({ "type": "Linear", "linear": { "historySize": 1_501, "lookAhead": 1 } });
    assert!(refused(size).contains("`historySize` is 1501, must be 1 to 1500"));
    assert!(refused(serde_json::json!({ "type": "Linear" })).contains("has a `linear`"));
    assert!(refused(serde_json::json!({ "type": "HoltWinters" })).contains("has a `holtWinters`"));
    assert!(refused(seasonal(1, 4)).contains("`seasonalPeriods` is 1, must be 2 to 1000"));
    assert!(refused(seasonal(4, 0)).contains("`storedSeasons` is 0"));
    assert!(refused(seasonal(500, 4)).contains("`storedSeasons` is 4, must be at least 1, and (storedSeasons + 1)"));
    let mut shares = seasonal(4, 4);
    shares["holtWinters"]["gamma"] = serde_json::json!(1.5);
    assert!(refused(shares).contains("`gamma` is 1.5, must be 0 to 1"));
}
