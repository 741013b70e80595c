//! Plausible runs for tests: a shop of eleven services under a flash crowd, and shapes at the edge of what can come.

use seatrial_core::rand::{Stream, standard_normal, uniform};
use seatrial_core::record::timeline::{ClientRow, Edge, Mark, Percentiles, PoolRow, ServiceRow, Timeline};
use seatrial_core::time::{Span, Timestamp};

use super::{Conservation, CostTerm, Decision, EndCount, Latency, ScenarioRun, ServiceTotals, Totals, UNDER_WAY};
use crate::model::Fact;

const INTERVAL_S: i64 = 15;
const CLASSES: usize = 60;

/// Caller, callee and calls per call of the caller.
const SHOP: [(Option<usize>, usize, f64); 14] = [
    (None, 0, 1.0),
    (Some(0), 1, 0.9),
    (Some(0), 2, 1.4),
    (Some(0), 3, 0.3),
    (Some(0), 4, 0.12),
    (Some(0), 5, 0.6),
    (Some(4), 3, 1.0),
    (Some(4), 6, 1.0),
    (Some(4), 7, 1.0),
    (Some(4), 8, 1.0),
    (Some(4), 2, 2.0),
    (Some(3), 9, 1.0),
    (Some(5), 2, 1.0),
    (Some(8), 10, 1.0),
];
const NAMES: [&str; 11] = [
    "frontend",
    "advert",
    "catalogue",
    "cart",
    "checkout",
    "recommendation",
    "currency",
    "payment",
    "shipping",
    "cart-store",
    "quote",
];

fn rate(interval: usize) -> f64 {
    let t = interval as f64 / 120.0;
    let flash = if (50..72).contains(&interval) { 260.0 } else { 0.0 };
    let noise = 8.0 * standard_normal(3, Stream::TraceNoise, 0, interval as u32);
    (120.0 + 90.0 * (core::f64::consts::PI * t).sin() + flash + noise).max(0.0)
}

/// Calls per second of each service in an interval, from the clients on.
fn rates(edges: &[(Option<usize>, usize, f64)], services: usize, interval: usize) -> Vec<f64> {
    let mut rates = vec![0.0; services];
    // No path is longer.
    for _ in 0..10 {
        let before = rates.clone();
        rates.fill(0.0);
        for (from, to, share) in edges {
            rates[*to] += share * from.map_or_else(|| rate(interval), |from| before[from]);
        }
    }
    rates
}

fn percentiles(load: f64, base: f64) -> Percentiles {
    let tail = 1.0 / (1.06 - load.min(1.02));
    let p50 = base * (1.0 + 0.15 * tail);
    Percentiles { p50_s: Some(p50), p95_s: Some(p50 * (1.6 + 0.2 * tail)), p99_s: Some(p50 * (2.1 + 0.45 * tail)) }
}

struct Pods {
    ready: f64,
    desired: f64,
    backlog: f64,
}

/// A service that follows its load four intervals late, 30 calls/s to a pod.
fn step(pods: &mut Pods, load: f64, (service, interval): (usize, usize)) -> ServiceRow {
    let wish = (load / 30.0 / 0.75).ceil().max(1.0);
    pods.desired = if wish > pods.desired || interval % 20 == 0 { wish } else { pods.desired };
    let missing = (pods.desired - pods.ready).max(0.0);
    let pending = if missing > 5.0 { missing - 5.0 } else { 0.0 };
    let leaving = (pods.ready - pods.desired).max(0.0);
    let capacity = pods.ready * 30.0;
    pods.backlog = (pods.backlog + 0.35 * (load - capacity)).clamp(0.0, 900.0);
    let failed = if pods.backlog > 120.0 { 0.2 * load } else { 0.0 };
    let busy = (load / capacity.max(1.0)).min(1.0);
    let row = ServiceRow {
        desired: pods.desired as u32,
        pending: pending as u32,
        starting: (missing - pending) as u32,
        unreachable: 0,
        ready: pods.ready as u32,
        terminating: leaving as u32,
        queued: pods.backlog as u32,
        in_service: (busy * pods.ready * 4.0) as u32,
        arrived: (load * INTERVAL_S as f64) as u64,
        completed: ((load - failed) * INTERVAL_S as f64) as u64,
        failed: (failed * INTERVAL_S as f64) as u64,
        cpu_s: busy * pods.ready * INTERVAL_S as f64,
        latency: percentiles(busy, 0.004 + 0.003 * service as f64),
    };
    pods.ready = if leaving > 0.0 { pods.desired } else { pods.ready + (missing * 0.3).ceil().min(missing) };
    row
}

fn latency_edges() -> Vec<f64> {
    let mut edges: Vec<f64> = (0..CLASSES).map(|k| 0.005 * 1.13_f64.powi(k as i32)).collect();
    edges.insert(0, 0.0);
    edges.truncate(CLASSES);
    edges.push(f64::INFINITY);
    edges
}

/// Log-normal counts around the median.
fn counts(edges: &[f64], done: u64, latency: &Percentiles) -> Vec<u32> {
    let (Some(p50), Some(p95)) = (latency.p50_s, latency.p95_s) else { return vec![0; edges.len() - 1] };
    let sigma = ((p95 / p50).ln() / 1.645).max(0.05);
    let below = |x: f64| 1.0 / (1.0 + (-1.702 * (x.max(1e-9) / p50).ln() / sigma).exp());
    edges.windows(2).map(|pair| (done as f64 * (below(pair[1].min(1e6)) - below(pair[0]))) as u32).collect()
}

fn mark(interval: i64, kind: &str, text: &str) -> Mark {
    Mark { at: Timestamp::from_secs(interval * INTERVAL_S + 4), kind: kind.to_owned(), text: text.to_owned() }
}

fn marks() -> Vec<Mark> {
    let mut marks = vec![
        mark(18, "rollout", "rollout of catalogue begins"),
        mark(52, "node-added", "node web-4 joins pool web"),
        mark(53, "node-added", "node web-5 joins pool web"),
        mark(54, "unschedulable", "frontend-17: no node has 2 CPU left"),
        mark(55, "oom", "cart-3 exceeded 512 MiB"),
        mark(80, "fault", "node web-2 falls silent"),
        mark(83, "node-lost", "node web-2 is unreachable"),
    ];
    marks.extend((0..7).map(|k| mark(84, "evicted", &format!("frontend-{k} leaves node web-2"))));
    marks.push(mark(95, "repair", "node web-2 answers again"));
    marks.push(mark(110, "node-removed", "node web-5 was idle for 10 minutes"));
    marks
}

fn pool_rows(interval: usize) -> [PoolRow; 2] {
    let lost = u32::from((80..95).contains(&interval));
    let ready = if interval < 54 { 4 } else { 6 };
    let provisioning = u32::from((46..54).contains(&interval)) * 2;
    let used = (0.4 + 0.5 * rate(interval) / 420.0).min(1.0);
    [
        PoolRow { provisioning, ready: ready - lost, lost, cpu_requested: used },
        PoolRow { provisioning: 0, ready: 1, lost: 0, cpu_requested: 0.22 },
    ]
}

/// A run of `intervals` over the given call graph.
pub(crate) fn run_of(names: &[String], calls: &[(Option<usize>, usize, f64)], intervals: usize) -> ScenarioRun {
    let mut pods: Vec<Pods> = names.iter().map(|_| Pods { ready: 4.0, desired: 4.0, backlog: 0.0 }).collect();
    let edges_s = latency_edges();
    let mut timeline = Timeline {
        start: Timestamp::from_secs(0),
        interval: Span::from_secs(INTERVAL_S),
        services: names.to_vec(),
        pools: vec!["web".to_owned(), "stores".to_owned()],
        service_rows: vec![],
        pool_rows: vec![],
        client_rows: vec![],
        latency_edges_s: edges_s.clone(),
        latency_counts: vec![],
        marks: marks(),
        edges: vec![],
    };
    for interval in 0..intervals {
        let rates = rates(calls, names.len(), interval);
        let mut rows: Vec<ServiceRow> = (0..names.len()).map(|s| step(&mut pods[s], rates[s], (s, interval))).collect();
        // The node that is lost had two pods; a service alone has no nodes.
        for row in rows.iter_mut().skip(2).take(2).filter(|row| (83..95).contains(&interval) && row.ready > 0) {
            (row.ready, row.unreachable) = (row.ready - 1, 1);
        }
        let worst = rows.iter().map(|row| f64::from(row.queued)).fold(0.0, f64::max);
        let offered = rows[0].arrived;
        let latency = percentiles(0.6 + 0.45 * (worst / 300.0).min(1.0), 0.05 + worst / 400.0);
        let failed = rows[0].failed;
        let retries = if worst > 100.0 { offered / 4 } else { 0 };
        let late = if worst > 60.0 { offered / 20 } else { offered / 900 };
        let client = ClientRow { offered, retries, done: offered - failed, failed, bad: failed + late, latency };
        timeline.latency_counts.extend(counts(&edges_s, client.done, &latency));
        timeline.client_rows.push(client);
        timeline.service_rows.extend(rows);
        timeline.pool_rows.extend(pool_rows(interval));
    }
    summed(timeline, calls, intervals)
}

fn summed(mut timeline: Timeline, calls: &[(Option<usize>, usize, f64)], intervals: usize) -> ScenarioRun {
    let n = timeline.services.len();
    let rows = |s: usize| timeline.service_rows.iter().skip(s).step_by(n);
    let services: Vec<ServiceTotals> = (0..n)
        .map(|s| {
            let ready: f64 = rows(s).map(|row| f64::from(row.ready)).sum();
            let cpu: f64 = rows(s).map(|row| row.cpu_s).sum();
            let p50 = 0.004 + 0.003 * s as f64;
            ServiceTotals {
                name: timeline.services[s].clone(),
                calls: rows(s).map(|row| row.arrived).sum(),
                failed: rows(s).map(|row| row.failed).sum(),
                mean_ready: ready / intervals as f64,
                most_ready: rows(s).map(|row| row.ready).max().unwrap_or(0),
                utilisation: (ready > 0.0).then(|| cpu / (ready * INTERVAL_S as f64)),
                latency: Latency {
                    p50_s: Some(p50),
                    p95_s: Some(2.7 * p50),
                    p99_s: Some(4.1 * p50),
                    p999_s: Some(9.0 * p50),
                },
                pod_seconds: ready * INTERVAL_S as f64 * 1.04,
            }
        })
        .collect();
    timeline.edges = calls
        .iter()
        .map(|(from, to, share)| {
            let calls = from.map_or(services[0].calls, |from| services[from].calls) as f64 * share;
            let failed = calls * [0.0, 0.0004, 0.006, 0.03, 0.2][to % 5];
            Edge {
                from: from.map(|from| timeline.services[from].clone()),
                to: timeline.services[*to].clone(),
                calls: calls as u64,
                failed: failed as u64,
            }
        })
        .collect();
    let totals = totals(&timeline, &services);
    let decision = |k: i64, from, to, reason: &str| Decision {
        at: Timestamp::from_secs(k * INTERVAL_S),
        service: timeline.services[0].clone(),
        from,
        to,
        reason: reason.to_owned(),
    };
    ScenarioRun {
        name: "shop-flash-crowd".to_owned(),
        summary: "Eleven services meet a flash crowd and lose a node; the pools hold them only after two nodes joined."
            .to_owned(),
        kernel: "events".to_owned(),
        seed: 7,
        warm_up_s: 0.0,
        objective_s: Some(0.3),
        conservation: Some(conservation(&timeline)),
        decisions: vec![decision(50, 8, 18, "utilisation 0.97 of 0.75"), decision(100, 18, 9, "")],
        notes: vec!["Synthetic data of a test: no result.".to_owned()],
        spread: Vec::new(),
        bound: vec!["No decisions can lead to a J below 900.".to_owned()],
        provenance: vec![Fact { name: "revision".to_owned(), value: "a85ab61".to_owned() }],
        services,
        totals,
        timeline,
    }
}

fn conservation(timeline: &Timeline) -> Conservation {
    let sum = |of: fn(&ClientRow) -> u64| timeline.client_rows.iter().map(of).sum::<u64>();
    let end = |name: &str, requests: u64| EndCount { name: name.to_owned(), requests };
    let (offered, done, failed) = (sum(|row| row.offered), sum(|row| row.done), sum(|row| row.failed));
    let ends = vec![end("answered", done), end("failed", failed), end(UNDER_WAY, offered - done - failed)];
    Conservation { offered, ends }
}

fn totals(timeline: &Timeline, services: &[ServiceTotals]) -> Totals {
    let sum = |of: fn(&ClientRow) -> u64| timeline.client_rows.iter().map(of).sum::<u64>();
    let pod_seconds = services.iter().map(|service| service.pod_seconds).sum();
    let term = |name: &str, amount: f64, price: f64| CostTerm { name: name.to_owned(), amount, price };
    Totals {
        offered: sum(|row| row.offered),
        retries: sum(|row| row.retries),
        bad: sum(|row| row.bad),
        latency: Latency { p50_s: Some(0.062), p95_s: Some(0.41), p99_s: Some(1.9), p999_s: Some(4.2) },
        pod_seconds,
        costs: vec![
            term("pod-seconds", pod_seconds, 1.0),
            term("bad requests", sum(|row| row.bad) as f64, 1.0),
            term("changes of replicas", 58.0, 5.0),
        ],
    }
}

/// Half an hour of the shop.
pub(crate) fn shop() -> ScenarioRun {
    let names: Vec<String> = NAMES.iter().map(|name| (*name).to_owned()).collect();
    run_of(&names, &SHOP, 120)
}

/// `n` services with long names, each called by one before it, and by a second one now and then.
pub(crate) fn crowd(n: usize, intervals: usize) -> ScenarioRun {
    let names: Vec<String> = (0..n).map(|s| format!("team-{}-backend-service-{s}", s % 4)).collect();
    let mut calls = vec![(None, 0, 1.0)];
    for s in 1..n {
        let pick = |draw: u32| (uniform(9, Stream::Search, s as u64, draw) * s as f64) as usize;
        let caller = pick(0).max(s.saturating_sub(9));
        calls.push((Some(caller), s, 0.8));
        let other = pick(1);
        if s % 3 == 0 && other != caller {
            calls.push((Some(other), s, 0.2));
        }
    }
    ScenarioRun { name: format!("crowd-{n}"), ..run_of(&names, &calls, intervals) }
}

/// One service without nodes of its own to speak of.
pub(crate) fn single(intervals: usize) -> ScenarioRun {
    let mut run = run_of(&["web".to_owned()], &[(None, 0, 1.0)], intervals);
    (run.name, run.timeline.pools, run.timeline.pool_rows) = ("single-web-service".to_owned(), vec![], vec![]);
    run.timeline.marks.clear();
    run
}

/// A run in which nothing was ever completed.
pub(crate) fn dead(intervals: usize) -> ScenarioRun {
    let mut run = single(intervals);
    for row in &mut run.timeline.client_rows {
        (row.failed, row.done, row.bad, row.latency) = (row.offered, 0, row.offered, Percentiles::default());
    }
    for row in &mut run.timeline.service_rows {
        (row.ready, row.pending, row.completed, row.cpu_s) = (0, row.desired, 0, 0.0);
        row.latency = Percentiles::default();
    }
    run.timeline.latency_counts.fill(0);
    run.totals = totals(&run.timeline, &[]);
    run.conservation = Some(conservation(&run.timeline));
    run.totals.latency = Latency::default();
    let name = run.services[0].name.clone();
    run.services = vec![ServiceTotals { name, ..ServiceTotals::default() }];
    run
}

/// The shop with 500 marks of ten kinds.
pub(crate) fn marked() -> ScenarioRun {
    let mut run = shop();
    let kinds = [
        "fault",
        "repair",
        "rollout",
        "oom",
        "node-added",
        "node-removed",
        "node-lost",
        "evicted",
        "quota",
        "unschedulable",
    ];
    run.timeline.marks = (0..500_i64)
        .map(|k| {
            let at = Timestamp::from_micros(k * 3_600_000);
            let kind = kinds[(k * 7 % 10) as usize].to_owned();
            Mark { at, kind, text: format!("something happened to pod web-{k} on node pool-{}", k % 9) }
        })
        .collect();
    run.name = "five-hundred-marks".to_owned();
    run
}

/// All of them, by what they are for.
pub(crate) fn all() -> Vec<(&'static str, ScenarioRun)> {
    let mut free = shop();
    free.objective_s = None;
    free.warm_up_s = 240.0;
    free.timeline.start = Timestamp::from_secs(898_387_200);
    for mark in &mut free.timeline.marks {
        mark.at = Timestamp::from_micros(mark.at.micros() + 898_387_200_000_000);
    }
    vec![
        ("shop", shop()),
        ("dated", free),
        ("single", single(240)),
        ("instant", single(1)),
        ("dead", dead(40)),
        ("crowd", crowd(30, 2_000)),
        ("marked", marked()),
    ]
}
