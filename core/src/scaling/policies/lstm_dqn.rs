//! `lstm-dqn`: a dueling Q-network that chooses headroom over the forecast's median.
//!
//! Observation and actions are those of `autoscale-v1` ([`headroom_space`]), encoded by the same code in training and here;
//! the forecast comes from the strategy's forecaster (`lstm` in the strategy that is exported). `selection: random` draws its
//! action from the moment of the decision instead: the attribution row `lstm-dqn-random`, which needs no weights.

use serde::{Deserialize, Serialize};

use super::{GuardProfile, Ingredients, PolicyRow};
use crate::nets::DuelingNet;
use crate::observe::{Bounds, CapacityEstimate, Feature, Observation};
use crate::rand::{self, Stream};
use crate::scaling::config::{self, ConfigError};
use crate::scaling::forecast::Quantiles;
use crate::scaling::headroom_space::{self, ACTION_COUNT, HeadroomInputs, HeadroomMemory, OBSERVATION_LEN};
use crate::scaling::policy::{DynPolicy, Policy, Proposal, Reason, View};
use crate::time::Timestamp;

const ID: &str = "lstm-dqn";

/// Its row.
pub(super) const ROW: PolicyRow = PolicyRow {
    id: ID,
    summary: "headroom over the forecast, chosen by a dueling Q-network",
    sources: &["van Hasselt et al., AAAI 2016 (double DQN)", "Wang et al., ICML 2016 (dueling)"],
    deviations: &[],
    needs_forecast: true,
    needs_weights: true,
    guard: GuardProfile::Full,
    default_config: || super::default_config::<Config>(),
    build,
};

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    /// How an action is chosen.
    selection: Selection,
    /// Seed of `random`.
    seed: u64,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Selection {
    /// The action with the greatest Q.
    #[default]
    Greedy,
    /// Any action, all alike.
    Random,
}

fn build(config: &serde_json::Value, ingredients: &Ingredients<'_>) -> Result<Box<dyn DynPolicy>, ConfigError> {
    let config: Config = config::parse(ID, config)?;
    let chooser = match (config.selection, ingredients.weights) {
        (Selection::Random, _) => Chooser::Random(config.seed),
        (Selection::Greedy, Some(weights)) => {
            let net = DuelingNet::load(weights);
            Chooser::Greedy(net.map_err(|error| ConfigError::Shape { id: ID, detail: error.to_string() })?)
        }
        (Selection::Greedy, None) => {
            return Err(ConfigError::Missing { id: ID, what: "trained weights: train it, or load a bundle" });
        }
    };
    Ok(Box::new(LstmDqn { chooser, bounds: ingredients.workload.bounds }))
}

struct LstmDqn {
    chooser: Chooser,
    bounds: Bounds,
}

#[expect(clippy::large_enum_variant, reason = "one per strategy, and reached without a pointer")]
enum Chooser {
    Greedy(DuelingNet),
    Random(u64),
}

impl Chooser {
    #[expect(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "a moment as an address; below ten")]
    fn choose(&self, now: Timestamp, observation: &[f32]) -> usize {
        match self {
            Self::Greedy(net) => net.greedy(observation),
            Self::Random(seed) => {
                rand::below(*seed, Stream::RandomAction, now.micros() as u64, 0, ACTION_COUNT as u64) as usize
            }
        }
    }
}

impl LstmDqn {
    fn inputs(
        &self,
        now: Timestamp,
        seen: &Observation,
        forecast: &Quantiles,
        capacity: Option<CapacityEstimate>,
    ) -> HeadroomInputs {
        let value = |feature| seen.metrics.get(feature).map(|sample| single(sample.value));
        let completed = value(Feature::HttpRequestDurationSecondsCountRate).filter(|rate| *rate > 0.0);
        let busy = value(Feature::HttpRequestDurationSecondsSumRate);
        let counts = seen.pods.counts(now);
        HeadroomInputs {
            now,
            ln_forecast: headroom_space::ln_quantiles(forecast),
            load: value(Feature::HttpRequestsTotalRate),
            // As in the environment: while nothing is known a pod counts as one request per second.
            capacity_lower: capacity.map_or(1.0, |capacity| single(capacity.lower)),
            asked: seen.spec_replicas,
            ready: counts.ready,
            starting_by_age: counts.starting_by_age,
            bounds: self.bounds,
            bad_ratio: value(Feature::BadRequestRatio),
            mean_latency_s: completed
                .zip(busy)
                .map(|(completed, busy)| busy / completed)
                .filter(|latency| latency.is_finite()),
        }
    }
}

impl Policy for LstmDqn {
    type State = HeadroomMemory;

    fn initial_state(&self) -> HeadroomMemory {
        HeadroomMemory::new()
    }

    fn step(&self, now: Timestamp, view: &View<'_>, memory: &mut HeadroomMemory) -> Proposal {
        let seen = view.observation;
        let Some(forecast) = view.forecast else { return Proposal::none(Reason::MetricMissing) };
        // Also without a capacity: the memory counts decisions, here as in training.
        let mut observation = [0.0; OBSERVATION_LEN];
        headroom_space::encode(&self.inputs(now, seen, forecast, view.capacity), memory, &mut observation);
        let Some(capacity) = view.capacity else {
            return Proposal { forecast: Some(*forecast), ..Proposal::none(Reason::MetricMissing) };
        };
        let action = self.chooser.choose(now, &observation);
        Proposal {
            replicas: Some(headroom_space::replicas_for(action, forecast.median(), capacity.lower, seen.spec_replicas)),
            reason: if action == 0 { Reason::Hold } else { Reason::Forecast },
            forecast: Some(*forecast),
            action: u8::try_from(action).ok(),
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "observations are single precision")]
const fn single(x: f64) -> f32 {
    x as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nets::Weights;
    use crate::observe::Workload;
    use crate::scaling::policies::tests::{build_policy, refused, seen_at_rate, view_of};
    use crate::time::Span;

    fn with_weights(weights: &Weights) -> Result<Box<dyn DynPolicy>, ConfigError> {
        let workload = Workload::protocol_p1();
        build(&serde_json::Value::Null, &Ingredients { workload: &workload, weights: Some(weights) })
    }

    fn forecast(rate: f64) -> Quantiles {
        Quantiles::certain(Timestamp::from_secs(985), Span::from_secs(105), rate)
    }

    #[test]
    fn the_greedy_action_is_a_factor_over_the_median() {
        let mut weights = Weights::untrained_agent(1, 32);
        for best in 0..ACTION_COUNT {
            // Only the bias of the advantages speaks.
            let mut bias = vec![0.0; ACTION_COUNT];
            bias[best] = 100.0;
            weights
                .insert("agent.advantage.bias", crate::nets::Tensor::new(vec![ACTION_COUNT], bias).unwrap())
                .unwrap();
            let policy = with_weights(&weights).unwrap();
            let (seen, forecast) = (seen_at_rate(1_000.0), forecast(1_200.0));
            let view = View { forecast: Some(&forecast), ..view_of(&seen) };
            let proposal = policy.step(seen.now, &view, &mut policy.initial_state());
            let expected = if best == 0 { 10 } else { (1_200.0 * headroom_space::FACTORS[best] / 40.0).ceil() as u32 };
            assert_eq!((proposal.replicas, proposal.action), (Some(expected), Some(best as u8)));
            assert_eq!(proposal.reason, if best == 0 { Reason::Hold } else { Reason::Forecast });
            assert_eq!(proposal.forecast, Some(forecast));
        }
    }

    #[test]
    fn without_forecast_or_capacity_it_has_no_wish() {
        let policy = with_weights(&Weights::untrained_agent(1, 32)).unwrap();
        let (seen, forecast) = (seen_at_rate(1_000.0), forecast(1_200.0));
        let blind = view_of(&seen);
        let unsure = View { forecast: Some(&forecast), capacity: None, ..blind };
        for view in [blind, unsure] {
            let proposal = policy.step(seen.now, &view, &mut policy.initial_state());
            assert_eq!((proposal.replicas, proposal.reason, proposal.action), (None, Reason::MetricMissing, None));
        }
    }

    #[test]
    fn random_actions_need_no_weights_repeat_and_are_even() {
        let policy = build_policy(ID, &serde_json::json!({ "selection": "random", "seed": 3 }));
        let (seen, forecast) = (seen_at_rate(1_000.0), forecast(1_200.0));
        let view = View { forecast: Some(&forecast), ..view_of(&seen) };
        let mut counts = [0_u32; ACTION_COUNT];
        for step in 0..5_000 {
            let now = Timestamp::from_secs(15 * step);
            let action = policy.step(now, &view, &mut policy.initial_state()).action.unwrap();
            assert_eq!(policy.step(now, &view, &mut policy.initial_state()).action, Some(action));
            counts[usize::from(action)] += 1;
        }
        // 500 expected, standard deviation 21.
        assert!(counts.iter().all(|count| count.abs_diff(500) < 105), "{counts:?}");
    }

    #[test]
    fn what_it_cannot_run_it_refuses() {
        assert!(refused(ID, &serde_json::Value::Null).contains("needs trained weights"));
        assert!(refused(ID, &serde_json::json!({ "selection": "softmax" })).contains("`softmax`"));
        let message = with_weights(&Weights::new()).map(|_| ()).unwrap_err().to_string();
        assert!(message.contains("`agent.trunk.0.weight` is missing"), "{message}");
    }
}
