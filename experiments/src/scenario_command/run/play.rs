//! A scenario from its first moment to its end on either kernel, in slices between which Ctrl-C is heard.

use seatrial_core::time::Span;
use seatrial_envs::app::{self, AppError, AppOptions, AppOutcome};
use seatrial_envs::spec::{Inputs, ScenarioSpec};
use seatrial_envs::world::{Options, Outcome, World, WorldError};

use super::super::{LoadedScenario, reading};
use crate::commands::Shell;
use crate::error::{ExperimentError, Result};
use crate::progress::{Display, Progress};

/// Slices of a run: a percent each.
const SLICES: i64 = 100;
/// A slice is heard out in parts of at most so long: an hour of a large application takes seconds.
const LONGEST_PART: Span = Span::from_secs(10);

/// Event by event. `quiet` shows no progress.
pub(super) fn events(
    loaded: &LoadedScenario,
    spec: &ScenarioSpec,
    inputs: &Inputs,
    options: &Options<'_>,
    shell: &Shell,
) -> Result<Outcome> {
    let wrong = |error: WorldError| failed(loaded, &error);
    let mut simulation = World::simulation(spec, inputs, options).map_err(wrong)?;
    let (start, end) = (simulation.now(), simulation.model.end());
    // Only where somebody looks: lines of a run of a second are noise in a log.
    let display = if shell.display == Display::Bar { Display::Bar } else { Display::Quiet };
    let progress = Progress::new(display, "simulated", SLICES as usize);
    for slice in 1..=SLICES {
        let until = if slice == SLICES { end } else { start + (end - start) / SLICES * slice };
        while simulation.now() < until {
            if shell.stop.load(std::sync::atomic::Ordering::Relaxed) {
                progress.finish();
                return Err(stopped(slice - 1));
            }
            simulation.run_until(until.min(simulation.now() + LONGEST_PART)).map_err(|error| wrong(error.into()))?;
        }
        progress.advance();
    }
    progress.finish();
    World::outcome(simulation).map_err(wrong)
}

fn stopped(percent: i64) -> ExperimentError {
    let done = usize::try_from(percent).unwrap_or(0);
    ExperimentError::Stopped { done, total: SLICES as usize, unit: "percent of the simulated time" }
}

/// As a flow, which takes no time worth interrupting.
pub(super) fn flow(
    loaded: &LoadedScenario,
    spec: &ScenarioSpec,
    inputs: &Inputs,
    options: &AppOptions,
) -> Result<AppOutcome> {
    app::run_scenario(spec, inputs, options).map_err(|error| match error {
        AppError::Strategy { service, error } => {
            let key = format!("services.{service}.autoscaling.strategy");
            reading::refuse_key(loaded, &key, &error.to_string())
        }
        error => failed(loaded, &error),
    })
}

fn failed(loaded: &LoadedScenario, error: &dyn std::fmt::Display) -> ExperimentError {
    ExperimentError::Scenario(format!("{}: {error}", loaded.origin))
}
