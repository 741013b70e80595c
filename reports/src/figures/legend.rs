//! A legend: one line of swatches with words, for marks that are not labelled where they stand.

use super::render::text_width;
use super::scene::{Hold, LABEL, Point, Rgb, SOFT, Scene};

/// How a kind of mark looks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Swatch {
    Line(Rgb),
    Thin(Rgb),
    Dashed(Rgb),
    Band(Rgb),
    Dot(Rgb),
    Ring(Rgb),
    Arrow(Rgb),
}

const WIDTH: f64 = 22.0;

/// Draws the legend with its baseline at `at`, and says where it ends.
pub(crate) fn draw(scene: &mut Scene, at: Point, entries: &[(Swatch, &str)]) -> f64 {
    let mut x = at.0;
    for (swatch, words) in entries {
        mark(scene, (x, at.1 - 0.36 * LABEL), *swatch);
        scene.text((x + WIDTH + 6.0, at.1), words, (LABEL, SOFT, Hold::Start));
        x += WIDTH + 6.0 + text_width(words, LABEL) + 22.0;
    }
    x - 22.0
}

fn mark(scene: &mut Scene, (x, y): Point, swatch: Swatch) {
    match swatch {
        Swatch::Line(color) => scene.line(vec![(x, y), (x + WIDTH, y)], color, 2.0),
        Swatch::Thin(color) => scene.line(vec![(x, y), (x + WIDTH, y)], color, 0.75),
        Swatch::Dashed(color) => scene.dashed((x, y), (x + WIDTH, y), color),
        Swatch::Band(color) => scene.band(vec![(x, y - 5.0, y + 5.0), (x + WIDTH, y - 5.0, y + 5.0)], color),
        Swatch::Dot(color) => scene.dot((x + WIDTH / 2.0, y), 4.0, color),
        Swatch::Ring(color) => scene.ring((x + WIDTH / 2.0, y), 4.5, color),
        Swatch::Arrow(color) => scene.arrow((x + WIDTH - 2.0, y), (1.0, 0.0), (16.0, color)),
    }
}
