//! Chosen columns of a recorded file, for sources whose extra columns matter: tokens of requests, shapes of nodes, lives of pods.
//!
//! [`crate::read_trace`] reads series; this reads rows. Any value may be absent.

use std::collections::BTreeMap;
use std::path::Path;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType, UInt32Type};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};

/// Why columns cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordedError {
    /// The file cannot be opened, is no Parquet, or is cut off.
    #[error("{file}: not a readable Parquet file ({detail}). Fetch or write it again")]
    Unreadable {
        /// The file.
        file: String,
        /// What the reader said.
        detail: String,
    },
    /// A column is not there.
    #[error("{file}: there is no column `{column}`; its columns are {present}")]
    Missing {
        /// The file.
        file: String,
        /// The column.
        column: String,
        /// The columns that are there.
        present: String,
    },
    /// A column is of a type that cannot be used.
    #[error("{file}: column `{column}` is {found} where {needed} is needed")]
    Type {
        /// The file.
        file: String,
        /// The column.
        column: String,
        /// Its type.
        found: String,
        /// What is needed.
        needed: &'static str,
    },
}

/// Values of a column.
#[derive(Clone, Debug, PartialEq)]
enum Values {
    Whole(Vec<Option<i64>>),
    Number(Vec<Option<f64>>),
    Moment(Vec<Option<i64>>),
    Text(Vec<Option<String>>),
}

/// The columns that were asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    file: String,
    present: Vec<String>,
    rows: usize,
    columns: BTreeMap<String, Values>,
}

/// Reads those of `wanted` that the file at `path` has; whoever needs one finds out when asking for it.
///
/// # Errors
/// If the file is no Parquet or a wanted column has a type that is none of whole number, number, moment and text.
pub fn read_columns(path: &Path, wanted: &[&str]) -> Result<Recorded, RecordedError> {
    let file = path.display().to_string();
    let broken =
        |error: &dyn std::fmt::Display| RecordedError::Unreadable { file: file.clone(), detail: error.to_string() };
    let opened = std::fs::File::open(path).map_err(|error| broken(&error))?;
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let builder =
        ParquetRecordBatchReaderBuilder::try_new_with_options(opened, options).map_err(|error| broken(&error))?;
    let schema = builder.schema().clone();
    let present: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
    let used: Vec<usize> = (0..present.len()).filter(|index| wanted.contains(&present[*index].as_str())).collect();
    let mut columns = BTreeMap::new();
    for index in &used {
        columns.insert(present[*index].clone(), empty(&file, &present[*index], schema.field(*index).data_type())?);
    }
    let mask = ProjectionMask::roots(builder.parquet_schema(), used);
    let mut rows = 0;
    for batch in builder.with_projection(mask).build().map_err(|error| broken(&error))? {
        let batch = batch.map_err(|error| broken(&error))?;
        rows += batch.num_rows();
        for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            columns.entry(field.name().clone()).and_modify(|values| extend(values, array));
        }
    }
    Ok(Recorded { file, present, rows, columns })
}

fn empty(file: &str, column: &str, found: &DataType) -> Result<Values, RecordedError> {
    Ok(match found {
        DataType::Int64 | DataType::Int32 | DataType::UInt32 => Values::Whole(Vec::new()),
        DataType::Float64 => Values::Number(Vec::new()),
        DataType::Timestamp(TimeUnit::Microsecond, _) => Values::Moment(Vec::new()),
        DataType::Utf8 => Values::Text(Vec::new()),
        other => {
            let (file, column, found) = (file.to_owned(), column.to_owned(), other.to_string());
            let needed = "a whole number, number, moment or text";
            return Err(RecordedError::Type { file, column, found, needed });
        }
    })
}

/// Appends an array whose type [`empty`] has matched.
fn extend(values: &mut Values, array: &ArrayRef) {
    match values {
        Values::Whole(values) => match array.data_type() {
            DataType::Int32 => {
                values.extend(array.as_primitive::<Int32Type>().iter().map(|value| value.map(i64::from)));
            }
            DataType::UInt32 => {
                values.extend(array.as_primitive::<UInt32Type>().iter().map(|value| value.map(i64::from)));
            }
            _ => values.extend(array.as_primitive::<Int64Type>().iter()),
        },
        Values::Number(values) => values.extend(array.as_primitive::<Float64Type>().iter()),
        Values::Moment(values) => values.extend(array.as_primitive::<TimestampMicrosecondType>().iter()),
        Values::Text(values) => values.extend(array.as_string::<i32>().iter().map(|text| text.map(str::to_owned))),
    }
}

impl Recorded {
    /// Number of rows.
    #[must_use]
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Whether the file has the column, and it was asked for.
    #[must_use]
    pub fn has(&self, column: &str) -> bool {
        self.columns.contains_key(column)
    }

    /// A column of whole numbers.
    ///
    /// # Errors
    /// If it is not there or of another type.
    pub fn whole(&self, column: &str) -> Result<&[Option<i64>], RecordedError> {
        match self.get(column)? {
            Values::Whole(values) => Ok(values),
            other => Err(self.mismatch(column, other, "a whole number")),
        }
    }

    /// A column of numbers, whole or not.
    ///
    /// # Errors
    /// If it is not there or of another type.
    #[expect(clippy::cast_precision_loss, reason = "recorded counts are far below 2^52")]
    pub fn quantity(&self, column: &str) -> Result<Vec<Option<f64>>, RecordedError> {
        match self.get(column)? {
            Values::Number(values) => Ok(values.clone()),
            Values::Whole(values) => Ok(values.iter().map(|value| value.map(|value| value as f64)).collect()),
            other => Err(self.mismatch(column, other, "a number")),
        }
    }

    /// A column of moments, in microseconds since 1970.
    ///
    /// # Errors
    /// If it is not there or of another type.
    pub fn moment(&self, column: &str) -> Result<&[Option<i64>], RecordedError> {
        match self.get(column)? {
            Values::Moment(values) => Ok(values),
            other => Err(self.mismatch(column, other, "a moment")),
        }
    }

    /// A column of whole numbers or text, as text: what a filter compares with.
    ///
    /// # Errors
    /// If it is not there or of another type.
    pub fn words(&self, column: &str) -> Result<Vec<String>, RecordedError> {
        match self.get(column)? {
            Values::Text(values) => Ok(values.iter().map(|text| text.clone().unwrap_or_default()).collect()),
            Values::Whole(values) => {
                Ok(values.iter().map(|value| value.map_or_else(String::new, |value| value.to_string())).collect())
            }
            other => Err(self.mismatch(column, other, "text or a whole number")),
        }
    }

    fn get(&self, column: &str) -> Result<&Values, RecordedError> {
        self.columns.get(column).ok_or_else(|| RecordedError::Missing {
            file: self.file.clone(),
            column: column.to_owned(),
            present: self.present.join(", "),
        })
    }

    fn mismatch(&self, column: &str, found: &Values, needed: &'static str) -> RecordedError {
        let found = match found {
            Values::Whole(_) => "a whole number",
            Values::Number(_) => "a number",
            Values::Moment(_) => "a moment",
            Values::Text(_) => "text",
        };
        RecordedError::Type { file: self.file.clone(), column: column.to_owned(), found: found.to_owned(), needed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Column, Table, write_table};

    #[test]
    fn reads_what_is_there_and_names_what_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.parquet");
        let table = Table::new()
            .with("timestamp", Column::TimestampUs(vec![5, 9]))
            .and_then(|table| table.with("kind", Column::Text(vec!["zip".into(), "image".into()])))
            .and_then(|table| table.with("size", Column::OptionalI64(vec![Some(128), None])))
            .and_then(|table| table.with("value", Column::F64(vec![0.5, 1.5])))
            .unwrap();
        write_table(&path, &table, &[]).unwrap();
        let rows = read_columns(&path, &["timestamp", "kind", "size", "value", "colour"]).unwrap();
        assert_eq!((rows.rows(), rows.has("size"), rows.has("colour")), (2, true, false));
        assert_eq!(rows.moment("timestamp").unwrap(), [Some(5), Some(9)]);
        assert_eq!(rows.quantity("value").unwrap(), [Some(0.5), Some(1.5)]);
        assert_eq!(rows.words("size").unwrap(), ["128", ""]);
        assert_eq!(rows.words("kind").unwrap(), ["zip", "image"]);
        assert_eq!(rows.whole("size").unwrap(), [Some(128), None]);
        assert_eq!(rows.quantity("size").unwrap(), [Some(128.0), None]);
        let message = rows.whole("colour").unwrap_err().to_string();
        assert!(message.contains("`colour`") && message.contains("timestamp, kind, size, value"), "{message}");
        let message = rows.quantity("kind").unwrap_err().to_string();
        assert!(message.contains("text where a number"), "{message}");
        std::fs::write(&path, "no parquet").unwrap();
        assert!(matches!(read_columns(&path, &[]), Err(RecordedError::Unreadable { .. })));
    }
}
