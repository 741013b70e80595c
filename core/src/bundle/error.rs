//! Why a bundle was refused.

use thiserror::Error;

use super::SIZE_LIMIT_BYTES;
use crate::nets::WeightsError;
use crate::scaling::config::ConfigError;

/// Why a bundle was refused (or could not be assembled). Nothing was loaded; whatever ran before still runs.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BundleError {
    /// A file is not there.
    #[error("bundle: `{file}` is missing; copy all files of the bundle")]
    MissingFile {
        /// The file.
        file: &'static str,
    },
    /// A file does not belong there.
    #[error("bundle: `{file}` does not belong to it; remove it, or export the bundle again")]
    UnknownFile {
        /// The file.
        file: String,
    },
    /// The files are too large together.
    #[error("bundle: {bytes} bytes where {SIZE_LIMIT_BYTES} are allowed; take smaller nets or fewer golden rows")]
    TooLarge {
        /// Bytes of all files.
        bytes: usize,
    },
    /// A file is not the JSON it must be: malformed, an unknown or missing key, a wrong type.
    #[error("bundle: `{file}`: {detail}; export the bundle with this version of seatrial")]
    Json {
        /// The file.
        file: &'static str,
        /// What the parser says.
        detail: String,
    },
    /// Another version of the schema.
    #[error(
        "bundle: `{file}` has schema version {found}, this program understands {supported}; export it again, or update"
    )]
    SchemaVersion {
        /// The file.
        file: &'static str,
        /// Its version.
        found: String,
        /// The version that this program reads.
        supported: u32,
    },
    /// A file was changed after the bundle was made.
    #[error(
        "bundle: `{file}` has hash {found} where policy.json says {expected}; it was changed or cut, copy it again"
    )]
    Hash {
        /// The file.
        file: &'static str,
        /// The hash on the card.
        expected: String,
        /// The hash of the file.
        found: String,
    },
    /// Features or actions are not those of this program.
    #[error("bundle: feature schema: {what} is {found}, this program has {expected}; train and export it again")]
    FeatureSchema {
        /// The part that differs.
        what: &'static str,
        /// That of this program.
        expected: String,
        /// That of the bundle.
        found: String,
    },
    /// The weights cannot be read.
    #[error("bundle: weights.safetensors: {0}")]
    Weights(WeightsError),
    /// The strategy cannot be built.
    #[error("bundle: strategy: {0}")]
    Strategy(ConfigError),
    /// There are no golden rows.
    #[error("bundle: no golden rows; nothing would show that it decides here as where it was made")]
    NoGolden,
    /// A golden row is not reproduced.
    #[error(
        "bundle: golden row {row}: {what} is {found} where {expected} is expected; this program decides differently, do not run it"
    )]
    Golden {
        /// Index of the first such row.
        row: usize,
        /// The part that differs.
        what: &'static str,
        /// The value in `golden.json`.
        expected: String,
        /// The value here.
        found: String,
    },
}
