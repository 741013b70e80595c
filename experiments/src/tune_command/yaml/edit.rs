//! One change of a text: a field set, everything else left as it stands, byte by byte.
//!
//! An edit replaces the bytes of a scalar, or inserts a key or an item in the style of its neighbours (block or flow, quoted
//! keys as in JSON, line ends). The text is then read again and compared: if anything but the field differs, as where an
//! anchor is used twice, the edit is refused.

use super::{Entry, Form, Node, Place, Step, read, shown};

/// What a field is set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tune_command) enum Value {
    /// A number, or a word that needs no quotes.
    Plain(String),
    /// A quantity, which Kubernetes writes as text; quoted as the old one was.
    Quantity(String),
    Map(Vec<(String, Value)>),
    List(Vec<Value>),
}

impl Value {
    /// A map with these entries.
    pub(in crate::tune_command) fn map<const N: usize>(entries: [(&str, Self); N]) -> Self {
        Self::Map(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    }

    /// What a node holds, written out.
    fn of(node: &Node) -> Self {
        match &node.form {
            Form::Scalar { text, plain: true } => Self::Plain(text.clone()),
            Form::Scalar { text, plain: false } => Self::Quantity(text.clone()),
            Form::Map { entries, .. } => {
                Self::Map(entries.iter().map(|entry| (entry.key.clone(), Self::of(&entry.value))).collect())
            }
            Form::List { items, .. } => Self::List(items.iter().map(Self::of).collect()),
        }
    }

    /// With `value` at `rest`, a path of keys.
    fn with(mut self, rest: &[Step], value: &Self) -> Option<Self> {
        let Some((Step::Key(key), below)) = rest.split_first() else {
            return rest.is_empty().then(|| value.clone());
        };
        let Self::Map(entries) = &mut self else { return None };
        match entries.iter_mut().find(|(known, _)| known == key) {
            Some((_, old)) => *old = old.clone().with(below, value)?,
            None => entries.push((key.clone(), nest(below, value)?)),
        }
        Some(self)
    }
}

/// Why a field was not set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::tune_command) enum EditError {
    /// It stands behind an alias, a merge key or an anchor that is used twice.
    #[error("`{path}` is shared by an anchor (line {line}): a change would show elsewhere")]
    Shared { path: String, line: usize },
    /// The layout is beyond this editor.
    #[error("`{path}` (line {line}) is laid out in a way that cannot be edited safely")]
    Layout { path: String, line: usize },
}

/// `text` with the field at `path` below document `document` set to `value`.
///
/// # Errors
/// If anything else would change with it.
pub(in crate::tune_command) fn set(
    text: &str,
    document: usize,
    path: &[Step],
    value: &Value,
) -> Result<String, EditError> {
    let documents = read(text).unwrap_or_default();
    let root = documents.get(document);
    let lost = |place: Place| EditError::Layout { path: shown(path), line: place.line };
    let root = root.ok_or_else(|| lost(Place::default()))?;
    let (node, depth) = deepest(root, path);
    if let Some(Step::Key(key)) = path.get(depth)
        && let Some(merged) = node.get(key)
        && depth + 1 < path.len()
    {
        // A map of its own would hide what is merged: write that out beside the change.
        let whole = Value::of(merged).with(&path[depth + 1..], value).ok_or_else(|| lost(merged.place))?;
        return set(text, document, &path[..=depth], &whole);
    }
    if node.shared && depth < path.len() {
        return Err(EditError::Shared { path: shown(path), line: node.place.line });
    }
    let page = Page { text, ending: if text.contains("\r\n") { "\r\n" } else { "\n" }, offset: 0 };
    let page = Page { offset: documents.iter().find_map(|node| page.first_offset(node)).unwrap_or(0), ..page };
    let edited = page.put(root, node, (path, depth), value).ok_or_else(|| lost(node.place))?;
    check(&documents, &edited, document, path).map(|()| edited).map_err(|changed| {
        if changed { EditError::Shared { path: shown(path), line: node.place.line } } else { lost(node.place) }
    })
}

/// The node that is there of a path, and how many of its steps lead to it. Merged keys are not there: they are added.
fn deepest<'a>(root: &'a Node, path: &[Step]) -> (&'a Node, usize) {
    let mut node = root;
    for (depth, step) in path.iter().enumerate() {
        match node.own_step(step) {
            Some(next) => node = next,
            None => return (node, depth),
        }
    }
    (node, path.len())
}

/// Whether the edited text says the same everywhere but at `path`; `Err(true)` if another value changed.
fn check(before: &[Node], edited: &str, document: usize, path: &[Step]) -> Result<(), bool> {
    let after = read(edited).map_err(|_| false)?;
    if after.len() != before.len() {
        return Err(false);
    }
    let changed = shown(path);
    let kept = |index: usize, node: &Node| -> Vec<(String, String)> {
        let ours = |at: &str| {
            let below = at.strip_prefix(&changed).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
            // Maps on the way may be new, or no longer empty.
            let above = changed.strip_prefix(at).is_some_and(|rest| at.is_empty() || rest.starts_with(['.', '[']));
            index == document && (below || above)
        };
        node.scalars().into_iter().filter(|(at, _)| !ours(at)).collect()
    };
    for (index, (old, new)) in before.iter().zip(&after).enumerate() {
        let (mut old, mut new) = (kept(index, old), kept(index, new));
        old.sort();
        new.sort();
        if old != new {
            return Err(true);
        }
    }
    Ok(())
}

/// A text that is being edited.
struct Page<'a> {
    text: &'a str,
    ending: &'a str,
    offset: usize,
}

impl Page<'_> {
    /// How far items stand to the right of their key: 0 or 2 in practice; the first list in blocks decides.
    fn first_offset(&self, node: &Node) -> Option<usize> {
        match &node.form {
            Form::Scalar { .. } => None,
            Form::List { items, .. } => items.iter().find_map(|item| self.first_offset(item)),
            Form::Map { entries, .. } => entries.iter().find_map(|entry| match &entry.value.form {
                Form::List { items, flow: false } if !entry.value.shared => {
                    let dash = self.dash(items.first()?)?;
                    Some((dash - self.line_start(dash) + 1).saturating_sub(entry.place.column).min(8))
                }
                _ => self.first_offset(&entry.value),
            }),
        }
    }

    /// Sets what `path` names, of which the first steps, `depth` of them, lead to `node`.
    fn put(&self, root: &Node, node: &Node, (path, depth): (&[Step], usize), value: &Value) -> Option<String> {
        let (path, rest) = path.split_at_checked(depth)?;
        let nested = nest(rest.get(1..).unwrap_or_default(), value);
        match (&node.form, rest.first()) {
            (_, None) => self.replace(node, value),
            (Form::Map { entries, flow: false }, Some(Step::Key(key))) => self.add_key(entries, key, &nested?),
            (Form::Map { entries, flow: true }, Some(Step::Key(key))) => {
                let last = entries.iter().rfind(|entry| !entry.merged);
                self.add_flow_key(node, last, key, &nested?)
            }
            (Form::List { items, flow }, Some(Step::Item(index))) if *index == items.len() => {
                if *flow {
                    self.add_flow_item(items.last()?, &nested?)
                } else {
                    self.add_item(items.last()?, &nested?)
                }
            }
            // A key without a value, as `behavior:` alone.
            (Form::Scalar { .. }, Some(Step::Key(_))) if node.is_null() && !node.shared => {
                self.fill(root, path, node, &nest(rest, value)?)
            }
            _ => None,
        }
    }

    fn spliced(&self, range: core::ops::Range<usize>, with: &str) -> Option<String> {
        Some(format!("{}{with}{}", self.text.get(..range.start)?, self.text.get(range.end..)?))
    }

    fn replace(&self, node: &Node, value: &Value) -> Option<String> {
        let old = self.text.get(node.bytes.clone())?;
        let with = match (value, old.chars().next()) {
            (Value::Quantity(text), Some(quote @ ('"' | '\''))) => format!("{quote}{text}{quote}"),
            (Value::Plain(text), Some(quote @ ('"' | '\''))) if !is_number(text) => format!("{quote}{text}{quote}"),
            (Value::Plain(text) | Value::Quantity(text), Some(_)) => text.clone(),
            _ => return None,
        };
        self.spliced(node.bytes.clone(), &with)
    }

    /// The value of a key that has none.
    fn fill(&self, root: &Node, path: &[Step], node: &Node, value: &Value) -> Option<String> {
        if !node.bytes.is_empty() {
            return self.spliced(node.bytes.clone(), &flow(value, false));
        }
        let (Step::Key(key), above) = path.split_last()? else { return None };
        let Form::Map { entries, flow: in_flow } = &root.at(above)?.form else { return None };
        let entry = entries.iter().find(|entry| entry.key == *key && !entry.merged)?;
        let colon = entry.bytes.end + self.text.get(entry.bytes.end..)?.find(':')? + 1;
        if *in_flow {
            return self.spliced(colon..colon, &format!(" {}", flow(value, false)));
        }
        let end = self.line_end(colon);
        let body = self.block(value, entry.place.column - 1 + 2);
        self.spliced(end..end, &format!("{}{}", self.ending, body.trim_end_matches(['\r', '\n'])))
    }

    fn add_key(&self, entries: &[Entry], key: &str, value: &Value) -> Option<String> {
        let own = || entries.iter().filter(|entry| !entry.merged);
        let (first, last) = (own().next()?, own().next_back()?);
        let end = self.end_of_entry(last);
        let body = self.block_entry(key, value, first.place.column - 1);
        self.add_lines(end, &body)
    }

    fn add_item(&self, last: &Node, value: &Value) -> Option<String> {
        let dash = self.dash(last)?;
        let column = dash - self.line_start(dash);
        self.add_lines(self.end_of(last), &self.block_item(value, column))
    }

    /// Inserts whole lines behind the line in which `end` lies.
    fn add_lines(&self, end: usize, lines: &str) -> Option<String> {
        let end = self.line_end(end);
        self.spliced(end..end, &format!("{}{}", self.ending, lines.trim_end_matches(['\r', '\n'])))
    }

    fn add_flow_key(&self, node: &Node, last: Option<&Entry>, key: &str, value: &Value) -> Option<String> {
        let json = last.is_some_and(|entry| self.text.as_bytes().get(entry.bytes.start) == Some(&b'"'));
        let entry = format!("{}: {}", quoted(key, json), flow(value, json));
        let Some(last) = last else {
            let inside = node.bytes.start + 1;
            return self.spliced(inside..inside, &entry);
        };
        let end = self.end_of_entry(last);
        self.spliced(end..end, &format!(",{}{entry}", self.separator(last.bytes.start)))
    }

    fn add_flow_item(&self, last: &Node, value: &Value) -> Option<String> {
        let old = self.text.get(last.bytes.clone())?;
        let json = old.trim_start_matches(['{', '[', ' ', '\n', '\r', '\t']).starts_with('"');
        let end = self.end_of(last);
        self.spliced(end..end, &format!(",{}{}", self.separator(last.bytes.start), flow(value, json)))
    }

    /// A blank, or where the neighbour begins its line, a new line with the same indentation.
    fn separator(&self, neighbour: usize) -> String {
        let indent = self.text.get(self.line_start(neighbour)..neighbour).unwrap_or_default();
        let alone = indent.chars().all(char::is_whitespace) && self.line_start(neighbour) > 0;
        if alone { format!("{}{indent}", self.ending) } else { " ".to_owned() }
    }

    fn line_start(&self, at: usize) -> usize {
        self.text.get(..at).unwrap_or_default().rfind('\n').map_or(0, |found| found + 1)
    }

    /// The end of the line in which `at` lies, before its line break.
    fn line_end(&self, at: usize) -> usize {
        let rest = self.text.get(at..).unwrap_or_default();
        let end = rest.find('\n').map_or(self.text.len(), |found| at + found);
        if end > at && self.text.as_bytes().get(end - 1) == Some(&b'\r') { end - 1 } else { end }
    }

    fn end_of_entry(&self, entry: &Entry) -> usize {
        self.end_of(&entry.value).max(entry.bytes.end)
    }

    /// Where the last thing of a node ends.
    fn end_of(&self, node: &Node) -> usize {
        let end = match &node.form {
            _ if node.shared => node.bytes.end,
            Form::Map { entries, flow: false } => {
                let own = entries.iter().rfind(|entry| !entry.merged);
                own.map_or(node.bytes.end, |entry| self.end_of_entry(entry))
            }
            Form::List { items, flow: false } => items.last().map_or(node.bytes.end, |item| self.end_of(item)),
            _ => node.bytes.end,
        };
        // The span of a block scalar runs up to the next token.
        self.text.get(..end).map_or(end, |before| before.trim_end().len().max(node.bytes.start.min(end)))
    }

    /// The dash before an item of a block list.
    fn dash(&self, item: &Node) -> Option<usize> {
        let start = match &item.form {
            Form::Map { entries, flow: false } if !item.shared => entries.first()?.bytes.start,
            _ => item.bytes.start,
        };
        let before = self.text.get(..start)?.trim_end_matches([' ', '\t']);
        before.ends_with('-').then(|| before.len() - 1)
    }

    fn block_entry(&self, key: &str, value: &Value, indent: usize) -> String {
        let blanks = " ".repeat(indent);
        let deeper = match value {
            Value::Plain(text) => return format!("{blanks}{key}: {text}{}", self.ending),
            Value::Quantity(text) => return format!("{blanks}{key}: \"{text}\"{}", self.ending),
            Value::List(_) => indent + self.offset,
            Value::Map(_) => indent + 2,
        };
        format!("{blanks}{key}:{}{}", self.ending, self.block(value, deeper))
    }

    fn block(&self, value: &Value, indent: usize) -> String {
        match value {
            Value::Map(entries) => entries.iter().map(|(key, value)| self.block_entry(key, value, indent)).collect(),
            Value::List(items) => items.iter().map(|item| self.block_item(item, indent)).collect(),
            Value::Plain(text) | Value::Quantity(text) => format!("{}{text}{}", " ".repeat(indent), self.ending),
        }
    }

    fn block_item(&self, value: &Value, indent: usize) -> String {
        let body = self.block(value, indent + 2);
        format!("{}- {}", " ".repeat(indent), body.trim_start())
    }
}

/// `value` below the keys of `rest`.
fn nest(rest: &[Step], value: &Value) -> Option<Value> {
    rest.iter().rev().try_fold(value.clone(), |inner, step| match step {
        Step::Key(key) => Some(Value::Map(vec![(key.clone(), inner)])),
        Step::Item(0) => Some(Value::List(vec![inner])),
        Step::Item(_) => None,
    })
}

fn is_number(text: &str) -> bool {
    text.parse::<f64>().is_ok()
}

fn quoted(text: &str, json: bool) -> String {
    if json { format!("\"{text}\"") } else { text.to_owned() }
}

/// In brackets.
fn flow(value: &Value, json: bool) -> String {
    match value {
        Value::Plain(text) => quoted(text, json && !is_number(text)),
        Value::Quantity(text) => format!("\"{text}\""),
        Value::Map(entries) => {
            let entries = entries.iter().map(|(key, value)| format!("{}: {}", quoted(key, json), flow(value, json)));
            let entries: Vec<String> = entries.collect();
            if json { format!("{{{}}}", entries.join(", ")) } else { format!("{{ {} }}", entries.join(", ")) }
        }
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(|item| flow(item, json)).collect();
            format!("[{}]", items.join(", "))
        }
    }
}

impl Page<'_> {
    /// Without item `index` (not the first) of a list.
    fn without(&self, items: &[Node], flow: bool, index: usize) -> Option<String> {
        let (before, item) = (items.get(index.checked_sub(1)?)?, items.get(index)?);
        if flow {
            return self.spliced(self.end_of(before)..self.end_of(item), "");
        }
        let from = self.line_start(self.dash(item)?);
        let end = self.line_end(self.end_of(item));
        let to = self.text.get(end..)?.find('\n').map_or(end, |found| end + found + 1);
        self.spliced(from..to, "")
    }
}

/// `text` without the items of the list at `path` from `keep` (at least 1) on.
///
/// # Errors
/// As [`set`].
pub(in crate::tune_command) fn truncate(
    text: &str,
    document: usize,
    path: &[Step],
    keep: usize,
) -> Result<String, EditError> {
    let mut text = text.to_owned();
    loop {
        let documents = read(&text).unwrap_or_default();
        let layout = |line| EditError::Layout { path: shown(path), line };
        let list = documents.get(document).and_then(|root| root.at(path)).ok_or_else(|| layout(0))?;
        let Form::List { items, flow } = &list.form else { return Err(layout(list.place.line)) };
        if items.len() <= keep.max(1) {
            return Ok(text);
        }
        if list.shared {
            return Err(EditError::Shared { path: shown(path), line: list.place.line });
        }
        let page = Page { text: &text, ending: "\n", offset: 0 };
        let edited = page.without(items, *flow, items.len() - 1).ok_or_else(|| layout(list.place.line))?;
        check(&documents, &edited, document, path).map_err(|_| layout(list.place.line))?;
        let shorter = read(&edited).ok().and_then(|documents| {
            documents.get(document).and_then(|root| root.at(path)).map(|list| list.items().len())
        });
        if shorter != Some(items.len() - 1) {
            return Err(layout(list.place.line));
        }
        text = edited;
    }
}
