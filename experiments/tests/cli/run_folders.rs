//! Run folders: whole, resumable or absent; of one configuration; verified file by file.

use std::path::{Path, PathBuf};

use seatrial_core::nets::Weights;
use seatrial_experiments::commands::Shell;
use seatrial_experiments::learned::{LearnedSet, Member};
use seatrial_experiments::progress::Display;
use seatrial_experiments::study::Setup;
use seatrial_experiments::{config, learning};

use super::{Bench, refused, seatrial, small_trace, write_study, write_trace};

/// A finished command with what it printed.
struct Done {
    code: Option<i32>,
    printed: String,
    told: String,
}

fn done(words: &[String], traces: &Path) -> Done {
    let output = seatrial(&words.iter().map(String::as_str).collect::<Vec<_>>(), traces);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Done { code: output.status.code(), printed: text(output.stdout), told: text(output.stderr) }
}

fn words(text: &str, run: &Path) -> Vec<String> {
    text.split(' ').map(str::to_owned).chain([run.display().to_string()]).collect()
}

fn with(words: &[String], more: &[&str]) -> Vec<String> {
    words.iter().cloned().chain(more.iter().map(|word| (*word).to_owned())).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    seatrial_experiments::run_folder::RunFolder::at(folder).files().unwrap()
}

#[test]
fn a_command_that_fails_after_the_set_up_leaves_nothing() {
    let bench = Bench::new();
    // A day and a half: nothing can be tuned on it, which shows after the traces are open.
    write_trace(bench.folder.path(), "small", |bin| 300.0 + f64::from(bin % 7), 432);
    let message = bench.refused(|text| text.replace("\"headroom\"", "\"hpa-tuned\""), &[]);
    assert!(message.contains("long enough to tune"), "{message}");
    assert!(!bench.folder.path().join("run").exists());
    // A folder of the user's own stays, empty as it was.
    std::fs::create_dir(bench.folder.path().join("run")).unwrap();
    bench.refused(|text| text.replace("\"headroom\"", "\"hpa-tuned\""), &[]);
    assert_eq!(std::fs::read_dir(bench.folder.path().join("run")).unwrap().count(), 0);
}

#[test]
fn another_configuration_in_the_same_folder_is_refused_and_changes_nothing() {
    let bench = Bench::new();
    let (run, out) = bench.run(|text| text, &[]);
    assert_eq!(done(&run, bench.folder.path()).code, Some(0));
    let before = files(&out);
    for (set, key) in [
        ("seeds.evaluation=[3]", "`seeds.evaluation` is [1,2] there, [3] here"),
        ("strategies=[\"headroom\"]", "`strategies`"),
        ("traces.0.window=last-day", "`traces.0.window` is \"test\" there, \"last-day\" here"),
    ] {
        let other = done(&with(&run, &["--set", set]), bench.folder.path());
        assert_eq!(other.code, Some(1), "{set}: {}", other.told);
        assert!(other.told.contains(key) && other.told.contains("another --out, or delete"), "{}", other.told);
        assert!(other.told.contains(&out.display().to_string()), "{}", other.told);
    }
    assert_eq!(files(&out), before);
    let same = done(&with(&run, &["--jobs", "1"]), bench.folder.path());
    assert_eq!(same.code, Some(0), "{}", same.told);
    assert!(same.told.contains("cells: kept 6 of 6 cells, 0 to do"), "{}", same.told);
}

#[test]
fn an_unfinished_run_says_how_to_finish_it_and_resuming_what_it_keeps() {
    let bench = Bench::new();
    let (run, out) = bench.run(|text| text, &["--set", "seeds.tuning=[11]"]);
    let shard = with(&run, &["--shard", "1/2"]);
    let first = done(&shard, bench.folder.path());
    assert_eq!(first.code, Some(0), "{}", first.told);
    let command =
        format!("seatrial run {} --set 'seeds.tuning=[11]' --out", bench.folder.path().join("study.toml").display());
    for verb in ["verify", "report", "export"] {
        let message = refused(&[verb, &out.display().to_string()], bench.folder.path());
        assert!(message.contains("unfinished; run the same command again to finish it: "), "{verb}: {message}");
        assert!(message.contains(&command), "{verb}: {message} {command}");
    }
    let whole = done(&run, bench.folder.path());
    assert!(whole.told.contains("cells: kept 3 of 6 cells, 3 to do"), "{}", whole.told);
    assert!(!whole.told.contains("note:") && whole.code == Some(0), "{}", whole.told);
    let message = refused(&["export", &out.display().to_string()], bench.folder.path());
    assert!(message.contains("has no learned policy"), "{message}");
}

#[test]
fn verify_names_every_file_that_is_changed_missing_or_extra() {
    let bench = Bench::new();
    let (run, out) =
        bench.run(|text| text.replace("\"headroom\"", "\"hpa-tuned\""), &["--set", "tune.grid_share=0.01"]);
    assert_eq!(done(&run, bench.folder.path()).code, Some(0));
    assert!(!out.join("tuning").exists(), "trials are in trials.parquet when tuning is over");
    let verified = done(&words("verify", &out), bench.folder.path());
    assert_eq!(verified.code, Some(0), "{}", verified.told);
    for name in [
        "cells.parquet",
        "manifest.json",
        "tuned.json",
        "summary.json",
        "report/index.html",
        "report/tables/strategies.csv",
        "report/figures/timeline-small.svg",
        "decisions/small.hpa-tuned.parquet",
        "timelines/small.hpa-tuned.parquet",
    ] {
        assert!(verified.printed.contains(&format!("equal    {name}: ")), "{name}: {}", verified.printed);
    }
    assert!(verified.printed.contains("equal    cells/: 6 files"), "{}", verified.printed);
    assert!(verified.printed.contains("aside    trials.parquet"), "{}", verified.printed);
    assert!(verified.printed.lines().last().unwrap().starts_with("all "), "{}", verified.printed);
    let cell = files(&out).into_iter().find(|file| file.starts_with("cells")).unwrap();

    std::fs::remove_file(out.join("decisions/small.hpa-tuned.parquet")).unwrap();
    std::fs::write(out.join("decisions/stray.parquet"), "stray").unwrap();
    for file in [cell.clone(), "report/tables/strategies.csv".into(), "report/figures/timeline-small.svg".into()] {
        let mut bytes = std::fs::read(out.join(&file)).unwrap();
        bytes.push(b' ');
        std::fs::write(out.join(&file), bytes).unwrap();
    }
    let verified = done(&words("verify", &out), bench.folder.path());
    assert_eq!(verified.code, Some(1));
    let cell = cell.display().to_string();
    for (name, what) in [
        (cell.as_str(), "bytes"),
        ("decisions/small.hpa-tuned.parquet", "missing"),
        ("decisions/stray.parquet", "extra"),
        ("report/tables/strategies.csv", "bytes"),
        ("report/figures/timeline-small.svg", "bytes"),
    ] {
        let line = verified.printed.lines().find(|line| line.starts_with(&format!("DIFFERS  {name}: ")));
        assert!(line.is_some_and(|line| line.contains(what)), "{name}: {}", verified.printed);
    }
    let last = verified.printed.lines().last().unwrap();
    assert!(last.starts_with("5 of ") && last.ends_with(" differ"), "{last}");

    // The same command mends what is missing and takes away what is not its own.
    assert_eq!(done(&run, bench.folder.path()).code, Some(0));
    assert!(!out.join("decisions/stray.parquet").exists());
    assert_eq!(done(&words("verify", &out), bench.folder.path()).code, Some(0));
}

#[test]
fn verify_makes_tuning_again_when_asked() {
    let bench = Bench::new();
    let (run, out) =
        bench.run(|text| text.replace("\"headroom\"", "\"hpa-tuned\""), &["--set", "tune.grid_share=0.01"]);
    assert_eq!(done(&run, bench.folder.path()).code, Some(0));
    let verified = done(&words("verify --train", &out), bench.folder.path());
    assert_eq!(verified.code, Some(0), "{}{}", verified.printed, verified.told);
    assert!(verified.printed.contains("equal    trials.parquet: "), "{}", verified.printed);
}

#[test]
fn a_run_from_a_bundle_is_complete_without_it() {
    let folder = tempfile::tempdir().unwrap();
    small_trace(folder.path());
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    let study = write_study(folder.path(), |text| text.replace("protocol", "bundle = \"empty\"\nprotocol"));
    let out = folder.path().join("run");
    let run = [vec!["run".to_owned(), study.display().to_string(), "--out".to_owned()], words("", &out)[1..].to_vec()];
    assert_eq!(done(&run.concat(), folder.path()).code, Some(0));
    std::fs::remove_dir(folder.path().join("empty")).unwrap();
    let verified = done(&words("verify", &out), folder.path());
    assert_eq!(verified.code, Some(0), "{}", verified.told);
}

/// A run folder with a net that was never trained, which no gate lets pass.
fn with_untrained_member(bench: &Bench, out: &Path) -> PathBuf {
    let study = write_study(bench.folder.path(), |text| {
        text.replace("\"headroom\"", "\"lstm-dqn\"").replace("protocol", "export = true\nprotocol")
    });
    let loaded = config::load(&study.display().to_string(), &[]).unwrap();
    let shell = Shell {
        trace_folders: vec![bench.folder.path().to_owned()],
        display: Display::Quiet,
        stop: std::sync::Arc::default(),
        now: seatrial_core::time::Timestamp::ZERO,
    };
    let mut setup = Setup::open(loaded, out, &shell, Some(1)).unwrap();
    setup.enter("test".into()).unwrap();
    let member = Member::new(100, Weights::deterministic(5, 8, 16), None).unwrap();
    LearnedSet::new(vec![member]).write(out, &learning::recipe(&setup)).unwrap();
    study
}

#[test]
fn a_refusal_of_the_gate_is_loud_in_a_run_and_an_error_of_export() {
    let bench = Bench::new();
    let out = bench.folder.path().join("run");
    let study = with_untrained_member(&bench, &out);
    let run = done(&with(&words("run", &study), &["--out", &out.display().to_string()]), bench.folder.path());
    assert_eq!(run.code, Some(0), "{}", run.told);
    let last = run.printed.lines().last().unwrap();
    assert!(last.starts_with("NOT EXPORTED: ") && last.contains("hpa-default"), "{}", run.printed);
    assert!(!out.join("policy").exists());
    let message = refused(&["export", &out.display().to_string()], bench.folder.path());
    assert!(message.contains("export refused") && message.contains("hpa-default"), "{message}");
}
