//! What foresight is worth: J/J* of plans that know the true rate so many seconds ahead, beside the best strategy.

use super::axis::{self, Scale, end_of_many};
use super::place::Heading;
use super::scene::{Frame, Hold, INK, LABEL, Rgb, SOFT, Scene};
use super::{Sketch, Source};
use crate::evaluation::{Metric, Scope};
use crate::format::{grouped, slug, with_interval};
use crate::model::yardstick;
use crate::stats::Estimate;
use crate::tables::shown_scopes;

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 330.0;
const LINE: Rgb = (0x00, 0x72, 0xb2);

/// A step of the ladder: how far ahead, and J/J*.
type Step = (String, Estimate);

pub(super) fn draw(source: &Source<'_>) -> Vec<Sketch> {
    shown_scopes(source.evaluation).into_iter().filter_map(|scope| sketch(scope, source)).collect()
}

fn steps(scope: &Scope) -> Option<Vec<Step>> {
    let of =
        |id: &str| scope.yardsticks.iter().find(|yardstick| yardstick.id == id)?.get(Metric::CostOverOracle).copied();
    let known = |(id, seconds): (&str, u32)| Some((format!("{seconds} s"), of(id)?));
    let mut steps = yardstick::FORESIGHT.into_iter().map(known).collect::<Option<Vec<Step>>>()?;
    let plan = scope.plan.as_ref()?.get(Metric::CostOverOracle).copied()?;
    steps.push(("all".to_owned(), plan));
    Some(steps)
}

fn sketch(scope: &Scope, source: &Source<'_>) -> Option<Sketch> {
    let steps = steps(scope)?;
    let best = scope.ranked().into_iter().find_map(|s| Some((s.id.clone(), *s.get(Metric::CostOverOracle)?)))?;
    let overall = scope.name == source.evaluation.overall.name;
    let id = if overall { "foresight".to_owned() } else { format!("foresight-{}", slug(&scope.name)) };
    let heading = Heading::of_scope("What knowing the rate ahead is worth", scope, source.study);
    let told: Vec<String> =
        steps.iter().map(|(ahead, g)| format!("{ahead}: {}", with_interval(Some(g), |x| grouped(x, 3)))).collect();
    let caption = format!(
        "J/J* of plans that know the true rate that far ahead and hold a tuned reserve over it afterwards, under the same random starts, \
         cadence and kernel as every strategy ({}). {}. The dashed line is the cheapest strategy, {} at {}; what lies between it and the ladder at \
         the lead time of 90 s is what better forecasts could win at most.",
        scope.size_in_words(),
        told.join("; "),
        best.0,
        grouped(best.1.value, 3),
    );
    let scene = scene(&steps, &best, &heading)?;
    let csv = csv(scope, &steps, &best);
    Some(Sketch { id, title: heading.joined(), caption, csv, scene })
}

fn scene(steps: &[Step], (best, rival): &(String, Estimate), heading: &Heading) -> Option<Scene> {
    let values: Vec<f64> = steps.iter().map(|(_, g)| g.value).collect();
    let limit = end_of_many(&values, 1.0, 2.0).max(rival.value);
    let ends = steps.iter().flat_map(|(_, g)| [Some(g.value), g.low, g.high]).flatten();
    let scale = Scale::linear(ends.filter(|x| *x <= limit).chain([1.0, rival.value]), false)?;
    let left = 24.0 + axis::labels_width(&scale, 6) + LABEL;
    let frame = Frame { left, top: 84.0, right: WIDTH - 24.0, bottom: HEIGHT - 56.0 };
    let mut scene = Scene::new(WIDTH, HEIGHT);
    scene.heading(heading);
    axis::y_axis(&mut scene, &frame, &scale, 6);
    let pitch = (frame.right - frame.left) / crate::stats::count(steps.len());
    let x = |i: usize| frame.left + pitch * (crate::stats::count(i) + 0.5);
    let level = scale.y(rival.value, &frame);
    scene.dashed((frame.left, level), (frame.right, level), INK);
    scene.text((frame.right, level + 1.2 * LABEL), best, (LABEL, INK, Hold::End));
    let within = steps.iter().enumerate().filter(|(_, (_, g))| g.value <= scale.high);
    scene.line(within.map(|(i, (_, g))| (x(i), scale.y(g.value, &frame))).collect(), LINE, 1.5);
    for (i, (ahead, g)) in steps.iter().enumerate() {
        whisker(&mut scene, x(i), g, (&scale, &frame));
        scene.text((x(i), frame.bottom + 1.4 * LABEL), ahead, (LABEL, SOFT, Hold::Middle));
    }
    scene.text((frame.left, 72.0), "J/J*", (LABEL, SOFT, Hold::Start));
    let title = "true rate known ahead; afterwards a tuned reserve over it";
    scene.text(((frame.left + frame.right) / 2.0, HEIGHT - 14.0), title, (LABEL, INK, Hold::Middle));
    Some(scene)
}

/// A dot with its interval; what lies beyond the scale is an arrow with its value.
fn whisker(scene: &mut Scene, x: f64, g: &Estimate, (scale, frame): (&Scale, &Frame)) {
    if g.value > scale.high {
        scene.arrow((x, frame.top), (0.0, -1.0), (20.0, LINE));
        scene.text((x + 10.0, frame.top + 18.0), &grouped(g.value, 2), (LABEL, INK, Hold::Start));
        return;
    }
    if let (Some(low), Some(high)) = (g.low, g.high) {
        scene.line(vec![(x, scale.y(low, frame)), (x, scale.y(high, frame))], LINE, 2.0);
        if high > scale.high {
            scene.arrow((x, frame.top - 4.0), (0.0, -1.0), (10.0, LINE));
        }
    }
    scene.dot((x, scale.y(g.value, frame)), 4.0, LINE);
}

fn csv(scope: &Scope, steps: &[Step], (best, rival): &(String, Estimate)) -> String {
    let end = |x: Option<f64>| x.map_or_else(String::new, |x| x.to_string());
    let line = |kind: &str, what: &str, e: &Estimate| {
        format!("{},{kind},{what},{},{},{},{}\n", scope.name, e.value, end(e.low), end(e.high), e.n)
    };
    let mut out = "scope,kind,known_ahead_or_strategy,cost_over_oracle,low,high,n\n".to_owned();
    steps.iter().for_each(|(ahead, g)| out += &line("foresight", ahead, g));
    out + &line("strategy", best, rival)
}
