//! Direct labels for points: each goes to the nearest free place; a far one gets a leader line that crosses no point and no label.

use super::scene::{Frame, Hold, LABEL, Point, Rgb, Scene, text_frame};

/// A point that wants a label of one or more lines.
pub(crate) struct Labelled {
    pub(crate) at: Point,
    pub(crate) lines: Vec<String>,
    pub(crate) color: Rgb,
}

/// Distance of baselines.
const LINE: f64 = 1.2 * LABEL;

/// Places labels within `frame`, away from all points, from each other and from `taken`: first come, first served, but a point
/// that finds no place is served first in the next attempt.
pub(crate) fn place(scene: &mut Scene, frame: &Frame, points: &[Labelled], taken: &[Frame]) {
    let mut order: Vec<usize> = (0..points.len()).collect();
    let mut best = arrange(frame, points, taken, &order);
    let mut stuck = best.stuck;
    for _ in 0..3 * points.len() {
        let Some(first) = stuck else { break };
        order.retain(|point| *point != first);
        order.insert(0, first);
        let attempt = arrange(frame, points, taken, &order);
        stuck = attempt.stuck;
        if attempt.faults < best.faults {
            best = attempt;
        }
    }
    for (point, spot) in best.spots {
        let mut baseline = spot.at.1;
        for line in &points[point].lines {
            scene.text((spot.at.0, baseline), line, (LABEL, points[point].color, spot.hold));
            baseline += LINE;
        }
        if let Some(leader) = spot.leader {
            scene.line(leader.to_vec(), points[point].color, 0.75);
        }
    }
}

/// The labels of all points in one order of service, the first point that found no proper place, and how bad that is.
struct Attempt {
    spots: Vec<(usize, Spot)>,
    stuck: Option<usize>,
    faults: usize,
}

/// A label that is missing is worse than one whose leader crosses text, this than a leader that crosses a leader, and this than
/// a label near the point of another.
const MISSING: usize = 100_000;
const THROUGH_TEXT: usize = 1_000;
const THROUGH_LEADER: usize = 30;
const TOO_NEAR: usize = 1;

fn arrange(frame: &Frame, points: &[Labelled], taken: &[Frame], order: &[usize]) -> Attempt {
    let mut blocked = taken.to_vec();
    blocked.extend(points.iter().map(|point| around(point.at, 6.0)));
    // All but the leaders.
    let mut solid = blocked.clone();
    let mut attempt = Attempt { spots: Vec::with_capacity(points.len()), stuck: None, faults: 0 };
    for index in order {
        let point = &points[*index];
        let others: Vec<Point> = points.iter().map(|other| other.at).filter(|at| *at != point.at).collect();
        let find = |leaders: &[Frame], apart| {
            free_spot(point, frame, &Obstacles { labels: &blocked, leaders, others: &others, apart })
        };
        let ways = [
            (&blocked[..], true, 0),
            (&blocked[..], false, TOO_NEAR),
            (&solid[..], false, THROUGH_LEADER),
            (&[][..], false, THROUGH_TEXT),
        ];
        let found = ways.into_iter().find_map(|(leaders, apart, fault)| Some((find(leaders, apart)?, fault)));
        let fault = found.as_ref().map_or(MISSING, |(_, fault)| *fault);
        if fault > 0 {
            attempt.stuck = attempt.stuck.or(Some(*index));
        }
        attempt.faults += fault;
        let Some((spot, _)) = found else { continue };
        blocked.push(spot.covered);
        solid.push(spot.covered);
        blocked.extend(spot.leader.into_iter().flat_map(along).map(|at| around(at, 2.0)));
        attempt.spots.push((*index, spot));
    }
    attempt
}

/// Where a label may stand: the baseline of its first line, and all that it covers.
struct Spot {
    at: Point,
    hold: Hold,
    covered: Frame,
    leader: Option<[Point; 2]>,
}

/// What a label, and its leader, must keep clear of.
struct Obstacles<'a> {
    labels: &'a [Frame],
    leaders: &'a [Frame],
    others: &'a [Point],
    /// Whether a label with a leader keeps [`APART`].
    apart: bool,
}

fn around((x, y): Point, radius: f64) -> Frame {
    Frame { left: x - radius, top: y - radius, right: x + radius, bottom: y + radius }
}

fn nearest_in(frame: &Frame, (x, y): Point) -> Point {
    (x.clamp(frame.left, frame.right), y.clamp(frame.top, frame.bottom))
}

/// Distance of two points in pixels.
pub(crate) fn distance(a: Point, b: Point) -> f64 {
    ((a.0 - b.0) * (a.0 - b.0) + (a.1 - b.1) * (a.1 - b.1)).sqrt()
}

/// Points along a line, 3 pixels apart, from 8 pixels behind its start.
fn along([from, to]: [Point; 2]) -> impl Iterator<Item = Point> {
    let length = distance(from, to).max(1e-9);
    (0_u32..400)
        .map(|k| 8.0 + 3.0 * f64::from(k))
        .take_while(move |s| *s < length)
        .map(move |s| (from.0 + (to.0 - from.0) * s / length, from.1 + (to.1 - from.1) * s / length))
}

/// Tried in this order: sides, above and below, diagonals, and the directions between.
const DIRECTIONS: [(f64, f64, Hold); 16] = [
    (1.0, 0.0, Hold::Start),
    (-1.0, 0.0, Hold::End),
    (0.0, -1.0, Hold::Middle),
    (0.0, 1.0, Hold::Middle),
    (0.8, -0.8, Hold::Start),
    (0.8, 0.8, Hold::Start),
    (-0.8, -0.8, Hold::End),
    (-0.8, 0.8, Hold::End),
    (1.0, -0.35, Hold::Start),
    (1.0, 0.35, Hold::Start),
    (-1.0, -0.35, Hold::End),
    (-1.0, 0.35, Hold::End),
    (0.35, -1.0, Hold::Start),
    (0.35, 1.0, Hold::Start),
    (-0.35, -1.0, Hold::End),
    (-0.35, 1.0, Hold::End),
];

const REACHES: [f64; 13] = [10.0, 18.0, 28.0, 40.0, 54.0, 70.0, 90.0, 115.0, 140.0, 170.0, 205.0, 245.0, 290.0];

/// How far a label with a leader keeps from the points of others, so that it is not taken for theirs.
const APART: f64 = 16.0;

/// A near place only where the label is clearly nearer to its own point than to any other; else a far one with a leader
/// that crosses neither a label nor a point.
fn free_spot(point: &Labelled, frame: &Frame, obstacles: &Obstacles<'_>) -> Option<Spot> {
    let ways = REACHES.into_iter().flat_map(|reach| DIRECTIONS.map(|direction| (reach, direction)));
    ways.map(|(reach, direction)| candidate(point, reach, direction)).find(|spot| fits(spot, point, frame, obstacles))
}

fn candidate(point: &Labelled, reach: f64, (dx, dy, hold): (f64, f64, Hold)) -> Spot {
    let lift = if hold == Hold::Middle { 6.0 } else { 0.0 };
    let (x, middle) = (point.at.0 + dx * reach, point.at.1 + dy * (reach + lift));
    let tall = LINE * crate::stats::count(point.lines.len().saturating_sub(1));
    // A block hangs below its place, stands above it, or straddles it, as the direction goes.
    let first = middle + 0.36 * LABEL - tall * (1.0 - dy.signum() * f64::from(i8::from(dy != 0.0))) / 2.0;
    let frames = point.lines.iter().map(|line| text_frame((x, first), line, LABEL, hold));
    let wide = frames.reduce(|a, b| Frame { left: a.left.min(b.left), right: a.right.max(b.right), ..a });
    let mut covered = wide.unwrap_or_else(|| around((x, first), 0.0));
    covered.bottom += tall;
    let leader = (reach > 18.0).then(|| [point.at, nearest_in(&covered, point.at)]);
    Spot { at: (x, first), hold, covered, leader }
}

fn fits(spot: &Spot, point: &Labelled, frame: &Frame, obstacles: &Obstacles<'_>) -> bool {
    let own = around(point.at, 6.0);
    let free = |covered: &Frame, blocked: &[Frame]| !blocked.iter().any(|b| *b != own && b.overlaps(covered));
    let covered = &spot.covered;
    let within = covered.left >= frame.left
        && covered.right <= frame.right
        && covered.top >= frame.top
        && covered.bottom <= frame.bottom;
    let gap = |from: Point| distance(from, nearest_in(covered, from));
    let clear = || {
        spot.leader.map_or_else(
            || obstacles.others.iter().all(|other| gap(*other) > gap(point.at) + 3.0),
            |leader| {
                let apart = !obstacles.apart || obstacles.others.iter().all(|other| gap(*other) > APART);
                apart && along(leader).all(|at| free(&around(at, 2.0), obstacles.leaders))
            },
        )
    };
    within && free(covered, obstacles.labels) && !own.overlaps(covered) && clear()
}

#[cfg(test)]
mod tests {
    use super::*;

    use super::super::scene::Mark;

    fn labelled(at: Point, text: &str) -> Labelled {
        Labelled { at, lines: vec![text.to_owned()], color: (0, 0, 0) }
    }

    /// Distance of `at` from the line between two points.
    fn from_line(at: Point, (a, b): (Point, Point)) -> f64 {
        let (dx, dy) = (b.0 - a.0, b.1 - a.1);
        let share = ((at.0 - a.0) * dx + (at.1 - a.1) * dy) / (dx * dx + dy * dy).max(1e-9);
        let share = share.clamp(0.0, 1.0);
        distance(at, (a.0 + share * dx, a.1 + share * dy))
    }

    #[test]
    fn crowded_points_get_labels_that_do_not_overlap_and_leaders_that_cross_no_dot() {
        let frame = Frame { left: 0.0, top: 0.0, right: 600.0, bottom: 400.0 };
        for (across, down) in [(12.0, 0.0), (10.0, 6.0), (0.0, 13.0), (16.0, -9.0)] {
            let at = |i: u32| (280.0 + across * f64::from(i), 180.0 + down * f64::from(i));
            let points: Vec<Labelled> = (0..8).map(|i| labelled(at(i), &format!("strategy-{i}"))).collect();
            let mut scene = Scene::new(600.0, 400.0);
            place(&mut scene, &frame, &points, &[]);
            let boxes = scene.text_boxes();
            assert_eq!(boxes.len(), 8);
            for (i, (_, a)) in boxes.iter().enumerate() {
                assert!(boxes[i + 1..].iter().all(|(_, b)| !a.overlaps(b)));
            }
            for mark in &scene.marks {
                let Mark::Line { points: leader, .. } = mark else { continue };
                let passed =
                    points.iter().filter(|p| p.at != leader[0] && from_line(p.at, (leader[0], leader[1])) < 5.0);
                assert_eq!(passed.count(), 0, "a leader passes through a dot with spacing {across}, {down}");
            }
        }
    }

    /// Points in a row at the foot, as where many strategies have no bad request, with labels of one to four lines.
    #[test]
    fn leaders_cross_no_text() {
        let frame = Frame { left: 76.0, top: 112.0, right: 832.0, bottom: 500.0 };
        let lines = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let rows: [(Point, &[&str]); 6] = [
            ((445.0, 497.0), &["hpa-global", "hpa-tuned"]),
            ((496.0, 500.0), &["forecast-max", "headroom-tuned", "newsvendor-tuned", "newsvendor-global"]),
            ((516.0, 500.0), &["headroom-constant", "lstm-dqn"]),
            ((523.0, 500.0), &["lstm-dqn-persistence"]),
            ((727.0, 500.0), &["hpa-default"]),
            ((814.0, 500.0), &["lstm-dqn-untrained: 1,245 pod-h, 0 % bad", "lstm-dqn-random: 1,383 pod-h, 0 % bad"]),
        ];
        let points: Vec<Labelled> =
            rows.iter().map(|(at, names)| Labelled { at: *at, lines: lines(names), color: (0, 0, 0) }).collect();
        let mut scene = Scene::new(860.0, 556.0);
        place(&mut scene, &frame, &points, &[]);
        let boxes = scene.text_boxes();
        assert_eq!(boxes.len(), 12);
        for mark in &scene.marks {
            let Mark::Line { points: leader, .. } = mark else { continue };
            let crossed = boxes.iter().filter(|(_, covered)| {
                (0..100).map(|k| f64::from(k) / 100.0).any(|s| {
                    let on = |from: f64, to: f64| from + (to - from) * s;
                    let (x, y) = (on(leader[0].0, leader[1].0), on(leader[0].1, leader[1].1));
                    covered.left < x && x < covered.right && covered.top < y && y < covered.bottom
                })
            });
            assert_eq!(crossed.map(|(text, _)| text.clone()).collect::<Vec<_>>(), Vec::<String>::new());
        }
    }

    #[test]
    fn lines_of_a_label_stand_below_each_other_within_the_frame() {
        let frame = Frame { left: 0.0, top: 0.0, right: 600.0, bottom: 400.0 };
        for at in [(300.0, 200.0), (300.0, 400.0), (300.0, 0.0), (600.0, 400.0), (0.0, 0.0)] {
            let lines = vec!["one".to_owned(), "the second".to_owned(), "three".to_owned()];
            let mut scene = Scene::new(600.0, 400.0);
            place(&mut scene, &frame, &[Labelled { at, lines, color: (0, 0, 0) }], &[]);
            let boxes = scene.text_boxes();
            assert_eq!(boxes.len(), 3, "{at:?}");
            assert!(boxes.windows(2).all(|pair| pair[0].1.bottom <= pair[1].1.top), "{at:?}");
            assert!(boxes.iter().all(|(_, covered)| covered.inside(600.0, 400.0)), "{at:?}");
        }
    }
}
