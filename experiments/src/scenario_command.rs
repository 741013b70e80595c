//! `seatrial scenario`: scenarios of the event kernel's schema, from an empty file to a run.
//!
//! | command | does |
//! |---|---|
//! | `list` | names the gallery |
//! | `new` | writes a commented file to start from; replaces nothing |
//! | `check` | tells what it understood, or everything that is wrong |
//! | `run` | simulates, and writes a run folder |
//!
//! The schema and what it means are [`seatrial_envs::spec`]; this room reads files: the TOML with the place of every key, and the
//! traces that its names stand for.

mod arguments;
mod document;
mod gallery;
mod inputs;
mod outcome;
mod page;
mod reading;
mod run;
mod understanding;

use std::path::Path;

pub use arguments::{
    LogWord, ScenarioAction, ScenarioArgs, ScenarioCheckArgs, ScenarioListArgs, ScenarioNewArgs, ScenarioRunArgs,
};
pub use gallery::GALLERY;
pub use inputs::read as read_inputs;
pub use outcome::ScenarioSummary;
pub use page::page;
pub use reading::{LoadedScenario, load, parse};

use seatrial_envs::spec::wording;

use crate::commands::Shell;
use crate::error::{ExperimentError, Result};
use crate::run_folder::write_atomic;

/// Does what the command line says.
///
/// # Errors
/// If the scenario cannot be read, understood or run, or a file cannot be written.
pub fn scenario(arguments: &ScenarioArgs, shell: &Shell) -> Result<()> {
    match &arguments.action {
        ScenarioAction::Check(arguments) => check(arguments, shell),
        ScenarioAction::List(arguments) => gallery::list(arguments),
        ScenarioAction::New(arguments) => new(arguments),
        ScenarioAction::Run(arguments) => run::run(arguments, shell),
    }
}

fn check(arguments: &ScenarioCheckArgs, shell: &Shell) -> Result<()> {
    let loaded = load(&arguments.file)?;
    let inputs = inputs::read(&loaded, &shell.trace_folders)?;
    let records = inputs::records(&loaded.spec, &shell.trace_folders);
    for line in understanding::lines(&loaded, &inputs, &records) {
        say!("{line}");
    }
    Ok(())
}

fn new(arguments: &ScenarioNewArgs) -> Result<()> {
    let name = arguments.from.as_deref().unwrap_or(gallery::START);
    let text = gallery::find(name)?;
    let text = text.replacen(&format!("name = \"{name}\""), &format!("name = \"{}\"", name_of(&arguments.file)), 1);
    let file = arguments.file.display();
    if arguments.file.exists() {
        return Err(ExperimentError::Usage {
            what: format!("{file} is there already"),
            next: "nothing is replaced: give another name, or remove it first".to_owned(),
        });
    }
    write_atomic(&arguments.file, text.as_bytes())?;
    say!("wrote {file}");
    // The bare name of a scenario of the gallery looks like that scenario.
    let shown = if gallery::find(&file.to_string()).is_ok() { format!("./{file}") } else { file.to_string() };
    tell!("look at it with: seatrial scenario check {shown}; run it with: seatrial scenario run {shown}");
    Ok(())
}

/// The file's name as the name of a scenario.
fn name_of(file: &Path) -> String {
    let stem = file.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().to_lowercase());
    let name: String = stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(63).collect();
    let name = name.trim_matches('-');
    if name.is_empty() { "scenario".to_owned() } else { name.to_owned() }
}

/// Problems as one error: each on a line of its own, with its place.
fn refused(origin: &str, problems: &[String]) -> ExperimentError {
    let lines: Vec<String> = problems.iter().map(|problem| wording::printable(problem)).collect();
    let text = match lines.as_slice() {
        [only] => only.clone(),
        many => format!("{origin} has {} problems:\n{}", many.len(), many.join("\n")),
    };
    ExperimentError::Scenario(text)
}
