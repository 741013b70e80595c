//! The scheduler's queue: pods without a node, by template, each in the order in which the scheduler first saw them.
//!
//! The pod that was seen first goes first among those that fit. A template that finds no node is not asked about again until room
//! may have appeared; pods behind it go ahead, as in kube-scheduler, where a pod without a node leaves the active queue.
//!
//! # Deviations
//! 1. No back-off: whatever frees room has the waiting pods tried again at once.
//! 2. The scheduler takes no time beyond its latency, however many pods wait.

use std::collections::VecDeque;

use super::Cluster;
use super::event::Event;
use super::pods::{Slot, Stage, State};
use crate::cluster::placement::ShapeId;
use crate::ids::{NodeId, PodId};

#[derive(Clone, Debug, Default)]
struct Line {
    /// Number of the arrival, and who.
    pods: VecDeque<(u64, Slot)>,
    is_blocked: bool,
    /// Arrivals before this one are said to be unschedulable.
    told: u64,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Pending {
    lines: Vec<Line>,
    arrivals: u64,
    has_work: bool,
}

impl Pending {
    fn push(&mut self, shape: ShapeId, slot: Slot) {
        if self.lines.len() <= shape.index() {
            self.lines.resize(shape.index() + 1, Line::default());
        }
        self.lines[shape.index()].pods.push_back((self.arrivals, slot));
        self.arrivals += 1;
        self.has_work = true;
    }

    /// Room may have appeared.
    pub(super) fn wake(&mut self) {
        self.has_work = true;
        self.lines.iter_mut().for_each(|line| line.is_blocked = false);
    }

    pub(super) fn has_work(&self) -> bool {
        self.has_work
    }

    /// The template whose head came first, of those that may find a node.
    fn first(&self) -> Option<usize> {
        let heads = self.lines.iter().enumerate().filter(|(_, line)| !line.is_blocked);
        let arrivals = heads.filter_map(|(shape, line)| line.pods.front().map(|head| (head.0, shape)));
        arrivals.min().map(|(_, shape)| shape)
    }

    fn remove(&mut self, shape: ShapeId, slot: Slot) {
        if let Some(line) = self.lines.get_mut(shape.index())
            && let Some(place) = line.pods.iter().rposition(|(_, waiting)| *waiting == slot)
        {
            line.pods.remove(place);
        }
    }

    /// Those who wait, by template.
    pub(super) fn waiting(&self) -> impl Iterator<Item = (usize, impl Iterator<Item = Slot> + '_)> {
        self.lines.iter().enumerate().map(|(shape, line)| (shape, line.pods.iter().map(|(_, slot)| *slot)))
    }
}

impl Cluster {
    /// A new pod asks for a node.
    pub(super) fn offer(&mut self, slot: Slot) {
        if self.nodes.is_none() {
            self.begin_start(slot);
        } else if self.latency.micros() <= 0 || self.is_first_moment() {
            self.pending.push(self.pods.get(slot).template.shape, slot);
        } else {
            self.outbox.push((self.now + self.latency, Event::Schedule(self.pods.id(slot))));
        }
    }

    pub(super) fn on_schedule(&mut self, pod: PodId) {
        if let Some(slot) = self.pods.find(pod)
            && self.pods.get(slot).stage == Stage::Pending
        {
            self.pending.push(self.pods.get(slot).template.shape, slot);
        }
    }

    /// A pod is deleted before it has a node.
    pub(super) fn withdraw(&mut self, slot: Slot) {
        self.pending.remove(self.pods.get(slot).template.shape, slot);
    }

    /// Binds whatever fits, in order.
    pub(super) fn place_pending(&mut self) {
        self.pending.has_work = false;
        self.mark_blocked();
        while let Some(index) = self.pending.first() {
            let Some(head) = self.pending.lines[index].pods.front().map(|(_, slot)| *slot) else { return };
            let shape = self.pods.get(head).template.shape;
            let best = self.nodes.as_mut().and_then(|nodes| nodes.placement.best(shape));
            if let Some(node) = best {
                self.pending.lines[index].pods.pop_front();
                self.bind(head, node);
            } else {
                self.pending.lines[index].is_blocked = true;
                self.mark_unschedulable(index, shape);
            }
        }
    }

    /// New pods behind others of their template that find no node.
    fn mark_blocked(&mut self) {
        for index in 0..self.pending.lines.len() {
            let line = &self.pending.lines[index];
            if let Some((arrival, slot)) = line.pods.back().copied()
                && line.is_blocked
                && arrival >= line.told
            {
                self.mark_unschedulable(index, self.pods.get(slot).template.shape);
            }
        }
    }

    fn bind(&mut self, slot: Slot, node: NodeId) {
        self.join_node(slot, node);
        self.begin_start(slot);
        self.calm(self.pods.get(slot).owner);
    }

    /// None of its pods waits for a node: the next one that finds none is worth a mark again.
    pub(super) fn calm(&mut self, owner: u32) {
        let owned = &mut self.owners[owner as usize];
        owned.is_unschedulable &= owned.tally.count(State::Pending) > 0;
    }

    /// Says once for each owner that one of its pods finds no node, until all of them have found one.
    fn mark_unschedulable(&mut self, line: usize, shape: ShapeId) {
        let arrivals = self.pending.arrivals;
        let told = std::mem::replace(&mut self.pending.lines[line].told, arrivals);
        let fresh = self.pending.lines[line].pods.partition_point(|(arrival, _)| *arrival < told);
        for place in fresh..self.pending.lines[line].pods.len() {
            let owner = self.pods.get(self.pending.lines[line].pods[place].1).owner as usize;
            if !self.owners[owner].is_unschedulable {
                self.owners[owner].is_unschedulable = true;
                let text = format!("{}: {}", self.owners[owner].name, self.why_not(shape));
                self.mark("unschedulable", text);
            }
        }
    }

    pub(super) fn why_not(&self, shape: ShapeId) -> String {
        self.nodes.as_ref().map_or_else(String::new, |nodes| nodes.placement.why_not(shape).message(&nodes.resources))
    }
}
