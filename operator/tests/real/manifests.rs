//! What an administrator installs, on a real API server: accepted, least privileged, and strict with hostile policies.

use seatrial_operator::manifest::permissions::{Grant, OWN, WATCHED};
use seatrial_operator::manifest::{Settings, install_yaml};

use super::control_plane::ControlPlane;

const INSTALL: &str = include_str!("../../yaml/install.yaml");
const ACCOUNT: &str = "system:serviceaccount:seatrial-system:seatrial-operator";

#[test]
fn real_installation_is_accepted_with_least_privilege() {
    let Some(plane) = ControlPlane::start("real_installation", &[]) else { return };
    let applied = plane.apply(INSTALL).unwrap();
    assert_eq!(applied.lines().count(), 12, "{applied}");
    for object in
        ["deployment.apps/seatrial-operator", "flowschema.flowcontrol.apiserver.k8s.io/seatrial-operator-lease"]
    {
        assert!(applied.contains(&format!("{object} serverside-applied")), "{applied}");
    }
    for schema in ["flowschema/seatrial-operator", "flowschema/seatrial-operator-lease"] {
        plane.kubectl(&["wait", "--for=condition=Dangling=False", schema]);
    }
    for grant in WATCHED {
        every_verb_is_granted(&plane, grant, "somewhere", None);
    }
    for grant in OWN {
        every_verb_is_granted(&plane, grant, "seatrial-system", Some("seatrial-operator"));
    }
    what_is_not_needed_is_refused(&plane);
    every_variant_is_accepted(&plane);
}

fn every_verb_is_granted(plane: &ControlPlane, grant: &Grant, namespace: &str, name: Option<&str>) {
    for resource in grant.resources {
        for verb in grant.verbs {
            let object = name.filter(|_| *verb != "create");
            assert!(can(plane, verb, (grant.group, resource, object), namespace), "{verb} {resource} in {namespace}");
        }
    }
}

/// What the API server says to `kubectl auth can-i` as the operator.
fn can(plane: &ControlPlane, verb: &str, (group, resource, name): (&str, &str, Option<&str>), namespace: &str) -> bool {
    let (plural, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let dotted = if group.is_empty() { plural.to_owned() } else { format!("{plural}.{group}") };
    let object = name.map_or(dotted.clone(), |name| format!("{dotted}/{name}"));
    let (subresource, namespace) = (format!("--subresource={subresource}"), format!("--namespace={namespace}"));
    let asked = ["auth", "can-i", verb, &object, &subresource, &namespace, "--as", ACCOUNT];
    let answer = plane.try_kubectl(&asked, "");
    match String::from_utf8(answer.stdout).unwrap().trim() {
        "yes" => true,
        "no" => false,
        other => panic!("{asked:?}: {other} {}", String::from_utf8_lossy(&answer.stderr)),
    }
}

fn what_is_not_needed_is_refused(plane: &ControlPlane) {
    for (verb, group, resource, name, namespace) in [
        ("get", "", "secrets", None, "somewhere"),
        ("list", "", "secrets", None, "seatrial-system"),
        ("list", "", "configmaps", None, "somewhere"),
        ("patch", "", "configmaps", None, "somewhere"),
        ("delete", "", "pods", None, "somewhere"),
        ("create", "", "pods/exec", None, "somewhere"),
        ("create", "", "pods/eviction", None, "somewhere"),
        ("patch", "apps", "deployments", None, "somewhere"),
        ("get", "apps", "deployments", None, "somewhere"),
        ("update", "apps", "deployments/scale", None, "somewhere"),
        ("patch", "apps", "daemonsets", None, "somewhere"),
        ("delete", "autoscaling", "horizontalpodautoscalers", None, "somewhere"),
        ("create", "autoscaling", "horizontalpodautoscalers", None, "somewhere"),
        ("create", "seatrial.dev", "scalingpolicies", None, "somewhere"),
        ("delete", "seatrial.dev", "scalingpolicies", None, "somewhere"),
        ("delete", "events.k8s.io", "events", None, "somewhere"),
        ("get", "coordination.k8s.io", "leases", Some("another"), "seatrial-system"),
        ("update", "coordination.k8s.io", "leases", Some("kube-scheduler"), "kube-system"),
        ("create", "coordination.k8s.io", "leases", None, "kube-system"),
        ("delete", "coordination.k8s.io", "leases", Some("seatrial-operator"), "seatrial-system"),
        ("create", "", "serviceaccounts/token", Some("seatrial-operator"), "seatrial-system"),
        ("bind", "rbac.authorization.k8s.io", "clusterroles", None, "somewhere"),
    ] {
        assert!(!can(plane, verb, (group, resource, name), namespace), "{verb} {resource} in {namespace} is granted");
    }
}

fn every_variant_is_accepted(plane: &ControlPlane) {
    plane.kubectl(&["create", "namespace", "shop"]);
    plane.kubectl(&["delete", "clusterrolebinding", "seatrial-operator"]);
    let settings = Settings {
        replicas: 2,
        watch: Some("shop".to_owned()),
        claim: Some("decisions".to_owned()),
        ..Settings::default()
    };
    // The strategy's parameters that the server filled in do not go with `Recreate`.
    plane.kubectl(&["delete", "deployment", "seatrial-operator", "-n", "seatrial-system"]);
    let applied = plane.apply(&install_yaml(&settings).unwrap()).unwrap();
    assert!(applied.contains("poddisruptionbudget.policy/seatrial-operator serverside-applied"), "{applied}");
    for (namespace, granted) in [("shop", true), ("somewhere", false)] {
        assert_eq!(can(plane, "patch", ("apps", "deployments/scale", None), namespace), granted, "{namespace}");
    }
}

const POLICY: &str = r#"
apiVersion: seatrial.dev/v1alpha1
kind: ScalingPolicy
metadata: { name: web, namespace: default }
spec:
  targetRef: { name: web }
  maxReplicas: 20
  metrics: { url: "http://prometheus.monitoring:9090" }
"#;

/// The policy with one line of its spec changed, or added in front.
fn with(line: &str, replaced: &str) -> String {
    assert!(replaced.is_empty() || POLICY.contains(replaced), "{replaced} is not there");
    if replaced.is_empty() {
        POLICY.replace("spec:\n", &format!("spec:\n  {line}\n"))
    } else {
        POLICY.replace(replaced, line)
    }
}

#[test]
fn real_hostile_policies_are_refused_with_words() {
    let Some(plane) = ControlPlane::start("real_hostile_policies", &[]) else { return };
    plane.apply(include_str!("../../yaml/crd.yaml")).unwrap();
    plane.kubectl(&["wait", "--for=condition=Established", "crd/scalingpolicies.seatrial.dev"]);
    plane.apply(POLICY).unwrap();
    defaults_are_filled_in(&plane);
    let hash = "a".repeat(64);
    for (spec, words) in [
        (with("minReplicas: 21", ""), "minReplicas must not exceed maxReplicas"),
        (with("minReplicas: 0", ""), "should be greater than or equal to 1"),
        (with("maxReplicas: 2000000", "maxReplicas: 20"), "should be less than or equal to 100000"),
        (with("maxReplicas: 1.5", "maxReplicas: 20"), "must be of type integer"),
        (with("mode: Enforce", ""), "mode Enforce needs a bundle or a policy id"),
        (with("mode: enforce", ""), "Unsupported value: \"enforce\""),
        (with("actuator: hpa", ""), "Unsupported value: \"hpa\""),
        (
            with(&format!("policy: {{ id: hpa }}\n  bundle: {{ path: /b, hash: {hash} }}"), ""),
            "bundle and policy exclude each other",
        ),
        (with("bundle: { path: /b, hash: abc }", ""), "spec.bundle.hash"),
        (with(&format!("bundle: {{ hash: {hash} }}"), ""), "exactly one of configMap and path must be set"),
        (
            with(&format!("bundle: {{ path: /b, configMap: {{ name: b }}, hash: {hash} }}"), ""),
            "exactly one of configMap and path",
        ),
        (with("policy: { id: \"../etc\" }", ""), "spec.policy.id"),
        (with("policy: { id: newsvendor, forecaster: { id: \"../etc\" } }", ""), "spec.policy.forecaster.id"),
        (with("capacity: { requestsPerSecond: 0 }", ""), "requestsPerSecond must be positive"),
        (with("capacity: { requestsPerSecond: -3.5 }", ""), "requestsPerSecond must be positive"),
        (with("slo: { waitMilliseconds: 0 }", ""), "spec.slo.waitMilliseconds"),
        (with("fallback: { tolerancePercent: 101 }", ""), "spec.fallback.tolerancePercent"),
        (with("targetRef: { name: other }", "targetRef: { name: web }"), "targetRef is immutable"),
        (with("targetRef: { kind: StatefulSet, name: web }", "targetRef: { name: web }"), "targetRef is immutable"),
        (
            with("metrics: { url: \"ftp://p\" }", "metrics: { url: \"http://prometheus.monitoring:9090\" }"),
            "spec.metrics.url",
        ),
        (
            with(
                "metrics: { url: \"http://p\", staleAfterSeconds: 10 }",
                "metrics: { url: \"http://prometheus.monitoring:9090\" }",
            ),
            "staleAfterSeconds must be at least scrapeIntervalSeconds",
        ),
        (with("metrics: {}", "metrics: { url: \"http://prometheus.monitoring:9090\" }"), "Required value"),
        (with("replicas: 3", ""), ".spec.replicas: field not declared in schema"),
    ] {
        let refusal = plane.apply(&spec).expect_err(&spec);
        assert!(refusal.contains(words), "expected `{words}` for\n{spec}\nbut the API server says\n{refusal}");
    }
    let stored = plane.get(&["scalingpolicy", "web"]);
    assert_eq!(stored["metadata"]["generation"], 1, "nothing of all that was stored");
}

fn defaults_are_filled_in(plane: &ControlPlane) {
    let spec = plane.get(&["spol", "web"])["spec"].clone();
    assert_eq!((&spec["mode"], &spec["actuator"]), (&"Shadow".into(), &"scale".into()), "{spec}");
    assert_eq!((&spec["minReplicas"], &spec["targetRef"]["kind"]), (&1.into(), &"Deployment".into()), "{spec}");
    assert_eq!(spec["metrics"]["staleAfterSeconds"], 45, "{spec}");
}
