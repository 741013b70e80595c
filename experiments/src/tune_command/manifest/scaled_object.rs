//! ScaledObjects of KEDA, for the core's `keda`: it wakes the workload, lets it sleep, and leaves the replicas in between to the
//! autoscaler that it makes; that one is what is tuned.
//!
//! A `prometheus` trigger on requests per second or a `cpu` trigger is tuned; further ones of these, and `cron`, take part as
//! they are. Every other type is refused by its name, and so are formulas over triggers and a paused object: neither is
//! simulated, and what was said of them would be wrong.

use seatrial_core::observe::Workload;
use seatrial_core::scaling::policies::cron::schedule::Schedule;
use seatrial_core::scaling::policies::cron::zone::Zone;
use seatrial_core::scaling::policies::{self, Ingredients};
use serde_json::{Value, json};

use super::super::yaml::{Form, Node, Step, shown};
use super::fields::{Fields, below, path};
use super::hpa::is_request_rate;
use super::{Keda, Kind, Locus, Metric, Notation, Scaler, Signal, quantity, short};

/// Annotations that pause an object, and what each does.
const PAUSES: [(&str, &str); 4] = [
    ("autoscaling.keda.sh/paused", "the object is paused: nothing scales it"),
    ("autoscaling.keda.sh/paused-replicas", "the object is paused: nothing scales it"),
    ("autoscaling.keda.sh/paused-scale-in", "scaling in is paused: nothing takes replicas away"),
    ("autoscaling.keda.sh/paused-scale-out", "scaling out is paused: nothing adds replicas"),
];
/// The one that pauses whatever its value.
const PAUSED_REPLICAS: &str = "autoscaling.keda.sh/paused-replicas";
/// KEDA's default.
const DEFAULT_MAX: i64 = 100;
const SUPPORTED: &str =
    "tuned are triggers of type prometheus (requests per second) and cpu; cron may stand beside them";

/// Reads a ScaledObject.
pub(super) fn read(fields: &mut Fields<'_>, (document, root): Locus, rate_metric: Option<&str>) -> Option<Scaler> {
    let mut notes = Vec::new();
    refuse_paused(fields);
    refuse_formula(fields);
    let triggers = Triggers::read(fields, rate_metric, &mut notes);
    let behavior_path = path("spec.advanced.horizontalPodAutoscalerConfig.behavior");
    let behavior = fields.behavior(&behavior_path);
    let (name, namespace) = fields.names();
    let target = fields.text(&path("spec.scaleTargetRef.name"), "the name of the workload");
    let (min, max) = fields.bounds("spec.minReplicaCount", "spec.maxReplicaCount", Some(DEFAULT_MAX));
    let config = config(fields);
    let idle = fields.integer(&path("spec.idleReplicaCount"), 0, i64::from(min.max(1)) - 1);
    let idle = idle.and_then(|idle| u32::try_from(idle).ok()).filter(|idle| *idle < min);
    let (metric, activation_threshold) = triggers.tuned?;
    Some(Scaler {
        kind: Kind::ScaledObject,
        namespace,
        name,
        target: short(target?),
        min,
        max,
        metric,
        behavior,
        keda: Some(Keda { config, fixed: triggers.fixed, activation_threshold, idle }),
        fixed: Vec::new(),
        rival: triggers.rival,
        notes,
        document,
        root,
        behavior_path,
    })
}

/// A paused object is not scaled at all.
fn refuse_paused(fields: &mut Fields<'_>) {
    for (annotation, what) in PAUSES {
        let at = [Step::key("metadata"), Step::key("annotations"), Step::key(annotation)];
        let paused = fields.root.at(&at).is_some_and(|node| annotation == PAUSED_REPLICAS || !is_false(node));
        if paused {
            let place = fields.key_place(&at);
            fields.fault(place, format!("annotation `{annotation}`: {what}; remove the annotation to tune"));
        }
    }
}

/// As Go's `strconv.ParseBool` has it; KEDA takes everything that is no Boolean for a pause.
fn is_false(node: &Node) -> bool {
    node.text().is_some_and(|text| ["0", "f", "F", "false", "False", "FALSE"].contains(&text))
}

/// A formula makes one metric of all triggers; KEDA takes an empty one for none.
fn refuse_formula(fields: &mut Fields<'_>) {
    let at = path("spec.advanced.scalingModifiers");
    let empty = |node: &Node| matches!(&node.form, Form::Map { entries, .. } if entries.is_empty());
    if fields.node(&at).is_some_and(|node| !empty(node)) {
        let detail = "formulas are not simulated: tune without it, or set targets by hand";
        fields.fault(fields.key_place(&at), format!("`{}`: {detail}", shown(&at)));
    }
}

/// Times of KEDA's own loop; what is absent has the default of the core's `keda`, which is KEDA's.
fn config(fields: &mut Fields<'_>) -> Value {
    let keys = [
        ("spec.pollingInterval", "polling_interval_s", 1, 3_600),
        ("spec.cooldownPeriod", "cooldown_period_s", 0, 604_800),
        ("spec.initialCooldownPeriod", "initial_cooldown_period_s", 0, 604_800),
    ];
    let mut config = serde_json::Map::new();
    for (key, own, least, most) in keys {
        if let Some(seconds) = fields.integer(&path(key), least, most) {
            config.insert(own.to_owned(), json!(seconds));
        }
    }
    Value::Object(config)
}

/// A trigger as the core's `keda` reads it.
pub(in crate::tune_command) fn trigger(signal: Signal, target: f64, activation_threshold: f64) -> Value {
    match signal {
        Signal::Cpu => json!({ "type": "cpu", "value": target }),
        // KEDA reads an empty answer as no requests unless told otherwise.
        Signal::RequestRate => json!({
            "type": "requests-per-second",
            "threshold": target,
            "activationThreshold": activation_threshold,
            "ignoreNullValues": true,
        }),
    }
}

#[derive(Default)]
struct Triggers {
    /// The metric that is tuned, and above which rate it is active.
    tuned: Option<(Metric, f64)>,
    fixed: Vec<Value>,
    /// A trigger on the load that cannot be simulated.
    rival: Option<String>,
}

impl Triggers {
    fn read(fields: &mut Fields<'_>, rate_metric: Option<&str>, notes: &mut Vec<String>) -> Self {
        let list = path("spec.triggers");
        let count = fields.node(&list).map(Node::items).unwrap_or_default().len();
        if !(1..=8).contains(&count) {
            fields.wrong(&list, "a list of 1 to 8 triggers");
        }
        let (mut triggers, mut others) = (Self::default(), Vec::new());
        for index in 0..count.min(8) {
            let at: Vec<Step> = list.iter().cloned().chain([Step::Item(index)]).collect();
            if let Err(Some(why)) = triggers.take(fields, &at, rate_metric) {
                others.push((at, why));
            }
        }
        for (at, why) in others {
            if triggers.tuned.is_some() {
                if follows_load(fields, &at, rate_metric) {
                    triggers.rival.get_or_insert_with(|| shown(&at));
                }
                notes.push(format!("`{}`: {why}; it stays as it is and is not simulated", shown(&at)));
            } else {
                let place = fields.node(&at).map_or_else(Default::default, |node| node.place);
                fields.fault(place, format!("`{}`: {why}; {SUPPORTED}", shown(&at)));
            }
        }
        if triggers.tuned.is_none() && fields.faults.is_empty() {
            fields.wrong(&list, "a list with a trigger of type prometheus or cpu, whose target can be tuned");
        }
        triggers
    }

    /// Takes one trigger in; or says why it cannot be simulated; or has noted a fault.
    fn take(&mut self, fields: &mut Fields<'_>, at: &[Step], rate_metric: Option<&str>) -> Result<(), Option<String>> {
        let kind = fields.text(&below(at, "type"), "the type of the trigger").ok_or(None)?;
        let (metric, active_above) = match kind {
            "prometheus" => {
                let metric = prometheus(fields, at, rate_metric)?;
                let above = fields.node(&below(at, "metadata.activationThreshold")).and_then(Node::text);
                (metric, above.and_then(quantity::parse).filter(|rate| (0.0..=1e9).contains(rate)).unwrap_or(0.0))
            }
            "cpu" => (cpu(fields, at)?, 0.0),
            "cron" => {
                self.fixed.push(cron(fields, at)?);
                return Ok(());
            }
            other => {
                let place = fields.node(&below(at, "type")).map_or_else(Default::default, |node| node.place);
                fields.fault(place, format!("`{}` is {}; {SUPPORTED}", shown(&below(at, "type")), short(other)));
                return Err(None);
            }
        };
        if self.tuned.is_none() {
            self.tuned = Some((metric, active_above));
        } else {
            self.fixed.push(trigger(metric.signal, metric.target, active_above));
        }
        Ok(())
    }
}

/// Whether a trigger is on CPU or requests per second, whatever its form.
fn follows_load(fields: &Fields<'_>, at: &[Step], rate_metric: Option<&str>) -> bool {
    let text = |key: &str| fields.node(&below(at, key)).and_then(Node::text).unwrap_or_default();
    text("type") == "cpu"
        || ["metadata.query", "metadata.metricName"].iter().any(|key| is_request_rate(text(key), rate_metric))
}

/// A schedule; one that cannot be read is a fault, because KEDA would not scale the object at all.
fn cron(fields: &mut Fields<'_>, at: &[Step]) -> Result<Value, Option<String>> {
    let mut text = |key: &str, what: &str| fields.text(&below(at, &format!("metadata.{key}")), what).map(str::to_owned);
    let (start, end) = (text("start", "a cron expression"), text("end", "a cron expression"));
    let (timezone, desired) = (text("timezone", "a time zone"), text("desiredReplicas", "a number of replicas"));
    let (start, end, timezone, desired) =
        (start.ok_or(None)?, end.ok_or(None)?, timezone.ok_or(None)?, desired.ok_or(None)?);
    let Some(desired) = desired.parse::<u32>().ok().filter(|replicas| (1..=1_000_000).contains(replicas)) else {
        fields.wrong(&below(at, "metadata.desiredReplicas"), "a whole number from 1 to 1000000, as text");
        return Err(None);
    };
    if let Some((key, why)) = unreadable(&start, &end, &timezone) {
        let key = below(at, &format!("metadata.{key}"));
        let place = fields.node(&key).map_or_else(Default::default, |node| node.place);
        fields.fault(place, format!("`{}`: {why}; correct it, or remove the trigger", shown(&key)));
        return Err(None);
    }
    let cron = json!({ "type": "cron", "start": start, "end": end, "timezone": timezone, "desiredReplicas": desired });
    let workload = Workload::protocol_p1();
    let built = policies::find("keda").and_then(|row| {
        (row.build)(&json!({ "triggers": [cron] }), &Ingredients { workload: &workload, weights: None })
    });
    built.map(|_| cron).map_err(|error| Some(format!("this schedule cannot be followed ({error})")))
}

/// The key of a schedule that does not parse, and why.
fn unreadable(start: &str, end: &str, timezone: &str) -> Option<(&'static str, String)> {
    let zone = match Zone::named(timezone) {
        Ok(zone) => zone,
        Err(error) => return Some(("timezone", error.to_string())),
    };
    let expressions = [("start", start), ("end", end)].into_iter();
    let mut wrong =
        expressions.filter_map(|(key, text)| Some((key, Schedule::five_fields(text, &zone).err()?.to_string())));
    wrong.next().or_else(|| (start == end).then(|| ("end", "the same expression as `start`".to_owned())))
}

/// A metric; or why it cannot be tuned; or nothing, where a fault was noted.
type Trigger = Result<Metric, Option<String>>;

fn prometheus(fields: &mut Fields<'_>, at: &[Step], rate_metric: Option<&str>) -> Trigger {
    let query = fields.text(&below(at, "metadata.query"), "a PromQL query").ok_or(None)?;
    let named = fields.node(&below(at, "metadata.metricName")).and_then(Node::text).unwrap_or(query);
    if !is_request_rate(query, rate_metric) && !is_request_rate(named, rate_metric) {
        let next = "if it does, say so with --rate-metric and the query";
        return Err(Some(format!("its query does not look like requests per second; {next}")));
    }
    let kind = fields.node(&below(at, "metricType")).and_then(Node::text).unwrap_or("AverageValue");
    if kind != "AverageValue" {
        return Err(Some(format!("its metricType is {}, not AverageValue (per pod)", short(kind))));
    }
    let path = below(at, "metadata.threshold");
    let target = fields.quantity(&path);
    if target.is_none() && fields.node(&path).is_none() {
        fields.wrong(&path, "a number above 0, for example \"50\"");
    }
    let target = target.ok_or(None)?;
    let name = "requests per second (prometheus)".to_owned();
    Ok(Metric { signal: Signal::RequestRate, target, path, notation: Notation::Text, name })
}

fn cpu(fields: &mut Fields<'_>, at: &[Step]) -> Trigger {
    let old = fields.node(&below(at, "metadata.type")).and_then(Node::text);
    let kind = fields.node(&below(at, "metricType")).and_then(Node::text).or(old).unwrap_or("Utilization");
    if kind != "Utilization" {
        return Err(Some(format!(
            "CPU with metricType {} needs the pod's CPU request; write it as Utilization",
            short(kind)
        )));
    }
    let path = below(at, "metadata.value");
    let target = fields.quantity(&path).filter(|percent| percent.fract() == 0.0 && *percent <= 1_000.0);
    match target {
        Some(target) => {
            let name = "CPU utilisation".to_owned();
            Ok(Metric { signal: Signal::Cpu, target, path, notation: Notation::Text, name })
        }
        None => {
            fields.wrong(&path, "a whole percentage from 1 to 1000, as text");
            Err(None)
        }
    }
}
