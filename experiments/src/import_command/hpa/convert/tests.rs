//! One autoscaler per refusal and per note.

use super::*;
use crate::import_command::hpa::manifest::find;

/// Converts the autoscaler `web` with these lines added to its spec.
fn converted(spec: &str) -> Result<Converted, Vec<String>> {
    let text = format!(
        "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {{ name: web, namespace: shop }}\nspec:\n  \
         scaleTargetRef: {{ apiVersion: apps/v1, kind: Deployment, name: web }}\n  maxReplicas: 10\n{spec}"
    );
    convert(&find(&text).unwrap().autoscalers[0], "http://p:9090")
}

fn fallback(spec: &str) -> (Fallback, Vec<String>) {
    let Converted { policy, notes } = converted(spec).unwrap();
    (policy.spec.fallback, notes)
}

fn refused(spec: &str) -> String {
    let reasons = converted(spec).unwrap_err();
    assert_eq!(reasons.len(), 1, "{reasons:?}");
    assert!(reasons[0].starts_with("HorizontalPodAutoscaler \"web\": "), "{reasons:?}");
    reasons[0].clone()
}

fn metric(kind: &str, name: &str, target: &str) -> String {
    format!("  - {{ type: {kind}, resource: {{ name: {name}, target: {{ {target} }} }} }}\n")
}

#[test]
fn kubernetes_defaults_where_nothing_is_said() {
    let Converted { policy, notes } = converted("").unwrap();
    assert_eq!((policy.spec.min_replicas, policy.spec.max_replicas, policy.spec.mode), (1, 10, "Shadow"));
    assert_eq!(policy.spec.fallback, Fallback { cpu_utilization_percent: 80, tolerance_percent: 10, behavior: None });
    assert!(notes.is_empty(), "{notes:?}");
}

#[test]
fn other_metrics_beside_cpu_are_noted() {
    let cpu = metric("Resource", "cpu", "type: Utilization, averageUtilization: 65");
    let memory = metric("Resource", "memory", "type: Utilization, averageUtilization: 70");
    let external =
        "  - type: External\n    external: { metric: { name: queue }, target: { type: Value, value: \"5\" } }\n";
    let (fallback, notes) = fallback(&format!("  metrics:\n{memory}{cpu}{external}"));
    assert_eq!(fallback.cpu_utilization_percent, 65);
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(notes[0].contains("metric Resource memory (Utilization) is left out"), "{notes:?}");
    assert!(notes[1].contains("metric External is left out"), "{notes:?}");
}

#[test]
fn refuses_autoscalers_without_one_cpu_utilisation() {
    let cpu = metric("Resource", "cpu", "type: Utilization, averageUtilization: 65");
    for (metrics, count) in [
        (metric("Resource", "memory", "type: Utilization, averageUtilization: 70"), 0),
        (metric("Resource", "cpu", "type: AverageValue, averageValue: 500m"), 0),
        (metric("ContainerResource", "cpu", "type: Utilization, averageUtilization: 65"), 0),
        (format!("{cpu}{cpu}"), 2),
    ] {
        let message = refused(&format!("  metrics:\n{metrics}"));
        assert!(message.contains(&format!("it has {count} metrics of type Resource, cpu, Utilization")), "{message}");
    }
    let message =
        refused(&format!("  metrics:\n{}", metric("Resource", "cpu", "type: Utilization, averageUtilization: 0")));
    assert!(message.contains("averageUtilization 0 is not possible"), "{message}");
}

#[test]
fn behavior_is_kept_as_it_is() {
    let rules = "  behavior:\n    scaleDown: { stabilizationWindowSeconds: 120, selectPolicy: Min, policies: \
                 [{ type: Percent, value: 10, periodSeconds: 60 }] }\n    scaleUp: { selectPolicy: Disabled }\n";
    let behavior = fallback(rules).0.behavior.unwrap();
    let down = behavior.scale_down.unwrap();
    assert_eq!((down.stabilization_window_seconds, down.select_policy.as_str()), (Some(120), "Min"));
    assert_eq!(down.policies, [Limit { kind: "Percent".into(), value: 10, period_seconds: 60 }]);
    let up = behavior.scale_up.unwrap();
    assert_eq!((up.stabilization_window_seconds, up.select_policy.as_str()), (None, "Disabled"));
}

#[test]
fn refuses_impossible_behavior() {
    let window = refused("  behavior: { scaleUp: { stabilizationWindowSeconds: 3601 } }\n");
    assert!(window.contains("behavior.scaleUp: a window of 0 to 3600 seconds"), "{window}");
    let choice = refused("  behavior: { scaleDown: { selectPolicy: Median } }\n");
    assert!(choice.contains("selectPolicy \"Median\" is none of"), "{choice}");
    for limit in [
        "type: Nodes, value: 1, periodSeconds: 60",
        "type: Pods, value: 0, periodSeconds: 60",
        "type: Pods, value: 1, periodSeconds: 1801",
    ] {
        let message = refused(&format!("  behavior: {{ scaleUp: {{ policies: [{{ {limit} }}] }} }}\n"));
        assert!(message.contains("behavior.scaleUp: policy ") && message.contains("is not possible"), "{message}");
    }
}

#[test]
fn one_tolerance_stands_for_both_directions() {
    let both = "  behavior: { scaleUp: { tolerance: \"0.05\" }, scaleDown: { tolerance: 50m } }\n";
    assert_eq!(
        fallback(both),
        (Fallback { cpu_utilization_percent: 80, tolerance_percent: 5, behavior: None }, vec![])
    );
    let (fallback_up, notes) = fallback("  behavior: { scaleUp: { tolerance: 0.02 } }\n");
    assert_eq!(fallback_up.tolerance_percent, 2);
    assert!(notes[0].contains("tolerance 2 % upwards and 10 % downwards became 2 %"), "{notes:?}");
    let (fine, notes) = fallback("  behavior: { scaleUp: { tolerance: 0.024 }, scaleDown: { tolerance: 0.024 } }\n");
    assert_eq!(fine.tolerance_percent, 2);
    assert!(notes[0].contains("tolerance 0.024 became 2 %"), "{notes:?}");
    for bad in ["1.5", "-0.1", "[1]", "1k"] {
        let message =
            refused(&format!("  behavior: {{ scaleUp: {{ tolerance: {bad} }}, scaleDown: {{ tolerance: 0.1 }} }}\n"));
        assert!(message.contains("is not possible. A share from 0 to 1"), "{message}");
    }
}

#[test]
fn scale_to_zero_is_noted_and_impossible_bounds_are_refused() {
    let Converted { policy, notes } = converted("  minReplicas: 0\n").unwrap();
    assert_eq!(policy.spec.min_replicas, 1);
    assert!(notes[0].contains("scale to zero"), "{notes:?}");
    assert!(refused("  minReplicas: 11\n").contains("bounds 11 to 10 are not possible"));
    assert!(refused("  minReplicas: -1\n").contains("bounds -1 to 10 are not possible"));
}

/// The autoscaler `web` after `edit`.
fn edited(edit: impl Fn(&mut Autoscaler)) -> Result<Converted, Vec<String>> {
    let text = "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: { name: web }\n\
                spec: { scaleTargetRef: { apiVersion: apps/v1, kind: Deployment, name: web }, maxReplicas: 3 }\n";
    let mut autoscaler = find(text).unwrap().autoscalers.remove(0);
    edit(&mut autoscaler);
    convert(&autoscaler, "http://p:9090")
}

#[test]
fn refuses_names_that_would_leave_the_folder() {
    for name in ["../../etc/passwd", "", "a..b", "-a", "a/b", "A", "a\n"] {
        let reasons = edited(|autoscaler| autoscaler.metadata.name = name.to_owned()).unwrap_err();
        assert!(reasons[0].contains("none that Kubernetes accepts"), "{name}: {reasons:?}");
        assert!(edited(|autoscaler| autoscaler.metadata.namespace = Some(name.to_owned())).is_err(), "{name}");
    }
    assert!(edited(|autoscaler| autoscaler.metadata.name = "web-1.shop".to_owned()).is_ok());
}

#[test]
fn refuses_an_autoscaler_whose_minimum_is_moved_and_a_target_without_a_name() {
    let moved = |autoscaler: &mut Autoscaler| {
        let annotation = (MOVED_MINIMUM.to_owned(), serde_json::json!("{}"));
        autoscaler.metadata.annotations = Some([annotation].into());
    };
    assert!(edited(moved).unwrap_err()[0].contains("Change that policy instead"));
    let nameless = |autoscaler: &mut Autoscaler| autoscaler.spec.scale_target_ref.name = String::new();
    assert!(edited(nameless).unwrap_err()[0].contains("needs kind and name"));
    let versionless = |autoscaler: &mut Autoscaler| autoscaler.spec.scale_target_ref.api_version = None;
    let Converted { policy, notes } = edited(versionless).unwrap();
    assert_eq!(policy.spec.target_ref.api_version, "apps/v1");
    assert!(notes[0].contains("apps/v1 is assumed"), "{notes:?}");
}
