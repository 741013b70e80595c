//! Protocol P1 §6: no strategy may live on the constant 50 requests/s. Every capacity-planning policy of the registry is run
//! with the service mean × 0.5 and × 2 and the load rescaled; J/J* must stay within 5 %.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use seatrial_core::scaling::policies::{GuardProfile, Ingredients, POLICIES};
use seatrial_core::scaling::strategy::StrategySpec;
use seatrial_core::time::{Span, Timestamp};
use seatrial_envs::episode::{Driver, no_rows, run_on, warm_state};
use seatrial_envs::load::{EpisodeLoad, Traffic};
use seatrial_envs::oracle::certify_on;
use seatrial_envs::scenario::Scenario;

/// A day that swings between 300 and 1,300 requests/s without steps: what planning on a wrong capacity would cost is large
/// beside the chance of the draws.
fn load() -> EpisodeLoad {
    let rate = |bin: u32| {
        let position = f64::from(bin % 720) / 720.0;
        300.0 + 4_000.0 * position * (1.0 - position)
    };
    let rates = |from: u32, to: u32| (from..to).map(rate).collect::<Vec<_>>();
    EpisodeLoad::new(Timestamp::from_secs(86_400), Span::from_secs(60), rates(0, 1_440), rates(0, 1_440)).unwrap()
}

/// J / J*(lower) of a strategy when a request takes `factor` times as long and there are as many fewer.
fn ratio(spec: &StrategySpec, factor: f64) -> f64 {
    let scenario = Scenario::protocol_p1().with_service_mean(0.080 * factor);
    let traffic = Traffic::new(&scenario, &load().scaled(1.0 / factor).unwrap(), 1).unwrap();
    let autoscaler = spec.build(&Ingredients { workload: &scenario.workload, weights: None }).unwrap();
    let state = warm_state(&autoscaler, &scenario, &traffic);
    let driver = Driver { autoscaler: &autoscaler, state };
    let j = run_on(&scenario, &traffic, driver, &mut no_rows).unwrap().j(scenario.costs);
    j / certify_on(&scenario, &traffic).unwrap().lower
}

/// What a policy needs to be run without training.
fn spec(id: &str, needs_forecast: bool) -> StrategySpec {
    let forecaster = if needs_forecast { serde_json::json!({ "id": "persistence" }) } else { serde_json::Value::Null };
    serde_json::from_value(serde_json::json!({ "policy": { "id": id }, "forecaster": forecaster })).unwrap()
}

#[test]
fn capacity_planners_find_the_capacity() {
    // Reproductions of other systems do not plan on a capacity: they have targets, schedules or numbers of their own.
    let planners: Vec<_> =
        POLICIES.iter().filter(|row| row.guard == GuardProfile::Full && !row.needs_weights).collect();
    assert!(planners.iter().any(|row| row.id == "newsvendor") && planners.iter().any(|row| row.id == "headroom"));
    for row in planners {
        let spec = spec(row.id, row.needs_forecast);
        let plain = ratio(&spec, 1.0);
        for factor in [0.5, 2.0] {
            let other = ratio(&spec, factor);
            assert!((other / plain - 1.0).abs() < 0.05, "{} at service mean × {factor}: {other} for {plain}", row.id);
        }
    }
}
