//! How far the features that the operator read are from the gym's.

use seatrial_core::observe::Feature;
use seatrial_operator::queries::name_of;

use super::LEAST;

/// How far a feature is from the gym's.
#[derive(Default)]
pub(super) struct Errors {
    /// Relative errors where both know it.
    pub(super) relative: Vec<f64>,
    /// Samples that only the operator knows, and only the gym.
    pub(super) only_operator: usize,
    pub(super) only_gym: usize,
}

impl Errors {
    /// Of pairs of what the operator read and what the gym shows.
    pub(super) fn of(pairs: impl Iterator<Item = (Option<f64>, Option<f64>)>) -> Self {
        let mut errors = Self::default();
        for pair in pairs {
            match pair {
                (Some(read), Some(gym)) => errors.relative.push((read - gym).abs() / gym.max(LEAST)),
                (Some(_), None) => errors.only_operator += 1,
                (None, Some(_)) => errors.only_gym += 1,
                (None, None) => {}
            }
        }
        errors.relative.sort_by(f64::total_cmp);
        errors
    }

    pub(super) fn median(&self) -> f64 {
        self.at(0.5)
    }

    pub(super) fn at(&self, share: f64) -> f64 {
        self.relative[((self.relative.len() - 1) as f64 * share).round() as usize]
    }
}

pub(super) fn show(whose: &str, errors: &[(Feature, Errors)]) {
    println!("relative error against {whose}:");
    println!("  feature                             | samples |  median |    p95 |    most | only operator | only gym");
    for (feature, errors) in errors {
        let percent = |share: f64| 100.0 * errors.at(share);
        println!(
            "  {:35} | {:7} | {:6.3}% | {:5.2}% | {:6.2}% | {:13} | {:8}",
            name_of(*feature),
            errors.relative.len(),
            percent(0.5),
            percent(0.95),
            percent(1.0),
            errors.only_operator,
            errors.only_gym
        );
    }
}
