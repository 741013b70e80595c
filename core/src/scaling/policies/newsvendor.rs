//! `newsvendor`: a quantile of the forecast, with a margin, over what a pod can serve.
//!
//! The newsvendor's rule: where too little costs κ and too much costs 1 per unit, the cheapest stock is a fixed quantile of the
//! demand. Here demand is the greatest rate until a pod created now serves; the margin stands for queueing at high
//! utilisation. Level, margin and hold are tuned on validation (protocol P1, `newsvendor-tuned`). Source: Arrow, Harris and
//! Marschak, "Optimal Inventory Policy", Econometrica 1951; as an autoscaler AHPA and the quantile planners of learning.md.

use serde::{Deserialize, Serialize};

use super::{GuardProfile, Ingredients, PolicyRow, in_range};
use crate::math;
use crate::scaling::config::{self, ConfigError};
use crate::scaling::guard::window::Window;
use crate::scaling::policy::{DynPolicy, Policy, Proposal, Reason, View};
use crate::time::{Span, Timestamp};

const ID: &str = "newsvendor";

/// Its row.
pub(super) const ROW: PolicyRow = PolicyRow {
    id: ID,
    summary: "a quantile of the forecast with a margin, held for a while on the way down",
    sources: &["Arrow, Harris, Marschak, Econometrica 1951", "protocol P1, baselines"],
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
    /// Level of the quantile, 0.01 to 0.999.
    level: f64,
    /// Capacity over that quantile, 0.5 to 5.
    margin: f64,
    /// Seconds for which the greatest plan holds, 0 to 3,600.
    hold_s: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { level: 0.9, margin: 1.18, hold_s: 60 }
    }
}

fn build(config: &serde_json::Value, _: &Ingredients<'_>) -> Result<Box<dyn DynPolicy>, ConfigError> {
    let config: Config = config::parse(ID, config)?;
    in_range(ID, "level", config.level, 0.01..=0.999, "0.01 to 0.999")?;
    in_range(ID, "margin", config.margin, 0.5..=5.0, "0.5 to 5")?;
    in_range(ID, "hold_s", f64::from(config.hold_s), 0.0..=3_600.0, "0 to 3600")?;
    Ok(Box::new(Newsvendor(config)))
}

struct Newsvendor(Config);

impl Policy for Newsvendor {
    /// Plans of the hold.
    type State = Window;

    fn initial_state(&self) -> Window {
        Window::default()
    }

    fn step(&self, now: Timestamp, view: &View<'_>, plans: &mut Window) -> Proposal {
        let forecast = view.forecast.copied();
        let (Some(quantiles), Some(capacity)) = (forecast, view.capacity) else {
            return Proposal { forecast, ..Proposal::none(Reason::MetricMissing) };
        };
        let plan = math::ceil_to_u32(self.0.margin * quantiles.at(self.0.level) / capacity.lower);
        let held = self.hold(now, plan, plans);
        let reason = if held > plan { Reason::Stabilised } else { Reason::Forecast };
        Proposal { forecast, ..Proposal::of(held, reason) }
    }
}

impl Newsvendor {
    fn hold(&self, now: Timestamp, plan: u32, plans: &mut Window) -> u32 {
        if self.0.hold_s == 0 {
            return plan;
        }
        plans.push_keeping_greatest(now, plan, Span::from_secs(i64::from(self.0.hold_s)));
        plans.first().unwrap_or(plan)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::Observation;
    use crate::scaling::forecast::Quantiles;
    use crate::scaling::policies::tests::{build_policy, refused, view_of};

    /// The median 1,000, the P90 1,200.
    fn forecast(scale: f64) -> Quantiles {
        let values = [700.0, 800.0, 900.0, 1_000.0, 1_100.0, 1_200.0, 1_300.0, 1_400.0].map(|value| scale * value);
        Quantiles { from: Timestamp::ZERO, horizon: Span::from_secs(105), values }
    }

    fn step(
        policy: &dyn DynPolicy,
        second: i64,
        scale: f64,
        state: &mut crate::scaling::policy::State,
    ) -> (u32, Reason) {
        let seen = Observation::unknown(Timestamp::from_secs(second), 10);
        let quantiles = forecast(scale);
        let view = View { forecast: Some(&quantiles), ..view_of(&seen) };
        let proposal = policy.step(seen.now, &view, state);
        assert_eq!(proposal.forecast, Some(quantiles));
        (proposal.replicas.unwrap(), proposal.reason)
    }

    #[test]
    fn plans_for_the_quantile_over_the_lower_capacity() {
        let policy = build_policy(ID, &serde_json::json!({ "level": 0.9, "margin": 1.1, "hold_s": 0 }));
        // 1.1 × 1200 / 40 = 33.
        assert_eq!(step(&*policy, 0, 1.0, &mut policy.initial_state()), (33, Reason::Forecast));
        let median = build_policy(ID, &serde_json::json!({ "level": 0.5, "margin": 1.0 }));
        assert_eq!(step(&*median, 0, 1.0, &mut median.initial_state()), (25, Reason::Forecast));
    }

    #[test]
    fn holds_the_greatest_plan_for_its_time() {
        let policy = build_policy(ID, &serde_json::json!({ "margin": 1.0, "hold_s": 45 }));
        let mut state = policy.initial_state();
        assert_eq!(step(&*policy, 0, 1.0, &mut state), (30, Reason::Forecast));
        assert_eq!(step(&*policy, 15, 0.5, &mut state), (30, Reason::Stabilised));
        assert_eq!(step(&*policy, 30, 0.6, &mut state), (30, Reason::Stabilised));
        assert_eq!(step(&*policy, 45, 0.5, &mut state), (18, Reason::Stabilised));
        assert_eq!(step(&*policy, 75, 0.5, &mut state), (15, Reason::Forecast));
    }

    #[test]
    fn has_no_wish_without_forecast() {
        let policy = build_policy(ID, &serde_json::Value::Null);
        let seen = Observation::unknown(Timestamp::ZERO, 10);
        let proposal = policy.step(seen.now, &view_of(&seen), &mut policy.initial_state());
        assert_eq!(proposal, Proposal::none(Reason::MetricMissing));
    }

    #[test]
    fn refuses_what_is_out_of_range() {
        assert!(refused(ID, &serde_json::json!({ "level": 1.0 })).contains("`level` is 1, must be 0.01 to 0.999"));
        assert!(refused(ID, &serde_json::json!({ "margin": 0.4 })).contains("margin"));
        assert!(refused(ID, &serde_json::json!({ "hold_s": 3_601 })).contains("hold_s"));
    }
}
