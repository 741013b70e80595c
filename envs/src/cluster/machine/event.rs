//! What the cluster schedules for itself. An event whose object has moved on meanwhile is stale, and nothing happens.

use crate::ids::{NodeId, PodId, ServiceId};

/// A pending event of the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The scheduler looks at a new pod.
    Schedule(PodId),
    /// The image of a pod is on its node.
    Pulled(PodId),
    /// The readiness probe of a pod is answered.
    Ready(PodId),
    /// A pod has been ready for as long as its Deployment wants.
    Available(PodId),
    /// The container of a pod starts again after its back-off.
    Restart(PodId),
    /// The preStop hook of a pod is over.
    PreStopOver(PodId),
    /// The grace of a pod is over.
    GraceOver(PodId),
    /// A recorded pod has lived its life.
    LifeOver(PodId),
    /// A new revision of a service is rolled out.
    Rollout(ServiceId),
    /// The pods of a workload appear, or the next one of its record does.
    Appear(WorkloadId),
    /// The pods of a workload go.
    Vanish(WorkloadId),
    /// Nodes that have been silent for the grace become unreachable.
    Unreachable,
    /// Silent nodes answer again.
    Back,
    /// A pool may taint its next unreachable node.
    Taint(PoolId),
    /// The pods of a tainted node have tolerated it for long enough.
    Evict(NodeId),
    /// A node is ready that was ordered as the one of this number.
    Arrive {
        /// Its pool.
        pool: PoolId,
        /// Its number among all nodes that were ever ordered, the first ones included.
        ordinal: u32,
    },
    /// The cluster autoscaler looks.
    Scan,
}

/// A node pool: its place in the order of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PoolId(pub u16);

/// A workload that serves no requests: its place in the order of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WorkloadId(pub u16);

impl PoolId {
    /// As an index.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl WorkloadId {
    /// As an index.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_small() {
        assert!(size_of::<Event>() <= 12);
    }
}
