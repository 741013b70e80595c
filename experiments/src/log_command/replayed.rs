//! `seatrial verify` on a log: every decision is made again by the core, from the states that the log holds, and compared.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use seatrial_core::nets::Weights;
use seatrial_core::record::{DecisionRecord, OperatedDecision, Replay, ReplayReport};
use seatrial_core::time::Timestamp;
use seatrial_datasets::moment;
use seatrial_reports::format::grouped;

use super::reading::whole;
use crate::bundle_folder;
use crate::cli::VerifyArgs;
use crate::error::{ExperimentError, Result};
use crate::hash;

/// Differing rows that are told in full.
const MOST_TOLD: usize = 3;
/// Fields of one row that are told.
const MOST_FIELDS: usize = 6;

/// Makes the decisions of a log again.
///
/// # Errors
/// If the log cannot be read, a bundle is missing, nothing could be compared, or a decision differs.
pub fn verify(arguments: &VerifyArgs) -> Result<()> {
    if arguments.train || arguments.jobs.is_some() {
        return Err(ExperimentError::Usage {
            what: format!("--train and --jobs are for runs, and {} is a decision log", arguments.run.display()),
            next: "leave them out".to_owned(),
        });
    }
    let nets = nets(&arguments.bundle)?;
    let (rows, repeated) = whole(&arguments.run).map_err(ExperimentError::Differs)?;
    check_bundles(&rows, &nets)?;
    if repeated > 0 {
        tell!("note: {repeated} decisions stand in several places of the log; each was made again once");
    }
    let mut told = Vec::new();
    let mut tell = |position: usize, again: DecisionRecord| {
        if told.len() < MOST_TOLD {
            told.push(difference(&rows[position], &again));
        }
    };
    let report = Replay::new(&nets)
        .run_telling(&rows, &mut tell)
        .map_err(|error| ExperimentError::Differs(error.to_string()))?;
    conclude(&report, &told, &arguments.run)
}

/// The nets of the bundles by hash; a bundle without nets has none to give.
fn nets(folders: &[PathBuf]) -> Result<BTreeMap<String, Weights>> {
    let mut nets = BTreeMap::new();
    for folder in folders {
        let bundle = bundle_folder::load(folder)?;
        nets.insert(bundle.hash().to_owned(), bundle.weights().cloned().unwrap_or_default());
    }
    Ok(nets)
}

/// Whether every bundle that decided is at hand; all that are not are named at once.
fn check_bundles(rows: &[OperatedDecision], nets: &BTreeMap<String, Weights>) -> Result<()> {
    let mut needed: BTreeMap<&String, &String> = BTreeMap::new();
    for row in rows {
        if let Some(hash) = row.replay_from.as_ref().and_then(|point| point.bundle.as_ref()) {
            needed.entry(hash).or_insert(&row.subject);
        }
    }
    for hash in nets.keys().filter(|hash| !needed.contains_key(hash)) {
        tell!("note: no decision of the log was made by the bundle with hash {}", hash::short(hash));
    }
    let absent: Vec<String> = needed
        .iter()
        .filter(|(hash, _)| !nets.contains_key(**hash))
        .map(|(hash, subject)| format!("{hash} (of {subject})"))
        .collect();
    if absent.is_empty() {
        return Ok(());
    }
    Err(ExperimentError::Usage {
        what: format!("decisions of the log were made by bundles that are not given: {}", absent.join(", ")),
        next: "name the folder of each with --bundle DIR (the hash stands in its policy.json)".to_owned(),
    })
}

/// One differing row: whose, when, and what.
fn difference(row: &OperatedDecision, again: &DecisionRecord) -> String {
    let at = moment::format(Timestamp::from_micros(row.record.at_us));
    let fields = [&row.record, again].map(|record| serde_json::to_value(record).unwrap_or_default());
    let [Some(log), Some(again)] = fields.each_ref().map(|value| value.as_object()) else { return String::new() };
    let differing = log.iter().filter(|(name, value)| again.get(*name) != Some(value));
    let mut told: Vec<String> = differing
        .map(|(name, value)| format!("{name} {value} in the log, {} again", again.get(name).unwrap_or_default()))
        .collect();
    let more = told.len().saturating_sub(MOST_FIELDS);
    told.truncate(MOST_FIELDS);
    let more = if more > 0 { format!("; {more} more fields") } else { String::new() };
    format!("{} at {at} (by {}): {}{more}", row.subject, row.decided_by, told.join("; "))
}

fn conclude(report: &ReplayReport, told: &[String], log: &Path) -> Result<()> {
    let count = |rows: u64| grouped(rows as f64, 0);
    let skipped = match report.skipped {
        0 => String::new(),
        skipped => format!(" ({} before the first replay point skipped)", count(skipped)),
    };
    let compared = count(report.compared);
    if report.compared == 0 {
        return Err(ExperimentError::Differs(format!(
            "{}: no row holds a replay point, so that none of {} decisions can be made again; logs of an operator hold one \
             per hour: give more of the log",
            log.display(),
            count(report.skipped)
        )));
    }
    if report.differing.is_empty() {
        say!("{compared} decisions made again, all identical{skipped}");
        return Ok(());
    }
    for line in told {
        say!("differs   {line}");
    }
    Err(ExperimentError::Differs(format!(
        "{} of {compared} decisions made again differ{skipped}; the log was changed, or holds gaps (the operator counts rows \
         that it dropped), or another version of seatrial decided",
        count(report.differing.len() as u64)
    )))
}
