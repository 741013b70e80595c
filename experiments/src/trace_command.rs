//! `seatrial trace`: what a file holds, and how protocol P1 would scale and split it, in words and as a picture.
//!
//! Everything is read and drawn before the first file is written: bad input leaves nothing behind.

mod columns;
mod facts;
mod listing;
mod picture;
mod wording;

use std::ops::Range;
use std::path::{Path, PathBuf};

use seatrial_core::time::Span;
use seatrial_datasets::{Kind, Locator, Splits, Trace, TraceError};
use seatrial_reports::ReportError;
use seatrial_reports::figures::trace_overview;
use seatrial_reports::format::slug;
use seatrial_reports::write::write_figure;

use crate::cli::{TraceDescribeArgs, TraceFileArgs, TracePlotArgs};
use crate::commands::Shell;
use crate::error::{ExperimentError, Result};

/// Series in one figure.
const MOST_PANELS: usize = 16;
/// Bins for events: the shortest that gives at most [`MOST_EVENT_BINS`].
const EVENT_BINS_S: [i64; 10] = [1, 10, 60, 300, 600, 1_800, 3_600, 21_600, 86_400, 604_800];
const MOST_EVENT_BINS: i64 = 800;

/// Prints what the trace holds.
///
/// # Errors
/// If it cannot be found or read, or has no such series.
pub fn describe(arguments: &TraceDescribeArgs, shell: &Shell) -> Result<()> {
    let trace = open(&arguments.trace, shell)?;
    let facts = facts::TraceFacts::new(&trace, &names(&trace, &arguments.trace.series)?);
    if arguments.json {
        let json = serde_json::to_string_pretty(&facts).map_err(|error| ExperimentError::Trace(error.to_string()))?;
        say!("{json}");
        return Ok(());
    }
    for line in listing::lines(&facts) {
        say!("{line}");
    }
    Ok(())
}

/// Draws the series of a trace, a panel for each, as SVG and PNG with the data as CSV.
///
/// # Errors
/// If the trace cannot be read or a file cannot be written.
pub fn plot(arguments: &TracePlotArgs, shell: &Shell) -> Result<()> {
    let trace = open(&arguments.trace, shell)?;
    let mut names = names(&trace, &arguments.trace.series)?;
    let all = names.len();
    names.truncate(MOST_PANELS);
    let trace = if trace.kind == Kind::Event { binned(&trace)? } else { trace };
    let series: Vec<_> = trace.series.iter().filter(|series| names.contains(&series.name)).collect();
    let failed = |error: ReportError| ExperimentError::Trace(error.to_string());
    let figure = trace_overview(&picture::overview(&trace, &series)).map_err(failed)?;
    let out = arguments.out.clone().unwrap_or_else(|| PathBuf::from(format!("runs/trace-{}", slug(&trace.id))));
    for path in write_figure(&out, &figure).map_err(failed)? {
        say!("{}", path.display());
    }
    if all > names.len() {
        tell!("drawn are the first {MOST_PANELS} of {all} series; name others with --series");
    }
    Ok(())
}

/// The parts of `bins` bins in order of time, without empty ones; what lies behind the test is `unused`.
fn parts_of(splits: &Splits, bins: usize) -> Vec<(&'static str, Range<usize>)> {
    let parts = [
        ("train", splits.train.clone()),
        ("validation", splits.validation.clone()),
        ("gap", splits.gap.clone()),
        ("test", splits.test.clone()),
        ("unused", splits.test.end..bins),
    ];
    parts.into_iter().filter(|(_, range)| !range.is_empty()).collect()
}

fn refuse(error: &TraceError) -> ExperimentError {
    ExperimentError::Trace(error.to_string())
}

fn open(arguments: &TraceFileArgs, shell: &Shell) -> Result<Trace> {
    let path = Path::new(&arguments.file);
    if path.is_dir() {
        return Err(ExperimentError::Usage {
            what: format!("{} is a folder, not a trace", path.display()),
            next: format!("name one file{}", files_in(path)),
        });
    }
    Locator::new(shell.trace_folders.clone()).open(&arguments.file).map_err(|error| refuse(&error))
}

/// Some of the Parquet files of a folder, for a message.
fn files_in(folder: &Path) -> String {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".parquet"))
        .collect();
    found.sort();
    match found.as_slice() {
        [] => "; it holds no Parquet file".to_owned(),
        [some @ .., last] if found.len() <= 8 => {
            format!(" of it: {}{}{last}", some.join(", "), if some.is_empty() { "" } else { " or " })
        }
        many => format!(" of it: {} or {} more", many[..7].join(", "), many.len() - 7),
    }
}

/// The series asked for, in the order of the trace; all of them if none is named.
fn names(trace: &Trace, wanted: &[String]) -> Result<Vec<String>> {
    let known = trace.names();
    // A name may itself hold a comma: what is known as a whole is not taken apart.
    let split = |text: &String| -> Vec<String> {
        if known.contains(&text.as_str()) { vec![text.clone()] } else { text.split(',').map(str::to_owned).collect() }
    };
    let wanted: Vec<String> = wanted.iter().flat_map(split).collect();
    if let Some(unknown) = wanted.iter().find(|name| !known.contains(&name.as_str())) {
        return Err(unknown_series(trace, unknown, &known));
    }
    let chosen = |name: &&&str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == **name);
    Ok(known.iter().filter(chosen).map(ToString::to_string).collect())
}

fn unknown_series(trace: &Trace, series: &str, known: &[&str]) -> ExperimentError {
    if known == [""] {
        return ExperimentError::Trace(format!(
            "trace `{}` holds one series without a name; leave out --series {series}",
            trace.id
        ));
    }
    let shown = known.iter().take(20).copied().collect::<Vec<_>>().join(", ");
    let more = if known.len() > 20 { format!(" and {} more", known.len() - 20) } else { String::new() };
    refuse(&TraceError::UnknownSeries { trace: trace.id.clone(), series: series.to_owned(), known: shown + &more })
}

/// Events as counts of bins that are short enough to show bursts and few enough to draw.
fn binned(trace: &Trace) -> Result<Trace> {
    let length = |events: &seatrial_datasets::EventSeries| match (events.at.first(), events.at.last()) {
        (Some(first), Some(last)) => last.since(*first),
        _ => Span::ZERO,
    };
    let longest = trace.events.iter().map(length).max().unwrap_or(Span::ZERO);
    let fits = |seconds: &i64| longest.whole_steps(Span::from_secs(*seconds)) < MOST_EVENT_BINS;
    let interval = Span::from_secs(EVENT_BINS_S.into_iter().find(fits).unwrap_or(2_419_200));
    let counts = trace.bin_events(interval).map_err(|error| refuse(&error))?;
    let unit = format!("events per {}", wording::span(interval));
    Ok(Trace {
        kind: Kind::Event,
        unit: if trace.unit.is_empty() { unit } else { format!("{unit} ({})", trace.unit) },
        ..counts
    })
}
