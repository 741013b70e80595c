//! LSTM forecaster: a streaming one-layer LSTM over the shared encoding, and a head of eight monotone quantiles.
//!
//! The origin's baseline with three repairs: inputs relative to the recent level, quantiles instead of a point, the greatest
//! rate over the horizon that matters instead of ten minutes. The state is carried from slot to slot, in training too.
//! Weights `forecaster.lstm.*` and `forecaster.head.*`; see [`crate::nets`].

use serde::{Deserialize, Serialize};

use super::encoding::{self, Encoder, INPUT_LEN};
use super::{ForecasterRow, HORIZON_S, LoadIntake, horizon};
use crate::nets::{Linear, Lstm, LstmState, Weights};
use crate::observe::{Observation, Workload};
use crate::scaling::config::{self, ConfigError};
use crate::scaling::forecast::{Forecaster, LEVEL_COUNT, Quantiles};
use crate::scaling::policy::PastSlot;
use crate::time::{Span, Timestamp};

const ID: &str = "lstm";

pub(super) const ROW: ForecasterRow = ForecasterRow {
    id: ID,
    summary: "streaming LSTM over the scale-free encoding with eight monotone quantiles",
    sources: &["Hochreiter & Schmidhuber, Neural Computation 9(8), 1997"],
    deviations: &[],
    needs_weights: true,
    default_config: || serde_json::json!({ "horizon_s": HORIZON_S }),
    build: |value, ingredients| {
        let config: Config = config::parse(ID, value)?;
        let what = "trained weights: train it, or load a bundle";
        let weights = ingredients.weights.ok_or(ConfigError::Missing { id: ID, what })?;
        Ok(Box::new(LstmForecaster::load(weights, horizon(ID, config.horizon_s)?, ingredients.workload)?))
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

/// The forecaster `lstm`.
#[derive(Clone, Debug)]
pub struct LstmForecaster {
    lstm: Lstm,
    head: Linear,
    horizon: Span,
    intake: LoadIntake,
}

/// Load history and the cell's state.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LstmForecasterState {
    intake: LoadIntake,
    encoder: Encoder,
    cell: LstmState,
    /// The forecast at the end of the youngest slot, until another slot comes.
    latest: Option<Quantiles>,
}

impl LstmForecaster {
    /// Reads `forecaster.lstm.*` and `forecaster.head.*`.
    ///
    /// # Errors
    /// [`ConfigError::Shape`] if a tensor is missing or has another shape.
    pub fn load(weights: &Weights, horizon: Span, workload: &Workload) -> Result<Self, ConfigError> {
        let wrong = |detail: String| ConfigError::Shape { id: ID, detail };
        let lstm = Lstm::load(weights, "forecaster.lstm", INPUT_LEN).map_err(|error| wrong(error.to_string()))?;
        let head = Linear::load(weights, "forecaster.head", lstm.hidden()).map_err(|error| wrong(error.to_string()))?;
        if head.outputs() != LEVEL_COUNT {
            return Err(wrong(format!("`forecaster.head` has {} outputs, must be {LEVEL_COUNT}", head.outputs())));
        }
        Ok(Self { lstm, head, horizon, intake: LoadIntake::new(workload.scrape_interval, workload.metric_lag) })
    }

    /// Log-ratios of the quantiles to the level after the inputs in `cell`.
    #[must_use]
    pub fn log_ratios(&self, cell: &LstmState) -> [f32; LEVEL_COUNT] {
        let mut raw = [0.0; LEVEL_COUNT];
        self.head.forward(cell.hidden(), &mut raw);
        encoding::monotone(&raw)
    }

    /// The cell, for checks against the trainer's.
    #[must_use]
    pub const fn cell(&self) -> &Lstm {
        &self.lstm
    }

    fn fold(&self, slot: &PastSlot, state: &mut LstmForecasterState) {
        if let Some(encoded) = state.encoder.push(slot) {
            self.lstm.step(&encoded.inputs, &mut state.cell);
            state.latest = None;
        }
    }
}

impl Forecaster for LstmForecaster {
    type State = LstmForecasterState;

    fn initial_state(&self) -> LstmForecasterState {
        let encoder = Encoder::new(self.horizon);
        LstmForecasterState { intake: self.intake, encoder, cell: self.lstm.initial_state(), latest: None }
    }

    fn step(&self, now: Timestamp, observation: &Observation, state: &mut LstmForecasterState) -> Option<Quantiles> {
        if let Some(slot) = state.intake.slot(now, observation) {
            self.fold(&slot, state);
        }
        if state.latest.is_none() {
            let (from, level) = (state.encoder.history().last_end()?, state.encoder.level()?);
            state.latest = Some(encoding::quantiles(from, self.horizon, level, &self.log_ratios(&state.cell)));
        }
        state.latest
    }

    fn absorb(&self, slot: &PastSlot, state: &mut LstmForecasterState) {
        state.intake.note(slot);
        self.fold(slot, state);
    }

    fn horizon(&self) -> Span {
        self.horizon
    }
}
