//! Learning curves: per learner and metric the median over members with the band from the 10th to the 90th percentile.

use std::collections::BTreeMap;

use super::axis::{self, Scale};
use super::palette::color;
use super::scene::{Frame, Hold, INK, LABEL, Point, Scene, TITLE, tint};
use super::{Sketch, Source};
use crate::format::{csv_field, grouped, short};
use crate::model::{LearnerKind, LearningRow};
use crate::stats::{count, quantile};

const PANEL_HEIGHT: f64 = 250.0;
const WIDTH: f64 = 860.0;

/// Step, 10th percentile, median, 90th percentile, members.
type CurvePoint = (f64, f64, f64, f64, usize);

struct Curve<'a> {
    kind: LearnerKind,
    metric: &'a str,
    points: Vec<CurvePoint>,
}

pub(super) fn draw(source: &Source<'_>) -> Vec<Sketch> {
    sketch(&source.study.learning).into_iter().collect()
}

fn sketch(rows: &[LearningRow]) -> Option<Sketch> {
    let curves = curves(rows);
    let last = curves.last()?;
    let members = curves.iter().flat_map(|curve| curve.points.iter().map(|point| point.4)).max()?;
    let tail = last.points.last()?;
    let title = format!("Learning curves over {members} member{}", if members == 1 { "" } else { "s" });
    let caption = format!(
        "Median over members (line) and the range from the 10th to the 90th percentile (band) by training step. {} of the {} ends at {} [{}, {}].",
        last.metric,
        kind_name(last.kind),
        grouped_short(tail.2),
        grouped_short(tail.1),
        grouped_short(tail.3)
    );
    let mut csv = "learner,metric,step,p10,median,p90,members\n".to_owned();
    for curve in &curves {
        for (step, low, median, high, n) in &curve.points {
            csv += &format!(
                "{},{},{step},{low},{median},{high},{n}\n",
                kind_name(curve.kind),
                csv_field(curve.metric).replace(',', ";")
            );
        }
    }
    Some(Sketch { id: "learning".to_owned(), title: title.clone(), caption, csv, scene: scene(&curves, &title) })
}

const fn kind_name(kind: LearnerKind) -> &'static str {
    match kind {
        LearnerKind::Forecaster => "forecaster",
        LearnerKind::Agent => "agent",
    }
}

fn curves(rows: &[LearningRow]) -> Vec<Curve<'_>> {
    let mut by_metric: BTreeMap<(LearnerKind, &str), BTreeMap<u64, Vec<f64>>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.value.is_finite()) {
        by_metric.entry((row.kind, &row.metric)).or_default().entry(row.step).or_default().push(row.value);
    }
    let point = |(step, values): (u64, Vec<f64>)| {
        let at = |q| quantile(&values, q).unwrap_or(f64::NAN);
        #[expect(clippy::cast_precision_loss, reason = "steps stay far below 2^52")]
        let step = step as f64;
        (step, at(0.1), at(0.5), at(0.9), values.len())
    };
    by_metric
        .into_iter()
        .map(|((kind, metric), steps)| Curve { kind, metric, points: steps.into_iter().map(point).collect() })
        .collect()
}

fn scene(curves: &[Curve<'_>], title: &str) -> Scene {
    let columns = curves.len().min(2);
    let rows = curves.len().div_ceil(columns.max(1));
    let mut scene = Scene::new(WIDTH, 40.0 + PANEL_HEIGHT * count(rows));
    scene.text((16.0, 26.0), title, (TITLE, INK, Hold::Start));
    let panel_width = WIDTH / count(columns.max(1));
    for (i, curve) in curves.iter().enumerate() {
        let (left, top) = (panel_width * count(i % columns), 40.0 + PANEL_HEIGHT * count(i / columns));
        let frame = Frame {
            left: left + 66.0,
            top: top + 36.0,
            right: left + panel_width - 26.0,
            bottom: top + PANEL_HEIGHT - 52.0,
        };
        panel(&mut scene, &frame, curve);
    }
    scene
}

fn panel(scene: &mut Scene, frame: &Frame, curve: &Curve<'_>) {
    let values = curve.points.iter().flat_map(|point| [point.1, point.3]);
    let steps = || curve.points.iter().map(|point| point.0);
    let (Some(y), Some(x)) = (Scale::linear(values, false), Scale::linear(steps(), true)) else { return };
    let x = Scale { high: steps().fold(x.low + 1.0, f64::max), ..x };
    let paint = color(if curve.kind == LearnerKind::Agent { "lstm-dqn" } else { "lstm" });
    axis::y_axis(scene, frame, &y, 5);
    axis::x_axis(scene, frame, &x, 4);
    let head = format!("{}: {}", kind_name(curve.kind), curve.metric);
    scene.text((frame.left - 50.0, frame.top - 14.0), &head, (LABEL, INK, Hold::Start));
    scene.text(((frame.left + frame.right) / 2.0, frame.bottom + 36.0), "training step", (LABEL, INK, Hold::Middle));
    let place = |value: f64| y.y(value, frame);
    scene.band(curve.points.iter().map(|p| (x.x(p.0, frame), place(p.3), place(p.1))).collect(), tint(paint, 0.25));
    let line: Vec<Point> = curve.points.iter().map(|p| (x.x(p.0, frame), place(p.2))).collect();
    if let (1, Some(only)) = (line.len(), line.first()) {
        scene.dot(*only, 4.0, paint);
    }
    if let (Some(last), Some(at)) = (curve.points.last(), line.last()) {
        // Above the band where there is room, so that the number does not stand on the line.
        let baseline = (place(last.3) - 8.0).max(frame.top + LABEL);
        scene.text((at.0, baseline), &grouped_short(last.2), (LABEL, paint, Hold::End));
    }
    scene.line(line, paint, 2.0);
}

fn grouped_short(value: f64) -> String {
    match value.abs() {
        size if size >= 10_000.0 => grouped(value, 0),
        // ln J stands around 13 and moves in the third decimal.
        size if (2.0..100.0).contains(&size) => grouped(value, 3),
        _ => short(value),
    }
}
