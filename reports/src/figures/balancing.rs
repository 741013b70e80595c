//! How much a rule's cost depends on how its load is balanced over pods: J of each balancing over J with one shared queue.
//!
//! The headline protocol lets all ready pods share a queue; this shows what that assumption is worth for each rule. Input is plain:
//! ratios with paired intervals, made by whoever ran the cells.

use std::collections::BTreeMap;

use super::axis::{self, Scale, end_of_many};
use super::interval;
use super::legend::{self, Swatch};
use super::place::Heading;
use super::render::text_width;
use super::scene::{Frame, Hold, INK, LABEL, Rgb, SOFT, Scene, fitted, shade};
use super::{Figure, Sketch, finish};
use crate::error::ReportError;
use crate::format::{csv_field, grouped, with_interval};
use crate::stats::Estimate;
use crate::tables::Table;

/// The balancing to which all are compared; a row of it is not drawn.
pub const SHARED: &str = "shared";

/// A rule under a balancing.
#[derive(Clone, Debug, PartialEq)]
pub struct BalancingRow {
    /// Id of the rule.
    pub strategy: String,
    /// `least-request`, `power-of-two`, `round-robin`, `random`.
    pub balancing: String,
    /// J over J of the same rule with a shared queue.
    pub value: f64,
    /// Lower end of its 95 % interval.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// Units behind it.
    pub n: usize,
}

const WIDTH: f64 = 860.0;
const TOP: f64 = 92.0;
const ROW: f64 = 18.0;
/// Between rules.
const GAP: f64 = 10.0;
/// In the order from the nearest to a shared queue to the farthest; names that are not here come last.
const COLORS: [(&str, Rgb); 4] = [
    ("least-request", (0x00, 0x72, 0xb2)),
    ("power-of-two", (0x00, 0x9e, 0x73)),
    ("round-robin", (0xcc, 0x79, 0xa7)),
    ("random", (0xd5, 0x5e, 0x00)),
];

fn color(balancing: &str) -> Rgb {
    COLORS.iter().find(|(name, _)| *name == balancing).map_or(SOFT, |(_, color)| *color)
}

fn estimate(row: &BalancingRow) -> Estimate {
    Estimate { value: row.value, low: row.low, high: row.high, n: row.n }
}

/// Rules in the order they come in, each with its balancings in the order of [`COLORS`]; no ratio, no row.
fn by_rule(rows: &[BalancingRow]) -> Vec<(&str, Vec<&BalancingRow>)> {
    let drawable = |row: &&BalancingRow| row.balancing != SHARED && row.value.is_finite() && row.value > 0.0;
    let mut rules: Vec<(&str, Vec<&BalancingRow>)> = Vec::new();
    for row in rows.iter().filter(drawable) {
        match rules.iter_mut().find(|(rule, _)| *rule == row.strategy) {
            Some((_, rows)) => rows.push(row),
            None => rules.push((&row.strategy, vec![row])),
        }
    }
    let rank = |row: &&BalancingRow| COLORS.iter().position(|(name, _)| *name == row.balancing).unwrap_or(COLORS.len());
    for (_, rows) in &mut rules {
        rows.sort_by(|a, b| rank(a).cmp(&rank(b)).then(a.balancing.cmp(&b.balancing)));
    }
    rules
}

/// Draws the rows; `place` says on which load, in a line.
///
/// # Errors
/// [`ReportError::Draw`] if no row holds a ratio, or the backend fails.
pub fn balancing_sensitivity(place: &str, rows: &[BalancingRow]) -> Result<Figure, ReportError> {
    let heading = Heading {
        title: "Cost by load balancing, over the cost with one shared queue".to_owned(),
        place: place.to_owned(),
    };
    let rules = by_rule(rows);
    let scene = scene(&rules, &heading).ok_or_else(|| ReportError::Draw {
        figure: "balancing".to_owned(),
        reason: "no row holds a ratio".to_owned(),
    })?;
    finish(Sketch {
        id: "balancing".to_owned(),
        title: heading.joined(),
        caption: caption(&rules),
        csv: csv(rows),
        scene,
    })
}

fn scale_of(rules: &[(&str, Vec<&BalancingRow>)]) -> Option<Scale> {
    let rows = || rules.iter().flat_map(|(_, rows)| rows.iter());
    let values: Vec<f64> = rows().map(|row| row.value).collect();
    let limit = end_of_many(&values, 1.0, 3.0).max(1.3);
    let ends = rows().flat_map(|row| [Some(row.value), row.low, row.high]).flatten();
    let seen: Vec<f64> = ends.filter(|x| *x > 0.0 && *x <= limit).chain([1.0]).collect();
    let linear = Scale::linear(seen.into_iter(), false)?;
    let room = 0.02 * (linear.high - linear.low);
    Some(Scale { low: (linear.low - room).max(0.0), high: linear.high + room, ..linear })
}

fn scene(rules: &[(&str, Vec<&BalancingRow>)], heading: &Heading) -> Option<Scene> {
    if rules.is_empty() {
        return None;
    }
    let scale = scale_of(rules)?;
    let number = |row: &BalancingRow| with_interval(Some(&estimate(row)), |x| grouped(x, 3));
    let widest = |texts: Vec<String>| texts.iter().map(|text| text_width(text, LABEL)).fold(0.0, f64::max);
    let all = || rules.iter().flat_map(|(_, rows)| rows.iter());
    let names = widest(rules.iter().map(|(rule, _)| (*rule).to_owned()).collect()).min(190.0);
    let kinds = widest(all().map(|row| row.balancing.clone()).collect()).min(130.0);
    let numbers = widest(all().map(|row| number(row)).collect());
    let count = crate::stats::count;
    let height: f64 = rules.iter().map(|(_, rows)| count(rows.len()) * ROW + GAP).sum();
    let frame = Frame {
        left: 16.0 + names + 16.0 + kinds + 14.0,
        top: TOP,
        right: WIDTH - numbers - 28.0,
        bottom: TOP + height,
    };
    let mut scene = Scene::new(WIDTH, TOP + height + 52.0);
    scene.heading(heading);
    let mut entries = vec![(Swatch::Line(INK), "95 % interval"), (Swatch::Dot(INK), "mean")];
    if all().any(|row| interval::leaves(&estimate(row), &scale)) {
        entries.push((Swatch::Arrow(INK), "goes on beyond the scale"));
    }
    legend::draw(&mut scene, (16.0, 72.0), &entries);
    axis::x_axis(&mut scene, &frame, &scale, 7);
    let one = scale.x(1.0, &frame);
    scene.line(vec![(one, frame.top - 4.0), (one, frame.bottom)], INK, 1.5);
    let title = "J over J with a shared queue (right of 1: dearer)";
    scene.text(((frame.left + frame.right) / 2.0, scene.height - 12.0), title, (LABEL, INK, Hold::Middle));
    let mut y = TOP + GAP / 2.0;
    for (rule, rows) in rules {
        let first = y + ROW / 2.0 + 0.36 * LABEL;
        scene.text((16.0, first), &fitted(rule, LABEL, names), (LABEL, INK, Hold::Start));
        for row in rows {
            let (middle, paint) = (y + ROW / 2.0, color(&row.balancing));
            let kind = fitted(&row.balancing, LABEL, kinds);
            scene.text((frame.left - 12.0, middle + 0.36 * LABEL), &kind, (LABEL, shade(paint), Hold::End));
            interval::draw(&mut scene, (&frame, &scale, middle), &estimate(row), (paint, false));
            scene.text((frame.right + 14.0, middle + 0.36 * LABEL), &number(row), (LABEL, SOFT, Hold::Start));
            y += ROW;
        }
        y += GAP;
        scene.line(vec![(16.0, y - GAP / 2.0), (frame.right, y - GAP / 2.0)], super::scene::GRID, 1.0);
    }
    Some(scene)
}

fn caption(rules: &[(&str, Vec<&BalancingRow>)]) -> String {
    let mut text = "J of each rule under each balancing over J of the same rule with one queue that all ready pods share; paired, \
                    with 95 % intervals. Left of the line a rule is cheaper than with a shared queue, right of it dearer."
        .to_owned();
    let rows = rules.iter().flat_map(|(_, rows)| rows.iter());
    if let Some(most) = rows.max_by(|a, b| a.value.total_cmp(&b.value)) {
        let number = with_interval(Some(&estimate(most)), |x| grouped(x, 3));
        text += &format!(" The highest ratio: {} with {}, {number}.", most.strategy, most.balancing);
    }
    text
}

/// The same as a table: a row per rule, a column per balancing.
#[must_use]
pub fn balancing_table(rows: &[BalancingRow]) -> Table {
    let rules = by_rule(rows);
    let mut kinds: Vec<&str> = Vec::new();
    let known = COLORS.iter().map(|(name, _)| *name);
    let others: BTreeMap<&str, ()> = rows.iter().map(|row| (row.balancing.as_str(), ())).collect();
    let all: Vec<&str> = known.chain(others.into_keys()).collect();
    for kind in all {
        let used = rules.iter().any(|(_, rows)| rows.iter().any(|row| row.balancing == kind));
        if used && !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    let cell = |rows: &[&BalancingRow], kind: &str| {
        let found = rows.iter().find(|row| row.balancing == kind).map(|row| estimate(row));
        with_interval(found.as_ref(), |x| grouped(x, 3))
    };
    let row = |(rule, rows): &(&str, Vec<&BalancingRow>)| {
        let n = rows.iter().map(|row| row.n).max().unwrap_or(0);
        let cells = kinds.iter().map(|kind| cell(rows, kind));
        [(*rule).to_owned(), n.to_string()].into_iter().chain(cells).collect()
    };
    Table {
        title: "J by balancing over J with a shared queue, with 95 % intervals".to_owned(),
        heads: ["rule", "n"].into_iter().chain(kinds.iter().copied()).map(str::to_owned).collect(),
        rows: rules.iter().map(row).collect(),
    }
}

fn csv(rows: &[BalancingRow]) -> String {
    let mut out = "strategy,balancing,value,low,high,n\n".to_owned();
    let end = |x: Option<f64>| x.map_or_else(String::new, |x| x.to_string());
    for row in rows {
        let (strategy, balancing) = (csv_field(&row.strategy), csv_field(&row.balancing));
        out += &format!("{strategy},{balancing},{},{},{},{}\n", row.value, end(row.low), end(row.high), row.n);
    }
    out
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn rows() -> Vec<BalancingRow> {
        let rules =
            ["hpa-tuned", "newsvendor-tuned", "lstm-dqn", "mpc-tuned", "static", "a-rule-with-a-very-long-name-indeed"];
        let kinds = [
            ("shared", 1.0),
            ("random", 1.12),
            ("least-request", 1.004),
            ("round-robin", 1.05),
            ("power-of-two", 1.02),
        ];
        let mut rows = Vec::new();
        for (i, rule) in (0..).zip(rules) {
            for (kind, base) in kinds {
                let value: f64 =
                    if kind == "random" && i == 4 { 3.4 } else { 1.0 + (base - 1.0) * (0.6 + 0.2 * f64::from(i)) };
                rows.push(BalancingRow {
                    strategy: rule.to_owned(),
                    balancing: kind.to_owned(),
                    value,
                    low: Some(value * 0.99 - 0.01),
                    high: Some(value * 1.01 + 0.01),
                    n: 7,
                });
            }
        }
        rows
    }

    #[test]
    fn rows_are_grouped_by_rule_from_near_to_far() {
        let rows = rows();
        let rules = by_rule(&rows);
        assert_eq!(rules.len(), 6);
        let kinds: Vec<&str> = rules[0].1.iter().map(|row| row.balancing.as_str()).collect();
        assert_eq!(kinds, ["least-request", "power-of-two", "round-robin", "random"]);
        let figure = balancing_sensitivity("worldcup98", &rows).unwrap();
        assert!(
            figure.caption.contains("The highest ratio: static with random, 3.400 [3.356, 3.444]."),
            "{}",
            figure.caption
        );
        assert!(figure.svg.contains("goes on beyond the scale"), "3.4 is far from the others");
        assert_eq!(figure.csv.lines().count(), 31);
    }

    #[test]
    fn the_table_has_a_column_for_every_balancing_and_a_dash_for_what_is_absent() {
        let mut rows = rows();
        rows.retain(|row| row.strategy != "static" || row.balancing != "random");
        rows.push(BalancingRow { balancing: "by-hash".to_owned(), ..rows[1].clone() });
        let table = balancing_table(&rows);
        assert_eq!(table.heads, ["rule", "n", "least-request", "power-of-two", "round-robin", "random", "by-hash"]);
        let of = table.rows.iter().find(|row| row[0] == "static").unwrap();
        assert_eq!((of[5].as_str(), of[6].as_str()), ("–", "–"));
        assert!(table.rows.iter().all(|row| row.len() == 7));
    }

    #[test]
    fn nothing_to_compare_is_an_error() {
        let mut rows = rows();
        rows.retain(|row| row.balancing == SHARED);
        let error = balancing_sensitivity("nowhere", &rows).unwrap_err().to_string();
        assert!(error.contains("no row holds a ratio"), "{error}");
    }
}
