//! `headroom`: a factor over the load, over what a pod can serve.
//!
//! ceil(factor × rate / lower bound of capacity). The rate is the median of the forecast if a forecaster is given (then with the
//! factor chosen on validation it is the attribution row `headroom-constant`), else the present visible rate. Source: the
//! common rule of thumb; protocol P1 keeps it as a baseline ("headroom over persistence").

use serde::{Deserialize, Serialize};

use super::{GuardProfile, Ingredients, PolicyRow, in_range};
use crate::math;
use crate::scaling::config::{self, ConfigError};
use crate::scaling::policy::{DynPolicy, Policy, Proposal, Reason, View};
use crate::time::Timestamp;

const ID: &str = "headroom";

/// Its row.
pub(super) const ROW: PolicyRow = PolicyRow {
    id: ID,
    summary: "a factor over the present rate, or over the forecast's median",
    sources: &["protocol P1, baselines"],
    deviations: &[],
    needs_forecast: false,
    needs_weights: false,
    guard: GuardProfile::Full,
    default_config: super::default_config::<Config>,
    build,
};

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    /// Capacity over load, 0.1 to 10.
    factor: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self { factor: 1.27 }
    }
}

fn build(config: &serde_json::Value, _: &Ingredients<'_>) -> Result<Box<dyn DynPolicy>, ConfigError> {
    let config: Config = config::parse(ID, config)?;
    in_range(ID, "factor", config.factor, 0.1..=10.0, "0.1 to 10")?;
    Ok(Box::new(Headroom(config)))
}

struct Headroom(Config);

impl Policy for Headroom {
    type State = ();

    fn initial_state(&self) {}

    fn step(&self, _: Timestamp, view: &View<'_>, (): &mut ()) -> Proposal {
        let forecast = view.forecast.copied();
        let rate =
            forecast.map_or_else(|| view.observation.arrival_rate().map(|sample| sample.value), |q| Some(q.median()));
        let reason = if forecast.is_some() { Reason::Forecast } else { Reason::Load };
        match (rate, view.capacity) {
            (Some(rate), Some(capacity)) => {
                Proposal { forecast, ..Proposal::of(math::ceil_to_u32(self.0.factor * rate / capacity.lower), reason) }
            }
            _ => Proposal { forecast, ..Proposal::none(Reason::MetricMissing) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::Observation;
    use crate::scaling::forecast::Quantiles;
    use crate::scaling::policies::tests::{build_policy, refused, seen_at_rate, view_of};
    use crate::time::Span;

    #[test]
    fn divides_the_load_with_headroom_by_the_lower_capacity() {
        let policy = build_policy(ID, &serde_json::json!({ "factor": 1.5 }));
        let seen = seen_at_rate(1_000.0);
        let mut view = view_of(&seen);
        let mut state = policy.initial_state();
        // 1.5 × 1000 / 40 = 37.5.
        assert_eq!(policy.step(seen.now, &view, &mut state), Proposal::of(38, Reason::Load));
        let forecast = Quantiles::certain(seen.now, Span::from_secs(105), 2_000.0);
        view.forecast = Some(&forecast);
        assert_eq!(policy.step(seen.now, &view, &mut state).replicas, Some(75));
    }

    #[test]
    fn has_no_wish_without_rate_or_capacity() {
        let policy = build_policy(ID, &serde_json::Value::Null);
        let blind = Observation::unknown(Timestamp::ZERO, 3);
        let mut state = policy.initial_state();
        assert_eq!(policy.step(blind.now, &view_of(&blind), &mut state), Proposal::none(Reason::MetricMissing));
        let seen = seen_at_rate(1.0);
        let view = View { capacity: None, ..view_of(&seen) };
        assert_eq!(policy.step(seen.now, &view, &mut state), Proposal::none(Reason::MetricMissing));
    }

    #[test]
    fn refuses_a_factor_out_of_range() {
        assert!(refused(ID, &serde_json::json!({ "factor": 0.0 })).contains("`factor` is 0, must be 0.1 to 10"));
        assert!(refused(ID, &serde_json::json!({ "faktor": 1.0 })).contains("unknown field `faktor`"));
    }
}
