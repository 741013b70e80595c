//! [`Trace`] to Parquet, by the contract of `traces/README.md`: what [`crate::read_trace`] reads back equal.
//!
//! The bytes depend on the trace alone: no clock, no version of a library in the file's own metadata. Missing bins are written
//! with their held value and `missing` = true.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};

use crate::TraceError;
use crate::atomic::write_file;
use crate::table::parquet_bytes;
use crate::trace::{Kind, Trace};

/// One row of the file; the order of the fields is the order of the rows.
#[derive(Clone, Copy)]
struct Row {
    at_us: i64,
    series: usize,
    value: f64,
    missing: bool,
}

/// Writes `trace` to `path`, whole or not at all.
///
/// # Errors
/// [`TraceError::Io`], or [`TraceError::Empty`] for a trace without rows.
pub fn write_trace(path: &Path, trace: &Trace) -> Result<(), TraceError> {
    let bytes = trace_bytes(trace)?;
    write_file(path, &bytes).map_err(|source| TraceError::Io {
        file: path.display().to_string(),
        action: "write the trace",
        source,
    })
}

/// The Parquet file of `trace`: the same bytes for the same trace.
///
/// # Errors
/// [`TraceError::Empty`] for a trace without rows; [`TraceError::NotParquet`] if encoding fails.
pub fn trace_bytes(trace: &Trace) -> Result<Vec<u8>, TraceError> {
    let rows = sorted_rows(trace);
    if rows.is_empty() {
        return Err(TraceError::Empty { file: trace.id.clone() });
    }
    let failed = |detail: String| TraceError::NotParquet { file: trace.id.clone(), detail };
    let batch = batch(trace, &rows).map_err(|error| failed(error.to_string()))?;
    parquet_bytes(&batch, &metadata(trace)).map_err(|error| failed(error.to_string()))
}

fn sorted_rows(trace: &Trace) -> Vec<Row> {
    let mut rows = Vec::new();
    for (series, gridded) in trace.series.iter().enumerate() {
        let bins = gridded.values.iter().zip(&gridded.missing).enumerate();
        rows.extend(bins.map(|(bin, (value, missing))| Row {
            at_us: gridded.at(bin).micros(),
            series,
            value: *value,
            missing: *missing,
        }));
    }
    for (series, events) in trace.events.iter().enumerate() {
        rows.extend(events.at.iter().map(|at| Row { at_us: at.micros(), series, value: 1.0, missing: false }));
    }
    rows.sort_by_key(|row| (row.at_us, row.series));
    rows
}

fn batch(trace: &Trace, rows: &[Row]) -> Result<RecordBatch, arrow::error::ArrowError> {
    let at = TimestampMicrosecondArray::from_iter_values(rows.iter().map(|row| row.at_us)).with_timezone("UTC");
    let at_type = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let mut fields = vec![Field::new("timestamp", at_type, false), Field::new("value", DataType::Float64, false)];
    let values = Float64Array::from_iter_values(rows.iter().map(|row| row.value));
    let mut arrays: Vec<ArrayRef> = vec![Arc::new(at), Arc::new(values)];
    let names = trace.names();
    if names.len() > 1 || names.iter().any(|name| !name.is_empty()) {
        fields.push(Field::new("series", DataType::Utf8, false));
        arrays.push(Arc::new(StringArray::from_iter_values(rows.iter().map(|row| names[row.series]))));
    }
    if rows.iter().any(|row| row.missing) {
        fields.push(Field::new("missing", DataType::Boolean, false));
        arrays.push(Arc::new(rows.iter().map(|row| Some(row.missing)).collect::<BooleanArray>()));
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
}

fn metadata(trace: &Trace) -> Vec<(String, String)> {
    let from = &trace.provenance;
    let interval = (trace.kind != Kind::Event).then(|| trace.interval.micros().to_string());
    let fixed = [
        ("kind", Some(trace.kind.word().to_owned())),
        ("unit", Some(trace.unit.clone())),
        ("interval_us", interval),
        ("time_base", from.time_base.clone()),
        ("source", from.source.clone()),
        ("source_commit", from.source_commit.clone()),
        ("license", from.license.clone()),
    ];
    let fixed = fixed.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
    let more = from.more.iter().map(|(key, value)| (key.clone(), value.clone()));
    fixed.chain(more).map(|(key, value)| (format!("trace.{key}"), value)).collect()
}
