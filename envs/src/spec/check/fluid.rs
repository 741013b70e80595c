//! What the fluid kernel cannot express. It knows workers that share a queue, pods that start and end, rates and expected calls;
//! not requests, nodes or what goes wrong with them.

use super::finding::Findings;
use crate::spec::distribution::Distribution;
use crate::spec::service::{AutoscalingSpec, Balancing, ServiceSpec};
use crate::spec::traffic::SourceSpec;
use crate::spec::{MetricsSpec, ScenarioSpec};

/// The grid on which pods change state.
const STEP_S: f64 = 1.0;
const MOST_PODS: u32 = 10_000;

/// Refuses `key` unless `holds`, with the way out.
fn only(found: &mut Findings, holds: bool, key: impl Into<String>, got: impl std::fmt::Display, needed: &str) {
    let allowed = format!("{needed} with kernel = \"fluid\"; for everything else write kernel = \"events\"");
    found.must(holds, key, got, allowed);
}

pub(super) fn check(spec: &ScenarioSpec, found: &mut Findings) {
    only(found, spec.cluster.is_none(), "cluster", "given", "absent (it has no nodes)");
    only(found, spec.workloads.is_empty(), "workloads", "given", "absent (it has no nodes)");
    only(found, spec.faults.is_empty(), "faults", "given", "absent");
    only(found, spec.slo.wait_s.is_some(), "slo.wait_s", "absent", "given (it counts waits)");
    only(found, spec.slo.latency_s.is_none(), "slo.latency_s", "given", "absent (it counts waits)");
    only(found, spec.client.timeout_s.is_some(), "client.timeout_s", "absent", "given (it bounds the queues)");
    only(found, spec.client.retries.is_none(), "client.retries", "given", "absent (a flow does not come back)");
    only(found, !spec.services.is_empty(), "services", "empty", "at least one service");
    only(found, !spec.traffic.is_empty(), "traffic", "empty", "at least one source");
    metrics(&spec.metrics, found);
    for (name, service) in &spec.services {
        self::service(&format!("services.{name}"), service, found);
    }
    for (index, traffic) in spec.traffic.iter().enumerate() {
        let recorded = matches!(traffic.source, SourceSpec::Requests { .. });
        let key = format!("traffic[{index}].source.requests");
        only(found, !recorded, key, "given", "a source of rates (a flow has no single requests)");
    }
}

fn metrics(metrics: &MetricsSpec, found: &mut Findings) {
    only(found, metrics.jitter == 0.0, "metrics.jitter", metrics.jitter, "0");
    only(found, on_grid(metrics.scrape_s), "metrics.scrape_s", metrics.scrape_s, "whole seconds");
    only(found, metrics.lag_s <= 3_600.0, "metrics.lag_s", metrics.lag_s, "at most 3,600");
}

fn on_grid(seconds: f64) -> bool {
    seconds >= STEP_S && seconds.fract() == 0.0
}

fn service(at: &str, service: &ServiceSpec, found: &mut Findings) {
    let workers = service.concurrency.is_some_and(|workers| f64::from(workers) <= service.cores && workers <= 1_024);
    let got = service.concurrency.map_or_else(|| "absent".to_owned(), |concurrency| concurrency.to_string());
    only(found, workers, format!("{at}.concurrency"), got, "at most cores and 1,024 (each worker has a core)");
    let shared = service.balancing == Balancing::Shared;
    only(found, shared, format!("{at}.balancing"), format!("`{}`", service.balancing.word()), "\"shared\"");
    only(found, service.drops_expired, format!("{at}.drops_expired"), false, "true");
    only(found, !service.holds_worker, format!("{at}.holds_worker"), true, "false");
    for (index, call) in service.calls.iter().enumerate() {
        let key = format!("{at}.calls[{index}]");
        only(found, call.timeout_s.is_none(), format!("{key}.timeout_s"), "given", "absent");
        only(found, call.retries.is_none(), format!("{key}.retries"), "given", "absent");
    }
    pod(at, service, found);
    if let Some(scaling) = &service.autoscaling {
        autoscaling(&format!("{at}.autoscaling"), scaling, found);
    }
    let least = service.autoscaling.as_ref().map_or(service.replicas, |scaling| scaling.min.min(service.replicas));
    let bounded = least > 0 || service.queue_limit.is_some();
    only(
        found,
        bounded,
        format!("{at}.queue_limit"),
        "absent",
        "given where there may be no pod: requests wait up to it",
    );
}

fn pod(at: &str, service: &ServiceSpec, found: &mut Findings) {
    let grows = service.pod.memory_per_request_mib;
    only(found, grows == 0.0, format!("{at}.pod.memory_per_request_mib"), grows, "0 (it kills no pod)");
    let start = match service.start.start_s {
        Distribution::Lognormal { sigma, .. } => sigma <= 2.0,
        Distribution::Constant(_) => true,
        _ => false,
    };
    only(found, start, format!("{at}.start.start_s"), "of another kind", "constant, or lognormal with sigma up to 2");
    let probe = service.start.probe_period_s;
    only(found, probe == 0.0, format!("{at}.start.probe_period_s"), probe, "0");
    only(found, service.rollout.at_s.is_empty(), format!("{at}.rollout.at_s"), "given", "absent (all pods are alike)");
    only(found, service.replicas <= MOST_PODS, format!("{at}.replicas"), service.replicas, "at most 10,000");
}

fn autoscaling(at: &str, scaling: &AutoscalingSpec, found: &mut Findings) {
    only(found, scaling.max <= MOST_PODS, format!("{at}.max"), scaling.max, "at most 10,000");
    only(found, on_grid(scaling.decision_s), format!("{at}.decision_s"), scaling.decision_s, "whole seconds");
}
