//! The waiting table of protocol P1's reference, an independent implementation: P(wait > 120 ms) of pods with four workers each.
//!
//! Its columns are formulas (Erlang C; the same with each second's count as the rate, which counts Poisson noise twice, here by the
//! fluid kernel on bins of a second) and queues event by event under four balancers.

use rayon::prelude::*;
use seatrial_core::math::{round_robin_wait_exceeds, wait_exceeds};
use seatrial_core::scaling::policies::Ingredients;
use seatrial_core::scaling::strategy::{Choice, StrategySpec};
use seatrial_core::time::{Span, Timestamp};
use seatrial_envs::episode::{Driver, no_rows, run_on, warm_state};
use seatrial_envs::load::{EpisodeLoad, Traffic, slot_rates};
use seatrial_envs::scenario::Scenario;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::queue::{Load, Queue};
use super::sample::{Coverage, Interval};
use super::{Effort, at};
use crate::error::Result;

/// A row of the reference: pods, load, and its six figures in the order of [`COLUMNS`].
type Reference = (u32, f64, [f64; 6]);

/// Columns after pods and load.
pub const COLUMNS: [&str; 6] =
    ["Erlang C", "counts as the rate", "shared queue", "round robin", "random", "least request"];

/// The reference's table.
pub const REFERENCE: [Reference; 5] = [
    (1, 0.80, [0.180, 0.329, 0.186, 0.179, 0.178, 0.177]),
    (2, 0.90, [0.211, 0.413, 0.206, 0.338, 0.432, 0.223]),
    (5, 0.90, [0.027, 0.151, 0.029, 0.255, 0.436, 0.050]),
    (10, 0.95, [0.033, 0.237, 0.025, 0.462, 0.645, 0.035]),
    (28, 0.90, [0.000, 0.000, 0.000, 0.215, 0.418, 0.000]),
];

const BALANCING: [&str; 4] = ["shared", "round-robin", "random", "least-request"];
const WARM_UP_S: f64 = 120.0;
const RUN_S: f64 = 600.0;
const SECOND: Span = Span::from_secs(1);

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Pods.
    pub pods: u32,
    /// Load of each.
    pub load: f64,
    /// The reference's figures.
    pub reference: [f64; 6],
    /// Ours with 99 % intervals; a formula has none.
    pub ours: [Interval; 6],
    /// Seeds.
    pub seeds: u64,
}

#[expect(clippy::cast_precision_loss, reason = "counts of requests")]
const fn float(count: u64) -> f64 {
    count as f64
}

fn by_events(pods: u32, rate_per_s: f64, balancing: &str, (seed, length): (u64, f64)) -> Result<f64> {
    let keys = json!({
        "cores": 4.0, "concurrency": 4, "balancing": balancing, "service_time_s": {"exponential": {"mean": 0.08}},
    });
    let end_s = WARM_UP_S + RUN_S * length;
    let mut queue = Queue::new(&Load { keys, rate_per_s, pods, warm_up_s: WARM_UP_S, end_s }, seed)?;
    queue.until(WARM_UP_S)?;
    let (bad, started) = (queue.bad(), queue.totals().started);
    queue.until(end_s)?;
    queue.check()?;
    Ok(float(queue.bad() - bad) / float(queue.totals().started - started))
}

/// The share of bad requests on the fluid kernel when the count of each second is taken for its rate.
fn counts_as_rates(pods: u32, rate_per_s: f64, (seed, length): (u64, f64)) -> Result<f64> {
    let wrong = at("validity: counts as the rate");
    let seconds = (RUN_S * length / 15.0).ceil() * 15.0;
    let whole = EpisodeLoad::new(Timestamp::ZERO, Span::from_secs_f64(seconds), vec![rate_per_s], vec![]);
    let whole = whole.map_err(|error| wrong(&error))?;
    let counts = slot_rates(&whole, seed, SECOND).map_err(|error| wrong(&error))?;
    let load = EpisodeLoad::new(Timestamp::ZERO, SECOND, counts, vec![]).map_err(|error| wrong(&error))?;
    let mut scenario = Scenario::protocol_p1();
    scenario.metrics.scrape_s = 1.0;
    scenario.workload.scrape_interval = SECOND;
    scenario.initial_rate_per_pod = load.rates_per_s()[0].max(1.0) / f64::from(pods);
    let traffic = Traffic::new(&scenario, &load, seed).map_err(|error| wrong(&error))?;
    let strategy = StrategySpec {
        policy: Choice { id: "static".to_owned(), config: json!({"replicas": pods}) },
        forecaster: None,
        guard: None,
    };
    let ingredients = Ingredients { workload: &scenario.workload, weights: None };
    let autoscaler = strategy.build(&ingredients).map_err(|error| wrong(&error))?;
    let driver = Driver { autoscaler: &autoscaler, state: warm_state(&autoscaler, &scenario, &traffic) };
    let result = run_on(&scenario, &traffic, driver, &mut no_rows).map_err(|error| wrong(&error))?;
    Ok(result.total.bad_fraction().unwrap_or(0.0))
}

/// What is known exactly, by column.
#[must_use]
pub fn exact(pods: u32, load: f64) -> [Option<f64>; 6] {
    let rate_per_s = load * 50.0 * f64::from(pods);
    let pool = wait_exceeds(4 * pods, rate_per_s, 0.08, 0.12);
    let alone = wait_exceeds(4, load * 50.0, 0.08, 0.12);
    [None, None, Some(pool), Some(round_robin_wait_exceeds(pods, 4, rate_per_s, 0.08, 0.12)), Some(alone), None]
}

/// One row.
///
/// # Errors
/// A bug of a kernel.
pub fn row((pods, load, reference): Reference, effort: Effort) -> Result<Row> {
    let rate_per_s = load * 50.0 * f64::from(pods);
    let over_seeds = |run: &(dyn Fn((u64, f64)) -> Result<f64> + Sync)| -> Result<Interval> {
        let values: Result<Vec<f64>> =
            (1..=effort.queue_seeds).into_par_iter().map(|seed| run((seed, effort.length))).collect();
        Ok(Interval::of(&values?, Coverage::P99).unwrap_or(Interval { mean: f64::NAN, half: None }))
    };
    let erlang = Interval { mean: wait_exceeds(4 * pods, rate_per_s, 0.08, 0.12), half: None };
    let mut ours = [erlang; 6];
    ours[1] = over_seeds(&|run| counts_as_rates(pods, rate_per_s, run))?;
    for (place, balancing) in ours[2..].iter_mut().zip(BALANCING) {
        *place = over_seeds(&|run| by_events(pods, rate_per_s, balancing, run))?;
    }
    Ok(Row { pods, load, reference, ours, seeds: effort.queue_seeds })
}

/// The table.
///
/// # Errors
/// A bug of a kernel.
pub fn measure(effort: Effort) -> Result<Vec<Row>> {
    REFERENCE.into_iter().map(|reference| row(reference, effort)).collect()
}
