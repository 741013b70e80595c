//! Importers: foreign bytes to a [`Trace`], purely. Who fetches, names and writes lives in the programs.
//!
//! | module | from |
//! |---|---|
//! | `csv_file` | a CSV file with a column of times and one of values |
//! | `decisions` | the load samples of an operator's decision log |
//! | `range` | the answer of a Prometheus range query |
//!
//! Invariants: the same bytes and options give the same trace; nothing is repaired (rows that are unsorted, doubled, off the
//! grid, negative or not finite are refused with their place); a gap becomes *missing*, never a zero; whatever was not stated
//! and had to be inferred stands in [`Imported::notes`].

mod csv_file;
mod decisions;
mod error;
mod grid;
mod range;

pub use csv_file::{CsvColumns, TimeFormat, from_csv};
pub use decisions::from_decisions;
pub use error::ImportError;
pub use range::{RangeOptions, from_range};

use seatrial_core::time::Span;

use crate::Trace;
use crate::trace::{Kind, Provenance, Series};

/// A trace, and what the user should know about how it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// The trace; its provenance is for the caller to complete.
    pub trace: Trace,
    /// One line for each thing that was inferred or left out.
    pub notes: Vec<String>,
}

/// What a value of the source means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Requests in the bin that begins at the row's time.
    Requests,
    /// Requests per second, at the row's time; stored as a count, that is, times the length of the bin.
    RequestsPerSecond,
}

impl Unit {
    /// The word of the command line.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::RequestsPerSecond => "requests_per_s",
        }
    }

    fn requests_per_bin(self, interval: Span) -> f64 {
        match self {
            Self::Requests => 1.0,
            Self::RequestsPerSecond => interval.as_secs_f64(),
        }
    }
}

fn rate_trace(id: &str, interval: Span, series: Vec<Series>, time_base: Option<String>) -> Trace {
    let unit = format!("requests per {} s", interval.as_secs_f64());
    let provenance = Provenance { time_base, ..Provenance::default() };
    let (events, content_hash) = (Vec::new(), String::new());
    Trace { id: id.to_owned(), kind: Kind::Rate, unit, interval, series, events, provenance, content_hash }.rehash()
}
