//! The world of a scenario on the event kernel: services, pods, nodes, metrics and autoscalers under one clock.
//!
//! | part | what |
//! |---|---|
//! | [`World`], [`WorldSimulation`] | the rooms and the joined [`Event`]; step, run until, pause, fork |
//! | [`run_scenario`] | a scenario from its first moment to its [`Outcome`] |
//! | [`Options`] | what is recorded besides costs |
//! | [`protocol`] | protocol P1 with the requests one by one: the same signature as the fluid kernel's |
//! | `assembly` | from a scenario to a world, and to the pending events of its first moment |
//! | `past` | what was before the first moment |
//! | `decisions` | one autoscaler of the core per scaled service, called when it wants to be |
//! | `faults`, `memory` | what goes wrong: by plan, and by requests that pile up in a pod |
//! | `recorder`, [`log`], [`latency`] | the [timeline](seatrial_core::record::timeline::Timeline), rows, quantiles |
//! | `costs` | terms by UTC day |
//!
//! Rooms do not know each other. What a pod does goes from the cluster to serving and telemetry; that a pod is drained goes from
//! serving to the cluster; counters go from serving to telemetry when it scrapes; decisions go to the cluster at once. An event
//! is passed on until nobody has anything to say.
//!
//! Invariants: what the recorder and the log are asked for changes no result; a clone (fork), a pause or single steps lead to the
//! same bytes as one long run; every request is done, failed or under way, which every run checks.
//!
//! # Deviations
//! 1. Memory is looked at once a second, in pods whose requests need any; a kernel kills at the first page too many.
//! 2. Decisions have their effect at once: neither the autoscaler's request nor the Deployment controller takes time.
//! 3. `left_over` of the application is the number of queued calls of all services, at most that of requests under way.

mod assembly;
mod costs;
mod decisions;
mod event;
mod faults;
pub mod latency;
pub mod log;
mod memory;
mod outcome;
mod past;
pub mod protocol;
mod recorder;

use hdrhistogram::Histogram;
use seatrial_core::nets::Weights;
use seatrial_core::scaling::config::ConfigError;
use seatrial_core::time::{Span, Timestamp};
use thiserror::Error;

pub use self::event::Event;
pub use self::outcome::{Conservation, DecisionRow, Outcome, ServiceOutcome};

use self::assembly::Names;
use self::costs::{Books, Owed, Totals, next_midnight};
use self::decisions::Scaler;
use self::faults::Fault;
use self::log::{Log, LogLevel};
use self::memory::{Memory, Scrape};
use self::recorder::{Recorder, ids};
use crate::cluster::change::PodChange;
use crate::cluster::machine::{Cluster, ClusterError};
use crate::events::{EventQueue, Model, Others, PastEvent, Simulation, Then};
use crate::ids::ServiceId;
use crate::serving::{Imbalance, Notice, Serving, ServingError};
use crate::spec::{Inputs, Refused, ScenarioSpec};
use crate::telemetry::{Telemetry, TelemetryError};

/// A world and its pending events.
pub type WorldSimulation = Simulation<World>;

/// What is recorded besides costs. Nothing of it changes a result.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// Length of the timeline's intervals; `None` records none.
    pub timeline: Option<Span>,
    /// Whether latencies are recorded, for the outcome and the timeline; without them a world is small to fork.
    pub latencies: bool,
    /// What the event log holds.
    pub log: LogLevel,
    /// Whether every decision is kept.
    pub decisions: bool,
    /// Weights for strategies with nets.
    pub weights: Option<&'a Weights>,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self {
            timeline: Some(Span::from_secs(15)),
            latencies: true,
            log: LogLevel::Off,
            decisions: false,
            weights: None,
        }
    }
}

/// Why a scenario could not be run or its result not be trusted.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum WorldError {
    /// The scenario cannot be.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// Its services cannot be built.
    #[error(transparent)]
    Serving(#[from] ServingError),
    /// Its cluster cannot be built.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// Its metrics pipeline cannot be built.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// An autoscaler cannot be built.
    #[error("services.{service}.autoscaling.strategy: {error}")]
    Strategy {
        /// The service.
        service: String,
        /// What is wrong.
        error: ConfigError,
    },
    /// A fault names what is not there.
    #[error("faults[{index}]: there is no {kind} `{name}`; known are: {known}")]
    UnknownName {
        /// Place of the fault.
        index: usize,
        /// `service` or `pool`.
        kind: &'static str,
        /// The name given.
        name: String,
        /// All names, separated by commas.
        known: String,
    },
    /// The timeline's interval is not positive.
    #[error("timeline: the interval is {got_us} µs; give one above 0, or none")]
    Interval {
        /// The interval given in microseconds.
        got_us: i64,
    },
    /// An outcome was asked for before the end.
    #[error("world: at {now_us} µs there is no outcome yet; run it until its end, {end_us} µs")]
    Unfinished {
        /// The present in microseconds.
        now_us: i64,
        /// The end in microseconds.
        end_us: i64,
    },
    /// Requests were lost or invented.
    #[error("world: {0}: a bug of the kernel, please report the scenario")]
    NotConserved(#[from] Imbalance),
    /// A handler scheduled an effect before its cause.
    #[error("world: {0}: a bug of the kernel, please report the scenario")]
    Past(#[from] PastEvent),
}

/// When what happens to the run itself.
#[derive(Clone, Copy, Debug)]
struct Timing {
    warm_until: Timestamp,
    end: Timestamp,
    is_over: bool,
}

/// Everything that a scenario is about. See the module.
#[derive(Clone)]
pub struct World {
    serving: Serving,
    cluster: Cluster,
    telemetry: Telemetry,
    /// By service.
    scalers: Vec<Option<Scaler>>,
    faults: Vec<Fault>,
    memory: Memory,
    books: Books,
    recorder: Option<Recorder>,
    log: Log,
    records: Option<Vec<DecisionRow>>,
    names: Names,
    timing: Timing,
    keeps_latencies: bool,
    /// Changes that are being passed on.
    told: Vec<PodChange>,
    /// Latencies of the warm-up: of the clients, then of each service.
    warm_up: Vec<Histogram<u64>>,
}

/// Runs a scenario from its first moment to its end.
///
/// # Errors
/// What in the scenario cannot be, or (a bug) that requests are not conserved.
pub fn run_scenario(spec: &ScenarioSpec, inputs: &Inputs, options: &Options<'_>) -> Result<Outcome, WorldError> {
    let mut simulation = World::simulation(spec, inputs, options)?;
    simulation.run_until(simulation.model.end())?;
    World::outcome(simulation)
}

impl Model for World {
    type Event = Event;

    fn handle(&mut self, event: Event, queue: &mut EventQueue<Event>) -> Result<Then, PastEvent> {
        match event {
            Event::Serving(event) => {
                self.serve(event, queue)?;
            }
            Event::Cluster(event) => {
                self.cluster.handle(event, queue)?;
                self.pass_on(queue)?;
            }
            Event::Telemetry(event) => {
                let mut source = Scrape { serving: &self.serving, memory: &self.memory, now: queue.now() };
                self.telemetry.handle(event, queue, &mut source)?;
            }
            Event::Decide(service) => self.decide(service, queue)?,
            Event::Fault { index, ends } => self.fault(index, ends, queue)?,
            Event::Memory => self.look_at_memory(queue)?,
            Event::Interval => self.end_interval(queue)?,
            Event::Close => self.close(queue)?,
            Event::End => {
                self.end_run(queue.now());
                return Ok(Then::Pause);
            }
        }
        Ok(Then::Continue)
    }

    #[inline]
    fn foresee(&self, event: Event, others: Others) {
        if let Event::Serving(event) = event {
            self.serving.foresee(event, others);
        }
    }
}

impl World {
    /// When the scenario is over.
    #[must_use]
    pub const fn end(&self) -> Timestamp {
        self.timing.end
    }

    /// The services' requests.
    #[must_use]
    pub const fn serving(&self) -> &Serving {
        &self.serving
    }

    /// The pods and nodes.
    #[must_use]
    pub const fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    #[inline]
    fn serve(&mut self, event: crate::serving::Event, queue: &mut EventQueue<Event>) -> Result<(), PastEvent> {
        if self.log.holds_requests() {
            return self.serve_and_log(event, queue);
        }
        self.serving.handle(event, queue)?;
        self.hear(queue)
    }

    #[cold]
    fn serve_and_log(&mut self, event: crate::serving::Event, queue: &mut EventQueue<Event>) -> Result<(), PastEvent> {
        if let crate::serving::Event::Arrival { source } = event {
            self.log.arrival(queue.now(), source);
        }
        self.serving.handle(event, queue)?;
        self.log.happenings(queue.now(), self.serving.take_happenings());
        self.hear(queue)
    }

    /// Passes on what serving has to say.
    #[inline]
    fn hear(&mut self, queue: &mut EventQueue<Event>) -> Result<(), PastEvent> {
        while let Some(Notice::Drained(pod)) = self.serving.pop_notice() {
            self.log.drained(queue.now(), pod);
            self.cluster.pod_drained(pod, queue)?;
            self.tell(queue)?;
        }
        Ok(())
    }

    /// Passes on what the cluster has to say, and what follows from it.
    fn pass_on(&mut self, queue: &mut EventQueue<Event>) -> Result<(), PastEvent> {
        self.tell(queue)?;
        self.hear(queue)
    }

    fn tell(&mut self, queue: &mut EventQueue<Event>) -> Result<(), PastEvent> {
        let Self { serving, cluster, telemetry, memory, log, recorder, told, .. } = self;
        told.clear();
        told.extend(cluster.changes());
        for change in told.iter() {
            memory.apply(change);
            serving.apply(change, queue)?;
            telemetry.apply(change, queue)?;
            if log.is_on() {
                log.change(queue.now(), change, cluster.node_of(change.pod));
                // A pod that ends fails calls, and who does without them may be done.
                log.happenings(queue.now(), serving.take_happenings());
            }
        }
        for mark in cluster.marks() {
            log.mark(&mark);
            if let Some(recorder) = recorder {
                recorder.mark(mark);
            }
        }
        Ok(())
    }

    fn end_interval(&mut self, queue: &mut EventQueue<Event>) -> Result<(), PastEvent> {
        let Some(recorder) = &mut self.recorder else { return Ok(()) };
        recorder.close(queue.now(), &mut self.serving, &self.cluster);
        queue.push(recorder.next_end(), Event::Interval)
    }

    /// The warm-up is over, or a day.
    fn close(&mut self, queue: &mut EventQueue<Event>) -> Result<(), PastEvent> {
        let now = queue.now();
        self.close_books(now);
        if now <= self.timing.warm_until {
            self.books.forget();
            if let Some(recorder) = &mut self.recorder {
                recorder.forget_edges(self.serving.edge_totals());
            }
            if now == self.timing.warm_until && self.keeps_latencies {
                let services = ids(self.names.services.len()).map(|service| self.serving.service_latencies(service));
                self.warm_up = core::iter::once(self.serving.latencies()).chain(services).collect();
            }
        }
        queue.push(self.timing.next_close(now), Event::Close)
    }

    fn close_books(&mut self, now: Timestamp) {
        let services: Vec<Totals> = ids(self.names.services.len()).map(|id| self.totals_of(id, now)).collect();
        let clients = self.serving.client_totals();
        let application =
            Totals { requests: clients.offered, bad: clients.bad, drops: clients.failed, ..Totals::default() };
        let application = services.iter().fold(application, Totals::with_pods_of);
        self.books.close(now, services.into_iter().chain([application]));
    }

    fn totals_of(&self, service: ServiceId, now: Timestamp) -> Totals {
        let ingress = self.serving.ingress(service);
        Totals {
            pods: self.cluster.pod_seconds_of(service, now),
            changes: self.scalers[service.index()].as_ref().map_or(0, |scaler| scaler.tally.changes),
            requests: ingress.arrived,
            bad: ingress.bad,
            drops: self.serving.service_totals(service, now).failed,
        }
    }

    fn end_run(&mut self, now: Timestamp) {
        self.close_books(now);
        let owed = |service| Owed {
            start_s: self.cluster.unfinished_start_s(service, now),
            left_over: f64::from(self.serving.queued(service)),
        };
        let services: Vec<Owed> = ids(self.names.services.len()).map(owed).collect();
        #[expect(clippy::cast_precision_loss, reason = "requests under way")]
        let left = self.serving.requests_left() as f64;
        let application = Owed {
            start_s: services.iter().map(|owed| owed.start_s).sum(),
            left_over: services.iter().map(|owed| owed.left_over).sum::<f64>().min(left),
        };
        self.books.owe(services.into_iter().chain([application]));
        if let Some(recorder) = self.recorder.as_mut().filter(|recorder| recorder.is_behind(now)) {
            recorder.close(now, &mut self.serving, &self.cluster);
        }
        self.timing.is_over = true;
    }
}

impl Timing {
    /// When the books are closed next: at the end of the warm-up, and at each midnight.
    fn next_close(&self, now: Timestamp) -> Timestamp {
        let midnight = next_midnight(now);
        if now < self.warm_until { midnight.min(self.warm_until) } else { midnight }
    }
}

#[cfg(test)]
mod tests;
