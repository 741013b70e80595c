//! From the deletion to the end of a pod.
//!
//! # Deviations
//! 1. A deleted pod whose node is silent ends with its grace; Kubernetes keeps it until the node answers or is removed.

use super::Cluster;
use super::event::Event;
use super::pods::{Slot, Stage};
use crate::cluster::change::Change;
use crate::ids::PodId;

impl Cluster {
    /// Deletes a pod: out of the endpoints at once; the container ends after its preStop hook and its last request, at the
    /// latest with its grace. A pod without a container has nothing to wait for.
    pub(super) fn delete_pod(&mut self, slot: Slot) {
        let now = self.now;
        let before = self.pods.get(slot).stage;
        if before == Stage::Pending {
            self.withdraw(slot);
        }
        self.leave_set(slot);
        self.leave_endpoints(slot, Stage::Terminating);
        let pod = self.pods.get_mut(slot);
        pod.deleted = now;
        let is_silent = self.is_silent(self.pods.get(slot).node);
        if before == Stage::Pending || !self.pods.get(slot).running && !is_silent {
            self.end_pod(slot);
        } else {
            self.await_end(slot);
        }
    }

    fn await_end(&mut self, slot: Slot) {
        let pod = self.pods.get(slot);
        let life = &self.owners[pod.owner as usize].life;
        let (pre_stop, grace, id) = (life.pre_stop, life.grace, self.pods.id(slot));
        if self.may_end(slot) {
            self.end_pod(slot);
            return;
        }
        if pre_stop.micros() > 0 && pre_stop < grace {
            self.outbox.push((self.now + pre_stop, Event::PreStopOver(id)));
        }
        self.outbox.push((self.now + grace, Event::GraceOver(id)));
    }

    /// Whether a deleted pod is empty, its hook done, and its kubelet there to see it.
    fn may_end(&self, slot: Slot) -> bool {
        let pod = self.pods.get(slot);
        let life = &self.owners[pod.owner as usize].life;
        let elapsed = self.now - pod.deleted;
        let is_done = !pod.running || pod.drained && elapsed >= life.pre_stop || elapsed >= life.grace;
        is_done && !self.is_silent(pod.node)
    }

    pub(super) fn on_pre_stop_over(&mut self, pod: PodId) {
        if let Some(slot) = self.pods.find(pod) {
            self.end_if_done(slot);
        }
    }

    /// The hook is over, or the last request, or the node is back.
    pub(super) fn end_if_done(&mut self, slot: Slot) {
        if self.pods.get(slot).stage == Stage::Terminating && self.may_end(slot) {
            self.end_pod(slot);
        }
    }

    pub(super) fn on_drained(&mut self, pod: PodId) {
        let Some(slot) = self.pods.find(pod) else { return };
        let pod = self.pods.get_mut(slot);
        if pod.stage != Stage::Ready {
            pod.drained = true;
            self.end_if_done(slot);
        }
    }

    /// The grace is over, on a silent node too.
    pub(super) fn on_grace_over(&mut self, pod: PodId) {
        if let Some(slot) = self.pods.find(pod)
            && self.pods.get(slot).stage == Stage::Terminating
        {
            self.end_pod(slot);
        }
    }

    /// A deleted pod is gone, and its room is free.
    pub(super) fn end_pod(&mut self, slot: Slot) {
        if self.pods.get(slot).running {
            self.pods.get_mut(slot).running = false;
            self.tell(slot, Change::Stopped);
        }
        let node = self.pods.get(slot).node;
        self.leave_node(slot);
        self.leave_owner(slot);
        let template = self.pods.get(slot).template;
        self.quota.give_back(&template);
        let owner = self.pods.get(slot).owner;
        self.set_stage(slot, Stage::Free);
        self.pods.remove(slot);
        self.calm(owner);
        if self.quota.is_limited() {
            self.retry_refused();
        }
        if let Some(node) = node {
            self.pending.wake();
            self.remove_if_drained(node);
        }
    }

    fn leave_owner(&mut self, slot: Slot) {
        let pod = self.pods.get(slot);
        let place = pod.at_owner;
        let pods = &mut self.owners[pod.owner as usize].pods;
        pods.swap_remove(place as usize);
        if let Some(moved) = pods.get(place as usize).copied() {
            self.pods.get_mut(moved).at_owner = place;
        }
    }
}
