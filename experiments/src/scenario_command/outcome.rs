//! `summary.json` of a scenario's run: what it cost and whom it served, the same shape for both kernels.
//!
//! Numbers leave the warm-up out, but for `conservation`, which is about every request. Quantiles are those of the whole run's
//! histogram. What a kernel does not know is `null`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use seatrial_envs::app::AppOutcome;
use seatrial_envs::episode::CostTerms;
use seatrial_envs::scenario::CostWeights;
use seatrial_envs::spec::{KernelChoice, ScenarioSpec};
use seatrial_envs::world::Outcome;
use seatrial_envs::world::latency::Latencies;
use serde::{Deserialize, Serialize};

use crate::manifest;

/// Version of the shape.
const VERSION: u32 = 2;

/// What a run of a scenario came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScenarioSummary {
    /// Version of this shape.
    pub schema: u32,
    /// Name of the scenario.
    pub name: String,
    /// Kernel that ran it.
    pub kernel: KernelChoice,
    /// Seed of every draw.
    pub seed: u64,
    /// Simulated seconds.
    pub duration_s: f64,
    /// Seconds at the beginning that count in no result.
    pub warm_up_s: f64,
    /// Revision of the program.
    pub revision: String,
    /// Prices of J.
    pub costs: CostWeights,
    /// The whole: pods of all services, requests as clients saw them.
    pub total: Account,
    /// By service: its pods, and the calls that arrived at it.
    pub services: BTreeMap<String, ServiceAccount>,
    /// Where every request of the run is, warm-up included; only the event kernel counts them one by one.
    pub conservation: Option<RequestCount>,
    /// The least J that any decisions can have.
    pub bound: BoundAccount,
    /// Moments worth a mark by kind: faults, rollouts, evictions, pods without room.
    pub marks: BTreeMap<String, u64>,
    /// Events that the kernel handled; only the event kernel has some.
    pub events: Option<u64>,
}

/// Costs and times.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Requests, or calls of a service.
    pub requests: f64,
    /// Bad ones.
    pub bad_requests: f64,
    /// Bad requests over requests; without requests there is none.
    pub bad_fraction: Option<f64>,
    /// Pod-seconds of ready, starting and terminating pods.
    pub pod_seconds: f64,
    /// Replicas that decisions added plus those that they took: |change of replicas|, without what rollouts and evictions replace.
    pub changes: f64,
    /// Requests still waiting at the end.
    pub left_over: f64,
    /// J in pod-seconds.
    pub j: f64,
    /// Seconds from the first try to the answer, or from a call's arrival to its completion.
    pub latency: Quantiles,
}

/// Quantiles in seconds; `null` where nothing was completed or the kernel does not know them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Quantiles {
    /// Median.
    pub p50_s: Option<f64>,
    /// 95 %.
    pub p95_s: Option<f64>,
    /// 99 %.
    pub p99_s: Option<f64>,
    /// 99.9 %.
    pub p999_s: Option<f64>,
}

/// A service's costs and decisions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceAccount {
    /// Costs and times.
    pub account: Account,
    /// Decisions of its autoscaler.
    pub decisions: u64,
    /// Of them those that the guard overrode.
    pub overridden: u64,
    /// Of them those taken without the load metric.
    pub blind: u64,
}

/// The least J that any decisions can have, in pod-seconds, from the model of the service at its best. On the fluid kernel no run lies
/// below it. On the event kernel it is a bound on what is to be expected: single runs may lie below it by chance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BoundAccount {
    /// The bound; `null` where there is none.
    pub lower: Option<f64>,
    /// The same if every pod found room at once.
    pub lower_with_room: Option<f64>,
    /// Pods that quota and node pools can hold; `null` without nodes.
    pub most_pods: Option<u32>,
    /// J of the cheapest schedule that was run knowing the load; `null` if none was asked for.
    pub oracle: Option<f64>,
    /// Schedules that were run for it.
    pub schedules: usize,
    /// Why there is no bound.
    pub reason: Option<String>,
}

/// Where requests are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestCount {
    /// Requests that clients began.
    pub offered: u64,
    /// Answered.
    pub done: u64,
    /// Given up after their last try.
    pub failed: u64,
    /// Under way at the end.
    pub under_way: u64,
}

impl Quantiles {
    fn of(latencies: &Latencies) -> Self {
        let summary = latencies.summary();
        Self { p50_s: summary.p50_s, p95_s: summary.p95_s, p99_s: summary.p99_s, p999_s: summary.p999_s }
    }
}

impl Account {
    fn of(terms: &CostTerms, costs: CostWeights, latency: Quantiles) -> Self {
        Self {
            requests: terms.requests,
            bad_requests: terms.bad_requests,
            bad_fraction: (terms.requests > 0.0).then(|| terms.bad_requests / terms.requests),
            pod_seconds: terms.pod_seconds(),
            changes: terms.changes,
            left_over: terms.left_over,
            j: terms.j(costs),
            latency,
        }
    }
}

impl ScenarioSummary {
    /// The summary of a run event by event.
    #[must_use]
    pub fn of_events(spec: &ScenarioSpec, outcome: &Outcome) -> Self {
        let services = outcome.services.iter().map(|service| {
            let account = Account::of(&service.total, spec.costs, Quantiles::of(&service.latency));
            let (decisions, overridden, blind) = (service.decisions, service.overridden, service.blind);
            (service.name.clone(), ServiceAccount { account, decisions, overridden, blind })
        });
        let mut marks = BTreeMap::new();
        for mark in outcome.timeline.iter().flat_map(|timeline| &timeline.marks) {
            *marks.entry(mark.kind.clone()).or_default() += 1;
        }
        let count = outcome.conservation;
        let (offered, done, failed, under_way) = (count.offered, count.done, count.failed, count.under_way);
        Self {
            services: services.collect(),
            marks,
            conservation: Some(RequestCount { offered, done, failed, under_way }),
            events: Some(outcome.events),
            ..Self::of(spec, &outcome.total, Quantiles::of(&outcome.latency))
        }
    }

    /// The summary of a run as a flow.
    #[must_use]
    pub fn of_flow(spec: &ScenarioSpec, outcome: &AppOutcome) -> Self {
        let services = outcome.services.iter().map(|service| {
            let account = Account::of(&service.result.total, spec.costs, Quantiles::default());
            let (decisions, overridden, blind) =
                (service.result.decisions, service.result.overridden, service.result.blind);
            (service.name.clone(), ServiceAccount { account, decisions, overridden, blind })
        });
        Self { services: services.collect(), ..Self::of(spec, &outcome.total, Quantiles::default()) }
    }

    fn of(spec: &ScenarioSpec, total: &CostTerms, latency: Quantiles) -> Self {
        Self {
            schema: VERSION,
            name: spec.name.clone(),
            kernel: spec.kernel,
            seed: spec.seed,
            duration_s: spec.duration_s,
            warm_up_s: spec.warm_up_s,
            revision: manifest::revision(),
            costs: spec.costs,
            total: Account::of(total, spec.costs, latency),
            services: BTreeMap::new(),
            conservation: None,
            bound: BoundAccount::default(),
            marks: BTreeMap::new(),
            events: None,
        }
    }
}
