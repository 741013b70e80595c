//! The rule that decides while no bundle can: a HorizontalPodAutoscaler with its usual settings and defaults.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The parameters of the fallback, with a HorizontalPodAutoscaler's meaning and defaults.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fallback {
    /// Target CPU use in percent of the pods' requests. Default: 80.
    #[serde(default = "cpu_utilization_percent")]
    #[schemars(range(min = 1, max = 1000))]
    pub cpu_utilization_percent: i32,
    /// Deviation from the target, in percent of it, within which nothing changes. Default: 10.
    #[serde(default = "tolerance_percent")]
    #[schemars(range(min = 0, max = 100))]
    pub tolerance_percent: i32,
    /// How fast it may act. Default: as the HorizontalPodAutoscaler's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behavior: Option<HpaBehavior>,
}

impl Default for Fallback {
    fn default() -> Self {
        Self {
            cpu_utilization_percent: cpu_utilization_percent(),
            tolerance_percent: tolerance_percent(),
            behavior: None,
        }
    }
}

/// How fast the fallback may act.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HpaBehavior {
    /// Limits on growth. Default: the greater of 4 pods and 100 % in 15 s, without stabilisation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale_up: Option<HpaRules>,
    /// Limits on shrinking. Default: 100 % in 15 s, with 300 s of stabilisation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale_down: Option<HpaRules>,
}

/// Limits in one direction.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HpaRules {
    /// Past recommendations over so many seconds are considered, and the safest is taken. Default: 0 upwards, 300
    /// downwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 3600))]
    pub stabilization_window_seconds: Option<i32>,
    /// Which of the policies counts. Default: Max.
    #[serde(default)]
    pub select_policy: SelectPolicy,
    /// The limits; none means the defaults of this direction.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub policies: Vec<HpaPolicy>,
}

/// Which of several policies counts.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SelectPolicy {
    /// The one that allows the greatest change.
    #[default]
    Max,
    /// The one that allows the smallest change.
    Min,
    /// No change in this direction.
    Disabled,
}

/// One limit: so much change in so long a time.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HpaPolicy {
    /// The unit of `value`. No default.
    #[serde(rename = "type")]
    pub kind: HpaPolicyType,
    /// Pods or percent, by `type`. No default.
    #[schemars(range(min = 1))]
    pub value: i32,
    /// The time in seconds over which the change is counted. No default.
    #[schemars(range(min = 1, max = 1800))]
    pub period_seconds: i32,
}

/// The unit of a limit.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HpaPolicyType {
    /// A number of pods.
    Pods,
    /// Percent of the present replicas.
    Percent,
}

const fn cpu_utilization_percent() -> i32 {
    80
}

const fn tolerance_percent() -> i32 {
    10
}
