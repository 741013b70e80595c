//! What a study is run with: tuned parameters and trained weights, taken from a bundle, from the run folder, or made now.

use seatrial_datasets::{Column, Table, write_table};
use seatrial_reports::model::TrialRow;

use super::{RulesFrom, Setup};
use crate::bundle_folder;
use crate::config;
use crate::error::{ExperimentError, Result};
use crate::learned::{LearnedSet, Member};
use crate::learning;
use crate::progress::Display;
use crate::report;
use crate::run_folder::RunFolder;
use crate::strategies::{Learned, Recipe, Strategy};
use crate::tune::{CONSTANT_HEADROOM, Kept, Outcome, Tuner};
use crate::tuned::{TUNED_FILE, Tuned};

/// See the module.
pub struct Ingredients {
    /// Parameters of the rules.
    pub tuned: Tuned,
    /// Trained weights, if a strategy needs them.
    pub learned: Option<LearnedSet>,
}

impl Setup {
    /// Gets parameters and weights; what had to be made is kept in the run folder.
    ///
    /// # Errors
    /// If training is needed and not possible, or tuning or training fails.
    pub fn ingredients(&mut self, command: &str) -> Result<Ingredients> {
        let learned = self.learned()?;
        let Outcome { mut tuned, mut trials } = self.tuned(command)?;
        if let Some(learned) = &learned {
            if self.rules_from != RulesFrom::Study {
                self.take_constants(&mut tuned, learned)?;
            }
            let chosen = self.choose_constants(&mut tuned, learned)?;
            if trials.is_empty() && !chosen.is_empty() {
                trials = self.earlier_trials()?;
            }
            trials.extend(chosen);
        }
        if self.study.runs_yardsticks() && tuned.yardstick_factors.is_empty() {
            self.tell(
                "no factors were chosen for the yardsticks (tuning chooses them): regret is not split into its shares",
            );
        }
        if !trials.is_empty() {
            write_trials(&self.folder, &trials)?;
        }
        tuned.write(self.folder.root())?;
        Kept::new(&self.folder).clear()?;
        if let Some(learned) = &learned {
            // The run folder is complete without the bundle it was made from.
            learned.write(self.folder.root(), &learning::recipe(self))?;
        }
        Ok(Ingredients { tuned, learned })
    }

    fn tuner(&self) -> Tuner<'_> {
        let kept = Kept::new(&self.folder);
        Tuner { study: &self.study, protocol: &self.protocol, arenas: &self.arenas, crew: &self.crew, kept }
    }

    /// The trials of rules whose winners are taken over from an earlier command.
    fn earlier_trials(&self) -> Result<Vec<TrialRow>> {
        let mut trials = report::read_trials(&self.folder)?;
        trials.retain(|trial| trial.strategy != CONSTANT_HEADROOM);
        Ok(trials)
    }

    fn learned(&mut self) -> Result<Option<LearnedSet>> {
        if !self.strategies.iter().any(Strategy::is_learned) {
            return Ok(None);
        }
        let Some(bundle) = self.bundle_folder() else {
            return learning::obtain(self, &self.command).map(Some);
        };
        if !bundle.join(crate::learned::BUNDLE_WEIGHTS).is_file() {
            self.drop_learned(&format!("no trained weights in {}: the learned rows are left out", bundle.display()));
            return Ok(None);
        }
        bundle_folder::load(&bundle)?;
        let learned = LearnedSet::read(&bundle)?;
        if !learned.members().iter().all(Member::has_persistence) {
            self.drop(Learned::Persistence, "the bundle has no agent trained on the persistence forecast");
        }
        Ok(Some(learned))
    }

    fn drop_learned(&mut self, why: &str) {
        self.strategies.retain(|strategy| !strategy.is_learned());
        self.tell(why);
    }

    fn drop(&mut self, which: Learned, why: &str) {
        let before = self.strategies.len();
        self.strategies.retain(|strategy| strategy.recipe != Recipe::Learned(which));
        if self.strategies.len() < before {
            self.tell(why);
        }
    }

    /// Says something to whoever watches, and to the readers of the report.
    pub(crate) fn tell(&mut self, what: &str) {
        if self.crew.display != Display::Quiet {
            tell!("note: {what}");
        }
        self.notes.push(what.to_owned());
    }

    fn tuned(&mut self, command: &str) -> Result<Outcome> {
        if self.rules_from == RulesFrom::Global {
            return self.global_rules();
        }
        if let Some(bundle) = self.bundle_folder().filter(|_| self.rules_from == RulesFrom::Study) {
            if let Some(tuned) = Tuned::read(&bundle)? {
                tuned.check_covers(&self.arenas, &bundle)?;
                return Ok(Outcome { tuned, trials: Vec::new() });
            }
            self.tell(&format!("no tuned parameters in {}: tuning now", bundle.display()));
        }
        let recipe = self.tuner().recipe(&self.strategies);
        match Tuned::read(self.folder.root()) {
            Ok(Some(tuned)) if tuned.recipe == recipe => Ok(Outcome { tuned, trials: Vec::new() }),
            _ => self.tuner().tune(&self.strategies, command),
        }
    }

    /// The committed settings: those beside the bundle, else those of the built-in quick study.
    fn global_rules(&self) -> Result<Outcome> {
        let places = self.bundle_folder().into_iter().chain([config::own_folder().join("bundles/quick")]);
        for place in places {
            if let Some(tuned) = Tuned::read(&place)? {
                return Ok(Outcome { tuned, trials: Vec::new() });
            }
        }
        let detail =
            "no committed global settings; evaluate on a longer trace without --whole, so that rules can be tuned";
        Err(ExperimentError::config(TUNED_FILE, "global", detail))
    }

    /// The bundle's own constant headrooms, where the rules are not the bundle's: a foreign trace says nothing about how the
    /// policy was taken apart. Without them the row is left out.
    fn take_constants(&mut self, tuned: &mut Tuned, learned: &LearnedSet) -> Result<()> {
        const ROW: Learned = Learned::ConstantHeadroom;
        if !self.strategies.iter().any(|strategy| strategy.recipe == Recipe::Learned(ROW)) {
            return Ok(());
        }
        let bundle = self.bundle_folder().map_or(Ok(None), |folder| Tuned::read(&folder))?;
        tuned.constant_headroom = bundle.map(|there| there.constant_headroom).unwrap_or_default();
        let chosen = |member: &Member| tuned.constant_headroom.iter().find(|constant| constant.is_of(member));
        if !learned.members().iter().all(|member| chosen(member).is_some()) {
            tuned.constant_headroom.clear();
            self.drop(ROW, "the bundle has no constant headroom: headroom-constant is left out");
            return Ok(());
        }
        let labels: Vec<String> = self.arenas.iter().map(crate::arena::Arena::label).collect();
        for label in labels.iter().filter(|label| tuned.constant_headroom.iter().all(|known| known.label != **label)) {
            for constant in learned.members().iter().filter_map(chosen) {
                self.tell(&format!(
                    "headroom-constant on {label} has the bundle's factor {}, chosen on {}",
                    constant.factor, constant.label
                ));
            }
        }
        Ok(())
    }

    fn choose_constants(&self, tuned: &mut Tuned, learned: &LearnedSet) -> Result<Vec<TrialRow>> {
        let wanted = self.strategies.iter().any(|s| s.recipe == Recipe::Learned(Learned::ConstantHeadroom));
        let known = |member: &Member| tuned.constant_headroom.iter().any(|constant| constant.is_of(member));
        if !wanted || learned.members().iter().all(known) {
            return Ok(Vec::new());
        }
        let (constants, trials) = self.tuner().choose_constants(learned)?;
        tuned.constant_headroom = constants;
        Ok(trials)
    }
}

fn write_trials(folder: &RunFolder, trials: &[TrialRow]) -> Result<()> {
    let path = folder.path("trials.parquet");
    let text = |of: fn(&TrialRow) -> String| Column::Text(trials.iter().map(of).collect());
    let table = Table::new()
        .with("strategy", text(|row| row.strategy.clone()))
        .and_then(|table| table.with("series", text(|row| row.series.clone())))
        .and_then(|table| table.with("trial", Column::I64(trials.iter().map(|row| row.trial.cast_signed()).collect())))
        .and_then(|table| table.with("config", text(|row| row.config.to_string())))
        .and_then(|table| {
            table.with("validation_cost", Column::F64(trials.iter().map(|row| row.validation_cost).collect()))
        })
        .and_then(|table| write_table(&path, &table, &[]));
    table.map_err(|error| ExperimentError::RunFolder { path, detail: error.to_string() })
}
