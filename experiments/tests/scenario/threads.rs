//! The same bytes at 1, 2 and 8 threads: cells of gallery scenarios and seeds, shared out among the threads of a crew.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use seatrial_core::time::Span;
use seatrial_envs::spec::{Inputs, ScenarioSpec};
use seatrial_envs::world::log::LogLevel;
use seatrial_envs::world::{Options, run_scenario};
use seatrial_experiments::progress::Display;
use seatrial_experiments::scenario_command::{LoadedScenario, read_inputs};
use seatrial_experiments::schedule::Crew;

use super::{gallery, short};

const SCENARIOS: [&str; 5] = ["single-web-service", "shop", "node-pool-bound", "metastable-retries", "rolling-update"];
const SEEDS: u64 = 4;

/// Short cells of every scenario at every seed.
fn cells() -> Vec<(ScenarioSpec, Inputs)> {
    let cell = |name: &str, seed: u64| {
        let text = gallery(name);
        let mut loaded = LoadedScenario { spec: short::cut(text), origin: name.into(), text: text.to_owned() };
        loaded.spec.seed = seed;
        let inputs = read_inputs(&loaded, &[]).unwrap();
        (loaded.spec, inputs)
    };
    SCENARIOS.into_iter().flat_map(|name| (0..SEEDS).map(move |seed| cell(name, seed))).collect()
}

/// Everything that a run leaves: the timeline as it is written, and totals, decisions and log to the last bit.
fn bytes((spec, inputs): &(ScenarioSpec, Inputs)) -> Vec<u8> {
    let options =
        Options { timeline: Some(Span::from_secs(15)), log: LogLevel::Cluster, decisions: true, ..Options::default() };
    let mut outcome = run_scenario(spec, inputs, &options).unwrap();
    let mut bytes = serde_json::to_vec(&outcome.timeline.take().unwrap()).unwrap();
    bytes.extend(format!("{outcome:?}").into_bytes());
    bytes
}

#[test]
fn threads_make_no_difference_and_seeds_do() {
    let cells = cells();
    let at = |jobs: usize| {
        let crew = Crew::new(Some(jobs), Arc::new(AtomicBool::new(false)), Display::Quiet).unwrap();
        crew.map("cells", &cells, |cell| Ok(bytes(cell))).unwrap()
    };
    let alone = at(1);
    for jobs in [2, 8] {
        let together = at(jobs);
        for (index, (one, other)) in alone.iter().zip(&together).enumerate() {
            assert!(one == other, "{} at {jobs} threads", SCENARIOS[index / SEEDS as usize]);
        }
    }
    assert_eq!(alone.iter().collect::<BTreeSet<_>>().len(), cells.len(), "a world twice");
}
