//! Bundles that are missing, broken or replaced: the fallback decides until one is good, the last good one after that.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use seatrial_core::bundle::{Bundle, BundleFiles, BundleParts, Evidence, GOLDEN_FILE, POLICY_FILE, Provenance};
use seatrial_core::nets::Weights;
use seatrial_core::observe::{Feature, Observation, PodCounts, Pods, Sample, Workload};
use seatrial_core::scaling::strategy::{Choice, StrategySpec};
use seatrial_core::time::{Span, Timestamp};
use serde_json::{Value, json};

use crate::api::Does;
use crate::stage::Stage;

fn observation(step: i64) -> Observation {
    let now = Timestamp::from_secs(1_500_000 + 15 * step);
    let mut seen = Observation::unknown(now, 10);
    seen.pods = Pods::Homogeneous(PodCounts { ready: 10, ..PodCounts::default() });
    let rate = 300.0 + 20.0 * f64::from(u8::try_from(step).unwrap());
    for (feature, value) in [
        (Feature::HttpRequestsTotalRate, rate),
        (Feature::HttpRequestDurationSecondsCountRate, rate),
        (Feature::ProcessCpuSecondsTotalRate, 0.08 * rate),
        (Feature::BadRequestRatio, 0.001),
    ] {
        seen.metrics.set(feature, Some(Sample { at: now - Span::from_secs(1), value }));
    }
    seen
}

/// Files of a bundle with nets, other ones for every seed, and its hash.
fn bundle(seed: u64) -> (BundleFiles, String) {
    let weights = Weights::deterministic(seed, 16, 32);
    let files = Bundle::assemble(&BundleParts {
        id: "test".to_owned(),
        strategy: StrategySpec { forecaster: Some(Choice::of("lstm")), ..StrategySpec::of("lstm-dqn") },
        workload: Workload::protocol_p1(),
        weights: Some(&weights),
        provenance: Provenance::default(),
        evidence: Evidence::default(),
        warm_up: Vec::new(),
        observations: (0..20).map(observation).collect(),
    })
    .unwrap();
    let hash = Bundle::load(&files).unwrap().hash().to_owned();
    (files, hash)
}

fn config_map(files: &BundleFiles) -> Value {
    let bytes: BTreeMap<_, _> =
        files.iter().map(|(name, bytes)| (name, k8s_openapi::ByteString(bytes.clone()))).collect();
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "binaryData": bytes })
}

fn named(hash: &str) -> Value {
    json!({ "policy": null, "bundle": { "configMap": { "name": "policy" }, "hash": hash } })
}

/// Ways to break files.
type Breaks = fn(&mut BundleFiles);

pub(crate) async fn broken_ones_leave_the_fallback_in_charge() {
    let cases: [(Breaks, &str); 6] = [
        (|files| *files = bundle(7).0, "BundleHashDiffers"),
        (|files| drop(files.insert(GOLDEN_FILE.to_owned(), vec![b' '; 800 << 10])), "BundleTooLarge"),
        (|files| drop(files.insert(POLICY_FILE.to_owned(), b"{]".to_vec())), "BundleRefused"),
        (|files| drop(files.insert("extra.txt".to_owned(), b"?".to_vec())), "BundleRefused"),
        (|files| drop(files.remove(GOLDEN_FILE)), "BundleRefused"),
        (|files| files.get_mut("weights.safetensors").unwrap()[900] ^= 1, "BundleRefused"),
    ];
    let denied = async { unread(Does::fail(403, "Forbidden"), "AccessDenied").await };
    let failing = async { unread(Does::fail(500, "InternalError"), "ApiUnavailable").await };
    let garbage = async { unread(Does::Answers(200, b"{]".to_vec(), None), "ApiUnavailable").await };
    let missing = async { unread(Does::fail(404, "NotFound"), "BundleNotFound").await };
    tokio::join!(join_all(cases.map(|(breaks, reason)| broken(breaks, reason))), denied, failing, garbage, missing);
}

async fn broken(breaks: Breaks, reason: &str) {
    let mut stage = Stage::new().await;
    let (files, hash) = bundle(3);
    let mut bad = files.clone();
    breaks(&mut bad);
    stage.api.create("configmaps", "shop", "policy", config_map(&bad));
    stage.policy(named(&hash));
    stage.start();
    refused_then_loaded(&stage, reason, || {
        stage.api.change("configmaps", "policy", |map| {
            map["binaryData"] = config_map(&files)["binaryData"].clone();
        });
    })
    .await;
    stage.end();
}

async fn unread(does: Does, reason: &str) {
    let mut stage = Stage::new().await;
    let (files, hash) = bundle(3);
    stage.api.create("configmaps", "shop", "policy", config_map(&files));
    stage.api.fault("get", "configmaps", does);
    stage.policy(named(&hash));
    stage.start();
    refused_then_loaded(&stage, reason, || stage.api.heal()).await;
    stage.end();
}

async fn refused_then_loaded(stage: &Stage, reason: &str, repair: impl FnOnce()) {
    stage.until_says("BundleLoaded", "False", reason).await;
    stage.until_says("FallbackActive", "True", reason).await;
    let before = stage.api.count("get", "configmaps");
    stage.hold(5, "the fallback sees no reason to scale", |stage| stage.replicas() == 4).await;
    assert!(stage.api.count("get", "configmaps") - before <= 1, "looked for again at once");
    repair();
    stage.until_says("BundleLoaded", "True", "AsWanted").await;
    stage.until_says("FallbackActive", "False", "AsWanted").await;
    assert!(stage.prometheus.histories() >= 2, "a forecaster that looks back is warmed up");
}

pub(crate) async fn the_last_good_one_goes_on_deciding() {
    let mut stage = Stage::new().await;
    let ((files, hash), (other, other_hash)) = (bundle(3), bundle(5));
    stage.api.create("configmaps", "shop", "policy", config_map(&files));
    stage.policy(named(&hash));
    stage.start();
    stage.until_says("BundleLoaded", "True", "AsWanted").await;
    let mut bad = other.clone();
    bad.insert(POLICY_FILE.to_owned(), b"not JSON".to_vec());
    stage.api.change("configmaps", "policy", |map| map["binaryData"] = config_map(&bad)["binaryData"].clone());
    let rename = |policy: &mut Value| policy["spec"]["bundle"]["hash"] = json!(other_hash);
    stage.api.change("scalingpolicies", "web", rename);
    stage.until_says("BundleLoaded", "False", "BundleRefused").await;
    assert!(stage.condition("BundleLoaded")["message"].as_str().unwrap().contains("goes on deciding"));
    let in_force = |stage: &Stage| stage.api.get("scalingpolicies", "web")["status"]["bundle"]["hash"].clone();
    assert_eq!((in_force(&stage), &stage.condition("FallbackActive")["status"]), (json!(hash), &json!("False")));
    stage.api.change("configmaps", "policy", |map| map["binaryData"] = config_map(&other)["binaryData"].clone());
    stage.until_says("BundleLoaded", "True", "AsWanted").await;
    assert_eq!(in_force(&stage), json!(other_hash));
    stage.end();
}
