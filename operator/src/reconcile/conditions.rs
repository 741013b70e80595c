//! The conditions of a policy and their reasons: closed sets, so that alerts and scripts can hold on to them.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// A condition of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConditionType {
    /// Everything that the spec asks for works.
    Ready,
    /// All metrics are there and young enough.
    MetricsFresh,
    /// The bundle that the spec names decides.
    BundleLoaded,
    /// Decisions reach the workload.
    ScalingActive,
    /// The fallback decides.
    FallbackActive,
    /// Something else wants to scale the same workload.
    Conflicted,
}

impl ConditionType {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 6] = [
        Self::Ready,
        Self::MetricsFresh,
        Self::BundleLoaded,
        Self::ScalingActive,
        Self::FallbackActive,
        Self::Conflicted,
    ];

    /// As the API shows it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::MetricsFresh => "MetricsFresh",
            Self::BundleLoaded => "BundleLoaded",
            Self::ScalingActive => "ScalingActive",
            Self::FallbackActive => "FallbackActive",
            Self::Conflicted => "Conflicted",
        }
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Why a condition is as it is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Reason { $($(#[$doc])* $name,)* }

        impl Reason {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// As the API shows it.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }
        }
    };
}

reasons! {
    /// Nothing was observed yet.
    NotYetObserved,
    /// All is well.
    AsWanted,
    /// The spec says paused.
    Paused,
    /// The spec asks for something that cannot be built.
    SpecRefused,
    /// The target does not exist, or its kind has no scale subresource.
    TargetNotFound,
    /// The target has no pods, or pods without CPU requests, so that nothing can be planned.
    NoCpuRequest,
    /// The namespace is being deleted.
    NamespaceTerminating,
    /// The API server refuses the operator.
    AccessDenied,
    /// The API server does not answer as it should.
    ApiUnavailable,
    /// A newer version was found while writing; the next cycle looks again.
    WriteConflict,
    /// Samples are older than the limit.
    Stale,
    /// A query has no answer.
    NoSamples,
    /// Samples carry a time in the future.
    FutureSamples,
    /// A query is refused by Prometheus.
    QueryRefused,
    /// A query answers with something else than one finite number.
    NotOneNumber,
    /// Prometheus cannot be reached, or answers with errors.
    PrometheusUnavailable,
    /// Prometheus refuses the operator's credentials.
    PrometheusDenied,
    /// An answer of Prometheus is larger than the limit.
    AnswerTooLarge,
    /// The spec names no bundle.
    NoBundleNamed,
    /// The bundle is not where the spec says.
    BundleNotFound,
    /// The bundle is larger than a bundle may be.
    BundleTooLarge,
    /// The bundle has another hash than the spec says.
    BundleHashDiffers,
    /// The bundle is not valid: kind, schema, weights or a golden row.
    BundleRefused,
    /// Mode Shadow: nothing is written.
    Shadow,
    /// Mode Enforce: decisions are written.
    Enforcing,
    /// Mode Recommend: a decision waits for its approval.
    AwaitingApproval,
    /// Mode Recommend: the present decision was approved.
    Approved,
    /// Mode Recommend: nothing to approve, the workload is as wanted.
    NothingToApprove,
    /// Mode Recommend: the approval came later than an approval may.
    ApprovalExpired,
    /// Mode Recommend: the approval names another decision.
    ApprovalOfAnotherDecision,
    /// The workload is scaled to zero: left alone, as the HorizontalPodAutoscaler does.
    ScaledToZero,
    /// Metrics are stale or missing: replicas are held.
    HoldingReplicas,
    /// A HorizontalPodAutoscaler targets the workload, and the actuator is `scale`.
    AutoscalerTargetsWorkload,
    /// Actuator `hpa-min` needs exactly one HorizontalPodAutoscaler.
    NoSingleAutoscaler,
    /// An older ScalingPolicy targets the same workload.
    ElderPolicy,
}

/// The state of one condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Whether it holds; `None` is unknown.
    pub holds: Option<bool>,
    /// Why.
    pub reason: Reason,
    /// One line for people.
    pub message: String,
}

impl Finding {
    /// A finding.
    pub fn new(holds: impl Into<Option<bool>>, reason: Reason, message: impl Into<String>) -> Self {
        Self { holds: holds.into(), reason, message: message.into() }
    }

    /// Its status as the API shows it.
    #[must_use]
    pub const fn status(&self) -> &'static str {
        match self.holds {
            Some(true) => "True",
            Some(false) => "False",
            None => "Unknown",
        }
    }

    /// The condition, with the transition time of `before` if its status is the same.
    #[must_use]
    pub fn condition(
        &self,
        kind: ConditionType,
        generation: Option<i64>,
        now: &Time,
        before: &[Condition],
    ) -> Condition {
        let same = before.iter().find(|old| old.type_ == kind.label() && old.status == self.status());
        Condition {
            type_: kind.label().to_owned(),
            status: self.status().to_owned(),
            reason: self.reason.label().to_owned(),
            message: self.message.clone(),
            observed_generation: generation,
            last_transition_time: same.map_or_else(|| now.clone(), |old| old.last_transition_time.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Time {
        Time(k8s_openapi::jiff::Timestamp::from_second(second).unwrap())
    }

    #[test]
    fn a_transition_time_changes_with_the_status_alone() {
        let shadow = Finding::new(false, Reason::Shadow, "watches");
        let first = shadow.condition(ConditionType::ScalingActive, Some(1), &at(10), &[]);
        let paused = Finding::new(false, Reason::Paused, "paused");
        let second = paused.condition(ConditionType::ScalingActive, Some(2), &at(20), std::slice::from_ref(&first));
        assert_eq!((second.last_transition_time.clone(), second.reason.as_str()), (at(10), "Paused"));
        let acting = Finding::new(true, Reason::Enforcing, "acts");
        let third = acting.condition(ConditionType::ScalingActive, Some(2), &at(30), &[second]);
        assert_eq!(third.last_transition_time, at(30));
    }

    #[test]
    fn labels_are_what_the_api_server_accepts_as_reasons() {
        for reason in Reason::ALL {
            let label = reason.label();
            assert!(label.len() <= 1024 && label.chars().all(|c| c.is_ascii_alphanumeric()), "{label}");
            assert!(label.starts_with(|c: char| c.is_ascii_uppercase()), "{label}");
        }
    }
}
