//! What cannot be served is refused and named; classes, tokens and sources.

use super::*;
use crate::load::LoadError;

fn refusal(spec: &ScenarioSpec, inputs: &Inputs) -> ServingError {
    Serving::new(spec, inputs, 1, Timestamp::ZERO).map(|_| ()).unwrap_err()
}

fn one() -> Inputs {
    inputs(60, &[&[1.0]])
}

#[test]
fn what_cannot_be_served_is_named() {
    let sampled = json!({"sampled": {"trace": "t"}});
    let cases = [
        (json!({"a": service(json!({"cores": 0.0}))}), "services.a.cores is 0, must be finite and above 0"),
        (json!({"a": service(json!({"concurrency": 0}))}), "services.a.concurrency is 0"),
        (json!({"a": service(json!({"service_time_s": sampled}))}), "services.a.service_time_s: the values"),
        (
            json!({"a": service(json!({"calls": [{"to": "b"}]}))}),
            "services.a.calls[0].to: there is no service `b`; the services are a",
        ),
        (json!({"a": service(json!({"calls": [{"to": "a", "probability": 2.0}]}))}), "a -> a"),
        (
            json!({"a": service(json!({"calls": [{"to": "b", "probability": 2.0}]})), "b": service(json!({}))}),
            "services.a.calls[0].probability is 2",
        ),
        (
            json!({"a": service(json!({"calls": [{"to": "b", "timeout_s": 0.0}]})), "b": service(json!({}))}),
            "services.a.calls[0].timeout_s is 0",
        ),
        (
            json!({"a": service(json!({"calls": [{"to": "b", "retries": {"attempts": 0}}]})), "b": service(json!({}))}),
            "calls[0].retries.attempts is 0",
        ),
        (
            json!({"a": service(json!({"calls": [{"to": "b", "retries": {"attempts": 2, "cap_s": -1.0}}]})), "b": service(json!({}))}),
            "retries.cap_s is -1",
        ),
        (
            json!({"a": service(json!({"calls": [{"to": "b", "retries": {"attempts": 2, "budget_ratio": 99.0}}]})), "b": service(json!({}))}),
            "retries.budget_ratio is 99",
        ),
    ];
    for (services, expected) in cases {
        let message = refusal(&spec(services), &one()).to_string();
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_cycle_is_named_with_its_services() {
    let call = |to: &str| service(json!({"calls": [{"to": to}]}));
    let services = json!({"a": call("b"), "b": call("c"), "c": call("b")});
    let expected = ServingError::Cycle { service: "b".to_owned(), cycle: "b -> c -> b".to_owned() };
    assert_eq!(refusal(&spec(services), &one()), expected);
}

#[test]
fn traffic_must_fit_its_loads() {
    let good = spec(json!({"a": service(json!({}))}));
    assert_eq!(refusal(&good, &Inputs::default()), ServingError::Loads { sources: 1, loads: 0 });
    let odd = refusal(&good, &inputs(20, &[&[1.0]]));
    let error = LoadError::Interval { got_us: 20_000_000, step_us: 15_000_000 };
    assert_eq!(odd, ServingError::Load { source_index: 0, error });
    let with = |edit: fn(&mut ScenarioSpec)| {
        let mut spec = good.clone();
        edit(&mut spec);
        refusal(&spec, &one()).to_string()
    };
    assert!(
        with(|spec| spec.traffic[0].service = "b".to_owned()).contains("traffic[0].service: there is no service `b`")
    );
    assert!(with(|spec| spec.metrics.scrape_s = 7_200.0).contains("metrics.scrape_s is 7200"));
    assert!(with(|spec| spec.client.timeout_s = Some(f64::NAN)).contains("client.timeout_s is NaN"));
    let class =
        |share: f64, work: f64| serde_json::from_value(json!([{"name": "c", "share": share, "work": work}])).unwrap();
    let of = |classes| {
        let mut spec = good.clone();
        spec.traffic[0].classes = classes;
        refusal(&spec, &one()).to_string()
    };
    assert!(of(class(1.5, 1.0)).contains("traffic[0].classes[0].share is 1.5"));
    assert!(of(class(1.0, -1.0)).contains("traffic[0].classes[0].work is -1"));
}

#[test]
fn ids_that_would_not_fit_are_refused() {
    let call = json!({"to": "b"});
    let calls: Vec<_> = (0..70_000).map(|_| call.clone()).collect();
    let services = json!({"a": service(json!({"calls": calls})), "b": service(json!({}))});
    let refused = refusal(&spec(services), &one());
    assert!(matches!(refused, ServingError::TooMany { what: "calls of the call graph", .. }), "{refused}");
}

/// Mean CPU per request = mean work factor × service time, by hand: 0.25 × 3 + 0.75 × 1 = 1.5.
#[test]
fn classes_share_the_requests_and_scale_their_work() {
    let mut spec = spec(json!({"a": service(json!({"service_time_s": {"constant": 0.001}}))}));
    let classes = json!([{"name": "big", "share": 0.25, "work": 3.0}, {"name": "small", "share": 0.75}]);
    spec.traffic[0].classes = serde_json::from_value(classes).unwrap();
    let mut world = World::of(&spec, 600, &[&[20.0]], 1).pods(0, 0..1);
    world.until(700.0);
    let totals = world.totals(0);
    assert_eq!(totals.completed, 12_000);
    let error = 2.0 * (0.25_f64 * 0.75 / 12_000.0).sqrt();
    assert_close(totals.cpu_s / 12_000.0 / 0.001, 1.5, 4.0 * error);
}

#[test]
fn tokens_cost_cpu_wherever_a_service_counts_them() {
    let cost = json!({"per_input_token_s": 0.001, "per_output_token_s": 0.01});
    let b = service(json!({"token_cost": cost, "service_time_s": {"constant": 0.05}}));
    let spec = spec(json!({"a": service(json!({"calls": [{"to": "b"}]})), "b": b}));
    let request = ListedRequest { at: moment(1.0), input_tokens: 100, output_tokens: 20 };
    let inputs = Inputs { loads: vec![SourceLoad::Listed([request].into())], ..Inputs::default() };
    let mut world = World::new(Serving::new(&spec, &inputs, 1, Timestamp::ZERO).unwrap()).pods(0, 0..1).pods(1, 1..2);
    world.until(2.0);
    assert_close(world.totals(0).cpu_s, 0.1, 1e-6);
    assert_close(world.totals(1).cpu_s, 0.05 + 0.1 + 0.2, 1e-6);
}

#[test]
fn drawn_tokens_cost_cpu_too() {
    let cost = json!({"per_input_token_s": 0.0, "per_output_token_s": 0.001});
    let mut spec = spec(json!({"a": service(json!({"token_cost": cost, "service_time_s": {"constant": 0.0}}))}));
    let classes = json!([{"name": "chat", "share": 1.0, "output_tokens": {"uniform": {"low": 0.0, "high": 10.0}}}]);
    spec.traffic[0].classes = serde_json::from_value(classes).unwrap();
    let mut world = World::of(&spec, 600, &[&[20.0]], 1).pods(0, 0..1);
    world.until(700.0);
    // Rounding to whole tokens keeps the mean of 5; the standard deviation is at most that of 0 to 10.
    assert_close(world.totals(0).cpu_s / 12_000.0, 0.005, 4.0 * 0.01 / 12.0_f64.sqrt() / 12_000.0_f64.sqrt());
}

#[test]
fn sources_have_their_own_luck() {
    let mut spec = spec(json!({"a": service(json!({})), "b": service(json!({}))}));
    spec.traffic.push(crate::spec::TrafficSpec { service: "b".to_owned(), ..spec.traffic[0].clone() });
    let mut world = World::of(&spec, 60, &[&[20.0, 20.0], &[20.0, 20.0]], 1);
    world.until(15.0);
    assert_ne!(world.totals(0).arrived, world.totals(1).arrived, "counts of a slot");
    world.until(120.0);
    assert_eq!([0, 1].map(|id| world.totals(id).arrived), [2_400, 2_400], "bins keep their counts");
}
