//! The environments: a clock each over shared loads, and a row of pods, queue and estimates ([`super::rows`]).

use core::ops::Range;
use std::sync::Arc;

use seatrial_core::rand::{Stream, derive_seed, uniform};
use seatrial_core::scaling::headroom_space::OBSERVATION_LEN;
use seatrial_core::time::Timestamp;

use super::loads::{Slot, TrainingLoads};
use super::rows::{Changes, Ground, Moment, Rows};

/// Environments that step together: as many as the innermost cache has room for.
pub(super) const TOGETHER: usize = 16;

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
    /// Its beginning.
    now: Timestamp,
    steps_left: u32,
}

/// All environments.
pub(super) struct Fleet {
    clocks: Vec<Clock>,
    rows: Rows,
    /// What the load says of each environment's next decision.
    known: Vec<Slot>,
}

impl Fleet {
    pub(super) fn new(shared: &Shared, envs: usize) -> Self {
        let Ground { world, workload, lag_slots, .. } = &shared.ground;
        let rows = Rows::new(envs, world.largest as usize, *lag_slots, workload);
        Self { clocks: vec![Clock::default(); envs], rows, known: vec![Slot::default(); envs] }
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
        clock.now = load.start + ground.world.step * i64::try_from(slot).unwrap_or(i64::MAX);
        let now = clock.now;
        let pods = load.slots[slot].rate / shared.initial_rate_per_pod;
        let pods = ground.workload.bounds.clamp(seatrial_core::math::ceil_to_u32(pods));
        self.rows.begin(ground, env, pods);
        for past in slot - ground.lag_slots - 1..slot {
            self.rows.book(ground, env, (past, load.slots[past].rate));
            self.rows.forget_backlog(env);
        }
        self.known[env] = load.slots[slot];
        let moment = Moment { now, slot, row: &self.known[env], nominal: 0.0 };
        self.rows.observe(env..env + 1, |_| (ground, moment), |_, values| *row = *values);
    }

    /// Takes the actions of at most [`TOGETHER`] environments, lets a step pass, hands out the next observations and then J incurred
    /// in it, in pod-seconds. Each part is done for all of them before the next, so that they wait for memory and for long
    /// divisions together and not one after the other.
    #[inline]
    pub(super) fn step(
        &mut self,
        shared: &Shared,
        envs: Range<usize>,
        action: impl Fn(usize) -> u32,
        (observe, mut cost): (impl FnMut(usize, &[f32; OBSERVATION_LEN]), impl FnMut(usize, f64)),
    ) {
        let Self { clocks, rows, known } = self;
        let (ground, first) = (&shared.ground, envs.start);
        let load = |clock: &Clock| &shared.loads.loads[clock.load];
        let mut fetched = [Slot::default(); TOGETHER];
        for env in envs.clone() {
            fetched[env - first] = load(&clocks[env]).slots[clocks[env].slot + 1];
        }
        let mut changes = [Changes::default(); TOGETHER];
        for env in envs.clone() {
            let clock = &clocks[env];
            let moment = clock.moment(&known[env]);
            changes[env - first] = rows.decide(ground, env, &moment, (action(env), clock.luck));
        }
        for env in envs.clone() {
            let (clock, changes) = (&mut clocks[env], &changes[env - first]);
            let pod_s = rows.pod_seconds(ground, env, changes);
            let bad = rows.book(ground, env, (clock.slot, known[env].rate)).bad;
            let Changes { created, removed, overridden } = *changes;
            let shaped = if overridden { shared.override_price } else { 0.0 };
            let prices = ground.world.costs;
            cost(env, pod_s + prices.kappa * bad + prices.churn * f64::from(created + removed) + shaped);
            rows.age(env);
            clock.slot += 1;
            clock.now += ground.world.step;
            clock.steps_left -= 1;
        }
        for env in envs.clone() {
            known[env] = fetched[env - first];
        }
        let at = |env: usize| (ground, clocks[env].moment(&known[env]));
        rows.observe(envs, at, observe);
    }
}

impl Clock {
    /// The decision that is due.
    #[inline]
    fn moment<'a>(&self, row: &'a Slot) -> Moment<'a> {
        Moment { now: self.now, slot: self.slot, row, nominal: 0.0 }
    }
}
