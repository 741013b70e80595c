//! A trace as a picture: a panel per series with the parts of protocol P1 shaded and named, and its data as CSV.
//!
//! What does not fit bin by bin is drawn by columns of pixels: the range as an area, the median as a line. Bins without a value
//! are gaps, and marked below the axis where they are too short to be seen.

use std::fmt::Write;
use std::ops::Range;

use seatrial_core::time::{Span, Timestamp};
use seatrial_datasets::{Kind, Series, SplitRule, Splits, Trace, moment};
use seatrial_reports::format::csv_field;

use super::axis;
use super::canvas::{Canvas, Frame, Hold, Letters, Rgb, text_width};
use super::columns::{Column, columns, runs};
use super::facts::{Values, share};
use super::wording::{percent, separated, span};

/// A drawing and what is drawn.
pub(super) struct Picture {
    pub(super) canvas: Canvas,
    pub(super) csv: String,
}

const WIDTH: f64 = 960.0;
const MARGIN: f64 = 16.0;
const RIGHT: f64 = WIDTH - 42.0;
const LABEL: f64 = 12.0;
const TITLE: f64 = 16.0;
const NAME: f64 = 13.0;

const INK: Rgb = (0x22, 0x22, 0x22);
const SOFT: Rgb = (0x55, 0x55, 0x55);
const GRID: Rgb = (0xd4, 0xd4, 0xd4);
const RANGE: Rgb = (0x8f, 0xbc, 0xde);
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

const HEADER: f64 = 24.0;
const RAISED: f64 = 15.0;
const STRIP: f64 = 17.0;
const BELOW: f64 = 46.0;
/// Least distance of time ticks, so that dates keep apart.
const TICK: f64 = 54.0;

/// A series ready to be drawn.
struct Panel<'a> {
    series: &'a Series,
    columns: Vec<Column>,
    values: Option<Values>,
    parts: Vec<(&'static str, Range<usize>)>,
    axis: axis::Values,
}

impl<'a> Panel<'a> {
    fn new(trace: &Trace, series: &'a Series, most: usize) -> Self {
        let bins = series.values.len();
        let rule = SplitRule::protocol_p1(&trace.id);
        let splits = Splits::new(&rule, series.start, series.interval, bins).ok().filter(|_| trace.kind != Kind::Event);
        let parts = match splits {
            Some(splits) if splits.test_only() => vec![("test only", 0..bins)],
            Some(splits) => super::parts_of(&splits, bins),
            None => Vec::new(),
        };
        let values = Values::of(series);
        let axis = axis::Values::new(values.as_ref().map_or(0.0, |values| values.peak), 5);
        Self { series, columns: columns(series, most), values, parts, axis }
    }

    /// Whether columns hold several bins.
    fn is_coarse(&self) -> bool {
        self.columns.len() < self.series.values.len()
    }

    fn labels_width(&self) -> f64 {
        self.axis.ticks().iter().map(|(_, label)| text_width(label, LABEL)).fold(0.0, f64::max)
    }

    fn stats(&self) -> String {
        let absent = percent(share(self.series.missing_count(), self.series.values.len()));
        match &self.values {
            None => "no value in any bin".to_owned(),
            Some(Values { p50, p99_5, peak, .. }) => {
                let levels = [("P50", p50), ("P99.5", p99_5), ("peak", peak)];
                let levels = levels.map(|(name, value)| format!("{name} {}", separated(*value))).join(" · ");
                if self.series.missing_count() == 0 { levels } else { format!("{levels} · {absent} missing") }
            }
        }
    }
}

/// Draws `series` of `trace`.
pub(super) fn draw(trace: &Trace, series: &[&Series]) -> Picture {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "under a thousand")]
    let most = (RIGHT - 100.0) as usize;
    let panels: Vec<Panel<'_>> = series.iter().map(|series| Panel::new(trace, series, most)).collect();
    let height = match panels.len() {
        0 | 1 => 280.0,
        2..=4 => 150.0,
        _ => 96.0,
    };
    let pitch = HEADER + RAISED + STRIP + height + BELOW;
    let (title, notes) = (titles(trace, series), notes(trace, &panels));
    let top = 36.0 + 17.0 * lines(title.len());
    #[expect(clippy::cast_precision_loss, reason = "at most 16 panels")]
    let below = top + pitch * panels.len() as f64;
    let mut canvas = Canvas::new(WIDTH, below + 16.0 * lines(notes.len()) + 10.0);
    canvas.text((MARGIN, 26.0), &trace.id, Letters { size: TITLE, color: INK, hold: Hold::Start });
    let soft = Letters { size: LABEL, color: SOFT, hold: Hold::Start };
    write_lines(&mut canvas, 46.0, &title, soft);
    let left = MARGIN + 10.0 + panels.iter().map(Panel::labels_width).fold(40.0, f64::max);
    let mut at = top;
    for panel in &panels {
        let from = at + HEADER + RAISED + STRIP;
        draw_panel(&mut canvas, panel, &Frame { left, top: from, right: RIGHT, bottom: from + height }, &trace.unit);
        at += pitch;
    }
    write_lines(&mut canvas, below + 12.0, &notes, soft);
    Picture { canvas, csv: csv(&panels) }
}

#[expect(clippy::cast_precision_loss, reason = "a few lines")]
fn lines(count: usize) -> f64 {
    count as f64
}

fn write_lines(canvas: &mut Canvas, from: f64, texts: &[String], letters: Letters) {
    for (i, text) in texts.iter().enumerate() {
        canvas.text((MARGIN, from + 16.0 * lines(i)), text, letters);
    }
}

/// `text` broken at spaces into lines that fit the picture.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let Some(line) = lines.last_mut() else { break };
        if line.is_empty() {
            line.push_str(word);
        } else if text_width(&format!("{line} {word}"), LABEL) <= WIDTH - 2.0 * MARGIN {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

/// `text`, cut with an ellipsis where it is wider than `most` pixels.
fn cut(text: &str, size: f64, most: f64) -> String {
    if text_width(text, size) <= most {
        return text.to_owned();
    }
    let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    let fits = ends.partition_point(|end| text_width(&format!("{}…", &text[..*end]), size) <= most);
    format!("{}…", text[..ends[fits.saturating_sub(1)]].trim_end())
}

/// Kind, unit unless the only panel names it, and, where it is the same for all, bin and span.
fn titles(trace: &Trace, series: &[&Series]) -> Vec<String> {
    let mut words = match series {
        [only] if only.name.is_empty() => trace.kind.to_string(),
        _ => format!("{}: {}", trace.kind, trace.unit),
    };
    if let Some(first) = series.first()
        && series.iter().all(|s| (s.start, s.interval, s.end()) == (first.start, first.interval, first.end()))
    {
        let _ = write!(words, " · bins of {} · {}", span(first.interval), span(first.span()));
        if !axis::is_elapsed(first.start.micros()) {
            let _ = write!(words, " from {} to {}", minute(first.start), minute(first.end()));
        }
    }
    wrapped(&words)
}

/// `2025-01-01 00:00`.
fn minute(at: Timestamp) -> String {
    moment::format(at).chars().take(16).collect::<String>().replace('T', " ")
}

/// How to read the picture.
fn notes(trace: &Trace, panels: &[Panel<'_>]) -> Vec<String> {
    let mut notes = Vec::new();
    let spans: Vec<Span> = panels.iter().filter(|panel| panel.is_coarse()).map(|panel| panel.series.span()).collect();
    if !spans.is_empty() {
        notes.push("light area: least to greatest bin of each pixel column; line: their median".to_owned());
    }
    if panels.iter().any(|panel| panel.series.missing_count() > 0) {
        notes.push("red below the axis: bins without a value".to_owned());
    }
    if panels.iter().any(|panel| !panel.parts.is_empty()) {
        notes.push("parts: protocol P1".to_owned());
    }
    let elapsed = panels.iter().any(|panel| axis::is_elapsed(panel.series.start.micros()));
    notes.push(if elapsed {
        "time since the start".to_owned()
    } else {
        format!("time: {}", trace.provenance.time_base.as_deref().unwrap_or("UTC"))
    });
    let source = trace.provenance.source.iter().map(|source| format!("source: {source}"));
    let mut lines = wrapped(&(notes.join(" · ") + "."));
    lines.extend(source.flat_map(|source| wrapped(&source)));
    lines
}

#[expect(clippy::cast_precision_loss, reason = "a place on paper")]
fn x(series: &Series, frame: &Frame, bin: usize) -> f64 {
    frame.left + frame.width() * bin as f64 / series.values.len() as f64
}

fn draw_panel(canvas: &mut Canvas, panel: &Panel<'_>, frame: &Frame, unit: &str) {
    let stats = panel.stats();
    let head = frame.top - STRIP - RAISED - 6.0;
    canvas.text((frame.right, head), &stats, Letters { size: LABEL, color: SOFT, hold: Hold::End });
    let name = if panel.series.name.is_empty() { unit } else { &panel.series.name };
    let room = frame.right - MARGIN - text_width(&stats, LABEL) - 20.0;
    canvas.text((MARGIN, head), &cut(name, NAME, room), Letters { size: NAME, color: INK, hold: Hold::Start });
    draw_parts(canvas, panel, frame);
    let y = |value: f64| frame.bottom - (frame.bottom - frame.top) * (value / panel.axis.top).min(1.0);
    draw_grid(canvas, panel, frame, y);
    for run in runs(&panel.columns) {
        draw_run(canvas, panel, run, (frame, &y));
    }
    canvas.line(vec![(frame.left, frame.bottom), (frame.right, frame.bottom)], SOFT, 1.0);
    draw_absent(canvas, panel, frame);
}

fn draw_absent(canvas: &mut Canvas, panel: &Panel<'_>, frame: &Frame) {
    // Neighbours are one mark: seams between them would look like values.
    for run in panel.columns.split(|column| column.missing == 0) {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
        let (left, right) = (x(panel.series, frame, first.bins.start), x(panel.series, frame, last.bins.end));
        let mark = Frame { left, top: frame.bottom + 1.0, right: right.max(left + 1.0), bottom: frame.bottom + 5.0 };
        canvas.area(vec![mark], ABSENT);
    }
}

fn draw_parts(canvas: &mut Canvas, panel: &Panel<'_>, frame: &Frame) {
    let mut free = frame.left;
    for (part, range) in &panel.parts {
        let (left, right) = (x(panel.series, frame, range.start), x(panel.series, frame, range.end));
        let (shade, strip) = shades(part);
        canvas.area(vec![Frame { left, right, ..*frame }], shade);
        canvas.area(vec![Frame { left, top: frame.top - STRIP, right, bottom: frame.top }], strip);
        let width = text_width(part, LABEL);
        let (inside, above) = (frame.top - 4.5, frame.top - STRIP - 4.0);
        let (at, hold) = match *part {
            _ if width + 6.0 <= right - left => ((f64::midpoint(left, right), inside), Hold::Middle),
            // Validation and gap lie side by side: where they are narrow, one name stands before, one behind their border.
            "validation" => ((right, above), Hold::End),
            // A narrow remainder explains itself: it has no shade.
            "unused" => continue,
            _ => ((free.max(left + 6.0), above), Hold::Start),
        };
        if hold == Hold::Start {
            free = at.0 + width + 9.0;
        }
        canvas.text(at, part, Letters { size: LABEL, color: INK, hold });
    }
}

fn draw_grid(canvas: &mut Canvas, panel: &Panel<'_>, frame: &Frame, y: impl Fn(f64) -> f64) {
    let mut ticks = panel.axis.ticks();
    if frame.bottom - frame.top < 120.0 {
        // Low panels: every other label would touch the next.
        ticks = ticks.into_iter().step_by(2).collect();
    }
    for (value, label) in ticks {
        canvas.line(vec![(frame.left, y(value)), (frame.right, y(value))], GRID, 1.0);
        let at = (frame.left - 7.0, y(value) + 0.36 * LABEL);
        canvas.text(at, &label, Letters { size: LABEL, color: SOFT, hold: Hold::End });
    }
    let (from, to) = (panel.series.start.micros(), panel.series.end().micros());
    #[expect(clippy::cast_possible_truncation, reason = "a dozen")]
    let most = (frame.width() / TICK) as i64;
    for tick in axis::time_ticks(from, to, most) {
        #[expect(clippy::cast_precision_loss, reason = "a place on paper")]
        let at = frame.left + frame.width() * (tick.at_us - from) as f64 / (to - from) as f64;
        canvas.line(vec![(at, frame.top), (at, frame.bottom)], GRID, 1.0);
        let letters = Letters { size: LABEL, color: SOFT, hold: Hold::Middle };
        canvas.text((at, frame.bottom + 18.0), &tick.label, letters);
        if let Some(context) = tick.context {
            canvas.text((at, frame.bottom + 33.0), &context, letters);
        }
    }
}

fn draw_run(canvas: &mut Canvas, panel: &Panel<'_>, run: &[Column], (frame, y): (&Frame, &dyn Fn(f64) -> f64)) {
    let edge = |bin: usize| x(panel.series, frame, bin);
    if panel.is_coarse() {
        let levels = run.iter().filter_map(|column| Some((column, column.level?)));
        let range = levels.map(|(column, level)| Frame {
            left: edge(column.bins.start),
            top: y(level.greatest),
            right: edge(column.bins.end),
            // A flat stretch stays visible.
            bottom: y(level.least).max(y(level.greatest) + 0.5),
        });
        canvas.area(range.collect(), RANGE);
    }
    let level = |column: &Column| column.level.map_or(0.0, |level| y(level.median));
    let mut points = Vec::with_capacity(2 * run.len());
    for (i, column) in run.iter().enumerate() {
        let (left, right) = (edge(column.bins.start), edge(column.bins.end));
        // A bin is a step; the median of many is a point, but at the ends of a run.
        if !panel.is_coarse() || i == 0 {
            points.push((left, level(column)));
        }
        if panel.is_coarse() {
            points.push((f64::midpoint(left, right), level(column)));
        }
        if !panel.is_coarse() || i + 1 == run.len() {
            points.push((right, level(column)));
        }
    }
    canvas.line(points, CURVE, 1.2);
}

/// A row per column of the picture; its values are empty where no bin has one.
fn csv(panels: &[Panel<'_>]) -> String {
    let mut out = "series,part,start,end,bins,missing,least,median,greatest\n".to_owned();
    for Panel { series, columns, parts, .. } in panels {
        for Column { bins, missing, level } in columns {
            let part = parts.iter().find(|(_, range)| range.contains(&bins.start)).map_or("", |(part, _)| part);
            let levels = level.map_or_else(|| ",,".to_owned(), |l| format!("{},{},{}", l.least, l.median, l.greatest));
            let (start, end) = (moment::format(series.at(bins.start)), moment::format(series.at(bins.end)));
            // Writing to a string cannot fail.
            let _ = writeln!(out, "{},{part},{start},{end},{},{missing},{levels}", csv_field(&series.name), bins.len());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use seatrial_datasets::Provenance;

    fn trace(id: &str, spans: &[(i64, i64, usize)]) -> Trace {
        let series = |(i, (start_s, step_s, bins)): (usize, &(i64, i64, usize))| Series {
            name: if spans.len() == 1 { String::new() } else { format!("series-{i}") },
            start: Timestamp::from_secs(*start_s),
            interval: Span::from_secs(*step_s),
            values: (0..*bins).map(|bin| (bin % 997) as f64 * 10_f64.powi(3 * i32::try_from(i % 4).unwrap())).collect(),
            missing: (0..*bins).map(|bin| bin % 100 == 7).collect(),
        };
        Trace {
            id: id.to_owned(),
            kind: Kind::Rate,
            unit: "requests, counted where they arrive and not where they are answered, per bin of the source "
                .repeat(3),
            interval: Span::from_secs(60),
            series: spans.iter().enumerate().map(series).collect(),
            events: Vec::new(),
            provenance: Provenance::default(),
            content_hash: String::new(),
        }
    }

    /// Spans from a quarter of an hour to 60 years, with and without dates, and the narrow parts of `worldcup98`.
    #[test]
    fn no_text_is_clipped_and_no_two_texts_overlap() {
        let july = 804_571_200;
        for (id, spans) in [
            ("worldcup98_requests_1min", vec![(893_971_800, 60, 87_990)]),
            ("week", vec![(0, 300, 2_016)]),
            ("week", vec![(july, 300, 2_016), (july + 86_400, 60, 900), (july, 1_800, 17_520), (0, 60, 30_000)]),
            ("days", (1..=16).map(|days| (july - 7_000 * days, 60, 1_440 * usize::try_from(days).unwrap())).collect()),
            ("long", vec![(july, 3_600, 8_766), (july, 86_400, 3_650), (july, 86_400 * 7, 3_131)]),
            // From noon and from the last noon of a year: names of days with a year beside names of days.
            ("noons", vec![(1_735_560_000, 300, 2_016), (1_735_646_400, 300, 1_900), (july - 43_200, 600, 1_000)]),
        ] {
            let trace = trace(id, &spans);
            let picture = draw(&trace, &trace.series.iter().collect::<Vec<_>>());
            let boxes = picture.canvas.text_boxes();
            for (i, (text, a)) in boxes.iter().enumerate() {
                let within = a.left >= 0.0 && a.right <= WIDTH && a.top >= 0.0;
                assert!(within, "{id}: `{text}` is clipped: {a:?}");
                for (other, b) in &boxes[i + 1..] {
                    assert!(!a.overlaps(b), "{id} {}: `{text}` {a:?} over `{other}` {b:?}", spans.len());
                }
            }
        }
    }

    #[test]
    fn a_series_without_any_value_is_an_empty_panel() {
        let mut trace = trace("none", &[(0, 60, 5_000)]);
        trace.series[0].missing.fill(true);
        let picture = draw(&trace, &[&trace.series[0]]);
        let svg = picture.canvas.svg();
        assert!(svg.contains("no value in any bin") && !svg.contains("#08458a") && !svg.contains("NaN"));
    }

    #[test]
    fn long_words_are_cut_with_an_ellipsis() {
        assert_eq!(cut("short", LABEL, 200.0), "short");
        let cut = cut(&"wide ".repeat(50), LABEL, 200.0);
        assert!(cut.ends_with('…') && text_width(&cut, LABEL) <= 200.0 && cut.len() > 20, "{cut}");
    }
}
