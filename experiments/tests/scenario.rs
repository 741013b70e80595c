//! Scenarios as users meet them: every guard at its key, line and column; the gallery; the command; texts that nobody would write.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up its case has failed")]

#[path = "scenario/bound.rs"]
mod bound;
#[path = "scenario/command.rs"]
mod command;
#[path = "scenario/folder.rs"]
mod folder;
#[path = "scenario/fuzz.rs"]
mod fuzz;
#[path = "scenario/guards.rs"]
mod guards;
#[path = "scenario/logged.rs"]
mod logged;
#[path = "scenario/names.rs"]
mod names;
#[path = "scenario/page.rs"]
mod page;
#[path = "scenario/short.rs"]
mod short;
#[path = "scenario/surroundings.rs"]
mod surroundings;
#[path = "scenario/threads.rs"]
mod threads;
#[path = "scenario/understanding.rs"]
mod understanding;
#[path = "scenario/wording.rs"]
mod wording;

use seatrial_experiments::scenario_command::GALLERY;

/// The text of a gallery scenario.
fn gallery(name: &str) -> &'static str {
    GALLERY.iter().find(|(known, _)| *known == name).unwrap().1
}
