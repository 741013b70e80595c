//! Two operators, one Lease: one writes, and when it goes the other does.

use std::time::Duration;

use serde_json::{Value, json};

use crate::api::{Does, Seen};
use crate::stage::{Stage, ago, now};

const LEASE: &[&str] = &["--lease-namespace", "shop", "--lease", "operator"];

fn holder(stage: &Stage) -> String {
    stage.api.get("leases", "operator")["spec"]["holderIdentity"].as_str().unwrap_or_default().to_owned()
}

/// What was asked for, in order.
fn wanted(stage: &Stage) -> Vec<Value> {
    let is_write = |seen: &&Seen| seen.verb == "patch" && seen.resource == "deployments/scale";
    stage.api.seen().iter().filter(is_write).map(|seen| seen.body["spec"]["replicas"].clone()).collect()
}

pub(crate) async fn one_of_two_acts_and_the_other_takes_over() {
    let mut stage = Stage::new().await;
    stage.policy(json!({}));
    stage.prometheus.load(800.0);
    stage.start_with(LEASE);
    stage.until("a leader", |stage| !holder(stage).is_empty()).await;
    let first = holder(&stage);
    stage.start_with(LEASE);
    stage.until("the leader to act", |stage| stage.replicas() == 8).await;
    let reads = stage.prometheus.reads();
    assert_eq!((wanted(&stage), reads), (vec![json!(8)], 1), "the other one only watches");
    stage.kill_first();
    let killed = now();
    stage.until("another leader", |stage| holder(stage) != first).await;
    // Its first decision has the past of a status only, so the growth of a window may begin again.
    stage.until("the other to act", |stage| stage.replicas() > 8).await;
    assert!(killed.elapsed() <= Duration::from_secs(20), "{:?} until the other acted", killed.elapsed());
    let wanted = wanted(&stage);
    assert!(wanted.windows(2).all(|pair| pair[0] != pair[1]), "written twice: {wanted:?}");
    stage.end();
}

pub(crate) async fn a_stolen_lease_ends_writing() {
    let mut stage = Stage::new().await;
    stage.policy(json!({}));
    stage.start_with(LEASE);
    stage.until_says("Ready", "True", "AsWanted").await;
    stage.api.change("leases", "operator", |lease| {
        lease["spec"] = json!({ "holderIdentity": "thief", "leaseDurationSeconds": 3600, "renewTime": micro_time() });
    });
    stage.hold(3, "the thief keeps it", |stage| holder(stage) == "thief").await;
    let writes = stage.api.writes();
    stage.prometheus.load(800.0);
    stage.hold(18, "who does not lead does not write", |stage| stage.api.writes() == writes).await;
    stage.api.change("leases", "operator", |lease| lease["spec"]["holderIdentity"] = json!(""));
    stage.until("scaling after the lease came back", |stage| stage.replicas() >= 8).await;
    stage.end();
}

fn micro_time() -> String {
    ago(0).replace('Z', ".000000Z")
}

pub(crate) async fn a_lease_that_cannot_be_renewed_runs_out() {
    let mut stage = Stage::new().await;
    stage.policy(json!({}));
    stage.start_with(LEASE);
    stage.until_says("Ready", "True", "AsWanted").await;
    stage.api.fault("get", "leases", Does::fail(500, "InternalError"));
    stage.hold(11, "time passes", |_| true).await;
    let (writes, looks) = (stage.api.writes(), stage.api.count("get", "leases"));
    stage.prometheus.load(800.0);
    stage.hold(16, "an expired lease is none", |stage| stage.api.writes() == writes).await;
    let looks = stage.api.count("get", "leases") - looks;
    assert!((5..=9).contains(&looks), "{looks} looks in 16 seconds");
    stage.api.heal();
    stage.until("scaling after the server came back", |stage| stage.replicas() >= 8).await;
    stage.end();
}
