//! The command line of `seatrial`. Only shapes: what a command does lives in the module of its name.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::import_command::ImportArgs;
use crate::scenario_command::ScenarioArgs;
use crate::tune_command::TuneArgs;

/// Train, compare and prove autoscaling policies on traces.
#[derive(Debug, Parser)]
#[command(
    name = "seatrial",
    bin_name = "seatrial",
    version,
    about = "Train, compare and prove autoscaling policies on traces",
    max_term_width = 110
)]
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
    /// Writes the report of a finished run again, or that of an operator's decision log.
    Report(ReportArgs),
    /// Passes the policy of a run through the export gate and writes its bundle.
    Export(ExportArgs),
    /// Evaluates a finished run again and compares every file that it made, byte by byte; makes the decisions of a log again.
    Verify(VerifyArgs),
    /// Compares the strategies of several finished runs (needs a build with `--features analysis`).
    Query(QueryArgs),
    /// Makes a trace or a policy of what you have: CSV files, Prometheus, decision logs, HorizontalPodAutoscalers.
    Import(ImportArgs),
    /// Simulates a cluster event by event, as a scenario file describes it.
    Scenario(ScenarioArgs),
    /// Looks at one trace.
    Trace(TraceArgs),
    /// Finds better settings for the autoscalers you run, from the load they met; writes files, applies nothing.
    Tune(TuneArgs),
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
    /// Replaces a key of the configuration, for example seeds.training=5 (dotted key, TOML value). May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
    /// Run folder (default: runs/NAME-OF-THE-STUDY). The same command resumes what is begun there.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Cells at a time (default: one per processor). The result does not depend on it.
    #[arg(long, value_name = "N")]
    pub jobs: Option<usize>,
    /// Number of training seeds.
    #[arg(long, value_name = "N")]
    pub seeds: Option<usize>,
    /// Only these traces, separated by commas: ids of the study, or files.
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub traces: Vec<String>,
    /// Only the i-th of n parts of the cells (from 1); run all parts into one folder, the last one merges.
    #[arg(long, value_name = "I/N")]
    pub shard: Option<String>,
}

/// Arguments of `run` and `train`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// A study (TOML file), or one that is built in: demo, quick, shipped, worldcup.
    #[arg(value_name = "CONFIG|quick")]
    pub config: String,
    /// What every study takes.
    #[command(flatten)]
    pub study: StudyArgs,
}

impl RunArgs {
    /// The words that determine the results of `verb`: the study and what is laid over it.
    #[must_use]
    pub fn asked(&self, verb: &str) -> String {
        let mut words = vec![verb.to_owned(), self.config.clone()];
        words.extend(self.study.overrides.iter().flat_map(|text| ["--set".to_owned(), text.clone()]));
        words.extend(self.study.seeds.iter().flat_map(|seeds| ["--seeds".to_owned(), seeds.to_string()]));
        if !self.study.traces.is_empty() {
            words.extend(["--traces".to_owned(), self.study.traces.join(",")]);
        }
        line(&words)
    }

    /// The arguments to repeat the command in full.
    #[must_use]
    pub fn repeated(&self, verb: &str) -> String {
        let flags = &self.study;
        let out = flags.out.as_ref().map(|out| ("--out", out.display().to_string()));
        let jobs = flags.jobs.map(|jobs| ("--jobs", jobs.to_string()));
        let shard = flags.shard.clone().map(|shard| ("--shard", shard));
        let more = out.into_iter().chain(jobs).chain(shard).flat_map(|(name, value)| [name.to_owned(), value]);
        let more: Vec<String> = more.collect();
        if more.is_empty() { self.asked(verb) } else { format!("{} {}", self.asked(verb), line(&more)) }
    }
}

impl EvaluateArgs {
    /// The arguments to repeat the command in full.
    #[must_use]
    pub fn repeated(&self) -> String {
        let mut words = ["evaluate", "--bundle"].map(str::to_owned).to_vec();
        words.extend([self.bundle.display().to_string(), "--traces".to_owned(), self.traces.join(",")]);
        words.extend(["--out".to_owned(), self.out.display().to_string()]);
        words.extend(self.whole.then(|| "--whole".to_owned()));
        words.extend(self.jobs.iter().flat_map(|jobs| ["--jobs".to_owned(), jobs.to_string()]));
        words.extend(self.overrides.iter().flat_map(|text| ["--set".to_owned(), text.clone()]));
        line(&words)
    }
}

/// Words as one line that a shell takes apart again.
pub(crate) fn line(words: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:+".contains(c);
    let quoted = |word: &String| {
        if !word.is_empty() && word.chars().all(plain) {
            word.clone()
        } else {
            format!("'{}'", word.replace('\'', "'\\''"))
        }
    };
    words.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

/// Arguments of `evaluate`.
#[derive(Debug, Args)]
pub struct EvaluateArgs {
    /// The bundle's folder.
    #[arg(long, value_name = "DIR")]
    pub bundle: PathBuf,
    /// Trace files or ids, separated by commas or blanks.
    #[arg(long, value_name = "FILE", required = true, num_args = 1.., value_delimiter = ',')]
    pub traces: Vec<String>,
    /// Run folder to write. The same command resumes what is begun there.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Score the whole trace with global settings instead of tuning on its earlier part.
    #[arg(long)]
    pub whole: bool,
    /// Cells at a time.
    #[arg(long, value_name = "N")]
    pub jobs: Option<usize>,
    /// Replaces a key of the configuration, for example tune.days=14. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
}

/// Arguments of `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The run folder, or the folder of a decision log.
    pub run: PathBuf,
    /// Of a log: where the report goes (default: report/ in its folder).
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Of a log: only this subject. May be repeated.
    #[arg(long, value_name = "NAMESPACE/NAME")]
    pub subject: Vec<String>,
}

/// Arguments of `export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The run folder.
    pub run: PathBuf,
    /// Where the bundle goes (default: policy/ in the run folder).
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Replaces a bundle of the same id that lies there with other content.
    #[arg(long)]
    pub force: bool,
    /// Cells at a time.
    #[arg(long, value_name = "N")]
    pub jobs: Option<usize>,
}

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The run folder, or the folder of a decision log.
    pub run: PathBuf,
    /// Of a log: a bundle that decided. May be repeated.
    #[arg(long, value_name = "DIR")]
    pub bundle: Vec<PathBuf>,
    /// Also tune and train again, and compare parameters, weights and learning curves.
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
    Describe(TraceDescribeArgs),
    /// Draws the series with the parts of protocol P1, as SVG and PNG, with the data as CSV.
    Plot(TracePlotArgs),
}

/// A trace and some of its series.
#[derive(Debug, Args)]
pub struct TraceFileArgs {
    /// Trace file or id.
    pub file: String,
    /// Only these series: names, separated by commas. May be repeated.
    #[arg(long, value_name = "NAME")]
    pub series: Vec<String>,
}

/// Arguments of `trace describe`.
#[derive(Debug, Args)]
pub struct TraceDescribeArgs {
    /// The trace.
    #[command(flatten)]
    pub trace: TraceFileArgs,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `trace plot`.
#[derive(Debug, Args)]
pub struct TracePlotArgs {
    /// The trace.
    #[command(flatten)]
    pub trace: TraceFileArgs,
    /// Folder of the figure (default: `runs/trace-<id>`).
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_told_so_that_it_can_be_typed_again() {
        let words =
            ["run", "my study.toml", "--set", "seeds.evaluation=[1]", "--seeds", "2", "--out", "r", "--jobs", "3"];
        let Command::Run(arguments) = Cli::try_parse_from(["seatrial"].iter().chain(&words)).unwrap().command else {
            panic!("no run")
        };
        assert_eq!(arguments.asked("run"), "run 'my study.toml' --set 'seeds.evaluation=[1]' --seeds 2");
        assert_eq!(arguments.repeated("run"), format!("{} --out r --jobs 3", arguments.asked("run")));
    }
}
