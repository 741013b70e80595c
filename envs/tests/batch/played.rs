//! An environment with its buffers, and the bytes that its instances show: what conformance and determinism are told by.

use core::ops::Range;

use ndarray::Array1;
use seatrial_core::rand::{Stream, below};
use seatrial_core::rl::{StepArrays, VectorEnv};

/// See the module.
pub(crate) struct Played<E: VectorEnv + ?Sized> {
    pub(crate) shown: StepArrays,
    /// Rows of an instance.
    block: usize,
    pub(crate) env: Box<E>,
}

impl<E: VectorEnv + ?Sized> Played<E> {
    pub(crate) fn new(env: Box<E>, block: usize) -> Self {
        Self { shown: StepArrays::new(env.len(), env.observation_len()), block, env }
    }

    /// Seeds instances one after the other.
    pub(crate) fn reset(&mut self, first_seed: u64) {
        let block = self.block as u64;
        let seeds: Array1<u64> = (0..self.env.len() as u64).map(|row| first_seed + row / block).collect();
        self.env.reset(seeds.view(), self.shown.observations.view_mut());
    }

    pub(crate) fn step(&mut self, actions: &Array1<u32>) {
        self.env.step(actions.view(), &mut self.shown.view_mut());
    }

    /// Bytes that each of `instances` shows over `steps` steps of actions drawn for its seed.
    pub(crate) fn bytes(&mut self, first_seed: u64, steps: u32, instances: Range<usize>) -> Vec<Vec<u8>> {
        self.reset(first_seed);
        let mut bytes = vec![Vec::new(); instances.len()];
        self.show(&instances, &mut bytes, false);
        let (block, count) = (self.block as u64, self.env.action_count() as u64);
        for step in 0..steps {
            let action = |row: u64| {
                let index = step * block as u32 + (row % block) as u32;
                below(5, Stream::RandomAction, first_seed + row / block, index, count) as u32
            };
            let actions: Array1<u32> = (0..self.env.len() as u64).map(action).collect();
            self.step(&actions);
            self.show(&instances, &mut bytes, true);
        }
        bytes
    }

    /// Appends what is shown now: observations, and after a step its costs, ends and last observations.
    fn show(&self, instances: &Range<usize>, bytes: &mut [Vec<u8>], after_a_step: bool) {
        for (instance, bytes) in instances.clone().zip(bytes) {
            for row in instance * self.block..(instance + 1) * self.block {
                bytes.extend(self.shown.observations.row(row).iter().flat_map(|value| value.to_le_bytes()));
                if after_a_step {
                    bytes.extend(self.shown.costs[row].to_le_bytes());
                    bytes.extend([u8::from(self.shown.terminated[row]), u8::from(self.shown.truncated[row])]);
                }
                if self.shown.truncated[row] && after_a_step {
                    bytes.extend(self.shown.final_observations.row(row).iter().flat_map(|value| value.to_le_bytes()));
                }
            }
        }
    }
}
