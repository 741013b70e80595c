//! The run folder: one place that knows its layout (design §9), and the only way files get into it: whole or not at all.
//!
//! ```text
//! runs/<name>/ manifest.json  config.resolved.toml  cells.parquet  learning.parquet  decisions/…  summary.json
//!              report/…  policy/  members/<seed>/…  tuned.json  cells/<ab>/<id>.parquet
//! ```

use std::path::{Path, PathBuf};

use seatrial_datasets::atomic::write_file;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{ExperimentError, Result};

/// A run folder.
#[derive(Clone, Debug)]
pub struct RunFolder {
    root: PathBuf,
}

const RESOLVED: &str = "config.resolved.toml";

impl RunFolder {
    /// A folder for a run: new, empty, or of an earlier attempt.
    ///
    /// # Errors
    /// If it cannot be created, or holds something that is not a run.
    pub fn create(root: &Path) -> Result<Self> {
        std::fs::create_dir_all(root).map_err(ExperimentError::io("create", root))?;
        let folder = Self { root: root.to_owned() };
        let mut entries = std::fs::read_dir(root).map_err(ExperimentError::io("read", root))?;
        if entries.next().is_some() && !folder.path(RESOLVED).is_file() {
            return Err(ExperimentError::RunFolder {
                path: root.to_owned(),
                detail: "holds files but no run; choose another --out or empty it".into(),
            });
        }
        Ok(folder)
    }

    /// The folder of a run that exists.
    ///
    /// # Errors
    /// If there is no run in it.
    pub fn open(root: &Path) -> Result<Self> {
        let folder = Self { root: root.to_owned() };
        if folder.path(RESOLVED).is_file() {
            return Ok(folder);
        }
        Err(ExperimentError::RunFolder {
            path: root.to_owned(),
            detail: format!("has no {RESOLVED}; give the folder that `seatrial run` wrote"),
        })
    }

    /// The folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A path inside.
    #[must_use]
    pub fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(relative)
    }

    /// `config.resolved.toml`.
    #[must_use]
    pub fn resolved_config(&self) -> PathBuf {
        self.path(RESOLVED)
    }

    /// `manifest.json`.
    #[must_use]
    pub fn manifest(&self) -> PathBuf {
        self.path("manifest.json")
    }

    /// `cells.parquet`.
    #[must_use]
    pub fn cells(&self) -> PathBuf {
        self.path("cells.parquet")
    }

    /// Rows of one finished cell.
    #[must_use]
    pub fn cell(&self, id: &str) -> PathBuf {
        self.path("cells").join(&id[..2.min(id.len())]).join(format!("{id}.parquet"))
    }

    /// `learning.parquet`.
    #[must_use]
    pub fn learning(&self) -> PathBuf {
        self.path("learning.parquet")
    }

    /// `summary.json`.
    #[must_use]
    pub fn summary(&self) -> PathBuf {
        self.path("summary.json")
    }

    /// `tuned.json`: parameters of the rules and the trials behind them.
    #[must_use]
    pub fn tuned(&self) -> PathBuf {
        self.path("tuned.json")
    }

    /// Decision logs.
    #[must_use]
    pub fn decisions(&self) -> PathBuf {
        self.path("decisions")
    }

    /// The report.
    #[must_use]
    pub fn report(&self) -> PathBuf {
        self.path("report")
    }

    /// The exported bundle.
    #[must_use]
    pub fn policy(&self) -> PathBuf {
        self.path("policy")
    }

    /// Weights of the member trained with `seed`.
    #[must_use]
    pub fn member(&self, seed: u64) -> PathBuf {
        self.path("members").join(seed.to_string())
    }
}

/// Writes `bytes` beside the target and renames: the file is there whole, or the old one (or none) is.
///
/// # Errors
/// If the folder or file cannot be written; nothing half-written stays behind.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(ExperimentError::io("create", folder))?;
    write_file(path, bytes).map_err(ExperimentError::io("write", path))
}

/// Writes pretty JSON with a final newline.
///
/// # Errors
/// See [`write_atomic`].
pub fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value).map_err(|error| ExperimentError::RunFolder {
        path: path.to_owned(),
        detail: format!("cannot be put into JSON ({error}); this is a bug"),
    })?;
    text.push('\n');
    write_atomic(path, text.as_bytes())
}

/// Reads JSON; unknown keys are refused where the type denies them.
///
/// # Errors
/// If the file cannot be read or has another shape.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = std::fs::read_to_string(path).map_err(ExperimentError::io("read", path))?;
    serde_json::from_str(&text).map_err(|error| ExperimentError::RunFolder {
        path: path.to_owned(),
        detail: format!("{error}; the file was changed or is of another version, write it again"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_strange_files_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("thesis.txt"), "mine").unwrap();
        let message = RunFolder::create(folder.path()).unwrap_err().to_string();
        assert!(message.contains("no run") && message.contains("--out"), "{message}");
        assert_eq!(std::fs::read_to_string(folder.path().join("thesis.txt")).unwrap(), "mine");
        assert!(RunFolder::open(folder.path()).unwrap_err().to_string().contains("config.resolved.toml"));
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_and_no_rest() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("summary.json");
        write_atomic(&target, b"old").unwrap();
        // A folder in the place of the target makes the rename fail.
        let blocked = folder.path().join("blocked");
        std::fs::create_dir_all(blocked.join("inside")).unwrap();
        let message = write_atomic(&blocked, b"new").unwrap_err().to_string();
        assert!(message.contains("cannot write") && message.contains("blocked"), "{message}");
        assert_eq!(std::fs::read(&target).unwrap(), b"old");
        let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names.len(), 2, "{names:?}");
    }

    #[test]
    fn cells_are_spread_by_the_first_two_letters() {
        let folder = RunFolder { root: PathBuf::from("runs/x") };
        assert_eq!(folder.cell("abcd"), PathBuf::from("runs/x/cells/ab/abcd.parquet"));
    }
}
