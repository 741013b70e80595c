//! Latency of every answered request: time across, latency class upwards (logarithmic), counts as colour (logarithmic).
//!
//! A band of quantiles hides two humps; this shows them. Cells are sums of the run's own histogram: of several intervals, and of
//! several classes, where there are more of them than can be seen.

use std::ops::Range;

use super::axis::{self, Scale};
use super::cluster_timeline::{count, heading};
use super::scene::{Frame, Hold, INK, LABEL, Point, SOFT, Scene};
use super::sequential::quantity;
use super::{Figure, Sketch, finish};
use crate::error::ReportError;
use crate::format::{duration, percent, slug};
use crate::scenario::{ScenarioRun, share};

const WIDTH: f64 = 860.0;
const COLUMNS: usize = 140;
const ROWS: usize = 44;
/// Colours, so that neighbours of about one count are one area.
const LEVELS: u32 = 20;
const FRAME: Frame = Frame { left: 66.0, top: 92.0, right: 704.0, bottom: 404.0 };

/// The cells.
struct Grid {
    /// Edges of time, one more than columns.
    times_us: Vec<i64>,
    /// Edges of latency, one more than rows; the last may be infinite.
    edges_s: Vec<f64>,
    /// By column and row.
    counts: Vec<u64>,
    p95_s: Vec<Option<f64>>,
}

/// Draws the run; `None` where nothing was answered.
///
/// # Errors
/// [`ReportError::BadTimeline`] if its lists do not fit together, [`ReportError::Draw`] if the backend fails.
pub fn latency_heat(run: &ScenarioRun) -> Result<Option<Figure>, ReportError> {
    run.check()?;
    let Some(grid) = Grid::of(run) else { return Ok(None) };
    let heading = heading("Latency of every answered request", run);
    let mut scene = Scene::new(WIDTH, 456.0);
    scene.heading(&heading);
    grid.draw(&mut scene, run.objective_s);
    let sketch = Sketch {
        id: format!("latency-heat-{}", slug(&run.name)),
        title: heading.joined(),
        caption: grid.caption(run),
        csv: grid.csv(),
        scene,
    };
    finish(sketch).map(Some)
}

/// Indices 0 to `n` in at most `most` runs of equal length but the last.
fn runs(n: usize, most: usize) -> Vec<Range<usize>> {
    let size = n.div_ceil(most).max(1);
    (0..n.div_ceil(size)).map(|k| k * size..((k + 1) * size).min(n)).collect()
}

impl Grid {
    fn of(run: &ScenarioRun) -> Option<Self> {
        let t = &run.timeline;
        let classes = t.latency_edges_s.len().saturating_sub(1);
        let total = |class: usize| t.latency_counts.iter().skip(class).step_by(classes).any(|count| *count > 0);
        let first = (0..classes).find(|class| total(*class))?;
        let last = (0..classes).rev().find(|class| total(*class))?;
        let across = runs(t.client_rows.len(), COLUMNS);
        let upwards = runs(last + 1 - first, ROWS);
        let sum = |column: &Range<usize>, row: &Range<usize>| -> u64 {
            let of = |interval: usize| {
                let at = interval * classes + first;
                t.latency_counts[at + row.start..at + row.end].iter().map(|count| u64::from(*count)).sum::<u64>()
            };
            column.clone().map(of).sum()
        };
        let moment = |interval: usize| {
            let intervals = i64::try_from(interval).unwrap_or(i64::MAX);
            t.start.micros().saturating_add(t.interval.micros().saturating_mul(intervals))
        };
        let p95 = |column: &Range<usize>| {
            t.client_rows[column.clone()].iter().filter_map(|row| row.latency.p95_s).reduce(f64::max)
        };
        Some(Self {
            times_us: across.iter().map(|c| c.start).chain([t.client_rows.len()]).map(moment).collect(),
            edges_s: upwards
                .iter()
                .map(|r| r.start)
                .chain([last + 1 - first])
                .map(|r| t.latency_edges_s[first + r])
                .collect(),
            counts: across.iter().flat_map(|c| upwards.iter().map(|r| sum(c, r)).collect::<Vec<_>>()).collect(),
            p95_s: across.iter().map(p95).collect(),
        })
    }

    fn rows(&self) -> usize {
        self.edges_s.len() - 1
    }

    fn column(&self, column: usize) -> &[u64] {
        &self.counts[column * self.rows()..(column + 1) * self.rows()]
    }

    /// Edges as they are drawn: a scale of logarithms reaches neither zero nor infinity, so the ends are a class wide.
    fn drawn_edges(&self) -> Vec<f64> {
        let mut edges = self.edges_s.clone();
        let n = edges.len();
        let finite: Vec<f64> = edges.iter().copied().filter(|edge| *edge > 0.0 && edge.is_finite()).collect();
        let ratio = match finite[..] {
            [.., a, b] if b / a < 4.0 => b / a,
            _ => 1.25,
        };
        if edges[0] <= 0.0 {
            edges[0] = finite.first().copied().unwrap_or(1.0) / ratio;
        }
        if !edges[n - 1].is_finite() {
            edges[n - 1] = edges[n - 2] * ratio;
        }
        edges
    }

    fn most(&self) -> u64 {
        self.counts.iter().copied().max().unwrap_or(0)
    }

    /// From 1, the least count, to [`LEVELS`]; 0 of nothing.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts as colours"
    )]
    fn level(&self, count: u64) -> u32 {
        if count == 0 {
            return 0;
        }
        let share = (count as f64).ln() / (self.most().max(2) as f64).ln();
        1 + (share * f64::from(LEVELS - 1)).round() as u32
    }

    #[expect(clippy::cast_precision_loss, reason = "microseconds of real times, on paper")]
    fn draw(&self, scene: &mut Scene, objective_s: Option<f64>) {
        let edges = self.drawn_edges();
        let (unit, factor) = if edges[edges.len() - 1] < 1.0 { ("ms", 1_000.0) } else { ("s", 1.0) };
        let scale = Scale { low: edges[0] * factor, high: edges[edges.len() - 1] * factor, log: true };
        let (from, to) = (self.times_us[0] as f64, self.times_us[self.times_us.len() - 1] as f64);
        let time = Scale { low: from, high: to, log: false };
        let head = format!("time from first try to answer, {unit} (logarithmic)");
        scene.text((16.0, FRAME.top - 14.0), &head, (LABEL, SOFT, Hold::Start));
        axis::time_axis(scene, &FRAME, &time, true);
        axis::y_axis(scene, &FRAME, &scale, 12);
        let x = |column: usize| time.x(self.times_us[column] as f64, &FRAME);
        let y = |row: usize| scale.y(edges[row] * factor, &FRAME);
        self.cells(scene, x, y);
        if let Some(objective) = objective_s.map(|s| s * factor).filter(|s| (scale.low..scale.high).contains(s)) {
            let y = scale.y(objective, &FRAME);
            scene.line(vec![(FRAME.left, y), (FRAME.right, y)], (255, 255, 255), 3.0);
            scene.dashed((FRAME.left, y), (FRAME.right, y), INK);
        }
        self.p95(scene, |column| (x(column) + x(column + 1)) / 2.0, |s| scale.y(s * factor, &FRAME));
        let wished = [
            (objective_s.map(|s| scale.y(s * factor, &FRAME)), format!("limit {}", duration(objective_s))),
            (self.p95_s.iter().rev().flatten().next().map(|s| scale.y(s * factor, &FRAME)), "P95".to_owned()),
        ];
        names(scene, wished);
        self.colour_bar(scene);
    }

    /// Cells of one colour beside each other are one area. Each reaches a little into the next, which is drawn over it: else
    /// viewers show seams.
    fn cells(&self, scene: &mut Scene, x: impl Fn(usize) -> f64, y: impl Fn(usize) -> f64) {
        let columns = self.times_us.len() - 1;
        for row in 0..self.rows() {
            let level = |column: usize| self.level(self.column(column)[row]);
            let mut start = 0;
            while start < columns {
                let end = (start..columns).find(|column| level(*column) != level(start)).unwrap_or(columns);
                if level(start) > 0 {
                    let right = (x(end) + 0.4).min(FRAME.right);
                    let frame =
                        Frame { left: x(start), right, top: y(row + 1), bottom: (y(row) + 0.4).min(FRAME.bottom) };
                    scene.area(&frame, quantity(share_of(level(start))));
                }
                start = end;
            }
        }
    }

    fn p95(&self, scene: &mut Scene, x: impl Fn(usize) -> f64, y: impl Fn(f64) -> f64) {
        let mut lines: Vec<Vec<Point>> = vec![Vec::new()];
        for (column, value) in self.p95_s.iter().enumerate() {
            match (value, lines.last_mut()) {
                (Some(value), Some(line)) => line.push((x(column), y(*value))),
                _ => lines.push(Vec::new()),
            }
        }
        for line in lines.into_iter().filter(|line| !line.is_empty()) {
            if let [only] = line[..] {
                scene.dot(only, 4.5, (255, 255, 255));
                scene.dot(only, 3.0, INK);
            } else {
                scene.line(line.clone(), (255, 255, 255), 4.0);
                scene.line(line, INK, 2.0);
            }
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of requests, on paper")]
    fn colour_bar(&self, scene: &mut Scene) {
        let bar = Frame { left: 796.0, right: 812.0, top: FRAME.top + 16.0, bottom: FRAME.bottom - 16.0 };
        let step = (bar.bottom - bar.top) / f64::from(LEVELS);
        for level in 1..=LEVELS {
            let bottom = bar.bottom - f64::from(level - 1) * step;
            let frame = Frame { top: bottom - step, bottom: (bottom + 0.4).min(bar.bottom), ..bar };
            scene.area(&frame, quantity(share_of(level)));
        }
        let scale = Scale { low: 1.0, high: self.most().max(2) as f64, log: true };
        let ticks = scale.ticks(5);
        for tick in if ticks.len() < 2 { vec![1.0, scale.high] } else { ticks } {
            let y = scale.y(tick, &bar) + 0.36 * LABEL;
            let words = if tick >= 10_000.0 {
                format!("{}k", crate::format::short(tick / 1_000.0))
            } else {
                crate::format::short(tick)
            };
            scene.text((bar.right + 6.0, y), &words, (LABEL, SOFT, Hold::Start));
        }
        scene.text((WIDTH - 8.0, FRAME.top - 14.0), "requests per cell", (LABEL, SOFT, Hold::End));
    }

    fn caption(&self, run: &ScenarioRun) -> String {
        let seconds = (self.times_us[1] - self.times_us[0]).max(0);
        #[expect(clippy::cast_precision_loss, reason = "a length of time, for people to read")]
        let cell = duration(Some(seconds as f64 / 1e6));
        let all: u64 = self.counts.iter().sum();
        let mut text = format!(
            "{} answered requests by time and by the time from first try to answer; a cell is {cell} wide, and the darker, the \
             more requests it holds (logarithmic, at most {}). White holds none. The line is the highest P95 of the intervals \
             in each column.",
            count(all),
            count(self.most()),
        );
        if run.warm_up_s > 0.0 {
            text += " The warm-up is shown here too.";
        }
        let last = self.rows() - 1;
        if !self.edges_s[last + 1].is_finite() {
            let beyond: u64 = (0..self.times_us.len() - 1).map(|column| self.column(column)[last]).sum();
            let part = share(beyond, all).map_or_else(String::new, |part| percent(part, 2));
            text += &format!(
                " The top row has no upper end: {part} % took longer than {}.",
                duration(Some(self.edges_s[last]))
            );
        }
        if let Some(objective) = run.objective_s {
            text += &format!(" Dashed: {}, beyond which an answer is bad.", duration(Some(objective)));
        }
        text
    }

    fn csv(&self) -> String {
        let mut out = "from_us,to_us,over_s,up_to_s,requests\n".to_owned();
        for column in 0..self.times_us.len() - 1 {
            for (row, count) in self.column(column).iter().enumerate().filter(|(_, count)| **count > 0) {
                let (from, to) = (self.times_us[column], self.times_us[column + 1]);
                out += &format!("{from},{to},{},{},{count}\n", self.edges_s[row], self.edges_s[row + 1]);
            }
        }
        out
    }
}

fn share_of(level: u32) -> f64 {
    f64::from(level - 1) / f64::from(LEVELS - 1)
}

/// Names right of the plot, apart from each other.
fn names(scene: &mut Scene, wished: [(Option<f64>, String); 2]) {
    let mut labels: Vec<(f64, String)> = wished.into_iter().filter_map(|(y, words)| Some((y?, words))).collect();
    labels.sort_by(|a, b| a.0.total_cmp(&b.0));
    let places: Vec<f64> = labels.iter().map(|label| label.0).collect();
    let places = super::spread::spread_within(&places, 1.2 * LABEL, (FRAME.top, FRAME.bottom));
    for ((_, words), y) in labels.into_iter().zip(places) {
        scene.text((FRAME.right + 6.0, y + 0.36 * LABEL), &words, (LABEL, INK, Hold::Start));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::sample;

    #[test]
    fn cells_sum_up_to_the_histogram() {
        for (name, run) in sample::all() {
            let all: u64 = run.timeline.latency_counts.iter().map(|count| u64::from(*count)).sum();
            let Some(grid) = Grid::of(&run) else {
                assert_eq!((name, all), ("dead", 0));
                continue;
            };
            assert_eq!(grid.counts.iter().sum::<u64>(), all, "{name}");
            assert!(grid.times_us.len() <= COLUMNS + 1 && grid.rows() <= ROWS, "{name}");
            let csv: u64 =
                grid.csv().lines().skip(1).map(|line| line.rsplit(',').next().unwrap().parse::<u64>().unwrap()).sum();
            assert_eq!(csv, all, "{name}");
        }
    }

    #[test]
    fn nothing_answered_is_no_figure() {
        assert!(latency_heat(&sample::dead(40)).unwrap().is_none());
        assert!(latency_heat(&sample::single(1)).unwrap().is_some());
    }

    #[test]
    fn ends_without_a_number_are_a_class_wide() {
        let grid =
            |edges_s: &[f64]| Grid { times_us: vec![0, 1], edges_s: edges_s.to_vec(), counts: vec![], p95_s: vec![] };
        assert_eq!(grid(&[0.0, 1.0, 2.0, f64::INFINITY]).drawn_edges(), [0.5, 1.0, 2.0, 4.0]);
        assert_eq!(grid(&[0.0, f64::INFINITY]).drawn_edges(), [0.8, 1.0]);
    }

    #[test]
    fn levels_are_logarithmic() {
        let mut run = sample::single(2);
        run.timeline.latency_counts.fill(0);
        (run.timeline.latency_counts[3], run.timeline.latency_counts[4], run.timeline.latency_counts[5]) =
            (1, 100, 10_000);
        let grid = Grid::of(&run).unwrap();
        assert_eq!([0, 1, 100, 10_000].map(|count| grid.level(count)), [0, 1, 11, 20]);
    }

    #[test]
    fn the_drawing_stays_small() {
        let figure = latency_heat(&sample::crowd(30, 2_000)).unwrap().unwrap();
        assert!(figure.svg.len() < 900_000, "{}", figure.svg.len());
    }
}
