//! A study made ready: configuration checked, traces opened, strategies resolved, run folder open.

use std::path::{Path, PathBuf};

use seatrial_core::time::Timestamp;
use seatrial_datasets::Locator;
use seatrial_reports::model::Variant;

use crate::arena::{self, Arena};
use crate::cli::StudyArgs;
use crate::commands::Shell;
use crate::config::{self, LoadedStudy, Study};
use crate::error::{ExperimentError, Result};
use crate::protocol::Protocol;
use crate::run_folder::RunFolder;
use crate::schedule::Crew;
use crate::strategies::{self, Recipe, Strategy};

/// See the module.
pub struct Setup {
    /// The study, with the command line laid over it.
    pub study: Study,
    /// Its protocol.
    pub protocol: Protocol,
    /// Its series.
    pub arenas: Vec<Arena>,
    /// Its strategies.
    pub strategies: Vec<Strategy>,
    /// Its run folder.
    pub folder: RunFolder,
    /// Who works.
    pub crew: Crew,
    /// The wall clock, for openings.
    pub now: Timestamp,
    /// What a reader of the report must know.
    pub notes: Vec<String>,
    /// Where parameters of the rules come from.
    pub rules_from: RulesFrom,
    pub(super) config_folder: PathBuf,
    /// The command that runs it, to be repeated.
    pub(super) command: String,
}

/// Where parameters of the rules come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RulesFrom {
    /// The study's bundle, if it has one, else a search.
    Study,
    /// A search on the earlier part of each series.
    Search,
    /// The committed global settings: nothing is tuned.
    Global,
}

impl Setup {
    /// Loads a study by name or path and opens everything it names. Nothing is written before [`Self::enter`].
    ///
    /// # Errors
    /// If anything is not as it should be.
    pub fn new(config: &str, flags: &StudyArgs, shell: &Shell) -> Result<Self> {
        let mut loaded = config::load(config, &flags.overrides)?;
        super::apply_flags(&mut loaded.study, flags);
        loaded.study.check(&loaded.origin)?;
        check_bundle(&loaded)?;
        let out = flags.out.clone().unwrap_or_else(|| Path::new("runs").join(&loaded.study.name));
        Self::open(loaded, &out, shell, flags.jobs)
    }

    /// The same for a study that is loaded already.
    ///
    /// # Errors
    /// See [`Self::new`].
    pub fn open(loaded: LoadedStudy, out: &Path, shell: &Shell, jobs: Option<usize>) -> Result<Self> {
        let LoadedStudy { study, origin, folder: config_folder } = loaded;
        let crew = shell.crew(jobs)?;
        let protocol = Protocol::p1()?;
        let arenas = arena::open_all(&study.traces, &Locator::new(shell.trace_folders.clone()))?;
        let mut strategies = Vec::new();
        for id in &study.strategies {
            strategies.push(strategies::find(id, &origin)?);
        }
        if study.registered {
            strategies.extend(strategies::registered_beside(&strategies));
        }
        let notes = notes(&study, &arenas);
        Ok(Self {
            study,
            protocol,
            arenas,
            strategies,
            folder: RunFolder::at(out),
            crew,
            now: shell.now,
            notes,
            rules_from: RulesFrom::Study,
            config_folder,
            command: String::new(),
        })
    }

    /// Takes the run folder into use for `command`: a new one, or one in which the same study was begun.
    ///
    /// # Errors
    /// If the folder cannot be written, or holds something else than this study.
    pub fn enter(&mut self, command: String) -> Result<()> {
        self.folder = RunFolder::create(self.folder.root())?;
        if self.folder.is_begun()? {
            super::same::check(&self.folder, &self.asked())?;
        } else {
            super::write_resolved(&self.folder, &self.asked())?;
        }
        self.folder.keep_command(&format!("seatrial {command}"))?;
        self.command = command;
        Ok(())
    }

    /// The study with the strategies that were asked for, by name.
    fn asked(&self) -> Study {
        let strategies = self.strategies.iter().map(|strategy| strategy.id.clone()).collect();
        Study { strategies, ..self.study.clone() }
    }

    /// Replaces strategies that are tuned per series by their global relatives.
    pub fn use_global_rules(&mut self) {
        for strategy in &mut self.strategies {
            if let Recipe::Tuned(rule) = strategy.recipe {
                *strategy = Strategy { id: rule.global_id(), variant: Variant::Global, recipe: Recipe::Global(rule) };
            }
        }
    }

    /// The folder of committed parameters and weights, if the study names one.
    #[must_use]
    pub fn bundle_folder(&self) -> Option<PathBuf> {
        self.study.bundle.as_ref().map(|bundle| self.config_folder.join(bundle))
    }
}

fn check_bundle(loaded: &LoadedStudy) -> Result<()> {
    match loaded.study.bundle.as_ref().map(|bundle| loaded.folder.join(bundle)).filter(|path| !path.is_dir()) {
        None => Ok(()),
        Some(absent) => {
            let detail =
                format!("there is no folder {}; export a bundle there, or leave the key out", absent.display());
            Err(ExperimentError::config(&loaded.origin, "bundle", &detail))
        }
    }
}

fn notes(study: &Study, arenas: &[Arena]) -> Vec<String> {
    let mut notes: Vec<String> = study.plays_on().note().into_iter().collect();
    if let Some(limits) = study.limits {
        notes.push(format!("Replica bounds are {} to {}, not protocol P1's 1 to 100.", limits.min, limits.max));
    }
    if study.tune.grid_share < 1.0 {
        notes.push(format!(
            "Rules were tuned on {:.0} % of their grids: not protocol P1.",
            100.0 * study.tune.grid_share
        ));
    }
    for arena in arenas {
        let label = arena.label();
        if arena.load.smoothing_bins > 1 {
            notes.push(format!(
                "{label} is read as an intensity: causal exponential mean with k = {}.",
                arena.load.smoothing_bins
            ));
        }
        if arena.load.test_only {
            notes.push(format!("{label} is shorter than 3 days: test-only, global settings, learners zero-shot."));
        }
        if let Some(partial) = partial_days(arena) {
            notes.push(partial);
        }
        if !arena.load.native {
            let minutes = arena.load.interval.as_secs_f64() / 60.0;
            notes.push(format!("{label} is not headline: its bins of {minutes} min hide what happens inside them."));
        } else if !arena.headline {
            notes.push(format!("{label} is not headline: the study says so."));
        }
    }
    notes
}

/// A day that is not whole weighs as much as one that is, and its costs are those of other hours.
fn partial_days(arena: &Arena) -> Option<String> {
    let hours: Vec<String> =
        arena.partial_days().iter().map(|length| format!("{:.1} h", length.as_secs_f64() / 3_600.0)).collect();
    (!hours.is_empty()).then(|| format!("{}: a scored day is not whole ({}).", arena.label(), hours.join(" and ")))
}
