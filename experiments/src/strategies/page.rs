//! `docs/strategies.md`, made from the registries by `cargo xtask generate`: a test compares it with what is committed.

use std::fmt::Write as _;

use seatrial_core::scaling::forecasters::{FORECASTERS, ForecasterRow};
use seatrial_core::scaling::policies::{GuardProfile, POLICIES, PolicyRow};

use super::Rule;
use crate::tune::grid_size;

/// Where it is committed, relative to the repository.
#[cfg(test)]
const PATH: &str = "docs/strategies.md";

const HEAD: &str = "\
# Strategies

Made from the registries by `cargo xtask generate`; edit the rows, not this page.

A *policy* is the rule that proposes replicas; a *strategy* of a study is a policy with parameters: `x-default` as its makers ship it,
`x-tuned` with the best configuration of its grid for each series, `x-global` with one configuration for all. Reproductions of other
systems run exact, with bounds only; rules of our own run under the full guard. `seatrial list policies --json` has the same as data.
Each policy decides at its own cadence, in the simulator and in the operator alike.

";

/// The page.
#[must_use]
pub fn page() -> String {
    let mut out = HEAD.to_owned();
    out += "## Policies\n\n| id | what it does | guard | plans on a forecast | configurations tuned over |\n|---|---|---|---|---:|\n";
    for row in POLICIES {
        let _ = writeln!(
            out,
            "| [`{id}`](#{id}) | {} | {} | {} | {} |",
            row.summary,
            guard(row),
            if row.needs_forecast { "yes" } else { "no" },
            configurations(row),
            id = row.id,
        );
    }
    out += "\n";
    POLICIES.iter().for_each(|row| policy(row, &mut out));
    out += "## Forecasters\n\n";
    FORECASTERS.iter().for_each(|row| forecaster(row, &mut out));
    out.truncate(out.trim_end().len());
    out + "\n"
}

const fn guard(row: &PolicyRow) -> &'static str {
    match row.guard {
        GuardProfile::BoundsOnly => "bounds only",
        GuardProfile::Full => "full",
    }
}

fn rules(row: &PolicyRow) -> impl Iterator<Item = Rule> {
    Rule::all().filter(|rule| rule.policy() == row.id)
}

fn configurations(row: &PolicyRow) -> String {
    let sizes: Vec<String> = rules(row).map(|rule| grid_size(rule).to_string()).collect();
    if sizes.is_empty() { "–".into() } else { sizes.join(", ") }
}

fn policy(row: &PolicyRow, out: &mut String) {
    let _ = writeln!(out, "### {}\n\n{}.\n", row.id, capitalised(row.summary));
    sources(row.sources, out);
    let strategies: Vec<String> = rules(row)
        .map(|rule| {
            format!(
                "`{}`, `{}` ({} configurations), `{}`",
                rule.default_id(),
                rule.tuned_id(),
                grid_size(rule),
                rule.global_id()
            )
        })
        .collect();
    if !strategies.is_empty() {
        let _ = writeln!(out, "- strategies: {}", strategies.join("; "));
    }
    if row.needs_weights {
        out.push_str("- needs trained weights: `seatrial train`, or a bundle\n");
    }
    deviations(row.deviations, out);
    defaults(&(row.default_config)(), out);
}

fn forecaster(row: &ForecasterRow, out: &mut String) {
    let _ = writeln!(out, "### {}\n\n{}.\n", row.id, capitalised(row.summary));
    sources(row.sources, out);
    if row.needs_weights {
        out.push_str("- needs weights that were fitted or trained\n");
    }
    deviations(row.deviations, out);
    defaults(&(row.default_config)(), out);
}

fn sources(sources: &[&str], out: &mut String) {
    if !sources.is_empty() {
        let _ = writeln!(out, "- sources: {}", sources.join("; "));
    }
}

fn deviations(deviations: &[&str], out: &mut String) {
    if deviations.is_empty() {
        return;
    }
    out.push_str("- deviations from the source:\n");
    for (number, deviation) in (1..).zip(deviations) {
        let _ = writeln!(out, "  {number}. {deviation}");
    }
}

fn defaults(config: &serde_json::Value, out: &mut String) {
    let text = serde_json::to_string_pretty(config).unwrap_or_default();
    match config.as_object() {
        Some(keys) if keys.is_empty() => out.push('\n'),
        _ => {
            let _ = writeln!(out, "- defaults:\n\n```json\n{text}\n```\n");
        }
    }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_page_is_that_of_the_registries() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(PATH);
        assert!(std::fs::read_to_string(path).unwrap() == page(), "{PATH} is stale: run `cargo xtask generate`");
    }

    #[test]
    fn every_row_has_its_section() {
        let page = page();
        for id in POLICIES.iter().map(|row| row.id).chain(FORECASTERS.iter().map(|row| row.id)) {
            assert!(page.contains(&format!("\n### {id}\n")), "{id}");
        }
    }
}
