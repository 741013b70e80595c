//! A forecast that was computed before: offered arrivals do not depend on actions, so a study computes the forecasts once
//! per trace, draw, regime and forecaster, and every strategy looks them up.
//!
//! Not a row of the registry: it stands in for one. A test shows that cache and online are equal for every row.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::observe::{Feature, Observation, Sample};
use crate::scaling::forecast::{DynForecaster, Forecaster, Quantiles};
use crate::scaling::policy::PastSlot;
use crate::time::{Span, Timestamp};

/// Forecasts at `start`, `start + step`, …; moments between take the one before, moments outside have none.
#[derive(Clone, Debug)]
pub struct CachedForecast {
    start: Timestamp,
    step: Span,
    horizon: Span,
    table: Arc<[Option<Quantiles>]>,
}

impl CachedForecast {
    /// From forecasts that were computed. The horizon is theirs.
    #[must_use]
    pub fn new(start: Timestamp, step: Span, table: Arc<[Option<Quantiles>]>) -> Self {
        let horizon = table.iter().flatten().next().map_or(Span::ZERO, |forecast| forecast.horizon);
        Self { start, step, horizon, table }
    }

    /// Runs `forecaster` over the load samples that are visible at `start`, `start + step`, …, after warming it up.
    #[must_use]
    pub fn record(
        forecaster: &dyn DynForecaster,
        warm_up: &[PastSlot],
        start: Timestamp,
        step: Span,
        visible: &[Option<Sample>],
    ) -> Self {
        let mut state = forecaster.initial_state();
        for slot in warm_up {
            forecaster.absorb(slot, &mut state);
        }
        let mut now = start;
        let mut forecast = |sample: &Option<Sample>| {
            let mut observation = Observation::unknown(now, 0);
            observation.metrics.set(Feature::HttpRequestsTotalRate, *sample);
            let quantiles = forecaster.step(now, &observation, &mut state);
            now += step;
            quantiles
        };
        Self::new(start, step, visible.iter().map(&mut forecast).collect())
    }

    /// The forecasts.
    #[must_use]
    pub fn table(&self) -> &Arc<[Option<Quantiles>]> {
        &self.table
    }

    /// The forecast that is valid at `now`.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> Option<Quantiles> {
        let index = usize::try_from(now.since(self.start).whole_steps(self.step)).ok()?;
        *self.table.get(index)?
    }
}

/// A cache remembers nothing.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoState {}

impl Forecaster for CachedForecast {
    type State = NoState;

    fn initial_state(&self) -> NoState {
        NoState {}
    }

    fn step(&self, now: Timestamp, _observation: &Observation, _state: &mut NoState) -> Option<Quantiles> {
        self.at(now)
    }

    fn absorb(&self, _slot: &PastSlot, _state: &mut NoState) {}

    fn horizon(&self) -> Span {
        self.horizon
    }
}
