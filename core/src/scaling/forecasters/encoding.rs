//! The streaming input encoding shared by `linear-quantile` and `lstm`, in training, studies and production alike.
//!
//! Everything is relative to a *level*, the causal mean of the last two minutes (instance normalisation: learning.md §1c,
//! what makes one fit hold across series and shifts), so the encoding of a load and of a multiple of it are equal up to the
//! two inputs that say how noisy counts of that size are. The target is `ln(greatest true rate over the horizon / level)`.
//!
//! Invariants: only slots that were pushed count, so nothing in the future can change an encoding (tested); every input is
//! finite and within ±[`LIMIT`]; missing slots carry the last known rate and are counted in an input of their own.
//!
//! | inputs | meaning |
//! |---|---|
//! | 0..8 | ln(rate / level) of the last eight slots of 15 s, youngest first |
//! | 8..14 | ln(mean / level) of the minutes 2 to 8 ago, youngest first |
//! | 14..19 | ln(mean / level) of the 5-minute blocks 5 to 30 minutes ago, youngest first |
//! | 19..22 | ln(exponential mean / level) with half-lives of 10, 60 and 360 minutes |
//! | 22, 23 | ln(greatest rate in the horizon window at the same time yesterday / level then); 1 if known, else both are 0 |
//! | 24, 25 | the same for last week |
//! | 26 | mean of abs ln(rate / previous rate) over the last eight slots |
//! | 27 | the same over the last 32 slots |
//! | 28 | 1 / √(requests in a slot at the level): the relative noise of counts |
//! | 29..35 | sin, cos of the time of day, of twice the time of day, of the time of week |
//! | 35 | share of missing slots among the last eight |

use serde::{Deserialize, Serialize};

use crate::math::ln_f32;
use crate::observe::{LoadHistory, SLOT};
use crate::scaling::forecast::{LEVEL_COUNT, MEDIAN, Quantiles};
use crate::scaling::policy::PastSlot;
use crate::time::{Span, Timestamp};

/// Number of inputs.
pub const INPUT_LEN: usize = 36;
/// Greatest absolute value of an input.
pub const LIMIT: f32 = 3.0;
/// Slots of the level: two minutes.
pub const LEVEL_SLOTS: usize = 8;
/// Least level: one request per slot. Below it the counts of a slot say nothing about the rate.
pub const LEAST_LEVEL_PER_S: f64 = 1.0 / 15.0;
/// The level is at least this share of the one-hour mean, so that a pause does not make everything after it infinite.
const LEVEL_SHARE_OF_HOUR: f64 = 0.02;

const DAY: Span = Span::from_secs(86_400);
const WEEK: Span = Span::from_secs(7 * 86_400);

/// The inputs after a slot, and what they are relative to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Encoded {
    /// The inputs; see the module.
    pub inputs: [f32; INPUT_LEN],
    /// The level in requests per second: positive.
    pub level: f64,
}

/// The streaming encoder: its state is the load history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Encoder {
    history: LoadHistory,
    horizon: Span,
}

impl Encoder {
    /// An encoder that has seen nothing, for forecasts over `horizon`.
    #[must_use]
    pub fn new(horizon: Span) -> Self {
        Self { history: LoadHistory::new(), horizon }
    }

    /// What it has seen.
    #[must_use]
    pub const fn history(&self) -> &LoadHistory {
        &self.history
    }

    /// Folds in `slot` and encodes what is known at its end. `None` if the slot is not new, or no rate was known yet.
    pub fn push(&mut self, slot: &PastSlot) -> Option<Encoded> {
        if self.history.push(slot.end, slot.length, slot.arrival_rate) { self.encode() } else { None }
    }

    /// Folds in `slot` without encoding.
    pub fn absorb(&mut self, slot: &PastSlot) {
        self.history.push(slot.end, slot.length, slot.arrival_rate);
    }

    /// What is known at the end of the youngest slot; `None` before any rate was known.
    #[must_use]
    pub fn encode(&self) -> Option<Encoded> {
        let (end, means) = (self.history.last_end()?, self.history.exponential_means()?);
        let level = self.level()?;
        let mut inputs = [0.0; INPUT_LEN];
        self.write_lags(level, &mut inputs);
        for (input, mean) in inputs[19..22].iter_mut().zip(&means[1..]) {
            *input = log_ratio(*mean, level);
        }
        inputs[22..24].copy_from_slice(&self.season(end - DAY));
        inputs[24..26].copy_from_slice(&self.season(end - WEEK));
        inputs[28] = single(1.0 / (level * SLOT.as_secs_f64()).sqrt());
        inputs[29..35].copy_from_slice(&clock(end));
        for input in &mut inputs {
            *input = input.clamp(-LIMIT, LIMIT);
        }
        Some(Encoded { inputs, level })
    }

    /// The present level in requests per second: positive; `None` before any rate was known.
    #[must_use]
    pub fn level(&self) -> Option<f64> {
        let hour = self.history.exponential_means()?[2];
        let recent = self.history.mean(0, LEVEL_SLOTS).or_else(|| self.history.last_known().map(|(_, rate)| rate))?;
        Some(recent.max(LEVEL_SHARE_OF_HOUR * hour).max(LEAST_LEVEL_PER_S))
    }

    fn write_lags(&self, level: f64, inputs: &mut [f32; INPUT_LEN]) {
        const MINUTE: usize = 4;
        let mut slots = [0.0_f32; 33];
        let missing = self.carried(level, &mut slots);
        inputs[..8].copy_from_slice(&slots[..8]);
        for minute in 0..6 {
            inputs[8 + minute] = self.mean_ratio((minute + 2) * MINUTE, MINUTE, level);
        }
        for block in 0..5 {
            inputs[14 + block] = self.mean_ratio((block + 1) * 5 * MINUTE, 5 * MINUTE, level);
        }
        inputs[26] = mean_step(&slots[..9]);
        inputs[27] = mean_step(&slots);
        inputs[35] = missing;
    }

    /// ln(rate / level) of the last slots, youngest first; a missing one takes the next older known one (else the level).
    /// Answers with the share of missing ones among the last eight.
    fn carried(&self, level: f64, slots: &mut [f32; 33]) -> f32 {
        let mut carried = self.history.last_known().map_or(0.0, |(_, rate)| log_ratio(rate, level));
        if self.history.recent(32).is_none() {
            carried = (33..40).find_map(|age| self.history.recent(age)).map_or(carried, |rate| log_ratio(rate, level));
        }
        let mut missing = 0.0;
        for age in (0..slots.len()).rev() {
            match self.history.recent(age) {
                Some(rate) => carried = log_ratio(rate, level),
                None if age < 8 => missing += 0.125,
                None => {}
            }
            slots[age] = carried;
        }
        missing
    }

    fn mean_ratio(&self, age: usize, count: usize, level: f64) -> f32 {
        self.history.mean(age, count).map_or(0.0, |mean| log_ratio(mean, level))
    }

    /// What followed at `then`, relative to the level at `then`, and whether it is known.
    fn season(&self, then: Timestamp) -> [f32; 2] {
        let level = self.history.coarse_at(then - Span::from_secs(60));
        match (level, self.history.coarse_max(then, self.horizon)) {
            (Some(level), Some(greatest)) => {
                [log_ratio(greatest.max(LEAST_LEVEL_PER_S), level.max(LEAST_LEVEL_PER_S)), 1.0]
            }
            _ => [0.0, 0.0],
        }
    }
}

/// Quantiles from log-ratios to `level`: finite, not negative, ascending whatever comes in.
#[must_use]
pub fn quantiles(from: Timestamp, horizon: Span, level: f64, log_ratios: &[f32; LEVEL_COUNT]) -> Quantiles {
    /// A rate more than e^10 times the level, or less than e^-10, is beyond what a forecast can mean.
    const WIDEST: f64 = 10.0;
    let mut values = log_ratios.map(|ratio| {
        let ratio = if ratio.is_nan() { 0.0 } else { f64::from(ratio) };
        level * libm::exp(ratio.clamp(-WIDEST, WIDEST))
    });
    for above in 1..LEVEL_COUNT {
        values[above] = values[above].max(values[above - 1]);
    }
    Quantiles { from, horizon, values }
}

/// The monotone quantile head of the nets: raw output 3 is the median; each other level adds a softplus to its neighbour
/// nearer the median, upwards or downwards.
#[must_use]
pub fn monotone(raw: &[f32; LEVEL_COUNT]) -> [f32; LEVEL_COUNT] {
    let mut log_ratios = *raw;
    for below in (0..MEDIAN).rev() {
        log_ratios[below] = log_ratios[below + 1] - softplus(raw[below]);
    }
    for above in MEDIAN + 1..LEVEL_COUNT {
        log_ratios[above] = log_ratios[above - 1] + softplus(raw[above]);
    }
    log_ratios
}

/// ln(1 + e^x) without overflow.
fn softplus(x: f32) -> f32 {
    x.max(0.0) + libm::log1pf(libm::expf(-x.abs()))
}

fn log_ratio(rate: f64, level: f64) -> f32 {
    ln_f32(single(rate / level)).clamp(-LIMIT, LIMIT)
}

#[expect(clippy::cast_possible_truncation, reason = "inputs of nets are single precision")]
const fn single(x: f64) -> f32 {
    x as f32
}

/// Mean absolute difference of neighbours.
fn mean_step(slots: &[f32]) -> f32 {
    let sum: f32 = slots.windows(2).map(|pair| (pair[0] - pair[1]).abs()).sum();
    #[expect(clippy::cast_precision_loss, reason = "at most 32")]
    let steps = (slots.len() - 1) as f32;
    sum / steps
}

fn clock(at: Timestamp) -> [f32; 6] {
    let turn = |period: Span| {
        let phase = at.since(at.floor_to(period)).as_secs_f64() / period.as_secs_f64();
        libm::sincosf(single(core::f64::consts::TAU * phase))
    };
    let (day, half_day, week) = (turn(DAY), turn(DAY / 2), turn(WEEK));
    [day.0, day.1, half_day.0, half_day.1, week.0, week.1]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rand::{Stream, uniform};

    const HORIZON: Span = Span::from_secs(105);

    fn slot(index: i64, arrival_rate: Option<f64>) -> PastSlot {
        PastSlot { end: Timestamp::from_secs(15 * index), length: SLOT, arrival_rate }
    }

    fn load(index: i64) -> f64 {
        let phase = index as f64 / 5_760.0 * core::f64::consts::TAU;
        let noise = uniform(9, Stream::TraceNoise, index as u64, 0);
        400.0 * (1.5 + libm::sin(phase)) * (0.9 + 0.2 * noise)
    }

    fn encodings(rate: impl Fn(i64) -> Option<f64>, until: i64) -> Vec<Option<Encoded>> {
        let mut encoder = Encoder::new(HORIZON);
        (1..=until).map(|index| encoder.push(&slot(index, rate(index)))).collect()
    }

    #[test]
    fn the_future_changes_nothing() {
        let now = 6_500_usize;
        let known = encodings(|index| Some(load(index)), 7_000);
        let altered = encodings(|index| Some(load(if index > now as i64 { 13_500 - index } else { index })), 7_000);
        assert_eq!(known[..now], altered[..now]);
        assert_ne!(known[now..], altered[now..]);
    }

    #[test]
    fn a_multiple_of_the_load_is_encoded_alike() {
        let one = encodings(|index| Some(load(index)), 6_400);
        let ten = encodings(|index| Some(10.0 * load(index)), 6_400);
        for (one, ten) in one.iter().flatten().zip(ten.iter().flatten()) {
            assert!((ten.level / one.level - 10.0).abs() < 1e-5);
            for index in (0..INPUT_LEN).filter(|index| *index != 28) {
                // Codes of the 10-minute means are 3.5e-4 apart.
                assert!((one.inputs[index] - ten.inputs[index]).abs() < 1e-3, "input {index}");
            }
        }
    }

    #[test]
    fn inputs_mean_what_the_table_says() {
        let mut encoder = Encoder::new(HORIZON);
        let mut last = None;
        for index in 1..=(9 * 5_760) {
            last = encoder.push(&slot(index, Some(load(index))));
        }
        let Encoded { inputs, level } = last.unwrap();
        let now = 9 * 5_760_i64;
        let mean = |from: i64, count: i64| (from..from + count).map(|age| load(now - age)).sum::<f64>() / count as f64;
        assert!((level - mean(0, 8)).abs() < 1e-3);
        let expect = |index: usize, rate: f64| {
            let expected = libm::log(rate / level);
            assert!((f64::from(inputs[index]) - expected).abs() < 1e-3, "input {index}: {} {expected}", inputs[index]);
        };
        expect(0, load(now));
        expect(7, load(now - 7));
        expect(8, mean(8, 4));
        expect(13, mean(28, 4));
        expect(14, mean(20, 20));
        expect(18, mean(100, 20));
        let profile = |index: f64| 1.5 + libm::sin(index / 5_760.0 * core::f64::consts::TAU);
        let rise = libm::log(profile(7.0) / profile(-4.0));
        assert!((f64::from(inputs[22]) - rise).abs() < 0.01, "yesterday: {} {rise}", inputs[22]);
        assert!((f64::from(inputs[24]) - rise).abs() < 0.01, "last week: {} {rise}", inputs[24]);
        assert_eq!((inputs[23], inputs[25], inputs[35]), (1.0, 1.0, 0.0));
        assert!((inputs[29].abs() < 1e-6) && (inputs[30] - 1.0).abs() < 1e-6, "midnight");
    }

    #[test]
    fn total_on_gaps_zeros_and_extremes() {
        let rates: [fn(i64) -> Option<f64>; 4] = [
            |index| (index % 5 == 0).then_some(3.0),
            |_| Some(0.0),
            |index| Some(if index % 100 == 0 { 1e12 } else { 1e-9 }),
            |index| Some(if index < 3_000 { 500.0 } else { 0.0 }),
        ];
        for rate in rates {
            for encoded in encodings(rate, 6_200).iter().flatten() {
                assert!(encoded.level.is_finite() && encoded.level >= LEAST_LEVEL_PER_S);
                assert!(encoded.inputs.iter().all(|input| input.is_finite() && input.abs() <= LIMIT));
            }
        }
        assert!(encodings(|_| None, 50).iter().all(Option::is_none));
    }

    #[test]
    fn missing_slots_carry_the_last_rate_and_are_counted() {
        let all = encodings(|index| (index != 100).then_some(index as f64), 100);
        let encoded = all[99].unwrap();
        assert!((f64::from(encoded.inputs[0]) - libm::log(99.0 / encoded.level)).abs() < 1e-5);
        assert_eq!(encoded.inputs[0], encoded.inputs[1]);
        assert_eq!(encoded.inputs[35], 0.125);
    }

    #[test]
    fn quantiles_are_ordered_whatever_comes_in() {
        let raw = [f32::NAN, 9.0, -1.0, f32::INFINITY, 0.0, f32::NEG_INFINITY, 1.0, 80.0];
        let q = quantiles(Timestamp::ZERO, HORIZON, 2.0, &raw);
        assert!(q.values.iter().all(|value| value.is_finite() && *value >= 0.0));
        assert!(q.values.is_sorted());
        let ordered = monotone(&[-3.0, 0.0, 5.0, 0.5, -80.0, 0.0, 90.0, 1.0]);
        assert!(ordered.is_sorted(), "{ordered:?}");
        assert_eq!(ordered[MEDIAN], 0.5);
        assert!((ordered[6] - ordered[5] - 90.0).abs() < 1e-4, "softplus is linear far out");
        assert!((ordered[2] - ordered[1] - core::f32::consts::LN_2).abs() < 1e-6, "softplus(0) = ln 2");
    }
}
