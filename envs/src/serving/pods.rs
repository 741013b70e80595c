//! What pods do to what they serve: they start, join and leave the endpoints, change their speed, and end.

use super::Serving;
use super::calls::{Call, NEVER, State};
use super::event::{Event, Notice};
use super::server::{Phase, Server};
use crate::cluster::change::{Change, PodChange};
use crate::events::{EventQueue, PastEvent};

impl Serving {
    pub(super) fn change_pod<E: Copy + From<Event>>(
        &mut self,
        change: &PodChange,
        queue: &mut EventQueue<E>,
    ) -> Result<(), PastEvent> {
        let slot = change.pod.slot;
        while self.servers.len() <= slot as usize {
            self.servers.push(Server::absent(self.servers.len() as u32));
        }
        let server = &self.servers[slot as usize];
        let is_known = server.phase != Phase::Absent && server.pod == change.pod;
        match change.what {
            Change::Started => self.pod_started(change, queue),
            _ if !is_known => Ok(()),
            Change::Ready => self.pod_ready(slot, queue),
            Change::Left => {
                self.pod_left(slot);
                Ok(())
            }
            Change::Speed(speed) => self.pod_speed(slot, speed, queue),
            Change::Stopped => self.pod_stopped(slot, queue),
        }
    }

    fn pod_started<E: Copy + From<Event>>(
        &mut self,
        change: &PodChange,
        queue: &mut EventQueue<E>,
    ) -> Result<(), PastEvent> {
        let slot = change.pod.slot;
        if self.servers[slot as usize].phase != Phase::Absent {
            self.pod_stopped(slot, queue)?;
        }
        let shape = self.services[change.service.index()].shape;
        self.servers[slot as usize].start_container(change.pod, shape, queue.now());
        Ok(())
    }

    fn pod_ready<E: Copy + From<Event>>(&mut self, slot: u32, queue: &mut EventQueue<E>) -> Result<(), PastEvent> {
        let server = &mut self.servers[slot as usize];
        if server.phase == Phase::Ready {
            return Ok(());
        }
        server.phase = Phase::Ready;
        let balancer = &mut self.services[server.service as usize].balancer;
        let load = if balancer.is_shared() { server.busy() } else { server.present };
        balancer.join(slot, load);
        self.pull(slot, queue)
    }

    fn pod_left(&mut self, slot: u32) {
        let server = &mut self.servers[slot as usize];
        if server.phase == Phase::Left {
            return;
        }
        if server.phase == Phase::Ready {
            self.services[server.service as usize].balancer.leave(slot);
        }
        server.phase = Phase::Left;
        if server.present == 0 {
            self.notices.push_back(Notice::Drained(server.pod));
        }
    }

    fn pod_speed<E: Copy + From<Event>>(
        &mut self,
        slot: u32,
        speed: f64,
        queue: &mut EventQueue<E>,
    ) -> Result<(), PastEvent> {
        let server = &mut self.servers[slot as usize];
        if let Some(at) = server.set_speed(speed, queue.now()) {
            queue.push(at, Event::Departure { slot, ticket: server.ticket }.into())?;
        }
        if !server.is_dedicated() || server.running() == 0 {
            return Ok(());
        }
        // Each call has its own event: those of the old speed come at moments that are no call's any more.
        let alone = |call: &(u32, &mut Call)| call.1.slot == slot && call.1.state == State::InService;
        for (id, call) in self.calls.places_mut().filter(alone) {
            let at = server.done_at(call.ends_at_us);
            call.done_at = at.unwrap_or(NEVER);
            let event = Event::Done { call: id, generation: call.generation };
            at.map_or(Ok(()), |at| queue.push(at, event.into()))?;
        }
        Ok(())
    }

    /// The container ends, and what it has fails.
    fn pod_stopped<E: Copy + From<Event>>(&mut self, slot: u32, queue: &mut EventQueue<E>) -> Result<(), PastEvent> {
        let server = &mut self.servers[slot as usize];
        let service = &mut self.services[server.service as usize];
        if server.phase == Phase::Ready {
            service.balancer.leave(slot);
        }
        service.count.cpu_gone_us += server.stop_container(queue.now());
        for id in server.drain_queue() {
            if self.calls.get(id).state == State::Gone {
                self.calls.remove(id);
            }
        }
        if server.present == 0 {
            return Ok(());
        }
        // Rare enough to look through all calls; none of them keeps a list for it.
        let here = self.calls.places().iter().zip(0..).filter(|(call, _)| call.slot == slot);
        let lost: Vec<(u32, u32)> = here
            .filter(|(call, _)| matches!(call.state, State::Queued | State::InService | State::Calling))
            .map(|(call, id)| (id, call.generation))
            .collect();
        for (id, generation) in lost {
            if self.calls.is_alive(id, generation) {
                self.lose(id, queue)?;
            }
        }
        Ok(())
    }

    fn lose<E: Copy + From<Event>>(&mut self, id: u32, queue: &mut EventQueue<E>) -> Result<(), PastEvent> {
        let call = self.calls.get(id);
        let service = &mut self.services[call.service as usize];
        let server = &mut self.servers[call.slot as usize];
        service.queued -= u32::from(call.state == State::Queued);
        server.queued -= u32::from(call.state == State::Queued);
        service.in_service -= u32::from(call.state == State::InService);
        server.present -= 1;
        self.fail(id, false, queue)
    }
}
