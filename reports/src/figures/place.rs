//! What a figure compares and where its numbers come from, in words: trace, scored days, size, and whether it is a headline.
//!
//! Here so that no figure can be cut out of the page and lose its place. Invariant: what is not headline says so in its title.

use std::collections::BTreeMap;

use crate::evaluation::Scope;
use crate::format::{is_relative, span_label};
use crate::model::{CellRow, NOMINAL, StudyData, WindowRow};
use crate::tables::NOT_HEADLINE;

/// The two lines over a figure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heading {
    /// What is compared.
    pub(crate) title: String,
    /// On which part of which trace.
    pub(crate) place: String,
}

impl Heading {
    /// The heading of a comparison over a scope.
    pub(crate) fn of_scope(what: &str, scope: &Scope, study: &StudyData) -> Self {
        let [families, _, windows] = scope.size;
        // Several traces are named already, and the line is short.
        let size = if families > 1 { format!("{windows} windows") } else { scope.size_in_words() };
        Self { title: marked(what, scope.headline), place: format!("{} · {size}", scope_place(scope, study)) }
    }

    /// The heading of something shown of one series; `place` says which part of it.
    pub(crate) fn of_series(what: &str, series: &str, study: &StudyData, place: String) -> Self {
        let of = |cell: &&CellRow| cell.family == series || series == format!("{}/{}", cell.family, cell.series);
        let coarse = study.cells.iter().find(of).is_some_and(|cell| !cell.headline);
        Self { title: marked(what, !coarse), place }
    }

    /// Both lines as one.
    pub(crate) fn joined(&self) -> String {
        format!("{}: {}", self.title, self.place)
    }
}

fn marked(what: &str, headline: bool) -> String {
    if headline { what.to_owned() } else { format!("{what} ({NOT_HEADLINE})") }
}

fn scope_place(scope: &Scope, study: &StudyData) -> String {
    let regime = study.cells.iter().any(|cell| cell.regime == scope.name && cell.regime != NOMINAL);
    let belongs = |cell: &&CellRow| match (regime, scope.name.as_str()) {
        (true, name) => cell.regime == name,
        (false, "overall") => cell.regime == NOMINAL && cell.headline == scope.headline,
        (false, name) => cell.regime == NOMINAL && cell.family == name,
    };
    let traces = match dated(study.cells.iter().filter(belongs)) {
        spans if spans.is_empty() => scope.name.clone(),
        spans => in_words(&spans),
    };
    let regime = if regime { format!(", regime {}", scope.name) } else { String::new() };
    format!("{traces}{regime}")
}

/// First and last scored day of every trace.
pub(crate) type Spans<'a> = BTreeMap<&'a str, (i64, i64)>;

/// The scored days of the traces among `cells`.
pub(crate) fn dated<'a>(cells: impl Iterator<Item = &'a CellRow>) -> Spans<'a> {
    let mut spans = Spans::new();
    for cell in cells {
        for WindowRow { day_us, .. } in &cell.windows {
            let (first, last) = spans.entry(&cell.family).or_insert((*day_us, *day_us));
            (*first, *last) = ((*first).min(*day_us), (*last).max(*day_us));
        }
    }
    spans
}

/// Traces named one by one with their days.
const NAMED: usize = 4;

/// `trace, scored 21 Jun to 27 Jun 1998`; a few traces each with its own days; of many their number, and the days they share
/// a calendar for.
pub(crate) fn in_words(spans: &Spans<'_>) -> String {
    let named = spans.iter().map(|(trace, (first, last))| (trace, span_label(*first, *last)));
    if spans.len() == 1 {
        return named.map(|(trace, days)| format!("{trace}, scored {days}")).collect();
    }
    if spans.len() <= NAMED {
        return named.map(|(trace, days)| format!("{trace} {days}")).collect::<Vec<_>>().join(", ");
    }
    let ends = || spans.values();
    let number = format!("{} traces", spans.len());
    match (ends().map(|e| e.0).min(), ends().map(|e| e.1).max()) {
        (Some(first), Some(last)) if is_relative(first) == is_relative(last) => {
            format!("{number}, scored {}", span_label(first, last))
        }
        _ => number,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{evaluation, sample};

    #[test]
    fn traces_are_named_with_their_days_while_they_are_few() {
        let (june, day_28) = (898_387_200_000_000, 27 * crate::format::DAY_US);
        let names = ["a", "b", "c", "d", "e"];
        let spans = |n: usize, day: i64| -> Spans<'_> { names[..n].iter().map(|name| (*name, (day, day))).collect() };
        assert_eq!(in_words(&spans(1, june)), "a, scored 21 Jun 1998");
        let mut mixed = spans(2, june);
        mixed.insert("z", (day_28, day_28));
        assert_eq!(in_words(&mixed), "a 21 Jun 1998, b 21 Jun 1998, z day 28");
        let mut many = spans(5, june);
        assert_eq!(in_words(&many), "5 traces, scored 21 Jun 1998");
        many.insert("z", (day_28, day_28));
        assert_eq!(in_words(&many), "6 traces");
    }

    #[test]
    fn headings_say_trace_days_and_whether_they_count() {
        let mut study = sample::study();
        let read = |study: &StudyData| {
            let overall = evaluation::evaluate(study).unwrap().overall;
            Heading::of_scope("Cost by strategy", &overall, study)
        };
        let place = "worldcup98, scored 21 Jun to 27 Jun 1998 · 7 windows of 1 series in 1 family";
        assert_eq!(read(&study), Heading { title: "Cost by strategy".to_owned(), place: place.to_owned() });
        study.cells.iter_mut().for_each(|cell| cell.headline = false);
        assert_eq!(read(&study).title, "Cost by strategy (not headline)");
        let of = |series: &str| Heading::of_series("Waits", series, &study, String::new()).title;
        assert_eq!(of("worldcup98"), "Waits (not headline)");
        assert_eq!(of("worldcup98/all"), "Waits (not headline)");
        assert_eq!(of("unknown"), "Waits");
    }
}
