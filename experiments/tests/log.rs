//! `seatrial report` and `seatrial verify` on the folder of an operator's log.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up its case has failed")]

#[path = "log/operated.rs"]
mod operated;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use operated::{Operation, bundle, write, write_in_files};

struct Bench(tempfile::TempDir);

impl Bench {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn folder(&self) -> &Path {
        self.0.path()
    }

    fn call(&self, verb: &str, more: &[&str]) -> Output {
        let fixed = [verb, self.folder().to_str().unwrap()];
        Command::new(env!("CARGO_BIN_EXE_seatrial")).args([&fixed, more].concat()).output().unwrap()
    }

    fn told(&self, verb: &str, more: &[&str]) -> (String, String) {
        let Output { status, stdout, stderr } = self.call(verb, more);
        let (stdout, stderr) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
        assert!(status.success(), "{stdout}\n{stderr}");
        (stdout, stderr)
    }

    /// The exit code, and both outputs.
    fn refused(&self, verb: &str, more: &[&str]) -> (i32, String) {
        let Output { status, stdout, stderr } = self.call(verb, more);
        let text = String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap();
        assert_eq!(text.lines().filter(|line| line.starts_with("error: ")).count(), 1, "{text}");
        (status.code().unwrap(), text)
    }
}

#[test]
fn every_decision_is_made_again() {
    let bench = Bench::new();
    write_in_files(bench.folder(), &Operation { points: &[40], ..Operation::hpa("shop/web", 300) }.rows(), 90);
    let (told, _) = bench.told("verify", &[]);
    assert_eq!(told.trim(), "260 decisions made again, all identical (40 before the first replay point skipped)");
    // A file alone is a log too.
    let file = write(bench.folder(), &Operation::hpa("shop/api", 100).rows());
    let mut command = Command::new(env!("CARGO_BIN_EXE_seatrial"));
    command.current_dir(bench.folder()).arg("verify").arg(file.file_name().unwrap());
    let output = command.output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), "100 decisions made again, all identical");
}

#[test]
fn a_bundle_is_found_by_its_hash_and_asked_for_where_it_is_absent() {
    let bench = Bench::new();
    let (folder, bundle) = bundle();
    let mut rows = Operation { points: &[0, 240], ..Operation::of_bundle("shop/web", &bundle, 400) }.rows();
    rows.extend(Operation { holes: &[(50, 52)], ..Operation::hpa("shop/api", 200) }.rows());
    write(bench.folder(), &rows);
    let (code, message) = bench.refused("verify", &[]);
    assert!(code == 2 && message.contains(bundle.hash()) && message.contains("--bundle DIR"), "{message}");
    let given = ["--bundle", folder.to_str().unwrap()];
    let (told, _) = bench.told("verify", &given);
    assert_eq!(told.trim(), "600 decisions made again, all identical");
    let decided: std::collections::BTreeSet<u32> = rows.iter().map(|row| row.record.decided).collect();
    assert!(decided.len() > 4, "the log is no constant: {decided:?}");
}

#[test]
fn overlapping_and_unsorted_files_are_one_log() {
    let bench = Bench::new();
    let rows = Operation::hpa("shop/web", 200).rows();
    let mut shuffled = rows[80..].to_vec();
    shuffled.reverse();
    write(bench.folder(), &rows[..120]);
    write(bench.folder(), &shuffled);
    let (told, notes) = bench.told("verify", &[]);
    assert_eq!(told.trim(), "200 decisions made again, all identical");
    assert!(notes.contains("40 decisions stand in several places"), "{notes}");
}

#[test]
fn a_changed_decision_is_found_and_told() {
    let bench = Bench::new();
    let mut rows = Operation::hpa("shop/web", 200).rows();
    let decided = rows[100].record.decided;
    rows[100].record.decided += 3;
    write(bench.folder(), &rows);
    let (code, told) = bench.refused("verify", &[]);
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("1 of 200 decisions made again differ"), "{told}");
    assert!(told.contains(&format!("decided {} in the log, {decided} again", decided + 3)), "{told}");
    assert!(told.contains("shop/web at 2026-01-31T12:25:02"), "{told}");
}

#[test]
fn a_lost_row_is_found() {
    let bench = Bench::new();
    let mut rows = Operation::hpa("shop/web", 700).rows();
    // A gap while the load rises: what the rule remembers of the past is not in the log.
    rows.drain(470..500);
    write(bench.folder(), &rows);
    let (code, told) = bench.refused("verify", &[]);
    assert!(code == 1 && told.contains("or holds gaps"), "{told}");
}

#[test]
fn a_log_that_proves_nothing_fails() {
    let bench = Bench::new();
    write(bench.folder(), &Operation { points: &[], ..Operation::hpa("shop/web", 20) }.rows());
    let (code, told) = bench.refused("verify", &[]);
    assert!(code == 1 && told.contains("none of 20 decisions can be made again"), "{told}");
}

#[test]
fn bad_logs_and_flags_are_refused() {
    for verb in ["verify", "report"] {
        let bench = Bench::new();
        let (code, told) = bench.refused(verb, &[]);
        assert!(
            code == 1 && told.contains("no decisions-*.parquet") && told.contains("config.resolved.toml"),
            "{told}"
        );
        let path = write(bench.folder(), &Operation::hpa("shop/web", 60).rows());
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 100]).unwrap();
        let (code, told) = bench.refused(verb, &[]);
        assert!(code == 1 && told.contains("may be truncated: copy it again"), "{told}");
        let trace = seatrial_datasets::shipped::open("google_cluster_5min").unwrap();
        seatrial_datasets::write_trace(&path, &trace).unwrap();
        let (code, told) = bench.refused(verb, &[]);
        assert!(code == 1 && told.contains("no decision log"), "{told}");
        assert!(!bench.folder().join("report").exists());
    }
    let bench = Bench::new();
    write(bench.folder(), &Operation::hpa("shop/web", 60).rows());
    let (code, told) = bench.refused("verify", &["--train"]);
    assert!(code == 2 && told.contains("--train"), "{told}");
    let (_, told) = bench.refused("report", &["--subject", "shop/wbe"]);
    assert!(told.contains("no subject `shop/wbe`; it has shop/web"), "{told}");
    // A run knows neither.
    std::fs::write(bench.folder().join("config.resolved.toml"), "").unwrap();
    for (verb, flag) in [("report", "--out"), ("report", "--subject"), ("verify", "--bundle")] {
        let (code, told) = bench.refused(verb, &[flag, "x"]);
        assert!(code == 2 && told.contains(&format!("{flag} is for decision logs")), "{told}");
    }
}

#[test]
fn the_report_has_a_figure_per_subject_and_one_table() {
    let bench = Bench::new();
    let (_, bundle) = bundle();
    let mut rows = Operation { holes: &[(50, 52)], ..Operation::of_bundle("shop/web", &bundle, 300) }.rows();
    // Two subjects that file names cannot tell apart, and one that cannot be drawn.
    rows.extend(Operation::hpa("shop-web", 200).rows());
    rows.extend(Operation::hpa("shop/new", 1).rows());
    write(bench.folder(), &rows);
    let (told, notes) = bench.told("report", &[]);
    let report = bench.folder().join("report");
    for stem in ["decision-log-shop-web", "decision-log-shop-web-2"] {
        for ending in ["svg", "png", "csv"] {
            let file = report.join(format!("{stem}.{ending}"));
            assert!(std::fs::metadata(&file).unwrap().len() > 500, "{}", file.display());
            assert!(told.contains(file.to_str().unwrap()), "{told}");
        }
    }
    assert!(notes.contains("`shop/new` holds 1 records"), "{notes}");
    let csv = std::fs::read_to_string(report.join("summary.csv")).unwrap();
    let cells: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    let row = cells.iter().find(|row| row[0] == "shop/web").unwrap();
    let cell = |name: &str| row[cells[0].iter().position(|head| *head == name).unwrap()];
    assert_eq!((cell("decisions"), cell("bundle_share"), cell("no_load_sample")), ("300", "1.000000", "2"));
    let overridden = rows.iter().filter(|row| row.subject == "shop/web" && row.record.overridden).count();
    assert_eq!(cell("guard_share"), format!("{:.6}", overridden as f64 / 300.0));
    assert!(std::fs::read_to_string(report.join("summary.md")).unwrap().contains("| shop/web |"));
    assert!(told.contains("decisions   300: by bundle 100.0 %"), "{told}");
}

#[test]
fn a_report_is_the_same_twice_and_lies_where_it_is_wanted() {
    let bench = Bench::new();
    let log = bench.folder().join("log");
    std::fs::create_dir(&log).unwrap();
    write(&log, &Operation::hpa("shop/web", 100).rows());
    let report = |out: &str| -> Vec<(PathBuf, Vec<u8>)> {
        let out = bench.folder().join(out);
        let arguments = ["report", log.to_str().unwrap(), "--out", out.to_str().unwrap()];
        assert!(Command::new(env!("CARGO_BIN_EXE_seatrial")).args(arguments).output().unwrap().status.success());
        let mut files: Vec<_> = std::fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
            .into_iter()
            .map(|file| (file.strip_prefix(&out).unwrap().to_owned(), std::fs::read(file).unwrap()))
            .collect()
    };
    let first = report("a");
    assert_eq!(first.len(), 5);
    assert_eq!(first, report("b"));
    assert!(!log.join("report").exists());
}
