//! One service against the episode that it is, several against what can be worked out by hand.

use super::*;
use crate::episode::{no_rows, run_episode, warm_state};
use crate::load::EpisodeLoad;
use crate::scenario::Scenario;
use crate::spec::SourceLoad;
use proptest::prelude::*;
use seatrial_core::scaling::policies::Ingredients;
use seatrial_core::scaling::strategy::{Choice, StrategySpec};

/// A scenario as JSON: services by name with what is not protocol P1's about them, all traffic to the first of `entries`.
fn spec(services: &serde_json::Value, entries: &[&str], duration_s: f64) -> ScenarioSpec {
    let sources: Vec<_> = entries
        .iter()
        .map(|entry| serde_json::json!({"service": entry, "source": {"constant": {"rate_per_s": 1.0}}}))
        .collect();
    serde_json::from_value(serde_json::json!({
        "name": "test", "summary": "test", "kernel": "fluid", "duration_s": duration_s,
        "services": services, "traffic": sources,
    }))
    .unwrap()
}

fn service(replicas: u32, more: &serde_json::Value) -> serde_json::Value {
    let mut service = serde_json::json!({
        "replicas": replicas, "concurrency": 4, "cores": 4.0, "service_time_s": {"exponential": {"mean": 0.08}},
    });
    let keys = service.as_object_mut().unwrap();
    more.as_object().unwrap().iter().for_each(|(key, value)| drop(keys.insert(key.clone(), value.clone())));
    service
}

fn scaled(min: u32) -> serde_json::Value {
    serde_json::json!({"min": min, "max": 100, "strategy": {"policy": {"id": "static"}}})
}

fn inputs(loads: &[&[f64]]) -> Inputs {
    let load = |rates: &&[f64]| {
        let start = Timestamp::from_secs(86_400 - 600);
        let past: Vec<f64> = vec![rates[0]; 60];
        SourceLoad::Rates(EpisodeLoad::new(start, Span::from_secs(60), rates.to_vec(), past).unwrap())
    };
    Inputs { loads: loads.iter().map(load).collect(), ..Inputs::default() }
}

fn strategy(id: &str) -> Autoscaler {
    let workload = Scenario::protocol_p1().workload;
    let forecaster = Some(Choice::of("persistence"));
    let spec = StrategySpec { forecaster, ..StrategySpec::of(id) };
    spec.build(&Ingredients { workload: &workload, weights: None }).unwrap()
}

/// Up and down over half an hour, into overload and out of it, across midnight.
fn wave() -> Vec<f64> {
    (0..30).map(|minute| 150.0 + 60.0 * f64::from(minute % 13) + f64::from(minute % 3)).collect()
}

/// The mapping from the schema to protocol P1, and the network to the kernel, with policies of different cadence.
#[test]
fn one_service_is_an_episode_to_the_bit() {
    let services = serde_json::json!({"web": service(6, &serde_json::json!({"autoscaling": scaled(1)}))});
    for (id, lost) in [("headroom", 0.0), ("hpa", 0.1), ("kpa", 0.0)] {
        let mut spec = spec(&services, &["web"], 1_800.0);
        spec.seed = 7;
        spec.metrics.lost_scrape_probability = lost;
        let (rates, autoscaler) = (wave(), strategy(id));
        let inputs = inputs(&[&rates]);
        let mut p1 = Scenario { initial_rate_per_pod: 25.0, ..Scenario::protocol_p1() };
        p1.metrics.lost_scrape_probability = lost;
        let SourceLoad::Rates(load) = &inputs.loads[0] else { panic!() };
        let traffic = Traffic::new(&p1, load, 7).unwrap();
        let driver = || Driver { autoscaler: &autoscaler, state: warm_state(&autoscaler, &p1, &traffic) };
        let expected = run_episode(&p1, load, 7, driver(), &mut no_rows).unwrap();
        let app = fluid_app(&spec, &inputs, 7).unwrap();
        let state = app.warm_state(0, &autoscaler);
        let got = app.run(vec![Some(Driver { autoscaler: &autoscaler, state })]).unwrap();
        assert_eq!(got.services[0].result, expected, "{id}");
        assert_eq!((&got.days, got.total), (&expected.days, expected.total), "{id}");
        assert!(expected.total.bad_requests > 0.0 && expected.total.changes > 10.0, "{id}: {expected:?}");
        let again = run_fluid(&spec, &inputs, vec![Some(driver())]).unwrap();
        assert_eq!(again.total, got.total, "the seed is the scenario's");
    }
}

/// front (2 pods: 100 requests/s) calls data twice a request and, half the time, mail, which it can do without.
fn shop(front: u32, data: u32, mail: u32) -> serde_json::Value {
    let calls = serde_json::json!({"calls": [
        {"to": "data", "count": 2}, {"to": "mail", "probability": 0.5, "optional": true},
    ]});
    serde_json::json!({
        "front": service(front, &calls),
        "data": service(data, &serde_json::json!({})),
        "mail": service(mail, &serde_json::json!({})),
    })
}

/// P(wait > 120 ms) in M/M/c by the explicit sum.
#[expect(clippy::disallowed_methods, reason = "the reference uses std's exp on purpose")]
fn p_bad(pods: u32, rate: f64) -> f64 {
    let (servers, offered) = (4 * pods, rate * 0.08);
    let (mut term, mut sum) = (1.0, 1.0);
    for k in 1..servers {
        term *= offered / f64::from(k);
        sum += term;
    }
    let last = term * offered / f64::from(servers) / (1.0 - offered / f64::from(servers));
    last / (sum + last) * f64::exp(-(50.0 * f64::from(pods) - rate) * 0.120)
}

#[test]
fn a_request_is_good_if_it_did_not_wait_long_where_it_came_in() {
    let spec = spec(&shop(2, 4, 1), &["front"], 600.0);
    let outcome = run_fluid(&spec, &inputs(&[&[90.0; 10]]), vec![None, None, None]).unwrap();
    let (front, data) = (p_bad(2, 90.0), p_bad(4, 180.0));
    let got = outcome.total.bad_fraction().unwrap();
    assert!(front > 0.1 && data > 0.01 && (got - front).abs() < 1e-9, "{got} {front}");
    let own = outcome.services[0].result.total.bad_fraction().unwrap();
    assert!((own - data).abs() < 1e-9, "a service's own queue is its own: {own} {data}");
    let names: Vec<&str> = outcome.services.iter().map(|service| &*service.name).collect();
    assert_eq!(names, ["data", "front", "mail"]);
    let calls: Vec<f64> = outcome.services.iter().map(|service| service.result.total.requests / 600.0).collect();
    for (got, expected) in calls.iter().zip([180.0, 90.0, 45.0]) {
        assert!((got - expected).abs() < 1e-9, "{got}");
    }
    assert!((outcome.services[0].utilisation - 0.9).abs() < 1e-9);
    assert_eq!(outcome.total.pod_seconds(), 7.0 * 600.0);
    let edges: Vec<_> =
        outcome.timeline.edges.iter().map(|edge| (edge.from.as_deref(), &*edge.to, edge.calls)).collect();
    let expected = [(None, "front", 54_000), (Some("front"), "data", 108_000), (Some("front"), "mail", 27_000)];
    assert_eq!(edges, expected);
}

/// Of 180 calls a second data answers 150 once its queue is full, after 25 s: then a request finds both of its calls answered with
/// probability (5/6)².
#[test]
fn a_request_is_good_if_all_its_needed_calls_are_answered() {
    let spec = spec(&shop(2, 3, 1), &["front"], 600.0);
    let outcome = run_fluid(&spec, &inputs(&[&[90.0; 10]]), vec![None, None, None]).unwrap();
    let front = p_bad(2, 90.0);
    let expected = (25.0 * front + 575.0 * (1.0 - (1.0 - front) * 25.0 / 36.0)) / 600.0;
    let got = outcome.total.bad_fraction().unwrap();
    assert!((got - expected).abs() < 0.002, "{got} {expected}");
}

/// 150 requests/s for a minute on a front of 100/s: 100/s go on while it lasts and until its queue (5 s of work) is gone.
#[test]
fn a_busy_caller_passes_on_what_it_completes() {
    let mut rates = vec![20.0; 4];
    rates[1] = 150.0;
    let spec = spec(&shop(2, 5, 2), &["front"], 240.0);
    let outcome = run_fluid(&spec, &inputs(&[&rates]), vec![None, None, None]).unwrap();
    let arrived = |interval: usize, service: usize| outcome.timeline.service_rows[interval * 3 + service].arrived;
    assert_eq!((arrived(4, 0), arrived(4, 1)), (3_000, 2_250), "data gets twice the capacity of front");
    // From 60 s on it overflows at 10 s, then drops 50/s; from 120 s on 500 requests drain at 80/s for 6.25 s.
    let in_drain = 2.0 * (100.0 * 6.25 + 20.0 * 8.75);
    assert!((arrived(8, 0) as f64 - in_drain).abs() <= 1.0, "{} {in_drain}", arrived(8, 0));
    assert!((outcome.total.drops - 50.0 * 50.0).abs() < 1e-6, "{}", outcome.total.drops);
    let front = &outcome.services[1].result.total;
    assert!((front.requests - 60.0 * (20.0 * 3.0 + 150.0)).abs() < 1e-6);
    let steady = outcome.timeline.service_rows[1].latency;
    assert!(steady.p50_s.unwrap() < steady.p95_s.unwrap() && steady.p95_s.unwrap() < steady.p99_s.unwrap());
    assert_eq!(outcome.timeline.service_rows[4 * 3 + 1].latency.p95_s, None, "no closed form with a queue");
    assert_eq!(outcome.timeline.client_rows[0].latency.p95_s, None, "several services");
}

/// A batch of 60 requests meets no pod; the policy sees them arrive, starts one, and it serves what waits.
#[test]
fn a_batch_waits_for_its_first_pod() {
    let keys = serde_json::json!({
        "autoscaling": scaled(0), "queue_limit": 1_000, "start": {"start_s": {"constant": 30.0}},
    });
    let mut spec = spec(&serde_json::json!({"batch": service(0, &keys)}), &["batch"], 600.0);
    spec.client.timeout_s = Some(300.0);
    let rates = [0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    let bounds = seatrial_core::observe::Bounds { min: 0, max: 10 };
    let workload = seatrial_core::observe::Workload { bounds, ..Scenario::protocol_p1().workload };
    let ingredients = Ingredients { workload: &workload, weights: None };
    let autoscaler = StrategySpec::of("kpa").build(&ingredients).unwrap();
    let driver = Driver { autoscaler: &autoscaler, state: autoscaler.initial_state() };
    let outcome = run_fluid(&spec, &inputs(&[&rates]), vec![Some(driver)]).unwrap();
    assert_eq!((outcome.total.drops, outcome.total.left_over), (0.0, 0.0));
    let rows = &outcome.timeline.service_rows;
    assert!(rows.iter().any(|row| row.ready == 0 && row.queued > 10), "some waited for a pod");
    assert_eq!(rows.iter().map(|row| row.completed).sum::<u64>(), 60);
    assert_eq!(rows.last().unwrap().ready, 0, "and it went back to none");
    assert!(outcome.total.pod_seconds() < 400.0, "{:?}", outcome.total);
}

#[test]
fn what_happens_in_the_warm_up_counts_in_no_result() {
    let rates: Vec<f64> = vec![400.0, 400.0, 60.0, 60.0];
    let run = |warm_up_s: f64| {
        let spec = ScenarioSpec { warm_up_s, ..spec(&shop(2, 4, 1), &["front"], 240.0) };
        run_fluid(&spec, &inputs(&[&rates]), vec![None, None, None]).unwrap()
    };
    let (whole, late) = (run(0.0), run(150.0));
    assert!(whole.total.drops > 10_000.0);
    assert_eq!(late.total.drops, 0.0);
    assert!((late.total.requests - 90.0 * 60.0).abs() < 1e-6 && late.total.pod_seconds() == 7.0 * 90.0);
    assert_eq!(late.timeline.service_rows.len(), whole.timeline.service_rows.len(), "the timeline shows it");
    // 60/s for 90 s, each with two calls to data and half a one to mail; nothing is dropped any more.
    let edges: Vec<_> =
        late.timeline.edges.iter().map(|edge| (edge.from.as_deref(), &*edge.to, edge.calls, edge.failed)).collect();
    let expected = [(None, "front", 5_400, 0), (Some("front"), "data", 10_800, 0), (Some("front"), "mail", 2_700, 0)];
    assert_eq!(edges, expected);
    assert!(whole.timeline.edges[0].failed > 10_000);
}

#[test]
fn another_number_of_drivers_is_refused() {
    let spec = spec(&shop(2, 4, 1), &["front"], 60.0);
    let message = run_fluid(&spec, &inputs(&[&[1.0]]), vec![None]).unwrap_err().to_string();
    assert!(message.contains("1 drivers for 3 services"), "{message}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    /// Random graphs under random loads: every service and the whole conserve (else `run` fails), calls add up along edges, the
    /// whole is at least as bad as its entry and at most as bad as all of its calls together, and it hardly matters how often
    /// somebody looks.
    #[test]
    fn requests_are_conserved_and_calls_add_up(
        pods in prop::collection::vec(1_u32..8, 5),
        calls in prop::collection::vec((0.0..1.0_f64, 1_u32..3, any::<bool>()), 10),
        rates in prop::collection::vec(0.0..500.0_f64, 6),
        seed in 0_u64..1_000,
    ) {
        let names = ["a", "b", "c", "d", "e"];
        let mut services = serde_json::Map::new();
        let mut next = calls.iter();
        for (from, name) in names.iter().enumerate() {
            let calls: Vec<_> = names[from + 1..].iter().zip(&mut next).map(|(to, (probability, count, optional))| {
                serde_json::json!({"to": to, "probability": probability, "count": count, "optional": optional})
            }).collect();
            services.insert((*name).into(), service(pods[from], &serde_json::json!({"calls": calls, "queue_limit": 500})));
        }
        let mut spec = spec(&services.into(), &["a", "c"], 360.0);
        spec.seed = seed;
        let other: Vec<f64> = rates.iter().rev().map(|rate| 0.3 * rate).collect();
        let inputs = inputs(&[&rates, &other]);
        let outcome = run_fluid(&spec, &inputs, vec![None, None, None, None, None]).unwrap();
        for (id, service) in outcome.services.iter().enumerate() {
            let named = |edge: &&seatrial_core::record::timeline::Edge| edge.to == names[id];
            let calls: f64 = outcome.timeline.edges.iter().filter(named).map(|edge| edge.calls as f64).sum();
            prop_assert!((calls - service.result.total.requests).abs() <= 3.0, "{}: {calls}", service.name);
        }
        let total = outcome.total;
        let offered: f64 = rates.iter().chain(&other).map(|rate| rate * 60.0).sum();
        prop_assert!((total.requests - offered).abs() < 1e-6 * (1.0 + offered));
        let worst: f64 = outcome.services.iter().map(|service| service.result.total.bad_requests).sum();
        prop_assert!(total.bad_requests <= worst + 1e-6 * (1.0 + worst) && total.bad_requests <= total.requests + 1e-6);
        prop_assert!(total.bad_requests >= outcome.services[0].result.total.bad_requests - 1e-6 * (1.0 + worst));
        let app = fluid_app(&spec, &inputs, seed).unwrap();
        let mut network = app.network();
        while network.now() < network.end() {
            network.advance(network.now() + Span::from_secs(1));
        }
        let mut stepped = CostTerms::default();
        network.settle().days.iter().for_each(|day| stepped.add(&day.terms));
        for (one, other) in [(stepped.drops, total.drops), (stepped.left_over, total.left_over)] {
            prop_assert!((one - other).abs() <= 1e-4 * (1.0 + other), "{one} {other}");
        }
        // Shares of bad calls are means of a stretch, and a product of means is not the mean of products.
        let (one, other) = (stepped.bad_requests, total.bad_requests);
        prop_assert!((one - other).abs() <= 0.002 * other + 10.0, "{one} {other}");
    }
}
