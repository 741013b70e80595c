//! The forecaster learns what needs memory, calibrates its quantiles, treats members apart, and resumes to the bit.

use seatrial_core::rand::standard_normal;

use super::*;
use crate::population::values_f32;

/// ln of the next "rate" is 0.9 × the input three steps ago plus noise whose spread the second input tells.
fn series(steps: usize) -> ForecastSeries {
    let signal = |t: usize| standard_normal(3, Stream::TraceNoise, 0, t as u32);
    let spread = |t: usize| if (t / 50).is_multiple_of(2) { 0.1 } else { 0.4 };
    let mut inputs = Vec::new();
    let mut targets = Vec::new();
    for t in 0..steps {
        inputs.extend([signal(t) as f32, spread(t) as f32]);
        let past = if t >= 3 { signal(t - 3) } else { f64::NAN };
        targets.push((0.9 * past + spread(t) * standard_normal(3, Stream::TraceNoise, 1, t as u32)) as f32);
    }
    ForecastSeries { inputs, targets, train: 0..steps * 3 / 4, validation: steps * 3 / 4..steps }
}

fn small() -> LstmConfig {
    LstmConfig {
        input_len: 2,
        hidden: 12,
        updates: 250,
        lanes: 16,
        window: 24,
        burn_in: 8,
        lane_windows: 20,
        validate_every: 50,
        threads: 1,
        ..LstmConfig::default()
    }
}

fn members(count: u64) -> Vec<LstmMember> {
    (0..count).map(|seed| LstmMember { seed, learning_rate: 0.02 }).collect()
}

/// Pinball loss of the true conditional quantiles: what no forecaster can beat, up to sampling.
fn floor_and_blind_loss(one: &ForecastSeries) -> (f64, f64) {
    let (mut floor, mut blind, mut count) = (0.0, 0.0, 0.0);
    for t in one.validation.clone() {
        let (past, spread) = (f64::from(one.inputs[2 * (t - 3)]), f64::from(one.inputs[2 * t + 1]));
        for level in LEVELS {
            let z = seatrial_core::math::normal_quantile(level);
            let pinball = |quantile: f64| {
                let miss = f64::from(one.targets[t]) - quantile;
                (level * miss).max((level - 1.0) * miss)
            };
            floor += pinball(0.9 * past + spread * z);
            blind += pinball((0.81 + spread * spread).sqrt() * z);
            count += 1.0;
        }
    }
    (floor / count, blind / count)
}

#[test]
fn learns_what_needs_memory_close_to_the_true_quantiles() {
    let one = series(4_000);
    let mut trainer = LstmTrainer::new(small(), members(2), std::slice::from_ref(&one)).unwrap();
    trainer.advance(u64::MAX).unwrap();
    assert!(trainer.is_finished());
    assert_eq!(trainer.rows().len(), 10);
    let (floor, blind) = floor_and_blind_loss(&one);
    for trained in trainer.finish().unwrap() {
        let loss = trained.validation_loss;
        assert!(loss > 0.97 * floor && loss < 1.35 * floor && loss < 0.5 * blind, "{floor} < {loss} < {blind}");
    }
}

#[test]
fn a_resumed_run_equals_an_uninterrupted_one_to_the_bit() {
    let one = [series(1_000)];
    let config = LstmConfig { updates: 25, validate_every: 10, lane_windows: 6, ..small() };
    let make = || LstmTrainer::new(config.clone(), members(3), &one).unwrap();
    let mut whole = make();
    whole.advance(25).unwrap();
    let mut first = make();
    first.advance(7).unwrap();
    let saved = first.checkpoint().unwrap();
    let mut resumed = LstmTrainer::resume(config.clone(), members(3), &one, &saved).unwrap();
    assert_eq!(resumed.update(), 7);
    resumed.advance(u64::MAX).unwrap();
    assert_eq!(resumed.rows(), whole.rows());
    assert_eq!(resumed.checkpoint().unwrap(), whole.checkpoint().unwrap());
    let other = LstmConfig { hidden: 11, ..config.clone() };
    assert!(LstmTrainer::resume(other, members(3), &one, &saved).is_err());
    let error = LstmTrainer::resume(config, members(2), &one, &saved).unwrap_err().to_string();
    assert!(error.contains("another population"), "{error}");
}

#[test]
fn a_member_learns_the_same_alone_as_among_others() {
    let one = [series(1_000)];
    let config = LstmConfig { updates: 10, ..small() };
    let train = |members: Vec<LstmMember>| {
        let mut trainer = LstmTrainer::new(config.clone(), members, &one).unwrap();
        trainer.advance(10).unwrap();
        trainer.rows().to_vec()
    };
    let (together, alone) = (train(members(3)), train(members(3)[2..].to_vec()));
    assert!((together[2].train_loss - alone[0].train_loss).abs() < 1e-4 * alone[0].train_loss);
    assert!((together[1].train_loss - alone[0].train_loss).abs() > 1e-3 * alone[0].train_loss);
}

#[test]
fn pinball_is_its_definition_and_skips_unpriced_steps() {
    let quantiles = Tensor::from_slice(&[0.0_f32; 16]).view([1, 2, 1, 8]);
    let targets = Tensor::from_slice(&[1.0_f32, -1.0]).view([1, 2, 1]);
    let loss = |weights: [f32; 2]| {
        values_f32(&pinball(&quantiles, &targets, &Tensor::from_slice(&weights).view([1, 2, 1])))[0]
    };
    let mean = LEVELS.iter().sum::<f64>() as f32 / 8.0;
    assert!((loss([1.0, 0.0]) - mean).abs() < 1e-6);
    assert!((loss([0.0, 1.0]) - (1.0 - mean)).abs() < 1e-6);
    assert!((loss([1.0, 1.0]) - 0.5).abs() < 1e-6);
}

#[test]
fn bad_data_and_settings_are_refused_with_advice() {
    let good = series(400);
    let refuse = |config: LstmConfig, one: ForecastSeries| {
        LstmTrainer::new(config, members(1), &[one]).err().map(|error| error.to_string()).unwrap()
    };
    let nan = ForecastSeries { inputs: good.inputs.iter().map(|_| f32::NAN).collect(), ..good.clone() };
    assert!(refuse(small(), nan).contains("input 0 is not finite"));
    let short = ForecastSeries { inputs: vec![0.0; 3], ..good.clone() };
    assert!(refuse(small(), short).contains("3 inputs for 400 targets"));
    let outside = ForecastSeries { validation: 300..401, ..good.clone() };
    assert!(refuse(small(), outside).contains("ends after step 400"));
    let unusable = ForecastSeries { targets: vec![f32::NAN; 400], ..good.clone() };
    assert!(refuse(small(), unusable).contains("no usable target"));
    let tiny = ForecastSeries { train: 0..10, ..good.clone() };
    assert!(refuse(small(), tiny).contains("must fit into a training range"));
    assert!(refuse(LstmConfig { burn_in: 24, ..small() }, good.clone()).contains("`burn_in` is 24"));
    let no_rate = vec![LstmMember { seed: 0, learning_rate: 0.0 }];
    assert!(LstmTrainer::new(small(), no_rate, std::slice::from_ref(&good)).is_err());
}

#[test]
fn divergence_is_an_error_that_names_the_member() {
    let mut one = series(400);
    one.inputs.iter_mut().for_each(|input| *input *= 1e30);
    one.targets.iter_mut().for_each(|target| *target *= 1e37);
    let rates = [1e-3, 1e38].map(|learning_rate| LstmMember { seed: 0, learning_rate });
    let mut trainer = LstmTrainer::new(small(), rates.to_vec(), &[one]).unwrap();
    let error = trainer.advance(200).unwrap_err().to_string();
    assert!(error.contains("diverged") && error.contains("lower its learning rate"), "{error}");
}

/// With a vanishing learning rate, the state after two windows is that of one reading of both, and a new start clears it.
#[test]
fn a_lane_carries_its_state_until_it_starts_anew() {
    let config = LstmConfig { lanes: 1, window: 5, burn_in: 1, lane_windows: 2, updates: 3, ..small() };
    let still = vec![LstmMember { seed: 1, learning_rate: 1e-30 }];
    let mut trainer = LstmTrainer::new(config, still, &[series(400)]).unwrap();
    for steps in [5, 10, 5] {
        trainer.advance(1).unwrap();
        let end = trainer.lanes[0].position as i64;
        let read: Vec<i64> = (end - steps..end).collect();
        let inputs = trainer.corpus.inputs_at(&read, [1, steps, 1, -1]);
        let tensors = trainer.layout.split(&trainer.parameters);
        let (_, once) = no_grad(|| quantiles(&tensors, &inputs, LstmState::zeros(1, 1, 12)));
        for (carried, once) in values_f64(&trainer.state.hidden).iter().zip(values_f64(&once.hidden)) {
            assert!((carried - once).abs() < 1e-6, "{steps} steps: {carried} {once}");
        }
    }
}
