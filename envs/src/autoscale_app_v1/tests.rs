//! The applications against the kernel of evaluation, and what cannot work.

use super::*;
use crate::app::{FluidApp, fluid_app};
use crate::fluid::costs::CostTerms;
use crate::load::EpisodeLoad;
use crate::registry::{example_app_loads, example_load, example_shop};
use crate::spec::{Inputs, SourceLoad};
use ndarray::Array1;
use seatrial_core::rand::{Stream, below, derive_seed};
use seatrial_core::rl::StepArrays;
use seatrial_core::scaling::forecasters;
use seatrial_core::scaling::policies::Ingredients;
use seatrial_core::time::{Span, Timestamp};

/// The shop's load of a morning in bins of a slot, so that an episode may begin at any of them.
fn fine_load(scale: f64) -> EpisodeLoad {
    let coarse = example_load().unwrap();
    let rates: Vec<f64> = coarse.rates_per_s()[..240].iter().flat_map(|rate| [*rate * scale; 4]).collect();
    EpisodeLoad::new(coarse.start(), Span::from_secs(15), rates, vec![]).unwrap()
}

fn lowered(load: EpisodeLoad, seed: u64, duration_s: f64, physics_step_s: f64) -> Lowered {
    let inputs = Inputs { loads: vec![SourceLoad::Rates(load)], ..Inputs::default() };
    let shop = crate::spec::ScenarioSpec { duration_s, seed, ..example_shop() };
    crate::spec::lower::lower(&shop, &inputs, physics_step_s).unwrap()
}

fn environments(load: &EpisodeLoad, episode_steps: u32, reactive_floor_utilisation: Option<f64>) -> AutoscaleAppV1 {
    let application = lowered(load.clone(), 1, 3_600.0, 15.0);
    let workload = application.services[0].scenario.workload;
    let ingredients = Ingredients { workload: &workload, weights: None };
    let forecaster = (forecasters::find("persistence").unwrap().build)(&serde_json::Value::Null, &ingredients).unwrap();
    let recorded = AppLoad::record(&application, 5, &*forecaster).unwrap();
    let loads = Arc::new(AppLoads::new(&application, vec![recorded]).unwrap());
    let guard = GuardConfig { reactive_floor_utilisation, ..GuardConfig::default() };
    let config = AppConfig { application, guard, applications: 1, episode_steps };
    AutoscaleAppV1::new(&config, loads).unwrap()
}

/// An episode of the environment and the network kernel side by side, the kernel's pods asked for by the environment's decisions:
/// the same pods at every step, and costs that differ by the step's mean alone. `generous` chooses high headroom.
fn side_by_side(generous: bool) -> (CostTerms, f64, f64) {
    let (seed, steps, load) = (8, 400_u32, fine_load(1.0));
    let mut env = environments(&load, steps, generous.then_some(0.85));
    let services = env.services();
    let mut buffers = StepArrays::new(services, OBSERVATION_LEN);
    env.reset(Array1::from_elem(services, seed).view(), buffers.observations.view_mut());
    let first = env.position(0).1;
    let rates = load.rates_per_s()[first..first + steps as usize].to_vec();
    let start = load.start() + load.interval() * i64::try_from(first).unwrap();
    let rest = EpisodeLoad::new(start, load.interval(), rates, vec![]).unwrap();
    let mut application = lowered(rest, derive_seed(seed, 0), 15.0 * f64::from(steps), 15.0);
    for (row, service) in application.services.iter_mut().enumerate() {
        service.replicas = env.ready(row);
    }
    let app = FluidApp::new(application).unwrap();
    let mut network = app.network();
    let mut cost = 0.0;
    for step in 0..steps {
        let action = |row: u32| {
            let drawn = u32::try_from(below(4, Stream::RandomAction, u64::from(row), step / 2, 5)).unwrap();
            if generous { 5 + drawn } else { drawn.min(2) + 1 }
        };
        let actions: Array1<u32> = (0..u32::try_from(services).unwrap()).map(action).collect();
        let ready: Vec<u32> = (0..services).map(|row| env.ready(row)).collect();
        assert_eq!(ready, network.nodes.iter().map(|node| node.pods.ready()).collect::<Vec<_>>(), "step {step}");
        env.step(actions.view(), &mut buffers.view_mut());
        let now = network.now();
        let over = buffers.truncated[0];
        for row in 0..services {
            // The last step's decisions are gone with the episode; it is left out of both.
            if !over {
                network.nodes[row].scale(now, env.asked(row));
            }
        }
        if !over {
            network.advance(now + Span::from_secs(15));
            cost += buffers.costs[0];
            assert!(buffers.costs.iter().all(|other| *other == buffers.costs[0]), "one cost for all");
        }
    }
    let owed: f64 = network.nodes.iter().map(|node| node.pods.unfinished_start_s(network.now())).sum();
    let settled = network.settle();
    assert!(settled.imbalance < 1e-9);
    let mut total = CostTerms::default();
    settled.days.iter().for_each(|day| total.add(&day.terms));
    (total, cost, owed)
}

#[test]
fn costs_are_those_of_the_kernel_of_evaluation() {
    let (total, cost, owed) = side_by_side(true);
    let expected = total.pod_seconds() - owed + total.bad_requests + 5.0 * total.changes;
    assert!(total.changes > 30.0 && (cost - expected).abs() < 2e-3 * expected, "{cost} {expected} {total:?}");
    // With queues everywhere a step's mean hides when in the step a callee got its calls.
    let (total, cost, owed) = side_by_side(false);
    let expected = total.pod_seconds() - owed + total.bad_requests + 5.0 * total.changes;
    assert!(total.bad_requests > 2_000.0 && (cost - expected).abs() < 0.03 * expected, "{cost} {expected} {total:?}");
}

/// What keeps calls back is seen by who is called: a frontend whose first pods are under three times their capacity.
#[test]
fn a_callee_sees_what_its_callers_complete() {
    let mut env = environments(&fine_load(8.0), 200, None);
    let services = env.services();
    let mut buffers = StepArrays::new(services, OBSERVATION_LEN);
    env.reset(Array1::from_elem(services, 3).view(), buffers.observations.view_mut());
    let (frontend, catalog) = (6, 2);
    // New pods are not there yet.
    for _ in 0..3 {
        env.step(Array1::zeros(services).view(), &mut buffers.view_mut());
    }
    let load_over_p50 = |row: usize| -buffers.observations[[row, 4]];
    assert!(env.backlog(frontend) > 0.0);
    assert!(load_over_p50(frontend).abs() < 0.7, "offered load is what is forecast");
    assert!(
        load_over_p50(catalog) < load_over_p50(frontend) - 0.3,
        "{} {}",
        load_over_p50(catalog),
        load_over_p50(frontend)
    );
}

#[test]
fn what_cannot_work_is_refused() {
    let (application, loads) = example_app_loads().unwrap();
    let config = AppConfig { application, guard: GuardConfig::default(), applications: 1, episode_steps: 96 };
    let refused = |edit: &dyn Fn(&mut AppConfig)| {
        let mut config = config.clone();
        edit(&mut config);
        AutoscaleAppV1::new(&config, Arc::clone(&loads)).err().unwrap().to_string()
    };
    assert!(refused(&|config| config.applications = 0).contains("`envs`"));
    assert!(refused(&|config| config.episode_steps = 0).contains("`episode_steps`"));
    assert!(refused(&|config| config.episode_steps = 100_000).contains("100000"));
    assert!(refused(&|config| config.guard.rate_period_s = 0).contains("rate_period_s"));
    assert!(
        refused(&|config| config.application.services[3].scenario.physics_step_s = 1.0).contains("`physics_step_s`")
    );
    assert!(refused(&|config| drop(config.application.services.pop())).contains("11 services"));
    assert!(AppLoads::new(&config.application, vec![]).err().unwrap().to_string().contains("`loads`"));
    let none = Inputs::default();
    assert!(fluid_app(&example_shop(), &none, 1).err().unwrap().to_string().contains("traffic[0].source"));
    assert_eq!(config.application.services[0].nominal.start(), Timestamp::from_secs(86_400));
}
