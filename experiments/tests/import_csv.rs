//! `seatrial import csv`: from a file to a trace that the other commands read, and on bad input.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up its case has failed")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use seatrial_datasets::{moment, read_trace};

fn seatrial(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_seatrial")).args(arguments).output().unwrap()
}

struct Bench(tempfile::TempDir);

impl Bench {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Four days of five-minute bins, one of them absent.
    fn load(&self) -> PathBuf {
        let row = |bin: i64| format!("{},{}\n", 1_767_225_600 + 300 * bin, 100 + bin % 288);
        let rows: String = (0..4 * 288).filter(|bin| *bin != 7).map(row).collect();
        let path = self.path("load.csv");
        std::fs::write(&path, format!("at,hits\n{rows}")).unwrap();
        path
    }

    fn import(&self, file: &Path, out: &str, more: &[&str]) -> Output {
        let (file, out) = (file.to_str().unwrap(), self.path(out));
        let fixed = ["import", "csv", file, "--time", "at", "--value", "hits", "--out", out.to_str().unwrap()];
        seatrial(&[&fixed, more].concat())
    }

    fn refused(&self, text: &[u8], more: &[&str]) -> String {
        let file = self.path("bad.csv");
        std::fs::write(&file, text).unwrap();
        let output = self.import(&file, "bad.parquet", more);
        assert!(!self.path("bad.parquet").exists());
        error(&output)
    }
}

fn error(output: &Output) -> String {
    let message = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(matches!(output.status.code(), Some(1 | 2)), "{message}");
    assert_eq!(message.lines().filter(|line| line.starts_with("error: ")).count(), 1, "{message}");
    message
}

#[test]
fn an_imported_trace_is_described_with_its_provenance() {
    let bench = Bench::new();
    let output = bench.import(&bench.load(), "load.parquet", &[]);
    let notes = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{notes}");
    for note in ["time format: unix-s", "interval: 300 s", "unit: requests", "1 of 1152 bins have no value"] {
        assert!(notes.contains(note), "{note}: {notes}");
    }

    let described = seatrial(&["trace", "describe", bench.path("load.parquet").to_str().unwrap()]);
    let text = String::from_utf8(described.stdout).unwrap();
    assert!(described.status.success(), "{text}");
    // The columns of the listing may be as wide as they like.
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in ["trace load", "rate, requests per 300 s", "bins 1152 of 300 s", "1 missing", "source load.csv"] {
        assert!(words.contains(part), "{part}: {text}");
    }

    let trace = read_trace(&bench.path("load.parquet")).unwrap();
    let more = &trace.provenance.more;
    let expected = blake3::hash(&std::fs::read(bench.path("load.csv")).unwrap()).to_hex().to_string();
    assert_eq!(more["source_blake3"], expected);
    assert_eq!(more["command"], "seatrial import csv");
    assert_eq!(more["options"], r#"{"time":"at","value":"hits"}"#);
    let only = trace.series(None).unwrap();
    assert_eq!(moment::format(only.start), "2026-01-01T00:00:00Z");
    assert_eq!((only.values[6], only.values[7], only.missing[7]), (106.0, 106.0, true));
}

#[test]
fn the_same_command_gives_the_same_bytes_and_another_content_needs_force() {
    let bench = Bench::new();
    let file = bench.load();
    assert!(bench.import(&file, "x.parquet", &[]).status.success());
    let bytes = std::fs::read(bench.path("x.parquet")).unwrap();
    let again = bench.import(&file, "x.parquet", &[]);
    assert!(String::from_utf8(again.stdout).unwrap().starts_with("unchanged"));
    // Under another name of the target the bytes are the same too.
    assert!(bench.import(&file, "y.parquet", &[]).status.success());
    assert_eq!(std::fs::read(bench.path("y.parquet")).unwrap(), bytes);

    let unit = ["--unit", "requests_per_s"];
    assert!(error(&bench.import(&file, "x.parquet", &unit)).contains("holds something else"));
    assert_eq!(std::fs::read(bench.path("x.parquet")).unwrap(), bytes);
    assert!(bench.import(&file, "x.parquet", &[&unit[..], &["--force"]].concat()).status.success());
    assert_eq!(read_trace(&bench.path("x.parquet")).unwrap().series(None).unwrap().values[0], 30_000.0);
}

#[test]
fn refuses_files_and_options_that_cannot_be_with_one_message() {
    let bench = Bench::new();
    let cases: [(&str, &[&str], &str); 8] = [
        ("at,hits\n0,1\n60,x\n", &[], "line 3, column `hits`: `x` is no number"),
        ("at,hits\n0,1\n60,nan\n", &[], "line 3: the value is NaN"),
        ("at,hits\n60,1\n0,1\n", &["--interval", "60s"], "line 3: 1970-01-01T00:00:00Z is earlier"),
        ("at,hits\n0,1\n0,1\n", &["--interval", "60s"], "line 3: 1970-01-01T00:00:00Z stands twice"),
        ("at,hits\n0,1\n60,-1\n", &[], "line 3: the value is -1"),
        ("at,hits\n0,1\n60,1\n", &["--series", "app"], "no column `app` (columns present: at, hits)"),
        (
            "at,hits\n0,1\n60,1\n",
            &["--time-format", "rfc3339"],
            "line 2, column `at`: `0` is no time of format rfc3339",
        ),
        ("at,hits\n0,1\n60,1\n", &["--interval", "1 minute"], "is no span"),
    ];
    for (text, more, expected) in cases {
        let message = bench.refused(text.as_bytes(), more);
        assert!(message.contains(expected), "{expected}: {message}");
    }
    assert!(bench.refused(b"at,hits\n0,\xff\n", &[]).contains("not UTF-8"));
    assert!(error(&bench.import(&bench.path("no.csv"), "x.parquet", &[])).contains("cannot read"));
    assert!(error(&bench.import(&bench.load(), "x.csv", &[])).contains("is no name of a trace"));
}
