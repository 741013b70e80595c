//! A trace in memory: named series on regular grids (kinds rate and gauge), or named lists of events.
//!
//! Invariants of a [`Series`]: `values` and `missing` have one length, at least 1; bin `i` covers
//! `[start + i·interval, start + (i+1)·interval)`; values are finite and not negative; a missing bin holds the last known
//! value (0 before the first known one). Series are ordered by name, so that nothing depends on the order of rows in a file.

mod content;
mod resample;

pub(crate) use resample::coarsen;

use std::collections::BTreeMap;
use std::fmt;

use seatrial_core::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};

use crate::TraceError;

/// How to read a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Moments at which something happened: bin before use.
    Event,
    /// A level sampled at the start of the bin: averaged when resampled.
    Gauge,
    /// A count for the bin: summed when resampled.
    Rate,
}

impl Kind {
    /// The word used in `trace.kind`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Gauge => "gauge",
            Self::Rate => "rate",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Event, Self::Gauge, Self::Rate].into_iter().find(|kind| kind.word() == word)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.word())
    }
}

/// Where a trace comes from; absent keys are `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// `trace.source`.
    pub source: Option<String>,
    /// `trace.source_commit`.
    pub source_commit: Option<String>,
    /// `trace.license`.
    pub license: Option<String>,
    /// `trace.time_base`, where it is not plain UTC.
    pub time_base: Option<String>,
    /// Further keys that begin with `trace.`, without that prefix.
    #[serde(default)]
    pub more: BTreeMap<String, String>,
}

/// One series on a regular grid. See the module for the invariants.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Name; empty in a trace of one unnamed series.
    pub name: String,
    /// Start of bin 0.
    pub start: Timestamp,
    /// Length of a bin.
    pub interval: Span,
    /// Counts per bin (rate) or levels (gauge), in the trace's unit.
    pub values: Vec<f64>,
    /// Bins for which the source has no value.
    pub missing: Vec<bool>,
}

impl Series {
    /// End of the last bin.
    #[must_use]
    pub fn end(&self) -> Timestamp {
        self.start + self.span()
    }

    /// Length of all bins together.
    #[must_use]
    pub fn span(&self) -> Span {
        self.interval * i64::try_from(self.values.len()).unwrap_or(i64::MAX)
    }

    /// Start of bin `bin`.
    #[must_use]
    pub fn at(&self, bin: usize) -> Timestamp {
        self.start + self.interval * i64::try_from(bin).unwrap_or(i64::MAX)
    }

    /// Number of missing bins.
    #[must_use]
    pub fn missing_count(&self) -> usize {
        self.missing.iter().filter(|missing| **missing).count()
    }
}

/// Moments of one series of events, ascending; several events may share a moment.
#[derive(Clone, Debug, PartialEq)]
pub struct EventSeries {
    /// Name; empty in a trace of one unnamed series.
    pub name: String,
    /// The moments, ascending, at least one.
    pub at: Vec<Timestamp>,
}

/// A trace: one file.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// File name without extension: also the *family* of protocol P1.
    pub id: String,
    /// How to read values.
    pub kind: Kind,
    /// Unit of a value, in words.
    pub unit: String,
    /// Interval of most series; zero for events. Each [`Series`] has its own.
    pub interval: Span,
    /// Series of kind rate or gauge, by name; empty for events.
    pub series: Vec<Series>,
    /// Series of kind event, by name; empty otherwise.
    pub events: Vec<EventSeries>,
    /// Where it comes from.
    pub provenance: Provenance,
    /// Hash of kind, unit and content, 64 hex digits: the same however the file is encoded. See [`Trace::rehash`].
    pub content_hash: String,
}

impl Trace {
    /// Names of the series, in order.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        let gridded = self.series.iter().map(|series| series.name.as_str());
        gridded.chain(self.events.iter().map(|series| series.name.as_str())).collect()
    }

    /// The series called `name`; without a name, the only one.
    ///
    /// # Errors
    /// If the kind is event, no name is given and there are several, or none has that name.
    pub fn series(&self, name: Option<&str>) -> Result<&Series, TraceError> {
        if self.kind == Kind::Event {
            return Err(TraceError::KindMismatch {
                trace: self.id.clone(),
                found: self.kind,
                needed: "rate or gauge: bin the events first (`Trace::bin_events`, `bin` in a config)",
            });
        }
        let known = || self.names().join(", ");
        match (name, self.series.as_slice()) {
            (None, [only]) => Ok(only),
            (None, _) => Err(TraceError::SeriesNeeded { trace: self.id.clone(), known: known() }),
            (Some(name), all) => all.iter().find(|series| series.name == name).ok_or_else(|| {
                TraceError::UnknownSeries { trace: self.id.clone(), series: name.to_owned(), known: known() }
            }),
        }
    }
}
