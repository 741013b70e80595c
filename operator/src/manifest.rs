//! The YAML that a cluster administrator installs, generated from code.
//!
//! | module | what |
//! |---|---|
//! | [`permissions`] | what the operator may do, each grant with its reason; `check` asks for the same |
//! | [`objects`] | the other objects: account, Deployment, Service, flow control |
//!
//! `operator/yaml/crd.yaml` and `operator/yaml/install.yaml` are these texts, committed so that `kubectl apply -f` needs no
//! Rust; tests compare them, and `cargo xtask generate` rewrites the files. The Helm chart says the same by hand, and a
//! test renders it and compares it object by object.

pub mod objects;
pub mod permissions;

use kube::CustomResourceExt;
use serde_json::Value;

use crate::scaling_policy::ScalingPolicy;
pub use objects::{Part, Settings, parts};

const CRD_HEADER: &str = "# Generated from operator/src/scaling_policy.rs by `cargo xtask generate`; do not edit.\n";
const INSTALL_HEADER: &str = "\
# Everything that Seatrial's operator needs in a cluster: kubectl apply --server-side -f install.yaml
# Generated from operator/src/manifest.rs by `cargo xtask generate`; do not edit. Set `image` of the Deployment to where
# your cluster finds it.
";

/// The CustomResourceDefinition of [`ScalingPolicy`] as YAML.
///
/// # Errors
/// Only if the definition cannot be written as YAML, which its test rules out.
pub fn crd_yaml() -> Result<String, serde_saphyr::SerializeError> {
    Ok(format!("{CRD_HEADER}{}", crd_body()?))
}

/// Everything as one YAML stream: the resource type, then [`parts`].
///
/// # Errors
/// Only if an object cannot be written as YAML, which its test rules out.
pub fn install_yaml(settings: &Settings) -> Result<String, serde_saphyr::SerializeError> {
    let mut text = format!("{INSTALL_HEADER}---\n# The resource type.\n{}", crd_body()?);
    for Part { comment, object } in parts(settings) {
        text.push_str("---\n");
        for line in comment.lines() {
            text.push_str(&format!("# {line}\n"));
        }
        text.push_str(&yaml(&object)?);
    }
    Ok(text)
}

fn crd_body() -> Result<String, serde_saphyr::SerializeError> {
    serde_saphyr::to_string(&ScalingPolicy::crd())
}

fn yaml(object: &Value) -> Result<String, serde_saphyr::SerializeError> {
    let mut text = serde_saphyr::to_string(object)?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}
