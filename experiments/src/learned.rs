//! Trained weights of a study: one member per training seed, in a run folder or beside a committed bundle.
//!
//! `learned.json` names the files and their hashes; a file whose hash differs is refused, and so is a list that differs from
//! the hash on the card of the bundle that it lies beside. The untrained net is not stored: it
//! is drawn from the training seed, as the learner drew it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use seatrial_core::bundle::BundleFiles;
use seatrial_core::nets::Weights;
use serde::{Deserialize, Serialize};

use crate::bundle_folder;
use crate::contest::HashedWeights;
use crate::error::{ExperimentError, Result};
use crate::manifest::WeightsRef;
use crate::run_folder::{self, write_atomic, write_json};

/// Name of the list of members.
pub const LEARNED_FILE: &str = "learned.json";
/// Weights of a bundle.
pub const BUNDLE_WEIGHTS: &str = "weights.safetensors";
/// Weights of the agent trained on the persistence forecast, beside a bundle.
const PERSISTENCE_FILE: &str = "attribution/persistence.safetensors";
const LEARNED_SCHEMA: u32 = 1;

/// What one training seed gave.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its training seed.
    pub seed: u64,
    /// The selected weights: forecaster and agent.
    pub trained: Arc<HashedWeights>,
    /// The same forecaster with the agent before training.
    pub untrained: Arc<HashedWeights>,
    persistence: Option<Arc<HashedWeights>>,
}

/// The members, by seed.
#[derive(Clone, Debug, Default)]
pub struct LearnedSet {
    members: Vec<Member>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LearnedFile {
    schema: u32,
    /// Hash of what the training was made from; empty for a bundle from elsewhere.
    recipe: String,
    members: Vec<MemberEntry>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MemberEntry {
    seed: u64,
    trained: WeightsFile,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    persistence: Option<WeightsFile>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WeightsFile {
    file: PathBuf,
    hash: String,
}

impl Member {
    /// A member from its weights; the untrained net is drawn from `seed`.
    ///
    /// # Errors
    /// If the weights have no agent.
    pub fn new(seed: u64, trained: Weights, persistence: Option<Weights>) -> Result<Self> {
        let untrained = trained.subset("forecaster.").overlaid(&Weights::untrained_agent(seed, agent_width(&trained)?));
        Ok(Self {
            seed,
            trained: HashedWeights::new(trained)?,
            untrained: HashedWeights::new(untrained)?,
            persistence: persistence.map(HashedWeights::new).transpose()?,
        })
    }

    /// Weights of the agent that was trained on the persistence forecast.
    ///
    /// # Errors
    /// If there are none: a bundle from elsewhere does not carry them.
    pub fn persistence(&self) -> Result<&Arc<HashedWeights>> {
        self.persistence.as_ref().ok_or_else(|| ExperimentError::Bundle {
            path: PathBuf::from(LEARNED_FILE),
            detail: "has no agent trained on the persistence forecast; leave `lstm-dqn-persistence` out, or train it"
                .into(),
        })
    }

    /// Whether it has an agent trained on the persistence forecast.
    #[must_use]
    pub const fn has_persistence(&self) -> bool {
        self.persistence.is_some()
    }
}

fn agent_width(weights: &Weights) -> Result<usize> {
    let tensor = weights.tensor("agent.value.weight").map_err(|error| ExperimentError::Training(error.to_string()))?;
    Ok(tensor.shape().last().copied().unwrap_or(0))
}

impl LearnedSet {
    /// A set of members.
    #[must_use]
    pub fn new(mut members: Vec<Member>) -> Self {
        members.sort_by_key(|member| member.seed);
        Self { members }
    }

    /// The members, by seed.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Reads the members of `folder`: a run folder, or a bundle with or without its attribution weights.
    ///
    /// # Errors
    /// If a file is absent, has another hash or other tensors, or the bundle is refused.
    pub fn read(folder: &Path) -> Result<Self> {
        let list = folder.join(LEARNED_FILE);
        if list.is_file() {
            bundle_folder::vouch(folder, LEARNED_FILE)?;
            return Self::read_listed(folder, &run_folder::read_json(&list)?);
        }
        let path = folder.join(BUNDLE_WEIGHTS);
        let bytes = std::fs::read(&path).map_err(ExperimentError::io("read", &path))?;
        // The untrained net is drawn from the seed, so it must be the one that the weights came from.
        let seed = bundle_folder::load(folder)?.card().provenance.seeds.first().copied().unwrap_or(0);
        Ok(Self::new(vec![Member::new(seed, parse(&path, &bytes)?, None)?]))
    }

    fn read_listed(folder: &Path, list: &LearnedFile) -> Result<Self> {
        if list.schema != LEARNED_SCHEMA {
            let detail = format!("version {} where {LEARNED_SCHEMA} is read; train again", list.schema);
            return Err(ExperimentError::Bundle { path: folder.join(LEARNED_FILE), detail });
        }
        let member = |entry: &MemberEntry| -> Result<Member> {
            let persistence = entry.persistence.as_ref().map(|file| read_weights(folder, file)).transpose()?;
            Member::new(entry.seed, read_weights(folder, &entry.trained)?, persistence)
        };
        Ok(Self::new(list.members.iter().map(member).collect::<Result<_>>()?))
    }

    /// Whether `folder` holds the outcome of `recipe` already.
    #[must_use]
    pub fn is_made_from(folder: &Path, recipe: &str) -> bool {
        run_folder::read_json::<LearnedFile>(&folder.join(LEARNED_FILE)).is_ok_and(|list| list.recipe == recipe)
    }

    /// Writes all members below `folder`, the list last.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn write(&self, folder: &Path, recipe: &str) -> Result<()> {
        let mut members = Vec::new();
        for member in &self.members {
            let place = PathBuf::from("members").join(member.seed.to_string());
            let trained = write_weights(folder, place.join("trained.safetensors"), &member.trained)?;
            let persistence = match &member.persistence {
                Some(weights) => Some(write_weights(folder, place.join("persistence.safetensors"), weights)?),
                None => None,
            };
            members.push(MemberEntry { seed: member.seed, trained, persistence });
        }
        let list = LearnedFile { schema: LEARNED_SCHEMA, recipe: recipe.to_owned(), members };
        write_json(&folder.join(LEARNED_FILE), &list)
    }

    /// The files of one member beside a bundle's weights, by path, so that the bundle's attribution rows can be run from it.
    ///
    /// # Errors
    /// If weights cannot be put into a file.
    pub fn files_beside_bundle(member: &Member) -> Result<BundleFiles> {
        let mut files = BundleFiles::new();
        let persistence = match &member.persistence {
            Some(weights) => {
                files.insert(PERSISTENCE_FILE.to_owned(), bundle_folder::weights_file(&weights.weights)?);
                Some(WeightsFile { file: PERSISTENCE_FILE.into(), hash: weights.hash.clone() })
            }
            None => None,
        };
        let trained = WeightsFile { file: BUNDLE_WEIGHTS.into(), hash: member.trained.hash.clone() };
        let members = vec![MemberEntry { seed: member.seed, trained, persistence }];
        let list = LearnedFile { schema: LEARNED_SCHEMA, recipe: String::new(), members };
        files.insert(LEARNED_FILE.to_owned(), bundle_folder::json_file(LEARNED_FILE, &list)?);
        Ok(files)
    }

    /// The hashes for the manifest.
    #[must_use]
    pub fn references(&self) -> Vec<WeightsRef> {
        let reference = |member: &Member| WeightsRef { seed: member.seed, trained: member.trained.hash.clone() };
        self.members.iter().map(reference).collect()
    }
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Weights> {
    Weights::from_safetensors(bytes)
        .map_err(|error| ExperimentError::Bundle { path: path.to_owned(), detail: error.to_string() })
}

fn read_weights(folder: &Path, file: &WeightsFile) -> Result<Weights> {
    let path = folder.join(&file.file);
    let bytes = std::fs::read(&path).map_err(ExperimentError::io("read", &path))?;
    bundle_folder::check_hash(&path, &bytes, &file.hash, LEARNED_FILE)?;
    parse(&path, &bytes)
}

fn write_weights(folder: &Path, file: PathBuf, weights: &HashedWeights) -> Result<WeightsFile> {
    write_atomic(&folder.join(&file), &bundle_folder::weights_file(&weights.weights)?)?;
    Ok(WeightsFile { file, hash: weights.hash.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run folder.
    fn run() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(run_folder::RunFolder::at(folder.path()).resolved_config(), "").unwrap();
        folder
    }

    fn set() -> LearnedSet {
        let weights = |seed| Weights::deterministic(seed, 8, 16);
        LearnedSet::new(vec![
            Member::new(9, weights(1), Some(weights(2))).unwrap(),
            Member::new(3, weights(4), None).unwrap(),
        ])
    }

    #[test]
    fn members_survive_the_folder_and_are_ordered_by_seed() {
        let folder = run();
        set().write(folder.path(), "recipe").unwrap();
        let read = LearnedSet::read(folder.path()).unwrap();
        assert_eq!(read.references(), set().references());
        assert_eq!(read.members().iter().map(|member| member.seed).collect::<Vec<_>>(), [3, 9]);
        assert!(read.members()[0].persistence().is_err() && read.members()[1].has_persistence());
        assert!(LearnedSet::is_made_from(folder.path(), "recipe") && !LearnedSet::is_made_from(folder.path(), "other"));
        assert_ne!(read.members()[0].trained.hash, read.members()[0].untrained.hash);
    }

    #[test]
    fn changed_weights_are_refused() {
        let folder = run();
        set().write(folder.path(), "recipe").unwrap();
        let path = folder.path().join("members/3/trained.safetensors");
        let mut bytes = std::fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let message = LearnedSet::read(folder.path()).unwrap_err().to_string();
        assert!(message.contains("trained.safetensors") && message.contains("hash is"), "{message}");
    }

    #[test]
    fn hashes_that_differ_late_are_told_apart() {
        let folder = run();
        set().write(folder.path(), "recipe").unwrap();
        let list = folder.path().join(LEARNED_FILE);
        let text = std::fs::read_to_string(&list).unwrap();
        let right = LearnedSet::read(folder.path()).unwrap().references()[0].trained.clone();
        let wrong = format!("{}{}", &right[..63], if right.ends_with('0') { '1' } else { '0' });
        std::fs::write(&list, text.replace(&right, &wrong)).unwrap();
        let message = LearnedSet::read(folder.path()).unwrap_err().to_string();
        assert!(message.contains(&right) && message.contains(&wrong), "{message}");
    }
}
