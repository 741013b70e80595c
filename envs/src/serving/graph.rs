//! Calls that a call makes: stage after stage, those of a stage at once.
//!
//! When a call that is not optional fails for good, its caller fails at once, without waiting for the other calls of the stage;
//! those go on, wanted by nobody: one that is still queued is thrown away when its turn comes (if its service looks), and one that
//! is served makes no calls of its own.

use seatrial_core::rand::{Stream, open_unit, uniform};

use super::Serving;
use super::calls::{Call, Errand, NONE, State};
use super::event::Event;
use crate::events::{EventQueue, PastEvent};

impl Serving {
    /// Makes the calls of the next stage, and of those behind it while there is nothing to wait for.
    pub(super) fn make_calls<E: Copy + From<Event>>(
        &mut self,
        id: u32,
        queue: &mut EventQueue<E>,
    ) -> Result<(), PastEvent> {
        loop {
            let call = *self.calls.get(id);
            let (last, errand) = (self.services[call.service as usize].edges.end, *self.calls.errand(id));
            if errand.next_edge == last {
                return self.calls_done(id, queue);
            }
            if !self.calls.is_wanted(&call) {
                return self.calling_failed(id, queue);
            }
            let stage = self.edges[errand.next_edge as usize].stage;
            let is_behind = |edge: &u16| self.edges[*edge as usize].stage != stage;
            let end = (errand.next_edge..last).find(is_behind).unwrap_or(last);
            // Waits for itself as well while it calls, so that a call that fails at once does not end the stage.
            let caller = self.calls.errand_mut(id);
            (caller.pending, caller.next_edge) = (1, end);
            for edge in errand.next_edge..end {
                if !self.call_along(edge, id, (&call, &errand), queue)? {
                    return Ok(());
                }
            }
            let caller = self.calls.errand_mut(id);
            caller.pending -= 1;
            if caller.pending > 0 {
                return Ok(());
            }
        }
    }

    /// Makes the calls of an edge; false if the caller did not outlive that.
    fn call_along<E: Copy + From<Event>>(
        &mut self,
        index: u16,
        id: u32,
        (caller, errand): (&Call, &Errand),
        queue: &mut EventQueue<E>,
    ) -> Result<bool, PastEvent> {
        let edge = self.edges[index as usize];
        for copy in 0..edge.count {
            let place = place_of(errand.place, index, copy);
            let unit = || uniform(self.seed, Stream::Branching, errand.request, place);
            if edge.probability < 1.0 && unit() >= edge.probability {
                continue;
            }
            let unit = seatrial_core::rand::draw(self.seed, Stream::CallWork, errand.request, place);
            let factor = self.class_work[errand.class as usize];
            let callee = &self.services[edge.to as usize];
            let work_us = callee.work_us(open_unit(unit[0], unit[1]), factor, errand.tokens);
            let call = Call {
                arrived: queue.now(),
                first: queue.now(),
                work_us,
                done_at: queue.now(),
                parent: id,
                parent_generation: caller.generation,
                slot: NONE,
                edge: index,
                service: edge.to,
                state: State::Queued,
                detached: false,
                bad_try: false,
                ..*caller
            };
            let errand =
                Errand { place, path: errand.path_of_calls(), attempt: 1, pending: 0, next_edge: 0, ..*errand };
            self.calls.errand_mut(id).pending += 1;
            self.callers[edge.caller as usize].first_try();
            let call = self.calls.insert(call, errand);
            self.send(call, queue)?;
            if !self.calls.is_alive(id, caller.generation) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// One of the calls that `id` waits for has been answered, or is done without.
    pub(super) fn child_ended<E: Copy + From<Event>>(
        &mut self,
        id: u32,
        queue: &mut EventQueue<E>,
    ) -> Result<(), PastEvent> {
        let caller = self.calls.errand_mut(id);
        caller.pending -= 1;
        if caller.pending > 0 { Ok(()) } else { self.make_calls(id, queue) }
    }

    /// All its calls are done.
    fn calls_done<E: Copy + From<Event>>(&mut self, id: u32, queue: &mut EventQueue<E>) -> Result<(), PastEvent> {
        self.stop_calling(id, queue)?;
        self.complete(id, queue)
    }

    /// It waits for its calls no longer: one that it needs failed, or nobody waits for it.
    pub(super) fn calling_failed<E: Copy + From<Event>>(
        &mut self,
        id: u32,
        queue: &mut EventQueue<E>,
    ) -> Result<(), PastEvent> {
        self.stop_calling(id, queue)?;
        self.fail(id, false, queue)
    }

    fn stop_calling<E: Copy + From<Event>>(&mut self, id: u32, queue: &mut EventQueue<E>) -> Result<(), PastEvent> {
        let call = self.calls.get(id);
        let (slot, held) = (call.slot, self.services[call.service as usize].holds_worker);
        self.leave_pod(slot, held);
        if held { self.pull(slot, queue) } else { Ok(()) }
    }
}

/// Number of a call in its request's tree. Mixed, not counted: trees may have more places than 32 bits could number in order,
/// and two calls with the same number would only share a draw.
const fn place_of(caller: u32, edge: u16, copy: u32) -> u32 {
    let mixed = (caller ^ ((edge as u32) << 16) ^ copy).wrapping_mul(0x9E37_79B1).wrapping_add(0x85EB_CA77);
    (mixed ^ (mixed >> 15)).wrapping_mul(0x2C1B_3C6D) ^ (mixed >> 13)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn places_of_a_bushy_tree_are_different() {
        let children = |place| (0..8).flat_map(move |edge| (0..4).map(move |copy| place_of(place, edge, copy)));
        let places: Vec<u32> = children(0).chain(children(0).flat_map(children)).collect();
        let different: BTreeSet<u32> = places.iter().copied().collect();
        assert_eq!(different.len(), places.len());
        assert!(!different.contains(&0), "the root's");
    }
}
