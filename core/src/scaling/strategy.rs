//! A strategy as data: which policy, which forecaster, which guard, each with its config. What studies, bundles and the
//! operator name, and what hashes are made of.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::autoscaler::Autoscaler;
use super::config::ConfigError;
use super::forecast::DynForecaster;
use super::forecasters;
use super::guard::{Guard, GuardConfig};
use super::policies::{self, GuardProfile, Ingredients, PolicyRow};

/// A row of a registry and its config.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// Id of the row.
    pub id: String,
    /// Its config; `null` or absent is the default.
    #[serde(default)]
    pub config: Value,
}

impl Choice {
    /// The row `id` with its default config.
    #[must_use]
    pub fn of(id: &str) -> Self {
        Self { id: id.to_owned(), config: Value::Null }
    }
}

/// A complete strategy for scaling.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct StrategySpec {
    /// The policy.
    pub policy: Choice,
    /// The forecaster, for policies that plan on a forecast.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forecaster: Option<Choice>,
    /// The full guard with these settings; absent is the guard of the policy's row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard: Option<GuardConfig>,
}

impl StrategySpec {
    /// A policy with its default config and guard and no forecaster.
    #[must_use]
    pub fn of(policy: &str) -> Self {
        Self { policy: Choice::of(policy), forecaster: None, guard: None }
    }

    /// The autoscaler that this describes.
    ///
    /// # Errors
    /// If an id is unknown, a config is wrong, or a forecaster or weights are missing.
    pub fn build(&self, ingredients: &Ingredients<'_>) -> Result<Autoscaler, ConfigError> {
        self.build_around(self.build_forecaster(ingredients)?, ingredients)
    }

    /// The forecaster that this names, alone: studies run it once and hand a cache of it to [`Self::build_around`].
    ///
    /// # Errors
    /// If its id is unknown, its config wrong, or its weights missing.
    pub fn build_forecaster(
        &self,
        ingredients: &Ingredients<'_>,
    ) -> Result<Option<Box<dyn DynForecaster>>, ConfigError> {
        match &self.forecaster {
            Some(choice) => Ok(Some((forecasters::find(&choice.id)?.build)(&choice.config, ingredients)?)),
            None => Ok(None),
        }
    }

    /// The autoscaler that this describes, with `forecaster` in the place of the one it names.
    ///
    /// # Errors
    /// If an id is unknown, a config is wrong, or a forecaster or weights are missing.
    pub fn build_around(
        &self,
        forecaster: Option<Box<dyn DynForecaster>>,
        ingredients: &Ingredients<'_>,
    ) -> Result<Autoscaler, ConfigError> {
        let row = policies::find(&self.policy.id)?;
        if row.needs_forecast && forecaster.is_none() {
            return Err(ConfigError::Missing { id: row.id, what: "a forecaster: name one in the strategy" });
        }
        let policy = (row.build)(&self.policy.config, ingredients)?;
        Ok(Autoscaler::new(*ingredients.workload, forecaster, policy, self.guard(row, ingredients)?))
    }

    fn guard(&self, row: &PolicyRow, ingredients: &Ingredients<'_>) -> Result<Guard, ConfigError> {
        match (self.guard, row.guard) {
            (Some(config), _) => Guard::full(ingredients.workload, &config),
            (None, GuardProfile::Full) => Guard::full(ingredients.workload, &GuardConfig::default()),
            (None, GuardProfile::BoundsOnly) => Ok(Guard::bounds_only(ingredients.workload.bounds)),
        }
    }

    /// The strategy as JSON with sorted keys and no spaces: equal strategies have equal bytes, so this is what to hash.
    #[must_use]
    pub fn canonical_json(&self) -> String {
        let mut text = String::new();
        write_canonical(&serde_json::to_value(self).unwrap_or_default(), &mut text);
        text
    }
}

/// Sorts keys itself: the order of [`serde_json::Map`] depends on a feature that any crate of a build can switch on.
fn write_canonical(value: &Value, text: &mut String) {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort_unstable();
            write_list(text, ['{', '}'], keys.len(), |i, text| {
                text.push_str(&Value::String(keys[i].clone()).to_string());
                text.push(':');
                write_canonical(&map[keys[i]], text);
            });
        }
        Value::Array(items) => write_list(text, ['[', ']'], items.len(), |i, text| write_canonical(&items[i], text)),
        plain => text.push_str(&plain.to_string()),
    }
}

fn write_list(text: &mut String, brackets: [char; 2], length: usize, item: impl Fn(usize, &mut String)) {
    text.push(brackets[0]);
    for i in 0..length {
        if i > 0 {
            text.push(',');
        }
        item(i, text);
    }
    text.push(brackets[1]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::{Observation, Workload};
    use crate::scaling::guard::Rule;
    use crate::time::Timestamp;

    fn build(json: &str) -> Result<Autoscaler, ConfigError> {
        let spec: StrategySpec = serde_json::from_str(json).unwrap();
        spec.build(&Ingredients { workload: &Workload::protocol_p1(), weights: None })
    }

    #[test]
    fn canonical_json_does_not_depend_on_the_order_in_which_it_was_written() {
        let one: StrategySpec = serde_json::from_str(
            r#"{"policy":{"id":"hpa","config":{"target":80,"metric":"m","list":[1,{"b":1,"a":2}]}}}"#,
        )
        .unwrap();
        let other: StrategySpec = serde_json::from_str(
            r#"{"policy":{"config":{"metric":"m","list":[1,{"a":2,"b":1}],"target":80},"id":"hpa"}}"#,
        )
        .unwrap();
        let expected = r#"{"policy":{"config":{"list":[1,{"a":2,"b":1}],"metric":"m","target":80},"id":"hpa"}}"#;
        assert_eq!(one.canonical_json(), expected);
        assert_eq!(other.canonical_json(), expected);
        assert_eq!(serde_json::from_str::<StrategySpec>(expected).unwrap(), one);
    }

    #[test]
    fn keys_that_nobody_knows_are_refused() {
        assert!(serde_json::from_str::<StrategySpec>(r#"{"policy":{"id":"static"},"gard":{}}"#).is_err());
        assert!(serde_json::from_str::<StrategySpec>(r#"{"policy":{"id":"static"},"guard":{"floor":1}}"#).is_err());
    }

    #[test]
    fn errors_name_what_is_wrong() {
        let message = |json: &str| build(json).map(|_| ()).unwrap_err().to_string();
        assert!(message(r#"{"policy":{"id":"statik"}}"#).contains("known are: "));
        assert!(message(r#"{"policy":{"id":"newsvendor"}}"#).contains("needs a forecaster"));
        assert!(message(r#"{"policy":{"id":"static"},"forecaster":{"id":"crystal-ball"}}"#).contains("`crystal-ball`"));
        assert!(message(r#"{"policy":{"id":"static"},"guard":{"rate_period_s":0}}"#).contains("`rate_period_s` is 0"));
    }

    #[test]
    fn the_guard_is_the_rows_unless_the_strategy_sets_one() {
        let decide = |json: &str| {
            let autoscaler = build(json).unwrap();
            let seen = Observation::unknown(Timestamp::ZERO, 5);
            autoscaler.decide(seen.now, &seen, &mut autoscaler.initial_state())
        };
        assert_eq!(decide(r#"{"policy":{"id":"static","config":{"replicas":8}}}"#).replicas, 8);
        let guarded = decide(r#"{"policy":{"id":"static","config":{"replicas":8}},"guard":{}}"#);
        assert_eq!((guarded.replicas, guarded.stages.last_change()), (5, Some(Rule::StaleMetrics)));
    }
}
