//! The oracle's bound on J of a scenario beside what was reached on the event kernel: by the scenario's own strategy, and by the cheapest
//! of the schedules that know the load.

use std::path::PathBuf;

use rayon::prelude::*;
use seatrial_envs::oracle::scenario::{bound, reached};
use seatrial_envs::spec::{Inputs, ScenarioSpec};
use seatrial_envs::world::{Options, run_scenario};
use serde::{Deserialize, Serialize};

use super::sample::{Coverage, Interval};
use super::{Effort, at, kernels};
use crate::error::Result;
use crate::scenario_command::read_inputs;

/// Scenarios of the gallery that have a bound.
pub const SCENARIOS: [&str; 3] = ["single-web-service", "flash-crowd", "node-pool-bound"];

/// What the mean J may be below the bound, as a share of it: chance.
const BAND: f64 = 0.01;

/// A scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Its name.
    pub scenario: String,
    /// Mean bound in pod-seconds.
    pub lower: f64,
    /// The same with room for every pod.
    pub lower_with_room: f64,
    /// Policy of the file.
    pub policy: String,
    /// J of the file's strategy over the bound of the same seed.
    pub own: Interval,
    /// J of the cheapest schedule over the bound of the same seed.
    pub oracle: Interval,
    /// The least of these, and the seeds in which it is below 1.
    pub least: f64,
    /// See `least`.
    pub below: u64,
    /// Seeds.
    pub seeds: u64,
}

impl Row {
    /// Whether the bound is one, in the mean and within the band.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.oracle.mean.min(self.own.mean) >= 1.0 - BAND
    }
}

/// One seed.
struct Seen {
    lower: f64,
    lower_with_room: f64,
    own: f64,
    oracle: f64,
}

/// All rows.
///
/// # Errors
/// If a trace is missing, or (a bug) a scenario has no bound or cannot be run.
pub fn measure(effort: Effort, folders: &[PathBuf]) -> Result<Vec<Row>> {
    SCENARIOS.into_iter().map(|scenario| row(scenario, effort, folders)).collect()
}

/// The row of a scenario.
///
/// # Errors
/// As [`measure`].
pub fn row(scenario: &str, effort: Effort, folders: &[PathBuf]) -> Result<Row> {
    let loaded = kernels::loaded(scenario)?;
    let inputs = read_inputs(&loaded, folders)?;
    let seeds = effort.scenario_seeds;
    let seen = (1..=seeds).into_par_iter().map(|seed| seen(&ScenarioSpec { seed, ..loaded.spec.clone() }, &inputs));
    let seen: Vec<Seen> = seen.collect::<Result<_>>()?;
    let over = |pick: fn(&Seen) -> f64| {
        let values: Vec<f64> = seen.iter().map(pick).collect();
        Interval::of(&values, Coverage::P95).unwrap_or(Interval { mean: f64::NAN, half: None })
    };
    let policies = loaded.spec.services.values().filter_map(|service| service.autoscaling.as_ref());
    Ok(Row {
        scenario: scenario.to_owned(),
        lower: over(|seen| seen.lower).mean,
        lower_with_room: over(|seen| seen.lower_with_room).mean,
        policy: policies.map(|scaling| scaling.strategy.policy.id.clone()).collect(),
        own: over(|seen| seen.own / seen.lower),
        oracle: over(|seen| seen.oracle / seen.lower),
        least: seen.iter().map(|seen| seen.oracle / seen.lower).fold(f64::INFINITY, f64::min),
        below: seen.iter().map(|seen| u64::from(seen.oracle < seen.lower)).sum(),
        seeds,
    })
}

fn seen(spec: &ScenarioSpec, inputs: &Inputs) -> Result<Seen> {
    let wrong = at(&spec.name);
    let found = bound(spec, inputs).map_err(|error| wrong(&error))?;
    let best = reached(spec, inputs, &|| false).map_err(|error| wrong(&error))?;
    let options = Options { timeline: None, latencies: false, ..Options::default() };
    let own = run_scenario(spec, inputs, &options).map_err(|error| wrong(&error))?;
    Ok(Seen {
        lower: found.lower,
        lower_with_room: found.lower_with_room,
        own: own.total.j(spec.costs),
        oracle: best.map_or(f64::NAN, |best| best.j),
    })
}
