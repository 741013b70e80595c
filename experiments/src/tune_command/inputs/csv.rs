//! CSV files: the columns are found by their names.
//!
//! One column of times, and either one of load or columns of replicas and CPU; a column of names where a file holds several
//! workloads. A file with other names is imported first (`seatrial import csv`), where each column can be named.

use seatrial_datasets::import::{CsvColumns, Imported, Unit, from_csv};
use seatrial_datasets::{Locator, Trace};

use super::{BEYOND, MOST_PER_S, ReadError};

const TIMES: [&str; 7] = ["timestamp", "time", "ts", "datetime", "date", "t", "start"];
const NAMES: [&str; 6] = ["series", "workload", "service", "deployment", "app", "name"];
const RATES: [&str; 8] = [
    "requests_per_s",
    "requests_per_second",
    "requests/s",
    "rps",
    "qps",
    "rate",
    "http_requests_per_second",
    "req_per_s",
];
const COUNTS: [&str; 6] = ["requests", "count", "hits", "invocations", "calls", "value"];
/// Names of the roles of [`super::roles`], as columns.
const REPLICAS: [&str; 5] = ["replicas", "pods", "ready_replicas", "ready", "instances"];
const CPU: [&str; 6] = ["cpu_percent", "cpu_utilization", "cpu_utilisation", "cpu", "cpu_util", "cpu_usage_percent"];

/// The columns of a file.
struct Columns {
    header: Vec<String>,
}

impl Columns {
    fn of(bytes: &[u8]) -> Self {
        let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line.get(..4_096).unwrap_or(line)).into_owned();
        let line = line.trim_start_matches('\u{feff}').trim_end();
        Self { header: line.split(',').map(|column| column.trim().trim_matches('"').to_owned()).collect() }
    }

    fn find(&self, known: &[&str]) -> Option<&String> {
        known.iter().find_map(|name| self.header.iter().find(|column| column.eq_ignore_ascii_case(name)))
    }

    fn lacking(&self, file: &str, what: &str, known: &[&str]) -> ReadError {
        let plain = |c: char| if c.is_control() { ' ' } else { c };
        let present: String = self.header.join(", ").chars().take(300).map(plain).collect();
        let next = "rename it, or name your columns with `seatrial import csv`";
        ReadError::Other(format!(
            "{file}: no column of {what}: there are {present}; known names are {}; {next}",
            known.join(", ")
        ))
    }

    /// Refuses rates beyond all loads, by line and column; lines with quotes are left to the check of the bins.
    fn check_rates(&self, file: &str, bytes: &[u8], column: &str) -> Result<(), ReadError> {
        let Some(place) = self.header.iter().position(|name| name == column) else { return Ok(()) };
        for (line, row) in bytes.split(|byte| *byte == b'\n').enumerate().skip(1).filter(|row| !row.1.contains(&b'"')) {
            let cell = row.split(|byte| *byte == b',').nth(place).map(String::from_utf8_lossy);
            let rate = cell.and_then(|cell| cell.trim().parse::<f64>().ok());
            if let Some(rate) = rate.filter(|rate| rate.is_finite() && *rate > MOST_PER_S) {
                let detail = format!("{file}: line {}, column `{column}`: {rate:e} is {BEYOND}", line + 1);
                return Err(ReadError::Other(detail));
            }
        }
        Ok(())
    }

    /// The column of load and what its values mean.
    fn load(&self) -> Option<(&String, Unit)> {
        let rates = self.find(&RATES).map(|column| (column, Unit::RequestsPerSecond));
        rates.or_else(|| self.find(&COUNTS).map(|column| (column, Unit::Requests)))
    }
}

/// The trace in `bytes`.
///
/// # Errors
/// If a column is missing, or a row is wrong.
pub(super) fn read(file: &str, bytes: &[u8]) -> Result<Imported, ReadError> {
    let columns = Columns::of(bytes);
    let time = columns.find(&TIMES).ok_or_else(|| columns.lacking(file, "times", &TIMES))?;
    let names = columns.find(&NAMES);
    if let Some((column, Unit::RequestsPerSecond)) = columns.load() {
        columns.check_rates(file, bytes, column)?;
    }
    let read = |value: &str, unit: Unit| {
        let columns = CsvColumns {
            time: time.clone(),
            value: value.to_owned(),
            series: names.cloned(),
            time_format: None,
            unit: Some(unit),
            interval: None,
        };
        from_csv(&Locator::id_of(std::path::Path::new(file)), file, bytes, &columns)
    };
    let levels = columns.find(&REPLICAS).zip(columns.find(&CPU)).filter(|_| names.is_none());
    let mut imported = match (columns.load(), levels) {
        (Some((column, unit)), _) => {
            let mut imported = read(column, unit)?;
            if unit == Unit::Requests {
                imported.notes.push(format!("column `{column}` is read as requests per bin, not per second"));
            }
            if levels.is_some() {
                rename(&mut imported.trace, "load");
            }
            imported
        }
        (None, Some((replicas, _))) => read(replicas, Unit::Requests)?,
        _ => {
            let known = [&RATES[..], &COUNTS[..]].concat();
            return Err(columns.lacking(file, "load, nor columns of replicas and cpu_percent", &known));
        }
    };
    if let Some((replicas, cpu)) = levels {
        if columns.load().is_some() {
            imported.trace.series.extend(named(read(replicas, Unit::Requests)?.trace, "replicas").series);
        } else {
            rename(&mut imported.trace, "replicas");
        }
        imported.trace.series.extend(named(read(cpu, Unit::Requests)?.trace, "cpu").series);
    }
    Ok(imported)
}

fn named(mut trace: Trace, name: &str) -> Trace {
    rename(&mut trace, name);
    trace
}

fn rename(trace: &mut Trace, name: &str) {
    if let [only] = trace.series.as_mut_slice() {
        name.clone_into(&mut only.name);
    }
}
