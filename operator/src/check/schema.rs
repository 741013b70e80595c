//! Whether the resource type is installed, served, and the one of this binary.
//!
//! The API server publishes the schema of what it serves, to every account; the definition itself only administrators may read.

use kube::{CustomResourceExt, Resource};
use seatrial_core::control::error_class::ErrorClass;
use serde_json::Value;

use super::report::Finding;
use super::{cure, get, words};
use crate::scaling_policy::ScalingPolicy;
use crate::shell::api::Api;

const WHAT: &str = "resource type";
const PUBLISHED: &str = "/openapi/v3/apis/seatrial.dev/v1alpha1";

/// Looks at what the API server serves.
pub(super) async fn look(api: &Api) -> Finding {
    let name = format!("{} ({})", ScalingPolicy::crd_name(), ScalingPolicy::api_version(&()));
    match get(api, PUBLISHED).await {
        Ok(document) => compare(&name, &document),
        Err(failure) if failure.class() == ErrorClass::NotFound => Finding::fail(
            WHAT,
            format!("{name} is not installed: seatrial-operator manifests --crd | kubectl apply --server-side -f -"),
        ),
        Err(failure) => Finding::fail(WHAT, format!("{name} ({}): {}", words(&failure), cure(&failure))),
    }
}

fn compare(name: &str, document: &Value) -> Finding {
    let schemas = document["components"]["schemas"].as_object();
    let published = schemas.and_then(|schemas| {
        let mut found = schemas.iter().filter(|(name, _)| name.ends_with(".ScalingPolicy"));
        found.next().map(|(_, schema)| schema)
    });
    let (Some(published), Some(own)) = (published, own_schema()) else {
        return Finding::fail(WHAT, format!("{name} is published without a schema: install it anew from install.yaml"));
    };
    let mut differences = Vec::new();
    for part in ["spec", "status"] {
        differ(&own["properties"][part], &published["properties"][part], part, &mut differences);
    }
    let again = "apply the install.yaml of this operator's version";
    match differences.iter().find(|path| !is_text(path)).or(differences.first()) {
        None => Finding::good(WHAT, format!("{name} is served as this binary knows it")),
        Some(path) if is_text(path) => {
            Finding::note(WHAT, format!("{name} has other descriptions than this binary's ({path}): {again}"))
        }
        Some(path) => {
            Finding::fail(WHAT, format!("{name} is of another version, the first difference is at {path}: {again}"))
        }
    }
}

fn own_schema() -> Option<Value> {
    let definition = serde_json::to_value(ScalingPolicy::crd()).ok()?;
    Some(definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone())
}

fn is_text(path: &str) -> bool {
    path.ends_with(".description")
}

/// The paths at which two schemas differ.
fn differ(own: &Value, published: &Value, path: &str, differences: &mut Vec<String>) {
    match (own.as_object(), published.as_object()) {
        (Some(a), Some(b)) => {
            for name in a.keys().chain(b.keys().filter(|name| !a.contains_key(*name))) {
                let (own, published) = (a.get(name).unwrap_or(&Value::Null), b.get(name).unwrap_or(&Value::Null));
                let below = if name == "properties" { path.to_owned() } else { format!("{path}.{name}") };
                differ(own, published, &below, differences);
            }
        }
        _ if is_same(own, published) => {}
        _ => differences.push(path.to_owned()),
    }
}

/// Equal as JSON: a bound that is written `1800.0` here comes back as `1800`.
fn is_same(own: &Value, published: &Value) -> bool {
    own == published || matches!((own.as_f64(), published.as_f64()), (Some(a), Some(b)) if a == b)
}

#[cfg(test)]
mod tests {
    use super::super::report::Verdict;
    use super::*;
    use serde_json::json;

    fn published(change: impl FnOnce(&mut Value)) -> Finding {
        let mut schema = own_schema().unwrap();
        change(&mut schema);
        compare("x", &json!({ "components": { "schemas": { "dev.seatrial.v1alpha1.ScalingPolicy": schema } } }))
    }

    #[test]
    fn another_version_is_told_from_another_text() {
        assert_eq!(published(|_| {}).verdict, Verdict::Good);
        let text = published(|schema| schema["properties"]["spec"]["description"] = json!("Another text."));
        assert_eq!(text.verdict, Verdict::Note, "{text}");
        let older = published(|schema| {
            let queries =
                &mut schema["properties"]["spec"]["properties"]["metrics"]["properties"]["queries"]["properties"];
            queries.as_object_mut().unwrap().remove("sampleTime");
            schema["properties"]["spec"]["description"] = json!("Another text.");
        });
        assert!(older.verdict == Verdict::Fail && older.text.contains("spec.metrics.queries.sampleTime"), "{older}");
        let newer =
            published(|schema| schema["properties"]["status"]["properties"]["mood"] = json!({ "type": "string" }));
        assert!(newer.verdict == Verdict::Fail && newer.text.contains("status.mood"), "{newer}");
    }

    #[test]
    fn a_type_without_a_schema_is_refused() {
        assert_eq!(compare("x", &json!({})).verdict, Verdict::Fail);
    }
}
