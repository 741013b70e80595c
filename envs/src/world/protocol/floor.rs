//! Requests of protocol P1 on the pods that the loop starts and stops: [`Serving`] and its queue of events.
//!
//! Pods are a stack, as `fluid::pods::PodSet` has them: the youngest ready one leaves first. One that left finishes what it
//! serves until its termination is over.

use std::collections::VecDeque;

use seatrial_core::time::{Span, Timestamp};

use crate::cluster::change::{Change, PodChange};
use crate::episode::EpisodeError;
use crate::events::{EventQueue, PastEvent};
use crate::fluid::metrics::SlotMetrics;
use crate::ids::{PodId, ServiceId};
use crate::load::Traffic;
use crate::scenario::Scenario;
use crate::serving::{Event, Imbalance, Serving, ServingError, SlotLoad};
use crate::spec::service::Balancing;

/// The one service.
const SERVICE: ServiceId = ServiceId(0);

/// See the module.
#[derive(Clone)]
pub(crate) struct Floor {
    serving: Serving,
    queue: EventQueue<Event>,
    /// Oldest first.
    ready: Vec<Seat>,
    leaving: VecDeque<(Timestamp, PodId)>,
    /// Slots that nobody uses, with the generation of the next pod.
    free: Vec<PodId>,
    slots: u32,
}

/// A ready pod.
#[derive(Clone, Copy, Debug)]
struct Seat {
    pod: PodId,
    since: Timestamp,
    /// CPU seconds it had used when the present slot began.
    cpu_s: f64,
}

/// Counts since the start, and what stands.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) arrived: u64,
    pub(crate) bad: u64,
    pub(crate) completed: u64,
    pub(crate) dropped: u64,
    pub(crate) duration_s: f64,
    pub(crate) cpu_s: f64,
    pub(crate) queued: u32,
    pub(crate) in_service: u32,
}

impl Totals {
    /// What was counted since `then`; what stands is left as it is.
    pub(crate) fn since(&self, then: &Self) -> Self {
        Self {
            arrived: self.arrived - then.arrived,
            bad: self.bad - then.bad,
            completed: self.completed - then.completed,
            dropped: self.dropped - then.dropped,
            duration_s: (self.duration_s - then.duration_s).max(0.0),
            cpu_s: (self.cpu_s - then.cpu_s).max(0.0),
            ..*self
        }
    }

    /// What metrics show of a slot in which so much was counted.
    #[expect(clippy::cast_precision_loss, reason = "counts of a slot")]
    pub(crate) fn metrics(&self, slot_s: f64) -> SlotMetrics {
        let arrived = self.arrived as f64;
        SlotMetrics {
            arrivals_per_s: arrived / slot_s,
            completed_per_s: self.completed as f64 / slot_s,
            cpu_cores: self.cpu_s / slot_s,
            duration_s_per_s: self.duration_s / slot_s,
            bad_ratio: (self.arrived > 0).then(|| (self.bad as f64 / arrived).min(1.0)),
        }
    }
}

impl Floor {
    /// With so many pods that have always been ready.
    pub(crate) fn new(
        scenario: &Scenario,
        traffic: &Traffic,
        (balancing, initial): (Balancing, u32),
    ) -> Result<Self, EpisodeError> {
        let serving = Serving::protocol_balanced(scenario, traffic, balancing)?;
        let mut floor = Self::of(serving, traffic.load().start());
        floor.begin(initial)?;
        Ok(floor)
    }

    /// Under `load`, to begin by [`Self::restart`]: without latencies, which would be most of what it weighs.
    pub(crate) fn idle(scenario: &Scenario, load: SlotLoad) -> Result<Self, ServingError> {
        let mut serving = Serving::protocol_under(scenario, 0, load)?;
        serving.leave_out_latencies();
        Ok(Self::of(serving, Timestamp::ZERO))
    }

    fn of(serving: Serving, start: Timestamp) -> Self {
        let (ready, leaving, free) = (Vec::new(), VecDeque::new(), Vec::new());
        Self { serving, queue: EventQueue::new(start), ready, leaving, free, slots: 0 }
    }

    /// Begins anew where the slot with the number `first` of the load begins, with `initial` pods that have always been ready.
    pub(crate) fn restart(&mut self, seed: u64, from: (&SlotLoad, usize), initial: u32) -> Result<(), PastEvent> {
        let (load, first) = from;
        self.serving.restart_protocol(seed, load, first);
        self.queue.restart(load.slot_begin(first));
        self.ready.clear();
        self.leaving.clear();
        self.free.clear();
        self.slots = 0;
        self.begin(initial)
    }

    fn begin(&mut self, initial: u32) -> Result<(), PastEvent> {
        self.join(initial, Timestamp::from_micros(i64::MIN))?;
        self.serving.begin(&mut self.queue)
    }

    /// Ready pods.
    pub(crate) fn ready(&self) -> u32 {
        u32::try_from(self.ready.len()).unwrap_or(u32::MAX)
    }

    /// Serves until just before `limit`, and lets the clock stand there.
    pub(crate) fn run_before(&mut self, limit: Timestamp) -> Result<(), PastEvent> {
        let Self { serving, queue, .. } = self;
        let last = limit - Span::from_micros(1);
        while let Some((_, event)) = queue.pop_until(last) {
            serving.handle(event, queue)?;
        }
        // Whether a pod that left is idle makes no difference here: it goes when its termination is over.
        while serving.pop_notice().is_some() {}
        queue.pass_until(limit);
        Ok(())
    }

    fn tell(&mut self, pod: PodId, what: Change) -> Result<(), PastEvent> {
        self.serving.apply(&PodChange { pod, service: SERVICE, what }, &mut self.queue)
    }

    /// So many pods become ready; they count as ready since `since`.
    pub(crate) fn join(&mut self, pods: u32, since: Timestamp) -> Result<(), PastEvent> {
        for _ in 0..pods {
            let pod = self.free.pop().unwrap_or_else(|| {
                self.slots += 1;
                PodId { slot: self.slots - 1, generation: 0 }
            });
            self.tell(pod, Change::Started)?;
            self.tell(pod, Change::Ready)?;
            self.ready.push(Seat { pod, since, cpu_s: 0.0 });
        }
        Ok(())
    }

    /// The youngest ready pods leave, and are gone at `gone_at`.
    pub(crate) fn leave(&mut self, pods: u32, gone_at: Timestamp) -> Result<(), PastEvent> {
        for _ in 0..pods {
            let Some(Seat { pod, .. }) = self.ready.pop() else { break };
            self.tell(pod, Change::Left)?;
            self.leaving.push_back((gone_at, pod));
        }
        Ok(())
    }

    /// When the next pod is gone.
    pub(crate) fn next_gone(&self) -> Option<Timestamp> {
        self.leaving.front().map(|(at, _)| *at)
    }

    /// Stops the pods whose termination is over.
    pub(crate) fn stop_gone(&mut self, now: Timestamp) -> Result<(), PastEvent> {
        while let Some((_, pod)) = self.leaving.pop_front_if(|(at, _)| *at <= now) {
            self.tell(pod, Change::Stopped)?;
            self.free.push(PodId { generation: pod.generation + 1, ..pod });
        }
        Ok(())
    }

    /// Counts up to the present.
    pub(crate) fn totals(&self) -> Totals {
        let service = self.serving.service_totals(SERVICE, self.queue.now());
        Totals {
            arrived: service.arrived,
            bad: self.serving.client_totals().bad,
            completed: service.completed,
            dropped: service.failed,
            duration_s: service.sojourn_s,
            cpu_s: service.cpu_s,
            queued: self.serving.queued(SERVICE),
            in_service: self.serving.in_service(SERVICE),
        }
    }

    /// Ends a slot that began at `begin`: CPU of a pod that was ready all through it, in thousandths of a core, each rounded up as
    /// Kubernetes' quantities are, and their mean as a controller takes it.
    pub(crate) fn close_slot(&mut self, begin: Timestamp, slot_s: f64) -> i64 {
        let (now, mut sum, mut sampled) = (self.queue.now(), 0, 0);
        for seat in &mut self.ready {
            let cpu_s = self.serving.pod_counters(seat.pod.index(), now).cpu_s;
            let used_s = cpu_s - core::mem::replace(&mut seat.cpu_s, cpu_s);
            if seat.since <= begin {
                sampled += 1;
                sum += milli(used_s / slot_s);
            }
        }
        sum / i64::max(sampled, 1)
    }

    /// Forgets the waits seen so far.
    pub(crate) fn forget_waits(&mut self) {
        self.serving.watch_waits();
    }

    /// P95 of the waits since [`Self::forget_waits`]; 0 where nobody was served.
    pub(crate) fn p95_wait_s(&self) -> f64 {
        self.serving.wait_quantile_s(0.95).unwrap_or(0.0)
    }

    /// Whether the room's own books balance.
    pub(crate) fn conservation(&self) -> Result<(), Imbalance> {
        self.serving.conservation()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a few thousand")]
fn milli(cores: f64) -> i64 {
    (cores * 1_000.0 - 1e-9).ceil() as i64
}
