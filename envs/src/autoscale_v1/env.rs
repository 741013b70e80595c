//! The environments: a clock each over shared loads, and a row of pods, queue and estimates ([`super::rows`]).

use std::sync::Arc;

use seatrial_core::rand::{Stream, derive_seed, uniform};
use seatrial_core::scaling::headroom_space::OBSERVATION_LEN;
use seatrial_core::time::Timestamp;

use super::loads::{TrainingLoad, TrainingLoads};
use super::rows::{Changes, Ground, Moment, Rows};

/// What all environments have in common.
pub(super) struct Shared {
    pub(super) ground: Ground,
    pub(super) initial_rate_per_pod: f64,
    pub(super) loads: Arc<TrainingLoads>,
    pub(super) episode_steps: u32,
    pub(super) override_price: f64,
}

/// Where an environment is.
#[derive(Clone, Copy, Default)]
struct Clock {
    seed: u64,
    episode: u64,
    /// Seed of the episode's start-up draws.
    luck: u64,
    load: usize,
    /// Slot that begins at the next decision.
    slot: usize,
    steps_left: u32,
}

/// All environments.
pub(super) struct Fleet {
    clocks: Vec<Clock>,
    rows: Rows,
}

impl Fleet {
    pub(super) fn new(shared: &Shared, envs: usize) -> Self {
        let Ground { world, workload, lag_slots, .. } = &shared.ground;
        let rows = Rows::new(envs, world.largest as usize, *lag_slots, workload);
        Self { clocks: vec![Clock::default(); envs], rows }
    }

    pub(super) fn len(&self) -> usize {
        self.clocks.len()
    }

    pub(super) fn ready(&self, env: usize) -> u32 {
        self.rows.ready(env)
    }

    pub(super) fn asked(&self, env: usize) -> u32 {
        self.rows.asked(env)
    }

    pub(super) fn position(&self, env: usize) -> (usize, usize) {
        (self.clocks[env].load, self.clocks[env].slot)
    }

    pub(super) fn is_over(&self, env: usize) -> bool {
        self.clocks[env].steps_left == 0
    }

    /// Sets the seed; the next episode is the first of it.
    pub(super) fn seed(&mut self, env: usize, seed: u64) {
        self.clocks[env] = Clock { seed, ..Clock::default() };
    }

    /// Begins the next episode of `env` and writes its first observation.
    pub(super) fn begin(&mut self, shared: &Shared, env: usize, row: &mut [f32; OBSERVATION_LEN]) {
        let clock = &mut self.clocks[env];
        let unit = uniform(clock.seed, Stream::EpisodeStart, clock.episode, 0);
        (clock.load, clock.slot) = shared.loads.beginning(shared.episode_steps as usize, unit);
        clock.luck = derive_seed(clock.seed, clock.episode);
        clock.episode += 1;
        clock.steps_left = shared.episode_steps;
        let (slot, ground, load) = (clock.slot, &shared.ground, &shared.loads.loads[clock.load]);
        let pods = load.slots[slot].rate / shared.initial_rate_per_pod;
        let pods = ground.workload.bounds.clamp(seatrial_core::math::ceil_to_u32(pods));
        self.rows.begin(ground, env, pods);
        for past in slot - ground.lag_slots - 1..slot {
            self.rows.book(ground, env, (past, load.slots[past].rate));
            self.rows.forget_backlog(env);
        }
        self.rows.observe(ground, env, &load.moment(shared, slot), row);
    }

    /// Takes `action` in `env`, lets a step pass, writes the next observation and answers with J incurred in it, in pod-seconds.
    #[inline]
    pub(super) fn step(&mut self, shared: &Shared, env: usize, action: u32, row: &mut [f32; OBSERVATION_LEN]) -> f64 {
        let (clock, ground, rows) = (&mut self.clocks[env], &shared.ground, &mut self.rows);
        let load = &shared.loads.loads[clock.load];
        let slot = clock.slot;
        let changes = rows.decide(ground, env, &load.moment(shared, slot), (action, clock.luck));
        let pod_s = rows.pod_seconds(ground, env, &changes);
        let bad = rows.book(ground, env, (slot, load.slots[slot].rate)).bad;
        rows.age(env);
        clock.slot += 1;
        clock.steps_left -= 1;
        rows.observe(ground, env, &load.moment(shared, slot + 1), row);
        let Changes { created, removed, overridden } = changes;
        let shaped = if overridden { shared.override_price } else { 0.0 };
        let costs = ground.world.costs;
        pod_s + costs.kappa * bad + costs.churn * f64::from(created + removed) + shaped
    }
}

impl TrainingLoad {
    /// The decision at the beginning of a slot.
    #[inline]
    fn moment(&self, shared: &Shared, slot: usize) -> Moment<'_> {
        Moment { now: self.now(shared, slot), slot, row: &self.slots[slot], nominal: 0.0 }
    }

    /// Beginning of a slot.
    #[inline]
    fn now(&self, shared: &Shared, slot: usize) -> Timestamp {
        self.start + shared.ground.world.step * i64::try_from(slot).unwrap_or(i64::MAX)
    }
}
