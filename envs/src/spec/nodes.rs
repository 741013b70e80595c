//! Nodes of a scenario: pools, the scheduler, quotas, the life-cycle of lost nodes, the cluster autoscaler, and pods that only take room.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::distribution::Distribution;

/// Nodes and what places pods on them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClusterSpec {
    /// Node pools by name.
    pub pools: BTreeMap<String, PoolSpec>,
    /// How a node is chosen.
    #[serde(default)]
    pub scheduler: SchedulerSpec,
    /// What all pods together may ask for.
    #[serde(default)]
    pub quota: QuotaSpec,
    /// What happens to pods of a lost node.
    #[serde(default)]
    pub lifecycle: LifecycleSpec,
    /// Who adds and removes nodes; absent: nobody.
    #[serde(default)]
    pub autoscaler: Option<ClusterAutoscalerSpec>,
}

/// Nodes of one shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PoolSpec {
    /// Nodes at the first moment.
    #[serde(default)]
    pub nodes: u32,
    /// Fewest nodes that the cluster autoscaler leaves.
    #[serde(default)]
    pub min: u32,
    /// Most nodes that it makes; absent: as many as at the first moment.
    #[serde(default)]
    pub max: Option<u32>,
    /// Allocatable thousandths of a core.
    #[serde(default)]
    pub cpu_milli: u64,
    /// Allocatable MiB of memory.
    #[serde(default)]
    pub memory_mib: u64,
    /// Allocatable GPUs.
    #[serde(default)]
    pub gpus: u64,
    /// Most pods.
    #[serde(default = "kubelet_pods")]
    pub pods: u32,
    /// A recorded inventory in the place of `nodes` and their shape: the id of its trace.
    #[serde(default)]
    pub inventory: Option<String>,
    /// Seconds from the decision to add a node until pods can be bound to it.
    #[serde(default = "provision")]
    pub provision_s: Distribution,
    /// MiB of images that a node pulls per second, one image after the other; absent: at once.
    #[serde(default)]
    pub pull_mib_per_s: Option<f64>,
    /// Speed of a node, drawn once for each; 1 is nominal.
    #[serde(default = "nominal")]
    pub speed: Distribution,
}

/// How a node is chosen among those that fit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SchedulerSpec {
    /// Strategy of `NodeResourcesFit`.
    pub strategy: PlacementStrategy,
    /// Whether `NodeResourcesBalancedAllocation` counts as much.
    pub balanced: bool,
    /// Seconds from a pod's creation to its binding, if a node fits.
    pub latency_s: f64,
}

impl Default for SchedulerSpec {
    fn default() -> Self {
        Self { strategy: PlacementStrategy::LeastAllocated, balanced: true, latency_s: 0.0 }
    }
}

/// Strategies of `NodeResourcesFit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PlacementStrategy {
    /// Spread: the emptiest node.
    LeastAllocated,
    /// Pack: the fullest node.
    MostAllocated,
}

/// What all pods together may ask for; absent keys have no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct QuotaSpec {
    /// Thousandths of a core.
    pub cpu_milli: Option<u64>,
    /// MiB of memory.
    pub memory_mib: Option<u64>,
    /// Pods.
    pub pods: Option<u32>,
}

/// The node life-cycle controller's numbers, with Kubernetes' defaults.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LifecycleSpec {
    /// Seconds without a sign of life after which a node is unreachable and its pods leave the endpoints.
    pub grace_s: f64,
    /// Seconds for which pods tolerate an unreachable node before they are deleted.
    pub toleration_s: f64,
    /// Nodes per second that are tainted in a healthy zone.
    pub eviction_per_s: f64,
    /// The same in a large zone that is unhealthy.
    pub secondary_eviction_per_s: f64,
    /// Share of unreachable nodes from which a zone is unhealthy.
    pub unhealthy_share: f64,
    /// A zone of at most so many nodes is small: nothing is evicted in it while it is unhealthy.
    pub small_zone_nodes: u32,
}

impl Default for LifecycleSpec {
    fn default() -> Self {
        Self {
            grace_s: 50.0,
            toleration_s: 300.0,
            eviction_per_s: 0.1,
            secondary_eviction_per_s: 0.01,
            unhealthy_share: 0.55,
            small_zone_nodes: 50,
        }
    }
}

/// The cluster autoscaler's numbers, with its defaults.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClusterAutoscalerSpec {
    /// Seconds between its looks.
    pub scan_s: f64,
    /// A node whose requests are below this share of its room is not needed, if its pods fit elsewhere.
    pub unneeded_below: f64,
    /// Seconds that a node is not needed before it is removed.
    pub unneeded_s: f64,
    /// Seconds after a node was added in which none is removed.
    pub delay_after_add_s: f64,
}

impl Default for ClusterAutoscalerSpec {
    fn default() -> Self {
        Self { scan_s: 10.0, unneeded_below: 0.5, unneeded_s: 600.0, delay_after_add_s: 600.0 }
    }
}

/// Pods that serve no requests and only take room.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkloadSpec {
    /// How many there are; with `trace` it must be absent.
    #[serde(default)]
    pub replicas: u32,
    /// A record of pods, each created when it was and gone when it was: the id of its trace.
    #[serde(default)]
    pub trace: Option<String>,
    /// Seconds from the record's first pod to the scenario's start; pods that are alive then are there at once.
    #[serde(default)]
    pub trace_from_s: f64,
    /// CPU request in thousandths of a core.
    #[serde(default)]
    pub cpu_request_milli: u64,
    /// Memory request in MiB.
    #[serde(default)]
    pub memory_request_mib: u64,
    /// GPUs.
    #[serde(default)]
    pub gpus: u64,
    /// Share of its speed that every other pod on the same node loses to each of these: a noisy neighbour, 0 to below 1.
    #[serde(default)]
    pub slows_neighbours: f64,
    /// When they appear and go, in seconds from the start; absent: they are there all the time.
    #[serde(default)]
    pub from_s: Option<f64>,
    /// See `from_s`.
    #[serde(default)]
    pub until_s: Option<f64>,
}

const fn kubelet_pods() -> u32 {
    110
}

const fn provision() -> Distribution {
    Distribution::Lognormal { median: 120.0, sigma: 0.2 }
}

const fn nominal() -> Distribution {
    Distribution::Constant(1.0)
}
