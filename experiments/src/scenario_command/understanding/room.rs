//! Whether there is room. At the start the scheduler itself places the pods; the most that may be asked for is compared by sums, and
//! placed at once by the same scheduler, which says who would be short.
//!
//! # Deviations
//! 1. Pods that a rollout adds for a while, and the order in which pods and nodes would come, are left out of the most.

use seatrial_core::time::Timestamp;
use seatrial_envs::cluster::machine::{Cluster, Event, Shortage};
use seatrial_envs::events::EventQueue;
use seatrial_envs::spec::{ClusterSpec, Inputs, ListedNode, ListedPod, PoolSpec, ScenarioSpec, ServiceSpec};

use super::words::{cores, count, gib, whole};

/// Most pods that are placed for the sake of a check, and most nodes.
const MOST_PLACED: u64 = 200_000;

/// What pods ask for, or nodes have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Amount {
    cpu_milli: u64,
    memory_mib: u64,
    gpus: u64,
    pods: u64,
}

impl Amount {
    fn times(self, count: u64) -> Self {
        let by = |value: u64| value.saturating_mul(count);
        let Self { cpu_milli, memory_mib, gpus, pods } = self;
        Self { cpu_milli: by(cpu_milli), memory_mib: by(memory_mib), gpus: by(gpus), pods: by(pods) }
    }

    fn plus(self, other: Self) -> Self {
        self.with(other, u64::saturating_add)
    }

    fn most(self, other: Self) -> Self {
        self.with(other, u64::max)
    }

    fn with(self, other: Self, by: fn(u64, u64) -> u64) -> Self {
        Self {
            cpu_milli: by(self.cpu_milli, other.cpu_milli),
            memory_mib: by(self.memory_mib, other.memory_mib),
            gpus: by(self.gpus, other.gpus),
            pods: by(self.pods, other.pods),
        }
    }

    /// What of it is more than `room`.
    fn beyond(self, room: Self) -> Vec<&'static str> {
        let pairs = [
            ("CPU", self.cpu_milli, room.cpu_milli),
            ("MEMORY", self.memory_mib, room.memory_mib),
            ("GPUS", self.gpus, room.gpus),
            ("PODS", self.pods, room.pods),
        ];
        pairs.into_iter().filter(|(_, asked, there)| asked > there).map(|(what, ..)| what).collect()
    }
}

/// Lines about nodes, and whether they are enough.
pub(super) fn lines(spec: &ScenarioSpec, cluster: &ClusterSpec, inputs: &Inputs, lines: &mut Vec<String>) {
    let (mut now, mut most) = (Amount::default(), Amount::default());
    for (name, pool) in &cluster.pools {
        let (there, grown) = rooms(pool, inputs);
        (now, most) = (now.plus(there), most.plus(grown));
        let (cores, gib) = (cores(there.cpu_milli), gib(there.memory_mib));
        lines.push(format!("nodes     {name}: {}, {cores} cores and {gib} GiB at the start", sizes(pool, inputs)));
    }
    for (name, pods) in &inputs.pods {
        let at_once = whole(peak(pods).pods);
        lines.push(format!("          {} of {name} come and go, up to {at_once} at once", recorded(pods.len())));
    }
    at_the_start(spec, cluster, inputs, lines);
    at_the_most(spec, cluster, inputs, (now, most), lines);
}

fn recorded(pods: usize) -> String {
    count(u64::try_from(pods).unwrap_or(u64::MAX), "recorded pod")
}

/// What the nodes of a pool have, at the start and at the most.
fn rooms(pool: &PoolSpec, inputs: &Inputs) -> (Amount, Amount) {
    let pods = u64::from(pool.pods);
    if let Some(nodes) = pool.inventory.as_ref().and_then(|id| inputs.inventories.get(id)) {
        let each = |node: &ListedNode| Amount {
            cpu_milli: node.cpu_milli,
            memory_mib: node.memory_mib,
            gpus: node.gpus,
            pods,
        };
        let all = nodes.iter().map(each).fold(Amount::default(), Amount::plus);
        return (all, all);
    }
    let each = Amount { cpu_milli: pool.cpu_milli, memory_mib: pool.memory_mib, gpus: pool.gpus, pods };
    (each.times(u64::from(pool.nodes)), each.times(u64::from(pool.max.unwrap_or(pool.nodes))))
}

fn sizes(pool: &PoolSpec, inputs: &Inputs) -> String {
    match (pool.inventory.as_ref().and_then(|id| inputs.inventories.get(id)), pool.max) {
        (Some(nodes), _) => count(u64::try_from(nodes.len()).unwrap_or(u64::MAX), "node"),
        (None, Some(max)) if max > pool.nodes => {
            format!("{}, {} to {}", count(pool.nodes, "node"), whole(pool.min.into()), whole(max.into()))
        }
        _ => count(pool.nodes, "node"),
    }
}

/// The most that pods of a record ask for at once, each resource for itself.
fn peak(pods: &[ListedPod]) -> Amount {
    let mut ends: Vec<(Timestamp, usize)> = Vec::new();
    for (place, pod) in pods.iter().enumerate() {
        ends.extend(pod.lifetime.map(|lifetime| (pod.created + lifetime, place)));
    }
    ends.sort_unstable();
    let of = |pod: &ListedPod| Amount { cpu_milli: pod.cpu_milli, memory_mib: pod.memory_mib, gpus: pod.gpus, pods: 1 };
    let (mut there, mut most, mut ended) = (Amount::default(), Amount::default(), ends.into_iter().peekable());
    for pod in pods {
        there = there.plus(of(pod));
        while let Some((_, gone)) = ended.next_if(|(end, _)| *end <= pod.created) {
            there = there.with(of(&pods[gone]), u64::saturating_sub);
        }
        most = most.most(there);
    }
    most
}

/// What the scheduler makes of the first moment.
fn at_the_start(spec: &ScenarioSpec, cluster: &ClusterSpec, inputs: &Inputs, lines: &mut Vec<String>) {
    let Some(short) = placed(spec, inputs) else {
        lines.push("          there are too many pods or nodes to place them for a check".to_owned());
        return;
    };
    if short.is_empty() {
        lines.push("          at the start all pods find room".to_owned());
    }
    let until = if cluster.autoscaler.is_some() { ", until nodes are added" } else { "" };
    lines.extend(short.iter().map(|short| format!("          at the start {}{until}", said(short))));
}

fn said(short: &Shortage) -> String {
    let Shortage { name, wanted, placed, reason } = short;
    let missing = whole(u64::from(wanted - placed));
    let reason = reason.trim_end_matches('.');
    format!("{missing} of {} of {name} FIND NO ROOM: {reason}", count(*wanted, "pod"))
}

/// Who finds no room when all pods of the first moment are placed; `None` where they or the nodes are too many.
fn placed(spec: &ScenarioSpec, inputs: &Inputs) -> Option<Vec<Shortage>> {
    let pools = spec.cluster.iter().flat_map(|cluster| cluster.pools.values());
    let nodes: u64 = pools.map(|pool| u64::from(pool.nodes)).sum();
    if nodes.max(asked(spec, inputs, |service| service.replicas).pods) > MOST_PLACED {
        return None;
    }
    // What cannot be built was refused before.
    let mut cluster = Cluster::new(spec, inputs, Timestamp::ZERO, spec.seed).ok()?;
    cluster.start(&mut EventQueue::<Event>::new(Timestamp::ZERO)).ok()?;
    Some(cluster.shortages())
}

/// What all pods ask for, if services have as many as `replicas` says, and workloads and records their most.
fn asked(spec: &ScenarioSpec, inputs: &Inputs, replicas: fn(&ServiceSpec) -> u32) -> Amount {
    let mut all = Amount::default();
    for service in spec.services.values() {
        let (cpu_milli, memory_mib) = (service.pod.cpu_request_milli.into(), service.pod.memory_request_mib.into());
        let each = Amount { cpu_milli, memory_mib, gpus: 0, pods: 1 };
        all = all.plus(each.times(u64::from(replicas(service))));
    }
    for workload in spec.workloads.values() {
        let listed = workload.trace.as_ref().and_then(|id| inputs.pods.get(id)).map(|pods| peak(pods));
        let (cpu_milli, memory_mib) = (workload.cpu_request_milli, workload.memory_request_mib);
        let each = Amount { cpu_milli, memory_mib, gpus: workload.gpus, pods: 1 };
        all = all.plus(listed.unwrap_or_else(|| each.times(u64::from(workload.replicas))));
    }
    all
}

fn at_the_most(
    spec: &ScenarioSpec,
    cluster: &ClusterSpec,
    inputs: &Inputs,
    (now, most): (Amount, Amount),
    lines: &mut Vec<String>,
) {
    let all = asked(spec, inputs, ServiceSpec::most_replicas);
    let gpus = if most.gpus + all.gpus > 0 {
        format!(", {} of {} GPUs", whole(all.gpus), whole(most.gpus))
    } else {
        String::new()
    };
    let sums = format!(
        "{} of {} cores, {} of {} GiB{gpus}, {} of {} places for pods",
        cores(all.cpu_milli),
        cores(most.cpu_milli),
        gib(all.memory_mib),
        gib(most.memory_mib),
        whole(all.pods),
        whole(most.pods)
    );
    let beyond = all.beyond(most);
    let verdict = match (all.beyond(now).is_empty(), beyond.is_empty()) {
        (true, _) => "by these sums there is room for all".to_owned(),
        (false, true) => "by these sums nodes will have to be added".to_owned(),
        (false, false) => format!("MORE {} THAN THERE CAN BE: pods will be Pending", beyond.join(" AND ")),
    };
    lines.push(format!("          at their most all pods ask for {sums}; {verdict}"));
    quota(cluster, all, lines);
    let Some(short) = placed(&grown(spec), inputs) else { return };
    if short.is_empty() && beyond.is_empty() {
        lines.push("          placed at once they all find room".to_owned());
    }
    lines.extend(short.iter().map(|short| format!("          placed at once {}", said(short))));
}

fn quota(cluster: &ClusterSpec, all: Amount, lines: &mut Vec<String>) {
    let quota = &cluster.quota;
    let limits = Amount {
        cpu_milli: quota.cpu_milli.unwrap_or(u64::MAX),
        memory_mib: quota.memory_mib.unwrap_or(u64::MAX),
        gpus: u64::MAX,
        pods: quota.pods.map_or(u64::MAX, u64::from),
    };
    let beyond = all.beyond(limits);
    if !beyond.is_empty() {
        lines.push(format!("          at their most they ask for MORE {} THAN THE QUOTA ALLOWS", beyond.join(" AND ")));
    }
}

/// The scenario with all that it may have from the start.
fn grown(spec: &ScenarioSpec) -> ScenarioSpec {
    let mut spec = spec.clone();
    for service in spec.services.values_mut() {
        service.replicas = service.most_replicas();
    }
    for workload in spec.workloads.values_mut() {
        workload.from_s = None;
    }
    for pool in spec.cluster.iter_mut().flat_map(|cluster| cluster.pools.values_mut()) {
        pool.nodes = pool.max.unwrap_or(pool.nodes);
    }
    spec
}

#[cfg(test)]
mod tests {
    use seatrial_core::time::Span;

    use super::*;

    #[test]
    fn recorded_pods_count_while_they_are_there() {
        let pod = |created, lives: Option<i64>, cpu_milli| ListedPod {
            created: Timestamp::from_secs(created),
            lifetime: lives.map(Span::from_secs),
            cpu_milli,
            memory_mib: 1,
            gpus: 0,
        };
        // 0 to 10: 5; 4 to 6: 5 + 7; from 10 on: 3, and 8 on top from 20 on.
        let pods = [pod(0, Some(10), 5), pod(4, Some(2), 7), pod(10, None, 3), pod(20, Some(1), 8)];
        assert_eq!(peak(&pods), Amount { cpu_milli: 12, memory_mib: 2, gpus: 0, pods: 2 });
        assert_eq!(peak(&[]), Amount::default());
    }
}
