//! Demand, capacity, replicas and waiting over time: one block per strategy, one time axis for all.
//!
//! Long spans are drawn by buckets: the range of demand, the mean capacity, the greatest P95 wait. The CSV holds these buckets.

use std::collections::BTreeMap;

use super::axis::{self, Scale};
use super::palette::color;
use super::scene::{Frame, Hold, INK, LABEL, Rgb, SOFT, Scene, TITLE, tint};
use super::{Sketch, Source};
use crate::format::{DAY_US, csv_field, day_label, grouped, iso_date, short, slug};
use crate::model::{Timeline, TimelineRow};
use crate::stats::quantile;

const WIDTH: f64 = 860.0;
const BUCKETS: usize = 380;
/// Strategies in one figure.
const MOST: usize = 5;
const DEMAND: Rgb = (0x60, 0x60, 0x60);
/// P1's limit on waiting.
const WAIT_LIMIT_MS: f64 = 120.0;

/// A stretch of time, summarised.
#[derive(Clone, Copy)]
struct Bucket {
    t_us: f64,
    demand_low: f64,
    demand_high: f64,
    capacity: f64,
    ready: f64,
    desired: f64,
    p95_wait_ms: f64,
    bad_rate: f64,
}

struct Block<'a> {
    strategy: &'a str,
    buckets: Vec<Bucket>,
}

pub(super) fn draw(source: &Source<'_>) -> Vec<Sketch> {
    let mut by_series: BTreeMap<&str, Vec<&Timeline>> = BTreeMap::new();
    for timeline in &source.study.timelines {
        by_series.entry(&timeline.series).or_default().push(timeline);
    }
    by_series.into_iter().flat_map(|(series, timelines)| of_series(series, &timelines)).collect()
}

/// The whole span and, if it is longer than a day and a half, the day with the highest demand.
fn of_series(series: &str, timelines: &[&Timeline]) -> Vec<Sketch> {
    let rows: Vec<(&str, Vec<&TimelineRow>)> = timelines
        .iter()
        .take(MOST)
        .map(|timeline| (timeline.strategy.as_str(), timeline.rows.iter().filter(|row| drawable(row)).collect()))
        .filter(|(_, rows): &(_, Vec<_>)| rows.len() > 1)
        .collect();
    let times = || rows.iter().flat_map(|(_, rows)| rows.iter().map(|row| row.t_us));
    let (Some(from), Some(to)) = (times().min(), times().max()) else { return Vec::new() };
    let left_out = timelines.len().saturating_sub(MOST);
    let whole = Cut { series, from, to: to + 1, left_out, day: false };
    let mut sketches = vec![whole.sketch(&rows)];
    if to - from > DAY_US * 3 / 2 {
        let all = rows.iter().flat_map(|(_, rows)| rows.iter());
        let peak = all.max_by(|a, b| a.demand_rate.total_cmp(&b.demand_rate)).map_or(from, |row| row.t_us);
        let start = peak.div_euclid(DAY_US) * DAY_US;
        sketches.push(Cut { from: start, to: start + DAY_US, day: true, ..whole }.sketch(&rows));
    }
    sketches.into_iter().flatten().collect()
}

/// A wait may be infinite (it is drawn at the top) or absent (no requests, no wait); the rest must be numbers.
fn drawable(row: &TimelineRow) -> bool {
    [row.demand_rate, row.capacity_rate, row.ready, row.desired, row.bad_rate].iter().all(|x| x.is_finite())
}

#[derive(Clone, Copy)]
struct Cut<'a> {
    series: &'a str,
    from: i64,
    to: i64,
    left_out: usize,
    day: bool,
}

impl Cut<'_> {
    fn sketch(&self, rows: &[(&str, Vec<&TimelineRow>)]) -> Option<Sketch> {
        let blocks: Vec<Block<'_>> = rows
            .iter()
            .map(|(strategy, rows)| Block { strategy, buckets: self.buckets(rows) })
            .filter(|block| block.buckets.len() > 1)
            .collect();
        if blocks.is_empty() {
            return None;
        }
        let per_pod = per_pod(rows);
        let span =
            if self.day { format!("{}, the day of the highest demand", day_label(self.from)) } else { self.span() };
        let title = format!("{}: {span}", self.series);
        let caption = format!(
            "{} from {}. Upper strip of each strategy: demand (grey, range within each stretch) and the capacity of its ready pods (line); \
             the right scale counts replicas at {} requests/s each. Lower strip: the longest P95 wait in each stretch; the dashed line is the limit of {WAIT_LIMIT_MS} ms.{}",
            self.series,
            if self.day {
                iso_date(self.from)
            } else {
                format!("{} to {}", iso_date(self.from), iso_date(self.to - 1))
            },
            grouped(per_pod, 0),
            if self.left_out > 0 { format!(" {} more timelines are not drawn.", self.left_out) } else { String::new() }
        );
        let tail = if self.day { "-day" } else { "" };
        let scene = self.scene(&blocks, &title, per_pod)?;
        Some(Sketch { id: format!("timeline-{}{tail}", slug(self.series)), title, caption, csv: csv(&blocks), scene })
    }

    fn span(&self) -> String {
        let (first, last) = (day_label(self.from), day_label(self.to - 1));
        if first == last { first } else { format!("{first} to {last}") }
    }

    #[expect(clippy::cast_precision_loss, reason = "microseconds of real times, on paper")]
    fn buckets(&self, rows: &[&TimelineRow]) -> Vec<Bucket> {
        let within: Vec<&&TimelineRow> = rows.iter().filter(|row| (self.from..self.to).contains(&row.t_us)).collect();
        let size = within.len().div_ceil(BUCKETS).max(1);
        let most =
            |rows: &[&&TimelineRow], f: fn(&TimelineRow) -> f64| rows.iter().map(|row| f(row)).fold(0.0, f64::max);
        let mean = |rows: &[&&TimelineRow], f: fn(&TimelineRow) -> f64| {
            rows.iter().map(|row| f(row)).sum::<f64>() / crate::stats::count(rows.len())
        };
        within
            .chunks(size)
            .map(|rows| Bucket {
                t_us: rows[0].t_us as f64,
                demand_low: rows.iter().map(|row| row.demand_rate).fold(f64::INFINITY, f64::min),
                demand_high: most(rows, |row| row.demand_rate),
                capacity: mean(rows, |row| row.capacity_rate),
                ready: mean(rows, |row| row.ready),
                desired: mean(rows, |row| row.desired),
                p95_wait_ms: most(rows, |row| row.p95_wait_s) * 1_000.0,
                bad_rate: mean(rows, |row| row.bad_rate),
            })
            .collect()
    }

    #[expect(clippy::cast_precision_loss, reason = "microseconds of real times, on paper")]
    fn scene(&self, blocks: &[Block<'_>], title: &str, per_pod: f64) -> Option<Scene> {
        let all = || blocks.iter().flat_map(|block| &block.buckets);
        let rates = all().flat_map(|b| [b.demand_high, b.capacity]);
        let rate = Scale::linear(rates, true)?;
        let longest = all().map(|b| b.p95_wait_ms).filter(|wait| wait.is_finite()).fold(WAIT_LIMIT_MS * 1.5, f64::max);
        let wait = Scale { low: 1.0, high: longest.max(1_000.0), log: true };
        let time = Scale { low: self.from as f64, high: self.to as f64, log: false };
        let block_height = if blocks.len() <= 2 { 250.0 } else { 205.0 };
        let height = 48.0 + block_height * crate::stats::count(blocks.len()) + 34.0;
        let mut scene = Scene::new(WIDTH, height);
        scene.text((16.0, 26.0), title, (TITLE, INK, Hold::Start));
        for (i, block) in blocks.iter().enumerate() {
            let top = 48.0 + block_height * crate::stats::count(i);
            let upper = Frame { left: 66.0, top: top + 26.0, right: WIDTH - 58.0, bottom: top + block_height - 80.0 };
            let lower = Frame { top: upper.bottom + 28.0, bottom: top + block_height - 6.0, ..upper };
            let scales = Scales { time, rate, wait, per_pod, last: i + 1 == blocks.len() };
            block_panels(&mut scene, (&upper, &lower), block, &scales);
        }
        Some(scene)
    }
}

/// Median capacity of a ready pod, requests per second.
fn per_pod(rows: &[(&str, Vec<&TimelineRow>)]) -> f64 {
    let ratios: Vec<f64> = rows
        .iter()
        .flat_map(|(_, rows)| rows.iter())
        .filter(|row| row.ready >= 1.0)
        .map(|row| row.capacity_rate / row.ready)
        .collect();
    quantile(&ratios, 0.5).filter(|median| *median > 0.0).unwrap_or(1.0)
}

struct Scales {
    time: Scale,
    rate: Scale,
    wait: Scale,
    per_pod: f64,
    last: bool,
}

fn block_panels(scene: &mut Scene, (upper, lower): (&Frame, &Frame), block: &Block<'_>, scales: &Scales) {
    let paint = color(block.strategy);
    let Scales { time, rate, wait, .. } = scales;
    for (frame, labelled) in [(upper, false), (lower, scales.last)] {
        axis::time_axis(scene, frame, time, labelled);
    }
    axis::y_axis(scene, upper, rate, 4);
    replica_axis(scene, upper, scales);
    wait_axis(scene, lower, wait);
    let head = upper.top - 9.0;
    scene.text((16.0, head), "requests/s", (LABEL, SOFT, Hold::Start));
    scene.text((WIDTH - 10.0, head), "replicas", (LABEL, SOFT, Hold::End));
    scene.text((upper.left + 40.0, head), block.strategy, (TITLE, paint, Hold::Start));
    scene.text((16.0, lower.top - 6.0), "P95 wait, ms (log)", (LABEL, SOFT, Hold::Start));
    let x = |bucket: &Bucket| time.x(bucket.t_us, upper);
    let demand = block.buckets.iter().map(|b| (x(b), rate.y(b.demand_high, upper), rate.y(0.0, upper)));
    scene.band(demand.collect(), tint(DEMAND, 0.25));
    let peaks = block.buckets.iter().map(|b| (x(b), rate.y(b.demand_high, upper)));
    scene.line(peaks.collect(), tint(DEMAND, 0.7), 0.75);
    scene.line(steps(&block.buckets, |b| (x(b), rate.y(b.capacity, upper))), paint, 1.5);
    let floor = wait.y(wait.low, lower);
    let waits = |b: &Bucket| wait.y(b.p95_wait_ms.max(wait.low), lower);
    scene.band(block.buckets.iter().map(|b| (x(b), waits(b), floor)).collect(), tint(paint, 0.35));
    scene.line(block.buckets.iter().map(|b| (x(b), waits(b))).collect(), paint, 1.0);
    let limit = wait.y(WAIT_LIMIT_MS, lower);
    scene.dashed((lower.left, limit), (lower.right, limit), INK);
}

/// A line that changes only where the value does: replicas do not glide.
fn steps(buckets: &[Bucket], place: impl Fn(&Bucket) -> (f64, f64)) -> Vec<(f64, f64)> {
    let mut line: Vec<(f64, f64)> = Vec::with_capacity(2 * buckets.len());
    for (x, y) in buckets.iter().map(place) {
        if let Some((_, before)) = line.last().copied() {
            line.push((x, before));
        }
        line.push((x, y));
    }
    line
}

fn replica_axis(scene: &mut Scene, frame: &Frame, scales: &Scales) {
    let replicas = Scale { low: scales.rate.low / scales.per_pod, high: scales.rate.high / scales.per_pod, log: false };
    for tick in replicas.ticks(4) {
        let y = replicas.y(tick, frame);
        scene.text((frame.right + 7.0, y + 0.36 * LABEL), &short(tick), (LABEL, SOFT, Hold::Start));
    }
}

fn wait_axis(scene: &mut Scene, frame: &Frame, wait: &Scale) {
    for tick in [1.0, 100.0, 1_000.0, 10_000.0, 100_000.0].into_iter().filter(|tick| *tick <= wait.high) {
        let y = wait.y(tick, frame);
        scene.line(vec![(frame.left, y), (frame.right, y)], super::scene::GRID, 1.0);
        // 1,000 ms stands so close to 100 ms that only the ends are labelled.
        if tick < 500.0 || tick * 10.0 > wait.high {
            scene.text((frame.left - 7.0, y + 0.36 * LABEL), &short(tick), (LABEL, SOFT, Hold::End));
        }
    }
}

fn csv(blocks: &[Block<'_>]) -> String {
    let mut out =
        "strategy,t_us,demand_low_per_s,demand_high_per_s,capacity_per_s,ready,desired,p95_wait_max_ms,bad_per_s\n"
            .to_owned();
    for block in blocks {
        let strategy = csv_field(block.strategy);
        for b in &block.buckets {
            out += &format!(
                "{strategy},{},{:.3},{:.3},{:.3},{:.3},{:.3},{:.3},{:.4}\n",
                b.t_us, b.demand_low, b.demand_high, b.capacity, b.ready, b.desired, b.p95_wait_ms, b.bad_rate
            );
        }
    }
    out
}
