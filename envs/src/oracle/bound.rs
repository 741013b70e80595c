//! The greatest lower bound over the start bill c, with the slack of the seed's own start-up draws.

use core::ops::RangeInclusive;
use std::collections::VecDeque;

use seatrial_core::time::Timestamp;

use super::DayBound;
use super::dp::{self, LANES, Moves, Plan, Reach};
use super::stage::StageCosts;
use crate::fluid::costs::{DAY, day_of};
use crate::load::{EpisodeLoad, signed};

/// Widest distance of c from the best one, in seconds: the bound is flat there.
const BILL_PRECISION_S: f64 = 0.5;
/// Relative room for the rounding of sums: a bound may be met exactly, and must then not lie above what the kernel summed up
/// in another order.
const ROUNDING: f64 = 1e-9;
/// Draws are looked at up to here; only free churn and free termination could ask for more.
const MOST_DRAWS: u64 = 1 << 22;
/// 1 / golden ratio.
const GOLDEN: f64 = 0.618_033_988_749_894_8;

/// What the bound is about.
pub(crate) struct Problem<'a> {
    pub(crate) stages: &'a StageCosts,
    pub(crate) bills: Bills<'a>,
    /// Ready pods before the first bin, any of these free of charge; `None`: any number.
    pub(crate) initial: Option<RangeInclusive<u32>>,
    /// Most ready pods in a bin; `None`: no limit.
    pub(crate) most: Option<&'a dyn Fn(usize) -> u32>,
}

/// What a change of the ready pods costs beside their time.
pub(crate) struct Bills<'a> {
    /// Price of a pod created or removed, in pod-seconds.
    pub(crate) churn: f64,
    /// Seconds that a ready pod is paid at least after its removal.
    pub(crate) termination_s: f64,
    /// What a pod that is removed before it is ready costs at least, in pod-seconds.
    pub(crate) wasted: f64,
    /// A typical start-up in seconds: the best bill is near it.
    pub(crate) typical_start_s: f64,
    /// Start-up in seconds by ordinal, in order of creation.
    pub(crate) start_up_s: &'a dyn Fn(u64) -> f64,
}

/// See the module.
pub(crate) struct Bound {
    pub(crate) lower: f64,
    pub(crate) start_bill_s: f64,
    pub(crate) slack: f64,
    pub(crate) plan: Plan,
}

/// The bound at the start bill that makes it greatest.
pub(crate) fn greatest(problem: &Problem<'_>) -> Bound {
    let Problem { stages, bills, .. } = problem;
    let (low_s, high_s) = (0.5 * bills.typical_start_s, 1.5 * bills.typical_start_s);
    let reach = problem.reach(bills.moves(high_s));
    let mut curve = Curve { bills, reach: &reach, known: Vec::new() };
    let bracket = Bracket::new(low_s, high_s);
    // DP(c) grows with c and the slack is not positive: no bound in question exceeds this one.
    let enough = curve.at(high_s, bracket);
    let draws = draws(bills, stages.least(), enough);
    let start_bill_s = bracket.argmax(|bill_s, bracket| curve.at(bill_s, bracket) + draws.slack(bills, bill_s));
    let plan = dp::plan(&reach, bills.moves(start_bill_s));
    let slack = draws.slack(bills, start_bill_s);
    let lower = (plan.cost + slack).min(draws.beyond).max(0.0) * (1.0 - ROUNDING);
    Bound { lower, start_bill_s, slack, plan }
}

/// The bound with every start billed `bill_s`, which none is shorter than, whoever gets which draw.
pub(crate) fn with_least_start(problem: &Problem<'_>, bill_s: f64) -> Bound {
    let moves = problem.bills.moves(bill_s);
    let plan = dp::plan(&problem.reach(moves), moves);
    Bound { lower: plan.cost * (1.0 - ROUNDING), start_bill_s: bill_s, slack: 0.0, plan }
}

impl Problem<'_> {
    fn reach(&self, dearest: Moves) -> Reach<'_> {
        let reach = Reach::new(self.stages, self.initial.as_ref(), dearest);
        if let Some(most) = self.most { reach.within(most) } else { reach }
    }
}

/// DP(c), computed for several c at once: the one that is asked for, and those that the search may ask for next.
struct Curve<'a> {
    bills: &'a Bills<'a>,
    reach: &'a Reach<'a>,
    known: Vec<(f64, f64)>,
}

impl Curve<'_> {
    fn at(&mut self, bill_s: f64, bracket: Bracket) -> f64 {
        let of =
            |known: &[(f64, f64)], bill_s: f64| known.iter().find(|(bill, _)| *bill == bill_s).map(|known| known.1);
        if let Some(value) = of(&self.known, bill_s) {
            return value;
        }
        let mut bills = [bill_s; LANES];
        let mut free = bills.iter_mut().skip(1);
        bracket.each_point_to_come(|point| {
            if point != bill_s && of(&self.known, point).is_none() {
                free.next().map(|bill| *bill = point).is_some()
            } else {
                true
            }
        });
        let rises = bills.map(|bill_s| self.bills.moves(bill_s).rise);
        let values = dp::optima(self.reach, &rises, self.bills.moves(bill_s).fall);
        self.known.extend(bills.into_iter().zip(values));
        values[0]
    }
}

impl Bills<'_> {
    pub(crate) fn moves(&self, bill_s: f64) -> Moves {
        Moves { rise: bill_s + self.churn, fall: self.termination_s + self.churn }
    }
}

/// The start-up draws that the bound has to consider, and what a schedule that creates more pods costs at least.
struct Draws {
    seconds: Vec<f64>,
    /// A schedule that uses up all of the draws costs no less.
    beyond: f64,
}

/// Draws until their pods, with the cheapest stages that any schedule can have, cost `enough`, more than any bound in question:
/// each costs [`Bills::wasted`] or a churn and its start.
fn draws(bills: &Bills<'_>, stages: f64, enough: f64) -> Draws {
    let mut draws = Draws { seconds: Vec::new(), beyond: stages };
    for ordinal in 0..MOST_DRAWS {
        if draws.beyond >= enough {
            break;
        }
        let start_up_s = (bills.start_up_s)(ordinal);
        draws.beyond += bills.wasted.min(bills.churn + start_up_s);
        draws.seconds.push(start_up_s);
    }
    draws
}

impl Draws {
    /// The least prefix sum of min(s_i − c, m) in ordinal order, the empty prefix included.
    fn slack(&self, bills: &Bills<'_>, bill_s: f64) -> f64 {
        let (mut sum, mut least) = (0.0, 0.0_f64);
        for start_up_s in &self.seconds {
            sum += (start_up_s - bill_s).min(bills.wasted);
            least = least.min(sum);
        }
        least
    }
}

/// Golden-section search: where a concave function is greatest.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Bracket {
    low: f64,
    high: f64,
    left: f64,
    right: f64,
}

impl Bracket {
    fn new(low: f64, high: f64) -> Self {
        Self { low, high, left: high - GOLDEN * (high - low), right: low + GOLDEN * (high - low) }
    }

    fn is_narrow(&self) -> bool {
        self.high - self.low <= BILL_PRECISION_S
    }

    /// The bracket around the better of the two points.
    fn around(self, left_is_better: bool) -> Self {
        let Self { low, high, left, right } = self;
        if left_is_better {
            Self { low, high: right, right: left, left: right - GOLDEN * (right - low) }
        } else {
            Self { low: left, high, left: right, right: left + GOLDEN * (high - left) }
        }
    }

    fn argmax(mut self, mut value: impl FnMut(f64, Self) -> f64) -> f64 {
        loop {
            let left_is_better = value(self.left, self) >= value(self.right, self);
            if self.is_narrow() {
                return if left_is_better { self.left } else { self.right };
            }
            self = self.around(left_is_better);
        }
    }

    /// Every point that the search may look at from here on, the nearest first, until `take` wants no more.
    fn each_point_to_come(self, mut take: impl FnMut(f64) -> bool) {
        let mut coming = VecDeque::from([self]);
        while let Some(bracket) = coming.pop_front() {
            if !take(bracket.left) || !take(bracket.right) {
                return;
            }
            if !bracket.is_narrow() {
                coming.extend([bracket.around(true), bracket.around(false)]);
            }
        }
    }
}

/// The plan's cost by UTC day, scaled so that the days sum to the bound.
pub(crate) fn by_day(problem: &Problem<'_>, load: &EpisodeLoad, bound: &Bound) -> Vec<DayBound> {
    let scale = if bound.plan.cost > 0.0 { bound.lower / bound.plan.cost } else { 1.0 };
    let (stages, moves) = (problem.stages, problem.bills.moves(bound.start_bill_s));
    let mut days: Vec<DayBound> = Vec::new();
    let first = bound.plan.ready.first().copied().unwrap_or(0);
    let mut level = problem.initial.as_ref().map_or(first, |initial| first.clamp(*initial.start(), *initial.end()));
    for (bin, ready) in bound.plan.ready.iter().enumerate() {
        let place = usize::try_from(ready - stages.smallest).unwrap_or(0);
        let changes =
            f64::from(ready.saturating_sub(level)) * moves.rise + f64::from(level.saturating_sub(*ready)) * moves.fall;
        level = *ready;
        spread(load, bin, stages.of_bin(bin)[place] * scale, changes * scale, &mut days);
    }
    days
}

/// Books a bin's costs: changes on the day it begins, the rest evenly over its time (a bin may span midnight).
fn spread(load: &EpisodeLoad, bin: usize, stage: f64, changes: f64, days: &mut Vec<DayBound>) {
    let begin = load.start() + load.interval() * signed(bin);
    let end = begin + load.interval();
    let mut at = begin;
    while at < end {
        let day = day_of(at);
        let until = end.min(Timestamp::ZERO + DAY * (day + 1));
        let share = (until - at).as_secs_f64() / load.interval().as_secs_f64();
        let lower = stage * share + if at == begin { changes } else { 0.0 };
        match days.last_mut().filter(|last| last.day == day) {
            Some(last) => last.lower += lower,
            None => days.push(DayBound { day, lower }),
        }
        at = until;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fluid::world::World;
    use crate::scenario::Scenario;

    fn p1(start_up_s: &dyn Fn(u64) -> f64) -> Bills<'_> {
        super::super::bills(&World::new(&Scenario::protocol_p1()), start_up_s)
    }

    fn of_seed(seed: u64) -> impl Fn(u64) -> f64 {
        let world = World::new(&Scenario::protocol_p1());
        move |ordinal| world.start_up(seed, ordinal).as_secs_f64()
    }

    fn of(seconds: &[f64]) -> Draws {
        Draws { seconds: seconds.to_vec(), beyond: 0.0 }
    }

    #[test]
    fn slack_is_the_least_prefix_sum() {
        let draws = of(&[60.0, 50.0, 90.0, 40.0, 40.0]);
        let bills = p1(&|_| 60.0);
        assert_eq!(draws.slack(&bills, 58.0), 2.0 - 8.0 + 15.0 - 18.0 - 18.0);
        assert_eq!(of(&[60.0, 70.0]).slack(&bills, 58.0), 0.0);
        assert_eq!(of(&[]).slack(&bills, 58.0), 0.0);
    }

    /// Protocol.md: with c = 58 the slack was −33 pod-seconds, on its author's draws; ours are of that size.
    #[test]
    fn slack_of_p1_is_small() {
        for seed in 0..4 {
            let start_up_s = of_seed(seed);
            let draws = draws(&p1(&start_up_s), 0.0, 1e6);
            assert!(draws.beyond >= 1e6 && draws.seconds.len() > 60_000);
            let slack = draws.slack(&p1(&start_up_s), 58.0);
            assert!((-300.0..=0.0).contains(&slack), "seed {seed}: {slack}");
        }
    }

    /// What stages cost anyhow cannot be spent on pods: fewer draws are in question.
    #[test]
    fn stages_are_paid_first() {
        let start_up_s = of_seed(1);
        let (all, some) = (draws(&p1(&start_up_s), 0.0, 1e5), draws(&p1(&start_up_s), 9e4, 1e5));
        assert!(some.beyond >= 1e5 && some.seconds.len() < all.seconds.len() / 9);
        assert_eq!(some.seconds, all.seconds[..some.seconds.len()]);
    }

    #[test]
    fn golden_section_finds_a_concave_maximum() {
        let bracket = Bracket::new(30.0, 90.0);
        let mut asked = Vec::new();
        let mut foreseen = Vec::new();
        bracket.each_point_to_come(|point| {
            foreseen.push(point);
            foreseen.len() < 10_000
        });
        let found = bracket.argmax(|c, _| {
            asked.push(c);
            -(c - 57.3) * (c - 57.3)
        });
        assert!((found - 57.3).abs() <= BILL_PRECISION_S, "{found}");
        assert!(asked.iter().all(|c| foreseen.contains(c)), "what the search asks for was foreseen");
    }
}
