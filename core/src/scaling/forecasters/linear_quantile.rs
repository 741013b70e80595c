//! Direct multi-quantile linear regression on the shared encoding: under 300 weights, and the bar that nets have to pass.
//!
//! Each quantile of `ln(greatest rate over the horizon / level)` is a linear function of the inputs; crossed quantiles are
//! put in order (rearrangement never makes the pinball loss worse; Chernozhukov et al., Econometrica 2010). Weights stand in
//! the config (`weight`, `bias`: what tuning commits) or in tensors `forecaster.linear.*`. [`fit`] finds them.

mod fit;

pub use fit::{FitError, FitOptions, fit};

use serde::{Deserialize, Serialize};

use super::encoding::{self, Encoder, INPUT_LEN};
use super::{ForecasterRow, HORIZON_S, LoadIntake, horizon};
use crate::nets::{Linear, Weights};
use crate::observe::Observation;
use crate::scaling::config::{self, ConfigError};
use crate::scaling::forecast::{Forecaster, LEVEL_COUNT, Quantiles};
use crate::scaling::policies::Ingredients;
use crate::scaling::policy::PastSlot;
use crate::time::{Span, Timestamp};

const ID: &str = "linear-quantile";
const LAYER: &str = "forecaster.linear";

pub(super) const ROW: ForecasterRow = ForecasterRow {
    id: ID,
    summary: "linear quantile regression on the scale-free encoding",
    sources: &["Koenker & Bassett, Econometrica 46(1), 1978", "Zeng et al., AAAI 2023 (LTSF-Linear)"],
    deviations: &[
        "Lags are the last eight minutes and five blocks of five minutes; exponential means of 10, 60 and 360 minutes stand in for older ones.",
        "Volatility, noise of the counts and the share of missing slots are inputs too.",
        "The target is the greatest rate over lag and lead time, not one quantile per step ahead.",
    ],
    needs_weights: true,
    default_config: || serde_json::json!({ "horizon_s": HORIZON_S, "weight": null, "bias": null }),
    build: |value, ingredients| {
        let config: Config = config::parse(ID, value)?;
        let horizon = horizon(ID, config.horizon_s)?;
        let workload = ingredients.workload;
        let intake = LoadIntake::new(workload.scrape_interval, workload.metric_lag);
        Ok(Box::new(LinearForecaster { layer: layer(config, ingredients)?, horizon, intake }))
    },
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    horizon_s: u32,
    weight: Option<Vec<Vec<f32>>>,
    bias: Option<Vec<f32>>,
}

impl Default for Config {
    fn default() -> Self {
        Self { horizon_s: HORIZON_S, weight: None, bias: None }
    }
}

/// The layer of the config, else that of the weights.
fn layer(config: Config, ingredients: &Ingredients<'_>) -> Result<Linear, ConfigError> {
    let wrong = |detail: String| ConfigError::Shape { id: ID, detail };
    match (
        config.weight,
        config.bias,
        ingredients.weights.filter(|weights| weights.contains("forecaster.linear.weight")),
    ) {
        (Some(weight), Some(bias), _) => {
            let shaped = weight.len() == LEVEL_COUNT && weight.iter().all(|row| row.len() == INPUT_LEN);
            let matrix = weight.concat();
            let finite = matrix.iter().chain(&bias).all(|value| value.is_finite());
            if shaped && finite && bias.len() == LEVEL_COUNT {
                Ok(Linear::new(INPUT_LEN, &bias, &matrix))
            } else {
                Err(wrong(format!(
                    "`weight` must be {LEVEL_COUNT} rows of {INPUT_LEN} numbers, `bias` {LEVEL_COUNT} numbers"
                )))
            }
        }
        (None, None, Some(weights)) => {
            let layer = Linear::load(weights, LAYER, INPUT_LEN).map_err(|error| wrong(error.to_string()))?;
            let outputs = layer.outputs();
            (outputs == LEVEL_COUNT).then_some(layer).ok_or_else(|| wrong(format!("`{LAYER}` has {outputs} outputs")))
        }
        (None, None, None) => {
            Err(ConfigError::Missing { id: ID, what: "fitted `weight` and `bias` in its config: fit it first" })
        }
        _ => Err(wrong("`weight` and `bias` come together".to_owned())),
    }
}

/// Fitted weights, one row per quantile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinearQuantile {
    /// `[quantile][input]`.
    pub weight: Vec<Vec<f32>>,
    /// One per quantile.
    pub bias: Vec<f32>,
}

impl LinearQuantile {
    /// The config of forecaster `linear-quantile` with these weights.
    #[must_use]
    pub fn to_config(&self, horizon: Span) -> serde_json::Value {
        serde_json::json!({ "horizon_s": horizon.micros() / 1_000_000, "weight": self.weight, "bias": self.bias })
    }

    /// Log-ratios of the quantiles to the level, as fitted: not yet in order.
    #[must_use]
    pub fn log_ratios(&self, inputs: &[f32; INPUT_LEN]) -> [f32; LEVEL_COUNT] {
        core::array::from_fn(|level| {
            let (row, bias) = (&self.weight[level], self.bias[level]);
            row.iter().zip(inputs).fold(bias, |sum, (weight, input)| sum + weight * input)
        })
    }

    /// As tensors `forecaster.linear.*`; `None` if a row has not [`INPUT_LEN`] weights, which [`fit`] never makes.
    #[must_use]
    pub fn to_weights(&self) -> Option<Weights> {
        let mut weights = Weights::new();
        let matrix = crate::nets::Tensor::new(vec![LEVEL_COUNT, INPUT_LEN], self.weight.concat())?;
        let bias = crate::nets::Tensor::new(vec![LEVEL_COUNT], self.bias.clone())?;
        weights.insert("forecaster.linear.weight", matrix).ok()?;
        weights.insert("forecaster.linear.bias", bias).ok()?;
        Some(weights)
    }
}

struct LinearForecaster {
    layer: Linear,
    horizon: Span,
    intake: LoadIntake,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    intake: LoadIntake,
    encoder: Encoder,
    latest: Option<Quantiles>,
}

impl LinearForecaster {
    fn forecast(&self, encoder: &Encoder) -> Option<Quantiles> {
        let from = encoder.history().last_end()?;
        let encoded = encoder.encode()?;
        let mut log_ratios = [0.0; LEVEL_COUNT];
        self.layer.forward(&encoded.inputs, &mut log_ratios);
        log_ratios.sort_unstable_by(f32::total_cmp);
        Some(encoding::quantiles(from, self.horizon, encoded.level, &log_ratios))
    }
}

impl Forecaster for LinearForecaster {
    type State = State;

    fn initial_state(&self) -> State {
        State { intake: self.intake, encoder: Encoder::new(self.horizon), latest: None }
    }

    fn step(&self, now: Timestamp, observation: &Observation, state: &mut State) -> Option<Quantiles> {
        let fresh = state.intake.slot(now, observation).map(|slot| state.encoder.absorb(&slot)).is_some();
        if fresh || state.latest.is_none() {
            state.latest = self.forecast(&state.encoder);
        }
        state.latest
    }

    fn absorb(&self, slot: &PastSlot, state: &mut State) {
        state.intake.note(slot);
        state.encoder.absorb(slot);
        state.latest = None;
    }

    fn horizon(&self) -> Span {
        self.horizon
    }
}
