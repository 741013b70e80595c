//! Seasonal naive: the greatest rate over the horizon window one season ago (a day, unless the config says otherwise).
//!
//! The past is known as means over ten minutes, linear in between, so this forecasts the season's shape, not its noise.
//! Where the season before is unknown it falls back to persistence.

use serde::{Deserialize, Serialize};

use super::{ForecasterRow, HORIZON_S, LoadIntake, horizon};
use crate::observe::{LoadHistory, Observation};
use crate::scaling::config::{self, ConfigError};
use crate::scaling::forecast::{Forecaster, Quantiles};
use crate::scaling::policy::PastSlot;
use crate::time::{Span, Timestamp};

const ID: &str = "seasonal-naive";

pub(super) const ROW: ForecasterRow = ForecasterRow {
    id: ID,
    summary: "the greatest rate of the horizon window one season ago; persistence where that is unknown",
    sources: &["Hyndman & Athanasopoulos, Forecasting: Principles and Practice, 3rd ed., 5.2"],
    deviations: &[],
    needs_weights: false,
    default_config: || serde_json::json!({ "horizon_s": HORIZON_S, "season_s": SEASON_S }),
    build: |value, ingredients| {
        let config: Config = config::parse(ID, value)?;
        if !(3_600..=7 * 86_400).contains(&config.season_s) {
            let got = config.season_s.to_string();
            return Err(ConfigError::Range { id: ID, key: "season_s", got, allowed: "3600 to 604800 (a week)" });
        }
        let workload = ingredients.workload;
        Ok(Box::new(SeasonalNaive {
            horizon: horizon(ID, config.horizon_s)?,
            season: Span::from_secs(i64::from(config.season_s)),
            intake: LoadIntake::new(workload.scrape_interval, workload.metric_lag),
        }))
    },
};

const SEASON_S: u32 = 86_400;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    horizon_s: u32,
    season_s: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { horizon_s: HORIZON_S, season_s: SEASON_S }
    }
}

struct SeasonalNaive {
    horizon: Span,
    season: Span,
    intake: LoadIntake,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    intake: LoadIntake,
    history: LoadHistory,
}

impl Forecaster for SeasonalNaive {
    type State = State;

    fn initial_state(&self) -> State {
        State { intake: self.intake, history: LoadHistory::new() }
    }

    fn step(&self, now: Timestamp, observation: &Observation, state: &mut State) -> Option<Quantiles> {
        if let Some(slot) = state.intake.slot(now, observation) {
            state.history.push(slot.end, slot.length, slot.arrival_rate);
        }
        let from = state.history.last_end()?;
        let season_ago = state.history.coarse_max(from - self.season, self.horizon);
        let value = season_ago.or_else(|| state.history.last_known().map(|(_, rate)| rate))?;
        Some(Quantiles::certain(from, self.horizon, value))
    }

    fn absorb(&self, slot: &PastSlot, state: &mut State) {
        state.intake.note(slot);
        state.history.push(slot.end, slot.length, slot.arrival_rate);
    }

    fn horizon(&self) -> Span {
        self.horizon
    }
}
