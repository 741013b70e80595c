//! Services, their pods, and who scales them.

use super::finding::{Findings, INTERVAL, NOT_NEGATIVE, POSITIVE, Range, SECONDS};
use super::strategy;
use crate::spec::ScenarioSpec;
use crate::spec::distribution::Distribution;
use crate::spec::pod::{AmountSpec, PodSpec, RolloutSpec};
use crate::spec::service::{AutoscalingSpec, ServiceSpec};
use crate::spec::traffic::SourceSpec;

/// Cores of a pod.
const CORES: Range = Range { low: 0.001, high: 10_000.0, text: "0.001 to 10,000: without cores a pod serves nobody" };
/// Most pods of a service.
const MOST_PODS: u64 = 100_000;

pub(super) fn check(spec: &ScenarioSpec, found: &mut Findings) {
    for (name, service) in &spec.services {
        let at = format!("services.{name}");
        found.name(at.as_str(), name);
        serving(&at, spec, service, found);
        pod(&at, service, found);
        life(&at, service, found);
        rollout(&format!("{at}.rollout"), spec, &service.rollout, found);
        match &service.autoscaling {
            Some(scaling) => autoscaling(&at, spec, (service, scaling), found),
            None => {
                found.count(format!("{at}.replicas"), u64::from(service.replicas), 1, MOST_PODS);
            }
        }
    }
}

fn serving(at: &str, spec: &ScenarioSpec, service: &ServiceSpec, found: &mut Findings) {
    found.number(format!("{at}.cores"), service.cores, CORES);
    if let Some(concurrency) = service.concurrency {
        let allowed = "1 to 1,000,000 (leave it out for any number): a pod that serves none at once has no capacity";
        found.must((1..=1_000_000).contains(&concurrency), format!("{at}.concurrency"), concurrency, allowed);
    }
    let key = format!("{at}.service_time_s");
    found.distribution(&key, &service.service_time_s, SECONDS);
    let no_work = service.service_time_s == Distribution::Constant(0.0) && service.token_cost.is_none();
    found.must(!no_work, format!("{key}.constant"), 0, "above 0 where there is no `token_cost`: work that takes time");
    if let Some(cost) = service.token_cost {
        found.number(format!("{at}.token_cost.per_input_token_s"), cost.per_input_token_s, NOT_NEGATIVE);
        found.number(format!("{at}.token_cost.per_output_token_s"), cost.per_output_token_s, NOT_NEGATIVE);
        let allowed = "absent, or `traffic` must have tokens: no source here gives any";
        found.must(has_tokens(spec), format!("{at}.token_cost"), "given", allowed);
    }
}

fn has_tokens(spec: &ScenarioSpec) -> bool {
    spec.traffic.iter().any(|source| {
        matches!(source.source, SourceSpec::Requests { .. })
            || source.classes.iter().any(|class| class.input_tokens.is_some() || class.output_tokens.is_some())
    })
}

fn pod(at: &str, service: &ServiceSpec, found: &mut Findings) {
    let pod = &service.pod;
    let at = format!("{at}.pod");
    limits(&at, pod, found);
    let milli = f64::from(pod.cpu_limit_milli);
    // A number of cores that cannot be says nothing about the limit.
    let fits = service.cores * 1_000.0 <= milli * (1.0 + 1e-9) || service.cores.is_nan() || service.cores > CORES.high;
    let allowed = format!("at least 1,000 × cores = {}: a pod cannot use more than its limit", service.cores * 1_000.0);
    found.must(fits, format!("{at}.cpu_limit_milli"), pod.cpu_limit_milli, allowed);
    found.number(format!("{at}.memory_base_mib"), pod.memory_base_mib, NOT_NEGATIVE);
    found.number(format!("{at}.memory_per_request_mib"), pod.memory_per_request_mib, NOT_NEGATIVE);
    found.number(format!("{at}.image_mib"), pod.image_mib, NOT_NEGATIVE);
    let starts = pod.memory_base_mib <= f64::from(pod.memory_limit_mib);
    let allowed = "at most memory_limit_mib: the pod would be killed (OOM) as soon as it starts";
    found.must(starts, format!("{at}.memory_base_mib"), pod.memory_base_mib, allowed);
}

fn limits(at: &str, pod: &PodSpec, found: &mut Findings) {
    found.count(format!("{at}.cpu_limit_milli"), u64::from(pod.cpu_limit_milli), 1, 10_000_000);
    found.count(format!("{at}.memory_limit_mib"), u64::from(pod.memory_limit_mib), 1, 100_000_000);
    let cpu = pod.cpu_request_milli <= pod.cpu_limit_milli;
    found.must(cpu, format!("{at}.cpu_request_milli"), pod.cpu_request_milli, "at most cpu_limit_milli");
    let memory = pod.memory_request_mib <= pod.memory_limit_mib;
    found.must(memory, format!("{at}.memory_request_mib"), pod.memory_request_mib, "at most memory_limit_mib");
}

fn life(at: &str, service: &ServiceSpec, found: &mut Findings) {
    found.distribution(&format!("{at}.start.start_s"), &service.start.start_s, SECONDS);
    found.number(format!("{at}.start.probe_period_s"), service.start.probe_period_s, SECONDS);
    let end = service.termination;
    found.number(format!("{at}.termination.pre_stop_s"), end.pre_stop_s, SECONDS);
    found.number(format!("{at}.termination.grace_s"), end.grace_s, SECONDS);
    let within = end.pre_stop_s <= end.grace_s || end.pre_stop_s.is_nan();
    found.must(within, format!("{at}.termination.pre_stop_s"), end.pre_stop_s, "at most grace_s, which it is part of");
}

fn rollout(at: &str, spec: &ScenarioSpec, rollout: &RolloutSpec, found: &mut Findings) {
    let surge = amount(&format!("{at}.max_surge"), &rollout.max_surge, found);
    let unavailable = amount(&format!("{at}.max_unavailable"), &rollout.max_unavailable, found);
    let moves = surge != Some(0) || unavailable != Some(0);
    found.must(moves, format!("{at}.max_surge"), 0, "above 0, or max_unavailable must be: no pod could be replaced");
    let percent = matches!(&rollout.max_unavailable, AmountSpec::Percent(_)) && unavailable > Some(100);
    found.must(!percent, format!("{at}.max_unavailable"), "more than all pods", "at most 100%");
    found.number(format!("{at}.min_ready_s"), rollout.min_ready_s, SECONDS);
    for (index, at_s) in rollout.at_s.iter().enumerate() {
        let key = format!("{at}.at_s[{index}]");
        if found.number(key.as_str(), *at_s, SECONDS) {
            found.must(*at_s < spec.duration_s, key.as_str(), at_s, "before the end, duration_s");
            let ascends = index == 0 || rollout.at_s[index - 1] < *at_s;
            found.must(ascends, key, at_s, "after the moment before it in the list");
        }
    }
}

/// The number or the percentage.
fn amount(key: &str, amount: &AmountSpec, found: &mut Findings) -> Option<u64> {
    match amount {
        AmountSpec::Count(count) => found.count(key, u64::from(*count), 0, MOST_PODS).then_some(u64::from(*count)),
        AmountSpec::Percent(text) => {
            let digits = text.strip_suffix('%').filter(|digits| digits.chars().all(|c| c.is_ascii_digit()));
            let value = digits.and_then(|digits| digits.parse().ok()).filter(|value| *value <= 1_000);
            found.must(value.is_some(), key, format!("`{text}`"), "a number of pods, or whole percent such as \"25%\"");
            value
        }
    }
}

fn autoscaling(
    at: &str,
    spec: &ScenarioSpec,
    (service, scaling): (&ServiceSpec, &AutoscalingSpec),
    found: &mut Findings,
) {
    let key = format!("{at}.autoscaling");
    let max = found.count(format!("{key}.max"), u64::from(scaling.max), 1, MOST_PODS);
    let ordered = found.must(
        scaling.min <= scaling.max,
        format!("{key}.min"),
        scaling.min,
        format!("at most max = {}", scaling.max),
    );
    let between = scaling.bounds().min..=scaling.bounds().max;
    if max && ordered {
        let allowed = format!("{} to {}, the bounds of its autoscaling", scaling.min, scaling.max);
        found.must(between.contains(&service.replicas), format!("{at}.replicas"), service.replicas, allowed);
    }
    found.number(format!("{key}.decision_s"), scaling.decision_s, INTERVAL);
    found.number(format!("{key}.prior_lead_time_s"), scaling.prior_lead_time_s, SECONDS);
    found.optional(format!("{key}.stated_capacity_per_s"), scaling.stated_capacity_per_s, POSITIVE);
    let requests = service.pod.cpu_request_milli > 0;
    let allowed = "at least 1 in a service that is scaled: utilisation is a share of the request";
    found.must(requests, format!("{at}.pod.cpu_request_milli"), 0, allowed);
    strategy::check(&key, spec, (service, scaling), found);
}
