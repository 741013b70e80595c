//! The committed schemas are those of the code; real files follow them, spoilt ones do not.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up its case has failed")]

use std::path::{Path, PathBuf};
use std::process::Command;

use seatrial_core::time::Timestamp;
use seatrial_datasets::{Column, Table, write_table};
use seatrial_experiments::scenario_command::GALLERY;
use seatrial_experiments::schemas::SCHEMAS;
use serde_json::{Value, json};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn schema(name: &str) -> Value {
    let row = SCHEMAS.iter().find(|row| row.name == name).unwrap();
    read(&repository().join(row.path))
}

#[test]
fn committed_schemas_are_those_of_the_code() {
    for row in SCHEMAS {
        let committed = std::fs::read_to_string(repository().join(row.path)).unwrap();
        assert!((row.text)() == committed, "{} is stale: run `cargo xtask generate`", row.path);
    }
}

/// The part of JSON Schema 2020-12 that the committed schemas use, written for this test. An unknown keyword is an error.
fn check(value: &Value, schema: &Value, root: &Value, at: &str) -> Result<(), String> {
    let Some(keywords) = schema.as_object() else { return Ok(()) };
    for (keyword, want) in keywords {
        let fine = match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" | "default" | "format" => true,
            "$ref" => {
                let name = want.as_str().unwrap().strip_prefix("#/$defs/").unwrap();
                check(value, &root["$defs"][name], root, at)?;
                true
            }
            "anyOf" | "oneOf" => items(want).any(|choice| check(value, choice, root, at).is_ok()),
            "type" => want
                .as_str()
                .map_or_else(|| items(want).any(|kind| is_a(value, kind.as_str().unwrap())), |kind| is_a(value, kind)),
            "const" => want == value,
            "pattern" => {
                assert_eq!(want, "^[0-9a-f]{64}$");
                let text = value.as_str().unwrap();
                text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
            }
            "enum" => items(want).any(|known| known == value),
            "minItems" => value.as_array().is_none_or(|list| list.len() >= want.as_u64().unwrap() as usize),
            "maxItems" => value.as_array().is_none_or(|list| list.len() <= want.as_u64().unwrap() as usize),
            "minimum" => value.as_f64().is_none_or(|number| number >= want.as_f64().unwrap()),
            "required" => value.is_null() || items(want).all(|key| value.get(key.as_str().unwrap()).is_some()),
            "items" => {
                items(value).try_for_each(|item| check(item, want, root, &format!("{at}[]")))?;
                true
            }
            "properties" => true,
            "additionalProperties" => {
                for (key, inner) in value.as_object().into_iter().flatten() {
                    let known = schema.get("properties").and_then(|known| known.get(key));
                    match known.unwrap_or(want) {
                        Value::Bool(false) => return Err(format!("{at}: unknown key {key}")),
                        of_key => check(inner, of_key, root, &format!("{at}/{key}"))?,
                    }
                }
                true
            }
            other => panic!("unknown keyword {other}"),
        };
        if !fine {
            return Err(format!("{at}: {value} against {keyword} {want}"));
        }
    }
    Ok(())
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn is_a(value: &Value, kind: &str) -> bool {
    match kind {
        "array" => value.is_array(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "object" => value.is_object(),
        "string" => value.is_string(),
        other => panic!("unknown type {other}"),
    }
}

/// The object at `pointer`, for spoiling.
fn object<'a>(value: &'a mut Value, pointer: &str) -> &'a mut serde_json::Map<String, Value> {
    value.pointer_mut(pointer).unwrap().as_object_mut().unwrap()
}

/// `file` follows its schema; with a key more or less in any of the places, or a wrong value, it does not.
fn follows(name: &str, file: &Value, places: &[&str], wrong: &[(&str, Value)]) {
    let schema = schema(name);
    check(file, &schema, &schema, name).unwrap();
    let refused = |what: String, spoil: &dyn Fn(&mut Value)| {
        let mut spoilt = file.clone();
        spoil(&mut spoilt);
        assert_ne!(&spoilt, file, "{what}");
        assert!(check(&spoilt, &schema, &schema, name).is_err(), "{what}");
    };
    for place in places {
        refused(format!("{place}: a key more"), &|file| drop(object(file, place).insert("weather".into(), json!(1))));
        let keys: Vec<String> = object(&mut file.clone(), place).keys().cloned().collect();
        for key in keys {
            refused(format!("{place}/{key} is gone"), &|file| drop(object(file, place).remove(&key)));
        }
    }
    for (pointer, value) in wrong {
        refused(format!("{pointer} is {value}"), &|file| *file.pointer_mut(pointer).unwrap() = value.clone());
    }
}

#[test]
fn the_committed_card_follows_its_schema() {
    let card = read(&repository().join("experiments/bundles/quick/policy.json"));
    let places = [
        "/workload",
        "/workload/bounds",
        "/feature_schema",
        "/actions",
        "/provenance",
        "/provenance/traces/0",
        "/evidence",
        "/evidence/against_hpa_tuned",
        "/hashes",
        "/strategy/policy",
    ];
    let wrong = [
        ("/hash", json!("f3ca")),
        ("/schema_version", json!(1)),
        ("/kind", json!("writes")),
        ("/workload/bounds/min", json!(-1)),
        ("/workload/metric_lag", json!("15s")),
        ("/evidence/guard_share", json!("few")),
        ("/provenance/study_files/tuned.json", json!(null)),
    ];
    follows("policy", &card, &[&[""], &places[..]].concat(), &wrong);
}

#[test]
fn the_manifest_of_a_run_follows_its_schema() {
    let folder = tempfile::tempdir().unwrap();
    let at = |bin: i64| Timestamp::from_secs(864_000 + 300 * bin).micros();
    let table = Table::new()
        .with("timestamp", Column::TimestampUs((0..1_152).map(at).collect()))
        .and_then(|table| {
            table.with("value", Column::F64((0..1_152).map(|bin| 300.0 + f64::from(bin % 288)).collect()))
        })
        .unwrap();
    let metadata = [("trace.kind", "rate"), ("trace.unit", "requests"), ("trace.interval_us", "300000000")];
    write_table(&folder.path().join("small.parquet"), &table, &metadata).unwrap();
    let study = "name = \"small\"\nprotocol = \"p1\"\nstrategies = [\"hpa-default\"]\n[seeds]\nevaluation = [1]\ntuning = [11]\n\
                 training_base = 100\ntraining = 1\n[[traces]]\nid = \"small\"\nheadline = false\n";
    std::fs::write(folder.path().join("study.toml"), study).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_seatrial"))
        .args(["run", "study.toml", "--out", "run"])
        .current_dir(folder.path())
        .env("SEATRIAL_TRACES", folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let manifest = read(&folder.path().join("run/manifest.json"));
    let places = ["", "/protocol", "/seeds", "/traces/0", "/openings/0"];
    follows(
        "manifest",
        &manifest,
        &places,
        &[("/cells", json!("many")), ("/openings", json!(null)), ("/schema", json!(7))],
    );
}

#[test]
fn the_gallery_follows_its_schema() {
    let schema = schema("scenario");
    for (name, text) in GALLERY {
        let file: Value = toml::from_str(text).unwrap();
        check(&file, &schema, &schema, name).unwrap_or_else(|error| panic!("{name}: {error}"));
        for pointer in ["", "/traffic/0", "/traffic/0/source"] {
            let mut spoilt = file.clone();
            object(&mut spoilt, pointer).insert("weather".into(), json!(1));
            assert!(check(&spoilt, &schema, &schema, name).is_err(), "{name}: a key more at {pointer}");
        }
        let mut spoilt = file.clone();
        spoilt["kernel"] = json!("steam");
        assert!(check(&spoilt, &schema, &schema, name).is_err(), "{name}");
    }
}

#[test]
fn the_summary_of_a_scenario_follows_its_schema() {
    let folder = tempfile::tempdir().unwrap();
    let text = "name = \"small\"\nsummary = \"a test\"\nkernel = \"events\"\nduration_s = 60\n[services.web]\nreplicas = 1\n\
                cores = 1.0\nservice_time_s = { constant = 0.1 }\n[[traffic]]\nservice = \"web\"\n\
                source = { constant = { rate_per_s = 2.0 } }\n[[faults]]\nkind = \"pod-kill\"\nservice = \"web\"\npods = 1\nat_s = 30\n";
    std::fs::write(folder.path().join("small.toml"), text).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_seatrial"))
        .args(["scenario", "run", "small.toml", "--out", "run"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let summary = read(&folder.path().join("run/summary.json"));
    let places = ["", "/total", "/total/latency", "/conservation", "/services/web", "/services/web/account", "/costs"];
    let wrong = [("/kernel", json!("steam")), ("/seed", json!(-1)), ("/total/j", json!("much"))];
    follows("scenario-summary", &summary, &places, &wrong);
}
