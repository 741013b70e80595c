//! Metastable overload (Bronson et al., "Metastable failures in distributed systems", HotOS 2021): a pulse goes, what it set off stays.
//!
//! Four pods serve 200 requests a second; 140 come, and 400 for half a minute. Clients wait a second, servers do not look at
//! deadlines. While the queue is longer than a second every answer comes too late, and every request is tried again.

use super::*;

const BASE: f64 = 140.0;

/// Share of requests answered in the last minute, and tries per request there, with or without the pulse.
fn last_minute(retries: Value, pulse: f64) -> (f64, f64) {
    let keys = json!({
        "cores": 4.0, "concurrency": 4, "service_time_s": {"exponential": {"mean": 0.08}}, "queue_limit": 250,
        "drops_expired": false,
    });
    let mut spec = spec(json!({"a": service(keys)}));
    spec.client.timeout_s = Some(1.0);
    spec.client.retries = serde_json::from_value(retries).unwrap();
    let rates: Vec<f64> = (0..28).map(|bin| if bin == 4 || bin == 5 { pulse } else { BASE }).collect();
    let mut world = World::of(&spec, 15, &[&rates], 1).pods(0, 0..4);
    world.until(360.0);
    let before = world.clients();
    world.until(420.0);
    let after = world.clients();
    let offered = (after.offered - before.offered) as f64;
    ((after.done - before.done) as f64 / offered, 1.0 + (after.retries - before.retries) as f64 / offered)
}

#[test]
fn retries_keep_an_overload_alive_and_a_budget_ends_it() {
    let retries = json!({"attempts": 5, "base_s": 0.1, "cap_s": 1.0});
    let (calm, tries) = last_minute(retries.clone(), BASE);
    assert!(calm > 0.99 && tries < 1.01, "without a pulse nothing happens: {calm}, {tries} tries");
    let (answered, tries) = last_minute(retries, 400.0);
    assert!(answered < 0.05 && tries > 3.0, "four and a half minutes after it: {answered}, {tries} tries");
    let (answered, tries) =
        last_minute(json!({"attempts": 5, "base_s": 0.1, "cap_s": 1.0, "budget_ratio": 0.1}), 400.0);
    assert!(answered > 0.99 && tries < 1.01, "with a budget: {answered}, {tries} tries");
    let (answered, _) = last_minute(Value::Null, 400.0);
    assert!(answered > 0.99, "without retries: {answered}");
}
