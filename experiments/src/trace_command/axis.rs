//! Where tick marks stand and what they say: values at 1-2-5 steps, times at steps of a clock and a calendar.
//!
//! Traces without a date begin in 1970 by the contract; theirs is the time since the start.

use seatrial_core::time::Timestamp;
use seatrial_datasets::moment;
use seatrial_reports::format::{DAY_US, civil_date, clock_label, day_label, grouped};

/// The value axis: from zero to a round number.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Values {
    pub(super) top: f64,
    step: f64,
}

impl Values {
    /// An axis that holds `peak` with about `most` ticks.
    pub(super) fn new(peak: f64, most: u32) -> Self {
        let peak = if peak > 0.0 { peak } else { 1.0 };
        let step = step(peak / f64::from(most.max(1)));
        // A peak on the top line would lie on the frame.
        let steps = (peak / step * (1.0 + 1e-6)).ceil();
        Self { top: steps * step, step }
    }

    /// Ticks with their labels.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        let decimals = (0..15).find(|decimals| self.step * 10_f64.powi(*decimals) > 0.999).unwrap_or(15);
        let label = |value| grouped(value, decimals.unsigned_abs() as usize);
        (0_u32..=20)
            .map(|k| f64::from(k) * self.step)
            .take_while(|value| *value <= self.top + 0.5 * self.step)
            .map(|value| (value, label(value)))
            .collect()
    }
}

/// The least of 1, 2, 5, 10 × 10ᵏ that is not below `raw`, which is positive.
fn step(raw: f64) -> f64 {
    let mut power = 0;
    while 10_f64.powi(power + 1) <= raw {
        power += 1;
    }
    while 10_f64.powi(power) > raw && power > -300 {
        power -= 1;
    }
    let power = 10_f64.powi(power);
    [1.0, 2.0, 5.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| *step >= raw * (1.0 - 1e-9))
        .unwrap_or(10.0 * power)
}

/// A tick of the time axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TimeTick {
    pub(super) at_us: i64,
    pub(super) label: String,
    /// The day or year that the label belongs to, where it begins.
    pub(super) context: Option<String>,
}

const MINUTE_US: i64 = 60_000_000;
const HOUR_US: i64 = 60 * MINUTE_US;

/// Steps of a clock, in microseconds.
const STEPS_US: [i64; 19] = [
    1_000_000,
    2_000_000,
    5_000_000,
    10_000_000,
    30_000_000,
    MINUTE_US,
    2 * MINUTE_US,
    5 * MINUTE_US,
    10 * MINUTE_US,
    30 * MINUTE_US,
    HOUR_US,
    2 * HOUR_US,
    3 * HOUR_US,
    6 * HOUR_US,
    12 * HOUR_US,
    DAY_US,
    2 * DAY_US,
    7 * DAY_US,
    14 * DAY_US,
];

/// Whether a series that starts at `start_us` has no date.
pub(super) const fn is_elapsed(start_us: i64) -> bool {
    civil_date(start_us).0 == 1970
}

/// At most about `most` ticks in `[from_us, to_us]`.
pub(super) fn time_ticks(from_us: i64, to_us: i64, most: i64) -> Vec<TimeTick> {
    let step = STEPS_US.into_iter().find(|step| (to_us - from_us) / step <= most);
    if is_elapsed(from_us) {
        let days = (1..).map(|k| 28 * k * DAY_US).find(|step| (to_us - from_us) / step <= most);
        return step.or(days).map_or_else(Vec::new, |step| elapsed_ticks(from_us, to_us, step));
    }
    step.map_or_else(|| month_ticks(from_us, to_us, most), |step| clock_ticks(from_us, to_us, step))
}

fn multiples(from_us: i64, to_us: i64, step: i64) -> impl Iterator<Item = i64> {
    let first = -(-from_us).div_euclid(step);
    (first..).map(move |k| k * step).take_while(move |at| *at <= to_us)
}

fn elapsed_ticks(from_us: i64, to_us: i64, step: i64) -> Vec<TimeTick> {
    let mut day = None;
    multiples(0, to_us - from_us, step)
        .map(|since| {
            let today = since.div_euclid(DAY_US);
            let begins = day.replace(today) != Some(today);
            let (label, context) = if step >= DAY_US {
                (format!("day {today}"), None)
            } else {
                (clock(since, step), begins.then(|| format!("day {today}")))
            };
            TimeTick { at_us: from_us + since, label, context }
        })
        .collect()
}

fn clock_ticks(from_us: i64, to_us: i64, step: i64) -> Vec<TimeTick> {
    // Weeks begin on Monday; 1970 began on a Thursday.
    let shift = if step >= 7 * DAY_US { 4 * DAY_US } else { 0 };
    let ats = multiples(from_us - shift, to_us - shift, step).map(|at| at + shift);
    with_context(ats, |at| if step >= DAY_US { day_label(at) } else { clock(at, step) }, step < DAY_US)
}

/// The context is the day (`by_day`) or the year, where it changes.
fn with_context(ats: impl Iterator<Item = i64>, label: impl Fn(i64) -> String, by_day: bool) -> Vec<TimeTick> {
    let mut last: Option<(i64, i64)> = None;
    let mut ticks: Vec<TimeTick> = ats
        .map(|at_us| {
            let (year, day) = (civil_date(at_us).0, at_us.div_euclid(DAY_US));
            let before = last.replace((year, day));
            let new_year = before.is_none_or(|(before, _)| before != year);
            let new_day = by_day && before.is_none_or(|(_, before)| before != day);
            let context = match (new_year, new_day) {
                (true, true) => Some(format!("{} {year}", day_label(at_us))),
                (true, false) => Some(year.to_string()),
                (false, true) => Some(day_label(at_us)),
                (false, false) => None,
            };
            TimeTick { at_us, label: label(at_us), context }
        })
        .collect();
    // Two names of days side by side would touch: the whole one carries the year.
    if let [first, second, ..] = ticks.as_mut_slice()
        && by_day
        && second.context.is_some()
    {
        first.context = None;
        second.context = Some(format!("{} {}", day_label(second.at_us), civil_date(second.at_us).0));
    }
    ticks
}

fn clock(at_us: i64, step: i64) -> String {
    let label = clock_label(at_us);
    if step < MINUTE_US { format!("{label}:{:02}", at_us.rem_euclid(MINUTE_US) / 1_000_000) } else { label }
}

fn month_ticks(from_us: i64, to_us: i64, most: i64) -> Vec<TimeTick> {
    let ((from_year, from_month, _), (to_year, to_month, _)) = (civil_date(from_us), civil_date(to_us));
    let (first, last) = (12 * from_year + from_month - 1, 12 * to_year + to_month - 1);
    let step = [1, 2, 3, 6, 12]
        .into_iter()
        .find(|step| (last - first) / step <= most)
        .unwrap_or(12 * (1 + (last - first) / (12 * most)));
    let start_of = |month: i64| {
        moment::parse(&format!("{:04}-{:02}-01", month.div_euclid(12), month.rem_euclid(12) + 1)).map(Timestamp::micros)
    };
    let months = (first..=last).filter(|month| month % step == 0).filter_map(|month| start_of(month).ok());
    let name = |at| day_label(at).chars().skip_while(|c| !c.is_alphabetic()).collect();
    with_context(months.filter(|at| (from_us..=to_us).contains(at)), name, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        moment::parse(text).unwrap().micros()
    }

    fn labels(from: &str, to: &str) -> Vec<String> {
        let joined = |tick: TimeTick| match tick.context {
            Some(context) => format!("{}|{context}", tick.label),
            None => tick.label,
        };
        time_ticks(at(from), at(to), 12).into_iter().map(joined).collect()
    }

    #[test]
    fn values_stand_at_one_two_five_steps_with_separators() {
        for (peak, expected) in [
            (225_138.0, "0 50,000 100,000 150,000 200,000 250,000"),
            (405.0, "0 100 200 300 400 500"),
            (0.016_44, "0.000 0.005 0.010 0.015 0.020"),
            (3.0, "0 1 2 3 4"),
            (0.0, "0.0 0.2 0.4 0.6 0.8 1.0 1.2"),
            (7.8e6, "0 2,000,000 4,000,000 6,000,000 8,000,000"),
        ] {
            let labels: Vec<String> = Values::new(peak, 5).ticks().into_iter().map(|(_, label)| label).collect();
            assert_eq!(labels.join(" "), expected, "{peak}");
        }
    }

    #[test]
    fn times_stand_at_steps_of_clock_and_calendar() {
        assert_eq!(
            labels("1998-04-30T21:30", "1998-07-01").join(" "),
            "4 May|1998 11 May 18 May 25 May 1 Jun 8 Jun 15 Jun 22 Jun 29 Jun"
        );
        assert_eq!(
            labels("2024-12-31", "2025-01-03").join(" "),
            "00:00|31 Dec 2024 06:00 12:00 18:00 00:00|1 Jan 2025 06:00 12:00 18:00 00:00|2 Jan 06:00 12:00 18:00 00:00|3 Jan"
        );
        assert_eq!(labels("2023-11-16T18:15:46", "2023-11-16T18:17")[0], "18:15:50|16 Nov 2023");
        assert_eq!(
            labels("2024-12-30T12:00", "2025-01-02T12:00").join(" "),
            "12:00|30 Dec 2024 18:00 00:00|31 Dec 06:00 12:00 18:00 00:00|1 Jan 2025 06:00 12:00 18:00 00:00|2 Jan 06:00 12:00"
        );
        assert_eq!(labels("2024-12-30T18:00", "2025-01-02T12:00")[..2], ["18:00", "00:00|31 Dec 2024"]);
        assert_eq!(labels("2021-11-15", "2022-07-01").join(" "), "Dec|2021 Jan|2022 Feb Mar Apr May Jun Jul");
        assert_eq!(labels("2001-02-03", "2026-08-21").len(), 8);
        assert_eq!(
            labels("1970-01-01", "1970-01-06T12:00").join(" "),
            "00:00|day 0 12:00 00:00|day 1 12:00 00:00|day 2 12:00 00:00|day 3 12:00 00:00|day 4 12:00 00:00|day 5 12:00"
        );
        assert_eq!(labels("1970-01-01T06:00", "1970-01-31").last().unwrap(), "day 28");
    }

    #[test]
    fn ticks_lie_within_and_are_few() {
        for seconds in [1, 59, 60, 600, 3_601, 40_000, 86_400, 700_000, 2_419_200, 40_000_000, 2_000_000_000] {
            for start in ["1970-01-02T03:04:05", "1995-07-01T04:00", "2024-02-29T23:59:59"] {
                let (from, to) = (at(start), at(start) + seconds * 1_000_000);
                let ticks = time_ticks(from, to, 12);
                assert!(!ticks.is_empty(), "{start} {seconds}");
                assert!(ticks.len() <= 13, "{start} {seconds}: {}", ticks.len());
                assert!(ticks.iter().all(|tick| (from..=to).contains(&tick.at_us)), "{start} {seconds}");
            }
        }
    }
}
