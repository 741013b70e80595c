//! The other end of the interval: schedules that know the load, run on the scenario's own kernel.
//!
//! A schedule is the programme's plan for the load or for somewhat more of it, brought forward by a quantile of the start-ups and, where
//! it needs a node that is not there, by its provisioning: pods that find no room make the cluster autoscaler order nodes. Which
//! quantile and how much more is best depends on what the model leaves out, so several are run.

use seatrial_core::observe::Workload;
use seatrial_core::rand::{Stream, uniform};
use seatrial_core::scaling::autoscaler::Autoscaler;
use seatrial_core::scaling::guard::Guard;
use seatrial_core::scaling::policy::{Policy, Proposal, Reason, View};
use seatrial_core::time::{Span, Timestamp};
use thiserror::Error;

use super::{Case, NoBound, Queue};
use crate::app::{AppError, fluid_app};
use crate::episode::Driver;
use crate::ids::ServiceId;
use crate::spec::{Inputs, KernelChoice, Sampler, ScenarioSpec};
use crate::world::log::LogLevel;
use crate::world::{Options, World, WorldError};

/// Times the load that is planned for.
const RESERVES: [f64; 3] = [1.0, 1.1, 1.25];
/// Quantiles of the start-up by which a plan is brought forward.
const LEADS: [f64; 2] = [0.5, 0.9];
/// How often the schedule is looked at.
const STEP: Span = Span::from_secs(1);
/// Draws that quantiles are taken of.
const DRAWS: u64 = 1_024;

/// The cheapest schedule that was run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reached {
    /// What it cost, in pod-seconds.
    pub j: f64,
    /// Schedules that were run.
    pub schedules: usize,
}

/// Why no schedule could be run.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum NotReached {
    /// There is no plan.
    #[error(transparent)]
    NoBound(#[from] NoBound),
    /// The event kernel.
    #[error(transparent)]
    Events(#[from] WorldError),
    /// The fluid kernel.
    #[error(transparent)]
    Fluid(#[from] AppError),
}

/// Runs schedules that know the load of `spec`; `stops` is asked before each.
///
/// # Errors
/// If the scenario has no bound or cannot be run.
pub fn reached(spec: &ScenarioSpec, inputs: &Inputs, stops: &dyn Fn() -> bool) -> Result<Option<Reached>, NotReached> {
    // What a queue settles to is what to plan for; the bound has to know less.
    let case = Case { queue: Queue::Settled, ..Case::new(spec, inputs)? };
    let mut best = Reached { j: f64::INFINITY, schedules: 0 };
    for reserve in RESERVES {
        let plan = case.greatest(reserve, case.room)?.plan.ready;
        for lead in LEADS {
            if stops() {
                return Ok(None);
            }
            let wishes = case.wishes(&plan, &Lead::new(&case, inputs, lead));
            best = Reached { j: best.j.min(case.run(inputs, wishes)?), schedules: best.schedules + 1 };
        }
    }
    Ok(Some(best))
}

/// How long before a pod has to be ready it is asked for.
struct Lead {
    pod: Span,
    /// Of a pod that needs a new node.
    node: Span,
}

impl Lead {
    fn new(case: &Case<'_>, inputs: &Inputs, level: f64) -> Self {
        let (spec, service) = (case.spec, case.service);
        let start_s = quantile(level, &case.starts.drawn_s);
        let Some(cluster) = &spec.cluster else {
            let pod = Span::from_secs_f64(start_s);
            return Self { pod, node: pod };
        };
        let mut pod_s = start_s + cluster.scheduler.latency_s;
        let mut node_s = 0.0_f64;
        for pool in cluster.pools.values() {
            pod_s = pod_s.max(start_s + pool.pull_mib_per_s.map_or(0.0, |rate| service.pod.image_mib / rate));
            let provision_s = Sampler::new(&pool.provision_s, inputs).map_or(0.0, |sampler| {
                quantile(level, |ordinal| sampler.at(uniform(spec.seed, Stream::NodeProvision, ordinal, 0)))
            });
            node_s = node_s.max(provision_s);
        }
        let scan_s = cluster.autoscaler.map_or(0.0, |autoscaler| autoscaler.scan_s);
        Self { pod: Span::from_secs_f64(pod_s), node: Span::from_secs_f64(pod_s + scan_s + node_s) }
    }
}

fn quantile(level: f64, of: impl Fn(u64) -> f64) -> f64 {
    let mut seconds: Vec<f64> = (0..DRAWS).map(of).collect();
    seconds.sort_unstable_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place among the draws")]
    let place = (level * DRAWS as f64) as usize;
    seconds[place.min(seconds.len() - 1)]
}

impl Case<'_> {
    /// Replicas to ask for in each second from the start of the scenario on.
    fn wishes(&self, plan: &[u32], lead: &Lead) -> Vec<u32> {
        let seconds = whole_seconds(Span::from_secs_f64(self.spec.duration_s)) + 1;
        let mut wishes = vec![0; seconds];
        let mut wish = |from: Span, until: Span, replicas: u32| {
            let range = whole_seconds(from).min(seconds)..whole_seconds(until).min(seconds);
            wishes[range].iter_mut().for_each(|wish| *wish = (*wish).max(replicas));
        };
        let first = plan.first().copied().unwrap_or(0);
        wish(Span::ZERO, self.begins_after, self.initial.as_ref().map_or(first, |initial| *initial.end()));
        for (bin, ready) in plan.iter().enumerate() {
            let begins = self.begins_after + self.load.interval() * crate::load::signed(bin);
            let ends = begins + self.load.interval();
            let is_last = bin + 1 == plan.len();
            let until = if is_last { Span::from_secs_f64(self.spec.duration_s) + STEP } else { ends };
            wish(begins - lead.pod, until, *ready);
            if self.room.is_some_and(|room| *ready > room.at_first) {
                wish(begins - lead.node, until, *ready);
            }
        }
        wishes
    }

    pub(super) fn run(&self, inputs: &Inputs, wishes: Vec<u32>) -> Result<f64, NotReached> {
        let workload = Workload { decision_interval: STEP, ..self.spec.workload(self.service) };
        let schedule = Schedule { start: self.load.start() - self.begins_after, wishes };
        let guard = Guard::bounds_only(workload.bounds);
        let autoscaler = Autoscaler::new(workload, None, Box::new(schedule), guard);
        match self.spec.kernel {
            KernelChoice::Events => {
                let options = Options { timeline: None, latencies: false, log: LogLevel::Off, ..Options::default() };
                let mut simulation = World::simulation(self.spec, inputs, &options)?;
                simulation.model.hand_over(ServiceId(0), autoscaler);
                let end = simulation.model.end();
                simulation.run_until(end).map_err(WorldError::from)?;
                Ok(World::outcome(simulation)?.total.j(self.spec.costs))
            }
            KernelChoice::Fluid => {
                let app = fluid_app(self.spec, inputs, self.spec.seed)?;
                let driver = Driver { autoscaler: &autoscaler, state: autoscaler.initial_state() };
                Ok(app.run(vec![Some(driver)])?.j(self.spec.costs))
            }
        }
    }
}

fn whole_seconds(span: Span) -> usize {
    usize::try_from(span.max(Span::ZERO).whole_steps(STEP)).unwrap_or(0)
}

/// Replicas by second.
struct Schedule {
    start: Timestamp,
    wishes: Vec<u32>,
}

impl Policy for Schedule {
    type State = ();

    fn initial_state(&self) {}

    fn step(&self, now: Timestamp, _view: &View<'_>, (): &mut ()) -> Proposal {
        let second = whole_seconds(now - self.start).min(self.wishes.len() - 1);
        Proposal::of(self.wishes[second], Reason::Fixed)
    }
}
