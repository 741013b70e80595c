//! J/J* of every strategy, from the cheapest to the dearest: dot, 95 % interval, and the number beside it.

use super::axis::{self, Scale, end_of_many};
use super::interval;
use super::legend::{self, Swatch};
use super::palette::color;
use super::place::Heading;
use super::scene::{Frame, Hold, INK, LABEL, SOFT, Scene, text_frame};
use super::{Sketch, Source};
use crate::evaluation::{BoundedWorld, Metric, Scope, StrategyResult};
use crate::format::{grouped, slug, with_interval};
use crate::model::Variant;
use crate::stats::Estimate;
use crate::tables::shown_scopes;

const WIDTH: f64 = 860.0;
const ROW: f64 = 25.0;
const TOP: f64 = 104.0;

pub(super) fn draw(source: &Source<'_>) -> Vec<Sketch> {
    shown_scopes(source.evaluation).into_iter().filter_map(|scope| sketch(scope, source)).collect()
}

fn sketch(scope: &Scope, source: &Source<'_>) -> Option<Sketch> {
    let rows: Vec<&StrategyResult> =
        scope.ranked().into_iter().filter(|strategy| strategy.get(Metric::CostOverOracle).is_some()).collect();
    let best = rows.first()?;
    let overall = scope.name == source.evaluation.overall.name;
    let id = if overall { "cost-over-oracle".to_owned() } else { format!("cost-over-oracle-{}", slug(&scope.name)) };
    let heading = Heading::of_scope("Cost over the optimum by strategy", scope, source.study);
    let bound = match scope.oracle.map(|bounds| bounds.world) {
        Some(BoundedWorld::Fluid) => "it is of the fluid kernel, and on this one a schedule may be cheaper",
        _ => "no schedule is cheaper",
    };
    let caption = format!(
        "Cost J over the certified lower bound of the least cost, J*, by strategy ({}). 1 is the bound: {}. \
         Dots are geometric means, bars 95 % bootstrap intervals; what an arrow points to lies beyond the scale and stands in the numbers. \
         The lowest is {} at {}.",
        scope.size_in_words(),
        bound,
        best.id,
        with_interval(best.get(Metric::CostOverOracle), |x| grouped(x, 3)),
    );
    let scene = scene(scope, &rows, &heading)?;
    Some(Sketch { id, title: heading.joined(), caption, csv: csv(scope, &rows), scene })
}

fn scale_of(estimates: &[&Estimate]) -> Option<Scale> {
    let values: Vec<f64> = estimates.iter().map(|e| e.value).collect();
    let limit = end_of_many(&values, 1.0, 2.0).max(1.02);
    let ends = estimates.iter().flat_map(|e| [Some(e.value), e.low, e.high]).flatten();
    Scale::linear(ends.chain([1.0]).filter(|ratio| *ratio <= limit), false)
}

fn scene(scope: &Scope, rows: &[&StrategyResult], heading: &Heading) -> Option<Scene> {
    let estimates: Vec<_> = rows.iter().filter_map(|row| row.get(Metric::CostOverOracle)).collect();
    let scale = scale_of(&estimates)?;
    let widest = |texts: &mut dyn Iterator<Item = String>| {
        texts.map(|t| text_frame((0.0, 0.0), &t, LABEL, Hold::Start).right).fold(0.0, f64::max)
    };
    let numbers: Vec<String> = estimates.iter().map(|e| with_interval(Some(*e), |x| grouped(x, 3))).collect();
    let height = TOP + ROW * crate::stats::count(rows.len()) + 52.0;
    let frame = Frame {
        left: widest(&mut rows.iter().map(|row| row.id.clone())) + 28.0,
        top: TOP,
        right: WIDTH - widest(&mut numbers.iter().cloned()) - 30.0,
        bottom: height - 52.0,
    };
    let mut scene = Scene::new(WIDTH, height);
    scene.heading(heading);
    draw_legend(&mut scene, rows, &estimates, &scale);
    axis::x_axis(&mut scene, &frame, &scale, 8);
    optimum(&mut scene, &frame, &scale, scope);
    let x_title = "J / J* (cost over the lower bound of the least cost)";
    scene.text(((frame.left + frame.right) / 2.0, height - 12.0), x_title, (LABEL, INK, Hold::Middle));
    for ((i, row), number) in rows.iter().enumerate().zip(&numbers) {
        let y = frame.top + ROW * (crate::stats::count(i) + 0.5);
        strategy_row(&mut scene, (&frame, &scale, y), row, number);
    }
    Some(scene)
}

fn draw_legend(scene: &mut Scene, rows: &[&StrategyResult], estimates: &[&Estimate], scale: &Scale) {
    let mut entries = vec![(Swatch::Dot(INK), "strategy")];
    if rows.iter().any(|row| row.variant == Variant::Attribution) {
        entries.push((Swatch::Ring(INK), "attribution row"));
    }
    if estimates.iter().any(|estimate| estimate.low.is_some()) {
        entries.push((Swatch::Line(INK), "95 % interval"));
    }
    if estimates.iter().any(|estimate| interval::leaves(estimate, scale)) {
        entries.push((Swatch::Arrow(INK), "goes on beyond the scale"));
    }
    legend::draw(scene, (16.0, 72.0), &entries);
}

fn optimum(scene: &mut Scene, frame: &Frame, scale: &Scale, scope: &Scope) {
    let one = scale.x(1.0, frame);
    scene.line(vec![(one, frame.top - 6.0), (one, frame.bottom)], INK, 1.5);
    let upper = scope.oracle.and_then(|o| Some(scale.x(o.upper? / o.lower, frame))).filter(|x| x - one > 3.0);
    let words =
        if upper.is_some() { "optimum: lower bound, and replayed plan (dashed)" } else { "optimum (lower bound)" };
    scene.text((one, frame.top - 11.0), words, (LABEL, SOFT, Hold::Start));
    if let Some(x) = upper {
        scene.dashed((x, frame.top), (x, frame.bottom), INK);
    }
}

fn strategy_row(scene: &mut Scene, (frame, scale, y): (&Frame, &Scale, f64), row: &StrategyResult, number: &str) {
    let Some(estimate) = row.get(Metric::CostOverOracle) else { return };
    let baseline = y + 0.36 * LABEL;
    scene.text((frame.left - 12.0, baseline), &row.id, (LABEL, INK, Hold::End));
    interval::draw(scene, (frame, scale, y), estimate, (color(&row.id), row.variant == Variant::Attribution));
    scene.text((frame.right + 16.0, baseline), number, (LABEL, INK, Hold::Start));
}

fn csv(scope: &Scope, rows: &[&StrategyResult]) -> String {
    let mut out = "scope,strategy,variant,cost_over_oracle,low,high,n\n".to_owned();
    let end = |x: Option<f64>| x.map_or_else(String::new, |x| x.to_string());
    for row in rows {
        if let Some(e) = row.get(Metric::CostOverOracle) {
            let (low, high) = (end(e.low), end(e.high));
            out += &format!("{},{},{},{},{low},{high},{}\n", scope.name, row.id, row.variant.as_str(), e.value, e.n);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::scene::Mark;
    use super::*;

    fn estimate(value: f64, low: Option<f64>, high: Option<f64>) -> Estimate {
        Estimate { value, low, high, n: 7 }
    }

    /// All marks of a row stay within its panel, beyond the scale or not.
    #[test]
    fn no_bar_leaves_the_panel() {
        let scale = Scale { low: 1.0, high: 1.5, log: false };
        let frame = Frame { left: 200.0, top: 0.0, right: 600.0, bottom: 50.0 };
        for (value, low, high) in
            [(1.4, Some(1.2), Some(3.0)), (4.0, Some(2.0), Some(9.0)), (1.2, Some(0.5), Some(1.3))]
        {
            let metrics = [(Metric::CostOverOracle, estimate(value, low, high))].into_iter().collect();
            let variant = Variant::Default;
            let row = StrategyResult { id: "a".to_owned(), variant, config: String::new(), metrics };
            let mut scene = Scene::new(WIDTH, 50.0);
            strategy_row(&mut scene, (&frame, &scale, 25.0), &row, "");
            for mark in &scene.marks {
                if let Mark::Line { points, .. } = mark {
                    assert!(points.iter().all(|(x, _)| (200.0..=600.0).contains(x)), "{value}: {points:?}");
                }
            }
        }
    }
}
