//! `seatrial import decisions`: an operator's log as a trace, and beside it `NAME.evaluation.toml`, the workload as it was seen.
//!
//! The trace is what `seatrial evaluate` scores; the other file says what the load met, and how to have the bundle scored on
//! it. Both or none are replaced.

mod workload;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use seatrial_core::observe::Sample;
use seatrial_datasets::import::{Imported, from_decisions};
use seatrial_datasets::{Locator, Provenance, Trace};
use seatrial_reports::format::slug;
use serde::{Deserialize, Serialize};

use self::workload::SeenWorkload;
use super::DecisionsArgs;
use super::arguments::shown;
use super::csv::command_keys;
use super::destination::{Destination, occupied, write_new};
use crate::cli::line;
use crate::error::{ExperimentError, Result};
use crate::hash;
use crate::log_command::{Log, LogFile, Row};

const COMMAND: &str = "seatrial import decisions";
/// Version of [`EvaluationSet`].
const SCHEMA: u32 = 1;

/// What stands beside the trace.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EvaluationSet {
    schema: u32,
    /// Name of the trace's file, in the same folder.
    trace: String,
    /// Hash of its content.
    content_hash: String,
    log: LogReference,
    /// One per series of the trace, by name.
    workloads: Vec<SeenWorkload>,
}

/// Which files the trace was made of.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LogReference {
    files: usize,
    first: String,
    last: String,
    /// BLAKE3 of the output of `b3sum` on the files in order of name.
    blake3: String,
}

pub(super) fn import(arguments: &DecisionsArgs) -> Result<()> {
    let target = Destination::new(&arguments.target)?;
    let log =
        Log::read(&arguments.log).and_then(|log| log.only(&arguments.subject)).map_err(ExperimentError::Import)?;
    let mut imported = from_decisions(&target.id(), &place(arguments), &loads(&log), arguments.interval)
        .map_err(|error| ExperimentError::Import(error.to_string()))?;
    if log.repeated > 0 {
        imported.notes.push(format!("{} decisions stand in several places of the log and count once", log.repeated));
    }
    let set = evaluation_set(&log, &imported.trace, target.path);
    imported.notes.extend(set.workloads.iter().flat_map(SeenWorkload::notes));
    let beside = target.path.with_extension("evaluation.toml");
    let text = text(&set)?;
    check_replaceable(&beside, &text, target.force)?;
    let commands = commands(&set, &imported, target.path);
    target.write(imported, provenance(&log, arguments))?;
    say!("{} {}", write_new(&beside, text.as_bytes(), target.force)?, beside.display());
    for command in commands {
        say!("evaluate  {command}");
    }
    Ok(())
}

fn place(arguments: &DecisionsArgs) -> String {
    arguments.log.display().to_string()
}

/// The load samples of each subject.
fn loads(log: &Log) -> BTreeMap<String, Vec<Sample>> {
    let samples = log.subjects.iter().map(|(subject, rows)| {
        let seen = rows.iter().filter_map(Row::load);
        (subject.clone(), seen.collect())
    });
    samples.collect()
}

fn reference(log: &Log) -> LogReference {
    let lines: String = log.files.iter().map(|file| format!("{}  {}\n", file.blake3, file.name)).collect();
    let name = |file: Option<&LogFile>| file.map(|file| file.name.clone()).unwrap_or_default();
    LogReference {
        files: log.files.len(),
        first: name(log.files.first()),
        last: name(log.files.last()),
        blake3: hash::of_bytes(lines.as_bytes()),
    }
}

fn provenance(log: &Log, arguments: &DecisionsArgs) -> Provenance {
    let options = serde_json::json!({
        "subject": (!arguments.subject.is_empty()).then_some(&arguments.subject),
        "interval": arguments.interval.map(shown),
    });
    let LogReference { files, first, last, blake3 } = reference(log);
    let mut more = command_keys(COMMAND, &options);
    more.insert("bin_start".to_owned(), "one interval before the time of the sample".to_owned());
    more.insert("source_files_blake3".to_owned(), blake3);
    Provenance { source: Some(format!("{files} decision logs, {first} to {last}")), more, ..Provenance::default() }
}

fn evaluation_set(log: &Log, trace: &Trace, path: &Path) -> EvaluationSet {
    let workloads = trace.series.iter().filter_map(|series| {
        let rows = log.subjects.get(&series.name)?;
        SeenWorkload::of(trace, &series.name, rows)
    });
    EvaluationSet {
        schema: SCHEMA,
        trace: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        content_hash: trace.content_hash.clone(),
        log: reference(log),
        workloads: workloads.collect(),
    }
}

fn text(set: &EvaluationSet) -> Result<String> {
    let body = toml::to_string(set)
        .map_err(|error| ExperimentError::Import(format!("cannot be put into TOML ({error}); this is a bug")))?;
    Ok(format!("# The workload behind {} as the operator saw it. Made by `{COMMAND}`.\n{body}", set.trace))
}

/// Looks before the trace is written: both files change, or none.
fn check_replaceable(path: &PathBuf, text: &str, force: bool) -> Result<()> {
    match std::fs::read(path) {
        Ok(old) if old != text.as_bytes() && !force => Err(occupied(path)),
        _ => Ok(()),
    }
}

/// What to type next, a line for each subject: bounds of replicas hold for all series of an evaluation.
fn commands(set: &EvaluationSet, imported: &Imported, path: &Path) -> Vec<String> {
    let several = imported.trace.series.len() > 1;
    let scored = set.workloads.iter().filter(|workload| workload.can_be_scored());
    scored.map(|workload| command(workload, several, path)).collect()
}

fn command(workload: &SeenWorkload, several: bool, path: &Path) -> String {
    let trace = path.display().to_string();
    let mut words =
        ["seatrial", "evaluate", "--bundle", "DIR", "--traces", &trace, "--whole"].map(str::to_owned).to_vec();
    if let Some(limits) = workload.protocol_limits {
        words.extend(["--set".to_owned(), format!("limits={{min={},max={}}}", limits.min, limits.max)]);
    }
    if several {
        words.extend(["--set".to_owned(), format!("traces.0.series=[{:?}]", workload.subject)]);
    }
    let name = slug(&format!("{} {}", Locator::id_of(path), workload.subject));
    words.extend(["--out".to_owned(), format!("runs/{name}")]);
    line(&words)
}
