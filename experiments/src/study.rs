//! Running a study: open the traces, get weights and parameters, score the cells, write the run folder.
//!
//! Each step leaves what it made in the run folder under the hash of what it was made from, so the same command resumes.

mod ingredients;
mod same;
mod setup;

use std::path::Path;

use seatrial_datasets::moment;
use seatrial_reports::model::NOMINAL;

use crate::bundle_folder;
use crate::cells::{Cell, write_cells};
use crate::cli::{RunArgs, StudyArgs};
use crate::commands::Shell;
use crate::config::{Seeds, Study};
use crate::contest::Kit;
use crate::error::{ExperimentError, Result};
use crate::export::{self, Place};
use crate::hash;
use crate::learned::LearnedSet;
use crate::manifest::{self, MANIFEST_SCHEMA, Manifest, Opening};
use crate::report;
use crate::run_folder::{RunFolder, write_atomic, write_json};
use crate::schedule::Shard;
use crate::scoring::{Plan, Scoring};
use crate::tuned::Tuned;

pub use ingredients::Ingredients;
pub use setup::{RulesFrom, Setup};

/// `seatrial run`.
///
/// # Errors
/// Whatever stops the study; finished cells are kept.
pub fn run(arguments: &RunArgs, shell: &Shell) -> Result<()> {
    let shard = arguments.study.shard.as_deref().map_or(Ok(Shard::WHOLE), Shard::parse)?;
    let command = arguments.asked("run");
    let mut setup = Setup::new(&arguments.config, &arguments.study, shell)?;
    if let Some(bundle) = setup.bundle_folder() {
        refuse_seeds(&arguments.study, &bundle)?;
        bundle_folder::check_whole(&bundle)?;
    }
    setup.enter(arguments.repeated("run"))?;
    let ingredients = setup.ingredients(&command)?;
    score(&mut setup, &ingredients, shard, &command)?;
    match &ingredients.learned {
        _ if !setup.study.export || !setup.folder.summary().is_file() => Ok(()),
        None => {
            say!("NOT EXPORTED: the study has no learned policy");
            Ok(())
        }
        Some(learned) => {
            let place = Place::of_run(setup.folder.policy());
            offer(export::publish(&setup, &ingredients.tuned, learned, &place), place.path())
        }
    }
}

/// A number of training seeds means nothing to a study that trains nothing.
fn refuse_seeds(flags: &StudyArgs, bundle: &Path) -> Result<()> {
    match flags.seeds {
        None => Ok(()),
        Some(seeds) => Err(ExperimentError::Usage {
            what: format!(
                "--seeds {seeds}: the study takes its weights from the bundle {} and trains nothing",
                bundle.display()
            ),
            next: "leave --seeds out, or `bundle` out of the study, or use `seatrial train`".into(),
        }),
    }
}

/// A refusal of the gate is a finding of the run, not a failure of it.
fn offer(published: Result<()>, place: &Path) -> Result<()> {
    match published {
        Err(ExperimentError::Gate(reasons)) => {
            say!("NOT EXPORTED: {reasons}");
            if place.exists() {
                say!("{} is of an earlier command; this one did not touch it", place.display());
            }
            Ok(())
        }
        other => other,
    }
}

/// `seatrial train`.
///
/// # Errors
/// If the study has nothing to train, or training fails.
pub fn train(arguments: &RunArgs, shell: &Shell) -> Result<()> {
    let command = arguments.asked("train");
    let mut setup = Setup::new(&arguments.config, &arguments.study, shell)?;
    if !setup.strategies.iter().any(crate::strategies::Strategy::is_learned) {
        return Err(ExperimentError::Usage {
            what: format!("study `{}` has no learned strategy", setup.study.name),
            next: "add `lstm-dqn` to its `strategies`".into(),
        });
    }
    // Weights of a bundle are someone's earlier training; this command makes new ones.
    setup.study.bundle = None;
    setup.enter(arguments.repeated("train"))?;
    let ingredients = setup.ingredients(&command)?;
    let members = ingredients.learned.as_ref().map_or(0, |learned| learned.members().len());
    say!("trained {members} members into {}", setup.folder.root().display());
    Ok(())
}

/// Scores the cells of `shard` and, when all cells are there, writes tables, manifest and report.
///
/// # Errors
/// If a cell fails, a file cannot be written, or the crew is interrupted.
pub fn score(setup: &mut Setup, ingredients: &Ingredients, shard: Shard, command: &str) -> Result<()> {
    setup.settle()?;
    let plan = plan(setup, &ingredients.tuned, ingredients.learned.as_ref())?;
    let mine = plan.run(&setup.crew, &setup.folder, shard, false)?;
    if shard != Shard::WHOLE && !plan.complete(&setup.folder) {
        say!(
            "{} cells of this shard are done; run the other shards into {} too, the last one writes the report",
            mine.len(),
            setup.folder.root().display()
        );
        return Ok(());
    }
    let cells = if shard == Shard::WHOLE { mine } else { plan.run(&setup.crew, &setup.folder, Shard::WHOLE, false)? };
    plan.prune(&setup.folder)?;
    write_cells(&setup.folder.cells(), &cells)?;
    write_json(&setup.folder.manifest(), &manifest(setup, ingredients, &cells, command)?)?;
    report::write(&setup.folder)?.print();
    Ok(())
}

/// The plan of a study.
///
/// # Errors
/// If a strategy lacks parameters or weights.
pub fn plan(setup: &Setup, tuned: &Tuned, learned: Option<&LearnedSet>) -> Result<Plan> {
    let kit = Kit { tuned, learned };
    let scoring = Scoring { study: &setup.study, protocol: &setup.protocol, arenas: &setup.arenas, kit };
    scoring.plan(&setup.strategies)
}

/// The papers of a run whose cells are written.
///
/// # Errors
/// If the cells or an earlier manifest cannot be read.
pub fn manifest(setup: &Setup, ingredients: &Ingredients, cells: &[Cell], command: &str) -> Result<Manifest> {
    let revision = manifest::revision();
    let mut openings = manifest::earlier_openings(&setup.folder)?;
    openings.push(Opening {
        by: command.to_owned(),
        purpose: format!(
            "score {} strategies ({NOMINAL} and {} other regimes)",
            setup.strategies.len(),
            setup.study.regimes.len() - 1
        ),
        at: moment::format(setup.now),
        revision: revision.clone(),
    });
    let bytes = std::fs::read(setup.folder.cells()).map_err(ExperimentError::io("read", &setup.folder.cells()))?;
    Ok(Manifest {
        schema: MANIFEST_SCHEMA,
        name: setup.study.name.clone(),
        revision,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        config_hash: hash::of_bytes(setup.resolved()?.as_bytes()),
        protocol: setup.protocol.reference(),
        kernel: setup.study.plays_on().in_words(),
        traces: setup.arenas.iter().map(crate::arena::Arena::reference).collect(),
        seeds: seeds(setup, ingredients.learned.as_ref()),
        tuned_hash: Some(ingredients.tuned.hash()),
        weights: ingredients.learned.as_ref().map(LearnedSet::references).unwrap_or_default(),
        cells: cells.len(),
        cells_hash: Some(hash::of_bytes(&bytes)),
        openings,
        notes: setup.notes.clone(),
    })
}

/// The seeds of a run: those of training are the members' own where they come from a bundle.
fn seeds(setup: &Setup, learned: Option<&LearnedSet>) -> Seeds {
    let asked = setup.study.seeds.clone();
    let members = learned.filter(|_| setup.study.bundle.is_some()).map(LearnedSet::members);
    match members {
        Some([first, rest @ ..]) => Seeds { training_base: first.seed, training: 1 + rest.len(), ..asked },
        _ => asked,
    }
}

impl Setup {
    /// The resolved study as TOML.
    ///
    /// # Errors
    /// If it cannot be written as TOML: a bug.
    pub fn resolved(&self) -> Result<String> {
        resolved(&self.study)
    }

    /// Writes down the strategies that really take part, so that the run folder alone says what was run.
    fn settle(&mut self) -> Result<()> {
        self.study.strategies = self.strategies.iter().map(|strategy| strategy.id.clone()).collect();
        write_resolved(&self.folder, &self.study)
    }
}

/// Writes the study of `setup` as it stands.
///
/// # Errors
/// If the file cannot be written.
pub fn write_settled(setup: &Setup) -> Result<()> {
    write_resolved(&setup.folder, &setup.study)
}

fn resolved(study: &Study) -> Result<String> {
    toml::to_string(study).map_err(|error| ExperimentError::config(&study.name, "(whole study)", error.to_string()))
}

fn write_resolved(folder: &RunFolder, study: &Study) -> Result<()> {
    write_atomic(&folder.resolved_config(), resolved(study)?.as_bytes())
}

/// Lays the short flags over a study.
fn apply_flags(study: &mut Study, flags: &StudyArgs) {
    if let Some(seeds) = flags.seeds {
        study.seeds.training = seeds;
    }
    if !flags.traces.is_empty() {
        let known = std::mem::take(&mut study.traces);
        let choice = |name: &String| {
            known
                .iter()
                .find(|choice| choice.id == *name)
                .cloned()
                .unwrap_or_else(|| crate::config::TraceChoice::of(name))
        };
        study.traces = flags.traces.iter().map(choice).collect();
    }
}
