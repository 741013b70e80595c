//! Services that call each other, as a flow: the rate at a service is what comes from outside plus what its callers complete per
//! second, times the expected calls of each.
//!
//! Between two events every rate is constant. Events are those of [`super::kernel`], for all services together, and the moments at
//! which a backlog ends or reaches its limit: until it ends a service completes at its capacity, afterwards at the rate of its arrivals.
//! Calls take no time of their own on the way.
//!
//! A request is good if it is good at the service where it comes in and all the calls that it needs are answered: the objective is about
//! the wait at that service alone, as on the event kernel. A service's own bad calls are those of its own queue. The shares of calls
//! that are not answered are taken as independent ([`Graph::with_callees`]). That is an approximation: services that call each other are
//! busy together, which makes the share of bad requests too high. The shares are means of a stretch, which ends where a queue
//! begins to drop or is drained; while it drains a product of means is not the mean of products (tested: 0.2 %).

use seatrial_core::time::{Span, Timestamp};

use super::costs::{CostTerms, DAY, DayCosts, Ledger};
use super::graph::Graph;
use super::node::{Node, SettledNode};
use crate::load::{EpisodeLoad, Traffic};

/// Where requests come in.
#[derive(Clone, Copy, Debug)]
struct Entry {
    service: usize,
    /// Nobody else calls it and it calls nobody: its own bad calls are the bad requests.
    alone: bool,
}

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Network<'a> {
    graph: &'a Graph,
    pub(crate) nodes: Vec<Node<'a>>,
    /// What comes from outside, by service.
    direct: Vec<Option<&'a EpisodeLoad>>,
    entries: Vec<Entry>,
    now: Timestamp,
    end: Timestamp,
    bin: usize,
    bin_end: Timestamp,
    slot_end: Timestamp,
    midnight: Timestamp,
    /// Results count from then on.
    counts_from: Timestamp,
    /// Requests and bad ones, of the whole.
    ledger: Ledger,
    /// Of the present stretch: calls per second that each service completes.
    passed_on: Vec<f64>,
    /// Of the present stretch: share of calls that are answered, with all that they need.
    answered: Vec<f64>,
    /// Of the present stretch: bad calls of each service's own queue among those that came from outside.
    own_bad: Vec<f64>,
    pub(crate) tally: ClientTally,
    /// Calls over each edge after the warm-up, by caller and call.
    pub(crate) edges: Vec<Vec<EdgeTally>>,
    /// Requests from outside after the warm-up, by service.
    pub(crate) entered: Vec<EdgeTally>,
}

/// What clients saw over some time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct ClientTally {
    pub(crate) offered: f64,
    pub(crate) bad: f64,
}

/// Calls over an edge.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct EdgeTally {
    pub(crate) calls: f64,
    pub(crate) failed: f64,
}

/// What is left of a network at the end.
pub(crate) struct SettledNetwork {
    pub(crate) days: Vec<DayCosts>,
    pub(crate) services: Vec<SettledService>,
    /// The greatest of the services: arrived − completed − dropped − queued, and what came from outside against what was offered.
    pub(crate) imbalance: f64,
}

/// What is left of one of its services.
pub(crate) struct SettledService {
    pub(crate) days: Vec<DayCosts>,
    pub(crate) total: CostTerms,
    pub(crate) utilisation: f64,
}

impl<'a> Network<'a> {
    /// The network of `nodes` at the beginning of their traffic, with `direct` requests from outside.
    pub(crate) fn new(
        graph: &'a Graph,
        nodes: Vec<Node<'a>>,
        direct: Vec<Option<&'a EpisodeLoad>>,
        first: &Traffic,
        (warm_up, duration): (Span, Span),
    ) -> Self {
        let start = first.load().start();
        let entries = (0..nodes.len()).filter(|service| direct[*service].is_some());
        let entry = |service: usize| Entry {
            service,
            alone: graph.calls(service).is_empty() && graph.callers(service).is_empty(),
        };
        let edges = (0..nodes.len()).map(|from| vec![EdgeTally::default(); graph.calls(from).len()]).collect();
        Self {
            graph,
            entries: entries.map(entry).collect(),
            now: start,
            end: start + duration,
            bin: 0,
            bin_end: start + first.load().interval(),
            slot_end: start + first.slot(),
            midnight: Timestamp::ZERO + DAY * ((start - Timestamp::ZERO).whole_steps(DAY) + 1),
            counts_from: start + warm_up,
            ledger: Ledger::with_room(usize::try_from(duration.whole_steps(DAY) + 2).unwrap_or(0)),
            passed_on: vec![0.0; nodes.len()],
            answered: vec![1.0; nodes.len()],
            own_bad: vec![0.0; nodes.len()],
            tally: ClientTally::default(),
            edges,
            entered: vec![EdgeTally::default(); nodes.len()],
            direct,
            nodes,
        }
    }

    pub(crate) const fn now(&self) -> Timestamp {
        self.now
    }

    pub(crate) const fn end(&self) -> Timestamp {
        self.end
    }

    pub(crate) const fn slot_end(&self) -> Timestamp {
        self.slot_end
    }

    /// Lets time pass until `until`, at most the end.
    pub(crate) fn advance(&mut self, until: Timestamp) {
        let until = until.min(self.end);
        while self.now < until {
            let event = self.next_event(until);
            let next = self.meet(event);
            self.pass(next);
            self.turn();
        }
    }

    fn next_event(&self, until: Timestamp) -> Timestamp {
        let mut event = until.min(self.slot_end).min(self.midnight);
        if self.counts_from > self.now {
            event = event.min(self.counts_from);
        }
        self.nodes.iter().filter_map(|node| node.pods.next_ready()).fold(event, Timestamp::min)
    }

    fn direct_rate(&self, service: usize) -> f64 {
        self.direct[service].and_then(|load| load.rates_per_s().get(self.bin)).copied().unwrap_or(0.0)
    }

    /// Sets every rate; answers with `event`, or with the moment before it at which a backlog of services that depend on each other
    /// ends or can grow no more: calls fail by other shares from then on.
    fn meet(&mut self, event: Timestamp) -> Timestamp {
        let mut next = event;
        for &service in self.graph.order() {
            let called: f64 =
                self.graph.callers(service).iter().map(|caller| self.passed_on[caller.from] * caller.each).sum();
            let (direct, node) = (self.direct_rate(service), &mut self.nodes[service]);
            // Adding nothing changes no bit.
            let rate = direct + called;
            let backlog = node.backlog;
            let (waiting, world) = node.meet(rate);
            let drained_in_s = waiting.drained_in_s(world, backlog);
            let turns_in_s = drained_in_s.or_else(|| waiting.full_in_s(world, backlog));
            self.passed_on[service] = if drained_in_s.is_some() { waiting.capacity() } else { waiting.rate_through() };
            let alone = self.graph.calls(service).is_empty() && self.graph.callers(service).is_empty();
            if let Some(seconds) = turns_in_s.filter(|_| !alone) {
                // Rounded up to a microsecond, so that nothing is left of the backlog.
                next = next.min(self.now + Span::from_secs_f64(seconds) + Span::from_micros(1));
            }
        }
        next
    }

    /// Lets the time until `next` pass at the rates that were set.
    fn pass(&mut self, next: Timestamp) {
        let (now, dt_s) = (self.now, (next - self.now).as_secs_f64());
        for &service in self.graph.order() {
            let node = &mut self.nodes[service];
            let flow = node.pass(now, next);
            let lost = if flow.arrivals > 0.0 { (flow.dropped / flow.arrivals).min(1.0) } else { 0.0 };
            self.answered[service] = 1.0 - lost;
            self.own_bad[service] = flow.bad * self.share_from_outside(service);
            self.book_calls(service, dt_s, lost);
            if self.entries.iter().any(|entry| entry.service == service && entry.alone) {
                self.book_requests(flow.arrivals, flow.bad);
            }
        }
        self.graph.with_callees(&mut self.answered);
        for index in 0..self.entries.len() {
            let Entry { service, alone } = self.entries[index];
            if !alone {
                let requests = self.direct_rate(service) * dt_s;
                let failed = 1.0 - self.graph.needed(service, &self.answered);
                let bad = self.own_bad[service];
                self.book_requests(requests, bad + (requests - bad).max(0.0) * failed);
            }
        }
        self.now = next;
    }

    /// Share of the calls of a service that come from outside; where none come, of those it may have left.
    fn share_from_outside(&self, service: usize) -> f64 {
        let direct = self.direct_rate(service);
        let callers = self.graph.callers(service);
        let called: f64 = callers.iter().map(|caller| self.passed_on[caller.from] * caller.each).sum();
        if direct + called > 0.0 { direct / (direct + called) } else { f64::from(u8::from(callers.is_empty())) }
    }

    fn book_requests(&mut self, requests: f64, bad: f64) {
        let terms = self.ledger.at(self.now);
        terms.requests += requests;
        terms.bad_requests += bad;
        self.tally.offered += requests;
        self.tally.bad += bad;
    }

    /// Counts the calls that `service` got, of which a share is `lost`.
    fn book_calls(&mut self, service: usize, dt_s: f64, lost: f64) {
        let direct = self.direct_rate(service) * dt_s;
        self.entered[service].calls += direct;
        self.entered[service].failed += direct * lost;
        for caller in self.graph.callers(service) {
            let calls = self.passed_on[caller.from] * caller.each * dt_s;
            let edge = &mut self.edges[caller.from][caller.call];
            edge.calls += calls;
            edge.failed += calls * lost;
        }
    }

    /// What changes at the moment that was reached.
    fn turn(&mut self) {
        if self.now == self.slot_end {
            self.slot_end += self.nodes.first().map_or(DAY, |node| node.world.slot);
            self.nodes.iter_mut().for_each(Node::turn_slot);
        }
        if self.now == self.bin_end {
            let interval = self.direct.iter().flatten().next().map_or(DAY, |load| load.interval());
            self.bin_end += interval;
            self.bin += 1;
        }
        if self.now == self.midnight {
            self.midnight += DAY;
        }
        if self.now == self.counts_from {
            self.nodes.iter_mut().for_each(Node::forget_costs);
            self.ledger = Ledger::with_room(usize::try_from((self.end - self.now).whole_steps(DAY) + 2).unwrap_or(0));
            self.edges.iter_mut().flatten().chain(&mut self.entered).for_each(|tally| *tally = EdgeTally::default());
        }
        for node in &mut self.nodes {
            node.pods.become_ready(self.now);
        }
    }

    /// Books what is owed at the end.
    pub(crate) fn settle(self) -> SettledNetwork {
        let Self { nodes, now, ledger, direct, graph, .. } = self;
        let mut imbalance = 0.0_f64;
        let mut services = Vec::with_capacity(nodes.len());
        for (service, node) in nodes.into_iter().enumerate() {
            let SettledNode { ledger, imbalance: own, utilisation, arrived } = node.settle(now);
            let offered = direct[service].filter(|_| graph.callers(service).is_empty());
            let offered = offered.map_or(arrived, |load| load.offered_until(now));
            imbalance = imbalance.max(own).max((offered - arrived).abs() / offered.max(1.0));
            let total = ledger.total();
            services.push(SettledService { days: ledger.into_days(), total, utilisation });
        }
        let mut days = ledger.into_days();
        for (index, DayCosts { terms, .. }) in days.iter_mut().enumerate() {
            let (requests, bad) = (terms.requests, terms.bad_requests);
            services.iter().filter_map(|service| service.days.get(index)).for_each(|day| terms.add(&day.terms));
            (terms.requests, terms.bad_requests) = (requests, bad);
        }
        SettledNetwork { days, services, imbalance }
    }
}
