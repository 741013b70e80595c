//! A value with its interval on a row: dot, bar, and an arrow where the interval goes on beyond the scale.

use super::axis::Scale;
use super::scene::{Frame, Rgb, Scene};
use crate::stats::Estimate;

/// What of an interval lies within the scale, and on which side it goes on.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Clipped {
    low: f64,
    high: f64,
    low_beyond: bool,
    high_beyond: bool,
    dot: bool,
}

fn clip(estimate: &Estimate, scale: &Scale) -> Clipped {
    let (low, high) = (estimate.low.unwrap_or(estimate.value), estimate.high.unwrap_or(estimate.value));
    Clipped {
        low: low.clamp(scale.low, scale.high),
        high: high.clamp(scale.low, scale.high),
        low_beyond: low < scale.low,
        high_beyond: high > scale.high,
        dot: (scale.low..=scale.high).contains(&estimate.value),
    }
}

/// Whether some of it lies beyond the scale.
pub(super) fn leaves(estimate: &Estimate, scale: &Scale) -> bool {
    let clipped = clip(estimate, scale);
    clipped.low_beyond || clipped.high_beyond
}

/// Draws it at the height `y`, with a ring in the place of the dot if `hollow`.
pub(super) fn draw(
    scene: &mut Scene,
    (frame, scale, y): (&Frame, &Scale, f64),
    estimate: &Estimate,
    (paint, hollow): (Rgb, bool),
) {
    let clipped = clip(estimate, scale);
    let (from, to) = (scale.x(clipped.low, frame), scale.x(clipped.high, frame));
    if from < to {
        scene.line(vec![(from, y), (to, y)], paint, 2.0);
    }
    for (end, beyond, direction) in [(from, clipped.low_beyond, -1.0), (to, clipped.high_beyond, 1.0)] {
        if beyond {
            scene.arrow((end, y), (direction, 0.0), (16.0, paint));
        } else if from < to {
            scene.line(vec![(end, y - 5.0), (end, y + 5.0)], paint, 2.0);
        }
    }
    let at = (scale.x(estimate.value, frame), y);
    match (clipped.dot, hollow) {
        (false, _) => {}
        (true, true) => scene.ring(at, 4.5, paint),
        (true, false) => scene.dot(at, 4.0, paint),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estimate(value: f64, low: Option<f64>, high: Option<f64>) -> Estimate {
        Estimate { value, low, high, n: 7 }
    }

    /// A scale from 1 to 1.5: an arrow exactly where the interval (or, without one, the value) goes on beyond an end.
    #[test]
    fn arrows_stand_where_an_interval_passes_the_end() {
        let scale = Scale { low: 1.0, high: 1.5, log: false };
        for (value, low, high, arrows, dot) in [
            (1.2, Some(1.1), Some(1.3), (false, false), true),
            (1.4, Some(1.3), Some(1.5), (false, false), true),
            (1.4, Some(1.3), Some(1.500_1), (false, true), true),
            (1.6, Some(1.3), Some(1.9), (false, true), false),
            (2.0, Some(1.9), Some(2.1), (false, true), false),
            (1.1, Some(0.9), Some(1.2), (true, false), true),
            (1.1, Some(0.9), Some(1.7), (true, true), true),
            (2.0, None, None, (false, true), false),
            (1.5, None, None, (false, false), true),
        ] {
            let clipped = clip(&estimate(value, low, high), &scale);
            let case = (value, low, high);
            assert_eq!(((clipped.low_beyond, clipped.high_beyond), clipped.dot), (arrows, dot), "{case:?}");
        }
    }
}
