//! Parameters of P nets of one shape as one matrix `[P, N]`: a row is a member, its columns the tensors of the layout in order.
//!
//! One matrix makes optimiser, clipping, averaging, checkpoint and export a handful of operations whatever the population,
//! and `split` hands out `[P, …]` views for batched matrix products. Initial weights come from [`seatrial_core::rand`], so
//! that a member's start depends on its own seed alone: not on libtorch's generator, not on the population around it.

use seatrial_core::rand::{Stream, uniform};
use tch::Tensor;

/// One tensor of a net.
#[derive(Clone, Debug)]
pub(crate) struct TensorSpec {
    /// Name in the exported file.
    pub(crate) name: &'static str,
    /// PyTorch shape.
    pub(crate) shape: Vec<usize>,
    /// Initial values are uniform in ±`bound` …
    pub(crate) bound: f64,
    /// … around `centre(element, shape)`.
    pub(crate) centre: fn(usize, &[usize]) -> f64,
}

impl TensorSpec {
    pub(crate) fn new(name: &'static str, shape: &[usize], bound: f64) -> Self {
        Self { name, shape: shape.to_vec(), bound, centre: |_, _| 0.0 }
    }

    pub(crate) fn around(mut self, centre: fn(usize, &[usize]) -> f64) -> Self {
        self.centre = centre;
        self
    }

    pub(crate) fn len(&self) -> usize {
        self.shape.iter().product()
    }
}

/// The tensors of a net, in the order of their columns.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) tensors: Vec<TensorSpec>,
}

impl Layout {
    /// Number of parameters of one member.
    pub(crate) fn len(&self) -> usize {
        self.tensors.iter().map(TensorSpec::len).sum()
    }

    /// Initial parameters, one row per seed.
    pub(crate) fn initial(&self, seeds: &[u64]) -> Tensor {
        let mut values = Vec::with_capacity(seeds.len() * self.len());
        for &seed in seeds {
            for (entity, spec) in (0_u64..).zip(&self.tensors) {
                values.extend((0_u32..).zip(0..spec.len()).map(|(index, element)| {
                    let unit = uniform(seed, Stream::Weights, entity, index);
                    ((spec.centre)(element, &spec.shape) + spec.bound * (2.0 * unit - 1.0)) as f32
                }));
            }
        }
        Tensor::from_slice(&values).view([seeds.len() as i64, self.len() as i64])
    }

    /// `[P, shape…]` views of `flat`; gradients flow back by one concatenation.
    pub(crate) fn split(&self, flat: &Tensor) -> Vec<Tensor> {
        let members = flat.size()[0];
        let sizes: Vec<i64> = self.tensors.iter().map(|spec| spec.len() as i64).collect();
        let columns = flat.split_with_sizes(&sizes, 1);
        let shaped = columns.iter().zip(&self.tensors).map(|(column, spec)| {
            let shape: Vec<i64> = std::iter::once(members).chain(spec.shape.iter().map(|&n| n as i64)).collect();
            column.view(&shape[..])
        });
        shaped.collect()
    }
}

/// `±1/√fan_in`, PyTorch's default for linear layers and (with the hidden size) for LSTMs.
pub(crate) fn fan_in_bound(fan_in: usize) -> f64 {
    1.0 / (fan_in.max(1) as f64).sqrt()
}

/// A batched linear layer: `inputs [P, rows, in]`, `weight [P, out, in]`, `bias [P, out]` → `[P, rows, out]`.
pub(crate) fn linear(inputs: &Tensor, weight: &Tensor, bias: &Tensor) -> Tensor {
    bias.unsqueeze(1).baddbmm(inputs, &weight.transpose(1, 2), 1.0, 1.0)
}

/// The numbers of a tensor, row-major.
pub(crate) fn values_f32(tensor: &Tensor) -> Vec<f32> {
    let mut values = vec![0.0_f32; tensor.numel()];
    let count = values.len();
    tensor.contiguous().copy_data(&mut values, count);
    values
}

/// The numbers of a tensor as doubles, row-major.
pub(crate) fn values_f64(tensor: &Tensor) -> Vec<f64> {
    values_f32(tensor).into_iter().map(f64::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout() -> Layout {
        Layout {
            tensors: vec![
                TensorSpec::new("a", &[2, 3], 0.5),
                TensorSpec::new("b", &[4], 0.0).around(|i, _| if i == 1 { 7.0 } else { 0.0 }),
            ],
        }
    }

    #[test]
    fn a_member_starts_alike_whatever_population_it_is_in() {
        let layout = layout();
        let together = values_f32(&layout.initial(&[3, 4]));
        let alone = values_f32(&layout.initial(&[4]));
        assert_eq!(together[layout.len()..], alone[..]);
        assert_ne!(together[..6], together[10..16]);
        assert!(alone[..6].iter().all(|w| w.abs() <= 0.5));
        assert_eq!(alone[6..], [0.0, 7.0, 0.0, 0.0]);
    }

    #[test]
    fn splitting_keeps_order_and_shape() {
        let layout = layout();
        let flat = Tensor::arange(20, (tch::Kind::Float, tch::Device::Cpu)).view([2, 10]);
        let parts = layout.split(&flat);
        assert_eq!(parts[0].size(), [2, 2, 3]);
        assert_eq!(values_f32(&parts[1]), [6.0, 7.0, 8.0, 9.0, 16.0, 17.0, 18.0, 19.0]);
    }
}
