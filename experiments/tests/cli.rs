//! The command line on bad input: one clear message, a non-zero exit, nothing half-written, no panic.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up its case has failed")]

#[path = "cli/messages.rs"]
mod messages;
#[path = "cli/run_folders.rs"]
mod run_folders;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use seatrial_core::time::{Span, Timestamp};
use seatrial_datasets::{Column, Table, write_table};

fn seatrial(arguments: &[&str], traces: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_seatrial")).args(arguments).env("SEATRIAL_TRACES", traces).output().unwrap()
}

/// Runs, expects a failure, and answers with its message.
fn refused(arguments: &[&str], traces: &Path) -> String {
    let output = seatrial(arguments, traces);
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success(), "{arguments:?} succeeded");
    assert!(output.status.code().is_some_and(|code| code == 1 || code == 2), "{arguments:?}: {:?}", output.status);
    assert!(!message.contains("panicked") && !message.contains("stack backtrace"), "{message}");
    assert_eq!(message.lines().filter(|line| line.starts_with("error: ")).count(), 1, "{message}");
    message
}

const DAY_S: i64 = 86_400;

/// A small trace: 4 days of 5-minute bins with a daily shape.
fn small_trace(folder: &Path) -> PathBuf {
    write_trace(
        folder,
        "small",
        |bin| 300.0 + 200.0 * libm::sin(f64::from(bin) / 288.0 * std::f64::consts::TAU),
        4 * 288,
    )
}

fn write_trace(folder: &Path, id: &str, value: impl Fn(u32) -> f64, bins: u32) -> PathBuf {
    let path = folder.join(format!("{id}.parquet"));
    let at = |bin: u32| (Timestamp::from_secs(10 * DAY_S) + Span::from_secs(300) * i64::from(bin)).micros();
    let table = Table::new()
        .with("timestamp", Column::TimestampUs((0..bins).map(at).collect()))
        .and_then(|table| table.with("value", Column::F64((0..bins).map(&value).collect())))
        .unwrap();
    let metadata = [("trace.kind", "rate"), ("trace.unit", "requests"), ("trace.interval_us", "300000000")];
    write_table(&path, &table, &metadata).unwrap();
    path
}

fn write_study(folder: &Path, edit: impl Fn(String) -> String) -> PathBuf {
    let text = r#"
name = "small"
protocol = "p1"
strategies = ["hpa-default", "headroom"]
yardsticks = false
[seeds]
evaluation = [1, 2]
tuning = [11]
training_base = 100
training = 1
[[traces]]
id = "small"
headline = false
"#;
    let path = folder.join("study.toml");
    std::fs::write(&path, edit(text.to_owned())).unwrap();
    path
}

struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        small_trace(folder.path());
        Self { folder }
    }

    fn run(&self, edit: impl Fn(String) -> String, more: &[&str]) -> (Vec<String>, PathBuf) {
        let study = write_study(self.folder.path(), edit);
        let out = self.folder.path().join("run");
        let mut arguments: Vec<String> =
            ["run", &study.display().to_string(), "--out", &out.display().to_string()].map(str::to_owned).to_vec();
        arguments.extend(more.iter().map(|word| (*word).to_owned()));
        (arguments, out)
    }

    fn refused(&self, edit: impl Fn(String) -> String, more: &[&str]) -> String {
        let (arguments, out) = self.run(edit, more);
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let message = refused(&words, self.folder.path());
        assert!(!out.join("cells.parquet").exists() && !out.join("summary.json").exists(), "half-written: {message}");
        message
    }
}

#[test]
fn an_unknown_key_is_named_with_its_path() {
    let message = Bench::new().refused(|text| text.replace("headline", "headlne"), &[]);
    assert!(
        message.contains("study.toml") && message.contains("traces[0]") && message.contains("headlne"),
        "{message}"
    );
}

#[test]
fn an_unknown_strategy_lists_the_known_ones() {
    let message = Bench::new().refused(|text| text.replace("hpa-default", "hpa-defualt"), &[]);
    assert!(
        message.contains("hpa-defualt") && message.contains("hpa-tuned") && message.contains("lstm-dqn"),
        "{message}"
    );
}

#[test]
fn impossible_limits_are_refused() {
    let message = Bench::new().refused(|text| text, &["--set", "limits={min=9,max=3}"]);
    assert!(message.contains("`limits`") && message.contains("min 9 and max 3"), "{message}");
}

#[test]
fn absent_files_are_refused() {
    let bench = Bench::new();
    let message = bench.refused(|text| text.replace("id = \"small\"", "id = \"nowhere\""), &[]);
    assert!(message.contains("`nowhere` not found") && message.contains("SEATRIAL_TRACES"), "{message}");
    let message = refused(&["run", "nowhere.toml"], bench.folder.path());
    assert!(message.contains("nowhere.toml") && message.contains("quick"), "{message}");
}

#[test]
fn bad_traces_are_refused() {
    type Spoil = fn(&Path);
    let cases: [(&str, Spoil); 7] = [
        ("is NaN", |folder| drop(write_trace(folder, "small", |bin| if bin == 7 { f64::NAN } else { 1.0 }, 1_200))),
        ("cannot be negative", |folder| drop(write_trace(folder, "small", |bin| f64::from(bin) - 5.0, 1_200))),
        ("no rows", |folder| drop(write_trace(folder, "small", |_| 1.0, 0))),
        ("not a readable Parquet", |folder| {
            let path = folder.join("small.parquet");
            let bytes = std::fs::read(&path).unwrap();
            std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        }),
        ("`value` is missing", |folder| {
            let table = Table::new().with("timestamp", Column::TimestampUs(vec![0, 300_000_000])).unwrap();
            write_table(&folder.join("small.parquet"), &table, &[("trace.kind", "rate")]).unwrap();
        }),
        ("has type", |folder| {
            let table = Table::new()
                .with("timestamp", Column::TimestampUs(vec![0, 300_000_000]))
                .and_then(|table| table.with("value", Column::Text(vec!["a".into(), "b".into()])))
                .unwrap();
            write_table(&folder.join("small.parquet"), &table, &[("trace.kind", "rate")]).unwrap();
        }),
        ("not after the row before", |folder| {
            let table = Table::new()
                .with("timestamp", Column::TimestampUs(vec![300_000_000, 0]))
                .and_then(|table| table.with("value", Column::F64(vec![1.0, 2.0])))
                .unwrap();
            write_table(&folder.join("small.parquet"), &table, &[("trace.kind", "rate")]).unwrap();
        }),
    ];
    for (words, spoil) in cases {
        let bench = Bench::new();
        spoil(bench.folder.path());
        let message = bench.refused(|text| text, &[]);
        assert!(message.contains("small.parquet") && message.contains(words), "expected `{words}`: {message}");
    }
}

#[test]
fn a_study_that_needs_training_says_how_to_get_it() {
    if cfg!(feature = "train") {
        return;
    }
    let bench = Bench::new();
    let message = bench.refused(|text| text.replace("\"headroom\"", "\"lstm-dqn\""), &[]);
    assert!(message.contains("--features train") && message.contains("cargo xtask libtorch"), "{message}");
    let message =
        refused(&["train", "demo", "--out", &bench.folder.path().join("t").display().to_string()], bench.folder.path());
    assert!(message.contains("--features train"), "{message}");
}

#[test]
fn a_folder_that_cannot_be_written_is_refused() {
    let bench = Bench::new();
    let study = write_study(bench.folder.path(), |text| text);
    let message = refused(&["run", &study.display().to_string(), "--out", "/dev/full/run"], bench.folder.path());
    assert!(message.contains("/dev/full/run"), "{message}");
    std::fs::create_dir_all(bench.folder.path().join("run")).unwrap();
    std::fs::write(bench.folder.path().join("run/diary.txt"), "mine").unwrap();
    let message = bench.refused(|text| text, &[]);
    assert!(message.contains("holds files but no run"), "{message}");
}

#[test]
fn bundles_that_are_not_whole_are_refused() {
    let bench = Bench::new();
    let folder = bench.folder.path();
    let out = folder.join("evaluation").display().to_string();
    let evaluate = |bundle: &Path| {
        refused(&["evaluate", "--bundle", &bundle.display().to_string(), "--traces", "small", "--out", &out], folder)
    };
    let message = evaluate(&folder.join("no-bundle"));
    assert!(message.contains("policy.json"), "{message}");
    let bundle = folder.join("bundle");
    std::fs::create_dir_all(&bundle).unwrap();
    std::fs::write(bundle.join("policy.json"), "{\"schema_version\": 99}").unwrap();
    std::fs::write(bundle.join("golden.json"), "{}").unwrap();
    let message = evaluate(&bundle);
    assert!(message.contains("99"), "{message}");
    assert!(!Path::new(&out).exists());
}

#[test]
fn wrong_arguments_are_usage_errors() {
    let bench = Bench::new();
    for (more, word) in [
        (&["--jobs", "0"][..], "--jobs 0"),
        (&["--shard", "3/2"], "--shard 3/2"),
        (&["--set", "nonsense"], "key=value"),
    ] {
        let (arguments, _) = bench.run(|text| text, more);
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let output = seatrial(&words, bench.folder.path());
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(message.contains(word), "{message}");
    }
    assert_eq!(seatrial(&["sail"], bench.folder.path()).status.code(), Some(2));
}

#[test]
fn folders_that_are_no_run_are_refused() {
    let bench = Bench::new();
    let folder = bench.folder.path().display().to_string();
    for command in ["report", "verify", "export"] {
        let message = refused(&[command, &folder], bench.folder.path());
        assert!(message.contains("config.resolved.toml"), "{command}: {message}");
    }
}

#[test]
fn a_run_is_verified_also_after_a_change_and_by_other_jobs() {
    let bench = Bench::new();
    let (arguments, out) = bench.run(|text| text, &["--jobs", "1"]);
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let output = seatrial(&words, bench.folder.path());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.contains("hpa-default") && printed.contains("report: "), "{printed}");
    assert!(out.join("report/index.html").is_file() && out.join("summary.json").is_file());

    let verify = ["verify", &out.display().to_string(), "--jobs", "3"];
    let output = seatrial(&verify, bench.folder.path());
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(printed.contains("equal    cells.parquet: ") && printed.contains("equal    cells/: "), "{printed}");
    assert!(printed.contains("decisions/small.headroom.parquet"), "{printed}");
    assert!(printed.lines().last().is_some_and(|line| line.starts_with("all ") && line.ends_with(" files equal")));

    let cells = std::fs::read(out.join("cells.parquet")).unwrap();
    let mut changed = cells.clone();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    std::fs::write(out.join("cells.parquet"), &changed).unwrap();
    assert!(refused(&verify, bench.folder.path()).contains("files differ (cells.parquet)"));
    let names: Vec<_> = std::fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(names.iter().all(|name| !name.to_string_lossy().starts_with(".verify")), "{names:?}");

    // The same command resumes from the cell store and writes the same bytes.
    let output = seatrial(&words, bench.folder.path());
    assert!(output.status.success());
    assert_eq!(std::fs::read(out.join("cells.parquet")).unwrap(), cells);
}

#[test]
fn shards_make_the_same_bytes_as_one_run() {
    let bench = Bench::new();
    let (arguments, out) = bench.run(|text| text, &[]);
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    assert!(seatrial(&words, bench.folder.path()).status.success());
    let whole = std::fs::read(out.join("cells.parquet")).unwrap();
    std::fs::remove_dir_all(&out).unwrap();
    for shard in ["1/2", "2/2"] {
        let sharded: Vec<&str> = words.iter().copied().chain(["--shard", shard]).collect();
        let output = seatrial(&sharded, bench.folder.path());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(out.join("cells.parquet").exists(), shard == "2/2");
    }
    assert_eq!(std::fs::read(out.join("cells.parquet")).unwrap(), whole);
}

#[test]
fn lists_and_describes() {
    let bench = Bench::new();
    let output = seatrial(&["list", "--json"], bench.folder.path());
    let listed: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    for (kind, id) in [
        ("policies", "hpa"),
        ("strategies", "hpa-tuned"),
        ("forecasters", "lstm"),
        ("traces", "small"),
        ("traces", "generated_web_1min"),
        ("figures", "timeline"),
    ] {
        assert!(listed[kind].as_array().unwrap().iter().any(|row| row["id"] == id), "{kind}: {id}");
    }
    let output = seatrial(&["trace", "describe", "small"], bench.folder.path());
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.contains("1152 of 300 s") && printed.contains("P1 test"), "{printed}");
    let plots = bench.folder.path().join("plots");
    let output = seatrial(&["trace", "plot", "small", "--out", &plots.display().to_string()], bench.folder.path());
    assert!(output.status.success() && plots.join("small.svg").is_file() && plots.join("small.csv").is_file());
}

#[test]
fn a_bundle_folder_that_is_not_there_is_refused_and_so_is_a_strategy_named_twice() {
    let folder = tempfile::tempdir().unwrap();
    small_trace(folder.path());
    let study = write_study(folder.path(), |text| text);
    let out = folder.path().join("run");
    let arguments = |set: &str| {
        let paths = [study.to_str().unwrap(), "--out", out.to_str().unwrap(), "--set", set].map(ToOwned::to_owned);
        ["run".to_owned()].into_iter().chain(paths).collect::<Vec<_>>()
    };
    let twin =
        format!("traces=[{{id=\"small\"}},{{id={:?}}}]", folder.path().join("small.parquet").display().to_string());
    for (set, expected) in [
        ("bundle=\"nowhere\"", "nowhere"),
        ("strategies=[\"headroom\", \"headroom\"]", "names `headroom` twice"),
        ("seeds.evaluation=[1, 1]", "`seeds.evaluation`: has 1 twice"),
        ("traces=[{id=\"small\"},{id=\"small\"}]", "names `small` twice"),
        (twin.as_str(), "`small` is named twice"),
    ] {
        let arguments = arguments(set);
        let message = refused(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), folder.path());
        assert!(message.contains(expected), "{message}");
        assert!(!out.exists(), "{set} left a folder");
    }
}

#[test]
fn a_full_disk_at_standard_output_is_one_error_and_a_closed_pipe_no_panic() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_seatrial")).arg("list").stdout(full).output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("cannot write to standard output") && !message.contains("panicked"), "{message}");

    let mut child = Command::new(env!("CARGO_BIN_EXE_seatrial"))
        .arg("list")
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(!message.contains("panicked"), "{message}");
}
