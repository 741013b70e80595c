//! Shadows moved by hand, weights by hand, and a mixture that finds the better member.

use super::shadow::{TICK, World};
use super::*;
use crate::observe::{Bounds, Feature, PodCounts, Sample};
use crate::scaling::policies::tests::{build_policy, refused, seen_at_rate, view_of};
use crate::scaling::policy::STATE_LIMIT_BYTES;

const LEAD: Span = Span::from_secs(90);

fn seen(second: i64, rate: f64, replicas: u32) -> Observation {
    let now = Timestamp::from_secs(second);
    let mut seen = Observation::unknown(now, replicas);
    let cpu = (rate * 80.0 / f64::from(replicas)) as i64;
    let counts =
        PodCounts { ready: replicas, sampled: replicas, cpu_milli_per_sampled_pod: cpu, ..PodCounts::default() };
    seen.pods = Pods::Homogeneous(counts);
    seen.metrics.set(Feature::HttpRequestsTotalRate, Some(Sample { at: now - TICK, value: rate }));
    seen
}

fn statics(replicas: &[u32]) -> Value {
    let members: Vec<Value> =
        replicas.iter().map(|n| json!({ "policy": { "id": "static", "config": { "replicas": n } } })).collect();
    json!({ "members": members })
}

#[test]
fn a_world_starts_and_removes_pods_as_a_cluster_does() {
    let mut world = World::of(&seen(0, 100.0, 4), Bounds { min: 1, max: 100 });
    assert_eq!(world.ask(7), 15.0, "three changes");
    world.grow_older(5, LEAD);
    let counts = world.counts(Some(8_000.0), 4_000);
    assert_eq!((counts.ready, counts.starting_by_age[5], counts.sampled), (4, 3, 4));
    assert_eq!(counts.cpu_milli_per_sampled_pod, 2_000);
    world.grow_older(1, LEAD);
    let counts = world.counts(Some(70_000.0), 4_000);
    assert_eq!(
        (counts.ready, counts.sampled, counts.cpu_milli_per_sampled_pod),
        (7, 4, 4_000),
        "three not yet sampled"
    );
    assert_eq!(world.counts(None, 4_000).sampled, 0, "an outage");
    assert_eq!((world.at(Span::ZERO), world.at(TICK * 7)), ((7, 4), (4, 4)));
    // Two more, then three fewer: the two that start go first.
    world.ask(9);
    assert_eq!(world.ask(6), 30.0);
    assert_eq!((world.counts(None, 4_000).ready, world.asked()), (6, 6));
    world.grow_older(i64::MAX, Span::from_secs(100_000));
    assert_eq!(world.at(TICK * 3), (6, 6));
}

/// 60, then (15 × 60 + 76) / 16 = 61; two at once as one after the other, in either order.
#[test]
fn start_ups_are_averaged() {
    let secs = Span::from_secs;
    let mut mean = StartUps::default();
    assert_eq!(mean.update(&[], LEAD), LEAD);
    assert_eq!(mean.update(&[secs(50), secs(70)], LEAD), secs(60));
    let mut other = mean;
    assert_eq!(mean.update(&[secs(76)], LEAD), secs(61));
    assert_eq!(mean.update(&[], LEAD), secs(61));
    let mut turned = other;
    assert_eq!(
        other.update(&[secs(40), secs(90), secs(10_000)], LEAD),
        turned.update(&[secs(10_000), secs(40), secs(90)], LEAD)
    );
}

/// Costs 100, 101 and 120: exp(−30 × 0.01) = 0.7408, exp(−30 × 0.2) = 0.0025.
/// (10 + 0.7408 × 20 + 0.0025 × 90) / 1.7433 = 14.37.
#[test]
fn the_mean_is_weighted_by_relative_cost() {
    let policy = build_policy(ID, &statics(&[10, 20, 90]));
    let mut state = policy.initial_state();
    let memory: &mut Memory = state.typed();
    for (shadow, (cost, pods)) in memory.shadows.iter_mut().zip([(100.0, 10), (101.0, 20), (120.0, 90)]) {
        shadow.cost = cost;
        shadow.world = World::of(&seen(0, 100.0, pods), Bounds { min: 1, max: 100 });
    }
    memory.moved_until = Some(Timestamp::ZERO);
    let blind = Observation::unknown(Timestamp::ZERO, 10);
    let proposal = policy.step(blind.now, &view_of(&blind), &mut state);
    assert_eq!(proposal, Proposal::of(14, Reason::Fixed));
}

/// At 300/s and 50/s per pod 4 pods are hopeless, 10 serve, 60 are a waste: 10 wins within minutes, from any start.
/// Per second: 4 + 300 bad; 10; 60. After ten slots the ratio is over 5, and exp(−30 × 5) is nothing.
#[test]
fn the_cheapest_member_takes_over() {
    let policy = build_policy(ID, &statics(&[4, 10, 60]));
    let mut state = policy.initial_state();
    let mut wishes = Vec::new();
    for i in 0..12 {
        let seen = seen(15 * i, 300.0, 10);
        wishes.push(policy.step(seen.now, &view_of(&seen), &mut state).replicas.unwrap());
    }
    assert!(wishes[0] > 10, "all weigh the same: {wishes:?}");
    assert_eq!(wishes[10..], [10, 10]);
    let memory: &mut Memory = state.typed();
    let cost = |i: usize| memory.shadows[i].cost;
    // 12 slots of 15 s, a change of 6 × 10 at the start (falls), 50 × 5 (rises): within 2 % for what decays in 3 minutes.
    assert!((cost(1) / (12.0 * 150.0) - 1.0).abs() < 0.02, "{}", cost(1));
    // The 50 new pods exist from the second tick after they were asked for.
    assert!((cost(2) / (11.0 * 900.0 + 150.0 + 250.0) - 1.0).abs() < 0.12, "{}", cost(2));
    assert!(cost(0) > 10.0 * 15.0 * 300.0, "{}", cost(0));
}

/// An HPA at 50 % of 4 cores in a shadow of its own: 300/s × 80 ms = 24 cores need 12 pods at 2 cores each, however many
/// real pods there are.
#[test]
fn a_member_sees_its_own_utilisation() {
    let config = json!({ "members": [{ "policy": { "id": "hpa", "config": { "target": 50.0 } } }] });
    for real in [8, 12, 40] {
        let policy = build_policy(ID, &config);
        let mut state = policy.initial_state();
        let mut wish = 0;
        for i in 0..80 {
            let seen = seen(15 * i, 300.0, real);
            wish = policy.step(seen.now, &view_of(&seen), &mut state).replicas.unwrap();
        }
        assert!((11..=13).contains(&wish), "{real} real pods: {wish}");
    }
}

#[test]
fn a_member_without_forecast_stays_reactive() {
    let member = |forecast| json!({ "members": [{ "policy": { "id": "headroom", "config": { "factor": 1.0 } }, "forecast": forecast }] });
    let seen = seen_at_rate(400.0);
    let forecast = crate::scaling::forecast::Quantiles::certain(seen.now, Span::from_secs(105), 800.0);
    let view = View { forecast: Some(&forecast), ..view_of(&seen) };
    for (sees, expected) in [(true, 20), (false, 10)] {
        let policy = build_policy(ID, &member(sees));
        let proposal = policy.step(seen.now, &view, &mut policy.initial_state());
        assert_eq!((proposal.replicas, proposal.forecast), (Some(expected), Some(forecast)));
    }
}

#[test]
fn a_slot_is_charged_once_and_nothing_is_charged_in_an_outage() {
    let policy = build_policy(ID, &statics(&[10]));
    let mut state = policy.initial_state();
    let mut cost_after = |seen: &Observation| {
        policy.step(seen.now, &view_of(seen), &mut state);
        let memory: &mut Memory = state.typed();
        memory.shadows[0].cost
    };
    let first = cost_after(&seen(100, 0.0, 10));
    assert_eq!(first, 150.0);
    assert_eq!(cost_after(&seen(100, 0.0, 10)), first);
    assert_eq!(cost_after(&Observation::unknown(Timestamp::from_secs(1_000), 10)), first);
    let later = cost_after(&seen(2_000, 0.0, 10));
    // A minute is charged for what was lost.
    assert!((later - first - 600.0).abs() < 0.2, "{later}");
    let mut idle = policy.initial_state();
    let blind = Observation::unknown(Timestamp::ZERO, 10);
    assert_eq!(policy.step(blind.now, &view_of(&blind), &mut idle).replicas, Some(10), "a constant needs no metric");
    let hpa = build_policy(ID, &json!({ "members": [{ "policy": { "id": "newsvendor" } }] }));
    assert_eq!(hpa.step(blind.now, &view_of(&blind), &mut hpa.initial_state()), Proposal::none(Reason::MetricMissing));
}

#[test]
fn a_restart_changes_nothing_and_foreign_members_are_refused() {
    let policy = build_policy(ID, &Value::Null);
    let (mut one, mut other) = (policy.initial_state(), policy.initial_state());
    for i in 0..300 {
        let seen = seen(15 * i, 300.0 + 100.0 * ((i / 20) % 5) as f64, 12);
        let forecast = crate::scaling::forecast::Quantiles::certain(seen.now, Span::from_secs(105), 400.0);
        let view = View { forecast: Some(&forecast), ..view_of(&seen) };
        let stored = other.snapshot().unwrap();
        assert!(stored.to_string().len() <= STATE_LIMIT_BYTES);
        other = policy.restore(&stored).unwrap();
        assert_eq!(policy.step(seen.now, &view, &mut one), policy.step(seen.now, &view, &mut other), "step {i}");
    }
    let two = build_policy(ID, &statics(&[1, 2])).initial_state().snapshot().unwrap();
    let message = policy.restore(&two).map(|_| ()).unwrap_err().to_string();
    assert!(message.contains("a mixture of 2 rules where 9 are configured"), "{message}");
    let other_rule = build_policy(ID, &json!({ "members": [{ "policy": { "id": "hpa" } }] }));
    let one_static = build_policy(ID, &statics(&[1])).initial_state().snapshot().unwrap();
    assert!(other_rule.restore(&one_static).is_err(), "a member refuses the state of another rule");
}

#[test]
fn refuses_what_is_out_of_range() {
    assert!(refused(ID, &json!({ "members": [] })).contains("`members` is a list of 0, must be 1 to 12 rules"));
    assert!(refused(ID, &json!({ "members": [{ "policy": { "id": "mixture" } }] })).contains("other than `mixture`"));
    assert!(refused(ID, &json!({ "members": [{ "policy": { "id": "hpa9" } }] })).contains("unknown policy `hpa9`"));
    assert!(refused(ID, &json!({ "sharpness": -1.0 })).contains("sharpness"));
    assert!(refused(ID, &json!({ "half_life_s": 1.0 })).contains("half_life_s"));
    assert!(refused(ID, &json!({ "kappa": 1e9 })).contains("kappa"));
    let member = json!({ "members": [{ "policy": { "id": "newsvendor", "config": { "level": 2.0 } } }] });
    assert!(refused(ID, &member).contains("`newsvendor`: `level` is 2"));
}
