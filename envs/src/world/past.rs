//! What was before the first moment: the rates of the sources reach back, and the first pods are taken to have served them.
//!
//! A world begins in the middle of a day, as the fluid kernel does: autoscalers are warmed up with the past load, and the first
//! decisions see the last scrapes before the start. No request of that time is simulated. What pods did then is the fluid kernel's
//! formula at the realised counts: for one service of exponential workers the first decision sees the same on both kernels, bit for
//! bit but for the order of sums (tested). Nobody is queued at the start, whatever the formula says.
//!
//! # Deviations
//! 1. A service that others call has had their expected calls; the fluid kernel gives each service counts of its own.
//! 2. Requests that share cores (fewer cores than concurrency) waited in the past as if each whole core were a worker.
//! 3. Work is taken for exponential with its mean: how long requests waited in the past is a little off for any other.
//! 4. What a source of recorded requests reaches has no past: its autoscaler is blind until two scrapes have come.

use seatrial_core::observe::{ReadyStatus, Workload};
use seatrial_core::scaling::policy::PastSlot;
use seatrial_core::time::Timestamp;

use super::memory::Scrape;
use super::recorder::ids;
use super::{World, WorldError};
use crate::fluid;
use crate::fluid::metrics::{SlotMetrics, SlotSums};
use crate::fluid::queue::Waiting;
use crate::ids::ServiceId;
use crate::load::Traffic;
use crate::scenario::{MetricsPipeline, Scenario, Service};
use crate::serving::{ServingError, source_seed};
use crate::spec::graph::expected_calls;
use crate::spec::lower::mean_service_times_s;
use crate::spec::{Inputs, ScenarioSpec, ServiceSpec, SourceLoad};
use crate::telemetry::{PastArrivals, PastPod, PastWork, Source, Telemetry};

/// See the module.
pub(super) struct Past {
    /// By source; `None` where single requests were recorded.
    pub(super) sources: Vec<Option<Traffic>>,
    /// By service.
    services: Vec<Reached>,
    slot_s: f64,
}

/// What reaches a service.
struct Reached {
    /// Sources, and the calls that a request of each causes here.
    calls: Vec<(usize, f64)>,
    /// How its pods work.
    floor: Floor,
}

/// The pods of a service as the fluid kernel has them.
#[derive(Clone, Copy)]
struct Floor {
    world: fluid::world::World,
    /// Cores of a worker.
    cores: f64,
}

impl Past {
    pub(super) fn new(spec: &ScenarioSpec, inputs: &Inputs) -> Result<Self, WorldError> {
        let metrics = MetricsPipeline {
            scrape_s: spec.metrics.scrape_s,
            lag_s: spec.metrics.lag_s,
            // Scrapes are lost for all sources together: telemetry knows which.
            lost_scrape_probability: 0.0,
        };
        let form = Scenario { metrics, ..Scenario::protocol_p1() };
        let mut sources = Vec::with_capacity(inputs.loads.len());
        for (source_index, load) in inputs.loads.iter().enumerate() {
            let SourceLoad::Rates(load) = load else {
                sources.push(None);
                continue;
            };
            let traffic = Traffic::new(&form, load, source_seed(spec.seed, source_index));
            sources.push(Some(traffic.map_err(|error| ServingError::Load { source_index, error })?));
        }
        let visits: Vec<_> = spec.traffic.iter().map(|source| expected_calls(spec, &source.service)).collect();
        let means_s = mean_service_times_s(spec, inputs);
        let reached = |(index, (name, service)): (usize, (&String, &ServiceSpec))| {
            let calls = visits.iter().enumerate();
            Reached {
                calls: calls.filter_map(|(source, calls)| Some((source, *calls.get(name.as_str())?))).collect(),
                floor: Floor::new(spec, &form, service, means_s[index]),
            }
        };
        let services = spec.services.iter().enumerate().map(reached).collect();
        Ok(Self { sources, services, slot_s: spec.metrics.scrape_s })
    }

    /// The sources that reach a service, with their calls; none where one of them has no rates.
    fn reaching(&self, service: ServiceId) -> Vec<(f64, &Traffic)> {
        let calls = self.services[service.index()].calls.iter();
        let known = calls.map(|(source, calls)| Some((*calls, self.sources.get(*source)?.as_ref()?)));
        known.collect::<Option<Vec<_>>>().unwrap_or_default()
    }

    /// What reached a service and what its `ready` pods made of it in a slot before the start.
    fn shown(&self, service: ServiceId, ready: u32, slot: i64) -> Option<SlotMetrics> {
        let sources = self.reaching(service);
        let sum = |of: fn(&Traffic, i64) -> Option<f64>| {
            sources.iter().map(|(calls, traffic)| Some(calls * of(traffic, slot)?)).sum::<Option<f64>>()
        };
        let (rate, realised) = (sum(Traffic::rate_in_slot)?, sum(Traffic::realised)?);
        let deviate = sources.first()?.1.service_deviate(slot);
        let (floor, mut sums) = (&self.services[service.index()].floor, SlotSums::default());
        sums.add(&Waiting::new(&floor.world, rate, ready).flow(&floor.world, 0.0, self.slot_s), ready, self.slot_s);
        let shown = sums.show(&floor.world, self.slot_s, realised, deviate);
        Some(SlotMetrics { cpu_cores: shown.cpu_cores * floor.cores, ..shown })
    }

    fn arrivals(&self, service: ServiceId, ready: u32, slot: i64) -> Option<PastArrivals> {
        let shown = self.shown(service, ready, slot)?;
        // Whole calls: the division that made rates of them left dust.
        let arrived = (shown.arrivals_per_s * self.slot_s + 0.5).floor();
        Some(PastArrivals { arrived, bad: Some(shown.bad_ratio.unwrap_or(0.0) * arrived) })
    }

    fn work(&self, service: ServiceId, ready: u32, slot: i64) -> Option<PastWork> {
        let shown = self.shown(service, ready, slot)?;
        let each = |per_s: f64| per_s * self.slot_s / f64::from(ready);
        Some(PastWork {
            completed: each(shown.completed_per_s),
            duration_s: each(shown.duration_s_per_s),
            cpu_s: each(shown.cpu_cores),
        })
    }

    /// Slots older than the one that the first decision sees, as far as all sources know them; those whose scrapes were lost are
    /// missing.
    pub(super) fn history(&self, service: ServiceId, workload: &Workload, telemetry: &Telemetry) -> Vec<PastSlot> {
        let of = |(calls, traffic): (f64, &Traffic)| -> Vec<PastSlot> {
            let slots = traffic.warm_up(workload.metric_lag);
            slots.map(|slot| PastSlot { arrival_rate: slot.arrival_rate.map(|rate| calls * rate), ..slot }).collect()
        };
        let mut all = self.reaching(service).into_iter().map(of);
        let Some(mut sum) = all.next() else { return Vec::new() };
        for slots in all {
            let shared = sum.len().min(slots.len());
            sum.drain(..sum.len() - shared);
            for (slot, other) in sum.iter_mut().zip(&slots[slots.len() - shared..]) {
                slot.arrival_rate = slot.arrival_rate.zip(other.arrival_rate).map(|(one, other)| one + other);
            }
        }
        for slot in &mut sum {
            slot.arrival_rate = slot.arrival_rate.filter(|_| !telemetry.misses(slot.end));
        }
        sum
    }
}

impl Floor {
    fn new(spec: &ScenarioSpec, form: &Scenario, service: &ServiceSpec, mean_s: f64) -> Self {
        let busy = service.concurrency.map_or(service.cores, |most| f64::from(most).min(service.cores));
        let workers = whole(busy);
        let cores = busy / f64::from(workers);
        let timeout_s = spec.client.timeout_s.unwrap_or(f64::MAX);
        let scenario = Scenario {
            service: Service { workers, mean_s: mean_s / cores },
            queue_limit_s: timeout_s,
            client_timeout_s: timeout_s,
            slo_wait_s: spec.slo.wait_s.unwrap_or(f64::MAX),
            ..form.clone()
        };
        Self { world: fluid::world::World::new(&scenario), cores }
    }
}

/// Whole workers, at least one.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at least 1, and saturating")]
fn whole(cores: f64) -> u32 {
    cores.floor().max(1.0) as u32
}

impl World {
    /// The first pods are there: telemetry learns what they did before `start`.
    pub(super) fn recall(&mut self, past: &Past, start: Timestamp) {
        let Self { cluster, telemetry, serving, memory, names, .. } = self;
        for service in ids(names.services.len()) {
            let is_ready = |pod: &seatrial_core::observe::Pod| {
                pod.ready.filter(|ready| ready.status == ReadyStatus::True && !pod.deleted).is_some()
            };
            let pods = cluster.pods_of(service).filter(|(_, pod)| is_ready(pod));
            let ready: Vec<_> = pods.map(|(id, pod)| (id, pod.started_at.unwrap_or(start))).collect();
            let count = u32::try_from(ready.len()).unwrap_or(u32::MAX);
            telemetry.recall(service, |slot| past.arrivals(service, count, slot));
            // All pods of a service did the same: ten thousand of them need not ask Erlang one by one.
            let work = telemetry.known(|slot| past.work(service, count, slot));
            for (pod, started) in ready {
                let memory_bytes = Scrape { serving, memory, now: start }.memory_bytes(pod);
                let in_slot = |slot: i64| usize::try_from(-slot - 1).ok().and_then(|back| work.get(back)).copied();
                telemetry.recall_pod(PastPod { pod, started, memory_bytes }, in_slot);
            }
        }
    }
}
