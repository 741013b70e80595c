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

/// What is known of the queue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Queue {
    /// It is settled at every moment, and in overload everybody waits too long: the fluid model's.
    Settled,
    /// Each bin begins with an empty queue, which nothing can better, and a queue takes time to settle, near saturation more than a bin.
    /// In overload what exceeds the capacity is bad: queues of pods that come and go leave the rest good.
    Any {
        /// Seconds after which a request leaves a full queue at most.
        full_s: f64,
        /// Whether all pods share one queue, in order of arrival: then in overload everybody waits too long, once it has grown.
        is_shared: bool,
    },
}

impl StageCosts {
    pub(crate) fn new(world: &World, load: &EpisodeLoad) -> Self {
        Self::from(world, load, Queue::Settled)
    }

    pub(crate) fn from(world: &World, load: &EpisodeLoad, queue: Queue) -> Self {
        let rates = load.rates_per_s();
        let width = usize::try_from(world.largest - world.smallest).unwrap_or(0) + 1;
        let bin_s = load.interval().as_secs_f64();
        let mut costs = Vec::with_capacity(rates.len() * width);
        let mut p_bad = vec![[0.0; LANES]; width];
        for chunk in rates.chunks(LANES) {
            let mut lanes = [0.0; LANES];
            lanes[..chunk.len()].copy_from_slice(chunk);
            fill_p_bad(world, &lanes, &mut p_bad);
            if let Queue::Any { full_s, is_shared } = queue {
                lower_to_any(world, &lanes, (bin_s, full_s, is_shared), &mut p_bad);
            }
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

/// From the share of bad requests of a settled queue to what a bin of `bin_s` seconds has at least. More pods are never worse, so a
/// number of pods of which little is known has at least what any larger number has.
fn lower_to_any(
    world: &World,
    rates: &[f64; LANES],
    (bin_s, full_s, is_shared): (f64, f64, bool),
    p_bad: &mut [[f64; LANES]],
) {
    let mut least = [0.0_f64; LANES];
    for (level, p) in p_bad.iter_mut().enumerate().rev() {
        let ready = world.smallest + u32::try_from(level).unwrap_or(u32::MAX);
        for lane in 0..LANES {
            let rate = rates[lane];
            let is_overload = rate >= world.capacity * f64::from(ready);
            let known = if is_overload && !is_shared { 0.0 } else { known_share(world, rate, ready, (bin_s, full_s)) };
            let beyond = if is_overload { beyond_capacity(world, rate, ready, bin_s) } else { 0.0 };
            least[lane] = least[lane].max(p[lane] * known).max(beyond);
            p[lane] = least[lane];
        }
    }
}

/// Share of P(bad) that is left of the settled, unlimited queue: a bin's time without that which an empty queue takes to settle (in
/// overload: to reach the longest good wait), twice for a schedule that begins anew within a bin, and without the part of the tail that
/// a full queue cuts. A test holds it to the exact transient.
///
/// Below capacity four relaxation times of M/M/1, 1 / (√capacity − √rate)², and of a worker (Abate and Whitt, Adv. Appl. Prob. 19(3),
/// 1987); above it the time to fill the workers, and a walk with drift, whose time below a level a is a / drift + variance / (2 drift²).
fn known_share(world: &World, rate: f64, ready: u32, (bin_s, full_s): (f64, f64)) -> f64 {
    let capacity = world.capacity * f64::from(ready);
    if capacity <= 0.0 {
        return 1.0;
    }
    let excess = rate - capacity;
    let (unsettled_s, decay) = if excess < 0.0 {
        let gap = capacity.sqrt() - rate.sqrt();
        (4.0 / (gap * gap) + 4.0 * world.mean_s, -excess)
    } else {
        let fill_s = -math::ln(1.0 - capacity / rate) * world.mean_s;
        let reach_s = world.slo_wait_s * capacity / excess + (rate + capacity) / (2.0 * excess * excess);
        (fill_s + reach_s, math::ln(rate / capacity) * capacity)
    };
    let settled = (1.0 - 2.0 * unsettled_s / bin_s).max(0.0);
    // At the capacity itself nothing settles, and nothing decays.
    if settled > 0.0 { settled * (1.0 - math::exp(-decay * (full_s - world.slo_wait_s).max(0.0))) } else { 0.0 }
}

/// Share of requests that cannot begin in time whoever is served: beyond what the workers begin within the bin and the longest wait
/// after it, and those that they begin at once, twice for a schedule that begins anew within a bin.
fn beyond_capacity(world: &World, rate: f64, ready: u32, bin_s: f64) -> f64 {
    if rate <= 0.0 {
        return 0.0;
    }
    let (capacity, workers) = (world.capacity * f64::from(ready), f64::from(world.workers * ready));
    (1.0 - capacity / rate - 2.0 * (capacity * world.slo_wait_s + workers) / (rate * bin_s)).max(0.0)
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

    /// Share of requests that wait longer than `wait_s`, of those that come within `bin_s` to `servers` empty workers: Kolmogorov's
    /// equations by uniformization, from the definition. Beyond `MOST` requests none is let in, which only makes waits shorter.
    fn exact_share(servers: usize, mean_s: f64, rate: f64, (wait_s, bin_s): (f64, f64)) -> f64 {
        const MOST: usize = 600;
        let (done, all) = (servers as f64 / mean_s, rate + servers as f64 / mean_s);
        // Who finds n here waits for n − servers + 1 ends of work: P(fewer of them than that within the wait).
        let mut too_long = vec![0.0; MOST + 1];
        let (mut term, mut sum) = (math::exp(-done * wait_s), 0.0);
        for (n, too_long) in too_long.iter_mut().enumerate().skip(servers) {
            sum += term;
            *too_long = sum;
            term *= done * wait_s / (n - servers + 1) as f64;
        }
        let mut now = vec![0.0; MOST + 1];
        now[0] = 1.0;
        let steps = (all * bin_s) as usize;
        let mut share = 0.0;
        for _ in 0..steps {
            share += now.iter().zip(&too_long).map(|(p, too_long)| p * too_long).sum::<f64>() / steps as f64;
            let mut next = vec![0.0; MOST + 1];
            for (n, p) in now.iter().enumerate().filter(|(_, p)| **p > 1e-15) {
                let ends = n.min(servers) as f64 / mean_s / all;
                next[(n + 1).min(MOST)] += p * rate / all;
                next[n.saturating_sub(1)] += p * ends;
                next[n] += p * (1.0 - rate / all - ends);
            }
            now = next;
        }
        share
    }

    /// From light load through saturation into overload, for short and long bins and waits: never above the exact share, and near it
    /// where queues settle.
    #[test]
    fn it_is_at_most_the_exact_transient_from_empty() {
        let mut near = 0;
        for (workers, mean_s, ready, wait_s, bin_s) in [
            (4, 0.08, 1, 0.12, 15.0),
            (4, 0.08, 2, 0.12, 60.0),
            (4, 0.08, 2, 0.0, 60.0),
            (4, 0.08, 2, 1.0, 60.0),
            (1, 0.5, 3, 0.5, 60.0),
            (2, 1.0, 2, 1.0, 60.0),
            (4, 0.08, 6, 0.12, 15.0),
        ] {
            let scenario = Scenario {
                service: crate::scenario::Service { workers, mean_s },
                slo_wait_s: wait_s,
                ..Scenario::protocol_p1()
            };
            let world = World::new(&scenario);
            let capacity = world.capacity * f64::from(ready);
            let shares = [0.4, 0.7, 0.8, 0.9, 0.95, 0.98, 1.0, 1.01, 1.05, 1.1, 1.3, 2.0];
            for rates in shares.map(|share| share * capacity).chunks(LANES) {
                let mut lanes = [0.0; LANES];
                lanes[..rates.len()].copy_from_slice(rates);
                let mut p_bad = vec![[0.0; LANES]; 100];
                fill_p_bad(&world, &lanes, &mut p_bad);
                lower_to_any(&world, &lanes, (bin_s, f64::INFINITY, true), &mut p_bad);
                for (rate, least) in rates.iter().zip(p_bad[ready as usize - 1]) {
                    let exact = exact_share((workers * ready) as usize, mean_s, *rate, (wait_s, bin_s));
                    assert!(least <= exact + 1e-9, "{ready} pods at {rate}, {wait_s} s, {bin_s} s: {least} {exact}");
                    near += u32::from(exact > 1e-4 && least > 0.9 * exact);
                }
            }
        }
        assert!(near >= 10, "{near}");
    }

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
