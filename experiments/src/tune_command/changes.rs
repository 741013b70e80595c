//! From a candidate to the fields of the manifest that change, and to the manifest with them.

use seatrial_core::scaling::policies::hpa::behavior::{ScalingPolicy, ScalingPolicyKind};

use super::candidates::Candidate;
use super::manifest::{Manifest, Notation, Scaler, quantity};
use super::yaml::{self, EditError, Step, Value, shown};

/// A field that changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// As people write it.
    pub(super) field: String,
    pub(super) before: String,
    pub(super) after: String,
    /// Line of the manifest; `None` where the field is added.
    pub(super) line: Option<usize>,
    edit: Edit,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Edit {
    Field(Vec<Step>, Value),
    /// The policies that stand there, and those that shall.
    Policies(Vec<Step>, Vec<ScalingPolicy>, Vec<ScalingPolicy>),
}

/// The fields that `candidate` changes, in the order of the manifest's own.
pub(super) fn of(candidate: &Candidate, scaler: &Scaler, manifest: &Manifest) -> Vec<Change> {
    let mut changes = Vec::new();
    let lines = Lines::of(manifest, scaler);
    if let Some(target) = candidate.target {
        let path = scaler.path(&scaler.metric.path);
        let text = match scaler.metric.notation {
            Notation::Integer => format!("{target:.0}"),
            Notation::Quantity => quantity::shown(target),
            Notation::Text => format!("{target}"),
        };
        let unit = if scaler.metric.signal == super::manifest::Signal::Cpu { " %" } else { "" };
        let line = lines.of_field(&path);
        let value = match scaler.metric.notation {
            Notation::Integer => Value::Plain(text.clone()),
            Notation::Quantity | Notation::Text => Value::Quantity(text.clone()),
        };
        // A manifest without metrics gets the whole metric.
        let without_metric = line.is_none() && scaler.metric.path.contains(&Step::key("metrics"));
        let edit = if without_metric {
            Edit::Field(scaler.path(&[Step::key("spec"), Step::key("metrics")]), cpu_metric(&text))
        } else {
            Edit::Field(path.clone(), value)
        };
        let (before, after) = (format!("{}{unit}", scaler.metric.target), format!("{target}{unit}"));
        changes.push(Change { field: shown(&path), before, after, line, edit });
    }
    for (up, direction) in [(true, "scaleUp"), (false, "scaleDown")] {
        let rules = scaler.rules(up);
        let at = |key: &str| -> Vec<Step> {
            let below = scaler.behavior_path.iter().cloned();
            scaler.path(&below.chain([Step::key(direction), Step::key(key)]).collect::<Vec<_>>())
        };
        let window = if up { candidate.up_window_s } else { candidate.hold_s };
        if let Some(seconds) = window {
            let path = at("stabilizationWindowSeconds");
            let default = if up { 0 } else { 300 };
            let before = rules.stabilization_window_seconds;
            changes.push(Change {
                field: shown(&path),
                before: before.map_or_else(|| format!("{default} (default)"), |seconds| seconds.to_string()),
                after: seconds.to_string(),
                line: lines.of_field(&path),
                edit: Edit::Field(path, Value::Plain(seconds.to_string())),
            });
        }
        if let Some(policies) = if up { &candidate.up } else { &candidate.down } {
            let path = at("policies");
            let before = if rules.policies.is_some() { "" } else { " (default)" };
            changes.push(Change {
                field: shown(&path),
                before: in_words(&scaler.policies(up)) + before,
                after: in_words(policies),
                line: lines.of_field(&path),
                edit: Edit::Policies(path, rules.policies.unwrap_or_default(), policies.clone()),
            });
        }
    }
    changes
}

/// Where fields stand.
struct Lines {
    documents: Vec<yaml::Node>,
    document: usize,
}

impl Lines {
    fn of(manifest: &Manifest, scaler: &Scaler) -> Self {
        Self { documents: yaml::read(&manifest.text).unwrap_or_default(), document: scaler.document }
    }

    fn of_field(&self, path: &[Step]) -> Option<usize> {
        let node = self.documents.get(self.document)?.own(path)?;
        (!node.is_null()).then_some(node.place.line)
    }
}

fn cpu_metric(percent: &str) -> Value {
    let plain = |text: &str| Value::Plain(text.to_owned());
    let target = Value::map([("type", plain("Utilization")), ("averageUtilization", plain(percent))]);
    let resource = Value::map([("name", plain("cpu")), ("target", target)]);
    Value::List(vec![Value::map([("type", plain("Resource")), ("resource", resource)])])
}

/// `4 pods or 100 % in 15 s`.
pub(super) fn in_words(policies: &[ScalingPolicy]) -> String {
    let one = |policy: &ScalingPolicy| {
        let unit = match policy.kind {
            ScalingPolicyKind::Pods if policy.value == 1 => " pod",
            ScalingPolicyKind::Pods => " pods",
            ScalingPolicyKind::Percent => " %",
        };
        (format!("{}{unit}", policy.value), policy.period_seconds)
    };
    let all: Vec<(String, u32)> = policies.iter().map(one).collect();
    match all.as_slice() {
        [first, rest @ ..] if rest.iter().all(|other| other.1 == first.1) => {
            let amounts: Vec<&str> = all.iter().map(|(amount, _)| amount.as_str()).collect();
            format!("{} in {} s", amounts.join(" or "), first.1)
        }
        _ => {
            let each: Vec<String> = all.iter().map(|(amount, period)| format!("{amount} in {period} s")).collect();
            each.join(" or ")
        }
    }
}

fn kind_word(kind: ScalingPolicyKind) -> &'static str {
    match kind {
        ScalingPolicyKind::Pods => "Pods",
        ScalingPolicyKind::Percent => "Percent",
    }
}

fn policy_value(policy: &ScalingPolicy) -> Value {
    Value::map([
        ("type", Value::Plain(kind_word(policy.kind).to_owned())),
        ("value", Value::Plain(policy.value.to_string())),
        ("periodSeconds", Value::Plain(policy.period_seconds.to_string())),
    ])
}

/// The text with all changes.
///
/// # Errors
/// The first field that cannot be set without touching anything else.
pub(super) fn apply(text: &str, document: usize, changes: &[Change]) -> Result<String, EditError> {
    let mut text = text.to_owned();
    for change in changes {
        text = match &change.edit {
            Edit::Field(path, value) => yaml::set(&text, document, path, value)?,
            Edit::Policies(path, before, after) => set_policies(&text, (document, path), before, after)?,
        };
    }
    Ok(text)
}

/// Policies one by one, so that comments beside those that stay do so too.
fn set_policies(
    text: &str,
    (document, path): (usize, &[Step]),
    before: &[ScalingPolicy],
    after: &[ScalingPolicy],
) -> Result<String, EditError> {
    if before.is_empty() {
        return yaml::set(text, document, path, &Value::List(after.iter().map(policy_value).collect()));
    }
    let mut text = yaml::truncate(text, document, path, after.len())?;
    let item = |index: usize| -> Vec<Step> { path.iter().cloned().chain([Step::Item(index)]).collect() };
    for (index, new) in after.iter().enumerate() {
        let Some(old) = before.get(index) else {
            text = yaml::set(&text, document, &item(index), &policy_value(new))?;
            continue;
        };
        let fields = [
            ("type", kind_word(old.kind).to_owned(), kind_word(new.kind).to_owned()),
            ("value", old.value.to_string(), new.value.to_string()),
            ("periodSeconds", old.period_seconds.to_string(), new.period_seconds.to_string()),
        ];
        for (key, _, new) in fields.into_iter().filter(|(_, old, new)| old != new) {
            let at: Vec<Step> = item(index).into_iter().chain([Step::key(key)]).collect();
            text = yaml::set(&text, document, &at, &Value::Plain(new))?;
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
