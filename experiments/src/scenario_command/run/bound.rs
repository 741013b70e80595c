//! What a run is measured against: the least J that any decisions can have, and what schedules reach that know the load.

use std::sync::atomic::Ordering;

use seatrial_envs::oracle::scenario::{NoBound, NotReached, bound, reached};
use seatrial_envs::spec::{Inputs, KernelChoice, ScenarioSpec};
use seatrial_reports::format::grouped;

use super::super::outcome::{BoundAccount, ScenarioSummary};
use crate::commands::Shell;
use crate::error::{ExperimentError, Result};

/// Difference in J, relative, from which on room is said to make one.
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
            next: "run it without --oracle; docs/scenarios.md says which scenarios have a bound".to_owned(),
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
    let BoundAccount { lower, oracle, schedules, .. } = &summary.bound;
    if let Some(reason) = reason(summary) {
        return vec![format!("What J is at least is not known here: {reason}.")];
    }
    let Some(lower) = lower else { return Vec::new() };
    let expected = match summary.kernel {
        KernelChoice::Events => "be expected to lead to",
        KernelChoice::Fluid => "lead to",
    };
    let (least, times) = (grouped(*lower, 0), times(summary, "; this run has"));
    let mut sentences =
        vec![format!("No decisions can {expected} a J below {least}, however well they know the load{times}.")];
    sentences.extend(of_the_pool(&summary.bound).map(|text| format!("The bound would be {text}.")));
    sentences.extend(oracle.map(|oracle| {
        let j = grouped(oracle, 0);
        format!("Of {schedules} schedules that knew the load, the cheapest had a J of {j}{}.", cheaper(summary, oracle))
    }));
    sentences
}

/// Why there is no bound, where somebody decides.
fn reason(summary: &ScenarioSummary) -> Option<&str> {
    summary.bound.reason.as_deref().filter(|reason| *reason != NoBound::NothingDecided.to_string())
}

/// What the bound would be with room for every pod, where there are nodes.
fn of_the_pool(bound: &BoundAccount) -> Option<String> {
    let (lower, with_room, pods) = (bound.lower?, bound.lower_with_room?, bound.most_pods?);
    let least = if lower - with_room > WORTH_SAYING * lower { grouped(with_room, 0) } else { "the same".to_owned() };
    Some(format!("{least} if every pod found room: nodes and quota hold {}", grouped(f64::from(pods), 0)))
}

/// How often the bound goes into this run's J; nothing says so where nothing need be paid.
fn times(summary: &ScenarioSummary, this_run: &str) -> String {
    let lower = summary.bound.lower.filter(|lower| *lower >= 1.0);
    lower.map_or_else(String::new, |lower| format!("{this_run} {:.2} times as much", summary.total.j / lower))
}

fn cheaper(summary: &ScenarioSummary, oracle: f64) -> &'static str {
    if summary.total.j < oracle { ", and this run was cheaper" } else { "" }
}

/// Names and texts for the terminal; nothing where nothing is decided.
pub(super) fn lines(summary: &ScenarioSummary) -> Vec<(&'static str, String)> {
    let BoundAccount { lower, oracle, schedules, .. } = &summary.bound;
    if let Some(reason) = reason(summary) {
        return vec![("bound", format!("none: {reason}"))];
    }
    let Some(lower) = lower else { return Vec::new() };
    let expected = match summary.kernel {
        KernelChoice::Events => " to be expected",
        KernelChoice::Fluid => "",
    };
    let (least, times) = (grouped(*lower, 0), times(summary, "; this run"));
    let mut lines = vec![("bound", format!("J {least} at least{expected}, whoever decides{times}"))];
    lines.extend(of_the_pool(&summary.bound).map(|text| ("", text)));
    lines.extend(oracle.map(|oracle| {
        let (j, cheaper) = (grouped(oracle, 0), cheaper(summary, oracle));
        ("oracle", format!("J {j}: the cheapest of {schedules} schedules that knew the load{cheaper}"))
    }));
    lines
}
