//! How many pods of a service quota and node pools can hold, at best: each node is all its own, and none is lost.

use seatrial_core::rand::{Stream, uniform};
use seatrial_core::time::Span;

use crate::spec::nodes::{ClusterSpec, QuotaSpec};
use crate::spec::{Inputs, ListedNode, PodSpec, PoolSpec, Sampler, ScenarioSpec, ServiceSpec};

/// Pods that find room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// On the nodes of the first moment.
    pub at_first: u32,
    /// When all pools are as large as they may be.
    pub at_most: u32,
    /// From the start to the first moment at which a further node can have been provisioned; `None`: there are no further ones.
    pub grows_after: Option<Span>,
}

impl Room {
    /// Pods that found room at some time until `after` the start.
    pub(super) fn by(self, after: Span) -> u32 {
        if self.grows_after.is_some_and(|grows| grows < after) { self.at_most } else { self.at_first }
    }
}

/// Pods that may exist: a quota refuses further ones, and what it refuses is not paid.
pub(super) fn allowed(spec: &ScenarioSpec, pod: &PodSpec) -> u32 {
    let pods = spec.cluster.as_ref().map_or(u64::MAX, |cluster| quota_pods(&cluster.quota, pod));
    u32::try_from(pods).unwrap_or(u32::MAX)
}

/// The room for `service`; `None` in a scenario without nodes.
pub(super) fn of(spec: &ScenarioSpec, service: &ServiceSpec, inputs: &Inputs) -> Option<Room> {
    let cluster = spec.cluster.as_ref()?;
    let pod = &service.pod;
    let (mut at_first, mut further, mut present, mut ordered) = (0_u64, 0_u64, 0_u64, 0_u64);
    for pool in cluster.pools.values() {
        let nodes = listed(pool, inputs);
        let more = u64::from(further_nodes(cluster, pool));
        at_first += nodes.iter().map(|(node, count)| pods_on(node, pool, pod) * count).sum::<u64>();
        further += pods_on(&shape(pool), pool, pod) * more;
        present += nodes.iter().map(|(_, count)| count).sum::<u64>();
        ordered += more;
    }
    let quota = quota_pods(&cluster.quota, pod);
    let within = |pods: u64| u32::try_from(pods.min(quota)).unwrap_or(u32::MAX);
    let grows_after = (further > 0).then(|| first_arrival(spec, cluster, inputs, present + ordered));
    Some(Room { at_first: within(at_first), at_most: within(at_first + further), grows_after })
}

/// Nodes of the first moment by shape.
fn listed(pool: &PoolSpec, inputs: &Inputs) -> Vec<(ListedNode, u64)> {
    match &pool.inventory {
        Some(trace) => {
            inputs.inventories.get(trace).into_iter().flat_map(|all| all.iter()).map(|n| (n.clone(), 1)).collect()
        }
        None => vec![(shape(pool), u64::from(pool.nodes))],
    }
}

const fn shape(pool: &PoolSpec) -> ListedNode {
    ListedNode { cpu_milli: pool.cpu_milli, memory_mib: pool.memory_mib, gpus: pool.gpus }
}

/// Nodes that the cluster autoscaler may add to those of the first moment.
fn further_nodes(cluster: &ClusterSpec, pool: &PoolSpec) -> u32 {
    let grows = cluster.autoscaler.is_some() && pool.inventory.is_none();
    if grows { pool.max.map_or(0, |max| max.saturating_sub(pool.nodes)) } else { 0 }
}

fn pods_on(node: &ListedNode, pool: &PoolSpec, pod: &PodSpec) -> u64 {
    times(node.cpu_milli, pod.cpu_request_milli)
        .min(times(node.memory_mib, pod.memory_request_mib))
        .min(u64::from(pool.pods))
}

fn quota_pods(quota: &QuotaSpec, pod: &PodSpec) -> u64 {
    let cpu = quota.cpu_milli.map_or(u64::MAX, |cpu| times(cpu, pod.cpu_request_milli));
    let memory = quota.memory_mib.map_or(u64::MAX, |memory| times(memory, pod.memory_request_mib));
    cpu.min(memory).min(quota.pods.map_or(u64::MAX, u64::from))
}

/// How often a request goes into what there is.
fn times(there: u64, request: u32) -> u64 {
    there.checked_div(u64::from(request)).unwrap_or(u64::MAX)
}

/// The shortest provisioning among the first `nodes` that are ordered; later ones replace some of these.
fn first_arrival(spec: &ScenarioSpec, cluster: &ClusterSpec, inputs: &Inputs, nodes: u64) -> Span {
    let growing = cluster.pools.values().filter(|pool| further_nodes(cluster, pool) > 0);
    let samplers: Vec<Sampler> = growing.filter_map(|pool| Sampler::new(&pool.provision_s, inputs)).collect();
    let units = (0..nodes).map(|ordinal| uniform(spec.seed, Stream::NodeProvision, ordinal, 0));
    let seconds = units.flat_map(|unit| samplers.iter().map(move |sampler| sampler.at(unit)));
    Span::from_secs_f64(seconds.fold(f64::INFINITY, f64::min)).max(Span::ZERO)
}
