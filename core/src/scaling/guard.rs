//! The guard: one total, idempotent function between a proposal and the world.

use serde::{Deserialize, Serialize};

use super::policy::{Proposal, View};
use crate::observe::Bounds;
use crate::time::Timestamp;

/// A rule of the guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// Load metric older than three scrapes, or missing that long: keep what is there.
    StaleMetrics,
    /// Never fewer than ceil(rate / (0.85 × capacity)).
    ReactiveFloor,
    /// No shrinking below the largest wish of the window.
    Stabilisation,
    /// At most so many more or fewer per period.
    RateLimit,
    /// Minimum and maximum.
    Bounds,
}

impl Rule {
    /// Label for reasons and metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::StaleMetrics => "guard-stale-metrics",
            Self::ReactiveFloor => "guard-reactive-floor",
            Self::Stabilisation => "guard-stabilisation",
            Self::RateLimit => "guard-rate-limit",
            Self::Bounds => "guard-bounds",
        }
    }
}

/// Most rules that can change one proposal.
pub const STAGE_LIMIT: usize = 5;

/// The rules that changed a proposal, in order, with what each made of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stages {
    changes: [Option<(Rule, u32)>; STAGE_LIMIT],
}

impl Stages {
    /// The rules that changed something, with the replicas after each.
    pub fn iter(&self) -> impl Iterator<Item = (Rule, u32)> + '_ {
        self.changes.iter().flatten().copied()
    }

    /// The rule that changed the proposal last.
    #[must_use]
    pub fn last_change(&self) -> Option<Rule> {
        self.iter().last().map(|(rule, _)| rule)
    }

    fn note(&mut self, rule: Rule, before: u32, after: u32) -> u32 {
        if before != after && let Some(free) = self.changes.iter_mut().find(|slot| slot.is_none()) {
            *free = Some((rule, after));
        }
        after
    }
}

/// The guard of one workload.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Guard {
    bounds: Bounds,
}

/// What the guard remembers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GuardState {}

impl Guard {
    /// Bounds and nothing else: for reproductions of other systems, which run exact.
    #[must_use]
    pub const fn bounds_only(bounds: Bounds) -> Self {
        Self { bounds }
    }

    /// Replicas to ask for, and the rules that had a part in it.
    pub fn apply(&self, _now: Timestamp, view: &View<'_>, proposal: &Proposal, _state: &mut GuardState) -> (u32, Stages) {
        let mut stages = Stages::default();
        let wish = proposal.replicas.unwrap_or(view.observation.spec_replicas);
        let replicas = stages.note(Rule::Bounds, wish, self.bounds.clamp(wish));
        (replicas, stages)
    }
}
