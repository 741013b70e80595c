//! From a trace to the load of a rehearsal: scaled and split as protocol P1 says, with the history before it.

use std::ops::Range;

use clap::ValueEnum;
use seatrial_core::time::Span;
use seatrial_datasets::{Load, SplitRule, Trace, prepare};
use seatrial_envs::load::{EpisodeLoad, LONGEST_HISTORY};

use super::WorldError;

/// The part of a trace that is played.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// What protocol P1 keeps for scoring.
    #[default]
    Test,
    /// All of it.
    Whole,
}

/// The load of `part` from its bin at `from` on (rounded down to a whole bin).
///
/// # Errors
/// If the series is no load, or `from` is beyond its end.
pub fn episode(trace: &Trace, series: Option<&str>, part: Part, from: Span) -> Result<EpisodeLoad, WorldError> {
    let load = prepare(trace, series, &SplitRule::protocol_p1(&trace.id))?;
    let bins = match part {
        Part::Test => load.splits.test.clone(),
        Part::Whole => 0..load.rate_per_s.len(),
    };
    let skipped = usize::try_from(from.whole_steps(load.interval)).unwrap_or(0);
    if skipped >= bins.len() {
        return Err(WorldError::beyond_end(load.label(), from, load.at(bins.end).since(load.at(bins.start))));
    }
    Ok(of_bins(&load, bins.start + skipped..bins.end)?)
}

fn of_bins(load: &Load, bins: Range<usize>) -> Result<EpisodeLoad, seatrial_envs::load::LoadError> {
    let history = usize::try_from(LONGEST_HISTORY.whole_steps(load.interval)).unwrap_or(0);
    let past = bins.start.saturating_sub(history)..bins.start;
    EpisodeLoad::new(load.at(bins.start), load.interval, load.rates(bins), load.rates(past))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_where_it_is_told_to_with_the_history_before_it() {
        let trace = seatrial_datasets::shipped::open("generated_web_1min").unwrap();
        let whole = episode(&trace, None, Part::Whole, Span::ZERO).unwrap();
        assert!(whole.past_rates_per_s().is_empty());
        let test = episode(&trace, None, Part::Test, Span::ZERO).unwrap();
        let later = episode(&trace, None, Part::Test, Span::from_secs(3_659)).unwrap();
        assert_eq!(later.start().since(test.start()), Span::from_secs(3_600), "a whole bin");
        assert_eq!(later.rates_per_s(), &test.rates_per_s()[60..]);
        assert_eq!(later.past_rates_per_s().len(), 8 * 1_440);
        assert_eq!(later.past_rates_per_s()[8 * 1_440 - 60..], test.rates_per_s()[..60]);
        let error = episode(&trace, None, Part::Test, Span::from_secs(9_000_000)).unwrap_err().to_string();
        assert!(error.contains("9000000 s into a part of") && error.contains("--from"), "{error}");
    }
}
