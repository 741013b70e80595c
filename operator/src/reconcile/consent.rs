//! Whether a decision may reach the workload: mode, approval, conflict, pause.

use seatrial_core::time::{Span, Timestamp};

use super::conditions::{Finding, Reason};
use super::conversation::Facts;
use crate::scaling_policy::{Actuator, LastDecision, Mode, ScalingPolicy, ScalingPolicySpec};

/// Annotation of a policy that approves the decision whose id it holds.
pub const APPROVAL_ANNOTATION: &str = "seatrial.dev/approve";
/// How long a decision can be approved.
pub const APPROVAL_VALID: Span = Span::from_secs(600);

/// Whether something else scales the workload; `None` if nothing does.
#[must_use]
pub fn conflict(facts: &Facts) -> Option<Finding> {
    let conflicted = |reason, message: String| Some(Finding::new(true, reason, message));
    if let Some(elder) = &facts.elder {
        let message = format!(
            "ScalingPolicy {elder} is older and targets the same workload: delete one of the two; until then this one only watches"
        );
        return conflicted(Reason::ElderPolicy, message);
    }
    let names: Vec<&str> = facts.autoscalers.iter().map(|fact| fact.name.as_str()).collect();
    match (facts.policy.spec.actuator, names.as_slice()) {
        (Actuator::Scale, []) | (Actuator::HpaMin, [_]) => None,
        (Actuator::Scale, names) => conflicted(
            Reason::AutoscalerTargetsWorkload,
            format!(
                "HorizontalPodAutoscaler {} targets the workload: delete it, or set spec.actuator to hpa-min to work with it",
                names.join(", ")
            ),
        ),
        (Actuator::HpaMin, []) => conflicted(
            Reason::NoSingleAutoscaler,
            "actuator hpa-min needs a HorizontalPodAutoscaler that targets the workload: create one, or set spec.actuator to scale"
                .to_owned(),
        ),
        (Actuator::HpaMin, names) => conflicted(
            Reason::NoSingleAutoscaler,
            format!("{} target the workload, actuator hpa-min needs exactly one: delete the others", names.join(", ")),
        ),
    }
}

/// What stands of an approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Approval {
    /// The decision was approved in time.
    Given,
    /// None was given.
    Missing,
    /// It came too late.
    Expired,
    /// It names another decision.
    OfAnother,
}

/// The decision that a person approves in `policy`.
#[must_use]
pub fn approval_of(policy: &ScalingPolicy) -> Option<&str> {
    policy.metadata.annotations.as_ref()?.get(APPROVAL_ANNOTATION).map(String::as_str)
}

/// The approval of `decision`, in `annotation`, at `now`; `valid` is [`APPROVAL_VALID`] in the machine's time.
#[must_use]
pub fn approval(
    annotation: Option<&str>,
    decision: &LastDecision,
    made_at: Timestamp,
    now: Timestamp,
    valid: Span,
) -> Approval {
    match annotation {
        None => Approval::Missing,
        Some(id) if id != decision.id => Approval::OfAnother,
        Some(_) if now.since(made_at) > valid => Approval::Expired,
        Some(_) => Approval::Given,
    }
}

/// Whether decisions are written, as condition `ScalingActive` says it.
#[must_use]
pub fn scaling_active(spec: &ScalingPolicySpec, conflict: Option<&Finding>, approval: Option<Approval>) -> Finding {
    if spec.paused {
        return Finding::new(false, Reason::Paused, "spec.paused is true: nothing is decided or written");
    }
    if let Some(conflict) = conflict {
        return Finding::new(false, conflict.reason, conflict.message.clone());
    }
    match (spec.mode, approval) {
        (Mode::Shadow, _) => {
            Finding::new(false, Reason::Shadow, "mode Shadow: decisions are recorded, nothing is written")
        }
        (Mode::Enforce, _) => Finding::new(true, Reason::Enforcing, "mode Enforce: decisions are written"),
        (Mode::Recommend, None) => Finding::new(
            true,
            Reason::NothingToApprove,
            "mode Recommend: the workload is as the last decision wants it",
        ),
        (Mode::Recommend, Some(Approval::Given)) => {
            Finding::new(true, Reason::Approved, "mode Recommend: the last decision was approved")
        }
        (Mode::Recommend, Some(Approval::Missing)) => Finding::new(
            false,
            Reason::AwaitingApproval,
            format!(
                "mode Recommend: set annotation {APPROVAL_ANNOTATION} to status.lastDecision.id within 10 minutes of it"
            ),
        ),
        (Mode::Recommend, Some(Approval::Expired)) => Finding::new(
            false,
            Reason::ApprovalExpired,
            "the approved decision is older than 10 minutes: wait for the next one and approve that",
        ),
        (Mode::Recommend, Some(Approval::OfAnother)) => Finding::new(
            false,
            Reason::ApprovalOfAnotherDecision,
            format!("annotation {APPROVAL_ANNOTATION} names another decision than status.lastDecision.id"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision(id: &str) -> LastDecision {
        LastDecision {
            id: id.to_owned(),
            time: k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(k8s_openapi::jiff::Timestamp::UNIX_EPOCH),
            replicas: 5,
            reason: "forecast".to_owned(),
            stages: Vec::new(),
        }
    }

    #[test]
    fn an_approval_counts_for_the_decision_it_names_and_for_ten_minutes() {
        let (made, late) = (Timestamp::from_secs(0), Timestamp::from_secs(601));
        let of = |annotation, now| approval(annotation, &decision("0-5"), made, now, APPROVAL_VALID);
        assert_eq!(of(None, made), Approval::Missing);
        assert_eq!(of(Some("0-5"), Timestamp::from_secs(600)), Approval::Given);
        assert_eq!(of(Some("0-5"), late), Approval::Expired);
        assert_eq!(of(Some("0-6"), made), Approval::OfAnother);
    }
}
