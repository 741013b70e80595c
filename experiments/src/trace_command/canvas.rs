//! A drawing as a list of marks in logical pixels, origin at the upper left, as SVG (written here) and PNG (by plotters, with
//! the font that the reports ship, because bare machines have none). Same marks, same bytes.
//!
//! PNG has twice the logical size and is drawn at four times and averaged, because plotters does not smooth wide lines.

use std::fmt::Write;
use std::io;
use std::path::Path;
use std::sync::OnceLock;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontStyle, register_font};

/// Red, green, blue.
pub(super) type Rgb = (u8, u8, u8);
/// A point in logical pixels.
pub(super) type Point = (f64, f64);

/// Where a text is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    Start,
    Middle,
    End,
}

/// A rectangle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Frame {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) right: f64,
    pub(super) bottom: f64,
}

impl Frame {
    pub(super) fn width(&self) -> f64 {
        self.right - self.left
    }

    #[cfg(test)]
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        self.left < other.right && other.left < self.right && self.top < other.bottom && other.top < self.bottom
    }
}

/// How a text looks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Letters {
    /// The em in pixels.
    pub(super) size: f64,
    pub(super) color: Rgb,
    pub(super) hold: Hold,
}

#[derive(Clone, Debug)]
enum Mark {
    /// Rectangles, left to right, that touch: one shape.
    Area {
        parts: Vec<Frame>,
        color: Rgb,
    },
    Line {
        points: Vec<Point>,
        color: Rgb,
        width: f64,
    },
    /// `at` is on the baseline.
    Text {
        at: Point,
        text: String,
        letters: Letters,
    },
}

/// A drawing.
#[derive(Clone, Debug)]
pub(super) struct Canvas {
    width: f64,
    height: f64,
    marks: Vec<Mark>,
}

static FONT: &[u8] = include_bytes!("../../../reports/fonts/DejaVuSans.ttf");
/// The font under the name of its own fallback list, which is what SVG viewers without it need to read.
const FAMILY: &str = "DejaVu Sans, Verdana, Helvetica, Arial, sans-serif";
/// Height from descender to ascender over the em, in DejaVu Sans: what the rasteriser calls size.
const HEIGHT_PER_EM: f64 = 1.164;
const PNG_SCALE: u32 = 2;
const SUPERSAMPLING: u32 = 2;

fn font(size: f64) -> FontDesc<'static> {
    static REGISTERED: OnceLock<bool> = OnceLock::new();
    REGISTERED.get_or_init(|| register_font(FAMILY, FontStyle::Normal, FONT).is_ok());
    FontDesc::new(FontFamily::Name(FAMILY), size, FontStyle::Normal)
}

/// Width of a text whose em is `size` pixels.
pub(super) fn text_width(text: &str, size: f64) -> f64 {
    // Measured large, because plotters truncates to whole pixels.
    let measured = font(100.0 * HEIGHT_PER_EM).layout_box(text).map_or(0, |(_, (width, _))| width);
    f64::from(measured) * size / 100.0
}

impl Canvas {
    pub(super) const fn new(width: f64, height: f64) -> Self {
        Self { width, height, marks: Vec::new() }
    }

    pub(super) fn area(&mut self, parts: Vec<Frame>, color: Rgb) {
        self.marks.push(Mark::Area { parts, color });
    }

    pub(super) fn line(&mut self, points: Vec<Point>, color: Rgb, width: f64) {
        self.marks.push(Mark::Line { points, color, width });
    }

    pub(super) fn text(&mut self, at: Point, text: &str, letters: Letters) {
        self.marks.push(Mark::Text { at, text: text.to_owned(), letters });
    }

    /// The drawing as an SVG document.
    pub(super) fn svg(&self) -> String {
        let (width, height) = (short(self.width), short(self.height));
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
             font-family=\"{FAMILY}\">\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
        );
        for mark in &self.marks {
            // Writing to a string cannot fail.
            let _ = match mark {
                Mark::Area { parts, color } => {
                    writeln!(out, "<path d=\"{}\" fill=\"{}\"/>", outline(parts), hex(*color))
                }
                Mark::Line { points, color, width } => writeln!(
                    out,
                    "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{width}\" stroke-linejoin=\"round\"/>",
                    points.iter().map(|(x, y)| format!("{},{}", short(*x), short(*y))).collect::<Vec<_>>().join(" "),
                    hex(*color)
                ),
                Mark::Text { at: (x, y), text, letters } => writeln!(
                    out,
                    "<text x=\"{}\" y=\"{}\" font-size=\"{}\" fill=\"{}\" text-anchor=\"{}\">{}</text>",
                    short(*x),
                    short(*y),
                    letters.size,
                    hex(letters.color),
                    anchor(letters.hold),
                    escape(text)
                ),
            };
        }
        out.push_str("</svg>\n");
        out
    }

    /// The drawing as a PNG file at twice its logical size; `path` must end in `.png`.
    pub(super) fn png(&self, path: &Path) -> io::Result<()> {
        let (fine, size) = (self.pixels(PNG_SCALE * SUPERSAMPLING), self.pixels(PNG_SCALE));
        let mut buffer = vec![255; 3 * fine.0 as usize * fine.1 as usize];
        let area = BitMapBackend::with_buffer(&mut buffer, fine).into_drawing_area();
        self.marks.iter().try_for_each(|mark| paint(&area, mark)).map_err(unpainted)?;
        area.present().map_err(unpainted)?;
        drop(area);
        let coarse = averaged(&buffer, fine.0 as usize, size);
        let mut backend = BitMapBackend::new(path, size);
        backend.blit_bitmap((0, 0), size, &coarse).map_err(unpainted)?;
        backend.present().map_err(unpainted)
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "figures are a few thousand pixels wide"
    )]
    fn pixels(&self, scale: u32) -> (u32, u32) {
        ((self.width * f64::from(scale)).round() as u32, (self.height * f64::from(scale)).round() as u32)
    }

    /// The texts with the rectangles that they cover.
    #[cfg(test)]
    pub(super) fn text_boxes(&self) -> Vec<(String, Frame)> {
        let boxed = |mark: &Mark| match mark {
            Mark::Text { at: (x, y), text, letters } => {
                let width = text_width(text, letters.size);
                let left = match letters.hold {
                    Hold::Start => *x,
                    Hold::Middle => x - width / 2.0,
                    Hold::End => x - width,
                };
                let (top, bottom) = (y - 0.78 * letters.size, y + 0.2 * letters.size);
                Some((text.clone(), Frame { left, top, right: left + width, bottom }))
            }
            _ => None,
        };
        self.marks.iter().filter_map(boxed).collect()
    }
}

/// A tenth of a logical pixel is a fifth of a pixel of the PNG.
fn short(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

fn hex((r, g, b): Rgb) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

const fn anchor(hold: Hold) -> &'static str {
    match hold {
        Hold::Start => "start",
        Hold::Middle => "middle",
        Hold::End => "end",
    }
}

fn escape(text: &str) -> String {
    // Control characters are not allowed in XML.
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    plain.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Along the tops to the right, along the bottoms back.
fn outline(parts: &[Frame]) -> String {
    let mut path = String::new();
    for (i, part) in parts.iter().enumerate() {
        let _ = write!(
            path,
            "{}{} {}H{}",
            if i == 0 { "M" } else { "L" },
            short(part.left),
            short(part.top),
            short(part.right)
        );
    }
    for part in parts.iter().rev() {
        let _ = write!(path, "L{} {}H{}", short(part.right), short(part.bottom), short(part.left));
    }
    path.push('Z');
    path
}

fn unpainted(error: impl std::fmt::Display) -> io::Error {
    io::Error::other(error.to_string())
}

/// Means of squares of [`SUPERSAMPLING`] pixels.
fn averaged(fine: &[u8], fine_width: usize, (width, height): (u32, u32)) -> Vec<u8> {
    let (step, samples) = (SUPERSAMPLING as usize, SUPERSAMPLING * SUPERSAMPLING);
    let sample = |x: usize, y: usize, channel: usize| u32::from(fine[3 * (y * fine_width + x) + channel]);
    let mut out = Vec::with_capacity(3 * width as usize * height as usize);
    for (y, x) in (0..height as usize).flat_map(|y| (0..width as usize).map(move |x| (step * y, step * x))) {
        for channel in 0..3 {
            let square = (0..step).flat_map(|dy| (0..step).map(move |dx| (dx, dy)));
            let sum: u32 = square.map(|(dx, dy)| sample(x + dx, y + dy, channel)).sum();
            out.push(u8::try_from((sum + samples / 2) / samples).unwrap_or(255));
        }
    }
    out
}

type Area<'a> = DrawingArea<BitMapBackend<'a>, plotters::coord::Shift>;
type Painted<'a> = Result<(), DrawingAreaErrorKind<<BitMapBackend<'a> as DrawingBackend>::ErrorType>>;

#[expect(clippy::cast_possible_truncation, reason = "saturates; drawings are small")]
fn fine(length: f64) -> i32 {
    (length * f64::from(PNG_SCALE * SUPERSAMPLING)).round() as i32
}

const fn color((r, g, b): Rgb) -> RGBColor {
    RGBColor(r, g, b)
}

fn paint<'a>(area: &Area<'a>, mark: &Mark) -> Painted<'a> {
    match mark {
        Mark::Area { parts, color: fill } => parts.iter().try_for_each(|part| {
            // Corners belong to the rectangle in plotters: one pixel less, so that neighbours do not overlap.
            let (left, top) = (fine(part.left), fine(part.top));
            let corner = (left.max(fine(part.right) - 1), top.max(fine(part.bottom) - 1));
            area.draw(&Rectangle::new([(left, top), corner], color(*fill).filled()))
        }),
        Mark::Line { points, color: stroke, width } => {
            line(area, points, color(*stroke), fine(*width).max(1).unsigned_abs())
        }
        Mark::Text { at, text, letters } => words(area, *at, text, *letters),
    }
}

fn line<'a>(area: &Area<'a>, points: &[Point], stroke: RGBColor, width: u32) -> Painted<'a> {
    let mut path: Vec<(i32, i32)> = points.iter().map(|(x, y)| (fine(*x), fine(*y))).collect();
    path.dedup();
    for pair in path.windows(2) {
        area.draw(&PathElement::new(pair.to_vec(), stroke.stroke_width(width)))?;
        // A round joint; without it wide lines break at every corner.
        if width > 2 {
            area.draw(&Circle::new(pair[1], width.div_ceil(2) - 1, stroke.filled()))?;
        }
    }
    Ok(())
}

fn words<'a>(area: &Area<'a>, at: Point, text: &str, letters: Letters) -> Painted<'a> {
    let side = match letters.hold {
        Hold::Start => HPos::Left,
        Hold::Middle => HPos::Center,
        Hold::End => HPos::Right,
    };
    let size = letters.size * f64::from(PNG_SCALE * SUPERSAMPLING) * HEIGHT_PER_EM;
    let ink = color(letters.color);
    let style = TextStyle::from(font(size)).color(&ink).pos(Pos::new(side, VPos::Top));
    // The rasteriser's top of a text lies half its size above the baseline.
    area.draw_text(text, &style, (fine(at.0), fine(at.1 - letters.size * HEIGHT_PER_EM / 2.0)))
}
