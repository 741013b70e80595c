//! Whole requests per slot: a bin's count, rounded by one draw, falls into its slots by sequential binomial splitting.
//!
//! Given the count, arrivals of a Poisson process are spread like that; the count itself is the trace's and is kept.

use seatrial_core::rand::{Stream, binomial, uniform};
use seatrial_core::time::Span;

use super::{EpisodeLoad, LoadError, signed};

/// Realised requests per second of each slot from the load's start on.
///
/// A pure function of load and seed, keyed by the number of the bin since the origin: an episode that starts elsewhere in the
/// same series sees the same slots.
///
/// # Errors
/// If bins are not whole numbers of slots.
pub fn slot_rates(load: &EpisodeLoad, seed: u64, slot: Span) -> Result<Vec<f64>, LoadError> {
    load.check_interval(slot)?;
    let bins = signed(load.rates_per_s().len());
    let mut rates = Vec::with_capacity(load.rates_per_s().len() * slots_per_bin(load, slot));
    for bin in 0..bins {
        split_bin(load, seed, slot, bin, &mut rates);
    }
    Ok(rates)
}

/// Slots in a bin.
pub(crate) fn slots_per_bin(load: &EpisodeLoad, slot: Span) -> usize {
    usize::try_from(load.interval().whole_steps(slot)).unwrap_or(0)
}

/// Appends the realised rates of the slots of one bin; nothing if the bin is not known.
pub(crate) fn split_bin(load: &EpisodeLoad, seed: u64, slot: Span, bin: i64, out: &mut Vec<f64>) {
    let Some(rate) = load.rate_of_bin(bin) else { return };
    let entity = load.absolute_bin(bin).cast_unsigned();
    let mut remaining =
        whole_count(rate * load.interval().as_secs_f64(), uniform(seed, Stream::BinRounding, entity, 0));
    let slots = u32::try_from(slots_per_bin(load, slot)).unwrap_or(u32::MAX);
    let slot_s = slot.as_secs_f64();
    for index in 0..slots {
        let share = 1.0 / f64::from(slots - index);
        let count = if share < 1.0 {
            binomial(remaining, share, uniform(seed, Stream::ArrivalSplit, entity, index))
        } else {
            remaining
        };
        remaining -= count;
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
        out.push(count as f64 / slot_s);
    }
}

/// `count` rounded down or up, up with the probability of its fraction: right on average.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts are finite and not negative")]
fn whole_count(count: f64, unit: f64) -> u64 {
    let floor = count.floor();
    // Dust of the multiplication, as in 700.0000000001, is not a fraction.
    let fraction = count - floor;
    if fraction > 1.0 - 1e-9 {
        return floor as u64 + 1;
    }
    floor as u64 + u64::from(fraction > 1e-9 && unit < fraction)
}

#[cfg(test)]
mod tests {
    use super::*;
    use seatrial_core::time::Timestamp;

    const SLOT: Span = Span::from_secs(15);

    fn load(start_s: i64, rates: &[f64]) -> EpisodeLoad {
        EpisodeLoad::new(Timestamp::from_secs(start_s), Span::from_secs(60), rates.to_vec(), vec![]).unwrap()
    }

    #[test]
    fn each_bin_keeps_its_count() {
        let rates = [10.0, 0.0, 7.0 / 60.0, 3_999.0];
        let slots = slot_rates(&load(0, &rates), 3, SLOT).unwrap();
        for (bin, rate) in slots.chunks(4).zip(rates) {
            let count: f64 = bin.iter().map(|slot| slot * 15.0).sum();
            assert!((count - rate * 60.0).abs() < 1e-9, "{count} of {}", rate * 60.0);
            assert!(bin.iter().all(|slot| ((slot * 15.0).round() - slot * 15.0).abs() < 1e-9), "whole requests");
        }
    }

    #[test]
    fn a_fraction_is_right_on_average() {
        let rates = vec![2.25 / 60.0; 20_000];
        let total: f64 = slot_rates(&load(0, &rates), 1, SLOT).unwrap().iter().map(|slot| slot * 15.0).sum();
        let mean = total / 20_000.0;
        assert!((mean - 2.25).abs() < 4.0 * (0.25_f64 * 0.75 / 20_000.0).sqrt(), "{mean}");
    }

    /// Multinomial: the variance of a slot of n requests over four slots is n/4 · 3/4.
    #[test]
    fn slots_scatter_as_a_multinomial() {
        let n = 600.0;
        let slots = slot_rates(&load(0, &vec![n / 60.0; 5_000]), 2, SLOT).unwrap();
        for position in 0..4 {
            let counts = slots.iter().skip(position).step_by(4).map(|slot| slot * 15.0);
            let variance: f64 = counts.map(|count| (count - n / 4.0) * (count - n / 4.0)).sum::<f64>() / 5_000.0;
            let expected = n / 4.0 * 0.75;
            assert!((variance / expected - 1.0).abs() < 0.08, "slot {position}: {variance} of {expected}");
        }
    }

    #[test]
    fn slots_do_not_depend_on_where_the_episode_starts_but_on_the_seed() {
        let whole = slot_rates(&load(0, &[50.0, 60.0, 70.0]), 9, SLOT).unwrap();
        let tail = slot_rates(&load(60, &[60.0, 70.0]), 9, SLOT).unwrap();
        assert_eq!(whole[4..], tail);
        assert_ne!(whole, slot_rates(&load(0, &[50.0, 60.0, 70.0]), 10, SLOT).unwrap());
    }

    #[test]
    fn refuses_slots_that_do_not_fit() {
        assert!(slot_rates(&load(0, &[1.0]), 0, Span::from_secs(45)).is_err());
    }
}
