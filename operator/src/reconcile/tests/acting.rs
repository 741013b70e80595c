//! Modes, approvals, actuators: what reaches the workload.

use serde_json::json;

use super::world::World;
use crate::reconcile::consent::APPROVAL_ANNOTATION;
use crate::reconcile::hpa_min::{FINALIZER, HpaFact};
use crate::scaling_policy::Phase;

fn phase(world: &World) -> Phase {
    world.policy.status.as_ref().unwrap().phase.unwrap()
}

fn autoscaler() -> HpaFact {
    HpaFact { name: "web".into(), resource_version: None, min_replicas: Some(3), max_replicas: 25, marker: None }
}

#[test]
fn enforce_follows_the_load_up_at_once_and_down_after_the_window() {
    let mut world = World::new(json!({}));
    world.rate = Some(800.0);
    world.run(60);
    // 800 requests/s × 0.08 cores = 64 cores at 80 % of 4: 20 pods.
    assert_eq!(world.replicas, 20);
    world.rate = Some(160.0);
    world.run(240);
    assert_eq!(world.replicas, 20, "stabilised for 300 s");
    world.run(120);
    assert_eq!(world.replicas, 4);
    assert_eq!(phase(&world), Phase::Acting);
    assert_eq!(world.condition("Ready"), ("True".into(), "AsWanted".into()));
}

#[test]
fn a_built_in_rule_plans_on_its_forecaster() {
    let forecaster = json!({ "id": "persistence", "config": { "horizon_s": 90 } });
    let config = json!({ "level": 0.9, "margin": 1.25, "hold_s": 0 });
    let mut world = World::new(json!({ "policy": { "id": "newsvendor", "config": config, "forecaster": forecaster } }));
    world.rate = Some(800.0);
    world.run(600);
    let last = world.policy.status.as_ref().unwrap().last_decision.clone().unwrap();
    assert_eq!(world.count("history"), 2, "its memory is warmed up, far back and near");
    // 1.25 × 800 / 50: 80 ms per request on 4 cores; planned with the lower bound of the 50, a little less.
    assert!((20..=22).contains(&world.replicas), "{last:?}");
    assert_eq!((last.reason.as_str(), last.stages), ("forecast", vec![format!("forecast: {}", world.replicas)]));
}

#[test]
fn a_settled_object_is_not_written_to() {
    let mut world = World::new(json!({}));
    world.run(600);
    let (statuses, writes) = (world.statuses.len(), world.written.len());
    world.run(3_600);
    assert_eq!((world.statuses.len(), world.written.len()), (statuses, writes));
    assert!((230..=242).contains(&(world.count("record") - 40)), "{} decisions in 70 minutes", world.count("record"));
}

#[test]
fn shadow_decides_and_writes_nothing() {
    let mut world = World::new(json!({ "mode": "Shadow" }));
    world.rate = Some(800.0);
    world.run(300);
    assert!(world.written.is_empty() && world.count("record") > 15);
    assert_eq!(world.policy.status.as_ref().unwrap().target_replicas, Some(8), "4 more than 4 in 15 s");
    assert_eq!((phase(&world), world.condition("ScalingActive").1.as_str()), (Phase::Watching, "Shadow"));
}

#[test]
fn recommend_writes_what_was_approved_and_nothing_else() {
    let mut world = World::new(json!({ "mode": "Recommend" }));
    world.rate = Some(800.0);
    world.run(60);
    assert!(world.written.is_empty());
    assert_eq!(phase(&world), Phase::AwaitingApproval);
    let id = world.policy.status.as_ref().unwrap().last_decision.as_ref().unwrap().id.clone();
    let approve = |id: &str| Some([(APPROVAL_ANNOTATION.to_owned(), id.to_owned())].into());
    world.policy.metadata.annotations = approve("1-8");
    world.run(30);
    assert!(world.written.is_empty());
    assert_eq!(world.condition("ScalingActive").1, "ApprovalOfAnotherDecision");
    world.policy.metadata.annotations = approve(&id);
    world.cycle();
    assert_eq!(world.written, [8], "at once, not at the next sample");
}

#[test]
fn a_recommendation_that_nobody_approves_is_renewed_when_it_can_no_longer_be_approved() {
    let mut world = World::new(json!({ "mode": "Recommend" }));
    world.rate = Some(800.0);
    world.run(300);
    let id = |world: &World| world.policy.status.as_ref().unwrap().last_decision.as_ref().unwrap().id.clone();
    let first = id(&world);
    world.run(200);
    assert_eq!(id(&world), first);
    world.run(300);
    assert_ne!(id(&world), first);
    assert!(world.written.is_empty());
}

#[test]
fn a_changed_spec_is_acted_on_at_once() {
    let mut world = World::new(json!({ "mode": "Shadow" }));
    world.rate = Some(800.0);
    world.run(60);
    world.policy.spec.mode = crate::scaling_policy::Mode::Enforce;
    world.cycle();
    assert_eq!(world.written, [8]);
}

#[test]
fn paused_asks_for_nothing() {
    let mut world = World::new(json!({ "paused": true }));
    world.run(300);
    assert_eq!((world.count("metrics"), world.count("status")), (0, 1));
    assert_eq!(phase(&world), Phase::Paused);
}

#[test]
fn scale_is_refused_while_an_autoscaler_targets_the_workload() {
    let mut world = World::new(json!({}));
    world.autoscalers = vec![autoscaler()];
    world.rate = Some(800.0);
    world.run(120);
    assert!(world.written.is_empty() && world.count("record") > 5, "it watches");
    assert_eq!(world.condition("Conflicted"), ("True".into(), "AutoscalerTargetsWorkload".into()));
    world.autoscalers.clear();
    world.run(60);
    assert!(!world.written.is_empty());
}

#[test]
fn the_elder_of_two_policies_acts() {
    let mut world = World::new(json!({}));
    world.elder = Some("older".into());
    world.rate = Some(800.0);
    world.run(60);
    assert!(world.written.is_empty());
    assert_eq!(world.condition("Conflicted").1, "ElderPolicy");
}

#[test]
fn an_autoscalers_minimum_is_raised_behind_a_finalizer_and_given_back() {
    let mut world = World::new(json!({ "actuator": "hpa-min" }));
    world.autoscalers = vec![autoscaler()];
    world.rate = Some(800.0);
    world.run(60);
    let first = |name: &str| world.asked.iter().position(|asked| *asked == name).unwrap();
    assert!(first("finalizer") < first("write autoscaler"));
    assert_eq!(world.autoscalers[0].min_replicas, Some(8), "as fast as its policy may grow from what is there");
    assert!(world.written.is_empty(), "the workload itself is the autoscaler's");
    world.policy.metadata.deletion_timestamp = Some(super::super::status::api_time(world.now));
    world.run(60);
    assert_eq!((world.autoscalers[0].min_replicas, world.autoscalers[0].marker.clone()), (Some(3), None));
    assert!(world.gone && world.policy.metadata.finalizers.is_none());
}

#[test]
fn a_policy_that_goes_back_to_shadow_gives_the_minimum_back() {
    let mut world = World::new(json!({ "actuator": "hpa-min" }));
    world.autoscalers = vec![autoscaler()];
    world.rate = Some(800.0);
    world.run(60);
    assert_eq!(world.policy.metadata.finalizers, Some(vec![FINALIZER.to_owned()]));
    world.policy.spec.mode = crate::scaling_policy::Mode::Shadow;
    world.run(60);
    assert_eq!((world.autoscalers[0].min_replicas, world.policy.metadata.finalizers.clone()), (Some(3), None));
    assert!(!world.gone);
}

#[test]
fn the_minimum_of_an_autoscaler_that_follows_settles() {
    let mut world = World::new(json!({ "actuator": "hpa-min" }));
    world.autoscalers = vec![autoscaler()];
    world.run(1_200);
    let writes = (world.count("write autoscaler"), world.statuses.len());
    world.run(3_600);
    assert_eq!((world.count("write autoscaler"), world.statuses.len()), writes);
}
