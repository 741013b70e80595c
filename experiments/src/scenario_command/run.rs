//! `seatrial scenario run`: from a scenario to a run folder.
//!
//! | file | what |
//! |---|---|
//! | `scenario.toml` | the text that was run |
//! | `summary.json` | costs, quantiles, where requests are; written last |
//! | `timeline.json`, `timeline/*.parquet` | what happened by interval: services, clients, pools of nodes |
//! | `log.parquet` | one row per event, if asked for |
//! | `report/` | the page with its figures and tables |
//! | `seeds.csv` | the same numbers of further seeds, if asked for |
//!
//! The same scenario and seed give the same bytes. The fluid kernel has no event log.

mod bound;
mod draft;
mod play;
mod report;
mod seeds;
mod tables;

use std::path::{Path, PathBuf};

use seatrial_core::time::Span;
use seatrial_datasets::{Table, write_table};
use seatrial_envs::app::AppOptions;
use seatrial_envs::spec::{Inputs, KernelChoice, ScenarioSpec};
use seatrial_envs::world::Options;
use seatrial_envs::world::log::{LogLevel, LogRow};
use seatrial_reports::scenario::ScenarioRun;

use self::draft::{Claim, Draft};
use super::arguments::LogWord;
use super::outcome::{Quantiles, ScenarioSummary};
use super::{LoadedScenario, ScenarioRunArgs, inputs, load};
use crate::commands::Shell;
use crate::error::{ExperimentError, Result};
use crate::run_folder::{write_atomic, write_json};

/// Intervals of a timeline: enough to see a minute in an hour, few enough to draw.
const MOST_INTERVALS: i64 = 480;

pub(super) fn run(arguments: &ScenarioRunArgs, shell: &Shell) -> Result<()> {
    let mut loaded = load(&arguments.file)?;
    loaded.spec.seed = arguments.seed.unwrap_or(loaded.spec.seed);
    check_log(&loaded.spec, arguments.log)?;
    let folder = arguments.out.clone().unwrap_or_else(|| PathBuf::from(format!("runs/scenario-{}", loaded.spec.name)));
    let draft = Draft::new(claim(&folder, &loaded, arguments))?;
    let inputs = inputs::read(&loaded, &shell.trace_folders)?;
    let mut bound = bound::account(&loaded.spec, &inputs, arguments.oracle)?;
    let mut played = match loaded.spec.kernel {
        KernelChoice::Events => events(&loaded, &inputs, arguments.log, shell)?,
        KernelChoice::Fluid => flow(&loaded, &inputs)?,
    };
    if arguments.oracle {
        bound::run_oracle((&loaded.spec, &loaded.origin), &inputs, &mut bound, shell)?;
    }
    played.summary.bound = bound;
    played.page.bound = bound::sentences(&played.summary);
    tell_summary(&played.summary);
    if let Some(seeds) = arguments.seeds {
        let accounts = seeds::run(&loaded, &inputs, shell, (&played.summary, seeds.get()))?;
        write_atomic(&draft.path().join(draft::SEEDS), seeds::csv(&accounts).as_bytes())?;
        played.page.spread = seeds::lines(&accounts);
        played.page.spread.iter().for_each(|line| say!("{line}"));
    }
    write(&loaded, &played, draft.path())?;
    draft.install()?;
    say!("{}", folder.join("summary.json").display());
    say!("{}", folder.join("report").join("index.html").display());
    Ok(())
}

fn claim(folder: &Path, loaded: &LoadedScenario, arguments: &ScenarioRunArgs) -> Claim {
    let asked = [(draft::SEEDS, arguments.seeds.is_some()), (draft::LOG, arguments.log != LogWord::Off)];
    Claim {
        folder: folder.to_owned(),
        text: loaded.text.clone(),
        seed: loaded.spec.seed,
        writes: asked.into_iter().filter(|(_, asked)| *asked).map(|(name, _)| name).collect(),
        oracle: arguments.oracle,
        force: arguments.force,
    }
}

/// A run before it is written.
struct Played {
    summary: ScenarioSummary,
    page: ScenarioRun,
    log: Vec<LogRow>,
}

fn write(loaded: &LoadedScenario, played: &Played, folder: &Path) -> Result<()> {
    write_timeline(folder, &played.page)?;
    if !played.log.is_empty() {
        write_log(folder, &loaded.spec, &played.log)?;
    }
    write_atomic(&folder.join("scenario.toml"), loaded.text.as_bytes())?;
    write_json(&folder.join("summary.json"), &played.summary)
}

/// The fluid kernel follows no request and has no log.
fn check_log(spec: &ScenarioSpec, log: LogWord) -> Result<()> {
    if spec.kernel == KernelChoice::Events || log == LogWord::Off {
        return Ok(());
    }
    Err(ExperimentError::Usage {
        what: "--log asks for a row per event, and the fluid kernel has no events".to_owned(),
        next: "leave it out, or say kernel = \"events\" in the scenario".to_owned(),
    })
}

fn events(loaded: &LoadedScenario, inputs: &Inputs, log: LogWord, shell: &Shell) -> Result<Played> {
    let spec = &loaded.spec;
    let log = match log {
        LogWord::Off => LogLevel::Off,
        LogWord::Cluster => LogLevel::Cluster,
        LogWord::Requests => LogLevel::Requests,
    };
    let options = Options { timeline: Some(interval(spec)), log, decisions: true, ..Options::default() };
    let outcome = play::events(loaded, spec, inputs, &options, shell)?;
    let nothing = || ExperimentError::Report("there is no timeline, although one was asked for: a bug".to_owned());
    let timeline = outcome.timeline.as_ref().ok_or_else(nothing)?;
    let (summary, page) = (ScenarioSummary::of_events(spec, &outcome), report::of_events(loaded, &outcome, timeline));
    Ok(Played { summary, page, log: outcome.log })
}

fn flow(loaded: &LoadedScenario, inputs: &Inputs) -> Result<Played> {
    let options = AppOptions { timeline: Some(interval(&loaded.spec)), decisions: true };
    let outcome = play::flow(loaded, &loaded.spec, inputs, &options)?;
    let summary = ScenarioSummary::of_flow(&loaded.spec, &outcome);
    Ok(Played { summary, page: report::of_flow(loaded, &outcome), log: Vec::new() })
}

/// The scrape interval, doubled until the timeline is short enough.
fn interval(spec: &ScenarioSpec) -> Span {
    let (mut interval, duration) = (Span::from_secs_f64(spec.metrics.scrape_s), Span::from_secs_f64(spec.duration_s));
    while duration.whole_steps(interval) > MOST_INTERVALS {
        interval = interval * 2;
    }
    interval
}

fn unwritten(path: &Path) -> impl Fn(&dyn std::fmt::Display) -> ExperimentError {
    let path = path.to_owned();
    move |error| ExperimentError::RunFolder { path: path.clone(), detail: error.to_string() }
}

fn write_timeline(folder: &Path, run: &ScenarioRun) -> Result<()> {
    for (name, table) in tables::of_timeline(&run.timeline).map_err(|error| unwritten(folder)(&error))? {
        write_parquet(&folder.join("timeline").join(name), &table)?;
    }
    write_json(&folder.join("timeline.json"), &run.timeline)?;
    seatrial_reports::write::write_scenario(folder, run)
        .map(|_| ())
        .map_err(|error| ExperimentError::Report(error.to_string()))
}

fn write_log(folder: &Path, spec: &ScenarioSpec, log: &[LogRow]) -> Result<()> {
    let path = folder.join(draft::LOG);
    let table = tables::of_log(spec, log).map_err(|error| unwritten(&path)(&error))?;
    write_parquet(&path, &table)
}

fn write_parquet(path: &Path, table: &Table) -> Result<()> {
    create_parent(path)?;
    write_table(path, table, &[]).map_err(|error| unwritten(path)(&error))
}

fn create_parent(path: &Path) -> Result<()> {
    path.parent()
        .map_or(Ok(()), |parent| std::fs::create_dir_all(parent).map_err(ExperimentError::io("create", parent)))
}

fn tell_summary(summary: &ScenarioSummary) {
    let total = &summary.total;
    let share = total.bad_fraction.map_or_else(String::new, |share| format!(" ({:.2} %)", 100.0 * share));
    say!("requests     {:.0}, of which {:.0} bad{share}", total.requests, total.bad_requests);
    if let Quantiles { p50_s: Some(p50_s), p95_s: Some(p95_s), p99_s: Some(p99_s), .. } = total.latency {
        say!("latency      median {p50_s:.3} s, P95 {p95_s:.3} s, P99 {p99_s:.3} s, of those answered");
    }
    say!(
        "pod-seconds  {:.0}; {:.0} replicas added or taken by decisions; J {:.0}",
        total.pod_seconds,
        total.changes,
        total.j
    );
    for (name, text) in bound::lines(summary) {
        say!("{name:<12} {text}");
    }
    if let Some(line) = unanswered(summary) {
        say!("{line}");
    }
    if !summary.marks.is_empty() {
        let marks: Vec<String> = summary.marks.iter().map(|(kind, count)| format!("{count} × {kind}")).collect();
        say!("happened     {}: see the page", marks.join(", "));
    }
}

/// Requests that the end of the run found under way, where they are one in a thousand: nobody knows yet whether they are bad.
fn unanswered(summary: &ScenarioSummary) -> Option<String> {
    let count = summary.conservation.as_ref();
    #[expect(clippy::cast_precision_loss, reason = "counts of requests, for people to read")]
    let (left, offered) = count.map_or((summary.total.left_over, summary.total.requests), |count| {
        (count.under_way as f64, count.offered as f64)
    });
    let share = left / offered;
    (share >= 0.001).then(|| format!("unanswered   {left:.0} ({:.2} %) when the run ended, bad or not", 100.0 * share))
}
