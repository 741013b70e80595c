//! `summary.json`: the interface that scripts hold on to (committed schema: `schemas/summary.schema.json`).
//!
//! Shape: `strategies.<id>.{variant, config, overall, families.<name>}`, each `<metric>.{value, low, high, n}`;
//! `oracle.{overall, families.<name>}.{lower, upper}`, with `world = "fluid"` where strategies ran on another kernel; `paired.<a>.<b>.{overall, families.<name>}.{value, low, high, n}`, the mean
//! of ln J(a) − ln J(b); `regret.<id>.{overall, families.<name>}.{total, starts, lead_time, lag, rule}`, shares of ln G. `low` and `high` are null where one unit allows no interval; a metric that cannot be had is absent.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::ReportError;
use crate::evaluation::{Evaluation, Metric, OracleBounds, Scope, Split};
use crate::model::{StudyData, Variant};
use crate::stats::Estimate;

/// The committed JSON Schema of the file.
pub const SCHEMA: &str = include_str!("../schemas/summary.schema.json");
/// Version of the file's shape.
pub const SUMMARY_VERSION: u32 = 1;

/// The file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// [`SUMMARY_VERSION`] of the writer.
    pub version: u32,
    /// Name of the study.
    pub name: String,
    /// Protocol.
    pub protocol: String,
    /// Kernel that played the cells, in words; absent for the fluid one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<String>,
    /// By strategy id.
    pub strategies: BTreeMap<String, StrategySummary>,
    /// Bounds on the least cost; null without an oracle.
    pub oracle: Option<OracleSummary>,
    /// By ordered pair.
    pub paired: BTreeMap<String, BTreeMap<String, PairSummary>>,
    /// Where the regret of each strategy comes from, by id; empty without oracle or yardsticks.
    #[serde(default)]
    pub regret: BTreeMap<String, RegretSummary>,
    /// What knows more than a strategy may, by id.
    #[serde(default)]
    pub yardsticks: BTreeMap<String, YardstickSummary>,
}

/// Estimates by metric key.
pub type Metrics = BTreeMap<Metric, Estimate>;

/// One strategy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StrategySummary {
    /// How it came by its parameters.
    pub variant: Variant,
    /// Hash of the resolved configuration.
    pub config: String,
    /// Over the headline traces; empty if it ran on none of them.
    pub overall: Metrics,
    /// By family.
    pub families: BTreeMap<String, Metrics>,
}

/// The oracle.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OracleSummary {
    /// Over the headline traces.
    pub overall: Option<OracleBounds>,
    /// By family.
    pub families: BTreeMap<String, OracleBounds>,
}

/// One ordered pair.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairSummary {
    /// Over the headline traces; null if the two share no window there.
    pub overall: Option<Estimate>,
    /// By family.
    pub families: BTreeMap<String, Estimate>,
}

/// The split of a strategy's regret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegretSummary {
    /// Over the headline traces; null if it cannot be had there.
    pub overall: Option<Split>,
    /// By family.
    pub families: BTreeMap<String, Split>,
}

/// One yardstick.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct YardstickSummary {
    /// Over the headline traces; empty if it ran on none of them.
    pub overall: Metrics,
    /// By family.
    pub families: BTreeMap<String, Metrics>,
}

impl Summary {
    /// The summary of an evaluated study.
    #[must_use]
    pub fn new(study: &StudyData, evaluation: &Evaluation) -> Self {
        let mut summary = Self {
            version: SUMMARY_VERSION,
            name: study.name.clone(),
            protocol: study.protocol.clone(),
            kernel: study.kernel.clone(),
            strategies: BTreeMap::new(),
            oracle: None,
            paired: BTreeMap::new(),
            regret: BTreeMap::new(),
            yardsticks: BTreeMap::new(),
        };
        summary.add(&evaluation.overall, true);
        evaluation.families.iter().for_each(|family| summary.add(family, false));
        summary.oracle = oracle(evaluation);
        summary
    }

    fn add(&mut self, scope: &Scope, overall: bool) {
        for strategy in &scope.strategies {
            let entry = self.strategies.entry(strategy.id.clone()).or_insert_with(|| StrategySummary {
                variant: strategy.variant,
                config: strategy.config.clone(),
                overall: Metrics::new(),
                families: BTreeMap::new(),
            });
            if overall {
                entry.overall = strategy.metrics.clone();
            } else {
                entry.families.insert(scope.name.clone(), strategy.metrics.clone());
            }
        }
        self.add_yardsticks(scope, overall);
        for (a, others) in &scope.paired {
            for (b, paired) in others {
                let entry = self.paired.entry(a.clone()).or_default().entry(b.clone()).or_default();
                if overall {
                    entry.overall = Some(paired.ln_ratio);
                } else {
                    entry.families.insert(scope.name.clone(), paired.ln_ratio);
                }
            }
        }
    }

    fn add_yardsticks(&mut self, scope: &Scope, overall: bool) {
        for yardstick in &scope.yardsticks {
            let entry = self.yardsticks.entry(yardstick.id.clone()).or_default();
            if overall {
                entry.overall = yardstick.metrics.clone();
            } else {
                entry.families.insert(scope.name.clone(), yardstick.metrics.clone());
            }
        }
        for (id, split) in &scope.splits {
            let entry = self.regret.entry(id.clone()).or_default();
            if overall {
                entry.overall = Some(*split);
            } else {
                entry.families.insert(scope.name.clone(), *split);
            }
        }
    }

    /// Pretty JSON with a line end.
    ///
    /// # Errors
    /// [`ReportError::Render`] if a number is not finite, which [`StudyData::validate`] rules out.
    pub fn to_json(&self) -> Result<String, ReportError> {
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| ReportError::Render { what: "summary.json", reason: error.to_string() })?;
        Ok(text + "\n")
    }
}

fn oracle(evaluation: &Evaluation) -> Option<OracleSummary> {
    let families: BTreeMap<String, OracleBounds> =
        evaluation.families.iter().filter_map(|scope| Some((scope.name.clone(), scope.oracle?))).collect();
    let overall = evaluation.overall.oracle;
    (overall.is_some() || !families.is_empty()).then_some(OracleSummary { overall, families })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{evaluation, sample};

    /// The part of JSON Schema 2020-12 that the committed schema uses, written for this test: type, required, properties,
    /// additionalProperties, enum, const, minimum and local references. An unknown keyword is an error.
    fn check(value: &Value, schema: &Value, root: &Value, at: &str) -> Result<(), String> {
        for (keyword, want) in schema.as_object().ok_or("a schema is an object")? {
            match keyword.as_str() {
                "$schema" | "$id" | "$defs" | "title" | "description" => {}
                "$ref" => {
                    let name = want.as_str().unwrap().strip_prefix("#/$defs/").unwrap();
                    check(value, &root["$defs"][name], root, at)?;
                }
                "type" => {
                    let kinds = want.as_array().cloned().unwrap_or_else(|| vec![want.clone()]);
                    if !kinds.iter().any(|kind| is_a(value, kind.as_str().unwrap())) {
                        return Err(format!("{at}: {value} is not {want}"));
                    }
                }
                "enum" if !want.as_array().unwrap().contains(value) => {
                    return Err(format!("{at}: {value} not in {want}"));
                }
                "const" if want != value => return Err(format!("{at}: {value} is not {want}")),
                "minimum" if value.as_f64().is_some_and(|x| x < want.as_f64().unwrap()) => {
                    return Err(format!("{at}: {value} below {want}"));
                }
                "enum" | "const" | "minimum" => {}
                "required" => {
                    for key in want.as_array().unwrap() {
                        if value.is_object() && value.get(key.as_str().unwrap()).is_none() {
                            return Err(format!("{at}: lacks {key}"));
                        }
                    }
                }
                "properties" | "additionalProperties" => {}
                other => return Err(format!("unknown keyword {other}")),
            }
        }
        let Some(object) = value.as_object() else { return Ok(()) };
        for (key, inner) in object {
            let known =
                schema.get("properties").and_then(|p| p.get(key)).or_else(|| schema.get("additionalProperties"));
            match known {
                Some(Value::Bool(false)) => return Err(format!("{at}: unknown key {key}")),
                Some(inner_schema) => check(inner, inner_schema, root, &format!("{at}/{key}"))?,
                None => {}
            }
        }
        Ok(())
    }

    fn is_a(value: &Value, kind: &str) -> bool {
        match kind {
            "object" => value.is_object(),
            "number" => value.is_number(),
            "integer" => value.is_u64(),
            "string" => value.is_string(),
            "null" => value.is_null(),
            _ => false,
        }
    }

    fn produced() -> Value {
        let study = sample::study();
        let summary = Summary::new(&study, &evaluation::evaluate(&study).unwrap());
        serde_json::from_str(&summary.to_json().unwrap()).unwrap()
    }

    #[test]
    fn a_produced_summary_follows_the_committed_schema() {
        let schema: Value = serde_json::from_str(SCHEMA).unwrap();
        let summary = produced();
        check(&summary, &schema, &schema, "").unwrap();
        assert_eq!(serde_json::from_value::<Summary>(summary.clone()).unwrap().version, SUMMARY_VERSION);
        for (pointer, wrong) in [
            ("/strategies/hpa-tuned/variant", json!("best")),
            ("/strategies/hpa-tuned/overall/cost/value", json!("12")),
            ("/paired/hpa-tuned/hpa-default/overall/n", json!(-1)),
            ("/oracle/overall", json!({"lower": 1.0})),
            ("/version", json!(2)),
        ] {
            let mut spoiled = summary.clone();
            *spoiled.pointer_mut(pointer).unwrap() = wrong;
            assert!(check(&spoiled, &schema, &schema, "").is_err(), "{pointer}");
        }
        let mut spoiled = summary.clone();
        spoiled["strategies"]["hpa-tuned"]["overall"]["costs"] = json!({});
        assert!(check(&spoiled, &schema, &schema, "").is_err());
    }

    #[test]
    fn a_bound_of_another_world_says_so() {
        let schema: Value = serde_json::from_str(SCHEMA).unwrap();
        let study = StudyData { kernel: Some("event kernel, one shared queue".to_owned()), ..sample::study() };
        let summary = Summary::new(&study, &evaluation::evaluate(&study).unwrap());
        let value: Value = serde_json::from_str(&summary.to_json().unwrap()).unwrap();
        check(&value, &schema, &schema, "").unwrap();
        assert_eq!(value["kernel"], "event kernel, one shared queue");
        for bounds in [&value["oracle"]["overall"], &value["oracle"]["families"]["worldcup98"]] {
            assert_eq!(bounds["world"], "fluid");
        }
        let own = produced();
        assert!(own.get("kernel").is_none() && own["oracle"]["overall"].get("world").is_none());
        assert_eq!(serde_json::from_value::<Summary>(value).unwrap(), summary);
    }

    #[test]
    fn holds_what_the_design_promises() {
        let summary = produced();
        for metric in Metric::ALL {
            let at = &summary["strategies"]["lstm-dqn"]["overall"][metric.key()];
            assert!(at["value"].is_number() && at["low"].is_number() && at["high"].is_number(), "{metric:?}: {at}");
            assert_eq!(at["n"], json!(7));
        }
        assert!(summary["strategies"].get("oracle").is_none());
        let forward = summary["paired"]["lstm-dqn"]["hpa-tuned"]["families"]["worldcup98"]["value"].as_f64().unwrap();
        let back = summary["paired"]["hpa-tuned"]["lstm-dqn"]["families"]["worldcup98"]["value"].as_f64().unwrap();
        assert!(forward < 0.0 && forward == -back);
        assert!(
            summary["oracle"]["families"]["worldcup98"]["lower"].as_f64()
                < summary["oracle"]["families"]["worldcup98"]["upper"].as_f64()
        );
    }
}
