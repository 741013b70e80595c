//! `seatrial trace`: what a file holds, and how protocol P1 would scale and split it.

mod drawing;

use seatrial_datasets::{Kind, Load, Locator, SplitRule, Trace, moment, prepare};

use crate::cli::{TraceFileArgs, TracePlotArgs};
use crate::commands::Shell;
use crate::error::{ExperimentError, Result};
use crate::run_folder::write_atomic;

/// Prints what the trace holds.
///
/// # Errors
/// If it cannot be found or read, or has no such series.
pub fn describe(arguments: &TraceFileArgs, shell: &Shell) -> Result<()> {
    let trace = open(arguments, shell)?;
    say!("trace     {}", trace.id);
    say!("kind      {}, {}", trace.kind, trace.unit);
    for (name, value) in [("source", &trace.provenance.source), ("licence", &trace.provenance.license)] {
        say!("{name:9} {}", value.as_deref().unwrap_or("not stated"));
    }
    say!("content   {}", trace.content_hash);
    if trace.kind == Kind::Event {
        for series in &trace.events {
            say!("series    {}: {} events", shown(&series.name), series.at.len());
        }
        return Ok(());
    }
    for name in names(&trace, arguments) {
        describe_series(&trace, &name)?;
    }
    Ok(())
}

fn describe_series(trace: &Trace, name: &str) -> Result<()> {
    let series = trace.series(Some(name)).map_err(|error| ExperimentError::Trace(error.to_string()))?;
    let greatest = series.values.iter().copied().fold(0.0, f64::max);
    say!();
    say!("series    {}", shown(name));
    say!("span      {} to {}", moment::format(series.start), moment::format(series.end()));
    say!(
        "bins      {} of {} s, {} missing, greatest {greatest}",
        series.values.len(),
        series.interval.as_secs_f64(),
        series.missing_count()
    );
    match prepare(trace, Some(name), &SplitRule::protocol_p1(&trace.id)) {
        Ok(load) => print_load(&load),
        Err(error) => say!("P1        cannot be used: {error}"),
    }
    Ok(())
}

fn print_load(load: &Load) {
    let noise = |noise: Option<f64>| noise.map_or_else(|| "unknown".to_owned(), |noise| format!("{noise:.1}"));
    say!("P1 scale  {} requests/s per unit", load.scale);
    say!("P1 noise  {} raw, {} as used, k = {}", noise(load.noise_raw), noise(load.noise), load.smoothing_bins);
    let parts = [
        ("train", &load.splits.train),
        ("validation", &load.splits.validation),
        ("gap", &load.splits.gap),
        ("test", &load.splits.test),
    ];
    for (name, part) in parts.into_iter().filter(|(_, part)| !part.is_empty()) {
        say!("P1 {name:10} {} to {}", moment::format(load.at(part.start)), moment::format(load.at(part.end)));
    }
}

fn shown(name: &str) -> &str {
    if name.is_empty() { "(only one)" } else { name }
}

fn names(trace: &Trace, arguments: &TraceFileArgs) -> Vec<String> {
    match &arguments.series {
        Some(name) => vec![name.clone()],
        None => trace.names().iter().map(ToString::to_string).collect(),
    }
}

fn open(arguments: &TraceFileArgs, shell: &Shell) -> Result<Trace> {
    let trace = Locator::new(shell.trace_folders.clone())
        .open(&arguments.file)
        .map_err(|error| ExperimentError::Trace(error.to_string()))?;
    if let Some(name) = &arguments.series
        && trace.kind != Kind::Event
    {
        trace.series(Some(name)).map_err(|error| ExperimentError::Trace(error.to_string()))?;
    }
    Ok(trace)
}

/// Draws the series of a trace, one SVG with its data as CSV for each.
///
/// # Errors
/// If the trace cannot be read or a file cannot be written.
pub fn plot(arguments: &TracePlotArgs, shell: &Shell) -> Result<()> {
    let trace = open(&arguments.trace, shell)?;
    for name in names(&trace, &arguments.trace) {
        let series = trace.series(Some(&name)).map_err(|error| ExperimentError::Trace(error.to_string()))?;
        let title = if name.is_empty() { trace.id.clone() } else { format!("{} / {name}", trace.id) };
        let stem = title.replace(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c)), "-");
        let drawing = drawing::Drawing::new(series, &title, &trace.unit);
        for (extension, text) in [("csv", drawing.csv()), ("svg", drawing.svg())] {
            let path = arguments.out.join(format!("{stem}.{extension}"));
            write_atomic(&path, text.as_bytes())?;
            say!("{}", path.display());
        }
    }
    Ok(())
}
