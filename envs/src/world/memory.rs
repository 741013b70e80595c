//! Memory of pods: what an idle one uses and each request in it on top; who goes beyond the limit is killed.

use seatrial_core::time::{Span, Timestamp};

use super::recorder::ids;
use super::{Event, World};
use crate::cluster::change::{Change, PodChange};
use crate::events::{EventQueue, PastEvent};
use crate::ids::{PodId, ServiceId};
use crate::serving::Serving;
use crate::spec::{PodSpec, ScenarioSpec};
use crate::telemetry::Source;
use crate::telemetry::counters::{IngressCounters, PodCounters};

/// How often memory is looked at.
const LOOK: Span = Span::from_secs(1);
const BYTES_PER_MIB: f64 = 1_048_576.0;

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    /// By service.
    uses: Vec<Use>,
    /// Service of the pod in each slot.
    service_of: Vec<ServiceId>,
    /// Pods that are being looked at.
    looked_at: Vec<PodId>,
}

/// MiB of a pod.
#[derive(Clone, Copy, Debug)]
struct Use {
    base_mib: f64,
    per_request_mib: f64,
    limit_mib: f64,
}

/// What telemetry reads when it scrapes.
pub(super) struct Scrape<'a> {
    pub(super) serving: &'a Serving,
    pub(super) memory: &'a Memory,
    pub(super) now: Timestamp,
}

impl Memory {
    pub(super) fn new(spec: &ScenarioSpec) -> Self {
        let uses = |pod: &PodSpec| Use {
            base_mib: pod.memory_base_mib,
            per_request_mib: pod.memory_per_request_mib,
            limit_mib: f64::from(pod.memory_limit_mib),
        };
        let uses = spec.services.values().map(|service| uses(&service.pod)).collect();
        Self { uses, service_of: Vec::new(), looked_at: Vec::new() }
    }

    /// Whether requests need any memory at all.
    pub(super) fn grows(&self) -> bool {
        self.uses.iter().any(Use::grows)
    }

    pub(super) fn apply(&mut self, change: &PodChange) {
        if change.what == Change::Started {
            let slot = change.pod.index();
            if self.service_of.len() <= slot {
                self.service_of.resize(slot + 1, change.service);
            }
            self.service_of[slot] = change.service;
        }
    }

    /// MiB that the pod uses.
    fn used_mib(&self, slot: usize, serving: &Serving) -> f64 {
        let Some(service) = self.service_of.get(slot) else { return 0.0 };
        self.uses[service.index()].with(serving.in_flight(slot))
    }
}

impl Use {
    fn grows(&self) -> bool {
        self.per_request_mib > 0.0
    }

    fn with(&self, requests: u32) -> f64 {
        self.base_mib + self.per_request_mib * f64::from(requests)
    }
}

impl Source for Scrape<'_> {
    fn pod(&mut self, pod: PodId) -> PodCounters {
        self.serving.pod_counters(pod.index(), self.now)
    }

    fn ingress(&mut self, service: ServiceId) -> IngressCounters {
        self.serving.ingress(service)
    }

    fn memory_bytes(&mut self, pod: PodId) -> Option<f64> {
        Some(self.memory.used_mib(pod.index(), self.serving) * BYTES_PER_MIB)
    }
}

impl World {
    /// Kills the pods that use more memory than they may.
    pub(super) fn look_at_memory(&mut self, queue: &mut EventQueue<Event>) -> Result<(), PastEvent> {
        let now = queue.now();
        for service in ids(self.memory.uses.len()) {
            let uses = self.memory.uses[service.index()];
            if !uses.grows() {
                continue;
            }
            let mut pods = core::mem::take(&mut self.memory.looked_at);
            pods.clear();
            pods.extend(self.cluster.pods_of(service).map(|(pod, _)| pod));
            for pod in pods.iter().copied() {
                let used_mib = uses.with(self.serving.in_flight(pod.index()));
                if used_mib > uses.limit_mib {
                    self.log.out_of_memory(now, service, pod, used_mib);
                    self.cluster.pod_out_of_memory(pod, queue)?;
                    self.pass_on(queue)?;
                }
            }
            self.memory.looked_at = pods;
        }
        queue.push(now + LOOK, Event::Memory)
    }
}
