//! The life of a call: sent, queued or begun, done or failed, and what its caller makes of it.
//!
//! A call leaves the place where it is (queue, worker, pod) before its end is booked, and its end is booked before its caller
//! hears of it; and a worker that it sets free takes what waits for it before that, so that nothing its caller does next
//! overtakes the queue.

use seatrial_core::rand::{Stream, draw};
use seatrial_core::time::Timestamp;

use super::Serving;
use super::arrivals::Arrival;
use super::callers::jitter;
use super::calls::{Call, Errand, NEVER, NONE, State};
use super::event::{Event, Happening, Notice};
use super::server::Phase;
use crate::events::{EventQueue, PastEvent};
use crate::ids::ServiceId;

impl Serving {
    /// The next request of a source begins.
    pub(super) fn arrival<E: Copy + From<Event>>(
        &mut self,
        source: u16,
        queue: &mut EventQueue<E>,
    ) -> Result<(), PastEvent> {
        let from = &mut self.sources[source as usize];
        let Some(arrival) = from.next else { return Ok(()) };
        let service = from.service;
        if from.advance() {
            self.watch_source(source, queue)?;
        }
        let factor = self.class_work[arrival.class as usize];
        let work_us = self.services[service as usize].work_us(arrival.work_unit, factor, arrival.tokens);
        let now = queue.now();
        let call = Call {
            arrived: now,
            first: now,
            work_us,
            ends_at_us: 0.0,
            done_at: now,
            parent: NONE,
            parent_generation: 0,
            slot: NONE,
            generation: 0,
            edge: service,
            service,
            state: State::Queued,
            detached: false,
            bad_try: false,
            judged: false,
        };
        let Arrival { request, class, tokens, .. } = arrival;
        let errand = Errand { request, class, tokens, attempt: 1, place: 0, path: 0, pending: 0, next_edge: 0 };
        self.clients.offered += 1;
        self.callers[0].first_try();
        let id = self.calls.insert(call, errand);
        self.send(id, queue)
    }

    pub(super) fn watch_source<E: Copy + From<Event>>(
        &self,
        source: u16,
        queue: &mut EventQueue<E>,
    ) -> Result<(), PastEvent> {
        self.sources[source as usize].next.map_or(Ok(()), |next| queue.push(next.at, Event::Arrival { source }.into()))
    }

    /// A call reaches its service: it begins, waits, or is turned away.
    pub(super) fn send<E: Copy + From<Event>>(&mut self, id: u32, queue: &mut EventQueue<E>) -> Result<(), PastEvent> {
        let now = queue.now();
        let call = self.calls.get_mut(id);
        (call.arrived, call.state, call.slot) = (now, State::Queued, NONE);
        let call = *call;
        self.edges[call.edge as usize].calls += 1;
        let service = &mut self.services[call.service as usize];
        service.count.arrived += 1;
        let servers = &self.servers;
        let draw = || {
            let errand = self.calls.errand(id);
            draw(self.seed, Stream::Balancing, errand.request, errand.luck())
        };
        let picked = service.balancer.pick(draw, |slot| servers[slot as usize].present);
        match picked {
            Some(slot) if self.servers[slot as usize].has_free_worker() => {
                self.watch_deadline(id, false, queue)?;
                self.serve(id, slot, queue)
            }
            _ if service.balancer.is_shared() => {
                if service.is_full(service.queued, service.balancer.ready()) {
                    return self.fail(id, false, queue);
                }
                service.queued += 1;
                service.queue.push_back(id);
                self.watch_deadline(id, true, queue)
            }
            Some(slot) => {
                let server = &mut self.servers[slot as usize];
                if service.is_full(server.queued, 1) {
                    return self.fail(id, false, queue);
                }
                service.queued += 1;
                server.enqueue(id);
                self.calls.get_mut(id).slot = slot;
                self.book_load(slot);
                self.watch_deadline(id, true, queue)
            }
            None => self.fail(id, false, queue),
        }
    }

    /// A worker takes a call that is in no queue.
    pub(super) fn serve<E: Copy + From<Event>>(
        &mut self,
        id: u32,
        slot: u32,
        queue: &mut EventQueue<E>,
    ) -> Result<(), PastEvent> {
        let now = queue.now();
        self.judge_wait(id, now);
        let call = self.calls.get_mut(id);
        call.state = State::InService;
        let is_new_here = call.slot == NONE;
        call.slot = slot;
        let service = &mut self.services[call.service as usize];
        service.begins(now.since(call.arrived));
        if let Some(waits) = &mut self.waits {
            waits.saturating_record(now.since(call.arrived).micros().cast_unsigned());
        }
        let server = &mut self.servers[slot as usize];
        server.present += u32::from(is_new_here);
        let next = if service.shape.is_dedicated() {
            let done = server.begin_alone(call.work_us, now);
            (call.ends_at_us, call.done_at) = (done.ends_at_us, done.at.unwrap_or(NEVER));
            done.at.map(|at| (at, Event::Done { call: id, generation: call.generation }))
        } else {
            server.begin_sharing(id, call.work_us, now).map(|at| (at, Event::Departure { slot, ticket: server.ticket }))
        };
        self.book_load(slot);
        next.map_or(Ok(()), |(at, event)| queue.push(at, event.into()))
    }

    /// Free workers of a pod take what waits for them.
    pub(super) fn pull<E: Copy + From<Event>>(
        &mut self,
        slot: u32,
        queue: &mut EventQueue<E>,
    ) -> Result<(), PastEvent> {
        while let Some(id) = self.next_waiting(slot) {
            self.serve(id, slot, queue)?;
        }
        while let Some(id) = self.orphans.pop() {
            let slot = self.calls.get(id).slot;
            if slot != NONE {
                self.leave_pod(slot, false);
            }
            self.fail(id, false, queue)?;
        }
        Ok(())
    }

    /// Takes the next call out of the queue that a pod with a free worker serves; lets go those that were thrown away.
    fn next_waiting(&mut self, slot: u32) -> Option<u32> {
        let server = &mut self.servers[slot as usize];
        let service = &mut self.services[server.service as usize];
        let is_shared = service.balancer.is_shared();
        let may_take = if is_shared { server.phase == Phase::Ready } else { server.phase != Phase::Absent };
        if !may_take || !server.has_free_worker() {
            return None;
        }
        loop {
            let id = if is_shared { service.queue.pop_front() } else { server.next_in_queue() }?;
            let call = self.calls.get(id);
            if call.state == State::Gone {
                self.calls.remove(id);
                continue;
            }
            service.queued -= 1;
            server.queued -= u32::from(!is_shared);
            if service.drops_expired && !self.calls.is_wanted(call) {
                // Nobody waits for it any more: its caller ended while it was queued.
                self.orphans.push(id);
                continue;
            }
            return Some(id);
        }
    }

    /// Its own work is done.
    pub(super) fn own_work_done<E: Copy + From<Event>>(
        &mut self,
        id: u32,
        queue: &mut EventQueue<E>,
    ) -> Result<(), PastEvent> {
        let call = *self.calls.get(id);
        let service = &mut self.services[call.service as usize];
        service.in_service -= 1;
        let is_leaf = service.edges.is_empty();
        if is_leaf || !self.calls.is_wanted(&call) {
            self.leave_pod(call.slot, false);
            self.pull(call.slot, queue)?;
            return if is_leaf { self.complete(id, queue) } else { self.fail(id, false, queue) };
        }
        let service = &self.services[call.service as usize];
        let (holds, first) = (service.holds_worker, service.edges.start);
        self.calls.get_mut(id).state = State::Calling;
        self.calls.errand_mut(id).next_edge = first;
        let slot = call.slot;
        if holds {
            self.servers[slot as usize].hold_worker();
        }
        self.book_load(slot);
        self.pull(slot, queue)?;
        self.make_calls(id, queue)
    }

    /// A call in a pod is no longer there.
    pub(super) fn leave_pod(&mut self, slot: u32, held_worker: bool) {
        let server = &mut self.servers[slot as usize];
        server.present -= 1;
        if held_worker {
            server.release_worker();
        }
        if server.present == 0 && server.phase == Phase::Left {
            self.notices.push_back(Notice::Drained(server.pod));
        }
        self.book_load(slot);
    }

    /// Tells the balancer how much a ready pod has.
    pub(super) fn book_load(&mut self, slot: u32) {
        let server = &self.servers[slot as usize];
        if server.phase == Phase::Ready {
            let service = &mut self.services[server.service as usize];
            let is_shared = service.balancer.is_shared();
            let load = if is_shared { service.shape.workers - server.free } else { server.present };
            service.balancer.set_load(slot, load);
        }
    }

    /// A call that has left its pod is answered.
    pub(super) fn complete<E: Copy + From<Event>>(
        &mut self,
        id: u32,
        queue: &mut EventQueue<E>,
    ) -> Result<(), PastEvent> {
        let now = queue.now();
        let call = *self.calls.get(id);
        self.calls.remove(id);
        let sojourn = now.since(call.arrived);
        let service = &mut self.services[call.service as usize];
        service.count.completed += 1;
        service.count.sojourn_us += sojourn.micros();
        service.latency.record(sojourn);
        let is_late = |since: Timestamp| self.objective.latency.is_some_and(|longest| now.since(since) > longest);
        service.count.bad += u64::from(call.is_root() && !call.bad_try && is_late(call.arrived));
        let server = &mut self.servers[call.slot as usize];
        server.completed += 1;
        server.duration_us += sojourn.micros();
        if let Some(happenings) = &mut self.happenings {
            happenings.push(Happening::Completed { pod: server.pod, service: ServiceId(call.service) });
        }
        if call.is_root() {
            self.answer_client(&call, is_late(call.first), now);
            return Ok(());
        }
        if self.calls.is_wanted(&call) { self.child_ended(call.parent, queue) } else { Ok(()) }
    }

    fn answer_client(&mut self, call: &Call, is_late: bool, now: Timestamp) {
        if call.detached {
            self.clients.wasted += 1;
            return;
        }
        self.clients.done += 1;
        self.clients.bad += u64::from(is_late && !call.judged);
        self.latency.record(now.since(call.first));
    }

    /// A call that is in no queue and no pod fails; one that `stays` keeps its place in a queue's order.
    pub(super) fn fail<E: Copy + From<Event>>(
        &mut self,
        id: u32,
        stays: bool,
        queue: &mut EventQueue<E>,
    ) -> Result<(), PastEvent> {
        let call = *self.calls.get(id);
        let count = &mut self.services[call.service as usize].count;
        count.failed += 1;
        count.bad += u64::from(!call.bad_try);
        if stays {
            self.calls.get_mut(id).state = State::Gone;
        } else {
            self.calls.remove(id);
        }
        if call.detached {
            self.clients.wasted += u64::from(call.is_root());
            return Ok(());
        }
        self.try_failed(id, &call, queue)
    }

    /// The caller of a failed try, or of one that it gave up, tries again or takes it as failed; the call's place may be free
    /// by now, but nobody has it yet.
    pub(super) fn try_failed<E: Copy + From<Event>>(
        &mut self,
        id: u32,
        call: &Call,
        queue: &mut EventQueue<E>,
    ) -> Result<(), PastEvent> {
        let now = queue.now();
        let edge = &mut self.edges[call.edge as usize];
        edge.failed += 1;
        let (caller, optional) = (edge.caller, edge.optional);
        if !call.is_root() && !self.calls.is_alive(call.parent, call.parent_generation) {
            return Ok(());
        }
        let errand = *self.calls.errand(id);
        let draw = || jitter(self.seed, errand.request, errand.luck());
        if let Some(delay) = self.callers[caller as usize].retry(errand.attempt, now, draw) {
            return self.retry_after(call, &errand, now + delay, queue);
        }
        if call.is_root() {
            self.clients.failed += 1;
            self.clients.bad += u64::from(!call.judged);
            return Ok(());
        }
        if optional {
            return self.child_ended(call.parent, queue);
        }
        self.calling_failed(call.parent, queue)
    }

    fn retry_after<E: Copy + From<Event>>(
        &mut self,
        call: &Call,
        errand: &Errand,
        at: Timestamp,
        queue: &mut EventQueue<E>,
    ) -> Result<(), PastEvent> {
        let next = Call { state: State::Backoff, bad_try: false, detached: false, slot: NONE, ..*call };
        let id = self.calls.insert(next, Errand { attempt: errand.attempt + 1, ..*errand });
        let generation = self.calls.get(id).generation;
        queue.push(at, Event::Retry { call: id, generation }.into())
    }

    /// The delay before a retry is over.
    pub(super) fn retry<E: Copy + From<Event>>(
        &mut self,
        id: u32,
        generation: u32,
        queue: &mut EventQueue<E>,
    ) -> Result<(), PastEvent> {
        if !self.calls.is_alive(id, generation) {
            return Ok(());
        }
        let call = self.calls.get(id);
        if !self.calls.is_wanted(call) {
            self.calls.remove(id);
            return Ok(());
        }
        self.clients.retries += u64::from(call.is_root());
        if let Some(happenings) = &mut self.happenings {
            happenings.push(Happening::Retried { service: ServiceId(call.service) });
        }
        self.send(id, queue)
    }

    /// Judges what a call waited, now that its service begins.
    fn judge_wait(&mut self, id: u32, now: Timestamp) {
        let Some(longest) = self.objective.wait else { return };
        let call = self.calls.get_mut(id);
        if now.since(call.arrived) > longest && !call.bad_try {
            call.bad_try = true;
            self.services[call.service as usize].count.bad += 1;
        }
        if call.is_root() && !call.detached && !call.judged && now.since(call.first) > longest {
            call.judged = true;
            self.clients.bad += 1;
        }
    }
}
