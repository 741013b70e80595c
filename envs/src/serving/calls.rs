//! Calls: each try to be served at a service, in a slab that hands its places out again.
//!
//! A try carries what its caller knows of the whole wish (first try, number, class), so that a retry is a copy in a new place
//! while the old try may still be at a server, for nobody. A place's generation changes when it is freed; whoever keeps an id for
//! later keeps the generation with it.
//!
//! A busy cluster has more calls than the inner caches hold, and each is looked up again when it ends: what every call needs fills
//! one cache line ([`Call`]), the rest lies apart ([`Errand`]).

use seatrial_core::time::Timestamp;

/// No call, or no pod.
pub(super) const NONE: u32 = u32::MAX;

/// The moment of what does not happen.
pub(super) const NEVER: Timestamp = Timestamp::from_micros(i64::MAX);

/// Where a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// The place is free.
    Free,
    /// In a queue, its own pod's or the shared one.
    Queued,
    /// Still in a queue's order, but thrown away.
    Gone,
    /// A worker does its own work.
    InService,
    /// Its own work is done; it waits for calls that it made.
    Calling,
    /// Its caller waits before it sends it.
    Backoff,
}

/// A call: what its beginning and its end look at, one cache line.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(super) struct Call {
    /// When it arrived at its service.
    pub(super) arrived: Timestamp,
    /// When its caller began the first try.
    pub(super) first: Timestamp,
    /// CPU microseconds of its own work.
    pub(super) work_us: f64,
    /// The server's progress at which it is done, in service on a core of its own.
    pub(super) ends_at_us: f64,
    /// When it is done, in service on a core of its own.
    pub(super) done_at: Timestamp,
    /// The call that made it; [`NONE`]: a client.
    pub(super) parent: u32,
    /// Of `parent`.
    pub(super) parent_generation: u32,
    /// The pod that has it; [`NONE`]: none yet.
    pub(super) slot: u32,
    /// Of this place.
    pub(super) generation: u32,
    /// Along which edge it was made.
    pub(super) edge: u16,
    /// Its service.
    pub(super) service: u16,
    /// See [`State`].
    pub(super) state: State,
    /// Its caller has given it up.
    pub(super) detached: bool,
    /// Counted as bad at its service.
    pub(super) bad_try: bool,
    /// The client's request has been judged bad.
    pub(super) judged: bool,
}

impl Call {
    pub(super) const fn is_root(&self) -> bool {
        self.parent == NONE
    }
}

/// Number of a try of a call in a request's tree; the clients' own tries are their attempts.
pub(super) const fn of_try(place: u32, attempt: u32) -> u32 {
    place.wrapping_mul(0x9E37_79B9).wrapping_add(attempt)
}

/// What draws, retries and calls of its own need to know of a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Errand {
    /// Number of the client's request.
    pub(super) request: u64,
    /// Tokens of the request.
    pub(super) tokens: [u32; 2],
    /// Its place in the request's tree of calls; 0 is the root.
    pub(super) place: u32,
    /// Tells apart the calls that different tries of their callers made: 0 where those are all first ones.
    pub(super) path: u32,
    /// Number of this try, from 1.
    pub(super) attempt: u32,
    /// Calls of its own that it waits for.
    pub(super) pending: u32,
    /// First of its service's call edges that it has not come to yet.
    pub(super) next_edge: u16,
    /// The request's class.
    pub(super) class: u16,
}

impl Errand {
    /// Which draws it has, of those that every try has for itself.
    pub(super) const fn luck(&self) -> u32 {
        of_try(self.place ^ self.path, self.attempt)
    }

    /// The path of calls that it makes.
    pub(super) const fn path_of_calls(&self) -> u32 {
        of_try(self.path, self.attempt - 1)
    }
}

/// All calls.
#[derive(Clone, Debug, Default)]
pub(super) struct Calls {
    places: Vec<Call>,
    /// By place.
    errands: Vec<Errand>,
    free: Vec<u32>,
}

impl Calls {
    /// Forgets all calls and their generations.
    pub(super) fn clear(&mut self) {
        self.places.clear();
        self.errands.clear();
        self.free.clear();
    }

    /// Keeps `call`, which gets the place's generation.
    pub(super) fn insert(&mut self, call: Call, errand: Errand) -> u32 {
        if let Some(id) = self.free.pop() {
            let place = &mut self.places[id as usize];
            *place = Call { generation: place.generation, ..call };
            self.errands[id as usize] = errand;
            return id;
        }
        self.places.push(Call { generation: 0, ..call });
        self.errands.push(errand);
        (self.places.len() - 1) as u32
    }

    /// What lies where the next call will.
    pub(super) fn foreseen(&self) -> Option<u16> {
        self.free.last().map(|id| self.errands[*id as usize].class)
    }

    /// Frees a place; what is left of its call is stale from now on.
    pub(super) fn remove(&mut self, id: u32) {
        let place = &mut self.places[id as usize];
        place.state = State::Free;
        place.generation = place.generation.wrapping_add(1);
        self.free.push(id);
    }

    pub(super) fn get(&self, id: u32) -> &Call {
        &self.places[id as usize]
    }

    pub(super) fn get_mut(&mut self, id: u32) -> &mut Call {
        &mut self.places[id as usize]
    }

    pub(super) fn errand(&self, id: u32) -> &Errand {
        &self.errands[id as usize]
    }

    pub(super) fn errand_mut(&mut self, id: u32) -> &mut Errand {
        &mut self.errands[id as usize]
    }

    /// Whether the call that had `generation` in this place is still there.
    pub(super) fn is_alive(&self, id: u32, generation: u32) -> bool {
        let place = &self.places[id as usize];
        place.generation == generation && place.state != State::Free
    }

    /// Whether anybody waits for the call: its caller has neither given up nor ended.
    pub(super) fn is_wanted(&self, call: &Call) -> bool {
        !call.detached && (call.is_root() || self.is_alive(call.parent, call.parent_generation))
    }

    /// All places with their ids, free ones included.
    pub(super) fn places_mut(&mut self) -> impl Iterator<Item = (u32, &mut Call)> {
        (0..).zip(&mut self.places)
    }

    /// All places, free ones included.
    pub(super) fn places(&self) -> &[Call] {
        &self.places
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_try_of_a_tree_has_its_own_number() {
        assert_eq!(of_try(0, 3), 3);
        assert_ne!(of_try(1, 1), of_try(2, 1));
        assert_eq!(of_try(0, 0), 0, "calls of first tries have the path of their callers");
    }

    #[test]
    fn a_call_fills_a_cache_line() {
        assert_eq!((size_of::<Call>(), size_of::<Errand>()), (64, 40));
    }
}
