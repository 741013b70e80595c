//! From a raw proposal to replicas: stabilisation, then rate limits and bounds, with and without `behavior`.

use super::behavior::EffectiveBehavior;
use super::memory::Memory;
use crate::time::{Span, Timestamp};

/// What a proposal is measured against.
#[derive(Clone, Copy, Debug)]
pub struct Limits<'a> {
    /// Fewest replicas.
    pub min: i32,
    /// Most replicas.
    pub max: i32,
    /// Replicas now.
    pub current: i32,
    /// The controller's window where the behaviour has none.
    pub downscale_stabilization: Span,
    /// The behaviour, if the autoscaler has one.
    pub behavior: Option<&'a EffectiveBehavior>,
}

/// Whether recent recommendations changed the proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stabilised {
    /// No.
    No,
    /// The lowest recent recommendation was taken.
    Up,
    /// The highest recent recommendation was taken.
    Down,
}

/// What limited the stabilised proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limited {
    /// Nothing.
    No,
    /// The maximum.
    TooManyReplicas,
    /// The minimum.
    TooFewReplicas,
    /// The rate of growing.
    ScaleUpLimit,
    /// The rate of shrinking.
    ScaleDownLimit,
}

/// Replicas, and what became of the proposal on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Normalised {
    /// Replicas to ask for.
    pub replicas: i32,
    /// Stabilisation.
    pub stabilised: Stabilised,
    /// Rate limits and bounds.
    pub limited: Limited,
}

impl Limits<'_> {
    /// Notes `desired` in the memory and makes replicas of it.
    pub fn normalise(&self, now: Timestamp, desired: i32, memory: &mut Memory) -> Normalised {
        match self.behavior {
            None => {
                let stable = memory.recommend(now, desired, self.downscale_stabilization);
                let stabilised = if stable == desired { Stabilised::No } else { Stabilised::Down };
                self.answer(stabilised, self.limit_plainly(stable))
            }
            Some(behavior) => {
                let stable = self.stabilise(now, desired, behavior, memory);
                let stabilised = match stable {
                    _ if stable == desired => Stabilised::No,
                    _ if desired >= self.current => Stabilised::Up,
                    _ => Stabilised::Down,
                };
                self.answer(stabilised, self.limit(now, stable, behavior, memory))
            }
        }
    }

    fn answer(&self, stabilised: Stabilised, (replicas, limited): (i32, Limited)) -> Normalised {
        Normalised { replicas, stabilised, limited }
    }

    /// Without behaviour: at most twice as many (or four), whenever that was last done.
    fn limit_plainly(&self, stable: i32) -> (i32, Limited) {
        let doubled = self.current.saturating_mul(2).max(4);
        let (most, limited) =
            if self.max > doubled { (doubled, Limited::ScaleUpLimit) } else { (self.max, Limited::TooManyReplicas) };
        if stable < self.min {
            (self.min, Limited::TooFewReplicas)
        } else if stable > most {
            (most, limited)
        } else {
            (stable, Limited::No)
        }
    }

    fn stabilise(&self, now: Timestamp, desired: i32, behavior: &EffectiveBehavior, memory: &mut Memory) -> i32 {
        let up = behavior.up.window.unwrap_or(Span::ZERO);
        let down = behavior.down.window.unwrap_or(self.downscale_stabilization);
        let recent = memory.recommend_between(now, desired, up, down);
        self.current.max(recent.least).min(recent.greatest)
    }

    fn limit(&self, now: Timestamp, stable: i32, behavior: &EffectiveBehavior, memory: &Memory) -> (i32, Limited) {
        let start = |period| memory.at_start_of(now, self.current, period);
        if stable > self.current {
            let rate = behavior.up.most(self.current, start).max(self.current);
            let (most, limited) =
                if self.max > rate { (rate, Limited::ScaleUpLimit) } else { (self.max, Limited::TooManyReplicas) };
            if stable > most { (most, limited) } else { (stable, Limited::No) }
        } else if stable < self.current {
            let rate = behavior.down.fewest(self.current, start).min(self.current);
            let (fewest, limited) =
                if self.min < rate { (rate, Limited::ScaleDownLimit) } else { (self.min, Limited::TooFewReplicas) };
            if stable < fewest { (fewest, limited) } else { (stable, Limited::No) }
        } else {
            (stable, Limited::No)
        }
    }
}
