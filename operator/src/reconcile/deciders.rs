//! Who decides: the bundle or the built-in rule that the spec names, and the fallback that steps along beside it.
//!
//! All of them are the core's autoscalers. The fallback sees every observation, so that it does not begin without memory when
//! it is needed. A decider that is built anew for another workload (changed limits) keeps its state through a snapshot.

use std::sync::Arc;

use seatrial_core::bundle::Bundle;
use seatrial_core::observe::{Bounds, Observation, Workload};
use seatrial_core::record::{DecisionRecord, OperatedDecision, ReplayPoint};
use seatrial_core::scaling::autoscaler::{Autoscaler, AutoscalerState, Decision};
use seatrial_core::scaling::policies::Ingredients;
use seatrial_core::scaling::policy::PastSlot;
use seatrial_core::scaling::strategy::{Choice, StrategySpec};
use seatrial_core::time::{Span, Timestamp};
use serde_json::{Value, json};

use super::conditions::Reason;
use super::conversation::{LoadedBundle, PodFacts, Problem};
use super::machine::Pace;
use crate::scaling_policy::{BuiltInPolicy, Fallback, ScalingPolicySpec};

/// Decisions after which the log holds a whole state again, so that a replay can begin there: once an hour.
const DECISIONS_PER_REPLAY_POINT: u32 = 240;

/// Which of them decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The bundle.
    Bundle,
    /// The built-in rule.
    BuiltIn,
    /// The fallback.
    Fallback,
}

impl Origin {
    /// As the log shows it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Bundle => "bundle",
            Self::BuiltIn => "policy",
            Self::Fallback => "fallback",
        }
    }
}

/// One decider with its memory.
struct Decider {
    origin: Origin,
    strategy: StrategySpec,
    bundle: Option<LoadedBundle>,
    autoscaler: Autoscaler,
    state: AutoscalerState,
}

impl Decider {
    fn build(
        origin: Origin,
        strategy: StrategySpec,
        bundle: Option<LoadedBundle>,
        workload: &Workload,
    ) -> Result<Self, Problem> {
        let weights = bundle.as_ref().and_then(|loaded| loaded.bundle.weights());
        let autoscaler = strategy
            .build(&Ingredients { workload, weights })
            .map_err(|error| Problem::new(Reason::SpecRefused, error.to_string()))?;
        let state = autoscaler.initial_state();
        Ok(Self { origin, strategy, bundle, autoscaler, state })
    }

    /// The same for another workload, with its memory.
    fn rebuilt(self, workload: &Workload) -> Result<Self, Problem> {
        let snapshot = self.autoscaler.snapshot(&self.state);
        let mut other = Self::build(self.origin, self.strategy, self.bundle, workload)?;
        if let Ok(state) = snapshot.and_then(|snapshot| other.autoscaler.restore(&snapshot)) {
            other.state = state;
        }
        Ok(other)
    }

    fn replay_point(&self) -> Option<Box<ReplayPoint>> {
        Some(Box::new(ReplayPoint {
            workload: *self.autoscaler.workload(),
            strategy: self.strategy.clone(),
            bundle: self.bundle.as_ref().map(|loaded| loaded.hash.clone()),
            snapshot: self.autoscaler.snapshot(&self.state).ok()?,
        }))
    }
}

/// What was decided, with the row of the log.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Who decided.
    pub origin: Origin,
    /// The decision.
    pub decision: Decision,
    /// Its row.
    pub row: OperatedDecision,
}

/// All deciders of one policy.
pub struct Deciders {
    workload: Workload,
    /// What the spec names, if it could be built.
    named: Option<Decider>,
    fallback: Decider,
    /// Who wrote the last row, and how many rows ago the last replay point was.
    last_row: Option<(Origin, u32)>,
}

impl Deciders {
    /// The fallback alone.
    ///
    /// # Errors
    /// If its parameters are out of their ranges.
    pub fn new(spec: &ScalingPolicySpec, workload: Workload) -> Result<Self, Problem> {
        let fallback = Decider::build(Origin::Fallback, fallback_strategy(&spec.fallback), None, &workload)?;
        Ok(Self { workload, named: None, fallback, last_row: None })
    }

    /// The workload they plan for.
    #[must_use]
    pub const fn workload(&self) -> &Workload {
        &self.workload
    }

    /// Takes on a workload with other limits or requests; memories are kept.
    ///
    /// # Errors
    /// If a decider cannot be built for it; then those that were there stay away.
    pub fn take_on(self, workload: Workload) -> Result<Self, Problem> {
        if workload == self.workload {
            return Ok(self);
        }
        let named = self.named.map(|named| named.rebuilt(&workload)).transpose()?;
        Ok(Self { workload, named, fallback: self.fallback.rebuilt(&workload)?, last_row: None })
    }

    /// Lets a built-in rule decide.
    ///
    /// # Errors
    /// If its id or config, or its forecaster's, is not understood, or a forecaster is needed and none named.
    pub fn name_rule(&mut self, rule: &BuiltInPolicy) -> Result<(), Problem> {
        self.last_row = None;
        refuse_blind(rule)?;
        self.named = Some(Decider::build(Origin::BuiltIn, rule_strategy(rule), None, &self.workload)?);
        Ok(())
    }

    /// Lets a bundle decide.
    ///
    /// # Errors
    /// If its strategy cannot be built for this workload.
    pub fn name_bundle(&mut self, loaded: LoadedBundle) -> Result<(), Problem> {
        // Another memory decides now: the log needs a replay point.
        self.last_row = None;
        let strategy = loaded.bundle.card().strategy.clone();
        let built = Decider::build(Origin::Bundle, strategy, Some(loaded), &self.workload);
        self.named = Some(built.map_err(|problem| Problem::new(Reason::BundleRefused, problem.message))?);
        Ok(())
    }

    /// The bundle that decides, if one does.
    #[must_use]
    pub fn bundle(&self) -> Option<&LoadedBundle> {
        self.named.as_ref().and_then(|named| named.bundle.as_ref())
    }

    /// Whether what the spec names decides.
    #[must_use]
    pub const fn has_named(&self) -> bool {
        self.named.is_some()
    }

    /// How far back a state must see to be whole; `None` if nothing looks back.
    #[must_use]
    pub fn looks_back(&self) -> bool {
        self.named.as_ref().is_some_and(|named| named.autoscaler.horizon().is_some())
    }

    /// Forgets what was seen; who decides stays.
    pub fn forget(&mut self) {
        self.last_row = None;
        for decider in self.named.iter_mut().chain([&mut self.fallback]) {
            decider.state = decider.autoscaler.initial_state();
        }
        self.last_row = None;
    }

    /// Warms the states up with the past.
    pub fn absorb(&mut self, past: &[PastSlot]) {
        for decider in self.named.iter_mut().chain([&mut self.fallback]) {
            for slot in past {
                decider.autoscaler.absorb(slot, &mut decider.state);
            }
        }
    }

    /// Decides; every decider steps along, one is listened to. `subject` and `mode` are what the log says of them.
    pub fn decide(&mut self, now: Timestamp, seen: &Observation, subject: &str, mode: &str) -> Verdict {
        let origin = self.named.as_ref().map_or(Origin::Fallback, |named| named.origin);
        let due = self.last_row.is_none_or(|(last, rows)| last != origin || rows >= DECISIONS_PER_REPLAY_POINT);
        let (speaker, listener) = match &mut self.named {
            Some(named) => (named, Some(&mut self.fallback)),
            None => (&mut self.fallback, None),
        };
        let replay_from = if due { speaker.replay_point() } else { None };
        let (view, decision) = speaker.autoscaler.decide_viewed(now, seen, &mut speaker.state);
        let row = OperatedDecision {
            record: DecisionRecord::new(&view, &decision),
            subject: subject.to_owned(),
            mode: mode.to_owned(),
            decided_by: origin.label().to_owned(),
            observation: seen.clone(),
            replay_from,
        };
        if let Some(listener) = listener {
            listener.autoscaler.decide(now, seen, &mut listener.state);
        }
        self.last_row = Some((origin, if due { 1 } else { self.last_row.map_or(0, |(_, rows)| rows) + 1 }));
        Verdict { origin, decision, row }
    }
}

/// The workload of a spec on the pods that it has; timing is that of the bundle's training world where a bundle decides.
///
/// # Errors
/// If the pods have no CPU request, on which utilisation and capacity rest, and no capacity is stated.
pub fn workload(
    spec: &ScalingPolicySpec,
    pods: &PodFacts,
    trained_for: Option<&Arc<Bundle>>,
    pace: Pace,
) -> Result<Workload, Problem> {
    let request = pods.cpu_request_milli.ok_or_else(|| {
        Problem::new(
            Reason::NoCpuRequest,
            "no pod of the target with a CPU request in every container was seen: set spec.template…resources.requests.cpu, \
             utilisation and capacity are measured against it",
        )
    })?;
    let scrape = pace.scaled(Span::from_secs(i64::from(spec.metrics.scrape_interval_seconds)));
    let base = trained_for.map_or_else(Workload::protocol_p1, |bundle| bundle.card().workload);
    let count = |replicas: i32| u32::try_from(replicas).unwrap_or(0);
    Ok(Workload {
        bounds: Bounds { min: count(spec.min_replicas), max: count(spec.max_replicas) },
        cpu_request_milli: request,
        cpu_limit_milli: pods.cpu_limit_milli.unwrap_or(request),
        scrape_interval: scrape,
        stated_capacity: spec.capacity.as_ref().map(|capacity| capacity.requests_per_second),
        ..base
    })
}

/// The strategy that a spec names by ids, with its row's own guard.
/// Policies whose defaults know nothing of any workload, with the key that must be given.
const BLIND: [(&str, &str); 2] = [("cron", "windows"), ("static", "replicas")];

/// Refuses a policy that would scale to a number that nobody chose.
fn refuse_blind(rule: &BuiltInPolicy) -> Result<(), Problem> {
    let Some((id, key)) = BLIND.into_iter().find(|(id, _)| *id == rule.id) else { return Ok(()) };
    let given = rule.config.as_ref().and_then(|config| config.get(key));
    if given.is_some_and(|value| value.as_array().is_none_or(|windows| !windows.is_empty())) {
        return Ok(());
    }
    let message = format!("policy `{id}` has no replicas of its own: give spec.policy.config.{key}");
    Err(Problem::new(Reason::SpecRefused, message))
}

fn rule_strategy(rule: &BuiltInPolicy) -> StrategySpec {
    let choice =
        |id: &str, config: &Option<Value>| Choice { id: id.to_owned(), config: config.clone().unwrap_or_default() };
    StrategySpec {
        policy: choice(&rule.id, &rule.config),
        forecaster: rule.forecaster.as_ref().map(|named| choice(&named.id, &named.config)),
        guard: None,
    }
}

/// A HorizontalPodAutoscaler with these parameters, exact.
fn fallback_strategy(fallback: &Fallback) -> StrategySpec {
    let config = json!({
        "target": fallback.cpu_utilization_percent,
        "tolerance": f64::from(fallback.tolerance_percent) / 100.0,
        "behavior": fallback.behavior,
    });
    StrategySpec { policy: Choice { id: "hpa".to_owned(), config }, forecaster: None, guard: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scaling_policy::{HpaBehavior, HpaRules};

    #[test]
    fn the_fallback_is_understood_by_the_core_with_and_without_behaviour() {
        let workload = Workload::protocol_p1();
        let window = HpaRules { stabilization_window_seconds: Some(60), ..HpaRules::default() };
        for behavior in [None, Some(HpaBehavior { scale_up: None, scale_down: Some(window) })] {
            let strategy = fallback_strategy(&Fallback { behavior, ..Fallback::default() });
            assert!(strategy.build(&Ingredients { workload: &workload, weights: None }).is_ok(), "{strategy:?}");
        }
    }
}
