//! Protocol P1 as data: `protocols/p1.toml`, which every study names and every run folder hashes.
//!
//! The world of the file is what studies run in. Figures that the crates below hold as constants stand in the file too, so
//! that it says everything; a test compares the two.

use seatrial_core::observe::Bounds;
use seatrial_envs::scenario::{Regime, Scenario};
use serde::{Deserialize, Serialize};

use crate::error::{ExperimentError, Result};
use crate::hash;
use crate::manifest::ProtocolRef;

/// The text of the file.
pub const P1: &str = include_str!("../protocols/p1.toml");

/// A registered policy that ignores what it sees: it plays while the visible load is recorded.
pub const CONSTANT_POLICY: &str = "static";

/// A protocol.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Protocol {
    /// Its id.
    pub id: String,
    /// The world of evaluation.
    pub scenario: Scenario,
    /// How a series is scaled.
    pub load: LoadRules,
    /// How it is split.
    pub splits: SplitRules,
    /// How rules are tuned.
    pub tuning: TuningRules,
    /// How intervals are made.
    pub inference: InferenceRules,
    /// What the export gate asks.
    pub gate: GateRules,
}

/// How a series is scaled.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoadRules {
    /// P99.5 of the training part in requests per second.
    pub training_p995_per_s: f64,
    /// Greatest whole-trace peak in requests per second.
    pub peak_per_s: f64,
    /// Noise above which a series is read as an intensity.
    pub noise_limit: f64,
}

/// How a series is split.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitRules {
    /// Share of training.
    pub train_share: f64,
    /// Share of validation, the gap included.
    pub validation_share: f64,
    /// Longest test part in days.
    pub longest_test_days: u32,
    /// Shorter series are test-only.
    pub shortest_trained_days: u32,
}

/// How rules are tuned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TuningRules {
    /// Fewest configurations of `hpa`.
    pub fewest_hpa_configurations: usize,
    /// Days of training before validation that tuning looks at.
    pub days_of_training: u32,
}

/// How intervals are made.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InferenceRules {
    /// Coverage.
    pub level: f64,
    /// Bootstrap resamples.
    pub resamples: usize,
    /// Evaluation seeds.
    pub evaluation_seeds: usize,
}

/// What the export gate asks.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GateRules {
    /// Greatest share of steps in which the guard overrode the policy.
    pub most_guard_share: f64,
}

impl Protocol {
    /// Protocol P1.
    ///
    /// # Errors
    /// If the built-in file is broken: a bug that a test finds.
    pub fn p1() -> Result<Self> {
        let broken = |detail: String| ExperimentError::config("protocols/p1.toml", "(whole file)", detail);
        let protocol: Self = toml::from_str(P1).map_err(|error| broken(error.message().to_owned()))?;
        protocol.scenario.validate().map_err(|error| broken(error.to_string()))?;
        Ok(protocol)
    }

    /// Its reference for a manifest.
    #[must_use]
    pub fn reference(&self) -> ProtocolRef {
        ProtocolRef { id: self.id.clone(), hash: hash::of_bytes(P1.as_bytes()) }
    }

    /// The world under `regime`, with other replica bounds if the study sets them.
    #[must_use]
    pub fn world(&self, regime: Regime, limits: Option<Bounds>) -> Scenario {
        let mut scenario = self.scenario.under(regime);
        if let Some(limits) = limits {
            scenario.workload.bounds = limits;
        }
        scenario
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use seatrial_core::time::Span;
    use seatrial_datasets::load::{NOISE_LIMIT, PEAK_PER_S, TRAINING_P995_PER_S};
    use seatrial_datasets::splits::{LONGEST_TEST, SHORTEST_TRAINED};

    #[test]
    fn the_file_is_what_the_crates_run() {
        let protocol = Protocol::p1().unwrap();
        assert_eq!(protocol.scenario, Scenario::protocol_p1());
        let LoadRules { training_p995_per_s, peak_per_s, noise_limit } = protocol.load;
        assert_eq!((training_p995_per_s, peak_per_s, noise_limit), (TRAINING_P995_PER_S, PEAK_PER_S, NOISE_LIMIT));
        let days = |count: u32| Span::from_secs(86_400 * i64::from(count));
        assert_eq!(days(protocol.splits.longest_test_days), LONGEST_TEST);
        assert_eq!(days(protocol.splits.shortest_trained_days), SHORTEST_TRAINED);
        assert_eq!(crate::config::Tuning::default().days, protocol.tuning.days_of_training);
        assert!(crate::tune::grid_size(crate::strategies::Rule::Hpa) >= protocol.tuning.fewest_hpa_configurations);
    }
}
