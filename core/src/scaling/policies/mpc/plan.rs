//! The dynamic programme of `mpc`: stages, levels, costs, and the first step of the cheapest plan.
//!
//! All arrays are of fixed size and on the stack. Invariants: a wish lies within the bounds; of plans that cost the same the
//! one that changes less wins.

use crate::observe::Bounds;
use crate::scaling::forecast::LEVEL_COUNT;
use crate::scaling::waiting::{Sweep, WaitModel};
use crate::time::Span;

/// Most stages before the lead time has passed.
pub(super) const MOST_STAGES: usize = 24;
/// Most levels of a neighbourhood.
const MOST_LEVELS: u32 = 64;
/// Scenarios: one per quantile.
pub(super) const SCENARIOS: usize = LEVEL_COUNT;
/// Probability of each scenario: the mass between the midpoints of its level and its neighbours'.
const WEIGHTS: [f64; SCENARIOS] = [0.075, 0.1, 0.2, 0.25, 0.2, 0.1, 0.045, 0.03];
/// Square-root staffing with this many standard deviations spare leaves no waiting worth a pod.
const SPARE_DEVIATIONS: f64 = 4.0;

type Row = [f64; MOST_LEVELS as usize];

/// How the lead time is cut up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Stages {
    /// Number of stages, 1 to [`MOST_STAGES`].
    pub(super) count: usize,
    /// Length of each.
    pub(super) length: Span,
}

/// The stages of a lead time: as long as the interval between decisions, or longer if there would be too many.
pub(super) fn stages(lead: Span, interval: Span) -> Stages {
    let lead = lead.max(Span::ZERO);
    let length = interval.max(lead / MOST_STAGES as i64 + Span::from_micros(i64::from(lead > Span::ZERO)));
    Stages { count: usize::try_from(whole_stages(lead, length)).unwrap_or(1).clamp(1, MOST_STAGES), length }
}

/// The number of stages of `length` that cover `span`.
fn whole_stages(span: Span, length: Span) -> i64 {
    (span - Span::from_micros(1)).whole_steps(length).saturating_add(1)
}

impl Stages {
    /// The first stage that begins when `left` has passed: not the present one, for what starts is not ready now.
    pub(super) fn first_after(self, left: Span) -> usize {
        usize::try_from(whole_stages(left, self.length).max(1)).unwrap_or(MOST_STAGES)
    }
}

/// The pods that exist.
#[derive(Clone, Copy, Debug)]
pub(super) struct Supply {
    /// All of them, also those that start.
    pub(super) existing: u32,
    /// How many of them could serve in each stage.
    pub(super) serving: [u32; MOST_STAGES],
    /// The stages.
    pub(super) stages: Stages,
}

/// The rates to come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outlook {
    /// Rate at the beginning of the window.
    pub(super) present: f64,
    /// Greatest rate of the window in each scenario, ascending or not.
    pub(super) greatest: [f64; SCENARIOS],
    /// Time since the beginning of the window.
    pub(super) elapsed_s: f64,
    /// Length of the window.
    pub(super) window_s: f64,
}

impl Outlook {
    /// The rates `ahead_s` from now.
    fn rates(&self, ahead_s: f64) -> [f64; SCENARIOS] {
        let share = (self.elapsed_s + ahead_s) / self.window_s;
        // A window without length is over.
        let share = if share.is_nan() { 1.0 } else { share.clamp(0.0, 1.0) };
        self.greatest.map(|greatest| greatest.min(self.present + share * (greatest - self.present).max(0.0)))
    }
}

/// Prices, in pod-seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Costs {
    /// Of a bad request.
    pub(super) kappa: f64,
    /// Of a pod bought now, until it serves.
    pub(super) rise: f64,
    /// Of a pod removed.
    pub(super) fall: f64,
    /// Length of a stage.
    pub(super) stage_s: f64,
    /// Time that the plan reaches beyond the lead time.
    pub(super) tail_s: f64,
}

impl Costs {
    /// Protocol P1: a change 5, termination 5 s, a start paid in full.
    pub(super) fn of_protocol(kappa: f64, stages: Stages, tail_s: f64) -> Self {
        let stage_s = stages.length.as_secs_f64();
        Self { kappa, rise: 5.0 + stage_s * stages.count as f64, fall: 10.0, stage_s, tail_s }
    }
}

/// What a plan is made of besides the supply and the outlook.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) waits: WaitModel,
    pub(super) capacity: f64,
    pub(super) bounds: Bounds,
    pub(super) costs: Costs,
    /// Pods that the chance constraint asks for after the lead time.
    pub(super) required: u32,
}

/// The levels of a neighbourhood: `first`, `first + stride`, …
#[derive(Clone, Copy, Debug)]
struct Levels {
    first: u32,
    stride: u32,
    count: usize,
    /// Index of the level of the pods that exist.
    present: usize,
}

impl Levels {
    fn pods(&self, index: usize) -> u32 {
        // An index is below 64.
        self.first.saturating_add(self.stride.saturating_mul(u32::try_from(index).unwrap_or(0)))
    }

    /// Cost of a step from one level to the next at `each` per pod.
    fn step(&self, each: f64) -> f64 {
        each * f64::from(self.stride)
    }
}

impl Plan {
    /// Pods to ask for now.
    pub(super) fn first_step(&self, supply: &Supply, outlook: &Outlook) -> u32 {
        let required = self.bounds.clamp(self.required);
        let levels = self.levels(supply.existing, required, &outlook.greatest);
        let (mut to_go, targets) = self.tail(&levels, required, outlook);
        let mut falls = [[0_u8; MOST_LEVELS as usize]; MOST_STAGES];
        for stage in (0..supply.stages.count).rev() {
            let mut cost = self.stage(&levels, supply.serving[stage], outlook, stage);
            if stage + 1 < supply.stages.count {
                falls[stage] = down(&mut to_go, levels.present + 1, levels.step(self.costs.fall));
            }
            for (cost, to_go) in cost[..=levels.present].iter_mut().zip(&to_go) {
                *cost += to_go;
            }
            to_go = cost;
        }
        let now = down(&mut to_go, levels.present + 1, levels.step(self.costs.fall));
        let kept = usize::from(now[levels.present]);
        let mut last = kept;
        for falls in &falls[..supply.stages.count - 1] {
            last = usize::from(falls[last]);
        }
        let bought = levels.pods(targets[last].into()).saturating_sub(levels.pods(last));
        self.bounds.clamp(levels.pods(kept) + bought)
    }

    /// From the least to the greatest level that could be the cheapest, with the present one among them.
    fn levels(&self, existing: u32, required: u32, greatest: &[f64; SCENARIOS]) -> Levels {
        let (mut low, mut high) = (existing.min(required), existing.max(required));
        for rate in greatest {
            let pods = rate / self.capacity;
            let spare = SPARE_DEVIATIONS * (pods + 1.0).sqrt();
            low = low.min(self.bounds.clamp(crate::math::ceil_to_u32(pods)));
            high = high.max(self.bounds.clamp(crate::math::ceil_to_u32(pods + spare)));
        }
        // Anchored at the present level, both ends are covered, if need be by the next level beyond them.
        let stride = (high - low).div_ceil(MOST_LEVELS - 3).max(1);
        let below = (existing - low).div_ceil(stride).min(existing / stride);
        let above = (high - existing).div_ceil(stride);
        let index = |levels: u32| usize::try_from(levels).unwrap_or(0);
        Levels { first: existing - below * stride, stride, count: index(below + above + 1), present: index(below) }
    }

    /// Least cost after the lead time by the level before it, and the level to go to.
    fn tail(&self, levels: &Levels, required: u32, outlook: &Outlook) -> (Row, [u8; MOST_LEVELS as usize]) {
        let mut cost = [f64::INFINITY; MOST_LEVELS as usize];
        let mut sweep = self.waits.sweep(outlook.greatest, self.capacity);
        for (i, cost) in cost[..levels.count].iter_mut().enumerate() {
            let pods = levels.pods(i);
            if pods >= required || i + 1 == levels.count {
                *cost = self.costs.tail_s * self.per_second(pods, pods, &outlook.greatest, &mut sweep);
            }
        }
        let (mut falling, mut rising) = (cost, cost);
        let falls = down(&mut falling, levels.count, levels.step(self.costs.fall));
        let rises = up(&mut rising, levels.count, levels.step(self.costs.rise));
        let mut targets = falls;
        for i in 0..levels.count {
            if rising[i] < falling[i] {
                (falling[i], targets[i]) = (rising[i], rises[i]);
            }
        }
        (falling, targets)
    }

    /// Cost of one stage before the lead time has passed, by the pods that are kept, up to the present level.
    fn stage(&self, levels: &Levels, serving: u32, outlook: &Outlook, stage: usize) -> Row {
        let mut cost = [f64::INFINITY; MOST_LEVELS as usize];
        let rates = outlook.rates((stage as f64 + 0.5) * self.costs.stage_s);
        let mut sweep = self.waits.sweep(rates, self.capacity);
        for (i, cost) in cost[..=levels.present].iter_mut().enumerate() {
            let pods = levels.pods(i);
            *cost = self.costs.stage_s * self.per_second(pods, pods.min(serving), &rates, &mut sweep);
        }
        cost
    }

    fn per_second(&self, pods: u32, ready: u32, rates: &[f64; SCENARIOS], sweep: &mut Sweep<SCENARIOS>) -> f64 {
        let shares = sweep.shares(ready);
        let bad: f64 = (0..SCENARIOS).map(|i| WEIGHTS[i] * rates[i] * shares[i]).sum();
        f64::from(pods) + self.costs.kappa * bad
    }
}

/// Lets every level also fall to lower ones at `step` per level; answers with where each goes.
fn down(cost: &mut Row, count: usize, step: f64) -> [u8; MOST_LEVELS as usize] {
    let mut goes = core::array::from_fn(|i| u8::try_from(i).unwrap_or(0));
    for i in 1..count {
        if cost[i - 1] + step < cost[i] {
            (cost[i], goes[i]) = (cost[i - 1] + step, goes[i - 1]);
        }
    }
    goes
}

/// Lets every level also rise to higher ones at `step` per level; answers with where each goes.
fn up(cost: &mut Row, count: usize, step: f64) -> [u8; MOST_LEVELS as usize] {
    let mut goes = core::array::from_fn(|i| u8::try_from(i).unwrap_or(0));
    for i in (0..count.saturating_sub(1)).rev() {
        if cost[i + 1] + step < cost[i] {
            (cost[i], goes[i]) = (cost[i + 1] + step, goes[i + 1]);
        }
    }
    goes
}
