//! A run in the words of the report, which knows no simulator.

use seatrial_core::record::timeline::Timeline;
use seatrial_core::time::{Span, Timestamp};
use seatrial_envs::app::AppOutcome;
use seatrial_envs::episode::CostTerms;
use seatrial_envs::spec::ScenarioSpec;
use seatrial_envs::world::latency::Latencies;
use seatrial_envs::world::{DecisionRow, Outcome};
use seatrial_reports::model::Fact;
use seatrial_reports::scenario::{
    Conservation, CostTerm, Decision, EndCount, Latency, ScenarioRun, ServiceTotals, Totals,
};

use super::LoadedScenario;
use crate::manifest;

/// A run event by event.
pub(super) fn of_events(loaded: &LoadedScenario, outcome: &Outcome, timeline: &Timeline) -> ScenarioRun {
    let own = outcome.services.iter().map(|service| (latency(&service.latency), &service.total));
    let mut run = run_of(loaded, timeline, (&outcome.total, &outcome.decisions), own);
    run.kernel = "events".to_owned();
    run.totals.latency = latency(&outcome.latency);
    run.conservation = Some(conservation(outcome));
    run
}

/// A run as a flow: nobody is followed, so there are no quantiles of the whole run and no counts of whole requests.
pub(super) fn of_flow(loaded: &LoadedScenario, outcome: &AppOutcome) -> ScenarioRun {
    let own = outcome.services.iter().map(|service| (Latency::default(), &service.result.total));
    let mut run = run_of(loaded, &outcome.timeline, (&outcome.total, &outcome.decisions), own);
    run.kernel = "fluid".to_owned();
    run.notes.extend(FLOW.map(str::to_owned));
    run
}

/// What a reader of the fluid kernel's page has to know.
const FLOW: [&str; 2] = [
    "Requests are a flow here and waiting has a closed form: amounts are rounded, and quantiles of latency stand where pods and load \
     were the same all through an interval and nobody was queued.",
    "Work enters by its mean and how much it varies; that is exact for exponential work and an approximation for any other. How far this \
     kernel and the event kernel are apart: `docs/validity.md`.",
];

fn run_of<'a>(
    loaded: &LoadedScenario,
    timeline: &Timeline,
    (total, decided): (&CostTerms, &[DecisionRow]),
    own: impl Iterator<Item = (Latency, &'a CostTerms)>,
) -> ScenarioRun {
    let spec = &loaded.spec;
    let services = own.enumerate().map(|(id, (latency, total))| {
        let cores = timeline.services.get(id).and_then(|name| spec.services.get(name)).map_or(0.0, |own| own.cores);
        let totals = ServiceTotals::of_timeline(timeline, id, (spec.warm_up_s, cores));
        ServiceTotals { latency, pod_seconds: total.pod_seconds(), ..totals }
    });
    ScenarioRun {
        name: spec.name.clone(),
        summary: spec.summary.clone(),
        kernel: String::new(),
        seed: spec.seed,
        warm_up_s: spec.warm_up_s,
        objective_s: spec.slo.latency_s,
        timeline: timeline.clone(),
        totals: totals(spec, total, timeline),
        conservation: None,
        services: services.collect(),
        decisions: decisions(decided, timeline),
        notes: notes(spec),
        provenance: provenance(loaded),
    }
}

fn latency(latencies: &Latencies) -> Latency {
    let summary = latencies.summary();
    Latency { p50_s: summary.p50_s, p95_s: summary.p95_s, p99_s: summary.p99_s, p999_s: summary.p999_s }
}

fn conservation(outcome: &Outcome) -> Conservation {
    let count = outcome.conservation;
    let ends = [("answered", count.done), ("failed", count.failed), ("under way", count.under_way)];
    let end = |(name, requests): (&str, u64)| EndCount { name: name.to_owned(), requests };
    Conservation { offered: count.offered, ends: ends.map(end).to_vec() }
}

/// The first interval that counts: that in which the warm-up ends.
fn first_that_counts(spec: &ScenarioSpec, timeline: &Timeline) -> usize {
    usize::try_from(Span::from_secs_f64(spec.warm_up_s).whole_steps(timeline.interval)).unwrap_or(0)
}

fn totals(spec: &ScenarioSpec, total: &CostTerms, timeline: &Timeline) -> Totals {
    let term = |name: &str, amount: f64, price: f64| CostTerm { name: name.to_owned(), amount, price };
    let counted = timeline.client_rows.iter().skip(first_that_counts(spec, timeline));
    Totals {
        offered: whole(total.requests),
        retries: counted.map(|row| row.retries).sum(),
        bad: whole(total.bad_requests),
        latency: Latency::default(),
        pod_seconds: total.pod_seconds(),
        costs: vec![
            term("pod-seconds", total.pod_seconds(), 1.0),
            term("bad requests", total.bad_requests, spec.costs.kappa),
            term("requests left at the end", total.left_over, spec.costs.kappa),
            term("changes of replicas", total.changes, spec.costs.churn),
        ],
    }
}

/// Costs count requests as numbers; the event kernel has whole ones, the fluid kernel rounds.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts of requests")]
const fn whole(count: f64) -> u64 {
    count.round() as u64
}

/// Decisions that changed something.
fn decisions(decided: &[DecisionRow], timeline: &Timeline) -> Vec<Decision> {
    let changed = decided.iter().filter(|row| row.record.decided != row.record.spec_replicas);
    let named = changed.filter_map(|row| {
        Some(Decision {
            at: Timestamp::from_micros(row.record.at_us),
            service: timeline.services.get(row.service.index())?.clone(),
            from: row.record.spec_replicas,
            to: row.record.decided,
            reason: row.record.reason.clone(),
        })
    });
    named.collect()
}

fn notes(spec: &ScenarioSpec) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(wait_s) = spec.slo.wait_s {
        notes.push(format!("A request that waits longer than {wait_s} s for a worker is bad."));
    }
    notes
}

fn provenance(loaded: &LoadedScenario) -> Vec<Fact> {
    let fact = |name: &str, value: String| Fact { name: name.to_owned(), value };
    vec![
        fact("scenario", loaded.origin.clone()),
        fact("revision", manifest::revision()),
        fact("command", format!("seatrial scenario run scenario.toml --seed {}", loaded.spec.seed)),
    ]
}
