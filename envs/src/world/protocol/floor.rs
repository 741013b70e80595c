//! Requests of protocol P1 on the pods that the loop starts and stops: [`Serving`] and its queue of events.
//!
//! Pods are a stack, as `fluid::pods::PodSet` has them: the youngest ready one leaves first. One that left finishes what it
//! serves until its termination is over.

use std::collections::VecDeque;

use seatrial_core::time::{Span, Timestamp};

use crate::cluster::change::{Change, PodChange};
use crate::episode::EpisodeError;
use crate::events::{EventQueue, PastEvent};
use crate::ids::{PodId, ServiceId};
use crate::load::Traffic;
use crate::scenario::Scenario;
use crate::serving::{Event, Imbalance, Serving};

/// The one service.
const SERVICE: ServiceId = ServiceId(0);

/// See the module.
pub(super) struct Floor {
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
pub(super) struct Totals {
    pub(super) arrived: u64,
    pub(super) bad: u64,
    pub(super) completed: u64,
    pub(super) dropped: u64,
    pub(super) duration_s: f64,
    pub(super) cpu_s: f64,
    pub(super) queued: u32,
    pub(super) in_service: u32,
}

impl Totals {
    /// What was counted since `then`; what stands is left as it is.
    pub(super) fn since(&self, then: &Self) -> Self {
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
}

impl Floor {
    /// With `initial` pods that have always been ready.
    pub(super) fn new(scenario: &Scenario, traffic: &Traffic, initial: u32) -> Result<Self, EpisodeError> {
        let mut floor = Self {
            serving: Serving::protocol(scenario, traffic)?,
            queue: EventQueue::new(traffic.load().start()),
            ready: Vec::new(),
            leaving: VecDeque::new(),
            free: Vec::new(),
            slots: 0,
        };
        floor.join(initial, Timestamp::from_micros(i64::MIN))?;
        floor.serving.begin(&mut floor.queue)?;
        Ok(floor)
    }

    /// Serves until just before `limit`, and lets the clock stand there.
    pub(super) fn run_before(&mut self, limit: Timestamp) -> Result<(), PastEvent> {
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
    pub(super) fn join(&mut self, pods: u32, since: Timestamp) -> Result<(), PastEvent> {
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
    pub(super) fn leave(&mut self, pods: u32, gone_at: Timestamp) -> Result<(), PastEvent> {
        for _ in 0..pods {
            let Some(Seat { pod, .. }) = self.ready.pop() else { break };
            self.tell(pod, Change::Left)?;
            self.leaving.push_back((gone_at, pod));
        }
        Ok(())
    }

    /// When the next pod is gone.
    pub(super) fn next_gone(&self) -> Option<Timestamp> {
        self.leaving.front().map(|(at, _)| *at)
    }

    /// Stops the pods whose termination is over.
    pub(super) fn stop_gone(&mut self, now: Timestamp) -> Result<(), PastEvent> {
        while let Some((_, pod)) = self.leaving.pop_front_if(|(at, _)| *at <= now) {
            self.tell(pod, Change::Stopped)?;
            self.free.push(PodId { generation: pod.generation + 1, ..pod });
        }
        Ok(())
    }

    /// Counts up to the present.
    pub(super) fn totals(&self) -> Totals {
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
    pub(super) fn close_slot(&mut self, begin: Timestamp, slot_s: f64) -> i64 {
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
    pub(super) fn forget_waits(&mut self) {
        self.serving.watch_waits();
    }

    /// P95 of the waits since [`Self::forget_waits`]; 0 where nobody was served.
    pub(super) fn p95_wait_s(&self) -> f64 {
        self.serving.wait_quantile_s(0.95).unwrap_or(0.0)
    }

    /// Whether the room's own books balance.
    pub(super) fn conservation(&self) -> Result<(), Imbalance> {
        self.serving.conservation()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a few thousand")]
fn milli(cores: f64) -> i64 {
    (cores * 1_000.0 - 1e-9).ceil() as i64
}
