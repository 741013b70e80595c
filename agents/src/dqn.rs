//! Double dueling DQN with n-step returns over any [`VectorEnv`].
//!
//! Sources: Mnih et al., "Human-level control through deep reinforcement learning" (Nature 2015); van Hasselt et al., "Deep
//! reinforcement learning with double Q-learning" (AAAI 2016); Wang et al., "Dueling network architectures" (ICML 2016);
//! Sutton (1988) for n-step returns; Dabney et al., "Temporally-extended ε-greedy exploration" (ICLR 2021); Naik et al.,
//! "Reward centering" (RLC 2024) for `cost_offset`. Layer norm before each ReLU as in PQN (Gallici et al., ICLR 2025).
//!
//! **Net.** Two layers of 64 with layer norm and ReLU, a value head and an advantage head: Q = V + A − mean(A).
//!
//! **Loop.** Each vector step acts once in every environment, then makes `updates_per_step` updates of `batch` transitions
//! per member once `learning_starts` steps are stored. Reward = −(cost − `cost_offset`) / `cost_scale`; target = n-step
//! return + factor × Q̄(s', argmax Q(s', ·)), the factor being γᵏ, or 0 where the task ended (see `replay`). P members with
//! their own slices of environments, replay and draws run in lock-step as batched matrix products.
//!
//! **Segments.** Training is cut into segments of `segment_steps` vector steps. Each starts fresh episodes in all environments
//! (seeds drawn from member seed and segment) and ends by truncating what runs and by validation. So a checkpoint, taken between
//! segments, needs no state of the environment, and a resumed run equals an uninterrupted one to the bit.
//!
//! **Selection.** The caller scores each member's exported policy on validation (lower is better); the best is kept.
//!
//! **Deviations.** (1) Nothing is clipped: neither costs nor TD errors; the loss is half the squared error, because the
//! rare great costs are the point (learning.md, fact 8); gradients are limited by norm per member. (2) The target net is an
//! exponential average and is also what is validated and exported: its greedy policy changes less from update to update.
//! (3) Exploration is drawn per block of `exploration_hold` steps, so that an explored action lasts as long as a pod takes
//! to matter; a share of it is taken next to a heuristic action if the caller gives one. (4) `cost_offset` shifts all rewards;
//! it leaves the best policy as it is only where tasks do not terminate.
//!
//! **Metrics** ([`DqnRow`]), means over the segment: `loss` half squared TD error; `mean_q` greatest Q of the sampled states,
//! scaled reward units; `mean_cost` realised cost per environment step, the environment's unit; `epsilon` at the segment's end.

mod buffers;
mod config;

use ndarray::Array1;
use seatrial_core::nets::Weights;
use seatrial_core::rand::{Stream, below, derive_seed, draw, open_unit};
use seatrial_core::rl::VectorEnv;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor, no_grad};

use crate::adam::{Adam, Progress, schedule};
use crate::checkpoint::{CheckpointReader, CheckpointWriter, require_same};
use crate::error::AgentError;
use crate::export::member_weights;
use crate::population::{Layout, TensorSpec, fan_in_bound, linear, values_f64};
use crate::replay::{NStep, Next, Replay, Sample};
use crate::runtime;

use buffers::{Buffers, row};

pub use config::{DqnConfig, DqnMember};

const LEARNER: &str = "dqn";
const NORM_EPSILON: f64 = 1e-5;
const ADAM_EPSILON: f64 = 1e-5;
const WARM_UP_UPDATES: u64 = 50;

// ------------------------------------------------------------------------------------------------- interface

/// One row of the learning curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DqnRow {
    /// Member of the population.
    pub member: usize,
    /// Environment steps of this member so far.
    pub env_steps: u64,
    /// See the module.
    pub loss: f64,
    /// See the module.
    pub mean_q: f64,
    /// See the module.
    pub epsilon: f64,
    /// See the module.
    pub mean_cost: f64,
    /// The caller's score of the policy at the end of the segment, lower is better.
    pub validation: f64,
}

/// A sensible action for an observation.
pub type Heuristic<'a> = dyn Fn(&[f32]) -> u32 + 'a;

/// What the caller contributes to training.
pub struct Hooks<'a> {
    /// What to explore around, if anything.
    pub heuristic: Option<&'a Heuristic<'a>>,
    /// Scores each member's policy on validation after so many vector steps; lower is better, finite.
    pub validate: &'a mut dyn FnMut(u64, &[Weights]) -> Vec<f64>,
}

/// The best policy of a member.
#[derive(Clone, Debug)]
pub struct TrainedAgent {
    /// Weights for the core's `lstm-dqn` policy.
    pub weights: Weights,
    /// Its score on validation.
    pub validation: f64,
}

// ------------------------------------------------------------------------------------------------- network

/// Tensors of the net; [`q_values`] takes them in this order.
pub(crate) fn layout(width: usize, hidden: usize, actions: usize) -> Layout {
    let (first, other) = (fan_in_bound(width), fan_in_bound(hidden));
    let ones = |_: usize, _: &[usize]| 1.0;
    Layout {
        tensors: vec![
            TensorSpec::new("agent.trunk.0.weight", &[hidden, width], first),
            TensorSpec::new("agent.trunk.0.bias", &[hidden], first),
            TensorSpec::new("agent.norm.0.weight", &[hidden], 0.0).around(ones),
            TensorSpec::new("agent.norm.0.bias", &[hidden], 0.0),
            TensorSpec::new("agent.trunk.1.weight", &[hidden, hidden], other),
            TensorSpec::new("agent.trunk.1.bias", &[hidden], other),
            TensorSpec::new("agent.norm.1.weight", &[hidden], 0.0).around(ones),
            TensorSpec::new("agent.norm.1.bias", &[hidden], 0.0),
            TensorSpec::new("agent.value.weight", &[1, hidden], other),
            TensorSpec::new("agent.value.bias", &[1], other),
            TensorSpec::new("agent.advantage.weight", &[actions, hidden], other),
            TensorSpec::new("agent.advantage.bias", &[actions], other),
        ],
    }
}

/// Q `[P, B, actions]` of observations `[P, B, width]`.
pub(crate) fn q_values(tensors: &[Tensor], observations: &Tensor) -> Tensor {
    let first = normed_relu(&linear(observations, &tensors[0], &tensors[1]), &tensors[2], &tensors[3]);
    let second = normed_relu(&linear(&first, &tensors[4], &tensors[5]), &tensors[6], &tensors[7]);
    let value = linear(&second, &tensors[8], &tensors[9]);
    let advantage = linear(&second, &tensors[10], &tensors[11]);
    value + &advantage - advantage.mean_dim([2_i64].as_slice(), true, Kind::Float)
}

fn normed_relu(inputs: &Tensor, weight: &Tensor, bias: &Tensor) -> Tensor {
    let normed = inputs.layer_norm([inputs.size()[2]], None::<&Tensor>, None::<&Tensor>, NORM_EPSILON, false);
    bias.unsqueeze(1).addcmul(&normed, &weight.unsqueeze(1)).relu()
}

// ------------------------------------------------------------------------------------------------- learner

/// Trains P agents in lock-step. Make one, [`run_segment`](Self::run_segment) until [`is_finished`](Self::is_finished),
/// [`finish`](Self::finish).
#[derive(Debug)]
pub struct DqnTrainer {
    config: DqnConfig,
    members: Vec<DqnMember>,
    width: usize,
    actions: usize,
    layout: Layout,
    online: Tensor,
    target: Tensor,
    adam: Adam,
    replay: Replay,
    best: Tensor,
    meta: Meta,
}

/// What of the learner is not a tensor, as it stands in a checkpoint.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Meta {
    step: u64,
    updates: u64,
    best_score: Vec<f64>,
    rows: Vec<DqnRow>,
}

/// A checkpoint's JSON.
#[derive(Serialize, Deserialize)]
struct Saved {
    config: DqnConfig,
    members: Vec<DqnMember>,
    adam: Progress,
    replay: Vec<u64>,
    meta: Meta,
}

/// Sums over a segment, per member.
struct Tally {
    loss: Tensor,
    greatest_q: Tensor,
    updates: u64,
    cost: Vec<f64>,
    steps: u64,
}

impl DqnTrainer {
    /// A learner before its first step, for environments shaped like `env`.
    ///
    /// # Errors
    /// [`AgentError::Setting`] if a setting is out of range, [`AgentError::Environment`] if `env` does not fit.
    pub fn new(config: DqnConfig, members: Vec<DqnMember>, env: &dyn VectorEnv) -> Result<Self, AgentError> {
        config::check(&config, &members)?;
        runtime::prepare(config.threads);
        let (width, actions, count) = (env.observation_len(), env.action_count(), members.len());
        let layout = layout(width, config.hidden, actions);
        let seeds: Vec<u64> = members.iter().map(|member| member.seed).collect();
        let online = layout.initial(&seeds).set_requires_grad(true);
        let (target, best) = (online.detach().copy(), online.detach().copy());
        let adam = Adam::new(&online, ADAM_EPSILON, config.clip_norm);
        let replay = Replay::new(count, config.replay_capacity, width);
        let meta = Meta { step: 0, updates: 0, best_score: vec![f64::MAX; count], rows: Vec::new() };
        let learner = Self { config, members, width, actions, layout, online, target, adam, replay, best, meta };
        learner.check_env(env)?;
        Ok(learner)
    }

    /// Goes on from a checkpoint of the same configuration and members.
    ///
    /// # Errors
    /// As [`new`](Self::new), and [`AgentError::Checkpoint`] if the bytes do not belong to this run.
    pub fn resume(
        config: DqnConfig,
        members: Vec<DqnMember>,
        env: &dyn VectorEnv,
        checkpoint: &[u8],
    ) -> Result<Self, AgentError> {
        let mut learner = Self::new(config, members, env)?;
        let reader = CheckpointReader::open(checkpoint)?;
        let saved: Saved = reader.meta()?;
        require_same("configuration", &saved.config, &learner.config)?;
        require_same("population", &saved.members, &learner.members)?;
        learner.online = reader.tensor("online", &learner.online)?.set_requires_grad(true);
        learner.target = reader.tensor("target", &learner.target)?;
        learner.best = reader.tensor("best", &learner.best)?;
        learner.adam.first = reader.tensor("first", &learner.adam.first)?;
        learner.adam.second = reader.tensor("second", &learner.adam.second)?;
        learner.adam.progress = saved.adam;
        learner.replay.load(&reader, saved.replay)?;
        learner.meta = saved.meta;
        Ok(learner)
    }

    /// Everything needed to go on, replay memory included, as bytes.
    ///
    /// # Errors
    /// [`AgentError::Checkpoint`] if it cannot be encoded.
    pub fn checkpoint(&self) -> Result<Vec<u8>, AgentError> {
        let mut writer = CheckpointWriter::default();
        writer.tensor("online", &self.online);
        writer.tensor("target", &self.target);
        writer.tensor("best", &self.best);
        writer.tensor("first", &self.adam.first);
        writer.tensor("second", &self.adam.second);
        self.replay.save(&mut writer);
        writer.bytes(&Saved {
            config: self.config.clone(),
            members: self.members.clone(),
            adam: self.adam.progress,
            replay: self.replay.counters().to_vec(),
            meta: self.meta.clone(),
        })
    }

    /// Vector steps done so far.
    #[must_use]
    pub fn step(&self) -> u64 {
        self.meta.step
    }

    /// Whether all steps are done.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.meta.step >= self.config.vector_steps
    }

    /// The learning curve so far.
    #[must_use]
    pub fn rows(&self) -> &[DqnRow] {
        &self.meta.rows
    }

    /// The present policies; before the first segment, the untrained ones.
    ///
    /// # Errors
    /// [`AgentError::Export`] if the core refuses them.
    pub fn weights(&self) -> Result<Vec<Weights>, AgentError> {
        member_weights(&self.layout, &self.target)
    }

    /// The best policy of each member, in order.
    ///
    /// # Errors
    /// [`AgentError::Export`] if the core refuses them.
    pub fn finish(self) -> Result<Vec<TrainedAgent>, AgentError> {
        let weights = member_weights(&self.layout, &self.best)?;
        let scored = weights.into_iter().zip(self.meta.best_score);
        Ok(scored.map(|(weights, validation)| TrainedAgent { weights, validation }).collect())
    }

    /// **The training loop**: one segment, then validation.
    ///
    /// # Errors
    /// [`AgentError::Environment`] if `env` does not fit, [`AgentError::Diverged`] if a member's loss is not finite,
    /// [`AgentError::Scores`] if the callback does not score every member.
    pub fn run_segment(&mut self, env: &mut dyn VectorEnv, hooks: &mut Hooks<'_>) -> Result<(), AgentError> {
        self.check_env(env)?;
        let envs = env.len();
        let mut buffers = Buffers::new(envs, self.width);
        env.reset(self.episode_seeds().view(), buffers.observations.view_mut());
        let discounts = self.members.iter().map(|member| member.discount).collect();
        let mut returns = NStep::new(self.config.n_step, self.width, self.config.envs_per_member, discounts);
        let mut tally = self.tally();
        let end = (self.meta.step + self.config.segment_steps).min(self.config.vector_steps);
        while self.meta.step < end {
            self.act(&mut buffers, hooks.heuristic);
            buffers.step(env);
            self.remember(&buffers, &mut returns, &mut tally);
            std::mem::swap(&mut buffers.observations, &mut buffers.next);
            self.meta.step += 1;
            if self.meta.step > self.config.learning_starts {
                for _ in 0..self.config.updates_per_step {
                    self.learn(&mut tally);
                }
            }
        }
        for index in 0..envs {
            returns.flush(index, row(&buffers.observations, index), &mut self.replay);
        }
        self.select(&tally, hooks)
    }

    /// Greedy actions of the online net, with exploration drawn over them.
    fn act(&self, buffers: &mut Buffers, heuristic: Option<&Heuristic<'_>>) {
        let greedy = no_grad(|| {
            let values = buffers.observations.as_slice().unwrap_or_default();
            let observations = Tensor::from_slice(values).view([self.members.len() as i64, -1, self.width as i64]);
            q_values(&self.layout.split(&self.online), &observations).argmax(2, false).contiguous()
        });
        let mut best = vec![0_i64; buffers.actions.len()];
        greedy.view([-1]).copy_data(&mut best, buffers.actions.len());
        let epsilon = self.epsilon();
        for (index, greedy) in best.into_iter().enumerate() {
            let observation = row(&buffers.observations, index);
            let explored = self.explore(index, epsilon, || heuristic.map(|of| of(observation)));
            buffers.actions[index] = explored.unwrap_or_else(|| u32::try_from(greedy).unwrap_or(0));
        }
    }

    /// The explored action of an environment in this step, `None` if it acts greedily.
    fn explore(&self, index: usize, epsilon: f64, heuristic: impl Fn() -> Option<u32>) -> Option<u32> {
        let (member, own) = (index / self.config.envs_per_member, index % self.config.envs_per_member);
        // Blocks of neighbouring environments are shifted against each other.
        let block = (self.meta.step + own as u64) / u64::from(self.config.exploration_hold);
        let words =
            draw(self.members[member].seed, Stream::Exploration, (own as u64) << 32 | block >> 32, block as u32);
        if open_unit(words[0], 0) >= epsilon {
            return None;
        }
        let actions = self.actions as u64;
        let uniform = ((u64::from(words[1]) * actions) >> 32) as u32;
        if open_unit(words[2], 0) >= self.config.heuristic_share {
            return Some(uniform);
        }
        let near = |action: u32| (action + words[3] % 3).saturating_sub(1).min(self.actions as u32 - 1);
        Some(heuristic().map_or(uniform, near))
    }

    /// Stores what the step gave.
    fn remember(&mut self, buffers: &Buffers, returns: &mut NStep, tally: &mut Tally) {
        for index in 0..buffers.actions.len() {
            let cost = buffers.costs[index];
            let next = if buffers.terminated[index] {
                Next::Terminated(row(&buffers.last, index))
            } else if buffers.truncated[index] {
                Next::Truncated(row(&buffers.last, index))
            } else {
                Next::Continues(row(&buffers.next, index))
            };
            let reward = (self.config.cost_offset - cost) / self.config.cost_scale;
            let step = (row(&buffers.observations, index), buffers.actions[index], reward);
            returns.push(index, step, next, &mut self.replay);
            tally.cost[index / self.config.envs_per_member] += cost;
        }
        tally.steps += 1;
    }

    /// One update of every member.
    fn learn(&mut self, tally: &mut Tally) {
        let (members, updates) = (&self.members, self.meta.updates);
        let sample = self.replay.sample(self.config.batch, |member, position, len| {
            let chosen = below(members[member].seed, Stream::MiniBatch, updates, position as u32, len as u64);
            usize::try_from(chosen).unwrap_or(0)
        });
        let targets = no_grad(|| self.targets(&sample));
        let values = q_values(&self.layout.split(&self.online), &sample.states);
        let taken = values.gather(2, &sample.actions.unsqueeze(2), false).squeeze_dim(2);
        let error = taken - targets;
        let loss = (&error * &error).mean_dim([1_i64].as_slice(), false, Kind::Float) * 0.5;
        // Members share no parameter, so the gradient of the sum is each member's own gradient.
        loss.sum(Kind::Float).backward();
        let total = self.config.vector_steps.saturating_mul(u64::from(self.config.updates_per_step));
        let share = schedule(updates, total, WARM_UP_UPDATES, self.config.last_rate_share);
        let rates: Vec<f64> = members.iter().map(|member| member.learning_rate * share).collect();
        self.adam.step(&mut self.online, &rates);
        no_grad(|| {
            let _ = self.target.lerp_(&self.online, self.config.target_rate);
            let _ = tally.loss.g_add_(&loss);
            let greatest = values.amax([2_i64].as_slice(), false).mean_dim([1_i64].as_slice(), false, Kind::Float);
            let _ = tally.greatest_q.g_add_(&greatest);
        });
        tally.updates += 1;
        self.meta.updates += 1;
    }

    /// Double Q-learning: the online net chooses the action, the target net values it.
    fn targets(&self, sample: &Sample) -> Tensor {
        let chosen = q_values(&self.layout.split(&self.online), &sample.bootstraps).argmax(2, true);
        let values = q_values(&self.layout.split(&self.target), &sample.bootstraps).gather(2, &chosen, false);
        &sample.returns + &sample.factors * values.squeeze_dim(2)
    }

    /// Scores the policies, keeps the best, writes a row per member.
    fn select(&mut self, tally: &Tally, hooks: &mut Hooks<'_>) -> Result<(), AgentError> {
        let (losses, greatest) = (values_f64(&tally.loss), values_f64(&tally.greatest_q));
        if let Some(member) = losses.iter().position(|loss| !loss.is_finite()) {
            return Err(AgentError::Diverged { learner: LEARNER, member, update: self.meta.updates });
        }
        let scores = (hooks.validate)(self.meta.step, &self.weights()?);
        let members = self.members.len();
        if scores.len() != members || scores.iter().any(|score| !score.is_finite()) {
            return Err(AgentError::Scores { members, found: scores });
        }
        let envs = self.config.envs_per_member as u64;
        let (updates, steps) = (tally.updates.max(1) as f64, (tally.steps * envs).max(1) as f64);
        for (member, &validation) in scores.iter().enumerate() {
            if validation < self.meta.best_score[member] {
                self.meta.best_score[member] = validation;
                no_grad(|| self.best.get(member as i64).copy_(&self.target.get(member as i64)));
            }
            self.meta.rows.push(DqnRow {
                member,
                env_steps: self.meta.step * envs,
                loss: losses[member] / updates,
                mean_q: greatest[member] / updates,
                epsilon: self.epsilon(),
                mean_cost: tally.cost[member] / steps,
                validation,
            });
        }
        Ok(())
    }

    fn epsilon(&self) -> f64 {
        let span = (self.config.epsilon_decay_share * self.config.vector_steps as f64).max(1.0);
        let progress = (self.meta.step as f64 / span).min(1.0);
        self.config.epsilon_first + (self.config.epsilon_last - self.config.epsilon_first) * progress
    }

    /// Seeds of this segment's episodes: by member, segment and environment.
    fn episode_seeds(&self) -> Array1<u64> {
        let per_member = self.config.envs_per_member;
        Array1::from_shape_fn(self.members.len() * per_member, |index| {
            let purpose = (self.meta.step << 20) | (index % per_member) as u64;
            derive_seed(self.members[index / per_member].seed, purpose)
        })
    }

    fn tally(&self) -> Tally {
        let count = self.members.len();
        let zeros = || Tensor::zeros([count as i64], (Kind::Float, Device::Cpu));
        Tally { loss: zeros(), greatest_q: zeros(), updates: 0, cost: vec![0.0; count], steps: 0 }
    }

    fn check_env(&self, env: &dyn VectorEnv) -> Result<(), AgentError> {
        let same = |what, expected, found| {
            if expected == found { Ok(()) } else { Err(AgentError::Environment { what, expected, found }) }
        };
        same("environments", self.members.len() * self.config.envs_per_member, env.len())?;
        same("numbers per observation", self.width, env.observation_len())?;
        same("actions", self.actions, env.action_count())
    }
}

#[cfg(test)]
mod tests;
