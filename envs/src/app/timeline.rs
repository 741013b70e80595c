//! Rows of a timeline out of a flow: amounts are rounded so that their sums are right, quantiles stand where they have a closed form.
//!
//! Time from arrival to completion is known in closed form while a service is in the steady state all through an interval. Of the
//! whole request it is known where the application is one service alone.

use seatrial_core::record::timeline::{ClientRow, Edge, Percentiles, ServiceRow, Timeline};
use seatrial_core::time::Span;

use crate::fluid::network::{ClientTally, EdgeTally, Network};
use crate::fluid::node::{Node, Tally};
use crate::fluid::work::Work;
use crate::spec::lower::Lowered;

/// Collects rows; see the module.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    timeline: Timeline,
    /// Scrape intervals per row, and of the row that is being filled.
    slots: (i64, i64),
    services: Vec<Totals>,
    works: Vec<Work>,
    clients: ClientTotals,
    /// Whether what the one service does is all that clients see.
    alone: bool,
}

/// Sums since the start, to round from.
#[derive(Clone, Copy, Debug, Default)]
struct Totals {
    arrived: f64,
    completed: f64,
    dropped: f64,
}

#[derive(Clone, Copy, Debug, Default)]
struct ClientTotals {
    offered: f64,
    bad: f64,
    failed: f64,
}

impl Rows {
    /// A row per `interval`, in whole slots; one slot unless given.
    pub(super) fn new(network: &Network<'_>, lowered: &Lowered, interval: Option<Span>) -> Self {
        let slot = network.slot_end() - network.now();
        let per_row = interval.map_or(1, |interval| interval.whole_steps(slot).max(1));
        let names: Vec<String> = lowered.services.iter().map(|service| service.name.clone()).collect();
        let timeline = Timeline {
            start: network.now(),
            interval: slot * per_row,
            services: names,
            pools: Vec::new(),
            service_rows: Vec::new(),
            pool_rows: Vec::new(),
            client_rows: Vec::new(),
            latency_edges_s: vec![f64::INFINITY],
            latency_counts: Vec::new(),
            marks: Vec::new(),
            edges: Vec::new(),
        };
        let count = timeline.services.len();
        let services = vec![Totals::default(); count];
        let works = lowered.services.iter().map(|service| service.work.clone()).collect();
        Self { timeline, slots: (per_row, 0), services, works, clients: ClientTotals::default(), alone: count == 1 }
    }

    /// Counts a slot that ended; whether a row is full with it.
    pub(super) const fn are_due(&mut self) -> bool {
        self.slots.1 += 1;
        if self.slots.1 == self.slots.0 {
            self.slots.1 = 0;
        }
        self.slots.1 == 0
    }

    /// Writes the rows of the interval that ends now.
    pub(super) fn write(&mut self, network: &mut Network<'_>, desired: impl Iterator<Item = u32>) {
        let mut latency = Percentiles::default();
        let mut dropped = 0.0;
        let works = self.works.iter();
        for (((node, totals), work), desired) in
            network.nodes.iter_mut().zip(&mut self.services).zip(works).zip(desired)
        {
            let tally = core::mem::replace(&mut node.tally, Tally::EMPTY);
            let row = row((node, work), &tally, totals, desired);
            latency = row.latency;
            dropped += tally.dropped;
            self.timeline.service_rows.push(row);
        }
        let ClientTally { offered, bad } = core::mem::take(&mut network.tally);
        let new = |total: &mut f64, more: f64| {
            let before = whole(*total);
            *total += more;
            whole(*total) - before
        };
        let offered = new(&mut self.clients.offered, offered);
        let failed = new(&mut self.clients.failed, dropped);
        self.timeline.client_rows.push(ClientRow {
            offered,
            retries: 0,
            done: offered.saturating_sub(failed),
            failed,
            bad: new(&mut self.clients.bad, bad),
            latency: if self.alone { latency } else { Percentiles::default() },
        });
    }

    /// The whole timeline.
    pub(super) fn finish(mut self, network: &Network<'_>, lowered: &Lowered) -> Timeline {
        let name = |service: usize| lowered.services[service].name.clone();
        let edge =
            |from, to, tally: &EdgeTally| Edge { from, to, calls: whole(tally.calls), failed: whole(tally.failed) };
        for (to, tally) in network.entered.iter().enumerate().filter(|(_, tally)| tally.calls > 0.0) {
            self.timeline.edges.push(edge(None, name(to), tally));
        }
        for (from, tallies) in network.edges.iter().enumerate() {
            for (call, tally) in lowered.graph.calls(from).iter().zip(tallies) {
                self.timeline.edges.push(edge(Some(name(from)), name(call.to), tally));
            }
        }
        self.timeline
    }
}

fn row((node, work): (&Node<'_>, &Work), tally: &Tally, totals: &mut Totals, desired: u32) -> ServiceRow {
    let before = *totals;
    totals.arrived += tally.arrived;
    totals.completed += tally.completed;
    totals.dropped += tally.dropped;
    let busy = node.busy_workers();
    let quantile = |level| tally.steady.and_then(|waiting| waiting.stay_quantile_s(&node.world, work, level));
    ServiceRow {
        desired,
        pending: 0,
        unreachable: 0,
        starting: node.pods.starting(),
        ready: node.pods.ready(),
        terminating: node.pods.terminating(),
        queued: count(node.backlog),
        in_service: count(busy),
        arrived: whole(totals.arrived) - whole(before.arrived),
        completed: whole(totals.completed) - whole(before.completed),
        failed: whole(totals.dropped) - whole(before.dropped),
        cpu_s: tally.completed * node.world.mean_s,
        latency: Percentiles { p50_s: quantile(0.5), p95_s: quantile(0.95), p99_s: quantile(0.99) },
    }
}

/// The nearest whole number of something that never shrinks.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative; saturates")]
const fn whole(amount: f64) -> u64 {
    (amount + 0.5) as u64
}

fn count(amount: f64) -> u32 {
    u32::try_from(whole(amount)).unwrap_or(u32::MAX)
}
