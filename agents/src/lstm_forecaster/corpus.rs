//! The training series of the forecaster end to end, where windows may start, and validation as one batch of chunks.

use std::ops::Range;

use tch::Tensor;

use super::{ForecastSeries, LstmConfig};
use crate::error::{AgentError, require};

const RUN_UP: usize = 128;
const CHUNK: usize = 256;

/// All series end to end, with their training ranges and validation chunks.
#[derive(Debug)]
pub(super) struct Corpus {
    inputs: Tensor,
    pub(super) targets: Vec<f32>,
    train: Vec<Range<usize>>,
    /// Priced part and first step of the series, per chunk.
    pub(super) chunks: Vec<(Range<usize>, usize)>,
}

impl Corpus {
    pub(super) fn new(config: &LstmConfig, series: &[ForecastSeries]) -> Result<Self, AgentError> {
        let (mut inputs, mut targets, mut train, mut chunks) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (index, one) in series.iter().enumerate() {
            check_series(config, index, one)?;
            let first = targets.len();
            inputs.extend_from_slice(&one.inputs);
            targets.extend_from_slice(&one.targets);
            train.push(first + one.train.start..first + one.train.end);
            let validation = one.validation.clone().step_by(CHUNK);
            chunks.extend(validation.map(|at| (first + at..first + (at + CHUNK).min(one.validation.end), first)));
        }
        require(!train.is_empty(), "series", 0, "give at least one training series")?;
        let inputs = Tensor::from_slice(&inputs).view([-1, config.input_len as i64]);
        let corpus = Self { inputs, targets, train, chunks };
        require(corpus.starts(config.window) > 0, "window", config.window, "must fit into a training range")?;
        Ok(corpus)
    }

    /// Number of places at which a window fits.
    pub(super) fn starts(&self, window: usize) -> usize {
        self.train.iter().map(|range| (range.len() + 1).saturating_sub(window)).sum()
    }

    /// The `choice`-th of these places and the end of its range.
    pub(super) fn start(&self, window: usize, mut choice: usize) -> (usize, usize) {
        for range in &self.train {
            let starts = (range.len() + 1).saturating_sub(window);
            if choice < starts {
                return (range.start + choice, range.end);
            }
            choice -= starts;
        }
        (self.train[0].start, self.train[0].end)
    }

    pub(super) fn inputs_at(&self, indices: &[i64], shape: [i64; 4]) -> Tensor {
        self.inputs.index_select(0, &Tensor::from_slice(indices)).view(shape)
    }

    /// Validation as one batch: inputs `[1, T, chunks, in]`, targets and weights `[1, T, chunks]`.
    pub(super) fn validation(&self) -> (Tensor, Tensor, Tensor) {
        let (mut indices, mut targets, mut weights) = (Vec::new(), Vec::new(), Vec::new());
        for offset in 0..RUN_UP + CHUNK {
            for (chunk, first) in &self.chunks {
                let at = (chunk.start + offset).saturating_sub(RUN_UP).clamp(*first, chunk.end - 1);
                let priced = offset >= RUN_UP && offset < RUN_UP + chunk.len() && self.targets[at].is_finite();
                indices.push(at as i64);
                targets.push(if priced { self.targets[at] } else { 0.0 });
                weights.push(if priced { 1.0_f32 } else { 0.0 });
            }
        }
        let (steps, chunks) = ((RUN_UP + CHUNK) as i64, self.chunks.len() as i64);
        let inputs = self.inputs_at(&indices, [1, steps, chunks, -1]);
        let plane = |values: &[f32]| Tensor::from_slice(values).view([1, steps, chunks]);
        (inputs, plane(&targets), plane(&weights))
    }
}

fn check_series(config: &LstmConfig, index: usize, one: &ForecastSeries) -> Result<(), AgentError> {
    let data = |problem: String, advice| Err(AgentError::Data { series: index, problem, advice });
    let steps = one.targets.len();
    if one.inputs.len() != steps * config.input_len {
        let problem = format!("{} inputs for {steps} targets of {} inputs each", one.inputs.len(), config.input_len);
        return data(problem, "give input_len inputs per target");
    }
    if one.train.end > steps || one.validation.end > steps {
        return data(format!("a range ends after step {steps}"), "keep train and validation inside the series");
    }
    if let Some(at) = one.inputs.iter().position(|value| !value.is_finite()) {
        return data(format!("input {at} is not finite"), "encode missing slots as the core's encoder does");
    }
    if !one.targets[one.validation.clone()].iter().any(|target| target.is_finite()) {
        return data("no usable target in validation".to_owned(), "lengthen the validation range");
    }
    Ok(())
}
