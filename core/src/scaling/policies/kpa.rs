//! `kpa`: the pod autoscaler of Knative Serving 0.49, with its own arithmetic.
//!
//! Source: the behaviour of `pkg/autoscaler` and `pkg/reconciler/autoscaling/kpa` in Knative Serving 0.49.0, of which golden
//! vectors hold the answers for windows and decider; the tests run them all. The policy here puts an observation into the
//! windows, asks the decider, and does the reconciler's part: bounds and scale to zero.
//!
//! | part | what |
//! |---|---|
//! | [`windows`] | the last seconds of the metric in buckets of 1 s, and their averages |
//! | [`delay`] | the greatest wish of the scale-down delay |
//! | [`decider`] | stable and panic mode, rates, activation scale, excess burst capacity |
//! | `activity` | the reconciler's way to zero |
//! | `config`, `policy` | the row, and the adapter from an observation |
//! | `hex` | buckets and wishes in snapshots |
//!
//! # Deviations
//!
//! 1. Knative asks the pods every second; here the metrics pipeline has slots. The youngest sample is written into every
//!    second since the last decision, also where a scrape was lost, until none newer has come for three scrapes; then nothing
//!    is written. A value over 10¹² counts as 10¹².
//! 2. Requests in flight are not sampled but follow from Little's law: seconds of request handling (waiting included) per
//!    second. Without ready pods, arrivals count as at least one request in flight: what the activator reports first.
//! 3. The defaults are Knative's (100 requests in flight per pod at 70 %), which suit pods that serve many requests at once. A
//!    pod of 4 workers wants a `target` near 4.
//! 4. Windows and delay are at most 600 s (Knative: an hour), because a state must stay below 16 KiB.
//! 5. Without data nothing is done; Knative's reconciler goes on with the last valid scale. A burst capacity of -1 does not make
//!    missing data a zero either.
//! 6. The activator exists in the reckoning of the grace period alone: it always answers the probe, and what it would hold
//!    back is not counted again.
//! 7. A clock that is set back by more than the stable window starts everything anew.
//! 8. History from before the first decision is not used. Like Knative's after a restart, an autoscaler that finds more than one
//!    ready pod starts in panic mode, which keeps them for one stable window.

mod activity;
mod config;
pub mod decider;
pub mod delay;
mod hex;
mod policy;
pub mod windows;

pub(super) use config::ROW;

#[cfg(test)]
mod tests;
