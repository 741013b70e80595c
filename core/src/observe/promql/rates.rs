//! Rates of counters and differences of gauges: `rate`, `increase`, `delta` with extrapolation to the edges of the range,
//! `irate` and `idelta` from the last two points without.

use super::{Dialect, Window};
use crate::observe::Sample;

/// A point nearer to an edge than this many mean gaps is taken for the last one before it: the series covers the edge.
const COVERED_GAPS: f64 = 1.1;

/// A counter, which only falls by starting anew from zero, or a gauge.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
}

/// What lies between the first and the last sample of a window.
struct Covered {
    first: Sample,
    last: Sample,
    /// Mean time between samples, in seconds.
    gap_s: f64,
    /// Last minus first value, plus what resets took.
    change: f64,
}

impl Window<'_> {
    /// `rate`: the increase of a counter per second of the range.
    #[must_use]
    pub fn rate(&self) -> Option<f64> {
        self.extrapolated(Kind::Counter, self.length.as_secs_f64())
    }

    /// `increase`: what a counter has gained over the range, never negative for a counter (whose values are not).
    #[must_use]
    pub fn increase(&self) -> Option<f64> {
        self.extrapolated(Kind::Counter, 1.0)
    }

    /// `delta`: the change of a gauge over the range.
    #[must_use]
    pub fn delta(&self) -> Option<f64> {
        self.extrapolated(Kind::Gauge, 1.0)
    }

    /// `irate`: the increase of a counter per second between its last two points.
    #[must_use]
    pub fn irate(&self) -> Option<f64> {
        let (before, last) = self.last_two()?;
        let reset = last.value < before.value;
        let increase = if reset { last.value } else { last.value - before.value };
        Some(increase / last.at.since(before.at).as_secs_f64())
    }

    /// `idelta`: the difference of the last two points of a gauge.
    #[must_use]
    pub fn idelta(&self) -> Option<f64> {
        self.last_two().map(|(before, last)| last.value - before.value)
    }

    fn last_two(&self) -> Option<(Sample, Sample)> {
        let mut backwards = self.samples().rev();
        let (last, before) = (backwards.next()?, backwards.next()?);
        (last.at != before.at).then_some((before, last))
    }

    /// The change over the whole range, divided by `per`.
    fn extrapolated(&self, kind: Kind, per: f64) -> Option<f64> {
        let covered = self.covered(kind)?;
        let sampled_s = covered.last.at.since(covered.first.at).as_secs_f64();
        let to_end_s = self.end.since(covered.last.at).as_secs_f64();
        let reach_s = sampled_s + self.reach_to_start_s(kind, &covered, sampled_s) + covered.reach_s(to_end_s);
        let factor = if sampled_s == 0.0 { 1.0 } else { reach_s / sampled_s };
        Some(covered.change * (factor / per))
    }

    /// `None` for fewer than two samples.
    fn covered(&self, kind: Kind) -> Option<Covered> {
        let (first, last) = (self.samples().next()?, self.samples().next_back()?);
        let (mut gaps, mut change) = (0.0, last.value - first.value);
        for (before, after) in self.neighbours() {
            gaps += 1.0;
            if kind == Kind::Counter && after < before {
                change += before;
            }
        }
        let gap_s = last.at.since(first.at).as_secs_f64() / gaps;
        (gaps > 0.0).then_some(Covered { first, last, gap_s, change })
    }

    /// How far before the first sample the series is taken to begin.
    fn reach_to_start_s(&self, kind: Kind, covered: &Covered, sampled_s: f64) -> f64 {
        let to_start_s = covered.first.at.since(self.start()).as_secs_f64();
        let to_zero_s = if kind == Kind::Counter { covered.to_zero_s(sampled_s) } else { None };
        let limit = |reach_s: f64| to_zero_s.filter(|zero_s| *zero_s < reach_s).unwrap_or(reach_s);
        match self.dialect {
            Dialect::Prometheus3 => limit(covered.reach_s(to_start_s)),
            Dialect::Prometheus2 => covered.reach_s(limit(to_start_s)),
        }
    }
}

impl Covered {
    /// All the way to an edge that is near, else half a gap.
    fn reach_s(&self, to_edge_s: f64) -> f64 {
        if to_edge_s >= self.gap_s * COVERED_GAPS { self.gap_s / 2.0 } else { to_edge_s }
    }

    /// How long before its first sample a counter that grew at its mean pace was zero.
    fn to_zero_s(&self, sampled_s: f64) -> Option<f64> {
        let grows = self.change > 0.0 && self.first.value >= 0.0;
        grows.then(|| sampled_s * (self.first.value / self.change))
    }
}
