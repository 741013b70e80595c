//! Protocol P1, "Splits": training, validation, gap and test of a series, as disjoint, ordered ranges of bins.
//!
//! By fractions: 70/10/20 by time; a gap of min(1 day, half the validation) is cut from the end of validation; the test is at
//! most the first 7 days of its part. By dates (`worldcup98`): the boundaries are given. A series shorter than 3 days is
//! test-only: its other parts are empty.

use std::ops::Range;

use seatrial_core::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};

use crate::moment::{self, DAY};

/// A series shorter than this is test-only.
pub const SHORTEST_TRAINED: Span = Span::from_secs(3 * 86_400);
/// The test part is at most this long.
pub const LONGEST_TEST: Span = Span::from_secs(7 * 86_400);

/// How a series is split.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "kebab-case", deny_unknown_fields)]
pub enum SplitRule {
    /// 70/10/20 by time with the gap of the module.
    Fractions,
    /// Boundaries by date, half open; each is rounded up to a bin.
    Dates(Dates),
}

/// Boundaries of [`SplitRule::Dates`], ascending. In a config: RFC 3339 texts or seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dates {
    /// Training ends and validation begins.
    #[serde(with = "moment")]
    pub train_end: Timestamp,
    /// Validation ends and the gap begins.
    #[serde(with = "moment")]
    pub validation_end: Timestamp,
    /// The gap ends and the test begins.
    #[serde(with = "moment")]
    pub test_start: Timestamp,
    /// The test ends.
    #[serde(with = "moment")]
    pub test_end: Timestamp,
}

impl SplitRule {
    /// The dates of `worldcup98_requests_1min`: training to 19 June 1998 00:00, validation 19 June, gap 20 June, test 21 to 27 June.
    #[must_use]
    pub const fn worldcup98() -> Self {
        Self::Dates(Dates {
            train_end: Timestamp::from_secs(898_214_400),
            validation_end: Timestamp::from_secs(898_300_800),
            test_start: Timestamp::from_secs(898_387_200),
            test_end: Timestamp::from_secs(898_992_000),
        })
    }

    /// The rule of protocol P1 for a family: dates for `worldcup98_requests_1min`, fractions for every other.
    #[must_use]
    pub fn protocol_p1(family: &str) -> Self {
        if family == "worldcup98_requests_1min" { Self::worldcup98() } else { Self::Fractions }
    }
}

/// Parts of a series in bins: half open, disjoint, in this order; between test and the end may lie unused bins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Splits {
    /// Fitting and scaling.
    pub train: Range<usize>,
    /// Selection.
    pub validation: Range<usize>,
    /// Belongs to neither.
    pub gap: Range<usize>,
    /// Scoring.
    pub test: Range<usize>,
}

/// Why dates cannot split a series.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SplitError {
    /// Boundaries do not ascend.
    #[error("split dates do not ascend: {dates}. Order them train_end < validation_end <= test_start < test_end")]
    Order {
        /// The four dates.
        dates: String,
    },
    /// A part would be empty.
    #[error(
        "split dates leave no bin for {part}: the series covers {from} to {to}. Choose dates inside it, or the rule `fractions`"
    )]
    EmptyPart {
        /// The part.
        part: &'static str,
        /// Start of the series.
        from: String,
        /// End of the series.
        to: String,
    },
}

impl Splits {
    /// Splits `bins` bins of `interval` from `start` by `rule`; series shorter than 3 days are test-only.
    ///
    /// # Errors
    /// If dates do not ascend or leave training, validation or test without a bin.
    pub fn new(rule: &SplitRule, start: Timestamp, interval: Span, bins: usize) -> Result<Self, SplitError> {
        if interval * count(bins) < SHORTEST_TRAINED {
            return Ok(Self { train: 0..0, validation: 0..0, gap: 0..0, test: 0..bins });
        }
        match rule {
            SplitRule::Fractions => Ok(Self::by_fractions(interval, bins)),
            SplitRule::Dates(dates) => Self::by_dates(dates, start, interval, bins),
        }
    }

    /// Whether the series is too short to learn from.
    #[must_use]
    pub fn test_only(&self) -> bool {
        self.train.is_empty()
    }

    fn by_fractions(interval: Span, bins: usize) -> Self {
        let (train_end, test_start) = (bins * 7 / 10, bins * 8 / 10);
        let gap = whole_bins(DAY, interval).min((test_start - train_end) / 2);
        let test_end = bins.min(test_start + whole_bins(LONGEST_TEST, interval));
        Self {
            train: 0..train_end,
            validation: train_end..test_start - gap,
            gap: test_start - gap..test_start,
            test: test_start..test_end,
        }
    }

    fn by_dates(dates: &Dates, start: Timestamp, interval: Span, bins: usize) -> Result<Self, SplitError> {
        let Dates { train_end, validation_end, test_start, test_end } = *dates;
        if !(train_end < validation_end && validation_end <= test_start && test_start < test_end) {
            let dates = [train_end, validation_end, test_start, test_end].map(moment::format).join(", ");
            return Err(SplitError::Order { dates });
        }
        let bin = |at: Timestamp| bin_at_or_after(at, start, interval).min(bins);
        let splits = Self {
            train: 0..bin(train_end),
            validation: bin(train_end)..bin(validation_end),
            gap: bin(validation_end)..bin(test_start),
            test: bin(test_start)..bin(test_end),
        };
        let parts = [("training", &splits.train), ("validation", &splits.validation), ("test", &splits.test)];
        let empty = parts.into_iter().find(|(_, range)| range.is_empty()).map(|(part, _)| part);
        let Some(part) = empty else { return Ok(splits) };
        let end = start + interval * count(bins);
        Err(SplitError::EmptyPart { part, from: moment::format(start), to: moment::format(end) })
    }
}

fn count(bins: usize) -> i64 {
    i64::try_from(bins).unwrap_or(i64::MAX)
}

fn whole_bins(span: Span, interval: Span) -> usize {
    usize::try_from(span.whole_steps(interval)).unwrap_or(0)
}

/// The first bin that starts at or after `at`.
fn bin_at_or_after(at: Timestamp, start: Timestamp, interval: Span) -> usize {
    let whole = at.since(start).whole_steps(interval);
    let up = i64::from(start + interval * whole < at);
    usize::try_from(whole + up).unwrap_or(0)
}
