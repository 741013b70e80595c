//! The exact dynamic programme over ready pods per native bin, with linear prices for rises and falls: O(bins × pods).
//!
//! The cheapest predecessor of y among levels below it is a prefix minimum, among levels above a suffix minimum (learning.md
//! §3.3), so no pair of levels is ever compared.

use super::stage::StageCosts;

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

/// Cost of the optimum from `initial` ready pods, without the plan.
pub(crate) fn optimum(stages: &StageCosts, initial: u32, moves: Moves) -> f64 {
    let mut values = start(stages, initial);
    for bin in 0..stages.bins {
        relax(&mut values, moves);
        for (value, cost) in values.iter_mut().zip(stages.of_bin(bin)) {
            *value += cost;
        }
    }
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

/// The optimum with its plan; among equally cheap ones the fewest pods at the end and the latest changes.
pub(crate) fn plan(stages: &StageCosts, initial: u32, moves: Moves) -> Plan {
    let mut values = start(stages, initial);
    let mut came_from = vec![0_u16; stages.bins * stages.width];
    for bin in 0..stages.bins {
        let from = &mut came_from[bin * stages.width..(bin + 1) * stages.width];
        relax_traced(&mut values, moves, from);
        for (value, cost) in values.iter_mut().zip(stages.of_bin(bin)) {
            *value += cost;
        }
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

fn start(stages: &StageCosts, initial: u32) -> Vec<f64> {
    let mut values = vec![f64::INFINITY; stages.width];
    let level = usize::try_from(initial.saturating_sub(stages.smallest)).unwrap_or(0).min(stages.width - 1);
    values[level] = 0.0;
    values
}

/// values[y] becomes the least of values[x] plus the price of going from x to y.
fn relax(values: &mut [f64], moves: Moves) {
    let mut best = f64::INFINITY;
    for value in values.iter_mut() {
        best = (best + moves.rise).min(*value);
        *value = best;
    }
    let mut best = f64::INFINITY;
    for value in values.iter_mut().rev() {
        best = (best + moves.fall).min(*value);
        *value = best;
    }
}

/// [`relax`] that notes where each value came from.
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
        let native = plan(&stages(&rates, 60, 20), 3, MOVES).cost;
        let fine = plan(&stages(&seconds, 1, 20), 3, MOVES).cost;
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
            let best = plan(&stages, initial, MOVES);
            prop_assert!((price(&stages, initial, &best.ready) - best.cost).abs() < 1e-9 * best.cost);
            prop_assert!((optimum(&stages, initial, MOVES) - best.cost).abs() < 1e-9 * best.cost);
            prop_assert!(price(&stages, initial, &kept) >= best.cost - 1e-9 * best.cost);
            let mut least = f64::INFINITY;
            for code in 0..256_u32 {
                let every: Vec<u32> = (0..4).map(|digit| 1 + (code >> (2 * digit)) % 4).collect();
                least = least.min(price(&stages, initial, &every));
            }
            prop_assert!((least - best.cost).abs() < 1e-9 * best.cost);
        }
    }
}
