//! Which policy decides: a trained bundle, pinned by its hash, or a built-in rule by id.

use kube::KubeSchema;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Where a bundle lies. Exactly one of `configMap` and `path`.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.configMap) != has(self.path)")
    .message("exactly one of configMap and path must be set"))]
pub struct BundleSource {
    /// A ConfigMap in the namespace of this resource; a bundle is at most 700 KiB, so that it fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map: Option<ConfigMapKey>,
    /// A folder in the operator's container, for bundles mounted as a volume. No default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub path: Option<String>,
    /// The bundle's BLAKE3 hash, 64 hexadecimal digits, as `seatrial export` prints it. A bundle with another hash is
    /// refused and the last good one stays. No default.
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"))]
    pub hash: String,
}

/// A ConfigMap that holds the files of a bundle.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigMapKey {
    /// Name of the ConfigMap. No default.
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub name: String,
}

/// A built-in rule.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BuiltInPolicy {
    /// Id of the rule, as `seatrial list policies` shows it, for example `hpa`. No default.
    #[schemars(regex(pattern = "^[a-z0-9]+(-[a-z0-9]+)*$"), length(max = 63))]
    pub id: String,
    /// The rule's own settings. Default: its defaults. Unknown keys are refused when the rule is built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "free_object")]
    pub config: Option<serde_json::Value>,
    /// What forecasts the load, for rules that plan on a forecast (`newsvendor`). Default: none; such a rule is refused without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forecaster: Option<BuiltInForecaster>,
}

/// A built-in forecaster.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BuiltInForecaster {
    /// Id of the forecaster, as `seatrial list forecasters` shows it, for example `seasonal-naive`. No default.
    #[schemars(regex(pattern = "^[a-z0-9]+(-[a-z0-9]+)*$"), length(max = 63))]
    pub id: String,
    /// The forecaster's own settings. Default: its defaults. Unknown keys are refused when it is built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "free_object")]
    pub config: Option<serde_json::Value>,
}

/// An object whose keys the API server keeps without knowing them.
fn free_object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "nullable": true, "x-kubernetes-preserve-unknown-fields": true })
}
