//! The resource type as the API server sees it: committed, documented, with its rules in place.

#![expect(
    clippy::unwrap_used,
    reason = "an integration test: what the functions beside the tests unwrap is a failure too"
)]

use seatrial_operator::manifest::{Settings, crd_yaml, install_yaml};
use seatrial_operator::queries::DEFAULT_QUERIES;
use seatrial_operator::scaling_policy::{Actuator, Mode, ScalingPolicy};
use serde_json::Value;

const COMMITTED: &str = include_str!("../yaml/crd.yaml");

fn schema() -> Value {
    let crd: Value = serde_saphyr::from_str(COMMITTED).unwrap();
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

/// Every property of a schema with its path.
fn properties(schema: &Value, path: &str, found: &mut Vec<(String, Value)>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        properties(property, &path, found);
        properties(&property["items"], &path, found);
        found.push((path, property.clone()));
    }
}

fn rules_at(pointer: &str) -> Vec<String> {
    let schema = schema();
    let rules = schema.pointer(pointer).unwrap()["x-kubernetes-validations"].as_array().unwrap().clone();
    rules.iter().map(|rule| rule["rule"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_committed_yaml_is_up_to_date() {
    assert!(crd_yaml().unwrap() == COMMITTED, "operator/yaml/crd.yaml is stale: run `cargo xtask generate`");
}

#[test]
fn the_committed_installation_is_up_to_date() {
    let generated = install_yaml(&Settings::default()).unwrap();
    assert!(
        generated == include_str!("../yaml/install.yaml"),
        "operator/yaml/install.yaml is stale: run `cargo xtask generate`"
    );
    assert!(generated.ends_with('\n') && !generated.contains("kind: PodDisruptionBudget"));
}

#[test]
fn what_a_schema_cannot_say_stands_in_rules() {
    let spec = rules_at("/properties/spec");
    assert!(spec.contains(&"self.minReplicas <= self.maxReplicas".to_owned()), "{spec:?}");
    assert!(spec.iter().any(|rule| rule.contains("self.mode != 'Enforce'")), "{spec:?}");
    assert!(spec.iter().any(|rule| rule.contains("oldSelf.targetRef")), "{spec:?}");
    assert_eq!(rules_at("/properties/spec/properties/bundle"), ["has(self.configMap) != has(self.path)"]);
    assert_eq!(rules_at("/properties/spec/properties/capacity"), ["self.requestsPerSecond > 0.0"]);
    assert_eq!(
        rules_at("/properties/spec/properties/metrics"),
        ["self.staleAfterSeconds >= self.scrapeIntervalSeconds"]
    );
}

#[test]
fn every_field_is_documented_and_settings_name_their_default() {
    let mut found = Vec::new();
    properties(&schema()["properties"]["spec"], "spec", &mut found);
    properties(&schema()["properties"]["status"], "status", &mut found);
    assert!(found.len() > 50, "only {} fields found", found.len());
    for (path, property) in found {
        let text = property["description"].as_str().unwrap_or_else(|| panic!("{path} has no description"));
        let setting = path.starts_with("spec") && property["properties"].is_null() && property["items"].is_null();
        assert!(!setting || text.contains("efault"), "{path} names no default: {text}");
    }
}

#[test]
fn the_documented_queries_are_the_ones_in_force() {
    let schema = schema();
    let queries = &schema["properties"]["spec"]["properties"]["metrics"]["properties"]["queries"]["properties"];
    assert_eq!(queries.as_object().unwrap().len(), DEFAULT_QUERIES.len());
    for (feature, query) in DEFAULT_QUERIES {
        let text = queries[feature]["description"].as_str().unwrap();
        assert!(text.ends_with(&format!("Default: `{query}`.")), "{feature}: {text}");
    }
}

#[test]
fn kubectl_shows_target_mode_and_replicas() {
    let crd: Value = serde_saphyr::from_str(COMMITTED).unwrap();
    let columns = crd["spec"]["versions"][0]["additionalPrinterColumns"].as_array().unwrap();
    let names: Vec<&str> = columns.iter().map(|column| column["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Target", "Mode", "Min", "Max", "Replicas", "Wanted", "Phase", "Ready", "Reason", "Age"]);
    assert_eq!(crd["spec"]["names"]["shortNames"], serde_json::json!(["spol"]));
    assert!(crd["spec"]["versions"][0]["subresources"]["status"].is_object());
}

#[test]
fn a_short_manifest_means_shadow_with_the_documented_defaults() {
    let manifest = "
apiVersion: seatrial.dev/v1alpha1
kind: ScalingPolicy
metadata: { name: web }
spec:
  targetRef: { name: web }
  maxReplicas: 20
  metrics: { url: http://prometheus.monitoring:9090 }
";
    let policy: ScalingPolicy = serde_saphyr::from_str(manifest).unwrap();
    let spec = policy.spec;
    assert_eq!((spec.mode, spec.actuator, spec.paused), (Mode::Shadow, Actuator::Scale, false));
    assert_eq!((spec.min_replicas, spec.max_replicas, spec.slo.wait_milliseconds), (1, 20, 120));
    assert_eq!((spec.target_ref.api_version.as_str(), spec.target_ref.kind.as_str()), ("apps/v1", "Deployment"));
    assert_eq!((spec.metrics.scrape_interval_seconds, spec.metrics.stale_after_seconds), (15, 45));
    assert_eq!((spec.fallback.cpu_utilization_percent, spec.fallback.tolerance_percent), (80, 10));
}
