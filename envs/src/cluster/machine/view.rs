//! What others may read of the cluster: counts, pod-seconds, pods one by one.

/// Pods of a service by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServiceCounts {
    /// Replicas asked for.
    pub desired: u32,
    /// Pods without a node.
    pub pending: u32,
    /// Pods on a node and not ready.
    pub starting: u32,
    /// Ready pods.
    pub ready: u32,
    /// Deleted pods that still exist.
    pub terminating: u32,
}

impl ServiceCounts {
    /// Pods that are not deleted: `status.replicas` of the scale subresource.
    #[must_use]
    pub const fn replicas(&self) -> u32 {
        self.pending + self.starting + self.ready
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
    /// On a node and not ready.
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
