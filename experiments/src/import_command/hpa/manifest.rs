//! HorizontalPodAutoscalers in a manifest: several documents, lists, other kinds between them.
//!
//! Only fields that matter are read; others (status, managed fields, annotations of other tools) are ignored. Source:
//! the API reference of `autoscaling/v2`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

const KIND: &str = "HorizontalPodAutoscaler";
const VERSION: &str = "autoscaling/v2";

/// What a manifest holds.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) autoscalers: Vec<Autoscaler>,
    /// Kind and name of everything else.
    pub(super) skipped: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Autoscaler {
    pub(super) metadata: Metadata,
    pub(super) spec: Spec,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Metadata {
    pub(super) name: String,
    pub(super) namespace: Option<String>,
    pub(super) annotations: Option<BTreeMap<String, Value>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Spec {
    pub(super) scale_target_ref: TargetRef,
    pub(super) min_replicas: Option<i32>,
    pub(super) max_replicas: i32,
    pub(super) metrics: Option<Vec<Metric>>,
    pub(super) behavior: Option<Behavior>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TargetRef {
    pub(super) api_version: Option<String>,
    pub(super) kind: String,
    pub(super) name: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Metric {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) resource: Option<Resource>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Resource {
    pub(super) name: String,
    pub(super) target: MetricTarget,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MetricTarget {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) average_utilization: Option<i32>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Behavior {
    pub(super) scale_up: Option<Rules>,
    pub(super) scale_down: Option<Rules>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rules {
    pub(super) stabilization_window_seconds: Option<i32>,
    pub(super) select_policy: Option<String>,
    pub(super) policies: Option<Vec<Limit>>,
    /// A quantity: `"0.05"`, `"50m"` or a plain number.
    pub(super) tolerance: Option<Value>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Limit {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) value: i32,
    pub(super) period_seconds: i32,
}

/// Reads all documents of a manifest.
///
/// # Errors
/// One line that says where and what to do: no YAML, an autoscaler of another version or shape, none at all.
pub(super) fn find(text: &str) -> Result<Found, String> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).map_err(|error| {
        let error = error.to_string();
        // The reader adds a picture of the place below its first line.
        let line = error.lines().next().unwrap_or_default().trim_start_matches("error: ");
        format!("not readable as YAML ({line}). Give manifests as kubectl takes them; a chart has to be rendered first (helm template)")
    })?;
    let mut found = Found { autoscalers: Vec::new(), skipped: Vec::new() };
    for document in documents {
        found.add(document)?;
    }
    if found.autoscalers.is_empty() {
        return Err(format!("holds no {KIND}. `kubectl get hpa --all-namespaces -o yaml` prints those of a cluster"));
    }
    Ok(found)
}

impl Found {
    fn add(&mut self, document: Value) -> Result<(), String> {
        let text = |key: &str| document.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        match (text("kind").as_str(), text("apiVersion")) {
            _ if document.is_null() => Ok(()),
            ("List", _) => self.add_items(&document, None),
            ("HorizontalPodAutoscalerList", version) => self.add_items(&document, Some(&version)),
            (KIND, version) => self.add_autoscaler(document, &version),
            ("", _) => Err(format!("a document without `kind` ({}). Remove it, or add its kind", name(&document))),
            (kind, _) => {
                self.skipped.push(format!("{kind} {}", name(&document)));
                Ok(())
            }
        }
    }

    /// The items of a list; those of a typed list may leave out kind and version.
    fn add_items(&mut self, list: &Value, version: Option<&str>) -> Result<(), String> {
        for item in list.get("items").and_then(Value::as_array).into_iter().flatten() {
            match version {
                Some(version) => self.add_autoscaler(item.clone(), version)?,
                None => self.add(item.clone())?,
            }
        }
        Ok(())
    }

    fn add_autoscaler(&mut self, document: Value, version: &str) -> Result<(), String> {
        let name = name(&document);
        if version != VERSION {
            return Err(format!(
                "{KIND} {name} has apiVersion `{version}`, {VERSION} is needed. `kubectl get hpa {name} -o yaml` prints it so"
            ));
        }
        let autoscaler = serde_path_to_error::deserialize(document)
            .map_err(|error| format!("{KIND} {name}: {}: {}. Correct the manifest", error.path(), error.inner()))?;
        self.autoscalers.push(autoscaler);
        Ok(())
    }
}

fn name(document: &Value) -> String {
    let name = document.pointer("/metadata/name").and_then(Value::as_str).unwrap_or("without a name");
    name.chars().take(253).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
