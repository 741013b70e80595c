//! Protocol P1 on both kernels: the same [`Traffic`], strategies, start-up times and moments of decisions; what differs is that
//! requests wait one by one in one queue, or as Erlang C says.

use std::path::PathBuf;

use rayon::prelude::*;
use seatrial_core::scaling::policies::Ingredients;
use seatrial_core::scaling::strategy::{Choice, StrategySpec};
use seatrial_core::time::{Span, Timestamp};
use seatrial_datasets::Locator;
use seatrial_envs::episode::{self, Driver, EpisodeError, EpisodeResult, RowSink, StepRow, warm_state};
use seatrial_envs::load::{EpisodeLoad, Traffic};
use seatrial_envs::scenario::Scenario;
use seatrial_envs::world;
use seatrial_reports::stats;
use serde::{Deserialize, Serialize};

use super::kernels::Order;
use super::sample::{Coverage, Interval};
use super::{Effort, at};
use crate::arena::open_all;
use crate::config::TraceChoice;
use crate::error::Result;

const MINUTE: Span = Span::from_secs(60);
/// Pods of the loads that stand still.
const PODS: u32 = 4;
/// Minutes of them.
const MINUTES: usize = 30;
/// Requests per second that a pod can serve.
const CAPACITY_PER_S: f64 = 50.0;
/// Offered work over capacity.
pub const UTILISATIONS: [f64; 5] = [0.5, 0.7, 0.8, 0.9, 0.95];
/// The trace with the match.
const TRACE: &str = "worldcup98_requests_1min";
/// What the hour around it is called.
pub const HOUR: &str = "worldcup98, an hour";
/// Minutes before and after its busiest one.
const AROUND: usize = 30;

/// Strategies of the hour: name, policy, JSON.
const STRATEGIES: [(&str, &str, &str); 4] = [
    ("hpa 80 %", "hpa", "{}"),
    ("hpa 60 %", "hpa", r#"{"target": 60.0}"#),
    ("headroom", "headroom", "{}"),
    ("kpa 4", "kpa", r#"{"target": 4.0}"#),
];

/// A load under a strategy, on both kernels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Which load.
    pub load: String,
    /// Which strategy.
    pub strategy: String,
    /// J on the fluid kernel, mean over seeds.
    pub fluid_j: f64,
    /// On the event kernel.
    pub events_j: f64,
    /// Fluid over events less 1, of J, with its 95 % interval over paired seeds.
    pub difference: Interval,
    /// Bad fraction on the fluid kernel.
    pub fluid_bad: f64,
    /// On the event kernel.
    pub events_bad: f64,
    /// Mean utilisation on the fluid kernel.
    pub fluid_utilisation: f64,
    /// On the event kernel.
    pub events_utilisation: f64,
    /// Seeds.
    pub seeds: usize,
}

impl Row {
    /// Whether mean utilisation and bad fraction agree as the design asks.
    #[must_use]
    pub fn holds(&self) -> bool {
        let utilisation = (self.fluid_utilisation / self.events_utilisation - 1.0).abs() <= 0.02;
        let bad = (self.fluid_bad - self.events_bad).abs();
        utilisation && (bad <= 0.002 || bad <= 0.15 * self.events_bad)
    }
}

/// What a run shows.
#[derive(Clone, Copy, Debug)]
struct Seen {
    j: f64,
    bad: f64,
    utilisation: f64,
}

type Kernel = fn(&Scenario, &Traffic, Driver<'_>, RowSink<'_>) -> std::result::Result<EpisodeResult, EpisodeError>;

/// A load with the world that it meets.
pub struct Case {
    name: String,
    scenario: Scenario,
    load: EpisodeLoad,
    strategies: Vec<(String, StrategySpec)>,
}

fn strategy(policy: &str, config: serde_json::Value) -> StrategySpec {
    StrategySpec { policy: Choice { id: policy.to_owned(), config }, forecaster: None, guard: None }
}

/// A name of a load that stands still.
#[must_use]
pub fn single_name(utilisation: f64) -> String {
    format!("single, utilisation {utilisation:.2}")
}

/// One constant load over pods that stand still.
///
/// # Errors
/// If the load does not fit.
pub fn single(utilisation: f64) -> Result<Case> {
    let name = single_name(utilisation);
    let rate = utilisation * CAPACITY_PER_S * f64::from(PODS);
    let load = EpisodeLoad::new(Timestamp::ZERO, MINUTE, vec![rate; MINUTES], vec![rate; 60]);
    let load = load.map_err(|error| at(&name)(&error))?;
    let scenario = Scenario { initial_rate_per_pod: rate / f64::from(PODS), ..Scenario::protocol_p1() };
    let held = strategy("static", serde_json::json!({ "replicas": PODS }));
    Ok(Case { name, scenario, load, strategies: vec![(format!("static {PODS}"), held)] })
}

/// The hour around the busiest minute of the World Cup's test part: a match.
///
/// # Errors
/// If the trace is not there.
pub fn hour(folders: &[PathBuf]) -> Result<Case> {
    let arenas = open_all(&[TraceChoice::of(TRACE)], &Locator::new(folders.to_vec()))?;
    let arena = arenas.first().ok_or_else(|| at(TRACE)(&"holds no series"))?;
    let rates = &arena.load.rate_per_s;
    let busiest = arena.scored.clone().max_by(|one, other| rates[*one].total_cmp(&rates[*other])).unwrap_or(0);
    let part = busiest.saturating_sub(AROUND)..(busiest + AROUND).min(rates.len());
    let load = arena.episode(&part)?;
    let config = |text: &str| serde_json::from_str(text).map_err(|error| at(TRACE)(&error));
    let strategies: Result<Vec<_>> = STRATEGIES
        .iter()
        .map(|(name, policy, json)| Ok(((*name).to_owned(), strategy(policy, config(json)?))))
        .collect();
    Ok(Case { name: HOUR.to_owned(), scenario: Scenario::protocol_p1(), load, strategies: strategies? })
}

/// Names of the rows, in the order of the page: load and strategy.
pub fn names() -> impl Iterator<Item = (String, String)> {
    let singles = UTILISATIONS.into_iter().map(|utilisation| (single_name(utilisation), format!("static {PODS}")));
    singles.chain(STRATEGIES.iter().map(|(name, ..)| (HOUR.to_owned(), (*name).to_owned())))
}

impl Case {
    /// First moment of its load.
    #[must_use]
    pub fn start(&self) -> Timestamp {
        self.load.start()
    }

    fn run(&self, kernel: Kernel, traffic: &Traffic, strategy: &StrategySpec) -> Result<Seen> {
        let wrong = at(&self.name);
        let ingredients = Ingredients { workload: &self.scenario.workload, weights: None };
        let autoscaler = strategy.build(&ingredients).map_err(|error| wrong(&error))?;
        let driver = Driver { autoscaler: &autoscaler, state: warm_state(&autoscaler, &self.scenario, traffic) };
        let (mut busy, mut ready_s) = (0.0, 0.0);
        let mut rows = |row: &StepRow<'_>| {
            let seconds = f64::from(row.ready) * row.span.as_secs_f64();
            busy += row.utilisation * seconds;
            ready_s += seconds;
        };
        let result = kernel(&self.scenario, traffic, driver, &mut rows).map_err(|error| wrong(&error))?;
        let bad = result.total.bad_fraction().unwrap_or(0.0);
        Ok(Seen { j: result.j(self.scenario.costs), bad, utilisation: busy / ready_s })
    }

    /// Both kernels by seed.
    fn both(&self, strategy: &StrategySpec, effort: Effort) -> Result<Vec<[Seen; 2]>> {
        (1..=effort.scenario_seeds)
            .into_par_iter()
            .map(|seed| {
                let traffic = Traffic::new(&self.scenario, &self.load, seed).map_err(|error| at(&self.name)(&error))?;
                let fluid = self.run(episode::run_on, &traffic, strategy)?;
                Ok([fluid, self.run(world::protocol::run_on, &traffic, strategy)?])
            })
            .collect()
    }

    /// A row per strategy, and their order.
    ///
    /// # Errors
    /// A bug of a kernel.
    pub fn measure(&self, effort: Effort) -> Result<(Vec<Row>, Order)> {
        let (mut rows, mut fluid, mut events) = (Vec::new(), Vec::new(), Vec::new());
        for (name, strategy) in &self.strategies {
            let runs = self.both(strategy, effort)?;
            let of = |kernel: usize, value: fn(&Seen) -> f64| -> Vec<f64> {
                runs.iter().map(|run| value(&run[kernel])).collect()
            };
            let mean = |kernel: usize, value: fn(&Seen) -> f64| stats::mean(&of(kernel, value)).unwrap_or(0.0);
            let events_j = mean(1, |seen| seen.j);
            let relative: Vec<f64> = runs.iter().map(|[fluid, events]| (fluid.j - events.j) / events_j).collect();
            rows.push(Row {
                load: self.name.clone(),
                strategy: name.clone(),
                fluid_j: mean(0, |seen| seen.j),
                events_j,
                difference: Interval::of(&relative, Coverage::P95).unwrap_or(Interval { mean: 0.0, half: None }),
                fluid_bad: mean(0, |seen| seen.bad),
                events_bad: mean(1, |seen| seen.bad),
                fluid_utilisation: mean(0, |seen| seen.utilisation),
                events_utilisation: mean(1, |seen| seen.utilisation),
                seeds: runs.len(),
            });
            fluid.push(of(0, |seen| seen.j));
            events.push(of(1, |seen| seen.j));
        }
        let names: Vec<&str> = self.strategies.iter().map(|(name, _)| name.as_str()).collect();
        Ok((rows, Order::of(&self.name, &names, &fluid, &events)))
    }
}

/// All loads.
///
/// # Errors
/// If the trace is not there, or (a bug) a kernel fails.
pub fn measure(effort: Effort, folders: &[PathBuf]) -> Result<(Vec<Row>, Vec<Order>)> {
    let mut rows = Vec::new();
    for utilisation in UTILISATIONS {
        rows.extend(single(utilisation)?.measure(effort)?.0);
    }
    let (more, order) = hour(folders)?.measure(effort)?;
    rows.extend(more);
    Ok((rows, vec![order]))
}
