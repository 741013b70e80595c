//! A trace as plain data for its picture: a panel per series with its columns, and the parts of protocol P1.

use seatrial_core::time::Timestamp;
use seatrial_datasets::{Kind, Series, SplitRule, Splits, Trace, moment};
use seatrial_reports::figures::{MOST_COLUMNS, TraceOverview, TracePanel, TracePart};
use seatrial_reports::format::is_relative;

use super::columns::columns;
use super::facts::{Values, share};
use super::wording::{percent, separated, span};

/// `series` of `trace`.
pub(super) fn overview(trace: &Trace, series: &[&Series]) -> TraceOverview {
    TraceOverview {
        id: trace.id.clone(),
        about: about(trace, series),
        unit: trace.unit.clone(),
        time_base: trace.provenance.time_base.clone().unwrap_or_else(|| "UTC".to_owned()),
        source: trace.provenance.source.clone(),
        panels: series.iter().map(|series| panel(trace, series)).collect(),
    }
}

/// Kind, unit unless the only panel names it, and, where it is the same for all, bin and span.
fn about(trace: &Trace, series: &[&Series]) -> String {
    let kind = match series {
        [only] if only.name.is_empty() => trace.kind.to_string(),
        _ => format!("{}: {}", trace.kind, trace.unit),
    };
    let Some(first) = series.first() else { return kind };
    if !series.iter().all(|s| (s.start, s.interval, s.end()) == (first.start, first.interval, first.end())) {
        return kind;
    }
    let dates = if is_relative(first.start.micros()) {
        String::new()
    } else {
        format!(" from {} to {}", minute(first.start), minute(first.end()))
    };
    format!("{kind} · bins of {} · {}{dates}", span(first.interval), span(first.span()))
}

/// `2025-01-01 00:00`.
fn minute(at: Timestamp) -> String {
    moment::format(at).chars().take(16).collect::<String>().replace('T', " ")
}

fn panel(trace: &Trace, series: &Series) -> TracePanel {
    let bins = series.values.len();
    let rule = SplitRule::protocol_p1(&trace.id);
    let splits = Splits::new(&rule, series.start, series.interval, bins).ok().filter(|_| trace.kind != Kind::Event);
    let parts = match splits {
        Some(splits) if splits.test_only() => vec![("test only", 0..bins)],
        Some(splits) => super::parts_of(&splits, bins),
        None => Vec::new(),
    };
    let at = |bin| series.at(bin).micros();
    TracePanel {
        name: series.name.clone(),
        levels: levels(series),
        columns: columns(series, MOST_COLUMNS),
        parts: parts
            .into_iter()
            .map(|(name, bins)| TracePart { name, start_us: at(bins.start), end_us: at(bins.end) })
            .collect(),
    }
}

fn levels(series: &Series) -> String {
    let Some(Values { p50, p99_5, peak, .. }) = Values::of(series) else { return "no value in any bin".to_owned() };
    let levels = [("P50", p50), ("P99.5", p99_5), ("peak", peak)];
    let levels = levels.map(|(name, value)| format!("{name} {}", separated(value))).join(" · ");
    match series.missing_count() {
        0 => levels,
        missing => format!("{levels} · {} missing", percent(share(missing, series.values.len()))),
    }
}
