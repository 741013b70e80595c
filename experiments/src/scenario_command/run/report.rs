//! A run in the words of the report, which knows no simulator.

use seatrial_core::record::timeline::{ServiceRow, Timeline};
use seatrial_core::time::{Span, Timestamp};
use seatrial_envs::spec::{KernelChoice, ScenarioSpec};
use seatrial_envs::world::latency::Latencies;
use seatrial_envs::world::{Outcome, ServiceOutcome};
use seatrial_reports::model::Fact;
use seatrial_reports::scenario::{
    Conservation, CostTerm, Decision, EndCount, Latency, ScenarioRun, ServiceTotals, Totals,
};

use super::LoadedScenario;
use crate::manifest;

pub(super) fn run_of(loaded: &LoadedScenario, outcome: &Outcome, timeline: &Timeline) -> ScenarioRun {
    let spec = &loaded.spec;
    ScenarioRun {
        name: spec.name.clone(),
        summary: spec.summary.clone(),
        kernel: if spec.kernel == KernelChoice::Events { "events" } else { "fluid" }.to_owned(),
        seed: spec.seed,
        warm_up_s: spec.warm_up_s,
        objective_s: spec.slo.latency_s,
        timeline: timeline.clone(),
        totals: totals(spec, outcome, timeline),
        conservation: conservation(outcome),
        services: outcome
            .services
            .iter()
            .enumerate()
            .map(|(id, service)| of_service(spec, timeline, id, service))
            .collect(),
        decisions: decisions(outcome, timeline),
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

fn totals(spec: &ScenarioSpec, outcome: &Outcome, timeline: &Timeline) -> Totals {
    let total = &outcome.total;
    let term = |name: &str, amount: f64, price: f64| CostTerm { name: name.to_owned(), amount, price };
    let counted = timeline.client_rows.iter().skip(first_that_counts(spec, timeline));
    Totals {
        offered: whole(total.requests),
        retries: counted.map(|row| row.retries).sum(),
        bad: whole(total.bad_requests),
        latency: latency(&outcome.latency),
        pod_seconds: total.pod_seconds(),
        costs: vec![
            term("pod-seconds", total.pod_seconds(), 1.0),
            term("bad requests", total.bad_requests, spec.costs.kappa),
            term("requests left at the end", total.left_over, spec.costs.kappa),
            term("changes of replicas", total.changes, spec.costs.churn),
        ],
    }
}

/// Costs count requests as numbers; the event kernel has whole ones.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts of requests")]
const fn whole(count: f64) -> u64 {
    count as u64
}

#[expect(clippy::cast_precision_loss, reason = "counts of intervals")]
fn of_service(spec: &ScenarioSpec, timeline: &Timeline, id: usize, service: &ServiceOutcome) -> ServiceTotals {
    let rows: Vec<&ServiceRow> =
        timeline.service_rows.iter().skip(id).step_by(timeline.services.len().max(1)).collect();
    let rows = rows.get(first_that_counts(spec, timeline)..).unwrap_or(&[]);
    let mean_ready = rows.iter().map(|row| f64::from(row.ready)).sum::<f64>() / rows.len().max(1) as f64;
    let cpu_s: f64 = rows.iter().map(|row| row.cpu_s).sum();
    let cores = spec.services.get(&service.name).map_or(0.0, |service| service.cores);
    let had_s = mean_ready * cores * timeline.interval.as_secs_f64() * rows.len() as f64;
    ServiceTotals {
        name: service.name.clone(),
        calls: rows.iter().map(|row| row.arrived).sum(),
        failed: rows.iter().map(|row| row.failed).sum(),
        mean_ready,
        most_ready: rows.iter().map(|row| row.ready).max().unwrap_or(0),
        utilisation: (had_s > 0.0).then(|| cpu_s / had_s),
        latency: latency(&service.latency),
        pod_seconds: service.total.pod_seconds(),
    }
}

/// Decisions that changed something.
fn decisions(outcome: &Outcome, timeline: &Timeline) -> Vec<Decision> {
    let changed = outcome.decisions.iter().filter(|row| row.record.decided != row.record.spec_replicas);
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
