//! A timeline cut into at most so many stretches as can be seen, and what is shown of each.

use std::ops::Range;

use seatrial_core::record::timeline::{ClientRow, Percentiles, PoolRow, ServiceRow, Timeline};

use super::super::axis::Scale;

const MOST: usize = 330;

/// The cut.
pub(super) struct Stretches<'a> {
    timeline: &'a Timeline,
    size: usize,
}

/// Pods of some services at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pods {
    pub(super) ready: u32,
    pub(super) starting: u32,
    pub(super) unreachable: u32,
    pub(super) pending: u32,
    pub(super) terminating: u32,
    pub(super) desired: u32,
}

impl Pods {
    /// All that there are.
    pub(super) const fn all(&self) -> u32 {
        self.ready + self.starting + self.unreachable + self.pending + self.terminating
    }
}

/// Nodes of some pools at one moment; `requested` is the CPU that is requested, in nodes that it would fill.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Nodes {
    pub(super) ready: u32,
    pub(super) provisioning: u32,
    pub(super) lost: u32,
    pub(super) requested: f64,
}

impl<'a> Stretches<'a> {
    pub(super) fn new(timeline: &'a Timeline) -> Self {
        Self { timeline, size: timeline.client_rows.len().div_ceil(MOST).max(1) }
    }

    /// Intervals in a stretch.
    pub(super) const fn size(&self) -> usize {
        self.size
    }

    /// Length of an interval.
    #[expect(clippy::cast_precision_loss, reason = "a length, on paper")]
    pub(super) fn interval_us(&self) -> f64 {
        self.timeline.interval.micros() as f64
    }

    /// Length of a stretch.
    pub(super) fn seconds(&self) -> f64 {
        crate::stats::count(self.size) * self.timeline.interval.as_secs_f64()
    }

    pub(super) fn len(&self) -> usize {
        self.timeline.client_rows.len().div_ceil(self.size)
    }

    fn range(&self, k: usize) -> Range<usize> {
        k * self.size..((k + 1) * self.size).min(self.timeline.client_rows.len())
    }

    fn moment_us(&self, interval: usize) -> i64 {
        let intervals = i64::try_from(interval).unwrap_or(i64::MAX);
        self.timeline.start.micros().saturating_add(self.timeline.interval.micros().saturating_mul(intervals))
    }

    pub(super) fn start_us(&self, k: usize) -> i64 {
        self.moment_us(self.range(k).start)
    }

    pub(super) fn end_us(&self, k: usize) -> i64 {
        self.moment_us(self.range(k).end)
    }

    pub(super) fn time(&self) -> Scale {
        super::span(self.moment_us(0), self.moment_us(self.timeline.client_rows.len()))
    }

    /// Requests per second.
    #[expect(clippy::cast_precision_loss, reason = "counts of requests, on paper")]
    pub(super) fn rate(&self, k: usize, of: fn(&ClientRow) -> u64) -> f64 {
        let range = self.range(k);
        let seconds = crate::stats::count(range.len()) * self.timeline.interval.as_secs_f64();
        self.timeline.client_rows[range].iter().map(of).sum::<u64>() as f64 / seconds
    }

    /// The highest quantile of any interval.
    pub(super) fn greatest(&self, k: usize, of: fn(&Percentiles) -> Option<f64>) -> Option<f64> {
        let rows = &self.timeline.client_rows[self.range(k)];
        rows.iter().filter_map(|row| of(&row.latency)).filter(|s| s.is_finite()).reduce(f64::max)
    }

    fn services(&self, interval: usize) -> &[ServiceRow] {
        let n = self.timeline.services.len();
        &self.timeline.service_rows[interval * n..(interval + 1) * n]
    }

    fn pools(&self, interval: usize) -> &[PoolRow] {
        let n = self.timeline.pools.len();
        &self.timeline.pool_rows[interval * n..(interval + 1) * n]
    }

    /// The longest queue of all services together, or of one.
    pub(super) fn queued(&self, k: usize, service: Option<usize>) -> u64 {
        let of = |interval: usize| -> u64 {
            let rows = self.services(interval).iter().enumerate();
            rows.filter(|(id, _)| service.is_none_or(|wanted| *id == wanted))
                .map(|(_, row)| u64::from(row.queued))
                .sum()
        };
        self.range(k).map(of).max().unwrap_or(0)
    }

    /// Whether any pod is on a silent node.
    pub(super) fn has_unreachable(&self) -> bool {
        self.timeline.service_rows.iter().any(|row| row.unreachable > 0)
    }

    fn pods_at(&self, interval: usize, members: &[usize]) -> Pods {
        let rows = self.services(interval);
        members.iter().fold(Pods::default(), |sum, id| Pods {
            ready: sum.ready + rows[*id].ready,
            starting: sum.starting + rows[*id].starting,
            unreachable: sum.unreachable + rows[*id].unreachable,
            pending: sum.pending + rows[*id].pending,
            terminating: sum.terminating + rows[*id].terminating,
            desired: sum.desired + rows[*id].desired,
        })
    }

    /// Most ready pods at the end of any interval that counts, be it shown or not: what the table of services says.
    pub(super) fn most_pods(&self, members: &[usize], warm_up_s: f64) -> u32 {
        self.counted(warm_up_s).map(|interval| self.pods_at(interval, members).ready).max().unwrap_or(0)
    }

    /// The same of nodes.
    pub(super) fn most_nodes(&self, members: &[usize], warm_up_s: f64) -> u32 {
        self.counted(warm_up_s).map(|interval| self.nodes_at(interval, members).ready).max().unwrap_or(0)
    }

    /// Intervals that do not end with the warm-up or before.
    fn counted(&self, warm_up_s: f64) -> impl Iterator<Item = usize> + '_ {
        let end_s = move |interval: &usize| crate::stats::count(interval + 1) * self.timeline.interval.as_secs_f64();
        (0..self.timeline.client_rows.len()).filter(move |interval| end_s(interval) > warm_up_s)
    }

    /// Pods at the moment of the stretch with the most of them not ready.
    pub(super) fn pods(&self, k: usize, members: &[usize]) -> Pods {
        let unready = |pods: &Pods| pods.all() - pods.ready;
        self.range(k)
            .map(|interval| self.pods_at(interval, members))
            .reduce(|a, b| if unready(&b) > unready(&a) { b } else { a })
            .unwrap_or_default()
    }

    fn nodes_at(&self, interval: usize, members: &[usize]) -> Nodes {
        let rows = self.pools(interval);
        members.iter().fold(Nodes::default(), |sum, id| Nodes {
            ready: sum.ready + rows[*id].ready,
            provisioning: sum.provisioning + rows[*id].provisioning,
            lost: sum.lost + rows[*id].lost,
            requested: sum.requested + rows[*id].cpu_requested * f64::from(rows[*id].ready),
        })
    }

    /// Nodes at the moment of the stretch with the most of them not ready.
    pub(super) fn nodes(&self, k: usize, members: &[usize]) -> Nodes {
        let unready = |nodes: &Nodes| nodes.provisioning + nodes.lost;
        self.range(k)
            .map(|interval| self.nodes_at(interval, members))
            .reduce(|a, b| if unready(&b) > unready(&a) { b } else { a })
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::sample;

    /// Two intervals to a stretch, worked by hand.
    #[test]
    fn a_stretch_shows_a_real_moment_or_an_extreme() {
        let mut timeline = sample::single(MOST + 1).timeline;
        let row = |ready, starting, queued| ServiceRow { ready, starting, queued, desired: 9, ..ServiceRow::default() };
        (timeline.service_rows[0], timeline.service_rows[1]) = (row(9, 0, 80), row(2, 7, 30));
        (timeline.client_rows[0].offered, timeline.client_rows[1].offered) = (30, 60);
        timeline.client_rows[0].latency.p95_s = None;
        timeline.client_rows[1].latency.p95_s = Some(0.5);
        let stretches = Stretches::new(&timeline);
        assert_eq!((stretches.size(), stretches.len(), stretches.seconds()), (2, 166, 30.0));
        assert_eq!(stretches.pods(0, &[0]), Pods { ready: 2, starting: 7, desired: 9, ..Pods::default() });
        assert_eq!(
            (stretches.queued(0, None), stretches.queued(0, Some(0)), stretches.queued(0, Some(1))),
            (80, 80, 0)
        );
        assert_eq!(stretches.rate(0, |row| row.offered), 3.0);
        timeline.service_rows.iter_mut().skip(2).for_each(|row| row.ready = 3);
        let most = |warm_up_s| Stretches::new(&timeline).most_pods(&[0], warm_up_s);
        assert_eq!((most(0.0), most(14.9), most(15.0)), (9, 9, 3), "also of moments that are not shown");
        let stretches = Stretches::new(&timeline);
        assert_eq!(stretches.greatest(0, |row| row.p95_s), Some(0.5));
        let last = stretches.len() - 1;
        assert_eq!(stretches.end_us(last) - stretches.start_us(last), 15_000_000, "331 intervals leave one over");
    }
}
