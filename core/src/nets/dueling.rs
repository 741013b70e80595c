//! The agent's net: two linear layers with layer norm and ReLU, then dueling heads (Wang et al., ICML 2016).

use super::layers::{LayerNorm, Linear, MAX_WIDTH};
use super::weights::{Weights, WeightsError, shape_error};
use crate::scaling::headroom_space::{ACTION_COUNT, OBSERVATION_LEN};

/// Q = V + A − mean(A); Q estimates the negative cost to go, so the greedy action is the greatest.
#[derive(Clone, Debug, PartialEq)]
pub struct DuelingNet {
    trunk: [(Linear, LayerNorm); 2],
    value: Linear,
    advantage: Linear,
}

impl DuelingNet {
    /// Reads `agent.*`.
    ///
    /// # Errors
    /// If a tensor is missing or has another shape, or a layer is wider than [`MAX_WIDTH`].
    pub fn load(weights: &Weights) -> Result<Self, WeightsError> {
        let first = Linear::load(weights, "agent.trunk.0", OBSERVATION_LEN)?;
        let second = Linear::load(weights, "agent.trunk.1", first.outputs())?;
        let norms = [
            LayerNorm::load(weights, "agent.norm.0", first.outputs())?,
            LayerNorm::load(weights, "agent.norm.1", second.outputs())?,
        ];
        let value = head(weights, "agent.value", second.outputs(), 1)?;
        let advantage = head(weights, "agent.advantage", second.outputs(), ACTION_COUNT)?;
        let [first_norm, second_norm] = norms;
        Ok(Self { trunk: [(first, first_norm), (second, second_norm)], value, advantage })
    }

    /// Q of every action. Allocates nothing.
    ///
    /// # Panics
    /// If `observation` is shorter than [`OBSERVATION_LEN`]: a bug of the caller.
    #[must_use]
    pub fn q_values(&self, observation: &[f32]) -> [f32; ACTION_COUNT] {
        let (mut first, mut second) = ([0.0; MAX_WIDTH], [0.0; MAX_WIDTH]);
        self.trunk[0].0.forward(observation, &mut first);
        self.trunk[0].1.forward(&mut first);
        rectify(&mut first);
        self.trunk[1].0.forward(&first, &mut second);
        self.trunk[1].1.forward(&mut second);
        rectify(&mut second);
        let (mut value, mut advantage) = ([0.0], [0.0; ACTION_COUNT]);
        self.value.forward(&second, &mut value);
        self.advantage.forward(&second, &mut advantage);
        #[expect(clippy::cast_precision_loss, reason = "ten actions")]
        let mean = advantage.iter().sum::<f32>() / ACTION_COUNT as f32;
        advantage.map(|advantage| value[0] + advantage - mean)
    }

    /// The action with the greatest Q; ties go to the lower index.
    #[must_use]
    pub fn greedy(&self, observation: &[f32]) -> usize {
        let q = self.q_values(observation);
        (1..ACTION_COUNT).fold(0, |best, action| if q[action] > q[best] { action } else { best })
    }
}

fn head(weights: &Weights, layer: &str, inputs: usize, outputs: usize) -> Result<Linear, WeightsError> {
    let head = Linear::load(weights, layer, inputs)?;
    if head.outputs() == outputs {
        return Ok(head);
    }
    let name = format!("{layer}.weight");
    Err(shape_error(&name, weights.tensor(&name)?, format!("[{outputs}, {inputs}]")))
}

fn rectify(x: &mut [f32]) {
    for x in x {
        *x = x.max(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nets::Tensor;
    use crate::rand::{Stream, uniform};

    fn values<'a>(weights: &'a Weights, name: &str) -> &'a [f32] {
        weights.tensor(name).unwrap().values()
    }

    fn affine(weights: &Weights, layer: &str, x: &[f64]) -> Vec<f64> {
        let (matrix, bias) = (values(weights, &format!("{layer}.weight")), values(weights, &format!("{layer}.bias")));
        let row = |r: usize| {
            x.iter().enumerate().map(|(k, x)| f64::from(matrix[r * x_len(matrix, bias) + k]) * x).sum::<f64>()
        };
        (0..bias.len()).map(|r| f64::from(bias[r]) + row(r)).collect()
    }

    fn x_len(matrix: &[f32], bias: &[f32]) -> usize {
        matrix.len() / bias.len()
    }

    fn naive(weights: &Weights, observation: &[f32]) -> Vec<f64> {
        let mut x: Vec<f64> = observation.iter().map(|x| f64::from(*x)).collect();
        for layer in 0..2 {
            x = affine(weights, &format!("agent.trunk.{layer}"), &x);
            let mean = x.iter().sum::<f64>() / x.len() as f64;
            let variance = x.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / x.len() as f64;
            let (gain, shift) = (
                values(weights, &format!("agent.norm.{layer}.weight")),
                values(weights, &format!("agent.norm.{layer}.bias")),
            );
            for (k, x) in x.iter_mut().enumerate() {
                *x = ((*x - mean) / (variance + 1e-5).sqrt() * f64::from(gain[k]) + f64::from(shift[k])).max(0.0);
            }
        }
        let (value, advantage) = (affine(weights, "agent.value", &x), affine(weights, "agent.advantage", &x));
        let mean = advantage.iter().sum::<f64>() / advantage.len() as f64;
        advantage.iter().map(|advantage| value[0] + advantage - mean).collect()
    }

    #[test]
    fn q_values_as_the_formula_says() {
        for (seed, hidden) in [(1, 32), (2, 64), (3, 128)] {
            let weights = Weights::untrained_agent(seed, hidden);
            let net = DuelingNet::load(&weights).unwrap();
            for case in 0..20 {
                let observation: Vec<f32> = (0..OBSERVATION_LEN as u32)
                    .map(|k| (6.0 * uniform(seed, Stream::TraceNoise, case, k) - 3.0) as f32)
                    .collect();
                let q = net.q_values(&observation);
                for (got, expected) in q.iter().zip(naive(&weights, &observation)) {
                    assert!((f64::from(*got) - expected).abs() < 1e-5, "hidden {hidden}: {got} {expected}");
                }
                let greatest = q.iter().fold(f32::MIN, |greatest, q| greatest.max(*q));
                assert_eq!(q[net.greedy(&observation)], greatest);
            }
        }
    }

    #[test]
    fn ties_go_to_the_lower_action() {
        let mut weights = Weights::untrained_agent(1, 16);
        weights.insert("agent.advantage.weight", Tensor::new(vec![10, 16], vec![0.0; 160]).unwrap()).unwrap();
        weights.insert("agent.advantage.bias", Tensor::new(vec![10], vec![1.0; 10]).unwrap()).unwrap();
        assert_eq!(DuelingNet::load(&weights).unwrap().greedy(&[0.5; OBSERVATION_LEN]), 0);
    }

    #[test]
    fn a_head_for_other_actions_is_refused() {
        let mut weights = Weights::untrained_agent(1, 16);
        weights.insert("agent.advantage.weight", Tensor::new(vec![9, 16], vec![0.0; 144]).unwrap()).unwrap();
        weights.insert("agent.advantage.bias", Tensor::new(vec![9], vec![1.0; 9]).unwrap()).unwrap();
        let error = DuelingNet::load(&weights).unwrap_err();
        assert!(error.to_string().contains("[10, 16]"), "{error}");
    }
}
