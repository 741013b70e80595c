//! Why rows fail, where it was found out. A reason without its failure is stale: a test looks for that.

use std::fmt::Write as _;

use crate::validity::{Evidence, kernels};

/// Scenario, strategy and measure (empty for any), and why they fail.
type Reason = ([&'static str; 3], &'static str);

const REASONS: &[Reason] = &[
    (
        ["llm-serving", "static 3", "P95 latency below 0.9 utilisation"],
        "the fluid kernel knows the mean of the work alone and takes it for exponential, whose P95 is 3.0 means. The work of tokens has a \
         P95 of 2.1 means (hardly anybody waits at this utilisation, so the stay is the work). Latencies of services with other work than \
         exponential are to be taken from the event kernel.",
    ),
    (
        ["llm-serving", "", "bad fraction"],
        "the same cause: work that varies less than exponential work lets fewer requests wait. The fluid kernel errs on the side of more \
         bad requests.",
    ),
    (
        ["batch-scale-to-zero", "", ""],
        "not proven. Where pods stand still the kernels agree on this scenario (rows above), so it is the decisions that differ: the fluid \
         kernel holds fewer pod-seconds. Likely, because jobs take seconds and wait for tens of seconds: on the event kernel their \
         durations and CPU appear in the metrics of whole jobs that end, late and in lumps, while a flow shows them evenly. The order of \
         strategies is the same.",
    ),
];

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
