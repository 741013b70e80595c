//! Where trained weights come from: the run folder if it has them for the same recipe, else training, else an explanation.

use serde::Serialize;

use crate::config::Training;
use crate::error::Result;
use crate::hash;
use crate::learned::LearnedSet;
use crate::study::Setup;

/// Hash of everything that the weights depend on.
#[must_use]
pub fn recipe(setup: &Setup) -> String {
    #[derive(Serialize)]
    struct Parts<'a> {
        protocol: String,
        train: &'a Training,
        seeds: (u64, usize),
        selection: &'a [u64],
        limits: Option<(u32, u32)>,
        series: Vec<(String, &'a str, String)>,
    }
    let series = setup
        .arenas
        .iter()
        .filter(|arena| arena.trainable)
        .map(|arena| (arena.label(), arena.load.content_hash.as_str(), hash::of_json(&arena.load.splits)));
    hash::of_json(&Parts {
        protocol: setup.protocol.reference().hash,
        train: &setup.study.train,
        seeds: (setup.study.seeds.training_base, setup.study.seeds.training),
        selection: &setup.study.seeds.tuning,
        limits: setup.study.limits.map(|limits| (limits.min, limits.max)),
        series: series.collect(),
    })
}

/// The weights of a study.
///
/// # Errors
/// If they have to be trained and this binary cannot, or training fails.
pub fn obtain(setup: &Setup, command: &str) -> Result<LearnedSet> {
    let recipe = recipe(setup);
    if LearnedSet::is_made_from(setup.folder.root(), &recipe) {
        return LearnedSet::read(setup.folder.root());
    }
    train(setup, &recipe, command)
}

/// Trains anew and keeps the weights and learning curves in the run folder.
///
/// # Errors
/// See [`obtain`].
#[cfg(feature = "train")]
pub fn train(setup: &Setup, recipe: &str, _command: &str) -> Result<LearnedSet> {
    let learned = crate::train::train(setup)?;
    learned.write(setup.folder.root(), recipe)?;
    Ok(learned)
}

/// Says how to get a binary that can train.
///
/// # Errors
/// Always.
#[cfg(not(feature = "train"))]
pub fn train(setup: &Setup, _recipe: &str, command: &str) -> Result<LearnedSet> {
    let what = format!("study `{}`", setup.study.name);
    Err(crate::error::ExperimentError::NeedsTraining { what, command: command.to_owned() })
}
