//! Finished trials on disk while a tuning is under way, so that an interrupted one resumes.
//!
//! Trials are kept in small batches under the hash of all that their costs depend on: world, load, seeds, strategies with
//! their weights. When tuning is over, `trials.parquet` has every trial and the batches go.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use seatrial_envs::scenario::Scenario;
use serde::Serialize;

use super::{Trial, Tuner, mean_cost};
use crate::contest::Entrant;
use crate::error::{ExperimentError, Result};
use crate::hash;
use crate::progress::Progress;
use crate::run_folder::{RunFolder, read_json, write_json};
use crate::stage::Stage;

/// Trials of a batch: what an interrupt may cost per thread.
const BATCH: usize = 16;
/// Version of a batch's file and of what its name is made from; a change of the kernel's results raises it.
const SCHEMA: u32 = 2;

/// Where finished trials are kept.
#[derive(Clone, Copy)]
pub struct Kept<'a> {
    folder: &'a RunFolder,
}

/// Configurations that are scored on the same stages.
pub(super) struct Batch<'a> {
    pub(super) stages: &'a [Stage],
    pub(super) entrants: Vec<&'a Entrant>,
}

/// The batches of `trials`, in their order.
pub(super) fn batches<'a>(trials: &'a [Trial], stages: &'a [Vec<Stage>]) -> Vec<Batch<'a>> {
    let groups = trials.chunk_by(|a, b| a.arena == b.arena && a.rule == b.rule);
    groups
        .flat_map(|group| group.chunks(BATCH))
        .map(|part| Batch {
            stages: &stages[part[0].arena],
            entrants: part.iter().map(|trial| &trial.entrant).collect(),
        })
        .collect()
}

impl Batch<'_> {
    /// Hash of everything that the costs depend on.
    fn id(&self) -> String {
        #[derive(Serialize)]
        struct Played<'a> {
            world: &'a Scenario,
            start_us: i64,
            end_us: i64,
            seed: u64,
            rates: String,
            history: String,
        }
        let played = self.stages.iter().map(|stage| {
            let load = stage.traffic.load();
            Played {
                world: &stage.scenario,
                start_us: load.start().micros(),
                end_us: load.end().micros(),
                seed: stage.traffic.seed(),
                rates: hash::of_json(&load.rates_per_s()),
                history: hash::of_json(&load.past_rates_per_s()),
            }
        });
        let played: Vec<Played<'_>> = played.collect();
        let configs: Vec<String> = self.entrants.iter().map(|entrant| entrant.config_hash()).collect();
        hash::of_json(&(SCHEMA, played, configs))
    }
}

impl<'a> Kept<'a> {
    /// In the run folder.
    #[must_use]
    pub const fn new(folder: &'a RunFolder) -> Self {
        Self { folder }
    }

    /// Forgets all trials.
    ///
    /// # Errors
    /// If they cannot be removed.
    pub fn clear(self) -> Result<()> {
        let place = self.folder.tuning();
        if !place.is_dir() {
            return Ok(());
        }
        std::fs::remove_dir_all(&place).map_err(ExperimentError::io("remove", &place))
    }

    fn file(self, id: &str) -> PathBuf {
        self.folder.tuning().join(format!("{id}.json"))
    }

    /// The costs of a finished batch. A damaged file is as good as none.
    fn read(self, id: &str, trials: usize) -> Option<Vec<f64>> {
        read_json::<Vec<f64>>(&self.file(id)).ok().filter(|costs| costs.len() == trials)
    }
}

impl Tuner<'_> {
    /// The costs of the trials of `batches`, in their order; finished batches are kept, and those of an earlier command taken.
    pub(super) fn costs(&self, label: &'static str, batches: &[Batch<'_>]) -> Result<Vec<f64>> {
        let ids: Vec<String> = batches.iter().map(Batch::id).collect();
        let mut costs: Vec<Option<Vec<f64>>> =
            ids.iter().zip(batches).map(|(id, batch)| self.kept.read(id, batch.entrants.len())).collect();
        let total = batches.iter().map(|batch| batch.entrants.len()).sum::<usize>();
        let kept = costs.iter().flatten().map(Vec::len).sum::<usize>();
        let progress = Progress::resumed(self.crew.display, label, kept, total - kept);
        let done = AtomicUsize::new(kept);
        let interrupted = || ExperimentError::Interrupted { done: done.load(Ordering::Relaxed), total, unit: label };
        let lacking: Vec<usize> = (0..batches.len()).filter(|index| costs[*index].is_none()).collect();
        let scored = self.crew.quiet().map(label, &lacking, |index| {
            let mut batch = Vec::new();
            for entrant in &batches[*index].entrants {
                if self.crew.stopped() {
                    return Err(interrupted());
                }
                batch.push(mean_cost(batches[*index].stages, entrant)?);
                progress.advance();
            }
            write_json(&self.kept.file(&ids[*index]), &batch)?;
            done.fetch_add(batch.len(), Ordering::Relaxed);
            Ok(batch)
        });
        progress.finish();
        let scored = scored.map_err(|error| match error {
            ExperimentError::Interrupted { .. } => interrupted(),
            other => other,
        })?;
        lacking.into_iter().zip(scored).for_each(|(index, batch)| costs[index] = Some(batch));
        Ok(costs.into_iter().flatten().flatten().collect())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use seatrial_core::time::Timestamp;

    use super::*;
    use crate::commands::Shell;
    use crate::config;
    use crate::progress::Display;
    use crate::study::Setup;
    use crate::tune::CONSTANT_HEADROOM;

    const STUDY: &str = r#"
name = "kept"
protocol = "p1"
strategies = ["hpa-tuned"]
[seeds]
evaluation = [1]
tuning = [11]
training_base = 100
training = 1
[tune]
grid_share = 0.05
physics_step_s = 15
[[traces]]
id = "google_cluster_5min"
headline = false
"#;

    fn setup(root: &Path, stop: bool) -> Setup {
        let stop = Arc::new(AtomicBool::new(stop));
        let shell = Shell { trace_folders: Vec::new(), display: Display::Quiet, stop, now: Timestamp::ZERO };
        let loaded = config::parse(STUDY, "kept.toml".into(), Path::new("").into(), &[]).unwrap();
        let mut setup = Setup::open(loaded, root, &shell, Some(1)).unwrap();
        setup.enter("run kept.toml".into()).unwrap();
        setup
    }

    fn costs(root: &Path, stop: bool, batches_of: std::ops::Range<usize>) -> Result<Vec<f64>> {
        let setup = setup(root, stop);
        let kept = Kept::new(&setup.folder);
        let tuner =
            Tuner { study: &setup.study, protocol: &setup.protocol, arenas: &setup.arenas, crew: &setup.crew, kept };
        let arenas: Vec<_> = setup.arenas.iter().collect();
        let stages = tuner.stages(&arenas)?;
        let series: Vec<_> = arenas.iter().map(|arena| crate::tuned::SeriesTuning::new(arena)).collect();
        let trials = tuner.trials(&series, &super::super::rules_of(&setup.strategies));
        tuner.costs(CONSTANT_HEADROOM, &batches(&trials, &stages)[batches_of])
    }

    #[test]
    fn an_interrupted_tuning_keeps_its_batches_and_resumes_with_the_same_costs() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let whole = costs(&one.path().join("run"), false, 0..2).unwrap();
        assert!(whole.len() > BATCH, "{whole:?}");

        let run = two.path().join("run");
        let first = costs(&run, false, 0..1).unwrap();
        assert_eq!(first, whole[..BATCH]);
        let message = costs(&run, true, 0..2).unwrap_err().to_string();
        assert!(message.contains(&format!("interrupted after {BATCH} of {}", whole.len())), "{message}");
        // What is on disk is taken, not computed again: other numbers there come out.
        let file = RunFolder::at(&run).files_below("tuning").unwrap().remove(0);
        write_json(&run.join(file), &vec![7.5; BATCH]).unwrap();
        let resumed = costs(&run, false, 0..2).unwrap();
        assert_eq!(resumed[..BATCH], [7.5; BATCH]);
        assert_eq!(resumed[BATCH..], whole[BATCH..]);

        Kept::new(&RunFolder::at(&run)).clear().unwrap();
        assert!(!run.join("tuning").exists());
    }
}
