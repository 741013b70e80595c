//! The fluid kernel beside the event kernel on scenarios of the gallery, each under several strategies and seeds.
//!
//! Each entrant is the scenario with another strategy in the place of its own; kernel and seed are all that differs between two runs.
//! Where pods stand still (`static`), both kernels have the same pods at every moment: there latency and the time to drain are
//! compared. P95 is taken by scrape interval and weighted by requests, over the intervals for which the fluid kernel knows it (no queue
//! was left over) and in which less than 0.9 of the pods is used. The drain time runs from the end of the last minute that brings more
//! than the pods can serve, until a twentieth of the queue of that moment is left; it is read from intervals of a second.

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use seatrial_core::record::timeline::Timeline;
use seatrial_core::scaling::strategy::{Choice, StrategySpec};
use seatrial_core::time::Span;
use seatrial_envs::app::{self, AppOptions};
use seatrial_envs::episode::CostTerms;
use seatrial_envs::spec::lower::lower;
use seatrial_envs::spec::traffic::SourceSpec;
use seatrial_envs::spec::{Distribution, Inputs, ScenarioSpec, ServiceSpec, SourceLoad};
use seatrial_envs::world::{Options, Outcome, run_scenario};
use seatrial_reports::stats;
use serde::{Deserialize, Serialize};

use super::sample::{Coverage, Interval};
use super::{Effort, at};
use crate::error::{ExperimentError, Result};
use crate::scenario_command::{GALLERY, LoadedScenario, parse, read_inputs};

/// A measure and what it is called in tables and in the figure.
pub const UTILISATION: &str = "mean utilisation";
/// See [`UTILISATION`].
pub const P95: &str = "P95 latency below 0.9 utilisation";
/// See [`UTILISATION`].
pub const DRAIN: &str = "drain time";
/// See [`UTILISATION`].
pub const BAD: &str = "bad fraction";
/// All of them, in the order of the page.
pub const MEASURES: [&str; 4] = [UTILISATION, P95, DRAIN, BAD];

/// Requests that an interval must have completed for its P95 to be looked at.
const FEWEST_FOR_P95: u64 = 60;
/// The queue that counts as drained, as a share of that at the overload's end.
const DRAINED: f64 = 0.05;

/// What a run with pods that stand still is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    /// An autoscaler moves the pods.
    No,
    /// Enough pods: latency.
    Enough,
    /// Too few at the crest: the time to drain.
    TooFew,
}

/// A strategy in a scenario.
#[derive(Clone, Copy, Debug)]
struct Entrant {
    name: &'static str,
    policy: &'static str,
    /// JSON.
    config: &'static str,
    held: Held,
}

/// A scenario of the gallery with its entrants.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    scenario: &'static str,
    entrants: &'static [Entrant],
}

const fn entrant(name: &'static str, policy: &'static str, config: &'static str) -> Entrant {
    Entrant { name, policy, config, held: Held::No }
}

const fn held(name: &'static str, config: &'static str, held: Held) -> Entrant {
    Entrant { name, policy: "static", config, held }
}

const HPA: Entrant = entrant("hpa 80 %", "hpa", "{}");
const HEADROOM: Entrant = entrant("headroom", "headroom", "{}");

const BATCH: &str = "batch-scale-to-zero";
/// [`BATCH`] with ten times as many jobs of a tenth of the length: what of a difference is due to jobs that take seconds.
const SHORT_JOBS: &str = "batch-of-short-jobs";
const TIMES: f64 = 10.0;

/// The scenarios that both kernels can run.
pub const SETTINGS: [Setting; 5] = [
    Setting {
        scenario: "single-web-service",
        entrants: &[
            held("static 9", r#"{"replicas": 9}"#, Held::Enough),
            held("static 6", r#"{"replicas": 6}"#, Held::TooFew),
            HPA,
            entrant("hpa 60 %", "hpa", r#"{"target": 60.0}"#),
            HEADROOM,
            entrant("kpa 4", "kpa", r#"{"target": 4.0}"#),
        ],
    },
    Setting {
        scenario: "flash-crowd",
        entrants: &[
            held("static 16", r#"{"replicas": 16}"#, Held::Enough),
            held("static 10", r#"{"replicas": 10}"#, Held::TooFew),
            HPA,
            entrant("hpa 60 %", "hpa", r#"{"target": 60.0}"#),
            HEADROOM,
            entrant("kpa 4", "kpa", r#"{"target": 4.0}"#),
        ],
    },
    Setting {
        scenario: BATCH,
        entrants: &[
            held("static 30", r#"{"replicas": 30}"#, Held::Enough),
            held("static 10", r#"{"replicas": 10}"#, Held::TooFew),
            entrant("kpa 1", "kpa", r#"{"target": 1.0}"#),
            entrant("kpa 2", "kpa", r#"{"target": 2.0}"#),
            entrant("keda", "keda", "{}"),
            HEADROOM,
        ],
    },
    Setting {
        scenario: SHORT_JOBS,
        entrants: &[
            entrant("kpa 1", "kpa", r#"{"target": 1.0}"#),
            entrant("kpa 2", "kpa", r#"{"target": 2.0}"#),
            entrant("keda", "keda", "{}"),
            HEADROOM,
        ],
    },
    Setting {
        scenario: "llm-serving",
        entrants: &[
            held("static 3", r#"{"replicas": 3}"#, Held::Enough),
            held("static 2", r#"{"replicas": 2}"#, Held::TooFew),
            HPA,
            entrant("hpa 75 %", "hpa", r#"{"target": 75.0}"#),
            HEADROOM,
            entrant("kpa 8", "kpa", r#"{"target": 8.0}"#),
        ],
    },
];

/// The fifth scenario, which the fluid kernel cannot express.
pub const EVENTS_ONLY: &str = "node-pool-bound";

/// A measure of a scenario under a strategy, on both kernels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Name of the scenario.
    pub scenario: String,
    /// Name of the strategy.
    pub strategy: String,
    /// One of [`MEASURES`].
    pub measure: String,
    /// On the fluid kernel, mean over seeds.
    pub fluid: Option<f64>,
    /// On the event kernel, mean over seeds.
    pub events: Option<f64>,
    /// Fluid over the mean of events less 1, with its 95 % interval over paired seeds.
    pub difference: Option<Interval>,
    /// Seeds in which both kernels have it.
    pub seeds: usize,
}

impl Row {
    /// Greatest relative difference that is allowed.
    #[must_use]
    pub fn band(&self) -> f64 {
        match self.measure.as_str() {
            UTILISATION => 0.02,
            P95 | DRAIN => 0.1,
            // Or 0.002: see `is_small`.
            _ => 0.15,
        }
    }

    /// Whether it is a bad fraction and the kernels are less than 0.002 apart: agreement, whatever that is of the fraction.
    #[must_use]
    pub fn is_small(&self) -> bool {
        let apart = self.fluid.zip(self.events).map(|(fluid, events)| (fluid - events).abs());
        self.measure == BAD && apart.is_some_and(|apart| apart <= 0.002)
    }

    /// Whether the kernels agree; `None` where there is nothing to compare.
    #[must_use]
    pub fn holds(&self) -> Option<bool> {
        if self.is_small() {
            return Some(true);
        }
        self.difference.map(|difference| difference.mean.abs() <= self.band())
    }
}

/// Orders of J of all pairs of strategies in a scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// Name of the scenario.
    pub scenario: String,
    /// Strategies with J on the fluid kernel and on the event kernel, means over seeds.
    pub costs: Vec<(String, f64, f64)>,
    /// Pairs whose order is known on the event kernel: the 95 % interval of the paired difference excludes 0.
    pub known: usize,
    /// All pairs.
    pub pairs: usize,
    /// Known pairs that the fluid kernel has the other way round.
    pub reversed: Vec<(String, String)>,
}

impl Order {
    /// From J by strategy and seed, on the fluid and on the event kernel.
    #[must_use]
    pub fn of(scenario: &str, names: &[&str], fluid: &[Vec<f64>], events: &[Vec<f64>]) -> Self {
        let mean = |values: &[f64]| stats::mean(values).unwrap_or(f64::NAN);
        let costs = names.iter().zip(fluid.iter().zip(events));
        let costs = costs.map(|(name, (fluid, events))| ((*name).to_owned(), mean(fluid), mean(events))).collect();
        let mut order = Self { scenario: scenario.to_owned(), costs, known: 0, pairs: 0, reversed: Vec::new() };
        for one in 0..names.len() {
            for other in one + 1..names.len() {
                order.pairs += 1;
                let differences: Vec<f64> = events[one].iter().zip(&events[other]).map(|(a, b)| a - b).collect();
                let Some(dearer) = Interval::of(&differences, Coverage::P95).and_then(|interval| interval.sign())
                else {
                    continue;
                };
                order.known += 1;
                if (mean(&fluid[one]) > mean(&fluid[other])) != dearer {
                    order.reversed.push((names[one].to_owned(), names[other].to_owned()));
                }
            }
        }
        order
    }
}

/// A scenario that the fluid kernel refuses, in its own words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refused {
    /// Name of the scenario.
    pub scenario: String,
    /// What the kernel says.
    pub reason: String,
}

/// What a run on one kernel shows.
#[derive(Clone, Debug)]
struct Seen {
    utilisation: f64,
    bad: f64,
    j: f64,
    timeline: Timeline,
}

/// A scenario as it is run.
struct Prepared {
    spec: ScenarioSpec,
    inputs: Inputs,
    /// Requests per second that one pod can serve.
    capacity_per_s: f64,
    scrape_s: f64,
}

fn text_of(scenario: &str) -> &'static str {
    GALLERY.iter().find(|(name, _)| *name == scenario).map_or("", |(_, text)| text)
}

/// A scenario by the name that rows call it by.
pub(super) fn loaded(scenario: &str) -> Result<LoadedScenario> {
    if scenario == SHORT_JOBS {
        let mut batch = loaded(BATCH)?;
        shorten_jobs(&mut batch.spec)?;
        return Ok(batch);
    }
    let (text, origin) = (text_of(scenario).to_owned(), format!("built-in {scenario}"));
    Ok(LoadedScenario { spec: parse(&text, &origin)?, origin, text })
}

fn shorten_jobs(spec: &mut ScenarioSpec) -> Result<()> {
    spec.name = SHORT_JOBS.to_owned();
    let service = only_service(spec)?;
    let (Distribution::Exponential { mean }, Some(limit)) = (&mut service.service_time_s, &mut service.queue_limit)
    else {
        return Err(at(BATCH)(&"jobs are not exponential, or their queue has no limit: they cannot be shortened"));
    };
    *mean /= TIMES;
    *limit *= TIMES as u32;
    for traffic in &mut spec.traffic {
        let SourceSpec::Points { points } = &mut traffic.source else {
            return Err(at(BATCH)(&"the load has no points: it cannot be multiplied"));
        };
        points.iter_mut().for_each(|[_, per_s]| *per_s *= TIMES);
    }
    Ok(())
}

fn only_service(spec: &mut ScenarioSpec) -> Result<&mut ServiceSpec> {
    let name = spec.name.clone();
    spec.services.values_mut().next().ok_or_else(|| at(&name)(&"a scenario without a service cannot be compared"))
}

impl Entrant {
    fn strategy(&self) -> Result<StrategySpec> {
        let config = serde_json::from_str(self.config).map_err(|error| at(self.name)(&error))?;
        Ok(StrategySpec { policy: Choice { id: self.policy.to_owned(), config }, forecaster: None, guard: None })
    }

    /// The scenario with this strategy; `seconds` shortens it.
    fn prepare(&self, scenario: &str, seconds: Option<f64>, folders: &[PathBuf]) -> Result<Prepared> {
        let mut loaded = loaded(scenario)?;
        let strategy = self.strategy()?;
        loaded.spec.duration_s = seconds.unwrap_or(loaded.spec.duration_s);
        if self.held == Held::TooFew {
            // Nobody looks at metrics; rows of a timeline are as long as a scrape interval.
            loaded.spec.metrics.scrape_s = 1.0;
        }
        let service = only_service(&mut loaded.spec)?;
        if self.held != Held::No {
            let replicas = strategy.policy.config.get("replicas").and_then(serde_json::Value::as_u64);
            service.replicas = replicas.and_then(|replicas| u32::try_from(replicas).ok()).unwrap_or(service.replicas);
        }
        if let Some(scaling) = &mut service.autoscaling {
            scaling.strategy = strategy;
            // Policies without a way up from zero need one pod to look at.
            if !matches!(self.policy, "kpa" | "keda" | "static") {
                scaling.min = scaling.min.max(1);
                service.replicas = service.replicas.max(scaling.min);
            }
        }
        let inputs = read_inputs(&loaded, folders)?;
        let lowered = lower(&loaded.spec, &inputs, 1.0).map_err(|error| at(scenario)(&error))?;
        let capacity_per_s = lowered.services.first().map_or(0.0, |service| service.scenario.true_capacity());
        let scrape_s = loaded.spec.metrics.scrape_s;
        Ok(Prepared { spec: loaded.spec, inputs, capacity_per_s, scrape_s })
    }
}

impl Prepared {
    fn cores(&self) -> f64 {
        self.spec.services.values().next().map_or(1.0, |service| service.cores)
    }

    fn seeded(&self, seed: u64) -> ScenarioSpec {
        ScenarioSpec { seed, ..self.spec.clone() }
    }

    fn seen(&self, utilisation: f64, total: &CostTerms, timeline: Timeline) -> Seen {
        Seen { utilisation, bad: total.bad_fraction().unwrap_or(0.0), j: total.j(self.spec.costs), timeline }
    }

    fn on_events(&self, seed: u64) -> Result<Seen> {
        let options = Options { timeline: Some(Span::from_secs_f64(self.scrape_s)), ..Options::default() };
        let outcome: Outcome =
            run_scenario(&self.seeded(seed), &self.inputs, &options).map_err(|error| at(&self.spec.name)(&error))?;
        let timeline = outcome.timeline.ok_or_else(|| at(&self.spec.name)(&"there is no timeline"))?;
        let cpu_s: f64 = timeline.service_rows.iter().map(|row| row.cpu_s).sum();
        let ready_s = outcome.services.first().map_or(0.0, |service| service.total.ready_s);
        Ok(self.seen(cpu_s / (ready_s * self.cores()), &outcome.total, timeline))
    }

    fn on_fluid(&self, seed: u64) -> Result<Seen> {
        let outcome = app::run_scenario(&self.seeded(seed), &self.inputs, &AppOptions::default())
            .map_err(|error| at(&self.spec.name)(&error))?;
        let utilisation = outcome.services.first().map_or(0.0, |service| service.utilisation);
        Ok(self.seen(utilisation, &outcome.total, outcome.timeline))
    }

    /// Weighted P95 of both kernels over the intervals in which it can be compared.
    fn p95(&self, fluid: &Timeline, events: &Timeline) -> Option<(f64, f64)> {
        let (mut weight, mut one, mut other) = (0.0, 0.0, 0.0);
        for (flow, counted) in fluid.service_rows.iter().zip(&events.service_rows) {
            let offered_s = f64::from(flow.ready) * self.cores() * self.scrape_s;
            let (Some(of_flow), Some(of_events)) = (flow.latency.p95_s, counted.latency.p95_s) else { continue };
            if flow.cpu_s >= 0.9 * offered_s || flow.ready != counted.ready || counted.completed < FEWEST_FOR_P95 {
                continue;
            }
            #[expect(clippy::cast_precision_loss, reason = "counts of requests")]
            let requests = flow.arrived as f64;
            weight += requests;
            one += requests * of_flow;
            other += requests * of_events;
        }
        (weight > 0.0).then(|| (one / weight, other / weight))
    }

    /// The interval at whose beginning the last overload of standing pods is over; `None` if there is none that ends.
    fn overload_end(&self) -> Option<usize> {
        let Some(SourceLoad::Rates(load)) = self.inputs.loads.first() else { return None };
        let replicas = self.spec.services.values().next().map_or(0, |service| service.replicas);
        let capacity = self.capacity_per_s * f64::from(replicas);
        let rates = load.rates_per_s();
        let last = rates.iter().rposition(|rate| *rate > capacity)?;
        let per_bin = usize::try_from(load.interval().whole_steps(Span::from_secs_f64(self.scrape_s))).ok()?;
        Some((last + 1) * per_bin)
    }

    /// Seconds from the end of the overload until the queue is gone.
    fn drain_s(&self, timeline: &Timeline) -> Option<f64> {
        let begin = self.overload_end()?;
        let rows = timeline.service_rows.get(begin.checked_sub(1)?..)?;
        let full = f64::from(rows.first()?.queued);
        // A queue of less than a tenth of a second is that of chance.
        let capacity = self.capacity_per_s * f64::from(rows.first()?.ready);
        if full < 0.1 * capacity {
            return None;
        }
        let gone = rows.iter().position(|row| f64::from(row.queued) <= DRAINED * full)?;
        Some(stats::count(gone) * self.scrape_s)
    }
}

/// A measure by seed.
type BySeed = Vec<Option<(f64, f64)>>;

fn row(scenario: &str, strategy: &str, measure: &str, by_seed: &BySeed) -> Row {
    let known: Vec<(f64, f64)> = by_seed.iter().flatten().copied().collect();
    let (fluid, events): (Vec<f64>, Vec<f64>) = known.iter().copied().unzip();
    let (fluid_mean, events_mean) = (stats::mean(&fluid), stats::mean(&events));
    let difference = events_mean.filter(|mean| *mean > 0.0).and_then(|mean| {
        let relative: Vec<f64> = known.iter().map(|(fluid, events)| (fluid - events) / mean).collect();
        Interval::of(&relative, Coverage::P95)
    });
    Row {
        scenario: scenario.to_owned(),
        strategy: strategy.to_owned(),
        measure: measure.to_owned(),
        fluid: fluid_mean,
        events: events_mean,
        difference,
        seeds: known.len(),
    }
}

/// Rows and costs of one entrant: J by seed on the fluid kernel, then on the event kernel.
type Compared = (Vec<Row>, [Vec<f64>; 2]);

impl Setting {
    /// Its names: the scenario, and each strategy with the measures that it has rows for.
    pub fn names(&self) -> impl Iterator<Item = (&'static str, &'static str, Vec<&'static str>)> + '_ {
        self.entrants.iter().map(|entrant| (self.scenario, entrant.name, entrant.measures()))
    }

    /// Rows of all entrants, and their order; `seconds` shortens the scenario.
    ///
    /// # Errors
    /// If a trace is missing, or (a bug) a kernel fails.
    pub fn measure(&self, effort: Effort, seconds: Option<f64>, folders: &[PathBuf]) -> Result<(Vec<Row>, Order)> {
        let compared: Result<Vec<Compared>> = self
            .entrants
            .iter()
            .map(|entrant| entrant.compare(&entrant.prepare(self.scenario, seconds, folders)?, effort))
            .collect();
        let (mut rows, mut fluid, mut events) = (Vec::new(), Vec::new(), Vec::new());
        for (more, [of_fluid, of_events]) in compared? {
            rows.extend(more);
            fluid.push(of_fluid);
            events.push(of_events);
        }
        let names: Vec<&str> = self.entrants.iter().map(|entrant| entrant.name).collect();
        Ok((rows, Order::of(self.scenario, &names, &fluid, &events)))
    }
}

impl Entrant {
    fn measures(&self) -> Vec<&'static str> {
        match self.held {
            Held::No => vec![UTILISATION, BAD],
            Held::Enough => vec![UTILISATION, P95, BAD],
            Held::TooFew => vec![UTILISATION, DRAIN, BAD],
        }
    }

    fn compare(&self, prepared: &Prepared, effort: Effort) -> Result<Compared> {
        let runs: Result<Vec<(Seen, Seen)>> = (1..=effort.scenario_seeds)
            .into_par_iter()
            .map(|seed| Ok((prepared.on_fluid(seed)?, prepared.on_events(seed)?)))
            .collect();
        let runs = runs?;
        let rows = self.measures().into_iter().map(|measure| {
            let value = |(fluid, events): &(Seen, Seen)| match measure {
                UTILISATION => Some((fluid.utilisation, events.utilisation)),
                P95 => prepared.p95(&fluid.timeline, &events.timeline),
                DRAIN => prepared.drain_s(&fluid.timeline).zip(prepared.drain_s(&events.timeline)),
                _ => Some((fluid.bad, events.bad)),
            };
            row(&prepared.spec.name, self.name, measure, &runs.iter().map(value).collect())
        });
        let rows = rows.collect();
        let costs = [runs.iter().map(|run| run.0.j).collect(), runs.iter().map(|run| run.1.j).collect()];
        Ok((rows, costs))
    }
}

/// All scenarios.
///
/// # Errors
/// If a trace is missing, or (a bug) a kernel fails.
pub fn measure(effort: Effort, folders: &[PathBuf]) -> Result<(Vec<Row>, Vec<Order>)> {
    let (mut rows, mut orders) = (Vec::new(), Vec::new());
    for setting in &SETTINGS {
        let (more, order) = setting.measure(effort, None, folders)?;
        rows.extend(more);
        orders.push(order);
    }
    Ok((rows, orders))
}

/// What the fluid kernel says of `scenario`, if it refuses it.
///
/// # Errors
/// If the scenario or its traces cannot be read.
pub fn refusal(scenario: &str, folders: &[PathBuf]) -> Result<Option<Refused>> {
    let loaded = loaded(scenario)?;
    let with_inputs = |inputs: &Inputs| lower(&loaded.spec, inputs, 1.0).err();
    // Most is refused before any trace is looked at.
    let needs_traces = loaded.text.contains("# Needs SEATRIAL_TRACES.");
    let bare = with_inputs(&Inputs::default()).filter(|error| !error.to_string().contains("among the inputs"));
    let refused = match bare {
        Some(error) => Some(error),
        None if needs_traces && folders.iter().all(|folder| !Path::new(folder).is_dir()) => {
            return Err(ExperimentError::Usage {
                what: format!("{scenario} needs traces"),
                next: "set SEATRIAL_TRACES to the folder that holds them".to_owned(),
            });
        }
        None => with_inputs(&read_inputs(&loaded, folders)?),
    };
    Ok(refused.map(|error| Refused { scenario: scenario.to_owned(), reason: error.to_string() }))
}

/// What of the gallery the fluid kernel refuses.
///
/// # Errors
/// If a scenario or its traces cannot be read.
pub fn refused(folders: &[PathBuf]) -> Result<Vec<Refused>> {
    let all: Result<Vec<Option<Refused>>> = GALLERY.iter().map(|(name, _)| refusal(name, folders)).collect();
    Ok(all?.into_iter().flatten().collect())
}
