//! Specs that the schema allows and nobody should write: each harms itself alone.

use serde_json::{Value, json};

use crate::stage::Stage;

fn target(api_version: &str, kind: &str, name: &str) -> Value {
    json!({ "targetRef": { "apiVersion": api_version, "kind": kind, "name": name } })
}

fn specs() -> Vec<Value> {
    let long = "$pods".repeat(8_192 / 5);
    let names = [
        "../../../kube-system/deployments/coredns",
        "..",
        "web?x=",
        "web#",
        "web/scale?dryRun=All&x=",
        "web%2Fscale",
        "we b",
        "wéb",
        "web\r\nX-Injected: 1",
        "",
    ];
    let mut specs: Vec<Value> = names.iter().map(|name| target("apps/v1", "Deployment", name)).collect();
    specs.push(target("apps/v1", "Deployment", &"w".repeat(253)));
    specs.push(target("../../api/v1", "Pod", "web"));
    specs.push(target("apps/v1/../..", "Deployment", "web"));
    specs.push(target("a b\r\n", "Deployment", "web"));
    specs.push(target("apps/v1", "../Deployment", "web"));
    specs.push(target("v1", "Namespace", "kube-system"));
    specs.push(json!({ "metrics": { "scrapeIntervalSeconds": 3600, "staleAfterSeconds": 86400 } }));
    specs.push(json!({ "metrics": { "queries": { "sampleTime": long, "processOpenFds": long } } }));
    specs.push(json!({ "metrics": { "url": format!("http://{}", "a".repeat(2_000)) } }));
    specs.push(json!({ "metrics": { "url": "http://127.0.0.1:99999/" } }));
    specs.push(json!({ "metrics": { "tokenFile": "../../../etc/shadow" } }));
    specs.push(json!({ "metrics": { "caFile": "/proc/self/environ" } }));
    specs.push(json!({ "minReplicas": 100_000, "maxReplicas": 100_000 }));
    specs.push(json!({ "slo": { "waitMilliseconds": 600_000 }, "capacity": { "requestsPerSecond": 1e-300 } }));
    specs.push(json!({ "capacity": { "requestsPerSecond": 1e308 } }));
    specs.push(json!({ "policy": { "id": "hpa", "config": { "target": -1e300, "x": { "y": [0, null] } } } }));
    specs.push(json!({ "policy": null, "bundle": { "path": "/dev/../../proc/self/root", "hash": "0".repeat(64) } }));
    specs.push(
        json!({ "policy": null, "bundle": { "configMap": { "name": "../secrets/token" }, "hash": "0".repeat(64) } }),
    );
    specs.push(json!({ "fallback": { "cpuUtilizationPercent": 1, "tolerancePercent": 100,
        "behavior": { "scaleUp": { "policies": [{ "type": "Pods", "value": i32::MAX, "periodSeconds": 1 }] } } } }));
    specs
}

pub(crate) async fn specs_that_pass_the_schema() {
    let mut stage = Stage::new().await;
    let specs = specs();
    for (index, extra) in specs.iter().enumerate() {
        let name = format!("hostile-{index}");
        let mut spec = json!({
            "targetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": name },
            "minReplicas": 2, "maxReplicas": 30, "mode": "Enforce", "policy": { "id": "hpa" },
            "metrics": { "url": stage.prometheus.url(), "scrapeIntervalSeconds": 1, "staleAfterSeconds": 10 }
        });
        crate::store::merge(&mut spec, extra.clone());
        stage.api.create("deployments", "shop", &name, json!({ "kind": "Deployment", "spec": { "replicas": 3 } }));
        let object = json!({ "apiVersion": "seatrial.dev/v1alpha1", "kind": "ScalingPolicy", "spec": spec });
        stage.api.create("scalingpolicies", "shop", &name, object);
    }
    stage.policy(json!({}));
    stage.prometheus.load(800.0);
    stage.start();
    stage.until("the honest one to be served", |stage| stage.replicas() == 8).await;
    let answered = |stage: &Stage, index: usize| {
        let status = &stage.api.get("scalingpolicies", &format!("hostile-{index}"))["status"];
        status["conditions"].as_array().is_some_and(|all| all.len() == 6)
    };
    stage.until("a status for each", |stage| (0..specs.len()).all(|index| answered(stage, index))).await;
    let before = stage.api.seen().len();
    stage.hold(5, "the operator lives", |_| true).await;
    let asked = stage.api.seen().len() - before;
    assert!(asked <= 15 * specs.len(), "{asked} requests in five seconds");
    stays_within_its_objects(&stage);
    stage.end();
}

/// Whatever a name holds, requests go to scales, configmaps and statuses of one namespace.
fn stays_within_its_objects(stage: &Stage) {
    let known = ["scalingpolicies", "pods", "horizontalpodautoscalers", "scalingpolicies/status", "events", "leases"];
    for seen in stage.api.seen() {
        let own = known.contains(&&*seen.resource);
        let plain = seen.name.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c)) && seen.name != "..";
        let scale = seen.resource == "deployments/scale" && plain && !seen.name.is_empty();
        assert!(own || scale, "{seen:?}");
    }
}

pub(crate) async fn a_workload_of_two_billion_replicas() {
    let mut stage = Stage::new().await;
    stage.policy(json!({}));
    stage.api.change("deployments", "web", |object| object["spec"]["replicas"] = json!(i32::MAX));
    stage.start();
    stage.until("it to come back into its limits", |stage| stage.replicas() <= 30).await;
    stage.api.change("deployments", "web", |object| object["spec"]["replicas"] = json!(-1));
    stage.until_says("ScalingActive", "False", "ScaledToZero").await;
    stage.end();
}

pub(crate) async fn addresses_with_passwords() {
    let mut stage = Stage::new().await;
    let url = stage.prometheus.url().replace("http://", "http://admin:hunter2@");
    stage.policy(json!({ "metrics": { "url": url } }));
    stage.start();
    stage.until_says("Ready", "False", "SpecRefused").await;
    let status = stage.api.get("scalingpolicies", "web")["status"].to_string();
    let events = format!("{:?}", stage.api.list("events"));
    assert!(!status.contains("hunter2") && !events.contains("hunter2"), "{status}\n{events}");
    assert!(status.contains("tokenFile"), "what to do instead is not said: {status}");
    assert_eq!(stage.prometheus.sample_times(), 0);
    stage.end();
}
