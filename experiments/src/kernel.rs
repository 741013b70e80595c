//! Which kernel plays the scored episodes of a study, and on the event kernel which pod a request goes to.
//!
//! Parameters are tuned, nets trained and the gate passed on the fluid kernel whatever is named here: a study on the event kernel
//! scores what the fluid kernel made, unmodified. Yardsticks and the oracle are of the fluid world; reports say so.

use seatrial_envs::episode::{self, Driver, EpisodeError, EpisodeResult, RowSink};
use seatrial_envs::load::Traffic;
use seatrial_envs::scenario::Scenario;
use seatrial_envs::spec::KernelChoice;
use seatrial_envs::spec::service::Balancing;
use seatrial_envs::world::protocol;

use crate::config::Study;
use crate::error::{ExperimentError, Result};

/// See the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kernel {
    /// Requests as a flow that waits in one queue.
    #[default]
    Fluid,
    /// Every request one by one.
    Events(Balancing),
}

impl Kernel {
    /// Plays an episode.
    ///
    /// # Errors
    /// If the kernel refuses it.
    pub fn run(
        self,
        scenario: &Scenario,
        traffic: &Traffic,
        driver: Driver<'_>,
        rows: RowSink<'_>,
    ) -> std::result::Result<EpisodeResult, EpisodeError> {
        match self {
            Self::Fluid => episode::run_on(scenario, traffic, driver, rows),
            Self::Events(balancing) => protocol::run_balanced(scenario, traffic, balancing, driver, rows),
        }
    }

    /// What it adds to the id of a cell; nothing for the fluid kernel, whose cells are older than this choice.
    #[must_use]
    pub fn key(self) -> Option<String> {
        match self {
            Self::Fluid => None,
            Self::Events(balancing) => Some(format!("events/{}", balancing_id(balancing))),
        }
    }

    /// Its name in reports and manifests; none for the fluid kernel, on which everything runs that names no other.
    #[must_use]
    pub fn in_words(self) -> Option<String> {
        match self {
            Self::Fluid => None,
            Self::Events(Balancing::Shared) => Some("event kernel, one shared queue".to_owned()),
            Self::Events(balancing) => Some(format!("event kernel, balancing {}", balancing_id(balancing))),
        }
    }

    /// What a reader of figures from it must know.
    #[must_use]
    pub fn note(self) -> Option<String> {
        let kernel = self.in_words()?;
        Some(format!(
            "Scored on the {kernel}, request by request; parameters and weights were made on the fluid kernel and are unmodified. The \
             oracle is a bound of the fluid world, not of this one: a strategy may fall below it. Yardsticks do not run on events and \
             are left out."
        ))
    }
}

impl Study {
    /// What plays its scored episodes.
    #[must_use]
    pub const fn plays_on(&self) -> Kernel {
        match self.kernel {
            KernelChoice::Fluid => Kernel::Fluid,
            KernelChoice::Events => Kernel::Events(self.balancing),
        }
    }

    /// Whether yardsticks run: they are of the fluid world.
    #[must_use]
    pub fn runs_yardsticks(&self) -> bool {
        self.yardsticks && self.plays_on() == Kernel::Fluid
    }

    /// Refuses a balancing that the kernel does not have.
    pub(crate) fn check_balancing(&self, origin: &str) -> Result<()> {
        if self.kernel == KernelChoice::Events || self.balancing == Balancing::Shared {
            return Ok(());
        }
        let detail = format!(
            "`{}` needs `kernel = \"events\"`: on the fluid kernel all ready pods share one queue",
            balancing_id(self.balancing)
        );
        Err(ExperimentError::config(origin, "balancing", detail))
    }
}

/// The name of a balancing in studies.
#[must_use]
pub const fn balancing_id(balancing: Balancing) -> &'static str {
    match balancing {
        Balancing::Shared => "shared",
        Balancing::RoundRobin => "round-robin",
        Balancing::Random => "random",
        Balancing::LeastRequest => "least-request",
        Balancing::PowerOfTwo => "power-of-two",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Balancing; 5] =
        [Balancing::Shared, Balancing::RoundRobin, Balancing::Random, Balancing::LeastRequest, Balancing::PowerOfTwo];

    #[test]
    fn names_are_those_that_a_study_reads() {
        for balancing in ALL {
            let name = serde_json::to_value(balancing).unwrap();
            assert_eq!(name, balancing_id(balancing));
        }
    }

    #[test]
    fn the_fluid_kernel_adds_nothing_and_every_other_its_own() {
        assert_eq!((Kernel::Fluid.key(), Kernel::Fluid.in_words(), Kernel::Fluid.note()), (None, None, None));
        let mut keys: Vec<String> = ALL.iter().filter_map(|balancing| Kernel::Events(*balancing).key()).collect();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), ALL.len());
        let note = Kernel::Events(Balancing::Random).note().unwrap();
        assert!(note.contains("balancing random") && note.contains("bound of the fluid world"), "{note}");
    }
}
