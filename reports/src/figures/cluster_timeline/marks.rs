//! The moments worth a mark: a band of labels above the panels, and a line through them for each label.
//!
//! Invariant: no two labels overlap and no line crosses a label. Events of one kind within a few pixels share a label; where
//! the labels still take too many lines, events further apart do; where even that is not enough, every kind gets a lane of
//! ticks. Labels to the left stand higher, so that the line of one to the right never passes through them.

use std::collections::BTreeMap;

use seatrial_core::record::timeline::Mark;

use super::super::axis::Scale;
use super::super::render::text_width;
use super::super::scene::{Frame, GRID, Hold, LABEL, Rgb, Scene, fitted, shade, tint};

/// How wide a label of one event may be, and how many lines all may take: in full, cut, and by kind alone.
const WAYS: [(Wording, usize); 3] = [(Wording::Text(210.0), 8), (Wording::Text(140.0), 8), (Wording::Kind, 10)];
const LINE: f64 = 1.25 * LABEL;
/// Below the labels: room for the ticks of all events.
const FOOT: f64 = 12.0;
/// Events of one kind at least this close share a label.
const NEAR: f64 = 8.0;
/// Events further apart than this share no label: there would be nothing left to see.
const FAR: f64 = 45.0;
/// Nor do events that one after the other reach further than this.
const LONGEST: f64 = 120.0;
const MOST_LANES: usize = 12;
const LANE: f64 = 1.2 * LABEL;

const BAD: Rgb = (0xc0, 0x4a, 0x00);
const GOOD: Rgb = (0x00, 0x7f, 0x5c);
const CHANGE: Rgb = (0x00, 0x62, 0xa0);

/// What a label of one event says: its text up to a width, or its kind.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Wording {
    Text(f64),
    Kind,
}

/// Events that share a label, placed.
#[derive(Clone, Debug)]
struct Placed {
    /// Pixels of its events, ascending.
    at: Vec<f64>,
    words: String,
    color: Rgb,
    /// Counted from below.
    line: usize,
}

/// The band.
#[derive(Debug)]
pub(super) struct Band {
    labels: Vec<Placed>,
    lines: usize,
    /// Whether labels are lanes, named at their right, and not placed where their events are.
    lanes: Option<Frame>,
}

fn color(kind: &str) -> Rgb {
    match kind {
        "repair" | "node-added" => GOOD,
        "rollout" | "node-removed" => CHANGE,
        _ => BAD,
    }
}

/// Arranges labels that end before `edge`.
pub(super) fn arrange(marks: &[Mark], time: &Scale, frame: &Frame, edge: f64) -> Band {
    #[expect(clippy::cast_precision_loss, reason = "microseconds of real times, on paper")]
    let seen: Vec<(f64, &Mark)> = marks.iter().map(|mark| (time.x(mark.at.micros() as f64, frame), mark)).collect();
    let mut near = NEAR;
    while near < FAR {
        for (wording, most) in WAYS {
            let labels = stacked(by_kind(&seen, near, wording), wording, edge);
            let lines = labels.iter().map(|label| label.line + 1).max().unwrap_or(0);
            let longest = labels.iter().map(|label| label.at[label.at.len() - 1] - label.at[0]).fold(0.0, f64::max);
            if lines <= most && longest <= LONGEST {
                return Band { labels, lines, lanes: None };
            }
        }
        near *= 1.5;
    }
    lanes(&seen, frame)
}

/// A lane for each kind, the most frequent first; what is beyond the last lane shares it.
fn lanes(seen: &[(f64, &Mark)], frame: &Frame) -> Band {
    let mut kinds: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (x, mark) in seen {
        kinds.entry(&mark.kind).or_default().push(*x);
    }
    let mut kinds: Vec<(&str, Vec<f64>)> = kinds.into_iter().collect();
    kinds.sort_by_key(|(_, at)| std::cmp::Reverse(at.len()));
    if kinds.len() > MOST_LANES {
        let rest = kinds.split_off(MOST_LANES - 1).into_iter().flat_map(|(_, at)| at).collect();
        kinds.push(("of other kinds", rest));
    }
    let lines = kinds.len();
    let lane = |(i, (kind, mut at)): (usize, (&str, Vec<f64>))| {
        at.sort_by(f64::total_cmp);
        let words = fitted(&format!("{} {}", at.len(), kind.replace('-', " ")), LABEL, super::RIGHT - 14.0);
        Placed { at, words, color: color(kind), line: lines - 1 - i }
    };
    Band { labels: kinds.into_iter().enumerate().map(lane).collect(), lines, lanes: Some(*frame) }
}

/// Events of one kind, each less than `near` from the one before it, under one label.
fn by_kind(seen: &[(f64, &Mark)], near: f64, wording: Wording) -> Vec<Placed> {
    let mut kinds: BTreeMap<&str, Vec<(f64, &str)>> = BTreeMap::new();
    for (x, mark) in seen {
        kinds.entry(&mark.kind).or_default().push((*x, &mark.text));
    }
    let mut labels = Vec::new();
    for (kind, mut events) in kinds {
        events.sort_by(|a, b| a.0.total_cmp(&b.0));
        for crowd in events.chunk_by(|a, b| b.0 - a.0 < near) {
            let words = match crowd {
                [(_, text)] if !text.is_empty() && wording != Wording::Kind => (*text).to_owned(),
                [_] => kind.replace('-', " "),
                many => format!("{} × {}", many.len(), kind.replace('-', " ")),
            };
            labels.push(Placed { at: crowd.iter().map(|(x, _)| *x).collect(), words, color: color(kind), line: 0 });
        }
    }
    // By their place; at one place the order of the kinds.
    labels.sort_by(|a, b| a.at[0].total_cmp(&b.at[0]));
    labels
}

/// Puts labels onto lines, each above all that begin under it.
fn stacked(mut labels: Vec<Placed>, wording: Wording, edge: f64) -> Vec<Placed> {
    for i in (0..labels.len()).rev() {
        let left = labels[i].at[0];
        let widest = match wording {
            Wording::Text(widest) => widest,
            Wording::Kind => f64::INFINITY,
        };
        let words = fitted(&labels[i].words, LABEL, widest.min(edge - left - 4.0));
        let right = left + 4.0 + text_width(&words, LABEL) + 8.0;
        let under = labels[i + 1..].iter().take_while(|label| label.at[0] < right);
        let line = under.map(|label| label.line + 1).max().unwrap_or(0);
        (labels[i].words, labels[i].line) = (words, line);
    }
    labels
}

impl Band {
    /// Height of the labels with their foot; nothing without events.
    pub(super) fn height(&self) -> f64 {
        let lines = crate::stats::count(self.lines);
        match (self.lines, &self.lanes) {
            (0, _) => 0.0,
            (_, None) => lines * LINE + FOOT + 4.0,
            (_, Some(_)) => lines * LANE + 8.0,
        }
    }

    /// Everything above `bottom`.
    pub(super) fn draw(&self, scene: &mut Scene, bottom: f64) {
        for label in &self.labels {
            match &self.lanes {
                None => label.draw(scene, bottom),
                Some(frame) => label.draw_lane(scene, frame, bottom),
            }
        }
    }

    /// The lines through a panel.
    pub(super) fn lines(&self, scene: &mut Scene, frame: &Frame) {
        for label in self.labels.iter().filter(|_| self.lanes.is_none()) {
            let x = label.at[0];
            scene.line(vec![(x, frame.top), (x, frame.bottom)], tint(label.color, 0.6), 1.0);
        }
    }
}

impl Placed {
    /// The label, its line down to the foot, and a tick for every event.
    fn draw(&self, scene: &mut Scene, bottom: f64) {
        let baseline = bottom - FOOT - LINE * crate::stats::count(self.line) - 0.2 * LABEL;
        let (first, last) = (self.at[0], self.at[self.at.len() - 1]);
        scene.line(vec![(first, baseline - 0.75 * LABEL), (first, bottom)], tint(self.color, 0.75), 1.0);
        scene.text((first + 4.0, baseline), &self.words, (LABEL, shade(self.color), Hold::Start));
        if last - first >= 2.0 {
            scene.line(vec![(first, bottom - 3.0), (last, bottom - 3.0)], self.color, 1.0);
        }
        self.ticks(scene, (bottom - 6.0, bottom));
    }

    fn draw_lane(&self, scene: &mut Scene, frame: &Frame, bottom: f64) {
        let foot = bottom - 8.0 - LANE * crate::stats::count(self.line);
        scene.line(vec![(frame.left, foot), (frame.right, foot)], GRID, 1.0);
        self.ticks(scene, (foot - LANE + 4.0, foot));
        scene.text((frame.right + 10.0, foot - 2.0), &self.words, (LABEL, shade(self.color), Hold::Start));
    }

    /// A tick for every event that can be told from the one before it.
    fn ticks(&self, scene: &mut Scene, (top, bottom): (f64, f64)) {
        let mut before = f64::NEG_INFINITY;
        for x in &self.at {
            if x - before >= 0.5 {
                scene.line(vec![(*x, top), (*x, bottom)], self.color, 1.0);
                before = *x;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use seatrial_core::time::Timestamp;

    const FRAME: Frame = Frame { left: 66.0, right: 724.0, top: 60.0, bottom: 60.0 };
    const TIME: Scale = Scale { low: 0.0, high: 1_000.0, log: false };

    fn mark(at: i64, kind: &str) -> Mark {
        Mark { at: Timestamp::from_micros(at), kind: kind.to_owned(), text: format!("{kind} of pod web-{at}") }
    }

    fn words(band: &Band) -> Vec<&str> {
        band.labels.iter().map(|label| label.words.as_str()).collect()
    }

    #[test]
    fn events_of_a_kind_share_a_label_and_others_do_not() {
        let marks = [mark(100, "evicted"), mark(104, "evicted"), mark(108, "evicted"), mark(104, "oom")];
        let band = arrange(&marks, &TIME, &FRAME, 852.0);
        assert_eq!(words(&band), ["3 × evicted", "oom of pod web-104"]);
        assert_eq!(band.labels.iter().map(|label| label.line).collect::<Vec<_>>(), [1, 0]);
        assert_eq!(arrange(&[], &TIME, &FRAME, 852.0).height(), 0.0);
    }

    /// Boxes of labels and their lines, for crowds of all sizes.
    #[test]
    fn labels_overlap_nothing_and_no_line_crosses_one() {
        let kinds = ["fault", "repair", "oom", "node-lost", "evicted", "quota", "rollout", "unschedulable"];
        for n in [1_i64, 2, 7, 30, 120, 500] {
            let marks: Vec<Mark> = (0..n).map(|k| mark(k * 991 % 1_000, kinds[(k * 5 % 8) as usize])).collect();
            let band = arrange(&marks, &TIME, &FRAME, 852.0);
            let mut scene = Scene::new(860.0, 60.0 + band.height());
            let bottom = scene.height;
            band.draw(&mut scene, bottom);
            let boxes = scene.text_boxes();
            assert_eq!(band.labels.iter().map(|label| label.at.len()).sum::<usize>(), marks.len());
            for (i, (text, a)) in boxes.iter().enumerate() {
                assert!(a.inside(860.0, scene.height) && a.top >= 60.0, "{n}: `{text}` {a:?}");
                assert!(boxes[i + 1..].iter().all(|(_, b)| !a.overlaps(b)), "{n}: `{text}`");
                for other in band.labels.iter().filter(|_| band.lanes.is_none()) {
                    let x = other.at[0];
                    let top = scene.height - FOOT - LINE * other.line as f64 - LABEL;
                    let crosses = a.left < x && x < a.right && a.bottom > top + LABEL;
                    assert!(!crosses, "{n}: the line of `{}` crosses `{text}`", other.words);
                }
            }
        }
    }

    #[test]
    fn crowds_everywhere_get_a_lane_for_each_kind() {
        let kinds = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "k", "l", "m", "n", "o"];
        let of = |n: usize| -> Vec<Mark> {
            (0..1_400).map(|k| mark(k * 7 % 1_000, kinds[usize::try_from(k).unwrap() % n])).collect()
        };
        assert_eq!(words(&arrange(&of(3), &TIME, &FRAME, 852.0)), ["467 a", "467 b", "466 c"]);
        let band = arrange(&of(14), &TIME, &FRAME, 852.0);
        assert!(band.lanes.is_some());
        assert_eq!(band.labels.len(), MOST_LANES);
        assert_eq!((words(&band)[0], words(&band)[11]), ("100 a", "300 of other kinds"));
        assert_eq!(band.labels.iter().map(|label| label.at.len()).sum::<usize>(), 1_400);
    }
}
