//! Typed tables of run folders (cells, learning curves, …) and their Parquet form.
//!
//! A table written twice gives the same bytes on any machine: zstd at a fixed level, one row group, no clock, no version of a
//! library, no Arrow schema in the file. That is what `seatrial verify` compares.

mod parquet_form;

use std::path::Path;

use crate::atomic::write_file;
use crate::error::remedy;

pub(crate) use parquet_form::{field, parquet_bytes};
pub use parquet_form::{table_bytes, table_from_bytes};

/// A column: one value per row.
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    /// Signed whole numbers.
    I64(Vec<i64>),
    /// Signed whole numbers, some absent.
    OptionalI64(Vec<Option<i64>>),
    /// Counts.
    U32(Vec<u32>),
    /// Counts, some absent.
    OptionalU32(Vec<Option<u32>>),
    /// Numbers.
    F64(Vec<f64>),
    /// Numbers, some absent.
    OptionalF64(Vec<Option<f64>>),
    /// Truths.
    Bool(Vec<bool>),
    /// Texts.
    Text(Vec<String>),
    /// Moments in microseconds since 1970 (UTC).
    TimestampUs(Vec<i64>),
}

impl Column {
    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::I64(values) | Self::TimestampUs(values) => values.len(),
            Self::OptionalI64(values) => values.len(),
            Self::U32(values) => values.len(),
            Self::OptionalU32(values) => values.len(),
            Self::F64(values) => values.len(),
            Self::OptionalF64(values) => values.len(),
            Self::Bool(values) => values.len(),
            Self::Text(values) => values.len(),
        }
    }

    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Named columns of one length, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    columns: Vec<(String, Column)>,
    metadata: Vec<(String, String)>,
}

/// What can be wrong with a table.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// Two columns differ in length.
    #[error("column `{column}` has {found} rows where the table has {expected}. Give every column one value per row")]
    Ragged {
        /// The column.
        column: String,
        /// Its rows.
        found: usize,
        /// The table's rows.
        expected: usize,
    },
    /// Two columns have one name.
    #[error("column `{column}` is there twice. Rename one")]
    Duplicate {
        /// The name.
        column: String,
    },
    /// A column is not there.
    #[error(
        "{file}: column `{column}` is missing (columns present: {present}). The file may come from another version: make the run again"
    )]
    MissingColumn {
        /// The file, or "table" for one in memory.
        file: String,
        /// The column.
        column: String,
        /// The columns that are there.
        present: String,
    },
    /// A column has another type.
    #[error(
        "{file}: column `{column}` is {found} where {expected} is needed. The file may come from another version: make the run again"
    )]
    WrongType {
        /// The file, or "table" for one in memory.
        file: String,
        /// The column.
        column: String,
        /// What it is.
        found: String,
        /// What is needed.
        expected: &'static str,
    },
    /// Not Parquet, cut off or damaged.
    #[error("{file}: not a readable Parquet file ({detail}). It may be truncated: make the run again")]
    NotParquet {
        /// The file.
        file: String,
        /// What the Parquet reader said.
        detail: String,
    },
    /// Rows of another version.
    #[error(
        "{file}: written as version {found} of the {what}, this program reads version {expected}. Use the program that wrote it, or make the run again"
    )]
    Version {
        /// The file.
        file: String,
        /// What is versioned.
        what: &'static str,
        /// The version found, or "absent".
        found: String,
        /// The version that can be read.
        expected: u32,
    },
    /// A value that cannot be.
    #[error("{file}: column `{column}`, row {row}: {detail}. The file is damaged: make the run again")]
    Value {
        /// The file.
        file: String,
        /// The column.
        column: String,
        /// The row.
        row: usize,
        /// What is wrong.
        detail: String,
    },
    /// The operating system refused.
    #[error("{file}: cannot {action}: {source}. {}", remedy(source))]
    Io {
        /// The file.
        file: String,
        /// What was tried.
        action: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

impl TableError {
    /// The same error, naming the file that the table came from.
    #[must_use]
    pub fn in_file(mut self, name: &str) -> Self {
        if let Self::MissingColumn { file, .. } | Self::WrongType { file, .. } = &mut self {
            name.clone_into(file);
        }
        self
    }
}

impl Table {
    /// A table without columns.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a column at the right.
    ///
    /// # Errors
    /// If its length differs from the table's or its name is taken.
    pub fn push(&mut self, name: impl Into<String>, column: Column) -> Result<(), TableError> {
        let name = name.into();
        if self.column(&name).is_some() {
            return Err(TableError::Duplicate { column: name });
        }
        if !self.columns.is_empty() && column.len() != self.rows() {
            return Err(TableError::Ragged { column: name, found: column.len(), expected: self.rows() });
        }
        self.columns.push((name, column));
        Ok(())
    }

    /// The table with one more column.
    ///
    /// # Errors
    /// As [`Table::push`].
    pub fn with(mut self, name: impl Into<String>, column: Column) -> Result<Self, TableError> {
        self.push(name, column)?;
        Ok(self)
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, |(_, column)| column.len())
    }

    /// The columns in order.
    #[must_use]
    pub fn columns(&self) -> &[(String, Column)] {
        &self.columns
    }

    /// The column called `name`.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|(known, _)| known == name).map(|(_, column)| column)
    }

    /// Key-value pairs that were read with the table; empty for a new one.
    #[must_use]
    pub fn metadata(&self) -> &[(String, String)] {
        &self.metadata
    }

    fn need(&self, name: &str) -> Result<&Column, TableError> {
        self.column(name).ok_or_else(|| {
            let present: Vec<&str> = self.columns.iter().map(|(name, _)| name.as_str()).collect();
            TableError::MissingColumn { file: "table".to_owned(), column: name.to_owned(), present: present.join(", ") }
        })
    }
}

/// Typed access to a column by name: an error says whether it is absent or of another type.
macro_rules! typed {
    ($($method:ident, $variant:ident, $value:ty, $expected:literal;)*) => {
        impl Table {
            $(
                #[doc = concat!("The column `name` as ", $expected, ".\n\n# Errors\nIf it is absent or of another type.")]
                pub fn $method(&self, name: &str) -> Result<&[$value], TableError> {
                    match self.need(name)? {
                        Column::$variant(values) => Ok(values),
                        other => Err(wrong_type(name, other, $expected)),
                    }
                }
            )*
        }
    };
}

typed! {
    i64s, I64, i64, "whole numbers";
    optional_i64s, OptionalI64, Option<i64>, "optional whole numbers";
    u32s, U32, u32, "counts";
    optional_u32s, OptionalU32, Option<u32>, "optional counts";
    f64s, F64, f64, "numbers";
    optional_f64s, OptionalF64, Option<f64>, "optional numbers";
    bools, Bool, bool, "truths";
    texts, Text, String, "texts";
    timestamps_us, TimestampUs, i64, "timestamps";
}

fn wrong_type(name: &str, found: &Column, expected: &'static str) -> TableError {
    let found = match found {
        Column::I64(_) => "whole numbers",
        Column::OptionalI64(_) => "optional whole numbers",
        Column::U32(_) => "counts",
        Column::OptionalU32(_) => "optional counts",
        Column::F64(_) => "numbers",
        Column::OptionalF64(_) => "optional numbers",
        Column::Bool(_) => "truths",
        Column::Text(_) => "texts",
        Column::TimestampUs(_) => "timestamps",
    };
    TableError::WrongType { file: "table".to_owned(), column: name.to_owned(), found: found.to_owned(), expected }
}

/// Writes `table` with the pairs of `metadata` to `path`, whole or not at all.
///
/// # Errors
/// [`TableError::Io`], or [`TableError::NotParquet`] if encoding fails.
pub fn write_table(path: &Path, table: &Table, metadata: &[(&str, &str)]) -> Result<(), TableError> {
    let file = path.display().to_string();
    let bytes = table_bytes(&file, table, metadata)?;
    write_file(path, &bytes).map_err(|source| TableError::Io { file, action: "write the table", source })
}

/// Reads a table that [`write_table`] wrote.
///
/// # Errors
/// If the file cannot be read, is no Parquet, or has columns of other types.
pub fn read_table(path: &Path) -> Result<Table, TableError> {
    let file = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|source| TableError::Io {
        file: file.clone(),
        action: "read the table",
        source,
    })?;
    table_from_bytes(&file, bytes)
}
