//! The page: one file without scripts, with figures inline, readable on a phone, in the dark and on paper.
//!
//! Invariants: every sentence about who is cheaper comes from [`crate::claims`]; what failed stands on the page as plainly as
//! what worked; a strict content policy lets the page load nothing.

use std::collections::BTreeMap;

use askama::Template;

use crate::claims::{self, Claim};
use crate::error::ReportError;
use crate::evaluation::{Evaluation, Scope};
use crate::figures::{Figure, place};
use crate::format::grouped;
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
    attribution: Vec<String>,
    failed_lines: Vec<String>,
    notes: Vec<String>,
    failures: Vec<String>,
    tables: Vec<Laid>,
    regret: Vec<Laid>,
    sensitivity: Option<Laid>,
    figures: Vec<Shown<'a>>,
    trials: Vec<Trials>,
    openings: &'a [Opening],
    provenance: Vec<Fact>,
}

/// What is claimed over one scope; the title is empty where there is only one. Nothing of it is folded away.
struct Findings {
    title: String,
    lead: String,
    claims: Vec<Claim>,
}

/// By scope, then what no scope has windows enough for. Within a list: wins, draws, losses.
fn findings(evaluation: &Evaluation) -> Vec<Findings> {
    let scopes = claims::claim_scopes(evaluation);
    let several = scopes.len() > 1;
    let of = |scope: &Scope| {
        let mut claims = claims::claims(scope);
        claims.sort_by_key(|claim| claim.verdict);
        let title = if several { scope.name.clone() } else { String::new() };
        Findings { title, lead: claims::tally(&claims), claims }
    };
    let mut all: Vec<Findings> = scopes.into_iter().map(of).collect();
    all.push(Findings { title: String::new(), lead: String::new(), claims: claims::open_claims(evaluation) });
    all.retain(|found| !found.claims.is_empty());
    all
}

/// The attribution rows among the rivals.
fn attribution(evaluation: &Evaluation) -> Vec<String> {
    let rows = evaluation.overall.ranked().into_iter().filter(|strategy| strategy.variant == Variant::Attribution);
    rows.map(|strategy| strategy.id.clone()).collect()
}

/// A table whose intervals stand below their values and whose variant stands below its strategy, so that it stays narrow.
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
    let row = |mut row: Vec<String>| {
        let variant = row.remove(1);
        let mut cells: Vec<Cell> = row.into_iter().map(cell).collect();
        cells[0].interval = variant;
        cells
    };
    let mut heads = table.heads;
    heads.remove(1);
    // Heads may break between words, not within `pod-s`.
    heads.iter_mut().for_each(|head| *head = head.replace('-', "\u{2011}"));
    Laid { title: table.title, heads, rows: table.rows.into_iter().map(row).collect() }
}

/// HTML of a text in which what stands between backticks is code.
pub(crate) fn coded(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let parts: Vec<&str> = text.split('`').collect();
    for (i, part) in parts.iter().enumerate() {
        // An opening backtick without its closing one stays what it is.
        let (open, close) = match (i % 2 == 1, i + 1 < parts.len()) {
            (true, true) => ("<code>", "</code>"),
            (true, false) => ("`", ""),
            (false, _) => ("", ""),
        };
        out.push_str(open);
        for c in part.chars() {
            match c {
                '&' => out.push_str("&amp;"),
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '"' => out.push_str("&quot;"),
                '\'' => out.push_str("&#39;"),
                other => out.push(other),
            }
        }
        out.push_str(close);
    }
    out
}

/// A figure, inline or linked.
pub(crate) struct Shown<'a> {
    pub(crate) figure: &'a Figure,
    pub(crate) inline: bool,
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
    let lines = |lines: &[String]| lines.iter().map(|line| coded(line)).collect();
    let page = Page {
        study,
        size: evaluation.overall.size_in_words(),
        span: place::in_words(&place::dated(study.cells.iter())),
        findings: findings(evaluation),
        attribution: attribution(evaluation),
        failed_lines: lines(&claims::failed_lines(evaluation)),
        notes: study.notes.iter().chain(&evaluation.notes).map(|note| coded(note)).collect(),
        failures: lines(&study.failures),
        regret: shown_scopes(evaluation).into_iter().filter_map(tables::regret).map(laid).collect(),
        sensitivity: tables::sensitivity(evaluation).map(laid),
        tables: shown_scopes(evaluation).into_iter().map(|scope| laid(tables::strategies(scope))).collect(),
        figures: shown(figures),
        trials: trials(&study.trials),
        openings: &study.openings,
        provenance: provenance(study),
    };
    page.render().map_err(|error| ReportError::Render { what: "index.html", reason: error.to_string() })
}

/// Figures inline as long as the page stays small.
pub(crate) fn shown(figures: &[Figure]) -> Vec<Shown<'_>> {
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
            "id=\"certified-regret\"",
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
        let html = rendered(&study);
        assert!(html.contains("<code>nasa_http</code>: The guard overrode lstm-dqn in 40.0 % of its steps"));
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
        assert!(
            html.contains("One window only") && html.contains("lstm-dqn was cheaper than static in the only window")
        );
        assert!(html.contains("too few windows for a claim.") && !html.contains("lstm-dqn is cheaper than hpa"));
        assert_eq!(html.matches("Too few windows to show that lstm-dqn is cheaper than").count(), 1);
        assert!(!html.contains("<details"), "nothing is folded away");
    }

    /// Wins, draws and losses stand in one open list, losses to attribution rows too, and lines that fail are named below it.
    #[test]
    fn the_first_list_hides_no_loss() {
        let html = rendered(&sample::of_every_kind());
        let between = |from: &str, to: &str| &html[html.find(from).unwrap()..html.find(to).unwrap()];
        let found = between("id=\"findings\"", "id=\"failures\"");
        let at = |words: &str| found.find(words).unwrap_or_else(|| panic!("`{words}` in {found}"));
        assert!(at("lstm-dqn against all other rows: ") < at("lstm-dqn is cheaper than lstm-dqn-untrained by "));
        assert!(
            at("lstm-dqn is cheaper than hpa-default by ")
                < at("No difference shown between lstm-dqn and forecast-max")
        );
        assert!(
            at("No difference shown between") < at("<li class=\"bad\">lstm-dqn is dearer than headroom-constant by ")
        );
        assert_eq!(found.matches("<li").count(), 12, "every other strategy once");
        let failed = between("id=\"failures\"", "id=\"notes\"");
        assert!(failed.contains(">What failed</h2>"));
        for words in ["dearer than headroom-constant by", "lstm-dqn and forecast-max: J differs", "31.0 % of its steps"]
        {
            assert!(failed.contains(words), "{words}");
        }
        assert!(!html.contains("<details"));
    }

    #[test]
    fn backticks_become_code_and_nothing_else_becomes_markup() {
        for (text, expected) in [
            ("`a_b` is <read>", "<code>a_b</code> is &lt;read&gt;"),
            ("a `<b>` & 'c'", "a <code>&lt;b&gt;</code> &amp; &#39;c&#39;"),
            ("one ` alone", "one ` alone"),
            ("`x` and `y", "<code>x</code> and `y"),
            ("plain", "plain"),
        ] {
            assert_eq!(coded(text), expected);
        }
        let mut study = sample::study();
        study.notes = vec!["`generated` is not headline".to_owned()];
        assert!(rendered(&study).contains("<li><code>generated</code> is not headline</li>"));
    }

    #[test]
    fn tables_lead_with_strategy_and_ratio_and_scroll_alone() {
        let html = rendered(&sample::study());
        let table = &html[html.find("<table").unwrap()..html.find("</table>").unwrap()];
        let heads: Vec<&str> =
            table.split("<th scope=\"col\">").skip(1).map(|h| h.split('<').next().unwrap()).collect();
        assert_eq!(heads[..2], ["strategy", "J/J*"]);
        assert_eq!(heads.len(), 8, "the variant stands below its strategy");
        assert!(!table.contains("<caption"), "a caption inside would be cut where the table scrolls");
        assert!(html.contains("<td>lstm-dqn<span>learned</span></td>"));
    }

    #[test]
    fn other_prices_have_a_table_of_their_own() {
        let study = sample::study();
        let mut evaluation = evaluation::evaluate(&study).unwrap();
        assert!(!page(&study, &evaluation, &[]).unwrap().contains("id=\"prices\""));
        let priced = |kappa| evaluation::Priced { kappa, evaluation: evaluation::evaluate(&study).unwrap() };
        evaluation.prices = vec![priced(0.3), priced(3.0)];
        let html = page(&study, &evaluation, &[]).unwrap();
        assert!(html.contains("id=\"prices\"") && html.contains("J/J* at κ = 0.3") && html.contains("J/J* at κ = 3"));
    }
}
