//! `golden.json`: observations with the decisions that they led to, replayed wherever the bundle is loaded.

use serde::{Deserialize, Serialize};

use super::card::{check_version, parse};
use super::{BundleError, GOLDEN_FILE};
use crate::observe::Observation;
use crate::scaling::autoscaler::{Autoscaler, Decision};
use crate::scaling::forecast::LEVEL_COUNT;
use crate::scaling::policy::PastSlot;

/// Version of `golden.json`.
pub const GOLDEN_VERSION: u32 = 1;
/// Forecasts agree within this share; decisions are compared exactly.
const FORECAST_TOLERANCE: f64 = 1e-9;

/// A log to replay from the empty state: slots that warm it up, then observations in order of time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Golden {
    /// [`GOLDEN_VERSION`] of the writer.
    pub schema_version: u32,
    /// Absorbed before the first row.
    pub warm_up: Vec<PastSlot>,
    /// Rows in order of time.
    pub rows: Vec<GoldenRow>,
}

/// An observation and what was decided on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoldenRow {
    /// What was seen.
    pub observation: Observation,
    /// What was decided.
    pub expected: Expected,
}

/// The part of a decision that must be reproduced.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// Replicas decided.
    pub replicas: u32,
    /// Replicas proposed.
    pub proposed: Option<u32>,
    /// Discrete action.
    pub action: Option<u8>,
    /// The reason.
    pub reason: String,
    /// Forecast quantiles.
    pub forecast: Option<[f64; LEVEL_COUNT]>,
}

impl Expected {
    fn of(decision: &Decision) -> Self {
        Self {
            replicas: decision.replicas,
            proposed: decision.proposal.replicas,
            action: decision.proposal.action,
            reason: decision.reason().to_owned(),
            forecast: decision.proposal.forecast.map(|forecast| forecast.values),
        }
    }
}

impl Golden {
    /// Writes down what `autoscaler` decides on `observations` after `warm_up`.
    ///
    /// # Errors
    /// [`BundleError::NoGolden`] without observations.
    pub fn record(
        autoscaler: &Autoscaler,
        warm_up: &[PastSlot],
        observations: &[Observation],
    ) -> Result<Self, BundleError> {
        if observations.is_empty() {
            return Err(BundleError::NoGolden);
        }
        let mut replay = replay(autoscaler, warm_up);
        let row =
            |observation: &Observation| GoldenRow { observation: observation.clone(), expected: replay(observation) };
        let rows = observations.iter().map(row).collect();
        Ok(Self { schema_version: GOLDEN_VERSION, warm_up: warm_up.to_vec(), rows })
    }

    /// Replays every row.
    ///
    /// # Errors
    /// [`BundleError::Golden`] for the first row that is not reproduced.
    pub fn verify(&self, autoscaler: &Autoscaler) -> Result<(), BundleError> {
        if self.rows.is_empty() {
            return Err(BundleError::NoGolden);
        }
        let mut replay = replay(autoscaler, &self.warm_up);
        for (row, golden) in self.rows.iter().enumerate() {
            compare(row, &golden.expected, &replay(&golden.observation))?;
        }
        Ok(())
    }
}

fn replay<'a>(autoscaler: &'a Autoscaler, warm_up: &[PastSlot]) -> impl FnMut(&Observation) -> Expected + use<'a> {
    let mut state = autoscaler.initial_state();
    for slot in warm_up {
        autoscaler.absorb(slot, &mut state);
    }
    move |observation| Expected::of(&autoscaler.decide(observation.now, observation, &mut state))
}

fn compare(row: usize, expected: &Expected, found: &Expected) -> Result<(), BundleError> {
    let same = |what, expected: String, found: String| {
        if expected == found { Ok(()) } else { Err(BundleError::Golden { row, what, expected, found }) }
    };
    same("replicas", expected.replicas.to_string(), found.replicas.to_string())?;
    same("proposal", format!("{:?}", expected.proposed), format!("{:?}", found.proposed))?;
    same("action", format!("{:?}", expected.action), format!("{:?}", found.action))?;
    same("reason", expected.reason.clone(), found.reason.clone())?;
    let close = match (&expected.forecast, &found.forecast) {
        (None, None) => true,
        (Some(expected), Some(found)) => {
            expected.iter().zip(found).all(|(a, b)| (a - b).abs() <= FORECAST_TOLERANCE * a.abs())
        }
        _ => false,
    };
    if close {
        return Ok(());
    }
    let (expected, found) = (format!("{:?}", expected.forecast), format!("{:?}", found.forecast));
    Err(BundleError::Golden { row, what: "forecast", expected, found })
}

pub(super) fn read(bytes: &[u8]) -> Result<Golden, BundleError> {
    check_version(GOLDEN_FILE, bytes, GOLDEN_VERSION)?;
    parse(GOLDEN_FILE, bytes)
}
