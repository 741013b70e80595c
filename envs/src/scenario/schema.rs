//! JSON Schema of the core's types in a scenario: the core itself knows nothing of schemas.

use schemars::JsonSchema;

/// Mirror of [`seatrial_core::observe::Workload`]; a test compares the keys.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct Workload {
    /// Replica bounds.
    bounds: Bounds,
    /// CPU request of a pod in thousandths of a core.
    cpu_request_milli: u32,
    /// CPU limit of a pod in thousandths of a core.
    cpu_limit_milli: u32,
    /// Microseconds between decisions of policies without a cadence of their own.
    decision_interval: i64,
    /// Microseconds between scrapes.
    scrape_interval: i64,
    /// Announced age of the youngest visible slot's end in microseconds.
    metric_lag: i64,
    /// Start-up lead time in microseconds to plan for until start-ups have been seen.
    prior_lead_time: i64,
    /// Requests per second that a pod is said to serve.
    stated_capacity: Option<f64>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
struct Bounds {
    /// Fewest replicas.
    min: u32,
    /// Most replicas.
    max: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted_keys(value: &serde_json::Value) -> Vec<String> {
        let mut keys: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
        keys.sort();
        keys
    }

    #[test]
    fn the_mirror_has_the_keys_of_the_original() {
        let original = serde_json::to_value(seatrial_core::observe::Workload::protocol_p1()).unwrap();
        let schema = schemars::schema_for!(Workload).to_value();
        assert_eq!(sorted_keys(&original), sorted_keys(&schema["properties"]));
        assert_eq!(sorted_keys(&original["bounds"]), sorted_keys(&schema["$defs"]["Bounds"]["properties"]));
    }
}
