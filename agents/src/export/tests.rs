//! The core's nets against libtorch's own `lstm`, `linear` and `layer_norm` (not against the learners' batched code, which is
//! compared with them as well), on weights as a learner exports them, through safetensors bytes as a bundle would.

use seatrial_core::nets::{DuelingNet, Linear, Lstm, Weights};
use seatrial_core::rand::{Stream, standard_normal};
use seatrial_core::scaling::forecast::LEVEL_COUNT;
use seatrial_core::scaling::forecasters::encoding::{INPUT_LEN, monotone};
use seatrial_core::scaling::headroom_space::{ACTION_COUNT, OBSERVATION_LEN};
use tch::{Kind, Tensor, no_grad};

use super::member_weights;
use crate::dqn;
use crate::lstm_forecaster::{self, LstmState};
use crate::population::{Layout, values_f32};
use crate::runtime;

const TOLERANCE: f32 = 1e-5;
const HIDDEN: usize = 32;

fn noise(entity: u64, count: usize) -> Vec<f32> {
    (0..count as u32).map(|index| standard_normal(5, Stream::Weights, entity, index) as f32).collect()
}

/// Parameters of three members, moved off their initial values so that norms and biases matter, and the exported weights.
fn members(layout: &Layout) -> (Tensor, Vec<Weights>) {
    runtime::prepare(1);
    let initial = layout.initial(&[1, 2, 3]);
    let parameters = &initial + Tensor::from_slice(&noise(9, initial.numel())).view(&initial.size()[..]) * 0.1;
    let exported = member_weights(layout, &parameters).unwrap();
    let read_back = exported.iter().map(|w| Weights::from_safetensors(&w.to_safetensors().unwrap()).unwrap());
    (parameters, read_back.collect())
}

fn member_tensors(layout: &Layout, parameters: &Tensor, member: i64) -> Vec<Tensor> {
    layout.split(parameters).iter().map(|tensor| tensor.get(member)).collect()
}

/// Outputs after each step of the core's streaming LSTM, as log-ratio quantiles.
fn core_quantiles(weights: &Weights, inputs: &[f32]) -> Vec<f32> {
    let lstm = Lstm::load(weights, "forecaster.lstm", INPUT_LEN).unwrap();
    let head = Linear::load(weights, "forecaster.head", lstm.hidden()).unwrap();
    let mut state = lstm.initial_state();
    let steps = inputs.chunks(INPUT_LEN).map(|x| {
        lstm.step(x, &mut state);
        let mut raw = [0.0; LEVEL_COUNT];
        head.forward(state.hidden(), &mut raw);
        monotone(&raw)
    });
    steps.collect::<Vec<_>>().concat()
}

/// libtorch's `lstm` on `inputs [windows, steps, in]` from the zero state, then the head, as log-ratio quantiles.
fn libtorch_quantiles(tensors: &[Tensor], inputs: &Tensor) -> Vec<f32> {
    let zeros = || Tensor::zeros([1, inputs.size()[0], HIDDEN as i64], (Kind::Float, tch::Device::Cpu));
    let (outputs, _, _) = inputs.lstm(&[zeros(), zeros()], &tensors[..4], true, 1, 0.0, false, false, true);
    let raw = values_f32(&outputs.linear(&tensors[4], Some(&tensors[5])));
    let rows = raw.chunks(LEVEL_COUNT).flat_map(|o| {
        let mut q = [o[3]; LEVEL_COUNT];
        let softplus = |x: f32| (f64::from(x).exp().ln_1p()) as f32;
        (0..3).rev().for_each(|k| q[k] = q[k + 1] - softplus(o[k]));
        (4..8).for_each(|k| q[k] = q[k - 1] + softplus(o[k]));
        q
    });
    rows.collect()
}

fn greatest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    assert!(a.iter().chain(b).all(|x| x.is_finite()));
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn corrupted(weights: &Weights, name: &str) -> Weights {
    let tensor = weights.tensor(name).unwrap();
    let mut values = tensor.values().to_vec();
    values[1] += 0.01;
    let mut corrupted = weights.clone();
    let tensor = seatrial_core::nets::Tensor::new(tensor.shape().to_vec(), values).unwrap();
    corrupted.insert(name, tensor).unwrap();
    corrupted
}

#[test]
fn lstm_agrees_with_libtorch_streaming_over_2000_steps() {
    let layout = lstm_forecaster::layout(INPUT_LEN, HIDDEN);
    let (parameters, weights) = members(&layout);
    let inputs = noise(1, 2_000 * INPUT_LEN);
    let sequence = Tensor::from_slice(&inputs).view([1, 2_000, INPUT_LEN as i64]);
    for (member, weights) in weights.iter().enumerate() {
        let reference = libtorch_quantiles(&member_tensors(&layout, &parameters, member as i64), &sequence);
        let difference = greatest_difference(&core_quantiles(weights, &inputs), &reference);
        assert!(difference < TOLERANCE, "member {member}: {difference}");
    }
}

#[test]
fn lstm_agrees_with_libtorch_on_1000_windows_and_notices_a_corrupted_weight() {
    let layout = lstm_forecaster::layout(INPUT_LEN, HIDDEN);
    let (parameters, weights) = members(&layout);
    let (windows, steps) = (1_000, 12);
    let inputs = noise(2, windows * steps * INPUT_LEN);
    let batch = Tensor::from_slice(&inputs).view([windows as i64, steps as i64, INPUT_LEN as i64]);
    let reference = libtorch_quantiles(&member_tensors(&layout, &parameters, 1), &batch);
    let of_core = |weights: &Weights| -> Vec<f32> {
        inputs.chunks(steps * INPUT_LEN).flat_map(|window| core_quantiles(weights, window)).collect()
    };
    let difference = greatest_difference(&of_core(&weights[1]), &reference);
    assert!(difference < TOLERANCE, "{difference}");
    for spec in &layout.tensors {
        let difference = greatest_difference(&of_core(&corrupted(&weights[1], spec.name)), &reference);
        assert!(difference > 10.0 * TOLERANCE, "{} went unnoticed: {difference}", spec.name);
    }
}

#[test]
fn batched_lstm_agrees_with_libtorch_for_every_member() {
    let layout = lstm_forecaster::layout(INPUT_LEN, HIDDEN);
    let (parameters, _) = members(&layout);
    let (steps, lanes) = (20, 5);
    let inputs = Tensor::from_slice(&noise(3, 3 * steps * lanes * INPUT_LEN));
    let inputs = inputs.view([3, steps as i64, lanes as i64, INPUT_LEN as i64]);
    let state = LstmState::zeros(3, lanes, HIDDEN);
    let (batched, _) = no_grad(|| lstm_forecaster::quantiles(&layout.split(&parameters), &inputs, state));
    for member in 0..3 {
        let own = inputs.get(member).transpose(0, 1).contiguous();
        let reference = libtorch_quantiles(&member_tensors(&layout, &parameters, member), &own);
        let batched = values_f32(&batched.get(member).transpose(0, 1));
        assert!(greatest_difference(&batched, &reference) < TOLERANCE);
    }
}

/// Q by libtorch's own layers, one member at a time.
fn libtorch_q(tensors: &[Tensor], observations: &Tensor) -> Vec<f32> {
    let layer = |x: &Tensor, at: usize| {
        let x = x.linear(&tensors[at], Some(&tensors[at + 1]));
        x.layer_norm([64], Some(&tensors[at + 2]), Some(&tensors[at + 3]), 1e-5, false).relu()
    };
    let trunk = layer(&layer(observations, 0), 4);
    let value = trunk.linear(&tensors[8], Some(&tensors[9]));
    let advantage = trunk.linear(&tensors[10], Some(&tensors[11]));
    values_f32(&(value + &advantage - advantage.mean_dim([1_i64].as_slice(), true, Kind::Float)))
}

#[test]
fn dqn_agrees_with_libtorch_on_1000_observations_and_notices_a_corrupted_weight() {
    let layout = dqn::layout(OBSERVATION_LEN, 64, ACTION_COUNT);
    let (parameters, weights) = members(&layout);
    let inputs = noise(4, 1_000 * OBSERVATION_LEN);
    let observations = Tensor::from_slice(&inputs).view([1_000, OBSERVATION_LEN as i64]);
    let of_core = |weights: &Weights| -> Vec<f32> {
        let net = DuelingNet::load(weights).unwrap();
        inputs.chunks(OBSERVATION_LEN).flat_map(|x| net.q_values(x)).collect()
    };
    let batch = observations.unsqueeze(0).expand([3, 1_000, OBSERVATION_LEN as i64], true);
    let batched = dqn::q_values(&layout.split(&parameters), &batch);
    for (member, weights) in (0..).zip(&weights) {
        let reference = libtorch_q(&member_tensors(&layout, &parameters, member), &observations);
        let difference = greatest_difference(&of_core(weights), &reference);
        assert!(difference < TOLERANCE, "member {member}: {difference}");
        assert!(greatest_difference(&values_f32(&batched.get(member)), &reference) < TOLERANCE);
    }
    let reference = libtorch_q(&member_tensors(&layout, &parameters, 0), &observations);
    // A value or advantage bias has one number that all actions share or lose; index 1 of the others reaches the output.
    for spec in layout.tensors.iter().filter(|spec| spec.len() > 1) {
        let difference = greatest_difference(&of_core(&corrupted(&weights[0], spec.name)), &reference);
        assert!(difference > 10.0 * TOLERANCE, "{} went unnoticed: {difference}", spec.name);
    }
}

#[test]
fn weights_that_are_not_finite_are_refused() {
    let layout = dqn::layout(OBSERVATION_LEN, 64, ACTION_COUNT);
    let parameters = layout.initial(&[1, 2]);
    let _ = parameters.get(1).get(3).fill_(f64::NAN);
    let error = member_weights(&layout, &parameters).unwrap_err().to_string();
    assert!(error.contains("member 1") && error.contains("agent.trunk.0.weight"), "{error}");
}
