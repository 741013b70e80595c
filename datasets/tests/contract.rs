//! The trace contract: what is written is read back, and every kind of bad input gives its own clear error.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect, in its shared functions too")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use parquet::arrow::ArrowWriter;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use seatrial_core::time::{Span, Timestamp};
use seatrial_datasets::{
    EventSeries, Kind, Located, Locator, Provenance, Series, Trace, TraceError, read_trace, write_trace,
};

const MINUTE: i64 = 60_000_000;

/// A Parquet file made with Arrow itself, independently of the crate's writer.
struct Sample {
    columns: Vec<(&'static str, ArrayRef)>,
    metadata: Vec<(&'static str, &'static str)>,
}

impl Sample {
    fn new(at_us: &[i64], values: &[f64]) -> Self {
        let metadata =
            vec![("trace.kind", "rate"), ("trace.unit", "requests per minute"), ("trace.interval_us", "60000000")];
        Self {
            columns: vec![("timestamp", timestamps(at_us)), ("value", Arc::new(Float64Array::from(values.to_vec())))],
            metadata,
        }
    }

    fn column(mut self, name: &'static str, array: ArrayRef) -> Self {
        self.columns.retain(|(known, _)| *known != name);
        self.columns.push((name, array));
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.columns.retain(|(known, _)| *known != name);
        self
    }

    fn key(mut self, key: &'static str, value: &'static str) -> Self {
        self.metadata.retain(|(known, _)| *known != key);
        self.metadata.push((key, value));
        self
    }

    fn write(self, folder: &Path) -> PathBuf {
        let path = folder.join("sample.parquet");
        let batch = RecordBatch::try_from_iter(self.columns).unwrap();
        let pairs = self.metadata.iter().map(|(key, value)| KeyValue::new((*key).to_owned(), (*value).to_owned()));
        let properties = WriterProperties::builder().set_key_value_metadata(Some(pairs.collect())).build();
        let file = std::fs::File::create(&path).unwrap();
        let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        path
    }

    fn error(self) -> TraceError {
        let folder = tempfile::tempdir().unwrap();
        read_trace(&self.write(folder.path())).unwrap_err()
    }

    fn trace(self) -> Trace {
        let folder = tempfile::tempdir().unwrap();
        read_trace(&self.write(folder.path())).unwrap()
    }
}

fn timestamps(at_us: &[i64]) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from(at_us.to_vec()).with_timezone("UTC"))
}

fn three_minutes() -> Sample {
    Sample::new(&[0, MINUTE, 2 * MINUTE], &[1.0, 2.0, 3.0])
}

/// Every message says what, where (the file, and the spot in it), and what to do (a second sentence or a remedy).
fn says(error: &TraceError, parts: &[&str]) {
    let message = error.to_string();
    for part in parts {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
}

#[test]
fn absent_rows_and_flagged_rows_become_missing_bins_that_hold_the_last_value() {
    let flags = Arc::new(BooleanArray::from(vec![None, Some(true), Some(false), Some(false)]));
    let trace =
        Sample::new(&[0, MINUTE, 2 * MINUTE, 5 * MINUTE], &[4.0, 0.0, 6.0, 7.0]).column("missing", flags).trace();
    let series = trace.series(None).unwrap();
    assert_eq!(series.values, [4.0, 4.0, 6.0, 6.0, 6.0, 7.0]);
    assert_eq!(series.missing, [false, true, false, true, true, false]);
    assert_eq!(
        (trace.kind, trace.unit.as_str(), trace.interval),
        (Kind::Rate, "requests per minute", Span::from_secs(60))
    );
    assert_eq!((trace.id.as_str(), series.missing_count()), ("sample", 3));
}

#[test]
fn before_the_first_known_value_zero_is_held() {
    let flags = Arc::new(BooleanArray::from(vec![true, false, false]));
    let trace = three_minutes().column("missing", flags).trace();
    assert_eq!(trace.series(None).unwrap().values, [0.0, 2.0, 3.0]);
}

#[test]
fn each_series_keeps_its_own_phase_and_interval() {
    let quarter = MINUTE / 4;
    let names = Arc::new(StringArray::from(vec!["slow", "fast", "fast", "fast", "slow"]));
    let trace = Sample::new(&[0, 7, 7 + quarter, 7 + 2 * quarter, MINUTE], &[1.0, 2.0, 3.0, 4.0, 5.0])
        .column("series", names)
        .trace();
    assert_eq!(trace.names(), ["fast", "slow"]);
    let fast = trace.series(Some("fast")).unwrap();
    assert_eq!((fast.start, fast.interval), (Timestamp::from_micros(7), Span::from_secs(15)));
    assert_eq!(trace.series(Some("slow")).unwrap().interval, Span::from_secs(60));
}

#[test]
fn other_columns_are_allowed_and_ignored() {
    let other = Arc::new(BooleanArray::from(vec![true, true, true]));
    let trace = three_minutes().column("no_request", other).trace();
    assert_eq!(trace.series(None).unwrap().missing, [false; 3]);
}

#[test]
fn events_share_moments_and_are_binned() {
    let sample = Sample::new(&[30, 30, MINUTE, 3 * MINUTE + 1], &[1.0; 4]).key("trace.kind", "event");
    let trace = sample.trace();
    let binned = trace.bin_events(Span::from_secs(60)).unwrap();
    assert_eq!(binned.series(None).unwrap().values, [2.0, 1.0, 0.0, 1.0]);
    assert_eq!(binned.kind, Kind::Rate);
    says(&trace.series(None).unwrap_err(), &["sample", "event", "bin the events first"]);
    says(&binned.bin_events(Span::from_secs(60)).unwrap_err(), &["rate", "resample"]);
    assert!(trace.bin_events(Span::ZERO).is_err());
}

#[test]
fn what_is_written_is_read_back_and_the_bytes_repeat() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("two.parquet");
    let series = |name: &str, start, interval_s, values: &[f64]| Series {
        name: name.to_owned(),
        start: Timestamp::from_secs(start),
        interval: Span::from_secs(interval_s),
        values: values.to_vec(),
        missing: values.iter().map(|value| *value == 9.0).collect(),
    };
    let trace = Trace {
        id: "two".to_owned(),
        kind: Kind::Gauge,
        unit: "cores".to_owned(),
        interval: Span::from_secs(60),
        series: vec![series("b", -30, 60, &[9.0, 9.0]), series("a", 0, 15, &[0.25, 1e-300, 3.5])],
        events: Vec::new(),
        provenance: Provenance {
            source: Some("test".to_owned()),
            more: [("note".to_owned(), "ä".to_owned())].into(),
            ..Provenance::default()
        },
        content_hash: String::new(),
    }
    .rehash();
    write_trace(&path, &trace).unwrap();
    let first = std::fs::read(&path).unwrap();
    write_trace(&path, &trace).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), first);
    let read = read_trace(&path).unwrap();
    // Missing bins before the first known value hold zero, whatever was written.
    assert_eq!(read.series(Some("b")).unwrap().values, [0.0, 0.0]);
    assert_eq!(read.series(Some("a")).unwrap(), trace.series(Some("a")).unwrap());
    assert_eq!((read.provenance, read.kind, read.interval), (trace.provenance, trace.kind, trace.interval));
}

#[test]
fn events_survive_the_round_trip() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mail.parquet");
    let at = [1, 1, 5].map(Timestamp::from_micros).to_vec();
    let events = vec![EventSeries { name: String::new(), at }];
    let trace = Trace {
        id: "mail".to_owned(),
        kind: Kind::Event,
        unit: "mail".to_owned(),
        interval: Span::ZERO,
        series: Vec::new(),
        events,
        provenance: Provenance::default(),
        content_hash: String::new(),
    }
    .rehash();
    write_trace(&path, &trace).unwrap();
    assert_eq!(read_trace(&path).unwrap(), trace);
}

#[test]
fn the_content_hash_sees_content_and_not_encoding() {
    let folder = tempfile::tempdir().unwrap();
    let original = three_minutes().trace();
    let copy = folder.path().join("renamed.parquet");
    write_trace(&copy, &original).unwrap();
    let copy = read_trace(&copy).unwrap();
    assert_eq!((copy.content_hash.as_str(), copy.id.as_str()), (original.content_hash.as_str(), "renamed"));
    let changes = [
        Sample::new(&[0, MINUTE, 2 * MINUTE], &[1.0, 2.0, 3.000_000_1]).trace(),
        Sample::new(&[1, MINUTE + 1, 2 * MINUTE + 1], &[1.0, 2.0, 3.0]).trace(),
        three_minutes().key("trace.kind", "gauge").trace(),
        three_minutes().column("missing", Arc::new(BooleanArray::from(vec![false, false, true]))).trace(),
    ];
    for change in changes {
        assert_ne!(change.content_hash, original.content_hash);
    }
}

#[test]
fn error_absent_file() {
    let folder = tempfile::tempdir().unwrap();
    let error = read_trace(&folder.path().join("none.parquet")).unwrap_err();
    assert!(matches!(error, TraceError::Absent { .. }));
    says(&error, &["none.parquet", "not found", "SEATRIAL_TRACES"]);
}

#[test]
fn error_not_parquet_and_truncated() {
    let folder = tempfile::tempdir().unwrap();
    let path = three_minutes().write(folder.path());
    let whole = std::fs::read(&path).unwrap();
    let cuts = [0, 3, 12, whole.len() / 2, whole.len() - 1];
    let damaged = cuts.map(|length| whole[..length].to_vec()).into_iter().chain([b"timestamp,value\n0,1\n".to_vec()]);
    for bytes in damaged {
        std::fs::write(&path, &bytes).unwrap();
        let error = read_trace(&path).unwrap_err();
        assert!(matches!(error, TraceError::NotParquet { .. }), "{} bytes: {error}", bytes.len());
        says(&error, &["sample.parquet", "truncated"]);
    }
}

#[test]
fn error_empty() {
    let error = Sample::new(&[], &[]).error();
    assert!(matches!(error, TraceError::Empty { .. }));
    says(&error, &["sample.parquet", "no rows"]);
}

#[test]
fn error_missing_column() {
    for column in ["timestamp", "value"] {
        let error = three_minutes().without(column).error();
        assert!(matches!(error, TraceError::MissingColumn { .. }));
        says(&error, &["sample.parquet", column, "columns present", "Add or rename"]);
    }
}

#[test]
fn error_wrong_type() {
    let naive = Arc::new(TimestampMicrosecondArray::from(vec![0, 1, 2]));
    let whole: ArrayRef = Arc::new(Int64Array::from(vec![0, 1, 2]));
    for (column, array) in [
        ("timestamp", Arc::clone(&whole)),
        ("timestamp", naive),
        ("value", Arc::clone(&whole)),
        ("series", Arc::clone(&whole)),
        ("missing", whole),
    ] {
        let error = three_minutes().column(column, array).error();
        assert!(matches!(error, TraceError::WrongType { .. }), "{error}");
        says(&error, &["sample.parquet", column, "Convert"]);
    }
}

#[test]
fn error_null() {
    let holes: ArrayRef = Arc::new(Float64Array::from(vec![Some(1.0), None, Some(2.0)]));
    let error = three_minutes().column("value", holes).error();
    assert!(matches!(error, TraceError::Null { row: 1, .. }));
    says(&error, &["sample.parquet", "`value`", "row 1", "leave it out"]);
}

#[test]
fn error_unsorted() {
    for at in [[0, 2 * MINUTE, MINUTE], [0, MINUTE, MINUTE]] {
        let error = Sample::new(&at, &[1.0; 3]).error();
        assert!(matches!(error, TraceError::Unsorted { row: 2, .. }));
        says(&error, &["sample.parquet", "`timestamp`", "row 2", "row before it. Sort"]);
    }
    let events = Sample::new(&[0, 2, 1], &[1.0; 3]).key("trace.kind", "event").error();
    assert!(matches!(events, TraceError::Unsorted { row: 2, .. }));
}

#[test]
fn error_stated_interval() {
    for wrong in ["0", "-60000000", "abc", "", "6e7"] {
        let error = three_minutes().key("trace.interval_us", wrong).error();
        assert!(matches!(error, TraceError::StatedInterval { .. }));
        says(&error, &["sample.parquet", "`trace.interval_us`", &format!("`{wrong}`"), "above 0"]);
    }
}

#[test]
fn error_not_finite() {
    for value in [f64::NAN, f64::INFINITY] {
        let error = Sample::new(&[0, MINUTE], &[1.0, value]).error();
        assert!(matches!(error, TraceError::NotFinite { row: 1, .. }));
        says(&error, &["sample.parquet", "`value`", "row 1", "repair"]);
    }
}

#[test]
fn error_negative() {
    let error = Sample::new(&[0, MINUTE], &[-0.5, 1.0]).error();
    assert!(matches!(error, TraceError::Negative { row: 0, .. }));
    says(&error, &["sample.parquet", "`value`", "row 0", "-0.5", "Repair"]);
}

#[test]
fn error_unknown_kind() {
    let mixed = three_minutes().key("trace.kind", "mixed").error();
    assert!(matches!(mixed, TraceError::UnknownKind { .. }));
    says(&mixed, &["sample.parquet", "`mixed`", "event, gauge, rate", "a file each"]);
    let mut absent = three_minutes();
    absent.metadata.remove(0);
    says(&absent.error(), &["absent", "event, gauge, rate"]);
    let folder = tempfile::tempdir().unwrap();
    let path = three_minutes().key("trace.kind", "mixed").write(folder.path());
    assert_eq!(seatrial_datasets::reader::read_trace_as(&path, Kind::Gauge).unwrap().kind, Kind::Gauge);
}

#[test]
fn error_off_the_grid() {
    let irregular = Sample::new(&[0, MINUTE, 2 * MINUTE + 1], &[1.0; 3]).error();
    assert!(matches!(irregular, TraceError::Grid { .. }));
    says(&irregular, &["sample.parquet", "multiples", "Resample"]);
    let mut one_row = Sample::new(&[0], &[1.0]);
    one_row.metadata.retain(|(key, _)| *key != "trace.interval_us");
    let one_row = one_row.error();
    says(&one_row, &["one row", "trace.interval_us"]);
    let mistake = Sample::new(&[0, 1, 4_000_000_000_000_000], &[1.0; 3]).error();
    says(&mistake, &["bins"]);
}

#[test]
fn error_series_not_named_or_unknown() {
    let names = Arc::new(StringArray::from(vec!["a", "b", "a"]));
    let trace = three_minutes().column("series", names).trace();
    says(&trace.series(None).unwrap_err(), &["sample", "several series", "a, b"]);
    says(&trace.series(Some("c")).unwrap_err(), &["sample", "`c`", "a, b"]);
}

#[test]
fn error_writing_leaves_nothing_half_written() {
    let folder = tempfile::tempdir().unwrap();
    let trace = three_minutes().trace();
    let error = write_trace(&folder.path().join("no/such/folder.parquet"), &trace).unwrap_err();
    assert!(matches!(error, TraceError::Io { .. }));
    says(&error, &["folder.parquet", "cannot write the trace", "Check that the folder exists"]);
    // The target is a folder: the write succeeds, the rename fails.
    let occupied = folder.path().join("occupied.parquet");
    std::fs::create_dir(&occupied).unwrap();
    assert!(matches!(write_trace(&occupied, &trace).unwrap_err(), TraceError::Io { .. }));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn error_full_disk_says_to_free_space() {
    let source = std::io::Error::from(std::io::ErrorKind::StorageFull);
    let error = TraceError::Io { file: "x.parquet".to_owned(), action: "write the trace", source };
    says(&error, &["x.parquet", "cannot write", "Free some space", "nothing half-written"]);
}

#[test]
fn a_locator_looks_at_the_path_then_folders_then_shipped() {
    let folder = tempfile::tempdir().unwrap();
    let path = three_minutes().write(folder.path());
    let locator = Locator::new(vec![folder.path().join("other"), folder.path().to_owned()]);
    for name in ["sample", "sample.parquet", path.to_str().unwrap()] {
        assert_eq!(locator.resolve(name).unwrap(), Located::File(path.clone()), "{name}");
        assert_eq!(locator.open(name).unwrap().id, "sample");
    }
    assert_eq!(locator.resolve("generated_web_1min").unwrap(), Located::Shipped("generated_web_1min"));
    let error = locator.open("elsewhere").unwrap_err();
    says(&error, &["elsewhere", "other/elsewhere.parquet", "generated_web_1min", "SEATRIAL_TRACES"]);
}
