//! Adam (Kingma & Ba, ICLR 2015) over a population matrix, with one learning rate and one gradient-norm limit per member.
//!
//! Own code, because libtorch's optimisers share one learning rate and one norm among all members and hide their moments
//! from checkpoints. The update is that of `torch.optim.Adam` (checked in a test against numbers from its definition).

use serde::{Deserialize, Serialize};
use tch::{Tensor, no_grad};

const DECAY_FIRST: f64 = 0.9;
const DECAY_SECOND: f64 = 0.999;

/// Moments `[P, N]` and the products of the decays so far.
#[derive(Debug)]
pub(crate) struct Adam {
    pub(crate) first: Tensor,
    pub(crate) second: Tensor,
    pub(crate) progress: Progress,
    epsilon: f64,
    clip_norm: f64,
}

/// What of Adam is not a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Progress {
    decayed_first: f64,
    decayed_second: f64,
}

impl Adam {
    pub(crate) fn new(parameters: &Tensor, epsilon: f64, clip_norm: f64) -> Self {
        let zeros = || no_grad(|| parameters.detach().zeros_like());
        let progress = Progress { decayed_first: 1.0, decayed_second: 1.0 };
        Self { first: zeros(), second: zeros(), progress, epsilon, clip_norm }
    }

    /// One update of `parameters` (a leaf that holds a gradient), then clears the gradient.
    pub(crate) fn step(&mut self, parameters: &mut Tensor, learning_rates: &[f64]) {
        self.progress.decayed_first *= DECAY_FIRST;
        self.progress.decayed_second *= DECAY_SECOND;
        let unbias = 1.0 - self.progress.decayed_first;
        let rates: Vec<f32> = learning_rates.iter().map(|rate| (rate / unbias) as f32).collect();
        let rates = Tensor::from_slice(&rates).unsqueeze(1);
        no_grad(|| {
            let gradient = self.clipped(&parameters.grad());
            let _ = self.first.lerp_(&gradient, 1.0 - DECAY_FIRST);
            let _ = self.second.lerp_(&(&gradient * &gradient), 1.0 - DECAY_SECOND);
            let spread = (&self.second / (1.0 - self.progress.decayed_second)).sqrt() + self.epsilon;
            let _ = parameters.g_sub_(&(&self.first / spread * rates));
        });
        parameters.zero_grad();
    }

    /// Each member's gradient scaled to at most the norm limit.
    fn clipped(&self, gradient: &Tensor) -> Tensor {
        let norms = gradient.norm_scalaropt_dim(2, [1_i64], true);
        let shares = (norms + 1e-6).reciprocal() * self.clip_norm;
        gradient * shares.clamp_max(1.0)
    }
}

/// Linear from 1 at the start to `last_share` at the end, after a linear warm-up over `warm_up` updates.
pub(crate) fn schedule(update: u64, total: u64, warm_up: u64, last_share: f64) -> f64 {
    let progress = (update as f64 / total.max(1) as f64).min(1.0);
    let ramp = ((update + 1) as f64 / warm_up.max(1) as f64).min(1.0);
    ramp * (1.0 + (last_share - 1.0) * progress)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::population::values_f64;

    /// Two updates by hand from the definition: g = 2x, rate 0.1; for the second member the gradient 40 is clipped to 10.
    #[test]
    fn follows_the_definition_per_member() {
        let mut x = Tensor::from_slice(&[1.0_f32, 20.0]).view([2, 1]).set_requires_grad(true);
        let mut adam = Adam::new(&x, 1e-8, 10.0);
        let mut expected = [1.0_f64, 20.0];
        let (mut m, mut v) = ([0.0; 2], [0.0; 2]);
        for t in 1..=2 {
            (&x * &x).sum(tch::Kind::Float).backward();
            adam.step(&mut x, &[0.1, 0.3]);
            for i in 0..2 {
                let g = (2.0 * expected[i]).min(10.0);
                m[i] = 0.9 * m[i] + 0.1 * g;
                v[i] = 0.999 * v[i] + 0.001 * g * g;
                let (c1, c2) = (1.0 - 0.9_f64.powi(t), 1.0 - 0.999_f64.powi(t));
                expected[i] -= [0.1, 0.3][i] * (m[i] / c1) / ((v[i] / c2).sqrt() + 1e-8);
            }
        }
        for (found, wanted) in values_f64(&x).iter().zip(expected) {
            assert!((found - wanted).abs() < 1e-5, "{found} {wanted}");
        }
    }

    #[test]
    fn schedule_warms_up_then_falls() {
        assert!((schedule(0, 100, 10, 0.1) - 0.1).abs() < 1e-12);
        assert!((schedule(50, 100, 10, 0.1) - 0.55).abs() < 1e-12);
        assert!((schedule(100, 100, 10, 0.1) - 0.1).abs() < 1e-12);
    }
}
