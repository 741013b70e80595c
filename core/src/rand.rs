//! Counter-based randomness: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
//!
//! A draw is a pure function of `(seed, stream, entity, index)`, so results depend on no order, thread or batch, and two
//! strategies meet the same luck. Samplers work by inversion (one draw, one value), so that a draw never shifts another.

use crate::math;

/// What a draw is for. Streams never overlap; the numbers are permanent, new ones go to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Stream {
    /// Start-up time of a pod, by pod ordinal.
    PodStartUp = 1,
    /// How a bin's requests fall into its slots, by bin and slot.
    ArrivalSplit = 2,
    /// CPU seconds of the requests of a slot, by slot.
    CpuPerRequest = 3,
    /// Lost scrapes, by slot.
    LostScrape = 4,
    /// Start of the flash crowd of a day, by day.
    FlashStart = 5,
    /// Generated traces: noise of a bin, by bin.
    TraceNoise = 6,
    /// Start of a training episode within its trace, by environment and episode.
    EpisodeStart = 7,
    /// Exploration of a learner, by environment and step.
    Exploration = 8,
    /// Initial weights of a net, by tensor and element.
    Weights = 9,
    /// Choice of mini-batches, by update and row.
    MiniBatch = 10,
    /// Bootstrap resamples, by resample and position.
    Bootstrap = 11,
    /// Actions of the random policy, by step.
    RandomAction = 12,
    /// Candidates of a random search, by trial.
    Search = 13,
    /// Fractional remainder of a bin's count, by bin.
    BinRounding = 14,
    /// Jitter of a delay after a failure, by failure.
    Backoff = 15,
    /// Moment of a request inside its slot, and its work at the entry service, by source and slot (index: request).
    Request = 16,
    /// Work of a call inside the call graph, by request and place in its tree.
    CallWork = 17,
    /// Which pod a balancer picks, by call.
    Balancing = 18,
    /// Whether an optional call of the call graph is made, by request and place in its tree.
    Branching = 19,
    /// Class and size (tokens) of a request, by source and slot (index: request).
    RequestClass = 20,
    /// Delay of a client's retry, by request (index: attempt).
    ClientRetry = 21,
    /// Time until a new node is ready, by node ordinal.
    NodeProvision = 22,
    /// Speed of a node, by node ordinal (index: change).
    NodeSpeed = 23,
    /// Offset of a pod's scrapes inside the interval, by pod ordinal.
    ScrapeOffset = 24,
    /// Which nodes, pods or scrapes a fault hits, by fault (index: candidate).
    Fault = 25,
}

const M0: u32 = 0xD251_1F53;
const M1: u32 = 0xCD9E_8D57;
const W0: u32 = 0x9E37_79B9;
const W1: u32 = 0xBB67_AE85;

const fn mul_hi_lo(a: u32, b: u32) -> (u32, u32) {
    let product = (a as u64) * (b as u64);
    ((product >> 32) as u32, product as u32)
}

/// Philox4x32 with ten rounds.
#[must_use]
pub const fn philox4x32_10(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    let mut round = 0;
    while round < 10 {
        let (hi0, lo0) = mul_hi_lo(M0, counter[0]);
        let (hi1, lo1) = mul_hi_lo(M1, counter[2]);
        counter = [hi1 ^ counter[1] ^ key[0], lo1, hi0 ^ counter[3] ^ key[1], lo0];
        key = [key[0].wrapping_add(W0), key[1].wrapping_add(W1)];
        round += 1;
    }
    counter
}

/// 128 random bits for `(seed, stream, entity, index)`.
///
/// `index` has 32 bits and `entity` 64: together with the stream they fill the counter, the seed is the key.
#[must_use]
pub const fn draw(seed: u64, stream: Stream, entity: u64, index: u32) -> [u32; 4] {
    philox4x32_10([index, entity as u32, (entity >> 32) as u32, stream as u32], [seed as u32, (seed >> 32) as u32])
}

/// A double in the open interval (0, 1) from two words of a draw: 52 bits, centred in their cell, never 0 or 1.
#[must_use]
pub fn open_unit(high: u32, low: u32) -> f64 {
    let bits = (u64::from(high) << 20) | u64::from(low >> 12);
    #[expect(clippy::cast_precision_loss, reason = "52 bits are exact")]
    let cell = bits as f64;
    (cell + 0.5) * (1.0 / 4_503_599_627_370_496.0)
}

/// Uniform in (0, 1).
#[must_use]
pub fn uniform(seed: u64, stream: Stream, entity: u64, index: u32) -> f64 {
    let words = draw(seed, stream, entity, index);
    open_unit(words[0], words[1])
}

/// Standard normal, by inversion.
#[must_use]
pub fn standard_normal(seed: u64, stream: Stream, entity: u64, index: u32) -> f64 {
    math::normal_quantile(uniform(seed, stream, entity, index))
}

/// A whole number below `bound` (0 if `bound` is 0); the bias is below `bound` / 2⁶⁴.
#[must_use]
pub fn below(seed: u64, stream: Stream, entity: u64, index: u32, bound: u64) -> u64 {
    let words = draw(seed, stream, entity, index);
    let bits = (u64::from(words[0]) << 32) | u64::from(words[1]);
    ((u128::from(bits) * u128::from(bound)) >> 64) as u64
}

/// Seed of an independent experiment derived from `seed` and a `purpose` (any number that names it).
#[must_use]
pub const fn derive_seed(seed: u64, purpose: u64) -> u64 {
    let words =
        philox4x32_10([purpose as u32, (purpose >> 32) as u32, 0x5EA7, 0x71A1], [seed as u32, (seed >> 32) as u32]);
    ((words[0] as u64) << 32) | words[1] as u64
}

/// Poisson with the given mean, by inversion: sequential search below 30, normal quantile with Cornish-Fisher correction above.
///
/// The second branch is within one count of the exact quantile for means above 30 (tested).
#[must_use]
pub fn poisson(mean: f64, unit: f64) -> u64 {
    if mean.is_nan() || mean <= 0.0 {
        return 0;
    }
    if mean < 30.0 {
        return invert_by_search(libm::exp(-mean), |k| mean / k, unit);
    }
    let z = math::normal_quantile(unit);
    let sd = mean.sqrt();
    nearest_count(mean + sd * z + (z * z - 1.0) / 6.0 + (z - z * z * z) / (72.0 * sd))
}

/// Binomial(`trials`, `probability`) by inversion, the same two branches as [`poisson`].
#[must_use]
pub fn binomial(trials: u64, probability: f64, unit: f64) -> u64 {
    if trials == 0 || probability <= 0.0 || probability.is_nan() {
        return 0;
    }
    if probability >= 1.0 {
        return trials;
    }
    if probability > 0.5 {
        return trials - binomial(trials, 1.0 - probability, 1.0 - unit);
    }
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    let n = trials as f64;
    let mean = n * probability;
    if mean < 30.0 {
        let odds = probability / (1.0 - probability);
        let first = libm::exp(n * libm::log1p(-probability));
        return invert_by_search(first, |k| (n - k + 1.0) / k * odds, unit).min(trials);
    }
    let z = math::normal_quantile(unit);
    let variance = mean * (1.0 - probability);
    let sd = variance.sqrt();
    let skew = (1.0 - 2.0 * probability) / sd;
    nearest_count(mean + sd * (z + skew * (z * z - 1.0) / 6.0)).min(trials)
}

/// The smallest k whose distribution function reaches `unit`, from P(0) = `first` and P(k)/P(k-1) = `ratio(k)`.
fn invert_by_search(first: f64, ratio: impl Fn(f64) -> f64, unit: f64) -> u64 {
    let (mut k, mut term, mut cumulative) = (0_u64, first, first);
    // 1,000 is far beyond the 1 - 2^-53 quantile of a mean below 30.
    while cumulative < unit && k < 1_000 {
        k += 1;
        #[expect(clippy::cast_precision_loss, reason = "k is at most 1,000")]
        let position = k as f64;
        term *= ratio(position);
        cumulative += term;
    }
    k
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturating and clamped at zero")]
fn nearest_count(x: f64) -> u64 {
    libm::round(x).max(0.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known answers of Random123 1.14 (`kat_vectors`, philox4x32 with 10 rounds).
    #[test]
    fn philox_known_answers() {
        let cases = [
            ([0; 4], [0; 2], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
            ([u32::MAX; 4], [u32::MAX; 2], [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
            (
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xa409_3822, 0x299f_31d0],
                [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
            ),
        ];
        for (counter, key, expected) in cases {
            assert_eq!(philox4x32_10(counter, key), expected, "counter {counter:x?}");
        }
    }

    #[test]
    fn open_unit_excludes_both_ends() {
        assert!(open_unit(0, 0) > 0.0);
        assert!(open_unit(u32::MAX, u32::MAX) < 1.0);
    }

    #[test]
    fn every_part_of_the_address_matters() {
        let base = draw(1, Stream::PodStartUp, 2, 3);
        assert_ne!(base, draw(2, Stream::PodStartUp, 2, 3));
        assert_ne!(base, draw(1, Stream::ArrivalSplit, 2, 3));
        assert_ne!(base, draw(1, Stream::PodStartUp, 2 + (1 << 40), 3));
        assert_ne!(base, draw(1, Stream::PodStartUp, 2, 4));
    }

    /// Reference quantiles from SciPy: `scipy.stats.poisson.ppf(u, mean)`.
    #[test]
    fn poisson_is_the_inverse_distribution_function() {
        for (mean, unit, expected) in [(0.5, 0.5, 0), (3.0, 0.9, 5), (29.0, 0.01, 17), (12.5, 0.999, 25)] {
            assert_eq!(poisson(mean, unit), expected, "mean {mean}, unit {unit}");
        }
        for (mean, unit, expected) in
            [(100.0, 0.5, 100_i64), (100.0, 0.99, 124), (1000.0, 0.001, 904), (40.0, 0.05, 30)]
        {
            assert!((i64::try_from(poisson(mean, unit)).unwrap() - expected).abs() <= 1, "mean {mean}, unit {unit}");
        }
        assert_eq!(poisson(f64::NAN, 0.5), 0);
        assert_eq!(poisson(-1.0, 0.5), 0);
    }

    #[test]
    fn binomial_keeps_its_range_and_moments() {
        for (trials, p) in [(10_u64, 0.25), (400, 0.25), (4_000, 0.7), (7, 0.999)] {
            let mut sum = 0.0;
            for i in 0..2_000_u32 {
                let k = binomial(trials, p, uniform(7, Stream::ArrivalSplit, trials, i));
                assert!(k <= trials);
                sum += k as f64;
            }
            let mean = trials as f64 * p;
            let standard_error = (mean * (1.0 - p) / 2_000.0).sqrt();
            assert!((sum / 2_000.0 - mean).abs() < 5.0 * standard_error, "n {trials} p {p}: {}", sum / 2_000.0);
        }
        assert_eq!(binomial(5, 1.0, 0.3), 5);
        assert_eq!(binomial(5, f64::NAN, 0.3), 0);
    }

    #[test]
    fn below_stays_below() {
        for i in 0..1_000 {
            assert!(below(3, Stream::MiniBatch, 0, i, 7) < 7);
        }
        assert_eq!(below(3, Stream::MiniBatch, 0, 0, 0), 0);
    }
}
