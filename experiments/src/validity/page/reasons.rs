//! Why rows fail, where it was found out. A reason without its failure is stale: a test looks for that.

use std::fmt::Write as _;

use crate::validity::{Evidence, kernels};

/// Scenario, strategy and measure (empty for any), and why they fail.
type Reason = ([&'static str; 3], &'static str);

const REASONS: &[Reason] = &[(
    ["batch-scale-to-zero", "kpa 2", ""],
    "jobs that take seconds, and a strategy that goes round. A target of two requests in flight for each pod that serves one takes pods \
     away until a queue stands, and adds them again when it is seen. Jobs leave the flow's queue at the rate of the ready pods and \
     occupy no worker: pods that are stopped do not go on with the 2 s of work that they hold, and new pods do not take a job each at \
     once. On the event kernel they do, so each turn of the circle is a few seconds off, and a slot of 15 s decides by it how many pods \
     stay. With jobs of a tenth of the length (`batch-of-short-jobs`) the same strategy agrees.",
)];

#[cfg(test)]
pub(in crate::validity) fn given() -> impl Iterator<Item = Reason> {
    REASONS.iter().copied()
}

/// Why a row fails, if it is known.
#[must_use]
pub fn reason(row: &kernels::Row) -> Option<&'static str> {
    let row = [row.scenario.as_str(), row.strategy.as_str(), row.measure.as_str()];
    let fits = |pattern: &[&str; 3]| pattern.iter().zip(row).all(|(part, of)| part.is_empty() || *part == of);
    REASONS.iter().find(|(pattern, _)| fits(pattern)).map(|(_, why)| *why)
}

/// All failures with their reasons.
pub(super) fn list(evidence: &Evidence) -> String {
    let failed: Vec<&kernels::Row> = evidence.kernels.iter().filter(|row| row.holds() == Some(false)).collect();
    if failed.is_empty() {
        return "\nNothing failed.\n".to_owned();
    }
    let mut out = "\nWhat failed, and why:\n\n".to_owned();
    let mut whys: Vec<(&str, Vec<String>)> = Vec::new();
    for row in failed {
        let why = reason(row).unwrap_or("not explained.");
        let name = format!("{} of {} under {}", row.measure, row.scenario, row.strategy);
        match whys.iter_mut().find(|(known, _)| *known == why) {
            Some((_, names)) => names.push(name),
            None => whys.push((why, vec![name])),
        }
    }
    for (why, names) in whys {
        let _ = writeln!(out, "* {}: {why}", names.join("; "));
    }
    out
}
