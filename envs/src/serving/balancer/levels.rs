//! Pods by a small whole number, the least one at hand: a chain of pods per number.
//!
//! Loads change by one at a time, so moving a pod and finding the least take constant time, whatever the number of pods; the
//! oldest of a chain is taken first. Only a pod that leaves empty-handed lets the least be searched upwards.

use super::super::calls::NONE;

#[derive(Clone, Copy, Debug)]
struct Link {
    before: u32,
    after: u32,
    level: u32,
}

#[derive(Clone, Copy, Debug)]
struct Chain {
    first: u32,
    last: u32,
}

const EMPTY: Chain = Chain { first: NONE, last: NONE };

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Levels {
    links: Vec<Link>,
    chains: Vec<Chain>,
    /// No chain below is occupied.
    least: usize,
}

impl Levels {
    /// Forgets all slots.
    pub(super) fn clear(&mut self) {
        self.links.clear();
        self.chains.clear();
        self.least = 0;
    }

    /// Adds a slot.
    pub(super) fn insert(&mut self, slot: u32, level: u32) {
        let (index, level_index) = (slot as usize, level as usize);
        if self.links.len() <= index {
            self.links.resize(index + 1, Link { before: NONE, after: NONE, level: 0 });
        }
        if self.chains.len() <= level_index {
            self.chains.resize(level_index + 1, EMPTY);
        }
        let chain = &mut self.chains[level_index];
        self.links[index] = Link { before: chain.last, after: NONE, level };
        if chain.last == NONE {
            chain.first = slot;
        } else {
            self.links[chain.last as usize].after = slot;
        }
        chain.last = slot;
        self.least = self.least.min(level_index);
    }

    /// Takes a slot out.
    pub(super) fn remove(&mut self, slot: u32) {
        let Link { before, after, level } = self.links[slot as usize];
        let chain = &mut self.chains[level as usize];
        if before == NONE {
            chain.first = after;
        } else {
            self.links[before as usize].after = after;
        }
        if after == NONE {
            chain.last = before;
        } else {
            self.links[after as usize].before = before;
        }
    }

    /// The level of a slot that is there.
    pub(super) fn level(&self, slot: u32) -> Option<u32> {
        self.links.get(slot as usize).map(|link| link.level)
    }

    /// Moves a slot behind those of its new level.
    pub(super) fn set(&mut self, slot: u32, level: u32) {
        if self.links[slot as usize].level != level {
            self.remove(slot);
            self.insert(slot, level);
        }
    }

    /// What [`Self::least`] answers, unless it has to search, and what it answers once that one has more.
    pub(super) fn foreseen(&self) -> [u32; 2] {
        let first = self.chains.get(self.least).map_or(NONE, |chain| chain.first);
        [first, self.links.get(first as usize).map_or(NONE, |link| link.after)]
    }

    /// The slot that has been at the least level for longest.
    pub(super) fn least(&mut self) -> Option<u32> {
        while self.chains.get(self.least)?.first == NONE {
            self.least += 1;
        }
        Some(self.chains[self.least].first)
    }
}
