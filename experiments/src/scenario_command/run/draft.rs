//! A run folder in the making: everything is written beside the folder and moved into it when it is whole.
//!
//! So an interrupt, a full disk or a mistake in the scenario leaves an earlier run as it was, and two runs into one folder leave
//! the files of one of them. What the user keeps in the folder besides stays.

use std::fs::File;
use std::path::{Path, PathBuf};

use seatrial_envs::spec::ScenarioSpec;
use serde_json::Value;

use crate::error::{ExperimentError, Result};
use crate::run_folder::read_json;

/// What a run may leave: files and folders.
const ENTRIES: [&str; 7] =
    ["summary.json", "seeds.csv", "timeline.json", "log.parquet", "timeline", "report", "scenario.toml"];

/// See the module. Dropped, it leaves nothing.
pub(super) struct Draft {
    folder: PathBuf,
    partial: PathBuf,
}

/// Refuses a folder that holds anything but an earlier run of this scenario and seed, or of any scenario if `force`.
pub(super) fn check(folder: &Path, text: &str, spec: &ScenarioSpec, force: bool) -> Result<()> {
    let refuse = |what: &str, next: &str| {
        Err(ExperimentError::Usage { what: format!("{} {what}", folder.display()), next: next.to_owned() })
    };
    let empty = std::fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none());
    let earlier = std::fs::read_to_string(folder.join("scenario.toml"));
    match earlier {
        _ if empty => Ok(()),
        Err(_) => refuse("holds something else than the run of a scenario", "choose another --out"),
        Ok(_) if force => Ok(()),
        Ok(earlier) => {
            let seed = read_json::<Value>(&folder.join("summary.json")).ok().and_then(|run| run["seed"].as_u64());
            let same = earlier == text && seed == Some(spec.seed);
            // Without a summary nothing was finished there.
            if same || seed.is_none() {
                return Ok(());
            }
            let what =
                if earlier == text { "with another seed" } else { "of another scenario, or of this one as it was" };
            refuse(&format!("holds the run {what}"), "choose another --out, or replace it with --force")
        }
    }
}

impl Draft {
    pub(super) fn new(folder: &Path) -> Result<Self> {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let partial = folder.with_file_name(format!(".{name}.partial-{}", std::process::id()));
        std::fs::create_dir_all(&partial).map_err(ExperimentError::io("create", &partial))?;
        Ok(Self { folder: folder.to_owned(), partial })
    }

    /// Where to write.
    pub(super) fn path(&self) -> &Path {
        &self.partial
    }

    /// Puts what was written in the place of an earlier run.
    pub(super) fn install(self) -> Result<()> {
        std::fs::create_dir_all(&self.folder).map_err(ExperimentError::io("create", &self.folder))?;
        let folder = File::open(&self.folder).map_err(ExperimentError::io("open", &self.folder))?;
        folder.lock().map_err(ExperimentError::io("lock", &self.folder))?;
        ENTRIES.iter().try_for_each(|name| self.install_entry(name))
    }

    fn install_entry(&self, name: &str) -> Result<()> {
        let (from, to) = (self.partial.join(name), self.folder.join(name));
        let gone = if to.is_dir() { std::fs::remove_dir_all(&to) } else { std::fs::remove_file(&to) };
        if to.exists() {
            gone.map_err(ExperimentError::io("remove", &to))?;
        }
        if !from.exists() {
            return Ok(());
        }
        std::fs::rename(&from, &to).map_err(ExperimentError::io("write", &to))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // What cannot be removed was left by the system, which says so elsewhere.
        let _ = std::fs::remove_dir_all(&self.partial);
    }
}
