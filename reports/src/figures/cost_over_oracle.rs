//! J/J* of every strategy, from the cheapest to the dearest: dot, 95 % interval, and the number beside it.

use super::axis::{self, Scale};
use super::palette::color;
use super::scene::{Frame, Hold, INK, LABEL, SOFT, Scene, TITLE, text_frame};
use super::{Sketch, Source};
use crate::evaluation::{Metric, Scope, StrategyResult};
use crate::format::{grouped, slug, with_interval};
use crate::tables::{NOT_HEADLINE, shown_scopes};

const ROW: f64 = 25.0;
const TOP: f64 = 62.0;

pub(super) fn draw(source: &Source<'_>) -> Vec<Sketch> {
    shown_scopes(source.evaluation).into_iter().filter_map(|scope| sketch(scope, source)).collect()
}

fn sketch(scope: &Scope, source: &Source<'_>) -> Option<Sketch> {
    let rows: Vec<&StrategyResult> =
        scope.ranked().into_iter().filter(|strategy| strategy.get(Metric::CostOverOracle).is_some()).collect();
    let best = rows.first()?;
    let overall = scope.name == source.evaluation.overall.name;
    let id = if overall { "cost-over-oracle".to_owned() } else { format!("cost-over-oracle-{}", slug(&scope.name)) };
    let mark = if scope.headline { String::new() } else { format!(", {NOT_HEADLINE}") };
    let title = format!("Cost over the optimum, {}{mark}", scope.name);
    let caption = format!(
        "Cost J over the certified lower bound of the least cost, J*, by strategy ({}). 1 is the bound: no schedule is cheaper. \
         Dots are geometric means, bars 95 % bootstrap intervals, arrows lie beyond the scale. The lowest is {} at {}.",
        scope.size_in_words(),
        best.id,
        with_interval(best.get(Metric::CostOverOracle), |x| grouped(x, 3)),
    );
    let scene = scene(scope, &rows, &title)?;
    Some(Sketch { id, title, caption, csv: csv(scope, &rows), scene })
}

fn scene(scope: &Scope, rows: &[&StrategyResult], title: &str) -> Option<Scene> {
    let estimates: Vec<_> = rows.iter().filter_map(|row| row.get(Metric::CostOverOracle)).collect();
    let ends = estimates.iter().flat_map(|e| [Some(e.value), e.low, e.high]).flatten();
    let limit = limit(rows)?;
    let scale = Scale::linear(ends.chain([1.0]).filter(|ratio| *ratio <= limit), false)?;
    let widest = |texts: &mut dyn Iterator<Item = String>| {
        texts.map(|t| text_frame((0.0, 0.0), &t, LABEL, Hold::Start).right).fold(0.0, f64::max)
    };
    let numbers: Vec<String> = estimates.iter().map(|e| with_interval(Some(*e), |x| grouped(x, 3))).collect();
    let height = TOP + ROW * crate::stats::count(rows.len()) + 52.0;
    let frame = Frame {
        left: widest(&mut rows.iter().map(|row| row.id.clone())) + 28.0,
        top: TOP,
        right: 860.0 - widest(&mut numbers.iter().cloned()) - 28.0,
        bottom: height - 52.0,
    };
    let mut scene = Scene::new(860.0, height);
    scene.text((16.0, 26.0), title, (TITLE, INK, Hold::Start));
    axis::x_axis(&mut scene, &frame, &scale, 7);
    let one = scale.x(1.0, &frame);
    scene.line(vec![(one, frame.top - 6.0), (one, frame.bottom)], INK, 1.5);
    scene.text((one, frame.top - 11.0), "optimum (lower bound)", (LABEL, SOFT, Hold::Start));
    if let Some(upper) = scope.oracle.and_then(|o| Some(o.upper? / o.lower)) {
        let x = scale.x(upper, &frame);
        scene.dashed((x, frame.top), (x, frame.bottom), INK);
    }
    scene.text(((frame.left + frame.right) / 2.0, height - 12.0), "J / J*", (LABEL, INK, Hold::Middle));
    for ((i, row), number) in rows.iter().enumerate().zip(&numbers) {
        let y = frame.top + ROW * (crate::stats::count(i) + 0.5);
        strategy_row(&mut scene, (&frame, &scale, y), row, number);
    }
    Some(scene)
}

/// Where the axis ends at the latest: ratios beyond are drawn as arrows, so that one bad strategy does not hide the others' order.
fn limit(rows: &[&StrategyResult]) -> Option<f64> {
    let ratios: Vec<f64> = rows.iter().filter_map(|row| row.value(Metric::CostOverOracle)).collect();
    Some(1.0 + 3.0 * (crate::stats::quantile(&ratios, 0.5)? - 1.0).max(0.01))
}

fn strategy_row(scene: &mut Scene, (frame, scale, y): (&Frame, &Scale, f64), row: &StrategyResult, number: &str) {
    let Some(estimate) = row.get(Metric::CostOverOracle) else { return };
    let (baseline, paint) = (y + 0.36 * LABEL, color(&row.id));
    scene.text((frame.left - 12.0, baseline), &row.id, (LABEL, INK, Hold::End));
    if estimate.value > scale.high {
        let tip = frame.right;
        scene.line(vec![(tip - 16.0, y), (tip, y)], paint, 2.5);
        scene.line(vec![(tip - 6.0, y - 5.0), (tip, y), (tip - 6.0, y + 5.0)], paint, 2.5);
    } else {
        if let (Some(low), Some(high)) = (estimate.low, estimate.high) {
            let (from, to) = (scale.x(low, frame), scale.x(high, frame));
            scene.line(vec![(from, y), (to, y)], paint, 2.0);
            for end in [from, to] {
                scene.line(vec![(end, y - 5.0), (end, y + 5.0)], paint, 2.0);
            }
        }
        scene.dot((scale.x(estimate.value, frame), y), 4.0, paint);
    }
    scene.text((frame.right + 14.0, baseline), number, (LABEL, INK, Hold::Start));
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
