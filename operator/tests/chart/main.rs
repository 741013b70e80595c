//! The Helm chart says the same as the plain manifests, object by object, in several settings.
//!
//! With Helm on the machine it renders the chart; the small renderer beside this file renders it in any case.

#![expect(
    clippy::unwrap_used,
    reason = "an integration test: what the functions beside the tests unwrap is a failure too"
)]

mod template;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;

use seatrial_operator::manifest::{Settings, crd_yaml, parts};
use serde_json::{Value, json};

fn chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("chart/seatrial-operator")
}

fn yaml_file(name: &str) -> Value {
    serde_saphyr::from_str(&std::fs::read_to_string(chart().join(name)).unwrap()).unwrap()
}

/// The default values with `changes` merged in.
fn values(changes: &Value) -> Value {
    let mut values = yaml_file("values.yaml");
    merge(&mut values, changes);
    values
}

fn merge(into: &mut Value, changes: &Value) {
    match (into.as_object_mut(), changes.as_object()) {
        (Some(entries), Some(changes)) => {
            for (name, change) in changes {
                merge(entries.entry(name).or_insert(Value::Null), change);
            }
        }
        _ => *into = changes.clone(),
    }
}

/// Objects by kind and name.
type Objects = BTreeMap<(String, String), Value>;

fn key(object: &Value) -> (String, String) {
    (object["kind"].as_str().unwrap().to_owned(), object["metadata"]["name"].as_str().unwrap().to_owned())
}

fn objects(yaml: &str) -> Objects {
    let documents = yaml.split("\n---\n").map(|document| serde_saphyr::from_str::<Value>(document).unwrap());
    let mut objects = Objects::new();
    for object in documents.filter(|document| !document.is_null()) {
        let twice = objects.insert(key(&object), object.clone());
        assert_eq!(twice, None, "{:?} is there twice", key(&object));
    }
    objects
}

fn rendered(namespace: &str, changes: &Value) -> Objects {
    let context = json!({ "Values": values(changes), "Release": { "Namespace": namespace } });
    let mut stream = String::new();
    for entry in std::fs::read_dir(chart().join("templates")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let rendered = template::render(&text, &context).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        if path.extension().is_some_and(|extension| extension == "yaml") {
            stream.push_str(&format!("{rendered}\n---\n"));
        }
    }
    objects(&stream)
}

/// What Helm makes of the chart; `None`, said on the terminal, where it is not installed.
fn rendered_by_helm(namespace: &str, changes: &Value) -> Option<Objects> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("values.json");
    std::fs::write(&file, changes.to_string()).unwrap();
    let mut helm = Command::new("helm");
    helm.args(["template", "seatrial-operator"]).arg(chart()).args([
        "--namespace",
        namespace,
        "--kube-version",
        "1.34.0",
    ]);
    let Ok(output) = helm.arg("--values").arg(&file).output() else {
        static SAID: Once = Once::new();
        let text = b"SKIPPED: helm is not installed; the chart was rendered by the test's own renderer\n";
        SAID.call_once(|| std::io::stderr().write_all(text).unwrap());
        return None;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(objects(&format!("\n{}", String::from_utf8(output.stdout).unwrap())))
}

/// The plain manifests without what Helm makes otherwise: the namespace (`--create-namespace`) and the type (`crds/`).
fn plain(settings: &Settings) -> Objects {
    let parts = parts(settings).into_iter().map(|part| part.object);
    parts.filter(|object| object["kind"] != "Namespace").map(|object| (key(&object), object)).collect()
}

fn assert_same(namespace: &str, changes: &Value, expected: &Objects) {
    let mut renderings = vec![("the test's renderer", rendered(namespace, changes))];
    renderings.extend(rendered_by_helm(namespace, changes).map(|objects| ("helm", objects)));
    for (by, objects) in renderings {
        let names: Vec<_> = objects.keys().collect();
        assert_eq!(names, expected.keys().collect::<Vec<_>>(), "objects by {by} with {changes}");
        for (key, object) in &objects {
            assert_eq!(object, &expected[key], "{key:?} by {by} with {changes}");
        }
    }
}

#[test]
fn by_default_the_chart_is_the_plain_installation() {
    assert_same("seatrial-system", &json!({}), &plain(&Settings::default()));
}

#[test]
fn its_settings_are_those_of_the_plain_installation() {
    for (changes, settings) in [
        (json!({ "replicas": 2 }), Settings { replicas: 2, ..Settings::default() }),
        (json!({ "watchNamespace": "shop" }), Settings { watch: Some("shop".into()), ..Settings::default() }),
        (
            json!({ "decisions": { "existingClaim": "kept" } }),
            Settings { claim: Some("kept".into()), ..Settings::default() },
        ),
        (
            json!({ "image": "elsewhere/operator:7" }),
            Settings { image: "elsewhere/operator:7".into(), ..Settings::default() },
        ),
    ] {
        assert_same("seatrial-system", &changes, &plain(&settings));
    }
    let settings = Settings { namespace: "autoscaling".into(), ..Settings::default() };
    assert_same("autoscaling", &json!({}), &plain(&settings));
}

#[test]
fn other_values_reach_the_pod() {
    let tolerations = json!([{ "key": "dedicated", "operator": "Exists" }]);
    let changes = json!({
        "tolerations": tolerations, "nodeSelector": { "disk": "fast" }, "imagePullSecrets": [{ "name": "registry" }],
        "affinity": { "nodeAffinity": {} }, "imagePullPolicy": "Always", "logLevel": "debug",
        "credentials": { "secret": "tokens", "configMap": "authorities" }, "resources": { "limits": { "memory": "1Gi" } }
    });
    let mut expected = plain(&Settings::default());
    let deployment = expected.get_mut(&("Deployment".to_owned(), "seatrial-operator".to_owned())).unwrap();
    let pod = &mut deployment["spec"]["template"]["spec"];
    for name in ["tolerations", "nodeSelector", "imagePullSecrets", "affinity"] {
        pod[name] = changes[name].clone();
    }
    let container = &mut pod["containers"][0];
    container["imagePullPolicy"] = json!("Always");
    container["env"][0]["value"] = json!("debug");
    container["resources"]["limits"]["memory"] = json!("1Gi");
    let sources = &mut pod["volumes"][1]["projected"]["sources"];
    sources[0]["secret"]["name"] = json!("tokens");
    sources[1]["configMap"]["name"] = json!("authorities");
    assert_same("seatrial-system", &changes, &expected);
}

#[test]
fn the_chart_carries_the_type_and_the_version_of_the_operator() {
    let crd = std::fs::read_to_string(chart().join("crds/scalingpolicies.yaml")).unwrap();
    assert!(crd == crd_yaml().unwrap(), "the chart's crds are stale: run `cargo xtask generate`");
    let about = yaml_file("Chart.yaml");
    for field in ["version", "appVersion"] {
        assert_eq!(about[field], env!("CARGO_PKG_VERSION"), "{field} in Chart.yaml");
    }
}

#[test]
fn every_value_is_documented_and_in_the_schema() {
    let schema: Value =
        serde_json::from_str(&std::fs::read_to_string(chart().join("values.schema.json")).unwrap()).unwrap();
    let values = yaml_file("values.yaml");
    let known = schema["properties"].as_object().unwrap();
    // `global` is Helm's own.
    let names: Vec<&String> = known.keys().filter(|name| *name != "global").collect();
    assert_eq!(values.as_object().unwrap().keys().collect::<Vec<_>>(), names);
    let text = std::fs::read_to_string(chart().join("values.yaml")).unwrap();
    for name in names {
        let (before, _) = text.split_once(&format!("\n{name}:")).unwrap();
        let line = before.lines().next_back().unwrap_or_default();
        let listed = ["imagePullPolicy", "imagePullSecrets", "tolerations", "affinity"].contains(&&**name);
        assert!(line.starts_with('#') || listed, "{name} has no comment in values.yaml");
    }
}

#[test]
fn notes_speak_of_the_namespaces() {
    let notes = std::fs::read_to_string(chart().join("templates/NOTES.txt")).unwrap();
    for (watched, words) in [("", "watches all namespaces;"), ("shop", "watches namespace shop;")] {
        let context =
            json!({ "Values": values(&json!({ "watchNamespace": watched })), "Release": { "Namespace": "here" } });
        let text = template::render(&notes, &context).unwrap();
        assert!(text.contains(words) && text.contains("kubectl exec -n here deploy/"), "{text}");
    }
}
