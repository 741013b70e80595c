//! Evidence for readers: statistics, tables, figures and the HTML report of a study, from plain data.
//!
//! | room | what |
//! |---|---|
//! | [`model`] | what goes in: a [`model::StudyData`] filled by whoever ran the study |
//! | [`stats`] | hierarchical bootstrap and the summary statistics of the field |
//! | [`evaluation`] | estimates with intervals for every strategy and pair, overall and by family |
//! | [`claims`] | sentences that the intervals allow, and no others |
//! | [`summary`] | `summary.json`, the interface that scripts hold on to |
//! | [`tables`] | CSV, Markdown, LaTeX and plain text |
//! | [`figures`] | SVG and PNG with the shipped font, each with its data |
//! | [`html`], [`tuning`] | the self-contained page of a study, and that of `seatrial tune` |
//! | [`scenario`] | a simulated scenario run as plain data, its tables and its page |
//! | [`mod@write`] | everything into a run folder |
//! | `analysis` | questions over several runs, on polars (feature `analysis`) |
//!
//! Same data, same bytes: there is no clock, no default-hash map and no thread in this crate (but those of polars).

#[cfg(feature = "analysis")]
pub mod analysis;
pub mod claims;
pub mod error;
pub mod evaluation;
pub mod figures;
pub mod format;
pub mod html;
pub mod model;
pub mod scenario;
pub mod stats;
pub mod summary;
pub mod tables;
pub mod tuning;
pub mod write;

#[cfg(test)]
mod sample;

pub use error::ReportError;
pub use write::{ReportPaths, write_report};
