//! The recursion: level, damped trend and season, each smoothed by its own share of the newest value.
//!
//! With the expectation `e = level + φ·trend` of the season-free value, a value `y` in a bin of season `s` gives
//!
//! ```text
//! level' = α·(y − s) + (1 − α)·e
//! trend' = β·(level' − level) + (1 − β)·φ·trend
//! s'     = γ·(y − e) + (1 − γ)·s
//! ```
//!
//! and the forecast `h` bins ahead is `level + (φ + … + φ^h)·trend + s`. The numbers are those of statsmodels'
//! `ExponentialSmoothing` (tested). The first season only collects: its mean is the first level, its deviations the first seasons,
//! the first trend is zero. A missing bin moves the level by the trend and changes nothing else.

use serde::{Deserialize, Serialize};

use crate::scaling::packed;

/// Shares of the newest value, each 0 to 1, and the damping of the trend (1 is none).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Shares {
    pub(super) level: f64,
    pub(super) trend: f64,
    pub(super) season: f64,
    pub(super) damping: f64,
}

/// Whatever the settings do to the recursion, numbers stay within single precision.
const LIMIT: f64 = 1e15;

/// Level, trend and seasons; bins are numbered since the epoch, so that a bin's place in the season is its number modulo the
/// season's length.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Smoother {
    /// The first bin that had a value, and the last one that was folded in.
    span: Option<(i64, i64)>,
    level: f64,
    trend: f64,
    /// While the first season is collected: its values, negative where missing. Later: the deviations.
    #[serde(with = "packed::singles")]
    season: Vec<f32>,
}

impl Smoother {
    pub(super) fn new(length: usize) -> Self {
        Self { span: None, level: 0.0, trend: 0.0, season: vec![-1.0; length] }
    }

    /// Folds in bin number `bin`, which follows the last one; `None` is missing. A gap longer than a season starts afresh.
    pub(super) fn fold(&mut self, bin: i64, value: Option<f64>, shares: &Shares) {
        let Some((first, last)) = self.span else {
            if let Some(value) = value {
                self.begin(bin, value);
            }
            return;
        };
        if bin <= last {
            return;
        }
        if bin - last > self.length() {
            self.restart();
            return self.fold(bin, value, shares);
        }
        for missing in last + 1..bin {
            self.fold_next(first, missing, None, shares);
        }
        self.fold_next(first, bin, value, shares);
    }

    /// The value expected in bin number `bin`, which is the last one or one that follows; `None` until a season is complete.
    pub(super) fn expect(&self, bin: i64, shares: &Shares) -> Option<f64> {
        let (first, last) = self.span?;
        if last - first + 1 < self.length() {
            return None;
        }
        let (mut damped, mut steps) = (1.0, 0.0);
        for _ in last..bin {
            damped *= shares.damping;
            steps += damped;
        }
        Some(self.level + steps * self.trend + f64::from(self.season[self.place(bin)]))
    }

    fn begin(&mut self, bin: i64, value: f64) {
        self.span = Some((bin, bin));
        self.collect(bin, Some(value));
        if self.length() == 1 {
            self.initialise();
        }
    }

    fn restart(&mut self) {
        self.span = None;
        self.season.fill(-1.0);
    }

    fn fold_next(&mut self, first: i64, bin: i64, value: Option<f64>, shares: &Shares) {
        self.span = Some((first, bin));
        let seen = bin - first + 1;
        if seen <= self.length() {
            self.collect(bin, value);
            if seen == self.length() {
                self.initialise();
            }
        } else {
            self.smooth(bin, value, shares);
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "seasons are kept in single precision")]
    fn collect(&mut self, bin: i64, value: Option<f64>) {
        let place = self.place(bin);
        self.season[place] = value.map_or(-1.0, |value| value as f32);
    }

    /// Turns the values of the first season into level and deviations; a bin without a value deviates by nothing.
    #[expect(clippy::cast_possible_truncation, reason = "seasons are kept in single precision")]
    fn initialise(&mut self) {
        let (mut sum, mut count) = (0.0, 0.0);
        for value in self.season.iter().filter(|value| **value >= 0.0) {
            sum += f64::from(*value);
            count += 1.0;
        }
        // The first bin had a value, so there is one.
        self.level = sum / f64::max(count, 1.0);
        self.trend = 0.0;
        for value in &mut self.season {
            *value = if *value >= 0.0 { (f64::from(*value) - self.level) as f32 } else { 0.0 };
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "seasons are kept in single precision")]
    fn smooth(&mut self, bin: i64, value: Option<f64>, shares: &Shares) {
        let drift = shares.damping * self.trend;
        let expected = self.level + drift;
        let place = self.place(bin);
        let Some(value) = value else {
            (self.level, self.trend) = (expected.clamp(-LIMIT, LIMIT), drift);
            return;
        };
        let season = f64::from(self.season[place]);
        let level = shares.level * (value - season) + (1.0 - shares.level) * expected;
        let trend = shares.trend * (level - self.level) + (1.0 - shares.trend) * drift;
        let deviation = shares.season * (value - expected) + (1.0 - shares.season) * season;
        self.level = level.clamp(-LIMIT, LIMIT);
        self.trend = trend.clamp(-LIMIT, LIMIT);
        self.season[place] = deviation.clamp(-LIMIT, LIMIT) as f32;
    }

    #[expect(clippy::cast_possible_wrap, reason = "at most some thousand bins")]
    fn length(&self) -> i64 {
        self.season.len().max(1) as i64
    }

    #[expect(clippy::cast_possible_truncation, reason = "a remainder below the length")]
    fn place(&self, bin: i64) -> usize {
        bin.rem_euclid(self.length()) as usize
    }
}
