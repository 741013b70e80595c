//! The fields of a ScalingPolicy that an import writes; the type itself lives in the operator, which this crate must not
//! link. A test of the operator reads what is written here.

use serde::Serialize;

/// `seatrial.dev/v1alpha1`, kind ScalingPolicy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ScalingPolicy {
    pub(super) api_version: &'static str,
    pub(super) kind: &'static str,
    pub(super) metadata: Metadata,
    pub(super) spec: Spec,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Metadata {
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) namespace: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Spec {
    pub(super) target_ref: TargetRef,
    pub(super) min_replicas: i32,
    pub(super) max_replicas: i32,
    pub(super) mode: &'static str,
    pub(super) fallback: Fallback,
    pub(super) metrics: Metrics,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TargetRef {
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Fallback {
    pub(super) cpu_utilization_percent: i32,
    pub(super) tolerance_percent: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) behavior: Option<Behavior>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Behavior {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) scale_up: Option<Rules>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) scale_down: Option<Rules>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rules {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stabilization_window_seconds: Option<i32>,
    pub(super) select_policy: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) policies: Vec<Limit>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Limit {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) value: i32,
    pub(super) period_seconds: i32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Metrics {
    pub(super) url: String,
}
