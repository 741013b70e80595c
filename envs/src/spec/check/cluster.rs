//! Nodes, quotas and what takes room; and what recorded inventories say once they are read.

use super::finding::{Findings, INTERVAL, NOT_NEGATIVE, POSITIVE, Range, SECONDS, SHARE};
use crate::spec::nodes::{ClusterSpec, PoolSpec, WorkloadSpec};
use crate::spec::{Inputs, ListedNode, ScenarioSpec};

const MOST_NODES: u64 = 100_000;
/// Nodes that are slower than this would never finish a request.
const SPEED: Range = Range { low: 1e-3, high: 1_000.0, text: "0.001 to 1,000; 1 is nominal" };

pub(super) fn check(spec: &ScenarioSpec, found: &mut Findings) {
    for (name, workload) in &spec.workloads {
        let earlier = spec.workloads.range(..name.clone()).any(|(_, other)| other.trace == workload.trace);
        let twice = workload.trace.is_some() && earlier;
        found.must(!twice, format!("workloads.{name}.trace"), "taken by another workload", "taken once");
        self::workload(&format!("workloads.{name}"), spec, (name, workload), found);
    }
    let Some(cluster) = &spec.cluster else { return };
    found.must(!cluster.pools.is_empty(), "cluster.pools", "empty", "at least one pool, or leave [cluster] out");
    for (name, pool) in &cluster.pools {
        self::pool(&format!("cluster.pools.{name}"), cluster, (name, pool), found);
    }
    controllers(cluster, found);
    let recorded = cluster.pools.values().any(|pool| pool.inventory.is_some());
    // Nodes that cannot be say nothing about what fits on them.
    if !recorded && !cluster.pools.is_empty() && !found.refused("cluster.pools") {
        let shapes: Vec<ListedNode> = cluster.pools.values().map(shape).collect();
        fitting(spec, &shapes, found);
    }
    quota(spec, cluster, found);
}

/// What is wrong given the recorded inventories.
pub(super) fn check_inputs(spec: &ScenarioSpec, inputs: &Inputs, found: &mut Findings) {
    let Some(cluster) = &spec.cluster else { return };
    let mut shapes = Vec::new();
    for pool in cluster.pools.values() {
        match pool.inventory.as_ref().and_then(|id| inputs.inventories.get(id)) {
            Some(nodes) => shapes.extend(nodes.iter().cloned()),
            None => shapes.push(shape(pool)),
        }
    }
    fitting(spec, &shapes, found);
}

const fn shape(pool: &PoolSpec) -> ListedNode {
    ListedNode { cpu_milli: pool.cpu_milli, memory_mib: pool.memory_mib, gpus: pool.gpus }
}

fn pool(at: &str, cluster: &ClusterSpec, (name, pool): (&str, &PoolSpec), found: &mut Findings) {
    found.name(at, name);
    found.count(format!("{at}.pods"), u64::from(pool.pods), 1, 10_000);
    found.distribution(&format!("{at}.provision_s"), &pool.provision_s, SECONDS);
    found.distribution(&format!("{at}.speed"), &pool.speed, SPEED);
    let pull = Range { low: 1e-6, ..POSITIVE };
    found.optional(format!("{at}.pull_mib_per_s"), pool.pull_mib_per_s, pull);
    if let Some(inventory) = &pool.inventory {
        let allowed = "the id of a trace of nodes, such as `openb_nodes`";
        found.must(!inventory.is_empty(), format!("{at}.inventory"), "empty", allowed);
        let absent = "absent beside `inventory`, which says how many nodes there are and what they hold";
        let given = [("nodes", u64::from(pool.nodes)), ("min", u64::from(pool.min)), ("cpu_milli", pool.cpu_milli)];
        let more = [("memory_mib", pool.memory_mib), ("gpus", pool.gpus), ("max", pool.max.map_or(0, u64::from))];
        for (key, value) in given.into_iter().chain(more) {
            found.must(value == 0, format!("{at}.{key}"), value, absent);
        }
        return;
    }
    sizes(at, cluster, pool, found);
}

fn sizes(at: &str, cluster: &ClusterSpec, pool: &PoolSpec, found: &mut Findings) {
    let max = pool.max.unwrap_or(pool.nodes);
    found.count(format!("{at}.cpu_milli"), pool.cpu_milli, 1, 100_000_000);
    found.count(format!("{at}.memory_mib"), pool.memory_mib, 1, 1_000_000_000);
    found.count(format!("{at}.gpus"), pool.gpus, 0, 10_000);
    // Without `max` it is `nodes` that says how many there can be.
    let most = if pool.max.is_some() { "max" } else { "nodes" };
    found.count(format!("{at}.{most}"), u64::from(max), 1, MOST_NODES);
    found.must(pool.min <= max, format!("{at}.min"), pool.min, format!("at most max = {max}"));
    found.must(pool.nodes <= max, format!("{at}.nodes"), pool.nodes, format!("at most max = {max}"));
    let grows = max <= pool.nodes || cluster.autoscaler.is_some();
    let allowed = format!("absent or {}, or [cluster.autoscaler] must be there: nobody else makes nodes", pool.nodes);
    found.must(grows, format!("{at}.max"), max, allowed);
}

fn controllers(cluster: &ClusterSpec, found: &mut Findings) {
    found.number("cluster.scheduler.latency_s", cluster.scheduler.latency_s, SECONDS);
    let lifecycle = &cluster.lifecycle;
    found.number("cluster.lifecycle.grace_s", lifecycle.grace_s, SECONDS);
    found.number("cluster.lifecycle.toleration_s", lifecycle.toleration_s, SECONDS);
    found.number("cluster.lifecycle.eviction_per_s", lifecycle.eviction_per_s, NOT_NEGATIVE);
    let secondary = "cluster.lifecycle.secondary_eviction_per_s";
    found.number(secondary, lifecycle.secondary_eviction_per_s, NOT_NEGATIVE);
    found.number("cluster.lifecycle.unhealthy_share", lifecycle.unhealthy_share, SHARE);
    if let Some(autoscaler) = &cluster.autoscaler {
        found.number("cluster.autoscaler.scan_s", autoscaler.scan_s, INTERVAL);
        found.number("cluster.autoscaler.unneeded_below", autoscaler.unneeded_below, SHARE);
        found.number("cluster.autoscaler.unneeded_s", autoscaler.unneeded_s, SECONDS);
        found.number("cluster.autoscaler.delay_after_add_s", autoscaler.delay_after_add_s, SECONDS);
    }
}

fn workload(at: &str, spec: &ScenarioSpec, (name, workload): (&str, &WorkloadSpec), found: &mut Findings) {
    found.name(at, name);
    let twice = spec.services.contains_key(name);
    found.must(!twice, at, format!("`{name}`, which is a service too"), "called otherwise");
    let allowed = "absent, or [cluster] must be there: its pods do nothing but take room on nodes";
    found.must(spec.cluster.is_some(), at, "given", allowed);
    let slows = Range { low: 0.0, high: 0.99, text: "0 to 0.99" };
    found.number(format!("{at}.slows_neighbours"), workload.slows_neighbours, slows);
    found.optional(format!("{at}.from_s"), workload.from_s, SECONDS);
    found.optional(format!("{at}.until_s"), workload.until_s, SECONDS);
    let from_s = workload.from_s.unwrap_or(0.0);
    found.must(
        from_s < spec.duration_s || from_s.is_nan(),
        format!("{at}.from_s"),
        from_s,
        "before the end, duration_s",
    );
    if let Some(until_s) = workload.until_s {
        found.must(
            until_s > from_s || until_s.is_nan(),
            format!("{at}.until_s"),
            until_s,
            format!("above from_s = {from_s}"),
        );
    }
    found.number(
        format!("{at}.trace_from_s"),
        workload.trace_from_s,
        Range { high: 1e10, text: "at least 0", ..SECONDS },
    );
    if workload.trace.is_some() {
        let absent = "absent beside `trace`, which says what each of its pods asks for";
        let given = [("replicas", u64::from(workload.replicas)), ("cpu_request_milli", workload.cpu_request_milli)];
        for (key, value) in
            given.into_iter().chain([("memory_request_mib", workload.memory_request_mib), ("gpus", workload.gpus)])
        {
            found.must(value == 0, format!("{at}.{key}"), value, absent);
        }
        let whole = workload.from_s.is_none() && workload.until_s.is_none();
        found.must(whole, format!("{at}.from_s"), "given (or until_s)", absent);
    } else {
        found.must(
            workload.trace_from_s == 0.0,
            format!("{at}.trace_from_s"),
            workload.trace_from_s,
            "absent without `trace`",
        );
        found.count(format!("{at}.replicas"), u64::from(workload.replicas), 1, 100_000);
    }
}

/// Every pod must fit on an empty node of some pool: no cluster autoscaler could help it otherwise.
fn fitting(spec: &ScenarioSpec, shapes: &[ListedNode], found: &mut Findings) {
    for (name, service) in &spec.services {
        let at = format!("services.{name}.pod");
        let asks = [u64::from(service.pod.cpu_request_milli), u64::from(service.pod.memory_request_mib), 0];
        fits(&[format!("{at}.cpu_request_milli"), format!("{at}.memory_request_mib"), at], asks, shapes, found);
    }
    for (name, workload) in spec.workloads.iter().filter(|(_, workload)| workload.trace.is_none()) {
        let at = format!("workloads.{name}");
        let asks = [workload.cpu_request_milli, workload.memory_request_mib, workload.gpus];
        let keys = ["cpu_request_milli", "memory_request_mib", "gpus"].map(|key| format!("{at}.{key}"));
        fits(&keys, asks, shapes, found);
    }
}

fn fits(keys: &[String; 3], asks: [u64; 3], shapes: &[ListedNode], found: &mut Findings) {
    let rooms = |node: &ListedNode| [node.cpu_milli, node.memory_mib, node.gpus];
    let fits = |node: &ListedNode| rooms(node).iter().zip(asks).all(|(room, ask)| ask <= *room);
    if shapes.iter().any(fits) {
        return;
    }
    for (place, key) in keys.iter().enumerate() {
        let most = shapes.iter().map(|node| rooms(node)[place]).max().unwrap_or(0);
        let allowed = format!("at most {most}, the most that any node holds: the pod would be Pending for ever");
        if !found.must(asks[place] <= most, key.as_str(), asks[place], allowed) {
            return;
        }
    }
    let got = format!("{} with {} MiB", asks[0], asks[1]);
    found.refuse(keys[0].as_str(), got, "small enough, together with its memory, for a node of some pool");
}

fn quota(spec: &ScenarioSpec, cluster: &ClusterSpec, found: &mut Findings) {
    let quota = &cluster.quota;
    let least = |ask: fn(&crate::spec::PodSpec) -> u32| {
        spec.services.values().map(|service| u64::from(ask(&service.pod))).max()
    };
    let asks = [
        ("cluster.quota.cpu_milli", quota.cpu_milli, least(|pod| pod.cpu_request_milli)),
        ("cluster.quota.memory_mib", quota.memory_mib, least(|pod| pod.memory_request_mib)),
        ("cluster.quota.pods", quota.pods.map(u64::from), Some(1)),
    ];
    for (key, limit, ask) in asks {
        if let (Some(limit), Some(ask)) = (limit, ask) {
            let allowed = format!("at least {ask}, so that a pod of every service could be there at all");
            found.must(limit >= ask, key, limit, allowed);
        }
    }
}
