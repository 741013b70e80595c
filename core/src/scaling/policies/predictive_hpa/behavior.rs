//! Defaults of this autoscaler's `behavior`: those of a proposal for the HPA of 2019, with periods of 60 s, not those that the HPA
//! shipped with.

use super::super::hpa::behavior::{
    Behavior, EffectiveBehavior, Rules, ScalingPolicy, ScalingPolicyKind, ScalingRules, SelectPolicy,
};
use crate::scaling::config::ConfigError;
use crate::scaling::policies::in_range;
use crate::time::Span;

const fn policy(kind: ScalingPolicyKind, value: i32) -> ScalingPolicy {
    ScalingPolicy { kind, value, period_seconds: 60 }
}

/// What is given, and the defaults for the rest.
///
/// # Errors
/// If a value is out of the API's range, or a tolerance is set, which this autoscaler's rules do not have.
pub(super) fn effective(id: &'static str, given: Option<&Behavior>) -> Result<EffectiveBehavior, ConfigError> {
    let percent = policy(ScalingPolicyKind::Percent, 100);
    let up = given.and_then(|behavior| behavior.scale_up.as_ref());
    let down = given.and_then(|behavior| behavior.scale_down.as_ref());
    Ok(EffectiveBehavior {
        up: rules(id, up, &[percent, policy(ScalingPolicyKind::Pods, 4)], 0)?,
        down: rules(id, down, &[percent], 300)?,
    })
}

fn rules(
    id: &'static str,
    given: Option<&ScalingRules>,
    policies: &[ScalingPolicy],
    window_s: u32,
) -> Result<Rules, ConfigError> {
    let given = given.cloned().unwrap_or_default();
    if given.tolerance.is_some() {
        let detail = "`tolerance` of a direction is not known to this autoscaler; set `tolerance` for both".to_owned();
        return Err(ConfigError::Shape { id, detail });
    }
    let window_s = f64::from(given.stabilization_window_seconds.unwrap_or(window_s));
    in_range(id, "stabilizationWindowSeconds", window_s, 0.0..=3_600.0, "0 to 3600")?;
    let policies = given.policies.unwrap_or_else(|| policies.to_vec());
    if policies.is_empty() || policies.len() > 16 {
        let got = format!("a list of {}", policies.len());
        return Err(ConfigError::Range { id, key: "policies", got, allowed: "1 to 16 policies, or absent" });
    }
    for policy in &policies {
        in_range(id, "value", f64::from(policy.value), 1.0..=f64::from(i32::MAX), "at least 1")?;
        in_range(id, "periodSeconds", f64::from(policy.period_seconds), 1.0..=1_800.0, "1 to 1800")?;
    }
    let select = given.select_policy.unwrap_or(SelectPolicy::Max);
    Ok(Rules { window: Some(Span::from_secs_f64(window_s)), select, policies, tolerance: None })
}
