//! What a check has found, and the questions that every table asks of its numbers and names.

use std::fmt::Display;

use super::Problem;
use crate::spec::{Distribution, nearest};

/// Seconds beyond this (three years) are a mistake; virtual time would hold them.
pub(super) const MOST_SECONDS: f64 = 1e8;
/// Names that a message lists.
const MOST_NAMES: usize = 12;

/// From where to where a number may be, ends included, and how a message says it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) text: &'static str,
}

pub(super) const SECONDS: Range = Range { low: 0.0, high: MOST_SECONDS, text: "0 to 100,000,000 seconds" };
/// Virtual time counts microseconds.
pub(super) const POSITIVE_SECONDS: Range =
    Range { low: 1e-6, high: MOST_SECONDS, text: "0.000001 to 100,000,000 seconds" };
pub(super) const INTERVAL: Range = Range { low: 0.1, high: 86_400.0, text: "0.1 to 86,400 seconds" };
pub(super) const SHARE: Range = Range { low: 0.0, high: 1.0, text: "0 to 1" };
pub(super) const NOT_NEGATIVE: Range = Range { low: 0.0, high: 1e9, text: "0 to 1,000,000,000" };
pub(super) const POSITIVE: Range = Range { low: 1e-9, high: 1e9, text: "above 0 and at most 1,000,000,000" };
pub(super) const RATE: Range = Range { low: 0.0, high: 1e6, text: "0 to 1,000,000 per second" };

#[derive(Debug, Default)]
pub(super) struct Findings {
    problems: Vec<Problem>,
}

impl Findings {
    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems
    }

    /// Whether a key at or below `key` was refused.
    pub(super) fn refused(&self, key: &str) -> bool {
        self.problems.iter().any(|problem| problem.key.starts_with(key))
    }

    pub(super) fn refuse(&mut self, key: impl Into<String>, got: impl Display, allowed: impl Into<String>) {
        let problem = Problem { key: key.into(), got: got.to_string(), allowed: allowed.into() };
        // A number that is not one breaks several rules; the first says enough.
        if !self.problems.iter().any(|known| known.key == problem.key && known.got == problem.got) {
            self.problems.push(problem);
        }
    }

    pub(super) fn must(
        &mut self,
        holds: bool,
        key: impl Into<String>,
        got: impl Display,
        allowed: impl Into<String>,
    ) -> bool {
        if !holds {
            self.refuse(key, got, allowed);
        }
        holds
    }

    pub(super) fn number(&mut self, key: impl Into<String>, value: f64, range: Range) -> bool {
        // Written so that NaN is outside.
        self.must(value >= range.low && value <= range.high, key, value, range.text)
    }

    pub(super) fn optional(&mut self, key: impl Into<String>, value: Option<f64>, range: Range) {
        if let Some(value) = value {
            self.number(key, value, range);
        }
    }

    pub(super) fn count(&mut self, key: impl Into<String>, value: u64, low: u64, high: u64) -> bool {
        self.must((low..=high).contains(&value), key, value, format!("{} to {}", grouped(low), grouped(high)))
    }

    /// A name that a Kubernetes object could have; it stands in paths, figures and file names.
    pub(super) fn name(&mut self, key: impl Into<String>, name: &str) {
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let fits = !name.is_empty()
            && name.len() <= 63
            && name.chars().all(inner)
            && !name.starts_with('-')
            && !name.ends_with('-');
        let allowed = "1 to 63 lowercase letters, digits and `-`, with a letter or digit at both ends";
        self.must(fits, key, format!("`{name}`"), allowed);
    }

    /// A name that must be one of `known`.
    pub(super) fn one_of<'a>(
        &mut self,
        key: impl Into<String>,
        name: &str,
        known: impl Iterator<Item = &'a str> + Clone,
    ) -> bool {
        if known.clone().any(|candidate| candidate == name) {
            return true;
        }
        self.refuse(key, format!("`{name}`"), listed(name, known));
        false
    }

    /// A random quantity all of whose values are within `range`.
    pub(super) fn distribution(&mut self, key: &str, distribution: &Distribution, range: Range) {
        match distribution {
            Distribution::Constant(value) => {
                self.number(format!("{key}.constant"), *value, range);
            }
            Distribution::Exponential { mean } => {
                self.number(format!("{key}.exponential.mean"), *mean, above_zero(range));
            }
            Distribution::Lognormal { median, sigma } => {
                self.number(format!("{key}.lognormal.median"), *median, above_zero(range));
                self.number(format!("{key}.lognormal.sigma"), *sigma, Range { low: 0.0, high: 5.0, text: "0 to 5" });
            }
            Distribution::Uniform { low, high } => {
                self.number(format!("{key}.uniform.low"), *low, range);
                let fits = self.number(format!("{key}.uniform.high"), *high, range);
                self.must(!fits || high >= low, format!("{key}.uniform.high"), high, "at least `low`");
            }
            Distribution::Sampled { trace, factor, .. } => {
                let allowed = "the id of a trace: `seatrial list traces` names them";
                self.must(!trace.is_empty(), format!("{key}.sampled.trace"), "empty", allowed);
                self.number(format!("{key}.sampled.factor"), *factor, POSITIVE);
            }
        }
    }
}

/// The means of distributions that are spread down to 0 must themselves be above it.
fn above_zero(range: Range) -> Range {
    if range.low > 0.0 { range } else { Range { low: 1e-9, text: "above 0 and within the range of the key", ..range } }
}

/// The known names, the nearest to `name` first.
fn listed<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let names = nearest::first(name, known);
    match names.as_slice() {
        [] => "the name of something that is there; nothing of that kind is".to_owned(),
        [only] => format!("`{only}`, the only one there is"),
        few if few.len() <= MOST_NAMES => format!("one of {}", few.join(", ")),
        many => format!("one of {} or {} more", many[..MOST_NAMES].join(", "), many.len() - MOST_NAMES),
    }
}

/// A number with its thousands set apart.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
