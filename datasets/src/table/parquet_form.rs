//! Columns ⇄ Arrow arrays ⇄ Parquet bytes, without anything that varies between two writings.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, RecordBatch, RecordBatchOptions, StringArray,
    TimestampMicrosecondArray, UInt32Array,
};
use arrow::datatypes::{
    DataType, Field, Float64Type, Int64Type, Schema, TimeUnit, TimestampMicrosecondType, UInt32Type,
};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use super::{Column, Table, TableError};

/// Rows of a row group: what the trace contract allows at most.
const ROW_GROUP: usize = 65_536;
/// Beyond this level files of this kind shrink by less than 1 % and writing takes several times longer.
const ZSTD_LEVEL: i32 = 9;

/// `batch` as a Parquet file with the given key-value pairs.
pub(crate) fn parquet_bytes(batch: &RecordBatch, metadata: &[(String, String)]) -> Result<Vec<u8>, ParquetError> {
    let pairs = metadata.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone())).collect();
    let mut properties = WriterProperties::builder()
        .set_created_by("seatrial".to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_max_row_group_row_count(Some(ROW_GROUP))
        .set_key_value_metadata(Some(pairs));
    for field in batch.schema_ref().fields() {
        if matches!(field.data_type(), DataType::Timestamp(..)) {
            let column = ColumnPath::from(field.name().as_str());
            properties = properties
                .set_column_dictionary_enabled(column.clone(), false)
                .set_column_encoding(column, Encoding::DELTA_BINARY_PACKED);
        }
    }
    let options = ArrowWriterOptions::new().with_properties(properties.build()).with_skip_arrow_metadata(true);
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new_with_options(&mut bytes, batch.schema(), options)?;
    writer.write(batch)?;
    writer.close()?;
    Ok(bytes)
}

/// The Parquet file of `table`; `file` names it in errors.
///
/// # Errors
/// [`TableError::NotParquet`] if encoding fails.
pub fn table_bytes(file: &str, table: &Table, metadata: &[(&str, &str)]) -> Result<Vec<u8>, TableError> {
    let failed = |detail: String| TableError::NotParquet { file: file.to_owned(), detail };
    let fields: Vec<Field> = table.columns.iter().map(|(name, column)| field(name, column)).collect();
    let arrays = table.columns.iter().map(|(_, column)| array(column)).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(table.rows()));
    let batch = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
        .map_err(|error| failed(error.to_string()))?;
    let pairs: Vec<_> = metadata.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    parquet_bytes(&batch, &pairs).map_err(|error| failed(error.to_string()))
}

/// Name, type and nullability of a column in the file.
pub(crate) fn field(name: &str, column: &Column) -> Field {
    let (kind, optional) = match column {
        Column::I64(_) => (DataType::Int64, false),
        Column::OptionalI64(_) => (DataType::Int64, true),
        Column::U32(_) => (DataType::UInt32, false),
        Column::OptionalU32(_) => (DataType::UInt32, true),
        Column::F64(_) => (DataType::Float64, false),
        Column::OptionalF64(_) => (DataType::Float64, true),
        Column::Bool(_) => (DataType::Boolean, false),
        Column::Text(_) => (DataType::Utf8, false),
        Column::TimestampUs(_) => (DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false),
    };
    Field::new(name, kind, optional)
}

fn array(column: &Column) -> ArrayRef {
    match column {
        Column::I64(values) => Arc::new(Int64Array::from(values.clone())),
        Column::OptionalI64(values) => Arc::new(Int64Array::from(values.clone())),
        Column::U32(values) => Arc::new(UInt32Array::from(values.clone())),
        Column::OptionalU32(values) => Arc::new(UInt32Array::from(values.clone())),
        Column::F64(values) => Arc::new(Float64Array::from(values.clone())),
        Column::OptionalF64(values) => Arc::new(Float64Array::from(values.clone())),
        Column::Bool(values) => Arc::new(BooleanArray::from(values.clone())),
        Column::Text(values) => Arc::new(StringArray::from_iter_values(values)),
        Column::TimestampUs(values) => Arc::new(TimestampMicrosecondArray::from(values.clone()).with_timezone("UTC")),
    }
}

/// The table in the bytes of a Parquet file; `file` names it in errors.
///
/// # Errors
/// If the bytes are no Parquet, or a column has a type that a table does not have.
pub fn table_from_bytes(file: &str, bytes: Vec<u8>) -> Result<Table, TableError> {
    let broken =
        |error: &dyn std::fmt::Display| TableError::NotParquet { file: file.to_owned(), detail: error.to_string() };
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(Bytes::from(bytes), options)
        .map_err(|error| broken(&error))?;
    let pairs = builder.metadata().file_metadata().key_value_metadata().into_iter().flatten();
    let metadata = pairs.filter_map(|pair| Some((pair.key.clone(), pair.value.clone()?))).collect();
    let fields = builder.schema().fields().clone();
    let mut columns = fields.iter().map(|field| empty(file, field)).collect::<Result<Vec<_>, _>>()?;
    for batch in builder.build().map_err(|error| broken(&error))? {
        let batch = batch.map_err(|error| broken(&error))?;
        columns.iter_mut().zip(batch.columns()).for_each(|((_, column), array)| extend(column, array));
    }
    Ok(Table { columns, metadata })
}

fn empty(file: &str, field: &Field) -> Result<(String, Column), TableError> {
    let column = match (field.data_type(), field.is_nullable()) {
        (DataType::Int64, false) => Column::I64(Vec::new()),
        (DataType::Int64, true) => Column::OptionalI64(Vec::new()),
        (DataType::UInt32, false) => Column::U32(Vec::new()),
        (DataType::UInt32, true) => Column::OptionalU32(Vec::new()),
        (DataType::Float64, false) => Column::F64(Vec::new()),
        (DataType::Float64, true) => Column::OptionalF64(Vec::new()),
        (DataType::Boolean, false) => Column::Bool(Vec::new()),
        (DataType::Utf8, false) => Column::Text(Vec::new()),
        (DataType::Timestamp(TimeUnit::Microsecond, Some(_)), false) => Column::TimestampUs(Vec::new()),
        (other, optional) => {
            return Err(TableError::WrongType {
                file: file.to_owned(),
                column: field.name().clone(),
                found: format!("{other}{}", if optional { " (optional)" } else { "" }),
                expected: "a type that tables have",
            });
        }
    };
    Ok((field.name().clone(), column))
}

/// Appends an array whose type [`empty`] has matched to the column.
fn extend(column: &mut Column, array: &ArrayRef) {
    match column {
        Column::I64(values) => values.extend(array.as_primitive::<Int64Type>().values()),
        Column::OptionalI64(values) => values.extend(array.as_primitive::<Int64Type>()),
        Column::U32(values) => values.extend(array.as_primitive::<UInt32Type>().values()),
        Column::OptionalU32(values) => values.extend(array.as_primitive::<UInt32Type>()),
        Column::F64(values) => values.extend(array.as_primitive::<Float64Type>().values()),
        Column::OptionalF64(values) => values.extend(array.as_primitive::<Float64Type>()),
        Column::Bool(values) => values.extend(array.as_boolean().values()),
        Column::Text(values) => {
            let texts = array.as_string::<i32>();
            values.extend((0..texts.len()).map(|row| texts.value(row).to_owned()));
        }
        Column::TimestampUs(values) => values.extend(array.as_primitive::<TimestampMicrosecondType>().values()),
    }
}
