//! KEDA's fallback: what the autoscaler gets instead of a metric that keeps failing.
//!
//! Source: `pkg/fallback/fallback.go` of KEDA 2.21. Failures are counted only where there is a fallback; it starts when they
//! **exceed** the threshold.

use serde::{Deserialize, Serialize};

/// `spec.fallback` of a `ScaledObject`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Fallback {
    /// Failures in a row that are passed on before the fallback starts.
    pub failure_threshold: u32,
    /// Replicas that it asks for.
    pub replicas: u32,
    /// How it uses them.
    #[serde(default)]
    pub behavior: FallbackBehavior,
}

/// Which replicas a fallback asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FallbackBehavior {
    /// Those of the fallback.
    #[default]
    #[serde(alias = "")]
    Static,
    /// Those that are there.
    CurrentReplicas,
    /// Those that are there, if they are more than the fallback's.
    CurrentReplicasIfHigher,
    /// Those that are there, if they are fewer than the fallback's.
    CurrentReplicasIfLower,
}

/// Target of an external metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// What it is held against.
    pub kind: TargetKind,
    /// In thousandths.
    pub milli: i64,
}

/// What the target of an external metric is held against.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TargetKind {
    /// The total divided by the replicas.
    #[default]
    AverageValue,
    /// The total.
    Value,
}

/// The target's pods at the time of a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// Replicas of its spec.
    pub replicas: i32,
    /// Pods that run and are ready.
    pub ready_pods: i32,
}

/// What the autoscaler gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Served {
    /// In thousandths.
    pub milli: i64,
    /// Whether it stands in for a metric that fails.
    pub is_fallback: bool,
}

impl Fallback {
    /// Replicas that it asks for at these.
    fn wanted(&self, current: i32) -> i64 {
        let (own, current) = (i64::from(self.replicas), i64::from(current));
        match self.behavior {
            FallbackBehavior::Static => own,
            FallbackBehavior::CurrentReplicas => current,
            FallbackBehavior::CurrentReplicasIfHigher => own.max(current),
            FallbackBehavior::CurrentReplicasIfLower => own.min(current),
        }
    }

    /// The value at which the autoscaler comes to the replicas wanted; `None` where no ready pod is there to divide by.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "KEDA computes in doubles and cuts"
    )]
    fn value_milli(&self, target: Target, scale: Scale) -> Option<i64> {
        let wanted = self.wanted(scale.replicas) as f64;
        let replicas = match target.kind {
            TargetKind::AverageValue => wanted,
            TargetKind::Value if scale.ready_pods == 0 => return None,
            TargetKind::Value => wanted / f64::from(scale.ready_pods),
        };
        Some((target.milli as f64 * 0.001 * 1_000.0 * replicas) as i64)
    }
}

/// What the autoscaler gets of a reading (`None`: the metric failed); `failures` is the count of this metric. No answer is an
/// error that the autoscaler gets to see.
pub fn serve(
    fallback: Option<&Fallback>,
    reading_milli: Option<i64>,
    target: Target,
    scale: Scale,
    failures: &mut u32,
) -> Option<Served> {
    if let Some(milli) = reading_milli {
        *failures = 0;
        return Some(Served { milli, is_fallback: false });
    }
    let fallback = fallback?;
    *failures = failures.saturating_add(1);
    if *failures <= fallback.failure_threshold {
        return None;
    }
    fallback.value_milli(target, scale).map(|milli| Served { milli, is_fallback: true })
}
