//! `seatrial import decisions`: from an operator's log to a trace that `seatrial evaluate` scores, and on bad input.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up its case has failed")]

#[path = "log/operated.rs"]
mod operated;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use operated::{Operation, STEP_S, bundle, load_per_s, sample_time, write, write_in_files};
use seatrial_core::time::Span;
use seatrial_datasets::{read_trace, write_decisions};

struct Bench(tempfile::TempDir);

impl Bench {
    fn new() -> Self {
        let bench = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(bench.log()).unwrap();
        bench
    }

    fn log(&self) -> PathBuf {
        self.path("log")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// An import of the log into seen.parquet.
    fn import(&self, more: &[&str]) -> Output {
        let (log, out) = (self.log(), self.path("seen.parquet"));
        let fixed = ["import", "decisions", log.to_str().unwrap(), "--out", out.to_str().unwrap()];
        seatrial(&[&fixed, more].concat())
    }

    fn imported(&self, more: &[&str]) -> (String, String) {
        let Output { status, stdout, stderr } = self.import(more);
        let (stdout, stderr) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
        assert!(status.success(), "{stderr}");
        (stdout, stderr)
    }

    fn refused(&self, more: &[&str]) -> String {
        let Output { status, stderr, .. } = self.import(more);
        let message = String::from_utf8(stderr).unwrap();
        assert!(matches!(status.code(), Some(1 | 2)), "{message}");
        assert_eq!(message.lines().filter(|line| line.starts_with("error: ")).count(), 1, "{message}");
        message
    }

    fn evaluation(&self) -> toml::Table {
        std::fs::read_to_string(self.path("seen.evaluation.toml")).unwrap().parse().unwrap()
    }
}

fn seatrial(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_seatrial")).args(arguments).output().unwrap()
}

/// The hash that `b3sum FILES | b3sum` prints.
fn b3sum_of_b3sums(folder: &Path) -> String {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let sum = |name: &String| format!("{}  {name}\n", blake3::hash(&std::fs::read(folder.join(name)).unwrap()));
    blake3::hash(names.iter().map(sum).collect::<String>().as_bytes()).to_string()
}

#[test]
fn every_scrape_is_a_bin_and_every_hole_is_missing() {
    let bench = Bench::new();
    // 30 s without a sample, twice.
    let rows = Operation { holes: &[(50, 52), (100, 102)], ..Operation::hpa("shop/web", 300) }.rows();
    write_in_files(&bench.log(), &rows, 70);
    let (stdout, notes) = bench.imported(&[]);
    assert!(notes.contains("interval: 15 s, the most common distance of two samples (293 of 295)"), "{notes}");
    assert!(notes.contains("4 of 300 bins have no value"), "{notes}");
    assert!(stdout.contains("series    1, 300 bins of 15 s together"), "{stdout}");

    let trace = read_trace(&bench.path("seen.parquet")).unwrap();
    let series = &trace.series[0];
    assert_eq!((series.name.as_str(), trace.unit.as_str()), ("shop/web", "requests per 15 s"));
    assert_eq!(series.start, sample_time(0) - Span::from_secs(STEP_S), "a bin ends at its sample");
    let known: Vec<usize> = (0..300).filter(|step| !series.missing[*step]).collect();
    assert_eq!(known, (0..300).filter(|step| ![50, 51, 100, 101].contains(step)).collect::<Vec<_>>());
    for step in known {
        let expected = load_per_s(step as i64) * STEP_S as f64;
        assert!((series.values[step] - expected).abs() < 1e-9, "{step}: {} {expected}", series.values[step]);
    }
    assert!((series.values[51] - series.values[49]).abs() < 1e-12, "a missing bin holds the last value");
    let more = &trace.provenance.more;
    assert_eq!(more["command"], "seatrial import decisions");
    assert_eq!(more["source_files_blake3"], b3sum_of_b3sums(&bench.log()));
    assert!(trace.provenance.source.unwrap().starts_with("5 decision logs, decisions-0000"));
}

#[test]
fn the_workload_is_told_as_it_was_seen() {
    let bench = Bench::new();
    let rows = Operation::hpa("shop/web", 600).rows();
    write_in_files(&bench.log(), &rows, 200);
    let (stdout, _) = bench.imported(&[]);
    let set = bench.evaluation();
    assert_eq!(set["trace"].as_str(), Some("seen.parquet"));
    assert_eq!(
        set["content_hash"].as_str(),
        Some(read_trace(&bench.path("seen.parquet")).unwrap().content_hash.as_str())
    );
    assert_eq!(set["log"]["blake3"].as_str(), Some(b3sum_of_b3sums(&bench.log()).as_str()));
    let seen = &set["workloads"][0];
    assert_eq!((seen["subject"].as_str(), seen["decisions"].as_integer()), (Some("shop/web"), Some(600)));
    let settings = &seen["settings"];
    for (key, value) in
        [("min_replicas", 2), ("max_replicas", 40), ("cpu_request_milli", 500), ("cpu_limit_milli", 1_000)]
    {
        assert_eq!(settings[key].as_integer(), Some(value), "{key}");
    }
    assert_eq!(settings["scrape_interval_s"].as_float(), Some(15.0));
    assert_eq!(seen["mode_shares"]["Enforce"].as_float(), Some(1.0));
    assert_eq!(seen["decided_by_shares"]["fallback"].as_float(), Some(1.0));
    assert!(seen["bundles"].as_array().unwrap().is_empty());
    let start_ups: Vec<f64> =
        rows.iter().flat_map(|row| &row.observation.start_ups).map(|span| span.as_secs_f64()).collect();
    assert!(!start_ups.is_empty(), "the load rises");
    assert_eq!(seen["start_ups"]["count"].as_integer(), Some(start_ups.len() as i64));
    let p975 = seen["start_ups"]["p975_s"].as_float().unwrap();
    assert!(p975 <= start_ups.iter().copied().fold(0.0, f64::max) && p975 >= 40.0, "{p975}");
    let capacity = seen["capacity_per_pod_per_s"].as_float().unwrap();
    assert!((19.0..21.0).contains(&capacity), "{capacity}");
    // 490 requests/s at the top become 1,400, of which P1's pods serve 50 each: 40 pods of 20 are 45.7 there.
    let limits = &seen["protocol_limits"];
    assert!(matches!(limits["max"].as_integer(), Some(44..=48)) && limits["min"].as_integer() == Some(2), "{limits}");
    let typed = format!("limits={{min={},max={}}}", limits["min"], limits["max"]);
    assert!(stdout.contains(&typed) && stdout.contains("seatrial evaluate --bundle DIR"), "{stdout}");
}

#[test]
fn the_same_import_changes_nothing_and_a_grown_log_needs_force() {
    let bench = Bench::new();
    let rows = Operation::hpa("shop/web", 200).rows();
    write(&bench.log(), &rows[..100]);
    bench.imported(&[]);
    let files = [bench.path("seen.parquet"), bench.path("seen.evaluation.toml")];
    let contents = || files.clone().map(|file| std::fs::read(file).unwrap());
    let before = contents();
    let (stdout, _) = bench.imported(&[]);
    assert_eq!(stdout.lines().filter(|line| line.starts_with("unchanged")).count(), 2, "{stdout}");

    write(&bench.log(), &rows[100..]);
    let message = bench.refused(&[]);
    assert!(message.contains("is there already and holds something else") && message.contains("--force"), "{message}");
    assert_eq!(contents(), before);
    bench.imported(&["--force"]);
    assert_eq!(read_trace(&files[0]).unwrap().series[0].values.len(), 200);
    assert!(contents()[1] != before[1]);
}

#[test]
fn a_changed_evaluation_file_keeps_the_trace_as_it_is() {
    let bench = Bench::new();
    let rows = Operation::hpa("shop/web", 200).rows();
    write(&bench.log(), &rows[..100]);
    std::fs::write(bench.path("seen.evaluation.toml"), "mine = true\n").unwrap();
    let message = bench.refused(&[]);
    assert!(message.contains("seen.evaluation.toml is there already"), "{message}");
    assert!(!bench.path("seen.parquet").exists());
}

#[test]
fn files_may_overlap_and_come_in_any_order() {
    let bench = Bench::new();
    let rows = Operation::hpa("shop/web", 200).rows();
    let mut shuffled = rows[80..].to_vec();
    shuffled.reverse();
    write(&bench.log(), &rows[..120]);
    write(&bench.log(), &shuffled);
    // The name says nothing of the content: this one is read first.
    std::fs::rename(write(&bench.log(), &rows[60..90]), bench.log().join("decisions-0.parquet")).unwrap();
    let (_, notes) = bench.imported(&[]);
    assert!(notes.contains("70 decisions stand in several places"), "{notes}");
    let series = &read_trace(&bench.path("seen.parquet")).unwrap().series[0];
    assert_eq!((series.values.len(), series.missing_count()), (200, 0));
}

#[test]
fn subjects_are_series_and_one_can_be_chosen() {
    let bench = Bench::new();
    let mut rows = Operation::hpa("shop/web", 150).rows();
    rows.extend(Operation::hpa("shop/api", 120).rows());
    write(&bench.log(), &rows);
    let (stdout, _) = bench.imported(&[]);
    let trace = read_trace(&bench.path("seen.parquet")).unwrap();
    let lengths: Vec<_> = trace.series.iter().map(|series| (series.name.as_str(), series.values.len())).collect();
    assert_eq!(lengths, [("shop/api", 120), ("shop/web", 150)]);
    assert!(stdout.contains("traces.0.series=[\"shop/api\"]"), "{stdout}");
    bench.imported(&["--subject", "shop/api", "--force"]);
    let trace = read_trace(&bench.path("seen.parquet")).unwrap();
    assert_eq!(trace.names(), ["shop/api"]);
    assert_eq!(bench.evaluation()["workloads"].as_array().unwrap().len(), 1);
    let message = bench.refused(&["--subject", "shop/wbe", "--force"]);
    assert!(message.contains("no subject `shop/wbe`; it has shop/api, shop/web"), "{message}");
}

/// The loop is closed: what the operator logged is scored, within the bounds that the import tells.
#[test]
fn evaluate_takes_the_trace_and_the_bounds() {
    let bench = Bench::new();
    let (folder, bundle) = bundle();
    write(&bench.log(), &Operation::of_bundle("shop/web", &bundle, 300).rows());
    let (stdout, _) = bench.imported(&[]);
    let set = bench.evaluation();
    assert_eq!(set["workloads"][0]["bundles"][0].as_str(), Some(bundle.hash()));
    let typed = stdout.lines().find_map(|line| line.strip_prefix("evaluate  seatrial ")).unwrap();
    let words: Vec<String> = typed.split(' ').map(|word| word.trim_matches('\'').to_owned()).collect();
    let run = bench.path("run");
    let replaced = |word: &String| match word.as_str() {
        "DIR" => folder.to_str().unwrap().to_owned(),
        "runs/seen-shop-web" => run.to_str().unwrap().to_owned(),
        other => other.to_owned(),
    };
    let words: Vec<String> = words.iter().map(replaced).collect();
    let output = seatrial(&words.iter().map(String::as_str).collect::<Vec<_>>());
    let (told, message) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{message}");
    let limits = &set["workloads"][0]["protocol_limits"];
    assert!(told.contains(&format!("Replica bounds are {} to {}", limits["min"], limits["max"])), "{told}");
    assert!(told.contains("lstm-dqn") && told.contains("hpa-default"), "{told}");
    assert!(run.join("report/index.html").is_file());
}

#[test]
fn bad_logs_are_refused_with_the_file_and_leave_nothing() {
    let bench = Bench::new();
    assert!(bench.refused(&[]).contains("no decision log here"), "an empty folder");
    let good = Operation::hpa("shop/web", 50).rows();
    let path = write(&bench.log(), &good);
    let name = path.file_name().unwrap().to_str().unwrap();
    let bytes = std::fs::read(&path).unwrap();

    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let message = bench.refused(&[]);
    assert!(message.contains(name) && message.contains("may be truncated: copy it again"), "{message}");

    std::fs::remove_file(&path).unwrap();
    write_decisions(&path, &good.iter().map(|row| row.record.clone()).collect::<Vec<_>>(), &[]).unwrap();
    let message = bench.refused(&[]);
    assert!(message.contains(name) && message.contains("column `subject` is missing"), "{message}");

    let foreign = bench.path("trace");
    std::fs::create_dir(&foreign).unwrap();
    std::fs::rename(&path, foreign.join("log.parquet")).unwrap();
    let trace = seatrial_datasets::shipped::open("google_cluster_5min").unwrap();
    seatrial_datasets::write_trace(&path, &trace).unwrap();
    let message = bench.refused(&[]);
    assert!(message.contains(name) && message.contains("no decision log"), "{message}");

    assert!(!bench.path("seen.parquet").exists() && !bench.path("seen.evaluation.toml").exists());
}

#[test]
fn a_log_without_load_or_without_two_samples_says_so() {
    let bench = Bench::new();
    let path = write(&bench.log(), &Operation { holes: &[(0, 50)], ..Operation::hpa("shop/web", 50) }.rows());
    let message = bench.refused(&[]);
    assert!(message.contains("the log holds no value"), "{message}");
    std::fs::remove_file(path).unwrap();
    write(&bench.log(), &Operation { holes: &[(1, 50)], ..Operation::hpa("shop/web", 50) }.rows());
    assert!(bench.refused(&[]).contains("the interval cannot be judged"));
    let (_, notes) = bench.imported(&["--interval", "15s"]);
    assert_eq!(read_trace(&bench.path("seen.parquet")).unwrap().series[0].values.len(), 1, "{notes}");
}
