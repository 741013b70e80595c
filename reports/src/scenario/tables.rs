//! Tables of a run: services, prices, events, changes of replicas; and the same as CSV with plain numbers.

use seatrial_core::time::Timestamp;

use super::{Latency, ScenarioRun, ServiceTotals, share};
use crate::format::{clock_seconds, csv_field, day_label, duration, grouped, iso_moment, percent, short};
use crate::tables::Table;

fn table<const N: usize>(title: &str, heads: [&str; N], rows: Vec<[String; N]>) -> Table {
    Table {
        title: title.to_owned(),
        heads: heads.map(str::to_owned).to_vec(),
        rows: rows.into_iter().map(Vec::from).collect(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts, for people to read")]
fn count(number: u64) -> String {
    grouped(number as f64, 0)
}

/// A table per service.
pub(super) fn services(run: &ScenarioRun) -> Table {
    #[expect(clippy::cast_precision_loss, reason = "counts, for people to read")]
    let row = |service: &ServiceTotals| {
        let Latency { p50_s, p95_s, p99_s, .. } = service.latency;
        let failed = share(service.failed, service.calls);
        [
            service.name.clone(),
            short(service.calls as f64 / run.counted_seconds().max(1e-9)),
            failed.map_or_else(|| "–".to_owned(), |share| percent(share, 2)),
            grouped(service.mean_ready, 1),
            service.most_ready.to_string(),
            service.utilisation.map_or_else(|| "–".to_owned(), |used| percent(used, 1)),
            duration(p50_s),
            duration(p95_s),
            duration(p99_s),
            grouped(service.pod_seconds, 0),
        ]
    };
    table(
        "Services; latency from arrival at the service to completion",
        [
            "service",
            "calls/s",
            "failed, %",
            "ready pods, mean",
            "ready pods, most",
            "CPU used, %",
            "P50",
            "P95",
            "P99",
            "pod-seconds",
        ],
        run.services.iter().map(row).collect(),
    )
}

/// What J is made of.
pub(super) fn prices(run: &ScenarioRun) -> Table {
    let total = run.totals.j();
    let part = |cost: f64| if total > 0.0 { percent(cost / total, 1) } else { "–".to_owned() };
    let mut rows: Vec<[String; 5]> = run
        .totals
        .costs
        .iter()
        .map(|term| {
            let cost = term.cost();
            [term.name.clone(), grouped(term.amount, 0), short(term.price), grouped(cost, 0), part(cost)]
        })
        .collect();
    rows.push(["J".to_owned(), String::new(), String::new(), grouped(total, 0), part(total)]);
    table("J by term, in pod-seconds", ["term", "amount", "price of one", "cost", "share, %"], rows)
}

/// A moment of the run: the time of day, with the day where there are several.
fn moment(run: &ScenarioRun, at: Timestamp) -> String {
    const DAY_S: f64 = 86_400.0;
    let clock = clock_seconds(at.micros());
    if run.seconds() > DAY_S { format!("{} {clock}", day_label(at.micros())) } else { clock }
}

/// What happened when; at most `most` rows.
pub(super) fn events(run: &ScenarioRun, most: usize) -> Table {
    let marks = run.timeline.marks.iter().take(most);
    let rows = marks.map(|mark| [moment(run, mark.at), mark.kind.replace('-', " "), mark.text.clone()]).collect();
    let title = counted("Events", run.timeline.marks.len(), most);
    table(&title, ["time", "kind", "what"], rows)
}

/// Who changed replicas; at most `most` rows.
pub(super) fn decisions(run: &ScenarioRun, most: usize) -> Table {
    let row = |d: &super::Decision| {
        [moment(run, d.at), d.service.clone(), d.from.to_string(), d.to.to_string(), d.reason.clone()]
    };
    let rows = run.decisions.iter().take(most).map(row).collect();
    let title = counted("Changes of replicas", run.decisions.len(), most);
    table(&title, ["time", "service", "from", "to", "why"], rows)
}

fn counted(what: &str, all: usize, most: usize) -> String {
    if all > most { format!("{what}: the first {most} of {all}") } else { what.to_owned() }
}

/// Every table of the run as a CSV file: its name and content.
#[must_use]
pub fn scenario_tables(run: &ScenarioRun) -> Vec<(&'static str, String)> {
    vec![
        ("services.csv", services_csv(run)),
        ("prices.csv", prices_csv(run)),
        ("events.csv", events_csv(run)),
        ("decisions.csv", decisions_csv(run)),
    ]
}

fn optional(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

fn services_csv(run: &ScenarioRun) -> String {
    let mut out =
        "service,calls,failed,mean_ready,most_ready,utilisation,p50_s,p95_s,p99_s,p999_s,pod_seconds\n".to_owned();
    for s in &run.services {
        let Latency { p50_s, p95_s, p99_s, p999_s } = s.latency;
        let numbers = [s.utilisation, p50_s, p95_s, p99_s, p999_s].map(optional).join(",");
        let (name, ready) = (csv_field(&s.name), s.mean_ready);
        out += &format!("{name},{},{},{ready},{},{numbers},{}\n", s.calls, s.failed, s.most_ready, s.pod_seconds);
    }
    out
}

fn prices_csv(run: &ScenarioRun) -> String {
    let mut out = "term,amount,price,cost\n".to_owned();
    for term in &run.totals.costs {
        out += &format!("{},{},{},{}\n", csv_field(&term.name), term.amount, term.price, term.cost());
    }
    out
}

fn events_csv(run: &ScenarioRun) -> String {
    let mut out = "at,at_us,kind,text\n".to_owned();
    for mark in &run.timeline.marks {
        let at = mark.at.micros();
        out += &format!("{},{at},{},{}\n", iso_moment(at), csv_field(&mark.kind), csv_field(&mark.text));
    }
    out
}

fn decisions_csv(run: &ScenarioRun) -> String {
    let mut out = "at,at_us,service,from,to,reason\n".to_owned();
    for d in &run.decisions {
        let (at, service, reason) = (d.at.micros(), csv_field(&d.service), csv_field(&d.reason));
        out += &format!("{},{at},{service},{},{},{reason}\n", iso_moment(at), d.from, d.to);
    }
    out
}

/// `1,000 requests offered = 980 answered + 15 failed + 5 under way`, and whether it is so.
pub(super) fn conservation(run: &ScenarioRun) -> Option<(String, bool)> {
    let totals = run.conservation.as_ref()?;
    let sum: u64 = totals.ends.iter().map(|end| end.requests).sum();
    let ends: Vec<String> = totals.ends.iter().map(|end| format!("{} {}", count(end.requests), end.name)).collect();
    let ends = if ends.is_empty() { "nothing".to_owned() } else { ends.join(" + ") };
    let line = format!("{} requests offered = {ends}", count(totals.offered));
    if sum == totals.offered {
        let warm_up = if run.warm_up_s > 0.0 { " (warm-up included)" } else { "" };
        return Some((format!("{line}{warm_up}."), true));
    }
    let (word, off) =
        if sum > totals.offered { ("too many", sum - totals.offered) } else { ("missing", totals.offered - sum) };
    Some((format!("{line} does not hold: {} {word}. This is a defect of the kernel.", count(off)), false))
}
