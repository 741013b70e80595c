//! The contract of a forecaster: quantiles of the greatest arrival rate over the horizon that matters.
//!
//! The horizon is metric lag + start-up lead time + the decision step, counted from the end of the youngest visible slot:
//! what a pod created now can still serve. Only that window is worth forecasting (learning.md, fact 3).

use serde::{Deserialize, Serialize};

use super::config::ConfigError;
use super::policy::{PastSlot, State, StateData};
use crate::observe::Observation;
use crate::time::{Span, Timestamp};

/// Levels of the quantiles, ascending.
pub const LEVELS: [f64; 8] = [0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99];
/// Number of quantiles.
pub const LEVEL_COUNT: usize = LEVELS.len();
/// Index of the median in [`LEVELS`].
pub const MEDIAN: usize = 3;

/// Quantiles of the greatest arrival rate (requests per second) in the window of length `horizon` that begins at `from`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    /// End of the youngest slot that was seen: where the window begins.
    pub from: Timestamp,
    /// Length of the window.
    pub horizon: Span,
    /// One value per level of [`LEVELS`], ascending, finite, not negative.
    pub values: [f64; LEVEL_COUNT],
}

impl Quantiles {
    /// All quantiles at `value`: a forecast that claims certainty.
    #[must_use]
    pub const fn certain(from: Timestamp, horizon: Span, value: f64) -> Self {
        Self { from, horizon, values: [value; LEVEL_COUNT] }
    }

    /// The median.
    #[must_use]
    pub const fn median(&self) -> f64 {
        self.values[MEDIAN]
    }

    /// The value at `level`, linear between the levels, extrapolated flat beyond the outermost.
    #[must_use]
    pub fn at(&self, level: f64) -> f64 {
        let above = LEVELS.partition_point(|known| *known < level);
        if above == 0 {
            return self.values[0];
        }
        if above == LEVEL_COUNT {
            return self.values[LEVEL_COUNT - 1];
        }
        let share = (level - LEVELS[above - 1]) / (LEVELS[above] - LEVELS[above - 1]);
        self.values[above - 1] + share * (self.values[above] - self.values[above - 1])
    }
}

/// A forecaster. Total: on missing input it answers from what it remembers, or with `None` if it never saw anything.
pub trait Forecaster: Send + Sync + 'static {
    /// What it remembers.
    type State: StateData;

    /// The state before anything was seen.
    fn initial_state(&self) -> Self::State;

    /// Folds in what is visible at `now` and answers with the quantiles.
    fn step(&self, now: Timestamp, observation: &Observation, state: &mut Self::State) -> Option<Quantiles>;

    /// Folds in one slot of the past without forecasting.
    fn absorb(&self, slot: &PastSlot, state: &mut Self::State);

    /// Length of the window it forecasts.
    fn horizon(&self) -> Span;
}

/// A forecaster behind one type. Implemented for every [`Forecaster`].
pub trait DynForecaster: Send + Sync {
    /// See [`Forecaster::initial_state`].
    fn initial_state(&self) -> State;
    /// See [`Forecaster::step`].
    fn step(&self, now: Timestamp, observation: &Observation, state: &mut State) -> Option<Quantiles>;
    /// See [`Forecaster::absorb`].
    fn absorb(&self, slot: &PastSlot, state: &mut State);
    /// See [`Forecaster::horizon`].
    fn horizon(&self) -> Span;
    /// A state from its snapshot.
    ///
    /// # Errors
    /// If the snapshot is not one of this forecaster.
    fn restore(&self, snapshot: &serde_json::Value) -> Result<State, ConfigError>;
}

impl<F: Forecaster> DynForecaster for F {
    fn initial_state(&self) -> State {
        State::new(Forecaster::initial_state(self))
    }
    fn step(&self, now: Timestamp, observation: &Observation, state: &mut State) -> Option<Quantiles> {
        Forecaster::step(self, now, observation, state.typed())
    }
    fn absorb(&self, slot: &PastSlot, state: &mut State) {
        Forecaster::absorb(self, slot, state.typed());
    }
    fn horizon(&self) -> Span {
        Forecaster::horizon(self)
    }
    fn restore(&self, snapshot: &serde_json::Value) -> Result<State, ConfigError> {
        serde_json::from_value::<F::State>(snapshot.clone())
            .map(State::new)
            .map_err(|error| ConfigError::State { detail: error.to_string() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpolates_between_levels() {
        let q = Quantiles {
            from: Timestamp::ZERO,
            horizon: Span::from_secs(105),
            values: [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0],
        };
        assert_eq!(q.median(), 4.0);
        assert!((q.at(0.97) - 7.5).abs() < 1e-12);
        assert_eq!(q.at(0.999), 8.0);
        assert_eq!(q.at(0.0), 1.0);
        for (level, value) in LEVELS.iter().zip(q.values) {
            assert!((q.at(*level) - value).abs() < 1e-12);
        }
    }
}
