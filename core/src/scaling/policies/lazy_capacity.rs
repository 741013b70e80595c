//! `lazy-capacity`: stay, unless hindsight says that staying was wrong (Lazy Capacity Provisioning, LCP).
//!
//! After every slot there are two optima of the past in hindsight: one with the cost of change paid on the way up, whose last
//! value is the lower bound x^L, and one with it paid on the way down, whose last value is the upper bound x^U. The rule keeps
//! its replicas as long as they lie between the two, else goes to the nearer one. For convex slot costs it pays at most three
//! times what the offline optimum pays, for slot costs and changes together, and no rule that looks at nothing ahead can
//! promise less than three among deterministic ones (Albers and Quedenfeld).
//!
//! **Slot cost.** x replicas for the slot + κ × bad requests at the observed rate, by [`waiting`](crate::scaling)'s formula over
//! the lower bound of capacity, as its lower convex envelope in x: where everything is bad the true curve is flat, and the
//! guarantee needs it convex, so there a replica saves its share of the requests. **Cost of change**, up and down together:
//! the lead time (a pod is paid and does not serve) + `switch_s`. The rule knows no lead time otherwise and looks at nothing
//! ahead: it is late by the lead time at every rise, and the theorem speaks of its own costs, not of protocol P1's.
//!
//! **State.** The value function of the prefix (least cost of all plans that end in x) is convex; only its slopes are kept.
//! With the cost β of change paid up, a step clips them to 0..=β, which is the min over all changes, and adds the slopes of the
//! slot cost; paid down, the value function is the same less βx. So x^L counts the slopes below 0, x^U those up to β, and a
//! step is one pass over the levels. Slopes are kept as the bits of doubles: a restart changes nothing.
//!
//! A slot counts once; a lost one charges the next with its time.
//!
//! # Deviations
//! 1. Slot costs are the lower convex envelope of the waiting formula, which is flat and not convex where everything is bad.
//! 2. The lead time is a cost of change: a pod that was just asked for counts as serving.
//! 3. Plans begin with the replicas that are there, not with none.
//!
//! Sources: Lin, Wierman, Andrew, Thereska, "Dynamic right-sizing for power-proportional data centers", INFOCOM 2011; Albers,
//! Quedenfeld, "Optimal algorithms for right-sizing data centers", SPAA 2018 (whole numbers).

mod bounds;

use serde::{Deserialize, Serialize};

use self::bounds::Hindsight;
use super::{GuardProfile, Ingredients, PolicyRow, in_range};
use crate::observe::{Bounds, Sample};
use crate::scaling::config::{self, ConfigError};
use crate::scaling::policy::{DynPolicy, Policy, Proposal, Reason, View};
use crate::scaling::waiting::{self, WaitModel};
use crate::time::{Span, Timestamp};

const ID: &str = "lazy-capacity";
/// A level takes 16 bytes of the state, which may have 16 KiB.
const MOST_REPLICAS: u32 = 1_000;
/// Lost slots beyond this many are not charged to the next one.
const MOST_SLOTS_AT_ONCE: i64 = 4;
/// Longest lead time that is taken seriously.
const LONGEST_LEAD: Span = Span::from_secs(3_600);

/// Its row.
pub(super) const ROW: PolicyRow = PolicyRow {
    id: ID,
    summary: "stays between the two optima of the past, 3-competitive, no look-ahead",
    sources: &["Lin, Wierman, Andrew, Thereska, INFOCOM 2011", "Albers, Quedenfeld, SPAA 2018"],
    deviations: &[
        "slot costs are the lower convex envelope of the waiting formula, which is flat and not convex where everything is bad",
        "the lead time is a cost of change: a pod that was just asked for counts as serving",
        "plans begin with the replicas that are there, not with none",
    ],
    needs_forecast: false,
    needs_weights: false,
    guard: GuardProfile::Full,
    default_config: super::default_config::<Config>,
    build,
};

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    /// Pod-seconds that a bad request is worth, 0 to 1,000.
    kappa: f64,
    /// Pod-seconds that a pod's start and later removal cost besides its lead time, 0 to 3,600.
    switch_s: f64,
}

impl Default for Config {
    /// Protocol P1: 5 per change, twice, and 5 s of termination.
    fn default() -> Self {
        Self { kappa: 1.0, switch_s: 15.0 }
    }
}

fn build(config: &serde_json::Value, ingredients: &Ingredients<'_>) -> Result<Box<dyn DynPolicy>, ConfigError> {
    let config: Config = config::parse(ID, config)?;
    in_range(ID, "kappa", config.kappa, 0.0..=1_000.0, "0 to 1000")?;
    in_range(ID, "switch_s", config.switch_s, 0.0..=3_600.0, "0 to 3600")?;
    let workload = ingredients.workload;
    if workload.bounds.max > MOST_REPLICAS {
        let key = "greatest number of replicas";
        return Err(ConfigError::Range { id: ID, key, got: workload.bounds.max.to_string(), allowed: "at most 1000" });
    }
    Ok(Box::new(LazyCapacity {
        config,
        waits: WaitModel::of(workload),
        bounds: workload.bounds,
        slot: workload.scrape_interval.max(Span::from_secs(1)),
    }))
}

struct LazyCapacity {
    config: Config,
    waits: WaitModel,
    bounds: Bounds,
    slot: Span,
}

/// What it remembers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Memory {
    hindsight: Hindsight,
    /// Replicas that it chose last.
    chosen: Option<u32>,
    /// End of the last slot that was folded in.
    seen_until: Option<Timestamp>,
}

impl Policy for LazyCapacity {
    type State = Memory;

    fn initial_state(&self) -> Memory {
        Memory { hindsight: Hindsight::with_room(self.changes()), chosen: None, seen_until: None }
    }

    fn step(&self, now: Timestamp, view: &View<'_>, memory: &mut Memory) -> Proposal {
        let sample = view.observation.arrival_rate();
        let rate = sample.and_then(|sample| waiting::sound_rate(sample.value));
        let (Some(sample), Some(rate), Some(capacity)) = (sample, rate, waiting::sound_capacity(view.capacity)) else {
            return Proposal::none(Reason::MetricMissing);
        };
        let Some(slot) = self.fresh(sample, memory.seen_until.filter(|seen| *seen <= now)) else {
            // Nothing new: what was chosen stands.
            return Proposal { replicas: memory.chosen, ..Proposal::none(Reason::Hold) };
        };
        let beta = view.lead_time.max(Span::ZERO).min(LONGEST_LEAD).as_secs_f64() + self.config.switch_s;
        let before = self.before(view.observation.spec_replicas, beta, memory);
        memory.seen_until = Some(sample.at);
        let slopes = self.slot_slopes(rate, capacity, slot.as_secs_f64());
        let (lower, upper) = memory.hindsight.fold(&slopes[..self.changes()], beta);
        let chosen = before.clamp(self.bounds.min + lower, self.bounds.min + upper);
        memory.chosen = Some(chosen);
        Proposal::of(chosen, if chosen == before { Reason::Hold } else { Reason::Load })
    }
}

impl LazyCapacity {
    /// Number of steps between levels, from the least to the greatest number of replicas.
    fn changes(&self) -> usize {
        usize::try_from(self.bounds.max.saturating_sub(self.bounds.min)).unwrap_or(0)
    }

    /// Time of the sample that was not yet charged; `None` if the sample is known. What was seen in the future (a clock that
    /// was set back) does not count.
    fn fresh(&self, sample: Sample, seen_until: Option<Timestamp>) -> Option<Span> {
        let Some(seen) = seen_until else { return Some(self.slot) };
        let elapsed = sample.at.since(seen);
        (elapsed > Span::ZERO).then(|| elapsed.min(self.slot * MOST_SLOTS_AT_ONCE))
    }

    /// The replicas chosen last; at the very beginning those that are there, and all plans begin with them.
    fn before(&self, spec_replicas: u32, beta: f64, memory: &mut Memory) -> u32 {
        let fits = memory.hindsight.levels() == self.changes();
        if let Some(chosen) = memory.chosen.filter(|_| fits) {
            return self.bounds.clamp(chosen);
        }
        let present = self.bounds.clamp(spec_replicas);
        let above_least = usize::try_from(present - self.bounds.min).unwrap_or(0);
        memory.hindsight.begin_at(above_least, self.changes(), beta);
        present
    }

    /// What one replica more changes in the cost of a slot, from the least number of replicas on; ascending.
    fn slot_slopes(&self, rate: f64, capacity: f64, slot_s: f64) -> [f64; MOST_REPLICAS as usize] {
        let mut slopes = [slot_s; MOST_REPLICAS as usize];
        let price = slot_s * self.config.kappa * rate;
        // The last point of the chord that leads from "everything is bad without pods" to the curve.
        let (mut touch, mut chord) = (self.bounds.max, -capacity / rate);
        let mut sweep = self.waits.sweep([rate], capacity);
        let least = crate::math::ceil_to_u32(rate / capacity).max(1);
        let mut before = 1.0;
        for pods in least..=self.bounds.max {
            let share = sweep.shares(pods)[0];
            let (steps, candidate) = (share - before, (share - 1.0) / f64::from(pods));
            if pods == least || candidate < chord && touch == pods - 1 {
                (touch, chord) = (pods, candidate);
            } else if let Some(i) = self.index_below(pods) {
                slopes[i] = slot_s + price * steps.min(0.0);
            }
            before = share;
            if share < 1e-15 {
                break;
            }
        }
        for pods in self.bounds.min + 1..=touch {
            if let Some(i) = self.index_below(pods) {
                slopes[i] = slot_s + if rate > 0.0 { price * chord } else { 0.0 };
            }
        }
        for i in 1..slopes.len() {
            // Convex but for rounding.
            slopes[i] = slopes[i].max(slopes[i - 1]);
        }
        slopes
    }

    /// Index of the slope from `pods − 1` to `pods`.
    fn index_below(&self, pods: u32) -> Option<usize> {
        pods.checked_sub(self.bounds.min + 1).and_then(|index| usize::try_from(index).ok())
    }
}

#[cfg(test)]
mod tests;
