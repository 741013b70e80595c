//! The best node for a pod among thousands, exactly as filter and scores say.
//!
//! Pods of one template ask the same of every node, so their scores are kept, per template (a *shape*), at the leaves of a
//! tournament tree over the nodes. A pod that comes or goes touches one node; which nodes were touched stands in a log, and a shape
//! reads on from where it was when it is asked next. So a placement costs a score for each node that changed since the shape's last
//! one, and O(log nodes) to keep the tree and to read the winner, and a shape that nobody asks for costs nothing.
//!
//! | room | what |
//! |---|---|
//! | [`profile`] | filter and scores as one number |
//! | `tournament` | scores by node, and the first of the greatest |
//! | `changes` | which nodes changed since a moment |
//! | [`reasons`] | why no node takes a pod |
//!
//! Invariants: [`Placement::best`] equals a walk over all nodes with the filter and scores of [`super::scheduler`]. Ids are dense and
//! never used again. Nothing is allocated but for new nodes and shapes, and at a shape's first question.
//!
//! # Deviations
//!
//! 1. kube-scheduler scores a sample of large clusters (`percentageOfNodesToScore`), beginning where it ended; here every node is scored.
//! 2. It draws among nodes of one score; here the one with the lowest id is taken.
//! 3. Only `NodeResourcesFit`, `NodeResourcesBalancedAllocation` and `NodeUnschedulable` exist: no affinity, taints, topology spread,
//!    images or volumes, and no preemption.

use super::scheduler::node::Node;
use super::scheduler::requests::PodRequests;
use crate::ids::NodeId;
use changes::Changes;
use tournament::Tournament;

mod changes;
pub mod profile;
pub mod reasons;
mod tournament;

pub use profile::Profile;
pub use reasons::WhyNot;

/// A pod template: what all its pods ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ShapeId(u32);

impl ShapeId {
    /// As an index: shapes are numbered as they are interned.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Whether new pods are bound to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Closed,
    Gone,
}

#[derive(Clone, Debug)]
struct Shape {
    pod: PodRequests,
    scores: Tournament,
    /// The log is applied up to here.
    seen: u64,
}

/// The nodes of a cluster and the best of them for each shape.
#[derive(Clone, Debug)]
pub struct Placement {
    profile: Profile,
    nodes: Vec<Node>,
    states: Vec<State>,
    shapes: Vec<Shape>,
    changes: Changes,
}

impl Placement {
    /// Without nodes.
    #[must_use]
    pub fn new(profile: Profile) -> Self {
        Self { profile, nodes: Vec::new(), states: Vec::new(), shapes: Vec::new(), changes: Changes::default() }
    }

    /// A node on which pods can be placed from now on; ids ascend from 0.
    pub fn add_node(&mut self, node: Node) -> NodeId {
        let id = NodeId(self.nodes.len() as u32);
        self.nodes.push(node);
        self.states.push(State::Open);
        self.changes.add();
        id
    }

    /// Opens a node for new pods, or closes it; those on it stay. A removed node stays closed.
    pub fn set_schedulable(&mut self, id: NodeId, yes: bool) {
        if self.states[id.index()] != State::Gone {
            self.states[id.index()] = if yes { State::Open } else { State::Closed };
            self.changes.touch(id.0);
        }
    }

    /// Takes a node out of the cluster; it counts nowhere from now on, and its pods can still be unbound.
    pub fn remove_node(&mut self, id: NodeId) {
        self.states[id.index()] = State::Gone;
        self.changes.touch(id.0);
    }

    /// The shape of a pod's requests: the same for the same ones. Looks through all shapes, so ask once per template.
    pub fn shape(&mut self, pod: &PodRequests) -> ShapeId {
        let known = self.shapes.iter().position(|shape| shape.pod == *pod);
        let index = known.unwrap_or(self.shapes.len());
        if known.is_none() {
            self.shapes.push(Shape { pod: *pod, scores: Tournament::default(), seen: 0 });
        }
        ShapeId(index as u32)
    }

    /// The schedulable node with the greatest score among those on which the pod fits; the lowest id of several, `None` of none.
    pub fn best(&mut self, shape: ShapeId) -> Option<NodeId> {
        let Self { profile, nodes, states, shapes, changes } = self;
        let Shape { pod, scores, seen } = &mut shapes[shape.index()];
        scores.grow(nodes.len());
        changes.each_since(*seen, |index| {
            let open = states[index] == State::Open;
            let score = if open { profile.score_if_fits(&nodes[index], pod) } else { None };
            scores.set(index, score.map_or(0, |score| score + 1));
        });
        *seen = changes.count();
        scores.first_of_greatest().map(|index| NodeId(index as u32))
    }

    /// Binds a pod. Whether it fits is not asked: a real node, too, can be overcommitted.
    pub fn bind(&mut self, shape: ShapeId, node: NodeId) {
        self.nodes[node.index()].add(&self.shapes[shape.index()].pod);
        self.changes.touch(node.0);
    }

    /// Lets go of a pod that was bound.
    pub fn unbind(&mut self, shape: ShapeId, node: NodeId) {
        self.nodes[node.index()].remove(&self.shapes[shape.index()].pod);
        self.changes.touch(node.0);
    }

    /// What a node has and has given away.
    #[must_use]
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }

    /// Whether new pods are bound to it.
    #[must_use]
    pub fn is_schedulable(&self, id: NodeId) -> bool {
        self.states[id.index()] == State::Open
    }

    /// What the pods of a shape ask for.
    #[must_use]
    pub fn requests(&self, shape: ShapeId) -> &PodRequests {
        &self.shapes[shape.index()].pod
    }

    /// Why the nodes of the cluster do not take a pod; walks over all of them.
    #[must_use]
    pub fn why_not(&self, shape: ShapeId) -> WhyNot {
        let pod = &self.shapes[shape.index()].pod;
        let mut why = WhyNot::default();
        for (node, state) in self.nodes.iter().zip(&self.states) {
            match state {
                State::Open => why.count(node, pod),
                State::Closed => why.count_closed(),
                State::Gone => {}
            }
        }
        why
    }
}

#[cfg(test)]
mod tests;
