//! An arena: one series of one trace, scaled and split by the protocol, with the part that is scored.
//!
//! Selection (tuning, stopping, the gate) asks for [`Arena::tuning_part`] or [`Arena::validation_part`] and never gets the
//! test part from here; scoring asks for [`Arena::scored`].

use std::ops::Range;

use seatrial_core::time::{Span, Timestamp};
use seatrial_datasets::moment::{self, DAY};
use seatrial_datasets::{Load, Locator, SplitRule, Trace, prepare};
use seatrial_envs::load::{EpisodeLoad, LONGEST_HISTORY};

use crate::config::{TraceChoice, Tuning, Window};
use crate::error::{ExperimentError, Result};
use crate::manifest::TraceRef;

/// A part of a series, in bins.
pub type Part = Range<usize>;

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
/// If a trace is absent, unreadable, has no such series, or cannot be scaled.
pub fn open_all(choices: &[TraceChoice], locator: &Locator) -> Result<Vec<Arena>> {
    let mut arenas = Vec::new();
    for choice in choices {
        let trace = locator.open(&choice.id).map_err(|error| ExperimentError::Trace(error.to_string()))?;
        for series in series_names(&trace, choice) {
            arenas.push(Arena::new(&trace, series.as_deref(), choice)?);
        }
    }
    Ok(arenas)
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

    /// The label as a file name.
    #[must_use]
    pub fn file_stem(&self) -> String {
        self.label().replace(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c)), "-")
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
