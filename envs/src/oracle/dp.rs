//! The exact dynamic programme over ready pods per native bin, with linear prices for rises and falls: O(bins × pods).
//!
//! The cheapest predecessor of y among levels below it is a prefix minimum, among levels above a suffix minimum (learning.md
//! §3.3), so no pair of levels is ever compared. Such a scan is one long chain of additions and comparisons, so the programmes of
//! [`LANES`] prices of a rise go side by side in the time of one.
//!
//! Levels that no optimum visits are left out ([`Reach`]): let u be the level beyond which each further pod costs at least half of
//! its time in every bin within W seconds of a bin, with W/2 the price of a rise and a fall. An optimum that has more than u pods
//! there holds its topmost pod for a stretch. If the stretch lies within W, the plan without it saves a rise and a fall, or the rise
//! if the plan ends with it; if it reaches beyond, W seconds of it cost at least as much as to fall and to rise again. Only the
//! initial pods were there without a rise, so within W of the start they stay in.

use core::ops::RangeInclusive;

use super::stage::StageCosts;

/// Prices of a rise that go side by side.
pub(crate) const LANES: usize = 8;

/// Prices of changes between bins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moves {
    pub(crate) rise: f64,
    pub(crate) fall: f64,
}

/// An optimal plan.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    pub(crate) cost: f64,
    /// Ready pods per bin.
    pub(crate) ready: Vec<u32>,
}

/// The problem: stage costs, the levels at which it may begin free of charge (`None`: any), and the highest level of each bin that an
/// optimum may visit.
pub(crate) struct Reach<'a> {
    stages: &'a StageCosts,
    initial: Option<RangeInclusive<usize>>,
    highest: Vec<usize>,
}

impl<'a> Reach<'a> {
    /// For prices up to `dearest`, from any number of `initial` ready pods.
    pub(crate) fn new(stages: &'a StageCosts, initial: Option<&RangeInclusive<u32>>, dearest: Moves) -> Self {
        let initial = initial.map(|ready| stages.place(*ready.start())..=stages.place(*ready.end()));
        let most = initial.as_ref().map_or(0, |levels| *levels.end());
        let bins = whole_bins(2.0 * (dearest.rise + dearest.fall) / stages.bin_s).min(stages.bins);
        let mut highest = Vec::with_capacity(stages.bins);
        for bin in 0..stages.bins {
            let near = bin.saturating_sub(bins)..(bin + bins + 1).min(stages.bins);
            let useful = near.map(|bin| stages.useful(bin)).max().unwrap_or(0);
            highest.push(if bin <= bins { useful.max(most) } else { useful });
        }
        Self { stages, initial, highest }
    }

    /// With at most `most(bin)` ready pods in each bin: a plan without its topmost pod stays within, so no optimum is lost.
    pub(crate) fn within(mut self, most: impl Fn(usize) -> u32) -> Self {
        for (bin, highest) in self.highest.iter_mut().enumerate() {
            *highest = (*highest).min(self.stages.place(most(bin)));
        }
        self
    }

    /// Highest level before `bin` and highest level in it.
    fn around(&self, bin: usize) -> (usize, usize) {
        (if bin == 0 { *self.begins().end() } else { self.highest[bin - 1] }, self.highest[bin])
    }

    /// What the levels have cost before the first bin.
    fn begin<T: Copy>(&self, impossible: T, free: T) -> Vec<T> {
        let mut values = vec![impossible; self.stages.width];
        values[self.begins()].fill(free);
        values
    }

    fn begins(&self) -> RangeInclusive<usize> {
        self.initial.clone().unwrap_or(0..=self.highest[0])
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of bins; casts saturate")]
fn whole_bins(bins: f64) -> usize {
    (bins as usize).saturating_add(1)
}

/// Cost of the optimum for each price of a rise, without the plan.
pub(crate) fn optima(reach: &Reach<'_>, rises: &[f64; LANES], fall: f64) -> [f64; LANES] {
    let mut values = reach.begin([f64::INFINITY; LANES], [0.0; LANES]);
    for bin in 0..reach.stages.bins {
        let (before, highest) = reach.around(bin);
        let top = before.max(highest);
        rise_lanes(&mut values[..=top], rises);
        fall_lanes(&mut values[..=top], fall, reach.stages.of_bin(bin));
        values[highest + 1..=top].fill([f64::INFINITY; LANES]);
    }
    values.iter().fold([f64::INFINITY; LANES], |least, value| lesser(&least, value))
}

#[inline]
fn lesser(one: &[f64; LANES], other: &[f64; LANES]) -> [f64; LANES] {
    core::array::from_fn(|lane| if one[lane] < other[lane] { one[lane] } else { other[lane] })
}

/// values[y] becomes the least of values[x] plus the price of rising from x to y.
fn rise_lanes(values: &mut [[f64; LANES]], rises: &[f64; LANES]) {
    let mut best = [f64::INFINITY; LANES];
    for value in values {
        best = lesser(&core::array::from_fn(|lane| best[lane] + rises[lane]), value);
        *value = best;
    }
}

/// values[y] becomes the least of values[x] plus the price of falling from x to y, plus the stage.
fn fall_lanes(values: &mut [[f64; LANES]], fall: f64, costs: &[f64]) {
    let mut best = [f64::INFINITY; LANES];
    for (value, cost) in values.iter_mut().zip(costs).rev() {
        best = lesser(&best.map(|best| best + fall), value);
        *value = best.map(|best| best + cost);
    }
}

/// The optimum with its plan; among equally cheap ones the fewest pods at the end and the latest changes.
pub(crate) fn plan(reach: &Reach<'_>, moves: Moves) -> Plan {
    let stages = reach.stages;
    let mut values = reach.begin(f64::INFINITY, 0.0);
    let mut came_from = vec![0_u16; stages.bins * stages.width];
    for bin in 0..stages.bins {
        let (before, highest) = reach.around(bin);
        let top = before.max(highest);
        relax_traced(&mut values[..=top], moves, &mut came_from[bin * stages.width..][..=top]);
        for (value, cost) in values[..=highest].iter_mut().zip(stages.of_bin(bin)) {
            *value += cost;
        }
        values[highest + 1..=top].fill(f64::INFINITY);
    }
    let (mut level, mut cost) = (0, f64::INFINITY);
    for (index, value) in values.iter().enumerate() {
        if *value < cost {
            (level, cost) = (index, *value);
        }
    }
    let mut ready = vec![0; stages.bins];
    for bin in (0..stages.bins).rev() {
        ready[bin] = stages.smallest + u32::try_from(level).unwrap_or(0);
        level = usize::from(came_from[bin * stages.width + level]);
    }
    Plan { cost, ready }
}

/// values[y] becomes the least of values[x] plus the price of going from x to y; notes where each value came from.
#[expect(clippy::cast_possible_truncation, reason = "a scenario has at most 10,000 pods")]
fn relax_traced(values: &mut [f64], moves: Moves, from: &mut [u16]) {
    let (mut best, mut source) = (f64::INFINITY, 0);
    for (index, (value, from)) in values.iter_mut().zip(from.iter_mut()).enumerate() {
        best += moves.rise;
        if *value <= best {
            (best, source) = (*value, index as u16);
        }
        (*value, *from) = (best, source);
    }
    let (mut best, mut source) = (f64::INFINITY, 0);
    for (value, from) in values.iter_mut().zip(from.iter_mut()).rev() {
        best += moves.fall;
        if *value <= best {
            (best, source) = (*value, *from);
        }
        (*value, *from) = (best, source);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fluid::world::World;
    use crate::load::EpisodeLoad;
    use crate::scenario::Scenario;
    use proptest::prelude::*;
    use seatrial_core::observe::Bounds;
    use seatrial_core::time::{Span, Timestamp};

    fn stages(rates: &[f64], interval_s: i64, most: u32) -> StageCosts {
        let mut scenario = Scenario::protocol_p1();
        scenario.workload.bounds = Bounds { min: 1, max: most };
        let load = EpisodeLoad::new(Timestamp::ZERO, Span::from_secs(interval_s), rates.to_vec(), vec![]).unwrap();
        StageCosts::new(&World::new(&scenario), &load)
    }

    const MOVES: Moves = Moves { rise: 63.0, fall: 10.0 };

    fn best(stages: &StageCosts, initial: u32) -> Plan {
        plan(&Reach::new(stages, Some(&(initial..=initial)), MOVES), MOVES)
    }

    /// Textbook dynamic programming over every pair of levels, none left out but those above `most` of a bin.
    fn textbook(
        stages: &StageCosts,
        initial: Option<&RangeInclusive<u32>>,
        moves: Moves,
        most: impl Fn(usize) -> u32,
    ) -> f64 {
        let at_first = |level: usize| initial.is_none_or(|initial| initial.contains(&(level as u32 + stages.smallest)));
        let mut values: Vec<f64> =
            (0..stages.width).map(|level| if at_first(level) { 0.0 } else { f64::INFINITY }).collect();
        for bin in 0..stages.bins {
            let into = |to: usize| {
                if to > (most(bin) - stages.smallest) as usize {
                    return f64::INFINITY;
                }
                let from = |from: usize| {
                    let (up, down) = (to.saturating_sub(from) as f64, from.saturating_sub(to) as f64);
                    values[from] + up * moves.rise + down * moves.fall
                };
                (0..stages.width).map(from).fold(f64::INFINITY, f64::min) + stages.of_bin(bin)[to]
            };
            values = (0..stages.width).map(into).collect();
        }
        values.into_iter().fold(f64::INFINITY, f64::min)
    }

    fn price(stages: &StageCosts, initial: u32, plan: &[u32]) -> f64 {
        let (mut cost, mut level) = (0.0, initial);
        for (bin, next) in plan.iter().enumerate() {
            cost += f64::from(next.saturating_sub(level)) * MOVES.rise
                + f64::from(level.saturating_sub(*next)) * MOVES.fall;
            cost += stages.of_bin(bin)[(next - 1) as usize];
            level = *next;
        }
        cost
    }

    /// Protocol.md: inside a native bin the stage cost is constant, so the DP over native bins is the exact 1-s DP.
    #[test]
    fn native_bins_equal_one_second_bins() {
        let rates = [100.0, 260.0, 420.0, 90.0, 30.0, 240.0, 241.0, 0.0];
        let seconds: Vec<f64> = rates.iter().flat_map(|rate| [*rate; 60]).collect();
        let native = best(&stages(&rates, 60, 20), 3).cost;
        let fine = best(&stages(&seconds, 1, 20), 3).cost;
        assert!((native - fine).abs() < 1e-6 * fine, "{native} {fine}");
    }

    proptest! {
        #[test]
        fn no_plan_is_cheaper(
            rates in prop::collection::vec(0.0..250.0_f64, 4),
            initial in 1_u32..=4,
            kept in prop::collection::vec(1_u32..=4, 4),
        ) {
            let stages = stages(&rates, 60, 4);
            let best = best(&stages, initial);
            prop_assert!((price(&stages, initial, &best.ready) - best.cost).abs() < 1e-9 * best.cost);
            prop_assert!(price(&stages, initial, &kept) >= best.cost - 1e-9 * best.cost);
            let mut least = f64::INFINITY;
            for code in 0..256_u32 {
                let every: Vec<u32> = (0..4).map(|digit| 1 + (code >> (2 * digit)) % 4).collect();
                least = least.min(price(&stages, initial, &every));
            }
            prop_assert!((least - best.cost).abs() < 1e-9 * best.cost);
        }

        /// Levels that are left out and prices side by side change nothing, however many pods there are at first.
        #[test]
        fn lanes_and_reach_equal_the_textbook(
            rates in prop::collection::vec(0.0..900.0_f64, 1..40),
            interval_s in prop::sample::select(vec![15_i64, 60, 300]),
            initial in 1_u32..=40,
        ) {
            let stages = stages(&rates, interval_s, 40);
            let rises: [f64; LANES] = core::array::from_fn(|lane| 30.0 + 9.0 * lane as f64);
            let dearest = Moves { rise: rises[LANES - 1], fall: 10.0 };
            let reach = Reach::new(&stages, Some(&(initial..=initial)), dearest);
            for (rise, got) in rises.into_iter().zip(optima(&reach, &rises, 10.0)) {
                let moves = Moves { rise, fall: 10.0 };
                let expected = textbook(&stages, Some(&(initial..=initial)), moves, |_| 40);
                prop_assert!((got - expected).abs() <= 1e-9 * expected, "{got} {expected}");
                prop_assert!((plan(&reach, moves).cost - expected).abs() <= 1e-9 * expected);
            }
        }

        /// The same with room that grows once, from a given level that it has room for or from any.
        #[test]
        fn room_and_a_free_start_equal_the_textbook(
            rates in prop::collection::vec(0.0..900.0_f64, 1..40),
            (initial, at_first, later) in (1_u32..=20, 0_u32..=10, 0_u32..=15).prop_map(|(initial, more, most)| {
                (initial, initial + more, initial + more + most)
            }),
            grows in 0_usize..40,
            fewer in 0_u32..5,
            is_free in any::<bool>(),
        ) {
            let stages = stages(&rates, 60, 45);
            let most = |bin: usize| if bin < grows { at_first } else { later };
            let initial = (!is_free).then_some(initial.saturating_sub(fewer).max(1)..=initial);
            let reach = Reach::new(&stages, initial.as_ref(), MOVES).within(most);
            let expected = textbook(&stages, initial.as_ref(), MOVES, most);
            let plan = plan(&reach, MOVES);
            prop_assert!((plan.cost - expected).abs() <= 1e-9 * expected, "{} {expected}", plan.cost);
            prop_assert!(plan.ready.iter().enumerate().all(|(bin, ready)| *ready <= most(bin)));
            let [optimum, ..] = optima(&reach, &[MOVES.rise; LANES], MOVES.fall);
            prop_assert!((optimum - expected).abs() <= 1e-9 * expected);
        }
    }
}
