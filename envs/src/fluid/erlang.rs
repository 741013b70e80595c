//! Erlang C for several rates at once: the recursion of [`seatrial_core::math::erlang_c`] is one long chain of multiplications and
//! additions, so four chains side by side take the time of one. Each gives the same bits as the chain alone (tested).

use super::world::World;

/// Chains side by side.
pub(crate) const LANES: usize = 4;

/// P(wait > 0) in M/M/c at each offered load (in erlangs, not negative), bit for bit [`seatrial_core::math::erlang_c`].
pub(crate) fn erlang_c_lanes(servers: u32, offered: &[f64; LANES]) -> [f64; LANES] {
    let c = f64::from(servers);
    let mut inverse_b = [1.0; LANES];
    for k in 1..=servers {
        let k = f64::from(k);
        for (inverse_b, offered) in inverse_b.iter_mut().zip(offered) {
            *inverse_b = 1.0 + k / offered * *inverse_b;
        }
    }
    let mut p_wait = [0.0; LANES];
    for ((p_wait, inverse_b), offered) in p_wait.iter_mut().zip(inverse_b).zip(offered) {
        let utilisation = offered / c;
        *p_wait = if *offered <= 0.0 {
            0.0
        } else if *offered >= c {
            1.0
        } else {
            1.0 / (utilisation + (1.0 - utilisation) * inverse_b)
        };
    }
    p_wait
}

/// P(wait > 0) of the coming bins, should the ready pods stay as many.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ahead {
    first_bin: usize,
    /// 0 covers nothing: without pods there is no waiting to compute.
    ready: u32,
    p_wait: [f64; LANES],
}

impl Ahead {
    pub(crate) fn new(world: &World, first_bin: usize, ready: u32, rates: &[f64; LANES]) -> Self {
        let offered = rates.map(|rate| rate * world.mean_s);
        Self { first_bin, ready, p_wait: erlang_c_lanes(world.workers * ready, &offered) }
    }

    pub(crate) fn covers(&self, bin: usize, ready: u32) -> bool {
        self.ready == ready && ready > 0 && (self.first_bin..self.first_bin + LANES).contains(&bin)
    }

    /// Of a bin that is covered, or was the first one asked for.
    pub(crate) fn p_wait(&self, bin: usize) -> f64 {
        self.p_wait.get(bin.wrapping_sub(self.first_bin)).copied().unwrap_or(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;
    use seatrial_core::math;

    #[test]
    fn each_lane_is_the_formula_to_the_bit() {
        for servers in [0, 1, 4, 56, 112, 400] {
            for rates in [[0.0, 1e-9, 0.3, 3.9], [4.0, 55.999, 56.0, 80.0], [111.0, 112.0, 250.0, 399.999]] {
                let expected = rates.map(|offered| math::erlang_c(servers, offered).to_bits());
                let got = erlang_c_lanes(servers, &rates).map(f64::to_bits);
                assert_eq!(got, expected, "{servers} servers at {rates:?}");
            }
        }
    }

    #[test]
    fn covers_the_bins_that_it_was_made_for() {
        let world = World::new(&Scenario::protocol_p1());
        let ahead = Ahead::new(&world, 7, 4, &[180.0, 100.0, 0.0, 300.0]);
        assert_eq!(ahead.p_wait(8), math::erlang_c(16, 8.0));
        assert!(ahead.covers(7, 4) && ahead.covers(10, 4));
        assert!(!ahead.covers(6, 4) && !ahead.covers(11, 4) && !ahead.covers(8, 5));
        assert!(!Ahead::default().covers(0, 0));
    }
}
