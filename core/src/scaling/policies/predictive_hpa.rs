//! `predictive-hpa`: the Predictive Horizontal Pod Autoscaler 0.13.2 (the last release, July 2023).
//!
//! At each sync (15 s) it asks an HPA's calculator for replicas, gives that number to models that keep a history of it, takes the
//! maximum, minimum, mean or median of the number and the models' predictions, and applies an HPA's `behavior` (300 s of
//! downscale stabilisation) to the result. The history is of replicas asked for, not of load: a model sees what the rule made of
//! the load, after the metric's lag.
//!
//! Source: <https://github.com/jthomperoo/predictive-horizontal-pod-autoscaler> at 0.13.2 with k8shorizmetrics 2.0.1, as
//! executed. What surprises in it and is reproduced:
//!
//! - The Holt-Winters history is sorted newest first when it is pruned, and the present count appended to that: the model smooths
//!   a series that runs backwards and ends with the present.
//! - Before a Holt-Winters model has two seasons it predicts 0 replicas. Under `maximum` the autoscaler then answers as its
//!   plain calculator does; under `minimum`, `mean` and `median` the zero counts. (Issue 74 had reported the error that older
//!   releases raised instead.)
//! - A linear model fits `historySize` counts and the present one.
//! - A model that fails is left out and does not record the count it failed on.
//! - Scale-up and scale-down policies have periods of 60 s by default, the CPU initialisation period is 30 s (its reference page
//!   says 300 s), and bounds come last: replicas out of bounds still go through stabilisation and rates.
//!
//! # Deviations
//!
//! 1. The arithmetic of a linear model is exact, and the result of a Holt-Winters model is rounded up only if it exceeds a whole
//!    number by more than 1e-9 of it. In the original a constant history of 3 can predict 3.0000000000000018, hence 4.
//! 2. A sync takes no time: the original asks its models about a second later (a Python process starts), and so looks a second
//!    further ahead.
//! 3. After an error of the metrics the next attempt comes at the next sync, not sooner.
//! 4. Histories are bounded: replica counts above 65,535 count as that; a linear model has at most 1,500 records, a Holt-Winters
//!    model `(storedSeasons + 1) × seasonalPeriods` of at most 2,000, all of them together what fits into 16 KiB. A linear history
//!    begins anew when the clock goes back or jumps by more than 18 hours, and a line through counts of a single second is no
//!    prediction.
//! 5. A change counts as a scale event from the moment it was proposed, once it is seen to have been made.
//! 6. Not offered: hooks that fetch alpha, beta and gamma at run time; `dampedTrend`, with which every prediction of the
//!    original fails (it hands no damping factor to statsmodels); initialisation other than the default; metrics other than CPU
//!    utilisation and the request rate as an external average.
//! 7. Where pods are known by their counts alone, those that are being deleted have no sample.
//!
//! | part | what |
//! |---|---|
//! | [`calculator`] | replicas that the metric asks for |
//! | [`model`] | a model's history and when it runs |
//! | [`regression`], [`smoothing`] | the two methods |
//! | [`behavior`] | defaults of the behaviour |

mod behavior;
mod calculator;
mod model;
mod regression;
mod smoothing;

use serde::{Deserialize, Serialize};

use self::calculator::{Calculator, Metric};
use self::model::{Model, ModelConfig, ModelState};
use super::hpa::behavior::{Behavior, EffectiveBehavior};
use super::hpa::memory::{MOST_EVENTS, MOST_RECOMMENDATIONS, Memory};
use super::hpa::normalise::{Limited, Limits, Stabilised};
use super::{GuardProfile, Ingredients, PolicyRow, in_range};
use crate::scaling::config::{self, ConfigError};
use crate::scaling::policy::{DynPolicy, Policy, Proposal, Reason, STATE_LIMIT_BYTES, View};
use crate::time::{Span, Timestamp};

const ID: &str = "predictive-hpa";
/// Most models of one autoscaler.
const MOST_MODELS: usize = 8;

/// Its row.
pub(super) const ROW: PolicyRow = PolicyRow {
    id: ID,
    summary: "the Predictive Horizontal Pod Autoscaler: an HPA with linear and Holt-Winters models of its own replica counts",
    sources: &["github.com/jthomperoo/predictive-horizontal-pod-autoscaler 0.13.2"],
    deviations: &[
        "the arithmetic of a linear model is exact and Holt-Winters results round up only beyond dust; the original's dust can cost a replica",
        "a sync takes no time; the original's models run, and so look ahead from, about a second later",
        "after an error of the metrics the next attempt comes at the next sync, not sooner",
        "histories are bounded to what fits into 16 KiB, counts to 65,535; a linear history begins anew when the clock jumps",
        "a change counts as a scale event from the moment it was proposed, once it is seen to have been made",
        "not offered: run-time tuning hooks, `dampedTrend` (which always fails in the original), other initialisations, metrics other than CPU utilisation and the request rate",
        "where pods are known by their counts alone, those that are being deleted have no sample",
    ],
    needs_forecast: false,
    needs_weights: false,
    guard: GuardProfile::BoundsOnly,
    default_config: super::default_config::<Config>,
    build,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum MetricKind {
    /// CPU use in percent of the request.
    CpuUtilization,
    /// Requests per second and replica, as an external metric.
    RequestRate,
}

/// Which of the calculated and predicted replica counts is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum DecisionType {
    Maximum,
    Minimum,
    Mean,
    Median,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    metric: MetricKind,
    /// Whole percent (80 if absent), or requests per second and replica (then it must be given).
    #[serde(default)]
    target: Option<f64>,
    /// 0 to 1.
    tolerance: f64,
    /// `spec.behavior` of the API object.
    behavior: Option<Behavior>,
    /// 0 to 86,400.
    cpu_initialization_period_s: u32,
    /// 0 to 86,400.
    initial_readiness_delay_s: u32,
    /// Seconds between syncs, 1 to 3,600.
    sync_period_s: u32,
    decision_type: DecisionType,
    /// 0 to 8 models.
    models: Vec<ModelConfig>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            metric: MetricKind::CpuUtilization,
            target: Some(80.0),
            tolerance: 0.1,
            behavior: None,
            cpu_initialization_period_s: 30,
            initial_readiness_delay_s: 30,
            sync_period_s: 15,
            decision_type: DecisionType::Maximum,
            models: vec![ModelConfig::example()],
        }
    }
}

fn build(config: &serde_json::Value, ingredients: &Ingredients<'_>) -> Result<Box<dyn DynPolicy>, ConfigError> {
    let parsed: Config = config::parse(ID, config)?;
    Ok(Box::new(PredictiveHpa::new(&parsed, ingredients)?))
}

struct PredictiveHpa {
    calculator: Calculator,
    models: Vec<Model>,
    decision_type: DecisionType,
    behavior: EffectiveBehavior,
    sync_period: Span,
    min: i32,
    max: i32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PredictiveState {
    memory: Memory,
    proposed: Option<Proposed>,
    /// One per model.
    models: Vec<ModelState>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Proposed {
    at: Timestamp,
    from: i32,
}

impl PredictiveHpa {
    fn new(config: &Config, ingredients: &Ingredients<'_>) -> Result<Self, ConfigError> {
        let workload = ingredients.workload;
        let seconds = |key, value: u32, least: f64, most: f64, allowed| {
            in_range(ID, key, f64::from(value), least..=most, allowed).map(|_| Span::from_secs(i64::from(value)))
        };
        let start_up = |key, value| seconds(key, value, 0.0, 86_400.0, "0 to 86400");
        let policy = Self {
            calculator: Calculator {
                metric: metric(config, i64::from(workload.cpu_request_milli))?,
                tolerance: in_range(ID, "tolerance", config.tolerance, 0.0..=1.0, "0 to 1")?,
                cpu_initialization_period: start_up("cpu_initialization_period_s", config.cpu_initialization_period_s)?,
                initial_readiness_delay: start_up("initial_readiness_delay_s", config.initial_readiness_delay_s)?,
            },
            models: models(config)?,
            decision_type: config.decision_type,
            behavior: behavior::effective(ID, config.behavior.as_ref())?,
            sync_period: seconds("sync_period_s", config.sync_period_s, 1.0, 3_600.0, "1 to 3600")?,
            min: signed(workload.bounds.min),
            max: signed(workload.bounds.max),
        };
        let bytes = policy.most_bytes();
        if bytes > STATE_LIMIT_BYTES {
            let got = format!("up to {bytes} bytes of histories with those of `behavior`");
            return Err(ConfigError::Range { id: ID, key: "models", got, allowed: "at most 16384 bytes: keep less" });
        }
        Ok(policy)
    }

    /// Most bytes of the stored state: a note takes up to 26.
    fn most_bytes(&self) -> usize {
        let notes = |window: Span, most: usize| {
            let notes = window.whole_steps(self.sync_period).saturating_add(2);
            26 * usize::try_from(notes).unwrap_or(most).min(most)
        };
        let (up, down) = (&self.behavior.up, &self.behavior.down);
        let windows = up.window.max(down.window).unwrap_or(Span::ZERO);
        let models: usize = self.models.iter().map(Model::most_bytes).sum();
        200 + notes(windows, MOST_RECOMMENDATIONS)
            + notes(up.longest_period(), MOST_EVENTS)
            + notes(down.longest_period(), MOST_EVENTS)
            + models
    }

    /// A change that was proposed and is now seen to have been made becomes a scale event of the moment of the proposal.
    fn confirm(&self, current: i32, state: &mut PredictiveState) {
        if let Some(proposed) = state.proposed.take().filter(|proposed| proposed.from != current) {
            state.memory.scaled(proposed.at, proposed.from, current, &self.behavior);
        }
    }

    /// The calculated count and the predictions, made one.
    fn decide(&self, now: Timestamp, calculated: i32, models: &mut [ModelState]) -> i32 {
        let mut counts = [0; MOST_MODELS + 1];
        counts[0] = calculated;
        let mut length = 1;
        for (model, state) in self.models.iter().zip(models) {
            if let Some(predicted) = model.step(now, calculated, state) {
                counts[length] = predicted;
                length += 1;
            }
        }
        self.decision_type.of(&mut counts[..length])
    }
}

impl DecisionType {
    /// Of a list that is not empty.
    fn of(self, counts: &mut [i32]) -> i32 {
        counts.sort_unstable();
        let half = counts.len() / 2;
        match self {
            Self::Minimum => counts[0],
            Self::Maximum => counts[counts.len() - 1],
            Self::Median if counts.len().is_multiple_of(2) => counts[half - 1].wrapping_add(counts[half]) / 2,
            Self::Median => counts[half],
            Self::Mean => mean(counts),
        }
    }
}

/// Rounded half away from zero; 0 where the sum is not positive.
#[expect(clippy::cast_possible_truncation, reason = "a mean of such numbers is one")]
fn mean(counts: &[i32]) -> i32 {
    let total = counts.iter().fold(0_i32, |sum, count| sum.wrapping_add(*count));
    let number = f64::from(u32::try_from(counts.len()).unwrap_or(1));
    if total <= 0 { 0 } else { libm::round(f64::from(total) / number) as i32 }
}

impl Policy for PredictiveHpa {
    type State = PredictiveState;

    fn initial_state(&self) -> PredictiveState {
        let models = self.models.iter().map(Model::initial_state).collect();
        PredictiveState { memory: Memory::with_room(), proposed: None, models }
    }

    fn step(&self, now: Timestamp, view: &View<'_>, state: &mut PredictiveState) -> Proposal {
        let seen = view.observation;
        let current = signed(seen.spec_replicas);
        self.confirm(current, state);
        let Some(calculated) = self.calculator.ask(now, seen) else {
            return Proposal::none(Reason::MetricMissing);
        };
        let desired = self.decide(now, calculated, &mut state.models);
        let limits = Limits {
            min: self.min,
            max: self.max,
            current,
            downscale_stabilization: Span::ZERO,
            behavior: Some(&self.behavior),
        };
        let normalised = limits.normalise(now, desired, &mut state.memory);
        // Bounds come last and hold whatever the rates say.
        let replicas = normalised.replicas.max(self.min).min(self.max);
        if replicas != current {
            state.proposed = Some(Proposed { at: now, from: current });
        }
        let reason = match (normalised.limited, normalised.stabilised) {
            _ if replicas != normalised.replicas => Reason::Bounded,
            (Limited::ScaleUpLimit | Limited::ScaleDownLimit, _) => Reason::RateLimited,
            (Limited::TooManyReplicas | Limited::TooFewReplicas, _) => Reason::Bounded,
            (Limited::No, Stabilised::Up | Stabilised::Down) => Reason::Stabilised,
            (Limited::No, Stabilised::No) if desired != calculated => Reason::Forecast,
            (Limited::No, Stabilised::No) if desired == current => Reason::WithinTolerance,
            (Limited::No, Stabilised::No) => Reason::Load,
        };
        Proposal::of(u32::try_from(replicas).unwrap_or(0), reason)
    }

    fn cadence(&self) -> Option<Span> {
        Some(self.sync_period)
    }
}

fn models(config: &Config) -> Result<Vec<Model>, ConfigError> {
    if config.models.len() > MOST_MODELS {
        let got = format!("a list of {}", config.models.len());
        return Err(ConfigError::Range { id: ID, key: "models", got, allowed: "0 to 8 models" });
    }
    config.models.iter().map(|model| Model::new(ID, model)).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "in range")]
fn metric(config: &Config, request_milli: i64) -> Result<Metric, ConfigError> {
    match (config.metric, config.target) {
        (MetricKind::CpuUtilization, target) => {
            let percent = target.unwrap_or(80.0);
            let whole = if libm::trunc(percent) == percent { percent } else { f64::NAN };
            let allowed = "a whole percentage from 1 to 10000";
            match in_range(ID, "target", whole, 1.0..=10_000.0, allowed) {
                Ok(percent) => Ok(Metric::CpuUtilization { percent: percent as i64, request_milli }),
                Err(_) => Err(ConfigError::Range { id: ID, key: "target", got: percent.to_string(), allowed }),
            }
        }
        (MetricKind::RequestRate, Some(rate)) => {
            let allowed = "0.001 to 1e9 requests per second and replica";
            let rate = in_range(ID, "target", rate, 0.001..=1e9, allowed)?;
            Ok(Metric::RequestRate { milli: libm::round(rate * 1_000.0) as i64 })
        }
        (MetricKind::RequestRate, None) => {
            Err(ConfigError::Missing { id: ID, what: "a `target` in requests per second and replica" })
        }
    }
}

fn signed(replicas: u32) -> i32 {
    i32::try_from(replicas).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests;
