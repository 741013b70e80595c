//! A service of the event kernel alone on a queue of its own events: pods that stand still, clients that wait for ever, Poisson
//! arrivals in one bin, so that the count of the whole run is all that is fixed.

use seatrial_core::time::{Span, Timestamp};
use seatrial_envs::cluster::change::{Change, PodChange};
use seatrial_envs::events::EventQueue;
use seatrial_envs::ids::{PodId, ServiceId};
use seatrial_envs::load::EpisodeLoad;
use seatrial_envs::serving::{Event, ServiceTotals, Serving};
use seatrial_envs::spec::{Inputs, ScenarioSpec, SourceLoad};
use serde_json::{Value, json};

use super::at;
use crate::error::Result;

const SERVICE: ServiceId = ServiceId(0);
/// Bins are whole scrape intervals.
const SLOT_S: f64 = 15.0;

/// What a service is asked to do.
#[derive(Clone, Debug)]
pub(super) struct Load {
    /// Keys of the service, on top of one worker and one core per pod.
    pub(super) keys: Value,
    pub(super) rate_per_s: f64,
    pub(super) pods: u32,
    /// Until then nothing counts.
    pub(super) warm_up_s: f64,
    pub(super) end_s: f64,
}

/// See the module.
pub(super) struct Queue {
    serving: Serving,
    queue: EventQueue<Event>,
}

fn spec(keys: &Value) -> std::result::Result<ScenarioSpec, serde_json::Error> {
    let mut service = json!({"replicas": 1, "cores": 1.0, "concurrency": 1, "service_time_s": {"constant": 0.1}});
    for (key, value) in keys.as_object().into_iter().flatten() {
        service[key] = value.clone();
    }
    serde_json::from_value(json!({
        "name": "queue", "summary": "one service alone", "kernel": "events", "duration_s": 60.0,
        "client": {"timeout_s": null, "retries": null}, "services": {"a": service},
        "traffic": [{"service": "a", "source": {"constant": {"rate_per_s": 1.0}}}],
    }))
}

/// The span of bins that covers `seconds`.
fn bin(seconds: f64) -> Span {
    Span::from_secs_f64((seconds / SLOT_S).ceil() * SLOT_S)
}

impl Queue {
    /// The service at its first moment, with its pods ready.
    pub(super) fn new(load: &Load, seed: u64) -> Result<Self> {
        let wrong = at("validity: single queue");
        let spec = spec(&load.keys).map_err(|error| wrong(&error))?;
        let rates = EpisodeLoad::new(Timestamp::ZERO, bin(load.end_s), vec![load.rate_per_s], vec![]);
        let inputs =
            Inputs { loads: vec![SourceLoad::Rates(rates.map_err(|error| wrong(&error))?)], ..Inputs::default() };
        let mut serving = Serving::new(&spec, &inputs, seed, Timestamp::ZERO).map_err(|error| wrong(&error))?;
        let mut queue = EventQueue::new(Timestamp::ZERO);
        serving.leave_out_latencies();
        serving.begin(&mut queue).map_err(|error| wrong(&error))?;
        for slot in 0..load.pods {
            for what in [Change::Started, Change::Ready] {
                let change = PodChange { pod: PodId { slot, generation: 0 }, service: SERVICE, what };
                serving.apply(&change, &mut queue).map_err(|error| wrong(&error))?;
            }
        }
        Ok(Self { serving, queue })
    }

    /// Lets time pass until `seconds`.
    pub(super) fn until(&mut self, seconds: f64) -> Result<()> {
        let limit = Timestamp::ZERO + Span::from_secs_f64(seconds);
        while let Some((_, event)) = self.queue.pop_until(limit) {
            self.serving.handle(event, &mut self.queue).map_err(|error| at("validity: single queue")(&error))?;
        }
        self.queue.pass_until(limit);
        Ok(())
    }

    pub(super) fn totals(&self) -> ServiceTotals {
        self.serving.service_totals(SERVICE, self.queue.now())
    }

    /// Requests so far that waited longer than the objective, 0.12 s, or were turned away.
    pub(super) fn bad(&self) -> u64 {
        self.serving.ingress(SERVICE).bad
    }

    /// Requests in the system now.
    pub(super) fn present(&self) -> f64 {
        f64::from(self.serving.queued(SERVICE) + self.serving.in_service(SERVICE))
    }

    /// That every request is somewhere.
    pub(super) fn check(&self) -> Result<()> {
        self.serving.conservation().map_err(|error| at("validity: single queue")(&error))
    }
}
