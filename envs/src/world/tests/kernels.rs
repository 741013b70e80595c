//! The same scenario on both kernels: what they see at first, what they call bad, what they cost.

use super::*;
use crate::app::{self, AppOptions, AppOutcome};
use crate::episode::{Driver, StepRow, warm_state};
use crate::load::Traffic;
use crate::scenario::Scenario;
use crate::spec::generate::generated;
use seatrial_core::record::DecisionRecord;
use seatrial_core::scaling::policies::Ingredients;

/// The scenario with its generated load.
fn generate(tables: &Value) -> (ScenarioSpec, Inputs) {
    let (spec, mut inputs) = scenario(tables, &[]);
    let (duration, scrape) = (Span::from_secs_f64(spec.duration_s), Span::from_secs_f64(spec.metrics.scrape_s));
    let load = |source| SourceLoad::Rates(generated(source, duration, scrape).unwrap().unwrap());
    inputs.loads = spec.traffic.iter().map(|traffic| load(&traffic.source)).collect();
    (spec, inputs)
}

fn on_both(spec: &ScenarioSpec, inputs: &Inputs) -> (Outcome, AppOutcome) {
    let flow = app::run_scenario(spec, inputs, &AppOptions::default()).unwrap();
    (run_scenario(spec, inputs, &Options { timeline: None, ..Options::default() }).unwrap(), flow)
}

/// Bad fraction, pod-seconds and J of both kernels over some seeds.
fn sums(tables: &Value, seeds: u64) -> [[f64; 3]; 2] {
    let (spec, inputs) = generate(tables);
    let mut sums = [[0.0; 3]; 2];
    for seed in 1..=seeds {
        let spec = ScenarioSpec { seed, ..spec.clone() };
        let (events, flow) = on_both(&spec, &inputs);
        for (sum, total) in sums.iter_mut().zip([events.total, flow.total]) {
            let values = [total.bad_fraction().unwrap(), total.pod_seconds(), total.j(spec.costs)];
            sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += value / seeds as f64);
        }
    }
    sums
}

fn assert_agree([events, flow]: [[f64; 3]; 2]) {
    let apart = |which: usize| (flow[which] / events[which] - 1.0).abs();
    assert!(apart(0) < 0.15 || (flow[0] - events[0]).abs() < 0.002, "bad: {events:?} {flow:?}");
    assert!(apart(1) < 0.03 && apart(2) < 0.03, "pod-seconds or J: {events:?} {flow:?}");
}

/// The first half hour of the gallery's web service: it begins with too few pods and grows. A blind beginning makes the bad fraction
/// 1.7 times as large.
#[test]
fn a_web_service_tells_the_same_story() {
    let mut service = web(4);
    let hpa = json!({ "id": "hpa", "config": { "target": 60.0 } });
    service["autoscaling"] = json!({ "min": 1, "max": 40, "strategy": { "policy": hpa } });
    let sine = json!({ "sine": { "mean_per_s": 220.0, "amplitude_per_s": 160.0, "period_s": 2_700.0 } });
    let tables = json!({
        "services": { "web": service }, "duration_s": 1_800.0, "client": { "timeout_s": 5.0 },
        "traffic": [{ "service": "web", "source": sine }],
    });
    let [events, flow] = sums(&tables, 4);
    assert!(events[0] > 0.02, "{events:?}");
    assert_agree([events, flow]);
}

/// Batches of the gallery's jobs, which may wait a minute and start with no pod. Protocol P1's rule, that all is bad at or above
/// capacity, makes the flow's bad fraction three times as large.
#[test]
fn jobs_that_may_wait_tell_the_same_story() {
    let kpa = json!({ "id": "kpa", "config": { "target": 1.0, "scale_to_zero_grace_period_s": 30 } });
    let jobs = json!({
        "replicas": 0, "cores": 1.0, "concurrency": 1, "queue_limit": 5_000,
        "service_time_s": { "exponential": { "mean": 2.0 } },
        "start": { "start_s": { "lognormal": { "median": 20.0, "sigma": 0.2 } } },
        "termination": { "pre_stop_s": 0.0, "grace_s": 60.0 },
        "pod": { "cpu_request_milli": 1_000, "cpu_limit_milli": 1_000 },
        "autoscaling": { "min": 0, "max": 40, "strategy": { "policy": kpa } },
    });
    let points = json!([[600, 0], [660, 6], [1_200, 6], [1_260, 0], [3_000, 0], [3_060, 12], [3_300, 12], [3_360, 0]]);
    let tables = json!({
        "services": { "jobs": jobs }, "duration_s": 4_800.0, "client": { "timeout_s": 600.0 }, "slo": { "wait_s": 60.0 },
        "traffic": [{ "service": "jobs", "source": { "points": { "points": points } } }],
    });
    let [events, flow] = sums(&tables, 8);
    assert!(events[0] > 0.02, "{events:?}");
    assert_agree([events, flow]);
}

/// A flash that fills the queues: 100 requests may wait for each pod, not for all of them.
#[test]
fn full_queues_tell_the_same_story() {
    let mut service = web(4);
    service["queue_limit"] = json!(100);
    let hpa = json!({ "id": "hpa", "config": { "target": 60.0 } });
    service["autoscaling"] = json!({ "min": 1, "max": 40, "strategy": { "policy": hpa } });
    let flash = json!({ "flash": {
        "base_per_s": 100.0, "peak_per_s": 600.0, "at_s": 300.0, "rise_s": 60.0, "hold_s": 300.0, "halving_s": 120.0,
    } });
    let tables = json!({
        "services": { "web": service }, "duration_s": 900.0, "client": { "timeout_s": 5.0 },
        "traffic": [{ "service": "web", "source": flash }],
    });
    assert_agree(sums(&tables, 3));
}

/// Data is so busy that many of its calls wait long, and answers them all: a request is judged where it came in.
#[test]
fn the_objective_is_about_the_service_where_a_request_comes_in() {
    let mut front = web(6);
    front["calls"] = json!([{ "to": "data" }]);
    let tables = json!({
        "services": { "front": front, "data": web(4) }, "duration_s": 600.0, "client": { "timeout_s": 30.0 },
        "traffic": [{ "service": "front", "source": { "constant": { "rate_per_s": 185.0 } } }],
    });
    let (spec, inputs) = generate(&tables);
    let (events, flow) = on_both(&spec, &inputs);
    for (clients, data) in [(events.total, events.services[0].total), (flow.total, flow.services[0].result.total)] {
        let (clients, data) = (clients.bad_fraction().unwrap(), data.bad_fraction().unwrap());
        assert!(clients < 0.002 && data > 0.05, "clients {clients}, data {data}");
    }
}

/// The first decision sees the slots before the start: those of protocol P1's loop, which are the fluid kernel's.
#[test]
fn the_first_decision_sees_what_the_fluid_kernel_shows() {
    let p1 = Scenario { initial_rate_per_pod: 60.0, ..Scenario::protocol_p1() };
    for lag_s in [0.0, 15.0, 40.0] {
        let mut p1 = p1.clone();
        p1.metrics.lag_s = lag_s;
        p1.workload.metric_lag = Span::from_secs_f64(lag_s);
        let mut service = web(5);
        service["autoscaling"] = json!({ "min": 1, "max": 100, "strategy": { "policy": { "id": "hpa" } } });
        let tables = json!({
            "services": { "web": service }, "client": { "timeout_s": 5.0 }, "seed": 7, "metrics": { "lag_s": lag_s },
        });
        let (spec, mut inputs) = scenario(&tables, &[]);
        inputs.loads = vec![level(&[300.0; 5])];
        let SourceLoad::Rates(load) = &inputs.loads[0] else { panic!("rates") };
        let traffic = Traffic::new(&p1, load, 7).unwrap();
        let ingredients = Ingredients { workload: &p1.workload, weights: None };
        let autoscaler = spec.services["web"].autoscaling.as_ref().unwrap().strategy.build(&ingredients).unwrap();
        let driver = Driver { autoscaler: &autoscaler, state: warm_state(&autoscaler, &p1, &traffic) };
        let mut expected: Vec<DecisionRecord> = Vec::new();
        let mut keep = |row: &StepRow<'_>| expected.push(DecisionRecord::new(row.view, row.decision));
        protocol::run_on(&p1, &traffic, driver, &mut keep).unwrap();
        let outcome = run_scenario(&spec, &inputs, &everything()).unwrap();
        let (got, expected) = (&outcome.decisions[0].record, &expected[0]);
        assert_eq!((got.decided, expected.decided > 5), (expected.decided, true), "lag {lag_s}");
        for (feature, (got, expected)) in got.features.iter().zip(&expected.features).enumerate() {
            // An idle pod's memory is known to the world alone.
            if let Some(expected) = expected {
                let got = got.unwrap();
                assert!((got - expected).abs() < 1e-9 * (1.0 + expected.abs()), "feature {feature}: {got} {expected}");
            }
        }
    }
}
