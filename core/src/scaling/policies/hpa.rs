//! `hpa`: the HorizontalPodAutoscaler of Kubernetes 1.34, integer-exact.
//!
//! Source: the behaviour of `pkg/controller/podautoscaler` in Kubernetes 1.34.10, of which golden vectors hold the answers; the
//! tests run them all. [`controller`] is the whole controller, the policy here is the same arithmetic over a
//! [`View`](crate::scaling::policy::View).
//!
//! | part | what |
//! |---|---|
//! | [`tally`] | pods and samples added up |
//! | [`calculator`] | replicas that one metric asks for |
//! | [`behavior`] | scaling rules, their defaults and limits |
//! | [`memory`] | recent recommendations and scale events |
//! | [`normalise`] | stabilisation, rates, bounds |
//! | [`controller`], [`status`] | the sync, and what it reports |
//! | `adapter` | the sync over an observation, for policies |
//!
//! # Deviations
//! 1. A change counts against the rates of `behavior` once the replicas are seen to have changed, as of the moment of its
//!    proposal: the policy proposes, others write.
//! 2. Memory and requests per pod are totals of the workload, which its ready pods share alike; starting pods count as unready.
//! 3. No utilisation of memory: an observation knows no memory requests.

pub(in crate::scaling::policies) mod adapter;
pub mod behavior;
pub mod calculator;
pub mod controller;
pub mod memory;
pub mod normalise;
mod policy;
pub mod status;
pub mod tally;

pub(super) use policy::ROW;

#[cfg(test)]
mod tests;
