//! A scenario as a file says it: services and their call graph, pods, nodes, traffic, metrics, faults, prices.
//!
//! One schema for both kernels. This room is data; names of traces stand in it and are resolved by
//! whoever may read files, into [`Inputs`]. Tables by name are ordered maps, and the place of a name in that order is the dense
//! id that kernels count with.
//!
//! | part | what |
//! |---|---|
//! | [`ScenarioSpec`] | the whole |
//! | [`service`] | a service: how its pods serve, what they call, how many there are |
//! | [`pod`] | what a pod asks for, how it starts and ends |
//! | [`nodes`] | node pools, scheduler, quota, node life-cycle, cluster autoscaler |
//! | [`traffic`] | where requests come from, their classes, and how clients behave |
//! | [`faults`] | what goes wrong, and when |
//! | [`lower`] | the same for the fluid kernel: what it can run, and what not |
//! | [`distribution`] | a random quantity: drawn by inversion, so that no draw shifts another |
//! | [`mod@check`] | what a shape cannot say: ranges, names that must be there, what a kernel can express |
//! | [`generate`] | generated rates |
//! | [`graph`] | the call graph: cycles, and how many calls a request makes |
//! | [`nearest`] | which known word was probably meant |
//! | [`wording`] | what a reader says of a shape, in the words of TOML |

pub mod check;
pub mod distribution;
pub mod faults;
pub mod generate;
pub mod graph;
mod inputs;
pub mod lower;
pub mod nearest;
pub mod never;
pub mod nodes;
pub mod pod;
pub mod service;
pub mod traffic;
pub mod wording;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use seatrial_core::observe::{Bounds, Workload};
use seatrial_core::time::Span;
use serde::{Deserialize, Serialize};

pub use check::{Problem, Refused, check, check_inputs, refuse};
pub use distribution::{Distribution, Sampler};
pub use faults::FaultSpec;
pub use inputs::{Inputs, ListedNode, ListedPod, ListedRequest, SourceLoad};
pub use nodes::{ClusterSpec, PoolSpec, WorkloadSpec};
pub use pod::PodSpec;
pub use service::{AutoscalingSpec, ServiceSpec};
pub use traffic::{ClientSpec, TrafficSpec};

use crate::scenario::CostWeights;

/// A scenario. Unknown keys are refused everywhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScenarioSpec {
    /// Kebab-case name.
    pub name: String,
    /// What it is for, in a sentence.
    pub summary: String,
    /// Which kernel runs it.
    pub kernel: KernelChoice,
    /// Simulated seconds.
    pub duration_s: f64,
    /// Seconds at the beginning that count in no result.
    #[serde(default)]
    pub warm_up_s: f64,
    /// Seed of every draw.
    #[serde(default = "one")]
    pub seed: u64,
    /// What makes a request good.
    #[serde(default)]
    pub slo: SloSpec,
    /// Prices.
    #[serde(default = "protocol_costs")]
    pub costs: CostWeights,
    /// How clients behave.
    #[serde(default)]
    pub client: ClientSpec,
    /// Services by name; they make up the call graph.
    pub services: BTreeMap<String, ServiceSpec>,
    /// Where requests come from.
    #[serde(default)]
    pub traffic: Vec<TrafficSpec>,
    /// Nodes and what places pods on them; absent: every pod finds room at once, as in protocol P1.
    #[serde(default)]
    pub cluster: Option<ClusterSpec>,
    /// Pods that serve no requests and only take room, by name.
    #[serde(default)]
    pub workloads: BTreeMap<String, WorkloadSpec>,
    /// The metrics pipeline.
    #[serde(default)]
    pub metrics: MetricsSpec,
    /// What goes wrong, and when.
    #[serde(default)]
    pub faults: Vec<FaultSpec>,
}

/// Which kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum KernelChoice {
    /// Requests as a flow, waiting in closed form: for training and sweeps.
    Fluid,
    /// Every request, pod and node one by one: the truth.
    Events,
}

/// What makes a request good. A failed request is always bad.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SloSpec {
    /// Longest time in seconds that a good request waits for a worker of the entry service (protocol P1: 0.12); `inf`: any time.
    #[serde(with = "never")]
    #[schemars(with = "Option<f64>")]
    pub wait_s: Option<f64>,
    /// Longest time in seconds from the client's first try to the answer.
    pub latency_s: Option<f64>,
}

impl Default for SloSpec {
    fn default() -> Self {
        Self { wait_s: Some(0.12), latency_s: None }
    }
}

/// The metrics pipeline: counters of every pod, scraped, and read with Prometheus' own functions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MetricsSpec {
    /// Seconds between scrapes of a pod.
    pub scrape_s: f64,
    /// Share of the interval over which the scrapes of pods are spread, 0 (all at its end, as in protocol P1) to 1 (Prometheus).
    pub jitter: f64,
    /// Seconds until what was scraped is visible: the youngest visible slot ended so long ago.
    pub lag_s: f64,
    /// Probability that a scrape of a pod is lost.
    pub lost_scrape_probability: f64,
}

impl Default for MetricsSpec {
    fn default() -> Self {
        Self { scrape_s: 15.0, jitter: 0.0, lag_s: 15.0, lost_scrape_probability: 0.0 }
    }
}

const fn one() -> u64 {
    1
}

const fn protocol_costs() -> CostWeights {
    CostWeights { kappa: 1.0, churn: 5.0 }
}

impl ScenarioSpec {
    /// Dense id of a service: its place in the order of names.
    #[must_use]
    pub fn service_id(&self, name: &str) -> Option<usize> {
        self.services.keys().position(|known| known == name)
    }

    /// What the autoscaler of `service` knows beforehand; the only place that says so. Without an autoscaler the bounds are the number
    /// that is there (at most one where there is none), and whoever takes it over decides once per scrape.
    #[must_use]
    pub fn workload(&self, service: &ServiceSpec) -> Workload {
        let scaling = service.autoscaling.as_ref();
        let fixed = Bounds { min: service.replicas, max: service.replicas.max(1) };
        Workload {
            bounds: scaling.map_or(fixed, AutoscalingSpec::bounds),
            cpu_request_milli: service.pod.cpu_request_milli,
            cpu_limit_milli: service.pod.cpu_limit_milli,
            decision_interval: Span::from_secs_f64(scaling.map_or(self.metrics.scrape_s, |scaling| scaling.decision_s)),
            scrape_interval: Span::from_secs_f64(self.metrics.scrape_s),
            metric_lag: Span::from_secs_f64(self.metrics.lag_s),
            prior_lead_time: Span::from_secs_f64(scaling.map_or(90.0, |scaling| scaling.prior_lead_time_s)),
            stated_capacity: scaling.and_then(|scaling| scaling.stated_capacity_per_s),
        }
    }
}
