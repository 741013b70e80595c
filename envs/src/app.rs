//! An application of several services on the fluid kernel: a scenario of the schema, driven by an autoscaler per service.
//!
//! [`fluid_app`] makes it from a scenario; [`FluidApp::run`] lets it happen and answers with costs by service and in all, and the rows
//! of a timeline. What the kernel can express stands in [`crate::spec::lower`], how services depend on each other in its module
//! `fluid::network`. An application of one service is [`crate::episode::run_episode`] of the same world, to the bit (tested).

mod timeline;

use seatrial_core::observe::Observation;
use seatrial_core::record::DecisionRecord;
use seatrial_core::record::timeline::Timeline;
use seatrial_core::scaling::autoscaler::{Autoscaler, AutoscalerState};
use seatrial_core::scaling::config::ConfigError;
use seatrial_core::scaling::policies::Ingredients;
use seatrial_core::scaling::policy::Reason;
use seatrial_core::time::{Span, Timestamp};
use thiserror::Error;

use crate::episode::{CONSERVATION, Driver, EpisodeResult};
use crate::fluid::costs::{CostTerms, DayCosts};
use crate::fluid::network::{Network, SettledService};
use crate::fluid::node::Node;
use crate::fluid::world::World;
use crate::ids::ServiceId;
use crate::load::{LoadError, Traffic};
use crate::scenario::CostWeights;
use crate::spec::lower::{LowerError, Lowered, LoweredService, lower};
use crate::spec::{Inputs, Refused, ScenarioSpec, ServiceSpec, refuse};
use crate::world::DecisionRow;
use seatrial_core::rand::derive_seed;
use timeline::Rows;

/// Grid in seconds on which pods change state in evaluation, as in protocol P1.
const PHYSICS_STEP_S: f64 = 1.0;

/// Why an application could not be run or its result not be trusted.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum AppError {
    /// The scenario cannot be.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The scenario is not one for the fluid kernel.
    #[error(transparent)]
    Lower(#[from] LowerError),
    /// The load of a service does not fit.
    #[error("service `{service}`: {error}")]
    Load {
        /// The service.
        service: String,
        /// What is wrong.
        error: LoadError,
    },
    /// An autoscaler cannot be built.
    #[error("services.{service}.autoscaling.strategy: {error}")]
    Strategy {
        /// The service.
        service: String,
        /// What is wrong.
        error: ConfigError,
    },
    /// Another number of drivers than of services.
    #[error(
        "application: {got} drivers for {services} services: give one per service in the order of names, or `None`"
    )]
    Drivers {
        /// The drivers given.
        got: usize,
        /// The services there are.
        services: usize,
    },
    /// Requests were lost or invented.
    #[error(
        "application: requests are not conserved, relative imbalance {relative}: a bug of the kernel, please report it"
    )]
    NotConserved {
        /// |arrived − completed − dropped − queued| / arrived, the greatest of all services.
        relative: f64,
    },
}

/// A scenario on the fluid kernel, with its traffic realised.
#[derive(Clone, Debug)]
pub struct FluidApp {
    lowered: Lowered,
    traffic: Vec<Traffic>,
}

/// What is recorded besides costs. Nothing of it changes a result.
#[derive(Clone, Copy, Debug, Default)]
pub struct AppOptions {
    /// Length of the timeline's intervals, rounded down to whole scrape intervals, which is what `None` stands for.
    pub timeline: Option<Span>,
    /// Whether every decision is kept.
    pub decisions: bool,
}

/// What an application cost.
#[derive(Clone, Debug)]
pub struct AppOutcome {
    /// By service, in the order of names.
    pub services: Vec<ServiceOutcome>,
    /// The whole, by UTC day: requests and bad requests are the clients', everything else the sum over services (drops and what is
    /// left over are calls).
    pub days: Vec<DayCosts>,
    /// Their sum.
    pub total: CostTerms,
    /// What happened, by interval.
    pub timeline: Timeline,
    /// Every decision, if they were asked for.
    pub decisions: Vec<DecisionRow>,
}

/// What a service did.
#[derive(Clone, Debug)]
pub struct ServiceOutcome {
    /// Its name.
    pub name: String,
    /// Costs and decisions; its requests are calls.
    pub result: EpisodeResult,
    /// Share of the ready workers' time that was busy, 0 to 1.
    pub utilisation: f64,
}

impl AppOutcome {
    /// J of the whole in pod-seconds at the given prices.
    #[must_use]
    pub fn j(&self, costs: CostWeights) -> f64 {
        self.total.j(costs)
    }
}

/// `spec` with its traffic as `seed` realises it.
///
/// # Errors
/// If the scenario cannot be, the fluid kernel cannot express it, or a load does not fit.
pub fn fluid_app(spec: &ScenarioSpec, inputs: &Inputs, seed: u64) -> Result<FluidApp, AppError> {
    refuse(spec, inputs)?;
    FluidApp::new(Lowered { seed, ..lower(spec, inputs, PHYSICS_STEP_S)? })
}

/// Runs `spec` with its own seed and one driver per service in the order of names; `None` leaves a service's pods as they are.
///
/// # Errors
/// If the scenario cannot be run, drivers are missing, or (a bug) requests are not conserved.
pub fn run_fluid(
    spec: &ScenarioSpec,
    inputs: &Inputs,
    drivers: Vec<Option<Driver<'_>>>,
) -> Result<AppOutcome, AppError> {
    fluid_app(spec, inputs, spec.seed)?.run(drivers)
}

/// Runs `spec` with its own seed and the autoscalers that it names.
///
/// # Errors
/// As [`run_fluid`], and if an autoscaler cannot be built.
pub fn run_scenario(spec: &ScenarioSpec, inputs: &Inputs, options: &AppOptions) -> Result<AppOutcome, AppError> {
    let app = fluid_app(spec, inputs, spec.seed)?;
    let build = |(name, service): (&String, &ServiceSpec)| {
        let workload = spec.workload(service);
        let ingredients = Ingredients { workload: &workload, weights: None };
        let built = service.autoscaling.as_ref().map(|scaling| scaling.strategy.build(&ingredients)).transpose();
        built.map_err(|error| AppError::Strategy { service: name.clone(), error })
    };
    let autoscalers = spec.services.iter().map(build).collect::<Result<Vec<_>, _>>()?;
    let drivers = autoscalers.iter().enumerate().map(|(id, autoscaler)| {
        autoscaler.as_ref().map(|autoscaler| Driver { autoscaler, state: app.warm_state(id, autoscaler) })
    });
    app.run_with(drivers.collect(), options)
}

/// Seed of a service's draws: its start-ups, counts, lost scrapes. The first one has that of the whole.
pub(crate) fn service_seed(seed: u64, service: usize) -> u64 {
    if service == 0 { seed } else { derive_seed(seed, service as u64) }
}

impl FluidApp {
    pub(crate) fn new(lowered: Lowered) -> Result<Self, AppError> {
        let realise = |(id, service): (usize, &LoweredService)| {
            let traffic = Traffic::new(&service.scenario, &service.nominal, service_seed(lowered.seed, id));
            traffic.map_err(|error| AppError::Load { service: service.name.clone(), error })
        };
        let traffic = lowered.services.iter().enumerate().map(realise).collect::<Result<_, _>>()?;
        Ok(Self { lowered, traffic })
    }

    /// The services in the kernel's form.
    #[must_use]
    pub const fn lowered(&self) -> &Lowered {
        &self.lowered
    }

    /// A fresh state of `autoscaler`, warmed up from the history of a service.
    ///
    /// # Panics
    /// If there is no such service: a bug of the caller.
    #[must_use]
    pub fn warm_state(&self, service: usize, autoscaler: &Autoscaler) -> AutoscalerState {
        let scenario = &self.lowered.services[service].scenario;
        crate::episode::warm_state(autoscaler, scenario, &self.traffic[service])
    }

    /// Runs it with one driver per service in the order of names.
    ///
    /// # Errors
    /// If drivers are missing, or (a bug) requests are not conserved.
    pub fn run(&self, drivers: Vec<Option<Driver<'_>>>) -> Result<AppOutcome, AppError> {
        self.run_with(drivers, &AppOptions::default())
    }

    /// [`Self::run`], with a choice of what is recorded.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn run_with(&self, drivers: Vec<Option<Driver<'_>>>, options: &AppOptions) -> Result<AppOutcome, AppError> {
        let services = self.lowered.services.len();
        if drivers.len() != services {
            return Err(AppError::Drivers { got: drivers.len(), services });
        }
        Run::new(self, drivers, options).run()
    }

    pub(crate) fn network(&self) -> Network<'_> {
        let Lowered { services, graph, duration, warm_up, .. } = &self.lowered;
        let node = |(id, service): (usize, &LoweredService)| {
            let world = World::new(&service.scenario).with_queue_limit(service.queue_limit).with_patience();
            Node::new(world.with_work(&service.work), &self.traffic[id], service.replicas, graph.callers(id).is_empty())
        };
        let nodes = services.iter().enumerate().map(node).collect();
        let direct = services.iter().map(|service| service.direct.as_ref()).collect();
        Network::new(graph, nodes, direct, &self.traffic[0], (*warm_up, *duration))
    }
}

/// Who decides for a service.
struct Seat<'a> {
    driver: Option<Driver<'a>>,
    seen: Observation,
    desired: u32,
    /// When it decides next.
    next: Timestamp,
    result: EpisodeResult,
}

struct Run<'a> {
    app: &'a FluidApp,
    network: Network<'a>,
    seats: Vec<Seat<'a>>,
    rows: Rows,
    records: Option<Vec<DecisionRow>>,
}

impl<'a> Run<'a> {
    fn new(app: &'a FluidApp, drivers: Vec<Option<Driver<'a>>>, options: &AppOptions) -> Self {
        let network = app.network();
        let now = network.now();
        let seat = |(driver, service): (Option<Driver<'a>>, &LoweredService)| Seat {
            next: if driver.is_some() { now } else { network.end() },
            driver,
            seen: Observation::unknown(now, service.replicas),
            desired: service.replicas,
            result: EpisodeResult::at_the_start(service.replicas),
        };
        let seats = drivers.into_iter().zip(&app.lowered.services).map(seat).collect();
        let rows = Rows::new(&network, &app.lowered, options.timeline);
        Self { app, network, seats, rows, records: options.decisions.then(Vec::new) }
    }

    fn run(mut self) -> Result<AppOutcome, AppError> {
        while self.network.now() < self.network.end() {
            for service in 0..self.seats.len() {
                self.decide(service);
            }
            let next = self.seats.iter().map(|seat| seat.next).fold(self.network.end(), Timestamp::min);
            let slot_end = self.network.slot_end();
            self.network.advance(next.min(slot_end));
            if self.network.now() == slot_end && self.rows.are_due() {
                let desired = self.seats.iter().map(|seat| seat.desired);
                self.rows.write(&mut self.network, desired);
            }
        }
        self.settle()
    }

    /// Lets the autoscaler of a service decide, if it is time.
    fn decide(&mut self, service: usize) {
        let (now, seat, node) = (self.network.now(), &mut self.seats[service], &mut self.network.nodes[service]);
        let Some(driver) = seat.driver.as_mut().filter(|_| seat.next <= now) else { return };
        node.observe(now, seat.desired, &mut seat.seen);
        let (view, decision) = driver.autoscaler.decide_viewed(now, &seat.seen, &mut driver.state);
        if let Some(records) = &mut self.records {
            records.push(DecisionRow {
                service: ServiceId(u16::try_from(service).unwrap_or(u16::MAX)),
                record: DecisionRecord::new(&view, &decision),
            });
        }
        let result = &mut seat.result;
        result.decisions += 1;
        result.overridden += u64::from(decision.overridden);
        result.blind += u64::from(seat.seen.arrival_rate().is_none());
        let held = decision.proposal.replicas.is_none() && decision.proposal.reason == Reason::MetricMissing;
        result.held_for_missing += u64::from(held);
        seat.desired = decision.replicas;
        node.scale(now, seat.desired);
        // The moment that was asked for, on the physics grid and after now.
        let step = node.world.step;
        let wait = (decision.next_at - now + step - Span::from_micros(1)).whole_steps(step).max(1);
        seat.next = now + step * wait;
    }

    fn settle(self) -> Result<AppOutcome, AppError> {
        let Self { app, network, seats, rows, records } = self;
        let timeline = rows.finish(&network, &app.lowered);
        let settled = network.settle();
        if settled.imbalance > CONSERVATION || settled.imbalance.is_nan() {
            return Err(AppError::NotConserved { relative: settled.imbalance });
        }
        let mut total = CostTerms::default();
        settled.days.iter().for_each(|day| total.add(&day.terms));
        let mut services = Vec::with_capacity(seats.len());
        for ((settled, seat), service) in settled.services.into_iter().zip(seats).zip(&app.lowered.services) {
            let SettledService { days, total, utilisation } = settled;
            let result = EpisodeResult { days, total, ..seat.result };
            services.push(ServiceOutcome { name: service.name.clone(), result, utilisation });
        }
        Ok(AppOutcome { services, days: settled.days, total, timeline, decisions: records.unwrap_or_default() })
    }
}

#[cfg(test)]
mod tests;
