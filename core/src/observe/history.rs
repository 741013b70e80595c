//! Load history in a bounded state: arrival rates on a 15 s grid, coarse means over eight days, exponential means.
//!
//! Forecasters read from here what they know of the past, so that a restarted operator can rebuild it from a range query
//! and a snapshot stays small (about 6 KiB of JSON; the limit of a policy's whole state is 16 KiB).
//!
//! - The last [`RECENT_SLOTS`] slots of 15 s, exact to single precision.
//! - Means over 10 minutes for the last [`COARSE_BINS`] bins (8 days), quantised on a logarithmic scale to 16 bits (steps of
//!   0.035 %) and stored as one string of hexadecimal digits.
//! - Exponential means with half-lives of 1, 10, 60 and 360 minutes.
//!
//! Invariants: a slot that is not newer than the last one is ignored (pushes are idempotent); slots that were skipped are
//! missing; missing is never zero, it changes no mean.

use serde::{Deserialize, Serialize};

use crate::math;
use crate::time::{Span, Timestamp};

/// Length of a slot: the scrape interval of protocol P1 and of the operator.
pub const SLOT: Span = Span::from_secs(15);
/// Number of recent slots that are kept (32 minutes).
pub const RECENT_SLOTS: usize = 128;
/// Length of a coarse bin.
pub const COARSE_BIN: Span = Span::from_secs(600);
/// Number of coarse bins (8 days).
pub const COARSE_BINS: usize = 1_152;
/// Half-lives of the exponential means, in slots: 1, 10, 60 and 360 minutes.
pub const HALF_LIFE_SLOTS: [u32; 4] = [4, 40, 240, 1_440];

const MISSING: f32 = -1.0;
const SLOTS_PER_BIN: i64 = COARSE_BIN.micros() / SLOT.micros();
/// A gap longer than everything that is kept.
const LONGEST_GAP_SLOTS: i64 = SLOTS_PER_BIN * COARSE_BINS as i64 + SLOTS_PER_BIN;
/// 1 − 2^(−1/half-life).
const EMA_WEIGHTS: [f64; 4] =
    [0.159_103_584_746_285_46, 0.017_179_401_454_748_937, 0.002_883_946_665_410_802, 0.000_481_236_377_333_740_4];

/// Bounded memory of arrival rates; see the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoadHistory {
    /// End of the youngest slot, known or missing, as it was pushed.
    last_end: Option<Timestamp>,
    /// Youngest known rate with the end of its slot.
    last_known: Option<(Timestamp, f64)>,
    /// Rates by slot number modulo the length; negative is missing.
    #[serde(with = "hex::singles")]
    recent: Vec<f32>,
    /// Codes by bin number modulo the length; 0 is missing.
    #[serde(with = "hex::codes")]
    coarse: Vec<u16>,
    /// Sum and number of the known slots of the bin in progress.
    open_bin: (f64, u32),
    /// Exponential means; valid once a slot was known.
    means: [f64; 4],
}

impl Default for LoadHistory {
    fn default() -> Self {
        Self::new()
    }
}

impl LoadHistory {
    /// A history in which everything is missing.
    #[must_use]
    pub fn new() -> Self {
        Self {
            last_end: None,
            last_known: None,
            recent: vec![MISSING; RECENT_SLOTS],
            coarse: vec![0; COARSE_BINS],
            open_bin: (0.0, 0),
            means: [0.0; 4],
        }
    }

    /// Folds in the slot of `length` that ended at `end`; `None` is missing. Answers whether it was new.
    ///
    /// Slots lie on a grid of [`SLOT`]; a longer one counts as several with the same rate. Rates that are not finite or
    /// negative are missing. Skipped slots are filled in as missing. Allocates nothing.
    pub fn push(&mut self, end: Timestamp, length: Span, rate: Option<f64>) -> bool {
        let index = slot_index(end);
        let first = index - length.whole_steps(SLOT).max(1) + 1;
        let last = self.last_end.map(slot_index);
        if last.is_some_and(|last| index <= last) {
            return false;
        }
        let next = last.map_or(first, |last| last + 1);
        for skipped in next.max(index - LONGEST_GAP_SLOTS)..=index {
            self.fold(skipped, rate.filter(|rate| skipped >= first && rate.is_finite() && *rate >= 0.0));
        }
        self.last_end = Some(end);
        if let Some(rate) = rate.filter(|rate| rate.is_finite() && *rate >= 0.0) {
            self.last_known = Some((end, rate));
        }
        true
    }

    /// End of the youngest slot, known or missing.
    #[must_use]
    pub const fn last_end(&self) -> Option<Timestamp> {
        self.last_end
    }

    /// Youngest known rate with the end of its slot.
    #[must_use]
    pub const fn last_known(&self) -> Option<(Timestamp, f64)> {
        self.last_known
    }

    /// Rate of the slot `age` slots before the youngest one (0 is the youngest); `None` if missing or older than is kept.
    #[must_use]
    pub fn recent(&self, age: usize) -> Option<f64> {
        let last = slot_index(self.last_end?);
        if age >= RECENT_SLOTS {
            return None;
        }
        let rate = self.recent[ring(last - age as i64, RECENT_SLOTS)];
        (rate >= 0.0).then(|| f64::from(rate))
    }

    /// Mean of the known slots among `count` slots, the youngest of them `age` slots old; `None` if none is known.
    #[must_use]
    pub fn mean(&self, age: usize, count: usize) -> Option<f64> {
        let last = slot_index(self.last_end?);
        let (mut sum, mut known) = (0.0_f64, 0_u32);
        for age in age..(age + count).min(RECENT_SLOTS) {
            let rate = self.recent[ring(last - age as i64, RECENT_SLOTS)];
            if rate >= 0.0 {
                sum += f64::from(rate);
                known += 1;
            }
        }
        (known > 0).then(|| sum / f64::from(known))
    }

    /// The exponential means, by [`HALF_LIFE_SLOTS`]; `None` before any slot was known.
    #[must_use]
    pub fn exponential_means(&self) -> Option<[f64; 4]> {
        self.last_known.map(|_| self.means)
    }

    /// Rate at `at`, linear between the centres of the 10-minute means; `None` if both neighbours are missing.
    #[must_use]
    pub fn coarse_at(&self, at: Timestamp) -> Option<f64> {
        let half = COARSE_BIN / 2;
        let bin = (at - half).floor_to(COARSE_BIN);
        let share = at.since(bin + half).as_secs_f64() / COARSE_BIN.as_secs_f64();
        match (self.bin_mean(bin), self.bin_mean(bin + COARSE_BIN)) {
            (Some(left), Some(right)) => Some(left + share * (right - left)),
            (left, right) => left.or(right),
        }
    }

    /// Greatest value of [`Self::coarse_at`] over the window of length `window` that begins at `from`.
    #[must_use]
    pub fn coarse_max(&self, from: Timestamp, window: Span) -> Option<f64> {
        let end = from + window;
        let mut greatest = max_known(self.coarse_at(from), self.coarse_at(end));
        // Between its corners, the centres of the bins, the line is straight.
        let mut centre = (from - COARSE_BIN / 2).floor_to(COARSE_BIN) + COARSE_BIN / 2 + COARSE_BIN;
        while centre < end {
            greatest = max_known(greatest, self.coarse_at(centre));
            centre += COARSE_BIN;
        }
        greatest
    }

    /// Mean of the complete 10-minute bin that begins at `start`.
    fn bin_mean(&self, start: Timestamp) -> Option<f64> {
        let open = bin_of(slot_index(self.last_end?));
        let bin = start.micros().div_euclid(COARSE_BIN.micros());
        let kept = bin < open && bin > open - COARSE_BINS as i64;
        if kept { decode(self.coarse[ring(bin, COARSE_BINS)]) } else { None }
    }

    fn fold(&mut self, index: i64, rate: Option<f64>) {
        #[expect(clippy::cast_possible_truncation, reason = "rates are kept in single precision")]
        let kept = rate.map_or(MISSING, |rate| rate as f32);
        self.recent[ring(index, RECENT_SLOTS)] = kept;
        if let Some(rate) = rate {
            self.open_bin = (self.open_bin.0 + rate, self.open_bin.1 + 1);
            self.update_means(rate);
        }
        if (index + 1).rem_euclid(SLOTS_PER_BIN) == 0 {
            let (sum, known) = self.open_bin;
            self.coarse[ring(bin_of(index), COARSE_BINS)] = if known == 0 { 0 } else { encode(sum / f64::from(known)) };
            self.open_bin = (0.0, 0);
        }
    }

    fn update_means(&mut self, rate: f64) {
        if self.last_known.is_none() {
            self.means = [rate; 4];
            // Marks the means as valid while the rest of a long slot is folded; `push` sets the exact end.
            self.last_known = Some((Timestamp::ZERO, rate));
        }
        for (mean, weight) in self.means.iter_mut().zip(EMA_WEIGHTS) {
            *mean += weight * (rate - *mean);
        }
    }
}

fn max_known(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.max(b)),
        (a, b) => a.or(b),
    }
}

/// Number of the slot that ends at or just before `end`.
const fn slot_index(end: Timestamp) -> i64 {
    end.micros().div_euclid(SLOT.micros()) - 1
}

const fn bin_of(slot: i64) -> i64 {
    slot.div_euclid(SLOTS_PER_BIN)
}

#[expect(clippy::cast_possible_truncation, reason = "a remainder below the length")]
const fn ring(index: i64, length: usize) -> usize {
    index.rem_euclid(length as i64) as usize
}

/// Least rate that differs from zero, per second: one request in 1,000 s.
const LEAST_RATE: f64 = 1e-3;
/// Steps per factor e: 65,533 codes span the rates from 1e-3 to about 9e6 per second.
const STEPS_PER_E: f64 = 2_850.0;

/// 0 is missing, 1 is no load, the rest is logarithmic.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "float-to-int casts saturate")]
fn encode(rate: f64) -> u16 {
    if rate < LEAST_RATE {
        1
    } else {
        2 + libm::round((math::ln(rate / LEAST_RATE) * STEPS_PER_E).min(65_533.0)) as u16
    }
}

fn decode(code: u16) -> Option<f64> {
    match code {
        0 => None,
        1 => Some(0.0),
        code => Some(LEAST_RATE * math::exp(f64::from(code - 2) / STEPS_PER_E)),
    }
}

/// Rings as strings of hexadecimal digits: a quarter of the bytes of a list of numbers, and exact.
mod hex {
    use serde::Deserializer;
    use serde::de::Error as _;

    /// A ring is read whole or not at all.
    fn ring<'de, D: Deserializer<'de>>(source: D, digits: usize, length: usize) -> Result<Vec<u64>, D::Error> {
        let words = crate::hex::deserialize(source, digits, length)?;
        if words.len() != length {
            return Err(D::Error::custom(format!("expected {} hexadecimal digits", digits * length)));
        }
        Ok(words)
    }

    /// 16-bit codes.
    pub(super) mod codes {
        use serde::{Deserializer, Serializer};

        pub(in super::super) fn serialize<S: Serializer>(codes: &[u16], out: S) -> Result<S::Ok, S::Error> {
            crate::hex::serialize(codes.iter().map(|code| u64::from(*code)), 4, out)
        }

        pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(source: D) -> Result<Vec<u16>, D::Error> {
            let words = super::ring(source, 4, super::super::COARSE_BINS)?;
            Ok(words.into_iter().map(|word| (word & 0xffff) as u16).collect())
        }
    }

    /// Bits of single-precision numbers; what is not finite or negative is missing.
    pub(super) mod singles {
        use serde::{Deserializer, Serializer};

        pub(in super::super) fn serialize<S: Serializer>(rates: &[f32], out: S) -> Result<S::Ok, S::Error> {
            crate::hex::serialize(rates.iter().map(|rate| u64::from(rate.to_bits())), 8, out)
        }

        pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(source: D) -> Result<Vec<f32>, D::Error> {
            let words = super::ring(source, 8, super::super::RECENT_SLOTS)?;
            let rate = |word: u64| Some(f32::from_bits(word as u32)).filter(|rate| rate.is_finite() && *rate >= 0.0);
            Ok(words.into_iter().map(|word| rate(word).unwrap_or(super::super::MISSING)).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rand::{Stream, uniform};

    fn at(slot: i64) -> Timestamp {
        Timestamp::from_micros(slot * SLOT.micros())
    }

    #[test]
    fn weights_halve_after_the_half_life() {
        for (weight, half_life) in EMA_WEIGHTS.into_iter().zip(HALF_LIFE_SLOTS) {
            let kept = (0..half_life).fold(1.0, |kept, _| kept * (1.0 - weight));
            assert!((kept - 0.5).abs() < 1e-12, "half-life {half_life}: {kept}");
        }
    }

    #[test]
    fn a_slot_counts_once_and_skipped_ones_are_missing() {
        let mut history = LoadHistory::new();
        assert_eq!((history.recent(0), history.mean(0, 8), history.exponential_means()), (None, None, None));
        assert!(history.push(at(10), SLOT, Some(4.0)));
        assert!(!history.push(at(10), SLOT, Some(9.0)), "not newer");
        assert!(!history.push(at(9), SLOT, Some(9.0)), "older");
        assert!(history.push(at(13), SLOT, Some(6.0)));
        assert_eq!([0, 1, 2, 3].map(|age| history.recent(age)), [Some(6.0), None, None, Some(4.0)]);
        assert_eq!(history.mean(0, 8), Some(5.0), "missing slots change no mean");
        assert!(history.push(at(14), SLOT, Some(f64::NAN)));
        assert_eq!((history.recent(0), history.last_known()), (None, Some((at(13), 6.0))));
        assert_eq!(history.last_end(), Some(at(14)));
    }

    #[test]
    fn a_long_slot_is_several_short_ones() {
        let (mut long, mut short) = (LoadHistory::new(), LoadHistory::new());
        for minute in 1..50 {
            let rate = uniform(1, Stream::TraceNoise, 0, minute);
            long.push(at(i64::from(minute) * 4), Span::from_secs(60), Some(rate));
            for slot in -3..=0 {
                short.push(at(i64::from(minute) * 4 + slot), SLOT, Some(rate));
            }
        }
        assert_eq!(long, short);
    }

    #[test]
    fn remembers_yesterday_and_last_week_and_no_more() {
        let rate = |slot: i64| 100.0 + (slot % 5_760) as f64 / 100.0;
        let mut history = LoadHistory::new();
        let total = 9 * 5_760;
        for slot in 1..=total {
            history.push(at(slot), SLOT, Some(rate(slot)));
        }
        for days in [1, 7] {
            let then = at(total - days * 5_760 - 2_000);
            let expected = rate(total - days * 5_760 - 2_000);
            let got = history.coarse_at(then).unwrap();
            assert!((got / expected - 1.0).abs() < 1e-3, "{days} days ago: {got} {expected}");
            let greatest = history.coarse_max(then, Span::from_secs(1_800)).unwrap();
            assert!((greatest / rate(total - days * 5_760 - 1_880) - 1.0).abs() < 1e-3, "{greatest}");
        }
        assert_eq!(history.coarse_at(at(total - 8 * 5_760 - 200)), None, "older than is kept");
        assert_eq!(history.coarse_at(at(total + 100)), None, "the future");
    }

    #[test]
    fn a_gap_longer_than_the_memory_leaves_nothing_behind() {
        let mut history = LoadHistory::new();
        for slot in 1..=5_760 {
            history.push(at(slot), SLOT, Some(10.0));
        }
        let far = 5_760 * 400;
        history.push(at(far), SLOT, Some(20.0));
        assert_eq!((history.recent(0), history.recent(1)), (Some(20.0), None));
        for back in (0..COARSE_BINS as i64 - 2).step_by(7) {
            assert_eq!(history.coarse_at(at(far - 60 - back * 40)), None, "{back} bins back");
        }
    }

    #[test]
    fn codes_are_close_and_keep_zero_and_missing_apart() {
        assert_eq!((decode(0), encode(0.0), decode(1)), (None, 1, Some(0.0)));
        for exponent in -20..70_i32 {
            let rate = math::exp(f64::from(exponent) * 0.2);
            let got = decode(encode(rate)).unwrap();
            assert!((got / rate - 1.0).abs() < 1.8e-4, "{rate}: {got}");
        }
        assert!(decode(encode(f64::MAX)).unwrap().is_finite());
    }

    #[test]
    fn snapshots_are_exact_and_small() {
        let mut history = LoadHistory::new();
        for slot in 1..=(8 * 5_760) {
            let rate = 1e4 * uniform(3, Stream::TraceNoise, 1, slot);
            history.push(at(i64::from(slot)), SLOT, (slot % 11 != 0).then_some(rate));
        }
        let text = serde_json::to_string(&history).unwrap();
        assert!(text.len() < 6_500, "{} bytes", text.len());
        assert_eq!(serde_json::from_str::<LoadHistory>(&text).unwrap(), history);
        let broken = text.replace("\"recent\":\"", "\"recent\":\"0");
        assert!(serde_json::from_str::<LoadHistory>(&broken).unwrap_err().to_string().contains("hexadecimal"));
    }
}
