//! Tables and decision logs of run folders: round trips, equal bytes, clear errors.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect, in its shared functions too")]

use seatrial_core::record::{DecisionRecord, RECORD_VERSION};
use seatrial_datasets::{Column, Table, TableError, read_decisions, read_table, write_decisions, write_table};

fn every_type() -> Table {
    Table::new()
        .with("at", Column::TimestampUs(vec![-1, 0, 1_000_000]))
        .unwrap()
        .with("i", Column::I64(vec![i64::MIN, 0, i64::MAX]))
        .unwrap()
        .with("oi", Column::OptionalI64(vec![None, Some(-1), None]))
        .unwrap()
        .with("u", Column::U32(vec![0, 1, u32::MAX]))
        .unwrap()
        .with("ou", Column::OptionalU32(vec![Some(7), None, Some(0)]))
        .unwrap()
        .with("f", Column::F64(vec![0.1, -0.0, f64::INFINITY]))
        .unwrap()
        .with("of", Column::OptionalF64(vec![None, None, Some(1e-300)]))
        .unwrap()
        .with("b", Column::Bool(vec![true, false, true]))
        .unwrap()
        .with("t", Column::Text(vec![String::new(), "ä".to_owned(), "lstm-dqn".to_owned()]))
        .unwrap()
}

fn record(reason: &str) -> DecisionRecord {
    DecisionRecord {
        version: RECORD_VERSION,
        at_us: 15_000_000,
        load_at_us: Some(0),
        features: [None, Some(1.5), None, Some(0.0), Some(1_400.25), None, None, None, None, Some(0.01)],
        spec_replicas: 3,
        ready: 2,
        starting: 1,
        terminating: 0,
        capacity_mean: Some(50.0),
        capacity_lower: None,
        forecast: Some([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]),
        proposed: Some(4),
        action: Some(9),
        decided: 4,
        reason: reason.to_owned(),
        overridden: true,
    }
}

fn bare() -> DecisionRecord {
    let features = [None; 10];
    DecisionRecord {
        load_at_us: None,
        features,
        forecast: None,
        proposed: None,
        action: None,
        capacity_mean: None,
        ..record("")
    }
}

#[test]
fn a_table_of_every_type_survives_and_its_bytes_repeat() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("one.parquet"), folder.path().join("two.parquet"));
    let table = every_type();
    for path in [&one, &two] {
        write_table(path, &table, &[("run", "quick")]).unwrap();
    }
    assert_eq!(std::fs::read(&one).unwrap(), std::fs::read(&two).unwrap());
    let read = read_table(&one).unwrap();
    assert_eq!(read.columns(), table.columns());
    assert!(read.metadata().contains(&("run".to_owned(), "quick".to_owned())));
    assert_eq!(read.texts("t").unwrap()[2], "lstm-dqn");
    assert_eq!(read.optional_f64s("of").unwrap(), [None, None, Some(1e-300)]);
}

/// Nothing in the bytes names the file, the moment or a library's version.
#[test]
fn the_bytes_of_a_table_depend_on_the_table_alone() {
    let bytes = seatrial_datasets::table::table_bytes("x", &every_type(), &[("run", "quick")]).unwrap();
    assert!(!bytes.windows(10).any(|window| window == b"parquet-rs"), "the writer signs with its version");
    assert!(!bytes.windows(12).any(|window| window == b"ARROW:schema"), "the schema is stored as a library encodes it");
    assert_eq!(bytes, seatrial_datasets::table::table_bytes("y", &every_type(), &[("run", "quick")]).unwrap());
}

#[test]
fn large_and_empty_tables_survive() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.parquet");
    for rows in [0_u32, 1, 70_000] {
        let table = Table::new().with("n", Column::U32((0..rows).collect())).unwrap();
        write_table(&path, &table, &[]).unwrap();
        assert_eq!(read_table(&path).unwrap().columns(), table.columns());
    }
}

#[test]
fn errors_of_tables_name_the_column_and_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cells.parquet");
    let table = every_type();
    let ragged = table.clone().with("short", Column::U32(vec![1])).unwrap_err();
    assert!(matches!(ragged, TableError::Ragged { found: 1, expected: 3, .. }) && ragged.to_string().contains("short"));
    assert!(matches!(table.clone().with("u", Column::U32(vec![1, 2, 3])), Err(TableError::Duplicate { .. })));
    let absent = table.f64s("cost").unwrap_err().in_file("cells.parquet").to_string();
    assert!(absent.contains("cells.parquet") && absent.contains("`cost`") && absent.contains("at, i, oi"), "{absent}");
    let other = table.f64s("u").unwrap_err().to_string();
    assert!(other.contains("`u`") && other.contains("counts") && other.contains("numbers"), "{other}");
    let nowhere = read_table(&path).unwrap_err();
    assert!(matches!(nowhere, TableError::Io { .. }) && nowhere.to_string().contains("cells.parquet"), "{nowhere}");
    write_table(&path, &table, &[]).unwrap();
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 7]).unwrap();
    let cut = read_table(&path).unwrap_err();
    assert!(matches!(cut, TableError::NotParquet { .. }) && cut.to_string().contains("truncated"), "{cut}");
    let unwritable = write_table(&folder.path().join("no/cells.parquet"), &table, &[]).unwrap_err();
    assert!(unwritable.to_string().contains("Check that the folder exists"), "{unwritable}");
}

#[test]
fn decisions_survive() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("decisions.parquet");
    let records = [record("floor"), bare(), record("scale-down-stabilisation")];
    write_decisions(&path, &records, &[("strategy", "hpa-default")]).unwrap();
    assert_eq!(read_decisions(&path).unwrap(), records);
    let table = read_table(&path).unwrap();
    assert!(table.column("http_requests_total_rate").is_some() && table.column("forecast_q05").is_some());
    assert_eq!(table.optional_f64s("forecast_q99").unwrap(), [Some(8.0), None, Some(8.0)]);
    write_decisions(&path, &[], &[]).unwrap();
    assert_eq!(read_decisions(&path).unwrap(), []);
}

#[test]
fn decisions_of_another_version_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("decisions.parquet");
    let other = DecisionRecord { version: RECORD_VERSION + 1, ..record("") };
    assert!(matches!(write_decisions(&path, &[other], &[]), Err(TableError::Version { .. })));
    assert!(!path.exists());
    let table = seatrial_datasets::decisions::to_table(&[record("")]).unwrap();
    for (pairs, found) in [(vec![("decisions.version", "99")], "99"), (vec![], "absent")] {
        write_table(&path, &table, &pairs).unwrap();
        let error = read_decisions(&path).unwrap_err();
        let message = error.to_string();
        assert!(
            matches!(error, TableError::Version { .. })
                && message.contains(found)
                && message.contains("decisions.parquet")
        );
    }
}

#[test]
fn half_a_forecast_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("decisions.parquet");
    let mut table = Table::new();
    for (name, column) in seatrial_datasets::decisions::to_table(&[record("")]).unwrap().columns() {
        let column = if name == "forecast_q50" { Column::OptionalF64(vec![None]) } else { column.clone() };
        table.push(name.clone(), column).unwrap();
    }
    write_table(&path, &table, &[("decisions.version", &RECORD_VERSION.to_string())]).unwrap();
    let message = read_decisions(&path).unwrap_err().to_string();
    assert!(message.contains("7 of 8 quantiles") && message.contains("row 0"), "{message}");
}
