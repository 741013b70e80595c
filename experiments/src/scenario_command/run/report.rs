//! A run in the words of the report, which knows no simulator.

use seatrial_core::record::timeline::Timeline;
use seatrial_core::time::Timestamp;
use seatrial_envs::app::AppOutcome;
use seatrial_envs::episode::CostTerms;
use seatrial_envs::spec::traffic::RetrySpec;
use seatrial_envs::spec::{ClientSpec, ScenarioSpec, SloSpec};
use seatrial_envs::world::latency::Latencies;
use seatrial_envs::world::{DecisionRow, Outcome};
use seatrial_reports::model::Fact;
use seatrial_reports::scenario::{
    Conservation, CostTerm, Decision, EndCount, Latency, ScenarioRun, ServiceTotals, Totals, UNDER_WAY,
};

use super::LoadedScenario;
use crate::manifest;

/// A run event by event.
pub(super) fn of_events(loaded: &LoadedScenario, outcome: &Outcome, timeline: &Timeline) -> ScenarioRun {
    let own = outcome.services.iter().map(|service| (latency(&service.latency), &service.total));
    let mut run = run_of(loaded, timeline, (&outcome.total, &outcome.decisions), own);
    run.kernel = "events".to_owned();
    run.totals.latency = latency(&outcome.latency);
    run.totals.retries = tries_of_clients(timeline).saturating_sub(run.totals.offered);
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
        // The books are closed when the warm-up is over, be it in the middle of an interval.
        let (calls, failed) = (whole(total.requests), whole(total.drops));
        ServiceTotals { calls, failed, latency, pod_seconds: total.pod_seconds(), ..totals }
    });
    ScenarioRun {
        name: spec.name.clone(),
        summary: spec.summary.clone(),
        kernel: String::new(),
        seed: spec.seed,
        warm_up_s: spec.warm_up_s,
        objective_s: spec.slo.latency_s,
        timeline: timeline.clone(),
        totals: totals(spec, total),
        conservation: None,
        services: services.collect(),
        decisions: decisions(decided, timeline),
        notes: notes(spec),
        spread: Vec::new(),
        bound: Vec::new(),
        provenance: provenance(loaded),
    }
}

fn latency(latencies: &Latencies) -> Latency {
    let summary = latencies.summary();
    Latency { p50_s: summary.p50_s, p95_s: summary.p95_s, p99_s: summary.p99_s, p999_s: summary.p999_s }
}

fn conservation(outcome: &Outcome) -> Conservation {
    let count = outcome.conservation;
    let ends = [("answered", count.done), ("failed", count.failed), (UNDER_WAY, count.under_way)];
    let end = |(name, requests): (&str, u64)| EndCount { name: name.to_owned(), requests };
    Conservation { offered: count.offered, ends: ends.map(end).to_vec() }
}

/// Tries of clients; those beyond the requests are retries.
fn tries_of_clients(timeline: &Timeline) -> u64 {
    timeline.edges.iter().filter(|edge| edge.from.is_none()).map(|edge| edge.calls).sum()
}

/// Of a kernel without retries.
fn totals(spec: &ScenarioSpec, total: &CostTerms) -> Totals {
    let term = |name: &str, amount: f64, price: f64| CostTerm { name: name.to_owned(), amount, price };
    Totals {
        offered: whole(total.requests),
        retries: 0,
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
    vec![bad(&spec.slo), tries(&spec.client)]
}

/// What makes a request bad.
fn bad(slo: &SloSpec) -> String {
    let wait =
        slo.wait_s.map(|wait_s| format!("waits longer than {wait_s} s for a worker of the service that it enters by"));
    let late = slo.latency_s.map(|late_s| format!("is answered later than {late_s} s after its first try"));
    let reasons: Vec<String> = wait.into_iter().chain(late).collect();
    match reasons.as_slice() {
        [] => "A request is bad if it fails; how long it takes is no objective here.".to_owned(),
        reasons => format!("A request is bad if it {}, or fails.", reasons.join(", ")),
    }
}

/// When a request fails: what its client does.
fn tries(client: &ClientSpec) -> String {
    let patience = client.timeout_s.map_or_else(
        || "Clients wait for ever".to_owned(),
        |timeout_s| format!("Clients give a try up after {timeout_s} s"),
    );
    let Some(RetrySpec { attempts, budget_ratio, .. }) = client.retries.filter(|retries| retries.attempts > 1) else {
        return format!("{patience} and do not try again: a request fails with its first try.");
    };
    let budget = budget_ratio.map_or_else(
        || "without a budget".to_owned(),
        |ratio| format!("within a budget of {ratio} retries per request and 10 a second"),
    );
    format!("{patience} and try up to {attempts} times in all, {budget}: a request fails with its last try.")
}

fn provenance(loaded: &LoadedScenario) -> Vec<Fact> {
    let fact = |name: &str, value: String| Fact { name: name.to_owned(), value };
    vec![
        fact("scenario", loaded.origin.clone()),
        fact("revision", manifest::revision()),
        fact("command", format!("seatrial scenario run scenario.toml --seed {}", loaded.spec.seed)),
    ]
}

#[cfg(test)]
mod tests {
    use seatrial_envs::spec::Inputs;
    use seatrial_envs::{app, world};

    use super::super::super::{inputs, parse};
    use super::*;

    /// A front and what it calls, both too busy; the warm-up ends within an interval.
    const BUSY: &str = r#"
name = "busy"
summary = "Too much to do."
kernel = "KERNEL"
duration_s = 300
warm_up_s = 100
client = { timeout_s = 1.0CLIENT }
[[traffic]]
service = "front"
source = { constant = { rate_per_s = 210.0 } }
[services.front]
replicas = 4
cores = 4.0
concurrency = 4
service_time_s = { exponential = { mean = 0.06 } }
calls = [{ to = "store"CALL }]
[services.store]
replicas = 4
cores = 4.0
concurrency = 4
service_time_s = { exponential = { mean = 0.08 } }
"#;

    fn busy(kernel: &str, [client, call]: [&str; 2]) -> (LoadedScenario, Inputs) {
        let text = BUSY.replace("KERNEL", kernel).replace("CLIENT", client).replace("CALL", call);
        let loaded = LoadedScenario { spec: parse(&text, "busy.toml").unwrap(), origin: "busy.toml".to_owned(), text };
        let inputs = inputs::read(&loaded, &[]).unwrap();
        (loaded, inputs)
    }

    /// Calls over the edges that lead to a service, and how many of them failed.
    fn over_edges(run: &ScenarioRun, to: &str) -> (u64, u64) {
        let edges = run.timeline.edges.iter().filter(|edge| edge.to == to);
        edges.fold((0, 0), |sum, edge| (sum.0 + edge.calls, sum.1 + edge.failed))
    }

    #[test]
    fn the_edges_count_what_the_tables_count() {
        let clients = [", retries = { attempts = 2 }", ", timeout_s = 0.3"];
        let (loaded, inputs) = busy("events", clients);
        let outcome = world::run_scenario(&loaded.spec, &inputs, &world::Options::default()).unwrap();
        let run = of_events(&loaded, &outcome, outcome.timeline.as_ref().unwrap());
        assert!(run.totals.retries > 1_000 && run.totals.offered < 43_000, "{:?}", run.totals);
        for service in &run.services {
            let (calls, failed) = over_edges(&run, &service.name);
            assert_eq!(calls, service.calls, "{}", service.name);
            assert!(failed >= service.failed && failed > 0, "{}: {failed}, {}", service.name, service.failed);
        }
        assert!(over_edges(&run, "store").1 > run.services[1].failed, "some were given up and served to the end");
        assert_eq!(over_edges(&run, "front").0, run.totals.offered + run.totals.retries);
        let (loaded, inputs) = busy("fluid", [""; 2]);
        let outcome = app::run_scenario(&loaded.spec, &inputs, &app::AppOptions::default()).unwrap();
        let run = of_flow(&loaded, &outcome);
        for service in &run.services {
            let (calls, failed) = over_edges(&run, &service.name);
            assert!(calls.abs_diff(service.calls) <= 1 && failed.abs_diff(service.failed) <= 1, "{}", service.name);
        }
        assert!(run.services[1].failed > 0 && run.services[1].calls < 43_000, "{:?}", run.services);
    }

    #[test]
    fn every_objective_in_force_is_said() {
        let said = |wait_s, latency_s| bad(&SloSpec { wait_s, latency_s });
        assert_eq!(
            said(Some(0.2), Some(0.5)),
            "A request is bad if it waits longer than 0.2 s for a worker of the service that it enters by, is answered later than \
             0.5 s after its first try, or fails."
        );
        assert_eq!(
            said(None, Some(0.5)),
            "A request is bad if it is answered later than 0.5 s after its first try, or fails."
        );
        assert_eq!(said(None, None), "A request is bad if it fails; how long it takes is no objective here.");
    }

    #[test]
    fn what_clients_do_is_said() {
        let retries = |attempts, budget_ratio| Some(RetrySpec { attempts, base_s: 0.1, cap_s: 10.0, budget_ratio });
        let said = |timeout_s, retries| tries(&ClientSpec { timeout_s, retries });
        for (timeout_s, retries, expected) in [
            (
                Some(5.0),
                None,
                "Clients give a try up after 5 s and do not try again: a request fails with its first try.",
            ),
            (
                Some(5.0),
                retries(1, None),
                "Clients give a try up after 5 s and do not try again: a request fails with its first try.",
            ),
            (
                None,
                retries(2, None),
                "Clients wait for ever and try up to 2 times in all, without a budget: a request fails with its last try.",
            ),
            (
                Some(3.0),
                retries(3, Some(0.1)),
                "Clients give a try up after 3 s and try up to 3 times in all, within a budget of 0.1 retries per request and 10 a \
                 second: a request fails with its last try.",
            ),
        ] {
            assert_eq!(said(timeout_s, retries), expected);
        }
    }
}
