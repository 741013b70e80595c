//! HorizontalPodAutoscalers of autoscaling/v2 and autoscaling/v1.

use super::super::yaml::{Node, Step, shown};
use super::fields::{Fields, below, path};
use super::{Kind, Locus, Metric, Notation, Scaler, Signal, short};

/// Kubernetes' default where an autoscaler names no metric.
const DEFAULT_CPU_PERCENT: f64 = 80.0;
/// Parts of names that metrics of the load have.
const LOADS: [&str; 10] =
    ["request", "rps", "qps", "http", "hits", "throughput", "invocation", "transaction", "calls", "ops_per"];

/// Whether a metric of that name is taken for requests per second.
pub(super) fn is_request_rate(name: &str, stated: Option<&str>) -> bool {
    let lower = name.to_lowercase();
    let other = ["latency", "duration", "queue", "lag", "error", "bytes"].iter().any(|part| lower.contains(part));
    stated == Some(name) || (!other && LOADS.iter().any(|part| lower.contains(part)))
}

/// Reads an autoscaler of version 2.
pub(super) fn read(fields: &mut Fields<'_>, locus: Locus, rate_metric: Option<&str>) -> Option<Scaler> {
    let mut notes = Vec::new();
    let Metrics { tuned, fixed, rival } = metrics(fields, rate_metric, &mut notes);
    let behavior_path = path("spec.behavior");
    let behavior = fields.behavior(&behavior_path);
    let mut scaler = base(fields, locus, tuned?)?;
    scaler.notes = notes;
    Some(Scaler { behavior, behavior_path, fixed, rival, ..scaler })
}

/// Reads an autoscaler of version 1.
pub(super) fn read_v1(fields: &mut Fields<'_>, locus: Locus) -> Option<Scaler> {
    let at = path("spec.targetCPUUtilizationPercentage");
    let target = fields.integer(&at, 1, 1_000);
    let target = target.map_or(DEFAULT_CPU_PERCENT, |percent| f64::from(i32::try_from(percent).unwrap_or(80)));
    let metric = Metric {
        signal: Signal::Cpu,
        target,
        path: at,
        notation: Notation::Integer,
        name: "CPU utilisation".to_owned(),
    };
    let scaler = base(fields, locus, metric)?;
    let note = "autoscaling/v1 has no `behavior`: only its target is tuned; autoscaling/v2 would allow more".to_owned();
    Some(Scaler { kind: Kind::HpaV1, notes: vec![note], ..scaler })
}

/// What both versions have.
fn base(fields: &mut Fields<'_>, (document, root): Locus, metric: Metric) -> Option<Scaler> {
    let (name, namespace) = fields.names();
    let target = fields.text(&path("spec.scaleTargetRef.name"), "the name of the workload");
    let (min, max) = fields.bounds("spec.minReplicas", "spec.maxReplicas", None);
    Some(Scaler {
        kind: Kind::HpaV2,
        namespace,
        name,
        target: short(target?),
        min,
        max,
        metric,
        behavior: None,
        keda: None,
        fixed: Vec::new(),
        rival: None,
        notes: Vec::new(),
        document,
        root,
        behavior_path: path("spec.behavior"),
    })
}

/// The metrics of an autoscaler.
#[derive(Default)]
struct Metrics {
    tuned: Option<Metric>,
    fixed: Vec<Metric>,
    rival: Option<String>,
}

/// The metric that is tuned is the first that can be simulated; more of these take part as they stand, others are noted.
fn metrics(fields: &mut Fields<'_>, rate_metric: Option<&str>, notes: &mut Vec<String>) -> Metrics {
    let list = path("spec.metrics");
    let items = fields.node(&list).map(Node::items).unwrap_or_default();
    if items.is_empty() {
        if fields.node(&list).is_some() {
            fields.wrong(&list, "a list of metrics, or absent (80 % CPU)");
            return Metrics::default();
        }
        notes.push("it names no metric, so Kubernetes' default of 80 % CPU stands for today's target".to_owned());
        let tuned = cpu(DEFAULT_CPU_PERCENT, below_item(&list, 0, "resource.target.averageUtilization"));
        return Metrics { tuned: Some(tuned), ..Metrics::default() };
    }
    let (mut found, mut others, mut rival) = (Vec::new(), Vec::new(), None);
    for index in 0..items.len() {
        let at: Vec<Step> = list.iter().cloned().chain([Step::Item(index)]).collect();
        match one(fields, &at, rate_metric) {
            Outcome::Tunable(metric) => found.push(metric),
            Outcome::Other(why) => others.push((at, why)),
            Outcome::Rival(name, why) => {
                rival.get_or_insert(name);
                others.push((at, why));
            }
            Outcome::Wrong => {}
        }
    }
    let mut found = found.into_iter();
    let first = found.next();
    let fixed: Vec<Metric> = found.collect();
    for more in &fixed {
        notes.push(format!("`{}`: {} is a further metric; it takes part as it stands", shown(&more.path), more.name));
    }
    for (at, why) in others {
        if first.is_some() {
            notes.push(format!(
                "`{}`: {why}; it stays as it is and is not simulated (the autoscaler takes the greatest wish of its metrics)",
                shown(&at)
            ));
        } else {
            let place = fields.node(&at).map_or_else(Default::default, |node| node.place);
            let next = "tuned are CPU utilisation, and requests per second with a target of type AverageValue";
            fields.fault(place, format!("`{}`: {why}; {next}", shown(&at)));
        }
    }
    Metrics { tuned: first, fixed, rival }
}

fn below_item(list: &[Step], index: usize, key: &str) -> Vec<Step> {
    let item: Vec<Step> = list.iter().cloned().chain([Step::Item(index)]).collect();
    below(&item, key)
}

fn cpu(target: f64, path: Vec<Step>) -> Metric {
    Metric { signal: Signal::Cpu, target, path, notation: Notation::Integer, name: "CPU utilisation".to_owned() }
}

enum Outcome {
    Tunable(Metric),
    /// Fine, but nothing that can be simulated; why.
    Other(String),
    /// It follows the load, and cannot be simulated all the same: its name, and why.
    Rival(String, String),
    /// A fault was noted.
    Wrong,
}

fn one(fields: &mut Fields<'_>, at: &[Step], rate_metric: Option<&str>) -> Outcome {
    let kind = fields.text(&below(at, "type"), "Resource, ContainerResource, Pods, Object or External");
    match kind {
        None => Outcome::Wrong,
        Some("Resource") => resource(fields, &below(at, "resource"), ""),
        Some("ContainerResource") => resource(fields, &below(at, "containerResource"), " of a container"),
        Some("Pods") => rate(fields, &below(at, "pods"), rate_metric),
        Some("Object") => rate(fields, &below(at, "object"), rate_metric),
        Some("External") => rate(fields, &below(at, "external"), rate_metric),
        Some(_) => {
            fields.wrong(&below(at, "type"), "Resource, ContainerResource, Pods, Object or External");
            Outcome::Wrong
        }
    }
}

fn resource(fields: &mut Fields<'_>, at: &[Step], of: &str) -> Outcome {
    let (Some(name), Some(kind)) = (
        fields.text(&below(at, "name"), "cpu or memory"),
        fields.text(&below(at, "target.type"), "Utilization or AverageValue"),
    ) else {
        return Outcome::Wrong;
    };
    match (name, kind) {
        ("cpu", "Utilization") => {
            let target = below(at, "target.averageUtilization");
            match fields.integer(&target, 1, 1_000) {
                Some(percent) => {
                    let percent = f64::from(i32::try_from(percent).unwrap_or(80));
                    Outcome::Tunable(Metric { name: format!("CPU utilisation{of}"), ..cpu(percent, target) })
                }
                None => {
                    if fields.node(&target).is_none() {
                        fields.wrong(&target, "a whole number from 1 to 1000");
                    }
                    Outcome::Wrong
                }
            }
        }
        ("cpu", "AverageValue") => Outcome::Rival(
            "CPU (AverageValue)".to_owned(),
            "CPU with a target of type AverageValue needs the pod's CPU request, which an autoscaler does not hold; write it \
             as Utilization in percent of the request"
                .to_owned(),
        ),
        (_, "Utilization" | "AverageValue") => {
            Outcome::Other(format!("{} does not follow the load of this simulation", short(name)))
        }
        _ => {
            fields.wrong(&below(at, "target.type"), "Utilization or AverageValue");
            Outcome::Wrong
        }
    }
}

fn rate(fields: &mut Fields<'_>, at: &[Step], rate_metric: Option<&str>) -> Outcome {
    let (Some(name), Some(kind)) = (
        fields.text(&below(at, "metric.name"), "the metric's name"),
        fields.text(&below(at, "target.type"), "AverageValue or Value"),
    ) else {
        return Outcome::Wrong;
    };
    let name = short(name);
    if !is_request_rate(&name, rate_metric) {
        let next = format!("if it counts requests per second, say so with --rate-metric {name}");
        return Outcome::Other(format!("metric {name} does not look like requests per second; {next}"));
    }
    if kind != "AverageValue" {
        let why = format!("metric {name} has a target of type {}, not AverageValue (per pod)", short(kind));
        return Outcome::Rival(name, why);
    }
    let path = below(at, "target.averageValue");
    match fields.quantity(&path) {
        Some(target) => {
            Outcome::Tunable(Metric { signal: Signal::RequestRate, target, path, notation: Notation::Quantity, name })
        }
        None => {
            if fields.node(&path).is_none() {
                fields.wrong(&path, "a quantity above 0, for example \"50\"");
            }
            Outcome::Wrong
        }
    }
}
