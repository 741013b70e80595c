//! What a machine has seen, and the conditions that follow from it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use seatrial_core::time::Timestamp;

use super::conditions::{Finding, Reason};
use super::consent::{self, Approval};
use super::conversation::{Facts, Problem};
use super::status::{FallbackShare, Portrait, core_time};
use crate::scaling_policy::{BundleInForce, LastDecision, Mode, Phase, ScalingPolicy};

/// What was seen; each problem stays until the next look finds it gone.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    restored: bool,
    pub(super) replicas: Option<u32>,
    pub(super) scaled_to_zero: bool,
    pub(super) target: Option<Problem>,
    pub(super) spec: Option<Problem>,
    pub(super) bundle: Option<Problem>,
    pub(super) metrics: Option<Problem>,
    pub(super) write: Option<Problem>,
    pub(super) conflict: Option<Finding>,
    pub(super) approval: Option<Approval>,
    approves: Option<String>,
    pub(super) by_fallback: Option<bool>,
    pub(super) bundle_in_force: Option<BundleInForce>,
    pub(super) last_decision: Option<LastDecision>,
    pub(super) scaled_at: Option<Timestamp>,
    pub(super) share: FallbackShare,
}

impl Seen {
    /// Takes up what an earlier run of the operator wrote into the status, once.
    pub(super) fn begin(&mut self, policy: &ScalingPolicy) {
        if self.restored {
            return;
        }
        self.restored = true;
        if let Some(status) = &policy.status {
            self.last_decision.clone_from(&status.last_decision);
            self.scaled_at = status.last_scale_time.as_ref().map(core_time);
        }
    }

    /// Whether a person set or changed an approval since the last look.
    pub(super) fn was_asked(&mut self, policy: &ScalingPolicy) -> bool {
        let approves = consent::approval_of(policy).map(str::to_owned);
        let changed = approves.is_some() && approves != self.approves;
        self.approves = approves;
        changed
    }

    /// The conditions as they are stored, whose transition times stay.
    #[expect(clippy::unused_self, reason = "reads as a question to what was seen")]
    pub(super) fn conditions_before<'a>(&self, facts: &'a Facts) -> &'a [Condition] {
        facts.policy.status.as_ref().map_or(&[], |status| &status.conditions)
    }

    /// The status to be.
    pub(super) fn portrait(&self, facts: &Facts) -> Portrait<'_> {
        let spec = &facts.policy.spec;
        let active = self.active(facts);
        let phase = self.phase(facts, &active);
        let conflicted = self
            .conflict
            .clone()
            .unwrap_or_else(|| Finding::new(false, Reason::AsWanted, "nothing else scales the workload"));
        let findings = [self.ready(spec.paused), self.fresh(), self.loaded(facts), active, self.fallback(), conflicted];
        Portrait {
            generation: facts.policy.metadata.generation,
            observed_replicas: self.replicas,
            target_replicas: self.last_decision.as_ref().and_then(|last| u32::try_from(last.replicas).ok()),
            phase,
            last_scale_time: self.scaled_at,
            last_decision: self.last_decision.clone(),
            bundle: self.bundle_in_force.clone(),
            share: &self.share,
            findings,
        }
    }

    fn first_problem(&self) -> Option<&Problem> {
        [&self.target, &self.spec, &self.write, &self.bundle, &self.metrics].into_iter().flatten().next()
    }

    fn ready(&self, paused: bool) -> Finding {
        if let Some(problem) = self.first_problem() {
            return Finding::new(false, problem.reason, problem.message.clone());
        }
        if let Some(conflict) = &self.conflict {
            return Finding::new(false, conflict.reason, conflict.message.clone());
        }
        match (self.by_fallback, paused) {
            (_, true) => Finding::new(true, Reason::Paused, "paused, as the spec asks"),
            (None, _) if !self.scaled_to_zero => Finding::new(None, Reason::NotYetObserved, "nothing was decided yet"),
            _ => Finding::new(true, Reason::AsWanted, "metrics, policy and workload are as the spec asks"),
        }
    }

    fn fresh(&self) -> Finding {
        match (&self.metrics, self.by_fallback) {
            (Some(problem), _) => Finding::new(false, problem.reason, problem.message.clone()),
            (None, None) => Finding::new(None, Reason::NotYetObserved, "no metrics were read yet"),
            (None, Some(_)) => Finding::new(true, Reason::AsWanted, "the load has a sample that is young enough"),
        }
    }

    fn loaded(&self, facts: &Facts) -> Finding {
        match (&facts.policy.spec.bundle, &self.bundle, &self.bundle_in_force) {
            (None, ..) => Finding::new(false, Reason::NoBundleNamed, "the spec names no bundle"),
            (Some(_), Some(problem), None) => Finding::new(false, problem.reason, problem.message.clone()),
            (Some(_), Some(problem), Some(last)) => Finding::new(
                false,
                problem.reason,
                format!("{}; bundle {} with hash {} goes on deciding", problem.message, last.id, last.hash),
            ),
            (Some(_), None, Some(_)) => Finding::new(true, Reason::AsWanted, "the bundle that the spec names decides"),
            (Some(_), None, None) => Finding::new(None, Reason::NotYetObserved, "the bundle was not looked for yet"),
        }
    }

    fn fallback(&self) -> Finding {
        match self.by_fallback {
            None => Finding::new(None, Reason::NotYetObserved, "nothing was decided yet"),
            Some(false) => Finding::new(false, Reason::AsWanted, "the policy that the spec names decides"),
            Some(true) => match &self.bundle {
                Some(problem) => {
                    Finding::new(true, problem.reason, "the fallback decides until the bundle can be loaded")
                }
                None => Finding::new(true, Reason::NoBundleNamed, "the spec names no policy, so the fallback decides"),
            },
        }
    }

    fn active(&self, facts: &Facts) -> Finding {
        if self.scaled_to_zero && !facts.policy.spec.paused {
            let message = "the workload is scaled to zero and left alone: scale it to 1 or more to begin";
            return Finding::new(false, Reason::ScaledToZero, message);
        }
        let finding = consent::scaling_active(&facts.policy.spec, self.conflict.as_ref(), self.approval);
        if finding.holds != Some(true) {
            return finding;
        }
        if let Some(problem) = [&self.target, &self.spec, &self.write].into_iter().flatten().next() {
            return Finding::new(false, problem.reason, problem.message.clone());
        }
        match (self.by_fallback, &self.metrics) {
            (None, _) => Finding::new(None, Reason::NotYetObserved, "nothing was decided yet"),
            (Some(_), Some(_)) => Finding::new(
                false,
                Reason::HoldingReplicas,
                "metrics are missing or stale (see MetricsFresh): nothing is taken away until they are back",
            ),
            (Some(_), None) => finding,
        }
    }

    fn phase(&self, facts: &Facts, active: &Finding) -> Phase {
        let spec = &facts.policy.spec;
        match active.reason {
            _ if spec.paused => Phase::Paused,
            _ if self.target.is_some() || self.spec.is_some() || self.write.is_some() => Phase::Failed,
            _ if self.scaled_to_zero => Phase::Holding,
            _ if self.by_fallback.is_none() => Phase::Pending,
            _ if self.metrics.is_some() => Phase::Holding,
            Reason::AwaitingApproval | Reason::ApprovalExpired | Reason::ApprovalOfAnotherDecision => {
                Phase::AwaitingApproval
            }
            _ if spec.mode == Mode::Enforce && self.conflict.is_none() => Phase::Acting,
            _ => Phase::Watching,
        }
    }
}
