//! LSTM forecaster: quantiles of the greatest arrival rate ahead, as log-ratio to the present level.
//!
//! Sources: Hochreiter & Schmidhuber, "Long short-term memory" (1997); Gers et al., "Learning to forget" (2000); Koenker &
//! Bassett, "Regression quantiles" (1978) for the pinball loss; Williams & Peng, "An efficient gradient-based algorithm for
//! on-line training of recurrent network trajectories" (1990) for truncated back-propagation.
//!
//! **Net.** One LSTM layer of H cells (PyTorch's names and gate order i, f, g, o) and a linear head of 8 outputs o made
//! monotone: q\[3\] = o\[3\], q\[k\] = q\[k+1\] − softplus(o\[k\]) below, q\[k\] = q\[k−1\] + softplus(o\[k\]) above, so quantiles never cross.
//!
//! **Training.** `lanes` contiguous readings of the training range per member, `window` steps each per update; state is
//! carried from window to window without gradient, because that is how the core streams it. A lane starts anew at a random
//! place (zero state, the first `burn_in` steps unpriced) after `lane_windows` windows or at the end of its series. Loss is
//! the mean pinball loss over levels and priced steps; Adam with a linearly falling rate; gradient norm limited per member.
//! P members run in lock-step as batched matrix products, each with its own data order.
//!
//! **Selection.** Every `validate_every` updates each member is scored on the validation range, read in chunks of 256 steps
//! after 128 steps of run-up; the parameters with the least validation loss are kept.
//!
//! **Deviations.** Forget-gate bias starts at +1 (Jozefowicz et al., 2015). The head's spreads start small (bias −3), so that
//! training begins near "no change" instead of ± 200 %. Chunked validation stands for one long stream: it is parallel, and
//! the exported net is scored streaming by the caller anyway.
//!
//! **Metrics** ([`ForecastRow`]): `train_loss` mean pinball loss since the last row; `validation_loss` mean pinball loss on
//! validation; both in log-ratio units (0.01 ≈ 1 % of the level, averaged over levels).

mod corpus;

use std::ops::Range;

use seatrial_core::nets::Weights;
use seatrial_core::rand::{Stream, below};
use seatrial_core::scaling::forecast::{LEVEL_COUNT, LEVELS, MEDIAN};
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor, no_grad};

use crate::adam::{Adam, Progress, schedule};
use crate::checkpoint::{CheckpointReader, CheckpointWriter, require_same};
use crate::error::{AgentError, require};
use crate::export::member_weights;
use crate::population::{Layout, TensorSpec, fan_in_bound, linear, values_f64};
use crate::runtime;

use corpus::Corpus;

const LEARNER: &str = "lstm forecaster";
const WARM_UP_UPDATES: u64 = 20;

// ------------------------------------------------------------------------------------------------- configuration

/// One training series: what the encoder made of the slots of a trace.
#[derive(Clone, Debug, Default)]
pub struct ForecastSeries {
    /// Encoded inputs, row-major `[steps, input_len]`, finite.
    pub inputs: Vec<f32>,
    /// ln(greatest rate over the horizon / level) per step; NaN where it may not be used.
    pub targets: Vec<f32>,
    /// Steps to fit on. Targets look ahead: the caller makes those NaN that reach beyond this range.
    pub train: Range<usize>,
    /// Steps to select on.
    pub validation: Range<usize>,
}

/// Settings shared by all members.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LstmConfig {
    /// Numbers per step.
    pub input_len: usize,
    /// Cells.
    pub hidden: usize,
    /// Gradient steps.
    pub updates: u64,
    /// Parallel readings per member.
    pub lanes: usize,
    /// Steps per update and lane.
    pub window: usize,
    /// Windows after which a lane starts anew.
    pub lane_windows: u32,
    /// Unpriced steps after a start; at most `window`.
    pub burn_in: usize,
    /// Learning rate at the end as a share of that at the start.
    pub last_rate_share: f64,
    /// Greatest gradient norm of a member.
    pub clip_norm: f64,
    /// Updates between validations.
    pub validate_every: u64,
    /// Threads of libtorch.
    pub threads: u32,
}

impl Default for LstmConfig {
    fn default() -> Self {
        Self {
            input_len: 1,
            hidden: 32,
            updates: 2_000,
            lanes: 32,
            window: 48,
            lane_windows: 60,
            burn_in: 32,
            last_rate_share: 0.05,
            clip_norm: 1.0,
            validate_every: 100,
            threads: 2,
        }
    }
}

/// What distinguishes a member.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LstmMember {
    /// Seed of initial weights and data order.
    pub seed: u64,
    /// Learning rate at the start.
    pub learning_rate: f64,
}

/// One row of the learning curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ForecastRow {
    /// Member of the population.
    pub member: usize,
    /// Updates done.
    pub update: u64,
    /// Mean pinball loss on training windows since the last row.
    pub train_loss: f64,
    /// Mean pinball loss on the validation range.
    pub validation_loss: f64,
}

/// The best parameters of a member.
#[derive(Clone, Debug)]
pub struct TrainedForecaster {
    /// Weights for the core's `lstm` forecaster.
    pub weights: Weights,
    /// Their validation loss.
    pub validation_loss: f64,
}

// ------------------------------------------------------------------------------------------------- network

/// Tensors of the net; [`quantiles`] takes them in this order.
pub(crate) fn layout(input_len: usize, hidden: usize) -> Layout {
    let (gates, bound) = (4 * hidden, fan_in_bound(hidden));
    let forget = |i: usize, shape: &[usize]| if (shape[0] / 4..shape[0] / 2).contains(&i) { 1.0 } else { 0.0 };
    let spread = |i: usize, _: &[usize]| if i == MEDIAN { 0.0 } else { -3.0 };
    Layout {
        tensors: vec![
            TensorSpec::new("forecaster.lstm.weight_ih_l0", &[gates, input_len], bound),
            TensorSpec::new("forecaster.lstm.weight_hh_l0", &[gates, hidden], bound),
            TensorSpec::new("forecaster.lstm.bias_ih_l0", &[gates], bound).around(forget),
            TensorSpec::new("forecaster.lstm.bias_hh_l0", &[gates], bound),
            TensorSpec::new("forecaster.head.weight", &[LEVEL_COUNT, hidden], bound),
            TensorSpec::new("forecaster.head.bias", &[LEVEL_COUNT], 0.0).around(spread),
        ],
    }
}

/// Hidden and cell state, `[P, lanes, H]` each.
#[derive(Debug)]
pub(crate) struct LstmState {
    pub(crate) hidden: Tensor,
    pub(crate) cell: Tensor,
}

impl LstmState {
    pub(crate) fn zeros(members: usize, lanes: usize, hidden: usize) -> Self {
        let zeros = || Tensor::zeros([members as i64, lanes as i64, hidden as i64], (Kind::Float, tch::Device::Cpu));
        Self { hidden: zeros(), cell: zeros() }
    }
}

/// Log-ratio quantiles `[P, T, B, 8]` for `inputs [P, T, B, in]`, and the state after them.
///
/// The products of all inputs are taken at once; only the recurrent product is left to each step.
pub(crate) fn quantiles(tensors: &[Tensor], inputs: &Tensor, state: LstmState) -> (Tensor, LstmState) {
    let size = inputs.size();
    let (members, steps, lanes, width) = (size[0], size[1], size[2], size[3]);
    let cells = state.hidden.size()[2];
    let bias = &tensors[2] + &tensors[3];
    let projected = linear(&inputs.reshape([members, steps * lanes, width]), &tensors[0], &bias);
    let recurrent = tensors[1].transpose(1, 2);
    let LstmState { mut hidden, mut cell } = state;
    let mut outputs = Vec::with_capacity(usize::try_from(steps).unwrap_or(0));
    for projection in projected.view([members, steps, lanes, 4 * cells]).unbind(1) {
        let gates = projection.baddbmm(&hidden, &recurrent, 1.0, 1.0);
        let gates = gates.split_with_sizes([2 * cells, cells, cells], 2);
        let input_forget = gates[0].sigmoid().split_with_sizes([cells, cells], 2);
        cell = &input_forget[1] * &cell + &input_forget[0] * gates[1].tanh();
        hidden = gates[2].sigmoid() * cell.tanh();
        outputs.push(hidden.shallow_clone());
    }
    let outputs = Tensor::stack(&outputs, 1).view([members, steps * lanes, cells]);
    let raw = linear(&outputs, &tensors[4], &tensors[5]).view([members, steps, lanes, LEVEL_COUNT as i64]);
    (monotone(&raw), LstmState { hidden, cell })
}

/// The monotone head: the median is free, every other output is a spread that adds up away from it.
fn monotone(raw: &Tensor) -> Tensor {
    let (below, above) = (MEDIAN as i64, (LEVEL_COUNT - MEDIAN - 1) as i64);
    let parts = raw.split_with_sizes([below, 1, above], 3);
    let down = parts[0].softplus().flip([3_i64]).cumsum(3, Kind::Float).flip([3_i64]);
    let up = parts[2].softplus().cumsum(3, Kind::Float);
    Tensor::cat(&[&parts[1] - down, parts[1].shallow_clone(), &parts[1] + up], 3)
}

/// Mean pinball loss per member, `[P]`; `targets` and `weights` are `[P or 1, T, B]`.
fn pinball(quantiles: &Tensor, targets: &Tensor, weights: &Tensor) -> Tensor {
    let levels = Tensor::from_slice(&LEVELS.map(|level| level as f32));
    let miss = targets.unsqueeze(3) - quantiles;
    let loss = (&miss * &levels).maximum(&(miss * (levels - 1.0)));
    let per_step = loss.mean_dim([3_i64].as_slice(), false, Kind::Float) * weights;
    let priced = weights.sum_dim_intlist([1_i64, 2].as_slice(), false, Kind::Float).clamp_min(1.0);
    per_step.sum_dim_intlist([1_i64, 2].as_slice(), false, Kind::Float) / priced
}

// ------------------------------------------------------------------------------------------------- learner

/// A lane's place in the concatenated series.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Lane {
    position: usize,
    end: usize,
    age: u32,
    restarts: u32,
}

/// Trains P forecasters in lock-step. Make one, [`advance`](Self::advance) it until [`is_finished`](Self::is_finished),
/// [`finish`](Self::finish).
#[derive(Debug)]
pub struct LstmTrainer {
    config: LstmConfig,
    members: Vec<LstmMember>,
    corpus: Corpus,
    validation: (Tensor, Tensor, Tensor),
    layout: Layout,
    parameters: Tensor,
    adam: Adam,
    lanes: Vec<Lane>,
    state: LstmState,
    loss_sum: Tensor,
    best: Tensor,
    meta: Meta,
}

/// What of the learner is not a tensor, as it stands in a checkpoint.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Meta {
    update: u64,
    losses_since: u64,
    best_loss: Vec<f64>,
    rows: Vec<ForecastRow>,
}

/// A checkpoint's JSON.
#[derive(Serialize, Deserialize)]
struct Saved {
    config: LstmConfig,
    members: Vec<LstmMember>,
    adam: Progress,
    lanes: Vec<Lane>,
    meta: Meta,
}

impl LstmTrainer {
    /// A learner before its first update.
    ///
    /// # Errors
    /// [`AgentError::Setting`] or [`AgentError::Data`] if something is out of range.
    pub fn new(config: LstmConfig, members: Vec<LstmMember>, series: &[ForecastSeries]) -> Result<Self, AgentError> {
        check(&config, &members)?;
        runtime::prepare(config.threads);
        let corpus = Corpus::new(&config, series)?;
        let layout = layout(config.input_len, config.hidden);
        let seeds: Vec<u64> = members.iter().map(|member| member.seed).collect();
        let parameters = layout.initial(&seeds).set_requires_grad(true);
        let adam = Adam::new(&parameters, 1e-8, config.clip_norm);
        let best = parameters.detach().copy();
        let state = LstmState::zeros(members.len(), config.lanes, config.hidden);
        let loss_sum = Tensor::zeros([members.len() as i64], (Kind::Float, tch::Device::Cpu));
        let lanes = vec![Lane::default(); members.len() * config.lanes];
        let best_loss = vec![f64::MAX; members.len()];
        let meta = Meta { update: 0, losses_since: 0, best_loss, rows: Vec::new() };
        let validation = corpus.validation();
        Ok(Self { config, members, corpus, validation, layout, parameters, adam, lanes, state, loss_sum, best, meta })
    }

    /// Goes on from a checkpoint of the same configuration, members and series.
    ///
    /// # Errors
    /// As [`new`](Self::new), and [`AgentError::Checkpoint`] if the bytes do not belong to this run.
    pub fn resume(
        config: LstmConfig,
        members: Vec<LstmMember>,
        series: &[ForecastSeries],
        checkpoint: &[u8],
    ) -> Result<Self, AgentError> {
        let mut learner = Self::new(config, members, series)?;
        let reader = CheckpointReader::open(checkpoint)?;
        let saved: Saved = reader.meta()?;
        require_same("configuration", &saved.config, &learner.config)?;
        require_same("population", &saved.members, &learner.members)?;
        require_same("number of lanes", &saved.lanes.len(), &learner.lanes.len())?;
        learner.parameters = reader.tensor("parameters", &learner.parameters)?.set_requires_grad(true);
        learner.adam.first = reader.tensor("first", &learner.adam.first)?;
        learner.adam.second = reader.tensor("second", &learner.adam.second)?;
        learner.adam.progress = saved.adam;
        learner.best = reader.tensor("best", &learner.best)?;
        learner.state.hidden = reader.tensor("hidden", &learner.state.hidden)?;
        learner.state.cell = reader.tensor("cell", &learner.state.cell)?;
        learner.loss_sum = reader.tensor("loss_sum", &learner.loss_sum)?;
        learner.lanes = saved.lanes;
        learner.meta = saved.meta;
        Ok(learner)
    }

    /// Everything needed to go on, as bytes.
    ///
    /// # Errors
    /// [`AgentError::Checkpoint`] if it cannot be encoded.
    pub fn checkpoint(&self) -> Result<Vec<u8>, AgentError> {
        let mut writer = CheckpointWriter::default();
        writer.tensor("parameters", &self.parameters);
        writer.tensor("first", &self.adam.first);
        writer.tensor("second", &self.adam.second);
        writer.tensor("best", &self.best);
        writer.tensor("hidden", &self.state.hidden);
        writer.tensor("cell", &self.state.cell);
        writer.tensor("loss_sum", &self.loss_sum);
        writer.bytes(&Saved {
            config: self.config.clone(),
            members: self.members.clone(),
            adam: self.adam.progress,
            lanes: self.lanes.clone(),
            meta: self.meta.clone(),
        })
    }

    /// Updates done so far.
    #[must_use]
    pub fn update(&self) -> u64 {
        self.meta.update
    }

    /// Whether all updates are done.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.meta.update >= self.config.updates
    }

    /// The learning curve so far.
    #[must_use]
    pub fn rows(&self) -> &[ForecastRow] {
        &self.meta.rows
    }

    /// **The training loop**: at most `updates` more updates, with the validations that fall due.
    ///
    /// # Errors
    /// [`AgentError::Diverged`] if a member's validation loss is not finite.
    pub fn advance(&mut self, updates: u64) -> Result<(), AgentError> {
        let last = self.meta.update.saturating_add(updates).min(self.config.updates);
        while self.meta.update < last {
            let batch = self.next_batch();
            let tensors = self.layout.split(&self.parameters);
            let before = LstmState { hidden: self.state.hidden.shallow_clone(), cell: self.state.cell.shallow_clone() };
            let (forecast, after) = quantiles(&tensors, &batch.inputs, before);
            let loss = pinball(&forecast, &batch.targets, &batch.weights);
            // Members share no parameter, so the gradient of the sum is each member's own gradient.
            loss.sum(Kind::Float).backward();
            self.state = LstmState { hidden: after.hidden.detach(), cell: after.cell.detach() };
            let share = schedule(self.meta.update, self.config.updates, WARM_UP_UPDATES, self.config.last_rate_share);
            let rates: Vec<f64> = self.members.iter().map(|member| member.learning_rate * share).collect();
            self.adam.step(&mut self.parameters, &rates);
            let _ = no_grad(|| self.loss_sum.g_add_(&loss.detach()));
            self.meta.losses_since += 1;
            self.meta.update += 1;
            if self.meta.update.is_multiple_of(self.config.validate_every) || self.is_finished() {
                self.validate()?;
            }
        }
        Ok(())
    }

    /// The best weights of each member, in order.
    ///
    /// # Errors
    /// [`AgentError::Export`] if the core refuses them.
    pub fn finish(self) -> Result<Vec<TrainedForecaster>, AgentError> {
        let weights = member_weights(&self.layout, &self.best)?;
        let scored = weights.into_iter().zip(self.meta.best_loss);
        Ok(scored.map(|(weights, validation_loss)| TrainedForecaster { weights, validation_loss }).collect())
    }

    /// Moves every lane on by a window (or to a new start, its state cleared) and gathers what it reads.
    fn next_batch(&mut self) -> Batch {
        let (window, lanes) = (self.config.window, self.config.lanes);
        let mut kept = vec![1.0_f32; self.lanes.len()];
        for (index, lane) in self.lanes.iter_mut().enumerate() {
            let (member, own) = (index / lanes, index % lanes);
            if lane.restarts == 0 || lane.position + window > lane.end || lane.age >= self.config.lane_windows {
                let choices = self.corpus.starts(window) as u64;
                let seed = self.members[member].seed;
                let choice = below(seed, Stream::MiniBatch, own as u64, lane.restarts, choices);
                (lane.position, lane.end) = self.corpus.start(window, usize::try_from(choice).unwrap_or(0));
                // First ages differ, so that not all lanes start anew in the same update.
                let head_start = (self.config.lane_windows as usize * own / lanes) as u32;
                lane.age = if lane.restarts == 0 { head_start } else { 0 };
                lane.restarts += 1;
                kept[index] = 0.0;
            }
        }
        let batch = self.gather(&kept);
        let kept = Tensor::from_slice(&kept).view([self.members.len() as i64, lanes as i64, 1]);
        self.state = LstmState { hidden: &self.state.hidden * &kept, cell: &self.state.cell * &kept };
        for lane in &mut self.lanes {
            lane.position += window;
            lane.age += 1;
        }
        batch
    }

    /// Inputs `[P, T, B, in]`, targets and weights `[P, T, B]` of the lanes' windows; `kept` is 0 where a lane starts anew.
    fn gather(&self, kept: &[f32]) -> Batch {
        let (window, lanes) = (self.config.window, self.config.lanes);
        let count = self.lanes.len() * window;
        let (mut indices, mut targets) = (Vec::with_capacity(count), Vec::with_capacity(count));
        let mut weights = Vec::with_capacity(count);
        for (members_lanes, members_kept) in self.lanes.chunks(lanes).zip(kept.chunks(lanes)) {
            for step in 0..window {
                for (lane, kept) in members_lanes.iter().zip(members_kept) {
                    let target = self.corpus.targets[lane.position + step];
                    let priced = target.is_finite() && (*kept > 0.0 || step >= self.config.burn_in);
                    indices.push((lane.position + step) as i64);
                    targets.push(if priced { target } else { 0.0 });
                    weights.push(if priced { 1.0_f32 } else { 0.0 });
                }
            }
        }
        let (members, steps, lanes) = (self.members.len() as i64, window as i64, lanes as i64);
        let plane = |values: &[f32]| Tensor::from_slice(values).view([members, steps, lanes]);
        let inputs = self.corpus.inputs_at(&indices, [members, steps, lanes, -1]);
        Batch { inputs, targets: plane(&targets), weights: plane(&weights) }
    }

    /// Scores every member on validation, keeps the best parameters, writes a row each.
    fn validate(&mut self) -> Result<(), AgentError> {
        let losses = values_f64(&no_grad(|| {
            let (inputs, targets, weights) = &self.validation;
            let size = inputs.size();
            let members = self.members.len();
            let spread = inputs.expand([members as i64, size[1], size[2], size[3]], true);
            let state = LstmState::zeros(members, self.corpus.chunks.len(), self.config.hidden);
            pinball(&quantiles(&self.layout.split(&self.parameters), &spread, state).0, targets, weights)
        }));
        let train = values_f64(&self.loss_sum);
        let update = self.meta.update;
        for (member, (&validation_loss, train_sum)) in losses.iter().zip(train).enumerate() {
            if !validation_loss.is_finite() {
                return Err(AgentError::Diverged { learner: LEARNER, member, update });
            }
            if validation_loss < self.meta.best_loss[member] {
                self.meta.best_loss[member] = validation_loss;
                let row = member as i64;
                no_grad(|| self.best.get(row).copy_(&self.parameters.get(row)));
            }
            let train_loss = train_sum / self.meta.losses_since.max(1) as f64;
            self.meta.rows.push(ForecastRow { member, update, train_loss, validation_loss });
        }
        self.meta.losses_since = 0;
        let _ = self.loss_sum.zero_();
        Ok(())
    }
}

/// What one update reads.
struct Batch {
    inputs: Tensor,
    targets: Tensor,
    weights: Tensor,
}

fn check(config: &LstmConfig, members: &[LstmMember]) -> Result<(), AgentError> {
    require(!members.is_empty(), "members", 0, "give at least one")?;
    require(config.input_len > 0, "input_len", config.input_len, "must be the encoder's number of inputs")?;
    require(config.hidden > 0, "hidden", config.hidden, "must be at least 1")?;
    require(config.lanes > 0, "lanes", config.lanes, "must be at least 1")?;
    require(config.burn_in < config.window, "burn_in", config.burn_in, "must be below `window`")?;
    require(config.lane_windows > 0, "lane_windows", config.lane_windows, "must be at least 1")?;
    require(config.validate_every > 0, "validate_every", config.validate_every, "must be at least 1")?;
    require(config.threads > 0, "threads", config.threads, "must be at least 1")?;
    require(config.clip_norm > 0.0, "clip_norm", config.clip_norm, "must be positive")?;
    let rates = members.iter().map(|member| member.learning_rate);
    let worst = rates.fold(f64::INFINITY, f64::min);
    require(worst > 0.0 && worst.is_finite(), "learning_rate", worst, "must be positive for every member")
}

#[cfg(test)]
mod tests;
