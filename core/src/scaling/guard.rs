//! The guard: one total, idempotent function between a proposal and the world.
//!
//! Rules apply in this order: stale-metric hold, reactive floor, stabilisation, rate limit, bounds. Each rule that changes the
//! wish names itself in [`Stages`]. Total: any proposal, view and state give an answer within bounds. Idempotent: the guard's
//! own answer, proposed again at the same moment, comes out unchanged. State is of fixed size; nothing is allocated.
//!
//! The numbers of the default are protocol P1's: floor at a utilisation of 0.85, the horizontal autoscaler's default rates,
//! 60 s of stabilisation downwards, stale after three missed scrapes. Reproductions of other systems run exact, with
//! [`Guard::bounds_only`].

pub(super) mod window;

use serde::{Deserialize, Serialize};

use self::window::Window;
use super::config::ConfigError;
use super::policy::{Proposal, View};
use crate::math;
use crate::observe::{Bounds, Sample, Workload};
use crate::time::{Span, Timestamp};

/// A rule of the guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// No new load sample for three scrapes: keep what is there. Missing at this moment: do not shrink.
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
}

/// Who is told what a rule made of a wish.
trait Noting {
    fn note(&mut self, rule: Rule, before: u32, after: u32) -> u32;
}

impl Noting for Stages {
    fn note(&mut self, rule: Rule, before: u32, after: u32) -> u32 {
        if before != after
            && let Some(free) = self.changes.iter_mut().find(|slot| slot.is_none())
        {
            *free = Some((rule, after));
        }
        after
    }
}

/// Nobody: training asks for the answer alone.
struct Nobody;

impl Noting for Nobody {
    #[inline]
    fn note(&mut self, _: Rule, _: u32, after: u32) -> u32 {
        after
    }
}

/// What the guard looks at beside a wish.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Guarded {
    /// Replicas asked for.
    pub present: u32,
    /// The newest load sample that is visible.
    pub load: Option<Sample>,
    /// Best estimate of a pod's capacity in requests per second.
    pub capacity_mean: Option<f64>,
}

/// Settings of the full guard; the default is protocol P1's guard of learned policies.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct GuardConfig {
    /// Utilisation of the reactive floor, in (0, 1]; `None` switches the floor off.
    pub reactive_floor_utilisation: Option<f64>,
    /// Growth allowed per rate period, in percent of the replicas at its start.
    pub up_percent: u32,
    /// Growth allowed per rate period, in pods; the larger of the two holds.
    pub up_pods: u32,
    /// Shrinking allowed per rate period, in percent of the replicas at its start (100 is no limit).
    pub down_percent: u32,
    /// Length of the rate period in seconds, 1 to 3,600.
    pub rate_period_s: u32,
    /// Window in seconds whose largest wish holds replicas up, 0 to 3,600.
    pub down_stabilisation_s: u32,
    /// Scrapes without a new load sample after which everything holds, 1 to 1,000.
    pub stale_after_scrapes: u32,
}

impl Default for GuardConfig {
    fn default() -> Self {
        Self {
            reactive_floor_utilisation: Some(0.85),
            up_percent: 100,
            up_pods: 4,
            down_percent: 100,
            rate_period_s: 15,
            down_stabilisation_s: 60,
            stale_after_scrapes: 3,
        }
    }
}

impl GuardConfig {
    fn check(&self) -> Result<(), ConfigError> {
        let refuse = |key, got: String, allowed| Err(ConfigError::Range { id: "guard", key, got, allowed });
        match self.reactive_floor_utilisation {
            Some(u) if !(u > 0.0 && u <= 1.0) => {
                return refuse("reactive_floor_utilisation", u.to_string(), "over 0, at most 1, or null for no floor");
            }
            _ => {}
        }
        if self.down_percent > 100 {
            return refuse("down_percent", self.down_percent.to_string(), "0 to 100");
        }
        if !(1..=3_600).contains(&self.rate_period_s) {
            return refuse("rate_period_s", self.rate_period_s.to_string(), "1 to 3600");
        }
        if self.down_stabilisation_s > 3_600 {
            return refuse("down_stabilisation_s", self.down_stabilisation_s.to_string(), "0 to 3600");
        }
        if !(1..=1_000).contains(&self.stale_after_scrapes) {
            return refuse("stale_after_scrapes", self.stale_after_scrapes.to_string(), "1 to 1000");
        }
        Ok(())
    }
}

/// The guard of one workload.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Guard {
    bounds: Bounds,
    full: Option<Full>,
}

/// Settings of the rules beyond the bounds, in the units in which they are used.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Full {
    config: GuardConfig,
    stale_after: Span,
    metric_lag: Span,
    rate_period: Span,
    stabilisation: Span,
}

/// What the guard remembers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuardState {
    load: Option<LoadSeen>,
    wishes: Window,
    replicas: Window,
}

/// The newest load sample that was seen, and when it appeared.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct LoadSeen {
    sample_at: Timestamp,
    appeared_at: Timestamp,
}

impl Guard {
    /// Bounds and nothing else: for reproductions of other systems, which run exact. A `max` below `min` counts as `min`.
    #[must_use]
    pub const fn bounds_only(bounds: Bounds) -> Self {
        let max = if bounds.max < bounds.min { bounds.min } else { bounds.max };
        Self { bounds: Bounds { min: bounds.min, max }, full: None }
    }

    /// All rules.
    ///
    /// # Errors
    /// If a setting is out of its range.
    pub fn full(workload: &Workload, config: &GuardConfig) -> Result<Self, ConfigError> {
        config.check()?;
        let full = Full {
            config: *config,
            stale_after: workload.scrape_interval * i64::from(config.stale_after_scrapes),
            metric_lag: workload.metric_lag,
            rate_period: Span::from_secs(i64::from(config.rate_period_s)),
            stabilisation: Span::from_secs(i64::from(config.down_stabilisation_s)),
        };
        Ok(Self { full: Some(full), ..Self::bounds_only(workload.bounds) })
    }

    /// The bounds it keeps.
    #[must_use]
    pub const fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// Replicas to ask for, and the rules that had a part in it.
    pub fn apply(&self, now: Timestamp, view: &View<'_>, proposal: &Proposal, state: &mut GuardState) -> (u32, Stages) {
        let guarded = Guarded {
            present: view.observation.spec_replicas,
            load: view.observation.arrival_rate(),
            capacity_mean: view.capacity.map(|capacity| capacity.mean),
        };
        let mut stages = Stages::default();
        let replicas = self.pass(now, &guarded, proposal.replicas, (state, &mut stages));
        (replicas, stages)
    }

    /// The replicas of [`Guard::apply`] alone, for whoever has no observation: the environments of learners.
    #[inline]
    pub fn replicas(&self, now: Timestamp, guarded: &Guarded, wish: Option<u32>, state: &mut GuardState) -> u32 {
        self.pass(now, guarded, wish, (state, &mut Nobody))
    }

    #[inline]
    fn pass(
        &self,
        now: Timestamp,
        guarded: &Guarded,
        wish: Option<u32>,
        (state, stages): (&mut GuardState, &mut impl Noting),
    ) -> u32 {
        let wish = wish.unwrap_or(guarded.present);
        let wish = match &self.full {
            Some(full) => full.apply(now, guarded, wish, (state, stages)),
            None => wish,
        };
        stages.note(Rule::Bounds, wish, self.bounds.clamp(wish))
    }
}

impl Full {
    #[inline]
    fn apply(
        &self,
        now: Timestamp,
        guarded: &Guarded,
        wish: u32,
        (state, stages): (&mut GuardState, &mut impl Noting),
    ) -> u32 {
        let present = guarded.present;
        let held = self.hold(now, guarded, wish, state);
        let mut replicas = stages.note(Rule::StaleMetrics, wish, held.unwrap_or(wish));
        if held.is_none() {
            replicas = stages.note(Rule::ReactiveFloor, replicas, replicas.max(self.floor(guarded)));
        }
        let stabilised = self.stabilise(now, present, replicas, &mut state.wishes);
        replicas = stages.note(Rule::Stabilisation, replicas, stabilised);
        let limited = self.limit(now, present, replicas, &mut state.replicas);
        stages.note(Rule::RateLimit, replicas, limited)
    }

    /// What to do instead of `wish` while the load is not known; `None` while it is.
    fn hold(&self, now: Timestamp, guarded: &Guarded, wish: u32, state: &mut GuardState) -> Option<u32> {
        let Guarded { present, load: sample, .. } = *guarded;
        if let Some(sample) = sample {
            state.load = Some(self.seen(now, sample.at, state.load));
        }
        match state.load {
            Some(load) if now.since(load.appeared_at) < self.stale_after => sample.is_none().then(|| wish.max(present)),
            _ => Some(present),
        }
    }

    /// A sample counts from its first appearance, so that a pipeline slower than was said is not stale for ever; the very first
    /// one counts from when it should have appeared.
    fn seen(&self, now: Timestamp, sample_at: Timestamp, before: Option<LoadSeen>) -> LoadSeen {
        match before {
            Some(load) if sample_at <= load.sample_at => load,
            Some(_) => LoadSeen { sample_at, appeared_at: now },
            None => LoadSeen { sample_at, appeared_at: now.min(sample_at + self.metric_lag) },
        }
    }

    fn floor(&self, guarded: &Guarded) -> u32 {
        match (self.config.reactive_floor_utilisation, guarded.load, guarded.capacity_mean) {
            (Some(utilisation), Some(rate), Some(capacity)) if capacity > 0.0 => {
                math::ceil_to_u32(rate.value / (utilisation * capacity))
            }
            _ => 0,
        }
    }

    fn stabilise(&self, now: Timestamp, present: u32, wish: u32, wishes: &mut Window) -> u32 {
        if self.stabilisation == Span::ZERO {
            return wish;
        }
        if wishes.is_empty() {
            // As the horizontal autoscaler does after a start: what is there was somebody's wish.
            wishes.push_keeping_greatest(now, present, self.stabilisation);
        }
        wishes.push_keeping_greatest(now, wish, self.stabilisation);
        if wish >= present { wish } else { wish.max(present.min(wishes.first().unwrap_or(wish))) }
    }

    fn limit(&self, now: Timestamp, present: u32, wish: u32, replicas: &mut Window) -> u32 {
        replicas.push_keeping_first(now, present, self.rate_period);
        let start = replicas.first().unwrap_or(present);
        if wish > present { wish.min(self.most(start).max(present)) } else { wish.max(self.fewest(start).min(present)) }
    }

    fn most(&self, start: u32) -> u32 {
        let percent = (u64::from(start) * u64::from(self.config.up_percent)).div_ceil(100);
        start.saturating_add(u32::try_from(percent).unwrap_or(u32::MAX).max(self.config.up_pods))
    }

    fn fewest(&self, start: u32) -> u32 {
        let left = u64::from(start) * u64::from(100 - self.config.down_percent) / 100;
        u32::try_from(left).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests;
