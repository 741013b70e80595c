//! Pods that serve nobody and only take room: constant ones, those of a time window, and recorded ones.
//!
//! They run as soon as they have a node and end as soon as they are deleted. Constant ones are replaced when they are evicted, as
//! those of a Deployment; recorded ones are not.

use seatrial_core::time::Span;

use super::Cluster;
use super::build::seconds;
use super::event::{Event, WorkloadId};
use crate::spec::WorkloadSpec;

/// When the pods of a workload are there, relative to the start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Filler {
    pub(super) replicas: u32,
    pub(super) from: Span,
    pub(super) until: Option<Span>,
}

impl From<&WorkloadSpec> for Filler {
    fn from(spec: &WorkloadSpec) -> Self {
        let from = seconds(spec.from_s.unwrap_or(0.0));
        Self { replicas: spec.replicas, from, until: spec.until_s.map(seconds) }
    }
}

impl Cluster {
    fn owner_of(&self, workload: WorkloadId) -> u32 {
        (self.services + workload.index()) as u32
    }

    pub(super) fn on_appear(&mut self, workload: WorkloadId) {
        let owner = self.owner_of(workload);
        if self.owners[owner as usize].record.is_some() {
            self.feed(owner);
        } else {
            self.set_replicas(owner, self.fillers[workload.index()].replicas);
        }
    }

    pub(super) fn on_vanish(&mut self, workload: WorkloadId) {
        self.set_replicas(self.owner_of(workload), 0);
    }

    /// Creates the recorded pods whose time has come, until the quota refuses one, and waits for the next.
    pub(super) fn feed(&mut self, owner: u32) {
        while let Some(record) = &self.owners[owner as usize].record
            && let Some(listed) = record.pods.get(record.next)
        {
            let (created, lifetime, template) = (listed.created, listed.lifetime, record.templates[record.next]);
            if created > self.now {
                self.outbox.push((created, Event::Appear(WorkloadId((owner as usize - self.services) as u16))));
                return;
            }
            let Some(slot) = self.create_pod(owner, 0, template) else { return };
            self.pods.get_mut(slot).lifetime = lifetime;
            if let Some(record) = &mut self.owners[owner as usize].record {
                record.next += 1;
            }
            self.offer(slot);
        }
    }
}
