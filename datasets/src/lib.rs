//! Traces of Seatrial: the Parquet contract, readers, writers, the load and the splits of protocol P1, generators, provenance.
//!
//! | room | what |
//! |---|---|
//! | [`trace`] | a trace in memory: series on regular grids, or events; resampling, binning, content hash |
//! | [`reader`], [`writer`] | Parquet to [`Trace`] and back, by the contract of `traces/README.md` |
//! | [`recorded`] | chosen columns of a recorded file, row by row |
//! | [`locator`], [`shipped`] | ids to files: given path, folders, the traces compiled into the program |
//! | [`load`], [`splits`] | protocol P1, "Load" and "Splits": scaling, noise, smoothing, parts |
//! | [`fingerprint`] | whether two series share content although cropped, resampled or rescaled |
//! | [`generate`], [`recipes`] | generated load, and how the shipped generated trace is made |
//! | [`operated`] | the log of an operator: the decision log with what a replay needs |
//! | [`table`], [`decisions`] | typed tables of run folders and the decision log, as Parquet |
//! | [`import`] | CSV files and range queries to traces |
//! | [`prometheus`] | answers of Prometheus' HTTP API as typed values |
//! | [`atomic`], [`moment`] | files that are whole or absent; moments as text |
//!
//! ```
//! use seatrial_datasets::{SplitRule, prepare, shipped};
//!
//! let trace = shipped::open("generated_web_1min")?;
//! let load = prepare(&trace, None, &SplitRule::protocol_p1(&trace.id))?;
//! assert!(load.native && load.rates(load.splits.test.clone()).len() > 5 * 1_440);
//! # Ok::<(), seatrial_datasets::LoadError>(())
//! ```

pub mod atomic;
pub mod decisions;
pub mod error;
pub mod fingerprint;
pub mod generate;
pub mod import;
pub mod load;
pub mod locator;
pub mod moment;
pub mod operated;
pub mod prometheus;
pub mod reader;
pub mod recipes;
pub mod recorded;
pub mod shipped;
pub mod splits;
pub mod table;
pub mod trace;
pub mod writer;

pub use decisions::{read_decisions, write_decisions};
pub use error::TraceError;
pub use fingerprint::{Fingerprint, Overlap, overlaps};
pub use load::{Load, LoadError, prepare};
pub use locator::{Located, Locator};
pub use operated::{operated_files, read_operated, write_operated};
pub use reader::read_trace;
pub use splits::{SplitRule, Splits};
pub use table::{Column, Table, TableError, read_table, write_table};
pub use trace::{EventSeries, Kind, Provenance, Series, Trace};
pub use writer::write_trace;
