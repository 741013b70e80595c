//! `nets/{lstm,mlp}`: one forward pass of the forecaster's cell and of the agent's net.
#![expect(clippy::unwrap_used, reason = "a benchmark may panic")]

use criterion::{Criterion, criterion_group, criterion_main};
use seatrial_benches::{AGENT_HIDDEN, FORECASTER_HIDDEN};
use seatrial_core::nets::{DuelingNet, Lstm, Weights};
use seatrial_core::scaling::forecasters::encoding::INPUT_LEN;
use seatrial_core::scaling::headroom_space::OBSERVATION_LEN;

fn nets(criterion: &mut Criterion) {
    let weights = Weights::deterministic(1, FORECASTER_HIDDEN, AGENT_HIDDEN);
    let mut group = criterion.benchmark_group("nets");

    let lstm = Lstm::load(&weights, "forecaster.lstm", INPUT_LEN).unwrap();
    let mut state = lstm.initial_state();
    let mut input = [0.1_f32; INPUT_LEN];
    group.bench_function("lstm", |bencher| {
        bencher.iter(|| {
            input[0] = -input[0];
            lstm.step(&input, &mut state);
            state.hidden()[0]
        });
    });
    assert!(state.hidden().iter().any(|value| *value != 0.0), "the cell moved");

    let net = DuelingNet::load(&weights).unwrap();
    let mut observation = [0.1_f32; OBSERVATION_LEN];
    let mut sum = 0.0;
    group.bench_function("mlp", |bencher| {
        bencher.iter(|| {
            observation[0] = -observation[0];
            let q = net.q_values(&observation);
            sum += q[0];
            q
        });
    });
    assert!(sum != 0.0 && sum.is_finite(), "Q values were computed: {sum}");
    group.finish();
}

criterion_group!(benches, nets);
criterion_main!(benches);
