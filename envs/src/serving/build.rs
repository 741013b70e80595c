//! From a scenario to services, call edges, callers and sources. Nothing here runs again.

use std::collections::BTreeMap;

use seatrial_core::rand::derive_seed;
use seatrial_core::time::{Span, Timestamp};

use super::arrivals::{Class, Classes, Feed, SlotLoad, Source};
use super::balancer::Balancer;
use super::callers::{Caller, Retries};
use super::error::ServingError;
use super::latency::Latency;
use super::server::Shape;
use super::service::{CallEdge, Count, QueueLimit, Service};
use super::{Objective, Parts};
use crate::load::slot_rates;
use crate::scenario::Scenario;
use crate::spec::service::Balancing;
use crate::spec::traffic::{ClassSpec, RetrySpec};
use crate::spec::{Distribution, Inputs, Sampler, ScenarioSpec, ServiceSpec, SourceLoad, TrafficSpec};

/// Ids of services, callers and classes have 16 bits; one value stays free.
const MOST: usize = u16::MAX as usize - 1;
/// Slots longer than this would overflow a request's offset in it.
const LONGEST_SLOT_S: f64 = 3_600.0;

/// What a scenario is built from.
struct Builder<'a> {
    spec: &'a ScenarioSpec,
    inputs: &'a Inputs,
    seed: u64,
    start: Timestamp,
    ids: BTreeMap<&'a str, u16>,
    edges: Vec<CallEdge>,
    callers: Vec<Caller>,
    class_work: Vec<f64>,
}

/// The parts of a scenario's serving room.
pub(super) fn of_spec(
    spec: &ScenarioSpec,
    inputs: &Inputs,
    seed: u64,
    start: Timestamp,
) -> Result<Parts, ServingError> {
    if spec.traffic.len() != inputs.loads.len() {
        return Err(ServingError::Loads { sources: spec.traffic.len(), loads: inputs.loads.len() });
    }
    at_most("services", spec.services.len())?;
    at_most("traffic sources", spec.traffic.len())?;
    let ids = spec.services.keys().map(String::as_str).zip(0_u16..).collect();
    let clients = Caller::new(
        timeout("client.timeout_s", spec.client.timeout_s)?,
        retries("client.retries", spec.client.retries.as_ref())?,
    );
    let builder =
        Builder { spec, inputs, seed, start, ids, edges: Vec::new(), callers: vec![clients], class_work: vec![1.0] };
    builder.build()
}

impl Builder<'_> {
    fn build(mut self) -> Result<Parts, ServingError> {
        self.refuse_cycles()?;
        let spec = self.spec;
        self.edges = (0..spec.services.len() as u16).map(client_edge).collect();
        let mut services = Vec::with_capacity(spec.services.len());
        for (name, service) in &spec.services {
            services.push(self.service(name, service)?);
        }
        at_most("calls of the call graph", self.edges.len())?;
        let mut sources = Vec::with_capacity(spec.traffic.len());
        for (index, (traffic, load)) in spec.traffic.iter().zip(&self.inputs.loads).enumerate() {
            sources.push(self.source(index, traffic, load)?);
        }
        Ok(Parts {
            seed: self.seed,
            names: spec.services.keys().cloned().collect(),
            objective: Objective::new(spec.slo.wait_s, spec.slo.latency_s),
            services,
            edges: self.edges,
            callers: self.callers,
            sources,
            class_work: self.class_work,
            latency: Latency::new().map_err(|_| no_histogram())?,
        })
    }

    fn service(&mut self, name: &str, spec: &ServiceSpec) -> Result<Service, ServingError> {
        let key = |rest: &str| format!("services.{name}.{rest}");
        positive(key("cores"), spec.cores)?;
        let workers = spec.concurrency.unwrap_or(u32::MAX);
        check(key("concurrency"), workers, workers > 0, "at least 1, or absent for any number")?;
        let first = self.edges.len() as u16;
        self.call_edges(name, spec)?;
        let limit = spec.queue_limit.map(|per_pod| QueueLimit { per_pod: f64::from(per_pod), least_pods: 1 });
        Ok(Service {
            shape: Shape { service: self.id(name, key("name"))?, workers, cores: spec.cores },
            balancer: Balancer::new(spec.balancing),
            queue: Default::default(),
            queued: 0,
            in_service: 0,
            limit,
            drops_expired: spec.drops_expired,
            holds_worker: spec.holds_worker,
            work: self.sampler(&spec.service_time_s, key("service_time_s"))?,
            tokens: spec.token_cost,
            edges: first..self.edges.len() as u16,
            count: Count::default(),
            latency: Latency::new().map_err(|_| no_histogram())?,
        })
    }

    /// The edges of a service, by stage and then in the order of the file.
    fn call_edges(&mut self, name: &str, spec: &ServiceSpec) -> Result<(), ServingError> {
        let from = self.id(name, String::new())?;
        let mut calls: Vec<_> = spec.calls.iter().enumerate().collect();
        calls.sort_by_key(|(place, call)| (call.stage, *place));
        for (place, call) in calls {
            let key = |rest: &str| format!("services.{name}.calls[{place}].{rest}");
            let is_probability = (0.0..=1.0).contains(&call.probability);
            check(key("probability"), call.probability, is_probability, "0 to 1")?;
            let caller = self.callers.len() as u16;
            self.callers.push(Caller::new(
                timeout(&key("timeout_s"), call.timeout_s)?,
                retries(&key("retries"), call.retries.as_ref())?,
            ));
            self.edges.push(CallEdge {
                from: Some(from),
                caller,
                stage: call.stage,
                probability: call.probability,
                count: call.count,
                optional: call.optional,
                ..client_edge(self.id(&call.to, key("to"))?)
            });
            at_most("calls of the call graph", self.edges.len())?;
        }
        Ok(())
    }

    fn source(&mut self, index: usize, spec: &TrafficSpec, load: &SourceLoad) -> Result<Source, ServingError> {
        let service = self.id(&spec.service, format!("traffic[{index}].service"))?;
        let classes = self.classes(index, &spec.classes)?;
        let seed = source_seed(self.seed, index);
        let feed = match load {
            SourceLoad::Listed(list) => Feed::listed(list.clone(), self.start),
            SourceLoad::Rates(load) => {
                let slot_s = self.spec.metrics.scrape_s;
                let is_slot = slot_s > 0.0 && slot_s <= LONGEST_SLOT_S;
                check("metrics.scrape_s".to_owned(), slot_s, is_slot, "above 0 and at most 3600")?;
                let slot = Span::from_secs_f64(slot_s);
                let rates =
                    slot_rates(load, seed, slot).map_err(|error| ServingError::Load { source_index: index, error })?;
                Feed::counts(SlotLoad::new(load.start(), slot, &rates))
            }
        };
        Ok(Source::new(index as u16, service, seed, classes, feed))
    }

    fn classes(&mut self, source: usize, specs: &[ClassSpec]) -> Result<Classes, ServingError> {
        let (mut classes, mut share_until) = (Vec::with_capacity(specs.len()), 0.0);
        for (place, spec) in specs.iter().enumerate() {
            let key = |rest: &str| format!("traffic[{source}].classes[{place}].{rest}");
            let is_share = (0.0..=1.0).contains(&spec.share);
            check(key("share"), spec.share, is_share, "0 to 1, all together 1")?;
            let is_factor = spec.work.is_finite() && spec.work >= 0.0;
            check(key("work"), spec.work, is_factor, "finite and not negative")?;
            share_until += spec.share;
            let tokens = |distribution: &Option<Distribution>, rest: &str| {
                distribution.as_ref().map(|tokens| self.sampler(tokens, key(rest))).transpose()
            };
            let (input_tokens, output_tokens) =
                (tokens(&spec.input_tokens, "input_tokens")?, tokens(&spec.output_tokens, "output_tokens")?);
            let id = self.class_work.len() as u16;
            self.class_work.push(spec.work);
            at_most("classes of requests", self.class_work.len())?;
            classes.push(Class { id, share_until, input_tokens, output_tokens });
        }
        Ok(Classes(classes))
    }

    fn sampler(&self, distribution: &Distribution, place: String) -> Result<Sampler, ServingError> {
        Sampler::new(distribution, self.inputs).ok_or(ServingError::NoTable { place })
    }

    fn id(&self, name: &str, place: String) -> Result<u16, ServingError> {
        self.ids.get(name).copied().ok_or_else(|| ServingError::UnknownService {
            place,
            name: name.to_owned(),
            known: self.spec.services.keys().map(String::as_str).collect::<Vec<_>>().join(", "),
        })
    }

    fn refuse_cycles(&self) -> Result<(), ServingError> {
        let mut done = Vec::new();
        self.spec.services.keys().try_for_each(|name| self.follow(name, &mut Vec::new(), &mut done))
    }

    /// Follows the calls of a service; `path` leads to it, `done` are those that lead into no cycle.
    fn follow<'b>(
        &'b self,
        name: &'b str,
        path: &mut Vec<&'b str>,
        done: &mut Vec<&'b str>,
    ) -> Result<(), ServingError> {
        if done.contains(&name) {
            return Ok(());
        }
        if let Some(begin) = path.iter().position(|before| *before == name) {
            let cycle = [&path[begin..], &[name]].concat().join(" -> ");
            return Err(ServingError::Cycle { service: name.to_owned(), cycle });
        }
        path.push(name);
        let calls = self.spec.services.get(name).map_or(&[][..], |service| &service.calls);
        calls.iter().try_for_each(|call| self.follow(&call.to, path, done))?;
        path.pop();
        done.push(name);
        Ok(())
    }
}

/// Seed of a source's draws. The first one has the seed's own counts, so that a single one meets those of the fluid kernel.
pub(crate) const fn source_seed(seed: u64, source: usize) -> u64 {
    if source == 0 { seed } else { derive_seed(seed, source as u64) }
}

/// The parts of protocol P1's one service.
pub(super) fn of_protocol(
    scenario: &Scenario,
    seed: u64,
    load: SlotLoad,
    balancing: Balancing,
) -> Result<Parts, ServingError> {
    let workers = scenario.service.workers;
    let mean = scenario.service.mean_s * scenario.regime.service_factor();
    let work_per_pod = scenario.queue_limit_s * scenario.true_capacity();
    let clients = Caller {
        only_while_queued: true,
        ..Caller::new(timeout("client_timeout_s", Some(scenario.client_timeout_s))?, None)
    };
    let service = Service {
        shape: Shape { service: 0, workers, cores: f64::from(workers) },
        balancer: Balancer::new(balancing),
        queue: Default::default(),
        queued: 0,
        in_service: 0,
        limit: Some(QueueLimit { per_pod: work_per_pod, least_pods: 0 }),
        drops_expired: true,
        holds_worker: false,
        work: Sampler::Exponential { mean },
        tokens: None,
        edges: 1..1,
        count: Count::default(),
        latency: Latency::new().map_err(|_| no_histogram())?,
    };
    Ok(Parts {
        seed,
        names: vec!["service".to_owned()],
        objective: Objective::new(Some(scenario.slo_wait_s), None),
        services: vec![service],
        edges: vec![client_edge(0)],
        callers: vec![clients],
        sources: vec![Source::new(0, 0, seed, Classes::default(), Feed::counts(load))],
        class_work: vec![1.0],
        latency: Latency::new().map_err(|_| no_histogram())?,
    })
}

/// The clients' edge to a service.
const fn client_edge(to: u16) -> CallEdge {
    CallEdge { from: None, to, caller: 0, stage: 0, probability: 1.0, count: 1, optional: false, calls: 0, failed: 0 }
}

fn timeout(place: &str, timeout_s: Option<f64>) -> Result<Option<Span>, ServingError> {
    timeout_s.map(|seconds| positive(place.to_owned(), seconds).map(|()| Span::from_secs_f64(seconds))).transpose()
}

fn retries(place: &str, spec: Option<&RetrySpec>) -> Result<Option<Retries>, ServingError> {
    let Some(spec) = spec else { return Ok(None) };
    check(format!("{place}.attempts"), spec.attempts, spec.attempts > 0, "at least 1, the first try included")?;
    for (rest, value) in [("base_s", spec.base_s), ("cap_s", spec.cap_s)] {
        check(format!("{place}.{rest}"), value, value.is_finite() && value >= 0.0, "finite and not negative")?;
    }
    let ratio = spec.budget_ratio.unwrap_or(0.0);
    Retries::new(spec).map(Some).map_err(|_| range(format!("{place}.budget_ratio"), &ratio, "0 to 10"))
}

fn positive(place: String, got: f64) -> Result<(), ServingError> {
    check(place, got, got.is_finite() && got > 0.0, "finite and above 0")
}

fn check(place: String, got: impl ToString + Copy, allowed: bool, what: &'static str) -> Result<(), ServingError> {
    if allowed { Ok(()) } else { Err(range(place, &got, what)) }
}

fn range(place: String, got: &dyn ToString, allowed: &'static str) -> ServingError {
    ServingError::Range { place, got: got.to_string(), allowed }
}

const fn at_most(what: &'static str, got: usize) -> Result<(), ServingError> {
    if got <= MOST { Ok(()) } else { Err(ServingError::TooMany { what, got, most: MOST }) }
}

const fn no_histogram() -> ServingError {
    ServingError::TooMany { what: "significant digits of a histogram", got: 3, most: 5 }
}
