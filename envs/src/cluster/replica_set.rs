//! Which pods a `ReplicaSet` removes first.
//!
//! Here because scaling in is not blind: which pod goes decides what the remaining ones look like to the next decision, how
//! evenly nodes empty, and whether a pod that does not serve yet is the one that is lost.
//! [`Victims::choose`] is a pure function of its arguments; the buffers are only kept between calls, so that nothing is
//! allocated once they have grown to the number of pods.
//!
//! Strings stay at the boundary: nodes are dense ids, and a uid is the 128 bits of the UUID, which compare as its
//! lower-case text does.
//!
//! Not an order: pods that became ready at one moment go on to restarts and creation, others of the same power of two are
//! decided by uid, so three pods can form a cycle, on which a sort of the standard library may panic. Up to twelve pods
//! are sorted by insertion, as Go does, and come out as there even then; more come off a heap.
//!
//! Source: `ActivePodsWithRanks` in `pkg/controller/controller_utils.go` and `getPodsToDelete` in `pkg/controller/replicaset`
//! of Kubernetes 1.34, whose answers the golden vectors `replicaset_victims` hold.
//!
//! # Deviations
//! 1. Of more than twelve pods with a cycle among them, the answer is a fixed one, but need not be Go's.

use std::cmp::{Ordering, Reverse};
use std::f64::consts::LOG2_E;

use seatrial_core::math;
use seatrial_core::time::{Span, Timestamp};

/// Phases of pods that still count, in the order in which they are given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Not started yet.
    Pending,
    /// The node does not answer.
    Unknown,
    /// Started.
    Running,
}

/// What the choice depends on. Only active pods take part: neither ended nor being deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pod {
    /// The UUID; see the module.
    pub uid: u128,
    /// `None` until it is scheduled.
    pub node: Option<u32>,
    /// See [`Phase`].
    pub phase: Phase,
    /// `None` where it is not ready.
    pub ready_since: Option<Timestamp>,
    /// When it was created.
    pub created: Timestamp,
    /// Of its container that restarted most.
    pub max_restarts: u32,
    /// `controller.kubernetes.io/pod-deletion-cost`, 0 where it is not set.
    pub deletion_cost: i32,
    /// Belongs to another set of the same owner: counts beside its neighbours on a node, and is never chosen.
    pub of_sibling: bool,
}

/// Chooses pods; keeps its buffers.
#[derive(Clone, Debug, Default)]
pub struct Victims {
    candidates: Vec<Candidate>,
    /// The nodes of all pods, siblings' too, sorted.
    nodes: Vec<Option<u32>>,
    chosen: Vec<usize>,
}

/// Up to so many are sorted by insertion (Go's `maxInsertion`).
const FEW: usize = 12;

impl Victims {
    /// Indices into `pods` of the pods to remove, in order. Where all of them go, that is the order in which they came.
    pub fn choose(&mut self, pods: &[Pod], remove: usize, now: Timestamp) -> &[usize] {
        self.chosen.clear();
        self.list_candidates(pods, now);
        if remove >= self.candidates.len() {
            self.chosen.extend(self.candidates.iter().map(|candidate| candidate.index));
        } else if self.candidates.len() <= FEW {
            sort_by_insertion(&mut self.candidates);
            self.chosen.extend(self.candidates[..remove].iter().map(|candidate| candidate.index));
        } else {
            take_first(&mut self.candidates, remove, &mut self.chosen);
        }
        &self.chosen
    }

    fn list_candidates(&mut self, pods: &[Pod], now: Timestamp) {
        self.nodes.clear();
        self.nodes.extend(pods.iter().map(|pod| pod.node));
        self.nodes.sort_unstable();
        self.candidates.clear();
        let own = pods.iter().enumerate().filter(|(_, pod)| !pod.of_sibling);
        let nodes = &self.nodes;
        self.candidates.extend(own.map(|(index, pod)| Candidate::new(index, pod, count_of(nodes, pod.node), now)));
    }
}

fn count_of(sorted: &[Option<u32>], node: Option<u32>) -> usize {
    sorted.partition_point(|other| *other <= node) - sorted.partition_point(|other| *other < node)
}

/// Whether it is scheduled, its phase, whether it is ready, its cost, pods of the owner on its node: the least goes first.
type Class = (bool, Phase, bool, i32, Reverse<usize>);

#[derive(Clone, Copy, Debug)]
struct Candidate {
    index: usize,
    class: Class,
    ready: Option<Age>,
    max_restarts: u32,
    creation: Age,
    uid: u128,
}

impl Candidate {
    fn new(index: usize, pod: &Pod, on_node: usize, now: Timestamp) -> Self {
        let ready = pod.ready_since.map(|since| Age::new(since, now));
        let class = (pod.node.is_some(), pod.phase, ready.is_some(), pod.deletion_cost, Reverse(on_node));
        let creation = Age::new(pod.created, now);
        Self { index, class, ready, max_restarts: pod.max_restarts, creation, uid: pod.uid }
    }

    fn goes_before(&self, other: &Self) -> bool {
        let readiness = || match (self.ready, other.ready) {
            (Some(own), Some(others)) => self.compare_ages(own, other, others),
            _ => Ordering::Equal,
        };
        let order = self.class.cmp(&other.class).then_with(readiness);
        let order = order.then_with(|| other.max_restarts.cmp(&self.max_restarts));
        order.then_with(|| self.compare_ages(self.creation, other, other.creation)).is_lt()
    }

    /// The younger first; ages of one power of two are alike, and the uid (which is random) decides, so that pods of one
    /// rollout are not always lost together. Equal moments decide nothing.
    fn compare_ages(&self, own: Age, other: &Self, others: Age) -> Ordering {
        if own.since == others.since {
            return Ordering::Equal;
        }
        own.power.cmp(&others.power).then(self.uid.cmp(&other.uid))
    }
}

#[derive(Clone, Copy, Debug)]
struct Age {
    since: Timestamp,
    power: i8,
}

impl Age {
    fn new(since: Timestamp, now: Timestamp) -> Self {
        Self { since, power: power_of_two(now.since(since)) }
    }
}

/// The base-2 logarithm of an age in nanoseconds, cut; -1 for none.
///
/// In doubles as Go's `math.Log2` has it: an age just below a high power of two already counts as that power.
fn power_of_two(age: Span) -> i8 {
    let age_ns = age.micros().saturating_mul(1_000);
    if age_ns <= 0 {
        return -1;
    }
    let bits = (age_ns as f64).to_bits();
    let exponent = f64::from((bits >> MANTISSA_BITS) as u32) - EXPONENT_OF_HALF;
    let fraction = f64::from_bits((bits & MANTISSA) | 0.5_f64.to_bits());
    (math::ln(fraction) * LOG2_E + exponent) as i8
}

const MANTISSA_BITS: u32 = f64::MANTISSA_DIGITS - 1;
const MANTISSA: u64 = (1 << MANTISSA_BITS) - 1;
/// The stored exponent of numbers from 0.5 up to 1.
const EXPONENT_OF_HALF: f64 = 1_022.0;

fn sort_by_insertion(candidates: &mut [Candidate]) {
    for end in 1..candidates.len() {
        let mut at = end;
        while at > 0 && candidates[at].goes_before(&candidates[at - 1]) {
            candidates.swap(at, at - 1);
            at -= 1;
        }
    }
}

/// The `count` that go first, off a heap: the rest is never sorted.
fn take_first(candidates: &mut [Candidate], count: usize, chosen: &mut Vec<usize>) {
    for parent in (0..candidates.len() / 2).rev() {
        sift_down(candidates, parent);
    }
    for end in (candidates.len() - count..candidates.len()).rev() {
        chosen.push(candidates[0].index);
        candidates.swap(0, end);
        sift_down(&mut candidates[..end], 0);
    }
}

fn sift_down(heap: &mut [Candidate], mut parent: usize) {
    loop {
        let (left, right) = (2 * parent + 1, 2 * parent + 2);
        if left >= heap.len() {
            return;
        }
        let first = if right < heap.len() && heap[right].goes_before(&heap[left]) { right } else { left };
        if !heap[first].goes_before(&heap[parent]) {
            return;
        }
        heap.swap(first, parent);
        parent = first;
    }
}

#[cfg(test)]
mod tests;
