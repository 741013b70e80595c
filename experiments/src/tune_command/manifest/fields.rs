//! Typed access to the fields of an object: what is wrong is collected with its place, and reading goes on.

use seatrial_core::scaling::policies::hpa::behavior::{
    Behavior, ScalingPolicy, ScalingPolicyKind, ScalingRules, SelectPolicy,
};

use super::super::yaml::{Form, Node, Place, Step, shown};
use super::{Fault, quantity, short};

/// An object under reading.
pub(super) struct Fields<'a> {
    pub(super) root: &'a Node,
    pub(super) faults: Vec<Fault>,
}

/// A path from texts and numbers.
pub(super) fn path(text: &str) -> Vec<Step> {
    text.split('.').filter(|part| !part.is_empty()).map(Step::key).collect()
}

/// `path` with a key behind it.
pub(super) fn below(path: &[Step], key: &str) -> Vec<Step> {
    path.iter().cloned().chain(self::path(key)).collect()
}

impl<'a> Fields<'a> {
    pub(super) const fn new(root: &'a Node) -> Self {
        Self { root, faults: Vec::new() }
    }

    pub(super) fn fault(&mut self, place: Place, detail: String) {
        self.faults.push(Fault { place, detail });
    }

    /// The node at `at`, unless it is absent or null.
    pub(super) fn node(&self, at: &[Step]) -> Option<&'a Node> {
        self.root.at(at).filter(|node| !node.is_null())
    }

    /// Where the key of the field at `at` stands, its value's place where it has none.
    pub(super) fn key_place(&self, at: &[Step]) -> Place {
        let value = self.root.at(at).map_or_else(Place::default, |node| node.place);
        let Some((Step::Key(key), above)) = at.split_last() else { return value };
        match self.root.at(above).map(|node| &node.form) {
            Some(Form::Map { entries, .. }) => {
                entries.iter().find(|entry| entry.key == *key).map_or(value, |entry| entry.place)
            }
            _ => value,
        }
    }

    /// Something is wrong with the field at `at`: it stands there, or is missing from what is there of its path.
    pub(super) fn wrong(&mut self, at: &[Step], allowed: &str) {
        let present = self.root.at(at);
        let got = present.map_or_else(|| "is missing".to_owned(), |node| format!("is {}", node.described()));
        let above = || (0..at.len()).rev().find_map(|depth| self.root.at(&at[..depth]));
        let place = present.or_else(above).map_or_else(Place::default, |node| node.place);
        self.fault(place, format!("`{}` {got}, must be {allowed}", shown(at)));
    }

    /// A text that must be there.
    pub(super) fn text(&mut self, at: &[Step], allowed: &str) -> Option<&'a str> {
        let found = self.node(at).and_then(Node::text).filter(|text| !text.is_empty());
        if found.is_none() {
            self.wrong(at, allowed);
        }
        found
    }

    /// A whole number within a range; absent is `None` without a fault.
    pub(super) fn integer(&mut self, at: &[Step], least: i64, most: i64) -> Option<i64> {
        let node = self.node(at)?;
        let number = match &node.form {
            Form::Scalar { text, plain: true } => text.parse::<i64>().ok(),
            _ => None,
        };
        let fits = number.filter(|number| (least..=most).contains(number));
        if fits.is_none() {
            self.wrong(at, &format!("a whole number from {least} to {most}"));
        }
        fits
    }

    /// A positive quantity; absent is `None` without a fault.
    pub(super) fn quantity(&mut self, at: &[Step]) -> Option<f64> {
        let node = self.node(at)?;
        let number = node.text().and_then(quantity::parse).filter(|number| (1e-3..=1e9).contains(number));
        if number.is_none() {
            self.wrong(at, "a quantity above 0 and up to 1e9, for example \"50\" or 500m");
        }
        number
    }

    /// Name and namespace.
    pub(super) fn names(&mut self) -> (String, Option<String>) {
        let name = self.text(&path("metadata.name"), "the autoscaler's name").unwrap_or_default();
        let namespace = self.node(&path("metadata.namespace")).and_then(Node::text).map(short);
        let safe = |name: &str| {
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
            name.len() <= 253 && name.bytes().all(plain) && !name.starts_with('.') && !name.contains("..")
        };
        for (key, name) in [("metadata.name", name), ("metadata.namespace", namespace.as_deref().unwrap_or_default())] {
            if !safe(name) {
                self.wrong(&path(key), "a name as Kubernetes accepts it: a to z, 0 to 9, - and .");
            }
        }
        (short(name), namespace)
    }

    /// Fewest and most replicas.
    pub(super) fn bounds(&mut self, least: &str, most: &str, default_most: Option<i64>) -> (u32, u32) {
        let (least, most) = (path(least), path(most));
        let min = self.integer(&least, 0, 10_000);
        let max = self.integer(&most, 1, 10_000).or(default_most);
        if max.is_none() && self.node(&most).is_none() {
            self.wrong(&most, "a whole number from 1 to 10000");
        }
        let max = max.unwrap_or(i64::from(u32::MAX));
        let min = min.unwrap_or(if default_most.is_some() { 0 } else { 1 });
        if min > max {
            self.wrong(&least, &format!("at most `{}` ({max})", shown(&most)));
        }
        let count = |number: i64| u32::try_from(number).unwrap_or(1);
        (count(min), count(max).max(1))
    }

    /// `behavior` of autoscaling/v2 at `at`.
    pub(super) fn behavior(&mut self, at: &[Step]) -> Option<Behavior> {
        self.node(at)?;
        Some(Behavior { scale_up: self.rules(&below(at, "scaleUp")), scale_down: self.rules(&below(at, "scaleDown")) })
    }

    fn rules(&mut self, at: &[Step]) -> Option<ScalingRules> {
        self.node(at)?;
        let window = self.integer(&below(at, "stabilizationWindowSeconds"), 0, 3_600);
        Some(ScalingRules {
            stabilization_window_seconds: window.and_then(|seconds| u32::try_from(seconds).ok()),
            select_policy: self.select(&below(at, "selectPolicy")),
            policies: self.policies(&below(at, "policies")),
            tolerance: self.tolerance(&below(at, "tolerance")),
        })
    }

    fn select(&mut self, at: &[Step]) -> Option<SelectPolicy> {
        let node = self.node(at)?;
        let word = match node.text() {
            Some("Max") => Some(SelectPolicy::Max),
            Some("Min") => Some(SelectPolicy::Min),
            Some("Disabled") => Some(SelectPolicy::Disabled),
            _ => None,
        };
        if word.is_none() {
            self.wrong(at, "Max, Min or Disabled");
        }
        word
    }

    fn tolerance(&mut self, at: &[Step]) -> Option<f64> {
        let node = self.node(at)?;
        let share = node.text().and_then(quantity::parse).filter(|share| (0.0..=1.0).contains(share));
        if share.is_none() {
            self.wrong(at, "a share from 0 to 1, for example 0.05");
        }
        share
    }

    fn policies(&mut self, at: &[Step]) -> Option<Vec<ScalingPolicy>> {
        let node = self.node(at)?;
        let count = node.items().len();
        if count == 0 || count > 16 {
            self.wrong(at, "a list of 1 to 16 policies, or absent");
            return None;
        }
        let policies = (0..count).filter_map(|index| {
            let at: Vec<Step> = at.iter().cloned().chain([Step::Item(index)]).collect();
            self.policy(&at)
        });
        Some(policies.collect())
    }

    fn policy(&mut self, at: &[Step]) -> Option<ScalingPolicy> {
        let kind = match self.node(&below(at, "type")).and_then(Node::text) {
            Some("Pods") => Some(ScalingPolicyKind::Pods),
            Some("Percent") => Some(ScalingPolicyKind::Percent),
            _ => {
                self.wrong(&below(at, "type"), "Pods or Percent");
                None
            }
        };
        let mut number = |key: &str, most: i64| {
            let at = below(at, key);
            if self.node(&at).is_none() {
                self.wrong(&at, &format!("a whole number from 1 to {most}"));
            }
            self.integer(&at, 1, most)
        };
        let (value, period) = (number("value", 1_000_000), number("periodSeconds", 1_800));
        Some(ScalingPolicy {
            kind: kind?,
            value: i32::try_from(value?).ok()?,
            period_seconds: u32::try_from(period?).ok()?,
        })
    }
}
