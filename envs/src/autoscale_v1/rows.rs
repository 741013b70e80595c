//! The state of many workloads, one array per part, and what a decision, a slot and a look do to one of them.
//!
//! A row is one workload; who owns the rows knows their loads and clocks. Guard, capacity estimate and encoding are the core's own,
//! asked without an observation around their numbers; the kernel's are those of [`crate::fluid`] but for the tables.

use core::ops::Range;

use seatrial_core::observe::{CapacityEstimate, CapacityEstimator, START_UP_BUCKETS, Sample, SeenSlot, Workload};
use seatrial_core::scaling::guard::{Guard, GuardState, Guarded};
use seatrial_core::scaling::headroom_space::{self, HeadroomInputs, HeadroomMemory, OBSERVATION_LEN};
use seatrial_core::time::{Span, Timestamp};

use super::loads::Slot;
use super::tables::{StartUpTable, WaitTable};
use crate::fluid::metrics::{SlotMetrics, SlotSums};
use crate::fluid::queue::Flow;
use crate::fluid::world::World;

/// What all rows of a workload have in common.
pub(crate) struct Ground {
    pub(crate) world: World,
    pub(crate) workload: Workload,
    pub(crate) guard: Guard,
    pub(crate) waits: WaitTable,
    pub(crate) start_ups: StartUpTable,
    pub(crate) step_s: f64,
    pub(crate) termination_s: f64,
    pub(crate) lag_slots: usize,
    /// The same as a span.
    pub(crate) lag: Span,
}

/// The pods and the queue of a row; the starting ones lie in [`Rows::starting`], oldest first.
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
    /// Requests per second, if known.
    load_per_s: Option<f64>,
    /// End of the slot that shows it.
    at: Timestamp,
    capacity: Option<CapacityEstimate>,
}

/// What a decision changed.
#[derive(Clone, Copy, Default)]
pub(crate) struct Changes {
    pub(crate) created: u32,
    pub(crate) removed: u32,
    pub(crate) overridden: bool,
}

/// A decision's moment and what is known then.
#[derive(Clone, Copy)]
pub(crate) struct Moment<'a> {
    /// The decision.
    pub(crate) now: Timestamp,
    /// Number of the slot that begins at it.
    pub(crate) slot: usize,
    /// What the load says of it.
    pub(crate) row: &'a Slot,
    /// Requests of the visible slot had nobody kept any back; 0 if all of them come from outside.
    pub(crate) nominal: f64,
}

/// See the module.
pub(crate) struct Rows {
    clusters: Vec<Cluster>,
    starting: Vec<Start>,
    /// Sums of the youngest slots: as many per row as the lag needs, by slot number modulo that.
    sums: Vec<SlotSums>,
    /// What was counted in these slots where requests come one by one; empty where they flow.
    counted: Vec<Option<SlotMetrics>>,
    /// What the last look saw.
    metrics: Vec<Option<SlotMetrics>>,
    visible: Vec<Visible>,
    estimators: Vec<CapacityEstimator>,
    guards: Vec<GuardState>,
    memories: Vec<HeadroomMemory>,
    most: usize,
    kept: usize,
}

impl Rows {
    /// `rows` rows of at most `most` pods each, on metrics that are `lag_slots` late.
    pub(crate) fn new(rows: usize, most: usize, lag_slots: usize, workload: &Workload) -> Self {
        // A power of two, so that finding a place needs no division.
        let kept = (lag_slots + 1).next_power_of_two();
        Self {
            clusters: vec![Cluster::default(); rows],
            starting: vec![Start::default(); rows * most],
            sums: vec![SlotSums::default(); rows * kept],
            counted: Vec::new(),
            metrics: vec![None; rows],
            visible: vec![Visible::default(); rows],
            estimators: vec![CapacityEstimator::new(workload); rows],
            guards: vec![GuardState::default(); rows],
            memories: vec![HeadroomMemory::new(); rows],
            most,
            kept,
        }
    }

    /// The same where requests come one by one and are told of by [`Self::count`].
    pub(crate) fn with_counts(mut self) -> Self {
        self.counted = vec![None; self.sums.len()];
        self
    }

    pub(crate) fn ready(&self, row: usize) -> u32 {
        self.clusters[row].ready
    }

    pub(crate) fn asked(&self, row: usize) -> u32 {
        self.clusters[row].asked
    }

    /// Calls in the queue.
    pub(crate) fn backlog(&self, row: usize) -> f64 {
        self.clusters[row].backlog
    }

    /// Begins anew with `pods` ready pods.
    pub(crate) fn begin(&mut self, ground: &Ground, row: usize, pods: u32) {
        self.clusters[row] = Cluster { asked: pods, ready: pods, ..Cluster::default() };
        self.estimators[row] = CapacityEstimator::new(&ground.workload);
        self.guards[row] = GuardState::default();
        self.memories[row] = HeadroomMemory::new();
        self.visible[row] = Visible::default();
        if let Some(counted) = self.counted.get_mut(row * self.kept..(row + 1) * self.kept) {
            counted.fill(None);
        }
    }

    /// Empties the queue: of the slots before an episode only the metrics stay.
    pub(crate) fn forget_backlog(&mut self, row: usize) {
        self.clusters[row].backlog = 0.0;
    }

    /// Action to replicas, as policy and guard do it in operation; `luck` is the seed of start-ups.
    #[inline]
    pub(crate) fn decide(
        &mut self,
        ground: &Ground,
        row: usize,
        moment: &Moment<'_>,
        (action, luck): (u32, u64),
    ) -> Changes {
        let (visible, asked) = (&self.visible[row], self.clusters[row].asked);
        let wish = visible.capacity.map(|capacity| {
            let action = usize::try_from(action).unwrap_or(0);
            headroom_space::replicas_for(action, moment.row.median, capacity.lower, asked)
        });
        let guarded = Guarded {
            present: asked,
            load: visible.load_per_s.map(|value| Sample { at: visible.at, value }),
            capacity_mean: visible.capacity.map(|capacity| capacity.mean),
        };
        let replicas = ground.guard.replicas(moment.now, &guarded, wish, &mut self.guards[row]);
        let overridden = replicas != ground.workload.bounds.clamp(wish.unwrap_or(asked));
        Changes { overridden, ..self.scale(ground, row, (replicas, luck)) }
    }

    fn scale(&mut self, ground: &Ground, row: usize, (replicas, luck): (u32, u64)) -> Changes {
        let first = row * self.most;
        let cluster = &mut self.clusters[row];
        let present = cluster.ready + cluster.starting;
        let created = replicas.saturating_sub(present);
        let removed = present.saturating_sub(replicas);
        for start in &mut self.starting[first + cluster.starting as usize..][..created as usize] {
            *start = Start { age: 0, left: ground.start_ups.steps(luck, cluster.created) };
            cluster.created += 1;
        }
        let unborn = removed.min(cluster.starting);
        cluster.starting = cluster.starting + created - unborn;
        cluster.ready -= removed - unborn;
        cluster.asked = replicas;
        Changes { created, removed, overridden: false }
    }

    /// Pod-seconds of the step that begins now, after a decision that made these changes.
    #[inline]
    pub(crate) fn pod_seconds(&self, ground: &Ground, row: usize, changes: &Changes) -> f64 {
        let Cluster { ready, starting, .. } = self.clusters[row];
        f64::from(ready + starting) * ground.step_s + f64::from(changes.removed) * ground.termination_s
    }

    /// Lets `slot` pass at `rate` and books its flow for the metrics.
    #[inline]
    pub(crate) fn book(&mut self, ground: &Ground, row: usize, (slot, rate): (usize, f64)) -> Flow {
        let cluster = &mut self.clusters[row];
        let waiting = ground.waits.waiting(&ground.world, rate, cluster.ready);
        let flow = waiting.flow(&ground.world, cluster.backlog, ground.step_s);
        cluster.backlog = flow.backlog;
        let ready_s = f64::from(cluster.ready) * ground.step_s;
        let place = self.place(row, slot);
        self.sums[place] = SlotSums {
            arrivals: flow.arrivals,
            completed: flow.completed,
            bad: flow.bad,
            waited_s: flow.waited_s,
            ready_s,
            // CPU is not followed pod by pod here.
            completed_per_pod: 0.0,
        };
        flow
    }

    /// Takes what was counted in `slot` instead of a flow's sums.
    pub(crate) fn count(&mut self, row: usize, slot: usize, metrics: SlotMetrics) {
        let place = self.place(row, slot);
        self.counted[place] = Some(metrics);
    }

    /// Where the sums of a slot lie.
    #[inline]
    fn place(&self, row: usize, slot: usize) -> usize {
        row * self.kept + (slot & (self.kept - 1))
    }

    /// Starting pods become a step older, those whose start-up is over become ready.
    #[inline]
    pub(crate) fn age(&mut self, row: usize) {
        let cluster = &mut self.clusters[row];
        cluster.starting_by_age = [0; START_UP_BUCKETS];
        let starts = &mut self.starting[row * self.most..][..cluster.starting as usize];
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

    /// Reads the metrics that are visible at the next decisions of `rows`, updates the estimates and hands out the observations.
    ///
    /// Each of the three is done for all rows before the next: divisions and roots that follow from each other within a row
    /// overlap with those of its neighbours.
    #[inline]
    pub(crate) fn observe<'a>(
        &mut self,
        rows: Range<usize>,
        at: impl Fn(usize) -> (&'a Ground, Moment<'a>),
        mut write: impl FnMut(usize, &[f32; OBSERVATION_LEN]),
    ) {
        for row in rows.clone() {
            let (ground, moment) = at(row);
            self.metrics[row] = self.look(ground, row, &moment);
        }
        for row in rows.clone() {
            let (ground, moment) = at(row);
            self.estimate(ground, row, &moment);
        }
        for row in rows {
            let (ground, moment) = at(row);
            let mut values = [0.0; OBSERVATION_LEN];
            self.encode(ground, row, &moment, &mut values);
            write(row, &values);
        }
    }

    /// The metrics that are visible at a decision.
    #[inline]
    fn look(&self, ground: &Ground, row: usize, moment: &Moment<'_>) -> Option<SlotMetrics> {
        let Moment { slot, row: known, nominal, .. } = *moment;
        let place = self.place(row, slot - 1 - ground.lag_slots);
        let sums = &self.sums[place];
        (!known.visible_per_s.is_nan()).then(|| {
            if let Some(Some(counted)) = self.counted.get(place) {
                return *counted;
            }
            let came = if nominal > 0.0 { sums.arrivals / nominal } else { 1.0 };
            sums.show(&ground.world, ground.step_s, known.visible_per_s * came, known.visible_deviate)
        })
    }

    /// Folds them into the estimate of capacity.
    #[inline]
    fn estimate(&mut self, ground: &Ground, row: usize, moment: &Moment<'_>) {
        let end = moment.now - ground.lag;
        let metrics = &self.metrics[row];
        let seen = metrics.as_ref().map(|metrics| SeenSlot {
            end,
            completed_per_s: metrics.completed_per_s,
            cpu_cores: metrics.cpu_cores,
            load_per_s: Some(metrics.arrivals_per_s),
            bad_ratio: metrics.bad_ratio,
        });
        let (ready, slot) = (self.clusters[row].ready, ground.workload.scrape_interval);
        let capacity = self.estimators[row].fold_seen(moment.now, ready, seen.as_ref(), slot);
        let load_per_s = metrics.as_ref().map(|metrics| metrics.arrivals_per_s);
        self.visible[row] = Visible { load_per_s, at: end, capacity };
    }

    /// Writes the observation. Until enough was seen actions hold, and a pod counts as one request per second.
    #[inline]
    fn encode(&mut self, ground: &Ground, row: usize, moment: &Moment<'_>, out: &mut [f32; OBSERVATION_LEN]) {
        let (metrics, cluster) = (&self.metrics[row], &self.clusters[row]);
        let inputs = HeadroomInputs {
            now: moment.now,
            ln_forecast: moment.row.ln_forecast,
            load: metrics.map(|metrics| single(metrics.arrivals_per_s)),
            capacity_lower: self.visible[row].capacity.map_or(1.0, |capacity| single(capacity.lower)),
            asked: cluster.asked,
            ready: cluster.ready,
            starting_by_age: cluster.starting_by_age,
            bounds: ground.workload.bounds,
            bad_ratio: metrics.and_then(|metrics| metrics.bad_ratio).map(single),
            mean_latency_s: metrics
                .filter(|metrics| metrics.completed_per_s > 0.0)
                .map(|metrics| single(metrics.duration_s_per_s) / single(metrics.completed_per_s)),
        };
        headroom_space::encode(&inputs, &mut self.memories[row], out);
    }
}

#[expect(clippy::cast_possible_truncation, reason = "observations are single precision")]
const fn single(x: f64) -> f32 {
    x as f32
}
