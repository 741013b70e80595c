//! What an autoscaler's settings trade: replica-hours against bad requests on days that tuning never saw, with today's
//! settings, the suggested ones, and what an oracle would have paid.

use super::axis::{self, Scale};
use super::labels::{self, Labelled};
use super::legend::{self, Swatch};
use super::palette::color;
use super::place::Heading;
use super::scene::{Frame, Hold, INK, LABEL, Point, Rgb, SOFT, Scene, shade, tint};
use super::{Figure, Sketch, finish};
use crate::error::ReportError;
use crate::format::{csv_field, grouped, short};

/// The settings of one autoscaler.
#[derive(Clone, Debug)]
pub struct TuningCurve {
    /// File stem and anchor.
    pub id: String,
    /// What is compared.
    pub title: String,
    /// On which days of which load.
    pub place: String,
    /// In any order.
    pub points: Vec<TuningPoint>,
}

/// One setting, or the oracle.
#[derive(Clone, Debug, PartialEq)]
pub struct TuningPoint {
    /// What it is.
    pub role: TuningRole,
    /// The setting in words; for the data file.
    pub words: String,
    /// Mean per day.
    pub replica_hours: f64,
    /// Share of requests, in percent.
    pub bad_percent: f64,
}

/// What a point is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TuningRole {
    /// On the edge of what was tried: nothing is better in both.
    Tried,
    /// What the objective `cost` would choose.
    Cost,
    /// What the objective `balanced` would choose.
    Balanced,
    /// What the objective `slo` would choose.
    Slo,
    /// The plan that knows the future.
    Oracle,
    /// What runs today.
    Today,
    /// What is suggested.
    Suggested,
}

const WIDTH: f64 = 720.0;
const CURVE: Rgb = (0x00, 0x72, 0xb2);

impl TuningRole {
    const fn label(self) -> &'static str {
        match self {
            Self::Tried => "tried",
            Self::Cost => "cost",
            Self::Balanced => "balanced",
            Self::Slo => "slo",
            Self::Oracle => "oracle",
            Self::Today => "today",
            Self::Suggested => "suggested",
        }
    }

    fn color(self) -> Rgb {
        match self {
            Self::Today => (0xd5, 0x5e, 0x00),
            Self::Suggested => color("newsvendor-tuned"),
            Self::Oracle => INK,
            _ => CURVE,
        }
    }
}

/// Draws the curve.
///
/// # Errors
/// [`ReportError::Draw`] if nothing of it is finite, or the backend fails.
pub fn tuning_curve(curve: &TuningCurve) -> Result<Figure, ReportError> {
    let heading = Heading { title: curve.title.clone(), place: curve.place.clone() };
    let scene = scene(curve, &heading).ok_or_else(|| ReportError::Draw {
        figure: curve.id.clone(),
        reason: "there is no finite point to draw".to_owned(),
    })?;
    let mut points: Vec<&TuningPoint> = curve.points.iter().collect();
    points.sort_by(|a, b| b.role.cmp(&a.role).then(a.replica_hours.total_cmp(&b.replica_hours)));
    let mut csv = "role,settings,replica_hours_per_day,bad_percent\n".to_owned();
    for point in points {
        let words = csv_field(&point.words);
        csv += &format!("{},{words},{},{}\n", point.role.label(), point.replica_hours, point.bad_percent);
    }
    finish(Sketch { id: curve.id.clone(), title: heading.joined(), caption: caption(curve), csv, scene })
}

fn caption(curve: &TuningCurve) -> String {
    let of = |role: TuningRole| curve.points.iter().find(|point| point.role == role);
    let told = |role: TuningRole, name: &str| {
        of(role).map_or_else(String::new, |point| {
            format!(
                " {name}: {} replica-hours a day and {} % bad requests.",
                grouped(point.replica_hours, 1),
                short(point.bad_percent)
            )
        })
    };
    format!(
        "Lower left is better. The curve joins the settings that no other setting beat in both on the earlier days; all points \
         are measured on later ones.{}{}{}",
        told(TuningRole::Today, "Today"),
        told(TuningRole::Suggested, "Suggested"),
        told(TuningRole::Oracle, "An oracle that knows the future")
    )
}

fn scene(curve: &TuningCurve, heading: &Heading) -> Option<Scene> {
    let finite = |point: &&TuningPoint| point.replica_hours.is_finite() && point.bad_percent.is_finite();
    let points: Vec<&TuningPoint> = curve.points.iter().filter(finite).collect();
    let x = Scale::linear(points.iter().map(|point| point.replica_hours), false)?;
    // An empty axis of bad requests would have no ticks to read.
    let y = Scale::linear(points.iter().map(|point| point.bad_percent).chain([0.001]), true)?;
    let room = 0.04 * (x.high - x.low);
    let x = Scale { low: (x.low - room).max(0.0), high: x.high + room, ..x };
    let mut scene = Scene::new(WIDTH, 480.0);
    scene.heading(heading);
    let entries = [(Swatch::Ring(CURVE), "settings on the edge of what was tried")];
    legend::draw(&mut scene, (16.0, 72.0), &entries);
    let left = 16.0 + 14.0 + axis::labels_width(&y, 6);
    let frame = Frame { left, top: 112.0, right: WIDTH - 24.0, bottom: 424.0 };
    axis::y_axis(&mut scene, &frame, &y, 6);
    axis::x_axis(&mut scene, &frame, &x, 7);
    let middle = (frame.left + frame.right) / 2.0;
    scene.text(
        (middle, 466.0),
        "replica-hours a day (starting and terminating pods included)",
        (LABEL, INK, Hold::Middle),
    );
    scene.text((16.0, 98.0), "bad requests, %", (LABEL, INK, Hold::Start));
    let at = |point: &TuningPoint| (x.x(point.replica_hours, &frame), y.y(point.bad_percent, &frame));
    draw(&mut scene, &points, &at);
    let taken = step(&points, &at).map(covered).unwrap_or_default();
    labels::place(&mut scene, &frame, &labelled(&points, &at), &taken);
    Some(scene)
}

fn draw(scene: &mut Scene, points: &[&TuningPoint], at: &impl Fn(&TuningPoint) -> Point) {
    let mut tried: Vec<Point> = with(points, TuningRole::Tried).map(at).collect();
    tried.sort_by(|a, b| a.0.total_cmp(&b.0));
    scene.line(tried.clone(), tint(CURVE, 0.45), 1.5);
    tried.iter().for_each(|point| scene.ring(*point, 3.5, CURVE));
    if let Some((from, to)) = step(points, at) {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let length = labels::distance(from, to);
        let tip = (to.0 - 9.0 * dx / length, to.1 - 9.0 * dy / length);
        scene.arrow(tip, (dx, dy), (length - 18.0, tint(SOFT, 0.6)));
    }
    let mut marked: Vec<&&TuningPoint> = points.iter().filter(|point| point.role != TuningRole::Tried).collect();
    marked.sort_by_key(|point| point.role);
    for point in marked {
        let big = matches!(point.role, TuningRole::Today | TuningRole::Suggested | TuningRole::Oracle);
        scene.dot(at(point), if big { 8.0 } else { 6.0 }, (255, 255, 255));
        scene.dot(at(point), if big { 6.5 } else { 4.5 }, point.role.color());
    }
}

/// From today's settings to the suggested ones, where there is room for an arrow.
fn step(points: &[&TuningPoint], at: &impl Fn(&TuningPoint) -> Point) -> Option<(Point, Point)> {
    let one = |role| with(points, role).map(at).next();
    let (from, to) = (one(TuningRole::Today)?, one(TuningRole::Suggested)?);
    (labels::distance(from, to) > 24.0).then_some((from, to))
}

/// What the arrow covers: labels keep clear of it.
fn covered((from, to): (Point, Point)) -> Vec<Frame> {
    let steps = (labels::distance(from, to) / 4.0).ceil().max(1.0);
    let place = |share: f64| (from.0 + (to.0 - from.0) * share, from.1 + (to.1 - from.1) * share);
    let mut frames = Vec::new();
    let mut done = 0.0;
    while done <= steps {
        let (x, y) = place(done / steps);
        frames.push(Frame { left: x - 3.0, top: y - 3.0, right: x + 3.0, bottom: y + 3.0 });
        done += 1.0;
    }
    frames
}

fn with<'a>(points: &'a [&'a TuningPoint], role: TuningRole) -> impl Iterator<Item = &'a TuningPoint> {
    points.iter().copied().filter(move |point| point.role == role)
}

/// One label per crowd of marks at one place.
fn labelled(points: &[&TuningPoint], at: &impl Fn(&TuningPoint) -> Point) -> Vec<Labelled> {
    let mut crowds: Vec<Labelled> = Vec::new();
    let mut order: Vec<&&TuningPoint> = points.iter().filter(|point| point.role != TuningRole::Tried).collect();
    order.sort_by_key(|point| std::cmp::Reverse(point.role));
    for point in order {
        let (place, text) = (at(point), point.role.label().to_owned());
        match crowds.iter_mut().find(|crowd| labels::distance(crowd.at, place) < 6.0) {
            Some(crowd) => crowd.lines[0] += &format!(" = {text}"),
            None => crowds.push(Labelled { at: place, lines: vec![text], color: shade(point.role.color()) }),
        }
    }
    crowds
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(role: TuningRole, replica_hours: f64, bad_percent: f64) -> TuningPoint {
        TuningPoint { role, words: "target 70 %, hold 60 s".to_owned(), replica_hours, bad_percent }
    }

    fn curve(points: Vec<TuningPoint>) -> TuningCurve {
        TuningCurve { id: "web".to_owned(), title: "Settings".to_owned(), place: "three days".to_owned(), points }
    }

    #[test]
    fn today_suggestion_and_oracle_are_named_and_nothing_overlaps() {
        let mut points: Vec<TuningPoint> =
            (0..9).map(|i| point(TuningRole::Tried, 200.0 + 12.0 * f64::from(i), 0.9 / f64::from(i + 1))).collect();
        points.push(point(TuningRole::Today, 310.0, 0.3));
        points.push(point(TuningRole::Suggested, 260.0, 0.15));
        points.push(point(TuningRole::Balanced, 260.0, 0.15));
        points.push(point(TuningRole::Oracle, 190.0, 0.02));
        let figure = tuning_curve(&curve(points)).unwrap();
        for word in ["today", "suggested = balanced", "oracle", "replica-hours a day"] {
            assert!(figure.svg.contains(word), "{word}");
        }
        assert!(
            figure.caption.contains("Today: 310.0 replica-hours a day and 0.3 % bad requests."),
            "{}",
            figure.caption
        );
        assert_eq!(figure.csv.lines().count(), 14);
        assert!(figure.csv.contains("suggested,\"target 70 %, hold 60 s\",260,0.15"), "{}", figure.csv);
        let boxes = figure.scene.text_boxes();
        for (i, (text, a)) in boxes.iter().enumerate() {
            assert!(a.inside(figure.scene.width, figure.scene.height), "`{text}` is clipped");
            assert!(boxes[i + 1..].iter().all(|(_, b)| !a.overlaps(b)), "`{text}` is covered");
        }
    }

    #[test]
    fn nothing_to_draw_is_an_error_and_one_point_is_not() {
        assert!(tuning_curve(&curve(vec![])).is_err());
        assert!(tuning_curve(&curve(vec![point(TuningRole::Today, f64::NAN, 0.0)])).is_err());
        assert!(tuning_curve(&curve(vec![point(TuningRole::Today, 24.0, 0.0)])).unwrap().svg.contains("today"));
    }
}
