//! The shipped traces: there, small, split usefully, and the generated one equal to its recipe.

use seatrial_datasets::{SplitRule, prepare, recipes, shipped};

#[test]
fn ids_are_sorted_and_every_file_is_used() {
    assert!(shipped::IDS.is_sorted());
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/traces");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut stems: Vec<String> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "parquet"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    stems.sort();
    assert_eq!(stems, shipped::IDS);
}

#[test]
fn the_generated_trace_is_what_its_recipe_makes() {
    for id in recipes::IDS {
        let (rebuilt, committed) = (recipes::build(id).unwrap(), shipped::open(id).unwrap());
        assert_eq!(rebuilt.content_hash, committed.content_hash, "{id}: write it again, see `recipes`");
        assert_eq!(rebuilt, committed);
    }
}

#[test]
fn every_shipped_trace_is_a_load_with_all_parts() {
    for id in shipped::IDS {
        let trace = shipped::open(id).unwrap();
        assert!(trace.provenance.license.is_some() && trace.provenance.source.is_some(), "{id}");
        let load = prepare(&trace, None, &SplitRule::protocol_p1(id)).unwrap();
        eprintln!("{id}: noise {:?} -> {:?}, k {}, {:?}", load.noise_raw, load.noise, load.smoothing_bins, load.splits);
        assert!(!load.test_only && !load.splits.validation.is_empty() && !load.splits.test.is_empty());
        assert_eq!(load.native, *id == "generated_web_1min");
    }
}

/// One flash crowd in training, one in the test part: the rate at least doubles within ten minutes there and nowhere else.
#[test]
fn the_generated_trace_has_a_flash_crowd_on_either_side() {
    let trace = shipped::open("generated_web_1min").unwrap();
    let load = prepare(&trace, None, &SplitRule::Fractions).unwrap();
    let surges: Vec<usize> =
        (10..load.rate_per_s.len()).filter(|bin| load.rate_per_s[*bin] > 2.0 * load.rate_per_s[bin - 10]).collect();
    assert!(surges.iter().any(|bin| load.splits.train.contains(bin)));
    assert!(surges.iter().any(|bin| load.splits.test.contains(bin)));
    let days: std::collections::BTreeSet<usize> = surges.iter().map(|bin| bin / 1_440).collect();
    assert_eq!(days.into_iter().collect::<Vec<_>>(), [8, 27]);
    // The scaled peak stays below the cap: the cap would dim the ordinary days.
    assert!(load.rate_per_s.iter().copied().fold(0.0, f64::max) < 4_000.0);
}

#[test]
fn an_unknown_id_lists_the_known() {
    let message = shipped::open("nothing").unwrap_err().to_string();
    assert!(message.contains("nothing") && message.contains("generated_web_1min"), "{message}");
}
