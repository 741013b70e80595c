//! What a check has found, and the questions that every table asks of its numbers and names.

use std::fmt::Display;

use super::Problem;
use crate::spec::{Distribution, nearest, wording};

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
        let problem = Problem { key: key.into(), got: readable(got.to_string()), allowed: allowed.into() };
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
        let got = if name.is_empty() { "empty".to_owned() } else { wording::quoted(name) };
        self.must(fits, key, got, allowed);
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
        self.refuse(key, wording::quoted(name), listed(name, known));
        false
    }

    /// The means of distributions that are spread down to 0 must themselves be above it.
    fn above_zero(&mut self, key: String, value: f64, range: Range) {
        if range.low > 0.0 {
            self.number(key, value, range);
            return;
        }
        let allowed = range.text.replacen("0 to", "above 0 and at most", 1);
        self.must(value >= 1e-9 && value <= range.high, key, value, allowed);
    }

    /// A random quantity all of whose values are within `range`.
    pub(super) fn distribution(&mut self, key: &str, distribution: &Distribution, range: Range) {
        match distribution {
            Distribution::Constant(value) => {
                self.number(format!("{key}.constant"), *value, range);
            }
            Distribution::Exponential { mean } => {
                self.above_zero(format!("{key}.exponential.mean"), *mean, range);
            }
            Distribution::Lognormal { median, sigma } => {
                self.above_zero(format!("{key}.lognormal.median"), *median, range);
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

/// A number, which nobody counts the digits of.
fn written(value: f64) -> String {
    let size = value.abs();
    if size >= 1e15 || size > 0.0 && size < 1e-6 { format!("{value:e}") } else { value.to_string() }
}

/// Long numbers by their exponent; everything else as it is.
fn readable(got: String) -> String {
    got.parse::<f64>().map_or(got, written)
}

/// The known names, the nearest to `name` first.
fn listed<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    let near = nearest::of(name, known.clone());
    let meant = near.map_or_else(String::new, |near| format!("; did you mean {}?", wording::quoted(near)));
    let names: Vec<String> = nearest::first(name, known).into_iter().map(wording::short).collect();
    match names.as_slice() {
        [] => "the name of something that is there; nothing of that kind is".to_owned(),
        [only] => format!("`{only}`, the only one there is"),
        few if few.len() <= MOST_NAMES => format!("one of {}{meant}", few.join(", ")),
        many => format!("one of {} or {} more{meant}", many[..MOST_NAMES].join(", "), many.len() - MOST_NAMES),
    }
}

/// A number with its thousands set apart.
pub(super) fn grouped(number: u64) -> String {
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
