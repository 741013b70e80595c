//! The environments that agents train in: each member its own draws of the training parts and its own forecaster's forecasts.

use std::sync::Arc;

use ndarray::Array1;
use seatrial_core::nets::Weights;
use seatrial_core::rl::{StepArrays, VectorEnv};
use seatrial_core::scaling::guard::GuardConfig;
use seatrial_datasets::moment::DAY;
use seatrial_envs::autoscale_v1::{AutoscaleConfig, AutoscaleV1, TrainingLoad, TrainingLoads};
use seatrial_envs::scenario::{Regime, Scenario};
use seatrial_envs::spec::KernelChoice;

use super::ingredients;
use super::population::{Member, Population};
use crate::arena::{Arena, Part};
use crate::contest::learned_spec;
use crate::error::{ExperimentError, Result};
use crate::study::Setup;

/// The training world: that of evaluation at a physics step of one decision.
fn world(setup: &Setup) -> Scenario {
    let scenario = setup.protocol.world(Regime::Plain, setup.study.limits);
    Scenario { physics_step_s: scenario.workload.decision_interval.as_secs_f64(), ..scenario }
}

fn trained_arenas(setup: &Setup) -> impl Iterator<Item = &Arena> {
    setup.arenas.iter().filter(|arena| arena.trainable)
}

fn part(setup: &Setup, arena: &Arena) -> Part {
    let whole = arena.training_part();
    match setup.study.train.agent.days {
        0 => whole,
        days => arena.load.last_of(&whole, DAY * i64::from(days)),
    }
}

/// One environment batch per member, side by side.
///
/// # Errors
/// If a load is too short for an episode, or a forecaster cannot be built.
pub(super) fn environment(setup: &Setup, forecaster: &str, seeds: &[u64], weights: &[&Weights]) -> Result<Population> {
    let scenario = world(setup);
    let items: Vec<(u64, &Weights)> = seeds.iter().copied().zip(weights.iter().copied()).collect();
    let settings = &setup.study.train.agent;
    let config = AutoscaleConfig {
        scenario: scenario.clone(),
        guard: GuardConfig::default(),
        envs: settings.envs,
        episode_steps: settings.episode_steps,
        kernel: KernelChoice::Fluid,
    };
    let override_price = settings.override_price * typical_cost(setup);
    let members = setup.crew.map("forecasts", &items, |(seed, weights)| {
        let loads = loads(setup, &scenario, forecaster, *seed, weights)?;
        let reference = reference(&config, &loads, settings.heuristic_action)?;
        let env = AutoscaleV1::new(&config, Arc::new(loads)).map_err(|error| wrong(&error))?;
        Ok(Member::new(env.with_override_price(override_price), reference))
    })?;
    Ok(Population::new(members))
}

/// What `action`, taken always, pays per load and slot; slots at which no episode can be are zero.
fn reference(config: &AutoscaleConfig, loads: &TrainingLoads, action: u32) -> Result<Vec<Vec<f64>>> {
    let walk = |load: TrainingLoads| {
        let steps = load.longest_episode();
        let config = AutoscaleConfig { envs: 1, episode_steps: steps, ..config.clone() };
        let mut env = AutoscaleV1::new(&config, Arc::new(load)).map_err(|error| wrong(&error))?;
        let mut buffers = StepArrays::new(1, env.observation_len());
        env.reset(Array1::zeros(1).view(), buffers.observations.view_mut());
        let mut costs = Vec::new();
        for _ in 0..steps {
            let (_, slot) = env.position(0);
            costs.resize(slot, 0.0);
            env.step(Array1::from_elem(1, action).view(), &mut buffers.view_mut());
            costs.push(buffers.costs[0]);
        }
        Ok(costs)
    };
    loads.apart().into_iter().map(walk).collect()
}

fn loads(setup: &Setup, scenario: &Scenario, forecaster: &str, seed: u64, weights: &Weights) -> Result<TrainingLoads> {
    let strategy = |source| ExperimentError::Strategy { strategy: "lstm-dqn".into(), source };
    let forecaster = learned_spec(forecaster)
        .build_forecaster(&ingredients(scenario, weights))
        .map_err(strategy)?
        .ok_or_else(|| ExperimentError::Training("the learned strategy has no forecaster".into()))?;
    let mut loads = Vec::new();
    for arena in trained_arenas(setup) {
        let load = arena.episode(&part(setup, arena))?;
        loads.push(TrainingLoad::record(scenario, &load, seed, &*forecaster).map_err(|error| wrong(&error))?);
    }
    TrainingLoads::new(scenario, loads).map_err(|error| wrong(&error))
}

fn wrong(error: &impl std::fmt::Display) -> ExperimentError {
    ExperimentError::Training(error.to_string())
}

/// Pod-seconds of a typical step: the training load served at 80 % utilisation. Only scales rewards.
#[must_use]
pub(super) fn typical_cost(setup: &Setup) -> f64 {
    let scenario = world(setup);
    let (mut sum, mut count) = (0.0, 0.0);
    for arena in trained_arenas(setup) {
        for rate in arena.load.rates(part(setup, arena)) {
            sum += rate;
            count += 1.0;
        }
    }
    let pods = (sum / f64::max(count, 1.0) / (0.8 * scenario.true_capacity())).max(1.0);
    pods * scenario.workload.decision_interval.as_secs_f64()
}
