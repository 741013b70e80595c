//! Under a constant load nothing changes, so nothing is written: neither the policy, nor its target, nor an Event.

use seatrial_core::time::Span;
use seatrial_operator::clock::Clock;

use super::process::{until, until_time};
use super::stage::{Operator, PACE, Stage};

/// Without a write for so long, it counts as settled.
const QUIET: Span = Span::from_secs(6);

#[tokio::test]
async fn real_settled_object_is_not_written() {
    nothing_is_written("real_settled", Span::from_secs(60)).await;
}

/// Three minutes by the clock and an hour of model time.
#[tokio::test]
#[ignore = "soak tier: minutes of real time"]
async fn soak_settled_object() {
    nothing_is_written("soak_settled", Span::from_secs(3_600) / PACE).await;
}

async fn nothing_is_written(test: &str, span: Span) {
    // 28 cores of work on 9 pods of 4 cores: 78 %, where 80 % are wanted.
    let Some(stage) = Stage::start(test, &[350.0; 160], 9).await else { return };
    let operator = Operator::start(&stage, "operator").await;
    stage.apply_policy("mode: Enforce\n  policy: { id: hpa }");
    stage.until_condition("Ready", "True", 60).await;
    let quiet = || stage.writes().last().is_some_and(|last| Clock::wall().since(last.at) >= QUIET);
    until("nothing is written any more", 60, || quiet().then_some(())).await;

    let (before, decided, objects) = (stage.writes().len(), operator.decisions(), versions(&stage));
    until_time(Clock::wall() + span).await;
    let writes = stage.writes();
    assert!(writes.len() == before, "{:?}", &writes[before..]);
    assert_eq!(versions(&stage), objects);
    let decisions = operator.decisions() - decided;
    println!("settled: {decisions} decisions in {} s, no write", span.as_secs_f64());
    assert!(decisions >= 0.8 * span.as_secs_f64(), "{decisions} decisions in {} s", span.as_secs_f64());
}

fn versions(stage: &Stage) -> [serde_json::Value; 2] {
    ["scalingpolicy", "deployment"].map(|kind| stage.plane.get(&[kind, "web"])["metadata"]["resourceVersion"].clone())
}
