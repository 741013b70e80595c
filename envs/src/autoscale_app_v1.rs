//! `autoscale-app-v1`: headroom over forecast demand for every service of an application, every 15 s, many applications at once.
//!
//! A row is one service of one application: the rows of an application lie together, in the order of its services' names. What a
//! row sees and may do is what [`crate::autoscale_v1`] is for its service: the same observation, actions, estimates and guard,
//! under the forecast of the calls that it would get if no service kept any back. What it costs is the *whole* application's
//! step (cooperative): pod-seconds and changes of all services, and the clients' bad requests at κ. Each row of an application
//! has the same cost and ends its episodes in the same step; an application is seeded by its first row, and the seeds of its
//! other rows are not looked at.
//!
//! The world is that of [`crate::app`] at a physics step of one decision. An episode begins at a drawn slot of a drawn load, is
//! truncated after a fixed number of decisions and never terminates. Everything is a pure function of an application's seed, its
//! episode number and its actions.
//!
//! # Deviations
//! 1. Within a step a callee gets the mean of what its callers complete; the kernel of evaluation splits the step where a queue
//!    ends. A test holds the costs of both against each other.

mod env;
mod loads;

use std::sync::Arc;

use ndarray::{ArrayView1, ArrayViewMut2};
use seatrial_core::rl::{StepBuffers, VectorEnv};
use seatrial_core::scaling::guard::{Guard, GuardConfig};
use seatrial_core::scaling::headroom_space::{ACTION_COUNT, OBSERVATION_LEN};

pub use loads::{AppLoad, AppLoads};

use crate::autoscale_v1::rows::Ground;
use crate::autoscale_v1::tables::{StartUpTable, WaitTable};
use crate::autoscale_v1::{AutoscaleError, check_episode, check_scenario, write};
use crate::fluid::world::World;
use crate::spec::lower::{Lowered, LoweredService};
use env::{Fleet, Shared};

/// How the environments are set up.
#[derive(Clone, Debug)]
pub struct AppConfig {
    /// The application, lowered at a physics step of one decision ([`crate::spec::lower::lower`]).
    pub application: Lowered,
    /// The guard between actions and pods, the same as in operation.
    pub guard: GuardConfig,
    /// Number of applications.
    pub applications: usize,
    /// Decisions in an episode.
    pub episode_steps: u32,
}

/// The vector environment; see the module.
pub struct AutoscaleAppV1 {
    shared: Shared,
    fleet: Fleet,
}

impl AutoscaleAppV1 {
    /// Permanent id.
    pub const ID: &'static str = "autoscale-app-v1";

    /// Applications over `loads`. Call [`VectorEnv::reset`] before the first step.
    ///
    /// # Errors
    /// If a setting is out of range, a load is too short for an episode, or loads are those of another application.
    pub fn new(config: &AppConfig, loads: Arc<AppLoads>) -> Result<Self, AutoscaleError> {
        let services = &config.application.services;
        for service in services {
            check_scenario(&service.scenario)?;
        }
        check_episode(config.applications, config.episode_steps)?;
        loads.check(services.len(), config.episode_steps)?;
        let mut grounds: Vec<Ground> = Vec::with_capacity(services.len());
        for service in services {
            let ground = ground(service, config, &grounds, loads.lag_slots())?;
            grounds.push(ground);
        }
        let shared = Shared::new(grounds, &config.application, loads, config.episode_steps);
        let fleet = Fleet::new(&shared, config.applications);
        Ok(Self { shared, fleet })
    }

    /// Services of an application: so many rows belong together.
    #[must_use]
    pub fn services(&self) -> usize {
        self.shared.services()
    }

    /// Ready pods of a row: for tests and timelines.
    #[must_use]
    pub fn ready(&self, row: usize) -> u32 {
        self.fleet.ready(row)
    }

    /// Replicas asked for in a row.
    #[must_use]
    pub fn asked(&self, row: usize) -> u32 {
        self.fleet.asked(row)
    }

    /// Calls queued in a row.
    #[must_use]
    pub fn backlog(&self, row: usize) -> f64 {
        self.fleet.backlog(row)
    }

    /// (load, slot) of the next decision of an application.
    #[must_use]
    pub fn position(&self, application: usize) -> (usize, usize) {
        self.fleet.position(application)
    }
}

fn ground(
    service: &LoweredService,
    config: &AppConfig,
    before: &[Ground],
    lag_slots: usize,
) -> Result<Ground, AutoscaleError> {
    let scenario = &service.scenario;
    let world = World::new(scenario).with_queue_limit(service.queue_limit).with_work(&service.work);
    Ok(Ground {
        world,
        workload: scenario.workload,
        guard: Guard::full(&scenario.workload, &config.guard)?,
        waits: WaitTable::sharing(&world, before.iter().map(|ground| &ground.waits)),
        start_ups: StartUpTable::new(&world),
        step_s: world.step.as_secs_f64(),
        termination_s: world.termination.as_secs_f64(),
        lag_slots,
        lag: world.slot * i64::try_from(lag_slots).unwrap_or(0),
    })
}

impl VectorEnv for AutoscaleAppV1 {
    fn len(&self) -> usize {
        self.fleet.rows()
    }

    fn observation_len(&self) -> usize {
        OBSERVATION_LEN
    }

    fn action_count(&self) -> usize {
        ACTION_COUNT
    }

    /// # Panics
    /// If the buffers have fewer rows than there are: a bug of the caller.
    fn reset(&mut self, seeds: ArrayView1<'_, u64>, mut observations: ArrayViewMut2<'_, f32>) {
        for application in 0..self.fleet.applications() {
            self.fleet.seed(application, seeds[application * self.shared.services()]);
            self.fleet.begin(&self.shared, application, |row, values| write(&mut observations, row, values));
        }
    }

    /// # Panics
    /// If the buffers have fewer rows than there are: a bug of the caller.
    fn step(&mut self, actions: ArrayView1<'_, u32>, out: &mut StepBuffers<'_>) {
        let services = self.shared.services();
        for application in 0..self.fleet.applications() {
            let rows = application * services..(application + 1) * services;
            let cost = self.fleet.step(&self.shared, application, |row| actions[row]);
            let over = self.fleet.is_over(application);
            for row in rows {
                out.costs[row] = cost;
                out.terminated[row] = false;
                out.truncated[row] = over;
            }
            if over {
                let finals = &mut out.final_observations;
                self.fleet.observe(&self.shared, application, |row, values| write(finals, row, values));
                self.fleet.begin(&self.shared, application, |row, values| write(&mut out.observations, row, values));
            } else {
                self.fleet.observe(&self.shared, application, |row, values| write(&mut out.observations, row, values));
            }
        }
    }
}

#[cfg(test)]
mod tests;
