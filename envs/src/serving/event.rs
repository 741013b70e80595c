//! What happens in this room at a moment, and what the rest of the world is told.

use crate::ids::PodId;

/// An event of the room; the ids are places in its vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The next request of a source.
    Arrival {
        /// Which source.
        source: u16,
    },
    /// A pod may be done with a call.
    Departure {
        /// The pod's slot.
        slot: u32,
        /// Stale unless it is the server's.
        ticket: u32,
    },
    /// Callers may have waited long enough.
    Deadline {
        /// Which callers.
        caller: u16,
    },
    /// A caller tries again.
    Retry {
        /// The call.
        call: u32,
        /// Stale unless it is the call's.
        generation: u32,
    },
}

/// What the cluster has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A pod that left the endpoints has no request any more.
    Drained(PodId),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_small() {
        assert_eq!(size_of::<Event>(), 12);
    }
}
