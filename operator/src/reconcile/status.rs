//! The status of a policy, derived from what was observed and decided; whether it differs from the one that is stored.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use seatrial_core::scaling::autoscaler::Decision;
use seatrial_core::time::Timestamp;

use super::conditions::{ConditionType, Finding};
use super::conversation::LoadedBundle;
use crate::scaling_policy::{BundleInForce, LastDecision, Phase, ScalingPolicyStatus};

/// Shares are rounded to this many percent, so that a settled policy's status stays the same.
const SHARE_STEP_PERCENT: u32 = 5;
/// Decisions over which the share of the fallback is taken: an hour of them.
pub const SHARE_WINDOW: u32 = 240;

/// Share of recent decisions that the fallback made.
#[derive(Clone, Debug, Default)]
pub struct FallbackShare {
    /// Exponentially weighted over [`SHARE_WINDOW`] decisions, after that many; a plain mean before.
    share: f64,
    decisions: u32,
}

impl FallbackShare {
    /// Notes a decision.
    pub fn note(&mut self, by_fallback: bool) {
        self.decisions = self.decisions.saturating_add(1);
        let weight = 1.0 / f64::from(self.decisions.min(SHARE_WINDOW));
        self.share += weight * (f64::from(u8::from(by_fallback)) - self.share);
    }

    /// In percent, rounded; `None` before the first decision.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "0 to 100")]
    pub fn percent(&self) -> Option<i32> {
        let step = f64::from(SHARE_STEP_PERCENT);
        (self.decisions > 0).then(|| ((self.share * 100.0 / step).round() * step) as i32)
    }
}

/// Everything that a status says.
#[derive(Clone, Debug)]
pub struct Portrait<'a> {
    /// Generation of the spec that was worked on.
    pub generation: Option<i64>,
    /// Replicas of the workload, if they were read.
    pub observed_replicas: Option<u32>,
    /// Replicas that the last decision wants.
    pub target_replicas: Option<u32>,
    /// What it is doing.
    pub phase: Phase,
    /// When the workload was last changed.
    pub last_scale_time: Option<Timestamp>,
    /// The last decision that changed target or reason.
    pub last_decision: Option<LastDecision>,
    /// The bundle that decides.
    pub bundle: Option<BundleInForce>,
    /// Share of the fallback.
    pub share: &'a FallbackShare,
    /// The conditions, in the order of [`ConditionType::ALL`].
    pub findings: [Finding; 6],
}

impl Portrait<'_> {
    /// The status, with transition times of `before` where a condition's status is the same.
    #[must_use]
    pub fn status(self, now: Timestamp, before: &[Condition]) -> ScalingPolicyStatus {
        let now = api_time(now);
        let count = |replicas: u32| i32::try_from(replicas).unwrap_or(i32::MAX);
        let conditions = ConditionType::ALL
            .into_iter()
            .zip(&self.findings)
            .map(|(kind, finding)| finding.condition(kind, self.generation, &now, before))
            .collect();
        ScalingPolicyStatus {
            observed_generation: self.generation,
            observed_replicas: self.observed_replicas.map(count),
            target_replicas: self.target_replicas.map(count),
            phase: Some(self.phase),
            last_scale_time: self.last_scale_time.map(api_time),
            last_decision: self.last_decision,
            bundle: self.bundle,
            fallback_share_percent: self.share.percent(),
            conditions,
        }
    }
}

/// A moment as the API writes it: whole seconds.
#[must_use]
pub fn api_time(at: Timestamp) -> Time {
    let seconds = at.micros().div_euclid(1_000_000);
    Time(k8s_openapi::jiff::Timestamp::from_second(seconds).unwrap_or(k8s_openapi::jiff::Timestamp::UNIX_EPOCH))
}

/// A moment as the API wrote it.
#[must_use]
pub fn core_time(at: &Time) -> Timestamp {
    Timestamp::from_micros(at.0.as_microsecond())
}

/// The decision as a status shows it. What stood before stays if neither target nor reason changed; its id stays while the
/// target does, so that an approval outlives a change of reason, unless `renew` asks for one that can be approved anew.
#[must_use]
pub fn last_decision(decision: &Decision, now: Timestamp, before: Option<LastDecision>, renew: bool) -> LastDecision {
    let replicas = i32::try_from(decision.replicas).unwrap_or(i32::MAX);
    let reason = decision.reason();
    let made = |id, time| LastDecision { id, time, replicas, reason: reason.to_owned(), stages: stages(decision) };
    match before {
        Some(before) if before.replicas == replicas && !renew => {
            if before.reason == reason {
                before
            } else {
                made(before.id, before.time)
            }
        }
        _ => made(format!("{}-{replicas}", now.micros().div_euclid(1_000_000)), api_time(now)),
    }
}

/// A bundle as a status names it.
#[must_use]
pub fn in_force(loaded: &LoadedBundle) -> BundleInForce {
    BundleInForce { id: loaded.bundle.card().id.clone(), hash: loaded.hash.clone() }
}

fn stages(decision: &Decision) -> Vec<String> {
    let wish = decision.proposal.replicas.map_or("none".to_owned(), |replicas| replicas.to_string());
    let proposal = format!("{}: {wish}", decision.proposal.reason.label());
    let guard = decision.stages.iter().map(|(rule, replicas)| format!("{}: {replicas}", rule.label()));
    std::iter::once(proposal).chain(guard).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_rounded_and_forget() {
        let mut share = FallbackShare::default();
        assert_eq!(share.percent(), None);
        for i in 0..100 {
            share.note(i % 10 == 0);
        }
        assert_eq!(share.percent(), Some(10));
        for _ in 0..2_000 {
            share.note(false);
        }
        assert_eq!(share.percent(), Some(0));
    }

    #[test]
    fn times_survive_the_api_to_the_second() {
        let at = Timestamp::from_micros(1_700_000_000_900_000);
        assert_eq!(core_time(&api_time(at)), Timestamp::from_secs(1_700_000_000));
    }
}
