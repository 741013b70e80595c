//! The cluster as a state machine: Deployments, pods, nodes, and who moves them.
//!
//! It is told what is wanted (replicas, rollouts), what happened to pods elsewhere (drained, out of memory) and what goes wrong
//! (faults), schedules its own [`Event`]s, and speaks through [`PodChange`]s, which are drained after every call, and marks.
//!
//! | room | what |
//! |---|---|
//! | `build` | out of a scenario |
//! | `replicas` | Deployments and `ReplicaSet`s: which pods are created and deleted |
//! | `pending` | the scheduler's queue |
//! | `start` | image, container, readiness, restarts |
//! | `termination` | from the deletion to the end |
//! | `nodes` | who is on which node, speeds, images |
//! | `lifecycle` | silent nodes, taints, evictions |
//! | `autoscaler` | nodes ordered and removed |
//! | `quota` | what all pods together may ask for |
//! | `filler` | pods that only take room |
//! | `tally`, `view` | counts and pod-seconds |
//! | `check` | the invariants |
//!
//! Invariants: whatever happens in a moment has settled when a call returns: Deployments have nothing to write and no pod that waits for a
//! node fits on one. Draws are those of pod and node ordinals (streams `PodStartUp`, `NodeProvision`, `NodeSpeed`, `Fault`), so
//! scaling one service shifts no draw of another.
//!
//! # Deviations
//! 1. Controllers and kubelets act in the moment in which their reason appears; there is no API server between them.
//! 2. The pods of the first moment have been ready for a day. Where they find no node they are pending, as any other.

mod autoscaler;
mod build;
mod check;
mod event;
mod filler;
mod lifecycle;
mod nodes;
mod owner;
mod pending;
mod pods;
mod quota;
mod replicas;
mod start;
mod tally;
mod termination;
mod view;

use std::collections::VecDeque;
use std::vec::Drain;

use seatrial_core::record::timeline::Mark;
use seatrial_core::time::{Span, Timestamp};

pub use build::ClusterError;
pub use event::{Event, PoolId, WorkloadId};
pub(crate) use start::probed;
pub use view::{Churn, PodSeconds, PoolCounts, ServiceCounts, Shortage};

use self::filler::Filler;
use self::nodes::Nodes;
use self::owner::Owner;
use self::pending::Pending;
use self::pods::{Pods, Stage};
use self::quota::Quota;
use self::replicas::Desk;
use super::change::PodChange;
use crate::events::{EventQueue, PastEvent};
use crate::ids::{PodId, ServiceId};

/// How long the pods of the first moment have been ready.
const OLD: Span = Span::from_secs(86_400);

/// Whether the pods of the first moment are being made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FirstPods {
    AreMade,
    Stand,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Cluster {
    seed: u64,
    now: Timestamp,
    pods: Pods,
    /// Services by id, then workloads by id.
    owners: Vec<Owner>,
    services: usize,
    fillers: Vec<Filler>,
    rollouts: Vec<(Timestamp, ServiceId)>,
    /// `None`: every pod finds room at once, and there are no nodes.
    nodes: Option<Nodes>,
    latency: Span,
    pending: Pending,
    quota: Quota,
    first_pods: FirstPods,
    /// Faults so far: the address of their draws.
    faults: u64,
    /// Deployments that wait for a sync.
    dirty: VecDeque<u32>,
    desk: Desk,
    walk: Vec<PodId>,
    /// What is to be scheduled when the call returns.
    outbox: Vec<(Timestamp, Event)>,
    changes: Vec<PodChange>,
    marks: Vec<Mark>,
    /// What the last mark is about, if nodes, and how many.
    last_nodes_mark: Option<(Timestamp, &'static str, PoolId, u32)>,
}

impl Cluster {
    /// The first moment: pods of the first moment are `Started` and `Ready`, later events are scheduled (rollouts of the spec too).
    ///
    /// # Errors
    /// [`PastEvent`]: the queue's present is after the cluster's start.
    pub fn start<E: Copy + From<Event>>(&mut self, queue: &mut EventQueue<E>) -> Result<(), PastEvent> {
        self.now = queue.now();
        self.make_first_pods();
        self.act(queue, Self::schedule_first_events)
    }

    /// Handles one of its events.
    ///
    /// # Errors
    /// [`PastEvent`]: a mistake in the model.
    pub fn handle<E: Copy + From<Event>>(&mut self, event: Event, queue: &mut EventQueue<E>) -> Result<(), PastEvent> {
        self.act(queue, |cluster| cluster.on_event(event))
    }

    /// Asks for a number of replicas.
    ///
    /// # Errors
    /// [`PastEvent`]: a mistake in the model.
    pub fn scale<E: Copy + From<Event>>(
        &mut self,
        service: ServiceId,
        replicas: u32,
        queue: &mut EventQueue<E>,
    ) -> Result<(), PastEvent> {
        self.act(queue, |cluster| cluster.set_replicas(u32::from(service.0), replicas))
    }

    /// Rolls out a new revision of a service.
    ///
    /// # Errors
    /// [`PastEvent`]: a mistake in the model.
    pub fn rollout<E: Copy + From<Event>>(
        &mut self,
        service: ServiceId,
        queue: &mut EventQueue<E>,
    ) -> Result<(), PastEvent> {
        self.act(queue, |cluster| cluster.begin_rollout(u32::from(service.0)))
    }

    /// A pod that left the endpoints has no requests any more.
    ///
    /// # Errors
    /// [`PastEvent`]: a mistake in the model.
    pub fn pod_drained<E: Copy + From<Event>>(
        &mut self,
        pod: PodId,
        queue: &mut EventQueue<E>,
    ) -> Result<(), PastEvent> {
        self.act(queue, |cluster| cluster.on_drained(pod))
    }

    /// A pod uses more memory than its limit: its container is killed and starts again.
    ///
    /// # Errors
    /// [`PastEvent`]: a mistake in the model.
    pub fn pod_out_of_memory<E: Copy + From<Event>>(
        &mut self,
        pod: PodId,
        queue: &mut EventQueue<E>,
    ) -> Result<(), PastEvent> {
        self.act(queue, |cluster| cluster.on_out_of_memory(pod))
    }

    /// Fault: drawn nodes of a pool fall silent, and come back after `back_after`, or never.
    ///
    /// # Errors
    /// [`PastEvent`]: a mistake in the model.
    pub fn lose_nodes<E: Copy + From<Event>>(
        &mut self,
        pool: PoolId,
        nodes: u32,
        back_after: Option<Span>,
        queue: &mut EventQueue<E>,
    ) -> Result<(), PastEvent> {
        self.act(queue, |cluster| cluster.silence(pool, nodes, back_after))
    }

    /// Fault: the containers of drawn ready pods are killed and start again.
    ///
    /// # Errors
    /// [`PastEvent`]: a mistake in the model.
    pub fn kill_pods<E: Copy + From<Event>>(
        &mut self,
        service: ServiceId,
        pods: u32,
        queue: &mut EventQueue<E>,
    ) -> Result<(), PastEvent> {
        self.act(queue, |cluster| cluster.kill(service, pods))
    }

    /// Fault: all pods of a service run at this speed, until they are told to run at another; 1 ends it.
    pub fn slow(&mut self, service: ServiceId, speed: f64) {
        let owner = service.index();
        self.owners[owner].speed = speed;
        for place in 0..self.owners[owner].pods.len() {
            self.tell_speed(self.owners[owner].pods[place]);
        }
    }

    /// What pods did since this was last asked, in order. To be drained after every call that can move pods.
    pub fn changes(&mut self) -> Drain<'_, PodChange> {
        self.changes.drain(..)
    }

    /// Moments worth a mark since this was last asked.
    pub fn marks(&mut self) -> Drain<'_, Mark> {
        self.marks.drain(..)
    }

    /// Does something at the queue's present, lets everybody react, and schedules what follows.
    fn act<E: Copy + From<Event>>(
        &mut self,
        queue: &mut EventQueue<E>,
        what: impl FnOnce(&mut Self),
    ) -> Result<(), PastEvent> {
        self.now = queue.now();
        what(self);
        self.settle();
        let mut outbox = std::mem::take(&mut self.outbox);
        let pushed = outbox.drain(..).try_for_each(|(at, event)| queue.push(at, event.into()));
        self.outbox = outbox;
        pushed
    }

    /// Controllers and scheduler, until nothing is left to do in this moment.
    fn settle(&mut self) {
        loop {
            if let Some(owner) = self.dirty.pop_front() {
                self.reconcile(owner);
            } else if self.pending.has_work() {
                self.place_pending();
            } else {
                return;
            }
        }
    }

    /// Workloads first: they have been there all the time.
    fn make_first_pods(&mut self) {
        self.first_pods = FirstPods::AreMade;
        let now = self.now;
        for owner in (self.services..self.owners.len()).chain(0..self.services) {
            if self.owners[owner].record.is_none() {
                self.owners[owner].add_set(now);
            }
            self.reconcile(owner as u32);
        }
        self.settle();
        self.first_pods = FirstPods::Stand;
        for pod in &mut self.pods.slots {
            pod.of_first_moment &= pod.stage != Stage::Pending;
        }
    }

    fn schedule_first_events(&mut self) {
        let start = self.now;
        self.outbox.extend(self.rollouts.iter().map(|(at, service)| (*at, Event::Rollout(*service))));
        for (index, filler) in self.fillers.iter().enumerate() {
            let workload = WorkloadId(index as u16);
            let appears = (filler.from > Span::ZERO).then_some((start + filler.from, Event::Appear(workload)));
            let vanishes = filler.until.map(|until| (start + until, Event::Vanish(workload)));
            self.outbox.extend(appears.into_iter().chain(vanishes));
        }
        if self.nodes.as_ref().is_some_and(|nodes| nodes.autoscaler.is_some()) {
            self.outbox.push((start, Event::Scan));
        }
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Schedule(pod) => self.on_schedule(pod),
            Event::Pulled(pod) => self.on_step(pod, Stage::Pulling),
            Event::Ready(pod) => self.on_step(pod, Stage::Starting),
            Event::Restart(pod) => self.on_step(pod, Stage::BackOff),
            Event::Available(pod) => self.on_available(pod),
            Event::PreStopOver(pod) => self.on_pre_stop_over(pod),
            Event::GraceOver(pod) => self.on_grace_over(pod),
            Event::LifeOver(pod) => self.on_step(pod, Stage::Ready),
            Event::Rollout(service) => self.begin_rollout(u32::from(service.0)),
            Event::Appear(workload) => self.on_appear(workload),
            Event::Vanish(workload) => self.on_vanish(workload),
            Event::Unreachable => self.on_unreachable(),
            Event::Back => self.on_back(),
            Event::Taint(pool) => self.taint_next(pool),
            Event::Evict(node) => self.on_evict(node),
            Event::Arrive { pool, ordinal } => self.on_arrive(pool, ordinal),
            Event::Scan => self.on_scan(),
        }
    }

    fn mark(&mut self, kind: &str, text: String) {
        self.last_nodes_mark = None;
        self.marks.push(Mark { at: self.now, kind: kind.to_owned(), text });
    }

    /// Nodes of a pool of which the same is to be said at one moment share a mark.
    fn mark_nodes(&mut self, kind: &'static str, pool: PoolId, what: &str) {
        let (now, last) = (self.now, self.last_nodes_mark);
        let same = last.filter(|(at, of, whose, _)| (*at, *of, *whose) == (now, kind, pool));
        let same = same.filter(|_| self.marks.pop().is_some());
        let count = same.map_or(1, |(.., count)| count + 1);
        let name = self.nodes.as_ref().map_or("", |nodes| nodes.pools[pool.index()].name.as_str());
        let text = format!("pool {name}: {count} node{} {what}", if count == 1 { "" } else { "s" });
        self.mark(kind, text);
        self.last_nodes_mark = Some((now, kind, pool, count));
    }
}

#[cfg(test)]
mod tests;
