//! Replay memory of a population, and the n-step returns that go into it.
//!
//! A stored transition is whole in itself: state, action, discounted sum of up to n rewards, the state to bootstrap from and
//! the factor on its value: γᵏ after k rewards, 0 after a terminal step. So termination and truncation differ in one
//! number, a truncated episode bootstraps from its true last observation, and no sum ever reaches across an episode's end
//! (Pardo et al., "Time limits in reinforcement learning", ICML 2018). Everything is allocated at the start.

use tch::Tensor;

use crate::checkpoint::{CheckpointReader, CheckpointWriter, refuse};
use crate::error::AgentError;

/// How a step left its episode.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Next<'a> {
    /// It goes on from this observation.
    Continues(&'a [f32]),
    /// It was cut off at this true last observation.
    Truncated(&'a [f32]),
    /// The task ended here.
    Terminated(&'a [f32]),
}

/// Ring of transitions per member, rows of one member together.
#[derive(Debug)]
pub(crate) struct Replay {
    capacity: usize,
    width: usize,
    states: Vec<f32>,
    bootstraps: Vec<f32>,
    actions: Vec<f32>,
    returns: Vec<f32>,
    factors: Vec<f32>,
    /// Rows ever written, per member.
    written: Vec<u64>,
}

/// A mini-batch per member: `[P, B, width]` and `[P, B]`.
#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) states: Tensor,
    pub(crate) bootstraps: Tensor,
    pub(crate) actions: Tensor,
    pub(crate) returns: Tensor,
    pub(crate) factors: Tensor,
}

/// One transition about to be stored.
struct Transition<'a> {
    state: &'a [f32],
    action: f32,
    ret: f32,
    bootstrap: &'a [f32],
    factor: f32,
}

impl Replay {
    pub(crate) fn new(members: usize, capacity: usize, width: usize) -> Self {
        let rows = members * capacity;
        let plane = || vec![0.0_f32; rows];
        Self {
            capacity,
            width,
            states: vec![0.0; rows * width],
            bootstraps: vec![0.0; rows * width],
            actions: plane(),
            returns: plane(),
            factors: plane(),
            written: vec![0; members],
        }
    }

    /// Rows a member can sample from.
    pub(crate) fn len(&self, member: usize) -> usize {
        usize::try_from(self.written[member]).unwrap_or(usize::MAX).min(self.capacity)
    }

    fn store(&mut self, member: usize, transition: &Transition<'_>) {
        let slot = usize::try_from(self.written[member] % self.capacity as u64).unwrap_or(0);
        let row = member * self.capacity + slot;
        let wide = row * self.width..(row + 1) * self.width;
        self.states[wide.clone()].copy_from_slice(transition.state);
        self.bootstraps[wide].copy_from_slice(transition.bootstrap);
        self.actions[row] = transition.action;
        self.returns[row] = transition.ret;
        self.factors[row] = transition.factor;
        self.written[member] += 1;
    }

    /// Gathers `batch` rows per member, the row of each given by `choose(member, position, len)`.
    pub(crate) fn sample(&self, batch: usize, choose: impl Fn(usize, usize, usize) -> usize) -> Sample {
        let members = self.written.len();
        let mut rows = Vec::with_capacity(members * batch);
        for member in 0..members {
            let len = self.len(member);
            rows.extend((0..batch).map(|position| member * self.capacity + choose(member, position, len)));
        }
        let shape = [members as i64, batch as i64];
        let plane = |source: &[f32]| {
            let values: Vec<f32> = rows.iter().map(|&row| source[row]).collect();
            Tensor::from_slice(&values).view(shape)
        };
        let wide = |source: &[f32]| {
            let mut values = Vec::with_capacity(rows.len() * self.width);
            for &row in &rows {
                values.extend_from_slice(&source[row * self.width..(row + 1) * self.width]);
            }
            Tensor::from_slice(&values).view([shape[0], shape[1], self.width as i64])
        };
        Sample {
            states: wide(&self.states),
            bootstraps: wide(&self.bootstraps),
            actions: plane(&self.actions).to_kind(tch::Kind::Int64),
            returns: plane(&self.returns),
            factors: plane(&self.factors),
        }
    }

    /// Writes the filled rows; the counters go into the checkpoint's JSON ([`counters`](Self::counters)).
    pub(crate) fn save(&self, writer: &mut CheckpointWriter) {
        for member in 0..self.written.len() {
            let (first, len) = (member * self.capacity, self.len(member));
            for (name, source, width) in self.arrays() {
                let values = &source[first * width..(first + len) * width];
                writer.floats(&format!("replay.{member}.{name}"), &[values.len()], values);
            }
        }
    }

    /// Rows ever written, per member.
    pub(crate) fn counters(&self) -> &[u64] {
        &self.written
    }

    /// Fills a new memory from what [`save`](Self::save) wrote.
    pub(crate) fn load(&mut self, reader: &CheckpointReader<'_>, counters: Vec<u64>) -> Result<(), AgentError> {
        if counters.len() != self.written.len() {
            return Err(refuse(format!("it has a replay memory for {} members", counters.len())));
        }
        self.written = counters;
        for member in 0..self.written.len() {
            let (first, len, width) = (member * self.capacity, self.len(member), self.width);
            let array = |name: &str, width: usize| reader.floats(&format!("replay.{member}.{name}"), len * width);
            let (narrow, wide) = (first..first + len, first * width..(first + len) * width);
            self.states[wide.clone()].copy_from_slice(&array("states", width)?);
            self.bootstraps[wide].copy_from_slice(&array("bootstraps", width)?);
            self.actions[narrow.clone()].copy_from_slice(&array("actions", 1)?);
            self.returns[narrow.clone()].copy_from_slice(&array("returns", 1)?);
            self.factors[narrow].copy_from_slice(&array("factors", 1)?);
        }
        Ok(())
    }

    fn arrays(&self) -> [(&'static str, &[f32], usize); 5] {
        [
            ("states", &self.states, self.width),
            ("bootstraps", &self.bootstraps, self.width),
            ("actions", &self.actions, 1),
            ("returns", &self.returns, 1),
            ("factors", &self.factors, 1),
        ]
    }
}

/// The last up to n steps of each environment that wait for their return.
#[derive(Debug)]
pub(crate) struct NStep {
    n: usize,
    width: usize,
    envs_per_member: usize,
    discounts: Vec<f64>,
    states: Vec<f32>,
    actions: Vec<f32>,
    rewards: Vec<f64>,
    waiting: Vec<usize>,
}

impl NStep {
    /// For `discounts.len()` members of `envs_per_member` environments each.
    pub(crate) fn new(n: usize, width: usize, envs_per_member: usize, discounts: Vec<f64>) -> Self {
        let envs = discounts.len() * envs_per_member;
        Self {
            n,
            width,
            envs_per_member,
            discounts,
            states: vec![0.0; envs * n * width],
            actions: vec![0.0; envs * n],
            rewards: vec![0.0; envs * n],
            waiting: vec![0; envs],
        }
    }

    /// One step of `env`: stores what became complete by it.
    pub(crate) fn push(
        &mut self,
        env: usize,
        (state, action, reward): (&[f32], u32, f64),
        next: Next<'_>,
        to: &mut Replay,
    ) {
        let slot = env * self.n + self.waiting[env];
        self.states[slot * self.width..(slot + 1) * self.width].copy_from_slice(state);
        self.actions[slot] = action as f32;
        self.rewards[slot] = reward;
        self.waiting[env] += 1;
        match next {
            Next::Continues(observation) if self.waiting[env] == self.n => {
                self.store(env, 0, (observation, 1.0), to);
                self.forget_oldest(env);
            }
            Next::Continues(_) => {}
            Next::Truncated(last) => self.cut(env, last, 1.0, to),
            Next::Terminated(last) => self.cut(env, last, 0.0, to),
        }
    }

    /// Cuts the episode of `env` off at `observation`, as if it had been truncated there.
    pub(crate) fn flush(&mut self, env: usize, observation: &[f32], to: &mut Replay) {
        self.cut(env, observation, 1.0, to);
    }

    fn cut(&mut self, env: usize, last: &[f32], factor: f64, to: &mut Replay) {
        for start in 0..self.waiting[env] {
            self.store(env, start, (last, factor), to);
        }
        self.waiting[env] = 0;
    }

    fn store(&self, env: usize, start: usize, (bootstrap, factor): (&[f32], f64), to: &mut Replay) {
        let member = env / self.envs_per_member;
        let discount = self.discounts[member];
        let (first, end) = (env * self.n + start, env * self.n + self.waiting[env]);
        let (mut ret, mut weight) = (0.0, 1.0);
        for reward in &self.rewards[first..end] {
            ret += weight * reward;
            weight *= discount;
        }
        let state = &self.states[first * self.width..(first + 1) * self.width];
        let (ret, factor) = (ret as f32, (factor * weight) as f32);
        to.store(member, &Transition { state, action: self.actions[first], ret, bootstrap, factor });
    }

    fn forget_oldest(&mut self, env: usize) {
        let (first, end) = (env * self.n, (env + 1) * self.n);
        self.states.copy_within((first + 1) * self.width..end * self.width, first * self.width);
        self.actions.copy_within(first + 1..end, first);
        self.rewards.copy_within(first + 1..end, first);
        self.waiting[env] -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::population::values_f32;

    fn stored(replay: &Replay, member: usize) -> Vec<(f32, f32, f32, f32)> {
        let first = member * replay.capacity;
        let rows = first..first + replay.len(member);
        rows.map(|r| (replay.states[r], replay.returns[r], replay.bootstraps[r], replay.factors[r])).collect()
    }

    /// Rewards 1, 2, 4, 8 with γ = ½ and n = 3, worked out by hand for each way to end.
    #[test]
    fn n_step_returns_stop_at_the_end_of_an_episode() {
        for (last_factor, terminated) in [(0.5_f32, false), (0.0, true)] {
            let (mut replay, mut steps) = (Replay::new(1, 8, 1), NStep::new(3, 1, 1, vec![0.5]));
            for (t, reward) in [1.0, 2.0, 4.0, 8.0].into_iter().enumerate() {
                let (state, next) = ([t as f32], [t as f32 + 1.0]);
                let next = match (t, terminated) {
                    (3, false) => Next::Truncated(&next),
                    (3, true) => Next::Terminated(&next),
                    _ => Next::Continues(&next),
                };
                steps.push(0, (&state, 0, reward), next, &mut replay);
            }
            let f = last_factor;
            let expected =
                [(0.0, 3.0, 3.0, 0.125), (1.0, 6.0, 4.0, f * 0.25), (2.0, 8.0, 4.0, f * 0.5), (3.0, 8.0, 4.0, f)];
            assert_eq!(stored(&replay, 0), expected);
        }
    }

    #[test]
    fn a_flush_cuts_like_a_truncation_and_the_next_episode_starts_empty() {
        let (mut replay, mut steps) = (Replay::new(1, 8, 1), NStep::new(3, 1, 1, vec![0.5]));
        steps.push(0, (&[1.0], 0, 1.0), Next::Continues(&[2.0]), &mut replay);
        steps.flush(0, &[2.0], &mut replay);
        steps.flush(0, &[9.0], &mut replay);
        assert_eq!(stored(&replay, 0), [(1.0, 1.0, 2.0, 0.5)]);
    }

    #[test]
    fn members_have_their_own_ring_that_overwrites_the_oldest() {
        let (mut replay, mut steps) = (Replay::new(2, 3, 1), NStep::new(1, 1, 2, vec![0.9, 0.8]));
        for t in 0..5_u8 {
            steps.push(3, (&[f32::from(t)], 4, 1.0), Next::Continues(&[0.0]), &mut replay);
        }
        assert_eq!((replay.len(0), replay.len(1)), (0, 3));
        assert_eq!(stored(&replay, 1).iter().map(|row| row.0).collect::<Vec<_>>(), [3.0, 4.0, 2.0]);
        steps.push(0, (&[7.0], 1, 2.0), Next::Continues(&[0.0]), &mut replay);
        let sample = replay.sample(2, |_, position, len| position % len);
        assert_eq!(values_f32(&sample.states), [7.0, 7.0, 3.0, 4.0]);
        assert_eq!(values_f32(&sample.factors), [0.9, 0.9, 0.8, 0.8]);
        assert_eq!(sample.actions.int64_value(&[1, 0]), 4);
    }
}
