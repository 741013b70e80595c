//! The grids of the tunable rules. A row is a complete strategy, so a winner can be run, hashed and exported as it stands.
//!
//! `hold` is down-stabilisation: of the HPA's own behaviour for `hpa` (which runs under bounds alone), of the guard for rules
//! of our own (which run under the full guard).

use seatrial_core::scaling::guard::GuardConfig;
use seatrial_core::scaling::strategy::{Choice, StrategySpec};
use serde_json::{Value, json};

use crate::contest::linear_quantile;
use crate::strategies::Rule;

/// Targets of CPU utilisation in percent; closer where loads of a few to a hundred pods have their optimum.
const CPU_TARGETS: [f64; 14] = [40.0, 50.0, 55.0, 60.0, 64.0, 67.0, 70.0, 73.0, 76.0, 78.0, 80.0, 82.0, 85.0, 90.0];
/// Targets in requests per second and replica.
const RATE_TARGETS: [f64; 14] = [20.0, 24.0, 28.0, 30.0, 32.0, 34.0, 35.0, 36.0, 37.0, 38.0, 39.0, 40.0, 42.0, 45.0];
const HOLDS_S: [u32; 6] = [0, 30, 60, 120, 300, 600];
const LEVELS: [f64; 8] = [0.5, 0.6, 0.75, 0.85, 0.9, 0.95, 0.97, 0.99];
const MARGINS: [f64; 11] = [1.0, 1.03, 1.06, 1.09, 1.12, 1.15, 1.18, 1.22, 1.27, 1.35, 1.5];
const REACTIVE_FACTORS: [f64; 4] = [1.0, 1.1, 1.18, 1.4];
/// Headroom factors from 1 on, this far apart.
const FACTOR_STEP: f64 = 0.02;
const FACTORS: u32 = 84;

/// Every configuration of `rule`, in a fixed order.
#[must_use]
pub(super) fn grid(rule: Rule) -> Vec<StrategySpec> {
    match rule {
        Rule::Hpa => hpa(),
        Rule::Newsvendor => newsvendor(),
        Rule::ForecastMax => forecast_max(),
        Rule::Headroom => headroom(),
    }
}

/// The factors from which `headroom-constant` is chosen.
#[must_use]
pub(super) fn constant_factors() -> Vec<f64> {
    // A hundredth and not a product of steps: 1.14 shall read 1.14 in a manifest.
    (0..FACTORS).map(|step| (f64::from(step) * FACTOR_STEP * 100.0).round() / 100.0 + 1.0).collect()
}

fn hpa() -> Vec<StrategySpec> {
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

fn held(policy: &str, config: Value, hold_s: u32) -> StrategySpec {
    let guard = GuardConfig { down_stabilisation_s: hold_s, ..GuardConfig::default() };
    StrategySpec { policy: Choice { id: policy.into(), config }, forecaster: None, guard: Some(guard) }
}

fn newsvendor() -> Vec<StrategySpec> {
    let mut specs = Vec::new();
    for level in LEVELS {
        for margin in MARGINS {
            for hold in HOLDS_S {
                let config = json!({ "level": level, "margin": margin, "hold_s": hold });
                // Its own hold decides; the guard's is not longer.
                let spec = held("newsvendor", config, hold.min(GuardConfig::default().down_stabilisation_s));
                specs.push(StrategySpec { forecaster: Some(linear_quantile()), ..spec });
            }
        }
    }
    specs
}

fn forecast_max() -> Vec<StrategySpec> {
    let mut specs = Vec::new();
    for reactive in REACTIVE_FACTORS {
        for level in LEVELS {
            for margin in [1.0, 1.06, 1.12, 1.18, 1.3] {
                for hold in [0, 30, 60, 300] {
                    let config = json!({ "reactive_factor": reactive, "level": level, "margin": margin });
                    specs.push(StrategySpec {
                        forecaster: Some(linear_quantile()),
                        ..held("forecast-max", config, hold)
                    });
                }
            }
        }
    }
    specs
}

fn headroom() -> Vec<StrategySpec> {
    let rows = constant_factors()
        .into_iter()
        .flat_map(|factor| HOLDS_S.map(|hold| held("headroom", json!({ "factor": factor }), hold)));
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use seatrial_core::nets::Weights;
    use seatrial_core::observe::Workload;
    use seatrial_core::scaling::policies::Ingredients;

    #[test]
    fn every_configuration_builds_and_none_is_there_twice() {
        let weights = Weights::deterministic(1, 8, 16);
        let ingredients = Ingredients { workload: &Workload::protocol_p1(), weights: Some(&weights) };
        for rule in [Rule::Hpa, Rule::Newsvendor, Rule::ForecastMax, Rule::Headroom] {
            let specs = grid(rule);
            let mut texts: Vec<String> = specs.iter().map(StrategySpec::canonical_json).collect();
            for (spec, text) in specs.iter().zip(&texts) {
                spec.build(&ingredients).unwrap_or_else(|error| panic!("{text}: {error}"));
            }
            texts.sort();
            texts.dedup();
            assert_eq!(texts.len(), specs.len());
        }
        for rule in [Rule::Hpa, Rule::Newsvendor, Rule::ForecastMax, Rule::Headroom] {
            assert!(grid(rule).len() >= 500, "{rule:?}: protocol P1 wants 500, there are {}", grid(rule).len());
        }
    }
}
