//! SIGTERM, from where the signal has been caught on: what is under way ends, the log is whole, the lease is free.

use std::time::Duration;

use seatrial_datasets::{operated_files, read_operated};
use serde_json::json;

use crate::api::Does;
use crate::stage::{Stage, now};

pub(crate) async fn the_log_is_whole_and_the_lease_is_free() {
    let mut stage = Stage::new().await;
    stage.policy(json!({}));
    stage.prometheus.load(800.0);
    let log = stage.folder.path().join("log");
    let folder = log.display().to_string();
    stage.start_with(&["--lease-namespace", "shop", "--lease", "operator", "--log", &folder]);
    stage.until("two decisions", |stage| stage.prometheus.reads() >= 2 && stage.replicas() > 8).await;
    stage.stop_first().await;
    let rows: Vec<_> = operated_files(&log).unwrap().iter().flat_map(|file| read_operated(file).unwrap()).collect();
    assert_eq!(rows.len(), stage.prometheus.reads(), "a row for each decision");
    assert!(rows.iter().all(|row| row.subject == "shop/web" && row.decided_by == "policy"));
    assert!(rows[0].replay_from.is_some(), "a replay can begin at the first row");
    let lease = stage.api.get("leases", "operator");
    assert!(lease["spec"]["holderIdentity"].is_null(), "{lease}");
    stage.end();
}

pub(crate) async fn a_stuck_request_does_not_keep_it() {
    let mut stage = Stage::new().await;
    stage.policy(json!({}));
    stage.prometheus.load(800.0);
    stage.api.fault("patch", "deployments/scale", Does::Hangs);
    stage.start();
    stage.until("a write under way", |stage| stage.api.count("patch", "deployments/scale") > 0).await;
    let told = now();
    stage.stop_first().await;
    assert!(told.elapsed() < Duration::from_secs(9), "it took {:?}", told.elapsed());
    stage.end();
}
