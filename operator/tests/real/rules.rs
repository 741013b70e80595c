//! Built-in rules on a real control plane: they show what they decide, and decide what the gym does.
//!
//! Each runs at its own cadence. `kpa` decides every two seconds, seven times for a scrape: at fifteen times the speed that would
//! be an eighth of a second of the clock, below the half second in which the operator looks again, so it runs three times as fast.
//!
//! `kpa` also scales between scrapes. What a pod counted after its last scrape, Prometheus never tells, so a slot in which pods end
//! is read too low by their share of it; each such slot stays in the windows of the thirty decisions of a minute.

use seatrial_core::time::Span;

use super::parity::{Case, LEAST_EQUAL_FAST, Named, SPAN, parity};
use super::process::until;
use super::stage::{Operator, PACE, SCRAPE_S, Stage};

const HPA: &str = "{ id: hpa }";
/// Its stabilisation downwards.
const HPA_WINDOW: Span = Span::from_secs(300);
/// The hold of `newsvendor`, the stable window of `kpa`.
const MINUTE: Span = Span::from_secs(60);
/// The season is a day, of which this cluster knows nothing: as documented, it is persistence until then.
const NEWSVENDOR: &str =
    "{ id: newsvendor, config: { level: 0.9, margin: 1.18, hold_s: 60 }, forecaster: { id: seasonal-naive } }";
/// A pod has four workers.
const KPA: &str = "{ id: kpa, config: { target: 4 } }";

/// The gym sees what ended pods counted last, Prometheus does not.
const LEAST_EQUAL_BETWEEN_SCRAPES: f64 = 0.85;

/// Every scrape.
fn at_scrapes(test: &'static str, rule: &'static str, remembers: Span) -> Case {
    Case {
        test,
        named: Named::Rule(rule),
        pace: PACE,
        span: SPAN,
        cadence: Span::from_secs(SCRAPE_S),
        remembers,
        least_writes: 6,
        least_equal: LEAST_EQUAL_FAST,
    }
}

#[tokio::test]
#[ignore = "soak tier: minutes of real time"]
async fn soak_parity_of_rules_hpa() {
    parity(&at_scrapes("soak_parity_hpa", HPA, HPA_WINDOW)).await;
}

#[tokio::test]
#[ignore = "soak tier: minutes of real time"]
async fn soak_parity_of_rules_newsvendor() {
    parity(&at_scrapes("soak_parity_newsvendor", NEWSVENDOR, MINUTE)).await;
}

#[tokio::test]
#[ignore = "soak tier: minutes of real time"]
async fn soak_parity_of_rules_kpa() {
    let (span, cadence) = (Span::from_secs(9 * 60), Span::from_secs(2));
    let least_equal = LEAST_EQUAL_BETWEEN_SCRAPES;
    parity(&Case { pace: 3, span, cadence, least_equal, ..at_scrapes("soak_parity_kpa", KPA, MINUTE) }).await;
}

/// 500 requests per second on pods that serve 50.
#[tokio::test]
async fn real_rule_shows_what_it_decides_and_acts_when_it_may() {
    let Some(stage) = Stage::start("real_rule", &[500.0; 60], 6).await else { return };
    let operator = Operator::start(&stage, "operator").await;
    stage.apply_policy(&format!("mode: Shadow\n  policy: {NEWSVENDOR}"));
    operator.until_decisions(3.0, 60).await;
    stage.until_condition("Ready", "True", 30).await;
    let decided = |phase: &'static str| {
        let status = stage.status();
        let (last, target) = (&status["lastDecision"], status["targetReplicas"].as_u64()?);
        let shown = status["phase"] == phase && last["reason"].is_string() && last["replicas"] == target;
        shown.then(|| (target, last.to_string()))
    };
    let (target, last) = until("the status shows a decision", 30, || decided("Watching")).await;
    println!("Shadow: target {target}, last decision {last}");
    assert!(target > 6, "{last}");
    assert_eq!(stage.replicas(), 6, "nothing is written in Shadow");

    stage.plane.kubectl(&["patch", "spol", "web", "--type=merge", "-p", r#"{"spec":{"mode":"Enforce"}}"#]);
    until("the workload is as wanted", 60, || (stage.replicas() >= 10).then_some(())).await;
    let (target, last) = until("the status shows that it acts", 30, || decided("Acting")).await;
    println!("Enforce: target {target}, last decision {last}, {} replicas", stage.replicas());
    // 1.18 × 500 / 50, with the lower bound of the 50.
    assert!((12..=15).contains(&target), "{last}");
}
