//! What happens in this room at a moment, and what the rest of the world is told.

use crate::ids::{PodId, ServiceId};

/// An event of the room; the ids are places in its vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The next request of a source.
    Arrival {
        /// Which source.
        source: u16,
    },
    /// A worker with a core of its own is done with a call.
    Done {
        /// The call.
        call: u32,
        /// Stale unless it is the call's, and this the moment at which it is to be done.
        generation: u32,
    },
    /// A pod whose calls share cores may be done with some.
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

/// What single calls did, for a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// A pod completed a call.
    Completed {
        /// The pod.
        pod: PodId,
        /// Its service.
        service: ServiceId,
    },
    /// A caller tried again.
    Retried {
        /// The service that it calls.
        service: ServiceId,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_small() {
        assert_eq!(size_of::<Event>(), 12);
    }
}
