//! What can be wrong with a file to import: one variant per cause; each message says what, where, and what to do.
//!
//! `file` is the name the caller gave; `place` is `line 7` of a CSV file (the header is line 1) or the moment of a sample.

/// Foreign bytes are no trace.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Not CSV, or not UTF-8, or a row of another length than the header.
    #[error(
        "{file}: {detail}. Write it as UTF-8, separated by commas, with one header line and as many fields in every row"
    )]
    Csv {
        /// The file.
        file: String,
        /// What the reader said, with the line.
        detail: String,
    },
    /// No column of that name.
    #[error("{file}: no column `{column}` (columns present: {present}). Name one of these")]
    MissingColumn {
        /// The file.
        file: String,
        /// The column asked for.
        column: String,
        /// The columns that are there, comma separated.
        present: String,
    },
    /// Two columns of that name.
    #[error("{file}: several columns are called `{column}`. Rename all but one")]
    DoubledColumn {
        /// The file.
        file: String,
        /// The column asked for.
        column: String,
    },
    /// A time that cannot be read.
    #[error(
        "{file}: {place}, column `{column}`: `{text}` is no time of format {format}. Repair it, or state another --time-format"
    )]
    Time {
        /// The file.
        file: String,
        /// The line.
        place: String,
        /// The column.
        column: String,
        /// What stands there.
        text: String,
        /// The format it was read by.
        format: &'static str,
    },
    /// A value that cannot be read.
    #[error(
        "{file}: {place}, column `{column}`: `{text}` is no number. Repair it (1234.5, without separators of thousands), or leave the field empty: it becomes a missing bin"
    )]
    Number {
        /// The file.
        file: String,
        /// The line.
        place: String,
        /// The column.
        column: String,
        /// What stands there.
        text: String,
    },
    /// A value that is NaN or infinite.
    #[error("{file}: {place}: the value is {value}. Remove the sample (absent ones become missing bins) or repair it")]
    NotFinite {
        /// The file.
        file: String,
        /// The line, where there is one, and the moment.
        place: String,
        /// The value.
        value: f64,
    },
    /// A value below zero.
    #[error(
        "{file}: {place}: the value is {value}: a load cannot be negative. Repair it, or choose another column or query"
    )]
    Negative {
        /// The file.
        file: String,
        /// The line, where there is one, and the moment.
        place: String,
        /// The value.
        value: f64,
    },
    /// A row earlier than the one before it.
    #[error("{file}: {place} is earlier than the row before it in {series}. Sort the rows by time")]
    Unsorted {
        /// The file.
        file: String,
        /// The line, where there is one, and the moment.
        place: String,
        /// `series …`, or `the source` where it has no name.
        series: String,
    },
    /// Two rows of one time.
    #[error("{file}: {place} stands twice in {series}. Keep one row, or name the column that tells the series apart")]
    Doubled {
        /// The file.
        file: String,
        /// The line, where there is one, and the moment.
        place: String,
        /// `series …`, or `the source` where it has no name.
        series: String,
    },
    /// A row between two points of the grid.
    #[error(
        "{file}: {place} is off the grid of {interval_s} s that begins at {start} in {series}. State the interval of the rows, or round their times to it"
    )]
    OffGrid {
        /// The file.
        file: String,
        /// The line, where there is one, and the moment.
        place: String,
        /// The interval in seconds.
        interval_s: f64,
        /// The first time of the series.
        start: String,
        /// `series …`, or `the source` where it has no name.
        series: String,
    },
    /// A gap so long that it must be a mistake.
    #[error(
        "{file}: {place} would make a grid of {bins} bins of {interval_s} s. Correct the time, or state a longer interval"
    )]
    TooLong {
        /// The file.
        file: String,
        /// The line, where there is one, and the moment.
        place: String,
        /// The bins that would be needed.
        bins: i64,
        /// The interval in seconds.
        interval_s: f64,
    },
    /// No two rows to judge the interval by.
    #[error("{file}: no series has two rows, so the interval cannot be judged. State it")]
    IntervalUnknown {
        /// The file.
        file: String,
    },
    /// An interval that is not positive.
    #[error("{file}: an interval of {interval_s} s is not possible. State a positive one, for example 60s")]
    Interval {
        /// The file.
        file: String,
        /// The interval in seconds.
        interval_s: f64,
    },
    /// No row, or a series without any known value.
    #[error("{file}: {what} holds no value. Check the source and the span that was asked for")]
    Empty {
        /// The file.
        file: String,
        /// The file, or `series …`.
        what: String,
    },
    /// Several series and no label to call them by.
    #[error(
        "{file}: the query answers with {count} series, for example {example}. Name the label that tells them apart with --series, or aggregate in the query, for example with sum(…)"
    )]
    SeriesNeeded {
        /// The file.
        file: String,
        /// How many there are.
        count: usize,
        /// Labels of the first.
        example: String,
    },
    /// A series lacks the label.
    #[error("{file}: series {labels} has no label `{label}`. Name a label that every series has")]
    LabelMissing {
        /// The file.
        file: String,
        /// The label asked for.
        label: String,
        /// The labels of that series.
        labels: String,
    },
    /// Two series with the same value of the label.
    #[error(
        "{file}: several series have {label}=\"{name}\". Name another label, or aggregate in the query by this one"
    )]
    SameName {
        /// The file.
        file: String,
        /// The label asked for.
        label: String,
        /// The value they share.
        name: String,
    },
}
