//! The decision log as Parquet: one flat row per [`DecisionRecord`], columns by name, the version in the metadata.
//!
//! Features keep their metric names, forecast quantiles are `forecast_q05` to `forecast_q99`. Absent stays absent.
//! `schemas/decisions.schema.json` lists the columns for other programs ([`schema_json`]).

mod schema;

pub use schema::schema_json;

use std::path::Path;

use seatrial_core::observe::FEATURE_COUNT;
use seatrial_core::record::{ALL_FEATURES, DecisionRecord, RECORD_VERSION};
use seatrial_core::scaling::forecast::{LEVEL_COUNT, LEVELS};

use crate::table::{Column, Table, TableError, read_table, write_table};

const VERSION_KEY: &str = "decisions.version";
const WHAT: &str = "decision log";

/// Writes `records` to `path`, whole or not at all, with the pairs of `metadata` beside the version.
///
/// # Errors
/// If a record is of another version, or the file cannot be written.
pub fn write_decisions(path: &Path, records: &[DecisionRecord], metadata: &[(&str, &str)]) -> Result<(), TableError> {
    let file = path.display().to_string();
    if let Some(other) = records.iter().find(|record| record.version != RECORD_VERSION) {
        let found = other.version.to_string();
        return Err(TableError::Version { file, what: WHAT, found, expected: RECORD_VERSION });
    }
    let (key, version) = version_pair();
    let pairs: Vec<(&str, &str)> = std::iter::once((key, version.as_str())).chain(metadata.iter().copied()).collect();
    write_table(path, &to_table(records)?, &pairs)
}

/// Reads what [`write_decisions`] wrote.
///
/// # Errors
/// If the version is another or absent, or the file cannot be read.
pub fn read_decisions(path: &Path) -> Result<Vec<DecisionRecord>, TableError> {
    let file = path.display().to_string();
    let table = read_table(path)?;
    check_version(&file, &table)?;
    from_table(&file, &table)
}

/// The entry of the metadata that names the version.
pub(crate) fn version_pair() -> (&'static str, String) {
    (VERSION_KEY, RECORD_VERSION.to_string())
}

pub(crate) fn check_version(file: &str, table: &Table) -> Result<(), TableError> {
    let version = table.metadata().iter().find(|(key, _)| key == VERSION_KEY).map(|(_, value)| value.clone());
    if version.as_deref() == Some(RECORD_VERSION.to_string().as_str()) {
        return Ok(());
    }
    let found = version.unwrap_or_else(|| "absent".to_owned());
    Err(TableError::Version { file: file.to_owned(), what: WHAT, found, expected: RECORD_VERSION })
}

fn feature_columns() -> [String; FEATURE_COUNT] {
    // A feature serialises to its metric name; the debug name is never used.
    ALL_FEATURES.map(|feature| match serde_json::to_value(feature) {
        Ok(serde_json::Value::String(name)) => name,
        _ => format!("{feature:?}"),
    })
}

fn forecast_columns() -> [String; LEVEL_COUNT] {
    LEVELS.map(|level| format!("forecast_q{:02.0}", level * 100.0))
}

/// The table form of `records`.
///
/// # Errors
/// None in practice: the columns are as long as `records`.
pub fn to_table(records: &[DecisionRecord]) -> Result<Table, TableError> {
    let mut table = Table::new();
    table.push("at", Column::TimestampUs(records.iter().map(|record| record.at_us).collect()))?;
    table.push("load_at_us", Column::OptionalI64(records.iter().map(|record| record.load_at_us).collect()))?;
    for (index, name) in feature_columns().into_iter().enumerate() {
        table.push(name, Column::OptionalF64(records.iter().map(|record| record.features[index]).collect()))?;
    }
    for (name, counts) in [
        ("spec_replicas", counts(records, |record| record.spec_replicas)),
        ("ready", counts(records, |record| record.ready)),
        ("starting", counts(records, |record| record.starting)),
        ("terminating", counts(records, |record| record.terminating)),
    ] {
        table.push(name, counts)?;
    }
    table.push("capacity_mean", Column::OptionalF64(records.iter().map(|record| record.capacity_mean).collect()))?;
    table.push("capacity_lower", Column::OptionalF64(records.iter().map(|record| record.capacity_lower).collect()))?;
    for (index, name) in forecast_columns().into_iter().enumerate() {
        let quantile = |record: &DecisionRecord| record.forecast.map(|values| values[index]);
        table.push(name, Column::OptionalF64(records.iter().map(quantile).collect()))?;
    }
    table.push("proposed", Column::OptionalU32(records.iter().map(|record| record.proposed).collect()))?;
    table.push("action", Column::OptionalU32(records.iter().map(|record| record.action.map(u32::from)).collect()))?;
    table.push("decided", counts(records, |record| record.decided))?;
    table.push("reason", Column::Text(records.iter().map(|record| record.reason.clone()).collect()))?;
    table.push("overridden", Column::Bool(records.iter().map(|record| record.overridden).collect()))?;
    Ok(table)
}

fn counts(records: &[DecisionRecord], count: impl Fn(&DecisionRecord) -> u32) -> Column {
    Column::U32(records.iter().map(count).collect())
}

/// The columns of a decision log, borrowed.
struct Columns<'a> {
    file: &'a str,
    at: &'a [i64],
    load_at_us: &'a [Option<i64>],
    features: Vec<&'a [Option<f64>]>,
    counts: [&'a [u32]; 5],
    capacity: [&'a [Option<f64>]; 2],
    forecast: Vec<&'a [Option<f64>]>,
    proposed: &'a [Option<u32>],
    action: &'a [Option<u32>],
    reason: &'a [String],
    overridden: &'a [bool],
}

pub(crate) fn from_table(file: &str, table: &Table) -> Result<Vec<DecisionRecord>, TableError> {
    let columns = Columns::of(file, table).map_err(|error| error.in_file(file))?;
    (0..table.rows()).map(|row| columns.record(row)).collect()
}

impl<'a> Columns<'a> {
    fn of(file: &'a str, table: &'a Table) -> Result<Self, TableError> {
        Ok(Self {
            file,
            at: table.timestamps_us("at")?,
            load_at_us: table.optional_i64s("load_at_us")?,
            features: optional_columns(table, &feature_columns())?,
            counts: [
                table.u32s("spec_replicas")?,
                table.u32s("ready")?,
                table.u32s("starting")?,
                table.u32s("terminating")?,
                table.u32s("decided")?,
            ],
            capacity: [table.optional_f64s("capacity_mean")?, table.optional_f64s("capacity_lower")?],
            forecast: optional_columns(table, &forecast_columns())?,
            proposed: table.optional_u32s("proposed")?,
            action: table.optional_u32s("action")?,
            reason: table.texts("reason")?,
            overridden: table.bools("overridden")?,
        })
    }

    fn record(&self, row: usize) -> Result<DecisionRecord, TableError> {
        let mut features = [None; FEATURE_COUNT];
        features.iter_mut().zip(&self.features).for_each(|(value, column)| *value = column[row]);
        let [spec_replicas, ready, starting, terminating, decided] = self.counts.map(|column| column[row]);
        let [capacity_mean, capacity_lower] = self.capacity.map(|column| column[row]);
        Ok(DecisionRecord {
            version: RECORD_VERSION,
            at_us: self.at[row],
            load_at_us: self.load_at_us[row],
            features,
            spec_replicas,
            ready,
            starting,
            terminating,
            capacity_mean,
            capacity_lower,
            forecast: self.forecast(row)?,
            proposed: self.proposed[row],
            action: self.action(row)?,
            decided,
            reason: self.reason[row].clone(),
            overridden: self.overridden[row],
        })
    }

    fn forecast(&self, row: usize) -> Result<Option<[f64; LEVEL_COUNT]>, TableError> {
        let mut values = [0.0; LEVEL_COUNT];
        let mut known = 0;
        for (value, quantile) in values.iter_mut().zip(self.forecast.iter().filter_map(|column| column[row])) {
            *value = quantile;
            known += 1;
        }
        match known {
            0 => Ok(None),
            LEVEL_COUNT => Ok(Some(values)),
            _ => Err(self.refuse("forecast_q05", row, format!("{known} of {LEVEL_COUNT} quantiles are there"))),
        }
    }

    fn action(&self, row: usize) -> Result<Option<u8>, TableError> {
        let narrow =
            |action: u32| u8::try_from(action).map_err(|_| self.refuse("action", row, format!("{action} is over 255")));
        self.action[row].map(narrow).transpose()
    }

    fn refuse(&self, column: &str, row: usize, detail: String) -> TableError {
        TableError::Value { file: self.file.to_owned(), column: column.to_owned(), row, detail }
    }
}

fn optional_columns<'a>(table: &'a Table, names: &[String]) -> Result<Vec<&'a [Option<f64>]>, TableError> {
    names.iter().map(|name| table.optional_f64s(name)).collect()
}
