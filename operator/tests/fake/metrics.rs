//! Metrics that are missing, wrong or late: replicas are held, and the condition says why.

use futures_util::future::join_all;
use serde_json::json;

use crate::prometheus::{Mode, Prometheus};
use crate::stage::Stage;

pub(crate) async fn every_way_of_having_none_is_told_apart() {
    let cases = [
        (Mode::NotANumber, "NotOneNumber"),
        (Mode::Two, "NotOneNumber"),
        (Mode::Empty, "NoSamples"),
        (Mode::Future, "FutureSamples"),
        (Mode::Stale, "Stale"),
        (Mode::Huge, "AnswerTooLarge"),
        (Mode::Slow, "PrometheusUnavailable"),
        (Mode::Denied, "PrometheusDenied"),
        (Mode::BadQuery, "QueryRefused"),
        (Mode::Garbage, "PrometheusUnavailable"),
        (Mode::Failing, "PrometheusUnavailable"),
        (Mode::Down, "PrometheusUnavailable"),
    ];
    join_all(cases.map(|(mode, reason)| none(mode, reason))).await;
}

async fn none(mode: Mode, reason: &str) {
    let mut stage = Stage::new().await;
    stage.policy(json!({}));
    stage.prometheus.load(800.0);
    stage.prometheus.set(mode);
    stage.start();
    stage.until_says("MetricsFresh", "False", reason).await;
    let message = stage.condition("MetricsFresh")["message"].as_str().unwrap_or_default().to_owned();
    assert!(message.len() > 30, "{mode:?}: what to do is not said: {message}");
    let before = stage.prometheus.sample_times() + stage.prometheus.reads();
    stage.hold(6, "replicas are held", |stage| stage.replicas() == 4).await;
    let asked = stage.prometheus.sample_times() + stage.prometheus.reads() - before;
    assert!(asked <= 16, "{mode:?}: {asked} questions in six seconds");
    stage.prometheus.set(Mode::Normal);
    stage.until(&format!("scaling after {mode:?}"), |stage| stage.replicas() == 8).await;
    stage.until_says("MetricsFresh", "True", "AsWanted").await;
    stage.end();
}

pub(crate) async fn replicas_are_held_while_prometheus_is_away() {
    let mut stage = Stage::new().await;
    stage.policy(json!({}));
    stage.prometheus.load(800.0);
    stage.start();
    stage.until("replicas to grow", |stage| stage.replicas() == 8).await;
    stage.prometheus.set(Mode::Down);
    stage.prometheus.load(0.0);
    stage.until_says("MetricsFresh", "False", "PrometheusUnavailable").await;
    let writes = stage.api.writes();
    stage.hold(20, "a status that is said once", |stage| stage.api.writes() == writes && stage.replicas() >= 8).await;
    stage.end();
}

pub(crate) async fn a_prometheus_that_hangs_slows_nobody_else() {
    let mut stage = Stage::new().await;
    let hangs = Prometheus::start(160.0).await;
    hangs.set(Mode::Slow);
    for index in 0..150 {
        let name = format!("slow-{index}");
        stage.api.create("deployments", "shop", &name, json!({ "kind": "Deployment", "spec": { "replicas": 2 } }));
        let spec = json!({
            "targetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": name }, "maxReplicas": 9,
            "metrics": { "url": hangs.url(), "scrapeIntervalSeconds": 1, "staleAfterSeconds": 10 }
        });
        let object = json!({ "apiVersion": "seatrial.dev/v1alpha1", "kind": "ScalingPolicy", "spec": spec });
        stage.api.create("scalingpolicies", "shop", &name, object);
    }
    stage.policy(json!({}));
    stage.start_with(&["--no-lease", "--timeout-ms", "5000"]);
    stage.until("a question that hangs", |_| hangs.sample_times() > 0).await;
    stage.until_says("Ready", "True", "AsWanted").await;
    stage.hold(10, "time passes", |_| true).await;
    let before = stage.prometheus.sample_times();
    stage.hold(20, "time passes", |_| true).await;
    let asked = stage.prometheus.sample_times() - before;
    assert!(asked >= 10, "{asked} questions in 20 seconds, with a sample every second");
    stage.end();
}
