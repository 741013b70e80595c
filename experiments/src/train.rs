//! Training of the learned strategies: LSTM forecasters, then agents on their forecasts, then agents on the persistence forecast.
//!
//! One population per stage, one member per training seed, in lock-step. Fitted on training parts; selected on validation parts
//! by the exported weights run through the core in the evaluation kernel, with tuning seeds. Each stage keeps a checkpoint in
//! the run folder: an interrupt loses nothing, a crash at most five segments.

mod population;
mod worlds;

use std::path::PathBuf;

use seatrial_agents::dqn::{DqnConfig, DqnMember, DqnTrainer, Hooks, TrainedAgent};
use seatrial_agents::lstm_forecaster::{ForecastSeries, LstmConfig, LstmMember, LstmTrainer, TrainedForecaster};
use seatrial_agents::{AgentError, checkpoint};
use seatrial_core::nets::Weights;
use seatrial_core::rl::VectorEnv;
use seatrial_core::scaling::forecasters::encoding::INPUT_LEN;
use seatrial_core::scaling::policies::Ingredients;
use seatrial_datasets::{Column, Table, TableError, write_table};
use seatrial_envs::scenario::Regime;
use seatrial_reports::model::{LearnerKind, LearningRow, Variant};

use crate::contest::{Entrant, HashedWeights, learned_spec};
use crate::corpus::Corpus;
use crate::error::{ExperimentError, Result};
use crate::learned::{LearnedSet, Member};
use crate::progress::Progress;
use crate::run_folder::RunFolder;
use crate::stage::Stage;
use crate::strategies::{Learned, Recipe};
use crate::study::Setup;

/// Trains every member of the study.
///
/// # Errors
/// If a learner fails, a file cannot be written, or the crew is interrupted.
pub fn train(setup: &Setup) -> Result<LearnedSet> {
    let mut school = School::new(setup)?;
    let forecasters = school.forecasters()?;
    let untrained = forecasters.iter().map(|forecaster| &forecaster.weights).collect::<Vec<_>>();
    let agents = school.agents("lstm", &untrained)?;
    let wanted = setup.strategies.iter().any(|strategy| strategy.recipe == Recipe::Learned(Learned::Persistence));
    let persistent = if wanted { Some(school.agents("persistence", &untrained)?) } else { None };
    school.write_curves()?;
    let mut members = Vec::new();
    for (index, seed) in school.seeds.iter().enumerate() {
        let forecaster = &forecasters[index].weights;
        let with = |agent: &TrainedAgent| forecaster.clone().overlaid(&agent.weights);
        let relative = persistent.as_ref().map(|agents| with(&agents[index]));
        members.push(Member::new(*seed, with(&agents[index]), relative)?);
    }
    Ok(LearnedSet::new(members))
}

/// Segments of an agent between checkpoints; an interrupt makes one too.
const SEGMENTS_PER_CHECKPOINT: u64 = 5;

/// What all stages of training share.
struct School<'a> {
    setup: &'a Setup,
    seeds: Vec<u64>,
    validation: Vec<Stage>,
    curves: Vec<LearningRow>,
}

fn failed(error: &AgentError) -> ExperimentError {
    ExperimentError::Training(error.to_string())
}

impl<'a> School<'a> {
    fn new(setup: &'a Setup) -> Result<Self> {
        let seeds = &setup.study.seeds;
        let members = seeds.training_base..seeds.training_base + seeds.training as u64;
        let world = setup.protocol.world(Regime::Plain, setup.study.limits);
        let mut validation = Vec::new();
        for arena in setup.arenas.iter().filter(|arena| arena.trainable) {
            for seed in &seeds.tuning {
                validation.push(Stage::new(arena, &arena.validation_part(), &world, *seed)?);
            }
        }
        if validation.is_empty() {
            return Err(ExperimentError::Training("no series is long enough to train on (3 days)".into()));
        }
        Ok(Self { setup, seeds: members.collect(), validation, curves: Vec::new() })
    }

    fn forecasters(&mut self) -> Result<Vec<TrainedForecaster>> {
        let settings = &self.setup.study.train.forecaster;
        let config = LstmConfig {
            input_len: INPUT_LEN,
            hidden: settings.hidden,
            updates: settings.updates,
            lanes: settings.lanes,
            window: settings.window,
            burn_in: settings.window * 2 / 3,
            validate_every: settings.validate_every,
            threads: self.setup.study.train.threads,
            ..LstmConfig::default()
        };
        let learning_rate = settings.learning_rate;
        let members: Vec<LstmMember> =
            self.seeds.iter().map(|seed| LstmMember { seed: *seed, learning_rate }).collect();
        let series = self.corpora()?;
        let path = self.checkpoint("forecaster");
        let saved = checkpoint::read(&path).map_err(|error| failed(&error))?;
        // A checkpoint of other settings is not an error: the stage begins anew.
        let resumed =
            saved.and_then(|bytes| LstmTrainer::resume(config.clone(), members.clone(), &series, &bytes).ok());
        let mut trainer = match resumed {
            Some(trainer) => trainer,
            None => LstmTrainer::new(config, members, &series).map_err(|error| failed(&error))?,
        };
        let total = settings.updates.div_ceil(settings.validate_every);
        let progress = self.progress("forecaster", total, trainer.update() / settings.validate_every);
        while !trainer.is_finished() {
            self.stop_if_asked(trainer.update(), settings.updates, "updates of the forecaster")?;
            trainer.advance(settings.validate_every).map_err(|error| failed(&error))?;
            save(&path, &trainer.checkpoint().map_err(|error| failed(&error))?)?;
            progress.advance();
        }
        progress.finish();
        for row in trainer.rows() {
            let curve = Curve { kind: LearnerKind::Forecaster, member: self.seeds[row.member], step: row.update };
            self.curves
                .extend([curve.row("train_loss", row.train_loss), curve.row("validation_loss", row.validation_loss)]);
        }
        trainer.finish().map_err(|error| failed(&error))
    }

    fn corpora(&self) -> Result<Vec<ForecastSeries>> {
        let arenas: Vec<_> = self.setup.arenas.iter().filter(|arena| arena.trainable).collect();
        let workload = self.validation[0].scenario.workload;
        let horizon = workload.metric_lag + workload.prior_lead_time;
        let seed = self.setup.study.seeds.training_base;
        self.setup.crew.map("corpora", &arenas, |arena| {
            let corpus = Corpus::new(arena, workload.scrape_interval, horizon, seed)?;
            let Corpus { inputs, targets, train, validation, .. } = corpus;
            Ok(ForecastSeries { inputs: inputs.concat(), targets, train, validation })
        })
    }

    /// Agents on the forecasts of `forecaster`, one per member of `weights`.
    fn agents(&mut self, forecaster: &'static str, weights: &[&Weights]) -> Result<Vec<TrainedAgent>> {
        let name = if forecaster == "lstm" { "agent" } else { "agent-persistence" };
        let mut env = worlds::environment(self.setup, forecaster, &self.seeds, weights)?;
        let config = self.dqn_config(worlds::typical_cost(self.setup));
        let settings = &self.setup.study.train.agent;
        let member =
            |seed: &u64| DqnMember { seed: *seed, learning_rate: settings.learning_rate, discount: settings.discount };
        let members: Vec<DqnMember> = self.seeds.iter().map(member).collect();
        let path = self.checkpoint(name);
        let saved = checkpoint::read(&path).map_err(|error| failed(&error))?;
        let resumed = saved.and_then(|bytes| DqnTrainer::resume(config.clone(), members.clone(), &env, &bytes).ok());
        let mut trainer = match resumed {
            Some(trainer) => trainer,
            None => DqnTrainer::new(config, members, &env).map_err(|error| failed(&error))?,
        };
        let total = settings.vector_steps.div_ceil(settings.segment_steps);
        let progress = self.progress(name, total, trainer.step() / settings.segment_steps);
        while !trainer.is_finished() {
            self.stop_if_asked(trainer.step(), settings.vector_steps, "steps of the agent")?;
            self.segment(&mut trainer, &mut env, forecaster, weights)?;
            // A checkpoint holds the replay memory, hundreds of megabytes for a large population.
            let due = (trainer.step() / settings.segment_steps).is_multiple_of(SEGMENTS_PER_CHECKPOINT);
            if due || trainer.is_finished() || self.setup.crew.stopped() {
                save(&path, &trainer.checkpoint().map_err(|error| failed(&error))?)?;
            }
            progress.advance();
        }
        progress.finish();
        for row in trainer.rows() {
            let curve = Curve { kind: LearnerKind::Agent, member: self.seeds[row.member], step: row.env_steps };
            let prefix = if forecaster == "lstm" { "" } else { "persistence " };
            let named = |metric: &str, value| curve.row(&format!("{prefix}{metric}"), value);
            self.curves.extend([
                named("validation ln(J)", row.validation),
                named("mean cost above the reference", row.mean_cost),
                named("loss", row.loss),
            ]);
        }
        trainer.finish().map_err(|error| failed(&error))
    }

    fn dqn_config(&self, typical_cost: f64) -> DqnConfig {
        let settings = &self.setup.study.train.agent;
        DqnConfig {
            hidden: settings.hidden,
            envs_per_member: settings.envs,
            vector_steps: settings.vector_steps,
            segment_steps: settings.segment_steps,
            replay_capacity: settings.replay_capacity,
            updates_per_step: settings.updates_per_step,
            batch: settings.batch,
            n_step: settings.n_step,
            target_rate: settings.target_rate,
            exploration_hold: settings.exploration_hold,
            heuristic_share: settings.heuristic_share,
            cost_scale: typical_cost,
            cost_offset: 0.0,
            threads: self.setup.study.train.threads,
            ..DqnConfig::default()
        }
    }

    fn segment(
        &self,
        trainer: &mut DqnTrainer,
        env: &mut dyn VectorEnv,
        forecaster: &str,
        weights: &[&Weights],
    ) -> Result<()> {
        let action = self.setup.study.train.agent.heuristic_action;
        let mut failure = None;
        let mut validate = |_: u64, agents: &[Weights]| {
            self.validate(forecaster, weights, agents).unwrap_or_else(|error| {
                failure = Some(error);
                vec![f64::NAN; agents.len()]
            })
        };
        let mut hooks = Hooks { heuristic: Some(&|_: &[f32]| action), validate: &mut validate };
        let outcome = trainer.run_segment(env, &mut hooks).map_err(|error| failed(&error));
        failure.map_or(outcome, Err)
    }

    /// Mean ln J of each member's policy on the validation stages: lower is better.
    fn validate(&self, forecaster: &str, forecasters: &[&Weights], agents: &[Weights]) -> Result<Vec<f64>> {
        let mut entrants = Vec::new();
        for ((seed, forecaster_weights), agent) in self.seeds.iter().zip(forecasters).zip(agents) {
            entrants.push(Entrant {
                strategy: "lstm-dqn".into(),
                variant: Variant::Learned,
                spec: learned_spec(forecaster),
                weights: Some(HashedWeights::new((*forecaster_weights).clone().overlaid(agent))?),
                train_seed: Some(*seed),
            });
        }
        let quiet = self.setup.crew.quiet();
        quiet.map("validation", &entrants, |entrant| {
            let mut sum = 0.0;
            for stage in &self.validation {
                sum += seatrial_core::math::ln(stage.score(entrant)?.j(stage.scenario.costs));
            }
            #[expect(clippy::cast_precision_loss, reason = "a handful of stages")]
            let stages = self.validation.len() as f64;
            Ok(sum / stages)
        })
    }

    fn stop_if_asked(&self, done: u64, total: u64, unit: &'static str) -> Result<()> {
        if self.setup.crew.stopped() {
            let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
            return Err(ExperimentError::Interrupted { done: count(done), total: count(total), unit });
        }
        Ok(())
    }

    fn progress(&self, label: &str, total: u64, done: u64) -> Progress {
        let progress = Progress::new(self.setup.crew.display, label, usize::try_from(total).unwrap_or(0));
        for _ in 0..done {
            progress.advance();
        }
        progress
    }

    fn checkpoint(&self, stage: &str) -> PathBuf {
        self.setup.folder.path("checkpoints").join(format!("{stage}.bin"))
    }

    fn write_curves(&self) -> Result<()> {
        write_learning(&self.setup.folder, &self.curves)
    }
}

fn save(path: &std::path::Path, bytes: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(ExperimentError::io("create", folder))?;
    }
    checkpoint::write(path, bytes).map_err(|error| failed(&error))
}

struct Curve {
    kind: LearnerKind,
    member: u64,
    step: u64,
}

impl Curve {
    fn row(&self, metric: &str, value: f64) -> LearningRow {
        LearningRow { member: self.member, kind: self.kind, step: self.step, metric: metric.to_owned(), value }
    }
}

fn write_learning(folder: &RunFolder, rows: &[LearningRow]) -> Result<()> {
    let write = || -> std::result::Result<(), TableError> {
        let kind = |row: &LearningRow| if row.kind == LearnerKind::Agent { "agent" } else { "forecaster" }.to_owned();
        let table = Table::new()
            .with("member", Column::I64(rows.iter().map(|row| row.member.cast_signed()).collect()))?
            .with("kind", Column::Text(rows.iter().map(kind).collect()))?
            .with("step", Column::I64(rows.iter().map(|row| row.step.cast_signed()).collect()))?
            .with("metric", Column::Text(rows.iter().map(|row| row.metric.clone()).collect()))?
            .with("value", Column::F64(rows.iter().map(|row| row.value).collect()))?;
        write_table(&folder.learning(), &table, &[])
    };
    write().map_err(|error| ExperimentError::RunFolder { path: folder.learning(), detail: error.to_string() })
}

/// The ingredients of a forecaster with these weights.
fn ingredients<'a>(stage: &'a seatrial_envs::scenario::Scenario, weights: &'a Weights) -> Ingredients<'a> {
    Ingredients { workload: &stage.workload, weights: Some(weights) }
}
