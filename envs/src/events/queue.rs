//! Pending events by time, equal times in the order of their insertion.
//!
//! A calendar queue (Brown, CACM 31(10), 1988) whose buckets are left unsorted until their time comes (the idea of the
//! ladder queue: Tang, Goh and Thng, ACM TOMACS 15(3), 2005). An event lies in one of four places:
//!
//! | place | holds | push | pop |
//! |---|---|---|---|
//! | `current` | what the bucket under the cursor held when its time came, sorted once | – | take the last |
//! | `near` | later pushes into that bucket: a small heap | O(log of it) | O(log of it) |
//! | ring | the turn ahead of the cursor | append to a bucket | a share of sorting the bucket |
//! | `overflow` | beyond a turn: a heap; moves into the ring as the cursor goes | O(log of it) | O(log of it) |
//!
//! Why not a binary heap: at a million pending events each pop walks twenty levels, the last ones missing the cache.
//! Here a push appends to one of so few buckets that their ends stay in cache, and a pop reads a bucket as a stream.
//!
//! Invariants: every event in `current` and `near` has a bucket number at or before `cursor`; every one in the ring
//! is after `cursor` by less than a turn; every one in `overflow` is a turn or more after. So the next event is in `current`
//! or `near` unless both are empty. Time never goes back: an event before the last one taken is refused.
//!
//! The width of a bucket and their number follow from counts of the queue itself (see [`Epoch`]), never from a clock or the
//! machine, and the order of events depends on neither: same pushes, same pops.
//! The worst case of any pattern (all at one instant, all far away) is the heap's O(log n).

use std::collections::BinaryHeap;

use seatrial_core::time::Timestamp;

use super::entry::Entry;
use super::ring::Ring;

/// Events that a bucket should hold at least: few to sort, enough to make the walk over buckets cheap (measured).
const LEAST_PER_BUCKET: u64 = 24;
/// A turn of the ring reaches this many mean delays ahead (of exponential delays 1 in 3,000 is longer).
const TURN_IN_MEAN_DELAYS: u64 = 8;
/// Ring of a queue that has no history yet: 64 buckets of a millisecond.
const FIRST_SHIFT: u32 = 10;
const FEWEST_BUCKETS: usize = 64;
/// More buckets than this and the lines that pushes append to no longer stay in the second-level cache: then sorting
/// larger buckets is cheaper than missing it on every push (measured).
const MOST_BUCKETS: usize = 1 << 13;
/// The widest bucket is 2^40 µs, 13 days.
const WIDEST_SHIFT: u32 = 40;
/// Room reserved for the events at hand: several times a bucket's share, so that chance does not grow it late.
const ROOM_AT_HAND: usize = 128;
/// Shortest epoch in pops.
const SHORTEST_EPOCH: u64 = 256;

/// An event was pushed before the moment that the queue has reached.
///
/// Refused rather than moved to now: an effect before its cause is a mistake in a model, and moving it would hide it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "event at {} µs is before the queue's present, {} µs: schedule it at the present or later",
    at.micros(),
    now.micros()
)]
pub struct PastEvent {
    /// When the event should have happened.
    pub at: Timestamp,
    /// The moment reached.
    pub now: Timestamp,
}

/// What is counted between two looks at the shape of the ring.
///
/// Pops per microsecond say how wide a bucket of [`events_per_bucket`] is; by Little's law the pending events over that
/// rate are the mean delay, so [`TURN_IN_MEAN_DELAYS`] of them need a number of buckets that depends on the length alone. The
/// ring is rebuilt only where width or number is off by a factor of four; an epoch has at least an eighth as many pops as
/// the queue has events (the first ones less), so that rebuilding costs a bounded share of each pop.
#[derive(Clone, Copy, Debug)]
struct Epoch {
    began: Timestamp,
    pops: u64,
    pops_wanted: u64,
}

/// Pending events of type `E` by time, equal times in the order of their insertion.
///
/// `clone` is snapshot and fork: flat copies, after which both go their own ways.
/// Memory is bounded by the greatest number of events pending at once (one ring of at most 2¹³ buckets, chunks of 16
/// places, of which each occupied bucket leaves at most 15 empty); pushing and popping at a steady length allocates nothing.
#[derive(Clone, Debug)]
pub struct EventQueue<E> {
    now: Timestamp,
    pushes: u64,
    len: usize,
    /// Number of the bucket in `current`.
    cursor: i64,
    current: Vec<Entry<E>>,
    near: BinaryHeap<Entry<E>>,
    ring: Ring<E>,
    overflow: BinaryHeap<Entry<E>>,
    epoch: Epoch,
}

impl<E: Copy> EventQueue<E> {
    /// An empty queue whose present is `start`.
    #[must_use]
    pub fn new(start: Timestamp) -> Self {
        let ring = Ring::new(FIRST_SHIFT, FEWEST_BUCKETS);
        Self {
            now: start,
            pushes: 0,
            len: 0,
            cursor: ring.number(start),
            current: Vec::with_capacity(ROOM_AT_HAND),
            near: BinaryHeap::with_capacity(ROOM_AT_HAND),
            ring,
            overflow: BinaryHeap::new(),
            epoch: Epoch { began: start, pops: 0, pops_wanted: SHORTEST_EPOCH },
        }
    }

    /// Forgets everything and begins anew at `start`; memory and the ring's shape stay, on which no order depends.
    pub fn restart(&mut self, start: Timestamp) {
        self.current.clear();
        self.near.clear();
        self.overflow.clear();
        let (shift, buckets) = (self.ring.shift(), self.ring.bucket_count());
        self.ring.reshape(shift, buckets);
        (self.now, self.pushes, self.len) = (start, 0, 0);
        self.cursor = self.ring.number(start);
        self.epoch = Epoch { began: start, pops: 0, pops_wanted: SHORTEST_EPOCH };
    }

    /// The present: the time of the last event taken, of the start, or what [`pass_until`](Self::pass_until) reached.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// Events pending.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is pending.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds an event at `at`, behind all others of that moment.
    ///
    /// # Errors
    /// [`PastEvent`] if `at` is before [`now`](Self::now); the queue stays as it is.
    pub fn push(&mut self, at: Timestamp, event: E) -> Result<(), PastEvent> {
        if at < self.now {
            return Err(PastEvent { at, now: self.now });
        }
        let sequence = self.pushes;
        self.pushes += 1;
        self.len += 1;
        self.place(Entry { at, sequence, event });
        Ok(())
    }

    /// Takes the next event; the present becomes its time.
    pub fn pop(&mut self) -> Option<(Timestamp, E)> {
        self.pop_until(Timestamp::from_micros(i64::MAX))
    }

    /// Takes the next event if it is at or before `limit`; otherwise nothing changes that can be seen.
    pub fn pop_until(&mut self, limit: Timestamp) -> Option<(Timestamp, E)> {
        if self.current.is_empty() && self.near.is_empty() && !self.advance(limit) {
            return None;
        }
        let in_near = self.near.peek() > self.current.last();
        let next = if in_near { self.near.peek() } else { self.current.last() };
        let Entry { at, event, .. } = *next.filter(|entry| entry.at <= limit)?;
        if in_near {
            self.near.pop();
        } else {
            self.current.pop();
        }
        self.len -= 1;
        self.now = at;
        self.epoch.pops += 1;
        if self.epoch.pops >= self.epoch.pops_wanted {
            self.end_epoch();
        }
        Some((at, event))
    }

    /// The time of the next event.
    #[must_use]
    pub fn peek_time(&self) -> Option<Timestamp> {
        let at_hand = self.near.peek().max(self.current.last()).map(|entry| entry.at);
        at_hand
            .or_else(|| self.ring.next_occupied(self.cursor).and_then(|number| self.ring.earliest(number)))
            .or_else(|| self.overflow.peek().map(|entry| entry.at))
    }

    /// The event behind the next `after` ones, as far as the queue knows without work; events pushed from now on may come before it.
    #[inline]
    pub(super) fn coming(&self, after: usize) -> Option<E> {
        let place = self.current.len().checked_sub(after + 1)?;
        self.current.get(place).map(|entry| entry.event)
    }

    /// Lets time pass without an event: to `to`, or to the next event if that comes first; never back. Returns the present.
    pub fn pass_until(&mut self, to: Timestamp) -> Timestamp {
        let reached = self.peek_time().map_or(to, |next| next.min(to));
        self.now = self.now.max(reached);
        self.now
    }

    fn place(&mut self, entry: Entry<E>) {
        let number = self.ring.number(entry.at);
        if number <= self.cursor {
            self.near.push(entry);
        } else if self.ring.within_a_turn(self.cursor, number) {
            self.ring.push(number, entry);
        } else {
            self.overflow.push(entry);
        }
    }

    /// Moves the cursor to the next bucket with an event and sorts it; false if there is none that begins by `limit`.
    ///
    /// Only called with nothing at hand. A bucket after `limit` stays unopened, so that pushes before it stay cheap.
    fn advance(&mut self, limit: Timestamp) -> bool {
        let in_overflow = || self.overflow.peek().map(|entry| self.ring.number(entry.at));
        let Some(next) = self.ring.next_occupied(self.cursor).or_else(in_overflow) else {
            return false;
        };
        if self.ring.start(next) > limit {
            return false;
        }
        self.cursor = next;
        self.ring.drain(next, &mut self.current);
        self.draw_in_overflow();
        self.current.sort_unstable();
        true
    }

    /// Moves what is now less than a turn ahead from `overflow` to where it belongs.
    fn draw_in_overflow(&mut self) {
        while let Some(first) = self.overflow.peek() {
            let number = self.ring.number(first.at);
            if !self.ring.within_a_turn(self.cursor, number) {
                return;
            }
            let Some(entry) = self.overflow.pop() else { return };
            if number == self.cursor {
                self.current.push(entry);
            } else {
                self.ring.push(number, entry);
            }
        }
    }

    #[cold]
    fn end_epoch(&mut self) {
        let elapsed_us = self.now.since(self.epoch.began).micros() as u64;
        let shift = fitting_shift(elapsed_us, self.epoch.pops, self.len).unwrap_or(self.ring.shift());
        let buckets = fitting_buckets(self.len);
        let off = |a: u32, b: u32| a.abs_diff(b) >= 2;
        if off(shift, self.ring.shift()) || off(buckets.ilog2(), self.ring.bucket_count().ilog2()) {
            self.rebuild(shift, buckets);
        }
        let pops_wanted = (self.len as u64 / 8).min(self.epoch.pops_wanted * 2).max(SHORTEST_EPOCH);
        self.epoch = Epoch { began: self.now, pops: 0, pops_wanted };
    }

    fn rebuild(&mut self, shift: u32, buckets: usize) {
        let mut all = core::mem::take(&mut self.current);
        all.extend(self.near.drain());
        all.extend(self.overflow.drain());
        self.ring.drain_all(&mut all);
        self.ring.reshape(shift, buckets);
        self.cursor = self.ring.number(self.now);
        all.drain(..).for_each(|entry| self.place(entry));
        self.current = all;
    }
}

/// Events of a bucket: [`LEAST_PER_BUCKET`], more where a turn would otherwise need more than [`MOST_BUCKETS`].
fn events_per_bucket(len: usize) -> u64 {
    (len as u64 * TURN_IN_MEAN_DELAYS / MOST_BUCKETS as u64).max(LEAST_PER_BUCKET)
}

/// Exponent of the width at which a bucket gets its [`events_per_bucket`]; nothing if no time has passed.
fn fitting_shift(elapsed_us: u64, pops: u64, len: usize) -> Option<u32> {
    let width_us = elapsed_us.saturating_mul(events_per_bucket(len)) / pops.max(1);
    (elapsed_us > 0).then(|| width_us.max(1).ilog2().min(WIDEST_SHIFT))
}

fn fitting_buckets(len: usize) -> usize {
    let wanted = len as u64 * TURN_IN_MEAN_DELAYS / events_per_bucket(len);
    (wanted as usize).clamp(FEWEST_BUCKETS, MOST_BUCKETS).next_power_of_two()
}

#[cfg(test)]
mod tests;
