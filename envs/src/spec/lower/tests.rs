//! Every key that the fluid kernel cannot express is named, and the rest arrives where it belongs.

use super::*;
use seatrial_core::observe::Bounds;
use seatrial_core::time::Timestamp;
use serde_json::{Value, json};

fn base() -> Value {
    json!({
        "name": "test", "summary": "test", "kernel": "fluid", "duration_s": 60.0,
        "services": {
            "a": {
                "replicas": 3, "concurrency": 4, "cores": 4.0, "service_time_s": {"exponential": {"mean": 0.08}},
                "calls": [{"to": "b", "count": 3}],
                "autoscaling": {"min": 1, "max": 100, "strategy": {"policy": {"id": "static"}}},
            },
            "b": {"replicas": 2, "concurrency": 2, "cores": 2.0, "service_time_s": {"constant": 0.01}},
        },
        "traffic": [{"service": "a", "source": {"constant": {"rate_per_s": 90.0}}}],
    })
}

fn inputs(loads: usize) -> Inputs {
    let load = EpisodeLoad::new(Timestamp::ZERO, Span::from_secs(60), vec![90.0], vec![30.0, 60.0]).unwrap();
    Inputs { loads: vec![SourceLoad::Rates(load); loads], ..Inputs::default() }
}

fn lowered(spec: &Value) -> Result<Lowered, LowerError> {
    lower(&serde_json::from_value(spec.clone()).unwrap(), &inputs(1), 1.0)
}

/// Sets the value at a path of keys; a number is a place in a list.
fn with(path: &str, value: Value) -> Value {
    let mut spec = base();
    let (parent, key) = path.rsplit_once('/').unwrap();
    let parent = spec.pointer_mut(parent).unwrap();
    match key.parse::<usize>() {
        Ok(index) => parent[index] = value,
        Err(_) => parent[key] = value,
    }
    spec
}

#[test]
fn a_service_becomes_an_episode_of_protocol_p1() {
    let lowered = lowered(&base()).unwrap();
    let (a, b) = (&lowered.services[0], &lowered.services[1]);
    let p1 = Scenario::protocol_p1();
    assert_eq!(a.scenario, Scenario { initial_rate_per_pod: 30.0, ..p1.clone() });
    assert_eq!((a.replicas, a.autoscaled, a.queue_limit), (3, true, None));
    assert_eq!(a.scenario.initial_replicas(90.0), 3);
    assert_eq!((b.scenario.service.workers, b.scenario.service.mean_s), (2, 0.01));
    assert_eq!((a.work.spread(), b.work.spread()), (1.0, 0.5), "exponential, constant");
    assert_eq!((b.scenario.workload.bounds, b.autoscaled), (Bounds { min: 2, max: 2 }, false));
    assert_eq!((b.nominal.rates_per_s(), b.nominal.past_rates_per_s()), (&[270.0][..], &[90.0, 180.0][..]));
    assert!(a.direct.is_some() && b.direct.is_none());
    assert_eq!((lowered.seed, lowered.duration, lowered.warm_up), (1, Span::from_secs(60), Span::ZERO));
}

/// 0.5 × 1 + 0.5 × 3 of 80 ms, and 0.5 × 100 tokens of 1 ms.
#[test]
fn classes_and_tokens_enter_by_mean_and_spread() {
    let mut spec = with(
        "/traffic/0/classes",
        json!([
            {"name": "light", "share": 0.5},
            {"name": "heavy", "share": 0.5, "work": 3.0, "output_tokens": {"uniform": {"low": 50.0, "high": 150.0}}},
        ]),
    );
    spec["services"]["a"]["token_cost"] = json!({"per_input_token_s": 9.0, "per_output_token_s": 0.001});
    let lowered = lowered(&spec).unwrap();
    assert!((lowered.services[0].scenario.service.mean_s - 0.21).abs() < 1e-12);
    assert!((lowered.services[1].scenario.service.mean_s - 0.02).abs() < 1e-12);
    // E[S²] = (2 · 0.08² + 2 · 0.24² + 2 · 0.24 · 0.1 + 0.1² + 0.1² / 12) / 2, over 2 · 0.21².
    let square = (2.0 * 0.0064 + 2.0 * 0.0576 + 2.0 * 0.24 * 0.1 + 0.01 + 0.01 / 12.0) / 2.0;
    assert!((lowered.services[0].work.spread() - square / (2.0 * 0.21 * 0.21)).abs() < 1e-12);
    // 0.01 and 0.03 as often: E[S²] = 0.0005, over 2 · 0.02².
    assert!((lowered.services[1].work.spread() - 0.625).abs() < 1e-12);
}

#[test]
fn what_the_kernel_cannot_express_is_named() {
    let cases: Vec<(&str, Value, &str)> = vec![
        ("/duration_s", json!(0.0), "`duration_s`"),
        ("/duration_s", json!(61.0), "`duration_s`"),
        ("/warm_up_s", json!(60.0), "`warm_up_s`"),
        ("/services", json!({}), "`services`"),
        ("/traffic", json!([]), "`traffic`"),
        ("/slo", json!({"wait_s": null}), "`slo.wait_s`"),
        ("/slo", json!({"latency_s": 1.0}), "`slo.latency_s`"),
        ("/client", json!({"timeout_s": null}), "`client.timeout_s`"),
        ("/client", json!({"retries": {"attempts": 2}}), "`client.retries`"),
        ("/cluster", json!({"pools": {}}), "`cluster`"),
        ("/workloads", json!({"w": {}}), "`workloads`"),
        ("/faults", json!([{"kind": "metrics-outage", "at_s": 1.0, "for_s": 1.0}]), "`faults`"),
        ("/metrics", json!({"jitter": 0.5}), "`metrics.jitter`"),
        ("/metrics", json!({"scrape_s": 0.0}), "`metrics.scrape_s`"),
        ("/metrics", json!({"scrape_s": 45.0}), "`traffic`"),
        ("/services/a/concurrency", json!(5), "`services.a.concurrency`"),
        ("/services/a/concurrency", Value::Null, "`services.a.concurrency`"),
        ("/services/a/balancing", json!("random"), "`services.a.balancing`"),
        ("/services/a/drops_expired", json!(false), "`services.a.drops_expired`"),
        ("/services/a/holds_worker", json!(true), "`services.a.holds_worker`"),
        ("/services/a/pod", json!({"memory_per_request_mib": 1.0}), "`services.a.pod.memory_per_request_mib`"),
        ("/services/a/start", json!({"probe_period_s": 5.0}), "`services.a.start.probe_period_s`"),
        ("/services/a/start", json!({"start_s": {"exponential": {"mean": 1.0}}}), "`services.a.start.start_s`"),
        ("/services/a/rollout", json!({"at_s": [5.0]}), "`services.a.rollout.at_s`"),
        ("/services/b/replicas", json!(0), "`services.b.queue_limit`"),
        ("/services/a/autoscaling/min", json!(0), "`services.a.queue_limit`"),
        ("/services/a/calls/0/to", json!("c"), "`services.a.calls[0].to`"),
        ("/services/a/calls/0/probability", json!(1.5), "`services.a.calls[0].probability`"),
        ("/services/a/calls/0/timeout_s", json!(1.0), "`services.a.calls[0].timeout_s`"),
        ("/services/a/calls/0/retries", json!({"attempts": 2}), "`services.a.calls[0].retries`"),
        ("/services/b/calls", json!([{"to": "a"}]), "calls itself"),
        ("/services/a/service_time_s", json!({"sampled": {"trace": "t"}}), "`services.a.service_time_s`"),
        ("/services/a/service_time_s", json!({"constant": 0.0}), "`service.mean_s`"),
        ("/traffic/0/service", json!("c"), "`traffic[0].service`"),
        (
            "/traffic/0/classes",
            json!([{"name": "x", "share": 1.0, "input_tokens": {"sampled": {"trace": "t"}}}]),
            "`traffic[0].classes[0].input_tokens`",
        ),
    ];
    for (path, value, named) in cases {
        let spec: ScenarioSpec = serde_json::from_value(with(path, value)).unwrap();
        let message = match lower(&spec, &inputs(1), 1.0) {
            Err(error) => error.to_string(),
            Ok(_) => crate::app::fluid_app(&spec, &inputs(1), 1).map(|_| ()).unwrap_err().to_string(),
        };
        assert!(message.contains(named) || message.contains("resample"), "{path}: {message}");
    }
}

#[test]
fn sources_begin_together_and_are_joined_in_bins_that_divide_theirs() {
    let mut spec = base();
    spec["traffic"] = json!([base()["traffic"][0], base()["traffic"][0]]);
    let spec: ScenarioSpec = serde_json::from_value(spec).unwrap();
    let message = |inputs: &Inputs| lower(&spec, inputs, 1.0).map(|_| ()).unwrap_err().to_string();
    assert!(message(&inputs(1)).contains("`traffic[1].source` is not read"));
    let mut other = inputs(2);
    let load = |start_s, width_s, rates: &[f64], past: &[f64]| {
        let start = Timestamp::from_secs(start_s);
        SourceLoad::Rates(EpisodeLoad::new(start, Span::from_secs(width_s), rates, past).unwrap())
    };
    other.loads[1] = load(60, 60, &[1.0], &[]);
    assert!(message(&other).contains("`traffic[1].source` is of another beginning"));
    other.loads[1] = SourceLoad::Listed(std::sync::Arc::from([]));
    assert!(message(&other).contains("a list of requests"));
    assert_eq!(lower(&spec, &inputs(2), 1.0).unwrap().services[1].nominal.rates_per_s(), [540.0]);
    // 60 s of 90 with 30 and 60 before, and 45 s of 10 with 20 before and 15 s more of 40: both in bins of 15 s.
    other.loads[1] = load(0, 45, &[10.0, 40.0], &[20.0]);
    let joined = lower(&spec, &other, 1.0).unwrap().services.swap_remove(0).nominal;
    assert_eq!((joined.rates_per_s(), joined.interval()), (&[100.0, 100.0, 100.0, 130.0][..], Span::from_secs(15)));
    assert_eq!(joined.past_rates_per_s(), [80.0, 80.0, 80.0]);
}
