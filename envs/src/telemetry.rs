//! What a cluster tells of itself: counters of pods, scraped on an interval, read as Prometheus and metrics-server read them.
//!
//! | part | what |
//! |---|---|
//! | [`Telemetry`] | the state machine: told of pods, it scrapes, and answers what is known at a moment |
//! | [`Source`] | who has the counters |
//! | [`counters`] | what serving counts, per pod and per service |
//! | `schedule` | moments of scrapes, lost ones, the youngest visible moment |
//! | `tracks`, `rings` | which pods are targets, and the last scrapes of each |
//! | [`PastArrivals`], [`PastWork`] | what was counted before the start |
//! | `reading` | from scrapes to features and CPU samples |
//!
//! Counters know the truth and nobody else does: a decision sees differences of scrapes that are `lag` old. A pod that ends
//! takes with it what it counted since its last scrape; one that starts anew begins at zero, which a rate reads as a reset.
//! Features are read as the operator's default queries read them: `irate` over a range of two intervals, per pod, then
//! summed. The range ends with the youngest visible slot, so that features change once per slot, as in the fluid kernel.
//!
//! Only what is modelled is told: memory where the source has it. Virtual memory, descriptors and sizes of bodies are missing.
//!
//! Invariants: what was scraped after the visible moment is never read; a ring holds every row that a reader may ask for; the
//! same scrape is lost whatever else happens; without new pods nothing allocates.
//!
//! Sources: `core::observe::promql` (Prometheus 3.15); `pkg/storage/{pod,types}.go` of metrics-server 0.9.
//!
//! # Deviations
//!
//! 1. Without jitter all targets are scraped at one moment, and a lost scrape is lost for all of them, as in protocol P1 and by the
//!    same draw as [`crate::load::Traffic`]. With jitter each pod has a draw of its own, and the ingresses keep the common one.
//! 2. One scrape feeds Prometheus and metrics-server; in a cluster these are two, with intervals of their own.
//! 3. metrics-server leaves out containers whose CPU counter is zero, because real ones used some to start; here it is a sample of 0.
//! 4. A target that ends leaves a staleness marker at that moment; Prometheus writes it when discovery or a scrape notices.
//! 5. Prometheus sums with compensation; here the rates of pods are simply added in order of their tracks.

pub mod counters;
mod reading;
mod recall;
mod rings;
mod schedule;
#[cfg(test)]
mod tests;
mod tracks;

use seatrial_core::observe::{CpuSample, Metrics, Observation, Pod, Pods};
use seatrial_core::time::Timestamp;
use thiserror::Error;

use self::counters::{IngressCounters, PodCounters};
pub use self::recall::{PastArrivals, PastPod, PastWork};

use self::reading::{IngressTotals, PodTotals};
use self::rings::{Rings, Row};
use self::schedule::Schedule;
use self::tracks::{Place, Tracks};
use crate::cluster::change::{Change, PodChange};
use crate::events::{EventQueue, PastEvent};
use crate::ids::{PodId, ServiceId};
use crate::scenario::Scenario;
use crate::spec::MetricsSpec;

/// Who has the counters at the moment of a scrape, brought up to it.
pub trait Source {
    /// Totals of the pod.
    fn pod(&mut self, pod: PodId) -> PodCounters;
    /// Totals of the service.
    fn ingress(&mut self, service: ServiceId) -> IngressCounters;
    /// Bytes of resident memory of the pod; `None` where memory is not modelled.
    fn memory_bytes(&mut self, pod: PodId) -> Option<f64>;
}

/// A scrape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Of every ingress and, without jitter, of every pod.
    ScrapeAll,
    /// Of a pod that has moments of its own.
    ScrapePod {
        /// Its track.
        track: u32,
        /// Which container of the track; a scrape planned for an earlier one is stale.
        round: u32,
    },
}

/// How a rate is read from the scrapes in its range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RateFunction {
    /// The difference of the last two scrapes: what the operator's default queries use.
    #[default]
    Irate,
    /// Extrapolated to the ends of the range, but not below zero: less than there is while counters are young.
    Rate,
}

/// Why telemetry cannot be set up.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum TelemetryError {
    /// A value is out of its range.
    #[error("scenario: `metrics.{key}` is {got}, must be {allowed}; correct the metrics pipeline")]
    Range {
        /// The key.
        key: &'static str,
        /// The value given.
        got: f64,
        /// What is allowed.
        allowed: &'static str,
    },
}

/// The metrics pipeline of `scenario`, its regime included.
#[must_use]
pub const fn pipeline_of(scenario: &Scenario) -> MetricsSpec {
    let (plain, regime) = (scenario.metrics, scenario.regime);
    MetricsSpec {
        scrape_s: plain.scrape_s,
        jitter: 0.0,
        lag_s: regime.lag_s(plain.lag_s),
        lost_scrape_probability: regime.lost_scrape_probability(plain.lost_scrape_probability),
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Telemetry {
    schedule: Schedule,
    rate: RateFunction,
    /// Outages that last.
    outages: u32,
    ingresses: Rings<IngressTotals>,
    services: usize,
    tracks: Tracks,
    pods: Rings<PodTotals>,
}

impl Telemetry {
    /// The pipeline `spec` over `services` services, with the grid of scrapes at `start`.
    ///
    /// # Errors
    /// If a number of `spec` is out of its range.
    pub fn new(spec: &MetricsSpec, services: usize, start: Timestamp, seed: u64) -> Result<Self, TelemetryError> {
        let schedule = Schedule::new(spec, start, seed)?;
        let mut ingresses = Rings::new(schedule.remembered());
        (0..services).for_each(|_| {
            ingresses.add();
        });
        let (tracks, pods) = (Tracks::new(services, schedule.memory()), Rings::new(schedule.remembered()));
        Ok(Self { schedule, rate: RateFunction::default(), outages: 0, ingresses, services, tracks, pods })
    }

    /// The same pipeline whose rates are read by `rate`.
    #[must_use]
    pub fn with_rate(self, rate: RateFunction) -> Self {
        Self { rate, ..self }
    }

    /// Plans the first scrape: at the first moment of the grid from now on, now included.
    ///
    /// # Errors
    /// Never in practice: no moment before the present is asked for.
    pub fn begin<E: Copy + From<Event>>(&mut self, queue: &mut EventQueue<E>) -> Result<(), PastEvent> {
        queue.push(self.schedule.next(queue.now()), Event::ScrapeAll.into())
    }

    /// Whether the rates of the slot that ends at `end` are missing because a scrape of all targets is lost: the one at its beginning or
    /// the one at its end.
    #[must_use]
    pub fn misses(&self, end: Timestamp) -> bool {
        self.schedule.is_lost(end) || self.schedule.is_lost(end - self.schedule.interval)
    }

    /// No scrape succeeds until the matching [`end_outage`](Self::end_outage).
    pub const fn begin_outage(&mut self) {
        self.outages += 1;
    }

    /// An outage ends.
    pub const fn end_outage(&mut self) {
        self.outages = self.outages.saturating_sub(1);
    }

    /// A pod changed: from [`Change::Started`] to [`Change::Stopped`] it is a target, and does not answer at speed 0.
    ///
    /// # Errors
    /// Never in practice: no moment before the present is asked for.
    pub fn apply<E: Copy + From<Event>>(
        &mut self,
        change: &PodChange,
        queue: &mut EventQueue<E>,
    ) -> Result<(), PastEvent> {
        match change.what {
            Change::Started => self.start(change.pod, change.service, queue)?,
            Change::Stopped => self.stop(change.pod, queue.now()),
            Change::Speed(speed) => {
                if let Some(track) = self.tracks.of_pod(change.pod) {
                    self.tracks.set_silent(track, speed <= 0.0);
                }
            }
            Change::Ready | Change::Left => {}
        }
        Ok(())
    }

    fn start<E: Copy + From<Event>>(
        &mut self,
        pod: PodId,
        service: ServiceId,
        queue: &mut EventQueue<E>,
    ) -> Result<(), PastEvent> {
        let track = match self.tracks.start(pod, service, queue.now()) {
            Place::Kept(track) => track,
            Place::Reused(track) => {
                self.pods.clear(track);
                track
            }
            Place::Added(_) => self.pods.add(),
        };
        if self.schedule.is_jittered() { self.plan(track, queue.now(), queue) } else { Ok(()) }
    }

    fn stop(&mut self, pod: PodId, now: Timestamp) {
        if let Some(track) = self.tracks.of_pod(pod).filter(|track| self.tracks.get(*track).runs()) {
            self.tracks.end(track, now);
            self.pods.push(track, Row { at: now, found: None });
        }
    }

    /// Plans the next scrape of a pod with moments of its own, at `from` or later.
    fn plan<E: Copy + From<Event>>(
        &self,
        track: usize,
        from: Timestamp,
        queue: &mut EventQueue<E>,
    ) -> Result<(), PastEvent> {
        let target = self.tracks.get(track);
        let event = Event::ScrapePod { track: u32::try_from(track).unwrap_or(u32::MAX), round: target.round };
        queue.push(self.schedule.next_of_pod(from, target.pod), event.into())
    }

    /// Scrapes now what `event` names, and plans its next scrape.
    ///
    /// # Errors
    /// Never in practice: no moment before the present is asked for.
    pub fn handle<E: Copy + From<Event>>(
        &mut self,
        event: Event,
        queue: &mut EventQueue<E>,
        source: &mut impl Source,
    ) -> Result<(), PastEvent> {
        let now = queue.now();
        match event {
            Event::ScrapeAll => {
                self.scrape_all(now, source);
                queue.push(now + self.schedule.interval, event.into())
            }
            Event::ScrapePod { track, round } => {
                let (number, target) = (track as usize, *self.tracks.get(track as usize));
                if target.round != round || !target.runs() {
                    return Ok(());
                }
                self.scrape_pod(number, now, self.schedule.is_lost_for_pod(now, target.pod), source);
                self.plan(number, now + self.schedule.interval, queue)
            }
        }
    }

    fn scrape_all(&mut self, now: Timestamp, source: &mut impl Source) {
        let is_lost = self.schedule.is_lost(now);
        let fails = is_lost || self.outages > 0;
        for (index, service) in (0..=u16::MAX).take(self.services).enumerate() {
            let found = (!fails).then(|| IngressTotals::of(source.ingress(ServiceId(service))));
            self.ingresses.push(index, Row { at: now, found });
        }
        if !self.schedule.is_jittered() {
            for track in 0..self.tracks.len() {
                self.scrape_pod(track, now, is_lost, source);
            }
        }
    }

    fn scrape_pod(&mut self, track: usize, now: Timestamp, is_lost: bool, source: &mut impl Source) {
        let target = self.tracks.get(track);
        if target.runs() {
            let answers = !is_lost && self.outages == 0 && !target.is_silent;
            let read = || PodTotals::of(target.started, source.pod(target.pod), source.memory_bytes(target.pod));
            let found = answers.then(read);
            self.pods.push(track, Row { at: now, found });
        }
    }

    /// The features of a service as they are known at `now`.
    #[must_use]
    pub fn metrics(&self, now: Timestamp, service: ServiceId) -> Metrics {
        let range = reading::Range { end: self.schedule.visible(now), length: self.schedule.range(), rate: self.rate };
        let ingress = range.rows(&self.ingresses, service.index());
        let pods = self.tracks.of_service(service).map(|track| range.rows(&self.pods, track));
        reading::metrics(range, &ingress, pods)
    }

    /// CPU use of a pod as metrics-server knows it at `now`.
    #[must_use]
    pub fn cpu(&self, now: Timestamp, pod: PodId) -> Option<CpuSample> {
        let rows = self.pods.seen(self.tracks.of_pod(pod)?, self.schedule.visible(now));
        reading::cpu_sample(rows, self.schedule.interval)
    }

    /// Fills in what is known of a service at `now`: moment, features, and its `pods` with their CPU samples. Replica counts and start-ups
    /// are the cluster's to say.
    pub fn observe(
        &self,
        now: Timestamp,
        service: ServiceId,
        pods: impl IntoIterator<Item = (PodId, Pod)>,
        out: &mut Observation,
    ) {
        out.now = now;
        out.metrics = self.metrics(now, service);
        if matches!(out.pods, Pods::Homogeneous(_)) {
            out.pods = Pods::Each(Vec::new());
        }
        if let Pods::Each(each) = &mut out.pods {
            each.clear();
            each.extend(pods.into_iter().map(|(id, pod)| Pod { cpu: self.cpu(now, id), ..pod }));
        }
    }
}
