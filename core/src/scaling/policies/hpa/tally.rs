//! What the pods and their samples add up to: all that the replica calculator needs of them.
//!
//! Pods fall into four groups (ignored, unready, missing, counted) by the rules of the controller. Once added up, a decision
//! costs the same for one pod and for a thousand; a source that only has counts fills the sums directly.

use crate::observe::{CpuSample, Pod, PodCounts, PodPhase, ReadyCondition, ReadyStatus};
use crate::time::{Span, Timestamp};

/// One pod with its metric sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PodReading {
    /// Its phase.
    pub phase: PodPhase,
    /// Whether it has a deletion time stamp.
    pub deleted: bool,
    /// Start time, once a node has accepted it.
    pub started_at: Option<Timestamp>,
    /// Its Ready condition, if it has one.
    pub ready: Option<ReadyCondition>,
    /// Sum of its containers' requests in milli-units; `None` if one of them has none.
    pub request_milli: Option<i64>,
    /// Its sample of the metric, if there is one.
    pub sample: Option<CpuSample>,
}

impl PodReading {
    /// What an observation knows of a pod, with its CPU use as the metric.
    #[must_use]
    pub const fn cpu(pod: &Pod) -> Self {
        Self {
            phase: pod.phase,
            deleted: pod.deleted,
            started_at: pod.started_at,
            ready: pod.ready,
            request_milli: pod.cpu_request_milli,
            sample: pod.cpu,
        }
    }
}

/// How pods are grouped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grouping {
    /// The moment of the sync.
    pub now: Timestamp,
    /// Whether the metric is CPU: only then does start-up spoil a sample.
    pub cpu: bool,
    /// For so long after its start a pod's samples count only if taken entirely while it was ready.
    pub cpu_initialization_period: Span,
    /// A Ready condition that changed within this time after the start never was true.
    pub initial_readiness_delay: Span,
    /// On the way down a missing pod counts at this percentage of its request.
    pub fallback_percent: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Group {
    Ignored,
    Unready,
    Missing,
    Counted,
}

/// The sums; see the module. Usage and requests are in milli-units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Pods in the list, whatever their group.
    pub listed: i64,
    /// Pods that are running with a true Ready condition, also if they are being deleted.
    pub running_ready: i64,
    /// Counted pods.
    pub ready: i64,
    /// Unready pods.
    pub unready: i64,
    /// Pods without a sample.
    pub missing: i64,
    /// Samples: of counted pods and of pods that are gone.
    pub samples: i64,
    /// Usage in all samples.
    pub usage: i64,
    /// Usage of the counted pods.
    pub counted_usage: i64,
    /// Requests of the counted pods.
    pub counted_requests: i64,
    /// Requests of the unready pods.
    pub unready_requests: i64,
    /// Requests of the missing pods.
    pub missing_requests: i64,
    /// What the missing pods count on the way down.
    pub missing_fallback: i64,
    /// Ordinal of the first pod without a request, counting from one; 0 if all have one.
    pub first_without_request: i64,
}

impl Tally {
    /// Adds up pods one by one.
    pub fn of_pods(pods: impl IntoIterator<Item = PodReading>, grouping: &Grouping) -> Self {
        let (mut tally, mut sums) = (Self::default(), Sums::default());
        for pod in pods {
            tally.add(&pod, grouping, &mut sums);
        }
        Self {
            usage: saturated(sums.usage),
            counted_usage: saturated(sums.usage),
            counted_requests: saturated(sums.counted_requests),
            unready_requests: saturated(sums.unready_requests),
            missing_requests: saturated(sums.missing_requests),
            missing_fallback: saturated(sums.missing_fallback),
            ..tally
        }
    }

    /// Adds up pods that are all alike: fresh ready pods and starting pods have a sample that start-up spoils, so they are
    /// unready; terminating pods are ignored.
    #[must_use]
    pub fn of_counts(counts: &PodCounts, request_milli: i64) -> Self {
        let (ready, sampled) = (i64::from(counts.ready), i64::from(counts.sampled.min(counts.ready)));
        let unready = ready - sampled + i64::from(counts.starting());
        let usage = sampled.saturating_mul(counts.cpu_milli_per_sampled_pod);
        Self {
            listed: ready + i64::from(counts.starting()) + i64::from(counts.terminating),
            running_ready: ready,
            ready: sampled,
            unready,
            samples: sampled,
            usage,
            counted_usage: usage,
            counted_requests: sampled.saturating_mul(request_milli),
            unready_requests: unready.saturating_mul(request_milli),
            ..Self::default()
        }
    }

    /// Adds the sample of a pod that is no longer in the list.
    pub fn add_stray(&mut self, value_milli: i64) {
        self.samples += 1;
        self.usage = self.usage.saturating_add(value_milli);
    }

    fn add(&mut self, pod: &PodReading, grouping: &Grouping, sums: &mut Sums) {
        self.listed += 1;
        self.running_ready += i64::from(pod.phase == PodPhase::Running && is_true(pod.ready));
        if pod.request_milli.is_none() && self.first_without_request == 0 {
            self.first_without_request = self.listed;
        }
        let request = pod.request_milli.unwrap_or(0);
        match grouping.group(pod) {
            Group::Ignored => {}
            Group::Unready => {
                self.unready += 1;
                sums.unready_requests += i128::from(request);
            }
            Group::Missing => {
                self.missing += 1;
                sums.missing_requests += i128::from(request);
                sums.missing_fallback += i128::from(request.saturating_mul(grouping.fallback_percent) / 100);
            }
            Group::Counted => {
                self.ready += 1;
                self.samples += 1;
                sums.usage += i128::from(pod.sample.map_or(0, |sample| sample.value_milli));
                sums.counted_requests += i128::from(request);
            }
        }
    }
}

/// Sums under way: so wide that they cannot overflow, or else it would matter in which order the pods come.
#[derive(Default)]
struct Sums {
    usage: i128,
    counted_requests: i128,
    unready_requests: i128,
    missing_requests: i128,
    missing_fallback: i128,
}

fn saturated(sum: i128) -> i64 {
    i64::try_from(sum).unwrap_or(if sum < 0 { i64::MIN } else { i64::MAX })
}

impl Grouping {
    fn group(&self, pod: &PodReading) -> Group {
        if pod.deleted || pod.phase == PodPhase::Failed {
            return Group::Ignored;
        }
        if pod.phase == PodPhase::Pending {
            return Group::Unready;
        }
        match pod.sample {
            None => Group::Missing,
            Some(sample) if self.cpu && self.is_spoilt(pod, &sample) => Group::Unready,
            Some(_) => Group::Counted,
        }
    }

    /// Whether start-up work may be in the sample. Once the initialisation period is over, only a pod that never was ready is
    /// set aside.
    fn is_spoilt(&self, pod: &PodReading, sample: &CpuSample) -> bool {
        let (Some(ready), Some(started_at)) = (pod.ready, pod.started_at) else { return true };
        let is_false = ready.status == ReadyStatus::False;
        if started_at + self.cpu_initialization_period > self.now {
            is_false || sample.window_end < ready.since + sample.window
        } else {
            is_false && started_at + self.initial_readiness_delay > ready.since
        }
    }
}

fn is_true(ready: Option<ReadyCondition>) -> bool {
    ready.is_some_and(|condition| condition.status == ReadyStatus::True)
}
