//! `autoscale-v1`: headroom over forecast demand for one Deployment, every 15 s, many environments at once.
//!
//! The world is that of [`crate::episode`] at a physics step of one decision (15 s): the same pods, queue, metrics, capacity
//! estimator and guard, on shared loads whose counts and forecasts were computed before ([`TrainingLoads`]). What differs is
//! speed: start-ups and Erlang C come from tables (module `tables`), pods are packed, nothing is allocated after [`AutoscaleV1::new`].
//! A test holds its costs against an episode driven by the same actions.
//!
//! Cost of a step = J incurred in it, in pod-seconds. An episode begins at a drawn slot of a drawn load, is truncated after a
//! fixed number of decisions and never terminates; nothing is owed at its end, because the world goes on. Everything is a pure
//! function of an environment's seed, its episode number and its actions: the size of the batch does not matter.

mod env;
pub(crate) mod loads;
pub(crate) mod rows;
pub(crate) mod tables;

use std::sync::Arc;

use ndarray::{ArrayView1, ArrayViewMut2};
use seatrial_core::rl::{StepBuffers, VectorEnv};
use seatrial_core::scaling::config::ConfigError;
use seatrial_core::scaling::guard::{Guard, GuardConfig};
use seatrial_core::scaling::headroom_space::{ACTION_COUNT, OBSERVATION_LEN};
use seatrial_core::time::Span;
use thiserror::Error;

pub use loads::{TrainingLoad, TrainingLoads};

use crate::fluid::world::World;
use crate::load::LoadError;
use crate::scenario::{Scenario, ScenarioError};
use crate::spec::lower::LowerError;
use env::{Fleet, Shared, TOGETHER};
use rows::Ground;
use tables::{StartUpTable, WaitTable};

/// How the environments are set up.
#[derive(Clone, Debug)]
pub struct AutoscaleConfig {
    /// The world; its physics step must be the decision interval ([`Scenario::training_p1`]).
    pub scenario: Scenario,
    /// The guard between actions and pods, the same as in operation.
    pub guard: GuardConfig,
    /// Number of environments.
    pub envs: usize,
    /// Decisions in an episode.
    pub episode_steps: u32,
}

/// Why the environments cannot be made.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum AutoscaleError {
    /// The scenario is out of range.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// A load does not fit.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The application cannot be lowered to the fluid kernel.
    #[error(transparent)]
    Lower(#[from] LowerError),
    /// The guard's or a forecaster's settings are out of range.
    #[error(transparent)]
    Strategy(#[from] ConfigError),
    /// A setting of the environment is out of range.
    #[error("environment: `{key}` is {got}, must be {allowed}")]
    Range {
        /// The setting.
        key: &'static str,
        /// The value given.
        got: String,
        /// What is allowed.
        allowed: &'static str,
    },
    /// Forecasts and slots do not match.
    #[error(
        "environment: load {load} has {slots} slots and {forecasts} forecasts: give one per decision, from the load's start on"
    )]
    Forecasts {
        /// Index of the load.
        load: usize,
        /// Its slots.
        slots: usize,
        /// The forecasts given.
        forecasts: usize,
    },
    /// A load has no room for an episode.
    #[error(
        "environment: load {load} has {usable} decisions with forecast and visible metrics, an episode needs {needed}: give a longer load or shorter episodes"
    )]
    TooShort {
        /// Index of the load.
        load: usize,
        /// Decisions in which an episode can be.
        usable: usize,
        /// Decisions that it takes.
        needed: usize,
    },
}

/// The vector environment; see the module.
pub struct AutoscaleV1 {
    shared: Shared,
    fleet: Fleet,
}

impl AutoscaleV1 {
    /// Permanent id.
    pub const ID: &'static str = "autoscale-v1";

    /// Environments over `loads`. Call [`VectorEnv::reset`] before the first step.
    ///
    /// # Errors
    /// If a setting is out of range or a load is too short for an episode.
    pub fn new(config: &AutoscaleConfig, loads: Arc<TrainingLoads>) -> Result<Self, AutoscaleError> {
        check_scenario(&config.scenario)?;
        check_episode(config.envs, config.episode_steps)?;
        loads.check_room(config.episode_steps)?;
        let scenario = &config.scenario;
        let world = World::new(scenario);
        let shared = Shared {
            ground: Ground {
                world,
                workload: scenario.workload,
                guard: Guard::full(&scenario.workload, &config.guard)?,
                waits: WaitTable::new(&world),
                start_ups: StartUpTable::new(&world),
                step_s: world.step.as_secs_f64(),
                termination_s: world.termination.as_secs_f64(),
                lag_slots: loads.lag_slots(),
                lag: world.slot * i64::try_from(loads.lag_slots()).unwrap_or(0),
            },
            initial_rate_per_pod: scenario.initial_rate_per_pod,
            loads,
            episode_steps: config.episode_steps,
            override_price: 0.0,
        };
        let fleet = Fleet::new(&shared, config.envs);
        Ok(Self { shared, fleet })
    }

    /// The same environments with a price in pod-seconds on each decision that the guard overrides.
    ///
    /// It is not part of J: where the guard would set the same replicas anyway, J leaves the agent indifferent between asking
    /// for them and being overridden, and the export gate limits overrides. A small price breaks the tie.
    #[must_use]
    pub fn with_override_price(mut self, price: f64) -> Self {
        self.shared.override_price = price;
        self
    }

    /// Ready pods of environment `env`: for tests and timelines.
    #[must_use]
    pub fn ready(&self, env: usize) -> u32 {
        self.fleet.ready(env)
    }

    /// Replicas asked for in environment `env`.
    #[must_use]
    pub fn asked(&self, env: usize) -> u32 {
        self.fleet.asked(env)
    }

    /// (load, slot) of the next decision of environment `env`.
    #[must_use]
    pub fn position(&self, env: usize) -> (usize, usize) {
        self.fleet.position(env)
    }
}

/// Most decisions of an episode: half a year of 15 s.
const LONGEST_EPISODE: u32 = 1_000_000;

fn range(key: &'static str, got: String, allowed: &'static str) -> AutoscaleError {
    AutoscaleError::Range { key, got, allowed }
}

/// That a scenario is valid and its physics step is a decision.
pub(crate) fn check_scenario(scenario: &Scenario) -> Result<(), AutoscaleError> {
    scenario.validate()?;
    let step = Span::from_secs_f64(scenario.physics_step_s);
    if step != scenario.workload.decision_interval || step != scenario.workload.scrape_interval {
        let got = scenario.physics_step_s.to_string();
        return Err(range("physics_step_s", got, "the decision interval and the scrape interval"));
    }
    if scenario.termination_s > scenario.physics_step_s {
        return Err(range("termination_s", scenario.termination_s.to_string(), "at most the physics step"));
    }
    Ok(())
}

/// That there are environments and their episodes have a length.
pub(crate) fn check_episode(envs: usize, episode_steps: u32) -> Result<(), AutoscaleError> {
    if !(1..=LONGEST_EPISODE).contains(&episode_steps) {
        return Err(range("episode_steps", episode_steps.to_string(), "1 to 1000000"));
    }
    if envs == 0 {
        return Err(range("envs", envs.to_string(), "at least 1"));
    }
    Ok(())
}

impl VectorEnv for AutoscaleV1 {
    fn len(&self) -> usize {
        self.fleet.len()
    }

    fn observation_len(&self) -> usize {
        OBSERVATION_LEN
    }

    fn action_count(&self) -> usize {
        ACTION_COUNT
    }

    /// # Panics
    /// If the buffers have fewer rows than there are environments: a bug of the caller.
    fn reset(&mut self, seeds: ArrayView1<'_, u64>, mut observations: ArrayViewMut2<'_, f32>) {
        for env in 0..self.len() {
            self.fleet.seed(env, seeds[env]);
            let mut row = [0.0; OBSERVATION_LEN];
            self.fleet.begin(&self.shared, env, &mut row);
            write(&mut observations, env, &row);
        }
    }

    /// # Panics
    /// If the buffers have fewer rows than there are environments: a bug of the caller.
    fn step(&mut self, actions: ArrayView1<'_, u32>, out: &mut StepBuffers<'_>) {
        let (envs, shared) = (self.len(), &self.shared);
        for first in (0..envs).step_by(TOGETHER) {
            let together = first..(first + TOGETHER).min(envs);
            let StepBuffers { observations, costs, .. } = out;
            let observe = |env: usize, values: &[f32; OBSERVATION_LEN]| write(observations, env, values);
            let cost = |env: usize, cost: f64| costs[env] = cost;
            self.fleet.step(shared, together.clone(), |env| actions[env], (observe, cost));
            for env in together {
                let over = self.fleet.is_over(env);
                (out.terminated[env], out.truncated[env]) = (false, over);
                if over {
                    out.final_observations.row_mut(env).assign(&out.observations.row(env));
                    let mut row = [0.0; OBSERVATION_LEN];
                    self.fleet.begin(shared, env, &mut row);
                    write(&mut out.observations, env, &row);
                }
            }
        }
    }
}

/// Writes a row of observations.
#[inline]
pub(crate) fn write(out: &mut ArrayViewMut2<'_, f32>, env: usize, row: &[f32; OBSERVATION_LEN]) {
    let mut target = out.row_mut(env);
    match target.as_slice_mut() {
        Some(slice) => slice.copy_from_slice(row),
        None => target.iter_mut().zip(row).for_each(|(target, value)| *target = *value),
    }
}

#[cfg(test)]
mod tests;
