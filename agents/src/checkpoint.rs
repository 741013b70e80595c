//! Checkpoints: everything a learner needs to go on as if it had never stopped, as safetensors bytes.
//!
//! Parameters, optimiser moments, best members, data cursors, replay memory and learning rows are in it; a resumed run gives
//! the same bytes as an uninterrupted one on the same machine with the same thread count and population (tested for both
//! learners). What is not a tensor stands as JSON in the tensor `meta`, with the configuration it was made under: resuming
//! under another is refused. [`write()`] goes through a temporary file and a rename, so a crash leaves the previous one.

use std::fs;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tch::Tensor;

use crate::error::AgentError;
use crate::population::values_f32;

const META: &str = "meta";

/// Writes `bytes` to `path` whole or not at all.
///
/// # Errors
/// [`AgentError::File`] if the folder cannot be written; the temporary file is removed and an older checkpoint is left.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), AgentError> {
    let temporary = path.with_extension("partial");
    let written = fs::write(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
    written.map_err(|source| {
        let _ = fs::remove_file(&temporary);
        AgentError::File { action: "writing checkpoint", path: path.to_path_buf(), source }
    })
}

/// Reads a checkpoint, `None` if there is none.
///
/// # Errors
/// [`AgentError::File`] if it is there and cannot be read.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, AgentError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(AgentError::File { action: "reading checkpoint", path: path.to_path_buf(), source }),
    }
}

/// Collects arrays and ends as bytes.
#[derive(Default)]
pub(crate) struct CheckpointWriter {
    arrays: Vec<(String, Dtype, Vec<usize>, Vec<u8>)>,
}

impl CheckpointWriter {
    pub(crate) fn floats(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.arrays.push((name.to_owned(), Dtype::F32, shape.to_vec(), bytes));
    }

    pub(crate) fn tensor(&mut self, name: &str, tensor: &Tensor) {
        let shape: Vec<usize> = tensor.size().iter().map(|&n| usize::try_from(n).unwrap_or(0)).collect();
        self.floats(name, &shape, &values_f32(&tensor.detach()));
    }

    pub(crate) fn bytes(mut self, meta: &impl Serialize) -> Result<Vec<u8>, AgentError> {
        let json = serde_json::to_vec(meta).map_err(refuse)?;
        self.arrays.push((META.to_owned(), Dtype::U8, vec![json.len()], json));
        let mut views = Vec::with_capacity(self.arrays.len());
        for (name, dtype, shape, bytes) in &self.arrays {
            views.push((name, TensorView::new(*dtype, shape.clone(), bytes).map_err(refuse)?));
        }
        serialize(views, None).map_err(refuse)
    }
}

/// Hands the arrays of a checkpoint out again.
pub(crate) struct CheckpointReader<'a> {
    arrays: SafeTensors<'a>,
}

impl<'a> CheckpointReader<'a> {
    pub(crate) fn open(bytes: &'a [u8]) -> Result<Self, AgentError> {
        Ok(Self { arrays: SafeTensors::deserialize(bytes).map_err(refuse)? })
    }

    pub(crate) fn meta<T: DeserializeOwned>(&self) -> Result<T, AgentError> {
        serde_json::from_slice(self.arrays.tensor(META).map_err(refuse)?.data()).map_err(refuse)
    }

    pub(crate) fn floats(&self, name: &str, count: usize) -> Result<Vec<f32>, AgentError> {
        let view = self.arrays.tensor(name).map_err(refuse)?;
        let values: Vec<f32> = view.data().as_chunks().0.iter().map(|word| f32::from_le_bytes(*word)).collect();
        if view.dtype() == Dtype::F32 && values.len() == count {
            return Ok(values);
        }
        Err(refuse(format!("`{name}` holds {} numbers of {:?}, {count} of F32 are needed", values.len(), view.dtype())))
    }

    /// A tensor of the shape of `like`.
    pub(crate) fn tensor(&self, name: &str, like: &Tensor) -> Result<Tensor, AgentError> {
        Ok(Tensor::from_slice(&self.floats(name, like.numel())?).view(&like.size()[..]))
    }
}

pub(crate) fn refuse(problem: impl std::fmt::Display) -> AgentError {
    AgentError::Checkpoint { problem: problem.to_string() }
}

/// Refuses a checkpoint that was made under other settings.
pub(crate) fn require_same<T: PartialEq>(what: &str, stored: &T, given: &T) -> Result<(), AgentError> {
    if stored == given { Ok(()) } else { Err(refuse(format!("it was made with another {what}"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_and_meta_come_back() {
        let mut writer = CheckpointWriter::default();
        writer.floats("a", &[3], &[1.0, f32::MIN_POSITIVE, -0.0]);
        let bytes = writer.bytes(&("name", 0.1_f64)).unwrap();
        let reader = CheckpointReader::open(&bytes).unwrap();
        assert_eq!(reader.meta::<(String, f64)>().unwrap(), ("name".to_owned(), 0.1));
        let back = reader.floats("a", 3).unwrap();
        assert_eq!(
            back.iter().map(|x| x.to_bits()).collect::<Vec<_>>(),
            [1.0_f32, f32::MIN_POSITIVE, -0.0].map(f32::to_bits)
        );
    }

    #[test]
    fn what_is_no_checkpoint_is_refused_with_a_reason() {
        let message = CheckpointReader::open(b"not a checkpoint").err().unwrap().to_string();
        assert!(message.contains("delete it to train from the start"), "{message}");
        let mut writer = CheckpointWriter::default();
        writer.floats("a", &[1], &[1.0]);
        let bytes = writer.bytes(&()).unwrap();
        let reader = CheckpointReader::open(&bytes).unwrap();
        assert!(reader.floats("a", 2).unwrap_err().to_string().contains("2 of F32 are needed"));
        assert!(reader.floats("b", 1).is_err());
        assert!(reader.meta::<String>().is_err());
    }

    #[test]
    fn a_failed_write_leaves_nothing_and_names_the_path() {
        let folder = std::env::temp_dir().join(format!("seatrial-checkpoint-{}", std::process::id()));
        assert!(write(&folder.join("absent").join("x.ckpt"), b"1").unwrap_err().to_string().contains("x.ckpt"));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("x.ckpt");
        assert!(read(&path).unwrap().is_none());
        write(&path, b"first").unwrap();
        write(&path, b"second").unwrap();
        assert_eq!(read(&path).unwrap().unwrap(), b"second");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        fs::remove_dir_all(&folder).unwrap();
    }
}
