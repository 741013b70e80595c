//! A decision log drawn from its records alone: demand, replicas, latency and bad requests where recorded, and every decision
//! that changed something, was overridden by the guard or was made without a load sample.
//!
//! Here so that the operator's log and a simulated one are read with the same eyes. Invariants: what was not recorded is a gap,
//! never a zero; long logs are drawn by stretches, and the CSV holds these.

use std::collections::BTreeMap;

use seatrial_core::observe::Feature;
use seatrial_core::record::DecisionRecord;

use super::axis::{self, Scale};
use super::legend::{self, Swatch};
use super::place::Heading;
use super::scene::{Frame, Hold, INK, LABEL, Point, Rgb, SOFT, Scene, tint};
use super::{Figure, Sketch, finish};
use crate::error::ReportError;
use crate::format::{clock_label, grouped, percent, slug, span_label, zone};

const WIDTH: f64 = 860.0;
const TOP: f64 = 88.0;
const STRETCHES: usize = 360;
/// Room above a strip for its head.
const HEAD: f64 = 34.0;
const DEMAND: Rgb = (0x60, 0x60, 0x60);
const READY: Rgb = (0x00, 0x72, 0xb2);
/// Ready pods are drawn wide and pale, what was decided thin upon them: the two coincide most of the time.
const READY_TINT: f64 = 0.55;
const DECIDED: Rgb = (0xd5, 0x5e, 0x00);
const LATENCY: Rgb = (0x33, 0x22, 0x88);
const BAD: Rgb = (0xaa, 0x44, 0x99);

/// Some consecutive decisions, summarised.
struct Stretch {
    t_us: i64,
    decisions: usize,
    demand: Option<(f64, f64)>,
    capacity: Option<f64>,
    ready: u32,
    decided: u32,
    latency_ms: Option<f64>,
    bad_percent: Option<f64>,
    changes: usize,
    overrides: usize,
    missing: usize,
}

/// Draws the log of one workload from its decision records, in any order.
///
/// Latency is the mean over completed requests; capacity is that estimated by the decision maker. `name` says whose log it is
/// and becomes part of the figure's id.
///
/// # Errors
/// [`ReportError::NoDecisions`] with fewer than two moments to draw, [`ReportError::Draw`] if the backend fails.
pub fn decision_log(name: &str, records: &[DecisionRecord]) -> Result<Figure, ReportError> {
    let mut sorted: Vec<&DecisionRecord> = records.iter().collect();
    sorted.sort_by_key(|record| record.at_us);
    let few = || ReportError::NoDecisions { name: name.to_owned(), found: records.len() };
    let (Some(first), Some(last)) = (sorted.first(), sorted.last()) else { return Err(few()) };
    if first.at_us == last.at_us {
        return Err(few());
    }
    let size = sorted.len().div_ceil(STRETCHES).max(1);
    let stretches: Vec<Stretch> = sorted.chunks(size).map(stretch).collect();
    let span = span_label(first.at_us, last.at_us);
    let clock = format!("{} to {}{}", clock_label(first.at_us), clock_label(last.at_us), zone(first.at_us));
    let heading = Heading {
        title: "Decision log: demand, replicas, latency and guard over time".to_owned(),
        place: format!("{name}, {span}, {clock}: {} decisions", grouped(crate::stats::count(sorted.len()), 0)),
    };
    finish(Sketch {
        id: format!("decision-log-{}", slug(name)),
        title: heading.joined(),
        caption: caption(name, &sorted, size),
        csv: csv(&stretches),
        scene: scene(&stretches, &heading, (first.at_us, last.at_us)),
    })
}

/// A recorded feature; what no measurement can be counts as missing.
fn feature(record: &DecisionRecord, feature: Feature) -> Option<f64> {
    record.features[feature as usize].filter(|value| value.is_finite() && *value >= 0.0)
}

/// Mean seconds per completed request; no completed request, no latency.
fn latency_ms(record: &DecisionRecord) -> Option<f64> {
    let completed = feature(record, Feature::HttpRequestDurationSecondsCountRate).filter(|rate| *rate > 0.0)?;
    Some(1_000.0 * feature(record, Feature::HttpRequestDurationSecondsSumRate)? / completed)
}

fn stretch(records: &[&DecisionRecord]) -> Stretch {
    let values = |of: &dyn Fn(&DecisionRecord) -> Option<f64>| -> Vec<f64> {
        records.iter().filter_map(|record| of(record)).collect()
    };
    let greatest = |values: Vec<f64>| values.into_iter().reduce(f64::max);
    let demand = values(&|record| feature(record, Feature::HttpRequestsTotalRate));
    let capacity = values(&|record| Some(f64::from(record.ready) * record.capacity_mean.filter(|c| c.is_finite())?));
    let mean = capacity.iter().sum::<f64>() / crate::stats::count(capacity.len().max(1));
    let last = records[records.len() - 1];
    let number = |holds: &dyn Fn(&DecisionRecord) -> bool| records.iter().filter(|record| holds(record)).count();
    Stretch {
        t_us: records[0].at_us,
        decisions: records.len(),
        demand: demand.iter().copied().reduce(f64::min).zip(demand.iter().copied().reduce(f64::max)),
        capacity: (!capacity.is_empty()).then_some(mean),
        ready: last.ready,
        decided: last.decided,
        latency_ms: greatest(values(&latency_ms)),
        bad_percent: greatest(values(&|record| Some(100.0 * feature(record, Feature::BadRequestRatio)?))),
        changes: number(&changed),
        overrides: number(&|record| record.overridden),
        missing: number(&|record| feature(record, Feature::HttpRequestsTotalRate).is_none()),
    }
}

fn changed(record: &DecisionRecord) -> bool {
    record.decided != record.spec_replicas
}

fn caption(name: &str, records: &[&DecisionRecord], size: usize) -> String {
    let number = |holds: &dyn Fn(&DecisionRecord) -> bool| records.iter().filter(|record| holds(record)).count();
    let overridden = number(&|record| record.overridden);
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for record in records {
        *reasons.entry(record.reason.as_str()).or_default() += 1;
    }
    let mut reasons: Vec<(&str, usize)> = reasons.into_iter().collect();
    reasons.sort_by_key(|(reason, n)| (core::cmp::Reverse(*n), *reason));
    let reasons: Vec<String> = reasons.iter().map(|(reason, n)| format!("{reason} {n}")).collect();
    let all = crate::stats::count(records.len());
    format!(
        "What was seen and decided for {name}. Of {} decisions {} changed the replicas, the guard overrode {} ({} %), and {} had no load sample; \
         gaps are what was not recorded. Reasons: {}.{}",
        grouped(all, 0),
        number(&changed),
        overridden,
        percent(crate::stats::count(overridden) / all, 1),
        number(&|record| feature(record, Feature::HttpRequestsTotalRate).is_none()),
        reasons.join(", "),
        if size > 1 {
            format!(
                " Drawn by stretches of {size} decisions: greatest demand, latency and share of bad requests, last replicas; ticks are as tall as their share of the decisions."
            )
        } else {
            String::new()
        }
    )
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Strip {
    Demand,
    Replicas,
    Latency,
    Bad,
    Events,
}

impl Strip {
    /// From top to bottom.
    const ALL: [Self; 5] = [Self::Demand, Self::Replicas, Self::Latency, Self::Bad, Self::Events];

    /// Whether a stretch has something to show in it.
    const fn is_in(self, stretch: &Stretch) -> bool {
        match self {
            Self::Demand => stretch.demand.is_some(),
            Self::Latency => stretch.latency_ms.is_some(),
            Self::Bad => stretch.bad_percent.is_some(),
            Self::Replicas | Self::Events => true,
        }
    }

    const fn height(self) -> f64 {
        match self {
            Self::Demand | Self::Replicas => 110.0,
            Self::Latency | Self::Bad => 60.0,
            Self::Events => 66.0,
        }
    }

    const fn head(self) -> &'static str {
        match self {
            Self::Demand => "requests/s",
            Self::Replicas => "replicas",
            Self::Latency => "mean latency, ms",
            Self::Bad => "bad requests, %",
            Self::Events => "decisions",
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "microseconds of real times, on paper")]
fn scene(stretches: &[Stretch], heading: &Heading, (from, to): (i64, i64)) -> Scene {
    let strips = Strip::ALL.into_iter().filter(|strip| stretches.iter().any(|stretch| strip.is_in(stretch)));
    let strips: Vec<Strip> = strips.collect();
    let height: f64 = strips.iter().map(|strip| strip.height() + HEAD).sum();
    let mut scene = Scene::new(WIDTH, TOP + height + 48.0);
    scene.heading(heading);
    draw_legend(&mut scene, stretches);
    let time = Scale { low: from as f64, high: to as f64, log: false };
    let mut top = TOP;
    for strip in strips {
        let frame = Frame { left: 130.0, top: top + HEAD, right: WIDTH - 34.0, bottom: top + HEAD + strip.height() };
        axis::time_axis(&mut scene, &frame, &time, strip == Strip::Events);
        scene.text((frame.left, frame.top - 9.0), strip.head(), (LABEL, SOFT, Hold::Start));
        draw_strip(&mut scene, &Canvas { frame, time, stretches }, strip);
        top = frame.bottom;
    }
    let axis = format!("time{}", zone(from));
    scene.text((WIDTH / 2.0, top + 40.0), &axis, (LABEL, INK, Hold::Middle));
    scene
}

fn draw_legend(scene: &mut Scene, stretches: &[Stretch]) {
    let mut entries = vec![(Swatch::Band(tint(DEMAND, 0.25)), "demand")];
    if stretches.iter().any(|stretch| stretch.capacity.is_some()) {
        entries.push((Swatch::Line(INK), "estimated capacity of ready pods"));
    }
    entries.extend([(Swatch::Line(tint(READY, READY_TINT)), "ready"), (Swatch::Line(DECIDED), "decided")]);
    legend::draw(scene, (16.0, 72.0), &entries);
}

/// What is drawn of a stretch, where it was recorded.
type Value<'a> = &'a dyn Fn(&Stretch) -> Option<f64>;

struct Canvas<'a> {
    frame: Frame,
    time: Scale,
    stretches: &'a [Stretch],
}

impl Canvas<'_> {
    #[expect(clippy::cast_precision_loss, reason = "microseconds of real times, on paper")]
    fn x(&self, stretch: &Stretch) -> f64 {
        self.time.x(stretch.t_us as f64, &self.frame)
    }

    /// Places of the values, one run per stretch of time in which there are any.
    fn runs(&self, scale: &Scale, value: Value<'_>) -> Vec<Vec<Point>> {
        let runs = self.stretches.split(|stretch| value(stretch).is_none()).filter(|run| !run.is_empty());
        let place = |s: &Stretch| Some((self.x(s), scale.y(value(s)?, &self.frame)));
        runs.map(|run| run.iter().filter_map(place).collect()).collect()
    }

    fn scale(&self, value: &dyn Fn(&Stretch) -> [Option<f64>; 2]) -> Option<Scale> {
        Scale::linear(self.stretches.iter().flat_map(value).flatten(), true)
    }
}

fn draw_strip(scene: &mut Scene, canvas: &Canvas<'_>, strip: Strip) {
    match strip {
        Strip::Demand => demand(scene, canvas),
        Strip::Replicas => replicas(scene, canvas),
        Strip::Latency => filled(scene, canvas, LATENCY, &|s| s.latency_ms),
        Strip::Bad => filled(scene, canvas, BAD, &|s| s.bad_percent),
        Strip::Events => events(scene, canvas),
    }
}

fn demand(scene: &mut Scene, canvas: &Canvas<'_>) {
    let highest = |s: &Stretch| Some(s.demand?.1);
    let Some(scale) = canvas.scale(&|s| [highest(s), s.capacity]) else { return };
    axis::y_axis(scene, &canvas.frame, &scale, 4);
    area(scene, canvas, (&scale, &highest), DEMAND);
    for run in canvas.runs(&scale, &|s| s.capacity) {
        scene.line(run, INK, 1.25);
    }
}

fn filled(scene: &mut Scene, canvas: &Canvas<'_>, paint: Rgb, value: Value<'_>) {
    let Some(scale) = canvas.scale(&|s| [value(s), None]) else { return };
    axis::y_axis(scene, &canvas.frame, &scale, 2);
    area(scene, canvas, (&scale, value), paint);
}

/// A line over a filled area, interrupted where nothing was recorded.
fn area(scene: &mut Scene, canvas: &Canvas<'_>, (scale, value): (&Scale, Value<'_>), paint: Rgb) {
    for run in canvas.runs(scale, value) {
        scene.band(run.iter().map(|(x, y)| (*x, *y, canvas.frame.bottom)).collect(), tint(paint, 0.25));
        scene.line(run, tint(paint, 0.8), 1.0);
    }
}

fn replicas(scene: &mut Scene, canvas: &Canvas<'_>) {
    let of = |s: &Stretch| [Some(f64::from(s.ready)), Some(f64::from(s.decided))];
    let Some(scale) = canvas.scale(&of) else { return };
    axis::count_axis(scene, &canvas.frame, &scale, 4);
    for (k, paint, width) in [(0, tint(READY, READY_TINT), 3.5), (1, DECIDED, 1.25)] {
        for run in canvas.runs(&scale, &|s| of(s)[k]) {
            scene.line(steps(&run), paint, width);
        }
    }
}

/// Replicas hold until they change.
fn steps(run: &[Point]) -> Vec<Point> {
    let mut line: Vec<Point> = Vec::with_capacity(2 * run.len());
    for (x, y) in run {
        if let Some((_, before)) = line.last().copied() {
            line.push((*x, before));
        }
        line.push((*x, *y));
    }
    line
}

type EventRow = (&'static str, Rgb, fn(&Stretch) -> usize);

const EVENTS: [EventRow; 3] = [
    ("changed", INK, |s| s.changes),
    ("guard overrode", DECIDED, |s| s.overrides),
    ("load missing", SOFT, |s| s.missing),
];

/// One row per kind of event, a tick wherever it happened, as tall as its share of the decisions of its stretch.
fn events(scene: &mut Scene, canvas: &Canvas<'_>) {
    let height = Strip::Events.height() / 3.0;
    for (i, (words, paint, number)) in EVENTS.into_iter().enumerate() {
        let middle = canvas.frame.top + height * (crate::stats::count(i) + 0.5);
        scene.text((canvas.frame.left - 9.0, middle + 0.36 * LABEL), words, (LABEL, paint, Hold::End));
        for stretch in canvas.stretches.iter().filter(|stretch| number(stretch) > 0) {
            let x = canvas.x(stretch);
            let share = crate::stats::count(number(stretch)) / crate::stats::count(stretch.decisions);
            let half = (8.0 * share).max(1.5);
            scene.line(vec![(x, middle - half), (x, middle + half)], paint, 1.5);
        }
    }
}

fn csv(stretches: &[Stretch]) -> String {
    let mut out = "t_us,demand_low_per_s,demand_high_per_s,capacity_per_s,ready,decided,latency_ms,bad_percent,changes,overrides,missing\n".to_owned();
    let number = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.4}"));
    for s in stretches {
        let [low, high] = [s.demand.map(|d| d.0), s.demand.map(|d| d.1)].map(number);
        let [capacity, latency, bad] = [s.capacity, s.latency_ms, s.bad_percent].map(number);
        out += &format!(
            "{},{low},{high},{capacity},{},{},{latency},{bad},{},{},{}\n",
            s.t_us, s.ready, s.decided, s.changes, s.overrides, s.missing
        );
    }
    out
}

#[cfg(test)]
mod tests;
