//! One model with its history: when it starts, runs, and forgets.

use serde::{Deserialize, Serialize};

use super::regression;
use super::smoothing::{Form, MOST_COUNTS, Smoothing};
use crate::scaling::config::ConfigError;
use crate::scaling::packed;
use crate::scaling::policies::in_range;
use crate::time::{Span, Timestamp};

/// A model of the object's spec. Keys are those of the API, where durations end in `Seconds`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct ModelConfig {
    #[serde(rename = "type")]
    kind: ModelKind,
    /// Syncs from run to run, 1 to 10,000; between them it only records.
    #[serde(default = "every")]
    per_sync_period: u32,
    /// It starts at the next whole multiple of this, 1 to 604,800 s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    start_interval_seconds: Option<u32>,
    /// After so long without a record the history is cleared, 1 to 604,800 s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reset_duration_seconds: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    linear: Option<LinearConfig>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    holt_winters: Option<HoltWintersConfig>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum ModelKind {
    Linear,
    HoltWinters,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct LinearConfig {
    /// Records, 1 to 1,500.
    history_size: u32,
    /// Milliseconds, 1 to 86,400,000.
    look_ahead: u32,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct HoltWintersConfig {
    /// Shares of the newest count in level, trend and season, each 0 to 1.
    alpha: f64,
    beta: f64,
    gamma: f64,
    trend: Form,
    seasonal: Form,
    /// Records of a season, at least 2.
    seasonal_periods: u32,
    /// Seasons that are kept when another one is complete, at least 1; `(storedSeasons + 1) × seasonalPeriods` is at most 2,000.
    stored_seasons: u32,
}

const fn every() -> u32 {
    1
}

impl ModelConfig {
    /// The project's example of a linear regression: 6 counts, 10 s ahead.
    pub(super) const fn example() -> Self {
        Self {
            kind: ModelKind::Linear,
            per_sync_period: every(),
            start_interval_seconds: None,
            reset_duration_seconds: None,
            linear: Some(LinearConfig { history_size: 6, look_ahead: 10_000 }),
            holt_winters: None,
        }
    }
}

/// A model.
#[derive(Clone, Copy, Debug)]
pub(super) struct Model {
    method: Method,
    per_sync_period: u32,
    start_interval: Option<Span>,
    reset_duration: Option<Span>,
}

#[derive(Clone, Copy, Debug)]
enum Method {
    Linear { size: usize, ahead_us: i64 },
    HoltWinters { smoothing: Smoothing, stored_seasons: usize },
}

/// What it remembers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ModelState {
    history: History,
    /// Syncs since its last run.
    syncs: u32,
    start: Option<Timestamp>,
    /// Time of the newest record in whole seconds.
    latest_s: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum History {
    Linear(regression::History),
    HoltWinters(Counts),
}

/// Replica counts, oldest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
struct Counts(#[serde(with = "packed::words")] Vec<u16>);

impl Model {
    pub(super) fn new(id: &'static str, config: &ModelConfig) -> Result<Self, ConfigError> {
        let seconds = |key, value: Option<u32>| match value {
            Some(value) => in_range(id, key, f64::from(value), 1.0..=604_800.0, "1 to 604800, or absent")
                .map(|_| Some(Span::from_secs(i64::from(value)))),
            None => Ok(None),
        };
        in_range(id, "perSyncPeriod", f64::from(config.per_sync_period), 1.0..=10_000.0, "1 to 10000")?;
        Ok(Self {
            method: method(id, config)?,
            per_sync_period: config.per_sync_period,
            start_interval: seconds("startIntervalSeconds", config.start_interval_seconds)?,
            reset_duration: seconds("resetDurationSeconds", config.reset_duration_seconds)?,
        })
    }

    pub(super) fn initial_state(&self) -> ModelState {
        let history = match self.method {
            Method::Linear { size, .. } => History::Linear(regression::History::with_room(size)),
            Method::HoltWinters { .. } => History::HoltWinters(Counts(Vec::with_capacity(self.most_counts()))),
        };
        ModelState { history, syncs: 1, start: None, latest_s: None }
    }

    /// Most counts in its history.
    const fn most_counts(&self) -> usize {
        match self.method {
            Method::Linear { size, .. } => size,
            Method::HoltWinters { smoothing, stored_seasons } => (stored_seasons + 1) * smoothing.periods,
        }
    }

    /// Most bytes of its stored state.
    pub(super) const fn most_bytes(&self) -> usize {
        let each = match self.method {
            Method::Linear { .. } => 8,
            Method::HoltWinters { .. } => 4,
        };
        180 + each * self.most_counts()
    }

    /// Records `replicas` and predicts; `None` where the model is not to run in this sync, has not started, or fails (and then
    /// records nothing).
    pub(super) fn step(&self, now: Timestamp, replicas: i32, state: &mut ModelState) -> Option<i32> {
        if !self.is_started(now, state) {
            return None;
        }
        let replicas = u16::try_from(replicas.max(0)).unwrap_or(u16::MAX);
        let runs = state.syncs >= self.per_sync_period;
        let prediction = if runs { Some(self.predict(now, replicas, &mut state.history)?) } else { None };
        state.syncs = if runs { 1 } else { state.syncs.saturating_add(1) };
        self.record(now, replicas, state);
        prediction
    }

    /// Whether the model is past its start; clears a history that has had no record for too long, which may put the start off.
    fn is_started(&self, now: Timestamp, state: &mut ModelState) -> bool {
        if let Some(interval) = self.start_interval {
            match state.start {
                None => {
                    state.start = Some(next_start(now, interval));
                    return false;
                }
                Some(start) if now < start => return false,
                Some(_) => {}
            }
        }
        let age = |latest_s: i64| now.since(Timestamp::from_secs(latest_s));
        if state.latest_s.zip(self.reset_duration).is_some_and(|(latest_s, longest)| age(latest_s) > longest) {
            state.history.clear();
            state.latest_s = None;
            if let Some(interval) = self.start_interval {
                state.start = Some(next_start(now, interval));
                return false;
            }
        }
        true
    }

    fn predict(&self, now: Timestamp, replicas: u16, history: &mut History) -> Option<i32> {
        match (self.method, history) {
            (Method::Linear { ahead_us, .. }, History::Linear(history)) => {
                if !history.reaches(now.micros()) {
                    history.clear();
                }
                history.predict(now.micros(), replicas, ahead_us).map(wrap)
            }
            (Method::HoltWinters { smoothing, .. }, History::HoltWinters(Counts(counts))) => {
                if counts.len() + 1 < smoothing.fewest() {
                    return Some(0);
                }
                ceiling(smoothing.forecast(newest_first(counts, replicas, &mut [0.0; MOST_COUNTS])?)?)
            }
            _ => None,
        }
    }

    fn record(&self, now: Timestamp, replicas: u16, state: &mut ModelState) {
        match (self.method, &mut state.history) {
            (Method::Linear { size, .. }, History::Linear(history)) => history.push(now.micros(), replicas, size),
            (Method::HoltWinters { smoothing, stored_seasons }, History::HoltWinters(Counts(counts))) => {
                counts.push(replicas);
                let seasons = (counts.len() / smoothing.periods).saturating_sub(stored_seasons);
                counts.drain(..seasons * smoothing.periods);
            }
            _ => {}
        }
        state.latest_s = Some(now.micros().div_euclid(1_000_000));
    }
}

impl History {
    fn clear(&mut self) {
        match self {
            Self::Linear(history) => history.clear(),
            Self::HoltWinters(Counts(counts)) => counts.clear(),
        }
    }
}

fn method(id: &'static str, config: &ModelConfig) -> Result<Method, ConfigError> {
    let wrong = |detail: &str| Err(ConfigError::Shape { id, detail: detail.to_owned() });
    let size = |value: u32| usize::try_from(value).unwrap_or(usize::MAX);
    match (config.kind, config.linear, config.holt_winters) {
        (ModelKind::Linear, Some(linear), None) => {
            in_range(id, "historySize", f64::from(linear.history_size), 1.0..=1_500.0, "1 to 1500")?;
            in_range(id, "lookAhead", f64::from(linear.look_ahead), 1.0..=86_400_000.0, "1 to 86400000 ms")?;
            Ok(Method::Linear { size: size(linear.history_size), ahead_us: 1_000 * i64::from(linear.look_ahead) })
        }
        (ModelKind::HoltWinters, None, Some(config)) => {
            for (key, share) in [("alpha", config.alpha), ("beta", config.beta), ("gamma", config.gamma)] {
                in_range(id, key, share, 0.0..=1.0, "0 to 1")?;
            }
            in_range(id, "seasonalPeriods", f64::from(config.seasonal_periods), 2.0..=1_000.0, "2 to 1000")?;
            let counts = (f64::from(config.stored_seasons) + 1.0) * f64::from(config.seasonal_periods);
            let allowed = "at least 1, and (storedSeasons + 1) × seasonalPeriods at most 2000";
            let seasons = f64::from(config.stored_seasons);
            in_range(id, "storedSeasons", if counts > 2_000.0 { f64::NAN } else { seasons }, 1.0..=1_000.0, allowed)
                .map_err(|_| ConfigError::Range { id, key: "storedSeasons", got: seasons.to_string(), allowed })?;
            let smoothing = Smoothing {
                alpha: config.alpha,
                beta: config.beta,
                gamma: config.gamma,
                trend: config.trend,
                seasonal: config.seasonal,
                periods: size(config.seasonal_periods),
            };
            Ok(Method::HoltWinters { smoothing, stored_seasons: size(config.stored_seasons) })
        }
        (ModelKind::Linear, ..) => wrong("a model of type Linear has a `linear`, and nothing of another type"),
        (ModelKind::HoltWinters, ..) => {
            wrong("a model of type HoltWinters has a `holtWinters`, and nothing of another type")
        }
    }
}

/// The series as the original hands it over: its history is kept newest first, and the present count appended to that.
fn newest_first<'a>(counts: &[u16], newest: u16, room: &'a mut [f64; MOST_COUNTS]) -> Option<&'a [f64]> {
    let series = room.get_mut(..=counts.len())?;
    for (place, count) in series.iter_mut().zip(counts.iter().rev().chain([&newest])) {
        *place = f64::from(*count);
    }
    Some(series)
}

/// The next multiple of `interval` since the first of January of the year 1, as the original counts.
fn next_start(now: Timestamp, interval: Span) -> Timestamp {
    const YEAR_1: Span = Span::from_secs(62_135_596_800);
    let floor = (now + YEAR_1).floor_to(interval) - YEAR_1;
    if floor < now { floor + interval } else { floor }
}

/// Rounded up, but not for dust of the arithmetic; `None` beyond 64 bits, as in the original.
#[expect(clippy::cast_possible_truncation, reason = "checked; what is below 64 bits wraps to 32 as in the original")]
fn ceiling(value: f64) -> Option<i32> {
    let nearest = libm::round(value);
    let dust = (value - nearest).abs() <= 1e-9 * nearest.abs().max(1.0);
    let whole = if dust { nearest } else { libm::ceil(value) };
    (whole.abs() < 9.2e18).then(|| wrap(i128::from(whole as i64)))
}

#[expect(clippy::cast_possible_truncation, reason = "wraps as in the original")]
const fn wrap(value: i128) -> i32 {
    value as i32
}

#[cfg(test)]
mod tests;
