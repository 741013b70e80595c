//! The `seatrial` command: reads the command line, the environment and the clock, and hands them to the library.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use clap::Parser;
use seatrial_experiments::cli::Cli;
use seatrial_experiments::commands::{self, Shell};
use seatrial_experiments::error::ExperimentError;
use seatrial_experiments::progress::Display;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are "errors" of clap that succeed; printing can only fail on a closed pipe.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    match run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error may be closed; the exit code still tells.
            let _ = writeln!(std::io::stderr(), "error: {}", told(&error));
            ExitCode::from(exit_code(&error))
        }
    }
}

/// Errors of the library carry their cause in their own words; others are told with the chain behind them.
fn told(error: &anyhow::Error) -> String {
    error.downcast_ref::<ExperimentError>().map_or_else(|| format!("{error:#}"), ToString::to_string)
}

fn run(cli: &Cli) -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .init();
    let stop = Arc::new(AtomicBool::new(false));
    let raised = Arc::clone(&stop);
    ctrlc::set_handler(move || raised.store(true, Ordering::Relaxed)).context("cannot listen for Ctrl-C")?;
    let display = if std::io::stderr().is_terminal() { Display::Bar } else { Display::Lines };
    let shell = Shell { trace_folders: trace_folders(), display, stop, now: now() };
    Ok(commands::execute(cli, &shell)?)
}

#[expect(clippy::disallowed_methods, reason = "the composition root is where the environment is read")]
fn trace_folders() -> Vec<std::path::PathBuf> {
    std::env::var_os("SEATRIAL_TRACES").map(|folders| std::env::split_paths(&folders).collect()).unwrap_or_default()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the composition root is where the clock is read; it only dates openings"
)]
fn now() -> seatrial_core::time::Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    seatrial_core::time::Timestamp::from_secs(i64::try_from(since.as_secs()).unwrap_or(0))
}

/// 2 for a wrong command line, 130 for an interrupt, else 1.
fn exit_code(error: &anyhow::Error) -> u8 {
    match error.downcast_ref::<ExperimentError>() {
        Some(ExperimentError::Interrupted { .. } | ExperimentError::Stopped { .. }) => 130,
        Some(error) if error.is_usage() => 2,
        _ => 1,
    }
}
