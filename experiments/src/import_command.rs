//! `seatrial import`: what others have, as files of ours.
//!
//! | source | becomes |
//! |---|---|
//! | `csv` | a trace |
//! | `decisions` | a trace of what an operator saw, and the workload it belongs to |
//! | `hpa` | a ScalingPolicy in mode Shadow, with the same HorizontalPodAutoscaler as fallback |
//! | `prometheus` | a trace, over HTTP or from a saved answer |
//!
//! One file per source; the pure half of the traces is [`seatrial_datasets::import`]. Invariants: the same command on the same
//! source gives the same bytes; a file that is there is never replaced by another content without `--force`; whatever was
//! inferred or left out is said on stderr.

mod arguments;
mod csv;
mod decisions;
mod destination;
mod hpa;
mod prometheus;

pub use arguments::{
    CsvArgs, DecisionsArgs, HpaArgs, ImportArgs, ImportSource, PrometheusArgs, TimeFormatWord, TraceTargetArgs,
    UnitWord,
};
pub(crate) use arguments::{shown, span};
pub(crate) use destination::write_new;

use crate::commands::Shell;
use crate::error::Result;

/// Imports from the source that the command line names.
///
/// # Errors
/// If the source cannot be read or understood, or the target cannot be written.
pub fn import(arguments: &ImportArgs, shell: &Shell) -> Result<()> {
    match &arguments.source {
        ImportSource::Csv(arguments) => csv::import(arguments),
        ImportSource::Decisions(arguments) => decisions::import(arguments),
        ImportSource::Hpa(arguments) => hpa::import(arguments),
        ImportSource::Prometheus(arguments) => prometheus::import(arguments, shell),
    }
}
