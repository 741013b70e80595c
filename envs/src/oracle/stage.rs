//! Stage costs of the dynamic programme: pod-seconds and bad requests of a native bin for every number of ready pods.
//!
//! P(bad) is 1 in overload and falls below [`NEGLIGIBLE`] a few pods later, so each bin has a narrow band in which it must be
//! computed, and one pass of Erlang's recursion over the servers yields all of the band.

use seatrial_core::math;

use crate::fluid::world::World;
use crate::load::EpisodeLoad;

/// Below this P(bad) counts as 0, which can only lower the bound.
const NEGLIGIBLE: f64 = 1e-12;

/// Cost of each (bin, ready pods) in pod-seconds.
pub(crate) struct StageCosts {
    pub(crate) smallest: u32,
    pub(crate) width: usize,
    pub(crate) bins: usize,
    costs: Vec<f64>,
}

impl StageCosts {
    pub(crate) fn new(world: &World, load: &EpisodeLoad) -> Self {
        let rates = load.rates_per_s();
        let width = usize::try_from(world.largest - world.smallest).unwrap_or(0) + 1;
        let dt_s = load.interval().as_secs_f64();
        let mut costs = vec![0.0; rates.len() * width];
        let mut p_bad = vec![0.0; width];
        let mut known_rate = f64::NAN;
        for (rate, row) in rates.iter().zip(costs.chunks_exact_mut(width)) {
            if rate.to_bits() != known_rate.to_bits() {
                fill_p_bad(world, *rate, &mut p_bad);
                known_rate = *rate;
            }
            for ((cost, p), ready) in row.iter_mut().zip(&p_bad).zip(world.smallest..) {
                *cost = dt_s * (f64::from(ready) + world.costs.kappa * rate * p);
            }
        }
        Self { smallest: world.smallest, width, bins: rates.len(), costs }
    }

    /// Costs of one bin for the smallest number of pods and up.
    pub(crate) fn of_bin(&self, bin: usize) -> &[f64] {
        &self.costs[bin * self.width..(bin + 1) * self.width]
    }
}

/// P(bad) at zero backlog for `world.smallest..` ready pods, the numbers of [`math::wait_exceeds`] in one pass.
fn fill_p_bad(world: &World, rate: f64, out: &mut [f64]) {
    out.fill(0.0);
    let offered = rate * world.mean_s;
    let mut inverse_b = 1.0;
    let mut servers = 0;
    for (p, ready) in out.iter_mut().zip(world.smallest..) {
        let wanted = world.workers * ready;
        let c = f64::from(wanted);
        let spare = c / world.mean_s - rate;
        if spare <= 0.0 || offered >= c {
            *p = 1.0;
            continue;
        }
        if offered <= 0.0 {
            return;
        }
        while servers < wanted {
            servers += 1;
            inverse_b = 1.0 + f64::from(servers) / offered * inverse_b;
        }
        let utilisation = offered / c;
        let erlang_c = 1.0 / (utilisation + (1.0 - utilisation) * inverse_b);
        let bad = erlang_c * math::exp(-spare * world.slo_wait_s);
        if bad < NEGLIGIBLE {
            return;
        }
        *p = bad;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;

    #[test]
    fn one_pass_gives_the_formula() {
        let world = World::new(&Scenario::protocol_p1());
        let mut p_bad = vec![0.0; 100];
        for rate in [0.0, 0.5, 30.0, 49.999, 50.0, 700.0, 1_400.0, 4_000.0, 6_000.0] {
            fill_p_bad(&world, rate, &mut p_bad);
            for (p, ready) in p_bad.iter().zip(1_u32..) {
                let exact = math::wait_exceeds(4 * ready, rate, 0.08, 0.12);
                let expected = if rate == 0.0 || exact < NEGLIGIBLE { 0.0 } else { exact };
                assert!((p - expected).abs() <= 1e-14, "{ready} pods at {rate}: {p} {expected}");
            }
        }
    }
}
