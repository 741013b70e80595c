//! How learners are trained, as a study says it. The train lane maps these onto the learners' own settings.

use serde::{Deserialize, Serialize};

use crate::error::{ExperimentError, Result};

/// Training of the learned strategies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Training {
    /// Threads of the learner: weights are equal only for the same number.
    pub threads: u32,
    /// The LSTM forecaster.
    pub forecaster: ForecasterTraining,
    /// The DQN agent.
    pub agent: AgentTraining,
}

impl Default for Training {
    fn default() -> Self {
        Self { threads: 1, forecaster: ForecasterTraining::default(), agent: AgentTraining::default() }
    }
}

/// Training of the LSTM forecaster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ForecasterTraining {
    /// Cells.
    pub hidden: usize,
    /// Gradient steps.
    pub updates: u64,
    /// Parallel readings of the series.
    pub lanes: usize,
    /// Slots per update and lane.
    pub window: usize,
    /// Learning rate at the start.
    pub learning_rate: f64,
    /// Gradient steps between looks at the validation part.
    pub validate_every: u64,
}

impl Default for ForecasterTraining {
    fn default() -> Self {
        Self { hidden: 32, updates: 1_000, lanes: 32, window: 48, learning_rate: 0.012, validate_every: 50 }
    }
}

/// Training of the DQN agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AgentTraining {
    /// Width of both layers.
    pub hidden: usize,
    /// Environments of each member.
    pub envs: usize,
    /// Vector steps in all.
    pub vector_steps: u64,
    /// Vector steps between looks at the validation part.
    pub segment_steps: u64,
    /// Updates per vector step.
    pub updates_per_step: u32,
    /// Transitions in a mini-batch.
    pub batch: usize,
    /// Transitions kept per member.
    pub replay_capacity: usize,
    /// Rewards summed before bootstrapping.
    pub n_step: usize,
    /// Share by which the target net moves per update.
    pub target_rate: f64,
    /// Discount of a step of 15 s.
    pub discount: f64,
    /// Learning rate at the start.
    pub learning_rate: f64,
    /// Decisions in a training episode.
    pub episode_steps: u32,
    /// Steps for which an exploring action is held.
    pub exploration_hold: u32,
    /// Share of exploration next to `heuristic_action`.
    pub heuristic_share: f64,
    /// A sensible action to explore around.
    pub heuristic_action: u32,
    /// Price of a decision that the guard overrides, as a share of a typical step's cost: breaks ties, is not part of J.
    pub override_price: f64,
    /// Only the last so many days of the training part; 0 is all of it.
    pub days: u32,
}

impl Default for AgentTraining {
    fn default() -> Self {
        Self {
            hidden: 64,
            envs: 32,
            vector_steps: 30_000,
            segment_steps: 1_500,
            updates_per_step: 1,
            batch: 128,
            replay_capacity: 50_000,
            n_step: 5,
            target_rate: 0.01,
            discount: 0.95,
            learning_rate: 1e-3,
            episode_steps: 600,
            exploration_hold: 4,
            heuristic_share: 0.7,
            heuristic_action: 3,
            override_price: 0.06,
            days: 14,
        }
    }
}

impl Training {
    /// Checks ranges; the learners check the rest.
    ///
    /// # Errors
    /// The first key out of its range.
    pub fn check(&self, origin: &str) -> Result<()> {
        let wrong = |key: &str, detail: &str| Err(ExperimentError::config(origin, key, detail));
        let ForecasterTraining { hidden, updates, lanes, window, learning_rate, validate_every } = self.forecaster;
        if self.threads == 0 {
            return wrong("train.threads", "must be at least 1");
        }
        if [hidden, lanes, window].contains(&0) || updates == 0 || validate_every == 0 {
            return wrong("train.forecaster", "hidden, updates, lanes, window and validate_every must be at least 1");
        }
        if !(learning_rate > 0.0 && learning_rate < 1.0) {
            return wrong("train.forecaster.learning_rate", "must lie between 0 and 1");
        }
        self.agent.check(origin)
    }
}

impl AgentTraining {
    fn check(&self, origin: &str) -> Result<()> {
        let wrong = |key: &str, detail: &str| Err(ExperimentError::config(origin, key, detail));
        if [self.hidden, self.batch, self.envs, self.n_step].contains(&0)
            || self.vector_steps == 0
            || self.segment_steps == 0
        {
            return wrong(
                "train.agent",
                "hidden, batch, envs, n_step, vector_steps and segment_steps must be at least 1",
            );
        }
        if !(self.discount > 0.0 && self.discount < 1.0) {
            return wrong("train.agent.discount", "must lie between 0 and 1");
        }
        if !(self.learning_rate > 0.0 && self.learning_rate < 1.0) {
            return wrong("train.agent.learning_rate", "must lie between 0 and 1");
        }
        if !(self.override_price >= 0.0 && self.override_price <= 1.0) {
            return wrong("train.agent.override_price", "must be 0 to 1");
        }
        if !(10..=40_000).contains(&self.episode_steps) {
            return wrong("train.agent.episode_steps", "must be 10 to 40000 decisions");
        }
        Ok(())
    }
}
