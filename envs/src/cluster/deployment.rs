//! One sync of the Deployment controller: which `ReplicaSet`s change their size in a rolling update, and to what.
//!
//! Here because a rollout decides how many pods serve while it lasts, and because the autoscaler resizes a Deployment in
//! the middle of one. [`sync`] is a pure function of what the controller reads; it does one thing at a time, as the
//! original does: spread a changed size over the active sets, else resize the new set, else shrink the old ones. A shell
//! applies the writes, notes [`Deployment::notes`] on every set that was written, and syncs again when pods change.
//!
//! Invariants: a sync that rolls adds no pod beyond replicas plus surge, and takes no available pod below replicas minus
//! unavailable. Names are interned: [`ReplicaSet::name`] is the place of a set's name among those of its Deployment, so
//! that the ties that Kubernetes breaks by name compare integers. Nothing is allocated but [`Writes::sets`], and
//! [`sync_into`] reuses that.
//!
//! Source: `pkg/controller/deployment` (`sync.go`, `rolling.go`, `util/deployment_util.go`) of Kubernetes 1.34, whose
//! answers the golden vectors `deployment_rollouts` hold; 32-bit products wrap as they do there.
//!
//! # Deviations
//! 1. The new set exists: the caller creates it, of [`initial_replicas`], before the first sync.
//! 2. Every set carries notes, because only this controller resizes sets here; where `max_replicas` was noted as 0 the set
//!    keeps its size, and the original would look at the pods that the Deployment's status counts.

use std::cmp::Reverse;

use seatrial_core::time::Timestamp;

/// A number of pods as users write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// So many.
    Count(u32),
    /// So many hundredths of the Deployment's replicas.
    Percent(u32),
}

/// What the controller reads of a Deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// The wanted number of pods.
    pub replicas: u32,
    /// Pods that may exist beyond `replicas` during a rollout; a percentage rounds up.
    pub max_surge: Amount,
    /// Pods that may be missing from `replicas` during a rollout; a percentage rounds down.
    pub max_unavailable: Amount,
}

/// What the controller notes on a set whenever it writes it (annotations in Kubernetes).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notes {
    /// The Deployment's replicas then.
    pub desired_replicas: u32,
    /// That and the surge.
    pub max_replicas: u32,
}

/// What the controller reads of a `ReplicaSet`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplicaSet {
    /// The place of its name among the names of the Deployment's sets, compared as bytes.
    pub name: u32,
    /// When it was created.
    pub created: Timestamp,
    /// Its wanted number of pods.
    pub replicas: u32,
    /// Pods that have been ready for long enough.
    pub available_replicas: u32,
    /// From its last write.
    pub notes: Notes,
}

/// Which set is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The new one.
    New,
    /// An old one, by its index in the argument.
    Old(usize),
}

/// A set's new size; the same size where only the notes change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Write {
    /// The set.
    pub target: Target,
    /// Its wanted number of pods from now on.
    pub replicas: u32,
}

/// What a sync was about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Action {
    /// Nothing is written.
    #[default]
    None,
    /// The Deployment's size changed.
    Scale,
    /// The new set is resized.
    RollNew,
    /// Old sets shrink.
    RollOld,
}

/// The answer of a sync.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Writes {
    /// What it was about.
    pub action: Action,
    /// One row per set that is written, in the order of writing.
    pub sets: Vec<Write>,
}

impl Amount {
    fn of(self, replicas: u32, round_up: bool) -> u32 {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) => {
                let hundredths = u64::from(percent) * u64::from(replicas);
                saturate(signed(if round_up { hundredths.div_ceil(100) } else { hundredths / 100 }))
            }
        }
    }
}

impl Deployment {
    /// Pods that may exist beyond the wanted ones.
    #[must_use]
    pub fn surge(&self) -> u32 {
        self.max_surge.of(self.replicas, true)
    }

    /// Pods that may be missing: at least one if there is no surge, or a rollout could never move.
    #[must_use]
    pub fn unavailable(&self) -> u32 {
        let unavailable = self.max_unavailable.of(self.replicas, false);
        let movable = if unavailable == 0 && self.surge() == 0 { 1 } else { unavailable };
        movable.min(self.replicas)
    }

    /// What to note on each set that a sync of this Deployment writes.
    #[must_use]
    pub fn notes(&self) -> Notes {
        Notes { desired_replicas: self.replicas, max_replicas: self.replicas.saturating_add(self.surge()) }
    }

    fn min_available(&self) -> i64 {
        i64::from(self.replicas) - i64::from(self.unavailable())
    }
}

impl ReplicaSet {
    const fn is_active(&self) -> bool {
        self.replicas > 0
    }

    /// Pods that this set gains (or loses) when the whole goes from its noted maximum to the present one.
    fn share(&self, deployment: &Deployment) -> i64 {
        let replicas = i64::from(self.replicas);
        if deployment.replicas == 0 {
            return -replicas;
        }
        if self.notes.max_replicas == 0 {
            return 0;
        }
        // The original multiplies 32-bit integers.
        let product = self.replicas.wrapping_mul(deployment.notes().max_replicas).cast_signed();
        let size = f64::from(product) / f64::from(self.notes.max_replicas);
        let rounded = if size < 0.0 { size - 0.5 } else { size + 0.5 } as i32;
        i64::from(rounded) - replicas
    }
}

/// The size of a new set at its creation beside `old`.
#[must_use]
pub fn initial_replicas(deployment: &Deployment, old: &[ReplicaSet]) -> u32 {
    grown(deployment, 0, old)
}

/// What the controller writes now.
#[must_use]
pub fn sync(deployment: &Deployment, new: &ReplicaSet, old: &[ReplicaSet]) -> Writes {
    let mut writes = Writes::default();
    sync_into(deployment, new, old, &mut writes);
    writes
}

/// [`sync`] into `writes`, whatever they held; allocates nothing where they have room for a row per set.
pub fn sync_into(deployment: &Deployment, new: &ReplicaSet, old: &[ReplicaSet], writes: &mut Writes) {
    let world = World { deployment, new, old };
    let sets = &mut writes.sets;
    sets.clear();
    let action = if world.is_scaling_event() {
        world.scale(sets);
        Action::Scale
    } else if world.roll_new(sets) {
        Action::RollNew
    } else {
        world.roll_old(sets);
        Action::RollOld
    };
    writes.action = if sets.is_empty() { Action::None } else { action };
}

/// What a sync reads.
struct World<'a> {
    deployment: &'a Deployment,
    new: &'a ReplicaSet,
    old: &'a [ReplicaSet],
}

impl World<'_> {
    fn set(&self, target: Target) -> &ReplicaSet {
        match target {
            Target::New => self.new,
            Target::Old(index) => &self.old[index],
        }
    }

    /// The old sets with pods, at their present size.
    fn active_old(&self) -> impl Iterator<Item = Write> {
        let active = self.old.iter().enumerate().filter(|(_, set)| set.is_active());
        active.map(|(index, set)| Write { target: Target::Old(index), replicas: set.replicas })
    }

    fn active(&self) -> impl Iterator<Item = Write> {
        let new = self.new.is_active().then_some(Write { target: Target::New, replicas: self.new.replicas });
        self.active_old().chain(new)
    }

    fn is_scaling_event(&self) -> bool {
        self.active().any(|at| self.set(at.target).notes.desired_replicas != self.deployment.replicas)
    }

    /// One active set (or none: then the new one) takes the whole; several share it.
    fn scale(&self, sets: &mut Vec<Write>) {
        let mut active = self.active();
        match (active.next(), active.next()) {
            (Some(_), Some(_)) if self.is_saturated() => {
                sets.extend(self.active_old().map(|at| Write { replicas: 0, ..at }));
            }
            (Some(_), Some(_)) => self.scale_in_proportion(sets),
            (only, _) => self.resize(only.map_or(Target::New, |at| at.target), self.deployment.replicas, sets),
        }
    }

    /// Whether the new set has arrived, so that the old ones are not needed.
    fn is_saturated(&self) -> bool {
        let wanted = self.deployment.replicas;
        let ReplicaSet { replicas, available_replicas, notes, .. } = *self.new;
        replicas == wanted && available_replicas == wanted && notes.desired_replicas == wanted
    }

    fn scale_in_proportion(&self, sets: &mut Vec<Write>) {
        sets.extend(self.active());
        let allowed = if self.deployment.replicas == 0 { 0 } else { self.deployment.notes().max_replicas };
        let to_add = i64::from(allowed) - sets.iter().map(|at| i64::from(at.replicas)).sum::<i64>();
        self.sort_for_scaling(to_add, sets);
        let mut added = 0;
        for at in sets.iter_mut() {
            let set = self.set(at.target);
            let share = limited(set.share(self.deployment), to_add - added, to_add);
            at.replicas = saturate(i64::from(set.replicas) + share);
            added += share;
        }
        if let Some(largest) = sets.first_mut() {
            largest.replicas = saturate(i64::from(largest.replicas) + to_add - added);
        }
        // A set that keeps its size is written for its notes.
        let notes = self.deployment.notes();
        sets.retain(|at| at.replicas != self.set(at.target).replicas || self.set(at.target).notes != notes);
    }

    /// Largest first; of equal ones the newest when growing, the oldest when shrinking.
    fn sort_for_scaling(&self, to_add: i64, sets: &mut [Write]) {
        let size = |at: &Write| Reverse(at.replicas);
        if to_add > 0 {
            sets.sort_unstable_by_key(|at| (size(at), Reverse(self.age_key(at))));
        } else if to_add < 0 {
            sets.sort_unstable_by_key(|at| (size(at), self.age_key(at)));
        }
    }

    /// Oldest first, then by name.
    fn age_key(&self, at: &Write) -> (Timestamp, u32) {
        let set = self.set(at.target);
        (set.created, set.name)
    }

    /// Whether the new set is resized.
    fn roll_new(&self, sets: &mut Vec<Write>) -> bool {
        let wanted = self.deployment.replicas;
        let over = self.new.replicas > wanted;
        let size = if over { wanted } else { grown(self.deployment, self.new.replicas, self.old) };
        self.resize(Target::New, size, sets);
        !sets.is_empty()
    }

    fn resize(&self, target: Target, replicas: u32, sets: &mut Vec<Write>) {
        if self.set(target).replicas != replicas {
            sets.push(Write { target, replicas });
        }
    }

    /// Shrinks old sets: first by pods that do not serve anyway, then by what availability allows.
    fn roll_old(&self, sets: &mut Vec<Write>) {
        let new_unavailable = i64::from(self.new.replicas) - i64::from(self.new.available_replicas);
        let spare = total(self.new.replicas, self.old) - self.deployment.min_available() - new_unavailable;
        if spare <= 0 {
            return;
        }
        sets.extend(self.active_old());
        sets.sort_unstable_by_key(|at| self.age_key(at));
        if self.drop_unhealthy(spare, sets) {
            self.drop_available(sets);
        }
        sets.retain(|at| at.replicas != self.set(at.target).replicas);
    }

    /// False where a set counts more available pods than it wants (it is still shrinking): the original then gives up.
    fn drop_unhealthy(&self, spare: i64, sets: &mut [Write]) -> bool {
        let mut left = spare;
        for at in sets {
            let unhealthy = i64::from(at.replicas) - i64::from(self.set(at.target).available_replicas);
            if left <= 0 {
                break;
            }
            if unhealthy < 0 {
                return false;
            }
            left -= shrink(at, unhealthy.min(left));
        }
        true
    }

    fn drop_available(&self, sets: &mut [Write]) {
        let old = sets.iter().map(|at| i64::from(self.set(at.target).available_replicas));
        let available = old.sum::<i64>() + i64::from(self.new.available_replicas);
        let mut left = available - self.deployment.min_available();
        for at in sets {
            left -= shrink(at, left.clamp(0, i64::from(at.replicas)));
        }
    }
}

/// What `replicas` of the new set become when it takes the room that the surge leaves beside `old`.
fn grown(deployment: &Deployment, replicas: u32, old: &[ReplicaSet]) -> u32 {
    let room = i64::from(deployment.notes().max_replicas) - total(replicas, old);
    let missing = i64::from(deployment.replicas) - i64::from(replicas);
    saturate(i64::from(replicas) + room.min(missing).max(0))
}

fn total(new_replicas: u32, old: &[ReplicaSet]) -> i64 {
    i64::from(new_replicas) + old.iter().map(|set| i64::from(set.replicas)).sum::<i64>()
}

/// `share`, not beyond what is `left` in the direction of `to_add`.
fn limited(share: i64, left: i64, to_add: i64) -> i64 {
    if left == 0 {
        0
    } else if to_add > 0 {
        share.min(left)
    } else {
        share.max(left)
    }
}

fn shrink(at: &mut Write, by: i64) -> i64 {
    at.replicas = saturate(i64::from(at.replicas) - by);
    by
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn saturate(size: i64) -> u32 {
    u32::try_from(size.max(0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
