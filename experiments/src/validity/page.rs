//! The page and the figure out of what was measured. Pure: the same rows, the same bytes.
//!
//! | part | what |
//! |---|---|
//! | `text` | what is claimed and how it was measured, in words |
//! | `reasons` | why rows fail, where it was found out |
//! | `tables` | rows as Markdown |

mod reasons;
mod tables;
mod text;

use std::fmt::Write as _;

use seatrial_reports::ReportError;
use seatrial_reports::figures::{Figure, ValidityRow, kernel_validity};

use super::sample::Interval;
use super::{Evidence, kernels, theory};

#[cfg(test)]
pub(super) use reasons::given as reasons_given;
pub use reasons::reason;
#[cfg(test)]
pub(super) use tables::{bound_name, kernel_name, protocol_name, theory_name, waiting_name};

/// Where it is committed, relative to the repository.
pub const PATH: &str = "docs/validity.md";

/// The rows of the figure: by measure, then by scenario and strategy; what cannot be compared has a row too.
#[must_use]
pub fn figure_rows(evidence: &Evidence) -> Vec<ValidityRow> {
    let mut rows = Vec::new();
    for measure in kernels::MEASURES {
        rows.extend(evidence.kernels.iter().filter(|row| row.measure == measure).map(figure_row));
        rows.push(events_only(measure));
    }
    rows
}

fn figure_row(row: &kernels::Row) -> ValidityRow {
    let is_within = |difference: &Interval| difference.mean.abs() <= row.band();
    let shown = row.difference.filter(|difference| !row.is_small() || is_within(difference));
    let ends = shown.map(|difference| difference.ends());
    ValidityRow {
        scenario: format!("{}, {}", row.scenario, row.strategy),
        measure: row.measure.clone(),
        fluid: row.fluid,
        events: row.events,
        difference: shown.map(|difference| difference.mean),
        low: ends.map(|ends| ends.0),
        high: ends.map(|ends| ends.1),
        n: row.seeds,
        band: if shown.is_some() { row.band() } else { 0.0 },
        // Where the difference itself is drawn, it says enough.
        note: match (shown, row.is_small()) {
            (Some(_), true) => String::new(),
            (None, true) => "agrees: apart by less than 0.002".to_owned(),
            (_, false) => tables::nothing(row),
        },
    }
}

fn events_only(measure: &str) -> ValidityRow {
    ValidityRow {
        scenario: kernels::EVENTS_ONLY.to_owned(),
        measure: measure.to_owned(),
        fluid: None,
        events: None,
        difference: None,
        low: None,
        high: None,
        n: 0,
        band: 0.0,
        note: "events only: nodes".to_owned(),
    }
}

/// The figure.
///
/// # Errors
/// If it cannot be drawn.
pub fn figure(evidence: &Evidence) -> Result<Figure, ReportError> {
    let seeds = evidence.kernels.iter().map(|row| row.seeds).max().unwrap_or(0);
    kernel_validity(&format!("scenarios of the gallery, {seeds} seeds on both kernels"), &figure_rows(evidence))
}

/// The page.
#[must_use]
pub fn page(evidence: &Evidence) -> String {
    let mut out = text::HEAD.to_owned();
    out += &summary(evidence);
    for (heading, table) in [
        (text::THEORY, tables::theory(evidence)),
        (text::WAITING, tables::waiting(evidence)),
        (text::KERNELS, tables::kernels(evidence)),
        (text::ORDERS, tables::orders(&evidence.orders)),
        (text::REFUSED, tables::refused(evidence)),
        (text::PROTOCOL, tables::protocol(evidence) + "\n" + &tables::orders(&evidence.protocol_orders)),
    ] {
        let _ = write!(out, "\n{heading}\n{table}");
        if heading == text::KERNELS {
            let _ = write!(out, "\n![Fluid against events](figures/validity.svg)\n{}", reasons::list(evidence));
        }
    }
    out = out + "\n" + text::DEPLOYMENT;
    let _ = write!(out, "\n{}\n{}", text::BOUNDS, tables::bounds(evidence));
    out
}

/// What held and what did not, in numbers.
fn summary(evidence: &Evidence) -> String {
    let inside = evidence.theory.iter().filter(|row| row.is_inside()).count();
    let (rows, missed) = (evidence.theory.len(), evidence.theory.len() - inside);
    let verdicts: Vec<bool> = evidence.kernels.iter().filter_map(kernels::Row::holds).collect();
    let agree = verdicts.iter().filter(|holds| **holds).count();
    let orders = evidence.orders.iter().chain(&evidence.protocol_orders);
    let (known, reversed) =
        orders.fold((0, 0), |(known, reversed), order| (known + order.known, reversed + order.reversed.len()));
    let protocol = evidence.protocol.iter().filter(|row| row.holds()).count();
    let mut out = "| claim | result |\n|---|---|\n".to_owned();
    let chance = 100.0 * theory::chance_of_misses(rows, missed.max(1));
    let _ = writeln!(
        out,
        "| events agree with theory | {inside} of {rows} exact answers inside 99 % intervals over {} seeds{} |",
        evidence.theory.first().map_or(0, |row| row.seeds),
        if missed > 0 {
            format!("; {missed} or more misses come about by chance in {chance:.0} % of all choices of seeds")
        } else {
            String::new()
        },
    );
    let _ = writeln!(
        out,
        "| fluid agrees with events on scenarios | {agree} of {} comparisons within the band of the design; the others are listed with their reasons |",
        verdicts.len()
    );
    let _ = writeln!(
        out,
        "| strategies stand in the same order | {} of {known} pairs whose order is known on the event kernel |",
        known - reversed
    );
    let _ = writeln!(
        out,
        "| fluid agrees with events under protocol P1 | {protocol} of {} loads and strategies |",
        evidence.protocol.len()
    );
    let _ = writeln!(
        out,
        "| what the fluid kernel cannot express is refused | {} scenarios of the gallery |",
        evidence.refused.len()
    );
    let held = evidence.bounds.iter().filter(|row| row.holds()).count();
    let _ = writeln!(
        out,
        "| the oracle's bound is one on the event kernel | {held} of {} scenarios, in the mean and within 1 % |",
        evidence.bounds.len()
    );
    let _ =
        writeln!(out, "| the simulated Deployment is the real one | same pods per ReplicaSet over time, within 1 s |");
    out
}
