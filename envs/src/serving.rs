//! Requests through services: pods as servers, balancing, queues, timeouts, retries, call graphs.
//!
//! | part | what |
//! |---|---|
//! | [`Serving`] | the room: told of pods, asked for counters |
//! | `build` | from a scenario to services, call edges, callers and sources |
//! | `arrivals` | requests of a source, one after the other |
//! | `calls` | every try at a service, in a slab |
//! | `flow` | a call's life: sent, queued or begun, done or failed |
//! | `graph` | the calls that a call makes |
//! | `deadlines`, `callers` | who gives up when, and tries again |
//! | `server` | a pod: limited processor sharing by a virtual clock |
//! | `balancer` | which pod a call goes to |
//! | `pods` | what pods do to what they serve |
//! | `report`, `latency`, `books` | what is counted, and whether the books balance |
//! | `restart` | protocol P1 anew, in the memory that it has |
//!
//! A *request* is a client's wish, judged once; a *call* is one try to be served at a service, a client's or another service's.
//! Everything is a pure function of scenario, seed and the changes of pods: arrivals, sizes, branches and delays of retries are
//! drawn by request, never by what was drawn before, so two strategies meet the same luck whatever they do.
//!
//! Invariants: per service, calls arrived = completed + failed + present; of clients, requests offered = done + failed + under way;
//! no pod serves more calls at once than it has workers. [`Serving::conservation`] walks over everything and checks them.
//! In the steady state nothing allocates: places of calls and queues are used again.
//!
//! A request waits from its first try until the service of a try begins at its entry service; that is what `slo.wait_s` judges.
//! The ratio of bad requests that a service's metrics show is by try and by service: failed, or waited there beyond `slo.wait_s`, or
//! (at the entry) answered after more than `slo.latency_s`.
//!
//! # Deviations
//!
//! 1. A call takes no time on the network, and refusing one costs its server nothing.
//! 2. No cancelling: whoever gives up a call says so to nobody. A queued call is thrown away at its caller's deadline (where the
//!    service looks at deadlines), or when its turn comes and its caller has ended; one in service is finished for nobody.
//! 3. A proxy's own view: balancers know the true number of requests in each pod, over all callers together.
//! 4. A queue limit turns away what arrives; a queue that is over it because pods left keeps what it has.

mod arrivals;
mod balancer;
mod books;
mod build;
mod callers;
mod calls;
mod deadlines;
mod error;
mod event;
mod flow;
mod graph;
mod latency;
mod pods;
mod report;
mod restart;
mod server;
mod service;
mod totals;

#[cfg(test)]
mod tests;

use core::hint::black_box;
use std::collections::VecDeque;

use hdrhistogram::Histogram;
use seatrial_core::time::{Span, Timestamp};

pub(crate) use build::source_seed;
pub use error::ServingError;
pub use event::{Event, Happening, Notice};
pub use totals::{ClientTotals, Imbalance, IntervalRows, ServiceTotals};

use crate::cluster::change::PodChange;
use crate::events::{EventQueue, Others, PastEvent};
use crate::load::Traffic;
use crate::scenario::Scenario;
use crate::spec::service::Balancing;
use crate::spec::{Inputs, ScenarioSpec};
pub(crate) use arrivals::SlotLoad;
use arrivals::Source;
use callers::Caller;
use calls::{Calls, State};
use latency::Latency;
use server::Server;
use service::{CallEdge, Service};

/// Requests, calls, queues, clients and what they met; see the module. `clone` is snapshot and fork, together with the queue.
#[derive(Clone, Debug)]
pub struct Serving {
    seed: u64,
    objective: Objective,
    services: Vec<Service>,
    /// Those of clients first, one per service.
    edges: Vec<CallEdge>,
    /// Clients first, then one per edge of the call graph.
    callers: Vec<Caller>,
    sources: Vec<Source>,
    /// Work factor by class; class 0 is that of requests without one.
    class_work: Vec<f64>,
    /// By pod slot.
    servers: Vec<Server>,
    calls: Calls,
    notices: VecDeque<Notice>,
    /// Taken out of queues because nobody waits for them, not yet booked.
    orphans: Vec<u32>,
    clients: ClientTotals,
    clients_closed: ClientTotals,
    latency: Latency,
    /// Waits of calls whose service began, in microseconds, where somebody asked for them.
    waits: Option<Histogram<u32>>,
    /// What calls did since this was last asked, where somebody asks.
    happenings: Option<Vec<Happening>>,
    names: Vec<String>,
}

/// What makes a request good.
#[derive(Clone, Copy, Debug)]
struct Objective {
    wait: Option<Span>,
    latency: Option<Span>,
}

/// What `build` makes.
struct Parts {
    seed: u64,
    names: Vec<String>,
    objective: Objective,
    services: Vec<Service>,
    edges: Vec<CallEdge>,
    callers: Vec<Caller>,
    sources: Vec<Source>,
    class_work: Vec<f64>,
    latency: Latency,
}

impl Objective {
    fn new(wait_s: Option<f64>, latency_s: Option<f64>) -> Self {
        Self { wait: wait_s.map(Span::from_secs_f64), latency: latency_s.map(Span::from_secs_f64) }
    }
}

impl Serving {
    /// The services, sources and clients of a scenario; no pod yet.
    ///
    /// `inputs` hold one load per row of the scenario's traffic; recorded requests before `start` are left out.
    ///
    /// # Errors
    /// What in the scenario cannot be served.
    pub fn new(spec: &ScenarioSpec, inputs: &Inputs, seed: u64, start: Timestamp) -> Result<Self, ServingError> {
        build::of_spec(spec, inputs, seed, start).map(Self::of)
    }

    /// Protocol P1's one service under `traffic`: a shared queue, limited in seconds of work of the ready pods, and clients
    /// that give up while they wait.
    ///
    /// # Errors
    /// A client timeout that is not positive.
    pub fn protocol(scenario: &Scenario, traffic: &Traffic) -> Result<Self, ServingError> {
        Self::protocol_balanced(scenario, traffic, Balancing::Shared)
    }

    /// The same with another balancing: then each pod has a queue of its own, limited to the same seconds of its work.
    ///
    /// # Errors
    /// A client timeout that is not positive.
    pub fn protocol_balanced(
        scenario: &Scenario,
        traffic: &Traffic,
        balancing: Balancing,
    ) -> Result<Self, ServingError> {
        let load = SlotLoad::new(traffic.load().start(), traffic.slot(), traffic.realised_per_s());
        build::of_protocol(scenario, traffic.seed(), load, balancing).map(Self::of)
    }

    /// [`Self::protocol`] under `load`, whose places and works `seed` draws.
    pub(crate) fn protocol_under(scenario: &Scenario, seed: u64, load: SlotLoad) -> Result<Self, ServingError> {
        build::of_protocol(scenario, seed, load, Balancing::Shared).map(Self::of)
    }

    fn of(parts: Parts) -> Self {
        let Parts { seed, names, objective, services, edges, callers, sources, class_work, latency } = parts;
        Self {
            seed,
            objective,
            services,
            edges,
            callers,
            sources,
            class_work,
            servers: Vec::new(),
            calls: Calls::default(),
            notices: VecDeque::new(),
            orphans: Vec::new(),
            clients: ClientTotals::default(),
            clients_closed: ClientTotals::default(),
            latency,
            waits: None,
            happenings: None,
            names,
        }
    }

    /// Schedules the first request of each source. Once, before the first event.
    ///
    /// # Errors
    /// [`PastEvent`] if the queue's present is after a first request.
    pub fn begin<E: Copy + From<Event>>(&mut self, queue: &mut EventQueue<E>) -> Result<(), PastEvent> {
        for source in 0..self.sources.len() as u16 {
            self.sources[source as usize].advance();
            self.watch_source(source, queue)?;
        }
        Ok(())
    }

    /// Handles an event at the present.
    ///
    /// # Errors
    /// [`PastEvent`] never, unless the queue's clock is wrong.
    pub fn handle<E: Copy + From<Event>>(&mut self, event: Event, queue: &mut EventQueue<E>) -> Result<(), PastEvent> {
        match event {
            Event::Arrival { source } => self.arrival(source, queue),
            Event::Done { call, generation } => self.done(call, generation, queue),
            Event::Departure { slot, ticket } => self.departure(slot, ticket, queue),
            Event::Deadline { caller } => self.deadline(caller, queue),
            Event::Retry { call, generation } => self.retry(call, generation, queue),
        }
    }

    /// Looks at what `event` will need, so that it is at hand when its turn comes. Changes nothing.
    #[inline]
    pub(crate) fn foresee(&self, event: Event, others: Others) {
        let look = |slot: u32| {
            // Loading is all there is to it: nothing may take that for superfluous.
            black_box(self.servers.get(slot as usize).map(|server| server.phase));
        };
        match (event, others) {
            (Event::Done { call, .. }, Others::Four) => {
                black_box(self.calls.get(call).slot);
            }
            (Event::Done { call, .. }, Others::One) => look(self.calls.get(call).slot),
            (Event::Arrival { source }, Others::One) => {
                let service = self.sources[source as usize].service;
                self.services[service as usize].balancer.foreseen().into_iter().for_each(look);
                black_box(self.calls.foreseen());
            }
            _ => {}
        }
    }

    /// Takes note of a change of a pod; one about a pod whose container does not run is ignored, but for its start.
    ///
    /// A container starts at nominal speed. One that starts again while it runs has stopped in between.
    ///
    /// # Errors
    /// [`PastEvent`] never, unless the queue's clock is wrong.
    pub fn apply<E: Copy + From<Event>>(
        &mut self,
        change: &PodChange,
        queue: &mut EventQueue<E>,
    ) -> Result<(), PastEvent> {
        self.change_pod(change, queue)
    }

    /// The next notice, oldest first.
    pub fn pop_notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    /// A worker with a core of its own is done with a call.
    fn done<E: Copy + From<Event>>(
        &mut self,
        id: u32,
        generation: u32,
        queue: &mut EventQueue<E>,
    ) -> Result<(), PastEvent> {
        let (call, now) = (self.calls.get(id), queue.now());
        if call.generation != generation || call.state != State::InService || call.done_at != now {
            return Ok(());
        }
        self.servers[call.slot as usize].end_alone(now);
        self.own_work_done(id, queue)
    }

    /// A pod whose calls share cores may be done with some.
    fn departure<E: Copy + From<Event>>(
        &mut self,
        slot: u32,
        ticket: u32,
        queue: &mut EventQueue<E>,
    ) -> Result<(), PastEvent> {
        let now = queue.now();
        let server = &mut self.servers[slot as usize];
        if server.ticket != ticket {
            return Ok(());
        }
        server.event_came();
        while let Some(id) = self.servers[slot as usize].take_done(now) {
            self.own_work_done(id, queue)?;
        }
        let server = &mut self.servers[slot as usize];
        match server.look(now) {
            Some(at) => queue.push(at, Event::Departure { slot, ticket: server.ticket }.into()),
            None => Ok(()),
        }
    }
}
