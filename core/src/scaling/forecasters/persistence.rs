//! Persistence: what is, stays. Every quantile is the present rate; the yardstick of every forecast.

use serde::{Deserialize, Serialize};

use super::{ForecasterRow, HORIZON_S, LoadIntake, horizon};
use crate::observe::Observation;
use crate::scaling::config;
use crate::scaling::forecast::{Forecaster, Quantiles};
use crate::scaling::policy::PastSlot;
use crate::time::{Span, Timestamp};

const ID: &str = "persistence";

pub(super) const ROW: ForecasterRow = ForecasterRow {
    id: ID,
    summary: "the present rate at every quantile",
    sources: &[],
    deviations: &[],
    needs_weights: false,
    default_config: || serde_json::json!({ "horizon_s": HORIZON_S }),
    build: |value, ingredients| {
        let config: Config = config::parse(ID, value)?;
        let workload = ingredients.workload;
        let intake = LoadIntake::new(workload.scrape_interval, workload.metric_lag);
        Ok(Box::new(Persistence { horizon: horizon(ID, config.horizon_s)?, intake }))
    },
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    horizon_s: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { horizon_s: HORIZON_S }
    }
}

struct Persistence {
    horizon: Span,
    intake: LoadIntake,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    intake: LoadIntake,
    /// End of the youngest slot, and the last known rate.
    last: Option<(Timestamp, f64)>,
}

impl State {
    fn fold(&mut self, slot: &PastSlot) {
        let known = slot.arrival_rate.filter(|rate| rate.is_finite() && *rate >= 0.0);
        if self.last.is_none_or(|(end, _)| slot.end > end)
            && let Some(rate) = known.or(self.last.map(|(_, rate)| rate))
        {
            self.last = Some((slot.end, rate));
        }
    }
}

impl Forecaster for Persistence {
    type State = State;

    fn initial_state(&self) -> State {
        State { intake: self.intake, last: None }
    }

    fn step(&self, now: Timestamp, observation: &Observation, state: &mut State) -> Option<Quantiles> {
        if let Some(slot) = state.intake.slot(now, observation) {
            state.fold(&slot);
        }
        state.last.map(|(from, rate)| Quantiles::certain(from, self.horizon, rate))
    }

    fn absorb(&self, slot: &PastSlot, state: &mut State) {
        state.intake.note(slot);
        state.fold(slot);
    }

    fn horizon(&self) -> Span {
        self.horizon
    }
}
