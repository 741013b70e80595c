//! Conformal wrapper: shifts each quantile of another forecaster until it covers as often as its level says.
//!
//! Quantile tracking, the proportional part of conformal PID control. A quantile of the inner forecaster is multiplied by
//! e^(θ·s), where s is a running mean of |ln(y / inner median)|: how far the series goes, so that an offset fits calm and storm
//! alike. Once the horizon of a forecast is over and its greatest rate `y` known, the offset θ of level p moves by
//!
//! ```text
//! θ ← θ + η·(p − 1)   if y was at most the quantile,      θ ← θ + η·p   if it was above.
//! ```
//!
//! η falls from 0.5 with the power 0.6 of the number of forecasts to `rate`: large steps find the offsets, small ones keep them
//! (Angelopoulos, Barber & Bates, ICML 2024). Errors in units of s are bounded, hence so are the offsets, and after T forecasts the share covered differs from p by at most
//! (range of θ + η) / (η·T), whatever the series does (Angelopoulos, Candès & Tibshirani 2023, proposition 1). Each level is
//! scored by its own quantile. Where neighbours have crossed they are put in order when they are given out and swap their shares
//! covered for that time (Chernozhukov et al., Econometrica 2010: the pinball loss never grows by it); scoring them in that order
//! would let offsets run away from each other, as each would be moved by what the other does.
//!
//! # Deviations
//!
//! 1. Of the PID controller only the proportional part is kept, on errors in units of their running mean.
//! 2. A forecast is scored when its horizon is over, so several overlap and feedback comes that much later.
//!
//! Invariants: only slots that were seen count, and only forecasts whose horizon they cover in full; quantiles stay ascending.
//! Needs no weights itself; an inner forecaster that does says so when it is built.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::encoding::LEAST_LEVEL_PER_S;
use super::{ForecasterRow, HORIZON_S, LoadIntake, find, horizon};
use crate::math;
use crate::observe::Observation;
use crate::scaling::config::{self, ConfigError};
use crate::scaling::forecast::{DynForecaster, LEVEL_COUNT, LEVELS, Quantiles};
use crate::scaling::hindsight::{Due, Hindsight};
use crate::scaling::policies::Ingredients;
use crate::scaling::policy::{PastSlot, State};
use crate::scaling::strategy::Choice;
use crate::time::{Span, Timestamp};

const ID: &str = "conformal";

pub(super) const ROW: ForecasterRow = ForecasterRow {
    id: ID,
    summary: "another forecaster, each quantile shifted until it covers as often as its level says",
    sources: &[
        "Gibbs & Candès, NeurIPS 2021 (adaptive conformal inference)",
        "Angelopoulos, Candès & Tibshirani, NeurIPS 2023 (conformal PID control)",
    ],
    deviations: &[
        "of the PID controller only the proportional part is kept, on errors in units of their running mean",
        "a forecast is scored when its horizon is over, so several overlap and feedback comes that much later",
    ],
    needs_weights: false,
    default_config: || serde_json::to_value(Config::default()).unwrap_or_default(),
    build,
};

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    /// Seconds, 15 to 3,600; that of the inner forecaster too.
    horizon_s: u32,
    /// The forecaster that is wrapped.
    inner: Choice,
    /// η: the step of the offsets once they are found, 0.001 to 1.
    rate: f64,
    /// Forecasts over which s is a mean, 2 to 10,000.
    window: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { horizon_s: HORIZON_S, inner: Choice::of("persistence"), rate: 0.01, window: 40 }
    }
}

fn build(value: &Value, ingredients: &Ingredients<'_>) -> Result<Box<dyn DynForecaster>, ConfigError> {
    let config: Config = config::parse(ID, value)?;
    let refuse = |key, got: String, allowed| Err(ConfigError::Range { id: ID, key, got, allowed });
    let horizon = horizon(ID, config.horizon_s)?;
    if !(0.001..=1.0).contains(&config.rate) {
        return refuse("rate", config.rate.to_string(), "0.001 to 1");
    }
    if !(2..=10_000).contains(&config.window) {
        return refuse("window", config.window.to_string(), "2 to 10000");
    }
    if config.inner.id == ID {
        return refuse("inner", ID.to_owned(), "another forecaster");
    }
    let inner = (find(&config.inner.id)?.build)(&inner_config(&config), ingredients)?;
    if inner.horizon() != horizon {
        let got = format!("{} s ahead", inner.horizon().as_secs_f64());
        return refuse("inner", got, "a forecaster with the wrapper's `horizon_s`");
    }
    let workload = ingredients.workload;
    Ok(Box::new(Conformal {
        inner,
        due: Due::overlapping(horizon),
        intake: LoadIntake::new(workload.scrape_interval, workload.metric_lag),
        rate: config.rate,
        share: 1.0 / f64::from(config.window),
    }))
}

/// The inner forecaster's config; the horizon is the wrapper's unless it states its own.
fn inner_config(config: &Config) -> Value {
    let mut inner = if config.inner.config.is_null() { json!({}) } else { config.inner.config.clone() };
    if let Some(keys) = inner.as_object_mut() {
        keys.entry("horizon_s").or_insert_with(|| config.horizon_s.into());
    }
    inner
}

struct Conformal {
    inner: Box<dyn DynForecaster>,
    due: Due,
    intake: LoadIntake,
    rate: f64,
    /// Of the newest error in the running mean.
    share: f64,
}

#[derive(Clone, Serialize)]
struct ConformalState {
    inner: State,
    track: Track,
}

/// [`ConformalState`] as it is stored.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    inner: Value,
    track: Track,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Track {
    intake: LoadIntake,
    hindsight: Hindsight<Given>,
    /// θ by level.
    offsets: [f64; LEVEL_COUNT],
    /// s; `None` before the first error.
    error: Option<f64>,
    /// Forecasts that were scored.
    scored: u32,
}

/// The shifted quantiles, and the inner median.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    values: [f64; LEVEL_COUNT],
    median: f64,
}

/// A log-ratio beyond this means that the inner forecaster says nothing.
const WIDEST: f64 = 10.0;
/// Greatest offset: a spike in a calm series is many running errors away.
const MOST_OFFSET: f64 = 1_000.0;
/// The first step, and how steps fall to `rate`: large ones find the offsets, small ones keep them.
const FIRST_RATE: f64 = 0.5;
const DECAY: f64 = -0.6;
/// Least running error: offsets of a series that stood still must still move something.
const LEAST_ERROR: f64 = 1e-3;

impl Conformal {
    /// Folds a slot in; answers whether it was new.
    fn score(&self, slot: &PastSlot, track: &mut Track) -> bool {
        let Track { hindsight, offsets, error, scored, .. } = track;
        hindsight.see(self.due, slot, |given, greatest| {
            *scored = scored.saturating_add(1);
            let step = self.rate.max(FIRST_RATE * libm::pow(f64::from(*scored), DECAY));
            track_levels(given, greatest, step, offsets);
            let newest = math::ln(raised(greatest) / raised(given.median)).abs().min(WIDEST);
            *error = Some(error.map_or(newest, |mean| mean + self.share * (newest - mean)));
        })
    }

    /// Keeps the shifted quantiles to be scored if `new`, and answers with them in order.
    fn give(&self, inner: &Quantiles, new: bool, track: &mut Track) -> Quantiles {
        let error = track.error.unwrap_or(0.0).max(LEAST_ERROR);
        let mut values = inner.values;
        for (value, offset) in values.iter_mut().zip(track.offsets) {
            let factor = math::exp((offset * error).clamp(-WIDEST, WIDEST));
            *value = (raised(*value) * factor - LEAST_LEVEL_PER_S).clamp(0.0, f64::MAX);
        }
        if new {
            track.hindsight.keep(self.due, Given { values, median: inner.median() });
        }
        values.sort_unstable_by(f64::total_cmp);
        Quantiles { values, ..*inner }
    }
}

/// Moves each offset by what its quantile did.
fn track_levels(given: &Given, greatest: f64, step: f64, offsets: &mut [f64; LEVEL_COUNT]) {
    for ((offset, quantile), level) in offsets.iter_mut().zip(given.values).zip(LEVELS) {
        let covered = if greatest <= quantile { 1.0 } else { 0.0 };
        *offset = (*offset + step * (level - covered)).clamp(-MOST_OFFSET, MOST_OFFSET);
    }
}

/// Rates are compared above the least one that counts can tell from nothing.
fn raised(rate: f64) -> f64 {
    rate + LEAST_LEVEL_PER_S
}

impl DynForecaster for Conformal {
    fn initial_state(&self) -> State {
        State::new(ConformalState {
            inner: self.inner.initial_state(),
            track: Track {
                intake: self.intake,
                hindsight: Hindsight::new(),
                offsets: [0.0; LEVEL_COUNT],
                error: None,
                scored: 0,
            },
        })
    }

    fn step(&self, now: Timestamp, observation: &Observation, state: &mut State) -> Option<Quantiles> {
        let ConformalState { inner, track } = state.typed();
        let slot = track.intake.slot(now, observation);
        let new = slot.is_some_and(|slot| self.score(&slot, track));
        let inner = self.inner.step(now, observation, inner)?;
        Some(self.give(&inner, new, track))
    }

    fn absorb(&self, slot: &PastSlot, state: &mut State) {
        let ConformalState { inner, track } = state.typed();
        track.intake.note(slot);
        let new = self.score(slot, track);
        self.inner.absorb(slot, inner);
        // At the end of the slot nothing newer is due: an empty observation asks for the forecast alone.
        let asked = Observation::unknown(slot.end, 0);
        if let Some(inner) = self.inner.step(asked.now, &asked, inner) {
            self.give(&inner, new, track);
        }
    }

    fn horizon(&self) -> Span {
        self.inner.horizon()
    }

    fn restore(&self, snapshot: &Value) -> Result<State, ConfigError> {
        let wrong = |error: serde_json::Error| ConfigError::State { detail: error.to_string() };
        let Stored { inner, track } = serde_json::from_value(snapshot.clone()).map_err(wrong)?;
        Ok(State::new(ConformalState { inner: self.inner.restore(&inner)?, track }))
    }
}

#[cfg(test)]
mod tests;
