//! Certified regret: ln(J/J*) of every strategy over the shares that no rule can change, and what its own rule adds or gives back.

use super::axis::{self, Scale, end_of_many};
use super::interval;
use super::legend::{self, Swatch};
use super::palette::color;
use super::place::Heading;
use super::scene::{Frame, Hold, INK, LABEL, Rgb, SOFT, Scene, text_frame};
use super::{Sketch, Source};
use crate::evaluation::{Scope, Split, StrategyResult};
use crate::format::{grouped, slug, with_interval};
use crate::model::Variant;
use crate::tables::{regret_points, shown_scopes};

const WIDTH: f64 = 860.0;
const ROW: f64 = 25.0;
const TOP: f64 = 104.0;
/// Head of the numbers.
const NUMBERS: &str = "regret (rule)";
/// Behind the rows: cadence and starts, lead-time information, metric lag.
const BANDS: [Rgb; 3] = [(0xe4, 0xe4, 0xe4), (0xd4, 0xe6, 0xf4), (0xf6, 0xe6, 0xcc)];

type Row<'a> = (&'a StrategyResult, Split);

pub(super) fn draw(source: &Source<'_>) -> Vec<Sketch> {
    shown_scopes(source.evaluation).into_iter().filter_map(|scope| sketch(scope, source)).collect()
}

fn sketch(scope: &Scope, source: &Source<'_>) -> Option<Sketch> {
    let split = |strategy: &StrategyResult| scope.splits.get(&strategy.id).map(regret_points);
    let rows: Vec<Row<'_>> =
        scope.ranked().into_iter().filter_map(|strategy| Some((strategy, split(strategy)?))).collect();
    let (best, first) = rows.first()?;
    let overall = scope.name == source.evaluation.overall.name;
    let id = if overall { "regret".to_owned() } else { format!("regret-{}", slug(&scope.name)) };
    let heading = Heading::of_scope("Certified regret and where it comes from", scope, source.study);
    let [starts, lead_time, lag, _] = first.shares().map(|share| grouped(share.value, 1));
    let caption = format!(
        "100 · ln(J/J*) by strategy over the certified lower bound J* ({}). The shaded columns are the same for all: {starts} for the \
         cadence of decisions and random start-up times, {lead_time} for not knowing the load within the lead time, {lag} for metrics that \
         come late. A bar leads from their sum to the strategy: to the left, its rule gives back what ignorance cost; to the right, it \
         adds to it. The least regret has {}, {}.",
        scope.size_in_words(),
        best.id,
        with_interval(Some(&first.total), |x| grouped(x, 1)),
    );
    let scene = scene(&rows, &heading)?;
    Some(Sketch { id, title: heading.joined(), caption, csv: csv(scope, &rows), scene })
}

fn scale_of(rows: &[Row<'_>], columns: &[f64; 4]) -> Option<Scale> {
    let values: Vec<f64> = rows.iter().map(|(_, split)| split.total.value).collect();
    let limit = end_of_many(&values, 0.0, 2.0).max(columns[3] * 1.2);
    let ends =
        rows.iter().flat_map(|(_, split)| [Some(split.total.value), split.total.low, split.total.high]).flatten();
    Scale::linear(ends.filter(|x| *x <= limit).chain(*columns), true)
}

/// Where the shared columns end: 0 and the sums of the first three shares.
fn columns(split: &Split) -> [f64; 4] {
    let [starts, lead_time, lag, _] = split.shares().map(|share| share.value);
    [0.0, starts, starts + lead_time, starts + lead_time + lag]
}

fn scene(rows: &[Row<'_>], heading: &Heading) -> Option<Scene> {
    let columns = columns(&rows.first()?.1);
    let scale = scale_of(rows, &columns)?;
    let widest = |texts: &mut dyn Iterator<Item = String>| {
        texts.map(|t| text_frame((0.0, 0.0), &t, LABEL, Hold::Start).right).fold(0.0, f64::max)
    };
    let numbers: Vec<String> = rows.iter().map(|(_, split)| number(split)).collect();
    let height = TOP + ROW * crate::stats::count(rows.len()) + 52.0;
    let frame = Frame {
        left: widest(&mut rows.iter().map(|(row, _)| row.id.clone())) + 28.0,
        top: TOP,
        right: WIDTH - widest(&mut numbers.iter().cloned().chain([NUMBERS.to_owned()])) - 30.0,
        bottom: height - 52.0,
    };
    let mut scene = Scene::new(WIDTH, height);
    scene.heading(heading);
    for (ends, paint) in columns.windows(2).zip(BANDS) {
        let (left, right) = (scale.x(ends[0].min(ends[1]), &frame), scale.x(ends[0].max(ends[1]), &frame));
        scene.area(&Frame { left, right, ..frame }, paint);
    }
    let words = Split::LABELS;
    let mut entries = vec![
        (Swatch::Band(BANDS[0]), words[0]),
        (Swatch::Band(BANDS[1]), words[1]),
        (Swatch::Band(BANDS[2]), words[2]),
        (Swatch::Line(INK), "95 % interval"),
    ];
    if rows.iter().any(|(_, split)| interval::leaves(&split.total, &scale)) {
        entries.push((Swatch::Arrow(INK), "goes on beyond the scale"));
    }
    legend::draw(&mut scene, (16.0, 72.0), &entries);
    axis::x_axis(&mut scene, &frame, &scale, 8);
    let zero = scale.x(0.0, &frame);
    scene.line(vec![(zero, frame.top - 6.0), (zero, frame.bottom)], INK, 1.5);
    scene.text((frame.right + 16.0, frame.top - 8.0), NUMBERS, (LABEL, SOFT, Hold::Start));
    let title = "100 · ln(J/J*): certified regret, about per cent over the least cost";
    scene.text(((frame.left + frame.right) / 2.0, height - 12.0), title, (LABEL, INK, Hold::Middle));
    for ((i, row), number) in rows.iter().enumerate().zip(&numbers) {
        let y = frame.top + ROW * (crate::stats::count(i) + 0.5);
        strategy_row(&mut scene, (&frame, &scale, y), (row, columns[3]), number);
    }
    Some(scene)
}

fn number(split: &Split) -> String {
    let sign = if split.rule.value < 0.0 { "−" } else { "+" };
    format!("{} ({sign}{})", grouped(split.total.value, 1), grouped(split.rule.value.abs(), 1))
}

fn strategy_row(
    scene: &mut Scene,
    (frame, scale, y): (&Frame, &Scale, f64),
    ((row, split), shared): (&Row<'_>, f64),
    number: &str,
) {
    let (baseline, paint) = (y + 0.36 * LABEL, color(&row.id));
    scene.text((frame.left - 12.0, baseline), &row.id, (LABEL, INK, Hold::End));
    let (from, to) = (scale.x(shared, frame), scale.x(split.total.value, frame));
    scene.area(&Frame { left: from.min(to), right: from.max(to), top: y - 6.0, bottom: y + 6.0 }, paler(paint));
    interval::draw(scene, (frame, scale, y), &split.total, (paint, row.variant == Variant::Attribution));
    scene.text((frame.right + 16.0, baseline), number, (LABEL, INK, Hold::Start));
}

/// Half way to white.
fn paler((r, g, b): Rgb) -> Rgb {
    let half = |c: u8| c / 2 + 127;
    (half(r), half(g), half(b))
}

fn csv(scope: &Scope, rows: &[Row<'_>]) -> String {
    let mut out = "scope,strategy,variant,share,value,low,high,n\n".to_owned();
    let end = |x: Option<f64>| x.map_or_else(String::new, |x| x.to_string());
    for (row, split) in rows {
        for (name, e) in Split::LABELS.iter().zip(split.shares()).chain([(&"total", &split.total)]) {
            let (low, high) = (end(e.low), end(e.high));
            out += &format!(
                "{},{},{},{name},{},{low},{high},{}\n",
                scope.name,
                row.id,
                row.variant.as_str(),
                e.value,
                e.n
            );
        }
    }
    out
}
