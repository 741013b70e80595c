//! The run folder: what a run leaves, what it leaves alone, and what an interrupt costs.

use std::path::Path;
use std::process::{Command, Stdio};

use super::command::{bytes, err, seatrial, short};

fn text(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    names
}

/// Both kernels leave a summary, a timeline and a page; only one of them counts whole requests, and has a log.
#[test]
fn a_flow_leaves_the_same_folder_without_counts() {
    let folder = tempfile::tempdir().unwrap();
    short(folder.path(), "fluid");
    let output = seatrial(&["run", "short.toml", "--out", "flow"], folder.path());
    assert!(output.status.success(), "{}", err(&output));
    let flow = folder.path().join("flow");
    assert_eq!(names(&flow), ["report", "scenario.toml", "summary.json", "timeline", "timeline.json"]);
    let summary: serde_json::Value = serde_json::from_slice(&bytes(&flow, "summary.json")).unwrap();
    assert!(
        summary["kernel"] == "fluid"
            && summary["conservation"].is_null()
            && summary["total"]["j"].as_f64().unwrap() > 0.0
    );
    let page = text(&flow, "report/index.html");
    assert!(page.contains("fluid kernel") && page.contains("Requests are a flow") && page.contains("<svg"), "{page}");
    assert!(!page.contains("requests offered ="), "nobody counted them");
    let timeline: serde_json::Value = serde_json::from_slice(&bytes(&flow, "timeline.json")).unwrap();
    assert_eq!(timeline["client_rows"].as_array().unwrap().len(), 20, "300 s by 15 s");
    let output = seatrial(&["run", "short.toml", "--out", "other", "--log", "cluster"], folder.path());
    assert!(output.status.code() == Some(2) && err(&output).contains("has no events"), "{}", err(&output));
}

#[test]
fn a_foreign_folder_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    short(folder.path(), "fluid");
    std::fs::create_dir(folder.path().join("mine")).unwrap();
    std::fs::write(folder.path().join("mine/thesis.txt"), "years").unwrap();
    for force in [&[][..], &["--force"]] {
        let arguments = [&["run", "short.toml", "--out", "mine"], force].concat();
        let output = seatrial(&arguments, folder.path());
        let message = err(&output);
        assert!(output.status.code() == Some(2) && message.contains("mine holds something else"), "{message}");
    }
    assert_eq!(names(&folder.path().join("mine")), ["thesis.txt"]);
    let output = seatrial(&["run", "short.toml", "--out", "short.toml", "--force"], folder.path());
    assert!(output.status.code() == Some(2) && err(&output).contains("short.toml is a file"), "{}", err(&output));
}

#[test]
fn another_seed_or_scenario_replaces_a_run_only_if_told() {
    let folder = tempfile::tempdir().unwrap();
    short(folder.path(), "events");
    let run = |more: &[&str]| seatrial(&[&["run", "short.toml", "--out", "out"], more].concat(), folder.path());
    assert!(run(&["--log", "cluster"]).status.success());
    let out = folder.path().join("out");
    std::fs::write(out.join("notes.txt"), "mine").unwrap();
    let first = bytes(&out, "summary.json");
    let refused = run(&["--seed", "2"]);
    assert!(refused.status.code() == Some(2) && err(&refused).contains("another seed"), "{}", err(&refused));
    let edited = text(folder.path(), "short.toml").replace("duration_s = 300", "duration_s = 240");
    std::fs::write(folder.path().join("short.toml"), edited).unwrap();
    let refused = run(&[]);
    let message = err(&refused);
    assert!(refused.status.code() == Some(2) && message.contains("replace it with --force"), "{message}");
    assert!(bytes(&out, "summary.json") == first && out.join("log.parquet").is_file(), "nothing is lost");
    assert!(run(&["--force", "--seeds", "2"]).status.success());
    let refused = run(&[]);
    let message = err(&refused);
    assert!(refused.status.code() == Some(2) && message.contains("holds seeds.csv, which this run"), "{message}");
    assert!(run(&["--force"]).status.success() && !out.join("seeds.csv").exists());
    assert!(bytes(&out, "summary.json") != first && !out.join("log.parquet").exists(), "a log of another run");
    assert_eq!(text(&out, "notes.txt"), "mine");
    assert!(run(&[]).status.success(), "the same again is the same");
    assert_eq!(names(folder.path()), ["out", "short.toml"], "nothing is left beside it");
}

/// A year of a service: whoever stops it keeps the run of yesterday.
#[test]
fn an_interrupt_is_heard_and_costs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    short(folder.path(), "events");
    assert!(seatrial(&["run", "short.toml", "--out", "out"], folder.path()).status.success());
    let out = folder.path().join("out");
    let before = bytes(&out, "summary.json");
    let long = text(folder.path(), "short.toml").replace("duration_s = 300", "duration_s = 30000000");
    std::fs::write(folder.path().join("long.toml"), long).unwrap();
    for signal in ["-INT", "-TERM"] {
        let mut running = Command::new(env!("CARGO_BIN_EXE_seatrial"))
            .args(["scenario", "run", "long.toml", "--out", "out", "--force"])
            .current_dir(folder.path())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It has begun once its draft lies beside the folder, and listens to signals from before that on.
        while names(folder.path()).len() < 4 {
            assert!(running.try_wait().unwrap().is_none(), "it has ended by itself");
            std::thread::yield_now();
        }
        assert!(Command::new("kill").args([signal, &running.id().to_string()]).status().unwrap().success());
        let output = running.wait_with_output().unwrap();
        let message = err(&output);
        assert!(
            output.status.code() == Some(130) && message.contains("interrupted after 0 of 100 percent"),
            "{message}"
        );
        assert!(bytes(&out, "summary.json") == before && names(folder.path()) == ["long.toml", "out", "short.toml"]);
    }
}

#[test]
fn further_seeds_show_the_spread() {
    let folder = tempfile::tempdir().unwrap();
    for kernel in ["events", "fluid"] {
        short(folder.path(), kernel);
        let output = seatrial(&["run", "short.toml", "--out", kernel, "--seeds", "3"], folder.path());
        assert!(output.status.success(), "{}", err(&output));
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains("over 3 seeds") && said.contains(" ± "), "{said}");
        let out = folder.path().join(kernel);
        let csv = text(&out, "seeds.csv");
        let page = text(&out, "report/index.html");
        assert!(page.contains("All below is the run with seed 1. Mean ± half of its 95 % interval"), "{page}");
        let rows: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
        assert_eq!((rows.len(), rows[0][7], rows[1][0], rows[3][0]), (4, "j", "1", "3"), "{csv}");
        let summary: serde_json::Value = serde_json::from_slice(&bytes(&out, "summary.json")).unwrap();
        assert_eq!(rows[1][7].parse::<f64>().unwrap(), summary["total"]["j"].as_f64().unwrap());
        let p95 = |row: usize| rows[row][8];
        assert!(kernel == "fluid" || p95(1) != p95(2) && p95(2) != p95(3), "other seeds are other runs: {csv}");
        let alone = seatrial(&["run", "short.toml", "--out", "alone", "--seed", "3", "--force"], folder.path());
        assert!(alone.status.success(), "{}", err(&alone));
        let alone: serde_json::Value =
            serde_json::from_slice(&bytes(&folder.path().join("alone"), "summary.json")).unwrap();
        assert_eq!(rows[3][7].parse::<f64>().unwrap(), alone["total"]["j"].as_f64().unwrap());
    }
}

/// Clients that wait for ever at a service that is too small: 2 % bad of those whose fate is known is not the whole story.
#[test]
fn requests_without_an_answer_are_told() {
    let folder = tempfile::tempdir().unwrap();
    short(folder.path(), "events");
    let patient = text(folder.path(), "short.toml").replace("timeout_s = 5.0", "timeout_s = inf");
    std::fs::write(folder.path().join("short.toml"), patient.replace("mean = 0.08", "mean = 3.0")).unwrap();
    let output = seatrial(&["run", "short.toml", "--out", "out"], folder.path());
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("unanswered   1"), "{said}");
    assert!(text(&folder.path().join("out"), "report/index.html").contains("% not answered when the run ended"));
}
