//! Stage costs of the dynamic programme: pod-seconds and bad requests of a native bin for every number of ready pods.
//!
//! P(bad) is 1 in overload and falls below [`NEGLIGIBLE`] a few pods later, so each bin has a narrow band in which it must be
//! computed, and one pass of Erlang's recursion over the servers yields all of the band; [`LANES`] bins go side by side.

use seatrial_core::math;

use crate::fluid::erlang::LANES;
use crate::fluid::world::World;
use crate::load::EpisodeLoad;

/// Below this P(bad) counts as 0, which can only lower the bound.
const NEGLIGIBLE: f64 = 1e-12;

/// Cost of each (bin, ready pods) in pod-seconds.
pub(crate) struct StageCosts {
    pub(crate) smallest: u32,
    pub(crate) width: usize,
    pub(crate) bins: usize,
    /// Length of a bin in seconds.
    pub(crate) bin_s: f64,
    costs: Vec<f64>,
    useful: Vec<usize>,
}

impl StageCosts {
    pub(crate) fn new(world: &World, load: &EpisodeLoad) -> Self {
        let rates = load.rates_per_s();
        let width = usize::try_from(world.largest - world.smallest).unwrap_or(0) + 1;
        let bin_s = load.interval().as_secs_f64();
        let mut costs = Vec::with_capacity(rates.len() * width);
        let mut p_bad = vec![[0.0; LANES]; width];
        for chunk in rates.chunks(LANES) {
            let mut lanes = [0.0; LANES];
            lanes[..chunk.len()].copy_from_slice(chunk);
            fill_p_bad(world, &lanes, &mut p_bad);
            for (lane, rate) in chunk.iter().enumerate() {
                let cost =
                    |(p, ready): (&[f64; LANES], u32)| bin_s * (f64::from(ready) + world.costs.kappa * rate * p[lane]);
                costs.extend(p_bad.iter().zip(world.smallest..).map(cost));
            }
        }
        let useful = costs.chunks_exact(width).map(|row| highest_useful(row, bin_s)).collect();
        Self { smallest: world.smallest, width, bins: rates.len(), bin_s, costs, useful }
    }

    /// Costs of one bin for the smallest number of pods and up.
    pub(crate) fn of_bin(&self, bin: usize) -> &[f64] {
        &self.costs[bin * self.width..(bin + 1) * self.width]
    }

    /// The place of so many ready pods in [`Self::of_bin`], or the nearest one.
    pub(crate) fn place(&self, ready: u32) -> usize {
        usize::try_from(ready.saturating_sub(self.smallest)).unwrap_or(usize::MAX).min(self.width - 1)
    }

    /// The place in [`Self::of_bin`] beyond which each further pod costs at least half of its time.
    pub(crate) fn useful(&self, bin: usize) -> usize {
        self.useful[bin]
    }

    /// What no schedule can save: the cheapest stage of every bin.
    pub(crate) fn least(&self) -> f64 {
        self.costs.chunks_exact(self.width).map(|row| row.iter().copied().fold(f64::INFINITY, f64::min)).sum()
    }
}

fn highest_useful(row: &[f64], bin_s: f64) -> usize {
    row.windows(2).rposition(|pair| pair[1] - pair[0] < 0.5 * bin_s).map_or(0, |place| place + 1)
}

/// P(bad) at zero backlog for `world.smallest..` ready pods, the numbers of [`math::wait_exceeds`] in one pass.
fn fill_p_bad(world: &World, rates: &[f64; LANES], out: &mut [[f64; LANES]]) {
    out.fill([0.0; LANES]);
    let offered = rates.map(|rate| rate * world.mean_s);
    let mut inverse_b = [1.0; LANES];
    let mut servers = 0;
    let mut over = offered.map(|offered| offered <= 0.0 && world.smallest > 0);
    for (p, ready) in out.iter_mut().zip(world.smallest..) {
        let wanted = world.workers * ready;
        while servers < wanted {
            servers += 1;
            let k = f64::from(servers);
            for (inverse_b, offered) in inverse_b.iter_mut().zip(&offered) {
                *inverse_b = 1.0 + k / offered * *inverse_b;
            }
        }
        for lane in 0..LANES {
            if !over[lane] {
                p[lane] = bad_share(world, rates[lane], f64::from(wanted), inverse_b[lane]);
                over[lane] = p[lane] < NEGLIGIBLE;
                p[lane] = if over[lane] { 0.0 } else { p[lane] };
            }
        }
        if over == [true; LANES] {
            return;
        }
    }
}

/// P(bad) at `rate` with `servers` workers, whose Erlang B is 1 / `inverse_b`.
fn bad_share(world: &World, rate: f64, servers: f64, inverse_b: f64) -> f64 {
    let offered = rate * world.mean_s;
    let spare = servers / world.mean_s - rate;
    if spare <= 0.0 || offered >= servers {
        return 1.0;
    }
    if offered <= 0.0 {
        return 0.0;
    }
    let utilisation = offered / servers;
    let erlang_c = 1.0 / (utilisation + (1.0 - utilisation) * inverse_b);
    erlang_c * math::exp(-world.decay(spare) * world.slo_wait_s)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;

    #[test]
    fn one_pass_gives_the_formula() {
        let world = World::new(&Scenario::protocol_p1());
        let mut p_bad = vec![[0.0; LANES]; 100];
        for rates in [[0.0, 0.5, 30.0, 49.999], [50.0, 700.0, 1_400.0, 0.0], [4_000.0, 6_000.0, 1e-9, 180.0]] {
            fill_p_bad(&world, &rates, &mut p_bad);
            for (p, ready) in p_bad.iter().zip(1_u32..) {
                for (p, rate) in p.iter().zip(rates) {
                    let exact = math::wait_exceeds(4 * ready, rate, 0.08, 0.12);
                    let expected = if rate == 0.0 || exact < NEGLIGIBLE { 0.0 } else { exact };
                    assert!((p - expected).abs() <= 1e-14, "{ready} pods at {rate}: {p} {expected}");
                }
            }
        }
    }
}
