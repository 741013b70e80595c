//! Several environment batches as one: member after member, so that each member of a population has its own world.
//!
//! Costs are told relative to a reference: what one fixed action pays at the same slot of the same load and draws. Arrivals do
//! not depend on actions, so this takes the same sum from every policy and changes no optimum; it takes the load's own ups and
//! downs out of the returns, which are far greater than what actions differ by (input-dependent baseline: Mao et al., "Variance
//! Reduction for Reinforcement Learning in Input-Driven Environments", ICLR 2019).

use ndarray::{ArrayView1, ArrayViewMut2, Axis};
use seatrial_core::rl::{StepBuffers, VectorEnv};
use seatrial_envs::autoscale_v1::AutoscaleV1;

/// See the module. All batches have the same number of environments.
pub(super) struct Population {
    members: Vec<Member>,
}

/// The batch of one member, and what the reference pays per load and slot.
pub(super) struct Member {
    env: AutoscaleV1,
    reference: Vec<Vec<f64>>,
    /// Reference of the slot that each environment is in.
    due: Vec<f64>,
}

impl Member {
    /// A batch with the costs of its reference per load and slot.
    pub(super) fn new(env: AutoscaleV1, reference: Vec<Vec<f64>>) -> Self {
        Self { due: vec![0.0; env.len()], env, reference }
    }

    fn step(&mut self, actions: ArrayView1<'_, u32>, out: &mut StepBuffers<'_>) {
        for (env, due) in self.due.iter_mut().enumerate() {
            let (load, slot) = self.env.position(env);
            *due = self.reference[load][slot];
        }
        self.env.step(actions, out);
        for (cost, due) in out.costs.iter_mut().zip(&self.due) {
            *cost -= due;
        }
    }
}

impl Population {
    /// The batches, in the order of the members.
    pub(super) const fn new(members: Vec<Member>) -> Self {
        Self { members }
    }
}

impl VectorEnv for Population {
    fn len(&self) -> usize {
        self.members.iter().map(|member| member.env.len()).sum()
    }

    fn observation_len(&self) -> usize {
        self.members.first().map_or(0, |member| member.env.observation_len())
    }

    fn action_count(&self) -> usize {
        self.members.first().map_or(0, |member| member.env.action_count())
    }

    fn reset(&mut self, seeds: ArrayView1<'_, u64>, observations: ArrayViewMut2<'_, f32>) {
        let (mut seeds, mut observations) = (seeds, observations);
        for member in &mut self.members {
            let (own_seeds, other_seeds) = seeds.split_at(Axis(0), member.env.len());
            let (own, other) = observations.split_at(Axis(0), member.env.len());
            member.env.reset(own_seeds, own);
            (seeds, observations) = (other_seeds, other);
        }
    }

    fn step(&mut self, actions: ArrayView1<'_, u32>, out: &mut StepBuffers<'_>) {
        let mut actions = actions;
        let mut observations = out.observations.view_mut();
        let mut costs = out.costs.view_mut();
        let mut terminated = out.terminated.view_mut();
        let mut truncated = out.truncated.view_mut();
        let mut finals = out.final_observations.view_mut();
        for member in &mut self.members {
            let count = member.env.len();
            let (own_actions, other_actions) = actions.split_at(Axis(0), count);
            let (own_observations, other_observations) = observations.split_at(Axis(0), count);
            let (own_costs, other_costs) = costs.split_at(Axis(0), count);
            let (own_terminated, other_terminated) = terminated.split_at(Axis(0), count);
            let (own_truncated, other_truncated) = truncated.split_at(Axis(0), count);
            let (own_finals, other_finals) = finals.split_at(Axis(0), count);
            let mut own = StepBuffers {
                observations: own_observations,
                costs: own_costs,
                terminated: own_terminated,
                truncated: own_truncated,
                final_observations: own_finals,
            };
            member.step(own_actions, &mut own);
            (actions, observations, costs) = (other_actions, other_observations, other_costs);
            (terminated, truncated, finals) = (other_terminated, other_truncated, other_finals);
        }
    }
}
