//! The page of a run: one file without scripts, its headline made of numbers alone.

use askama::Template;

use super::{Latency, ScenarioRun, ServiceTotals, UNDER_WAY, share, tables};
use crate::error::ReportError;
use crate::figures::Figure;
use crate::format::{duration, grouped, is_relative, iso_moment, percent};
use crate::html::{Shown, coded, shown};
use crate::model::Fact;
use crate::tables::Table;

/// Events, and changes of replicas, on the page; the files hold all.
const MOST_ROWS: usize = 60;

#[derive(Template)]
#[template(path = "scenario.html")]
struct Page<'a> {
    run: &'a ScenarioRun,
    length: String,
    headline: String,
    latency: Option<String>,
    conservation: Option<(String, bool)>,
    notes: Vec<String>,
    figures: Vec<Shown<'a>>,
    services: Sheet,
    prices: Sheet,
    events: Sheet,
    decisions: Sheet,
    provenance: Vec<Fact>,
}

/// A table and which of its columns are text; the first always is.
struct Sheet {
    table: Table,
    text: &'static [usize],
}

impl Sheet {
    fn class(&self, column: &usize) -> &'static str {
        if *column == 0 || self.text.contains(column) { " class=\"text\"" } else { "" }
    }

    fn wide(&self, column: &usize) -> &'static str {
        match (self.text.last(), *column + 1 == self.table.heads.len()) {
            (Some(last), true) if last == column => " class=\"text words\"",
            _ => self.class(column),
        }
    }
}

/// Renders the page of a run with its figures, which lie in `figures/` beside it, as its tables lie in `tables/`.
///
/// # Errors
/// [`ReportError::BadTimeline`] if the run's lists do not fit together, [`ReportError::Render`] if the template fails.
pub fn scenario_page(run: &ScenarioRun, figures: &[Figure]) -> Result<String, ReportError> {
    run.check()?;
    let page = Page {
        run,
        length: duration(Some(run.seconds())),
        headline: headline(run),
        latency: latency(run),
        conservation: tables::conservation(run),
        notes: notes(run),
        figures: shown(figures),
        services: Sheet { table: tables::services(run), text: &[] },
        prices: Sheet { table: tables::prices(run), text: &[] },
        events: Sheet { table: tables::events(run, MOST_ROWS), text: &[1, 2] },
        decisions: Sheet { table: tables::decisions(run, MOST_ROWS), text: &[1, 4] },
        provenance: provenance(run),
    };
    page.render().map_err(|error| ReportError::Render { what: "index.html", reason: error.to_string() })
}

/// What is to be known to read the page right: of the scenario, of the numbers of this run, and of any run.
fn notes(run: &ScenarioRun) -> Vec<String> {
    let mut notes: Vec<String> = run.notes.iter().map(|note| coded(note)).collect();
    notes.extend(given_up(run).map(|note| coded(&note)));
    notes.push(coded(&of_one_seed(run)));
    notes
}

fn of_one_seed(run: &ScenarioRun) -> String {
    let seed = run.seed;
    if run.spread.is_empty() {
        return format!(
            "One run with seed {seed}; another seed gives other numbers (`--seeds N` shows how far they spread)."
        );
    }
    let lines: Vec<String> =
        run.spread.iter().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    format!(
        "All below is the run with seed {seed}. Mean ± half of its 95 % interval (Student's t), and the least and the greatest: {}.",
        lines.join("; ")
    )
}

/// Requests that nobody knows the fate of, where they are one in a thousand.
fn unanswered(run: &ScenarioRun) -> String {
    let count = run.conservation.as_ref();
    let left =
        count.and_then(|count| count.ends.iter().find(|end| end.name == UNDER_WAY)).map_or(0, |end| end.requests);
    match count.and_then(|count| share(left, count.offered)).filter(|share| *share >= 0.001) {
        Some(share) => format!(", {} % not answered when the run ended", percent(share, 2)),
        None => String::new(),
    }
}

/// Why callers count more failed calls than the service that they call; of the service where the two are furthest apart.
fn given_up(run: &ScenarioRun) -> Option<String> {
    // A flow has nobody who gives up.
    run.conservation.as_ref()?;
    let of_callers = |service: &ServiceTotals| {
        let edges = run.timeline.edges.iter().filter(|edge| edge.to == service.name);
        let (calls, failed) = edges.fold((0, 0), |sum, edge| (sum.0 + edge.calls, sum.1 + edge.failed));
        share(failed, calls)
    };
    let shares = run.services.iter().filter_map(|service| {
        let (callers, own) = (of_callers(service)?, share(service.failed, service.calls)?);
        Some((service, callers, own)).filter(|_| callers > own && percent(callers, 2) != percent(own, 2))
    });
    let (service, callers, own) = shares.max_by(|a, b| (a.1 - a.2).total_cmp(&(b.1 - b.2)))?;
    Some(format!(
        "A caller counts a call as failed from the moment at which it gives it up; the service counts only those that it did not \
         complete. So {} % of the calls to {} failed for those who made them, and {} % in the table of services: the rest was \
         served to the end, for nobody.",
        percent(callers, 2),
        service.name,
        percent(own, 2)
    ))
}

/// Quantiles of the whole run; `None` of a kernel that follows no request.
fn latency(run: &ScenarioRun) -> Option<String> {
    run.conservation.as_ref()?;
    let Latency { p50_s, p95_s, p99_s, p999_s } = run.totals.latency;
    let [p50, p95, p99, p999] = [p50_s, p95_s, p99_s, p999_s].map(duration);
    Some(format!(
        "From first try to answer, of the requests that were answered: P50 {p50}, P95 {p95}, P99 {p99}, P99.9 {p999}."
    ))
}

/// A sentence of numbers: how many, how bad, how slow, how dear.
#[expect(clippy::cast_precision_loss, reason = "counts, for people to read")]
fn headline(run: &ScenarioRun) -> String {
    let totals = &run.totals;
    let bad =
        totals.bad_share().map_or_else(|| "none offered".to_owned(), |share| format!("{} % bad", percent(share, 2)));
    let retries =
        if totals.retries > 0 { format!(", {} retries", grouped(totals.retries as f64, 0)) } else { String::new() };
    let most: u32 = run.services.iter().map(|service| service.most_ready).max().unwrap_or(0);
    let noun = if most == 1 { "pod" } else { "pods" };
    let pods = if run.services.len() == 1 { format!(", at most {most} {noun} ready") } else { String::new() };
    // Who was never answered has no latency: where they are many, the quantile is that of the lucky.
    let answered = if totals.bad_share().is_some_and(|share| share > 0.01) { " of those answered" } else { "" };
    let followed = run.conservation.is_some();
    let p95 = if followed { format!(", P95 {}{answered}", duration(totals.latency.p95_s)) } else { String::new() };
    format!(
        "{} requests in {}: {bad}{}{p95}{retries}; {} pod-seconds{pods}; J = {}.",
        grouped(totals.offered as f64, 0),
        duration(Some(run.counted_seconds())),
        unanswered(run),
        grouped(totals.pod_seconds, 0),
        grouped(totals.j(), 0),
    )
}

fn provenance(run: &ScenarioRun) -> Vec<Fact> {
    let mut facts = run.provenance.clone();
    let mut add = |name: &str, value: String| facts.push(Fact { name: name.to_owned(), value });
    let start = run.timeline.start.micros();
    add("kernel", run.kernel.clone());
    add("seed", run.seed.to_string());
    add("start", if is_relative(start) { String::new() } else { iso_moment(start) });
    add("warm-up", if run.warm_up_s > 0.0 { duration(Some(run.warm_up_s)) } else { String::new() });
    add("interval", duration(Some(run.timeline.interval.as_secs_f64())));
    add("report", format!("{} {}", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")));
    facts.retain(|fact| !fact.value.is_empty());
    facts
}
