//! Flash crowds of protocol P1: one a day at a drawn moment, rate × min(8, 4,000/rate), 2 min up, 10 min held, halving every 10.

use std::sync::Arc;

use seatrial_core::math;
use seatrial_core::rand::{Stream, uniform};

use super::{EpisodeLoad, signed};

const DAY_S: f64 = 86_400.0;
const HIGHEST_FACTOR: f64 = 8.0;
const HIGHEST_RATE: f64 = 4_000.0;
const RAMP_S: f64 = 120.0;
const HELD_S: f64 = 600.0;
const HALF_LIFE_S: f64 = 600.0;
/// After this the excess has halved ten times and counts as gone.
const TAIL_S: f64 = 6_000.0;

/// The rates with one crowd per UTC day; a crowd may run into the next day, the greater of two holds.
pub(crate) fn with_crowds(load: &EpisodeLoad, seed: u64) -> Arc<[f64]> {
    let width_s = load.interval().as_secs_f64();
    let start_s = load.start().since(seatrial_core::time::Timestamp::ZERO).as_secs_f64();
    (0..signed(load.rates_per_s().len()))
        .zip(load.rates_per_s())
        .map(|(bin, rate)| {
            #[expect(clippy::cast_precision_loss, reason = "bin numbers are small")]
            let middle_s = start_s + (bin as f64 + 0.5) * width_s;
            let today = (middle_s / DAY_S).floor();
            let peak = peak_factor(*rate);
            rate * factor(seed, today, middle_s, peak).max(factor(seed, today - 1.0, middle_s, peak))
        })
        .collect()
}

fn peak_factor(rate: f64) -> f64 {
    if rate > 0.0 { HIGHEST_FACTOR.min(HIGHEST_RATE / rate).max(1.0) } else { 1.0 }
}

/// What the crowd of `day` multiplies the rate with at `at_s`.
fn factor(seed: u64, day: f64, at_s: f64, peak: f64) -> f64 {
    let since_s = at_s - crowd_start_s(seed, day);
    let share = if since_s <= 0.0 || since_s > RAMP_S + HELD_S + TAIL_S {
        0.0
    } else if since_s < RAMP_S {
        since_s / RAMP_S
    } else if since_s <= RAMP_S + HELD_S {
        1.0
    } else {
        math::exp(-core::f64::consts::LN_2 * (since_s - RAMP_S - HELD_S) / HALF_LIFE_S)
    };
    1.0 + share * (peak - 1.0)
}

#[expect(clippy::cast_possible_truncation, reason = "a whole number of days")]
fn crowd_start_s(seed: u64, day: f64) -> f64 {
    (day + uniform(seed, Stream::FlashStart, (day as i64).cast_unsigned(), 0)) * DAY_S
}

#[cfg(test)]
mod tests {
    use super::*;
    use seatrial_core::time::{Span, Timestamp};

    #[test]
    fn one_crowd_a_day_with_the_stated_shape() {
        let load = EpisodeLoad::new(Timestamp::ZERO, Span::from_secs(60), vec![100.0; 3 * 1_440], vec![]).unwrap();
        let rates = with_crowds(&load, 5);
        for day in 0..3_u32 {
            let start_s = crowd_start_s(5, f64::from(day));
            let bin = |after_s: f64| ((start_s + after_s) / 60.0) as usize;
            assert!(rates[bin(0.0) - 2] < 101.0, "calm before");
            for minute in 3..12 {
                assert_eq!(rates[bin(f64::from(minute) * 60.0)], 800.0, "day {day}, minute {minute}");
            }
            let excess = |after_s: f64| rates[bin(after_s)] - 100.0;
            assert!((excess(1_920.0) / excess(1_320.0) - 0.5).abs() < 1e-9, "halves in ten minutes");
        }
        assert_ne!(rates, with_crowds(&load, 6));
    }

    #[test]
    fn never_beyond_four_thousand_and_never_less_than_before() {
        let load = EpisodeLoad::new(Timestamp::ZERO, Span::from_secs(60), vec![1_000.0; 1_440], vec![]).unwrap();
        let rates = with_crowds(&load, 1);
        assert!(rates.iter().all(|rate| (1_000.0..=4_000.0).contains(rate)));
        assert!(rates.contains(&4_000.0));
    }
}
