//! `decide/<policy>`: one whole decision (estimates, forecast, policy, guard) on the homogeneous path, for every registered policy.
#![expect(clippy::unwrap_used, reason = "a benchmark may panic")]

use criterion::{Criterion, criterion_group, criterion_main};
use seatrial_benches::{AGENT_HIDDEN, FORECASTER_HIDDEN, autoscaler, observe};
use seatrial_core::nets::Weights;
use seatrial_core::observe::{Observation, Workload};
use seatrial_core::scaling::policies::POLICIES;
use seatrial_core::time::Timestamp;

fn decide(criterion: &mut Criterion) {
    let workload = Workload::protocol_p1();
    let weights = Weights::deterministic(1, FORECASTER_HIDDEN, AGENT_HIDDEN);
    let mut group = criterion.benchmark_group("decide");
    for row in POLICIES {
        let scaler = autoscaler(row, &workload, &weights).unwrap();
        let mut state = scaler.initial_state();
        let mut seen = Observation::unknown(Timestamp::ZERO, 14);
        let (mut step, mut replicas) = (0_i64, 0_u64);
        group.bench_function(row.id, |bencher| {
            bencher.iter(|| {
                observe(step, &mut seen);
                step += 1;
                let decision = scaler.decide(seen.now, &seen, &mut state);
                replicas += u64::from(decision.replicas);
                decision.replicas
            });
        });
        assert!(replicas >= step.unsigned_abs(), "`{}` decided at least one replica in each of {step} steps", row.id);
    }
    group.finish();
}

criterion_group!(benches, decide);
criterion_main!(benches);
