//! The event log in its file: told against what the same run counts elsewhere.

use std::path::Path;

use seatrial_datasets::recorded::{Recorded, read_columns};

use super::command::{bytes, err, seatrial, short};

const COLUMNS: [&str; 7] = ["timestamp", "kind", "service", "pod_slot", "pod_generation", "node", "value"];

fn run(folder: &Path, log: &[&str]) -> serde_json::Value {
    let output = seatrial(&[&["run", "short.toml", "--out", "run"], log].concat(), folder);
    assert!(output.status.success(), "{}", err(&output));
    serde_json::from_slice(&bytes(&folder.join("run"), "summary.json")).unwrap()
}

fn rows(folder: &Path) -> Recorded {
    let rows = read_columns(&folder.join("run/log.parquet"), &COLUMNS).unwrap();
    assert!(COLUMNS.iter().all(|column| rows.has(column)), "every column is in the file");
    rows
}

/// Values of the rows of a kind.
fn values(rows: &Recorded, kind: &str) -> Vec<f64> {
    let (kinds, values) = (rows.words("kind").unwrap(), rows.quantity("value").unwrap());
    kinds.iter().zip(values).filter(|(is, _)| *is == kind).map(|(_, value)| value.unwrap()).collect()
}

/// One service, no retries: arrivals are the requests offered, completions those done, decisions the service's.
#[test]
fn a_row_stands_for_every_request_decision_and_pod() {
    let folder = tempfile::tempdir().unwrap();
    short(folder.path(), "events");
    let summary = run(folder.path(), &["--log", "requests"]);
    let rows = rows(folder.path());
    let count = |key: &str| summary["conservation"][key].as_u64().unwrap();
    assert_eq!(values(&rows, "request-arrived").len() as u64, count("offered"));
    assert_eq!(values(&rows, "calls-completed").iter().sum::<f64>(), count("done") as f64);
    let web = &summary["services"]["web"];
    assert_eq!(values(&rows, "decision").len() as u64, web["decisions"].as_u64().unwrap());
    let (started, ready) = (values(&rows, "pod-started").len(), values(&rows, "pod-ready").len());
    assert!(started >= ready && ready >= 1, "{started} pods started, {ready} became ready");
    let times = rows.moment("timestamp").unwrap();
    assert!(times.is_sorted() && times.iter().all(Option::is_some), "in the order of time");
    // What is about a pod names it; what is about a request of a source does not.
    let pods = rows.whole("pod_slot").unwrap();
    for (kind, pod) in rows.words("kind").unwrap().iter().zip(pods) {
        assert_eq!(kind.starts_with("pod-") || kind == "calls-completed", pod.is_some(), "{kind}");
    }
}

/// A folder of an earlier run holds the files of the last one alone.
#[test]
fn a_log_that_was_not_asked_for_is_not_left_from_an_earlier_run() {
    let folder = tempfile::tempdir().unwrap();
    short(folder.path(), "events");
    run(folder.path(), &["--log", "cluster"]);
    assert!(values(&rows(folder.path()), "request-arrived").is_empty(), "requests were not asked for");
    let kept = folder.path().join("run/notes.txt");
    std::fs::write(&kept, "mine").unwrap();
    let refused = seatrial(&["run", "short.toml", "--out", "run"], folder.path());
    let message = err(&refused);
    assert!(refused.status.code() == Some(2) && message.contains("holds log.parquet, which this run"), "{message}");
    run(folder.path(), &["--force"]);
    let run_folder = folder.path().join("run");
    assert!(!run_folder.join("log.parquet").exists() && run_folder.join("timeline.json").exists());
    assert!(kept.exists(), "what is no run's is left alone");
}
