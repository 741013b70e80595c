//! A one-layer LSTM that streams: its state is carried from slot to slot, so a step costs one matrix-vector product however
//! long the past is. A window is a loop of steps from the empty state.

use serde::{Deserialize, Serialize};

use super::layers::{Linear, MAX_WIDTH};
use super::weights::{Weights, WeightsError, shape_error};
use crate::math::{sigmoid_f32, tanh_f32};

/// The cell, as `torch.nn.LSTM` with one layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Lstm {
    hidden: usize,
    from_input: Linear,
    from_hidden: Linear,
}

/// Hidden and cell state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LstmState {
    hidden: Vec<f32>,
    cell: Vec<f32>,
}

impl LstmState {
    /// The hidden state: the output of the last step.
    #[must_use]
    pub fn hidden(&self) -> &[f32] {
        &self.hidden
    }
}

impl Lstm {
    /// Reads `<layer>.{weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0}`; the hidden size follows from their shapes.
    ///
    /// # Errors
    /// If a tensor is missing, has another shape, or the hidden size exceeds [`MAX_WIDTH`].
    pub fn load(weights: &Weights, layer: &str, inputs: usize) -> Result<Self, WeightsError> {
        let name = format!("{layer}.weight_ih_l0");
        let (from_input, gates) = weights.matrix(&name, inputs)?;
        let hidden = gates / 4;
        if gates % 4 != 0 || hidden > MAX_WIDTH {
            return Err(shape_error(
                &name,
                weights.tensor(&name)?,
                format!("[4H, {inputs}] with H at most {MAX_WIDTH}"),
            ));
        }
        let name = format!("{layer}.weight_hh_l0");
        let (from_hidden, rows) = weights.matrix(&name, hidden)?;
        if rows != gates {
            return Err(shape_error(&name, weights.tensor(&name)?, format!("[{gates}, {hidden}]")));
        }
        let input_bias = weights.vector(&format!("{layer}.bias_ih_l0"), gates)?;
        let hidden_bias = weights.vector(&format!("{layer}.bias_hh_l0"), gates)?;
        Ok(Self {
            hidden,
            from_input: Linear::new(inputs, input_bias, from_input),
            from_hidden: Linear::new(hidden, hidden_bias, from_hidden),
        })
    }

    /// Hidden size.
    #[must_use]
    pub const fn hidden(&self) -> usize {
        self.hidden
    }

    /// The state before anything was seen: zeros.
    #[must_use]
    pub fn initial_state(&self) -> LstmState {
        LstmState { hidden: vec![0.0; self.hidden], cell: vec![0.0; self.hidden] }
    }

    /// Whether `state` fits this cell and is finite, as a restored one may not be.
    #[must_use]
    pub fn accepts(&self, state: &LstmState) -> bool {
        let finite = |values: &[f32]| values.len() == self.hidden && values.iter().all(|value| value.is_finite());
        finite(&state.hidden) && finite(&state.cell)
    }

    /// One step. Allocates nothing; a state of another size is replaced by the initial one.
    pub fn step(&self, x: &[f32], state: &mut LstmState) {
        if state.hidden.len() != self.hidden || state.cell.len() != self.hidden {
            *state = self.initial_state();
        }
        let (mut gates, mut recurrent) = ([0.0; 4 * MAX_WIDTH], [0.0; 4 * MAX_WIDTH]);
        self.from_input.forward(x, &mut gates);
        self.from_hidden.forward(&state.hidden, &mut recurrent);
        let width = self.hidden;
        for unit in 0..width {
            let gate = |number: usize| gates[number * width + unit] + recurrent[number * width + unit];
            let (input, forget) = (sigmoid_f32(gate(0)), sigmoid_f32(gate(1)));
            let (candidate, output) = (tanh_f32(gate(2)), sigmoid_f32(gate(3)));
            let cell = forget * state.cell[unit] + input * candidate;
            state.cell[unit] = cell;
            state.hidden[unit] = output * tanh_f32(cell);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nets::Tensor;
    use crate::rand::{Stream, uniform};

    /// The equations of `torch.nn.LSTM`'s documentation in double precision with plain indices.
    fn naive(weights: &Weights, xs: &[Vec<f32>], hidden: usize) -> Vec<f64> {
        let value = |name: &str, index: usize| f64::from(weights.tensor(&format!("l.{name}")).unwrap().values()[index]);
        let (mut h, mut c) = (vec![0.0_f64; hidden], vec![0.0_f64; hidden]);
        for x in xs {
            let gate = |row: usize| {
                let mut sum = value("bias_ih_l0", row) + value("bias_hh_l0", row);
                sum += (0..x.len()).map(|k| value("weight_ih_l0", row * x.len() + k) * f64::from(x[k])).sum::<f64>();
                sum + (0..hidden).map(|k| value("weight_hh_l0", row * hidden + k) * h[k]).sum::<f64>()
            };
            let logistic = |z: f64| 1.0 / (1.0 + libm::exp(-z));
            let next: Vec<(f64, f64)> = (0..hidden)
                .map(|j| {
                    let (i, f) = (logistic(gate(j)), logistic(gate(hidden + j)));
                    let (g, o) = (libm::tanh(gate(2 * hidden + j)), logistic(gate(3 * hidden + j)));
                    let cell = f * c[j] + i * g;
                    (o * libm::tanh(cell), cell)
                })
                .collect();
            (h, c) = next.into_iter().unzip();
        }
        h
    }

    fn drawn(inputs: usize, hidden: usize) -> Weights {
        let mut weights = Weights::new();
        let shapes = [
            ("weight_ih_l0", vec![4 * hidden, inputs]),
            ("weight_hh_l0", vec![4 * hidden, hidden]),
            ("bias_ih_l0", vec![4 * hidden]),
            ("bias_hh_l0", vec![4 * hidden]),
        ];
        for (entity, (name, shape)) in (0..).zip(shapes) {
            let count: usize = shape.iter().product();
            let value = |index| (2.0 * uniform(4, Stream::Weights, entity, index) - 1.0) as f32;
            let tensor = Tensor::new(shape, (0..count as u32).map(value).collect()).unwrap();
            weights.insert(&format!("l.{name}"), tensor).unwrap();
        }
        weights
    }

    #[test]
    fn streams_as_the_equations_say() {
        for (inputs, hidden) in [(3, 5), (36, 32), (36, 64)] {
            let weights = drawn(inputs, hidden);
            let lstm = Lstm::load(&weights, "l", inputs).unwrap();
            let value = |step: u64, k: u32| (4.0 * uniform(6, Stream::TraceNoise, step, k) - 2.0) as f32;
            let xs: Vec<Vec<f32>> = (0..30).map(|step| (0..inputs as u32).map(|k| value(step, k)).collect()).collect();
            let mut state = lstm.initial_state();
            for x in &xs {
                lstm.step(x, &mut state);
            }
            for (got, expected) in state.hidden().iter().zip(naive(&weights, &xs, hidden)) {
                assert!((f64::from(*got) - expected).abs() < 1e-5, "{inputs} -> {hidden}: {got} {expected}");
            }
        }
    }

    #[test]
    fn wrong_shapes_and_states_are_refused() {
        let weights = drawn(3, 5);
        assert!(Lstm::load(&weights, "l", 4).is_err());
        assert!(Lstm::load(&weights, "m", 3).unwrap_err().to_string().contains("m.weight_ih_l0"));
        let mut odd = weights.clone();
        odd.insert("l.weight_hh_l0", Tensor::new(vec![4, 5], vec![0.0; 20]).unwrap()).unwrap();
        assert!(Lstm::load(&odd, "l", 3).unwrap_err().to_string().contains("[20, 5]"));
        let lstm = Lstm::load(&weights, "l", 3).unwrap();
        let other = Lstm::load(&drawn(3, 6), "l", 3).unwrap().initial_state();
        assert!(!lstm.accepts(&other) && lstm.accepts(&lstm.initial_state()));
    }
}
