//! The room alone on a queue of its own events, with pods that the test starts and stops.

mod books;
mod conservation;
mod faults;
mod graph;
mod input;
mod luck;
mod overload;
mod table;
mod theory;

use seatrial_core::record::timeline::ServiceRow;
use seatrial_core::time::{Span, Timestamp};
use serde_json::{Value, json};

use super::*;
use crate::cluster::change::Change;
use crate::ids::{PodId, ServiceId};
use crate::load::EpisodeLoad;
use crate::spec::{ListedRequest, SourceLoad};
use crate::telemetry::counters::PodCounters;

pub(super) const FIRST: ServiceId = ServiceId(0);

/// Serving and its queue.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) serving: Serving,
    pub(super) queue: EventQueue<Event>,
    pub(super) handled: u64,
}

impl World {
    pub(super) fn new(mut serving: Serving) -> Self {
        let mut queue = EventQueue::new(Timestamp::ZERO);
        serving.begin(&mut queue).unwrap();
        Self { serving, queue, handled: 0 }
    }

    /// The scenario with each source at its rates, in bins of so many seconds.
    pub(super) fn of(spec: &ScenarioSpec, bin_s: i64, rates: &[&[f64]], seed: u64) -> Self {
        Self::new(Serving::new(spec, &inputs(bin_s, rates), seed, Timestamp::ZERO).unwrap())
    }

    /// The scenario with requests of its one source at these seconds.
    pub(super) fn listed(spec: &ScenarioSpec, at_s: &[f64]) -> Self {
        let request = |at_s: &f64| ListedRequest { at: moment(*at_s), input_tokens: 0, output_tokens: 0 };
        let list = SourceLoad::Listed(at_s.iter().map(request).collect());
        let inputs = Inputs { loads: vec![list], ..Inputs::default() };
        Self::new(Serving::new(spec, &inputs, 1, Timestamp::ZERO).unwrap())
    }

    /// The longest latency from first try to answer in seconds, within a thousandth.
    pub(super) fn longest_s(&self) -> f64 {
        self.serving.latencies().max() as f64 / 1e6
    }

    pub(super) fn drained(&mut self) -> Vec<u32> {
        core::iter::from_fn(|| self.serving.pop_notice()).map(|Notice::Drained(pod)| pod.slot).collect()
    }

    pub(super) fn change(&mut self, service: u16, slot: u32, what: Change) {
        let change = PodChange { pod: PodId { slot, generation: 0 }, service: ServiceId(service), what };
        self.serving.apply(&change, &mut self.queue).unwrap();
    }

    /// Starts pods of a service and makes them ready.
    pub(super) fn pods(mut self, service: u16, slots: core::ops::Range<u32>) -> Self {
        for slot in slots {
            self.change(service, slot, Change::Started);
            self.change(service, slot, Change::Ready);
        }
        self
    }

    pub(super) fn until(&mut self, seconds: f64) {
        let limit = moment(seconds);
        while let Some((_, event)) = self.queue.pop_until(limit) {
            self.handled += 1;
            self.serving.handle(event, &mut self.queue).unwrap();
        }
        self.queue.pass_until(limit);
        self.serving.conservation().unwrap();
    }

    pub(super) fn totals(&self, service: u16) -> ServiceTotals {
        self.serving.service_totals(ServiceId(service), self.queue.now())
    }

    pub(super) fn clients(&self) -> ClientTotals {
        self.serving.client_totals()
    }
}

pub(super) fn moment(seconds: f64) -> Timestamp {
    Timestamp::ZERO + Span::from_secs_f64(seconds)
}

#[track_caller]
pub(super) fn assert_close(got: f64, expected: f64, tolerance: f64) {
    assert!((got - expected).abs() <= tolerance, "{got}, expected {expected} ± {tolerance}");
}

pub(super) fn inputs(bin_s: i64, rates: &[&[f64]]) -> Inputs {
    let load = |rates: &&[f64]| {
        let load = EpisodeLoad::new(Timestamp::ZERO, Span::from_secs(bin_s), rates.to_vec(), vec![]);
        SourceLoad::Rates(load.unwrap())
    };
    Inputs { loads: rates.iter().map(load).collect(), ..Inputs::default() }
}

/// A scenario with these services, one source at the first of them in order of names, and clients that wait for ever.
pub(super) fn spec(services: &Value) -> ScenarioSpec {
    let entry = services.as_object().unwrap().keys().next().unwrap().clone();
    let source = json!({"service": entry, "source": {"constant": {"rate_per_s": 1.0}}});
    let whole = json!({
        "name": "test", "summary": "a test", "kernel": "events", "duration_s": 60.0,
        "client": {"timeout_s": null, "retries": null}, "services": services, "traffic": [source],
    });
    serde_json::from_value(whole).unwrap()
}

/// A service with the given keys over a pod of one worker and one core that takes 0.1 s.
pub(super) fn service(keys: &Value) -> Value {
    let mut service = json!({"replicas": 1, "cores": 1.0, "concurrency": 1, "service_time_s": {"constant": 0.1}});
    for (key, value) in keys.as_object().unwrap() {
        service[key] = value.clone();
    }
    service
}

/// Mean and standard error.
pub(super) fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / (n - 1.0);
    (mean, (variance / n).sqrt())
}
