//! From a parsed command line to the module that does it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use seatrial_core::time::Timestamp;

use crate::cli::{Cli, Command, TraceAction};
use crate::error::{ExperimentError, Result};
use crate::progress::Display;
use crate::run_folder::RunFolder;
use crate::schedule::Crew;
use crate::{
    evaluate, export, import_command, list, log_command, query, report, scenario_command, study, trace_command,
    tune_command, verify,
};

/// What only a program can know: environment, terminal, clock, signals.
#[derive(Clone, Debug)]
pub struct Shell {
    /// Folders of `SEATRIAL_TRACES`.
    pub trace_folders: Vec<PathBuf>,
    /// Where progress is shown.
    pub display: Display,
    /// Raised by Ctrl-C.
    pub stop: Arc<AtomicBool>,
    /// The wall clock at the start; dates openings of the test part, nothing else.
    pub now: Timestamp,
}

impl Shell {
    /// A crew for this command.
    ///
    /// # Errors
    /// If `jobs` is impossible.
    pub fn crew(&self, jobs: Option<usize>) -> Result<Crew> {
        Crew::new(jobs, Arc::clone(&self.stop), self.display)
    }
}

/// Does what the command line says.
///
/// # Errors
/// Whatever went wrong, with what to do about it.
pub fn execute(cli: &Cli, shell: &Shell) -> Result<()> {
    match &cli.command {
        Command::List(arguments) => list::list(arguments, shell),
        Command::Run(arguments) => study::run(arguments, shell),
        Command::Train(arguments) => study::train(arguments, shell),
        Command::Evaluate(arguments) => evaluate::evaluate(arguments, shell),
        Command::Report(arguments) if log_command::is_log(&arguments.run) => log_command::report(arguments),
        Command::Report(arguments) => {
            let given = [("--out", arguments.out.is_some()), ("--subject", !arguments.subject.is_empty())];
            log_command::check_run(&arguments.run, &given)?;
            report::again(&arguments.run)
        }
        Command::Export(arguments) => {
            RunFolder::open(&arguments.run)?.check_trained()?;
            export::export(arguments, shell).map_err(ExperimentError::keeping_nothing)
        }
        Command::Verify(arguments) if log_command::is_log(&arguments.run) => log_command::verify(arguments),
        Command::Verify(arguments) => {
            log_command::check_run(&arguments.run, &[("--bundle", !arguments.bundle.is_empty())])?;
            verify::verify(arguments, shell).map_err(ExperimentError::keeping_nothing)
        }
        Command::Query(arguments) => query::query(arguments),
        Command::Import(arguments) => import_command::import(arguments, shell),
        Command::Scenario(arguments) => scenario_command::scenario(arguments, shell),
        Command::Trace(arguments) => match &arguments.action {
            TraceAction::Describe(file) => trace_command::describe(file, shell),
            TraceAction::Plot(plot) => trace_command::plot(plot, shell),
        },
        Command::Tune(arguments) => tune_command::tune(arguments, shell),
    }
}
