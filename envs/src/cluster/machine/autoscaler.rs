//! The cluster autoscaler: nodes for pods that find none, and nodes away that nobody needs.
//!
//! Up: pods without a node are packed, those that ask for most CPU first, each onto the first node that has room: first onto the nodes
//! on their way, then onto new ones of each pool in turn. The pool whose new nodes would leave the least share of their CPU unused
//! gets them (expander `least-waste`), one pool per look.
//! Down: a node is not needed while less than a share of its CPU and of its memory is requested and its pods fit elsewhere, and goes after a
//! while: first nobody is bound to it, then its pods are deleted, then it is gone.
//!
//! Source: `cluster-autoscaler` 1.34 (`core/static_autoscaler.go`, `estimator/binpacking_estimator.go`, `expander/waste`,
//! `core/scaledown`).
//!
//! # Deviations
//! 1. Waste is counted in CPU, not in CPU and memory.
//! 2. Nodes of a recorded inventory have no common shape: its pool is never enlarged.
//! 3. Nodes that are silent are left to the life-cycle; an order never fails.
//! 4. Pods are packed by requests alone, in the order of their CPU, then memory; the original adds both shares.

use std::cmp::Reverse;

use seatrial_core::rand::{Stream, uniform};
use seatrial_core::time::{Span, Timestamp};

use super::Cluster;
use super::event::{Event, PoolId};
use super::nodes::{Health, Nodes};
use super::pods::{Pods, Slot};
use crate::cluster::placement::{Placement, ShapeId};
use crate::cluster::scheduler::fit::fit;
use crate::cluster::scheduler::node::Node as Room;
use crate::cluster::scheduler::resources::ResourceId;
use crate::ids::NodeId;
use crate::spec::nodes::ClusterAutoscalerSpec;

/// `--max-scale-down-parallelism`: nodes that one look takes away.
const REMOVED_AT_ONCE: usize = 10;
/// `--max-drain-parallelism`: of them with pods, counting those that are still being emptied.
const DRAINED_AT_ONCE: usize = 1;

#[derive(Clone, Debug)]
pub(super) struct Autoscaler {
    pub(super) spec: ClusterAutoscalerSpec,
    pub(super) last_added: Option<Timestamp>,
}

/// Pods of one template that wait for a node.
#[derive(Clone, Copy, Debug)]
struct Demand {
    shape: ShapeId,
    cpu_milli: u64,
    memory_mib: u64,
    count: u32,
}

/// New nodes of a pool.
struct Plan {
    pool: usize,
    nodes: u32,
    /// Share of their CPU that nobody would use.
    waste: f64,
}

impl Cluster {
    pub(super) fn on_scan(&mut self) {
        let demand = self.demand();
        let Some(nodes) = &mut self.nodes else { return };
        let Some(autoscaler) = &nodes.autoscaler else { return };
        // A period of zero would stop the clock.
        let period = Span::from_secs_f64(autoscaler.spec.scan_s).max(Span::from_millis(1));
        self.outbox.push((self.now + period, Event::Scan));
        if let Some(plan) = nodes.plan(demand) {
            self.order_nodes(&plan);
        } else {
            self.shrink();
        }
    }

    /// Who finds no node, most CPU first.
    fn demand(&self) -> Vec<Demand> {
        let mut demand: Vec<Demand> = Vec::new();
        for (_, mut slots) in self.pending.waiting() {
            let Some(first) = slots.next() else { continue };
            let template = self.pods.get(first).template;
            let (shape, cpu_milli, memory_mib) = (template.shape, template.cpu_milli, template.memory_mib);
            demand.push(Demand { shape, cpu_milli, memory_mib, count: 1 + slots.count() as u32 });
        }
        demand.sort_by_key(|row| (Reverse((row.cpu_milli, row.memory_mib)), row.shape));
        demand
    }

    fn order_nodes(&mut self, plan: &Plan) {
        let Some(nodes) = &mut self.nodes else { return };
        let pool = PoolId(plan.pool as u16);
        for _ in 0..plan.nodes {
            let ordinal = nodes.order();
            let home = nodes.pool_mut(pool);
            home.provisioning += 1;
            let unit = uniform(self.seed, Stream::NodeProvision, u64::from(ordinal), 0);
            let takes = Span::from_secs_f64(home.provision_s.at(unit)).max(Span::ZERO);
            self.outbox.push((self.now + takes, Event::Arrive { pool, ordinal }));
        }
    }

    /// Notes which nodes are not needed, and takes away those that have not been for long enough.
    fn shrink(&mut self) {
        let now = self.now;
        let has_bare_pod: Vec<bool> =
            self.nodes.iter().flat_map(|nodes| &nodes.all).map(|node| self.is_pinned(&node.pods)).collect();
        let Some(nodes) = &mut self.nodes else { return };
        nodes.note_unneeded(&has_bare_pod, &self.pods, now);
        for id in nodes.removable(now) {
            self.drain_node(id);
        }
    }

    /// Whether a pod among these would not come again: nobody moves it.
    fn is_pinned(&self, pods: &[Slot]) -> bool {
        pods.iter().any(|slot| self.owners[self.pods.get(*slot).owner as usize].record.is_some())
    }

    fn drain_node(&mut self, id: NodeId) {
        let Some(nodes) = &mut self.nodes else { return };
        nodes.placement.set_schedulable(id, false);
        nodes.get_mut(id).is_draining = true;
        self.each_pod_on(id, |cluster, slot| {
            if cluster.pods.get(slot).stage.is_active() {
                cluster.delete_pod(slot);
            }
        });
        self.remove_if_drained(id);
    }
}

impl Nodes {
    /// The pool that gets new nodes, and how many.
    fn plan(&self, mut demand: Vec<Demand>) -> Option<Plan> {
        for pool in &self.pools {
            let mut coming: Vec<Room> =
                pool.template.iter().cycle().take(pool.provisioning as usize).copied().collect();
            pack(&self.placement, &mut demand, &mut coming, None, 0);
        }
        let plans = (0..self.pools.len()).filter_map(|pool| self.plan_for(pool, demand.clone()));
        plans.min_by(|a, b| a.waste.total_cmp(&b.waste))
    }

    fn plan_for(&self, pool: usize, mut demand: Vec<Demand>) -> Option<Plan> {
        let home = &self.pools[pool];
        let room = home.template?;
        let present = home.nodes.len() as u32 + home.provisioning;
        let mut added = Vec::new();
        pack(&self.placement, &mut demand, &mut added, Some(room), home.max.saturating_sub(present));
        let cpu = |node: &Room| node.given().exact().get(ResourceId::CPU) as f64;
        let requested = added.iter().map(cpu).sum::<f64>();
        let whole = room.allocatable().get(ResourceId::CPU) as f64 * added.len() as f64;
        let waste = if whole > 0.0 { 1.0 - requested / whole } else { 1.0 };
        (!added.is_empty()).then_some(Plan { pool, nodes: added.len() as u32, waste })
    }

    /// Starts or ends the time for which each node has not been needed. They are looked at together, those without pods first:
    /// a node that is not needed takes no pods of another, and one that takes some is needed.
    fn note_unneeded(&mut self, is_pinned: &[bool], pods: &Pods, now: Timestamp) {
        let Some(autoscaler) = &self.autoscaler else { return };
        let below = autoscaler.spec.unneeded_below;
        let is_light = |id: &NodeId| {
            let node = self.get(*id);
            let is_open = node.health == Health::Up && !node.is_draining;
            is_open && !is_pinned[id.index()] && share(self.placement.node(*id)) < below
        };
        let all = (0..self.all.len() as u32).map(NodeId);
        let (mut light, heavy): (Vec<NodeId>, Vec<NodeId>) = all.partition(is_light);
        light.sort_by_key(|id| !self.get(*id).pods.is_empty());
        let mut moved: Vec<(ShapeId, NodeId)> = Vec::new();
        let (unneeded, needed): (Vec<NodeId>, Vec<NodeId>) =
            light.into_iter().partition(|id| self.empties(*id, pods, &mut moved));
        for (shape, node) in moved {
            self.placement.unbind(shape, node);
        }
        for id in unneeded {
            self.placement.set_schedulable(id, true);
            self.get_mut(id).unneeded_since.get_or_insert(now);
        }
        for id in heavy.into_iter().chain(needed) {
            self.get_mut(id).unneeded_since = None;
        }
    }

    /// Whether the pods of a node fit elsewhere, beside those `moved` before; if so they are added there and the node is closed.
    fn empties(&mut self, id: NodeId, pods: &Pods, moved: &mut Vec<(ShapeId, NodeId)>) -> bool {
        if moved.iter().any(|(_, taker)| *taker == id) {
            return false;
        }
        let before = moved.len();
        self.placement.set_schedulable(id, false);
        for place in 0..self.all[id.index()].pods.len() {
            let pod = pods.get(self.all[id.index()].pods[place]);
            if !pod.stage.is_active() {
                continue;
            }
            let shape = pod.template.shape;
            let Some(other) = self.placement.best(shape) else {
                for (shape, node) in moved.drain(before..) {
                    self.placement.unbind(shape, node);
                }
                self.placement.set_schedulable(id, true);
                return false;
            };
            self.placement.bind(shape, other);
            moved.push((shape, other));
        }
        true
    }

    /// Nodes that go now: those without pods first.
    fn removable(&self, now: Timestamp) -> Vec<NodeId> {
        let Some(Autoscaler { spec, last_added }) = &self.autoscaler else { return Vec::new() };
        let after_add = Span::from_secs_f64(spec.delay_after_add_s);
        if last_added.is_some_and(|added| now - added < after_add) {
            return Vec::new();
        }
        let unneeded = Span::from_secs_f64(spec.unneeded_s);
        let draining = self.all.iter().filter(|node| node.is_draining && node.health != Health::Gone).count();
        let mut drains = DRAINED_AT_ONCE.saturating_sub(draining);
        let mut left: Vec<u32> = self.pools.iter().map(|pool| self.staying(pool)).collect();
        let is_due = |id: &NodeId| self.get(*id).unneeded_since.is_some_and(|since| now - since >= unneeded);
        let all = (0..self.all.len() as u32).map(NodeId);
        let (empty, others): (Vec<NodeId>, Vec<NodeId>) =
            all.filter(is_due).partition(|id| self.get(*id).pods.is_empty());
        let mut chosen = Vec::new();
        for id in empty.into_iter().chain(others) {
            let pool = self.get(id).pool.index();
            let is_empty = self.get(id).pods.is_empty();
            if chosen.len() < REMOVED_AT_ONCE && left[pool] > self.pools[pool].min && (is_empty || drains > 0) {
                left[pool] -= 1;
                drains -= usize::from(!is_empty);
                chosen.push(id);
            }
        }
        chosen
    }

    /// Nodes of a pool that are not being emptied.
    fn staying(&self, pool: &super::nodes::Pool) -> u32 {
        pool.nodes.iter().filter(|id| !self.get(**id).is_draining).count() as u32
    }
}

/// The greater share of CPU and memory that is requested.
fn share(node: &Room) -> f64 {
    let of = |id| match node.allocatable().get(id) {
        0 => 0.0,
        whole => node.given().exact().get(id) as f64 / whole as f64,
    };
    of(ResourceId::CPU).max(of(ResourceId::MEMORY))
}

/// First fit: pods onto `bins`, and onto new ones like `room`, at most `most` of them. What is left stays in `demand`.
fn pack(placement: &Placement, demand: &mut [Demand], bins: &mut Vec<Room>, room: Option<Room>, most: u32) {
    let limit = bins.len() + most as usize;
    for row in demand {
        let pod = placement.requests(row.shape);
        let mut bin = 0;
        while row.count > 0 {
            if bin == bins.len() {
                let Some(empty) = room.filter(|empty| bin < limit && fit(empty, pod).fits()) else { break };
                bins.push(empty);
            }
            if fit(&bins[bin], pod).fits() {
                bins[bin].add(pod);
                row.count -= 1;
            } else {
                bin += 1;
            }
        }
    }
}
