//! Watches that are refused, break, expire or hang: nothing is lost, nothing is done twice.

use std::time::Duration;

use serde_json::json;

use crate::api::Does;
use crate::stage::Stage;

pub(crate) async fn a_refused_watch_is_tried_slowly() {
    let mut stage = Stage::new().await;
    stage.policy(json!({}));
    stage.prometheus.load(800.0);
    stage.api.fault("list", "scalingpolicies", Does::fail(403, "Forbidden"));
    let listen = free_address().await;
    stage.start_with(&["--no-lease", "--listen", &listen]);
    stage.until("a try", |stage| stage.api.count("list", "scalingpolicies") > 0).await;
    stage.hold(6, "nothing is done half-blind", |stage| stage.api.writes() == 0).await;
    let tries = stage.api.count("list", "scalingpolicies");
    assert!((2..=8).contains(&tries), "{tries} tries in six seconds");
    assert_eq!((code(&listen, "/readyz").await, code(&listen, "/healthz").await), (503, 200));
    stage.api.heal();
    stage.until("recovery", |stage| stage.replicas() == 8).await;
    assert_eq!(code(&listen, "/readyz").await, 200);
    stage.end();
}

async fn free_address() -> String {
    tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string()
}

/// The status code of a GET.
async fn code(address: &str, path: &str) -> u16 {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

pub(crate) async fn a_broken_pod_watch_loses_nothing() {
    let mut stage = Stage::new().await;
    stage.policy(json!({}));
    stage.start();
    stage.until_says("Ready", "True", "AsWanted").await;
    let (begun, reads, writes) = (crate::stage::now(), stage.prometheus.reads(), stage.api.writes());
    for round in 0..6 {
        match round % 3 {
            0 => stage.api.cut("pods"),
            1 => stage.api.expire("pods"),
            _ => stage.api.forget("pods"),
        }
        stage.hold(2, "a broken watch is no reason to write", |stage| stage.api.writes() == writes).await;
    }
    let most = 2 + begun.elapsed().as_secs() / 15;
    let decided = stage.prometheus.reads() - reads;
    assert!(decided as u64 <= most, "{decided} decisions, {most} were due");
    stage.prometheus.load(800.0);
    stage.until("pods that still count", |stage| stage.replicas() == 8).await;
    stage.end();
}

pub(crate) async fn a_spec_changed_behind_a_broken_watch() {
    let mut stage = Stage::new().await;
    stage.policy(json!({}));
    stage.start();
    stage.until_says("Ready", "True", "AsWanted").await;
    stage.api.fault_times(2, "watch", "scalingpolicies", Does::fail(500, "InternalError"));
    stage.api.fault_times(1, "list", "scalingpolicies", Does::Breaks);
    stage.api.forget("scalingpolicies");
    stage.api.change("scalingpolicies", "web", |policy| policy["spec"]["paused"] = json!(true));
    stage.until_says("ScalingActive", "False", "Paused").await;
    stage.api.expire("scalingpolicies");
    stage.api.delete("scalingpolicies", "web");
    let polls = |stage: &Stage| stage.prometheus.sample_times();
    let before = polls(&stage);
    stage.hold(3, "a paused policy asks for nothing", |stage| polls(stage) == before).await;
    stage.end();
}

pub(crate) async fn a_list_that_hangs_is_given_up() {
    let mut stage = Stage::new().await;
    stage.policy(json!({}));
    stage.prometheus.load(800.0);
    stage.api.fault_times(1, "list", "pods", Does::Hangs);
    stage.start();
    stage.until("another try", |stage| stage.api.count("list", "pods") == 2).await;
    stage.until("recovery", |stage| stage.replicas() == 8).await;
    stage.end();
}

pub(crate) async fn a_watch_that_hangs_keeps_nobody_waiting() {
    let mut stage = Stage::new().await;
    stage.policy(json!({}));
    stage.prometheus.load(800.0);
    for resource in ["pods", "scalingpolicies", "horizontalpodautoscalers"] {
        stage.api.fault("watch", resource, Does::Hangs);
    }
    stage.start();
    stage.until("decisions on what was listed", |stage| stage.replicas() == 8).await;
    stage.end();
}

/// Pages of two: the token of a page expires, then a page hangs; nothing is done until all are there.
pub(crate) async fn lists_that_come_in_pages() {
    let mut stage = Stage::new().await;
    stage.api.page(2);
    for name in ["a", "b"] {
        stage.api.create("deployments", "shop", name, json!({ "kind": "Deployment", "spec": { "replicas": 3 } }));
        let spec = json!({
            "targetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": name }, "maxReplicas": 9,
            "metrics": { "url": stage.prometheus.url(), "scrapeIntervalSeconds": 1, "staleAfterSeconds": 10 }
        });
        let object = json!({ "apiVersion": "seatrial.dev/v1alpha1", "kind": "ScalingPolicy", "spec": spec });
        stage.api.create("scalingpolicies", "shop", name, object);
    }
    stage.policy(json!({}));
    stage.prometheus.load(800.0);
    stage.api.fault_times(1, "list", "pods/next", Does::fail(410, "Expired"));
    stage.api.fault_times(1, "list", "pods/next", Does::Hangs);
    stage.start();
    stage.until("a page that hangs", |stage| stage.api.count("list", "pods/next") == 2).await;
    assert_eq!(stage.api.count("list", "pods"), 2, "after 410 it begins with the first page");
    stage.hold(6, "nothing is done half-blind", |stage| stage.api.writes() + stage.prometheus.reads() == 0).await;
    // Its pods are on the last pages, and a policy without pods does not decide.
    stage.until("the pods of the last page to count", |stage| stage.replicas() == 8).await;
    assert_eq!((stage.api.count("list", "pods"), stage.api.count("list", "pods/next")), (3, 2 + 4));
    let says = |stage: &Stage, name| stage.api.get("scalingpolicies", name)["status"]["phase"].is_string();
    stage.until("every policy to be looked at", |stage| ["a", "b", "web"].iter().all(|name| says(stage, name))).await;
    stage.end();
}

/// Six seconds late: what was decided and written meanwhile is neither repeated nor taken back.
pub(crate) async fn events_that_come_late() {
    let mut stage = Stage::new().await;
    for resource in ["pods", "scalingpolicies"] {
        stage.api.delay(resource, Duration::from_secs(6));
    }
    stage.policy(json!({}));
    // What eight pods carry.
    stage.prometheus.load(320.0);
    stage.start();
    stage.until("scaling by what was listed", |stage| stage.replicas() == 8).await;
    stage.hold(20, "what was written stays", |stage| stage.replicas() == 8).await;
    assert_eq!(stage.api.count("patch", "deployments/scale"), 1, "one change, one write");
    // The decision, and the replicas that came of it.
    assert!(
        stage.api.count("patch", "scalingpolicies/status") <= 2,
        "a status that is on its way is not written again"
    );

    stage.api.change("scalingpolicies", "web", |policy| policy["spec"]["paused"] = json!(true));
    stage.until_says("ScalingActive", "False", "Paused").await;
    stage.api.change("scalingpolicies", "web", |policy| policy["spec"]["paused"] = json!(false));
    stage.until_says("ScalingActive", "True", "Enforcing").await;
    stage.api.delete("scalingpolicies", "web");
    let (writes, asked) = (stage.api.writes(), stage.api.seen().len());
    stage.hold(5, "nobody is written to for a policy that is gone", |stage| stage.api.writes() == writes).await;
    let in_vain = stage.api.seen().len() - asked;
    assert!(in_vain <= 8, "{in_vain} requests for a policy that is gone");
    stage.hold(4, "time passes", |_| true).await;
    let polls = |stage: &Stage| stage.prometheus.sample_times();
    let before = polls(&stage);
    stage.hold(4, "nothing is asked once that is known", |stage| polls(stage) == before).await;
    stage.end();
}
