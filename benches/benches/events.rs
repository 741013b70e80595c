//! `events/hold/{1e4,1e6}`: the hold model (Jones, CACM 29(4), 1986): take the next event, push it again an exponential delay
//! later; one element is one pop and one push. `events/heap/{1e4,1e6}` is the same with the standard binary heap, so that one
//! run on one machine says what the ring is worth.
#![expect(clippy::unwrap_used, reason = "a benchmark may panic")]

use core::cmp::Reverse;
use std::collections::BinaryHeap;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use seatrial_core::math;
use seatrial_core::rand::{Stream, uniform};
use seatrial_core::time::{Span, Timestamp};
use seatrial_envs::events::EventQueue;

/// Mean delay of an event.
const MEAN_US: f64 = 10e6;
/// Delays drawn beforehand, used in turn; 256 KiB, so that they leave the cache to the queue.
const DELAYS: usize = 1 << 16;
/// Holds per measured iteration.
const BATCH: u64 = 10_000;
/// Holds over which both queues must take the same events at the same times.
const COMPARED: u64 = 300_000;

trait Pending {
    fn push(&mut self, at: Timestamp, event: u32);
    fn pop(&mut self) -> (Timestamp, u32);
}

impl Pending for EventQueue<u32> {
    fn push(&mut self, at: Timestamp, event: u32) {
        self.push(at, event).unwrap();
    }

    fn pop(&mut self) -> (Timestamp, u32) {
        self.pop().unwrap()
    }
}

#[derive(Default)]
struct Heap {
    heap: BinaryHeap<Reverse<(Timestamp, u64, u32)>>,
    pushes: u64,
}

impl Pending for Heap {
    fn push(&mut self, at: Timestamp, event: u32) {
        self.heap.push(Reverse((at, self.pushes, event)));
        self.pushes += 1;
    }

    fn pop(&mut self) -> (Timestamp, u32) {
        let Reverse((at, _, event)) = self.heap.pop().unwrap();
        (at, event)
    }
}

struct Hold<'a, Q> {
    queue: Q,
    delays: &'a [u32],
    next_delay: usize,
    last: Timestamp,
    holds: u64,
    checksum: u64,
}

impl<'a, Q: Pending> Hold<'a, Q> {
    /// `pending` events, and as many holds to reach the steady mix of ages.
    fn new(queue: Q, delays: &'a [u32], pending: u32) -> Self {
        let mut hold = Self { queue, delays, next_delay: 0, last: Timestamp::ZERO, holds: 0, checksum: 0 };
        for event in 0..pending {
            let at = Timestamp::ZERO + hold.delay();
            hold.queue.push(at, event);
        }
        hold.run(u64::from(pending));
        hold
    }

    fn delay(&mut self) -> Span {
        self.next_delay = (self.next_delay + 1) % DELAYS;
        Span::from_micros(i64::from(self.delays[self.next_delay]))
    }

    fn run(&mut self, holds: u64) {
        for _ in 0..holds {
            let (now, event) = self.queue.pop();
            assert!(now >= self.last, "time went back");
            self.last = now;
            self.checksum = self.checksum.rotate_left(5) ^ now.micros() as u64 ^ u64::from(event);
            let delay = self.delay();
            self.queue.push(now + delay, event);
        }
        self.holds += holds;
    }
}

fn exponential_delays() -> Vec<u32> {
    let delay_us = |index| -MEAN_US * math::ln(uniform(1, Stream::Search, 0, index));
    (0..DELAYS as u32).map(|index| delay_us(index) as u32).collect()
}

fn hold_model(criterion: &mut Criterion) {
    let delays = exponential_delays();
    let mut group = criterion.benchmark_group("events");
    group.throughput(Throughput::Elements(BATCH));
    for (name, pending) in [("1e4", 10_000_u32), ("1e6", 1_000_000)] {
        let mut started = None;
        group.bench_function(BenchmarkId::new("hold", name), |bencher| {
            let hold = started.get_or_insert_with(|| compared(&delays, pending));
            bencher.iter(|| hold.run(BATCH));
        });
        if let Some(hold) = started {
            assert_eq!(hold.queue.len(), pending as usize, "an event per hold");
            // The rate of the hold model is pending / mean delay, of whole turns of the delays within 1 %.
            let expected_us = MEAN_US * hold.holds as f64 / f64::from(pending);
            let ratio = hold.last.micros() as f64 / expected_us;
            assert!((0.97..1.03).contains(&ratio), "{} holds in {} µs", hold.holds, hold.last.micros());
        }
        let mut heap = None;
        group.bench_function(BenchmarkId::new("heap", name), |bencher| {
            let hold = heap.get_or_insert_with(|| Hold::new(Heap::default(), &delays, pending));
            bencher.iter(|| hold.run(BATCH));
        });
    }
    group.finish();
}

/// A steady hold model, once its events and times are found equal to the heap's.
fn compared(delays: &[u32], pending: u32) -> Hold<'_, EventQueue<u32>> {
    let mut hold = Hold::new(EventQueue::new(Timestamp::ZERO), delays, pending);
    let mut reference = Hold::new(Heap::default(), delays, pending);
    hold.run(COMPARED);
    reference.run(COMPARED);
    assert_eq!((hold.checksum, hold.last), (reference.checksum, reference.last), "order differs from the heap's");
    hold
}

criterion_group!(benches, hold_model);
criterion_main!(benches);
