//! The decision core of Seatrial: one set of pure functions and state machines that the simulator and the operator share.
//!
//! Everything here is handed `now` and answers with what to do and when it wants to be called next. There is no clock, no
//! RNG state, no I/O and no thread in this crate, so a decision log replays to identical decisions.
//!
//! | room | what |
//! |---|---|
//! | [`time`], [`rand`], [`math`] | the floor: integer time, counter-based randomness, machine-independent arithmetic |
//! | [`observe`] | what a controller may know: observation, load history, capacity and lead-time estimates |
//! | [`scaling`] | forecasters, policies, guard, autoscaler, registries |
//! | [`nets`] | forward-only networks |
//! | [`bundle`] | the policy bundle: load, verify, refuse |
//! | [`record`] | one versioned row per decision |
//! | [`rl`] | the vector-environment contract of learners |

pub mod bundle;
pub mod control;
mod hex;
pub mod math;
pub mod nets;
pub mod observe;
pub mod rand;
pub mod record;
pub mod rl;
pub mod scaling;
pub mod time;
