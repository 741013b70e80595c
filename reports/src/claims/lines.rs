//! What a learned policy is held to, and which of these lines do not hold.
//!
//! Here beside the claims because a line holds only where an interval shows it: a loss, a draw and too few windows all fail.

use super::{Open, Verdict, claim, claim_scopes, open_pairs, spread, verdict};
use crate::evaluation::{Evaluation, Metric, Scope};
use crate::format::percent;
use crate::model::Variant;

/// The guard share that the export gate refuses.
pub const GUARD_LIMIT: f64 = 0.2;

/// Rows that a learned policy `id` must be cheaper than, where the study has them.
fn required(id: &str) -> [String; 5] {
    let fixed = ["hpa-default", "headroom-constant", "forecast-max"].map(str::to_owned);
    let [default, constant, greatest] = fixed;
    [default, format!("{id}-untrained"), format!("{id}-random"), constant, greatest]
}

/// Every line that does not hold, with its number: rows that a learned policy is not shown to be cheaper than, guards that
/// override too much. Empty where all hold, and where nothing was learned.
#[must_use]
pub fn failed_lines(evaluation: &Evaluation) -> Vec<String> {
    let scopes = claim_scopes(evaluation);
    let place = |scope: &Scope| if scopes.len() > 1 { format!("`{}`: ", scope.name) } else { String::new() };
    let of = |scope: &&Scope| {
        let place = place(scope);
        let lines = unshown(scope).into_iter().chain(busy_guards(scope));
        lines.map(|line| format!("{place}{line}")).collect::<Vec<_>>()
    };
    let mut lines: Vec<String> = scopes.iter().flat_map(of).collect();
    lines.extend(undecided(evaluation));
    lines
}

fn learned(scope: &Scope) -> impl Iterator<Item = &str> {
    let kind = |strategy: &&crate::evaluation::StrategyResult| strategy.variant == Variant::Learned;
    scope.strategies.iter().filter(kind).map(|strategy| strategy.id.as_str())
}

/// Required rows with an interval that does not show the learned policy to be cheaper.
fn unshown(scope: &Scope) -> Vec<String> {
    let pairs = learned(scope).flat_map(|id| required(id).map(|rival| (id, rival)));
    let lines = pairs.filter_map(|(id, rival)| {
        let paired = scope.pair(id, &rival)?;
        matches!(verdict(paired), Verdict::NotShown | Verdict::Dearer).then(|| claim(id, &rival, paired).text)
    });
    lines.collect()
}

/// Required rows without any interval: one sentence per learned policy.
fn undecided(evaluation: &Evaluation) -> Vec<String> {
    let open: Vec<Open<'_>> = open_pairs(evaluation);
    let about = |id: &str| {
        let (rivals, pairs) = (required(id), open.iter().filter(|pair| pair.subject == id));
        let named = pairs.filter(|pair| rivals.iter().any(|rival| rival == pair.other));
        let named: Vec<String> =
            named.map(|pair| format!("{} (J differs by {})", pair.other, spread(&pair.pairs))).collect();
        let line = format!("Too few windows to show that {id} is cheaper than {}.", named.join(", "));
        (!named.is_empty()).then_some(line)
    };
    learned(&evaluation.overall).filter_map(about).collect()
}

/// Learned strategies whose guard overrode too many proposals.
#[must_use]
pub fn busy_guards(scope: &Scope) -> Vec<String> {
    let line = |id| {
        let share = scope.strategy(id)?.value(Metric::GuardShare).filter(|share| *share >= GUARD_LIMIT)?;
        Some(format!(
            "The guard overrode {id} in {} % of its steps; the export gate asks for less than {} %.",
            percent(share, 1),
            percent(GUARD_LIMIT, 0)
        ))
    };
    learned(scope).filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::StudyData;
    use crate::{evaluation, sample};

    fn lines(study: &StudyData) -> Vec<String> {
        failed_lines(&evaluation::evaluate(study).unwrap())
    }

    #[test]
    fn nothing_fails_where_every_line_holds_whatever_the_other_rows_show() {
        let mut study = sample::study();
        study.cells.iter_mut().filter(|c| c.strategy == "forecast-max").for_each(|cell| {
            cell.windows.iter_mut().for_each(|window| window.j *= 1.1);
        });
        assert_eq!(lines(&study), Vec::<String>::new());
    }

    #[test]
    fn a_loss_a_draw_and_a_busy_guard_are_listed_with_their_numbers() {
        let lines = lines(&sample::of_every_kind());
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(lines[0].starts_with("lstm-dqn is dearer than headroom-constant by "), "{lines:?}");
        assert!(
            lines[1].starts_with("No difference shown between lstm-dqn and forecast-max: J differs by "),
            "{lines:?}"
        );
        assert!(lines[2].starts_with("The guard overrode lstm-dqn in 31.0 % of its steps"), "{lines:?}");
    }

    #[test]
    fn one_window_shows_no_line_to_hold() {
        let mut study = sample::study();
        study.cells.iter_mut().for_each(|cell| cell.windows.truncate(1));
        let lines = lines(&study);
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].starts_with("Too few windows to show that lstm-dqn is cheaper than "), "{lines:?}");
        for rival in required("lstm-dqn") {
            assert!(lines[0].contains(&format!("{rival} (J differs by ")), "{lines:?}");
        }
    }

    #[test]
    fn nothing_is_asked_of_rules() {
        let mut study = sample::of_every_kind();
        study.cells.retain(|cell| !cell.strategy.starts_with("lstm-dqn"));
        assert_eq!(lines(&study), Vec::<String>::new());
    }
}
