//! Named single-precision tensors: read from safetensors, checked, or drawn for an untrained net.

use std::borrow::Cow;
use std::collections::BTreeMap;

use safetensors::tensor::{Dtype, SafeTensors, View};
use thiserror::Error;

use crate::rand::{self, Stream};
use crate::scaling::forecast::LEVEL_COUNT;
use crate::scaling::forecasters::encoding::INPUT_LEN;
use crate::scaling::headroom_space::{ACTION_COUNT, OBSERVATION_LEN};

/// What is wrong with weights. Nothing was loaded.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WeightsError {
    /// The bytes are not safetensors.
    #[error("not a safetensors file: {detail}; export the weights again")]
    Format {
        /// What the parser says.
        detail: String,
    },
    /// A tensor has another element type.
    #[error("tensor `{name}` is {found}, must be F32; convert it before exporting")]
    ElementType {
        /// The tensor.
        name: String,
        /// Its element type.
        found: String,
    },
    /// A tensor holds an infinity or NaN.
    #[error("tensor `{name}` holds {value} at element {element}; the training diverged, export an earlier checkpoint")]
    NotFinite {
        /// The tensor.
        name: String,
        /// Index of the first such element.
        element: usize,
        /// The value.
        value: String,
    },
    /// A tensor that the net needs is not there.
    #[error("tensor `{name}` is missing; the weights hold: {present}")]
    Missing {
        /// The tensor.
        name: String,
        /// The tensors there are.
        present: String,
    },
    /// A tensor has another shape than the net needs.
    #[error(
        "tensor `{name}` has shape {found:?}, must be {expected}; were the weights trained for another observation?"
    )]
    Shape {
        /// The tensor.
        name: String,
        /// Its shape.
        found: Vec<usize>,
        /// The shape that is needed.
        expected: String,
    },
}

/// One tensor, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    shape: Vec<usize>,
    values: Vec<f32>,
}

impl Tensor {
    /// A tensor; `None` if the number of values is not the product of `shape`.
    #[must_use]
    pub fn new(shape: Vec<usize>, values: Vec<f32>) -> Option<Self> {
        (shape.iter().product::<usize>() == values.len()).then_some(Self { shape, values })
    }

    /// Its shape.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Its values, row-major.
    #[must_use]
    pub fn values(&self) -> &[f32] {
        &self.values
    }
}

/// Named tensors, all finite.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weights {
    tensors: BTreeMap<String, Tensor>,
}

impl Weights {
    /// No tensors.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads and checks safetensors.
    ///
    /// # Errors
    /// If the bytes are malformed, a tensor is not single precision or holds a value that is not finite.
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self, WeightsError> {
        let file =
            SafeTensors::deserialize(bytes).map_err(|error| WeightsError::Format { detail: error.to_string() })?;
        let mut weights = Self::new();
        let mut names = file.names();
        names.sort_unstable();
        for name in names {
            let view = file.tensor(name).map_err(|error| WeightsError::Format { detail: error.to_string() })?;
            if view.dtype() != Dtype::F32 {
                return Err(WeightsError::ElementType { name: name.to_owned(), found: format!("{:?}", view.dtype()) });
            }
            let (words, _) = view.data().as_chunks::<4>();
            let values = words.iter().map(|word| f32::from_le_bytes(*word)).collect();
            weights.insert(name, Tensor { shape: view.shape().to_vec(), values })?;
        }
        Ok(weights)
    }

    /// The tensors as safetensors; equal tensors give equal bytes.
    ///
    /// # Errors
    /// If a header would exceed the format's limit.
    pub fn to_safetensors(&self) -> Result<Vec<u8>, WeightsError> {
        safetensors::serialize(self.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)), None)
            .map_err(|error| WeightsError::Format { detail: error.to_string() })
    }

    /// Adds or replaces a tensor.
    ///
    /// # Errors
    /// [`WeightsError::NotFinite`]; the weights are then as they were.
    pub fn insert(&mut self, name: &str, tensor: Tensor) -> Result<(), WeightsError> {
        if let Some(element) = tensor.values.iter().position(|value| !value.is_finite()) {
            let value = tensor.values[element].to_string();
            return Err(WeightsError::NotFinite { name: name.to_owned(), element, value });
        }
        self.tensors.insert(name.to_owned(), tensor);
        Ok(())
    }

    /// Names and tensors, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// Whether there is a tensor of that name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// Only the tensors whose name begins with `prefix`: `"agent."` or `"forecaster."`.
    #[must_use]
    pub fn subset(&self, prefix: &str) -> Self {
        let kept = self.tensors.iter().filter(|(name, _)| name.starts_with(prefix));
        Self { tensors: kept.map(|(name, tensor)| (name.clone(), tensor.clone())).collect() }
    }

    /// These tensors with those of `over` added; where both have a name, `over` wins.
    #[must_use]
    pub fn overlaid(mut self, over: &Self) -> Self {
        self.tensors.extend(over.tensors.iter().map(|(name, tensor)| (name.clone(), tensor.clone())));
        self
    }

    /// The matrix of that name with `columns` columns, and its number of rows.
    ///
    /// # Errors
    /// If it is missing or has another shape.
    pub fn matrix(&self, name: &str, columns: usize) -> Result<(&[f32], usize), WeightsError> {
        let tensor = self.tensor(name)?;
        match tensor.shape[..] {
            [rows, found] if found == columns && rows > 0 => Ok((&tensor.values, rows)),
            _ => Err(shape_error(name, tensor, format!("[n, {columns}]"))),
        }
    }

    /// The vector of that name with `length` entries.
    ///
    /// # Errors
    /// If it is missing or has another shape.
    pub fn vector(&self, name: &str, length: usize) -> Result<&[f32], WeightsError> {
        let tensor = self.tensor(name)?;
        if tensor.shape == [length] {
            Ok(&tensor.values)
        } else {
            Err(shape_error(name, tensor, format!("[{length}]")))
        }
    }

    /// The tensor of that name.
    ///
    /// # Errors
    /// If it is missing.
    pub fn tensor(&self, name: &str) -> Result<&Tensor, WeightsError> {
        self.tensors.get(name).ok_or_else(|| WeightsError::Missing {
            name: name.to_owned(),
            present: self.tensors.keys().map(String::as_str).collect::<Vec<_>>().join(", "),
        })
    }

    /// Everything that the strategies can need, drawn but not trained: for tests and benchmarks.
    #[must_use]
    pub fn deterministic(seed: u64, forecaster_hidden: usize, agent_hidden: usize) -> Self {
        let mut weights =
            Self::untrained_forecaster(seed, forecaster_hidden).overlaid(&Self::untrained_agent(seed, agent_hidden));
        weights.draw_linear(seed, "forecaster.linear", [LEVEL_COUNT, INPUT_LEN]);
        weights
    }

    /// An untrained agent with two hidden layers of `hidden` units: the net of `lstm-dqn-untrained`.
    ///
    /// Entries are uniform in ±1/√(inputs), as PyTorch initialises linear layers; layer norms are the identity.
    #[must_use]
    pub fn untrained_agent(seed: u64, hidden: usize) -> Self {
        let mut weights = Self::new();
        for (layer, inputs) in [(0, OBSERVATION_LEN), (1, hidden)] {
            weights.draw_linear(seed, &format!("agent.trunk.{layer}"), [hidden, inputs]);
            weights.fill(&format!("agent.norm.{layer}.weight"), hidden, 1.0);
            weights.fill(&format!("agent.norm.{layer}.bias"), hidden, 0.0);
        }
        weights.draw_linear(seed, "agent.value", [1, hidden]);
        weights.draw_linear(seed, "agent.advantage", [ACTION_COUNT, hidden]);
        weights
    }

    /// An untrained LSTM forecaster with `hidden` units, uniform in ±1/√hidden as PyTorch does.
    #[must_use]
    pub fn untrained_forecaster(seed: u64, hidden: usize) -> Self {
        let mut weights = Self::new();
        let tensors = [
            ("weight_ih_l0", vec![4 * hidden, INPUT_LEN]),
            ("weight_hh_l0", vec![4 * hidden, hidden]),
            ("bias_ih_l0", vec![4 * hidden]),
            ("bias_hh_l0", vec![4 * hidden]),
        ];
        for (name, shape) in tensors {
            weights.draw(seed, &format!("forecaster.lstm.{name}"), shape, hidden);
        }
        weights.draw_linear(seed, "forecaster.head", [LEVEL_COUNT, hidden]);
        weights
    }

    fn draw_linear(&mut self, seed: u64, layer: &str, shape: [usize; 2]) {
        self.draw(seed, &format!("{layer}.weight"), shape.to_vec(), shape[1]);
        self.draw(seed, &format!("{layer}.bias"), vec![shape[0]], shape[1]);
    }

    /// The draws of a tensor depend on its name, so adding a tensor shifts no other.
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "small sizes, single precision")]
    fn draw(&mut self, seed: u64, name: &str, shape: Vec<usize>, fan_in: usize) {
        let digest = blake3::hash(name.as_bytes());
        let entity = digest.as_bytes()[..8].iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
        let bound = 1.0 / (fan_in.max(1) as f64).sqrt();
        let count: usize = shape.iter().product();
        let value = |index| (bound * (2.0 * rand::uniform(seed, Stream::Weights, entity, index) - 1.0)) as f32;
        let values = (0..count as u32).map(value).collect();
        self.tensors.insert(name.to_owned(), Tensor { shape, values });
    }

    fn fill(&mut self, name: &str, length: usize, value: f32) {
        self.tensors.insert(name.to_owned(), Tensor { shape: vec![length], values: vec![value; length] });
    }
}

pub(super) fn shape_error(name: &str, tensor: &Tensor, expected: String) -> WeightsError {
    WeightsError::Shape { name: name.to_owned(), found: tensor.shape.clone(), expected }
}

impl View for &Tensor {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Owned(self.values.iter().flat_map(|value| value.to_le_bytes()).collect())
    }
    fn data_len(&self) -> usize {
        4 * self.values.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn safetensors_round_trip_exactly() {
        let weights = Weights::deterministic(3, 8, 16);
        let bytes = weights.to_safetensors().unwrap();
        assert_eq!(Weights::from_safetensors(&bytes).unwrap(), weights);
        assert_eq!(bytes, weights.clone().to_safetensors().unwrap());
        assert_ne!(weights, Weights::deterministic(4, 8, 16));
    }

    #[test]
    fn untrained_nets_spread_as_pytorch_does() {
        let weights = Weights::untrained_agent(1, 64);
        let (values, rows) = weights.matrix("agent.trunk.1.weight", 64).unwrap();
        assert_eq!(rows, 64);
        assert!(values.iter().all(|value| value.abs() <= 0.125));
        let variance = values.iter().map(|value| f64::from(value * value)).sum::<f64>() / values.len() as f64;
        assert!((variance / (0.125 * 0.125 / 3.0) - 1.0).abs() < 0.05, "{variance}");
        let other = Weights::untrained_agent(1, 32);
        let pair = |weights: &Weights| weights.tensor("agent.advantage.bias").unwrap().values()[0] * 1.0;
        assert!(
            (pair(&weights) / pair(&other) - (0.5_f32).sqrt()).abs() < 1e-5,
            "draws depend on name and element only"
        );
    }

    #[test]
    fn subset_and_overlay_mix_nets() {
        let (trained, untrained) = (Weights::deterministic(1, 8, 16), Weights::untrained_agent(2, 32));
        let mixed = trained.subset("forecaster.").overlaid(&untrained);
        assert_eq!(mixed.tensor("agent.value.bias"), untrained.tensor("agent.value.bias"));
        assert_eq!(mixed.tensor("forecaster.head.bias"), trained.tensor("forecaster.head.bias"));
    }

    #[test]
    fn each_defect_is_named() {
        let weights = Weights::untrained_agent(1, 16);
        let missing = weights.vector("agent.value.offset", 1).unwrap_err();
        assert!(
            missing.to_string().contains("`agent.value.offset` is missing")
                && missing.to_string().contains("agent.value.bias")
        );
        let shape = weights.matrix("agent.trunk.0.weight", 5).unwrap_err();
        assert!(shape.to_string().contains("must be [n, 5]"), "{shape}");
        assert!(weights.vector("agent.trunk.0.weight", 5).is_err());
        let mut broken = weights.clone();
        let nan = Tensor::new(vec![2], vec![0.0, f32::NAN]).unwrap();
        let error = broken.insert("agent.value.bias", nan.clone()).unwrap_err();
        assert!(error.to_string().contains("holds NaN at element 1"), "{error}");
        assert_eq!(broken, weights);
        broken.tensors.insert("x".into(), nan);
        let bytes = broken.to_safetensors().unwrap();
        assert!(matches!(Weights::from_safetensors(&bytes), Err(WeightsError::NotFinite { .. })));
        assert!(matches!(Weights::from_safetensors(&bytes[..bytes.len() - 1]), Err(WeightsError::Format { .. })));
        assert!(matches!(Weights::from_safetensors(b"no"), Err(WeightsError::Format { .. })));
        let half = safetensors::tensor::TensorView::new(Dtype::F16, vec![1], &[0, 0]).unwrap();
        let bytes = safetensors::serialize([("h", half)], None).unwrap();
        assert!(Weights::from_safetensors(&bytes).unwrap_err().to_string().contains("F16"));
        assert_eq!(Tensor::new(vec![2, 2], vec![0.0; 3]), None);
    }
}
