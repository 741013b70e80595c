//! Whether the books balance: what clients, services, pods and balancers counted themselves against what one walk over all calls
//! finds. Counts that are never read together elsewhere are compared here, so that none can drift alone.

use super::Serving;
use super::calls::{Call, NONE, State};
use super::server::Phase;
use super::totals::{ClientTotals, Imbalance};

/// Calls of a service or a pod, by where they are.
#[derive(Clone, Copy, Debug, Default)]
struct Here {
    queued: u32,
    in_service: u32,
    calling: u32,
}

impl Here {
    const fn add(&mut self, state: State) {
        match state {
            State::Queued => self.queued += 1,
            State::InService => self.in_service += 1,
            State::Calling => self.calling += 1,
            State::Free | State::Gone | State::Backoff => {}
        }
    }

    const fn present(&self) -> u32 {
        self.queued + self.in_service + self.calling
    }
}

/// What a walk over all calls finds.
struct Found {
    under_way: u64,
    services: Vec<Here>,
    pods: Vec<Here>,
}

impl Serving {
    /// Whether the books balance; walks over everything once.
    ///
    /// # Errors
    /// The first account that does not.
    pub fn conservation(&self) -> Result<(), Imbalance> {
        let found = self.found();
        self.check_clients(found.under_way)?;
        found.services.iter().enumerate().try_for_each(|(service, here)| self.check_service(service, here))?;
        found.pods.iter().enumerate().try_for_each(|(slot, here)| self.check_pod(slot, here))
    }

    fn found(&self) -> Found {
        let mut found = Found {
            under_way: 0,
            services: vec![Here::default(); self.services.len()],
            pods: vec![Here::default(); self.servers.len()],
        };
        for call in self.calls.places() {
            found.under_way += u64::from(is_under_way(call));
            found.services[usize::from(call.service)].add(call.state);
            if call.slot != NONE {
                found.pods[call.slot as usize].add(call.state);
            }
        }
        found
    }

    fn check_clients(&self, under_way: u64) -> Result<(), Imbalance> {
        let ClientTotals { offered, retries, done, failed, .. } = self.clients;
        if offered != done + failed + under_way {
            return Err(Imbalance::Clients { offered, done, failed, under_way });
        }
        let sent = self.edges.iter().filter(|edge| edge.from.is_none()).map(|edge| edge.calls).sum();
        if sent == offered + retries { Ok(()) } else { Err(Imbalance::Tries { sent, offered, retries }) }
    }

    fn check_service(&self, index: usize, here: &Here) -> Result<(), Imbalance> {
        let service = &self.services[index];
        let (arrived, completed, failed) = (service.count.arrived, service.count.completed, service.count.failed);
        let present = u64::from(here.present());
        if arrived != completed + failed + present {
            return Err(Imbalance::Service { service: index, arrived, completed, failed, present });
        }
        let sent = self.edges.iter().filter(|edge| usize::from(edge.to) == index).map(|edge| edge.calls).sum();
        if arrived != sent {
            return Err(Imbalance::Edges { service: index, arrived, sent });
        }
        for (counted, found) in [(service.queued, here.queued), (service.in_service, here.in_service)] {
            if counted != found {
                return Err(Imbalance::Queue { service: index, counted, found });
            }
        }
        let its = |server: &&super::Server| server.phase == Phase::Ready && usize::from(server.service) == index;
        let (ready, known) = (self.servers.iter().filter(its).count(), service.balancer.ready());
        if ready == known as usize { Ok(()) } else { Err(Imbalance::Endpoints { service: index, known, ready }) }
    }

    fn check_pod(&self, slot: usize, here: &Here) -> Result<(), Imbalance> {
        let server = &self.servers[slot];
        for (counted, found) in [(server.present, here.present()), (server.queued, here.queued)] {
            if counted != found {
                return Err(Imbalance::Pod { slot, counted, found });
            }
        }
        let service = &self.services[usize::from(server.service)];
        let (busy, workers) = (server.busy(), server.workers());
        let held = if service.holds_worker { here.calling } else { 0 };
        if busy > workers || here.in_service != server.running() || held + server.running() != busy {
            return Err(Imbalance::Workers { slot, busy, workers });
        }
        let load = if service.balancer.is_shared() { busy } else { server.present };
        let is_known = server.phase != Phase::Ready || service.balancer.knows(server.pod.slot, load);
        if is_known { Ok(()) } else { Err(Imbalance::Load { slot, load }) }
    }
}

/// Whether a client waits for a call, or for its next try.
const fn is_under_way(call: &Call) -> bool {
    call.is_root() && !call.detached && !matches!(call.state, State::Free | State::Gone)
}
