//! Against a sorted map keyed by (time, number of the push), over drawn sequences of operations.

use std::collections::BTreeMap;

use seatrial_core::rand::{Stream, below};
use seatrial_core::time::{Span, Timestamp};

use super::{EventQueue, PastEvent};

const SEQUENCES: u64 = 3_000;
const OPERATIONS: u32 = 400;

/// The reference: no buckets, no epochs.
#[derive(Clone, Default)]
struct Model {
    pending: BTreeMap<(i64, u64), u32>,
    pushes: u64,
}

impl Model {
    fn push(&mut self, at: Timestamp, event: u32) {
        self.pending.insert((at.micros(), self.pushes), event);
        self.pushes += 1;
    }

    fn peek(&self) -> Option<Timestamp> {
        self.pending.keys().next().map(|key| Timestamp::from_micros(key.0))
    }

    fn pop(&mut self) -> Option<(Timestamp, u32)> {
        self.pending.pop_first().map(|(key, event)| (Timestamp::from_micros(key.0), event))
    }
}

#[derive(Clone)]
struct Pair {
    queue: EventQueue<u32>,
    model: Model,
    seed: u64,
    sequence: u64,
    index: u32,
}

impl Pair {
    fn new(seed: u64, sequence: u64, start_us: i64) -> Self {
        let queue = EventQueue::new(Timestamp::from_micros(start_us));
        Self { queue, model: Model::default(), seed, sequence, index: 0 }
    }

    fn draw(&mut self, bound: u64) -> u64 {
        self.index += 1;
        below(self.seed, Stream::Search, self.sequence, self.index, bound)
    }

    /// Delays from nothing to 200 years, most of them short, many of them equal.
    fn delay_us(&mut self) -> i64 {
        let magnitude = [0, 1, 3, 10, 100, 1_000, 100_000, 10_000_000, 1 << 40, 6_000_000_000_000_000];
        let kind = self.draw(magnitude.len() as u64 + 4) as usize;
        let bound = magnitude.get(kind).copied().unwrap_or(20_000);
        self.draw(bound + 1) as i64
    }

    fn push(&mut self, delay_us: i64) {
        let (at, event) = (self.queue.now() + Span::from_micros(delay_us), self.index);
        self.queue.push(at, event).unwrap();
        self.model.push(at, event);
    }

    fn pop(&mut self) -> bool {
        assert_eq!(self.queue.peek_time(), self.model.peek(), "peek");
        let (got, wanted) = (self.queue.pop(), self.model.pop());
        assert_eq!(got, wanted, "pop");
        assert_eq!(self.queue.len(), self.model.pending.len(), "length");
        got.is_some()
    }

    fn pop_until(&mut self, limit: Timestamp) {
        let wanted = if self.model.peek().is_some_and(|at| at <= limit) { self.model.pop() } else { None };
        assert_eq!(self.queue.pop_until(limit), wanted, "pop until {limit:?}");
    }

    fn operate(&mut self) {
        match self.draw(100) {
            0..48 => {
                let delay_us = self.delay_us();
                self.push(delay_us);
            }
            48..88 => {
                self.pop();
            }
            88..95 => {
                let limit = self.queue.now() + Span::from_micros(self.delay_us() - 5);
                self.pop_until(limit);
            }
            95 => {
                let to = self.queue.now() + Span::from_micros(self.delay_us());
                let reached = self.model.peek().map_or(to, |next| next.min(to));
                assert_eq!(self.queue.pass_until(to), reached, "pass until {to:?}");
            }
            96..99 => {
                let delay_us = self.delay_us();
                (0..self.draw(60)).for_each(|_| self.push(delay_us));
            }
            _ => {
                for _ in 0..self.draw(200) {
                    self.pop();
                }
            }
        }
    }

    fn drain(&mut self) {
        while self.pop() {}
        assert!(self.queue.is_empty() && self.queue.peek_time().is_none());
    }
}

/// Where every event lies, as the module's documentation promises.
fn assert_invariants(queue: &EventQueue<u32>) {
    let number = |at| queue.ring.number(at);
    assert!(queue.current.is_sorted() && queue.current.iter().all(|entry| number(entry.at) <= queue.cursor));
    assert!(queue.near.iter().all(|entry| number(entry.at) <= queue.cursor));
    let beyond = |at| number(at) > queue.cursor && !queue.ring.within_a_turn(queue.cursor, number(at));
    assert!(queue.overflow.iter().all(|entry| beyond(entry.at)));
    let mut in_ring = Vec::new();
    queue.ring.clone().drain_all(&mut in_ring);
    let ahead = |at| number(at) > queue.cursor && queue.ring.within_a_turn(queue.cursor, number(at));
    assert!(in_ring.iter().all(|entry| ahead(entry.at)));
    assert_eq!(queue.len(), queue.current.len() + queue.near.len() + queue.overflow.len() + in_ring.len());
}

#[test]
fn pops_like_a_sorted_map_over_drawn_sequences() {
    let starts_us = [0, 1_767_225_600_000_000, -3_000_000_000, i64::MIN / 2, -7];
    for sequence in 0..SEQUENCES {
        let mut pair = Pair::new(1, sequence, starts_us[sequence as usize % starts_us.len()]);
        for operation in 0..OPERATIONS {
            pair.operate();
            if operation % 100 == 99 {
                assert_invariants(&pair.queue);
            }
        }
        pair.drain();
    }
}

#[test]
fn a_clone_continues_alike_and_then_goes_its_own_way() {
    for sequence in 0..300 {
        let mut original = Pair::new(2, sequence, 0);
        (0..200).for_each(|_| original.operate());
        let mut fork = original.clone();
        fork.seed = 3;
        let mut twin = original.clone();
        for _ in 0..200 {
            fork.operate();
            original.operate();
        }
        (0..200).for_each(|_| twin.operate());
        let rest = |mut queue: EventQueue<u32>| core::iter::from_fn(move || queue.pop()).collect::<Vec<_>>();
        assert_eq!(rest(original.queue.clone()), rest(twin.queue), "same operations, same queue");
        fork.drain();
        original.drain();
    }
}

/// Thousands of pending events at rates that differ by 10⁶: the ring is rebuilt on the way, and turns many times.
#[test]
fn stays_in_order_while_the_ring_changes_its_shape() {
    let mut pair = Pair::new(4, 0, 0);
    let mut shapes = Vec::new();
    for (pending, mean_us) in [(5_000, 1_000_000_u64), (5_000, 3), (40, 60_000_000), (20_000, 40_000), (1, 5)] {
        while pair.queue.len() < pending {
            let delay_us = pair.draw(2 * mean_us) as i64;
            pair.push(delay_us);
        }
        while pair.queue.len() > pending {
            pair.pop();
        }
        for _ in 0..30_000 {
            pair.pop();
            let delay_us = pair.draw(2 * mean_us) as i64;
            pair.push(delay_us);
        }
        assert_invariants(&pair.queue);
        shapes.push((pair.queue.ring.shift(), pair.queue.ring.bucket_count()));
    }
    // 24 mean gaps (mean delay / pending) to a bucket and a third as many buckets as events, each within a factor of four:
    // 24 · 200 µs = 4,800 µs; 24 · 0.0006 µs is less than the least width; 24 · 1.5 s; 24 · 2 µs; 24 · 5 µs.
    let ideal = [(12, 2_048), (0, 2_048), (25, 64), (5, 8_192), (6, 64)];
    for ((shift, buckets), (ideal_shift, ideal_buckets)) in shapes.iter().zip(ideal) {
        assert!(shift.abs_diff(ideal_shift) <= 2, "{shapes:?}");
        assert!((ideal_buckets / 4..=ideal_buckets * 4).contains(buckets), "{shapes:?}");
    }
    pair.drain();
}

#[test]
fn a_burst_at_one_instant_keeps_the_order_of_insertion() {
    let mut queue = EventQueue::new(Timestamp::ZERO);
    let burst = Timestamp::from_secs(5);
    (0..50_000_u32).for_each(|event| queue.push(burst, event).unwrap());
    for event in 0..50_000 {
        assert_eq!(queue.pop(), Some((burst, event)));
        // The follow-up comes at the same instant and yet after all that were there before.
        queue.push(burst, 50_000 + event).unwrap();
    }
    for event in 50_000..100_000 {
        assert_eq!(queue.pop(), Some((burst, event)));
    }
    assert_eq!(queue.pop(), None);
}

#[test]
fn the_ends_of_time_are_times_like_others() {
    let mut queue = EventQueue::new(Timestamp::from_micros(i64::MIN));
    let times = [i64::MAX, 0, i64::MIN, -1, i64::MAX - 1, i64::MIN + 1, i64::MAX];
    for (event, at) in times.into_iter().enumerate() {
        queue.push(Timestamp::from_micros(at), event).unwrap();
    }
    let order: Vec<usize> = core::iter::from_fn(|| queue.pop()).map(|(_, event)| event).collect();
    assert_eq!(order, [2, 5, 3, 1, 4, 0, 6]);
}

#[test]
fn the_past_is_refused_and_the_present_is_not() {
    let mut queue = EventQueue::new(Timestamp::from_micros(10));
    let (at, now) = (Timestamp::from_micros(9), Timestamp::from_micros(10));
    let error = queue.push(at, 'a').unwrap_err();
    assert_eq!(error, PastEvent { at, now });
    assert_eq!(
        error.to_string(),
        "event at 9 µs is before the queue's present, 10 µs: schedule it at the present or later"
    );
    assert!(queue.is_empty());
    queue.push(now, 'b').unwrap();
    queue.push(Timestamp::from_micros(12), 'c').unwrap();
    assert_eq!(queue.pop(), Some((now, 'b')));
    queue.pop().unwrap();
    assert_eq!(queue.now(), Timestamp::from_micros(12));
    assert!(queue.push(Timestamp::from_micros(11), 'd').is_err());
}

/// Looking ahead must not move the present: what comes in before the next event is still welcome.
#[test]
fn a_limit_before_the_next_event_changes_nothing() {
    let mut queue = EventQueue::new(Timestamp::ZERO);
    let (soon, later) = (Timestamp::from_micros(3_000), Timestamp::from_secs(3_600));
    queue.push(later, 2).unwrap();
    assert_eq!(queue.pop_until(Timestamp::from_secs(60)), None);
    assert_eq!((queue.now(), queue.len(), queue.peek_time()), (Timestamp::ZERO, 1, Some(later)));
    queue.push(soon, 1).unwrap();
    assert_eq!(queue.pop_until(Timestamp::from_secs(60)), Some((soon, 1)));
    assert_eq!(queue.pop_until(later), Some((later, 2)), "the limit itself is included");
}

/// The hold model at 4,000 pending events: nothing grows once it has run for a while.
#[test]
fn a_steady_length_needs_no_further_memory() {
    let mut queue = EventQueue::new(Timestamp::ZERO);
    let delay = |entity: u64, index: u32| Span::from_micros(below(5, Stream::Search, entity, index, 8_000_000) as i64);
    (0..4_000_u64).for_each(|entity| queue.push(Timestamp::ZERO + delay(entity, 0), entity).unwrap());
    let capacity = |queue: &EventQueue<u64>| {
        (queue.current.capacity(), queue.near.capacity(), queue.overflow.capacity(), queue.ring.pool_capacity())
    };
    let hold = |queue: &mut EventQueue<u64>, index: u32| {
        for _ in 0..4_000 {
            let (now, entity) = queue.pop().unwrap();
            queue.push(now + delay(entity, index), entity).unwrap();
        }
    };
    (1..60).for_each(|index| hold(&mut queue, index));
    let before = capacity(&queue);
    (60..180).for_each(|index| hold(&mut queue, index));
    assert_eq!(capacity(&queue), before);
    // 4,000 events in 250 full chunks, and one chunk more for every bucket.
    let most = 4_000 + 16 * queue.ring.bucket_count();
    assert!(queue.ring.pool_len() <= most, "{} places of at most {most}", queue.ring.pool_len());
}

#[test]
fn what_is_coming_is_what_comes_and_looking_changes_nothing() {
    let mut queue = EventQueue::new(Timestamp::ZERO);
    for event in 0..10_u32 {
        queue.push(Timestamp::from_micros(5_200 - i64::from(event)), event).unwrap();
    }
    assert_eq!(queue.coming(0), None, "not yet sorted, and nobody sorts for it");
    assert_eq!(queue.pop(), Some((Timestamp::from_micros(5_191), 9)));
    assert_eq!([0, 1, 8, 9].map(|after| queue.coming(after)), [Some(8), Some(7), Some(0), None]);
    assert_eq!(queue.pop(), Some((Timestamp::from_micros(5_192), 8)));
}
