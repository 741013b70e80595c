//! Which key is looked at next: one slot per key, priorities with a bound on waiting, delayed adds, a fixed order.
//!
//! Invariants, each held against an independent model in `tests/control_queue_model.rs`:
//! - A key has one slot: adds of a waiting key merge; the earlier moment and the higher priority win, its place in line stays.
//! - A key is handed out to one worker at a time. Added meanwhile, it waits until [`WorkQueue::done`] and then comes again, so
//!   no change is lost (the dirty and processing sets of client-go).
//! - Order of ready keys: priority, then the moment of readiness, then the order of the adds that made the slots.
//! - **Ageing**: a key that has been ready for [`WorkQueue`]'s bound comes before all keys that got ready after it, whatever
//!   their priority. So it waits for the bound and for the keys that are older than itself, and under overload the queue
//!   turns into first in, first out instead of starving anyone (controller-runtime's priority queue has no such bound).
//!
//! `now` comes from a clock that does not run backwards. If it does, keys wait until it has caught up; none is lost.
//!
//! Differences to controller-runtime 0.25 that are meant: a raised priority does not send a key to the end of its new level, and
//! a delayed key keeps the place of its moment instead of a counter drawn when the delay ends.
//!
//! Sources: client-go's `workqueue`, controller-runtime's `priorityqueue`, kube-runtime's scheduler; metric names of client-go.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::time::{Span, Timestamp};

/// How urgent a key is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Priority {
    /// The first list after a start, and periodic looks.
    Low,
    /// Changes that were watched.
    #[default]
    Normal,
    /// What has a deadline, such as a decision that is due.
    High,
    /// What must not wait: deletion, an edit by a person.
    Critical,
}

impl Priority {
    /// Every level, lowest first.
    pub const ALL: [Self; 4] = [Self::Low, Self::Normal, Self::High, Self::Critical];

    /// Label for metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

const LEVELS: usize = Priority::ALL.len();

/// A key that was handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken<K> {
    /// The key; give it back with [`WorkQueue::done`].
    pub key: K,
    /// Its priority when it was handed out.
    pub priority: Priority,
    /// How long it was ready before: one observation of `workqueue_queue_duration_seconds`.
    pub waited: Span,
}

/// Counts since the queue was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Slots that were made: `workqueue_adds_total`. Unlike client-go's it counts a delayed add when it is made, not when it is due.
    pub adds: u64,
    /// Adds that found their key waiting already and were merged.
    pub merged: u64,
    /// Adds by [`WorkQueue::retry`]: `workqueue_retries_total`.
    pub retries: u64,
}

/// The queue; the bound on waiting is a number of its own.
#[derive(Clone, Debug)]
pub struct WorkQueue<K> {
    ageing: Span,
    waiting: BTreeMap<K, Slot>,
    /// Waiting keys that may be handed out, by level; those that are running stay out until they are done.
    levels: [BTreeSet<(Place, K)>; LEVELS],
    running: BTreeMap<K, Timestamp>,
    slots_made: u64,
    counts: Counts,
}

/// Place in line within a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    ready_at: Timestamp,
    slot: u64,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    priority: Priority,
    place: Place,
}

impl<K: Ord + Clone> WorkQueue<K> {
    /// An empty queue in which a ready key is overtaken by later ones for at most `ageing`.
    ///
    /// Zero or less is first in, first out for all priorities.
    #[must_use]
    pub fn new(ageing: Span) -> Self {
        Self {
            ageing,
            waiting: BTreeMap::new(),
            levels: [const { BTreeSet::new() }; LEVELS],
            running: BTreeMap::new(),
            slots_made: 0,
            counts: Counts::default(),
        }
    }

    /// Adds a key to be handed out as soon as possible, also if it waits for a later moment already.
    pub fn add(&mut self, key: K, priority: Priority, now: Timestamp) {
        self.add_after(key, priority, now);
    }

    /// Adds a key to be handed out from `at` on; the earliest of several moments wins.
    pub fn add_after(&mut self, key: K, priority: Priority, at: Timestamp) {
        let slot = match self.waiting.get(&key).copied() {
            Some(old) => {
                self.counts.merged += 1;
                self.leave_line(&key, old);
                let ready_at = old.place.ready_at.min(at);
                Slot { priority: old.priority.max(priority), place: Place { ready_at, ..old.place } }
            }
            None => {
                self.counts.adds += 1;
                self.slots_made += 1;
                Slot { priority, place: Place { ready_at: at, slot: self.slots_made } }
            }
        };
        if !self.running.contains_key(&key) {
            self.levels[slot.priority as usize].insert((slot.place, key.clone()));
        }
        self.waiting.insert(key, slot);
    }

    /// [`WorkQueue::add_after`] for a key whose last run failed, counted as a retry.
    pub fn retry(&mut self, key: K, priority: Priority, at: Timestamp) {
        self.counts.retries += 1;
        self.add_after(key, priority, at);
    }

    /// Hands out the next ready key, if any.
    pub fn get(&mut self, now: Timestamp) -> Option<Taken<K>> {
        let level = self.next_level(now)?;
        let (place, key) = self.levels[level].pop_first()?;
        let slot = self.waiting.remove(&key)?;
        self.running.insert(key.clone(), now);
        Some(Taken { key, priority: slot.priority, waited: now - place.ready_at })
    }

    /// A run ended. Answers how long it took (one observation of `workqueue_work_duration_seconds`), or `None` if the key was
    /// not running.
    pub fn done(&mut self, key: &K, now: Timestamp) -> Option<Span> {
        let started = self.running.remove(key)?;
        if let Some(slot) = self.waiting.get(key) {
            self.levels[slot.priority as usize].insert((slot.place, key.clone()));
        }
        Some(now - started)
    }

    /// Forgets a waiting key, as for an object that is gone; a run under way goes on. Answers whether it waited.
    pub fn remove(&mut self, key: &K) -> bool {
        let Some(slot) = self.waiting.remove(key) else { return false };
        self.leave_line(key, slot);
        true
    }

    /// When [`WorkQueue::get`] has something to hand out, a moment that may be past; `None` if only adds or `done` can change that.
    #[must_use]
    pub fn next_at(&self) -> Option<Timestamp> {
        self.heads().map(|(_, place)| place.ready_at).min()
    }

    /// Keys that wait: ready, delayed, and those that come again when their run is done.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether no key waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Ready keys of a level: `workqueue_depth`. It walks over them, so it is for a scrape and not for every get.
    #[must_use]
    pub fn depth(&self, priority: Priority, now: Timestamp) -> usize {
        self.levels[priority as usize].iter().take_while(|(place, _)| place.ready_at <= now).count()
    }

    /// Keys that are handed out and not done.
    #[must_use]
    pub fn running(&self) -> usize {
        self.running.len()
    }

    /// Time spent so far on keys that are not done, summed: `workqueue_unfinished_work_seconds`.
    #[must_use]
    pub fn unfinished(&self, now: Timestamp) -> Span {
        self.running.values().fold(Span::ZERO, |sum, started| sum + (now - *started))
    }

    /// Time of the run that has been going on for longest: `workqueue_longest_running_processor_seconds`.
    #[must_use]
    pub fn longest_running(&self, now: Timestamp) -> Span {
        self.running.values().min().map_or(Span::ZERO, |started| now - *started)
    }

    /// Counts since the queue was made.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// The level whose first key comes next: that of the oldest key that is over the bound, else the highest with a ready one.
    fn next_level(&self, now: Timestamp) -> Option<usize> {
        let ready = || self.heads().filter(|(_, place)| place.ready_at <= now);
        let overdue = ready().filter(|(_, place)| place.ready_at + self.ageing <= now).min_by_key(|(_, place)| *place);
        overdue.or_else(|| ready().last()).map(|(level, _)| level)
    }

    /// The first place of each level that has one, lowest level first.
    fn heads(&self) -> impl Iterator<Item = (usize, Place)> {
        self.levels.iter().enumerate().filter_map(|(level, line)| line.first().map(|(place, _)| (level, *place)))
    }

    fn leave_line(&mut self, key: &K, slot: Slot) {
        if !self.running.contains_key(key) {
            self.levels[slot.priority as usize].remove(&(slot.place, key.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Priority::{Critical, High, Low, Normal};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_secs(seconds)
    }

    fn queue() -> WorkQueue<&'static str> {
        WorkQueue::new(Span::from_secs(60))
    }

    /// Takes and finishes keys until nothing is ready.
    fn drain(queue: &mut WorkQueue<&'static str>, now: Timestamp) -> Vec<&'static str> {
        let take = || {
            let key = queue.get(now)?.key;
            queue.done(&key, now);
            Some(key)
        };
        std::iter::from_fn(take).collect()
    }

    #[test]
    fn priority_then_time_then_order_of_adds() {
        let mut queue = queue();
        queue.add("late", Normal, at(2));
        queue.add("z", Normal, at(1));
        queue.add("a", Normal, at(1));
        queue.add("low", Low, at(0));
        queue.add("critical", Critical, at(3));
        queue.add("high", High, at(3));
        assert_eq!(drain(&mut queue, at(3)), ["critical", "high", "z", "a", "late", "low"]);
    }

    #[test]
    fn adds_of_a_waiting_key_merge() {
        let mut queue = queue();
        queue.add_after("a", High, at(50));
        queue.add_after("a", Low, at(20));
        queue.add_after("a", Low, at(90));
        assert_eq!((queue.len(), queue.next_at()), (1, Some(at(20))));
        assert_eq!(queue.get(at(19)), None);
        let taken = queue.get(at(21)).unwrap();
        assert_eq!(taken, Taken { key: "a", priority: High, waited: Span::from_secs(1) });
        queue.done(&"a", at(21));
        assert_eq!(queue.get(at(1_000)), None);
        assert_eq!(queue.counts(), Counts { adds: 1, merged: 2, retries: 0 });
    }

    #[test]
    fn a_plain_add_ends_a_delay() {
        let mut queue = queue();
        queue.retry("a", Normal, at(500));
        queue.add("a", Normal, at(3));
        assert_eq!(queue.get(at(3)).unwrap().waited, Span::ZERO);
        assert_eq!(queue.counts().retries, 1);
    }

    #[test]
    fn a_raised_priority_keeps_the_place_in_time() {
        let mut queue = queue();
        queue.add("first", Low, at(0));
        queue.add("second", High, at(1));
        queue.add("first", High, at(2));
        assert_eq!(drain(&mut queue, at(2)), ["first", "second"]);
    }

    #[test]
    fn a_key_added_while_it_runs_comes_again_after_done() {
        let mut queue = queue();
        queue.add("a", Low, at(0));
        queue.get(at(0)).unwrap();
        queue.add_after("a", Normal, at(9));
        queue.add_after("a", Normal, at(2));
        assert_eq!((queue.get(at(5)), queue.next_at(), queue.len()), (None, None, 1));
        assert_eq!(queue.depth(Normal, at(5)), 0);
        assert_eq!(queue.done(&"a", at(5)), Some(Span::from_secs(5)));
        assert_eq!(queue.next_at(), Some(at(2)));
        assert_eq!(queue.get(at(5)).unwrap(), Taken { key: "a", priority: Normal, waited: Span::from_secs(3) });
    }

    #[test]
    fn ageing_bounds_the_wait_of_a_low_key_under_a_flood() {
        let mut queue = WorkQueue::new(Span::from_secs(60));
        queue.add(u32::MAX, Low, at(0));
        // One critical key comes each second and one is served each second: the level is never empty.
        let mut came = None;
        for second in 0..200 {
            queue.add(u32::try_from(second).unwrap(), Critical, at(second));
            let key = queue.get(at(second)).unwrap().key;
            queue.done(&key, at(second));
            came = came.or((key == u32::MAX).then_some(second));
        }
        assert_eq!(came, Some(60));
    }

    #[test]
    fn over_the_bound_the_oldest_comes_first() {
        let mut queue = queue();
        queue.add("critical", Critical, at(5));
        queue.add("low", Low, at(4));
        queue.add("fresh", Critical, at(64));
        assert_eq!(drain(&mut queue, at(65)), ["low", "critical", "fresh"]);
    }

    #[test]
    fn removing_ends_retries_but_not_a_run() {
        let mut queue = queue();
        queue.add("gone", Normal, at(0));
        assert!(queue.remove(&"gone"));
        assert!(!queue.remove(&"gone"));
        assert_eq!((queue.get(at(9)), queue.next_at(), queue.is_empty()), (None, None, true));
        queue.add("runs", Normal, at(0));
        queue.get(at(0)).unwrap();
        queue.retry("runs", Normal, at(3));
        assert!(queue.remove(&"runs"));
        assert_eq!(queue.running(), 1);
        assert_eq!(queue.done(&"runs", at(1)), Some(Span::from_secs(1)));
        assert_eq!(queue.get(at(9)), None);
    }

    #[test]
    fn done_without_a_run_is_nothing() {
        let mut queue = queue();
        queue.add("a", Normal, at(0));
        assert_eq!(queue.done(&"a", at(1)), None);
        assert_eq!(queue.done(&"b", at(1)), None);
        assert_eq!(drain(&mut queue, at(1)), ["a"]);
    }

    #[test]
    fn gauges_for_metrics() {
        let mut queue = queue();
        for key in ["a", "b", "c"] {
            queue.add(key, Normal, at(0));
        }
        queue.add_after("later", Normal, at(100));
        queue.add("low", Low, at(0));
        queue.get(at(2)).unwrap();
        queue.get(at(5)).unwrap();
        assert_eq!(Priority::ALL.map(|level| queue.depth(level, at(9))), [1, 1, 0, 0]);
        assert_eq!(queue.unfinished(at(9)), Span::from_secs(7 + 4));
        assert_eq!(queue.longest_running(at(9)), Span::from_secs(7));
        assert_eq!(self::queue().longest_running(at(9)), Span::ZERO);
    }

    #[test]
    fn labels_are_those_of_serde() {
        for level in Priority::ALL {
            assert_eq!(serde_json::to_value(level).unwrap(), level.label());
        }
    }

    #[test]
    fn a_clock_that_runs_backwards_loses_no_key() {
        let mut queue = queue();
        queue.add("a", Normal, at(100));
        assert_eq!(queue.get(at(10)), None);
        assert_eq!(queue.next_at(), Some(at(100)));
        assert_eq!(drain(&mut queue, at(100)), ["a"]);
    }
}
