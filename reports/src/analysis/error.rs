//! Why a question over several runs has no answer.

use std::path::PathBuf;

/// A question that cannot be answered.
#[derive(Debug, thiserror::Error)]
pub enum AnalysisError {
    /// Nothing to read.
    #[error("no run to ask: give at least one finished run")]
    NoRuns,
    /// The file is not there or may not be read.
    #[error("cannot open {}: {source}; give finished runs (`seatrial run` writes cells.parquet at its end)", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is not Parquet, or damaged.
    #[error("{} is not a readable Parquet file: {detail}; restore it, or finish that run again", path.display())]
    NotParquet {
        /// The file.
        path: PathBuf,
        /// The reader's words.
        detail: String,
    },
    /// The file lacks a column of cells.
    #[error("{} has no column `{column}`; give the cells.parquet of a run of this version", path.display())]
    MissingColumn {
        /// The file.
        path: PathBuf,
        /// The column.
        column: &'static str,
    },
    /// A column holds something else than in cells.
    #[error(
        "{}: column `{column}` holds {found} where {expected} belong; give the cells.parquet of a run of this version",
        path.display()
    )]
    ColumnType {
        /// The file.
        path: PathBuf,
        /// The column.
        column: &'static str,
        /// What cells hold.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// The query engine failed on checked columns.
    #[error("polars could not answer: {detail}; this is a defect of seatrial-reports, please report it with the runs")]
    Engine {
        /// Its words.
        detail: String,
    },
}
