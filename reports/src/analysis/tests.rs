//! Questions over tiny files that polars wrote, answered by hand; one test per way in which they fail.

use std::fs::File;
use std::path::Path;

use polars::prelude::{IntoColumn as _, NamedFrom as _, Series, TimeUnit, TimeZone};
use polars_io::prelude::ParquetWriter;
use tempfile::TempDir;

use super::*;

/// cell, strategy, family, evaluation seed, regime, price, day, J, lower bound.
type Line = (&'static str, &'static str, &'static str, i64, &'static str, f64, i64, f64, Option<f64>);

/// Two families, two seeds of one of them, another regime, another price; no bound for family `q`.
const LINES: [Line; 11] = [
    ("a", "hpa-default", "p", 1, "nominal", 1.0, 0, 30.0, None),
    ("a", "hpa-default", "p", 1, "nominal", 1.0, 1, 50.0, None),
    ("b", "hpa-default", "p", 2, "nominal", 1.0, 0, 34.0, None),
    ("c", "hpa-default", "q", 1, "nominal", 1.0, 0, 6.0, None),
    ("d", "static", "p", 1, "nominal", 1.0, 0, 20.0, None),
    ("e", "static", "p", 1, "faults", 1.0, 0, 70.0, None),
    ("f", "oracle", "p", 1, "nominal", 1.0, 0, 11.0, Some(10.0)),
    ("f", "oracle", "p", 1, "nominal", 1.0, 1, 25.0, Some(20.0)),
    ("g", "oracle", "p", 2, "nominal", 1.0, 0, 12.0, Some(10.0)),
    ("h", "oracle", "p", 1, "nominal", 3.0, 0, 18.0, Some(15.0)),
    ("i", "oracle", "p", 1, "faults", 1.0, 0, 36.0, Some(35.0)),
];

fn frame(lines: &[Line]) -> DataFrame {
    let text = |name: &str, of: fn(&Line) -> &'static str| {
        Series::new(name.into(), lines.iter().map(of).collect::<Vec<_>>()).into_column()
    };
    let number = |name: &str, of: fn(&Line) -> f64| {
        Series::new(name.into(), lines.iter().map(of).collect::<Vec<_>>()).into_column()
    };
    let seeds = Series::new("eval_seed".into(), lines.iter().map(|line| line.3).collect::<Vec<_>>());
    let days = Series::new("day".into(), lines.iter().map(|line| line.6 * 86_400_000_000).collect::<Vec<_>>());
    let utc = DataType::Datetime(TimeUnit::Microseconds, Some(TimeZone::UTC));
    let lower = Series::new("oracle_lower".into(), lines.iter().map(|line| line.8).collect::<Vec<_>>());
    let columns = vec![
        text("cell", |line| line.0),
        text("strategy", |line| line.1),
        text("variant", |line| if line.1 == "oracle" { "oracle" } else { "default" }),
        text("family", |line| line.2),
        text("series", |_| ""),
        seeds.into_column(),
        text("regime", |line| line.4),
        number("kappa", |line| line.5),
        days.cast(&utc).unwrap().into_column(),
        number("j", |line| line.7),
        number("bad", |line| line.7 / 2.0),
        number("requests", |line| 100.0 * (1.0 + line.6 as f64)),
        number("changes", |line| line.7 + 1.0),
        lower.into_column(),
    ];
    DataFrame::new(lines.len(), columns).unwrap()
}

fn write(path: &Path, mut frame: DataFrame) -> PathBuf {
    ParquetWriter::new(File::create(path).unwrap()).finish(&mut frame).unwrap();
    path.to_owned()
}

/// A file of one run, and the folder that keeps it.
fn one_run(frame: DataFrame) -> (TempDir, Vec<(String, PathBuf)>) {
    let folder = tempfile::tempdir().unwrap();
    let path = write(&folder.path().join("cells.parquet"), frame);
    (folder, vec![("one".to_owned(), path)])
}

fn row<'a>(rows: &'a [OverviewRow], strategy: &str) -> &'a OverviewRow {
    rows.iter().find(|row| row.strategy == strategy && row.regime == "nominal").unwrap()
}

#[test]
fn windows_are_averaged_and_bounds_found() {
    let (_folder, runs) = one_run(frame(&LINES));
    let rows = overview(&runs).unwrap();
    let expected = OverviewRow {
        run: "one".into(),
        regime: "nominal".into(),
        kappa: 1.0,
        family: None,
        strategy: "hpa-default".into(),
        variant: "default".into(),
        cost: 30.0,                   // (30 + 50 + 34 + 6)/4
        cost_over_oracle: Some(2.85), // (30 + 50 + 34)/(10 + 20 + 10): family q has no bound
        bad_fraction: 60.0 / 500.0,   // (15 + 25 + 17 + 3)/(100 + 200 + 100 + 100)
        changes: 31.0,                // (31 + 51 + 35 + 7)/4
        cells: 3,
        windows: 4,
    };
    assert_eq!(row(&rows, "hpa-default"), &expected);
    assert_eq!(row(&rows, "static").cost_over_oracle, Some(2.0), "not the bound of another price or regime");
    assert_eq!(row(&rows, "oracle").cost_over_oracle, Some(48.0 / 40.0));
}

#[test]
fn rows_are_by_regime_price_and_cost() {
    let (_folder, runs) = one_run(frame(&LINES));
    let order: Vec<_> = overview(&runs).unwrap().into_iter().map(|r| (r.regime, r.kappa, r.strategy)).collect();
    let named: Vec<_> = order.iter().map(|(regime, kappa, id)| (regime.as_str(), *kappa, id.as_str())).collect();
    assert_eq!(
        named,
        [
            ("faults", 1.0, "oracle"),
            ("faults", 1.0, "static"),
            ("nominal", 1.0, "oracle"),
            ("nominal", 1.0, "static"),
            ("nominal", 1.0, "hpa-default"),
            ("nominal", 3.0, "oracle"),
        ]
    );
}

#[test]
fn questions_choose_rows_but_keep_their_bounds() {
    let (_folder, runs) = one_run(frame(&LINES));
    let question = Query { strategy: Some("hpa".into()), family: None, by_family: true };
    let rows = query(&runs, &question).unwrap();
    let told: Vec<_> = rows.iter().map(|r| (r.family.as_deref(), r.cost, r.cost_over_oracle, r.windows)).collect();
    assert_eq!(told, [(Some("p"), 38.0, Some(2.85), 3), (Some("q"), 6.0, None, 1)]);
    let question = Query { family: Some("q".into()), ..Query::default() };
    assert_eq!(query(&runs, &question).unwrap().len(), 1);
    // A part of an id, not a pattern.
    let question = Query { strategy: Some("h.a".into()), ..Query::default() };
    assert!(query(&runs, &question).unwrap().is_empty());
}

#[test]
fn runs_keep_their_order_and_their_own_bounds() {
    let folder = tempfile::tempdir().unwrap();
    let without_oracle = write(&folder.path().join("z.parquet"), frame(&LINES[..5]));
    let with_oracle = write(&folder.path().join("a.parquet"), frame(&LINES));
    let runs = vec![("same".to_owned(), without_oracle), ("same".to_owned(), with_oracle)];
    let question = Query { strategy: Some("static".into()), ..Query::default() };
    let rows = query(&runs, &question).unwrap();
    let told: Vec<_> = rows.iter().map(|row| (row.regime.as_str(), row.cost_over_oracle)).collect();
    assert_eq!(told, [("nominal", None), ("faults", Some(2.0)), ("nominal", Some(2.0))]);
}

#[test]
fn a_repeated_oracle_doubles_no_window() {
    let mut lines = LINES.to_vec();
    lines.push(("z", "oracle", "p", 1, "nominal", 1.0, 0, 11.0, Some(9.0)));
    let (_folder, runs) = one_run(frame(&lines));
    let row = row(&overview(&runs).unwrap(), "hpa-default").clone();
    assert_eq!((row.windows, row.cost_over_oracle), (4, Some(2.85)));
}

#[test]
fn no_run_is_refused() {
    assert!(matches!(overview(&[]), Err(AnalysisError::NoRuns)));
}

#[test]
fn an_absent_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = overview(&[("x".into(), folder.path().join("cells.parquet"))]).unwrap_err();
    assert!(matches!(error, AnalysisError::Open { .. }), "{error}");
    assert!(error.to_string().contains("cells.parquet") && error.to_string().contains("finished runs"), "{error}");
}

#[test]
fn a_file_that_is_not_parquet_is_named() {
    let folder = tempfile::tempdir().unwrap();
    for content in ["", "PAR1 and no more", "strategy,j\nhpa,1\n"] {
        let path = folder.path().join("cells.parquet");
        std::fs::write(&path, content).unwrap();
        let error = overview(&[("x".into(), path)]).unwrap_err();
        assert!(matches!(error, AnalysisError::NotParquet { .. }), "{error}");
        assert!(error.to_string().contains("cells.parquet is not a readable Parquet file"), "{error}");
    }
}

#[test]
fn a_missing_column_is_named() {
    let (_folder, runs) = one_run(frame(&LINES).drop("oracle_lower").unwrap());
    let error = overview(&runs).unwrap_err();
    assert!(matches!(error, AnalysisError::MissingColumn { column: "oracle_lower", .. }), "{error}");
    assert!(error.to_string().contains("cells.parquet has no column `oracle_lower`"), "{error}");
}

#[test]
fn a_column_of_another_type_is_named() {
    let mut wrong = frame(&LINES);
    wrong.with_column(Series::new("j".into(), vec!["much"; LINES.len()]).into_column()).unwrap();
    let (_folder, runs) = one_run(wrong);
    let error = overview(&runs).unwrap_err();
    assert!(matches!(error, AnalysisError::ColumnType { column: "j", .. }), "{error}");
    assert!(error.to_string().contains("64-bit numbers"), "{error}");
}
