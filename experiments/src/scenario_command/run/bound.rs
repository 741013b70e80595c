//! What a run is measured against: the least J that any decisions can have, and what schedules reach that know the load.

use std::sync::atomic::Ordering;

use seatrial_envs::oracle::scenario::{NoBound, NotReached, bound, reached};
use seatrial_envs::spec::{Inputs, KernelChoice, ScenarioSpec};
use seatrial_reports::format::grouped;

use super::super::outcome::{BoundAccount, ScenarioSummary};
use crate::commands::Shell;
use crate::error::{ExperimentError, Result};

/// Difference in J, relative, from which on nodes and quota are said to cost something.
const WORTH_SAYING: f64 = 0.001;

/// The bound, before anything is run.
pub(super) fn account(spec: &ScenarioSpec, inputs: &Inputs, wants_oracle: bool) -> Result<BoundAccount> {
    match bound(spec, inputs) {
        Ok(found) => Ok(BoundAccount {
            lower: Some(found.lower),
            lower_with_room: Some(found.lower_with_room),
            most_pods: found.room.map(|room| room.at_most),
            ..BoundAccount::default()
        }),
        Err(reason) if wants_oracle => Err(ExperimentError::Usage {
            what: format!("--oracle asks for schedules that know the load, and this scenario has no bound: {reason}"),
            next: "leave it out; docs/scenarios.md says which scenarios have a bound".to_owned(),
        }),
        Err(reason) => Ok(BoundAccount { reason: Some(reason.to_string()), ..BoundAccount::default() }),
    }
}

/// Runs the schedules.
pub(super) fn run_oracle(
    (spec, origin): (&ScenarioSpec, &str),
    inputs: &Inputs,
    account: &mut BoundAccount,
    shell: &Shell,
) -> Result<()> {
    let wrong = |error: NotReached| ExperimentError::Scenario(format!("{origin}: {error}"));
    let best = reached(spec, inputs, &|| shell.stop.load(Ordering::Relaxed)).map_err(wrong)?;
    let Some(best) = best else { return Err(ExperimentError::Stopped { done: 0, total: 1, unit: "oracle" }) };
    (account.oracle, account.schedules) = (Some(best.j), best.schedules);
    Ok(())
}

/// The same for the page: a sentence each.
pub(super) fn sentences(summary: &ScenarioSummary) -> Vec<String> {
    let sentence = |(name, text): (&str, String)| match name {
        "" => format!("{text}."),
        "oracle" => format!("Oracle: {text}."),
        _ => format!("Bound: {text}."),
    };
    lines(summary).into_iter().map(sentence).collect()
}

/// Names and texts for the terminal; nothing where nothing is decided.
pub(super) fn lines(summary: &ScenarioSummary) -> Vec<(&'static str, String)> {
    let BoundAccount { lower, lower_with_room, most_pods, oracle, schedules, reason } = &summary.bound;
    let mut lines = Vec::new();
    if let Some(reason) = reason.as_ref().filter(|reason| **reason != NoBound::NothingDecided.to_string()) {
        lines.push(("bound", format!("none: {reason}")));
    }
    let Some(lower) = lower else { return lines };
    let model = match summary.kernel {
        KernelChoice::Events => " to be expected in the fluid model",
        KernelChoice::Fluid => "",
    };
    let times = summary.total.j / lower;
    lines.push((
        "bound",
        format!("J {} at least{model}, whoever decides; this run {times:.2} times as much", grouped(*lower, 0)),
    ));
    if let Some(with_room) = lower_with_room.filter(|with_room| lower - with_room > WORTH_SAYING * lower) {
        let pods = most_pods.map_or_else(String::new, |pods| format!(" ({} pods)", grouped(f64::from(pods), 0)));
        lines.push((
            "",
            format!(
                "{} if every pod found room: the pool{pods} costs {:.1} % at least",
                grouped(with_room, 0),
                100.0 * (lower / with_room - 1.0)
            ),
        ));
    }
    if let Some(oracle) = oracle {
        lines.push((
            "oracle",
            format!("J {}: the cheapest of {schedules} schedules that knew the load", grouped(*oracle, 0)),
        ));
    }
    lines
}
