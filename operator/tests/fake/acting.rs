//! What reaches the workload when all goes well, and while objects come and go.

use serde_json::json;

use crate::api::Does;
use crate::prometheus::Mode;
use crate::stage::Stage;

pub(crate) async fn enforce_scales() {
    let mut stage = Stage::new().await;
    stage.policy(json!({}));
    stage.start();
    stage.until_says("Ready", "True", "AsWanted").await;
    assert_eq!(stage.api.count("patch", "deployments/scale"), 0, "160 requests/s is what four pods carry");
    stage.prometheus.load(800.0);
    stage.until("four pods more, as fast as the rule may grow", |stage| stage.replicas() == 8).await;
    let writes: Vec<_> = stage.api.seen().into_iter().filter(|seen| seen.resource == "deployments/scale").collect();
    let write = writes.iter().find(|seen| seen.verb == "patch").unwrap();
    assert!(write.body["metadata"]["resourceVersion"].is_string(), "a write names the version that it has seen");
    stage
        .until("an Event that tells of it", |stage| {
            stage.api.list("events").iter().any(|event| event["reason"] == "Scaled")
        })
        .await;
    stage.end();
}

pub(crate) async fn shadow_watches() {
    let mut stage = Stage::new().await;
    stage.policy(json!({ "mode": "Shadow" }));
    stage.prometheus.load(800.0);
    stage.start();
    stage.until_says("ScalingActive", "False", "Shadow").await;
    assert_eq!(stage.api.get("scalingpolicies", "web")["status"]["targetReplicas"], 8);
    assert_eq!(stage.api.count("patch", "deployments/scale"), 0);
    stage.end();
}

pub(crate) async fn a_minimum_is_raised_and_given_back_through_conflicts() {
    let mut stage = Stage::new().await;
    let target = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": "web" });
    let hpa = json!({ "kind": "HorizontalPodAutoscaler",
        "spec": { "minReplicas": 3, "maxReplicas": 20, "scaleTargetRef": target } });
    stage.api.create("horizontalpodautoscalers", "shop", "web", hpa);
    stage.policy(json!({ "actuator": "hpa-min" }));
    stage.prometheus.load(800.0);
    stage.api.fault_times(1, "patch", "scalingpolicies", Does::fail(409, "Conflict"));
    stage.api.fault_times(2, "patch", "horizontalpodautoscalers", Does::fail(409, "Conflict"));
    stage.start();
    let minimum = |stage: &Stage| stage.api.get("horizontalpodautoscalers", "web")["spec"]["minReplicas"].clone();
    stage.until("the minimum to be raised", |stage| minimum(stage) == 8).await;
    stage.api.fault_times(1, "patch", "horizontalpodautoscalers", Does::fail(409, "Conflict"));
    stage.api.delete("scalingpolicies", "web");
    stage.until("the policy to be gone", |stage| stage.api.get("scalingpolicies", "web").is_null()).await;
    let left = stage.api.get("horizontalpodautoscalers", "web");
    assert_eq!((&left["spec"]["minReplicas"], &left["metadata"]["annotations"]), (&json!(3), &json!({})));
    assert_eq!(stage.api.count("patch", "deployments/scale"), 0, "the workload is the autoscaler's");
    stage.end();
}

pub(crate) async fn a_target_that_goes_and_comes_back() {
    let mut stage = Stage::new().await;
    stage.policy(json!({}));
    stage.start();
    stage.until_says("Ready", "True", "AsWanted").await;
    stage.api.delete("deployments", "web");
    stage.until_says("Ready", "False", "TargetNotFound").await;
    assert!(stage.condition("Ready")["message"].as_str().unwrap().contains("make one for another target"));
    stage.prometheus.load(800.0);
    stage.deploy();
    stage.until("the new one to be scaled", |stage| stage.replicas() == 8).await;
    stage.until_says("Ready", "True", "AsWanted").await;
    stage.end();
}

pub(crate) async fn a_policy_that_goes_in_the_middle_of_a_cycle() {
    let mut stage = Stage::new().await;
    stage.policy(json!({}));
    stage.prometheus.load(800.0);
    stage.prometheus.set(Mode::Slow);
    stage.start();
    stage.until("a question under way", |stage| stage.prometheus.sample_times() > 0).await;
    stage.api.delete("scalingpolicies", "web");
    stage.hold(4, "nothing is written for a policy that is gone", |stage| stage.api.writes() == 0).await;
    stage.prometheus.set(Mode::Normal);
    stage.policy(json!({}));
    stage.until("one of the same name to act", |stage| stage.replicas() == 8).await;
    stage.end();
}
