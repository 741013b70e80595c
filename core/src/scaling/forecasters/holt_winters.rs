//! Holt-Winters: exponential smoothing of level, trend and daily season over means of a few minutes, with quantiles from the
//! errors that its own forecasts made of late.
//!
//! The point forecast is the greatest value over the horizon of the line through the expected values at the centres of the bins.
//! Its quantiles are the point times quantiles of `greatest rate that followed / point`, over the last [`Config::errors`]
//! horizons that do not overlap: level p is the p·(n + 1)-th smallest of n (the rank at which a new error exceeds it with
//! probability 1 − p if errors are exchangeable), the outermost beyond. Until a season is complete the point is the last known
//! rate, as in `persistence`.
//!
//! A day at 15 s would take 5,760 seasons, which no state of 16 KiB holds: bins of 5 minutes (`step_s`) make 288 of them, in
//! 2.3 KB. What happens within a bin shows only when it is complete; the errors carry that.
//!
//! [`smoothing`] is the recursion.
//!
//! # Deviations
//!
//! 1. The first season gives level and seasons, the first trend is zero; nothing is fitted.
//! 2. The point is at least half of the present rate, and quantiles come from past errors, not from an assumed distribution.

mod smoothing;

use serde::{Deserialize, Serialize};

use self::smoothing::{Shares, Smoother};
use super::encoding::{self, LEAST_LEVEL_PER_S};
use super::{ForecasterRow, HORIZON_S, LoadIntake, horizon};
use crate::math;
use crate::observe::{Observation, SLOT};
use crate::scaling::config::{self, ConfigError};
use crate::scaling::forecast::{Forecaster, LEVEL_COUNT, LEVELS, Quantiles};
use crate::scaling::hindsight::{self, Due, Hindsight};
use crate::scaling::packed;
use crate::scaling::policy::PastSlot;
use crate::time::{Span, Timestamp};

const ID: &str = "holt-winters";

pub(super) const ROW: ForecasterRow = ForecasterRow {
    id: ID,
    summary: "additive Holt-Winters over bins of minutes, with quantiles of its own recent errors",
    sources: &[
        "Winters, Management Science 6(3), 1960",
        "Gardner & McKenzie, Management Science 31(10), 1985 (damped trend)",
    ],
    deviations: &[
        "the first season gives level and seasons, the first trend is zero; nothing is fitted",
        "the point is at least half of the present rate; quantiles come from past errors, not from an assumed distribution",
    ],
    needs_weights: false,
    default_config: || serde_json::to_value(Config::default()).unwrap_or_default(),
    build: |value, ingredients| {
        let config: Config = config::parse(ID, value)?;
        let workload = ingredients.workload;
        let intake = LoadIntake::new(workload.scrape_interval, workload.metric_lag);
        Ok(Box::new(HoltWinters::new(&config, intake)?))
    },
};

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    /// Seconds, 15 to 3,600.
    horizon_s: u32,
    /// Length of a bin: 60 to 3,600 s, whole slots of 15 s.
    step_s: u32,
    /// Length of the season: 2 to [`MOST_BINS`] bins.
    season_s: u32,
    /// Share of the newest value in the level, 0 to 1.
    level: f64,
    /// Share of the newest change in the trend, 0 to 1.
    trend: f64,
    /// Share of the newest deviation in the season, 0 to 1 − `level`: beyond that the recursion is unstable.
    season: f64,
    /// What is left of the trend after each bin, 0 to 1; 1 is a trend that is not damped.
    damping: f64,
    /// Errors that make the quantiles, 20 to [`MOST_ERRORS`].
    errors: u32,
}

/// Shares and damping: among the best of a dozen settings on the first weeks of three public traces (NASA, World Cup 98, a
/// production app), between which the loss differed by a few percent.
impl Default for Config {
    fn default() -> Self {
        Self {
            horizon_s: HORIZON_S,
            step_s: 300,
            season_s: 86_400,
            level: 0.5,
            trend: 0.05,
            season: 0.1,
            damping: 0.9,
            errors: 400,
        }
    }
}

/// A week of 10-minute bins.
const MOST_BINS: u32 = 1_008;
/// With a week's seasons the state stays below 16 KiB.
const MOST_ERRORS: usize = 600;

/// The point is at least this share of the present rate: a season learnt at another level can subtract more than there is, and
/// the greatest rate from now on is not so far below the present one.
const LEAST_SHARE: f64 = 0.5;

struct HoltWinters {
    horizon: Span,
    due: Due,
    step: Span,
    bins: usize,
    shares: Shares,
    errors: usize,
    intake: LoadIntake,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    intake: LoadIntake,
    /// End of the youngest slot, known or missing.
    last_end: Option<Timestamp>,
    last_known: Option<f64>,
    /// Number of the youngest slot that is folded into a bin.
    last_slot: Option<i64>,
    /// Sum and number of the known slots of the bin in progress.
    open_bin: (f64, u32),
    smoother: Smoother,
    hindsight: Hindsight<f64>,
    errors: Errors,
    latest: Option<Quantiles>,
}

impl HoltWinters {
    fn new(config: &Config, intake: LoadIntake) -> Result<Self, ConfigError> {
        let refuse = |key, got: u32, allowed| ConfigError::Range { id: ID, key, got: got.to_string(), allowed };
        let horizon = horizon(ID, config.horizon_s)?;
        if !(60..=3_600).contains(&config.step_s) || !config.step_s.is_multiple_of(15) {
            return Err(refuse("step_s", config.step_s, "60 to 3600, a multiple of 15"));
        }
        let bins = config.season_s / config.step_s;
        if !config.season_s.is_multiple_of(config.step_s) || !(2..=MOST_BINS).contains(&bins) {
            return Err(refuse("season_s", config.season_s, "2 to 1008 times `step_s`"));
        }
        let errors = usize::try_from(config.errors).unwrap_or(usize::MAX);
        if !(20..=MOST_ERRORS).contains(&errors) {
            return Err(refuse("errors", config.errors, "20 to 600"));
        }
        let (due, step) = (Due::apart(horizon), Span::from_secs(i64::from(config.step_s)));
        let bins = usize::try_from(bins).unwrap_or(2);
        Ok(Self { horizon, due, step, bins, shares: shares(config)?, errors, intake })
    }

    fn fold(&self, slot: &PastSlot, state: &mut State) {
        let errors = &mut state.errors;
        let most = self.errors;
        if !state.hindsight.see(self.due, slot, |point, greatest| {
            errors.push(math::ln(greatest.max(LEAST_LEVEL_PER_S) / point), most);
        }) {
            return;
        }
        let rate = hindsight::known(slot);
        self.fill_bins(slot, rate, state);
        state.last_end = Some(slot.end);
        state.last_known = rate.or(state.last_known);
        state.latest = None;
        if let Some(point) = self.point(state) {
            state.hindsight.keep(self.due, point);
        }
    }

    /// Adds the slot to its bin (a long one to several), and bins that are complete to the recursion.
    fn fill_bins(&self, slot: &PastSlot, rate: Option<f64>, state: &mut State) {
        let (index, per_bin) = (hindsight::slot_index(slot), self.step.whole_steps(SLOT));
        let first = index - slot.length.whole_steps(SLOT).max(1) + 1;
        let next = state.last_slot.map_or(first, |last| last + 1);
        let (bin, open) = (first.div_euclid(per_bin), next.div_euclid(per_bin));
        if bin > open {
            // The bin in progress ends in a gap, and the bins up to this one are missing.
            self.close(open, state);
            state.smoother.fold(bin - 1, None, &self.shares);
        }
        for slot in first.max(next)..=index {
            if let Some(rate) = rate {
                state.open_bin = (state.open_bin.0 + rate, state.open_bin.1 + 1);
            }
            if (slot + 1).rem_euclid(per_bin) == 0 {
                self.close(slot.div_euclid(per_bin), state);
            }
        }
        state.last_slot = Some(index);
    }

    fn close(&self, bin: i64, state: &mut State) {
        let (sum, known) = core::mem::take(&mut state.open_bin);
        state.smoother.fold(bin, (known > 0).then(|| sum / f64::from(known)), &self.shares);
    }

    /// The point forecast: positive; `None` before any rate was known.
    fn point(&self, state: &State) -> Option<f64> {
        let from = state.last_end?;
        let present = state.last_known?;
        let point = self.greatest(from, &state.smoother).unwrap_or(present);
        Some(point.max(LEAST_SHARE * present).max(LEAST_LEVEL_PER_S))
    }

    /// Greatest value of the line through the expected values over the horizon from `from`.
    fn greatest(&self, from: Timestamp, smoother: &Smoother) -> Option<f64> {
        let (half, end) = (self.step / 2, from + self.horizon);
        let mut greatest = self.value_at(from, smoother)?.max(self.value_at(end, smoother)?);
        // Between its corners, the centres of the bins, the line is straight.
        let mut centre = (from - half).floor_to(self.step) + half + self.step;
        while centre < end {
            greatest = greatest.max(self.value_at(centre, smoother)?);
            centre += self.step;
        }
        Some(greatest)
    }

    fn value_at(&self, at: Timestamp, smoother: &Smoother) -> Option<f64> {
        let half = self.step / 2;
        let start = (at - half).floor_to(self.step);
        let bin = start.micros().div_euclid(self.step.micros());
        let share = at.since(start + half).as_secs_f64() / self.step.as_secs_f64();
        let (left, right) = (smoother.expect(bin, &self.shares)?, smoother.expect(bin + 1, &self.shares)?);
        Some(left + share * (right - left))
    }
}

fn shares(config: &Config) -> Result<Shares, ConfigError> {
    let share = |key, value: f64, most: f64, allowed| {
        let range = ConfigError::Range { id: ID, key, got: value.to_string(), allowed };
        (0.0..=most).contains(&value).then_some(value).ok_or(range)
    };
    let level = share("level", config.level, 1.0, "0 to 1")?;
    Ok(Shares {
        level,
        trend: share("trend", config.trend, 1.0, "0 to 1")?,
        // 1 − 0.9 is a little less than 0.1.
        season: share("season", config.season, 1.0 - level + 1e-9, "0 to 1 - `level`")?,
        damping: share("damping", config.damping, 1.0, "0 to 1")?,
    })
}

impl Forecaster for HoltWinters {
    type State = State;

    fn initial_state(&self) -> State {
        State {
            intake: self.intake,
            last_end: None,
            last_known: None,
            last_slot: None,
            open_bin: (0.0, 0),
            smoother: Smoother::new(self.bins),
            hindsight: Hindsight::new(),
            errors: Errors::with_room(self.errors),
            latest: None,
        }
    }

    fn step(&self, now: Timestamp, observation: &Observation, state: &mut State) -> Option<Quantiles> {
        if let Some(slot) = state.intake.slot(now, observation) {
            self.fold(&slot, state);
        }
        if state.latest.is_none() {
            let point = self.point(state)?;
            state.latest = Some(encoding::quantiles(state.last_end?, self.horizon, point, &state.errors.quantiles));
        }
        state.latest
    }

    fn absorb(&self, slot: &PastSlot, state: &mut State) {
        state.intake.note(slot);
        self.fold(slot, state);
    }

    fn horizon(&self) -> Span {
        self.horizon
    }
}

/// The last errors as log-ratios, and their quantiles.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Errors {
    /// In the order of arrival, then over the oldest.
    #[serde(with = "packed::singles")]
    kept: Vec<f32>,
    next: usize,
    quantiles: [f32; LEVEL_COUNT],
}

impl Errors {
    fn with_room(most: usize) -> Self {
        Self { kept: Vec::with_capacity(most), next: 0, quantiles: [0.0; LEVEL_COUNT] }
    }

    #[expect(clippy::cast_possible_truncation, reason = "errors are kept in single precision")]
    fn push(&mut self, error: f64, most: usize) {
        let error = error.clamp(-10.0, 10.0) as f32;
        if self.kept.len() < most || self.next >= self.kept.len() {
            self.kept.push(error);
        } else {
            self.kept[self.next] = error;
        }
        self.next = (self.next + 1) % most.max(1);
        let mut sorted = [0.0; MOST_ERRORS];
        let count = self.kept.len().min(MOST_ERRORS);
        sorted[..count].copy_from_slice(&self.kept[..count]);
        sorted[..count].sort_unstable_by(f32::total_cmp);
        self.quantiles = LEVELS.map(|level| at_rank(&sorted[..count], level));
    }
}

/// The p·(n + 1)-th smallest, linear between ranks, the outermost beyond.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "an index")]
fn at_rank(sorted: &[f32], level: f64) -> f32 {
    let last = sorted.len().saturating_sub(1);
    let position = (level * (sorted.len() + 1) as f64 - 1.0).clamp(0.0, last as f64);
    let below = (position as usize).min(last);
    let above = (below + 1).min(last);
    sorted[below] + (sorted[above] - sorted[below]) * (position - below as f64) as f32
}

#[cfg(test)]
mod tests;
