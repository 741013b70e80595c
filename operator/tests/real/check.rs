//! `check` on a real API server: silent where all is well, and one line with what to do for each thing that is broken.

use std::path::Path;
use std::time::Duration;

use axum::routing::post;
use kube::{Client, Config};
use seatrial_core::bundle::{Bundle, BundleFiles};
use seatrial_operator::check::{Report, Verdict, check_with};
use seatrial_operator::cli::CheckArgs;
use serde_json::json;

use super::control_plane::ControlPlane;

const INSTALL: &str = include_str!("../../yaml/install.yaml");
const ACCOUNT: &str = "system:serviceaccount:seatrial-system:seatrial-operator";
const BUNDLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../experiments/bundles/quick");
const BUNDLE_FILES: [&str; 3] = ["policy.json", "weights.safetensors", "golden.json"];

const WORKLOAD: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, namespace: default }
spec:
  replicas: 2
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec: { containers: [{ name: web, image: web, resources: { requests: { cpu: "4" } } }] }
"#;

fn arguments() -> CheckArgs {
    CheckArgs {
        namespace: None,
        lease_namespace: Some("seatrial-system".to_owned()),
        credentials: "/etc/seatrial/credentials".into(),
        prometheus: None,
    }
}

/// A policy on Deployment `target` with these further lines of its spec.
fn policy(name: &str, target: &str, prometheus: &str, further: &str) -> String {
    format!(
        "apiVersion: seatrial.dev/v1alpha1\nkind: ScalingPolicy\nmetadata: {{ name: {name}, namespace: default }}\nspec:\n  \
         targetRef: {{ name: {target} }}\n  maxReplicas: 20\n  metrics: {{ url: \"{prometheus}\" }}\n{further}"
    )
}

/// A Prometheus to which everything is 7, samples are two seconds old, and `many` has two series.
async fn prometheus() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    // Names and numbers are the same in a form.
    let answer = async |form: String| {
        let field = |name: &str| form.split('&').find_map(|field| field.strip_prefix(name)).unwrap().to_owned();
        let (query, now) = (field("query="), field("time=").parse::<f64>().unwrap());
        let value = if query.contains("timestamp") { (now - 2.0).to_string() } else { "7".to_owned() };
        let one = json!({ "metric": {}, "value": [now, value] });
        let series = if query == "many" { vec![one.clone(), one] } else { vec![one] };
        json!({ "status": "success", "data": { "resultType": "vector", "result": series } }).to_string()
    };
    let routes = axum::Router::new().route("/api/v1/query", post(answer));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    url
}

async fn as_user(plane: &ControlPlane, user: &str) -> Client {
    let mut config = plane.config().await;
    config.auth_info.impersonate = Some(user.to_owned());
    config.auth_info.impersonate_groups = Some(vec!["system:authenticated".to_owned()]);
    Client::try_from(config).unwrap()
}

async fn look(plane: &ControlPlane, user: &str) -> Report {
    check_with(&arguments(), as_user(plane, user).await, "https://cluster").await
}

fn has(report: &Report, verdict: Verdict, what: &str, words: &str) {
    let found = report
        .findings
        .iter()
        .any(|finding| finding.verdict == verdict && finding.what == what && finding.text.contains(words));
    assert!(found, "no {verdict:?} of {what} says `{words}`:\n{report}");
}

/// The published schema follows a change of the definition within a second or two.
fn wait_until_published(plane: &ControlPlane, is_published: impl Fn(&str) -> bool) {
    let path = "/openapi/v3/apis/seatrial.dev/v1alpha1";
    let published = (0..600)
        .any(|_| is_published(&String::from_utf8_lossy(&plane.try_kubectl(&["get", "--raw", path], "").stdout)));
    assert!(published, "the API server does not publish the schema");
}

fn bundle_hash() -> String {
    let read = |name: &str| (name.to_owned(), std::fs::read(Path::new(BUNDLE).join(name)).unwrap());
    let files: BundleFiles = BUNDLE_FILES.map(read).into_iter().collect();
    Bundle::load(&files).unwrap().hash().to_owned()
}

#[tokio::test]
async fn real_check_finds_nothing_where_all_is_well_and_names_what_is_broken() {
    let Some(plane) = ControlPlane::start("real_check", &["--with", "all", "--nodes", "1", "--audit"]) else { return };
    let url = prometheus().await;
    nothing_is_installed(&plane).await;
    plane.apply(INSTALL).unwrap();
    plane.apply(WORKLOAD).unwrap();
    let files = BUNDLE_FILES.map(|name| format!("--from-file={BUNDLE}/{name}"));
    plane.kubectl(&["create", "configmap", "quick", &files[0], &files[1], &files[2]]);
    plane.kubectl(&["rollout", "status", "deployment/web", "--timeout=60s"]);
    wait_until_published(&plane, |text| text.contains("sampleTime"));
    let bundle = format!("  bundle: {{ configMap: {{ name: quick }}, hash: \"{}\" }}\n", bundle_hash());
    plane.apply(&policy("web", "web", &url, &bundle)).unwrap();
    all_is_well(&plane).await;
    policies_are_broken(&plane, &url).await;
    an_account_without_roles(&plane).await;
    the_type_is_older(&plane).await;
    nothing_was_written(&plane);
}

/// Impersonated requests carry the user they are made for; all but reviews would be a write of `check`.
fn nothing_was_written(plane: &ControlPlane) {
    let written = |line: &serde_json::Value| {
        let verb = line["verb"].as_str().unwrap_or_default();
        let resource = line["objectRef"]["resource"].as_str().unwrap_or_default();
        line["impersonatedUser"].is_object()
            && !["get", "list", "watch"].contains(&verb)
            && !resource.starts_with("selfsubject")
    };
    let lines = plane.audit();
    assert!(
        lines.iter().any(|line| line["impersonatedUser"]["username"] == ACCOUNT),
        "nothing was asked as the operator"
    );
    let writes: Vec<_> = lines.iter().filter(|line| written(line)).collect();
    assert!(writes.is_empty(), "{writes:?}");
}

async fn nothing_is_installed(plane: &ControlPlane) {
    let report = look(plane, "somebody").await;
    has(&report, Verdict::Good, "cluster", "https://cluster is v1.34");
    has(&report, Verdict::Good, "cluster", "asked as somebody");
    has(&report, Verdict::Fail, "resource type", "is not installed: seatrial-operator manifests --crd | kubectl apply");
    assert!(!report.is_good());
}

async fn all_is_well(plane: &ControlPlane) {
    let report = look(plane, ACCOUNT).await;
    assert!(report.is_good(), "{report}");
    has(&report, Verdict::Good, "resource type", "served as this binary knows it");
    has(&report, Verdict::Good, "permissions", "patch scalingpolicies/status (seatrial.dev) in all namespaces");
    has(&report, Verdict::Note, "lease", "is not there yet");
    has(&report, Verdict::Good, "policy default/web", "the scale of Deployment web is readable: 2 replicas");
    has(&report, Verdict::Good, "policy default/web", "loads, hash and golden rows hold");
    has(&report, Verdict::Good, "policy default/web", "decides, mode Shadow");
    has(&report, Verdict::Good, "policy default/web", "11 of 11 queries answer with one number");
}

async fn policies_are_broken(plane: &ControlPlane, url: &str) {
    // An elder that only watches would be in nobody's way.
    plane.kubectl(&["patch", "scalingpolicy", "web", "--type=merge", "-p", r#"{"spec":{"mode":"Recommend"}}"#]);
    for (name, target, prometheus, further) in [
        ("lost", "nowhere", url, String::new()),
        ("web-too", "web", url, String::new()),
        ("hash", "a", url, format!("  bundle: {{ configMap: {{ name: quick }}, hash: \"{}\" }}\n", "f".repeat(64))),
        ("absent", "b", url, format!("  bundle: {{ configMap: {{ name: absent }}, hash: \"{}\" }}\n", "f".repeat(64))),
        ("web-rule", "web", url, "  policy: { id: no-such-rule }\n".to_owned()),
        ("silent", "c", "http://127.0.0.1:1", String::new()),
    ] {
        plane.apply(&policy(name, target, prometheus, &further)).unwrap();
    }
    let queries =
        policy("many", "d", url, "").replace("\" }", "\", queries: { processOpenFds: many, badRequestRatio: many } }");
    plane.apply(&queries).unwrap();
    let token = policy("token", "e", url, "").replace("\" }", "\", tokenFile: /etc/hostname }");
    plane.apply(&token).unwrap();
    plane.kubectl(&["autoscale", "deployment", "web", "--max=5", "--cpu=80%"]);
    let report = look(plane, ACCOUNT).await;
    for (what, words) in [
        (
            "policy default/lost",
            "there is no Deployment nowhere with a scale subresource in default: create it, or correct spec.targetRef",
        ),
        ("policy default/web-too", "ScalingPolicy web is older and targets the same workload"),
        ("policy default/hash", "spec.bundle.hash asks for fff"),
        ("policy default/absent", "ConfigMap absent does not exist in this namespace"),
        ("policy default/web-rule", "no-such-rule"),
        ("policy default/silent", "http://127.0.0.1:1 cannot be reached"),
        ("policy default/many", "processOpenFds: the query answers with more than one series"),
        ("policy default/many", "badRequestRatio: the query answers with more than one series"),
        ("policy default/token", "/etc/hostname: lies outside the folder"),
        ("policy default/web", "HorizontalPodAutoscaler web targets the workload"),
    ] {
        has(&report, Verdict::Fail, what, words);
    }
    has(&report, Verdict::Good, "policy default/many", "9 of 11 queries answer with one number");
    let silent = report.findings.iter().filter(|finding| finding.what == "policy default/silent").count();
    assert_eq!(silent, 2, "the target, and Prometheus once, not once per query:\n{report}");
}

async fn an_account_without_roles(plane: &ControlPlane) {
    let report = look(plane, "somebody").await;
    has(
        &report,
        Verdict::Fail,
        "permissions",
        "not granted in all namespaces: list scalingpolicies (seatrial.dev); watch",
    );
    has(&report, Verdict::Fail, "permissions", "not granted in namespace seatrial-system: create leases");
    has(&report, Verdict::Fail, "lease", "HTTP 403 Forbidden");
    has(
        &report,
        Verdict::Fail,
        "policies",
        "scalingpolicies cannot be listed (HTTP 403 Forbidden): the account may not: apply the roles",
    );
}

async fn the_type_is_older(plane: &ControlPlane) {
    let remove = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/metrics/properties/queries/properties/sampleTime";
    let patch = json!([{ "op": "remove", "path": remove }]).to_string();
    plane.kubectl(&["patch", "crd", "scalingpolicies.seatrial.dev", "--type=json", "-p", &patch]);
    wait_until_published(plane, |text| !text.contains("sampleTime"));
    let report = look(plane, ACCOUNT).await;
    has(&report, Verdict::Fail, "resource type", "the first difference is at spec.metrics.queries.sampleTime");
}

#[tokio::test]
async fn an_api_server_that_is_not_there_ends_the_look() {
    let mut config = Config::new("http://127.0.0.1:1".parse().unwrap());
    config.connect_timeout = Some(Duration::from_secs(1));
    let arguments = CheckArgs { prometheus: Some("http://127.0.0.1:1".to_owned()), ..arguments() };
    let report = check_with(&arguments, Client::try_from(config).unwrap(), "http://127.0.0.1:1").await;
    has(&report, Verdict::Fail, "cluster", "http://127.0.0.1:1 cannot be used");
    has(&report, Verdict::Fail, "prometheus", "http://127.0.0.1:1 cannot be reached");
    assert_eq!(report.findings.len(), 2, "{report}");
}
