//! `seatrial import csv`: a CSV file as a trace, with the file's name and hash as provenance.

use std::collections::BTreeMap;
use std::path::Path;

use seatrial_datasets::Provenance;
use seatrial_datasets::import::{CsvColumns, TimeFormat, Unit, from_csv};

use super::CsvArgs;
use super::arguments::shown;
use super::destination::Destination;
use crate::error::{ExperimentError, Result};
use crate::hash;

pub(super) fn import(arguments: &CsvArgs) -> Result<()> {
    let target = Destination::new(&arguments.target)?;
    let bytes = std::fs::read(&arguments.file).map_err(ExperimentError::io("read", &arguments.file))?;
    let columns = columns(arguments);
    let imported = from_csv(&target.id(), &arguments.file.display().to_string(), &bytes, &columns)
        .map_err(|error| ExperimentError::Import(error.to_string()))?;
    target.write(imported, of_file("seatrial import csv", &arguments.file, &bytes, &options(&columns)))
}

fn columns(arguments: &CsvArgs) -> CsvColumns {
    CsvColumns {
        time: arguments.time.clone(),
        value: arguments.value.clone(),
        series: arguments.series.clone(),
        time_format: arguments.time_format.map(Into::into),
        unit: arguments.unit.map(Into::into),
        interval: arguments.interval,
    }
}

/// What was stated, as JSON: the file itself determines the rest.
fn options(columns: &CsvColumns) -> serde_json::Value {
    serde_json::json!({
        "time": columns.time,
        "value": columns.value,
        "series": columns.series,
        "time_format": columns.time_format.map(TimeFormat::word),
        "unit": columns.unit.map(Unit::word),
        "interval": columns.interval.map(shown),
    })
}

/// Provenance of a trace that was made of one file: its name without folders, and its hash.
pub(super) fn of_file(command: &str, file: &Path, bytes: &[u8], options: &serde_json::Value) -> Provenance {
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned());
    let mut more = command_keys(command, options);
    more.insert("source_blake3".to_owned(), hash::of_bytes(bytes));
    Provenance { source: name, more, ..Provenance::default() }
}

/// The keys that say how a trace was made; options that were not given are left out.
pub(super) fn command_keys(command: &str, options: &serde_json::Value) -> BTreeMap<String, String> {
    let given = options.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    let given: BTreeMap<&String, &serde_json::Value> = given.collect();
    // A map of texts always serialises.
    let options = serde_json::to_string(&given).unwrap_or_default();
    BTreeMap::from([("command".to_owned(), command.to_owned()), ("options".to_owned(), options)])
}
