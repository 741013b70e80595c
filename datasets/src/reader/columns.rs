//! Which columns a trace has, their types, and their rows sorted out by series.

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Float64Type, Schema, TimeUnit, TimestampMicrosecondType};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::reader::ChunkReader;

use super::SeriesRows;
use crate::TraceError;
use crate::trace::Kind;

const TIMESTAMP: &str = "timestamp";
const VALUE: &str = "value";
const SERIES: &str = "series";
const MISSING: &str = "missing";

/// Where a batch stands: for messages.
pub(super) struct Place<'a> {
    pub(super) file: &'a str,
    pub(super) first_row: usize,
    pub(super) kind: Kind,
}

/// Checks the schema and selects the columns that are used.
pub(super) fn projection<T: ChunkReader + 'static>(
    file: &str,
    builder: &ParquetRecordBatchReaderBuilder<T>,
) -> Result<ProjectionMask, TraceError> {
    let schema = builder.schema();
    let checks = [
        (TIMESTAMP, true, "TIMESTAMP(MICROS, UTC)"),
        (VALUE, true, "DOUBLE"),
        (SERIES, false, "UTF-8"),
        (MISSING, false, "BOOLEAN"),
    ];
    let mut used = Vec::new();
    for (column, required, expected) in checks {
        match schema.column_with_name(column) {
            None if required => return Err(missing_column(file, column, schema)),
            None => {}
            Some((index, field)) if accepts(column, field.data_type()) => used.push(index),
            Some((_, field)) => {
                let (file, found) = (file.to_owned(), field.data_type().to_string());
                return Err(TraceError::WrongType { file, column, found, expected });
            }
        }
    }
    Ok(ProjectionMask::roots(builder.parquet_schema(), used))
}

/// Whether `column` may have the type `found`.
fn accepts(column: &str, found: &DataType) -> bool {
    match (column, found) {
        (TIMESTAMP, DataType::Timestamp(TimeUnit::Microsecond, Some(zone))) => {
            zone.as_ref() == "UTC" || zone.as_ref() == "+00:00"
        }
        (VALUE, DataType::Float64) | (SERIES, DataType::Utf8) | (MISSING, DataType::Boolean) => true,
        _ => false,
    }
}

fn missing_column(file: &str, column: &'static str, schema: &Schema) -> TraceError {
    let present: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    TraceError::MissingColumn { file: file.to_owned(), column, present: present.join(", ") }
}

/// The columns of one batch.
struct Batch<'a> {
    at_us: &'a [i64],
    values: &'a [f64],
    series: Option<&'a StringArray>,
    missing: Option<&'a BooleanArray>,
}

/// Adds the rows of `batch` to `rows`, checking each.
pub(super) fn collect(place: &Place<'_>, batch: &RecordBatch, rows: &mut SeriesRows) -> Result<(), TraceError> {
    let columns = Batch::new(place, batch)?;
    for index in 0..batch.num_rows() {
        let row = place.first_row + index;
        let value = checked_value(place.file, row, columns.values[index])?;
        let at_us = columns.at_us[index];
        let name = columns.series.map_or("", |names| names.value(index));
        let series = rows.of(name);
        let ascends = series
            .at_us
            .last()
            .is_none_or(|last| if place.kind == Kind::Event { *last <= at_us } else { *last < at_us });
        if !ascends {
            return Err(TraceError::Unsorted { file: place.file.to_owned(), row, series: name.to_owned() });
        }
        series.at_us.push(at_us);
        series.values.push(value);
        series.missing.push(columns.missing.is_some_and(|flags| !flags.is_null(index) && flags.value(index)));
    }
    Ok(())
}

fn checked_value(file: &str, row: usize, value: f64) -> Result<f64, TraceError> {
    let file = || file.to_owned();
    if !value.is_finite() {
        return Err(TraceError::NotFinite { file: file(), row, value });
    }
    if value < 0.0 {
        return Err(TraceError::Negative { file: file(), row, value });
    }
    Ok(value)
}

impl<'a> Batch<'a> {
    fn new(place: &Place<'_>, batch: &'a RecordBatch) -> Result<Self, TraceError> {
        let column = |name| batch.column_by_name(name);
        for name in [TIMESTAMP, VALUE, SERIES] {
            let first_null = column(name).and_then(|array| (0..array.len()).find(|row| array.is_null(*row)));
            if let Some(row) = first_null {
                return Err(TraceError::Null { file: place.file.to_owned(), column: name, row: place.first_row + row });
            }
        }
        let absent = |name| missing_column(place.file, name, batch.schema_ref());
        let at_us = column(TIMESTAMP).and_then(|array| array.as_primitive_opt::<TimestampMicrosecondType>());
        let values = column(VALUE).and_then(|array| array.as_primitive_opt::<Float64Type>());
        Ok(Self {
            at_us: at_us.ok_or_else(|| absent(TIMESTAMP))?.values(),
            values: values.ok_or_else(|| absent(VALUE))?.values(),
            series: column(SERIES).and_then(|array| array.as_string_opt()),
            missing: column(MISSING).and_then(|array| array.as_boolean_opt()),
        })
    }
}
