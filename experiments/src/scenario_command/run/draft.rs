//! A run folder in the making: everything is written beside the folder and moved into it when it is whole.
//!
//! So an interrupt, a full disk or a mistake in the scenario leaves an earlier run as it was, and two runs into one folder leave
//! the files of one of them. What the user keeps in the folder besides stays.

use std::fs::File;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::{ExperimentError, Result};
use crate::run_folder::read_json;

/// Files that a run leaves only if asked to.
pub(super) const OPTIONAL: [&str; 2] = [SEEDS, LOG];
pub(super) const SEEDS: &str = "seeds.csv";
pub(super) const LOG: &str = "log.parquet";

/// What a run may leave: files and folders.
const ENTRIES: [&str; 7] = ["summary.json", SEEDS, "timeline.json", LOG, "timeline", "report", "scenario.toml"];

/// What a run would like to put where.
pub(super) struct Claim {
    pub(super) folder: PathBuf,
    pub(super) text: String,
    pub(super) seed: u64,
    /// Which of [`OPTIONAL`] it writes.
    pub(super) writes: Vec<&'static str>,
    /// Whether it runs schedules that know the load.
    pub(super) oracle: bool,
    /// Whether the run of another scenario or seed, or more than this one writes, may be replaced.
    pub(super) force: bool,
}

/// See the module. Dropped, it leaves nothing.
pub(super) struct Draft {
    claim: Claim,
    partial: PathBuf,
}

impl Claim {
    /// Refuses a folder that holds anything but what this run would write again.
    fn check(&self) -> Result<()> {
        let folder = &self.folder;
        let refuse = |what: &str, next: &str| {
            Err(ExperimentError::Usage { what: format!("{} {what}", folder.display()), next: next.to_owned() })
        };
        if folder.exists() && !folder.is_dir() {
            return refuse("is a file", "choose another --out");
        }
        if std::fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none()) {
            return Ok(());
        }
        let Ok(earlier) = std::fs::read_to_string(folder.join("scenario.toml")) else {
            return refuse("holds something else than the run of a scenario", "choose another --out");
        };
        match self.would_be_lost(&earlier).filter(|_| !self.force) {
            Some(what) => refuse(&format!("holds {what}"), "choose another --out, or replace it with --force"),
            None => Ok(()),
        }
    }

    /// What of the run of the scenario `earlier` this one would not make again.
    fn would_be_lost(&self, earlier: &str) -> Option<String> {
        // Without a summary nothing was finished there.
        let summary = read_json::<Value>(&self.folder.join("summary.json")).ok()?;
        if earlier != self.text {
            return Some("the run of another scenario, or of this one as it was".to_owned());
        }
        if summary["seed"].as_u64() != Some(self.seed) {
            return Some("the run with another seed".to_owned());
        }
        if summary["bound"]["oracle"].is_number() && !self.oracle {
            return Some("what --oracle found, which this run would not".to_owned());
        }
        let lost = OPTIONAL.iter().find(|name| self.folder.join(name).exists() && !self.writes.contains(name));
        lost.map(|name| format!("{name}, which this run would not write"))
    }
}

impl Draft {
    pub(super) fn new(claim: Claim) -> Result<Self> {
        claim.check()?;
        let name = claim.folder.file_name().unwrap_or_default().to_string_lossy();
        let partial = claim.folder.with_file_name(format!(".{name}.partial-{}", std::process::id()));
        std::fs::create_dir_all(&partial).map_err(ExperimentError::io("create", &partial))?;
        Ok(Self { claim, partial })
    }

    /// Where to write.
    pub(super) fn path(&self) -> &Path {
        &self.partial
    }

    /// Puts what was written in the place of an earlier run, unless another run has come there meanwhile.
    pub(super) fn install(self) -> Result<()> {
        let place = &self.claim.folder;
        std::fs::create_dir_all(place).map_err(ExperimentError::io("create", place))?;
        let folder = File::open(place).map_err(ExperimentError::io("open", place))?;
        folder.lock().map_err(ExperimentError::io("lock", place))?;
        self.claim.check()?;
        ENTRIES.iter().try_for_each(|name| self.install_entry(name))
    }

    fn install_entry(&self, name: &str) -> Result<()> {
        let (from, to) = (self.partial.join(name), self.claim.folder.join(name));
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
