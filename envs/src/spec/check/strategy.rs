//! A strategy is built once, so that a wrong id or config is an error at its key and not in the middle of a run.

use seatrial_core::scaling::config::ConfigError;
use seatrial_core::scaling::forecasters::FORECASTERS;
use seatrial_core::scaling::policies::{Ingredients, POLICIES};
use serde_json::Value;

use super::finding::Findings;
use crate::spec::ScenarioSpec;
use crate::spec::service::{AutoscalingSpec, ServiceSpec};
use crate::spec::wording::{self, Unknown};

/// What the keys of its problems have in common.
pub(super) const KEY: &str = ".autoscaling.strategy";

pub(super) fn check(
    at: &str,
    spec: &ScenarioSpec,
    (service, scaling): (&ServiceSpec, &AutoscalingSpec),
    found: &mut Findings,
) {
    let key = format!("{at}.strategy");
    let policies = POLICIES.iter().map(|row| row.id);
    let mut known = found.one_of(format!("{key}.policy.id"), &scaling.strategy.policy.id, policies);
    if let Some(forecaster) = &scaling.strategy.forecaster {
        let forecasters = FORECASTERS.iter().map(|row| row.id);
        known &= found.one_of(format!("{key}.forecaster.id"), &forecaster.id, forecasters);
    }
    // What the strategy is told must itself be possible.
    if !known || found.refused(at) || found.refused("metrics") || service.pod.cpu_request_milli == 0 {
        return;
    }
    let workload = spec.workload(service);
    if let Err(error) = scaling.strategy.build(&Ingredients { workload: &workload, weights: None }) {
        refuse(&key, scaling, &error, found);
    }
}

fn refuse(key: &str, scaling: &AutoscalingSpec, error: &ConfigError, found: &mut Findings) {
    let part = |id: &str| match id {
        "guard" => format!("{key}.guard"),
        id if id == scaling.strategy.policy.id => format!("{key}.policy.config"),
        id if scaling.strategy.forecaster.as_ref().is_some_and(|choice| choice.id == id) => {
            format!("{key}.forecaster.config")
        }
        _ => key.to_owned(),
    };
    match error {
        ConfigError::Range { id, key: inner, got, allowed } => {
            found.refuse(format!("{}.{inner}", part(id)), got, *allowed);
        }
        ConfigError::Shape { id, detail } => {
            let forecaster = scaling.strategy.forecaster.as_ref().filter(|choice| choice.id == *id);
            let config = &forecaster.unwrap_or(&scaling.strategy.policy).config;
            misshapen(&part(id), (id, config), detail, found);
        }
        ConfigError::Missing { id, what } => {
            let allowed = format!("one that gets what it needs: `{id}` needs {what}");
            let name = format!("`{}`", scaling.strategy.policy.id);
            found.refuse(format!("{key}.policy.id"), name, allowed);
        }
        other => found.refuse(key, "impossible", format!("such as the core accepts: {other}")),
    }
}

/// A configuration with a key or a value that its reader does not take.
fn misshapen(at: &str, (id, config): (&str, &Value), detail: &str, found: &mut Findings) {
    if let Some(unknown) = Unknown::field(detail) {
        let inner = path_of(config, unknown.word).unwrap_or_else(|| format!(".{}", unknown.word));
        found.refuse(
            format!("{at}{inner}"),
            format!("no key of `{id}`"),
            format!("one that it has; {}", unknown.hint()),
        );
        return;
    }
    let said = wording::reworded(detail);
    found.refuse(
        at,
        format!("no configuration of `{id}`"),
        format!("one that it can read: there is a value that {said}"),
    );
}

/// Where a key stands in a configuration: `.schedules[0].start`.
fn path_of(config: &Value, key: &str) -> Option<String> {
    match config {
        Value::Object(table) if table.contains_key(key) => Some(format!(".{key}")),
        Value::Object(table) => table.iter().find_map(|(name, value)| Some(format!(".{name}{}", path_of(value, key)?))),
        Value::Array(items) => {
            items.iter().enumerate().find_map(|(index, item)| Some(format!("[{index}]{}", path_of(item, key)?)))
        }
        _ => None,
    }
}
