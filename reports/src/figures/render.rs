//! Scenes to SVG and PNG by plotters, with the one shipped font (bare machines have none).
//!
//! SVG is drawn on a doubled integer grid and shown at half of it. PNG is drawn at four times and averaged down to two, because
//! plotters' rasteriser does not smooth wide lines; areas are filled column by column for the same reason.

use std::path::Path;
use std::sync::OnceLock;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontStyle, register_font};

use super::scene::{Hold, Mark, Point, Rgb, Scene};

static FONT: &[u8] = include_bytes!("../../fonts/DejaVuSans.ttf");
/// The font under the name of its own fallback list, which is what SVG viewers without it need to read.
const FAMILY: &str = "DejaVu Sans, Verdana, Helvetica, Arial, sans-serif";
/// Height from descender to ascender over the em, in DejaVu Sans: what the rasteriser calls size.
const HEIGHT_PER_EM: f64 = 1.164;
/// What plotters' SVG backend divides a size by to get the em.
const SVG_SIZE_PER_EM: f64 = 1.24;
/// Where plotters' SVG backend puts the baseline below the top of a text, in em.
const SVG_BASELINE_EM: f64 = 0.76;

const SVG_SCALE: f64 = 2.0;
const PNG_SCALE: f64 = 2.0;
const SUPERSAMPLING: u32 = 2;

fn font(size: f64) -> FontDesc<'static> {
    static REGISTERED: OnceLock<bool> = OnceLock::new();
    REGISTERED.get_or_init(|| register_font(FAMILY, FontStyle::Normal, FONT).is_ok());
    FontDesc::new(FontFamily::Name(FAMILY), size, FontStyle::Normal)
}

/// Width of a text whose em is `size` pixels.
pub(crate) fn text_width(text: &str, size: f64) -> f64 {
    // Measured large, because plotters truncates to whole pixels.
    let measured = font(100.0 * HEIGHT_PER_EM).layout_box(text).map_or(0, |(_, (width, _))| width);
    f64::from(measured) * size / 100.0
}

/// The scene as an SVG document.
pub(crate) fn svg(scene: &Scene) -> Result<String, String> {
    let mut out = String::new();
    let size = pixels(scene, SVG_SCALE);
    {
        let area = SVGBackend::with_string(&mut out, size).into_drawing_area();
        let target = Target { scale: SVG_SCALE, raster: false };
        paint(&area, scene, target).map_err(|error| error.to_string())?;
    }
    let (width, height) = pixels(scene, 1.0);
    let drawn = format!("width=\"{}\" height=\"{}\"", size.0, size.1);
    Ok(out.replacen(&drawn, &format!("width=\"{width}\" height=\"{height}\""), 1))
}

/// The scene as a PNG file at twice its logical size.
pub(crate) fn png_to(scene: &Scene, path: &Path) -> Result<(), String> {
    let fine_scale = PNG_SCALE * f64::from(SUPERSAMPLING);
    // A whole multiple, whatever rounding does to a scene of broken height.
    let size = pixels(scene, PNG_SCALE);
    let fine = (size.0 * SUPERSAMPLING, size.1 * SUPERSAMPLING);
    let mut buffer = vec![255; 3 * fine.0 as usize * fine.1 as usize];
    {
        let area = BitMapBackend::with_buffer(&mut buffer, fine).into_drawing_area();
        paint(&area, scene, Target { scale: fine_scale, raster: true }).map_err(|error| error.to_string())?;
    }
    let coarse = averaged(&buffer, fine.0 as usize, (size.0 as usize, size.1 as usize));
    let mut backend = BitMapBackend::new(path, size);
    backend.blit_bitmap((0, 0), size, &coarse).map_err(|error| error.to_string())?;
    backend.present().map_err(|error| error.to_string())
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "figures are a few thousand pixels wide")]
fn pixels(scene: &Scene, scale: f64) -> (u32, u32) {
    ((scene.width * scale).round() as u32, (scene.height * scale).round() as u32)
}

fn averaged(fine: &[u8], fine_width: usize, (width, height): (usize, usize)) -> Vec<u8> {
    let mut out = Vec::with_capacity(3 * width * height);
    let (each, samples) = (SUPERSAMPLING as usize, SUPERSAMPLING * SUPERSAMPLING);
    for (y, x, channel) in (0..height).flat_map(|y| (0..width).flat_map(move |x| (0..3).map(move |c| (y, x, c)))) {
        let mut sum = samples / 2;
        for (dy, dx) in (0..each).flat_map(|dy| (0..each).map(move |dx| (dy, dx))) {
            let (row, column) = (y * each + dy, x * each + dx);
            sum += u32::from(fine[3 * (row * fine_width + column) + channel]);
        }
        out.push(u8::try_from(sum / samples).unwrap_or(255));
    }
    out
}

#[derive(Clone, Copy)]
struct Target {
    scale: f64,
    raster: bool,
}

impl Target {
    fn at(self, (x, y): Point) -> (i32, i32) {
        (self.length(x), self.length(y))
    }

    #[expect(clippy::cast_possible_truncation, reason = "saturates; scenes are small")]
    fn length(self, x: f64) -> i32 {
        (x * self.scale).round() as i32
    }

    fn stroke(self, color: Rgb, width: f64) -> ShapeStyle {
        ShapeStyle {
            color: rgb(color).to_rgba(),
            filled: false,
            stroke_width: self.length(width).max(1).unsigned_abs(),
        }
    }
}

const fn rgb((r, g, b): Rgb) -> RGBColor {
    RGBColor(r, g, b)
}

type Area<DB> = DrawingArea<DB, plotters::coord::Shift>;
type Drawn<DB> = Result<(), DrawingAreaErrorKind<<DB as DrawingBackend>::ErrorType>>;

fn paint<DB: DrawingBackend>(area: &Area<DB>, scene: &Scene, target: Target) -> Drawn<DB> {
    area.fill(&WHITE)?;
    for mark in &scene.marks {
        match mark {
            Mark::Line { points, color, width } => line(area, points, target.stroke(*color, *width), target)?,
            Mark::Band { points, color } => band(area, points, rgb(*color), target)?,
            Mark::Dot { at, radius, color, filled } => {
                let style = ShapeStyle { filled: *filled, ..target.stroke(*color, 1.5) };
                area.draw(&Circle::new(target.at(*at), target.length(*radius), style))?;
            }
            Mark::Text { .. } => text(area, mark, target)?,
        }
    }
    area.present()
}

fn line<DB: DrawingBackend>(area: &Area<DB>, points: &[Point], style: ShapeStyle, target: Target) -> Drawn<DB> {
    let mut path: Vec<(i32, i32)> = points.iter().map(|point| target.at(*point)).collect();
    path.dedup();
    if !target.raster {
        return area.draw(&PathElement::new(path, style));
    }
    for pair in path.windows(2) {
        area.draw(&PathElement::new(pair.to_vec(), style))?;
        // A round joint; without it wide lines break at every corner.
        if style.stroke_width > 2 {
            area.draw(&Circle::new(pair[1], style.stroke_width.div_ceil(2) - 1, style.filled()))?;
        }
    }
    Ok(())
}

fn band<DB: DrawingBackend>(area: &Area<DB>, points: &[(f64, f64, f64)], color: RGBColor, target: Target) -> Drawn<DB> {
    if !target.raster {
        let upper = points.iter().map(|(x, upper, _)| target.at((*x, *upper)));
        let lower = points.iter().rev().map(|(x, _, lower)| target.at((*x, *lower)));
        return area.draw(&Polygon::new(upper.chain(lower).collect::<Vec<_>>(), color.filled()));
    }
    // Points at one place are a step, which has no area.
    for pair in points.windows(2).filter(|pair| pair[1].0 > pair[0].0) {
        let (from, to) = (target.length(pair[0].0), target.length(pair[1].0));
        for x in from..to.max(from + 1) {
            let share = f64::from(x - from) / f64::from((to - from).max(1));
            let mix = |a: f64, b: f64| target.length(a + (b - a) * share);
            let (upper, lower) = (mix(pair[0].1, pair[1].1), mix(pair[0].2, pair[1].2));
            area.draw(&PathElement::new(vec![(x, upper), (x, lower)], color))?;
        }
    }
    Ok(())
}

fn text<DB: DrawingBackend>(area: &Area<DB>, mark: &Mark, target: Target) -> Drawn<DB> {
    let Mark::Text { at, text, size, color, hold } = mark else { return Ok(()) };
    let em = size * target.scale;
    let (font_size, baseline) = if target.raster {
        (em * HEIGHT_PER_EM, em * HEIGHT_PER_EM / 2.0)
    } else {
        (em * SVG_SIZE_PER_EM, em * SVG_BASELINE_EM)
    };
    let side = match hold {
        Hold::Start => HPos::Left,
        Hold::Middle => HPos::Center,
        Hold::End => HPos::Right,
    };
    let paint = rgb(*color);
    let style = TextStyle::from(font(font_size)).color(&paint).pos(Pos::new(side, VPos::Top));
    #[expect(clippy::cast_possible_truncation, reason = "saturates; scenes are small")]
    let top = (at.1 * target.scale - baseline).round() as i32;
    area.draw_text(text, &style, (target.length(at.0), top))
}

#[cfg(test)]
mod tests {
    use super::super::scene::INK;
    use super::*;

    /// Advance widths in DejaVu Sans 2.37 (`fontTools`: hmtx["M"] = 1767, hmtx["i"] = 569 of 2048 units per em).
    #[test]
    fn measures_text_as_the_font_says() {
        assert!((text_width("MMMM", 100.0) - 4.0 * 86.28).abs() < 1.5, "{}", text_width("MMMM", 100.0));
        assert!((text_width("iiii", 100.0) - 4.0 * 27.78).abs() < 1.5, "{}", text_width("iiii", 100.0));
    }

    #[test]
    fn svg_has_logical_size_escaped_text_and_the_fallback_fonts() {
        let mut scene = Scene::new(300.0, 100.0);
        scene.text((10.0, 50.0), "a < b &\u{7}c", (12.0, INK, Hold::Start));
        let svg = svg(&scene).unwrap();
        assert!(svg.starts_with("<svg width=\"300\" height=\"100\" viewBox=\"0 0 600 200\""), "{}", &svg[..90]);
        assert!(svg.contains("a &lt; b &amp; c") && svg.contains("sans-serif"));
    }

    /// The rows of the scene at four times its size, a bool per pixel: whether it is dark.
    fn raster(scene: &Scene) -> Vec<Vec<bool>> {
        let size = pixels(scene, 4.0);
        let mut buffer = vec![255; 3 * size.0 as usize * size.1 as usize];
        {
            let area = BitMapBackend::with_buffer(&mut buffer, size).into_drawing_area();
            paint(&area, scene, Target { scale: 4.0, raster: true }).unwrap();
        }
        buffer.chunks(3 * size.0 as usize).map(|row| row.chunks(3).map(|pixel| pixel[0] < 128).collect()).collect()
    }

    /// A column that ends where the next begins covers nothing of it.
    #[test]
    fn steps_of_a_band_are_sharp() {
        let mut scene = Scene::new(30.0, 20.0);
        scene.band(vec![(5.0, 2.0, 15.0), (10.0, 2.0, 15.0), (10.0, 12.0, 15.0), (20.0, 12.0, 15.0)], (0, 0, 0));
        let rows = raster(&scene);
        let dark = |row: usize| -> Vec<usize> { (0..120).filter(|x| rows[row][*x]).collect() };
        assert_eq!(dark(30), (20..40).collect::<Vec<_>>());
        assert_eq!(dark(55), (20..80).collect::<Vec<_>>());
    }

    /// Broken sizes round alike in the fine raster and in the coarse one.
    #[test]
    fn scenes_of_broken_height_are_rastered() {
        let folder = tempfile::tempdir().unwrap();
        for height in [40.1, 40.25, 40.3, 40.7] {
            let path = folder.path().join("broken.png");
            png_to(&Scene::new(30.3, height), &path).unwrap();
            assert!(path.exists());
        }
    }

    /// The baseline of raster text is where the scene says: the lowest ink of an `H` lies within a pixel above it.
    #[test]
    fn raster_text_stands_on_its_baseline() {
        let mut scene = Scene::new(60.0, 40.0);
        scene.text((10.0, 30.0), "H", (20.0, (0, 0, 0), Hold::Start));
        let raster = raster(&scene);
        let rows: Vec<usize> = (0..raster.len()).filter(|y| raster[*y].contains(&true)).collect();
        let (top, bottom) = (rows[0] as f64 / 4.0, (rows[rows.len() - 1] + 1) as f64 / 4.0);
        assert!((bottom - 30.0).abs() < 1.0, "baseline at {bottom}");
        // Capital height of DejaVu Sans is 0.729 em.
        assert!((bottom - top - 14.6).abs() < 1.0, "capital height {}", bottom - top);
    }
}
