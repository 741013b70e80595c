//! Tests of the registry, and what the tests of single policies share.

use super::*;
use crate::observe::{CapacityEstimate, Feature, Observation, Sample};
use crate::scaling::policy::View;
use crate::time::{Span, Timestamp};

/// The policy `id` for protocol P1's workload.
pub(super) fn build_policy(id: &str, config: &serde_json::Value) -> Box<dyn DynPolicy> {
    (find(id).unwrap().build)(config, &Ingredients { workload: &Workload::protocol_p1(), weights: None }).unwrap()
}

/// What the policy says about a config that it refuses.
pub(super) fn refused(id: &str, config: &serde_json::Value) -> String {
    let ingredients = Ingredients { workload: &Workload::protocol_p1(), weights: None };
    (find(id).unwrap().build)(config, &ingredients).map(|_| ()).unwrap_err().to_string()
}

/// A view with a capacity of 50, at least 40, and 90 s of lead time.
pub(super) fn view_of(observation: &Observation) -> View<'_> {
    let capacity = Some(CapacityEstimate { mean: 50.0, lower: 40.0 });
    View { observation, capacity, lead_time: Span::from_secs(90), forecast: None }
}

/// Ten replicas under this load.
pub(super) fn seen_at_rate(rate: f64) -> Observation {
    let mut seen = Observation::unknown(Timestamp::from_secs(1_000), 10);
    seen.metrics.set(Feature::HttpRequestsTotalRate, Some(Sample { at: Timestamp::from_secs(985), value: rate }));
    seen
}

#[test]
fn rows_are_sorted_and_unique() {
    assert!(POLICIES.windows(2).all(|pair| pair[0].id < pair[1].id));
}

#[test]
fn an_unknown_id_lists_the_known_ones() {
    let message = find("hpa2").map(|_| ()).unwrap_err().to_string();
    for row in POLICIES {
        assert!(message.contains(row.id), "{message}");
    }
    assert!(message.starts_with("unknown policy `hpa2`"), "{message}");
}

#[test]
fn every_default_config_builds_what_null_builds() {
    let workload = Workload::protocol_p1();
    let ingredients = Ingredients { workload: &workload, weights: None };
    for row in POLICIES.iter().filter(|row| !row.needs_weights) {
        (row.build)(&serde_json::Value::Null, &ingredients).unwrap();
        (row.build)(&(row.default_config)(), &ingredients).unwrap();
    }
}
