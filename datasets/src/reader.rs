//! Parquet to [`Trace`], by the contract of `traces/README.md`.
//!
//! Columns `timestamp` (INT64, TIMESTAMP(MICROS, UTC)) and `value` (DOUBLE) are required, `series` (UTF-8) and `missing`
//! (BOOLEAN) are used where present, others are ignored. Rows of one series must ascend strictly in time (events may share a
//! moment); different series may be interleaved. Rows that are absent from a grid, or flagged `missing`, become missing bins.

mod columns;
mod grid;

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::file::metadata::KeyValue;
use seatrial_core::time::{Span, Timestamp};

use crate::trace::{EventSeries, Kind, Provenance, Series, Trace};
use crate::{Locator, TraceError};

/// Rows of one series as they stand in the file.
#[derive(Debug, Default)]
struct Rows {
    at_us: Vec<i64>,
    values: Vec<f64>,
    missing: Vec<bool>,
}

/// The rows of a file by series.
#[derive(Debug, Default)]
struct SeriesRows {
    positions: BTreeMap<String, usize>,
    rows: Vec<Rows>,
}

impl SeriesRows {
    fn of(&mut self, name: &str) -> &mut Rows {
        // Looked up by reference first: `entry` would allocate a name for every row.
        let position = self.positions.get(name).copied().unwrap_or_else(|| {
            self.rows.push(Rows::default());
            self.positions.insert(name.to_owned(), self.rows.len() - 1);
            self.rows.len() - 1
        });
        &mut self.rows[position]
    }

    /// In order of name.
    fn into_named(self) -> impl Iterator<Item = (String, Rows)> {
        let mut rows: Vec<Option<Rows>> = self.rows.into_iter().map(Some).collect();
        self.positions.into_iter().filter_map(move |(name, position)| Some((name, rows[position].take()?)))
    }
}

/// Reads the trace at `path`; its id is the file name without extension.
///
/// # Errors
/// One variant of [`TraceError`] per thing that can be wrong.
pub fn read_trace(path: &Path) -> Result<Trace, TraceError> {
    read_file(path, None)
}

/// Reads the trace at `path` as if `trace.kind` were `kind`: for files whose series are of mixed kinds.
///
/// # Errors
/// As [`read_trace`], without [`TraceError::UnknownKind`].
pub fn read_trace_as(path: &Path, kind: Kind) -> Result<Trace, TraceError> {
    read_file(path, Some(kind))
}

/// Whether the file at `path` keeps the trace contract as far as its footer tells: kind, columns and their types, rows. Cheap,
/// because no row is read; rows that are unsorted or not numbers show in [`read_trace`] alone.
///
/// # Errors
/// As [`read_trace`].
pub fn inspect(path: &Path) -> Result<Kind, TraceError> {
    let file = path.display().to_string();
    let opened =
        std::fs::File::open(path).map_err(|source| TraceError::Io { file: file.clone(), action: "read", source })?;
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(opened, options)
        .map_err(|error| TraceError::NotParquet { file: file.clone(), detail: error.to_string() })?;
    let metadata = builder.metadata().file_metadata();
    columns::projection(&file, &builder)?;
    if metadata.num_rows() == 0 {
        return Err(TraceError::Empty { file });
    }
    declared_kind(&file, metadata_keys(metadata.key_value_metadata()).get("kind"))
}

fn read_file(path: &Path, kind: Option<Kind>) -> Result<Trace, TraceError> {
    let file = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => TraceError::Absent { name: file.clone(), searched: "this path".into() },
        std::io::ErrorKind::IsADirectory => TraceError::Folder { folder: file.clone() },
        _ => TraceError::Io { file: file.clone(), action: "read", source },
    })?;
    let content = read_content(&file, bytes.into(), kind)?;
    Ok(Trace { id: Locator::id_of(path), ..content })
}

/// Reads a trace from the bytes of a Parquet file; `id` becomes its id and names it in errors.
///
/// # Errors
/// As [`read_trace`].
pub fn read_trace_bytes(id: &str, bytes: Vec<u8>) -> Result<Trace, TraceError> {
    read_content(id, bytes.into(), None)
}

fn read_content(file: &str, bytes: Bytes, kind: Option<Kind>) -> Result<Trace, TraceError> {
    let broken =
        |error: &dyn std::fmt::Display| TraceError::NotParquet { file: file.to_owned(), detail: error.to_string() };
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let builder =
        ParquetRecordBatchReaderBuilder::try_new_with_options(bytes, options).map_err(|error| broken(&error))?;
    let mut keys = metadata_keys(builder.metadata().file_metadata().key_value_metadata());
    let kind = match kind {
        Some(kind) => kind,
        None => declared_kind(file, keys.get("kind"))?,
    };
    let mask = columns::projection(file, &builder)?;
    let batches = builder.with_projection(mask).build().map_err(|error| broken(&error))?;
    let mut rows = SeriesRows::default();
    let mut row = 0;
    for batch in batches {
        let batch = batch.map_err(|error| broken(&error))?;
        columns::collect(&columns::Place { file, first_row: row, kind }, &batch, &mut rows)?;
        row += batch.num_rows();
    }
    if row == 0 {
        return Err(TraceError::Empty { file: file.to_owned() });
    }
    assemble(file, kind, &mut keys, rows)
}

fn declared_kind(file: &str, found: Option<&String>) -> Result<Kind, TraceError> {
    found.and_then(|word| Kind::from_word(word)).ok_or_else(|| TraceError::UnknownKind {
        file: file.to_owned(),
        found: found.map_or_else(|| "absent".to_owned(), |word| format!("`{word}`")),
    })
}

/// The keys that begin with `trace.`, without that prefix.
fn metadata_keys(pairs: Option<&Vec<KeyValue>>) -> BTreeMap<String, String> {
    let pairs = pairs.into_iter().flatten();
    pairs.filter_map(|pair| Some((pair.key.strip_prefix("trace.")?.to_owned(), pair.value.clone()?))).collect()
}

fn assemble(
    file: &str,
    kind: Kind,
    keys: &mut BTreeMap<String, String>,
    rows: SeriesRows,
) -> Result<Trace, TraceError> {
    keys.remove("kind");
    let unit = keys.remove("unit").unwrap_or_default();
    let stated = keys.remove("interval_us").map(|found| stated_interval(file, found)).transpose()?;
    let (mut series, mut events) = (Vec::new(), Vec::new());
    for (name, rows) in rows.into_named() {
        if kind == Kind::Event {
            events.push(EventSeries { name, at: rows.at_us.into_iter().map(Timestamp::from_micros).collect() });
        } else {
            series.push(grid::fill(file, name, &rows, stated)?);
        }
    }
    let interval = common_interval(&series, stated);
    let provenance = provenance(keys);
    let (id, content_hash) = (file.to_owned(), String::new());
    Ok(Trace { id, kind, unit, interval, series, events, provenance, content_hash }.rehash())
}

/// The interval that the file states, in microseconds.
fn stated_interval(file: &str, found: String) -> Result<i64, TraceError> {
    match found.parse() {
        Ok(micros) if micros > 0 => Ok(micros),
        _ => Err(TraceError::StatedInterval { file: file.to_owned(), found }),
    }
}

/// The stated interval, else that of the first series; zero for events.
fn common_interval(series: &[Series], stated: Option<i64>) -> Span {
    match (series.first(), stated) {
        (None, _) => Span::ZERO,
        (Some(_), Some(micros)) => Span::from_micros(micros),
        (Some(first), None) => first.interval,
    }
}

fn provenance(keys: &mut BTreeMap<String, String>) -> Provenance {
    Provenance {
        source: keys.remove("source"),
        source_commit: keys.remove("source_commit"),
        license: keys.remove("license"),
        time_base: keys.remove("time_base"),
        more: std::mem::take(keys),
    }
}
