//! What is wrong with the shape of a text, in the words of TOML: the reader's own are those of a programming language.

use seatrial_envs::spec::wording::{Unknown, reworded, short};
use toml::de::{DeTable, DeValue};

use super::super::document::{Document, line_and_column};
use super::shown;

/// Keys that hold a [`seatrial_envs::spec::Distribution`].
const DISTRIBUTIONS: [&str; 6] = ["service_time_s", "start_s", "provision_s", "speed", "input_tokens", "output_tokens"];

/// The line about a text that is not TOML.
pub(super) fn not_toml(text: &str, origin: &str, error: &toml::de::Error) -> String {
    let span = error.span().unwrap_or(0..0);
    let (line, column) = line_and_column(text, span.start);
    let mut said = error.message().replace('\n', " ");
    if said.contains("duplicate key") {
        let name = text.get(span.clone()).unwrap_or_default();
        said = format!("the key `{}` twice{}", short(name), first_place(text, name, span.start));
    }
    format!("{origin}:{line}:{column}: not TOML: {said}")
}

/// Where a key that is there twice stands for the first time.
fn first_place(text: &str, name: &str, offset: usize) -> String {
    let line_start = text.get(..offset).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1);
    let line = text.get(line_start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
    let header = Some(line.trim()).filter(|line| line.starts_with('[')).and_then(|line| first_header(text, line));
    let elsewhere = || {
        let document = Document::new(text, DeTable::parse_recoverable(text).0.into_inner());
        document.earlier(name.trim_matches(['"', '\'']), line_start)
    };
    let first = header.filter(|at| *at < line_start).or_else(elsewhere);
    let place = first.map(|at| line_and_column(text, at));
    place.map_or_else(String::new, |(line, column)| format!(", first at line {line}, column {column}"))
}

/// The first line that is this header; what the parser has recovered knows the last one alone.
fn first_header(text: &str, header: &str) -> Option<usize> {
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        if line.trim() == header {
            return Some(offset + line.find('[').unwrap_or(0) + 1);
        }
        offset += line.len();
    }
    None
}

/// The line about the first thing whose shape is wrong.
pub(super) fn misshapen(
    document: &Document<'_>,
    origin: &str,
    error: &serde_path_to_error::Error<toml::de::Error>,
) -> String {
    let said = error.inner().message().replace('\n', " ");
    let path = error.path().to_string();
    let mut key = if path == "." { String::new() } else { path };
    let inner = |name: &str| if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") };
    let detail = if let Some(unknown) = Unknown::field(&said) {
        // Inside of a table whose kind is one of its keys the path ends at that table.
        key = Some(inner(unknown.word)).filter(|inner| document.has(inner)).unwrap_or(key);
        format!("unknown key `{}`: {}", shown(&key), unknown.hint())
    } else if let Some(missing) = said.strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
        format!("`{}` is missing: it has no default; see docs/scenarios.md", shown(&inner(missing)))
    } else {
        let (named, detail) = wrong_value(document, &key, &said);
        format!("`{}` {detail}", if named.is_empty() { "(whole file)".to_owned() } else { shown(named) })
    };
    let (line, column) = document.place(&key);
    format!("{origin}:{line}:{column}: {detail}")
}

/// The key whose value is wrong, and how.
fn wrong_value<'k>(document: &Document<'_>, key: &'k str, said: &str) -> (&'k str, String) {
    if let Some(unknown) = Unknown::variant(said) {
        return (key, format!("is `{}`: {}", short(unknown.word), unknown.hint()));
    }
    if said.contains("AmountSpec") {
        return (key, "must be a number of pods, or whole percent such as \"25%\"".to_owned());
    }
    let (table, name) = key.rsplit_once('.').unwrap_or(("", key));
    if said.contains("unit variant, expected") && !document.has(key) {
        // Its kind is written where a table belongs; the path goes on to that kind.
        return (table, format!("is the text \"{name}\", must be a table: {}", example(table, None)));
    }
    let value = document.value(key);
    if said.starts_with("wanted string or table") {
        let number = value.and_then(written);
        let got = number.as_ref().map_or_else(|| "neither".to_owned(), Clone::clone);
        return (key, format!("is {got}, must be a table: {}", example(key, number.as_deref())));
    }
    if said.starts_with("wanted exactly 1 element") {
        let kinds = value.and_then(DeValue::as_table).map(|table| table.keys().map(|kind| kind.get_ref().to_string()));
        let kinds =
            kinds.map_or_else(String::new, |kinds| kinds.map(|kind| short(&kind)).collect::<Vec<_>>().join(", "));
        let got = if kinds.is_empty() { "an empty table".to_owned() } else { format!("a table of {kinds}") };
        return (key, format!("is {got}, must have one kind alone: {}", example(key, None)));
    }
    if said.ends_with("expected struct Choice") {
        return (key, format!("{}: {{ id = \"…\" }}", reworded(said)));
    }
    match (value, reworded(said).split_once(", must be ")) {
        (Some(DeValue::Datetime(moment)), Some((_, wanted))) => {
            (key, format!("is the date {moment}, must be {wanted}"))
        }
        _ if reworded(said) == said && !said.starts_with("has ") => (key, format!("cannot be read: {said}")),
        _ => (key, reworded(said)),
    }
}

/// A number as the file writes it.
fn written(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::Integer(number) => Some(number.as_str().to_owned()),
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        _ => None,
    }
}

/// What may stand at a key whose table says by one key what kind it is.
fn example(key: &str, number: Option<&str>) -> String {
    let name = key.rsplit('.').next().unwrap_or(key);
    if DISTRIBUTIONS.contains(&name) {
        let number = number.unwrap_or("0.1");
        return format!("{{ constant = {number} }}, {{ exponential = {{ mean = {number} }} }} or another distribution");
    }
    if name == "source" {
        return format!("{{ constant = {{ rate_per_s = {} }} }} or another source", number.unwrap_or("10.0"));
    }
    "{ kind = … }".to_owned()
}
