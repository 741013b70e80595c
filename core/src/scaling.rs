//! Scaling a workload: forecasters, policies, the guard, and the autoscaler that joins them.
//!
//! A strategy is one file in `policies/` (or `forecasters/`), one `mod` line and one row of its registry; conformance tests,
//! command line, documentation and benchmarks pick it up from there.

pub mod autoscaler;
pub mod config;
pub mod forecast;
pub mod forecasters;
pub mod guard;
pub mod headroom_space;
mod hindsight;
mod packed;
pub mod policies;
pub mod policy;
pub mod strategy;
mod waiting;
