//! The policy over a view, answers worked out by hand: both loops at their own pace, waking and sleeping, fallbacks, pauses.
//! (The executor's and the fallback's own answers are in the vectors.)

use proptest::prelude::*;

use crate::observe::{Bounds, Feature, Observation, PodCounts, Pods, Sample, Workload};
use crate::scaling::config::ConfigError;
use crate::scaling::policies::tests::view_of;
use crate::scaling::policies::{Ingredients, find};
use crate::scaling::policy::{DynPolicy, Proposal, Reason, STATE_LIMIT_BYTES, State};
use crate::time::{Span, Timestamp};

/// For a workload of 0 to 20 replicas, unless told otherwise.
fn try_build(config: &serde_json::Value, min: u32) -> Result<Box<dyn DynPolicy>, ConfigError> {
    let workload = Workload { bounds: Bounds { min, max: 20 }, ..Workload::protocol_p1() };
    (find("keda").unwrap().build)(config, &Ingredients { workload: &workload, weights: None })
}

fn build(config: &serde_json::Value) -> Box<dyn DynPolicy> {
    try_build(config, 0).unwrap()
}

fn refused(config: &serde_json::Value) -> String {
    try_build(config, 0).map(|_| ()).unwrap_err().to_string()
}

fn per_replica(threshold: f64) -> serde_json::Value {
    serde_json::json!({ "type": "requests-per-second", "threshold": threshold })
}

/// 2024-03-29, a Friday, at noon UTC.
const NOON: i64 = 1_711_713_600;

/// This many replicas, all ready, under this load, so many seconds after noon.
fn seen(second: i64, replicas: u32, rate: Option<f64>) -> Observation {
    let now = Timestamp::from_secs(NOON + second);
    let mut seen = Observation::unknown(now, replicas);
    let milli = 3_000;
    let counts =
        PodCounts { ready: replicas, sampled: replicas, cpu_milli_per_sampled_pod: milli, ..PodCounts::default() };
    seen.pods = Pods::Homogeneous(counts);
    let at = now - Span::from_secs(15);
    seen.metrics.set(Feature::HttpRequestsTotalRate, rate.map(|value| Sample { at, value }));
    seen
}

fn step(policy: &dyn DynPolicy, seen: &Observation, state: &mut State) -> (Option<u32>, Reason) {
    let Proposal { replicas, reason, .. } = policy.step(seen.now, &view_of(seen), state);
    (replicas, reason)
}

/// Steps every 15 s from `from`: pairs of replicas and load, and what is proposed.
fn run(
    policy: &dyn DynPolicy,
    state: &mut State,
    from: i64,
    steps: &[(u32, Option<f64>)],
) -> Vec<(Option<u32>, Reason)> {
    (0..).zip(steps).map(|(i, (replicas, rate))| step(policy, &seen(from + 15 * i, *replicas, *rate), state)).collect()
}

#[test]
fn by_default_it_is_an_autoscaler_at_80_percent() {
    let policy = try_build(&serde_json::Value::Null, 1).unwrap();
    assert_eq!(policy.cadence(), Some(Span::from_secs(15)));
    let mut state = policy.initial_state();
    // 75 % of 80 % is within tolerance.
    assert_eq!(step(&*policy, &seen(0, 10, None), &mut state), (Some(10), Reason::WithinTolerance));
    let mut busy = seen(15, 10, None);
    busy.pods = Pods::Homogeneous(PodCounts {
        ready: 10,
        sampled: 10,
        cpu_milli_per_sampled_pod: 4_000,
        ..PodCounts::default()
    });
    // 100 / 80 × 10 = 12.5.
    assert_eq!(step(&*policy, &busy, &mut state), (Some(13), Reason::Load));
}

#[test]
fn wakes_at_a_poll_and_scales_at_a_sync() {
    let policy = build(&serde_json::json!({ "triggers": [per_replica(50.0)] }));
    let mut state = policy.initial_state();
    let steps = [(0, Some(0.0)), (0, Some(400.0)), (0, Some(400.0)), (1, Some(400.0)), (4, Some(190.0))];
    let expected = [
        (None, Reason::Disabled),
        // The autoscaler sleeps at 0, and the poll is not due before 30 s.
        (None, Reason::Disabled),
        (Some(1), Reason::Activation),
        // 8 replicas, but no more than 4 from 1.
        (Some(4), Reason::RateLimited),
        // 190 / (50 × 4) is within tolerance; the 8 recommended at 45 s still hold.
        (Some(8), Reason::Stabilised),
    ];
    assert_eq!(run(&*policy, &mut state, 0, &steps), expected);
}

#[test]
fn sleeps_once_the_cool_down_is_over() {
    let config = serde_json::json!({ "triggers": [per_replica(50.0)], "cooldown_period_s": 60 });
    let policy = build(&config);
    let mut state = policy.initial_state();
    let silent = Some(0.0);
    let steps =
        [(2, Some(90.0)), (2, silent), (2, silent), (2, silent), (2, silent), (2, silent), (2, silent), (0, silent)];
    let expected = [
        (Some(2), Reason::WithinTolerance),
        // The autoscaler would go to 1, but 2 was recommended within 300 s.
        (Some(2), Reason::Stabilised),
        (Some(2), Reason::Cooldown),
        (Some(2), Reason::Cooldown),
        // Exactly 60 s after the last activity the cool-down is not over.
        (Some(2), Reason::Cooldown),
        (Some(2), Reason::Cooldown),
        (Some(0), Reason::Load),
        (None, Reason::Disabled),
    ];
    assert_eq!(run(&*policy, &mut state, 0, &steps), expected);
}

#[test]
fn an_initial_cool_down_holds_what_never_was_active() {
    let config =
        |initial: u32| serde_json::json!({ "triggers": [per_replica(50.0)], "initial_cooldown_period_s": initial });
    let steps = [(1, Some(0.0)); 4];
    let at_once = build(&config(0));
    let wishes = run(&*at_once, &mut at_once.initial_state(), 0, &steps).into_iter().map(|(wish, _)| wish);
    // Strictly more than no time has passed at the second poll.
    assert_eq!(wishes.collect::<Vec<_>>(), [Some(1), Some(1), Some(0), Some(1)]);
    let later = build(&config(30));
    let wishes = run(&*later, &mut later.initial_state(), 0, &steps).into_iter().map(|(wish, _)| wish);
    assert_eq!(wishes.collect::<Vec<_>>(), [Some(1); 4]);
}

#[test]
fn activity_begins_above_its_threshold() {
    let trigger = serde_json::json!({ "type": "requests-per-second", "threshold": 50.0, "activationThreshold": 10.0 });
    let policy = build(&serde_json::json!({ "triggers": [trigger] }));
    let wake = |rate: f64| step(&*policy, &seen(0, 0, Some(rate)), &mut policy.initial_state());
    assert_eq!(wake(10.0), (None, Reason::Disabled));
    assert_eq!(wake(10.1), (Some(1), Reason::Activation));
}

#[test]
fn force_activation_wakes_without_load_and_pauses_hold() {
    let with = |key: &str, rate: f64, replicas: u32| {
        let mut config = serde_json::json!({ "triggers": [per_replica(50.0)] });
        config[key] = true.into();
        let policy = build(&config);
        step(&*policy, &seen(0, replicas, Some(rate)), &mut policy.initial_state())
    };
    assert_eq!(with("force_activation", 0.0, 0), (Some(1), Reason::Activation));
    assert_eq!(with("paused_scale_out", 100.0, 0), (None, Reason::Paused));
    assert_eq!(with("paused_scale_out", 900.0, 5), (Some(5), Reason::Paused));
    assert_eq!(with("paused", 900.0, 5), (None, Reason::Paused));
    let policy = build(&serde_json::json!({ "paused_replicas": 3 }));
    assert_eq!(step(&*policy, &seen(0, 5, None), &mut policy.initial_state()), (Some(3), Reason::Paused));
}

#[test]
fn a_paused_direction_holds_in_the_autoscaler_too() {
    let config = serde_json::json!({ "triggers": [per_replica(50.0)], "paused_scale_in": true,
        "behavior": { "scaleDown": { "stabilizationWindowSeconds": 0 } } });
    let policy = build(&config);
    let mut state = policy.initial_state();
    let steps = [(8, Some(100.0)), (8, Some(500.0)), (8, Some(0.0))];
    let expected = [(Some(8), Reason::Paused), (Some(10), Reason::Load), (Some(8), Reason::Paused)];
    assert_eq!(run(&*policy, &mut state, 0, &steps), expected);
    // Long after the cool-down nothing sleeps.
    assert_eq!(step(&*policy, &seen(3_600, 8, Some(0.0)), &mut state), (Some(8), Reason::Paused));
}

#[test]
fn idles_below_its_fewest_and_wakes_to_them() {
    let config = serde_json::json!({ "triggers": [per_replica(50.0)], "min_replica_count": 3,
        "idle_replica_count": 0, "cooldown_period_s": 0 });
    let policy = build(&config);
    let mut state = policy.initial_state();
    let steps = [(3, Some(0.0)), (3, Some(0.0)), (3, Some(0.0)), (0, Some(0.0)), (0, Some(200.0))];
    let expected = [
        (Some(3), Reason::Cooldown),
        (Some(3), Reason::Cooldown),
        (Some(0), Reason::Load),
        (None, Reason::Disabled),
        (Some(3), Reason::Activation),
    ];
    assert_eq!(run(&*policy, &mut state, 0, &steps)[2..], expected[2..]);
}

/// With `cpu` alone nothing can be inactive; beside other triggers it has no say in it.
#[test]
fn cpu_neither_wakes_nor_holds() {
    let cpu = serde_json::json!({ "type": "cpu", "value": 80.0 });
    let alone = build(&serde_json::json!({ "triggers": [cpu] }));
    assert_eq!(step(&*alone, &seen(0, 0, None), &mut alone.initial_state()), (Some(1), Reason::Activation));
    let beside = build(&serde_json::json!({ "triggers": [cpu, per_replica(50.0)], "cooldown_period_s": 0 }));
    let mut state = beside.initial_state();
    assert_eq!(step(&*beside, &seen(0, 4, Some(10.0)), &mut state).0, Some(4));
    assert_eq!(step(&*beside, &seen(30, 4, Some(0.0)), &mut state), (Some(0), Reason::Load));
    assert_eq!(step(&*beside, &seen(60, 0, Some(0.0)), &mut state), (None, Reason::Disabled));
}

#[test]
fn the_largest_of_several_triggers_wins() {
    let total = serde_json::json!({ "type": "requests-per-second", "threshold": 100.0, "metricType": "Value" });
    let cpu = serde_json::json!({ "type": "cpu", "metricType": "AverageValue", "value": 1500.0 });
    let wish = |triggers: &[&serde_json::Value], rate: f64| {
        let policy = build(&serde_json::json!({ "triggers": triggers }));
        step(&*policy, &seen(0, 5, Some(rate)), &mut policy.initial_state())
    };
    let rate = per_replica(50.0);
    assert_eq!(wish(&[&rate], 320.0), (Some(7), Reason::Load));
    // 150 of 100 in total: 1.5 × 5 ready pods.
    assert_eq!(wish(&[&rate, &total], 150.0), (Some(8), Reason::Load));
    // 3,000 of 1,500 milli-cores: twice as many.
    assert_eq!(wish(&[&rate, &cpu, &total], 150.0), (Some(10), Reason::Load));
}

fn office(desired: u32) -> serde_json::Value {
    serde_json::json!({ "type": "cron", "timezone": "Europe/Berlin", "start": "0 8 * * 1-5", "end": "0 18 * * 1-5",
        "desiredReplicas": desired })
}

#[test]
fn a_window_wakes_and_asks_for_its_replicas() {
    let policy = build(&serde_json::json!({ "triggers": [office(6), per_replica(50.0)], "cooldown_period_s": 0 }));
    let mut state = policy.initial_state();
    let day = [(0, Some(0.0)), (4, Some(0.0)), (6, Some(0.0)), (6, Some(500.0))];
    let expected = [
        (Some(1), Reason::Activation),
        (Some(6), Reason::Scheduled),
        (Some(6), Reason::Scheduled),
        (Some(10), Reason::Load),
    ];
    assert_eq!(run(&*policy, &mut state, 0, &day), expected);
    // 18:00 in Berlin is 17:00 UTC.
    assert_eq!(step(&*policy, &seen(5 * 3_600, 6, Some(0.0)), &mut state), (Some(0), Reason::Load));
}

fn with_fallback(behavior: &str, min: u32) -> Box<dyn DynPolicy> {
    let config = serde_json::json!({ "triggers": [per_replica(50.0)],
        "fallback": { "failureThreshold": 3, "replicas": 7, "behavior": behavior } });
    try_build(&config, min).unwrap()
}

/// The fallback starts when failures exceed 3. Each sync counts one; a poll reads for itself, since the autoscaler fails.
#[test]
fn a_failing_metric_is_replaced_after_its_threshold() {
    let policy = with_fallback("static", 1);
    let mut state = policy.initial_state();
    let steps = [(5, Some(250.0)), (5, None), (5, None), (5, None), (7, None), (7, Some(350.0)), (7, None)];
    let expected = [
        (Some(5), Reason::WithinTolerance),
        (None, Reason::MetricMissing),
        // The poll at 30 s is the second failure, the sync the third.
        (None, Reason::MetricMissing),
        (Some(7), Reason::Fallback),
        (Some(7), Reason::Fallback),
        (Some(7), Reason::WithinTolerance),
        // The count began anew.
        (None, Reason::MetricMissing),
    ];
    assert_eq!(run(&*policy, &mut state, 0, &steps), expected);
}

#[test]
fn five_behaviours_of_the_fallback() {
    for (behavior, at_five, at_nine) in [
        ("static", 7, 7),
        ("", 7, 7),
        ("currentReplicas", 5, 9),
        ("currentReplicasIfHigher", 7, 9),
        ("currentReplicasIfLower", 5, 7),
    ] {
        for (replicas, expected) in [(5, at_five), (9, at_nine)] {
            let policy = with_fallback(behavior, 1);
            let mut state = policy.initial_state();
            let wishes = run(&*policy, &mut state, 0, &[(replicas, None); 30]);
            assert_eq!(wishes[29], (Some(expected), Reason::Fallback), "{behavior} at {replicas}");
        }
    }
}

#[test]
fn a_fallback_counts_as_activity_and_without_one_nothing_sleeps() {
    let wishes = |config: serde_json::Value| {
        let policy = build(&config);
        run(&*policy, &mut policy.initial_state(), 0, &[(5, None); 5])
            .into_iter()
            .map(|(wish, _)| wish)
            .collect::<Vec<_>>()
    };
    let fallback = |replicas: u32| serde_json::json!({ "failureThreshold": 3, "replicas": replicas });
    let config =
        |fallback: serde_json::Value| serde_json::json!({ "triggers": [per_replica(50.0)], "fallback": fallback });
    // Poll and sync, sync, poll: the fourth failure is that of the poll at 30 s, and the sync after it gets the fallback.
    assert_eq!(wishes(config(fallback(7))), [None, None, Some(7), Some(7), Some(7)]);
    // Asking for none it stands in nobody's way: the second poll, 30 s later, would sleep, if it were not itself the fallback.
    assert_eq!(wishes(config(serde_json::Value::Null)), [None; 5]);
    let silent = serde_json::json!({ "type": "requests-per-second", "threshold": 50.0, "ignoreNullValues": true });
    let silent = wishes(serde_json::json!({ "triggers": [silent] }));
    assert_eq!(silent[2], Some(0), "a missing rate that is read as none lets it sleep");
}

#[test]
fn loops_have_their_own_pace() {
    let policy = build(&serde_json::json!({ "triggers": [per_replica(50.0)], "polling_interval_s": 20 }));
    assert_eq!(policy.cadence(), Some(Span::from_secs(5)));
    let mut state = policy.initial_state();
    let at = |second: i64, state: &mut State| step(&*policy, &seen(second, 2, Some(100.0)), state);
    let calm = (Some(2), Reason::WithinTolerance);
    let between = (None, Reason::Hold);
    let found: Vec<_> = [0, 5, 10, 15, 20, 25, 30].map(|second| at(second, &mut state)).to_vec();
    assert_eq!(found, [calm, between, between, calm, between, between, calm]);
    assert_eq!(at(-100, &mut state), calm, "a clock that goes back is not waited for");
}

#[test]
fn refuses_what_keda_would_refuse() {
    assert!(
        refused(&serde_json::json!({ "triggers": [] })).contains("`triggers` is a list of 0, must be 1 to 8 triggers")
    );
    let trigger = |trigger: serde_json::Value| refused(&serde_json::json!({ "triggers": [trigger] }));
    assert!(trigger(per_replica(0.0)).contains("`threshold` is 0, must be 0.001 to 1e9"));
    assert!(trigger(serde_json::json!({ "type": "cpu", "value": 80.5 })).contains("`value` is 80.5, must be a whole"));
    let average = serde_json::json!({ "type": "cpu", "metricType": "AverageValue", "value": 0.0 });
    assert!(trigger(average).contains("`value` is 0, must be 1 to 1e9"));
    assert!(trigger(serde_json::json!({ "type": "kafka" })).contains("unknown variant `kafka`"));
    assert!(trigger(serde_json::json!({ "type": "cpu", "value": 80.0, "lag": 1 })).contains("unknown field `lag`"));
    assert!(trigger(office(0)).contains("`desiredReplicas` is 0"));
    let negative = serde_json::json!({ "type": "requests-per-second", "threshold": 1.0, "activationThreshold": -1.0 });
    assert!(trigger(negative).contains("`activationThreshold` is -1, must be 0 to 1e9"));
    assert!(
        refused(&serde_json::json!({ "polling_interval_s": 0 }))
            .contains("`polling_interval_s` is 0, must be 1 to 3600")
    );
    assert!(refused(&serde_json::json!({ "polling_interval_s": 3_601 })).contains("polling_interval_s"));
    assert!(refused(&serde_json::json!({ "cooldown_period_s": 604_801 })).contains("must be 0 to 604800"));
    assert!(
        refused(&serde_json::json!({ "max_replica_count": 0 }))
            .contains("`max_replica_count` is 0, must be at least 1")
    );
    let crossed = serde_json::json!({ "min_replica_count": 5, "max_replica_count": 4 });
    assert!(refused(&crossed).contains("`min_replica_count` is 5"));
    let idle = serde_json::json!({ "min_replica_count": 2, "idle_replica_count": 2 });
    assert!(refused(&idle).contains("`idle_replica_count` is 2, must be at least the workload's fewest"));
    let fallback = serde_json::json!({ "fallback": { "failureThreshold": 3, "replicas": 7 } });
    assert!(refused(&fallback).contains("`fallback` is given, must be absent, or beside a trigger that is not `cpu`"));
    let window = serde_json::json!({ "behavior": { "scaleUp": { "stabilizationWindowSeconds": 4_000 } } });
    assert!(refused(&window).contains("configuration of `keda`: `stabilizationWindowSeconds` is 4000"));
    assert!(refused(&serde_json::json!({ "tolerance": 2.0 })).contains("tolerance"));
}

fn everything() -> Box<dyn DynPolicy> {
    let total = serde_json::json!({ "type": "requests-per-second", "threshold": 100.0, "metricType": "Value" });
    build(&serde_json::json!({
        "triggers": [per_replica(50.0), total, office(6), { "type": "cpu", "value": 70.0 }], "polling_interval_s": 45,
        "idle_replica_count": 0, "min_replica_count": 2, "behavior": {},
        "fallback": { "failureThreshold": 1, "replicas": 4, "behavior": "currentReplicasIfHigher" },
    }))
}

proptest! {
    /// With every kind of trigger: bounds hold, a restart changes nothing, and the state stays small.
    #[test]
    fn any_history_is_answered_within_bounds(
        steps in proptest::collection::vec((0_i64..200_000, 0_u32..30, proptest::option::of(0.0..3_000.0)), 1..60),
    ) {
        let policy = everything();
        let (mut one, mut other) = (policy.initial_state(), policy.initial_state());
        for (second, replicas, rate) in steps {
            let stored = other.snapshot().unwrap();
            prop_assert!(stored.to_string().len() <= STATE_LIMIT_BYTES);
            other = policy.restore(&stored).unwrap();
            let seen = seen(second, replicas, rate);
            let proposal = step(&*policy, &seen, &mut one);
            prop_assert_eq!(proposal, step(&*policy, &seen, &mut other));
            prop_assert!(proposal.0.is_none_or(|wish| wish == 0 || (2..=20).contains(&wish)), "{:?}", proposal);
        }
    }
}
