//! The certified oracle: an interval [lower, upper] of the least J that any schedule can reach on a load, with its proof.
//!
//! Let x(t) be the ready pods of any schedule of the real system. (i) Every rise of x by one is a pod that was created (one
//! churn) and paid its own start-up time s_i. (ii) Every fall is a removal (one churn, and the termination). (iii) With backlog
//! the share of bad requests is never below its value at zero backlog, which depends on (rate, x) alone. A pod created and
//! removed before it is ready costs at least m = 2 churn + termination. So for any constant c
//!
//! J ≥ DP(c) + Σ over created pods of min(s_i − c, m) ≥ DP(c) + slack(c),
//!
//! where DP(c) is the exact optimum of Σ \[x + κ · rate · p(rate, x)\] + (c + churn) · rises + (termination + churn) · falls
//! (module `dp`), and slack(c) ≤ 0 is the least prefix sum over the seed's start-up draws in ordinal order (module `bound`). Inside a native
//! bin the stage cost is constant, so changes at bin boundaries are optimal. Both terms are concave in c, so the greatest
//! bound is found by golden-section search.
//!
//! Upper: the plan, closed by look-ahead of each pod's true start-up (module `schedule`), run in the kernel (module `replay`). Rate
//! limits belong to policies, not to the oracle. Its initial pods are those of the episode.

mod bound;
mod dp;
mod replay;
pub mod scenario;
mod schedule;
pub(crate) mod stage;

use seatrial_core::time::Span;

use self::bound::{Bills, Problem};
use crate::episode::{CostTerms, DayCosts, EpisodeError};
use crate::fluid::world::World;
use crate::load::{EpisodeLoad, Traffic};
use crate::scenario::Scenario;

/// The certified interval of the least J.
#[derive(Clone, Debug, PartialEq)]
pub struct Certified {
    /// No schedule costs less, in pod-seconds.
    pub lower: f64,
    /// A schedule that costs this was run in the kernel.
    pub upper: f64,
    /// The start bill c in seconds at which the bound is greatest.
    pub start_bill_s: f64,
    /// The (not positive) slack of the start-up draws at that bill.
    pub slack: f64,
    /// Ready pods per native bin in the plan.
    pub plan: Vec<u32>,
    /// The lower bound by UTC day: the plan's own cost of the day, scaled so that the days sum to `lower`. Only the sum is
    /// certified; a day's share is where the plan pays.
    pub lower_by_day: Vec<DayBound>,
    /// What the replayed plan paid, by UTC day.
    pub upper_by_day: Vec<DayCosts>,
    /// Their sum.
    pub upper_terms: CostTerms,
}

/// One day's share of the lower bound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DayBound {
    /// Days since the origin of time.
    pub day: i64,
    /// Pod-seconds.
    pub lower: f64,
}

/// Certifies the least J on `load` under the scenario, at its prices, for the start-up draws of `seed`.
///
/// # Errors
/// If scenario or load are not valid or do not fit together, or (a bug) the replay does not conserve requests.
pub fn certify(scenario: &Scenario, load: &EpisodeLoad, seed: u64) -> Result<Certified, EpisodeError> {
    scenario.validate()?;
    certify_on(scenario, &Traffic::new(scenario, load, seed)?)
}

/// [`certify`] on traffic that was realised before.
///
/// # Errors
/// As [`certify`].
pub fn certify_on(scenario: &Scenario, traffic: &Traffic) -> Result<Certified, EpisodeError> {
    scenario.validate()?;
    let load = traffic.load();
    load.check_interval(Span::from_secs_f64(scenario.physics_step_s))?;
    let world = World::new(scenario);
    let initial = scenario.initial_replicas(load.rates_per_s()[0]);
    let stages = stage::StageCosts::new(&world, load);
    let start_up_s = |ordinal| world.start_up(traffic.seed(), ordinal).as_secs_f64();
    let problem =
        Problem { stages: &stages, bills: bills(&world, &start_up_s), initial: Some(initial..=initial), most: None };
    let best = bound::greatest(&problem);
    let task = schedule::Task {
        world: &world,
        load,
        stages: &stages,
        seed: traffic.seed(),
        initial,
        plan: &best.plan.ready,
        bill_s: best.start_bill_s,
    };
    let replayed = replay::run(&task, traffic)?;
    Ok(Certified {
        lower: best.lower,
        upper: replayed.total.j(world.costs),
        start_bill_s: best.start_bill_s,
        slack: best.slack,
        lower_by_day: bound::by_day(&problem, load, &best),
        plan: best.plan.ready,
        upper_by_day: replayed.days,
        upper_terms: replayed.total,
    })
}

/// A removed pod ends after its termination whether it was ready or not.
fn bills<'a>(world: &World, start_up_s: &'a dyn Fn(u64) -> f64) -> Bills<'a> {
    let (churn, termination_s) = (world.costs.churn, world.termination.as_secs_f64());
    let wasted = 2.0 * churn + termination_s;
    Bills { churn, termination_s, wasted, typical_start_s: world.start_up_median_s(), start_up_s }
}

#[cfg(test)]
mod tests;
