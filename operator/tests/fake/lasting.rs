//! What holds for longer: nothing is written to what is settled, and a thousand policies fit.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::json;

use crate::stage::{Stage, now};

/// Policies of the large world.
const MANY: usize = 1_000;
/// What they may take, beside what the process had before: in MiB.
const MOST_MEBIBYTES: u64 = 128;

pub(crate) async fn a_settled_object_is_not_written_to() {
    let mut stage = Stage::new().await;
    stage.policy(json!({}));
    stage.start();
    stage.until_says("Ready", "True", "AsWanted").await;
    stage.until("two decisions", |stage| stage.prometheus.reads() >= 2).await;
    let (writes, asked) = (stage.api.writes(), stage.prometheus.sample_times());
    stage.hold(60, "a settled object is left alone", |stage| stage.api.writes() == writes).await;
    assert!(stage.prometheus.sample_times() - asked >= 30 && stage.prometheus.reads() >= 5, "it went on looking");
    let writers: Vec<_> =
        stage.api.seen().into_iter().filter(crate::api::Seen::is_write).map(|seen| seen.resource).collect();
    assert!(writers.iter().all(|resource| resource == "scalingpolicies/status"), "{writers:?}");
    stage.end();
}

/// Memory is the process's, so this one runs in a process of its own.
#[test]
fn a_thousand_policies_fit() {
    let program = std::env::current_exe().unwrap();
    let arguments = ["--exact", "lasting::a_thousand_policies_in_this_process", "--ignored", "--nocapture"];
    let output = Command::new(program).args(arguments).output().unwrap();
    let told = [output.stdout, output.stderr].concat();
    let told = String::from_utf8_lossy(&told);
    println!("{told}");
    assert!(output.status.success() && told.contains("1 passed"), "{told}");
}

#[test]
#[ignore = "run by `a_thousand_policies_fit` in a process of its own"]
fn a_thousand_policies_in_this_process() {
    crate::stage::note_panics();
    crate::schedule::play(a_thousand());
}

async fn a_thousand() {
    let mut stage = Stage::new().await;
    for index in 0..MANY {
        let name = format!("web-{index}");
        stage.api.create("deployments", "shop", &name, json!({ "kind": "Deployment", "spec": { "replicas": 2 } }));
        let spec = json!({
            "targetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": name },
            "minReplicas": 1, "maxReplicas": 2, "mode": "Enforce", "policy": { "id": "hpa" },
            "metrics": { "url": stage.prometheus.url() }
        });
        let object = json!({ "apiVersion": "seatrial.dev/v1alpha1", "kind": "ScalingPolicy", "spec": spec });
        stage.api.create("scalingpolicies", "shop", &name, object);
    }
    stage.policy(json!({ "mode": "Shadow" }));
    let (before, begun) = (resident_mebibytes(), now());
    stage.start_with(&["--no-lease", "--timeout-ms", "5000"]);
    let decided = |stage: &Stage| {
        let seen = stage.api.seen();
        let statuses = seen.iter().filter(|seen| seen.resource == "scalingpolicies/status" && seen.code == 200);
        statuses.map(|seen| seen.name.clone()).collect::<BTreeSet<_>>().len() > MANY
    };
    while !decided(&stage) {
        assert!(begun.elapsed().as_secs() < 60, "not all decided: {} reads", stage.prometheus.reads());
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    let first = begun.elapsed();
    let policies = stage.api.list("scalingpolicies");
    let undecided = policies.iter().filter(|policy| policy["status"]["lastDecision"].is_null()).count();
    drop(policies);
    let reads = stage.prometheus.reads();
    stage.hold(20, "it lives", |_| true).await;
    let after = resident_mebibytes();
    println!(
        "{MANY} policies: all decided in {first:.1?}, {} decisions in the next 20 s, resident {before} MiB before, {after} MiB after",
        stage.prometheus.reads() - reads
    );
    assert_eq!(undecided, 0);
    assert!(after.saturating_sub(before) <= MOST_MEBIBYTES, "{before} MiB before, {after} MiB after");
    stage.end();
}

fn resident_mebibytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4 / 1024
}
