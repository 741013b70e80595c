//! How long to wait after a failure: `(state, failure, draw) -> (delay, state)`, with one row of numbers per error class.
//!
//! It is a pure function, so that the simulator trains the table that the operator runs. Rules:
//! - **A step is taken only if the delay before it was served.** A failure that comes earlier (an event made the key be looked
//!   at again) waits the same step anew, and at least what was left. client-go counts it, and its delay reaches 1,000 s within
//!   seconds (kubernetes issues 132805 and 112325).
//! - Each class counts for itself, so failures that alternate between two classes back off in both. Success resets all.
//! - With own delay d and jitter share j the delay is drawn from `[(1 - j)·d, d]`: j = 0 is plain, 1/2 equal, 1 full jitter.
//! - A server's hint is a lower bound: the range then starts at the hint, so that a herd told the same second still spreads.
//!   Hints beyond [`LONGEST_HINT`] count as that much, so no server can put a key to sleep for good.
//! - If the clock runs backwards, nothing is left of the earlier delay and no step is taken.
//!
//! Sources: client-go's limiters (5 ms × 2ⁿ to 1,000 s) and conflict retry, its reflector (0.8 s × 2ⁿ to 30 s), the AWS SDKs'
//! standard retry of 2026 (50 ms or 1 s when throttled, full jitter, cap 20 s), AWS "Exponential Backoff And Jitter" (2015),
//! the slow floor of 30 s of the origin's permanent errors.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error_class::{ErrorClass, Failure};
use crate::time::{Span, Timestamp};

const CLASSES: usize = ErrorClass::ALL.len();

/// The longest hint of a server that is followed to the letter: client-go's longest delay.
pub const LONGEST_HINT: Span = Span::from_secs(1_000);

/// Numbers of one class.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackoffRow {
    /// First delay, in microseconds; above zero.
    #[serde(rename = "first_us")]
    pub first: Span,
    /// What each served delay multiplies the next one by, 1 to 100.
    pub factor: f64,
    /// Longest own delay, in microseconds; at least the first.
    #[serde(rename = "cap_us")]
    pub cap: Span,
    /// Share of the delay that is drawn, 0 to 1.
    pub jitter: f64,
    /// Whether the first retry comes without delay; `first` is then the second's.
    pub at_once: bool,
}

impl BackoffRow {
    /// Own delay of the n-th counted failure, from 1, before jitter.
    fn delay_us(&self, failures: u16) -> f64 {
        let skipped = 1 + u16::from(self.at_once);
        if failures < skipped {
            return 0.0;
        }
        let (mut delay, cap) = (self.first.micros() as f64, self.cap.micros() as f64);
        for _ in skipped..failures {
            delay *= self.factor;
            if delay >= cap || self.factor <= 1.0 {
                break;
            }
        }
        delay.min(cap)
    }

    fn check(&self, class: ErrorClass) -> Result<(), BackoffError> {
        let refuse = |field, allowed| Err(BackoffError::OutOfRange { class: class.label(), field, allowed });
        if self.first <= Span::ZERO {
            return refuse("first_us", "above 0");
        }
        if self.cap < self.first {
            return refuse("cap_us", "at least first_us");
        }
        if !(1.0..=100.0).contains(&self.factor) {
            return refuse("factor", "1 to 100");
        }
        if !(0.0..=1.0).contains(&self.jitter) {
            return refuse("jitter", "0 to 1");
        }
        Ok(())
    }
}

/// Why a table was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackoffError {
    /// A number that makes no sense.
    #[error("backoff table, class `{class}`: `{field}` must be {allowed}; correct or omit the row")]
    OutOfRange {
        /// Label of the class.
        class: &'static str,
        /// Field of the row.
        field: &'static str,
        /// What it may be.
        allowed: &'static str,
    },
}

/// One row per class.
///
/// As data it is a map from class to row; classes that are left out have the row of [`BackoffTable::default`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<ErrorClass, BackoffRow>", into = "BTreeMap<ErrorClass, BackoffRow>")]
pub struct BackoffTable {
    rows: [BackoffRow; CLASSES],
}

/// A failed try as the table sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailedTry {
    /// Class of the failure.
    pub class: ErrorClass,
    /// How long the server asks to wait.
    pub server_hint: Option<Span>,
    /// When it failed.
    pub at: Timestamp,
}

impl FailedTry {
    /// A failure that was noticed at `at`.
    #[must_use]
    pub fn new(failure: &Failure, at: Timestamp) -> Self {
        Self { class: failure.class(), server_hint: failure.retry_after, at }
    }
}

/// What is remembered of one key's failures; the default is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackoffState {
    /// Counted failures since the last success, by class.
    failures: [u16; CLASSES],
    wait: Option<Wait>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Wait {
    from: Timestamp,
    until: Timestamp,
}

impl BackoffState {
    /// Failures of a class that were counted since the last success.
    #[must_use]
    pub const fn failures(&self, class: ErrorClass) -> u16 {
        self.failures[class.index()]
    }

    /// When the delay that was answered last ends; `None` without a failure since the last success.
    #[must_use]
    pub fn waits_until(&self) -> Option<Timestamp> {
        self.wait.map(|wait| wait.until)
    }

    /// After a success: nothing is remembered.
    #[must_use]
    pub fn succeeded(self) -> Self {
        Self::default()
    }

    fn served(&self, now: Timestamp) -> bool {
        self.wait.is_none_or(|wait| now >= wait.until)
    }

    fn left(&self, now: Timestamp) -> Span {
        self.wait.filter(|wait| now >= wait.from).map_or(Span::ZERO, |wait| (wait.until - now).max(Span::ZERO))
    }
}

impl BackoffTable {
    /// The default with these rows in place of its own.
    ///
    /// # Errors
    /// A row with numbers out of range.
    pub fn with_rows(rows: impl IntoIterator<Item = (ErrorClass, BackoffRow)>) -> Result<Self, BackoffError> {
        let mut table = Self::default();
        for (class, row) in rows {
            row.check(class)?;
            table.rows[class.index()] = row;
        }
        Ok(table)
    }

    /// The same row for every class, as controllers have it that do not tell failures apart.
    ///
    /// # Errors
    /// Numbers out of range.
    pub fn uniform(row: BackoffRow) -> Result<Self, BackoffError> {
        Self::with_rows(ErrorClass::ALL.map(|class| (class, row)))
    }

    /// Row of a class.
    #[must_use]
    pub const fn row(&self, class: ErrorClass) -> &BackoffRow {
        &self.rows[class.index()]
    }

    /// How long to wait after `failed`, and what to remember; `draw01` is uniform in (0, 1) (NaN counts as 0).
    #[must_use]
    pub fn next(&self, state: BackoffState, failed: &FailedTry, draw01: f64) -> (Span, BackoffState) {
        let row = self.row(failed.class);
        let mut failures = state.failures;
        let count = &mut failures[failed.class.index()];
        if state.served(failed.at) || *count == 0 {
            *count = count.saturating_add(1);
        }
        let own = row.delay_us(*count);
        let hint = failed.server_hint.unwrap_or(Span::ZERO).min(LONGEST_HINT);
        let at_least = micros(own * (1.0 - row.jitter)).max(hint);
        let delay = (at_least + micros(own * row.jitter * clamp01(draw01))).max(state.left(failed.at));
        (delay, BackoffState { failures, wait: Some(Wait { from: failed.at, until: failed.at + delay }) })
    }
}

#[expect(clippy::cast_possible_truncation, reason = "truncates to whole microseconds and saturates")]
const fn micros(x: f64) -> Span {
    Span::from_micros(x as i64)
}

fn clamp01(draw: f64) -> f64 {
    if draw > 0.0 { draw.min(1.0) } else { 0.0 }
}

/// The table of the operator; the module names the sources of the numbers.
impl Default for BackoffTable {
    fn default() -> Self {
        Self { rows: ErrorClass::ALL.map(default_row) }
    }
}

const fn default_row(class: ErrorClass) -> BackoffRow {
    let (first_ms, factor, cap_s, jitter, at_once) = match class {
        // A fresh read is all it needs; then client-go's conflict retry. A lasting conflict of field managers ends in 30 s.
        ErrorClass::Conflict => (10, 5.0, 30, 0.5, true),
        // The reflector's numbers: reading and listing again.
        ErrorClass::NotFound => (800, 2.0, 30, 0.5, false),
        ErrorClass::Expired => (800, 2.0, 30, 0.5, true),
        // The AWS SDKs' numbers; a time-out leaves load behind on the server, so it waits like a throttled request.
        ErrorClass::Throttled | ErrorClass::Timeout => (1_000, 2.0, 20, 1.0, false),
        ErrorClass::Transient => (50, 2.0, 20, 1.0, false),
        // A person or a deletion has to finish first: a change of the object wakes the key, the timer is a slow floor.
        ErrorClass::Terminating => (30_000, 1.0, 30, 0.5, false),
        ErrorClass::Denied | ErrorClass::Invalid => (30_000, 2.0, 300, 0.5, false),
        ErrorClass::Fatal => (30_000, 2.0, 1_000, 0.5, false),
    };
    BackoffRow { first: Span::from_millis(first_ms), factor, cap: Span::from_secs(cap_s), jitter, at_once }
}

impl TryFrom<BTreeMap<ErrorClass, BackoffRow>> for BackoffTable {
    type Error = BackoffError;

    fn try_from(rows: BTreeMap<ErrorClass, BackoffRow>) -> Result<Self, Self::Error> {
        Self::with_rows(rows)
    }
}

impl From<BackoffTable> for BTreeMap<ErrorClass, BackoffRow> {
    fn from(table: BackoffTable) -> Self {
        ErrorClass::ALL.into_iter().zip(table.rows).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::error_class::Transport;

    const ROW: BackoffRow =
        BackoffRow { first: Span::from_secs(1), factor: 2.0, cap: Span::from_secs(5), jitter: 0.0, at_once: false };

    fn failed(class: ErrorClass, at: Timestamp) -> FailedTry {
        FailedTry { class, server_hint: None, at }
    }

    fn table() -> BackoffTable {
        BackoffTable::uniform(ROW).unwrap()
    }

    /// Delays of failures that come exactly when each delay was served.
    fn served(table: &BackoffTable, class: ErrorClass, count: usize) -> Vec<Span> {
        let (mut now, mut state) = (Timestamp::ZERO, BackoffState::default());
        let next = |_| {
            let (delay, after) = table.next(state, &failed(class, now), 1.0);
            (now, state) = (now + delay, after);
            delay
        };
        (0..count).map(next).collect()
    }

    #[test]
    fn served_delays_grow_to_the_cap() {
        assert_eq!(served(&table(), ErrorClass::Transient, 5), [1, 2, 4, 5, 5].map(Span::from_secs));
    }

    /// The known bug: twenty failures within two seconds, all of them because events came in.
    #[test]
    fn a_failure_before_its_time_does_not_multiply() {
        let (_, mut state) =
            table().next(BackoffState::default(), &failed(ErrorClass::Transient, Timestamp::ZERO), 0.5);
        for tenth in 1..=20 {
            let at = Timestamp::from_micros(tenth * 90_000);
            let delay;
            (delay, state) = table().next(state, &failed(ErrorClass::Transient, at), 0.5);
            assert_eq!(delay, Span::from_secs(1));
            assert_eq!(state.failures(ErrorClass::Transient), 1);
        }
        let at = state.waits_until().unwrap();
        assert_eq!(table().next(state, &failed(ErrorClass::Transient, at), 0.5).0, Span::from_secs(2));
    }

    #[test]
    fn an_early_failure_of_a_milder_class_waits_what_was_left() {
        let mild = BackoffRow { first: Span::from_millis(1), ..ROW };
        let table = BackoffTable::with_rows([(ErrorClass::Conflict, mild), (ErrorClass::Denied, ROW)]).unwrap();
        let (_, state) = table.next(BackoffState::default(), &failed(ErrorClass::Denied, Timestamp::ZERO), 0.5);
        let (delay, state) = table.next(state, &failed(ErrorClass::Conflict, Timestamp::from_micros(400_000)), 0.5);
        assert_eq!(delay, Span::from_millis(600));
        assert_eq!(state.failures(ErrorClass::Conflict), 1, "the first of its class counts");
        assert_eq!(state.failures(ErrorClass::Denied), 1);
    }

    #[test]
    fn alternating_classes_back_off_in_both() {
        let (mut now, mut state, mut delays) = (Timestamp::ZERO, BackoffState::default(), Vec::new());
        for class in [ErrorClass::Conflict, ErrorClass::Timeout].into_iter().cycle().take(6) {
            let (delay, after) = table().next(state, &failed(class, now), 0.0);
            (now, state) = (now + delay, after);
            delays.push(delay);
        }
        assert_eq!(delays, [1, 1, 2, 2, 4, 4].map(Span::from_secs));
    }

    #[test]
    fn success_resets() {
        let (_, state) = table().next(BackoffState::default(), &failed(ErrorClass::Timeout, Timestamp::ZERO), 0.0);
        assert_eq!(state.succeeded(), BackoffState::default());
    }

    #[test]
    fn a_hint_is_a_lower_bound_that_jitter_spreads() {
        let full = BackoffTable::uniform(BackoffRow { jitter: 1.0, ..ROW }).unwrap();
        let hinted = |seconds, draw| {
            let server_hint = Some(Span::from_secs(seconds));
            let failed = FailedTry { server_hint, ..failed(ErrorClass::Throttled, Timestamp::ZERO) };
            full.next(BackoffState::default(), &failed, draw).0
        };
        assert_eq!(hinted(7, 0.0), Span::from_secs(7));
        assert_eq!(hinted(7, 0.5), Span::from_millis(7_500));
        assert_eq!(hinted(0, 0.5), Span::from_millis(500));
        assert_eq!(hinted(i64::MAX / 1_000_000, 0.0), LONGEST_HINT);
        assert_eq!(hinted(-5, 0.0), Span::ZERO);
    }

    #[test]
    fn a_clock_that_runs_backwards_neither_steps_nor_waits_longer() {
        let later = Timestamp::from_secs(86_400);
        let (_, state) = table().next(BackoffState::default(), &failed(ErrorClass::Timeout, later), 0.0);
        let (delay, state) = table().next(state, &failed(ErrorClass::Timeout, Timestamp::ZERO), 0.0);
        assert_eq!(delay, Span::from_secs(1));
        assert_eq!(state.failures(ErrorClass::Timeout), 1);
    }

    /// Written out by hand from the sources that the module names, at the upper end of the jitter.
    #[test]
    fn default_delays() {
        let ms = |values: [i64; 6]| values.map(Span::from_millis).to_vec();
        let default = BackoffTable::default();
        for (class, expected) in [
            (ErrorClass::Conflict, [0, 10, 50, 250, 1_250, 6_250]),
            (ErrorClass::NotFound, [800, 1_600, 3_200, 6_400, 12_800, 25_600]),
            (ErrorClass::Expired, [0, 800, 1_600, 3_200, 6_400, 12_800]),
            (ErrorClass::Throttled, [1_000, 2_000, 4_000, 8_000, 16_000, 20_000]),
            (ErrorClass::Transient, [50, 100, 200, 400, 800, 1_600]),
            (ErrorClass::Timeout, [1_000, 2_000, 4_000, 8_000, 16_000, 20_000]),
            (ErrorClass::Denied, [30_000, 60_000, 120_000, 240_000, 300_000, 300_000]),
            (ErrorClass::Invalid, [30_000, 60_000, 120_000, 240_000, 300_000, 300_000]),
            (ErrorClass::Terminating, [30_000; 6]),
            (ErrorClass::Fatal, [30_000, 60_000, 120_000, 240_000, 480_000, 960_000]),
        ] {
            assert_eq!(served(&default, class, 6), ms(expected), "{}", class.label());
            default.row(class).check(class).unwrap();
        }
    }

    #[test]
    fn refuses_rows_out_of_range() {
        for (row, field) in [
            (BackoffRow { first: Span::ZERO, ..ROW }, "first_us"),
            (BackoffRow { cap: Span::from_millis(1), ..ROW }, "cap_us"),
            (BackoffRow { factor: 0.5, ..ROW }, "factor"),
            (BackoffRow { factor: f64::NAN, ..ROW }, "factor"),
            (BackoffRow { jitter: 1.5, ..ROW }, "jitter"),
        ] {
            let BackoffError::OutOfRange { field: named, .. } = BackoffTable::uniform(row).unwrap_err();
            assert_eq!(named, field);
        }
    }

    #[test]
    fn as_data_it_is_a_map_whose_gaps_are_defaults() {
        let row = r#"{"first_us": 2000000, "factor": 3.0, "cap_us": 9000000, "jitter": 0.1, "at_once": true}"#;
        let table: BackoffTable = serde_json::from_str(&format!(r#"{{"timeout": {row}}}"#)).unwrap();
        assert_eq!(table.row(ErrorClass::Timeout).first, Span::from_secs(2));
        assert_eq!(table.row(ErrorClass::Denied), BackoffTable::default().row(ErrorClass::Denied));
        let again: BackoffTable = serde_json::from_value(serde_json::to_value(&table).unwrap()).unwrap();
        assert_eq!(again, table);
        let refused = serde_json::from_str::<BackoffTable>(&format!(r#"{{"timeout": {}}}"#, row.replace("3.0", "0.0")));
        assert!(refused.unwrap_err().to_string().contains("class `timeout`: `factor` must be 1 to 100"));
    }

    #[test]
    fn a_failed_try_carries_class_and_hint() {
        let failure = Failure::transport(Transport::Timeout).with_retry_after(Some(Span::from_secs(3)));
        let failed = FailedTry::new(&failure, Timestamp::from_secs(9));
        let (class, server_hint) = (ErrorClass::Timeout, Some(Span::from_secs(3)));
        assert_eq!(failed, FailedTry { class, server_hint, at: Timestamp::from_secs(9) });
    }
}
