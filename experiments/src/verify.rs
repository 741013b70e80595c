//! `seatrial verify`: evaluates a finished run again, from parameters and weights alone, and compares every file by its bytes.
//!
//! The second evaluation writes a folder of its own, and the cell store of the run is not read: whatever the two folders do not
//! have in common is named. `--train` also tunes and trains again; without it, what these made is only read and written again.

mod compare;

use std::path::PathBuf;

use crate::arena::Arena;
use crate::bundle_folder;
use crate::cells::write_cells;
use crate::cli::VerifyArgs;
use crate::commands::Shell;
use crate::config;
use crate::error::{ExperimentError, Result};
use crate::learned::LearnedSet;
use crate::learning;
use crate::manifest::Manifest;
use crate::report;
use crate::run_folder::{RunFolder, read_json, write_json};
use crate::schedule::Shard;
use crate::strategies::Strategy;
use crate::study::{self, Ingredients, Setup};
use crate::tuned::Tuned;
use compare::Comparison;

/// What training and tuning leave beside parameters and weights; taken over unless they are done again.
const HISTORY: [&str; 2] = ["learning.parquet", "trials.parquet"];

/// Verifies a run.
///
/// # Errors
/// If the run is not complete, its traces have changed, or any byte differs.
pub fn verify(arguments: &VerifyArgs, shell: &Shell) -> Result<()> {
    let run = RunFolder::finished(&arguments.run)?;
    let manifest: Manifest = read_json(&run.manifest())?;
    let again = Scratch::new(&run)?;
    let mut loaded = config::of_run(&run)?;
    // The folder names every strategy that took part; one that this program knows beside them did not.
    let registered = std::mem::take(&mut loaded.study.registered);
    let mut setup = Setup::open(loaded, &again.0, shell, arguments.jobs)?;
    setup.study.registered = registered;
    check_traces(&setup, &manifest, &run)?;
    let ingredients = if arguments.train { made_again(&mut setup, &run)? } else { taken_over(&setup, &run)? };
    evaluate_again(&setup, &ingredients, manifest)?;
    let mut comparison = Comparison::of(&run, &setup.folder)?;
    if !arguments.train {
        comparison.set_aside(&HISTORY, "made by training and tuning; --train makes them again");
    }
    if run.policy().is_dir() {
        let checked = bundle_folder::load(&run.policy()).map(|_| "hashes and golden decisions hold".to_owned());
        comparison.add("policy/", checked);
    }
    comparison.tell()
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
    let detail = format!("has no {file}; restore it, or make the run again in another folder");
    ExperimentError::RunFolder { path: run.root().to_owned(), detail }
}

fn check_traces(setup: &Setup, manifest: &Manifest, run: &RunFolder) -> Result<()> {
    let wrong = |detail: String| Err(ExperimentError::RunFolder { path: run.root().to_owned(), detail });
    let same = |arena: &Arena, label: &str| arena.label() == label;
    for then in &manifest.traces {
        let label =
            if then.series.is_empty() { then.family.clone() } else { format!("{}/{}", then.family, then.series) };
        match setup.arenas.iter().find(|arena| same(arena, &label)) {
            Some(arena) if arena.load.content_hash == then.content_hash => {}
            Some(_) => return wrong(format!("trace {label} has other content than when the run was made; restore it")),
            None => {
                return wrong(format!("its manifest names trace {label}, its configuration does not; restore both"));
            }
        }
    }
    Ok(())
}

/// Parameters and weights of the run, written again as they were read: a changed file shows.
fn taken_over(setup: &Setup, run: &RunFolder) -> Result<Ingredients> {
    let tuned = Tuned::read(run.root())?.ok_or_else(|| lacks(run, "tuned.json"))?;
    tuned.write(setup.folder.root())?;
    let needs_weights = setup.strategies.iter().any(Strategy::is_learned);
    let learned = if needs_weights { Some(LearnedSet::read(run.root())?) } else { None };
    if let Some(learned) = &learned {
        learned.write(setup.folder.root(), &learning::recipe(setup))?;
    }
    for file in HISTORY {
        if run.path(file).is_file() {
            std::fs::copy(run.path(file), setup.folder.path(file))
                .map_err(ExperimentError::io("copy", &run.path(file)))?;
        }
    }
    Ok(Ingredients { tuned, learned })
}

/// Parameters and weights tuned and trained anew, under the papers of the run's own.
fn made_again(setup: &mut Setup, run: &RunFolder) -> Result<Ingredients> {
    if let Some(bundle) = &setup.study.bundle {
        return Err(ExperimentError::Usage {
            what: format!("--train: this run took its weights from the bundle {}", bundle.display()),
            next: "verify it without --train, or verify the run that made the bundle".into(),
        });
    }
    let then = Tuned::read(run.root())?.ok_or_else(|| lacks(run, "tuned.json"))?;
    let mut ingredients = setup.ingredients(&then.command)?;
    ingredients.tuned.revision = then.revision;
    ingredients.tuned.write(setup.folder.root())?;
    Ok(ingredients)
}

/// Scores every cell and writes all that follows from them. What tells when and by which program is taken from the run.
fn evaluate_again(setup: &Setup, ingredients: &Ingredients, then: Manifest) -> Result<()> {
    study::write_settled(setup)?;
    let plan = study::plan(setup, &ingredients.tuned, ingredients.learned.as_ref())?;
    let cells = plan.run(&setup.crew, &setup.folder, Shard::WHOLE, true)?;
    write_cells(&setup.folder.cells(), &cells)?;
    let now = study::manifest(setup, ingredients, &cells, "verify")?;
    let Manifest { revision, version, openings, notes, .. } = then;
    write_json(&setup.folder.manifest(), &Manifest { revision, version, openings, notes, ..now })?;
    report::write(&setup.folder)?;
    Ok(())
}
