//! The loop follows its load: watched in Shadow, acting in Enforce, proven by its log, and unharmed by outages.

use seatrial_core::bundle::Bundle;
use seatrial_core::record::OperatedDecision;
use seatrial_core::time::{Span, Timestamp};
use seatrial_operator::clock::Clock;
use seatrial_operator::world::log::Entry;

use super::account::Write;
use super::process::{until, until_time};
use super::stage::{Operator, Stage, bins, put_quick_bundle, quick_bundle};
use super::{evidence, loads};

/// The load in requests per second at bins of four seconds (a minute of the model): level, up to two and a half times as much, down
/// again. A pod serves 50. The first of the six pods' successors is asked for at 261 requests/s, where the guard's floor of 15 %
/// headroom exceeds six; until they are full, at 300, a climb of 0.3 pods a minute takes 156 s, half as much again as the 105 s of lag
/// and start-up. So no request on the way up needs to be bad, whichever policy decides.
const HILL: [(usize, f64); 5] = [(0, 200.0), (8, 200.0), (28, 500.0), (31, 500.0), (33, 200.0)];
const CLIMB: std::ops::Range<i64> = 8..28;
const PEAK: std::ops::Range<i64> = 29..31;
const CAPACITY_PER_S: f64 = 50.0;
/// When the workload has followed it down.
const OVER: i64 = 37;
const REPLICAS: u32 = 6;

#[tokio::test]
async fn real_loop_follows_the_load() {
    let Some(mut stage) = Stage::start("real_loop", &loads::lines(&HILL, 118), REPLICAS).await else { return };
    let bundle = quick_bundle();
    let names_bundle = put_quick_bundle(&stage.plane, &bundle);
    let operator = Operator::start(&stage, "operator").await;
    println!("resident memory: {:.1} MiB before the first policy", operator.process.resident_mib());
    in_shadow_nothing_is_written(&stage, &operator, &names_bundle).await;
    let acts_from = Clock::wall();
    in_enforce_the_load_is_followed(&stage, acts_from).await;

    println!("resident memory: {:.1} MiB with one policy", operator.process.resident_mib());
    let (origin, folder) = (operator.origin(), operator.log.clone());
    assert!(operator.process.terminate().await.success());
    let rows = evidence::decisions(&folder);
    the_log_is_proof(&rows, &bundle);
    show_latencies(&evidence::latencies(&stage, origin, &rows, &stage.writes()));

    let operator = Operator::start(&stage, "operator-again").await;
    operator.until_decisions(2.0, 30).await;
    without_metrics_replicas_are_held(&mut stage).await;
    an_outage_loses_nothing(&stage, &operator, "apiserver").await;
    an_outage_loses_nothing(&stage, &operator, "etcd").await;
}

async fn in_shadow_nothing_is_written(stage: &Stage, operator: &Operator, names_bundle: &str) {
    stage.apply_policy(&format!("mode: Shadow\n  {names_bundle}"));
    until("20 decisions", 60, || (operator.decisions() >= 20.0).then_some(())).await;
    stage.until_phase("Watching").await;
    for (kind, expected) in [("BundleLoaded", "True"), ("MetricsFresh", "True"), ("FallbackActive", "False")] {
        stage.until_condition(kind, expected, 5).await;
    }
    assert!(stage.writes().iter().all(|write| !write.what.contains("deployments")), "{:?}", stage.writes());
    assert_eq!(stage.replicas(), u64::from(REPLICAS));
}

async fn in_enforce_the_load_is_followed(stage: &Stage, acts_from: Timestamp) {
    let began = stage.happened()[0].wall;
    assert!(
        acts_from < began + bins(HILL[1].0 as i64),
        "the load rises already: this machine is too slow to show anything"
    );
    stage.plane.kubectl(&["patch", "spol", "web", "--type=merge", "-p", r#"{"spec":{"mode":"Enforce"}}"#]);
    until_time(began + bins(OVER)).await;
    let happened = stage.happened();
    show(&happened, began);
    let during = |bins_: std::ops::Range<i64>| {
        let (from, until) = (began + bins(bins_.start), began + bins(bins_.end));
        happened.iter().filter(|entry| (from..until).contains(&entry.wall)).copied().collect::<Vec<Entry>>()
    };
    let (climb, peak, end) = (during(CLIMB), during(PEAK), during(OVER - 2..OVER));
    let needed = peak.iter().map(|entry| entry.requests_per_s).fold(0.0, f64::max) / CAPACITY_PER_S;
    let at_peak = peak.iter().map(|entry| entry.ready).min().unwrap();
    let at_end = end.iter().map(|entry| entry.ready).max().unwrap();
    assert!(f64::from(at_peak) >= needed, "{at_peak} pods at the peak, {needed} are needed");
    assert!(at_end < at_peak, "{at_end} pods at the end, {at_peak} at the peak");
    for (when, entries) in [("on the way up", &climb), ("at the peak", &peak), ("at the end", &end)] {
        let ratio = bad_ratio(entries);
        assert!(ratio < 0.05, "{ratio} of the requests {when} are bad");
    }
    assert!(stage.writes().iter().any(Write::scaled));
    stage.until_phase("Acting").await;
    let share = &stage.status()["fallbackSharePercent"];
    assert!(share.as_i64().unwrap() < 5, "{share} % by the fallback");
}

fn bad_ratio(entries: &[Entry]) -> f64 {
    let requests = |entry: &Entry| entry.requests_per_s * entry.until.since(entry.from).as_secs_f64();
    let bad: f64 = entries.iter().map(|entry| requests(entry) * entry.bad_ratio.unwrap_or(0.0)).sum();
    bad / entries.iter().map(requests).sum::<f64>()
}

fn show(happened: &[Entry], began: Timestamp) {
    println!("  clock s | requests/s | ready pods | bad %");
    for bin in 0..OVER {
        let slot = (began + bins(bin))..(began + bins(bin + 1));
        let within: Vec<Entry> = happened.iter().filter(|entry| slot.contains(&entry.wall)).copied().collect();
        let Some(last) = within.last() else { continue };
        let seconds = (slot.start.since(began)).as_secs_f64();
        println!(
            "  {seconds:7.0} | {:10.0} | {:10} | {:5.1}",
            last.requests_per_s,
            last.ready,
            100.0 * bad_ratio(&within)
        );
    }
}

fn the_log_is_proof(rows: &[OperatedDecision], bundle: &Bundle) {
    let fallback = rows.iter().filter(|row| row.decided_by == "fallback").count();
    assert!((fallback as f64) < 0.05 * rows.len() as f64, "{fallback} of {} decisions by the fallback", rows.len());
    let replayed = evidence::replay(rows, bundle);
    assert!(replayed.compared > 0 && replayed.differing.is_empty(), "{replayed:?}");
    let otherwise = evidence::decided_otherwise(rows, bundle, &evidence::with_one_weight_changed(bundle));
    println!(
        "log: {} decisions, {} replayed alike, {otherwise} otherwise with one weight changed, {fallback} by the fallback",
        rows.len(),
        replayed.compared
    );
    assert!(otherwise > 0, "the bundle does not decide");
}

fn show_latencies(latencies: &[f64]) {
    let (median, most) = (latencies.get(latencies.len() / 2), latencies.last());
    println!("end of scrape to scale write: {} writes, median {median:?} s, most {most:?} s", latencies.len());
}

/// More replicas than the load needs stay, and nothing is written, until there are metrics again.
async fn without_metrics_replicas_are_held(stage: &mut Stage) {
    stage.until_condition("MetricsFresh", "True", 30).await;
    stage.kill_prometheus();
    let killed = Clock::wall();
    stage.plane.kubectl(&["scale", "deployment/web", "--replicas=12"]);
    // A write that was under way has come by now.
    let scaled = Clock::wall();
    stage.until_condition("MetricsFresh", "False", 30).await;
    let noticed = Clock::wall().since(killed);
    until_time(scaled + Span::from_secs(10)).await;
    let written: Vec<_> = stage.writes().into_iter().filter(|write| write.at > scaled && write.scaled()).collect();
    assert!(written.is_empty(), "{written:?}");
    assert_eq!(stage.replicas(), 12);
    stage.start_prometheus();
    let started = Clock::wall();
    stage.until_condition("MetricsFresh", "True", 60).await;
    println!(
        "Prometheus killed: said after {:.1} s, replicas held; fresh again {:.1} s after its start",
        noticed.as_secs_f64(),
        Clock::wall().since(started).as_secs_f64()
    );
}

async fn an_outage_loses_nothing(stage: &Stage, operator: &Operator, component: &str) {
    let identity = |stage: &Stage| {
        let policy = stage.plane.get(&["scalingpolicy", "web"]);
        (policy["metadata"]["uid"].clone(), policy["spec"].clone())
    };
    let before = identity(stage);
    stage.plane.crash(component, 3);
    let back = Clock::wall();
    operator.until_decisions(5.0, 60).await;
    stage.until_condition("Ready", "True", 60).await;
    let after = Clock::wall().since(back).as_secs_f64();
    println!("{component} killed for 3 s: five decisions and Ready {after:.1} s after its return");
    assert_eq!(identity(stage), before);
    assert!(operator.leads());
}
