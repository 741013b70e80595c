//! Under a constant load nothing changes, so nothing is written: neither the policy, nor its target, nor an Event.

use seatrial_core::record::OperatedDecision;
use seatrial_core::time::{Span, Timestamp};
use seatrial_operator::clock::Clock;

use super::evidence;
use super::process::{until, until_time};
use super::stage::{Operator, PACE, Stage, put_quick_bundle, quick_bundle};

/// Without a write for so long, it counts as settled.
const QUIET: Span = Span::from_secs(6);
/// An hour of model time.
const HOUR: Span = Span::from_secs(3_600 / PACE);
/// A level load on which a policy may settle.
const LEVEL_PER_S: f64 = 200.0;

#[tokio::test]
async fn real_settled_object_is_not_written() {
    nothing_is_written("real_settled", Span::from_secs(60)).await;
}

/// Three minutes by the clock and an hour of model time.
#[tokio::test]
#[ignore = "soak tier: minutes of real time"]
async fn soak_settled_object() {
    nothing_is_written("soak_settled", HOUR).await;
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

/// A learned policy may wander under a constant load: counts differ from slot to slot, and forecasts with them; more so after an
/// outage of Prometheus. It is shown how often; and nothing is written but what it decided.
#[tokio::test]
#[ignore = "soak tier: minutes of real time"]
async fn soak_settled_bundle() {
    let Some(mut stage) = Stage::start("soak_settled_bundle", &[LEVEL_PER_S; 160], 6).await else { return };
    let names_bundle = put_quick_bundle(&stage.plane, &quick_bundle());
    let operator = Operator::start(&stage, "operator").await;
    stage.apply_policy(&format!("mode: Enforce\n  {names_bundle}"));
    stage.until_condition("Ready", "True", 60).await;
    until_time(Clock::wall() + HOUR).await;
    let outage = Clock::wall();
    stage.kill_prometheus();
    until_time(outage + HOUR / 12).await;
    stage.start_prometheus();
    until_time(outage + HOUR / 3).await;
    let (began, folder) = (operator.origin(), operator.log.clone());
    assert!(operator.process.terminate().await.success());

    let rows = evidence::decisions(&folder);
    let until_outage = rows.partition_point(|row| row.record.at_us < (began + outage.since(began) * PACE).micros());
    println!("an hour of {LEVEL_PER_S} requests per second: {}", changes(&rows[..until_outage]));
    println!("an outage of 5 minutes, and 15 minutes: {}", changes(&rows[until_outage..]));
    let writes = stage.writes();
    for trio in rows.windows(3).filter(|trio| alike(&trio[0], &trio[1]) && alike(&trio[1], &trio[2])) {
        let clock = |row: &OperatedDecision| began + Timestamp::from_micros(row.record.at_us).since(began) / PACE;
        let between = clock(&trio[1])..clock(&trio[2]);
        let written: Vec<_> = writes.iter().filter(|write| between.contains(&write.at)).collect();
        assert!(written.is_empty(), "nothing had changed: {written:?}");
    }
}

/// Whether the second decision gives nothing to write after the first.
fn alike(one: &OperatedDecision, other: &OperatedDecision) -> bool {
    let of = |row: &OperatedDecision| {
        let record = &row.record;
        (record.spec_replicas, record.ready, record.decided, record.reason.clone(), row.observation.status_replicas)
    };
    of(one) == of(other) && one.record.decided == one.record.spec_replicas
}

/// The changes among decisions, each with its minute.
fn changes(rows: &[OperatedDecision]) -> String {
    let first = rows[0].record.at_us;
    let told: Vec<String> = rows
        .iter()
        .map(|row| &row.record)
        .filter(|record| record.decided != record.spec_replicas)
        .map(|record| {
            let minute = (record.at_us - first) / 60_000_000;
            format!("{} to {} in minute {minute} ({})", record.spec_replicas, record.decided, record.reason)
        })
        .collect();
    format!("{} decisions, {} changes: {}", rows.len(), told.len(), told.join(", "))
}
