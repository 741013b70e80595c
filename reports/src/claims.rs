//! Sentences about who is cheaper: exactly those that the paired intervals allow.
//!
//! "Cheaper" or "dearer" is said only if the paired 95 % interval excludes zero; else the sentence says that no difference is
//! shown. Nothing is left out: a subject is compared with every other strategy, and losses are said as plainly as wins.

use crate::evaluation::{Evaluation, Metric, Paired, Scope};
use crate::format::{grouped, percent};
use crate::model::Variant;
use seatrial_core::math;

/// The guard share that the export gate refuses.
pub const GUARD_LIMIT: f64 = 0.2;

/// What a comparison shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// The first is cheaper.
    Cheaper,
    /// The first is dearer.
    Dearer,
    /// The interval holds zero, or there is none.
    NotShown,
}

impl Verdict {
    /// The style of its sentence on the page.
    #[must_use]
    pub(crate) const fn class(self) -> &'static str {
        match self {
            Self::Cheaper => "good",
            Self::Dearer => "bad",
            Self::NotShown => "open",
        }
    }
}

/// Families from which on a claim may be made over all of them.
pub const FAMILIES_TO_GENERALISE: usize = 8;

/// Where claims are made: by family, unless there is one family only or enough of them.
#[must_use]
pub fn claim_scopes(evaluation: &Evaluation) -> Vec<&Scope> {
    let families = evaluation.overall.size[0];
    if families == 1 || families >= FAMILIES_TO_GENERALISE {
        return vec![&evaluation.overall];
    }
    let headline = |scope: &&Scope| scope.headline == evaluation.overall.headline;
    evaluation.families.iter().filter(headline).collect()
}

/// One comparison in words.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// The strategy spoken of.
    pub subject: String,
    /// What it is compared with.
    pub other: String,
    /// What is shown.
    pub verdict: Verdict,
    /// Whether there is an interval to claim anything by; without one the sentence only describes.
    pub founded: bool,
    /// The sentence.
    pub text: String,
}

/// The verdict of a paired interval.
#[must_use]
pub fn verdict(paired: &Paired) -> Verdict {
    match (paired.ln_ratio.excludes(0.0), paired.ln_ratio.value < 0.0) {
        (true, true) => Verdict::Cheaper,
        (true, false) => Verdict::Dearer,
        (false, _) => Verdict::NotShown,
    }
}

/// Comparisons of every learned strategy (or, without one, of every tuned strategy) with every other strategy of the scope.
#[must_use]
pub fn claims(scope: &Scope) -> Vec<Claim> {
    let learned = scope.strategies.iter().any(|strategy| strategy.variant == Variant::Learned);
    let kind = if learned { Variant::Learned } else { Variant::Tuned };
    let subjects = scope.strategies.iter().filter(|strategy| strategy.variant == kind);
    subjects
        .flat_map(|subject| {
            let others = scope.ranked().into_iter().filter(|other| other.id != subject.id);
            others.filter_map(|other| claim(scope, &subject.id, &other.id))
        })
        .collect()
}

fn claim(scope: &Scope, a: &str, b: &str) -> Option<Claim> {
    let paired = scope.pair(a, b)?;
    let verdict = verdict(paired);
    let founded = paired.ln_ratio.low.is_some() && paired.ln_ratio.high.is_some();
    let text = sentence(a, b, paired, verdict);
    Some(Claim { subject: a.to_owned(), other: b.to_owned(), verdict, founded, text })
}

fn sentence(a: &str, b: &str, paired: &Paired, verdict: Verdict) -> String {
    let sign = if verdict == Verdict::Cheaper { -1.0 } else { 1.0 };
    let change = |ln: f64| sign * (math::exp(ln) - 1.0) * 100.0;
    let mut ends: Vec<f64> = [paired.ln_ratio.low, paired.ln_ratio.high].into_iter().flatten().map(change).collect();
    ends.sort_unstable_by(f64::total_cmp);
    let value = change(paired.ln_ratio.value);
    let wins = format!("cheaper in {} of {} windows", paired.cheaper, paired.windows);
    match (verdict, ends.as_slice()) {
        (Verdict::NotShown, [low, high]) => format!(
            "No difference shown between {a} and {b}: J differs by {} % [{}, {}]; {a} was {wins}.",
            signed(value),
            signed(*low),
            signed(*high)
        ),
        (Verdict::Cheaper | Verdict::Dearer, [low, high]) => {
            let word = if verdict == Verdict::Cheaper { "cheaper" } else { "dearer" };
            format!(
                "{a} is {word} than {b} by {} % [{}, {}]; {wins}.",
                grouped(value, 1),
                grouped(*low, 1),
                grouped(*high, 1)
            )
        }
        _ => format!("No claim about {a} against {b}: J differs by {} % in the only window.", signed(value)),
    }
}

fn signed(value: f64) -> String {
    if value > 0.0 { format!("+{}", grouped(value, 1)) } else { grouped(value, 1) }
}

/// What went wrong by the study's own rules: learned strategies that do not win, guard shares at or above the limit.
#[must_use]
pub fn shortfalls(evaluation: &Evaluation) -> Vec<String> {
    claim_scopes(evaluation).into_iter().flat_map(shortfalls_of).collect()
}

fn shortfalls_of(scope: &Scope) -> Vec<String> {
    let place = if scope.name == "overall" { String::new() } else { format!("{}: ", scope.name) };
    let mut out: Vec<String> = claims(scope)
        .into_iter()
        .filter(|claim| claim.verdict != Verdict::Cheaper && is_learned(scope, &claim.subject))
        .map(|claim| format!("{place}{}", claim.text))
        .collect();
    out.extend(busy_guards(scope).into_iter().map(|line| format!("{place}{line}")));
    out
}

/// Learned strategies whose guard overrode too many proposals.
#[must_use]
pub fn busy_guards(scope: &Scope) -> Vec<String> {
    let learned = scope.strategies.iter().filter(|strategy| strategy.variant == Variant::Learned);
    learned
        .filter_map(|strategy| {
            let share = strategy.value(Metric::GuardShare).filter(|share| *share >= GUARD_LIMIT)?;
            Some(format!(
                "The guard overrode {} in {} % of its steps; the export gate asks for less than {} %.",
                strategy.id,
                percent(share, 1),
                percent(GUARD_LIMIT, 0)
            ))
        })
        .collect()
}

fn is_learned(scope: &Scope, id: &str) -> bool {
    scope.strategy(id).is_some_and(|strategy| strategy.variant == Variant::Learned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Estimate;
    use crate::{evaluation, sample};

    fn paired(value: f64, low: Option<f64>, high: Option<f64>) -> Paired {
        Paired { ln_ratio: Estimate { value, low, high, n: 7 }, cheaper: 6, windows: 7 }
    }

    /// 1 − e^−0.1 = 9.5 %, 1 − e^−0.2 = 18.1 %, 1 − e^−0.05 = 4.9 %; e^0.1 − 1 = 10.5 %.
    #[test]
    fn says_only_what_the_interval_allows() {
        for (value, low, high, expected) in [
            (-0.1, Some(-0.2), Some(-0.05), "a is cheaper than b by 9.5 % [4.9, 18.1]; cheaper in 6 of 7 windows."),
            (0.1, Some(0.05), Some(0.2), "a is dearer than b by 10.5 % [5.1, 22.1]; cheaper in 6 of 7 windows."),
            (
                -0.1,
                Some(-0.2),
                Some(0.05),
                "No difference shown between a and b: J differs by -9.5 % [-18.1, +5.1]; a was cheaper in 6 of 7 windows.",
            ),
            (-0.1, None, None, "No claim about a against b: J differs by -9.5 % in the only window."),
        ] {
            let paired = paired(value, low, high);
            assert_eq!(sentence("a", "b", &paired, verdict(&paired)), expected);
        }
    }

    #[test]
    fn learned_strategies_are_compared_with_everyone() {
        let result = evaluation::evaluate(&sample::study()).unwrap();
        let claims = claims(&result.overall);
        assert_eq!(claims.len(), result.overall.strategies.len() - 1);
        assert!(claims.iter().all(|claim| claim.subject == "lstm-dqn"));
        let against = |id: &str| claims.iter().find(|claim| claim.other == id).unwrap().verdict;
        assert_eq!(against("lstm-dqn-random"), Verdict::Cheaper);
        assert_eq!(against("newsvendor-tuned"), Verdict::NotShown);
    }

    #[test]
    fn shortfalls_name_lost_comparisons_and_a_busy_guard() {
        let mut study = sample::study();
        study.cells.iter_mut().filter(|c| c.strategy == "lstm-dqn").for_each(|cell| cell.guard_share = Some(0.31));
        let lines = shortfalls(&evaluation::evaluate(&study).unwrap());
        assert!(lines.iter().any(|line| line.contains("31.0 % of its steps")), "{lines:?}");
        assert!(lines.iter().any(|line| line.contains("newsvendor-tuned")), "{lines:?}");
        assert!(lines.iter().all(|line| !line.contains("lstm-dqn-random")));
    }
}
