//! The adapter: from an observation into the windows, from the decider to a proposal.

use serde::{Deserialize, Serialize};

use super::activity::{Activity, ToZero, Wanted};
use super::decider::{Memory, Scale, Spec};
use super::delay::{DelayWindow, SLOT};
use super::windows::{Averaging, Windows};
use crate::observe::{Bounds, Feature, Observation, Pods, Sample};
use crate::scaling::policy::{Policy, Proposal, Reason, View};
use crate::time::{Span, Timestamp};

/// Largest value that is recorded: sums over a window stay exact to parts of one.
const MOST: f64 = 1e12;

/// What is compared with the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Metric {
    /// Requests in flight.
    Concurrency,
    /// Requests per second.
    Rps,
}

/// The policy.
pub(super) struct Kpa {
    pub(super) metric: Metric,
    pub(super) stable_s: u32,
    pub(super) panic_s: u32,
    pub(super) averaging: Averaging,
    pub(super) spec: Spec,
    pub(super) scale_down_delay: Span,
    pub(super) to_zero: ToZero,
    pub(super) bounds: Bounds,
    pub(super) metric_lag: Span,
    pub(super) stale_after: Span,
    /// Most seconds that one decision fills: those of [`Self::stale_after`], at most the stable window.
    pub(super) most_held_s: i64,
}

/// What it remembers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KpaState {
    windows: Windows,
    memory: Memory,
    /// The youngest sample.
    held: Option<Held>,
    /// The last decision and the activity then; `None` before the first.
    past: Option<Past>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Past {
    decided_at: Timestamp,
    activity: Activity,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Held {
    sampled_at: Timestamp,
    appeared_at: Timestamp,
    value: f64,
}

/// When a decision is made, and what of.
#[derive(Clone, Copy)]
struct Moment {
    now: Timestamp,
    ready: u32,
    spec_replicas: u32,
}

impl Kpa {
    fn empty(&self) -> KpaState {
        KpaState {
            windows: Windows::new(self.stable_s, self.panic_s),
            memory: Memory::new(Timestamp::ZERO, 0, self.scale_down_delay),
            held: None,
            past: None,
        }
    }

    /// The state to go on with: a new one if this one is of another configuration or lies too far in the future.
    fn align(&self, now: Timestamp, state: &mut KpaState) {
        let slots = DelayWindow::slots_of(self.scale_down_delay);
        let fits = state.windows.fit(self.stable_s, self.panic_s) && state.memory.delay_slots() == slots;
        let ahead = |past: &Past| past.decided_at.since(now) > self.spec.stable_window;
        if !fits || state.past.as_ref().is_some_and(ahead) {
            *state = self.empty();
        }
    }

    /// The youngest value of the metric, if any is visible.
    fn sample(&self, seen: &Observation, ready: u32) -> Option<Sample> {
        let arrivals = seen.arrival_rate();
        match self.metric {
            Metric::Rps => arrivals,
            Metric::Concurrency => {
                let in_flight = seen.metrics.get(Feature::HttpRequestDurationSecondsSumRate);
                if ready > 0 { in_flight } else { unserved(in_flight, arrivals) }
            }
        }
    }

    /// Keeps the youngest sample. It counts from its first appearance, so that a slow pipeline is not stale for ever; the very
    /// first one from when it should have appeared.
    fn hold(&self, now: Timestamp, sample: Option<Sample>, held: &mut Option<Held>) {
        let Some(Sample { at, value }) = sample else { return };
        let appeared_at = match held {
            Some(held) if at < held.sampled_at => return,
            Some(held) if at == held.sampled_at => held.appeared_at,
            Some(_) => now,
            None => now.min(at + self.metric_lag),
        };
        *held = Some(Held { sampled_at: at, appeared_at, value: value.min(MOST) });
    }

    /// Writes what is held into every second since the last decision, while it is fresh.
    fn record(&self, now: Timestamp, state: &mut KpaState) {
        let Some(held) = state.held.filter(|held| now.since(held.appeared_at) < self.stale_after) else { return };
        let now_s = second_of(now);
        let last_s = state.past.map_or(now_s - 1, |past| second_of(past.decided_at));
        let last_s = last_s.max(state.windows.last_write_s().unwrap_or(last_s)).max(now_s - self.most_held_s);
        state.windows.fill(last_s + 1..=now_s, held.value);
    }

    /// What the decider says to the windows; `None` without data.
    fn decide(&self, Moment { now, ready, .. }: Moment, state: &mut KpaState) -> Option<Scale> {
        let now_s = second_of(now);
        if state.windows.is_empty(now_s) {
            return None;
        }
        let averages = state.windows.averages(now_s, self.averaging);
        Some(self.spec.decide(now, ready, averages, &mut state.memory))
    }

    /// What the reconciler makes of a decision: bounds, and no haste on the way to zero.
    fn apply(&self, moment: Moment, scale: &Scale, activity: &mut Activity) -> Proposal {
        let Moment { now, ready, spec_replicas } = moment;
        let desired = u32::try_from(scale.desired_pods).unwrap_or(0);
        let replicas = self.bounds.clamp(desired);
        let wanted = Wanted { ready, replicas, excess_burst_capacity: scale.excess_burst_capacity };
        match activity.settle(now, &self.to_zero, wanted) {
            None => Proposal::none(Reason::Cooldown),
            Some(written) if spec_replicas == 0 && written > 0 => Proposal::of(written, Reason::Activation),
            Some(written) if written != replicas => Proposal::of(written, Reason::Cooldown),
            Some(written) if replicas != desired => Proposal::of(written, Reason::Bounded),
            Some(written) => Proposal::of(written, reason(scale)),
        }
    }
}

impl Policy for Kpa {
    type State = KpaState;

    fn initial_state(&self) -> KpaState {
        self.empty()
    }

    fn step(&self, now: Timestamp, view: &View<'_>, state: &mut KpaState) -> Proposal {
        let seen = view.observation;
        let moment = Moment { now, ready: ready_pods(seen, now), spec_replicas: seen.spec_replicas };
        self.align(now, state);
        let mut activity = found(moment, state);
        self.hold(now, self.sample(seen, moment.ready), &mut state.held);
        self.record(now, state);
        let proposal = match self.decide(moment, state) {
            Some(scale) => self.apply(moment, &scale, &mut activity),
            None => Proposal::none(Reason::MetricMissing),
        };
        state.past = Some(Past { decided_at: now, activity });
        proposal
    }

    fn cadence(&self) -> Option<Span> {
        Some(SLOT)
    }
}

/// The activity as it was left, or, before the first decision, as the workload is found.
fn found(Moment { now, ready, spec_replicas }: Moment, state: &mut KpaState) -> Activity {
    if let Some(past) = state.past {
        return past.activity;
    }
    state.memory.start(now, ready);
    Activity::found(now, spec_replicas, ready)
}

/// Requests in flight without a pod that could serve them: what the activator holds, at least one if any arrive.
fn unserved(in_flight: Option<Sample>, arrivals: Option<Sample>) -> Option<Sample> {
    let Some(arrivals) = arrivals else { return in_flight };
    let held = if arrivals.value > 0.0 { 1.0 } else { 0.0 };
    let value = in_flight.map_or(held, |in_flight| in_flight.value.max(held));
    Some(Sample { at: arrivals.at, value })
}

fn ready_pods(seen: &Observation, now: Timestamp) -> u32 {
    match &seen.pods {
        Pods::Homogeneous(counts) => counts.ready,
        each @ Pods::Each(_) => each.counts(now).ready,
    }
}

const fn reason(scale: &Scale) -> Reason {
    if scale.panicking {
        Reason::Panic
    } else if scale.delayed {
        Reason::Stabilised
    } else if scale.rate_limited {
        Reason::RateLimited
    } else {
        Reason::Load
    }
}

const fn second_of(moment: Timestamp) -> i64 {
    moment.micros().div_euclid(1_000_000)
}
