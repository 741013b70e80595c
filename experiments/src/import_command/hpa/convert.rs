//! From an autoscaler to a policy whose fallback scales the same way.
//!
//! The fallback knows one metric (average CPU utilisation), one tolerance, and `behavior` as Kubernetes has it. Refused is
//! what would leave no rule to fall back on or is impossible; noted is what makes the fallback differ from the autoscaler.

use super::manifest::{self, Autoscaler, Metric};
use super::policy::{Behavior, Fallback, Limit, Metadata, Metrics, Rules, ScalingPolicy, Spec, TargetRef};

/// Kubernetes' default where an autoscaler names no metric.
const DEFAULT_CPU_PERCENT: i32 = 80;
/// Default of kube-controller-manager.
const DEFAULT_TOLERANCE_PERCENT: i32 = 10;
/// Set by the operator while it moves an autoscaler's minimum.
const MOVED_MINIMUM: &str = "seatrial.dev/hpa-min";

/// A policy, and how it differs from the autoscaler.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Converted {
    pub(super) policy: ScalingPolicy,
    pub(super) notes: Vec<String>,
}

/// Converts one autoscaler; or all reasons why not.
pub(super) fn convert(from: &Autoscaler, url: &str) -> Result<Converted, Vec<String>> {
    let mut work = Conversion { notes: Vec::new(), refusals: Vec::new() };
    let spec = &from.spec;
    work.check_names(from);
    let (min_replicas, max_replicas) = work.bounds(spec);
    let fallback = Fallback {
        cpu_utilization_percent: work.cpu(spec.metrics.as_deref().unwrap_or_default()),
        tolerance_percent: work.tolerance(spec.behavior.as_ref()),
        behavior: spec.behavior.as_ref().and_then(|behavior| work.behavior(behavior)),
    };
    let target_ref = work.target(spec);
    let spec =
        Spec { target_ref, min_replicas, max_replicas, mode: "Shadow", fallback, metrics: Metrics { url: url.into() } };
    let Autoscaler { metadata, .. } = from;
    let metadata = Metadata { name: metadata.name.clone(), namespace: metadata.namespace.clone() };
    let policy = ScalingPolicy { api_version: "seatrial.dev/v1alpha1", kind: "ScalingPolicy", metadata, spec };
    if work.refusals.is_empty() {
        return Ok(Converted { policy, notes: work.notes });
    }
    let name = &from.metadata.name;
    Err(work.refusals.into_iter().map(|reason| format!("HorizontalPodAutoscaler {name:?}: {reason}")).collect())
}

struct Conversion {
    notes: Vec<String>,
    refusals: Vec<String>,
}

impl Conversion {
    fn refuse(&mut self, reason: impl Into<String>) {
        self.refusals.push(reason.into());
    }

    fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// The names become names of files and of a resource.
    fn check_names(&mut self, from: &Autoscaler) {
        if !is_name(&from.metadata.name) || from.metadata.namespace.as_ref().is_some_and(|name| !is_name(name)) {
            self.refuse("its name or namespace is none that Kubernetes accepts. Correct metadata");
        }
        if from.metadata.annotations.as_ref().is_some_and(|annotations| annotations.contains_key(MOVED_MINIMUM)) {
            self.refuse(format!(
                "annotation {MOVED_MINIMUM}: a ScalingPolicy moves its minReplicas already, so the minimum is not its own. Change that policy instead"
            ));
        }
    }

    fn bounds(&mut self, spec: &manifest::Spec) -> (i32, i32) {
        let (min, max) = (spec.min_replicas.unwrap_or(1), spec.max_replicas);
        if min == 0 {
            self.note("minReplicas 0 (scale to zero) became 1: a ScalingPolicy keeps at least one replica");
        }
        let min = if min == 0 { 1 } else { min };
        if min < 1 || max < min || max > 100_000 {
            self.refuse(format!(
                "bounds {min} to {max} are not possible. 1 ≤ minReplicas ≤ maxReplicas ≤ 100000 is needed"
            ));
        }
        (min, max)
    }

    fn target(&mut self, spec: &manifest::Spec) -> TargetRef {
        let target = &spec.scale_target_ref;
        let stated = target.api_version.clone().filter(|version| !version.is_empty());
        let api_version = stated.unwrap_or_else(|| {
            self.note("scaleTargetRef has no apiVersion: apps/v1 is assumed");
            "apps/v1".to_owned()
        });
        if target.kind.is_empty() || target.name.is_empty() {
            self.refuse("scaleTargetRef needs kind and name. Correct it");
        }
        TargetRef { api_version, kind: target.kind.clone(), name: target.name.clone() }
    }

    /// Target CPU utilisation in percent.
    fn cpu(&mut self, metrics: &[Metric]) -> i32 {
        if metrics.is_empty() {
            return DEFAULT_CPU_PERCENT;
        }
        let (cpu, others): (Vec<&Metric>, Vec<&Metric>) =
            metrics.iter().partition(|metric| cpu_utilization(metric).is_some());
        let names: Vec<String> = others.iter().map(|metric| described(metric)).collect();
        let [only] = cpu.as_slice() else {
            let count = cpu.len();
            self.refuse(format!(
                "it has {count} metrics of type Resource, cpu, Utilization ({}); the fallback needs exactly one. Add one such metric to the manifest (it need not be applied)",
                names.join(", ")
            ));
            return DEFAULT_CPU_PERCENT;
        };
        for name in names {
            self.note(format!(
                "metric {name} is left out: the fallback scales on CPU utilisation alone, where the autoscaler takes the greatest of its metrics"
            ));
        }
        let percent = cpu_utilization(only).unwrap_or(DEFAULT_CPU_PERCENT);
        if !(1..=1_000).contains(&percent) {
            self.refuse(format!("averageUtilization {percent} is not possible. 1 to 1000 percent is needed"));
        }
        percent
    }

    /// One tolerance for both directions, in percent.
    fn tolerance(&mut self, behavior: Option<&manifest::Behavior>) -> i32 {
        let rules = behavior.map(|behavior| [behavior.scale_up.as_ref(), behavior.scale_down.as_ref()]);
        let [up, down] = rules.unwrap_or_default().map(|rules| rules.and_then(|rules| rules.tolerance.as_ref()));
        let (up, down) = (self.percent(up), self.percent(down));
        if up != down {
            self.note(format!(
                "tolerance {up} % upwards and {down} % downwards became {up} % in both directions: the fallback has one"
            ));
        }
        up
    }

    fn percent(&mut self, tolerance: Option<&serde_json::Value>) -> i32 {
        let Some(tolerance) = tolerance else { return DEFAULT_TOLERANCE_PERCENT };
        let exact = quantity(tolerance).map(|share| share * 100.0).filter(|percent| (0.0..=100.0).contains(percent));
        let Some(exact) = exact else {
            self.refuse(format!(
                "tolerance {tolerance} is not possible. A share from 0 to 1 is needed, for example \"0.05\""
            ));
            return DEFAULT_TOLERANCE_PERCENT;
        };
        let rounded = exact.round();
        if (exact - rounded).abs() > 1e-9 {
            self.note(format!("tolerance {tolerance} became {rounded} %: the fallback's is in whole percent"));
        }
        rounded as i32
    }

    fn behavior(&mut self, behavior: &manifest::Behavior) -> Option<Behavior> {
        let scale_up = behavior.scale_up.as_ref().and_then(|rules| self.rules("scaleUp", rules));
        let scale_down = behavior.scale_down.as_ref().and_then(|rules| self.rules("scaleDown", rules));
        (scale_up.is_some() || scale_down.is_some()).then_some(Behavior { scale_up, scale_down })
    }

    /// `None` where the rules say no more than a tolerance, which stands elsewhere.
    fn rules(&mut self, direction: &str, rules: &manifest::Rules) -> Option<Rules> {
        let policies = rules.policies.as_deref().unwrap_or_default();
        if rules.stabilization_window_seconds.is_none() && rules.select_policy.is_none() && policies.is_empty() {
            return None;
        }
        let window = rules.stabilization_window_seconds;
        if window.is_some_and(|seconds| !(0..=3_600).contains(&seconds)) || policies.len() > 16 {
            self.refuse(format!(
                "behavior.{direction}: a window of 0 to 3600 seconds and at most 16 policies are possible. Correct it"
            ));
        }
        let select_policy = rules.select_policy.clone().unwrap_or_else(|| "Max".to_owned());
        if !["Max", "Min", "Disabled"].contains(&select_policy.as_str()) {
            self.refuse(format!(
                "behavior.{direction}: selectPolicy {select_policy:?} is none of Max, Min, Disabled. Correct it"
            ));
        }
        let policies = policies.iter().map(|limit| self.limit(direction, limit)).collect();
        Some(Rules { stabilization_window_seconds: window, select_policy, policies })
    }

    fn limit(&mut self, direction: &str, limit: &manifest::Limit) -> Limit {
        let known = ["Pods", "Percent"].contains(&limit.kind.as_str());
        if !known || limit.value < 1 || !(1..=1_800).contains(&limit.period_seconds) {
            self.refuse(format!(
                "behavior.{direction}: policy {} {} in {} s is not possible. Pods or Percent, at least 1, in 1 to 1800 seconds is needed",
                limit.kind, limit.value, limit.period_seconds
            ));
        }
        Limit { kind: limit.kind.clone(), value: limit.value, period_seconds: limit.period_seconds }
    }
}

fn cpu_utilization(metric: &Metric) -> Option<i32> {
    let resource = metric.resource.as_ref().filter(|resource| metric.kind == "Resource" && resource.name == "cpu")?;
    resource.target.average_utilization.filter(|_| resource.target.kind == "Utilization")
}

fn described(metric: &Metric) -> String {
    match &metric.resource {
        Some(resource) => format!("{} {} ({})", metric.kind, resource.name, resource.target.kind),
        None => metric.kind.clone(),
    }
}

/// A quantity of Kubernetes, as far as a share needs it: a decimal number, or thousandths with the suffix `m`.
fn quantity(value: &serde_json::Value) -> Option<f64> {
    let text = match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let (digits, unit) = text.strip_suffix('m').map_or((text.as_str(), 1.0), |digits| (digits, 1_000.0));
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    digits.parse::<f64>().ok().filter(|_| plain).map(|number| number / unit)
}

/// A DNS-1123 name.
fn is_name(name: &str) -> bool {
    let label = |label: &str| {
        let inside = label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        inside && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(label)
}

#[cfg(test)]
mod tests;
