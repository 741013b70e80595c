//! From a scenario to a world, and to the pending events of its first moment.
//!
//! A world does not begin empty: see `past`.

use std::sync::Arc;

use hdrhistogram::Histogram;
use seatrial_core::scaling::policies::Ingredients;
use seatrial_core::time::{Span, Timestamp};

use super::costs::{Books, seconds_after};
use super::decisions::Scaler;
use super::faults::Fault;
use super::latency::Latencies;
use super::log::{Log, LogLevel};
use super::memory::Memory;
use super::outcome::{Conservation, Outcome, ServiceOutcome};
use super::past::Past;
use super::recorder::{Recorder, ids};
use super::{Event, Options, Timing, World, WorldError, WorldSimulation};
use crate::cluster::machine::Cluster;
use crate::events::{EventQueue, PastEvent};
use crate::ids::ServiceId;
use crate::serving::Serving;
use crate::spec::{Inputs, ScenarioSpec, SourceLoad, refuse};
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
        refuse(spec, inputs)?;
        let start = start_of(inputs);
        let mut world = Self::new(spec, inputs, options, start)?;
        let mut queue = EventQueue::new(start);
        let past = Past::new(spec, inputs)?;
        world.build_scalers(spec, &past, options)?;
        world.begin(&past, &mut queue)?;
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

    /// Builds the autoscalers; they learn what was before the start.
    fn build_scalers(&mut self, spec: &ScenarioSpec, past: &Past, options: &Options<'_>) -> Result<(), WorldError> {
        for (id, (name, service)) in ids(spec.services.len()).zip(&spec.services) {
            let Some(scaling) = &service.autoscaling else { continue };
            let workload = spec.workload(service);
            let ingredients = Ingredients { workload: &workload, weights: options.weights };
            let error = |error| WorldError::Strategy { service: name.clone(), error };
            let autoscaler = scaling.strategy.build(&ingredients).map_err(error)?;
            let mut state = autoscaler.initial_state();
            for slot in past.history(id, &workload, &self.telemetry) {
                autoscaler.absorb(&slot, &mut state);
            }
            self.scalers[id.index()] = Some(Scaler::new(autoscaler, state, service.replicas));
        }
        Ok(())
    }

    /// The first moment: pods are there, and what comes next is pending. What ends the run comes before all else of its moment.
    fn begin(&mut self, past: &Past, queue: &mut EventQueue<Event>) -> Result<(), PastEvent> {
        let start = queue.now();
        queue.push(self.timing.end, Event::End)?;
        queue.push(self.timing.next_close(start), Event::Close)?;
        self.cluster.start(queue)?;
        self.pass_on(queue)?;
        self.recall(past, start);
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
            timeline: recorder.map(|recorder| recorder.finish(&serving)),
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
