//! Linear layers and layer norm.

use super::weights::{Weights, WeightsError, shape_error};

/// Most units of a layer (an LSTM's hidden size, a trunk layer's width): scratch space is fixed, so that nothing allocates.
pub const MAX_WIDTH: usize = 128;

/// Outputs that are summed side by side: four vector registers of the x86-64 baseline.
const LANES: usize = 16;

/// y = W·x + b.
///
/// Stored in blocks of 16 outputs, input by input, so that 16 running sums stay in registers and each is summed in the
/// order bias, input 0, input 1, …: vectorised without changing the order of any sum.
#[derive(Clone, Debug, PartialEq)]
pub struct Linear {
    inputs: usize,
    outputs: usize,
    bias: Vec<[f32; LANES]>,
    blocks: Vec<[f32; LANES]>,
}

impl Linear {
    /// Reads `<layer>.weight` `[outputs, inputs]` and `<layer>.bias` `[outputs]`.
    ///
    /// # Errors
    /// If a tensor is missing, has another shape, or the layer is wider than [`MAX_WIDTH`].
    pub fn load(weights: &Weights, layer: &str, inputs: usize) -> Result<Self, WeightsError> {
        let name = format!("{layer}.weight");
        let (matrix, outputs) = weights.matrix(&name, inputs)?;
        if outputs > MAX_WIDTH {
            return Err(shape_error(
                &name,
                weights.tensor(&name)?,
                format!("[n, {inputs}] with n at most {MAX_WIDTH}"),
            ));
        }
        let bias = weights.vector(&format!("{layer}.bias"), outputs)?;
        Ok(Self::new(inputs, bias, matrix))
    }

    /// From a bias and a row-major matrix of `bias.len()` rows.
    pub(crate) fn new(inputs: usize, bias: &[f32], matrix: &[f32]) -> Self {
        let outputs = bias.len();
        let at = |row: usize, column: usize| if row < outputs { matrix[row * inputs + column] } else { 0.0 };
        let mut blocks = Vec::with_capacity(outputs.div_ceil(LANES) * inputs);
        let mut biases = Vec::with_capacity(outputs.div_ceil(LANES));
        for first in (0..outputs).step_by(LANES) {
            biases.push(core::array::from_fn(|lane| bias.get(first + lane).copied().unwrap_or(0.0)));
            blocks.extend((0..inputs).map(|column| core::array::from_fn(|lane| at(first + lane, column))));
        }
        Self { inputs, outputs, bias: biases, blocks }
    }

    /// Number of inputs.
    #[must_use]
    pub const fn inputs(&self) -> usize {
        self.inputs
    }

    /// Number of outputs.
    #[must_use]
    pub const fn outputs(&self) -> usize {
        self.outputs
    }

    /// Writes W·x + b into the first [`Self::outputs`] entries of `out`.
    ///
    /// # Panics
    /// If `x` is shorter than [`Self::inputs`] or `out` than [`Self::outputs`]: a bug of the caller.
    pub fn forward(&self, x: &[f32], out: &mut [f32]) {
        let x = &x[..self.inputs];
        let blocks = self.blocks.chunks_exact(self.inputs.max(1)).zip(&self.bias);
        for ((block, bias), out) in blocks.zip(out[..self.outputs].chunks_mut(LANES)) {
            let mut sums = *bias;
            for (column, x) in block.iter().zip(x) {
                for (sum, weight) in sums.iter_mut().zip(column) {
                    *sum += weight * x;
                }
            }
            out.copy_from_slice(&sums[..out.len()]);
        }
    }
}

/// Layer normalisation over all units, epsilon 1e-5, biased variance: PyTorch's.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerNorm {
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl LayerNorm {
    /// Reads `<layer>.weight` and `<layer>.bias`, both `[width]`.
    ///
    /// # Errors
    /// If a tensor is missing or has another shape.
    pub fn load(weights: &Weights, layer: &str, width: usize) -> Result<Self, WeightsError> {
        let weight = weights.vector(&format!("{layer}.weight"), width)?.to_vec();
        let bias = weights.vector(&format!("{layer}.bias"), width)?.to_vec();
        Ok(Self { weight, bias })
    }

    /// Normalises the first `width` entries of `x` in place.
    pub fn forward(&self, x: &mut [f32]) {
        let x = &mut x[..self.weight.len()];
        #[expect(clippy::cast_precision_loss, reason = "at most MAX_WIDTH")]
        let scale = 1.0 / x.len() as f32;
        let mean = scale * x.iter().sum::<f32>();
        let variance = scale * x.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>();
        let inverse = 1.0 / (variance + 1e-5).sqrt();
        for ((x, weight), bias) in x.iter_mut().zip(&self.weight).zip(&self.bias) {
            *x = (*x - mean) * inverse * weight + bias;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nets::Tensor;
    use crate::rand::{Stream, uniform};

    fn random(entity: u64, count: usize) -> Vec<f32> {
        (0..count as u32).map(|index| (2.0 * uniform(8, Stream::Weights, entity, index) - 1.0) as f32).collect()
    }

    #[test]
    fn blocks_give_the_plain_product_bit_for_bit() {
        for (inputs, outputs) in [(1, 1), (7, 10), (27, 64), (64, 1), (36, 128)] {
            let (matrix, bias, x) = (random(1, inputs * outputs), random(2, outputs), random(3, inputs));
            let layer = Linear::new(inputs, &bias, &matrix);
            let mut out = vec![0.0; outputs];
            layer.forward(&x, &mut out);
            for row in 0..outputs {
                let mut sum = bias[row];
                for column in 0..inputs {
                    sum += matrix[row * inputs + column] * x[column];
                }
                assert_eq!(out[row].to_bits(), sum.to_bits(), "{inputs} -> {outputs}, row {row}");
            }
        }
    }

    /// `torch.nn.functional.layer_norm(torch.tensor([1., 2., 4., 9.]), (4,), weight=[1, 2, 1, .5], bias=[0, 1, 0, -1])`,
    /// by hand: mean 4, variance 9.5.
    #[test]
    fn layer_norm_as_pytorch() {
        let mut weights = Weights::new();
        weights.insert("n.weight", Tensor::new(vec![4], vec![1.0, 2.0, 1.0, 0.5]).unwrap()).unwrap();
        weights.insert("n.bias", Tensor::new(vec![4], vec![0.0, 1.0, 0.0, -1.0]).unwrap()).unwrap();
        let norm = LayerNorm::load(&weights, "n", 4).unwrap();
        let mut x = [1.0, 2.0, 4.0, 9.0];
        norm.forward(&mut x);
        for (got, expected) in x.iter().zip([-0.973_328, -0.297_770, 0.0, -0.188_893]) {
            assert!((got - expected).abs() < 1e-5, "{x:?}");
        }
        assert!(LayerNorm::load(&weights, "n", 5).is_err());
    }

    #[test]
    fn a_layer_wider_than_the_scratch_space_is_refused() {
        let mut weights = Weights::new();
        weights
            .insert("wide.weight", Tensor::new(vec![MAX_WIDTH + 1, 2], vec![0.0; 2 * (MAX_WIDTH + 1)]).unwrap())
            .unwrap();
        let error = Linear::load(&weights, "wide", 2).unwrap_err();
        assert!(error.to_string().contains("at most 128"), "{error}");
    }
}
