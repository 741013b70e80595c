//! Faults: within the scenario, and of something that is there.

use super::finding::{Findings, POSITIVE_SECONDS, Range, SECONDS, grouped};
use crate::spec::faults::FaultSpec;
use crate::spec::{ScenarioSpec, ServiceSpec};

pub(super) fn check(spec: &ScenarioSpec, found: &mut Findings) {
    for (index, fault) in spec.faults.iter().enumerate() {
        let at = format!("faults[{index}]");
        let begin_s = match fault {
            FaultSpec::NodeLoss { at_s, .. }
            | FaultSpec::MetricsOutage { at_s, .. }
            | FaultSpec::PodKill { at_s, .. }
            | FaultSpec::Slowdown { at_s, .. } => *at_s,
        };
        let fits = found.number(format!("{at}.at_s"), begin_s, SECONDS);
        let within = !fits || begin_s < spec.duration_s;
        found.must(within, format!("{at}.at_s"), begin_s, "before the end, duration_s");
        of_kind(&at, spec, fault, found);
    }
}

fn of_kind(at: &str, spec: &ScenarioSpec, fault: &FaultSpec, found: &mut Findings) {
    let services = || spec.services.keys().map(String::as_str);
    match fault {
        FaultSpec::NodeLoss { pool, nodes, for_s, .. } => {
            found.optional(format!("{at}.for_s"), *for_s, POSITIVE_SECONDS);
            node_loss(at, spec, (pool, *nodes), found);
        }
        FaultSpec::MetricsOutage { for_s, .. } => {
            found.number(format!("{at}.for_s"), *for_s, POSITIVE_SECONDS);
        }
        FaultSpec::PodKill { service, pods, .. } => {
            if found.one_of(format!("{at}.service"), service, services()) {
                pod_kill(at, spec, (service, *pods), found);
            }
        }
        FaultSpec::Slowdown { service, speed, for_s, .. } => {
            found.one_of(format!("{at}.service"), service, services());
            let slower = Range { low: 1e-6, high: 1.0, text: "above 0 and at most 1, the nominal speed" };
            found.number(format!("{at}.speed"), *speed, slower);
            found.number(format!("{at}.for_s"), *for_s, POSITIVE_SECONDS);
        }
    }
}

fn pod_kill(at: &str, spec: &ScenarioSpec, (service, pods): (&str, u32), found: &mut Findings) {
    let most = spec.services.get(service).map_or(0, ServiceSpec::most_replicas);
    let allowed = format!("1 to {}, the most replicas that `{service}` can have", grouped(u64::from(most)));
    found.must((1..=most).contains(&pods), format!("{at}.pods"), pods, allowed);
}

fn node_loss(at: &str, spec: &ScenarioSpec, (pool, nodes): (&str, u32), found: &mut Findings) {
    let Some(cluster) = &spec.cluster else {
        let allowed = "absent, or [cluster] must have pools: without one there are no nodes to lose";
        found.refuse(format!("{at}.pool"), format!("`{pool}`"), allowed);
        return;
    };
    if !found.one_of(format!("{at}.pool"), pool, cluster.pools.keys().map(String::as_str)) {
        return;
    }
    let most = cluster.pools.get(pool).map_or(0, |pool| match pool.inventory {
        Some(_) => u32::MAX,
        None => pool.max.unwrap_or(pool.nodes).max(pool.nodes),
    });
    let allowed = format!("1 to {}, the most nodes that the pool can have", grouped(u64::from(most)));
    found.must((1..=most).contains(&nodes), format!("{at}.nodes"), nodes, allowed);
}
