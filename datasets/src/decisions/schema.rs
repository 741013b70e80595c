//! The columns of a decision log for other programs: name, Arrow type, nullability, unit, meaning.
//!
//! Names, types and nullability are read off an empty table, so that they cannot differ from what is written; units and
//! meanings are listed here, and a test refuses a column without them. JSON Schema speaks of JSON, so this is a plain list.

use seatrial_core::observe::Feature;
use seatrial_core::record::{ALL_FEATURES, RECORD_VERSION};
use seatrial_core::scaling::forecast::LEVELS;
use serde::Serialize;

use super::{VERSION_KEY, feature_columns, forecast_columns, to_table};
use crate::table::{TableError, field};

#[derive(Serialize)]
struct Schema {
    title: &'static str,
    format: &'static str,
    /// Key of the version in the file's metadata.
    version_key: &'static str,
    version: u32,
    /// In the order of the file.
    columns: Vec<ColumnSchema>,
}

#[derive(Serialize)]
struct ColumnSchema {
    name: String,
    arrow_type: String,
    nullable: bool,
    unit: Option<&'static str>,
    description: String,
}

/// Unit and meaning.
type Meaning = (Option<&'static str>, String);

/// The schema of the decision log, as committed in `schemas/decisions.schema.json`.
///
/// # Errors
/// None in practice: a table without rows can be made.
pub fn schema_json() -> Result<String, TableError> {
    let table = to_table(&[])?;
    let columns = table.columns().iter().map(|(name, column)| {
        let field = field(name, column);
        let (unit, description) = meaning(name).unwrap_or_default();
        let (arrow_type, nullable) = (field.data_type().to_string(), field.is_nullable());
        ColumnSchema { name: name.clone(), arrow_type, nullable, unit, description }
    });
    let schema = Schema {
        title: "Decision log of Seatrial: one row per decision; what is absent is missing, never zero",
        format: "parquet",
        version_key: VERSION_KEY,
        version: RECORD_VERSION,
        columns: columns.collect(),
    };
    // Texts, numbers and truths are always JSON.
    Ok(serde_json::to_string_pretty(&schema).unwrap_or_default() + "\n")
}

fn meaning(name: &str) -> Option<Meaning> {
    plain_meaning(name).or_else(|| meaning_of_feature(name)).or_else(|| meaning_of_quantile(name))
}

fn plain_meaning(name: &str) -> Option<Meaning> {
    let (unit, text) = match name {
        "at" => (Some("us"), "moment of the decision, in UTC"),
        "load_at_us" => (Some("us"), "end of the youngest visible load slot, in microseconds since 1970"),
        "spec_replicas" => (Some("pods"), "replicas asked for before the decision"),
        "ready" => (Some("pods"), "ready pods"),
        "starting" => (Some("pods"), "starting pods"),
        "terminating" => (Some("pods"), "terminating pods"),
        "capacity_mean" => (Some("requests/s"), "estimated capacity of one pod"),
        "capacity_lower" => (Some("requests/s"), "lower confidence bound of the capacity of one pod"),
        "proposed" => (Some("pods"), "replicas that the policy proposed"),
        "action" => (None, "discrete action of the policy, 0 to 255"),
        "decided" => (Some("pods"), "replicas decided"),
        "reason" => (None, "reason of the policy, or the guard rule that changed the proposal last"),
        "overridden" => (None, "whether the guard overrode the proposal"),
        _ => return None,
    };
    Some((unit, text.to_owned()))
}

fn meaning_of_feature(name: &str) -> Option<Meaning> {
    let index = feature_columns().iter().position(|column| column == name)?;
    let (unit, text) = match ALL_FEATURES[index] {
        Feature::ProcessCpuSecondsTotalRate => ("cores", "CPU used"),
        Feature::ProcessResidentMemoryBytes => ("bytes", "resident memory"),
        Feature::ProcessVirtualMemoryBytes => ("bytes", "virtual memory"),
        Feature::HttpRequestDurationSecondsSumRate => ("s/s", "time spent on requests, waiting included"),
        Feature::HttpRequestsTotalRate => ("requests/s", "requests that arrived: the offered load"),
        Feature::HttpRequestDurationSecondsCountRate => ("requests/s", "requests that were completed"),
        Feature::ProcessOpenFds => ("descriptors", "open file descriptors"),
        Feature::HttpResponseSizeBytesSumRate => ("bytes/s", "bytes of responses"),
        Feature::HttpRequestSizeBytesCountRate => ("requests/s", "requests whose size was recorded"),
        Feature::BadRequestRatio => ("1", "share of requests that were bad: over the objective, error, drop, time-out"),
    };
    Some((Some(unit), format!("{text}; over all pods")))
}

fn meaning_of_quantile(name: &str) -> Option<Meaning> {
    let index = forecast_columns().iter().position(|column| column == name)?;
    let percent = 100.0 * LEVELS[index];
    let text = format!("{percent:.0} % quantile of the forecast of the greatest arrival rate within the horizon");
    Some((Some("requests/s"), text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_says_what_it_means() {
        for (name, _) in to_table(&[]).unwrap().columns() {
            assert!(meaning(name).is_some_and(|(_, text)| !text.is_empty()), "`{name}`: add it to plain_meaning");
        }
        assert!(meaning("weather").is_none());
    }
}
