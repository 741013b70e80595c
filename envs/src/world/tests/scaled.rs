//! Worlds under autoscalers: the service of protocol P1 as a scenario against the protocol's own loop.

use super::*;
use crate::episode::{Driver, no_rows, warm_state};
use crate::load::Traffic;
use crate::scenario::Scenario;
use seatrial_core::scaling::policies::Ingredients;
use seatrial_core::scaling::strategy::{Choice, StrategySpec};

const MINUTES: usize = 20;

/// The scenario of protocol P1 for a strategy, from the pods that its first rate calls for.
fn protocol(rates: &[f64], policy: &Value) -> (ScenarioSpec, Inputs) {
    let p1 = Scenario::protocol_p1();
    let mut service = web(p1.initial_replicas(rates[0]));
    service["queue_limit"] = json!(250);
    service["autoscaling"] = json!({ "min": 1, "max": 100, "strategy": { "policy": policy } });
    let tables = json!({
        "services": { "web": service }, "client": { "timeout_s": 5.0 }, "seed": 7,
        "duration_s": 60.0 * rates.len() as f64,
    });
    let (spec, mut inputs) = scenario(&tables, &[]);
    inputs.loads = vec![level(rates)];
    (spec, inputs)
}

fn protocol_total(rates: &[f64], policy: &Value) -> crate::episode::EpisodeResult {
    let p1 = Scenario::protocol_p1();
    let SourceLoad::Rates(load) = level(rates) else { panic!("rates") };
    let traffic = Traffic::new(&p1, &load, 7).unwrap();
    let policy: Choice = serde_json::from_value(policy.clone()).unwrap();
    let strategy = StrategySpec { policy, forecaster: None, guard: None };
    let autoscaler = strategy.build(&Ingredients { workload: &p1.workload, weights: None }).unwrap();
    let driver = Driver { autoscaler: &autoscaler, state: warm_state(&autoscaler, &p1, &traffic) };
    protocol::run_on(&p1, &traffic, driver, &mut no_rows).unwrap()
}

/// The whole world with its own pods and metrics is the protocol's loop on the fluid kernel's pods: the same requests meet the
/// same workers. Start-ups differ by the protocol's whole seconds, terminations end when a pod is idle.
#[test]
fn the_protocol_is_a_scenario() {
    let rates: Vec<f64> = (0..MINUTES).map(|minute| if (6..12).contains(&minute) { 300.0 } else { 100.0 }).collect();
    for policy in [json!({ "id": "static", "config": { "replicas": 6 } }), json!({ "id": "hpa" })] {
        let outcome = run(&protocol(&rates, &policy), &Options::default());
        let expected = protocol_total(&rates, &policy);
        assert_eq!(outcome.total.requests, expected.total.requests, "{policy}");
        let service = &outcome.services[0];
        assert_eq!(service.decisions, expected.decisions, "{policy}");
        for (name, got, expected) in [
            ("pod-seconds", outcome.total.pod_seconds(), expected.total.pod_seconds()),
            ("changes", outcome.total.changes, expected.total.changes),
        ] {
            assert!((got / expected - 1.0).abs() < 0.02, "{policy} {name}: {got} {expected}");
        }
        let bad = outcome.total.bad_fraction().unwrap() - expected.total.bad_fraction().unwrap();
        assert!(bad.abs() < 0.01, "{policy}: {bad}");
    }
}

#[test]
fn an_autoscaler_follows_the_load_and_its_decisions_are_kept() {
    let rates: Vec<f64> = (0..MINUTES).map(|minute| if minute < 10 { 100.0 } else { 400.0 }).collect();
    let outcome = run(&protocol(&rates, &json!({ "id": "hpa" })), &everything());
    assert_eq!(outcome.decisions.len() as u64, outcome.services[0].decisions);
    let (first, last) = (&outcome.decisions[0].record, &outcome.decisions[outcome.decisions.len() - 1].record);
    assert!(first.decided <= 4 && last.decided >= 9, "{} {}", first.decided, last.decided);
    // The slot before the start is known from the past; every later one from scrapes.
    let rate = |record: &seatrial_core::record::DecisionRecord| record.features[4].unwrap();
    assert!((rate(first) - 100.0).abs() < 15.0 && (rate(last) - 400.0).abs() < 60.0);
    let timeline = outcome.timeline.unwrap();
    let changed: u32 = timeline.service_rows.windows(2).map(|rows| rows[0].desired.abs_diff(rows[1].desired)).sum();
    assert!(f64::from(changed) <= outcome.total.changes, "a row may hide a change, never invent one");
}
