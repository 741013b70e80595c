//! The agent on environments whose values are known: exact values of termination and truncation, an optimum by value
//! iteration, exploration by its shares, and resuming to the bit.

use std::collections::BTreeMap;

use ndarray::{ArrayView1, ArrayViewMut2};
use seatrial_core::nets::Weights;
use seatrial_core::rl::StepBuffers;

use super::*;
use crate::population::values_f32;

/// How the episodes of [`Chain`] end.
#[derive(Clone, Copy, PartialEq)]
enum End {
    Terminates,
    Truncates,
}

/// States on a line, one-hot observations. Action 0 stays, 1 moves right (round the end), costs from a table, and the episode
/// ends after `length` steps. A start is drawn from the seed.
struct Chain {
    costs: Vec<[f64; 2]>,
    end: End,
    length: u32,
    states: Vec<usize>,
    ages: Vec<u32>,
}

impl Chain {
    fn new(costs: Vec<[f64; 2]>, end: End, length: u32, envs: usize) -> Self {
        Self { costs, end, length, states: vec![0; envs], ages: vec![0; envs] }
    }

    fn observe(&self, env: usize, mut row: ndarray::ArrayViewMut1<'_, f32>) {
        row.fill(0.0);
        row[self.states[env]] = 1.0;
    }
}

impl VectorEnv for Chain {
    fn len(&self) -> usize {
        self.states.len()
    }

    fn observation_len(&self) -> usize {
        self.costs.len()
    }

    fn action_count(&self) -> usize {
        2
    }

    fn reset(&mut self, seeds: ArrayView1<'_, u64>, mut observations: ArrayViewMut2<'_, f32>) {
        for (env, seed) in seeds.iter().enumerate() {
            self.states[env] = below(*seed, Stream::EpisodeStart, 0, 0, self.costs.len() as u64) as usize;
            self.ages[env] = 0;
            self.observe(env, observations.row_mut(env));
        }
    }

    fn step(&mut self, actions: ArrayView1<'_, u32>, out: &mut StepBuffers<'_>) {
        for (env, &action) in actions.iter().enumerate() {
            let state = self.states[env];
            out.costs[env] = self.costs[state][action as usize];
            self.states[env] = (state + action as usize) % self.costs.len();
            self.ages[env] += 1;
            let ended = self.ages[env] == self.length;
            out.terminated[env] = ended && self.end == End::Terminates;
            out.truncated[env] = ended && self.end == End::Truncates;
            if ended {
                self.observe(env, out.final_observations.row_mut(env));
                self.ages[env] = 0;
                self.states[env] = (self.states[env] + 1) % self.costs.len();
            }
            self.observe(env, out.observations.row_mut(env));
        }
    }
}

fn small() -> DqnConfig {
    DqnConfig {
        hidden: 24,
        envs_per_member: 8,
        vector_steps: 900,
        segment_steps: 300,
        replay_capacity: 4_000,
        learning_starts: 30,
        batch: 64,
        target_rate: 0.05,
        exploration_hold: 1,
        epsilon_last: 0.5,
        cost_scale: 1.0,
        threads: 1,
        ..DqnConfig::default()
    }
}

fn members(count: u64, discount: f64) -> Vec<DqnMember> {
    (0..count).map(|seed| DqnMember { seed, learning_rate: 3e-3, discount }).collect()
}

/// Trains to the end; scores are the segment number, so the last policy is never best by accident.
fn train(config: &DqnConfig, members: Vec<DqnMember>, mut env: Chain) -> DqnTrainer {
    let mut trainer = DqnTrainer::new(config.clone(), members, &env).unwrap();
    run(&mut trainer, &mut env, u64::MAX);
    trainer
}

fn run(trainer: &mut DqnTrainer, env: &mut Chain, segments: u64) {
    let mut validate = |step: u64, weights: &[Weights]| vec![1.0 / step as f64; weights.len()];
    for _ in 0..segments {
        if trainer.is_finished() {
            return;
        }
        trainer.run_segment(env, &mut Hooks { heuristic: None, validate: &mut validate }).unwrap();
    }
}

/// Q of every state by the online net: `[member][state][action]`, flat.
fn learned_q(trainer: &DqnTrainer) -> Vec<f32> {
    let states = Tensor::eye(trainer.width as i64, (Kind::Float, Device::Cpu));
    let members = trainer.members.len() as i64;
    let batch = states.unsqueeze(0).expand([members, -1, -1], true);
    values_f32(&no_grad(|| q_values(&trainer.layout.split(&trainer.online), &batch)))
}

/// Two states, cost 1 and 3 whatever the action, episodes of one step.
///
/// Terminated after one step, the values are the costs: −1 and −3. Truncated, the chain goes on for ever. State 0 stays at 0
/// with action 0: with greedy continuation Q(0, stay) = −1/(1−γ) = −5 at γ = 0.8, and Q(1, stay) = −3 + γ max(Q(1, stay),
/// Q(1, move)) with Q(1, move) = −3 − 0.8 × 5 = −7, so Q(1, stay) = −3 − 5.6 = −8.6 and Q(0, move) = −1 − 5.6 = −6.6.
#[test]
fn truncation_bootstraps_and_termination_does_not() {
    let costs = vec![[1.0, 1.0], [3.0, 3.0]];
    for (end, expected) in [(End::Terminates, [-1.0, -1.0, -3.0, -3.0]), (End::Truncates, [-5.0, -6.6, -8.6, -7.0])] {
        let trainer = train(&small(), members(2, 0.8), Chain::new(costs.clone(), end, 1, 16));
        for (found, wanted) in learned_q(&trainer).iter().zip(expected.iter().cycle()) {
            assert!((found - wanted).abs() < 0.02 * wanted.abs() + 0.02, "{found} is not {wanted}");
        }
    }
}

/// Optimal Q of a chain by value iteration, written without the learner.
fn value_iteration(costs: &[[f64; 2]], discount: f64) -> Vec<[f64; 2]> {
    let mut q = vec![[0.0_f64; 2]; costs.len()];
    for _ in 0..2_000 {
        let best: Vec<f64> = q.iter().map(|row| row[0].max(row[1])).collect();
        for (state, row) in q.iter_mut().enumerate() {
            for (action, value) in row.iter_mut().enumerate() {
                *value = -costs[state][action] + discount * best[(state + action) % costs.len()];
            }
        }
    }
    q
}

/// Six states: leaving state 0 costs 2 once, staying there 1 for ever; the cheap haven (0) is three moves away, past a dear
/// state. With n = 1 the values are those of the optimum; γ = 0.9 makes the walk pay.
#[test]
fn finds_the_optimal_policy_and_its_values() {
    let costs = vec![[1.0, 2.0], [1.0, 1.5], [1.5, 3.0], [0.05, 0.5], [2.0, 0.2], [0.6, 0.4]];
    let discount = 0.9;
    let optimum = value_iteration(&costs, discount);
    let config = DqnConfig { n_step: 1, vector_steps: 1_800, segment_steps: 600, epsilon_last: 0.6, ..small() };
    let trainer = train(&config, members(2, discount), Chain::new(costs.clone(), End::Truncates, 20, 16));
    let scale = optimum.iter().flatten().fold(0.0_f64, |most, q| most.max(q.abs()));
    for learned in learned_q(&trainer).chunks(12) {
        for (state, wanted) in optimum.iter().enumerate() {
            let found = [learned[2 * state], learned[2 * state + 1]].map(f64::from);
            assert_eq!(found[0] > found[1], wanted[0] > wanted[1], "state {state}: {found:?} for {wanted:?}");
            for (found, wanted) in found.iter().zip(wanted) {
                assert!((found - wanted).abs() < 0.05 * scale, "state {state}: {found} is not {wanted}");
            }
        }
    }
    // The costs seen while exploring less lie below those of acting at random.
    let rows = trainer.rows();
    assert!(rows[4].mean_cost < rows[0].mean_cost && rows[5].mean_cost < rows[1].mean_cost);
    assert_eq!((rows[4].env_steps, rows[5].member), (1_800 * 8, 1));
}

#[test]
fn costs_are_scaled_and_shifted_into_rewards_unclipped() {
    let config = DqnConfig { cost_scale: 100.0, cost_offset: 50.0, ..small() };
    let trainer = train(&config, members(1, 0.5), Chain::new(vec![[2_050.0; 2]; 2], End::Terminates, 1, 8));
    assert!(learned_q(&trainer).iter().all(|q| (q + 20.0).abs() < 0.4), "{:?}", learned_q(&trainer));
    assert!((trainer.rows()[0].mean_cost - 2_050.0).abs() < 1e-9);
}

#[test]
fn a_resumed_run_equals_an_uninterrupted_one_to_the_bit() {
    let config = DqnConfig { vector_steps: 240, segment_steps: 80, ..small() };
    let env = || Chain::new(vec![[1.0, 2.0], [0.5, 0.1], [3.0, 0.0]], End::Truncates, 7, 16);
    let whole = train(&config, members(2, 0.9), env());
    let mut first = DqnTrainer::new(config.clone(), members(2, 0.9), &env()).unwrap();
    run(&mut first, &mut env(), 1);
    let saved = first.checkpoint().unwrap();
    let mut resumed = DqnTrainer::resume(config.clone(), members(2, 0.9), &env(), &saved).unwrap();
    assert_eq!(resumed.step(), 80);
    run(&mut resumed, &mut env(), u64::MAX);
    assert_eq!(resumed.rows(), whole.rows());
    assert!(resumed.checkpoint().unwrap() == whole.checkpoint().unwrap());
    let error = DqnTrainer::resume(config, members(2, 0.8), &env(), &saved).unwrap_err().to_string();
    assert!(error.contains("another population"), "{error}");
}

#[test]
fn the_best_policy_by_validation_is_kept_per_member() {
    let mut env = Chain::new(vec![[1.0, 2.0], [0.5, 0.1]], End::Truncates, 7, 16);
    let config = DqnConfig { vector_steps: 240, segment_steps: 80, ..small() };
    let mut trainer = DqnTrainer::new(config, members(2, 0.9), &env).unwrap();
    let mut seen = BTreeMap::new();
    let mut validate = |step: u64, weights: &[Weights]| {
        seen.insert(step, weights.to_vec());
        // Member 0 is best in the middle, member 1 at the start.
        vec![if step == 160 { 1.0 } else { 2.0 }, if step == 80 { 5.0 } else { 6.0 }]
    };
    while !trainer.is_finished() {
        trainer.run_segment(&mut env, &mut Hooks { heuristic: None, validate: &mut validate }).unwrap();
    }
    let best = trainer.finish().unwrap();
    assert_eq!(best[0].weights, seen[&160][0]);
    assert_eq!(best[1].weights, seen[&80][1]);
    assert_eq!((best[0].validation, best[1].validation), (1.0, 5.0));
    assert_ne!(seen[&80][0], seen[&160][0]);
}

#[test]
fn exploration_follows_its_shares_and_holds_its_draw() {
    let env = Chain::new(vec![[1.0, 1.0]; 2], End::Truncates, 9, 8);
    let config = DqnConfig { exploration_hold: 4, heuristic_share: 0.25, ..small() };
    let mut trainer = DqnTrainer::new(config, members(1, 0.9), &env).unwrap();
    trainer.actions = 10;
    let (mut explored, mut near, mut changes, mut last) = (0.0, 0.0, 0.0, None);
    for step in 0..40_000 {
        trainer.meta.step = step;
        let action = trainer.explore(3, 0.3, || Some(5));
        explored += f64::from(u8::from(action.is_some()));
        near += f64::from(u8::from(action.is_some_and(|action| (4..=6).contains(&action))));
        changes += f64::from(u8::from(step > 0 && action != last));
        last = action;
    }
    // Within one of 5: the heuristic share, and 3 of 10 of the rest. A held draw can change at every fourth step only.
    assert!((explored / 40_000.0 - 0.3).abs() < 0.02, "{explored}");
    assert!((near / explored - (0.25 + 0.75 * 0.3)).abs() < 0.03, "{near} {explored}");
    assert!(changes < 10_000.0 && changes > 3_000.0, "{changes}");
    assert_eq!(trainer.explore(3, 0.0, || None), None);
}

#[test]
fn what_does_not_fit_is_refused() {
    let env = |envs| Chain::new(vec![[1.0, 1.0]; 2], End::Truncates, 9, envs);
    let error = DqnTrainer::new(small(), members(2, 0.9), &env(15)).unwrap_err().to_string();
    assert!(error.contains("15 environments") && error.contains("16"), "{error}");
    let refused = |config: DqnConfig, members| DqnTrainer::new(config, members, &env(8)).unwrap_err().to_string();
    assert!(refused(small(), members(1, 1.0)).contains("below 1"));
    assert!(refused(DqnConfig { cost_scale: 0.0, ..small() }, members(1, 0.9)).contains("`cost_scale` is 0"));
    assert!(refused(DqnConfig { learning_starts: 1, ..small() }, members(1, 0.9)).contains("replay is not empty"));
    let mut trainer = DqnTrainer::new(small(), members(1, 0.9), &env(8)).unwrap();
    let mut none = |_: u64, _: &[Weights]| Vec::new();
    let error = trainer.run_segment(&mut env(8), &mut Hooks { heuristic: None, validate: &mut none }).unwrap_err();
    assert!(error.to_string().contains("[] for 1 members"), "{error}");
    let mut nan = |_: u64, _: &[Weights]| vec![f64::NAN];
    let error = trainer.run_segment(&mut env(8), &mut Hooks { heuristic: None, validate: &mut nan }).unwrap_err();
    assert!(error.to_string().contains("one finite score per member"), "{error}");
}

#[test]
fn divergence_is_an_error_that_names_the_member() {
    let mut env = Chain::new(vec![[f64::INFINITY; 2]; 2], End::Truncates, 9, 8);
    let mut trainer = DqnTrainer::new(small(), members(1, 0.9), &env).unwrap();
    let mut validate = |_: u64, _: &[Weights]| vec![0.0];
    let error = trainer.run_segment(&mut env, &mut Hooks { heuristic: None, validate: &mut validate }).unwrap_err();
    assert!(error.to_string().contains("member 0 of the dqn diverged"), "{error}");
}
