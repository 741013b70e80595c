//! The environment against the kernel of evaluation, step by step, and against theory.

use super::*;
use crate::episode::{Driver, run_on};
use crate::load::{EpisodeLoad, Traffic};
use crate::registry::example_loads;
use crate::scenario::{CostWeights, Regime};
use crate::world::protocol;
use ndarray::Array1;
use seatrial_core::nets::{DuelingNet, Weights};
use seatrial_core::observe::Bounds;
use seatrial_core::rand::{Stream, below, derive_seed};
use seatrial_core::rl::StepArrays;
use seatrial_core::scaling::autoscaler::Autoscaler;
use seatrial_core::scaling::forecast::{Forecaster, Quantiles};
use seatrial_core::scaling::forecasters::CachedForecast;
use seatrial_core::scaling::headroom_space;
use seatrial_core::scaling::policies::Ingredients;
use seatrial_core::scaling::policy::{Policy, Proposal, Reason, View};
use seatrial_core::scaling::strategy::StrategySpec;
use seatrial_core::time::Timestamp;

fn config(envs: usize, episode_steps: u32) -> AutoscaleConfig {
    AutoscaleConfig {
        scenario: Scenario::training_p1(),
        guard: GuardConfig::default(),
        envs,
        episode_steps,
        kernel: KernelChoice::Fluid,
    }
}

fn action(step: u32) -> u32 {
    u32::try_from(below(4, Stream::RandomAction, 0, step / 3, 10)).unwrap()
}

/// Plays the actions of [`action`] by the rules of the policy that runs in operation.
struct Scripted;

impl Policy for Scripted {
    type State = u32;

    fn initial_state(&self) -> u32 {
        0
    }

    fn step(&self, _now: Timestamp, view: &View<'_>, step: &mut u32) -> Proposal {
        let action = action(*step) as usize;
        *step += 1;
        let (Some(forecast), Some(capacity)) = (view.forecast, view.capacity) else {
            return Proposal::none(Reason::MetricMissing);
        };
        let spec = view.observation.spec_replicas;
        Proposal::of(headroom_space::replicas_for(action, forecast.median(), capacity.lower, spec), Reason::Forecast)
    }
}

/// Rates in bins of a slot, so that an episode may begin at any slot.
fn fine_load() -> EpisodeLoad {
    let coarse = crate::registry::example_load().unwrap();
    let rates: Vec<f64> = coarse.rates_per_s()[..360].iter().flat_map(|rate| [*rate; 4]).collect();
    EpisodeLoad::new(coarse.start(), Span::from_secs(15), rates, vec![]).unwrap()
}

/// A forecast from the true rates: which one does not matter here.
fn forecasts(load: &EpisodeLoad) -> Vec<Option<Quantiles>> {
    let at = |index: usize| load.start() + load.interval() * i64::try_from(index).unwrap();
    let certain = |(index, rate): (usize, &f64)| Some(Quantiles::certain(at(index), Span::from_secs(105), *rate + 1.0));
    load.rates_per_s().iter().enumerate().map(certain).collect()
}

/// The environment is the episode of [`crate::episode`], step by step: the same pods, and the same bad requests but for the
/// interpolation of Erlang C.
#[test]
fn equals_an_episode_at_the_same_physics_step() {
    for (seed, regime) in [(3, Regime::Plain), (4, Regime::MetricLag), (5, Regime::SlowStart)] {
        let steps = 600;
        let scenario = Scenario::training_p1().under(regime);
        let luck = derive_seed(seed, 0);
        let (load, table) = (fine_load(), forecasts(&fine_load()));
        let training = TrainingLoad::new(&scenario, &load, luck, &table).unwrap();
        let loads = Arc::new(TrainingLoads::new(&scenario, vec![training]).unwrap());
        let mut env =
            AutoscaleV1::new(&AutoscaleConfig { scenario: scenario.clone(), ..config(1, steps) }, loads).unwrap();
        let mut buffers = StepArrays::new(1, OBSERVATION_LEN);
        env.reset(Array1::from_elem(1, seed).view(), buffers.observations.view_mut());
        let first = env.position(0).1;

        let episode = from_slot(&load, first, steps as usize);
        let cached = CachedForecast::new(load.start(), load.interval(), table.into());
        assert_eq!(Forecaster::horizon(&cached), Span::from_secs(105));
        let guard = Guard::full(&scenario.workload, &GuardConfig::default()).unwrap();
        let autoscaler = Autoscaler::new(scenario.workload, Some(Box::new(cached)), Box::new(Scripted), guard);
        let driver = Driver { autoscaler: &autoscaler, state: autoscaler.initial_state() };
        let traffic = Traffic::new(&scenario, &episode, luck).unwrap();
        let (mut step, mut bad, mut cost) = (0, 0.0, 0.0);
        let result = run_on(&scenario, &traffic, driver, &mut |row| {
            assert_eq!(
                (env.asked(0), env.ready(0)),
                (row.view.observation.spec_replicas, row.view.observation.pods.counts(row.at).ready),
                "step {step}"
            );
            env.step(Array1::from_elem(1, action(step)).view(), &mut buffers.view_mut());
            step += 1;
            bad += row.bad_requests;
            cost += buffers.costs[0];
        })
        .unwrap();
        assert_eq!((step, buffers.truncated[0]), (steps, true));
        let pods = result.total.ready_s + result.total.starting_s + result.total.terminating_s;
        let expected = pods + bad + 5.0 * result.total.changes;
        // The episode also pays the starts that are under way at its end.
        assert!((cost - expected).abs() < 5e-4 * expected + 1_500.0, "{regime:?}: {cost} {expected}");
        assert!(result.total.changes > 50.0, "the script moves");
    }
}

/// On the event kernel the environment is the episode of [`crate::world::protocol`], step by step and to the bit: the same pods, the
/// same requests, the same ones of them bad.
#[test]
fn requests_one_by_one_equal_an_episode_of_protocol_p1() {
    for (seed, regime) in
        [(3, Regime::Plain), (4, Regime::MetricLag), (5, Regime::SlowStart), (6, Regime::LessCapacity)]
    {
        let steps = 300;
        let scenario = Scenario::training_p1().under(regime);
        let luck = derive_seed(seed, 0);
        let (load, table) = (fine_load(), forecasts(&fine_load()));
        let training = TrainingLoad::new(&scenario, &load, luck, &table).unwrap();
        let loads = Arc::new(TrainingLoads::new(&scenario, vec![training]).unwrap());
        let world = AutoscaleConfig { scenario: scenario.clone(), kernel: KernelChoice::Events, ..config(1, steps) };
        let mut env = AutoscaleV1::new(&world, loads).unwrap();
        let mut buffers = StepArrays::new(1, OBSERVATION_LEN);
        env.reset(Array1::from_elem(1, seed).view(), buffers.observations.view_mut());
        let cached = CachedForecast::new(load.start(), load.interval(), table.into());
        let guard = Guard::full(&scenario.workload, &GuardConfig::default()).unwrap();
        let autoscaler = Autoscaler::new(scenario.workload, Some(Box::new(cached)), Box::new(Scripted), guard);
        let driver = Driver { autoscaler: &autoscaler, state: autoscaler.initial_state() };
        let traffic = Traffic::new(&scenario, &from_slot(&load, env.position(0).1, steps as usize), luck).unwrap();
        let (mut step, mut bad, mut present) = (0, 0.0, env.asked(0));
        protocol::run_on(&scenario, &traffic, driver, &mut |row| {
            assert_eq!(env.asked(0), row.view.observation.spec_replicas, "{regime:?}, step {step}");
            env.step(Array1::from_elem(1, action(step)).view(), &mut buffers.view_mut());
            let pods = row.ready + row.starting;
            let changes = f64::from(pods.abs_diff(present));
            let terminating_s = scenario.termination_s * f64::from(present.saturating_sub(pods));
            let expected = 15.0 * f64::from(pods) + terminating_s + row.bad_requests + 5.0 * changes;
            assert!(
                (buffers.costs[0] - expected).abs() < 1e-6,
                "{regime:?}, step {step}: {} {expected}",
                buffers.costs[0]
            );
            (step, bad, present) = (step + 1, bad + row.bad_requests, pods);
        })
        .unwrap();
        assert_eq!((step, buffers.truncated[0]), (steps, true));
        assert!(bad > 100.0, "{regime:?}: {bad} bad requests");
    }
}

/// Bounds and a forecast that leave no choice: the same replicas at every decision whatever a kernel's metrics say.
fn forced(kernel: KernelChoice, kappa: f64, seed: u64) -> (AutoscaleV1, StepArrays) {
    let mut scenario = Scenario::training_p1().with_costs(CostWeights { kappa, churn: 5.0 });
    scenario.workload.bounds = Bounds { min: 4, max: 12 };
    let rates: Vec<f64> = (0..640).map(|slot| if slot % 160 < 80 { 130.0 } else { 184.0 }).collect();
    let load = EpisodeLoad::new(Timestamp::ZERO, Span::from_secs(15), rates, vec![]).unwrap();
    let table = (0..640).map(|slot| {
        let rate = if slot % 60 < 30 { 1e-3 } else { 1e5 };
        Some(Quantiles::certain(Timestamp::from_secs(15 * slot), Span::from_secs(105), rate))
    });
    let training = TrainingLoad::new(&scenario, &load, seed, &table.collect::<Vec<_>>()).unwrap();
    let loads = Arc::new(TrainingLoads::new(&scenario, vec![training]).unwrap());
    let guard = GuardConfig { reactive_floor_utilisation: Some(1.0), ..GuardConfig::default() };
    let config = AutoscaleConfig { scenario, guard, kernel, ..config(1, 600) };
    let mut env = AutoscaleV1::new(&config, loads).unwrap();
    let mut buffers = StepArrays::new(1, OBSERVATION_LEN);
    env.reset(Array1::from_elem(1, seed).view(), buffers.observations.view_mut());
    (env, buffers)
}

/// With equal decisions pod-seconds and changes are equal to the bit, and the bad requests agree as the design says of kernels:
/// within 0.002 of all or 15 %.
#[test]
fn both_kernels_pay_the_same_pods_and_nearly_the_same_bad_requests() {
    let (mut bad, mut requests) = ([0.0; 2], 0.0);
    for seed in 0..4 {
        let kernels = [KernelChoice::Fluid, KernelChoice::Events];
        let mut free = kernels.map(|kernel| forced(kernel, 0.0, seed));
        let mut priced = kernels.map(|kernel| forced(kernel, 1.0, seed));
        let mut moves = 0;
        for step in 0..600 {
            let before = free[0].0.asked(0);
            requests += 15.0 * if free[0].0.position(0).1 % 160 < 80 { 130.0 } else { 184.0 };
            for (env, buffers) in free.iter_mut().chain(&mut priced) {
                env.step(Array1::from_elem(1, 3).view(), &mut buffers.view_mut());
            }
            let costs = |pair: &[(AutoscaleV1, StepArrays); 2]| [pair[0].1.costs[0], pair[1].1.costs[0]];
            let ([fluid, events], priced) = (costs(&free), costs(&priced));
            assert_eq!(fluid, events, "seed {seed}, step {step}: pods and changes");
            bad[0] += priced[0] - fluid;
            bad[1] += priced[1] - events;
            if step < 599 {
                assert_eq!(free[0].0.ready(0), free[1].0.ready(0), "seed {seed}, step {step}");
                moves += u32::from(free[0].0.asked(0) != before);
            }
        }
        assert!(moves > 20, "the forecast moves the pods: {moves}");
    }
    let [fluid, events] = bad.map(|bad| bad / requests);
    assert!(fluid > 0.01, "{fluid}");
    assert!((fluid - events).abs() < 0.002 || (events / fluid - 1.0).abs() < 0.15, "{fluid} {events}");
}

/// What is learnt here is what runs there: policy `lstm-dqn`, driven by an episode, takes the actions that the same net takes on
/// the observations of the environment, decision by decision. Seed 2 loses its very first scrape: no capacity is known then.
#[test]
fn the_policy_in_operation_acts_as_the_net_does_on_the_environments_observations() {
    let weights = Weights::untrained_agent(3, 32);
    let net = DuelingNet::load(&weights).unwrap();
    let regimes = [Regime::Plain, Regime::MetricLag, Regime::LostScrapes, Regime::SlowStart, Regime::LessCapacity];
    let mut taken = [0_u32; 10];
    let cases = [2, 3].into_iter().flat_map(|seed| regimes.map(|regime| (seed, regime)));
    for ((seed, regime), kernel) in cases.flat_map(|case| [(case, KernelChoice::Fluid), (case, KernelChoice::Events)]) {
        let steps = if kernel == KernelChoice::Events { 100 } else { 600 };
        let scenario = Scenario::training_p1().under(regime);
        let luck = derive_seed(seed, 0);
        let (load, table) = (fine_load(), forecasts(&fine_load()));
        let training = TrainingLoad::new(&scenario, &load, luck, &table).unwrap();
        let loads = Arc::new(TrainingLoads::new(&scenario, vec![training]).unwrap());
        let world = AutoscaleConfig { scenario: scenario.clone(), kernel, ..config(1, steps) };
        let mut env = AutoscaleV1::new(&world, loads).unwrap();
        let mut buffers = StepArrays::new(1, OBSERVATION_LEN);
        env.reset(Array1::from_elem(1, seed).view(), buffers.observations.view_mut());
        let traffic = Traffic::new(&scenario, &from_slot(&load, env.position(0).1, steps as usize), luck).unwrap();
        let cached = CachedForecast::new(load.start(), load.interval(), table.into());
        let ingredients = Ingredients { workload: &scenario.workload, weights: Some(&weights) };
        let autoscaler = StrategySpec::of("lstm-dqn").build_around(Some(Box::new(cached)), &ingredients).unwrap();
        let driver = Driver { autoscaler: &autoscaler, state: autoscaler.initial_state() };
        let run_on = if kernel == KernelChoice::Events { protocol::run_on } else { run_on };
        run_on(&scenario, &traffic, driver, &mut |row| {
            let action = net.greedy(buffers.observations.row(0).as_slice().unwrap());
            let known = row.view.capacity.map(|_| u8::try_from(action).unwrap());
            assert_eq!(row.decision.proposal.action, known, "{kernel:?}, seed {seed}, {regime:?}, {:?}", row.at);
            taken[action] += 1;
            assert_eq!(
                env.asked(0),
                row.view.observation.spec_replicas,
                "{kernel:?}, seed {seed}, {regime:?}, {:?}",
                row.at
            );
            env.step(Array1::from_elem(1, u32::try_from(action).unwrap()).view(), &mut buffers.view_mut());
        })
        .unwrap();
    }
    assert!(taken.iter().filter(|count| **count >= 10).count() >= 3, "the net decides by what it sees: {taken:?}");
}

/// The load from a slot on, with what was before as its history; its bins are slots.
fn from_slot(load: &EpisodeLoad, first: usize, slots: usize) -> EpisodeLoad {
    let (past, present) = load.rates_per_s().split_at(first);
    let start = load.start() + load.interval() * i64::try_from(first).unwrap();
    EpisodeLoad::new(start, load.interval(), present[..slots].to_vec(), past.to_vec()).unwrap()
}

#[test]
fn the_size_of_the_batch_does_not_matter() {
    let loads = example_loads().unwrap();
    let run = |envs: usize| {
        let mut env = AutoscaleV1::new(&config(envs, 20), Arc::clone(&loads)).unwrap();
        let mut buffers = StepArrays::new(envs, OBSERVATION_LEN);
        let seeds: Array1<u64> = (0..envs as u64).map(|env| 100 + env % 7).collect();
        env.reset(seeds.view(), buffers.observations.view_mut());
        let mut bytes: Vec<u8> = Vec::new();
        for step in 0..50 {
            let actions: Array1<u32> = (0..envs as u32).map(|env| (action(step) + env % 7) % 10).collect();
            env.step(actions.view(), &mut buffers.view_mut());
            let row = (envs - 1) / 7 * 7;
            bytes.extend(buffers.observations.row(row).iter().flat_map(|value| value.to_le_bytes()));
            bytes.extend(buffers.costs[row].to_le_bytes());
            bytes.push(u8::from(buffers.truncated[row]));
        }
        bytes
    };
    let scalar = run(1);
    for envs in [64, 1_024] {
        assert_eq!(run(envs), scalar, "{envs} environments");
    }
}

#[test]
fn episodes_are_cut_and_begin_anew() {
    let mut env = AutoscaleV1::new(&config(1, 5), example_loads().unwrap()).unwrap();
    let mut buffers = StepArrays::new(1, OBSERVATION_LEN);
    env.reset(Array1::from_elem(1, 9).view(), buffers.observations.view_mut());
    let begun = env.position(0);
    let mut cuts = Vec::new();
    for step in 0..12 {
        buffers.final_observations.fill(7.0);
        env.step(Array1::from_elem(1, 3).view(), &mut buffers.view_mut());
        assert!(!buffers.terminated[0]);
        if buffers.truncated[0] {
            cuts.push(step);
            assert_ne!(
                buffers.final_observations.row(0),
                buffers.observations.row(0),
                "the last one, beside the next first one"
            );
            assert_ne!(env.position(0), begun);
        } else {
            assert!(buffers.final_observations.iter().all(|value| *value == 7.0));
        }
    }
    assert_eq!(cuts, [4, 9]);
}

#[test]
fn beginnings_cover_every_load_evenly() {
    let loads = example_loads().unwrap();
    let counts = (0..4_000_u64).fold([0_u32; 2], |mut counts, rank| {
        let (load, slot) = loads.beginning(96, (rank as f64 + 0.5) / 4_000.0);
        assert!(slot >= 2 && slot + 96 < loads.loads[load].slots.len());
        counts[load] += 1;
        counts
    });
    assert_eq!(counts, [2_000, 2_000]);
}

#[test]
fn what_cannot_work_is_refused() {
    let loads = example_loads().unwrap();
    let refused = |config: AutoscaleConfig| AutoscaleV1::new(&config, Arc::clone(&loads)).err().unwrap().to_string();
    assert!(refused(config(0, 96)).contains("`envs`"));
    assert!(refused(config(1, 0)).contains("`episode_steps`"));
    let evaluation = AutoscaleConfig { scenario: Scenario::protocol_p1(), ..config(1, 96) };
    assert!(refused(evaluation).contains("`physics_step_s`"));
    let mut slow = config(1, 96);
    slow.scenario.termination_s = 30.0;
    assert!(refused(slow).contains("`termination_s`"));
    let mut guardless = config(1, 96);
    guardless.guard.rate_period_s = 0;
    assert!(refused(guardless).contains("rate_period_s"));
    let scenario = Scenario::training_p1();
    let message = TrainingLoad::new(&scenario, &fine_load(), 1, &[]).err().unwrap().to_string();
    assert!(message.contains("1440 slots and 0 forecasts"), "{message}");
    let short = TrainingLoad::new(&scenario, &fine_load(), 1, &forecasts(&fine_load())).unwrap();
    let short = Arc::new(TrainingLoads::new(&scenario, vec![short]).unwrap());
    let message = AutoscaleV1::new(&config(1, 1_500), short).err().unwrap().to_string();
    assert!(message.contains("1437 decisions") && message.contains("needs 1500"), "{message}");
    assert!(TrainingLoads::new(&scenario, vec![]).err().unwrap().to_string().contains("`loads`"));
}
