//! `docs/validity.md`: is the event kernel true to theory, and the fluid kernel true to the event kernel?
//!
//! | part | what |
//! |---|---|
//! | [`theory`] | single services on the event kernel beside exact answers of queueing theory |
//! | [`waiting`] | the waiting table of protocol P1's reference, from the event kernel |
//! | [`kernels`] | scenarios of the gallery on both kernels, with several strategies each |
//! | [`protocol`] | protocol P1 on both kernels, on the same traffic |
//! | [`bounds`] | the oracle's bound of scenarios beside what was reached |
//! | [`page`] | the page and the rows of its figure, out of what was measured; pure |
//!
//! Measuring takes minutes, so it is not part of `cargo xtask generate`: the example `validity` measures into JSON and makes the page out
//! of JSON. Tests hold the committed page to the rows that the code measures, and measure a short form of each section.
//!
//! Who is compared is settled here, before anything was measured; a row that fails stays.

pub mod bounds;
pub mod kernels;
pub mod page;
pub mod protocol;
mod queue;
pub mod sample;
pub mod theory;
pub mod waiting;

use std::path::PathBuf;

use seatrial_reports::figures::ValidityRow;
use serde::{Deserialize, Serialize};

use crate::error::{ExperimentError, Result};

/// What was measured; sections that were not are empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Evidence {
    /// Events against theory.
    pub theory: Vec<theory::Row>,
    /// The waiting table.
    pub waiting: Vec<waiting::Row>,
    /// Fluid against events, by scenario and strategy.
    pub kernels: Vec<kernels::Row>,
    /// Pairwise orders of strategies, by scenario.
    pub orders: Vec<kernels::Order>,
    /// What the fluid kernel refuses.
    pub refused: Vec<kernels::Refused>,
    /// Protocol P1 on both kernels.
    pub protocol: Vec<protocol::Row>,
    /// Orders under protocol P1.
    pub protocol_orders: Vec<kernels::Order>,
    /// The bound beside what was reached.
    pub bounds: Vec<bounds::Row>,
}

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Seeds for theory and waiting.
    pub queue_seeds: u64,
    /// Seeds for scenarios and protocol.
    pub scenario_seeds: u64,
    /// Factor on the length of runs of single queues.
    pub length: f64,
}

impl Effort {
    /// What the committed page was made with.
    pub const FULL: Self = Self { queue_seeds: 30, scenario_seeds: 10, length: 1.0 };
}

/// Sections by name, as the example's command line has them.
pub const SECTIONS: [&str; 5] = ["bounds", "kernels", "protocol", "theory", "waiting"];

impl Evidence {
    /// Measures the named section.
    ///
    /// # Errors
    /// If there is no such section, or a run fails: traces are missing, or (a bug) books do not balance.
    pub fn measure(section: &str, effort: Effort, folders: &[PathBuf]) -> Result<Self> {
        let mut evidence = Self::default();
        match section {
            "bounds" => evidence.bounds = bounds::measure(effort, folders)?,
            "kernels" => {
                let compared = kernels::measure(effort, folders)?;
                (evidence.kernels, evidence.orders) = compared;
                evidence.refused = kernels::refused(folders)?;
            }
            "protocol" => (evidence.protocol, evidence.protocol_orders) = protocol::measure(effort, folders)?,
            "theory" => evidence.theory = theory::measure(effort)?,
            "waiting" => evidence.waiting = waiting::measure(effort)?,
            unknown => {
                return Err(ExperimentError::Usage {
                    what: format!("there is no section `{unknown}`"),
                    next: format!("name some of: {}", SECTIONS.join(", ")),
                });
            }
        }
        Ok(evidence)
    }

    /// Adds the rows of `other`.
    pub fn extend(&mut self, other: Self) {
        self.theory.extend(other.theory);
        self.waiting.extend(other.waiting);
        self.kernels.extend(other.kernels);
        self.orders.extend(other.orders);
        self.refused.extend(other.refused);
        self.protocol.extend(other.protocol);
        self.protocol_orders.extend(other.protocol_orders);
        self.bounds.extend(other.bounds);
    }

    /// The rows of the figure.
    #[must_use]
    pub fn figure_rows(&self) -> Vec<ValidityRow> {
        page::figure_rows(self)
    }
}

/// An error of the simulator at a place.
fn at<'a>(place: &'a str) -> impl Fn(&dyn std::fmt::Display) -> ExperimentError + 'a {
    move |error| ExperimentError::Environment { place: place.to_owned(), detail: error.to_string() }
}

#[cfg(test)]
mod tests;
