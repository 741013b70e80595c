//! `seatrial report` on a log: a figure per subject as SVG and PNG with its data as CSV, and one table as CSV and Markdown.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use seatrial_core::record::DecisionRecord;
use seatrial_reports::ReportError;
use seatrial_reports::figures::{Figure, decision_log};
use seatrial_reports::write::write_figure;

use super::summary::{self, Summary};
use super::{Log, Row};
use crate::cli::ReportArgs;
use crate::error::{ExperimentError, Result};
use crate::run_folder::write_atomic;

/// Subjects that are drawn unless some are named.
const MOST_DRAWN: usize = 16;

/// Writes the report of a log.
///
/// # Errors
/// If the log cannot be read, has no such subject, or a file cannot be written.
pub fn report(arguments: &ReportArgs) -> Result<()> {
    let wrong = ExperimentError::Report;
    let log = Log::read(&arguments.run).and_then(|log| log.only(&arguments.subject)).map_err(wrong)?;
    let out = arguments.out.clone().unwrap_or_else(|| beside(&arguments.run));
    let summaries = Summary::of_all(&log);
    write_atomic(&out.join("summary.csv"), summary::csv(&summaries).as_bytes())?;
    write_atomic(&out.join("summary.md"), summary::markdown(&summaries).as_bytes())?;
    let drawn = draw(&log, &out, if arguments.subject.is_empty() { MOST_DRAWN } else { usize::MAX })?;
    for summary in &summaries {
        for line in summary.lines() {
            say!("{line}");
        }
        say!();
    }
    if log.repeated > 0 {
        tell!("note: {} decisions stand in several places of the log; each counts once", log.repeated);
    }
    for path in [out.join("summary.csv"), out.join("summary.md")].iter().chain(&drawn) {
        say!("{}", path.display());
    }
    Ok(())
}

/// The folder `report` in the log's.
fn beside(log: &Path) -> PathBuf {
    let folder = if log.is_file() { log.parent().unwrap_or(log) } else { log };
    folder.join("report")
}

/// Draws the first `most` subjects and answers with the files.
fn draw(log: &Log, out: &Path, most: usize) -> Result<Vec<PathBuf>> {
    let (mut paths, mut taken) = (Vec::new(), BTreeSet::new());
    for (subject, rows) in log.subjects.iter().take(most) {
        match figure(subject, rows) {
            Ok(figure) => {
                let figure = with_own_name(figure, &mut taken);
                paths.extend(write_figure(out, &figure).map_err(|error| ExperimentError::Report(error.to_string()))?);
            }
            Err(error @ ReportError::NoDecisions { .. }) => tell!("note: {error}"),
            Err(error) => return Err(ExperimentError::Report(error.to_string())),
        }
    }
    if log.subjects.len() > most {
        tell!("note: drawn are the first {most} of {} subjects; name others with --subject", log.subjects.len());
    }
    Ok(paths)
}

fn figure(subject: &str, rows: &[Row]) -> std::result::Result<Figure, ReportError> {
    let records: Vec<DecisionRecord> = rows.iter().map(|row| row.record.clone()).collect();
    decision_log(subject, &records)
}

/// Two subjects may differ only where a file name cannot: the second one is numbered.
fn with_own_name(mut figure: Figure, taken: &mut BTreeSet<String>) -> Figure {
    let (id, mut number) = (figure.id.clone(), 1);
    while !taken.insert(figure.id.clone()) {
        number += 1;
        figure.id = format!("{id}-{number}");
    }
    figure
}
