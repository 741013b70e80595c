//! One autoscaler of the core per scaled service, called when it wants to be: what it sees is what telemetry and the cluster know.

use std::sync::Arc;

use seatrial_core::observe::Observation;
use seatrial_core::record::DecisionRecord;
use seatrial_core::scaling::autoscaler::{Autoscaler, AutoscalerState, Decision};
use seatrial_core::time::{Span, Timestamp};

use super::outcome::DecisionRow;
use super::{Event, World};
use crate::events::{EventQueue, PastEvent};
use crate::ids::ServiceId;

/// The autoscaler of a service; clones share it and have a state of their own.
#[derive(Clone)]
pub(super) struct Scaler {
    autoscaler: Arc<Autoscaler>,
    state: AutoscalerState,
    seen: Observation,
    pub(super) tally: Tally,
}

/// What was decided since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) decisions: u64,
    pub(super) overridden: u64,
    pub(super) blind: u64,
    /// Replicas more or fewer, summed.
    pub(super) changes: u64,
}

impl Scaler {
    /// From a state that has absorbed the past.
    pub(super) fn new(autoscaler: Autoscaler, state: AutoscalerState, replicas: u32) -> Self {
        let seen = Observation::unknown(Timestamp::ZERO, replicas);
        Self { autoscaler: Arc::new(autoscaler), state, seen, tally: Tally::default() }
    }

    fn decide(&mut self, now: Timestamp, record: bool) -> (Decision, Option<DecisionRecord>) {
        let (view, decision) = self.autoscaler.decide_viewed(now, &self.seen, &mut self.state);
        let record = record.then(|| DecisionRecord::new(&view, &decision));
        let tally = &mut self.tally;
        tally.decisions += 1;
        tally.overridden += u64::from(decision.overridden);
        tally.blind += u64::from(self.seen.arrival_rate().is_none());
        tally.changes += u64::from(self.seen.spec_replicas.abs_diff(decision.replicas));
        (decision, record)
    }
}

impl World {
    /// Lets `autoscaler` decide for `service` from the first moment on, whoever the scenario names.
    pub(crate) fn hand_over(&mut self, service: ServiceId, autoscaler: Autoscaler) {
        if let Some(Some(scaler)) = self.scalers.get_mut(service.index()) {
            let (state, replicas) = (autoscaler.initial_state(), scaler.seen.spec_replicas);
            *scaler = Scaler::new(autoscaler, state, replicas);
        }
    }

    /// The autoscaler of `service` decides, and its decision has its effect.
    pub(super) fn decide(&mut self, service: ServiceId, queue: &mut EventQueue<Event>) -> Result<(), PastEvent> {
        let now = queue.now();
        let Self { scalers, cluster, telemetry, records, log, .. } = self;
        let Some(scaler) = scalers.get_mut(service.index()).and_then(Option::as_mut) else { return Ok(()) };
        let counts = cluster.counts_of(service);
        scaler.seen.spec_replicas = counts.desired;
        scaler.seen.status_replicas = counts.replicas();
        cluster.take_start_ups(service, &mut scaler.seen.start_ups);
        telemetry.observe(now, service, cluster.pods_of(service), &mut scaler.seen);
        let (decision, record) = scaler.decide(now, records.is_some());
        if let (Some(records), Some(record)) = (records, record) {
            records.push(DecisionRow { service, record });
        }
        log.decision(now, service, decision.replicas);
        queue.push(decision.next_at.max(now + Span::from_micros(1)), Event::Decide(service))?;
        if decision.replicas != counts.desired {
            cluster.scale(service, decision.replicas, queue)?;
            self.pass_on(queue)?;
        }
        Ok(())
    }
}
