//! The trade every strategy makes: pod-hours against bad requests, with the replayed optimal plan.

use super::axis::{self, Scale};
use super::labels::{self, Labelled};
use super::palette::color;
use super::scene::{Frame, Hold, INK, LABEL, SOFT, Scene, TITLE, shade, text_frame};
use super::{Sketch, Source};
use crate::evaluation::{Metric, Scope, StrategyResult};
use crate::format::{grouped, slug};
use crate::tables::shown_scopes;

struct Spot<'a> {
    strategy: &'a StrategyResult,
    pod_hours: f64,
    bad_percent: f64,
}

pub(super) fn draw(source: &Source<'_>) -> Vec<Sketch> {
    shown_scopes(source.evaluation).into_iter().filter_map(|scope| sketch(scope, source)).collect()
}

fn sketch(scope: &Scope, source: &Source<'_>) -> Option<Sketch> {
    let overall = scope.name == source.evaluation.overall.name;
    let id = if overall { "cost-violations".to_owned() } else { format!("cost-violations-{}", slug(&scope.name)) };
    let spots: Vec<Spot<'_>> = scope.ranked().into_iter().chain(scope.plan.as_ref()).filter_map(spot).collect();
    let title = format!("Pod-hours against bad requests, {}", scope.name);
    let (scene, floor) = scene(scope, &spots, &title)?;
    let clean = spots.iter().any(|spot| spot.bad_percent < floor);
    let caption = format!(
        "What each strategy pays and what it spoils, mean per window ({}). Lower left is better; bad requests waited more than 120 ms, \
         failed or were dropped.{}{}",
        scope.size_in_words(),
        if scope.plan.is_some() { " The black dot is the optimal plan replayed, which knows the future." } else { "" },
        if clean {
            format!(" Dots at the lower edge have below {} % bad requests.", crate::format::short(floor))
        } else {
            String::new()
        },
    );
    let mut csv = "scope,strategy,variant,pod_hours_per_window,bad_percent\n".to_owned();
    for Spot { strategy, pod_hours, bad_percent } in &spots {
        csv += &format!("{},{},{},{pod_hours},{bad_percent}\n", scope.name, strategy.id, strategy.variant.as_str());
    }
    Some(Sketch { id, title, caption, csv, scene })
}

fn spot(strategy: &StrategyResult) -> Option<Spot<'_>> {
    let pod_hours = strategy.value(Metric::PodSeconds)? / 3_600.0;
    Some(Spot { strategy, pod_hours, bad_percent: strategy.value(Metric::BadFraction)? * 100.0 })
}

fn scene(scope: &Scope, spots: &[Spot<'_>], title: &str) -> Option<(Scene, f64)> {
    let hours = || spots.iter().map(|spot| spot.pod_hours);
    let (least, most) = hours().fold((f64::INFINITY, 0.0_f64), |(a, b), x| (a.min(x), b.max(x)));
    let x = if most > 2.0 * least { Scale::logarithmic(hours()) } else { Scale::linear(hours(), false) }?;
    let shares = || spots.iter().map(|spot| spot.bad_percent);
    let (worst, best) = shares().filter(|b| *b > 0.0).fold((0.0_f64, f64::INFINITY), |(a, b), v| (a.max(v), b.min(v)));
    // A thousandth of a percent is one request in 100,000: below that differences do not matter and would stretch the axis.
    let floor = best.max(1e-3);
    let y = if worst > 8.0 * floor {
        Scale::logarithmic(shares().map(|b| b.max(floor)))
    } else {
        Scale::linear(shares(), true)
    }?;
    let frame = Frame { left: 76.0, top: 64.0, right: 826.0, bottom: 430.0 };
    let mut scene = Scene::new(860.0, 486.0);
    scene.text((16.0, 26.0), title, (TITLE, INK, Hold::Start));
    axis::y_axis(&mut scene, &frame, &y, 6);
    axis::x_axis(&mut scene, &frame, &x, 7);
    let scales = [&x, &y].map(|scale| if scale.log { " (logarithmic)" } else { "" });
    let x_title = format!("pod-hours per window{}", scales[0]);
    scene.text(((frame.left + frame.right) / 2.0, 474.0), &x_title, (LABEL, INK, Hold::Middle));
    scene.text((16.0, 52.0), &format!("bad requests, %{}", scales[1]), (LABEL, INK, Hold::Start));
    let mut points = Vec::new();
    for spot in spots {
        let at = (x.x(spot.pod_hours, &frame), y.y(spot.bad_percent, &frame));
        let ring = if spot.strategy.id == "oracle" { 8.0 } else { 6.5 };
        scene.dot(at, ring, (255, 255, 255));
        scene.dot(at, if spot.strategy.id == "oracle" { 6.5 } else { 5.0 }, color(&spot.strategy.id));
        points.push(Labelled { at, text: spot.strategy.id.clone(), color: shade(color(&spot.strategy.id)) });
    }
    let note = scope.oracle.map(|bounds| format!("least cost J*: {} pod-s per window", grouped(bounds.lower, 0)));
    let mut taken = Vec::new();
    if let Some(note) = note {
        let at = (frame.right, 52.0);
        scene.text(at, &note, (LABEL, SOFT, Hold::End));
        taken.push(text_frame(at, &note, LABEL, Hold::End));
    }
    labels::place(&mut scene, &frame, &points, &taken);
    Some((scene, if y.log { floor } else { 0.0 }))
}
