//! Scaling behaviour: the API object, its defaults, and the limits that its rules put on a change.

use serde::{Deserialize, Serialize};

use crate::time::Span;

/// `spec.behavior` as a user writes it. Absent parts are filled in by [`Behavior::effective`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Behavior {
    /// Rules for growing.
    pub scale_up: Option<ScalingRules>,
    /// Rules for shrinking.
    pub scale_down: Option<ScalingRules>,
}

/// Rules of one direction as a user writes them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct ScalingRules {
    /// Seconds to look back for gentler recommendations, 0 to 3,600.
    pub stabilization_window_seconds: Option<u32>,
    /// Which policy wins.
    pub select_policy: Option<SelectPolicy>,
    /// The policies; at least one if given.
    pub policies: Option<Vec<ScalingPolicy>>,
    /// Tolerance of this direction, 0 to 1; the controller's if absent.
    pub tolerance: Option<f64>,
}

/// Which of several policies wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SelectPolicy {
    /// The one that allows the greatest change.
    Max,
    /// The one that allows the smallest change.
    Min,
    /// No change in this direction.
    Disabled,
}

/// One policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ScalingPolicy {
    /// What `value` counts.
    #[serde(rename = "type")]
    pub kind: ScalingPolicyKind,
    /// Pods or percent per period; at least 1.
    pub value: i32,
    /// Length of the period, 1 to 1,800.
    pub period_seconds: u32,
}

/// What a policy's value counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ScalingPolicyKind {
    /// Pods.
    Pods,
    /// Percent of the replicas at the period's start.
    Percent,
}

/// A behaviour after the API's defaulting.
#[derive(Clone, Debug, PartialEq)]
pub struct EffectiveBehavior {
    /// Rules for growing.
    pub up: Rules,
    /// Rules for shrinking.
    pub down: Rules,
}

/// Rules of one direction after the API's defaulting.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// How far to look back; `None` (down only) is the controller's downscale stabilisation.
    pub window: Option<Span>,
    /// Which policy wins.
    pub select: SelectPolicy,
    /// The policies.
    pub policies: Vec<ScalingPolicy>,
    /// Tolerance of this direction; `None` is the controller's.
    pub tolerance: Option<f64>,
}

const DEFAULT_PERIOD_S: u32 = 15;

const fn default_policy(kind: ScalingPolicyKind, value: i32) -> ScalingPolicy {
    ScalingPolicy { kind, value, period_seconds: DEFAULT_PERIOD_S }
}

impl Behavior {
    /// The behaviour with the API's defaults for whatever was left out.
    #[must_use]
    pub fn effective(&self) -> EffectiveBehavior {
        let up = [default_policy(ScalingPolicyKind::Pods, 4), default_policy(ScalingPolicyKind::Percent, 100)];
        let down = [default_policy(ScalingPolicyKind::Percent, 100)];
        EffectiveBehavior {
            up: effective_rules(self.scale_up.as_ref(), &up, Some(Span::ZERO)),
            down: effective_rules(self.scale_down.as_ref(), &down, None),
        }
    }
}

fn effective_rules(given: Option<&ScalingRules>, policies: &[ScalingPolicy], window: Option<Span>) -> Rules {
    let given = given.cloned().unwrap_or_default();
    Rules {
        window: given.stabilization_window_seconds.map(|s| Span::from_secs(i64::from(s))).or(window),
        select: given.select_policy.unwrap_or(SelectPolicy::Max),
        policies: given.policies.unwrap_or_else(|| policies.to_vec()),
        tolerance: given.tolerance,
    }
}

impl Rules {
    /// The most replicas that the policies allow now; `start` is the replica count at the start of a policy's period.
    pub fn most(&self, current: i32, start: impl Fn(Span) -> i32) -> i32 {
        let allowed = self.policies.iter().map(|policy| grown(policy, start(policy.period())));
        match self.select {
            SelectPolicy::Disabled => current,
            SelectPolicy::Min => allowed.min().unwrap_or(i32::MAX),
            SelectPolicy::Max => allowed.max().unwrap_or(i32::MIN),
        }
    }

    /// The fewest replicas that the policies allow now.
    pub fn fewest(&self, current: i32, start: impl Fn(Span) -> i32) -> i32 {
        let allowed = self.policies.iter().map(|policy| shrunk(policy, start(policy.period())));
        match self.select {
            SelectPolicy::Disabled => current,
            SelectPolicy::Min => allowed.max().unwrap_or(i32::MIN),
            SelectPolicy::Max => allowed.min().unwrap_or(i32::MAX),
        }
    }

    /// The longest period of its policies.
    #[must_use]
    pub fn longest_period(&self) -> Span {
        self.policies.iter().map(ScalingPolicy::period).max().unwrap_or(Span::ZERO)
    }
}

impl ScalingPolicy {
    fn period(&self) -> Span {
        Span::from_secs(i64::from(self.period_seconds))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "saturates")]
fn grown(policy: &ScalingPolicy, start: i32) -> i32 {
    match policy.kind {
        ScalingPolicyKind::Pods => start.saturating_add(policy.value),
        // Rounded up, or a small workload would never grow.
        ScalingPolicyKind::Percent => libm::ceil(f64::from(start) * (1.0 + f64::from(policy.value) / 100.0)) as i32,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "saturates; truncation is the rule")]
fn shrunk(policy: &ScalingPolicy, start: i32) -> i32 {
    match policy.kind {
        ScalingPolicyKind::Pods => start.saturating_sub(policy.value),
        ScalingPolicyKind::Percent => (f64::from(start) * (1.0 - f64::from(policy.value) / 100.0)) as i32,
    }
}
