//! Which pod a call goes to.
//!
//! | balancing | how |
//! |---|---|
//! | shared | the pod with the fewest busy workers, if one is free; else the service's one queue |
//! | round-robin | the ready pods in the order in which they became ready |
//! | random | one draw |
//! | least-request | the least of [`Levels`] by requests in the pod; among equals the one that has been so for longest |
//! | power-of-two | of two different ready pods, drawn, the one with fewer requests, the first at a tie (Mitzenmacher, IEEE TPDS 12(10), 2001) |

mod levels;

use levels::Levels;

use super::calls::NONE;
use crate::spec::service::Balancing;

/// The endpoints of a service.
#[derive(Clone, Debug)]
pub(super) struct Balancer {
    pub(super) kind: Balancing,
    /// Slots of the ready pods, as they became ready.
    ready: Vec<u32>,
    /// The next one's place.
    turn: usize,
    levels: Levels,
}

impl Balancer {
    pub(super) fn new(kind: Balancing) -> Self {
        Self { kind, ready: Vec::new(), turn: 0, levels: Levels::default() }
    }

    /// Ready pods.
    pub(super) fn ready(&self) -> u32 {
        self.ready.len() as u32
    }

    pub(super) fn is_shared(&self) -> bool {
        self.kind == Balancing::Shared
    }

    /// Whether somebody has to say how much every pod has.
    pub(super) fn keeps_levels(&self) -> bool {
        matches!(self.kind, Balancing::Shared | Balancing::LeastRequest)
    }

    /// Forgets all pods.
    pub(super) fn clear(&mut self) {
        self.ready.clear();
        self.turn = 0;
        self.levels.clear();
    }

    /// Adds a pod that has `load`.
    pub(super) fn join(&mut self, slot: u32, load: u32) {
        self.ready.push(slot);
        if self.keeps_levels() {
            self.levels.insert(slot, load);
        }
    }

    /// Takes a pod out.
    pub(super) fn leave(&mut self, slot: u32) {
        let Some(place) = self.ready.iter().position(|ready| *ready == slot) else { return };
        self.ready.remove(place);
        self.turn -= usize::from(place < self.turn);
        if self.keeps_levels() {
            self.levels.remove(slot);
        }
    }

    /// A ready pod has `load` now.
    pub(super) fn set_load(&mut self, slot: u32, load: u32) {
        if self.keeps_levels() {
            self.levels.set(slot, load);
        }
    }

    /// Whether a ready pod is known with `load`, as far as loads are kept.
    pub(super) fn knows(&self, slot: u32, load: u32) -> bool {
        !self.keeps_levels() || self.levels.level(slot) == Some(load)
    }

    /// The pod for the next call; `words` is called if chance decides, and `load` for what a pod has.
    pub(super) fn pick(&mut self, words: impl FnOnce() -> [u32; 4], load: impl Fn(u32) -> u32) -> Option<u32> {
        match self.kind {
            Balancing::Shared | Balancing::LeastRequest => self.levels.least(),
            Balancing::RoundRobin => self.next_in_turn(),
            Balancing::Random => self.at_unit(&self.ready, words()[0]),
            Balancing::PowerOfTwo => self.lesser_of_two(words(), load),
        }
    }

    /// The pods that the next two calls probably go to, as far as that is known without work.
    pub(super) fn foreseen(&self) -> [u32; 2] {
        if self.keeps_levels() { self.levels.foreseen() } else { [NONE; 2] }
    }

    fn next_in_turn(&mut self) -> Option<u32> {
        let place = if self.turn < self.ready.len() { self.turn } else { 0 };
        self.turn = place + 1;
        self.ready.get(place).copied()
    }

    fn at_unit(&self, slots: &[u32], word: u32) -> Option<u32> {
        slots.get(share(word, slots.len())).copied()
    }

    fn lesser_of_two(&self, words: [u32; 4], load: impl Fn(u32) -> u32) -> Option<u32> {
        let first_place = share(words[0], self.ready.len());
        let first = *self.ready.get(first_place)?;
        if self.ready.len() == 1 {
            return Some(first);
        }
        let other_place = share(words[1], self.ready.len() - 1);
        let other = self.ready[other_place + usize::from(other_place >= first_place)];
        Some(if load(other) < load(first) { other } else { first })
    }
}

/// A whole number below `bound` by a draw; the bias is below `bound` / 2³².
const fn share(word: u32, bound: usize) -> usize {
    ((word as u64 * bound as u64) >> 32) as usize
}

#[cfg(test)]
mod tests;
