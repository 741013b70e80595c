//! The run folder: one place that knows its layout (design §9), and the only way files get into it: whole or not at all.
//!
//! ```text
//! runs/<name>/ manifest.json  config.resolved.toml  cells.parquet  learning.parquet  decisions/…  summary.json
//!              report/…  policy/  members/<seed>/…  tuned.json  cells/<ab>/<id>.parquet  command.txt
//!              tuning/<id>.json (while rules are tuned)  checkpoints/… (of training)
//! ```
//!
//! A folder is *begun* when it holds more than its configuration. An attempt that fails before that takes away what it made.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use seatrial_datasets::atomic::write_file;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{ExperimentError, Result};
use crate::learned::LEARNED_FILE;

/// A run folder.
#[derive(Clone, Debug)]
pub struct RunFolder {
    root: PathBuf,
    /// Held by every copy of a folder that [`Self::create`] made ready; the last one tidies up.
    _attempt: Option<Arc<Attempt>>,
}

const RESOLVED: &str = "config.resolved.toml";
const COMMAND: &str = "command.txt";

impl RunFolder {
    /// The folder at `root`, whatever is there.
    #[must_use]
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_owned(), _attempt: None }
    }

    /// A folder for a run: new, empty, or of an earlier attempt. If nothing but the configuration has been written when the
    /// last copy of it is dropped, it is taken away again.
    ///
    /// # Errors
    /// If it cannot be created, or holds something that is not a run.
    pub fn create(root: &Path) -> Result<Self> {
        let made = first_missing(root);
        std::fs::create_dir_all(root).map_err(ExperimentError::io("create", root))?;
        let attempt = Arc::new(Attempt { root: root.to_owned(), made });
        let folder = Self { root: root.to_owned(), _attempt: Some(attempt) };
        if !folder.files()?.is_empty() && !folder.path(RESOLVED).is_file() {
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
        let folder = Self::at(root);
        if folder.path(RESOLVED).is_file() {
            return Ok(folder);
        }
        let detail = if root.is_dir() {
            format!("has no {RESOLVED}; give the folder that `seatrial run` wrote")
        } else if root.exists() {
            "is a file; give the folder that `seatrial run` wrote".to_owned()
        } else {
            format!("is not there (no {RESOLVED}); give the folder that `seatrial run` wrote")
        };
        Err(ExperimentError::RunFolder { path: root.to_owned(), detail })
    }

    /// The folder of a run whose cells are all scored.
    ///
    /// # Errors
    /// If there is no run in it, or the run is unfinished; the message has the command that finishes it.
    pub fn finished(root: &Path) -> Result<Self> {
        let folder = Self::open(root)?;
        let whole = folder.manifest().is_file() && folder.cells().is_file();
        if whole { Ok(folder) } else { Err(folder.unfinished()) }
    }

    /// That the run is unfinished, with the command that finishes it.
    #[must_use]
    pub fn unfinished(&self) -> ExperimentError {
        let command = std::fs::read_to_string(self.path(COMMAND)).unwrap_or_default();
        let command = if command.trim().is_empty() { String::new() } else { format!(": {}", command.trim()) };
        let detail = format!("unfinished; run the same command again to finish it{command}");
        ExperimentError::RunFolder { path: self.root.clone(), detail }
    }

    /// Refuses a run that has no trained weights (yet).
    ///
    /// # Errors
    /// If its study has no learned strategy, or is unfinished.
    pub fn check_trained(&self) -> Result<()> {
        if self.path(LEARNED_FILE).is_file() {
            return Ok(());
        }
        if self.manifest().is_file() {
            let detail = "has no learned policy; export a run whose study has `lstm-dqn` among its strategies";
            return Err(ExperimentError::RunFolder { path: self.root.clone(), detail: detail.into() });
        }
        Err(self.unfinished())
    }

    /// Keeps the command that makes this run, for [`Self::unfinished`].
    ///
    /// # Errors
    /// See [`write_atomic`].
    pub fn keep_command(&self, command: &str) -> Result<()> {
        write_atomic(&self.path(COMMAND), format!("{command}\n").as_bytes())
    }

    /// Whether it holds more than a configuration.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn is_begun(&self) -> Result<bool> {
        Ok(self.files()?.iter().any(|file| ![RESOLVED, COMMAND].iter().any(|own| file == Path::new(own))))
    }

    /// Every file in it, relative to it and in order; what begins with a dot is a system's, not a run's.
    ///
    /// # Errors
    /// If a folder cannot be read.
    pub fn files(&self) -> Result<Vec<PathBuf>> {
        self.files_below("")
    }

    /// The files below the folder `inside`, relative to the run folder.
    ///
    /// # Errors
    /// If a folder cannot be read.
    pub fn files_below(&self, inside: &str) -> Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        let mut open = vec![self.path(inside)];
        while let Some(folder) = open.pop().filter(|folder| folder.is_dir()) {
            for entry in std::fs::read_dir(&folder).map_err(ExperimentError::io("read", &folder))? {
                let path = entry.map_err(ExperimentError::io("read", &folder))?.path();
                if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')) {
                    continue;
                }
                if path.is_dir() {
                    open.push(path);
                } else if let Ok(relative) = path.strip_prefix(&self.root) {
                    files.push(relative.to_owned());
                }
            }
        }
        files.sort();
        Ok(files)
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

    /// Finished trials of a tuning that is under way.
    #[must_use]
    pub fn tuning(&self) -> PathBuf {
        self.path("tuning")
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

/// The first folder on the way to `path` that is not there yet.
fn first_missing(path: &Path) -> Option<PathBuf> {
    path.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists()).last().map(Path::to_owned)
}

/// An attempt to make a run in a folder.
#[derive(Debug)]
struct Attempt {
    root: PathBuf,
    /// The topmost folder that the attempt made.
    made: Option<PathBuf>,
}

impl Drop for Attempt {
    /// Takes away what is only a beginning: configuration without results, folders without files.
    fn drop(&mut self) {
        if RunFolder::at(&self.root).is_begun().unwrap_or(true) {
            return;
        }
        // Only what this program wrote goes; `remove_dir` spares folders that hold something. There is nobody to tell.
        for file in [RESOLVED, COMMAND] {
            let _ = std::fs::remove_file(self.root.join(file));
        }
        if let Some(made) = &self.made {
            for folder in self.root.ancestors().take_while(|folder| folder.starts_with(made)) {
                let _ = std::fs::remove_dir(folder);
            }
        }
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
    fn an_attempt_without_results_leaves_nothing_and_one_with_results_everything() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("deep/run");
        let attempt = RunFolder::create(&root).unwrap();
        attempt.keep_command("seatrial run x").unwrap();
        write_atomic(&attempt.resolved_config(), b"name = 'x'").unwrap();
        assert!(!attempt.is_begun().unwrap());
        drop(attempt);
        assert!(!folder.path().join("deep").exists());

        let attempt = RunFolder::create(&root).unwrap();
        attempt.keep_command("seatrial run x").unwrap();
        write_atomic(&attempt.resolved_config(), b"name = 'x'").unwrap();
        write_atomic(&attempt.cell("abcd"), b"rows").unwrap();
        drop(attempt);
        let kept = RunFolder::open(&root).unwrap();
        assert!(kept.is_begun().unwrap() && kept.cell("abcd").is_file());
        let message = RunFolder::finished(&root).unwrap_err().to_string();
        assert!(message.contains("unfinished") && message.ends_with("finish it: seatrial run x"), "{message}");
    }

    #[test]
    fn cells_are_spread_by_the_first_two_letters() {
        let folder = RunFolder::at(Path::new("runs/x"));
        assert_eq!(folder.cell("abcd"), PathBuf::from("runs/x/cells/ab/abcd.parquet"));
    }
}
