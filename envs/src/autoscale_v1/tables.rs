//! Tables in the place of transcendental functions: waiting probability and start-up steps.

use std::sync::Arc;

use seatrial_core::math;
use seatrial_core::rand::{Stream, uniform};

use crate::fluid::queue::{Load, NEVER, Waiting};
use crate::fluid::world::World;

/// Cells per number of pods.
const CELLS: usize = 512;
/// The grid is even in β = (1 − utilisation) · √servers (Halfin and Whitt), in which all sizes look alike; beyond 7, waiting
/// is as unlikely as one in a billion and counts as never.
const WIDEST: f64 = 7.0;

/// Erlang C by interpolation, exact to 1e-4 absolute (tested).
pub(crate) struct WaitTable {
    rows: Vec<WaitRow>,
    /// Of servers and utilisation alone, so services with as many workers share it.
    p_wait: Arc<[f32]>,
    workers: u32,
}

#[derive(Clone, Copy)]
struct WaitRow {
    capacity: f64,
    cells_per_rate: f64,
}

impl WaitTable {
    pub(crate) fn new(world: &World) -> Self {
        Self::sharing(world, core::iter::empty())
    }

    /// The table of `world`, which shares its probabilities with one of `others` if that has as many workers and pods.
    pub(crate) fn sharing<'a>(world: &World, mut others: impl Iterator<Item = &'a Self>) -> Self {
        let rows: Vec<WaitRow> = (0..=world.largest).map(|ready| WaitRow::new(world, ready)).collect();
        let alike = others.find(|other| other.workers == world.workers && other.rows.len() == rows.len());
        let p_wait = alike.map_or_else(
            || (0..=world.largest).flat_map(|ready| probabilities(world.workers * ready)).collect(),
            |other| Arc::clone(&other.p_wait),
        );
        Self { rows, p_wait, workers: world.workers }
    }

    /// Waiting at `rate` on `ready` pods.
    #[inline]
    pub(crate) fn waiting(&self, world: &World, rate: f64, ready: u32) -> Waiting {
        let index = ready as usize;
        let row = self.rows[index];
        let spare = row.capacity - rate;
        if spare <= 0.0 {
            return Waiting::overloaded(rate, ready, row.capacity);
        }
        let position = spare * row.cells_per_rate;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive and clamped")]
        let cell = (position as usize).min(CELLS);
        let at = index * (CELLS + 2) + cell;
        #[expect(clippy::cast_precision_loss, reason = "a few hundred cells")]
        let share = (position - cell as f64).min(1.0);
        let (low, high) = (f64::from(self.p_wait[at]), f64::from(self.p_wait[at + 1]));
        let p_wait = low + (high - low) * share;
        let tail = if p_wait > NEVER { exp_negative(world.decay(spare) * world.slo_wait_s) } else { 0.0 };
        Waiting::below_capacity(world, Load { rate, ready, capacity: row.capacity }, p_wait, tail)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a few hundred cells")]
const CELLS_F: f64 = CELLS as f64;

impl WaitRow {
    fn new(world: &World, ready: u32) -> Self {
        let servers = world.workers * ready;
        let capacity = f64::from(servers) / world.mean_s;
        let root = f64::from(servers).sqrt();
        Self { capacity, cells_per_rate: if servers > 0 { root / WIDEST * CELLS_F / capacity } else { 0.0 } }
    }
}

/// P(wait) of so many servers at the edges of all cells, and the 0 that follows.
fn probabilities(servers: u32) -> impl Iterator<Item = f32> {
    let root = f64::from(servers).sqrt();
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a few hundred; a probability")]
    let at = move |cell: usize| {
        let utilisation = 1.0 - cell as f64 / CELLS_F * WIDEST / root;
        if servers == 0 || cell == 0 { 1.0 } else { math::erlang_c(servers, utilisation * f64::from(servers)) as f32 }
    };
    (0..=CELLS).map(at).chain(core::iter::once(0.0))
}

/// exp(−x) for x ≥ 0 to a relative 1e-7 (tested); 0 beyond 700.
#[inline]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 1,010")]
fn exp_negative(x: f64) -> f64 {
    // exp(−x) = 2^−k · exp(r) with k whole and |r| at most ln(2) / 2.
    let x = x.min(700.0);
    let k = (x * core::f64::consts::LOG2_E + 0.5) as u64;
    #[expect(clippy::cast_precision_loss, reason = "a small whole number")]
    let r = core::f64::consts::LN_2 * k as f64 - x;
    let series = [1.0, 1.0, 0.5, 1.0 / 6.0, 1.0 / 24.0, 1.0 / 120.0, 1.0 / 720.0, 1.0 / 5_040.0];
    let exp = series.iter().rev().fold(0.0, |sum, term| sum * r + term);
    exp * f64::from_bits((1_023 - k) << 52)
}

/// Start-up of a pod in whole physics steps by comparing its draw with the distribution's steps.
pub(crate) struct StartUpTable {
    /// `below[k]` = P(start-up rounds to at most k + 1 steps).
    below: Vec<f64>,
}

impl StartUpTable {
    pub(crate) fn new(world: &World) -> Self {
        let mut below = Vec::new();
        let mut steps = 1.5;
        loop {
            let p = world.start_up_probability(steps * world.step.as_secs_f64());
            below.push(p);
            if p >= 1.0 || below.len() == MOST_STEPS {
                return Self { below };
            }
            steps += 1.0;
        }
    }

    /// Steps of the pod with the given ordinal: what [`World::start_up`] draws.
    #[inline]
    pub(crate) fn steps(&self, seed: u64, ordinal: u64) -> u16 {
        let unit = uniform(seed, Stream::PodStartUp, ordinal, 0);
        // At most `MOST_STEPS`, which fits.
        1 + self.below.iter().take_while(|p| **p < unit).count() as u16
    }
}

/// No start takes longer in training.
const MOST_STEPS: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Regime, Scenario};

    #[test]
    fn interpolated_waiting_is_erlang_c() {
        let world = World::new(&Scenario::training_p1());
        let table = WaitTable::new(&world);
        let mut worst: f64 = 0.0;
        for ready in [1, 2, 3, 7, 20, 55, 100_u32] {
            for permille in 0..1_040 {
                let rate = f64::from(ready) * 0.05 * f64::from(permille);
                let exact = Waiting::new(&world, rate, ready).flow(&world, 0.0, 1.0);
                let got = table.waiting(&world, rate, ready).flow(&world, 0.0, 1.0);
                let error = (exact.bad - got.bad).abs() / rate.max(1.0);
                worst = worst.max(error);
                assert!(error < 1e-4, "{ready} pods at {rate}: {} {}", exact.bad, got.bad);
                assert_eq!(exact.arrivals, got.arrivals);
            }
        }
        assert!(worst > 0.0, "an interpolation, not the formula");
    }

    #[test]
    fn fast_exponential_is_close() {
        for i in 0..70_000 {
            let x = f64::from(i) * 0.01;
            let exact = math::exp(-x);
            assert!((exp_negative(x) - exact).abs() <= 1e-7 * exact, "exp(-{x}): {} {exact}", exp_negative(x));
        }
        assert!(exp_negative(1e9) < 1e-300);
    }

    #[test]
    fn start_up_steps_are_the_worlds() {
        for regime in [Regime::Plain, Regime::SlowStart] {
            let world = World::new(&Scenario::training_p1().under(regime));
            let table = StartUpTable::new(&world);
            for ordinal in 0..20_000 {
                let expected = world.start_up(7, ordinal).whole_steps(world.step);
                assert_eq!(i64::from(table.steps(7, ordinal)), expected, "{regime:?}, pod {ordinal}");
            }
        }
    }
}
