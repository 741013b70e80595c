//! What others may read of the cluster: counts, pod-seconds, pods one by one.

use seatrial_core::observe::{self, PodPhase, ReadyCondition, ReadyStatus};
use seatrial_core::time::{Span, Timestamp};

use super::Cluster;
use super::event::PoolId;
use super::owner::Owner;
use super::pods::{Pod, Stage, State};
use crate::cluster::scheduler::resources::ResourceId;
use crate::ids::{NodeId, PodId, ServiceId};

/// Pods of a service by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServiceCounts {
    /// Replicas asked for.
    pub desired: u32,
    /// Pods without a node.
    pub pending: u32,
    /// Pods on a node and not ready, but for those that are unreachable.
    pub starting: u32,
    /// Ready pods.
    pub ready: u32,
    /// Deleted pods that still exist.
    pub terminating: u32,
    /// Pods that are not ready, and not deleted yet, on a node that is known to be silent.
    pub unreachable: u32,
}

impl ServiceCounts {
    /// Pods that are not deleted: `status.replicas` of the scale subresource.
    #[must_use]
    pub const fn replicas(&self) -> u32 {
        self.pending + self.starting + self.ready + self.unreachable
    }
}

/// Pods that ever were created and deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Churn {
    /// Created since the start; the pods of the first moment do not count.
    pub created: u64,
    /// Deleted since the start, by whomever.
    pub deleted: u64,
}

/// Pod-seconds since the start, by state.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PodSeconds {
    /// Without a node.
    pub pending_s: f64,
    /// On a node and not ready, whether the node answers or not.
    pub starting_s: f64,
    /// Ready.
    pub ready_s: f64,
    /// Deleted and still there.
    pub terminating_s: f64,
}

/// Nodes of a pool by state.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PoolCounts {
    /// On their way.
    pub provisioning: u32,
    /// They take pods.
    pub ready: u32,
    /// Silent, known or not.
    pub lost: u32,
    /// Share of the allocatable CPU of nodes that are ready or lost that is requested.
    pub cpu_requested: f64,
}

/// Pods that are wanted and have found no room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// The service, or the workload that only takes room.
    pub name: String,
    /// Pods that are wanted.
    pub wanted: u32,
    /// Pods that have found room.
    pub placed: u32,
    /// Why the others have not: what the scheduler says of the first of them, or that the quota refuses them.
    pub reason: String,
}

impl Cluster {
    /// Services and workloads of whose pods of the first moment some have found no room, in the order of ids. Of a record these are the
    /// pods that are alive then. To be asked right after [`start`](Self::start).
    #[must_use]
    pub fn shortages(&self) -> Vec<Shortage> {
        self.owners.iter().filter_map(|owned| self.shortage(owned)).collect()
    }

    fn shortage(&self, owned: &Owner) -> Option<Shortage> {
        let alive = |record: &super::owner::Record| record.pods.partition_point(|pod| pod.created <= self.now) as u32;
        let wanted = owned.record.as_ref().map_or(owned.deployment.replicas, alive);
        let placed = owned.tally.count(State::Starting) + owned.tally.count(State::Ready);
        let waiting = owned.pods.iter().map(|slot| self.pods.get(*slot)).find(|pod| pod.stage == Stage::Pending);
        let refused = || "the quota has no room for another pod".to_owned();
        let reason = waiting.map_or_else(refused, |pod| self.why_not(pod.template.shape));
        (placed < wanted).then(|| Shortage { name: owned.name.clone(), wanted, placed, reason })
    }

    /// Node pools, by name in the order of ids.
    pub fn pools(&self) -> impl Iterator<Item = &str> {
        self.nodes.iter().flat_map(|nodes| &nodes.pools).map(|pool| pool.name.as_str())
    }

    /// The pods of a service, deleted ones too, as an autoscaler may see them; without CPU use.
    pub fn pods_of(&self, service: ServiceId) -> impl Iterator<Item = (PodId, observe::Pod)> + '_ {
        self.owners[service.index()].pods.iter().map(|slot| (self.pods.id(*slot), seen(self.pods.get(*slot))))
    }

    /// Its pods by state.
    #[must_use]
    pub fn counts_of(&self, service: ServiceId) -> ServiceCounts {
        let owned = &self.owners[service.index()];
        ServiceCounts {
            desired: owned.deployment.replicas,
            pending: owned.tally.count(State::Pending),
            starting: owned.tally.count(State::Starting),
            ready: owned.tally.count(State::Ready),
            terminating: owned.tally.count(State::Terminating),
            unreachable: owned.tally.count(State::Unreachable),
        }
    }

    /// Nodes of a pool by state. Walks over them.
    #[must_use]
    pub fn pool_counts(&self, pool: PoolId) -> PoolCounts {
        let Some((nodes, pool)) = self.nodes.as_ref().and_then(|nodes| Some((nodes, nodes.pools.get(pool.index())?)))
        else {
            return PoolCounts::default();
        };
        let mut counts = PoolCounts { provisioning: pool.provisioning, ..PoolCounts::default() };
        let (mut requested, mut whole) = (0, 0);
        for id in &pool.nodes {
            let (node, room) = (nodes.get(*id), nodes.placement.node(*id));
            counts.lost += u32::from(node.is_silent());
            counts.ready += u32::from(!node.is_silent() && !node.is_draining);
            requested += room.given().exact().get(ResourceId::CPU);
            whole += room.allocatable().get(ResourceId::CPU);
        }
        counts.cpu_requested = if whole == 0 { 0.0 } else { requested as f64 / whole as f64 };
        counts
    }

    /// Start-up times, creation to first ready, of the pods that became ready since this was last asked, into `out`.
    pub fn take_start_ups(&mut self, service: ServiceId, out: &mut Vec<Span>) {
        out.clear();
        out.append(&mut self.owners[service.index()].start_ups);
    }

    /// Pods created and deleted so far.
    #[must_use]
    pub fn churn_of(&self, service: ServiceId) -> Churn {
        self.owners[service.index()].churn
    }

    /// Pod-seconds up to `now`, exactly.
    #[must_use]
    pub fn pod_seconds_of(&self, service: ServiceId, now: Timestamp) -> PodSeconds {
        self.owners[service.index()].tally.seconds(now)
    }

    /// Seconds that the starts under way still take: paid in full at the end. A pod without a node owes what its container takes.
    #[must_use]
    pub fn unfinished_start_s(&self, service: ServiceId, now: Timestamp) -> f64 {
        let pods = self.owners[service.index()].pods.iter();
        let owed = pods.map(|slot| self.unfinished_start(*slot, now)).fold(Span::ZERO, |sum, span| sum + span);
        owed.as_secs_f64()
    }

    /// The node of a pod; `None` where it has none, or is gone.
    #[must_use]
    pub fn node_of(&self, pod: PodId) -> Option<NodeId> {
        self.pods.find(pod).and_then(|slot| self.pods.get(slot).node)
    }

    /// How many rollouts came before a pod's revision; `None` where the pod is gone.
    #[must_use]
    pub fn revision_of(&self, pod: PodId) -> Option<u32> {
        self.pods.find(pod).map(|slot| self.pods.get(slot).revision)
    }

    /// How often the container of a pod started again; 0 where the pod is gone.
    #[must_use]
    pub fn restarts_of(&self, pod: PodId) -> u32 {
        self.pods.find(pod).map_or(0, |slot| self.pods.get(slot).restarts)
    }

    /// Why the pods of a service without a node have none, as their events would say; `None` where all have one.
    #[must_use]
    pub fn pending_reason(&self, service: ServiceId) -> Option<String> {
        let owned = &self.owners[service.index()];
        (owned.tally.count(State::Pending) > 0).then(|| self.why_not(owned.template.shape))
    }
}

fn seen(pod: &Pod) -> observe::Pod {
    let has_containers = pod.running || pod.stage == Stage::BackOff;
    let status = if pod.stage == Stage::Ready { ReadyStatus::True } else { ReadyStatus::False };
    observe::Pod {
        phase: if has_containers { PodPhase::Running } else { PodPhase::Pending },
        deleted: pod.stage == Stage::Terminating,
        created_at: pod.created,
        started_at: pod.started,
        ready: pod.started.map(|_| ReadyCondition { status, since: pod.turned }),
        cpu_request_milli: i64::try_from(pod.template.cpu_milli).ok(),
        cpu: None,
    }
}
