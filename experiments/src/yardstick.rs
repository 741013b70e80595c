//! Yardsticks: what knows more than a strategy may, run through the same kernel under the same luck.
//!
//! They compete with nobody. Together with the certified bound they tell where regret comes from (`reports::evaluation::split`):
//! foresight of the true rate over some seconds, and headroom over the true present rate, at once or as late as metrics show
//! it. Their factors are chosen like parameters of rules: on the tuning part, with tuning seeds. Foresight over the lead time
//! and beyond needs none: what it does not know cannot be served any more.

use std::collections::BTreeMap;

use seatrial_core::time::Span;
use seatrial_envs::episode::EpisodeResult;
use seatrial_envs::foresight::{Foresight, LookAhead, run_foresight};
use seatrial_reports::model::yardstick::{FORESIGHT, LAGGED_RATE, PRESENT_RATE};
use serde::Serialize;

use crate::error::{ExperimentError, Result};
use crate::hash;
use crate::stage::Stage;

/// What it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Knowledge {
    /// The true rate so many seconds ahead; afterwards it is taken to stay.
    Foresight(u32),
    /// The true rate of this moment.
    PresentRate,
    /// The true rate as late as metrics show it.
    LaggedRate,
}

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Yardstick {
    /// What it knows.
    pub knowledge: Knowledge,
    /// Capacity over the rate, where the future is not known.
    pub factor: f64,
}

/// The factors of a series, by id of the yardstick.
pub type Factors = BTreeMap<String, f64>;

/// The lead time of protocol P1 in seconds.
const LEAD_TIME_S: u32 = 90;

impl Knowledge {
    /// All, in the order of reports.
    pub fn all() -> impl Iterator<Item = Self> {
        FORESIGHT.iter().map(|(_, seconds)| Self::Foresight(*seconds)).chain([Self::PresentRate, Self::LaggedRate])
    }

    /// Whether a factor has to be chosen for it.
    #[must_use]
    pub const fn needs_factor(self) -> bool {
        !matches!(self, Self::Foresight(LEAD_TIME_S..))
    }

    /// The id of its yardstick in cells and reports.
    #[must_use]
    pub fn id(self) -> String {
        match self {
            Self::Foresight(seconds) => format!("foresight-{seconds}s"),
            Self::PresentRate => PRESENT_RATE.into(),
            Self::LaggedRate => LAGGED_RATE.into(),
        }
    }
}

impl Yardstick {
    /// Those that can be had: without factors only long foresight.
    #[must_use]
    pub fn all(factors: Option<&Factors>) -> Vec<Self> {
        let of = |knowledge: Knowledge| {
            let chosen = || factors?.get(&knowledge.id()).copied();
            let factor = if knowledge.needs_factor() { chosen()? } else { 1.0 };
            Some(Self { knowledge, factor })
        };
        Knowledge::all().filter_map(of).collect()
    }

    /// Hash of what it is.
    #[must_use]
    pub fn config_hash(&self) -> String {
        hash::of_json(self)
    }

    /// Plays it over the whole stage.
    ///
    /// # Errors
    /// If the kernel refuses the episode.
    pub fn run(&self, stage: &Stage) -> Result<EpisodeResult> {
        let factor = self.factor;
        let who = match self.knowledge {
            Knowledge::Foresight(seconds) => {
                Foresight::LookAhead(LookAhead { horizon: Span::from_secs(i64::from(seconds)), reserve: factor })
            }
            Knowledge::PresentRate => Foresight::PresentRate { factor },
            Knowledge::LaggedRate => Foresight::LaggedRate { factor },
        };
        run_foresight(&stage.scenario, &stage.traffic, who)
            .map_err(|error| ExperimentError::Environment { place: stage.label.clone(), detail: error.to_string() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use seatrial_reports::model::yardstick;

    #[test]
    fn ids_are_those_that_reports_read() {
        let ids: Vec<String> = Knowledge::all().map(Knowledge::id).collect();
        assert_eq!(ids, yardstick::ALL);
        let factors = ids.iter().map(|id| (id.clone(), 1.2)).collect();
        let all = Yardstick::all(Some(&factors));
        assert_eq!(all.len(), ids.len());
        for one in all {
            assert_eq!(one.factor, if one.knowledge.needs_factor() { 1.2 } else { 1.0 });
        }
    }

    #[test]
    fn without_factors_only_long_foresight_is_left() {
        let known: Vec<Knowledge> = Yardstick::all(None).iter().map(|one| one.knowledge).collect();
        assert_eq!(known, [Knowledge::Foresight(90), Knowledge::Foresight(300)]);
    }

    #[test]
    fn another_factor_is_another_configuration() {
        let [one, two] = [1.1, 1.2].map(|factor| Yardstick { knowledge: Knowledge::PresentRate, factor }.config_hash());
        assert_ne!(one, two);
        assert_ne!(one, Yardstick { knowledge: Knowledge::LaggedRate, factor: 1.1 }.config_hash());
    }
}
