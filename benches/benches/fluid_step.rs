//! `fluid_step/autoscale-v1/{1,64,1024}`: environment steps with 15 s physics; draws, trace cursor, guard, observation write, cost
//! and resets included. `fluid_step/autoscale-app-v1/256`: the same for whole applications of 11 services.
#![expect(clippy::unwrap_used, reason = "a benchmark may panic")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ndarray::Array1;
use seatrial_core::rand::{Stream, below};
use seatrial_core::rl::{StepArrays, VectorEnv};
use seatrial_envs::registry;
use seatrial_envs::spec::KernelChoice;

/// Actions change this often: replicas move, starts are drawn, episodes end.
const ACTION_SETS: usize = 64;

struct Batch {
    env: Box<dyn VectorEnv>,
    actions: Vec<Array1<u32>>,
    shown: StepArrays,
    steps: usize,
    total_cost: f64,
    episodes: usize,
}

impl Batch {
    fn new(id: &str, instances: usize) -> Self {
        let mut env = (registry::find(id).unwrap().example)(KernelChoice::Fluid, instances).unwrap();
        let envs = env.len();
        let count = env.action_count() as u64;
        let action = |set: usize, env: usize| below(1, Stream::RandomAction, set as u64, env as u32, count) as u32;
        let mut shown = StepArrays::new(envs, env.observation_len());
        env.reset(Array1::from_iter(0..envs as u64).view(), shown.observations.view_mut());
        Self {
            env,
            actions: (0..ACTION_SETS).map(|set| (0..envs).map(|env| action(set, env)).collect()).collect(),
            shown,
            steps: 0,
            total_cost: 0.0,
            episodes: 0,
        }
    }

    fn step(&mut self) {
        self.env.step(self.actions[self.steps % ACTION_SETS].view(), &mut self.shown.view_mut());
        self.steps += 1;
        self.total_cost += self.shown.costs[0];
        self.episodes += usize::from(self.shown.truncated[0]);
    }
}

/// Benches `id` with each number of instances; a step of an instance costs between these on average, and each episode has 96 steps.
fn bench(criterion: &mut Criterion, id: &str, instances: &[usize], costs: core::ops::Range<f64>) {
    let mut group = criterion.benchmark_group(format!("fluid_step/{id}"));
    for instances in instances {
        let mut batch = Batch::new(id, *instances);
        group.throughput(Throughput::Elements(*instances as u64));
        group.bench_function(BenchmarkId::from_parameter(instances), |bencher| bencher.iter(|| batch.step()));
        if batch.steps == 0 {
            continue; // left out by a filter
        }
        let mean = batch.total_cost / batch.steps as f64;
        assert!(costs.contains(&mean), "mean cost of a step: {mean}");
        assert_eq!(batch.episodes, batch.steps / 96, "episodes ended and began anew");
    }
    group.finish();
}

fn fluid_step(criterion: &mut Criterion) {
    // At least one pod for 15 s per step, at most 100 and every request bad.
    bench(criterion, "autoscale-v1", &[1, 64, 1_024], 15.0..60_000.0);
    // The same, with eleven services.
    bench(criterion, "autoscale-app-v1", &[256], 11.0 * 15.0..11.0 * 1_500.0 + 60_000.0);
}

criterion_group!(benches, fluid_step);
criterion_main!(benches);
