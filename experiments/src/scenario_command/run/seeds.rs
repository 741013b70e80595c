//! The same scenario under several seeds: how far one run's numbers are chance.

use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

use seatrial_envs::app::AppOptions;
use seatrial_envs::spec::{Inputs, KernelChoice, ScenarioSpec};
use seatrial_envs::world::Options;
use seatrial_reports::format::grouped;

use super::super::LoadedScenario;
use super::super::outcome::{Account, ScenarioSummary};
use super::play;
use crate::commands::Shell;
use crate::error::{ExperimentError, Result};
use crate::progress::Display;
use crate::validity::sample::{Coverage, Interval};

/// Seeds and what they came to.
pub(super) type BySeed = Vec<(u64, Account)>;

/// `first` and the seeds after it, `seeds` in all, on as many threads as there are processors.
pub(super) fn run(
    loaded: &LoadedScenario,
    inputs: &Inputs,
    shell: &Shell,
    (first, seeds): (&ScenarioSummary, u32),
) -> Result<BySeed> {
    let later: Vec<u64> = (1..u64::from(seeds)).map(|more| first.seed.wrapping_add(more)).collect();
    let quiet = Shell { display: Display::Quiet, ..shell.clone() };
    let crew = shell.crew(None)?;
    let done = AtomicUsize::new(1);
    let accounts = crew.map("seeds", &later, |seed| {
        let account = account(loaded, inputs, &quiet, *seed)?;
        done.fetch_add(1, Ordering::Relaxed);
        Ok((*seed, account))
    });
    // Whatever a single run has to say of its own percentage.
    let accounts = accounts.map_err(|error| match error {
        ExperimentError::Interrupted { .. } | ExperimentError::Stopped { .. } => {
            let total = later.len() + 1;
            ExperimentError::Stopped { done: done.load(Ordering::Relaxed), total, unit: "seeds" }
        }
        other => other,
    })?;
    Ok(core::iter::once((first.seed, first.total)).chain(accounts).collect())
}

fn account(loaded: &LoadedScenario, inputs: &Inputs, shell: &Shell, seed: u64) -> Result<Account> {
    let spec = ScenarioSpec { seed, ..loaded.spec.clone() };
    let summary = match spec.kernel {
        KernelChoice::Events => {
            let options = Options { timeline: None, ..Options::default() };
            ScenarioSummary::of_events(&spec, &play::events(loaded, &spec, inputs, &options, shell)?)
        }
        KernelChoice::Fluid => {
            ScenarioSummary::of_flow(&spec, &play::flow(loaded, &spec, inputs, &AppOptions::default())?)
        }
    };
    Ok(summary.total)
}

/// A row per seed.
pub(super) fn csv(accounts: &BySeed) -> String {
    let mut out =
        "seed,requests,bad_requests,bad_fraction,pod_seconds,changes,left_over,j,latency_p95_s,latency_p99_s\n"
            .to_owned();
    let optional = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
    for (seed, account) in accounts {
        let Account { requests, bad_requests, bad_fraction, pod_seconds, changes, left_over, j, latency } = account;
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "{seed},{requests},{bad_requests},{},{pod_seconds},{changes},{left_over},{j},{},{}",
            optional(*bad_fraction),
            optional(latency.p95_s),
            optional(latency.p99_s)
        );
    }
    out
}

/// Mean, its 95 % interval by Student's t, and the least and greatest, a line per number.
pub(super) fn lines(accounts: &BySeed) -> Vec<String> {
    type Pick = fn(&Account) -> Option<f64>;
    let rows: [(&str, &str, f64, usize, Pick); 4] = [
        ("bad", " %", 100.0, 3, |account| account.bad_fraction),
        ("P95", " s", 1.0, 3, |account| account.latency.p95_s),
        ("pod-seconds", "", 1.0, 0, |account| Some(account.pod_seconds)),
        ("J", "", 1.0, 0, |account| Some(account.j)),
    ];
    let line = |(name, unit, factor, decimals, pick): (&str, &str, f64, usize, Pick)| {
        let values: Vec<f64> = accounts.iter().filter_map(|(_, account)| pick(account)).map(|v| v * factor).collect();
        let Interval { mean, half } = Interval::of(&values, Coverage::P95)?;
        let shown = |value: f64| grouped(value, decimals);
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let half = half.map_or_else(String::new, |half| format!(" ± {}", shown(half)));
        let count = values.len();
        Some(format!("{name:<12} {}{half}{unit} over {count} seeds, {} to {}", shown(mean), shown(least), shown(most)))
    };
    rows.into_iter().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::outcome::Quantiles;
    use super::*;

    fn account(bad_fraction: Option<f64>, j: f64) -> Account {
        Account {
            requests: 1_000.0,
            bad_requests: bad_fraction.unwrap_or(0.0) * 1_000.0,
            bad_fraction,
            pod_seconds: 12_345.0,
            changes: 2.0,
            left_over: 0.0,
            j,
            latency: Quantiles::default(),
        }
    }

    /// Two values 1 apart: the half width is 12.706 · 0.5.
    #[test]
    fn the_spread_is_shown_beside_the_mean() {
        let accounts = vec![(7, account(Some(0.01), 20_000.0)), (8, account(Some(0.02), 22_000.0))];
        let lines = lines(&accounts);
        assert_eq!(lines.len(), 3, "no P95 where the kernel knows none: {lines:?}");
        assert_eq!(lines[0], "bad          1.500 ± 6.353 % over 2 seeds, 1.000 to 2.000");
        assert!(lines[2].starts_with("J            21,000 ± 12,706 over 2 seeds, 20,000 to 22,000"), "{lines:?}");
        let csv = csv(&accounts);
        assert_eq!(csv.lines().nth(2), Some("8,1000,20,0.02,12345,2,0,22000,,"));
    }
}
