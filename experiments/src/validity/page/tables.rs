//! Rows as Markdown. What fails says so in words.

use std::fmt::Write as _;

use seatrial_reports::format::{grouped, short};

use crate::validity::sample::Interval;
use crate::validity::{Evidence, bounds, kernels, protocol, theory, waiting};

/// The first cells of a row of the first table.
pub(in crate::validity) fn theory_name(model: &str, load: f64, measure: &str) -> String {
    format!("| {model} | {load:.2} | {measure} |")
}

/// Those of the second.
pub(in crate::validity) fn waiting_name(pods: u32, load: f64) -> String {
    format!("| {pods}, {load:.2} |")
}

/// Those of the third.
pub(in crate::validity) fn kernel_name(scenario: &str, strategy: &str, measure: &str) -> String {
    format!("| {scenario} | {strategy} | {measure} |")
}

/// Those of protocol P1's.
pub(in crate::validity) fn protocol_name(load: &str, strategy: &str) -> String {
    format!("| {load} | {strategy} |")
}

/// Those of the bounds.
pub(in crate::validity) fn bound_name(scenario: &str) -> String {
    format!("| {scenario} |")
}

/// Five significant digits at most, no idle zeros.
fn exact(value: f64) -> String {
    if value == 0.0 { "0".to_owned() } else { format!("{value:.5}") }
}

fn percent(share: f64) -> String {
    let sign = if share < 0.0 { "−" } else { "+" };
    format!("{sign}{:.1} %", 100.0 * share.abs())
}

fn with_ends(difference: &Interval) -> String {
    let (low, high) = difference.ends();
    format!("{} ({} to {})", percent(difference.mean), percent(low), percent(high))
}

pub(super) fn theory(evidence: &Evidence) -> String {
    let mut out =
        "| model | load | measure | theory | measured | 99 % interval | inside? |\n|---|---:|---|---:|---:|---|---|\n"
            .to_owned();
    for row in &evidence.theory {
        let theory::Row { model, load, measure, theory, measured, .. } = row;
        let (low, high) = measured.ends();
        let verdict = if row.is_inside() { "yes" } else { "**no**" };
        let name = theory_name(model, *load, measure);
        let _ = writeln!(
            out,
            "{name} {} | {} | {} to {} | {verdict} |",
            exact(*theory),
            exact(measured.mean),
            exact(low),
            exact(high)
        );
    }
    out
}

pub(super) fn waiting(evidence: &Evidence) -> String {
    let mut out =
        format!("| pods, load | {} |\n|---|{}\n", waiting::COLUMNS.join(" | "), "---|".repeat(waiting::COLUMNS.len()));
    for row in &evidence.waiting {
        let _ = write!(out, "{}", waiting_name(row.pods, row.load));
        let exact = waiting::exact(row.pods, row.load);
        for ((ours, reference), exact) in row.ours.iter().zip(row.reference).zip(exact) {
            let half = ours.half.map_or_else(String::new, |half| format!(" ± {half:.3}"));
            let exact = exact.map_or_else(String::new, |exact| format!(", exact {exact:.3}"));
            let _ = write!(out, " {:.3}{half} (reference {reference:.3}{exact}) |", ours.mean);
        }
        out.push('\n');
    }
    out
}

/// Why there is nothing to compare.
pub(super) fn nothing(row: &kernels::Row) -> String {
    match (row.events, row.measure.as_str()) {
        (Some(events), _) if events > 0.0 => String::new(),
        (Some(_), _) => "0 on events".to_owned(),
        (None, kernels::DRAIN) => "no overload that ends".to_owned(),
        (None, _) => "no such interval".to_owned(),
    }
}

fn verdict(row: &kernels::Row) -> String {
    match row.holds() {
        Some(true) => "agrees".to_owned(),
        Some(false) => "**fails**".to_owned(),
        None => format!("not comparable: {}", nothing(row)),
    }
}

fn allowed(row: &kernels::Row) -> String {
    if row.measure == kernels::BAD { "0.002 or 15 %".to_owned() } else { format!("{:.0} %", 100.0 * row.band()) }
}

pub(super) fn kernels(evidence: &Evidence) -> String {
    let mut out =
        "| scenario | strategy | measure | fluid | events | difference (95 % interval) | allowed | verdict |\n|---|---|---|---:|---:|---|---|---|\n"
            .to_owned();
    let number = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), short);
    for row in &evidence.kernels {
        let difference = row.difference.map_or_else(|| "–".to_owned(), |difference| with_ends(&difference));
        let name = kernel_name(&row.scenario, &row.strategy, &row.measure);
        let (fluid, events) = (number(row.fluid), number(row.events));
        let _ = writeln!(out, "{name} {fluid} | {events} | {difference} | {} | {} |", allowed(row), verdict(row));
    }
    out
}

pub(super) fn orders(orders: &[kernels::Order]) -> String {
    let mut out = "| scenario | J on fluid / on events, by strategy | pairs | known on events | same order on fluid |\n|---|---|---:|---:|---|\n".to_owned();
    for order in orders {
        let costs = order
            .costs
            .iter()
            .map(|(name, fluid, events)| format!("{name} {} / {}", grouped(*fluid, 0), grouped(*events, 0)));
        let reversed = order.reversed.iter().map(|(one, other)| format!("{one} and {other}")).collect::<Vec<_>>();
        let said = if reversed.is_empty() {
            "all".to_owned()
        } else {
            format!("{}; **reversed**: {}", order.known - reversed.len(), reversed.join("; "))
        };
        let costs = costs.collect::<Vec<_>>().join("; ");
        let _ = writeln!(out, "| {} | {costs} | {} | {} | {said} |", order.scenario, order.pairs, order.known);
    }
    out
}

pub(super) fn refused(evidence: &Evidence) -> String {
    let mut out = "| scenario | the fluid kernel says |\n|---|---|\n".to_owned();
    for refused in &evidence.refused {
        let _ = writeln!(out, "| {} | {} |", refused.scenario, refused.reason.replace('|', "\\|"));
    }
    out
}

pub(super) fn protocol(evidence: &Evidence) -> String {
    let mut out = "| load | strategy | J, fluid | J, events | difference (95 % interval) | bad, fluid | bad, events | utilisation, fluid | utilisation, events | utilisation and bad fraction |\n|---|---|---:|---:|---|---:|---:|---:|---:|---|\n".to_owned();
    for row in &evidence.protocol {
        let protocol::Row { load, strategy, fluid_j, events_j, difference, .. } = row;
        let name = protocol_name(load, strategy);
        let _ = writeln!(
            out,
            "{name} {} | {} | {} | {:.5} | {:.5} | {:.4} | {:.4} | {} |",
            grouped(*fluid_j, 0),
            grouped(*events_j, 0),
            with_ends(difference),
            row.fluid_bad,
            row.events_bad,
            row.fluid_utilisation,
            row.events_utilisation,
            if row.holds() { "agree" } else { "**fail**" },
        );
    }
    out
}

pub(super) fn bounds(evidence: &Evidence) -> String {
    let mut out = "| scenario | bound on J | with room | J of the file's strategy over it | of the cheapest schedule (95 % interval) | \
                   least | below 1 | holds? |\n|---|---:|---:|---:|---:|---:|---:|---|\n"
        .to_owned();
    for row in &evidence.bounds {
        let bounds::Row { scenario, lower, lower_with_room, policy, own, oracle, least, below, seeds } = row;
        let (low, high) = oracle.ends();
        let verdict = if row.holds() { "yes" } else { "**no**" };
        let _ = writeln!(
            out,
            "{} {} | {} | {policy} {:.3} | {:.3} ({low:.3} to {high:.3}) | {least:.3} | {below} of {seeds} | {verdict} |",
            bound_name(scenario),
            grouped(*lower, 0),
            grouped(*lower_with_room, 0),
            own.mean,
            oracle.mean,
        );
    }
    out
}
