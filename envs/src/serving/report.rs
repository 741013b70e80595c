//! What is counted, brought up to a moment.

use hdrhistogram::Histogram;
use seatrial_core::record::timeline::{ClientRow, Edge};
use seatrial_core::time::Timestamp;

use super::Serving;
use super::event::Happening;
use super::server::Phase;
use super::totals::{ClientTotals, IntervalRows, ServiceTotals};
use crate::ids::ServiceId;
use crate::telemetry::counters::{IngressCounters, PodCounters};

/// Longer waits count as a minute; clients are gone by then.
const LONGEST_WAIT_US: u64 = 60_000_000;
/// Small enough to be emptied at every decision.
const WAIT_DIGITS: u8 = 2;

impl Serving {
    /// Counters of the pod in a slot, brought up to `now`; zeros where no container runs.
    #[must_use]
    pub fn pod_counters(&self, slot: usize, now: Timestamp) -> PodCounters {
        let Some(server) = self.servers.get(slot).filter(|server| server.phase != Phase::Absent) else {
            return PodCounters::default();
        };
        PodCounters {
            completed: server.completed,
            duration_s: seconds(server.duration_us),
            cpu_s: server.cpu_s(now),
            in_flight: server.present,
        }
    }

    /// From now on it is kept what single calls do, until [`Self::take_happenings`] takes it.
    pub fn watch_happenings(&mut self) {
        if self.happenings.is_none() {
            self.happenings = Some(Vec::new());
        }
    }

    /// What single calls did since this was last asked, in order; nothing unless they are watched.
    pub fn take_happenings(&mut self) -> impl Iterator<Item = Happening> {
        self.happenings.iter_mut().flat_map(|happenings| happenings.drain(..))
    }

    /// Calls in the pod of a slot, in service, queued at it, or waiting in it for calls of their own.
    #[must_use]
    pub fn in_flight(&self, slot: usize) -> u32 {
        self.servers.get(slot).map_or(0, |server| server.present)
    }

    /// Counters at the ingress of a service.
    #[must_use]
    pub fn ingress(&self, service: ServiceId) -> IngressCounters {
        let count = &self.services[service.index()].count;
        IngressCounters { arrived: count.arrived, bad: count.bad }
    }

    /// Ready pods of a service.
    #[must_use]
    pub fn ready(&self, service: ServiceId) -> u32 {
        self.services[service.index()].balancer.ready()
    }

    /// Calls that wait for a worker of a service, in its shared queue or at its pods.
    #[must_use]
    pub fn queued(&self, service: ServiceId) -> u32 {
        self.services[service.index()].queued
    }

    /// Calls in service at a service's pods.
    #[must_use]
    pub fn in_service(&self, service: ServiceId) -> u32 {
        self.services[service.index()].in_service
    }

    /// Records no latencies any more, and forgets those of before: a world without them is small to fork.
    pub fn leave_out_latencies(&mut self) {
        self.latency.leave_out();
        self.services.iter_mut().for_each(|service| service.latency.leave_out());
    }

    /// From now on waits of all services are recorded; those of before are forgotten.
    pub fn watch_waits(&mut self) {
        match &mut self.waits {
            Some(waits) => waits.reset(),
            None => self.waits = Histogram::new_with_bounds(1, LONGEST_WAIT_US, WAIT_DIGITS).ok(),
        }
    }

    /// A quantile in seconds of the time from arrival to the beginning of service, of calls whose service began since
    /// [`Self::watch_waits`].
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "at most a minute")]
    pub fn wait_quantile_s(&self, level: f64) -> Option<f64> {
        let waits = self.waits.as_ref().filter(|waits| !waits.is_empty())?;
        Some(waits.value_at_quantile(level).min(waits.max()) as f64 / 1e6)
    }

    /// What clients saw since the start.
    #[must_use]
    pub const fn client_totals(&self) -> ClientTotals {
        self.clients
    }

    /// What a service did since the start, brought up to `now`.
    #[must_use]
    pub fn service_totals(&self, service: ServiceId, now: Timestamp) -> ServiceTotals {
        let count = &self.services[service.index()].count;
        ServiceTotals {
            arrived: count.arrived,
            completed: count.completed,
            failed: count.failed,
            started: count.started,
            waited: count.waited,
            wait_s: seconds(count.wait_us),
            sojourn_s: seconds(count.sojourn_us),
            cpu_s: self.cpu_s(service, now),
        }
    }

    fn cpu_s(&self, service: ServiceId, now: Timestamp) -> f64 {
        let is_its = |shape_service: u16| usize::from(shape_service) == service.index();
        let running = self.servers.iter().filter(|server| server.phase != Phase::Absent && is_its(server.service));
        self.services[service.index()].count.cpu_gone_us / 1e6 + running.map(|server| server.cpu_s(now)).sum::<f64>()
    }

    /// Requests of clients under way, those between two tries included: what is left at the end.
    #[must_use]
    pub const fn requests_left(&self) -> u64 {
        self.clients.offered - self.clients.done - self.clients.failed
    }

    /// Ends an interval of the timeline at `now` and writes its rows.
    pub fn close_interval(&mut self, now: Timestamp, rows: &mut IntervalRows<'_>) -> ClientRow {
        for (id, row) in (0_u16..).zip(rows.services.iter_mut()).take(self.services.len()) {
            let cpu_s = self.cpu_s(ServiceId(id), now);
            let service = &mut self.services[usize::from(id)];
            let count = &mut service.count;
            let [arrived, completed, failed] = count.closed;
            row.queued = service.queued;
            row.in_service = service.in_service;
            row.arrived = count.arrived - arrived;
            row.completed = count.completed - completed;
            row.failed = count.failed - failed;
            row.cpu_s = cpu_s - count.closed_cpu_s;
            row.latency = service.latency.close();
            (count.closed, count.closed_cpu_s) = ([count.arrived, count.completed, count.failed], cpu_s);
        }
        self.latency.classes(rows.latency_edges_s, rows.latency_counts);
        let before = core::mem::replace(&mut self.clients_closed, self.clients);
        ClientRow {
            offered: self.clients.offered - before.offered,
            retries: self.clients.retries - before.retries,
            done: self.clients.done - before.done,
            failed: self.clients.failed - before.failed,
            bad: self.clients.bad - before.bad,
            latency: self.latency.close(),
        }
    }

    /// Microseconds from the first try to the answer, of all requests answered since the start.
    #[must_use]
    pub fn latencies(&self) -> Histogram<u64> {
        self.latency.whole()
    }

    /// Microseconds from arrival to completion, of all calls that a service completed since the start.
    #[must_use]
    pub fn service_latencies(&self, service: ServiceId) -> Histogram<u64> {
        self.services[service.index()].latency.whole()
    }

    /// Calls over each edge of the call graph since the start, those of clients first; client edges without calls are left out.
    #[must_use]
    pub fn edges(&self) -> Vec<Edge> {
        self.edges_since(&[])
    }

    /// The same since a moment at which there were so many ([`Self::edge_totals`]; none where nothing is given). A call counts when it
    /// is made, and as failed when it fails.
    #[must_use]
    pub fn edges_since(&self, then: &[[u64; 2]]) -> Vec<Edge> {
        let name = |id: u16| self.names[usize::from(id)].clone();
        let before = then.iter().copied().chain(core::iter::repeat([0, 0]));
        let since = self.edges.iter().zip(before).map(|(edge, [calls, failed])| Edge {
            from: edge.from.map(name),
            to: name(edge.to),
            calls: edge.calls - calls,
            failed: edge.failed - failed,
        });
        since.filter(|edge| edge.from.is_some() || edge.calls > 0).collect()
    }

    /// Calls over each edge and how many of them failed, since the start.
    #[must_use]
    pub fn edge_totals(&self) -> Vec<[u64; 2]> {
        self.edges.iter().map(|edge| [edge.calls, edge.failed]).collect()
    }
}

#[expect(clippy::cast_precision_loss, reason = "sums of microseconds far below 2^53")]
fn seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}
