//! Learning curves: per learner and metric every seed (thin), the median (thick) and the band from the 10th to the 90th
//! percentile; on validation metrics a dot for the checkpoint that each seed kept, which is the first with the least value.

use std::collections::BTreeMap;

use super::axis::{self, Scale};
use super::legend::{self, Swatch};
use super::palette::color;
use super::place::Heading;
use super::scene::{Frame, Hold, INK, LABEL, Point, Rgb, SOFT, Scene, fitted, tint};
use super::{Sketch, Source};
use crate::format::{csv_field, grouped, short};
use crate::model::{LearnerKind, LearningRow};
use crate::stats::{count, quantile};

const PANEL_HEIGHT: f64 = 272.0;
const WIDTH: f64 = 860.0;
const TOP: f64 = 88.0;

/// What is known of a metric by its name: words and unit.
struct Known {
    metric: &'static str,
    words: &'static str,
    unit: &'static str,
}

/// In the order of the panels, so that the learned and the persistence forecast stand side by side.
const KNOWN: [Known; 8] = [
    known("validation_loss", "validation loss", "mean pinball loss, log-ratio"),
    known("train_loss", "training loss", "mean pinball loss, log-ratio"),
    known("validation ln(J)", "validation cost", "mean ln J, J in pod-s (0.01 is 1 % of cost)"),
    known(
        "persistence validation ln(J)",
        "validation cost, persistence forecast",
        "mean ln J, J in pod-s (0.01 is 1 % of cost)",
    ),
    known("mean cost above the reference", "training cost above the reference", "pod-s per step"),
    known(
        "persistence mean cost above the reference",
        "training cost above the reference, persistence forecast",
        "pod-s per step",
    ),
    known("loss", "temporal-difference loss", "half squared error, scaled cost²"),
    known("persistence loss", "temporal-difference loss, persistence forecast", "half squared error, scaled cost²"),
];

const fn known(metric: &'static str, words: &'static str, unit: &'static str) -> Known {
    Known { metric, words, unit }
}

/// Step, 10th percentile, median, 90th percentile, members.
type CurvePoint = (f64, f64, f64, f64, usize);

struct Curve<'a> {
    kind: LearnerKind,
    metric: &'a str,
    points: Vec<CurvePoint>,
    /// Steps and values of each seed.
    seeds: BTreeMap<u64, Vec<(f64, f64)>>,
}

impl Curve<'_> {
    fn rank(&self) -> (LearnerKind, usize) {
        (self.kind, KNOWN.iter().position(|known| known.metric == self.metric).unwrap_or(KNOWN.len()))
    }

    /// Words and unit.
    fn head(&self) -> (String, &str) {
        let known = KNOWN.iter().find(|known| known.metric == self.metric);
        let (words, unit) = known.map_or((self.metric, ""), |known| (known.words, known.unit));
        (format!("{}: {words}", kind_name(self.kind)), unit)
    }

    /// The checkpoint that each seed kept, where the metric is what checkpoints are chosen by.
    fn kept(&self) -> Vec<(u64, (f64, f64))> {
        if !self.metric.contains("validation") {
            return Vec::new();
        }
        let least =
            |points: &Vec<(f64, f64)>| points.iter().copied().reduce(|best, at| if at.1 < best.1 { at } else { best });
        self.seeds.iter().filter_map(|(seed, points)| Some((*seed, least(points)?))).collect()
    }
}

pub(super) fn draw(source: &Source<'_>) -> Vec<Sketch> {
    sketch(source).into_iter().collect()
}

fn sketch(source: &Source<'_>) -> Option<Sketch> {
    let curves = curves(&source.study.learning);
    let chosen = curves.iter().rev().find(|curve| !curve.kept().is_empty()).or(curves.last())?;
    let tail = chosen.points.last()?;
    let heading = Heading { title: "Learning curves by training seed".to_owned(), place: place(&curves, source) };
    let caption = format!(
        "Every seed (thin), the median over seeds (thick) and the range from the 10th to the 90th percentile (band) by training step, on training and \
         validation parts only. Dots: the checkpoint kept of each seed, the first with the least validation value. {} ends at {} [{}, {}].",
        chosen.head().0,
        grouped_short(tail.2),
        grouped_short(tail.1),
        grouped_short(tail.3)
    );
    let scene = scene(&curves, &heading);
    Some(Sketch { id: "learning".to_owned(), title: heading.joined(), caption, csv: csv(&curves), scene })
}

fn place(curves: &[Curve<'_>], source: &Source<'_>) -> String {
    let seeds: std::collections::BTreeSet<u64> = curves.iter().flat_map(|curve| curve.seeds.keys().copied()).collect();
    let all: Vec<String> = seeds.iter().map(u64::to_string).collect();
    let (Some(first), Some(last)) = (seeds.first(), seeds.last()) else { return String::new() };
    let named = match all.len() {
        1 => format!("seed {first}"),
        n if n > 2 && u64::try_from(n).is_ok_and(|n| n == last - first + 1) => format!("{n} seeds, {first} to {last}"),
        n if n <= 6 => format!("seeds {}", all.join(", ")),
        n => format!("{n} seeds between {first} and {last}"),
    };
    format!("{}, {named} · training and validation parts, before the scored part", source.study.name)
}

const fn kind_name(kind: LearnerKind) -> &'static str {
    match kind {
        LearnerKind::Forecaster => "forecaster",
        LearnerKind::Agent => "agent",
    }
}

#[expect(clippy::cast_precision_loss, reason = "steps stay far below 2^52")]
fn curves(rows: &[LearningRow]) -> Vec<Curve<'_>> {
    let mut by_metric: BTreeMap<(LearnerKind, &str), Vec<&LearningRow>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.value.is_finite()) {
        by_metric.entry((row.kind, &row.metric)).or_default().push(row);
    }
    let curve = |((kind, metric), rows): ((LearnerKind, _), Vec<&LearningRow>)| {
        let (mut steps, mut seeds) = (BTreeMap::<u64, Vec<f64>>::new(), BTreeMap::<u64, Vec<(f64, f64)>>::new());
        for row in rows {
            steps.entry(row.step).or_default().push(row.value);
            seeds.entry(row.member).or_default().push((row.step as f64, row.value));
        }
        seeds.values_mut().for_each(|points| points.sort_by(|a, b| a.0.total_cmp(&b.0)));
        Curve { kind, metric, points: steps.into_iter().map(point).collect(), seeds }
    };
    let mut curves: Vec<Curve<'_>> = by_metric.into_iter().map(curve).collect();
    curves.sort_by_key(Curve::rank);
    curves
}

#[expect(clippy::cast_precision_loss, reason = "steps stay far below 2^52")]
fn point((step, values): (u64, Vec<f64>)) -> CurvePoint {
    let at = |q| quantile(&values, q).unwrap_or(f64::NAN);
    (step as f64, at(0.1), at(0.5), at(0.9), values.len())
}

fn scene(curves: &[Curve<'_>], heading: &Heading) -> Scene {
    let columns = curves.len().min(2);
    let rows = curves.len().div_ceil(columns.max(1));
    let mut scene = Scene::new(WIDTH, TOP + PANEL_HEIGHT * count(rows));
    scene.heading(heading);
    let entries = [
        (Swatch::Thin(SOFT), "one seed"),
        (Swatch::Line(SOFT), "median"),
        (Swatch::Band(tint(SOFT, 0.25)), "10th to 90th percentile"),
        (Swatch::Dot(SOFT), "checkpoint kept of each seed"),
    ];
    legend::draw(&mut scene, (16.0, 72.0), &entries);
    let panel_width = WIDTH / count(columns.max(1));
    for (i, curve) in curves.iter().enumerate() {
        let (left, top) = (panel_width * count(i % columns), TOP + PANEL_HEIGHT * count(i / columns));
        let frame = Frame {
            left: left + 66.0,
            top: top + 52.0,
            right: left + panel_width - 68.0,
            bottom: top + PANEL_HEIGHT - 56.0,
        };
        panel(&mut scene, &frame, curve, panel_width);
    }
    scene
}

fn panel(scene: &mut Scene, frame: &Frame, curve: &Curve<'_>, width: f64) {
    let kept = curve.kept();
    let values = curve.points.iter().flat_map(|point| [point.1, point.3]).chain(kept.iter().map(|(_, at)| at.1));
    let steps = || curve.points.iter().map(|point| point.0);
    let (Some(y), Some(x)) = (Scale::linear(values, false), Scale::linear(steps(), true)) else { return };
    let x = Scale { high: steps().fold(x.low + 1.0, f64::max), ..x };
    let paint = color(if curve.kind == LearnerKind::Agent { "lstm-dqn" } else { "lstm" });
    axis::y_axis(scene, frame, &y, 5);
    axis::x_axis(scene, frame, &x, 4);
    let (words, unit) = curve.head();
    let left = frame.left - 50.0;
    scene.text((left, frame.top - 30.0), &fitted(&words, LABEL, width - 24.0), (LABEL, INK, Hold::Start));
    scene.text((left, frame.top - 12.0), unit, (LABEL, SOFT, Hold::Start));
    let step = if curve.kind == LearnerKind::Agent { "environment steps" } else { "gradient updates" };
    scene.text(((frame.left + frame.right) / 2.0, frame.bottom + 38.0), step, (LABEL, INK, Hold::Middle));
    let place = |(step, value): (f64, f64)| (x.x(step, frame), y.y(value, frame));
    let band = curve.points.iter().map(|p| (x.x(p.0, frame), y.y(p.3, frame), y.y(p.1, frame)));
    scene.band(band.collect(), tint(paint, 0.25));
    seed_lines(scene, curve, (&y, &place), tint(paint, 0.5));
    let line: Vec<Point> = curve.points.iter().map(|p| place((p.0, p.2))).collect();
    if let (1, Some(only)) = (line.len(), line.first()) {
        scene.dot(*only, 4.0, paint);
    }
    if let (Some(last), Some(at)) = (curve.points.last(), line.last()) {
        scene.text((at.0 + 9.0, at.1 + 0.36 * LABEL), &grouped_short(last.2), (LABEL, paint, Hold::Start));
    }
    scene.line(line, paint, 2.25);
    for (_, at) in kept {
        scene.dot(place(at), 4.5, (255, 255, 255));
        scene.dot(place(at), 3.25, paint);
    }
}

/// The lines of single seeds, cut where they leave the scale.
fn seed_lines(scene: &mut Scene, curve: &Curve<'_>, (y, place): (&Scale, &dyn Fn((f64, f64)) -> Point), paint: Rgb) {
    let within = |at: &(f64, f64)| (y.low..=y.high).contains(&at.1);
    for points in curve.seeds.values().filter(|_| curve.seeds.len() > 1) {
        for run in points.split(|at| !within(at)).filter(|run| run.len() > 1) {
            scene.line(run.iter().map(|at| place(*at)).collect(), paint, 0.75);
        }
    }
}

fn grouped_short(value: f64) -> String {
    match value.abs() {
        size if size >= 10_000.0 => grouped(value, 0),
        // ln J stands around 13 and moves in the third decimal.
        size if (2.0..100.0).contains(&size) => grouped(value, 3),
        _ => short(value),
    }
}

/// A row per seed and step: its value, whether that checkpoint was kept (empty where none is chosen), and all seeds at that step.
fn csv(curves: &[Curve<'_>]) -> String {
    let mut out = "learner,metric,step,seed,value,kept,p10,median,p90,members\n".to_owned();
    for curve in curves {
        let (kept, learner) = (curve.kept(), kind_name(curve.kind));
        let metric = csv_field(curve.metric).replace(',', ";");
        for (seed, points) in &curve.seeds {
            let chosen = kept.iter().find(|(keeper, _)| keeper == seed).map(|(_, at)| at.0);
            for (step, value) in points {
                let kept = chosen.map_or("", |at| if at.total_cmp(step).is_eq() { "yes" } else { "no" });
                let all = curve.points.iter().find(|point| point.0.total_cmp(step).is_eq());
                let (_, low, median, high, n) = all.copied().unwrap_or((*step, f64::NAN, f64::NAN, f64::NAN, 0));
                out += &format!("{learner},{metric},{step},{seed},{value},{kept},{low},{median},{high},{n}\n");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(member: u64, step: u64, metric: &str, value: f64) -> LearningRow {
        LearningRow { member, kind: LearnerKind::Agent, step, metric: metric.to_owned(), value }
    }

    /// Ties go to the earlier checkpoint, as the trainers' strict comparison does.
    #[test]
    fn the_first_least_validation_value_of_each_seed_is_marked() {
        let values = [(1, [3.0, 1.0, 2.0, 1.0]), (2, [2.0, 2.0, 2.0, 0.5])];
        let rows: Vec<LearningRow> = values
            .iter()
            .flat_map(|(seed, values)| (0..).zip(values).map(move |(i, v)| row(*seed, 10 * i, "validation ln(J)", *v)))
            .chain([row(1, 0, "loss", 4.0)])
            .collect();
        let curves = curves(&rows);
        assert_eq!(curves[0].kept(), [(1, (10.0, 1.0)), (2, (30.0, 0.5))]);
        assert!(curves[1].kept().is_empty(), "no checkpoint is chosen by the training loss");
        let csv = csv(&curves);
        assert_eq!(csv.lines().count(), 1 + rows.len(), "every point of every seed");
        for line in [
            "agent,validation ln(J),10,1,1,yes,1.1,1.5,1.9,2",
            "agent,validation ln(J),30,1,1,no,0.55,0.75,0.95,2",
            "agent,validation ln(J),30,2,0.5,yes,0.55,0.75,0.95,2",
            "agent,loss,0,1,4,,4,4,4,1",
        ] {
            assert!(csv.lines().any(|known| known == line), "{line} in {csv}");
        }
        assert_eq!(csv.matches(",yes,").count(), 2, "one kept checkpoint per seed");
    }

    #[test]
    fn panels_stand_in_the_order_of_the_table_and_strangers_last() {
        let rows = ["zeal", "loss", "persistence validation ln(J)", "validation ln(J)"].map(|m| row(1, 0, m, 1.0));
        let order: Vec<&str> = curves(&rows).iter().map(|curve| curve.metric).collect();
        assert_eq!(order, ["validation ln(J)", "persistence validation ln(J)", "loss", "zeal"]);
    }
}
