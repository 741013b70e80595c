//! From a scenario to a world, and to the pending events of its first moment.
//!
//! The rates of sources reach back before the start: they warm autoscalers up, and they are what the first scrapes' rates are
//! differences to. Only services at which clients enter have such a past.

use std::sync::Arc;

use hdrhistogram::Histogram;
use seatrial_core::observe::Workload;
use seatrial_core::scaling::policies::Ingredients;
use seatrial_core::scaling::policy::PastSlot;
use seatrial_core::time::{Span, Timestamp};

use super::costs::{Books, seconds_after};
use super::decisions::Scaler;
use super::faults::Fault;
use super::latency::Latencies;
use super::log::{Log, LogLevel};
use super::memory::Memory;
use super::outcome::{Conservation, Outcome, ServiceOutcome};
use super::recorder::{Recorder, ids};
use super::{Event, Options, Timing, World, WorldError, WorldSimulation};
use crate::cluster::machine::Cluster;
use crate::events::{EventQueue, PastEvent};
use crate::ids::ServiceId;
use crate::load::Traffic;
use crate::scenario::{MetricsPipeline, Scenario};
use crate::serving::{Serving, ServingError, source_seed};
use crate::spec::service::AutoscalingSpec;
use crate::spec::{Inputs, ScenarioSpec, ServiceSpec, SourceLoad};
use crate::telemetry::Telemetry;

/// Names by id; clones of a world share them.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub(super) services: Arc<[String]>,
}

impl World {
    /// The world of a scenario at its first moment; nothing has been handled yet.
    ///
    /// # Errors
    /// What in the scenario cannot be.
    pub fn simulation(
        spec: &ScenarioSpec,
        inputs: &Inputs,
        options: &Options<'_>,
    ) -> Result<WorldSimulation, WorldError> {
        let start = start_of(inputs);
        let mut world = Self::new(spec, inputs, options, start)?;
        let mut queue = EventQueue::new(start);
        let past = past_of(spec, inputs)?;
        world.remember(spec, &past, options)?;
        world.begin(&mut queue)?;
        let mut simulation = WorldSimulation::new(world, start);
        simulation.queue = queue;
        Ok(simulation)
    }

    fn new(spec: &ScenarioSpec, inputs: &Inputs, options: &Options<'_>, start: Timestamp) -> Result<Self, WorldError> {
        let services: Arc<[String]> = spec.services.keys().cloned().collect();
        let cluster = Cluster::new(spec, inputs, start, spec.seed)?;
        let end = seconds_after(start, spec.duration_s);
        let mut serving = Serving::new(spec, inputs, spec.seed, start)?;
        if !options.latencies {
            serving.leave_out_latencies();
        }
        if options.log == LogLevel::Requests {
            serving.watch_happenings();
        }
        Ok(Self {
            serving,
            telemetry: Telemetry::new(&spec.metrics, services.len(), start, spec.seed)?,
            scalers: vec![None; services.len()],
            faults: Fault::all(spec, start)?,
            memory: Memory::new(spec),
            books: Books::new(services.len(), start),
            recorder: recorder(options, start, &services, &cluster)?,
            log: Log::new(options.log, entries(spec)),
            records: options.decisions.then(Vec::new),
            names: Names { services },
            timing: Timing { warm_until: seconds_after(start, spec.warm_up_s).min(end), end, is_over: false },
            keeps_latencies: options.latencies,
            told: Vec::new(),
            warm_up: Vec::new(),
            cluster,
        })
    }

    /// Builds the autoscalers; they and telemetry learn what was before the start.
    fn remember(
        &mut self,
        spec: &ScenarioSpec,
        past: &[Vec<Traffic>],
        options: &Options<'_>,
    ) -> Result<(), WorldError> {
        for (index, (name, service)) in spec.services.iter().enumerate() {
            let sources = past[index].as_slice();
            if !sources.is_empty() {
                let service = ServiceId(u16::try_from(index).unwrap_or(u16::MAX));
                self.telemetry
                    .recall(service, |slot| sources.iter().map(|traffic| traffic.realised(slot)).sum::<Option<f64>>());
            }
            if service.autoscaling.is_some() {
                let error = |error| WorldError::Strategy { service: name.clone(), error };
                let past = history(sources, Span::from_secs_f64(spec.metrics.lag_s), &self.telemetry);
                self.scalers[index] = Some(scaler(spec, service, &past, options).map_err(error)?);
            }
        }
        Ok(())
    }

    /// The first moment: pods are there, and what comes next is pending. What ends the run comes before all else of its moment.
    fn begin(&mut self, queue: &mut EventQueue<Event>) -> Result<(), PastEvent> {
        let start = queue.now();
        queue.push(self.timing.end, Event::End)?;
        queue.push(self.timing.next_close(start), Event::Close)?;
        self.cluster.start(queue)?;
        self.pass_on(queue)?;
        self.serving.begin(queue)?;
        self.telemetry.begin(queue)?;
        if let Some(recorder) = &self.recorder {
            queue.push(recorder.next_end(), Event::Interval)?;
        }
        for (index, fault) in (0..=u16::MAX).zip(&self.faults) {
            fault.schedule(index, queue)?;
        }
        if self.memory.grows() {
            queue.push(start, Event::Memory)?;
        }
        for (service, _) in ids(self.scalers.len()).zip(&self.scalers).filter(|(_, scaler)| scaler.is_some()) {
            queue.push(start, Event::Decide(service))?;
        }
        Ok(())
    }

    /// What a run that reached its end leaves.
    ///
    /// # Errors
    /// [`WorldError::Unfinished`] before the end; [`WorldError::NotConserved`] if requests were lost or invented.
    pub fn outcome(simulation: WorldSimulation) -> Result<Outcome, WorldError> {
        let (now, events, world) = (simulation.now(), simulation.handled(), simulation.model);
        if !world.timing.is_over {
            return Err(WorldError::Unfinished { now_us: now.micros(), end_us: world.timing.end.micros() });
        }
        world.serving.conservation()?;
        Ok(world.settled(events))
    }

    fn settled(self, events: u64) -> Outcome {
        let Self { serving, books, recorder, log, records, names, warm_up, scalers, .. } = self;
        let since = |all: Histogram<u64>, place: usize| Latencies::since(all, warm_up.get(place));
        let mut accounts = books.into_accounts();
        let application = accounts.pop().unwrap_or_default();
        let services = ids(names.services.len()).zip(accounts).map(|(id, account)| {
            let tally = scalers[id.index()].as_ref().map(|scaler| scaler.tally).unwrap_or_default();
            ServiceOutcome {
                name: names.services[id.index()].clone(),
                total: account.total(),
                days: account.days,
                latency: since(serving.service_latencies(id), id.index() + 1),
                decisions: tally.decisions,
                overridden: tally.overridden,
                blind: tally.blind,
            }
        });
        let clients = serving.client_totals();
        Outcome {
            total: application.total(),
            days: application.days,
            services: services.collect(),
            latency: since(serving.latencies(), 0),
            timeline: recorder.map(|recorder| recorder.finish(serving.edges())),
            decisions: records.unwrap_or_default(),
            log: log.into_rows(),
            conservation: Conservation {
                offered: clients.offered,
                done: clients.done,
                failed: clients.failed,
                under_way: serving.requests_left(),
            },
            events,
        }
    }
}

fn recorder(
    options: &Options<'_>,
    start: Timestamp,
    services: &[String],
    cluster: &Cluster,
) -> Result<Option<Recorder>, WorldError> {
    let Some(interval) = options.timeline else { return Ok(None) };
    if interval <= Span::ZERO {
        return Err(WorldError::Interval { got_us: interval.micros() });
    }
    let pools = cluster.pools().map(str::to_owned).collect();
    Ok(Some(Recorder::new(start, interval, services.to_vec(), pools)))
}

/// The first moment of the loads; all begin at it.
fn start_of(inputs: &Inputs) -> Timestamp {
    let starts = inputs.loads.iter().filter_map(|load| match load {
        SourceLoad::Rates(load) => Some(load.start()),
        SourceLoad::Listed(_) => None,
    });
    starts.min().unwrap_or(Timestamp::ZERO)
}

/// Entry service of each source.
fn entries(spec: &ScenarioSpec) -> Vec<ServiceId> {
    let known = |name: &str| spec.service_id(name).and_then(|place| u16::try_from(place).ok());
    spec.traffic.iter().filter_map(|source| known(&source.service).map(ServiceId)).collect()
}

/// The sources of each service at which all of them have rates.
pub(super) fn past_of(spec: &ScenarioSpec, inputs: &Inputs) -> Result<Vec<Vec<Traffic>>, WorldError> {
    let scenario = Scenario {
        metrics: MetricsPipeline {
            scrape_s: spec.metrics.scrape_s,
            lag_s: spec.metrics.lag_s,
            // Scrapes are lost for all sources together: telemetry knows which.
            lost_scrape_probability: 0.0,
        },
        ..Scenario::protocol_p1()
    };
    let mut past = vec![Vec::new(); spec.services.len()];
    let mut is_known = vec![true; past.len()];
    for (source_index, (entry, load)) in entries(spec).into_iter().zip(&inputs.loads).enumerate() {
        match load {
            SourceLoad::Rates(load) => {
                let traffic = Traffic::new(&scenario, load, source_seed(spec.seed, source_index));
                let failed = |error| ServingError::Load { source_index, error };
                past[entry.index()].push(traffic.map_err(failed)?);
            }
            SourceLoad::Listed(_) => is_known[entry.index()] = false,
        }
    }
    past.iter_mut().zip(is_known).filter(|(_, is_known)| !is_known).for_each(|(sources, _)| sources.clear());
    Ok(past)
}

fn scaler(
    spec: &ScenarioSpec,
    service: &ServiceSpec,
    past: &[PastSlot],
    options: &Options<'_>,
) -> Result<Scaler, seatrial_core::scaling::config::ConfigError> {
    let workload = workload(spec, service);
    let ingredients = Ingredients { workload: &workload, weights: options.weights };
    let strategy = service.autoscaling.as_ref().map(|scaling| &scaling.strategy);
    let missing = seatrial_core::scaling::config::ConfigError::Missing { id: "autoscaling", what: "a strategy" };
    let autoscaler = strategy.ok_or(missing)?.build(&ingredients)?;
    let mut state = autoscaler.initial_state();
    for slot in past {
        autoscaler.absorb(slot, &mut state);
    }
    Ok(Scaler::new(autoscaler, state, service.replicas))
}

/// Slots older than the one that the first decision sees; of several sources those that all of them know, summed. Those whose
/// scrapes were lost are missing.
pub(super) fn history(sources: &[Traffic], lag: Span, telemetry: &Telemetry) -> Vec<PastSlot> {
    let mut all = sources.iter().map(|traffic| traffic.warm_up(lag).collect::<Vec<PastSlot>>());
    let Some(mut sum) = all.next() else { return Vec::new() };
    for slots in all {
        let shared = sum.len().min(slots.len());
        sum.drain(..sum.len() - shared);
        for (slot, other) in sum.iter_mut().zip(&slots[slots.len() - shared..]) {
            slot.arrival_rate = slot.arrival_rate.zip(other.arrival_rate).map(|(one, other)| one + other);
        }
    }
    for slot in &mut sum {
        slot.arrival_rate = slot.arrival_rate.filter(|_| !telemetry.misses(slot.end));
    }
    sum
}

/// What the autoscaler of `service` knows beforehand.
fn workload(spec: &ScenarioSpec, service: &ServiceSpec) -> Workload {
    let protocol = Workload::protocol_p1();
    let scaling = service.autoscaling.as_ref();
    Workload {
        bounds: scaling.map_or(protocol.bounds, AutoscalingSpec::bounds),
        cpu_request_milli: service.pod.cpu_request_milli,
        cpu_limit_milli: service.pod.cpu_limit_milli,
        decision_interval: scaling
            .map_or(protocol.decision_interval, |scaling| Span::from_secs_f64(scaling.decision_s)),
        scrape_interval: Span::from_secs_f64(spec.metrics.scrape_s),
        metric_lag: Span::from_secs_f64(spec.metrics.lag_s),
        prior_lead_time: scaling
            .map_or(protocol.prior_lead_time, |scaling| Span::from_secs_f64(scaling.prior_lead_time_s)),
        stated_capacity: scaling.and_then(|scaling| scaling.stated_capacity_per_s),
    }
}
