//! The input of a report: plain data that the composition root fills from a run folder.
//!
//! Here so that reports depend on neither environments nor run folders. Invariants are checked by [`StudyData::validate`]:
//! at least one cell, no NaN, costs above zero, no cell twice.

use std::collections::{BTreeMap, BTreeSet};

use seatrial_core::scaling::forecast::LEVEL_COUNT;
use serde::{Deserialize, Serialize};

use crate::error::ReportError;
use crate::evaluation::BoundedWorld;

/// Regime of the headline figures; the other regimes stand in a table of their own.
pub const NOMINAL: &str = "nominal";
/// Id of the cells in which the oracle's plan was replayed.
pub const ORACLE: &str = "oracle";
/// Reference of the skill.
pub const SKILL_REFERENCE: &str = "hpa-tuned";

/// How a strategy came by its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Variant {
    /// As its makers ship it.
    Default,
    /// Parameters searched per series, before the test part.
    Tuned,
    /// One configuration for all series.
    Global,
    /// Trained.
    Learned,
    /// Stands beside a learned policy to show which part of it earns the result.
    Attribution,
    /// The replayed optimal plan: knows the future, cannot be deployed.
    Oracle,
    /// Knows what no strategy may know: tells where regret comes from (see [`yardstick`]).
    Yardstick,
}

/// Ids of the yardsticks.
pub mod yardstick {
    /// Foresight of so many seconds, then persistence; the oracle's replayed plan is the last step of this ladder.
    pub const FORESIGHT: [(&str, u32); 5] = [
        ("foresight-0s", 0),
        ("foresight-15s", 15),
        ("foresight-60s", 60),
        (LEAD_TIME_FORESIGHT, 90),
        ("foresight-300s", 300),
    ];
    /// Foresight over the lead time of protocol P1.
    pub const LEAD_TIME_FORESIGHT: &str = "foresight-90s";
    /// Headroom over the true present rate.
    pub const PRESENT_RATE: &str = "present-rate";
    /// Headroom over the true rate as late as metrics show it.
    pub const LAGGED_RATE: &str = "present-rate-lagged";
    /// All of them.
    pub const ALL: [&str; 7] =
        [FORESIGHT[0].0, FORESIGHT[1].0, FORESIGHT[2].0, FORESIGHT[3].0, FORESIGHT[4].0, PRESENT_RATE, LAGGED_RATE];
}

impl Variant {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Default, Self::Tuned, Self::Global, Self::Learned, Self::Attribution, Self::Oracle, Self::Yardstick];

    /// Whether it could be deployed, and so is compared with others.
    #[must_use]
    pub const fn competes(self) -> bool {
        !matches!(self, Self::Oracle | Self::Yardstick)
    }

    /// The word used in files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Tuned => "tuned",
            Self::Global => "global",
            Self::Learned => "learned",
            Self::Attribution => "attribution",
            Self::Oracle => "oracle",
            Self::Yardstick => "yardstick",
        }
    }
}

/// Everything a report shows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StudyData {
    /// Name of the study, as in `runs/<name>`.
    pub name: String,
    /// Protocol it follows, e.g. `P1`.
    pub protocol: String,
    /// Kernel that played the cells, in words, where it is not the fluid one; the oracle's bounds are of the fluid world in any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<String>,
    /// What was asked, in one or two sentences; may be empty.
    #[serde(default)]
    pub question: String,
    /// Evaluated cells of all regimes.
    pub cells: Vec<CellRow>,
    /// Hash of a strategy's resolved configuration, where one hash stands for all its series.
    #[serde(default)]
    pub configs: BTreeMap<String, String>,
    /// Learning curves.
    #[serde(default)]
    pub learning: Vec<LearningRow>,
    /// Timelines of chosen strategies.
    #[serde(default)]
    pub timelines: Vec<Timeline>,
    /// Forecasts beside the truth.
    #[serde(default)]
    pub forecasts: Vec<ForecastTrack>,
    /// Tuning trials.
    #[serde(default)]
    pub trials: Vec<TrialRow>,
    /// Every opening of the test part.
    #[serde(default)]
    pub openings: Vec<Opening>,
    /// Revision, versions, trace hashes, seeds: shown as they are, in this order.
    #[serde(default)]
    pub provenance: Vec<Fact>,
    /// Things a reader must know to read the figures right.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Cells or steps that failed, in words.
    #[serde(default)]
    pub failures: Vec<String>,
}

/// One cell: a strategy on a series under a seed and a regime.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CellRow {
    /// Strategy id.
    pub strategy: String,
    /// How it came by its parameters.
    pub variant: Variant,
    /// Hash of the resolved configuration.
    pub config: String,
    /// Family: the trace file.
    pub family: String,
    /// Series within the family.
    pub series: String,
    /// Whether the trace counts for the headline (native at one minute or finer).
    pub headline: bool,
    /// Evaluation seed.
    pub eval_seed: u64,
    /// Training seed; `None` for what is not trained.
    pub train_seed: Option<u64>,
    /// Regime; [`NOMINAL`] is the headline's.
    pub regime: String,
    /// Costs by UTC day.
    pub windows: Vec<WindowRow>,
    /// Share of steps in which the guard overrode the proposal; `None` where there is no such guard.
    pub guard_share: Option<f64>,
}

/// The cost of one window (UTC day) by terms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowRow {
    /// Start of the day in microseconds.
    pub day_us: i64,
    /// Seconds of ready pods.
    pub ready_s: f64,
    /// Seconds of starting pods.
    pub starting_s: f64,
    /// Seconds of terminating pods.
    pub terminating_s: f64,
    /// Bad requests.
    pub bad: f64,
    /// All requests.
    pub requests: f64,
    /// Sum of |change of replicas|.
    pub changes: f64,
    /// Requests left at the end.
    pub left_over: f64,
    /// Total cost J in pod-seconds.
    pub j: f64,
    /// Certified lower bound of J* in the window.
    pub oracle_lower: Option<f64>,
    /// Cost of the oracle's plan replayed in the kernel.
    pub oracle_upper: Option<f64>,
}

impl WindowRow {
    /// Seconds of pods in any phase.
    #[must_use]
    pub fn pod_seconds(&self) -> f64 {
        self.ready_s + self.starting_s + self.terminating_s
    }
}

/// What was trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LearnerKind {
    /// A forecaster.
    Forecaster,
    /// An agent.
    Agent,
}

/// One point of a learning curve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LearningRow {
    /// Training seed or population member.
    pub member: u64,
    /// What was trained.
    pub kind: LearnerKind,
    /// Training step.
    pub step: u64,
    /// Name of the metric, with its unit.
    pub metric: String,
    /// Its value.
    pub value: f64,
}

/// What happened over time under one strategy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timeline {
    /// Strategy id.
    pub strategy: String,
    /// Series.
    pub series: String,
    /// Rows in order of time.
    pub rows: Vec<TimelineRow>,
}

/// One moment of a timeline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimelineRow {
    /// Moment in microseconds.
    pub t_us: i64,
    /// Offered requests per second.
    pub demand_rate: f64,
    /// Ready pods × true capacity, requests per second.
    pub capacity_rate: f64,
    /// Ready pods.
    pub ready: f64,
    /// Replicas asked for.
    pub desired: f64,
    /// Starting pods.
    pub starting: f64,
    /// P95 of the waiting time in seconds.
    pub p95_wait_s: f64,
    /// Bad requests per second.
    pub bad_rate: f64,
}

/// A forecaster's quantiles beside what came.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForecastTrack {
    /// Forecaster or strategy id.
    pub forecaster: String,
    /// Series.
    pub series: String,
    /// Rows in order of time.
    pub rows: Vec<ForecastRow>,
}

/// One forecast.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForecastRow {
    /// Moment at which the forecast was made, in microseconds.
    pub t_us: i64,
    /// Greatest true rate in the forecast window, requests per second.
    pub truth: f64,
    /// Quantiles, in the order of [`seatrial_core::scaling::forecast::LEVELS`].
    pub quantiles: [f64; LEVEL_COUNT],
}

/// One configuration scored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrialRow {
    /// Strategy id.
    pub strategy: String,
    /// Series it was tuned on; `*` for all of them.
    pub series: String,
    /// Number of the trial.
    pub trial: u64,
    /// The configuration.
    pub config: serde_json::Value,
    /// Its mean J per window on validation.
    pub validation_cost: f64,
}

/// One look at the test part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    /// Who looked: a command or a stage.
    pub by: String,
    /// What for.
    pub purpose: String,
}

/// A named value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fact {
    /// Name.
    pub name: String,
    /// Value.
    pub value: String,
}

impl CellRow {
    /// The address of the cell in words.
    #[must_use]
    pub fn address(&self) -> String {
        let training = self.train_seed.map_or_else(|| "none".to_owned(), |seed| seed.to_string());
        format!(
            "`{}` on `{}/{}`, evaluation seed {}, training seed {training}, regime `{}`",
            self.strategy, self.family, self.series, self.eval_seed, self.regime
        )
    }
}

impl StudyData {
    /// Whose least cost the oracle bounds.
    #[must_use]
    pub const fn bounded_world(&self) -> BoundedWorld {
        if self.kernel.is_some() { BoundedWorld::Fluid } else { BoundedWorld::Own }
    }

    /// Checks everything that a figure or table relies on.
    ///
    /// # Errors
    /// The first violation in the order of the cells.
    pub fn validate(&self) -> Result<(), ReportError> {
        if self.cells.iter().all(|cell| !cell.variant.competes()) {
            return Err(ReportError::NoCells { study: self.name.clone() });
        }
        let (mut seen, mut variants) = (BTreeSet::new(), BTreeMap::new());
        for cell in &self.cells {
            if !seen.insert(cell.address()) {
                return Err(ReportError::DuplicateCell { study: self.name.clone(), cell: cell.address() });
            }
            if cell.windows.is_empty() {
                return Err(ReportError::EmptyCell { study: self.name.clone(), cell: cell.address() });
            }
            let first = *variants.entry(cell.strategy.as_str()).or_insert(cell.variant);
            if first != cell.variant {
                return Err(self.mixed(cell, first));
            }
            self.validate_numbers(cell)?;
        }
        Ok(())
    }

    fn mixed(&self, cell: &CellRow, first: Variant) -> ReportError {
        ReportError::MixedVariants {
            study: self.name.clone(),
            strategy: cell.strategy.clone(),
            first: first.as_str(),
            second: cell.variant.as_str(),
        }
    }

    fn validate_numbers(&self, cell: &CellRow) -> Result<(), ReportError> {
        let mut days = BTreeSet::new();
        for window in &cell.windows {
            let bad = |field, value, expected| ReportError::BadNumber {
                study: self.name.clone(),
                field,
                strategy: cell.strategy.clone(),
                series: format!("{}/{}", cell.family, cell.series),
                day_us: window.day_us,
                value,
                expected,
            };
            if !days.insert(window.day_us) {
                return Err(ReportError::DuplicateCell {
                    study: self.name.clone(),
                    cell: format!("the window {} µs of {}", window.day_us, cell.address()),
                });
            }
            for (field, value) in terms(window) {
                if !(value.is_finite() && value >= 0.0) {
                    return Err(bad(field, value, "a finite number of at least 0"));
                }
            }
            for (field, value) in positives(window) {
                if !(value.is_finite() && value > 0.0) {
                    return Err(bad(field, value, "a finite number above 0"));
                }
            }
            if let Some(share) = cell.guard_share.filter(|share| !(0.0..=1.0).contains(share)) {
                return Err(bad("guard_share", share, "a share between 0 and 1"));
            }
        }
        Ok(())
    }
}

fn terms(window: &WindowRow) -> [(&'static str, f64); 7] {
    [
        ("ready_s", window.ready_s),
        ("starting_s", window.starting_s),
        ("terminating_s", window.terminating_s),
        ("bad", window.bad),
        ("requests", window.requests),
        ("changes", window.changes),
        ("left_over", window.left_over),
    ]
}

fn positives(window: &WindowRow) -> impl Iterator<Item = (&'static str, f64)> {
    let oracle = [("oracle_lower", window.oracle_lower), ("oracle_upper", window.oracle_upper)];
    core::iter::once(("j", window.j)).chain(oracle.into_iter().filter_map(|(name, value)| Some((name, value?))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn accepts_the_sample_and_survives_json() {
        let study = sample::study();
        study.validate().unwrap();
        let text = serde_json::to_string(&study).unwrap();
        assert_eq!(serde_json::from_str::<StudyData>(&text).unwrap(), study);
        assert!(serde_json::from_str::<StudyData>(&text.replacen("\"protocol\"", "\"protocl\"", 1)).is_err());
    }

    #[test]
    fn refuses_what_cannot_be_reported() {
        type Spoil = fn(&mut StudyData);
        let cases: [(Spoil, &str); 8] = [
            (|s| s.cells.clear(), "no evaluated cells"),
            (|s| s.cells.retain(|cell| cell.strategy == ORACLE), "no evaluated cells"),
            (|s| s.cells[0].windows[0].j = f64::NAN, "`j` of strategy"),
            (|s| s.cells[0].windows[0].j = 0.0, "above 0"),
            (|s| s.cells[0].windows[0].bad = -1.0, "`bad` of strategy"),
            (|s| s.cells[0].windows.clear(), "no windows"),
            (|s| s.cells.push(s.cells[0].clone()), "two cells for"),
            (|s| s.cells[0].variant = Variant::Learned, "appears as both"),
        ];
        for (spoil, words) in cases {
            let mut study = sample::study();
            spoil(&mut study);
            let error = study.validate().unwrap_err().to_string();
            assert!(error.contains(words), "expected `{words}` in: {error}");
        }
        let mut study = sample::study();
        study.cells[0].guard_share = Some(1.5);
        assert!(study.validate().unwrap_err().to_string().contains("guard_share"));
    }
}
