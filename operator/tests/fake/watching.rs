//! Watches that are refused, break, expire or hang: nothing is lost, nothing is done twice.

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
