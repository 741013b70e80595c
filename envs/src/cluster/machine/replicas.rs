//! Deployments and their `ReplicaSet`s: which pods are created and deleted.
//!
//! The controllers' rules are [`deployment`](crate::cluster::deployment) and [`replica_set`](crate::cluster::replica_set); here is
//! the shell that applies what they write, and asks again until nothing is written.

use seatrial_core::rand::{Stream, draw};

use super::event::Event;
use super::owner::{Owner, Set};
use super::pods::{Pod, Slot, Stage, Template};
use super::{Cluster, FirstPods};
use crate::cluster::deployment::{ReplicaSet, Target, Writes, sync_into};
use crate::cluster::replica_set::{self, Victims};
use crate::ids::PodId;

/// Syncs of one Deployment in a row. Each either changes a set or is the last, and a few suffice (scale, roll, shrink).
const SYNCS_IN_A_ROW: u32 = 64;
/// Bits of an entity that count pods; those above name the owner, so that the first one's draws are those of a lone service.
const ORDINAL_BITS: u32 = 40;
/// The draws of pods of the first moment, which have no ordinal.
const OF_FIRST_MOMENT: u64 = 1 << (ORDINAL_BITS - 1);
/// The draw of a pod that is its uid; starts count from 0.
const UID: u32 = u32::MAX;

/// What a sync needs, kept between syncs.
#[derive(Clone, Debug, Default)]
pub(super) struct Desk {
    old: Vec<ReplicaSet>,
    writes: Writes,
    victims: Victims,
    candidates: Vec<replica_set::Pod>,
    slots: Vec<Slot>,
}

impl Cluster {
    pub(super) fn set_replicas(&mut self, owner: u32, replicas: u32) {
        self.owners[owner as usize].deployment.replicas = replicas;
        self.touch(owner);
    }

    pub(super) fn begin_rollout(&mut self, owner: u32) {
        let now = self.now;
        let owned = &mut self.owners[owner as usize];
        owned.add_set(now);
        let text = format!("{} rolls out revision {}", owned.name, owned.newest_revision());
        self.mark("rollout", text);
        self.touch(owner);
    }

    /// A Deployment is looked at before the present ends.
    pub(super) fn touch(&mut self, owner: u32) {
        if self.owners[owner as usize].record.is_none() {
            self.queue_owner(owner);
        }
    }

    fn queue_owner(&mut self, owner: u32) {
        let is_queued = std::mem::replace(&mut self.owners[owner as usize].is_dirty, true);
        if !is_queued {
            self.dirty.push_back(owner);
        }
    }

    /// Both controllers, until nothing is left to do.
    pub(super) fn reconcile(&mut self, owner: u32) {
        let owned = &mut self.owners[owner as usize];
        owned.is_dirty = false;
        owned.was_refused = std::mem::take(&mut owned.is_refused);
        if owned.record.is_some() {
            self.feed(owner);
            return;
        }
        for _ in 0..SYNCS_IN_A_ROW {
            let wrote = self.sync(owner);
            self.resize_sets(owner);
            if !wrote {
                break;
            }
        }
        self.owners[owner as usize].drop_empty_sets();
    }

    fn sync(&mut self, owner: u32) -> bool {
        let owned = &mut self.owners[owner as usize];
        let Desk { old, writes, .. } = &mut self.desk;
        let Some((new, others)) = owned.sets.split_last() else { return false };
        old.clear();
        old.extend(others.iter().map(Set::read));
        sync_into(&owned.deployment, &new.read(), old, writes);
        let (notes, newest) = (owned.deployment.notes(), owned.sets.len() - 1);
        for write in &writes.sets {
            let index = if let Target::Old(index) = write.target { index } else { newest };
            owned.sets[index].replicas = write.replicas;
            owned.sets[index].notes = notes;
        }
        !writes.sets.is_empty()
    }

    fn resize_sets(&mut self, owner: u32) {
        for index in 0..self.owners[owner as usize].sets.len() {
            let set = &self.owners[owner as usize].sets[index];
            let (revision, pods, wanted) = (set.revision, set.pods, set.replicas);
            if pods > wanted {
                self.delete_victims(owner, revision, (pods - wanted) as usize);
            }
            for _ in pods..wanted {
                if !self.create_replica(owner, revision) {
                    break;
                }
            }
        }
    }

    /// False where the quota has no room for it.
    fn create_replica(&mut self, owner: u32, revision: u32) -> bool {
        let template = self.owners[owner as usize].template;
        let Some(slot) = self.create_pod(owner, revision, template) else { return false };
        if let Some(set) = self.owners[owner as usize].set_mut(revision) {
            set.pods += 1;
        }
        self.offer(slot);
        true
    }

    /// A pod that asks for a node, or `None` where the quota has no room for it.
    pub(super) fn create_pod(&mut self, owner: u32, revision: u32, template: Template) -> Option<Slot> {
        if !self.quota.take(&template) {
            self.refuse(owner);
            return None;
        }
        let slot = self.pods.add(owner, revision, template, self.now);
        let owned = &mut self.owners[owner as usize];
        let (ordinal, is_first) = (owned.ordinals, self.first_pods == FirstPods::AreMade);
        owned.ordinals += u64::from(!is_first);
        owned.churn.created += u64::from(!is_first);
        owned.tally.shift(self.now, None, Stage::Pending.state());
        let pod = self.pods.get_mut(slot);
        pod.at_owner = owned.pods.len() as u32;
        owned.pods.push(slot);
        let of_first_moment = if is_first { OF_FIRST_MOMENT | u64::from(pod.at_owner) } else { ordinal };
        pod.entity = (u64::from(owner) << ORDINAL_BITS) | of_first_moment;
        pod.uid = uid(self.seed, pod.entity);
        pod.of_first_moment = is_first;
        Some(slot)
    }

    fn refuse(&mut self, owner: u32) {
        let owned = &mut self.owners[owner as usize];
        let is_said = owned.was_refused || owned.is_refused;
        owned.is_refused = true;
        if !is_said {
            let text = format!("{}: the quota has no room for another pod", owned.name);
            self.mark("quota", text);
        }
    }

    /// Those whom the quota refused try again.
    pub(super) fn retry_refused(&mut self) {
        for owner in 0..self.owners.len() as u32 {
            if self.owners[owner as usize].is_refused {
                self.queue_owner(owner);
            }
        }
    }

    fn delete_victims(&mut self, owner: u32, revision: u32, count: usize) {
        let mut desk = std::mem::take(&mut self.desk);
        self.choose_victims(owner, revision, count, &mut desk);
        for slot in &desk.slots {
            self.delete_pod(*slot);
        }
        self.desk = desk;
    }

    fn choose_victims(&self, owner: u32, revision: u32, count: usize, desk: &mut Desk) {
        let Desk { victims, candidates, slots, .. } = desk;
        candidates.clear();
        slots.clear();
        for slot in &self.owners[owner as usize].pods {
            let pod = self.pods.get(*slot);
            if pod.stage.is_active() {
                candidates.push(candidate(pod, revision));
                slots.push(*slot);
            }
        }
        let chosen = victims.choose(candidates, count, self.now);
        // The chosen go to the front of a list that holds all.
        let all = slots.len();
        slots.extend_from_within(..);
        for (place, index) in chosen.iter().enumerate() {
            slots[place] = slots[all + index];
        }
        slots.truncate(chosen.len());
    }

    /// Takes a pod that is deleted out of what its set counts.
    pub(super) fn leave_set(&mut self, slot: Slot) {
        self.lose_availability(slot);
        let pod = self.pods.get(slot);
        let (owner, revision) = (pod.owner, pod.revision);
        let owned = &mut self.owners[owner as usize];
        owned.churn.deleted += 1;
        if let Some(set) = owned.set_mut(revision) {
            set.pods -= 1;
        }
        self.touch(owner);
    }

    pub(super) fn become_available(&mut self, slot: Slot) {
        let pod = self.pods.get_mut(slot);
        let (owner, revision) = (pod.owner, pod.revision);
        pod.available = true;
        if let Some(set) = self.owners[owner as usize].set_mut(revision) {
            set.available += 1;
        }
        self.touch(owner);
    }

    pub(super) fn lose_availability(&mut self, slot: Slot) {
        let pod = self.pods.get_mut(slot);
        if !pod.available {
            return;
        }
        pod.available = false;
        let (owner, revision) = (pod.owner, pod.revision);
        if let Some(set) = self.owners[owner as usize].set_mut(revision) {
            set.available -= 1;
        }
        self.touch(owner);
    }

    /// A pod has been ready for long enough, unless it was not ready meanwhile.
    pub(super) fn on_available(&mut self, pod: PodId) {
        let Some(slot) = self.pods.find(pod) else { return };
        let pod = self.pods.get(slot);
        let min_ready = self.owners[pod.owner as usize].life.min_ready;
        if !pod.available && pod.ready_since().is_some_and(|since| since + min_ready <= self.now) {
            self.become_available(slot);
        }
    }

    pub(super) fn await_availability(&mut self, slot: Slot) {
        let min_ready = self.owners[self.pods.get(slot).owner as usize].life.min_ready;
        if min_ready.micros() <= 0 || self.first_pods == FirstPods::AreMade {
            self.become_available(slot);
        } else {
            self.outbox.push((self.now + min_ready, Event::Available(self.pods.id(slot))));
        }
    }
}

impl Owner {
    /// Old sets without pods are of no more use.
    fn drop_empty_sets(&mut self) {
        let newest = self.newest_revision();
        self.sets.retain(|set| set.revision == newest || set.replicas > 0 || set.pods > 0);
    }
}

fn candidate(pod: &Pod, revision: u32) -> replica_set::Pod {
    let has_started = pod.running || pod.stage == Stage::BackOff;
    replica_set::Pod {
        uid: pod.uid,
        node: pod.node.map(|node| node.0),
        phase: if has_started { replica_set::Phase::Running } else { replica_set::Phase::Pending },
        ready_since: pod.ready_since(),
        created: pod.created,
        max_restarts: pod.restarts,
        deletion_cost: 0,
        of_sibling: pod.revision != revision,
    }
}

fn uid(seed: u64, entity: u64) -> u128 {
    let words = draw(seed, Stream::PodStartUp, entity, UID);
    words.iter().fold(0, |uid, word| (uid << 32) | u128::from(*word))
}
