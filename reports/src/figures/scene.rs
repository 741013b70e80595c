//! A drawing as a list of marks in logical pixels, origin at the upper left. Pure data: tests can ask it whether labels overlap.

use super::place::Heading;
use super::render;

/// Red, green, blue.
pub(crate) type Rgb = (u8, u8, u8);
/// A point in logical pixels.
pub(crate) type Point = (f64, f64);

/// Where a text is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    Start,
    Middle,
    End,
}

/// One mark. Colours are opaque; a light colour stands for a transparent one.
#[derive(Clone, Debug)]
pub(crate) enum Mark {
    Line {
        points: Vec<Point>,
        color: Rgb,
        width: f64,
    },
    /// The area between two lines: x, upper y, lower y.
    Band {
        points: Vec<(f64, f64, f64)>,
        color: Rgb,
    },
    Dot {
        at: Point,
        radius: f64,
        color: Rgb,
        filled: bool,
    },
    /// `at` is on the baseline; `size` is the em in pixels.
    Text {
        at: Point,
        text: String,
        size: f64,
        color: Rgb,
        hold: Hold,
    },
}

/// A drawing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scene {
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) marks: Vec<Mark>,
}

/// A rectangle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Frame {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) right: f64,
    pub(crate) bottom: f64,
}

impl Frame {
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self.left < other.right && other.left < self.right && self.top < other.bottom && other.top < self.bottom
    }

    #[cfg(test)]
    pub(crate) fn inside(&self, width: f64, height: f64) -> bool {
        self.left >= 0.0 && self.top >= 0.0 && self.right <= width && self.bottom <= height
    }
}

/// Font size of axes and labels, in pixels.
pub(crate) const LABEL: f64 = 13.0;
/// Font size of panel titles.
pub(crate) const TITLE: f64 = 15.0;
/// Colour of text.
pub(crate) const INK: Rgb = (0x22, 0x22, 0x22);
/// Colour of axis labels.
pub(crate) const SOFT: Rgb = (0x55, 0x55, 0x55);
/// Colour of the grid.
pub(crate) const GRID: Rgb = (0xe3, 0xe3, 0xe3);

impl Scene {
    pub(crate) const fn new(width: f64, height: f64) -> Self {
        Self { width, height, marks: Vec::new() }
    }

    pub(crate) fn line(&mut self, points: Vec<Point>, color: Rgb, width: f64) {
        self.marks.push(Mark::Line { points, color, width });
    }

    pub(crate) fn dashed(&mut self, from: Point, to: Point, color: Rgb) {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let length = (dx * dx + dy * dy).sqrt();
        let mut at = 0.0;
        while at < length {
            let end = (at + 5.0).min(length);
            let place = |s: f64| (from.0 + dx * s / length, from.1 + dy * s / length);
            self.line(vec![place(at), place(end)], color, 1.0);
            at += 9.0;
        }
    }

    pub(crate) fn band(&mut self, points: Vec<(f64, f64, f64)>, color: Rgb) {
        self.marks.push(Mark::Band { points, color });
    }

    /// A filled rectangle.
    pub(crate) fn area(&mut self, frame: &Frame, color: Rgb) {
        self.band(vec![(frame.left, frame.top, frame.bottom), (frame.right, frame.top, frame.bottom)], color);
    }

    pub(crate) fn dot(&mut self, at: Point, radius: f64, color: Rgb) {
        self.marks.push(Mark::Dot { at, radius, color, filled: true });
    }

    pub(crate) fn ring(&mut self, at: Point, radius: f64, color: Rgb) {
        self.dot(at, radius, (255, 255, 255));
        self.marks.push(Mark::Dot { at, radius: radius - 0.75, color, filled: false });
    }

    /// An arrow head whose tip is at `tip` and which points along `direction`, with a tail of `length` pixels.
    pub(crate) fn arrow(&mut self, tip: Point, direction: Point, (length, color): (f64, Rgb)) {
        let norm = (direction.0 * direction.0 + direction.1 * direction.1).sqrt().max(1e-9);
        let (dx, dy) = (direction.0 / norm, direction.1 / norm);
        let back = |along: f64, aside: f64| (tip.0 - along * dx - aside * dy, tip.1 - along * dy + aside * dx);
        self.line(vec![back(length, 0.0), tip], color, 2.0);
        self.line(vec![back(6.0, 5.0), tip, back(6.0, -5.0)], color, 2.0);
    }

    /// What is compared, and below it where.
    pub(crate) fn heading(&mut self, heading: &Heading) {
        let width = self.width - 32.0;
        self.text((16.0, 26.0), &fitted(&heading.title, TITLE, width), (TITLE, INK, Hold::Start));
        self.text((16.0, 46.0), &fitted(&heading.place, LABEL, width), (LABEL, SOFT, Hold::Start));
    }

    pub(crate) fn text(&mut self, at: Point, text: &str, (size, color, hold): (f64, Rgb, Hold)) {
        // Names come from outside, and XML allows no control characters.
        let text = text.replace(char::is_control, " ");
        self.marks.push(Mark::Text { at, text, size, color, hold });
    }

    /// The texts with the rectangles that they cover.
    #[cfg(test)]
    pub(crate) fn text_boxes(&self) -> Vec<(String, Frame)> {
        let boxed = |mark: &Mark| match mark {
            Mark::Text { at, text, size, hold, .. } => Some((text.clone(), text_frame(*at, text, *size, *hold))),
            _ => None,
        };
        self.marks.iter().filter_map(boxed).collect()
    }
}

/// `text`, cut with an ellipsis where it is wider than `width` pixels: names come from outside and may be long.
pub(crate) fn fitted(text: &str, size: f64, width: f64) -> String {
    if render::text_width(text, size) <= width {
        return text.to_owned();
    }
    let mut kept: String = text.to_owned();
    while !kept.is_empty() && render::text_width(&kept, size) + size > width {
        kept.pop();
    }
    kept.trim_end().to_owned() + "…"
}

/// The same, cut in its middle: names of services differ at their ends as often as at their beginnings.
pub(crate) fn fitted_within(text: &str, size: f64, width: f64) -> String {
    if render::text_width(text, size) <= width {
        return text.to_owned();
    }
    let letters: Vec<char> = text.chars().collect();
    let cut = |kept: usize| -> String {
        let (head, tail) = (&letters[..kept.div_ceil(2)], &letters[letters.len() - kept / 2..]);
        head.iter().chain(&['…']).chain(tail).collect()
    };
    let fits = |kept: &usize| render::text_width(&cut(*kept), size) <= width;
    cut((0..letters.len()).rev().find(fits).unwrap_or(0))
}

/// The rectangle a text covers: from the top of capitals to just below the baseline.
pub(crate) fn text_frame((x, y): Point, text: &str, size: f64, hold: Hold) -> Frame {
    let width = render::text_width(text, size);
    let left = match hold {
        Hold::Start => x,
        Hold::Middle => x - width / 2.0,
        Hold::End => x - width,
    };
    Frame { left, top: y - 0.78 * size, right: left + width, bottom: y + 0.2 * size }
}

/// `color` mixed with ink, for text that keeps the hue of its mark and can still be read.
pub(crate) fn shade((r, g, b): Rgb) -> Rgb {
    let mix = |c: u8, ink: u8| u8::midpoint(c, ink);
    (mix(r, INK.0), mix(g, INK.1), mix(b, INK.2))
}

/// `color` mixed with white: `share` of 1 leaves it as it is.
pub(crate) fn tint((r, g, b): Rgb, share: f64) -> Rgb {
    let mix = |c: u8| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 255")]
        let mixed = (255.0 - (255.0 - f64::from(c)) * share).round() as u8;
        mixed
    };
    (mix(r), mix(g), mix(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_keep_their_ends() {
        assert_eq!(fitted_within("short", LABEL, 100.0), "short");
        let cut = fitted_within("team-1-backend-service-17", LABEL, 120.0);
        assert!(cut.starts_with("team-1-") && cut.ends_with("ice-17") && cut.contains('…'), "{cut}");
        assert!(render::text_width(&cut, LABEL) <= 120.0);
        assert_eq!(fitted_within("wide", LABEL, 0.0), "…");
    }
}
