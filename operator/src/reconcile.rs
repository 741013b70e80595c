//! The reconciler of a `ScalingPolicy`: a pure machine in the style of Anvil (OSDI '24): `(memory, reply) -> request | sleep`.
//!
//! It holds no client and no clock. The shell hands it facts, the time and the reply to its last request, and performs what it
//! asks next; so every order of replies, failures and restarts can be played in a test. One cycle:
//!
//! ```text
//! Wake -> sample time -> (not due: sleep) -> scale -> [bundle] -> [history] -> metrics -> decide -> record -> [write] -> [status] -> sleep
//! ```
//!
//! Invariants: nothing is written to the workload in Shadow, while paused, while conflicted, or without a fresh approval in
//! Recommend; a status is written only if it differs from the stored one; a failure never shortens the time to the next cycle.

pub mod conditions;
pub mod consent;
pub mod conversation;
pub mod deciders;
pub mod hpa_min;
mod machine;
mod patience;
mod portrait;
mod rhythm;
pub mod status;

pub use machine::{Machine, Pace};

#[cfg(test)]
mod tests;
