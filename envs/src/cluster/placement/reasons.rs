//! Why no node takes a pod, as the event of a pending pod says it.
//!
//! A node that is closed says so and no more, because the filter of `NodeUnschedulable` comes before that of resources; any other
//! gives every reason of the latter. Nodes on which the pod fits count among all nodes and give no reason.
//!
//! Source: `FitError` in `pkg/scheduler/framework/types.go` of Kubernetes 1.34, without what it adds about preemption.

use crate::cluster::scheduler::fit::fit;
use crate::cluster::scheduler::node::Node;
use crate::cluster::scheduler::requests::PodRequests;
use crate::cluster::scheduler::resources::{RESOURCE_LIMIT, ResourceId, ResourceNames};

/// Nodes by what is wrong with them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WhyNot {
    /// All nodes.
    pub nodes: u32,
    /// Closed for new pods.
    pub unschedulable: u32,
    /// They run as many pods as they can.
    pub too_many_pods: u32,
    /// The pod would not fit on them if they were empty either.
    pub never: u32,
    insufficient: [u32; RESOURCE_LIMIT],
}

impl WhyNot {
    /// Nodes that have too little left of a resource.
    #[must_use]
    pub fn insufficient(&self, id: ResourceId) -> u32 {
        self.insufficient[id.index()]
    }

    /// `0/3 nodes are available: 1 node(s) were unschedulable, 2 Insufficient cpu.`; without nodes, that there are none.
    #[must_use]
    pub fn message(&self, names: &ResourceNames) -> String {
        if self.nodes == 0 {
            return "no nodes available to schedule pods".to_owned();
        }
        let short = ResourceId::all().map(|id| (self.insufficient(id), names.name(id)));
        let mut reasons: Vec<String> = short
            .filter_map(|(count, name)| (count > 0).then(|| format!("{count} Insufficient {}", name.unwrap_or("?"))))
            .collect();
        for (count, reason) in
            [(self.unschedulable, "node(s) were unschedulable"), (self.too_many_pods, "Too many pods")]
        {
            reasons.extend((count > 0).then(|| format!("{count} {reason}")));
        }
        reasons.sort_unstable();
        format!("0/{} nodes are available: {}.", self.nodes, reasons.join(", "))
    }

    pub(super) fn count_closed(&mut self) {
        self.nodes += 1;
        self.unschedulable += 1;
    }

    pub(super) fn count(&mut self, node: &Node, pod: &PodRequests) {
        let answer = fit(node, pod);
        self.nodes += 1;
        self.too_many_pods += u32::from(answer.too_many_pods());
        self.never += u32::from(answer.unresolvable());
        for (id, count) in ResourceId::all().zip(&mut self.insufficient) {
            *count += u32::from(answer.insufficient(id));
        }
    }
}
