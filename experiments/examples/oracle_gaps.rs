//! Prints how far apart the bounds of the certified oracle are on every load trace of `SEATRIAL_TRACES`: protocol P1, test parts.
//!
//! A series whose optimal plan spends over 5 % of the bound on changing pods is one that switches on and off, or bursts from
//! little: there pods are needed by the dozen at one moment, and the order of their draws costs what the bound cannot know.
//!
//! `cargo run --release -p seatrial-experiments --example oracle_gaps [PART OF A LABEL]`

use std::path::PathBuf;

use seatrial_datasets::Locator;
use seatrial_envs::load::Traffic;
use seatrial_envs::oracle::{Certified, certify_on};
use seatrial_envs::scenario::Scenario;
use seatrial_experiments::arena::{Arena, open_all};
use seatrial_experiments::config::TraceChoice;

/// Widest gap that the yardstick promises, in percent.
const PROMISED_PERCENT: f64 = 0.7;
/// Share of the bound, in percent, that the plan of an on-off series spends on changes at least.
const ON_OFF_PERCENT: f64 = 5.0;
/// Those of the committed studies.
const SEEDS: [u64; 2] = [101, 102];

fn main() -> anyhow::Result<()> {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    println!("{:<44} {:>6} {:>13} {:>13} {:>7} {:>9}", "series", "bins", "lower", "upper", "gap %", "changes %");
    let mut rows = Vec::new();
    for arena in arenas(&wanted)? {
        for seed in SEEDS {
            rows.push(print_row(&arena, seed)?);
        }
    }
    let steady = rows.iter().filter(|row| row.changes_percent <= ON_OFF_PERCENT);
    let beyond = steady.clone().filter(|row| row.gap_percent > PROMISED_PERCENT).count();
    let widest = steady.clone().map(|row| row.gap_percent).fold(0.0, f64::max);
    println!(
        "{} certified; of {} that do not switch on and off, {beyond} have a gap beyond {PROMISED_PERCENT} %, the widest is {widest:.3} %",
        rows.len(),
        steady.count()
    );
    Ok(())
}

/// What is told of a series and a seed.
struct Row {
    gap_percent: f64,
    changes_percent: f64,
}

fn print_row(arena: &Arena, seed: u64) -> anyhow::Result<Row> {
    let scenario = Scenario::protocol_p1();
    let episode = arena.episode(&arena.scored)?;
    let certified = certify_on(&scenario, &Traffic::new(&scenario, &episode, seed)?)?;
    let gap_percent = 100.0 * (certified.upper / certified.lower - 1.0);
    let changes_percent = 100.0 * cost_of_changes(&scenario, &certified) / certified.lower;
    println!(
        "{:<44} {:>6} {:>13.0} {:>13.0} {gap_percent:>7.3} {changes_percent:>9.2}",
        arena.label(),
        episode.rates_per_s().len(),
        certified.lower,
        certified.upper,
    );
    Ok(Row { gap_percent, changes_percent })
}

fn cost_of_changes(scenario: &Scenario, certified: &Certified) -> f64 {
    let change = |pair: &[u32]| {
        f64::from(pair[1].saturating_sub(pair[0])) * (certified.start_bill_s + scenario.costs.churn)
            + f64::from(pair[0].saturating_sub(pair[1])) * (scenario.termination_s + scenario.costs.churn)
    };
    certified.plan.windows(2).map(change).sum()
}

/// Every series that protocol P1 can read as a load and whose label contains `wanted`.
#[expect(clippy::disallowed_methods, reason = "an example is a composition root, where the environment is read")]
fn arenas(wanted: &str) -> anyhow::Result<Vec<Arena>> {
    let folders: Vec<PathBuf> = std::env::var_os("SEATRIAL_TRACES")
        .map(|folders| std::env::split_paths(&folders).collect())
        .unwrap_or_default();
    let mut files = Vec::new();
    for folder in &folders {
        for entry in std::fs::read_dir(folder)? {
            files.push(entry?.path());
        }
    }
    files.retain(|path| path.extension().is_some_and(|extension| extension == "parquet"));
    files.sort();
    let locator = Locator::new(folders);
    let mut arenas = Vec::new();
    for file in files {
        let choice: TraceChoice = serde_json::from_value(serde_json::json!({ "id": file }))?;
        match open_all(&[choice], &locator) {
            Ok(opened) => arenas.extend(opened.into_iter().filter(|arena| arena.label().contains(wanted))),
            Err(error) => eprintln!("left out: {error}"),
        }
    }
    Ok(arenas)
}
