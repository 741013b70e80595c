//! Who takes part: strategies of a study resolved to what the core builds, per series and training seed.
//!
//! An [`Entrant`] has everything that decides: policy, forecaster, guard, weights. Its `config` hash covers all of it.

use std::sync::Arc;

use seatrial_core::nets::Weights;
use seatrial_core::observe::Workload;
use seatrial_core::scaling::autoscaler::Autoscaler;
use seatrial_core::scaling::guard::GuardConfig;
use seatrial_core::scaling::policies::{self, Ingredients};
use seatrial_core::scaling::strategy::{Choice, StrategySpec};
use seatrial_reports::model::Variant;

use crate::error::{ExperimentError, Result};
use crate::hash;
use crate::learned::{LearnedSet, Member};
use crate::strategies::{Learned, Recipe, Rule, Strategy};
use crate::tuned::{SeriesTuning, Tuned};

/// Weights with their hash.
#[derive(Clone, Debug)]
pub struct HashedWeights {
    /// The tensors.
    pub weights: Weights,
    /// Hash of their safetensors form.
    pub hash: String,
    /// Hash of the forecaster's tensors alone: what cached forecasts depend on.
    pub forecaster: String,
}

impl HashedWeights {
    /// Hashes weights.
    ///
    /// # Errors
    /// If they cannot be serialised.
    pub fn new(weights: Weights) -> Result<Arc<Self>> {
        let hash_of = |weights: &Weights| {
            let bytes = weights.to_safetensors().map_err(|error| ExperimentError::Training(error.to_string()));
            bytes.map(|bytes| hash::of_bytes(&bytes))
        };
        let (hash, forecaster) = (hash_of(&weights)?, hash_of(&weights.subset("forecaster."))?);
        Ok(Arc::new(Self { weights, hash, forecaster }))
    }
}

/// A strategy as it takes part on one series.
#[derive(Clone, Debug)]
pub struct Entrant {
    /// Strategy id.
    pub strategy: String,
    /// How its parameters came about.
    pub variant: Variant,
    /// Policy, forecaster, guard.
    pub spec: StrategySpec,
    /// Weights, where it has nets.
    pub weights: Option<Arc<HashedWeights>>,
    /// Training seed, where it was trained.
    pub train_seed: Option<u64>,
}

impl Entrant {
    /// Hash of everything that decides.
    #[must_use]
    pub fn config_hash(&self) -> String {
        let weights = self.weights.as_ref().map_or("", |weights| weights.hash.as_str());
        hash::of_bytes(format!("{}\n{weights}", self.spec.canonical_json()).as_bytes())
    }

    /// Hash of what its forecasts depend on; `None` without a forecaster.
    #[must_use]
    pub fn forecaster_hash(&self) -> Option<String> {
        let forecaster = self.spec.forecaster.as_ref()?;
        let weights = self.weights.as_ref().map_or("", |weights| weights.forecaster.as_str());
        Some(hash::of_bytes(format!("{}\n{weights}", hash::of_json(forecaster)).as_bytes()))
    }

    /// The autoscaler it is.
    ///
    /// # Errors
    /// If the core refuses its configuration or weights.
    pub fn build(&self, workload: &Workload) -> Result<Autoscaler> {
        let ingredients = Ingredients { workload, weights: self.weights.as_ref().map(|hashed| &hashed.weights) };
        self.spec
            .build(&ingredients)
            .map_err(|source| ExperimentError::Strategy { strategy: self.strategy.clone(), source })
    }
}

/// What entrants are made from.
#[derive(Clone, Copy, Debug)]
pub struct Kit<'a> {
    /// Parameters of the rules.
    pub tuned: &'a Tuned,
    /// Trained weights.
    pub learned: Option<&'a LearnedSet>,
}

impl Kit<'_> {
    /// The entrants of `strategy` on the series called `label`: one, or one per training seed.
    ///
    /// # Errors
    /// If parameters or weights that it needs are not there.
    pub fn entrants(&self, strategy: &Strategy, label: &str) -> Result<Vec<Entrant>> {
        match &strategy.recipe {
            Recipe::Registered(policy) => Ok(vec![self.registered(strategy, policy, label)?]),
            Recipe::Default(rule) => Ok(vec![self.with_defaults(strategy, *rule, label)]),
            Recipe::Tuned(rule) => Ok(vec![self.rule(strategy, *rule, label, false)?]),
            Recipe::Global(rule) => Ok(vec![self.rule(strategy, *rule, label, true)?]),
            Recipe::Learned(which) => self.learned(strategy, *which, label),
        }
    }

    fn registered(&self, strategy: &Strategy, policy: &str, label: &str) -> Result<Entrant> {
        let source = |source| ExperimentError::Strategy { strategy: strategy.id.clone(), source };
        let row = policies::find(policy).map_err(source)?;
        let spec = StrategySpec { forecaster: row.needs_forecast.then(linear_quantile), ..StrategySpec::of(policy) };
        let weights = if row.needs_forecast { self.fitted(label) } else { None };
        Ok(plain(strategy, spec, weights))
    }

    fn with_defaults(&self, strategy: &Strategy, rule: Rule, label: &str) -> Entrant {
        let spec = rule.spec(serde_json::Value::Null);
        let weights = if spec.forecaster.is_some() { self.fitted(label) } else { None };
        plain(strategy, spec, weights)
    }

    fn rule(&self, strategy: &Strategy, rule: Rule, label: &str, global: bool) -> Result<Entrant> {
        let tuning = if global { None } else { self.tuned.series(label).and_then(|series| series.rules.get(&rule)) };
        let winner = tuning.or_else(|| self.tuned.global.get(&rule)).ok_or_else(|| ExperimentError::Environment {
            place: label.to_owned(),
            detail: format!(
                "strategy `{}` has no tuned parameters for this series; leave it out, or take `bundle` out of the study so \
                 that rules are tuned anew",
                strategy.id
            ),
        })?;
        let weights = if winner.spec.forecaster.is_some() { self.fitted(label) } else { None };
        Ok(plain(strategy, winner.spec.clone(), weights))
    }

    fn fitted(&self, label: &str) -> Option<Arc<HashedWeights>> {
        self.tuned.series(label).and_then(SeriesTuning::fitted).or_else(|| self.tuned.pooled())
    }

    fn learned(&self, strategy: &Strategy, which: Learned, label: &str) -> Result<Vec<Entrant>> {
        let Some(set) = self.learned else {
            return Err(ExperimentError::NeedsTraining {
                what: format!("strategy `{}`", strategy.id),
                command: "run CONFIG".into(),
            });
        };
        set.members().iter().map(|member| self.learned_entrant(strategy, which, member, label)).collect()
    }

    fn learned_entrant(&self, strategy: &Strategy, which: Learned, member: &Member, label: &str) -> Result<Entrant> {
        let (spec, weights) = match which {
            Learned::Trained => (learned_spec("lstm"), &member.trained),
            Learned::Untrained => (learned_spec("lstm"), &member.untrained),
            Learned::Persistence => (learned_spec("persistence"), member.persistence()?),
            Learned::NoFloor => (without_floor(), &member.trained),
            Learned::Random => (random_spec(member.seed), &member.trained),
            Learned::ConstantHeadroom => {
                (constant_headroom(self.tuned.constant_factor(label, member.seed)?), &member.trained)
            }
        };
        Ok(Entrant {
            strategy: strategy.id.clone(),
            variant: strategy.variant,
            spec,
            weights: Some(Arc::clone(weights)),
            train_seed: Some(member.seed),
        })
    }
}

fn plain(strategy: &Strategy, spec: StrategySpec, weights: Option<Arc<HashedWeights>>) -> Entrant {
    Entrant { strategy: strategy.id.clone(), variant: strategy.variant, spec, weights, train_seed: None }
}

/// The forecaster that rules plan on.
#[must_use]
pub fn linear_quantile() -> Choice {
    Choice::of("linear-quantile")
}

/// The learned policy on `forecaster`.
#[must_use]
pub fn learned_spec(forecaster: &str) -> StrategySpec {
    StrategySpec { forecaster: Some(Choice::of(forecaster)), ..StrategySpec::of("lstm-dqn") }
}

/// The learned policy without the guard's reactive floor.
#[must_use]
pub fn without_floor() -> StrategySpec {
    let guard = GuardConfig { reactive_floor_utilisation: None, ..GuardConfig::default() };
    StrategySpec { guard: Some(guard), ..learned_spec("lstm") }
}

/// Random actions on the learned forecast.
#[must_use]
pub fn random_spec(seed: u64) -> StrategySpec {
    let config = serde_json::json!({ "selection": "random", "seed": seed });
    StrategySpec { policy: Choice { id: "lstm-dqn".into(), config }, ..learned_spec("lstm") }
}

/// One headroom factor over the median of the learned forecast.
#[must_use]
pub fn constant_headroom(factor: f64) -> StrategySpec {
    let config = serde_json::json!({ "factor": factor });
    StrategySpec { policy: Choice { id: "headroom".into(), config }, ..learned_spec("lstm") }
}
