//! The whole loop on a real control plane: etcd, API server, controllers, scheduler and simulated nodes; a real Prometheus; the
//! demo world; and the operator's own program, so that a kill is a kill.
//!
//! Runs where `SEATRIAL_ENVTEST` names the folder of `start`, `restart` and `stop`, and what needs a [`stage`] where the program
//! `prometheus` is installed; elsewhere it says on the terminal that it was skipped.
//!
//! | module | what |
//! |---|---|
//! | [`stage`] | a control plane with the operator installed, a workload, the world and Prometheus |
//! | [`process`] | a program that a test runs, kills and asks |
//! | [`loads`] | traces in requests per second, exact |
//! | [`account`] | who wrote what, from the API server's audit log |
//! | [`evidence`] | the operator's log: replayed, with another policy, and how fast it acted |
//! | [`manifests`] | what an administrator installs |
//! | [`check`] | the doctor |
//! | [`deployment`] | the simulated Deployment against the real one |
//! | [`world`] | the demo world on real pods |
//! | [`following`] | the loop follows its load, and outages do not harm it |
//! | [`leading`] | autoscalers that stay in charge, leaders that take over |
//! | [`parity`] | cluster and gym show and decide the same |
//! | [`rules`] | built-in rules in the bundle's place |
//! | [`settling`] | what is settled is not written |

#![expect(
    clippy::unwrap_used,
    reason = "an integration test: what the functions beside the tests unwrap is a failure too"
)]

#[path = "../control_plane/plane.rs"]
mod control_plane;

mod account;
mod check;
mod deployment;
mod evidence;
mod following;
mod leading;
mod loads;
mod manifests;
mod parity;
mod process;
mod rules;
mod settling;
mod stage;
mod world;
