//! The applications: a clock each, a row per service, and the flow of calls between rows.

use std::sync::Arc;

use seatrial_core::math;
use seatrial_core::rand::{Stream, derive_seed, uniform};
use seatrial_core::scaling::headroom_space::OBSERVATION_LEN;
use seatrial_core::time::Timestamp;

use super::loads::{AppLoad, AppLoads};
use crate::app::service_seed;
use crate::autoscale_v1::rows::{Ground, Moment, Rows};
use crate::fluid::graph::Graph;
use crate::spec::lower::Lowered;

/// What all applications have in common.
pub(super) struct Shared {
    grounds: Vec<Ground>,
    initial_rates_per_pod: Vec<f64>,
    graph: Graph,
    /// Services that get requests from outside.
    entries: Vec<usize>,
    loads: Arc<AppLoads>,
    episode_steps: u32,
}

impl Shared {
    pub(super) fn new(grounds: Vec<Ground>, application: &Lowered, loads: Arc<AppLoads>, episode_steps: u32) -> Self {
        let Lowered { services, graph, .. } = application;
        Self {
            grounds,
            initial_rates_per_pod: services.iter().map(|service| service.scenario.initial_rate_per_pod).collect(),
            graph: graph.clone(),
            entries: (0..services.len()).filter(|service| services[*service].direct.is_some()).collect(),
            loads,
            episode_steps,
        }
    }

    pub(super) fn services(&self) -> usize {
        self.grounds.len()
    }

    /// Beginning of a slot.
    fn now(&self, load: &AppLoad, slot: usize) -> Timestamp {
        load.start + self.grounds[0].world.step * i64::try_from(slot).unwrap_or(i64::MAX)
    }

    /// The decision of a service at the beginning of a slot.
    #[inline]
    fn moment<'a>(&self, load: &'a AppLoad, service: usize, (slot, now): (usize, Timestamp)) -> Moment<'a> {
        let (services, ground) = (self.services(), &self.grounds[service]);
        let visible = &load.slots[(slot - 1 - ground.lag_slots) * services + service];
        let called = !self.graph.callers(service).is_empty();
        Moment {
            now,
            slot,
            row: &load.slots[slot * services + service],
            nominal: if called { visible.rate * ground.step_s } else { 0.0 },
        }
    }
}

/// Where an application is.
#[derive(Clone, Copy, Default)]
struct Clock {
    seed: u64,
    episode: u64,
    load: usize,
    /// Slot that begins at the next decision.
    slot: usize,
    steps_left: u32,
}

/// All applications.
pub(super) struct Fleet {
    clocks: Vec<Clock>,
    rows: Rows,
    /// Seed of the start-ups of each row's episode.
    lucks: Vec<u64>,
    services: usize,
    /// Of the application at hand, by service: calls per second that it keeps back, and the share of its calls that are good.
    withheld: Vec<f64>,
    good: Vec<f64>,
}

impl Fleet {
    pub(super) fn new(shared: &Shared, applications: usize) -> Self {
        let services = shared.services();
        let rows = services * applications;
        let most = shared.grounds.iter().map(|ground| ground.world.largest as usize).max().unwrap_or(0);
        let workload = &shared.grounds[0].workload;
        Self {
            clocks: vec![Clock::default(); applications],
            rows: Rows::new(rows, most, shared.loads.lag_slots(), workload),
            lucks: vec![0; rows],
            services,
            withheld: vec![0.0; services],
            good: vec![1.0; services],
        }
    }

    pub(super) fn applications(&self) -> usize {
        self.clocks.len()
    }

    pub(super) fn rows(&self) -> usize {
        self.lucks.len()
    }

    pub(super) fn ready(&self, row: usize) -> u32 {
        self.rows.ready(row)
    }

    pub(super) fn asked(&self, row: usize) -> u32 {
        self.rows.asked(row)
    }

    pub(super) fn backlog(&self, row: usize) -> f64 {
        self.rows.backlog(row)
    }

    pub(super) fn position(&self, application: usize) -> (usize, usize) {
        (self.clocks[application].load, self.clocks[application].slot)
    }

    pub(super) fn is_over(&self, application: usize) -> bool {
        self.clocks[application].steps_left == 0
    }

    /// Sets the seed; the next episode is the first of it.
    pub(super) fn seed(&mut self, application: usize, seed: u64) {
        self.clocks[application] = Clock { seed, ..Clock::default() };
    }

    /// Begins the next episode of an application and hands out its first observations, row by row.
    pub(super) fn begin(
        &mut self,
        shared: &Shared,
        application: usize,
        write: impl FnMut(usize, &[f32; OBSERVATION_LEN]),
    ) {
        let clock = &mut self.clocks[application];
        let unit = uniform(clock.seed, Stream::EpisodeStart, clock.episode, 0);
        (clock.load, clock.slot) = shared.loads.beginning(shared.episode_steps as usize, unit);
        let luck = derive_seed(clock.seed, clock.episode);
        clock.episode += 1;
        clock.steps_left = shared.episode_steps;
        let (slot, load) = (clock.slot, &shared.loads.loads[clock.load]);
        for (service, ground) in shared.grounds.iter().enumerate() {
            let row = application * self.services + service;
            self.lucks[row] = service_seed(luck, service);
            let rate = |slot: usize| load.slots[slot * self.services + service].rate;
            let pods = math::ceil_to_u32(rate(slot) / shared.initial_rates_per_pod[service]);
            self.rows.begin(ground, row, ground.workload.bounds.clamp(pods));
            for past in slot - ground.lag_slots - 1..slot {
                self.rows.book(ground, row, (past, rate(past)));
                self.rows.forget_backlog(row);
            }
        }
        self.observe(shared, application, write);
    }

    /// Takes an action in every row of an application, lets a step pass, and answers with J incurred in it, in pod-seconds.
    #[inline]
    pub(super) fn step(&mut self, shared: &Shared, application: usize, action: impl Fn(usize) -> u32) -> f64 {
        let Clock { load, slot, .. } = self.clocks[application];
        let load = &shared.loads.loads[load];
        let (first, now) = (application * self.services, shared.now(load, slot));
        let (mut pod_s, mut changed) = (0.0, 0);
        for (service, ground) in shared.grounds.iter().enumerate() {
            let row = first + service;
            let moment = shared.moment(load, service, (slot, now));
            let changes = self.rows.decide(ground, row, &moment, (action(row), self.lucks[row]));
            pod_s += self.rows.pod_seconds(ground, row, &changes);
            changed += changes.created + changes.removed;
        }
        let bad = self.flow(shared, load, first, slot);
        let clock = &mut self.clocks[application];
        clock.slot += 1;
        clock.steps_left -= 1;
        let costs = shared.grounds[0].world.costs;
        pod_s + costs.kappa * bad + costs.churn * f64::from(changed)
    }

    /// Lets a slot pass in all services; answers with the clients' bad requests.
    fn flow(&mut self, shared: &Shared, load: &AppLoad, first: usize, slot: usize) -> f64 {
        let known = &load.slots[slot * self.services..][..self.services];
        for &service in shared.graph.order() {
            let (ground, nominal) = (&shared.grounds[service], known[service].rate);
            let callers = shared.graph.callers(service).iter();
            let missing: f64 = callers.map(|caller| self.withheld[caller.from] * caller.each).sum();
            let flow = self.rows.book(ground, first + service, (slot, (nominal - missing).max(0.0)));
            self.withheld[service] = (nominal * ground.step_s - flow.completed) / ground.step_s;
            self.good[service] = if flow.arrivals > 0.0 { 1.0 - flow.bad / flow.arrivals } else { 1.0 };
            self.rows.age(first + service);
        }
        shared.graph.with_callees(&mut self.good);
        let step_s = shared.grounds[0].step_s;
        let direct = &load.direct[slot * shared.entries.len()..];
        let bad = |(entry, rate): (&usize, &f64)| rate * step_s * (1.0 - self.good[*entry]);
        shared.entries.iter().zip(direct).map(bad).sum()
    }

    /// Hands out the observations of an application at its next decision, row by row; once per decision.
    pub(super) fn observe(
        &mut self,
        shared: &Shared,
        application: usize,
        write: impl FnMut(usize, &[f32; OBSERVATION_LEN]),
    ) {
        let Clock { load, slot, .. } = self.clocks[application];
        let (load, first) = (&shared.loads.loads[load], application * self.services);
        let now = shared.now(load, slot);
        let at = |row: usize| (&shared.grounds[row - first], shared.moment(load, row - first, (slot, now)));
        self.rows.observe(first..first + self.services, at, write);
    }
}
