//! Protocol P1 on recorded traces, where `SEATRIAL_TRACES` names their folder; skipped with a line on stderr elsewhere.
//!
//! Expected numbers come from an independent implementation of design §6 (pandas), not from this crate.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect, in its shared functions too")]

use std::path::PathBuf;

use seatrial_datasets::{Fingerprint, Load, Locator, SplitRule, overlaps, prepare, reader};

#[expect(clippy::disallowed_methods, reason = "a test that needs recorded traces is told where they are")]
fn locator(test: &str) -> Option<Locator> {
    let folder = std::env::var_os("SEATRIAL_TRACES").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("SKIPPED {test}: set SEATRIAL_TRACES to the folder of recorded traces");
    }
    folder.map(|folder| Locator::new(vec![folder]))
}

fn load(locator: &Locator, family: &str, series: Option<&str>) -> Load {
    let trace = locator.open(family).unwrap();
    let load = prepare(&trace, series, &SplitRule::protocol_p1(family)).unwrap();
    let peak = load.rate_per_s.iter().copied().fold(0.0, f64::max);
    eprintln!(
        "{:<34} noise {:>9.3?} -> {:>8.3?}  k {:>2}  scale {:>12.6e}  peak {peak:>6.1}  bins {}",
        load.label(),
        load.noise_raw,
        load.noise,
        load.smoothing_bins,
        load.scale,
        load.rate_per_s.len()
    );
    load
}

fn close(found: f64, expected: f64) {
    assert!((found / expected - 1.0).abs() < 1e-4, "{found} is not {expected}");
}

#[test]
fn worldcup_is_scaled_and_split_by_date() {
    let Some(locator) = locator("worldcup_is_scaled_and_split_by_date") else { return };
    let load = load(&locator, "worldcup98_requests_1min", None);
    close(load.noise.unwrap(), 13.597_448);
    close(load.scale, 0.975_142);
    assert_eq!((load.smoothing_bins, load.native, load.test_only), (1, true, false));
    let at = |bin| seatrial_datasets::moment::format(load.at(bin));
    assert_eq!(at(load.splits.validation.start), "1998-06-19T00:00:00Z");
    assert_eq!(at(load.splits.gap.start), "1998-06-20T00:00:00Z");
    assert_eq!(at(load.splits.test.start), "1998-06-21T00:00:00Z");
    assert_eq!(at(load.splits.test.end), "1998-06-28T00:00:00Z");
    assert_eq!(load.missing.iter().filter(|missing| **missing).count(), 10);
}

#[test]
fn nasa_is_read_as_an_intensity_with_seven_bins() {
    let Some(locator) = locator("nasa_is_read_as_an_intensity_with_seven_bins") else { return };
    let load = load(&locator, "nasa_http_requests_1min", None);
    assert_eq!(load.smoothing_bins, 7);
    close(load.noise_raw.unwrap(), 1_644.6);
    close(load.noise.unwrap(), 80.905);
    close(load.scale, 586.953);
    assert_eq!(load.missing.iter().filter(|missing| **missing).count(), 7_210);
}

#[test]
fn of_the_production_apps_only_app03_is_smoothed() {
    let Some(locator) = locator("of_the_production_apps_only_app03_is_smoothed") else { return };
    let trace = locator.open("prod_app_load_1min").unwrap();
    let names: Vec<String> = trace.names().iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(names.len(), 16);
    for name in &names {
        let load = load(&locator, "prod_app_load_1min", Some(name));
        assert_eq!(load.smoothing_bins, if name == "app03" { 5 } else { 1 }, "{name}");
        assert!(load.native && !load.test_only);
    }
    close(load(&locator, "prod_app_load_1min", Some("app03")).noise.unwrap(), 98.002);
    let surge = load(&locator, "prod_app_load_1min", Some("app06"));
    close(surge.rate_per_s.iter().copied().fold(0.0, f64::max), 4_000.0);
}

#[test]
fn different_recordings_share_nothing_and_a_copy_is_found() {
    let Some(locator) = locator("different_recordings_share_nothing_and_a_copy_is_found") else { return };
    let trace = locator.open("prod_app_load_1min").unwrap();
    let mut prints: Vec<(String, Fingerprint)> =
        trace.series.iter().map(|series| (series.name.clone(), Fingerprint::of_series(series))).collect();
    for family in ["worldcup98_requests_1min", "nasa_http_requests_1min", "burstgpt_tokens_1min"] {
        prints.push((family.to_owned(), Fingerprint::of_series(locator.open(family).unwrap().series(None).unwrap())));
    }
    for (index, (a, print_a)) in prints.iter().enumerate() {
        for (b, print_b) in &prints[index + 1..] {
            assert_eq!(overlaps(print_a, print_b), None, "{a} and {b}");
        }
    }
    let usage = locator.open("cluster_usage_5min").unwrap();
    let recorded = Fingerprint::of_series(usage.series(Some("azure_2019_vms")).unwrap());
    let shipped = Fingerprint::of_series(locator.open("azure_cluster_5min").unwrap().series(None).unwrap());
    assert!(overlaps(&recorded, &shipped).is_some());
}

#[test]
fn every_recorded_load_can_be_read() {
    let Some(locator) = locator("every_recorded_load_can_be_read") else { return };
    for family in
        ["nyc_taxi_passengers_30min", "llm_api_clients_10min", "azure_functions_2019_day_1min", "twitter_mentions_5min"]
    {
        let trace = locator.open(family).unwrap();
        for series in &trace.series {
            prepare(&trace, Some(&series.name), &SplitRule::Fractions).unwrap();
        }
    }
    for family in [
        "azure_llm_conv_2023_requests",
        "mooncake_conversation_requests",
        "mail_arrivals",
        "openb_pod_lifecycle",
        "gitops_govuk_commits",
    ] {
        let events = locator.open(family).unwrap();
        let binned = events.bin_events(seatrial_core::time::Span::from_secs(60)).unwrap();
        let total: f64 = binned.series.iter().flat_map(|series| &series.values).sum();
        assert_eq!(total, events.events.iter().map(|series| series.at.len()).sum::<usize>() as f64, "{family}");
    }
    let seatrial_datasets::Located::File(mixed) = locator.resolve("aws_cloudwatch_5min").unwrap() else {
        panic!("not a file")
    };
    assert!(reader::read_trace(&mixed).is_err());
    let rate = reader::read_trace_as(&mixed, seatrial_datasets::Kind::Rate).unwrap();
    assert_eq!(rate.series(Some("elb_request_count_8c0756")).unwrap().missing_count(), 8);
}
