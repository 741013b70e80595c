//! The contract of a scaling policy, and its type-erased form for registries.
//!
//! A policy is a pure function of `(now, view, state)`: deterministic, total on missing and extreme input. It proposes; the
//! guard decides. State is bounded ([`STATE_LIMIT_BYTES`]), serialisable and restored by [`DynPolicy::restore`].
//!
//! A [`View`] is the observation together with what the autoscaler derived from it for all policies alike: the capacity
//! estimate, the lead time and the forecast. No policy estimates these for itself, so all of them know the same.

use core::any::Any;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::config::ConfigError;
use super::forecast::Quantiles;
use crate::observe::{CapacityEstimate, Observation};
use crate::time::{Span, Timestamp};

/// Most bytes that the serialised state of a policy may take.
pub const STATE_LIMIT_BYTES: usize = 16 * 1024;

/// Why a policy proposes what it proposes: a closed set, so that it can label metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The plan follows from the load that was seen.
    Load,
    /// The plan follows from the forecast.
    Forecast,
    /// The plan is constant.
    Fixed,
    /// The metric is within tolerance of its target.
    WithinTolerance,
    /// A recent recommendation still holds.
    Stabilised,
    /// A rate limit of the policy itself cut the change.
    RateLimited,
    /// The policy's own bounds cut the wish.
    Bounded,
    /// The policy chose to keep what is there.
    Hold,
    /// A metric that the policy needs is missing.
    MetricMissing,
    /// The workload is scaled to zero and not to be touched.
    Disabled,
    /// A burst: the short window asks for much more than is there, and nothing is given back.
    Panic,
    /// Activity wakes the workload from zero or from its idle size.
    Activation,
    /// Nothing is active, but not yet for long enough.
    Cooldown,
    /// The metric fails and a configured fallback stands in for it.
    Fallback,
    /// A schedule asks for it.
    Scheduled,
    /// Somebody paused scaling in this direction.
    Paused,
}

/// What a policy wants.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    /// Replicas wanted; `None` has no wish and keeps what is there.
    pub replicas: Option<u32>,
    /// Why.
    pub reason: Reason,
    /// The forecast that was used, if any.
    pub forecast: Option<Quantiles>,
    /// Index of the discrete action that was chosen, for learned policies.
    pub action: Option<u8>,
}

impl Proposal {
    /// A wish without forecast or action.
    #[must_use]
    pub const fn of(replicas: u32, reason: Reason) -> Self {
        Self { replicas: Some(replicas), reason, forecast: None, action: None }
    }

    /// No wish.
    #[must_use]
    pub const fn none(reason: Reason) -> Self {
        Self { replicas: None, reason, forecast: None, action: None }
    }
}

/// One complete slot of the past, as it is replayed to warm a state up (series history, or a metrics range query).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PastSlot {
    /// End of the slot.
    pub end: Timestamp,
    /// Length of the slot.
    pub length: Span,
    /// Offered requests per second over the slot; `None` is missing.
    pub arrival_rate: Option<f64>,
}

/// What a policy sees: the observation and the estimates made from it and its predecessors.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// What was observed.
    pub observation: &'a Observation,
    /// What one ready pod can serve; `None` until it can be estimated.
    pub capacity: Option<CapacityEstimate>,
    /// Start-up lead time to plan for.
    pub lead_time: Span,
    /// The forecast, for policies built with a forecaster.
    pub forecast: Option<&'a Quantiles>,
}

/// Anything that can be the state of a policy or forecaster.
pub trait StateData: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {}
impl<T: Clone + Serialize + DeserializeOwned + Send + Sync + 'static> StateData for T {}

/// A scaling policy.
pub trait Policy: Send + Sync + 'static {
    /// What it remembers between decisions.
    type State: StateData;

    /// The state before anything was seen.
    fn initial_state(&self) -> Self::State;

    /// Proposes replicas from what is known at `now`.
    fn step(&self, now: Timestamp, view: &View<'_>, state: &mut Self::State) -> Proposal;

    /// Folds one slot of the past into the state without deciding. Slots come in order of time.
    fn absorb(&self, _slot: &PastSlot, _state: &mut Self::State) {}

    /// Time between its decisions; `None` is the workload's.
    fn cadence(&self) -> Option<Span> {
        None
    }
}

/// The state of an erased policy or forecaster.
pub struct State(Box<dyn ErasedState>);

trait ErasedState: Send + Sync {
    fn as_any_mut(&mut self) -> &mut dyn Any;
    fn clone_boxed(&self) -> Box<dyn ErasedState>;
    fn snapshot(&self) -> Result<serde_json::Value, serde_json::Error>;
}

impl<T: Clone + Serialize + Send + Sync + 'static> ErasedState for T {
    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
    fn clone_boxed(&self) -> Box<dyn ErasedState> {
        Box::new(self.clone())
    }
    fn snapshot(&self) -> Result<serde_json::Value, serde_json::Error> {
        serde_json::to_value(self)
    }
}

impl State {
    /// Wraps a typed state. One that wraps another strategy's state cannot be read back by its type alone: its strategy writes
    /// its own `restore`.
    #[must_use]
    pub fn new<T: Clone + Serialize + Send + Sync + 'static>(state: T) -> Self {
        Self(Box::new(state))
    }

    /// The state as JSON, for a restart or a replay.
    ///
    /// # Errors
    /// If the state has a map with keys that JSON cannot hold: a bug of the policy.
    pub fn snapshot(&self) -> Result<serde_json::Value, ConfigError> {
        self.0.snapshot().map_err(|error| ConfigError::State { detail: error.to_string() })
    }

    /// The typed state.
    ///
    /// # Panics
    /// If the state was made by another policy: the caller mixed two up, which is a bug.
    #[must_use]
    pub fn typed<T: 'static>(&mut self) -> &mut T {
        #[expect(clippy::expect_used, reason = "mixing up states is a bug of the caller, not an input")]
        self.0.as_any_mut().downcast_mut().expect("the state belongs to the policy that made it")
    }
}

impl Serialize for State {
    fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        self.0.snapshot().map_err(serde::ser::Error::custom)?.serialize(out)
    }
}

impl Clone for State {
    fn clone(&self) -> Self {
        Self(self.0.clone_boxed())
    }
}

impl core::fmt::Debug for State {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("State(..)")
    }
}

/// A policy behind one type, for registries and shells. Implemented for every [`Policy`].
pub trait DynPolicy: Send + Sync {
    /// See [`Policy::initial_state`].
    fn initial_state(&self) -> State;
    /// See [`Policy::step`].
    fn step(&self, now: Timestamp, view: &View<'_>, state: &mut State) -> Proposal;
    /// See [`Policy::absorb`].
    fn absorb(&self, slot: &PastSlot, state: &mut State);
    /// See [`Policy::cadence`].
    fn cadence(&self) -> Option<Span>;
    /// A state from its snapshot.
    ///
    /// # Errors
    /// If the snapshot is not one of this policy.
    fn restore(&self, snapshot: &serde_json::Value) -> Result<State, ConfigError>;
}

impl<P: Policy> DynPolicy for P {
    fn initial_state(&self) -> State {
        State::new(Policy::initial_state(self))
    }
    fn step(&self, now: Timestamp, view: &View<'_>, state: &mut State) -> Proposal {
        Policy::step(self, now, view, state.typed())
    }
    fn absorb(&self, slot: &PastSlot, state: &mut State) {
        Policy::absorb(self, slot, state.typed());
    }
    fn cadence(&self) -> Option<Span> {
        Policy::cadence(self)
    }
    fn restore(&self, snapshot: &serde_json::Value) -> Result<State, ConfigError> {
        serde_json::from_value::<P::State>(snapshot.clone())
            .map(State::new)
            .map_err(|error| ConfigError::State { detail: error.to_string() })
    }
}
