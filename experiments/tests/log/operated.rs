//! Logs as an operator writes them: the core's autoscalers driven over a synthetic load, and a small world that answers.
//!
//! The world is no simulator: pods of 20 requests/s on a whole core that are ready after 45 s, and a share of bad requests where they are too
//! few. What it must be is known exactly, so that tests can say what a log holds.

use std::path::{Path, PathBuf};

use seatrial_core::bundle::Bundle;
use seatrial_core::observe::{Bounds, Feature, Observation, PodCounts, Pods, Sample, Workload};
use seatrial_core::record::{DecisionRecord, OperatedDecision, ReplayPoint};
use seatrial_core::scaling::policies::Ingredients;
use seatrial_core::scaling::strategy::StrategySpec;
use seatrial_core::time::{Span, Timestamp};
use seatrial_datasets::write_operated;

/// 2026-01-31T12:00:00Z.
pub(crate) const START_S: i64 = 1_769_860_800;
pub(crate) const STEP_S: i64 = 15;
const CAPACITY_PER_S: f64 = 20.0;
const START_UP_STEPS: usize = 3;

/// What is operated.
pub(crate) struct Operation<'a> {
    pub(crate) subject: &'a str,
    pub(crate) strategy: StrategySpec,
    pub(crate) bundle: Option<&'a Bundle>,
    pub(crate) steps: i64,
    /// Steps (from, to) whose scrapes were lost.
    pub(crate) holes: &'a [(i64, i64)],
    /// Steps at which the log holds a whole state.
    pub(crate) points: &'a [i64],
}

impl<'a> Operation<'a> {
    /// The fallback of an operator, whose log begins with a whole state.
    pub(crate) fn hpa(subject: &'a str, steps: i64) -> Self {
        Self { subject, strategy: StrategySpec::of("hpa"), bundle: None, steps, holes: &[], points: &[0] }
    }

    pub(crate) fn of_bundle(subject: &'a str, bundle: &'a Bundle, steps: i64) -> Self {
        Self { strategy: bundle.card().strategy.clone(), bundle: Some(bundle), ..Self::hpa(subject, steps) }
    }

    pub(crate) fn workload() -> Workload {
        Workload {
            bounds: Bounds { min: 2, max: 40 },
            cpu_request_milli: 500,
            cpu_limit_milli: 1_000,
            ..Workload::protocol_p1()
        }
    }

    /// The log.
    pub(crate) fn rows(&self) -> Vec<OperatedDecision> {
        let workload = Self::workload();
        let weights = self.bundle.and_then(Bundle::weights);
        let autoscaler = self.strategy.build(&Ingredients { workload: &workload, weights }).unwrap();
        let mut state = autoscaler.initial_state();
        let mut asked = vec![8];
        let mut rows = Vec::new();
        for step in 0..self.steps {
            let observation = self.seen(step, &asked);
            let snapshot = autoscaler.snapshot(&state).unwrap();
            let point = || ReplayPoint {
                workload,
                strategy: self.strategy.clone(),
                bundle: self.bundle.map(|bundle| bundle.hash().to_owned()),
                snapshot,
            };
            let replay_from = self.points.contains(&step).then(|| Box::new(point()));
            let (view, decision) = autoscaler.decide_viewed(observation.now, &observation, &mut state);
            asked.push(decision.replicas);
            rows.push(OperatedDecision {
                record: DecisionRecord::new(&view, &decision),
                subject: self.subject.to_owned(),
                mode: "Enforce".to_owned(),
                decided_by: if self.bundle.is_some() { "bundle" } else { "fallback" }.to_owned(),
                observation: observation.clone(),
                replay_from,
            });
        }
        rows
    }

    fn is_hole(&self, step: i64) -> bool {
        self.holes.iter().any(|(from, to)| (*from..*to).contains(&step))
    }

    /// `asked`: replicas before each decision so far, the last ones now.
    fn seen(&self, step: i64, asked: &[u32]) -> Observation {
        let before = |steps: usize| asked[asked.len().saturating_sub(1 + steps)];
        let now_asked = before(0);
        let ready = (0..=START_UP_STEPS).map(before).min().unwrap();
        // The scrape is some milliseconds late, the decision two seconds later.
        let at = sample_time(step) + Span::from_millis(7 * (step % 3));
        let mut seen = Observation::unknown(at + Span::from_millis(2_300), now_asked);
        let became_ready = ready > (1..=START_UP_STEPS + 1).map(before).min().unwrap();
        seen.start_ups = if became_ready { vec![Span::from_secs(40 + step % 10)] } else { Vec::new() };
        let load = load_per_s(step);
        let busy = (load / (f64::from(ready) * CAPACITY_PER_S)).min(1.0);
        seen.pods = Pods::Homogeneous(PodCounts {
            ready,
            starting_by_age: [now_asked.saturating_sub(ready), 0, 0, 0, 0, 0, 0, 0],
            sampled: ready,
            cpu_milli_per_sampled_pod: (1_000.0 * busy).round() as i64,
            ..PodCounts::default()
        });
        if self.is_hole(step) {
            return seen;
        }
        let served = load.min(f64::from(ready) * CAPACITY_PER_S);
        for (feature, value) in [
            (Feature::HttpRequestsTotalRate, load),
            (Feature::HttpRequestDurationSecondsCountRate, served),
            (Feature::HttpRequestDurationSecondsSumRate, served * (0.08 + 0.1 * busy * busy)),
            (Feature::ProcessCpuSecondsTotalRate, busy * f64::from(ready)),
            (Feature::BadRequestRatio, 1.0 - served / load),
        ] {
            seen.metrics.set(feature, Some(Sample { at, value }));
        }
        seen
    }
}

/// When the scrape of `step` is due.
pub(crate) fn sample_time(step: i64) -> Timestamp {
    Timestamp::from_secs(START_S + STEP_S * step)
}

/// Waves of an hour between 60 and 340 requests/s, and a jump after the second hour.
pub(crate) fn load_per_s(step: i64) -> f64 {
    let wave = libm::sin(step as f64 * std::f64::consts::TAU / 240.0);
    200.0 + 140.0 * wave + if step > 480 { 150.0 } else { 0.0 }
}

/// Writes `rows` as the operator names its files.
pub(crate) fn write(folder: &Path, rows: &[OperatedDecision]) -> PathBuf {
    let path = folder.join(format!("decisions-{:020}.parquet", rows[0].record.at_us));
    write_operated(&path, rows, &[("writer", "test")]).unwrap();
    path
}

/// Writes `rows` in files of `length`.
pub(crate) fn write_in_files(folder: &Path, rows: &[OperatedDecision], length: usize) {
    for rows in rows.chunks(length) {
        write(folder, rows);
    }
}

/// The committed bundle.
pub(crate) fn bundle() -> (PathBuf, Bundle) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("bundles/quick");
    let bundle = seatrial_experiments::bundle_folder::load(&folder).unwrap();
    (folder, bundle)
}
