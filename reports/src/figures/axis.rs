//! Scales, tick marks and the frame of a panel.

use super::render::text_width;
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
        self.multiples(step((self.high - self.low) / crate::stats::count(most.max(1))))
    }

    /// At most about `most` whole numbers, for a scale of things that are counted.
    pub(crate) fn whole_ticks(&self, most: usize) -> Vec<f64> {
        self.multiples(self.whole_step(most))
    }

    fn whole_step(&self, most: usize) -> f64 {
        whole_step((self.high - self.low) / crate::stats::count(most.max(1)))
    }

    fn multiples(&self, step: f64) -> Vec<f64> {
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

/// The least of 1, 2, 5, 10, 20, 25, 50 … that is not below `raw`; 2 also for a little more.
fn whole_step(raw: f64) -> f64 {
    step(raw.max(1.0)).floor()
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
    grid(scene, frame, scale, spaced_ticks(scale, most));
}

/// The same for a number of things: nobody has 2.5 pods.
pub(crate) fn count_axis(scene: &mut Scene, frame: &Frame, scale: &Scale, most: usize) {
    let step = scale.whole_step(most);
    grid(scene, frame, scale, (scale.multiples(step), step));
}

fn grid(scene: &mut Scene, frame: &Frame, scale: &Scale, (ticks, spacing): (Vec<f64>, f64)) {
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

/// Width of the labels of [`y_axis`].
pub(crate) fn labels_width(scale: &Scale, most: usize) -> f64 {
    let (ticks, spacing) = spaced_ticks(scale, most);
    ticks.into_iter().map(|tick| text_width(&format::spaced(tick, spacing), LABEL)).fold(0.0, f64::max)
}

const SECOND_US: i64 = 1_000_000;
/// Distances of time marks in seconds, up to two weeks; beyond them come months.
const TIME_STEPS_S: [i64; 22] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 172_800, 345_600,
    604_800, 1_209_600,
];
const MONTH_STEPS: [i64; 9] = [1, 2, 3, 6, 12, 24, 60, 120, 240];
/// Gaps between time marks.
const MOST_GAPS: i64 = 9;

/// Vertical grid lines at round times; labels below if `labelled`: days over several days, else the time of day.
pub(crate) fn time_axis(scene: &mut Scene, frame: &Frame, scale: &Scale, labelled: bool) {
    #[expect(clippy::cast_possible_truncation, reason = "microseconds of real times")]
    let (from, to) = (scale.low as i64, scale.high as i64);
    for (tick, label) in time_ticks(from, to) {
        #[expect(clippy::cast_precision_loss, reason = "a position on paper")]
        let x = scale.x(tick as f64, frame);
        scene.line(vec![(x, frame.top), (x, frame.bottom)], GRID, 1.0);
        if labelled {
            scene.text((x, frame.bottom + 1.4 * LABEL), &label, (LABEL, SOFT, Hold::Middle));
        }
    }
}

/// Round times within `[from, to]` with their labels: a midnight among times is named by its day, a January by its year.
fn time_ticks(from: i64, to: i64) -> Vec<(i64, String)> {
    const FOUR_WEEKS_US: i64 = 28 * DAY_US;
    let few = |step: &i64| (to - from) / step <= MOST_GAPS;
    match TIME_STEPS_S.into_iter().map(|seconds| seconds * SECOND_US).find(few) {
        Some(step) => clock_ticks(from, to, step),
        None if format::is_relative(from) => {
            clock_ticks(from, to, FOUR_WEEKS_US * (1 + (to - from) / (FOUR_WEEKS_US * MOST_GAPS)))
        }
        None => month_ticks(from, to),
    }
}

fn clock_ticks(from: i64, to: i64, step: i64) -> Vec<(i64, String)> {
    let relative = format::is_relative(from);
    // Weeks begin on Monday, and 1970 began on a Thursday.
    let shift = if step % (7 * DAY_US) == 0 && !relative { 4 * DAY_US } else { 0 };
    let label = |at: i64| match at.rem_euclid(DAY_US) {
        0 if relative && to < DAY_US => format::clock_label(at),
        0 if relative => format!("day {}", at / DAY_US + 1),
        0 => format::day_label(at),
        _ if step < 60 * SECOND_US => format::clock_seconds(at),
        _ => format::clock_label(at),
    };
    let first = -(shift - from).div_euclid(step);
    (first..).map(|k| shift + k * step).take_while(|at| *at <= to).map(|at| (at, label(at))).collect()
}

fn month_ticks(from: i64, to: i64) -> Vec<(i64, String)> {
    let midnights = (-(-from).div_euclid(DAY_US)..=to.div_euclid(DAY_US)).map(|day| day * DAY_US);
    let starts: Vec<(i64, i64, i64)> = midnights
        .map(|at| (at, format::civil_date(at)))
        .filter(|(_, (_, _, day))| *day == 1)
        .map(|(at, (year, month, _))| (at, year, month - 1))
        .collect();
    let few = |step: &i64| i64::try_from(starts.len()).is_ok_and(|months| months / step <= MOST_GAPS);
    let step = MONTH_STEPS.into_iter().find(few).unwrap_or(1_200);
    let label = |at, year: i64, month| if month == 0 { year.to_string() } else { format::month_label(at).to_owned() };
    let round = starts.into_iter().filter(|(_, year, month)| (12 * year + month) % step == 0);
    round.map(|(at, year, month)| (at, label(at, year, month))).collect()
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

    #[test]
    fn things_are_counted_in_whole_numbers() {
        for (raw, expected) in
            [(0.1, 1.0), (1.0, 1.0), (1.3, 2.0), (2.2, 2.0), (2.6, 5.0), (7.0, 10.0), (21.0, 25.0), (230.0, 250.0)]
        {
            assert_eq!(whole_step(raw), expected, "{raw}");
        }
        let frame = Frame { left: 50.0, right: 100.0, top: 0.0, bottom: 60.0 };
        for high in 2..400 {
            let scale = Scale::linear([f64::from(high)].into_iter(), true).unwrap();
            let mut scene = Scene::new(100.0, 60.0);
            count_axis(&mut scene, &frame, &scale, 3);
            let labels: Vec<String> = scene.text_boxes().into_iter().map(|(text, _)| text).collect();
            assert!((2..=5).contains(&labels.len()), "{high}: {labels:?}");
            assert!(labels.iter().all(|label| label.parse::<u32>().is_ok()), "{high}: {labels:?}");
        }
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

    /// Labels as a reader expects them; dates and weekdays from `date -u`.
    #[test]
    fn times_stand_at_steps_of_clock_and_calendar() {
        let labels = |from_s: i64, to_s: i64| -> String {
            let ticks = time_ticks(from_s * SECOND_US, to_s * SECOND_US);
            ticks.into_iter().map(|(_, label)| label).collect::<Vec<_>>().join(" ")
        };
        let (new_year, day) = (1_735_689_600, 86_400);
        for (from, to, expected) in [
            (893_971_800, 899_251_200, "4 May 11 May 18 May 25 May 1 Jun 8 Jun 15 Jun 22 Jun 29 Jun"),
            (new_year - day, new_year + day, "31 Dec 06:00 12:00 18:00 1 Jan 06:00 12:00 18:00 2 Jan"),
            (1_700_158_546, 1_700_158_620, "18:15:50 18:16:00 18:16:10 18:16:20 18:16:30 18:16:40 18:16:50 18:17:00"),
            (1_636_934_400, 1_656_633_600, "Dec 2022 Feb Mar Apr May Jun Jul"),
            (981_158_400, 1_787_270_400, "2005 2010 2015 2020 2025"),
            (0, 3_600, "00:00 00:10 00:20 00:30 00:40 00:50 01:00"),
            (6 * 3_600, 6 * day, "day 2 day 3 day 4 day 5 day 6 day 7"),
            (0, 28 * day, "day 1 day 5 day 9 day 13 day 17 day 21 day 25 day 29"),
            (0, 500 * day, "day 1 day 57 day 113 day 169 day 225 day 281 day 337 day 393 day 449"),
        ] {
            assert_eq!(labels(from, to), expected);
        }
    }

    #[test]
    fn times_lie_within_and_are_few() {
        for seconds in [1, 59, 60, 600, 3_601, 40_000, 86_400, 700_000, 2_419_200, 40_000_000, 2_000_000_000] {
            for start in [97_445, 804_571_200, 1_709_251_199] {
                let (from, to) = (start * SECOND_US, (start + seconds) * SECOND_US);
                let ticks = time_ticks(from, to);
                assert!((1..=10).contains(&ticks.len()), "{start} {seconds}: {ticks:?}");
                assert!(ticks.iter().all(|(at, _)| (from..=to).contains(at)), "{start} {seconds}");
            }
        }
    }

    #[test]
    fn values_land_between_the_ends() {
        let scale = Scale { low: 1.0, high: 100.0, log: true };
        assert!((scale.share(10.0) - 0.5).abs() < 1e-12);
        assert_eq!((scale.share(0.0), scale.share(1e9)), (0.0, 1.0));
    }
}
