//! The operator of Seatrial: the decision core on a Kubernetes API server.
//!
//! So far it is the resource type alone, so that bundles and manifests can already be written against it; the
//! controllers come with the operator itself.
//!
//! | module | what |
//! |---|---|
//! | [`scaling_policy`] | `ScalingPolicy` in group `seatrial.dev`: which workload, which policy, how far it may act |
//! | [`queries`] | the PromQL that reads each feature, unless a resource says otherwise |
//! | [`manifest`] | the YAML that a cluster administrator installs |

pub mod manifest;
pub mod queries;
pub mod scaling_policy;
