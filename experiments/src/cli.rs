//! The command line of `seatrial`. Only shapes: what a command does lives in the module of its name.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Train, compare and prove autoscaling policies on traces.
#[derive(Debug, Parser)]
#[command(name = "seatrial", version, about, max_term_width = 110)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Names everything that can be named in a configuration.
    List(ListArgs),
    /// Runs a study: train or load what it needs, tune the rules, score the test part, write the report.
    Run(RunArgs),
    /// Trains the learned policies of a study and stops before the test part.
    Train(RunArgs),
    /// Scores a policy bundle against tuned rules on traces of your own.
    Evaluate(EvaluateArgs),
    /// Writes the report of a finished run again.
    Report(ReportArgs),
    /// Passes the policy of a run through the export gate and writes its bundle.
    Export(ExportArgs),
    /// Re-evaluates a finished run and compares the bytes.
    Verify(VerifyArgs),
    /// Compares the strategies of several finished runs (needs feature `analysis`).
    Query(QueryArgs),
    /// Looks at one trace.
    Trace(TraceArgs),
}

/// What to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Kind {
    /// Scaling strategies as studies name them.
    Strategies,
    /// Scaling policies of the core.
    Policies,
    /// Forecasters of the core.
    Forecasters,
    /// Environments.
    Environments,
    /// Datasets: generators and shipped traces with their provenance.
    Datasets,
    /// Trace files that can be found from here.
    Traces,
    /// Figures of the report.
    Figures,
}

/// Arguments of `list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only this kind.
    #[arg(value_enum)]
    pub kind: Option<Kind>,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments that every study takes.
#[derive(Clone, Debug, Default, Args)]
pub struct StudyArgs {
    /// Replaces a key of the configuration: `--set seeds.training=5` (dotted key, TOML value). May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
    /// Run folder (default: `runs/<name of the study>`).
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Cells at a time (default: one per processor). The result does not depend on it.
    #[arg(long, value_name = "N")]
    pub jobs: Option<usize>,
    /// Number of training seeds.
    #[arg(long, value_name = "N")]
    pub seeds: Option<usize>,
    /// Only these traces: ids of the study, or files.
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub traces: Vec<String>,
    /// Only the i-th of n parts of the cells (from 1); run all parts into one folder, the last one merges.
    #[arg(long, value_name = "I/N")]
    pub shard: Option<String>,
}

/// Arguments of `run` and `train`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// A study (TOML), or `quick`, `worldcup`, `demo` for the ones that are built in.
    #[arg(value_name = "CONFIG|quick")]
    pub config: String,
    /// What every study takes.
    #[command(flatten)]
    pub study: StudyArgs,
}

/// Arguments of `evaluate`.
#[derive(Debug, Args)]
pub struct EvaluateArgs {
    /// The bundle's folder.
    #[arg(long, value_name = "DIR")]
    pub bundle: PathBuf,
    /// Trace files or ids.
    #[arg(long, value_name = "FILE", required = true, num_args = 1.., value_delimiter = ',')]
    pub traces: Vec<String>,
    /// Run folder to write.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Score the whole trace with global settings instead of tuning on its earlier part.
    #[arg(long)]
    pub whole: bool,
    /// Cells at a time.
    #[arg(long, value_name = "N")]
    pub jobs: Option<usize>,
    /// Replaces a key of the configuration.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
}

/// Arguments of `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The run folder.
    pub run: PathBuf,
}

/// Arguments of `export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The run folder.
    pub run: PathBuf,
    /// Where the bundle goes (default: `policy/` in the run folder).
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Cells at a time.
    #[arg(long, value_name = "N")]
    pub jobs: Option<usize>,
}

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The run folder.
    pub run: PathBuf,
    /// Also train again and compare the weights.
    #[arg(long)]
    pub train: bool,
    /// Cells at a time.
    #[arg(long, value_name = "N")]
    pub jobs: Option<usize>,
}

/// Arguments of `query`.
#[derive(Debug, Args)]
pub struct QueryArgs {
    /// Run folders.
    #[arg(value_name = "RUN", required = true)]
    pub runs: Vec<PathBuf>,
    /// Only strategies whose id contains this.
    #[arg(long, value_name = "PART")]
    pub strategy: Option<String>,
    /// Only families (trace files) whose name contains this.
    #[arg(long, value_name = "PART")]
    pub family: Option<String>,
    /// A row per family instead of one over all of them.
    #[arg(long)]
    pub by_family: bool,
    /// As JSON.
    #[arg(long, conflicts_with = "csv")]
    pub json: bool,
    /// As CSV.
    #[arg(long)]
    pub csv: bool,
}

/// Arguments of `trace`.
#[derive(Debug, Args)]
pub struct TraceArgs {
    /// What to do with it.
    #[command(subcommand)]
    pub action: TraceAction,
}

/// What `trace` does.
#[derive(Debug, Subcommand)]
pub enum TraceAction {
    /// Prints what the file holds and how protocol P1 would scale and split it.
    Describe(TraceFileArgs),
    /// Draws the series as SVG, with its data as CSV.
    Plot(TracePlotArgs),
}

/// A trace and one of its series.
#[derive(Debug, Args)]
pub struct TraceFileArgs {
    /// Trace file or id.
    pub file: String,
    /// Only this series.
    #[arg(long)]
    pub series: Option<String>,
}

/// Arguments of `trace plot`.
#[derive(Debug, Args)]
pub struct TracePlotArgs {
    /// The trace.
    #[command(flatten)]
    pub trace: TraceFileArgs,
    /// Folder of the figures.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub out: PathBuf,
}
