//! The contract between environments and learners: a batch of environments stepped together on caller-owned buffers.
//!
//! The meaning is Gymnasium's: a reset takes seeds, `terminated` (the task ended) and `truncated` (we stopped watching) are
//! apart, and the true last observation is handed out beside the first one of the next episode (same-step autoreset). There
//! is no reward: the environment reports realised cost (lower is better) and learners negate it.

use ndarray::{ArrayView1, ArrayViewMut1, ArrayViewMut2};

/// Where a step writes; every array has one row per environment.
pub struct StepBuffers<'a> {
    /// Observation to act on next: `[envs, observation_len]`. After the end of an episode the first one of the next episode.
    pub observations: ArrayViewMut2<'a, f32>,
    /// Realised cost of the step, in the environment's unit: `[envs]`.
    pub costs: ArrayViewMut1<'a, f64>,
    /// Whether the task ended in this step: nothing follows, do not bootstrap. `[envs]`.
    pub terminated: ArrayViewMut1<'a, bool>,
    /// Whether the episode was cut off in this step: bootstrap from the final observation. `[envs]`.
    pub truncated: ArrayViewMut1<'a, bool>,
    /// True last observation of the episodes that ended in this step, other rows are left as they were: `[envs, observation_len]`.
    pub final_observations: ArrayViewMut2<'a, f32>,
}

/// A batch of independent environments with discrete actions.
pub trait VectorEnv {
    /// Number of environments.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Length of one observation.
    fn observation_len(&self) -> usize;

    /// Number of actions; actions are `0..action_count()`.
    fn action_count(&self) -> usize;

    /// Starts an episode in every environment; the same seeds give the same bytes.
    fn reset(&mut self, seeds: ArrayView1<'_, u64>, observations: ArrayViewMut2<'_, f32>);

    /// Takes one action in every environment. Allocates nothing.
    fn step(&mut self, actions: ArrayView1<'_, u32>, out: &mut StepBuffers<'_>);
}
