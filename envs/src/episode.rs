//! One continuous episode: an autoscaler drives the fluid kernel at its own cadence, costs are booked by UTC day.
//!
//! The autoscaler sees an [`Observation`] and nothing else; the same object would see a real cluster. Effects are prompt: pods
//! asked for at `t` are created at `t`. Rate limits, if any, belong to the policy.

use seatrial_core::observe::Observation;
use seatrial_core::record::DecisionRecord;
use seatrial_core::scaling::autoscaler::{Autoscaler, AutoscalerState, Decision};
use seatrial_core::scaling::policy::{Reason, View};
use seatrial_core::time::{Span, Timestamp};
use thiserror::Error;

use crate::events::PastEvent;
pub use crate::fluid::costs::{CostTerms, DAY, DayCosts, day_of};
use crate::fluid::kernel::{Kernel, Stretch};
use crate::fluid::world::World;
use crate::load::{EpisodeLoad, LoadError, Traffic};
use crate::scenario::{CostWeights, Scenario, ScenarioError};
use crate::serving::{Imbalance, ServingError};

/// Relative imbalance of requests beyond which a kernel is wrong.
pub(crate) const CONSERVATION: f64 = 1e-6;

/// Why an episode could not be run or its result not be trusted.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum EpisodeError {
    /// The scenario is out of range.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// The load does not fit.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Requests were lost or invented.
    #[error(
        "episode: requests are not conserved, relative imbalance {relative}: a bug of the kernel, please report the cell's id"
    )]
    NotConserved {
        /// |offered − completed − dropped − queued| / offered.
        relative: f64,
    },
    /// The requests of the event kernel cannot be built.
    #[error(transparent)]
    Serving(#[from] ServingError),
    /// The books of the event kernel do not balance.
    #[error("episode: {0}: a bug of the kernel, please report the cell's id")]
    Imbalance(#[from] Imbalance),
    /// A handler of the event kernel scheduled an effect before its cause.
    #[error("episode: {0}: a bug of the kernel, please report the cell's id")]
    Past(#[from] PastEvent),
}

/// What an episode cost.
#[derive(Clone, Debug, PartialEq)]
pub struct EpisodeResult {
    /// Terms by UTC day, in order.
    pub days: Vec<DayCosts>,
    /// Their sum.
    pub total: CostTerms,
    /// Number of decisions.
    pub decisions: u64,
    /// Decisions that the guard overrode.
    pub overridden: u64,
    /// Decisions taken without the load metric.
    pub blind: u64,
    /// Decisions in which the policy had no wish because a metric was missing.
    pub held_for_missing: u64,
    /// Pods at the first moment.
    pub initial_replicas: u32,
}

impl EpisodeResult {
    /// Nothing happened yet.
    pub(crate) fn at_the_start(initial_replicas: u32) -> Self {
        Self {
            days: Vec::new(),
            total: CostTerms::default(),
            decisions: 0,
            overridden: 0,
            blind: 0,
            held_for_missing: 0,
            initial_replicas,
        }
    }

    /// Counts a decision by what it was.
    pub(crate) fn count(&mut self, seen: &Observation, decision: &Decision) {
        self.decisions += 1;
        self.overridden += u64::from(decision.overridden);
        self.blind += u64::from(seen.arrival_rate().is_none());
        let held = decision.proposal.replicas.is_none() && decision.proposal.reason == Reason::MetricMissing;
        self.held_for_missing += u64::from(held);
    }

    /// J in pod-seconds at the given prices; needs no new run.
    #[must_use]
    pub fn j(&self, costs: CostWeights) -> f64 {
        self.total.j(costs)
    }

    /// Share of decisions that the guard overrode.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts of decisions")]
    pub fn guard_share(&self) -> f64 {
        self.overridden as f64 / self.decisions.max(1) as f64
    }
}

/// One decision and what happened until the next.
#[derive(Clone, Copy, Debug)]
pub struct StepRow<'a> {
    /// Moment of the decision.
    pub at: Timestamp,
    /// Time until the next one.
    pub span: Span,
    /// Mean true requests per second over the step.
    pub rate_per_s: f64,
    /// Realised requests per second of the slot that begins at the decision (or holds it).
    pub realised_rate_per_s: f64,
    /// Ready pods just after the decision.
    pub ready: u32,
    /// Starting pods just after the decision.
    pub starting: u32,
    /// Terminating pods just after the decision.
    pub terminating: u32,
    /// Replicas decided.
    pub desired: u32,
    /// Share of the ready workers' time that was busy, 0 to 1.
    pub utilisation: f64,
    /// Greatest P95 of the wait within the step, in seconds; at most the client timeout.
    pub p95_wait_s: f64,
    /// Requests that arrived in the step.
    pub requests: f64,
    /// Bad ones among them.
    pub bad_requests: f64,
    /// What the policy saw, without the forecast (which is in the decision's proposal).
    pub view: &'a View<'a>,
    /// What was decided, and how.
    pub decision: &'a Decision,
}

impl StepRow<'_> {
    /// The decision record of this row.
    #[must_use]
    pub fn record(&self) -> DecisionRecord {
        DecisionRecord::new(self.view, self.decision)
    }
}

/// Receives the rows of an episode in order.
pub type RowSink<'a> = &'a mut dyn FnMut(&StepRow<'_>);

/// A sink for whoever wants costs alone.
pub fn no_rows(_: &StepRow<'_>) {}

/// Warms a fresh state up from the history of `traffic`.
///
/// Absorbs the slots that are older than the one the first decision sees: that one comes with the observation.
#[must_use]
pub fn warm_state(autoscaler: &Autoscaler, scenario: &Scenario, traffic: &Traffic) -> AutoscalerState {
    let mut state = autoscaler.initial_state();
    for past in traffic.warm_up(World::new(scenario).lag) {
        autoscaler.absorb(&past, &mut state);
    }
    state
}

/// Runs `autoscaler` from `state` over the whole of `load`.
///
/// # Errors
/// If scenario or load are not valid or do not fit together, or (a bug) requests are not conserved.
pub fn run_episode(
    scenario: &Scenario,
    load: &EpisodeLoad,
    seed: u64,
    driver: Driver<'_>,
    rows: RowSink<'_>,
) -> Result<EpisodeResult, EpisodeError> {
    scenario.validate()?;
    let traffic = Traffic::new(scenario, load, seed)?;
    run_on(scenario, &traffic, driver, rows)
}

/// An autoscaler with the state to start from.
pub struct Driver<'a> {
    /// The strategy.
    pub autoscaler: &'a Autoscaler,
    /// What it remembers at the start: see [`warm_state`].
    pub state: AutoscalerState,
}

/// [`run_episode`] on traffic that was realised before: studies share it between strategies.
///
/// # Errors
/// As [`run_episode`].
pub fn run_on(
    scenario: &Scenario,
    traffic: &Traffic,
    driver: Driver<'_>,
    rows: RowSink<'_>,
) -> Result<EpisodeResult, EpisodeError> {
    scenario.validate()?;
    traffic.load().check_interval(Span::from_secs_f64(scenario.physics_step_s))?;
    let initial_replicas = scenario.initial_replicas(traffic.load().rates_per_s()[0]);
    let kernel = Kernel::new(World::new(scenario), traffic, initial_replicas);
    Episode::new(kernel, traffic, initial_replicas).run(driver, rows)
}

struct Episode<'a> {
    kernel: Kernel<'a>,
    traffic: &'a Traffic,
    desired: u32,
    result: EpisodeResult,
}

impl<'a> Episode<'a> {
    fn new(kernel: Kernel<'a>, traffic: &'a Traffic, initial_replicas: u32) -> Self {
        Self { kernel, traffic, desired: initial_replicas, result: EpisodeResult::at_the_start(initial_replicas) }
    }

    fn run(mut self, driver: Driver<'_>, rows: RowSink<'_>) -> Result<EpisodeResult, EpisodeError> {
        let Driver { autoscaler, mut state } = driver;
        let end = self.traffic.load().end();
        let mut seen = Observation::unknown(self.kernel.now(), self.desired);
        while self.kernel.now() < end {
            self.kernel.observe(self.desired, &mut seen);
            let (view, decision) = autoscaler.decide_viewed(self.kernel.now(), &seen, &mut state);
            self.result.count(&seen, &decision);
            self.step(&view, &decision, rows);
        }
        settle(self.kernel, self.result)
    }

    fn step(&mut self, view: &View<'_>, decision: &Decision, rows: RowSink<'_>) {
        let at = self.kernel.now();
        self.desired = decision.replicas;
        self.kernel.scale(self.desired);
        let pods = self.kernel.pods();
        let (ready, starting, terminating) = (pods.ready(), pods.starting(), pods.terminating());
        let stretch = self.kernel.advance(self.kernel.world().next_decision(at, decision.next_at));
        let span = self.kernel.now() - at;
        let Stretch { arrivals, bad, completed, ready_s, p95_wait_s } = stretch;
        let slot = (at - self.traffic.load().start()).whole_steps(self.traffic.slot());
        rows(&StepRow {
            at,
            span,
            rate_per_s: arrivals / span.as_secs_f64(),
            realised_rate_per_s: self.traffic.realised(slot).unwrap_or(0.0),
            ready,
            starting,
            terminating,
            desired: self.desired,
            utilisation: if ready_s > 0.0 { completed / (ready_s * self.kernel.world().capacity) } else { 0.0 },
            p95_wait_s,
            requests: arrivals,
            bad_requests: bad,
            view,
            decision,
        });
    }
}

/// `result` with the costs of a kernel whose time is over.
pub(crate) fn settle(kernel: Kernel<'_>, mut result: EpisodeResult) -> Result<EpisodeResult, EpisodeError> {
    let settled = kernel.settle();
    if settled.imbalance > CONSERVATION || settled.imbalance.is_nan() {
        return Err(EpisodeError::NotConserved { relative: settled.imbalance });
    }
    (result.days, result.total) = (settled.days, settled.total);
    Ok(result)
}

#[cfg(test)]
mod tests;
