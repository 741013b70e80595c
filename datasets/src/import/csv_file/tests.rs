//! What a CSV file becomes, and one bad file per error.

use super::*;
use crate::Kind;

fn columns() -> CsvColumns {
    CsvColumns {
        time: "time".to_owned(),
        value: "hits".to_owned(),
        series: None,
        time_format: Some(TimeFormat::Rfc3339),
        unit: Some(Unit::Requests),
        interval: Some(Span::from_secs(60)),
    }
}

fn imported(text: &str, columns: &CsvColumns) -> Imported {
    from_csv("x", "x.csv", text.as_bytes(), columns).unwrap()
}

fn refused(text: &str, columns: &CsvColumns) -> String {
    from_csv("x", "x.csv", text.as_bytes(), columns).unwrap_err().to_string()
}

/// A file of a header and these rows.
fn file(rows: &[&str]) -> String {
    format!("time,hits\n{}\n", rows.join("\n"))
}

#[test]
fn gaps_and_empty_fields_become_missing_bins() {
    let text = file(&["2026-01-01T00:00:00Z,5", "2026-01-01T00:01:00Z,", "2026-01-01T00:04:00Z,7.5"]);
    let Imported { trace, notes } = imported(&text, &columns());
    let series = trace.series(None).unwrap();
    assert_eq!(series.values, [5.0, 5.0, 5.0, 5.0, 7.5]);
    assert_eq!(series.missing, [false, true, true, true, false]);
    assert_eq!(moment::format(series.start), "2026-01-01T00:00:00Z");
    assert_eq!(
        (trace.kind, trace.unit.as_str(), trace.interval),
        (Kind::Rate, "requests per 60 s", Span::from_secs(60))
    );
    assert_eq!(notes, ["the source: 3 of 5 bins have no value and are marked missing"]);
    assert_eq!(trace.provenance.time_base, None);
}

#[test]
fn what_was_not_stated_is_inferred_and_said() {
    let asked = CsvColumns { time_format: None, unit: None, interval: None, ..columns() };
    let text = file(&["2026-01-01 00:00,1", "2026-01-01 00:05,2", "2026-01-01 00:15,3", "2026-01-01 00:20,4"]);
    let Imported { trace, notes } = imported(&text, &asked);
    assert_eq!(trace.interval, Span::from_secs(300));
    assert_eq!(trace.series(None).unwrap().missing, [false, false, true, false, false]);
    assert!(notes[0].contains("rfc3339") && notes[0].contains("2026-01-01 00:00"), "{notes:?}");
    assert!(notes[1].contains("300 s") && notes[1].contains("2 times"), "{notes:?}");
    assert!(notes[2].contains("unit: requests "), "{notes:?}");
    assert!(notes[4].contains("read as UTC"), "{notes:?}");
    assert_eq!(trace.provenance.time_base.as_deref(), Some("the source states no offset: read as UTC"));
}

#[test]
fn numbers_as_times_are_told_apart_by_size() {
    let asked = CsvColumns { time_format: None, ..columns() };
    let of = |first: &str, second: &str| {
        let Imported { trace, notes } = imported(&file(&[first, second]), &asked);
        (trace.series(None).unwrap().start.micros(), notes[0].clone())
    };
    let (start, note) = of("1767225600,1", "1767225660.000,2");
    assert!(start == 1_767_225_600_000_000 && note.contains("unix-s"), "{start} {note}");
    let (start, note) = of("1767225600000,1", "1767225660000,2");
    assert!(start == 1_767_225_600_000_000 && note.contains("unix-ms"), "{start} {note}");
    assert_eq!(decimal_micros("1.5", 6), Some(Timestamp::from_micros(1_500_000)));
    assert_eq!(decimal_micros("-1.5", 6), Some(Timestamp::from_micros(-1_500_000)));
    assert_eq!(decimal_micros("12.25", 3), Some(Timestamp::from_micros(12_250)));
    for bad in ["", "-", "1e9", ".5", "1.2345678", "1 2", "99999999999999999999"] {
        assert_eq!(decimal_micros(bad, 6), None, "{bad}");
    }
}

#[test]
fn rates_become_counts_and_series_keep_their_own_start() {
    let asked = CsvColumns { series: Some("app".to_owned()), unit: Some(Unit::RequestsPerSecond), ..columns() };
    let text = "app,time,other,hits\nweb,2026-01-01T00:00:00Z,x,2\napi,2026-01-01T00:00:30Z,\"a,\nb\",0.5\n\
                web,2026-01-01T00:01:00Z,x,3\n";
    let trace = imported(text, &asked).trace;
    assert_eq!(trace.names(), ["api", "web"]);
    assert_eq!(trace.series(Some("web")).unwrap().values, [120.0, 180.0]);
    assert_eq!(trace.series(Some("api")).unwrap().values, [30.0]);
    assert_eq!(moment::format(trace.series(Some("api")).unwrap().start), "2026-01-01T00:00:30Z");
}

#[test]
fn the_same_bytes_give_the_same_file_and_it_reads_back_equal() {
    let text = format!("\u{feff}{}", file(&["2026-01-01T02:00:00+02:00,5", "2026-01-01T00:02:00Z,7"]));
    let (one, two) = (imported(&text, &columns()).trace, imported(&text, &columns()).trace);
    let bytes = crate::writer::trace_bytes(&one).unwrap();
    assert_eq!(bytes, crate::writer::trace_bytes(&two).unwrap());
    assert_eq!(crate::reader::read_trace_bytes("x", bytes).unwrap(), one);
}

#[test]
fn refuses_what_is_no_table() {
    assert!(refused("time,hits\n1,2,3\n", &columns()).contains("line 2 has 3 fields, the header has 2"));
    let bytes = b"time,hits\n\xff\xfe,1\n";
    let message = from_csv("x", "x.csv", bytes, &columns()).unwrap_err().to_string();
    assert!(message.contains("x.csv: line 2 is not UTF-8"), "{message}");
    assert!(refused("time,hits\n", &columns()).contains("the file holds no value"));
    assert!(refused("", &columns()).contains("no column `time`"));
    assert!(refused(&file(&["2026-01-01T00:00:00Z,"]), &columns()).contains("the source holds no value"));
}

#[test]
fn refuses_columns_that_are_absent_or_doubled() {
    let message = refused("when,hits\n", &columns());
    assert!(message.contains("no column `time` (columns present: when, hits)"), "{message}");
    assert!(refused("time,hits,hits\n", &columns()).contains("several columns are called `hits`"));
}

#[test]
fn refuses_times_and_values_that_cannot_be_read_with_their_line() {
    let good = "2026-01-01T00:00:00Z,1";
    let message = refused(&file(&[good, "yesterday,1"]), &columns());
    assert!(message.contains("line 3, column `time`: `yesterday` is no time of format rfc3339"), "{message}");
    let message = refused(&file(&[good, "2026-01-01T00:01:00Z,1'000"]), &columns());
    assert!(message.contains("line 3, column `hits`: `1'000` is no number"), "{message}");
    for (text, value) in [("NaN", "NaN"), ("inf", "inf"), ("1e999", "inf")] {
        let message = refused(&file(&[good, &format!("2026-01-01T00:01:00Z,{text}")]), &columns());
        assert!(message.contains(&format!("line 3: the value is {value}.")), "{message}");
    }
    let message = refused(&file(&["2026-01-01T00:00:00Z,-0.5"]), &columns());
    assert!(message.contains("line 2: the value is -0.5: a load cannot be negative"), "{message}");
}

#[test]
fn refuses_rows_out_of_order_or_twice() {
    let message = refused(&file(&["2026-01-01T00:01:00Z,1", "2026-01-01T00:00:00Z,1"]), &columns());
    assert!(message.contains("line 3: 2026-01-01T00:00:00Z is earlier than the row before it"), "{message}");
    let message = refused(&file(&["2026-01-01T00:01:00Z,1", "2026-01-01T00:01:00Z,1"]), &columns());
    assert!(message.contains("line 3: 2026-01-01T00:01:00Z stands twice"), "{message}");
}

#[test]
fn refuses_rows_that_no_grid_holds() {
    let message = refused(&file(&["2026-01-01T00:00:00Z,1", "2026-01-01T00:01:01Z,1"]), &columns());
    assert!(message.contains("line 3: 2026-01-01T00:01:01Z is off the grid of 60 s"), "{message}");
    let message = refused(&file(&["2026-01-01T00:00:00Z,1", "2226-01-01T00:00:00Z,1"]), &columns());
    assert!(message.contains("line 3: 2226-01-01T00:00:00Z would make a grid of 105"), "{message}");
    let asked = CsvColumns { interval: None, ..columns() };
    assert!(refused(&file(&["2026-01-01T00:00:00Z,1"]), &asked).contains("no series has two rows"));
    let asked = CsvColumns { interval: Some(Span::ZERO), ..columns() };
    assert!(refused(&file(&["2026-01-01T00:00:00Z,1"]), &asked).contains("an interval of 0 s is not possible"));
}
