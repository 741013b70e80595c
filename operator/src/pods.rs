//! Pods as the operator keeps them: the few facts that decisions need, not the objects, since a cluster has many.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::core::{Selector, SelectorExt};
use seatrial_core::observe::{Pod as ObservedPod, PodCounts, PodPhase, Pods, ReadyCondition, ReadyStatus};
use seatrial_core::time::{Span, Timestamp};

use crate::clock::Clock;
use crate::reconcile::conversation::PodFacts;
use crate::reconcile::status::core_time;

/// One pod.
#[derive(Clone, Debug, PartialEq)]
pub struct PodFact {
    labels: BTreeMap<String, String>,
    phase: PodPhase,
    deleted: bool,
    created_at: Timestamp,
    ready: Option<ReadyCondition>,
    cpu_request_milli: Option<u32>,
    cpu_limit_milli: Option<u32>,
}

impl PodFact {
    /// The facts of a pod.
    #[must_use]
    pub fn of(pod: &Pod) -> Self {
        let status = pod.status.as_ref();
        let conditions = status.and_then(|status| status.conditions.as_ref());
        let ready = conditions.and_then(|all| all.iter().find(|condition| condition.type_ == "Ready"));
        let containers = pod.spec.as_ref().map_or(&[][..], |spec| &spec.containers);
        Self {
            labels: pod.metadata.labels.clone().unwrap_or_default(),
            phase: phase(status.and_then(|status| status.phase.as_deref())),
            deleted: pod.metadata.deletion_timestamp.is_some(),
            created_at: time(pod.metadata.creation_timestamp.as_ref()),
            ready: ready.map(|condition| ReadyCondition {
                status: ready_status(&condition.status),
                since: time(condition.last_transition_time.as_ref()),
            }),
            cpu_request_milli: cpu_of_all(containers, "requests"),
            cpu_limit_milli: cpu_of_all(containers, "limits"),
        }
    }

    /// Whether `selector` selects it.
    #[must_use]
    pub fn is_selected_by(&self, selector: &Selector) -> bool {
        selector.matches(&self.labels)
    }

    fn became_ready(&self) -> Option<(Timestamp, Span)> {
        let ready = self.ready.filter(|ready| ready.status == ReadyStatus::True && !self.deleted)?;
        Some((ready.since, ready.since.since(self.created_at)))
    }
}

/// What the machine wants to know of the pods in `facts`, in its time; a pod is settled after two scrape intervals.
#[must_use]
pub fn facts<'a>(pods: impl Iterator<Item = &'a PodFact>, scrape: Span, clock: &Clock) -> PodFacts {
    let now = Clock::now(clock);
    count(pods, scrape, clock, now)
}

fn count<'a>(pods: impl Iterator<Item = &'a PodFact>, scrape: Span, clock: &Clock, now: Timestamp) -> PodFacts {
    let mut seen = PodFacts::default();
    let mut observed = Vec::new();
    for pod in pods {
        if let Some((at, _)) = pod.became_ready() {
            let at = clock.model(at);
            seen.settled += u32::from(pod.phase == PodPhase::Running && now.since(at) >= scrape * 2);
            seen.became_ready.push((at, at.since(clock.model(pod.created_at))));
        }
        // Of several, the newest pod says what the template asks for.
        seen.cpu_request_milli = pod.cpu_request_milli.or(seen.cpu_request_milli);
        seen.cpu_limit_milli = pod.cpu_limit_milli.or(seen.cpu_limit_milli);
        observed.push(observe(pod, clock));
    }
    seen.counts = PodCounts { sampled: 0, cpu_milli_per_sampled_pod: 0, ..Pods::Each(observed).counts(now) };
    seen
}

fn observe(pod: &PodFact, clock: &Clock) -> ObservedPod {
    ObservedPod {
        phase: pod.phase,
        deleted: pod.deleted,
        created_at: clock.model(pod.created_at),
        started_at: None,
        ready: pod.ready.map(|ready| ReadyCondition { since: clock.model(ready.since), ..ready }),
        cpu_request_milli: pod.cpu_request_milli.map(i64::from),
        cpu: None,
    }
}

fn time(at: Option<&Time>) -> Timestamp {
    at.map_or(Timestamp::ZERO, core_time)
}

fn phase(name: Option<&str>) -> PodPhase {
    match name {
        Some("Running") => PodPhase::Running,
        Some("Succeeded") => PodPhase::Succeeded,
        Some("Failed") => PodPhase::Failed,
        Some("Unknown") => PodPhase::Unknown,
        _ => PodPhase::Pending,
    }
}

fn ready_status(status: &str) -> ReadyStatus {
    match status {
        "True" => ReadyStatus::True,
        "False" => ReadyStatus::False,
        _ => ReadyStatus::Unknown,
    }
}

/// CPU of all containers in thousandths of a core; `None` if one of them says nothing.
fn cpu_of_all(containers: &[Container], kind: &str) -> Option<u32> {
    let of = |container: &Container| {
        let resources = container.resources.as_ref()?;
        let quantities = if kind == "limits" { &resources.limits } else { &resources.requests };
        millis(&quantities.as_ref()?.get("cpu")?.0)
    };
    let each: Option<Vec<u32>> = containers.iter().map(of).collect();
    each.filter(|each| !each.is_empty()).map(|each| each.iter().sum())
}

/// A CPU quantity in thousandths, rounded up as Kubernetes does; `None` if it is not one.
fn millis(quantity: &str) -> Option<u32> {
    let (digits, scale) = match quantity.strip_suffix(|c: char| c.is_ascii_alphabetic()) {
        Some(digits) if quantity.ends_with('m') => (digits, 1.0),
        Some(digits) if quantity.ends_with('u') => (digits, 1e-3),
        Some(digits) if quantity.ends_with('n') => (digits, 1e-6),
        Some(digits) if quantity.ends_with('k') => (digits, 1e6),
        Some(_) => return None,
        None => (quantity, 1e3),
    };
    let value = digits.parse::<f64>().ok().filter(|value| value.is_finite() && *value >= 0.0)? * scale;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be in range")]
    (value <= f64::from(u32::MAX)).then(|| value.ceil() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconcile::Pace;

    fn pod(json: serde_json::Value) -> PodFact {
        PodFact::of(&serde_json::from_value(json).unwrap())
    }

    fn running(created: &str, ready: &str) -> serde_json::Value {
        serde_json::json!({
            "metadata": { "name": "web-1", "labels": { "app": "web" }, "creationTimestamp": created },
            "spec": { "containers": [
                { "name": "app", "resources": { "requests": { "cpu": "1500m" }, "limits": { "cpu": "2" } } },
                { "name": "proxy", "resources": { "requests": { "cpu": "0.5" } } } ] },
            "status": { "phase": "Running",
                "conditions": [{ "type": "Ready", "status": "True", "lastTransitionTime": ready }] }
        })
    }

    #[test]
    fn quantities_are_read_as_kubernetes_writes_them() {
        for (text, expected) in [
            ("4", Some(4_000)),
            ("250m", Some(250)),
            ("0.1", Some(100)),
            ("1500000n", Some(2)),
            ("2k", Some(2_000_000)),
            ("1Gi", None),
            ("m", None),
            ("-1", None),
            ("", None),
            ("1e40", None),
        ] {
            assert_eq!(millis(text), expected, "{text}");
        }
    }

    #[test]
    fn a_pod_is_counted_once_and_settles_after_two_scrapes() {
        let clock = Clock::new(Timestamp::ZERO, Pace(1));
        let old = pod(running("2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z"));
        let fresh = pod(running("2026-01-01T00:00:00Z", "2026-01-01T00:01:50Z"));
        let mut starting = running("2026-01-01T00:01:40Z", "2026-01-01T00:01:50Z");
        starting["status"] = serde_json::json!({ "phase": "Pending" });
        let starting = pod(starting);
        let now = old.created_at + Span::from_secs(120);
        let seen = count([&old, &fresh, &starting].into_iter(), Span::from_secs(15), &clock, now);
        assert_eq!((seen.counts.ready, seen.settled, seen.counts.starting()), (2, 1, 1));
        assert_eq!((seen.cpu_request_milli, seen.cpu_limit_milli), (Some(2_000), None), "one has no limit");
        let took: Vec<Span> = seen.became_ready.iter().map(|(_, took)| *took).collect();
        assert_eq!(took, [Span::from_secs(60), Span::from_secs(110)]);
    }

    #[test]
    fn selectors_are_those_of_the_scale_subresource() {
        let fact = pod(running("2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z"));
        for (selector, selected) in
            [("app=web", true), ("app in (web, api)", true), ("app=api", false), ("app=web,tier=a", false)]
        {
            assert_eq!(fact.is_selected_by(&crate::selector::parse(selector).unwrap()), selected, "{selector}");
        }
    }
}
