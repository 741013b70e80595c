//! The command, as it is typed.

use std::path::Path;
use std::process::{Command, Output};

use seatrial_experiments::scenario_command::GALLERY;

pub(super) fn seatrial(arguments: &[&str], folder: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_seatrial"));
    command.arg("scenario").args(arguments).current_dir(folder).env_remove("SEATRIAL_TRACES").output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(super) fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn new_writes_what_check_understands_and_replaces_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let made = seatrial(&["new", "My Shop.toml", "--from", "shop"], folder.path());
    assert!(made.status.success() && out(&made).contains("wrote My Shop.toml"), "{}", err(&made));
    let text = std::fs::read_to_string(folder.path().join("My Shop.toml")).unwrap();
    assert!(text.contains("name = \"my-shop\"") && text.starts_with("# A shop"));
    let checked = seatrial(&["check", "My Shop.toml"], folder.path());
    assert!(
        out(&checked).contains("My Shop.toml: nothing is wrong") && out(&checked).contains("service   redis"),
        "{}",
        err(&checked)
    );
    let again = seatrial(&["new", "My Shop.toml"], folder.path());
    assert_eq!(again.status.code(), Some(2));
    assert!(err(&again).contains("My Shop.toml is there already; nothing is replaced"), "{}", err(&again));
    assert_eq!(std::fs::read_to_string(folder.path().join("My Shop.toml")).unwrap(), text);
    let plain = seatrial(&["new", "plain.toml"], folder.path());
    assert!(plain.status.success() && err(&plain).contains("seatrial scenario check plain.toml"), "{}", err(&plain));
}

#[test]
fn what_is_not_there_is_told_with_what_is() {
    let folder = tempfile::tempdir().unwrap();
    let output = seatrial(&["new", "a.toml", "--from", "shpo"], folder.path());
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("no scenario `shpo` in the gallery; name one of: shop, "), "{}", err(&output));
    assert!(!folder.path().join("a.toml").exists());
    let output = seatrial(&["check", "gone.toml"], folder.path());
    assert!(
        output.status.code() == Some(2) && err(&output).contains("there is no scenario at gone.toml"),
        "{}",
        err(&output)
    );
    std::fs::write(folder.path().join("latin.toml"), b"name = \"\xe4\"\n").unwrap();
    let output = seatrial(&["check", "latin.toml"], folder.path());
    assert!(output.status.code() == Some(1) && err(&output).contains("latin.toml:1:1: not UTF-8"), "{}", err(&output));
    std::fs::write(
        folder.path().join("two.toml"),
        super::gallery("single-web-service").replace("cores = 4.0", "cores = -4.0").replace("min = 1", "min = 99"),
    )
    .unwrap();
    let output = seatrial(&["check", "two.toml"], folder.path());
    let message = err(&output);
    assert!(
        message.contains("two.toml has 2 problems:") && message.contains("two.toml:24:1: `services.web.cores` is -4"),
        "{message}"
    );
}

#[test]
fn list_names_the_gallery() {
    let folder = tempfile::tempdir().unwrap();
    let output = seatrial(&["list"], folder.path());
    let names: Vec<String> =
        out(&output).lines().map(|line| line.split_whitespace().next().unwrap().to_owned()).collect();
    assert_eq!(names, GALLERY.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>());
    let json: serde_json::Value = serde_json::from_str(&out(&seatrial(&["list", "--json"], folder.path()))).unwrap();
    assert_eq!(json["scenarios"].as_array().unwrap().len(), GALLERY.len());
}

/// A short scenario of the gallery, as a file.
pub(super) fn short(folder: &Path, kernel: &str) {
    let text = super::gallery("single-web-service").replace("duration_s = 5400", "duration_s = 300");
    let text = text.replace("mean_per_s = 220.0, amplitude_per_s = 160.0", "mean_per_s = 60.0, amplitude_per_s = 20.0");
    std::fs::write(folder.join("short.toml"), text.replace("kernel = \"events\"", &format!("kernel = \"{kernel}\"")))
        .unwrap();
}

pub(super) fn bytes(folder: &Path, name: &str) -> Vec<u8> {
    std::fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn run_leaves_a_folder_and_the_same_seed_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    short(folder.path(), "events");
    for (out, seed) in [("a", "5"), ("b", "5"), ("c", "6")] {
        let output = seatrial(&["run", "short.toml", "--out", out, "--seed", seed, "--log", "cluster"], folder.path());
        assert!(output.status.success(), "{}", err(&output));
        assert!(super::command::out(&output).contains("requests     "), "{}", super::command::out(&output));
    }
    let [a, b, c] = ["a", "b", "c"].map(|name| folder.path().join(name));
    for name in [
        "summary.json",
        "timeline.json",
        "timeline/services.parquet",
        "timeline/clients.parquet",
        "log.parquet",
        "scenario.toml",
    ] {
        assert!(bytes(&a, name) == bytes(&b, name), "{name}");
    }
    assert!(bytes(&a, "timeline.json") != bytes(&c, "timeline.json"), "another seed is another run");
    assert!(a.join("report/index.html").is_file());
    let summary: serde_json::Value = serde_json::from_slice(&bytes(&a, "summary.json")).unwrap();
    let count = |key: &str| summary["conservation"][key].as_u64().unwrap();
    assert_eq!(count("offered"), count("done") + count("failed") + count("under_way"));
    // 60 a second with a wave of 20 that has gone a ninth of its way.
    let expected = 300.0 * 60.0 + 20.0 * 2_700.0 / std::f64::consts::TAU * (1.0 - (std::f64::consts::TAU / 9.0).cos());
    assert!((count("offered") as f64 - expected).abs() <= 5.0, "{} of {expected}", count("offered"));
    assert_eq!(summary["seed"], 5);
    assert!(summary["services"]["web"]["decisions"].as_u64().unwrap() >= 20, "every 15 s: {summary}");
    assert!(summary["total"]["latency"]["p50_s"].as_f64().unwrap() > 0.04, "{summary}");
}
