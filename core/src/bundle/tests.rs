//! A bundle round-trips, and each way in which it can be wrong is one clear error.

use super::*;
use crate::observe::{Feature, PodCounts, Pods, Sample};
use crate::rand::{Stream, uniform};
use crate::scaling::strategy::Choice;
use crate::time::Timestamp;

fn observation(step: i64) -> Observation {
    let now = Timestamp::from_secs(100_000 * 15 + 15 * step);
    let at = now - Span::from_secs(15);
    let rate = 300.0 + 200.0 * uniform(1, Stream::TraceNoise, step as u64, 0);
    let mut seen = Observation::unknown(now, 10);
    seen.pods = Pods::Homogeneous(PodCounts { ready: 10, ..PodCounts::default() });
    if step % 7 != 3 {
        for (feature, value) in [
            (Feature::HttpRequestsTotalRate, rate),
            (Feature::HttpRequestDurationSecondsCountRate, rate),
            (Feature::HttpRequestDurationSecondsSumRate, 0.09 * rate),
            (Feature::ProcessCpuSecondsTotalRate, 0.08 * rate),
            (Feature::BadRequestRatio, 0.001),
        ] {
            seen.metrics.set(feature, Some(Sample { at, value }));
        }
    }
    seen
}

fn parts(weights: &Weights) -> BundleParts<'_> {
    let slot = |index: i64| PastSlot {
        end: Timestamp::from_secs(15 * (99_900 + index)),
        length: Span::from_secs(15),
        arrival_rate: (index % 9 != 0).then_some(350.0 + index as f64),
    };
    BundleParts {
        id: "test".to_owned(),
        strategy: StrategySpec { forecaster: Some(Choice::of("lstm")), ..StrategySpec::of("lstm-dqn") },
        workload: Workload::protocol_p1(),
        weights: Some(weights),
        provenance: Provenance::default(),
        evidence: Evidence { guard_share: Some(0.1), ..Evidence::default() },
        warm_up: (0..90).map(slot).collect(),
        observations: (0..40).map(observation).collect(),
    }
}

fn files() -> BundleFiles {
    Bundle::assemble(&parts(&Weights::deterministic(3, 16, 32))).unwrap()
}

/// The error after `change`, as text.
fn refused(change: impl FnOnce(&mut BundleFiles)) -> String {
    let mut files = files();
    change(&mut files);
    Bundle::load(&files).map(|_| ()).unwrap_err().to_string()
}

/// Rewrites a JSON file as an exporter would: with its hash on the card, and the card sealed anew.
fn edit(files: &mut BundleFiles, name: &str, change: impl FnOnce(&mut serde_json::Value)) {
    rewrite(files, name, change);
    if name == GOLDEN_FILE {
        let digest = hash(&files[GOLDEN_FILE]);
        rewrite(files, POLICY_FILE, |card| card["hashes"]["golden"] = digest.into());
    }
    rewrite(files, POLICY_FILE, |card| card["hash"] = "".into());
    let seal = hash(&files[POLICY_FILE]);
    rewrite(files, POLICY_FILE, |card| card["hash"] = seal.into());
}

fn rewrite(files: &mut BundleFiles, name: &str, change: impl FnOnce(&mut serde_json::Value)) {
    let mut value = serde_json::from_slice(&files[name]).unwrap();
    change(&mut value);
    files.insert(name.to_owned(), serde_json::to_vec(&value).unwrap());
}

#[test]
fn what_was_assembled_loads_and_decides_alike() {
    let weights = Weights::deterministic(3, 16, 32);
    let parts = parts(&weights);
    let files = Bundle::assemble(&parts).unwrap();
    assert_eq!(files, Bundle::assemble(&parts).unwrap(), "same parts, same bytes");
    assert_eq!(files.keys().collect::<Vec<_>>(), [GOLDEN_FILE, POLICY_FILE, WEIGHTS_FILE]);
    let bundle = Bundle::load(&files).unwrap();
    assert_eq!(bundle.weights(), Some(&weights));
    assert_eq!((bundle.card().horizon_s, bundle.card().id.as_str()), (Some(105.0), "test"));
    assert_eq!(bundle.golden().rows.len(), 40);
    let actions: std::collections::BTreeSet<_> = bundle.golden().rows.iter().map(|row| row.expected.action).collect();
    assert!(actions.len() > 1, "rows that all say the same prove nothing: {actions:?}");
}

#[test]
fn a_rule_needs_no_weights() {
    let none = Weights::new();
    let parts = BundleParts { strategy: StrategySpec::of("headroom"), weights: None, ..parts(&none) };
    let files = Bundle::assemble(&parts).unwrap();
    let bundle = Bundle::load(&files).unwrap();
    assert_eq!((files.len(), bundle.card().horizon_s), (2, None));
}

#[test]
fn files_must_be_the_ones_the_card_speaks_of() {
    for (file, message) in
        [(POLICY_FILE, "policy.json"), (GOLDEN_FILE, "golden.json"), (WEIGHTS_FILE, "weights.safetensors")]
    {
        let text = refused(|files| drop(files.remove(file)));
        assert!(text.contains(&format!("`{message}` is missing")), "{text}");
    }
    let text = refused(|files| drop(files.insert("notes.txt".into(), vec![1])));
    assert!(text.contains("`notes.txt` does not belong"), "{text}");
    let text = refused(|files| edit(files, POLICY_FILE, |card| card["hashes"]["weights"] = serde_json::Value::Null));
    assert!(text.contains("`weights.safetensors` does not belong"), "{text}");
}

#[test]
fn a_changed_file_is_refused_by_its_hash() {
    for file in [WEIGHTS_FILE, GOLDEN_FILE] {
        let text = refused(|files| {
            let bytes = files.get_mut(file).unwrap();
            *bytes.last_mut().unwrap() ^= 1;
        });
        assert!(text.contains(&format!("`{file}` has hash")), "{text}");
    }
}

#[test]
fn no_byte_of_the_card_can_change() {
    let files = files();
    let card = &files[POLICY_FILE];
    let load = |card: Vec<u8>| Bundle::load(&BundleFiles::from([(POLICY_FILE.to_owned(), card)])).unwrap_err();
    // Without its companions a card that was not touched gets as far as missing them.
    assert_eq!(load(card.clone()), BundleError::MissingFile { file: WEIGHTS_FILE });
    let refused = |card: Vec<u8>| {
        let text = String::from_utf8_lossy(&card).into_owned();
        let error = load(card);
        assert!(!matches!(error, BundleError::MissingFile { .. }), "{error}: {text}");
    };
    for at in 0..card.len() {
        let mut changed = card.clone();
        changed[at] ^= 1;
        refused(changed);
        let (mut longer, mut shorter) = (card.clone(), card.clone());
        longer.insert(at, b' ');
        refused(longer);
        shorter.remove(at);
        refused(shorter);
    }
    refused([card, &b"\n"[..]].concat());
}

#[test]
fn an_edited_digit_of_evidence_is_refused_with_both_hashes() {
    let mut files = files();
    let hash = Bundle::load(&files).unwrap().hash().to_owned();
    let text = String::from_utf8(files[POLICY_FILE].clone()).unwrap();
    assert!(hash.len() == 64 && text.matches(&hash).count() == 1);
    let edited = text.replacen("\"guard_share\": 0.1", "\"guard_share\": 0.0", 1);
    assert_ne!(edited, text);
    files.insert(POLICY_FILE.to_owned(), edited.clone().into_bytes());
    let error = Bundle::load(&files).unwrap_err();
    let BundleError::Hash { file: POLICY_FILE, expected, found } = &error else { panic!("{error}") };
    assert!(*expected == hash && found.len() == 64 && found != expected);
    assert!(error.to_string().contains(expected) && error.to_string().contains(found), "{error}");
    // A copy of the digits elsewhere would be left out of the hash with them.
    let copied = text.replacen("\"id\": \"test\"", &format!("\"id\": \"test{hash}\""), 1);
    assert_ne!(copied, text);
    files.insert(POLICY_FILE.to_owned(), copied.into_bytes());
    assert!(matches!(Bundle::load(&files), Err(BundleError::Hash { file: POLICY_FILE, .. })));
}

#[test]
fn an_unsealed_card_is_refused() {
    let text = refused(|files| rewrite(files, POLICY_FILE, |card| card["hash"] = "".into()));
    assert!(text.contains("where policy.json says ;"), "{text}");
    let text = refused(|files| rewrite(files, POLICY_FILE, |card| drop(card.as_object_mut().unwrap().remove("hash"))));
    assert!(text.contains("missing field `hash`"), "{text}");
}

#[test]
fn corrupted_weights_with_a_right_hash_are_refused() {
    let corrupt = |change: fn(&mut Vec<u8>)| {
        refused(|files| {
            change(files.get_mut(WEIGHTS_FILE).unwrap());
            let digest = hash(&files[WEIGHTS_FILE]);
            edit(files, POLICY_FILE, |card| card["hashes"]["weights"] = digest.into());
        })
    };
    let cut = corrupt(|bytes| bytes.truncate(1_000));
    assert!(cut.contains("not a safetensors file"), "{cut}");
    let poisoned = corrupt(|bytes| {
        let end = bytes.len();
        bytes[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    });
    assert!(poisoned.contains("holds NaN"), "{poisoned}");
    let missing = corrupt(|bytes| *bytes = Weights::untrained_agent(1, 32).to_safetensors().unwrap());
    assert!(missing.contains("`forecaster.lstm.weight_ih_l0` is missing"), "{missing}");
}

#[test]
fn another_version_is_said_to_be_one() {
    let text = refused(|files| {
        edit(files, POLICY_FILE, |card| {
            card["schema_version"] = 3.into();
            card["from_the_future"] = true.into();
        });
    });
    assert!(text.contains("`policy.json` has schema version 3, this program understands 2"), "{text}");
    let text =
        refused(|files| edit(files, POLICY_FILE, |card| drop(card.as_object_mut().unwrap().remove("schema_version"))));
    assert!(text.contains("schema version none"), "{text}");
    let text = refused(|files| edit(files, GOLDEN_FILE, |golden| golden["schema_version"] = 9.into()));
    assert!(text.contains("`golden.json` has schema version 9, this program understands 1"), "{text}");
}

#[test]
fn unknown_and_missing_keys_are_named() {
    let text = refused(|files| edit(files, POLICY_FILE, |card| card["provenance"]["weather"] = "fine".into()));
    assert!(text.contains("`policy.json`: unknown field `weather`"), "{text}");
    let text = refused(|files| edit(files, POLICY_FILE, |card| drop(card.as_object_mut().unwrap().remove("evidence"))));
    assert!(text.contains("missing field `evidence`"), "{text}");
    let text = refused(|files| edit(files, GOLDEN_FILE, |golden| golden["rows"][0]["hint"] = 1.into()));
    assert!(text.contains("`golden.json`: unknown field `hint`"), "{text}");
    let text = refused(|files| drop(files.insert(POLICY_FILE.to_owned(), b"{".to_vec())));
    assert!(text.contains("`policy.json`: EOF"), "{text}");
    let text =
        refused(|files| edit(files, POLICY_FILE, |card| card["strategy"]["policy"]["id"] = "oracle-of-delphi".into()));
    assert!(text.contains("unknown policy `oracle-of-delphi`"), "{text}");
}

#[test]
fn another_feature_schema_is_refused() {
    let text = refused(|files| edit(files, POLICY_FILE, |card| card["feature_schema"]["observation_len"] = 20.into()));
    assert!(text.contains("observation_len is 20"), "{text}");
    let text = refused(|files| edit(files, POLICY_FILE, |card| card["actions"]["headroom_factors"][3] = 1.2.into()));
    assert!(text.contains("actions is"), "{text}");
}

#[test]
fn each_part_of_a_golden_row_is_compared() {
    let changed = |key: &'static str, value: serde_json::Value| {
        refused(|files| edit(files, GOLDEN_FILE, |golden| golden["rows"][7]["expected"][key] = value))
    };
    assert!(changed("replicas", 77.into()).contains("golden row 7: replicas is"));
    assert!(changed("action", serde_json::Value::Null).contains("golden row 7: action is"));
    assert!(changed("reason", "whim".into()).contains("golden row 7: reason is"));
    let nudge = |factor: f64| {
        let mut files = files();
        edit(&mut files, GOLDEN_FILE, |golden| {
            let value = &mut golden["rows"][7]["expected"]["forecast"][2];
            *value = (value.as_f64().unwrap() * factor).into();
        });
        Bundle::load(&files)
    };
    assert!(nudge(1.0 + 1e-8).unwrap_err().to_string().contains("golden row 7: forecast is"));
    assert!(nudge(1.0 + 1e-10).is_ok(), "within tolerance");
    let text = refused(|files| edit(files, GOLDEN_FILE, |golden| golden["rows"] = serde_json::json!([])));
    assert!(text.contains("no golden rows"), "{text}");
}

#[test]
fn what_is_too_large_is_refused_before_it_is_read() {
    let text = refused(|files| drop(files.insert(WEIGHTS_FILE.to_owned(), vec![0; SIZE_LIMIT_BYTES])));
    assert!(text.contains("716800 are allowed"), "{text}");
    let weights = Weights::deterministic(3, 16, 32);
    let mut parts = parts(&weights);
    parts.observations = (0..4_000).map(observation).collect();
    assert!(matches!(Bundle::assemble(&parts), Err(BundleError::TooLarge { .. })));
    parts.observations.clear();
    assert!(matches!(Bundle::assemble(&parts), Err(BundleError::NoGolden)));
}

#[test]
fn numbers_that_json_cannot_hold_are_found_when_assembling() {
    let weights = Weights::deterministic(3, 16, 32);
    let mut parts = parts(&weights);
    parts.evidence.cost_over_oracle = Some(Interval { value: f64::NAN, low: 1.0, high: 2.0, n: 3 });
    assert!(matches!(Bundle::assemble(&parts), Err(BundleError::Json { file: POLICY_FILE, .. })));
}
