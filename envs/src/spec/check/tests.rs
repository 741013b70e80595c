//! What a file could not show: graphs by brute force, and that a sound scenario is left alone. Every other guard is met through
//! files, with its place, in `experiments/tests/scenario.rs`.

use std::collections::BTreeMap;

use super::*;
use crate::spec::graph::{cycle, expected_calls};

/// A service, and whom it calls: with which probability, how often.
type Calls<'a> = (&'a str, &'a [(&'a str, f64, u32)]);

fn spec(calls: &[Calls<'_>]) -> ScenarioSpec {
    let services: serde_json::Map<String, serde_json::Value> = calls
        .iter()
        .map(|(name, calls)| {
            let calls: Vec<_> = calls
                .iter()
                .map(|(to, probability, count)| serde_json::json!({"to": to, "probability": probability, "count": count}))
                .collect();
            let service = serde_json::json!({
                "replicas": 1, "cores": 1.0, "service_time_s": {"constant": 0.1}, "calls": calls
            });
            ((*name).to_owned(), service)
        })
        .collect();
    let json = serde_json::json!({
        "name": "small", "summary": "a test", "kernel": "events", "duration_s": 60.0, "services": services
    });
    serde_json::from_value(json).unwrap()
}

#[test]
fn a_sound_scenario_has_no_problem() {
    assert_eq!(check(&spec(&[("web", &[("db", 0.5, 2)]), ("db", &[])])), []);
}

#[test]
fn calls_multiply_along_every_way() {
    let spec = spec(&[
        ("front", &[("cart", 1.0, 2), ("stock", 0.5, 1)]),
        ("cart", &[("stock", 1.0, 3), ("gone", 1.0, 1)]),
        ("stock", &[]),
        ("other", &[("stock", 1.0, 9)]),
    ]);
    let expected = BTreeMap::from([("front", 1.0), ("cart", 2.0), ("stock", 2.0 * 3.0 + 0.5)]);
    assert_eq!(expected_calls(&spec, "front"), expected);
    assert_eq!(expected_calls(&spec, "gone"), BTreeMap::new());
}

#[test]
fn a_cycle_is_named_with_its_way_and_a_diamond_is_none() {
    let ring =
        spec(&[("a", &[("b", 1.0, 1)]), ("b", &[("d", 1.0, 1), ("c", 1.0, 1)]), ("c", &[("b", 1.0, 1)]), ("d", &[])]);
    let found = cycle(&ring).unwrap();
    assert_eq!((found.names.join(" "), found.caller.as_str(), found.call), ("b c b".to_owned(), "c", 0));
    let problems = check(&ring);
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].key, "services.c.calls[0].to");
    let diamond =
        spec(&[("a", &[("b", 1.0, 1), ("c", 1.0, 1)]), ("b", &[("d", 1.0, 1)]), ("c", &[("d", 1.0, 1)]), ("d", &[])]);
    assert_eq!(cycle(&diamond), None);
    assert_eq!(cycle(&spec(&[("a", &[("a", 1.0, 1)])])).unwrap().names, ["a", "a"]);
}

#[test]
fn a_chain_of_many_services_is_walked() {
    let names: Vec<String> = (0..1_001).map(|number| format!("s{number:04}")).collect();
    let calls: Vec<[(&str, f64, u32); 1]> = names.iter().skip(1).map(|next| [(next.as_str(), 1.0, 1)]).collect();
    let rows: Vec<Calls<'_>> = names.iter().zip(&calls).map(|(name, calls)| (name.as_str(), &calls[..])).collect();
    let keys: Vec<String> = check(&spec(&rows)).into_iter().map(|problem| problem.key).collect();
    assert_eq!(keys, ["services.s0999.calls[0].to"], "its end is not there");
}
