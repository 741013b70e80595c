//! Cells as a table: one row per cell and window, in the order of ids and days.

use std::path::Path;

use seatrial_datasets::{Column, Table, TableError, read_table, write_table};
use seatrial_reports::model::{CellRow, Variant, WindowRow};

use super::{CELL_SCHEMA, Cell};
use crate::error::{ExperimentError, Result};

type NumberOf = (&'static str, fn(&WindowRow) -> f64, fn(&mut WindowRow) -> &mut f64);

/// The number columns of a window, in order.
const NUMBERS: [NumberOf; 8] = [
    ("ready_s", |w| w.ready_s, |w| &mut w.ready_s),
    ("starting_s", |w| w.starting_s, |w| &mut w.starting_s),
    ("terminating_s", |w| w.terminating_s, |w| &mut w.terminating_s),
    ("bad", |w| w.bad, |w| &mut w.bad),
    ("requests", |w| w.requests, |w| &mut w.requests),
    ("changes", |w| w.changes, |w| &mut w.changes),
    ("left_over", |w| w.left_over, |w| &mut w.left_over),
    ("j", |w| w.j, |w| &mut w.j),
];

/// The table of `cells`.
///
/// # Errors
/// If columns clash: a bug.
pub fn table_of(cells: &[Cell]) -> Result<Table> {
    build(cells).map_err(|error| ExperimentError::Trace(error.to_string()))
}

fn build(cells: &[Cell]) -> std::result::Result<Table, TableError> {
    let rows: Vec<(&Cell, &WindowRow)> =
        cells.iter().flat_map(|cell| cell.row.windows.iter().map(move |window| (cell, window))).collect();
    let text = |of: fn(&Cell) -> String| Column::Text(rows.iter().map(|(cell, _)| of(cell)).collect());
    let mut table = Table::new()
        .with("cell", text(|cell| cell.id.clone()))?
        .with("strategy", text(|cell| cell.row.strategy.clone()))?
        .with("variant", text(|cell| cell.row.variant.as_str().to_owned()))?
        .with("config", text(|cell| cell.row.config.clone()))?
        .with("family", text(|cell| cell.row.family.clone()))?
        .with("series", text(|cell| cell.row.series.clone()))?
        .with("headline", Column::Bool(rows.iter().map(|(cell, _)| cell.row.headline).collect()))?
        .with("regime", text(|cell| cell.row.regime.clone()))?
        .with("kappa", Column::F64(rows.iter().map(|(cell, _)| cell.kappa).collect()))?
        .with("eval_seed", Column::I64(rows.iter().map(|(cell, _)| cell.row.eval_seed.cast_signed()).collect()))?
        .with(
            "train_seed",
            Column::OptionalI64(rows.iter().map(|(cell, _)| cell.row.train_seed.map(u64::cast_signed)).collect()),
        )?
        .with("guard_share", Column::OptionalF64(rows.iter().map(|(cell, _)| cell.row.guard_share).collect()))?
        .with("day", Column::TimestampUs(rows.iter().map(|(_, window)| window.day_us).collect()))?;
    for (name, get, _) in NUMBERS {
        table.push(name, Column::F64(rows.iter().map(|(_, window)| get(window)).collect()))?;
    }
    let optional = |of: fn(&WindowRow) -> Option<f64>| Column::OptionalF64(rows.iter().map(|(_, w)| of(w)).collect());
    table.with("oracle_lower", optional(|w| w.oracle_lower))?.with("oracle_upper", optional(|w| w.oracle_upper))
}

/// Writes cells, whole or not at all.
///
/// # Errors
/// If the file cannot be written.
pub fn write_cells(path: &Path, cells: &[Cell]) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(ExperimentError::io("create", folder))?;
    }
    let schema = CELL_SCHEMA.to_string();
    write_table(path, &table_of(cells)?, &[("seatrial.cells", &schema)])
        .map_err(|error| ExperimentError::RunFolder { path: path.to_owned(), detail: error.to_string() })
}

/// Reads cells that [`write_cells`] wrote.
///
/// # Errors
/// If the file cannot be read or is of another version.
pub fn read_cells(path: &Path) -> Result<Vec<Cell>> {
    let wrong = |detail: String| ExperimentError::RunFolder { path: path.to_owned(), detail };
    let table = read_table(path).map_err(|error| wrong(error.to_string()))?;
    let version = table.metadata().iter().find(|(key, _)| key == "seatrial.cells").map(|(_, value)| value.as_str());
    if version != Some(CELL_SCHEMA.to_string().as_str()) {
        let found = version.unwrap_or("none");
        return Err(wrong(format!("cells of version {found} where {CELL_SCHEMA} is read; run the study again")));
    }
    take_apart(&table).map_err(|error| wrong(error.to_string()))
}

fn take_apart(table: &Table) -> std::result::Result<Vec<Cell>, TableError> {
    let ids = table.texts("cell")?;
    let mut cells: Vec<Cell> = Vec::new();
    for (index, id) in ids.iter().enumerate() {
        if cells.last().is_none_or(|last| last.id != *id) {
            cells.push(cell_at(table, index)?);
        }
        let window = window_at(table, index)?;
        if let Some(cell) = cells.last_mut() {
            cell.row.windows.push(window);
        }
    }
    Ok(cells)
}

fn cell_at(table: &Table, index: usize) -> std::result::Result<Cell, TableError> {
    let text = |name: &str| table.texts(name).map(|texts| texts[index].clone());
    let word = text("variant")?;
    let variant =
        Variant::ALL.into_iter().find(|variant| variant.as_str() == word).ok_or_else(|| TableError::Value {
            file: "cells".into(),
            column: "variant".into(),
            row: index,
            detail: format!("`{word}` is no variant"),
        })?;
    let row = CellRow {
        strategy: text("strategy")?,
        variant,
        config: text("config")?,
        family: text("family")?,
        series: text("series")?,
        headline: table.bools("headline")?[index],
        eval_seed: table.i64s("eval_seed")?[index].cast_unsigned(),
        train_seed: table.optional_i64s("train_seed")?[index].map(i64::cast_unsigned),
        regime: text("regime")?,
        windows: Vec::new(),
        guard_share: table.optional_f64s("guard_share")?[index],
    };
    Ok(Cell { id: text("cell")?, kappa: table.f64s("kappa")?[index], row })
}

fn window_at(table: &Table, index: usize) -> std::result::Result<WindowRow, TableError> {
    let mut window = WindowRow {
        day_us: table.timestamps_us("day")?[index],
        oracle_lower: table.optional_f64s("oracle_lower")?[index],
        oracle_upper: table.optional_f64s("oracle_upper")?[index],
        ..WindowRow::default()
    };
    for (name, _, slot) in NUMBERS {
        *slot(&mut window) = table.f64s(name)?[index];
    }
    Ok(window)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(id: &str, train_seed: Option<u64>) -> Cell {
        let window = |day_us| WindowRow {
            day_us,
            ready_s: 1.5,
            bad: 0.25,
            j: 1.75,
            oracle_lower: train_seed.map(|_| 1.0),
            ..WindowRow::default()
        };
        let row = CellRow {
            strategy: "lstm-dqn".into(),
            variant: Variant::Learned,
            config: "c".into(),
            family: "f".into(),
            series: String::new(),
            headline: false,
            eval_seed: u64::MAX,
            train_seed,
            regime: "plain".into(),
            windows: vec![window(0), window(86_400_000_000)],
            guard_share: Some(0.125),
        };
        Cell { id: id.into(), kappa: 1.0, row }
    }

    #[test]
    fn every_variant_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cells.parquet");
        let of = |(place, variant)| {
            let cell = cell(&format!("{place}"), None);
            Cell { row: CellRow { variant, ..cell.row.clone() }, ..cell }
        };
        let cells: Vec<Cell> = Variant::ALL.into_iter().enumerate().map(of).collect();
        write_cells(&path, &cells).unwrap();
        assert_eq!(read_cells(&path).unwrap(), cells);
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ab/cells.parquet");
        let cells = vec![cell("a", None), cell("b", Some(7))];
        write_cells(&path, &cells).unwrap();
        assert_eq!(read_cells(&path).unwrap(), cells);
        std::fs::write(&path, b"PAR1 and no more").unwrap();
        assert!(read_cells(&path).unwrap_err().to_string().contains("not a readable Parquet"));
    }
}
