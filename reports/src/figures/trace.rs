//! A trace as a picture: a panel per series, the parts of its split shaded and named, what it holds as CSV.
//!
//! What does not fit bin by bin comes as columns of bins: their range is drawn as an area, their median as a line. Invariants: no
//! peak is lost; a bin without a value is a gap, and marked below the axis where it is too short to be seen.

use std::fmt::Write;

use super::axis::{self, Scale};
use super::render::text_width;
use super::scene::{Frame, Hold, INK, LABEL, Rgb, SOFT, Scene, TITLE, fitted};
use super::{Figure, Sketch, finish};
use crate::error::ReportError;
use crate::format::{csv_field, is_relative, iso_moment, span_label};

/// A trace to be drawn.
#[derive(Clone, Debug)]
pub struct TraceOverview {
    /// Its id.
    pub id: String,
    /// What all of it has in common, in words.
    pub about: String,
    /// Unit of the values; the head of a panel without a name.
    pub unit: String,
    /// How its times relate to UTC.
    pub time_base: String,
    /// Where it comes from.
    pub source: Option<String>,
    /// Its series.
    pub panels: Vec<TracePanel>,
}

/// A series.
#[derive(Clone, Debug)]
pub struct TracePanel {
    /// Its name; empty if it is the only one.
    pub name: String,
    /// Its levels, in words.
    pub levels: String,
    /// In order of time, without holes, at most [`MOST_COLUMNS`].
    pub columns: Vec<TraceColumn>,
    /// In order of time; none if the series is not split.
    pub parts: Vec<TracePart>,
}

/// A stretch of bins that becomes one column of the picture.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceColumn {
    /// Start in microseconds.
    pub start_us: i64,
    /// End in microseconds.
    pub end_us: i64,
    /// Bins in it.
    pub bins: usize,
    /// Bins without a value.
    pub missing: usize,
    /// `None` where every bin is missing.
    pub level: Option<TraceLevel>,
}

/// What the known bins of a column hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TraceLevel {
    /// The least value.
    pub least: f64,
    /// The median.
    pub median: f64,
    /// The greatest value.
    pub greatest: f64,
}

/// A part of a split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracePart {
    /// `train`, `validation`, `gap`, `test`, `test only` or `unused`.
    pub name: &'static str,
    /// Start in microseconds.
    pub start_us: i64,
    /// End in microseconds.
    pub end_us: i64,
}

/// Columns that a panel has pixels for.
pub const MOST_COLUMNS: usize = 800;

const WIDTH: f64 = 960.0;
const MARGIN: f64 = 16.0;
const RIGHT: f64 = WIDTH - 42.0;
/// Distance of lines of text.
const LINE: f64 = 17.0;
/// Height of the strip that names the parts.
const STRIP: f64 = 18.0;
/// From the top of a panel to its frame: head, names of narrow parts, strip.
const ABOVE: f64 = 24.0 + 15.0 + STRIP;
/// From a frame to the next panel.
const BELOW: f64 = 34.0;
const RANGE: Rgb = (0xa0, 0xc6, 0xe4);
const CURVE: Rgb = (0x08, 0x45, 0x8a);
const ABSENT: Rgb = (0xb5, 0x1d, 0x14);

/// Shade of a part, and of the strip that names it.
fn shades(part: &str) -> (Rgb, Rgb) {
    match part {
        "validation" => ((0xfd, 0xf3, 0xd6), (0xf6, 0xd9, 0x7f)),
        "gap" => ((0xee, 0xee, 0xee), (0xcb, 0xcb, 0xcb)),
        "test" | "test only" => ((0xfd, 0xe8, 0xdd), (0xf5, 0xb9, 0x96)),
        "unused" => ((0xff, 0xff, 0xff), (0xf0, 0xf0, 0xf0)),
        _ => ((0xee, 0xf4, 0xf0), (0xb9, 0xd8, 0xc4)),
    }
}

/// Draws a trace; the figure's id is that of the trace, made safe as a file name.
///
/// # Errors
/// [`ReportError::Draw`] if the backend fails.
pub fn trace_overview(trace: &TraceOverview) -> Result<Figure, ReportError> {
    let notes = notes(trace);
    finish(Sketch {
        id: trace.id.replace(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c)), "-"),
        title: format!("{}: {}", trace.id, trace.about),
        caption: notes.join(" "),
        csv: csv(&trace.panels),
        scene: scene(trace, &notes),
    })
}

/// How to read the picture, and where its data come from.
fn notes(trace: &TraceOverview) -> Vec<String> {
    let columns = || trace.panels.iter().flat_map(|panel| &panel.columns);
    let time = if columns().any(|column| is_relative(column.start_us)) { "relative" } else { &trace.time_base };
    let notes = [
        (columns().any(|column| column.bins > 1), "light: least to greatest bin per pixel column; line: median"),
        (columns().any(|column| column.missing > 0), "red below the axis: bins without a value"),
        (trace.panels.iter().any(|panel| !panel.parts.is_empty()), "parts: protocol P1"),
        (true, &format!("time: {time}")),
    ];
    let words: Vec<&str> = notes.into_iter().filter(|(holds, _)| *holds).map(|(_, words)| words).collect();
    let source = trace.source.iter().map(|source| format!("source: {source}"));
    std::iter::once(words.join(" · ") + ".").chain(source).collect()
}

fn scene(trace: &TraceOverview, notes: &[String]) -> Scene {
    let mut scene = Scene::new(WIDTH, 0.0);
    scene.text((MARGIN, 26.0), &fitted(&trace.id, TITLE, WIDTH - 2.0 * MARGIN), (TITLE, INK, Hold::Start));
    let mut top = paragraph(&mut scene, 46.0, &trace.about) - 10.0;
    let (height, ticks) = match trace.panels.len() {
        0 | 1 => (280.0, 5),
        2..=4 => (150.0, 5),
        _ => (96.0, 4),
    };
    let several = trace.panels.windows(2).any(|pair| pair[0].span() != pair[1].span());
    let panels: Vec<Panel<'_>> = trace.panels.iter().map(|series| Panel::new(series, ticks)).collect();
    let labels = panels.iter().map(|panel| axis::labels_width(&panel.scale, ticks)).fold(40.0, f64::max);
    for panel in panels {
        let frame =
            Frame { left: MARGIN + 10.0 + labels, top: top + ABOVE, right: RIGHT, bottom: top + ABOVE + height };
        panel.draw_head(&mut scene, &frame, &panel.head(&trace.unit, several));
        panel.draw(&mut scene, &frame);
        top = frame.bottom + BELOW;
    }
    let end = notes.iter().fold(top + 12.0, |y, note| paragraph(&mut scene, y, note));
    scene.height = end - LINE + 14.0;
    scene
}

/// Writes `text` in lines that fit the picture, the first on baseline `y`, and says where the next one would stand.
fn paragraph(scene: &mut Scene, mut y: f64, text: &str) -> f64 {
    let mut put = |line: &str| {
        let line = fitted(line, LABEL, WIDTH - 2.0 * MARGIN);
        scene.text((MARGIN, y), &line, (LABEL, SOFT, Hold::Start));
        y += LINE;
    };
    let mut line = String::new();
    for word in text.split_whitespace() {
        let longer = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
        if line.is_empty() || text_width(&longer, LABEL) <= WIDTH - 2.0 * MARGIN {
            line = longer;
        } else {
            put(&line);
            word.clone_into(&mut line);
        }
    }
    put(&line);
    y
}

impl TracePanel {
    /// First and last moment.
    fn span(&self) -> (i64, i64) {
        (
            self.columns.first().map_or(0, |column| column.start_us),
            self.columns.last().map_or(1, |column| column.end_us),
        )
    }
}

/// A series with its scales.
struct Panel<'a> {
    series: &'a TracePanel,
    time: Scale,
    scale: Scale,
    ticks: usize,
}

impl<'a> Panel<'a> {
    fn new(series: &'a TracePanel, ticks: usize) -> Self {
        let values = series.columns.iter().filter_map(|column| column.level).flat_map(|l| [l.least, l.greatest]);
        let scale = Scale::linear(values, true).unwrap_or(Scale { low: 0.0, high: 1.0, log: false });
        let (from, to) = series.span();
        #[expect(clippy::cast_precision_loss, reason = "microseconds of real times, on paper")]
        let time = Scale { low: from as f64, high: to as f64, log: false };
        Self { series, time, scale, ticks }
    }

    /// The name, with its days where other series have `several` others.
    fn head(&self, unit: &str, several: bool) -> String {
        let name = if self.series.name.is_empty() { unit } else { &self.series.name };
        let (from, to) = self.series.span();
        if several { format!("{name} · {}", span_label(from, to - 1)) } else { name.to_owned() }
    }

    fn draw_head(&self, scene: &mut Scene, frame: &Frame, head: &str) {
        let y = frame.top - ABOVE + 18.0;
        scene.text((frame.right, y), &self.series.levels, (LABEL, SOFT, Hold::End));
        let room = frame.right - MARGIN - text_width(&self.series.levels, LABEL) - 20.0;
        scene.text((MARGIN, y), &fitted(head, LABEL, room), (LABEL, INK, Hold::Start));
    }

    fn draw(&self, scene: &mut Scene, frame: &Frame) {
        self.draw_parts(scene, frame);
        axis::y_axis(scene, frame, &self.scale, self.ticks);
        axis::time_axis(scene, frame, &self.time, true);
        for run in self.series.columns.split(|column| column.level.is_none()).filter(|run| !run.is_empty()) {
            self.draw_run(scene, frame, run);
        }
        scene.line(vec![(frame.left, frame.bottom), (frame.right, frame.bottom)], SOFT, 1.0);
        // Neighbours are one mark: seams between them would look like values.
        for run in self.series.columns.split(|column| column.missing == 0) {
            let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
            let (left, right) = (self.x(first.start_us, frame), self.x(last.end_us, frame));
            let mark =
                Frame { left, top: frame.bottom + 1.0, right: right.max(left + 1.0), bottom: frame.bottom + 5.0 };
            scene.area(&mark, ABSENT);
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "microseconds of real times, on paper")]
    fn x(&self, at_us: i64, frame: &Frame) -> f64 {
        self.time.x(at_us as f64, frame)
    }

    fn draw_parts(&self, scene: &mut Scene, frame: &Frame) {
        let mut free = frame.left;
        for part in &self.series.parts {
            let (left, right) = (self.x(part.start_us, frame), self.x(part.end_us, frame));
            let (shade, strip) = shades(part.name);
            scene.area(&Frame { left, right, ..*frame }, shade);
            scene.area(&Frame { left, top: frame.top - STRIP, right, bottom: frame.top }, strip);
            let width = text_width(part.name, LABEL);
            let (inside, above) = (frame.top - 4.5, frame.top - STRIP - 4.0);
            let (at, hold) = match part.name {
                _ if width + 6.0 <= right - left => ((f64::midpoint(left, right), inside), Hold::Middle),
                // Validation and gap lie side by side: where they are narrow, one name ends, one begins at their border.
                "validation" => ((right, above), Hold::End),
                // A narrow remainder explains itself: it has no shade.
                "unused" => continue,
                _ => ((free.max(left + 6.0), above), Hold::Start),
            };
            if hold == Hold::Start {
                free = at.0 + width + 9.0;
            }
            scene.text(at, part.name, (LABEL, INK, hold));
        }
    }

    /// Neighbouring columns with values.
    fn draw_run(&self, scene: &mut Scene, frame: &Frame, run: &[TraceColumn]) {
        let coarse = self.series.columns.iter().any(|column| column.bins > 1);
        let y = |value: f64| self.scale.y(value, frame);
        let (mut range, mut curve) = (Vec::with_capacity(2 * run.len()), Vec::with_capacity(2 * run.len()));
        for (i, column) in run.iter().enumerate() {
            let Some(TraceLevel { least, median, greatest }) = column.level else { continue };
            let (left, right) = (self.x(column.start_us, frame), self.x(column.end_us, frame));
            // A flat stretch stays visible.
            let (upper, lower) = (y(greatest), y(least).max(y(greatest) + 0.5));
            range.extend([(left, upper, lower), (right, upper, lower)]);
            // A bin is a step; the median of many is a point, but at the ends of a run.
            let places = [
                (left, !coarse || i == 0),
                (f64::midpoint(left, right), coarse),
                (right, !coarse || i + 1 == run.len()),
            ];
            curve.extend(places.into_iter().filter(|(_, drawn)| *drawn).map(|(x, _)| (x, y(median))));
        }
        if coarse {
            scene.band(range, RANGE);
        }
        scene.line(curve, CURVE, 1.25);
    }
}

/// A row per column; its values are empty where no bin has one.
fn csv(panels: &[TracePanel]) -> String {
    let mut out = "series,part,start,end,bins,missing,least,median,greatest\n".to_owned();
    for (panel, column) in panels.iter().flat_map(|panel| panel.columns.iter().map(move |column| (panel, column))) {
        let TraceColumn { start_us, end_us, bins, missing, level } = column;
        let holds = |part: &&TracePart| (part.start_us..part.end_us).contains(start_us);
        let part = panel.parts.iter().find(holds).map_or("", |part| part.name);
        let levels = level.map_or_else(|| ",,".to_owned(), |l| format!("{},{},{}", l.least, l.median, l.greatest));
        let (name, start, end) = (csv_field(&panel.name), iso_moment(*start_us), iso_moment(*end_us));
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{name},{part},{start},{end},{bins},{missing},{levels}");
    }
    out
}

#[cfg(test)]
mod tests;
