//! `seatrial list`: everything that a configuration can name, for people and for scripts.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use seatrial_core::scaling::{forecasters::FORECASTERS, policies::POLICIES};
use seatrial_datasets::shipped;
use seatrial_reports::figures::FIGURES;
use serde_json::{Map, Value, json};

use crate::cli::{Kind, ListArgs};
use crate::commands::Shell;
use crate::error::{ExperimentError, Result};
use crate::strategies;

/// A line of the list.
struct Row {
    id: String,
    summary: String,
    more: Value,
}

/// Prints the list.
///
/// # Errors
/// If a trace folder cannot be read.
pub fn list(arguments: &ListArgs, shell: &Shell) -> Result<()> {
    let kinds: Vec<Kind> = arguments.kind.map_or_else(|| Kind::value_variants().to_vec(), |kind| vec![kind]);
    let mut object = Map::new();
    for kind in kinds {
        let rows = rows(kind, shell)?;
        if arguments.json {
            object.insert(name(kind), rows.iter().map(json_of).collect());
        } else {
            print_plain(kind, &rows);
        }
    }
    if arguments.json {
        say!("{}", Value::Object(object));
    }
    Ok(())
}

fn name(kind: Kind) -> String {
    kind.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

fn json_of(row: &Row) -> Value {
    let mut object = json!({ "id": row.id, "summary": row.summary });
    if let (Value::Object(object), Value::Object(more)) = (&mut object, &row.more) {
        object.extend(more.clone());
    }
    object
}

fn print_plain(kind: Kind, rows: &[Row]) {
    say!("{}", name(kind));
    let width = rows.iter().map(|row| row.id.len()).max().unwrap_or(0);
    for Row { id, summary, .. } in rows {
        say!("  {id:width$}  {summary}");
    }
    say!();
}

fn rows(kind: Kind, shell: &Shell) -> Result<Vec<Row>> {
    Ok(match kind {
        Kind::Strategies => strategies::known().into_iter().map(strategy).collect(),
        Kind::Policies => POLICIES
            .iter()
            .map(|row| Row {
                id: row.id.into(),
                summary: row.summary.into(),
                more: json!({
                    "sources": row.sources, "needs_forecast": row.needs_forecast, "needs_weights": row.needs_weights,
                    "default_config": (row.default_config)(),
                }),
            })
            .collect(),
        Kind::Forecasters => FORECASTERS
            .iter()
            .map(|row| Row {
                id: row.id.into(),
                summary: row.summary.into(),
                more: json!({
                    "sources": row.sources, "needs_weights": row.needs_weights, "default_config": (row.default_config)(),
                }),
            })
            .collect(),
        Kind::Environments => environments(),
        Kind::Datasets => datasets(),
        Kind::Traces => traces(shell)?,
        Kind::Figures => {
            FIGURES.iter().map(|row| Row { id: row.id.into(), summary: row.summary.into(), more: Value::Null }).collect()
        }
    })
}

fn strategy((strategy, summary): (strategies::Strategy, String)) -> Row {
    Row { more: json!({ "variant": strategy.variant.as_str() }), id: strategy.id, summary }
}

fn environments() -> Vec<Row> {
    seatrial_envs::registry::ENVIRONMENTS
        .iter()
        .map(|row| Row { id: row.id.into(), summary: row.summary.into(), more: Value::Null })
        .collect()
}

/// Shipped traces with where they come from.
fn datasets() -> Vec<Row> {
    shipped::IDS
        .iter()
        .map(|id| {
            let provenance = shipped::open(id).map(|trace| trace.provenance).unwrap_or_default();
            let source = provenance.source.unwrap_or_default();
            let license = provenance.license.unwrap_or_default();
            Row {
                id: (*id).into(),
                summary: format!("shipped; {source} ({license})"),
                more: json!({ "license": license, "source": source }),
            }
        })
        .collect()
}

/// Traces in the trace folders, and the shipped ones. Parquet files that are no traces are counted, with the reason.
fn traces(shell: &Shell) -> Result<Vec<Row>> {
    let mut rows: Vec<Row> =
        shipped::IDS.iter().map(|id| Row { id: (*id).into(), summary: "shipped".into(), more: Value::Null }).collect();
    for folder in &shell.trace_folders {
        let entries = std::fs::read_dir(folder).map_err(ExperimentError::io("read", folder))?;
        let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        files.retain(|path| path.extension().is_some_and(|extension| extension == "parquet"));
        files.sort();
        let mut others = Vec::new();
        for path in &files {
            match seatrial_datasets::reader::inspect(path) {
                Ok(kind) => rows.push(trace_file(path, kind)),
                Err(error) => others.push(other_file(path, &error)),
            }
        }
        if !others.is_empty() {
            tell!("left out of traces, {} files of {}:\n  {}", others.len(), folder.display(), others.join("\n  "));
        }
    }
    Ok(rows)
}

fn trace_file(path: &Path, kind: seatrial_datasets::Kind) -> Row {
    let place = path.display().to_string();
    Row {
        id: seatrial_datasets::Locator::id_of(path),
        summary: format!("{kind}, {place}"),
        more: json!({ "path": place, "kind": kind.word() }),
    }
}

/// The file's name with what keeps it from being a trace.
fn other_file(path: &Path, error: &seatrial_datasets::TraceError) -> String {
    let (name, text) = (seatrial_datasets::Locator::id_of(path), error.to_string());
    let reason = text.strip_prefix(&path.display().to_string()).unwrap_or(&text).trim_start_matches(": ");
    // What to do about it is not asked for here.
    format!("{name}: {}", reason.split(". ").next().unwrap_or(reason))
}
