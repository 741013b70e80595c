//! What goes wrong in a scenario. Every fault is an event of the simulation and stands in its log.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A fault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum FaultSpec {
    /// Nodes fall silent: what runs on them answers nobody.
    NodeLoss {
        /// Their pool.
        pool: String,
        /// How many.
        nodes: u32,
        /// When, in seconds from the start.
        at_s: f64,
        /// Seconds until they are back; absent: never.
        #[serde(default)]
        for_s: Option<f64>,
    },
    /// No scrape succeeds.
    MetricsOutage {
        /// When, in seconds from the start.
        at_s: f64,
        /// For how many seconds.
        for_s: f64,
    },
    /// Ready pods of a service are killed and start again.
    PodKill {
        /// The service.
        service: String,
        /// How many.
        pods: u32,
        /// When, in seconds from the start.
        at_s: f64,
    },
    /// All pods of a service run slower.
    Slowdown {
        /// The service.
        service: String,
        /// Their speed meanwhile, above 0; 1 is nominal.
        speed: f64,
        /// When, in seconds from the start.
        at_s: f64,
        /// For how many seconds.
        for_s: f64,
    },
}
