//! The autoscalers of a manifest: what a team runs today, where each value stands, and what of it can be tuned.
//!
//! Several documents, lists, comments, unknown annotations and other kinds in between are fine; other kinds are named as
//! skipped. What is impossible is refused with file, line, column, key and what is allowed, all of it at once.

mod fields;
mod hpa;
pub(super) mod quantity;
pub(super) mod scaled_object;

use std::fmt;

use seatrial_core::scaling::policies::hpa::behavior::{Behavior, ScalingPolicy, ScalingRules, SelectPolicy};

use self::fields::Fields;
use super::yaml::{self, Node, Place, Step};
use crate::error::{ExperimentError, Result};

/// A manifest larger than this is no manifest.
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// A manifest with its autoscalers.
#[derive(Clone, Debug)]
pub(super) struct Manifest {
    /// As the user named it.
    pub(super) file: String,
    pub(super) text: String,
    pub(super) scalers: Vec<Scaler>,
    /// Kind and name of everything else.
    pub(super) skipped: Vec<String>,
}

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `autoscaling/v1`: one CPU target, no behaviour.
    HpaV1,
    /// `autoscaling/v2`.
    HpaV2,
    /// `keda.sh/v1alpha1`; KEDA makes an HPA of it.
    ScaledObject,
}

/// What the target counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    /// CPU use in percent of the request.
    Cpu,
    /// Requests per second and pod.
    RequestRate,
}

/// How a target is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notation {
    /// A whole number.
    Integer,
    /// A quantity of Kubernetes, as text.
    Quantity,
    /// A number as text, as KEDA wants it.
    Text,
}

/// The metric that is tuned.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Metric {
    pub(super) signal: Signal,
    /// Percent, or requests per second and pod.
    pub(super) target: f64,
    /// Where the target stands, or is to be added.
    pub(super) path: Vec<Step>,
    pub(super) notation: Notation,
    /// As messages name it.
    pub(super) name: String,
}

/// What KEDA does around the autoscaler that it makes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Keda {
    /// Config of the core's `keda` without the tuned trigger, its target and the behaviour.
    pub(super) config: serde_json::Value,
    /// Triggers that stay as they are.
    pub(super) fixed: Vec<serde_json::Value>,
    /// Requests per second above which the tuned trigger is active.
    pub(super) activation_threshold: f64,
    /// Replicas while nothing is active, where fewer than the fewest.
    pub(super) idle: Option<u32>,
}

/// An autoscaler.
#[derive(Clone, Debug)]
pub(super) struct Scaler {
    pub(super) kind: Kind,
    pub(super) namespace: Option<String>,
    pub(super) name: String,
    /// Name of the workload.
    pub(super) target: String,
    pub(super) min: u32,
    pub(super) max: u32,
    pub(super) metric: Metric,
    /// `None` where the manifest says nothing.
    pub(super) behavior: Option<Behavior>,
    /// Of a ScaledObject.
    pub(super) keda: Option<Keda>,
    /// Further metrics of an HPA that take part as they stand.
    pub(super) fixed: Vec<Metric>,
    /// A metric on the load that cannot be simulated and may decide.
    pub(super) rival: Option<String>,
    /// What is not simulated, a sentence each.
    pub(super) notes: Vec<String>,
    /// Number of the document, and the path to the object in it.
    pub(super) document: usize,
    pub(super) root: Vec<Step>,
    /// Path of the behaviour below the object.
    pub(super) behavior_path: Vec<Step>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) place: Place,
    pub(super) detail: String,
}

impl Scaler {
    /// `namespace/name`, or the name alone.
    pub(super) fn label(&self) -> String {
        self.namespace.as_ref().map_or_else(|| self.name.clone(), |namespace| format!("{namespace}/{}", self.name))
    }

    /// Whether a series or a wish of that name means this one.
    pub(super) fn answers_to(&self, name: &str) -> bool {
        let target = self.namespace.as_ref().map(|namespace| format!("{namespace}/{}", self.target));
        [&self.name, &self.target, &self.label()].into_iter().chain(&target).any(|own| own == name)
    }

    /// The place of a field for messages: line of what is there.
    pub(super) fn path(&self, below: &[Step]) -> Vec<Step> {
        self.root.iter().chain(below).cloned().collect()
    }

    /// The kind as Kubernetes calls it.
    pub(super) fn kind_name(&self) -> &'static str {
        match self.kind {
            Kind::HpaV1 | Kind::HpaV2 => "HorizontalPodAutoscaler",
            Kind::ScaledObject => "ScaledObject",
        }
    }

    /// Fewest replicas that can be: an HPA keeps one, KEDA may go to zero.
    pub(super) fn least(&self) -> u32 {
        let idle = self.keda.as_ref().and_then(|keda| keda.idle);
        if self.keda.is_some() { idle.map_or(self.min, |idle| idle.min(self.min)) } else { self.min.max(1) }
    }

    /// Rules of one direction, as the manifest states them.
    pub(super) fn rules(&self, up: bool) -> ScalingRules {
        let behavior = self.behavior.clone().unwrap_or_default();
        if up { behavior.scale_up } else { behavior.scale_down }.unwrap_or_default()
    }

    /// Policies of one direction after Kubernetes' defaults.
    pub(super) fn policies(&self, up: bool) -> Vec<ScalingPolicy> {
        let effective = self.behavior.clone().unwrap_or_default().effective();
        if up { effective.up.policies } else { effective.down.policies }
    }

    /// Whether the manifest disables a direction.
    pub(super) fn disables(&self, up: bool) -> bool {
        self.rules(up).select_policy == Some(SelectPolicy::Disabled)
    }

    /// Whether KEDA takes replicas away on its own, below the autoscaler's fewest.
    fn sleeps(&self) -> bool {
        self.keda.as_ref().is_some_and(|keda| self.min == 0 || keda.idle.is_some())
    }

    /// The direction (`true` is up) whose being disabled makes a comparison of settings void, if there is one.
    pub(super) fn frozen(&self) -> Option<bool> {
        match (self.disables(true), self.disables(false) && !self.sleeps()) {
            (_, true) => Some(false),
            (up, false) => up.then_some(true),
        }
    }

    /// What disabled directions mean, a sentence each.
    pub(super) fn disabled_notes(&self) -> Vec<String> {
        let up = "scaleUp is disabled in the manifest: no replica would ever be added, whatever the target";
        let down = if self.sleeps() {
            "scaleDown is disabled in the manifest: replicas are given back only when KEDA puts the workload to sleep, \
             whatever the target"
        } else {
            "scaleDown is disabled in the manifest: replicas that are there today would never be given back, whatever the target"
        };
        let both = [(true, up), (false, down)];
        both.into_iter().filter(|(up, _)| self.disables(*up)).map(|(_, note)| note.to_owned()).collect()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}: {}", self.place.line, self.place.column, self.detail)
    }
}

/// Reads a manifest file.
///
/// # Errors
/// If it cannot be read, is no YAML, holds no autoscaler, or one that is impossible.
pub(super) fn open(path: &std::path::Path, rate_metric: Option<&str>) -> Result<Manifest> {
    let file = path.display().to_string();
    let refused = |detail: &str| ExperimentError::Manifest(format!("{file}: {detail}"));
    let bytes = std::fs::read(path).map_err(ExperimentError::io("read", path))?;
    if bytes.len() > MOST_BYTES {
        return Err(refused("larger than 16 MiB; cut it into several manifests"));
    }
    let text = String::from_utf8(bytes).map_err(|_| refused("not UTF-8, so no manifest; give YAML or JSON"))?;
    parse(&file, &text, rate_metric).map_err(|faults| {
        let lines: Vec<String> = faults.iter().map(|fault| format!("{file}:{fault}")).collect();
        ExperimentError::Manifest(lines.join("\n"))
    })
}

/// The autoscalers of a text.
///
/// # Errors
/// Everything that is wrong with them.
pub(super) fn parse(file: &str, text: &str, rate_metric: Option<&str>) -> std::result::Result<Manifest, Vec<Fault>> {
    let one = |place, detail: String| vec![Fault { place, detail }];
    let documents = yaml::read(text).map_err(|broken| {
        let next = "give a manifest as kubectl takes it; a chart has to be rendered first (helm template)";
        one(broken.place, format!("not readable as YAML ({}); {next}", broken.reason))
    })?;
    let manifest = Manifest { file: file.to_owned(), text: text.to_owned(), scalers: Vec::new(), skipped: Vec::new() };
    let mut reading = Reading { manifest, faults: Vec::new(), rate_metric };
    for (number, document) in documents.iter().enumerate() {
        reading.object(document, (number, Vec::new()), None);
    }
    reading.check_names();
    let Reading { manifest, faults, .. } = reading;
    if !faults.is_empty() {
        return Err(faults);
    }
    if manifest.scalers.is_empty() {
        let next = "`kubectl get hpa --all-namespaces -o yaml` prints those of a cluster";
        let detail = format!("holds no HorizontalPodAutoscaler and no ScaledObject; {next}");
        return Err(one(Place { line: 1, column: 1 }, detail));
    }
    Ok(manifest)
}

struct Reading<'a> {
    manifest: Manifest,
    faults: Vec<Fault>,
    rate_metric: Option<&'a str>,
}

/// Number of a document and the path of an object in it.
type Locus = (usize, Vec<Step>);

impl Reading<'_> {
    /// An object, or a list of them; items of a typed list may leave out their kind and version.
    fn object(&mut self, node: &Node, locus: Locus, typed: Option<(&str, &str)>) {
        if node.is_null() {
            return;
        }
        let text = |key: &str| node.get(key).and_then(Node::text);
        let kind = text("kind").or(typed.map(|(kind, _)| kind)).unwrap_or_default();
        let version = text("apiVersion").or(typed.map(|(_, version)| version)).unwrap_or_default();
        match (kind, version) {
            ("List", _) => self.items(node, &locus, None),
            ("HorizontalPodAutoscalerList", version) => {
                self.items(node, &locus, Some(("HorizontalPodAutoscaler", version)));
            }
            ("ScaledObjectList", version) => self.items(node, &locus, Some(("ScaledObject", version))),
            ("HorizontalPodAutoscaler" | "ScaledObject", version) => self.scaler(node, kind, version, locus),
            ("", _) => {
                let detail = "an object without `kind`; add its kind, or remove the document".to_owned();
                self.faults.push(Fault { place: node.place, detail });
            }
            (kind, _) => self.manifest.skipped.push(format!("{} {}", short(kind), named(node))),
        }
    }

    fn items(&mut self, list: &Node, (document, path): &Locus, typed: Option<(&str, &str)>) {
        for (index, item) in list.get("items").map(Node::items).unwrap_or_default().iter().enumerate() {
            let inside = path.iter().cloned().chain([Step::key("items"), Step::Item(index)]).collect();
            self.object(item, (*document, inside), typed);
        }
    }

    fn scaler(&mut self, node: &Node, kind: &str, version: &str, locus: Locus) {
        let mut fields = Fields::new(node);
        if let Some((key, place)) = node.doubled_key() {
            fields.fault(place, format!("key `{}` stands twice; keep one", short(key)));
        }
        let scaler = match (kind, version) {
            ("HorizontalPodAutoscaler", "autoscaling/v2") => hpa::read(&mut fields, locus, self.rate_metric),
            ("HorizontalPodAutoscaler", "autoscaling/v1") => hpa::read_v1(&mut fields, locus),
            ("HorizontalPodAutoscaler", other) => {
                let next = format!("`kubectl get hpa {} -o yaml` prints it as autoscaling/v2", named(node));
                let detail =
                    format!("apiVersion is `{}`, allowed are autoscaling/v2 and autoscaling/v1; {next}", short(other));
                fields.fault(node.get("apiVersion").map_or(node.place, |node| node.place), detail);
                None
            }
            (_, "keda.sh/v1alpha1") => scaled_object::read(&mut fields, locus, self.rate_metric),
            (_, other) => {
                let detail = format!("apiVersion is `{}`, allowed is keda.sh/v1alpha1; correct it", short(other));
                fields.fault(node.get("apiVersion").map_or(node.place, |node| node.place), detail);
                None
            }
        };
        self.faults.append(&mut fields.faults);
        self.manifest.scalers.extend(scaler);
    }

    fn check_names(&mut self) {
        let labels: Vec<String> = self.manifest.scalers.iter().map(Scaler::label).collect();
        let twice = (0..labels.len()).find(|index| labels[..*index].contains(&labels[*index]));
        if let Some(index) = twice {
            let detail = format!("autoscaler {} stands twice in the manifest; keep one", labels[index]);
            self.faults.push(Fault { place: Place { line: 1, column: 1 }, detail });
        }
    }
}

fn named(node: &Node) -> String {
    short(node.get("metadata").and_then(|node| node.get("name")).and_then(Node::text).unwrap_or("without a name"))
}

/// Foreign text for a message: short, on one line.
pub(super) fn short(text: &str) -> String {
    text.chars().take(253).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests;
