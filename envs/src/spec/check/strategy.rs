//! A strategy is built once, so that a wrong id or config is an error at its key and not in the middle of a run.

use seatrial_core::scaling::config::ConfigError;
use seatrial_core::scaling::forecasters::FORECASTERS;
use seatrial_core::scaling::policies::{Ingredients, POLICIES};

use super::finding::Findings;
use crate::spec::ScenarioSpec;
use crate::spec::service::{AutoscalingSpec, ServiceSpec};

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
        ConfigError::Shape { id, detail } => found.refuse(part(id), "not a configuration of it", detail.as_str()),
        ConfigError::Missing { id, what } => {
            let allowed = format!("one that gets what it needs: `{id}` needs {what}");
            let name = format!("`{}`", scaling.strategy.policy.id);
            found.refuse(format!("{key}.policy.id"), name, allowed);
        }
        other => found.refuse(key, "impossible", format!("such as the core accepts: {other}")),
    }
}
