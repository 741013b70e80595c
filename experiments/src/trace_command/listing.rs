//! [`TraceFacts`] as lines: a block per series, or a table if there are many.

use seatrial_core::time::{Span, Timestamp};
use seatrial_datasets::moment;

use super::facts::{EventFacts, Prepared, SeriesFacts, TraceFacts};
use super::wording::{count, number, percent, span};

/// More series than this stand in a table.
const MOST_BLOCKS: usize = 3;

pub(super) fn lines(facts: &TraceFacts) -> Vec<String> {
    let mut lines =
        vec![row("trace", &facts.id), row("kind", &format!("{}, {}", facts.kind, stated(Some(&facts.unit))))];
    let from = &facts.provenance;
    lines.push(row("source", stated(from.source.as_ref())));
    lines.extend(from.source_commit.as_ref().map(|commit| row("commit", commit)));
    lines.push(row("licence", stated(from.license.as_ref())));
    lines.push(row("time base", from.time_base.as_deref().unwrap_or("UTC")));
    lines.extend(from.more.iter().map(|(key, value)| row(key, &clipped(value))));
    lines.push(row("content", &facts.content_hash));
    if facts.series.len() > MOST_BLOCKS {
        lines.push(String::new());
        lines.extend(table(&facts.series));
        lines.push(String::new());
        lines.push("name a series with --series to see its parts under protocol P1; --json has everything".to_owned());
    } else {
        lines.extend(facts.series.iter().flat_map(|series| block(facts, series)));
    }
    lines.extend(facts.events.iter().map(events));
    lines
}

fn row(name: &str, value: &str) -> String {
    format!("{name:13} {value}")
}

/// A generated trace carries its whole recipe.
fn clipped(value: &str) -> String {
    const MOST: usize = 100;
    let head: String = value.chars().take(MOST).collect();
    if head.len() < value.len() { format!("{head}… (--json shows all)") } else { head }
}

fn stated(value: Option<&String>) -> &str {
    value.map(String::as_str).filter(|text| !text.is_empty()).unwrap_or("not stated")
}

fn shown(name: &str) -> &str {
    if name.is_empty() { "(only one)" } else { name }
}

fn stretch(from: Timestamp, to: Timestamp) -> String {
    format!("{} to {} ({})", moment::format(from), moment::format(to), span(to.since(from)))
}

fn block(facts: &TraceFacts, series: &SeriesFacts) -> Vec<String> {
    let SeriesFacts { bins, missing, .. } = series;
    let interval = series.interval();
    let seconds = number(interval.as_secs_f64());
    let also = if interval < Span::from_secs(60) { String::new() } else { format!(" ({})", span(interval)) };
    let missing = format!("{} missing ({})", count(*missing), percent(series.missing_share));
    let mut lines = vec![
        String::new(),
        row("series", shown(&series.name)),
        row("span", &stretch(series.start, series.end)),
        row("bins", &format!("{} of {seconds} s{also}, {missing}", count(*bins))),
    ];
    lines.push(match &series.values {
        None => row("values", "none: every bin is missing"),
        Some(values) => row(
            "values",
            &format!(
                "P50 {}, P99.5 {}, peak {} at {}",
                number(values.p50),
                number(values.p99_5),
                number(values.peak),
                moment::format(values.peak_at)
            ),
        ),
    });
    lines.extend(series.p1_refused.iter().map(|why| row("P1", &format!("cannot be used: {why}"))));
    lines.extend(series.p1.iter().flat_map(|p1| prepared(p1, facts.kind == "rate")));
    lines
}

fn prepared(p1: &Prepared, counted: bool) -> Vec<String> {
    let unit = if counted { "1 request/s of the source" } else { "1 unit" };
    let noise = |noise: Option<f64>| noise.map_or_else(|| "unknown".to_owned(), |noise| format!("{noise:.1}"));
    let smoothing = match p1.smoothing_bins {
        1 => "not smoothed (k = 1)".to_owned(),
        k => format!("smoothed over k = {k} bins to {}", noise(p1.noise)),
    };
    let mut lines = vec![
        row(
            "P1 scale",
            &format!("{unit} becomes {} requests/s; peak {} requests/s", number(p1.scale), number(p1.peak_per_s)),
        ),
        row("P1 noise", &format!("{} (Poisson: 1), {smoothing}", noise(p1.noise_raw))),
    ];
    if p1.test_only {
        lines.push(row("P1 use", "test only: shorter than 3 days, never trained on"));
    }
    if !p1.native {
        lines.push(row("P1 table", "coarse: bins longer than 1 min, never in the headline"));
    }
    lines.extend(p1.parts.iter().map(|part| row(&format!("P1 {}", part.part), &stretch(part.start, part.end))));
    lines
}

fn events(series: &EventFacts) -> String {
    let EventFacts { name, events, first, last } = series;
    row("series", &format!("{}: {} events, {}", shown(name), count(*events), stretch(*first, *last)))
}

const HEADS: [&str; 12] =
    ["series", "from", "length", "bin", "bins", "missing", "P50", "P99.5", "peak", "P1 noise", "P1 k", "P1 scale"];

fn table(series: &[SeriesFacts]) -> Vec<String> {
    let rows: Vec<[String; HEADS.len()]> =
        std::iter::once(HEADS.map(str::to_owned)).chain(series.iter().map(cells)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..HEADS.len()).map(width).collect();
    let line = |row: &[String; HEADS.len()]| {
        let padded = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
            if column < 3 { format!("{cell:width$}") } else { format!("{cell:>width$}") }
        });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

fn cells(series: &SeriesFacts) -> [String; HEADS.len()] {
    let value =
        |of: fn(&super::facts::Values) -> f64| series.values.as_ref().map_or("–".to_owned(), |v| number(of(v)));
    let p1 = |of: fn(&Prepared) -> String| series.p1.as_ref().map_or("–".to_owned(), of);
    [
        shown(&series.name).to_owned(),
        moment::format(series.start).chars().take(10).collect(),
        span(series.end.since(series.start)),
        span(series.interval()),
        count(series.bins),
        percent(series.missing_share),
        value(|values| values.p50),
        value(|values| values.p99_5),
        value(|values| values.peak),
        p1(|p1| p1.noise_raw.map_or_else(|| "unknown".to_owned(), |noise| format!("{noise:.1}"))),
        p1(|p1| p1.smoothing_bins.to_string()),
        p1(|p1| number(p1.scale)),
    ]
}
