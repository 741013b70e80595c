//! Fills a [`Timeline`]: one row per interval and service, pool, and for the clients, with quantiles of that interval alone.
//!
//! Rows are differences of totals that others count, so the sum over intervals does not depend on their length. Where the run is
//! no whole number of intervals the last row covers the rest.

use seatrial_core::record::timeline::{ClientRow, Edge, Mark, PoolRow, ServiceRow, Timeline};
use seatrial_core::time::{Span, Timestamp};

use super::latency::{Latencies, class_edges_s};

/// What clients counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ClientTotals {
    pub(super) offered: u64,
    pub(super) retries: u64,
    pub(super) done: u64,
    pub(super) failed: u64,
    pub(super) bad: u64,
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Recorder {
    timeline: Timeline,
    services: Vec<ServiceRow>,
    clients: ClientTotals,
}

impl Recorder {
    pub(super) fn new(start: Timestamp, interval: Span, services: Vec<String>, pools: Vec<String>) -> Self {
        let before = vec![ServiceRow::default(); services.len()];
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
        Self { timeline, services: before, clients: ClientTotals::default() }
    }

    pub(super) const fn interval(&self) -> Span {
        self.timeline.interval
    }

    /// The moment at which the interval under way ends.
    pub(super) fn next_end(&self) -> Timestamp {
        let closed = i64::try_from(self.timeline.client_rows.len()).unwrap_or(i64::MAX);
        self.timeline.start + self.timeline.interval * (closed + 1)
    }

    /// The row of the next service (in order of ids): what stands in `total` at the interval's end, and the difference of its
    /// totals.
    pub(super) fn service(&mut self, service: usize, total: ServiceRow, latencies: &Latencies) {
        let before = core::mem::replace(&mut self.services[service], total);
        self.timeline.service_rows.push(ServiceRow {
            arrived: total.arrived - before.arrived,
            completed: total.completed - before.completed,
            failed: total.failed - before.failed,
            cpu_s: (total.cpu_s - before.cpu_s).max(0.0),
            latency: latencies.percentiles(),
            ..total
        });
    }

    /// The row of the next pool, in order of names.
    pub(super) fn pool(&mut self, row: PoolRow) {
        self.timeline.pool_rows.push(row);
    }

    /// The clients' row, which ends the interval.
    pub(super) fn clients(&mut self, total: ClientTotals, latencies: &Latencies) {
        let before = core::mem::replace(&mut self.clients, total);
        let Timeline { client_rows, latency_counts, latency_edges_s, .. } = &mut self.timeline;
        client_rows.push(ClientRow {
            offered: total.offered - before.offered,
            retries: total.retries - before.retries,
            done: total.done - before.done,
            failed: total.failed - before.failed,
            bad: total.bad - before.bad,
            latency: latencies.percentiles(),
        });
        let (begin, classes) = (latency_counts.len(), latency_edges_s.len() - 1);
        latency_counts.resize(begin + classes, 0);
        latencies.count_into(latency_edges_s, &mut latency_counts[begin..]);
    }

    /// A moment worth a mark; they come in order of time.
    pub(super) fn mark(&mut self, at: Timestamp, kind: &str, text: String) {
        self.timeline.marks.push(Mark { at, kind: kind.to_owned(), text });
    }

    pub(super) fn marks(&self) -> usize {
        self.timeline.marks.len()
    }

    /// The timeline with the calls of the whole run.
    pub(super) fn finish(mut self, edges: Vec<Edge>) -> Timeline {
        self.timeline.edges = edges;
        self.timeline
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(millis: &[i64]) -> Latencies {
        let mut latencies = Latencies::default();
        for milli in millis {
            latencies.record(Span::from_millis(*milli));
        }
        latencies
    }

    #[test]
    fn rows_are_what_stands_and_what_was_counted_since_the_row_before() {
        let (start, interval) = (Timestamp::from_secs(60), Span::from_secs(15));
        let mut recorder = Recorder::new(start, interval, vec!["web".into()], vec!["small".into()]);
        for (step, millis) in [(1_u64, vec![10, 20]), (2, vec![]), (3, vec![2_000])] {
            assert_eq!(recorder.next_end(), start + interval * step.cast_signed());
            let total = ServiceRow { ready: 3, queued: 2, arrived: 10 * step, cpu_s: 1.5, ..ServiceRow::default() };
            recorder.service(0, total, &of(&millis));
            recorder.pool(PoolRow { ready: 2, ..PoolRow::default() });
            recorder.clients(ClientTotals { offered: 7 * step, bad: step, ..ClientTotals::default() }, &of(&millis));
        }
        recorder.mark(start, "fault", "lost".into());
        assert_eq!(recorder.marks(), 1);
        let timeline = recorder.finish(Vec::new());
        let arrived: Vec<_> = timeline.service_rows.iter().map(|row| (row.ready, row.queued, row.arrived)).collect();
        assert_eq!(arrived, [(3, 2, 10); 3]);
        let cpu: Vec<_> = timeline.service_rows.iter().map(|row| row.cpu_s).collect();
        assert_eq!(cpu, [1.5, 0.0, 0.0]);
        assert_eq!(timeline.service_rows[1].latency.p50_s, None);
        assert_eq!(timeline.client_rows[2].offered, 7);
        let classes = timeline.latency_edges_s.len() - 1;
        let counted: Vec<u32> = timeline.latency_counts.chunks(classes).map(|row| row.iter().sum()).collect();
        assert_eq!((counted, timeline.pool_rows.len(), timeline.marks.len()), (vec![2, 0, 1], 3, 1));
    }
}
