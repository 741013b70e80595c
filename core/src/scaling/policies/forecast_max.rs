//! `forecast-max`: the larger of what the present load needs and what the forecast needs.
//!
//! The forecast may only add to a reactive rule, so a bad forecast costs money and never service. Source: Crane's effective
//! HPA and Alibaba's AHPA, which feed the forecast to the autoscaler as one more metric and take the larger proposal.

use serde::{Deserialize, Serialize};

use super::{GuardProfile, Ingredients, PolicyRow, in_range};
use crate::math;
use crate::scaling::config::{self, ConfigError};
use crate::scaling::policy::{DynPolicy, Policy, Proposal, Reason, View};
use crate::time::Timestamp;

const ID: &str = "forecast-max";

/// Its row.
pub(super) const ROW: PolicyRow = PolicyRow {
    id: ID,
    summary: "the larger of a reactive plan and a plan on a quantile of the forecast",
    sources: &["gocrane/crane, EHPA", "AHPA: Adaptive Horizontal Pod Autoscaling, AAAI 2023"],
    deviations: &[],
    needs_forecast: true,
    needs_weights: false,
    guard: GuardProfile::Full,
    default_config: super::default_config::<Config>,
    build,
};

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    /// Capacity over the present rate, 0.1 to 10.
    reactive_factor: f64,
    /// Level of the forecast's quantile, 0.01 to 0.999.
    level: f64,
    /// Capacity over that quantile, 0.5 to 5.
    margin: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self { reactive_factor: 1.27, level: 0.9, margin: 1.18 }
    }
}

fn build(config: &serde_json::Value, _: &Ingredients<'_>) -> Result<Box<dyn DynPolicy>, ConfigError> {
    let config: Config = config::parse(ID, config)?;
    in_range(ID, "reactive_factor", config.reactive_factor, 0.1..=10.0, "0.1 to 10")?;
    in_range(ID, "level", config.level, 0.01..=0.999, "0.01 to 0.999")?;
    in_range(ID, "margin", config.margin, 0.5..=5.0, "0.5 to 5")?;
    Ok(Box::new(ForecastMax(config)))
}

struct ForecastMax(Config);

impl Policy for ForecastMax {
    type State = ();

    fn initial_state(&self) {}

    fn step(&self, _: Timestamp, view: &View<'_>, (): &mut ()) -> Proposal {
        let forecast = view.forecast.copied();
        let Some(capacity) = view.capacity else {
            return Proposal { forecast, ..Proposal::none(Reason::MetricMissing) };
        };
        let plan = |rate: f64| math::ceil_to_u32(rate / capacity.lower);
        let reactive = view.observation.arrival_rate().map(|sample| plan(self.0.reactive_factor * sample.value));
        let proactive = forecast.map(|quantiles| plan(self.0.margin * quantiles.at(self.0.level)));
        let proposal = match (reactive, proactive) {
            (None, None) => Proposal::none(Reason::MetricMissing),
            // `None` is less than any plan.
            _ if proactive > reactive => Proposal { replicas: proactive, ..Proposal::none(Reason::Forecast) },
            _ => Proposal { replicas: reactive, ..Proposal::none(Reason::Load) },
        };
        Proposal { forecast, ..proposal }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::Observation;
    use crate::scaling::forecast::Quantiles;
    use crate::scaling::policies::tests::{build_policy, refused, seen_at_rate, view_of};
    use crate::time::Span;

    fn propose(seen: &Observation, forecast: Option<f64>) -> (Option<u32>, Reason) {
        let policy = build_policy(ID, &serde_json::json!({ "reactive_factor": 1.5, "margin": 1.2 }));
        let quantiles = forecast.map(|value| Quantiles::certain(Timestamp::ZERO, Span::from_secs(105), value));
        let view = View { forecast: quantiles.as_ref(), ..view_of(seen) };
        let proposal = policy.step(seen.now, &view, &mut policy.initial_state());
        (proposal.replicas, proposal.reason)
    }

    #[test]
    fn takes_the_larger_plan_and_does_with_one() {
        let seen = seen_at_rate(1_000.0);
        // 1.5 × 1000 / 40 = 37.5; 1.2 × 1300 / 40 = 39; 1.2 × 1200 / 40 = 36.
        assert_eq!(propose(&seen, Some(1_300.0)), (Some(39), Reason::Forecast));
        assert_eq!(propose(&seen, Some(1_200.0)), (Some(38), Reason::Load));
        assert_eq!(propose(&seen, None), (Some(38), Reason::Load));
        let blind = Observation::unknown(Timestamp::ZERO, 5);
        assert_eq!(propose(&blind, Some(1_300.0)), (Some(39), Reason::Forecast));
        assert_eq!(propose(&blind, None), (None, Reason::MetricMissing));
    }

    #[test]
    fn refuses_what_is_out_of_range() {
        assert!(refused(ID, &serde_json::json!({ "level": -0.1 })).contains("`level` is -0.1"));
        assert!(refused(ID, &serde_json::json!({ "margin": 5.1 })).contains("margin"));
        assert!(refused(ID, &serde_json::json!({ "reactive_factor": 0.0 })).contains("reactive_factor"));
    }
}
