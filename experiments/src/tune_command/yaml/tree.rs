//! From the parser's events to trees.

use std::collections::BTreeMap;

use granit_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, StrInput, StructureStyle};

use super::{Broken, Entry, Form, MOST_NODES, Node, Place};

/// The documents of a text.
///
/// # Errors
/// Where it is no YAML, and why.
pub(in crate::tune_command) fn read(text: &str) -> Result<Vec<Node>, Broken> {
    let mut builder =
        Builder { parser: Parser::new_from_str(text), length: text.len(), anchors: BTreeMap::new(), nodes: 0 };
    let mut documents = Vec::new();
    loop {
        let (event, span) = builder.next()?;
        match event {
            Event::StreamEnd => return Ok(documents),
            Event::DocumentStart(..) => {
                builder.anchors.clear();
                let (event, span) = builder.next()?;
                documents.push(builder.node(event, &span)?);
            }
            Event::StreamStart | Event::DocumentEnd => {}
            _ => return Err(Broken { place: place(&span.start), reason: "a document begins with no value".into() }),
        }
    }
}

struct Builder<'a> {
    parser: Parser<'a, StrInput<'a>>,
    length: usize,
    /// Finished anchored nodes with their number of nodes.
    anchors: BTreeMap<usize, (Node, usize)>,
    nodes: usize,
}

fn place(marker: &Marker) -> Place {
    Place { line: marker.line(), column: marker.col() + 1 }
}

fn broken(error: &ScanError) -> Broken {
    Broken { place: place(error.marker()), reason: error.info() }
}

impl<'a> Builder<'a> {
    /// The next event that is part of the data: comments and names of anchors are not.
    fn next(&mut self) -> Result<(Event<'a>, Span), Broken> {
        loop {
            match self.parser.next_event() {
                Some(Ok((Event::Comment(..) | Event::Anchor(..), _))) => {}
                Some(Ok((event, span))) => return Ok((event, span)),
                Some(Err(error)) => return Err(broken(&error)),
                None => return Ok((Event::StreamEnd, Span::default())),
            }
        }
    }

    fn count(&mut self, nodes: usize, span: &Span) -> Result<(), Broken> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes <= MOST_NODES {
            return Ok(());
        }
        let reason = format!("more than {MOST_NODES} values, aliases unfolded");
        Err(Broken { place: place(&span.start), reason })
    }

    fn node(&mut self, event: Event<'a>, span: &Span) -> Result<Node, Broken> {
        self.count(1, span)?;
        let before = self.nodes;
        let (form, anchor) = match event {
            Event::Scalar(text, style, anchor, _) => {
                (Form::Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain }, anchor)
            }
            Event::SequenceStart(style, anchor, _) => return self.list(span, style == StructureStyle::Flow, anchor),
            Event::MappingStart(style, anchor, _) => return self.map(span, style == StructureStyle::Flow, anchor),
            Event::Alias(anchor) => return self.alias(anchor, span),
            _ => return Err(Broken { place: place(&span.start), reason: "a value is missing".into() }),
        };
        let node = self.made(span, span, form);
        Ok(self.kept(node, anchor, before))
    }

    fn made(&self, start: &Span, end: &Span, form: Form) -> Node {
        let from = start.start.byte_offset().unwrap_or(0).min(self.length);
        let to = end.end.byte_offset().unwrap_or(from).min(self.length);
        Node { place: place(&start.start), bytes: from..to.max(from), form, shared: false }
    }

    /// Remembers an anchored node.
    fn kept(&mut self, node: Node, anchor: usize, before: usize) -> Node {
        if anchor != 0 {
            let weight = self.nodes - before + 1;
            self.anchors.insert(anchor, (node.clone(), weight));
        }
        node
    }

    fn alias(&mut self, anchor: usize, span: &Span) -> Result<Node, Broken> {
        let Some(weight) = self.anchors.get(&anchor).map(|(_, weight)| *weight) else {
            return Err(Broken { place: place(&span.start), reason: "an alias inside of its own anchor".into() });
        };
        self.count(weight, span)?;
        let form = self.anchors.get(&anchor).map(|(node, _)| node.form.clone());
        let mut node = self.made(span, span, form.unwrap_or(Form::Scalar { text: String::new(), plain: true }));
        node.share();
        Ok(node)
    }

    fn list(&mut self, start: &Span, flow: bool, anchor: usize) -> Result<Node, Broken> {
        let before = self.nodes;
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                let node = self.made(start, &span, Form::List { items, flow });
                return Ok(self.kept(node, anchor, before));
            }
            items.push(self.node(event, &span)?);
        }
    }

    fn map(&mut self, start: &Span, flow: bool, anchor: usize) -> Result<Node, Broken> {
        let before = self.nodes;
        let mut entries = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                let node = self.made(start, &span, Form::Map { entries: merged(entries), flow });
                return Ok(self.kept(node, anchor, before));
            }
            let key = self.node(event, &span)?;
            let (event, span) = self.next()?;
            let value = self.node(event, &span)?;
            let name = if let Form::Scalar { text, .. } = &key.form { text.clone() } else { String::new() };
            entries.push(Entry { key: name, place: key.place, bytes: key.bytes, value, merged: false });
        }
    }
}

impl Node {
    fn share(&mut self) {
        self.shared = true;
        match &mut self.form {
            Form::Scalar { .. } => {}
            Form::Map { entries, .. } => entries.iter_mut().for_each(|entry| entry.value.share()),
            Form::List { items, .. } => items.iter_mut().for_each(Self::share),
        }
    }
}

/// The entries with those that `<<` brings; of several the first wins, and the map's own before all.
fn merged(entries: Vec<Entry>) -> Vec<Entry> {
    if entries.iter().all(|entry| entry.key != "<<") {
        return entries;
    }
    let mut more: Vec<Entry> = Vec::new();
    for entry in entries.iter().filter(|entry| entry.key == "<<") {
        let sources = match &entry.value.form {
            Form::List { items, .. } => items.iter().collect(),
            _ => vec![&entry.value],
        };
        for source in sources {
            let Form::Map { entries: given, .. } = &source.form else { continue };
            let absent = |key: &str| !entries.iter().chain(&more).any(|known| known.key == key);
            let new: Vec<Entry> = given.iter().filter(|given| absent(&given.key)).cloned().collect();
            more.extend(new.into_iter().map(|mut entry| {
                entry.merged = true;
                entry.value.share();
                entry
            }));
        }
    }
    entries.into_iter().chain(more).collect()
}
