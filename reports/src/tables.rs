//! Tables: the strategies of every scope and the paired comparisons, as CSV, Markdown, LaTeX and plain text for a terminal.
//!
//! A [`Table`] is text already; the writers only lay it out. CSV files hold plain numbers in columns of their own.

mod regret;

use std::fmt::Write as _;

use crate::claims::{Verdict, may_claim, verdict};
use crate::evaluation::{Evaluation, Metric, Scope, StrategyResult};
use crate::format::{csv_field, grouped, percent, short, with_interval};
use crate::model::Variant;
use crate::stats::Estimate;

pub use regret::{regret, regret_csv, regret_points};

/// Mark of what does not count for the headline.
pub const NOT_HEADLINE: &str = "not headline";

/// A table of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// What it shows, in one line.
    pub title: String,
    /// Column heads, with units.
    pub heads: Vec<String>,
    /// Rows, as wide as the heads.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    fn new(title: String, heads: &[&str]) -> Self {
        Self { title, heads: heads.iter().map(|head| (*head).to_owned()).collect(), rows: Vec::new() }
    }

    /// GitHub-flavoured Markdown; all columns but the first two are right-aligned.
    #[must_use]
    pub fn markdown(&self) -> String {
        let line = |cells: &[String]| {
            format!("| {} |\n", cells.iter().map(|c| c.replace('|', "\\|")).collect::<Vec<_>>().join(" | "))
        };
        let rule: Vec<String> =
            (0..self.heads.len()).map(|i| if i < 2 { "---".to_owned() } else { "---:".to_owned() }).collect();
        let rows: String = self.rows.iter().map(|row| line(row)).collect();
        format!("**{}**\n\n{}{}{rows}", self.title, line(&self.heads), line(&rule))
    }

    /// A LaTeX `table` for `booktabs`.
    #[must_use]
    pub fn latex(&self) -> String {
        let line = |cells: &[String]| {
            format!("    {} \\\\\n", cells.iter().map(|c| latex_text(c)).collect::<Vec<_>>().join(" & "))
        };
        let align: String = (0..self.heads.len()).map(|i| if i < 2 { 'l' } else { 'r' }).collect();
        let rows: String = self.rows.iter().map(|row| line(row)).collect();
        format!(
            "% Needs \\usepackage{{booktabs}}.\n\\begin{{table}}\n  \\caption{{{}}}\n  \\begin{{tabular}}{{{align}}}\n    \\toprule\n{}    \\midrule\n{rows}    \\bottomrule\n  \\end{{tabular}}\n\\end{{table}}\n",
            latex_text(&self.title),
            line(&self.heads)
        )
    }

    /// Columns aligned by blanks: the first left, the others right.
    #[must_use]
    pub fn plain(&self) -> String {
        let widths: Vec<usize> = (0..self.heads.len())
            .map(|i| {
                let cells = self.rows.iter().chain([&self.heads]).filter_map(|row| row.get(i));
                cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
            })
            .collect();
        let line = |cells: &[String]| {
            let padded: Vec<String> = cells
                .iter()
                .zip(&widths)
                .enumerate()
                .map(|(i, (cell, width))| if i == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") })
                .collect();
            padded.join("  ").trim_end().to_owned() + "\n"
        };
        let rule = "-".repeat(widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1));
        let rows: String = self.rows.iter().map(|row| line(row)).collect();
        format!("{}\n{}{rule}\n{rows}", self.title, line(&self.heads))
    }
}

fn latex_text(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '%' | '&' | '_' | '#' | '$' | '{' | '}' => {
                out.push('\\');
                out.push(c);
            }
            '–' => out.push_str("--"),
            '·' => out.push_str("$\\cdot$"),
            other => out.push(other),
        }
    }
    out
}

fn title(scope: &Scope) -> String {
    let mark = if scope.headline { String::new() } else { format!(" ({NOT_HEADLINE})") };
    format!("{}{mark}: {}", scope.name, scope.size_in_words())
}

/// The strategies of a scope from the cheapest to the dearest, with intervals; the oracle first.
#[must_use]
pub fn strategies(scope: &Scope) -> Table {
    let heads = [
        "strategy",
        "variant",
        "J/J*",
        "J per window, pod-s",
        "skill",
        "bad requests, %",
        "pod-hours per window",
        "changes per window",
        "guard share, %",
    ];
    let mut table = Table::new(title(scope), &heads);
    table.rows.extend(oracle_row(scope));
    table.rows.extend(scope.ranked().into_iter().map(|strategy| {
        let show = |metric, f: &dyn Fn(f64) -> String| with_interval(strategy.get(metric), f);
        vec![
            strategy.id.clone(),
            strategy.variant.as_str().to_owned(),
            show(Metric::CostOverOracle, &|x| grouped(x, 3)),
            show(Metric::Cost, &|x| grouped(x, 0)),
            show(Metric::Skill, &|x| grouped(x, 2)),
            show(Metric::BadFraction, &|x| percent(x, 3)),
            show(Metric::PodSeconds, &|x| grouped(x / 3_600.0, 1)),
            show(Metric::Changes, &|x| grouped(x, 0)),
            show(Metric::GuardShare, &|x| percent(x, 1)),
        ]
    }));
    table
}

fn oracle_row(scope: &Scope) -> Option<Vec<String>> {
    let bounds = scope.oracle?;
    let cost = match bounds.upper {
        Some(upper) => between(&grouped(bounds.lower, 0), &grouped(upper, 0)),
        None => format!("at least {}", grouped(bounds.lower, 0)),
    };
    let ratio = bounds.upper.map_or_else(|| "1".to_owned(), |upper| one_to(upper / bounds.lower));
    let plan = |metric, f: &dyn Fn(f64) -> String| {
        scope.plan.as_ref().and_then(|plan| plan.value(metric)).map_or_else(|| "–".to_owned(), f)
    };
    let name = if bounds.world.is_own() { "oracle" } else { "oracle (fluid world)" };
    Some(vec![
        name.to_owned(),
        "bound".to_owned(),
        ratio,
        cost,
        "1".to_owned(),
        plan(Metric::BadFraction, &|x| percent(x, 3)),
        plan(Metric::PodSeconds, &|x| grouped(x / 3_600.0, 1)),
        plan(Metric::Changes, &|x| grouped(x, 0)),
        "–".to_owned(),
    ])
}

/// Both ends, or one where they read the same.
fn between(low: &str, high: &str) -> String {
    if low == high { low.to_owned() } else { format!("{low} to {high}") }
}

/// `1`, or `1 to 1.013` where the ratio differs from 1 in the third decimal.
fn one_to(ratio: f64) -> String {
    let high = grouped(ratio, 3);
    if high == "1.000" { "1".to_owned() } else { format!("1 to {high}") }
}

/// J/J* at every price of a bad request, strategies in their order at the price of 1; `None` if there is no other price.
#[must_use]
pub fn sensitivity(evaluation: &Evaluation) -> Option<Table> {
    let prices = &evaluation.prices;
    prices.first()?;
    let mut columns: Vec<(f64, &Evaluation)> = prices.iter().map(|priced| (priced.kappa, &priced.evaluation)).collect();
    columns.push((1.0, evaluation));
    columns.sort_by(|a, b| a.0.total_cmp(&b.0));
    let heads: Vec<String> = columns.iter().map(|(kappa, _)| format!("J/J* at κ = {}", short(*kappa))).collect();
    let heads: Vec<&str> = ["strategy", "variant"].into_iter().chain(heads.iter().map(String::as_str)).collect();
    let mut table =
        Table::new(format!("Price κ of a bad request in pod-seconds, {}", title(&evaluation.overall)), &heads);
    for strategy in evaluation.overall.ranked() {
        let at = |(_, priced): &(f64, &Evaluation)| {
            let estimate = priced.overall.strategy(&strategy.id).and_then(|s| s.get(Metric::CostOverOracle));
            with_interval(estimate, |x| grouped(x, 3))
        };
        let mut row = vec![strategy.id.clone(), strategy.variant.as_str().to_owned()];
        row.extend(columns.iter().map(at));
        table.rows.push(row);
    }
    Some(table)
}

/// Every ordered pair of a scope, `a` from the cheapest to the dearest.
#[must_use]
pub fn paired(scope: &Scope) -> Table {
    let mut table = Table::new(
        format!("Paired differences, {}", title(scope)),
        &["a", "b", "mean ln J(a) − ln J(b)", "a cheaper in", "shown"],
    );
    let ranked = scope.ranked();
    for a in &ranked {
        for b in ranked.iter().filter(|b| b.id != a.id) {
            let Some(pair) = scope.pair(&a.id, &b.id) else { continue };
            // What the page refuses to claim has no verdict here either.
            let shown = match verdict(pair) {
                Verdict::TooFew => "too few windows",
                _ if !may_claim(scope) => "too few families",
                Verdict::Cheaper => "a cheaper",
                Verdict::Dearer => "a dearer",
                Verdict::NotShown => "no difference",
            };
            table.rows.push(vec![
                a.id.clone(),
                b.id.clone(),
                with_interval(Some(&pair.ln_ratio), |x| grouped(x, 4)),
                format!("{} of {}", pair.cheaper, pair.windows),
                shown.to_owned(),
            ]);
        }
    }
    table
}

/// The table that `run` prints: at most 110 columns wide.
#[must_use]
pub fn terminal(scope: &Scope) -> String {
    let heads = ["strategy", "J/window", "J/J*", "95 %", "skill", "bad %", "pod-h", "changes", "guard %"];
    let mut table = Table::new(title(scope), &heads);
    let one = |strategy: &StrategyResult, metric, f: &dyn Fn(f64) -> String| {
        strategy.value(metric).map_or_else(|| "–".to_owned(), f)
    };
    let row = |strategy: &StrategyResult| {
        let interval = strategy.get(Metric::CostOverOracle).and_then(|e| Some((e.low?, e.high?)));
        vec![
            strategy.id.clone(),
            one(strategy, Metric::Cost, &|x| grouped(x, 0)),
            one(strategy, Metric::CostOverOracle, &|x| grouped(x, 3)),
            interval.map_or_else(|| "–".to_owned(), |(low, high)| format!("{}–{}", grouped(low, 3), grouped(high, 3))),
            one(strategy, Metric::Skill, &|x| grouped(x, 2)),
            one(strategy, Metric::BadFraction, &|x| percent(x, 2)),
            one(strategy, Metric::PodSeconds, &|x| grouped(x / 3_600.0, 1)),
            one(strategy, Metric::Changes, &|x| grouped(x, 0)),
            one(strategy, Metric::GuardShare, &|x| percent(x, 1)),
        ]
    };
    if let Some(bounds) = scope.oracle {
        let mut cells = vec!["–".to_owned(); heads.len()];
        cells[0] =
            if bounds.world.is_own() { "oracle (lower bound)" } else { "oracle (fluid world's bound)" }.to_owned();
        cells[1] = grouped(bounds.lower, 0);
        cells[2] = "1".to_owned();
        table.rows.push(cells);
    }
    table.rows.extend(scope.ranked().into_iter().map(row));
    table.plain()
}

fn csv_line(fields: &[String]) -> String {
    fields.iter().map(|field| csv_field(field)).collect::<Vec<_>>().join(",") + "\n"
}

fn numbers(estimate: Option<&Estimate>) -> [String; 4] {
    let number = |x: Option<f64>| x.map_or_else(String::new, |x| x.to_string());
    let e = estimate;
    [
        number(e.map(|e| e.value)),
        number(e.and_then(|e| e.low)),
        number(e.and_then(|e| e.high)),
        e.map_or_else(String::new, |e| e.n.to_string()),
    ]
}

/// One line per scope, strategy and metric: `scope,headline,strategy,variant,config,metric,value,low,high,n`.
#[must_use]
pub fn strategies_csv(evaluation: &Evaluation) -> String {
    let mut out = "scope,headline,strategy,variant,config,metric,value,low,high,n\n".to_owned();
    for (kind, scope) in all_scopes(evaluation) {
        let start = |id: &str, variant: &str, config: &str, metric: &str| {
            vec![
                kind.clone(),
                scope.headline.to_string(),
                id.to_owned(),
                variant.to_owned(),
                config.to_owned(),
                metric.to_owned(),
            ]
        };
        let strategies = scope.strategies.iter().chain(scope.plan.as_ref());
        for (strategy, metric) in strategies.flat_map(|s| Metric::ALL.map(|metric| (s, metric))) {
            if let Some(estimate) = strategy.get(metric) {
                let mut fields = start(&strategy.id, strategy.variant.as_str(), &strategy.config, metric.key());
                fields.extend(numbers(Some(estimate)));
                out += &csv_line(&fields);
            }
        }
        if let Some(bounds) = scope.oracle {
            let mut fields = start("oracle", Variant::Oracle.as_str(), "", "bounds");
            fields.extend([
                String::new(),
                bounds.lower.to_string(),
                bounds.upper.map_or_else(String::new, |x| x.to_string()),
                String::new(),
            ]);
            out += &csv_line(&fields);
        }
    }
    out
}

/// One line per scope and ordered pair: `scope,headline,a,b,value,low,high,n,cheaper,windows`.
#[must_use]
pub fn paired_csv(evaluation: &Evaluation) -> String {
    let mut out = "scope,headline,a,b,value,low,high,n,cheaper,windows\n".to_owned();
    for (kind, scope) in all_scopes(evaluation) {
        for (a, b, pair) in scope.paired.iter().flat_map(|(a, others)| others.iter().map(move |(b, pair)| (a, b, pair)))
        {
            let mut fields = vec![kind.clone(), scope.headline.to_string(), a.clone(), b.clone()];
            fields.extend(numbers(Some(&pair.ln_ratio)));
            fields.extend([pair.cheaper.to_string(), pair.windows.to_string()]);
            out += &csv_line(&fields);
        }
    }
    out
}

/// `overall`, `family:<name>` and `regime:<name>`.
fn all_scopes(evaluation: &Evaluation) -> impl Iterator<Item = (String, &Scope)> {
    let families = evaluation.families.iter().map(|scope| (format!("family:{}", scope.name), scope));
    let regimes = evaluation.regimes.iter().map(|scope| (format!("regime:{}", scope.name), scope));
    core::iter::once(("overall".to_owned(), &evaluation.overall)).chain(families).chain(regimes)
}

/// The scopes that a reader is shown: `overall`, then families that are not the whole of it, then regimes.
#[must_use]
pub fn shown_scopes(evaluation: &Evaluation) -> Vec<&Scope> {
    let whole = &evaluation.overall;
    let same = |scope: &Scope| {
        (scope.headline, scope.size) == (whole.headline, whole.size) && scope.strategies == whole.strategies
    };
    let families = evaluation.families.iter().filter(|scope| !same(scope));
    core::iter::once(whole).chain(families).chain(&evaluation.regimes).collect()
}

/// All files of `report/tables`: name and content.
#[must_use]
pub fn files(evaluation: &Evaluation) -> Vec<(&'static str, String)> {
    let all = |make: fn(&Scope) -> Table, lay: fn(&Table) -> String| {
        let mut out = String::new();
        for scope in shown_scopes(evaluation) {
            let _ = writeln!(out, "{}", lay(&make(scope)));
        }
        out
    };
    let mut files = vec![
        ("paired.csv", paired_csv(evaluation)),
        ("paired.md", all(paired, Table::markdown)),
        ("paired.tex", all(paired, Table::latex)),
        ("strategies.csv", strategies_csv(evaluation)),
        ("strategies.md", all(strategies, Table::markdown)),
        ("strategies.tex", all(strategies, Table::latex)),
    ];
    let split: Vec<Table> = shown_scopes(evaluation).into_iter().filter_map(regret).collect();
    if !split.is_empty() {
        files.push(("regret.csv", regret_csv(evaluation)));
        files.push(("regret.md", split.iter().map(|table| table.markdown() + "\n").collect()));
        files.push(("regret.tex", split.iter().map(|table| table.latex() + "\n").collect()));
    }
    files.extend(sensitivity(evaluation).map(|table| ("sensitivity.md", table.markdown())));
    files
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{evaluation, sample};

    fn result() -> Evaluation {
        evaluation::evaluate(&sample::study()).unwrap()
    }

    #[test]
    fn terminal_table_is_narrow_and_aligned() {
        let text = terminal(&result().overall);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.iter().all(|line| line.chars().count() <= 110), "{text}");
        assert_eq!(lines.len(), 3 + 1 + 13, "{text}");
        assert!(lines[3].starts_with("oracle"), "{text}");
        let last_columns: Vec<usize> = lines[3..].iter().map(|line| line.chars().count()).collect();
        assert!(last_columns.iter().all(|n| *n == last_columns[0]), "right-aligned: {text}");
    }

    #[test]
    fn rows_are_ranked_and_every_layout_holds_them() {
        let result = result();
        let table = strategies(&result.overall);
        assert_eq!(table.rows.len(), 14);
        assert!(table.rows.iter().all(|row| row.len() == table.heads.len()));
        assert_eq!(table.rows[0][0], "oracle");
        assert_eq!(table.rows.last().unwrap()[0], "static");
        assert_eq!(table.markdown().lines().count(), 2 + 2 + 14);
        let latex = table.latex();
        assert!(latex.contains("bad requests, \\%") && latex.contains("\\bottomrule"));
        assert_eq!(latex.matches("\\\\\n").count(), 15);
        assert_eq!(paired(&result.overall).rows.len(), 13 * 12);
    }

    /// One window, or a few families, allow no verdict; one family of days does.
    #[test]
    fn pairs_without_a_claim_have_no_verdict() {
        let verdicts = |scope: &Scope| -> std::collections::BTreeSet<String> {
            paired(scope).rows.into_iter().filter_map(|mut row| row.pop()).collect()
        };
        let seen = verdicts(&result().overall);
        assert!(seen.contains("a cheaper") && seen.contains("no difference"), "{seen:?}");
        let mut study = sample::study();
        let mut other = study.cells.clone();
        other.iter_mut().for_each(|cell| cell.family = "nasa_http".to_owned());
        study.cells.extend(other);
        let two = evaluation::evaluate(&study).unwrap();
        assert_eq!(verdicts(&two.overall).into_iter().collect::<Vec<_>>(), ["too few families"]);
        assert_eq!(verdicts(&two.families[0]), seen);
        study.cells.retain(|cell| cell.family == "nasa_http");
        study.cells.iter_mut().for_each(|cell| cell.windows.truncate(1));
        let one = evaluation::evaluate(&study).unwrap();
        assert_eq!(verdicts(&one.overall).into_iter().collect::<Vec<_>>(), ["too few windows"]);
    }

    /// The bound is told once where its ends read the same.
    #[test]
    fn the_oracle_row_has_no_idle_range() {
        for (ratio, expected) in [(1.0, "1"), (1.000_4, "1"), (1.000_6, "1 to 1.001"), (1.013, "1 to 1.013")] {
            assert_eq!(one_to(ratio), expected);
        }
        let mut overall = result().overall;
        let row = |scope: &Scope| strategies(scope).rows[0].clone();
        overall.oracle = Some(evaluation::OracleBounds {
            lower: 1_000.0,
            upper: Some(1_000.2),
            world: evaluation::BoundedWorld::Own,
        });
        assert_eq!(row(&overall)[2..4], ["1", "1,000"]);
        overall.oracle = Some(evaluation::OracleBounds {
            lower: 1_000.0,
            upper: Some(1_020.0),
            world: evaluation::BoundedWorld::Own,
        });
        assert_eq!(row(&overall)[2..4], ["1 to 1.020", "1,000 to 1,020"]);
        overall.oracle =
            Some(evaluation::OracleBounds { lower: 1_000.0, upper: None, world: evaluation::BoundedWorld::Own });
        assert_eq!(row(&overall)[2..4], ["1", "at least 1,000"]);
    }

    #[test]
    fn prices_stand_side_by_side_in_their_order() {
        let mut priced = result();
        assert_eq!(sensitivity(&priced), None);
        let at = |kappa| evaluation::Priced { kappa, evaluation: result() };
        priced.prices = vec![at(3.0), at(0.3)];
        let table = sensitivity(&priced).unwrap();
        assert_eq!(table.heads[2..], ["J/J* at κ = 0.3", "J/J* at κ = 1", "J/J* at κ = 3"]);
        assert_eq!(table.rows.len(), priced.overall.strategies.len());
        assert!(table.rows.iter().all(|row| row.len() == 5 && row[2] == row[3]), "the sample is not priced anew");
        assert_eq!(files(&priced).last().unwrap().0, "sensitivity.md");
    }

    #[test]
    fn csv_has_as_many_fields_in_every_line() {
        let result = result();
        for text in [strategies_csv(&result), paired_csv(&result)] {
            let width = text.lines().next().unwrap().split(',').count();
            assert!(text.lines().all(|line| line.split(',').count() == width));
        }
        assert!(strategies_csv(&result).contains("family:worldcup98,true,lstm-dqn,learned,"));
    }

    #[test]
    fn coarse_families_are_shown_beside_the_headline() {
        let mut study = sample::study();
        let mut coarse = study.cells.clone();
        for cell in &mut coarse {
            (cell.family, cell.headline) = ("cluster_usage_5min".to_owned(), false);
        }
        study.cells.extend(coarse);
        let result = evaluation::evaluate(&study).unwrap();
        let shown: Vec<(&str, bool)> = shown_scopes(&result).iter().map(|s| (s.name.as_str(), s.headline)).collect();
        assert_eq!(shown, [("overall", true), ("cluster_usage_5min", false)]);
    }

    #[test]
    fn coarse_traces_are_marked() {
        let mut study = sample::study();
        study.cells.iter_mut().for_each(|cell| cell.headline = false);
        let result = evaluation::evaluate(&study).unwrap();
        assert!(strategies(&result.overall).title.contains(NOT_HEADLINE));
        assert!(terminal(&result.overall).contains(NOT_HEADLINE));
    }
}
