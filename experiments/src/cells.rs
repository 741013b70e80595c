//! A cell: one strategy on one series under one evaluation seed and one regime. The unit of work, of resuming and of evidence.
//!
//! A cell's id is the hash of everything that can change its rows ([`CellKey`]) and of nothing else: not of threads, shards or
//! the folder. Rows of a finished cell are one Parquet file in the cell store; the merged table is ordered by id.

mod rows;

use serde::Serialize;

use seatrial_reports::model::{CellRow, Variant};

use crate::hash;

pub use rows::{read_cells, table_of, write_cells};

/// Version of a cell's rows and of what its id is made from; a change of the kernel's or the estimators' results raises it.
pub const CELL_SCHEMA: u32 = 2;

/// Everything that determines the rows of a cell.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CellKey {
    /// [`CELL_SCHEMA`].
    pub schema: u32,
    /// Hash of the world: scenario with protocol and regime.
    pub scenario: String,
    /// Family.
    pub family: String,
    /// Series.
    pub series: String,
    /// Whether it counts for headlines (a column of the rows).
    pub headline: bool,
    /// Hash of the load: content of the trace, scale, smoothing, scored part.
    pub load: String,
    /// Strategy id.
    pub strategy: String,
    /// How its parameters came about.
    pub variant: Variant,
    /// Hash of the resolved strategy, its weights included.
    pub config: String,
    /// Evaluation seed.
    pub eval_seed: u64,
    /// Training seed.
    pub train_seed: Option<u64>,
    /// Regime.
    pub regime: String,
    /// Price of a bad request.
    pub kappa: f64,
    /// Kernel and balancing, where it is not the fluid one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel: Option<String>,
}

impl CellKey {
    /// The content address.
    #[must_use]
    pub fn id(&self) -> String {
        hash::of_json(self)
    }
}

/// A finished cell.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// Its content address.
    pub id: String,
    /// Its price of a bad request.
    pub kappa: f64,
    /// What reports read.
    pub row: CellRow,
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn key() -> CellKey {
        CellKey {
            schema: CELL_SCHEMA,
            scenario: "s".into(),
            family: "f".into(),
            series: "a".into(),
            headline: true,
            load: "l".into(),
            strategy: "hpa-default".into(),
            variant: Variant::Default,
            config: "c".into(),
            eval_seed: 1,
            train_seed: None,
            regime: "plain".into(),
            kappa: 1.0,
            kernel: None,
        }
    }

    /// Cells of the fluid kernel keep the ids that they had before there was another kernel.
    #[test]
    fn the_fluid_kernel_is_not_in_the_key() {
        let before = concat!(
            r#"{"schema":2,"scenario":"s","family":"f","series":"a","headline":true,"load":"l","strategy":"hpa-default","#,
            r#""variant":"default","config":"c","eval_seed":1,"train_seed":null,"regime":"plain","kappa":1.0}"#,
        );
        assert_eq!(key().id(), hash::of_bytes(before.as_bytes()));
    }

    #[test]
    fn every_part_of_the_key_is_in_the_id() {
        let edits: [fn(&mut CellKey); 13] = [
            |key| key.scenario.push('x'),
            |key| key.family.push('x'),
            |key| key.series.push('x'),
            |key| key.headline = false,
            |key| key.load.push('x'),
            |key| key.strategy.push('x'),
            |key| key.config.push('x'),
            |key| key.eval_seed += 1,
            |key| key.train_seed = Some(0),
            |key| key.regime.push('x'),
            |key| key.kappa = 3.0,
            |key| key.kernel = Some("events/shared".into()),
            |key| key.kernel = Some("events/random".into()),
        ];
        let mut ids = vec![key().id()];
        for edit in edits {
            let mut changed = key();
            edit(&mut changed);
            ids.push(changed.id());
        }
        let count = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), count);
        assert_eq!(key().id(), key().id());
    }
}
