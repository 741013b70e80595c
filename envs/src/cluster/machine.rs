//! The cluster as a state machine: Deployments, pods, nodes, and who moves them.

mod event;
mod view;

use std::vec::Drain;

use seatrial_core::observe;
use seatrial_core::record::timeline::Mark;
use seatrial_core::time::{Span, Timestamp};
use thiserror::Error;

pub use event::{Event, PoolId, WorkloadId};
pub use view::{Churn, PodSeconds, PoolCounts, ServiceCounts};

use super::change::PodChange;
use crate::events::{EventQueue, PastEvent};
use crate::ids::{NodeId, PodId, ServiceId};
use crate::scenario::Scenario;
use crate::spec::{Inputs, ScenarioSpec};

/// Why a cluster cannot be built.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ClusterError {
    /// A trace that is named was not read.
    #[error(
        "scenario: `{key}` names the trace {trace:?}, which was not read; read it into the inputs, or correct the id"
    )]
    MissingInput {
        /// The key.
        key: String,
        /// The trace.
        trace: String,
    },
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Cluster {
    changes: Vec<PodChange>,
    marks: Vec<Mark>,
}

impl Cluster {
    /// The cluster of a scenario at its first moment; `start` brings it to life.
    ///
    /// # Errors
    /// A trace that the scenario names is not among `inputs`.
    pub fn new(spec: &ScenarioSpec, inputs: &Inputs, start: Timestamp, seed: u64) -> Result<Self, ClusterError> {
        let _ = (spec, inputs, start, seed);
        todo!()
    }

    /// One service without nodes, exactly as protocol P1 has it. `rounded`: start-ups take whole physics steps of the scenario.
    #[must_use]
    pub fn protocol_p1(scenario: &Scenario, start: Timestamp, seed: u64, initial: u32, rounded: bool) -> Self {
        let _ = (scenario, start, seed, initial, rounded);
        todo!()
    }

    /// The first moment: pods of the first moment are `Started` and `Ready`, later events are scheduled (rollouts of the spec too).
    ///
    /// # Errors
    /// [`PastEvent`]: the queue's present is after the cluster's start.
    pub fn start<E: Copy + From<Event>>(&mut self, queue: &mut EventQueue<E>) -> Result<(), PastEvent> {
        let _ = queue;
        todo!()
    }

    /// Handles one of its events.
    ///
    /// # Errors
    /// [`PastEvent`]: a mistake in the model.
    pub fn handle<E: Copy + From<Event>>(&mut self, event: Event, queue: &mut EventQueue<E>) -> Result<(), PastEvent> {
        let _ = (event, queue);
        todo!()
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
        let _ = (service, replicas, queue);
        todo!()
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
        let _ = (service, queue);
        todo!()
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
        let _ = (pod, queue);
        todo!()
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
        let _ = (pod, queue);
        todo!()
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
        let _ = (pool, nodes, back_after, queue);
        todo!()
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
        let _ = (service, pods, queue);
        todo!()
    }

    /// Fault: all pods of a service run at this speed, until they are told to run at another; 1 ends it.
    pub fn slow(&mut self, service: ServiceId, speed: f64) {
        let _ = (service, speed);
        todo!()
    }

    /// What pods did since this was last asked, in order. To be drained after every call that can move pods.
    pub fn changes(&mut self) -> Drain<'_, PodChange> {
        self.changes.drain(..)
    }

    /// Moments worth a mark since this was last asked.
    pub fn marks(&mut self) -> Drain<'_, Mark> {
        self.marks.drain(..)
    }

    /// Node pools, by name in the order of ids.
    pub fn pools(&self) -> impl Iterator<Item = &str> {
        std::iter::empty()
    }

    /// The pods of a service, deleted ones too, as an autoscaler may see them; without CPU use.
    pub fn pods_of(&self, service: ServiceId) -> impl Iterator<Item = (PodId, observe::Pod)> + '_ {
        let _ = service;
        std::iter::empty()
    }

    /// Its pods by state.
    #[must_use]
    pub fn counts_of(&self, service: ServiceId) -> ServiceCounts {
        let _ = service;
        todo!()
    }

    /// Nodes of a pool by state.
    #[must_use]
    pub fn pool_counts(&self, pool: PoolId) -> PoolCounts {
        let _ = pool;
        todo!()
    }

    /// Start-up times, creation to first ready, of the pods that became ready since this was last asked, into `out`.
    pub fn take_start_ups(&mut self, service: ServiceId, out: &mut Vec<Span>) {
        let _ = (service, out);
        todo!()
    }

    /// Pods created and deleted so far.
    #[must_use]
    pub fn churn_of(&self, service: ServiceId) -> Churn {
        let _ = service;
        todo!()
    }

    /// Pod-seconds up to `now`, exactly.
    #[must_use]
    pub fn pod_seconds_of(&self, service: ServiceId, now: Timestamp) -> PodSeconds {
        let _ = (service, now);
        todo!()
    }

    /// Seconds that the starts under way still take: paid in full at the end. A pod without a node owes what its container takes.
    #[must_use]
    pub fn unfinished_start_s(&self, service: ServiceId, now: Timestamp) -> f64 {
        let _ = (service, now);
        todo!()
    }

    /// The node of a pod; `None` where it has none, or is gone.
    #[must_use]
    pub fn node_of(&self, pod: PodId) -> Option<NodeId> {
        let _ = pod;
        todo!()
    }

    /// Why the oldest pod of a service without a node has none, as its events would say; `None` where all have one.
    #[must_use]
    pub fn pending_reason(&self, service: ServiceId) -> Option<String> {
        let _ = service;
        todo!()
    }

    /// Whether all invariants hold; for tests.
    ///
    /// # Errors
    /// What does not hold, in words.
    pub fn check(&self) -> Result<(), String> {
        todo!()
    }
}
