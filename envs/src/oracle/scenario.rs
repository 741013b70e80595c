//! What a scenario of one service costs at least, whoever decides: the oracle's lower bound with the node tier.
//!
//! Stages are those of the shared queue at its best (module `relaxed`), whatever balances, fails, retires or disturbs. On the fluid kernel
//! no run costs less. On the event kernel a queue takes time to settle, near saturation more than a bin: there each bin begins with an
//! empty queue (`stage::Queue::Any`), and as requests are drawn one by one it is a bound on what is to be expected. It is never the
//! optimum: [`reached`] runs schedules that know the load, and what the cheapest costs is the other end.
//!
//! The node tier: nodes have no price in J, so the more of them a schedule has, the better, and the state of the programme need not
//! count them. Ready pods are at most what quota and pools hold by then (module `room`): the nodes of the first moment until the first
//! one can have been provisioned, and from then on as many as the pools may have.
//!
//! Pods that replace others (evictions, drained nodes, kills) and those of a warm-up take draws of the start-up at no price, so the order
//! of draws is not the schedule's where there are any: then a start is billed the shortest of the first 65,536 draws. After a warm-up
//! the pods may be as many as one likes, and starts may be under way: the bound begins when the longest of these draws is over.

mod reached;
mod relaxed;
mod room;

pub use self::reached::{NotReached, Reached, reached};
pub use self::room::Room;

use core::ops::RangeInclusive;

use seatrial_core::math;
use seatrial_core::rand::{Stream, uniform};
use seatrial_core::time::Span;
use thiserror::Error;

use super::bound::{Bills, Bound, Problem, greatest, with_least_start};
use super::stage::{Queue, StageCosts};
use crate::cluster::machine::probed;
use crate::fluid::work::Work;
use crate::fluid::world::World;
use crate::load::{EpisodeLoad, LoadError};
use crate::spec::lower::{LowerError, LoweredService};
use crate::spec::service::Balancing;
use crate::spec::{Inputs, KernelChoice, Sampler, ScenarioSpec, ServiceSpec};

/// Draws of the start-up that are looked at where their order is not the schedule's.
const DEALT: u64 = 1 << 16;
/// Longest wait of a good request up to which it may be judged by the moment in which it comes.
const LONGEST_WAIT_S: f64 = 1.0;
/// Bins are at most so long: pools grow between them.
const LONGEST_BIN: Span = Span::from_secs(60);
/// Bins times levels of the programme, 8 bytes each.
const MOST_CELLS: usize = 1 << 27;
/// Of the fluid model.
const MOST_PODS: u32 = 10_000;
/// −ln of the share of bad requests that counts as none.
const NEGLIGIBLE_EXPONENT: f64 = 28.0;

/// What a scenario costs at least.
#[derive(Clone, Debug, PartialEq)]
pub struct ScenarioBound {
    /// J in pod-seconds that the fluid model allows no schedule to go below.
    pub lower: f64,
    /// The same if every pod found room at once; the difference is what nodes and quota cost at least.
    pub lower_with_room: f64,
    /// Pods that quota and pools can hold; `None` without nodes.
    pub room: Option<Room>,
}

/// Why a scenario has no bound.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum NoBound {
    /// Nobody decides.
    #[error("nothing is decided in it: no service has `autoscaling`")]
    NothingDecided,
    /// Several services.
    #[error("it has {0} services, and which calls reach which is up to whoever decides")]
    Services(usize),
    /// Retries.
    #[error("clients retry, and a request that comes back may be good in the end")]
    Retries,
    /// Waiting.
    #[error(
        "a good request may wait {0}, so which ones are bad depends on what was before and not on the moment alone"
    )]
    Wait(String),
    /// Rollouts.
    #[error("a rollout adds pods beyond `max` for a while")]
    Rollouts,
    /// A short queue, or impatient clients.
    #[error(
        "no request stays in its queue for more than {0:.3} s (`queue_limit`, `client.timeout_s`), so that overload leaves good ones"
    )]
    ShortQueue(f64),
    /// Work.
    #[error("its work is not exponential, and no other has a known least wait")]
    Work,
    /// Pods.
    #[error("it may have {0} pods, and the model takes at most {MOST_PODS}")]
    Pods(u32),
    /// Fast nodes.
    #[error("the speed of nodes in the pool `{0}` may exceed 1, and the bound takes pods at their nominal speed")]
    FastNodes(String),
    /// A short run.
    #[error("no whole bin of its load begins after the warm-up and the longest start")]
    TooShort,
    /// A large run.
    #[error("its programme has {bins} bins of up to {levels} pods, more than fit into a GiB")]
    TooLarge {
        /// Bins.
        bins: usize,
        /// Levels.
        levels: usize,
    },
    /// The model does not hold the rest.
    #[error("its model does not hold the scenario: {}", of_model(.0))]
    Model(LowerError),
    /// The load.
    #[error(transparent)]
    Load(#[from] LoadError),
}

/// Without the way out that helps on the fluid kernel alone.
fn of_model(error: &LowerError) -> String {
    match error {
        LowerError::Unsupported { key, got, allowed } => format!("`{key}` is {got}, and it takes {allowed}"),
        error => error.to_string(),
    }
}

/// The bound of `spec` with its own seed.
///
/// # Errors
/// Why there is none; a scenario that no kernel could run is for [`crate::spec::refuse`] to tell first.
pub fn bound(spec: &ScenarioSpec, inputs: &Inputs) -> Result<ScenarioBound, NoBound> {
    let case = Case::new(spec, inputs)?;
    let room = case.room;
    let lower = case.greatest(1.0, room)?.lower;
    let lower_with_room = if room.is_some() { case.greatest(1.0, None)?.lower } else { lower };
    Ok(ScenarioBound { lower, lower_with_room, room })
}

/// A scenario of one service, ready for the programme.
struct Case<'a> {
    spec: &'a ScenarioSpec,
    service: &'a ServiceSpec,
    world: World,
    /// From the first moment of the bound to the end.
    load: EpisodeLoad,
    /// From the start of the scenario to the bound's.
    begins_after: Span,
    initial: Option<RangeInclusive<u32>>,
    room: Option<Room>,
    starts: Starts,
    queue: Queue,
}

impl<'a> Case<'a> {
    fn new(spec: &'a ScenarioSpec, inputs: &Inputs) -> Result<Self, NoBound> {
        let service = the_service(spec)?;
        let lowered = relaxed::lowered(spec, inputs).map_err(NoBound::Model)?;
        let [of_service] = lowered.services.as_slice() else { return Err(NoBound::Services(lowered.services.len())) };
        let mut world = World::new(&of_service.scenario).with_work(&of_service.work);
        world.smallest = world.smallest.min(room::allowed(spec, &service.pod));
        if spec.kernel == KernelChoice::Events && of_service.work != Work::EXPONENTIAL {
            return Err(NoBound::Work);
        }
        refuse_short_queue(spec, service, &world)?;
        refuse_fast_nodes(spec, inputs)?;
        let starts = Starts::new(spec, service, of_service, inputs);
        let begins_after = if spec.warm_up_s > 0.0 {
            Span::from_secs_f64(spec.warm_up_s) + Span::from_secs_f64(starts.longest_s)
        } else {
            Span::ZERO
        };
        let (load, begins_after) = part(&of_service.nominal, begins_after, Span::from_secs_f64(spec.duration_s))?;
        let world = without_idle_levels(world, &load);
        let room = room::of(spec, service, inputs);
        Ok(Self {
            spec,
            service,
            world,
            load,
            begins_after,
            initial: (spec.warm_up_s <= 0.0).then(|| initial(spec, service, room)),
            room,
            starts,
            queue: queue(spec, service, world),
        })
    }

    /// The programme for `reserve` times the load, with so much room.
    fn greatest(&self, reserve: f64, room: Option<Room>) -> Result<Bound, NoBound> {
        let load = if reserve == 1.0 { self.load.clone() } else { self.load.scaled(reserve)? };
        let (bins, levels) = (load.rates_per_s().len(), self.world.largest - self.world.smallest);
        let levels = usize::try_from(levels).unwrap_or(usize::MAX).saturating_add(1);
        if bins.saturating_mul(levels) > MOST_CELLS {
            return Err(NoBound::TooLarge { bins, levels });
        }
        let stages = StageCosts::from(&self.world, &load, self.queue);
        let most = |bin| self.most(room, bin);
        let problem = Problem {
            stages: &stages,
            bills: self.bills(),
            initial: self.initial.clone(),
            most: room.is_some().then_some(&most as &dyn Fn(usize) -> u32),
        };
        let of_least = with_least_start(&problem, self.starts.shortest_s);
        if !self.starts.is_in_order {
            return Ok(of_least);
        }
        let in_order = greatest(&problem);
        Ok(if in_order.lower > of_least.lower { in_order } else { of_least })
    }

    fn bills(&self) -> Bills<'_> {
        let (churn, pre_stop_s) = (self.spec.costs.churn, self.service.termination.pre_stop_s);
        let is_fluid = self.spec.kernel == KernelChoice::Fluid;
        // On the event kernel a pod whose container does not run is gone at once: one that has not begun, or was killed, or lost its node.
        let termination_s = if is_fluid || self.starts.is_in_order { pre_stop_s } else { 0.0 };
        let wasted = 2.0 * churn + if is_fluid { pre_stop_s } else { 0.0 };
        let (typical_start_s, start_up_s) = (self.starts.median_s, &*self.starts.drawn_s);
        Bills { churn, termination_s, wasted, typical_start_s, start_up_s }
    }

    /// Most ready pods in a bin. Pods of the first moment that find no room wait for it at no price of a change: the bound lets them serve.
    fn most(&self, room: Option<Room>, bin: usize) -> u32 {
        let ends = self.begins_after + self.load.interval() * (crate::load::signed(bin) + 1);
        let initial = self.initial.as_ref().map_or(0, |initial| *initial.end());
        room.map_or(u32::MAX, |room| room.by(ends)).max(initial).max(self.world.smallest)
    }
}

fn the_service(spec: &ScenarioSpec) -> Result<&ServiceSpec, NoBound> {
    if spec.services.values().all(|service| service.autoscaling.is_none()) {
        return Err(NoBound::NothingDecided);
    }
    let mut services = spec.services.values();
    let (Some(service), None) = (services.next(), services.next()) else {
        return Err(NoBound::Services(spec.services.len()));
    };
    if spec.client.retries.is_some() {
        return Err(NoBound::Retries);
    }
    if !service.rollout.at_s.is_empty() {
        return Err(NoBound::Rollouts);
    }
    if service.most_replicas() > MOST_PODS {
        return Err(NoBound::Pods(service.most_replicas()));
    }
    match spec.slo.wait_s {
        Some(wait_s) if wait_s <= LONGEST_WAIT_S => Ok(service),
        Some(wait_s) => Err(NoBound::Wait(format!("{wait_s} s"))),
        None => Err(NoBound::Wait("for any time".to_owned())),
    }
}

/// Overload is taken to leave no good requests: who is at the end of a full queue must be bad, with room to spare.
fn refuse_short_queue(spec: &ScenarioSpec, service: &ServiceSpec, world: &World) -> Result<(), NoBound> {
    let longest_s = longest_stay_s(spec, service, world);
    if longest_s < 2.0 * world.slo_wait_s { Err(NoBound::ShortQueue(longest_s)) } else { Ok(()) }
}

fn queue(spec: &ScenarioSpec, service: &ServiceSpec, world: World) -> Queue {
    match spec.kernel {
        KernelChoice::Fluid => Queue::Settled,
        KernelChoice::Events => Queue::Any {
            full_s: longest_stay_s(spec, service, &world),
            is_shared: service.balancing == Balancing::Shared,
        },
    }
}

/// Seconds that a request stays in a queue at most.
fn longest_stay_s(spec: &ScenarioSpec, service: &ServiceSpec, world: &World) -> f64 {
    let full_s = service.queue_limit.map_or(f64::INFINITY, |limit| f64::from(limit) / world.capacity);
    full_s.min(spec.client.timeout_s.unwrap_or(f64::INFINITY))
}

/// Pods that are ready at first. Those that find no room may go for the price of a change alone, so they count or not, as is cheaper.
fn initial(spec: &ScenarioSpec, service: &ServiceSpec, room: Option<Room>) -> RangeInclusive<u32> {
    let ready = match room {
        Some(room) if spec.workloads.is_empty() => service.replicas.min(room.at_first),
        Some(_) => 0,
        None => service.replicas,
    };
    ready..=service.replicas
}

fn refuse_fast_nodes(spec: &ScenarioSpec, inputs: &Inputs) -> Result<(), NoBound> {
    let is_fast = |speed: &Sampler| match speed {
        Sampler::Constant(speed) => *speed > 1.0,
        Sampler::Uniform { high, .. } => *high > 1.0,
        Sampler::Table(values) => values.iter().any(|speed| *speed > 1.0),
        Sampler::Exponential { .. } | Sampler::Lognormal { .. } => true,
    };
    let mut pools = spec.cluster.iter().flat_map(|cluster| &cluster.pools);
    match pools.find(|(_, pool)| Sampler::new(&pool.speed, inputs).is_none_or(|speed| is_fast(&speed))) {
        Some((name, _)) => Err(NoBound::FastNodes(name.clone())),
        None => Ok(()),
    }
}

/// The bins that begin `after` the start or later and end before `until`, and when the first one begins.
fn part(load: &EpisodeLoad, after: Span, until: Span) -> Result<(EpisodeLoad, Span), NoBound> {
    let parts = whole_parts(load.interval());
    let bin = load.interval() / parts;
    let (first, end) = (-(-after).whole_steps(bin), until.whole_steps(bin));
    let bins = usize::try_from(end - first).unwrap_or(0);
    if bins > MOST_CELLS {
        return Err(NoBound::TooLarge { bins, levels: 1 });
    }
    let rates: Vec<f64> = (first..end).filter_map(|bin| load.rate_of_bin(bin.div_euclid(parts))).collect();
    if rates.is_empty() {
        return Err(NoBound::TooShort);
    }
    Ok((EpisodeLoad::new(load.start() + bin * first, bin, rates, Vec::new())?, bin * first))
}

/// The fewest equal parts of whole microseconds that are no longer than [`LONGEST_BIN`].
fn whole_parts(interval: Span) -> i64 {
    let fewest = (interval.micros() + LONGEST_BIN.micros() - 1) / LONGEST_BIN.micros();
    (fewest.max(1)..).find(|parts| interval.micros() % parts == 0).unwrap_or(1)
}

/// Levels at which no request of the busiest bin is bad are all alike but the first.
fn without_idle_levels(mut world: World, load: &EpisodeLoad) -> World {
    let busiest = load.rates_per_s().iter().copied().fold(0.0, f64::max);
    let spare = NEGLIGIBLE_EXPONENT / world.decay(world.slo_wait_s);
    let useful = if spare.is_finite() { math::ceil_to_u32((busiest + spare) / world.capacity) } else { u32::MAX };
    world.largest = world.largest.min(useful.max(world.smallest));
    world
}

/// The start-ups that a seed deals, in seconds.
struct Starts {
    /// By ordinal of the pod.
    drawn_s: Box<dyn Fn(u64) -> f64>,
    /// Whether they go to the pods that decisions create after the start, in order, or to whom nobody knows.
    is_in_order: bool,
    shortest_s: f64,
    median_s: f64,
    longest_s: f64,
}

impl Starts {
    fn new(spec: &ScenarioSpec, service: &ServiceSpec, lowered: &LoweredService, inputs: &Inputs) -> Self {
        let drawn_s = start_ups(spec, service, lowered, inputs);
        let mut sorted: Vec<f64> = (0..DEALT).map(&drawn_s).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        Self {
            drawn_s,
            is_in_order: spec.cluster.is_none()
                && spec.faults.is_empty()
                && service.pod.memory_per_request_mib == 0.0
                && spec.warm_up_s <= 0.0,
            shortest_s: sorted[0],
            median_s: sorted[sorted.len() / 2],
            longest_s: sorted[sorted.len() - 1],
        }
    }
}

/// From a container's start to ready by ordinal of the pod, as the kernel draws it.
fn start_ups(
    spec: &ScenarioSpec,
    service: &ServiceSpec,
    lowered: &LoweredService,
    inputs: &Inputs,
) -> Box<dyn Fn(u64) -> f64> {
    let (seed, world) = (spec.seed, World::new(&lowered.scenario));
    match (spec.kernel, Sampler::new(&service.start.start_s, inputs)) {
        (KernelChoice::Events, Some(start_s)) => {
            let probe_period = Span::from_secs_f64(service.start.probe_period_s);
            Box::new(move |ordinal| {
                let unit = uniform(seed, Stream::PodStartUp, ordinal, 0);
                probed(Span::from_secs_f64(start_s.at(unit)).max(Span::ZERO), probe_period).as_secs_f64()
            })
        }
        _ => Box::new(move |ordinal| world.start_up(seed, ordinal).as_secs_f64()),
    }
}

#[cfg(test)]
mod tests;
