//! The columns of a `cells.parquet` that questions need, checked. Everything later can rely on their names and types.

use std::fs::File;
use std::path::Path;

use polars::prelude::{DataFrame, DataType};
use polars_io::SerReader as _;
use polars_io::prelude::ParquetReader;

use super::AnalysisError;

/// What a column holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    Texts,
    Numbers,
    Integers,
    Times,
}

impl Holds {
    fn is(self, found: &DataType) -> bool {
        match self {
            Self::Texts => *found == DataType::String,
            Self::Numbers => *found == DataType::Float64,
            Self::Integers => *found == DataType::Int64,
            Self::Times => matches!(found, DataType::Datetime(..)),
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Texts => "texts",
            Self::Numbers => "64-bit numbers",
            Self::Integers => "64-bit integers",
            Self::Times => "times",
        }
    }
}

/// `oracle_lower` may be null: only the oracle has bounds.
const COLUMNS: [(&str, Holds); 14] = [
    ("cell", Holds::Texts),
    ("strategy", Holds::Texts),
    ("variant", Holds::Texts),
    ("family", Holds::Texts),
    ("series", Holds::Texts),
    ("regime", Holds::Texts),
    ("kappa", Holds::Numbers),
    ("eval_seed", Holds::Integers),
    ("day", Holds::Times),
    ("bad", Holds::Numbers),
    ("requests", Holds::Numbers),
    ("changes", Holds::Numbers),
    ("j", Holds::Numbers),
    ("oracle_lower", Holds::Numbers),
];
/// Reads those columns and no others.
pub(super) fn cells(path: &Path) -> Result<DataFrame, AnalysisError> {
    let file = File::open(path).map_err(|source| AnalysisError::Open { path: path.to_owned(), source })?;
    let unreadable = |error: polars::error::PolarsError| AnalysisError::NotParquet {
        path: path.to_owned(),
        detail: error.to_string(),
    };
    let mut reader = ParquetReader::new(file);
    let schema = reader.schema().map_err(unreadable)?;
    if let Some((column, _)) = COLUMNS.into_iter().find(|(name, _)| schema.get(name).is_none()) {
        return Err(AnalysisError::MissingColumn { path: path.to_owned(), column });
    }
    let names = COLUMNS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let frame = reader.with_columns(Some(names)).finish().map_err(unreadable)?;
    for (column, holds) in COLUMNS {
        let found = frame.column(column).map_err(unreadable)?.dtype();
        if !holds.is(found) {
            let (path, expected, found) = (path.to_owned(), holds.words(), found.to_string());
            return Err(AnalysisError::ColumnType { path, column, expected, found });
        }
    }
    Ok(frame)
}
