//! What is wrong with the shape of a study, in words that say which key, where it stands, and what was probably meant.

use serde_path_to_error::Error;

use super::{nearest, one_line};
use crate::error::ExperimentError;

/// The error for a study whose TOML does not have the shape of one. A key that came by `--set` is looked for there.
pub(super) fn refusal(origin: &str, error: &Error<toml::de::Error>, overrides: &[String]) -> ExperimentError {
    let (path, said) = (error.path().to_string(), one_line(error.inner()));
    let Some(unknown) = Unknown::read(&said) else {
        // The parser calls the top of a file `.`.
        let key = if path == "." { "(whole file)".to_owned() } else { path };
        return ExperimentError::config(origin, key, said);
    };
    let (place, remedy) = match overrides.iter().find(|text| sets(text, &path)) {
        Some(assignment) => (format!("--set {assignment}"), "Correct the --set or leave it out"),
        None => (origin.to_owned(), "Rename it there, or remove it"),
    };
    let known = match nearest::of(unknown.field, unknown.expected.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known are {}.", unknown.expected.join(", ")),
    };
    ExperimentError::UnknownKey { place, key: path, hint: format!("{known} {remedy}") }
}

/// Whether `assignment` sets the key at `path` or something above or below it.
fn sets(assignment: &str, path: &str) -> bool {
    let dotted = path.replace('[', ".").replace(']', "");
    let key = assignment.split('=').next().unwrap_or_default().trim();
    let below = |long: &str, short: &str| long == short || long.starts_with(&format!("{short}."));
    !key.is_empty() && (below(&dotted, key) || below(key, &dotted))
}

/// What serde says about a field that it does not know.
struct Unknown<'a> {
    field: &'a str,
    expected: Vec<&'a str>,
}

impl<'a> Unknown<'a> {
    fn read(said: &'a str) -> Option<Self> {
        let rest = said.strip_prefix("unknown field `")?;
        let mut quoted = rest.split('`').step_by(2);
        Some(Self { field: quoted.next()?, expected: rest.split('`').skip(2).step_by(2).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_serde_says() {
        let unknown = Unknown::read("unknown field `mn`, expected `min` or `max`").unwrap();
        assert_eq!((unknown.field, unknown.expected), ("mn", vec!["min", "max"]));
        let unknown = Unknown::read("unknown field `x`, there are no fields").unwrap();
        assert!(unknown.field == "x" && unknown.expected.is_empty());
        assert!(Unknown::read("invalid type: string").is_none());
    }

    #[test]
    fn an_assignment_is_found_by_its_key() {
        assert!(sets("traces.0.windw=test", "traces[0].windw"));
        assert!(sets("limits={mn=1}", "limits.mn"));
        assert!(!sets("limit=1", "limits.mn") && !sets("traces.0.window=test", "traces[0].windw"));
    }
}
