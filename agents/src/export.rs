//! Parameters of a population → [`Weights`] of each member, the only form in which a learner hands nets out.
//!
//! Names and layouts are those of the core (and of PyTorch), so export is a copy. The core's forward pass is the one that is
//! evaluated and shipped; that it agrees with libtorch to 1e-5 is a test here, with a control in which it must not.

use seatrial_core::nets::{Tensor as CoreTensor, Weights};
use tch::Tensor;

use crate::error::AgentError;
use crate::population::{Layout, values_f32};

/// One [`Weights`] per row of `parameters`.
pub(crate) fn member_weights(layout: &Layout, parameters: &Tensor) -> Result<Vec<Weights>, AgentError> {
    let values = values_f32(&parameters.detach());
    let rows = values.chunks(layout.len()).enumerate();
    rows.map(|(member, row)| one_member(layout, row).map_err(|problem| AgentError::Export { member, problem }))
        .collect()
}

fn one_member(layout: &Layout, mut row: &[f32]) -> Result<Weights, String> {
    let mut weights = Weights::new();
    for spec in &layout.tensors {
        let (values, rest) = row.split_at(spec.len());
        row = rest;
        let tensor = CoreTensor::new(spec.shape.clone(), values.to_vec());
        let tensor = tensor.ok_or_else(|| format!("`{}` has another size than its shape", spec.name))?;
        weights.insert(spec.name, tensor).map_err(|error| error.to_string())?;
    }
    Ok(weights)
}

#[cfg(test)]
mod tests;
