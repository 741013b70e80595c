//! The rows of a log: the files of a folder read, put in order of subject and time, each decision once.
//!
//! Files may overlap (copies of one log, two operators after each other) and come in any order. A decision is the same as
//! another if every column is; two that differ at one moment are both kept, so that a replay finds them. Errors are texts: the
//! commands say whose they are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use seatrial_core::observe::{Feature, Sample, Workload};
use seatrial_core::record::{DecisionRecord, OperatedDecision};
use seatrial_core::time::{Span, Timestamp};
use seatrial_datasets::{TableError, operated_files, read_operated};

use crate::hash;

/// What an import or a report needs of a decision: the record and what is small beside it, without the observation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) record: DecisionRecord,
    pub(crate) mode: String,
    pub(crate) decided_by: String,
    pub(crate) start_ups: Vec<Span>,
    /// Workload and bundle of a replay point, if the row holds one.
    pub(crate) point: Option<(Workload, Option<String>)>,
}

/// A file of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogFile {
    pub(crate) name: String,
    pub(crate) blake3: String,
}

/// A log in short form.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    pub(crate) files: Vec<LogFile>,
    /// Rows by subject, in order of time; no subject is without rows.
    pub(crate) subjects: BTreeMap<String, Vec<Row>>,
    /// Decisions that stood more than once.
    pub(crate) repeated: usize,
}

/// The files of the log at `path`: the file itself, or those of the folder.
pub(super) fn files(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    if path.is_file() {
        // The parent of a bare name is an empty path, which no system opens.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let is_log = operated_files(folder)?.iter().any(|file| file.file_name() == path.file_name());
        return Ok(if is_log { vec![path.to_owned()] } else { Vec::new() });
    }
    operated_files(path)
}

/// The files, at least one, or why there is none.
fn some_files(path: &Path) -> Result<Vec<PathBuf>, String> {
    let files = files(path).map_err(|error| format!("cannot read {}: {error}; check the path", path.display()))?;
    if files.is_empty() {
        let place = path.display();
        return Err(format!(
            "{place}: no decision log here (no decisions-*.parquet); name the folder that the operator logs into"
        ));
    }
    Ok(files)
}

/// Every row in full, in order of subject and time, and how many stood more than once.
pub(super) fn whole(path: &Path) -> Result<(Vec<OperatedDecision>, usize), String> {
    let mut rows = Vec::new();
    for file in some_files(path)? {
        rows.extend(read_operated(&file).map_err(|error| refused(&file, error))?);
    }
    let read = rows.len();
    rows.sort_by(|a, b| (&a.subject, a.record.at_us).cmp(&(&b.subject, b.record.at_us)));
    let rows = each_once(rows, |row| row.record.at_us);
    let repeated = read - rows.len();
    Ok((rows, repeated))
}

/// `rows` without those that equal an earlier one of their moment; they are in order of it.
fn each_once<T: PartialEq>(rows: Vec<T>, at: impl Fn(&T) -> i64) -> Vec<T> {
    let mut kept: Vec<T> = Vec::with_capacity(rows.len());
    for row in rows {
        let same = |other: &&T| at(other) == at(&row);
        if !kept.iter().rev().take_while(same).any(|other| *other == row) {
            kept.push(row);
        }
    }
    kept
}

/// What is wrong with a file of a log, and what to do: nobody can make a log again.
fn refused(path: &Path, error: TableError) -> String {
    let file = path.display();
    match error {
        TableError::NotParquet { detail, .. } => format!(
            "{file}: not a readable Parquet file ({detail}). It may be truncated: copy it again, or move it out of the folder \
             to go on without it"
        ),
        TableError::MissingColumn { column, .. } => format!(
            "{file}: no decision log of an operator: column `{column}` is missing. Move the file out of the folder"
        ),
        TableError::Version { found, expected, .. } if found == "absent" => format!(
            "{file}: no decision log: it does not say `decisions.version` = {expected}. Move the file out of the folder"
        ),
        TableError::Version { found, expected, .. } => format!(
            "{file}: written as version {found} of the decision log, this program reads version {expected}. Use the seatrial of \
             the operator's version"
        ),
        TableError::Value { column, row, detail, .. } => {
            format!(
                "{file}: column `{column}`, row {row}: {detail}. The file is damaged: copy it again, or move it out of the folder"
            )
        }
        other => other.to_string(),
    }
}

impl Log {
    /// The log at `path`, a file or a folder of them.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let mut log = Self::default();
        for file in some_files(path)? {
            let bytes =
                std::fs::read(&file).map_err(|error| format!("cannot read {}: {error}; check it", file.display()))?;
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            log.files.push(LogFile { name, blake3: hash::of_bytes(&bytes) });
            for row in read_operated(&file).map_err(|error| refused(&file, error))? {
                log.subjects.entry(row.subject.clone()).or_default().push(Row::of(row));
            }
        }
        for rows in log.subjects.values_mut() {
            let read = rows.len();
            rows.sort_by_key(|row| row.record.at_us);
            *rows = each_once(std::mem::take(rows), |row| row.record.at_us);
            log.repeated += read - rows.len();
        }
        if log.subjects.is_empty() {
            return Err(format!("{}: its files hold no decision", path.display()));
        }
        Ok(log)
    }

    /// Keeps these subjects; all of them if none is named.
    pub(crate) fn only(mut self, subjects: &[String]) -> Result<Self, String> {
        if let Some(unknown) = subjects.iter().find(|subject| !self.subjects.contains_key(*subject)) {
            let known = self.subjects.keys().take(20).cloned().collect::<Vec<_>>().join(", ");
            let more = if self.subjects.len() > 20 { ", …" } else { "" };
            return Err(format!("the log has no subject `{unknown}`; it has {known}{more}"));
        }
        if !subjects.is_empty() {
            self.subjects.retain(|subject, _| subjects.contains(subject));
        }
        Ok(self)
    }
}

impl Row {
    fn of(row: OperatedDecision) -> Self {
        Self {
            record: row.record,
            mode: row.mode,
            decided_by: row.decided_by,
            start_ups: row.observation.start_ups,
            point: row.replay_from.map(|point| (point.workload, point.bundle)),
        }
    }

    /// The offered load with the end of its window, if it was seen.
    pub(crate) fn load(&self) -> Option<Sample> {
        let at = Timestamp::from_micros(self.record.load_at_us?);
        Some(Sample { at, value: self.record.features[Feature::HttpRequestsTotalRate as usize]? })
    }
}
