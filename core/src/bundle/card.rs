//! `policy.json`: what the bundle is, where it comes from, what speaks for it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{BundleError, BundleParts, POLICY_FILE, hash, not_json, seal};
use crate::observe::Workload;
use crate::scaling::forecast::LEVELS;
use crate::scaling::forecasters::encoding::INPUT_LEN;
use crate::scaling::headroom_space::{FACTORS, OBSERVATION_LEN, SPACE_VERSION};
use crate::scaling::strategy::StrategySpec;

/// Version of the card; a change of keys or meaning raises it.
pub const SCHEMA_VERSION: u32 = 2;

/// What a bundle decides on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum BundleKind {
    /// Replicas of a workload.
    Scaling,
}

/// `policy.json`: what a policy bundle is, where it comes from, what speaks for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PolicyCard {
    /// Version of the file.
    #[cfg_attr(feature = "schema", schemars(extend("const" = SCHEMA_VERSION)))]
    pub schema_version: u32,
    /// Id of the bundle.
    pub id: String,
    /// What it decides on.
    pub kind: BundleKind,
    /// The strategy, complete with configs.
    pub strategy: StrategySpec,
    /// The workload it was made for: limits, intervals and lag.
    pub workload: Workload,
    /// What its nets take in.
    pub feature_schema: FeatureSchema,
    /// What its nets give out.
    pub actions: ActionSchema,
    /// Length of the forecast window in seconds; `null` without a forecaster.
    pub horizon_s: Option<f64>,
    /// Where it comes from.
    pub provenance: Provenance,
    /// What speaks for it.
    pub evidence: Evidence,
    /// Hashes of the other files.
    pub hashes: Hashes,
    /// Hash of the bundle: BLAKE3 of this file without these 64 digits. It covers the other files by their hashes.
    #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^[0-9a-f]{64}$")))]
    pub hash: String,
}

/// What the nets take in. Normalisation is part of the encoding (everything is relative to the load's level or to the
/// forecast), so there are no normalisers beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FeatureSchema {
    /// Environment whose observation the agent takes.
    pub space: String,
    /// Version of that observation.
    pub version: u32,
    /// Length of the agent's observation.
    pub observation_len: usize,
    /// Length of the forecaster's input.
    pub forecaster_input_len: usize,
    /// Levels of the forecast's quantiles.
    pub levels: Vec<f64>,
}

impl FeatureSchema {
    /// That of this program.
    #[must_use]
    pub fn current() -> Self {
        Self {
            space: "autoscale-v1".to_owned(),
            version: SPACE_VERSION,
            observation_len: OBSERVATION_LEN,
            forecaster_input_len: INPUT_LEN,
            levels: LEVELS.to_vec(),
        }
    }
}

/// What the nets give out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ActionSchema {
    /// Headroom factors over the forecast median, by action; `null` holds.
    pub headroom_factors: Vec<Option<f64>>,
}

impl ActionSchema {
    /// Those of this program.
    #[must_use]
    pub fn current() -> Self {
        Self {
            headroom_factors: FACTORS
                .into_iter()
                .enumerate()
                .map(|(action, factor)| (action > 0).then_some(factor))
                .collect(),
        }
    }
}

/// Where a bundle comes from: enough to make it again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// Revision of the program, or `unknown`.
    pub revision: String,
    /// Version of the program.
    pub version: String,
    /// The command that made it.
    pub command: String,
    /// Hash of the resolved configuration.
    pub config_hash: String,
    /// Training seeds; the exported net is that of the first.
    pub seeds: Vec<u64>,
    /// What was trained and selected on.
    pub traces: Vec<TracePart>,
    /// Hashes of the files beside the bundle from which a study runs it with its rivals (`tuned.json`, …), by path.
    /// An operator does not read them.
    pub study_files: BTreeMap<String, String>,
}

/// A part of a series.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TracePart {
    /// Id of the trace.
    pub id: String,
    /// The series.
    pub series: String,
    /// What it was used for: `train`, `validation`, `test`.
    pub part: String,
    /// Content hash of the trace.
    pub content_hash: String,
    /// Its begin in microseconds.
    pub from_us: i64,
    /// Its end (exclusive) in microseconds.
    pub to_us: i64,
}

/// A mean with its 95 % interval and the number of units behind it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Interval {
    /// The mean.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Series, or windows if there is one series.
    pub n: u32,
}

/// What speaks for a bundle, on validation. Paired values are means of ln J(this) − ln J(other): negative, this is cheaper.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// Protocol of the evaluation.
    pub protocol: String,
    /// J over the oracle's lower bound.
    pub cost_over_oracle: Option<Interval>,
    /// Against `hpa-default`: the gate asks for an upper end below 0.
    pub against_hpa_default: Option<Interval>,
    /// Against the same net untrained: the gate asks for an upper end below 0.
    pub against_untrained: Option<Interval>,
    /// Against `hpa-tuned`: shown wherever the bundle is.
    pub against_hpa_tuned: Option<Interval>,
    /// Against `newsvendor-tuned`: shown wherever the bundle is.
    pub against_newsvendor_tuned: Option<Interval>,
    /// Share of decisions that the guard overrode: the gate asks for less than 0.2.
    pub guard_share: Option<f64>,
    /// Whether the leak detector was silent.
    pub leak_detector_silent: Option<bool>,
}

/// BLAKE3 hashes of the other files, 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Hashes {
    /// Of `weights.safetensors`; `null` if there are no nets.
    pub weights: Option<String>,
    /// Of `golden.json`.
    pub golden: String,
}

impl PolicyCard {
    /// The card of `parts`, not sealed yet.
    pub(super) fn of(parts: &BundleParts<'_>, horizon_s: Option<f64>, hashes: Hashes) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            id: parts.id.clone(),
            kind: BundleKind::Scaling,
            strategy: parts.strategy.clone(),
            workload: parts.workload,
            feature_schema: FeatureSchema::current(),
            actions: ActionSchema::current(),
            horizon_s,
            provenance: parts.provenance.clone(),
            evidence: parts.evidence.clone(),
            hashes,
            hash: String::new(),
        }
    }

    /// The text of the file, sealed.
    pub(super) fn into_sealed_text(mut self) -> Result<Vec<u8>, BundleError> {
        self.hash = hash(&self.text()?);
        self.text()
    }

    fn text(&self) -> Result<Vec<u8>, BundleError> {
        serde_json::to_vec_pretty(self).map_err(|error| not_json(POLICY_FILE, &error))
    }
}

/// Reads a card: the version first, so that a newer one is not taken for a broken one; then the seal, so that whatever is
/// said after it is said of the file that was exported; then keys, then feature schema.
pub(super) fn read(bytes: &[u8]) -> Result<PolicyCard, BundleError> {
    check_version(POLICY_FILE, bytes, SCHEMA_VERSION)?;
    seal::check(bytes)?;
    let card: PolicyCard = parse(POLICY_FILE, bytes)?;
    let (ours, theirs) = (FeatureSchema::current(), &card.feature_schema);
    let differing = |what, expected: String, found: String| {
        if expected == found { Ok(()) } else { Err(BundleError::FeatureSchema { what, expected, found }) }
    };
    differing("space", format!("{} {}", ours.space, ours.version), format!("{} {}", theirs.space, theirs.version))?;
    differing("observation_len", ours.observation_len.to_string(), theirs.observation_len.to_string())?;
    differing("forecaster_input_len", ours.forecaster_input_len.to_string(), theirs.forecaster_input_len.to_string())?;
    differing("levels", format!("{:?}", ours.levels), format!("{:?}", theirs.levels))?;
    let factors = |actions: &ActionSchema| format!("{:?}", actions.headroom_factors);
    differing("actions", factors(&ActionSchema::current()), factors(&card.actions))?;
    Ok(card)
}

pub(super) fn parse<T: serde::de::DeserializeOwned>(file: &'static str, bytes: &[u8]) -> Result<T, BundleError> {
    serde_json::from_slice(bytes).map_err(|error| not_json(file, &error))
}

/// Checks `schema_version` before any other key is looked at.
pub(super) fn check_version(file: &'static str, bytes: &[u8], supported: u32) -> Result<(), BundleError> {
    let value: serde_json::Value = parse(file, bytes)?;
    match value.get("schema_version") {
        Some(version) if version.as_u64() == Some(u64::from(supported)) => Ok(()),
        Some(version) => Err(BundleError::SchemaVersion { file, found: version.to_string(), supported }),
        None => Err(BundleError::SchemaVersion { file, found: "none".to_owned(), supported }),
    }
}
