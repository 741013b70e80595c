//! An arena: one series of one trace, scaled and split by the protocol, with the part that is scored.
//!
//! Selection (tuning, stopping, the gate) asks for [`Arena::tuning_part`] or [`Arena::validation_part`] and never gets the
//! test part from here; scoring asks for [`Arena::scored`].

use std::ops::Range;

use seatrial_core::time::{Span, Timestamp};
use seatrial_datasets::moment::{self, DAY};
use seatrial_datasets::{Fingerprint, Load, Locator, SplitRule, Trace, overlaps, prepare};
use seatrial_envs::load::{EpisodeLoad, LONGEST_HISTORY};

use crate::config::{TraceChoice, Tuning, Window};
use crate::error::{ExperimentError, Result};
use crate::hash;
use crate::manifest::TraceRef;

/// A part of a series, in bins.
pub type Part = Range<usize>;

/// Letters of a file name that a label may take: file systems allow 255, and strategy, ending and the name of a file that is
/// being written come after it.
const LONGEST_STEM: usize = 120;

/// See the module.
#[derive(Clone, Debug)]
pub struct Arena {
    /// The series.
    pub load: Load,
    /// Whether it counts for headlines.
    pub headline: bool,
    /// Bins that are scored.
    pub scored: Part,
    /// Whether its own earlier part may be used to tune and to fit.
    pub trainable: bool,
}

/// The arenas of a study, in the order of its configuration.
///
/// # Errors
/// If a trace is absent, unreadable, has no such series, cannot be scaled, or is scored on what another is trained on.
pub fn open_all(choices: &[TraceChoice], locator: &Locator) -> Result<Vec<Arena>> {
    let mut arenas = Vec::new();
    for choice in choices {
        let trace = locator.open(&choice.id).map_err(|error| ExperimentError::Trace(error.to_string()))?;
        for series in series_names(&trace, choice) {
            arenas.push(Arena::new(&trace, series.as_deref(), choice)?);
        }
    }
    refuse_twins(&arenas)?;
    refuse_leaks(&arenas)?;
    Ok(arenas)
}

/// Refuses two series of one label, as when a trace is named by its id and by its path: their cells and files would be one.
fn refuse_twins(arenas: &[Arena]) -> Result<()> {
    let labels: Vec<String> = arenas.iter().map(Arena::label).collect();
    match labels.iter().enumerate().find(|(index, label)| labels[..*index].contains(label)) {
        None => Ok(()),
        Some((_, label)) => Err(ExperimentError::Trace(format!(
            "`traces`: `{label}` is named twice, by an id and a path or by two paths; leave one out, or rename one of the files"
        ))),
    }
}

/// Shorter stretches are chance: a slow signal in whole numbers every 15 s repeats itself for some minutes.
const LEAST_LEAK: Span = Span::from_secs(3_600);

/// Refuses a study in which what one series is fitted or tuned on stands again in what is scored: of another series, or of its
/// own (recordings that repeat a week). Content is compared, so a crop, another resolution or another scale is found too.
fn refuse_leaks(arenas: &[Arena]) -> Result<()> {
    let scored: Vec<Fingerprint> =
        arenas.iter().map(|arena| Fingerprint::of_part(&arena.load, arena.scored.clone())).collect();
    for known in arenas.iter().filter(|arena| arena.trainable) {
        let learnt = known.load.splits.train.start..known.load.splits.validation.end;
        let fingerprint = Fingerprint::of_part(&known.load, learnt);
        for (arena, scored) in arenas.iter().zip(&scored) {
            if let Some(overlap) = overlaps(&fingerprint, scored).filter(|overlap| overlap.span >= LEAST_LEAK) {
                let hours = overlap.span.as_secs_f64() / 3_600.0;
                let (known, tested) = (known.label(), arena.label());
                return Err(ExperimentError::Trace(format!(
                    "trace `{known}`: {hours:.1} h of what it is trained on stand again in the scored part of `{tested}`; leave one of them out"
                )));
            }
        }
    }
    Ok(())
}

fn series_names(trace: &Trace, choice: &TraceChoice) -> Vec<Option<String>> {
    if choice.series.is_empty() && trace.names().len() < 2 {
        return vec![None];
    }
    let names = if choice.series.is_empty() {
        trace.names().iter().map(ToString::to_string).collect()
    } else {
        choice.series.clone()
    };
    names.into_iter().map(Some).collect()
}

fn stem(label: &str) -> String {
    let plain = label.replace(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c)), "-");
    if plain.len() <= LONGEST_STEM {
        return plain;
    }
    format!("{}-{}", &plain[..LONGEST_STEM - 17], &hash::of_bytes(label.as_bytes())[..16])
}

impl Arena {
    fn new(trace: &Trace, series: Option<&str>, choice: &TraceChoice) -> Result<Self> {
        let rule = choice.split.clone().unwrap_or_else(|| SplitRule::protocol_p1(&trace.id));
        let load = prepare(trace, series, &rule).map_err(|error| ExperimentError::Trace(error.to_string()))?;
        let scored = match choice.window {
            Window::Test => load.splits.test.clone(),
            Window::LastDay => load.last_of(&load.splits.test, DAY),
            Window::Validation => load.splits.validation.clone(),
            Window::Whole => 0..load.rate_per_s.len(),
        };
        if scored.is_empty() {
            let detail = "has no bin in the part that is to be scored; choose another `window` or `split`";
            return Err(ExperimentError::Trace(format!("trace `{}`: {detail}", load.label())));
        }
        let trainable = !load.splits.test_only() && choice.window != Window::Whole;
        Ok(Self { headline: choice.headline && load.native, load, scored, trainable })
    }

    /// `family` or `family/series`.
    #[must_use]
    pub fn label(&self) -> String {
        self.load.label()
    }

    /// The label as a file name. A long one is cut; the hash in the place of the rest keeps it apart from its like.
    #[must_use]
    pub fn file_stem(&self) -> String {
        stem(&self.label())
    }

    /// Where rules are tuned: the last days of training, and validation.
    #[must_use]
    pub fn tuning_part(&self, tuning: &Tuning) -> Part {
        let days = DAY * i64::from(tuning.days);
        self.load.last_of(&self.load.splits.train, days).start..self.load.splits.validation.end
    }

    /// Where forecasters and learners are fitted.
    #[must_use]
    pub fn training_part(&self) -> Part {
        self.load.splits.train.clone()
    }

    /// Where they are selected, and where the export gate looks.
    #[must_use]
    pub fn validation_part(&self) -> Part {
        self.load.splits.validation.clone()
    }

    /// A continuous episode over `part`, with the history before it.
    ///
    /// # Errors
    /// If the part is empty.
    pub fn episode(&self, part: &Part) -> Result<EpisodeLoad> {
        let history = usize::try_from(LONGEST_HISTORY.whole_steps(self.load.interval)).unwrap_or(0);
        let past = part.start.saturating_sub(history)..part.start;
        EpisodeLoad::new(
            self.load.at(part.start),
            self.load.interval,
            self.load.rates(part.clone()),
            self.load.rates(past),
        )
        .map_err(|error| ExperimentError::Environment { place: self.label(), detail: error.to_string() })
    }

    /// Begin and end of `part`.
    #[must_use]
    pub fn bounds(&self, part: &Part) -> (Timestamp, Timestamp) {
        (self.load.at(part.start), self.load.at(part.end))
    }

    /// Length of `part`.
    #[must_use]
    pub fn length(&self, part: &Part) -> Span {
        let (from, to) = self.bounds(part);
        to.since(from)
    }

    /// Lengths of the days at the begin and the end of the scored part that are not whole. Costs are told by day.
    #[must_use]
    pub fn partial_days(&self) -> Vec<Span> {
        let (from, to) = self.bounds(&self.scored);
        let (from, to, day) = (from.micros(), to.micros(), DAY.micros());
        let (first_end, last_begin) = (from.div_euclid(day) * day + day, (to - 1).div_euclid(day) * day);
        let days = [first_end.min(to) - from, to - last_begin.max(from)];
        let one = first_end >= to;
        let kept = days.into_iter().take(if one { 1 } else { 2 }).filter(|length| *length < day);
        kept.map(Span::from_micros).collect()
    }

    /// Its entry in a manifest.
    #[must_use]
    pub fn reference(&self) -> TraceRef {
        let (from, to) = self.bounds(&self.scored);
        TraceRef {
            family: self.load.family.clone(),
            series: self.load.series.clone(),
            content_hash: self.load.content_hash.clone(),
            scale: self.load.scale,
            noise: self.load.noise,
            smoothing_bins: self.load.smoothing_bins,
            from: moment::format(from),
            to: moment::format(to),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TraceChoice;

    fn arena(id: &str) -> Arena {
        let choice: TraceChoice = toml::from_str(&format!("id = \"{id}\"")).unwrap();
        Arena::new(&seatrial_datasets::shipped::open(id).unwrap(), None, &choice).unwrap()
    }

    #[test]
    fn long_labels_become_names_that_fit_and_differ() {
        assert_eq!(stem("trace/a b"), "trace-a-b");
        assert_eq!(stem(&"a".repeat(120)), "a".repeat(120));
        let (one, two) = (stem(&format!("{}x", "é".repeat(400))), stem(&format!("{}y", "é".repeat(400))));
        assert!(one.len() == 120 && two.len() == 120 && one != two, "{one} {two}");
    }

    #[test]
    fn partial_days_are_told() {
        let mut arena = arena("google_cluster_5min");
        let midnight = arena.load.at(0).micros().rem_euclid(DAY.micros());
        assert_eq!(midnight, 0, "the trace begins at midnight");
        arena.scored = 288..3 * 288;
        assert_eq!(arena.partial_days(), Vec::<Span>::new());
        arena.scored = 288 + 72..3 * 288 + 144;
        assert_eq!(arena.partial_days(), [Span::from_secs(64_800), Span::from_secs(43_200)]);
        arena.scored = 12..36;
        assert_eq!(arena.partial_days(), [Span::from_secs(7_200)]);
    }

    #[test]
    fn a_series_scored_on_what_another_is_trained_on_is_refused() {
        let honest = arena("generated_web_1min");
        let other = arena("google_cluster_5min");
        refuse_leaks(&[honest.clone(), other]).unwrap();
        // The same recording at half the scale, scored on the other's training days.
        let mut copy = honest.clone();
        copy.load.series = "copy".into();
        copy.load.rate_per_s.iter_mut().for_each(|rate| *rate *= 0.5);
        copy.trainable = false;
        copy.scored = 1_440..4_320;
        let message = refuse_leaks(&[honest, copy]).unwrap_err().to_string();
        assert!(message.contains("48.0 h") && message.contains("generated_web_1min/copy"), "{message}");
    }
}
