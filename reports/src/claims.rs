//! Sentences about who is cheaper: exactly those that the paired intervals allow.
//!
//! "Is cheaper" or "is dearer" is said only if the paired 95 % interval excludes zero; else the sentence says that no difference
//! is shown. Where there is no interval a sentence describes, in the past tense, and says that it claims nothing. Nothing is left
//! out: a subject is compared with every other strategy, and losses are said as plainly as wins.

mod lines;

pub use lines::{GUARD_LIMIT, busy_guards, failed_lines};

use crate::evaluation::{Evaluation, Paired, Scope};
use crate::format::grouped;
use crate::model::Variant;
use crate::stats::count;
use seatrial_core::math;

/// What a comparison shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// The first is cheaper.
    Cheaper,
    /// The interval holds zero.
    NotShown,
    /// The first is dearer.
    Dearer,
    /// Too few windows for an interval.
    TooFew,
}

impl Verdict {
    /// The style of its sentence on the page.
    #[must_use]
    pub(crate) const fn class(self) -> &'static str {
        match self {
            Self::Cheaper => "good",
            Self::Dearer => "bad",
            Self::NotShown | Self::TooFew => "open",
        }
    }
}

/// Families from which on a claim may be made over all of them.
pub const FAMILIES_TO_GENERALISE: usize = 8;

/// Whether a scope is one family or enough of them to speak of all.
#[must_use]
pub const fn may_claim(scope: &Scope) -> bool {
    scope.size[0] == 1 || scope.size[0] >= FAMILIES_TO_GENERALISE
}

/// Where claims are made: by family, unless there is one family only or enough of them.
#[must_use]
pub fn claim_scopes(evaluation: &Evaluation) -> Vec<&Scope> {
    if may_claim(&evaluation.overall) {
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
    /// The sentence.
    pub text: String,
}

/// The verdict of a paired interval.
#[must_use]
pub fn verdict(paired: &Paired) -> Verdict {
    let ln_ratio = &paired.ln_ratio;
    match (ln_ratio.low.and(ln_ratio.high), ln_ratio.excludes(0.0)) {
        (None, _) => Verdict::TooFew,
        (_, false) => Verdict::NotShown,
        (_, true) if ln_ratio.value < 0.0 => Verdict::Cheaper,
        (_, true) => Verdict::Dearer,
    }
}

/// Whose results are told: every learned strategy or, without one, every tuned strategy.
fn subjects(scope: &Scope) -> impl Iterator<Item = &str> + '_ {
    let learned = scope.strategies.iter().any(|strategy| strategy.variant == Variant::Learned);
    let kind = if learned { Variant::Learned } else { Variant::Tuned };
    scope.strategies.iter().filter(move |strategy| strategy.variant == kind).map(|strategy| strategy.id.as_str())
}

/// Every pair that is told, in the order of the ranking; two that are both spoken of once, the cheaper first.
fn told(scope: &Scope) -> impl Iterator<Item = (&str, &str, &Paired)> {
    let ranked: Vec<&str> = scope.ranked().into_iter().map(|strategy| strategy.id.as_str()).collect();
    let spoken: Vec<&str> = subjects(scope).collect();
    let rank = |id: &str| ranked.iter().position(|ranked| *ranked == id);
    let mut pairs = Vec::new();
    for subject in ranked.iter().filter(|id| spoken.contains(id)) {
        pairs.extend(ranked.iter().map(|other| (*subject, *other)));
    }
    pairs.retain(|(a, b)| !spoken.contains(b) || rank(a) < rank(b));
    pairs.into_iter().filter_map(|(a, b)| Some((a, b, scope.pair(a, b)?)))
}

/// Comparisons of every learned strategy (or, without one, of every tuned strategy) with every other strategy of the scope that
/// an interval stands behind; [`open_claims`] tells the others.
#[must_use]
pub fn claims(scope: &Scope) -> Vec<Claim> {
    let founded = told(scope).filter(|(_, _, paired)| verdict(paired) != Verdict::TooFew);
    founded.map(|(a, b, paired)| claim(a, b, paired)).collect()
}

fn claim(a: &str, b: &str, paired: &Paired) -> Claim {
    let verdict = verdict(paired);
    Claim { subject: a.to_owned(), other: b.to_owned(), verdict, text: sentence(a, b, paired, verdict) }
}

/// Comparisons without an interval, over all scopes in which claims would be made: one sentence per pair, which only describes.
#[must_use]
pub fn open_claims(evaluation: &Evaluation) -> Vec<Claim> {
    let open = |Open { subject, other, pairs }: Open<'_>| Claim {
        subject: subject.to_owned(),
        other: other.to_owned(),
        verdict: Verdict::TooFew,
        text: open_sentence(subject, other, &pairs),
    };
    open_pairs(evaluation).into_iter().map(open).collect()
}

/// Two strategies and what is known of them in each scope, without an interval.
struct Open<'a> {
    subject: &'a str,
    other: &'a str,
    pairs: Vec<&'a Paired>,
}

fn open_pairs(evaluation: &Evaluation) -> Vec<Open<'_>> {
    let mut open: Vec<Open<'_>> = Vec::new();
    let all = claim_scopes(evaluation).into_iter().flat_map(told);
    for (subject, other, paired) in all.filter(|(_, _, paired)| verdict(paired) == Verdict::TooFew) {
        match open.iter_mut().find(|known| (known.subject, known.other) == (subject, other)) {
            Some(known) => known.pairs.push(paired),
            None => open.push(Open { subject, other, pairs: vec![paired] }),
        }
    }
    open
}

fn open_sentence(a: &str, b: &str, pairs: &[&Paired]) -> String {
    let on = |side: f64| pairs.iter().filter(|pair| pair.ln_ratio.value * side > 0.0).count();
    let (dearer, cheaper) = (on(1.0), on(-1.0));
    let (word, times) = if dearer > cheaper { ("dearer", dearer) } else { ("cheaper", cheaper) };
    let (word, place) = match pairs {
        [only] if only.windows == 1 => (word, "in the only window".to_owned()),
        [only] => ("cheaper", format!("in {} of {} windows", only.cheaper, only.windows)),
        _ => (word, format!("on {times} of {} traces", pairs.len())),
    };
    format!("{a} was {word} than {b} {place}: J differs by {}; too few windows for a claim.", spread(pairs))
}

/// `+3.1 %`, or `-1.0 to +3.1 %`.
fn spread(pairs: &[&Paired]) -> String {
    let mut changes: Vec<f64> = pairs.iter().map(|pair| (math::exp(pair.ln_ratio.value) - 1.0) * 100.0).collect();
    changes.sort_unstable_by(f64::total_cmp);
    match changes.as_slice() {
        [least, .., greatest] => format!("{} to {} %", signed(*least), signed(*greatest)),
        only => only.iter().map(|change| format!("{} %", signed(*change))).collect(),
    }
}

/// How many of `claims`, which hold one subject or several, show what: the first sentence of a list.
#[must_use]
pub fn tally(claims: &[Claim]) -> String {
    let of = |verdict| match claims.iter().filter(|claim| claim.verdict == verdict).count() {
        0 => "none".to_owned(),
        n => grouped(count(n), 0),
    };
    let mut subjects: Vec<&str> = claims.iter().map(|claim| claim.subject.as_str()).collect();
    subjects.sort_unstable();
    subjects.dedup();
    let [subject] = subjects.as_slice() else {
        return format!(
            "{} pairs of rows: a difference is shown in {}, none in {}. The first of a pair has the lower J/J*.",
            grouped(count(claims.len()), 0),
            grouped(count(claims.iter().filter(|claim| claim.verdict != Verdict::NotShown).count()), 0),
            of(Verdict::NotShown)
        );
    };
    format!(
        "{subject} against all other rows: shown to be cheaper than {}, no difference shown against {}, shown to be dearer than {}.",
        of(Verdict::Cheaper),
        of(Verdict::NotShown),
        of(Verdict::Dearer)
    )
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
        _ => open_sentence(a, b, &[paired]),
    }
}

fn signed(value: f64) -> String {
    if value > 0.0 { format!("+{}", grouped(value, 1)) } else { grouped(value, 1) }
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
    /// Where several strategies are spoken of, a pair of them is told once, and the tally names no one twice.
    #[test]
    fn a_pair_is_told_once() {
        let mut study = sample::study();
        study.cells.retain(|cell| !matches!(cell.variant, Variant::Learned | Variant::Attribution));
        let overall = evaluation::evaluate(&study).unwrap().overall;
        let claims = claims(&overall);
        let mut pairs: Vec<[&str; 2]> = claims.iter().map(|claim| [&*claim.subject, &*claim.other]).collect();
        pairs.iter_mut().for_each(|pair| pair.sort_unstable());
        let told = pairs.len();
        pairs.sort_unstable();
        pairs.dedup();
        assert!(told > 3 && pairs.len() == told, "{pairs:?}");
        assert!(tally(&claims).starts_with(&format!("{told} pairs of rows: ")), "{}", tally(&claims));
    }

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
            (
                -0.1,
                None,
                None,
                "a was cheaper than b in 6 of 7 windows: J differs by -9.5 %; too few windows for a claim.",
            ),
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

    /// Every pair of the sample is told once: by an interval, or openly without one.
    #[test]
    fn one_window_is_described_and_nothing_is_claimed() {
        let mut study = sample::study();
        study.cells.iter_mut().for_each(|cell| cell.windows.truncate(1));
        let result = evaluation::evaluate(&study).unwrap();
        assert_eq!(claims(&result.overall), []);
        let open = open_claims(&result);
        assert_eq!(open.len(), result.overall.strategies.len() - 1);
        assert!(open.iter().all(|claim| claim.text.ends_with("; too few windows for a claim.")), "{open:?}");
        assert!(
            open.iter().any(|c| c.text.starts_with("lstm-dqn was cheaper than static in the only window: J differs"))
        );
        assert_eq!(open_claims(&evaluation::evaluate(&sample::study()).unwrap()), []);
    }

    /// e^0.1 − 1 = 10.5 %, e^0.2 − 1 = 22.1 %, e^−0.1 − 1 = −9.5 %.
    #[test]
    fn traces_of_one_window_each_share_a_sentence() {
        for (values, expected) in [
            (
                [0.1, 0.2, 0.1],
                "a was dearer than b on 3 of 3 traces: J differs by +10.5 to +22.1 %; too few windows for a claim.",
            ),
            (
                [0.1, -0.1, 0.2],
                "a was dearer than b on 2 of 3 traces: J differs by -9.5 to +22.1 %; too few windows for a claim.",
            ),
        ] {
            let pairs = values.map(|value| Paired { windows: 1, ..paired(value, None, None) });
            assert_eq!(open_sentence("a", "b", &pairs.iter().collect::<Vec<_>>()), expected);
        }
        let mut study = sample::study();
        let mut other = study.cells.clone();
        other.iter_mut().for_each(|cell| cell.family = "nasa_http".to_owned());
        study.cells.extend(other);
        study.cells.iter_mut().for_each(|cell| cell.windows.truncate(1));
        let open = open_claims(&evaluation::evaluate(&study).unwrap());
        assert!(open.iter().any(|claim| claim.text.contains("cheaper than static on 2 of 2 traces")), "{open:?}");
    }

    #[test]
    fn the_tally_counts_every_verdict() {
        let claim = |verdict| Claim { subject: "a".to_owned(), other: "b".to_owned(), verdict, text: String::new() };
        let claims = [Verdict::Cheaper, Verdict::Cheaper, Verdict::NotShown].map(claim);
        assert_eq!(
            tally(&claims),
            "a against all other rows: shown to be cheaper than 2, no difference shown against 1, shown to be dearer than none."
        );
    }
}
