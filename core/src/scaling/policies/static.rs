//! `static`: a constant number of replicas.
//!
//! The floor of every comparison: what a workload costs that nobody scales. Source: none needed.

use serde::{Deserialize, Serialize};

use super::{GuardProfile, Ingredients, PolicyRow};
use crate::scaling::config::{self, ConfigError};
use crate::scaling::policy::{DynPolicy, Policy, Proposal, Reason, View};
use crate::time::Timestamp;

const ID: &str = "static";

/// Its row.
pub(super) const ROW: PolicyRow = PolicyRow {
    id: ID,
    summary: "a constant number of replicas",
    sources: &[],
    deviations: &[],
    needs_forecast: false,
    needs_weights: false,
    guard: GuardProfile::BoundsOnly,
    default_config: super::default_config::<Config>,
    build,
};

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    /// Replicas to keep.
    replicas: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { replicas: 10 }
    }
}

fn build(config: &serde_json::Value, _: &Ingredients<'_>) -> Result<Box<dyn DynPolicy>, ConfigError> {
    Ok(Box::new(Static(config::parse(ID, config)?)))
}

struct Static(Config);

impl Policy for Static {
    type State = ();

    fn initial_state(&self) {}

    fn step(&self, _: Timestamp, _: &View<'_>, (): &mut ()) -> Proposal {
        Proposal::of(self.0.replicas, Reason::Fixed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::Observation;
    use crate::scaling::policies::tests::{build_policy, view_of};

    #[test]
    fn proposes_its_constant_whatever_it_sees() {
        let policy = build_policy(ID, &serde_json::json!({ "replicas": 7 }));
        let seen = Observation::unknown(Timestamp::ZERO, 3);
        let proposal = policy.step(seen.now, &view_of(&seen), &mut policy.initial_state());
        assert_eq!(proposal, Proposal::of(7, Reason::Fixed));
    }
}
