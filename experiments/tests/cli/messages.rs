//! Messages: each says what, where and what to do, once.

use seatrial_datasets::{Column, Table, write_table};

use super::{Bench, refused, seatrial};

#[test]
fn a_misspelt_key_is_told_what_it_was_meant_to_be() {
    let bench = Bench::new();
    let message = bench.refused(|text| text.replace("headline", "headlne"), &[]);
    assert!(message.contains("unknown key `traces[0].headlne` in") && message.contains("study.toml"), "{message}");
    assert!(message.contains("did you mean `headline`? Rename it there, or remove it"), "{message}");
    assert!(!message.contains("--set"), "{message}");
    let message = bench.refused(|text| text, &["--set", "registerd=true"]);
    assert!(message.contains("in --set registerd=true: did you mean `registered`? Correct the --set"), "{message}");
    let message = bench.refused(|text| text, &["--set", "tune.days=0"]);
    assert!(message.contains("correct it there or with --set tune.days=…"), "{message}");
    let message = bench.refused(|text| text.replace("hpa-default", "hpa-defualt"), &[]);
    assert!(message.contains("did you mean `hpa-default`?"), "{message}");
}

/// `run` is for studies; who gives it a scenario is told the command.
#[test]
fn a_scenario_is_told_from_a_study() {
    let bench = Bench::new();
    let message = refused(&["run", "node-pool-bound"], bench.folder.path());
    assert!(
        message.contains("node-pool-bound is a scenario") && message.contains("seatrial scenario run node-pool-bound")
    );
    let mine = bench.folder.path().join("mine.toml").display().to_string();
    std::fs::write(&mine, "name = \"mine\"\n[services.web]\ncores = 1.0\n").unwrap();
    let message = refused(&["run", &mine], bench.folder.path());
    assert!(message.contains(&format!("say: seatrial scenario run {mine}")), "{message}");
    let message = refused(&["run", "node-pol-bound"], bench.folder.path());
    assert!(message.contains("there is no study at node-pol-bound"), "{message}");
}

#[test]
fn the_system_is_quoted_once() {
    let bench = Bench::new();
    let (arguments, _) = bench.run(|text| text, &[]);
    let message = refused(&["run", &arguments[1], "--out", "/dev/null/run"], bench.folder.path());
    assert_eq!(message.matches("os error").count(), 1, "{message}");
    let folder = bench.folder.path().display().to_string();
    let message = refused(&["run", &folder], bench.folder.path());
    assert!(message.contains("give a file, not a folder") && message.matches(&folder).count() == 1, "{message}");
}

#[test]
fn folders_and_series_that_are_not_there_are_told_as_such() {
    let bench = Bench::new();
    let folder = bench.folder.path().display().to_string();
    let message = refused(&["trace", "describe", &folder], bench.folder.path());
    assert!(message.contains("is a folder, not a trace") && message.matches(&folder).count() == 1, "{message}");
    let message = refused(&["trace", "describe", "small", "--series", "none"], bench.folder.path());
    assert!(!message.contains("known are \n") && message.contains("none"), "{message}");
    let message = bench.refused(|text| text.replace("headline", "series = [\"none\"]\nheadline"), &[]);
    assert!(message.contains("holds one without a name. Leave the series out"), "{message}");
    let absent = bench.folder.path().join("absent.parquet").display().to_string();
    let message = refused(&["trace", "describe", &absent], bench.folder.path());
    assert!(message.contains("not found") && !message.contains("--traces"), "{message}");
    // The name, the path as given, and the path with `.parquet`: no place twice.
    assert_eq!(message.matches("absent.parquet").count(), 3, "{message}");
    let message = refused(&["verify", &absent], bench.folder.path());
    assert!(message.contains("is not there") && message.matches(&absent).count() == 1, "{message}");
}

#[test]
fn only_traces_are_listed_as_traces() {
    let bench = Bench::new();
    let nodes = Table::new().with("node", Column::Text(vec!["a".into()])).unwrap();
    write_table(&bench.folder.path().join("nodes.parquet"), &nodes, &[]).unwrap();
    std::fs::write(bench.folder.path().join("torn.parquet"), "PAR1").unwrap();
    let output = seatrial(&["list", "traces"], bench.folder.path());
    let (printed, told) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(printed.contains("small") && !printed.contains("nodes") && !printed.contains("torn"), "{printed}");
    assert!(told.contains("left out of traces, 2 files of"), "{told}");
    assert!(told.contains("nodes: column `timestamp` is missing") && told.contains("torn: not a readable"), "{told}");
    let output = seatrial(&["list", "--json", "traces"], bench.folder.path());
    let listed: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(listed["traces"].as_array().unwrap().len(), 4, "{listed}");
}

#[test]
fn the_constant_is_no_default_rule() {
    let bench = Bench::new();
    let (arguments, out) = bench.run(|text| text.replace("protocol", "registered = true\nprotocol"), &[]);
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let output = seatrial(&words, bench.folder.path());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.contains("newsvendor") && !printed.contains("static"), "{printed}");
    assert!(!printed.contains('`'), "notes are for a terminal: {printed}");
    // The folder is that of the same study when the command is given again, and when it is verified.
    assert!(seatrial(&words, bench.folder.path()).status.success());
    let verified = seatrial(&["verify", &out.display().to_string()], bench.folder.path());
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
}

#[test]
fn a_misspelt_study_is_told_what_it_was_meant_to_be() {
    let bench = Bench::new();
    let message = refused(&["run", "quik"], bench.folder.path());
    assert!(message.contains("(did you mean `quick`?)"), "{message}");
    assert!(!refused(&["run", "nowhere.toml"], bench.folder.path()).contains("did you mean"));
}

#[test]
fn a_day_that_is_not_whole_is_noted() {
    let bench = Bench::new();
    let whole = printed(&bench, &["--set", "traces.0.window=whole"]);
    assert!(!whole.contains("is not whole"), "{whole}");
    std::fs::remove_dir_all(bench.folder.path().join("run")).unwrap();
    // The last fifth of four days.
    let partial = printed(&bench, &[]);
    assert!(partial.contains("small: a scored day is not whole (19.2 h)"), "{partial}");
}

#[test]
fn a_series_of_a_long_name_gets_a_file_name_that_fits() {
    let bench = Bench::new();
    let name = "pod/".repeat(80);
    let rows = 2 * 288;
    let at = |bin: i64| 864_000_000_000 + 300_000_000 * bin;
    let table = Table::new()
        .with("timestamp", Column::TimestampUs((0..rows).map(at).collect()))
        .and_then(|table| table.with("value", Column::F64((0..rows).map(|bin| 300.0 + (bin % 7) as f64).collect())))
        .and_then(|table| table.with("series", Column::Text((0..rows).map(|_| name.clone()).collect())))
        .unwrap();
    let keys = [("trace.kind", "rate"), ("trace.unit", "requests"), ("trace.interval_us", "300000000")];
    write_table(&bench.folder.path().join("small.parquet"), &table, &keys).unwrap();
    printed(&bench, &["--set", "traces.0.window=whole"]);
    let logs = std::fs::read_dir(bench.folder.path().join("run/decisions")).unwrap().count();
    assert_eq!(logs, 2);
}

/// What a run prints that succeeds.
fn printed(bench: &Bench, more: &[&str]) -> String {
    let (arguments, _) = bench.run(|text| text, more);
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let output = seatrial(&words, bench.folder.path());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
