//! Pods as a controller sees them: one by one where the source has them, or counted where all are alike (the fluid kernel).

use serde::{Deserialize, Serialize};

use crate::time::{Span, Timestamp};

/// Width of a start-up age bucket.
pub const START_UP_BUCKET: Span = Span::from_secs(15);
/// Number of start-up age buckets; the last one also holds everything older.
pub const START_UP_BUCKETS: usize = 8;

/// The workload's pods.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Pods {
    /// One by one.
    Each(Vec<Pod>),
    /// All ready pods are alike: counts suffice.
    Homogeneous(PodCounts),
}

/// Pods in counts. All sampled pods use the same CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodCounts {
    /// Ready and serving.
    pub ready: u32,
    /// Created and not yet ready, by age in buckets of [`START_UP_BUCKET`].
    pub starting_by_age: [u32; START_UP_BUCKETS],
    /// On their way out; no longer serving.
    pub terminating: u32,
    /// Ready pods whose CPU sample covers a whole window in which they were ready; the other ready pods are too fresh.
    pub sampled: u32,
    /// CPU use of each sampled pod in thousandths of a core.
    pub cpu_milli_per_sampled_pod: i64,
}

/// One pod.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pod {
    /// Its phase.
    pub phase: PodPhase,
    /// Whether it has a deletion time stamp.
    pub deleted: bool,
    /// Creation time.
    pub created_at: Timestamp,
    /// Start time, once a node has accepted it.
    pub started_at: Option<Timestamp>,
    /// Its Ready condition, if it has one.
    pub ready: Option<ReadyCondition>,
    /// CPU request in thousandths of a core, if set for every container.
    pub cpu_request_milli: Option<i64>,
    /// CPU use, if sampled.
    pub cpu: Option<CpuSample>,
}

/// Phase of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PodPhase {
    /// Accepted, not all containers started.
    Pending,
    /// Bound, containers started.
    Running,
    /// All containers ended well.
    Succeeded,
    /// All containers ended, one badly.
    Failed,
    /// The node does not answer.
    Unknown,
}

/// A Ready condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadyCondition {
    /// Its status.
    pub status: ReadyStatus,
    /// Its last transition.
    pub since: Timestamp,
}

/// Status of a Ready condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReadyStatus {
    /// Ready.
    True,
    /// Not ready.
    False,
    /// Not known.
    Unknown,
}

/// CPU use of a pod over a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpuSample {
    /// Mean use in thousandths of a core.
    pub value_milli: i64,
    /// End of the window.
    pub window_end: Timestamp,
    /// Length of the window.
    pub window: Span,
}

impl Pods {
    /// Counts, whichever form the pods have.
    #[must_use]
    pub fn counts(&self, now: Timestamp) -> PodCounts {
        match self {
            Self::Homogeneous(counts) => *counts,
            Self::Each(pods) => count(pods, now),
        }
    }
}

impl PodCounts {
    /// Pods that are created and not yet ready, however many anybody claims.
    #[must_use]
    pub fn starting(&self) -> u32 {
        self.starting_by_age.iter().fold(0, |sum, pods| sum.saturating_add(*pods))
    }
}

/// Bucket of a starting pod of the given age.
#[must_use]
pub(crate) fn start_up_bucket(age: Span) -> usize {
    usize::try_from(age.whole_steps(START_UP_BUCKET)).unwrap_or(0).min(START_UP_BUCKETS - 1)
}

fn count(pods: &[Pod], now: Timestamp) -> PodCounts {
    let mut counts = PodCounts::default();
    // So wide that it cannot overflow, or else it would matter in which order the pods come.
    let mut cpu_milli_total = 0_i128;
    for pod in pods {
        match (pod.deleted, pod.phase, pod.ready) {
            (_, PodPhase::Succeeded | PodPhase::Failed, _) => {}
            (true, ..) => counts.terminating += 1,
            (false, PodPhase::Running, Some(ReadyCondition { status: ReadyStatus::True, since })) => {
                counts.ready += 1;
                if let Some(cpu) = pod.cpu.filter(|cpu| cpu.window_end - cpu.window >= since) {
                    counts.sampled += 1;
                    cpu_milli_total += i128::from(cpu.value_milli);
                }
            }
            (false, ..) => counts.starting_by_age[start_up_bucket(now.since(pod.created_at))] += 1,
        }
    }
    // A mean of such numbers is one of them: the conversion always succeeds.
    counts.cpu_milli_per_sampled_pod =
        i64::try_from(cpu_milli_total / i128::from(counts.sampled.max(1))).unwrap_or_default();
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(ready_since: Option<i64>, created: i64) -> Pod {
        Pod {
            phase: PodPhase::Running,
            deleted: false,
            created_at: Timestamp::from_secs(created),
            started_at: Some(Timestamp::from_secs(created)),
            ready: ready_since.map(|s| ReadyCondition { status: ReadyStatus::True, since: Timestamp::from_secs(s) }),
            cpu_request_milli: Some(4_000),
            cpu: Some(CpuSample {
                value_milli: 1_000,
                window_end: Timestamp::from_secs(100),
                window: Span::from_secs(30),
            }),
        }
    }

    #[test]
    fn each_pod_is_counted_once() {
        let mut leaving = pod(Some(0), 0);
        leaving.deleted = true;
        let mut failed = pod(Some(0), 0);
        failed.phase = PodPhase::Failed;
        let pods = Pods::Each(vec![pod(Some(10), 0), pod(Some(90), 30), pod(None, 80), leaving, failed]);
        let counts = pods.counts(Timestamp::from_secs(115));
        assert_eq!((counts.ready, counts.sampled, counts.terminating), (2, 1, 1));
        assert_eq!(counts.starting_by_age[2], 1, "35 s old: third bucket");
        assert_eq!(counts.starting(), 1);
        assert_eq!(counts.cpu_milli_per_sampled_pod, 1_000);
    }

    #[test]
    fn ages_beyond_the_last_bucket_stay_in_it() {
        assert_eq!(start_up_bucket(Span::from_secs(1_000)), START_UP_BUCKETS - 1);
        assert_eq!(start_up_bucket(Span::from_secs(-5)), 0);
    }
}
