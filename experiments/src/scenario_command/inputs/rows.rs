//! Rows of inventories, and whole numbers as the schema has them.

use std::sync::Arc;

use seatrial_datasets::recorded::Recorded;
use seatrial_envs::spec::ListedNode;

use super::requests::read_rows;
use super::{Refusal, Sources};

/// A column of counts; absent values are 0.
pub(super) fn at_least_zero(rows: &Recorded, key: &str, column: &str) -> Result<Vec<u64>, Refusal> {
    let values = rows.whole(column).map_err(|error| Refusal::new(key, error))?;
    Ok(values.iter().map(|value| value.and_then(|value| u64::try_from(value).ok()).unwrap_or(0)).collect())
}

/// A column of small counts; zeros where the file does not have it.
pub(super) fn small(rows: &Recorded, key: &str, column: &str) -> Result<Vec<u32>, Refusal> {
    if !rows.has(column) {
        return Ok(vec![0; rows.rows()]);
    }
    let values = at_least_zero(rows, key, column)?;
    Ok(values.into_iter().map(|value| u32::try_from(value).unwrap_or(u32::MAX)).collect())
}

impl Sources<'_> {
    /// The nodes of an inventory.
    pub(super) fn nodes(&self, key: &str, id: &str) -> Result<Arc<[ListedNode]>, Refusal> {
        let rows = read_rows(&self.file(key, id)?, key, &["cpu_milli", "memory_mib", "num_gpu"])?;
        let cpu_milli = at_least_zero(&rows, key, "cpu_milli")?;
        let memory_mib = at_least_zero(&rows, key, "memory_mib")?;
        let gpus = at_least_zero(&rows, key, "num_gpu")?;
        if rows.rows() == 0 {
            return Err(Refusal::new(key, format!("names `{id}`, which holds no node")));
        }
        let node = |row: usize| ListedNode { cpu_milli: cpu_milli[row], memory_mib: memory_mib[row], gpus: gpus[row] };
        Ok((0..rows.rows()).map(node).collect())
    }
}
