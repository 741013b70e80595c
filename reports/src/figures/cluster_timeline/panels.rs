//! One panel each for requests, latency, queues, the pods of a service and the nodes of a pool.

use super::super::axis::{self, Scale};
use super::super::legend::{self, Swatch};
use super::super::render::text_width;
use super::super::scene::{
    Frame, Hold, INK, LABEL, Point, Rgb, SOFT, Scene, fitted, fitted_within, shade, text_frame, tint,
};
use super::super::spread::spread_within;
use super::Group;
use super::stretches::Stretches;
use crate::format::duration;
use crate::scenario::ScenarioRun;

const OFFERED: Rgb = (0x60, 0x60, 0x60);
const ANSWERED: Rgb = (0x00, 0x72, 0xb2);
const FAILED: Rgb = (0xd5, 0x5e, 0x00);
const RETRIES: Rgb = (0xaa, 0x44, 0x99);
const QUEUE: Rgb = (0x88, 0x22, 0x55);
/// P50, P95, P99: from pale to dark.
const QUANTILES: [Rgb; 3] = [(0x88, 0xb8, 0xdc), (0x2c, 0x7f, 0xb8), (0x25, 0x34, 0x94)];
const READY: Rgb = (0x5f, 0xb3, 0x9b);
const STARTING: Rgb = (0xf0, 0xc2, 0x4b);
const PENDING: Rgb = (0xd5, 0x5e, 0x00);
const TERMINATING: Rgb = (0xa8, 0xa8, 0xa8);
/// A silent node, and its pods.
const SILENT: Rgb = (0x8a, 0x6f, 0xb0);
const NODE_READY: Rgb = (0x7a, 0xa6, 0xd6);

type Context<'a> = (&'a ScenarioRun, &'a Stretches<'a>, &'a Scale);

/// A panel.
pub(super) enum Panel<'a> {
    Requests,
    Latency,
    Queue,
    Pods { group: &'a Group, legend: bool },
    Nodes { group: &'a Group, legend: bool },
}

impl Panel<'_> {
    /// Room above for its name, and for a legend where it has one.
    pub(super) const fn head(&self) -> f64 {
        match self {
            Self::Pods { legend: true, .. } | Self::Nodes { legend: true, .. } => 48.0,
            _ => 26.0,
        }
    }

    pub(super) const fn height(&self, others: usize) -> f64 {
        match self {
            Self::Requests | Self::Latency => 104.0,
            Self::Queue => 64.0,
            Self::Pods { .. } | Self::Nodes { .. } if others <= 2 => 96.0,
            Self::Pods { .. } | Self::Nodes { .. } => 58.0,
        }
    }

    pub(super) fn draw(&self, scene: &mut Scene, frame: &Frame, context: Context<'_>) {
        match self {
            Self::Requests => requests(scene, frame, context),
            Self::Latency => latency(scene, frame, context),
            Self::Queue => queue(scene, frame, context),
            Self::Pods { group, legend } => pods(scene, frame, (group, *legend), context),
            Self::Nodes { group, legend } => nodes(scene, frame, (group, *legend), context),
        }
    }
}

fn head(scene: &mut Scene, frame: &Frame, words: &str) {
    let words = fitted(words, LABEL, frame.right - frame.left);
    scene.text((frame.left, frame.top - 8.0), &words, (LABEL, SOFT, Hold::Start));
}

/// Names of lines right of the panel, as near to their ends as there is room.
fn end_labels(scene: &mut Scene, frame: &Frame, mut labels: Vec<(f64, String, Rgb)>) {
    labels.sort_by(|a, b| a.0.total_cmp(&b.0));
    let wished: Vec<f64> = labels.iter().map(|label| label.0).collect();
    let places = spread_within(&wished, 1.2 * LABEL, (frame.top, frame.bottom));
    for ((y, words, color), place) in labels.into_iter().zip(places) {
        scene.line(vec![(frame.right + 2.0, y), (frame.right + 12.0, place)], tint(color, 0.7), 1.0);
        let words = fitted_within(&words, LABEL, super::RIGHT - 24.0);
        scene.text((frame.right + 16.0, place + 0.36 * LABEL), &words, (LABEL, shade(color), Hold::Start));
    }
}

/// From where to where each stretch lies.
fn columns(stretches: &Stretches<'_>, time: &Scale, frame: &Frame) -> Vec<(f64, f64)> {
    #[expect(clippy::cast_precision_loss, reason = "microseconds of real times, on paper")]
    let x = |at: i64| time.x(at as f64, frame);
    (0..stretches.len()).map(|k| (x(stretches.start_us(k)), x(stretches.end_us(k)))).collect()
}

/// From where to where what was seen at an interval's end holds: until the next end. What was there at first is what the first end
/// shows, and the last one holds for no time that is drawn, so that nothing stands before its cause.
fn ends(stretches: &Stretches<'_>, time: &Scale, frame: &Frame) -> Vec<(f64, f64)> {
    let columns = columns(stretches, time, frame);
    let later = |x: f64| x.max(frame.left).min(frame.right);
    let interval = stretches.interval_us() / (time.high - time.low) * (frame.right - frame.left);
    let moved = |(k, (from, to)): (usize, (f64, f64))| {
        (if k == 0 { from } else { later(from + interval) }, later(to + interval))
    };
    columns.into_iter().enumerate().map(moved).collect()
}

/// A line that keeps its height over each stretch.
fn steps(columns: &[(f64, f64)], y: impl Fn(usize) -> f64) -> Vec<Point> {
    columns.iter().enumerate().flat_map(|(k, (from, to))| [(*from, y(k)), (*to, y(k))]).collect()
}

/// Areas on top of each other, each as high as its value; from below.
fn stack(
    scene: &mut Scene,
    (frame, scale): (&Frame, &Scale),
    columns: &[(f64, f64)],
    layers: &[(Rgb, &dyn Fn(usize) -> f64)],
) {
    let mut floor = vec![0.0; columns.len()];
    for (color, value) in layers {
        let values: Vec<f64> = (0..columns.len()).map(value).collect();
        // Stretches without any of it are left out, so that it leaves no hairline.
        let mut run = Vec::new();
        for (k, (from, to)) in columns.iter().enumerate() {
            if values[k] > 0.0 {
                let (upper, lower) = (scale.y(floor[k] + values[k], frame), scale.y(floor[k], frame));
                run.extend([(*from, upper, lower), (*to, upper, lower)]);
            } else if !run.is_empty() {
                scene.band(std::mem::take(&mut run), *color);
            }
        }
        if !run.is_empty() {
            scene.band(run, *color);
        }
        floor.iter_mut().zip(values).for_each(|(floor, value)| *floor += value.max(0.0));
    }
}

fn requests(scene: &mut Scene, frame: &Frame, (_, stretches, time): Context<'_>) {
    let columns = columns(stretches, time, frame);
    let series = |of| (0..stretches.len()).map(|k| stretches.rate(k, of)).collect::<Vec<f64>>();
    let offered = series(|row| row.offered);
    let lines = [
        ("answered", ANSWERED, series(|row| row.done), 1.75),
        ("failed", FAILED, series(|row| row.failed), 1.5),
        ("retries", RETRIES, series(|row| row.retries), 1.5),
    ];
    head(scene, frame, "requests/s, as clients saw them");
    let values = lines.iter().flat_map(|line| line.2.iter()).chain(&offered).copied().chain([1.0]);
    let Some(scale) = Scale::linear(values, true) else { return };
    axis::y_axis(scene, frame, &scale, 4);
    stack(scene, (frame, &scale), &columns, &[(tint(OFFERED, 0.25), &|k| offered[k])]);
    scene.line(steps(&columns, |k| scale.y(offered[k], frame)), tint(OFFERED, 0.7), 1.0);
    let end = |values: &[f64]| scale.y(values.last().copied().unwrap_or(0.0), frame);
    let mut labels = vec![(end(&offered), "offered".to_owned(), OFFERED)];
    for (name, color, values, width) in lines {
        if name == "answered" || values.iter().any(|value| *value > 0.0) {
            scene.line(steps(&columns, |k| scale.y(values[k], frame)), color, width);
            labels.push((end(&values), name.to_owned(), color));
        }
    }
    end_labels(scene, frame, labels);
}

fn latency(scene: &mut Scene, frame: &Frame, (run, stretches, time): Context<'_>) {
    let all = |of| (0..stretches.len()).map(|k| stretches.greatest(k, of)).collect::<Vec<Option<f64>>>();
    let series = [all(|row| row.p50_s), all(|row| row.p95_s), all(|row| row.p99_s)];
    let seen = || series.iter().flatten().flatten().copied().filter(|s| *s > 0.0);
    let (low, high) = (seen().fold(f64::INFINITY, f64::min), seen().fold(0.0, f64::max));
    let (unit, factor) = if high < 1.0 { ("ms", 1_000.0) } else { ("s", 1.0) };
    head(scene, frame, &format!("time from first try to answer, {unit} (logarithmic)"));
    if high <= 0.0 {
        let middle = ((frame.left + frame.right) / 2.0, (frame.top + frame.bottom) / 2.0);
        let covered = text_frame(middle, "no request was answered", LABEL, Hold::Middle);
        scene.area(&covered, (255, 255, 255));
        scene.text(middle, "no request was answered", (LABEL, SOFT, Hold::Middle));
        return;
    }
    // An objective far off would press the lines together; it is drawn where it is near.
    let objective = run.objective_s.filter(|s| *s > low / 5.0 && *s < high * 5.0);
    let (low, high) = (objective.map_or(low, |s| s.min(low)), objective.map_or(high, |s| s.max(high)));
    let scale = Scale { low: low / 1.25 * factor, high: high * 1.25 * factor, log: true };
    axis::y_axis(scene, frame, &scale, 6);
    let columns = columns(stretches, time, frame);
    let mut labels = Vec::new();
    if let Some(objective) = objective {
        let y = scale.y(objective * factor, frame);
        scene.dashed((frame.left, y), (frame.right, y), INK);
        labels.push((y, format!("limit {}", duration(Some(objective))), INK));
    }
    for ((name, values), color) in ["P50", "P95", "P99"].into_iter().zip(&series).zip(QUANTILES) {
        for line in pieces(values, |k, s| ((columns[k].0 + columns[k].1) / 2.0, scale.y(s * factor, frame))) {
            match line[..] {
                [only] => scene.dot(only, 3.0, color),
                _ => scene.line(line, color, 1.75),
            }
        }
        if let Some(last) = values.iter().rev().flatten().next() {
            labels.push((scale.y(last * factor, frame), name.to_owned(), color));
        }
    }
    unanswered(scene, frame, (&series[0], &columns));
    end_labels(scene, frame, labels);
}

/// Says in the widest gap that nothing was answered there, if the words fit.
fn unanswered(scene: &mut Scene, frame: &Frame, (values, columns): (&[Option<f64>], &[(f64, f64)])) {
    let mut widest = (0.0, 0.0);
    let mut from = None;
    for (value, column) in values.iter().zip(columns) {
        from = if value.is_some() { None } else { from.or(Some(column.0)) };
        if let Some(from) = from.filter(|from| column.1 - from > widest.1 - widest.0) {
            widest = (from, column.1);
        }
    }
    let middle = (f64::midpoint(widest.0, widest.1), f64::midpoint(frame.top, frame.bottom));
    let covered = text_frame(middle, "no request was answered", LABEL, Hold::Middle);
    if widest.1 - widest.0 > 1.2 * (covered.right - covered.left) {
        scene.area(&covered, (255, 255, 255));
        scene.text(middle, "no request was answered", (LABEL, SOFT, Hold::Middle));
    }
}

/// The lines through what is there; what is absent is a gap.
fn pieces(values: &[Option<f64>], place: impl Fn(usize, f64) -> Point) -> Vec<Vec<Point>> {
    let mut lines = vec![Vec::new()];
    for (k, value) in values.iter().enumerate() {
        match (value, lines.last_mut()) {
            (Some(value), Some(line)) => line.push(place(k, *value)),
            _ => lines.push(Vec::new()),
        }
    }
    lines.retain(|line| !line.is_empty());
    lines
}

#[expect(clippy::cast_precision_loss, reason = "lengths of queues, on paper")]
fn queue(scene: &mut Scene, frame: &Frame, (run, stretches, time): Context<'_>) {
    let columns = ends(stretches, time, frame);
    let all: Vec<f64> = (0..stretches.len()).map(|k| stretches.queued(k, None) as f64).collect();
    let services = 0..run.timeline.services.len();
    let longest = |id: &usize| (0..stretches.len()).map(|k| stretches.queued(k, Some(*id))).max().unwrap_or(0);
    let worst = services.clone().max_by_key(|id| (longest(id), std::cmp::Reverse(*id)));
    let worst = worst.filter(|id| services.len() > 1 && longest(id) > 0);
    let whose = worst.map_or_else(String::new, |id| {
        format!("; the line is {}, which had the longest queue", run.timeline.services[id])
    });
    head(scene, frame, &format!("calls that wait for a worker{whose}"));
    let Some(scale) = Scale::linear(all.iter().copied().chain([4.0]), true) else { return };
    axis::count_axis(scene, frame, &scale, 3);
    stack(scene, (frame, &scale), &columns, &[(tint(QUEUE, 0.35), &|k| all[k])]);
    let Some(worst) = worst else { return };
    let own = |k: usize| scale.y(stretches.queued(k, Some(worst)) as f64, frame);
    scene.line(steps(&columns, own), QUEUE, 1.5);
    let name = run.timeline.services[worst].clone();
    let all = scale.y(*all.last().unwrap_or(&0.0), frame);
    end_labels(scene, frame, vec![(all, "all services".to_owned(), QUEUE), (own(stretches.len() - 1), name, QUEUE)]);
}

fn pods(scene: &mut Scene, frame: &Frame, (group, legend): (&Group, bool), (run, stretches, time): Context<'_>) {
    let columns = ends(stretches, time, frame);
    let rows: Vec<_> = (0..stretches.len()).map(|k| stretches.pods(k, &group.members)).collect();
    let tops = rows.iter().map(|row| f64::from(row.all()));
    let Some(scale) = Scale::linear(tops.chain(rows.iter().map(|row| f64::from(row.desired))).chain([2.0]), true)
    else {
        return;
    };
    head(scene, frame, &format!("{}: pods", group.name));
    axis::count_axis(scene, frame, &scale, 3);
    let layers: [(Rgb, &dyn Fn(usize) -> f64); 5] = [
        (READY, &|k| f64::from(rows[k].ready)),
        (STARTING, &|k| f64::from(rows[k].starting)),
        (SILENT, &|k| f64::from(rows[k].unreachable)),
        (PENDING, &|k| f64::from(rows[k].pending)),
        (TERMINATING, &|k| f64::from(rows[k].terminating)),
    ];
    stack(scene, (frame, &scale), &columns, &layers);
    scene.line(steps(&columns, |k| scale.y(f64::from(rows[k].desired), frame)), INK, 1.25);
    let most = stretches.most_pods(&group.members, run.warm_up_s);
    side(scene, frame, &format!("at most {most} ready"));
    if legend {
        let mut entries = vec![
            (Swatch::Band(READY), "ready"),
            (Swatch::Band(STARTING), "starting"),
            (Swatch::Band(PENDING), "pending"),
            (Swatch::Band(TERMINATING), "terminating"),
            (Swatch::Line(INK), "asked for"),
        ];
        if stretches.has_unreachable() {
            entries.insert(2, (Swatch::Band(SILENT), "unreachable"));
        }
        legend::draw(scene, (frame.left, frame.top - 30.0), &entries);
    }
}

fn nodes(scene: &mut Scene, frame: &Frame, (group, legend): (&Group, bool), (run, stretches, time): Context<'_>) {
    let columns = ends(stretches, time, frame);
    let rows: Vec<_> = (0..stretches.len()).map(|k| stretches.nodes(k, &group.members)).collect();
    let tops = rows.iter().map(|row| f64::from(row.ready + row.provisioning + row.lost));
    let Some(scale) = Scale::linear(tops.chain([2.0]), true) else { return };
    let what = if group.members.len() == 1 { "pool " } else { "" };
    head(scene, frame, &format!("{what}{}: nodes", group.name));
    axis::count_axis(scene, frame, &scale, 3);
    let layers: [(Rgb, &dyn Fn(usize) -> f64); 3] = [
        (NODE_READY, &|k| f64::from(rows[k].ready)),
        (STARTING, &|k| f64::from(rows[k].provisioning)),
        (SILENT, &|k| f64::from(rows[k].lost)),
    ];
    stack(scene, (frame, &scale), &columns, &layers);
    scene.line(steps(&columns, |k| scale.y(rows[k].requested, frame)), INK, 1.25);
    let most = stretches.most_nodes(&group.members, run.warm_up_s);
    side(scene, frame, &format!("at most {most} ready"));
    if legend {
        let entries = [
            (Swatch::Band(NODE_READY), "ready"),
            (Swatch::Band(STARTING), "on the way"),
            (Swatch::Band(SILENT), "silent"),
            (Swatch::Line(INK), "CPU requested, in full nodes"),
        ];
        legend::draw(scene, (frame.left, frame.top - 30.0), &entries);
    }
}

/// A remark right of a panel.
fn side(scene: &mut Scene, frame: &Frame, words: &str) {
    debug_assert!(text_width(words, LABEL) < super::RIGHT, "a count of pods is short");
    let middle = (frame.top + frame.bottom) / 2.0 + 0.36 * LABEL;
    scene.text((frame.right + 10.0, middle), words, (LABEL, SOFT, Hold::Start));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::sample;

    #[test]
    fn what_is_absent_is_a_gap() {
        let values = [None, Some(1.0), Some(2.0), None, Some(3.0)];
        let lines = pieces(&values, |k, y| (k as f64, y));
        assert_eq!(lines, [vec![(1.0, 1.0), (2.0, 2.0)], vec![(4.0, 3.0)]]);
        assert!(pieces(&[None, None], |_, y| (0.0, y)).is_empty());
    }

    #[test]
    fn nothing_stands_before_the_moment_at_which_it_was_seen() {
        let run = sample::single(6);
        let stretches = Stretches::new(&run.timeline);
        let frame = Frame { left: 0.0, right: 600.0, top: 0.0, bottom: 1.0 };
        let drawn = ends(&stretches, &stretches.time(), &frame);
        // The end of the first of six intervals stands for the time before it, too.
        let expected = [(0.0, 200.0), (200.0, 300.0), (300.0, 400.0), (400.0, 500.0), (500.0, 600.0), (600.0, 600.0)];
        assert_eq!(drawn.len(), expected.len());
        for (drawn, expected) in drawn.iter().zip(expected) {
            assert!((drawn.0 - expected.0).abs() < 1e-6 && (drawn.1 - expected.1).abs() < 1e-6, "{drawn:?}");
        }
    }
}
