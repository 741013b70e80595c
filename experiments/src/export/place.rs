//! Where a bundle goes: a new or empty folder, or one that holds a bundle of the same id. Whatever else lies in a folder is
//! somebody's, and a file of a bundle may have its name.

use std::path::{Path, PathBuf};

use seatrial_core::bundle::{Bundle, BundleFiles, POLICY_FILE};

use crate::bundle_folder;
use crate::error::{ExperimentError, Result};

/// Files that a refusal names; more are counted.
const MOST_NAMED: usize = 3;

/// A folder for a bundle.
#[derive(Clone, Debug)]
pub struct Place {
    path: PathBuf,
    /// Whether a bundle of the same id gives way.
    replace: bool,
    /// Whether the folder is part of a run: what an interrupted command left there gives way too.
    own: bool,
}

/// What writing did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// The bundle is new there, or took the place of another.
    Anew,
    /// The same bytes lay there already.
    Unchanged,
}

impl Place {
    /// A folder that the user named. A bundle that lies there gives way if `force` says so.
    #[must_use]
    pub const fn named(path: PathBuf, force: bool) -> Self {
        Self { path, replace: force, own: false }
    }

    /// The folder that a run keeps for its own bundle; an earlier one gives way.
    #[must_use]
    pub const fn of_run(path: PathBuf) -> Self {
        Self { path, replace: true, own: true }
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Refuses a folder that holds anything else than a bundle called `id`, before any work is done for it.
    pub(super) fn check(&self, id: &str) -> Result<()> {
        match self.earlier()?.map(|bundle| bundle.card().id.clone()) {
            Some(there) if there != id => {
                Err(self.refusal(&format!("holds the bundle `{there}`, not `{id}`; choose another --out")))
            }
            _ => Ok(()),
        }
    }

    /// Writes the bundle of `files` with those `beside` it.
    pub(super) fn write(&self, beside: &BundleFiles, files: &BundleFiles) -> Result<Written> {
        let same =
            |(name, bytes): (&String, &Vec<u8>)| std::fs::read(self.path.join(name)).is_ok_and(|there| there == *bytes);
        if beside.iter().chain(files).all(same) {
            return Ok(Written::Unchanged);
        }
        let earlier = self.earlier()?;
        match &earlier {
            Some(bundle) if !self.replace => {
                let detail = format!(
                    "holds `{}` with other content (hash {}); give --force to replace it, or choose another --out",
                    bundle.card().id,
                    bundle.hash()
                );
                return Err(self.refusal(&detail));
            }
            _ => {}
        }
        bundle_folder::write(&self.path, beside, POLICY_FILE)?;
        bundle_folder::write(&self.path, files, POLICY_FILE)?;
        let named = earlier.iter().flat_map(|bundle| bundle.card().provenance.study_files.keys());
        for stale in named.filter(|name| !beside.contains_key(*name)).map(|name| self.path.join(name)) {
            if stale.is_file() {
                std::fs::remove_file(&stale).map_err(ExperimentError::io("remove", &stale))?;
            }
        }
        Ok(Written::Anew)
    }

    /// The bundle that lies there; `None` if the folder is absent or empty.
    fn earlier(&self) -> Result<Option<Bundle>> {
        let names = self.names()?;
        if names.is_empty() {
            return Ok(None);
        }
        match bundle_folder::load(&self.path) {
            Ok(bundle) => Ok(Some(bundle)),
            Err(_) if self.own => Ok(None),
            Err(error) => Err(self.foreign(&names, &error)),
        }
    }

    fn foreign(&self, names: &[String], error: &ExperimentError) -> ExperimentError {
        let more = names.len().saturating_sub(MOST_NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let shown = format!("{}{more}", names.iter().take(MOST_NAMED).cloned().collect::<Vec<_>>().join(", "));
        if names.iter().any(|name| name == POLICY_FILE) {
            let detail =
                format!("holds {shown}, but no whole bundle ({error}); choose another --out, or delete the folder");
            return self.refusal(&detail);
        }
        self.refusal(&format!("holds {shown}, but no bundle; choose an empty or new folder as --out"))
    }

    fn names(&self) -> Result<Vec<String>> {
        let entries = match std::fs::read_dir(&self.path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(ExperimentError::io("read", &self.path)(error)),
        };
        let names: std::io::Result<Vec<String>> =
            entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect();
        let mut names = names.map_err(ExperimentError::io("read", &self.path))?;
        names.sort();
        Ok(names)
    }

    fn refusal(&self, detail: &str) -> ExperimentError {
        ExperimentError::Bundle { path: self.path.clone(), detail: detail.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn committed() -> BundleFiles {
        let folder = crate::config::own_folder().join("bundles/quick");
        let names = ["policy.json", "weights.safetensors", "golden.json"];
        names.iter().map(|name| ((*name).to_owned(), std::fs::read(folder.join(name)).unwrap())).collect()
    }

    fn id() -> String {
        Bundle::load(&committed()).unwrap().card().id.clone()
    }

    #[test]
    fn a_folder_with_foreign_files_is_refused_by_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("tuned.json"), "mine").unwrap();
        for force in [false, true] {
            let place = Place::named(folder.path().to_owned(), force);
            for refused in [place.check(&id()), place.write(&BundleFiles::new(), &committed()).map(drop)] {
                let message = refused.unwrap_err().to_string();
                assert!(message.contains("tuned.json") && message.contains("no bundle"), "{message}");
            }
        }
        assert_eq!(std::fs::read_to_string(folder.path().join("tuned.json")).unwrap(), "mine");
        std::fs::write(folder.path().join("policy.json"), "{}").unwrap();
        let message = Place::named(folder.path().to_owned(), true).check(&id()).unwrap_err().to_string();
        assert!(message.contains("no whole bundle") && message.contains("tuned.json"), "{message}");
    }

    #[test]
    fn the_same_bundle_is_left_and_another_needs_force() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new");
        let place = Place::named(path.clone(), false);
        place.check(&id()).unwrap();
        assert_eq!(place.write(&BundleFiles::new(), &committed()).unwrap(), Written::Anew);
        assert_eq!(place.write(&BundleFiles::new(), &committed()).unwrap(), Written::Unchanged);
        place.check(&id()).unwrap();
        let message = place.check("other").unwrap_err().to_string();
        assert!(message.contains(&id()) && message.contains("`other`"), "{message}");

        let beside = BundleFiles::from([("note.json".to_owned(), b"{}".to_vec())]);
        let message = place.write(&beside, &committed()).unwrap_err().to_string();
        assert!(message.contains("other content") && message.contains("--force"), "{message}");
        assert!(!path.join("note.json").exists());
        assert_eq!(Place::named(path.clone(), true).write(&beside, &committed()).unwrap(), Written::Anew);
        assert!(path.join("note.json").is_file());
    }
}
