//! Scales, tick marks and the frame of a panel.

use super::scene::{Frame, GRID, Hold, LABEL, SOFT, Scene};
use crate::format;
use crate::format::DAY_US;

/// A linear or logarithmic scale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scale {
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) log: bool,
}

impl Scale {
    /// A linear scale that holds `values`, widened to round numbers; `from_zero` starts it at zero.
    pub(crate) fn linear(values: impl Iterator<Item = f64>, from_zero: bool) -> Option<Self> {
        let (low, high) = extent(values)?;
        let low = if from_zero { low.min(0.0) } else { low };
        let high = if high > low { high } else { low + low.abs().max(1.0) * 0.1 };
        // Ends lie on half the distance of ticks, so that little of the panel stays empty.
        let step = step((high - low) / 9.0);
        Some(Self { low: (low / step).floor() * step, high: (high / step).ceil() * step, log: false })
    }

    /// Where `value` lies: 0 at the low end, 1 at the high end; clamped to just that.
    pub(crate) fn share(&self, value: f64) -> f64 {
        let share = if self.log {
            (value.max(f64::MIN_POSITIVE) / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        share.clamp(0.0, 1.0)
    }

    pub(crate) fn x(&self, value: f64, frame: &Frame) -> f64 {
        frame.left + self.share(value) * (frame.right - frame.left)
    }

    pub(crate) fn y(&self, value: f64, frame: &Frame) -> f64 {
        frame.bottom - self.share(value) * (frame.bottom - frame.top)
    }

    /// At most about `most` round numbers.
    pub(crate) fn ticks(&self, most: usize) -> Vec<f64> {
        if self.log { self.log_ticks(most) } else { self.linear_ticks(most) }
    }

    fn linear_ticks(&self, most: usize) -> Vec<f64> {
        let step = step((self.high - self.low) / crate::stats::count(most.max(1)));
        let first = (self.low / step - 1e-9).ceil();
        (0_u32..200)
            .map(|k| (first + f64::from(k)) * step)
            .take_while(|tick| *tick <= self.high + step * 1e-9)
            .map(|tick| if tick.abs() < step * 1e-9 { 0.0 } else { tick })
            .collect()
    }

    /// Whether ticks are powers of ten, and not multiples of a step.
    fn decades(&self) -> bool {
        self.log && self.high / self.low >= 4.0
    }

    fn log_ticks(&self, most: usize) -> Vec<f64> {
        if !self.decades() {
            return self.linear_ticks(most);
        }
        let within = |tick: &f64| *tick >= self.low * (1.0 - 1e-9) && *tick <= self.high * (1.0 + 1e-9);
        let all = |steps: &[f64]| -> Vec<f64> {
            (-12..=12).flat_map(|k| steps.iter().map(move |m| m * 10_f64.powi(k))).filter(within).collect()
        };
        let dense = all(&[1.0, 2.0, 5.0]);
        if dense.len() <= most { dense } else { all(&[1.0]) }
    }
}

/// Where a scale ends that shows the many and not the few: `reach` times as far beyond the median as the median lies beyond
/// `from`, where values begin. What lies beyond is drawn as an arrow with its value.
pub(crate) fn end_of_many(values: &[f64], from: f64, reach: f64) -> f64 {
    let median = crate::stats::quantile(values, 0.5).unwrap_or(from);
    median + reach * (median - from).max(0.0)
}

/// Least and greatest finite value.
fn extent(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.filter(|x| x.is_finite()).fold(None, |extent, x| {
        let (low, high) = extent.unwrap_or((x, x));
        Some((low.min(x), high.max(x)))
    })
}

/// The least of 1, 2, 2.5, 5, 10 × 10ᵏ that is not below `raw`.
fn step(raw: f64) -> f64 {
    let raw = raw.max(1e-12);
    let power = 10_f64.powf(raw.log10().floor());
    let factor = [1.0, 2.0, 2.5, 5.0].into_iter().find(|factor| factor * power >= raw * (1.0 - 1e-9)).unwrap_or(10.0);
    factor * power
}

/// Ticks and the least distance between two of them (0 with fewer than two, or where they are powers and no multiples).
fn spaced_ticks(scale: &Scale, most: usize) -> (Vec<f64>, f64) {
    let ticks = scale.ticks(most);
    if scale.decades() {
        return (ticks, 0.0);
    }
    let spacing = ticks.windows(2).map(|pair| pair[1] - pair[0]).fold(f64::INFINITY, f64::min);
    // Ticks are products of the step: without rounding 13.6425 is 13.642500000000001 apart from its neighbour.
    let spacing = if spacing.is_finite() { (spacing * 1e9).round() / 1e9 } else { 0.0 };
    (ticks, spacing)
}

/// Horizontal grid lines with labels at the left.
pub(crate) fn y_axis(scene: &mut Scene, frame: &Frame, scale: &Scale, most: usize) {
    let (ticks, spacing) = spaced_ticks(scale, most);
    for tick in ticks {
        let y = scale.y(tick, frame);
        scene.line(vec![(frame.left, y), (frame.right, y)], GRID, 1.0);
        scene.text((frame.left - 7.0, y + 0.36 * LABEL), &format::spaced(tick, spacing), (LABEL, SOFT, Hold::End));
    }
}

/// Vertical grid lines with labels below.
pub(crate) fn x_axis(scene: &mut Scene, frame: &Frame, scale: &Scale, most: usize) {
    let (ticks, spacing) = spaced_ticks(scale, most);
    for tick in ticks {
        let x = scale.x(tick, frame);
        scene.line(vec![(x, frame.top), (x, frame.bottom)], GRID, 1.0);
        scene.text((x, frame.bottom + 1.4 * LABEL), &format::spaced(tick, spacing), (LABEL, SOFT, Hold::Middle));
    }
}

/// Distances of time marks in minutes.
const TIME_STEPS_MIN: [i64; 17] =
    [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1_440, 2_880, 5_760, 10_080, 20_160, 40_320];
const MINUTE_US: i64 = DAY_US / 1_440;

/// Vertical grid lines at round times; labels below if `labelled`: days over several days, else the time of day.
pub(crate) fn time_axis(scene: &mut Scene, frame: &Frame, scale: &Scale, labelled: bool) {
    #[expect(clippy::cast_possible_truncation, reason = "microseconds of real times")]
    let (from, to) = (scale.low as i64, scale.high as i64);
    let few = |minutes: &i64| (to - from) / (minutes * MINUTE_US) <= 9;
    let step = TIME_STEPS_MIN.into_iter().find(few).unwrap_or(80_640) * MINUTE_US;
    let mut tick = from.div_euclid(step) * step;
    if tick < from {
        tick += step;
    }
    while tick <= to {
        #[expect(clippy::cast_precision_loss, reason = "a position on paper")]
        let x = scale.x(tick as f64, frame);
        scene.line(vec![(x, frame.top), (x, frame.bottom)], GRID, 1.0);
        if labelled {
            let whole = step >= DAY_US || tick.rem_euclid(DAY_US) == 0;
            let label = if whole { format::day_label(tick) } else { format::clock_label(tick) };
            scene.text((x, frame.bottom + 1.4 * LABEL), &label, (LABEL, SOFT, Hold::Middle));
        }
        tick += step;
    }
}

/// Horizontal lines at powers of ten; labels at as many of them as have room.
pub(crate) fn decade_axis(scene: &mut Scene, frame: &Frame, scale: &Scale) {
    let decades = (scale.high / scale.low).log10();
    let stride = if (frame.bottom - frame.top) / decades >= 1.1 * LABEL { 1 } else { 2 };
    for k in 0..12_i32 {
        let tick = scale.low * 10_f64.powi(k);
        if tick > scale.high * (1.0 + 1e-9) {
            break;
        }
        let y = scale.y(tick, frame);
        scene.line(vec![(frame.left, y), (frame.right, y)], GRID, 1.0);
        if k % stride == 0 {
            scene.text((frame.left - 7.0, y + 0.36 * LABEL), &format::short(tick), (LABEL, SOFT, Hold::End));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        let scale = Scale::linear([3.0, 97.0].into_iter(), true).unwrap();
        assert_eq!((scale.low, scale.high), (0.0, 100.0));
        assert_eq!(Scale::linear([0.0, 2_080.0].into_iter(), true).unwrap().high, 2_250.0);
        assert_eq!(scale.ticks(5), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
        assert_eq!(Scale { low: 0.02, high: 40.0, log: true }.ticks(5), [0.1, 1.0, 10.0]);
        assert_eq!(Scale::linear([f64::NAN].into_iter(), true), None);
        let flat = Scale::linear([5.0, 5.0].into_iter(), false).unwrap();
        assert!(flat.low < flat.high);
    }

    /// Labels as a reader expects them: no idle zeros on powers of ten, equal decimals on a linear axis.
    #[test]
    fn tick_labels_by_scale() {
        let log = |low, high| Scale { low, high, log: true };
        let linear = |low, high| Scale { low, high, log: false };
        let cases: [(Scale, &[&str]); 6] = [
            (log(0.0007, 4.5), &["0.001", "0.01", "0.1", "1"]),
            (log(0.5, 200.0), &["1", "10", "100"]),
            (log(250.0, 550.0), &["250", "300", "350", "400", "450", "500", "550"]),
            (linear(0.0, 0.25), &["0", "0.05", "0.10", "0.15", "0.20", "0.25"]),
            (linear(0.0, 100.0), &["0", "20", "40", "60", "80", "100"]),
            (linear(13.635, 13.67), &["13.635", "13.640", "13.645", "13.650", "13.655", "13.660", "13.665", "13.670"]),
        ];
        for (scale, expected) in cases {
            let (ticks, spacing) = spaced_ticks(&scale, 7);
            let labels: Vec<String> = ticks.into_iter().map(|tick| format::spaced(tick, spacing)).collect();
            assert_eq!(labels, expected, "{scale:?}");
        }
    }

    /// Worldcup's bad requests in percent: the strategy without a floor is left out, all others stay.
    #[test]
    fn the_many_end_before_the_outlier() {
        let bad = [0.15, 0.16, 0.17, 0.20, 0.17, 0.24, 0.24, 0.15, 0.05, 0.0007, 4.05];
        let end = end_of_many(&bad, 0.0, 3.0);
        assert_eq!(bad.iter().filter(|x| **x > end).count(), 1, "{end}");
        assert_eq!(end_of_many(&[0.0, 0.0, 0.0, 2.0], 0.0, 3.0), 0.0);
        assert_eq!(end_of_many(&[], 1.0, 3.0), 1.0);
    }

    #[test]
    fn values_land_between_the_ends() {
        let scale = Scale { low: 1.0, high: 100.0, log: true };
        assert!((scale.share(10.0) - 0.5).abs() < 1e-12);
        assert_eq!((scale.share(0.0), scale.share(1e9)), (0.0, 1.0));
    }
}
