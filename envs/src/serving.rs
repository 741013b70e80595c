//! Requests through services: pods as servers, balancing, queues, timeouts, retries, call graphs.

mod error;
mod event;
mod totals;

use hdrhistogram::Histogram;
use seatrial_core::record::timeline::{ClientRow, Edge};
use seatrial_core::time::Timestamp;

pub use error::ServingError;
pub use event::{Event, Notice};
pub use totals::{ClientTotals, Imbalance, IntervalRows, ServiceTotals};

use crate::cluster::change::PodChange;
use crate::events::{EventQueue, PastEvent};
use crate::ids::ServiceId;
use crate::load::Traffic;
use crate::scenario::Scenario;
use crate::spec::{Inputs, ScenarioSpec};
use crate::telemetry::counters::{IngressCounters, PodCounters};

/// Skeleton: the signatures are final, the bodies follow.
#[derive(Clone, Debug)]
pub struct Serving {
    latencies: Histogram<u64>,
}

impl Serving {
    /// The services, sources and clients of a scenario; no pod yet.
    ///
    /// # Errors
    /// What in the scenario cannot be served.
    pub fn new(_spec: &ScenarioSpec, _inputs: &Inputs, _seed: u64, _start: Timestamp) -> Result<Self, ServingError> {
        Err(ServingError::Loads { sources: 0, loads: 0 })
    }

    /// Protocol P1's one service under `traffic`: a shared queue, limited in seconds of work of the ready pods, and clients
    /// that give up while they wait.
    ///
    /// # Errors
    /// Like [`Self::new`].
    pub fn protocol(_scenario: &Scenario, _traffic: &Traffic) -> Result<Self, ServingError> {
        Err(ServingError::Loads { sources: 0, loads: 0 })
    }

    /// Schedules the first request of each source. Once, before the first event.
    ///
    /// # Errors
    /// [`PastEvent`] if the queue's present is after the start.
    pub fn begin<E: Copy + From<Event>>(&mut self, _queue: &mut EventQueue<E>) -> Result<(), PastEvent> {
        Ok(())
    }

    /// Handles an event at the present.
    ///
    /// # Errors
    /// [`PastEvent`] never, unless the queue's clock is wrong.
    pub fn handle<E: Copy + From<Event>>(
        &mut self,
        _event: Event,
        _queue: &mut EventQueue<E>,
    ) -> Result<(), PastEvent> {
        Ok(())
    }

    /// Takes note of a change of a pod.
    ///
    /// # Errors
    /// [`PastEvent`] never, unless the queue's clock is wrong.
    pub fn apply<E: Copy + From<Event>>(
        &mut self,
        _change: &PodChange,
        _queue: &mut EventQueue<E>,
    ) -> Result<(), PastEvent> {
        Ok(())
    }

    /// The next notice, oldest first.
    pub fn pop_notice(&mut self) -> Option<Notice> {
        None
    }

    /// Counters of the pod in a slot, brought up to `now`; zeros where no container runs.
    #[must_use]
    pub fn pod_counters(&self, _slot: usize, _now: Timestamp) -> PodCounters {
        PodCounters::default()
    }

    /// Requests in the pod of a slot, in service, queued at it, or waiting in it for calls of their own.
    #[must_use]
    pub fn in_flight(&self, _slot: usize) -> u32 {
        0
    }

    /// Counters at the ingress of a service.
    #[must_use]
    pub fn ingress(&self, _service: ServiceId) -> IngressCounters {
        IngressCounters::default()
    }

    /// Calls that wait for a worker of a service, in its shared queue or at its pods.
    #[must_use]
    pub fn queued(&self, _service: ServiceId) -> u32 {
        0
    }

    /// Calls in service at a service's pods.
    #[must_use]
    pub fn in_service(&self, _service: ServiceId) -> u32 {
        0
    }

    /// What clients saw since the start.
    #[must_use]
    pub fn client_totals(&self) -> ClientTotals {
        ClientTotals::default()
    }

    /// What a service did since the start.
    #[must_use]
    pub fn service_totals(&self, _service: ServiceId, _now: Timestamp) -> ServiceTotals {
        ServiceTotals::default()
    }

    /// Requests of clients under way: what is left at the end.
    #[must_use]
    pub fn requests_left(&self) -> u64 {
        0
    }

    /// Ends an interval of the timeline at `now` and writes its rows.
    pub fn close_interval(&mut self, _now: Timestamp, _rows: &mut IntervalRows<'_>) -> ClientRow {
        ClientRow::default()
    }

    /// Microseconds from the first try to the answer, of all requests answered since the start.
    #[must_use]
    pub fn latencies(&self) -> Histogram<u64> {
        self.latencies.clone()
    }

    /// Microseconds from arrival to completion, of all calls that a service completed since the start.
    #[must_use]
    pub fn service_latencies(&self, _service: ServiceId) -> Histogram<u64> {
        self.latencies.clone()
    }

    /// Calls over each edge of the call graph since the start, in the scenario's order, those of clients first.
    #[must_use]
    pub fn edges(&self) -> Vec<Edge> {
        Vec::new()
    }

    /// Whether the books balance; walks over everything.
    ///
    /// # Errors
    /// The first account that does not.
    pub fn conservation(&self) -> Result<(), Imbalance> {
        Ok(())
    }
}
