//! The contract between environments and learners: a batch of environments stepped together on caller-owned buffers.
//!
//! The meaning is Gymnasium's: a reset takes seeds, `terminated` (the task ended) and `truncated` (we stopped watching) are
//! apart, and the true last observation is handed out beside the first one of the next episode (same-step autoreset). There
//! is no reward: the environment reports realised cost (lower is better) and learners negate it.

use ndarray::{Array1, Array2, ArrayView1, ArrayViewMut1, ArrayViewMut2};

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

/// [`StepBuffers`] that own their arrays, for callers that have no better place for them.
#[derive(Clone, Debug)]
pub struct StepArrays {
    /// See [`StepBuffers::observations`].
    pub observations: Array2<f32>,
    /// See [`StepBuffers::costs`].
    pub costs: Array1<f64>,
    /// See [`StepBuffers::terminated`].
    pub terminated: Array1<bool>,
    /// See [`StepBuffers::truncated`].
    pub truncated: Array1<bool>,
    /// See [`StepBuffers::final_observations`].
    pub final_observations: Array2<f32>,
}

impl StepArrays {
    /// Zeros for so many environments and entries of an observation.
    #[must_use]
    pub fn new(envs: usize, observation_len: usize) -> Self {
        Self {
            observations: Array2::zeros((envs, observation_len)),
            costs: Array1::zeros(envs),
            terminated: Array1::from_elem(envs, false),
            truncated: Array1::from_elem(envs, false),
            final_observations: Array2::zeros((envs, observation_len)),
        }
    }

    /// What a step writes to.
    pub fn view_mut(&mut self) -> StepBuffers<'_> {
        StepBuffers {
            observations: self.observations.view_mut(),
            costs: self.costs.view_mut(),
            terminated: self.terminated.view_mut(),
            truncated: self.truncated.view_mut(),
            final_observations: self.final_observations.view_mut(),
        }
    }
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
