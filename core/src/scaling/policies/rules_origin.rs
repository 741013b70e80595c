//! `rules-origin`: the load-class table of NimbusGuard, followed as it stands.
//!
//! The origin's agent was trained on a table of rewards, load class × action, with nothing of the outcome in it; what it could
//! at best learn is the best action of each class. This rule takes that action: up in the classes `emergency`, `medium` and
//! `high`, down in `zero` and `low`, one replica at a time, every 30 s. Kept as it is, defects included:
//!
//! - The limit of one pod is divided by the replicas once more, and so is the use: a class depends on the total use against the
//!   limit of one pod, and no number of replicas cures `high` (origins.md 2.6, 9). Under load it drifts to the greatest number.
//! - A missing metric is 0, and 0 for both is an emergency: an outage of the metrics scales up (origins.md 2.6, 10).
//! - There is no middle: no class keeps what is there.
//!
//! Source: NimbusGuard, branch `feature/showcase` at `40079cf`, `src/operator/dqn/rewards.py` (classes and table),
//! `workflow/nodes.py` (step, bounds), `config/settings.py` (30 s).
//!
//! # Deviations
//! 1. The agent (dueling DQN, exploration, LSTM input) and the other terms of the reward (forecast, efficiency, stability) are
//!    left out: the table's best action is taken.
//! 2. Bounds are the workload's, where the origin's were 1 to 50 or annotations.
//! 3. The memory limit is a config value (the workload has none; the origin read 1 GiB from the Deployment), the CPU limit the
//!    workload's.

use serde::{Deserialize, Serialize};

use super::{GuardProfile, Ingredients, PolicyRow, in_range};
use crate::observe::{Bounds, Feature, Workload};
use crate::scaling::config::{self, ConfigError};
use crate::scaling::policy::{DynPolicy, Policy, Proposal, Reason, View};
use crate::time::{Span, Timestamp};

const ID: &str = "rules-origin";
const MIB: f64 = 1024.0 * 1024.0;
/// The origin's timer.
const CADENCE: Span = Span::from_secs(30);

/// Its row.
pub(super) const ROW: PolicyRow = PolicyRow {
    id: ID,
    summary: "NimbusGuard's load-class table: one replica up or down by class, defects included",
    sources: &["NimbusGuard 40079cf, src/operator/dqn/rewards.py"],
    deviations: &[
        "the agent, its exploration and forecast, and the other terms of the reward are left out: the table's best action is taken",
        "bounds are the workload's, not 1 to 50 or annotations",
        "the memory limit is a config value, the CPU limit the workload's: the origin read both from the Deployment",
    ],
    needs_forecast: false,
    needs_weights: false,
    guard: GuardProfile::BoundsOnly,
    default_config: super::default_config::<Config>,
    build,
};

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    /// Memory limit of a pod in MiB, 0 to 1,048,576; 0 is a Deployment without limits, which the origin judged by other
    /// thresholds.
    memory_limit_mib: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self { memory_limit_mib: 1_024.0 }
    }
}

fn build(config: &serde_json::Value, ingredients: &Ingredients<'_>) -> Result<Box<dyn DynPolicy>, ConfigError> {
    let config: Config = config::parse(ID, config)?;
    in_range(ID, "memory_limit_mib", config.memory_limit_mib, 0.0..=1_048_576.0, "0 to 1048576")?;
    Ok(Box::new(RulesOrigin::new(config, ingredients.workload)))
}

struct RulesOrigin {
    cpu_limit: f64,
    memory_limit: f64,
    bounds: Bounds,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Emergency,
    Zero,
    Low,
    Medium,
    High,
}

impl Class {
    /// Rewards of scaling up, keeping and scaling down.
    const fn rewards(self) -> [f64; 3] {
        match self {
            Self::Emergency => [10.0, -10.0, -20.0],
            Self::Zero => [-1.0, -0.5, 2.0],
            Self::Low => [-0.5, 0.3, 1.2],
            Self::Medium => [1.2, -0.2, -1.0],
            Self::High => [2.0, -1.0, -2.0],
        }
    }

    /// Change of the best action.
    fn change(self) -> i64 {
        let [up, keep, down] = self.rewards();
        if up > keep && up > down {
            1
        } else if down > keep {
            -1
        } else {
            0
        }
    }
}

impl RulesOrigin {
    fn new(config: Config, workload: &Workload) -> Self {
        Self {
            cpu_limit: f64::from(workload.cpu_limit_milli) / 1_000.0,
            memory_limit: config.memory_limit_mib * MIB,
            bounds: workload.bounds,
        }
    }

    /// The origin's classification of the use of all replicas together.
    fn class(&self, cpu_cores: f64, memory_bytes: f64, replicas: u32, ready: u32) -> Class {
        let replicas = f64::from(replicas.max(1));
        if ready == 0 || cpu_cores == 0.0 && memory_bytes == 0.0 {
            return Class::Emergency;
        }
        if cpu_cores < 0.01 && memory_bytes < 50.0 * MIB {
            return Class::Zero;
        }
        let (cpu, memory) = (cpu_cores / replicas, memory_bytes / replicas);
        if self.cpu_limit <= 0.0 || self.memory_limit <= 0.0 {
            return three(cpu > 0.3 || memory > 600.0 * MIB, cpu > 0.15 || memory > 300.0 * MIB);
        }
        // The defect: the limit of one pod, divided by all of them.
        let cpu = (cpu / (self.cpu_limit / replicas)).min(1.0);
        let memory = (memory / (self.memory_limit / replicas)).min(1.0);
        if cpu > 0.45 {
            return three(cpu > 0.7, true);
        }
        let composite = cpu * 0.8 + memory * 0.2;
        three(composite > 0.6, composite > 0.3)
    }
}

const fn three(high: bool, medium: bool) -> Class {
    if high {
        Class::High
    } else if medium {
        Class::Medium
    } else {
        Class::Low
    }
}

impl Policy for RulesOrigin {
    type State = ();

    fn initial_state(&self) {}

    fn step(&self, now: Timestamp, view: &View<'_>, (): &mut ()) -> Proposal {
        let seen = view.observation;
        // Missing is 0: see the module.
        let value = |feature| seen.metrics.get(feature).map_or(0.0, |sample| sample.value);
        let (cpu, memory) = (value(Feature::ProcessCpuSecondsTotalRate), value(Feature::ProcessResidentMemoryBytes));
        let class = self.class(cpu, memory, seen.spec_replicas, seen.pods.counts(now).ready);
        let wish = (i64::from(seen.spec_replicas) + class.change()).clamp(0, i64::from(u32::MAX));
        let bounded = self.bounds.clamp(u32::try_from(wish).unwrap_or(u32::MAX));
        let reason = if i64::from(bounded) == wish { Reason::Load } else { Reason::Bounded };
        Proposal::of(bounded, reason)
    }

    fn cadence(&self) -> Option<Span> {
        Some(CADENCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::{Observation, PodCounts, Pods, Sample};
    use crate::scaling::policies::tests::{build_policy, refused, view_of};

    fn seen(replicas: u32, cpu_cores: Option<f64>, memory_mib: Option<f64>) -> Observation {
        let mut seen = Observation::unknown(Timestamp::from_secs(100), replicas);
        seen.pods = Pods::Homogeneous(PodCounts { ready: replicas, ..PodCounts::default() });
        for (feature, value) in [
            (Feature::ProcessCpuSecondsTotalRate, cpu_cores),
            (Feature::ProcessResidentMemoryBytes, memory_mib.map(|mib| mib * MIB)),
        ] {
            seen.metrics.set(feature, value.map(|value| Sample { at: Timestamp::from_secs(85), value }));
        }
        seen
    }

    fn propose(seen: &Observation) -> (Option<u32>, Reason) {
        let policy = build_policy(ID, &serde_json::Value::Null);
        let proposal = policy.step(seen.now, &view_of(seen), &mut policy.initial_state());
        (proposal.replicas, proposal.reason)
    }

    /// Limits of 4 cores and 1,024 MiB.
    #[test]
    fn classes_by_total_use_against_the_limit_of_one_pod() {
        for (cpu, memory, change) in [
            (0.0, 0.0, 1),     // All zero: an emergency.
            (0.005, 10.0, -1), // Zero.
            (1.1, 100.0, -1),  // 0.8 × 0.275 + 0.2 × 0.098 = 0.24: low.
            (1.2, 400.0, 1),   // 0.24 + 0.078 = 0.318: medium.
            (1.0, 1_024.0, 1), // 0.2 + 0.2 = 0.4: medium by memory.
            (1.9, 0.0, 1),     // 0.475: medium by CPU alone.
            (2.9, 0.0, 1),     // 0.725: high.
        ] {
            for replicas in [2, 10, 50] {
                let wish = propose(&seen(replicas, Some(cpu), Some(memory)));
                let expected = u32::try_from(i64::from(replicas) + change).unwrap();
                assert_eq!(wish, (Some(expected), Reason::Load), "{cpu} cores, {memory} MiB on {replicas}");
            }
        }
    }

    #[test]
    fn class_names_follow_the_thresholds() {
        let rules = RulesOrigin::new(Config::default(), &Workload::protocol_p1());
        assert_eq!(rules.class(2.81, 0.0, 10, 10), Class::High);
        assert_eq!(rules.class(2.8, 0.0, 10, 10), Class::Medium, "exactly 0.7 is not above");
        assert_eq!(rules.class(1.0, 0.0, 10, 10), Class::Low);
        assert_eq!(rules.class(1.0, 0.0, 10, 0), Class::Emergency, "nobody is ready");
        assert_eq!(rules.class(0.0, 60.0 * MIB, 10, 10), Class::Low, "not zero: 60 MiB are used");
        let unlimited = RulesOrigin::new(Config { memory_limit_mib: 0.0 }, &Workload::protocol_p1());
        assert_eq!(unlimited.class(3.1, 0.0, 10, 10), Class::High);
        assert_eq!(unlimited.class(3.1, 0.0, 20, 20), Class::Medium, "without limits replicas do help");
        assert_eq!(unlimited.class(3.1, 0.0, 30, 30), Class::Low);
    }

    #[test]
    fn an_outage_scales_up_and_bounds_hold() {
        assert_eq!(propose(&seen(10, None, None)), (Some(11), Reason::Load));
        assert_eq!(propose(&seen(100, None, None)), (Some(100), Reason::Bounded));
        assert_eq!(propose(&seen(1, Some(0.1), Some(10.0))), (Some(1), Reason::Bounded));
        assert_eq!(build_policy(ID, &serde_json::Value::Null).cadence(), Some(Span::from_secs(30)));
    }

    #[test]
    fn refuses_what_is_out_of_range() {
        let message = refused(ID, &serde_json::json!({ "memory_limit_mib": -1.0 }));
        assert!(message.contains("`memory_limit_mib` is -1, must be 0 to 1048576"), "{message}");
    }
}
