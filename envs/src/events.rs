//! The event kernel: what happens next, in which order, at which virtual moment.
//!
//! | part | what |
//! |---|---|
//! | [`EventQueue`] | pending events by time, equal times in the order of their insertion; `clone` is snapshot and fork |
//! | [`Simulation`] | a [`Model`] and its queue: the virtual clock, step, run until, pause |
//! | [`PastEvent`] | the one refusal: an event before the moment that the queue has reached |
//!
//! One cell of an experiment owns one queue and runs on one thread; cells run in parallel, never the inside of one.
//! Events are `Copy` (an enum with dense ids), so nothing is boxed, hashed or freed. There is no cancelling: an event
//! carries the generation of the thing it is about, and a stale one is ignored by its handler.

mod entry;
mod queue;
mod ring;
mod simulation;

pub use queue::{EventQueue, PastEvent};
pub use simulation::{Model, Others, Simulation, Stop, Then};
