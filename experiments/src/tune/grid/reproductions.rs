//! Grids of the rules of other systems: what their users can set.

use seatrial_core::scaling::strategy::{Choice, StrategySpec};
use serde_json::{Value, json};

use super::HOLDS_S;
use crate::strategies::Rule;

/// Targets of CPU utilisation in percent; closer where loads of a few to a hundred pods have their optimum.
const CPU_TARGETS: [f64; 14] = [40.0, 50.0, 55.0, 60.0, 64.0, 67.0, 70.0, 73.0, 76.0, 78.0, 80.0, 82.0, 85.0, 90.0];
/// Targets in requests per second and replica.
const RATE_TARGETS: [f64; 14] = [20.0, 24.0, 28.0, 30.0, 32.0, 34.0, 35.0, 36.0, 37.0, 38.0, 39.0, 40.0, 42.0, 45.0];

pub(in crate::tune) fn hpa() -> Vec<StrategySpec> {
    let targets = CPU_TARGETS.map(|target| ("cpu-utilization", target));
    let targets = targets.into_iter().chain(RATE_TARGETS.map(|target| ("request-rate", target)));
    let mut specs = Vec::new();
    for (metric, target) in targets {
        for hold in HOLDS_S {
            for up in up_policies() {
                for down in down_policies() {
                    let behavior = json!({
                        "scaleUp": { "policies": up },
                        "scaleDown": { "stabilizationWindowSeconds": hold, "policies": down },
                    });
                    let config = json!({ "metric": metric, "target": target, "behavior": behavior });
                    specs.push(StrategySpec { policy: Choice { id: "hpa".into(), config }, ..StrategySpec::of("hpa") });
                }
            }
        }
    }
    specs
}

/// The default, and a fifth per period.
fn up_policies() -> [Value; 2] {
    let percent = |value: i32| json!({ "type": "Percent", "value": value, "periodSeconds": 15 });
    [json!([{ "type": "Pods", "value": 4, "periodSeconds": 15 }, percent(100)]), json!([percent(20)])]
}

/// The default (no limit), and a tenth a minute.
fn down_policies() -> [Value; 2] {
    [
        json!([{ "type": "Percent", "value": 100, "periodSeconds": 15 }]),
        json!([{ "type": "Percent", "value": 10, "periodSeconds": 60 }]),
    ]
}

/// A rate per replica, alone or with a limit on CPU beside it: the larger of the two proposals holds.
pub(in crate::tune) fn keda() -> Vec<StrategySpec> {
    let mut specs = Vec::new();
    for threshold in RATE_TARGETS {
        for cpu in [None, Some(75), Some(90)] {
            for hold in HOLDS_S {
                for down in down_policies() {
                    let rate = json!({ "type": "requests-per-second", "threshold": threshold });
                    let cpu = cpu.map(|percent| json!({ "type": "cpu", "value": percent }));
                    let triggers: Vec<Value> = core::iter::once(rate).chain(cpu).collect();
                    let down = json!({ "stabilizationWindowSeconds": hold, "policies": down });
                    let config = json!({ "triggers": triggers, "behavior": { "scaleDown": down } });
                    specs.push(Rule::Keda.spec(config));
                }
            }
        }
    }
    specs
}

/// Requests per second and pod at a utilisation of 100 %: the product of target and utilisation is all that counts.
pub(in crate::tune) fn kpa() -> Vec<StrategySpec> {
    let mut specs = Vec::new();
    for target in RATE_TARGETS {
        for stable_window_s in [15, 30, 60, 120] {
            for panic_threshold_percent in [120, 200] {
                for scale_down_delay_s in [0, 60, 120, 300, 600] {
                    specs.push(Rule::Kpa.spec(json!({
                        "metric": "rps",
                        "target": target,
                        "target_utilisation_percent": 100,
                        "stable_window_s": stable_window_s,
                        "panic_threshold_percent": panic_threshold_percent,
                        "scale_down_delay_s": scale_down_delay_s,
                    })));
                }
            }
        }
    }
    specs
}

/// A linear trend of the replicas, so far ahead as a start takes and around it, beside the plain proposal.
pub(in crate::tune) fn predictive_hpa() -> Vec<StrategySpec> {
    let mut specs = Vec::new();
    for target in CPU_TARGETS {
        for look_ahead_s in [30, 60, 90, 180] {
            for history_size in [6, 12, 24] {
                for hold in [0, 60, 300] {
                    let linear = json!({ "historySize": history_size, "lookAhead": 1_000 * look_ahead_s });
                    specs.push(Rule::PredictiveHpa.spec(json!({
                        "target": target,
                        "behavior": { "scaleDown": { "stabilizationWindowSeconds": hold } },
                        "models": [{ "type": "Linear", "linear": linear }],
                    })));
                }
            }
        }
    }
    specs
}
