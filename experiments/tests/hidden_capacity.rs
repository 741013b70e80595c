//! Protocol P1 §6 for the learned policy: the committed bundle must not live on the capacity it was trained with. With the
//! service mean × 0.5 and × 2 and the load rescaled, J/J* stays within 5 %. (Rules: the test of this name in `envs`.)
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use seatrial_core::bundle::Bundle;
use seatrial_core::time::{Span, Timestamp};
use seatrial_envs::episode::{Driver, no_rows, run_on, warm_state};
use seatrial_envs::load::{EpisodeLoad, Traffic};
use seatrial_envs::oracle::certify_on;
use seatrial_envs::scenario::Scenario;
use seatrial_experiments::bundle_folder;

/// A day between 300 and 1,300 requests/s.
fn load() -> EpisodeLoad {
    let rates: Vec<f64> = (0..1_440).map(|bin| 800.0 + 500.0 * libm::sin(f64::from(bin) / 229.0)).collect();
    EpisodeLoad::new(Timestamp::from_secs(86_400), Span::from_secs(60), rates.clone(), rates).unwrap()
}

/// J / J*(lower) of the bundle when a request takes `factor` times as long and there are as many fewer.
fn ratio(bundle: &Bundle, factor: f64) -> f64 {
    let scenario = Scenario::protocol_p1().with_service_mean(0.080 * factor);
    let traffic = Traffic::new(&scenario, &load().scaled(1.0 / factor).unwrap(), 1).unwrap();
    let autoscaler = bundle.build_for(&scenario.workload).unwrap();
    let state = warm_state(&autoscaler, &scenario, &traffic);
    let j =
        run_on(&scenario, &traffic, Driver { autoscaler: &autoscaler, state }, &mut no_rows).unwrap().j(scenario.costs);
    j / certify_on(&scenario, &traffic).unwrap().lower
}

#[test]
fn the_committed_bundle_finds_the_capacity() {
    let bundle = bundle_folder::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("bundles/quick")).unwrap();
    let plain = ratio(&bundle, 1.0);
    for factor in [0.5, 2.0] {
        let other = ratio(&bundle, factor);
        assert!((other / plain - 1.0).abs() < 0.05, "service mean × {factor}: {other} for {plain}");
    }
}
