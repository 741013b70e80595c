//! What was observed and decided: derived from observation only, written only when it changes.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the operator observed and decided.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScalingPolicyStatus {
    /// The generation of the spec that this status describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Replicas of the workload, as its scale subresource reports them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_replicas: Option<i32>,
    /// Replicas that the last decision wants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_replicas: Option<i32>,
    /// What the operator is doing, in one word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// When the operator last changed the workload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_scale_time: Option<Time>,
    /// The last decision that changed the target or its reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_decision: Option<LastDecision>,
    /// The bundle that decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<BundleInForce>,
    /// Share of decisions that the fallback made, in percent, rounded to 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback_share_percent: Option<i32>,
    /// Ready, MetricsFresh, BundleLoaded, ScalingActive, FallbackActive, Conflicted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// What the operator is doing.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// It has not seen the workload or its metrics yet.
    Pending,
    /// It decides and records.
    Watching,
    /// It waits for an approval.
    AwaitingApproval,
    /// It acts.
    Acting,
    /// It holds the replicas, because metrics are stale or missing.
    Holding,
    /// It is paused.
    Paused,
    /// It cannot work; the conditions say why and what to do.
    Failed,
}

/// A decision and how it came about.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LastDecision {
    /// Name of the decision, which an approval repeats.
    pub id: String,
    /// When it was made.
    pub time: Time,
    /// Replicas it wants.
    pub replicas: i32,
    /// Why, in one line.
    pub reason: String,
    /// The stages it passed, in order: proposal and each rule of the guard that changed it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<String>,
}

/// The bundle that decides.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BundleInForce {
    /// Id of the policy in it.
    pub id: String,
    /// Its BLAKE3 hash, 64 hexadecimal digits.
    pub hash: String,
}
