//! Who is in charge when an operator dies: the autoscaler, or the next operator.

use seatrial_core::time::Span;
use seatrial_operator::clock::Clock;
use serde_json::Value;

use super::account::Write;
use super::loads;
use super::process::until;
use super::stage::{Operator, Stage, put_quick_bundle, quick_bundle};

const AUTOSCALER: &str = r#"
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: { name: web, namespace: default }
spec:
  scaleTargetRef: { apiVersion: apps/v1, kind: Deployment, name: web }
  minReplicas: 3
  maxReplicas: 20
  metrics:
  - { type: Resource, resource: { name: cpu, target: { type: Utilization, averageUtilization: 80 } } }
"#;

#[tokio::test]
async fn real_hpa_min_leaves_the_hpa_in_charge() {
    let Some(stage) = Stage::start("real_hpa_min", &[300.0; 110], 4).await else { return };
    stage.plane.apply(AUTOSCALER).unwrap();
    let names_bundle = put_quick_bundle(&stage.plane, &quick_bundle());
    let operator = Operator::start(&stage, "operator").await;
    stage.apply_policy(&format!("mode: Enforce\n  actuator: hpa-min\n  {names_bundle}"));
    let raised = until("the minimum is raised", 60, || minimum(&stage).filter(|minimum| *minimum >= 6)).await;
    until("the autoscaler follows its minimum", 30, || (stage.replicas() >= raised).then_some(())).await;
    operator.process.kill();

    let left = autoscaler(&stage);
    let minimum_left = left["spec"]["minReplicas"].as_u64().unwrap();
    assert!(left["metadata"]["annotations"]["seatrial.dev/hpa-min"].is_string(), "{left}");
    stage.plane.kubectl(&["scale", "deployment/web", "--replicas=1"]);
    until("the autoscaler is in charge", 30, || (stage.replicas() == minimum_left).then_some(())).await;
    assert_eq!(autoscaler(&stage)["spec"], left["spec"]);
    assert!(stage.writes().iter().all(|write| !write.what.contains("deployments")), "{:?}", stage.writes());

    stage.plane.kubectl(&["delete", "spol", "web", "--wait=false"]);
    assert_eq!(minimum(&stage), Some(minimum_left), "nobody is there who could restore it");
    let _operator = Operator::start(&stage, "operator-again").await;
    until("the policy is gone", 60, || {
        stage.plane.kubectl(&["get", "spol", "--ignore-not-found", "web"]).is_empty().then_some(())
    })
    .await;
    let restored = autoscaler(&stage);
    assert_eq!(restored["spec"]["minReplicas"], 3);
    assert!(restored["metadata"]["annotations"]["seatrial.dev/hpa-min"].is_null(), "{restored}");
    println!("minimum 3, raised to {raised}, {minimum_left} when the operator was killed, restored with the next");
}

fn autoscaler(stage: &Stage) -> Value {
    stage.plane.get(&["hpa", "web"])
}

fn minimum(stage: &Stage) -> Option<u64> {
    autoscaler(stage)["spec"]["minReplicas"].as_u64()
}

/// Both operators have work: the load rises before and after the change of the leader.
const SLOPE: [(usize, f64); 2] = [(0, 250.0), (14, 850.0)];

#[tokio::test]
async fn real_failover() {
    let Some(stage) = Stage::start("real_failover", &loads::lines(&SLOPE, 110), 5).await else { return };
    let names_bundle = put_quick_bundle(&stage.plane, &quick_bundle());
    let first = Operator::start(&stage, "first").await;
    until("the first leads", 20, || first.leads().then_some(())).await;
    let second = Operator::start(&stage, "second").await;
    stage.apply_policy(&format!("mode: Enforce\n  {names_bundle}"));
    until("the first scales", 60, || stage.writes().iter().any(Write::scaled).then_some(())).await;
    assert_eq!((second.leads(), second.decisions()), (false, 0.0));

    first.process.kill();
    let killed = Clock::wall();
    until("the second leads", 20, || second.leads().then_some(())).await;
    println!("the second leads {:.1} s after the first was killed", Clock::wall().since(killed).as_secs_f64());
    second.until_decisions(5.0, 30).await;
    let by_second = |stage: &Stage| stage.writes().iter().any(|write| write.scaled() && write.at > killed);
    until("the second scales", 30, || by_second(&stage).then_some(())).await;

    let writes: Vec<_> = stage.writes().into_iter().filter(|write| write.what.contains("deployments/scale")).collect();
    let by_second = writes.iter().position(|write| write.credential == second.credential).unwrap();
    let (ours, theirs) = writes.split_at(by_second);
    assert!(!ours.is_empty() && ours.iter().all(|write| write.credential == first.credential), "{ours:?}");
    assert!(theirs.iter().all(|write| write.credential == second.credential), "{theirs:?}");
    assert!(ours.iter().all(|write| write.at < killed + Span::from_millis(100)), "{ours:?}");
    // The API server counts changes of the spec: a decision that is written twice changes nothing the second time.
    let changes = stage.plane.get(&["deployment", "web"])["metadata"]["generation"].as_u64().unwrap() - 1;
    let scaled = writes.iter().filter(|write| write.scaled()).count() as u64;
    println!("scale writes: {} of the first, {} of the second; {changes} changes", ours.len(), theirs.len());
    assert_eq!(scaled, changes, "{writes:?}");
}
