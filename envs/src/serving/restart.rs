//! Protocol P1's service begins anew in the memory that it has: environments that begin episodes by the thousand allocate nothing
//! for it, once each part has been as large as it gets.
//!
//! Afterwards it is as [`Serving::protocol`] makes it (tested): nothing of an earlier episode is seen. Queues of events that go with
//! it begin anew too ([`crate::events::EventQueue::restart`]).

use super::arrivals::SlotLoad;
use super::service::{Count, Service};
use super::totals::ClientTotals;
use super::{CallEdge, Caller, Serving};

impl Serving {
    /// Without pods, before the first request of the slot of `load` that has the number `first`. For protocol P1 alone: it has one
    /// source, and no retries whose budget would have to be filled again.
    pub(crate) fn restart_protocol(&mut self, seed: u64, load: &SlotLoad, first: usize) {
        self.seed = seed;
        self.sources.iter_mut().for_each(|source| source.restart(seed, load, first));
        self.services.iter_mut().for_each(Service::restart);
        self.edges.iter_mut().for_each(CallEdge::restart);
        self.callers.iter_mut().for_each(Caller::restart);
        self.servers.iter_mut().for_each(super::Server::restart);
        self.calls.clear();
        self.notices.clear();
        self.orphans.clear();
        (self.clients, self.clients_closed) = (ClientTotals::default(), ClientTotals::default());
        self.latency.forget();
        if let Some(waits) = &mut self.waits {
            waits.reset();
        }
    }
}

impl Service {
    fn restart(&mut self) {
        self.balancer.clear();
        self.queue.clear();
        (self.queued, self.in_service, self.count) = (0, 0, Count::default());
        self.latency.forget();
    }
}

impl CallEdge {
    const fn restart(&mut self) {
        (self.calls, self.failed) = (0, 0);
    }
}

impl Caller {
    fn restart(&mut self) {
        debug_assert!(self.retries.is_none(), "a budget would have to be filled again");
        self.deadlines.clear();
        self.is_watched = false;
    }
}
