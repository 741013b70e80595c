//! What forecasters are fitted on: encodings of a realised series with the greatest true rate that followed.
//!
//! Encodings come from the core's own streaming encoder. A target is absent where it would look beyond the part that its
//! encoding belongs to, or touches a bin that the source lacks: nothing leaks from validation into training.

use seatrial_core::math;
use seatrial_core::scaling::forecast::LEVELS;
use seatrial_core::scaling::forecasters::encoding::{Encoder, INPUT_LEN, LEAST_LEVEL_PER_S};
use seatrial_core::scaling::forecasters::{FitOptions, LinearQuantile, fit_linear_quantile};
use seatrial_core::scaling::policy::PastSlot;
use seatrial_core::time::Span;
use seatrial_envs::load::slot_rates;

use std::ops::Range;

use crate::arena::{Arena, Part};
use crate::error::{ExperimentError, Result};

/// Encodings of training and validation in order of time.
#[derive(Clone, Debug)]
pub struct Corpus {
    /// One row per slot.
    pub inputs: Vec<[f32; INPUT_LEN]>,
    /// Level of each row in requests per second.
    pub levels: Vec<f64>,
    /// ln(greatest true rate over the horizon / level); NaN where it may not be used.
    pub targets: Vec<f32>,
    /// Rows of the training part.
    pub train: Range<usize>,
    /// Rows of the validation part.
    pub validation: Range<usize>,
}

impl Corpus {
    /// Encodes training and validation of `arena`, realised with `seed`, for forecasts over `horizon`.
    ///
    /// # Errors
    /// If bins are not whole numbers of slots.
    pub fn new(arena: &Arena, slot: Span, horizon: Span, seed: u64) -> Result<Self> {
        let whole: Part = arena.training_part().start..arena.validation_part().end;
        let rates = slot_rates(&arena.episode(&whole)?, seed, slot)
            .map_err(|error| ExperimentError::Environment { place: arena.label(), detail: error.to_string() })?;
        let per_bin = usize::try_from(arena.load.interval.whole_steps(slot)).unwrap_or(1).max(1);
        let boundary = arena.training_part().len() * per_bin;
        let mut corpus = Self {
            inputs: Vec::with_capacity(rates.len()),
            levels: Vec::with_capacity(rates.len()),
            targets: Vec::with_capacity(rates.len()),
            train: 0..boundary,
            validation: boundary..rates.len(),
        };
        let truth =
            Truth { arena, whole: &whole, per_bin, steps: usize::try_from(horizon.whole_steps(slot)).unwrap_or(1) };
        let mut encoder = Encoder::new(horizon);
        let mut end = arena.bounds(&whole).0;
        for (index, rate) in rates.iter().enumerate() {
            end += slot;
            let encoded = encoder.push(&PastSlot { end, length: slot, arrival_rate: Some(*rate) });
            let limit = if index < boundary { boundary } else { rates.len() };
            let greatest = truth.greatest_after(index, limit);
            corpus.push(encoded.map(|encoded| (encoded.inputs, encoded.level)), greatest);
        }
        Ok(corpus)
    }

    #[expect(clippy::cast_possible_truncation, reason = "targets of nets are single precision")]
    fn push(&mut self, encoded: Option<([f32; INPUT_LEN], f64)>, greatest: Option<f64>) {
        let known = encoded.is_some();
        let (inputs, level) = encoded.unwrap_or(([0.0; INPUT_LEN], LEAST_LEVEL_PER_S));
        let target = greatest.filter(|_| known).map_or(f64::NAN, |rate| math::ln(rate.max(LEAST_LEVEL_PER_S) / level));
        self.inputs.push(inputs);
        self.levels.push(level);
        self.targets.push(target as f32);
    }

    /// Fits the linear quantile forecaster on the training rows.
    ///
    /// # Errors
    /// If too few rows are usable.
    pub fn fit_linear(&self, options: &FitOptions) -> Result<LinearQuantile> {
        fit_linear_quantile(&self.inputs[self.train.clone()], &self.targets[self.train.clone()], options)
            .map_err(|error| ExperimentError::Training(format!("linear-quantile: {error}")))
    }

    /// Mean pinball loss of `model` on the validation rows, in log-ratio units.
    #[must_use]
    pub fn validation_loss(&self, model: &LinearQuantile) -> f64 {
        let (mut sum, mut count) = (0.0, 0_u32);
        for row in self.validation.clone().filter(|row| self.targets[*row].is_finite()) {
            let mut quantiles = model.log_ratios(&self.inputs[row]);
            quantiles.sort_unstable_by(f32::total_cmp);
            for (quantile, level) in quantiles.iter().zip(LEVELS) {
                let error = f64::from(self.targets[row]) - f64::from(*quantile);
                sum += error * if error < 0.0 { level - 1.0 } else { level };
                count += 1;
            }
        }
        if count == 0 { f64::NAN } else { sum / f64::from(count) }
    }
}

struct Truth<'a> {
    arena: &'a Arena,
    whole: &'a Part,
    per_bin: usize,
    steps: usize,
}

impl Truth<'_> {
    /// Greatest true rate of the slots `index + 1 ..= index + steps`; `None` past `limit` or over a missing bin.
    fn greatest_after(&self, index: usize, limit: usize) -> Option<f64> {
        let (first, last) = (index + 1, index + self.steps);
        if last >= limit {
            return None;
        }
        let bins = self.whole.start + first / self.per_bin..=self.whole.start + last / self.per_bin;
        let own = self.whole.start + index / self.per_bin;
        if self.arena.load.missing[own] || bins.clone().any(|bin| self.arena.load.missing[bin]) {
            return None;
        }
        bins.map(|bin| self.arena.load.rate_per_s[bin]).reduce(f64::max)
    }
}
