//! `manifest.json`: what a run was made from, so that anyone can repeat it, and every look at the test part.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::Seeds;
use crate::error::Result;
use crate::run_folder::{self, RunFolder};

/// Version of [`Manifest`].
pub const MANIFEST_SCHEMA: u32 = 1;

/// `manifest.json`: what a run was made from, and every look at its test part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of the file.
    #[schemars(extend("const" = MANIFEST_SCHEMA))]
    pub schema: u32,
    /// Name of the study.
    pub name: String,
    /// Git revision of the checkout that the binary was built from, `+changes` if it was not clean; `unknown` without git.
    pub revision: String,
    /// Version of `seatrial`.
    pub version: String,
    /// Hash of `config.resolved.toml`.
    pub config_hash: String,
    /// Protocol and the hash of its file.
    pub protocol: ProtocolRef,
    /// Kernel that scored, where it is not the fluid one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<String>,
    /// The traces, with the hashes of their content.
    pub traces: Vec<TraceRef>,
    /// The seeds.
    pub seeds: Seeds,
    /// Hash of the tuned parameters.
    pub tuned_hash: Option<String>,
    /// Hashes of trained weights by training seed.
    pub weights: Vec<WeightsRef>,
    /// Number of cells.
    pub cells: usize,
    /// Hash of `cells.parquet`.
    pub cells_hash: Option<String>,
    /// Every opening of the test part.
    pub openings: Vec<Opening>,
    /// What a reader of the report must know.
    pub notes: Vec<String>,
}

/// The protocol of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProtocolRef {
    /// Its id.
    pub id: String,
    /// Hash of its file.
    pub hash: String,
}

/// A series of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TraceRef {
    /// Family: the trace.
    pub family: String,
    /// Series.
    pub series: String,
    /// Hash of the trace's content.
    pub content_hash: String,
    /// Factor from the trace's unit to requests per second.
    pub scale: f64,
    /// Noise after scaling (Poisson gives 1).
    pub noise: Option<f64>,
    /// Bins of the causal mean (1 is none).
    pub smoothing_bins: u32,
    /// Scored part: begin, in UTC.
    pub from: String,
    /// Scored part: end, in UTC.
    pub to: String,
}

/// Weights of one member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WeightsRef {
    /// Training seed.
    pub seed: u64,
    /// Hash of the trained weights.
    pub trained: String,
}

/// A look at the test part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    /// The command.
    pub by: String,
    /// What for.
    pub purpose: String,
    /// When, in UTC.
    pub at: String,
    /// Revision that looked.
    pub revision: String,
}

/// The openings that earlier commands wrote into the folder; none if there is no manifest yet.
///
/// # Errors
/// If there is a manifest that cannot be read.
pub fn earlier_openings(folder: &RunFolder) -> Result<Vec<Opening>> {
    if !folder.manifest().is_file() {
        return Ok(Vec::new());
    }
    Ok(run_folder::read_json::<Manifest>(&folder.manifest())?.openings)
}

/// Revision that this program was built from, `+changes` if its sources were not clean; `unknown` where there was no git.
#[must_use]
pub fn revision() -> String {
    env!("SEATRIAL_REVISION").to_owned()
}
