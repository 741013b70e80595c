//! What the names in a scenario stand for, once somebody has read the files.

use std::collections::BTreeMap;
use std::sync::Arc;

use seatrial_core::time::{Span, Timestamp};

use super::distribution::Distribution;
use crate::load::EpisodeLoad;

/// Loads, tables and inventories that a scenario names. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// One per row of [`super::ScenarioSpec::traffic`], in order.
    pub loads: Vec<SourceLoad>,
    /// Sorted values of each sampled distribution, with its factor applied, by [`table_key`](Self::table_key).
    pub tables: BTreeMap<String, Arc<[f64]>>,
    /// Nodes of a recorded inventory, by trace id.
    pub inventories: BTreeMap<String, Arc<[ListedNode]>>,
    /// Pods of a recorded cluster in order of creation, by trace id.
    pub pods: BTreeMap<String, Arc<[ListedPod]>>,
}

/// The requests of a source.
#[derive(Clone, Debug, PartialEq)]
pub enum SourceLoad {
    /// Rates in bins; requests arrive as a Poisson process whose counts per bin are kept.
    Rates(EpisodeLoad),
    /// Every request was recorded; ordered by time.
    Listed(Arc<[ListedRequest]>),
}

/// A recorded request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ListedRequest {
    /// When it arrives.
    pub at: Timestamp,
    /// Tokens of its prompt, 0 where it has none.
    pub input_tokens: u32,
    /// Tokens of its answer, 0 where it has none.
    pub output_tokens: u32,
}

/// A recorded node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedNode {
    /// Thousandths of a core.
    pub cpu_milli: u64,
    /// Mebibytes of memory.
    pub memory_mib: u64,
    /// GPUs.
    pub gpus: u64,
}

/// A recorded pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedPod {
    /// When it was created.
    pub created: Timestamp,
    /// How long it ran after it was bound; `None` where it outlived the record.
    pub lifetime: Option<Span>,
    /// Thousandths of a core that it asks for.
    pub cpu_milli: u64,
    /// Mebibytes of memory that it asks for.
    pub memory_mib: u64,
    /// GPUs that it asks for.
    pub gpus: u64,
}

impl Inputs {
    /// Under which key [`tables`](Self::tables) holds the values of a sampled distribution.
    #[must_use]
    pub fn table_key(distribution: &Distribution) -> String {
        serde_json::to_string(distribution).unwrap_or_default()
    }

    /// The values of a sampled distribution; `None` where they are not there or empty.
    #[must_use]
    pub fn table(&self, distribution: &Distribution) -> Option<Arc<[f64]>> {
        self.tables.get(&Self::table_key(distribution)).filter(|values| !values.is_empty()).cloned()
    }
}
