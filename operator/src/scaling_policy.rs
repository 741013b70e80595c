//! `ScalingPolicy`: which workload is scaled, by which policy, from which metrics, and how far the operator may act.
//!
//! The comments of these fields are the documentation that `kubectl explain scalingpolicy` shows: they are written for
//! cluster users and give unit and default. What a schema cannot say stands in CEL rules beside the types; the API
//! server refuses what breaks them.

#![expect(unreachable_pub, reason = "the derive of KubeSchema repeats each struct inside a function")]

mod bundle;
mod fallback;
mod metrics;
mod status;

pub use bundle::{BuiltInForecaster, BuiltInPolicy, BundleSource, ConfigMapKey};
pub use fallback::{Fallback, HpaBehavior, HpaPolicy, HpaPolicyType, HpaRules, SelectPolicy};
pub use metrics::{Metrics, Queries};
pub use status::{BundleInForce, LastDecision, Phase, ScalingPolicyStatus};

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Scales one workload by a Seatrial policy.
#[expect(clippy::duplicated_attributes, reason = "columns of one type repeat `type_`; that is kube's syntax")]
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "seatrial.dev",
    version = "v1alpha1",
    kind = "ScalingPolicy",
    namespaced,
    shortname = "spol",
    category = "seatrial",
    status = "ScalingPolicyStatus",
    derive = "PartialEq",
    doc = "Scales one workload by a Seatrial policy: watches in Shadow, proposes in Recommend, acts in Enforce.",
    printcolumn(name = "Target", type_ = "string", json_path = ".spec.targetRef.name"),
    printcolumn(name = "Mode", type_ = "string", json_path = ".spec.mode"),
    printcolumn(name = "Min", type_ = "integer", json_path = ".spec.minReplicas"),
    printcolumn(name = "Max", type_ = "integer", json_path = ".spec.maxReplicas"),
    printcolumn(name = "Replicas", type_ = "integer", json_path = ".status.observedReplicas"),
    printcolumn(name = "Wanted", type_ = "integer", json_path = ".status.targetReplicas"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.minReplicas <= self.maxReplicas").message("minReplicas must not exceed maxReplicas"),
    validation = Rule::new("!(has(self.bundle) && has(self.policy))")
        .message("bundle and policy exclude each other: name one of them"),
    validation = Rule::new("self.mode != 'Enforce' || has(self.bundle) || has(self.policy)")
        .message("mode Enforce needs a bundle or a policy id"),
    validation = Rule::new("self.targetRef == oldSelf.targetRef")
        .message("targetRef is immutable: delete this policy and create another")
)]
pub struct ScalingPolicySpec {
    /// The workload to scale, in the namespace of this resource. Immutable.
    pub target_ref: TargetRef,
    /// Fewest replicas, a count. Default: 1.
    #[serde(default = "min_replicas")]
    #[schemars(range(min = 1, max = 100_000))]
    pub min_replicas: i32,
    /// Most replicas, a count. No default.
    #[schemars(range(min = 1, max = 100_000))]
    pub max_replicas: i32,
    /// How far the operator may act. Default: Shadow.
    #[serde(default)]
    pub mode: Mode,
    /// What the operator writes in mode Enforce, and in Recommend after an approval. Default: scale.
    #[serde(default)]
    pub actuator: Actuator,
    /// When true, decisions stop and nothing is written; the status says so. Default: false.
    #[serde(default)]
    pub paused: bool,
    /// What counts as good service.
    #[serde(default)]
    pub slo: Slo,
    /// What you know about the capacity of one replica. Default: estimated from CPU seconds per request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<Capacity>,
    /// A trained policy, as `seatrial export` writes it. Excludes `policy`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<BundleSource>,
    /// A built-in rule. Excludes `bundle`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<BuiltInPolicy>,
    /// The rule that decides while no bundle can be loaded. Default: a HorizontalPodAutoscaler's defaults at 80 % CPU.
    #[serde(default)]
    pub fallback: Fallback,
    /// Where observations come from.
    pub metrics: Metrics,
}

/// The workload to scale: any kind with a scale subresource.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetRef {
    /// API group and version of the workload. Default: apps/v1.
    #[serde(default = "api_version")]
    #[schemars(length(min = 1, max = 253), regex(pattern = "^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?v[0-9][a-z0-9]*$"))]
    pub api_version: String,
    /// Kind of the workload. Default: Deployment.
    #[serde(default = "kind")]
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[A-Za-z][A-Za-z0-9]*$"))]
    pub kind: String,
    /// Name of the workload. No default.
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub name: String,
}

/// How far the operator may act.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// Decides and records, writes nothing to the workload.
    #[default]
    Shadow,
    /// Writes a decision to the workload only after it was approved.
    Recommend,
    /// Writes its decisions to the workload.
    Enforce,
}

/// What the operator writes.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Actuator {
    /// The workload's scale subresource. No HorizontalPodAutoscaler may target the workload.
    #[default]
    Scale,
    /// `minReplicas` of the HorizontalPodAutoscaler that targets the workload and stays in charge: it takes over when the
    /// operator is down. Never below the minimum that the autoscaler had before, which is restored on deletion.
    HpaMin,
}

/// What counts as good service.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Slo {
    /// A request that waits longer than this, in milliseconds, is bad, like one that fails or is dropped. Default: 120.
    #[serde(default = "wait_milliseconds")]
    #[schemars(range(min = 1, max = 600_000))]
    pub wait_milliseconds: i32,
}

impl Default for Slo {
    fn default() -> Self {
        Self { wait_milliseconds: wait_milliseconds() }
    }
}

/// What you know about the capacity of one replica.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.requestsPerSecond > 0.0").message("requestsPerSecond must be positive"))]
pub struct Capacity {
    /// Requests per second that one replica can serve. Taken as a starting point and checked against the estimate from
    /// CPU seconds per request. No default.
    pub requests_per_second: f64,
}

const fn min_replicas() -> i32 {
    1
}

const fn wait_milliseconds() -> i32 {
    120
}

fn api_version() -> String {
    "apps/v1".to_owned()
}

fn kind() -> String {
    "Deployment".to_owned()
}
