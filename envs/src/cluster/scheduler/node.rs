//! A node as the scheduler sees it: what it has, and what the pods bound to it ask for, summed when a pod comes or goes.
//!
//! Invariant: after the same pods have come and gone, in any order, a node equals itself (amounts stay far below the greatest
//! number, at which sums stop).

use super::requests::PodRequests;
use super::resources::Amounts;

/// What a node has and has given away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    allocatable: Amounts,
    pod_limit: u32,
    pods: u32,
    given: PodRequests,
}

impl Node {
    /// An empty node.
    pub fn new(allocatable: Amounts, pod_limit: u32) -> Self {
        Self { allocatable, pod_limit, pods: 0, given: PodRequests::default() }
    }

    /// Binds a pod. Whether it fits is the filter's question: a real node, too, can be overcommitted.
    pub fn add(&mut self, pod: &PodRequests) {
        self.given = self.given.plus(pod);
        self.pods = self.pods.saturating_add(1);
    }

    /// Lets go of a pod that was bound.
    pub fn remove(&mut self, pod: &PodRequests) {
        self.given = self.given.minus(pod);
        self.pods = self.pods.saturating_sub(1);
    }

    /// What pods can ask for.
    pub fn allocatable(&self) -> &Amounts {
        &self.allocatable
    }

    /// How many pods it can run.
    pub fn pod_limit(&self) -> u32 {
        self.pod_limit
    }

    /// How many pods are bound to it.
    pub fn pods(&self) -> u32 {
        self.pods
    }

    /// What the bound pods ask for together.
    pub fn given(&self) -> &PodRequests {
        &self.given
    }
}
