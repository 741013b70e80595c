//! The policy over a view: known answers, both pod paths equal, scale events, state in bounds. (The controller's own answers are
//! in the vectors.)

use proptest::prelude::*;

use crate::observe::{
    CpuSample, Feature, Observation, Pod, PodCounts, PodPhase, Pods, ReadyCondition, ReadyStatus, Sample,
};
use crate::scaling::policies::tests::{build_policy, refused, seen_at_rate, view_of};
use crate::scaling::policy::{DynPolicy, Proposal, Reason, STATE_LIMIT_BYTES, State};
use crate::time::{Span, Timestamp};

fn counted(second: i64, replicas: u32, counts: PodCounts) -> Observation {
    let mut seen = Observation::unknown(Timestamp::from_secs(second), replicas);
    seen.pods = Pods::Homogeneous(counts);
    seen
}

/// All ready and sampled at this share of their 4 CPU.
fn at_percent(second: i64, replicas: u32, percent: i64) -> Observation {
    let counts = PodCounts {
        ready: replicas,
        sampled: replicas,
        cpu_milli_per_sampled_pod: 40 * percent,
        ..PodCounts::default()
    };
    counted(second, replicas, counts)
}

fn step(policy: &dyn DynPolicy, seen: &Observation, state: &mut State) -> (Option<u32>, Reason) {
    let Proposal { replicas, reason, .. } = policy.step(seen.now, &view_of(seen), state);
    (replicas, reason)
}

#[test]
fn defaults_are_those_of_an_autoscaler_at_80_percent() {
    let policy = build_policy("hpa", &serde_json::Value::Null);
    let mut state = policy.initial_state();
    assert_eq!(policy.cadence(), Some(Span::from_secs(15)));
    assert_eq!(step(&*policy, &at_percent(0, 10, 88), &mut state), (Some(10), Reason::WithinTolerance));
    // 96 / 80 × 10 = 12.
    assert_eq!(step(&*policy, &at_percent(15, 10, 96), &mut state), (Some(12), Reason::Load));
    assert_eq!(step(&*policy, &at_percent(30, 2, 400), &mut state), (Some(4), Reason::RateLimited));
    assert_eq!(step(&*policy, &at_percent(45, 12, 40), &mut state), (Some(12), Reason::Stabilised));
    // The recommendations of 10 and 12 are now older than 300 s; that of 45 s was 6.
    assert_eq!(step(&*policy, &at_percent(345, 12, 20), &mut state), (Some(6), Reason::Stabilised));
}

#[test]
fn bounds_come_before_metrics() {
    let policy = build_policy("hpa", &serde_json::Value::Null);
    let mut state = policy.initial_state();
    assert_eq!(step(&*policy, &at_percent(0, 120, 80), &mut state), (Some(100), Reason::Bounded));
    assert_eq!(step(&*policy, &at_percent(0, 0, 80), &mut state), (None, Reason::Disabled));
    assert_eq!(step(&*policy, &at_percent(0, 90, 120), &mut state), (Some(100), Reason::Bounded));
}

#[test]
fn without_samples_it_has_no_wish() {
    let policy = build_policy("hpa", &serde_json::Value::Null);
    let counts = PodCounts { ready: 10, ..PodCounts::default() };
    let seen = counted(0, 10, counts);
    assert_eq!(step(&*policy, &seen, &mut policy.initial_state()), (None, Reason::MetricMissing));
    let external = build_policy("hpa", &serde_json::json!({ "metric": "request-rate", "target": 35.0 }));
    assert_eq!(step(&*external, &seen, &mut external.initial_state()), (None, Reason::MetricMissing));
}

#[test]
fn a_request_rate_is_an_external_metric_per_replica() {
    let policy = build_policy("hpa", &serde_json::json!({ "metric": "request-rate", "target": 35.5 }));
    // 500 / 35.5 = 14.08.
    assert_eq!(step(&*policy, &seen_at_rate(500.0), &mut policy.initial_state()), (Some(15), Reason::Load));
    // 390 / (35.5 × 10) = 1.0986 is within 10 %.
    let calm = (Some(10), Reason::WithinTolerance);
    assert_eq!(step(&*policy, &seen_at_rate(390.0), &mut policy.initial_state()), calm);
}

fn with_behavior() -> Box<dyn DynPolicy> {
    build_policy(
        "hpa",
        &serde_json::json!({ "metric": "request-rate", "target": 10.0, "behavior": {
            "scaleUp": { "policies": [{ "type": "Pods", "value": 5, "periodSeconds": 60 }] },
            "scaleDown": { "stabilizationWindowSeconds": 0, "tolerance": 0.3, "policies": [{ "type": "Pods", "value": 2, "periodSeconds": 30 }] } } }),
    )
}

fn at_rate(second: i64, replicas: u32, rate: f64) -> Observation {
    let at = Timestamp::from_secs(second);
    let mut seen = Observation::unknown(at, replicas);
    seen.metrics.set(Feature::HttpRequestsTotalRate, Some(Sample { at, value: rate }));
    seen
}

#[test]
fn changes_count_against_the_rate_only_once_they_were_made() {
    let policy = with_behavior();
    let mut state = policy.initial_state();
    assert_eq!(step(&*policy, &at_rate(0, 10, 300.0), &mut state), (Some(15), Reason::RateLimited));
    // The write failed: nothing was added yet.
    assert_eq!(step(&*policy, &at_rate(15, 10, 300.0), &mut state), (Some(15), Reason::RateLimited));
    assert_eq!(step(&*policy, &at_rate(30, 15, 300.0), &mut state), (Some(15), Reason::RateLimited));
    // The change of 15 s is a minute old.
    assert_eq!(step(&*policy, &at_rate(75, 15, 300.0), &mut state), (Some(20), Reason::RateLimited));
}

#[test]
fn each_direction_has_its_own_tolerance_and_rate() {
    let policy = with_behavior();
    let mut state = policy.initial_state();
    assert_eq!(step(&*policy, &at_rate(0, 10, 71.0), &mut state), (Some(10), Reason::WithinTolerance));
    assert_eq!(step(&*policy, &at_rate(15, 10, 50.0), &mut state), (Some(8), Reason::RateLimited));
}

/// All ready and sampled at this much CPU, under this load and with this much memory in all.
fn measured(replicas: u32, cpu_milli: i64, rate: Option<f64>, bytes: Option<f64>) -> Observation {
    let counts =
        PodCounts { ready: replicas, sampled: replicas, cpu_milli_per_sampled_pod: cpu_milli, ..PodCounts::default() };
    let mut seen = counted(1_000, replicas, counts);
    let sample = |value: f64| Sample { at: seen.now - Span::from_secs(15), value };
    let (rate, bytes) = (rate.map(sample), bytes.map(sample));
    seen.metrics.set(Feature::HttpRequestsTotalRate, rate);
    seen.metrics.set(Feature::ProcessResidentMemoryBytes, bytes);
    seen
}

fn wish(metrics: &serde_json::Value, seen: &Observation) -> (Option<u32>, Reason) {
    let policy = build_policy("hpa", &serde_json::json!({ "metrics": metrics }));
    step(&*policy, seen, &mut policy.initial_state())
}

fn metric(kind: &str, target: f64) -> serde_json::Value {
    serde_json::json!({ "kind": kind, "target": target })
}

#[test]
fn each_kind_of_metric_has_its_own_arithmetic() {
    let one = |kind: &str, target: f64| {
        wish(&serde_json::json!([metric(kind, target)]), &measured(10, 2_400, Some(390.0), Some(3e9)))
    };
    // 60 % of 80 %: 7.5; the 10 that are there still hold.
    assert_eq!(one("cpu-utilization", 80.0), (Some(10), Reason::Stabilised));
    assert_eq!(one("cpu-utilization", 48.0), (Some(13), Reason::Load), "60 / 48 × 10 = 12.5");
    assert_eq!(one("cpu-average-value", 2_000.0), (Some(12), Reason::Load), "2,400 / 2,000 × 10");
    assert_eq!(one("memory-average-value", 2e8), (Some(15), Reason::Load), "300 MB / 200 MB × 10");
    assert_eq!(one("request-rate", 30.0), (Some(13), Reason::Load), "390 / 30");
    assert_eq!(one("request-rate-per-pod", 30.0), (Some(13), Reason::Load), "39 / 30 × 10");
    assert_eq!(one("request-rate-value", 300.0), (Some(13), Reason::Load), "390 / 300 × 10");
    assert_eq!(one("request-rate-value", 360.0), (Some(10), Reason::WithinTolerance), "390 / 360 is 1.08");
}

/// Where kinds differ: replicas of the scale's status that are not ready yet, and pods that start.
#[test]
fn a_total_goes_by_ready_pods_and_an_average_by_replicas() {
    let mut seen = measured(10, 2_400, Some(600.0), None);
    let mut counts = seen.pods.counts(seen.now);
    (counts.ready, counts.sampled, counts.starting_by_age[1]) = (6, 6, 4);
    seen.pods = Pods::Homogeneous(counts);
    assert_eq!(wish(&serde_json::json!([metric("request-rate", 40.0)]), &seen), (Some(15), Reason::Load), "600 / 40");
    // 600 / 400 × 6 = 9: not more than there are.
    assert_eq!(wish(&serde_json::json!([metric("request-rate-value", 400.0)]), &seen), (Some(10), Reason::Stabilised));
    // 100 / 40 of 6 pods; with 4 idle ones 60 / 40 of 10.
    assert_eq!(wish(&serde_json::json!([metric("request-rate-per-pod", 40.0)]), &seen), (Some(15), Reason::Load));
    // 100 / 70 of 6 pods asks for more; with 4 idle ones 60 / 70 for less: nothing is done.
    let damped = wish(&serde_json::json!([metric("request-rate-per-pod", 70.0)]), &seen);
    assert_eq!(damped, (Some(10), Reason::WithinTolerance));
}

#[test]
fn the_largest_of_several_metrics_wins_and_failures_forbid_shrinking() {
    let several = serde_json::json!([metric("cpu-utilization", 48.0), metric("request-rate", 30.0)]);
    assert_eq!(wish(&several, &measured(10, 2_400, Some(420.0), None)), (Some(14), Reason::Load));
    assert_eq!(wish(&several, &measured(10, 2_400, Some(30.0), None)), (Some(13), Reason::Load));
    // The rate fails: CPU alone may grow (100 % of 48 %: 20.8), not shrink (25 %).
    assert_eq!(wish(&several, &measured(10, 4_000, None, None)), (Some(20), Reason::RateLimited));
    assert_eq!(wish(&several, &measured(10, 1_000, None, None)), (None, Reason::MetricMissing));
    let memory = serde_json::json!([metric("memory-average-value", 1e9)]);
    assert_eq!(wish(&memory, &measured(10, 2_400, None, None)), (None, Reason::MetricMissing));
}

/// Committed bundles and studies name configs by their content.
#[test]
fn the_default_config_has_the_keys_it_always_had() {
    let keys: Vec<String> = (super::ROW.default_config)().as_object().unwrap().keys().cloned().collect();
    let known = [
        "behavior",
        "cpu_initialization_period_s",
        "downscale_stabilization_s",
        "initial_readiness_delay_s",
        "metric",
        "target",
        "tolerance",
    ];
    assert_eq!(keys, known);
}

#[test]
fn refuses_lists_of_metrics_that_say_nothing_or_too_much() {
    let refused = |config: serde_json::Value| refused("hpa", &config);
    let rate = metric("request-rate", 35.0);
    assert!(
        refused(serde_json::json!({ "metrics": [] })).contains("`metrics` is a list of 0, must be 1 to 16 metrics")
    );
    for beside in [
        serde_json::json!({ "metrics": [rate], "target": 1.0 }),
        serde_json::json!({ "metrics": [rate], "metric": "request-rate" }),
    ] {
        assert!(refused(beside).contains("`metrics` is given beside `metric` or `target`, must be given alone"));
    }
    let one = |kind: &str, target: f64| refused(serde_json::json!({ "metrics": [metric(kind, target)] }));
    assert!(one("cpu-utilization", 0.5).contains("must be a whole percentage from 1 to 10000"));
    assert!(one("cpu-average-value", 0.0).contains("must be 1 to 1e9 thousandths of a core per pod"));
    assert!(one("memory-average-value", 0.0).contains("must be 1 to 1e15 bytes per pod"));
    assert!(one("request-rate", 0.0).contains("requests per second and replica"));
    assert!(one("request-rate-value", -1.0).contains("`target` is -1, must be 0.001 to 1e9 requests per second"));
    assert!(one("request-rate-per-pod", f64::MAX).contains("requests per second and pod"));
    assert!(one("disk", 1.0).contains("unknown variant `disk`"));
    assert!(
        refused(serde_json::json!({ "metric": "memory-average-value" })).contains("needs a `target` in bytes per pod")
    );
}

#[test]
fn refuses_what_the_api_would_refuse() {
    let refused = |config: serde_json::Value| refused("hpa", &config);
    assert!(refused(serde_json::json!({ "target": 80.5 })).contains("`target` is 80.5, must be a whole percentage"));
    assert!(refused(serde_json::json!({ "metric": "request-rate" })).contains("needs a `target`"));
    assert!(refused(serde_json::json!({ "tolerance": 1.5 })).contains("tolerance"));
    assert!(refused(serde_json::json!({ "downscale_stabilization_s": 3_601 })).contains("downscale_stabilization_s"));
    let rules = |rules: serde_json::Value| refused(serde_json::json!({ "behavior": { "scaleUp": rules } }));
    assert!(rules(serde_json::json!({ "policies": [] })).contains("policies"));
    assert!(rules(serde_json::json!({ "stabilizationWindowSeconds": 3_601 })).contains("stabilizationWindowSeconds"));
    let policy = |value: i32, period: u32| {
        rules(serde_json::json!({ "policies": [{ "type": "Pods", "value": value, "periodSeconds": period }] }))
    };
    assert!(policy(0, 15).contains("`value` is 0"));
    assert!(policy(1, 1_801).contains("`periodSeconds` is 1801"));
    assert!(rules(serde_json::json!({ "selectpolicy": "Max" })).contains("unknown field"));
}

#[test]
fn the_longest_windows_fit_into_the_state() {
    let policy = build_policy(
        "hpa",
        &serde_json::json!({ "metric": "request-rate", "target": 10.0, "downscale_stabilization_s": 3_600, "behavior": {
            "scaleUp": { "policies": [{ "type": "Percent", "value": 900, "periodSeconds": 1_800 }] },
            "scaleDown": { "stabilizationWindowSeconds": 3_600, "policies": [{ "type": "Percent", "value": 90, "periodSeconds": 1_800 }] } } }),
    );
    let mut state = policy.initial_state();
    let start = 1_900_000_000;
    let mut replicas = 10;
    for i in 0..4_000_u32 {
        let rate = if i % 2 == 0 { 900.0 } else { 50.0 };
        replicas = if i % 2 == 0 { 90 } else { 20 };
        step(&*policy, &at_rate(start + 5 * i64::from(i), replicas, rate), &mut state);
    }
    let bytes = state.snapshot().unwrap().to_string().len();
    assert!((4_000..STATE_LIMIT_BYTES).contains(&bytes), "{bytes} bytes at {replicas} replicas");
}

/// Pods as the fluid kernel has them, one by one: all sampled ones alike, fresh and starting ones with a spoilt sample.
fn alike(counts: &PodCounts, now: Timestamp) -> Vec<Pod> {
    let pod = |age_s: i64, ready_for_s: Option<i64>, deleted: bool| {
        let created_at = now - Span::from_secs(age_s);
        let (status, since) = match ready_for_s {
            Some(seconds) => (ReadyStatus::True, now - Span::from_secs(seconds)),
            None => (ReadyStatus::False, created_at),
        };
        Pod {
            phase: PodPhase::Running,
            deleted,
            created_at,
            started_at: Some(created_at),
            ready: Some(ReadyCondition { status, since }),
            cpu_request_milli: Some(4_000),
            cpu: Some(CpuSample {
                value_milli: counts.cpu_milli_per_sampled_pod,
                window_end: now - Span::from_secs(15),
                window: Span::from_secs(15),
            }),
        }
    };
    let mut pods = Vec::new();
    pods.extend((0..counts.sampled).map(|_| pod(1_000, Some(900), false)));
    pods.extend((counts.sampled..counts.ready).map(|_| pod(80, Some(20), false)));
    for (bucket, starting) in (0..).zip(counts.starting_by_age) {
        pods.extend((0..starting).map(|_| pod(15 * bucket + 1, None, false)));
    }
    pods.extend((0..counts.terminating).map(|_| pod(1_000, Some(900), true)));
    pods
}

prop_compose! {
    fn counts()(
        ready in 0_u32..30,
        fresh in 0_u32..8,
        starting in proptest::array::uniform8(0_u32..4),
        terminating in 0_u32..5,
        cpu_milli_per_sampled_pod in 0_i64..5_000,
    ) -> PodCounts {
        let sampled = ready.saturating_sub(fresh);
        let cpu_milli_per_sampled_pod = if sampled == 0 { 0 } else { cpu_milli_per_sampled_pod };
        PodCounts { ready, starting_by_age: starting, terminating, sampled, cpu_milli_per_sampled_pod }
    }
}

proptest! {
    #[test]
    fn counted_pods_and_pods_one_by_one_give_the_same(
        steps in proptest::collection::vec((counts(), 1_u32..60), 1..40), behavior in any::<bool>(),
    ) {
        let config = if behavior { serde_json::json!({ "behavior": {} }) } else { serde_json::Value::Null };
        let policy = build_policy("hpa", &config);
        let (mut one, mut other) = (policy.initial_state(), policy.initial_state());
        for (i, (counts, replicas)) in (0..).zip(steps) {
            let counted = counted(100_000 + 15 * i, replicas, counts);
            let mut each = counted.clone();
            each.pods = Pods::Each(alike(&counts, counted.now));
            prop_assert_eq!(each.pods.counts(each.now), counts, "the two forms describe the same pods");
            prop_assert_eq!(step(&*policy, &counted, &mut one), step(&*policy, &each, &mut other));
        }
    }
}
