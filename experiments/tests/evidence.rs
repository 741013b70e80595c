//! What evidence rests on: cached forecasts decide like online ones, selection never sees the test part, the gate refuses chance.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up its case has failed")]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use seatrial_core::nets::Weights;
use seatrial_core::scaling::forecasters::FitOptions;
use seatrial_core::scaling::strategy::StrategySpec;
use seatrial_core::time::{Span, Timestamp};
use seatrial_envs::scenario::Regime;
use seatrial_experiments::arena::Arena;
use seatrial_experiments::commands::Shell;
use seatrial_experiments::config;
use seatrial_experiments::contest::{Entrant, HashedWeights, learned_spec, linear_quantile, random_spec};
use seatrial_experiments::corpus::Corpus;
use seatrial_experiments::gate;
use seatrial_experiments::learned::{LearnedSet, Member};
use seatrial_experiments::progress::Display;
use seatrial_experiments::stage::Stage;
use seatrial_experiments::study::Setup;
use seatrial_experiments::tuned::Tuned;
use seatrial_reports::model::Variant;

const STUDY: &str = r#"
name = "evidence"
protocol = "p1"
strategies = ["hpa-default"]
[seeds]
evaluation = [1, 2]
tuning = [11]
training_base = 100
training = 1
[[traces]]
id = "generated_web_1min"
headline = false
"#;

fn setup(folder: &tempfile::TempDir) -> Setup {
    let stop = Arc::new(AtomicBool::new(false));
    let shell = Shell { trace_folders: Vec::new(), display: Display::Quiet, stop, now: Timestamp::ZERO };
    let loaded = config::parse(STUDY, "evidence.toml".into(), PathBuf::new(), &[]).unwrap();
    Setup::open(loaded, &folder.path().join("run"), &shell, Some(2)).unwrap()
}

/// The first two hours of validation.
fn begin(arena: &Arena) -> std::ops::Range<usize> {
    let part = arena.validation_part();
    part.start..part.start + 120
}

fn entrant(spec: StrategySpec, weights: Weights) -> Entrant {
    let weights = Some(HashedWeights::new(weights).unwrap());
    Entrant { strategy: spec.policy.id.clone(), variant: Variant::Learned, spec, weights, train_seed: Some(1) }
}

fn linear_weights(arena: &Arena) -> Weights {
    let corpus = Corpus::new(arena, Span::from_secs(15), Span::from_secs(105), 1).unwrap();
    corpus
        .fit_linear(&FitOptions { most_rows: 2_000, passes: 2, ..FitOptions::default() })
        .unwrap()
        .to_weights()
        .unwrap()
}

#[test]
fn cached_forecasts_decide_like_online_ones_under_every_regime() {
    let folder = tempfile::tempdir().unwrap();
    let setup = setup(&folder);
    let arena = &setup.arenas[0];
    let newsvendor = StrategySpec { forecaster: Some(linear_quantile()), ..StrategySpec::of("newsvendor") };
    let entrants = [
        entrant(newsvendor, linear_weights(arena)),
        entrant(learned_spec("lstm"), Weights::deterministic(3, 16, 32)),
        entrant(learned_spec("seasonal-naive"), Weights::deterministic(4, 16, 32)),
    ];
    for regime in Regime::ALL {
        let stage = Stage::new(arena, &begin(arena), &setup.protocol.world(regime, None), 7).unwrap();
        for entrant in &entrants {
            let (mut cached, mut online) = (Vec::new(), Vec::new());
            stage
                .play(entrant, &mut |row| cached.push((row.at, row.decision.replicas, row.decision.proposal.forecast)))
                .unwrap();
            let autoscaler = entrant.build(&stage.scenario.workload).unwrap();
            stage
                .drive(&autoscaler, &mut |row| {
                    online.push((row.at, row.decision.replicas, row.decision.proposal.forecast));
                })
                .unwrap();
            assert_eq!(cached.len(), 480);
            assert!(cached.iter().any(|row| row.2.is_some()), "{regime:?} {}: no forecast at all", entrant.strategy);
            assert_eq!(cached, online, "{regime:?} {}", entrant.strategy);
        }
    }
}

#[test]
fn parts_of_a_series_are_disjoint_and_selection_ends_before_the_test_part() {
    let folder = tempfile::tempdir().unwrap();
    let setup = setup(&folder);
    let arena = &setup.arenas[0];
    let (train, validation) = (arena.training_part(), arena.validation_part());
    let tuning = arena.tuning_part(&setup.study.tune);
    assert!(train.end <= validation.start && validation.end < arena.scored.start, "a gap lies before the test part");
    assert_eq!(tuning.end, validation.end);
    assert_eq!(arena.length(&(tuning.start..train.end)), Span::from_secs(7 * 86_400));
    let corpus = Corpus::new(arena, Span::from_secs(15), Span::from_secs(105), 1).unwrap();
    assert_eq!(corpus.inputs.len(), (validation.end - train.start) * 4);
    // The last seven slots of either part would look beyond it.
    for end in [corpus.train.end, corpus.validation.end] {
        assert!(corpus.targets[end - 7..end].iter().all(|target| target.is_nan()));
        assert!(corpus.targets[end - 8].is_finite());
    }
}

#[test]
fn a_target_is_the_greatest_true_rate_that_followed() {
    let folder = tempfile::tempdir().unwrap();
    let setup = setup(&folder);
    let arena = &setup.arenas[0];
    let corpus = Corpus::new(arena, Span::from_secs(15), Span::from_secs(105), 1).unwrap();
    for row in [5_000, 5_001, 5_003, 70_001] {
        let greatest = (row + 1..=row + 7).map(|slot| arena.load.rate_per_s[slot / 4]).fold(0.0, f64::max);
        let told = corpus.levels[row] * libm::exp(f64::from(corpus.targets[row]));
        assert!((told / greatest - 1.0).abs() < 1e-5, "row {row}: {told} {greatest}");
    }
}

#[test]
fn a_random_policy_does_not_pass_the_gate() {
    let folder = tempfile::tempdir().unwrap();
    let setup = setup(&folder);
    let learned = LearnedSet::new(vec![Member::new(1, Weights::deterministic(5, 8, 16), None).unwrap()]);
    let random = entrant(random_spec(1), Weights::deterministic(5, 8, 16));
    let verdict = gate::judge(&setup, &Tuned::default(), &learned, &random).unwrap();
    let words = verdict.refusals.join("; ");
    assert!(words.contains("against hpa-default") && words.contains("the guard overrode"), "{words}");
    assert_eq!(verdict.evidence.leak_detector_silent, Some(true));
}
