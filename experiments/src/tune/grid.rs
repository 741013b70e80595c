//! The grids of the tunable rules. A row is a complete strategy, so a winner can be run, hashed and exported as it stands.
//!
//! `hold` is down-stabilisation: of the HPA's own behaviour for `hpa` (which runs under bounds alone), of the guard for rules
//! of our own (which run under the full guard). Reproductions of other systems stand in [`reproductions`].

mod reproductions;

use seatrial_core::scaling::guard::GuardConfig;
use seatrial_core::scaling::strategy::{Choice, StrategySpec};
use serde_json::{Value, json};

use crate::contest::linear_quantile;
use crate::strategies::Rule;

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
        Rule::Hpa => reproductions::hpa(),
        Rule::Keda => reproductions::keda(),
        Rule::Kpa => reproductions::kpa(),
        Rule::LazyCapacity => lazy_capacity(),
        Rule::Mixture => mixture(),
        Rule::Mpc => mpc(),
        Rule::Newsvendor => newsvendor(),
        Rule::PredictiveHpa => reproductions::predictive_hpa(),
        Rule::ForecastMax => forecast_max(),
        Rule::Headroom => headroom(),
        Rule::Seasonal => seasonal(),
        Rule::Static => constant(),
    }
}

/// The factors from which `headroom-constant` is chosen.
#[must_use]
pub(super) fn constant_factors() -> Vec<f64> {
    // A hundredth and not a product of steps: 1.14 shall read 1.14 in a manifest.
    (0..FACTORS).map(|step| (f64::from(step) * FACTOR_STEP * 100.0).round() / 100.0 + 1.0).collect()
}

fn held_guard(hold_s: u32) -> Option<GuardConfig> {
    Some(GuardConfig { down_stabilisation_s: hold_s, ..GuardConfig::default() })
}

fn held(policy: &str, config: Value, hold_s: u32) -> StrategySpec {
    StrategySpec { policy: Choice { id: policy.into(), config }, forecaster: None, guard: held_guard(hold_s) }
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

fn lazy_capacity() -> Vec<StrategySpec> {
    let mut specs = Vec::new();
    for kappa in [0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0, 30.0] {
        for switch_s in [0.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0] {
            for hold in HOLDS_S {
                let spec = Rule::LazyCapacity.spec(json!({ "kappa": kappa, "switch_s": switch_s }));
                specs.push(StrategySpec { guard: held_guard(hold), ..spec });
            }
        }
    }
    specs
}

fn mixture() -> Vec<StrategySpec> {
    let mut specs = Vec::new();
    for sharpness in [3.0, 5.0, 10.0, 15.0, 20.0, 30.0, 50.0, 80.0, 150.0] {
        for half_life_hours in [1, 3, 6, 12, 24, 48, 96] {
            for kappa in [1.0, 2.0] {
                for hold in [0, 30, 60, 120] {
                    let half_life_s = 3_600 * half_life_hours;
                    let config = json!({ "sharpness": sharpness, "half_life_s": half_life_s, "kappa": kappa });
                    specs.push(StrategySpec { guard: held_guard(hold), ..Rule::Mixture.spec(config) });
                }
            }
        }
    }
    specs
}

/// Protocol P1 asks for 20 of the dearest rule.
fn mpc() -> Vec<StrategySpec> {
    let mut specs = Vec::new();
    for kappa in [1.0, 2.0] {
        for level in [0.75, 0.9, 0.97] {
            for utilisation in [0.8, 0.88, 0.95, 1.05] {
                specs.push(Rule::Mpc.spec(json!({ "kappa": kappa, "level": level, "utilisation": utilisation })));
            }
        }
    }
    specs
}

fn seasonal() -> Vec<StrategySpec> {
    let mut specs = Vec::new();
    for step in 0..14 {
        let reactive = (100.0 + 5.0 * f64::from(step)) / 100.0;
        for margin in [0.8, 0.9, 1.0, 1.1, 1.2, 1.3] {
            for hold in HOLDS_S {
                // The seasonal forecast claims certainty, so its level says nothing.
                let config = json!({ "reactive_factor": reactive, "level": 0.5, "margin": margin });
                let spec = Rule::Seasonal.spec(config);
                specs.push(StrategySpec { guard: held_guard(hold), ..spec });
            }
        }
    }
    specs
}

/// Every number of replicas that protocol P1 allows: there are no 500.
fn constant() -> Vec<StrategySpec> {
    (1..=100).map(|replicas| Rule::Static.spec(json!({ "replicas": replicas }))).collect()
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
        for rule in Rule::all() {
            let specs = grid(rule);
            let mut texts: Vec<String> = specs.iter().map(StrategySpec::canonical_json).collect();
            for (spec, text) in specs.iter().zip(&texts) {
                spec.build(&ingredients).unwrap_or_else(|error| panic!("{text}: {error}"));
            }
            texts.sort();
            texts.dedup();
            assert_eq!(texts.len(), specs.len());
            let fewest = match rule {
                Rule::Static => 100,
                Rule::Mpc => 20,
                _ => 500,
            };
            assert!(specs.len() >= fewest, "{rule:?}: protocol P1 wants {fewest}, there are {}", specs.len());
        }
    }
}
