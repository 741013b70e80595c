//! What knows more than a strategy may: the foresight ladder, and headroom over the true rate. They split regret into its causes.
//!
//! Each decides every decision interval, meets the same random starts as a strategy, and runs through the same kernel. None of them
//! sees metrics: the rate is the true one, the capacity is the true one. [`Foresight::LookAhead`] knows the rate until its horizon
//! and takes it to stay afterwards (module `plan` has the plan, exactly). The other two are the reference rules of the split of regret:
//! ceil(factor × rate / capacity) over the rate of this moment, or of the slot that metrics show at this moment. The factor is
//! tuned by whoever runs them.
//!
//! An infinite horizon is the oracle: its certified upper bound ([`crate::oracle::certify_on`]).
//! Source: protocol P1, "Foresight ladder", and `protocol.md`, "exact rate up to the lead of 90 s, then persistence".

mod plan;

use seatrial_core::math;
use seatrial_core::time::Span;

use crate::episode::{EpisodeError, EpisodeResult, settle};
use crate::fluid::kernel::Kernel;
use crate::fluid::world::World;
use crate::load::Traffic;
use crate::scenario::Scenario;
use plan::Planner;

/// Who decides, and what it knows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Foresight {
    /// The true rate over some time ahead.
    LookAhead(LookAhead),
    /// The true rate of this moment, without lag; replicas are ceil(factor × rate / capacity).
    PresentRate {
        /// Capacity over the rate.
        factor: f64,
    },
    /// The same over the true rate of the slot that metrics show at this moment: with the lag, without the noise. A slot that
    /// metrics miss keeps the replicas.
    LaggedRate {
        /// Capacity over the rate.
        factor: f64,
    },
}

/// Knows the true rate until `horizon` from now and takes it to stay afterwards.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LookAhead {
    /// How far it sees; 0 knows the rate of this moment.
    pub horizon: Span,
    /// What the rate that stays is multiplied with: 1 is persistence, more is a reserve against what is not known.
    pub reserve: f64,
}

impl LookAhead {
    /// Persistence after `horizon`.
    #[must_use]
    pub const fn of(horizon: Span) -> Self {
        Self { horizon, reserve: 1.0 }
    }
}

/// Horizons of the ladder; the one that knows everything is [`crate::oracle::certify_on`].
pub const HORIZONS: [Span; 5] =
    [Span::ZERO, Span::from_secs(15), Span::from_secs(60), Span::from_secs(90), Span::from_secs(300)];

/// Plays `who` over the whole of `traffic`.
///
/// # Errors
/// If scenario and traffic are not valid or do not fit together, or (a bug) requests are not conserved.
pub fn run_foresight(scenario: &Scenario, traffic: &Traffic, who: Foresight) -> Result<EpisodeResult, EpisodeError> {
    scenario.validate()?;
    traffic.load().check_interval(Span::from_secs_f64(scenario.physics_step_s))?;
    let world = World::new(scenario);
    let initial = scenario.initial_replicas(traffic.load().rates_per_s()[0]);
    let mut kernel = Kernel::new(world, traffic, initial);
    let mut planner = match who {
        Foresight::LookAhead(look_ahead) => {
            Some(Planner::new(&world, traffic.load(), scenario.workload.decision_interval, look_ahead)?)
        }
        _ => None,
    };
    let (mut replicas, mut decisions) = (initial, 0);
    while kernel.now() < traffic.load().end() {
        replicas = match (&mut planner, who) {
            (Some(planner), _) => planner.decide(kernel.now(), replicas),
            (None, Foresight::LaggedRate { factor }) => {
                let slot = traffic.visible_slot(kernel.now(), world.lag);
                let rate = traffic.rate_in_slot(slot).filter(|_| !traffic.is_missing(slot));
                rate.map_or(replicas, |rate| headroom(scenario, &world, factor * rate))
            }
            (None, Foresight::PresentRate { factor } | Foresight::LookAhead(LookAhead { reserve: factor, .. })) => {
                let slot = (kernel.now() - traffic.load().start()).whole_steps(traffic.slot());
                headroom(scenario, &world, factor * traffic.rate_in_slot(slot).unwrap_or(0.0))
            }
        };
        kernel.scale(replicas);
        kernel.advance(kernel.now() + scenario.workload.decision_interval);
        decisions += 1;
    }
    settle(kernel, EpisodeResult { decisions, ..EpisodeResult::at_the_start(initial) })
}

fn headroom(scenario: &Scenario, world: &World, wanted_per_s: f64) -> u32 {
    scenario.workload.bounds.clamp(math::ceil_to_u32(wanted_per_s / world.capacity))
}

#[cfg(test)]
mod tests;
