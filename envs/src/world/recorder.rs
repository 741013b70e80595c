//! Fills a [`Timeline`]: one row per interval and service, pool, and for the clients, with quantiles of that interval alone.
//!
//! What serving counts is a difference of totals, so the sum over intervals does not depend on their length. Where the run is
//! no whole number of intervals the last row covers the rest.

use seatrial_core::record::timeline::{Mark, PoolRow, ServiceRow, Timeline};
use seatrial_core::time::{Span, Timestamp};

use super::latency::class_edges_s;
use crate::cluster::machine::{Cluster, PoolCounts, PoolId, ServiceCounts};
use crate::ids::ServiceId;
use crate::serving::{IntervalRows, Serving};

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Recorder {
    timeline: Timeline,
    /// Calls over each edge until the end of the warm-up, calls and failed ones; empty without a warm-up.
    warm_up: Vec<[u64; 2]>,
}

impl Recorder {
    pub(super) fn new(start: Timestamp, interval: Span, services: Vec<String>, pools: Vec<String>) -> Self {
        let timeline = Timeline {
            start,
            interval,
            services,
            pools,
            service_rows: Vec::new(),
            pool_rows: Vec::new(),
            client_rows: Vec::new(),
            latency_edges_s: class_edges_s(),
            latency_counts: Vec::new(),
            marks: Vec::new(),
            edges: Vec::new(),
        };
        Self { timeline, warm_up: Vec::new() }
    }

    /// The moment at which the interval under way ends.
    pub(super) fn next_end(&self) -> Timestamp {
        let closed = i64::try_from(self.timeline.client_rows.len()).unwrap_or(i64::MAX);
        self.timeline.start + self.timeline.interval * (closed + 1)
    }

    /// Ends the interval under way at `now`.
    pub(super) fn close(&mut self, now: Timestamp, serving: &mut Serving, cluster: &Cluster) {
        let Timeline { services, pools, service_rows, latency_edges_s, latency_counts, .. } = &mut self.timeline;
        let (first, begin) = (service_rows.len(), latency_counts.len());
        service_rows.extend(ids(services.len()).map(|service| pods_row(&cluster.counts_of(service))));
        latency_counts.resize(begin + latency_edges_s.len() - 1, 0);
        let mut rows = IntervalRows {
            services: &mut service_rows[first..],
            latency_edges_s,
            latency_counts: &mut latency_counts[begin..],
        };
        let clients = serving.close_interval(now, &mut rows);
        let pools = (0..u16::try_from(pools.len()).unwrap_or(u16::MAX)).map(PoolId);
        self.timeline.pool_rows.extend(pools.map(|pool| pool_row(&cluster.pool_counts(pool))));
        self.timeline.client_rows.push(clients);
    }

    /// A moment worth a mark; they come in order of time.
    pub(super) fn mark(&mut self, mark: Mark) {
        self.timeline.marks.push(mark);
    }

    /// Whether the interval under way has begun before `now`.
    pub(super) fn is_behind(&self, now: Timestamp) -> bool {
        self.next_end() - self.timeline.interval < now
    }

    /// The warm-up is over: calls so far do not count.
    pub(super) fn forget_edges(&mut self, so_far: Vec<[u64; 2]>) {
        self.warm_up = so_far;
    }

    /// The timeline with the calls after the warm-up.
    pub(super) fn finish(mut self, serving: &Serving) -> Timeline {
        self.timeline.edges = serving.edges_since(&self.warm_up);
        self.timeline
    }
}

/// The ids of so many services.
pub(super) fn ids(services: usize) -> impl Iterator<Item = ServiceId> {
    (0..u16::try_from(services).unwrap_or(u16::MAX)).map(ServiceId)
}

fn pods_row(counts: &ServiceCounts) -> ServiceRow {
    let ServiceCounts { desired, pending, starting, ready, terminating, unreachable } = *counts;
    ServiceRow { desired, pending, starting, unreachable, ready, terminating, ..ServiceRow::default() }
}

fn pool_row(counts: &PoolCounts) -> PoolRow {
    let PoolCounts { provisioning, ready, lost, cpu_requested } = *counts;
    PoolRow { provisioning, ready, lost, cpu_requested }
}
