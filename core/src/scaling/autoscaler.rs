//! Autoscaler = estimates + forecaster + policy + guard + their state: the one thing that simulator and operator drive.

use serde::{Deserialize, Serialize};

use super::config::ConfigError;
use super::forecast::{DynForecaster, Quantiles};
use super::guard::{Guard, GuardState, Stages};
use super::policy::{DynPolicy, PastSlot, Proposal, Reason, State, View};
use crate::observe::{CapacityEstimator, LeadTimeEstimator, Observation, Workload};
use crate::time::{Span, Timestamp};

/// A complete strategy for one workload.
pub struct Autoscaler {
    workload: Workload,
    forecaster: Option<Box<dyn DynForecaster>>,
    policy: Box<dyn DynPolicy>,
    guard: Guard,
}

/// Everything an [`Autoscaler`] remembers.
#[derive(Clone, Debug)]
pub struct AutoscalerState {
    capacity: CapacityEstimator,
    lead_time: LeadTimeEstimator,
    forecaster: Option<State>,
    policy: State,
    guard: GuardState,
}

/// An [`AutoscalerState`] in storable form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AutoscalerSnapshot {
    /// Version of this form.
    pub version: u32,
    capacity: CapacityEstimator,
    lead_time: LeadTimeEstimator,
    forecaster: Option<serde_json::Value>,
    policy: serde_json::Value,
    guard: GuardState,
}

/// 2: the capacity estimate remembers the pods of past slots.
const SNAPSHOT_VERSION: u32 = 2;

/// What was decided, and how.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Replicas to ask for.
    pub replicas: u32,
    /// What the policy proposed.
    pub proposal: Proposal,
    /// What each guard rule made of it.
    pub stages: Stages,
    /// Whether the decision differs from the proposal clamped to bounds (or from the present replicas if there was no proposal).
    pub overridden: bool,
    /// When the autoscaler wants to be called next.
    pub next_at: Timestamp,
}

impl Decision {
    /// Reason label: the guard rule that changed the proposal last, else the policy's own.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.stages.last_change().map_or_else(|| self.proposal.reason.label(), |rule| rule.label())
    }
}

impl Autoscaler {
    /// Joins the parts.
    #[must_use]
    pub fn new(
        workload: Workload,
        forecaster: Option<Box<dyn DynForecaster>>,
        policy: Box<dyn DynPolicy>,
        guard: Guard,
    ) -> Self {
        Self { workload, forecaster, policy, guard }
    }

    /// The workload it was made for.
    #[must_use]
    pub fn workload(&self) -> &Workload {
        &self.workload
    }

    /// Length of the window that its forecaster looks ahead; `None` without one.
    #[must_use]
    pub fn horizon(&self) -> Option<Span> {
        self.forecaster.as_ref().map(|forecaster| forecaster.horizon())
    }

    /// The state before anything was seen.
    #[must_use]
    pub fn initial_state(&self) -> AutoscalerState {
        AutoscalerState {
            capacity: CapacityEstimator::new(&self.workload),
            lead_time: LeadTimeEstimator::new(&self.workload),
            forecaster: self.forecaster.as_ref().map(|forecaster| forecaster.initial_state()),
            policy: self.policy.initial_state(),
            guard: GuardState::default(),
        }
    }

    /// Folds one slot of the past into the state, to warm it up before the first decision.
    pub fn absorb(&self, slot: &PastSlot, state: &mut AutoscalerState) {
        if let (Some(forecaster), Some(remembered)) = (&self.forecaster, &mut state.forecaster) {
            forecaster.absorb(slot, remembered);
        }
        self.policy.absorb(slot, &mut state.policy);
    }

    /// Decides at `now`.
    pub fn decide(&self, now: Timestamp, observation: &Observation, state: &mut AutoscalerState) -> Decision {
        self.decide_viewed(now, observation, state).1
    }

    /// Decides at `now` and also hands out the estimates that led to it, for the decision record.
    pub fn decide_viewed<'a>(
        &self,
        now: Timestamp,
        observation: &'a Observation,
        state: &mut AutoscalerState,
    ) -> (View<'a>, Decision) {
        let capacity = state.capacity.update(observation, self.workload.scrape_interval);
        let lead_time = state.lead_time.update(observation);
        let forecast: Option<Quantiles> = match (&self.forecaster, &mut state.forecaster) {
            (Some(forecaster), Some(remembered)) => forecaster.step(now, observation, remembered),
            _ => None,
        };
        let view = View { observation, capacity, lead_time, forecast: forecast.as_ref() };
        let proposal = self.policy.step(now, &view, &mut state.policy);
        let (replicas, stages) = self.guard.apply(now, &view, &proposal, &mut state.guard);
        let wish = proposal.replicas.unwrap_or(observation.spec_replicas);
        let decision = Decision {
            replicas,
            proposal,
            stages,
            overridden: replicas != self.workload.bounds.clamp(wish),
            next_at: now + self.policy.cadence().unwrap_or(self.workload.decision_interval),
        };
        (view_without_forecast(&view, observation), decision)
    }

    /// The state in storable form.
    ///
    /// # Errors
    /// If a policy's state cannot be serialised.
    pub fn snapshot(&self, state: &AutoscalerState) -> Result<AutoscalerSnapshot, ConfigError> {
        Ok(AutoscalerSnapshot {
            version: SNAPSHOT_VERSION,
            capacity: state.capacity,
            lead_time: state.lead_time.clone(),
            forecaster: state.forecaster.as_ref().map(State::snapshot).transpose()?,
            policy: state.policy.snapshot()?,
            guard: state.guard.clone(),
        })
    }

    /// A state from its stored form.
    ///
    /// # Errors
    /// If the snapshot is of another version or of another strategy.
    pub fn restore(&self, snapshot: &AutoscalerSnapshot) -> Result<AutoscalerState, ConfigError> {
        if snapshot.version != SNAPSHOT_VERSION {
            let detail = format!("snapshot version {} where {SNAPSHOT_VERSION} is understood", snapshot.version);
            return Err(ConfigError::State { detail });
        }
        let forecaster = match (&self.forecaster, &snapshot.forecaster) {
            (Some(forecaster), Some(stored)) => Some(forecaster.restore(stored)?),
            (None, None) => None,
            _ => {
                return Err(ConfigError::State {
                    detail: "forecaster of the snapshot and of the strategy differ".into(),
                });
            }
        };
        Ok(AutoscalerState {
            capacity: snapshot.capacity,
            lead_time: snapshot.lead_time.clone(),
            forecaster,
            policy: self.policy.restore(&snapshot.policy)?,
            guard: snapshot.guard.clone(),
        })
    }
}

fn view_without_forecast<'a>(view: &View<'_>, observation: &'a Observation) -> View<'a> {
    View { observation, capacity: view.capacity, lead_time: view.lead_time, forecast: None }
}

impl Reason {
    /// Its label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Forecast => "forecast",
            Self::Fixed => "fixed",
            Self::WithinTolerance => "within-tolerance",
            Self::Stabilised => "stabilised",
            Self::RateLimited => "rate-limited",
            Self::Bounded => "bounded",
            Self::Hold => "hold",
            Self::MetricMissing => "metric-missing",
            Self::Disabled => "disabled",
            Self::Panic => "panic",
            Self::Activation => "activation",
            Self::Cooldown => "cooldown",
            Self::Fallback => "fallback",
            Self::Scheduled => "scheduled",
            Self::Paused => "paused",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::{Feature, PodCounts, Pods, Sample};
    use crate::scaling::policies::Ingredients;
    use crate::scaling::strategy::{Choice, StrategySpec};

    fn newsvendor() -> Autoscaler {
        let workload = Workload::protocol_p1();
        StrategySpec { forecaster: Some(Choice::of("persistence")), ..StrategySpec::of("newsvendor") }
            .build(&Ingredients { workload: &workload, weights: None })
            .unwrap()
    }

    /// The slot that ended 15 s ago: 100 requests per second of 80 ms on 8 pods, a fifth of them bad.
    fn seen(step: i64) -> Observation {
        let now = Timestamp::from_secs(15 * step);
        let mut seen = Observation::unknown(now, 8);
        seen.pods = Pods::Homogeneous(PodCounts { ready: 8, ..PodCounts::default() });
        for (feature, value) in [
            (Feature::ProcessCpuSecondsTotalRate, 8.0),
            (Feature::HttpRequestDurationSecondsCountRate, 100.0),
            (Feature::HttpRequestsTotalRate, 100.0),
            (Feature::BadRequestRatio, 0.2),
        ] {
            seen.metrics.set(feature, Some(Sample { at: now - Span::from_secs(15), value }));
        }
        seen
    }

    /// The pods of past slots are remembered too: the first slot after a restart is corrected as if there had been none.
    #[test]
    fn a_restart_from_a_snapshot_changes_no_estimate() {
        let autoscaler = newsvendor();
        let mut state = autoscaler.initial_state();
        for step in 1..6 {
            autoscaler.decide(seen(step).now, &seen(step), &mut state);
        }
        let stored = serde_json::to_string(&autoscaler.snapshot(&state).unwrap()).unwrap();
        let mut restarted = autoscaler.restore(&serde_json::from_str(&stored).unwrap()).unwrap();
        let before = state.capacity.estimate().unwrap();
        for step in 6..9 {
            let seen = seen(step);
            let (view, decision) = autoscaler.decide_viewed(seen.now, &seen, &mut state);
            let (again, same) = autoscaler.decide_viewed(seen.now, &seen, &mut restarted);
            assert_eq!((view.capacity, decision), (again.capacity, same));
        }
        assert!(state.capacity.estimate().unwrap().lower < before.lower, "bad slots went on");
    }

    #[test]
    fn a_snapshot_of_another_version_is_refused() {
        let autoscaler = newsvendor();
        let mut snapshot = autoscaler.snapshot(&autoscaler.initial_state()).unwrap();
        snapshot.version = 1;
        let message = autoscaler.restore(&snapshot).unwrap_err().to_string();
        assert!(message.contains("snapshot version 1 where 2 is understood"), "{message}");
    }
}
