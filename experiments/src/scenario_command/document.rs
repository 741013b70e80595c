//! A TOML text with the place of each of its keys.
//!
//! A key is a path as messages write it: `services.web.calls[0].to`. What is not in the text has the place of the nearest table
//! around it.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A parsed text.
#[derive(Debug)]
pub(super) struct Document<'t> {
    text: &'t str,
    root: DeTable<'t>,
}

/// How far a path leads.
struct Walked<'d, 't> {
    /// Of the deepest step that is there.
    offset: usize,
    /// What stands there, if the path leads to its end.
    value: Option<&'d DeValue<'t>>,
}

impl<'t> Document<'t> {
    pub(super) const fn new(text: &'t str, root: DeTable<'t>) -> Self {
        Self { text, root }
    }

    /// Line and column of the key, from 1.
    pub(super) fn place(&self, path: &str) -> (usize, usize) {
        line_and_column(self.text, self.offset(path))
    }

    /// Whether the path is in the text to its end.
    pub(super) fn has(&self, path: &str) -> bool {
        self.value(path).is_some()
    }

    /// What stands at the path.
    pub(super) fn value(&self, path: &str) -> Option<&DeValue<'t>> {
        self.walk(path).value
    }

    fn offset(&self, path: &str) -> usize {
        self.walk(path).offset
    }

    fn walk(&self, path: &str) -> Walked<'_, 't> {
        let Some((mut offset, mut value, mut rest)) = entry(&self.root, path) else {
            return Walked { offset: 0, value: None };
        };
        while !rest.is_empty() {
            let next = match value {
                DeValue::Table(table) => rest.strip_prefix('.').and_then(|rest| entry(table, rest)),
                DeValue::Array(items) => item(items, rest),
                _ => None,
            };
            let Some(next) = next else { return Walked { offset, value: None } };
            (offset, value, rest) = next;
        }
        Walked { offset, value: Some(value) }
    }

    /// The nearest key before `offset` that is called `name`, wherever it stands.
    pub(super) fn earlier(&self, name: &str, offset: usize) -> Option<usize> {
        let mut found = Vec::new();
        keys_called(name, &self.root, &mut found);
        found.into_iter().filter(|at| *at < offset).max()
    }

    /// Paths of numbers that are infinite or not numbers.
    pub(super) fn not_finite(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for (key, value) in &self.root {
            gather(key.get_ref().to_string(), value, &mut found);
        }
        found
    }
}

/// An entry of a path, or an item of one: its offset, its value, and the rest of the path.
type Step<'a, 't, 'p> = (usize, &'a DeValue<'t>, &'p str);

/// The entry of the table that the path begins with. A name may hold dots and brackets: the longest that fits is meant.
fn entry<'a, 't, 'p>(table: &'a DeTable<'t>, path: &'p str) -> Option<Step<'a, 't, 'p>> {
    let fits = |(key, value): (&'a Spanned<_>, &'a Spanned<DeValue<'t>>)| {
        let name: &std::borrow::Cow<'t, str> = key.get_ref();
        let rest = path.strip_prefix(name.as_ref())?;
        let ends = rest.is_empty() || rest.starts_with(['.', '[']);
        ends.then_some((key.span().start, value.get_ref(), rest))
    };
    table.iter().filter_map(fits).min_by_key(|(_, _, rest)| rest.len())
}

/// The item of the list that the path begins with, as `[1]`.
fn item<'a, 't, 'p>(items: &'a [Spanned<DeValue<'t>>], path: &'p str) -> Option<Step<'a, 't, 'p>> {
    let (index, rest) = path.strip_prefix('[')?.split_once(']')?;
    let item = items.get(index.parse::<usize>().ok()?)?;
    Some((item.span().start, item.get_ref(), rest))
}

fn keys_called(name: &str, table: &DeTable<'_>, found: &mut Vec<usize>) {
    for (key, value) in table {
        if key.get_ref() == name {
            found.push(key.span().start);
        }
        match value.get_ref() {
            DeValue::Table(inner) => keys_called(name, inner, found),
            DeValue::Array(items) => {
                let tables = items.iter().filter_map(|item| item.get_ref().as_table());
                tables.for_each(|inner| keys_called(name, inner, found));
            }
            _ => {}
        }
    }
}

fn gather(path: String, value: &Spanned<DeValue<'_>>, found: &mut Vec<(String, String)>) {
    match value.get_ref() {
        DeValue::Float(number) if number.as_str().contains("inf") || number.as_str().contains("nan") => {
            found.push((path, number.as_str().to_owned()));
        }
        DeValue::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                gather(format!("{path}[{index}]"), item, found);
            }
        }
        DeValue::Table(table) => {
            for (key, value) in table {
                gather(format!("{path}.{}", key.get_ref()), value, found);
            }
        }
        _ => {}
    }
}

/// Line and column of a byte, from 1; columns count characters.
pub(super) fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "name = \"ä\"\n[services.web]\n  cores = 1.0\n  calls = [{ to = \"db\" }, { to = \"x\" }]\n\n[[traffic]]\nservice = \"web\"\n";

    fn document() -> Document<'static> {
        Document::new(TEXT, DeTable::parse(TEXT).unwrap().into_inner())
    }

    #[test]
    fn every_key_has_its_place() {
        for (path, place) in [
            ("name", (1, 1)),
            ("services.web.cores", (3, 3)),
            ("services.web.calls[1].to", (4, 29)),
            ("services.web.calls[1]", (4, 27)),
            ("traffic[0].service", (7, 1)),
            ("services.web.calls[7].to", (4, 3)),
            ("services.web.pod.cpu", (2, 11)),
            ("weather", (1, 1)),
            ("", (1, 1)),
        ] {
            assert_eq!(document().place(path), place, "{path}");
        }
        assert!(document().has("traffic[0].service") && !document().has("traffic[1].service"));
    }

    #[test]
    fn a_name_with_dots_and_brackets_has_its_place() {
        let text = "[services.\"../x\"]\n cores = 1\n[services.\"\"]\n[services.\"a[0]\"]\n[services.a]\n";
        let document = Document::new(text, DeTable::parse(text).unwrap().into_inner());
        for (path, place) in [
            ("services.../x", (1, 11)),
            ("services.../x.cores", (2, 2)),
            ("services.", (3, 11)),
            ("services.a[0]", (4, 11)),
            ("services.a", (5, 11)),
        ] {
            assert!(document.has(path), "{path}");
            assert_eq!(document.place(path), place, "{path}");
        }
        assert!(!document.has("services.x") && !document.has("services.a[0].cores"));
    }

    #[test]
    fn columns_count_characters_and_offsets_beyond_the_text_are_its_end() {
        assert_eq!(line_and_column("ä b", 3), (1, 3));
        assert_eq!(line_and_column("a\nb", 99), (2, 2));
        assert_eq!(line_and_column("ä", 1), (1, 2), "inside of a character");
    }
}
