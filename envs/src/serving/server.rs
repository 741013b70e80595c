//! A pod as a server: limited processor sharing by a virtual clock.
//!
//! The calls in service share the cores, each at speed × min(1, cores / calls in service). `progress_us` is the work that a call
//! would have got that had been in service all the time; a call is done when it has grown by the call's work. So an arrival or a
//! departure changes no call's entry, and the next one to end is the least of a heap (the virtual time of fair queueing: Parekh
//! and Gallager, IEEE/ACM Trans. Networking 1(3), 1993).
//!
//! Where every worker has a core of its own, calls do not slow each other down: each gets its event when it begins, no heap is
//! needed, and no event is ever stale but by a change of speed. Otherwise one event is pending per pod; one that comes too early
//! because calls came on top is put off when it comes.
//!
//! The first cache line of a server holds all that a call on a core of its own looks at, unless calls are queued.
//!
//! Invariant: CPU used is the sum of progress over calls in service; work is whole microseconds, and an end is rounded up to the next
//! one, so it is the work done within a microsecond a call, and never goes down while a container runs.

use core::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};

use seatrial_core::time::{Span, Timestamp};

use crate::ids::PodId;

/// Sums of fractions may miss a call's end by this much.
const DUST_US: f64 = 1e-3;

/// Where a pod stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// No container.
    Absent,
    /// Runs, without requests yet.
    Starting,
    /// Gets requests.
    Ready,
    /// Gets no new requests.
    Left,
}

/// What a service's pods are like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Shape {
    pub(super) service: u16,
    pub(super) workers: u32,
    pub(super) cores: f64,
}

impl Shape {
    /// Whether every worker has a core of its own, so that each call in service has its own event.
    pub(super) fn is_dedicated(&self) -> bool {
        f64::from(self.workers) <= self.cores
    }
}

/// A call in service; the next one to end is the greatest.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Running {
    ends_at_us: f64,
    call: u32,
}

impl Eq for Running {}

impl PartialOrd for Running {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Running {
    fn cmp(&self, other: &Self) -> Ordering {
        other.ends_at_us.total_cmp(&self.ends_at_us).then(other.call.cmp(&self.call))
    }
}

/// A call that begins on a core of its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Alone {
    /// Progress of the server at which it is done.
    pub(super) ends_at_us: f64,
    /// When that is; never at speed 0.
    pub(super) at: Option<Timestamp>,
}

/// A slot of pods.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub(super) struct Server {
    clock: Timestamp,
    progress_us: f64,
    cpu_us: f64,
    speed: f64,
    pub(super) completed: u64,
    pub(super) duration_us: i64,
    /// Calls in service.
    running: u32,
    /// Workers that are neither in service nor held by calls that wait for calls of their own.
    pub(super) free: u32,
    /// Calls here: queued, in service, or waiting for calls of their own.
    pub(super) present: u32,
    pub(super) service: u16,
    pub(super) phase: Phase,
    /// Whether something is in `queue`.
    has_queue: bool,
    /// Calls that wait for a worker of this pod, those thrown away included.
    queue: VecDeque<u32>,
    /// Of them those that still want one.
    pub(super) queued: u32,
    pub(super) ticket: u32,
    /// Those in service that share cores.
    sharing: BinaryHeap<Running>,
    /// The event that is pending where calls share cores.
    pending_at: Option<Timestamp>,
    shape: Shape,
    pub(super) pod: PodId,
}

impl Server {
    /// A slot that nobody has used.
    pub(super) fn absent(slot: u32) -> Self {
        Self {
            clock: Timestamp::ZERO,
            progress_us: 0.0,
            cpu_us: 0.0,
            speed: 1.0,
            completed: 0,
            duration_us: 0,
            running: 0,
            free: 0,
            present: 0,
            service: 0,
            phase: Phase::Absent,
            has_queue: false,
            queue: VecDeque::new(),
            queued: 0,
            ticket: 0,
            sharing: BinaryHeap::new(),
            pending_at: None,
            shape: Shape { service: 0, workers: 0, cores: 0.0 },
            pod: PodId { slot, generation: 0 },
        }
    }

    /// As a slot that nobody has used, in the memory that it has.
    pub(super) fn restart(&mut self) {
        let (sharing, queue) = (core::mem::take(&mut self.sharing), core::mem::take(&mut self.queue));
        *self = Self { sharing, queue, ..Self::absent(self.pod.slot) };
        self.sharing.clear();
        self.queue.clear();
    }

    /// A container starts: counters at zero, nominal speed.
    pub(super) fn start_container(&mut self, pod: PodId, shape: Shape, now: Timestamp) {
        *self = Self {
            pod,
            phase: Phase::Starting,
            shape,
            service: shape.service,
            free: shape.workers,
            clock: now,
            ticket: self.ticket.wrapping_add(1),
            sharing: core::mem::take(&mut self.sharing),
            queue: core::mem::take(&mut self.queue),
            ..Self::absent(pod.slot)
        };
        self.sharing.clear();
        self.queue.clear();
    }

    /// The container ends; returns the CPU microseconds that it used.
    pub(super) fn stop_container(&mut self, now: Timestamp) -> f64 {
        self.advance(now);
        self.phase = Phase::Absent;
        self.ticket = self.ticket.wrapping_add(1);
        self.pending_at = None;
        self.sharing.clear();
        (self.running, self.free) = (0, self.shape.workers);
        (self.completed, self.duration_us) = (0, 0);
        core::mem::take(&mut self.cpu_us)
    }

    /// Calls in service.
    pub(super) const fn running(&self) -> u32 {
        self.running
    }

    pub(super) const fn workers(&self) -> u32 {
        self.shape.workers
    }

    /// Workers that are taken.
    pub(super) const fn busy(&self) -> u32 {
        self.shape.workers.wrapping_sub(self.free)
    }

    pub(super) const fn has_free_worker(&self) -> bool {
        self.free > 0
    }

    /// A call whose own work is done keeps its worker while it waits for calls of its own.
    pub(super) const fn hold_worker(&mut self) {
        self.free -= 1;
    }

    /// Such a call gives its worker back.
    pub(super) const fn release_worker(&mut self) {
        self.free += 1;
    }

    /// A call comes and waits for a worker.
    pub(super) fn enqueue(&mut self, call: u32) {
        self.queue.push_back(call);
        (self.queued, self.present, self.has_queue) = (self.queued + 1, self.present + 1, true);
    }

    /// The call at the head of the queue.
    pub(super) fn first_in_queue(&self) -> Option<u32> {
        self.queue.front().copied()
    }

    /// Takes the call at the head of the queue.
    pub(super) fn next_in_queue(&mut self) -> Option<u32> {
        if !self.has_queue {
            return None;
        }
        let call = self.queue.pop_front();
        self.has_queue = !self.queue.is_empty();
        call
    }

    /// Empties the queue.
    pub(super) fn drain_queue(&mut self) -> impl Iterator<Item = u32> {
        self.has_queue = false;
        self.queue.drain(..)
    }

    /// CPU seconds used since the container started.
    pub(super) fn cpu_s(&self, now: Timestamp) -> f64 {
        (self.cpu_us + self.elapsed_us(now) * self.speed * self.cores_used()) / 1e6
    }

    /// A call of so much work begins on a core of its own.
    pub(super) fn begin_alone(&mut self, work_us: f64, now: Timestamp) -> Alone {
        self.advance_alone(now);
        self.begin();
        let ends_at_us = self.progress_us + work_us;
        Alone { ends_at_us, at: self.done_at(ends_at_us) }
    }

    /// A call on a core of its own is done.
    pub(super) fn end_alone(&mut self, now: Timestamp) {
        self.advance_alone(now);
        self.end();
    }

    /// When progress comes so far on cores of their own; never at speed 0.
    pub(super) fn done_at(&self, ends_at_us: f64) -> Option<Timestamp> {
        self.end_of(ends_at_us, self.speed)
    }

    /// A call of so much work begins to share the cores; returns when to look whether one is done, if that is news.
    pub(super) fn begin_sharing(&mut self, call: u32, work_us: f64, now: Timestamp) -> Option<Timestamp> {
        self.advance(now);
        self.begin();
        self.sharing.push(Running { ends_at_us: self.progress_us + work_us, call });
        self.look(now)
    }

    /// The next call that shared the cores and is done by `now`.
    pub(super) fn take_done(&mut self, now: Timestamp) -> Option<u32> {
        self.advance(now);
        let next = self.sharing.peek().filter(|next| next.ends_at_us <= self.progress_us + DUST_US)?;
        let call = next.call;
        self.sharing.pop();
        self.end();
        Some(call)
    }

    const fn begin(&mut self) {
        self.running += 1;
        self.free -= 1;
    }

    fn end(&mut self) {
        self.running -= 1;
        self.free += 1;
        if self.running == 0 {
            self.progress_us = 0.0;
        }
    }

    /// See [`Shape::is_dedicated`].
    pub(super) fn is_dedicated(&self) -> bool {
        self.shape.is_dedicated()
    }

    /// The pending event has come.
    pub(super) const fn event_came(&mut self) {
        self.pending_at = None;
    }

    /// When to look again where calls share cores, unless an event by then is pending.
    pub(super) fn look(&mut self, now: Timestamp) -> Option<Timestamp> {
        let next = self.sharing.peek()?;
        let at = self.end_of(next.ends_at_us, self.rate())?.max(now);
        match self.pending_at {
            Some(pending) if pending <= at => None,
            earlier => {
                self.ticket = self.ticket.wrapping_add(u32::from(earlier.is_some()));
                self.pending_at = Some(at);
                Some(at)
            }
        }
    }

    /// Runs at another speed from `now` on; returns when to look where calls share cores.
    pub(super) fn set_speed(&mut self, speed: f64, now: Timestamp) -> Option<Timestamp> {
        self.advance(now);
        self.speed = if speed > 0.0 { speed } else { 0.0 };
        self.ticket = self.ticket.wrapping_add(1);
        self.pending_at = None;
        self.look(now)
    }

    fn advance(&mut self, now: Timestamp) {
        let elapsed_us = self.elapsed_us(now);
        self.clock = now;
        if self.running > 0 {
            self.progress_us += elapsed_us * self.rate();
            self.cpu_us += elapsed_us * self.speed * self.cores_used();
        }
    }

    /// The same where every worker has a core of its own.
    fn advance_alone(&mut self, now: Timestamp) {
        let progress_us = self.elapsed_us(now) * self.speed;
        self.clock = now;
        if self.running > 0 {
            self.progress_us += progress_us;
            self.cpu_us += progress_us * f64::from(self.running);
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "microseconds of a run are exact")]
    fn elapsed_us(&self, now: Timestamp) -> f64 {
        now.since(self.clock).micros() as f64
    }

    /// Cores that the calls in service can use.
    fn cores_used(&self) -> f64 {
        f64::from(self.running).min(self.shape.cores)
    }

    /// Progress per microsecond.
    fn rate(&self) -> f64 {
        let running = f64::from(self.running);
        if running <= self.shape.cores { self.speed } else { self.speed * self.shape.cores / running }
    }

    /// When progress reaches `ends_at_us` at `rate`; never at rate 0.
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "saturates, and so does the sum")]
    fn end_of(&self, ends_at_us: f64, rate: f64) -> Option<Timestamp> {
        let left_us = (ends_at_us - self.progress_us - DUST_US).max(0.0);
        if rate <= 0.0 {
            return None;
        }
        // Casting truncates, and what is left is not negative.
        let exact_us = left_us / rate;
        let whole_us = exact_us as i64;
        Some(self.clock + Span::from_micros(whole_us.saturating_add(i64::from((whole_us as f64) < exact_us))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_call_on_a_core_of_its_own_needs_is_one_cache_line() {
        assert_eq!(core::mem::offset_of!(Server, queue), 64);
        assert_eq!(size_of::<Server>(), 192);
    }
}
