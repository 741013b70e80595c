//! What the containers of a pod ask for together: once exactly, for fit and balance, and once with a default for every container
//! that leaves out CPU or memory, for the strategies of `NodeResourcesFit`. Computed when a pod appears, not when it is placed.
//!
//! Init containers run one after the other before the others, so the greatest of them counts, if it is more than all others
//! together; those that restart stay, so they count from their start on.
//!
//! Source: `PodRequests` of Kubernetes 1.34 (`component-helpers/resource`), defaults of `pkg/scheduler/util/pod_resources.go`.

use super::resources::{Amounts, ResourceId};

/// What a container without a CPU request counts in scores.
const DEFAULT_CPU_MILLI: u64 = 100;
/// What a container without a memory request counts in scores.
const DEFAULT_MEMORY_BYTES: u64 = 200 * 1024 * 1024;

/// The requests of one container. One that is not set differs from 0: scores put a default in its place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    amounts: Amounts,
    set: u8,
}

impl Requests {
    /// Asks for `amount` of `id`, also if it is 0.
    pub fn set(&mut self, id: ResourceId, amount: u64) {
        self.amounts.set(id, amount);
        self.set |= id.bit();
    }

    fn exact(&self) -> Amounts {
        self.amounts
    }

    fn with_defaults(&self) -> Amounts {
        let mut amounts = self.amounts;
        for (id, default) in [(ResourceId::CPU, DEFAULT_CPU_MILLI), (ResourceId::MEMORY, DEFAULT_MEMORY_BYTES)] {
            if self.set & id.bit() == 0 {
                amounts.set(id, default);
            }
        }
        amounts
    }
}

/// A container that starts before the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InitContainer {
    /// What it asks for.
    pub requests: Requests,
    /// `restartPolicy: Always`: it does not end before the others start, but runs along (a sidecar).
    pub restarts: bool,
}

/// What a pod asks for as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PodRequests {
    exact: Amounts,
    scored: Amounts,
}

impl PodRequests {
    /// The requests of a pod of these containers; init containers in order of their start.
    pub fn new(containers: &[Requests], init_containers: &[InitContainer]) -> Self {
        Self {
            exact: effective(containers, init_containers, Requests::exact),
            scored: effective(containers, init_containers, Requests::with_defaults),
        }
    }

    /// What is set, for fit and balance.
    pub fn exact(&self) -> &Amounts {
        &self.exact
    }

    /// What counts in the strategies of `NodeResourcesFit`: at least a default for every container.
    pub fn scored(&self) -> &Amounts {
        &self.scored
    }

    /// Both pods together.
    pub(super) fn plus(&self, other: &Self) -> Self {
        Self { exact: self.exact.plus(&other.exact), scored: self.scored.plus(&other.scored) }
    }

    /// What is left without `other`.
    pub(super) fn minus(&self, other: &Self) -> Self {
        Self { exact: self.exact.minus(&other.exact), scored: self.scored.minus(&other.scored) }
    }
}

fn effective(
    containers: &[Requests],
    init_containers: &[InitContainer],
    amounts_of: impl Fn(&Requests) -> Amounts,
) -> Amounts {
    let mut running = containers.iter().fold(Amounts::default(), |sum, container| sum.plus(&amounts_of(container)));
    let (mut sidecars, mut peak) = (Amounts::default(), Amounts::default());
    for init in init_containers {
        let amounts = amounts_of(&init.requests);
        let during_start = sidecars.plus(&amounts);
        peak = peak.max(&during_start);
        if init.restarts {
            sidecars = during_start;
            running = running.plus(&amounts);
        }
    }
    running.max(&peak)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cpu(milli: u64) -> Requests {
        let mut requests = Requests::default();
        requests.set(ResourceId::CPU, milli);
        requests
    }

    fn init(milli: u64, restarts: bool) -> InitContainer {
        InitContainer { requests: cpu(milli), restarts }
    }

    fn pod_cpu(containers: &[Requests], init_containers: &[InitContainer]) -> u64 {
        PodRequests::new(containers, init_containers).exact().get(ResourceId::CPU)
    }

    /// Worked out by hand from the rule of KEP 753 (sidecar containers); the vectors have none.
    #[test]
    fn sidecars_count_from_their_start_on() {
        assert_eq!(
            pod_cpu(&[cpu(100), cpu(200)], &[init(250, false)]),
            300,
            "an init container ends before the others"
        );
        assert_eq!(pod_cpu(&[cpu(100), cpu(200)], &[init(900, false), init(400, false)]), 900, "the greatest of them");
        assert_eq!(pod_cpu(&[cpu(100)], &[init(50, true), init(400, false)]), 450, "it starts beside the sidecar");
        assert_eq!(pod_cpu(&[cpu(100)], &[init(400, false), init(50, true)]), 400, "it ends before the sidecar");
        assert_eq!(pod_cpu(&[cpu(100)], &[init(50, true), init(70, true)]), 220, "sidecars stay");
    }

    #[test]
    fn a_default_replaces_what_is_not_set_but_not_zero() {
        let mut empty = cpu(0);
        empty.set(ResourceId::MEMORY, 0);
        let pod = PodRequests::new(&[empty, Requests::default()], &[InitContainer::default()]);
        assert_eq!(pod.exact(), &Amounts::default());
        assert_eq!(pod.scored().get(ResourceId::CPU), 100);
        assert_eq!(pod.scored().get(ResourceId::MEMORY), 209_715_200);
        assert_eq!(pod.scored().get(ResourceId::EPHEMERAL_STORAGE), 0);
    }
}
