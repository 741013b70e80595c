//! Strategies as studies name them: a rule with default, tuned or global parameters, a learned policy, an attribution row.
//!
//! Every registered policy is a strategy under its own id (default configuration); the table below adds the named ones.
//! What a strategy *is* (policy, forecaster, parameters, weights) is resolved per series by [`crate::contest`].

use seatrial_core::scaling::policies;
use seatrial_reports::model::Variant;
use serde::{Deserialize, Serialize};

use crate::error::{ExperimentError, Result};
use crate::protocol::CONSTANT_POLICY;

/// A rule that has a grid of parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// max(forecast quantile, reactive).
    ForecastMax,
    /// Headroom over the present rate.
    Headroom,
    /// Kubernetes' HPA.
    Hpa,
    /// Quantile newsvendor.
    Newsvendor,
}

impl Rule {
    /// Id of its policy.
    #[must_use]
    pub const fn policy(self) -> &'static str {
        match self {
            Self::ForecastMax => "forecast-max",
            Self::Headroom => "headroom",
            Self::Hpa => "hpa",
            Self::Newsvendor => "newsvendor",
        }
    }

    /// Id of the strategy that is tuned per series.
    #[must_use]
    pub const fn tuned_id(self) -> &'static str {
        match self {
            Self::ForecastMax => "forecast-max",
            Self::Headroom => "headroom-tuned",
            Self::Hpa => "hpa-tuned",
            Self::Newsvendor => "newsvendor-tuned",
        }
    }
}

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
    /// A registered policy with its default configuration.
    Registered(&'static str),
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

type Named = (&'static str, Variant, Recipe, &'static str);

/// The named strategies, alphabetical.
const NAMED: &[Named] = &[
    ("forecast-max", Variant::Attribution, Recipe::Tuned(Rule::ForecastMax), "forecast-max, tuned per series"),
    (
        "headroom-constant",
        Variant::Attribution,
        Recipe::Learned(Learned::ConstantHeadroom),
        "best constant headroom over the learned forecast",
    ),
    ("headroom-tuned", Variant::Tuned, Recipe::Tuned(Rule::Headroom), "headroom over persistence, tuned per series"),
    ("hpa-default", Variant::Default, Recipe::Registered("hpa"), "HPA as shipped: 80 % CPU, default behaviour"),
    ("hpa-global", Variant::Global, Recipe::Global(Rule::Hpa), "HPA, one configuration for all series"),
    ("hpa-tuned", Variant::Tuned, Recipe::Tuned(Rule::Hpa), "HPA, best of at least 500 configurations per series"),
    ("lstm-dqn", Variant::Learned, Recipe::Learned(Learned::Trained), "DQN over headroom actions on LSTM forecasts"),
    (
        "lstm-dqn-no-floor",
        Variant::Attribution,
        Recipe::Learned(Learned::NoFloor),
        "lstm-dqn without the guard's reactive floor",
    ),
    (
        "lstm-dqn-persistence",
        Variant::Attribution,
        Recipe::Learned(Learned::Persistence),
        "the same agent trained on the persistence forecast",
    ),
    ("lstm-dqn-random", Variant::Attribution, Recipe::Learned(Learned::Random), "random actions under the same guard"),
    ("lstm-dqn-untrained", Variant::Attribution, Recipe::Learned(Learned::Untrained), "the same net before training"),
    (
        "newsvendor-global",
        Variant::Global,
        Recipe::Global(Rule::Newsvendor),
        "newsvendor, one configuration for all series",
    ),
    ("newsvendor-tuned", Variant::Tuned, Recipe::Tuned(Rule::Newsvendor), "quantile newsvendor, tuned per series"),
];

/// Every strategy with its one-line summary, alphabetical.
#[must_use]
pub fn known() -> Vec<(Strategy, String)> {
    let named = NAMED.iter().map(|(id, variant, recipe, summary)| {
        (Strategy { id: (*id).to_owned(), variant: *variant, recipe: recipe.clone() }, (*summary).to_owned())
    });
    let registered =
        policies::POLICIES.iter().filter(|row| !row.needs_weights && named_row(row.id).is_none()).map(|row| {
            let strategy =
                Strategy { id: row.id.to_owned(), variant: Variant::Default, recipe: Recipe::Registered(row.id) };
            (strategy, row.summary.to_owned())
        });
    let mut all: Vec<_> = named.chain(registered).collect();
    all.sort_by(|a, b| a.0.id.cmp(&b.0.id));
    all
}

fn named_row(id: &str) -> Option<&'static Named> {
    NAMED.iter().find(|row| row.0 == id)
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
    let ids: Vec<&str> = all.iter().map(|(strategy, _)| strategy.id.as_str()).collect();
    Err(ExperimentError::UnknownStrategy { place: place.to_owned(), id: id.to_owned(), known: ids.join(", ") })
}

/// The registered policies that `chosen` does not cover already with their default configuration. The constant is left out: a
/// number of replicas that no one chose for this load compares with nothing; name `static` to have it.
#[must_use]
pub fn registered_beside(chosen: &[Strategy]) -> Vec<Strategy> {
    let covered = |policy: &str| {
        policy == CONSTANT_POLICY
            || chosen.iter().any(|s| s.id == policy || s.recipe == Recipe::Registered(policy_id(policy)))
    };
    known()
        .into_iter()
        .map(|(strategy, _)| strategy)
        .filter(|strategy| matches!(strategy.recipe, Recipe::Registered(policy) if strategy.id == policy && !covered(policy)))
        .collect()
}

fn policy_id(id: &str) -> &'static str {
    policies::POLICIES.iter().find(|row| row.id == id).map_or("", |row| row.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_alphabetical_and_every_recipe_names_a_registered_policy() {
        assert!(NAMED.windows(2).all(|pair| pair[0].0 < pair[1].0));
        for (strategy, _) in known() {
            let policy = match strategy.recipe {
                Recipe::Registered(policy) => policy,
                Recipe::Tuned(rule) | Recipe::Global(rule) => rule.policy(),
                Recipe::Learned(_) => "lstm-dqn",
            };
            assert!(policies::POLICIES.iter().any(|row| row.id == policy), "{}: {policy}", strategy.id);
        }
    }

    #[test]
    fn registered_policies_fill_up_without_doubles() {
        let chosen = vec![find("hpa-default", "test").unwrap()];
        let beside = registered_beside(&chosen);
        assert!(beside.iter().any(|strategy| strategy.id == "headroom"));
        assert!(beside.iter().all(|strategy| strategy.id != "static"), "a constant is no rule");
        assert!(beside.iter().all(|strategy| strategy.recipe != Recipe::Registered("hpa") && !strategy.is_learned()));
    }
}
