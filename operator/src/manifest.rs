//! The YAML of the resource type, generated from its Rust types.
//!
//! `operator/yaml/crd.yaml` is this text, committed so that `kubectl apply -f` needs no Rust; a test compares them, and
//! `cargo xtask generate` rewrites the file.

use crate::scaling_policy::ScalingPolicy;
use kube::CustomResourceExt;

const HEADER: &str = "# Generated from operator/src/scaling_policy.rs by `cargo xtask generate`; do not edit.\n";

/// The CustomResourceDefinition of [`ScalingPolicy`] as YAML.
///
/// # Errors
/// Only if the definition cannot be written as YAML, which its test rules out.
pub fn crd_yaml() -> Result<String, serde_saphyr::SerializeError> {
    Ok(format!("{HEADER}{}", serde_saphyr::to_string(&ScalingPolicy::crd())?))
}
