//! The command line of `seatrial scenario`: shapes.

use std::num::NonZero;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// Arguments of `scenario`.
#[derive(Debug, Args)]
pub struct ScenarioArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: ScenarioAction,
}

/// What `scenario` does, in alphabetical order.
#[derive(Debug, Subcommand)]
pub enum ScenarioAction {
    /// Prints what a scenario says, with its capacity beside its load, or everything that is wrong with it.
    Check(ScenarioCheckArgs),
    /// Names the scenarios that are built in.
    List(ScenarioListArgs),
    /// Writes a commented scenario to start from; replaces nothing.
    New(ScenarioNewArgs),
    /// Simulates a scenario and writes a run folder.
    Run(ScenarioRunArgs),
}

/// Arguments of `scenario check`.
#[derive(Debug, Args)]
pub struct ScenarioCheckArgs {
    /// A scenario (TOML file), or the name of one that is built in.
    #[arg(value_name = "FILE|NAME")]
    pub file: String,
}

/// Arguments of `scenario list`.
#[derive(Debug, Args)]
pub struct ScenarioListArgs {
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `scenario new`.
#[derive(Debug, Args)]
pub struct ScenarioNewArgs {
    /// The file to write.
    pub file: PathBuf,
    /// Start from this one of the gallery (default: single-web-service).
    #[arg(long, value_name = "NAME")]
    pub from: Option<String>,
}

/// Arguments of `scenario run`.
#[derive(Debug, Args)]
pub struct ScenarioRunArgs {
    /// A scenario (TOML file), or the name of one that is built in.
    #[arg(value_name = "FILE|NAME")]
    pub file: String,
    /// Run folder (default: runs/scenario-NAME).
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Another seed than the scenario's.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Run so many seeds, from this one on, and show how far the numbers spread; page and timeline are those of the first.
    #[arg(long, value_name = "N")]
    pub seeds: Option<NonZero<u32>>,
    /// Also run schedules that know the load, and show beside the bound what the cheapest of them costs.
    #[arg(long)]
    pub oracle: bool,
    /// Replace the run of another scenario or seed in the folder.
    #[arg(long)]
    pub force: bool,
    /// What the event log holds, one row per event in log.parquet.
    #[arg(long, value_enum, default_value_t = LogWord::Off)]
    pub log: LogWord,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogWord {
    /// Nothing.
    Off,
    /// Pods, nodes, decisions and faults.
    Cluster,
    /// These, and every arrival, completion and retry.
    Requests,
}
