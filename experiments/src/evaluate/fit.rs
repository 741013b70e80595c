//! Whether a bundle fits the traces that it is tried on: what it was trained on is on its card.
//!
//! Costs on a trace that it was trained on are no evidence, and costs on another kind of trace say little about the bundle's
//! own. Neither is an error: whoever tries a bundle out decides, and must be told.

use seatrial_core::bundle::TracePart;
use seatrial_core::time::Span;
use seatrial_datasets::{Fingerprint, Load, Locator, SplitRule, overlaps, prepare};

use crate::arena::Arena;

/// Shorter stretches of equal content are chance.
const LEAST_OVERLAP: Span = Span::from_secs(3_600);

/// A series that the bundle was trained or selected on.
struct Past {
    id: String,
    series: String,
    content_hash: String,
    /// In microseconds, end exclusive.
    from_us: i64,
    to_us: i64,
    /// Its load, if the trace is at hand with the same content.
    load: Option<Load>,
}

/// What does not fit, a sentence for each.
pub(super) fn warnings(trained_on: &[TracePart], arenas: &[Arena], locator: &Locator) -> Vec<String> {
    let pasts = pasts(trained_on, locator);
    if pasts.is_empty() {
        return vec!["the bundle does not say what it was trained on".into()];
    }
    let mut warnings: Vec<String> = arenas.iter().flat_map(|arena| of_arena(arena, &pasts)).collect();
    for past in pasts.iter().filter(|past| past.load.is_none()) {
        warnings.push(format!(
            "trace {}, which the bundle was trained on, is not at hand: whether its content stands again in what is scored was \
             not checked",
            past.label()
        ));
    }
    warnings
}

fn pasts(trained_on: &[TracePart], locator: &Locator) -> Vec<Past> {
    let mut pasts: Vec<Past> = Vec::new();
    for part in trained_on.iter().filter(|part| part.part != "test") {
        let same = |past: &&mut Past| (&past.id, &past.series) == (&part.id, &part.series);
        if let Some(past) = pasts.iter_mut().find(same) {
            (past.from_us, past.to_us) = (past.from_us.min(part.from_us), past.to_us.max(part.to_us));
            continue;
        }
        let series = (!part.series.is_empty()).then_some(part.series.as_str());
        let load = locator.open(&part.id).ok().and_then(|trace| {
            let load = prepare(&trace, series, &SplitRule::protocol_p1(&trace.id)).ok()?;
            (load.content_hash == part.content_hash).then_some(load)
        });
        pasts.push(Past {
            id: part.id.clone(),
            series: part.series.clone(),
            content_hash: part.content_hash.clone(),
            from_us: part.from_us,
            to_us: part.to_us,
            load,
        });
    }
    pasts
}

fn of_arena(arena: &Arena, pasts: &[Past]) -> Vec<String> {
    let label = arena.label();
    let mut warnings = Vec::new();
    if !pasts.iter().any(|past| past.is_of(&arena.load)) {
        let known = pasts.iter().map(Past::label).collect::<Vec<_>>().join(", ");
        warnings.push(if pasts.iter().any(|past| past.id == arena.load.family) {
            format!("{label} has other content than the trace of that name that the bundle was trained on")
        } else {
            format!("the bundle was not trained on {label}, but on {known}")
        });
    }
    let intervals: Vec<Span> = pasts.iter().filter_map(|past| Some(past.load.as_ref()?.interval)).collect();
    if !intervals.is_empty() && !intervals.contains(&arena.load.interval) {
        let minutes = |span: &Span| format!("{} min", span.as_secs_f64() / 60.0);
        let mut trained: Vec<String> = intervals.iter().map(minutes).collect();
        trained.dedup();
        let (own, trained) = (minutes(&arena.load.interval), trained.join(" and "));
        warnings.push(format!("{label} has bins of {own}, the bundle was trained on bins of {trained}"));
    }
    for past in pasts {
        if let Some(shared) = past.shared_with(arena) {
            let hours = shared.as_secs_f64() / 3_600.0;
            warnings.push(format!(
                "{hours:.1} h of what the bundle was trained on ({}) stand again in the scored part of {label}: its costs \
                 there are no evidence",
                past.label()
            ));
        }
    }
    warnings
}

impl Past {
    fn label(&self) -> String {
        if self.series.is_empty() { self.id.clone() } else { format!("{}/{}", self.id, self.series) }
    }

    fn is_of(&self, load: &Load) -> bool {
        self.content_hash == load.content_hash && self.series == load.series
    }

    /// How much of it is scored in `arena`: by time where it is the same series, else by content.
    fn shared_with(&self, arena: &Arena) -> Option<Span> {
        if self.is_of(&arena.load) {
            let (from, to) = arena.bounds(&arena.scored);
            let shared = self.to_us.min(to.micros()) - self.from_us.max(from.micros());
            return (shared > 0).then(|| Span::from_micros(shared));
        }
        let load = self.load.as_ref()?;
        let bin = |us: i64| usize::try_from((us - load.start.micros()) / load.interval.micros().max(1)).unwrap_or(0);
        let learnt = Fingerprint::of_part(load, bin(self.from_us)..bin(self.to_us));
        let scored = Fingerprint::of_part(&arena.load, arena.scored.clone());
        overlaps(&learnt, &scored).map(|overlap| overlap.span).filter(|span| *span >= LEAST_OVERLAP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena;
    use crate::config::TraceChoice;

    fn arena(id: &str) -> Arena {
        arena::open_all(&[TraceChoice::of(id)], &Locator::default()).unwrap().remove(0)
    }

    fn trained_on(arena: &Arena, id: &str, bins: std::ops::Range<usize>) -> Vec<TracePart> {
        let (from, to) = arena.bounds(&bins);
        let part = |part: &str| TracePart {
            id: id.into(),
            series: arena.load.series.clone(),
            part: part.into(),
            content_hash: arena.load.content_hash.clone(),
            from_us: from.micros(),
            to_us: to.micros(),
        };
        vec![part("train"), part("validation")]
    }

    fn told(trained_on: &[TracePart], tried_on: Arena) -> String {
        warnings(trained_on, &[tried_on], &Locator::default()).join("\n")
    }

    #[test]
    fn a_bundle_on_the_later_part_of_its_own_trace_fits() {
        let own = arena("generated_web_1min");
        let learnt = own.training_part().start..own.validation_part().end;
        assert_eq!(told(&trained_on(&own, "generated_web_1min", learnt), own), "");
    }

    #[test]
    fn another_trace_and_another_interval_are_told() {
        let (own, other) = (arena("generated_web_1min"), arena("google_cluster_5min"));
        let told = told(&trained_on(&own, "generated_web_1min", own.training_part()), other);
        assert!(told.contains("not trained on google_cluster_5min, but on generated_web_1min"), "{told}");
        assert!(told.contains("bins of 5 min, the bundle was trained on bins of 1 min"), "{told}");
    }

    #[test]
    fn content_that_was_learnt_is_told_by_time_and_by_fingerprint() {
        let own = arena("generated_web_1min");
        let all = 0..own.load.rate_per_s.len();
        let told_of = told(&trained_on(&own, "generated_web_1min", all.clone()), own.clone());
        assert!(told_of.contains("stand again in the scored part") && told_of.contains("no evidence"), "{told_of}");
        // The same content under another hash, as after a change of unit: only the fingerprint can tell.
        let mut renamed = own.clone();
        renamed.load.content_hash = "other".into();
        let told_of = told(&trained_on(&own, "generated_web_1min", all), renamed);
        assert!(told_of.contains("other content than the trace of that name"), "{told_of}");
        assert!(told_of.contains("stand again in the scored part"), "{told_of}");
    }

    #[test]
    fn what_cannot_be_checked_is_told() {
        let own = arena("generated_web_1min");
        let told = told(&trained_on(&own, "gone_1min", own.training_part()), own);
        assert!(told.contains("gone_1min") && told.contains("is not at hand"), "{told}");
        assert!(warnings(&[], &[], &Locator::default())[0].contains("does not say"));
    }
}
