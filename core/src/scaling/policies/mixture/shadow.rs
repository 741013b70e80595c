//! The world of one member: as many pods as its own wishes made, on a grid of 15 s.
//!
//! A pod that is asked for serves after the mean of the start-ups that were seen (before any, after the lead time that is planned
//! with), to the nearest tick; removed pods are gone at once, starting ones first, youngest first. The bill: pods, 5 per
//! change, 5 s of termination per removed pod, κ × bad requests by the waiting formula at the observed rate of the slot and the
//! best estimate of capacity. A slot is priced with the pods of that slot, not of now (metrics are late).
//!
//! A judge has other needs than a planner: the lead time that is planned with (P97.5) and the lower bound of capacity would make
//! careful members look better than they are.
//!
//! Where this errs: no backlog (a member that lets the load pile up pays too little afterwards); one start-up time for all pods;
//! the counts of a slot scatter around the rate, and waiting is convex in it; members have no guard here, though the mean of
//! their wishes will. Members are judged alike, so only differences in how much each suffers from these matter.

use serde::{Deserialize, Serialize};

use crate::observe::{Bounds, Observation, PodCounts, START_UP_BUCKET, START_UP_BUCKETS};
use crate::scaling::waiting::WaitModel;
use crate::time::Span;

/// The grid.
pub(super) const TICK: Span = START_UP_BUCKET;
/// Longest lead time in ticks: 6 minutes.
const MOST_TICKS: usize = 24;
/// Ticks that are remembered: a lag of up to 2 minutes.
const REMEMBERED: usize = 8;
/// Longer start-ups count as this.
const LONGEST_START_UP: Span = Span::from_secs(3_600);
/// So many start-ups at once leave nothing of the mean before.
const KEPT_ALL: usize = 1_000;
const CHANGE_COST: f64 = 5.0;
const TERMINATION_COST: f64 = 5.0;

/// What things cost, in pod-seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prices {
    pub(super) kappa: f64,
    pub(super) waits: WaitModel,
}

impl Prices {
    /// Cost per second of `pods`, of which `ready` serve.
    pub(super) fn per_second(&self, pods: u32, ready: u32, rate: f64, capacity: f64) -> f64 {
        f64::from(pods) + self.kappa * rate * self.waits.bad_share(ready, rate, capacity)
    }
}

/// Start-up times that were seen: their mean, of which the last 16 make up two thirds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StartUps {
    mean_s: Option<f64>,
}

impl StartUps {
    /// Folds in those that were just seen, in whatever order, and answers with the mean; `prior` is for none ever.
    pub(super) fn update(&mut self, seen: &[Span], prior: Span) -> Span {
        if !seen.is_empty() {
            // Whole numbers: their sum does not depend on the order.
            let micros: i64 = seen.iter().map(|span| span.micros().clamp(0, LONGEST_START_UP.micros())).sum();
            let mean_s = Span::from_micros(micros).as_secs_f64() / seen.len() as f64;
            let kept = (0..seen.len().min(KEPT_ALL)).fold(1.0, |kept, _| kept * (15.0 / 16.0));
            self.mean_s = Some(self.mean_s.map_or(mean_s, |before| mean_s + kept * (before - mean_s)));
        }
        self.mean_s.map_or(prior, Span::from_secs_f64)
    }
}

/// The pods; see the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct World {
    ready: u32,
    /// Starting pods by age in ticks.
    starting: [u32; MOST_TICKS],
    /// All and ready pods during the past ticks, youngest first.
    past: [(u32, u32); REMEMBERED],
}

impl World {
    /// A copy of the real one. Pods that were asked for and are not seen have just been created.
    pub(super) fn of(seen: &Observation, bounds: Bounds) -> Self {
        let counts = seen.pods.counts(seen.now);
        let asked = bounds.clamp(seen.spec_replicas);
        let ready = counts.ready.min(asked);
        let mut world = Self { ready, ..Self::default() };
        let mut unseen = asked - ready;
        for (age, starting) in counts.starting_by_age.into_iter().enumerate().rev() {
            world.starting[age] = starting.min(unseen);
            unseen -= world.starting[age];
        }
        world.starting[0] += unseen;
        world.past = [(asked, ready); REMEMBERED];
        world
    }

    /// Pods that were asked for.
    pub(super) fn asked(&self) -> u32 {
        self.ready + self.starting.iter().sum::<u32>()
    }

    /// Lets `ticks` pass; a pod starts in `start_up`.
    pub(super) fn grow_older(&mut self, ticks: i64, start_up: Span) {
        let lead = usize::try_from((start_up + TICK / 2).whole_steps(TICK).max(1)).unwrap_or(MOST_TICKS);
        // More would change nothing.
        for _ in 0..ticks.min(MOST_TICKS as i64 + REMEMBERED as i64) {
            self.past.copy_within(..REMEMBERED - 1, 1);
            self.past[0] = (self.asked(), self.ready);
            self.ready += self.starting[MOST_TICKS - 1];
            self.starting.copy_within(..MOST_TICKS - 1, 1);
            self.starting[0] = 0;
            for started in self.starting.iter_mut().skip(lead) {
                self.ready += core::mem::take(started);
            }
        }
    }

    /// All and ready pods during the slot that ended so long ago.
    pub(super) fn at(&self, ago: Span) -> (u32, u32) {
        let ticks = usize::try_from(ago.whole_steps(TICK)).unwrap_or(0);
        self.past[ticks.min(REMEMBERED - 1)]
    }

    /// Makes it `wish` pods; answers with the cost of the change.
    pub(super) fn ask(&mut self, wish: u32) -> f64 {
        let asked = self.asked();
        if wish >= asked {
            self.starting[0] += wish - asked;
            return CHANGE_COST * f64::from(wish - asked);
        }
        let mut left = asked - wish;
        for pods in self.starting.iter_mut().chain([&mut self.ready]) {
            let gone = left.min(*pods);
            *pods -= gone;
            left -= gone;
        }
        (CHANGE_COST + TERMINATION_COST) * f64::from(asked - wish)
    }

    /// The pods as a controller sees them, with `cpu_milli` shared among those that are ready, none of which can use more than
    /// its limit. If it is not known, no pod has a sample.
    pub(super) fn counts(&self, cpu_milli: Option<f64>, limit_milli: u32) -> PodCounts {
        let mut starting_by_age = [0; START_UP_BUCKETS];
        for (age, pods) in self.starting.iter().enumerate() {
            starting_by_age[age.min(START_UP_BUCKETS - 1)] += pods;
        }
        let per_pod = cpu_milli.map(|milli| (milli / f64::from(self.ready.max(1))).min(f64::from(limit_milli)));
        PodCounts {
            ready: self.ready,
            starting_by_age,
            terminating: 0,
            // Those that were ready during the whole last tick.
            sampled: per_pod.map_or(0, |_| self.ready.min(self.past[0].1)),
            cpu_milli_per_sampled_pod: per_pod.map_or(0, whole),
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "float-to-int casts saturate, NaN is 0")]
fn whole(x: f64) -> i64 {
    libm::round(x) as i64
}
