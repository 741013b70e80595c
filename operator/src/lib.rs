//! The operator of Seatrial: the decision core on a Kubernetes API server.
//!
//! So far it is the resource type alone, so that bundles and manifests can already be written against it; the
//! controllers come with the operator itself.
//!
//! | module | what |
//! |---|---|
//! | [`scaling_policy`] | `ScalingPolicy` in group `seatrial.dev`: which workload, which policy, how far it may act |
//! | [`prometheus`] | metrics of a workload, read from Prometheus' HTTP API |
//! | [`queries`] | the PromQL that reads each feature, unless a resource says otherwise |
//! | [`reconcile`] | the reconciler: a pure machine that decides, asks and writes |
//! | [`manifest`] | the YAML that a cluster administrator installs |

pub mod check;
pub mod cli;
pub mod clock;
pub mod decision_log;
pub mod index;
pub mod manifest;
pub mod pods;
pub mod prometheus;
pub mod queries;
pub mod reconcile;
pub mod run;
pub mod scaling_policy;
pub mod selector;
pub mod server;
pub mod shell;
pub mod telemetry;
#[cfg(feature = "rehearse")]
pub mod world;
