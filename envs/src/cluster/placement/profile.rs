//! Filter and scores of a scheduler's profile as one number per node and pod.
//!
//! The plugins count alike, as in kube-scheduler's default profile, and each looks at CPU and memory, alike. A plugin that sits out
//! (balance, for pods that ask for neither) gives every node 0.

use crate::cluster::scheduler::fit::fit;
use crate::cluster::scheduler::node::Node;
use crate::cluster::scheduler::profile::Weights;
use crate::cluster::scheduler::requests::PodRequests;
use crate::cluster::scheduler::score::{balanced_allocation, least_allocated, most_allocated};
use crate::spec::nodes::{PlacementStrategy, SchedulerSpec};

/// How nodes are scored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    strategy: PlacementStrategy,
    balanced: bool,
    weights: Weights,
}

impl Profile {
    /// A strategy of `NodeResourcesFit`, with `NodeResourcesBalancedAllocation` or without it.
    #[must_use]
    pub fn new(strategy: PlacementStrategy, balanced: bool) -> Self {
        Self { strategy, balanced, weights: Weights::default() }
    }

    /// The sum of the plugins' scores, 0 to 200, if the pod fits.
    #[must_use]
    pub fn score_if_fits(&self, node: &Node, pod: &PodRequests) -> Option<u8> {
        fit(node, pod).fits().then(|| self.score(node, pod))
    }

    fn score(&self, node: &Node, pod: &PodRequests) -> u8 {
        let room = match self.strategy {
            PlacementStrategy::LeastAllocated => least_allocated(node, pod, &self.weights),
            PlacementStrategy::MostAllocated => most_allocated(node, pod, &self.weights),
        };
        let balance = if self.balanced { balanced_allocation(node, pod, &self.weights) } else { None };
        room + balance.unwrap_or(0)
    }
}

impl Default for Profile {
    fn default() -> Self {
        Self::from(&SchedulerSpec::default())
    }
}

impl From<&SchedulerSpec> for Profile {
    fn from(spec: &SchedulerSpec) -> Self {
        Self::new(spec.strategy, spec.balanced)
    }
}
