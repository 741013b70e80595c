//! A study on either kernel: what the event kernel plays, what stays of the fluid world, and that the run folder says which it was.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up its case has failed")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use seatrial_core::nets::Weights;
use seatrial_core::scaling::strategy::StrategySpec;
use seatrial_core::time::{Span, Timestamp};
use seatrial_datasets::{Column, Table, write_table};
use seatrial_envs::episode::{Driver, EpisodeResult, no_rows, warm_state};
use seatrial_envs::spec::service::Balancing;
use seatrial_envs::world::protocol;
use seatrial_experiments::commands::Shell;
use seatrial_experiments::config;
use seatrial_experiments::contest::{Entrant, HashedWeights, learned_spec};
use seatrial_experiments::kernel::Kernel;
use seatrial_experiments::progress::Display;
use seatrial_experiments::stage::Stage;
use seatrial_experiments::study::Setup;
use seatrial_reports::model::Variant;

const STUDY: &str = r#"
name = "both"
protocol = "p1"
strategies = ["hpa-default", "headroom"]
[seeds]
evaluation = [1, 2]
tuning = [11]
training_base = 100
training = 1
[[traces]]
id = "generated_web_1min"
headline = false
"#;

fn setup(folder: &tempfile::TempDir) -> Setup {
    let stop = Arc::new(AtomicBool::new(false));
    let shell = Shell { trace_folders: Vec::new(), display: Display::Quiet, stop, now: Timestamp::ZERO };
    let loaded = config::parse(STUDY, "kernels.toml".into(), PathBuf::new(), &[]).unwrap();
    Setup::open(loaded, &folder.path().join("run"), &shell, Some(1)).unwrap()
}

/// Ten minutes of validation.
fn stage(setup: &Setup, kernel: Kernel) -> Stage {
    let arena = &setup.arenas[0];
    let part = arena.validation_part();
    let world = setup.protocol.world(seatrial_envs::scenario::Regime::Plain, None);
    Stage::new(arena, &(part.start..part.start + 10), &world, 7).unwrap().on(kernel)
}

fn entrant(spec: StrategySpec, weights: Option<Weights>) -> Entrant {
    let weights = weights.map(|weights| HashedWeights::new(weights).unwrap());
    Entrant { strategy: spec.policy.id.clone(), variant: Variant::Default, spec, weights, train_seed: None }
}

#[test]
fn a_stage_on_events_is_protocol_p1_request_by_request() {
    let folder = tempfile::tempdir().unwrap();
    let setup = setup(&folder);
    let hpa = entrant(StrategySpec::of("hpa"), None);
    let direct = |balancing: Balancing| -> EpisodeResult {
        let stage = stage(&setup, Kernel::Fluid);
        let autoscaler = hpa.build(&stage.scenario.workload).unwrap();
        let state = warm_state(&autoscaler, &stage.scenario, &stage.traffic);
        let driver = Driver { autoscaler: &autoscaler, state };
        protocol::run_balanced(&stage.scenario, &stage.traffic, balancing, driver, &mut no_rows).unwrap()
    };
    let fluid = stage(&setup, Kernel::Fluid).score(&hpa).unwrap();
    for balancing in [Balancing::Shared, Balancing::Random] {
        let scored = stage(&setup, Kernel::Events(balancing)).score(&hpa).unwrap();
        assert_eq!(format!("{scored:?}"), format!("{:?}", direct(balancing)), "{balancing:?}");
        assert_ne!(scored.total, fluid.total);
    }
    let (shared, random) = (direct(Balancing::Shared), direct(Balancing::Random));
    assert!(random.total.bad_requests > 2.0 * shared.total.bad_requests, "{random:?} {shared:?}");
}

#[test]
fn forecasts_of_the_fluid_kernel_are_those_of_the_event_kernel() {
    let folder = tempfile::tempdir().unwrap();
    let setup = setup(&folder);
    let learned = entrant(learned_spec("lstm"), Some(Weights::deterministic(3, 16, 32)));
    let stage = stage(&setup, Kernel::Events(Balancing::Shared));
    let (mut cached, mut online) = (Vec::new(), Vec::new());
    stage.play(&learned, &mut |row| cached.push((row.decision.replicas, row.decision.proposal.forecast))).unwrap();
    let autoscaler = learned.build(&stage.scenario.workload).unwrap();
    stage.drive(&autoscaler, &mut |row| online.push((row.decision.replicas, row.decision.proposal.forecast))).unwrap();
    assert!(cached.iter().any(|row| row.1.is_some()));
    assert_eq!(cached, online);
}

/// Half an hour in bins of five minutes, one of them busy: scaled, half a million requests.
fn write_trace(folder: &Path) {
    let at = |bin: i64| (Timestamp::from_secs(864_000) + Span::from_secs(300) * bin).micros();
    let table = Table::new()
        .with("timestamp", Column::TimestampUs((0..6).map(at).collect()))
        .and_then(|table| table.with("value", Column::F64(vec![20.0, 30.0, 300.0, 40.0, 20.0, 20.0])))
        .unwrap();
    let metadata = [("trace.kind", "rate"), ("trace.unit", "requests"), ("trace.interval_us", "300000000")];
    write_table(&folder.join("tiny.parquet"), &table, &metadata).unwrap();
    let study = STUDY.replace("\"generated_web_1min\"", "\"tiny\"\nwindow = \"whole\"");
    std::fs::write(folder.join("study.toml"), study).unwrap();
}

fn seatrial(folder: &Path, arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_seatrial");
    Command::new(program).args(arguments).current_dir(folder).env("SEATRIAL_TRACES", folder).output().unwrap()
}

fn done(folder: &Path, arguments: &[&str]) -> String {
    let output = seatrial(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn json(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn a_study_runs_on_both_kernels_and_says_on_which() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_trace(folder);
    let printed = done(folder, &["run", "study.toml", "--out", "fluid"]);
    assert!(printed.contains("oracle (lower bound)") && !printed.contains("event kernel"), "{printed}");
    let fluid = [
        folder.join("fluid/manifest.json"),
        folder.join("fluid/summary.json"),
        folder.join("fluid/config.resolved.toml"),
    ];
    for file in &fluid {
        let text = std::fs::read_to_string(file).unwrap();
        assert!(!text.contains("kernel") && !text.contains("balancing"), "{}", file.display());
    }
    let printed = done(folder, &["run", "study.toml", "--set", "kernel=events", "--out", "events"]);
    assert!(printed.starts_with("event kernel, one shared queue\n"), "{printed}");
    assert!(printed.contains("oracle (fluid world's bound)") && printed.contains("Yardsticks do not run"), "{printed}");
    let (of_fluid, of_events) = (json(&fluid[1]), json(&folder.join("events/summary.json")));
    assert_eq!(of_events["oracle"]["families"]["tiny"]["world"], "fluid");
    assert_eq!(of_events["oracle"]["families"]["tiny"]["lower"], of_fluid["oracle"]["families"]["tiny"]["lower"]);
    assert!(
        of_fluid["yardsticks"]["foresight-90s"].is_object() && of_events["yardsticks"].as_object().unwrap().is_empty()
    );
    assert_eq!(json(&folder.join("events/manifest.json"))["kernel"], "event kernel, one shared queue");
    let page = std::fs::read_to_string(folder.join("events/report/index.html")).unwrap();
    assert!(page.contains("protocol P1 · event kernel, one shared queue"), "no kernel beside the protocol");
    for strategy in ["hpa-default", "headroom"] {
        let cost = |summary: &serde_json::Value| {
            summary["strategies"][strategy]["families"]["tiny"]["cost"]["value"].as_f64().unwrap()
        };
        let ratio = cost(&of_events) / cost(&of_fluid);
        assert!(ratio != 1.0 && (ratio - 1.0).abs() < 0.05, "{strategy}: {ratio}");
    }
    let verified = done(folder, &["verify", "events"]);
    assert!(verified.contains("files equal"), "{verified}");
}

#[test]
fn a_run_folder_holds_one_kernel_and_the_fluid_one_has_no_balancing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_trace(folder);
    done(
        folder,
        &["run", "study.toml", "--set", "strategies=[\"headroom\"]", "--set", "yardsticks=false", "--out", "run"],
    );
    let refused = |arguments: &[&str]| {
        let output = seatrial(folder, arguments);
        assert!(!output.status.success(), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let changes = ["--set", "strategies=[\"headroom\"]", "--set", "yardsticks=false", "--set", "kernel=events"];
    let message = refused(&[&["run", "study.toml", "--out", "run"][..], &changes].concat());
    assert!(message.contains("`kernel` is absent there, \"events\" here"), "{message}");
    let message = refused(&["run", "study.toml", "--set", "balancing=least-request", "--out", "other"]);
    assert!(message.contains("`balancing`") && message.contains("needs `kernel = \"events\"`"), "{message}");
    assert!(!folder.join("other").exists());
    let message = refused(&["evaluate", "--bundle", "b", "--traces", "tiny", "--out", "e", "--kernel", "discrete"]);
    assert!(message.contains("fluid") && message.contains("events"), "{message}");
}
