//! Answers that have come so far, as they came: `X.parquet.part/HASH/`, one file per piece.
//!
//! Invariant: HASH is that of the request, so pieces of two queries are never mixed; each file appears whole or not at all.

use std::path::{Path, PathBuf};

use super::request::RangeRequest;
use crate::error::{ExperimentError, Result};
use crate::hash;
use crate::run_folder::write_atomic;

/// The folder beside the target. It appears with the first piece.
#[derive(Debug)]
pub(super) struct PartFolder {
    /// `X.parquet.part`.
    all: PathBuf,
    /// The folder of this request in it.
    own: PathBuf,
}

impl PartFolder {
    pub(super) fn new(target: &Path, request: &RangeRequest) -> Self {
        let mut name = target.as_os_str().to_owned();
        name.push(".part");
        let all = PathBuf::from(name);
        let own = all.join(hash::short(&hash::of_json(request)));
        Self { all, own }
    }

    fn file(&self, piece: usize) -> PathBuf {
        self.own.join(format!("piece-{piece:06}.json"))
    }

    /// The answer to that piece, if it came before.
    pub(super) fn stored(&self, piece: usize) -> Option<Vec<u8>> {
        std::fs::read(self.file(piece)).ok()
    }

    pub(super) fn store(&self, piece: usize, answer: &[u8]) -> Result<()> {
        write_atomic(&self.file(piece), answer)
    }

    /// The trace is whole: answers to this and to abandoned queries for it are no longer needed.
    pub(super) fn remove(self) -> Result<()> {
        std::fs::remove_dir_all(&self.all).map_err(ExperimentError::io("remove", &self.all))
    }
}
