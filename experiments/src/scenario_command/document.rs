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

/// A step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
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
        let steps = steps(path);
        self.walk(&steps).1 == steps.len()
    }

    fn offset(&self, path: &str) -> usize {
        self.walk(&steps(path)).0
    }

    /// The offset of the deepest step that is there, and how many steps are.
    fn walk(&self, steps: &[Step]) -> (usize, usize) {
        let Some(Step::Key(first)) = steps.first() else { return (0, 0) };
        let Some((mut offset, mut value)) = entry(&self.root, first) else { return (0, 0) };
        for (walked, step) in steps.iter().enumerate().skip(1) {
            let next = match (step, value) {
                (Step::Key(key), DeValue::Table(table)) => entry(table, key),
                (Step::Index(index), DeValue::Array(array)) => {
                    array.get(*index).map(|item| (item.span().start, item.get_ref()))
                }
                _ => None,
            };
            let Some((at, inner)) = next else { return (offset, walked) };
            (offset, value) = (at, inner);
        }
        (offset, steps.len())
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

fn entry<'a, 't>(table: &'a DeTable<'t>, key: &str) -> Option<(usize, &'a DeValue<'t>)> {
    table.iter().find(|(known, _)| known.get_ref() == key).map(|(known, value)| (known.span().start, value.get_ref()))
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

/// The steps of a path. Names with dots or brackets in them cannot be told apart and end at the table around them.
fn steps(path: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    for part in path.split('.') {
        let mut pieces = part.split('[');
        steps.extend(pieces.next().filter(|key| !key.is_empty()).map(|key| Step::Key(key.to_owned())));
        let indices = pieces.filter_map(|piece| piece.strip_suffix(']')?.parse().ok());
        steps.extend(indices.map(Step::Index));
    }
    steps
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
    fn columns_count_characters_and_offsets_beyond_the_text_are_its_end() {
        assert_eq!(line_and_column("ä b", 3), (1, 3));
        assert_eq!(line_and_column("a\nb", 99), (2, 2));
        assert_eq!(line_and_column("ä", 1), (1, 2), "inside of a character");
    }
}
