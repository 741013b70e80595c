//! Demand, capacity, replicas, waiting and bad requests over time: one block of three strips per strategy, one time axis for all.
//!
//! Long spans are drawn by buckets: the highest demand and the capacity at that very moment (against a mean it would seem an
//! overload that never was), the greatest P95 wait, the share of bad requests. The CSV holds these buckets.

use std::collections::BTreeMap;

use super::axis::{self, Scale};
use super::legend::{self, Swatch};
use super::palette::color;
use super::place::Heading;
use super::scene::{Frame, Hold, INK, LABEL, Rgb, SOFT, Scene, TITLE, tint};
use super::{Sketch, Source};
use crate::format::{DAY_US, csv_field, grouped, short, slug, span_label, zone};
use crate::model::{StudyData, Timeline, TimelineRow};
use crate::stats::quantile;

const WIDTH: f64 = 860.0;
const BUCKETS: usize = 380;
/// Strategies in one figure.
const MOST: usize = 4;
/// Where the first block begins, below heading and legend.
const TOP: f64 = 88.0;
/// Height of a block with the gap below it.
const BLOCK: f64 = 304.0;
const DEMAND: Rgb = (0x60, 0x60, 0x60);
/// P1's limit on waiting.
const WAIT_LIMIT_MS: f64 = 120.0;

/// A stretch of time, summarised.
#[derive(Clone, Copy)]
struct Bucket {
    t_us: f64,
    demand_low: f64,
    demand_high: f64,
    /// At the moment of the highest demand.
    capacity: f64,
    capacity_mean: f64,
    ready: f64,
    desired: f64,
    p95_wait_ms: f64,
    bad_rate: f64,
    bad_percent: f64,
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
    by_series.into_iter().flat_map(|(series, timelines)| of_series(series, &timelines, source.study)).collect()
}

/// The whole span and, if it is longer than a day and a half, the day with the highest demand.
fn of_series(series: &str, timelines: &[&Timeline], study: &StudyData) -> Vec<Sketch> {
    let rows: Vec<(&str, Vec<&TimelineRow>)> = timelines
        .iter()
        .take(MOST)
        .map(|timeline| (timeline.strategy.as_str(), timeline.rows.iter().filter(|row| drawable(row)).collect()))
        .filter(|(_, rows): &(_, Vec<_>)| rows.len() > 1)
        .collect();
    let times = || rows.iter().flat_map(|(_, rows)| rows.iter().map(|row| row.t_us));
    let (Some(from), Some(to)) = (times().min(), times().max()) else { return Vec::new() };
    let left_out = timelines.len().saturating_sub(MOST);
    let whole = Cut { study, series, from, to: to + 1, left_out, day: false };
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
    study: &'a StudyData,
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
        let span = span_label(self.from, self.to - 1);
        let part = if self.day { "the day of the highest demand" } else { "the whole scored part" };
        let heading = Heading::of_series(
            "Demand, capacity, waiting and bad requests by strategy",
            self.series,
            self.study,
            format!("{}, {span}{}: {part}", self.series, zone(self.from)),
        );
        let caption = format!(
            "{}, {span}, {part}. First strip of each strategy: the highest demand within each stretch (grey) and the capacity of the ready pods at \
             that same moment (line); the right scale counts replicas at {} requests/s each. Second strip: the longest P95 wait in each stretch, \
             with the limit of {WAIT_LIMIT_MS} ms. Third strip: the share of bad requests over the whole stretch.{}",
            self.series,
            grouped(per_pod, 0),
            if self.left_out > 0 { format!(" {} more timelines are not drawn.", self.left_out) } else { String::new() }
        );
        let tail = if self.day { "-day" } else { "" };
        let scene = self.scene(&blocks, &heading, per_pod)?;
        let id = format!("timeline-{}{tail}", slug(self.series));
        Some(Sketch { id, title: heading.joined(), caption, csv: csv(&blocks), scene })
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
        // Of equal demands the one that was served with the least counts.
        let busiest = |rows: &[&&TimelineRow]| {
            let by_load = |a: &&&TimelineRow, b: &&&TimelineRow| {
                a.demand_rate.total_cmp(&b.demand_rate).then(b.capacity_rate.total_cmp(&a.capacity_rate))
            };
            rows.iter().copied().max_by(|a, b| by_load(a, b)).map_or(0.0, |row| row.capacity_rate)
        };
        within
            .chunks(size)
            .map(|rows| Bucket {
                t_us: rows[0].t_us as f64,
                demand_low: rows.iter().map(|row| row.demand_rate).fold(f64::INFINITY, f64::min),
                demand_high: most(rows, |row| row.demand_rate),
                capacity: busiest(rows),
                capacity_mean: mean(rows, |row| row.capacity_rate),
                ready: mean(rows, |row| row.ready),
                desired: mean(rows, |row| row.desired),
                p95_wait_ms: most(rows, |row| row.p95_wait_s) * 1_000.0,
                bad_rate: mean(rows, |row| row.bad_rate),
                bad_percent: share(mean(rows, |row| row.bad_rate), mean(rows, |row| row.demand_rate)),
            })
            .collect()
    }

    #[expect(clippy::cast_precision_loss, reason = "microseconds of real times, on paper")]
    fn scene(&self, blocks: &[Block<'_>], heading: &Heading, per_pod: f64) -> Option<Scene> {
        let all = || blocks.iter().flat_map(|block| &block.buckets);
        let longest = all().map(|b| b.p95_wait_ms).filter(|wait| wait.is_finite()).fold(WAIT_LIMIT_MS * 1.5, f64::max);
        let scales = Scales {
            time: Scale { low: self.from as f64, high: self.to as f64, log: false },
            rate: Scale::linear(all().flat_map(|b| [b.demand_high, b.capacity]), true)?,
            wait: Scale { low: 1.0, high: longest.max(1_000.0), log: true },
            bad: Scale { low: 0.1, high: 100.0, log: true },
            per_pod,
        };
        let mut scene = Scene::new(WIDTH, TOP + BLOCK * crate::stats::count(blocks.len()) + 6.0);
        scene.heading(heading);
        let entries = [
            (Swatch::Band(tint(DEMAND, 0.25)), "highest demand"),
            (Swatch::Line(INK), "capacity of ready pods at that moment, in the colour of the strategy"),
            (Swatch::Dashed(INK), "limit on waiting, 120 ms"),
        ];
        legend::draw(&mut scene, (16.0, 72.0), &entries);
        for (i, block) in blocks.iter().enumerate() {
            strips(&mut scene, &Strips::at(TOP + BLOCK * crate::stats::count(i)), block, &scales);
        }
        Some(scene)
    }
}

/// Bad requests per offered request, in percent; none offered, none bad.
fn share(bad_rate: f64, demand_rate: f64) -> f64 {
    if demand_rate > 0.0 { (100.0 * bad_rate / demand_rate).min(100.0) } else { 0.0 }
}

/// The frames of a block: each with room above it for its head, and below the last for the times and a gap.
struct Strips {
    rate: Frame,
    wait: Frame,
    bad: Frame,
}

impl Strips {
    fn at(top: f64) -> Self {
        let strip = |from: f64, height: f64| Frame {
            left: 66.0,
            top: top + from,
            right: WIDTH - 58.0,
            bottom: top + from + height,
        };
        Self { rate: strip(26.0, 100.0), wait: strip(154.0, 44.0), bad: strip(226.0, 44.0) }
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
    bad: Scale,
    per_pod: f64,
}

fn strips(scene: &mut Scene, frames: &Strips, block: &Block<'_>, scales: &Scales) {
    for (frame, labelled) in [(&frames.rate, false), (&frames.wait, false), (&frames.bad, true)] {
        axis::time_axis(scene, frame, &scales.time, labelled);
    }
    axis::y_axis(scene, &frames.rate, &scales.rate, 4);
    replica_axis(scene, &frames.rate, scales);
    axis::decade_axis(scene, &frames.wait, &scales.wait);
    axis::decade_axis(scene, &frames.bad, &scales.bad);
    heads(scene, frames, block.strategy);
    rate_strip(scene, &frames.rate, block, scales);
    let wait = |b: &Bucket| b.p95_wait_ms;
    log_strip(scene, (&frames.wait, &scales.wait), block, (&scales.time, &wait));
    let bad = |b: &Bucket| b.bad_percent;
    log_strip(scene, (&frames.bad, &scales.bad), block, (&scales.time, &bad));
    let limit = scales.wait.y(WAIT_LIMIT_MS, &frames.wait);
    scene.dashed((frames.wait.left, limit), (frames.wait.right, limit), INK);
}

fn heads(scene: &mut Scene, frames: &Strips, strategy: &str) {
    let head = frames.rate.top - 10.0;
    scene.text((16.0, head), "requests/s", (LABEL, SOFT, Hold::Start));
    scene.text((WIDTH - 10.0, head), "replicas", (LABEL, SOFT, Hold::End));
    scene.text((frames.rate.left + 40.0, head), strategy, (TITLE, color(strategy), Hold::Start));
    // Begins right of the tick labels, so that none of them can touch it.
    for (frame, words) in [(&frames.wait, "P95 wait, ms (logarithmic)"), (&frames.bad, "bad requests, % (logarithmic)")]
    {
        scene.text((frame.left, frame.top - 8.0), words, (LABEL, SOFT, Hold::Start));
    }
}

fn rate_strip(scene: &mut Scene, frame: &Frame, block: &Block<'_>, Scales { time, rate, .. }: &Scales) {
    let x = |bucket: &Bucket| time.x(bucket.t_us, frame);
    let demand = block.buckets.iter().map(|b| (x(b), rate.y(b.demand_high, frame), rate.y(0.0, frame)));
    scene.band(demand.collect(), tint(DEMAND, 0.25));
    let peaks = block.buckets.iter().map(|b| (x(b), rate.y(b.demand_high, frame)));
    scene.line(peaks.collect(), tint(DEMAND, 0.7), 0.75);
    let capacity = steps(&block.buckets, |b| (x(b), rate.y(b.capacity, frame)));
    scene.line(capacity, color(block.strategy), 1.5);
}

/// A filled line over a logarithmic scale; what lies below its low end lies on it.
fn log_strip(
    scene: &mut Scene,
    (frame, scale): (&Frame, &Scale),
    block: &Block<'_>,
    (time, value): (&Scale, &dyn Fn(&Bucket) -> f64),
) {
    let paint = color(block.strategy);
    let floor = scale.y(scale.low, frame);
    let place = |b: &Bucket| (time.x(b.t_us, frame), scale.y(value(b).max(scale.low), frame));
    scene.band(block.buckets.iter().map(place).map(|(x, y)| (x, y, floor)).collect(), tint(paint, 0.35));
    scene.line(block.buckets.iter().map(place).collect(), paint, 1.0);
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
    for tick in replicas.whole_ticks(4) {
        let y = replicas.y(tick, frame);
        scene.text((frame.right + 7.0, y + 0.36 * LABEL), &short(tick), (LABEL, SOFT, Hold::Start));
    }
}

fn csv(blocks: &[Block<'_>]) -> String {
    let mut out =
        "strategy,t_us,demand_low_per_s,demand_high_per_s,capacity_at_demand_high_per_s,capacity_mean_per_s,ready,desired,p95_wait_max_ms,bad_per_s,bad_percent\n"
            .to_owned();
    for block in blocks {
        let strategy = csv_field(block.strategy);
        for b in &block.buckets {
            out += &format!(
                "{strategy},{},{:.3},{:.3},{:.3},{:.3},{:.3},{:.3},{:.3},{:.4},{:.4}\n",
                b.t_us,
                b.demand_low,
                b.demand_high,
                b.capacity,
                b.capacity_mean,
                b.ready,
                b.desired,
                b.p95_wait_ms,
                b.bad_rate,
                b.bad_percent
            );
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Strips, their heads, the times below and the next block keep clear of each other.
    #[test]
    fn strips_and_blocks_have_gaps() {
        let (first, second) = (Strips::at(TOP), Strips::at(TOP + BLOCK));
        let strips = [&first.rate, &first.wait, &first.bad, &second.rate];
        for pair in strips.windows(2) {
            assert!(pair[1].top - pair[0].bottom >= 2.0 * LABEL, "{pair:?}");
        }
        let times = first.bad.bottom + 1.4 * LABEL + 0.2 * LABEL;
        assert!(second.rate.top - 10.0 - TITLE > times, "the name of the second stands on the times of the first");
    }

    /// A bucket in which capacity follows demand: its mean would lie below the peak that was served.
    #[test]
    fn a_peak_that_was_served_is_not_drawn_as_overload() {
        let day = |minute: i64| -> TimelineRow {
            let demand_rate = if minute % 10 == 7 { 300.0 } else { 100.0 };
            let capacity_rate = demand_rate * 1.2;
            TimelineRow { t_us: minute * 60_000_000, demand_rate, capacity_rate, ready: 1.0, ..TimelineRow::default() }
        };
        let rows: Vec<TimelineRow> = (0..3_800).map(day).collect();
        let study = StudyData::default();
        let cut = Cut { study: &study, series: "all", from: 0, to: i64::MAX, left_out: 0, day: false };
        let buckets = cut.buckets(&rows.iter().collect::<Vec<_>>());
        assert_eq!(buckets.len(), BUCKETS);
        for bucket in &buckets {
            assert_eq!((bucket.demand_low, bucket.demand_high, bucket.capacity), (100.0, 300.0, 360.0));
            assert!((bucket.capacity_mean - 144.0).abs() < 1e-9, "nine of 120 and one of 360");
        }
        let csv = csv(&[Block { strategy: "a", buckets }]);
        let widths: Vec<usize> = csv.lines().map(|line| line.split(',').count()).collect();
        assert!(widths.iter().all(|width| *width == 11), "{}", csv.lines().next().unwrap());
        assert!(csv.lines().nth(1).unwrap().starts_with("a,0,100.000,300.000,360.000,144.000,1.000,"));
    }

    #[test]
    fn shares_of_bad_requests_are_percent_of_the_offered() {
        assert_eq!(share(2.0, 50.0), 4.0);
        assert_eq!(share(80.0, 50.0), 100.0, "a backlog can spoil more than arrives at that moment");
        assert_eq!(share(0.0, 0.0), 0.0);
    }
}
