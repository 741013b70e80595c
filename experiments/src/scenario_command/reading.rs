//! From the text of a scenario to its spec, with every error at its file, line and column.
//!
//! Three readings of one text: as TOML, as the schema's shape (the first mistake ends it, for nothing behind it can be trusted),
//! and for its meaning (all mistakes at once).

use std::path::Path;

use seatrial_envs::spec::{Problem, ScenarioSpec, check};
use toml::de::{DeTable, Deserializer};

use super::document::{Document, line_and_column};
use super::{gallery, refused};
use crate::config::nearest;
use crate::error::{ExperimentError, Result};

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

/// Reads a scenario by path, or by name from the gallery.
///
/// # Errors
/// If it cannot be read, is not TOML, has unknown keys or impossible values.
pub fn load(name: &str) -> Result<LoadedScenario> {
    let (text, origin) = match gallery::find(name) {
        Ok(text) => (text.to_owned(), format!("built-in {name}")),
        Err(_) => (read(Path::new(name))?, name.to_owned()),
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
    let root = DeTable::parse(text).map_err(|error| {
        let (line, column) = line_and_column(text, error.span().map_or(0, |span| span.start));
        let said = error.message().replace('\n', " ");
        ExperimentError::Scenario(format!("{origin}:{line}:{column}: not TOML: {said}"))
    })?;
    let document = Document::new(text, root.get_ref().clone());
    let infinite = document.not_finite();
    if !infinite.is_empty() {
        let line =
            |(key, got): &(String, String)| located(&document, origin, key, &format!("is {got}, must be finite"));
        return Err(refused(origin, &infinite.iter().map(line).collect::<Vec<_>>()));
    }
    let spec: ScenarioSpec = serde_path_to_error::deserialize(Deserializer::from(root))
        .map_err(|error| ExperimentError::Scenario(misshapen(&document, origin, &error)))?;
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
    ExperimentError::Scenario(line)
}

fn at_their_keys(document: &Document<'_>, origin: &str, problems: &[Problem]) -> ExperimentError {
    let line = |problem: &Problem| {
        located(document, origin, &problem.key, &format!("is {}, must be {}", problem.got, problem.allowed))
    };
    refused(origin, &problems.iter().map(line).collect::<Vec<_>>())
}

fn located(document: &Document<'_>, origin: &str, key: &str, detail: &str) -> String {
    let (line, column) = document.place(key);
    // What stands nowhere has a default, or its absence is what is wrong.
    let default = if document.has(key) { "" } else { " (not in the file)" };
    format!("{origin}:{line}:{column}: `{key}`{default} {detail}")
}

/// What is wrong with the shape, in words.
fn misshapen(document: &Document<'_>, origin: &str, error: &serde_path_to_error::Error<toml::de::Error>) -> String {
    let said = error.inner().message().replace('\n', " ");
    let path = error.path().to_string();
    let mut key = if path == "." { String::new() } else { path };
    if let Some(unknown) = Quoted::after("unknown field `", &said) {
        // Inside of a table whose kind is one of its keys the path ends at that table.
        let inner = if key.is_empty() { unknown.word.to_owned() } else { format!("{key}.{}", unknown.word) };
        if document.has(&inner) {
            key = inner;
        }
        let (line, column) = document.place(&key);
        return format!("{origin}:{line}:{column}: unknown key `{key}`: {}", unknown.hint());
    }
    let (line, column) = document.place(&key);
    let place = format!("{origin}:{line}:{column}");
    if let Some(missing) = said.strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
        let full = if key.is_empty() { missing.to_owned() } else { format!("{key}.{missing}") };
        return format!("{place}: `{full}` is missing: it has no default; see docs/scenarios.md");
    }
    let shown = if key.is_empty() { "(whole file)" } else { &key };
    if let Some(unknown) = Quoted::after("unknown variant `", &said) {
        return format!("{place}: `{shown}` is `{}`: {}", unknown.word, unknown.hint());
    }
    if said.contains("AmountSpec") {
        return format!("{place}: `{shown}` must be a number of pods, or whole percent such as \"25%\"");
    }
    format!("{place}: `{shown}`: {said}")
}

/// Names that a message lists, the nearest first.
const MOST_NAMES: usize = 8;

/// What serde says about a word that it does not know.
struct Quoted<'a> {
    word: &'a str,
    expected: Vec<&'a str>,
}

impl<'a> Quoted<'a> {
    fn after(prefix: &str, said: &'a str) -> Option<Self> {
        let rest = said.strip_prefix(prefix)?;
        let (word, rest) = rest.split_once('`')?;
        Some(Self { word, expected: rest.split('`').skip(1).step_by(2).collect() })
    }

    fn hint(&self) -> String {
        let mut names = nearest::first(self.word, self.expected.iter().copied());
        let more = names.len().saturating_sub(MOST_NAMES);
        names.truncate(MOST_NAMES);
        let tail = if more > 0 { format!(" and {more} more") } else { String::new() };
        let known = names.join(", ") + &tail;
        match nearest::of(self.word, self.expected.iter().copied()) {
            Some(near) => format!("did you mean `{near}`? (known here: {known})"),
            None if known.is_empty() => "no key is known here".to_owned(),
            None => format!("known here: {known}"),
        }
    }
}
