//! When to create the pods that a plan's rises call for, given every pod's own start-up.
//!
//! Pods get their draws in the order of creation, so a short start may stand behind a long one: then one pod comes early or the
//! other late. What a second of either costs is known from the stages on both sides of the rise, and creations have to be in
//! order: the cheapest moments are an isotonic regression with these prices, which pooling adjacent violators solves exactly (the
//! prices are linear in time). What queues up while pods are missing is bad until it has drained, which is part of the price of
//! being late. A long start may also be thrown away: a pod that is removed at once costs two changes and its
//! termination, and the next one has a draw of its own. For each rise the threshold above which starts are thrown away is the one
//! that loses least against the bound's own bill for every draw, min(s_i − c, waste): what the bound charges is lost to nobody.

use super::stage::StageCosts;
use crate::fluid::world::World;
use crate::load::{EpisodeLoad, signed};

/// Quantiles of the start-up that are tried as thresholds.
const THRESHOLDS: [f64; 9] = [1.0, 0.99, 0.97, 0.94, 0.9, 0.85, 0.78, 0.7, 0.6];
/// Least price of a second too late: what a plan calls for is worth something.
const LEAST_LATE: f64 = 1e-3;
/// Least share of a pod's capacity that a backlog is thought to drain with.
const LEAST_SPARE: f64 = 0.1;

/// One pod that is created to stay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Creation {
    /// Seconds after the start; negative if it would have to be before.
    pub(super) at_s: f64,
    /// Pods that are created and removed at once before it.
    pub(super) thrown_away: u32,
}

/// One pod that the plan calls for.
#[derive(Clone, Copy, Debug)]
struct Demand {
    /// Seconds after the start.
    at_s: f64,
    /// Price of a second too early.
    early: f64,
    /// Price of a second too late.
    late: f64,
}

/// What the schedule is made for.
pub(super) struct Task<'a> {
    pub(super) world: &'a World,
    pub(super) load: &'a EpisodeLoad,
    pub(super) stages: &'a StageCosts,
    pub(super) seed: u64,
    pub(super) initial: u32,
    pub(super) plan: &'a [u32],
    /// The bound's bill for a start in seconds.
    pub(super) bill_s: f64,
}

/// The creations for every rise of the plan, in order.
pub(super) fn creations(task: &Task<'_>) -> Vec<Creation> {
    let demands = demands(task);
    let mut draws = Draws { task, seconds: Vec::new() };
    let mut pooled = Pools::default();
    let mut creations = Vec::with_capacity(demands.len());
    let mut next = 0;
    for rise in demands.chunk_by(|one, other| one.at_s == other.at_s) {
        let pick = draws.best(rise, next);
        next += pick.consumed;
        for (demand, (start_up_s, thrown_away)) in rise.iter().zip(pick.used) {
            pooled.push(Target { at_s: demand.at_s - start_up_s, early: demand.early, late: demand.late });
            creations.push(Creation { at_s: 0.0, thrown_away });
        }
    }
    for (creation, at_s) in creations.iter_mut().zip(pooled.moments()) {
        creation.at_s = at_s;
    }
    creations
}

fn demands(task: &Task<'_>) -> Vec<Demand> {
    let mut demands = Vec::new();
    let mut level = task.initial;
    for (bin, ready) in task.plan.iter().enumerate() {
        for pods in level + 1..=*ready {
            let before = bin.saturating_sub(1);
            let early = (task.per_s(before, pods) - task.per_s(before, pods - 1)).clamp(0.0, 1.0);
            let late = task.per_s(bin, pods - 1) - task.per_s(bin, pods) + task.drain_per_s(bin, *ready, pods);
            #[expect(clippy::cast_precision_loss, reason = "a number of bins")]
            demands.push(Demand { at_s: signed(bin) as f64 * task.stages.bin_s, early, late: late.max(LEAST_LATE) });
        }
        level = *ready;
    }
    demands
}

impl Task<'_> {
    /// What a second costs with so many pods and without backlog.
    fn per_s(&self, bin: usize, pods: u32) -> f64 {
        let place = usize::try_from(pods.saturating_sub(self.stages.smallest)).unwrap_or(0);
        self.stages.of_bin(bin)[place] / self.stages.bin_s
    }

    /// What it costs to drain with `ready` pods what queues up in a second in which the pod of number `missing` is not there yet, but
    /// all below it are.
    fn drain_per_s(&self, bin: usize, ready: u32, missing: u32) -> f64 {
        let world = self.world;
        let rate = self.load.rates_per_s()[bin];
        let overflow = |pods: u32| (rate - f64::from(pods) * world.capacity).max(0.0);
        let spare = (f64::from(ready) * world.capacity - rate).max(LEAST_SPARE * world.capacity);
        world.costs.kappa * rate * (overflow(missing - 1) - overflow(missing)) / spare
    }
}

/// Start-up draws by ordinal, as far as they were looked at.
struct Draws<'a> {
    task: &'a Task<'a>,
    seconds: Vec<f64>,
}

/// Which of the next draws a rise uses.
struct Pick {
    /// Start-up and number of draws thrown away before it, for each pod.
    used: Vec<(f64, u32)>,
    consumed: usize,
    loss: f64,
}

impl Draws<'_> {
    fn at(&mut self, ordinal: usize) -> f64 {
        while self.seconds.len() <= ordinal {
            let next = self.seconds.len() as u64;
            self.seconds.push(self.task.world.start_up(self.task.seed, next).as_secs_f64());
        }
        self.seconds[ordinal]
    }

    fn best(&mut self, rise: &[Demand], next: usize) -> Pick {
        let mut best = self.pick(rise, next, f64::INFINITY);
        for level in &THRESHOLDS[1..] {
            let pick = self.pick(rise, next, self.task.world.start_up_quantile_s(*level));
            if pick.loss < best.loss {
                best = pick;
            }
        }
        best
    }

    /// Uses the draws up to the threshold.
    fn pick(&mut self, rise: &[Demand], next: usize, threshold_s: f64) -> Pick {
        let world = self.task.world;
        let waste = 2.0 * world.costs.churn + world.termination.as_secs_f64();
        let mut pick = Pick { used: Vec::with_capacity(rise.len()), consumed: 0, loss: 0.0 };
        let mut thrown_away = 0;
        while pick.used.len() < rise.len() {
            let start_up_s = self.at(next + pick.consumed);
            pick.consumed += 1;
            let over_bill = start_up_s - self.task.bill_s;
            let used = start_up_s <= threshold_s || thrown_away > 64;
            pick.loss += if used { over_bill } else { waste } - over_bill.min(waste);
            if used {
                pick.used.push((start_up_s, thrown_away));
            }
            thrown_away = if used { 0 } else { thrown_away + 1 };
        }
        let mut pooled = Pools::default();
        for (demand, (start_up_s, _)) in rise.iter().zip(&pick.used) {
            pooled.push(Target { at_s: demand.at_s - start_up_s, early: demand.early, late: demand.late });
        }
        pick.loss += pooled.loss();
        pick
    }
}

/// Where a creation would best be, and what a second to either side costs.
#[derive(Clone, Copy, Debug)]
struct Target {
    at_s: f64,
    early: f64,
    late: f64,
}

impl Target {
    fn loss(&self, at_s: f64) -> f64 {
        self.early * (self.at_s - at_s).max(0.0) + self.late * (at_s - self.at_s).max(0.0)
    }
}

/// Isotonic regression under linear prices by pooling adjacent violators (Ayer et al., 1955).
#[derive(Default)]
struct Pools {
    targets: Vec<Target>,
    /// First target and moment of each pool, ascending in both.
    pools: Vec<(usize, f64)>,
}

impl Pools {
    fn push(&mut self, target: Target) {
        self.pools.push((self.targets.len(), target.at_s));
        self.targets.push(target);
        while let [.., (first, before), (_, last)] = self.pools[..]
            && before > last
        {
            self.pools.pop();
            let at_s = cheapest_moment(&self.targets[first..]);
            self.pools.pop();
            self.pools.push((first, at_s));
        }
    }

    fn moments(&self) -> impl Iterator<Item = f64> + '_ {
        let ends = self.pools.iter().skip(1).map(|pool| pool.0).chain([self.targets.len()]);
        self.pools.iter().zip(ends).flat_map(|((first, at_s), end)| (*first..end).map(move |_| *at_s))
    }

    fn loss(&self) -> f64 {
        self.targets.iter().zip(self.moments()).map(|(target, at_s)| target.loss(at_s)).sum()
    }
}

/// The moment that is cheapest for all targets together: one of theirs, the earliest of equals.
fn cheapest_moment(targets: &[Target]) -> f64 {
    let mut sorted = targets.to_vec();
    sorted.sort_by(|one, other| one.at_s.total_cmp(&other.at_s));
    // The slope of the sum just after a moment: those before it are late, the others early.
    let mut slope = -sorted.iter().map(|target| target.early).sum::<f64>();
    for target in &sorted {
        slope += target.early + target.late;
        if slope >= 0.0 {
            return target.at_s;
        }
    }
    sorted.last().map_or(0.0, |target| target.at_s)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;
    use proptest::prelude::*;
    use seatrial_core::time::{Span, Timestamp};

    proptest! {
        /// Against every ascending choice among the targets' moments (an optimum is one of them).
        #[test]
        fn pooling_is_the_cheapest_ascending_choice(
            targets in prop::collection::vec((0_u8..6, 1_u8..5, 1_u8..9), 1..6),
        ) {
            let mut pools = Pools::default();
            for (at_s, early, late) in &targets {
                pools.push(Target { at_s: f64::from(*at_s), early: f64::from(*early), late: f64::from(*late) });
            }
            let moments: Vec<f64> = pools.moments().collect();
            prop_assert!(moments.is_sorted());
            let count = targets.len() as u32;
            let mut least = f64::INFINITY;
            for code in 0..6_u32.pow(count) {
                let choice: Vec<u8> = (0..count).map(|digit| (code / 6_u32.pow(digit) % 6) as u8).collect();
                if choice.is_sorted() {
                    let price = |(at, (target, early, late)): (&u8, &(u8, u8, u8))| {
                        f64::from(target.saturating_sub(*at)) * f64::from(*early)
                            + f64::from(at.saturating_sub(*target)) * f64::from(*late)
                    };
                    least = least.min(choice.iter().zip(&targets).map(price).sum());
                }
            }
            prop_assert_eq!(pools.loss(), least);
        }
    }

    fn of_plan(bill_s: f64, plan: &[u32]) -> (World, Vec<Creation>) {
        let world = World::new(&Scenario::protocol_p1());
        let rates: Vec<f64> = plan.iter().map(|pods| 40.0 * f64::from(*pods)).collect();
        let load = EpisodeLoad::new(Timestamp::ZERO, Span::from_secs(300), rates, vec![]).unwrap();
        let stages = StageCosts::new(&world, &load);
        let task = Task { world: &world, load: &load, stages: &stages, seed: 3, initial: plan[0], plan, bill_s };
        let creations = creations(&task);
        (world, creations)
    }

    #[test]
    fn a_single_pod_comes_just_in_time() {
        let (world, creations) = of_plan(60.0, &[2, 3, 3]);
        let ordinal = u64::from(creations[0].thrown_away);
        assert_eq!(creations.len(), 1);
        assert_eq!(creations[0].at_s, 300.0 - world.start_up(3, ordinal).as_secs_f64());
    }

    /// Creations are in order, every used draw is at most a waste above the bill where a cheaper one is left, and few are late.
    #[test]
    fn long_starts_are_thrown_away_and_creations_are_in_order() {
        let plan: Vec<u32> = (0..60).map(|bin| 2 + bin).collect();
        let (world, creations) = of_plan(58.0, &plan);
        assert_eq!(creations.len(), 59);
        assert!(creations.is_sorted_by(|one, other| one.at_s <= other.at_s));
        let (mut ordinal, mut thrown_away) = (0_u64, 0);
        for (bin, creation) in (1..).zip(&creations) {
            for _ in 0..creation.thrown_away {
                assert!(world.start_up(3, ordinal).as_secs_f64() > 58.0 + 15.0, "thrown away for nothing");
                ordinal += 1;
                thrown_away += 1;
            }
            let start_up_s = world.start_up(3, ordinal).as_secs_f64();
            assert_eq!(creation.at_s, f64::from(bin) * 300.0 - start_up_s);
            assert!(start_up_s < 58.0 + 20.0, "{start_up_s}");
            ordinal += 1;
        }
        assert!(thrown_away > 2, "one in ten takes longer than 77 s");
    }
}
