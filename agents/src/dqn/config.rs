//! Settings of the DQN and their ranges. The defaults are those of `autoscale-v1` under protocol P1.

use serde::{Deserialize, Serialize};

use crate::error::{AgentError, require};

/// Settings shared by all members.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DqnConfig {
    /// Width of both layers.
    pub hidden: usize,
    /// Environments of each member.
    pub envs_per_member: usize,
    /// Vector steps in all: each is one step in every environment.
    pub vector_steps: u64,
    /// Vector steps between validations.
    pub segment_steps: u64,
    /// Transitions kept per member.
    pub replay_capacity: usize,
    /// Vector steps before the first update.
    pub learning_starts: u64,
    /// Updates per vector step.
    pub updates_per_step: u32,
    /// Transitions per update and member.
    pub batch: usize,
    /// Rewards summed before bootstrapping.
    pub n_step: usize,
    /// Share by which the target net moves to the online net per update.
    pub target_rate: f64,
    /// Learning rate at the end as a share of that at the start.
    pub last_rate_share: f64,
    /// Greatest gradient norm of a member.
    pub clip_norm: f64,
    /// Share of exploring steps at the start.
    pub epsilon_first: f64,
    /// Share of exploring steps after the decay.
    pub epsilon_last: f64,
    /// Share of all vector steps over which it falls.
    pub epsilon_decay_share: f64,
    /// Steps an exploration draw is held.
    pub exploration_hold: u32,
    /// Share of exploration that stays within one action of the heuristic, where there is one.
    pub heuristic_share: f64,
    /// Cost that counts as one unit of reward; 100 pod-seconds keep a calm step of P1 near one unit and clip nothing.
    pub cost_scale: f64,
    /// Cost per step that counts as no reward.
    pub cost_offset: f64,
    /// Threads of libtorch.
    pub threads: u32,
}

impl Default for DqnConfig {
    fn default() -> Self {
        Self {
            hidden: 64,
            envs_per_member: 32,
            vector_steps: 16_000,
            segment_steps: 800,
            replay_capacity: 100_000,
            learning_starts: 100,
            updates_per_step: 1,
            batch: 128,
            n_step: 3,
            target_rate: 0.01,
            last_rate_share: 0.1,
            clip_norm: 10.0,
            epsilon_first: 1.0,
            epsilon_last: 0.03,
            epsilon_decay_share: 0.4,
            exploration_hold: 4,
            heuristic_share: 0.5,
            cost_scale: 100.0,
            cost_offset: 0.0,
            threads: 2,
        }
    }
}

/// What distinguishes a member.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DqnMember {
    /// Seed of initial weights, episodes, exploration and batches.
    pub seed: u64,
    /// Learning rate at the start.
    pub learning_rate: f64,
    /// Discount γ per step.
    pub discount: f64,
}

/// Refuses settings that are out of range.
pub(super) fn check(config: &DqnConfig, members: &[DqnMember]) -> Result<(), AgentError> {
    let positive = |setting, value: u64| require(value > 0, setting, value, "must be at least 1");
    positive("members", members.len() as u64)?;
    positive("hidden", config.hidden as u64)?;
    positive("envs_per_member", config.envs_per_member as u64)?;
    positive("segment_steps", config.segment_steps)?;
    positive("batch", config.batch as u64)?;
    positive("n_step", config.n_step as u64)?;
    positive("exploration_hold", u64::from(config.exploration_hold))?;
    positive("threads", u64::from(config.threads))?;
    positive("replay_capacity", config.replay_capacity as u64)?;
    let starts = config.learning_starts;
    require(
        starts >= config.n_step as u64,
        "learning_starts",
        starts,
        "must be at least `n_step`, so that replay is not empty",
    )?;
    require(config.cost_scale > 0.0, "cost_scale", config.cost_scale, "must be positive")?;
    require(config.clip_norm > 0.0, "clip_norm", config.clip_norm, "must be positive")?;
    for member in members {
        require(member.learning_rate > 0.0, "learning_rate", member.learning_rate, "must be positive")?;
        let discount = member.discount;
        require((0.0..1.0).contains(&discount), "discount", discount, "must be at least 0 and below 1")?;
    }
    Ok(())
}
