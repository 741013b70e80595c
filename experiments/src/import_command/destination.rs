//! Where an import goes: a file that appears whole, and is not replaced by another content without being asked.

use std::path::Path;

use seatrial_datasets::import::Imported;
use seatrial_datasets::writer::trace_bytes;
use seatrial_datasets::{Locator, Provenance, moment};

use super::TraceTargetArgs;
use crate::error::{ExperimentError, Result};
use crate::run_folder::write_atomic;

/// The file of a trace.
#[derive(Clone, Copy, Debug)]
pub(super) struct Destination<'a> {
    pub(super) path: &'a Path,
    pub(super) force: bool,
}

impl<'a> Destination<'a> {
    /// Checks the name before any work is done.
    pub(super) fn new(target: &'a TraceTargetArgs) -> Result<Self> {
        if target.out.extension().is_none_or(|extension| extension != "parquet") || target.out.is_dir() {
            return Err(ExperimentError::Usage {
                what: format!("--out {} is no name of a trace", target.out.display()),
                next: "traces are found by the ending .parquet: give a file with that ending".to_owned(),
            });
        }
        Ok(Self { path: &target.out, force: target.force })
    }

    /// The trace's id.
    pub(super) fn id(&self) -> String {
        Locator::id_of(self.path)
    }

    /// Writes the trace with its provenance, and says what it is.
    pub(super) fn write(&self, imported: Imported, provenance: Provenance) -> Result<()> {
        let Imported { mut trace, notes } = imported;
        let time_base = trace.provenance.time_base.take();
        trace.provenance = Provenance { time_base, ..provenance };
        let bytes = trace_bytes(&trace).map_err(|error| ExperimentError::Import(error.to_string()))?;
        for note in notes {
            tell!("note: {note}");
        }
        let outcome = write_new(self.path, &bytes, self.force)?;
        let bins: usize = trace.series.iter().map(|series| series.values.len()).sum();
        let start = trace.series.iter().map(|series| series.start).min().unwrap_or_default();
        let end = trace.series.iter().map(seatrial_datasets::Series::end).max().unwrap_or_default();
        say!("{outcome} {}", self.path.display());
        say!("series    {}, {bins} bins of {} s together", trace.series.len(), trace.interval.as_secs_f64());
        say!("span      {} to {}", moment::format(start), moment::format(end));
        say!("content   {}", trace.content_hash);
        Ok(())
    }
}

/// Writes `bytes`, or leaves the file as it is if it holds them already; says which.
///
/// # Errors
/// If another content is there and may not be replaced.
pub(crate) fn write_new(path: &Path, bytes: &[u8], force: bool) -> Result<&'static str> {
    match std::fs::read(path) {
        Ok(old) if old == bytes => return Ok("unchanged"),
        Ok(_) if !force => return Err(occupied(path)),
        _ => {}
    }
    write_atomic(path, bytes)?;
    Ok("wrote    ")
}

/// Another content is there.
pub(super) fn occupied(path: &Path) -> ExperimentError {
    ExperimentError::Usage {
        what: format!("{} is there already and holds something else", path.display()),
        next: "choose another --out, or replace it with --force".to_owned(),
    }
}
