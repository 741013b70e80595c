//! Pods in slots that are used one after the other.
//!
//! Invariants: a slot is free or holds one pod; its generation grows when the pod is gone, so an old [`PodId`] finds nothing.

use seatrial_core::time::{Span, Timestamp};

use crate::cluster::placement::ShapeId;
use crate::ids::{NodeId, PodId};

/// Where a pod is kept.
pub(super) type Slot = u32;

/// How far a pod has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nobody uses the slot.
    Free,
    /// Without a node.
    Pending,
    /// On a node that has no image of it yet, or does not answer.
    Pulling,
    /// The container runs and is not ready.
    Starting,
    /// In the endpoints.
    Ready,
    /// The container ended and starts again later.
    BackOff,
    /// It was ready when its node became unreachable, and is so again when the node is back before its eviction.
    Cut,
    /// Deleted.
    Terminating,
}

/// What is counted and paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Pending,
    Starting,
    Ready,
    Terminating,
    /// It would be starting, but its node is known to be silent. Paid as starting.
    Unreachable,
}

impl State {
    pub(super) const ALL: [Self; 5] =
        [Self::Pending, Self::Starting, Self::Ready, Self::Terminating, Self::Unreachable];
}

impl Stage {
    /// On a node that answers, or is not known to be silent; `None` where there is no pod.
    pub(super) const fn state(self) -> Option<State> {
        match self {
            Self::Free => None,
            Self::Pending => Some(State::Pending),
            Self::Pulling | Self::Starting | Self::BackOff | Self::Cut => Some(State::Starting),
            Self::Ready => Some(State::Ready),
            Self::Terminating => Some(State::Terminating),
        }
    }

    /// Whether its `ReplicaSet` counts it.
    pub(super) const fn is_active(self) -> bool {
        !matches!(self, Self::Free | Self::Terminating)
    }
}

/// What a pod asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Template {
    pub(super) shape: ShapeId,
    pub(super) cpu_milli: u64,
    pub(super) memory_mib: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Pod {
    pub(super) generation: u32,
    pub(super) stage: Stage,
    pub(super) owner: u32,
    pub(super) revision: u32,
    pub(super) template: Template,
    /// Place among the pods of its owner.
    pub(super) at_owner: u32,
    /// Place among the pods of its node.
    pub(super) at_node: u32,
    pub(super) node: Option<NodeId>,
    /// Counts all pods in the order of their creation.
    pub(super) sequence: u64,
    /// Address of its draws.
    pub(super) entity: u64,
    pub(super) uid: u128,
    /// It belongs to the first moment: as soon as it finds a node it is ready, and has long been.
    pub(super) of_first_moment: bool,
    pub(super) created: Timestamp,
    /// When a node took it.
    pub(super) started: Option<Timestamp>,
    /// Last change of its Ready condition.
    pub(super) turned: Timestamp,
    pub(super) available: bool,
    pub(super) was_ready: bool,
    /// When its next step is due; a step that fell due on a silent node is taken when the node is back.
    pub(super) due: Timestamp,
    /// Its container runs.
    pub(super) running: bool,
    /// It holds no requests, as far as is known.
    pub(super) drained: bool,
    pub(super) deleted: Timestamp,
    pub(super) speed: f64,
    pub(super) restarts: u32,
    /// How long its container waits if it ends again; zero: not at all.
    pub(super) back_off: Span,
    pub(super) restarted: Timestamp,
    /// A recorded pod lives so long on its node.
    pub(super) lifetime: Option<Span>,
}

impl Pod {
    /// Since when it is ready.
    pub(super) fn ready_since(&self) -> Option<Timestamp> {
        (self.stage == Stage::Ready).then_some(self.turned)
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Pods {
    pub(super) slots: Vec<Pod>,
    pub(super) free: Vec<Slot>,
    /// Pods ever created.
    pub(super) created: u64,
}

impl Pods {
    pub(super) fn get(&self, slot: Slot) -> &Pod {
        &self.slots[slot as usize]
    }

    pub(super) fn get_mut(&mut self, slot: Slot) -> &mut Pod {
        &mut self.slots[slot as usize]
    }

    pub(super) fn id(&self, slot: Slot) -> PodId {
        PodId { slot, generation: self.get(slot).generation }
    }

    /// The slot of a pod that still exists.
    pub(super) fn find(&self, id: PodId) -> Option<Slot> {
        let pod = self.slots.get(id.index())?;
        (pod.generation == id.generation && pod.stage != Stage::Free).then_some(id.slot)
    }

    /// A pending pod in a slot.
    pub(super) fn add(&mut self, owner: u32, revision: u32, template: Template, now: Timestamp) -> Slot {
        let sequence = self.created;
        self.created += 1;
        let pod = Pod {
            generation: 0,
            stage: Stage::Pending,
            owner,
            revision,
            template,
            at_owner: 0,
            at_node: 0,
            node: None,
            sequence,
            entity: 0,
            uid: 0,
            of_first_moment: false,
            created: now,
            started: None,
            turned: now,
            available: false,
            was_ready: false,
            due: now,
            running: false,
            drained: true,
            deleted: now,
            speed: 1.0,
            restarts: 0,
            back_off: Span::ZERO,
            restarted: now,
            lifetime: None,
        };
        self.put(pod)
    }

    fn put(&mut self, pod: Pod) -> Slot {
        if let Some(slot) = self.free.pop() {
            let generation = self.get(slot).generation;
            *self.get_mut(slot) = Pod { generation, ..pod };
            slot
        } else {
            self.slots.push(pod);
            (self.slots.len() - 1) as Slot
        }
    }

    pub(super) fn remove(&mut self, slot: Slot) {
        let pod = self.get_mut(slot);
        pod.stage = Stage::Free;
        pod.generation = pod.generation.wrapping_add(1);
        self.free.push(slot);
    }
}
