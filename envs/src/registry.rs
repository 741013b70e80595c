//! The environments there are: an explicit list, by id, with their observation and action tables.
//!
//! To add one: a module with its [`VectorEnv`], a `mod` line, a row here. The conformance suite
//! (`tests/conformance.rs`), the command line and the documentation pick it up.

mod example;

use seatrial_core::rl::VectorEnv;
use seatrial_core::scaling::headroom_space::{
    ACTION_COUNT, FACTORS, OBSERVATION_BOUNDS, OBSERVATION_LEN, OBSERVATION_MEANINGS, OBSERVATION_NAMES,
};
use thiserror::Error;

use crate::autoscale_app_v1::AutoscaleAppV1;
use crate::autoscale_v1::{AutoscaleError, AutoscaleV1};
use crate::spec::KernelChoice;

pub use example::{example_app_loads, example_load, example_loads, example_shop};

/// An environment of the registry.
#[derive(Clone, Copy)]
pub struct EnvironmentRow {
    /// Permanent kebab-case id with its version.
    pub id: &'static str,
    /// One line for lists.
    pub summary: &'static str,
    /// What a step costs, with its unit.
    pub cost: &'static str,
    /// Kernels that it runs on.
    pub kernels: &'static [KernelChoice],
    /// Entries of the observation, in order.
    pub observations: fn() -> Vec<ObservationEntry>,
    /// Actions, in order.
    pub actions: fn() -> Vec<ActionEntry>,
    /// Rows of one instance, which lie together in a batch: 1, or the services of an application.
    pub rows: usize,
    /// So many instances on a small generated load: for conformance tests, documentation and benchmarks.
    pub example: fn(usize) -> Result<Box<dyn VectorEnv>, AutoscaleError>,
}

/// One entry of an observation.
#[derive(Clone, Debug, PartialEq)]
pub struct ObservationEntry {
    /// Name in snake case.
    pub name: &'static str,
    /// What it is, in one line.
    pub meaning: &'static str,
    /// Least value.
    pub low: f32,
    /// Greatest value.
    pub high: f32,
}

/// One action.
#[derive(Clone, Debug, PartialEq)]
pub struct ActionEntry {
    /// Number of the action.
    pub index: usize,
    /// What it does.
    pub meaning: String,
}

/// All environments, by id.
pub const ENVIRONMENTS: &[EnvironmentRow] = &[
    EnvironmentRow {
        id: AutoscaleAppV1::ID,
        summary: "headroom over forecast demand for each service of an application of 11, every 15 s",
        cost: "pod-seconds of the whole application's step, the same for all its rows: pods in any state, clients' bad requests \
               at κ, changes at the churn price",
        kernels: &[KernelChoice::Fluid],
        observations: autoscale_observations,
        actions: autoscale_actions,
        rows: example::SHOP_SERVICES,
        example: example::autoscale_app_v1,
    },
    EnvironmentRow {
        id: AutoscaleV1::ID,
        summary: "headroom over forecast demand for one Deployment, every 15 s, under protocol P1",
        cost: "pod-seconds of the step: pods in any state, bad requests at κ, changes at the churn price",
        kernels: &[KernelChoice::Fluid],
        observations: autoscale_observations,
        actions: autoscale_actions,
        rows: 1,
        example: example::autoscale_v1,
    },
];

/// The id is not in the registry.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("unknown environment `{id}`; known are: {known}")]
pub struct UnknownEnvironment {
    /// The id asked for.
    pub id: String,
    /// The ids there are, separated by commas.
    pub known: String,
}

/// The environment with this id.
///
/// # Errors
/// [`UnknownEnvironment`] listing the known ones.
pub fn find(id: &str) -> Result<&'static EnvironmentRow, UnknownEnvironment> {
    ENVIRONMENTS.iter().find(|row| row.id == id).ok_or_else(|| UnknownEnvironment {
        id: id.to_owned(),
        known: ENVIRONMENTS.iter().map(|row| row.id).collect::<Vec<_>>().join(", "),
    })
}

fn autoscale_observations() -> Vec<ObservationEntry> {
    let entry = |index: usize| ObservationEntry {
        name: OBSERVATION_NAMES[index],
        meaning: OBSERVATION_MEANINGS[index],
        low: OBSERVATION_BOUNDS[index].0,
        high: OBSERVATION_BOUNDS[index].1,
    };
    (0..OBSERVATION_LEN).map(entry).collect()
}

fn autoscale_actions() -> Vec<ActionEntry> {
    let meaning = |index: usize| match index {
        0 => "hold the replicas asked for".to_owned(),
        _ => format!("{} × P50 of the forecast / lower bound of a pod's capacity, rounded up", FACTORS[index]),
    };
    (0..ACTION_COUNT).map(|index| ActionEntry { index, meaning: meaning(index) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_sorted_and_unknown_ones_are_refused() {
        assert!(ENVIRONMENTS.windows(2).all(|pair| pair[0].id < pair[1].id));
        assert_eq!(find("autoscale-v1").unwrap().id, "autoscale-v1");
        let message = find("autoscale-v0").map(|row| row.id).unwrap_err().to_string();
        assert!(message.contains("autoscale-v0") && message.contains("autoscale-v1"), "{message}");
    }
}
