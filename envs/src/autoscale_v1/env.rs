//! The environments' state, one array per part, and one decision of one of them.

use std::sync::Arc;

use seatrial_core::observe::{
    CapacityEstimate, CapacityEstimator, Feature, Observation, PodCounts, Pods, START_UP_BUCKETS, Workload,
};
use seatrial_core::rand::{Stream, derive_seed, uniform};
use seatrial_core::scaling::guard::{Guard, GuardState};
use seatrial_core::scaling::headroom_space::{self, HeadroomInputs, HeadroomMemory, OBSERVATION_LEN};
use seatrial_core::scaling::policy::{Proposal, Reason, View};
use seatrial_core::time::Timestamp;

use super::loads::{Slot, TrainingLoad, TrainingLoads};
use super::tables::{StartUpTable, WaitTable};
use crate::fluid::metrics::{SlotMetrics, SlotSums};
use crate::fluid::queue::Waiting;
use crate::fluid::world::World;

/// What all environments have in common.
pub(super) struct Shared {
    pub(super) world: World,
    pub(super) workload: Workload,
    pub(super) initial_rate_per_pod: f64,
    pub(super) guard: Guard,
    pub(super) loads: Arc<TrainingLoads>,
    pub(super) waits: WaitTable,
    pub(super) start_ups: StartUpTable,
    pub(super) episode_steps: u32,
    pub(super) step_s: f64,
    pub(super) termination_s: f64,
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

/// Its pods and its queue; the starting ones lie in [`Fleet::starting`], oldest first.
#[derive(Clone, Copy, Default)]
struct Cluster {
    asked: u32,
    ready: u32,
    starting: u32,
    created: u64,
    backlog: f64,
    starting_by_age: [u32; START_UP_BUCKETS],
}

/// A starting pod in steps.
#[derive(Clone, Copy, Default)]
struct Start {
    age: u16,
    left: u16,
}

/// What is visible at the next decision.
#[derive(Clone, Copy, Default)]
struct Visible {
    metrics: Option<SlotMetrics>,
    at: Timestamp,
    capacity: Option<CapacityEstimate>,
}

/// All environments, one array per part.
pub(super) struct Fleet {
    clocks: Vec<Clock>,
    clusters: Vec<Cluster>,
    starting: Vec<Start>,
    /// Sums of the youngest slots: as many per environment as the lag needs, by slot number modulo that.
    sums: Vec<SlotSums>,
    visible: Vec<Visible>,
    estimators: Vec<CapacityEstimator>,
    guards: Vec<GuardState>,
    memories: Vec<HeadroomMemory>,
    /// The observation of the environment at hand.
    seen: Observation,
    most: usize,
    kept: usize,
}

impl Fleet {
    pub(super) fn new(shared: &Shared, envs: usize) -> Self {
        let most = shared.world.largest as usize;
        // A power of two, so that finding a place needs no division.
        let kept = (shared.loads.lag_slots() + 1).next_power_of_two();
        Self {
            clocks: vec![Clock::default(); envs],
            clusters: vec![Cluster::default(); envs],
            starting: vec![Start::default(); envs * most],
            sums: vec![SlotSums::default(); envs * kept],
            visible: vec![Visible::default(); envs],
            estimators: vec![CapacityEstimator::new(&shared.workload); envs],
            guards: vec![GuardState::default(); envs],
            memories: vec![HeadroomMemory::new(); envs],
            seen: Observation::unknown(Timestamp::ZERO, 0),
            most,
            kept,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.clocks.len()
    }

    pub(super) fn ready(&self, env: usize) -> u32 {
        self.clusters[env].ready
    }

    pub(super) fn asked(&self, env: usize) -> u32 {
        self.clusters[env].asked
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
        let (slot, load) = (clock.slot, &shared.loads.loads[clock.load]);
        let pods = load.slots[slot].rate / shared.initial_rate_per_pod;
        let pods = shared.workload.bounds.clamp(seatrial_core::math::ceil_to_u32(pods));
        self.clusters[env] = Cluster { asked: pods, ready: pods, ..Cluster::default() };
        self.estimators[env] = CapacityEstimator::new(&shared.workload);
        self.guards[env] = GuardState::default();
        self.memories[env] = HeadroomMemory::new();
        self.visible[env] = Visible::default();
        for past in slot - shared.loads.lag_slots() - 1..slot {
            let waiting = shared.waits.waiting(&shared.world, load.slots[past].rate, pods);
            self.book_slot(shared, env, past, &waiting);
            self.clusters[env].backlog = 0.0;
        }
        self.observe(shared, env, row);
    }

    /// Takes `action` in `env`, lets a step pass, writes the next observation and answers with the cost.
    pub(super) fn step(&mut self, shared: &Shared, env: usize, action: u32, row: &mut [f32; OBSERVATION_LEN]) -> f64 {
        let changes = self.decide(shared, env, action);
        let cost = self.pass(shared, env, changes);
        self.observe(shared, env, row);
        cost
    }

    /// Action to replicas, as policy and guard do it in operation; answers with the pods created and removed.
    fn decide(&mut self, shared: &Shared, env: usize, action: u32) -> Changes {
        let clock = self.clocks[env];
        let load = &shared.loads.loads[clock.load];
        self.fill_seen(env, load.now(shared, clock.slot));
        let visible = &self.visible[env];
        let median = load.slots[clock.slot].median;
        let asked = self.clusters[env].asked;
        let proposal = match visible.capacity {
            Some(capacity) => {
                let action = usize::try_from(action).unwrap_or(0);
                let replicas = headroom_space::replicas_for(action, median, capacity.lower, asked);
                Proposal::of(replicas, Reason::Forecast)
            }
            None => Proposal::none(Reason::MetricMissing),
        };
        let view = View {
            observation: &self.seen,
            capacity: visible.capacity,
            lead_time: shared.workload.prior_lead_time,
            forecast: None,
        };
        let (replicas, _) = shared.guard.apply(self.seen.now, &view, &proposal, &mut self.guards[env]);
        let overridden = replicas != shared.workload.bounds.clamp(proposal.replicas.unwrap_or(asked));
        Changes { overridden, ..self.scale(shared, env, replicas) }
    }

    #[inline]
    fn fill_seen(&mut self, env: usize, now: Timestamp) {
        let (cluster, visible, seen) = (&self.clusters[env], &self.visible[env], &mut self.seen);
        seen.now = now;
        seen.spec_replicas = cluster.asked;
        seen.status_replicas = cluster.ready + cluster.starting;
        // CPU is not followed pod by pod here: no pod counts as sampled.
        let counts = PodCounts {
            ready: cluster.ready,
            starting_by_age: cluster.starting_by_age,
            terminating: 0,
            sampled: 0,
            cpu_milli_per_sampled_pod: 0,
        };
        match &visible.metrics {
            Some(metrics) => metrics.write(visible.at, &mut seen.metrics),
            None => seen.metrics.clear(),
        }
        seen.pods = Pods::Homogeneous(counts);
    }

    fn scale(&mut self, shared: &Shared, env: usize, replicas: u32) -> Changes {
        let first = env * self.most;
        let luck = self.clocks[env].luck;
        let cluster = &mut self.clusters[env];
        let present = cluster.ready + cluster.starting;
        let created = replicas.saturating_sub(present);
        let removed = present.saturating_sub(replicas);
        for start in &mut self.starting[first + cluster.starting as usize..][..created as usize] {
            *start = Start { age: 0, left: shared.start_ups.steps(luck, cluster.created) };
            cluster.created += 1;
        }
        let unborn = removed.min(cluster.starting);
        cluster.starting = cluster.starting + created - unborn;
        cluster.ready -= removed - unborn;
        cluster.asked = replicas;
        Changes { created, removed, overridden: false }
    }

    /// Lets the slot pass and answers with J incurred in it, in pod-seconds.
    fn pass(&mut self, shared: &Shared, env: usize, changes: Changes) -> f64 {
        let world = &shared.world;
        let Clock { load, slot, .. } = self.clocks[env];
        let Cluster { ready, starting, .. } = self.clusters[env];
        let waiting = shared.waits.waiting(world, shared.loads.loads[load].slots[slot].rate, ready);
        let bad = self.book_slot(shared, env, slot, &waiting);
        self.age(env);
        self.clocks[env].slot += 1;
        self.clocks[env].steps_left -= 1;
        let pod_s = f64::from(ready + starting) * shared.step_s + f64::from(changes.removed) * shared.termination_s;
        let shaped = if changes.overridden { shared.override_price } else { 0.0 };
        pod_s + world.costs.kappa * bad + world.costs.churn * f64::from(changes.created + changes.removed) + shaped
    }

    /// Books the flow of a slot for the metrics; answers with its bad requests.
    fn book_slot(&mut self, shared: &Shared, env: usize, slot: usize, waiting: &Waiting) -> f64 {
        let (ready, step_s) = (self.clusters[env].ready, shared.step_s);
        let flow = waiting.flow(&shared.world, self.clusters[env].backlog, step_s);
        self.clusters[env].backlog = flow.backlog;
        let place = self.place(env, slot);
        self.sums[place] = SlotSums {
            arrivals: flow.arrivals,
            completed: flow.completed,
            bad: flow.bad,
            waited_s: flow.waited_s,
            ready_s: f64::from(ready) * step_s,
            completed_per_pod: 0.0,
        };
        flow.bad
    }

    /// Where the sums of a slot lie.
    #[inline]
    fn place(&self, env: usize, slot: usize) -> usize {
        env * self.kept + (slot & (self.kept - 1))
    }

    /// Starting pods become a step older, those whose start-up is over become ready.
    fn age(&mut self, env: usize) {
        let cluster = &mut self.clusters[env];
        cluster.starting_by_age = [0; START_UP_BUCKETS];
        let starts = &mut self.starting[env * self.most..][..cluster.starting as usize];
        let mut kept = 0;
        for index in 0..starts.len() {
            let Start { age, left } = starts[index];
            if left > 1 {
                starts[kept] = Start { age: age + 1, left: left - 1 };
                cluster.starting_by_age[usize::from(age + 1).min(START_UP_BUCKETS - 1)] += 1;
                kept += 1;
            }
        }
        let done = cluster.starting - kept as u32;
        cluster.starting -= done;
        cluster.ready += done;
    }

    /// Reads the metrics that are visible at the next decision, updates the estimate and writes the observation.
    fn observe(&mut self, shared: &Shared, env: usize, out: &mut [f32; OBSERVATION_LEN]) {
        let Clock { load, slot, .. } = self.clocks[env];
        let load = &shared.loads.loads[load];
        let youngest = slot - 1 - shared.loads.lag_slots();
        let row: &Slot = &load.slots[slot];
        let sums = &self.sums[self.place(env, youngest)];
        let step_s = shared.step_s;
        let known = !row.visible_per_s.is_nan();
        let metrics = known.then(|| sums.show(&shared.world, step_s, row.visible_per_s, row.visible_deviate));
        self.visible[env].metrics = metrics;
        self.visible[env].at = load.now(shared, youngest + 1);
        let now = load.now(shared, slot);
        self.fill_seen(env, now);
        // Until enough was seen actions hold, and in the observation a pod counts as one request per second.
        let capacity = self.estimators[env].update(&self.seen, shared.workload.scrape_interval);
        self.visible[env].capacity = capacity;
        let inputs = HeadroomInputs {
            now,
            ln_forecast: row.ln_forecast,
            load: metrics.map(|metrics| single(metrics.arrivals_per_s)),
            capacity_lower: capacity.map_or(1.0, |capacity| single(capacity.lower)),
            asked: self.clusters[env].asked,
            ready: self.clusters[env].ready,
            starting_by_age: self.clusters[env].starting_by_age,
            bounds: shared.workload.bounds,
            bad_ratio: self.seen.metrics.get(Feature::BadRequestRatio).map(|sample| single(sample.value)),
            mean_latency_s: metrics
                .filter(|metrics| metrics.completed_per_s > 0.0)
                .map(|metrics| single(metrics.duration_s_per_s) / single(metrics.completed_per_s)),
        };
        headroom_space::encode(&inputs, &mut self.memories[env], out);
    }
}

#[derive(Clone, Copy)]
struct Changes {
    created: u32,
    removed: u32,
    overridden: bool,
}

impl TrainingLoad {
    /// Beginning of a slot.
    fn now(&self, shared: &Shared, slot: usize) -> Timestamp {
        self.start + shared.world.step * i64::try_from(slot).unwrap_or(i64::MAX)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "observations are single precision")]
const fn single(x: f64) -> f32 {
    x as f32
}
