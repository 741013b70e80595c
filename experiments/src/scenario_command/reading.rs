//! From the text of a scenario to its spec, with every error at its file, line and column.
//!
//! Three readings of one text: as TOML, as the schema's shape (the first mistake ends it, for nothing behind it can be trusted),
//! and for its meaning (all mistakes at once).

mod shape;

use std::path::Path;

use seatrial_envs::spec::{Problem, ScenarioSpec, check, never, wording};
use toml::de::{DeTable, Deserializer};

use super::document::Document;
use super::{gallery, refused};
use crate::error::{ExperimentError, Result};

/// Characters of a key that a message repeats.
const MOST_OF_A_KEY: usize = 160;

/// A scenario with where it came from.
#[derive(Clone, Debug)]
pub struct LoadedScenario {
    /// The scenario, checked.
    pub spec: ScenarioSpec,
    /// Name for messages: the path, or `built-in NAME`.
    pub origin: String,
    /// Its text.
    pub text: String,
}

/// Reads a scenario by path, or by name from the gallery; a file of that name is preferred, which is said.
///
/// # Errors
/// If it cannot be read, is not TOML, has unknown keys or impossible values.
pub fn load(name: &str) -> Result<LoadedScenario> {
    let path = Path::new(name);
    let (text, origin) = match gallery::find(name) {
        Ok(text) if !path.is_file() => (text.to_owned(), format!("built-in {name}")),
        built_in => {
            if built_in.is_ok() {
                tell!("`{name}` is a file here, which is taken, and a scenario of the gallery, which is not");
            }
            (read(path)?, name.to_owned())
        }
    };
    let spec = parse(&text, &origin)?;
    Ok(LoadedScenario { spec, origin, text })
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => ExperimentError::Usage {
            what: format!("there is no scenario at {}", path.display()),
            next: format!(
                "give the path of a TOML file, or one of the gallery: {}",
                gallery::names(&path.display().to_string())
            ),
        },
        std::io::ErrorKind::InvalidData => {
            ExperimentError::Scenario(format!("{}:1:1: not UTF-8; a scenario is a TOML text", path.display()))
        }
        _ => ExperimentError::io("read", path)(source),
    })
}

/// Parses and checks the text of a scenario.
///
/// # Errors
/// [`ExperimentError::Scenario`] with one line per mistake: `file:line:column: key: what, and what is allowed`.
pub fn parse(text: &str, origin: &str) -> Result<ScenarioSpec> {
    let root = DeTable::parse(text).map_err(|error| refused(origin, &[shape::not_toml(text, origin, &error)]))?;
    let document = Document::new(text, root.get_ref().clone());
    let mut infinite = document.not_finite();
    infinite.retain(|(key, got)| got != "inf" || !never::KEYS.contains(&key.as_str()));
    if !infinite.is_empty() {
        let line =
            |(key, got): &(String, String)| located(&document, origin, key, &format!("is {got}, must be finite"));
        return Err(refused(origin, &infinite.iter().map(line).collect::<Vec<_>>()));
    }
    let spec: ScenarioSpec = serde_path_to_error::deserialize(Deserializer::from(root))
        .map_err(|error| refused(origin, &[shape::misshapen(&document, origin, &error)]))?;
    match check(&spec).as_slice() {
        [] => Ok(spec),
        problems => Err(at_their_keys(&document, origin, problems)),
    }
}

/// Problems of a scenario that was read before, at their keys.
pub(super) fn refuse(loaded: &LoadedScenario, problems: &[Problem]) -> ExperimentError {
    match DeTable::parse(&loaded.text) {
        Ok(root) => at_their_keys(&Document::new(&loaded.text, root.into_inner()), &loaded.origin, problems),
        Err(_) => refused(&loaded.origin, &problems.iter().map(ToString::to_string).collect::<Vec<_>>()),
    }
}

/// The same for a key and a sentence about it.
pub(super) fn refuse_key(loaded: &LoadedScenario, key: &str, detail: &str) -> ExperimentError {
    let line = DeTable::parse(&loaded.text).map_or_else(
        |_| format!("{}: `{key}`: {detail}", loaded.origin),
        |root| located(&Document::new(&loaded.text, root.into_inner()), &loaded.origin, key, detail),
    );
    refused(&loaded.origin, &[line])
}

fn at_their_keys(document: &Document<'_>, origin: &str, problems: &[Problem]) -> ExperimentError {
    let line = |problem: &Problem| {
        located(document, origin, &problem.key, &format!("is {}, must be {}", problem.got, problem.allowed))
    };
    refused(origin, &problems.iter().map(line).collect::<Vec<_>>())
}

/// A key as a message names it.
fn shown(key: &str) -> String {
    wording::shortened(key, MOST_OF_A_KEY)
}

fn located(document: &Document<'_>, origin: &str, key: &str, detail: &str) -> String {
    let (line, column) = document.place(key);
    // What stands nowhere has a default, or its absence is what is wrong.
    let default = if document.has(key) { "" } else { " (not in the file)" };
    format!("{origin}:{line}:{column}: `{}`{default} {detail}", shown(key))
}
