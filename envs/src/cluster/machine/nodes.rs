//! Nodes and their pools: who is on a node, how fast it is, which images it has.
//!
//! Invariants: a node's pods are those that the placement has bound to it; a node that is gone has none.

use std::collections::VecDeque;

use seatrial_core::rand::{Stream, uniform};
use seatrial_core::time::{Span, Timestamp};

use super::Cluster;
use super::autoscaler::Autoscaler;
use super::event::PoolId;
use super::lifecycle::Zone;
use super::pods::Slot;
use crate::cluster::change::Change;
use crate::cluster::placement::Placement;
use crate::cluster::scheduler::node::Node as Room;
use crate::cluster::scheduler::resources::ResourceNames;
use crate::ids::NodeId;
use crate::spec::Sampler;
use crate::spec::nodes::LifecycleSpec;

/// What is known of a node, and what is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Health {
    /// It answers.
    Up,
    /// It fell silent then, and nobody knows.
    Silent(Timestamp),
    /// It is silent, and known to be.
    Unreachable,
    /// It is no more.
    Gone,
}

/// An image on a node, or on its way to it.
#[derive(Clone, Copy, Debug)]
struct Image {
    owner: u32,
    revision: u32,
    there_at: Timestamp,
}

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) pool: PoolId,
    pub(super) health: Health,
    pub(super) pods: Vec<Slot>,
    /// As drawn.
    speed: f64,
    images: Vec<Image>,
    /// The last pull ends then.
    pulls_until: Timestamp,
    /// A silent node answers again then; `None`: never.
    pub(super) back_at: Option<Timestamp>,
    /// It is tainted, and its pods are evicted then.
    pub(super) evict_at: Option<Timestamp>,
    pub(super) is_evicted: bool,
    /// The cluster autoscaler empties it.
    pub(super) is_draining: bool,
    pub(super) unneeded_since: Option<Timestamp>,
}

#[derive(Clone, Debug)]
pub(super) struct Pool {
    pub(super) name: String,
    pub(super) min: u32,
    pub(super) max: u32,
    /// An empty node; `None` where the nodes are those of a record.
    pub(super) template: Option<Room>,
    pub(super) provision_s: Sampler,
    pub(super) speed: Sampler,
    pub(super) pull_mib_per_s: Option<f64>,
    pub(super) provisioning: u32,
    /// Those that are not gone, in order of their arrival.
    pub(super) nodes: Vec<NodeId>,
    pub(super) unreachable: u32,
    pub(super) zone: Zone,
}

/// All nodes, and who places, watches and orders them.
#[derive(Clone, Debug)]
pub(super) struct Nodes {
    pub(super) seed: u64,
    pub(super) placement: Placement,
    pub(super) resources: ResourceNames,
    pub(super) all: Vec<Node>,
    pub(super) pools: Vec<Pool>,
    /// Nodes ever ordered.
    pub(super) ordered: u32,
    pub(super) lifecycle: LifecycleSpec,
    pub(super) all_disrupted: bool,
    pub(super) autoscaler: Option<Autoscaler>,
    /// Silent and not yet unreachable, in the order in which they fell silent.
    pub(super) silent: VecDeque<NodeId>,
}

impl Node {
    pub(super) fn is_silent(&self) -> bool {
        matches!(self.health, Health::Silent(_) | Health::Unreachable)
    }
}

impl Nodes {
    pub(super) fn get(&self, id: NodeId) -> &Node {
        &self.all[id.index()]
    }

    pub(super) fn get_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.all[id.index()]
    }

    pub(super) fn pool_mut(&mut self, id: PoolId) -> &mut Pool {
        &mut self.pools[id.index()]
    }

    /// A node that takes pods from now on; `ordinal` is the address of its draws.
    pub(super) fn add(&mut self, pool: PoolId, room: Room, ordinal: u32, now: Timestamp) {
        let id = self.placement.add_node(room);
        let home = &mut self.pools[pool.index()];
        home.nodes.push(id);
        let speed = home.speed.at(uniform(self.seed, Stream::NodeSpeed, u64::from(ordinal), 0)).max(0.0);
        self.all.push(Node {
            pool,
            health: Health::Up,
            pods: Vec::new(),
            speed,
            images: Vec::new(),
            pulls_until: now,
            back_at: None,
            evict_at: None,
            is_evicted: false,
            is_draining: false,
            unneeded_since: None,
        });
    }

    /// The number of a node that is ordered now.
    pub(super) fn order(&mut self) -> u32 {
        self.ordered += 1;
        self.ordered - 1
    }
}

impl Cluster {
    pub(super) fn is_silent(&self, node: Option<NodeId>) -> bool {
        match (&self.nodes, node) {
            (Some(nodes), Some(node)) => nodes.get(node).is_silent(),
            _ => false,
        }
    }

    /// Whether a node is known to be silent.
    pub(super) fn is_unreachable(&self, node: Option<NodeId>) -> bool {
        match (&self.nodes, node) {
            (Some(nodes), Some(node)) => nodes.get(node).health == Health::Unreachable,
            _ => false,
        }
    }

    pub(super) fn join_node(&mut self, slot: Slot, node: NodeId) {
        let Some(nodes) = &mut self.nodes else { return };
        let pod = self.pods.get_mut(slot);
        nodes.placement.bind(pod.template.shape, node);
        let pods = &mut nodes.get_mut(node).pods;
        (pod.node, pod.at_node) = (Some(node), pods.len() as u32);
        pods.push(slot);
    }

    /// Gives the room of a pod back.
    pub(super) fn leave_node(&mut self, slot: Slot) {
        let (Some(nodes), Some(node)) = (&mut self.nodes, self.pods.get(slot).node) else { return };
        let pod = self.pods.get_mut(slot);
        nodes.placement.unbind(pod.template.shape, node);
        pod.node = None;
        let (place, owner) = (pod.at_node, pod.owner);
        let pods = &mut nodes.get_mut(node).pods;
        pods.swap_remove(place as usize);
        if let Some(moved) = pods.get(place as usize).copied() {
            self.pods.get_mut(moved).at_node = place;
        }
        if self.owners[owner as usize].life.slows_neighbours > 0.0 {
            self.tell_speeds(node);
        }
    }

    /// How fast a node is for its pods, with what neighbours cost.
    fn speed_of(&self, node: &Node) -> f64 {
        if node.is_silent() {
            return 0.0;
        }
        let noise = node.pods.iter().map(|slot| {
            let pod = self.pods.get(*slot);
            let slows = self.owners[pod.owner as usize].life.slows_neighbours;
            if pod.running { 1.0 - slows } else { 1.0 }
        });
        noise.fold(node.speed, |speed, left| speed * left)
    }

    pub(super) fn tell_speed(&mut self, slot: Slot) {
        if self.owners[self.pods.get(slot).owner as usize].service.is_none() {
            return;
        }
        let on_node = match (&self.nodes, self.pods.get(slot).node) {
            (Some(nodes), Some(node)) => self.speed_of(nodes.get(node)),
            _ => 1.0,
        };
        self.set_speed(slot, on_node);
    }

    fn set_speed(&mut self, slot: Slot, on_node: f64) {
        let pod = self.pods.get(slot);
        let owned = &self.owners[pod.owner as usize];
        let speed = on_node * owned.speed;
        if pod.running && owned.service.is_some() && pod.speed != speed {
            self.pods.get_mut(slot).speed = speed;
            self.tell(slot, Change::Speed(speed));
        }
    }

    /// The speed of a node changed.
    pub(super) fn tell_speeds(&mut self, node: NodeId) {
        let Some(nodes) = &self.nodes else { return };
        let on_node = self.speed_of(nodes.get(node));
        for place in 0..nodes.get(node).pods.len() {
            if let Some(slot) = self.pod_on(node, place) {
                self.set_speed(slot, on_node);
            }
        }
    }

    /// The pod at a place of a node's list.
    pub(super) fn pod_on(&self, node: NodeId, place: usize) -> Option<Slot> {
        self.nodes.as_ref().and_then(|nodes| nodes.get(node).pods.get(place).copied())
    }

    /// A pod runs; if it is a noisy one, its neighbours notice.
    pub(super) fn on_container(&mut self, slot: Slot) {
        let pod = self.pods.get(slot);
        if self.owners[pod.owner as usize].life.slows_neighbours > 0.0
            && let Some(node) = pod.node
        {
            self.tell_speeds(node);
        } else {
            self.tell_speed(slot);
        }
    }

    /// When the image of a pod is on its node; orders it if nobody has.
    pub(super) fn image_there_at(&mut self, slot: Slot) -> Timestamp {
        let now = self.now;
        let pod = self.pods.get(slot);
        let image_mib = self.owners[pod.owner as usize].life.image_mib;
        let (Some(nodes), Some(id)) = (&mut self.nodes, pod.node) else { return now };
        let rate = nodes.pools[nodes.get(id).pool.index()].pull_mib_per_s;
        let node = nodes.get_mut(id);
        if let Some(image) = node.image(pod.owner, pod.revision) {
            return image.there_at;
        }
        let takes = rate.map_or(Span::ZERO, |rate| Span::from_secs_f64(image_mib / rate).max(Span::ZERO));
        if takes == Span::ZERO {
            return now;
        }
        node.pulls_until = node.pulls_until.max(now) + takes;
        node.images.push(Image { owner: pod.owner, revision: pod.revision, there_at: node.pulls_until });
        node.pulls_until
    }

    /// The image of a pod is on its node, where one is needed at all.
    pub(super) fn note_image(&mut self, slot: Slot) {
        let now = self.now;
        let pod = self.pods.get(slot);
        let is_needed = self.owners[pod.owner as usize].life.image_mib > 0.0;
        if let (true, Some(nodes), Some(id)) = (is_needed, &mut self.nodes, pod.node) {
            let node = nodes.get_mut(id);
            if node.image(pod.owner, pod.revision).is_none() {
                node.images.push(Image { owner: pod.owner, revision: pod.revision, there_at: now });
            }
        }
    }

    /// A node that was ordered takes pods.
    pub(super) fn on_arrive(&mut self, pool: PoolId, ordinal: u32) {
        let now = self.now;
        let Some(nodes) = &mut self.nodes else { return };
        let Some(room) = nodes.pools[pool.index()].template else { return };
        nodes.pool_mut(pool).provisioning -= 1;
        nodes.add(pool, room, ordinal, now);
        if let Some(autoscaler) = &mut nodes.autoscaler {
            autoscaler.last_added = Some(now);
        }
        self.mark_nodes("node-added", pool, "added");
        self.pending.wake();
        self.look_at_zones();
    }

    /// The last pod of a node that is being emptied is gone.
    pub(super) fn remove_if_drained(&mut self, id: NodeId) {
        let Some(nodes) = &mut self.nodes else { return };
        let node = nodes.get_mut(id);
        if !node.is_draining || node.health == Health::Gone || !node.pods.is_empty() {
            return;
        }
        let was_unreachable = node.health == Health::Unreachable;
        node.health = Health::Gone;
        let pool = node.pool;
        nodes.placement.remove_node(id);
        nodes.silent.retain(|other| *other != id);
        let home = nodes.pool_mut(pool);
        home.nodes.retain(|other| *other != id);
        home.unreachable -= u32::from(was_unreachable);
        self.mark_nodes("node-removed", pool, "removed");
        self.look_at_zones();
    }
}

impl Node {
    fn image(&self, owner: u32, revision: u32) -> Option<Image> {
        self.images.iter().copied().find(|image| (image.owner, image.revision) == (owner, revision))
    }
}
