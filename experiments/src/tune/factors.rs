//! The factors of the yardsticks, chosen where rules are tuned and with the same seeds.

use std::collections::BTreeMap;

use seatrial_core::math;

use super::{Tuner, cost_per_day, grid, least};
use crate::arena::Arena;
use crate::error::Result;
use crate::stage::Stage;
use crate::tuned::ALL_SERIES;
use crate::yardstick::{Factors, Knowledge, Yardstick};

impl Tuner<'_> {
    /// The best factors of every series, and those that are best over all of them.
    pub(super) fn factors(&self, arenas: &[&Arena], stages: &[Vec<Stage>]) -> Result<BTreeMap<String, Factors>> {
        let factors = grid::constant_factors();
        let kinds: Vec<Knowledge> = Knowledge::all().filter(|knowledge| knowledge.needs_factor()).collect();
        let with_factors =
            |knowledge: Knowledge| factors.iter().map(move |factor| Yardstick { knowledge, factor: *factor });
        let all: Vec<Yardstick> = kinds.iter().flat_map(|kind| with_factors(*kind)).collect();
        let items: Vec<(&[Stage], Yardstick)> =
            stages.iter().flat_map(|stages| all.iter().map(move |one| (&stages[..], *one))).collect();
        let scored = self.crew.map("yardsticks", &items, |(stages, one)| mean_ln_cost(stages, one))?;
        let mut chosen = BTreeMap::new();
        let mut sums = vec![0.0; kinds.len() * factors.len()];
        for (arena, costs) in arenas.iter().zip(scored.chunks(sums.len())) {
            sums.iter_mut().zip(costs).for_each(|(sum, cost)| *sum += cost);
            chosen.insert(arena.label(), best(&kinds, &factors, costs));
        }
        if !arenas.is_empty() {
            chosen.insert(ALL_SERIES.to_owned(), best(&kinds, &factors, &sums));
        }
        Ok(chosen)
    }
}

/// The factor of least cost for each kind; `costs` has a row of factors per kind.
fn best(kinds: &[Knowledge], factors: &[f64], costs: &[f64]) -> Factors {
    let of = |(kind, costs): (&Knowledge, &[f64])| (kind.id(), factors[least(costs)]);
    kinds.iter().zip(costs.chunks(factors.len())).map(of).collect()
}

/// Mean over seeds of ln J per day.
fn mean_ln_cost(stages: &[Stage], yardstick: &Yardstick) -> Result<f64> {
    let mut sum = 0.0;
    for stage in stages {
        sum += math::ln(cost_per_day(stage, &yardstick.run(stage)?));
    }
    #[expect(clippy::cast_precision_loss, reason = "a handful of seeds")]
    let seeds = stages.len().max(1) as f64;
    Ok(sum / seeds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_gets_its_own_cheapest_factor() {
        let kinds = [Knowledge::PresentRate, Knowledge::LaggedRate];
        let found = best(&kinds, &[1.0, 1.1, 1.2], &[3.0, 1.0, 2.0, 3.0, 2.0, 1.0]);
        assert_eq!(found, [("present-rate".to_owned(), 1.1), ("present-rate-lagged".to_owned(), 1.2)].into());
    }
}
