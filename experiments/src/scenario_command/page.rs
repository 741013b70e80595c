//! The tables of `docs/scenarios.md`, made from the JSON Schema of scenarios: every key with its type, default and meaning.
//!
//! The text above them is written by hand and kept as it is.

use std::fmt::Write;

use serde_json::{Map, Value};

use crate::schemas::SCHEMAS;

/// What stands between the text and the tables.
const MARK: &str =
    "<!-- From here on made by `cargo xtask generate` from the schema; edit the doc comments, not this page. -->";

/// `committed` with its tables made anew.
#[must_use]
pub fn page(committed: &str) -> String {
    let text = committed.split(MARK).next().unwrap_or_default().trim_end();
    format!("{text}\n\n{MARK}\n\n{}", tables())
}

fn tables() -> String {
    let schema =
        SCHEMAS.iter().find(|schema| schema.name == "scenario").map(|schema| (schema.text)()).unwrap_or_default();
    let schema: Value = serde_json::from_str(&schema).unwrap_or_default();
    let mut out = String::from("## Every key\n\n### Scenario\n\nThe top of the file.\n\n");
    object(&schema, &mut out);
    for (name, definition) in schema["$defs"].as_object().into_iter().flatten() {
        // Writing to a String cannot fail.
        let _ = write!(out, "\n### {}\n\n{}\n", title(name), words(definition));
        section(definition, &mut out);
    }
    out
}

fn section(definition: &Value, out: &mut String) {
    if definition.get("properties").is_some() {
        out.push('\n');
        object(definition, out);
    }
    let choices = ["oneOf", "anyOf"].iter().filter_map(|key| definition[*key].as_array()).flatten();
    let choices: Vec<&Value> = choices.collect();
    if !choices.is_empty() {
        out.push_str("\n| one of | what |\n|---|---|\n");
        for choice in &choices {
            let _ = writeln!(out, "| {} | {} |", shape(choice), words(choice));
        }
    }
    for inner in choices.iter().filter_map(|choice| inner(choice)) {
        let _ = write!(out, "\n{}:\n\n", inner.0);
        object(inner.1, out);
    }
}

/// How a variant is written.
fn shape(choice: &Value) -> String {
    if let Some(words) = choice["enum"].as_array() {
        let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
        return words.join(", ");
    }
    match (choice.get("const"), choice["properties"].as_object()) {
        (Some(word), _) => format!("`{word}`"),
        (None, Some(keys)) => match kind(keys) {
            Some(kind) => format!("`kind = {kind}`"),
            None => keys.keys().map(|key| format!("`{{ {key} = … }}`")).collect::<Vec<_>>().join(" "),
        },
        (None, None) => type_of(choice),
    }
}

fn kind(keys: &Map<String, Value>) -> Option<&Value> {
    keys.get("kind")?.get("const")
}

/// The name of a variant and the object with its keys, where it has some.
fn inner(choice: &Value) -> Option<(String, &Value)> {
    let keys = choice["properties"].as_object()?;
    if let Some(kind) = kind(keys) {
        return Some((format!("`kind = {kind}`"), choice));
    }
    let (name, inner) = keys.iter().next()?;
    inner.get("properties").map(|_| (format!("`{name}`"), inner))
}

/// A row per key of an object.
fn object(schema: &Value, out: &mut String) {
    out.push_str("| key | type | default | what |\n|---|---|---|---|\n");
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (key, value) in schema["properties"].as_object().into_iter().flatten() {
        if value.get("const").is_some() {
            continue;
        }
        let default = if required.contains(&key.as_str()) { "**needed**".to_owned() } else { default(value) };
        let _ = writeln!(out, "| `{key}` | {} | {default} | {} |", type_of(value), words(value));
    }
}

fn default(value: &Value) -> String {
    match value.get("default") {
        None | Some(Value::Null) => "absent".to_owned(),
        Some(Value::Object(keys)) if keys.is_empty() => "empty".to_owned(),
        Some(Value::Array(items)) if items.is_empty() => "empty".to_owned(),
        Some(Value::Object(keys))
            if keys.len() > 2 || keys.values().any(|value| value.is_object() && keys.len() > 1) =>
        {
            "as its own keys".to_owned()
        }
        Some(default) => format!("`{}`", toml_of(default)),
    }
}

/// A value as TOML writes it.
fn toml_of(value: &Value) -> String {
    match value {
        Value::Object(keys) => {
            let pairs = keys.iter().filter(|(_, value)| !value.is_null());
            let pairs: Vec<String> = pairs.map(|(key, value)| format!("{key} = {}", toml_of(value))).collect();
            if pairs.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", pairs.join(", ")) }
        }
        other => other.to_string(),
    }
}

fn type_of(value: &Value) -> String {
    if let Some(reference) = value["$ref"].as_str() {
        let name = title(reference.rsplit('/').next().unwrap_or_default());
        return format!("[{name}](#{})", name.to_lowercase().replace(' ', "-"));
    }
    if let Some(choices) = value["anyOf"].as_array().or_else(|| value["oneOf"].as_array()) {
        let known = choices.iter().filter(|choice| choice["type"] != "null");
        return known.map(type_of).collect::<Vec<_>>().join(" or ");
    }
    if let Some(inner) = value.get("additionalProperties").filter(|inner| inner.is_object()) {
        return format!("{} by name", type_of(inner));
    }
    if value.get("items").is_some() {
        return format!("list of {}", type_of(&value["items"]));
    }
    let kind = value["type"].as_str().map(str::to_owned).or_else(|| {
        let kinds: Vec<&str> = value["type"].as_array()?.iter().filter_map(Value::as_str).collect();
        kinds.iter().find(|kind| **kind != "null").map(|kind| (*kind).to_owned())
    });
    match kind.as_deref() {
        Some("integer") => "whole number".to_owned(),
        Some("string") => "text".to_owned(),
        Some("boolean") => "true or false".to_owned(),
        Some("array") => "list".to_owned(),
        Some("object") => "table".to_owned(),
        Some(other) => other.to_owned(),
        None => "anything".to_owned(),
    }
}

/// `AutoscalingSpec` as a heading: Autoscaling.
fn title(name: &str) -> String {
    let name = name.strip_suffix("Spec").unwrap_or(name);
    let mut title = String::new();
    for (place, letter) in name.chars().enumerate() {
        if letter.is_uppercase() && place > 0 {
            title.push(' ');
            title.extend(letter.to_lowercase());
        } else {
            title.push(letter);
        }
    }
    title
}

/// The description on one line.
fn words(value: &Value) -> String {
    let text = value["description"].as_str().unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}
