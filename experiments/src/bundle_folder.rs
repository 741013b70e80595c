//! A bundle as a folder: the three files of the core's bundle. Other files beside them (attribution weights, tuned parameters)
//! belong to studies and are not part of what an operator loads. The card names their hashes too, so that the bundle's hash
//! stands for everything that a study reads from the folder.

use std::collections::BTreeMap;
use std::path::Path;

use seatrial_core::bundle::{Bundle, BundleError, BundleFiles, GOLDEN_FILE, POLICY_FILE, WEIGHTS_FILE};
use seatrial_core::nets::Weights;
use serde::Serialize;

use crate::error::{ExperimentError, Result};
use crate::hash;
use crate::run_folder::{RunFolder, write_atomic};

/// Reads and verifies the bundle in `folder`: hashes, schema, every golden row, and the files beside it as far as they are
/// there (an operator's copy has none).
///
/// # Errors
/// If a file is absent, the core refuses the bundle, or a file beside it was changed.
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
    let bundle = Bundle::load(&files).map_err(|error| refusal(folder, &error))?;
    for (name, expected) in &bundle.card().provenance.study_files {
        check_study_file(&folder.join(name), expected)?;
    }
    Ok(bundle)
}

/// What the core has against the bundle in `folder`. Its messages begin with `bundle: `, and so does ours.
pub(crate) fn refusal(folder: &Path, error: &BundleError) -> ExperimentError {
    let said = error.to_string();
    let detail = said.strip_prefix("bundle: ").unwrap_or(&said).to_owned();
    ExperimentError::Bundle { path: folder.to_owned(), detail }
}

fn check_study_file(path: &Path, expected: &str) -> Result<()> {
    if !path.is_file() {
        return Ok(());
    }
    let bytes = std::fs::read(path).map_err(ExperimentError::io("read", path))?;
    check_hash(path, &bytes, expected, POLICY_FILE)
}

/// How much of what a study needs lies beside a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    /// All that its card names.
    Everything,
    /// Nothing of it: an operator's copy.
    Nothing,
}

/// Checks that every file of studies that the card names is there, or none of them.
///
/// # Errors
/// If the bundle is refused, or some of its files are there and others are not.
pub fn beside(folder: &Path) -> Result<Beside> {
    let bundle = load(folder)?;
    let named = &bundle.card().provenance.study_files;
    match named.keys().find(|name| !folder.join(name).is_file()) {
        None => Ok(Beside::Everything),
        Some(_) if named.keys().all(|name| !folder.join(name).is_file()) => Ok(Beside::Nothing),
        Some(absent) => Err(lacks(folder, absent)),
    }
}

/// Checks that a study can be run from the bundle in `folder`: every file that its card names is there. A folder without a card
/// holds no bundle, and who reads from it says so.
///
/// # Errors
/// If the bundle is refused or a file is absent.
pub fn check_whole(folder: &Path) -> Result<()> {
    if !folder.join(POLICY_FILE).is_file() {
        return Ok(());
    }
    let bundle = load(folder)?;
    let mut named = bundle.card().provenance.study_files.keys();
    named.find(|name| !folder.join(name).is_file()).map_or(Ok(()), |absent| Err(lacks(folder, absent)))
}

fn lacks(folder: &Path, name: &str) -> ExperimentError {
    let detail = format!(
        "has no {name}, which {POLICY_FILE} names; copy the whole folder again, or take `bundle` out of the study to make anew \
         what it holds"
    );
    ExperimentError::Bundle { path: folder.to_owned(), detail }
}

/// Checks the content of a file against the hash that `list` gives it.
///
/// # Errors
/// If it differs; both hashes are named in full, for they may differ in any digit.
pub fn check_hash(path: &Path, bytes: &[u8], expected: &str, list: &str) -> Result<()> {
    let found = hash::of_bytes(bytes);
    if found == expected {
        return Ok(());
    }
    let detail = format!(
        "hash is {found} where {list} says {expected}; the file was changed after it was made: restore it, or make it again"
    );
    Err(ExperimentError::Bundle { path: path.to_owned(), detail })
}

/// Checks that `folder` answers for its file `name` of a study: as a bundle by the hash on its card; a run folder has a
/// manifest for that.
///
/// # Errors
/// If the bundle is refused, does not know the file, or `folder` is neither a bundle nor a run.
pub fn vouch(folder: &Path, name: &str) -> Result<()> {
    if !folder.join(POLICY_FILE).is_file() && RunFolder::open(folder).is_ok() {
        return Ok(());
    }
    if load(folder)?.card().provenance.study_files.contains_key(name) {
        return Ok(());
    }
    let detail = format!("{POLICY_FILE} does not name this file; remove it, or export the bundle again");
    Err(ExperimentError::Bundle { path: folder.join(name), detail })
}

/// The hashes of `files`, for the card.
#[must_use]
pub fn hashes(files: &BundleFiles) -> BTreeMap<String, String> {
    files.iter().map(|(name, bytes)| (name.clone(), hash::of_bytes(bytes))).collect()
}

/// A value as a file of pretty JSON with a final newline, as run folders have it.
///
/// # Errors
/// If it cannot be JSON: a bug.
pub fn json_file<T: Serialize>(name: &str, value: &T) -> Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(value).map_err(|error| ExperimentError::Bundle {
        path: name.into(),
        detail: format!("cannot be put into JSON ({error}); this is a bug"),
    })?;
    text.push(b'\n');
    Ok(text)
}

/// The file form of weights.
///
/// # Errors
/// If they cannot be serialised.
pub fn weights_file(weights: &Weights) -> Result<Vec<u8>> {
    weights.to_safetensors().map_err(|error| ExperimentError::Training(error.to_string()))
}

/// Writes files, `last` after the others: the one that names them.
///
/// # Errors
/// If a file cannot be written.
pub fn write(folder: &Path, files: &BundleFiles, last: &str) -> Result<()> {
    for (name, bytes) in files.iter().filter(|(name, _)| *name != last) {
        write_atomic(&folder.join(name), bytes)?;
    }
    match files.get(last) {
        Some(bytes) => write_atomic(&folder.join(last), bytes),
        None => Ok(()),
    }
}
