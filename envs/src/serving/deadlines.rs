//! Callers that give up: what becomes of the try depends on where it is.
//!
//! | where | its caller gave up |
//! |---|---|
//! | queued | thrown away, or served for nobody if the service does not look |
//! | in service | the server finishes its own work, for nobody, and makes no calls |
//! | waiting for calls of its own | it fails: it waits for them no longer than its own caller waits |

use super::Serving;
use super::callers::Deadline;
use super::calls::{NONE, State};
use super::event::Event;
use crate::events::{EventQueue, PastEvent};

impl Serving {
    /// Notes when the caller of a call gives up.
    pub(super) fn watch_deadline<E: Copy + From<Event>>(
        &mut self,
        id: u32,
        is_queued: bool,
        queue: &mut EventQueue<E>,
    ) -> Result<(), PastEvent> {
        let call = self.calls.get(id);
        let index = self.edges[call.edge as usize].caller;
        let caller = &mut self.callers[index as usize];
        let Some(timeout) = caller.timeout else { return Ok(()) };
        if caller.only_while_queued && !is_queued {
            return Ok(());
        }
        let (calls, only_queued) = (&self.calls, caller.only_while_queued);
        caller.make_room(|head| {
            !calls.is_alive(head.call, head.generation) || (only_queued && calls.get(head.call).state != State::Queued)
        });
        let at = queue.now() + timeout;
        caller.deadlines.push_back(Deadline { at, call: id, generation: call.generation });
        if caller.is_watched {
            return Ok(());
        }
        caller.is_watched = true;
        queue.push(at, Event::Deadline { caller: index }.into())
    }

    /// Callers give up the tries whose time is over.
    pub(super) fn deadline<E: Copy + From<Event>>(
        &mut self,
        caller: u16,
        queue: &mut EventQueue<E>,
    ) -> Result<(), PastEvent> {
        let now = queue.now();
        while let Some(head) = self.callers[caller as usize].deadlines.front().copied() {
            let is_there = self.calls.is_alive(head.call, head.generation);
            if is_there && head.at > now {
                return queue.push(head.at, Event::Deadline { caller }.into());
            }
            self.callers[caller as usize].deadlines.pop_front();
            if is_there {
                self.expire(head.call, queue)?;
            }
        }
        self.callers[caller as usize].is_watched = false;
        Ok(())
    }

    fn expire<E: Copy + From<Event>>(&mut self, id: u32, queue: &mut EventQueue<E>) -> Result<(), PastEvent> {
        let call = *self.calls.get(id);
        let caller = &self.callers[self.edges[call.edge as usize].caller as usize];
        match call.state {
            State::Queued if self.services[call.service as usize].drops_expired => self.throw_away(id, queue),
            State::InService if caller.only_while_queued => Ok(()),
            State::Queued | State::InService => self.detach(id, queue),
            State::Calling => self.calling_failed(id, queue),
            State::Free | State::Gone | State::Backoff => Ok(()),
        }
    }

    /// A queued call is thrown away; its place in the order goes when it comes to the front.
    fn throw_away<E: Copy + From<Event>>(&mut self, id: u32, queue: &mut EventQueue<E>) -> Result<(), PastEvent> {
        let (slot, service) = (self.calls.get(id).slot, self.calls.get(id).service);
        self.services[service as usize].queued -= 1;
        if slot != NONE {
            self.servers[slot as usize].queued -= 1;
            self.leave_pod(slot, false);
        }
        self.fail(id, true, queue)?;
        loop {
            let front = match slot {
                NONE => self.services[service as usize].queue.front().copied(),
                _ => self.servers[slot as usize].first_in_queue(),
            };
            let Some(front) = front.filter(|front| self.calls.get(*front).state == State::Gone) else { return Ok(()) };
            match slot {
                NONE => self.services[service as usize].queue.pop_front(),
                _ => self.servers[slot as usize].next_in_queue(),
            };
            self.calls.remove(front);
        }
    }

    /// The caller leaves, the call stays where it is.
    fn detach<E: Copy + From<Event>>(&mut self, id: u32, queue: &mut EventQueue<E>) -> Result<(), PastEvent> {
        let call = *self.calls.get(id);
        let left = self.calls.get_mut(id);
        (left.detached, left.bad_try) = (true, true);
        self.services[call.service as usize].count.bad += u64::from(!call.bad_try);
        self.try_failed(id, &call, queue)
    }
}
