//! What an operator's log holds beside the decision, and its proof: replayed through the core, it gives identical decisions.
//!
//! A row carries the whole observation; some carry a [`ReplayPoint`]: strategy, workload and state as they were before the
//! decision. From such a row on, [`Replay`] makes every decision again and compares.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::DecisionRecord;
use crate::nets::Weights;
use crate::observe::{Observation, Workload};
use crate::scaling::autoscaler::{Autoscaler, AutoscalerSnapshot, AutoscalerState};
use crate::scaling::config::ConfigError;
use crate::scaling::policies::Ingredients;
use crate::scaling::strategy::StrategySpec;
use crate::time::Timestamp;

/// A decision as an operator made it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperatedDecision {
    /// The row that simulator and operator share.
    pub record: DecisionRecord,
    /// Whose decision it is, for example `namespace/name`.
    pub subject: String,
    /// How far the operator might act: `Shadow`, `Recommend`, `Enforce`.
    pub mode: String,
    /// Who decided: `bundle`, `policy` or `fallback`.
    pub decided_by: String,
    /// What was seen.
    pub observation: Observation,
    /// Where a replay can begin, on the rows that hold one.
    pub replay_from: Option<Box<ReplayPoint>>,
}

/// Everything that is needed to go on deciding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplayPoint {
    /// The workload.
    pub workload: Workload,
    /// The strategy.
    pub strategy: StrategySpec,
    /// Hash of the bundle whose nets the strategy uses, if it uses some.
    pub bundle: Option<String>,
    /// The state before the decision.
    pub snapshot: AutoscalerSnapshot,
}

/// Why a log cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The nets are not at hand.
    #[error("decision of {subject} at {at_us} us needs the nets of bundle {hash}: name the folder of that bundle")]
    NoBundle {
        /// Whose decision.
        subject: String,
        /// When.
        at_us: i64,
        /// Hash of the bundle.
        hash: String,
    },
    /// The strategy or the snapshot is not understood.
    #[error("decision of {subject} at {at_us} us: {source}")]
    Config {
        /// Whose decision.
        subject: String,
        /// When.
        at_us: i64,
        /// What is wrong.
        source: ConfigError,
    },
}

/// How a replay went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplayReport {
    /// Decisions that were made again.
    pub compared: u64,
    /// Rows before the first replay point of their subject: nothing to compare with.
    pub skipped: u64,
    /// The rows (by position) whose decision differs.
    pub differing: Vec<usize>,
}

/// A replay in progress: one autoscaler per subject.
pub struct Replay<'a> {
    nets: &'a BTreeMap<String, Weights>,
    running: BTreeMap<String, (Autoscaler, AutoscalerState)>,
    report: ReplayReport,
}

impl<'a> Replay<'a> {
    /// A replay with the nets of bundles by hash.
    #[must_use]
    pub const fn new(nets: &'a BTreeMap<String, Weights>) -> Self {
        Self { nets, running: BTreeMap::new(), report: ReplayReport { compared: 0, skipped: 0, differing: Vec::new() } }
    }

    /// Makes the decisions of `rows` again; rows come in order of time.
    ///
    /// # Errors
    /// If nets are absent, or a strategy or snapshot is not understood.
    pub fn run(self, rows: &[OperatedDecision]) -> Result<ReplayReport, ReplayError> {
        self.run_telling(rows, |_, _| {})
    }

    /// The same, and hands out what was decided again wherever it differs, with the position of the row.
    ///
    /// # Errors
    /// See [`Self::run`].
    pub fn run_telling(
        mut self,
        rows: &[OperatedDecision],
        mut tell: impl FnMut(usize, DecisionRecord),
    ) -> Result<ReplayReport, ReplayError> {
        for (position, row) in rows.iter().enumerate() {
            if let Some(again) = self.row(position, row)? {
                tell(position, again);
            }
        }
        Ok(self.report)
    }

    /// What was decided again, if it differs.
    fn row(&mut self, position: usize, row: &OperatedDecision) -> Result<Option<DecisionRecord>, ReplayError> {
        if let Some(point) = &row.replay_from {
            let started = self.start(row, point)?;
            self.running.insert(row.subject.clone(), started);
        }
        let Some((autoscaler, state)) = self.running.get_mut(&row.subject) else {
            self.report.skipped += 1;
            return Ok(None);
        };
        let now = Timestamp::from_micros(row.record.at_us);
        let (view, decision) = autoscaler.decide_viewed(now, &row.observation, state);
        self.report.compared += 1;
        let again = DecisionRecord::new(&view, &decision);
        if again == row.record {
            return Ok(None);
        }
        self.report.differing.push(position);
        Ok(Some(again))
    }

    fn start(&self, row: &OperatedDecision, point: &ReplayPoint) -> Result<(Autoscaler, AutoscalerState), ReplayError> {
        let (subject, at_us) = (row.subject.clone(), row.record.at_us);
        let weights = match &point.bundle {
            None => None,
            Some(hash) => Some(self.nets.get(hash).ok_or_else(|| ReplayError::NoBundle {
                subject: subject.clone(),
                at_us,
                hash: hash.clone(),
            })?),
        };
        let wrong = |source| ReplayError::Config { subject: subject.clone(), at_us, source };
        let autoscaler = point.strategy.build(&Ingredients { workload: &point.workload, weights }).map_err(wrong)?;
        let state = autoscaler.restore(&point.snapshot).map_err(wrong)?;
        Ok((autoscaler, state))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::{Feature, PodCounts, Pods, Sample};
    use crate::time::Span;

    fn seen(second: i64, rate: f64, replicas: u32) -> Observation {
        let now = Timestamp::from_secs(second);
        let mut observation = Observation::unknown(now, replicas);
        observation.pods = Pods::Homogeneous(PodCounts {
            ready: replicas,
            sampled: replicas,
            cpu_milli_per_sampled_pod: 2_500,
            ..PodCounts::default()
        });
        let sample = |value| Some(Sample { at: now - Span::from_secs(15), value });
        observation.metrics.set(Feature::HttpRequestsTotalRate, sample(rate));
        observation.metrics.set(Feature::ProcessCpuSecondsTotalRate, sample(2.5 * f64::from(replicas)));
        observation
    }

    /// A log of `strategy` with a replay point at the rows of `points`.
    fn log(strategy: &StrategySpec, points: &[usize]) -> Vec<OperatedDecision> {
        let workload = Workload::protocol_p1();
        let autoscaler = strategy.build(&Ingredients { workload: &workload, weights: None }).unwrap();
        let mut state = autoscaler.initial_state();
        let mut replicas = 4;
        let mut rows = Vec::new();
        for step in 0..40_u32 {
            let observation = seen(i64::from(step) * 15, f64::from(100 + 17 * (step % 23)), replicas);
            let snapshot = autoscaler.snapshot(&state).unwrap();
            let point = || ReplayPoint { workload, strategy: strategy.clone(), bundle: None, snapshot };
            let replay_from = points.contains(&(step as usize)).then(|| Box::new(point()));
            let (view, decision) = autoscaler.decide_viewed(observation.now, &observation, &mut state);
            replicas = decision.replicas;
            rows.push(OperatedDecision {
                record: DecisionRecord::new(&view, &decision),
                subject: "shop/web".into(),
                mode: "Enforce".into(),
                decided_by: "fallback".into(),
                observation: observation.clone(),
                replay_from,
            });
        }
        rows
    }

    #[test]
    fn a_log_replays_to_identical_decisions_from_any_replay_point() {
        for (points, compared) in [(vec![0], 40), (vec![7], 33), (vec![3, 20], 37), (vec![], 0)] {
            let report = Replay::new(&BTreeMap::new()).run(&log(&StrategySpec::of("hpa"), &points)).unwrap();
            let expected = ReplayReport { compared, skipped: 40 - compared, differing: Vec::new() };
            assert_eq!(report, expected, "{points:?}");
        }
    }

    #[test]
    fn what_was_changed_is_found() {
        let mut rows = log(&StrategySpec::of("hpa"), &[0]);
        rows[12].record.decided += 1;
        rows[30].observation.metrics.clear();
        let mut told = Vec::new();
        let nets = BTreeMap::new();
        let report = Replay::new(&nets).run_telling(&rows, |row, again| told.push((row, again.decided))).unwrap();
        assert_eq!(told.iter().map(|(row, _)| *row).collect::<Vec<_>>(), report.differing);
        assert!(told.contains(&(12, rows[12].record.decided - 1)), "{told:?}");
        assert!(report.differing.contains(&12) && report.differing.contains(&30), "{:?}", report.differing);
        assert!(!report.differing.contains(&11));
    }

    #[test]
    fn a_bundle_that_is_not_at_hand_is_named() {
        let mut rows = log(&StrategySpec::of("hpa"), &[0]);
        rows[0].replay_from.as_mut().unwrap().bundle = Some("abc".into());
        let message = Replay::new(&BTreeMap::new()).run(&rows).unwrap_err().to_string();
        assert!(message.contains("bundle abc") && message.contains("shop/web"), "{message}");
    }
}
