//! The regimes of protocol P1 §6: named deviations that no strategy is told about.
//!
//! Nothing in [`Workload`](seatrial_core::observe::Workload) changes with a regime: a strategy that plans for a lead time, a lag
//! or a capacity has to notice. Flash crowds and lost history change the load ([`crate::load::EpisodeLoad::under`]).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A named deviation from the plain world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Regime {
    /// None.
    #[default]
    Plain,
    /// Start-up takes three times as long.
    SlowStart,
    /// A pod serves 30 % less.
    LessCapacity,
    /// The youngest visible slot ended 60 s ago.
    MetricLag,
    /// One slot in ten is missing.
    LostScrapes,
    /// One flash crowd a day: rate × min(8, 4,000/rate).
    Flash,
    /// The day before the episode is missing from the history.
    HistoryLost,
}

impl Regime {
    /// Every regime, the plain one first.
    pub const ALL: [Self; 7] = [
        Self::Plain,
        Self::SlowStart,
        Self::LessCapacity,
        Self::MetricLag,
        Self::LostScrapes,
        Self::Flash,
        Self::HistoryLost,
    ];

    /// Permanent id: the name in configs and reports.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::SlowStart => "slow-start",
            Self::LessCapacity => "less-capacity",
            Self::MetricLag => "metric-lag",
            Self::LostScrapes => "lost-scrapes",
            Self::Flash => "flash",
            Self::HistoryLost => "history-lost",
        }
    }

    pub(crate) const fn start_up_factor(self) -> f64 {
        if matches!(self, Self::SlowStart) { 3.0 } else { 1.0 }
    }

    pub(crate) const fn service_factor(self) -> f64 {
        if matches!(self, Self::LessCapacity) { 1.0 / 0.7 } else { 1.0 }
    }

    pub(crate) const fn lag_s(self, plain_s: f64) -> f64 {
        if matches!(self, Self::MetricLag) { 60.0 } else { plain_s }
    }

    pub(crate) const fn lost_scrape_probability(self, plain: f64) -> f64 {
        if matches!(self, Self::LostScrapes) { 0.1 } else { plain }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_the_names_in_configs() {
        for regime in Regime::ALL {
            assert_eq!(serde_json::to_string(&regime).unwrap(), format!("\"{}\"", regime.id()));
        }
    }
}
