//! Requests to the API server that fail, in every way: a reason, pauses between tries, and recovery.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use crate::api::Does;
use crate::stage::Stage;

/// Most tries in the seconds after the condition was reported: the fastest class begins at a fraction of a second and doubles.
const SECONDS: u64 = 5;

fn answers(code: u16, body: &[u8]) -> Does {
    Does::Answers(code, body.to_vec(), None)
}

pub(crate) async fn scale_that_cannot_be_read() {
    let huge = vec![b' '; 10_000_000];
    let cases = [
        (Does::fail(403, "Forbidden"), "AccessDenied", 1),
        (Does::fail(401, "Unauthorized"), "AccessDenied", 1),
        (Does::fail(404, "NotFound"), "TargetNotFound", 3),
        (Does::fail(409, "Conflict"), "ApiUnavailable", 10),
        (Does::fail(410, "Expired"), "ApiUnavailable", 10),
        (Does::fail(422, "Invalid"), "ApiUnavailable", 1),
        (Does::throttle(2), "ApiUnavailable", 3),
        (Does::fail(500, "InternalError"), "ApiUnavailable", 8),
        (Does::fail(503, "ServiceUnavailable"), "ApiUnavailable", 8),
        (answers(502, b"<html>bad gateway"), "ApiUnavailable", 8),
        (answers(200, b""), "ApiUnavailable", 2),
        (answers(200, b"{]"), "ApiUnavailable", 2),
        (answers(200, &huge), "ApiUnavailable", 8),
        (Does::terminating(), "NamespaceTerminating", 2),
        (Does::Breaks, "ApiUnavailable", 8),
        (Does::Hangs, "ApiUnavailable", 3),
    ];
    join_all(cases.map(|(does, reason, most)| unread(does, reason, most))).await;
}

async fn unread(does: Does, reason: &str, most: usize) {
    let mut stage = Stage::new().await;
    stage.policy(json!({}));
    stage.prometheus.load(800.0);
    stage.api.fault("get", "deployments/scale", does);
    stage.start();
    stage.until_says("Ready", "False", reason).await;
    let before = (stage.api.count("get", "deployments/scale"), stage.api.writes());
    stage.hold(SECONDS, "nothing is written", |stage| stage.api.writes() == before.1).await;
    let tries = stage.api.count("get", "deployments/scale") - before.0;
    assert!(tries <= most, "{reason}: {tries} tries in {SECONDS} s");
    stage.api.heal();
    stage.until(&format!("recovery from {reason}"), |stage| stage.replicas() == 8).await;
    stage.until_says("Ready", "True", "AsWanted").await;
    stage.end();
}

pub(crate) async fn scale_that_cannot_be_written() {
    let cases = [
        (Does::fail(403, "Forbidden"), "AccessDenied", 1),
        (Does::fail(404, "NotFound"), "TargetNotFound", 3),
        (Does::fail(409, "Conflict"), "WriteConflict", 10),
        (Does::fail(410, "Expired"), "ApiUnavailable", 10),
        (Does::fail(422, "Invalid"), "ApiUnavailable", 1),
        (Does::throttle(2), "ApiUnavailable", 3),
        (Does::fail(500, "InternalError"), "ApiUnavailable", 8),
        (Does::fail(504, "Timeout"), "ApiUnavailable", 8),
        (Does::terminating(), "NamespaceTerminating", 2),
        (answers(200, b"garbage"), "ApiUnavailable", 2),
        (Does::Breaks, "ApiUnavailable", 8),
        (Does::Hangs, "ApiUnavailable", 3),
    ];
    join_all(cases.map(|(does, reason, most)| unwritten(does, reason, most))).await;
}

async fn unwritten(does: Does, reason: &str, most: usize) {
    let mut stage = Stage::new().await;
    stage.policy(json!({}));
    stage.prometheus.load(800.0);
    stage.api.fault("patch", "deployments/scale", does);
    stage.start();
    stage.until_says("ScalingActive", "False", reason).await;
    let before = stage.api.count("patch", "deployments/scale");
    stage.hold(SECONDS, "the workload is as it was", |stage| stage.replicas() == 4).await;
    let tries = stage.api.count("patch", "deployments/scale") - before;
    assert!(tries <= most, "{reason}: {tries} tries in {SECONDS} s");
    stage.api.heal();
    stage.until(&format!("recovery from {reason}"), |stage| stage.replicas() >= 8).await;
    stage.until_says("ScalingActive", "True", "Enforcing").await;
    stage.end();
}

pub(crate) async fn status_that_cannot_be_written() {
    let cases = [
        (Does::fail(403, "Forbidden"), 1),
        (Does::fail(409, "Conflict"), 10),
        (Does::fail(422, "Invalid"), 1),
        (Does::throttle(3), 2),
        (Does::fail(500, "InternalError"), 8),
        (Does::Breaks, 8),
        (Does::Hangs, 3),
    ];
    join_all(cases.map(|(does, most)| unsaid(does, most))).await;
}

async fn unsaid(does: Does, most: usize) {
    let mut stage = Stage::new().await;
    stage.policy(json!({}));
    stage.prometheus.load(800.0);
    stage.api.fault("patch", "scalingpolicies/status", does.clone());
    stage.start();
    stage.until("scaling goes on without a status", |stage| stage.replicas() == 8).await;
    let before = stage.api.count("patch", "scalingpolicies/status");
    stage.hold(SECONDS, "no status", |stage| stage.condition("Ready").is_null()).await;
    let tries = stage.api.count("patch", "scalingpolicies/status") - before;
    assert!(tries <= most, "{does:?}: {tries} tries in {SECONDS} s");
    stage.api.heal();
    stage.until(&format!("a status after {does:?}"), |stage| stage.condition("Ready")["status"] == "True").await;
    stage.end();
}

pub(crate) async fn a_server_that_asks_for_time_gets_it() {
    let cases = [("get", "deployments/scale"), ("patch", "deployments/scale"), ("patch", "scalingpolicies/status")];
    join_all(cases.map(|(verb, resource)| asked_to_wait(verb, resource))).await;
}

async fn asked_to_wait(verb: &'static str, resource: &'static str) {
    let mut stage = Stage::new().await;
    stage.policy(json!({}));
    stage.prometheus.load(800.0);
    stage.api.fault_times(3, verb, resource, Does::throttle(5));
    stage.start();
    stage.until(&format!("{verb} {resource} to come back"), |stage| stage.api.count(verb, resource) > 3).await;
    let seen = stage.api.seen().into_iter().filter(|seen| seen.verb == verb && seen.resource == resource);
    let times: Vec<_> = seen.take(4).map(|seen| seen.at).collect();
    let pauses: Vec<Duration> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(pauses.iter().all(|pause| *pause >= Duration::from_secs(5)), "{verb} {resource}: {pauses:?}");
    stage.end();
}

pub(crate) async fn a_write_whose_answer_is_lost_is_not_repeated() {
    let mut stage = Stage::new().await;
    stage.policy(json!({}));
    stage.prometheus.load(800.0);
    stage.api.fault_times(1, "patch", "deployments/scale", Does::WritesAndBreaks);
    stage.start();
    stage.until("the write to be taken", |stage| stage.replicas() == 8).await;
    stage.until_says("ScalingActive", "True", "Enforcing").await;
    let wanted = |seen: &crate::api::Seen| seen.body["spec"]["replicas"].clone();
    let seen = stage.api.seen();
    let writes: Vec<_> =
        seen.iter().filter(|seen| seen.verb == "patch" && seen.resource == "deployments/scale").collect();
    let wanted: Vec<_> = writes.into_iter().map(wanted).collect();
    assert!(wanted.windows(2).all(|pair| pair[0] != pair[1]), "written twice: {wanted:?}");
    stage.end();
}

/// An Event is a courtesy: without it everything else goes on, and it is not tried again.
pub(crate) async fn events_that_are_refused() {
    let mut stage = Stage::new().await;
    stage.policy(json!({}));
    stage.prometheus.load(800.0);
    for verb in ["create", "patch"] {
        stage.api.fault(verb, "events", Does::fail(403, "Forbidden"));
    }
    stage.start();
    stage.until("scaling", |stage| stage.replicas() == 8).await;
    stage.until_says("Ready", "True", "AsWanted").await;
    stage.until("a try to tell", |stage| stage.api.count("create", "events") > 0).await;
    let tries = stage.api.count("create", "events");
    stage.prometheus.load(320.0);
    stage.hold(SECONDS, "it is not tried again", |stage| stage.api.count("create", "events") == tries).await;
    assert!(stage.api.list("events").is_empty());
    stage.api.heal();
    stage.prometheus.load(1_600.0);
    let scaled = |stage: &Stage| stage.api.list("events").iter().any(|event| event["reason"] == "Scaled");
    stage.until("an Event of the next scaling", scaled).await;
    assert!(stage.replicas() > 8);
    stage.end();
}
