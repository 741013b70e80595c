//! The simulated world of one workload: protocol P1's, with the user's own rates, capacity, start-up and bounds.

use std::ops::Range;

use seatrial_core::math;
use seatrial_core::observe::Bounds;
use seatrial_core::time::Span;
use seatrial_datasets::{Load, Splits};
use seatrial_envs::scenario::Scenario;

use super::inputs::Offered;
use super::manifest::Scaler;
use super::parts::Parts;
use crate::arena::Arena;
use crate::error::Result;
use crate::stage::Stage;

/// The world at protocol P1's 1 s; tuning steps by 15 s.
pub(super) const TUNING_STEP_S: f64 = 15.0;
/// Seed of tuning, and seeds of the judgement: they share no draw.
const TUNING_SEED: u64 = 201;
pub(super) const SEEDS: [u64; 2] = [101, 102];
/// P97.5 of a lognormal with sigma 0.2 over its median.
const LEAD: f64 = 1.5;

/// What is simulated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Physics {
    /// Requests per second of one pod at 100 % CPU.
    pub(super) capacity: f64,
    /// Median time from creation to ready.
    pub(super) pod_start: Span,
}

/// A workload with its load.
pub(super) struct Theatre {
    arena: Arena,
    pub(super) parts: Parts,
    /// As [`Offered::saturated`].
    pub(super) saturated: f64,
    scenario: Scenario,
}

impl Theatre {
    pub(super) fn new(scaler: &Scaler, offered: &Offered, parts: Parts, physics: &Physics) -> Self {
        let splits = Splits {
            train: parts.tuning.clone(),
            validation: parts.later.start..parts.later.start,
            gap: parts.later.start..parts.later.start,
            test: parts.later.clone(),
        };
        let load = Load {
            family: scaler.label(),
            series: String::new(),
            start: offered.start,
            interval: offered.interval,
            rate_per_s: offered.rate_per_s.clone(),
            missing: offered.missing.clone(),
            scale: 1.0,
            noise_raw: None,
            noise: None,
            smoothing_bins: 1,
            splits,
            test_only: false,
            native: offered.interval <= Span::from_secs(60),
            content_hash: offered.content_hash.clone(),
        };
        let arena = Arena { load, headline: false, scored: parts.later.clone(), trainable: true };
        Self { arena, parts, saturated: offered.saturated, scenario: scenario(scaler, physics) }
    }

    /// The world at a physics step, with pods that start in `pod_start` if one is given.
    fn world(&self, physics_step_s: f64, pod_start: Option<Span>) -> Scenario {
        let mut world = Scenario { physics_step_s, ..self.scenario.clone() };
        if let Some(pod_start) = pod_start {
            world.start_up.median_s = pod_start.as_secs_f64();
        }
        world
    }

    /// Where settings are tuned.
    pub(super) fn rehearsal(&self) -> Result<Stage> {
        Stage::new(&self.arena, &self.parts.tuning, &self.world(TUNING_STEP_S, None), TUNING_SEED)
    }

    /// Where they are judged, a stage per seed.
    pub(super) fn judgement(&self, pod_start: Option<Span>) -> Result<Vec<Stage>> {
        let world = self.world(1.0, pod_start);
        SEEDS.iter().map(|seed| Stage::new(&self.arena, &self.parts.later, &world, *seed)).collect()
    }

    /// The world of the oracle: more pods than any load needs cannot pay, and a thousand of them only cost time.
    pub(super) fn oracle_world(&self, least: Option<u32>) -> Scenario {
        let mut world = self.world(1.0, None);
        let Bounds { min, max } = world.workload.bounds;
        let min = least.unwrap_or(min).min(max);
        let peak = self.rates(&self.parts.later).iter().copied().fold(0.0, f64::max);
        let enough = math::ceil_to_u32(2.0 * peak / world.true_capacity()).saturating_add(20);
        world.workload.bounds = Bounds { min, max: max.min(enough.max(min)) };
        world
    }

    /// Length of the later part in days.
    pub(super) fn later_days(&self) -> f64 {
        let bins = seatrial_reports::stats::count(self.parts.later.len());
        bins * self.arena.load.interval.as_secs_f64() / 86_400.0
    }

    pub(super) fn rates(&self, part: &Range<usize>) -> &[f64] {
        self.arena.load.rates(part.clone())
    }
}

fn scenario(scaler: &Scaler, physics: &Physics) -> Scenario {
    let plain = Scenario::protocol_p1();
    let mut scenario = plain.with_service_mean(f64::from(plain.service.workers) / physics.capacity);
    let start_s = physics.pod_start.as_secs_f64();
    scenario.workload.bounds = Bounds { min: scaler.least(), max: scaler.max.max(1) };
    scenario.workload.prior_lead_time = Span::from_secs_f64(LEAD * start_s);
    scenario.start_up.median_s = start_s;
    scenario
}
