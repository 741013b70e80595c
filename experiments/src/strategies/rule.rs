//! The rules that have a grid of parameters, as a table: policy, forecaster, ids and words of each.
//!
//! Every rule `x` runs as `x-default` (its policy's defaults), `x-tuned` (best of the grid, per series) and `x-global` (one
//! configuration for all series).

use seatrial_core::scaling::strategy::{Choice, StrategySpec};
use serde::{Deserialize, Serialize};

/// A rule that has a grid of parameters. The order is that of `tuned.json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// max(forecast quantile, reactive).
    ForecastMax,
    /// Headroom over the present rate.
    Headroom,
    /// Kubernetes' HPA.
    Hpa,
    /// KEDA's executor with the HPA behind it.
    Keda,
    /// Knative's pod autoscaler.
    Kpa,
    /// Lazy capacity provisioning.
    LazyCapacity,
    /// Mean of several rules, weighted by their shadow cost.
    Mixture,
    /// Chance-constrained model predictive control.
    Mpc,
    /// Quantile newsvendor.
    Newsvendor,
    /// The predictive HPA.
    PredictiveHpa,
    /// max(seasonal forecast, reactive).
    Seasonal,
    /// A constant.
    Static,
}

/// What a rule is.
struct Row {
    rule: Rule,
    /// What its ids begin with.
    stem: &'static str,
    policy: &'static str,
    forecaster: Option<&'static str>,
    summary: &'static str,
}

const LINEAR: Option<&str> = Some("linear-quantile");

/// In the order of the enum.
const ROWS: &[Row] = &[
    Row {
        rule: Rule::ForecastMax,
        stem: "forecast-max",
        policy: "forecast-max",
        forecaster: LINEAR,
        summary: "the larger of a reactive plan and a quantile of the forecast",
    },
    Row {
        rule: Rule::Headroom,
        stem: "headroom",
        policy: "headroom",
        forecaster: None,
        summary: "headroom over persistence",
    },
    Row { rule: Rule::Hpa, stem: "hpa", policy: "hpa", forecaster: None, summary: "HPA" },
    Row { rule: Rule::Keda, stem: "keda", policy: "keda", forecaster: None, summary: "KEDA with the HPA behind it" },
    Row { rule: Rule::Kpa, stem: "kpa", policy: "kpa", forecaster: None, summary: "Knative's pod autoscaler" },
    Row {
        rule: Rule::LazyCapacity,
        stem: "lazy-capacity",
        policy: "lazy-capacity",
        forecaster: None,
        summary: "lazy capacity provisioning",
    },
    Row {
        rule: Rule::Mixture,
        stem: "mixture",
        policy: "mixture",
        forecaster: LINEAR,
        summary: "mean of several rules, weighted by their shadow cost",
    },
    Row {
        rule: Rule::Mpc,
        stem: "mpc",
        policy: "mpc",
        forecaster: LINEAR,
        summary: "chance-constrained model predictive control",
    },
    Row {
        rule: Rule::Newsvendor,
        stem: "newsvendor",
        policy: "newsvendor",
        forecaster: LINEAR,
        summary: "quantile newsvendor",
    },
    Row {
        rule: Rule::PredictiveHpa,
        stem: "predictive-hpa",
        policy: "predictive-hpa",
        forecaster: None,
        summary: "HPA with a trend of its own replicas",
    },
    Row {
        rule: Rule::Seasonal,
        stem: "seasonal",
        policy: "forecast-max",
        forecaster: Some("seasonal-naive"),
        summary: "the larger of persistence and the seasonal forecast",
    },
    Row { rule: Rule::Static, stem: "static", policy: "static", forecaster: None, summary: "a constant" },
];

impl Rule {
    /// All of them, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        ROWS.iter().map(|row| row.rule)
    }

    fn row(self) -> &'static Row {
        &ROWS[self as usize]
    }

    /// Id of its policy.
    #[must_use]
    pub fn policy(self) -> &'static str {
        self.row().policy
    }

    /// One line for lists, without how its parameters came about.
    #[must_use]
    pub fn summary(self) -> &'static str {
        self.row().summary
    }

    /// Id of the strategy with the policy's defaults.
    #[must_use]
    pub fn default_id(self) -> String {
        format!("{}-default", self.row().stem)
    }

    /// Id of the strategy that is tuned per series.
    #[must_use]
    pub fn tuned_id(self) -> String {
        // Protocol P1 calls the attribution row so.
        if self == Self::ForecastMax { "forecast-max".into() } else { format!("{}-tuned", self.row().stem) }
    }

    /// Id of the strategy with one configuration for all series.
    #[must_use]
    pub fn global_id(self) -> String {
        format!("{}-global", self.row().stem)
    }

    /// Whether its policy's own id already names it with its defaults.
    #[must_use]
    pub fn is_its_policy(self) -> bool {
        self.row().stem == self.row().policy
    }

    /// Its policy with this configuration, on its forecaster.
    #[must_use]
    pub fn spec(self, config: serde_json::Value) -> StrategySpec {
        let Row { policy, forecaster, .. } = self.row();
        StrategySpec {
            policy: Choice { id: (*policy).to_owned(), config },
            forecaster: forecaster.map(Choice::of),
            guard: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_in_the_order_of_the_rules() {
        for (place, row) in ROWS.iter().enumerate() {
            assert_eq!(row.rule as usize, place, "{}", row.stem);
        }
        assert!(ROWS.windows(2).all(|pair| pair[0].stem < pair[1].stem));
        for rule in Rule::all() {
            assert_eq!(serde_json::to_value(rule).unwrap(), rule.row().stem, "its name in tuned.json");
        }
    }
}
