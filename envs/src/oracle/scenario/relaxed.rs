//! The scenario without what can only cost more: the fluid model of what is left is the best case of the service.
//!
//! | taken away | because |
//! |---|---|
//! | balancing | a shared queue lets no worker idle while a request waits |
//! | nodes, other pods, quotas | they keep pods waiting and slow them down; what they can hold is the node tier's |
//! | faults, rollouts, memory | they take pods away |
//! | serving the expired, held workers | work for nobody |
//! | an objective for the whole latency | who waits too long is bad all the same |
//! | lost or late scrapes | they inform no schedule that knows the load |
//! | the distribution of start-ups | it is billed by its draws |

use std::collections::BTreeMap;

use crate::spec::lower::{LowerError, Lowered, lower};
use crate::spec::service::Balancing;
use crate::spec::{Distribution, Inputs, KernelChoice, MetricsSpec, ScenarioSpec, ServiceSpec};

/// Grid of pods in the fluid model, in seconds.
const PHYSICS_STEP_S: f64 = 1.0;

/// `spec`, relaxed, for the fluid model.
pub(super) fn lowered(spec: &ScenarioSpec, inputs: &Inputs) -> Result<Lowered, LowerError> {
    let mut relaxed = spec.clone();
    relaxed.cluster = None;
    relaxed.workloads = BTreeMap::new();
    relaxed.faults = Vec::new();
    relaxed.slo.latency_s = None;
    relaxed.client.timeout_s = relaxed.client.timeout_s.or(Some(spec.duration_s));
    relaxed.metrics = MetricsSpec { jitter: 0.0, lost_scrape_probability: 0.0, ..relaxed.metrics };
    for service in relaxed.services.values_mut() {
        relax(service, spec.kernel);
    }
    lower(&relaxed, inputs, PHYSICS_STEP_S)
}

fn relax(service: &mut ServiceSpec, kernel: KernelChoice) {
    service.balancing = Balancing::Shared;
    service.drops_expired = true;
    service.holds_worker = false;
    service.pod.memory_per_request_mib = 0.0;
    service.rollout.at_s = Vec::new();
    if kernel == KernelChoice::Events {
        service.start.probe_period_s = 0.0;
        service.start.start_s = Distribution::Constant(0.0);
    }
}
