//! `seatrial query`: what every strategy cost in several finished runs, as a table, CSV or JSON.
//!
//! The work is done by `seatrial_reports::analysis` on polars, behind feature `analysis`; without it the command only says
//! how to get a binary that can answer.

use crate::cli::QueryArgs;
#[cfg(any(test, not(feature = "analysis")))]
use crate::error::ExperimentError;
use crate::error::Result;

#[cfg(feature = "analysis")]
pub use with_polars::query;

/// Says how to get a binary that can answer.
///
/// # Errors
/// Always.
#[cfg(not(feature = "analysis"))]
pub fn query(arguments: &QueryArgs) -> Result<()> {
    Err(needs_polars(arguments))
}

#[cfg(any(test, not(feature = "analysis")))]
fn needs_polars(arguments: &QueryArgs) -> ExperimentError {
    let option = |name: &str, value: &Option<String>| value.as_ref().map(|value| format!("--{name} {value}"));
    let flag = |name: &str, set: bool| set.then(|| format!("--{name}"));
    let options = [
        option("strategy", &arguments.strategy),
        option("family", &arguments.family),
        flag("by-family", arguments.by_family),
        flag("json", arguments.json),
        flag("csv", arguments.csv),
    ];
    let runs = arguments.runs.iter().map(|run| run.display().to_string());
    let words: Vec<String> =
        std::iter::once("query".to_owned()).chain(runs).chain(options.into_iter().flatten()).collect();
    ExperimentError::NeedsAnalysis { command: words.join(" ") }
}

#[cfg(feature = "analysis")]
mod with_polars {
    use std::path::{Path, PathBuf};

    use seatrial_reports::analysis::{self, OverviewRow, Query};

    use super::{QueryArgs, Result};
    use crate::error::ExperimentError;
    use crate::run_folder::RunFolder;

    /// Prints the answer.
    ///
    /// # Errors
    /// If a folder is no finished run, or its cells cannot be read.
    pub fn query(arguments: &QueryArgs) -> Result<()> {
        let runs = arguments.runs.iter().map(|run| named(run)).collect::<Result<Vec<_>>>()?;
        let (strategy, family) = (arguments.strategy.clone(), arguments.family.clone());
        let question = Query { strategy, family, by_family: arguments.by_family };
        let rows = analysis::query(&runs, &question).map_err(|error| ExperimentError::Query(error.to_string()))?;
        say!("{}", told(arguments, &rows)?.trim_end());
        if rows.is_empty() {
            tell!("no cell of these runs is of such a strategy and family");
        }
        Ok(())
    }

    /// Runs go by their folders as given: two runs of one study have the same name.
    fn named(run: &Path) -> Result<(String, PathBuf)> {
        let plain: PathBuf = run.components().collect();
        Ok((plain.display().to_string(), RunFolder::finished(run)?.cells()))
    }

    fn told(arguments: &QueryArgs, rows: &[OverviewRow]) -> Result<String> {
        if arguments.json {
            let json = serde_json::to_string_pretty(rows).map_err(|error| ExperimentError::Query(error.to_string()))?;
            return Ok(json + "\n");
        }
        Ok(if arguments.csv { analysis::csv(rows) } else { analysis::table(rows).plain() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser as _;

    fn parsed(words: &[&str]) -> std::result::Result<QueryArgs, clap::Error> {
        match Cli::try_parse_from([&["seatrial", "query"], words].concat())?.command {
            Command::Query(arguments) => Ok(arguments),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn without_polars_the_command_to_repeat_is_told() {
        let arguments = parsed(&["--json", "runs/a", "runs/b", "--strategy", "hpa", "--by-family"]).unwrap();
        let message = needs_polars(&arguments).to_string();
        let command =
            "cargo run --release --features analysis -- query runs/a runs/b --strategy hpa --by-family --json";
        assert!(message.ends_with(command), "{message}");
    }

    #[test]
    fn a_run_is_needed_and_one_layout_only() {
        assert!(parsed(&[]).is_err());
        assert!(parsed(&["runs/a", "--json", "--csv"]).is_err());
    }

    #[cfg(not(feature = "analysis"))]
    #[test]
    fn without_polars_there_is_no_answer() {
        assert!(matches!(query(&parsed(&["runs/a"]).unwrap()), Err(ExperimentError::NeedsAnalysis { .. })));
    }

    #[cfg(feature = "analysis")]
    #[test]
    fn a_folder_without_a_run_and_a_run_without_cells_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().display().to_string();
        let refused = || query(&parsed(&[&place]).unwrap()).unwrap_err().to_string();
        assert!(refused().contains("has no config.resolved.toml"));
        std::fs::write(folder.path().join("config.resolved.toml"), "").unwrap();
        let message = refused();
        assert!(message.contains("unfinished; run the same command again"), "{message}");
    }
}
