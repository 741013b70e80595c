//! Scenarios that are built into the binary, so that they work from any folder; each begins with a comment on what it is for and
//! what to look at.

use serde_json::json;

use super::{ScenarioListArgs, reading};
use crate::config::nearest;
use crate::error::{ExperimentError, Result};

/// What `scenario new` starts from.
pub(super) const START: &str = "single-web-service";

macro_rules! gallery {
    ($($name:literal),* $(,)?) => { &[$(($name, include_str!(concat!("../../scenarios/", $name, ".toml")))),*] };
}

/// Name and text of each, in alphabetical order.
pub const GALLERY: &[(&str, &str)] = gallery![
    "batch-scale-to-zero",
    "cold-starts",
    "flash-crowd",
    "llm-replay",
    "llm-serving",
    "metastable-retries",
    "node-loss",
    "node-pool-bound",
    "noisy-neighbours",
    "openb",
    "rolling-update",
    "shop",
    "single-web-service",
];

/// The text of the one called `name`.
pub(super) fn find(name: &str) -> Result<&'static str> {
    GALLERY.iter().find(|(known, _)| *known == name).map(|(_, text)| *text).ok_or_else(|| unknown(name))
}

/// Names of all, the nearest to `name` first.
pub(super) fn names(name: &str) -> String {
    nearest::first(name, GALLERY.iter().map(|(known, _)| *known)).join(", ")
}

fn unknown(name: &str) -> ExperimentError {
    ExperimentError::Usage {
        what: format!("there is no scenario `{name}` in the gallery"),
        next: format!("name one of: {}", names(name)),
    }
}

pub(super) fn list(arguments: &ScenarioListArgs) -> Result<()> {
    let mut rows = Vec::new();
    for (name, text) in GALLERY {
        rows.push((*name, reading::parse(text, &format!("built-in {name}"))?));
    }
    if arguments.json {
        let rows: Vec<_> = rows
            .iter()
            .map(|(name, spec)| json!({ "id": name, "summary": spec.summary, "kernel": spec.kernel }))
            .collect();
        say!("{}", json!({ "scenarios": rows }));
        return Ok(());
    }
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, spec) in rows {
        say!("{name:width$}  {}", spec.summary);
    }
    Ok(())
}
