//! The log of an operator: the decision log with the columns that a replay needs.
//!
//! Beside the columns of [`crate::decisions`] stand `subject`, `mode`, `decided_by`, and as JSON `observation` and
//! `replay_from` (empty where a row holds none). A program that reads the decision log alone need not know them.

use std::path::{Path, PathBuf};

use seatrial_core::record::OperatedDecision;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::decisions::{check_version, from_table, to_table, version_pair};
use crate::table::{Column, Table, TableError, read_table, write_table};

/// Writes `rows` to `path`, whole or not at all.
///
/// # Errors
/// If the file cannot be written, or a number is not finite and so cannot be kept as JSON.
pub fn write_operated(path: &Path, rows: &[OperatedDecision], metadata: &[(&str, &str)]) -> Result<(), TableError> {
    let file = path.display().to_string();
    let records: Vec<_> = rows.iter().map(|row| row.record.clone()).collect();
    let table = to_table(&records)?
        .with("subject", texts(rows, |row| row.subject.clone()))?
        .with("mode", texts(rows, |row| row.mode.clone()))?
        .with("decided_by", texts(rows, |row| row.decided_by.clone()))?
        .with("observation", Column::Text(json(&file, "observation", rows, |row| Some(&row.observation))?))?
        .with("replay_from", Column::Text(json(&file, "replay_from", rows, |row| row.replay_from.as_deref())?))?;
    let (key, version) = version_pair();
    let pairs: Vec<(&str, &str)> = std::iter::once((key, version.as_str())).chain(metadata.iter().copied()).collect();
    write_table(path, &table, &pairs)
}

/// Reads what [`write_operated`] wrote.
///
/// # Errors
/// If the version is another, a column is absent (a log of the simulator has no observations), or the file cannot be read.
pub fn read_operated(path: &Path) -> Result<Vec<OperatedDecision>, TableError> {
    let file = path.display().to_string();
    let table = read_table(path)?;
    check_version(&file, &table)?;
    rows(&file, &table)
}

/// The logs in `folder`, in order of name, which is order of time.
///
/// # Errors
/// If the folder cannot be read.
pub fn operated_files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder)?.collect::<std::io::Result<Vec<_>>>()?;
    let mut files: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).filter(|path| is_log(path)).collect();
    files.sort();
    Ok(files)
}

fn is_log(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.starts_with("decisions-") && path.extension().is_some_and(|extension| extension == "parquet")
}

fn texts(rows: &[OperatedDecision], text: impl Fn(&OperatedDecision) -> String) -> Column {
    Column::Text(rows.iter().map(text).collect())
}

fn json<'a, T: Serialize + 'a>(
    file: &str,
    column: &str,
    rows: &'a [OperatedDecision],
    part: impl Fn(&'a OperatedDecision) -> Option<&'a T>,
) -> Result<Vec<String>, TableError> {
    let text = |(row, decision): (usize, &'a OperatedDecision)| match part(decision) {
        Some(part) => serde_json::to_string(part).map_err(|error| refused(file, column, row, &error)),
        None => Ok(String::new()),
    };
    rows.iter().enumerate().map(text).collect()
}

fn refused(file: &str, column: &str, row: usize, error: &serde_json::Error) -> TableError {
    TableError::Value { file: file.to_owned(), column: column.to_owned(), row, detail: error.to_string() }
}

fn parse<T: DeserializeOwned>(file: &str, column: &str, row: usize, text: &str) -> Result<T, TableError> {
    serde_json::from_str(text).map_err(|error| refused(file, column, row, &error))
}

fn rows(file: &str, table: &Table) -> Result<Vec<OperatedDecision>, TableError> {
    let records = from_table(file, table)?;
    let column = |name| table.texts(name).map_err(|error| error.in_file(file));
    let (subjects, modes, deciders) = (column("subject")?, column("mode")?, column("decided_by")?);
    let (observations, points) = (column("observation")?, column("replay_from")?);
    let row = |(row, record)| {
        let point: &String = &points[row];
        let replay_from = if point.is_empty() { None } else { Some(Box::new(parse(file, "replay_from", row, point)?)) };
        Ok(OperatedDecision {
            record,
            subject: subjects[row].clone(),
            mode: modes[row].clone(),
            decided_by: deciders[row].clone(),
            observation: parse(file, "observation", row, &observations[row])?,
            replay_from,
        })
    };
    records.into_iter().enumerate().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use seatrial_core::observe::{Feature, Observation, Sample, Workload};
    use seatrial_core::record::{DecisionRecord, ReplayPoint};
    use seatrial_core::scaling::policies::Ingredients;
    use seatrial_core::scaling::strategy::StrategySpec;
    use seatrial_core::time::Timestamp;

    fn log() -> Vec<OperatedDecision> {
        let (workload, strategy) = (Workload::protocol_p1(), StrategySpec::of("hpa"));
        let autoscaler = strategy.build(&Ingredients { workload: &workload, weights: None }).unwrap();
        let mut state = autoscaler.initial_state();
        let mut rows = Vec::new();
        for second in [0, 15, 30] {
            let mut observation = Observation::unknown(Timestamp::from_secs(second), 4);
            let rate = Sample { at: observation.now, value: 0.1 + second as f64 / 3.0 };
            observation.metrics.set(Feature::HttpRequestsTotalRate, Some(rate));
            let snapshot = autoscaler.snapshot(&state).unwrap();
            let point = Box::new(ReplayPoint { workload, strategy: strategy.clone(), bundle: None, snapshot });
            let (view, decision) = autoscaler.decide_viewed(observation.now, &observation, &mut state);
            rows.push(OperatedDecision {
                record: DecisionRecord::new(&view, &decision),
                subject: "shop/web".into(),
                mode: "Shadow".into(),
                decided_by: "fallback".into(),
                observation: observation.clone(),
                replay_from: (second == 0).then_some(point),
            });
        }
        rows
    }

    #[test]
    fn a_log_survives_its_file_and_is_a_decision_log_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("decisions-1.parquet");
        write_operated(&path, &log(), &[("operator", "test")]).unwrap();
        assert_eq!(read_operated(&path).unwrap(), log());
        let records: Vec<_> = log().into_iter().map(|row| row.record).collect();
        assert_eq!(crate::read_decisions(&path).unwrap(), records);
        std::fs::write(folder.path().join("other.txt"), "").unwrap();
        assert_eq!(operated_files(folder.path()).unwrap(), [path]);
    }

    #[test]
    fn a_log_of_the_simulator_is_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("decisions-1.parquet");
        let records: Vec<_> = log().into_iter().map(|row| row.record).collect();
        crate::write_decisions(&path, &records, &[]).unwrap();
        let message = read_operated(&path).unwrap_err().to_string();
        assert!(message.contains("subject"), "{message}");
    }
}
