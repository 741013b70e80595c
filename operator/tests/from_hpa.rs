//! What `seatrial import hpa` writes is a ScalingPolicy: the committed output is read by the operator's own type.
//!
//! The file is made from `experiments/tests/data/hpa.yaml`, and a test there compares it.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up its case has failed")]

use seatrial_operator::scaling_policy::{
    Actuator, HpaPolicy, HpaPolicyType, HpaRules, Mode, ScalingPolicy, SelectPolicy, TargetRef,
};

fn policies() -> Vec<ScalingPolicy> {
    serde_saphyr::from_multiple(include_str!("data/from_hpa.yaml")).unwrap()
}

fn target(kind: &str, name: &str) -> TargetRef {
    TargetRef { api_version: "apps/v1".into(), kind: kind.into(), name: name.into() }
}

#[test]
fn an_imported_autoscaler_only_watches_and_falls_back_on_itself() {
    let policies = policies();
    let [api, web] = policies.as_slice() else { panic!("{} policies", policies.len()) };
    for policy in [api, web] {
        assert_eq!(
            (policy.spec.mode, policy.spec.actuator, policy.spec.paused),
            (Mode::Shadow, Actuator::Scale, false)
        );
        assert_eq!((&policy.spec.bundle, &policy.spec.policy), (&None, &None));
        assert_eq!(policy.spec.metrics.url, "http://prometheus.monitoring:9090");
    }
    assert_eq!(web.metadata.name.as_deref(), Some("web"));
    assert_eq!(web.metadata.namespace.as_deref(), Some("shop"));
    assert_eq!(web.spec.target_ref, target("Deployment", "web"));
    assert_eq!((web.spec.min_replicas, web.spec.max_replicas), (3, 40));
    assert_eq!((web.spec.fallback.cpu_utilization_percent, web.spec.fallback.tolerance_percent), (65, 5));

    // Kubernetes' defaults where the manifest says nothing.
    assert_eq!((api.metadata.name.as_deref(), api.metadata.namespace.as_deref()), (Some("api"), None));
    assert_eq!(api.spec.target_ref, target("StatefulSet", "api"));
    assert_eq!((api.spec.min_replicas, api.spec.max_replicas), (1, 5));
    assert_eq!((api.spec.fallback.cpu_utilization_percent, api.spec.fallback.tolerance_percent), (80, 10));
    assert_eq!(api.spec.fallback.behavior, None);
}

#[test]
fn behavior_arrives_as_it_was() {
    let policies = policies();
    let behavior = policies[1].spec.fallback.behavior.clone().unwrap();
    let limit = |kind, value, period_seconds| HpaPolicy { kind, value, period_seconds };
    let up = HpaRules {
        stabilization_window_seconds: Some(30),
        select_policy: SelectPolicy::Max,
        policies: vec![limit(HpaPolicyType::Pods, 4, 60), limit(HpaPolicyType::Percent, 50, 60)],
    };
    let down = HpaRules {
        stabilization_window_seconds: None,
        select_policy: SelectPolicy::Min,
        policies: vec![limit(HpaPolicyType::Percent, 10, 120)],
    };
    assert_eq!((behavior.scale_up, behavior.scale_down), (Some(up), Some(down)));
}
