//! The model `Linear`: ordinary least squares of replicas over time, extrapolated to the look-ahead.
//!
//! The original fits the newest `historySize` replica counts and the present one by a pseudo-inverse in doubles and rounds up,
//! so that dust of the arithmetic can cost a replica. Here the line is exact: times are whole seconds (as the original stores
//! them), replicas whole numbers, sums 128-bit integers, and the answer is the ceiling of a fraction. Sums are carried from sync
//! to sync: a prediction costs the same for a history of any length.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::scaling::packed;

/// Micro-units per unit.
const MICRO: i128 = 1_000_000;

/// Replica counts with their times, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub(super) struct History {
    /// Seconds since the epoch of the oldest and the newest entry.
    oldest_s: i64,
    newest_s: i64,
    entries: VecDeque<Entry>,
    sums: Sums,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    /// Seconds since the entry before.
    gap_s: u16,
    replicas: u16,
}

/// Of times since the oldest entry (t) and replicas (y).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sums {
    n: i128,
    t: i128,
    tt: i128,
    y: i128,
    ty: i128,
}

impl Sums {
    const fn with(self, t: i128, y: i128) -> Self {
        Self { n: self.n + 1, t: self.t + t, tt: self.tt + t * t, y: self.y + y, ty: self.ty + t * y }
    }

    /// Without an entry at time zero, and with zero moved to `shift`.
    const fn without_first(self, y: i128, shift: i128) -> Self {
        let (n, y) = (self.n - 1, self.y - y);
        Self {
            n,
            t: self.t - n * shift,
            tt: self.tt - 2 * shift * self.t + n * shift * shift,
            y,
            ty: self.ty - shift * y,
        }
    }

    /// The least-squares line at `at_us` microseconds, rounded up; `None` if all times are equal.
    fn ceiling_at(self, at_us: i128) -> Option<i128> {
        let spread = self.n * self.tt - self.t * self.t;
        let slope = self.n * self.ty - self.t * self.y;
        let value = self.y * spread * MICRO + slope * (self.n * at_us - self.t * MICRO);
        let unit = self.n * spread * MICRO;
        (spread != 0).then(|| -(-value).div_euclid(unit))
    }
}

impl History {
    pub(super) fn with_room(size: usize) -> Self {
        let entries = VecDeque::with_capacity(size + 1);
        Self { oldest_s: 0, newest_s: 0, entries, sums: Sums::default() }
    }

    /// The line through the history and `replicas` at `now_us`, at `ahead_us` later; the only replica count if there is no other.
    /// `None` where no line goes through.
    pub(super) fn predict(&self, now_us: i64, replicas: u16, ahead_us: i64) -> Option<i128> {
        if self.entries.is_empty() {
            return Some(i128::from(replicas));
        }
        let now_s = now_us.div_euclid(1_000_000);
        let sums = self.sums.with(i128::from(now_s) - i128::from(self.oldest_s), i128::from(replicas));
        sums.ceiling_at(i128::from(now_us) - i128::from(self.oldest_s) * MICRO + i128::from(ahead_us))
    }

    /// Appends `replicas` and forgets what is older than the newest `size` entries. A time before the newest entry's or more
    /// than 65,535 s after it starts a new history.
    pub(super) fn push(&mut self, now_us: i64, replicas: u16, size: usize) {
        let now_s = now_us.div_euclid(1_000_000);
        let gap_s = match u16::try_from(now_s.saturating_sub(self.newest_s)) {
            Ok(gap_s) if !self.entries.is_empty() => gap_s,
            _ => {
                self.clear();
                self.oldest_s = now_s;
                0
            }
        };
        self.newest_s = now_s;
        self.entries.push_back(Entry { gap_s, replicas });
        self.sums = self.sums.with(i128::from(now_s - self.oldest_s), i128::from(replicas));
        while self.entries.len() > size {
            self.forget_oldest();
        }
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.sums = Sums::default();
    }

    /// Whether a sync at this time belongs to the history; see [`Self::push`].
    pub(super) fn reaches(&self, now_us: i64) -> bool {
        let gap = now_us.div_euclid(1_000_000).saturating_sub(self.newest_s);
        self.entries.is_empty() || u16::try_from(gap).is_ok()
    }

    fn forget_oldest(&mut self) {
        if let Some(oldest) = self.entries.pop_front() {
            let shift = self.entries.front().map_or(0, |next| next.gap_s);
            self.sums = self.sums.without_first(i128::from(oldest.replicas), i128::from(shift));
            self.oldest_s += i64::from(shift);
        }
    }
}

/// As it is stored: gap and replicas by turns.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    oldest_s: i64,
    #[serde(with = "packed::words")]
    entries: Vec<u16>,
}

impl From<History> for Stored {
    fn from(history: History) -> Self {
        let entries = history.entries.iter().flat_map(|entry| [entry.gap_s, entry.replicas]).collect();
        Self { oldest_s: history.oldest_s, entries }
    }
}

impl From<Stored> for History {
    fn from(stored: Stored) -> Self {
        let pairs = || stored.entries.chunks_exact(2);
        let mut history = Self::with_room(pairs().len());
        (history.oldest_s, history.newest_s) = (stored.oldest_s, stored.oldest_s);
        for (index, pair) in pairs().enumerate() {
            // The gap before the oldest entry leads nowhere.
            let gap_s = if index == 0 { 0 } else { pair[0] };
            history.newest_s = history.newest_s.saturating_add(i64::from(gap_s));
            history.entries.push_back(Entry { gap_s: pair[0], replicas: pair[1] });
            let since = history.newest_s.saturating_sub(history.oldest_s);
            history.sums = history.sums.with(i128::from(since), i128::from(pair[1]));
        }
        history
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rand::{Stream, below};

    type Case = (&'static [(i64, u16)], i64, f64);

    /// `math.ceil(sm.OLS(y, sm.add_constant(x)).fit().predict([[1, 0]]))` of statsmodels 0.15.0 with x the seconds before the
    /// moment asked for: (times in seconds, replicas, look-ahead in ms), and the value before rounding.
    const STATSMODELS: [Case; 5] = [
        (&[(0, 3), (60, 6)], 10_000, 6.5),
        (&[(0, 5), (15, 7), (30, 6), (45, 9), (60, 8), (75, 12), (90, 11)], 10_000, 12.214_285_714_285_719),
        (&[(0, 20), (15, 17), (31, 11), (45, 9), (62, 4)], 60_000, -11.585_875_610_989_38),
        (&[(7, 4), (22, 4), (37, 4)], 600_000, 4.0),
        (&[(0, 1), (15, 40), (30, 2), (45, 90)], 3_500, 72.943_333_333_333_33),
    ];

    #[test]
    fn predicts_as_statsmodels_does() {
        for (points, ahead_ms, expected) in STATSMODELS {
            let mut history = History::with_room(10);
            let (last, before) = points.split_last().unwrap();
            for (second, replicas) in before {
                history.push(1_000_000 * second, *replicas, 10);
            }
            let got = history.predict(1_000_000 * last.0, last.1, 1_000 * ahead_ms).unwrap();
            assert_eq!(got, libm::ceil(expected - 1e-9) as i128, "{points:?}");
        }
    }

    #[test]
    fn times_are_whole_seconds_and_the_moment_asked_for_is_not() {
        let mut history = History::with_room(10);
        history.push(900_000, 1, 10);
        // Stored at 0 s; now stored at 10 s: slope 1 per second, asked at 10.9 s.
        assert_eq!(history.predict(10_900_000, 11, 0), Some(12));
        assert_eq!(history.predict(10_000_000, 11, 0), Some(11));
        assert_eq!(history.predict(900_000, 5, 0), None, "two counts of one second");
        assert_eq!(History::with_room(10).predict(0, 7, 1_000_000), Some(7), "one count is the answer");
    }

    /// Against sums made afresh, over a history that slides, with gaps and restores.
    #[test]
    fn carried_sums_are_exact() {
        let mut history = History::with_room(50);
        let (mut now_us, mut plain) = (1_800_000_000_000_000_i64, Vec::new());
        for step in 0..3_000_u32 {
            let draw = |index, bound| below(3, Stream::TraceNoise, u64::from(step), index, bound);
            now_us += 15_000_000 + 1_000 * draw(0, 40_000) as i64;
            let replicas = draw(1, 65_536) as u16;
            plain.push((now_us.div_euclid(1_000_000), replicas));
            let kept = &plain[plain.len().saturating_sub(51)..];
            let origin = kept[0].0;
            let sums =
                kept.iter().fold(Sums::default(), |sums, (s, y)| sums.with(i128::from(s - origin), i128::from(*y)));
            let expected = sums.ceiling_at(i128::from(now_us) - i128::from(origin) * MICRO + 30_000_000);
            if step > 0 {
                assert_eq!(history.predict(now_us, replicas, 30_000_000), expected, "step {step}");
            }
            history.push(now_us, replicas, 50);
            if step % 97 == 0 {
                let text = serde_json::to_string(&history).unwrap();
                let restored: History = serde_json::from_str(&text).unwrap();
                assert_eq!(serde_json::to_string(&restored).unwrap(), text);
                history = restored;
            }
        }
        assert_eq!(history.entries.len(), 50);
    }

    #[test]
    fn a_clock_that_jumps_starts_a_new_history() {
        for jump in [-1, 65_536, i64::MAX / 1_000_000 - 100, -4_000_000_000] {
            let mut history = History::with_room(10);
            (0..5).for_each(|step| history.push(15_000_000 * step, 9, 10));
            let now_us = 1_000_000 * (60 + jump);
            assert!(!history.reaches(now_us), "{jump}");
            history.push(now_us, 4, 10);
            assert_eq!((history.entries.len(), history.sums.y), (1, 4), "{jump}");
        }
    }
}
