//! The page: one file without scripts, with figures inline, readable on a phone, in the dark and on paper.
//!
//! Invariants: every sentence about who is cheaper comes from [`crate::claims`]; what failed stands on the page as plainly as
//! what worked; a strict content policy lets the page load nothing.

use std::collections::BTreeMap;

use askama::Template;

use crate::claims::{self, Claim};
use crate::error::ReportError;
use crate::evaluation::{Evaluation, Scope};
use crate::figures::Figure;
use crate::format::{grouped, iso_date};
use crate::model::{Fact, Opening, StudyData, TrialRow, Variant};
use crate::stats::{BOOTSTRAP_SEED, RESAMPLES};
use crate::tables::{self, Table, shown_scopes};

/// Figures beyond this many bytes of SVG in all are linked, not inlined.
const INLINE_BYTES: usize = 1_800_000;

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    study: &'a StudyData,
    size: String,
    span: String,
    findings: Vec<Findings>,
    attributed: bool,
    notes: Vec<String>,
    failures: Vec<String>,
    tables: Vec<Laid>,
    figures: Vec<Shown<'a>>,
    trials: Vec<Trials>,
    openings: &'a [Opening],
    provenance: Vec<Fact>,
}

/// What is claimed over one scope; the title is empty where there is only one.
struct Findings {
    title: String,
    rivals: Vec<Claim>,
    attribution: Vec<Claim>,
}

fn findings(evaluation: &Evaluation) -> Vec<Findings> {
    let scopes = claims::claim_scopes(evaluation);
    let several = scopes.len() > 1;
    let of = |scope: &Scope| {
        let mut all = claims::claims(scope);
        all.sort_by_key(|claim| claim.verdict);
        let is_attribution = |claim: &Claim| {
            scope.strategy(&claim.other).is_some_and(|strategy| strategy.variant == Variant::Attribution)
        };
        let (attribution, rivals) = all.into_iter().partition(is_attribution);
        let title = if several { scope.name.clone() } else { String::new() };
        Findings { title, rivals, attribution }
    };
    scopes.into_iter().map(of).filter(|found| !(found.rivals.is_empty() && found.attribution.is_empty())).collect()
}

/// A table whose intervals stand below their values, so that it stays narrow.
struct Laid {
    title: String,
    heads: Vec<String>,
    rows: Vec<Vec<Cell>>,
}

struct Cell {
    value: String,
    interval: String,
}

fn laid(table: Table) -> Laid {
    let cell = |text: String| match text.split_once(" [") {
        Some((value, interval)) => Cell { value: value.to_owned(), interval: format!("[{interval}") },
        None => Cell { value: text, interval: String::new() },
    };
    let rows = table.rows.into_iter().map(|row| row.into_iter().map(cell).collect()).collect();
    Laid { title: table.title, heads: table.heads, rows }
}

struct Shown<'a> {
    figure: &'a Figure,
    inline: bool,
}

struct Trials {
    strategy: String,
    series: String,
    count: String,
    best: String,
    median: String,
    config: String,
}

/// Renders the page.
///
/// # Errors
/// [`ReportError::Render`] if the template engine fails.
pub fn page(study: &StudyData, evaluation: &Evaluation, figures: &[Figure]) -> Result<String, ReportError> {
    let findings = findings(evaluation);
    let guards = claims::claim_scopes(evaluation).into_iter().flat_map(claims::busy_guards);
    let page = Page {
        study,
        size: evaluation.overall.size_in_words(),
        span: span(study),
        attributed: findings.iter().any(|found| !found.attribution.is_empty()),
        findings,
        notes: study.notes.iter().chain(&evaluation.notes).cloned().collect(),
        failures: study.failures.iter().cloned().chain(guards).collect(),
        tables: shown_scopes(evaluation).into_iter().map(|scope| laid(tables::strategies(scope))).collect(),
        figures: shown(figures),
        trials: trials(&study.trials),
        openings: &study.openings,
        provenance: provenance(study),
    };
    page.render().map_err(|error| ReportError::Render { what: "index.html", reason: error.to_string() })
}

fn span(study: &StudyData) -> String {
    let days = || study.cells.iter().flat_map(|cell| cell.windows.iter().map(|window| window.day_us));
    match (days().min(), days().max()) {
        (Some(first), Some(last)) if first < last => format!("{} to {}", iso_date(first), iso_date(last)),
        (Some(first), _) => iso_date(first),
        _ => String::new(),
    }
}

fn shown(figures: &[Figure]) -> Vec<Shown<'_>> {
    let mut bytes = 0;
    figures
        .iter()
        .map(|figure| {
            bytes += figure.svg.len();
            Shown { figure, inline: bytes <= INLINE_BYTES }
        })
        .collect()
}

fn trials(rows: &[TrialRow]) -> Vec<Trials> {
    let mut groups: BTreeMap<(&str, &str), Vec<&TrialRow>> = BTreeMap::new();
    for row in rows {
        groups.entry((&row.strategy, &row.series)).or_default().push(row);
    }
    groups
        .into_iter()
        .map(|((strategy, series), rows)| {
            let finite: Vec<f64> = rows.iter().map(|row| row.validation_cost).filter(|cost| cost.is_finite()).collect();
            let scored = rows.iter().filter(|row| row.validation_cost.is_finite());
            let best = scored.min_by(|a, b| a.validation_cost.total_cmp(&b.validation_cost));
            let show = |x: Option<f64>| x.map_or_else(|| "–".to_owned(), |x| grouped(x, 0));
            Trials {
                strategy: strategy.to_owned(),
                series: series.to_owned(),
                count: grouped(crate::stats::count(rows.len()), 0),
                best: show(best.map(|row| row.validation_cost)),
                median: show(crate::stats::quantile(&finite, 0.5)),
                config: best.map_or_else(String::new, |row| row.config.to_string()),
            }
        })
        .collect()
}

fn provenance(study: &StudyData) -> Vec<Fact> {
    let mut facts = study.provenance.clone();
    let mut add = |name: &str, value: String| facts.push(Fact { name: name.to_owned(), value });
    let list = |seeds: std::collections::BTreeSet<u64>| {
        seeds.into_iter().map(|seed| seed.to_string()).collect::<Vec<_>>().join(", ")
    };
    add("evaluation seeds", list(study.cells.iter().map(|cell| cell.eval_seed).collect()));
    add("training seeds", list(study.cells.iter().filter_map(|cell| cell.train_seed).collect()));
    add("bootstrap", format!("{} resamples, seed {BOOTSTRAP_SEED:#x}", grouped(f64::from(RESAMPLES), 0)));
    add("report", format!("{} {}", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")));
    facts.retain(|fact| !fact.value.is_empty());
    facts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::{Source, draw_all};
    use crate::{evaluation, sample};

    fn rendered(study: &StudyData) -> String {
        let evaluation = evaluation::evaluate(study).unwrap();
        let figures = draw_all(&Source { study, evaluation: &evaluation }).unwrap();
        page(study, &evaluation, &figures).unwrap()
    }

    #[test]
    fn the_page_is_self_contained_and_says_everything() {
        let html = rendered(&sample::study());
        for word in ["<script", "src=\"http", "@import", "url("] {
            assert!(!html.contains(word), "{word}");
        }
        for word in [
            "Content-Security-Policy",
            "default-src 'none'",
            "width=device-width",
            "prefers-color-scheme: dark",
            "@media print",
            "lstm-dqn is cheaper than hpa-global by",
            "<span>[",
            "No difference shown between lstm-dqn and newsvendor-tuned",
            "Synthetic data of a test",
            "blake3 0f3c…",
            "final evaluation of all strategies",
            "target_utilisation",
        ] {
            assert!(html.contains(word), "{word}");
        }
        assert_eq!(html.matches("<figure").count(), html.matches("<svg").count());
        assert!(html.len() < 3_000_000, "{} bytes", html.len());
    }

    #[test]
    fn claims_are_by_family_where_families_are_few() {
        let mut study = sample::study();
        let mut other = study.cells.clone();
        other.iter_mut().for_each(|cell| cell.family = "nasa_http".to_owned());
        study.cells.extend(other);
        let html = rendered(&study);
        assert!(html.contains("<h3>nasa_http</h3>") && html.contains("<h3>worldcup98</h3>"));
        assert_eq!(html.matches("lstm-dqn is cheaper than hpa-global by").count(), 2);
        study.cells.iter_mut().for_each(|cell| cell.guard_share = Some(0.4));
        assert!(rendered(&study).contains("in 40.0 % of its steps"));
    }

    #[test]
    fn names_from_outside_cannot_inject_markup() {
        let mut study = sample::study();
        study.name = "<script>alert(1)</script>".to_owned();
        study.failures = vec!["cell <b>x</b> ran out of memory".to_owned()];
        study.timelines.iter_mut().for_each(|timeline| timeline.strategy = "</svg><script>".to_owned());
        let html = rendered(&study);
        assert!(!html.contains("<script") && !html.contains("<b>x</b>"));
        assert!(html.contains("ran out of memory"));
    }

    #[test]
    fn a_study_of_one_window_and_nothing_else_still_makes_a_page() {
        let mut study = sample::study();
        study.cells.iter_mut().for_each(|cell| cell.windows.truncate(1));
        (study.learning, study.timelines, study.forecasts, study.trials) = (vec![], vec![], vec![], vec![]);
        (study.openings, study.provenance) = (vec![], vec![]);
        let html = rendered(&study);
        assert!(html.contains("One window only") && html.contains("No claim about lstm-dqn"));
    }
}
