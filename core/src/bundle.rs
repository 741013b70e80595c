//! The policy bundle: three files that carry a strategy from the gym to the operator, and refuse to be anything else.
//!
//! - `policy.json`: what it is ([`PolicyCard`]): strategy, workload, feature schema, provenance, evidence, hashes.
//! - `weights.safetensors`: the nets, if it has any.
//! - `golden.json`: observations with the decisions that they led to ([`Golden`]).
//!
//! Together at most [`SIZE_LIMIT_BYTES`], so that they fit a ConfigMap. `policy.json` names the hashes of the other files and
//! carries a seal of itself, which is the hash of the whole bundle ([`Bundle::hash`]): no byte of it can change unnoticed,
//! and whoever pins the hash pins the bundle. (It is a hash, not a signature: it does not say who wrote it.)
//!
//! [`Bundle::load`] takes bytes, not paths (this crate does no I/O), and verifies size, schema version, seal, keys, hashes,
//! feature schema and weights, then replays every golden row through the [`Autoscaler`]: decisions must be equal, forecasts
//! within 1e-9. Whatever is wrong is one [`BundleError`] with a reason; a running operator keeps its last good bundle.

mod card;
mod error;
mod golden;
mod seal;

pub use card::{
    ActionSchema, BundleKind, Evidence, FeatureSchema, Hashes, Interval, PolicyCard, Provenance, SCHEMA_VERSION,
    TracePart,
};
pub use error::BundleError;
pub use golden::{Expected, GOLDEN_VERSION, Golden, GoldenRow};

use std::collections::BTreeMap;

use crate::nets::Weights;
use crate::observe::{Observation, Workload};
use crate::scaling::autoscaler::Autoscaler;
use crate::scaling::policies::Ingredients;
use crate::scaling::policy::PastSlot;
use crate::scaling::strategy::StrategySpec;
use crate::time::Span;

/// Most bytes of all files together.
pub const SIZE_LIMIT_BYTES: usize = 700 * 1024;
/// File of the [`PolicyCard`].
pub const POLICY_FILE: &str = "policy.json";
/// File of the weights.
pub const WEIGHTS_FILE: &str = "weights.safetensors";
/// File of the golden rows.
pub const GOLDEN_FILE: &str = "golden.json";

/// Files of a bundle by name: what a folder or a ConfigMap holds.
pub type BundleFiles = BTreeMap<String, Vec<u8>>;

/// A verified bundle.
#[derive(Clone, Debug)]
pub struct Bundle {
    card: PolicyCard,
    weights: Option<Weights>,
    golden: Golden,
}

/// What a bundle is assembled from.
#[derive(Clone, Debug)]
pub struct BundleParts<'a> {
    /// Id of the bundle, kebab-case: shown wherever its decisions are.
    pub id: String,
    /// The strategy.
    pub strategy: StrategySpec,
    /// The workload it was made for.
    pub workload: Workload,
    /// Its nets, if it has any.
    pub weights: Option<&'a Weights>,
    /// Where it comes from.
    pub provenance: Provenance,
    /// What speaks for it.
    pub evidence: Evidence,
    /// Slots that warm the state up before the golden rows.
    pub warm_up: Vec<PastSlot>,
    /// Observations in order of time; the decisions on them become the golden rows.
    pub observations: Vec<Observation>,
}

impl Bundle {
    /// Reads and verifies the files of a bundle.
    ///
    /// # Errors
    /// [`BundleError`] with what is wrong, in which file, and what to do.
    pub fn load(files: &BundleFiles) -> Result<Self, BundleError> {
        check_size(files)?;
        check_names(files)?;
        let card = card::read(file(files, POLICY_FILE)?)?;
        let weights = read_weights(&card, files)?;
        let golden_bytes = file(files, GOLDEN_FILE)?;
        check_hash(GOLDEN_FILE, golden_bytes, &card.hashes.golden)?;
        let golden = golden::read(golden_bytes)?;
        let bundle = Self { card, weights, golden };
        bundle.golden.verify(&bundle.build()?)?;
        Ok(bundle)
    }

    /// Makes the files of a bundle: runs the strategy over the observations and writes down what it decides.
    ///
    /// # Errors
    /// If the strategy cannot be built, there are no observations, or the files would be refused by [`Self::load`].
    pub fn assemble(parts: &BundleParts<'_>) -> Result<BundleFiles, BundleError> {
        let ingredients = Ingredients { workload: &parts.workload, weights: parts.weights };
        let autoscaler = parts.strategy.build(&ingredients).map_err(BundleError::Strategy)?;
        let golden = Golden::record(&autoscaler, &parts.warm_up, &parts.observations)?;
        let golden = serde_json::to_vec(&golden).map_err(|error| not_json(GOLDEN_FILE, &error))?;
        let horizon_s = autoscaler.horizon().map(Span::as_secs_f64);
        let weights = parts.weights.map(Weights::to_safetensors).transpose().map_err(BundleError::Weights)?;
        let hashes = Hashes { weights: weights.as_deref().map(hash), golden: hash(&golden) };
        let mut files = BundleFiles::new();
        files.insert(POLICY_FILE.to_owned(), PolicyCard::of(parts, horizon_s, hashes).into_sealed_text()?);
        files.insert(GOLDEN_FILE.to_owned(), golden);
        if let Some(weights) = weights {
            files.insert(WEIGHTS_FILE.to_owned(), weights);
        }
        // What cannot be read back (say, a number that is not finite, which JSON cannot hold) is found here, not in production.
        Self::load(&files)?;
        Ok(files)
    }

    /// Its hash, 64 hexadecimal digits: what a `ScalingPolicy` pins. It covers every byte of every file.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.card.hash
    }

    /// Its card.
    #[must_use]
    pub const fn card(&self) -> &PolicyCard {
        &self.card
    }

    /// Its nets.
    #[must_use]
    pub const fn weights(&self) -> Option<&Weights> {
        self.weights.as_ref()
    }

    /// Its golden rows.
    #[must_use]
    pub const fn golden(&self) -> &Golden {
        &self.golden
    }

    /// The autoscaler it describes, for the workload it was made for.
    ///
    /// # Errors
    /// [`BundleError::Strategy`] if an id or config is not understood.
    pub fn build(&self) -> Result<Autoscaler, BundleError> {
        self.build_for(&self.card.workload)
    }

    /// The autoscaler it describes, for another workload.
    ///
    /// # Errors
    /// [`BundleError::Strategy`] if an id or config is not understood.
    pub fn build_for(&self, workload: &Workload) -> Result<Autoscaler, BundleError> {
        let ingredients = Ingredients { workload, weights: self.weights.as_ref() };
        self.card.strategy.build(&ingredients).map_err(BundleError::Strategy)
    }
}

/// The content hash of a file: BLAKE3, 64 hexadecimal digits.
#[must_use]
pub fn hash(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

fn file<'a>(files: &'a BundleFiles, name: &'static str) -> Result<&'a [u8], BundleError> {
    files.get(name).map(Vec::as_slice).ok_or(BundleError::MissingFile { file: name })
}

fn check_size(files: &BundleFiles) -> Result<(), BundleError> {
    let bytes = files.values().map(Vec::len).sum();
    if bytes > SIZE_LIMIT_BYTES { Err(BundleError::TooLarge { bytes }) } else { Ok(()) }
}

fn check_names(files: &BundleFiles) -> Result<(), BundleError> {
    let known = [POLICY_FILE, WEIGHTS_FILE, GOLDEN_FILE];
    match files.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(BundleError::UnknownFile { file: name.clone() }),
        None => Ok(()),
    }
}

fn check_hash(file: &'static str, bytes: &[u8], expected: &str) -> Result<(), BundleError> {
    let found = hash(bytes);
    if found == expected { Ok(()) } else { Err(BundleError::Hash { file, expected: expected.to_owned(), found }) }
}

fn read_weights(card: &PolicyCard, files: &BundleFiles) -> Result<Option<Weights>, BundleError> {
    match (&card.hashes.weights, files.get(WEIGHTS_FILE)) {
        (None, None) => Ok(None),
        (Some(expected), Some(bytes)) => {
            check_hash(WEIGHTS_FILE, bytes, expected)?;
            Weights::from_safetensors(bytes).map(Some).map_err(BundleError::Weights)
        }
        (Some(_), None) => Err(BundleError::MissingFile { file: WEIGHTS_FILE }),
        (None, Some(_)) => Err(BundleError::UnknownFile { file: WEIGHTS_FILE.to_owned() }),
    }
}

fn not_json(file: &'static str, error: &serde_json::Error) -> BundleError {
    BundleError::Json { file, detail: error.to_string() }
}

#[cfg(test)]
mod tests;
