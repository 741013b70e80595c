//! A scenario as the fluid kernel runs it: each service a [`Scenario`] of protocol P1's form, joined by expected calls.
//!
//! What the fluid kernel cannot express is refused with the key that asks for it, and not left out: a scenario that runs on both
//! kernels means the same on both, but for the approximations below.
//!
//! # Deviations
//! 1. A service time, with classes and tokens, enters by the mean and the spread of the whole run's mix (`fluid::work`).
//! 2. A call graph enters by expected calls: stages, and the order of calls inside them, do not matter to a flow.
//! 3. Which requests fail for a call that is not answered is not followed: the shares of services are taken as independent. What
//!    waits long at a callee and is answered in the end is good, as on the event kernel: the objective is the entry's.
//! 4. A deleted pod ends after its preStop time; nothing is lost with it.
//! 5. Sources with bins of different widths are joined in bins that divide all of them, each of which keeps a count of its own.
//! 6. Several sources with classes of their own: a service's mean is that of the whole run's mix, at every moment.

mod work;

use seatrial_core::time::Span;
use thiserror::Error;

use super::graph::expected_calls;
use super::service::Balancing;
use super::{Distribution, Inputs, MetricsSpec, Sampler, ScenarioSpec, ServiceSpec, SourceLoad, TrafficSpec};
use crate::fluid::graph::{Call, Graph};
use crate::fluid::work::Work;
use crate::load::{EpisodeLoad, LoadError, signed};
use crate::scenario::{CostWeights, MetricsPipeline, Regime, Scenario, ScenarioError, Service, StartUp};

/// Why the fluid kernel cannot run a scenario.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum LowerError {
    /// It has no way to express this.
    #[error("scenario: `{key}` is {got}, and the fluid kernel needs {allowed}: change it, or say kernel = \"events\"")]
    Unsupported {
        /// The key.
        key: String,
        /// What it says.
        got: String,
        /// What the kernel can do.
        allowed: &'static str,
    },
    /// A name that stands for nothing, or a graph that goes round.
    #[error("scenario: `{key}` names `{got}`, which {why}")]
    Name {
        /// The key.
        key: String,
        /// The name.
        got: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A number is out of its range; the key is that of the service's protocol form.
    #[error("service `{service}`: {error}")]
    Service {
        /// The service.
        service: String,
        /// What is wrong.
        error: ScenarioError,
    },
    /// A load does not fit.
    #[error("scenario: `traffic`: {0}")]
    Load(#[from] LoadError),
}

/// A scenario for the fluid kernel.
#[derive(Clone, Debug)]
pub struct Lowered {
    /// By dense id.
    pub services: Vec<LoweredService>,
    /// Seed of every draw.
    pub seed: u64,
    /// Simulated time.
    pub duration: Span,
    /// Time at the beginning that counts in no result.
    pub warm_up: Span,
    pub(crate) graph: Graph,
}

/// One service of it.
#[derive(Clone, Debug)]
pub struct LoweredService {
    /// Its name.
    pub name: String,
    /// What an episode of this service alone would run in.
    pub scenario: Scenario,
    pub(crate) work: Work,
    /// Ready pods at the first moment.
    pub replicas: u32,
    /// Longest queue in requests, also while no pod is ready; `None` is that of the scenario, in seconds of work.
    pub queue_limit: Option<f64>,
    /// Whether somebody changes the number of its pods.
    pub autoscaled: bool,
    /// Requests that come to it from outside.
    pub direct: Option<EpisodeLoad>,
    /// Calls that it would get if no service kept any back: what history and forecasts are about.
    pub nominal: EpisodeLoad,
}

/// `spec` for the fluid kernel, with pods that change state on a grid of `physics_step_s` seconds.
///
/// # Errors
/// The first key that the fluid kernel cannot express, or whose value no kernel could run.
pub fn lower(spec: &ScenarioSpec, inputs: &Inputs, physics_step_s: f64) -> Result<Lowered, LowerError> {
    refuse_whole(spec)?;
    let graph = graph(spec)?;
    let sources = sources(spec, inputs)?;
    refuse_loads(spec, &sources)?;
    let bin = common_bin(&sources);
    let mut services = Vec::with_capacity(spec.services.len());
    for (id, (name, service)) in spec.services.iter().enumerate() {
        refuse_service(name, service)?;
        let visits: Vec<f64> = sources.iter().map(|source| graph.visits(source.entry)[id]).collect();
        let mean_s = mean_service_s(name, service, inputs, &sources, &visits)?;
        let nominal = joined(&sources, &visits, bin)?;
        let here: Vec<f64> = sources.iter().map(|source| if source.entry == id { 1.0 } else { 0.0 }).collect();
        let direct = here.iter().any(|share| *share > 0.0).then(|| joined(&sources, &here, bin)).transpose()?;
        let scenario = scenario(spec, (name, service), mean_s, nominal.rates_per_s()[0], physics_step_s)?;
        let work = work::work((name, service), &spec.traffic, inputs, (&sources, &visits))?;
        services.push(LoweredService {
            name: name.clone(),
            scenario,
            work,
            replicas: service.replicas,
            queue_limit: service.queue_limit.map(f64::from),
            autoscaled: service.autoscaling.is_some(),
            direct,
            nominal,
        });
    }
    let (duration, warm_up) = (Span::from_secs_f64(spec.duration_s), Span::from_secs_f64(spec.warm_up_s));
    Ok(Lowered { services, seed: spec.seed, duration, warm_up, graph })
}

fn unsupported(key: impl Into<String>, got: impl Into<String>, allowed: &'static str) -> LowerError {
    LowerError::Unsupported { key: key.into(), got: got.into(), allowed }
}

/// Refuses with the first row whose condition holds.
fn refuse(rows: &[(bool, String, String, &'static str)]) -> Result<(), LowerError> {
    match rows.iter().find(|(wrong, ..)| *wrong) {
        Some((_, key, got, allowed)) => Err(unsupported(key.clone(), got.clone(), allowed)),
        None => Ok(()),
    }
}

fn refuse_whole(spec: &ScenarioSpec) -> Result<(), LowerError> {
    let count = |count: usize| count.to_string();
    let (whole, grid) = (spec.duration_s, spec.metrics.scrape_s);
    refuse(&[
        (!(whole.is_finite() && whole > 0.0), "duration_s".into(), whole.to_string(), "seconds above 0"),
        (
            !(0.0..whole).contains(&spec.warm_up_s),
            "warm_up_s".into(),
            spec.warm_up_s.to_string(),
            "0 to below duration_s",
        ),
        (spec.services.is_empty(), "services".into(), "empty".into(), "at least one service"),
        (spec.slo.wait_s.is_none(), "slo.wait_s".into(), "absent".into(), "a longest wait"),
        (spec.slo.latency_s.is_some(), "slo.latency_s".into(), "given".into(), "none: it knows waits, not answers"),
        (spec.client.timeout_s.is_none(), "client.timeout_s".into(), "absent".into(), "one: it bounds the queues"),
        (spec.client.retries.is_some(), "client.retries".into(), "given".into(), "none: a flow does not come back"),
        (spec.cluster.is_some(), "cluster".into(), "given".into(), "none: every pod finds room at once"),
        (
            !spec.workloads.is_empty(),
            "workloads".into(),
            count(spec.workloads.len()),
            "none: there are no nodes to take room on",
        ),
        (!spec.faults.is_empty(), "faults".into(), count(spec.faults.len()), "none"),
        (spec.metrics.jitter != 0.0, "metrics.jitter".into(), spec.metrics.jitter.to_string(), "0: slots are aligned"),
        (!(grid.is_finite() && grid > 0.0), "metrics.scrape_s".into(), grid.to_string(), "seconds above 0"),
    ])
}

fn refuse_service(name: &str, service: &ServiceSpec) -> Result<(), LowerError> {
    let key = |key: &str| format!("services.{name}.{key}");
    let least = service.autoscaling.as_ref().map_or(service.replicas, |scaling| scaling.min).min(service.replicas);
    let workers = service.concurrency.map_or(f64::INFINITY, f64::from);
    refuse(&[
        (
            !(workers >= 1.0 && workers <= service.cores),
            key("concurrency"),
            service.concurrency.map_or_else(|| "absent".into(), |workers| workers.to_string()),
            "1 to `cores`: each request in service has a core of its own",
        ),
        (service.balancing != Balancing::Shared, key("balancing"), format!("{:?}", service.balancing), "\"shared\""),
        (!service.drops_expired, key("drops_expired"), "false".into(), "true"),
        (service.holds_worker, key("holds_worker"), "true".into(), "false"),
        (
            service.pod.memory_per_request_mib > 0.0,
            key("pod.memory_per_request_mib"),
            service.pod.memory_per_request_mib.to_string(),
            "0: it kills no pod",
        ),
        (
            service.start.probe_period_s != 0.0,
            key("start.probe_period_s"),
            service.start.probe_period_s.to_string(),
            "0",
        ),
        (!service.rollout.at_s.is_empty(), key("rollout.at_s"), "given".into(), "no rollouts"),
        (
            least == 0 && service.queue_limit.is_none(),
            key("queue_limit"),
            "absent".into(),
            "one where there may be no pod: requests wait up to it meanwhile",
        ),
    ])
}

fn graph(spec: &ScenarioSpec) -> Result<Graph, LowerError> {
    let mut calls = vec![Vec::new(); spec.services.len()];
    for (from, (name, service)) in spec.services.iter().enumerate() {
        for (index, call) in service.calls.iter().enumerate() {
            let key = format!("services.{name}.calls[{index}]");
            let unknown = || LowerError::Name { key: format!("{key}.to"), got: call.to.clone(), why: "is no service" };
            let to = spec.service_id(&call.to).ok_or_else(unknown)?;
            let within = (0.0..=1.0).contains(&call.probability);
            let probability = call.probability.to_string();
            refuse(&[
                (!within, format!("{key}.probability"), probability, "a probability, 0 to 1"),
                (call.timeout_s.is_some(), format!("{key}.timeout_s"), "given".into(), "none"),
                (call.retries.is_some(), format!("{key}.retries"), "given".into(), "none"),
            ])?;
            calls[from].push(Call { to, probability: call.probability, count: call.count, optional: call.optional });
        }
    }
    Graph::new(calls).map_err(|at| LowerError::Name {
        key: "services".into(),
        got: spec.services.keys().nth(at).cloned().unwrap_or_default(),
        why: "calls itself, by way of others or at once: take one of these calls away",
    })
}

/// A source, with the means of what its requests are like.
struct Source<'a> {
    entry: usize,
    load: &'a EpisodeLoad,
    work: f64,
    input_tokens: f64,
    output_tokens: f64,
    /// Mean requests per second.
    mean_per_s: f64,
}

fn sources<'a>(spec: &ScenarioSpec, inputs: &'a Inputs) -> Result<Vec<Source<'a>>, LowerError> {
    let mut sources = Vec::with_capacity(spec.traffic.len());
    for (index, traffic) in spec.traffic.iter().enumerate() {
        let key = |key: &str| format!("traffic[{index}].{key}");
        let unknown = || LowerError::Name { key: key("service"), got: traffic.service.clone(), why: "is no service" };
        let entry = spec.service_id(&traffic.service).ok_or_else(unknown)?;
        let load = match inputs.loads.get(index) {
            Some(SourceLoad::Rates(load)) => load,
            Some(SourceLoad::Listed(_)) => return Err(unsupported(key("source"), "a list of requests", "rates")),
            None => return Err(unsupported(key("source"), "not read", "its load among the inputs")),
        };
        sources.push(classes(
            traffic,
            &key("classes"),
            inputs,
            Source {
                entry,
                load,
                work: 0.0,
                input_tokens: 0.0,
                output_tokens: 0.0,
                mean_per_s: mean(load.rates_per_s()),
            },
        )?);
    }
    Ok(sources)
}

/// Refuses loads that end too early or cannot be joined.
fn refuse_loads(spec: &ScenarioSpec, sources: &[Source<'_>]) -> Result<(), LowerError> {
    let first = sources.first().ok_or_else(|| unsupported("traffic", "empty", "at least one source"))?.load;
    for (index, Source { load, .. }) in sources.iter().enumerate() {
        let covered_s = (load.end() - load.start()).as_secs_f64();
        refuse(&[
            (
                covered_s < spec.duration_s,
                "duration_s".into(),
                spec.duration_s.to_string(),
                "at most the length of every load",
            ),
            (
                load.start() != first.start(),
                format!("traffic[{index}].source"),
                "of another beginning".into(),
                "loads that begin at one moment",
            ),
        ])?;
    }
    Ok(())
}

/// Mean CPU seconds of a call at each service in the mix of the whole run; 0 where they cannot be known because requests were
/// recorded one by one.
pub(crate) fn mean_service_times_s(spec: &ScenarioSpec, inputs: &Inputs) -> Vec<f64> {
    let sources = sources(spec, inputs).unwrap_or_default();
    let reached: Vec<_> = spec.traffic.iter().map(|source| expected_calls(spec, &source.service)).collect();
    let of = |(name, service): (&String, &ServiceSpec)| {
        let visits: Vec<f64> = reached.iter().map(|calls| calls.get(name.as_str()).copied().unwrap_or(0.0)).collect();
        mean_service_s(name, service, inputs, &sources, &visits).unwrap_or(0.0)
    };
    spec.services.iter().map(of).collect()
}

#[expect(clippy::cast_precision_loss, reason = "lengths of loads are far below 2^52")]
fn mean(rates: &[f64]) -> f64 {
    rates.iter().sum::<f64>() / rates.len().max(1) as f64
}

fn classes<'a>(
    traffic: &TrafficSpec,
    key: &str,
    inputs: &Inputs,
    mut source: Source<'a>,
) -> Result<Source<'a>, LowerError> {
    if traffic.classes.is_empty() {
        source.work = 1.0;
    }
    for (index, class) in traffic.classes.iter().enumerate() {
        let tokens = |distribution: &Option<Distribution>, which: &str| match distribution {
            Some(distribution) => mean_of(distribution, inputs, || format!("{key}[{index}].{which}")),
            None => Ok(0.0),
        };
        source.work += class.share * class.work;
        source.input_tokens += class.share * tokens(&class.input_tokens, "input_tokens")?;
        source.output_tokens += class.share * tokens(&class.output_tokens, "output_tokens")?;
    }
    Ok(source)
}

fn mean_of(distribution: &Distribution, inputs: &Inputs, key: impl Fn() -> String) -> Result<f64, LowerError> {
    let missing = || unsupported(key(), "a trace that was not read", "its values among the inputs");
    Sampler::new(distribution, inputs).map(|sampler| sampler.mean()).ok_or_else(missing)
}

/// Mean seconds of work of a call at a service that each source's request visits so often.
fn mean_service_s(
    name: &str,
    service: &ServiceSpec,
    inputs: &Inputs,
    sources: &[Source<'_>],
    visits: &[f64],
) -> Result<f64, LowerError> {
    let alone_s = mean_of(&service.service_time_s, inputs, || format!("services.{name}.service_time_s"))?;
    let (mut total, mut work_s) = (0.0, 0.0);
    for (source, visits) in sources.iter().zip(visits) {
        let weight = visits * source.mean_per_s;
        let tokens_s = service.token_cost.map_or(0.0, |cost| {
            cost.per_input_token_s * source.input_tokens + cost.per_output_token_s * source.output_tokens
        });
        total += weight;
        work_s += weight * (alone_s * source.work + tokens_s);
    }
    // Where nobody calls, what a call would take does not matter; with one kind of request nothing is to be weighed.
    let kinds = sources.iter().zip(visits).filter(|(source, visits)| **visits * source.mean_per_s > 0.0).count();
    let plain = sources.iter().all(|source| source.work == 1.0) && service.token_cost.is_none();
    Ok(if kinds == 0 || plain { alone_s } else { work_s / total })
}

/// The longest bin of which the bins of all sources are whole numbers: generators and traces have bins of their own.
fn common_bin(sources: &[Source<'_>]) -> Span {
    let widths = sources.iter().map(|source| source.load.interval().micros());
    Span::from_micros(widths.fold(0, divisor))
}

/// The greatest common divisor.
const fn divisor(mut one: i64, mut other: i64) -> i64 {
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one
}

/// The loads of the sources, each `times` over, as one in bins of the width `bin`, a divisor of all of theirs.
fn joined(sources: &[Source<'_>], times: &[f64], bin: Span) -> Result<EpisodeLoad, LowerError> {
    let parts = |source: &Source<'_>| source.load.interval().whole_steps(bin).max(1);
    let shortest = |rates: fn(&EpisodeLoad) -> &[f64]| {
        sources.iter().map(|source| signed(rates(source.load).len()) * parts(source)).min().unwrap_or(0)
    };
    let at = |bin: i64| {
        let rate = |(source, times): (&Source<'_>, &f64)| {
            times * source.load.rate_of_bin(bin.div_euclid(parts(source))).unwrap_or(0.0)
        };
        sources.iter().zip(times).map(rate).sum::<f64>()
    };
    let rates: Vec<f64> = (0..shortest(EpisodeLoad::rates_per_s)).map(at).collect();
    let past: Vec<f64> = (-shortest(EpisodeLoad::past_rates_per_s)..0).map(at).collect();
    Ok(EpisodeLoad::new(sources[0].load.start(), bin, rates, past)?)
}

fn scenario(
    spec: &ScenarioSpec,
    (name, service): (&str, &ServiceSpec),
    mean_s: f64,
    first_rate: f64,
    physics_step_s: f64,
) -> Result<Scenario, LowerError> {
    let start_up = match service.start.start_s {
        Distribution::Lognormal { median, sigma } => StartUp { median_s: median, sigma },
        Distribution::Constant(seconds) => StartUp { median_s: seconds, sigma: 0.0 },
        _ => {
            let key = format!("services.{name}.start.start_s");
            return Err(unsupported(key, "of another kind", "a lognormal or constant time"));
        }
    };
    let p1 = Scenario::protocol_p1();
    let timeout_s = spec.client.timeout_s.unwrap_or(p1.client_timeout_s);
    let per_pod = first_rate / f64::from(service.replicas);
    let MetricsSpec { scrape_s, lag_s, lost_scrape_probability, .. } = spec.metrics;
    let scenario = Scenario {
        workload: spec.workload(service),
        service: Service { workers: service.concurrency.unwrap_or(0), mean_s },
        start_up,
        termination_s: service.termination.pre_stop_s,
        // Who would wait longer than the client does is gone before its turn.
        queue_limit_s: timeout_s,
        client_timeout_s: timeout_s,
        slo_wait_s: spec.slo.wait_s.unwrap_or(p1.slo_wait_s),
        costs: CostWeights { ..spec.costs },
        initial_rate_per_pod: if per_pod.is_finite() && per_pod > 0.0 { per_pod } else { p1.initial_rate_per_pod },
        physics_step_s,
        metrics: MetricsPipeline { scrape_s, lag_s, lost_scrape_probability },
        regime: Regime::Plain,
    };
    match scenario.validate() {
        Ok(()) => Ok(scenario),
        Err(error) => Err(LowerError::Service { service: name.to_owned(), error }),
    }
}

#[cfg(test)]
mod tests;
