//! `dqn_update/{1,16}`: one vector step with its update of a population of 1 and 16 learners (feature `train`).
#![expect(clippy::unwrap_used, reason = "a benchmark may panic")]

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use seatrial_agents::dqn::{DqnConfig, DqnMember, DqnTrainer, Hooks};
use seatrial_envs::registry;
use seatrial_envs::spec::KernelChoice;

/// Vector steps per iteration; the time per iteration is divided by it when read.
const STEPS: u64 = 8;

fn dqn_update(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("dqn_update");
    group.sample_size(10);
    for members in [1_usize, 16] {
        let config = DqnConfig {
            envs_per_member: 4,
            vector_steps: 1_000_000,
            segment_steps: STEPS,
            learning_starts: 64,
            replay_capacity: 10_000,
            ..DqnConfig::default()
        };
        let population =
            (0..members as u64).map(|seed| DqnMember { seed, learning_rate: 1e-3, discount: 0.95 }).collect();
        let mut env =
            (registry::find("autoscale-v1").unwrap().example)(KernelChoice::Fluid, members * config.envs_per_member)
                .unwrap();
        let mut trainer = DqnTrainer::new(config, population, &*env).unwrap();
        let mut validate = |_: u64, weights: &[seatrial_core::nets::Weights]| vec![0.0; weights.len()];
        group.bench_function(BenchmarkId::from_parameter(members), |bencher| {
            bencher.iter(|| {
                trainer.run_segment(&mut *env, &mut Hooks { heuristic: None, validate: &mut validate }).unwrap();
            });
        });
        let rows = trainer.rows();
        assert!(rows.len() >= 10 * members && rows.iter().all(|row| row.loss.is_finite()), "every member learned");
    }
    group.finish();
}

criterion_group!(benches, dqn_update);
criterion_main!(benches);
