//! What becomes of silent nodes: nothing until somebody notices; then their pods leave the endpoints, the node is tainted in its turn,
//! and when its pods have tolerated that for long enough they are deleted. A pool is a zone.
//!
//! Source: `pkg/controller/nodelifecycle/node_lifecycle_controller.go` of Kubernetes 1.34 (zone states, `handleDisruption`, rate
//! limiters with a burst of one node).
//!
//! # Deviations
//! 1. The controller looks all the time, not every 5 s, and taints in the same moment, not within 100 ms.
//! 2. The pods of an evicted node end at once (as with the taint `out-of-service`); Kubernetes keeps them until the node answers or is
//!    removed. For those who ask for replicas it is the same: deleted pods are replaced.
//! 3. What falls due on a silent node (an image, a probe, a restart) happens when the node is back.
//! 4. A silent node stays until it is back; no cloud provider deletes it.

use std::collections::VecDeque;

use seatrial_core::rand::{Stream, draw};
use seatrial_core::time::{Span, Timestamp};

use super::Cluster;
use super::event::{Event, PoolId};
use super::nodes::{Health, Node, Nodes};
use super::pods::{Slot, Stage, State};
use crate::ids::NodeId;
use crate::spec::nodes::LifecycleSpec;

/// A zone with at most so many unreachable nodes is healthy, whatever their share.
const FEW_UNREACHABLE: u32 = 2;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Condition {
    #[default]
    Normal,
    Partial,
    Full,
}

/// Which unreachable nodes of a pool are tainted, and when.
#[derive(Clone, Debug)]
pub(super) struct Zone {
    condition: Condition,
    per_s: f64,
    /// The limiter has its token again then.
    free_at: Timestamp,
    waiting: VecDeque<NodeId>,
}

impl Zone {
    pub(super) fn new(lifecycle: &LifecycleSpec, start: Timestamp) -> Self {
        Self { condition: Condition::Normal, per_s: lifecycle.eviction_per_s, free_at: start, waiting: VecDeque::new() }
    }

    fn interval(&self) -> Option<Span> {
        (self.per_s > 0.0).then(|| Span::from_secs_f64(1.0 / self.per_s))
    }

    /// Another limiter, which begins empty if the old one has no token now.
    fn set_rate(&mut self, per_s: f64, now: Timestamp) {
        if self.per_s == per_s {
            return;
        }
        let is_empty = self.per_s <= 0.0 || self.free_at > now;
        self.per_s = per_s;
        self.free_at = self.interval().filter(|_| is_empty).map_or(now, |interval| now + interval);
    }
}

fn condition(nodes: u32, unreachable: u32, lifecycle: &LifecycleSpec) -> Condition {
    let share = f64::from(unreachable) / f64::from(nodes.max(1));
    if unreachable > 0 && unreachable == nodes {
        Condition::Full
    } else if unreachable > FEW_UNREACHABLE && share >= lifecycle.unhealthy_share {
        Condition::Partial
    } else {
        Condition::Normal
    }
}

fn rate(condition: Condition, nodes: u32, lifecycle: &LifecycleSpec) -> f64 {
    match condition {
        Condition::Normal | Condition::Full => lifecycle.eviction_per_s,
        Condition::Partial if nodes > lifecycle.small_zone_nodes => lifecycle.secondary_eviction_per_s,
        Condition::Partial => 0.0,
    }
}

impl Nodes {
    /// Sets the limiters by the zones' conditions; true where all zones have just become fully disrupted.
    fn set_rates(&mut self, now: Timestamp) -> bool {
        let lifecycle = self.lifecycle;
        let seen = |nodes: &[NodeId], unreachable| condition(nodes.len() as u32, unreachable, &lifecycle);
        let is_full = |pool: &super::nodes::Pool| seen(&pool.nodes, pool.unreachable) == Condition::Full;
        let was_disrupted = self.all_disrupted;
        let mut zones = self.pools.iter().filter(|pool| !pool.nodes.is_empty()).peekable();
        self.all_disrupted = zones.peek().is_some() && zones.all(is_full);
        if self.all_disrupted && was_disrupted {
            return false;
        }
        for pool in &mut self.pools {
            let condition = seen(&pool.nodes, pool.unreachable);
            if self.all_disrupted {
                pool.zone.set_rate(0.0, now);
            } else if was_disrupted || condition != pool.zone.condition {
                pool.zone.set_rate(rate(condition, pool.nodes.len() as u32, &lifecycle), now);
            }
            pool.zone.condition = condition;
        }
        self.all_disrupted
    }

    /// Every taint is taken back; the nodes wait for it anew.
    fn untaint_all(&mut self) {
        for (index, node) in self.all.iter_mut().enumerate() {
            if node.evict_at.take().is_some() {
                self.pools[node.pool.index()].zone.waiting.push_back(NodeId(index as u32));
            }
        }
    }

    /// The next node that the limiter lets through, or when it will.
    fn next_taint(&mut self, pool: PoolId, now: Timestamp) -> Taint {
        let Self { all, pools, .. } = self;
        let zone = &mut pools[pool.index()].zone;
        let is_due = |node: &Node| node.health == Health::Unreachable && node.evict_at.is_none() && !node.is_evicted;
        while zone.waiting.front().is_some_and(|id| !is_due(&all[id.index()])) {
            zone.waiting.pop_front();
        }
        let (Some(id), Some(interval)) = (zone.waiting.front().copied(), zone.interval()) else { return Taint::None };
        if zone.free_at > now {
            return Taint::At(zone.free_at);
        }
        zone.waiting.pop_front();
        zone.free_at = now + interval;
        Taint::Now(id)
    }
}

enum Taint {
    None,
    Now(NodeId),
    At(Timestamp),
}

impl Cluster {
    /// Drawn nodes fall silent.
    pub(super) fn silence(&mut self, pool: PoolId, count: u32, back_after: Option<Span>) {
        let (now, seed, fault) = (self.now, self.seed, self.next_fault());
        let Some(nodes) = &mut self.nodes else { return };
        let Some(home) = nodes.pools.get(pool.index()) else { return };
        let is_up = |id: &NodeId| nodes.get(*id).health == Health::Up && !nodes.get(*id).is_draining;
        let up: Vec<NodeId> = home.nodes.iter().copied().filter(is_up).collect();
        let lost = drawn(seed, fault, &up, count);
        let grace = Span::from_secs_f64(nodes.lifecycle.grace_s).max(Span::ZERO);
        for id in &lost {
            let node = nodes.get_mut(*id);
            node.health = Health::Silent(now);
            node.back_at = back_after.map(|after| now + after);
            nodes.silent.push_back(*id);
        }
        self.outbox.push((now + grace, Event::Unreachable));
        self.outbox.extend(back_after.map(|after| (now + after, Event::Back)));
        for id in lost {
            self.mark_nodes("node-lost", pool, "silent");
            self.tell_speeds(id);
        }
    }

    pub(super) fn next_fault(&mut self) -> u64 {
        self.faults += 1;
        self.faults - 1
    }

    /// Whoever has been silent for the grace is unreachable now.
    pub(super) fn on_unreachable(&mut self) {
        let now = self.now;
        while let Some(nodes) = &mut self.nodes
            && let Some(id) = nodes.silent.front().copied()
        {
            let grace = Span::from_secs_f64(nodes.lifecycle.grace_s).max(Span::ZERO);
            match nodes.get(id).health {
                Health::Silent(since) if since + grace > now => break,
                Health::Silent(_) => {
                    nodes.silent.pop_front();
                    self.cut_off(id);
                }
                Health::Up | Health::Unreachable | Health::Gone => {
                    nodes.silent.pop_front();
                }
            }
        }
        self.look_at_zones();
    }

    fn cut_off(&mut self, id: NodeId) {
        let Some(nodes) = &mut self.nodes else { return };
        nodes.placement.set_schedulable(id, false);
        let node = nodes.get_mut(id);
        node.health = Health::Unreachable;
        let pool = nodes.get(id).pool;
        let home = nodes.pool_mut(pool);
        home.unreachable += 1;
        home.zone.waiting.push_back(id);
        self.each_pod_on(id, |cluster, slot| {
            cluster.recount(slot, State::Starting, State::Unreachable);
            if cluster.pods.get(slot).stage == Stage::Ready {
                cluster.leave_endpoints(slot, Stage::Cut);
            }
        });
    }

    /// The zones may have changed: other limiters, and who is tainted next.
    pub(super) fn look_at_zones(&mut self) {
        let now = self.now;
        let Some(nodes) = &mut self.nodes else { return };
        if nodes.set_rates(now) {
            nodes.untaint_all();
        }
        for pool in 0..nodes.pools.len() as u16 {
            self.taint_next(PoolId(pool));
        }
    }

    pub(super) fn taint_next(&mut self, pool: PoolId) {
        let now = self.now;
        while let Some(nodes) = &mut self.nodes {
            match nodes.next_taint(pool, now) {
                Taint::None => return,
                Taint::At(at) => {
                    self.outbox.push((at, Event::Taint(pool)));
                    return;
                }
                Taint::Now(id) => {
                    let evict_at = now + Span::from_secs_f64(nodes.lifecycle.toleration_s).max(Span::ZERO);
                    nodes.get_mut(id).evict_at = Some(evict_at);
                    self.outbox.push((evict_at, Event::Evict(id)));
                }
            }
        }
    }

    pub(super) fn on_evict(&mut self, id: NodeId) {
        let now = self.now;
        let Some(nodes) = &mut self.nodes else { return };
        let node = nodes.get_mut(id);
        if node.evict_at != Some(now) {
            return;
        }
        node.evict_at = None;
        node.is_evicted = true;
        let (pool, pods) = (node.pool, node.pods.len());
        let noun = if pods == 1 { "pod" } else { "pods" };
        let text = format!("{pods} {noun} of a lost node of pool {}", nodes.pools[pool.index()].name);
        self.mark("evicted", text);
        while let Some(slot) = self.pod_on(id, 0) {
            let terminating = self.pods.get(slot).stage == Stage::Terminating;
            if !terminating {
                self.delete_pod(slot);
            }
            if self.pod_on(id, 0) == Some(slot) {
                self.end_pod(slot);
            }
        }
    }

    /// Whoever is due is back.
    pub(super) fn on_back(&mut self) {
        let now = self.now;
        let Some(nodes) = &self.nodes else { return };
        for index in 0..nodes.all.len() as u32 {
            if self.nodes.as_ref().is_some_and(|nodes| {
                let node = nodes.get(NodeId(index));
                node.is_silent() && node.back_at.is_some_and(|at| at <= now)
            }) {
                self.revive(NodeId(index));
            }
        }
        self.look_at_zones();
    }

    fn revive(&mut self, id: NodeId) {
        let Some(nodes) = &mut self.nodes else { return };
        let node = nodes.get_mut(id);
        let was_unreachable = node.health == Health::Unreachable;
        node.health = Health::Up;
        (node.back_at, node.evict_at, node.is_evicted) = (None, None, false);
        let (pool, is_draining) = (node.pool, node.is_draining);
        nodes.pool_mut(pool).unreachable -= u32::from(was_unreachable);
        nodes.silent.retain(|other| *other != id);
        if !is_draining {
            nodes.placement.set_schedulable(id, true);
        }
        self.mark_nodes("repair", pool, "back");
        self.tell_speeds(id);
        if was_unreachable {
            self.each_pod_on(id, |cluster, slot| cluster.recount(slot, State::Unreachable, State::Starting));
        }
        self.each_pod_on(id, Self::revive_pod);
        self.pending.wake();
    }

    fn revive_pod(&mut self, slot: Slot) {
        match self.pods.get(slot).stage {
            Stage::Cut => {
                self.become_ready(slot);
                self.catch_up(slot);
            }
            Stage::Terminating => self.end_if_done(slot),
            Stage::Pulling | Stage::Starting | Stage::BackOff | Stage::Ready => self.catch_up(slot),
            Stage::Free | Stage::Pending => {}
        }
    }

    /// Does something to every pod of a node, which may take it from the node.
    pub(super) fn each_pod_on(&mut self, id: NodeId, what: impl Fn(&mut Self, Slot)) {
        let mut pods = std::mem::take(&mut self.walk);
        pods.clear();
        if let Some(nodes) = &self.nodes {
            pods.extend(nodes.get(id).pods.iter().map(|slot| self.pods.id(*slot)));
        }
        for pod in &pods {
            if let Some(slot) = self.pods.find(*pod) {
                what(self, slot);
            }
        }
        self.walk = pods;
    }
}

/// The `count` of `candidates` with the least draws, in the order of `candidates`.
pub(super) fn drawn<T: Copy>(seed: u64, fault: u64, candidates: &[T], count: u32) -> Vec<T> {
    let luck = |index: u32| draw(seed, Stream::Fault, fault, index);
    let mut order: Vec<u32> = (0..candidates.len() as u32).collect();
    order.sort_by_key(|index| luck(*index));
    order.truncate(count as usize);
    order.sort_unstable();
    order.into_iter().map(|index| candidates[index as usize]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 0.55 × 100 is more than 55 in doubles; 55 / 100 is what 0.55 is read as.
    #[test]
    fn a_zone_is_unhealthy_from_its_share_on() {
        let lifecycle = LifecycleSpec::default();
        for nodes in (20..2_000).step_by(20) {
            let share = nodes * 11 / 20;
            assert_eq!(condition(nodes, share, &lifecycle), Condition::Partial, "{share} of {nodes}");
            assert_eq!(condition(nodes, share - 1, &lifecycle), Condition::Normal, "{share} of {nodes}");
        }
        assert_eq!((condition(2, 2, &lifecycle), condition(0, 0, &lifecycle)), (Condition::Full, Condition::Normal));
    }
}
