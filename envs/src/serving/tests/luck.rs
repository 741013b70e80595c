//! Draws of tries.

use super::*;

/// Three of four pods of the service behind are silent. A request whose call met one of them meets any of the four when its client tries
/// again: it fails six times with probability (3/4)^6, 71 of 400 in the mean; 99.9 % of samples are within 3.3 standard deviations of
/// 7.6.
#[test]
fn the_calls_of_another_try_have_luck_of_their_own() {
    let front = json!({"concurrency": null, "cores": 400.0, "calls": [{"to": "b", "timeout_s": 0.5}]});
    let back = json!({"balancing": "random", "concurrency": null, "cores": 400.0});
    let mut spec = spec(&json!({"a": service(&front), "b": service(&back)}));
    spec.client =
        serde_json::from_value(json!({"timeout_s": null, "retries": {"attempts": 6, "base_s": 0.01}})).unwrap();
    let at_s: Vec<f64> = (0..400).map(|k| 1.0 + f64::from(k) / 1e3).collect();
    let mut world = World::listed(&spec, &at_s).pods(0, 0..1).pods(1, 1..5);
    (1..4).for_each(|slot| world.change(1, slot, Change::Speed(0.0)));
    world.until(60.0);
    let failed = world.clients().failed as f64;
    assert!((failed - 71.2).abs() < 3.3 * 7.6, "{failed}");
}
