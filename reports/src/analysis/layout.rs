//! Answers for a terminal and for a spreadsheet.

use super::OverviewRow;
use crate::format::{csv_field, grouped, percent};
use crate::tables::Table;

/// The rows as a table; J/J* is `–` where no oracle was certified.
#[must_use]
pub fn table(rows: &[OverviewRow]) -> Table {
    let by_family = rows.iter().any(|row| row.family.is_some());
    let family = by_family.then_some("family");
    let numbers = ["J/window", "J/J*", "bad %", "changes/day", "cells", "windows"];
    let heads = ["run", "strategy", "variant"].into_iter().chain(family).chain(["regime", "kappa"]).chain(numbers);
    let mut table = Table {
        title: "Cells by run and strategy; costs J in pod-seconds, windows are UTC days".to_owned(),
        heads: heads.map(str::to_owned).collect(),
        rows: rows.iter().map(|row| cells(row, by_family)).collect(),
    };
    let texts = table.heads.len() - numbers.len();
    left_aligned(&mut table, texts);
    table
}

fn cells(row: &OverviewRow, by_family: bool) -> Vec<String> {
    let family = by_family.then(|| row.family.clone().unwrap_or_default());
    let texts = [row.run.clone(), row.strategy.clone(), row.variant.clone()].into_iter().chain(family);
    let numbers = [
        grouped(row.cost, 0),
        row.cost_over_oracle.map_or_else(|| "–".to_owned(), |ratio| grouped(ratio, 3)),
        percent(row.bad_fraction, 3),
        grouped(row.changes, 1),
        row.cells.to_string(),
        row.windows.to_string(),
    ];
    texts.chain([row.regime.clone(), row.kappa.to_string()]).chain(numbers).collect()
}

/// Pads the first `columns` columns, because [`Table::plain`] aligns all but the first to the right.
fn left_aligned(table: &mut Table, columns: usize) {
    for column in 0..columns {
        let mut cells: Vec<&mut String> =
            core::iter::once(&mut table.heads).chain(&mut table.rows).filter_map(|row| row.get_mut(column)).collect();
        let width = cells.iter().map(|cell| cell.chars().count()).max().unwrap_or(0);
        cells.iter_mut().for_each(|cell| **cell = format!("{cell:<width$}"));
    }
}

/// The rows as CSV with plain numbers; an unknown ratio is an empty field.
#[must_use]
pub fn csv(rows: &[OverviewRow]) -> String {
    let head = "run,regime,kappa,family,strategy,variant,cost,cost_over_oracle,bad_fraction,changes,cells,windows\n"
        .to_owned();
    rows.iter().fold(head, |text, row| {
        let fields = [
            csv_field(&row.run),
            csv_field(&row.regime),
            row.kappa.to_string(),
            csv_field(row.family.as_deref().unwrap_or_default()),
            csv_field(&row.strategy),
            csv_field(&row.variant),
            row.cost.to_string(),
            row.cost_over_oracle.map(|ratio| ratio.to_string()).unwrap_or_default(),
            row.bad_fraction.to_string(),
            row.changes.to_string(),
            row.cells.to_string(),
            row.windows.to_string(),
        ];
        text + &fields.join(",") + "\n"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(strategy: &str, family: Option<&str>, cost_over_oracle: Option<f64>) -> OverviewRow {
        OverviewRow {
            run: "runs/a,b".into(),
            regime: "nominal".into(),
            kappa: 1.0,
            family: family.map(str::to_owned),
            strategy: strategy.into(),
            variant: "default".into(),
            cost: 1_234.5,
            cost_over_oracle,
            bad_fraction: 0.0125,
            changes: 3.0,
            cells: 2,
            windows: 14,
        }
    }

    #[test]
    fn tables_are_aligned() {
        let text = table(&[row("hpa-default", None, Some(1.5)), row("static", None, None)]).plain();
        let expected = "\
Cells by run and strategy; costs J in pod-seconds, windows are UTC days
run       strategy     variant  regime   kappa  J/window   J/J*  bad %  changes/day  cells  windows
---------------------------------------------------------------------------------------------------
runs/a,b  hpa-default  default  nominal  1         1,234  1.500  1.250          3.0      2       14
runs/a,b  static       default  nominal  1         1,234      –  1.250          3.0      2       14
";
        assert_eq!(text, expected);
    }

    #[test]
    fn families_have_a_column_if_they_were_asked_for() {
        let text = table(&[row("static", Some("worldcup"), None)]).plain();
        assert!(text.contains("variant  family    regime") && text.contains("default  worldcup  nominal"), "{text}");
        assert!(table(&[]).rows.is_empty());
    }

    #[test]
    fn csv_has_plain_numbers_and_quotes_names() {
        let text = csv(&[row("static", Some("p"), None), row("static", None, Some(1.5))]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1], "\"runs/a,b\",nominal,1,p,static,default,1234.5,,0.0125,3,2,14");
        assert_eq!(lines[2], "\"runs/a,b\",nominal,1,,static,default,1234.5,1.5,0.0125,3,2,14");
    }
}
