//! Whole worlds: what they record changes nothing, forks and steps lead to the same bytes, requests are conserved, guards fire.

mod forks;
mod kernels;
mod logged;
mod overlaps;
mod past;
mod random;
mod scaled;

use serde_json::{Value, json};

use super::*;
use crate::load::EpisodeLoad;
use crate::spec::SourceLoad;

/// A scenario with these tables; loads of one rate per source, with an hour of past.
fn scenario(tables: &Value, rates: &[f64]) -> (ScenarioSpec, Inputs) {
    let mut whole = json!({
        "name": "test", "summary": "a test", "kernel": "events", "duration_s": 300.0,
        "traffic": [{ "service": "web", "source": { "constant": { "rate_per_s": 0.0 } } }],
    });
    for (key, value) in tables.as_object().unwrap() {
        whole[key] = value.clone();
    }
    let spec: ScenarioSpec = serde_json::from_value(whole).unwrap();
    let inputs = Inputs { loads: rates.iter().map(|rate| level(&[*rate; 20])).collect(), ..Inputs::default() };
    (spec, inputs)
}

fn level(rates: &[f64]) -> SourceLoad {
    let load = EpisodeLoad::new(Timestamp::ZERO, Span::from_secs(60), rates, vec![rates[0]; 60]).unwrap();
    SourceLoad::Rates(load)
}

/// Protocol P1's service.
fn web(replicas: u32) -> Value {
    json!({ "replicas": replicas, "concurrency": 4, "cores": 4.0, "service_time_s": { "exponential": { "mean": 0.08 } } })
}

/// Two services on nodes, scaled, with retries, a rollout and every fault.
fn eventful() -> (ScenarioSpec, Inputs) {
    let mut front = web(4);
    front["calls"] = json!([{ "to": "store", "timeout_s": 1.0, "retries": { "attempts": 2 } }]);
    front["balancing"] = json!("least-request");
    front["rollout"] = json!({ "at_s": [60.0] });
    front["start"] = json!({ "start_s": { "constant": 10.0 } });
    front["autoscaling"] = json!({ "min": 2, "max": 12, "strategy": { "policy": { "id": "hpa" } } });
    let mut store = web(3);
    store["service_time_s"] = json!({ "lognormal": { "median": 0.02, "sigma": 0.5 } });
    store["pod"] = json!({ "memory_per_request_mib": 20.0, "memory_limit_mib": 512, "cpu_request_milli": 2_000 });
    store["start"] = json!({ "start_s": { "constant": 5.0 } });
    let pool =
        json!({ "nodes": 5, "cpu_milli": 8_000, "memory_mib": 16_384, "max": 8, "provision_s": { "constant": 30.0 } });
    let tables = json!({
        "services": { "web": front, "store": store },
        "client": { "timeout_s": 2.0, "retries": { "attempts": 3, "budget_ratio": 0.2 } },
        "cluster": { "pools": { "small": pool }, "autoscaler": {} },
        "metrics": { "jitter": 1.0, "lost_scrape_probability": 0.05 },
        "faults": [
            { "kind": "metrics-outage", "at_s": 90.0, "for_s": 40.0 },
            { "kind": "pod-kill", "service": "web", "pods": 1, "at_s": 120.0 },
            { "kind": "slowdown", "service": "store", "speed": 0.2, "at_s": 150.0, "for_s": 30.0 },
            { "kind": "node-loss", "pool": "small", "nodes": 1, "at_s": 200.0, "for_s": 80.0 },
        ],
    });
    scenario(&tables, &[150.0])
}

fn run(case: &(ScenarioSpec, Inputs), options: &Options<'_>) -> Outcome {
    run_scenario(&case.0, &case.1, options).unwrap()
}

fn everything() -> Options<'static> {
    Options { log: LogLevel::Requests, decisions: true, ..Options::default() }
}

/// Everything but what was recorded.
fn results(outcome: Outcome) -> Outcome {
    Outcome { timeline: None, decisions: Vec::new(), log: Vec::new(), events: 0, ..outcome }
}

#[test]
fn what_is_recorded_changes_no_result() {
    let case = eventful();
    let bare = results(run(&case, &Options { timeline: None, ..Options::default() }));
    for interval_s in [1, 15, 47, 1_000] {
        let options = Options { timeline: Some(Span::from_secs(interval_s)), ..everything() };
        assert_eq!(results(run(&case, &options)), bare, "intervals of {interval_s} s");
    }
    let light = run(&case, &Options { latencies: false, ..Options::default() });
    assert_eq!((light.latency.count(), light.latency.quantile_s(0.5)), (0, None));
    assert_eq!((light.total, light.days, light.conservation), (bare.total, bare.days, bare.conservation));
}

#[test]
fn the_timeline_adds_up_to_the_totals_whatever_its_interval() {
    let case = eventful();
    for interval_s in [7, 15, 300] {
        let options = Options { timeline: Some(Span::from_secs(interval_s)), ..Options::default() };
        let outcome = run(&case, &options);
        let timeline = outcome.timeline.unwrap();
        assert_eq!(timeline.client_rows.len(), (300_usize).div_ceil(interval_s as usize));
        let sum = |of: fn(&seatrial_core::record::timeline::ClientRow) -> u64| -> u64 {
            timeline.client_rows.iter().map(of).sum()
        };
        let conserved = outcome.conservation;
        assert_eq!((sum(|row| row.offered), sum(|row| row.done)), (conserved.offered, conserved.done));
        assert_eq!(sum(|row| row.failed), conserved.failed);
        assert_eq!(sum(|row| row.bad) as f64, outcome.total.bad_requests);
        let answered: u64 = timeline.latency_counts.iter().map(|count| u64::from(*count)).sum();
        assert_eq!(answered, outcome.latency.count());
        for (id, service) in outcome.services.iter().enumerate() {
            let rows = timeline.service_rows.iter().skip(id).step_by(2);
            assert_eq!(rows.map(|row| row.arrived).sum::<u64>() as f64, service.total.requests, "{}", service.name);
        }
    }
}

#[test]
fn the_log_and_the_marks_say_what_happened() {
    let case = eventful();
    let outcome = run(&case, &everything());
    let of = |kind: log::LogKind| outcome.log.iter().filter(|row| row.kind == kind).count();
    use log::LogKind as Kind;
    assert_eq!((of(Kind::FaultBegins), of(Kind::FaultEnds)), (4, 3));
    assert_eq!(of(Kind::RequestArrived) as u64, outcome.conservation.offered);
    assert_eq!(of(Kind::Decision), outcome.decisions.len());
    assert!(of(Kind::PodReady) >= 7 && of(Kind::PodStopped) > 0 && of(Kind::Rollout) == 1);
    assert!(outcome.log.is_sorted_by_key(|row| row.at));
    assert!(outcome.log.iter().any(|row| row.kind == Kind::PodStarted && row.node.is_some()));
    let marks = outcome.timeline.unwrap().marks;
    let faults: Vec<_> = marks.iter().filter(|mark| mark.kind == "fault").map(|mark| mark.at).collect();
    assert_eq!(faults, [90, 120, 150, 200].map(Timestamp::from_secs));
    let texts: Vec<_> = marks.iter().filter(|mark| mark.kind == "fault").map(|mark| mark.text.as_str()).collect();
    assert_eq!((texts[1], texts[3]), ("1 pod of web is killed", "1 node of small falls silent"));
    assert_eq!(marks.iter().filter(|mark| mark.kind == "repair").count(), 3);
    assert!(marks.is_sorted_by_key(|mark| mark.at));
}

#[test]
fn the_warm_up_counts_in_no_result() {
    let tables = json!({ "services": { "web": web(4) }, "warm_up_s": 100.0 });
    let warm = run(&scenario(&tables, &[100.0]), &Options::default());
    assert_eq!(warm.total.ready_s, 800.0);
    assert!((warm.total.requests - 20_000.0).abs() < 200.0, "{}", warm.total.requests);
    assert!((warm.latency.count() as f64 - warm.total.requests).abs() < 40.0, "{}", warm.latency.count());
    assert_eq!(warm.timeline.unwrap().client_rows.len(), 20, "the timeline shows it");
}

/// Calls over an edge are those of the whole run without those that a world has counted when its warm-up is over, and what came to a
/// service came over its edges.
#[test]
fn calls_of_the_warm_up_count_on_no_edge() {
    let (mut spec, inputs) = eventful();
    let edges_of = |outcome: &Outcome| outcome.timeline.as_ref().unwrap().edges.clone();
    let mut expected = edges_of(&run(&(spec.clone(), inputs.clone()), &Options::default()));
    let mut world = World::simulation(&spec, &inputs, &Options::default()).unwrap();
    world.run_until(Timestamp::from_secs(165)).unwrap();
    let before = world.model.serving().edges();
    assert!(before.iter().all(|edge| edge.calls > 1_000) && before.iter().any(|edge| edge.failed > 0), "{before:?}");
    for (edge, before) in expected.iter_mut().zip(&before) {
        (edge.calls, edge.failed) = (edge.calls - before.calls, edge.failed - before.failed);
    }
    spec.warm_up_s = 165.0;
    let late = run(&(spec, inputs), &Options::default());
    assert_eq!(edges_of(&late), expected);
    for service in &late.services {
        let calls: u64 = expected.iter().filter(|edge| edge.to == service.name).map(|edge| edge.calls).sum();
        assert_eq!(calls as f64, service.total.requests, "{}", service.name);
    }
}

/// Twenty pods whose every request needs 100 MiB are killed when more than the limit pile up.
#[test]
fn requests_that_pile_up_kill_their_pod() {
    let mut greedy = web(1);
    greedy["pod"] = json!({ "memory_per_request_mib": 100.0, "memory_base_mib": 100.0, "memory_limit_mib": 900 });
    greedy["balancing"] = json!("round-robin");
    greedy["start"] = json!({ "start_s": { "constant": 3.0 } });
    let mut tables = json!({ "services": { "web": greedy }, "duration_s": 60.0 });
    let killed = |tables: &Value| {
        let outcome = run(&scenario(tables, &[80.0]), &everything());
        outcome.log.iter().filter(|row| row.kind == log::LogKind::PodOutOfMemory).count()
    };
    assert!(killed(&tables) >= 2);
    tables["services"]["web"]["pod"]["memory_limit_mib"] = json!(1_000_000);
    assert_eq!(killed(&tables), 0);
}

#[test]
fn an_outcome_before_the_end_is_refused() {
    let (spec, inputs) = scenario(&json!({ "services": { "web": web(1) } }), &[10.0]);
    let mut simulation = World::simulation(&spec, &inputs, &Options::default()).unwrap();
    simulation.run_until(Timestamp::from_secs(100)).unwrap();
    let error = World::outcome(simulation).unwrap_err();
    assert_eq!(error, WorldError::Unfinished { now_us: 100_000_000, end_us: 300_000_000 });
}

#[test]
fn a_fault_knows_whom_it_hits() {
    let fault = |fault: Value| {
        let (spec, _) = scenario(&json!({ "services": { "web": web(1) }, "faults": [fault] }), &[1.0]);
        Fault::all(&spec, Timestamp::ZERO).map(|_| ()).unwrap_err().to_string()
    };
    let message = fault(json!({ "kind": "pod-kill", "service": "wep", "pods": 1, "at_s": 1.0 }));
    assert!(
        message.contains("faults[0]") && message.contains("`wep`") && message.contains("known are: web"),
        "{message}"
    );
    let message = fault(json!({ "kind": "node-loss", "pool": "big", "nodes": 1, "at_s": 1.0 }));
    assert!(message.contains("no pool `big`"), "{message}");
}

#[test]
fn what_cannot_be_is_named() {
    let attempt = |tables: &Value, options: &Options<'_>| {
        let (spec, inputs) = scenario(tables, &[1.0]);
        World::simulation(&spec, &inputs, options).map(|_| ()).unwrap_err().to_string()
    };
    let with = |key: &str, value: Value| {
        let mut tables = json!({ "services": { "web": web(1) } });
        tables[key] = value;
        attempt(&tables, &Options::default())
    };
    for (key, value, named) in [
        ("metrics", json!({ "scrape_s": 0.0 }), "`metrics.scrape_s` is 0"),
        ("warm_up_s", json!(300.0), "`warm_up_s` is 300"),
        (
            "faults",
            json!([{ "kind": "pod-kill", "service": "wep", "pods": 1, "at_s": 1.0 }]),
            "`faults[0].service` is `wep`",
        ),
    ] {
        let message = with(key, value);
        assert!(message.contains("refused") && message.contains(named), "{message}");
    }
    let message = with("traffic", json!([]));
    assert!(message.contains("0 sources and 1 loads"), "{message}");
    let mut scaled = web(1);
    scaled["autoscaling"] = json!({ "min": 1, "max": 2, "strategy": { "policy": { "id": "magic" } } });
    let message = with("services", json!({ "web": scaled }));
    assert!(message.contains("services.web.autoscaling.strategy") && message.contains("`magic`"), "{message}");
    let options = Options { timeline: Some(Span::ZERO), ..Options::default() };
    let message = attempt(&json!({ "services": { "web": web(1) } }), &options);
    assert!(message.contains("the interval is 0 µs"), "{message}");
}
