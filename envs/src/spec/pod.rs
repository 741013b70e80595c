//! The pods of a service: what they ask for and use, how they start and end, how a new revision replaces them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::distribution::Distribution;

/// Requests, limits and use of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PodSpec {
    /// CPU request in thousandths of a core.
    pub cpu_request_milli: u32,
    /// CPU limit in thousandths of a core.
    pub cpu_limit_milli: u32,
    /// Memory request in MiB.
    pub memory_request_mib: u32,
    /// Memory limit in MiB; a pod beyond it is killed (OOM) and starts again.
    pub memory_limit_mib: u32,
    /// Memory in MiB that an idle pod uses.
    pub memory_base_mib: f64,
    /// Memory in MiB of each request in the pod, in service or queued.
    pub memory_per_request_mib: f64,
    /// Size of its image in MiB; 0: it is on every node.
    pub image_mib: f64,
}

impl Default for PodSpec {
    fn default() -> Self {
        Self {
            cpu_request_milli: 4_000,
            cpu_limit_milli: 4_000,
            memory_request_mib: 512,
            memory_limit_mib: 1_024,
            memory_base_mib: 128.0,
            memory_per_request_mib: 0.0,
            image_mib: 0.0,
        }
    }
}

/// From the container's start to ready.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StartSpec {
    /// Seconds from the container's start until the program can answer.
    pub start_s: Distribution,
    /// Seconds between readiness probes: a pod turns ready at the first one that is answered; 0: at once.
    pub probe_period_s: f64,
}

impl Default for StartSpec {
    fn default() -> Self {
        Self { start_s: Distribution::Lognormal { median: 60.0, sigma: 0.2 }, probe_period_s: 0.0 }
    }
}

/// From the deletion to the end.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TerminationSpec {
    /// Seconds that a deleted pod lives at least (a preStop hook); it gets no new requests.
    pub pre_stop_s: f64,
    /// Seconds after which a pod that still has requests is killed, and they fail.
    pub grace_s: f64,
}

impl Default for TerminationSpec {
    fn default() -> Self {
        Self { pre_stop_s: 5.0, grace_s: 30.0 }
    }
}

/// Rolling updates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RolloutSpec {
    /// Pods beyond the wanted number while one lasts.
    pub max_surge: AmountSpec,
    /// Pods that may be missing while one lasts.
    pub max_unavailable: AmountSpec,
    /// Seconds that a pod must be ready to count as available.
    pub min_ready_s: f64,
    /// When new revisions are rolled out, in seconds from the start.
    pub at_s: Vec<f64>,
}

impl Default for RolloutSpec {
    fn default() -> Self {
        Self {
            max_surge: AmountSpec::Percent("25%".to_owned()),
            max_unavailable: AmountSpec::Percent("25%".to_owned()),
            min_ready_s: 0.0,
            at_s: Vec::new(),
        }
    }
}

/// A number of pods, or a percentage of the wanted ones as `"25%"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum AmountSpec {
    /// So many.
    Count(u32),
    /// Whole percent, with its sign.
    Percent(String),
}
