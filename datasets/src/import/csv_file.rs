//! A CSV file with a header, a column of times and one of values, to a trace.
//!
//! An empty value is a missing bin; anything else that is no plain number is refused with its line. Times without an offset
//! are read as UTC, which the trace's `time_base` then says.

use std::collections::BTreeMap;

use seatrial_core::time::{Span, Timestamp};

use super::grid::{self, Grid, Sample};
use super::{ImportError, Imported, Unit};
use crate::moment;

/// How times are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeFormat {
    /// `2026-01-31T12:00:00Z`, with or without offset and fraction.
    Rfc3339,
    /// Seconds since 1970, with or without a fraction.
    UnixSeconds,
    /// Milliseconds since 1970, with or without a fraction.
    UnixMilliseconds,
}

impl TimeFormat {
    /// The word of the command line.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Rfc3339 => "rfc3339",
            Self::UnixSeconds => "unix-s",
            Self::UnixMilliseconds => "unix-ms",
        }
    }

    /// What a text looks like: a number above 10^11 can only be milliseconds (as seconds it is the year 5138).
    fn judged_by(text: &str) -> Self {
        let whole = text.split('.').next().unwrap_or_default();
        match whole.parse::<i64>() {
            Err(_) => Self::Rfc3339,
            Ok(number) if number.unsigned_abs() >= 100_000_000_000 => Self::UnixMilliseconds,
            Ok(_) => Self::UnixSeconds,
        }
    }

    fn read(self, text: &str) -> Option<Timestamp> {
        match self {
            Self::Rfc3339 => moment::parse(text).ok(),
            Self::UnixSeconds => decimal_micros(text, 6),
            Self::UnixMilliseconds => decimal_micros(text, 3),
        }
    }
}

/// Microseconds of a decimal number whose unit is 10^`digits` microseconds, exact; finer fractions are refused.
fn decimal_micros(text: &str, digits: usize) -> Option<Timestamp> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let magnitude = whole.strip_prefix('-').unwrap_or(whole);
    if magnitude.is_empty() || !is_number(magnitude) || !is_number(fraction) {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    let padded = (fraction.len() <= digits).then(|| format!("{whole}{fraction:0<digits$}"))?;
    padded.parse().ok().map(Timestamp::from_micros)
}

/// Which columns to read, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvColumns {
    /// Column of times.
    pub time: String,
    /// Column of values.
    pub value: String,
    /// Column of names, where the file holds several series.
    pub series: Option<String>,
    /// How times are written; judged by the first row where it is `None`.
    pub time_format: Option<TimeFormat>,
    /// What a value means; requests per bin where it is `None`.
    pub unit: Option<Unit>,
    /// Length of a bin; the most common distance of two rows where it is `None`.
    pub interval: Option<Span>,
}

/// The trace in `bytes`; `id` becomes its id, `file` names the bytes in errors.
///
/// # Errors
/// One variant of [`ImportError`] per thing that can be wrong, with the line.
pub fn from_csv(id: &str, file: &str, bytes: &[u8], columns: &CsvColumns) -> Result<Imported, ImportError> {
    let mut notes = Vec::new();
    let rows = Rows::read(file, bytes, columns, &mut notes)?;
    let interval = grid::interval(file, columns.interval, rows.series.values(), &mut notes)?;
    let unit = columns.unit.unwrap_or_else(|| {
        notes.push("unit: requests (counts per bin); state --unit requests_per_s if the values are rates".to_owned());
        Unit::Requests
    });
    let series = Grid { file, interval, unit }.fill_all(&rows.series)?;
    grid::note_gaps(&series, &mut notes);
    let time_base = rows.without_offset.then(|| "the source states no offset: read as UTC".to_owned());
    if let Some(remark) = &time_base {
        notes.push(format!("times: {remark}"));
    }
    Ok(Imported { trace: super::rate_trace(id, interval, series, time_base), notes })
}

/// The rows of a file by series.
struct Rows {
    series: BTreeMap<String, Vec<Sample>>,
    /// Whether a time had no offset.
    without_offset: bool,
}

impl Rows {
    fn read(file: &str, bytes: &[u8], columns: &CsvColumns, notes: &mut Vec<String>) -> Result<Self, ImportError> {
        let broken = |error: csv::Error| ImportError::Csv { file: file.to_owned(), detail: explain(&error) };
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes);
        let header = reader.headers().map_err(broken)?.clone();
        let cells = Cells::locate(file, &header, columns)?;
        let mut rows = Self { series: BTreeMap::new(), without_offset: false };
        let mut format = columns.time_format;
        let mut record = csv::StringRecord::new();
        while reader.read_record(&mut record).map_err(broken)? {
            let format = *format.get_or_insert_with(|| judge(&record[cells.time], notes));
            let line = record.position().map(csv::Position::line);
            let sample = cells.sample(&record, format, line)?;
            rows.without_offset |= format == TimeFormat::Rfc3339 && !has_offset(&record[cells.time]);
            rows.push(cells.series.map_or("", |series| &record[series]), sample);
        }
        if rows.series.is_empty() {
            return Err(ImportError::Empty { file: file.to_owned(), what: "the file".to_owned() });
        }
        Ok(rows)
    }

    fn push(&mut self, series: &str, sample: Sample) {
        // Looked up by reference first: `entry` would allocate a name for every row.
        match self.series.get_mut(series) {
            Some(samples) => samples.push(sample),
            None => drop(self.series.insert(series.to_owned(), vec![sample])),
        }
    }
}

fn judge(text: &str, notes: &mut Vec<String>) -> TimeFormat {
    let format = TimeFormat::judged_by(text);
    notes.push(format!("time format: {}, judged by the first row (`{text}`)", format.word()));
    format
}

/// Whether an RFC 3339 text ends in `Z` or `±hh:mm` (the date's own dashes stand before position 10).
fn has_offset(text: &str) -> bool {
    text.get(10..).is_some_and(|clock| clock.ends_with(['Z', 'z']) || clock.contains(['+', '-']))
}

/// Positions of the columns.
struct Cells<'a> {
    file: &'a str,
    columns: &'a CsvColumns,
    time: usize,
    value: usize,
    series: Option<usize>,
}

impl<'a> Cells<'a> {
    fn locate(file: &'a str, header: &csv::StringRecord, columns: &'a CsvColumns) -> Result<Self, ImportError> {
        let find = |column: &String| {
            let mut found = (0..header.len()).filter(|position| header[*position] == **column);
            match (found.next(), found.next()) {
                (Some(position), None) => Ok(position),
                (Some(_), Some(_)) => Err(ImportError::DoubledColumn { file: file.to_owned(), column: column.clone() }),
                (None, _) => {
                    let present = header.iter().collect::<Vec<_>>().join(", ");
                    Err(ImportError::MissingColumn { file: file.to_owned(), column: column.clone(), present })
                }
            }
        };
        let series = columns.series.as_ref().map(find).transpose()?;
        Ok(Self { file, columns, time: find(&columns.time)?, value: find(&columns.value)?, series })
    }

    fn sample(&self, record: &csv::StringRecord, format: TimeFormat, line: Option<u64>) -> Result<Sample, ImportError> {
        let (file, place) = (|| self.file.to_owned(), || format!("line {}", line.unwrap_or_default()));
        let (time, value) = (&record[self.time], &record[self.value]);
        let at = format.read(time).ok_or_else(|| ImportError::Time {
            file: file(),
            place: place(),
            column: self.columns.time.clone(),
            text: time.to_owned(),
            format: format.word(),
        })?;
        let number = |text: &str| {
            text.parse::<f64>().map_err(|_| ImportError::Number {
                file: file(),
                place: place(),
                column: self.columns.value.clone(),
                text: text.to_owned(),
            })
        };
        let value = Some(value).filter(|text| !text.is_empty()).map(number).transpose()?;
        Ok(Sample { at, value, line })
    }
}

/// The reader's words, without its byte offsets.
fn explain(error: &csv::Error) -> String {
    let line = |position: &Option<csv::Position>| position.as_ref().map_or(0, csv::Position::line);
    match error.kind() {
        csv::ErrorKind::UnequalLengths { pos, expected_len, len } => {
            format!("line {} has {len} fields, the header has {expected_len}", line(pos))
        }
        csv::ErrorKind::Utf8 { pos, .. } => format!("line {} is not UTF-8", line(pos)),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests;
