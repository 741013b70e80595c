//! Direct labels for points: each goes to the nearest free place; a far one gets a leader line.

use super::scene::{Frame, Hold, LABEL, Point, Rgb, Scene, text_frame};

/// A point that wants a label.
pub(crate) struct Labelled {
    pub(crate) at: Point,
    pub(crate) text: String,
    pub(crate) color: Rgb,
}

/// Places labels within `frame`, away from all points, from each other and from `taken`. First come, first served.
pub(crate) fn place(scene: &mut Scene, frame: &Frame, points: &[Labelled], taken: &[Frame]) {
    let mut blocked = taken.to_vec();
    blocked.extend(points.iter().map(|point| around(point.at, 6.0)));
    for point in points {
        let others: Vec<Point> = points.iter().map(|other| other.at).filter(|at| *at != point.at).collect();
        // In the densest crowd a leader may cross something; a label that is missing would be worse.
        let strict = free_spot(point, frame, &Obstacles { labels: &blocked, leaders: &blocked, others: &others });
        let lax = || free_spot(point, frame, &Obstacles { labels: &blocked, leaders: &[], others: &others });
        let Some(spot) = strict.or_else(lax) else { continue };
        scene.text(spot.at, &point.text, (LABEL, point.color, spot.hold));
        blocked.push(spot.covered);
        if let Some(leader) = spot.leader {
            blocked.extend(along(leader).map(|at| around(at, 2.0)));
            scene.line(leader.to_vec(), point.color, 0.75);
        }
    }
}

/// Where a label may stand.
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
}

fn around((x, y): Point, radius: f64) -> Frame {
    Frame { left: x - radius, top: y - radius, right: x + radius, bottom: y + radius }
}

fn nearest_in(frame: &Frame, (x, y): Point) -> Point {
    (x.clamp(frame.left, frame.right), y.clamp(frame.top, frame.bottom))
}

fn distance(a: Point, b: Point) -> f64 {
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

const DIRECTIONS: [(f64, f64, Hold); 12] = [
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
];

/// A near place only where the label is clearly nearer to its own point than to any other; else a far one with a leader
/// that crosses neither a label nor a point.
fn free_spot(point: &Labelled, frame: &Frame, obstacles: &Obstacles<'_>) -> Option<Spot> {
    let own = around(point.at, 6.0);
    let free = |covered: &Frame, blocked: &[Frame]| !blocked.iter().any(|b| *b != own && b.overlaps(covered));
    for reach in [10.0, 18.0, 28.0, 40.0, 54.0, 70.0, 90.0, 115.0, 140.0] {
        for (dx, dy, hold) in DIRECTIONS {
            let lift = if hold == Hold::Middle { 6.0 } else { 0.0 };
            let at = (point.at.0 + dx * reach, point.at.1 + dy * (reach + lift) + 0.36 * LABEL);
            let covered = text_frame(at, &point.text, LABEL, hold);
            let within = covered.left >= frame.left
                && covered.right <= frame.right
                && covered.top >= frame.top
                && covered.bottom <= frame.bottom;
            if !within || !free(&covered, obstacles.labels) {
                continue;
            }
            let gap = |from: Point| distance(from, nearest_in(&covered, from));
            let leader = (reach > 18.0).then(|| [point.at, nearest_in(&covered, point.at)]);
            let clear = leader.map_or_else(
                || obstacles.others.iter().all(|other| gap(*other) > gap(point.at) + 3.0),
                |leader| along(leader).all(|at| free(&around(at, 2.0), obstacles.leaders)),
            );
            if clear {
                return Some(Spot { at, hold, covered, leader });
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crowded_points_get_labels_that_do_not_overlap() {
        let mut scene = Scene::new(600.0, 400.0);
        let frame = Frame { left: 0.0, top: 0.0, right: 600.0, bottom: 400.0 };
        let points: Vec<Labelled> = (0..8)
            .map(|i| Labelled {
                at: (300.0 + 2.0 * f64::from(i), 200.0),
                text: format!("strategy-{i}"),
                color: (0, 0, 0),
            })
            .collect();
        place(&mut scene, &frame, &points, &[]);
        let boxes = scene.text_boxes();
        assert_eq!(boxes.len(), 8);
        for (i, (_, a)) in boxes.iter().enumerate() {
            assert!(boxes[i + 1..].iter().all(|(_, b)| !a.overlaps(b)));
        }
    }
}
