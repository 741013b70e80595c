//! Tuning of rules on the earlier part of each series: last days of training plus validation, with tuning seeds.
//!
//! A trial is one configuration scored on one series; all trials are kept. The test part is never touched: stages are made
//! from [`Arena::tuning_part`] and [`Arena::validation_part`] alone. Ties go to the earlier row of the grid.

mod factors;
mod grid;
mod kept;
mod mixture;

use std::collections::BTreeMap;

use seatrial_core::scaling::forecasters::FitOptions;
use seatrial_core::scaling::strategy::StrategySpec;
use seatrial_core::time::Span;
use seatrial_envs::episode::EpisodeResult;
use seatrial_envs::scenario::{Regime, Scenario};
use seatrial_reports::model::{TrialRow, Variant};
use serde::Serialize;

use crate::arena::Arena;
use crate::config::{Study, Tuning};
use crate::contest::{Entrant, HashedWeights, constant_headroom};
use crate::corpus::Corpus;
use crate::error::{ExperimentError, Result};
use crate::hash;
use crate::learned::{LearnedSet, Member};
use crate::manifest;
use crate::protocol::Protocol;
use crate::schedule::Crew;
use crate::stage::Stage;
use crate::strategies::{Recipe, Rule, Strategy};
use crate::tuned::{ConstantHeadroom, SeriesTuning, TUNED_SCHEMA, Tuned, Winner};

pub use kept::Kept;
use kept::{Batch, batches};

/// The attribution row whose factor is chosen per member.
pub(crate) const CONSTANT_HEADROOM: &str = "headroom-constant";

/// Number of configurations of `rule`.
#[must_use]
pub fn grid_size(rule: Rule) -> usize {
    grid::grid(rule).len()
}

/// What tuning works on.
#[derive(Clone, Copy)]
pub struct Tuner<'a> {
    /// The study.
    pub study: &'a Study,
    /// Its protocol.
    pub protocol: &'a Protocol,
    /// Its series.
    pub arenas: &'a [Arena],
    /// Who works.
    pub crew: &'a Crew,
    /// Where finished trials are kept until all are done.
    pub kept: Kept<'a>,
}

/// Tuned parameters with every trial behind them.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The parameters.
    pub tuned: Tuned,
    /// The trials.
    pub trials: Vec<TrialRow>,
}

/// One configuration of one rule on one series.
struct Trial {
    arena: usize,
    rule: Rule,
    number: usize,
    entrant: Entrant,
}

impl Tuner<'_> {
    /// Hash of everything that the outcome depends on.
    #[must_use]
    pub fn recipe(&self, strategies: &[Strategy]) -> String {
        #[derive(Serialize)]
        struct Parts<'a> {
            schema: u32,
            protocol: String,
            tune: &'a Tuning,
            seeds: &'a [u64],
            fit_seed: u64,
            limits: Option<(u32, u32)>,
            rules: Vec<Rule>,
            yardsticks: bool,
            series: Vec<(String, &'a str, String)>,
        }
        let series = self.arenas.iter().map(|arena| {
            let splits = hash::of_json(&arena.load.splits);
            (arena.label(), arena.load.content_hash.as_str(), splits)
        });
        hash::of_json(&Parts {
            schema: TUNED_SCHEMA,
            protocol: self.protocol.reference().hash,
            tune: &self.study.tune,
            seeds: &self.study.seeds.tuning,
            fit_seed: self.study.seeds.training_base,
            limits: self.study.limits.map(|limits| (limits.min, limits.max)),
            rules: rules_of(strategies),
            yardsticks: self.study.yardsticks,
            series: series.collect(),
        })
    }

    /// Fits forecasters and scores every configuration of every rule that `strategies` name, on every trainable series.
    ///
    /// # Errors
    /// If a configuration cannot be built or run, a rule needs tuning and no series allows it, or the crew is interrupted.
    pub fn tune(&self, strategies: &[Strategy], command: &str) -> Result<Outcome> {
        let rules = rules_of(strategies);
        let mut tuned = Tuned {
            schema: TUNED_SCHEMA,
            command: command.to_owned(),
            revision: manifest::revision(),
            recipe: self.recipe(strategies),
            ..Tuned::default()
        };
        let trainable: Vec<&Arena> = self.arenas.iter().filter(|arena| arena.trainable).collect();
        if trainable.is_empty() && !rules.is_empty() {
            return Err(ExperimentError::Trace(
                "no series is long enough to tune on (3 days); use `-default` strategies, or a bundle with global settings".into(),
            ));
        }
        tuned.series = self.crew.map("fits", &trainable, |arena| self.fit(arena))?;
        let stages = self.stages(&trainable)?;
        let mut outcome = Outcome { tuned, trials: Vec::new() };
        let own: Vec<Rule> = rules.iter().copied().filter(|rule| *rule != Rule::Mixture).collect();
        self.search(&mut outcome, &own, &stages)?;
        if rules.contains(&Rule::Mixture) {
            // Its members are the winners of the others, so it comes last.
            self.search(&mut outcome, &[Rule::Mixture], &stages)?;
            mixture::generalise(&mut outcome.tuned);
        }
        if self.study.yardsticks {
            outcome.tuned.yardstick_factors = self.factors(&trainable, &stages)?;
        }
        Ok(outcome)
    }

    /// Scores every configuration of `rules` on every series and adds winners and trials.
    fn search(&self, outcome: &mut Outcome, rules: &[Rule], stages: &[Vec<Stage>]) -> Result<()> {
        let trials = self.trials(&outcome.tuned.series, rules);
        let costs = self.costs("trials", &batches(&trials, stages))?;
        conclude(outcome, &trials, &costs);
        Ok(())
    }

    fn world(&self) -> Scenario {
        let physics_step_s = f64::from(self.study.tune.physics_step_s);
        Scenario { physics_step_s, ..self.protocol.world(Regime::Plain, self.study.limits) }
    }

    fn stages(&self, arenas: &[&Arena]) -> Result<Vec<Vec<Stage>>> {
        let (world, seeds) = (self.world(), &self.study.seeds.tuning);
        let of = |arena: &&Arena| -> Result<Vec<Stage>> {
            let part = arena.tuning_part(&self.study.tune);
            seeds.iter().map(|seed| Stage::new(arena, &part, &world, *seed)).collect()
        };
        arenas.iter().map(of).collect()
    }

    /// The linear quantile forecaster of a series: fitted on training, its ridge selected on validation.
    fn fit(&self, arena: &Arena) -> Result<SeriesTuning> {
        let workload = self.world().workload;
        let horizon = workload.metric_lag + workload.prior_lead_time;
        let corpus = Corpus::new(arena, workload.scrape_interval, horizon, self.study.seeds.training_base)?;
        let mut best = None;
        for ridge in [1e-4, 1e-2] {
            let model = corpus.fit_linear(&FitOptions { ridge, ..FitOptions::default() })?;
            let loss = corpus.validation_loss(&model);
            if best.as_ref().is_none_or(|(least, _)| loss < *least) {
                best = Some((loss, model));
            }
        }
        let mut series = SeriesTuning::new(arena);
        if let Some((loss, weights)) = best.and_then(|(loss, model)| Some((loss, model.to_weights()?))) {
            series.set_fit(&arena.file_stem(), HashedWeights::new(weights)?, loss);
        }
        Ok(series)
    }

    fn trials(&self, series: &[SeriesTuning], rules: &[Rule]) -> Vec<Trial> {
        let mut trials = Vec::new();
        for (arena, tuning) in series.iter().enumerate() {
            for rule in rules {
                for (number, spec) in self.chosen(*rule).into_iter().enumerate() {
                    let spec = if *rule == Rule::Mixture { mixture::of_winners(&spec, &tuning.rules) } else { spec };
                    let weights = spec.forecaster.is_some().then(|| tuning.fitted()).flatten();
                    let strategy = rule.tuned_id();
                    let entrant = Entrant { strategy, variant: Variant::Tuned, spec, weights, train_seed: None };
                    trials.push(Trial { arena, rule: *rule, number, entrant });
                }
            }
        }
        trials
    }

    /// The grid, thinned out evenly if the study asks for less.
    fn chosen(&self, rule: Rule) -> Vec<StrategySpec> {
        let (share, mut owed) = (self.study.tune.grid_share, 1.0);
        let mut take = |_: &StrategySpec| {
            owed += share;
            let taken = owed >= 1.0;
            owed -= if taken { 1.0 } else { 0.0 };
            taken
        };
        grid::grid(rule).into_iter().filter(|spec| take(spec)).collect()
    }

    /// Chooses the constant headroom of every member on every trainable series, on validation.
    ///
    /// # Errors
    /// If an episode cannot be run or the crew is interrupted.
    pub fn choose_constants(&self, learned: &LearnedSet) -> Result<(Vec<ConstantHeadroom>, Vec<TrialRow>)> {
        let (world, seeds) = (self.world(), &self.study.seeds.tuning);
        let trainable: Vec<&Arena> = self.arenas.iter().filter(|arena| arena.trainable).collect();
        let mut pairs: Vec<(usize, Vec<Stage>)> = Vec::new();
        for (index, arena) in trainable.iter().enumerate() {
            let part = arena.validation_part();
            let stages: Result<Vec<Stage>> = seeds.iter().map(|seed| Stage::new(arena, &part, &world, *seed)).collect();
            pairs.push((index, stages?));
        }
        let items: Vec<(&(usize, Vec<Stage>), &Member)> =
            pairs.iter().flat_map(|pair| learned.members().iter().map(move |member| (pair, member))).collect();
        let factors = grid::constant_factors();
        let rivals: Vec<Vec<Entrant>> = items
            .iter()
            .map(|(_, member)| factors.iter().map(|factor| constant_entrant(*factor, member)).collect())
            .collect();
        let batches: Vec<Batch<'_>> = items
            .iter()
            .zip(&rivals)
            .map(|(((_, stages), _), entrants)| Batch { stages, entrants: entrants.iter().collect() })
            .collect();
        let costs = self.costs("constants", &batches)?;
        let scored: Vec<&[f64]> = costs.chunks(factors.len().max(1)).collect();
        let (mut constants, mut trials) = (Vec::new(), Vec::new());
        for (((index, _), member), costs) in items.iter().map(|(pair, member)| (*pair, *member)).zip(&scored) {
            let label = trainable[*index].label();
            let best = least(costs);
            constants.push(ConstantHeadroom {
                label: label.clone(),
                train_seed: member.seed,
                weights: member.trained.hash.clone(),
                factor: factors[best],
                trials: costs.len(),
            });
            trials.extend(costs.iter().enumerate().map(|(number, cost)| TrialRow {
                strategy: CONSTANT_HEADROOM.into(),
                series: label.clone(),
                trial: number as u64,
                config: serde_json::json!({ "factor": factors[number], "train_seed": member.seed }),
                validation_cost: *cost,
            }));
        }
        Ok((constants, trials))
    }
}

fn constant_entrant(factor: f64, member: &Member) -> Entrant {
    Entrant {
        strategy: CONSTANT_HEADROOM.into(),
        variant: Variant::Attribution,
        spec: constant_headroom(factor),
        weights: Some(member.trained.clone()),
        train_seed: Some(member.seed),
    }
}

/// The rules that `strategies` need tuned, in order.
fn rules_of(strategies: &[Strategy]) -> Vec<Rule> {
    let mut rules: Vec<Rule> = strategies
        .iter()
        .filter_map(|strategy| match strategy.recipe {
            Recipe::Tuned(rule) | Recipe::Global(rule) => Some(rule),
            _ => None,
        })
        .collect();
    if rules.contains(&Rule::Mixture) {
        rules.extend(mixture::MEMBERS);
    }
    rules.sort_unstable();
    rules.dedup();
    rules
}

/// Mean J per day over the stages' seeds.
fn mean_cost(stages: &[Stage], entrant: &Entrant) -> Result<f64> {
    let mut sum = 0.0;
    for stage in stages {
        sum += cost_per_day(stage, &stage.score(entrant)?);
    }
    #[expect(clippy::cast_precision_loss, reason = "a handful of seeds")]
    let seeds = stages.len().max(1) as f64;
    Ok(sum / seeds)
}

fn cost_per_day(stage: &Stage, result: &EpisodeResult) -> f64 {
    let load = stage.traffic.load();
    let days = load.end().since(load.start()).as_secs_f64() / Span::from_secs(86_400).as_secs_f64();
    result.j(stage.scenario.costs) / days
}

/// Index of the least cost, the first of equals.
fn least(costs: &[f64]) -> usize {
    let better = |best: usize, index: usize| if costs[index] < costs[best] { index } else { best };
    (0..costs.len()).fold(0, better)
}

fn conclude(outcome: &mut Outcome, trials: &[Trial], costs: &[f64]) {
    let tuned = &mut outcome.tuned;
    let mut logs: BTreeMap<(Rule, usize), Vec<f64>> = BTreeMap::new();
    let mut counts: BTreeMap<(usize, Rule), usize> = BTreeMap::new();
    for (trial, cost) in trials.iter().zip(costs) {
        logs.entry((trial.rule, trial.number)).or_default().push(seatrial_core::math::ln(*cost));
        *counts.entry((trial.arena, trial.rule)).or_default() += 1;
        let rules = &mut tuned.series[trial.arena].rules;
        if rules.get(&trial.rule).is_none_or(|best| *cost < best.cost) {
            rules.insert(trial.rule, winner(&trial.entrant.spec, *cost, 0));
        }
    }
    for ((arena, rule), count) in counts {
        if let Some(winner) = tuned.series[arena].rules.get_mut(&rule) {
            winner.trials = count;
        }
    }
    for trial in trials.iter().filter(|trial| trial.arena == 0) {
        let logs = &logs[&(trial.rule, trial.number)];
        #[expect(clippy::cast_precision_loss, reason = "a count of series")]
        let cost = seatrial_core::math::exp(logs.iter().sum::<f64>() / logs.len() as f64);
        let tried = trials.iter().filter(|other| other.rule == trial.rule && other.arena == 0).count();
        if tuned.global.get(&trial.rule).is_none_or(|best| cost < best.cost) {
            tuned.global.insert(trial.rule, winner(&trial.entrant.spec, cost, tried));
        }
    }
    outcome.trials.extend(trials.iter().zip(costs).map(|(trial, cost)| TrialRow {
        strategy: trial.entrant.strategy.clone(),
        series: tuned.series[trial.arena].label.clone(),
        trial: trial.number as u64,
        config: serde_json::to_value(&trial.entrant.spec).unwrap_or_default(),
        validation_cost: *cost,
    }));
}

fn winner(spec: &StrategySpec, cost: f64, trials: usize) -> Winner {
    Winner { spec: spec.clone(), cost, trials, hash: hash::of_bytes(spec.canonical_json().as_bytes()) }
}
