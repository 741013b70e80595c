//! `tune/week`: `seatrial tune` on a week of one service, from files to files: 4 days tuned on, 3 days compared on.
#![expect(clippy::unwrap_used, reason = "a benchmark may panic")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use criterion::{Criterion, criterion_group, criterion_main};
use seatrial_core::time::{Span, Timestamp};
use seatrial_datasets::{shipped, write_trace};
use seatrial_experiments::commands::Shell;
use seatrial_experiments::progress::Display;
use seatrial_experiments::tune_command::{Objective, TuneArgs, tune_silently};

const MANIFEST: &str = "apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec:
  scaleTargetRef: {name: web}
  maxReplicas: 100
  metrics:
  - type: Resource
    resource: {name: cpu, target: {type: Utilization, averageUtilization: 60}}
";

/// The first week of the shipped trace.
fn week(path: &Path) {
    let mut trace = shipped::open("generated_web_1min").unwrap();
    for series in &mut trace.series {
        series.values.truncate(7 * 1_440);
        series.missing.truncate(7 * 1_440);
    }
    write_trace(path, &trace.rehash()).unwrap();
}

fn tune_week(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let (manifest, trace) = (folder.path().join("hpa.yaml"), folder.path().join("week.parquet"));
    std::fs::write(&manifest, MANIFEST).unwrap();
    week(&trace);
    let arguments = TuneArgs {
        manifest,
        trace: trace.display().to_string(),
        series: None,
        scaler: None,
        objective: Objective::Balanced,
        pod_start: Some(Span::from_secs(45)),
        requests_per_pod: Some(50.0),
        rate_metric: None,
        out: Some(folder.path().join("out")),
        force: true,
        jobs: None,
    };
    let stop = Arc::new(AtomicBool::new(false));
    let shell = Shell { trace_folders: Vec::new(), display: Display::Quiet, stop, now: Timestamp::ZERO };
    let mut group = criterion.benchmark_group("tune");
    group.sample_size(10);
    let mut verdicts = Vec::new();
    group.bench_function("week", |bencher| bencher.iter(|| verdicts = tune_silently(&arguments, &shell).unwrap()));
    assert_eq!(verdicts.len(), 1, "the autoscaler was tuned");
}

criterion_group!(benches, tune_week);
criterion_main!(benches);
