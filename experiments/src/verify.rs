//! `seatrial verify`: evaluates a finished run again, from parameters and weights alone, and compares the bytes.
//!
//! The cell store of the run is neither read nor written. `--train` also trains again and compares the weights.

use std::path::{Path, PathBuf};

use crate::cells::write_cells;
use crate::cli::VerifyArgs;
use crate::commands::Shell;
use crate::config;
use crate::error::{ExperimentError, Result};
use crate::hash;
use crate::learned::LearnedSet;
use crate::learning;
use crate::manifest::Manifest;
use crate::report;
use crate::run_folder::{RunFolder, read_json};
use crate::schedule::Shard;
use crate::strategies::Strategy;
use crate::study::{self, Setup};
use crate::tuned::Tuned;

/// Verifies a run.
///
/// # Errors
/// If the run is not complete, its traces have changed, or any byte differs.
pub fn verify(arguments: &VerifyArgs, shell: &Shell) -> Result<()> {
    let run = RunFolder::open(&arguments.run)?;
    let again = Scratch::new(&run)?;
    let manifest: Manifest = read_json(&run.manifest())?;
    let text =
        std::fs::read_to_string(run.resolved_config()).map_err(ExperimentError::io("read", &run.resolved_config()))?;
    let loaded = config::parse(&text, run.resolved_config().display().to_string(), PathBuf::new(), &[])?;
    let setup = Setup::open(loaded, &again.0, shell, arguments.jobs)?;
    check_traces(&setup, &manifest, &run)?;
    let tuned = Tuned::read(run.root())?.ok_or_else(|| lacks(&run, "tuned.json"))?;
    let needs_weights = setup.strategies.iter().any(Strategy::is_learned);
    let learned = if needs_weights { Some(LearnedSet::read(run.root())?) } else { None };
    if arguments.train {
        retrain(&setup, learned.as_ref(), &run)?;
    }
    let plan = study::plan(&setup, &tuned, learned.as_ref())?;
    let cells = plan.run(&setup.crew, &setup.folder, Shard::WHOLE, true)?;
    write_cells(&setup.folder.cells(), &cells)?;
    compare_all(&run, &setup.folder)
}

/// The folder of the second evaluation; gone when it is over.
struct Scratch(PathBuf);

impl Scratch {
    fn new(run: &RunFolder) -> Result<Self> {
        let path = run.path(format!(".verify-{}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(ExperimentError::io("create", &path))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A leftover is harmless, and there is nobody to tell.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn lacks(run: &RunFolder, file: &str) -> ExperimentError {
    ExperimentError::RunFolder { path: run.root().to_owned(), detail: format!("has no {file}; finish the run first") }
}

fn check_traces(setup: &Setup, manifest: &Manifest, run: &RunFolder) -> Result<()> {
    for (arena, then) in setup.arenas.iter().zip(&manifest.traces) {
        if arena.load.content_hash != then.content_hash {
            let detail = format!("trace `{}` has other content than when the run was made; restore it", arena.label());
            return Err(ExperimentError::RunFolder { path: run.root().to_owned(), detail });
        }
    }
    Ok(())
}

fn retrain(setup: &Setup, learned: Option<&LearnedSet>, run: &RunFolder) -> Result<()> {
    let Some(learned) = learned else { return Err(lacks(run, "learned strategy to train")) };
    let again = learning::train(setup, &learning::recipe(setup), &format!("verify {} --train", run.root().display()))?;
    if again.references() != learned.references() {
        return Err(ExperimentError::Differs(
            "retrained weights differ; training is equal only for the same machine, thread count and population".into(),
        ));
    }
    say!("weights: {} members, bytes equal", again.members().len());
    Ok(())
}

/// Compares everything that evaluation writes; then the report, written again from the second evaluation.
fn compare_all(run: &RunFolder, again: &RunFolder) -> Result<()> {
    compare(run, again, Path::new("cells.parquet"))?;
    for folder in ["decisions", "timelines", "forecasts"] {
        let files = names(&again.path(folder))?;
        for file in &files {
            compare(run, again, &Path::new(folder).join(file))?;
        }
    }
    for file in ["manifest.json", "config.resolved.toml", "learning.parquet", "trials.parquet"] {
        if run.path(file).is_file() {
            std::fs::copy(run.path(file), again.path(file)).map_err(ExperimentError::io("copy", &run.path(file)))?;
        }
    }
    report::write(again)?;
    compare(run, again, Path::new("summary.json"))
}

fn compare(run: &RunFolder, again: &RunFolder, file: &Path) -> Result<()> {
    let read = |folder: &RunFolder| {
        let path = folder.path(file);
        std::fs::read(&path).map_err(ExperimentError::io("read", &path))
    };
    let (first, second) = (read(run)?, read(again)?);
    if first != second {
        return Err(ExperimentError::Differs(format!(
            "{} differs: {} bytes with hash {} in the run, {} bytes with hash {} now; the run was changed, or made by another version",
            file.display(),
            first.len(),
            hash::short(&hash::of_bytes(&first)),
            second.len(),
            hash::short(&hash::of_bytes(&second))
        )));
    }
    say!("{}: {} bytes equal ({})", file.display(), first.len(), hash::short(&hash::of_bytes(&first)));
    Ok(())
}

fn names(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let entries = std::fs::read_dir(folder).map_err(ExperimentError::io("read", folder))?;
    let mut names: Vec<PathBuf> = entries.filter_map(|entry| Some(PathBuf::from(entry.ok()?.file_name()))).collect();
    names.sort();
    Ok(names)
}
