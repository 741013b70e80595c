//! `seatrial import prometheus`: a range query, or a saved answer to one, as a trace.
//!
//! The span is asked in pieces that the server's limit of 11,000 points allows. Answers are kept as they came in the folder
//! `X.parquet.part` beside the target until the trace is whole, so that the same command goes on where it was stopped.

mod client;
mod part_folder;
mod request;

use std::path::Path;
use std::sync::atomic::Ordering;

use seatrial_datasets::import::{RangeOptions, from_range};
use seatrial_datasets::prometheus::{Answer, Grid, Matrix, RangeSeries, parse_query_range};
use seatrial_datasets::{Provenance, read_trace};

use self::client::Client;
use self::part_folder::PartFolder;
use self::request::RangeRequest;
pub(super) use self::request::base_address;
use super::arguments::shown;
use super::csv::{command_keys, of_file};
use super::destination::{Destination, occupied};
use super::{PrometheusArgs, TraceTargetArgs};
use crate::commands::Shell;
use crate::error::{ExperimentError, Result};
use crate::progress::Progress;

const COMMAND: &str = "seatrial import prometheus";

pub(super) fn import(arguments: &PrometheusArgs, shell: &Shell) -> Result<()> {
    let target = Destination::new(&arguments.target)?;
    match &arguments.dump {
        Some(dump) => from_dump(dump, arguments, target),
        None => from_server(&RangeRequest::new(arguments, shell.now)?, arguments, target, shell),
    }
}

fn from_dump(dump: &Path, arguments: &PrometheusArgs, target: Destination<'_>) -> Result<()> {
    let bytes = std::fs::read(dump).map_err(ExperimentError::io("read", dump))?;
    let file = dump.display().to_string();
    let answer = parse_query_range(&bytes).map_err(|error| ExperimentError::Import(format!("{file}: {error}")))?;
    warn(&answer.warnings);
    let imported = from_range(&target.id(), &file, answer.data.series, &reading(arguments))
        .map_err(|error| ExperimentError::Import(error.to_string()))?;
    target.write(imported, of_file(COMMAND, dump, &bytes, &options(arguments)))
}

fn from_server(
    request: &RangeRequest,
    arguments: &PrometheusArgs,
    target: Destination<'_>,
    shell: &Shell,
) -> Result<()> {
    let provenance = provenance(request, arguments);
    if is_finished(&arguments.target, &provenance)? {
        say!("finished  {}: nothing to fetch (--force fetches again)", target.path.display());
        return Ok(());
    }
    let folder = PartFolder::new(target.path, request);
    let answers = fetch(request, arguments, &folder, shell)?;
    let imported = from_range(&target.id(), &request.url, answers, &reading(arguments))
        .map_err(|error| ExperimentError::Import(error.to_string()))?;
    target.write(imported, provenance)?;
    folder.remove()
}

/// Whether the target is what this command would make; an error if it is something else and may not be replaced.
fn is_finished(target: &TraceTargetArgs, provenance: &Provenance) -> Result<bool> {
    if target.force || !target.out.exists() {
        return Ok(false);
    }
    let same = read_trace(&target.out).is_ok_and(|trace| trace.provenance == *provenance);
    same.then_some(true).ok_or_else(|| occupied(&target.out))
}

fn fetch(
    request: &RangeRequest,
    arguments: &PrometheusArgs,
    folder: &PartFolder,
    shell: &Shell,
) -> Result<Vec<RangeSeries>> {
    let client = Client::new(request, arguments.token_file.as_deref(), arguments.ca_file.as_deref())?;
    let pieces = request.pieces();
    let progress = Progress::new(shell.display, "fetch", pieces.len());
    let mut answers = Vec::new();
    for (number, piece) in pieces.iter().enumerate() {
        if shell.stop.load(Ordering::Relaxed) {
            return Err(ExperimentError::Interrupted { done: number, total: pieces.len(), unit: "pieces" });
        }
        let answer = match stored(folder, number) {
            Some(answer) => answer,
            None => fetch_piece(request, number, piece, (&client, folder))?,
        };
        warn(&answer.warnings);
        answers.extend(answer.data.series);
        progress.advance();
    }
    progress.finish();
    Ok(answers)
}

/// The answer that came before, if it is there and whole.
fn stored(folder: &PartFolder, number: usize) -> Option<Answer<Matrix>> {
    parse_query_range(&folder.stored(number)?).ok()
}

fn fetch_piece(
    request: &RangeRequest,
    number: usize,
    piece: &Grid,
    (client, folder): (&Client, &PartFolder),
) -> Result<Answer<Matrix>> {
    let bytes = client.range(request, piece)?;
    let answer =
        parse_query_range(&bytes).map_err(|error| ExperimentError::Import(format!("{}: {error}", request.url)))?;
    folder.store(number, &bytes)?;
    Ok(answer)
}

fn warn(warnings: &[String]) {
    for warning in warnings {
        tell!("note: Prometheus says: {}", warning.replace(|c: char| c.is_control(), " "));
    }
}

fn reading(arguments: &PrometheusArgs) -> RangeOptions {
    RangeOptions { series_label: arguments.series.clone(), unit: arguments.unit.into(), step: arguments.step }
}

/// Nothing in it depends on when or from where the query was asked.
fn provenance(request: &RangeRequest, arguments: &PrometheusArgs) -> Provenance {
    let mut more = command_keys(COMMAND, &options(arguments));
    more.insert("bin_start".to_owned(), "evaluation time of the query".to_owned());
    more.insert("query".to_owned(), request.query.clone());
    Provenance { source: Some(request.url.clone()), more, ..Provenance::default() }
}

fn options(arguments: &PrometheusArgs) -> serde_json::Value {
    let moment = |at: Option<_>| at.map(seatrial_datasets::moment::format);
    serde_json::json!({
        "from": moment(arguments.from),
        "to": moment(arguments.to),
        "step": arguments.step.map(shown),
        "series": arguments.series,
        "unit": seatrial_datasets::import::Unit::from(arguments.unit).word(),
    })
}
