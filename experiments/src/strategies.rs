//! Strategies as studies name them: a rule with default, tuned or global parameters, a learned policy, an attribution row.
//!
//! Every registered policy is a strategy under its own id (default configuration); the table below adds the named ones.
//! What a strategy *is* (policy, forecaster, parameters, weights) is resolved per series by [`crate::contest`].

mod page;
mod rule;

use seatrial_core::scaling::policies;
use seatrial_reports::model::Variant;
use serde::{Deserialize, Serialize};

use crate::error::{ExperimentError, Result};
use crate::protocol::CONSTANT_POLICY;

pub use page::page;
pub use rule::Rule;

/// Which relative of the learned policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Learned {
    /// The trained policy.
    Trained,
    /// The same net before training.
    Untrained,
    /// Random actions under the same guard.
    Random,
    /// The same agent trained on the persistence forecast.
    Persistence,
    /// The trained policy without the guard's reactive floor.
    NoFloor,
    /// The best constant headroom over the same forecast.
    ConstantHeadroom,
}

/// What a strategy is made from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Recipe {
    /// A registered policy that is no rule, with its default configuration.
    Registered(&'static str),
    /// A rule with its policy's default configuration.
    Default(Rule),
    /// A rule with parameters chosen per series.
    Tuned(Rule),
    /// A rule with one set of parameters for all series.
    Global(Rule),
    /// A policy that needs weights.
    Learned(Learned),
}

/// A strategy of a study.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Strategy {
    /// Its permanent id.
    pub id: String,
    /// How its parameters come about.
    pub variant: Variant,
    /// What it is made from.
    pub recipe: Recipe,
}

impl Strategy {
    /// Whether it needs trained weights.
    #[must_use]
    pub const fn is_learned(&self) -> bool {
        matches!(self.recipe, Recipe::Learned(_))
    }
}

type Named = (&'static str, Learned, &'static str);

/// The learned policy and its relatives, alphabetical.
const LEARNED: &[Named] = &[
    ("headroom-constant", Learned::ConstantHeadroom, "best constant headroom over the learned forecast"),
    ("lstm-dqn", Learned::Trained, "DQN over headroom actions on LSTM forecasts"),
    ("lstm-dqn-no-floor", Learned::NoFloor, "lstm-dqn without the guard's reactive floor"),
    ("lstm-dqn-persistence", Learned::Persistence, "the same agent trained on the persistence forecast"),
    ("lstm-dqn-random", Learned::Random, "random actions under the same guard"),
    ("lstm-dqn-untrained", Learned::Untrained, "the same net before training"),
];

fn learned() -> impl Iterator<Item = (Strategy, String)> {
    LEARNED.iter().map(|(id, which, summary)| {
        let variant = if *which == Learned::Trained { Variant::Learned } else { Variant::Attribution };
        (Strategy { id: (*id).to_owned(), variant, recipe: Recipe::Learned(*which) }, (*summary).to_owned())
    })
}

fn tuned(rule: Rule) -> [(Strategy, String); 2] {
    let variant = if rule == Rule::ForecastMax { Variant::Attribution } else { Variant::Tuned };
    let words = rule.summary();
    [
        (
            Strategy { id: rule.tuned_id(), variant, recipe: Recipe::Tuned(rule) },
            format!("{words}, tuned per series ({} configurations)", crate::tune::grid_size(rule)),
        ),
        (
            Strategy { id: rule.global_id(), variant: Variant::Global, recipe: Recipe::Global(rule) },
            format!("{words}, one configuration for all series"),
        ),
    ]
}

fn with_defaults(rule: Rule) -> Strategy {
    Strategy { id: rule.default_id(), variant: Variant::Default, recipe: Recipe::Default(rule) }
}

/// The registered policies with their defaults, under their own ids but where such an id says something else.
fn registered() -> impl Iterator<Item = (Strategy, String)> {
    policies::POLICIES.iter().filter(|row| !row.needs_weights).map(|row| {
        let rule = Rule::all().find(|rule| rule.is_its_policy() && rule.policy() == row.id);
        let strategy = match rule {
            Some(rule) if LONG_DEFAULTS.contains(&rule) => with_defaults(rule),
            Some(rule) => Strategy { id: row.id.to_owned(), ..with_defaults(rule) },
            None => Strategy { id: row.id.to_owned(), variant: Variant::Default, recipe: Recipe::Registered(row.id) },
        };
        (strategy, row.summary.to_owned())
    })
}

/// Rules whose defaults are listed as `x-default`: P1 names `hpa-default` so, and `forecast-max` is its tuned row.
const LONG_DEFAULTS: [Rule; 2] = [Rule::ForecastMax, Rule::Hpa];

/// Every strategy with its one-line summary, alphabetical.
#[must_use]
pub fn known() -> Vec<(Strategy, String)> {
    let foreign = Rule::all().filter(|rule| !rule.is_its_policy());
    let foreign = foreign.map(|rule| (with_defaults(rule), format!("{}, defaults", rule.summary())));
    let mut all: Vec<_> = learned().chain(Rule::all().flat_map(tuned)).chain(foreign).chain(registered()).collect();
    all.sort_by(|a, b| a.0.id.cmp(&b.0.id));
    all
}

/// The strategy `id`, named at `place`.
///
/// # Errors
/// If there is none; the message lists the known ids.
pub fn find(id: &str, place: &str) -> Result<Strategy> {
    let all = known();
    if let Some((strategy, _)) = all.iter().find(|(strategy, _)| strategy.id == id) {
        return Ok(strategy.clone());
    }
    if let Some(rule) = Rule::all().find(|rule| rule.default_id() == id) {
        return Ok(with_defaults(rule));
    }
    let ids: Vec<&str> = all.iter().map(|(strategy, _)| strategy.id.as_str()).collect();
    Err(ExperimentError::UnknownStrategy { place: place.to_owned(), id: id.to_owned(), known: ids.join(", ") })
}

/// Policies whose defaults know nothing of any load: a number of replicas or a calendar that no one chose for it.
const BLIND: [&str; 2] = ["cron", CONSTANT_POLICY];

/// The registered policies that `chosen` does not cover already with their default configuration. Blind ones are left out: they
/// compare with nothing; name `static` or `cron` to have them.
#[must_use]
pub fn registered_beside(chosen: &[Strategy]) -> Vec<Strategy> {
    let covered = |one: &Strategy| {
        BLIND.contains(&one.id.as_str()) || chosen.iter().any(|other| other.id == one.id || other.recipe == one.recipe)
    };
    let tuned = |one: &Strategy| matches!(one.recipe, Recipe::Default(rule) if chosen.iter().any(|other| other.id == rule.policy()));
    registered().map(|(strategy, _)| strategy).filter(|strategy| !covered(strategy) && !tuned(strategy)).collect()
}

/// Whether a study gets this strategy by `registered = true` alone.
#[must_use]
pub fn is_registered(strategy: &Strategy) -> bool {
    registered().any(|(registered, _)| registered == *strategy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_every_recipe_names_a_registered_policy() {
        assert!(LEARNED.windows(2).all(|pair| pair[0].0 < pair[1].0));
        let known = known();
        assert!(known.windows(2).all(|pair| pair[0].0.id < pair[1].0.id));
        for (strategy, _) in &known {
            let policy = match strategy.recipe {
                Recipe::Registered(policy) => policy,
                Recipe::Default(rule) | Recipe::Tuned(rule) | Recipe::Global(rule) => rule.policy(),
                Recipe::Learned(_) => "lstm-dqn",
            };
            assert!(policies::POLICIES.iter().any(|row| row.id == policy), "{}: {policy}", strategy.id);
        }
    }

    #[test]
    fn every_rule_has_its_three_strategies() {
        for rule in Rule::all() {
            assert_eq!(find(&rule.default_id(), "test").unwrap().recipe, Recipe::Default(rule));
            assert_eq!(find(&rule.tuned_id(), "test").unwrap().recipe, Recipe::Tuned(rule));
            assert_eq!(find(&rule.global_id(), "test").unwrap().recipe, Recipe::Global(rule));
        }
        assert_eq!(find("headroom", "test").unwrap().recipe, Recipe::Default(Rule::Headroom));
        assert_eq!(find("forecast-max", "test").unwrap().variant, Variant::Attribution);
    }

    #[test]
    fn registered_policies_fill_up_without_doubles() {
        let chosen = vec![find("hpa-default", "test").unwrap()];
        let beside = registered_beside(&chosen);
        assert!(beside.iter().any(|strategy| strategy.id == "headroom"));
        assert!(
            beside.iter().all(|strategy| !["cron", "static"].contains(&&*strategy.id)),
            "nobody chose them for a load"
        );
        assert!(beside.iter().all(is_registered) && is_registered(&chosen[0]));
        assert!(beside.iter().all(|strategy| strategy.recipe != Recipe::Default(Rule::Hpa) && !strategy.is_learned()));
    }
}
