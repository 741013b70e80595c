//! Tuned parameters: which configuration each rule won with on which series, from how many trials, and the fitted forecasters.
//!
//! One file (`tuned.json`) and the fitted weights beside it. It names what it was made from ([`Tuned::recipe`]): a run folder
//! reuses it only for the same recipe, a committed one (beside a bundle) is checked against the hash of each trace, and itself
//! against the hash on the bundle's card.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use seatrial_core::bundle::BundleFiles;
use seatrial_core::nets::Weights;
use seatrial_core::scaling::strategy::StrategySpec;
use serde::{Deserialize, Serialize};

use crate::arena::Arena;
use crate::bundle_folder;
use crate::contest::HashedWeights;
use crate::error::{ExperimentError, Result};
use crate::hash;
use crate::learned::Member;
use crate::run_folder::read_json;
use crate::strategies::Rule;
use crate::yardstick::Factors;

/// Version of the file.
pub const TUNED_SCHEMA: u32 = 1;
/// Stands for all series together.
pub const ALL_SERIES: &str = "*";
/// Name of the file.
pub const TUNED_FILE: &str = "tuned.json";

/// The winner of a search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Winner {
    /// The configuration.
    pub spec: StrategySpec,
    /// Its cost: mean J per day on the tuning part (geometric mean over series for global ones).
    pub cost: f64,
    /// Configurations that were scored.
    pub trials: usize,
    /// Hash of the configuration.
    pub hash: String,
}

/// A forecaster fitted on the training part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fit {
    /// File of its weights, relative to `tuned.json`.
    pub file: PathBuf,
    /// Hash of that file.
    pub hash: String,
    /// Pinball loss on the validation part.
    pub validation_loss: f64,
}

/// What was tuned on one series.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeriesTuning {
    /// `family` or `family/series`.
    pub label: String,
    /// Hash of the trace's content.
    pub content_hash: String,
    /// Winners by rule.
    pub rules: BTreeMap<Rule, Winner>,
    /// The linear quantile forecaster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forecaster: Option<Fit>,
    #[serde(skip)]
    weights: Option<Arc<HashedWeights>>,
}

/// The best constant headroom over a member's forecast.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConstantHeadroom {
    /// The series.
    pub label: String,
    /// Training seed of the member.
    pub train_seed: u64,
    /// Hash of its weights.
    pub weights: String,
    /// The factor.
    pub factor: f64,
    /// Factors that were scored.
    pub trials: usize,
}

/// See the module.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tuned {
    /// [`TUNED_SCHEMA`] of the writer.
    pub schema: u32,
    /// The command that made it.
    pub command: String,
    /// Revision that made it.
    pub revision: String,
    /// Hash of everything that it depends on.
    pub recipe: String,
    /// By series, in the order of the study.
    pub series: Vec<SeriesTuning>,
    /// One configuration for all series, by rule.
    pub global: BTreeMap<Rule, Winner>,
    /// Factors of the yardsticks by series; under `*` those that are best over all.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub yardstick_factors: BTreeMap<String, Factors>,
    /// Constant headrooms by series and member.
    #[serde(default)]
    pub constant_headroom: Vec<ConstantHeadroom>,
}

impl ConstantHeadroom {
    /// Whether it was chosen over the forecast of `member`.
    #[must_use]
    pub fn is_of(&self, member: &Member) -> bool {
        self.train_seed == member.seed && self.weights == member.trained.hash
    }
}

impl SeriesTuning {
    /// An entry without winners.
    #[must_use]
    pub fn new(arena: &Arena) -> Self {
        Self {
            label: arena.label(),
            content_hash: arena.load.content_hash.clone(),
            rules: BTreeMap::new(),
            forecaster: None,
            weights: None,
        }
    }

    /// The fitted forecaster's weights.
    #[must_use]
    pub fn fitted(&self) -> Option<Arc<HashedWeights>> {
        self.weights.clone()
    }

    /// Takes a fitted forecaster in; its file is named after `stem`.
    pub fn set_fit(&mut self, stem: &str, weights: Arc<HashedWeights>, validation_loss: f64) {
        let file = PathBuf::from("forecasters").join(format!("{stem}.safetensors"));
        self.forecaster = Some(Fit { file, hash: weights.hash.clone(), validation_loss });
        self.weights = Some(weights);
    }
}

impl Tuned {
    /// The entry of a series.
    #[must_use]
    pub fn series(&self, label: &str) -> Option<&SeriesTuning> {
        self.series.iter().find(|series| series.label == label)
    }

    /// The factors of the yardsticks on a series: its own, else those that are best over all.
    #[must_use]
    pub fn yardstick_factors(&self, label: &str) -> Option<&Factors> {
        self.yardstick_factors.get(label).or_else(|| self.yardstick_factors.get(ALL_SERIES))
    }

    /// A fitted forecaster for series that have none of their own: that of the first series.
    #[must_use]
    pub fn pooled(&self) -> Option<Arc<HashedWeights>> {
        self.series.iter().find_map(SeriesTuning::fitted)
    }

    /// The constant headroom chosen for a member on a series (on the first series it was chosen for, if not on this one).
    ///
    /// # Errors
    /// If none was chosen.
    pub fn constant_factor(&self, label: &str, train_seed: u64) -> Result<f64> {
        let of_member = || self.constant_headroom.iter().filter(|constant| constant.train_seed == train_seed);
        of_member()
            .find(|constant| constant.label == label)
            .or_else(|| of_member().next())
            .map(|constant| constant.factor)
            .ok_or_else(|| ExperimentError::Config {
                file: TUNED_FILE.into(),
                key: "constant_headroom".into(),
                detail: format!("no factor was chosen for `{label}` and training seed {train_seed}"),
            })
    }

    /// Reads the file and its weights below `folder`; `None` if there is no such file.
    ///
    /// # Errors
    /// If a file is of another version, another shape or has another hash, or the bundle that it lies beside is refused.
    pub fn read(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(TUNED_FILE);
        if !path.is_file() {
            return Ok(None);
        }
        bundle_folder::vouch(folder, TUNED_FILE)?;
        let mut tuned: Self = read_json(&path)?;
        if tuned.schema != TUNED_SCHEMA {
            let detail =
                format!("{TUNED_FILE} is of version {} where {TUNED_SCHEMA} is read; tune again", tuned.schema);
            return Err(ExperimentError::RunFolder { path: folder.to_owned(), detail });
        }
        for series in &mut tuned.series {
            if let Some(fit) = &series.forecaster {
                series.weights = Some(read_fit(folder, fit)?);
            }
        }
        Ok(Some(tuned))
    }

    /// Writes the weights, then the file.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        bundle_folder::write(folder, &self.files()?, TUNED_FILE)
    }

    /// The file and the weights that it names, by path.
    ///
    /// # Errors
    /// If weights cannot be put into a file.
    pub fn files(&self) -> Result<BundleFiles> {
        let mut files = BundleFiles::from([(TUNED_FILE.to_owned(), bundle_folder::json_file(TUNED_FILE, self)?)]);
        for series in &self.series {
            if let (Some(fit), Some(weights)) = (&series.forecaster, &series.weights) {
                files.insert(fit.file.display().to_string(), bundle_folder::weights_file(&weights.weights)?);
            }
        }
        Ok(files)
    }

    /// Checks that it was made for the traces of `arenas`.
    ///
    /// # Errors
    /// The first series that it lacks or that has other content.
    pub fn check_covers(&self, arenas: &[Arena], place: &Path) -> Result<()> {
        for arena in arenas.iter().filter(|arena| arena.trainable) {
            let label = arena.label();
            let wrong = |detail: String| Err(ExperimentError::Bundle { path: place.join(TUNED_FILE), detail });
            match self.series(&label) {
                None => {
                    return wrong(format!(
                        "has no parameters for `{label}`; remove `bundle` from the study to tune anew"
                    ));
                }
                Some(series) if series.content_hash != arena.load.content_hash => {
                    return wrong(format!("was made for another content of `{label}`; remove `bundle` to tune anew"));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// Its hash: that of its file.
    #[must_use]
    pub fn hash(&self) -> String {
        hash::of_json(self)
    }
}

fn read_fit(folder: &Path, fit: &Fit) -> Result<Arc<HashedWeights>> {
    let path = folder.join(&fit.file);
    let bytes = std::fs::read(&path).map_err(ExperimentError::io("read", &path))?;
    let wrong = |detail: String| ExperimentError::Bundle { path: path.clone(), detail };
    bundle_folder::check_hash(&path, &bytes, &fit.hash, TUNED_FILE)?;
    HashedWeights::new(Weights::from_safetensors(&bytes).map_err(|error| wrong(error.to_string()))?)
}
