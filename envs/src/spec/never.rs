//! Seconds, where `inf` stands for never: what a default of some seconds leaves no other word for.

use serde::{Deserialize, Deserializer, Serializer};

/// Where it may stand.
pub const KEYS: [&str; 2] = ["client.timeout_s", "slo.wait_s"];

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<f64>, D::Error> {
    Ok(Option::<f64>::deserialize(from)?.filter(|seconds| *seconds != f64::INFINITY))
}

#[expect(clippy::ref_option, reason = "serde hands over a reference to the field")]
pub(super) fn serialize<S: Serializer>(seconds: &Option<f64>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(seconds.unwrap_or(f64::INFINITY))
}
