//! From scrapes to what a decision sees: features by Prometheus' functions, CPU of pods by metrics-server's rule.

use seatrial_core::observe::promql::{Dialect, Point, Window, instant};
use seatrial_core::observe::{CpuSample, Feature, Metrics, Sample};
use seatrial_core::time::{Span, Timestamp};

use super::RateFunction;
use super::counters::{IngressCounters, PodCounters};
use super::rings::{Rings, Row};

/// Rows in a range: two scrapes and the markers around them, with room to spare.
const MOST_ROWS: usize = 8;
/// A container younger than this at its first scrape has no CPU sample (`freshContainerMinMetricsResolution`).
const FRESH_CONTAINER: Span = Span::from_secs(10);

/// Counters of an ingress as a scrape found them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct IngressTotals {
    pub(super) arrived: f64,
    /// May be unknown for what was before the start.
    pub(super) bad: Option<f64>,
}

/// Counters of a pod as a scrape found them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct PodTotals {
    /// When the container started that counted.
    pub(super) started: Timestamp,
    pub(super) completed: f64,
    pub(super) duration_s: f64,
    pub(super) cpu_s: f64,
    pub(super) memory_bytes: Option<f64>,
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
const fn float(count: u64) -> f64 {
    count as f64
}

impl IngressTotals {
    pub(super) const fn of(counters: IngressCounters) -> Self {
        Self { arrived: float(counters.arrived), bad: Some(float(counters.bad)) }
    }
}

impl PodTotals {
    pub(super) const fn of(started: Timestamp, counters: PodCounters, memory_bytes: Option<f64>) -> Self {
        let PodCounters { completed, duration_s, cpu_s, .. } = counters;
        Self { started, completed: float(completed), duration_s, cpu_s, memory_bytes }
    }
}

/// A range selector and what is done with it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Range {
    pub(super) end: Timestamp,
    pub(super) length: Span,
    pub(super) rate: RateFunction,
}

/// The rows of a target in a range, in order of time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rows<T> {
    rows: [Option<Row<T>>; MOST_ROWS],
}

impl Range {
    /// What a ring holds of this range.
    pub(super) fn rows<T: Copy>(&self, rings: &Rings<T>, ring: usize) -> Rows<T> {
        let start = self.end - self.length;
        let mut rows = [None; MOST_ROWS];
        let inside = rings.seen(ring, self.end).take_while(|row| row.at > start);
        for (place, row) in rows.iter_mut().rev().zip(inside) {
            *place = Some(*row);
        }
        Rows { rows }
    }

    /// The rate of a counter; `None` with fewer than two scrapes.
    fn rate<T: Copy>(&self, rows: &Rows<T>, counter: impl Fn(&T) -> Option<f64>) -> Option<f64> {
        let (points, len) = rows.points(counter);
        let window = Window::new(&points[..len], self.end, self.length, Dialect::Prometheus3);
        match self.rate {
            RateFunction::Irate => window.irate(),
            RateFunction::Rate => window.rate(),
        }
    }

    /// The last value of a gauge. A range without a scrape has none: markers end what was before.
    fn last<T: Copy>(&self, rows: &Rows<T>, gauge: impl Fn(&T) -> Option<f64>) -> Option<f64> {
        let (points, len) = rows.points(gauge);
        instant(&points[..len], self.end, Dialect::Prometheus3).map(|sample| sample.value)
    }
}

impl<T: Copy> Rows<T> {
    /// The points of one series. A scrape that failed or did not have it left a marker.
    fn points(&self, value: impl Fn(&T) -> Option<f64>) -> ([Point; MOST_ROWS], usize) {
        let mut points = [Point::stale(Timestamp::ZERO); MOST_ROWS];
        let of_row = |row: &Row<T>| {
            let found = row.found.as_ref().and_then(&value);
            found.map_or(Point::stale(row.at), |found| Point::number(row.at, found))
        };
        let known = self.rows.iter().flatten().map(of_row);
        let len = points.iter_mut().zip(known).map(|(place, point)| *place = point).count();
        (points, len)
    }
}

/// A sum of which nothing is known until something is added.
#[derive(Clone, Copy, Debug, Default)]
struct Sum(Option<f64>);

impl Sum {
    fn add(&mut self, value: Option<f64>) {
        self.0 = value.map(|value| self.0.unwrap_or(0.0) + value).or(self.0);
    }
}

/// The features of a service whose ingress and pods left these rows in `range`.
pub(super) fn metrics(
    range: Range,
    ingress: &Rows<IngressTotals>,
    pods: impl Iterator<Item = Rows<PodTotals>>,
) -> Metrics {
    let [mut cpu, mut duration, mut completed, mut memory] = [Sum::default(); 4];
    for rows in pods {
        cpu.add(range.rate(&rows, |totals| Some(totals.cpu_s)));
        duration.add(range.rate(&rows, |totals| Some(totals.duration_s)));
        completed.add(range.rate(&rows, |totals| Some(totals.completed)));
        memory.add(range.last(&rows, |totals| totals.memory_bytes));
    }
    let arrived = range.rate(ingress, |totals| Some(totals.arrived));
    let bad = range.rate(ingress, |totals| totals.bad);
    let mut metrics = Metrics::default();
    let mut set = |feature, value: Option<f64>| {
        metrics.set(feature, value.map(|value| Sample { at: range.end, value }));
    };
    set(Feature::ProcessCpuSecondsTotalRate, cpu.0);
    set(Feature::ProcessResidentMemoryBytes, memory.0);
    set(Feature::HttpRequestDurationSecondsSumRate, duration.0);
    set(Feature::HttpRequestsTotalRate, arrived);
    set(Feature::HttpRequestDurationSecondsCountRate, completed.0);
    set(Feature::BadRequestRatio, bad_ratio(bad, arrived));
    metrics
}

/// Unknown without requests. A request may turn out bad in a later slot than it came in: the ratio is never above one.
fn bad_ratio(bad: Option<f64>, arrived: Option<f64>) -> Option<f64> {
    arrived.filter(|arrived| *arrived > 0.0).zip(bad).map(|(arrived, bad)| (bad / arrived).min(1.0))
}

/// metrics-server's rule over the scrapes of a pod, youngest first: the mean between the last one and the one before if no scrape
/// failed in between and the container is the same; of a container younger than an interval, and old enough, the mean since its start.
pub(super) fn cpu_sample<'a>(mut rows: impl Iterator<Item = &'a Row<PodTotals>>, interval: Span) -> Option<CpuSample> {
    let (window_end, last) = rows.next().and_then(scrape)?;
    let age = window_end - last.started;
    let fresh = (age >= FRESH_CONTAINER && age < interval).then_some((last.started, 0.0));
    let mut before = || rows.next().and_then(scrape).filter(|(_, totals)| totals.started == last.started);
    let (window_begin, cpu_s) = fresh.or_else(|| before().map(|(at, totals)| (at, totals.cpu_s)))?;
    let window = window_end - window_begin;
    let used = nano_core_seconds(last.cpu_s).checked_sub(nano_core_seconds(cpu_s)).filter(|used| *used >= 0)?;
    let value_milli = mean_milli(used, window)?;
    Some(CpuSample { value_milli, window_end, window })
}

fn scrape(row: &Row<PodTotals>) -> Option<(Timestamp, PodTotals)> {
    row.found.map(|totals| (row.at, totals))
}

/// The counter as the container runtime has it; negative before the start.
#[expect(clippy::cast_possible_truncation, reason = "saturating")]
fn nano_core_seconds(cpu_s: f64) -> i64 {
    (cpu_s * 1e9) as i64
}

/// Whole nanocores as metrics-server stores them, read in thousandths of a core, which Kubernetes' quantities round up.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "as metrics-server; saturating")]
fn mean_milli(nano_core_seconds: i64, window: Span) -> Option<i64> {
    let nano_cores = (window > Span::ZERO).then(|| nano_core_seconds as f64 / window.as_secs_f64())?;
    let (milli, rest) = (nano_cores as i64 / 1_000_000, nano_cores as i64 % 1_000_000);
    Some(milli + i64::from(rest > 0))
}
