//! Two run folders file by file: equal, different, missing or extra, with a line for each and one that closes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::error::{ExperimentError, Result};
use crate::hash;
use crate::run_folder::RunFolder;

/// What only one of the folders has, or what depends on more than the run: not compared.
const OUTSIDE: [&str; 4] = ["policy/", "checkpoints/", "tuning/", "command.txt"];
/// Folders whose equal files are counted, not listed.
const COUNTED: &str = "cells/";
/// Names of differing files in the error; all of them are listed before it.
const MOST_NAMED: usize = 3;

/// What a comparison found about a file.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Finding {
    Equal(String),
    Wrong(String),
    Aside(String),
    /// A picture: pixels may depend on the machine, the drawing behind it does not.
    Drawn,
}

impl Finding {
    const fn counts(&self) -> bool {
        matches!(self, Self::Equal(_) | Self::Wrong(_))
    }
}

/// The findings, by file.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    files: BTreeMap<String, Finding>,
}

impl Comparison {
    /// Compares `run` with what a second evaluation wrote.
    pub(super) fn of(run: &RunFolder, again: &RunFolder) -> Result<Self> {
        let ours = |files: Vec<PathBuf>| -> BTreeSet<String> {
            let names = files.iter().map(|file| file.display().to_string());
            names.filter(|name| !OUTSIDE.iter().any(|outside| name.starts_with(outside))).collect()
        };
        let (first, second) = (ours(run.files()?), ours(again.files()?));
        let mut files = BTreeMap::new();
        for name in first.union(&second) {
            let finding = match (first.contains(name), second.contains(name)) {
                (true, true) => pair(name, &run.path(name), &again.path(name))?,
                (true, false) => Finding::Wrong("extra: the run does not make this file; delete it".into()),
                _ => Finding::Wrong("missing: the run makes this file, and it is not there".into()),
            };
            files.insert(name.clone(), finding);
        }
        Ok(Self { files })
    }

    /// Takes files out of the count: they were not made again.
    pub(super) fn set_aside(&mut self, names: &[&str], why: &str) {
        for name in names {
            if let Some(finding @ Finding::Equal(_)) = self.files.get_mut(*name) {
                *finding = Finding::Aside(why.to_owned());
            }
        }
    }

    /// Adds what was checked in another way.
    pub(super) fn add(&mut self, name: &str, checked: Result<String>) {
        let finding = match checked {
            Ok(what) => Finding::Equal(what),
            Err(error) => Finding::Wrong(format!("refused: {error}")),
        };
        self.files.insert(name.to_owned(), finding);
    }

    /// Prints a line for every file and the one that closes.
    ///
    /// # Errors
    /// If a file differs, is missing or is extra.
    pub(super) fn tell(&self) -> Result<()> {
        for line in self.lines() {
            say!("{line}");
        }
        let wrong: Vec<&str> =
            self.files.iter().filter(|(_, f)| matches!(f, Finding::Wrong(_))).map(|(name, _)| name.as_str()).collect();
        let compared = self.files.values().filter(|finding| finding.counts()).count();
        if wrong.is_empty() {
            say!("all {compared} files equal");
            return Ok(());
        }
        say!("{} of {compared} differ", wrong.len());
        let named = wrong.iter().take(MOST_NAMED).copied().collect::<Vec<_>>().join(", ");
        let more = if wrong.len() > MOST_NAMED { ", …" } else { "" };
        Err(ExperimentError::Differs(format!(
            "{} of {compared} files differ ({named}{more}); the run was changed, or made by another version: make it again",
            wrong.len()
        )))
    }

    fn lines(&self) -> Vec<String> {
        let counted = self.files.iter().filter(|(name, f)| name.starts_with(COUNTED) && matches!(f, Finding::Equal(_)));
        let counted = counted.count();
        let listed = |name: &str| !name.starts_with(COUNTED);
        let mut lines = Vec::new();
        if counted > 0 {
            lines.push(format!("equal    {COUNTED}: {counted} {}", if counted == 1 { "file" } else { "files" }));
        }
        let drawn = self.files.values().filter(|finding| **finding == Finding::Drawn).count();
        if drawn > 0 {
            lines.push(format!("aside    {drawn} PNG files: drawings of the SVG files beside them"));
        }
        for (name, finding) in &self.files {
            match finding {
                Finding::Equal(what) if listed(name) => lines.push(format!("equal    {name}: {what}")),
                Finding::Equal(_) | Finding::Drawn => {}
                Finding::Wrong(what) => lines.push(format!("DIFFERS  {name}: {what}")),
                Finding::Aside(why) => lines.push(format!("aside    {name}: {why}")),
            }
        }
        lines
    }
}

fn pair(name: &str, first: &Path, second: &Path) -> Result<Finding> {
    if Path::new(name).extension().is_some_and(|extension| extension == "png") {
        return Ok(Finding::Drawn);
    }
    let read = |path: &Path| std::fs::read(path).map_err(ExperimentError::io("read", path));
    let (first, second) = (read(first)?, read(second)?);
    let told = |bytes: &[u8]| format!("{} bytes, {}", bytes.len(), hash::short(&hash::of_bytes(bytes)));
    Ok(if first == second {
        Finding::Equal(told(&first))
    } else {
        Finding::Wrong(format!("{} in the run, {} made again", told(&first), told(&second)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run_folder::write_atomic;

    fn folder(files: &[(&str, &str)]) -> (tempfile::TempDir, RunFolder) {
        let place = tempfile::tempdir().unwrap();
        let folder = RunFolder::at(place.path());
        for (name, content) in files {
            write_atomic(&folder.path(name), content.as_bytes()).unwrap();
        }
        (place, folder)
    }

    #[test]
    fn every_kind_of_difference_is_named_and_counted() {
        let same = [("cells/ab/1.parquet", "one"), ("summary.json", "{}"), ("command.txt", "seatrial run")];
        let (_a, run) = folder(&[&same[..], &[("trials.parquet", "t"), ("report/f.png", "old")]].concat());
        let (_b, again) = folder(&[&same[..2], &[("trials.parquet", "t"), ("report/f.png", "new")]].concat());
        let mut comparison = Comparison::of(&run, &again).unwrap();
        comparison.set_aside(&["trials.parquet", "learning.parquet"], "made by tuning");
        comparison.tell().unwrap();
        assert_eq!(comparison.lines().len(), 4, "{:?}", comparison.lines());

        write_atomic(&run.path("cells/ab/2.parquet"), b"stray").unwrap();
        write_atomic(&run.path("summary.json"), b"[]").unwrap();
        write_atomic(&again.path("decisions/x.parquet"), b"x").unwrap();
        let comparison = Comparison::of(&run, &again).unwrap();
        let message = comparison.tell().unwrap_err().to_string();
        assert!(message.contains("3 of 5 files differ"), "{message}");
        let lines = comparison.lines().join("\n");
        for expected in [
            "cells/ab/2.parquet: extra",
            "decisions/x.parquet: missing",
            "summary.json: 2 bytes",
            "cells/: 1 file",
            "1 PNG files",
        ] {
            assert!(lines.contains(expected), "{expected}: {lines}");
        }
    }
}
