//! From a node to the endpoints: image, container, readiness; and again, when the container ended.
//!
//! A pod's next step is due at [`Pod::due`](super::pods::Pod::due). A step that falls due while its node is silent is not taken; it is
//! taken when the node is back.
//!
//! Source of the back-off: `doBackOff` of kubelet and `client-go/util/flowcontrol/backoff.go` (Kubernetes 1.34): the first restart is
//! prompt, the next one waits 10 s, then twice as long each, up to 5 min; after more than 10 min it begins anew.

use seatrial_core::rand::{Stream, uniform};
use seatrial_core::time::{Span, Timestamp};

use super::event::Event;
use super::lifecycle::drawn;
use super::pods::{Slot, Stage, State};
use super::{Cluster, FirstPods, OLD};
use crate::cluster::change::Change;
use crate::ids::{PodId, ServiceId};

const FIRST_BACK_OFF: Span = Span::from_secs(10);
const LONGEST_BACK_OFF: Span = Span::from_secs(300);
/// Twice the longest one.
const BACK_OFF_FORGOTTEN: Span = Span::from_secs(600);

impl Cluster {
    pub(super) fn set_stage(&mut self, slot: Slot, stage: Stage) {
        let before = self.state_of(slot);
        self.pods.get_mut(slot).stage = stage;
        self.shift(slot, before, self.state_of(slot));
    }

    /// What a pod counts as; `None` where there is none.
    pub(super) fn state_of(&self, slot: Slot) -> Option<State> {
        let pod = self.pods.get(slot);
        match pod.stage.state() {
            Some(State::Starting) if self.is_unreachable(pod.node) => Some(State::Unreachable),
            state => state,
        }
    }

    fn shift(&mut self, slot: Slot, from: Option<State>, to: Option<State>) {
        self.owners[self.pods.get(slot).owner as usize].tally.shift(self.now, from, to);
    }

    /// The node of a pod became unreachable, or answers again: a pod that is not ready counts as something else.
    pub(super) fn recount(&mut self, slot: Slot, from: State, to: State) {
        if self.pods.get(slot).stage.state() == Some(State::Starting) {
            self.shift(slot, Some(from), Some(to));
        }
    }

    pub(super) fn tell(&mut self, slot: Slot, what: Change) {
        if let Some(service) = self.owners[self.pods.get(slot).owner as usize].service {
            self.changes.push(crate::cluster::change::PodChange { pod: self.pods.id(slot), service, what });
        }
    }

    /// A pod has its node.
    pub(super) fn begin_start(&mut self, slot: Slot) {
        let now = self.now;
        self.set_stage(slot, Stage::Pulling);
        let pod = self.pods.get_mut(slot);
        pod.started = Some(now);
        pod.turned = now;
        pod.due = now;
        if pod.of_first_moment {
            self.be_ready_for_long(slot);
        } else if !self.is_silent(self.pods.get(slot).node) {
            self.pull(slot);
        }
    }

    /// A pod of the first moment.
    fn be_ready_for_long(&mut self, slot: Slot) {
        let since = self.now - OLD;
        self.note_image(slot);
        let pod = self.pods.get_mut(slot);
        pod.was_ready = true;
        (pod.created, pod.started) = (since, Some(since));
        self.begin_container(slot);
        self.become_ready(slot);
        self.begin_life(slot);
        self.pods.get_mut(slot).turned = since;
    }

    /// Pulls the image where the node lacks it; the nodes' pulls go one after the other, and pods of one image wait for one.
    fn pull(&mut self, slot: Slot) {
        let there = self.image_there_at(slot);
        if there <= self.now {
            self.start_container(slot);
        } else {
            self.pods.get_mut(slot).due = there;
            self.outbox.push((there, Event::Pulled(self.pods.id(slot))));
        }
    }

    fn begin_container(&mut self, slot: Slot) {
        self.set_stage(slot, Stage::Starting);
        let pod = self.pods.get_mut(slot);
        (pod.running, pod.drained, pod.speed) = (true, true, 1.0);
        self.tell(slot, Change::Started);
        self.on_container(slot);
    }

    fn start_container(&mut self, slot: Slot) {
        self.begin_container(slot);
        let due = self.now + self.start_up(slot);
        self.pods.get_mut(slot).due = due;
        if due <= self.now {
            self.become_ready(slot);
        } else {
            self.outbox.push((due, Event::Ready(self.pods.id(slot))));
        }
    }

    /// From the container's start to the first probe that is answered; drawn for this start.
    pub(super) fn start_up(&self, slot: Slot) -> Span {
        let pod = self.pods.get(slot);
        let life = &self.owners[pod.owner as usize].life;
        let unit = uniform(self.seed, Stream::PodStartUp, pod.entity, pod.restarts);
        probed(Span::from_secs_f64(life.start_s.at(unit)).max(Span::ZERO), life.probe_period)
    }

    pub(super) fn become_ready(&mut self, slot: Slot) {
        self.set_stage(slot, Stage::Ready);
        let now = self.now;
        let pod = self.pods.get_mut(slot);
        (pod.turned, pod.drained) = (now, false);
        if !pod.was_ready {
            pod.was_ready = true;
            self.on_first_ready(slot);
        }
        self.tell(slot, Change::Ready);
        self.await_availability(slot);
    }

    fn on_first_ready(&mut self, slot: Slot) {
        let pod = self.pods.get(slot);
        let owned = &mut self.owners[pod.owner as usize];
        if owned.service.is_some() {
            owned.start_ups.push(self.now - pod.created);
        }
        self.begin_life(slot);
    }

    /// A recorded pod ends after as long as it did.
    fn begin_life(&mut self, slot: Slot) {
        if let Some(lifetime) = self.pods.get(slot).lifetime {
            let due = self.now + lifetime;
            self.pods.get_mut(slot).due = due;
            self.outbox.push((due, Event::LifeOver(self.pods.id(slot))));
        }
    }

    /// Out of the endpoints, into a stage in which it is not ready.
    pub(super) fn leave_endpoints(&mut self, slot: Slot, stage: Stage) {
        let was_ready = self.pods.get(slot).stage == Stage::Ready;
        self.set_stage(slot, stage);
        if was_ready {
            self.pods.get_mut(slot).turned = self.now;
            self.tell(slot, Change::Left);
            self.lose_availability(slot);
        }
    }

    pub(super) fn on_out_of_memory(&mut self, pod: PodId) {
        let Some(slot) = self.pods.find(pod) else { return };
        let text =
            format!("{}: a pod is beyond its memory limit", self.owners[self.pods.get(slot).owner as usize].name);
        if self.kill_container(slot) {
            self.mark("oom", text);
        }
    }

    /// Fault: drawn ready pods lose their container.
    pub(super) fn kill(&mut self, service: ServiceId, count: u32) {
        let fault = self.next_fault();
        let is_hit =
            |slot: &Slot| self.pods.get(*slot).stage == Stage::Ready && !self.is_silent(self.pods.get(*slot).node);
        let mut ready: Vec<Slot> = self.owners[service.index()].pods.iter().copied().filter(is_hit).collect();
        ready.sort_unstable_by_key(|slot| self.pods.get(*slot).sequence);
        for slot in drawn(self.seed, fault, &ready, count) {
            self.kill_container(slot);
        }
    }

    /// False where there is none that anybody could kill. The container of a deleted pod does not start again.
    fn kill_container(&mut self, slot: Slot) -> bool {
        let pod = self.pods.get(slot);
        let (is_there, stage) = (pod.running && !self.is_silent(pod.node), pod.stage);
        if is_there && stage == Stage::Terminating {
            self.end_pod(slot);
        } else if is_there {
            self.crash(slot);
        }
        is_there
    }

    /// The container ends by itself or by force, and starts again.
    fn crash(&mut self, slot: Slot) {
        let now = self.now;
        self.leave_endpoints(slot, Stage::BackOff);
        self.tell(slot, Change::Stopped);
        let pod = self.pods.get_mut(slot);
        (pod.running, pod.drained) = (false, true);
        pod.restarts += 1;
        if pod.back_off == Span::ZERO || now - pod.restarted > BACK_OFF_FORGOTTEN {
            pod.back_off = Span::ZERO;
            self.restart(slot);
        } else {
            pod.due = now + pod.back_off;
            let due = pod.due;
            self.outbox.push((due, Event::Restart(self.pods.id(slot))));
        }
    }

    fn restart(&mut self, slot: Slot) {
        let pod = self.pods.get_mut(slot);
        pod.restarted = self.now;
        pod.back_off = (pod.back_off * 2).max(FIRST_BACK_OFF).min(LONGEST_BACK_OFF);
        self.start_container(slot);
    }

    /// A step of a pod is due, if it still waits for it.
    pub(super) fn on_step(&mut self, pod: PodId, of: Stage) {
        let Some(slot) = self.pods.find(pod) else { return };
        let pod = self.pods.get(slot);
        if pod.stage == of && pod.due == self.now && !self.is_silent(pod.node) {
            self.take_step(slot);
        }
    }

    /// Steps that fell due while the node was silent.
    pub(super) fn catch_up(&mut self, slot: Slot) {
        if self.pods.get(slot).due <= self.now {
            self.take_step(slot);
        }
    }

    fn take_step(&mut self, slot: Slot) {
        match self.pods.get(slot).stage {
            Stage::Pulling => self.pull(slot),
            Stage::Starting => self.become_ready(slot),
            Stage::BackOff => self.restart(slot),
            Stage::Ready if self.pods.get(slot).lifetime.is_some() => self.delete_pod(slot),
            Stage::Ready | Stage::Cut | Stage::Free | Stage::Pending | Stage::Terminating => {}
        }
    }

    /// What a start under way still takes.
    pub(super) fn unfinished_start(&self, slot: Slot, now: Timestamp) -> Span {
        let pod = self.pods.get(slot);
        let left = (pod.due - now).max(Span::ZERO);
        match pod.stage {
            Stage::Pending => self.start_up(slot),
            Stage::Pulling | Stage::BackOff => left + self.start_up(slot),
            Stage::Starting => left,
            Stage::Ready | Stage::Cut | Stage::Free | Stage::Terminating => Span::ZERO,
        }
    }

    pub(super) fn is_first_moment(&self) -> bool {
        self.first_pods == FirstPods::AreMade
    }
}

/// From a container's start to ready, if it can answer after `answers`: the first probe in every `period` that is not before.
pub(crate) fn probed(answers: Span, period: Span) -> Span {
    if period.micros() <= 0 { answers } else { period * -(-answers).whole_steps(period) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_come_at_multiples_of_their_period() {
        let seconds = |span: i64, period: i64| probed(Span::from_secs(span), Span::from_secs(period));
        assert_eq!(
            [seconds(0, 10), seconds(1, 10), seconds(10, 10), seconds(11, 10)],
            [0, 10, 10, 20].map(Span::from_secs)
        );
        assert_eq!(seconds(7, 0), Span::from_secs(7));
    }
}
