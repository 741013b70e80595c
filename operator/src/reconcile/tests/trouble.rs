//! What fails: held replicas, a False condition with a reason, no hot loop, and what was good stays.

use proptest::prelude::*;
use seatrial_core::control::error_class::{Failure, Reason as Cause};
use seatrial_core::time::Span;
use serde_json::json;

use super::world::World;
use crate::reconcile::conditions::Reason;
use crate::reconcile::conversation::Problem;
use crate::scaling_policy::Phase;

fn failure(status: u16, reason: Cause) -> Failure {
    Failure { status: Some(status), reason, retry_after: None, transport: None }
}

#[test]
fn missing_metrics_hold_and_never_scale_down() {
    let mut world = World::new(json!({}));
    world.rate = Some(800.0);
    world.run(60);
    world.rate = None;
    world.metrics_problem = Some(Problem::new(Reason::PrometheusUnavailable, "it does not answer"));
    let writes = world.written.len();
    world.run(1_800);
    assert_eq!((world.replicas, world.written.len()), (20, writes));
    assert_eq!(world.condition("MetricsFresh"), ("False".into(), "PrometheusUnavailable".into()));
    assert_eq!(world.policy.status.as_ref().unwrap().phase, Some(Phase::Holding));
    world.rate = Some(800.0);
    world.metrics_problem = None;
    world.run(60);
    assert_eq!(world.condition("Ready").0, "True");
}

/// An autoscaler on CPU sees CPU that is fresh; with another metric missing it may grow, and may not shrink.
#[test]
fn what_nobody_measures_is_no_reason_to_shrink_for_a_rule_that_looks_elsewhere() {
    let eager = json!({ "policy": { "id": "hpa", "config": { "downscale_stabilization_s": 0 } } });
    let mut world = World::new(eager);
    world.metrics_problem = Some(Problem::new(Reason::NotOneNumber, "the rate of requests is NaN"));
    world.rate = Some(800.0);
    world.run(60);
    assert_eq!(world.replicas, 20, "it grows");
    world.rate = Some(160.0);
    world.run(600);
    assert_eq!(world.replicas, 20);
    assert_eq!(world.condition("ScalingActive"), ("False".into(), "HoldingReplicas".into()));
    world.metrics_problem = None;
    world.run(60);
    assert_eq!((world.replicas, world.condition("ScalingActive").0.as_str()), (4, "True"));
}

#[test]
fn a_target_that_is_not_there_is_said_once_and_asked_for_slowly() {
    let mut world = World::new(json!({}));
    for (cause, status, expected, most) in [
        (Cause::NotFound, 404, "TargetNotFound", 40),
        (Cause::Forbidden, 403, "AccessDenied", 20),
        (Cause::InternalError, 500, "ApiUnavailable", 120),
    ] {
        world.scale_failure = Some(failure(status, cause));
        world.run(20);
        let (statuses, asked) = (world.statuses.len(), world.count("scale"));
        world.run(600);
        assert_eq!((world.statuses.len(), world.condition("Ready").1.as_str()), (statuses, expected));
        assert_eq!(world.condition("ScalingActive"), ("False".into(), expected.into()));
        assert!(world.count("scale") - asked <= most, "{} questions in ten minutes", world.count("scale") - asked);
    }
    let told = world.machine.take_happenings();
    assert_eq!(told.iter().filter(|happening| happening.reason == "TargetUnavailable").count(), 3, "{told:?}");
}

#[test]
fn a_server_that_asks_for_time_gets_it() {
    let mut world = World::new(json!({}));
    let throttled = Failure { retry_after: Some(Span::from_secs(60)), ..failure(429, Cause::TooManyRequests) };
    world.scale_failure = Some(throttled);
    world.run(600);
    assert!(world.count("scale") <= 11, "{}", world.count("scale"));
}

#[test]
fn a_refused_write_is_a_condition_and_is_tried_again() {
    let mut world = World::new(json!({}));
    world.run(30);
    world.rate = Some(800.0);
    world.write_failure = Some(failure(403, Cause::Forbidden));
    world.run(60);
    assert_eq!(world.replicas, 4);
    world.write_failure = None;
    world.run(60);
    assert!(world.replicas > 4);
    assert_eq!(world.condition("ScalingActive").0, "True");
}

#[test]
fn a_bundle_that_is_not_there_leaves_the_fallback_in_charge() {
    let bundle = json!({ "configMap": { "name": "policy" }, "hash": "0".repeat(64) });
    let mut world = World::new(json!({ "policy": null, "bundle": bundle }));
    world.rate = Some(800.0);
    world.run(300);
    assert_eq!(world.replicas, 20, "the fallback is an autoscaler at 80 %");
    assert_eq!(world.condition("BundleLoaded"), ("False".into(), "BundleNotFound".into()));
    assert_eq!(world.condition("FallbackActive"), ("True".into(), "BundleNotFound".into()));
    assert_eq!(world.policy.status.as_ref().unwrap().fallback_share_percent, Some(100));
    assert!(world.count("bundle") <= 11, "{} looks in five minutes", world.count("bundle"));
}

#[test]
fn a_rule_that_nobody_knows_is_refused_with_the_known_ones() {
    let mut world = World::new(json!({ "policy": { "id": "hpaa" } }));
    world.run(60);
    assert_eq!(world.condition("Ready"), ("False".into(), "SpecRefused".into()));
    assert_eq!(world.policy.status.as_ref().unwrap().phase, Some(Phase::Failed));
    assert_eq!(world.condition("ScalingActive"), ("False".into(), "SpecRefused".into()));
    for blind in ["static", "cron"] {
        world.policy.spec.policy.as_mut().unwrap().id = blind.to_owned();
        world.run(60);
        assert_eq!(world.condition("Ready"), ("False".into(), "SpecRefused".into()), "{blind} without a config");
        assert!(world.written.is_empty(), "{blind}");
    }
    world.policy.spec.policy.as_mut().unwrap().id = "hpa".to_owned();
    world.run(60);
    assert_eq!(world.condition("Ready").0, "True");
}

#[test]
fn a_rule_that_plans_on_a_forecast_is_refused_until_a_forecaster_is_named() {
    let mut world = World::new(json!({ "policy": { "id": "newsvendor" } }));
    let refused = |world: &mut World, words: &str| {
        world.run(60);
        assert_eq!(world.condition("Ready"), ("False".into(), "SpecRefused".into()));
        let status = world.policy.status.as_ref().unwrap();
        assert!(status.conditions.iter().any(|condition| condition.message.contains(words)), "{status:?}");
    };
    refused(&mut world, "needs a forecaster");
    let name = |world: &mut World, forecaster| {
        world.policy.spec.policy.as_mut().unwrap().forecaster = serde_json::from_value(forecaster).unwrap();
    };
    name(&mut world, json!({ "id": "crystal-ball" }));
    refused(&mut world, "unknown forecaster `crystal-ball`");
    name(&mut world, json!({ "id": "persistence", "config": { "horizon": 60 } }));
    refused(&mut world, "configuration of `persistence`");
    assert_eq!(world.count("record"), 0);
    name(&mut world, json!({ "id": "persistence", "config": { "horizon_s": 60 } }));
    world.run(60);
    assert_eq!(world.condition("Ready").0, "True");
}

#[test]
fn pods_without_cpu_requests_cannot_be_planned_for() {
    let mut world = World::new(json!({}));
    world.cpu_request_milli = None;
    world.run(60);
    assert_eq!(world.condition("Ready"), ("False".into(), "NoCpuRequest".into()));
    assert!(world.written.is_empty());
}

#[test]
fn a_workload_that_is_scaled_to_zero_is_left_alone() {
    let mut world = World::new(json!({}));
    world.replicas = 0;
    world.run(300);
    assert!(world.written.is_empty());
    assert_eq!(world.condition("ScalingActive").1, "ScaledToZero");
}

#[test]
fn a_restart_writes_no_status_and_no_scale() {
    let mut world = World::new(json!({}));
    world.run(1_200);
    let (statuses, writes) = (world.statuses.len(), world.written.len());
    world.machine = crate::reconcile::Machine::new("shop/web".to_owned(), crate::reconcile::Pace(1));
    world.run(600);
    assert_eq!((world.statuses.len(), world.written.len()), (statuses, writes));
}

#[test]
fn a_restart_does_not_shrink_before_the_window_is_covered() {
    let mut world = World::new(json!({}));
    world.rate = Some(800.0);
    world.run(60);
    world.machine = crate::reconcile::Machine::new("shop/web".to_owned(), crate::reconcile::Pace(1));
    world.rate = Some(160.0);
    world.run(280);
    assert_eq!(world.replicas, 20);
    world.run(60);
    assert_eq!(world.replicas, 4);
}

#[test]
fn a_clock_that_jumps_neither_shrinks_at_once_nor_ends_decisions() {
    for (name, jump_s) in [("ahead", 86_400), ("back", -3_600)] {
        let mut world = World::new(json!({}));
        world.rate = Some(800.0);
        world.run(600);
        assert_eq!(world.replicas, 20);
        world.rate = Some(160.0);
        world.now += Span::from_secs(jump_s);
        let decided = world.count("record");
        world.run(240);
        assert_eq!(world.replicas, 20, "{name}: the window is not covered");
        assert!(world.count("record") - decided >= 14, "{name}: {} decisions", world.count("record") - decided);
        world.run(180);
        assert_eq!(world.replicas, 4, "{name}");
    }
}

proptest! {
    /// Whatever comes and goes: limits are kept, and a policy that only watches writes nothing.
    #[test]
    fn no_trouble_breaks_the_limits(
        shadow in any::<bool>(),
        steps in proptest::collection::vec((0_u8..7, 1_i64..120, 0.0_f64..3_000.0), 1..25),
    ) {
        let mut world = World::new(json!({ "mode": if shadow { "Shadow" } else { "Enforce" } }));
        for (event, seconds, rate) in steps {
            match event {
                0 => world.rate = None,
                1 => world.rate = Some(rate),
                2 => world.scale_failure = Some(failure(500, Cause::InternalError)),
                3 => world.scale_failure = None,
                4 => world.write_failure = Some(failure(409, Cause::Conflict)),
                5 => world.write_failure = None,
                _ => world.machine = crate::reconcile::Machine::new("shop/web".to_owned(), crate::reconcile::Pace(1)),
            }
            world.run(seconds);
            prop_assert!((2..=30).contains(&world.replicas));
        }
        prop_assert!(!shadow || world.written.is_empty());
        prop_assert!(world.written.windows(2).all(|pair| pair[0] != pair[1]), "no write twice: {:?}", world.written);
    }
}
