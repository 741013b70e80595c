//! Who owns pods: a Deployment with its `ReplicaSet`s. A service is one, and a workload that only takes room is one without
//! endpoints; the pods of a record belong to an owner that wants none and replaces none.

use std::sync::Arc;

use seatrial_core::time::{Span, Timestamp};

use super::pods::{Slot, Template};
use super::tally::Tally;
use super::view::Churn;
use crate::cluster::deployment::{Deployment, Notes, ReplicaSet, initial_replicas};
use crate::ids::ServiceId;
use crate::spec::{ListedPod, Sampler};

/// How the pods of an owner live.
#[derive(Clone, Debug)]
pub(super) struct Life {
    pub(super) start_s: Sampler,
    pub(super) probe_period: Span,
    pub(super) min_ready: Span,
    pub(super) pre_stop: Span,
    pub(super) grace: Span,
    pub(super) image_mib: f64,
    /// Share of its speed that any other pod on the node loses to each running one.
    pub(super) slows_neighbours: f64,
}

#[derive(Clone, Debug)]
pub(super) struct Set {
    pub(super) revision: u32,
    pub(super) created: Timestamp,
    pub(super) replicas: u32,
    pub(super) notes: Notes,
    /// Its pods that are not deleted.
    pub(super) pods: u32,
    pub(super) available: u32,
}

impl Set {
    /// As its Deployment reads it.
    pub(super) fn read(&self) -> ReplicaSet {
        let Self { revision, created, replicas, notes, available, .. } = *self;
        ReplicaSet { name: revision, created, replicas, available_replicas: available, notes }
    }
}

/// A record of pods.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) pods: Arc<[ListedPod]>,
    pub(super) templates: Arc<[Template]>,
    pub(super) next: usize,
}

#[derive(Clone, Debug)]
pub(super) struct Owner {
    pub(super) name: String,
    /// Whom changes are told about; `None` for pods that serve nobody.
    pub(super) service: Option<ServiceId>,
    pub(super) template: Template,
    pub(super) life: Life,
    pub(super) deployment: Deployment,
    /// By revision, the newest last.
    pub(super) sets: Vec<Set>,
    pub(super) record: Option<Record>,
    pub(super) pods: Vec<Slot>,
    pub(super) tally: Tally,
    pub(super) churn: Churn,
    /// Pods created after the first moment.
    pub(super) ordinals: u64,
    pub(super) start_ups: Vec<Span>,
    /// Speed of all its pods, below 1 during a fault.
    pub(super) speed: f64,
    /// It waits for a sync.
    pub(super) is_dirty: bool,
    /// The quota refused a pod at the last try.
    pub(super) is_refused: bool,
    /// It did so at the try before, and that is said.
    pub(super) was_refused: bool,
    /// It is said that one of its pods finds no node.
    pub(super) is_unschedulable: bool,
}

impl Owner {
    /// Begins a revision: a set of the size that the Deployment controller creates it with.
    pub(super) fn add_set(&mut self, now: Timestamp) {
        let old: Vec<ReplicaSet> = self.sets.iter().map(Set::read).collect();
        let revision = self.sets.last().map_or(0, |set| set.revision + 1);
        let replicas = initial_replicas(&self.deployment, &old);
        let notes = self.deployment.notes();
        self.sets.push(Set { revision, created: now, replicas, notes, pods: 0, available: 0 });
    }

    /// The set of a revision, as long as it has pods.
    pub(super) fn set_mut(&mut self, revision: u32) -> Option<&mut Set> {
        self.sets.iter_mut().find(|set| set.revision == revision)
    }

    pub(super) fn newest_revision(&self) -> u32 {
        self.sets.last().map_or(0, |set| set.revision)
    }
}
