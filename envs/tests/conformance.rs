//! What every environment of the registry must do, and that `autoscale-v1` costs what queueing theory says.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "batch/played.rs"]
mod played;

use std::sync::Arc;

use ndarray::Array1;
use played::Played;
use seatrial_core::rand::{Stream, below};
use seatrial_core::rl::VectorEnv;
use seatrial_core::scaling::forecast::Quantiles;
use seatrial_core::scaling::guard::GuardConfig;
use seatrial_core::scaling::headroom_space::FACTORS;
use seatrial_core::time::{Span, Timestamp};
use seatrial_envs::autoscale_v1::{AutoscaleConfig, AutoscaleV1, TrainingLoad, TrainingLoads};
use seatrial_envs::load::EpisodeLoad;
use seatrial_envs::registry::{ENVIRONMENTS, EnvironmentRow};
use seatrial_envs::scenario::{CostWeights, Scenario};
use seatrial_envs::spec::KernelChoice;

/// Every environment on each of its kernels.
fn environments() -> impl Iterator<Item = (&'static EnvironmentRow, KernelChoice)> {
    ENVIRONMENTS.iter().flat_map(|row| row.kernels.iter().map(move |kernel| (row, *kernel)))
}

fn example(row: &EnvironmentRow, kernel: KernelChoice, instances: usize) -> Played<dyn VectorEnv> {
    let env = (row.example)(kernel, instances).unwrap();
    assert_eq!(env.len(), instances * row.rows, "{}", row.id);
    Played::new(env, row.rows)
}

#[test]
fn a_seeded_reset_repeats_and_another_seed_differs() {
    for (row, kernel) in environments() {
        let mut env = example(row, kernel, 2);
        let once = env.bytes(3, 150, 0..1);
        assert_eq!(once, env.bytes(3, 150, 0..1), "{}, {kernel:?}: reset of a used environment", row.id);
        assert_eq!(once, example(row, kernel, 2).bytes(3, 150, 0..1), "{}, {kernel:?}: a fresh one", row.id);
        assert_ne!(once, env.bytes(4, 150, 0..1), "{}, {kernel:?}: another seed", row.id);
    }
}

#[test]
fn a_batch_is_its_environments_one_by_one() {
    for (row, kernel) in environments() {
        let mut single = example(row, kernel, 1);
        // A request one by one takes its time: `determinism` has the large batch over several episodes.
        let many = if kernel == KernelChoice::Events { 8 } else { 110 };
        for (instances, steps, indices) in [(64, 110, vec![0, 17, 63]), (1_024, many, vec![1_000])] {
            let mut batch = example(row, kernel, instances);
            let together = batch.bytes(0, steps, 0..instances);
            for index in indices {
                let alone = single.bytes(index as u64, steps, 0..1);
                assert_eq!(together[index..=index], alone, "{}, {kernel:?}, {index}", row.id);
            }
        }
    }
}

/// Each row's action changes what the instance shows, and nothing that other instances show.
#[test]
fn every_action_matters_to_its_instance_alone() {
    for (row, kernel) in environments() {
        for changed in 0..row.rows {
            let shown = |action: u32| {
                let mut env = example(row, kernel, 2);
                env.reset(6);
                let mut shown = [Vec::new(), Vec::new()];
                for _ in 0..20 {
                    let mut actions = Array1::from_elem(2 * row.rows, 3);
                    actions[changed] = action;
                    env.step(&actions);
                    shown[0].extend(env.shown.observations.row(changed).iter().map(|value| value.to_bits()));
                    shown[0].push(env.shown.costs[0].to_bits() as u32);
                    let other = env.shown.observations.rows().into_iter().skip(row.rows);
                    shown[1].extend(other.flat_map(|values| values.to_vec()).map(f32::to_bits));
                    shown[1].push(env.shown.costs[row.rows].to_bits() as u32);
                }
                shown
            };
            let (few, many) = (shown(1), shown(9));
            assert_ne!(few[0], many[0], "{}, {kernel:?}: row {changed}", row.id);
            assert_eq!(few[1], many[1], "{}, {kernel:?}: row {changed}", row.id);
        }
    }
}

#[test]
fn spaces_contain_the_values() {
    for (row, kernel) in environments() {
        let mut env = example(row, kernel, 32);
        let rows = env.env.len() as u64;
        let entries = (row.observations)();
        let actions = (row.actions)();
        assert_eq!((entries.len(), actions.len()), (env.env.observation_len(), env.env.action_count()), "{}", row.id);
        env.reset(11);
        for step in 0..300 {
            let count = actions.len() as u64;
            let drawn = (0..rows).map(|env| below(8, Stream::RandomAction, env, step, count) as u32).collect();
            env.step(&drawn);
            assert!(env.shown.costs.iter().all(|cost| cost.is_finite() && *cost >= 0.0), "{}", row.id);
            for observation in env.shown.observations.rows() {
                for (value, entry) in observation.iter().zip(&entries) {
                    assert!((entry.low..=entry.high).contains(value), "{}: {} is {value}", row.id, entry.name);
                }
            }
        }
    }
}

#[test]
fn an_action_that_does_not_exist_does_no_harm() {
    for (row, kernel) in environments() {
        let mut env = example(row, kernel, 1);
        env.reset(1);
        env.step(&Array1::from_elem(row.rows, u32::MAX));
        assert!(env.shown.costs[0].is_finite(), "{}", row.id);
    }
}

/// P(wait > 120 ms) in M/M/c, with Erlang C as the explicit sum.
#[expect(clippy::disallowed_methods, reason = "the reference uses std's exp on purpose")]
fn p_bad(pods: u32, rate: f64) -> f64 {
    let (servers, offered) = (4 * pods, rate * 0.08);
    let (mut term, mut sum) = (1.0, 1.0);
    for k in 1..servers {
        term *= offered / f64::from(k);
        sum += term;
    }
    let last = term * offered / f64::from(servers) / (1.0 - offered / f64::from(servers));
    last / (sum + last) * f64::exp(-(50.0 * f64::from(pods) - rate) * 0.120)
}

/// One environment at a constant rate with a forecast that knows it, and a guard whose floor does not bind.
fn constant(kernel: KernelChoice, rate: f64, costs: CostWeights) -> Played<AutoscaleV1> {
    let scenario = Scenario::training_p1().with_costs(costs);
    let load = EpisodeLoad::new(Timestamp::ZERO, Span::from_secs(60), vec![rate; 300], vec![]).unwrap();
    let known = Quantiles::certain(Timestamp::ZERO, Span::from_secs(105), rate);
    let training = TrainingLoad::new(&scenario, &load, 1, &vec![Some(known); 1_200]).unwrap();
    let loads = Arc::new(TrainingLoads::new(&scenario, vec![training]).unwrap());
    let guard = GuardConfig { reactive_floor_utilisation: Some(1.0), ..GuardConfig::default() };
    let config = AutoscaleConfig { scenario, guard, envs: 1, episode_steps: 1_000, kernel };
    Played::new(Box::new(AutoscaleV1::new(&config, loads).unwrap()), 1)
}

/// In the steady state a step costs 15 s × pods + κ · 15 s × rate · P(wait > 120 ms), for the pods that the factor gives.
#[test]
fn each_action_costs_what_theory_says() {
    let costs = CostWeights { kappa: 1.0, churn: 5.0 };
    for rate in [137.0, 700.0] {
        let mut means = Vec::new();
        for action in 1..10 {
            let mut env = constant(KernelChoice::Fluid, rate, costs);
            env.reset(2);
            // Starts and the stabilisation window take their time.
            for _ in 0..40 {
                env.step(&Array1::from_elem(1, action));
            }
            let (mut sum, mut steady) = (0.0, 0);
            for _ in 0..200 {
                let (ready, asked) = (env.env.ready(0), env.env.asked(0));
                env.step(&Array1::from_elem(1, action));
                let wish = FACTORS[action as usize] * rate / 50.0;
                let most = (wish / 0.96).ceil() as u32;
                assert!(
                    (wish.floor() as u32..=most).contains(&env.env.asked(0)),
                    "factor of action {action} at {rate}"
                );
                if ready == asked && asked == env.env.asked(0) {
                    let expected = 15.0 * f64::from(ready) + 15.0 * rate * p_bad(ready, rate);
                    assert!(
                        (env.shown.costs[0] - expected).abs() < 2e-3 * expected,
                        "action {action} at {rate}: {} {expected}",
                        env.shown.costs[0]
                    );
                    sum += env.shown.costs[0];
                    steady += 1;
                }
            }
            assert!(steady > 100, "action {action} at {rate}: {steady} steady steps");
            means.push(sum / f64::from(steady));
        }
        // Beyond the cheapest headroom every further factor costs more.
        let cheapest = means.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1)).unwrap().0;
        assert!(means[cheapest..].windows(2).all(|pair| pair[1] >= pair[0]), "{means:?}");
        assert!(means[8] > 1.8 * means[cheapest], "{means:?}");
    }
}

#[test]
fn holding_keeps_the_pods_and_prices_are_linear() {
    let at = |kappa: f64| {
        let mut env = constant(KernelChoice::Fluid, 180.0, CostWeights { kappa, churn: 5.0 });
        env.reset(2);
        let before = env.env.asked(0);
        env.step(&Array1::from_elem(1, 0));
        assert_eq!(env.env.asked(0), before);
        env.shown.costs[0]
    };
    let (free, one, three) = (at(0.0), at(1.0), at(3.0));
    assert_eq!(free, 15.0 * 6.0, "ceil(180 / 35) pods and nothing else");
    assert!((three - free - 3.0 * (one - free)).abs() < 1e-9);
}
