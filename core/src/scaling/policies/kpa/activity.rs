//! Scale to zero as Knative's reconciler does it (`kpa/scaler.go`, `kpa/kpa.go`): not at once.
//!
//! A workload that is wanted at zero must first have been active for a stable window (until then one pod stays), is then
//! marked inactive, and loses its last pod when it has been inactive for the grace period or when the activator has been in its
//! path for that long, but never before the retention. Invariant: zero comes out only where zero went in.

use serde::{Deserialize, Serialize};

use crate::time::{Span, Timestamp};

/// How long a workload may stay without a ready pod: the deadline of a Deployment's progress and Knative's buffer.
const ACTIVATION_TIMEOUT: Span = Span::from_secs(600 + 30);

/// The times of the way to zero.
#[derive(Clone, Copy, Debug)]
pub(super) struct ToZero {
    pub(super) stable_window: Span,
    pub(super) grace: Span,
    pub(super) retention: Span,
    /// Ready pods from which on the workload is active, at least 1.
    pub(super) active_from: u32,
}

/// What the decider said, within bounds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) ready: u32,
    pub(super) replicas: u32,
    pub(super) excess_burst_capacity: i32,
}

/// The condition of the workload and when it came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "phase", content = "since")]
enum Phase {
    Activating(Timestamp),
    Active(Timestamp),
    Inactive(Timestamp),
}

/// What is remembered of a workload's activity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Activity {
    phase: Phase,
    /// Since when the activator is in the path; `None` while it is not.
    proxied_since: Option<Timestamp>,
}

impl Activity {
    /// A workload as it is found.
    pub(super) const fn found(now: Timestamp, spec_replicas: u32, ready: u32) -> Self {
        let phase = match (spec_replicas, ready) {
            (0, _) => Phase::Inactive(now),
            (_, 0) => Phase::Activating(now),
            _ => Phase::Active(now),
        };
        Self { phase, proxied_since: Some(now) }
    }

    /// The replicas to write; `None` waits and keeps what is there.
    pub(super) fn settle(&mut self, now: Timestamp, to_zero: &ToZero, wanted: Wanted) -> Option<u32> {
        let (want, write) = match wanted.replicas {
            0 => self.towards_zero(now, to_zero),
            replicas => (Some(replicas), true),
        };
        self.mark(now, to_zero.active_from, wanted.ready, want);
        let serves = want.is_some_and(|want| want > 0) && wanted.excess_burst_capacity >= 0;
        self.proxied_since = if serves { None } else { self.proxied_since.or(Some(now)) };
        want.filter(|_| write)
    }

    /// What is wanted instead of zero (`None`: not known), and whether to write it.
    fn towards_zero(&self, now: Timestamp, to_zero: &ToZero) -> (Option<u32>, bool) {
        match self.phase {
            Phase::Activating(since) if now.since(since) > ACTIVATION_TIMEOUT => (Some(0), true),
            Phase::Activating(_) => (None, false),
            Phase::Active(since) if now.since(since) >= to_zero.stable_window => (Some(0), false),
            Phase::Active(_) => (Some(1), true),
            Phase::Inactive(since) => (Some(0), self.is_over(now, now.since(since), to_zero)),
        }
    }

    fn is_over(&self, now: Timestamp, inactive: Span, to_zero: &ToZero) -> bool {
        let proxied = self.proxied_since.map_or(Span::ZERO, |since| now.since(since));
        inactive >= to_zero.retention && inactive.max(proxied) >= to_zero.grace
    }

    /// A condition that stays keeps its time.
    fn mark(&mut self, now: Timestamp, active_from: u32, ready: u32, want: Option<u32>) {
        let inactive = matches!(self.phase, Phase::Inactive(_));
        if want == Some(0) {
            if !inactive {
                self.phase = Phase::Inactive(now);
            }
        } else if want.is_some() || !inactive {
            self.phase = match self.phase {
                Phase::Active(since) if ready >= active_from => Phase::Active(since),
                Phase::Activating(since) if ready < active_from => Phase::Activating(since),
                _ if ready >= active_from => Phase::Active(now),
                _ => Phase::Activating(now),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TO_ZERO: ToZero = ToZero {
        stable_window: Span::from_secs(60),
        grace: Span::from_secs(30),
        retention: Span::ZERO,
        active_from: 1,
    };

    /// Each step: second, ready pods, replicas wanted, excess burst capacity, what is written.
    fn play(to_zero: &ToZero, steps: &[(i64, u32, u32, i32, Option<u32>)]) {
        let mut activity = Activity::found(Timestamp::ZERO, steps[0].1, steps[0].1);
        for (second, ready, replicas, excess_burst_capacity, expected) in steps {
            let wanted = Wanted { ready: *ready, replicas: *replicas, excess_burst_capacity: *excess_burst_capacity };
            let written = activity.settle(Timestamp::from_secs(*second), to_zero, wanted);
            assert_eq!(written, *expected, "at {second}");
        }
    }

    #[test]
    fn the_last_pod_stays_for_the_stable_window_and_the_grace_period() {
        play(
            &TO_ZERO,
            &[
                (0, 3, 3, 5, Some(3)),
                (10, 1, 0, 5, Some(1)), // active for less than 60 s
                (58, 1, 0, 5, Some(1)),
                (60, 1, 0, 5, None), // inactive from here on, and behind the activator
                (88, 1, 0, 5, None),
                (90, 1, 0, 5, Some(0)),
                (92, 0, 0, 5, Some(0)),
                (400, 0, 2, 5, Some(2)), // wakes at once
                (410, 2, 2, 5, Some(2)),
                (469, 1, 0, 5, Some(1)), // active since 410 s, when a pod was ready
                (470, 1, 0, 5, None),
            ],
        );
    }

    #[test]
    fn load_during_the_grace_period_starts_it_anew() {
        play(
            &TO_ZERO,
            &[
                (0, 1, 1, 5, Some(1)),
                (60, 1, 0, 5, None),
                (80, 1, 1, 5, Some(1)),
                (120, 1, 0, 5, Some(1)),
                (140, 1, 0, 5, None),
                (168, 1, 0, 5, None),
                (170, 1, 0, 5, Some(0)),
            ],
        );
    }

    /// Knative's fast path: the grace period is for the network, and counts from when the activator came into the path.
    #[test]
    fn an_activator_that_is_in_the_path_shortens_the_grace_period() {
        play(&TO_ZERO, &[(0, 1, 1, -111, Some(1)), (60, 1, 0, -111, None), (62, 1, 0, -111, Some(0))]);
    }

    #[test]
    fn the_retention_holds_the_last_pod_in_any_case() {
        let kept = ToZero { retention: Span::from_secs(45), ..TO_ZERO };
        play(&kept, &[(0, 1, 1, -1, Some(1)), (60, 1, 0, -1, None), (104, 1, 0, -1, None), (105, 1, 0, -1, Some(0))]);
    }

    #[test]
    fn what_never_gets_ready_is_given_up_after_the_progress_deadline() {
        let mut activity = Activity::found(Timestamp::ZERO, 1, 0);
        let wanted = Wanted { ready: 0, replicas: 0, excess_burst_capacity: 0 };
        assert_eq!(activity.settle(Timestamp::from_secs(630), &TO_ZERO, wanted), None);
        assert_eq!(activity.settle(Timestamp::from_secs(631), &TO_ZERO, wanted), Some(0));
    }
}
