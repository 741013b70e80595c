//! YAML as a tree in which every node knows its place in the text, so that an error can point and an edit can leave all else
//! as it stands.
//!
//! Aliases are followed and merge keys (`<<`) are merged; what came that way is marked [`Node::shared`], because a change
//! there would show elsewhere. Invariants: the tree of a text is bounded ([`MOST_NODES`], aliases unfolded), and reading never
//! panics, whatever the bytes.

mod edit;
mod tree;

use std::ops::Range;

pub(super) use edit::{EditError, Value, set, truncate};
pub(super) use tree::read;

/// More nodes than this in one text, aliases unfolded, are a mistake or an attack.
const MOST_NODES: usize = 500_000;

/// Where something stands, both counted from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

/// A node of a document.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) place: Place,
    /// What it covers of the text: a scalar with its quotes, a flow collection with its brackets, an alias with its star; the
    /// end of a block collection lies somewhere behind its last child.
    pub(super) bytes: Range<usize>,
    pub(super) form: Form,
    /// Reached through an alias or a merge key.
    pub(super) shared: bool,
}

/// What a node is.
#[derive(Clone, Debug)]
pub(super) enum Form {
    Scalar { text: String, plain: bool },
    Map { entries: Vec<Entry>, flow: bool },
    List { items: Vec<Node>, flow: bool },
}

/// A key with its value.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) place: Place,
    pub(super) bytes: Range<usize>,
    pub(super) value: Node,
    /// From a merge key.
    pub(super) merged: bool,
}

/// A step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Item(usize),
}

/// Text that is no YAML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) place: Place,
    pub(super) reason: String,
}

impl Step {
    pub(super) fn key(name: &str) -> Self {
        Self::Key(name.to_owned())
    }
}

/// `spec.metrics[0].resource`, as people write a path.
pub(super) fn shown(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Key(key) if text.is_empty() => text.push_str(key),
            Step::Key(key) => text.push_str(&format!(".{key}")),
            Step::Item(index) => text.push_str(&format!("[{index}]")),
        }
    }
    text
}

impl Node {
    /// The value of a key; what stands in the map itself goes before what is merged.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let Form::Map { entries, .. } = &self.form else { return None };
        let found = |merged: bool| entries.iter().find(|entry| entry.key == key && entry.merged == merged);
        found(false).or_else(|| found(true)).map(|entry| &entry.value)
    }

    /// The node at `path`.
    pub(super) fn at(&self, path: &[Step]) -> Option<&Self> {
        path.iter().try_fold(self, |node, step| match step {
            Step::Key(key) => node.get(key),
            Step::Item(index) => node.items().get(*index),
        })
    }

    /// One step of [`Self::own`].
    fn own_step(&self, step: &Step) -> Option<&Self> {
        match (step, &self.form) {
            (Step::Key(key), Form::Map { entries, .. }) => {
                entries.iter().find(|entry| !entry.merged && entry.key == *key).map(|entry| &entry.value)
            }
            (Step::Item(index), Form::List { items, .. }) => items.get(*index),
            _ => None,
        }
    }

    /// The node at `path` if every step to it stands there itself, not by a merge key.
    pub(super) fn own(&self, path: &[Step]) -> Option<&Self> {
        path.iter().try_fold(self, Self::own_step)
    }

    /// The items of a list; none of anything else.
    pub(super) fn items(&self) -> &[Self] {
        if let Form::List { items, .. } = &self.form { items } else { &[] }
    }

    /// The text of a scalar that is not null.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.form {
            Form::Scalar { text, .. } if !self.is_null() => Some(text),
            _ => None,
        }
    }

    /// Whether nothing stands there, or a null.
    pub(super) fn is_null(&self) -> bool {
        matches!(&self.form, Form::Scalar { text, plain: true } if ["", "~", "null", "Null", "NULL"].contains(&text.as_str()))
    }

    /// What it is, in words of a message.
    pub(super) fn described(&self) -> String {
        match &self.form {
            _ if self.is_null() => "empty".to_owned(),
            Form::Scalar { text, plain } => {
                let shown: String = text.chars().take(60).map(|c| if c.is_control() { ' ' } else { c }).collect();
                if *plain { shown } else { format!("the text {shown:?}") }
            }
            Form::Map { .. } => "a map".to_owned(),
            Form::List { items, .. } => format!("a list of {}", items.len()),
        }
    }

    /// Every scalar below with its path; what a comparison of two texts needs.
    pub(super) fn scalars(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        self.collect(&mut Vec::new(), &mut found);
        found
    }

    fn collect(&self, path: &mut Vec<Step>, found: &mut Vec<(String, String)>) {
        match &self.form {
            Form::Scalar { text, plain } => found.push((shown(path), format!("{plain} {text}"))),
            Form::Map { entries, .. } => {
                found.push((shown(path), "map".to_owned()));
                for entry in entries {
                    path.push(Step::Key(entry.key.clone()));
                    entry.value.collect(path, found);
                    path.pop();
                }
            }
            Form::List { items, .. } => {
                found.push((shown(path), "list".to_owned()));
                for (index, item) in items.iter().enumerate() {
                    path.push(Step::Item(index));
                    item.collect(path, found);
                    path.pop();
                }
            }
        }
    }

    /// The first key that stands twice in one map.
    pub(super) fn doubled_key(&self) -> Option<(&str, Place)> {
        match &self.form {
            Form::Scalar { .. } => None,
            Form::List { items, .. } => items.iter().find_map(Self::doubled_key),
            Form::Map { entries, .. } => {
                let own = || entries.iter().filter(|entry| !entry.merged);
                let mut keys: Vec<(&str, Place)> = own().map(|entry| (entry.key.as_str(), entry.place)).collect();
                keys.sort_unstable();
                let twice = keys.windows(2).find(|pair| pair[0].0 == pair[1].0).map(|pair| pair[1]);
                twice.or_else(|| entries.iter().find_map(|entry| entry.value.doubled_key()))
            }
        }
    }
}
