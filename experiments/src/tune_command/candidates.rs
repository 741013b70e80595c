//! The settings that are tried: today's, and what each field that the manifest has could hold instead.
//!
//! Fields are tuned that decide how fast and how far replicas follow the load: target, both stabilisation windows, both lists
//! of policies. Never tuned are the bounds (they are promises to others), the kind of the metric, tolerances, and a direction
//! that is disabled. A field counts as changed only if what it means changes.

use seatrial_core::scaling::policies::hpa::behavior::{Behavior, ScalingPolicy, ScalingPolicyKind, SelectPolicy};
use seatrial_core::scaling::strategy::{Choice, StrategySpec};
use seatrial_reports::model::Variant;
use serde_json::json;

use super::manifest::scaled_object::trigger;
use super::manifest::{Keda, Kind, Scaler, Signal};
use crate::contest::Entrant;

/// Targets in percent of what a pod serves; closer where loads of a few to a hundred pods have their optimum.
const TARGETS: [f64; 24] = [
    30.0, 35.0, 40.0, 45.0, 50.0, 55.0, 58.0, 60.0, 62.0, 64.0, 66.0, 68.0, 70.0, 72.0, 74.0, 76.0, 78.0, 80.0, 82.0,
    84.0, 86.0, 88.0, 90.0, 95.0,
];
const HOLDS_S: [u32; 6] = [0, 30, 60, 120, 300, 600];
/// Default window of the controller for shrinking.
const DEFAULT_HOLD_S: u32 = 300;

/// What is tried; `None` leaves a field as it is today.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Candidate {
    pub(super) target: Option<f64>,
    pub(super) hold_s: Option<u32>,
    pub(super) up_window_s: Option<u32>,
    pub(super) up: Option<Vec<ScalingPolicy>>,
    pub(super) down: Option<Vec<ScalingPolicy>>,
}

const fn policy(kind: ScalingPolicyKind, value: i32, period_seconds: u32) -> ScalingPolicy {
    ScalingPolicy { kind, value, period_seconds }
}

/// The default, and a fifth per 15 s.
fn up_policies() -> [Vec<ScalingPolicy>; 2] {
    [
        vec![policy(ScalingPolicyKind::Pods, 4, 15), policy(ScalingPolicyKind::Percent, 100, 15)],
        vec![policy(ScalingPolicyKind::Percent, 20, 15)],
    ]
}

/// The default (no limit), and a tenth a minute.
fn down_policies() -> [Vec<ScalingPolicy>; 2] {
    [vec![policy(ScalingPolicyKind::Percent, 100, 15)], vec![policy(ScalingPolicyKind::Percent, 10, 60)]]
}

/// What a field can hold: as today first, then all that differ from it.
fn choices<T: Clone + PartialEq>(today: &T, others: &[T]) -> Vec<Option<T>> {
    std::iter::once(None).chain(others.iter().filter(|other| *other != today).cloned().map(Some)).collect()
}

/// A number of three digits at most.
fn rounded(value: f64) -> f64 {
    let step = [0.01, 0.1, 1.0, 10.0].into_iter().find(|step| value < 1_000.0 * step).unwrap_or(100.0);
    // The product of a rounded quotient shall read as it was meant: 0.37 and not 0.36999…
    let exact = (value / step).round() * step;
    (exact * 1_000.0).round() / 1_000.0
}

/// Every setting of `scaler` that is tried, today's first; one pod serves `capacity` requests per second.
pub(super) fn all(scaler: &Scaler, capacity: f64) -> Vec<Candidate> {
    let targets: Vec<f64> = match scaler.metric.signal {
        Signal::Cpu if scaler.kind == Kind::HpaV1 => (20..=95).map(f64::from).collect(),
        Signal::Cpu => TARGETS.to_vec(),
        Signal::RequestRate => TARGETS.map(|percent| rounded(percent / 100.0 * capacity)).to_vec(),
    };
    let targets = choices(&scaler.metric.target, &targets);
    let (up, down) = (scaler.rules(true), scaler.rules(false));
    let tunable = |select: Option<SelectPolicy>| scaler.kind != Kind::HpaV1 && select != Some(SelectPolicy::Disabled);
    let (grows, shrinks) = (tunable(up.select_policy), tunable(down.select_policy));
    let only = |tunable: bool, all: Vec<Option<u32>>| if tunable { all } else { vec![None] };
    let lists = |tunable: bool, up: bool, others: &[Vec<ScalingPolicy>]| {
        if tunable { choices(&scaler.policies(up), others) } else { vec![None] }
    };
    let holds = only(shrinks, choices(&down.stabilization_window_seconds.unwrap_or(DEFAULT_HOLD_S), &HOLDS_S));
    let windows = only(grows, choices(&up.stabilization_window_seconds.unwrap_or(0), &[0]));
    let (ups, downs) = (lists(grows, true, &up_policies()), lists(shrinks, false, &down_policies()));
    let mut candidates = Vec::new();
    for target in &targets {
        for hold_s in &holds {
            for up_window_s in &windows {
                for up in &ups {
                    for down in &downs {
                        candidates.push(Candidate {
                            target: *target,
                            hold_s: *hold_s,
                            up_window_s: *up_window_s,
                            up: up.clone(),
                            down: down.clone(),
                        });
                    }
                }
            }
        }
    }
    candidates
}

impl Candidate {
    /// Number of fields that differ from today's.
    pub(super) fn changes(&self) -> usize {
        usize::from(self.target.is_some())
            + usize::from(self.hold_s.is_some())
            + usize::from(self.up_window_s.is_some())
            + usize::from(self.up.is_some())
            + usize::from(self.down.is_some())
    }

    /// The behaviour with it; `None` where the manifest has none and none is needed.
    fn behavior(&self, scaler: &Scaler) -> Option<Behavior> {
        let mut behavior = scaler.behavior.clone();
        if self.hold_s.is_some() || self.down.is_some() {
            let rules = behavior.get_or_insert_default().scale_down.get_or_insert_default();
            rules.stabilization_window_seconds = self.hold_s.or(rules.stabilization_window_seconds);
            rules.policies = self.down.clone().or_else(|| rules.policies.take());
        }
        if self.up_window_s.is_some() || self.up.is_some() {
            let rules = behavior.get_or_insert_default().scale_up.get_or_insert_default();
            rules.stabilization_window_seconds = self.up_window_s.or(rules.stabilization_window_seconds);
            rules.policies = self.up.clone().or_else(|| rules.policies.take());
        }
        behavior
    }

    /// It as a player.
    pub(super) fn entrant(&self, scaler: &Scaler) -> Entrant {
        let target = self.target.unwrap_or(scaler.metric.target);
        let behavior = self.behavior(scaler);
        match &scaler.keda {
            Some(keda) => by_keda(scaler, keda, target, behavior.as_ref()),
            None if scaler.fixed.is_empty() => entrant(scaler.metric.signal, target, behavior.as_ref()),
            None => by_several(scaler, target, behavior.as_ref()),
        }
    }
}

/// The core's `keda` with these settings.
fn by_keda(scaler: &Scaler, keda: &Keda, target: f64, behavior: Option<&Behavior>) -> Entrant {
    let mut config = keda.config.clone();
    let tuned = trigger(scaler.metric.signal, target, keda.activation_threshold);
    let triggers: Vec<_> = std::iter::once(tuned).chain(keda.fixed.iter().cloned()).collect();
    config["triggers"] = json!(triggers);
    config["behavior"] = json!(behavior);
    config["min_replica_count"] = json!(scaler.min);
    config["idle_replica_count"] = json!(keda.idle);
    player("keda", config)
}

/// The core's rule with the tuned metric and those that stay as they are; the greatest wish counts.
fn by_several(scaler: &Scaler, target: f64, behavior: Option<&Behavior>) -> Entrant {
    let tuned = (scaler.metric.signal, target);
    let all = std::iter::once(tuned).chain(scaler.fixed.iter().map(|metric| (metric.signal, metric.target)));
    let metrics: Vec<_> = all.map(|(signal, target)| json!({ "kind": kind(signal), "target": target })).collect();
    player("hpa", json!({ "metrics": metrics, "behavior": behavior }))
}

const fn kind(signal: Signal) -> &'static str {
    match signal {
        Signal::Cpu => "cpu-utilization",
        Signal::RequestRate => "request-rate",
    }
}

/// The core's rule with these settings.
pub(super) fn entrant(signal: Signal, target: f64, behavior: Option<&Behavior>) -> Entrant {
    player("hpa", json!({ "metric": kind(signal), "target": target, "behavior": behavior }))
}

fn player(id: &str, config: serde_json::Value) -> Entrant {
    let spec = StrategySpec { policy: Choice { id: id.to_owned(), config }, ..StrategySpec::of(id) };
    Entrant { strategy: id.to_owned(), variant: Variant::Tuned, spec, weights: None, train_seed: None }
}

/// What another kind of metric could do: an autoscaler on requests per second, with today's behaviour otherwise.
pub(super) fn on_request_rate(scaler: &Scaler, capacity: f64) -> Vec<(f64, Candidate)> {
    let targets = TARGETS.iter().filter(|percent| **percent >= 50.0).map(|percent| rounded(percent / 100.0 * capacity));
    let holds = choices(&scaler.rules(false).stabilization_window_seconds.unwrap_or(DEFAULT_HOLD_S), &[60, 300]);
    let both = targets.flat_map(|target| holds.iter().map(move |hold| (target, *hold)));
    both.map(|(target, hold_s)| (target, Candidate { hold_s, ..Candidate::default() })).collect()
}

/// A candidate of [`on_request_rate`] as a player.
pub(super) fn rate_entrant(scaler: &Scaler, (target, candidate): &(f64, Candidate)) -> Entrant {
    entrant(Signal::RequestRate, *target, candidate.behavior(scaler).as_ref())
}
