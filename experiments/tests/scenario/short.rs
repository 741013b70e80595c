//! Every gallery scenario runs: short, with its faults brought forward, and every request is accounted for.

use std::path::PathBuf;

use seatrial_envs::spec::traffic::SourceSpec;
use seatrial_envs::spec::{FaultSpec, ScenarioSpec, check};
use seatrial_envs::world::{Options, run_scenario};
use seatrial_experiments::scenario_command::{GALLERY, LoadedScenario, parse, read_inputs};

const SECONDS: f64 = 120.0;

/// The scenario cut to two minutes, with everything that is planned in its middle.
pub(super) fn cut(text: &str) -> ScenarioSpec {
    let mut spec = parse(text, "gallery").unwrap();
    let whole_s = std::mem::replace(&mut spec.duration_s, SECONDS);
    for service in spec.services.values_mut() {
        service.rollout.at_s.truncate(1);
        service.rollout.at_s.iter_mut().for_each(|at_s| *at_s = 30.0);
    }
    for workload in spec.workloads.values_mut().filter(|workload| workload.from_s.is_some()) {
        (workload.from_s, workload.until_s) = (Some(30.0), Some(90.0));
    }
    for traffic in &mut spec.traffic {
        match &mut traffic.source {
            SourceSpec::Flash { at_s, rise_s, .. } => (*at_s, *rise_s) = (30.0, 10.0),
            SourceSpec::Points { points } => points.iter_mut().for_each(|point| point[0] *= SECONDS / whole_s),
            _ => {}
        }
    }
    for fault in &mut spec.faults {
        match fault {
            FaultSpec::NodeLoss { at_s, for_s, .. } => (*at_s, *for_s) = (30.0, Some(30.0)),
            FaultSpec::MetricsOutage { at_s, for_s } | FaultSpec::Slowdown { at_s, for_s, .. } => {
                (*at_s, *for_s) = (30.0, 30.0);
            }
            FaultSpec::PodKill { at_s, .. } => *at_s = 30.0,
        }
    }
    assert_eq!(check(&spec), []);
    spec
}

/// Those with recorded traces run where `SEATRIAL_TRACES` is set, as `cargo xtask test` does.
#[test]
#[expect(clippy::disallowed_methods, reason = "a test is a composition root: it finds the recorded traces")]
fn every_scenario_runs_short() {
    let folders: Vec<PathBuf> = std::env::var_os("SEATRIAL_TRACES")
        .map(|folders| std::env::split_paths(&folders).collect())
        .unwrap_or_default();
    let mut ran = 0;
    for (name, text) in GALLERY {
        if text.contains("# Needs SEATRIAL_TRACES.") && folders.is_empty() {
            continue;
        }
        let loaded = LoadedScenario { spec: cut(text), origin: (*name).into(), text: (*text).to_owned() };
        let inputs = read_inputs(&loaded, &folders).unwrap_or_else(|error| panic!("{error}"));
        let outcome =
            run_scenario(&loaded.spec, &inputs, &Options::default()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(outcome.conservation.holds(), "{name}: {:?}", outcome.conservation);
        assert!(outcome.conservation.done > 0, "{name}: {:?}", outcome.conservation);
        let marks: Vec<&str> = outcome.timeline.iter().flat_map(|t| &t.marks).map(|mark| mark.kind.as_str()).collect();
        assert!(loaded.spec.faults.is_empty() || marks.contains(&"fault"), "{name}: {marks:?}");
        ran += 1;
    }
    assert!(ran >= 9, "{ran} of {}", GALLERY.len());
}
