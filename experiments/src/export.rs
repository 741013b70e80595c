//! `seatrial export`: the best member of a run passes the gate and becomes a bundle.
//!
//! The member is the one with the least cost on validation. Beside the bundle's three files lie the attribution weights and the
//! tuned rules, so that a study can run from it; an operator does not load them. Nothing is exported that is not what the run's
//! manifest speaks of: a gate that judged edited parameters would give them a clean hash.

mod place;

use std::collections::BTreeMap;
use std::path::PathBuf;

use seatrial_core::bundle::{Bundle, BundleParts, Provenance, TracePart};
use seatrial_core::observe::Observation;
use seatrial_core::scaling::policy::PastSlot;
use seatrial_core::time::Span;
use seatrial_envs::scenario::Regime;
use seatrial_reports::model::Variant;

use crate::arena::{Arena, Part};
use crate::bundle_folder;
use crate::cli::ExportArgs;
use crate::commands::Shell;
use crate::config;
use crate::contest::{Entrant, learned_spec};
use crate::error::{ExperimentError, Result};
use crate::gate::{self, Verdict};
use crate::hash;
use crate::learned::{LearnedSet, Member};
use crate::manifest::{self, Manifest, WeightsRef};
use crate::run_folder::{RunFolder, read_json};
use crate::stage::Stage;
use crate::study::Setup;
use crate::tuned::Tuned;
use place::Written;

pub use place::Place;

/// Decisions in the golden log.
const GOLDEN_ROWS: usize = 120;
/// Slots of the past that warm it up: more than the longest memory of the first decisions would need costs kilobytes.
const GOLDEN_WARM_UP: usize = 480;

/// Exports the policy of a run.
///
/// # Errors
/// If the run has no learned policy, the gate refuses it, or a file cannot be written.
pub fn export(arguments: &ExportArgs, shell: &Shell) -> Result<()> {
    let run = RunFolder::open(&arguments.run)?;
    let text =
        std::fs::read_to_string(run.resolved_config()).map_err(ExperimentError::io("read", &run.resolved_config()))?;
    let loaded = config::parse(&text, run.resolved_config().display().to_string(), PathBuf::new(), &[])?;
    let setup = Setup::open(loaded, run.root(), shell, arguments.jobs)?;
    let tuned = Tuned::read(run.root())?.unwrap_or_default();
    let learned = LearnedSet::read(run.root())?;
    check_unchanged(&run, &tuned, &learned)?;
    let place = match &arguments.out {
        Some(out) => Place::named(out.clone(), arguments.force),
        None => Place::of_run(run.policy()),
    };
    publish(&setup, &tuned, &learned, &place)
}

/// Passes the best member through the gate and writes its bundle to `place`.
///
/// # Errors
/// If the gate refuses it, the place holds something else, or a file cannot be written.
pub fn publish(setup: &Setup, tuned: &Tuned, learned: &LearnedSet, place: &Place) -> Result<()> {
    place.check(&id(setup))?;
    let (member, verdict) = best(setup, tuned, learned)?;
    if !verdict.refusals.is_empty() {
        return Err(ExperimentError::Gate(verdict.refusals.join("; ")));
    }
    let mut beside = LearnedSet::files_beside_bundle(member)?;
    beside.extend(tuned.files()?);
    let files = Bundle::assemble(&parts(setup, member, &verdict, bundle_folder::hashes(&beside))?)
        .map_err(|error| bundle_folder::refusal(place.path(), &error))?;
    let unchanged = if place.write(&beside, &files)? == Written::Unchanged { ", unchanged" } else { "" };
    let there = bundle_folder::load(place.path())?;
    print(&verdict);
    say!("bundle: {} ({} bytes{unchanged})", place.path().display(), files.values().map(Vec::len).sum::<usize>());
    say!("hash: {}", there.hash());
    Ok(())
}

/// The id of the study's bundle.
fn id(setup: &Setup) -> String {
    format!("{}-lstm-dqn", setup.study.name)
}

/// Refuses parameters and weights that are not those of the run's manifest. A run that was only trained has none yet.
fn check_unchanged(run: &RunFolder, tuned: &Tuned, learned: &LearnedSet) -> Result<()> {
    if !run.manifest().is_file() {
        return Ok(());
    }
    let manifest: Manifest = read_json(&run.manifest())?;
    let changed = |file: &str, found: String, expected: String| {
        let detail = format!(
            "{file} has {found} where manifest.json says {expected}; it was changed after the run: restore it, or run again"
        );
        Err(ExperimentError::RunFolder { path: run.root().to_owned(), detail })
    };
    match manifest.tuned_hash {
        Some(expected) if expected != tuned.hash() => {
            return changed("tuned.json", format!("hash {}", tuned.hash()), expected);
        }
        _ => {}
    }
    let text = |weights: &[WeightsRef]| {
        weights.iter().map(|of| format!("{}: {}", of.seed, of.trained)).collect::<Vec<_>>().join(", ")
    };
    let found = learned.references();
    if found == manifest.weights { Ok(()) } else { changed("learned.json", text(&found), text(&manifest.weights)) }
}

/// The candidate of a member.
#[must_use]
pub fn candidate(member: &Member) -> Entrant {
    Entrant {
        strategy: "lstm-dqn".into(),
        variant: Variant::Learned,
        spec: learned_spec("lstm"),
        weights: Some(member.trained.clone()),
        train_seed: Some(member.seed),
    }
}

fn best<'a>(setup: &Setup, tuned: &Tuned, learned: &'a LearnedSet) -> Result<(&'a Member, Verdict)> {
    let mut best: Option<(&Member, Verdict)> = None;
    for member in learned.members() {
        let verdict = gate::judge(setup, tuned, learned, &candidate(member))?;
        // A member that passes goes before one that does not; then the cheaper one.
        let rank = |verdict: &Verdict| (!verdict.refusals.is_empty(), verdict.cost);
        if best.as_ref().is_none_or(|(_, least)| rank(&verdict) < rank(least)) {
            best = Some((member, verdict));
        }
    }
    best.ok_or_else(|| ExperimentError::Gate("the run has no trained member; train it first".into()))
}

fn parts<'a>(
    setup: &Setup,
    member: &'a Member,
    verdict: &Verdict,
    study_files: BTreeMap<String, String>,
) -> Result<BundleParts<'a>> {
    let (warm_up, observations) = golden(setup, member)?;
    let run = setup.folder.root();
    let revision = read_json::<Manifest>(&setup.folder.manifest())
        .map_or_else(|_| manifest::revision(), |manifest| manifest.revision);
    Ok(BundleParts {
        id: id(setup),
        strategy: learned_spec("lstm"),
        workload: setup.protocol.world(Regime::Plain, setup.study.limits).workload,
        weights: Some(&member.trained.weights),
        provenance: Provenance {
            revision,
            version: env!("CARGO_PKG_VERSION").into(),
            command: format!("export {}", run.display()),
            config_hash: hash::of_bytes(setup.resolved()?.as_bytes()),
            seeds: vec![member.seed],
            traces: setup.arenas.iter().filter(|arena| arena.trainable).flat_map(trace_parts).collect(),
            study_files,
        },
        evidence: verdict.evidence.clone(),
        warm_up,
        observations,
    })
}

fn trace_parts(arena: &Arena) -> [TracePart; 2] {
    let of = |part: &Part, name: &str| {
        let (from, to) = arena.bounds(part);
        TracePart {
            id: arena.load.family.clone(),
            series: arena.load.series.clone(),
            part: name.to_owned(),
            content_hash: arena.load.content_hash.clone(),
            from_us: from.micros(),
            to_us: to.micros(),
        }
    };
    [of(&arena.training_part(), "train"), of(&arena.validation_part(), "validation")]
}

/// What the policy sees at the beginning of the first validation part: the past that warms it up, then observations.
fn golden(setup: &Setup, member: &Member) -> Result<(Vec<PastSlot>, Vec<Observation>)> {
    let arena = setup
        .arenas
        .iter()
        .find(|arena| arena.trainable)
        .ok_or_else(|| ExperimentError::Gate("no series has a validation part".into()))?;
    let interval = arena.load.interval.micros().max(1);
    let bins = usize::try_from(Span::from_secs(2 * 3_600).micros() / interval).unwrap_or(1).max(2);
    let part = arena.validation_part();
    let begin = part.start..(part.start + bins).min(part.end);
    let world = setup.protocol.world(Regime::Plain, setup.study.limits);
    let stage = Stage::new(arena, &begin, &world, setup.study.seeds.tuning[0])?;
    let mut observations = Vec::with_capacity(GOLDEN_ROWS);
    stage.play(&candidate(member), &mut |row| {
        if observations.len() < GOLDEN_ROWS {
            observations.push(row.view.observation.clone());
        }
    })?;
    let first_visible =
        observations.first().and_then(Observation::arrival_rate).map_or(stage.start(), |sample| sample.at);
    let mut warm_up: Vec<PastSlot> = stage.traffic.past_slots().filter(|slot| slot.end < first_visible).collect();
    warm_up.drain(..warm_up.len().saturating_sub(GOLDEN_WARM_UP));
    Ok((warm_up, observations))
}

fn print(verdict: &Verdict) {
    say!("export gate, on validation:");
    let evidence = &verdict.evidence;
    for (name, interval) in [
        ("ln J against hpa-default", evidence.against_hpa_default),
        ("ln J against its untrained net", evidence.against_untrained),
        ("ln J against hpa-tuned", evidence.against_hpa_tuned),
        ("ln J against newsvendor-tuned", evidence.against_newsvendor_tuned),
        ("J over the oracle", evidence.cost_over_oracle),
    ] {
        if let Some(interval) = interval {
            say!("  {name:32} {:8.4}  [{:.4}, {:.4}], n = {}", interval.value, interval.low, interval.high, interval.n);
        }
    }
    if let Some(share) = evidence.guard_share {
        say!("  {:32} {:7.1} %", "guard overrides", 100.0 * share);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run folder whose manifest speaks of `tuned` and `weights`.
    fn run(tuned: &Tuned, weights: &[WeightsRef]) -> (tempfile::TempDir, RunFolder) {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::at(folder.path());
        let manifest = serde_json::json!({
            "schema": manifest::MANIFEST_SCHEMA, "name": "test", "revision": "unknown", "version": "0", "config_hash": "",
            "protocol": { "id": "p1", "hash": "" }, "traces": [],
            "seeds": { "evaluation": [1], "tuning": [2], "training_base": 3, "training": 1 },
            "tuned_hash": tuned.hash(), "weights": weights, "cells": 0, "cells_hash": null, "openings": [], "notes": [],
        });
        std::fs::write(run.manifest(), manifest.to_string()).unwrap();
        (folder, run)
    }

    #[test]
    fn parameters_or_weights_that_the_run_was_not_made_with_are_not_exported() {
        let (tuned, learned) = (Tuned { recipe: "one".into(), ..Tuned::default() }, LearnedSet::default());
        let (_folder, unchanged) = run(&tuned, &learned.references());
        check_unchanged(&unchanged, &tuned, &learned).unwrap();
        let edited = Tuned { recipe: "two".into(), ..Tuned::default() };
        let message = check_unchanged(&unchanged, &edited, &learned).unwrap_err().to_string();
        assert!(message.contains(&tuned.hash()) && message.contains(&edited.hash()), "{message}");
        let (_folder, other) = run(&tuned, &[WeightsRef { seed: 7, trained: "abc".into() }]);
        let message = check_unchanged(&other, &tuned, &learned).unwrap_err().to_string();
        assert!(message.contains("learned.json") && message.contains("7: abc"), "{message}");
    }
}
