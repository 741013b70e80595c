//! The row of `keda`: polls of the executor and syncs of the autoscaler, each when it is due.

use serde::{Deserialize, Serialize};

use super::activation::{ActiveReason, Activity, Poll};
use super::config::{Config, MOST_TRIGGERS, Parts};
use super::fallback::{Scale, Served, serve};
use super::trigger::{External, Source};
use crate::observe::{Observation, PodPhase, Pods, ReadyStatus};
use crate::scaling::config::{self, ConfigError};
use crate::scaling::policies::cron::window::Standing;
use crate::scaling::policies::hpa::adapter::{AdapterState, Synced, signed, unsigned};
use crate::scaling::policies::hpa::normalise::Limited;
use crate::scaling::policies::{GuardProfile, Ingredients, PolicyRow, default_config};
use crate::scaling::policy::{DynPolicy, Policy, Proposal, Reason, View};
use crate::time::{Span, Timestamp};

const ID: &str = "keda";
/// The autoscaler's sync period.
const SYNC: Span = Span::from_secs(15);

/// Its row.
pub(in crate::scaling::policies) const ROW: PolicyRow = PolicyRow {
    id: ID,
    summary: "KEDA: triggers that wake and idle a workload, and its HorizontalPodAutoscaler in between",
    sources: &["KEDA 2.21", "Kubernetes 1.34 horizontal pod autoscaler"],
    deviations: &[
        "Triggers are those that an observation can feed: `requests-per-second` (the `prometheus` scaler on the rate of requests), `cpu`, `cron`. No formulas, no cached metrics, no push.",
        "A missing rate is a failure; KEDA's `prometheus` scaler reads an empty answer as 0 by default, which `ignoreNullValues` of the trigger brings back.",
        "`minReplicaCount` and `maxReplicaCount` are the workload's unless given, and never beyond them.",
        "The object is created at the first decision, from which the initial cool-down counts.",
        "The autoscaler behind it has the deviations of `hpa`.",
    ],
    needs_forecast: false,
    needs_weights: false,
    guard: GuardProfile::BoundsOnly,
    default_config: default_config::<Config>,
    build,
};

fn build(config: &serde_json::Value, ingredients: &Ingredients<'_>) -> Result<Box<dyn DynPolicy>, ConfigError> {
    let config: Config = config::parse(ID, config)?;
    Ok(Box::new(Keda::new(config.build(ID, ingredients)?)))
}

struct Keda {
    parts: Parts,
    /// With a fewest of at least one and no idling, the autoscaler drives all scaling: a poll then takes what the autoscaler read
    /// last instead of reading anew.
    takes_observations: bool,
    cadence: Span,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KedaState {
    autoscaler: AdapterState,
    /// The condition `ScalingActive` of the autoscaler.
    autoscaler_active: bool,
    /// The executor's memory, from the first decision on.
    activity: Option<Activity>,
    /// The condition Active of the last poll.
    condition: Option<ActiveReason>,
    polled_at: Option<Timestamp>,
    synced_at: Option<Timestamp>,
    /// Failures in a row, by trigger.
    failures: [u32; MOST_TRIGGERS],
    /// What cron triggers asked for last, by trigger.
    windows: [Option<Standing>; MOST_TRIGGERS],
    /// What the autoscaler read last.
    observed: Observed,
}

/// What reading a trigger changes besides what was observed.
struct Counters<'a> {
    failures: &'a mut [u32; MOST_TRIGGERS],
    windows: &'a mut [Option<Standing>; MOST_TRIGGERS],
}

/// What was read of the triggers, a bit for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Observed {
    read: u8,
    active: u8,
    failed: u8,
    fallback: u8,
}

impl Observed {
    fn note(&mut self, trigger: usize, served: Option<Served>, active: bool) {
        let bit = 1 << trigger;
        let mut set = |bits: fn(&mut Self) -> &mut u8, on: bool| {
            let bits = bits(self);
            *bits = if on { *bits | bit } else { *bits & !bit };
        };
        let fallback = served.is_some_and(|served| served.is_fallback);
        set(|observed| &mut observed.read, true);
        set(|observed| &mut observed.failed, served.is_none());
        set(|observed| &mut observed.fallback, fallback);
        // A fallback counts as activity.
        set(|observed| &mut observed.active, fallback || (served.is_some() && active));
    }

    const fn has(bits: u8, trigger: usize) -> bool {
        bits & (1 << trigger) != 0
    }
}

/// One moment of reading triggers.
struct Reader<'a> {
    parts: &'a Parts,
    now: Timestamp,
    seen: &'a Observation,
}

impl Reader<'_> {
    /// Reads a trigger, counts its failures, and answers with the value that is served in thousandths.
    fn read(
        &self,
        (trigger, external): (usize, &External),
        counters: &mut Counters<'_>,
        observed: &mut Observed,
    ) -> Option<i64> {
        let reading = external.read(self.now, self.seen, counters.windows.get_mut(trigger)?);
        let milli = reading.map(|reading| reading.milli);
        let failures = counters.failures.get_mut(trigger)?;
        let served = match milli {
            // What works needs no look at the pods.
            Some(milli) => {
                *failures = 0;
                Some(Served { milli, is_fallback: false })
            }
            None => serve(self.parts.fallback.as_ref(), None, external.target, self.scale(), failures),
        };
        observed.note(trigger, served, reading.is_some_and(|reading| reading.active));
        served.map(|served| served.milli)
    }

    fn scale(&self) -> Scale {
        Scale { replicas: signed(self.seen.spec_replicas), ready_pods: signed(running_ready(&self.seen.pods)) }
    }
}

fn running_ready(pods: &Pods) -> u32 {
    match pods {
        Pods::Homogeneous(counts) => counts.ready,
        Pods::Each(pods) => pods.iter().fold(0, |ready, pod| {
            let is_ready = pod.ready.is_some_and(|condition| condition.status == ReadyStatus::True);
            ready + u32::from(pod.phase == PodPhase::Running && is_ready)
        }),
    }
}

impl Keda {
    fn new(parts: Parts) -> Self {
        let takes_observations = parts.activation.min_replicas > 0 && parts.activation.idle_replicas.is_none();
        let cadence = Span::from_micros(greatest_common_divisor(SYNC.micros(), parts.polling_interval.micros()));
        Self { parts, takes_observations, cadence }
    }

    fn reader<'a>(&'a self, now: Timestamp, seen: &'a Observation) -> Reader<'a> {
        Reader { parts: &self.parts, now, seen }
    }

    /// A poll of the executor; a proposal if it writes.
    fn poll(&self, now: Timestamp, seen: &Observation, state: &mut KedaState) -> Option<Proposal> {
        let (is_active, is_error) = self.activity(now, seen, state);
        let replicas = signed(seen.spec_replicas);
        let poll = Poll { replicas, is_active, is_error, pauses: self.parts.pauses, write_fails: false };
        let activity = state.activity.get_or_insert(Activity { created_at: now, last_active: None });
        let verdict = self.parts.activation.poll(now, &poll, activity);
        state.condition = verdict.active;
        let reason = match verdict.active {
            Some(ActiveReason::ScalerActive) => Reason::Activation,
            _ if verdict.scaled_to.is_some_and(|to| to > replicas) => Reason::Bounded,
            _ => Reason::Load,
        };
        verdict.scaled_to.map(|to| Proposal::of(unsigned(to), reason))
    }

    /// Whether some trigger is active, and whether some trigger fails.
    fn activity(&self, now: Timestamp, seen: &Observation, state: &mut KedaState) -> (bool, bool) {
        let take = self.takes_observations && state.autoscaler_active;
        let mut observed = if take { state.observed } else { Observed::default() };
        let mut externals = 0;
        let mut counters = Counters { failures: &mut state.failures, windows: &mut state.windows };
        for (i, external) in self.parts.triggers.iter().enumerate() {
            let Some(external) = external else { continue };
            externals += 1;
            if !Observed::has(observed.read, i) {
                self.reader(now, seen).read((i, external), &mut counters, &mut observed);
            }
        }
        // CPU says nothing about activity; a workload with nothing else is always active.
        (observed.active != 0 || externals == 0, observed.failed != 0)
    }

    /// A sync of the autoscaler.
    fn sync(&self, now: Timestamp, seen: &Observation, state: &mut KedaState) -> Proposal {
        let KedaState { autoscaler, failures, windows, observed, .. } = &mut *state;
        let mut counters = Counters { failures, windows };
        let reader = self.reader(now, seen);
        let synced = self.parts.adapter.sync(now, seen, autoscaler, |i| {
            let external = self.parts.triggers.get(i)?.as_ref()?;
            reader.read((i, external), &mut counters, observed)
        });
        state.autoscaler_active = synced.active.unwrap_or(state.autoscaler_active);
        let reason = self.reason(&synced, seen.spec_replicas, state);
        Synced { reason, ..synced }.proposal()
    }

    /// What only KEDA knows about the autoscaler's proposal.
    fn reason(&self, synced: &Synced, replicas: u32, state: &KedaState) -> Reason {
        let given = synced.reason;
        let pauses = self.parts.pauses;
        let stays = synced.replicas.is_none_or(|wish| wish == replicas);
        let deciding = synced.metric.filter(|_| matches!(given, Reason::Load | Reason::WithinTolerance));
        match state.condition {
            Some(ActiveReason::ScalerActive) if replicas == 0 && pauses.scale_out => Reason::Paused,
            _ if synced.limited == Limited::ScaleDownLimit && pauses.scale_in => Reason::Paused,
            _ if synced.limited == Limited::ScaleUpLimit && pauses.scale_out => Reason::Paused,
            _ if deciding.is_some_and(|i| Observed::has(state.observed.fallback, i)) => Reason::Fallback,
            _ if deciding.is_some_and(|i| self.is_window(i)) => Reason::Scheduled,
            Some(ActiveReason::ScalerCooldown) if stays => Reason::Cooldown,
            _ => given,
        }
    }

    fn is_window(&self, trigger: usize) -> bool {
        let external = self.parts.triggers.get(trigger).and_then(Option::as_ref);
        external.is_some_and(|external| matches!(external.source, Source::Window(_)))
    }
}

impl Policy for Keda {
    type State = KedaState;

    fn initial_state(&self) -> KedaState {
        KedaState {
            autoscaler: AdapterState::with_room(),
            autoscaler_active: false,
            activity: None,
            condition: None,
            polled_at: None,
            synced_at: None,
            failures: [0; MOST_TRIGGERS],
            windows: [None; MOST_TRIGGERS],
            observed: Observed::default(),
        }
    }

    fn step(&self, now: Timestamp, view: &View<'_>, state: &mut KedaState) -> Proposal {
        let seen = view.observation;
        self.parts.adapter.confirm(seen.spec_replicas, &mut state.autoscaler);
        if self.parts.pauses.all {
            return Proposal { replicas: self.parts.paused_replicas, ..Proposal::none(Reason::Paused) };
        }
        if is_due(state.polled_at, now, self.parts.polling_interval) {
            state.polled_at = Some(now);
            if let Some(proposal) = self.poll(now, seen, state) {
                return proposal;
            }
        }
        if is_due(state.synced_at, now, SYNC) {
            state.synced_at = Some(now);
            return self.sync(now, seen, state);
        }
        Proposal::none(Reason::Hold)
    }

    fn cadence(&self) -> Option<Span> {
        Some(self.cadence)
    }
}

/// Whether `interval` has passed since `last`; also if the clock went back.
fn is_due(last: Option<Timestamp>, now: Timestamp, interval: Span) -> bool {
    last.is_none_or(|last| now < last || now.since(last) >= interval)
}

const fn greatest_common_divisor(mut a: i64, mut b: i64) -> i64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}
