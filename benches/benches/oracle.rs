//! `oracle/24h`: the certified interval of a day in 15 s bins with up to 200 replicas.
#![expect(clippy::unwrap_used, reason = "a benchmark may panic")]

use criterion::{Criterion, criterion_group, criterion_main};
use seatrial_core::observe::Bounds;
use seatrial_core::time::{Span, Timestamp};
use seatrial_envs::load::EpisodeLoad;
use seatrial_envs::oracle::certify;
use seatrial_envs::scenario::Scenario;

fn oracle(criterion: &mut Criterion) {
    let wave = |bin: i32| 4_000.0 - 3_500.0 * libm::cos(f64::from(bin) / 5_760.0 * core::f64::consts::TAU);
    let rates: Vec<f64> = (0..5_760).map(wave).collect();
    let load = EpisodeLoad::new(Timestamp::ZERO, Span::from_secs(15), rates, Vec::new()).unwrap();
    let mut scenario = Scenario::protocol_p1();
    scenario.workload.bounds = Bounds { min: 1, max: 200 };
    let mut group = criterion.benchmark_group("oracle");
    group.sample_size(10);
    let mut gap = f64::NAN;
    group.bench_function("24h", |bencher| {
        bencher.iter(|| {
            let certified = certify(&scenario, &load, 1).unwrap();
            gap = certified.upper / certified.lower - 1.0;
            certified.lower
        });
    });
    assert!(gap.is_nan() || (0.0..0.002).contains(&gap), "the interval is tight: {gap}");
    group.finish();
}

criterion_group!(benches, oracle);
criterion_main!(benches);
