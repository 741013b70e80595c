//! KEDA's executor: what one poll makes of the verdict over all triggers. It moves the target between zero (or idle) and at
//! work; what lies above is the autoscaler's.
//!
//! Source: `pkg/scaling/executor/scale_scaledobjects.go` of KEDA 2.21.

use serde::{Deserialize, Serialize};

use crate::time::{Span, Timestamp};

/// What of a `ScaledObject` the executor goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Activation {
    /// `minReplicaCount`; 0 where the object has none.
    pub min_replicas: i32,
    /// `idleReplicaCount`, if it has one.
    pub idle_replicas: Option<i32>,
    /// `cooldownPeriod`.
    pub cooldown: Span,
    /// `initialCooldownPeriod`: counted from the creation, until something was active.
    pub initial_cooldown: Span,
    /// Replicas of the fallback, if there is one.
    pub fallback_replicas: Option<i32>,
}

/// What a poll meets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Poll {
    /// Replicas of the target.
    pub replicas: i32,
    /// Whether some trigger is active.
    pub is_active: bool,
    /// Whether some trigger failed.
    pub is_error: bool,
    /// Annotations of the object.
    pub pauses: Pauses,
    /// Whether a write of the target's scale would fail.
    pub write_fails: bool,
}

/// Annotations that hold the executor back or push it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pauses {
    /// `autoscaling.keda.sh/paused`.
    pub all: bool,
    /// `autoscaling.keda.sh/paused-scale-in`.
    pub scale_in: bool,
    /// `autoscaling.keda.sh/paused-scale-out`.
    pub scale_out: bool,
    /// `autoscaling.keda.sh/force-activation`.
    pub force_activation: bool,
}

/// What the executor remembers of an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Activity {
    /// When the object was created.
    pub created_at: Timestamp,
    /// When it last was active.
    pub last_active: Option<Timestamp>,
}

/// The condition Active.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ActiveReason {
    /// Triggers are active, or activation is forced.
    ScalerActive,
    /// They are not.
    ScalerNotActive,
    /// They are not, and the cool-down is running.
    ScalerCooldown,
}

/// The condition Ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadyReason {
    /// All is well.
    ScaledObjectReady,
    /// Some triggers are active, others fail.
    PartialTriggerError,
    /// Triggers fail and none is active.
    TriggerError,
    /// The scale could not be written.
    ErrorScalingTarget,
}

/// What a poll did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The replicas that were written.
    pub scaled_to: Option<i32>,
    /// Reason of the condition Active; `None` where the poll does not report it.
    pub active: Option<ActiveReason>,
    /// Reason of the condition Ready.
    pub ready: ReadyReason,
}

impl ActiveReason {
    /// Its name in the API.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::ScalerActive => "ScalerActive",
            Self::ScalerNotActive => "ScalerNotActive",
            Self::ScalerCooldown => "ScalerCooldown",
        }
    }
}

impl ReadyReason {
    /// Its name in the API.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::ScaledObjectReady => "ScaledObjectReady",
            Self::PartialTriggerError => "PartialTriggerError",
            Self::TriggerError => "TriggerError",
            Self::ErrorScalingTarget => "ErrorScalingTarget",
        }
    }
}

impl Verdict {
    const fn nothing(active: Option<ActiveReason>) -> Self {
        Self { scaled_to: None, active, ready: ReadyReason::ScaledObjectReady }
    }

    /// Whether the poll ended with an error.
    #[must_use]
    pub const fn failed(&self) -> bool {
        matches!(self.ready, ReadyReason::ErrorScalingTarget)
    }
}

impl Poll {
    const fn write(&self, replicas: i32, active: ActiveReason) -> Verdict {
        let verdict = Verdict::nothing(Some(active));
        if self.write_fails {
            Verdict { ready: ReadyReason::ErrorScalingTarget, ..verdict }
        } else {
            Verdict { scaled_to: Some(replicas), ..verdict }
        }
    }
}

impl Activation {
    /// One poll.
    pub fn poll(&self, now: Timestamp, poll: &Poll, activity: &mut Activity) -> Verdict {
        if poll.pauses.all {
            Verdict::nothing(None)
        } else if poll.is_active || poll.pauses.force_activation {
            self.active(now, poll, activity)
        } else {
            self.inactive(now, poll, activity)
        }
    }

    fn active(&self, now: Timestamp, poll: &Poll, activity: &mut Activity) -> Verdict {
        let is_idle = self.idle_replicas.is_some() && poll.replicas < self.min_replicas;
        let verdict = Verdict::nothing(Some(ActiveReason::ScalerActive));
        if is_idle || poll.replicas == 0 {
            if poll.pauses.scale_out {
                return verdict;
            }
            let verdict = poll.write(self.min_replicas.max(1), ActiveReason::ScalerActive);
            // An activation that could not be written is no activity.
            if verdict.scaled_to.is_some() {
                activity.last_active = Some(now);
            }
            verdict
        } else if poll.is_error {
            Verdict { ready: ReadyReason::PartialTriggerError, ..verdict }
        } else {
            activity.last_active = Some(now);
            verdict
        }
    }

    fn inactive(&self, now: Timestamp, poll: &Poll, activity: &Activity) -> Verdict {
        let verdict = Verdict::nothing(Some(ActiveReason::ScalerNotActive));
        match self.fallback_replicas {
            // At zero the autoscaler would sleep and never reach the fallback.
            Some(replicas) if poll.is_error && replicas != 0 => return verdict,
            None if poll.is_error => return Verdict { ready: ReadyReason::TriggerError, ..verdict },
            _ => {}
        }
        let above_idle = self.idle_replicas.is_some_and(|idle| poll.replicas > idle);
        if above_idle || (poll.replicas > 0 && self.min_replicas == 0) {
            self.deactivate(now, poll, activity)
        } else if self.idle_replicas.is_none() && poll.replicas < self.min_replicas {
            poll.write(self.min_replicas, ActiveReason::ScalerNotActive)
        } else {
            verdict
        }
    }

    /// To zero or idle once the cool-down is over: when strictly more time has passed.
    fn deactivate(&self, now: Timestamp, poll: &Poll, activity: &Activity) -> Verdict {
        if poll.pauses.scale_in {
            return Verdict::nothing(Some(ActiveReason::ScalerNotActive));
        }
        let over = match activity.last_active {
            Some(last_active) => last_active + self.cooldown < now,
            None => activity.created_at + self.initial_cooldown < now,
        };
        if over {
            poll.write(self.idle_replicas.unwrap_or(self.min_replicas), ActiveReason::ScalerNotActive)
        } else {
            Verdict::nothing(Some(ActiveReason::ScalerCooldown))
        }
    }
}
