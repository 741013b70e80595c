//! Faults that overlap.

use super::log::LogKind;
use super::*;

/// The end of one slowdown is not the end of another: pods run at the least speed of those that last.
#[test]
fn the_end_of_a_slowdown_leaves_the_others_alone() {
    let slow = |speed: f64, at_s: f64, for_s: f64| json!({ "kind": "slowdown", "service": "web", "speed": speed, "at_s": at_s, "for_s": for_s });
    let tables = json!({
        "services": { "web": web(1) },
        "faults": [slow(0.5, 10.0, 30.0), slow(0.25, 20.0, 40.0), slow(0.5, 50.0, 50.0), slow(0.5, 90.0, 20.0)],
    });
    let outcome = run(&scenario(&tables, &[1.0]), &everything());
    let speeds: Vec<_> = outcome
        .log
        .iter()
        .filter(|row| row.kind == LogKind::PodSpeed)
        .map(|row| (row.at.micros() / 1_000_000, row.value))
        .collect();
    assert_eq!(speeds, [(10, 0.5), (20, 0.25), (60, 0.5), (110, 1.0)]);
}
