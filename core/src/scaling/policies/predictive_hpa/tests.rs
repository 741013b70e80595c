//! The policy over a view: the calculator's known answers, decisions, behaviour, bounded state.

use super::*;
use crate::observe::{
    CpuSample, Feature, Observation, Pod, PodCounts, PodPhase, Pods, ReadyCondition, ReadyStatus, Sample,
};
use crate::scaling::policies::tests::{build_policy, refused, view_of};
use crate::scaling::policy::State;

fn at_rate(second: i64, replicas: u32, rate: f64) -> Observation {
    let at = Timestamp::from_secs(second);
    let mut seen = Observation::unknown(at, replicas);
    seen.metrics.set(Feature::HttpRequestsTotalRate, Some(Sample { at, value: rate }));
    seen
}

fn step(policy: &dyn DynPolicy, seen: &Observation, state: &mut State) -> (Option<u32>, Reason) {
    let Proposal { replicas, reason, .. } = policy.step(seen.now, &view_of(seen), state);
    (replicas, reason)
}

/// Ten requests per second and replica, and these models.
fn rated(models: &serde_json::Value, extra: &serde_json::Value) -> Box<dyn DynPolicy> {
    let mut config = serde_json::json!({ "metric": "request-rate", "target": 10.0, "models": models });
    config.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    build_policy(ID, &config)
}

fn linear() -> serde_json::Value {
    serde_json::json!([{ "type": "Linear", "linear": { "historySize": 6, "lookAhead": 30_000 } }])
}

#[test]
fn a_rising_line_is_extrapolated() {
    let policy = rated(&linear(), &serde_json::json!({}));
    let mut state = policy.initial_state();
    assert_eq!(policy.cadence(), Some(Span::from_secs(15)));
    assert_eq!(step(&*policy, &at_rate(0, 10, 100.0), &mut state), (Some(10), Reason::WithinTolerance));
    // 10, 12: two replicas per sync, two syncs ahead.
    assert_eq!(step(&*policy, &at_rate(15, 10, 120.0), &mut state), (Some(16), Reason::Forecast));
    // 10, 12, 14 lead to 18: that is 2 above what is there, within the rates.
    assert_eq!(step(&*policy, &at_rate(30, 16, 140.0), &mut state), (Some(18), Reason::Forecast));
    // Falling: the line goes down, the calculated 10 is the maximum, and 300 s of stabilisation hold the 18.
    assert_eq!(step(&*policy, &at_rate(45, 18, 100.0), &mut state), (Some(18), Reason::Stabilised));
}

#[test]
fn growth_is_limited_over_a_minute() {
    let policy = rated(&serde_json::json!([]), &serde_json::json!({}));
    let mut state = policy.initial_state();
    assert_eq!(step(&*policy, &at_rate(0, 10, 900.0), &mut state), (Some(20), Reason::RateLimited));
    // The period of the default policies is 60 s, where that of an HPA is 15 s.
    assert_eq!(step(&*policy, &at_rate(45, 20, 900.0), &mut state), (Some(20), Reason::RateLimited));
    assert_eq!(step(&*policy, &at_rate(60, 20, 900.0), &mut state), (Some(40), Reason::RateLimited));
}

#[test]
fn decisions_join_the_calculated_and_the_predicted() {
    for (mut counts, minimum, mean, median, maximum) in [
        (vec![4, 9, 5], 4, 6, 5, 9),
        (vec![10, 0], 0, 5, 5, 10),
        (vec![3, 4, 8, 0], 0, 4, 3, 8),
        (vec![-7, 2], -7, 0, -2, 2),
        (vec![6], 6, 6, 6, 6),
    ] {
        let got = [DecisionType::Minimum, DecisionType::Mean, DecisionType::Median, DecisionType::Maximum]
            .map(|decision| decision.of(&mut counts));
        assert_eq!(got, [minimum, mean, median, maximum], "{counts:?}");
    }
}

#[test]
fn a_seasonal_model_without_two_seasons_counts_as_zero_replicas() {
    let model = serde_json::json!([{ "type": "HoltWinters", "holtWinters": {
        "alpha": 0.9, "beta": 0.9, "gamma": 0.9, "trend": "additive", "seasonal": "additive",
        "seasonalPeriods": 6, "storedSeasons": 4 } }]);
    let plain = rated(&serde_json::json!([]), &serde_json::json!({}));
    let with = |decision: &str| {
        let calm = serde_json::json!({ "scaleDown": { "stabilizationWindowSeconds": 0 } });
        rated(&model, &serde_json::json!({ "decision_type": decision, "behavior": calm }))
    };
    let maximum = rated(&model, &serde_json::json!({}));
    let (mut one, mut other) = (plain.initial_state(), maximum.initial_state());
    for second in 0..15 {
        let seen = at_rate(15 * second, 20, 150.0 + 10.0 * second as f64);
        assert_eq!(step(&*maximum, &seen, &mut other), step(&*plain, &seen, &mut one), "as without a model");
    }
    let seen = at_rate(0, 20, 300.0);
    assert_eq!(step(&*with("mean"), &seen, &mut with("mean").initial_state()), (Some(15), Reason::Forecast));
    assert_eq!(step(&*with("minimum"), &seen, &mut with("minimum").initial_state()), (Some(1), Reason::Bounded));
}

#[test]
fn bounds_come_last() {
    let policy = rated(&serde_json::json!([]), &serde_json::json!({}));
    // Above the maximum of 100, and 110 would be right: stabilised, then bounded.
    assert_eq!(step(&*policy, &at_rate(0, 120, 1_100.0), &mut policy.initial_state()), (Some(100), Reason::Bounded));
    // From zero it grows by the 4 pods of the rate, where an HPA would be disabled.
    assert_eq!(step(&*policy, &at_rate(0, 0, 500.0), &mut policy.initial_state()), (Some(4), Reason::RateLimited));
    let missing = Observation::unknown(Timestamp::ZERO, 10);
    assert_eq!(step(&*policy, &missing, &mut policy.initial_state()), (None, Reason::MetricMissing));
}

/// A ready pod at this use of its 4 CPU.
fn pod(percent: i64) -> Pod {
    let long_ago = Timestamp::from_secs(-10_000);
    Pod {
        phase: PodPhase::Running,
        deleted: false,
        created_at: long_ago,
        started_at: Some(long_ago),
        ready: Some(ReadyCondition { status: ReadyStatus::True, since: long_ago }),
        cpu_request_milli: Some(4_000),
        cpu: Some(CpuSample { value_milli: 40 * percent, window_end: Timestamp::ZERO, window: Span::from_secs(15) }),
    }
}

fn at_cpu(replicas: u32, pods: Pods) -> (Option<u32>, Reason) {
    let policy = build_policy(ID, &serde_json::json!({ "models": [] }));
    let mut seen = Observation::unknown(Timestamp::ZERO, replicas);
    seen.pods = pods;
    step(&*policy, &seen, &mut policy.initial_state())
}

#[test]
fn the_calculator_is_the_older_one() {
    // 88 / 80 = 1.1, and 1 − 1.1 is 0.10000000000000009 in doubles: beyond the tolerance, where the HPA of today holds.
    let (load, hold) = (Reason::Load, Reason::WithinTolerance);
    assert_eq!(at_cpu(10, Pods::Each(vec![pod(88); 10])), (Some(11), load));
    assert_eq!(at_cpu(10, Pods::Each(vec![pod(72); 10])), (Some(10), hold));
    let mut counts = PodCounts { ready: 10, sampled: 10, cpu_milli_per_sampled_pod: 3_840, ..PodCounts::default() };
    assert_eq!(at_cpu(10, Pods::Homogeneous(counts)), (Some(12), load));
    counts.sampled = 0;
    assert_eq!(at_cpu(10, Pods::Homogeneous(counts)), (None, Reason::MetricMissing));
    // Nine at 100 % and one that is being deleted at 10 %: (900 + 10) / 10 = 91 % over nine ready pods: 91 / 80 × 9 = 10.2.
    let mut pods = vec![pod(100); 9];
    pods.push(Pod { deleted: true, ..pod(10) });
    assert_eq!(at_cpu(9, Pods::Each(pods.clone())), (Some(11), load));
    // One without a sample: on the way up it is idle: 910 / 11 = 82 % is within the tolerance.
    pods.push(Pod { cpu: None, ..pod(0) });
    assert_eq!(at_cpu(10, Pods::Each(pods)), (Some(10), hold));
    // On the way down it counts as its full request: 4 at 40 % and one at 100 % make 52 %: 52 / 80 × 5 = 3.25. (The first, down to
    // 4 × 0.5, is held by nothing: the history of the downscale stabilisation is empty.)
    let mut pods = vec![pod(40); 4];
    pods.push(Pod { cpu: None, ..pod(0) });
    assert_eq!(at_cpu(5, Pods::Each(pods)), (Some(4), load));
    // A pod that never was ready is set aside on the way up: 3 at 200 % and it at 0: 600 / 4 = 150 %: 150 / 80 × 4 = 7.5.
    let mut pods = vec![pod(200); 3];
    let never = ReadyCondition { status: ReadyStatus::False, since: Timestamp::from_secs(-10_000) };
    pods.push(Pod { ready: Some(never), ..pod(500) });
    assert_eq!(at_cpu(4, Pods::Each(pods)), (Some(8), load));
    let nothing_asked = vec![Pod { cpu_request_milli: None, ..pod(90) }, pod(90)];
    assert_eq!(at_cpu(2, Pods::Each(nothing_asked)), (None, Reason::MetricMissing));
}

#[test]
fn the_largest_histories_fit_into_the_state() {
    let models = serde_json::json!([
        { "type": "Linear", "linear": { "historySize": 500, "lookAhead": 60_000 } },
        { "type": "HoltWinters", "holtWinters": { "alpha": 0.1, "beta": 0.0, "gamma": 0.1, "trend": "additive",
            "seasonal": "additive", "seasonalPeriods": 500, "storedSeasons": 3 } },
    ]);
    let policy = rated(&models, &serde_json::json!({}));
    let mut state = policy.initial_state();
    for i in 0..5_000_u32 {
        let seen = at_rate(1_900_000_000 + 15 * i64::from(i), 50 + i % 40, f64::from(i * 7 % 900));
        step(&*policy, &seen, &mut state);
    }
    let text = state.snapshot().unwrap().to_string();
    assert!((10_000..STATE_LIMIT_BYTES).contains(&text.len()), "{} bytes", text.len());
    let mut restored = policy.restore(&serde_json::from_str(&text).unwrap()).unwrap();
    for i in 5_000..5_100_u32 {
        let seen = at_rate(1_900_000_000 + 15 * i64::from(i), 50 + i % 40, f64::from(i * 7 % 900));
        assert_eq!(step(&*policy, &seen, &mut restored), step(&*policy, &seen, &mut state));
    }
}

#[test]
fn refuses_what_is_out_of_range() {
    let refused = |config: serde_json::Value| refused(ID, &config);
    assert!(refused(serde_json::json!({ "target": 80.5 })).contains("`target` is 80.5, must be a whole percentage"));
    assert!(refused(serde_json::json!({ "metric": "request-rate" })).contains("needs a `target`"));
    assert!(refused(serde_json::json!({ "sync_period_s": 0 })).contains("`sync_period_s` is 0"));
    assert!(refused(serde_json::json!({ "tolerance": 1.5 })).contains("tolerance"));
    assert!(
        refused(serde_json::json!({ "cpu_initialization_period_s": 86_401 })).contains("cpu_initialization_period_s")
    );
    assert!(refused(serde_json::json!({ "decision_type": "mode" })).contains("unknown variant `mode`"));
    let rules = |rules: serde_json::Value| refused(serde_json::json!({ "behavior": { "scaleDown": rules } }));
    assert!(rules(serde_json::json!({ "tolerance": 0.1 })).contains("not known to this autoscaler"));
    assert!(rules(serde_json::json!({ "policies": [] })).contains("policies"));
    assert!(rules(serde_json::json!({ "stabilizationWindowSeconds": 3_601 })).contains("stabilizationWindowSeconds"));
    let policy = |value: i32, period: u32| {
        rules(serde_json::json!({ "policies": [{ "type": "Pods", "value": value, "periodSeconds": period }] }))
    };
    assert!(policy(0, 15).contains("`value` is 0"));
    assert!(policy(1, 1_801).contains("`periodSeconds` is 1801"));
    let linear = |size: u32| serde_json::json!({ "type": "Linear", "linear": { "historySize": size, "lookAhead": 1 } });
    let many = serde_json::json!({ "models": vec![linear(6); 9] });
    assert!(refused(many).contains("`models` is a list of 9"));
    let large = serde_json::json!({ "models": [linear(1_500), linear(1_500)] });
    assert!(refused(large).contains("bytes of histories"));
}
