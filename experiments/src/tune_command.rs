//! `seatrial tune`: better settings for the autoscaler that a team runs, with evidence; it writes files and applies nothing.
//!
//! manifest + trace → the settings of today → every setting that the manifest can hold, tried on the earlier part → before and
//! after on the later part, beside an oracle → a verdict, a page, and where something is won, the manifest with only the
//! winning fields changed. Invariants: same input, same bytes; the later part is not looked at before the choice; what was
//! inferred or left out is said.

mod arguments;
mod candidates;
mod changes;
#[cfg(test)]
mod fuzz;
mod inputs;
mod judgement;
mod manifest;
mod outcome;
mod parts;
mod search;
mod terminal;
mod verdict;
mod world;
mod written;
mod yaml;

pub use arguments::{Objective, TuneArgs};

use seatrial_core::time::Span;
use seatrial_datasets::Locator;

use self::inputs::{Inputs, Offered};
use self::manifest::{Manifest, Scaler};
use self::outcome::{Evidence, Outcome};
use self::world::{Physics, Theatre};
use self::written::Written;
use crate::commands::Shell;
use crate::error::{ExperimentError, Result};
use crate::schedule::Crew;

/// Start-up where none is stated: protocol P1's.
const DEFAULT_POD_START: Span = Span::from_secs(60);

/// Everything of one command.
struct Session<'a> {
    arguments: &'a TuneArgs,
    manifest: Manifest,
    inputs: Inputs,
    crew: Crew,
}

/// Tunes the autoscalers of a manifest.
///
/// # Errors
/// If manifest or trace cannot be used, nothing can be said, or a file cannot be written.
pub fn tune(arguments: &TuneArgs, shell: &Shell) -> Result<()> {
    let Done { outcomes, notes, written } = work(arguments, shell)?;
    terminal::tell(&outcomes, &written, &notes);
    Ok(())
}

/// [`tune`] without a word: the verdict on each autoscaler, files written.
///
/// # Errors
/// As [`tune`].
pub fn tune_silently(arguments: &TuneArgs, shell: &Shell) -> Result<Vec<String>> {
    Ok(work(arguments, shell)?.outcomes.iter().map(Outcome::sentence).collect())
}

/// What a command did.
struct Done {
    outcomes: Vec<Outcome>,
    notes: Vec<String>,
    written: Written,
}

fn work(arguments: &TuneArgs, shell: &Shell) -> Result<Done> {
    let manifest = manifest::open(&arguments.manifest, arguments.rate_metric.as_deref())?;
    let inputs = inputs::open(&arguments.trace, &Locator::new(shell.trace_folders.clone()))?;
    let crew = shell.crew(arguments.jobs)?;
    let session = Session { arguments, manifest, inputs, crew };
    let outcomes = session.outcomes().map_err(ExperimentError::keeping_nothing)?;
    let notes = session.notes(&outcomes);
    let written = written::write(&session, &outcomes, &notes)?;
    Ok(Done { outcomes, notes, written })
}

impl Session<'_> {
    fn outcomes(&self) -> Result<Vec<Outcome>> {
        let pairs = self.pairs()?;
        pairs.into_iter().map(|(scaler, offered)| self.outcome(scaler, offered)).collect()
    }

    fn outcome(&self, scaler: &Scaler, offered: &Offered) -> Result<Outcome> {
        let physics = self.physics(offered)?;
        let offered = offered.clone().in_requests(physics.capacity);
        let parts = parts::split(&offered, &self.inputs.file)?;
        let theatre = Theatre::new(scaler, &offered, parts, &physics);
        let objective = self.arguments.objective;
        let search = search::Search::run(scaler, &theatre, physics.capacity, objective, &self.crew)?;
        let judgement = judgement::judge(scaler, &theatre, &search, objective, &self.crew)?;
        let evidence = Evidence { parts: theatre.parts, physics, search, judgement };
        Ok(Outcome::new(scaler, &offered, evidence, &self.manifest, objective))
    }

    /// What the simulation needs to know of a pod.
    fn physics(&self, offered: &Offered) -> Result<Physics> {
        let capacity = self.arguments.requests_per_pod.or(offered.seen_capacity).ok_or_else(|| {
            let what = if offered.estimated {
                "the trace holds replicas and CPU but no load"
            } else {
                "the trace does not show what one pod can serve"
            };
            ExperimentError::Usage {
                what: what.to_owned(),
                next: "state it with --requests-per-pod N: requests per second of one pod at 100 % CPU (from a load test, or \
                       requests per second / replicas / CPU utilisation at a busy hour)"
                    .to_owned(),
            }
        })?;
        Ok(Physics { capacity, pod_start: self.arguments.pod_start.unwrap_or(DEFAULT_POD_START) })
    }

    /// The autoscalers to tune, each with its load.
    fn pairs(&self) -> Result<Vec<(&Scaler, &Offered)>> {
        let (scalers, series) = (self.wanted_scalers()?, self.wanted_series()?);
        if let ([scaler], [only]) = (scalers.as_slice(), series.as_slice()) {
            return Ok(vec![(scaler, only)]);
        }
        let of = |scaler: &Scaler| series.iter().copied().find(|offered| scaler.answers_to(&offered.name));
        let pairs: Vec<_> = scalers.iter().filter_map(|scaler| Some((*scaler, of(scaler)?))).collect();
        if pairs.is_empty() { Err(self.no_pair(&scalers, &series)) } else { Ok(pairs) }
    }

    fn wanted_scalers(&self) -> Result<Vec<&Scaler>> {
        let all = || self.manifest.scalers.iter();
        let Some(name) = &self.arguments.scaler else { return Ok(all().collect()) };
        let wanted: Vec<&Scaler> = all().filter(|scaler| scaler.answers_to(name)).collect();
        if wanted.is_empty() {
            let known = listed(all().map(Scaler::label));
            return Err(usage(
                format!("--scaler {name}: {} has no such autoscaler", self.manifest.file),
                format!("it has {known}"),
            ));
        }
        Ok(wanted)
    }

    fn wanted_series(&self) -> Result<Vec<&Offered>> {
        let all = || self.inputs.series.iter();
        let Some(name) = &self.arguments.series else { return Ok(all().collect()) };
        let wanted: Vec<&Offered> = all().filter(|offered| offered.name == *name).collect();
        if wanted.is_empty() {
            let known = listed(all().map(|offered| offered.name.clone()));
            return Err(usage(
                format!("--series {name}: {} has no such series", self.inputs.file),
                format!("it has {known}"),
            ));
        }
        Ok(wanted)
    }

    fn no_pair(&self, scalers: &[&Scaler], series: &[&Offered]) -> ExperimentError {
        let names = listed(scalers.iter().map(|scaler| scaler.label()));
        match series {
            [only] => {
                let which = if only.name.is_empty() { "one series".to_owned() } else { format!("series `{}`", only.name) };
                usage(
                    format!(
                        "{} has {} autoscalers ({names}), and {} gives {which}: it is not clear whose load that is",
                        self.manifest.file,
                        scalers.len(),
                        self.inputs.file
                    ),
                    "name the autoscaler with --scaler NAME, or give a trace with a series per autoscaler, called like it".to_owned(),
                )
            }
            _ => usage(
                format!(
                    "{} has {} series ({}), none of them called like an autoscaler or its workload ({names})",
                    self.inputs.file,
                    series.len(),
                    listed(series.iter().map(|offered| offered.name.clone()))
                ),
                "choose one with --series NAME, and where the manifest has several autoscalers, one of them with --scaler NAME".to_owned(),
            ),
        }
    }

    /// What was inferred, left out, or is to be kept in mind.
    fn notes(&self, outcomes: &[Outcome]) -> Vec<String> {
        let mut notes = self.inputs.notes.clone();
        let stated = &self.arguments;
        if stated.pod_start.is_none() {
            let seconds = DEFAULT_POD_START.as_secs_f64();
            notes.push(format!("--pod-start is not given: pods are taken to start in {seconds} s (median)"));
        }
        for outcome in outcomes {
            notes.extend(outcome.notes(stated.requests_per_pod.is_some()));
        }
        let tuned = |scaler: &Scaler| outcomes.iter().any(|outcome| outcome.scaler.label() == scaler.label());
        let left: Vec<String> =
            self.manifest.scalers.iter().filter(|scaler| !tuned(scaler)).map(Scaler::label).collect();
        if !left.is_empty() {
            notes.push(format!(
                "left as they are, for want of a series or because another was asked for: {}",
                left.join(", ")
            ));
        }
        if !self.manifest.skipped.is_empty() {
            notes.push(format!("skipped in the manifest: {}", listed(self.manifest.skipped.iter().cloned())));
        }
        notes
    }
}

fn usage(what: String, next: String) -> ExperimentError {
    ExperimentError::Usage { what, next }
}

/// Names, the first ten of them.
fn listed(names: impl Iterator<Item = String>) -> String {
    let names: Vec<String> = names.map(|name| manifest::short(&name)).collect();
    let more = names.len().saturating_sub(10);
    let shown = names[..names.len() - more].join(", ");
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}
