//! The arrays that environments write and the learner reads.

use ndarray::{Array1, Array2};
use seatrial_core::rl::{StepBuffers, VectorEnv};

/// Caller-owned buffers of the environments, allocated once per segment.
pub(super) struct Buffers {
    pub(super) observations: Array2<f32>,
    pub(super) next: Array2<f32>,
    pub(super) last: Array2<f32>,
    pub(super) costs: Array1<f64>,
    pub(super) terminated: Array1<bool>,
    pub(super) truncated: Array1<bool>,
    pub(super) actions: Array1<u32>,
}

impl Buffers {
    pub(super) fn new(envs: usize, width: usize) -> Self {
        let wide = || Array2::zeros((envs, width));
        let flags = || Array1::from_elem(envs, false);
        let (costs, actions) = (Array1::zeros(envs), Array1::zeros(envs));
        Self {
            observations: wide(),
            next: wide(),
            last: wide(),
            costs,
            terminated: flags(),
            truncated: flags(),
            actions,
        }
    }

    /// Takes `actions`; what follows is in `next`, `costs`, the flags and `last`.
    pub(super) fn step(&mut self, env: &mut dyn VectorEnv) {
        let mut out = StepBuffers {
            observations: self.next.view_mut(),
            costs: self.costs.view_mut(),
            terminated: self.terminated.view_mut(),
            truncated: self.truncated.view_mut(),
            final_observations: self.last.view_mut(),
        };
        env.step(self.actions.view(), &mut out);
    }
}

/// One environment's row.
pub(super) fn row(rows: &Array2<f32>, index: usize) -> &[f32] {
    let width = rows.ncols();
    rows.as_slice().map_or(&[], |values| &values[index * width..(index + 1) * width])
}
