//! A bundle as a folder: the three files of the core's bundle. Other files beside them (attribution weights, tuned parameters)
//! belong to studies and are not part of what an operator loads.

use std::path::Path;

use seatrial_core::bundle::{Bundle, BundleFiles, GOLDEN_FILE, POLICY_FILE, WEIGHTS_FILE};

use crate::error::{ExperimentError, Result};
use crate::run_folder::write_atomic;

/// Reads and verifies the bundle in `folder`: hashes, schema, every golden row.
///
/// # Errors
/// If a file is absent or the core refuses the bundle.
pub fn load(folder: &Path) -> Result<Bundle> {
    let mut files = BundleFiles::new();
    for name in [POLICY_FILE, WEIGHTS_FILE, GOLDEN_FILE] {
        let path = folder.join(name);
        // Which of them a bundle must have is the core's to say.
        if path.is_file() {
            files.insert(name.to_owned(), std::fs::read(&path).map_err(ExperimentError::io("read", &path))?);
        }
    }
    if files.is_empty() {
        let detail = "has no policy.json; give the folder that `seatrial export` wrote".into();
        return Err(ExperimentError::Bundle { path: folder.to_owned(), detail });
    }
    Bundle::load(&files).map_err(|error| ExperimentError::Bundle { path: folder.to_owned(), detail: error.to_string() })
}

/// Writes the files of a bundle, the card last.
///
/// # Errors
/// If a file cannot be written.
pub fn write(folder: &Path, files: &BundleFiles) -> Result<()> {
    for (name, bytes) in files.iter().filter(|(name, _)| *name != POLICY_FILE) {
        write_atomic(&folder.join(name), bytes)?;
    }
    match files.get(POLICY_FILE) {
        Some(card) => write_atomic(&folder.join(POLICY_FILE), card),
        None => Ok(()),
    }
}
