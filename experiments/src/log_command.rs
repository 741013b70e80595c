//! Decision logs of an operator: `seatrial report` and `seatrial verify` on a folder of them (`seatrial import decisions` is an
//! import). The folder itself tells a log from a run.
//!
//! | module | what |
//! |---|---|
//! | `figures` | the report: a figure per subject, and one table of them all |
//! | `reading` | files to rows, in order of time, each decision once |
//! | `replayed` | the proof: every decision made again |
//! | `summary` | a log in numbers |

mod figures;
mod reading;
mod replayed;
mod summary;

use std::path::Path;

pub use figures::report;
pub(crate) use reading::{Log, LogFile, Row};
pub use replayed::verify;

use crate::error::{ExperimentError, Result};
use crate::run_folder::RunFolder;

/// Whether `path` is a decision log: a file of one, or a folder with such files and no run.
#[must_use]
pub fn is_log(path: &Path) -> bool {
    let is_run = RunFolder::at(path).resolved_config().is_file();
    !is_run && reading::files(path).is_ok_and(|files| !files.is_empty())
}

/// Refuses a folder that is neither a run nor a log, and flags that belong to logs alone.
///
/// # Errors
/// If there is nothing to work on, or a flag of `given` (with whether it was given) is set on a run.
pub fn check_run(path: &Path, given: &[(&str, bool)]) -> Result<()> {
    let is_run = RunFolder::at(path).resolved_config().is_file();
    if path.is_dir() && !is_run {
        return Err(ExperimentError::RunFolder {
            path: path.to_owned(),
            detail:
                "has no config.resolved.toml and no decisions-*.parquet; give the folder that `seatrial run` wrote, or \
                     the folder of an operator's decision log"
                    .to_owned(),
        });
    }
    match given.iter().find(|(_, set)| is_run && *set) {
        None => Ok(()),
        Some((flag, _)) => Err(ExperimentError::Usage {
            what: format!("{flag} is for decision logs, and {} is a run", path.display()),
            next: format!("leave {flag} out, or name the folder of a log"),
        }),
    }
}
