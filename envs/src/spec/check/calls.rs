//! The call graph: who is called must be there, nobody may call back, and a request may not explode.

use super::finding::{Findings, POSITIVE_SECONDS, SHARE};
use super::retry;
use crate::spec::ScenarioSpec;
use crate::spec::graph::{self, expected_calls};

/// Calls that one request may cause.
const MOST_CALLS: f64 = 10_000.0;

pub(super) fn check(spec: &ScenarioSpec, found: &mut Findings) {
    for (name, service) in &spec.services {
        for (index, call) in service.calls.iter().enumerate() {
            let at = format!("services.{name}.calls[{index}]");
            found.one_of(format!("{at}.to"), &call.to, spec.services.keys().map(String::as_str));
            found.count(format!("{at}.stage"), u64::from(call.stage), 0, 1_000);
            found.number(format!("{at}.probability"), call.probability, SHARE);
            found.count(format!("{at}.count"), u64::from(call.count), 1, 1_000);
            found.optional(format!("{at}.timeout_s"), call.timeout_s, POSITIVE_SECONDS);
            if let Some(retries) = &call.retries {
                retry(&format!("{at}.retries"), retries, found);
            }
        }
    }
    if let Some(cycle) = graph::cycle(spec) {
        let way = cycle.names.join(" → ");
        let key = format!("services.{}.calls[{}].to", cycle.caller, cycle.call);
        let got = format!("`{}`, which closes the cycle {way}", cycle.names.first().map_or("", String::as_str));
        found.refuse(key, got, "a service that does not call back, directly or through others");
        return;
    }
    explosion(spec, found);
}

fn explosion(spec: &ScenarioSpec, found: &mut Findings) {
    for name in spec.services.keys() {
        let calls: f64 = expected_calls(spec, name).values().sum();
        if calls > MOST_CALLS {
            let got = format!("a root of {calls:.0} calls for each request");
            found.refuse(
                format!("services.{name}.calls"),
                got,
                "one of at most 10,000: lower `count` or `probability`",
            );
            return;
        }
    }
}
