//! What can be wrong with a trace: one variant per cause; each message says what, where, and what to do.
//!
//! `file` is the path as it was given, or the id of a shipped trace. Rows count from 0, in file order.

use std::io;

/// A trace could not be found, read, understood or written.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// No file under that path or id.
    #[error(
        "trace `{name}` not found; looked at {searched}. Give the path of a Parquet file, or an id with SEATRIAL_TRACES set to \
         the folder that holds it"
    )]
    Absent {
        /// What was asked for.
        name: String,
        /// The places that were looked at, comma separated.
        searched: String,
    },
    /// A folder where a file is needed.
    #[error(
        "{folder} is a folder, not a trace. Give the path of a Parquet file in it, or set SEATRIAL_TRACES to it and give an id"
    )]
    Folder {
        /// The folder.
        folder: String,
    },
    /// Not Parquet, or cut off, or damaged.
    #[error(
        "{file}: not a readable Parquet file ({detail}). It may be truncated or of another format: fetch or write it again"
    )]
    NotParquet {
        /// The file.
        file: String,
        /// What the Parquet reader said.
        detail: String,
    },
    /// Parquet without a row.
    #[error("{file}: holds no rows. A trace needs at least one: check how it was written")]
    Empty {
        /// The file.
        file: String,
    },
    /// A required column is not there.
    #[error(
        "{file}: column `{column}` is missing (columns present: {present}). Add or rename it; the contract is in datasets/traces/README.md"
    )]
    MissingColumn {
        /// The file.
        file: String,
        /// The column that is required.
        column: &'static str,
        /// The columns that are there, comma separated.
        present: String,
    },
    /// A column has another type than the contract says.
    #[error(
        "{file}: column `{column}` has type {found}, the contract says {expected}. Convert the column and write the file again"
    )]
    WrongType {
        /// The file.
        file: String,
        /// The column.
        column: &'static str,
        /// Its Arrow type.
        found: String,
        /// The type that is needed.
        expected: &'static str,
    },
    /// A required value is null.
    #[error(
        "{file}: column `{column}`, row {row} is null. Fill the row, or leave it out: absent rows are read as missing"
    )]
    Null {
        /// The file.
        file: String,
        /// The column.
        column: &'static str,
        /// The row.
        row: usize,
    },
    /// Timestamps of a series do not grow.
    #[error(
        "{file}: column `timestamp`, row {row}: not after the row before it{}. Sort the rows by timestamp and remove duplicates",
        in_series(series)
    )]
    Unsorted {
        /// The file.
        file: String,
        /// The row.
        row: usize,
        /// The series, empty in a file of one.
        series: String,
    },
    /// A value is NaN or infinite.
    #[error(
        "{file}: column `value`, row {row} is {value}. Remove the row (absent rows are read as missing) or repair the value"
    )]
    NotFinite {
        /// The file.
        file: String,
        /// The row.
        row: usize,
        /// The value.
        value: f64,
    },
    /// A value is below zero.
    #[error(
        "{file}: column `value`, row {row} is {value}: a load cannot be negative. Repair the value or the column chosen as `value`"
    )]
    Negative {
        /// The file.
        file: String,
        /// The row.
        row: usize,
        /// The value.
        value: f64,
    },
    /// `trace.kind` is absent or not one of those known.
    #[error(
        "{file}: metadata `trace.kind` is {found}, known are event, gauge, rate. Write the file again with one of them; series of different kinds need a file each"
    )]
    UnknownKind {
        /// The file.
        file: String,
        /// What is there, quoted, or "absent".
        found: String,
    },
    /// `trace.interval_us` is no length of time.
    #[error(
        "{file}: metadata `trace.interval_us` is `{found}`: it must be a whole number of microseconds above 0. Correct it in the file, or leave it out"
    )]
    StatedInterval {
        /// The file.
        file: String,
        /// What is there.
        found: String,
    },
    /// A rate or gauge does not lie on a regular grid.
    #[error("{file}{}: {detail}. Resample it to a regular grid and state `trace.interval_us`", of_series(series))]
    Grid {
        /// The file.
        file: String,
        /// The series.
        series: String,
        /// What does not fit.
        detail: String,
    },
    /// The trace holds several series and none was named.
    #[error("trace `{trace}` holds several series: name one of {known}")]
    SeriesNeeded {
        /// The trace.
        trace: String,
        /// The series it holds, comma separated.
        known: String,
    },
    /// The trace has no series of that name.
    #[error("trace `{trace}` has no series `{series}`{}", choice(known))]
    UnknownSeries {
        /// The trace.
        trace: String,
        /// What was asked for.
        series: String,
        /// The series it holds, comma separated.
        known: String,
    },
    /// An interval that the operation cannot use.
    #[error("series `{series}`: {detail}")]
    Interval {
        /// The series.
        series: String,
        /// What does not fit and what would.
        detail: String,
    },
    /// The operation needs another kind of trace.
    #[error("trace `{trace}` is of kind {found}, this needs {needed}")]
    KindMismatch {
        /// The trace.
        trace: String,
        /// Its kind.
        found: super::Kind,
        /// What is needed, and how to get there.
        needed: &'static str,
    },
    /// The operating system refused: permissions, full disk, and so on.
    #[error("{file}: cannot {action}: {source}. {}", remedy(source))]
    Io {
        /// The file.
        file: String,
        /// What was tried.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

/// The series of a row, if it has a name.
fn in_series(series: &str) -> String {
    if series.is_empty() { String::new() } else { format!(" in series `{series}`") }
}

/// The series after the file, if it has a name.
fn of_series(series: &str) -> String {
    if series.is_empty() { String::new() } else { format!(": series `{series}`") }
}

/// Which series there are to name.
fn choice(known: &str) -> String {
    if known.is_empty() {
        return ": it holds one without a name. Leave the series out".to_owned();
    }
    format!(": known are {known}. Name one of them")
}

/// What to do about an I/O error.
pub(crate) fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            "Free some space or choose another folder; nothing half-written was left"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "Check the permissions or choose another folder"
        }
        io::ErrorKind::NotFound => "Check that the folder exists",
        _ => "Check the path and the disk",
    }
}
