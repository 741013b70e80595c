//! Replicas that the metric asks for: the evaluator of k8shorizmetrics 2.0.1, which is the replica calculator of an older
//! Kubernetes. Where it differs from [`hpa`](super::super::hpa::calculator): the tolerance is tested as |1 − ratio|, a missing pod
//! counts as its full request on the way down, pods that are being deleted still count with their samples, nothing is done
//! about an answer that points against its ratio, and an external metric is divided by the replicas of the spec.

use super::super::hpa::calculator::{ceil, to_f64};
use super::super::hpa::tally::{Grouping, PodReading, Tally};
use crate::observe::{Observation, Pod, PodPhase, Pods};
use crate::time::{Span, Timestamp};

/// What is compared with the target.
#[derive(Clone, Copy, Debug)]
pub(super) enum Metric {
    /// CPU use in percent of the requests, all in thousandths of a core.
    CpuUtilization { percent: i64, request_milli: i64 },
    /// Thousandths of a request per second and replica, as an external metric.
    RequestRate { milli: i64 },
}

/// The calculator's settings.
#[derive(Clone, Copy, Debug)]
pub(super) struct Calculator {
    pub(super) metric: Metric,
    pub(super) tolerance: f64,
    pub(super) cpu_initialization_period: Span,
    pub(super) initial_readiness_delay: Span,
}

impl Calculator {
    /// Replicas asked for; `None` where the original ends the sync with an error.
    pub(super) fn ask(&self, now: Timestamp, seen: &Observation) -> Option<i32> {
        let current = i32::try_from(seen.spec_replicas).unwrap_or(i32::MAX);
        match self.metric {
            Metric::CpuUtilization { percent, request_milli } => {
                self.utilization(&self.tally(now, &seen.pods, request_milli), percent, current)
            }
            Metric::RequestRate { milli } => {
                let total = libm::round(seen.arrival_rate()?.value * 1_000.0);
                let ratio = total / (to_f64(milli) * f64::from(current));
                Some(if self.holds(ratio) { current } else { ceil(total / to_f64(milli)) })
            }
        }
    }

    fn holds(&self, ratio: f64) -> bool {
        (1.0 - ratio).abs() <= self.tolerance
    }

    fn utilization(&self, tally: &Tally, target: i64, current: i32) -> Option<i32> {
        if tally.listed == 0 || tally.samples == 0 || tally.first_without_request != 0 {
            return None;
        }
        let ratio = |usage: i64, requests: i64| {
            let percent = (requests != 0).then(|| usage.saturating_mul(100).saturating_div(requests))?;
            Some(to_f64(percent) / to_f64(target))
        };
        let first = ratio(tally.counted_usage, tally.counted_requests)?;
        let unready = tally.unready > 0 && first > 1.0;
        if !unready && tally.missing == 0 {
            return Some(if self.holds(first) { current } else { ceil(first * to_f64(tally.ready)) });
        }
        let (mut usage, mut requests, mut entries) = (tally.counted_usage, tally.counted_requests, tally.samples);
        if first != 1.0 {
            usage = usage.saturating_add(if first < 1.0 { tally.missing_requests } else { 0 });
            requests = requests.saturating_add(tally.missing_requests);
            entries += tally.missing;
        }
        if unready {
            requests = requests.saturating_add(tally.unready_requests);
            entries += tally.unready;
        }
        let second = ratio(usage, requests)?;
        let turned = (first < 1.0 && second > 1.0) || (first > 1.0 && second < 1.0);
        Some(if self.holds(second) || turned { current } else { ceil(second * to_f64(entries)) })
    }

    fn tally(&self, now: Timestamp, pods: &Pods, request_milli: i64) -> Tally {
        let grouping = Grouping {
            now,
            cpu: true,
            cpu_initialization_period: self.cpu_initialization_period,
            initial_readiness_delay: self.initial_readiness_delay,
            fallback_percent: 100,
        };
        match pods {
            Pods::Homogeneous(counts) => Tally::of_counts(counts, request_milli),
            Pods::Each(pods) => {
                let mut tally = Tally::of_pods(pods.iter().map(PodReading::cpu), &grouping);
                pods.iter().for_each(|pod| add_leaving(pod, &mut tally));
                tally
            }
        }
    }
}

/// The samples of pods that are being deleted or have failed stay in the sums, without the pods in the count.
fn add_leaving(pod: &Pod, tally: &mut Tally) {
    if let Some(sample) = pod.cpu.filter(|_| pod.deleted || pod.phase == PodPhase::Failed) {
        tally.samples += 1;
        tally.counted_usage = tally.counted_usage.saturating_add(sample.value_milli);
        tally.counted_requests = tally.counted_requests.saturating_add(pod.cpu_request_milli.unwrap_or(0));
    }
}
