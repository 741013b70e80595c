//! The trade every strategy makes: pod-hours against bad requests, with the replayed optimal plan.
//!
//! Scales hold the many; a strategy beyond them is an arrow at the edge with its values, so that it does not squeeze the rest.

use super::axis::{self, Scale, end_of_many};
use super::labels::{self, Labelled};
use super::legend::{self, Swatch};
use super::palette::color;
use super::place::Heading;
use super::scene::{Frame, Hold, INK, LABEL, Point, SOFT, Scene, shade, text_frame};
use super::{Sketch, Source};
use crate::evaluation::{Metric, Scope, StrategyResult};
use crate::format::{grouped, short, slug};
use crate::model::Variant;
use crate::tables::shown_scopes;

const WIDTH: f64 = 860.0;
/// Length of the arrows.
const TAIL: f64 = 18.0;
/// So few bad requests, in percent, that differences between strategies below it do not matter.
const FEW_BAD: f64 = 0.01;
/// Dots nearer than this share one label.
const NEAR: f64 = 6.0;

struct Spot<'a> {
    strategy: &'a StrategyResult,
    pod_hours: f64,
    bad_percent: f64,
}

impl Spot<'_> {
    fn is_oracle(&self) -> bool {
        self.strategy.variant == Variant::Oracle
    }
}

pub(super) fn draw(source: &Source<'_>) -> Vec<Sketch> {
    shown_scopes(source.evaluation).into_iter().filter_map(|scope| sketch(scope, source)).collect()
}

fn sketch(scope: &Scope, source: &Source<'_>) -> Option<Sketch> {
    let overall = scope.name == source.evaluation.overall.name;
    let id = if overall { "cost-violations".to_owned() } else { format!("cost-violations-{}", slug(&scope.name)) };
    let spots: Vec<Spot<'_>> = scope.ranked().into_iter().chain(scope.plan.as_ref()).filter_map(spot).collect();
    let heading = Heading::of_scope("Pod-hours against bad requests by strategy", scope, source.study);
    let scales = scales(&spots)?;
    let beyond = spots.iter().any(|spot| scales.beyond(spot).is_some());
    let caption = format!(
        "What each strategy pays and what it spoils, mean per window ({}). Lower left is better; bad requests waited more than 120 ms, \
         failed or were dropped.{}{}",
        scope.size_in_words(),
        if scope.plan.is_some() { " The black dot is the optimal plan replayed, which knows the future." } else { "" },
        if beyond { " Arrows at the edge stand for strategies beyond the scales, with their values." } else { "" },
    );
    let mut csv = "scope,strategy,variant,pod_hours_per_window,bad_percent\n".to_owned();
    for Spot { strategy, pod_hours, bad_percent } in &spots {
        csv += &format!("{},{},{},{pod_hours},{bad_percent}\n", scope.name, strategy.id, strategy.variant.as_str());
    }
    let scene = scene(scope, &spots, &heading, &scales);
    Some(Sketch { id, title: heading.joined(), caption, csv, scene })
}

fn spot(strategy: &StrategyResult) -> Option<Spot<'_>> {
    let pod_hours = strategy.value(Metric::PodSeconds)? / 3_600.0;
    Some(Spot { strategy, pod_hours, bad_percent: strategy.value(Metric::BadFraction)? * 100.0 })
}

struct Scales {
    x: Scale,
    y: Scale,
}

/// Scales that hold the optimal plan and the many: first by bad requests, then, among those that serve, by pod-hours.
fn scales(spots: &[Spot<'_>]) -> Option<Scales> {
    let bad: Vec<f64> = spots.iter().filter(|spot| !spot.is_oracle()).map(|spot| spot.bad_percent).collect();
    let most_bad = end_of_many(&bad, 0.0, 3.0).max(FEW_BAD);
    let serving: Vec<&Spot<'_>> =
        spots.iter().filter(|spot| spot.is_oracle() || spot.bad_percent <= most_bad).collect();
    let hours: Vec<f64> = serving.iter().map(|spot| spot.pod_hours).collect();
    let least = hours.iter().copied().fold(f64::INFINITY, f64::min);
    let most_hours = end_of_many(&hours, least, 2.0);
    let many = || serving.iter().filter(|spot| spot.is_oracle() || spot.pod_hours <= most_hours);
    let x = Scale::linear(many().map(|spot| spot.pod_hours), false)?;
    let y = Scale::linear(many().map(|spot| spot.bad_percent), true)?;
    // Some room on either side, so that no dot stands on the frame.
    let room = 0.04 * (x.high - x.low);
    Some(Scales { x: Scale { low: (x.low - room).max(0.0), high: x.high + room, ..x }, y })
}

impl Scales {
    /// The direction in which a spot lies beyond the scales, on paper; `None` within.
    fn beyond(&self, spot: &Spot<'_>) -> Option<Point> {
        let side = |value: f64, scale: &Scale| {
            f64::from(i8::from(value > scale.high)) - f64::from(i8::from(value < scale.low))
        };
        let direction = (side(spot.pod_hours, &self.x), -side(spot.bad_percent, &self.y));
        (direction != (0.0, 0.0)).then_some(direction)
    }
}

fn scene(scope: &Scope, spots: &[Spot<'_>], heading: &Heading, scales: &Scales) -> Scene {
    let frame = Frame { left: 76.0, top: 112.0, right: 832.0, bottom: 500.0 };
    let mut scene = Scene::new(WIDTH, 556.0);
    scene.heading(heading);
    draw_legend(&mut scene, spots, scales);
    axis::y_axis(&mut scene, &frame, &scales.y, 6);
    axis::x_axis(&mut scene, &frame, &scales.x, 7);
    let middle = (frame.left + frame.right) / 2.0;
    scene.text(
        (middle, 544.0),
        "pod-hours per window (starting and terminating pods included)",
        (LABEL, INK, Hold::Middle),
    );
    scene.text((16.0, 98.0), "bad requests, %", (LABEL, INK, Hold::Start));
    let mut taken = Vec::new();
    if let Some(bounds) = scope.oracle {
        let note = format!("least cost J*: {} pod-s per window", grouped(bounds.lower, 0));
        scene.text((frame.right, 98.0), &note, (LABEL, SOFT, Hold::End));
        taken.push(text_frame((frame.right, 98.0), &note, LABEL, Hold::End));
    }
    // From the dearest to the cheapest, so that the best lies on top.
    for spot in spots.iter().rev() {
        mark(&mut scene, &frame, spot, scales);
    }
    let arrows = spots.iter().filter_map(|spot| Some(body(position(spot, &frame, scales), scales.beyond(spot)?)));
    taken.extend(arrows);
    labels::place(&mut scene, &frame, &labelled(spots, &frame, scales), &taken);
    scene
}

fn draw_legend(scene: &mut Scene, spots: &[Spot<'_>], scales: &Scales) {
    let mut entries = vec![(Swatch::Dot(INK), "strategy")];
    if spots.iter().any(|spot| spot.strategy.variant == Variant::Attribution) {
        entries.push((Swatch::Ring(INK), "attribution row"));
    }
    if spots.iter().any(|spot| scales.beyond(spot).is_some()) {
        entries.push((Swatch::Arrow(INK), "beyond the scales, with its values"));
    }
    legend::draw(scene, (16.0, 72.0), &entries);
}

fn position(spot: &Spot<'_>, frame: &Frame, scales: &Scales) -> Point {
    (scales.x.x(spot.pod_hours, frame), scales.y.y(spot.bad_percent, frame))
}

fn mark(scene: &mut Scene, frame: &Frame, spot: &Spot<'_>, scales: &Scales) {
    let (at, paint) = (position(spot, frame, scales), color(&spot.strategy.id));
    if let Some(direction) = scales.beyond(spot) {
        return scene.arrow(at, direction, (TAIL, paint));
    }
    let radius = if spot.is_oracle() { 6.5 } else { 5.0 };
    scene.dot(at, radius + 1.5, (255, 255, 255));
    if spot.strategy.variant == Variant::Attribution {
        scene.ring(at, radius, paint);
    } else {
        scene.dot(at, radius, paint);
    }
}

/// Where an arrow with its tip at `tip` begins.
fn tail(tip: Point, (dx, dy): Point) -> Point {
    let length = labels::distance((0.0, 0.0), (dx, dy)).max(1e-9);
    (tip.0 - TAIL * dx / length, tip.1 - TAIL * dy / length)
}

/// What an arrow covers.
fn body(tip: Point, direction: Point) -> Frame {
    let end = tail(tip, direction);
    Frame {
        left: tip.0.min(end.0) - 2.0,
        top: tip.1.min(end.1) - 2.0,
        right: tip.0.max(end.0) + 2.0,
        bottom: tip.1.max(end.1) + 2.0,
    }
}

/// One label per crowd of marks that nearly coincide, one line per strategy; what is beyond the scales says its values.
fn labelled(spots: &[Spot<'_>], frame: &Frame, scales: &Scales) -> Vec<Labelled> {
    let mut points: Vec<(Labelled, bool)> = Vec::new();
    for spot in spots {
        let (direction, id) = (scales.beyond(spot), &spot.strategy.id);
        let (tip, beyond) = (position(spot, frame, scales), direction.is_some());
        let at = direction.map_or(tip, |direction| tail(tip, direction));
        let text = if beyond {
            format!("{id}: {} pod-h, {} % bad", grouped(spot.pod_hours, 0), short(spot.bad_percent))
        } else {
            id.clone()
        };
        let near = |(point, other): &&mut (Labelled, bool)| *other == beyond && labels::distance(point.at, at) < NEAR;
        match points.iter_mut().find(near) {
            Some((crowd, _)) => crowd.lines.push(text),
            None => points.push((Labelled { at, lines: vec![text], color: shade(color(id)) }, beyond)),
        }
    }
    points.into_iter().map(|(point, _)| point).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::stats::Estimate;

    fn strategy(id: &str, variant: Variant, pod_hours: f64, bad_percent: f64) -> StrategyResult {
        let one = |value| Estimate { value, low: None, high: None, n: 1 };
        let metrics = BTreeMap::from([
            (Metric::PodSeconds, one(pod_hours * 3_600.0)),
            (Metric::BadFraction, one(bad_percent / 100.0)),
        ]);
        StrategyResult { id: id.to_owned(), variant, config: String::new(), metrics }
    }

    fn field() -> Vec<StrategyResult> {
        let row = |(id, hours, bad): (&str, f64, f64)| strategy(id, Variant::Default, hours, bad);
        let rows = [("a", 285.0, 0.15), ("b", 286.0, 0.17), ("c", 289.0, 0.17), ("d", 284.0, 0.24), ("e", 301.0, 0.15)];
        let far = [("random", 524.0, 0.0007), ("starved", 150.0, 60.0), ("no-floor", 273.0, 4.05)];
        let oracle = strategy("oracle", Variant::Oracle, 258.0, 0.03);
        rows.into_iter().chain(far).map(row).chain([oracle]).collect()
    }

    /// The many and the plan lie within, each outlier points to its side, and its values stand in its label.
    #[test]
    fn outliers_are_arrows_and_do_not_stretch_the_scales() {
        let field = field();
        let spots: Vec<Spot<'_>> = field.iter().filter_map(spot).collect();
        let scales = scales(&spots).unwrap();
        assert!(scales.x.high < 320.0 && scales.y.high < 0.5, "{} {}", scales.x.high, scales.y.high);
        let directions: Vec<(&str, Point)> =
            spots.iter().filter_map(|spot| Some((spot.strategy.id.as_str(), scales.beyond(spot)?))).collect();
        assert_eq!(directions, [("random", (1.0, 0.0)), ("starved", (-1.0, -1.0)), ("no-floor", (0.0, -1.0))]);
        let frame = Frame { left: 0.0, top: 0.0, right: 700.0, bottom: 400.0 };
        let texts: Vec<String> = labelled(&spots, &frame, &scales).into_iter().flat_map(|point| point.lines).collect();
        assert!(texts.contains(&"random: 524 pod-h, 0.0007 % bad".to_owned()), "{texts:?}");
        assert_eq!(texts.len(), spots.len());
    }

    #[test]
    fn marks_that_coincide_share_a_label_and_keep_all_names() {
        let field = [("a", 10.0), ("b", 10.0), ("c", 10.0), ("d", 20.0)]
            .map(|(id, hours)| strategy(id, Variant::Default, hours, 0.0));
        let spots: Vec<Spot<'_>> = field.iter().filter_map(spot).collect();
        let scales = scales(&spots).unwrap();
        let frame = Frame { left: 0.0, top: 0.0, right: 700.0, bottom: 400.0 };
        let lines: Vec<Vec<String>> = labelled(&spots, &frame, &scales).into_iter().map(|point| point.lines).collect();
        assert_eq!(lines[0], ["a", "b", "c"]);
        assert_eq!(lines.len(), 2);
    }
}
